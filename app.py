"""The Streamlit page: its controls, and the fragment that asks for a payload every two seconds.

Streamlit runs this script once per tab and interaction, and the fragment once per refresh. Nothing
is computed or waited for here: the controls are Streamlit's, ``Visit`` keeps what they choose,
``payload`` puts together what it shows, and the package ``page`` draws that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import streamlit as st

import page
import worker
from history import export
from page.among import where_text
from page.asks import Ask, answered, asked, asks_in
from page.deltas import Sent, next_message
from page.payload import payload
from page.tabs import has_room, open_tabs
from page.turns import FILES, export_turns
from page.view import (
    ASSETS,
    BARS,
    COLOURS,
    LISTS,
    RANKS,
    WIDGETS,
    View,
    shown_name,
)
from page.visit import Visit
from page.watching import WatchAsk, watch_answered
from page.words import Words
from settings import Settings, load
from settings.start import start_lines
from ticks import Asset, MarketPulseError, legible

EXPORT_SEC: Final = {"last hour": 3600, "last day": 86_400, "last week": 604_800}
EXPORT_ALL: Final = "everything"
EXPORT_OWN: Final = "from – to"
EXPORT_WAIT_SEC: Final = 2
"""How often a tab that waits for its file looks whether it is its turn."""
EXPORT_LOST_SEC: Final = 3 * EXPORT_WAIT_SEC
"""If it has not looked for so long, nobody told it to."""
EXPORT_KEPT_SEC: Final = 60
"""How long a file can be downloaded."""
EXPORT_TAKEN_SEC: Final = 10
"""How long it is there once its download began."""

MOST_TOLD: Final = 1000
"""How many characters of an error are shown."""

HALF_PX: Final = 150
"""How wide a control is that stands beside another."""

README: Final = Path(__file__).parent / "README.md"
PICTURE: Final = Path(__file__).parent / "page" / "help.svg"
"""A row and the line of the hour, with words to their parts; its colours are to be filled in."""
HOW_TO_READ: Final = (
    "Each row is a symbol: its price, and its largest move of the last minutes beside what is usual"
    " for it, 1 σ. Grey is usual, and the stronger the colour the rarer the move; what moved most"
    " stands first. The line above shows how much stress the last hour had: drag it to see that"
    " second again, and click a row for its chart."
)


def told(error: MarketPulseError) -> str:
    """What an error says; it may repeat what somebody else wrote, such as the name of a file."""
    return legible(str(error), MOST_TOLD)


def load_and_tell() -> Settings:
    """The settings of a worker that is about to begin; the terminal is told what they say."""
    settings = load()
    if not st.get_option("logger.hideWelcomeMessage"):
        print("", *(f"  {line}" for line in start_lines(settings)), "", sep="\n")  # noqa: T201
    return settings


def running() -> worker.Worker:
    """The process's worker; if it cannot start, the page says why and the script ends."""
    try:
        return worker.shared(load_and_tell)
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


def picture(theme: str) -> str:
    """The picture of how to read a row, in the colours of a theme."""
    names = {"muted": "textColor", "down": "redTextColor"}
    colours = {name: st.get_option(f"theme.{theme}.{option}") for name, option in names.items()}
    return Template(PICTURE.read_text("utf-8")).substitute(colours)


@st.dialog("What the numbers mean", width="large")
def explain() -> None:
    """How to read the page, then the README's own words, formulas and units."""
    st.markdown(HOW_TO_READ)
    st.image(picture(st.context.theme.type or "dark"), width="stretch")
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
        state.export_order, state.export_made = order, Made()
    if note := state.get("export_note"):
        st.text(note)
    if "export_order" in state:
        st.fragment(hand_out, run_every=EXPORT_WAIT_SEC)(archive, state.export_order)


@dataclass(slots=True)
class Made:
    """The file that a tab asked for, once it is made."""

    file: bytes | None = None


def hand_out(archive: export.Archive, order: Order) -> None:
    """The file that was asked for, when it is this tab's turn and as long as that lasts.

    A file is in memory for as long as its button is there. Deferred until the click it would not
    block this tab meanwhile, but any two refreshes of other tabs then take it away.
    """
    state = st.session_state
    state.export_looked_at = time.monotonic()
    turns = export_turns()
    # Anybody may have Streamlit clear its caches, and with them what was asked for.
    if "export_order" not in state or "export_made" not in state:
        st.rerun()
    made: Made = state.export_made
    if made.file is not None:
        if not turns.has_turn(state.tab, time.monotonic()):
            end_export("The file was let go, for others to have theirs: prepare it again.")
            st.rerun()
    elif place := turns.ask(state.tab, time.monotonic()):
        st.text(f"{FILES + place - 1} exports come first: this one starts by itself.")
        return
    else:
        what, form, symbols, zone, _, begin, end = order
        try:
            # Not into the session's state: that may begin a run that waits meanwhile, and the file
            # would be lost each time.
            made.file = export.contents(archive, what, form, begin, end, symbols or None, zone)
        except MarketPulseError as error:
            end_export(f"The archive cannot be exported: {told(error)}")
            st.rerun()
        state.export_looked_at = time.monotonic()
        turns.hold(state.tab, state.export_looked_at + EXPORT_KEPT_SEC)
    st.download_button(
        f"Download {max(1, len(made.file) // 1000):,} kB",
        made.file,
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
    for name in ("export_order", "export_looked_at", "export_made", "export_note"):
        state.pop(name, None)
    if note:
        state.export_note = note


def has_lost_export() -> bool:
    """Whether this tab looks for its file no longer though it waits.

    Streamlit may lose the end of what it sends, and with it the word to look again.
    """
    looked_at: float | None = st.session_state.get("export_looked_at")
    return looked_at is not None and time.monotonic() - looked_at > EXPORT_LOST_SEC


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


def draw_controls(view: View, symbols: list[str]) -> None:
    """Draw the one place of all that is set once: a button, and while it is open what it opens."""
    with (
        st.container(key="controls"),
        st.popover(
            ":material/settings:", help="Settings", key="settings", on_change="rerun"
        ) as popover,
    ):
        if popover.open:
            draw_settings(view, symbols)
        else:
            st.session_state.drawn = {}
            end_export()


def draw_settings(view: View, symbols: list[str]) -> None:
    """Draw the board's own switches, a widget for each of ``WIDGETS``, the export and the help."""
    page.menu(key="menu")
    follow(view, len(symbols))
    st.selectbox("Rank by", list(dict.fromkeys([*RANKS, view.rank])), key="rank")
    with st.container(horizontal=True, gap="small"):
        st.selectbox("Lists", LISTS, key="lists", width=HALF_PX)
        st.number_input("Top movers", 1, max(1, len(symbols)), key="rows", width=HALF_PX)
    with st.container(horizontal=True, gap="small"):
        st.selectbox("Correlation base", symbols, key="base", format_func=shown_name, width=HALF_PX)
        st.selectbox("Bars", BARS, key="bars", width=HALF_PX)
    st.segmented_control("Correlate with", ASSETS, selection_mode="multi", key="correlate")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.selectbox("Colours", COLOURS, key="colours", width=HALF_PX)
        st.toggle("Freeze", key="freeze", help="Hold the page still; collection goes on")
    state = st.session_state
    state.drawn = {name: state[name] for name in WIDGETS}
    with st.expander("Export the archive", key="export", on_change="rerun") as expander:
        if expander.open:
            draw_export(viewer_zone(view))
        else:
            end_export()
    if st.button("What the numbers mean", icon=":material/help:", width="stretch"):
        explain()


def follow(view: View, symbols: int) -> None:
    """Have the widgets show ``view``; there are so many ``symbols``."""
    state = st.session_state
    values = {name: getattr(view, name) for name in WIDGETS}
    # Streamlit's own forms of no choice, of several, and of a number.
    values |= {
        "base": view.base or None,
        "correlate": list(view.correlate),
        "rows": min(view.rows, max(1, symbols)),
    }
    # A widget that was away shows its first value, whatever is left of it here, unless it is told.
    was_away = not state.get("drawn")
    for name, value in values.items():
        if was_away or state.get(name) != value:
            state[name] = value


def chosen_in_widgets() -> dict[str, Any]:
    """What the viewer chose in the widgets since they were drawn, by name."""
    state = st.session_state
    drawn = state.get("drawn", {})
    return {name: state[name] for name in drawn if name in state and state[name] != drawn[name]}


def with_widgets(view: View) -> View:
    """The view with what the viewer chose in a widget since these were drawn.

    Taken before any is drawn again: the choice and the closing of the settings may arrive as one.
    """
    state = st.session_state
    changed = chosen_in_widgets()
    state.drawn = {**state.get("drawn", {}), **changed}
    if "correlate" in changed:
        changed["correlate"] = tuple(changed["correlate"]) or ASSETS
    if "base" in changed:
        changed["base"] = changed["base"] or ""
    return replace(view, **changed)


def take_choices(visit: Visit) -> Visit:
    """The visit with what the viewer chose on the board, if it has not taken that yet."""
    state = st.session_state
    sent = state.pulse.get("choices") if "pulse" in state else None
    engine = running()
    groups = [group.name for group in engine.watchlist.groups()]
    # What has just been added may be opened before its row is there.
    added = (name for names in engine.watchlist.watched.values() for name in names)
    symbols = list(dict.fromkeys([*engine.reader.symbols(ASSETS), *added]))
    return visit.with_board(sent, symbols, groups)


def needs_controls(before: View, view: View) -> bool:
    """Whether a choice on the board has a control that must follow, or takes all of them away."""
    names = ("kiosk", *(WIDGETS if st.session_state.get("drawn") else ()))
    return any(getattr(before, name) != getattr(view, name) for name in names)


def take_asks(visit: Visit) -> Visit:
    """The visit after what the viewer asked for was done, with what was answered."""
    state = st.session_state
    sent = state.pulse.get("asks") if "pulse" in state else None
    asks, done = asks_in(sent, visit.asked)
    if not asks:
        return replace(visit, asked=done)
    zone = viewer_zone(visit.view)
    return replace(visit, asked=done, answer=sum((do_asked(ask, zone) for ask in asks), ()))


def do_asked(ask: Ask, zone: ZoneInfo) -> Words:
    """Do what a viewer asks for; what to answer."""
    if isinstance(ask, WatchAsk):
        engine = running()
        return watch_answered(engine.watchlist, ask, where_text(engine.status().relay))
    engine, now = running(), time.time()
    elsewhere = engine.alerts_elsewhere
    if elsewhere is None:
        return answered(engine.desk, ask, now, zone)
    return asked(engine.desk, elsewhere, ask, now, zone, where_text(engine.status().relay))


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
    if chosen_in_widgets() or ("address" in state and reader.symbols(ASSETS)):
        st.rerun()
    if has_lost_export():
        # A run that has no file to look for leaves it so, and is not asked for again.
        del state.export_looked_at
        st.rerun()
    before = visit.view
    visit = take_asks(take_choices(visit))
    if needs_controls(before, visit.view):
        state.visit = visit
        st.rerun()
    # What any viewer has changed is seen by all at once.
    status = engine.status().with_watch(engine.watchlist.status())
    if visit.asked or visit.wants_alerts:
        # What this viewer asks for is seen at once, and not only in the next second's status.
        status = status.with_alerts(engine.desk.status())
    visit, at = visit.shown(*reader.span(), has_prices=reader.has_prices())
    state.visit = visit
    if visit.thaws:
        st.rerun()
    found = () if visit.finds is None else engine.watchlist.find(visit.finds)
    unlisted = engine.watchlist.known(visit.view.symbol)
    shown = payload(reader, status, visit, at, open_tabs(), found, unlisted)
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
    engine.page_made()
    open_tabs().done(tab, time.monotonic())


def draw() -> None:
    """The controls, the board, and the fragment that feeds it."""
    state = st.session_state
    engine = running()
    if "tab" not in state and not has_room():
        turn_away()
    reader = engine.reader
    symbols = reader.symbols(ASSETS)
    visit: Visit | None = state.get("visit")
    if visit is None or (symbols and "address" in state):
        params = state.pop("address", None)
        if params is None:
            params = {name: st.query_params.get_all(name) for name in st.query_params}
        if not symbols:
            # Of what nobody has told of yet nothing can be chosen.
            state.address, params = params, {}
        groups = [group.name for group in engine.watchlist.groups()]
        opened = Visit.from_address(params, symbols, reader.span()[1], compared_first(), groups)
        # The board would choose again what it showed of a visit that was lost.
        session, taken = (uuid.uuid4().hex, 0.0) if visit is None else (visit.session, visit.taken)
        visit = replace(opened, session=session, taken=taken)
    state.visit = visit = take_choices(visit)
    state.visit = visit = visit.with_controls(with_widgets(visit.view))
    if visit.view.kiosk:
        state.drawn = {}
    else:
        draw_controls(visit.view, symbols)
    tab = state.setdefault("tab", uuid.uuid4().hex)
    refresh_sec = open_tabs().note(tab, time.monotonic())
    if page.board(key="board", on_again_change=lambda: None, on_help_change=lambda: None):
        explain()
    st.fragment(refresh, run_every=refresh_sec)(tab, refresh_sec)


st.set_page_config(page_title="Market Pulse", page_icon=page.ICON, layout="wide")
st.html(page.CONTROLS)
draw()
