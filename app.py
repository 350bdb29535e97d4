"""The Streamlit page: reads the worker's shared state every two seconds and renders it.

Streamlit runs this script once per tab and interaction, and the fragment below once per refresh.
Nothing is computed or waited for here: the controls are Streamlit's, what they choose is put
together by ``board``, and ``page`` draws it.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Final

import streamlit as st

import board
import page
import view
import worker
from ranking import RANKS
from settings import MarketPulseError, load
from ticks import ASSETS
from view import View

README: Final = Path(__file__).parent / "README.md"

LOGO: Final = Path(__file__).parent / "page" / "logo.svg"

LET_GO: Final = "The moment that was shown has left the hour in memory: live again."


def running() -> worker.Worker:
    """The process's worker; where it cannot start, says why and ends the script."""
    try:
        return worker.shared(load)
    except MarketPulseError as error:
        st.error("Market Pulse cannot start.")
        st.text(str(error))
        st.stop()


@st.dialog("What the numbers mean", width="large")
def explain() -> None:
    """The README's own words, formulas and units."""
    text = README.read_text("utf-8")
    st.markdown(text.partition("## What each card shows")[2].partition("\n## ")[0])


def draw_controls(asked: View, symbols: list[str]) -> View:
    """The controls; what they choose, each kept in the page's address by its key."""
    kept: dict[str, Any] = {"bind": "query-params"}
    most = max(1, len(symbols))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        rank = st.selectbox("Rank by", list(RANKS), key="rank", width=112, **kept)
        lists = st.selectbox("Lists", view.LISTS, key="lists", width=104, **kept)
        rows = st.number_input(
            "Top movers", 1, most, min(view.DEFAULT_ROWS, most), key="rows", width=108, **kept
        )
        base = st.selectbox("Correlation base", symbols, key="base", width=124, **kept)
        bars = st.selectbox("Bars", view.BARS, key="bars", width=86, **kept)
        colours = st.selectbox("Colours", view.COLOURS, key="colours", width=108, **kept)
        correlate = st.segmented_control(
            "Correlate with",
            ASSETS,
            selection_mode="multi",
            default=["stocks"],
            key="correlate",
            **kept,
        )
        freeze = st.toggle("Freeze", key="freeze", **kept)
        if st.button(":material/help:", help="What the numbers mean, and how they are computed"):
            explain()
    return asked._replace(
        rank=rank,
        lists=lists,
        rows=rows,
        base=base or "",
        bars=bars,
        correlate=tuple(correlate) or ASSETS,
        colours=colours,
        freeze=freeze,
    )


def take_choices() -> None:
    """What the viewer chose on the board, kept for this session and in the page's address."""
    state = st.session_state
    state.view = view.chosen(state.view, state.pulse.choices, running().symbols(ASSETS))
    state.notes = []


def write_address(shown: View) -> None:
    """Put what is chosen on the board into the page's address; the widgets put in their own.

    Any of these may be interrupted by the viewer's next choice: what was not written is next time.
    """
    texts = view.written(shown)
    for name in view.BOARD:
        if name in texts:
            if st.query_params.get_all(name) != texts[name]:
                st.query_params[name] = texts[name]
        elif name in st.query_params:
            del st.query_params[name]


def let_go() -> None:
    """Be live again where the moment that was shown is no longer in memory."""
    state = st.session_state
    is_frozen = state.view.freeze
    state.view = state.view._replace(at=None)
    state.notes = [LET_GO]
    if is_frozen:
        state.thaws = True
        st.rerun()


def refresh() -> None:
    """Everything that changes by itself: one payload for the board."""
    state = st.session_state
    engine = running()
    if engine.seen(state.tab) != state.refresh_sec:
        st.rerun()
    oldest, newest = engine.reach()
    # Before there is anything, no moment can be held or missed.
    at = state.view.at
    if not engine.has_prices():
        at = None
    elif state.view.freeze:
        at = state.setdefault("frozen_at", newest if at is None else at)
    if at is not None and at < oldest - worker.GRACE_SEC:
        let_go()
        at = None
    write_address(state.view)
    choices = state.get("pulse", {}).get("choices") or {}
    payload = board.payload(
        engine,
        state.view,
        at=at,
        notes=state.notes,
        details=bool(choices.get("details")),
    )
    page.pipe(
        key="pulse",
        data=payload,
        on_choices_change=take_choices,
        on_wake_change=lambda: None,
    )


def draw() -> None:
    """The controls, the board, and the fragment that feeds it."""
    state = st.session_state
    engine = running()
    symbols = engine.symbols(ASSETS)
    thaws = state.pop("thaws", False)
    if thaws:
        state.freeze = False
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    asked, notes = view.read(params, symbols)
    _, newest = engine.reach()
    if asked.at is not None and asked.at > newest:
        asked = asked._replace(at=None)
        notes.append("The link's moment is yet to come: live instead.")
    # Kept at once: Streamlit takes what is impossible out of the address and begins anew.
    state.setdefault("notes", notes)
    before: View | None = state.get("view")
    if before:
        # What the board chose is known better than the address, which follows.
        asked = asked._replace(**{name: getattr(before, name) for name in view.BOARD})
    state.view = asked if asked.kiosk else draw_controls(asked, symbols)
    if not state.view.freeze:
        state.pop("frozen_at", None)
    if before and state.view != before and not thaws:
        state.notes = []
    state.setdefault("tab", uuid.uuid4().hex)
    state.refresh_sec = engine.seen(state.tab)
    page.board(key="board")
    st.fragment(refresh, run_every=state.refresh_sec)()


st.set_page_config(page_title="Market Pulse", page_icon="📈", layout="wide")
st.logo(LOGO, size="large")
draw()
