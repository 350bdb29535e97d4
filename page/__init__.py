"""Page: the drawn part of the dashboard, one component of Streamlit's with its script and style.

Two elements: ``board`` is drawn once and holds all that is seen; ``pipe`` is what refreshes, and
carries one payload to the board and the viewer's choices back. So a refresh sends numbers alone,
and what the viewer has scrolled, opened or focused stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

from page.scripts import joined

__all__ = ["CONTROLS", "SCRIPT", "SCRIPTS", "STYLES", "away", "board", "pipe"]

_HERE: Final = Path(__file__).parent


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


SCRIPTS: Final = (
    "elements.js",
    "clock.js",
    "address.js",
    "first_visit.js",
    "merge.js",
    "chart.js",
    "cells.js",
    "headline.js",
    "pulse.js",
    "stress.js",
    "correlations.js",
    "symbol.js",
    "status.js",
    "alerts.js",
    "rewind.js",
    "teller.js",
    "board.js",
)
"""The board's modules in the order in which they run: each may import from those before it."""

STYLES: Final = (
    "tokens.css",
    "board.css",
    "status.css",
    "alerts.css",
    "rewind.css",
    "pulse.css",
    "stress.css",
    "correlations.css",
    "symbol.css",
    "teller.css",
    "forced.css",
)
"""The style sheets, the frame's first; those of the cards touch only what is theirs."""

CONTROLS: Final = _HERE / "controls.css"
"""The style of what lies outside the board: Streamlit's own controls."""

SCRIPT: Final = joined({name: _text(name) for name in SCRIPTS})
"""All of them in one, as Streamlit takes it."""

board: Final = st.components.v2.component(
    "market_pulse_board",
    html='<div class="market-pulse"></div>',
    css="\n".join(map(_text, STYLES)),
    js=SCRIPT,
)
away: Final = st.components.v2.component("market_pulse_away", js=_text("away.js"))
pipe: Final = st.components.v2.component("market_pulse_pipe", js=_text("pipe.js"))
