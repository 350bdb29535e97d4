"""PulseStore: locked rolling state per symbol and the metrics computed from it.

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
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from ticks import ASSETS, HORIZONS_SEC, WINDOW_SEC, Regime, Tick

__all__ = ["BAR_SEC", "COLUMNS", "PulseStore", "to_snapshots"]

BAR_SEC: Final = 10
"""Length of a stored bar in seconds; bars are half-open and aligned to the epoch."""

VOL_BARS: Final = 90
"""Bars that volatility and trend look at: fifteen minutes."""

MAX_STEP_BARS: Final = 6
"""Live bars further apart than a minute are not neighbours: no return spans more."""

MIN_RETURNS: Final = 12
"""Fewer returns, or live bars, than this make no volatility and no trend."""

SAMPLE_BARS: Final = 360
"""Volatility samples a regime is judged by: an hour of bar closes."""

MIN_SAMPLES: Final = 30
MIN_PEERS: Final = 3

# The widest look-back: the volatility as it stood five minutes ago needs 30 + 90 bars.
_CUT_BARS = VOL_BARS + 30
# An hour of 60 s correlation bars reaches up to a bar and an open bar behind the hour itself.
_SPARE_BARS = 7
# Below this a return is the rounding of a sum of prices, not a move: a flat market stays flat.
_ROUNDING = 1e-12

_REGIMES: Final[tuple[Regime, ...]] = ("unknown", "normal", "high_vol")
_UNKNOWN, _NORMAL, _HIGH = range(3)
_REGIME_NAMES = np.array(_REGIMES, dtype=object)

COLUMNS: Final = (
    "asset",
    "last",
    "last_ts",
    "age",
    "ret_1m",
    "ret_5m",
    "ret_15m",
    "vol_15m",
    "vol_median",
    "trend_15m",
    "surprise",
    "vs_peers",
    "regime",
    "sigma_1m",
    "sigma_5m",
    "ref_1m",
    "ref_1m_ts",
    "ref_5m",
    "ref_5m_ts",
    "watched_sec",
)
"""The columns of a frame, always all of them, in this order; NaN where not known yet."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


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
    def zeros(cls, rows: int, bars: int) -> _Rings:
        return cls(
            price=_pages((rows, bars, BAR_SEC), np.float64),
            ms=_pages((rows, bars, BAR_SEC), np.int16),
            bar_sum=_pages((rows, bars), np.float64),
            bar_n=_pages((rows, bars), np.int32),
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
    """The first four rings, flat: a tick touches eight items, and these cost half of numpy's."""

    price: MutableSequence[float]
    ms: MutableSequence[int]
    bar_sum: MutableSequence[float]
    bar_n: MutableSequence[int]


class _Newest(NamedTuple):
    """The last two rings, likewise."""

    last: MutableSequence[float]
    last_ts: MutableSequence[float]


class _Cut(NamedTuple):
    """What one frame needs of the rings, copied under the lock. One row per symbol."""

    last: Floats
    last_ts: Floats
    refs: dict[str, tuple[Floats, Floats]]
    bar_sum: Floats
    bar_n: Ints
    regime: npt.NDArray[np.int8]
    vol_median: Floats


class PulseStore:
    """Rolling prices of every symbol over ``window_sec``, and the metrics of any second of it.

    ``window_sec`` is a multiple of 60. Memory is some 46 kB a symbol for an hour, whatever the
    tick rate. All methods are thread-safe.
    """

    def __init__(self, window_sec: int = WINDOW_SEC) -> None:
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
        self._index: pd.Index[Any] = pd.Index([], dtype=object)
        self._head = -1  # newest bar any tick or close has reached
        self._closed = -1  # newest bar whose volatility was sampled
        self._allocate(_Rings.zeros(0, self._bars))

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
            ValueError: for a price that is not a positive finite number, or an unknown asset
                class; the ticks before it are taken.
        """
        bars = self._bars
        with self._lock:
            price_at, ms_at, sum_at, n_at = self._cells
            last_at, last_ts_at = self._newest
            row_of = self._rows.get
            head = self._head
            for symbol, asset, ts, price in ticks:
                if not 0.0 < price < math.inf:
                    raise ValueError(f"price of {symbol} is {price}, expected a positive number")
                row = row_of(symbol)
                if row is None:
                    row = self._register(symbol, asset)
                    price_at, ms_at, sum_at, n_at = self._cells
                    last_at, last_ts_at = self._newest
                second = int(ts)
                # To the millisecond, as vendors stamp; a float's noise must not break ties.
                ms = int((ts - second) * 1000.0 + 0.5)
                bar = second // BAR_SEC
                if bar > head:
                    self._roll(bar)
                    head = bar
                newest = last_ts_at[row]
                if ts >= newest or int(newest * 1000.0 + 0.5) <= second * 1000 + ms:
                    last_at[row] = price
                    last_ts_at[row] = ts
                if bar <= head - bars:
                    continue
                cell = row * bars + bar % bars
                slot = cell * BAR_SEC + second % BAR_SEC
                if price_at[slot] == 0.0 or ms >= ms_at[slot]:
                    price_at[slot] = price
                    ms_at[slot] = ms
                sum_at[cell] += price
                n_at[cell] += 1

    def set_last(self, tick: Tick) -> None:
        """Give a symbol without any price its last one; it enters no window.

        Raises:
            ValueError: as ``update_many``.
        """
        if not 0.0 < tick.price < math.inf:
            raise ValueError(f"price of {tick.symbol} is {tick.price}, expected a positive number")
        with self._lock:
            row = self._rows.get(tick.symbol)
            if row is None:
                row = self._register(tick.symbol, tick.asset)
            if self._rings.last_ts[row] == 0.0:
                self._rings.last[row] = tick.price
                self._rings.last_ts[row] = tick.ts

    def advance(self, now: float) -> None:
        """Close the bars that ended at or before ``now``: sample volatility, judge regimes."""
        newest = int(now) // BAR_SEC - 1
        oldest = max(self._closed + 1, newest - self._bars + 1)
        for bar in range(oldest, newest + 1):
            self._close(bar)

    # Reading: anybody.

    @property
    def symbols(self) -> list[str]:
        """Every symbol that is watched or had a price, in order of appearance."""
        with self._lock:
            return list(self._rows)

    def frame(self, now: float) -> pd.DataFrame:
        """All symbols at the instant ``now``: one row per symbol, the columns ``COLUMNS``.

        Returns and volatilities are fractions; ``age`` is in seconds; ``trend_15m`` is a fraction
        per minute; ``surprise`` is in standard deviations; ``sigma_*`` is the volatility over a
        horizon as it stood when the horizon began; ``watched_sec`` is how far back the ticks of the
        last fifteen minutes reach. ``now`` may be any second stored.
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
            return _REGIMES[int(self._rings.regime[row, bar % self._bars])]

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
        self._cells = _Cells(*(_flat(ring) for ring in rings[:4]))
        self._newest = _Newest(_flat(rings.last), _flat(rings.last_ts))

    def _register(self, symbol: str, asset: str) -> int:
        if asset not in ASSETS:
            raise ValueError(f"asset of {symbol} is {asset!r}, expected one of {', '.join(ASSETS)}")
        row = len(self._rows)
        if row == len(self._rings.last):
            grown = _Rings.zeros(max(64, row + row // 4), self._bars)
            for new, old in zip(grown, self._rings, strict=True):
                cast("npt.NDArray[Any]", new)[:row] = old
            self._allocate(grown)
        self._rings.vol[row] = np.nan
        self._rings.vol_median[row] = np.nan
        self._rows[symbol] = row
        self._assets.append(asset)
        self._index = pd.Index([], dtype=object)  # made anew by the next reader
        return row

    def _roll(self, bar: int) -> None:
        """Make ``bar`` the newest one: empty the places of the bars between."""
        rows = len(self._rows)
        first = max(self._head + 1, bar - self._bars + 1)
        places = np.arange(first, bar + 1) % self._bars
        for ring in (self._rings.price, self._rings.bar_sum, self._rings.bar_n, self._rings.regime):
            ring[:rows, places] = 0
        self._rings.vol[:rows, places] = np.nan
        self._rings.vol_median[:rows, places] = np.nan
        self._head = bar

    def _stored(self, bar: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return (bar >= 0) & (bar <= self._head) & (bar > self._head - self._bars)

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

    def _cut(self, now: float) -> _Cut:
        second = int(now)
        count = len(self._rows)
        last, last_ts = self._rings.last[:count].copy(), self._rings.last_ts[:count].copy()
        never = last_ts == 0.0
        last[never] = last_ts[never] = np.nan
        newer = np.floor(last_ts) > second
        if newer.any():
            price, ts = self._newest_at(second, self._bars - 1)
            last, last_ts = np.where(newer, price, last), np.where(newer, ts, last_ts)
        refs = {
            name: self._newest_at(second - horizon, -(-horizon // (2 * BAR_SEC)))
            for name, horizon in HORIZONS_SEC.items()
        }
        end = second // BAR_SEC
        bar_sum, bar_n = self._take_bars(end - _CUT_BARS, end)
        sampled = min(self._closed, end - 1)
        if self._stored(np.array([sampled]))[0]:
            regime = self._rings.regime[:count, sampled % self._bars].copy()
            vol_median = self._rings.vol_median[:count, sampled % self._bars].astype(np.float64)
        else:
            regime, vol_median = np.zeros(count, np.int8), np.full(count, np.nan)
        return _Cut(last, last_ts, refs, bar_sum, bar_n, regime, vol_median)

    def _columns(self, now: float) -> tuple[dict[str, npt.NDArray[Any]], pd.Index[Any]]:
        with self._lock:
            if len(self._index) != len(self._rows):
                names = np.array(list(self._rows), dtype=object)
                self._index = pd.Index(names, dtype=object, name="symbol")
                self._asset = np.array(self._assets, dtype=object)
            if not self._rows:
                return {name: np.empty(0) for name in COLUMNS}, self._index
            index, asset = self._index, self._asset
            cut = self._cut(now)
        return _metrics(cut, asset, now), index

    def _close(self, bar: int) -> None:
        """Sample the volatility of every symbol at the close of ``bar`` and judge its regime."""
        with self._lock:
            if bar > self._head:
                self._roll(bar)
            bar_sum, bar_n = self._take_bars(bar - VOL_BARS + 1, bar + 1)
            ids = np.arange(bar - SAMPLE_BARS + 1, bar + 1)
            samples = self._rings.vol[: len(bar_n)].take(ids % self._bars, axis=1)
            samples[:, ~self._stored(ids)] = np.nan
            before = self._rings.regime[: len(bar_n), (bar - 1) % self._bars].copy()
        steps = _Steps.between(mean_logs(bar_sum, bar_n), bar_n)
        samples[:, -1] = steps.volatility(0, VOL_BARS)
        regime, median = judge_regimes(samples, before)
        with self._lock:
            place = bar % self._bars
            self._rings.vol[: len(regime), place] = samples[:, -1]
            self._rings.vol_median[: len(regime), place] = median
            self._rings.regime[: len(regime), place] = regime
            self._closed = bar


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


def _metrics(cut: _Cut, asset: npt.NDArray[Any], now: float) -> dict[str, npt.NDArray[Any]]:
    """Every column of a frame, from what was copied of the rings."""
    second = int(now)
    returns: dict[str, Floats] = {}
    for name, horizon in HORIZONS_SEC.items():
        ref, ref_ts = cut.refs[name]
        # A tick must have fallen inside the horizon, and the reference must be near its far end.
        fresh = (np.floor(cut.last_ts) > second - horizon) & (
            second - horizon - np.floor(ref_ts) <= horizon / 2
        )
        returns[name] = np.where(fresh, cut.last / ref - 1.0, np.nan)
    logs = mean_logs(cut.bar_sum, cut.bar_n)
    steps = _Steps.between(logs, cut.bar_n)
    # The volatility as it stood when the horizon began, so that a move does not excuse itself.
    sigma_1m = steps.volatility(_CUT_BARS - VOL_BARS - 6, _CUT_BARS - 6) * math.sqrt(60 / 900)
    sigma_5m = steps.volatility(0, VOL_BARS) * math.sqrt(300 / 900)
    known = {name: ~np.isnan(value) for name, value in returns.items()}
    return {
        "asset": asset,
        "last": cut.last,
        "last_ts": cut.last_ts,
        "age": now - cut.last_ts,
        "ret_1m": returns["1m"],
        "ret_5m": returns["5m"],
        "ret_15m": returns["15m"],
        "vol_15m": steps.volatility(_CUT_BARS - VOL_BARS, _CUT_BARS),
        "vol_median": cut.vol_median,
        "trend_15m": slopes_per_min(logs[:, -VOL_BARS:]),
        "surprise": _ratio(returns["1m"], sigma_1m),
        "vs_peers": against_peers(returns["1m"], asset),
        "regime": _REGIME_NAMES[cut.regime],
        "sigma_1m": sigma_1m,
        "sigma_5m": sigma_5m,
        "ref_1m": np.where(known["1m"], cut.refs["1m"][0], np.nan),
        "ref_1m_ts": np.where(known["1m"], cut.refs["1m"][1], np.nan),
        "ref_5m": np.where(known["5m"], cut.refs["5m"][0], np.nan),
        "ref_5m_ts": np.where(known["5m"], cut.refs["5m"][1], np.nan),
        "watched_sec": _reach_sec(cut.bar_n[:, -VOL_BARS:] > 0, now),
    }


def mean_logs(bar_sum: Floats, bar_n: Ints) -> Floats:
    """m_i: the log of each bar's mean price, NaN where the bar has no tick."""
    mean = np.full(bar_sum.shape, np.nan)
    np.divide(bar_sum, bar_n, out=mean, where=bar_n > 0)
    logs: Floats = np.log(mean, out=mean)
    return logs


class _Steps(NamedTuple):
    """The step from each live bar's live predecessor to it, [symbol, bar]."""

    squared: Floats
    """r² of the step that ends at the bar, 0 where none does."""
    span_sec: Floats
    """τ, the time that step really spans, 0 where none does."""
    previous: Ints
    """Index of the bar the step began at, -1 where no step ends."""

    @classmethod
    def between(cls, logs: Floats, bar_n: Ints) -> _Steps:
        """Returns between neighbouring live bars at most a minute apart.

        Averaging inside a bar takes the bid-ask bounce out; with random arrivals the difference of
        two bar means g bars apart has the variance of τ = 10·(g - 1/3 + (1/n_i + 1/n_j)/6) seconds.
        """
        count, bars = logs.shape
        live = bar_n > 0
        at = np.arange(bars, dtype=np.int32)
        newest = np.where(live, at, np.int32(-1))
        np.maximum.accumulate(newest, axis=1, out=newest)
        previous = np.full((count, bars), -1, np.int32)
        previous[:, 1:] = newest[:, :-1]
        gap = at - previous
        step = live & (previous >= 0) & (gap <= MAX_STEP_BARS)
        previous[~step] = -1
        # Only where a step ends, by flat index: the predecessor is as many places before as bars.
        end = np.flatnonzero(step)
        bars_apart = gap.ravel().take(end)
        begin = end - bars_apart
        change = logs.ravel().take(end) - logs.ravel().take(begin)
        change[np.abs(change) < _ROUNDING] = 0.0
        inverse = 1.0 / np.maximum(bar_n.ravel(), 1)
        overlap = (inverse.take(begin) + inverse.take(end)) / 6.0
        squared, span_sec = np.zeros((2, count, bars))
        squared.ravel()[end] = change * change
        span_sec.ravel()[end] = BAR_SEC * (bars_apart - 1.0 / 3.0 + overlap)
        return cls(squared, span_sec, previous)

    def volatility(self, first: int, end: int) -> Floats:
        """vol_15m = sqrt(900 · Σr² / Στ) over the bars ``first`` to ``end`` (excluded)."""
        inside = self.previous[:, first:end] >= first
        squared = np.einsum("ij,ij->i", self.squared[:, first:end], inside)
        span_sec = np.einsum("ij,ij->i", self.span_sec[:, first:end], inside)
        enough = np.count_nonzero(inside, axis=1) >= MIN_RETURNS
        vol = np.full(len(squared), np.nan)
        np.divide(900.0 * squared, span_sec, out=vol, where=enough)
        root: Floats = np.sqrt(vol, out=vol)
        return root


def _reach_sec(live: npt.NDArray[np.bool_], now: float) -> Floats:
    """Time since the begin of each row's oldest live bar, of the bars closed at ``now``."""
    bars = live.shape[1] - live.argmax(axis=1)
    return np.where(live.any(axis=1), bars * BAR_SEC + now % BAR_SEC, np.nan)


def slopes_per_min(logs: Floats) -> Floats:
    """Least-squares slope of each row of log prices on time, per minute; NaN: too few live bars."""
    live = ~np.isnan(logs)
    count = np.count_nonzero(live, axis=1)
    enough = count >= MIN_RETURNS
    at_min = np.arange(logs.shape[1]) * (BAR_SEC / 60.0)
    mean_at = live @ at_min / np.maximum(count, 1)
    offset = np.where(live, at_min - mean_at[:, None], 0.0)
    # Anchored at the row's own price: the slope of a level far from zero would lose its digits.
    level = np.where(live, logs, 0.0)
    anchor = level.sum(axis=1) / np.maximum(count, 1)
    change = np.where(live, logs - anchor[:, None], 0.0)
    change[np.abs(change) < _ROUNDING] = 0.0
    slope = np.full(len(logs), np.nan)
    spread = np.einsum("ij,ij->i", offset, offset)
    np.divide(np.einsum("ij,ij->i", offset, change), spread, out=slope, where=enough)
    return slope


def against_peers(ret_1m: Floats, asset: npt.NDArray[Any]) -> Floats:
    """Each return minus the median return of its asset class; NaN with fewer than 3 peers."""
    difference = np.full(len(ret_1m), np.nan)
    known = ~np.isnan(ret_1m)
    for name in ASSETS:
        members = np.flatnonzero((asset == name) & known)
        if len(members) > MIN_PEERS:
            values = ret_1m[members]
            difference[members] = values - np.median(values)
    return difference


def judge_regimes(
    samples: Floats, before: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.int8], Floats]:
    """The regime of each symbol, and the median of its samples.

    ``samples`` is [symbol, bar] with the newest last and NaN where unknown; ``before`` is the
    regime at the bar before. High from the 80th percentile and 1.2 medians on, back to normal
    below the 70th or below 1.1 medians; unknown below 30 samples. A flat market is never high.
    """
    newest = samples[:, -1]
    ranked = np.sort(samples, axis=1)  # NaN sorts last
    count = np.count_nonzero(~np.isnan(samples), axis=1)
    median, p70, p80 = (_quantile(ranked, count, q) for q in (0.5, 0.7, 0.8))
    rises = (newest > 0) & (newest >= p80) & (newest >= 1.2 * median)
    falls = (newest < p70) | (newest < 1.1 * median) | (newest == 0)
    high = np.where(before == _HIGH, ~falls, rises)
    regime = np.where(high, _HIGH, _NORMAL).astype(np.int8)
    unknown = (count < MIN_SAMPLES) | np.isnan(newest)
    regime[unknown] = _UNKNOWN
    median[count < MIN_SAMPLES] = np.nan
    return regime, median


def _quantile(ranked: Floats, count: npt.NDArray[np.int64], q: float) -> Floats:
    """Linear-interpolated quantile of the first ``count`` values of each sorted row."""
    if not len(ranked):
        return np.empty(0)
    place = q * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ranked))
    below, above = ranked[rows, low], ranked[rows, high]
    result: Floats = below + (above - below) * (place - low)
    return result


def _ratio(value: Floats, unit: Floats) -> Floats:
    result = np.full(len(value), np.nan)
    np.divide(value, unit, out=result, where=unit > 0)
    return result
