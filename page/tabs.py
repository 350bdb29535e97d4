"""OpenTabs: how often the tabs refresh; the later their refreshes come, the less often.

One per process; the tabs of all viewers report to it from their own threads. Time is an argument.
"""

from __future__ import annotations

import math
import statistics
import threading
from collections import deque
from typing import Final, NamedTuple

from engine.files import has_room
from engine.process import once_per_process

__all__ = ["REFRESH_SEC", "OpenTabs", "has_room", "open_tabs"]

REFRESH_SEC: Final = 2
"""How often a tab refreshes while refreshes come in time."""

_MOST_SEC: Final = 30
"""However late they come, none waits longer."""

_LATE: Final = 0.1
"""The interval grows if half of the refreshes are later than this share of it, or take longer."""

_CALM: Final = 0.03
"""It may shrink while half of them are not later than this share, nor take longer."""

_ROOM: Final = 0.85
"""It shrinks once it then asks for no more than this share of what was managed under strain."""

_TRY_SEC: Final = 300.0
"""After so long it shrinks in any case: it may have been something else that took the time."""

_FEW: Final = 20
"""So few tabs are not what makes refreshes late, and would gain nothing from fewer of them."""

_HIDDEN_SEC: Final = 45.0
"""Browsers let a hidden tab refresh once a minute: it costs next to nothing, and does not count."""

_FORGOTTEN_SEC: Final = 150.0


class _Tab(NamedTuple):
    """When a tab last refreshed."""

    at: float
    gap: float
    """Seconds since the refresh before that."""
    told_sec: float
    """In how many seconds it was to refresh again."""


class OpenTabs:
    """Watches how late the tabs refresh, and spreads them out before they come to a stop.

    A process that is asked for more than it can do does not slow down but starves, so the interval
    grows as soon as refreshes are late or long. Thread-safe.
    """

    def __init__(self, refresh_sec: float = REFRESH_SEC) -> None:
        self._least_sec = refresh_sec
        # Guards what is below.
        self._lock = threading.Lock()
        self._tabs: dict[str, _Tab] = {}
        self._late: deque[tuple[float, float]] = deque()
        """When the recent refreshes came, and how many seconds after they were due."""
        self._long: deque[tuple[float, float]] = deque()
        """When they ended, and how many seconds they took."""
        self._count = 0
        self._counted_at = -math.inf
        self._refresh_sec = refresh_sec
        self._changed_at = -math.inf
        self._was_late = False
        self._managed = math.inf
        """How many refreshes a second there were when they came late."""

    def note(self, tab: str, now: float) -> float:
        """Note that ``tab`` refreshes at ``now``; return the seconds until it should again."""
        with self._lock:
            before = self._tabs.get(tab)
            gap = 0.0 if before is None else now - before.at
            # Twice as early is a choice of the viewer's, or the script before its own fragment.
            if before is not None and before.told_sec / 2 < gap < _hidden_sec(before.told_sec):
                self._late.append((now, gap - before.told_sec))
            if now >= self._counted_at + self._least_sec:
                self._recount(now)
            self._tabs[tab] = _Tab(now, gap, self._refresh_sec)
            return self._refresh_sec

    def done(self, tab: str, now: float) -> None:
        """Note that the refresh of ``tab`` that was noted last is done."""
        with self._lock:
            if (began := self._tabs.get(tab)) is not None:
                self._long.append((now, now - began.at))

    @property
    def refresh_sec(self) -> float:
        """The current interval, in seconds."""
        with self._lock:
            return self._refresh_sec

    @property
    def tabs(self) -> int:
        """How many tabs refresh, without the hidden ones."""
        with self._lock:
            return self._count

    def _recount(self, now: float) -> None:
        self._counted_at = now
        self._tabs = {k: tab for k, tab in self._tabs.items() if tab.at >= now - _FORGOTTEN_SEC}
        recent = now - 3 * self._refresh_sec
        self._count = sum(
            tab.at >= recent and tab.gap < _hidden_sec(self._refresh_sec)
            for tab in self._tabs.values()
        )
        # What came before the last change tells nothing of what it did.
        since = max(now - self._refresh_sec, self._changed_at + self._refresh_sec)
        late, long = (_recent(each, since) for each in (self._late, self._long))
        delay = max(_median(late), _median(long))
        is_late = self._count > _FEW and delay > _LATE * self._refresh_sec
        # Twice in a row: a moment in which everything stood still is over.
        was_late, self._was_late = self._was_late, is_late
        if is_late and was_late:
            self._grow(now, delay)
        elif self._may_shrink(now, delay):
            self._change(now, self._refresh_sec - self._least_sec)

    def _grow(self, now: float, delay: float) -> None:
        took_sec = self._refresh_sec + delay
        self._managed = self._count / took_sec
        steps = math.ceil(took_sec * (1 + _LATE) / self._least_sec)
        self._change(now, min(steps * self._least_sec, _MOST_SEC))

    def _may_shrink(self, now: float, delay: float) -> bool:
        lower = self._refresh_sec - self._least_sec
        if lower < self._least_sec or delay > _CALM * self._refresh_sec:
            return False
        fits = self._count / lower <= _ROOM * self._managed
        return fits or now >= self._changed_at + _TRY_SEC

    def _change(self, now: float, refresh_sec: float) -> None:
        self._refresh_sec = refresh_sec
        self._changed_at = now


def _hidden_sec(refresh_sec: float) -> float:
    """Who refreshes as seldom as this is hidden."""
    return max(_HIDDEN_SEC, 2 * refresh_sec)


def _recent(noted: deque[tuple[float, float]], since: float) -> list[float]:
    """What was noted at or after ``since``; what is older is dropped."""
    while noted and noted[0][0] < since:
        noted.popleft()
    return [seconds for _, seconds in noted]


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def open_tabs() -> OpenTabs:
    """The tabs of this process."""
    return once_per_process("open tabs", OpenTabs)
