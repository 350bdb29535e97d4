"""Volatility: the typical move, the trend and the regime, from ten-second bars.

Functions of arrays with one row per symbol, called as bars close. Pure: no state, no lock, no
clock. ``NaN`` always means that a figure is not known.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ticks import Regime

__all__ = [
    "BAR_SEC",
    "MAX_STEP_BARS",
    "MIN_PAIRS",
    "MIN_RETURNS",
    "MIN_SAMPLES",
    "REGIMES",
    "ROUNDING",
    "SAMPLE_BARS",
    "VOL_BARS",
    "Codes",
    "Floats",
    "Ints",
    "Samples",
    "Steps",
    "judge_regimes",
    "largest_share",
    "mean_logs",
    "rerank",
    "sample_bars",
    "slopes_per_min",
    "trend_noise",
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

MIN_PAIRS: Final = 20
"""With fewer pairs of directly following returns than this, bounce is not looked for."""

SAMPLE_BARS: Final = 360
"""Volatility samples that a regime is judged by: an hour of bar closes."""

MIN_SAMPLES: Final = 30
"""With fewer samples than this the regime is unknown."""

REGIMES: Final[tuple[Regime, ...]] = ("unknown", "normal", "high_vol")
"""What ``Codes`` mean, by index."""

_UNKNOWN, _NORMAL, _HIGH = range(3)

ROUNDING: Final = 1e-12
"""Below this a return is the rounding of a sum of prices, not a move: a flat market stays flat."""

_BOUNCE_T: Final = -2.0
"""Neighbouring returns undo each other beyond chance if their t is below this."""

_LEAST_SHARE: Final = 0.1
"""However strongly prices bounce, this share of Σr² is taken for moves."""

_TREND_SE: Final = 1.095
"""Standard error of a slope over 15 minutes of a random walk, in vol_15m per 15 minutes: √1.2."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Samples = npt.NDArray[np.float32]
"""Figures as they are kept: to seven digits."""
Codes = npt.NDArray[np.int8]
"""Indices into ``REGIMES``."""


def mean_logs(bar_sum: Floats, bar_n: Ints) -> Floats:
    """m_i: the log of each bar's mean price, NaN if the bar has no tick."""
    mean = np.full(bar_sum.shape, np.nan)
    np.divide(bar_sum, bar_n, out=mean, where=bar_n > 0)
    logs: Floats = np.log(mean, out=mean)
    return logs


class Steps(NamedTuple):
    """The step from each live bar's live predecessor to it, [symbol, bar].

    A step that begins at the bar at which another ends makes a pair with it, if there is one.
    """

    squared: Floats
    """r² of the step that ends at the bar, 0 if none does."""
    span_sec: Floats
    """τ, the time that the step really spans, 0 if none does."""
    begin: Ints
    """Index of the bar that the step began at, -1 if no step ends there."""
    product: Floats
    """r_k·r_(k+1) of the pair that ends at the bar, 0 if none does."""
    shared_sec: Floats
    """What averaging alone makes of that product, per unit of variance a second: (10/6)(1 - 1/n) of
    the bar that the two share."""
    pair_begin: Ints
    """Index of the bar that the pair began at, -1 if no pair ends there."""

    @classmethod
    def between(cls, logs: Floats, bar_n: Ints) -> Steps:
        """Returns between neighbouring live bars at most a minute apart.

        With random arrivals the difference of two bar means g bars apart has the variance of
        τ = 10·(g - 1/3 + (1/n_i + 1/n_j)/6) seconds.
        """
        shape = logs.shape
        at = np.arange(shape[1], dtype=np.int32)
        live = bar_n > 0
        newest = np.where(live, at, np.int32(-1))
        np.maximum.accumulate(newest, axis=1, out=newest)
        before = np.full(shape, -1, np.int32)
        before[:, 1:] = newest[:, :-1]
        gap = at - before
        is_step = live & (before >= 0) & (gap <= MAX_STEP_BARS)
        # Only the bars that end a step, by flat index: a predecessor lies a place before per bar.
        end = np.flatnonzero(is_step)
        bars_apart = gap.ravel().take(end)
        begin = end - bars_apart
        change = logs.ravel().take(end) - logs.ravel().take(begin)
        change[np.abs(change) < ROUNDING] = 0.0
        inverse = 1.0 / np.maximum(bar_n.ravel(), 1)
        overlap = (inverse.take(begin) + inverse.take(end)) / 6.0
        squared, span_sec, product, shared_sec, changes = np.zeros((5, *shape))
        squared.ravel()[end] = change * change
        span_sec.ravel()[end] = BAR_SEC * (bars_apart - 1.0 / 3.0 + overlap)
        before[~is_step] = -1
        changes.ravel()[end] = change
        is_pair = is_step.ravel().take(begin)
        pair_end, middle = end[is_pair], begin[is_pair]
        product.ravel()[pair_end] = change[is_pair] * changes.ravel().take(middle)
        shared_sec.ravel()[pair_end] = BAR_SEC / 6.0 * (1.0 - inverse.take(middle))
        pair_begin = np.full(shape, -1, np.int32)
        pair_begin.ravel()[pair_end] = before.ravel().take(middle)
        return cls(squared, span_sec, before, product, shared_sec, pair_begin)

    def volatility(self, first: int, end: int) -> Floats:
        """vol_15m over the bars ``first`` to ``end`` (excluded).

        sqrt(900 · Σr² / Στ). Where prices bounce, neighbouring returns undo each other: C =
        Σ r_k·r_(k+1) is below what averaging alone makes of it, (Σr²/Στ) · E, by more than twice
        its standard error √Σ(r_k·r_(k+1))², and the bounce is taken out:
        sqrt(900 · max(Σr² + 2C, Σr²/10) / (Στ + 2E)).
        """
        inside = self.begin[:, first:end] >= first
        squared = np.einsum("ij,ij->i", self.squared[:, first:end], inside)
        span_sec = np.einsum("ij,ij->i", self.span_sec[:, first:end], inside)
        paired = self.pair_begin[:, first:end] >= first
        products = self.product[:, first:end] * paired
        shared_sec = np.einsum("ij,ij->i", self.shared_sec[:, first:end], paired)
        undone = products.sum(axis=1)
        error = np.sqrt(np.einsum("ij,ij->i", products, products))
        per_sec = squared / np.maximum(span_sec, 1.0)
        bounces = (np.count_nonzero(paired, axis=1) >= MIN_PAIRS) & (
            undone - per_sec * shared_sec < _BOUNCE_T * error
        )
        left = np.maximum(squared + 2.0 * undone, _LEAST_SHARE * squared)
        squared = np.where(bounces, left, squared)
        span_sec = np.where(bounces, span_sec + 2.0 * shared_sec, span_sec)
        vol = np.full(len(squared), np.nan)
        enough = np.count_nonzero(inside, axis=1) >= MIN_RETURNS
        np.divide(900.0 * squared, span_sec, out=vol, where=enough)
        root: Floats = np.sqrt(vol, out=vol)
        return root


def largest_share(bar_sum: Floats, bar_n: Ints) -> Floats:
    """The share of Σr² that one bar accounts for, by the steps to and from it: the largest such.

    1 if all is due to one bar, as to a single print far off; NaN if nothing moved.
    """
    count, bars = bar_n.shape
    # Bar after bar of each symbol, by flat index: the live ones that follow one another.
    live = np.flatnonzero(bar_n)
    logs = np.log(bar_sum.ravel().take(live) / bar_n.ravel().take(live))
    change, apart = np.diff(logs), np.diff(live)
    is_step = (apart <= MAX_STEP_BARS) & (live[1:] // bars == live[:-1] // bars)
    squared = np.where(is_step & (np.abs(change) >= ROUNDING), change * change, 0.0)
    of_bar, ends_at = np.zeros((2, count, bars))
    ends_at.ravel()[live[1:]] = squared
    of_bar.ravel()[live[:-1]] = squared
    of_bar += ends_at
    total = ends_at.sum(axis=1)
    share = np.full(len(total), np.nan)
    np.divide(of_bar.max(axis=1, initial=0.0), total, out=share, where=total > 0)
    np.minimum(share, 1.0, out=share)
    return share


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


def trend_noise(vol_15m: Floats) -> Floats:
    """The slope per minute that a trend must exceed to be more than noise: 2 standard errors.

    A random walk of this volatility has slopes with a standard error of 1.095 · vol_15m / 15.
    """
    noise: Floats = 2.0 * _TREND_SE / 15.0 * vol_15m
    return noise


def rerank(ranked: Samples, leaving: Samples, entering: Samples) -> Samples:
    """Replace one value of each sorted row, NaN last, in place."""
    # No NaN equals another, but they are last.
    place = np.where(np.isnan(leaving), -1, (ranked == leaving[:, None]).argmax(axis=1))
    ranked[np.arange(len(ranked)), place] = entering
    ranked.sort(axis=1, kind="stable")  # fast, since all but one are in order
    return ranked


def judge_regimes(ranked: Samples, newest: Samples, before: Codes) -> tuple[Codes, Floats]:
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
    bar_sum: Floats, bar_n: Ints, samples: Samples, before: Codes
) -> tuple[Samples, Floats, Codes]:
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
        # Judged as it is kept: what leaves the ranks later is to be found among them.
        newest = steps.volatility(at, at + VOL_BARS).astype(np.float32)
        samples[:, end - 1] = newest
        if at == 0:
            ranked = np.sort(samples[:, :end], axis=1)  # NaN sorts last
        else:
            ranked = rerank(ranked, samples[:, at - 1], newest)
        before, medians[:, at] = judge_regimes(ranked, newest, before)
        regimes[:, at] = before
    return samples[:, -count:], medians, regimes


def _quantile(ranked: Samples, count: npt.NDArray[np.int64], q: float) -> Floats:
    """Linear-interpolated quantile of the first ``count`` values of each sorted row."""
    if not len(ranked):
        return np.empty(0)
    place = q * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ranked))
    below, above = ranked[rows, low].astype(np.float64), ranked[rows, high]
    result: Floats = below + (above - below) * (place - low)
    return result
