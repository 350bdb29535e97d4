"""PulseStore: the locked rolling prices of every symbol, and the frame of any second of them.

The worker's thread writes; any thread reads. Time is always an argument: the store has no clock.
Every figure is computed from the rings when read, so nothing drifts and reading changes nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bars import Bars, Begin, Candles, Minutes, Referenced
from formulas import COLUMNS, RANGE_SEC, Instant, ratio
from moves import (
    END_REACH_SEC,
    HEAT_BARS,
    LEAD_SEC,
    Excursion,
    excursion,
    furthest,
    hottest,
    minute_returns,
    returns,
)
from rings import RECENT_SEC, Rings
from samples import ClosedBars, SampleRing
from store.candles import CandleRing
from store.memory import StoreMemory
from store.older import stored_bars
from store.references import DayReferences, Held, Measured, Stretch
from store.view import View
from store.windows import Windows
from ticks import HORIZONS_SEC, LEAST_PRICE, MOST_PRICE, STALE_SEC, WINDOW_SEC, Regime, Tick
from usual import DayMemory
from volatility import (
    BAR_SEC,
    REGIMES,
    SAMPLE_BARS,
    VOL_BARS,
    Floats,
    Ints,
    mean_logs,
    sample_bars,
)

__all__ = ["RECENT_SEC", "PulseStore", "to_snapshots"]

# An hour of 60 s correlation bars extends up to a bar and an open bar beyond the hour itself.
_SPARE_BARS = 7
# So far back the newest tick of a symbol is looked for that is not stale.
_FRESH_BARS = STALE_SEC // BAR_SEC
# Of a long stretch so many bars are closed in one go, and fewer of many symbols: it bounds the
# memory that takes.
_CLOSED_AT_ONCE = 90
_CLOSED_CELLS = 150_000
_ROWS_AT_ONCE = 512
_MINUTE_BARS = 60 // BAR_SEC
# vol_15m as it stood a minute ago was sampled so many bars before the open one.
_SIGMA_BARS = _MINUTE_BARS + 1
_SIGMA_1M = math.sqrt(60 / 900)


class PulseStore:
    """Rolling prices of every symbol over ``window_sec``, and the metrics of any second of it.

    ``window_sec`` is a multiple of 60. Memory is some 48 kB a symbol for an hour, whatever the
    tick rate, and 5 kB for what was usual in its last day. With ``records`` the one-second bars can
    be collected as they form, and the minutes as they close; with ``records`` or ``keeps_sums``
    those of the newest seconds can be read. All methods are thread-safe; those that write are
    called by one thread only, but for ``set_reference``.
    """

    def __init__(
        self, window_sec: int = WINDOW_SEC, *, records: bool = False, keeps_sums: bool = False
    ) -> None:
        if window_sec < 60 or window_sec % 60:
            raise ValueError(
                f"window_sec is {window_sec}, expected a multiple of 60 seconds, at least 60"
            )
        self.window_sec = window_sec
        self._lock = threading.Lock()  # Guards the rings and everything below.
        bars = window_sec // BAR_SEC + _SPARE_BARS
        self._rings = Rings(bars, records=records, keeps_sums=keeps_sums)
        self._samples = SampleRing(bars)
        self._day = DayMemory(records=records)
        self._windows = Windows(records=records)
        self._candles = CandleRing(window_sec // 60)
        self._references = DayReferences(records=records or keeps_sums)
        # As frames share them: remade when there are more symbols, or other ones are shown.
        self._index: pd.Index[Any] = pd.Index([], dtype=object, name="symbol")
        self._asset: npt.NDArray[Any] = np.empty(0, dtype=object)
        self._hidden: frozenset[str] = frozenset()
        """Symbols that have a row and are not watched any more."""
        self._shown: npt.NDArray[np.intp] | None = None
        """The rows of the others, in their order; None: all are shown."""
        self._shown_index: pd.Index[Any] = self._index

    # Writing: the worker.

    def watch(self, asset: str, symbols: Iterable[str]) -> list[str]:
        """Give ``symbols`` a row each, in this order, before they have a price.

        One that was watched before has its row again, with what is known of it. Returns the others.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            names = tuple(symbols)
            new = [symbol for symbol in dict.fromkeys(names) if symbol not in self._rings.rows]
            for symbol in new:
                self._rings.add_symbol(symbol, asset)
            self._know_symbols()
            if not self._hidden.isdisjoint(names):
                self._hide(self._hidden.difference(names))
            return new

    def unwatch(self, symbols: Iterable[str]) -> None:
        """Let ``symbols`` have no row in what is read from now on, whatever is written of them.

        Neither in what is asked of the past: frames of any second have the rows of now.
        """
        with self._lock:
            self._know_symbols()
            self._hide(self._hidden.union(symbols).intersection(self._rings.rows))

    def update(self, tick: Tick) -> None:
        """Write one tick; see ``update_many``."""
        self.update_many((tick,))

    def update_many(self, ticks: Iterable[Tick]) -> None:
        """Write ticks in order of arrival.

        A late tick goes to its own second and never replaces a newer last price; of two with the
        same millisecond the later arrival wins; one older than the stored bars is left out, and so
        is a price beyond ``LEAST_PRICE`` and ``MOST_PRICE``.

        Raises:
            ValueError: for a price that is not a positive finite number, a time that is not one in
                seconds since the epoch, or an unknown asset class; the ticks before it are written.
        """
        with self._lock:
            self._rings.write_ticks(ticks)

    def set_initial_price(self, tick: Tick) -> None:
        """Give a symbol without any price its last one; it enters no window.

        Raises:
            ValueError: as ``update_many``.
        """
        with self._lock:
            self._rings.write_initial_price(tick)

    def set_known_price(self, tick: Tick) -> None:
        """Give a symbol its last price unless it has a newer one; it enters no window.

        Raises:
            ValueError: as ``update_many``.
        """
        with self._lock:
            self._rings.write_initial_price(tick, is_newer=True)

    def initial_prices(self) -> list[Tick]:
        """The last prices that entered no window."""
        with self._lock:
            return self._rings.initial_ticks()

    def put_initial_prices(self, ticks: Iterable[Tick]) -> None:
        """Give symbols these last prices, whatever they had before; they enter no window.

        With those of ``initial_prices`` after each ``put``, a store that follows shows what the
        other shows, if that learned of a price between two ticks.

        Raises:
            ValueError: as ``update_many``.
        """
        with self._lock:
            for tick in ticks:
                self._rings.put_initial_price(tick)

    def load_ticks(self, ticks: Iterable[Tick], upto: int, vendor: str = "") -> list[Tick]:
        """Write ticks of the past of the ``vendor`` that serves, into ten seconds that have none.

        Left out are those of ten seconds that are not over by ``upto`` or began before the symbol's
        window did, and those of symbols without a row. Returns the others.

        Raises:
            ValueError: as ``update_many``.
        """
        with self._lock:
            rings, number = self._rings, self._windows.number(vendor)
            served = self._windows.served(upto, len(rings.rows))
            since = self._windows.since(upto, len(rings.rows))
            is_free: dict[tuple[int, int], bool] = {}
            kept = []
            for tick in ticks:
                row, bar = rings.rows.get(tick.symbol), int(tick.ts) // BAR_SEC
                if row is None or served[row] != number or (bar + 1) * BAR_SEC > upto:
                    continue
                if since is not None and bar * BAR_SEC < since.gap[row]:
                    continue
                if is_free.setdefault((row, bar), not rings.has_tick(row, bar)):
                    kept.append(tick)
            rings.write_past(kept)
        return kept

    def begin_anew(self, symbols: Iterable[str], second: int, vendor: str = "") -> None:
        """From ``second`` on let these symbols' prices not continue those before.

        No figure but the last price and what is usual in a day is then of both. The ``vendor`` is
        whose prices they are from then on: if it is the one that serves already, nothing begins,
        and if none was known yet, it is known from now on. Without one it stays the same; then the
        hour's prices, its range and the trace go on, with what a halt leaves in them. Symbols that
        have no row are left out.
        """
        with self._lock:
            for symbol in symbols:
                row = self._rings.rows.get(symbol)
                if row is not None:
                    self._windows.add(row, Begin(symbol, second, vendor))

    def collect_begins(self) -> list[Begin]:
        """Hand out the begins since this was last called; none if the store does not record."""
        with self._lock:
            return self._windows.collect()

    def load_candles(self, candles: Candles, vendor: str = "") -> None:
        """Know candles of the past, of the symbols that have a row.

        They are seen while the ``vendor`` serves, in minutes without a tick: as the last price of
        second 59 by ``last``, ``ret_*``, ``history``, ``trace``; as highest and lowest by
        ``range_*``; and as a mean by the 60 s bars. No other figure sees them, nor any event.
        """
        with self._lock:
            rows = np.array([self._rings.rows.get(name, -1) for name in candles.symbols], np.intp)
            is_known = rows[candles.cells["row"]] >= 0
            known = Candles(candles.symbols, candles.cells[is_known])
            self._candles.load(known, rows, self._windows.number(vendor))

    def set_reference(
        self,
        symbol: str,
        price: float,
        since: float,
        until: float,
        *,
        counts_from: float,
        vendor: str = "",
        is_better: bool = True,
    ) -> None:
        """From ``since`` and before ``until``, measure a symbol's day change against ``price``.

        ``counts_from`` is the time from which on its last price is one of that day. It is measured
        while the ``vendor`` serves. One that is known stays unless this one ``is_better``. A symbol
        without a row, and what is no price, is left out.
        """
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None or not LEAST_PRICE <= price <= MOST_PRICE:
                return
            stretch = Stretch(
                int(since), int(until), int(counts_from), self._windows.number(vendor)
            )
            self._references.set(row, price, stretch, is_better=is_better)

    def collect_references(self) -> list[Referenced]:
        """Hand out the references set since this was last called, as they are now.

        ``set_reference`` for each, in their order, makes another store measure against the same.
        None if the store neither ``records`` nor ``keeps_sums``.
        """
        with self._lock:
            return self._referenced(self._references.collect())

    def load_bars(self, bars: Bars) -> None:
        """Write bars of the past in one go; the seconds they lie in must be empty.

        What is older than the stored bars is left out, and so are prices as in ``update_many``;
        ``advance`` then samples the rest. A last price that entered no window stays if it is newer.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            self._rings.write_bars(bars)

    def put(self, bars: Bars) -> None:
        """Write one-second bars in place of what these seconds held.

        Of ``RECENT_SEC`` up to the newest tick or bar what a second held is taken back: price,
        sum and number are then the bar's alone, and so is the last price if that was of this
        second. Of older seconds only totals of ten are kept: such a bar is left out if its second
        has a price, and added otherwise, so that putting it again changes nothing. Symbols that
        are new have a row from now on; prices are left out as in ``update_many``.
        ``collect_changed`` hands out what was put.

        Raises:
            ValueError: for an unknown asset class, or if the store neither ``records`` nor
                ``keeps_sums``.
        """
        with self._lock:
            self._rings.put_bars(bars)

    def forget_after(self, second: int) -> None:
        """Let go of every tick after ``second``, of ``RECENT_SEC`` at most, as if none had come.

        Time goes on from there. Nothing if the store neither ``records`` nor ``keeps_sums``.
        """
        bar = (second + 1) // BAR_SEC
        with self._lock:
            self._rings.forget_after(second)
            self._samples.set_back(bar - 1)
            self._rings.set_back(bar)

    def collect_changed(self) -> Bars:
        """Hand out the bars that changed since this was last called; each as it is now.

        A bar is handed out again if a tick comes after all. Nothing if the store does not record.
        """
        with self._lock:
            return self._rings.collect_changed()

    def load_minutes(self, minutes: Minutes) -> None:
        """Remember minutes of the past, of the symbols known; those held are left as they are."""
        with self._lock:
            self._know_symbols()
            self._day.load(minutes)

    def collect_minutes(self) -> Minutes:
        """Hand out the minutes that closed since this was last called; as ``collect_changed``."""
        with self._lock:
            self._know_symbols()
            return self._day.collect_changed()

    def advance(self, now: float) -> None:
        """Close the bars that ended at or before ``now``.

        Samples volatility, judges regimes, finds the hottest seconds, and of every minute that is
        over remembers the figures of its last second.
        """
        newest = int(now) // BAR_SEC - 1
        with self._lock:
            self._rings.sum_up_recent()
            self._rings.settle(int(now))
            self._candles.forget(int(now) // 60 - self.window_sec // 60)
            self._references.forget(int(now) - self.window_sec)
            if self._samples.closed < 0:
                # Nothing to sample before the first tick, which may yet come from the past.
                live = self._rings.first_live_bar(newest)
                if live > newest:
                    return
                self._samples.closed = live - 1
            bars = self._rings.bars
            first = max(self._samples.closed + 1, newest - bars + 1)
            rows = len(self._rings.rows)
        # Several at once only if all that any of them looks at is still stored at their end.
        at_once = 1
        if bars >= SAMPLE_BARS + _CLOSED_AT_ONCE:
            at_once = min(_CLOSED_AT_ONCE, max(1, _CLOSED_CELLS // max(1, rows)))
        for bar, end in self._parts(first, newest, at_once):
            self._close(bar, end)

    def remember(self) -> StoreMemory:
        """What is known beside the bars, as of the second that was closed last; see ``recall``."""
        with self._lock:
            self._know_symbols()
            rings, windows = self._rings, self._windows
            names = list(rings.rows)
            prices, older = rings.settled_ticks((rings.head + 1) * BAR_SEC - self.window_sec)
            begins = windows.held(names)
            references = self._referenced(self._references.held())
            candles = {
                vendor: self._candles.held(number, names)
                for number, vendor in enumerate(windows.vendors)
            }
            minutes = self._day.held()
            closed = self._samples.closed
        return StoreMemory(
            prices=tuple(prices),
            older=tuple(older),
            begins=tuple(begins),
            references=tuple(references),
            candles={vendor: held for vendor, held in candles.items() if len(held.cells)},
            minutes=minutes.joined(),  # not under the lock: it may take a while
            judged=-1 if closed < 0 else (closed + 1) // _MINUTE_BARS - 1,
        )

    def recall(self, memory: StoreMemory) -> None:
        """Know what another store remembers, before there are any bars; none of it is collected.

        It is of the symbols that have a row here. The other's bars, loaded after this and then
        closed by ``advance``, give its figures to the last bit if both have the same symbols in
        the same order, but for what ticks changed in bars that had closed: volatility was sampled
        there before these came, and here after. Minutes that were judged there are left as they
        are, whatever the bars say.
        """
        with self._lock:
            self._know_symbols()
            rings = self._rings
            for begin in memory.begins:
                if begin.symbol in rings.rows:
                    self._windows.load(rings.rows[begin.symbol], begin)
            for tick in memory.prices:
                if tick.symbol in rings.rows:
                    rings.put_initial_price(tick)
            for tick in memory.older:
                if tick.symbol in rings.rows:
                    rings.write_older_price(tick)
            for one in memory.references:
                if one.symbol in rings.rows:
                    number = self._windows.number(one.vendor)
                    stretch = Stretch(one.since, one.until, one.counts_from, number)
                    self._references.load(Held(rings.rows[one.symbol], one.price, stretch))
            self._day.load(memory.minutes)
            self._day.know_judged(memory.judged)
        for vendor, candles in memory.candles.items():
            self.load_candles(candles, vendor)

    def judge_past(self, symbols: Iterable[str]) -> None:
        """Find what the closed bars hold of symbols whose past was written after they had closed.

        They are the newest ones that were given a row, and no other's figures change. Which minutes
        they had is not remembered.
        """
        with self._lock:
            self._know_symbols()
            first_row = min((self._rings.rows[symbol] for symbol in symbols), default=-1)
            closed = self._samples.closed
            live = self._rings.first_live_bar(closed)
        if first_row < 0:
            return
        first = max(live, closed - self._rings.bars + 1 + VOL_BARS)
        for bar, end in self._parts(first, closed, _CLOSED_AT_ONCE):
            self._close(bar, end, first_row)

    def set_clock_back(self, now: float) -> None:
        """Let time go on from ``now`` again: what follows is closed and collected in its time.

        Ticks that are ahead of ``now`` stay.
        """
        bar = int(now) // BAR_SEC
        with self._lock:
            self._samples.set_back(bar - 1)
            self._rings.set_back(bar)

    # Reading: anybody.

    @property
    def symbols(self) -> list[str]:
        """Every symbol that is watched or had a price, in order of appearance."""
        with self._lock:
            return [symbol for symbol in self._rings.rows if symbol not in self._hidden]

    def asset(self, symbol: str) -> str | None:
        """The asset class of a symbol; None if it has no row."""
        with self._lock:
            row = None if symbol in self._hidden else self._rings.rows.get(symbol)
            return None if row is None else self._rings.assets[row]

    @property
    def nbytes(self) -> int:
        """Bytes of the rings, whatever the tick rate; resident are those once written."""
        with self._lock:
            return self._rings.nbytes + self._samples.nbytes + self._candles.nbytes

    def seconds(self, symbol: str, begin: int, end: int) -> Floats:
        """The newest tick's price in each of the seconds ``begin`` to ``end`` (excluded).

        NaN if there was no tick, of any vendor; no candle's, which are of no second.
        """
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None:
                return np.full(end - begin, np.nan)
            return self._rings.prices(row, np.arange(begin, end))

    def tens(self, symbol: str, begin: int, end: int) -> tuple[Floats, Ints]:
        """Sums of the prices and numbers of the ticks of every ten seconds from ``begin`` on.

        As far as ``end`` (excluded), both multiples of 10; likewise.
        """
        with self._lock:
            row = self._rings.rows.get(symbol, -1)
            sums, counts = self._rings.bar_sums(begin // BAR_SEC, end // BAR_SEC, [row])
        return sums[0], counts[0]

    def ticked(
        self, first: int, second: int, symbols: Sequence[str]
    ) -> tuple[Floats, Floats, Ints]:
        """Of some symbols of a frame, the prices of seconds, and sums and numbers of ticks.

        The prices are of the newest tick in each of the seconds from ``first`` to ``second``,
        [symbol, second], 0 if there was none; the others are of every ten seconds that lie within
        these, [symbol, ten seconds]. What is older than a symbol's window is left out.
        """
        with self._lock:
            self._know_symbols()
            rows = [self._rings.rows[symbol] for symbol in symbols]
            view = self._view(second, has_candles=False)
            price = view.stretch(first, second, np.array(rows, np.intp)).price
            tens = view.bar_sums(-(-first // BAR_SEC), (second + 1) // BAR_SEC, rows)
        return price, *tens

    def recent_bars(self, begin: int, end: int) -> Bars:
        """The one-second bars of the seconds ``begin`` to ``end`` (excluded), as they are now.

        Of seconds within ``RECENT_SEC`` of the newest tick; of earlier ones only prices are kept.
        None if the store neither ``records`` nor ``keeps_sums``.
        """
        with self._lock:
            return self._rings.recent_bars(begin, end)

    def oldest(self) -> int | None:
        """When the oldest ten seconds that hold a tick began; None: none does."""
        with self._lock:
            head = self._rings.head
            bar = self._rings.first_live_bar(head)
        return bar * BAR_SEC if bar <= head else None

    def stored_bars(self, begin: int, end: int) -> Bars:
        """One-second bars of the seconds ``begin`` to ``end`` (excluded), as far as stored.

        Of seconds within ``RECENT_SEC`` of the newest tick as they are, if their sums are kept. Of
        earlier ones the newest price and its millisecond, but sums and numbers of ticks only as
        they add up in ten seconds: the last second with a price has what the others leave, which
        are told to have had one tick each. The numbers add up exactly, the sums but for rounding.
        """
        with self._lock:
            return stored_bars(self._rings, begin, end)

    def frame(self, now: float) -> pd.DataFrame:
        """All symbols at the instant ``now``: one row per symbol, the columns ``COLUMNS``.

        ``now`` may be any second stored.
        """
        columns, index = self._columns(now)
        return pd.DataFrame(columns, index=index, copy=False)

    def snapshots(self, now: float) -> list[dict[str, Any]]:
        """The rows of ``frame(now)`` as dicts, with ``symbol`` and ``now``; None: not known yet."""
        columns, index = self._columns(now)
        lists = [values.tolist() for values in columns.values()]
        return _records(index.tolist(), list(columns), lists, now)

    def snapshot(self, symbol: str, now: float) -> dict[str, Any] | None:
        """One row of ``snapshots(now)``, or None for a symbol that has no row."""
        return next((row for row in self.snapshots(now) if row["symbol"] == symbol), None)

    def newest_ticks(self, now: float) -> tuple[Floats, Floats]:
        """By symbol, in their order: price and time of its newest tick, NaN if that is stale.

        Of its own window's: neither a candle's price nor one that entered no window.
        """
        with self._lock:
            price, ts = self._view(int(now), has_candles=False).newest_at(int(now), _FRESH_BARS)
            shown = self._shown_rows()
        return price[shown], ts[shown]

    def furthest(self, within_sec: int, now: float) -> Floats:
        """By symbol, in their order: the furthest of P(T) / P(k) - 1 over T - within_sec <= k < T.

        T is the second of ``now``, P(T) the price of ``newest_ticks``, and k are the seconds with a
        tick of the symbol's own window. NaN if there is no such price or second.
        """
        second = int(now)
        with self._lock:
            view = self._view(second, has_candles=False)
            price, _ = view.newest_at(second, _FRESH_BARS)
            low, high = view.extremes(second - 1, within_sec)
            shown = self._shown_rows()
        return furthest(price, low, high)[shown]

    def excursions(
        self, symbols: Sequence[str], within_sec: int, now: float
    ) -> dict[str, Excursion]:
        """What ``furthest`` is of some symbols, and from which price; those without are missing.

        If several seconds are as far, it is from the latest.
        """
        second = int(now)
        with self._lock:
            rows = {name: self._rings.rows[name] for name in symbols if name in self._rings.rows}
            view = self._view(second, has_candles=False)
            prices, times = view.newest_at(second, _FRESH_BARS)
            places = np.fromiter(rows.values(), np.intp, len(rows))
            stretch = view.stretch(second - within_sec, second - 1, places)
        found = {}
        for place, (name, row) in enumerate(rows.items()):
            move = excursion(stretch, place, (float(prices[row]), float(times[row])))
            if move is not None:
                found[name] = move
        return found

    def history(self, symbol: str, now: float, seconds: int = 900) -> pd.DataFrame:
        """Last price of each of the ``seconds`` seconds up to ``now``, as column ``price``.

        The index is the second since the epoch. A second without a tick is NaN: a hole, not a
        line; a candle's last price counts as of second 59. Empty for an unknown symbol.
        """
        end = int(now) + 1
        index = pd.RangeIndex(end - seconds, end, name="second")
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None:
                return pd.DataFrame({"price": np.empty(0)}, index=index[:0])
            price = self._view(end - 1).prices(row, np.arange(end - seconds, end))
        return pd.DataFrame({"price": price}, index=index)

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The regime of ``symbol`` at the newest closed bar, or as it was at ``now``."""
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None:
                return "unknown"
            self._know_symbols()
            bar = self._samples.closed
            if now is not None:
                bar = min(bar, int(now) // BAR_SEC - 1)
            second = (bar + 1) * BAR_SEC if now is None else int(now)
            return REGIMES[int(self._view(second).regimes_at(bar)[0][row])]

    def vendors(self, now: float) -> dict[str, str]:
        """Whose prices each symbol has at ``now``, as far as that is known."""
        with self._lock:
            rows = self._rings.rows
            served = self._windows.served(int(now), len(rows)).tolist()
            return {
                symbol: self._windows.vendor(served[row])
                for symbol, row in rows.items()
                if served[row] and symbol not in self._hidden
            }

    def candles_until(self, symbol: str, now: float, seconds: int = RANGE_SEC) -> int | None:
        """Until when prices of the ``seconds`` up to ``now`` are from candles; None: none are."""
        with self._lock:
            row = self._rings.rows.get(symbol)
            return (
                None if row is None else self._view(int(now)).candles_until(row, int(now), seconds)
            )

    def trace(self, symbols: Sequence[str], window_sec: int, now: float) -> Floats:
        """Log of the mean price of every ten seconds, [symbol, bar]; NaN if there is no price.

        As ``bars``; a candle's last price is that of the last ten seconds of its minute.
        """
        end = int(now) // BAR_SEC
        with self._lock:
            rows = [self._rings.rows.get(symbol, -1) for symbol in symbols]
            sums = self._view(int(now)).trace(end - window_sec // BAR_SEC, end, rows)
        return mean_logs(*sums)

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Log of the mean price and number of ticks per bin, two [symbol, bin] arrays.

        The bins are aligned to the epoch and are the ``window_sec // bin_sec`` ones that ended at
        or before ``now``; the log is NaN if a bin has no tick. ``bin_sec`` is a multiple of 10. In
        bins of 60 s the mean of a candle, with ``CANDLE_TICKS``, stands for a minute without ticks.
        """
        if bin_sec < BAR_SEC or bin_sec % BAR_SEC:
            raise ValueError(f"bin_sec is {bin_sec}, expected a multiple of {BAR_SEC} seconds")
        per_bin = bin_sec // BAR_SEC
        bins = window_sec // bin_sec
        end = int(now) // bin_sec * per_bin
        with self._lock:
            rows = [self._rings.rows.get(symbol, -1) for symbol in symbols]
            view = self._view(int(now))
            if bin_sec == 60:
                bar_sum, bar_n = view.minute_sums(end // per_bin - bins, end // per_bin, rows)
                return mean_logs(bar_sum, bar_n), bar_n
            bar_sum, bar_n = view.bar_sums(end - bins * per_bin, end, rows)
        shape = (len(rows), bins, per_bin)
        bin_sum = bar_sum.reshape(shape).sum(axis=2)
        bin_n = bar_n.reshape(shape).sum(axis=2, dtype=np.int32)
        return mean_logs(bin_sum, bin_n), bin_n

    # Private.

    def _view(self, second: int, *, has_candles: bool = True) -> View:
        """What a second sees."""
        count = len(self._rings.rows)
        shown = None
        if has_candles and self._candles.has_any:
            shown = self._candles.shown(second, self._windows.served(second, count))
        return View(self._rings, self._samples, self._windows.since(second, count), shown)

    def _referenced(self, held: Iterable[Held]) -> list[Referenced]:
        """References by symbol and vendor."""
        names = list(self._rings.rows)
        return [
            Referenced(names[row], price, *stretch[:3], self._windows.vendor(stretch.vendor))
            for row, price, stretch in held
        ]

    def _know_symbols(self) -> None:
        """Give the symbols that appeared a row everywhere."""
        rings, known = self._rings, len(self._index)
        if known < len(rings.rows):
            names = list(rings.rows)
            for symbol, asset in zip(names[known:], rings.assets[known:], strict=True):
                self._day.add_symbol(symbol, asset)
            self._samples.add_rows(len(names))
            self._index = pd.Index(np.array(names, dtype=object), dtype=object, name="symbol")
            self._hide(self._hidden)

    def _hide(self, hidden: frozenset[str]) -> None:
        """Show all symbols but these."""
        names, assets = self._index.tolist(), self._rings.assets
        is_shown = np.array([name not in hidden for name in names], np.bool_)
        self._hidden = hidden
        self._shown = None if is_shown.all() else np.flatnonzero(is_shown)
        self._shown_index = self._index if self._shown is None else self._index.take(self._shown)
        # What is hidden is of no class: it is nobody's peer.
        shown = zip(assets[: len(names)], is_shown.tolist(), strict=True)
        self._asset = np.array([asset if is_one else "" for asset, is_one in shown], dtype=object)

    def _shown_rows(self) -> npt.NDArray[np.intp] | slice:
        """The rows that a frame has."""
        self._know_symbols()
        return slice(None) if self._shown is None else self._shown

    def _columns(self, now: float) -> tuple[dict[str, npt.NDArray[Any]], pd.Index[Any]]:
        with self._lock:
            shown, index = self._shown_rows(), self._shown_index
            view, second = self._view(int(now)), int(now)
            served = self._windows.served(second, len(self._index))
            measured = self._references.at(second, served)
            instant = _instant(view, self._day, measured, now, self._asset)
        # Not under the lock: this is most of the work, and on copies.
        return {name: column(instant)[shown] for name, column in COLUMNS.items()}, index

    def _parts(self, first: int, last: int, at_once: int) -> Iterator[tuple[int, int]]:
        """The bars from ``first`` to ``last`` in parts of some, each by its first and last.

        A bar in which a window begins, and what follows, is judged by what is in that window.
        """
        with self._lock:
            begins = self._windows.begins_within(first * BAR_SEC, (last + 1) * BAR_SEC - 1)
        edges = [first, *sorted({begin // BAR_SEC for begin in begins} - {first}), last + 1]
        for begin, end in pairwise(edges):
            for bar in range(begin, end, at_once):
                yield bar, min(bar + at_once, end) - 1

    def _close(self, first: int, last: int, first_row: int | None = None) -> None:
        """Keep what is found at the close of each bar, and of each minute that is over.

        With a ``first_row`` only of that row and those after it, of bars that are closed already.
        """
        with self._lock:
            self._know_symbols()
            rings, samples = self._rings, self._samples
            view = self._view((first + 1) * BAR_SEC - 1, has_candles=False)
            if last > rings.head:
                rings.roll(last)
            if not rings.has_ticks(first - VOL_BARS + 1, last + 1):
                if first_row is None:
                    samples.write_nothing(first, last)  # a long gap
                return
            before, _ = view.regimes_at(first - 1)
        shape = len(before), last - first + 1
        vol, medians = np.empty((2, *shape), np.float32)
        regimes = np.empty(shape, np.int8)
        ret_1m, z = np.full((2, *shape, BAR_SEC), np.nan)
        # Some at a time: of what all take at once the allocator would keep a tenth of the store.
        for begin in range(first_row or 0, shape[0], _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            with self._lock:
                bar_sums = view.bar_sums(first - VOL_BARS + 1, last + 1, some)
                vols = view.vol(first - SAMPLE_BARS + 1, last + 1, some)
                seconds = view.stretch(
                    first * BAR_SEC - LEAD_SEC, (last + 1) * BAR_SEC - 1, some
                ).price
            sampled = sample_bars(*bar_sums, vols, before[some])
            vol[some], medians[some], regimes[some] = sampled
            ret_1m[some] = minute_returns(seconds).reshape(len(vols), *ret_1m.shape[1:])
            sigma = vols[:, -_SIGMA_BARS - shape[1] : -_SIGMA_BARS].astype(np.float64) * _SIGMA_1M
            z[some] = ratio(ret_1m[some], sigma[:, :, None])
        heat, parts = np.empty(vol.shape, np.float16), np.empty(vol.shape, np.int8)
        for minute in range(first // _MINUTE_BARS, last // _MINUTE_BARS + 1):
            end = (minute + 1) * _MINUTE_BARS - first
            of_minute = slice(max(0, end - _MINUTE_BARS), end)
            with self._lock:
                usual = self._day.at(minute * 60)
            z_of = z[:, of_minute]
            surprise, _ = usual.surprise(z_of.reshape(len(z), -1))
            heat[:, of_minute], parts[:, of_minute] = hottest(surprise.reshape(z_of.shape))
            if end <= vol.shape[1] and first_row is None:
                with self._lock:
                    ret_5m = _ret_5m(view, minute * 60 + 59)
                    self._day.close(minute, z_of[:, -1, -1], ret_1m[:, end - 1, -1], ret_5m)
        with self._lock:
            samples.write(first, ClosedBars(vol, medians, heat, parts, regimes), first_row)


def _ret_5m(view: View, second: int) -> Floats:
    horizon = HORIZONS_SEC["5m"]
    now = view.newest_at(second, horizon // BAR_SEC)
    reference = view.newest_at(second - horizon, horizon // (2 * BAR_SEC))
    return returns(now, reference, second, horizon)


def _instant(
    view: View, day: DayMemory, measured: Measured, now: float, asset: npt.NDArray[Any]
) -> Instant:
    """What the columns of ``now`` are computed from."""
    second = int(now)
    end = second // BAR_SEC
    prices = view.newest(second)
    references = {
        name: view.price_at(second - horizon, -(-horizon // (2 * BAR_SEC)))
        for name, horizon in HORIZONS_SEC.items()
    }
    bar_sum, bar_n = view.bar_sums(end - VOL_BARS, end)
    before_5m = second - HORIZONS_SEC["5m"]
    regime, vol_median = view.regimes_at(min(view.closed, end - 1))
    low, high = view.price_range(second, RANGE_SEC)
    return Instant(
        now=now,
        asset=asset,
        last=prices.shown[0],
        last_ts=prices.shown[1],
        measured=measured.price,
        measured_from=np.fmax(measured.counts_from, prices.own_from),
        newest=prices.in_window,
        references=references,
        ticked_1m=(prices.ticked, view.newest_at(second - 60, 3)) if view.has_candles else None,
        recent=view.stretch(end * BAR_SEC - LEAD_SEC, second),
        before_5m=view.stretch(before_5m - END_REACH_SEC + 1, before_5m),
        bar_sum=bar_sum,
        bar_n=bar_n,
        vol={
            "now": view.vol_at(end - 1),
            "1m": view.vol_at(end - _SIGMA_BARS),
            "5m": view.vol_at(end - 1 - HORIZONS_SEC["5m"] // BAR_SEC),
        },
        regime=regime,
        vol_median=vol_median,
        hottest=view.hottest(end - HEAT_BARS, end),
        low=low,
        high=high,
        price_step=view.price_step(second, RANGE_SEC // 60),
        usual=day.at(second),
    )


def to_snapshots(frame: pd.DataFrame, now: float) -> list[dict[str, Any]]:
    """The rows of a store's frame as dicts, with ``symbol`` and ``now``; None: not known yet."""
    # All columns at once: a Series for each would cost more than the rest.
    lists = frame.to_numpy(object).T.tolist()
    return _records(frame.index.tolist(), frame.columns.tolist(), lists, now)


def _records(
    symbols: list[str], names: list[str], lists: list[list[Any]], now: float
) -> list[dict[str, Any]]:
    # NaN is the only value that differs from itself.
    cleaned = [[value if value == value else None for value in values] for values in lists]
    return [
        {"symbol": symbol, "now": now, **dict(zip(names, row, strict=True))}
        for symbol, row in zip(symbols, zip(*cleaned, strict=True), strict=True)
    ]
