"""Moves: what the newest price of each second makes of returns, of a move's ends, and of heat.

Functions of arrays with one row per symbol. Pure: no state, no lock, no clock. A price of 0 means
that a second has no tick; ``NaN`` that a figure is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ticks import ASSETS
from volatility import BAR_SEC, VOL_BARS, Floats, Samples

__all__ = [
    "END_REACH_SEC",
    "HALF_LIFE_SEC",
    "HEAT_BARS",
    "LEAD_SEC",
    "Excursion",
    "Halves",
    "Stretch",
    "against_peers",
    "excursion",
    "furthest",
    "heat",
    "hottest",
    "median_ends",
    "minute_returns",
    "price_steps",
    "returns",
    "smallest_steps",
    "surprise_then",
]

MIN_PEERS: Final = 3
"""With fewer others of an asset class than this there is nothing to compare a move with."""

LEAD_SEC: Final = 90
"""How far before a second its return over a minute looks: a reference may be half a minute old."""

END_SEC: Final = 5
"""A move ends with the median of the seconds with a tick among so many."""

MIN_END_SECONDS: Final = 3
"""If fewer of them have one, it is the median of so many, the newest before."""

END_REACH_SEC: Final = 30
"""How far back from the end these are looked for."""

HEAT_BARS: Final = VOL_BARS
"""Closed bars that heat remembers: fifteen minutes."""

HALF_LIFE_SEC: Final = 180.0
"""In this time heat loses half."""

MIN_STEP_MINUTES: Final = 5
"""With fewer minutes in which the price changed than this its step is unknown."""

STEP_SHARE: Final = 0.25
"""The price step is the smallest change of a second that is not undercut in this share of minutes:
some trades print between two steps."""

_LARGEST: Final = 65_504.0
"""The largest number that a half can hold."""

_ROUNDING: Final = 1e-9
"""Two prices that differ by less than this, as a fraction, are one: a mid's last digits."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The newest price of each of some seconds, [symbol, second]."""

    end: int
    """The last of the seconds, since the epoch."""
    price: Floats
    """0 if there was no tick."""
    ms: npt.NDArray[np.int16]
    """Its millisecond within the second."""

    def move_end(self, before_sec: int) -> tuple[Floats, Floats]:
        """Price and time of a move's end that is ``before_sec`` before the last second."""
        end = self.price.shape[1] - before_sec
        seconds = slice(end - END_REACH_SEC, end)
        price, since = median_ends(self.price[:, seconds], self.ms[:, seconds])
        return price, self.end - before_sec + since


class Excursion(NamedTuple):
    """A move from the price of an earlier second to the newest one, and both their times."""

    value: float
    from_price: float
    from_ts: float
    to_price: float
    to_ts: float


Halves = npt.NDArray[np.float16]
"""Figures as they are kept: to three digits, and at most 65,504."""


def returns(
    now: tuple[Floats, Floats], reference: tuple[Floats, Floats], second: int, horizon_sec: int
) -> Floats:
    """P(T) / P(T - w) - 1 of price and time of the newest ticks at or before T and T - w.

    NaN unless a tick fell inside the horizon w, and the reference is near its far end.
    """
    (price, ts), (before, before_ts) = now, reference
    begin = second - horizon_sec
    is_fresh = (np.floor(ts) > begin) & (begin - np.floor(before_ts) <= horizon_sec / 2)
    return np.where(is_fresh, price / before - 1.0, np.nan)


def furthest(price: Floats, low: Floats, high: Floats) -> Floats:
    """The furthest of P / p - 1 over prices p between ``low`` and ``high``, of each symbol.

    If it is as far either way it is the rise. NaN if one of the prices is.
    """
    rise, fall = price / low - 1.0, price / high - 1.0
    return np.where(rise >= -fall, rise, fall)


def excursion(stretch: Stretch, row: int, to: tuple[float, float]) -> Excursion | None:
    """The furthest move of a row of a stretch to a price of a later time, and where it began.

    From the latest of the seconds that it is as far from; None if none has a tick, or if there is
    no price to move to.
    """
    seconds = np.flatnonzero(stretch.price[row] > 0)
    if not len(seconds) or math.isnan(to[0]):
        return None
    moves = to[0] / stretch.price[row, seconds] - 1.0
    rises, falls = moves == moves.max(), moves == moves.min()
    at = int(seconds[rises if moves.max() >= -moves.min() else falls][-1])
    begin = stretch.end - stretch.price.shape[1] + 1
    price = float(stretch.price[row, at])
    ts = begin + at + int(stretch.ms[row, at]) / 1000.0
    return Excursion(to[0] / price - 1.0, price, ts, *to)


def minute_returns(prices: Floats) -> Floats:
    """P(s) / P(s - 60) - 1 of each second s but the first ``LEAD_SEC``, [symbol, second].

    P(s) is the newest price of a second up to s. Only if its second is less than a minute before s,
    and that of P(s - 60) at most half a minute before s - 60.
    """
    at = np.arange(prices.shape[1], dtype=np.int16)
    newest = np.where(prices > 0, at, np.int16(-1))
    np.maximum.accumulate(newest, axis=1, out=newest)
    end, begin = newest[:, LEAD_SEC:], newest[:, LEAD_SEC - 60 : -60]
    known = (end > at[LEAD_SEC:] - 60) & (begin >= at[:-LEAD_SEC])
    to, reference = (np.take_along_axis(prices, index, axis=1) for index in (end, begin))
    returns = np.full(to.shape, np.nan)
    np.divide(to, reference, out=returns, where=known)
    returns -= 1.0
    return returns


def median_ends(prices: Floats, ms: npt.NDArray[np.int16]) -> tuple[Floats, Floats]:
    """The end of a move: its price, and how many seconds before the end the newest of them was.

    ``prices`` and their milliseconds are of the ``END_REACH_SEC`` seconds up to the end. The price
    is the median of the seconds with a tick among the last five, or if these are fewer than three,
    of the newest three; NaN if there are fewer. The time is 0 at the begin of the last second, and
    negative before.
    """
    count = len(prices)
    live = prices > 0
    newest = prices[:, -END_SEC:]
    picked = np.where(newest > 0, newest, np.inf)
    n = np.count_nonzero(live[:, -END_SEC:], axis=1)
    sparse = np.flatnonzero(n < MIN_END_SECONDS)
    if len(sparse):
        of_sparse = live[sparse]
        from_end = np.cumsum(of_sparse[:, ::-1], axis=1, dtype=np.int8)[:, ::-1]
        picked[sparse] = np.inf
        for nth in range(MIN_END_SECONDS):
            is_nth = of_sparse & (from_end == nth + 1)
            rows = np.flatnonzero(is_nth.any(axis=1))
            picked[sparse[rows], nth] = prices[sparse[rows], is_nth[rows].argmax(axis=1)]
        n[sparse] = np.minimum(from_end[:, 0], MIN_END_SECONDS)
    picked.sort(axis=1)
    rows = np.arange(count)
    median = (picked[rows, np.maximum(n - 1, 0) // 2] + picked[rows, n // 2]) / 2.0
    back = live[:, ::-1].argmax(axis=1)
    known = n >= MIN_END_SECONDS
    since = ms[rows, END_REACH_SEC - 1 - back] / 1000.0 - back
    return np.where(known, median, np.nan), np.where(known, since, np.nan)


def hottest(surprise: Floats) -> tuple[Halves, npt.NDArray[np.int8]]:
    """The hottest second s of each bar, [symbol, bar] of [symbol, bar, second].

    Returns surprise(s) · 2^(s/180), which is what the heat at any later second decays from if it is
    counted from the bar's begin, NaN if no surprise is known; and s, from 0 at that begin.
    """
    shifted = surprise * np.exp2(np.arange(surprise.shape[2]) / HALF_LIFE_SEC)
    size = np.abs(shifted)
    size[np.isnan(size)] = -1.0
    part = size.argmax(axis=2)
    found = np.take_along_axis(shifted, part[:, :, None], axis=2)[:, :, 0]
    return np.clip(found, -_LARGEST, _LARGEST).astype(np.float16), part.astype(np.int8)


def heat(
    surprise: Floats, closed: Halves, parts: npt.NDArray[np.int8], second: int
) -> tuple[Floats, Floats]:
    """The decayed largest surprise, signed, and its second: surprise(s) · 2^(-(T - s)/180).

    Over the seconds s of the open bar up to T, ``surprise``, and those of the ``HEAT_BARS`` closed
    bars before it, ``closed`` and ``parts`` as of ``hottest``. NaN if no surprise is known; without
    any move heat is 0 and has no second.
    """
    open_sec = surprise.shape[1]
    begin = second - open_sec + 1
    bars_sec = BAR_SEC * np.arange(-closed.shape[1], 0)
    decay = np.exp2((bars_sec - (open_sec - 1)) / HALF_LIFE_SEC)
    (now_best, now_part), (best, bar) = (
        _largest(surprise * np.exp2(np.arange(1 - open_sec, 1) / HALF_LIFE_SEC)),
        _largest(closed * decay.astype(np.float32)),
    )
    rows = np.arange(len(closed))
    is_now = ~(np.abs(best) > np.abs(now_best)) & ~np.isnan(now_best)
    found = np.where(is_now, now_best, best)
    of_closed = begin + bars_sec[bar] + parts[rows, bar]
    at = np.where(is_now, begin + now_part, of_closed).astype(np.float64)
    at[~(np.abs(found) > 0)] = np.nan
    return found, at


def surprise_then(left: float, at_ts: float, now: float) -> float:
    """The surprise at the second ``at_ts`` of which the heat ``left`` is left at ``now``."""
    return left * math.exp2((math.floor(now) - at_ts) / HALF_LIFE_SEC)


def _largest(values: npt.NDArray[np.floating]) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The value of largest size in each row and its place; NaN if none is known."""
    size = np.abs(values)
    size[np.isnan(size)] = -1.0
    place = size.argmax(axis=1)
    return values[np.arange(len(values)), place].astype(np.float64), place


def against_peers(surprise: Floats, asset: npt.NDArray[np.object_]) -> Floats:
    """Each surprise minus the median of those of the others of its asset class.

    NaN with fewer than ``MIN_PEERS`` others of which it is known.
    """
    difference = np.full(len(surprise), np.nan)
    known = ~np.isnan(surprise)
    for name in ASSETS:
        members = np.flatnonzero((asset == name) & known)
        others = len(members) - 1
        if others < MIN_PEERS:
            continue
        values = surprise[members]
        order = values.argsort(kind="stable")
        ranked = values[order]
        place = np.arange(others + 1)
        # Of the others: one place higher if it is the symbol itself or beyond.
        below, above = (
            ranked[middle + (middle >= place)] for middle in ((others - 1) // 2, others // 2)
        )
        difference[members[order]] = ranked - (below + above) / 2.0
    return difference


def smallest_steps(prices: Floats) -> Floats:
    """The smallest change from one second with a tick to the next, 0 if nothing changed."""
    at = np.arange(prices.shape[1], dtype=np.int16)
    newest = np.where(prices > 0, at, np.int16(0))
    np.maximum.accumulate(newest, axis=1, out=newest)
    held = np.take_along_axis(prices, newest, axis=1)
    before, after = held[:, :-1], held[:, 1:]
    change = np.abs(after - before)
    change[(before == 0) | (change <= _ROUNDING * after)] = np.inf
    smallest = change.min(axis=1, initial=np.inf)
    return np.where(np.isinf(smallest), 0.0, smallest)


def price_steps(smallest: Samples) -> Floats:
    """The price step from the smallest change of each minute, [symbol, minute], 0 if none.

    The change that is not undercut in ``STEP_SHARE`` of the minutes with a change. NaN if they are
    fewer than ``MIN_STEP_MINUTES``.
    """
    if smallest.shape[1] < MIN_STEP_MINUTES:
        return np.full(len(smallest), np.nan)
    ranked = np.sort(np.where(smallest > 0, smallest, np.inf), axis=1)
    count = np.count_nonzero(smallest > 0, axis=1)
    place = (np.maximum(count - 1, 0) * STEP_SHARE).astype(np.intp)
    found = ranked[np.arange(len(ranked)), place].astype(np.float64)
    return np.where(count >= MIN_STEP_MINUTES, found, np.nan)
