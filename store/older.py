"""Older: one-second bars of any stored seconds, as far as they can be told from what is kept.

Whoever calls this holds the lock of the rings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bars import CELL, Bars
from rings import Rings
from volatility import BAR_SEC

__all__ = ["stored_bars"]


def stored_bars(rings: Rings, begin: int, end: int) -> Bars:
    """See ``PulseStore.stored_bars``."""
    whole_from = rings.whole_from
    recent = rings.recent_bars(max(begin, whole_from), end)
    first, last = begin // BAR_SEC, -(-min(end, whole_from) // BAR_SEC)
    if first >= last:
        return recent
    cells = _told(rings, first, last)
    is_asked = (cells["second"] >= begin) & (cells["second"] < end)
    joined = np.concatenate([cells[is_asked], recent.cells])
    return Bars(recent.symbols, recent.assets, joined)


def _told(rings: Rings, first: int, last: int) -> npt.NDArray[Any]:
    """The seconds with a price of the bars ``first`` to ``last`` (excluded).

    Each is told to have had one tick, but for the last of its bar, which had the others.
    """
    bar_sum, bar_n = rings.bar_sums(first, last)
    held = rings.stretch(first * BAR_SEC, last * BAR_SEC - 1)
    price = held.price.reshape(*bar_sum.shape, BAR_SEC)
    is_filled = price > 0
    before = np.cumsum(is_filled, axis=2)
    is_last = is_filled & (before == before[:, :, -1:])
    # Added in order of seconds, as the bar's sum will be from these.
    of_others = np.zeros(bar_sum.shape)
    for part in range(BAR_SEC):
        is_other = is_filled[:, :, part] & ~is_last[:, :, part]
        of_others += np.where(is_other, price[:, :, part], 0.0)
    total = np.where(is_last, (bar_sum - of_others)[:, :, None], price)
    n = np.where(is_last, (bar_n - before[:, :, -1] + 1)[:, :, None], 1)
    # By bar, second in the bar and row: in order of their seconds.
    bar, second, row = np.nonzero(is_filled.transpose(1, 2, 0))
    at = row, bar, second
    cells = np.empty(len(row), CELL)
    cells["second"], cells["row"] = (first + bar) * BAR_SEC + second, row
    cells["price"], cells["sum"], cells["n"] = price[at], total[at], n[at]
    cells["ms"] = held.ms.reshape(price.shape)[at]
    return cells
