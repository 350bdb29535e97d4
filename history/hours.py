"""ArchivedHours: moments no longer in memory, brought back from the archive an hour at a time.

Readers ask from their own threads; whoever asks for an hour that another is fetching waits for it.
Time is always an argument.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from bars import Bars, Begin, Minutes
from events import EventStore
from history.archive import Archive, ArchiveError
from history.coarse import STEP_SEC, CoarseHours, Prices
from history.losses import Losses
from history.references import load_references
from history.schema import damaged
from pulse_store import PulseStore
from ticks import Asset, Tick

__all__ = [
    "HOUR_SEC",
    "ArchivedHours",
    "LastSession",
    "Moment",
    "PastPrices",
    "SessionFigures",
    "read_prices",
    "restore_prices",
]

HOUR_SEC: Final = 3600

_BEFORE_SEC: Final = 2 * HOUR_SEC
"""How far back before an hour its figures look: the hour of samples that a regime
is judged by, the first of which looks back fifteen minutes more, and the hour of correlations."""

_KEPT_CELLS: Final = 4_000_000
"""The most seconds, times symbols, that are kept of what was fetched: some 60 MB; or one hour."""

_ASKED_AGAIN_SEC: Final = 30
"""For this long an answer is not asked for again."""

_SETTLED_SEC: Final = 300
"""After its end a session's figures may still change for this long."""


class SessionFigures(NamedTuple):
    """What one symbol did in a session."""

    first: float
    last: float
    low: float
    high: float
    """Prices."""
    change: float
    """From the first to the last, as a fraction."""
    since_close: bool = False
    """Whether ``first`` is the previous close, and not the first price that came."""


class LastSession(NamedTuple):
    """The last session of a market that is closed."""

    begin: float
    end: float
    figures: Mapping[str, SessionFigures]
    """By symbol; those without a price in it are missing."""


class Moment(NamedTuple):
    """What was known in an hour: prices and events, of which any second can be asked."""

    store: PulseStore
    events: EventStore


class _Hour(NamedTuple):
    """A fetched hour, and the second it was known up to."""

    moment: Moment
    upto: int


class ArchivedHours:
    """The hours of ``archive`` with the symbols that are ``watched``, in their order.

    If the archive cannot be read, ``on_error`` is called, and what is answered is empty; if some of
    it is damaged, it is called too, and the rest is answered.
    """

    def __init__(
        self,
        archive: Archive,
        watched: Mapping[Asset, Sequence[str]],
        max_events: int,
        on_error: Callable[[ArchiveError], None],
    ) -> None:
        self.archive = archive
        self._watched = watched
        self._max_events = max_events
        self._on_error = on_error
        self._coarse = _coarse(archive, watched)
        self._lock = threading.Lock()  # Guards the hours.
        # Held while an hour, or the figures of a session, are fetched, so that nobody fetches them
        # twice; the second guards the figures as well.
        self._fetching = threading.Lock()
        self._summing_up = threading.Lock()
        self._hours: OrderedDict[int, _Hour] = OrderedDict()
        self._figures: dict[tuple[Asset, float, float, float], dict[str, SessionFigures]] = {}
        self._oldest: tuple[float, int | None] = (-np.inf, None)

    def watch(self, watched: Mapping[Asset, Sequence[str]]) -> None:
        """Know these symbols from now on, of every hour that is asked for."""
        with self._fetching, self._summing_up, self._lock:
            self._watched = watched
            self._coarse = _coarse(self.archive, watched)
            self._hours.clear()
            self._figures.clear()

    @property
    def known_oldest(self) -> int | None:
        """What ``oldest`` found last; None before it was asked. Asks no disk."""
        return self._oldest[1]

    def oldest(self, now: float) -> int | None:
        """The first second that the archive knows, None if it is empty or was never readable.

        Asked again once the answer is half a minute old.
        """
        asked_at, oldest = self._oldest
        if not asked_at <= now < asked_at + _ASKED_AGAIN_SEC:
            if oldest is not None:
                # One thread asks; if the disk is slow, the others get the answer from before.
                self._oldest = now, oldest
            try:
                span = self.archive.span()
            except ArchiveError as error:
                self._on_error(error)  # and may be read again in a moment
            else:
                oldest = None if span is None else span[0]
            self._oldest = now, oldest
        return oldest

    def moment(self, second: int, newest: int) -> Moment:
        """What was known in a second; ``newest`` is the newest second that is over."""
        begin = second // HOUR_SEC * HOUR_SEC
        found = self._kept(begin, second)
        if found is not None:
            return found
        with self._fetching:
            found = self._kept(begin, second)
            if found is not None:
                return found
            upto = min(begin + HOUR_SEC, newest + 1)
            try:
                moment = self._fetch(begin, upto)
            except ArchiveError as error:
                self._on_error(error)
                return self._blank()
            with self._lock:
                self._hours[begin] = _Hour(moment, upto)
                cells = (_BEFORE_SEC + HOUR_SEC) * max(1, len(moment.store.symbols))
                while len(self._hours) > max(1, _KEPT_CELLS // cells):
                    self._hours.popitem(last=False)
        return moment

    def session_figures(
        self, asset: Asset, begin: float, end: float, now: float
    ) -> dict[str, SessionFigures]:
        """What each symbol of a class did in a session.

        By symbol; those that had no price in it are missing. Soon after its end they are fetched
        again: its last prices may still have been on their way to the archive.
        """
        key = (asset, begin, end, min(now, end + _SETTLED_SEC) // _ASKED_AGAIN_SEC)
        with self._summing_up:
            if key not in self._figures:
                self._figures = {k: v for k, v in self._figures.items() if k[0] != asset}
                try:
                    found = self._sum_up(self._watched[asset], int(begin), int(end))
                except ArchiveError as error:
                    self._on_error(error)
                    return {}
                self._figures[key] = found
            return self._figures[key]

    def coarse_prices(self, symbol: str, begin: int, end: int) -> Prices | None:
        """The prices of a symbol every two minutes, from ``begin`` to ``end``, both full hours.

        Nothing more is to be added to these hours. Without those of another vendor than the last;
        None if the archive cannot be read.
        """
        losses = Losses()
        try:
            prices = self._coarse.prices(symbol, begin, end, losses)
            begins = self.archive.begins([symbol], losses)
        except ArchiveError as error:
            self._on_error(error)
            return None
        self._report(losses)
        change = _change_of_vendor([each for each in begins if each.second < end])
        if change > begin:
            prices[:, : -(-(change - begin) // STEP_SEC)] = np.nan
        return prices

    @property
    def nbytes(self) -> int:
        """Bytes of the hours kept."""
        with self._lock:
            return sum(hour.moment.store.nbytes for hour in self._hours.values())

    def _kept(self, begin: int, second: int) -> Moment | None:
        with self._lock:
            hour = self._hours.get(begin)
            if hour is None or second >= hour.upto:
                return None
            self._hours.move_to_end(begin)
            return hour.moment

    def _blank(self) -> Moment:
        store = PulseStore(_BEFORE_SEC + HOUR_SEC)
        for asset, symbols in self._watched.items():
            store.watch(asset, symbols)
        return Moment(store, EventStore(self._max_events, rewind_sec=_BEFORE_SEC + HOUR_SEC))

    def _fetch(self, begin: int, upto: int) -> Moment:
        moment, losses = self._blank(), Losses()
        since, symbols = begin - _BEFORE_SEC, moment.store.symbols
        restore_prices(moment.store, self.archive, since, upto, symbols, losses)
        load_references(moment.store, self.archive, self._watched, begin, upto, losses)
        states = self.archive.event_states(self._max_events, upto, begin, losses)
        self._report(losses)
        moment.events.add_many(states)
        return moment

    def _sum_up(self, symbols: Sequence[str], begin: int, end: int) -> dict[str, SessionFigures]:
        found: dict[str, SessionFigures] = {}
        losses = Losses()
        for bars in self.archive.blocks(begin, end, symbols, losses):
            for symbol, first, last, low, high in _spans(bars):
                before = found.get(symbol)
                if before is not None:
                    first, low, high = before.first, min(low, before.low), max(high, before.high)
                found[symbol] = SessionFigures(first, last, low, high, last / first - 1.0)
        self._report(losses)
        return found

    def _report(self, losses: Losses) -> None:
        """Report what was left out, so that the file is mended; the rest is shown."""
        if losses.left_out:
            self._on_error(damaged(self.archive.path))


def restore_prices(
    store: PulseStore,
    archive: Archive,
    since: int,
    upto: int,
    symbols: Sequence[str],
    losses: Losses | None = None,
) -> int | None:
    """Fill a store that is still empty with what an archive knows before the second ``upto``.

    That is the minutes of a day, its bars from ``since`` on, all closed, whose prices these are and
    where they do not continue those before, and the last price before
    them of each symbol that has none; what is damaged is left out, and counted in ``losses``.
    Returns the first second that has a bar, None if none has.

    Raises:
        ArchiveError: if the archive cannot be read.
    """
    found = read_prices(archive, since, upto, symbols, losses)
    found.load(store)
    store.advance(upto)
    found.load_last(store)
    return int(found.bars.cells["second"][0]) if len(found.bars) else None


class PastPrices(NamedTuple):
    """What an archive knows of symbols before a second."""

    minutes: Minutes
    bars: Bars
    begins: tuple[Begin, ...]
    last: tuple[Tick, ...]
    """The last price before the bars of each symbol that has none."""

    def load(self, store: PulseStore) -> None:
        """Write all but the last prices into rows that are still empty."""
        # First: a minute that is known is not made anew from bars, which may not reach back so far.
        store.load_minutes(self.minutes)
        store.load_bars(self.bars)
        for begin in self.begins:
            store.begin_anew([begin.symbol], begin.second, begin.vendor)

    def load_last(self, store: PulseStore) -> None:
        """Write the last prices; once the bars are closed."""
        for tick in self.last:
            store.set_initial_price(tick)


def read_prices(
    archive: Archive,
    since: int,
    upto: int,
    symbols: Sequence[str],
    losses: Losses | None = None,
) -> PastPrices:
    """What an archive knows of symbols before the second ``upto``, bars from ``since`` on.

    What is damaged is left out, and counted in ``losses``.

    Raises:
        ArchiveError: if the archive cannot be read.
    """
    bars = archive.bars(since, upto, symbols, losses)
    ticked = {bars.symbols[row] for row in np.unique(bars.cells["row"])}
    return PastPrices(
        archive.minutes(upto // 60, symbols, losses),
        bars,
        tuple(one for one in archive.begins(symbols, losses) if one.second < upto),
        tuple(archive.last_prices(since, [s for s in symbols if s not in ticked], losses)),
    )


def _coarse(archive: Archive, watched: Mapping[Asset, Sequence[str]]) -> CoarseHours:
    return CoarseHours(archive, [symbol for symbols in watched.values() for symbol in symbols])


def _change_of_vendor(begins: Sequence[Begin]) -> int:
    """The last second at which a symbol's prices became another vendor's; 0: they never did."""
    vendor, change = "", 0
    for begin in begins:
        if vendor and begin.vendor and begin.vendor != vendor:
            change = begin.second
        vendor = begin.vendor or vendor
    return change


def _spans(bars: Bars) -> list[tuple[str, Any, Any, Any, Any]]:
    """Symbol, first, last, lowest and highest price of each symbol in a block."""
    order = np.argsort(bars.cells["row"], kind="stable")
    cells = bars.cells[order]
    rows, starts = np.unique(cells["row"], return_index=True)
    price = cells["price"]
    ends = np.append(starts[1:], len(cells)) - 1
    columns = (
        price[starts],
        price[ends],
        np.minimum.reduceat(price, starts),
        np.maximum.reduceat(price, starts),
    )
    names = [bars.symbols[row] for row in rows]
    return list(zip(names, *(column.tolist() for column in columns), strict=True))
