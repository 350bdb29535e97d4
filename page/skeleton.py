"""Skeleton: what a browser shows of the page before the first of its scripts has run.

Streamlit's own first page is blank, under its own name and icon. What is put into it needs no
script, follows the system's colours, and goes with the first thing that the board draws.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from page.assets import FOLDER, ICON, MANIFEST

__all__ = ["modules_of", "with_skeleton"]

_SKELETON: Final = Template((Path(__file__).parent / "skeleton.html").read_text("utf-8"))

_TITLE: Final = "<title>Streamlit</title>"
_ICON: Final = 'href="./favicon.png"'
_HEAD: Final = "</head>"
_BODY: Final = "<body>"


_CHUNK: Final = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')
"""How a part of Streamlit's script names one that it needs."""


def modules_of(folder: Path, names: Iterable[str], index: str) -> list[str]:
    """The parts of Streamlit's script in ``folder`` that begin with ``names``, and all they need.

    Without those that ``index`` fetches by itself; empty if there are none of these names.
    """
    wanted = [path.name for name in names for path in folder.glob(f"{name}.*.js")]
    found: list[str] = []
    for name in wanted:
        if name in found or name in index or not (folder / name).is_file():
            continue
        found.append(name)
        wanted += _CHUNK.findall((folder / name).read_text("utf-8"))
    return found


def with_skeleton(
    index: str, colours: Mapping[str, str], scripts: Iterable[str], controls: str
) -> str:
    """Streamlit's first page with ours in it; unchanged if it is not as it is expected to be.

    ``colours`` are those of the themes, named ``dark_ground``, ``dark_card``, ``dark_line`` and
    ``dark_text``, likewise ``light_…``, and ``accent``; ``scripts`` are modules that are fetched
    meanwhile, by their addresses relative to the page; ``controls`` is the style of Streamlit's own
    elements: if it came with them, the page would jump.
    """
    if any(index.count(part) != 1 for part in (_TITLE, _ICON, _HEAD, _BODY)):
        return index
    head = [
        f'<link rel="manifest" href="./{FOLDER}/{MANIFEST}" crossorigin="use-credentials">',
        *(
            f'<meta name="theme-color" content="{escape(colours[f"{base}_ground"])}"'
            f' media="(prefers-color-scheme: {base})">'
            for base in ("dark", "light")
        ),
        *(f'<link rel="modulepreload" href="{escape(script)}">' for script in scripts),
    ]
    style, _, skeleton = _SKELETON.substitute(colours).partition("</style>\n")
    return (
        index.replace(_TITLE, "<title>Market Pulse</title>")
        .replace(_ICON, f'href="./{FOLDER}/{ICON}"')
        .replace(_HEAD, "\n".join([*head, style, controls, "</style>", _HEAD]))
        .replace(_BODY, f"{_BODY}\n{skeleton}")
    )
