"""Assets: what a browser fetches once and keeps, the page's script with its style and its icons.

Their names tell their contents, so that they may be kept for ever: what has changed has another
name. Whoever serves the page says so, and the board then asks for its script by name; by
``streamlit run`` nobody does, and each session is sent the script as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from engine.process import kept, once_per_process

__all__ = [
    "FOLDER",
    "ICON",
    "MANIFEST",
    "Asset",
    "are_served",
    "assets",
    "loader",
    "script_address",
    "serve_assets",
    "with_style",
]

_HERE: Final = Path(__file__).parent


class Asset(NamedTuple):
    """A file for browsers."""

    media_type: str
    body: bytes


def with_style(scripts: Mapping[str, str], styles: Iterable[str]) -> Mapping[str, str]:
    """The modules of a script, before them one that exports the style sheets as a text."""
    style = json.dumps("\n".join(styles))
    return {"style.js": f"export const STYLE = {style};\n", **scripts}


FOLDER: Final = "assets"
"""Below which path of the page they are served."""


def _named(name: str, body: bytes) -> str:
    """A name that no other contents have."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{suffix}"


def _icon(name: str) -> tuple[str, bytes]:
    body = (_HERE / "icons" / name).read_bytes()
    return _named(name, body), body


def _board(script: str) -> str:
    """What the page's script is called."""
    return _named("board.js", script.encode())


_VECTOR: Final = _icon("icon.svg")
ICON: Final = _VECTOR[0]
"""What the icon is called."""

_IMAGES: Final = {size: _icon(f"icon-{size}.png") for size in ("192", "512", "maskable-512")}

MANIFEST: Final = "manifest.webmanifest"
"""What tells a browser how to install the page; by this name whatever it says."""


def _manifest(ground: str) -> bytes:
    """The manifest; its addresses are relative to its own."""
    icons = [
        {"src": ICON, "type": "image/svg+xml", "sizes": "any", "purpose": "any"},
        *(
            {
                "src": name,
                "type": "image/png",
                "sizes": f"{size.removeprefix('maskable-')}x{size.removeprefix('maskable-')}",
                "purpose": "maskable" if size.startswith("maskable") else "any",
            }
            for size, (name, _) in _IMAGES.items()
        ),
    ]
    said = {
        "name": "Market Pulse",
        "short_name": "Pulse",
        "description": "What is moving right now, what is unusually volatile, what moves together",
        "start_url": "../",
        "scope": "../",
        "display": "standalone",
        "background_color": ground,
        "theme_color": ground,
        "icons": icons,
    }
    return json.dumps(said).encode()


def assets(script: str, ground: str) -> Mapping[str, Asset]:
    """Each file by its name; ``ground`` is the colour behind an installed page as it opens."""
    return {
        _board(script): Asset("text/javascript", script.encode()),
        ICON: Asset("image/svg+xml", _VECTOR[1]),
        **{name: Asset("image/png", body) for name, body in _IMAGES.values()},
        MANIFEST: Asset("application/manifest+json", _manifest(ground)),
    }


def script_address(script: str) -> str:
    """Where the page's script is found, relative to the page."""
    return f"./{FOLDER}/{_board(script)}"


def loader(script: str) -> str:
    """A script that fetches the page's and hands on to it."""
    found = f"new URL({json.dumps(script_address(script))}, document.baseURI)"
    return (
        "export default async function load(component) {\n"
        f"  const script = await import({found});\n"
        "  return script.default(component);\n"
        "}\n"
    )


_SERVED: Final = "the page's assets are served"


def serve_assets() -> None:
    """Say that this process serves the assets below ``FOLDER``."""
    once_per_process(_SERVED, lambda: True)


def are_served() -> bool:
    """Whether this process serves them."""
    return kept(_SERVED) is not None
