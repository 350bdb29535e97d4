"""The simulated source: a seeded market behind an embedded exchange, by the computer's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import SystemRandom
from typing import Final

from events import EventStore
from feeds import FeedStatus, TickQueue, Timing
from history.archive import Archive, ArchiveError
from pulse_store import PulseStore
from sessions import MarketHours
from sources.clocks import ForwardClock
from sources.exchange import Exchange
from sources.live import Calendar, VendorFeeds
from sources.market import EXCLUDED_CONDITIONS, Market
from sources.source import Keep, Seconds, SourceKind, SourceStatus
from ticks import WINDOW_SEC, Asset, Tick
from vendors.wire import Vendor

__all__ = ["SimulatedSource", "random_seed"]

_RESUMED_SEC: Final = WINDOW_SEC + 60
"""A market does not go on from older prices: a new one has an hour behind it, and up to a minute
more."""

_AHEAD_SEC: Final = 7200.0
"""An archive that is further ahead was written by a clock that was wrong."""


class SimulatedSource:
    """A market of the embedded exchange, which goes on from its archive if that is recent.

    Without a ``seed`` the market has that of its archive, else a random one. A market whose
    ``calendar`` is not given never closes.
    """

    def __init__(
        self,
        wanted: Mapping[Asset, Sequence[str]],
        queue: TickQueue,
        vendors: Mapping[Asset, Vendor],
        *,
        seed: int | None = None,
        archive: Archive | None = None,
        clock: Callable[[], float] | None = None,
        timing: Timing | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        # The market may not run backwards, nor begin before what it has already quoted.
        self.clock = clock or ForwardClock(time.time, _end_of(archive))
        self.archive = archive
        # Two markets go different ways from the moment they part.
        self.takes_over = False
        self._seed = seed
        self._feeds = VendorFeeds(
            wanted, queue, self.clock, vendors, timing=timing, calendar=calendar
        )
        self.watched = self._feeds.asked
        self._market: Market | None = None

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """See ``Source``."""
        return self._feeds.hours(asset, now)

    def streams_at(self, asset: Asset, now: float) -> bool:
        """See ``Source``."""
        return self._feeds.streams_at(asset, now)

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """Nothing: only its archive knows the time before."""
        return None

    def notes(self) -> Mapping[str, str]:
        """See ``Source``; decides which seed the market has."""
        if self._seed is None and self.archive is not None:
            noted = self.archive.meta("seed")
            self._seed = int(noted) if noted and noted.isdecimal() else random_seed()
        return {"source": "simulated", "seed": "" if self._seed is None else str(self._seed)}

    def goes_on_from(self, newest: int) -> bool:
        """Whether the archive is recent enough."""
        return self.clock() - newest <= _RESUMED_SEC

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Open a market that goes on from the prices in ``store``, else one with an hour behind it.

        Its ticks up to now: what was quoted since its start no feed can have received.
        """
        if self._seed is None:
            self._seed = random_seed()
        now = self.clock()
        known = {
            row["symbol"]: row["last"] for row in store.snapshots(now) if row["last"] is not None
        }
        # From a whole minute on: bars fall alike in every run of a seed, and so do its events.
        market = self._market = (
            Market(self.watched, self._seed, start=now, resumed=known)
            if known
            else Market(self.watched, self._seed, start=now // 60 * 60)
        )
        opening = [
            Tick(quote.symbol, quote.asset, quote.ts, quote.price)
            for quote in market.until(self.clock())
            if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
        ]
        return [*market.history(), *opening]

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``."""
        market = self._market
        if market is None:
            raise RuntimeError("run() was called before backfill(), which opens the market")
        async with Exchange(market) as exchange, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feeds.run(keep, exchange.url))
            beat = partial(seconds.follow, self.clock, self._feeds.measure)
            tasks.create_task(keep("heartbeat", beat))
            tasks.create_task(keep("exchange", partial(exchange.run, self.clock)))

    def status(self) -> SourceStatus:
        """See ``Source``."""
        return SourceStatus(kind=SourceKind.SIMULATED, name="simulated", seed=self._seed)

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``."""
        return self._feeds.status()


def random_seed() -> int:
    """A seed for a market that was given none, short enough to be read out."""
    return SystemRandom().randrange(1_000_000)


def _end_of(archive: Archive | None) -> float:
    """The end of what an archive holds; 0 if there is nothing, or nothing that can be true."""
    try:
        span = None if archive is None else archive.span()
    except ArchiveError:
        span = None  # told when it is opened
    return span[1] + 1.0 if span is not None and span[1] < time.time() + _AHEAD_SEC else 0.0
