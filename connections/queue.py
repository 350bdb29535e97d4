"""TickQueue: the bounded queue that all feeds fill, and what a feed knows of it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from typing import Protocol

from ticks import Tick

__all__ = ["TickQueue", "TickSink"]


class TickSink(Protocol):
    """Where a feed puts its ticks."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Number of ticks that made room for newer ones, by asset class."""

    def add(self, tick: Tick) -> None:
        """Add a tick; never waits."""

    def add_last_price(self, tick: Tick) -> None:
        """Add a tick that may only set a missing last price."""


class TickQueue:
    """A bounded queue of ticks within one event loop: when full the oldest goes and is counted."""

    def __init__(self, max_ticks: int = 50_000) -> None:
        self._max_ticks = max_ticks
        self._ticks: deque[Tick] = deque()
        self._last_prices: deque[Tick] = deque()
        self._filled = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Number of ticks that made room for newer ones, by asset class."""

    def add(self, tick: Tick) -> None:
        """Add a tick; never waits."""
        ticks = self._ticks
        if len(ticks) >= self._max_ticks:
            self.dropped[ticks.popleft().asset] += 1
        ticks.append(tick)
        self._filled.set()

    def add_last_price(self, tick: Tick) -> None:
        """Add a tick that may only set a missing last price."""
        if len(self._last_prices) >= self._max_ticks:
            self.dropped[self._last_prices.popleft().asset] += 1
        self._last_prices.append(tick)
        self._filled.set()

    async def wait(self) -> None:
        """Return when the queue is not empty."""
        await self._filled.wait()

    def drain(self) -> tuple[list[Tick], list[Tick]]:
        """Empty the queue: the ticks in order of arrival, and those for a last price only."""
        ticks, last_prices = list(self._ticks), list(self._last_prices)
        self._ticks.clear()
        self._last_prices.clear()
        self._filled.clear()
        return ticks, last_prices

    def __len__(self) -> int:
        return len(self._ticks)
