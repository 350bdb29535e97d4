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
from settings.symbols import MOST_SYMBOLS
from sources.catalogue import Catalogue
from sources.clocks import ForwardClock
from sources.exchange import Exchange
from sources.hours import Calendar
from sources.market import Market, as_ticks
from sources.quotes import EXCLUDED_CONDITIONS
from sources.source import Keep, Seconds, SourceKind, SourceStatus
from sources.vendor_feeds import VendorFeeds
from sources.weather import generator
from ticks import WINDOW_SEC, Asset, Tick
from vendors.wire import Vendor

__all__ = ["SimulatedSource", "random_seed"]

_RESUMED_SEC: Final = WINDOW_SEC + 60
"""A market does not continue from older prices: a new one has an hour behind it, and up to a minute
more."""

_AHEAD_SEC: Final = 7200.0
"""An archive that is further ahead was written while the clock was wrong."""


class SimulatedSource:
    """A market of the embedded exchange, which continues from its archive if that is recent.

    Without a ``seed`` the market has that of its archive, else a random one. Without a ``calendar``
    it never closes. ``catalogue`` is what else could be watched. A new market has ``past_sec``
    behind it.
    """

    def __init__(
        self,
        wanted: Mapping[Asset, Sequence[str]],
        queue: TickQueue,
        vendors: Mapping[Asset, Sequence[Vendor]],
        *,
        seed: int | None = None,
        archive: Archive | None = None,
        clock: Callable[[], float] | None = None,
        timing: Timing | None = None,
        calendar: Calendar | None = None,
        catalogue: Catalogue | None = None,
        past_sec: int = WINDOW_SEC,
    ) -> None:
        self.queue = queue
        # The market may neither run backwards nor begin before what it has already quoted.
        self.clock = clock or ForwardClock(time.time, _end_of(archive))
        self.archive = archive
        # Two markets with the same past have different futures.
        self.takes_over = False
        self._seed = seed
        self._past_sec = past_sec
        self._feeds = VendorFeeds(
            wanted, queue, self.clock, vendors, timing=timing, calendar=calendar
        )
        self.catalogue = catalogue
        self._market: Market | None = None
        self._exchange: Exchange | None = None
        self._is_open = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def collects(self) -> bool:
        """Always."""
        return True

    @property
    def knows_past(self) -> bool:
        """Never: its archive does."""
        return False

    @property
    def watched(self) -> Mapping[Asset, tuple[str, ...]]:
        """See ``Source``."""
        return self._feeds.asked

    @property
    def play(self) -> Callable[[str, bool], str | None]:
        """See ``Source``; who jumps and which way follows from the seed and the second."""
        return self._play

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """See ``Source``."""
        return self._feeds.hours(asset, now)

    def streams_at(self, asset: Asset, now: float) -> bool:
        """See ``Source``."""
        return self._feeds.streams_at(asset, now)

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """Nothing: only its archive knows the time before."""
        return None

    def archive_meta(self) -> Mapping[str, str]:
        """See ``Source``; without a seed, the market gets that of its archive or a random one."""
        if self._seed is None and self.archive is not None:
            archived = self.archive.meta("seed")
            self._seed = int(archived) if archived and archived.isdecimal() else random_seed()
        return {"source": "simulated", "seed": "" if self._seed is None else str(self._seed)}

    def continues_from(self, newest: int) -> bool:
        """Whether the archive is recent enough."""
        return self.clock() - newest <= _RESUMED_SEC

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Open a market that continues from the prices in ``store``, if there are any.

        Returns its ticks up to now: those of the time before its start, unless it continues, and
        those since, which no feed can have received.
        """
        if self._seed is None:
            self._seed = random_seed()
        now = self.clock()
        prices = {
            row["symbol"]: row["last"] for row in store.snapshots(now) if row["last"] is not None
        }
        # It starts at a whole minute, so that every run of a seed has the same bars and events.
        market = self._market = (
            Market(self.watched, self._seed, start=now, resumed=prices)
            if prices
            else Market(self.watched, self._seed, start=now // 60 * 60)
        )
        opening = [
            Tick(quote.symbol, quote.asset, quote.ts, quote.price)
            for quote in market.read_until(self.clock())
            if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
        ]
        ticks = [*market.earlier_ticks(self._past_sec), *opening]
        self._feeds.restore({tick.symbol: tick for tick in ticks}.values())
        return ticks

    async def watch(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """See ``Source``; the market goes on as it would have, with further symbols."""
        past = await self._grown(wanted)
        self._feeds.want(wanted)
        return past

    async def _grown(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """Have the market quote all that is wanted; returns the past of what is new in it."""
        await self._is_open.wait()
        market, exchange = self._market, self._exchange
        if market is None or exchange is None:
            raise RuntimeError("the exchange is open without a market")
        known = {symbol for names in market.symbols.values() for symbol in names}
        if all(symbol in known for names in wanted.values() for symbol in names):
            return []
        while True:
            played = dict(market.played)
            # Not on the loop's time: all of its minutes are walked through once more.
            grown, past = await asyncio.to_thread(market.with_symbols, wanted)
            if market.played == played:
                break
        late = grown.read_until(market.read_to)
        exchange.go_on_with(grown)
        self._market = grown
        return [*past, *as_ticks(quote for quote in late if quote.symbol not in known)]

    def _play(self, symbol: str, is_alone: bool) -> str | None:
        market, loop = self._market, self._loop
        if market is None or loop is None:
            return None
        random = generator(self._seed or 0, "play", int(self.clock()))
        if not symbol:
            names = market.busiest([s for names in self.watched.values() for s in names])
            symbol = names[int(random.random() * len(names))] if names else ""
        if not market.can_play(symbol):
            return None
        sign = 1.0 if random.random() < 1 / 2 else -1.0
        loop.call_soon_threadsafe(self._jump, symbol, sign, is_alone)
        return symbol

    def _jump(self, symbol: str, sign: float, is_alone: bool) -> None:
        if self._market is not None:
            self._market.play(symbol, sign, is_alone=is_alone)

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``."""
        market = self._market
        if market is None:
            raise RuntimeError("run() was called before backfill(), which opens the market")
        self._loop = asyncio.get_running_loop()
        limit = max(MOST_SYMBOLS, sum(map(len, market.symbols.values())))
        async with Exchange(market, symbol_limit=limit) as exchange, asyncio.TaskGroup() as tasks:
            self._exchange = exchange
            self._is_open.set()
            tasks.create_task(self._feeds.run(keep, exchange.url))
            beat = partial(seconds.follow, self.clock, self._feeds.measure)
            tasks.create_task(keep("heartbeat", beat))
            tasks.create_task(keep("exchange", partial(exchange.run, self.clock)))

    def status(self) -> SourceStatus:
        """See ``Source``."""
        return SourceStatus(kind=SourceKind.SIMULATED, name="simulated", seed=self._seed)

    def vendors(self) -> Mapping[str, str]:
        """One: there is nobody else."""
        return {}

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``."""
        return self._feeds.status()


def random_seed() -> int:
    """A seed for a market that was given none, short enough to be read out."""
    return SystemRandom().randrange(1_000_000)


def _end_of(archive: Archive | None) -> float:
    """The end of what an archive holds; 0 if it holds nothing, or nothing plausible."""
    try:
        span = None if archive is None else archive.span()
    except ArchiveError:
        span = None  # reported when the recorder opens it
    return span[1] + 1.0 if span is not None and span[1] < time.time() + _AHEAD_SEC else 0.0
