"""Calm: an order of rows in which one overtakes another only for a reason.

Time is always an argument. Rows are the store's, by number: rows are added and never removed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "FIRST",
    "HOLD_SEC",
    "MEAN_SEC",
    "REST_SEC",
    "SETTLE_SEC",
    "CalmOrder",
    "Rows",
    "kept_in_front",
]

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

FIRST: Final = 3
"""Who is kept in front is among so many rows, or among as many as are kept if they are more."""

BLOCK: Final = 256
"""How many rows are compared with all others at a time, which bounds the memory used."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]


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
    of another is above it after ``SETTLE_SEC`` at the latest. Sizes up to ``alike`` count as one:
    of rows that small none is ahead of another. It belongs to one thread.
    """

    def __init__(self, of_median: float = 1.0, alike: float = 0.0) -> None:
        self._of_median = of_median
        self._alike = alike
        self._leading: Rows = np.empty(0, np.int32)
        # The updates of the last HOLD_SEC, and the one before them.
        self._seen: deque[_Seen] = deque()
        # The seconds without a review: the next one comes when the clock leaves them, even if it
        # steps back.
        self._rest = range(0)

    @property
    def leading(self) -> Rows:
        """The rows that led at the last update, best first."""
        return self._leading

    def was_reviewed(self, second: int) -> bool:
        """Whether the order was reviewed at the update of a second."""
        return bool(self._rest) and self._rest[0] == second

    def adopt(self, second: int, leading: Rows) -> None:
        """Go on from another's order, which was reviewed at the update of ``second``.

        After ``HOLD_SEC`` of the same updates both stay the same.
        """
        self._leading = leading
        self._rest = range(second, second + REST_SEC)

    def update(
        self,
        second: int,
        sizes: Floats,
        tiers: npt.NDArray[np.integer[Any]],
        in_front: Sequence[int] = (),
    ) -> Rows:
        """All rows, best first, at ``second``, which may leave gaps and may step back.

        ``sizes`` are finite and not negative, NaN if unknown. Rows of tier 0 lead, those of
        unknown size after the others; then come tiers 1, 2, ..., each in order of row number. A
        change of tier takes effect at once; a row that comes to lead joins where its size belongs.
        The rows ``in_front`` that lead are among the first ``FIRST`` for as long as they are given,
        or among as many as they are: who else would stand there gives way.
        """
        led = np.where(tiers == 0, np.maximum(sizes, self._alike), np.nan)
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
        leading = kept_in_front(self._leading, in_front) if len(in_front) else self._leading
        return np.concatenate((leading, others), dtype=np.int32, casting="same_kind")

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


def _lengthened(sizes: Floats, count: int) -> Floats:
    return np.concatenate((sizes, np.full(count - len(sizes), np.nan)))


def kept_in_front(order: Rows, rows: Sequence[int] | Places) -> Rows:
    """``order`` with those of ``rows`` it has in front, and who else has room there as before."""
    is_kept = np.isin(order, rows)
    room = max(0, FIRST - int(np.count_nonzero(is_kept)))
    goes_first = is_kept | (np.cumsum(~is_kept) <= room)
    return np.concatenate((order[goes_first], order[~goes_first]))


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
