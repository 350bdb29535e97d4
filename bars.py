"""Bars: one-second bars of many symbols as one block, as store, history and export pass them on.

Plain values and pure functions; time is in the bars themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

__all__ = ["CELL", "Bars"]

CELL: Final = np.dtype(
    [
        ("second", "<i8"),
        ("row", "<u2"),
        ("ms", "<u2"),
        ("n", "<u4"),
        ("price", "<f8"),
        ("sum", "<f8"),
    ]
)
"""One symbol in one second, which had at least one tick: the second since the epoch, the symbol's
row, the millisecond within the second of its newest tick, the number of ticks, the price of the
newest, and the sum of all their prices."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """One-second bars of some symbols; a second in which a symbol had no tick has no cell."""

    symbols: tuple[str, ...]
    """The symbols, by row."""
    assets: tuple[str, ...]
    """Their asset classes, by row."""
    cells: npt.NDArray[Any]
    """``CELL``s in order of their seconds."""

    def __len__(self) -> int:
        return len(self.cells)

    @classmethod
    def empty(cls, symbols: Sequence[str] = (), assets: Sequence[str] = ()) -> Self:
        """No bars."""
        return cls(tuple(symbols), tuple(assets), np.empty(0, CELL))

    def of(self, symbols: Sequence[str]) -> Self:
        """The bars of some symbols only; their rows are renumbered."""
        wanted = set(symbols)
        kept = [row for row, symbol in enumerate(self.symbols) if symbol in wanted]
        place = np.full(max(1, len(self.symbols)), -1)
        place[kept] = np.arange(len(kept))
        at = place[self.cells["row"]]
        cells = self.cells[at >= 0].copy()
        cells["row"] = at[at >= 0]
        return type(self)(
            tuple(self.symbols[row] for row in kept), tuple(self.assets[row] for row in kept), cells
        )

    def between(self, begin: int, end: int) -> Self:
        """The bars from the second ``begin`` on and before ``end``."""
        first, last = np.searchsorted(self.cells["second"], [begin, end])
        return replace(self, cells=self.cells[first:last])

    def newest(self) -> npt.NDArray[Any]:
        """The newest cell of each symbol that has one, in the order of the symbols."""
        at = np.full(len(self.symbols), -1)
        at[self.cells["row"]] = np.arange(len(self))  # in order of time: of several the last stays
        found: npt.NDArray[Any] = self.cells[at[at >= 0]]
        return found
