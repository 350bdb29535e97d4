"""Candles: what a vendor says of minutes that have no ticks, in a ring beside those of the ticks.

It has no lock of its own: whoever shares it between threads guards it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from bars import CANDLE, Candles
from pages import zeros
from ticks import LEAST_PRICE, MOST_PRICE
from volatility import Floats

__all__ = ["CLOSES_AT", "CandleRing", "Shown"]

CLOSES_AT: Final = 59
"""The second of its minute that a candle's last price counts as of."""

Minutes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


class _Block(NamedTuple):
    """[place of a symbol, minute]; a minute of 0 means that there is no candle."""

    minute: Minutes
    vendor: npt.NDArray[np.int16]
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    @classmethod
    def zeros(cls, count: int, minutes: int) -> _Block:
        shape = (count, minutes)
        prices = (zeros(shape, np.float64) for _ in range(4))
        return cls(zeros(shape, np.int64), zeros(shape, np.int16), *prices)


class Shown(NamedTuple):
    """The candles that are to be seen from one second, [place of a symbol, minute]."""

    places: Mapping[int, int]
    """The place of each row that has any."""
    rows: Rows
    """The rows, by place."""
    minute: Minutes
    """0 if there is none to be seen."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def newest(self, second: int) -> tuple[Minutes, Floats]:
        """Minute and last price of each symbol's newest candle at or before a second; 0: none."""
        minutes = np.where(self.minute * 60 + CLOSES_AT <= second, self.minute, 0)
        at = minutes.argmax(axis=1)
        rows = np.arange(len(minutes))
        return minutes[rows, at], self.close[rows, at]

    def means(self, place: int) -> Floats:
        """Of each minute's first, highest, lowest and last price of the symbol at a place.

        What stands for the mean of its ticks.
        """
        total = self.open[place] + self.high[place] + self.low[place] + self.close[place]
        means: Floats = total / 4.0
        return means


class CandleRing:
    """The candles of the newest ``minutes`` minutes; only symbols that have one take memory."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._places: dict[int, int] = {}
        """The place of each row."""
        self._newest = 0
        self._block = _Block.zeros(0, minutes)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self._block)

    def load(self, candles: Candles, rows: Rows, vendor: int) -> None:
        """Keep candles of a vendor, by its number; ``rows`` are those of its symbols.

        One replaces another of the same minute. Left out: what is no candle, and those that are
        older than the ring.
        """
        cells = candles.cells
        prices = np.stack([cells[name] for name in ("open", "high", "low", "close")])
        is_price = ((prices >= LEAST_PRICE) & (prices <= MOST_PRICE)).all(axis=0)
        newest = max(self._newest, int(cells["minute"].max(initial=0)))
        is_kept = is_price & (cells["minute"] > newest - self._minutes)
        cells, prices = cells[is_kept], prices[:, is_kept]
        if not len(cells):
            return
        self._newest = newest
        of_cells = rows[cells["row"]]
        self._make_room(of_cells)
        places = np.array([self._places[row] for row in of_cells.tolist()])
        at = places, cells["minute"] % self._minutes
        block = self._block
        block.minute[at], block.vendor[at] = cells["minute"], vendor
        block.open[at], block.close[at] = cells["open"], cells["close"]
        block.high[at], block.low[at] = prices.max(axis=0), prices.min(axis=0)

    def held(self, vendor: int, symbols: Sequence[str]) -> Candles:
        """The candles of a vendor, by its number; ``symbols`` are those of all rows."""
        places, block = list(self._places.values()), self._block
        is_held = (block.minute > self._newest - self._minutes) & (block.minute > 0)
        at = np.nonzero(is_held[places] & (block.vendor[places] == vendor))
        cells = np.empty(len(at[0]), CANDLE)
        cells["row"] = at[0]
        for name in ("minute", "open", "high", "low", "close"):
            cells[name] = getattr(block, name)[places][at]
        return Candles(tuple(symbols[row] for row in self._places), cells)

    def forget(self, before: int) -> None:
        """Forget all, if all are of minutes before one."""
        if self._places and self._newest < before:
            self._places.clear()
            self._newest = 0
            self._block = _Block.zeros(0, self._minutes)

    @property
    def has_any(self) -> bool:
        """Whether there are candles."""
        return bool(self._places)

    def shown(self, second: int, served: npt.NDArray[np.int16]) -> Shown:
        """The candles of minutes over by ``second``, of the vendors that serve."""
        rows, block = np.array([*self._places], np.intp), self._block
        held = slice(0, len(rows))
        minute = block.minute[held]
        is_seen = (
            (minute * 60 + CLOSES_AT <= second)
            & (minute > self._newest - self._minutes)
            & (block.vendor[held] == served[rows, None])
        )
        return Shown(
            self._places,
            rows,
            np.where(is_seen, minute, 0),
            block.open[held],
            block.high[held],
            block.low[held],
            block.close[held],
        )

    def _make_room(self, rows: Rows) -> None:
        for row in np.unique(rows).tolist():
            self._places.setdefault(row, len(self._places))
        held = len(self._block.minute)
        if len(self._places) > held:
            grown = _Block.zeros(max(16, len(self._places), held + held // 4), self._minutes)
            for new, old in zip(grown, self._block, strict=True):
                cast("npt.NDArray[Any]", new)[:held] = old
            self._block = grown
