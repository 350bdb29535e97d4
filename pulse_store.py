"""PulseStore: locked rolling state per symbol, and the frames computed from it.

The worker's thread writes (``update_many``, ``set_last``, ``advance``); any thread reads. Time is
always an argument: the store has no clock. A tick lives in the second of its own timestamp and in
the ten-second bar around that second, both held in rings; every metric is computed from the rings
when read, so nothing drifts and reading changes nothing.
"""

from __future__ import annotations

import math
import mmap
import threading
from collections.abc import Iterable, MutableSequence, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bars import CELL, Bars
from formulas import (
    BAR_SEC,
    COLUMNS,
    INSTANT_BARS,
    REGIMES,
    SAMPLE_BARS,
    VOL_BARS,
    Floats,
    Instant,
    Ints,
    Steps,
    judge_regimes,
    mean_logs,
    ranked_anew,
)
from ticks import ASSETS, HORIZONS_SEC, WINDOW_SEC, Regime, Tick

__all__ = ["PulseStore", "to_snapshots"]

# An hour of 60 s correlation bars reaches up to a bar and an open bar behind the hour itself.
_SPARE_BARS = 7
# Of a long stretch, so many bars are closed in one go: it bounds the memory that takes.
_CLOSED_AT_ONCE = 90
# A tick may come a minute late; until then its second can still be taken.
_RECENT_BARS = 9
# The year 10000: a later time is in another unit, and would empty every ring.
_TIMES_END = 253_402_300_800.0


class _Rings(NamedTuple):
    """One block of memory for all symbols; zero bytes mean empty, so unused rows cost nothing."""

    price: npt.NDArray[np.float64]
    """[symbol, bar, second in bar]: price of the second's newest tick, 0 where none fell."""
    ms: npt.NDArray[np.int16]
    """[symbol, bar, second in bar]: that tick's millisecond within its second."""
    bar_sum: npt.NDArray[np.float64]
    """[symbol, bar]: sum of the prices of the bar's ticks."""
    bar_n: npt.NDArray[np.int32]
    """[symbol, bar]: number of ticks."""
    recent_sum: npt.NDArray[np.float64]
    """[symbol, recent bar, second in bar]: sum of the prices of the second's ticks."""
    recent_n: npt.NDArray[np.int32]
    """[symbol, recent bar, second in bar]: number of ticks."""
    vol: npt.NDArray[np.float64]
    """[symbol, bar]: vol_15m as it stood when the bar closed."""
    vol_median: npt.NDArray[np.float32]
    """[symbol, bar]: median of the hour of samples that ended with this one."""
    regime: npt.NDArray[np.int8]
    """[symbol, bar]: index into the regimes."""
    last: npt.NDArray[np.float64]
    """[symbol]: price of the newest tick."""
    last_ts: npt.NDArray[np.float64]
    """[symbol]: its time, 0 where there was none."""

    @classmethod
    def zeros(cls, rows: int, bars: int, recent: int) -> _Rings:
        return cls(
            price=_pages((rows, bars, BAR_SEC), np.float64),
            ms=_pages((rows, bars, BAR_SEC), np.int16),
            bar_sum=_pages((rows, bars), np.float64),
            bar_n=_pages((rows, bars), np.int32),
            recent_sum=_pages((rows, recent, BAR_SEC), np.float64),
            recent_n=_pages((rows, recent, BAR_SEC), np.int32),
            vol=_pages((rows, bars), np.float64),
            vol_median=_pages((rows, bars), np.float32),
            regime=_pages((rows, bars), np.int8),
            last=_pages((rows,), np.float64),
            last_ts=_pages((rows,), np.float64),
        )


def _pages(shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Zeros in pages of their own: resident where written, and the system's again when let go.

    The allocator would keep what a smaller block leaves behind, a third of a large store.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, buffer=mmap.mmap(-1, max(1, size)))


class _Cells(NamedTuple):
    """The first six rings, flat: a tick touches a dozen items, and these cost half of numpy's."""

    price: MutableSequence[float]
    ms: MutableSequence[int]
    bar_sum: MutableSequence[float]
    bar_n: MutableSequence[int]
    recent_sum: MutableSequence[float]
    recent_n: MutableSequence[int]


class _Newest(NamedTuple):
    """The last two rings, likewise."""

    last: MutableSequence[float]
    last_ts: MutableSequence[float]


class PulseStore:
    """Rolling prices of every symbol over ``window_sec``, and the metrics of any second of it.

    ``window_sec`` is a multiple of 60. Memory is some 46 kB a symbol for an hour, whatever the
    tick rate. With ``records`` the one-second bars can be taken as they form. All methods are
    thread-safe.
    """

    def __init__(self, window_sec: int = WINDOW_SEC, *, records: bool = False) -> None:
        if window_sec < 60 or window_sec % 60:
            raise ValueError(
                f"window_sec is {window_sec}, expected a multiple of 60 seconds, at least 60"
            )
        self.window_sec = window_sec
        self._bars = window_sec // BAR_SEC + _SPARE_BARS
        # Guards everything below.
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._assets: list[str] = []
        self._named: tuple[tuple[str, ...], tuple[str, ...]] = (), ()  # both, as bars share them
        self._index: pd.Index[Any] = pd.Index([], dtype=object, name="symbol")
        self._asset: npt.NDArray[Any] = np.empty(0, dtype=object)
        self._given: set[int] = set()  # rows whose last price is in no window: any tick replaces it
        self._head = -1  # newest bar any tick or close has reached
        self._closed = -1  # newest bar whose volatility was sampled
        self._recent = _RECENT_BARS if records else 0
        self._touched: set[int] = set()  # recent seconds that changed since they were last taken
        self._spilled: list[npt.NDArray[Any]] = []  # such as had to go before they were taken
        self._allocate(_Rings.zeros(0, self._bars, self._recent))

    # Writing: the worker.

    def watch(self, asset: str, symbols: Iterable[str]) -> None:
        """Give ``symbols`` a row each, in this order, before they have a price.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            for symbol in symbols:
                if symbol not in self._rows:
                    self._register(symbol, asset)

    def update(self, tick: Tick) -> None:
        """Take one tick; see ``update_many``."""
        self.update_many((tick,))

    def update_many(self, ticks: Iterable[Tick]) -> None:
        """Take ticks in order of arrival.

        A late tick goes to its own second and never replaces a newer last price; of two with the
        same millisecond the later arrival wins; one older than the stored bars is left out.

        Raises:
            ValueError: for a price that is not a positive finite number, a time that is none, or
                an unknown asset class; the ticks before it are taken.
        """
        bars, recent, touched = self._bars, self._recent, self._touched
        newest_touched = -1
        with self._lock:
            price_at, ms_at, sum_at, n_at, recent_sum_at, recent_n_at = self._cells
            last_at, last_ts_at = self._newest
            row_of, given, head = self._rows.get, self._given, self._head
            for symbol, asset, ts, price in ticks:
                if not (0.0 < price < math.inf and 0.0 <= ts < _TIMES_END):
                    raise _bad_tick(symbol, ts, price)
                row = row_of(symbol)
                if row is None:
                    row = self._register(symbol, asset)
                    price_at, ms_at, sum_at, n_at, recent_sum_at, recent_n_at = self._cells
                    last_at, last_ts_at = self._newest
                second = int(ts)
                # To the millisecond, as vendors stamp; a float's noise must not break ties.
                ms = min(999, int((ts - second) * 1000.0 + 0.5))
                bar = second // BAR_SEC
                if bar > head:
                    self._roll(bar)
                    head = bar
                newest = last_ts_at[row]
                if ts >= newest or _same_ms(ts, newest) or row in given:
                    last_at[row] = price
                    last_ts_at[row] = ts
                    if given:
                        given.discard(row)
                if bar <= head - bars:
                    continue
                cell = row * bars + bar % bars
                part = second % BAR_SEC
                slot = cell * BAR_SEC + part
                if price_at[slot] == 0.0 or ms >= ms_at[slot]:
                    price_at[slot] = price
                    ms_at[slot] = ms
                sum_at[cell] += price
                n_at[cell] += 1
                if bar > head - recent:
                    slot = (row * recent + bar % recent) * BAR_SEC + part
                    recent_sum_at[slot] += price
                    recent_n_at[slot] += 1
                    if second != newest_touched:
                        touched.add(second)
                        newest_touched = second

    def set_last(self, tick: Tick) -> None:
        """Give a symbol without any price its last one; it enters no window.

        Raises:
            ValueError: as ``update_many``.
        """
        if not (0.0 < tick.price < math.inf and 0.0 <= tick.ts < _TIMES_END):
            raise _bad_tick(tick.symbol, tick.ts, tick.price)
        with self._lock:
            row = self._rows.get(tick.symbol)
            if row is None:
                row = self._register(tick.symbol, tick.asset)
            if self._rings.last_ts[row] == 0.0:
                self._rings.last[row] = tick.price
                self._rings.last_ts[row] = tick.ts
                self._given.add(row)

    def load(self, bars: Bars) -> None:
        """Take bars of the past, in one go; the seconds they lie in are to be empty.

        What is older than the stored bars is left out; ``advance`` then samples the rest.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            # At once: each growth copies all there is.
            needed = len(self._rows.keys() | set(bars.symbols))
            if needed > len(self._rings.last):
                self._grow(needed)
            rows = np.array(
                [
                    self._register(symbol, asset) if row is None else row
                    for symbol, asset in zip(bars.symbols, bars.assets, strict=True)
                    for row in (self._rows.get(symbol),)
                ],
                dtype=np.intp,
            )
            if not len(bars):
                return
            newest = int(bars.cells["second"][-1])
            if newest // BAR_SEC > self._head:
                self._roll(newest // BAR_SEC)
            oldest = (self._head - self._bars + 1) * BAR_SEC
            cells = bars.between(oldest, newest + 1).cells
            self._fill(cells, rows[cells["row"]])

    def take(self) -> Bars:
        """The bars that changed since this was last asked; each as it is now.

        A bar is taken again when a tick comes after all. Nothing where the store does not record.
        """
        with self._lock:
            cells = [*self._spilled, *map(self._second, sorted(self._touched))]
            self._spilled = []
            self._touched.clear()
            if len(self._named[0]) != len(self._rows):
                self._named = tuple(self._rows), tuple(self._assets)
            symbols, assets = self._named
        return Bars(symbols, assets, np.concatenate(cells) if cells else np.empty(0, CELL))

    def advance(self, now: float) -> None:
        """Close the bars that ended at or before ``now``: sample volatility, judge regimes."""
        newest = int(now) // BAR_SEC - 1
        if self._closed < 0:
            # Nothing to sample before the first tick, which may yet come from the past.
            with self._lock:
                live = self._first_live_bar(newest)
            if live > newest:
                return
            self._closed = live - 1
        first = max(self._closed + 1, newest - self._bars + 1)
        # Several at once only where all that any of them looks at is still stored at their end.
        at_once = _CLOSED_AT_ONCE if self._bars >= SAMPLE_BARS + _CLOSED_AT_ONCE else 1
        for bar in range(first, newest + 1, at_once):
            self._close(bar, min(bar + at_once - 1, newest))

    def step_back(self, now: float) -> None:
        """Take note that the clock was set back: what follows is closed and taken in its time.

        Ticks that are ahead of ``now`` stay.
        """
        with self._lock:
            bar = int(now) // BAR_SEC
            self._closed = min(self._closed, bar - 1)
            ids = np.arange(max(0, self._head - self._bars + 1), self._head + 1)
            live = self._rings.bar_n[: len(self._rows)].take(ids % self._bars, axis=1).any(axis=0)
            newest = int(ids[live][-1]) if live.any() else -1
            self._head = min(self._head, max(bar, newest))

    # Reading: anybody.

    @property
    def symbols(self) -> list[str]:
        """Every symbol that is watched or had a price, in order of appearance."""
        with self._lock:
            return list(self._rows)

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

    def history(self, symbol: str, now: float, seconds: int = 900) -> pd.DataFrame:
        """Last price of each of the ``seconds`` seconds up to ``now``, as column ``price``.

        The index is the second since the epoch. A second without a tick is NaN: a hole, not a
        line. Empty for an unknown symbol.
        """
        end = int(now)
        index = pd.RangeIndex(end - seconds + 1, end + 1, name="second")
        wanted = np.arange(end - seconds + 1, end + 1)
        with self._lock:
            row = self._rows.get(symbol)
            if row is None:
                return pd.DataFrame({"price": np.empty(0)}, index=index[:0])
            bar, second = np.divmod(wanted, BAR_SEC)
            price = self._rings.price[row, bar % self._bars, second]
            price[~self._stored(bar)] = 0.0
        return pd.DataFrame({"price": np.where(price > 0, price, np.nan)}, index=index)

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The regime of ``symbol`` at the newest closed bar, or as it was at ``now``."""
        with self._lock:
            row = self._rows.get(symbol)
            if row is None:
                return "unknown"
            bar = self._closed if now is None else min(self._closed, int(now) // BAR_SEC - 1)
            if not self._stored(np.array([bar]))[0]:
                return "unknown"
            return REGIMES[int(self._rings.regime[row, bar % self._bars])]

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Log of the mean price and number of ticks per bin, two [symbol, bin] arrays.

        The bins are aligned to the epoch and are the ``window_sec // bin_sec`` ones that ended at
        or before ``now``; the log is NaN where a bin has no tick. ``bin_sec`` is a multiple of 10.
        """
        if bin_sec < BAR_SEC or bin_sec % BAR_SEC:
            raise ValueError(f"bin_sec is {bin_sec}, expected a multiple of {BAR_SEC} seconds")
        per_bin = bin_sec // BAR_SEC
        bins = window_sec // bin_sec
        end = int(now) // bin_sec * per_bin
        with self._lock:
            rows = [self._rows.get(symbol, -1) for symbol in symbols]
            bar_sum, bar_n = self._take_bars(end - bins * per_bin, end, rows)
        shape = (len(rows), bins, per_bin)
        bin_sum = bar_sum.reshape(shape).sum(axis=2)
        bin_n = bar_n.reshape(shape).sum(axis=2, dtype=np.int32)
        return mean_logs(bin_sum, bin_n), bin_n

    # Private. Those that touch the rings are called with the lock held, but for _close.

    def _allocate(self, rings: _Rings) -> None:
        self._rings = rings
        self._cells = _Cells(*(_flat(ring) for ring in rings[:6]))
        self._newest = _Newest(_flat(rings.last), _flat(rings.last_ts))

    def _grow(self, rows: int) -> None:
        """Make room for so many rows."""
        grown, held = _Rings.zeros(rows, self._bars, self._recent), len(self._rows)
        for new, old in zip(grown, self._rings, strict=True):
            cast("npt.NDArray[Any]", new)[:held] = cast("npt.NDArray[Any]", old)[:held]
        self._allocate(grown)

    def _register(self, symbol: str, asset: str) -> int:
        if asset not in ASSETS:
            raise ValueError(f"asset of {symbol} is {asset!r}, expected one of {', '.join(ASSETS)}")
        row = len(self._rows)
        if row == len(self._rings.last):
            self._grow(max(64, row + row // 4))
        self._rings.vol[row] = np.nan
        self._rings.vol_median[row] = np.nan
        self._rows[symbol] = row
        self._assets.append(asset)
        return row

    def _roll(self, bar: int) -> None:
        """Make ``bar`` the newest one: empty the places of the bars between."""
        if self._recent:
            self._roll_recent(bar)  # first: it reads what a long jump empties
        rows = len(self._rows)
        first = max(self._head + 1, bar - self._bars + 1)
        places = np.arange(first, bar + 1) % self._bars
        for ring in (self._rings.price, self._rings.bar_sum, self._rings.bar_n, self._rings.regime):
            ring[:rows, places] = 0
        self._rings.vol[:rows, places] = np.nan
        self._rings.vol_median[:rows, places] = np.nan
        self._head = bar

    def _roll_recent(self, bar: int) -> None:
        gone = sorted(s for s in self._touched if s // BAR_SEC <= bar - self._recent)
        self._spilled += map(self._second, gone)
        self._touched.difference_update(gone)
        rows = len(self._rows)
        first = max(self._head + 1, bar - self._recent + 1)
        places = np.arange(first, bar + 1) % self._recent
        self._rings.recent_sum[:rows, places] = 0
        self._rings.recent_n[:rows, places] = 0

    def _second(self, second: int) -> npt.NDArray[Any]:
        """The cells of a recent second."""
        count = len(self._rows)
        bar, part = divmod(second, BAR_SEC)
        n = self._rings.recent_n[:count, bar % self._recent, part]
        rows = np.flatnonzero(n)
        cells = np.empty(len(rows), CELL)
        cells["second"], cells["row"], cells["n"] = second, rows, n[rows]
        cells["sum"] = self._rings.recent_sum[rows, bar % self._recent, part]
        cells["price"] = self._rings.price[rows, bar % self._bars, part]
        cells["ms"] = self._rings.ms[rows, bar % self._bars, part]
        return cells

    def _fill(self, cells: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> None:
        """Put stored bars into the rings, and the newest of each symbol where no tick is newer."""
        rings = self._rings
        # By flat index: of millions of cells, three indices each would take twice as long.
        bar, part = np.divmod(cells["second"], BAR_SEC)
        cell = rows * self._bars + bar % self._bars
        slot = cell * BAR_SEC + part
        rings.price.reshape(-1)[slot] = cells["price"]
        rings.ms.reshape(-1)[slot] = cells["ms"]
        # Sums of what falls into the same place, which indexing alone would not give.
        size = len(self._rows) * self._bars
        for ring, values in ((rings.bar_sum, cells["sum"]), (rings.bar_n, cells["n"])):
            flat = ring.reshape(-1)[:size]
            flat += np.bincount(cell, values, size).astype(flat.dtype)
        if self._recent:
            near = int(np.searchsorted(bar, self._head - self._recent, "right"))
            at = (rows[near:], bar[near:] % self._recent, part[near:])
            rings.recent_sum[at] = cells["sum"][near:]
            rings.recent_n[at] = cells["n"][near:]
        # The last of each symbol: cells are in order of time, and of several the last one stays.
        last_of = np.full(len(self._rows), -1)
        last_of[rows] = np.arange(len(cells))
        found = np.flatnonzero(last_of >= 0)
        newest = cells[last_of[found]]
        ts = newest["second"] + newest["ms"] / 1000.0
        newer = (ts >= rings.last_ts[found]) | np.isin(found, list(self._given))
        rings.last[found[newer]] = newest["price"][newer]
        rings.last_ts[found[newer]] = ts[newer]
        self._given.difference_update(found[newer].tolist())

    def _stored(self, bar: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return (bar >= 0) & (bar <= self._head) & (bar > self._head - self._bars)

    def _first_live_bar(self, newest: int) -> int:
        """The oldest stored bar with a tick; after ``newest`` where there is none before."""
        ids = np.arange(max(0, self._head - self._bars + 1), self._head + 1)
        live = self._rings.bar_n[: len(self._rows)].take(ids % self._bars, axis=1).any(axis=0)
        return min(int(ids[live.argmax()]), newest + 1) if live.any() else newest + 1

    def _take_bars(
        self, first: int, end: int, rows: Sequence[int] | None = None
    ) -> tuple[Floats, Ints]:
        """Sums and counts of the bars ``first`` to ``end`` (excluded), copied; row -1 is empty."""
        ids = np.arange(first, end)
        places = ids % self._bars
        missing = ~self._stored(ids)
        if rows is None:
            count = len(self._rows)
            bar_sum = self._rings.bar_sum[:count].take(places, axis=1)
            bar_n = self._rings.bar_n[:count].take(places, axis=1)
        else:
            picked = np.array(rows, dtype=np.intp)
            known = picked >= 0
            bar_sum = np.zeros((len(picked), len(ids)))
            bar_n = np.zeros((len(picked), len(ids)), np.int32)
            bar_sum[known] = self._rings.bar_sum[np.ix_(picked[known], places)]
            bar_n[known] = self._rings.bar_n[np.ix_(picked[known], places)]
        if missing.any():
            bar_sum[:, missing] = 0.0  # another hour's bars lie in their places
            bar_n[:, missing] = 0
        return bar_sum, bar_n

    def _newest_at(self, second: int, reach_bars: int) -> tuple[Floats, Floats]:
        """Price and time of each symbol's newest tick whose second is at or before ``second``.

        Looks through the bar of ``second`` and ``reach_bars`` bars before it; NaN where none.
        """
        count = len(self._rows)
        rows = np.arange(count)
        bar, part = divmod(second, BAR_SEC)
        ids = bar - np.arange(reach_bars + 1)
        places = ids % self._bars
        live = self._rings.bar_n[:count].take(places, axis=1) > 0
        live[:, 0] = (self._rings.price[:count, places[0], : part + 1] > 0).any(axis=1)
        live &= self._stored(ids)
        back = live.argmax(axis=1)
        place = places[back]
        seconds = self._rings.price[rows, place]
        filled = seconds > 0
        filled[:, part + 1 :] &= (back > 0)[:, None]
        at = BAR_SEC - 1 - filled[:, ::-1].argmax(axis=1)
        found = live[rows, back]
        price = np.where(found, seconds[rows, at], np.nan)
        ts = (bar - back) * BAR_SEC + at + self._rings.ms[rows, place, at] / 1000.0
        return price, np.where(found, ts, np.nan)

    def _instant(self, now: float, asset: npt.NDArray[Any]) -> Instant:
        second = int(now)
        count = len(self._rows)
        last, last_ts = self._rings.last[:count].copy(), self._rings.last_ts[:count].copy()
        never = last_ts == 0.0
        last[never] = last_ts[never] = np.nan
        newer = np.floor(last_ts) > second
        if newer.any():
            price, ts = self._newest_at(second, self._bars - 1)
            last, last_ts = np.where(newer, price, last), np.where(newer, ts, last_ts)
        references = {
            name: self._newest_at(second - horizon, -(-horizon // (2 * BAR_SEC)))
            for name, horizon in HORIZONS_SEC.items()
        }
        end = second // BAR_SEC
        bar_sum, bar_n = self._take_bars(end - INSTANT_BARS, end)
        sampled = min(self._closed, end - 1)
        if self._stored(np.array([sampled]))[0]:
            regime = self._rings.regime[:count, sampled % self._bars].copy()
            vol_median = self._rings.vol_median[:count, sampled % self._bars].astype(np.float64)
        else:
            regime, vol_median = np.zeros(count, np.int8), np.full(count, np.nan)
        return Instant(now, asset, last, last_ts, references, bar_sum, bar_n, regime, vol_median)

    def _columns(self, now: float) -> tuple[dict[str, npt.NDArray[Any]], pd.Index[Any]]:
        with self._lock:
            if len(self._index) != len(self._rows):
                names = np.array(list(self._rows), dtype=object)
                self._index = pd.Index(names, dtype=object, name="symbol")
                self._asset = np.array(self._assets, dtype=object)
            index = self._index
            instant = self._instant(now, self._asset)
        return {name: column(instant) for name, column in COLUMNS.items()}, index

    def _close(self, first: int, last: int) -> None:
        """Sample the volatility of every symbol at the close of each bar and judge its regime."""
        count = last - first + 1
        with self._lock:
            if last > self._head:
                self._roll(last)
            bar_sum, bar_n = self._take_bars(first - VOL_BARS + 1, last + 1)
            if not bar_n.any():
                self._closed = last  # a long gap: its places are empty already
                return
            ids = np.arange(first - SAMPLE_BARS + 1, last + 1)
            samples = self._rings.vol[: len(bar_n)].take(ids % self._bars, axis=1)
            samples[:, ~self._stored(ids)] = np.nan
            before = self._rings.regime[: len(bar_n), (first - 1) % self._bars].copy()
        steps = Steps.between(mean_logs(bar_sum, bar_n), bar_n)
        regimes = np.empty((len(bar_n), count), np.int8)
        medians = np.empty((len(bar_n), count))
        for at in range(count):
            upto = at + SAMPLE_BARS
            newest = samples[:, upto - 1] = steps.volatility(at, at + VOL_BARS)
            if at == 0:
                ranked = np.sort(samples[:, :upto], axis=1)  # NaN sorts last
            else:
                ranked = ranked_anew(ranked, samples[:, at - 1], newest)
            before, medians[:, at] = judge_regimes(ranked, newest, before)
            regimes[:, at] = before
        with self._lock:
            places = np.arange(first, last + 1) % self._bars
            self._rings.vol[: len(regimes), places] = samples[:, -count:]
            self._rings.vol_median[: len(regimes), places] = medians
            self._rings.regime[: len(regimes), places] = regimes
            self._closed = last


def _bad_tick(symbol: str, ts: float, price: float) -> ValueError:
    if not 0.0 < price < math.inf:
        return ValueError(f"price of {symbol} is {price}, expected a positive number")
    return ValueError(f"time of {symbol} is {ts}, expected seconds since the epoch")


def _same_ms(ts: float, newest: float) -> bool:
    """Whether two times are one stamp of a vendor who counts milliseconds."""
    return int(ts) == int(newest) and int(ts * 1000.0 + 0.5) == int(newest * 1000.0 + 0.5)


def _flat(ring: Any) -> Any:
    return memoryview(ring.reshape(-1))


def to_snapshots(frame: pd.DataFrame, now: float) -> list[dict[str, Any]]:
    """The rows of a store's frame as dicts, with ``symbol`` and ``now``; None: not known yet."""
    lists = [frame[name].tolist() for name in frame.columns]
    return _records(frame.index.tolist(), list(frame.columns), lists, now)


def _records(
    symbols: list[str], names: list[str], lists: list[list[Any]], now: float
) -> list[dict[str, Any]]:
    # NaN is the only value that differs from itself.
    cleaned = [[value if value == value else None for value in values] for values in lists]
    return [
        {"symbol": symbol, "now": now, **dict(zip(names, row, strict=True))}
        for symbol, row in zip(symbols, zip(*cleaned, strict=True), strict=True)
    ]
