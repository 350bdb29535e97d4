"""How much prices are like a market's: the figures by which recorded and simulated ones compare.

Prices come as a grid: the natural logarithm at every second, seconds down, symbols across, the last
one carried on. Trades come as they were printed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

JUMP: Final = 8.0
"""A move of ten seconds is a jump beyond so many of its neighbourhood's usual ones."""

NEIGHBOURHOOD: Final = 90
"""How many such moves on either side are the neighbourhood: a quarter of an hour each."""


class Bounce(NamedTuple):
    """How the prices of successive trades follow one another."""

    autocorrelation: float
    """Of the changes from trade to trade, with the next."""
    unchanged: float
    """The share of trades at the price of the one before."""


def moves(logs: Floats, seconds: int) -> Floats:
    """Returns over so many seconds, end to end."""
    return np.diff(logs[::seconds], axis=0)


def variance_ratio(logs: Floats, long: int, short: int) -> Floats:
    """Variance per second of long returns over that of short ones; 1 for a random walk.

    Long returns overlap, by a tenth of their length from one to the next.
    """
    step = long // 10
    overlapping = logs[long::step] - logs[:-long:step]
    slow = (overlapping**2).mean(axis=0) / long
    return np.asarray(slow / ((moves(logs, short) ** 2).mean(axis=0) / short))


def clustering(logs: Floats, minutes: int) -> Floats:
    """Correlation of |return of a minute| with that so many minutes later."""
    sizes = np.abs(moves(logs, 60))
    sizes = sizes - sizes.mean(axis=0)
    products = (sizes[minutes:] * sizes[:-minutes]).mean(axis=0)
    return np.asarray(products / (sizes**2).mean(axis=0))


def excess_kurtosis(logs: Floats, seconds: int) -> Floats:
    """Of returns over so many seconds; 0 for a normal distribution."""
    r = moves(logs, seconds)
    r = r - r.mean(axis=0)
    return np.asarray((r**4).mean(axis=0) / (r**2).mean(axis=0) ** 2 - 3)


def jumps_a_day(logs: Floats) -> Floats:
    """How often in 24 hours a move of ten seconds is far beyond those around it."""
    sizes = np.abs(moves(logs, 10))
    windows = np.lib.stride_tricks.sliding_window_view(sizes, 2 * NEIGHBOURHOOD + 1, axis=0)
    # The root of π/2 times the mean size is a standard deviation that a jump hardly moves.
    usual = math.sqrt(math.pi / 2) * windows.mean(axis=-1)
    found = sizes[NEIGHBOURHOOD:-NEIGHBOURHOOD] > JUMP * usual
    return np.asarray(found.sum(axis=0) * 86_400 / (10 * len(found)))


def dispersion(times: Floats, seconds: float = 10.0) -> float:
    """Variance over mean of the number of ticks in so many seconds; 1 if each comes by itself."""
    counts = np.bincount(((times - times[0]) // seconds).astype(np.int64))[:-1]
    return float(counts.var() / counts.mean())


def bounce(prices: Sequence[float] | Floats) -> Bounce:
    """How the prices of trades in their order bounce."""
    changes = np.diff(np.asarray(prices, dtype=np.float64))
    rises = changes - changes.mean()
    autocorrelation = (rises[1:] * rises[:-1]).mean() / (rises**2).mean()
    return Bounce(float(autocorrelation), float((np.abs(changes) < 1e-9).mean()))


def by_the_second(times: Floats, prices: Floats, start: float, seconds: int) -> Floats:
    """The natural logarithm of the last price at the end of each second, from the first on."""
    marks = start + np.arange(seconds + 1.0)
    last = np.searchsorted(times, marks, side="right") - 1
    return np.log(prices[np.maximum(last, 0)])
