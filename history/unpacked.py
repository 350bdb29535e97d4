"""Unpacked: the packed cells of an archive's rows as bars and minutes, if they can be true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bars import CELL, MINUTE, Bars, Minutes
from history.losses import Losses
from history.rows import Rows, SymbolRow
from history.schema import PACKED, PACKED_MINUTE

__all__ = ["unpacked_bars", "unpacked_minutes"]


def unpacked_bars(
    rows: Sequence[tuple[int, bytes]],
    archived: Rows,
    losses: Losses,
    symbols: Sequence[str] | None,
) -> Bars:
    """The bars of some rows, of some symbols or all."""
    seconds, packed, known = _unpacked(rows, archived, PACKED)
    price = packed["price"]
    # A store has no bar without a tick, and no tick without a price.
    is_bar = (
        (packed["ms"] < 1000)
        & (packed["n"] > 0)
        & (price > 0)
        & (price < np.inf)
        & (packed["sum"] > 0)
    )
    row = _places(known)[packed["id"]]
    # A row of before checksums is believed as a whole or not at all.
    is_kept = (row >= 0) & ~np.isin(seconds, seconds[~is_bar])
    if not is_kept.all():
        lost = np.unique(seconds[~is_kept])
        losses.add_seconds(int(lost[0]), int(lost[-1]), len(lost))
    cells = np.empty(np.count_nonzero(is_kept), CELL)
    cells["second"], cells["row"] = seconds[is_kept], row[is_kept]
    for name in ("ms", "n", "price", "sum"):
        cells[name] = packed[name][is_kept]
    bars = Bars(tuple(s.name for s in known), tuple(s.asset for s in known), cells)
    return bars if symbols is None else bars.of(symbols)


def unpacked_minutes(rows: Sequence[tuple[int, bytes]], archived: Rows, losses: Losses) -> Minutes:
    """The minutes of some rows."""
    labels, packed, known = _unpacked(rows, archived, PACKED_MINUTE)
    row = _places(known)[packed["id"]]
    is_minute = np.logical_or.reduce([packed[name] for name in ("z", "ret_1m", "ret_5m")])
    is_kept = (row >= 0) & ~np.isin(labels, labels[~is_minute])
    if not is_kept.all():
        losses.add(minutes=len(np.unique(labels[~is_kept])))
    cells = np.empty(np.count_nonzero(is_kept), MINUTE)
    cells["minute"], cells["row"] = labels[is_kept], row[is_kept]
    for name in ("z", "ret_1m", "ret_5m"):
        cells[name] = packed[name][is_kept]
    return Minutes(tuple(s.name for s in known), tuple(s.asset for s in known), cells)


def _unpacked(
    rows: Sequence[tuple[int, bytes]], archived: Rows, dtype: np.dtype[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], list[SymbolRow]]:
    """Each cell's number, the cells, and the symbols that they may name."""
    # Read after the rows: an extra symbol does no harm, a bar without its symbol would.
    known = archived.symbols()
    sizes = np.array([len(cells) for _, cells in rows], np.intp) // dtype.itemsize
    numbers = np.array([number for number, _ in rows], np.int64)
    packed = np.frombuffer(b"".join(cells for _, cells in rows), dtype)
    return np.repeat(numbers, sizes), packed, known


def _places(known: Sequence[SymbolRow]) -> npt.NDArray[np.int32]:
    """The place of each symbol's number among those known, -1 if it is none of them."""
    places = np.full(2**16, -1, np.int32)
    places[[row.id for row in known]] = np.arange(len(known))
    return places
