"""Skeleton: what a browser shows of the page before the first of its scripts has run.

Streamlit's own first page is blank, under its own name and icon. What is put into it needs no
script, follows the system's colours, and goes with the first thing that the board draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from page.assets import FOLDER, ICON, MANIFEST

__all__ = ["with_skeleton"]

_SKELETON: Final = Template((Path(__file__).parent / "skeleton.html").read_text("utf-8"))

_TITLE: Final = "<title>Streamlit</title>"
_ICON: Final = 'href="./favicon.png"'
_HEAD: Final = "</head>"
_BODY: Final = "<body>"


def with_skeleton(index: str, colours: Mapping[str, str], scripts: Iterable[str]) -> str:
    """Streamlit's first page with ours in it; unchanged if it is not as it is expected to be.

    ``colours`` are those of the themes, named ``dark_ground``, ``dark_card``, ``dark_line`` and
    ``dark_text``, likewise ``light_…``, and ``accent``; ``scripts`` are modules that are fetched
    meanwhile, by their addresses relative to the page.
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
        .replace(_HEAD, "\n".join([*head, style, "</style>", _HEAD]))
        .replace(_BODY, f"{_BODY}\n{skeleton}")
    )
