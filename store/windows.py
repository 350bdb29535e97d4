"""Windows: since when a symbol's prices belong together, and which vendor's they are.

They have no lock of their own: whoever shares them between threads guards them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class _Rows(NamedTuple):
    """A window of each symbol, by row."""

    gap: npt.NDArray[np.int64]
    change: npt.NDArray[np.int64]
    vendor: npt.NDArray[np.int16]
    since: int
    """When the last of them began."""

    @classmethod
    def of(cls, windows: Mapping[int, _Window], count: int) -> _Rows:
        gap, change = np.zeros((2, count), np.int64)
        vendor = np.zeros(count, np.int16)
        if windows:
            rows = list(windows)
            gap[rows], change[rows], vendor[rows] = zip(*windows.values(), strict=True)
        return cls(gap, change, vendor, int(gap.max(initial=0)))


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
        self._newest: _Rows | None = None
        """The newest window of each symbol; None: not found yet."""

    def add(self, row: int, begin: Begin) -> None:
        """Begin a window, unless the vendor that is named is the one that serves already.

        A symbol of which no vendor was known is from now on that vendor's in the window it has. If
        no vendor is named the window is a new one of the same vendor, unless one begins then or
        later. If one is named, those that begin then or later are forgotten.
        """
        windows = self._of.setdefault(row, [_ALWAYS])
        if not begin.vendor and windows[-1].begin >= begin.second:
            return
        self._newest = None
        while len(windows) > 1 and windows[-1].begin >= begin.second:
            forgotten = windows.pop().begin
            if self._records:
                # Whoever knows of it already is to know that nothing begins then.
                self._uncollected.append(begin._replace(second=forgotten))
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

    def collect(self) -> list[Begin]:
        """The begins since this was last called."""
        found, self._uncollected = self._uncollected, []
        return found

    def held(self, symbols: Sequence[str]) -> list[Begin]:
        """The begins that make these windows where none began yet; ``symbols`` are by row."""
        found = []
        for row, windows in self._of.items():
            before = 0
            for window in windows:
                is_change = window.vendor and before and window.vendor != before
                if is_change:
                    found.append(Begin(symbols[row], window.begin, self.vendor(window.vendor)))
                elif window.begin:
                    found.append(Begin(symbols[row], window.begin, ""))
                if window.vendor and not before:
                    # Named while the window went on: at its begin it would take its place.
                    vendor = self.vendor(window.vendor)
                    found.append(Begin(symbols[row], window.begin + 1, vendor))
                before = window.vendor
        return found

    def load(self, row: int, begin: Begin) -> None:
        """Know a begin of before; it is not collected."""
        uncollected, self._uncollected = self._uncollected, []
        self.add(row, begin)
        self._uncollected = uncollected

    @property
    def vendors(self) -> list[str]:
        """All that have a number, in the order of these."""
        return self._vendors.copy()

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
        windows = self._windows_of(second, count)
        return Since(windows.gap, windows.change) if windows.gap.any() else None

    def served(self, second: int, count: int) -> npt.NDArray[np.int16]:
        """The numbers of the vendors whose prices those of ``second`` are, of ``count`` rows."""
        return self._windows_of(second, count).vendor

    def _windows_of(self, second: int, count: int) -> _Rows:
        """The windows of a second; those of now are found once, as no one changes them."""
        newest = self._newest
        if newest is None or len(newest.gap) != count:
            newest = self._newest = _Rows.of(
                {row: windows[-1] for row, windows in self._of.items()}, count
            )
        if second >= newest.since:
            return newest
        at = {
            row: next(window for window in reversed(windows) if window.begin <= second)
            for row, windows in self._of.items()
        }
        return _Rows.of(at, count)
