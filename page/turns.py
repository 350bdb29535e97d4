"""ExportTurns: whose exported file may be in memory; the others wait for their turn.

One per process; the tabs of all viewers report to it from their own threads. Time is an argument.
"""

from __future__ import annotations

import threading
from typing import Final

from engine.process import once_per_process

__all__ = ["FILES", "ExportTurns", "export_turns"]

FILES: Final = 2
"""So many files are made or kept for a download at once."""

_LONGEST_SEC: Final = 120.0
"""A file that is not ready by then is not coming."""

_PRESENT_SEC: Final = 5.0
"""One who waits and has not asked for as long lets others pass: browsers slow hidden tabs down."""

_FORGOTTEN_SEC: Final = 150.0


class ExportTurns:
    """Lets the tabs make their files some at a time, in the order in which they first asked.

    A tab that closes says nothing: a turn ends by itself, and who waits must keep asking.
    Thread-safe.
    """

    def __init__(self, most: int = FILES) -> None:
        self._most = most
        # Guards what is below.
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        """When the turn of each tab that has one ends."""
        self._asked: dict[str, float] = {}
        """When each tab that waits last asked, in the order in which they first did."""

    def ask(self, tab: str, now: float) -> int:
        """The place of ``tab`` among those that wait, from 1 on; 0 if it is its turn."""
        with self._lock:
            self._forget(now)
            if tab in self._until:
                return 0
            self._asked[tab] = now
            waiting = [
                other
                for other, asked in self._asked.items()
                if other == tab or asked >= now - _PRESENT_SEC
            ]
            place = waiting.index(tab) + 1 - (self._most - len(self._until))
            if place <= 0:
                del self._asked[tab]
                self._until[tab] = now + _LONGEST_SEC
            return max(0, place)

    def has_turn(self, tab: str, now: float) -> bool:
        """Whether it is still the turn of ``tab``."""
        with self._lock:
            self._forget(now)
            return tab in self._until

    def hold(self, tab: str, until: float) -> None:
        """Let the turn of ``tab`` end at ``until``."""
        with self._lock:
            if tab in self._until:
                self._until[tab] = until

    def end(self, tab: str) -> None:
        """End the turn of ``tab``, or its waiting."""
        with self._lock:
            self._until.pop(tab, None)
            self._asked.pop(tab, None)

    def _forget(self, now: float) -> None:
        self._until = {tab: until for tab, until in self._until.items() if until > now}
        self._asked = {
            tab: asked for tab, asked in self._asked.items() if asked >= now - _FORGOTTEN_SEC
        }


def export_turns() -> ExportTurns:
    """The turns of this process."""
    return once_per_process("export turns", ExportTurns)
