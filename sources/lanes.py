"""Lane: one vendor's feed of one asset class, and which of its prices reach the store."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from feeds import Feed, TickQueue
from sources.failover import Seen, sign
from sources.shares import Share
from sources.source import Keep
from ticks import Tick
from vendors.wire import Vendor

__all__ = ["Lane", "Outlet"]

_ROUNDING_SEC: Final = 0.0005
"""The store rounds times to a millisecond: from here on a price belongs to the next second."""

_NEVER: Final = (math.inf, -math.inf)


class Outlet:
    """Lets those prices of a feed through that are its vendor's to give: of each symbol's span."""

    def __init__(self, queue: TickQueue) -> None:
        self._queue = queue
        self._add = queue.add
        self._spans: dict[str, tuple[float, float]] = {}
        """From when on the symbol's prices are this vendor's, and until when."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Of the queue."""
        return self._queue.dropped

    def open(self, symbols: Iterable[str], second: float) -> None:
        """Let prices through from ``second`` on."""
        self._spans |= dict.fromkeys(symbols, (second - _ROUNDING_SEC, math.inf))

    def close(self, symbols: Iterable[str], second: float) -> None:
        """Let no prices through that are of ``second`` or later."""
        for symbol in symbols:
            since, until = self._spans.get(symbol, _NEVER)
            self._spans[symbol] = (since, min(until, second - _ROUNDING_SEC))

    def begin_after(self, symbols: Iterable[str], second: float) -> list[str]:
        """Those of ``symbols`` that let nothing through until after ``second``."""
        return [s for s in symbols if self._spans.get(s, _NEVER)[0] > second]

    def close_all_but(self, symbols: Iterable[str], second: float) -> None:
        """Close what is not among ``symbols``."""
        self.close(self._spans.keys() - set(symbols), second)

    def add(self, tick: Tick) -> None:
        """Add a tick, if it is of its symbol's span."""
        symbol, _, ts, _ = tick
        since, until = self._spans.get(symbol, _NEVER)
        if since <= ts < until:
            self._add(tick)

    def add_last_price(self, tick: Tick) -> None:
        """Add a tick that may only set a missing last price, likewise."""
        since, until = self._spans.get(tick.symbol, _NEVER)
        if since <= tick.ts < until:
            self._queue.add_last_price(tick)


class Lane:
    """One vendor's feed of one asset class, another one whenever it is asked for other symbols.

    ``make`` makes a feed for a share that goes on after the feed before, if there is one.
    ``outlet`` lets its prices through; None: all of them. There is never more than one connection:
    a feed begins when the one before has closed its own.
    """

    def __init__(
        self,
        name: str,
        vendor: Vendor,
        make: Callable[[Share, Feed | None], Feed],
        outlet: Outlet | None,
    ) -> None:
        self.name = name
        self.vendor = vendor
        self.outlet = outlet
        self.feed: Feed | None = None
        """None: the vendor is asked for nothing."""
        self._make = make
        self._refused: set[str] = set()
        """What the vendor has refused of what the feed asks for."""
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._begun: Feed | None = None

    @property
    def has_begun(self) -> bool:
        """Whether what runs is the feed, or nothing if there is none."""
        return self._begun is self.feed

    def ask(self, share: Share | None) -> None:
        """Have a feed of ``share``, another one if need be; none if that is None.

        A feed that is asked for more than that stays if the vendor has refused what is too much.
        """
        if self.feed is not None:
            # A connection that has just begun has refused nothing yet.
            self._refused |= self.feed.refused
        if share is None:
            self.feed = None
        elif self.feed is None or not self._asks_for(self.feed, share):
            self.feed = self._make(share, self.feed)
            self._refused.clear()

    def begin(self, tasks: asyncio.TaskGroup, keep: Keep, url: str | None = None) -> None:
        """Run the feed, if there is one, once the one that ran before has ended."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._begun = None, self.feed
        if self.feed is not None:
            self._task = tasks.create_task(self._run(self.feed, keep, url))

    async def _run(self, feed: Feed, keep: Keep, url: str | None) -> None:
        async with self._turn:
            await keep(self.name, partial(feed.run, url))

    def seen(self, now: float) -> Seen | None:
        """What is seen of the vendor at ``now``; None: it is asked for nothing."""
        feed = self.feed
        if feed is None or not feed.symbols:
            return None
        status = feed.status(now)
        found = sign(
            status,
            is_overdue=feed.is_overdue(now),
            has_heartbeat=self.vendor.heartbeat_sec is not None,
        )
        return Seen(found, frozenset(feed.refused))

    def _asks_for(self, feed: Feed, share: Share) -> bool:
        asked, wanted = set(feed.symbols), set(share.asked)
        return wanted <= asked and (asked - wanted) <= self._refused
