"""Ranking: the state of each row, what rows can be ranked by, and their orders.

The worker's thread keeps a calm order of each ranking that somebody looks at, once a second with
one frame; pages ask for one from any thread. Time is always an argument. Rows are a frame's, by
number; if it lacks one that was there, the orders begin anew.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.calm import CalmOrder, Rows, kept_in_front
from engine.halts import HaltState, rows_of
from events import EventStore
from formulas import surprise_then
from ticks import STALE_SEC, Asset

__all__ = [
    "ASKED_SEC",
    "FADED",
    "HEAT_OF_MEDIAN",
    "LIVE_SEC",
    "MOVER_SEC",
    "NAME",
    "ORDERS",
    "RANKS",
    "UNUSUAL",
    "Order",
    "Ranking",
    "State",
    "displaced",
    "is_usual",
    "movers",
    "order_of",
    "rank_of",
    "row_states",
    "states",
    "strict_order",
]

State = Literal["live", "quiet", "stale", "halted", "halted?", "closed", "no data"]

LIVE_SEC: Final = 10
"""A symbol whose newest tick is older than this many seconds is quiet."""

RANKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "heat": "heat",
        "surprise": "surprise",
        "1m": "ret_1m",
        "5m": "ret_5m",
        "15m": "ret_15m",
        "day": "ret_day",
        "volatility": "vol_15m",
        "trend": "trend_15m",
        "peers": "vs_peers",
    }
)
"""What rows can be ranked by, and the column of a frame whose size that is."""

NAME: Final = "name"
"""The order of the symbols' names, whatever they do."""

UP: Final = " up"
DOWN: Final = " down"
"""Behind a ranking: by the figure itself, the largest rise or the deepest fall first."""

_UNSIGNED: Final = frozenset({"volatility", NAME})

ORDERS: Final = tuple(
    f"{rank}{way}"
    for rank in (*RANKS, NAME)
    for way in (("", DOWN) if rank in _UNSIGNED else ("", UP, DOWN))
)
"""Every order that rows can be shown in: ``1m`` is by the size of the move, either way, ``1m up``
from the largest rise to the deepest fall, and ``1m down`` the other way round; ``volatility down``
is from the least, and ``name down`` from Z to A."""

HEAT_OF_MEDIAN: Final = 0.5
"""Of heat a lead is this share of the calm order's multiples of the median: that is the larger, as
each row's is its largest of a quarter of an hour, and what leads by it leads for minutes."""

UNUSUAL: Final = 2.0
"""A surprise of this size, one minute of twenty, is beyond the symbol's usual range, ..."""

FADED: Final = 1.5
"""... and back in it when its heat has faded to this, after 75 seconds at least. The heat of a
symbol that does nothing unusual is 1.4 in its median and below 2 for six sevenths of the time."""

MOVER_SEC: Final = 180
"""For so long the symbol of an event is kept in front of those by heat: that is when half of the
event's heat is left, which may be less than the largest of what the others do all the time."""

ASKED_SEC: Final = 600
"""A ranking's calm order is kept for so many seconds after somebody asked for it: pages ask every
two by the wall's clock, which a replay runs ahead of."""

_MOST_MOVERS: Final = 500
"""So many newest events are looked through for movers."""

_KEPT: Final = 60
"""So many newest seconds have their calm orders: who asks for one has just read the second."""

Floats = npt.NDArray[np.float64]


_NOTHING: Final[Mapping[str, HaltState]] = MappingProxyType({})

_TIERS: Final[Mapping[State, int]] = MappingProxyType(
    {"live": 0, "quiet": 0, "stale": 1, "halted": 1, "halted?": 1, "closed": 2, "no data": 3}
)
"""Which rows come before which, whatever their size: what is stale or halted may not lead."""


def states(age: Floats, is_open: npt.NDArray[np.bool_]) -> list[State]:
    """The state of each row from the age of its newest tick, in seconds; NaN: it has none.

    A row of a closed market is closed whatever its age; a negative age, of a tick ahead of the
    clock, is live.
    """
    found: list[State] = np.select(
        [~is_open, np.isnan(age), age > STALE_SEC, age > LIVE_SEC],
        ["closed", "no data", "stale", "quiet"],
        "live",
    ).tolist()
    return found


def row_states(
    frame: pd.DataFrame,
    is_streaming: Mapping[Asset, bool],
    halted: Mapping[str, HaltState] = _NOTHING,
) -> list[State]:
    """The state of each row of a frame, by the asset classes whose markets stream.

    Whatever its age, a symbol that is ``halted`` is that, unless its market is closed.
    """
    is_open = np.array([is_streaming[asset] for asset in frame["asset"].tolist()], np.bool_)
    found = states(frame["age"].to_numpy(), is_open)
    if halted:
        for symbol, row in rows_of(halted, frame):
            if is_open[row]:
                found[row] = halted[symbol]
    return found


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of a frame in an order: as they are shown, and as they settle."""

    rows: tuple[int, ...]
    settled: tuple[int, ...]
    """In the strict order, but for those that are kept in front."""
    in_front: frozenset[int] = frozenset()
    """Who stands higher there than the strict order has it."""


class _Shown(NamedTuple):
    """The calm orders of a second."""

    second: int
    symbols: pd.Index[Any]
    """Those of its frame."""
    orders: Mapping[str, Rows]


class Ranking:
    """The calm order of every ranking that somebody looks at, of the newest seconds.

    One thread updates it; any may ask for an order. Of a ranking that nobody has asked for there is
    none, until the second after that.
    """

    def __init__(self) -> None:
        # Guards when each ranking was last asked for, and the orders.
        self._lock = threading.Lock()
        self._asked: dict[str, int] = {}
        self._shown: deque[_Shown] = deque(maxlen=_KEPT)
        # The updating thread's own.
        self._calm: dict[str, CalmOrder] = {}
        self._index: pd.Index[Any] = pd.Index([], dtype=object)

    def update(
        self,
        second: int,
        frame: pd.DataFrame,
        of_rows: Sequence[State],
        in_front: Sequence[str] = (),
    ) -> None:
        """Put the rows of the frame of ``second`` in order; by heat, those symbols ``in_front``."""
        with self._lock:
            asked = [rank for rank, at in self._asked.items() if abs(second - at) <= ASKED_SEC]
        if frame.index is not self._index:
            known = len(self._index)
            if not self._index.equals(frame.index[:known]):
                self._calm = {}
            self._index = frame.index
        tiers = _tiers(of_rows)
        kept = _rows_in_front(frame, in_front).tolist()
        self._calm = {rank: self._calm.get(rank) or _calm_order(rank) for rank in asked}
        orders = {
            rank: calm.update(
                second,
                _sizes(frame, rank),
                tiers,
                kept if rank == "heat" else (),
            )
            for rank, calm in self._calm.items()
        }
        with self._lock:
            while self._shown and self._shown[-1].second >= second:
                self._shown.pop()
            self._shown.append(_Shown(second, frame.index, orders))

    def ask(self, rank: str, second: int) -> None:
        """Keep the calm order of a ranking (of ``RANKS``) for a while from ``second`` on."""
        with self._lock:
            self._asked[rank] = second

    def reviewed(self, second: int) -> Mapping[str, tuple[str, ...]]:
        """The calm orders that were reviewed at ``second``, the newest: symbols, best first."""
        names = self._index
        return {
            rank: tuple(names[calm.leading].tolist())
            for rank, calm in self._calm.items()
            if calm.was_reviewed(second)
        }

    def adopt(self, second: int, orders: Mapping[str, Sequence[str]]) -> None:
        """Go on from another process's ``reviewed`` orders of ``second``, which was just updated.

        An order of other symbols than those that lead here is left alone.
        """
        for rank, symbols in orders.items():
            calm = self._calm.get(rank)
            if calm is None:
                continue
            rows = self._index.get_indexer(pd.Index(list(symbols), dtype=object)).astype(np.int32)
            if sorted(rows.tolist()) == sorted(calm.leading.tolist()):
                calm.adopt(second, rows)

    def order(self, second: int, order: str, index: pd.Index[Any] | None = None) -> Rows | None:
        """The calm order (of ``ORDERS``) of one of the newest seconds; None: that is not known.

        It is not if the frame of then had other rows than ``index``, if that is given. The names
        have none: they do not move.
        """
        rank = rank_of(order)
        if rank == NAME:
            return None
        with self._lock:
            self._asked[rank] = second
            shown = next((one for one in reversed(self._shown) if one.second == second), None)
        if shown is None or not (index is None or shown.symbols.equals(index)):
            return None
        calm: Rows | None = shown.orders.get(rank)
        return calm


def order_of(
    order: str,
    frame: pd.DataFrame,
    of_rows: Sequence[State],
    calm: Rows | None = None,
    in_front: Sequence[str] = (),
) -> Order:
    """The rows of a frame in an order (of ``ORDERS``): strictly in it, or in its ``calm`` one.

    Behind those that lead are the rows of which the figure is not known, then those that are stale
    or halted, closed, and without a price. The calm order by heat settles with those symbols
    ``in_front`` that lead; strictly none is.
    """
    strict = strict_order(rank_of(order), frame, of_rows)
    if calm is None:
        still = tuple(_turned(strict, order, frame, of_rows))
        return Order(still, still)
    shown = tuple(_turned(calm, order, frame, of_rows))
    if order != "heat":
        return Order(shown, tuple(_turned(strict, order, frame, of_rows)))
    kept = _rows_in_front(frame, in_front)
    kept = kept[_tiers(of_rows)[kept] == 0]
    settled = kept_in_front(strict, kept).tolist()
    rises = frozenset(
        row for row in kept.tolist() if settled.index(row) < strict.tolist().index(row)
    )
    return Order(shown, tuple(settled), rises)


def displaced(shown: Sequence[int], settled: Sequence[int]) -> dict[int, int]:
    """The rows of ``shown`` that stand elsewhere among them once all are ``settled``, and where.

    As few as it takes: the others are in the right order among themselves. If either of two may be
    one of them, it is the lower.
    """
    part = set(shown)
    place = {row: at for at, row in enumerate(row for row in settled if row in part)}
    stays = _longest_rising([place[row] for row in shown])
    return {row: place[row] for at, row in enumerate(shown) if at not in stays}


def strict_order(rank: str, frame: pd.DataFrame, of_rows: Sequence[State]) -> Rows:
    """The rows of a frame by a ranking, largest first; equal ones in order of row number."""
    if rank == NAME:
        names = sorted(range(len(frame)), key=frame.index.map(str.casefold).tolist().__getitem__)
        return np.array(names, np.int32)
    tiers = _tiers(of_rows)
    size = np.where(tiers == 0, _sizes(frame, rank), np.nan)
    return np.lexsort((-np.nan_to_num(size), np.isnan(size), tiers)).astype(np.int32)


def movers(events: EventStore, now: float) -> tuple[str, ...]:
    """The symbols of which an event began within ``MOVER_SEC`` before the second of ``now``."""
    found = events.latest(_MOST_MOVERS, now, math.floor(now) - MOVER_SEC)
    return tuple(dict.fromkeys(event.symbol for event in found if event.symbol))


def is_usual(
    frame: pd.DataFrame, of_rows: Sequence[State], now: float, moved: Sequence[str]
) -> list[bool]:
    """Whether each row of a frame is within its usual range: nothing in it is worth a look.

    That is: nothing of the last quarter of an hour was as large as ``UNUSUAL``, or it has faded to
    ``FADED``, or nothing is known of it; or the row is stale, halted, closed or without a price.
    Those of the symbols that ``moved`` are not.
    """
    heat, at = frame["heat"].abs().to_numpy(), frame["heat_ts"].to_numpy()
    usual = ~frame.index.isin(list(moved))
    for row in np.flatnonzero(usual & (heat >= FADED)):
        usual[row] = surprise_then(heat[row], at[row], now) < UNUSUAL
    found: list[bool] = (usual | (_tiers(of_rows) > 0)).tolist()
    return found


def rank_of(order: str) -> str:
    """The ranking of an order: one of ``RANKS``, or ``NAME``."""
    return order.removesuffix(UP).removesuffix(DOWN)


def _rows_in_front(frame: pd.DataFrame, symbols: Sequence[str]) -> npt.NDArray[np.intp]:
    """The rows of ``symbols``, as far as the frame has them."""
    found = frame.index.get_indexer(pd.Index(symbols, dtype=object))
    return found[found >= 0]


def _calm_order(rank: str) -> CalmOrder:
    return CalmOrder(HEAT_OF_MEDIAN, FADED) if rank == "heat" else CalmOrder()


def _sizes(frame: pd.DataFrame, rank: str) -> Floats:
    """How large each row of a frame is by a ranking; NaN: not known."""
    sizes: Floats = frame[RANKS[rank]].abs().to_numpy()
    return sizes


def _tiers(of_rows: Sequence[State]) -> npt.NDArray[np.int32]:
    return np.array([_TIERS[state] for state in of_rows], np.int32)


def _turned(rows: Rows, order: str, frame: pd.DataFrame, of_rows: Sequence[State]) -> list[int]:
    """The rows of a ranking's order as ``order`` wants them: by size, or by the figure itself."""
    rank = rank_of(order)
    turned: list[int]
    if order == rank or rank == NAME:
        turned = (rows if order == rank else rows[::-1]).tolist()
        return turned
    figure = frame[RANKS[rank]].to_numpy()[rows]
    leads = (_tiers(of_rows)[rows] == 0) & ~np.isnan(figure)
    leading, figure, others = rows[leads], figure[leads], rows[~leads]
    rising = np.concatenate((leading[figure > 0], leading[figure <= 0][::-1]))
    if order.endswith(DOWN):
        rising = rising[::-1]
    return [*rising.tolist(), *others.tolist()]


def _longest_rising(values: Sequence[int]) -> frozenset[int]:
    """The places of a longest part of ``values`` that rises, the earlier ones if it is one of many.

    ``values`` are all different.
    """
    # Read backwards it falls: of each length the largest last value so far, and where it stands.
    last: list[int] = []
    places: list[int] = []
    before: dict[int, int] = {}
    for at in range(len(values) - 1, -1, -1):
        length = bisect_left(last, -values[at])
        if length:
            before[at] = places[length - 1]
        last[length : length + 1] = [-values[at]]
        places[length : length + 1] = [at]
    found = set()
    place = places[-1] if places else None
    while place is not None:
        found.add(place)
        place = before.get(place)
    return frozenset(found)
