"""Ranking: the state of each row, and a calm order of rows.

The worker's thread calls it once a second with one frame; pages only ask for the orders that were
shown, from any thread. Time is always an argument. Rows are the store's, by number: rows are added
and never removed.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.halts import HaltState, rows_of
from ticks import STALE_SEC, WINDOW_SEC, Asset

__all__ = [
    "HEAT_OF_MEDIAN",
    "HOLD_SEC",
    "LIVE_SEC",
    "MEAN_SEC",
    "RANKS",
    "REST_SEC",
    "SETTLE_SEC",
    "CalmOrder",
    "RankHistory",
    "Ranking",
    "State",
    "row_states",
    "states",
]

State = Literal["live", "quiet", "stale", "halted", "halted?", "closed", "no data"]

LIVE_SEC: Final = 10
"""A symbol whose newest tick is older than this many seconds is quiet."""

RANKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "surprise": "heat",
        "1m": "ret_1m",
        "5m": "ret_5m",
        "15m": "ret_15m",
        "day": "ret_day",
        "volatility": "vol_15m",
    }
)
"""What rows can be ranked by, and the column of a frame whose size that is: heat is the surprise
that is still remembered."""

HOLD_SEC: Final = 20
"""A row that was ahead of another for this long is above it, however small its lead."""

REST_SEC: Final = 10
"""The time between two reviews of the order; in between only an urgent lead is shown."""

SETTLE_SEC: Final = HOLD_SEC + REST_SEC
"""The longest that a row can stay ahead of another without being shown above it."""

MEAN_SEC: Final = 5
"""Sizes are compared as their means over this long: a cheap share whose price bounces between bid
and ask moves by as much as in its usual minute and back from one second to the next."""

LEAD_SHARE: Final = 0.15
"""A real lead is more than this share of the leader's own size..."""

LEAD_OF_MEDIAN: Final = 1.0
"""... and more than this multiple of the median size, so that rows near zero keep still as well."""

URGENT_OF_MEDIAN: Final = 3.0
"""An urgent lead, which does not wait for the next review, is more than this multiple instead."""

HEAT_OF_MEDIAN: Final = 0.5
"""Of heat a lead is this share of these multiples: its median is the larger, as each row's is its
largest of a quarter of an hour, and what leads by it leads for minutes."""

BLOCK: Final = 256
"""How many rows are compared with all others at a time, which bounds the memory used."""

DEPTH: Final = 256
"""Places of an order that are remembered."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]


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
    is_open = frame["asset"].map(is_streaming).to_numpy(dtype=bool)
    found = states(frame["age"].to_numpy(), is_open)
    if halted:
        for symbol, row in rows_of(halted, frame):
            if is_open[row]:
                found[row] = halted[symbol]
    return found


def _sizes(frame: pd.DataFrame, rank: str) -> Floats:
    """How large each row of a frame is by a ranking; NaN: not known."""
    sizes: Floats = frame[RANKS[rank]].abs().to_numpy()
    return sizes


def _tiers(of_rows: Sequence[State]) -> npt.NDArray[np.int32]:
    return np.array([_TIERS[state] for state in of_rows], np.int32)


class _Seen(NamedTuple):
    """What one update was given."""

    second: int
    sizes: Floats
    """Of the leading rows; NaN elsewhere, so that whoever led nothing then was not ahead."""


class CalmOrder:
    """The order of rows by one size, in which a row overtakes another only for a reason.

    Sizes are compared as their means over the last ``MEAN_SEC``. Two rows change places only if the
    lower one is larger, and only because

    - its lead over a row above is real: more than ``LEAD_SHARE`` of its own size and more than
      ``LEAD_OF_MEDIAN`` times the median size, both multiples of the median being reduced to a
      share ``of_median`` of themselves; it goes above that row;
    - or it was ahead of a row above at every update of the last ``HOLD_SEC``; it goes above that
      row as well;
    - or another row goes above one of them: the rows in between that are larger than that row go up
      with it, and it passes those that are smaller.

    So that rows can be read in peace, the order is reviewed every ``REST_SEC``. In between only
    real leads of more than ``URGENT_OF_MEDIAN`` times the median size count. A row that stays ahead
    of another is above it after ``SETTLE_SEC`` at the latest. It belongs to one thread.
    """

    def __init__(self, of_median: float = 1.0) -> None:
        self._of_median = of_median
        self._leading: Rows = np.empty(0, np.int32)
        # The updates of the last HOLD_SEC, and the one before them.
        self._seen: deque[_Seen] = deque()
        # The seconds without a review: the next one comes when the clock leaves them, even if it
        # steps back.
        self._rest = range(0)

    def update(self, second: int, sizes: Floats, tiers: npt.NDArray[np.integer[Any]]) -> Rows:
        """All rows, best first, at ``second``, which may leave gaps and may step back.

        ``sizes`` are finite and not negative, NaN where unknown. Rows of tier 0 lead, those of
        unknown size after the others; then come tiers 1, 2, ..., each in order of row number. A
        change of tier takes effect at once; a row that comes to lead joins where its size belongs.
        """
        led = np.where(tiers == 0, sizes, np.nan)
        leads = ~np.isnan(led)
        self._note(second, led)
        mean = self._mean(second)
        order = _joined(self._leading[leads[self._leading]], mean)
        if second in self._rest:
            least = URGENT_OF_MEDIAN * self._of_median
            self._leading = _let_the_larger_pass(order, mean[order], least)
        else:
            self._rest = range(second, second + REST_SEC)
            if self._seen[0].second <= second - HOLD_SEC:
                order = self._let_the_steady_pass(order, mean[order])
            least = LEAD_OF_MEDIAN * self._of_median
            self._leading = _let_the_larger_pass(order, mean[order], least)
        others = np.flatnonzero(~leads)
        others = others[np.argsort(tiers[others], kind="stable")]
        return np.concatenate((self._leading, others), dtype=np.int32, casting="same_kind")

    def _note(self, second: int, led: Floats) -> None:
        """Remember this update."""
        seen = self._seen
        if seen and second < seen[-1].second:
            seen.clear()  # the clock stepped back: every hold begins again
        if seen and second == seen[-1].second:
            seen.pop()
        if seen and len(led) > len(seen[-1].sizes):
            self._seen = seen = deque(
                _Seen(old.second, _lengthened(old.sizes, len(led))) for old in seen
            )
        seen.append(_Seen(second, led))
        while len(seen) > 1 and seen[1].second <= second - HOLD_SEC:
            seen.popleft()

    def _mean(self, second: int) -> Floats:
        """The mean size of each row over the last seconds in which it led; NaN: it does not now."""
        lately = np.array([seen.sizes for seen in self._seen if seen.second > second - MEAN_SEC])
        led = np.count_nonzero(~np.isnan(lately), axis=0)
        mean: Floats = np.nansum(lately, axis=0) / np.maximum(led, 1)
        mean[np.isnan(lately[-1])] = np.nan
        return mean

    def _let_the_steady_pass(self, order: Rows, mean: Floats) -> Rows:
        """Move up who was ahead of a row above for the whole hold."""
        held = [seen.sizes[order] for seen in self._seen]
        found = [np.empty((2, 0), np.intp)]
        for begin in range(0, len(order), BLOCK):
            end = min(begin + BLOCK, len(order))
            is_ahead = held[-1][begin:end, None] > held[-1][:end]
            lower, upper = np.divmod(np.flatnonzero(is_ahead), end)
            lower += begin
            still = upper < lower
            for size in held:
                lower, upper = lower[still], upper[still]
                still = size[lower] > size[upper]
            found.append(np.stack((lower[still], upper[still])))
        lower, upper = np.concatenate(found, axis=1)
        return _moved_up(order, mean, lower, upper) if len(lower) else order


class _Shown(NamedTuple):
    """An order from a second on."""

    second: int
    rows: int
    """How many it had."""
    first: bytes
    """Its first ``DEPTH`` rows, as 32-bit integers."""


class RankHistory:
    """The orders shown in the last ``window_sec``, for a page that looks back; thread-safe.

    Of each order the first 256 places are kept, so that memory has a bound: 4 MB for each rank if
    every second of an hour has another order.
    """

    def __init__(self, window_sec: int = WINDOW_SEC) -> None:
        self._window_sec = window_sec
        # Guards the orders.
        self._lock = threading.Lock()
        self._shown: dict[str, list[_Shown]] = {}

    def add(self, second: int, rank: str, order: Rows) -> None:
        """Remember ``order`` as what ``rank`` shows from ``second`` on.

        A second that was passed before takes the place of all that followed it.
        """
        first = order[:DEPTH].astype(np.int32).tobytes()
        with self._lock:
            shown = self._shown.setdefault(rank, [])
            del shown[bisect_left(shown, second, key=attrgetter("second")) :]
            if not shown or (shown[-1].rows, shown[-1].first) != (len(order), first):
                shown.append(_Shown(second, len(order), first))
            begin = second - self._window_sec
            # The one that was shown when the window begins stays.
            del shown[: max(0, bisect_right(shown, begin, key=attrgetter("second")) - 1)]

    def at(self, second: int, rank: str) -> Rows | None:
        """The order that ``rank`` showed at ``second``, None if that is not known.

        It is complete if it had no more than 256 rows; else the rows behind the first 256 follow in
        order of row number.
        """
        with self._lock:
            shown = self._shown.get(rank, [])
            place = bisect_right(shown, second, key=attrgetter("second"))
            if place == 0:
                return None
            _, count, held = shown[place - 1]
        first: Rows = np.frombuffer(held, np.int32)
        is_behind = np.ones(count, np.bool_)
        is_behind[first] = False
        return np.concatenate(
            (first, np.flatnonzero(is_behind)), dtype=np.int32, casting="same_kind"
        )


class Ranking:
    """The calm order of every ranking, second by second, and those of the last ``window_sec``.

    One thread updates it; any may ask for an order.
    """

    def __init__(self, window_sec: int = WINDOW_SEC) -> None:
        self._orders = {
            rank: CalmOrder(HEAT_OF_MEDIAN if column == "heat" else 1.0)
            for rank, column in RANKS.items()
        }
        self._history = RankHistory(window_sec)

    def update(self, second: int, frame: pd.DataFrame, of_rows: Sequence[State]) -> None:
        """Put the rows of the frame of ``second`` in order."""
        tiers = _tiers(of_rows)
        for rank, order in self._orders.items():
            self._history.add(second, rank, order.update(second, _sizes(frame, rank), tiers))

    def at(self, second: int, rank: str) -> Rows | None:
        """The order that ``rank`` showed at ``second``; None: that is not known."""
        return self._history.at(second, rank)

    @staticmethod
    def by_size(rank: str, frame: pd.DataFrame, of_rows: Sequence[State]) -> Rows:
        """The order of the rows of a frame that nobody was shown: by size alone."""
        return CalmOrder().update(0, _sizes(frame, rank), _tiers(of_rows))


def _lengthened(sizes: Floats, count: int) -> Floats:
    return np.concatenate((sizes, np.full(count - len(sizes), np.nan)))


def _joined(order: Rows, led: Floats) -> Rows:
    """``order`` with the leading rows it lacks: each above the first row smaller than itself."""
    is_new = ~np.isnan(led)
    is_new[order] = False
    new = np.flatnonzero(is_new).astype(np.int32)
    if not len(new):
        return order
    new = new[np.argsort(-led[new], kind="stable")]
    falling = np.minimum.accumulate(led[order])
    return np.insert(order, np.searchsorted(-falling, -led[new], side="right"), new)


def _moved_up(order: Rows, size: Floats, lower: Places, upper: Places) -> Rows:
    """``order`` with the row of each place ``lower`` above that of its ``upper``.

    Of the rows between, the larger ones stay above it; so nobody passes a larger row.
    """
    rank = np.arange(len(order))  # the place before of the row at each place now
    place = rank.copy()  # the place now of the row at each place before
    by_lower = np.argsort(lower, kind="stable")
    movers, starts = np.unique(lower[by_lower], return_index=True)
    # From the top down: when a row's turn comes, those above it are where they belong.
    for mover, passed in zip(movers, np.split(upper[by_lower], starts[1:]), strict=True):
        begin, end = place[passed].min(), place[mover] + 1
        span = rank[begin:end]  # empty if it has passed them already
        stays = size[span] >= size[mover]
        rank[begin:end] = np.concatenate((span[stays], span[~stays]))
        place[rank[begin:end]] = np.arange(begin, end)
    return order[rank]


def _let_the_larger_pass(order: Rows, size: Floats, of_median: float) -> Rows:
    """``order`` changed as little as it takes for every lead of that size to be shown."""
    if len(order) < 2:
        return order
    # A row that is smaller than this is led.
    reach = size - np.maximum(LEAD_SHARE * size, of_median * float(np.median(size)))
    if not (reach[1:] > np.minimum.accumulate(size)[:-1]).any():
        return order
    falling = np.argsort(-size, kind="stable")
    limits, sizes = reach.tolist(), size.tolist()
    places: list[int] = falling.tolist()
    is_shown = bytearray(len(places))
    free: list[int] = []  # places whose rows nobody left leads: the topmost goes first
    rank: list[int] = []
    added = 0
    for largest in places:
        if is_shown[largest]:
            continue
        while added < len(places) and sizes[places[added]] >= limits[largest]:
            heappush(free, places[added])
            added += 1
        while not is_shown[largest]:
            place = heappop(free)
            is_shown[place] = True
            rank.append(place)
    return order[rank]
