"""Intensity: how much stress there was in each ten seconds of an hour, over all symbols.

Of every symbol the size of its move over a minute is taken in units of its own typical minute of
that hour: u = |ln P(t) − ln P(t − 60 s)| / (1.4826 · median of the same over the hour), P being the
means of ten seconds, and at most ``MOST``. The intensity at t is the mean of the largest tenth of
all symbols' u, but of three at least: a move of one symbol rises above what is usual, and one of
the whole market far above. Without any stress it is between 1 and 2.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from formulas import BAR_SEC, Floats

__all__ = ["MOST", "intensity"]

MOST: Final = 16.0
"""A move counts as at most so many typical minutes, so that no single price decides an hour."""

LARGEST: Final = 0.1
"""The share of the symbols whose moves are the largest, which the intensity is the mean of."""

LEAST_SYMBOLS: Final = 3
"""They are so many at least, as far as there are so many."""

LEAST_MOVES: Final = 12
"""With fewer moves in the hour nobody knows what is typical for a symbol."""

_MINUTE_BARS: Final = 60 // BAR_SEC
_NORMAL: Final = 1.4826
"""Times the median size of a normal variable is its standard deviation."""


def intensity(logs: Floats) -> Floats:
    """The intensity at each ten seconds but those of the first minute, NaN if none is known.

    ``logs`` are those of the mean prices, [symbol, ten seconds], NaN if there is none.
    """
    sizes = np.abs(logs[:, _MINUTE_BARS:] - logs[:, :-_MINUTE_BARS]).astype(np.float32)
    known = ~np.isnan(sizes)
    moves = np.count_nonzero(known, axis=1)
    rows = np.flatnonzero(moves >= LEAST_MOVES)
    found = np.full(sizes.shape[1], np.nan)
    if not len(rows):
        return found
    sizes, known, moves = sizes[rows], known[rows], moves[rows]
    ranked = np.sort(sizes, axis=1)  # what is not known comes last
    at = np.arange(len(rows))
    usual = _NORMAL * (ranked[at, (moves - 1) // 2] + ranked[at, moves // 2]) / 2.0
    # A price that hardly ever changes has no typical minute but the mean one.
    mean = np.where(known, sizes, 0.0).sum(axis=1) / moves
    usual = np.where(usual > 0, usual, mean)[:, None]
    units = np.zeros_like(sizes)
    np.divide(sizes, usual, out=units, where=usual > 0)
    # Of those that are not known, which are no part of any mean, the size is below all others.
    sinking = np.where(known, -np.minimum(units, MOST), 1.0)
    symbols = np.count_nonzero(known, axis=0)
    counted = np.maximum(LEAST_SYMBOLS, np.ceil(symbols * LARGEST)).astype(np.intp)
    counted = np.minimum(counted, symbols)
    most = int(counted.max())
    largest = np.sort(np.partition(sinking, most - 1, axis=0)[:most], axis=0)
    sums = -np.cumsum(largest, axis=0, dtype=np.float64)
    some = np.flatnonzero(counted)
    found[some] = sums[counted[some] - 1, some] / counted[some]
    return found
