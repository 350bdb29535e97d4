"""Page: the drawn part of the dashboard, one component of Streamlit's with its script and style.

Two elements: ``board`` is drawn once and holds all that is seen; ``pipe`` is what refreshes, and
carries one payload to the board and the viewer's choices back. So a refresh sends numbers alone,
and what the viewer has scrolled, opened or focused stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import streamlit as st

__all__ = ["board", "pipe"]

_HERE: Final = Path(__file__).parent


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


# Streamlit takes one script: the parts share its scope, and the last says what it exports.
_SCRIPTS: Final = ("elements.js", "clock.js", "teller.js", "chart.js", "first_visit.js", "board.js")

board: Final = st.components.v2.component(
    "market_pulse_board",
    html='<div class="market-pulse"></div>',
    css=_text("board.css"),
    js="\n".join(map(_text, _SCRIPTS)),
)
pipe: Final = st.components.v2.component("market_pulse_pipe", js=_text("pipe.js"))
