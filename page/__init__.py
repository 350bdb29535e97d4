"""Page: the drawn part of the dashboard, one component of Streamlit's with its script and style.

``board`` is drawn once and holds all that is seen; ``menu`` is the place among Streamlit's controls
in which the board's own switches stand; ``pipe`` is what refreshes, and carries one message to the
board and the viewer's choices back. So a refresh sends what changed alone, and what the viewer has
scrolled, opened or focused stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import streamlit as st

from page.assets import are_served, loader, with_style
from page.scripts import joined

__all__ = ["CONTROLS", "ICON", "SCRIPT", "SCRIPTS", "STYLES", "away", "board", "menu", "pipe"]

_HERE: Final = Path(__file__).parent


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


SCRIPTS: Final = (
    "settling.js",
    "elements.js",
    "clock.js",
    "address.js",
    "merge.js",
    "scale.js",
    "pointing.js",
    "cells.js",
    "hold.js",
    "in_sight.js",
    "looks.js",
    "tips.js",
    "usual.js",
    "table.js",
    "treemap.js",
    "tiles.js",
    "remembered.js",
    "presence.js",
    "ticker.js",
    "badge.js",
    "missed.js",
    "pulse.js",
    "panels.js",
    "status.js",
    "headline.js",
    "event_row.js",
    "stress.js",
    "correlations.js",
    "chart.js",
    "sheet_tools.js",
    "sheet_watching.js",
    "symbol.js",
    "chrome.js",
    "alerts.js",
    "hour_plot.js",
    "player.js",
    "hour.js",
    "teller.js",
    "catching_up.js",
    "awake.js",
    "frame.js",
    "streamlits.js",
    "lost.js",
    "commands.js",
    "offers.js",
    "palette.js",
    "asked.js",
    "board.js",
    "entry.js",
)
"""The board's modules in the order in which they run: each may import from those before it."""

STYLES: Final = (
    "tokens.css",
    "board.css",
    "chrome.css",
    "panels.css",
    "status.css",
    "alerts.css",
    "headline.css",
    "hour.css",
    "pulse.css",
    "cells.css",
    "table.css",
    "usual.css",
    "tiles.css",
    "stress.css",
    "correlations.css",
    "symbol.css",
    "teller.css",
    "palette.css",
    "forced.css",
)
"""The style sheets, the frame's first; those of the cards touch only what is theirs."""

CONTROLS: Final = _HERE / "controls.css"
"""The style of what lies outside the board: Streamlit's own controls."""

ICON: Final = _HERE / "icons" / "icon.svg"

SCRIPT: Final = joined(
    with_style({name: _text(name) for name in SCRIPTS}, [_text(name) for name in STYLES])
)
"""All of them in one, as Streamlit takes it."""

_HTML: Final = '<div class="market-pulse"></div>'
_sent_board: Final = st.components.v2.component("market_pulse_board", html=_HTML, js=SCRIPT)
_fetched_board: Final = st.components.v2.component(
    "market_pulse_fetched_board", html=_HTML, js=loader(SCRIPT)
)
away: Final = st.components.v2.component("market_pulse_away", js=_text("away.js"))
menu: Final = st.components.v2.component(
    "market_pulse_menu", html='<div class="market-pulse-menu"></div>', js=_text("menu.js")
)
pipe: Final = st.components.v2.component("market_pulse_pipe", js=_text("pipe.js"))


def board(
    key: str, on_again_change: Callable[[], None], on_help_change: Callable[[], None]
) -> bool:
    """The board, and whether its viewer has just asked it for help.

    Its script is sent along unless this process serves it to be fetched.
    """
    mount = _fetched_board if are_served() else _sent_board
    result = mount(key=key, on_again_change=on_again_change, on_help_change=on_help_change)
    return bool(result.help)
