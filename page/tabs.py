"""OpenTabs: how often the tabs refresh; the more of them there are, the less often.

One per process; the tabs of all viewers report to it from their own threads. Time is an argument.
"""

from __future__ import annotations

import math
import threading
from typing import Final, NamedTuple

from engine.files import has_room
from engine.process import once_per_process

__all__ = ["REFRESH_SEC", "OpenTabs", "has_room", "open_tabs"]

REFRESH_SEC: Final = 2
"""How often a tab refreshes while there are few."""

TABS: Final = 150
"""Up to this many refresh every two seconds; beyond, the interval grows in steps of two seconds."""

_BACK: Final = 0.85
"""The interval shrinks again when the tabs would fit into this share of the lower step."""

_HIDDEN_SEC: Final = 45.0
"""Browsers let a hidden tab refresh once a minute: it costs next to nothing, and does not count."""

_FORGOTTEN_SEC: Final = 150.0


class _Tab(NamedTuple):
    """When a tab last refreshed."""

    at: float
    gap: float
    """Seconds since the refresh before that."""


class OpenTabs:
    """Counts the tabs that refresh, and spreads them out before they are too many for one process.

    Beyond some number a few more tabs would not slow the page down but bring it to a stop, so the
    interval grows before that. Thread-safe.
    """

    def __init__(self, most: int = TABS, refresh_sec: float = REFRESH_SEC) -> None:
        self._most = most
        self._least_sec = refresh_sec
        # Guards what is below.
        self._lock = threading.Lock()
        self._tabs: dict[str, _Tab] = {}
        self._count = 0
        self._counted_at = -math.inf
        self._refresh_sec = refresh_sec

    def note(self, tab: str, now: float) -> float:
        """Note that ``tab`` refreshes at ``now``; return the seconds until it should again."""
        with self._lock:
            before = self._tabs.get(tab)
            self._tabs[tab] = _Tab(now, 0.0 if before is None else now - before.at)
            if now >= self._counted_at + self._least_sec:
                self._recount(now)
            return self._refresh_sec

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
            tab.at >= recent and tab.gap < max(_HIDDEN_SEC, 2 * self._refresh_sec)
            for tab in self._tabs.values()
        )
        step = round(self._refresh_sec / self._least_sec)
        needed = math.ceil(self._count / self._most)
        kept = math.ceil(self._count / (self._most * _BACK))
        self._refresh_sec = self._least_sec * max(1, needed, min(step, kept))


def open_tabs() -> OpenTabs:
    """The tabs of this process."""
    return once_per_process("open tabs", OpenTabs)
