"""Bars: bars, minutes and candles of many symbols, each as one block, as they are passed on.

Plain values and pure functions; time is in the bars themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

__all__ = [
    "CANDLE",
    "CELL",
    "KEPT_MINUTES",
    "MINUTE",
    "Bars",
    "Begin",
    "Candles",
    "Minutes",
    "Referenced",
]

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

MINUTE: Final = np.dtype(
    [("minute", "<i8"), ("row", "<u2"), ("z", "u1"), ("ret_1m", "u1"), ("ret_5m", "u1")]
)
"""One symbol in one minute: the seconds since the epoch over 60, the symbol's row, and the cells of
its figures as ``usual`` counts them, of which at least one is not 0, unknown."""

CANDLE: Final = np.dtype(
    [
        ("minute", "<i8"),
        ("row", "<u2"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
    ]
)
"""The prices of one symbol in one minute, as a vendor sums them up: the seconds since the epoch
over 60, the symbol's row, and its first, highest, lowest and last price."""

KEPT_MINUTES: Final = 1620
"""Minutes kept of each asset class: a day, and three hours more to look back from."""


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
        return type(self)(*_picked(self.symbols, self.assets, self.cells, symbols))

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


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """Minutes of some symbols; one in which a symbol had no figure has no cell."""

    symbols: tuple[str, ...]
    """The symbols, by row."""
    assets: tuple[str, ...]
    """Their asset classes, by row."""
    cells: npt.NDArray[Any]
    """``MINUTE``s in order of their minutes."""

    def __len__(self) -> int:
        return len(self.cells)

    @classmethod
    def empty(cls, symbols: Sequence[str] = (), assets: Sequence[str] = ()) -> Self:
        """No minutes."""
        return cls(tuple(symbols), tuple(assets), np.empty(0, MINUTE))

    def of(self, symbols: Sequence[str]) -> Self:
        """The minutes of some symbols only; their rows are renumbered."""
        return type(self)(*_picked(self.symbols, self.assets, self.cells, symbols))


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles of some symbols, of minutes that are over."""

    symbols: tuple[str, ...]
    """The symbols, by row."""
    cells: npt.NDArray[Any]
    """``CANDLE``s."""


class Begin(NamedTuple):
    """From ``second`` on the prices of a symbol do not continue those before."""

    symbol: str
    second: int
    vendor: str
    """Whose they are from then on; empty: the same one's as before, after a halt say."""


class Referenced(NamedTuple):
    """The price that a symbol's day change is measured against in a span, whose end is excluded."""

    symbol: str
    price: float
    since: int
    until: int
    counts_from: int
    """An older last price than of this time, in seconds since the epoch, is none of that day."""
    vendor: str
    """While this one serves; empty: while none is known."""


def _picked(
    symbols: tuple[str, ...],
    assets: tuple[str, ...],
    cells: npt.NDArray[Any],
    wanted: Sequence[str],
) -> tuple[tuple[str, ...], tuple[str, ...], npt.NDArray[Any]]:
    """Those symbols that are wanted, their assets, and their cells with rows renumbered."""
    names = set(wanted)
    kept = [row for row, symbol in enumerate(symbols) if symbol in names]
    place = np.full(max(1, len(symbols)), -1)
    place[kept] = np.arange(len(kept))
    at = place[cells["row"]]
    found = cells[at >= 0].copy()
    found["row"] = at[at >= 0]
    return tuple(symbols[row] for row in kept), tuple(assets[row] for row in kept), found
