"""Hour: the stress of the hour that the line shows, as an area, and its events as marks on it.

``engine.intensity`` says what the height of the area is.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from engine.intensity import intensity
from engine.reader import Reader
from formulas import BAR_SEC
from ticks import ASSETS

__all__ = ["Area", "area", "area_span"]

CALM: Final = 1.0
"""At or below this intensity the area is flat: a typical minute."""

FULL: Final = 8.0
"""From this intensity on the area has its full height."""


class Area(msgspec.Struct, frozen=True):
    """The area of the hour's line, made once every ten seconds for all tabs.

    The value at place i is of the ``step`` seconds from ``begin + i · step`` on, and is drawn over
    them. What the line shows beyond the last one, fewer than ``step`` seconds, is not over yet.
    """

    begin: int
    """Second since the epoch: at most ``step`` before the first of the line."""
    step: int
    values: list[int | None]
    """(intensity − 1) / 7 in per cent, from 0, a typical minute, to 100, eight typical minutes and
    more; None if no price of then is known: a hole in the area."""


def area_span(first: int, last: int) -> tuple[int, int]:
    """Begin and end of the area of a line from the second ``first`` to ``last``.

    Both change every ten seconds, and together, so that an area is made as rarely as it can be.
    """
    end = (last + 1) // BAR_SEC * BAR_SEC
    return end - -(-(last + 1 - first) // BAR_SEC) * BAR_SEC, end


def area(reader: Reader, begin: int, end: int) -> Area:
    """The area of a span of ``area_span``, whether memory knows it or the archive."""
    logs = reader.store_at(begin).trace(reader.symbols(ASSETS), end - begin + 60, end)
    share = np.clip((intensity(logs) - CALM) / (FULL - CALM), 0.0, 1.0)
    values = np.round(share * 100.0).tolist()
    return Area(begin, BAR_SEC, [None if value != value else int(value) for value in values])
