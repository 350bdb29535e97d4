"""The Streamlit page: its controls, and the fragment that asks for a payload every two seconds.

Streamlit runs this script once per tab and interaction, and the fragment once per refresh. Nothing
is computed or waited for here: the controls are Streamlit's, ``Visit`` keeps what they choose,
``payload`` puts together what it shows, and the package ``page`` draws that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import streamlit as st

import page
import worker
from history import export
from page.asks import answered, asks_in
from page.deltas import Sent, next_message
from page.payload import payload
from page.tabs import has_room, open_tabs
from page.turns import FILES, export_turns
from page.view import (
    ASSETS,
    BARS,
    BOARD,
    COLOURS,
    DEFAULT_ROWS,
    LISTS,
    RANKS,
    WIDGETS,
    View,
    read,
    shown_name,
    written,
)
from page.visit import Visit
from settings import load
from ticks import Asset, MarketPulseError, legible

EXPORT_SEC: Final = {"last hour": 3600, "last day": 86_400, "last week": 604_800}
EXPORT_ALL: Final = "everything"
EXPORT_OWN: Final = "from – to"
EXPORT_WAIT_SEC: Final = 2
"""How often a tab that waits for its file looks whether it is its turn."""
EXPORT_KEPT_SEC: Final = 60
"""How long a file can be downloaded."""
EXPORT_TAKEN_SEC: Final = 10
"""How long it is there once its download began."""

MOST_TOLD: Final = 1000
"""How many characters of an error are shown."""

README: Final = Path(__file__).parent / "README.md"

LOGO: Final = Path(__file__).parent / "page" / "logo.svg"


def told(error: MarketPulseError) -> str:
    """What an error says; it may repeat what somebody else wrote, such as the name of a file."""
    return legible(str(error), MOST_TOLD)


def running() -> worker.Worker:
    """The process's worker; if it cannot start, the page says why and the script ends."""
    try:
        return worker.shared(load)
    except MarketPulseError as error:
        st.error("Market Pulse cannot start.")
        st.text(told(error))
        st.stop()


def turn_away() -> None:
    """Say that there are too many viewers, and keep nothing of this one but the socket."""
    st.error("Too many viewers.")
    st.text(
        "This computer lets Market Pulse open too few files for another tab. "
        "It is tried again every half minute."
    )
    page.away(key="away")
    # The session's own: three files, which Streamlit makes again should this page be run again.
    asyncio.get_event_loop().close()
    st.stop()


@st.dialog("What the numbers mean", width="large")
def explain() -> None:
    """The README's own words, formulas and units."""
    text = README.read_text("utf-8")
    st.markdown(text.partition("## What each card shows")[2].partition("\n## ")[0])


def viewer_zone(view: View) -> ZoneInfo:
    """The zone of the page's times: the link's, else the browser's, UTC if that is not known."""
    try:
        return export.zone_named(view.tz or st.context.timezone or "UTC")
    except ValueError:
        return ZoneInfo("UTC")


def choose_span(kept: tuple[int, int], zone: ZoneInfo) -> tuple[str, float, float]:
    """What was chosen to be exported of all that is kept, its beginning and its end."""
    begin, end = kept
    span = st.selectbox("Span", [*EXPORT_SEC, EXPORT_ALL, EXPORT_OWN], key="export_span")
    if span in EXPORT_SEC:
        return span, end - EXPORT_SEC[span], end
    if span == EXPORT_ALL:
        return span, *kept
    hour = datetime.fromtimestamp(end - 3600, zone), datetime.fromtimestamp(end, zone)
    labels = (f"From ({zone})", f"To ({zone})")
    chosen = [
        st.datetime_input(label, at.replace(tzinfo=None), key=f"export_{label}", step=60)
        for label, at in zip(labels, hour, strict=True)
    ]
    first, last = (at.replace(tzinfo=zone).timestamp() if at else None for at in chosen)
    own = f"{chosen[0]} {chosen[1]}"
    return own, begin if first is None else first, end if last is None else last


class Order(NamedTuple):
    """What was chosen to be exported."""

    what: export.What
    form: export.Form
    symbols: tuple[str, ...]
    zone: ZoneInfo
    span: str
    begin: float
    end: float

    @property
    def choice(self) -> tuple[Any, ...]:
        """The same, whenever it was chosen: the last hour is another one in each second."""
        return self[:-2]


def choose_export(archive: export.Archive, zone: ZoneInfo) -> Order | None:
    """What to export; None if there is nothing."""
    with st.container(horizontal=True):
        what = st.selectbox("What", export.WHATS, key="export_what", width=140)
        form = st.selectbox(
            "Format",
            export.FORMS,
            key="export_form",
            width=140,
            help="xlsx is for spreadsheets: its times are this page's, in the others they are UTC",
        )
    kept = export.whole_span(archive, what)
    if kept is None:
        st.text(f"The archive has no {what} yet.")
        return None
    span, begin, end = choose_span(kept, zone)
    known = list(archive.symbols())
    chosen = st.multiselect(
        "Symbols", known, key="export_symbols", format_func=shown_name, placeholder="all"
    )
    return Order(what, form, tuple(chosen), zone, span, begin, end)


def offer_export(zone: ZoneInfo) -> None:
    """What can be exported, and the file once it is asked for and if memory can hold it."""
    state = st.session_state
    archive = running().archive
    if archive is None:
        st.text("Nothing is archived: this is a replay, or the settings say off.")
        return
    order = choose_export(archive, zone)
    asked: Order | None = state.get("export_order")
    if asked and (order is None or asked.choice != order.choice):
        end_export()
        # Only a run of the whole script lets go of a file that was there to be downloaded.
        st.rerun()
    if order is None:
        return
    what, form, begin, end = order.what, order.form, order.begin, order.end
    symbols = order.symbols or None
    most = export.MOST_ROWS[form]
    losses = export.Losses()
    rows = export.count(archive, what, begin, end, symbols, most, losses)
    if rows > most:
        st.text(f"More than {most:,} {what}, too many to download. In the project's folder:")
        typed = export.command(archive, what, form, begin, end, symbols, order.zone)
        st.code(typed, language="sh", wrap_lines=True)
        return
    st.text(f"{rows:,} {what if rows != 1 else what.removesuffix('s')}")
    if left_out := export.left_out_text(what, losses.left_out):
        st.text(f"{left_out[0].upper()}{left_out[1:]}.")
    if st.button("Prepare the file", disabled=not rows, key="export_prepare"):
        end_export()
        state.export_order = order
    if note := state.get("export_note"):
        st.text(note)
    if "export_order" in state:
        st.fragment(hand_out, run_every=EXPORT_WAIT_SEC)(archive, state.export_order)


def hand_out(archive: export.Archive, order: Order) -> None:
    """The file that was asked for, when it is this tab's turn and as long as that lasts.

    A file is in memory for as long as its button is there. Deferred until the click it would not
    block this tab meanwhile, but any two refreshes of other tabs then take it away.
    """
    state = st.session_state
    turns = export_turns()
    # Anybody may have Streamlit clear its caches, and with them what was asked for.
    if "export_order" not in state:
        st.rerun()
    if "export_file" in state:
        if not turns.has_turn(state.tab, time.monotonic()):
            end_export("The file was let go, for others to have theirs: prepare it again.")
            st.rerun()
    elif place := turns.ask(state.tab, time.monotonic()):
        st.text(f"{FILES + place - 1} exports come first: this one starts by itself.")
        return
    else:
        what, form, symbols, zone, _, begin, end = order
        try:
            state.export_file = export.contents(
                archive, what, form, begin, end, symbols or None, zone
            )
        except MarketPulseError as error:
            end_export(f"The archive cannot be exported: {told(error)}")
            st.rerun()
        turns.hold(state.tab, time.monotonic() + EXPORT_KEPT_SEC)
    st.download_button(
        f"Download {max(1, len(state.export_file) // 1000):,} kB",
        state.export_file,
        export.file_name(order.what, order.form, order.begin, order.end),
        export.MIME[order.form],
        on_click=lambda: turns.hold(state.tab, time.monotonic() + EXPORT_TAKEN_SEC),
        key="export_download",
        type="primary",
    )


def end_export(note: str = "") -> None:
    """Let the file of this tab go, or its turn; ``note`` says why, if the viewer has not."""
    state = st.session_state
    if "export_order" in state:
        export_turns().end(state.tab)
    for name in ("export_order", "export_file", "export_note"):
        state.pop(name, None)
    if note:
        state.export_note = note


@st.fragment
def draw_export(zone: ZoneInfo) -> None:
    """The archive as a file, or why there is none; times are in ``zone``."""
    try:
        offer_export(zone)
    except MarketPulseError as error:
        st.text(f"The archive cannot be exported: {told(error)}")


def compared_first() -> tuple[Asset, ...]:
    """The asset classes to compare with before any is chosen."""
    return ("stocks",) if running().reader.symbols(("stocks",)) else ASSETS


def draw_controls(view: View, symbols: list[str]) -> View:
    """Draw the controls, each kept in the address by its key; return the view they make."""
    # The keyword arguments of any of Streamlit's widgets.
    kept: dict[str, Any] = {"bind": "query-params"}
    most = max(1, len(symbols))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        rank = st.selectbox("Rank by", list(RANKS), key="rank", width=112, **kept)
        lists = st.selectbox("Lists", LISTS, key="lists", width=104, **kept)
        rows = st.number_input(
            "Top movers", 1, most, min(DEFAULT_ROWS, most), key="rows", width=108, **kept
        )
        base = st.selectbox(
            "Correlation base", symbols, key="base", format_func=shown_name, width=124, **kept
        )
        bars = st.selectbox("Bars", BARS, key="bars", width=86, **kept)
        colours = st.selectbox("Colours", COLOURS, key="colours", width=108, **kept)
        correlate = st.segmented_control(
            "Correlate with",
            ASSETS,
            selection_mode="multi",
            default=compared_first(),
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
                draw_export(viewer_zone(view))
            else:
                end_export()
    return replace(
        view,
        rank=rank,
        lists=lists,
        rows=rows,
        base=base or "",
        bars=bars,
        correlate=tuple(correlate) or ASSETS,
        colours=colours,
        freeze=freeze,
    )


def in_widgets() -> dict[str, Any]:
    """What is chosen in the widgets, by name."""
    return {name: st.session_state.get(name) for name in WIDGETS}


def take_choices(visit: Visit) -> Visit:
    """The visit with what the viewer chose on the board, if it has not taken that yet."""
    state = st.session_state
    choices = state.pulse.choices if "pulse" in state else None
    if not isinstance(choices, dict) or choices == visit.taken:
        return visit
    return visit.with_board(choices, running().reader.symbols(ASSETS))


def take_asks(visit: Visit) -> Visit:
    """The visit after what the viewer asked of the alerts was done, with what was answered."""
    state = st.session_state
    sent = state.pulse.get("asks") if "pulse" in state else None
    asks, done = asks_in(sent, visit.asked)
    if not asks:
        return replace(visit, asked=done)
    desk, zone = running().desk, viewer_zone(visit.view)
    answers = [answered(desk, ask, time.time(), zone) for ask in asks]
    return replace(visit, asked=done, answer=sum(answers, ()))


def write_address(view: View) -> None:
    """Put what is chosen on the board into the page's address; the widgets put in their own.

    The viewer's next choice may interrupt this: what was not written then is written next time.
    Streamlit sends the whole address as the browser knew it when the run began; what a widget has
    put into it since is written over.
    """
    texts = written(view)
    for name in BOARD:
        if name in texts:
            if st.query_params.get_all(name) != texts[name]:
                st.query_params[name] = texts[name]
        elif name in st.query_params:
            del st.query_params[name]


def look_at_address(view: View) -> bool:
    """Look whether the address says something else than the widgets, at each state of both once.

    Once, lest a value that only Streamlit reads otherwise be written for ever.
    """
    state = st.session_state
    said = {name: st.query_params.get_all(name) for name in WIDGETS}
    looked_at = said, state.drawn
    if view.kiosk or state.get("looked_at") == looked_at:
        return False
    state.looked_at = looked_at
    found, _ = read(said, running().reader.symbols(ASSETS), compared_first())
    return any(getattr(found, name) != getattr(view, name) for name in WIDGETS)


def refresh(tab: str, refresh_sec: float) -> None:
    """Everything that changes by itself: one payload for the board of ``tab``."""
    state = st.session_state
    engine = running()
    reader = engine.reader
    visit: Visit | None = state.get("visit")
    # Anybody may have Streamlit clear its caches, and with them what is kept of this tab: then a
    # full run makes it again, of the address and of what the browser still holds.
    if visit is None or open_tabs().note(tab, time.monotonic()) != refresh_sec:
        st.rerun()
    # If a choice on the board and one in a widget leave the browser together, Streamlit runs this
    # fragment alone.
    if in_widgets() != state.get("drawn"):
        st.rerun()
    if look_at_address(visit.view):
        state.rewrites = True
        st.rerun()
    visit = take_asks(take_choices(visit))
    status = engine.status()
    if visit.asked or visit.wants_alerts:
        # What this viewer asks for is seen at once, and not only in the next second's status.
        status = replace(status, alerts=engine.desk.status())
    visit, at = visit.shown(*reader.span(), has_prices=reader.has_prices())
    state.visit = visit
    if visit.thaws:
        st.rerun()
    write_address(visit.view)
    shown = payload(reader, status, visit, at, open_tabs())
    wants_whole = "pulse" in state and state.pulse.get("whole")
    held: Sent | None = None if wants_whole else state.get("sent")
    message, sent = next_message(shown, held, time.time_ns() // 1000, reader.once)
    page.pipe(
        key="pulse",
        data=message,
        on_choices_change=lambda: None,
        on_asks_change=lambda: None,
        on_wake_change=lambda: None,
        on_whole_change=lambda: None,
    )
    state.sent = sent


def draw() -> None:
    """The controls, the board, and the fragment that feeds it."""
    state = st.session_state
    engine = running()
    if "tab" not in state and not has_room():
        turn_away()
    reader = engine.reader
    symbols = reader.symbols(ASSETS)
    visit: Visit | None = state.get("visit")
    if visit is None:
        params = {name: st.query_params.get_all(name) for name in st.query_params}
        # Kept before a control is drawn: Streamlit takes what is impossible out of the address and
        # begins again.
        state.visit = visit = Visit.from_address(
            params, symbols, reader.span()[1], compared_first()
        )
    if visit.thaws:
        state.freeze = False
    if state.pop("rewrites", False):
        # Streamlit writes the address of what it is told, though it knows it already.
        for name in WIDGETS:
            state[name] = state[name]
    view = visit.view if visit.view.kiosk else draw_controls(visit.view, symbols)
    state.visit, state.drawn = visit.with_controls(view), in_widgets()
    tab = state.setdefault("tab", uuid.uuid4().hex)
    refresh_sec = open_tabs().note(tab, time.monotonic())
    page.board(key="board", on_again_change=lambda: None)
    st.fragment(refresh, run_every=refresh_sec)(tab, refresh_sec)


st.set_page_config(page_title="Market Pulse", page_icon="📈", layout="wide")
st.logo(LOGO, size="large")
st.html(page.CONTROLS)
draw()
