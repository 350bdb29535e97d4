"""Heartbeat: what happens once a second, when a second is over.

It belongs to one thread, the worker's, which calls its methods; any other thread may read its
properties.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import pandas as pd

from correlation import twins
from engine.halts import Halts, unknown_hours
from engine.measures import Measures
from engine.pasts import add_laid, add_past
from engine.quotes import Quotes
from engine.ranking import Ranking, movers, row_states
from events import Event, EventStore, Remembered, Rule, StressDetector
from pulse_store import PulseStore, to_snapshots
from sessions import MarketHours
from sources.source import LaidPast
from ticks import ASSETS, Asset
from vendors.rest import Past

__all__ = [
    "GRACE_SEC",
    "REWIND_SEC",
    "SECOND_END",
    "Heartbeat",
    "Pulse",
    "SecondOver",
    "Subscriber",
]

REWIND_SEC: Final = 3600
"""How far back in memory a second can be shown; the store keeps an hour more behind it."""

GRACE_SEC: Final = 300
"""How much longer a second stays available that was chosen within ``REWIND_SEC``."""

SECOND_END: Final = 0.999
"""A second is shown as it was at the last instant that belongs to it."""

TWINS_SEC: Final = 60
"""How often the symbols that move alike are looked for, in seconds."""

TWINS_AMONG: Final = 300
"""They are looked for among this many symbols at most: those that have moved most."""

_SETTLE_SEC: Final = 0.25
"""Ticks of a second's end take this long to arrive; shown later, it is as it is looked back at."""

_STALL_SEC: Final = 4
"""Seconds missed by as many or fewer are shown one after the other, or waited for: a busy computer,
or prices that come later or less late than before, let no second be skipped or repeated."""


_RECENT: Final = 3
"""So many seconds are kept beside the newest: a page is made in less."""


_T = TypeVar("_T")


class Pulse(NamedTuple):
    """A complete second: its last instant, and the frame of all symbols then."""

    now: float
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True)
class SecondOver:
    """A second that is over and was searched for events."""

    second: int
    now: float
    """The last instant that belongs to it."""
    frame: pd.DataFrame | None
    """None: another second was shown meanwhile, as always in history; the store has its frame."""
    events: tuple[Event, ...]
    """Those that began in it, and earlier ones that it changed."""
    is_history: bool
    """Whether it was before anybody could have watched: restored or backfilled."""


class Subscriber(NamedTuple):
    """Who is told of every second that is over."""

    name: str
    """What the page calls it if it crashes."""
    receive: Callable[[SecondOver], None]
    """Called on the heartbeat's thread, which waits for it."""
    shown: Callable[[int], None] | None = None
    """Called likewise with a second that is shown, before it is searched."""


class Heartbeat:
    """Shows second after second and has each searched for events.

    ``streams_at`` tells whether a market streams at an instant. ``subscribers`` are called in turn
    with every second that was searched. One that raises misses that second and no other, and
    neither the heartbeat nor the other subscribers miss anything: the first of its errors in a row
    goes to ``on_crash``, with its name. ``hours`` and ``said_halted`` are those of ``Halts``.
    ``rules`` are the user's, which the ``detector`` has, too. The search of the past begins when
    the ``first_page`` was made, ``first_page_sec`` later at the latest: it takes all that there is
    of a processor, for longer than anybody waits for a page.
    """

    def __init__(
        self,
        store: PulseStore,
        events: EventStore,
        detector: StressDetector,
        streams_at: Callable[[Asset, float], bool],
        now: float,
        subscribers: Sequence[Subscriber] = (),
        on_crash: Callable[[str, Exception], None] = lambda name, error: None,
        *,
        hours: Callable[[Asset, float], MarketHours] = unknown_hours,
        said_halted: Callable[[], Mapping[str, float]] = dict,
        rules: Sequence[Rule] = (),
        first_page_sec: float = 0.0,
    ) -> None:
        self._measures = Measures(rules, store)
        self._store = store
        self._events = events
        self._detector = detector
        self._streams_at = streams_at
        self._subscribers = tuple(subscribers)
        self._on_crash = on_crash
        self._crashed: set[str] = set()
        # From the first moment on every symbol that is watched has its row.
        self._newest = Pulse(now, store.frame(0.0))
        # One object, so that other threads never see a part of it.
        self._recent: tuple[Pulse, ...] = ()
        self._has_prices = False
        self._oldest: int | None = None
        self._live_from = 0
        self._unsearched: deque[int] = deque()
        self._twins_since = -1
        self._first_page_sec = first_page_sec
        self.ranking = Ranking()
        """The calm orders of the newest seconds."""
        self.halts = Halts(store, hours, said_halted, REWIND_SEC + GRACE_SEC)
        """What was halted."""
        self.quotes = Quotes()
        """What vendors say of sessions."""
        self.ready = threading.Event()
        """Set when the first second is shown."""
        self.first_page = threading.Event()
        """Set by whoever has made a page."""

    @property
    def newest(self) -> Pulse:
        """The newest second that is shown; before there is one, every symbol without a price."""
        return self._newest

    def recent(self, now: float) -> Pulse | None:
        """One of the newest seconds as it was shown; None if ``now`` is of none of them.

        Whoever reads it twice reads the same rows, whatever is watched since.
        """
        return next((one for one in self._recent if one.now == now), None)

    @property
    def has_prices(self) -> bool:
        """Whether the newest second has any; looked for once, as every tab asks at each refresh."""
        return self._has_prices

    @property
    def oldest(self) -> int | None:
        """The first second of which anything is known; None: there is none yet."""
        return self._oldest

    @property
    def is_searching_past(self) -> bool:
        """Whether seconds of the past are still to be searched for events."""
        try:
            return self._unsearched[0] < self._live_from
        except IndexError:  # not asked first: the loop may take the last one in between
            return False

    def know_past(self, oldest: int | None, live_from: int, unsearched: Iterable[int] = ()) -> None:
        """Know of a past that the store was filled with, from ``oldest`` until ``live_from``.

        The ``unsearched`` seconds of it are searched for events whenever the present leaves time.
        What is known before it stays known, and is searched first.
        """
        known = [second for second in (self._oldest, oldest) if second is not None]
        self._oldest = min(known, default=None)
        self._live_from = live_from
        self._unsearched.extend(unsearched)

    def begin_anew(self, symbols: Sequence[str], second: int, vendor: str) -> None:
        """Let the prices of symbols begin a new window; see ``sources.source.Seconds``."""
        self._store.begin_anew(symbols, second, vendor)

    def add_past(self, past: Past, vendor: str) -> LaidPast:
        """Lay what is known of the time before into the store; see ``sources.source.Seconds``.

        What it tells of symbols that are not watched is left out.
        """
        laid = add_past(self._store, past, vendor, self._newest.now)
        self.quotes.add(laid.quotes)
        return laid

    def add_laid(self, laid: LaidPast) -> None:
        """Lay what another process laid; see ``sources.source.Seconds``."""
        add_laid(self._store, laid)
        self.quotes.add(laid.quotes)

    def show(self, second: int) -> None:
        """Close the bars that ended with ``second``, and compute its frame and its orders."""
        self.halts.end(second)
        self._store.advance(second + 1)
        now = second + SECOND_END
        if self._oldest is None:
            self._oldest = second
        frame = self._store.frame(now)
        is_streaming = {asset: self._streams_at(asset, now) for asset in ASSETS}
        self.halts.update(second, now, frame)
        of_rows = row_states(frame, is_streaming, self.halts.at(now))
        self.ranking.update(second, frame, of_rows, movers(self._events, now))
        self._newest = Pulse(now, frame)
        before = (one for one in self._recent[-_RECENT:] if one.now < now)
        self._recent = (*before, self._newest)
        self._has_prices = bool(frame["last"].notna().any())
        self.ready.set()
        for subscriber in self._subscribers:
            if subscriber.shown is not None:
                self._tell(subscriber.name, subscriber.shown, second)

    def take(
        self,
        second: int,
        found: Sequence[Event],
        remembered: Iterable[Remembered],
        orders: Mapping[str, Sequence[str]],
    ) -> None:
        """Show a second that another process searched; see ``sources.source.Seconds``.

        Nor is the past searched here any more.
        """
        self._unsearched.clear()
        if self._recent and second < int(self._recent[-1].now):
            self._store.set_clock_back(second)
        # So that all who show a second have its order, whether somebody looks at it yet or not.
        self.ranking.ask("heat", second)
        self.show(second)
        self.ranking.adopt(second, orders)
        self._events.add_many(found)
        self._detector.restore(remembered)
        self._live_from = second + 1
        over = SecondOver(second, self._newest.now, self._newest.frame, tuple(found), False)
        for subscriber in self._subscribers:
            self._tell(subscriber.name, subscriber.receive, over)

    def search(self, second: int) -> None:
        """Find the events of a second in the frame of then, and tell the subscribers.

        A closed market has no events, nor has a symbol that is halted.
        """
        now = second + SECOND_END
        shown_at, newest = self._newest
        frame = newest if shown_at == now else None
        # What is looked at row by row needs no frame, and the rules are measured in one.
        of_then = self._store.frame(now) if frame is None and self._measures else frame
        snapshots = self._store.snapshots(now) if of_then is None else to_snapshots(of_then, now)
        is_streaming = {asset: self._streams_at(asset, now) for asset in ASSETS}
        is_history = second < self._live_from
        halted = self.halts.at(now)
        streaming = [
            snapshot
            for snapshot in snapshots
            if is_streaming[snapshot["asset"]] and snapshot["symbol"] not in halted
        ]
        self._find_twins(second // TWINS_SEC * TWINS_SEC, streaming)
        measured = (
            []
            if of_then is None
            else self._measures.at(now, of_then, is_streaming, halted, is_history=is_history)
        )
        found = self._detector.check_all(streaming, now=now, measured=measured, history=is_history)
        self._events.add_many(found)
        over = SecondOver(second, now, frame, tuple(found), is_history)
        for subscriber in self._subscribers:
            self._tell(subscriber.name, subscriber.receive, over)

    def _find_twins(self, since: int, snapshots: Sequence[Mapping[str, Any]]) -> None:
        """Tell the detector once which of these symbols were twins when the minute began."""
        if since == self._twins_since or not snapshots:
            return
        self._twins_since = since
        if len(snapshots) > TWINS_AMONG:
            # Any pair costs time, and only those that move have bursts to be told.
            snapshots = sorted(snapshots, key=_heat, reverse=True)[:TWINS_AMONG]
        symbols = [snapshot["symbol"] for snapshot in snapshots]
        self._detector.set_twins(twins(self._store, symbols, since))

    async def follow(
        self,
        clock: Callable[[], float],
        every_second: Callable[[], None],
        later_sec: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Show and search every second of ``clock`` when it is over and settled, until cancelled.

        The first is the one in which this is called, or that follows the past if that ended just
        before. ``every_second`` is called after each is shown. ``later_sec`` says how much longer a
        second takes to settle, because prices come late. Seconds slept through are neither shown
        nor searched.
        """
        shown = int(clock()) - 1
        if self._live_from - 1 >= shown - _STALL_SEC:
            shown = self._live_from - 1
        loop = asyncio.get_running_loop()
        wait_until = loop.time() + self._first_page_sec
        while True:
            now = clock() - _SETTLE_SEC - later_sec()
            second = int(now) - 1
            if shown < second <= shown + _STALL_SEC:
                second = shown + 1
            if not shown - _STALL_SEC <= second <= shown:
                if second < shown:
                    self._store.set_clock_back(second)
                shown = second
                self.show(second)
                every_second()
                self._unsearched.append(second)
            waits = (
                self.is_searching_past and loop.time() < wait_until and not self.first_page.is_set()
            )
            if self._unsearched and not waits:
                self.search(self._unsearched.popleft())
                await asyncio.sleep(0)  # the feeds go on meanwhile
            else:
                await asyncio.sleep(max(0.0, 1.0 - now % 1.0))

    def _tell(self, name: str, receive: Callable[[_T], None], what: _T) -> None:
        try:
            receive(what)
        except Exception as error:  # noqa: BLE001 - handed on
            if name not in self._crashed:
                self._crashed.add(name)
                self._on_crash(name, error)
        else:
            self._crashed.discard(name)


def _heat(snapshot: Mapping[str, Any]) -> float:
    """How much a symbol has moved lately."""
    heat: float | None = snapshot["heat"]
    return abs(heat or 0.0)
