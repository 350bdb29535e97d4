"""Robust correlation once more, by brute force: one return after the other.

Slow and obvious on purpose: lists, loops and ``statistics``. A return that is not known is NaN in a
list, and missing in a dict by its place.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

__all__ = ["Known", "corrected", "kappa", "pearson", "scaled", "standard_error"]

Known = Mapping[int, float]


def scaled(changes: Sequence[float]) -> Known:
    """Each known return over the scale of the sixty around it, clipped; by its place."""
    known = [i for i, change in enumerate(changes) if not math.isnan(change)]
    found: dict[int, float] = {}
    for k, i in enumerate(known):
        newest = min(k + 30, len(known) - 1)
        around = known[max(0, newest - 59) : newest + 1]
        scale = 1.4826 * statistics.median(abs(changes[j]) for j in around)
        change = changes[i]
        if change == 0:
            found[i] = 0.0
        elif scale == 0:
            found[i] = math.copysign(2.0, change)
        else:
            found[i] = max(-2.0, min(2.0, change / scale))
    return found


def pearson(x: Known, y: Known) -> tuple[float, int]:
    """r of two series on the places both have, and how many these are."""
    shared = sorted(x.keys() & y.keys())
    if len(shared) < 12:
        return math.nan, len(shared)
    xs, ys = [x[i] for i in shared], [y[i] for i in shared]
    if max(xs) - min(xs) < 1e-6 or max(ys) - min(ys) < 1e-6:
        return math.nan, len(shared)
    return statistics.correlation(xs, ys), len(shared)


def kappa(shared: Sequence[int], one: Mapping[int, int], other: Mapping[int, int]) -> float:
    """What sparse ticks leave of a correlation.

    From the numbers of ticks of each bar; the return at place i lies between the bars i and i + 1.
    """
    spans = [
        statistics.mean(2 / 3 + (1 / counts[i] + 1 / counts[i + 1]) / 6 for i in shared)
        for counts in (one, other)
    ]
    return (2 / 3) / math.sqrt(spans[0] * spans[1])


def corrected(r: float, part: float = 1.0) -> float:
    """The correlation of prices, from that of scaled returns and what sparse ticks left of it."""
    of_bars = min(1.0, max(-1.0, r + 0.035 * r * math.cbrt(1 - r * r) ** 2))
    return max(-1.0, min(1.0, of_bars / part))


def standard_error(x: Known, y: Known, r: float) -> float:
    """The standard error of atanh r from the influence of every observation."""
    shared = sorted(x.keys() & y.keys())
    n = len(shared)
    mean_x, mean_y = (statistics.mean(side[i] for i in shared) for side in (x, y))
    square_x = statistics.mean((x[i] - mean_x) ** 2 for i in shared)
    square_y = statistics.mean((y[i] - mean_y) ** 2 for i in shared)
    influence = {
        i: (x[i] - mean_x) * (y[i] - mean_y) / math.sqrt(square_x * square_y)
        - r / 2 * ((x[i] - mean_x) ** 2 / square_x + (y[i] - mean_y) ** 2 / square_y)
        for i in shared
    }
    own: float = sum(value**2 for value in influence.values()) / n
    pairs = sum(value * influence[i - 1] for i, value in influence.items() if i - 1 in influence)
    fisher = 1 / math.sqrt(n / 1.125 - 3)
    if r * r > 1 - 1e-12:
        return fisher
    unexplained = 1 - r * r
    return max(math.sqrt((own + 2 * max(0.0, pairs / n)) / n) / unexplained, fisher)
