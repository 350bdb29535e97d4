"""Sparks: the last quarter of an hour of a symbol as one short text, on a scale common to all."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["ALPHABET", "BASELINE", "HOLE", "REACH", "SPARK_SEC", "spark"]

SPARK_SEC: Final = 900

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[:61]
"""The levels from the lowest to the highest: no text of JSON has to escape any."""

HOLE: Final = " "

REACH: Final = 3.0
"""So many standard deviations from the baseline a line goes at most, either way."""

BASELINE: Final = len(ALPHABET) // 2
"""The level of the price that the line began with."""

_CHARACTERS: Final = np.frombuffer((ALPHABET + HOLE).encode("ascii"), np.uint8)
"""By place: the levels, and behind them the hole."""


def spark(logs: npt.NDArray[np.float64], sigma: float) -> str:
    """The logs of a symbol's prices, one for every ten seconds, as one character each.

    A character's place in ``ALPHABET`` is the move since the first known price, in units of
    ``sigma``, the symbol's own typical move over fifteen minutes: ``BASELINE`` is none, the ends
    are ``REACH`` or more. NaN, no price, is a ``HOLE``. Without a ``sigma`` every line is flat, as
    nothing says what is large; it is empty if there is no price at all.
    """
    known = np.flatnonzero(~np.isnan(logs))
    if not len(known):
        return ""
    moves = (logs - logs[known[0]]) / (sigma if sigma > 0 else math.inf)
    levels = np.rint((np.clip(moves, -REACH, REACH) / REACH + 1.0) * BASELINE)
    places = np.where(np.isnan(levels), len(ALPHABET), levels).astype(np.intp)
    return _CHARACTERS[places].tobytes().decode("ascii")
