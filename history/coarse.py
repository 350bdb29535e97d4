"""CoarseHours: the prices of whole hours from the archive, summed up every two minutes.

What a line over a day is drawn of. Readers ask from their own threads; whoever asks for an hour
that another is fetching waits for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bars import Bars
from history.archive import Archive
from history.losses import Losses

__all__ = ["HOUR_SEC", "STEP_SEC", "CoarseHours", "Prices", "sum_up"]

STEP_SEC: Final = 120
HOUR_SEC: Final = 3600

_PER_HOUR: Final = HOUR_SEC // STEP_SEC

_KEPT_PRICES: Final = 2_000_000
"""The most prices that are kept: 16 MB; or a day."""

_DAY_HOURS: Final = 24

Prices = npt.NDArray[np.float64]
"""Last, lowest and highest price of each step, [3, step]; NaN if it had no price."""


def sum_up(prices: npt.NDArray[np.float64], step: int) -> Prices:
    """Last, lowest and highest of every ``step`` prices, whose number is a multiple of that."""
    blocks = prices.reshape(-1, step)
    known = ~np.isnan(blocks)
    # The newest in each block: from the right the first that is known.
    newest = step - 1 - known[:, ::-1].argmax(axis=1)
    found = np.full((3, len(blocks)), np.nan)
    found[0] = blocks[np.arange(len(blocks)), newest]
    has_price = known.any(axis=1)
    found[1, has_price] = np.nanmin(blocks[has_price], axis=1)
    found[2, has_price] = np.nanmax(blocks[has_price], axis=1)
    return found


class CoarseHours:
    """The hours of ``archive`` with some ``symbols``, each fetched once."""

    def __init__(self, archive: Archive, symbols: Sequence[str]) -> None:
        self._archive = archive
        self._rows = {symbol: row for row, symbol in enumerate(symbols)}
        per_hour = 3 * _PER_HOUR * max(1, len(symbols))
        self._most = max(_DAY_HOURS + 1, _KEPT_PRICES // per_hour)
        self._lock = threading.Lock()  # Guards the hours, and is held while some are fetched.
        self._hours: OrderedDict[int, npt.NDArray[np.float64]] = OrderedDict()

    def prices(self, symbol: str, begin: int, end: int, losses: Losses) -> Prices:
        """The prices of a symbol from ``begin`` to ``end`` (excluded), both full hours.

        Hours are kept as they were found: ask for those alone that nothing is added to any more.

        Raises:
            ArchiveError: if the archive cannot be read.
        """
        row = self._rows.get(symbol)
        if row is None:
            return np.full((3, (end - begin) // STEP_SEC), np.nan)
        hours = range(begin, end, HOUR_SEC)
        with self._lock:
            missing = [hour for hour in hours if hour not in self._hours]
            if missing:
                self._fetch(missing[0], missing[-1] + HOUR_SEC, losses)
            parts = [self._hours[hour][:, row] for hour in hours]
            for hour in hours:
                self._hours.move_to_end(hour)
            while len(self._hours) > self._most:
                self._hours.popitem(last=False)
        return np.concatenate(parts, axis=1) if parts else np.empty((3, 0))

    def _fetch(self, begin: int, end: int, losses: Losses) -> None:
        found = np.full((3, len(self._rows), (end - begin) // STEP_SEC), np.nan)
        for bars in self._archive.blocks(begin, end, list(self._rows), losses):
            self._add(found, bars, begin)
        for place, hour in enumerate(range(begin, end, HOUR_SEC)):
            # A copy: a view would keep all that was fetched with it.
            self._hours[hour] = found[:, :, place * _PER_HOUR : (place + 1) * _PER_HOUR].copy()

    def _add(self, found: npt.NDArray[np.float64], bars: Bars, begin: int) -> None:
        cells = bars.cells
        rows = np.array([self._rows[symbol] for symbol in bars.symbols])[cells["row"]]
        steps = (cells["second"] - begin) // STEP_SEC
        last, low, high = found
        # The cells are in order of their seconds, so that the newest of a step is set last.
        last[rows, steps] = cells["price"]
        np.fmin.at(low, (rows, steps), cells["price"])
        np.fmax.at(high, (rows, steps), cells["price"])
