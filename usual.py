"""Usual: what is usual for each symbol by its own last day, remembered a minute at a time.

For each asset class the memory holds rows labelled by minute number (seconds since the epoch over
60), one for each closed minute in which any symbol of the class has a figure: nights and weekends
take no room. A row holds three one-byte cells a symbol, of its |z|, |ret_1m| and |ret_5m|. Pure: no
lock, no clock.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bars import KEPT_MINUTES, MINUTE, Minutes
from pages import zeros
from ticks import ASSETS

__all__ = [
    "DAY_MINUTES",
    "MIN_MINUTES",
    "MIN_POOLED",
    "DayMemory",
    "HeldMinutes",
    "Usual",
    "equivalent_sd",
]

DAY_MINUTES: Final = 1440
"""Minutes of its class that make a symbol's day."""

MIN_MINUTES: Final = 360
"""With fewer minutes of its own than this a symbol's day says nothing: six hours."""

MIN_POOLED: Final = 120
"""With fewer minutes of all its symbols than this an asset class says nothing either. From here on
they tell what is rare better than z itself does, although they may be of one storm."""

_USUAL_SHARE: Final = 0.005
"""The share of a day's minutes with a larger return than the usual threshold."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.uint8]

_FIGURES: Final = ("z", "ret_1m", "ret_5m")

_Z_EDGES: Final = np.concatenate((np.arange(192) / 16.0, np.geomspace(12.0, 1000.0, 64)))
_RETURN_EDGES: Final = np.concatenate(([0.0], np.geomspace(2e-6, 1.0, 255)))
"""Cell c of a figure is from the edge c - 1 on and below the edge c; cell 0: the figure is unknown.

|z| in steps of 1/16 up to 12 and of 7 % beyond, so that what is rarer than usual is never counted
as of one size; returns in steps of 5 % from 0.02 basis points on.
"""

_CELL_IDS: Final = np.arange(256, dtype=np.uint8)

_MOST_STEPS: Final = 30
"""Beyond so many rows that come or go, counting all of them anew is cheaper."""

_CACHED_SYMBOLS: Final = 1000
"""The most symbols, times minutes, whose counts are kept: 2.5 MB. But always those of two minutes,
the newest and the one that is being looked back at."""

_RARITY: Final = np.linspace(0.0, 25.0, 8193)
_SDS: Final = np.array([-NormalDist().inv_cdf(float(p) / 2.0) for p in np.exp(-_RARITY)])


def equivalent_sd(p: npt.ArrayLike) -> Floats:
    """The standard deviations beyond which a normal variable is, on either side, with chance ``p``.

    Φ⁻¹(1 - p/2), accurate to 2e-6 for p from 1e-10 to 1: interpolated in a table over -ln p.
    """
    found: Floats = np.interp(-np.log(p), _RARITY, _SDS)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What was usual for each symbol in one minute; nothing changes it, so any thread may ask it.

    A minute's counts are of the newest ``DAY_MINUTES`` rows that had closed a minute before it
    began, so that no move takes part in its own judgement. So they change by the minute.
    """

    usual_1m: Floats
    usual_5m: Floats
    """The 99.5th percentile of each symbol's |return| over the horizon, as a fraction; NaN: fewer
    than ``MIN_MINUTES`` minutes of its own have one."""
    above: npt.NDArray[np.int32]
    """[row, cell]: number of minutes with |z| in a higher cell. A row for each symbol with enough
    minutes of its own, one for each asset class with all its symbols' minutes, and an empty one."""
    source: npt.NDArray[np.intp]
    """By symbol, the row of ``above`` that its |z| is looked up in."""
    edge: Floats
    """By symbol, the upper edge of the highest cell with a minute in that row, 1 if it is empty."""

    def surprise(self, z: Floats) -> tuple[Floats, Bools]:
        """How rare |z| is among the symbol's own minutes, and whether that is early.

        ``z`` is [symbol] or [symbol, n]. The surprise has its sign and the size, in standard
        deviations, at which a normal variable is as rare on both sides: with N minutes, M of them
        above |z| (a part of those in its cell included), of chance (M · (N + ½)/N + ½)/(N + 1),
        which is 1 at z = 0. Beyond the rarest minute it continues in proportion to |z|. NaN if z
        is. Early: known, but with fewer than ``MIN_MINUTES`` minutes of its own, by those of its
        class, or if these are fewer than ``MIN_POOLED``, z itself.
        """
        column = (slice(None),) + (None,) * (z.ndim - 1)
        source, edge = self.source[column], self.edge[column]
        size = np.abs(z)
        cell = np.clip(np.searchsorted(_Z_EDGES, size, "right"), 1, 255)
        low, high = self.above[source, cell - 1], self.above[source, cell]
        begin = _Z_EDGES[cell - 1]
        part = np.minimum((size - begin) / (_Z_EDGES[cell] - begin), 1.0)
        minutes = np.maximum(self.above[source, 0], 1)
        more = (low - part * (low - high)) * ((minutes + 0.5) / minutes)
        sd = equivalent_sd((more + 0.5) / (minutes + 1.0)) * np.maximum(size / edge, 1.0)
        is_own = source < len(self.above) - 1 - len(ASSETS)
        has_source = source < len(self.above) - 1
        return np.copysign(np.where(has_source, sd, size), z), ~is_own & ~np.isnan(z)


class _Counts(NamedTuple):
    """How often each symbol of a class was in each cell, in some of its minutes."""

    minutes: tuple[int, ...]
    above: npt.NDArray[np.uint16]
    """[figure, member, cell]: number of minutes in a higher cell; unknown ones are in none."""


class _Class:
    """The rows of one asset class."""

    def __init__(self) -> None:
        self.members: list[int] = []
        """The symbols' rows in the store."""
        self.minutes: list[int] = []
        """In order."""
        self.rows: dict[int, Cells] = {}
        """By minute, [figure, member]; members that came later are missing."""

    def add(self, minute: int, cells: Cells) -> bool:
        """Hold a minute, unless it is held, empty, or older than all of a full memory."""
        is_full = len(self.minutes) == KEPT_MINUTES
        if minute in self.rows or not cells.any() or (is_full and minute < self.minutes[0]):
            return False
        if is_full:
            del self.rows[self.minutes.pop(0)]
        insort(self.minutes, minute)
        self.rows[minute] = cells
        return True

    def fill(self, minute: int, cells: Cells) -> None:
        """Hold of a minute that is held what is not known of it yet."""
        if minute in self.rows:
            held = np.zeros_like(cells)
            held[:, : self.rows[minute].shape[1]] = self.rows[minute]
            self.rows[minute] = np.where(held == 0, cells, held)

    def count(self, newest: int, near: _Counts | None) -> _Counts:
        """Count the day that ends with the minute ``newest``, going on from ``near`` if it can."""
        end = bisect_right(self.minutes, newest)
        day = tuple(self.minutes[max(0, end - DAY_MINUTES) : end])
        if near is not None:
            come, gone = set(day).difference(near.minutes), set(near.minutes).difference(day)
            if len(come) + len(gone) <= _MOST_STEPS and gone <= self.rows.keys():
                above = zeros(near.above.shape, np.uint16)
                above[:] = near.above
                for minute in come:
                    above[:, : self.rows[minute].shape[1]] += _higher(self.rows[minute])
                for minute in gone:
                    above[:, : self.rows[minute].shape[1]] -= _higher(self.rows[minute])
                return _Counts(day, above)
        return _Counts(day, self._count_all(day))

    def _count_all(self, day: Sequence[int]) -> npt.NDArray[np.uint16]:
        count = len(self.members)
        above = zeros((len(_FIGURES), count, 256), np.uint16)
        if not count:
            return above
        at_once = max(1, 1_000_000 // count)  # bounds the memory that counting takes
        for figure in range(len(_FIGURES)):
            place = np.arange(count) * 256
            for first in range(0, len(day), at_once):
                some = [self.rows[minute][figure] for minute in day[first : first + at_once]]
                cells = np.zeros((len(some), count), np.intp)
                for at, row in enumerate(some):
                    cells[at, : len(row)] = row
                found = np.bincount((cells + place).ravel(), minlength=count * 256)
                above[figure] += found.reshape(count, 256).astype(np.uint16)
        below_top = above[:, :, :0:-1].cumsum(axis=2, dtype=np.uint16)[:, :, ::-1]
        above[:, :, :-1], above[:, :, -1] = below_top, 0
        return above


class HeldMinutes(NamedTuple):
    """All minutes of a memory as they were at one instant; nothing changes them."""

    symbols: tuple[str, ...]
    assets: tuple[str, ...]
    classes: tuple[tuple[npt.NDArray[np.intp], tuple[tuple[int, Cells], ...]], ...]
    """Of each asset class, its symbols' rows, and its minutes in order with their cells."""

    def joined(self) -> Minutes:
        """The same as one block."""
        minutes = sorted({minute for _, rows in self.classes for minute, _ in rows})
        place = {minute: at for at, minute in enumerate(minutes)}
        held = np.zeros((len(minutes), len(_FIGURES), len(self.symbols)), np.uint8)
        first = 0
        for members, rows in self.classes:
            for minute, cells in rows:
                held[place[minute], :, first : first + cells.shape[1]] = cells
            first += len(members)
        found = np.empty((len(minutes), len(self.symbols)), MINUTE)
        found["minute"] = np.array(minutes, np.int64)[:, None]
        found["row"] = np.concatenate([members for members, _ in self.classes])
        for figure, name in enumerate(_FIGURES):
            found[name] = held[:, figure]
        known = np.flatnonzero(held.any(axis=1))
        return Minutes(self.symbols, self.assets, found.reshape(-1).take(known))


class DayMemory:
    """The last day of every symbol, a minute at a time, and what was usual by it.

    With ``records`` the minutes can be collected as they close. Memory is some 5 kB a symbol for a
    day. Whoever shares it between threads guards it; what it hands out needs no guard.
    """

    def __init__(self, *, records: bool = False) -> None:
        self._records = records
        self._symbols: list[str] = []
        self._assets: list[str] = []
        self._row: dict[str, int] = {}
        self._classes: dict[str, _Class] = {asset: _Class() for asset in ASSETS}
        self._uncollected: list[tuple[int, str]] = []
        self._judged = -1  # minutes up to it are not closed, as they were elsewhere
        self._counts: dict[int, dict[str, _Counts]] = {}  # of the minutes asked for last
        self._usual: dict[int, Usual] = {}

    def __len__(self) -> int:
        """How many symbols it knows."""
        return len(self._symbols)

    def add_symbol(self, symbol: str, asset: str) -> None:
        """Know one symbol more, in the order of the store's rows."""
        self._row[symbol] = len(self._symbols)
        self._classes[asset].members.append(len(self._symbols))
        self._symbols.append(symbol)
        self._assets.append(asset)
        self._forget()

    def close(self, minute: int, z: Floats, ret_1m: Floats, ret_5m: Floats) -> None:
        """Remember a closed minute: each symbol's figures in its last second, NaN: unknown.

        Only their sizes count. A minute that is held already is left as it is, and so is one that
        was judged elsewhere.
        """
        if minute <= self._judged or all(minute in found.rows for found in self._classes.values()):
            return
        figures = (z, _Z_EDGES), (ret_1m, _RETURN_EDGES), (ret_5m, _RETURN_EDGES)
        cells = np.stack([_cells(*figure) for figure in figures])
        for asset, found in self._classes.items():
            if found.add(minute, cells[:, found.members]):
                if self._records:
                    self._uncollected.append((minute, asset))
                if self._usual and minute <= max(self._usual):
                    self._forget()

    def load(self, minutes: Minutes) -> None:
        """Remember minutes of the past, of the symbols known; what is held is left as it is."""
        row = np.array([self._row.get(symbol, -1) for symbol in minutes.symbols], np.intp)
        for found in self._classes.values():
            place = np.full(len(self._symbols) + 1, -1)
            place[found.members] = np.arange(len(found.members))
            at = place[row[minutes.cells["row"]]]
            cells, at = minutes.cells[at >= 0], at[at >= 0]
            labels, starts = np.unique(cells["minute"], return_index=True)
            ends = np.append(starts, len(cells))[1:]
            # The newest first: a full memory takes nothing older.
            for label, begin, end in reversed([*zip(labels, starts, ends, strict=True)]):
                held = np.zeros((len(_FIGURES), len(found.members)), np.uint8)
                for figure, name in enumerate(_FIGURES):
                    held[figure, at[begin:end]] = cells[name][begin:end]
                if not found.add(int(label), held):
                    found.fill(int(label), held)
        self._forget()

    def know_judged(self, minute: int) -> None:
        """Know that the minutes up to one were judged elsewhere: none of them is closed any more.

        A minute in which no symbol of a class had a figure is not held, but was judged.
        """
        self._judged = max(self._judged, minute)

    def held(self) -> HeldMinutes:
        """All minutes that are held."""
        return HeldMinutes(
            tuple(self._symbols),
            tuple(self._assets),
            tuple(
                (
                    np.array(found.members, np.intp),
                    tuple((minute, found.rows[minute]) for minute in found.minutes),
                )
                for found in self._classes.values()
            ),
        )

    def collect_changed(self) -> Minutes:
        """The minutes that were closed since this was last called."""
        parts = []
        for minute, asset in sorted(self._uncollected):
            found = self._classes[asset]
            if minute in found.rows:
                held = found.rows[minute]
                known = np.flatnonzero(held.any(axis=0))
                cells = np.zeros(len(known), MINUTE)
                cells["minute"], cells["row"] = minute, np.array(found.members)[known]
                for figure, name in enumerate(_FIGURES):
                    cells[name] = held[figure, known]
                parts.append(cells)
        self._uncollected.clear()
        joined = np.concatenate(parts) if parts else np.empty(0, MINUTE)
        return Minutes(tuple(self._symbols), tuple(self._assets), joined)

    def at(self, second: int) -> Usual:
        """What was usual in a second: by the minutes that had ended at or before a minute ago."""
        newest = second // 60 - 2
        most = max(2, _CACHED_SYMBOLS // max(1, len(self)))
        found = self._usual.pop(newest, None)
        if found is None:
            near = min(self._counts, key=lambda minute: abs(minute - newest), default=None)
            base = self._counts.get(-1 if near is None else near, {})
            counts = {a: c.count(newest, base.get(a)) for a, c in self._classes.items()}
            if near == newest - 1 and len(self._usual) >= most - 1:
                # Time goes on: of many symbols a minute that is over would take as much again.
                del self._usual[near], self._counts[near]
            self._counts[newest] = counts
            found = self._summed_up(counts)
        self._usual[newest] = found  # the last is the one asked for last
        while len(self._usual) > most:
            oldest = next(iter(self._usual))
            del self._usual[oldest], self._counts[oldest]
        return found

    def _forget(self) -> None:
        """Count anew: the rows are no longer those that were counted."""
        self._usual.clear()
        self._counts.clear()

    def _summed_up(self, counts: dict[str, _Counts]) -> Usual:
        count = len(self._symbols)
        minutes, pool = np.zeros((2, count), np.intp)
        usual_1m, usual_5m = np.full((2, count), np.nan)
        for at, asset in enumerate(ASSETS):
            members, (z, of_1m, of_5m) = self._classes[asset].members, counts[asset].above
            minutes[members], pool[members] = z[:, 0], at
            usual_1m[members], usual_5m[members] = _usual_return(of_1m), _usual_return(of_5m)
        is_own = minutes >= MIN_MINUTES
        own = int(np.count_nonzero(is_own))
        above = zeros((own + len(ASSETS) + 1, 256), np.int32)
        place = np.cumsum(is_own) - 1
        for at, asset in enumerate(ASSETS, own):
            of_class, z = np.array(self._classes[asset].members, np.intp), counts[asset].above[0]
            held = is_own[of_class]
            above[place[of_class[held]]], above[at] = z[held], z.sum(axis=0, dtype=np.int32)
        pool += own
        pool = np.where(above[pool, 0] >= MIN_POOLED, pool, len(above) - 1)
        source = np.where(is_own, place, pool)
        edge = _Z_EDGES[np.count_nonzero(above, axis=1)[source]]
        return Usual(usual_1m, usual_5m, above, source, np.where(edge > 0, edge, 1.0))


def _cells(values: Floats, edges: Floats) -> Cells:
    """The cell of each value's size, 0 if it is NaN."""
    cells = np.minimum(np.searchsorted(edges, np.abs(values), "right"), 255).astype(np.uint8)
    cells[np.isnan(values)] = 0
    return cells


def _higher(cells: Cells) -> Bools:
    """Whether each value is in a higher cell than each one, beside the others [..., cell]."""
    found: Bools = cells[..., None] > _CELL_IDS
    return found


def _usual_return(above: npt.NDArray[np.uint16]) -> Floats:
    """The return that a share of ``_USUAL_SHARE`` of each symbol's minutes exceeds."""
    minutes = above[:, 0]
    target = _USUAL_SHARE * minutes
    # More than a number is more than its whole part, and whole numbers compare twice as fast.
    cell = np.count_nonzero(above > target.astype(np.uint16)[:, None], axis=1)
    cell = np.maximum(cell, 1)
    rows = np.arange(len(above))
    low, high = above[rows, cell - 1].astype(np.float64), above[rows, cell]
    part = (low - target) / np.maximum(low - high, 1.0)
    begin, end = _RETURN_EDGES[cell - 1], _RETURN_EDGES[cell]
    return np.where(minutes >= MIN_MINUTES, begin + part * (end - begin), np.nan)
