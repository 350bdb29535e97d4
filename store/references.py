"""References: the prices that a day's change is measured against, each for as long as it is so.

They have no lock of their own: whoever shares them between threads guards them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from volatility import Floats

__all__ = ["DayReferences", "Held", "Measured", "Stretch"]


class Measured(NamedTuple):
    """What each symbol's change is measured against, by row; NaN if it is not known."""

    price: Floats
    counts_from: Floats
    """An older price than of this time, in seconds since the epoch, is none of that day."""


class Stretch(NamedTuple):
    """When a reference is one, and of whose prices; in seconds, the end excluded."""

    since: int
    until: int
    counts_from: int
    vendor: int
    """Its number."""


class Held(NamedTuple):
    """The reference of one symbol in one stretch."""

    row: int
    price: float
    stretch: Stretch


class DayReferences:
    """The references of all symbols, by their rows; only symbols that have one take memory.

    With ``records`` they can be collected as they are set.
    """

    def __init__(self, *, records: bool) -> None:
        self._records = records
        self._stretches: dict[Stretch, dict[int, float]] = {}
        # In order, each once, however often it was set: no more than there are.
        self._uncollected: dict[tuple[Stretch, int], None] = {}

    def set(self, row: int, price: float, stretch: Stretch, *, is_better: bool) -> None:
        """Measure a symbol against a price; one that is known stays unless this one is better."""
        prices = self._stretches.setdefault(stretch, {})
        if (is_better or row not in prices) and prices.get(row) != price:
            prices[row] = price
            if self._records:
                self._uncollected[stretch, row] = None

    def load(self, held: Held) -> None:
        """Know a reference of before; it is not collected."""
        self._stretches.setdefault(held.stretch, {})[held.row] = held.price

    def collect(self) -> list[Held]:
        """Those that were set since this was last called, in their order."""
        keys, self._uncollected = self._uncollected, {}
        return [Held(row, self._stretches[stretch][row], stretch) for stretch, row in keys]

    def held(self) -> list[Held]:
        """All, in the order in which they are to be set elsewhere to mean the same."""
        return [
            Held(row, price, stretch)
            for stretch, prices in self._stretches.items()
            for row, price in prices.items()
        ]

    def forget(self, before: int) -> None:
        """Forget those of before a second."""
        gone = {found for found in self._stretches if found.until <= before}
        for stretch in gone:
            del self._stretches[stretch]
        if gone and self._uncollected:
            self._uncollected = {key: None for key in self._uncollected if key[0] not in gone}

    def at(self, second: int, served: npt.NDArray[np.int16]) -> Measured:
        """What the changes at a second are measured against, of the vendors that serve."""
        price, counts_from = np.full((2, len(served)), np.nan)
        for stretch, prices in self._stretches.items():
            if not stretch.since <= second < stretch.until:
                continue
            rows = np.fromiter(prices, np.intp, len(prices))
            is_served = served[rows] == stretch.vendor
            rows = rows[is_served]
            price[rows] = np.fromiter(prices.values(), np.float64, len(prices))[is_served]
            counts_from[rows] = stretch.counts_from
        return Measured(price, counts_from)
