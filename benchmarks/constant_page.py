"""The page that a refresh is compared with: the elements of another page, with constant data.

``streamlit run`` runs it as ``app.py`` in a folder with what was captured from the real page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import streamlit as st

REFRESH_SEC = 2


class Component(msgspec.Struct):
    """One mounted component, as it went to the browser."""

    html: str
    css: str
    js: str
    payload: bytes | None


class Captured(msgspec.Struct):
    """What a page drew: its number of widgets, what stays, and what each refresh draws."""

    widgets: int
    still: list[Component]
    refreshed: list[Component]


def mounts(components: list[Component], name: str) -> list[Callable[[], object]]:
    """What draws each of them."""
    renderers = [
        st.components.v2.component(
            f"{name}_{i}", html=made.html or None, css=made.css or None, js=made.js or None
        )
        for i, made in enumerate(components)
    ]
    return [
        partial(render, key=f"{name}_{i}", data=made.payload, on_choices_change=lambda: None)
        for i, (render, made) in enumerate(zip(renderers, components, strict=True))
    ]


def main() -> None:
    """Draw what stays, then what refreshes."""
    captured = msgspec.json.decode(Path("captured.json").read_bytes(), type=Captured)
    still, refreshed = mounts(captured.still, "still"), mounts(captured.refreshed, "refreshed")

    def refresh() -> None:
        for mount in refreshed:
            mount()

    st.set_page_config(layout="wide")
    for i in range(captured.widgets):
        st.toggle(f"Widget {i}")
    for mount in still:
        mount()
    st.fragment(refresh, run_every=REFRESH_SEC)()


if __name__ == "__main__":
    main()
