"""Windows: since when a symbol's prices belong together, and which vendor's they are.

They have no lock of their own: whoever shares them between threads guards them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bars import Begin

__all__ = ["Since", "Windows"]


class Since(NamedTuple):
    """Since which second the prices of each symbol belong together, by row; 0: always."""

    gap: npt.NDArray[np.int64]
    """When its window began."""
    change: npt.NDArray[np.int64]
    """When its prices became its vendor's: then, or when an earlier window began."""


class _Window(NamedTuple):
    begin: int
    change: int
    vendor: int
    """Its number; 0: not known."""


_ALWAYS = _Window(0, 0, 0)


class Windows:
    """The windows of all symbols, by their rows; one of which none ever began has had one always.

    With ``records`` the begins can be collected as they come.
    """

    def __init__(self, *, records: bool) -> None:
        self._records = records
        self._of: dict[int, list[_Window]] = {}
        """By row, in their order; the first is the time before any begin."""
        self._vendors = [""]
        """By number."""
        self._has_begins = False
        self._uncollected: list[Begin] = []
        self._only: npt.NDArray[np.int16] | None = None  # the vendors, if no window ever began

    def add(self, row: int, begin: Begin) -> None:
        """Begin a window, unless the vendor that is named is the one that serves already.

        A symbol of which no vendor was known is from now on that vendor's in the window it has. If
        no vendor is named the window is a new one of the same vendor, unless one begins then or
        later. If one is named, those that begin then or later are forgotten.
        """
        windows = self._of.setdefault(row, [_ALWAYS])
        if not begin.vendor and windows[-1].begin >= begin.second:
            return
        while len(windows) > 1 and windows[-1].begin >= begin.second:
            windows.pop()
        last, vendor = windows[-1], self.number(begin.vendor)
        if vendor and vendor == last.vendor:
            return
        if vendor and not last.vendor:
            windows[-1] = last._replace(vendor=vendor)
        else:
            change = begin.second if vendor else last.change
            windows.append(_Window(begin.second, change, vendor or last.vendor))
            self._has_begins = True
        if self._records:
            self._uncollected.append(begin)
        self._only = None

    def collect(self) -> list[Begin]:
        """The begins since this was last called."""
        found, self._uncollected = self._uncollected, []
        return found

    def number(self, vendor: str) -> int:
        """The number of a vendor, which is given one if it has none."""
        if vendor not in self._vendors:
            self._vendors.append(vendor)
        return self._vendors.index(vendor)

    def vendor(self, number: int) -> str:
        """The vendor of a number."""
        return self._vendors[number]

    def begins_within(self, first: int, last: int) -> list[int]:
        """The seconds after ``first`` and up to ``last`` at which any window begins, in order."""
        if not self._has_begins:
            return []
        begins = {window.begin for windows in self._of.values() for window in windows}
        return sorted(begin for begin in begins if first < begin <= last)

    def since(self, second: int, count: int) -> Since | None:
        """The windows of ``second``, of ``count`` rows; None: no window has begun by then."""
        if not self._has_begins:
            return None
        gap, change = np.zeros((2, count), np.int64)
        for row in self._of:
            gap[row], change[row], _ = self._at(row, second)
        return Since(gap, change) if gap.any() else None

    def served(self, second: int, count: int) -> npt.NDArray[np.int16]:
        """The numbers of the vendors whose prices those of ``second`` are, of ``count`` rows."""
        if self._only is not None and len(self._only) == count:
            return self._only
        found = np.zeros(count, np.int16)
        for row in self._of:
            found[row] = self._at(row, second).vendor
        if not self._has_begins:
            self._only = found
        return found

    def _at(self, row: int, second: int) -> _Window:
        return next(window for window in reversed(self._of[row]) if window.begin <= second)
