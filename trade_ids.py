"""Trade ids of one symbol: whether a trade came before, and how many of its trades never did."""

from __future__ import annotations

from itertools import islice
from typing import Final

__all__ = ["Counted", "Unlike"]

_REMEMBERED: Final = 1000
"""No more ids are remembered than these, and at least the newer half."""

_MOST_MISSED: Final = 1_000_000
"""An id that is further ahead than this many trades is not believed."""

_LATE_SEC: Final = 60.0
"""How much later than the newest trade one is that has an old id because ids begin anew."""


class Unlike:
    """Ids that are merely unlike one another: those of the newest trades are remembered."""

    __slots__ = ("_ids",)

    missed = 0
    """Nothing tells of a missed trade."""

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}

    def add(self, trade_id: int, ts: float) -> bool:
        """Note that a trade of the time ``ts`` came; whether it had not come before."""
        ids = self._ids
        is_new = trade_id not in ids
        ids[trade_id] = None
        if len(ids) > _REMEMBERED:
            _forget(ids)
        return is_new


class Counted:
    """Ids that count the trades, one by one: those of the newest missing ones are remembered."""

    __slots__ = ("_first", "_missing", "_next", "_ts", "missed")

    def __init__(self) -> None:
        self._first = self._next = -1
        """The oldest and the one after the newest; negative: none came."""
        self._ts = 0.0
        """The time of the newest."""
        self._missing: dict[int, None] = {}
        self.missed = 0
        """Trades between the oldest and the newest that came, which never did."""

    def add(self, trade_id: int, ts: float) -> bool:
        """Note that a trade of the time ``ts`` came; whether it had not come before."""
        if trade_id != self._next:
            return self._add(trade_id, ts)
        self._next = trade_id + 1
        self._ts = ts
        return True

    def _add(self, trade_id: int, ts: float) -> bool:
        """The same of one that does not follow the newest."""
        if trade_id in self._missing:  # late
            del self._missing[trade_id]
            self.missed -= 1
            return True
        if self._next < 0:
            self._begin(trade_id, ts)
        elif self._next < trade_id <= self._next + _MOST_MISSED:
            self._miss(self._next, trade_id)
            self._next, self._ts = trade_id + 1, ts
        elif ts > self._ts + _LATE_SEC:
            # An old trade would have an old time: the vendor counts from another number on.
            self._begin(trade_id, ts)
        elif self._first - _REMEMBERED // 2 <= trade_id < self._first:
            # Later than the first that came, and from before it.
            self._miss(trade_id + 1, self._first)
            self._first = trade_id
        else:
            return trade_id > self._next
        return True

    def _begin(self, trade_id: int, ts: float) -> None:
        self._missing.clear()
        self._first, self._next, self._ts = trade_id, trade_id + 1, ts

    def _miss(self, since: int, until: int) -> None:
        self.missed += until - since
        for missing in range(max(since, until - _REMEMBERED), until):
            self._missing[missing] = None
            if len(self._missing) > _REMEMBERED:
                _forget(self._missing)


def _forget(ids: dict[int, None]) -> None:
    """Forget the older half, together: finding the oldest takes the longer the more went before."""
    for old in tuple(islice(ids, _REMEMBERED // 2)):
        del ids[old]
