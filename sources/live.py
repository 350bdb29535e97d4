"""The live source: the feeds of a vendor's account, and a clock that its stamps confirm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import sessions
from events import EventStore
from feeds import FeedStatus, TickQueue, Timing
from history.archive import Archive
from pulse_store import PulseStore
from sessions import MarketHours
from sources.backfill import Backfill
from sources.catalogue import Catalogue
from sources.clocks import VendorClock
from sources.failover import Patience
from sources.fetching import Manners
from sources.hours import Calendar
from sources.later import Later
from sources.source import ClockStatus, Keep, Seconds, SourceKind, SourceStatus
from sources.vendor_feeds import VendorFeeds
from ticks import Asset, Tick
from vendors.rest import Rest
from vendors.wire import Vendor

__all__ = ["LiveSource"]


class LiveSource:
    """Vendors' prices by the computer's clock, as far as the vendors' stamps confirm it.

    ``vendors`` holds those of each asset class, the first choice first; see ``VendorFeeds``. Each
    of them is asked by its ``rests``, by the vendors' names, for the time before it serves. Only a
    ``clock`` that is a ``VendorClock`` is judged by the stamps. ``lacking`` are the classes that no
    vendor serves without a key that is not set. ``catalogue`` is what else could be watched.
    """

    def __init__(
        self,
        wanted: Mapping[Asset, Sequence[str]],
        queue: TickQueue,
        vendors: Mapping[Asset, Sequence[Vendor]],
        *,
        archive: Archive | None = None,
        clock: Callable[[], float] | None = None,
        timing: Timing | None = None,
        calendar: Calendar | None = None,
        patience: Patience | None = None,
        rests: Mapping[str, Rest] | None = None,
        manners: Manners | None = None,
        lacking: Sequence[Asset] = (),
        catalogue: Catalogue | None = None,
    ) -> None:
        self.queue = queue
        self._lacking = tuple(lacking)
        self.clock = clock or VendorClock(time.time)
        self.archive = archive
        self.takes_over = True
        self._feeds = VendorFeeds(
            wanted,
            queue,
            self.clock,
            vendors,
            timing=timing,
            calendar=calendar or sessions.session,
            patience=patience,
        )
        self.catalogue: Catalogue | None = catalogue
        self.play = None
        self._past = Backfill(
            rests or {}, self.clock, session=calendar or sessions.session, manners=manners
        )
        self._clock_changes = 0
        self._later = Later()

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
        """See ``Source``."""
        return {"source": "live", "seed": ""}

    def continues_from(self, newest: int) -> bool:
        """Always: it is the same market."""
        return True

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Nothing: the vendor's stream has no past. What ``store`` knows judges what comes."""
        self._feeds.restore(
            [
                Tick(row["symbol"], row["asset"], row["last_ts"], row["last"])
                for row in store.snapshots(self.clock())
                if row["last"] is not None
            ]
        )
        return []

    async def watch(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """See ``Source``; the vendors are asked for the time before, and answer later."""
        self._feeds.want(wanted)
        return []

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feeds.run(keep, serve=partial(self._serve, seconds)))
            past = partial(self._past.run, seconds.add_past, keep)
            tasks.create_task(keep("backfill", past))
            beat = partial(seconds.follow, self.clock, self._judge_clock, self._later_sec)
            tasks.create_task(keep("heartbeat", beat))

    def status(self) -> SourceStatus:
        """See ``Source``."""
        clock = self.clock
        return SourceStatus(
            kind=SourceKind.LIVE,
            name="live",
            clock=clock.status if isinstance(clock, VendorClock) else ClockStatus(),
            later_sec=self._later.sec,
            lacking=self._lacking,
            backfill=self._past.status(),
        )

    def vendors(self) -> Mapping[str, str]:
        """See ``Source``."""
        return self._feeds.vendors()

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``."""
        return self._feeds.status()

    def _serve(
        self, seconds: Seconds, asset: Asset, symbols: Sequence[str], vendor: str, second: int
    ) -> None:
        """Let a vendor's prices begin, and ask it for those before."""
        seconds.begin_anew(symbols, second, vendor)
        self._past.ask(vendor, asset, symbols)

    def _later_sec(self) -> float:
        return self._later.sec

    def _judge_clock(self) -> None:
        """Measure the second, judge the clock by the vendor's stamps, and reconnect after sleep."""
        self._feeds.measure()
        self._later = self._later.after(self._feeds.latest_lag())
        clock = self.clock
        if not isinstance(clock, VendorClock):
            return
        if clock.changes != self._clock_changes:
            self._clock_changes = clock.changes
            self._feeds.reset()
        else:
            clock.judge(self._feeds.lags(), self._clock_changes)
        slept = clock.collect_sleep()
        if slept:
            self._feeds.reconnect(slept)
            self._past.renew()
