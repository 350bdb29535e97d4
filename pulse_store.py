"""PulseStore: the locked rolling prices of every symbol, and the frame of any second of them.

The worker's thread writes; any thread reads. Time is always an argument: the store has no clock.
Every figure is computed from the rings when read, so nothing drifts and reading changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bars import Bars, Minutes
from formulas import (
    BAR_SEC,
    COLUMNS,
    INSTANT_BARS,
    RANGE_SEC,
    REGIMES,
    SAMPLE_BARS,
    VOL_BARS,
    Floats,
    Instant,
    Ints,
    mean_logs,
    sample_bars,
)
from rings import Rings
from ticks import HORIZONS_SEC, WINDOW_SEC, Regime, Tick
from usual import DayMemory

__all__ = ["PulseStore", "to_snapshots"]

# An hour of 60 s correlation bars extends up to a bar and an open bar beyond the hour itself.
_SPARE_BARS = 7
# Of a long stretch this many bars are closed in one go: it bounds the memory that takes.
_CLOSED_AT_ONCE = 90


class PulseStore:
    """Rolling prices of every symbol over ``window_sec``, and the metrics of any second of it.

    ``window_sec`` is a multiple of 60. Memory is some 47 kB a symbol for an hour, whatever the
    tick rate. With ``records`` the one-second bars can be collected as they form. All methods are
    thread-safe; those that write are called by one thread only.
    """

    def __init__(self, window_sec: int = WINDOW_SEC, *, records: bool = False) -> None:
        if window_sec < 60 or window_sec % 60:
            raise ValueError(
                f"window_sec is {window_sec}, expected a multiple of 60 seconds, at least 60"
            )
        self.window_sec = window_sec
        self._lock = threading.Lock()  # Guards the rings and everything below.
        self._rings = Rings(window_sec // BAR_SEC + _SPARE_BARS, records=records)
        self._day = DayMemory(records=records)
        self._closed = -1  # newest bar whose volatility was sampled
        # As frames share them: remade when there are more symbols.
        self._index: pd.Index[Any] = pd.Index([], dtype=object, name="symbol")
        self._asset: npt.NDArray[Any] = np.empty(0, dtype=object)

    # Writing: the worker.

    def watch(self, asset: str, symbols: Iterable[str]) -> None:
        """Give ``symbols`` a row each, in this order, before they have a price.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            for symbol in symbols:
                if symbol not in self._rings.rows:
                    self._rings.add_symbol(symbol, asset)

    def update(self, tick: Tick) -> None:
        """Write one tick; see ``update_many``."""
        self.update_many((tick,))

    def update_many(self, ticks: Iterable[Tick]) -> None:
        """Write ticks in order of arrival.

        A late tick goes to its own second and never replaces a newer last price; of two with the
        same millisecond the later arrival wins; one older than the stored bars is left out.

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

    def load_bars(self, bars: Bars) -> None:
        """Write bars of the past in one go; the seconds they lie in must be empty.

        What is older than the stored bars is left out; ``advance`` then samples the rest.

        Raises:
            ValueError: for an unknown asset class.
        """
        with self._lock:
            self._rings.write_bars(bars)

    def collect_changed(self) -> Bars:
        """Hand out the bars that changed since this was last called; each as it is now.

        A bar is handed out again if a tick comes after all. Nothing if the store does not record.
        """
        with self._lock:
            return self._rings.collect_changed()

    def load_minutes(self, minutes: Minutes) -> None:
        """Remember minutes of the past, of the symbols known; those held are left as they are."""
        with self._lock:
            self._known_day().load(minutes)

    def collect_minutes(self) -> Minutes:
        """Hand out the minutes that closed since this was last called; as ``collect_changed``."""
        with self._lock:
            return self._known_day().collect_changed()

    def advance(self, now: float) -> None:
        """Close the bars that ended at or before ``now``: sample volatility, judge regimes."""
        newest = int(now) // BAR_SEC - 1
        with self._lock:
            if self._closed < 0:
                # Nothing to sample before the first tick, which may yet come from the past.
                live = self._rings.first_live_bar(newest)
                if live > newest:
                    return
                self._closed = live - 1
            bars = self._rings.bars
            first = max(self._closed + 1, newest - bars + 1)
        # Several at once only if all that any of them looks at is still stored at their end.
        at_once = _CLOSED_AT_ONCE if bars >= SAMPLE_BARS + _CLOSED_AT_ONCE else 1
        for bar in range(first, newest + 1, at_once):
            self._close(bar, min(bar + at_once - 1, newest))

    def set_clock_back(self, now: float) -> None:
        """Let time go on from ``now`` again: what follows is closed and collected in its time.

        Ticks that are ahead of ``now`` stay.
        """
        bar = int(now) // BAR_SEC
        with self._lock:
            self._closed = min(self._closed, bar - 1)
            self._rings.set_back(bar)

    # Reading: anybody.

    @property
    def symbols(self) -> list[str]:
        """Every symbol that is watched or had a price, in order of appearance."""
        with self._lock:
            return list(self._rings.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the rings, whatever the tick rate; resident are those once written."""
        with self._lock:
            return self._rings.nbytes

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
        end = int(now) + 1
        index = pd.RangeIndex(end - seconds, end, name="second")
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None:
                return pd.DataFrame({"price": np.empty(0)}, index=index[:0])
            price = self._rings.prices(row, np.arange(end - seconds, end))
        return pd.DataFrame({"price": price}, index=index)

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The regime of ``symbol`` at the newest closed bar, or as it was at ``now``."""
        with self._lock:
            row = self._rings.rows.get(symbol)
            if row is None:
                return "unknown"
            bar = self._closed if now is None else min(self._closed, int(now) // BAR_SEC - 1)
            return REGIMES[int(self._rings.regimes_at(bar)[0][row])]

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Log of the mean price and number of ticks per bin, two [symbol, bin] arrays.

        The bins are aligned to the epoch and are the ``window_sec // bin_sec`` ones that ended at
        or before ``now``; the log is NaN if a bin has no tick. ``bin_sec`` is a multiple of 10.
        """
        if bin_sec < BAR_SEC or bin_sec % BAR_SEC:
            raise ValueError(f"bin_sec is {bin_sec}, expected a multiple of {BAR_SEC} seconds")
        per_bin = bin_sec // BAR_SEC
        bins = window_sec // bin_sec
        end = int(now) // bin_sec * per_bin
        with self._lock:
            rows = [self._rings.rows.get(symbol, -1) for symbol in symbols]
            bar_sum, bar_n = self._rings.bar_sums(end - bins * per_bin, end, rows)
        shape = (len(rows), bins, per_bin)
        bin_sum = bar_sum.reshape(shape).sum(axis=2)
        bin_n = bar_n.reshape(shape).sum(axis=2, dtype=np.int32)
        return mean_logs(bin_sum, bin_n), bin_n

    # Private.

    def _known_day(self) -> DayMemory:
        """The memory of a day, once it knows every symbol."""
        rings, known = self._rings, len(self._day)
        for symbol, asset in zip(
            islice(rings.rows, known, None), rings.assets[known:], strict=True
        ):
            self._day.add_symbol(symbol, asset)
        return self._day

    def _columns(self, now: float) -> tuple[dict[str, npt.NDArray[Any]], pd.Index[Any]]:
        with self._lock:
            rings = self._rings
            if len(self._index) != len(rings.rows):
                names = np.array(list(rings.rows), dtype=object)
                self._index = pd.Index(names, dtype=object, name="symbol")
                self._asset = np.array(rings.assets, dtype=object)
            index = self._index
            instant = _instant(rings, now, self._closed, self._asset)
        # Not under the lock: this is most of the work, and on copies.
        return {name: column(instant) for name, column in COLUMNS.items()}, index

    def _close(self, first: int, last: int) -> None:
        """Sample the volatility of every symbol at the close of each bar and judge its regime."""
        with self._lock:
            if last > self._rings.head:
                self._rings.roll(last)
            bar_sum, bar_n = self._rings.bar_sums(first - VOL_BARS + 1, last + 1)
            if not bar_n.any():
                self._closed = last  # a long gap: its places are empty already
                return
            samples = self._rings.samples(first - SAMPLE_BARS + 1, last + 1)
            before, _ = self._rings.regimes_at(first - 1)
        sampled = sample_bars(bar_sum, bar_n, samples, before)
        with self._lock:
            self._rings.write_samples(first, *sampled)
            self._closed = last


def _instant(rings: Rings, now: float, closed: int, asset: npt.NDArray[Any]) -> Instant:
    """What the columns of ``now`` are computed from, ``closed`` being the newest sampled bar."""
    second = int(now)
    end = second // BAR_SEC
    last, last_ts = rings.last_at(second)
    references = {
        name: rings.newest_at(second - horizon, -(-horizon // (2 * BAR_SEC)))
        for name, horizon in HORIZONS_SEC.items()
    }
    bar_sum, bar_n = rings.bar_sums(end - INSTANT_BARS, end)
    regime, vol_median = rings.regimes_at(min(closed, end - 1))
    low, high = rings.price_range(second, RANGE_SEC)
    return Instant(
        now, asset, last, last_ts, references, bar_sum, bar_n, regime, vol_median, low, high
    )


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
