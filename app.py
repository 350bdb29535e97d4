"""The Streamlit page: reads the worker's shared state every two seconds and renders it.

Streamlit runs this script once per tab and interaction, and the fragment below once per refresh.
Nothing is computed or waited for here: the controls are Streamlit's, what they choose is put
together by ``board``, and ``page`` draws it.
"""

from __future__ import annotations

import io
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import streamlit as st

import page
import worker
from engine.ranking import RANKS
from history import export
from history.archive import Archive
from page import payload as board
from page import view
from page.tabs import open_tabs
from page.view import View
from settings import MarketPulseError, load
from ticks import ASSETS

EXPORT_SEC: Final = {"last hour": 3600, "last day": 86_400, "last week": 604_800}
EXPORT_ALL: Final = "everything"
EXPORT_OWN: Final = "from – to"

README: Final = Path(__file__).parent / "README.md"

LOGO: Final = Path(__file__).parent / "page" / "logo.svg"

LET_GO: Final = "The moment that was shown is not kept any more: live again."
THAWED: Final = "The page was frozen for an hour: live again."


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


def choose_span(kept: tuple[int, int]) -> tuple[float, float]:
    """The begin and the end of what is to be exported, of all that is kept."""
    begin, end = kept
    span = st.selectbox("Span", [*EXPORT_SEC, EXPORT_ALL, EXPORT_OWN], key="export_span")
    if span in EXPORT_SEC:
        return end - EXPORT_SEC[span], end
    if span == EXPORT_ALL:
        return kept
    hour = datetime.fromtimestamp(end - 3600, UTC), datetime.fromtimestamp(end, UTC)
    labels = ("From (UTC)", "To (UTC)")
    chosen = [
        st.datetime_input(label, at.replace(tzinfo=None), key=f"export_{label}", step=60)
        for label, at in zip(labels, hour, strict=True)
    ]
    first, last = (at.replace(tzinfo=UTC).timestamp() if at else None for at in chosen)
    return begin if first is None else first, end if last is None else last


def offer_export(archive: Archive) -> None:
    """What is to be had as a file, and the file where it is asked for and memory can hold it."""
    with st.container(horizontal=True):
        what = st.selectbox("What", export.WHATS, key="export_what", width=140)
        form = st.selectbox("Format", export.FORMS, key="export_form", width=140)
    kept = export.reach(archive, what)
    if kept is None:
        st.text(f"The archive has no {what} yet.")
        return
    begin, end = choose_span(kept)
    known = list(archive.symbols())
    chosen = st.multiselect("Symbols", known, key="export_symbols", placeholder="all")
    symbols = chosen or None
    most = export.MOST_ROWS[form]
    rows = export.count(archive, what, begin, end, symbols, most)
    if rows > most:
        st.text(f"More than {most:,} {what}, too many to download. In the project's folder:")
        st.code(
            export.command(archive, what, form, begin, end, symbols), language="sh", wrap_lines=True
        )
        return
    st.text(f"{rows:,} {what if rows != 1 else what.removesuffix('s')}")
    # The file is in memory for as long as its button is there. Deferred until the click it would
    # not block this tab meanwhile, but any two refreshes of other tabs then take it away.
    if st.button("Prepare the file", disabled=not rows, key="export_prepare"):
        file = io.BytesIO()
        export.write(archive, what, form, file, begin, end, symbols)
        st.download_button(
            f"Download {max(1, file.tell() // 1000):,} kB",
            file,
            export.file_name(what, form, begin, end),
            export.MIME[form],
            on_click="ignore",
            type="primary",
        )


@st.fragment
def draw_export() -> None:
    """The archive as a file, or why there is none."""
    archive = running().archive
    if archive is None:
        st.text("Nothing is archived here, as in a replay or where the settings say off.")
        return
    try:
        offer_export(archive)
    except MarketPulseError as error:
        st.text(f"The archive cannot be exported: {error}")


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
        with st.popover(
            ":material/download:", help="Export the archive", key="export", on_change="rerun"
        ) as popover:
            if popover.open:
                draw_export()
    return replace(
        asked,
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


def let_go(note: str) -> None:
    """Be live again, and say why."""
    state = st.session_state
    is_frozen = state.view.freeze
    state.view = replace(state.view, at=None)
    state.notes = [note]
    if is_frozen:
        state.thaws = True
        st.rerun()


def note_tab(tab: str) -> float:
    """Note that a tab refreshes; after how many seconds it is to do so again."""
    return open_tabs().seen(tab, time.monotonic())


def refresh() -> None:
    """Everything that changes by itself: one payload for the board."""
    state = st.session_state
    engine = running()
    if note_tab(state.tab) != state.refresh_sec:
        st.rerun()
    oldest, newest = engine.reach()
    # Before there is anything, no moment can be held or missed.
    at = state.view.at
    if not engine.has_prices():
        at = None
    elif state.view.freeze:
        at, since = state.setdefault("frozen", (newest if at is None else at, newest))
        if newest - since > worker.REWIND_SEC:
            let_go(THAWED)
    if at is not None and at < oldest - worker.GRACE_SEC:
        let_go(LET_GO)
        at = None
    write_address(state.view)
    choices = state.get("pulse", {}).get("choices") or {}
    payload = board.payload(
        engine,
        state.view,
        open_tabs(),
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
        asked = replace(asked, at=None)
        notes.append("The link's moment is yet to come: live instead.")
    # Kept at once: Streamlit takes what is impossible out of the address and begins anew.
    state.setdefault("notes", notes)
    before: View | None = state.get("view")
    if before:
        # What the board chose is known better than the address, which follows.
        asked = replace(asked, **{name: getattr(before, name) for name in view.BOARD})
    state.view = asked if asked.kiosk else draw_controls(asked, symbols)
    if not state.view.freeze:
        state.pop("frozen", None)
    if before and state.view != before and not thaws:
        state.notes = []
    state.setdefault("tab", uuid.uuid4().hex)
    state.refresh_sec = note_tab(state.tab)
    page.board(key="board")
    st.fragment(refresh, run_every=state.refresh_sec)()


st.set_page_config(page_title="Market Pulse", page_icon="📈", layout="wide")
st.logo(LOGO, size="large")
draw()
