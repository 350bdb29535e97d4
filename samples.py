"""Samples: what was found when each ten-second bar closed, one ring for all symbols.

It has no lock of its own: whoever shares it between threads guards it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from moves import Halves
from pages import zeros
from volatility import Codes, Floats, Samples

__all__ = ["ClosedBars", "SampleRing"]

_ALL: Final = slice(None)
_Kept = TypeVar("_Kept", np.float32, np.float16)


class ClosedBars(NamedTuple):
    """What was found at the close of some bars, [symbol, bar]."""

    vol: Samples
    """vol_15m, NaN if unknown."""
    vol_median: Samples
    """Of the hour of samples that ended with this one."""
    hottest: Halves
    hottest_part: npt.NDArray[np.int8]
    """The hottest second of the bar, as of ``moves.hottest``."""
    regime: Codes

    @classmethod
    def zeros(cls, rows: int, bars: int) -> ClosedBars:
        """All zero."""
        shape = (rows, bars)
        return cls(
            vol=zeros(shape, np.float32),
            vol_median=zeros(shape, np.float32),
            hottest=zeros(shape, np.float16),
            hottest_part=zeros(shape, np.int8),
            regime=zeros(shape, np.int8),
        )


class SampleRing:
    """What was found at the close of the newest ``bars`` bars, one row per symbol.

    A bar that is no longer kept, or not closed yet, is read as unknown; so is one that a symbol was
    not there for.
    """

    def __init__(self, bars: int) -> None:
        self.bars = bars
        self.closed = -1
        """The newest bar that is closed; -1: none yet."""
        self._count = 0
        self._ring = ClosedBars.zeros(0, bars)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, whether they are resident yet or not."""
        return sum(array.nbytes for array in self._ring)

    def add_rows(self, count: int) -> None:
        """Make room for as many symbols."""
        held = self._count
        if count > len(self._ring.vol):
            grown = ClosedBars.zeros(max(64, count, held + held // 4), self.bars)
            for new, old in zip(grown, self._ring, strict=True):
                cast("npt.NDArray[Any]", new)[:held] = cast("npt.NDArray[Any]", old)[:held]
            self._ring = grown
        for array in self._ring[:3]:
            array[held:count] = np.nan
        self._count = count

    def write(self, first: int, found: ClosedBars, first_row: int | None = None) -> None:
        """Keep what was found at the close of the bars from ``first`` on.

        With a ``first_row`` only of that row and those after it, of bars that are closed already.
        """
        places = np.arange(first, first + found.vol.shape[1]) % self.bars
        for ring, values in zip(self._ring, found, strict=True):
            kept, come = cast("npt.NDArray[Any]", ring), cast("npt.NDArray[Any]", values)
            kept[first_row or 0 : self._count, places] = come[first_row or 0 :]
        if first_row is None:
            self.closed = first + found.vol.shape[1] - 1

    def write_nothing(self, first: int, last: int) -> None:
        """Close bars at which nothing was known."""
        self._clear(first, last)
        self.closed = last

    def set_back(self, bar: int) -> None:
        """Make ``bar`` the newest one that is closed, if a later one is."""
        if bar < self.closed:
            self._clear(bar + 1, self.closed)
            self.closed = bar

    def vol(self, first: int, end: int, rows: slice = _ALL) -> Samples:
        """vol_15m at the close of the bars ``first`` to ``end`` (excluded), of some rows."""
        return self._read(self._ring.vol, first, end, rows)

    def vol_at(self, bar: int) -> Floats:
        """vol_15m at the close of one bar."""
        return self.vol(bar, bar + 1)[:, 0].astype(np.float64)

    def hottest(self, first: int, end: int) -> tuple[Halves, npt.NDArray[np.int8]]:
        """The hottest second of each of the bars ``first`` to ``end`` (excluded)."""
        places = np.arange(first, end) % self.bars
        parts = self._ring.hottest_part[: self._count].take(places, axis=1)
        return self._read(self._ring.hottest, first, end), parts

    def regimes_at(self, bar: int) -> tuple[Codes, Floats]:
        """Each symbol's regime, and the median it was judged by, at the close of a bar."""
        if not self._is_kept(np.array([bar]))[0]:
            return np.zeros(self._count, np.int8), np.full(self._count, np.nan)
        place = bar % self.bars
        medians = self._ring.vol_median[: self._count, place].astype(np.float64)
        return self._ring.regime[: self._count, place].copy(), medians

    def _clear(self, first: int, last: int) -> None:
        places = np.arange(max(first, last - self.bars + 1), last + 1) % self.bars
        for array in self._ring[:3]:
            array[: self._count, places] = np.nan
        self._ring.regime[: self._count, places] = 0

    def _read(
        self, ring: npt.NDArray[_Kept], first: int, end: int, rows: slice = _ALL
    ) -> npt.NDArray[_Kept]:
        ids = np.arange(first, end)
        found: npt.NDArray[_Kept] = ring[: self._count][rows].take(ids % self.bars, axis=1)
        found[:, ~self._is_kept(ids)] = np.nan
        return found

    def _is_kept(self, bar: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return (bar >= 0) & (bar <= self.closed) & (bar > self.closed - self.bars)
