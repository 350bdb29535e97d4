"""Limits: how often somebody may ask, as a bucket of requests that fills again with time."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["BURST", "PER_SEC", "Limits"]

PER_SEC: Final = 60.0
"""Requests of one token, in the long run, ..."""
BURST: Final = 120.0
"""... and at once."""

_MOST_NAMES: Final = 1000
"""Beyond it the buckets that are full again are forgotten."""


class Limits:
    """A bucket of requests for each name; any thread may ask. Time is an argument, and steady."""

    def __init__(self, per_sec: float = PER_SEC, burst: float = BURST) -> None:
        self._per_sec = per_sec
        self._burst = burst
        # Guards the buckets: of each name what was left when, by which it is known what is now.
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now: float) -> float:
        """Take a request out of a bucket; 0 if it may go on, else how many seconds until it may."""
        with self._lock:
            left = self._now_left(name, now)
            wait = max(0.0, (1.0 - left) / self._per_sec)
            if not wait:
                self._left[name] = left - 1.0, now
                if len(self._left) > _MOST_NAMES:
                    self._forget_full(now)
            return wait

    def __len__(self) -> int:
        """How many names are remembered."""
        with self._lock:
            return len(self._left)

    def _now_left(self, name: str, now: float) -> float:
        left, at = self._left.get(name, (self._burst, now))
        return min(self._burst, left + (now - at) * self._per_sec)

    def _forget_full(self, now: float) -> None:
        full = [name for name in self._left if self._now_left(name, now) >= self._burst]
        for name in full:
            del self._left[name]
