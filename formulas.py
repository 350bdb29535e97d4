"""Every figure of the pulse table as a function of arrays, and ``COLUMNS``, the list of them.

The store calls these with copies of its rings, one row per symbol. Pure: no state, no lock, no
clock. ``NaN`` always means that a figure is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ticks import ASSETS, HORIZONS_SEC, Regime

__all__ = [
    "BAR_SEC",
    "COLUMNS",
    "INSTANT_BARS",
    "MAX_STEP_BARS",
    "MIN_PEERS",
    "MIN_RETURNS",
    "MIN_SAMPLES",
    "RANGE_SEC",
    "REGIMES",
    "ROUNDING",
    "SAMPLE_BARS",
    "VOL_BARS",
    "Codes",
    "Floats",
    "Instant",
    "Ints",
    "Steps",
    "against_peers",
    "judge_regimes",
    "mean_logs",
    "ratio",
    "rerank",
    "sample_bars",
    "slopes_per_min",
    "watched_sec",
]

BAR_SEC: Final = 10
"""Length of a stored bar in seconds; bars are half-open and aligned to the epoch."""

VOL_BARS: Final = 90
"""Bars that volatility and trend look at: fifteen minutes."""

MAX_STEP_BARS: Final = 6
"""Live bars further apart than a minute are not neighbours: no return spans more."""

MIN_RETURNS: Final = 12
"""With fewer returns, or live bars, than this there is no volatility and no trend."""

INSTANT_BARS: Final = VOL_BARS + 30
"""Bars that a frame looks at: the volatility as it stood five minutes ago needs 30 more."""

RANGE_SEC: Final = 3600
"""How far back the lowest and the highest price are looked for."""

SAMPLE_BARS: Final = 360
"""Volatility samples that a regime is judged by: an hour of bar closes."""

MIN_SAMPLES: Final = 30
"""With fewer samples than this the regime is unknown."""

MIN_PEERS: Final = 3
"""With fewer others of an asset class than this there is nothing to compare a move with."""

REGIMES: Final[tuple[Regime, ...]] = ("unknown", "normal", "high_vol")
"""What ``Codes`` mean, by index."""

_UNKNOWN, _NORMAL, _HIGH = range(3)
_REGIME_NAMES = np.array(REGIMES, dtype=object)

ROUNDING: Final = 1e-12
"""Below this a return is the rounding of a sum of prices, not a move: a flat market stays flat."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int8]
"""Indices into ``REGIMES``."""


def mean_logs(bar_sum: Floats, bar_n: Ints) -> Floats:
    """m_i: the log of each bar's mean price, NaN if the bar has no tick."""
    mean = np.full(bar_sum.shape, np.nan)
    np.divide(bar_sum, bar_n, out=mean, where=bar_n > 0)
    logs: Floats = np.log(mean, out=mean)
    return logs


class Steps(NamedTuple):
    """The step from each live bar's live predecessor to it, [symbol, bar]."""

    squared: Floats
    """r² of the step that ends at the bar, 0 if none does."""
    span_sec: Floats
    """τ, the time that the step really spans, 0 if none does."""
    previous: Ints
    """Index of the bar that the step began at, -1 if no step ends there."""

    @classmethod
    def between(cls, logs: Floats, bar_n: Ints) -> Steps:
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
        # Only the bars that end a step, by flat index: a predecessor lies a place before per bar.
        end = np.flatnonzero(step)
        bars_apart = gap.ravel().take(end)
        begin = end - bars_apart
        change = logs.ravel().take(end) - logs.ravel().take(begin)
        change[np.abs(change) < ROUNDING] = 0.0
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


def watched_sec(live: npt.NDArray[np.bool_], now: float) -> Floats:
    """Seconds since each row's oldest live bar began; the last bar is the newest one closed."""
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
    change[np.abs(change) < ROUNDING] = 0.0
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


def rerank(ranked: Floats, leaving: Floats, entering: Floats) -> Floats:
    """Replace one value of each sorted row, NaN last, in place."""
    # No NaN equals another, but they are last.
    place = np.where(np.isnan(leaving), -1, (ranked == leaving[:, None]).argmax(axis=1))
    ranked[np.arange(len(ranked)), place] = entering
    ranked.sort(axis=1, kind="stable")  # fast, since all but one are in order
    return ranked


def judge_regimes(ranked: Floats, newest: Floats, before: Codes) -> tuple[Codes, Floats]:
    """The regime of each symbol, and the median of its samples if the regime is known.

    ``ranked`` is each symbol's samples in ascending order, NaN last; ``newest`` is the newest of
    them; ``before`` is the regime at the bar before. High from the 80th percentile and 1.2 medians
    on, back to normal below the 70th or below 1.1 medians; unknown below 30
    samples. A flat market is never high.
    """
    count = np.count_nonzero(~np.isnan(ranked), axis=1)
    median, p70, p80 = (_quantile(ranked, count, q) for q in (0.5, 0.7, 0.8))
    rises = (newest > 0) & (newest >= p80) & (newest >= 1.2 * median)
    falls = (newest < p70) | (newest < 1.1 * median) | (newest == 0)
    high = np.where(before == _HIGH, ~falls, rises)
    regime = np.where(high, _HIGH, _NORMAL).astype(np.int8)
    unknown = (count < MIN_SAMPLES) | np.isnan(newest)
    regime[unknown] = _UNKNOWN
    median[unknown] = np.nan
    return regime, median


def sample_bars(
    bar_sum: Floats, bar_n: Ints, samples: Floats, before: Codes
) -> tuple[Floats, Floats, Codes]:
    """What is sampled at the close of each of some bars: vol_15m, its median and the regime.

    The bars are as many as ``samples`` has columns beyond the ``SAMPLE_BARS - 1`` before the first
    of them, whose samples are known; their own are filled in. ``bar_sum`` and ``bar_n`` begin
    ``VOL_BARS - 1`` bars before them, and ``before`` is the regime at the bar before them.
    """
    count = samples.shape[1] - SAMPLE_BARS + 1
    steps = Steps.between(mean_logs(bar_sum, bar_n), bar_n)
    regimes = np.empty((len(samples), count), np.int8)
    medians = np.empty((len(samples), count))
    for at in range(count):
        end = at + SAMPLE_BARS
        newest = samples[:, end - 1] = steps.volatility(at, at + VOL_BARS)
        if at == 0:
            ranked = np.sort(samples[:, :end], axis=1)  # NaN sorts last
        else:
            ranked = rerank(ranked, samples[:, at - 1], newest)
        before, medians[:, at] = judge_regimes(ranked, newest, before)
        regimes[:, at] = before
    return samples[:, -count:], medians, regimes


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


def ratio(value: Floats, unit: Floats) -> Floats:
    """``value`` in units of ``unit``, NaN if that is 0 or unknown."""
    result = np.full(len(value), np.nan)
    np.divide(value, unit, out=result, where=unit > 0)
    return result


@dataclass(frozen=True)
class Instant:
    """All symbols at one instant: what the columns are computed from, one row per symbol."""

    now: float
    """Seconds since the epoch."""
    asset: npt.NDArray[Any]
    last: Floats
    last_ts: Floats
    """Price and time of the newest tick at or before the second of ``now``."""
    references: Mapping[str, tuple[Floats, Floats]]
    """By horizon, price and time of the newest tick at its far end or up to half of it earlier."""
    bar_sum: Floats
    bar_n: Ints
    """[symbol, bar]: sum of the prices and number of ticks, of the ``INSTANT_BARS`` bars that had
    ended."""
    regime: Codes
    vol_median: Floats
    low: Floats
    high: Floats
    """Lowest and highest price of the last ``RANGE_SEC`` seconds."""

    @cached_property
    def returns(self) -> dict[str, Floats]:
        """By horizon, P(T) / P(T - w) - 1.

        A tick must have fallen inside the horizon, and the reference must be near its far end.
        """
        second = int(self.now)
        found = {}
        for name, horizon in HORIZONS_SEC.items():
            price, ts = self.references[name]
            fresh = (np.floor(self.last_ts) > second - horizon) & (
                second - horizon - np.floor(ts) <= horizon / 2
            )
            found[name] = np.where(fresh, self.last / price - 1.0, np.nan)
        return found

    def reference(self, horizon: str) -> tuple[Floats, Floats]:
        """Price and time that a return is measured from, NaN if there is no return."""
        known = ~np.isnan(self.returns[horizon])
        price, ts = self.references[horizon]
        return np.where(known, price, np.nan), np.where(known, ts, np.nan)

    @cached_property
    def logs(self) -> Floats:
        """m_i of every bar."""
        return mean_logs(self.bar_sum, self.bar_n)

    @cached_property
    def steps(self) -> Steps:
        """The steps between the bars."""
        return Steps.between(self.logs, self.bar_n)

    def volatility(self, bars_ago: int = 0) -> Floats:
        """vol_15m as it stood ``bars_ago`` bars ago, at most 30."""
        end = INSTANT_BARS - bars_ago
        return self.steps.volatility(end - VOL_BARS, end)

    @cached_property
    def sigma_1m(self) -> Floats:
        """The volatility over a minute as it stood when the minute began.

        So a move does not excuse itself.
        """
        return self.volatility(bars_ago=6) * math.sqrt(60 / 900)


COLUMNS: Final[Mapping[str, Callable[[Instant], npt.NDArray[Any]]]] = MappingProxyType(
    {
        "asset": lambda at: at.asset,
        "last": lambda at: at.last,
        "last_ts": lambda at: at.last_ts,
        "age": lambda at: at.now - at.last_ts,
        "range_low": lambda at: at.low,
        "range_high": lambda at: at.high,
        "ret_1m": lambda at: at.returns["1m"],
        "ret_5m": lambda at: at.returns["5m"],
        "ret_15m": lambda at: at.returns["15m"],
        "vol_15m": lambda at: at.volatility(),
        "vol_median": lambda at: at.vol_median,
        "trend_15m": lambda at: slopes_per_min(at.logs[:, -VOL_BARS:]),
        "surprise": lambda at: ratio(at.returns["1m"], at.sigma_1m),
        "vs_peers": lambda at: against_peers(at.returns["1m"], at.asset),
        "regime": lambda at: _REGIME_NAMES[at.regime],
        "sigma_1m": lambda at: at.sigma_1m,
        "sigma_5m": lambda at: at.volatility(bars_ago=30) * math.sqrt(300 / 900),
        "ref_1m": lambda at: at.reference("1m")[0],
        "ref_1m_ts": lambda at: at.reference("1m")[1],
        "ref_5m": lambda at: at.reference("5m")[0],
        "ref_5m_ts": lambda at: at.reference("5m")[1],
        "watched_sec": lambda at: watched_sec(at.bar_n[:, -VOL_BARS:] > 0, at.now),
    }
)
"""The columns of a frame, always all of them, in this order: a name and what computes it.

Returns and volatilities are fractions; ``age`` and ``watched_sec``, which is how far back the ticks
of the last fifteen minutes reach, are in seconds; ``trend_15m`` is a fraction per minute;
``range_*`` are the lowest and the highest of the last hour's seconds' newest prices; ``surprise``
is in standard deviations; ``sigma_*`` is the volatility over a horizon as it stood when the horizon
began.
"""
