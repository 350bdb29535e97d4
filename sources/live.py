"""The live source: the feeds of a vendor's account, and a clock that its stamps confirm."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import sessions
from events import EventStore
from feeds import Feed, FeedStatus, TickQueue, Timing
from history.archive import Archive
from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours, Phase, Session
from sources.clocks import VendorClock
from sources.exchange import EMBEDDED_KEY
from sources.later import Later
from sources.shares import allotted
from sources.source import ClockStatus, Keep, Seconds, SourceKind, SourceStatus
from ticks import ASSETS, Asset, Tick
from vendors import eodhd
from vendors.wire import Vendor

__all__ = ["Calendar", "LiveSource", "VendorFeeds"]

Calendar = Callable[[Asset, float], Session]

_PRESENT_SEC: Final = 7.0
"""An instant no longer ago than this counts as the present, of which the vendor's own word on its
hours is the newest: the second that is shown may have ended seconds ago, and another may be shown
meanwhile."""


class VendorFeeds:
    """The feeds of every vendor and asset class, and the hours that they know.

    ``vendors`` are those of each asset class, at least one; see ``allotted``.

    Without a ``calendar`` the markets are always open.
    """

    def __init__(
        self,
        wanted: Mapping[Asset, Sequence[str]],
        queue: TickQueue,
        clock: Callable[[], float],
        vendors: Mapping[Asset, Sequence[Vendor]],
        *,
        timing: Timing | None = None,
        calendar: Calendar | None = None,
        far_off: float | None = None,
    ) -> None:
        self._clock = clock
        self._calendar = calendar
        shares = allotted(wanted, vendors)
        asked = {(share.asset, symbol) for share in shares for symbol in share.asked}
        self.asked: Mapping[Asset, tuple[str, ...]] = {
            asset: tuple(symbol for symbol in wanted[asset] if (asset, symbol) in asked)
            for asset in ASSETS
        }
        """The symbols of each asset class within the accounts' limits."""
        self._feeds = [
            Feed(
                share.vendor,
                share.asset,
                share.asked,
                queue,
                clock,
                timing=timing,
                session=calendar or _always,
                far_off=far_off,
                unasked=share.unasked,
            )
            for share in shares
        ]
        self._names = [
            f"{share.asset} feed"
            if len(vendors[share.asset]) == 1
            else f"{share.asset} feed of {share.vendor.name}"
            for share in shares
        ]

    async def run(self, keep: Keep, embedded: str | None = None) -> None:
        """Run every feed until cancelled; at the ``embedded`` exchange's address, if given."""
        async with asyncio.TaskGroup() as tasks:
            for name, feed in zip(self._names, self._feeds, strict=True):
                # The embedded exchange has no address before it runs.
                address = eodhd.url(embedded, feed.asset, EMBEDDED_KEY) if embedded else None
                tasks.create_task(keep(name, partial(feed.run, address)))

    def measure(self) -> None:
        """Have every feed measure the second that is over."""
        now = self._clock()
        for feed in self._feeds:
            feed.end_second(now)

    def price_counts(self) -> dict[Asset, int]:
        """How many prices the feeds of each asset class ever received."""
        return {
            asset: sum(feed.prices for feed in self._feeds if feed.asset == asset)
            for asset in ASSETS
        }

    def restore(self, ticks: Collection[Tick]) -> None:
        """Let the feeds judge their first prices by these, the last ones of a time before."""
        for feed in self._feeds:
            feed.restore(ticks)

    def latest_lag(self) -> float | None:
        """How late prices come, in seconds, of the feed whose come latest; None if none came."""
        lags = [lag for feed in self._feeds if (lag := feed.latest_lag()) is not None]
        return max(lags, default=None)

    def lags(self) -> list[float]:
        """How far the newest stamps of each feed that has any lag the clock."""
        lags = [feed.recent_lag() for feed in self._feeds]
        return [lag for lag in lags if lag is not None]

    def reset_meters(self) -> None:
        """Forget what was measured by a clock that has jumped since."""
        for feed in self._feeds:
            feed.reset_meter()

    def reconnect(self, slept_sec: float) -> None:
        """Connect again after the computer slept: a socket may be dead without showing it."""
        for feed in self._feeds:
            feed.reconnect(slept_sec)

    def streams_at(self, asset: Asset, now: float) -> bool:
        """Whether a market is not closed at ``now``; for the present the vendor's word counts."""
        if now >= self._clock() - _PRESENT_SEC or self._calendar is None:
            return self._leading(asset, now).session(now).phase != "closed"
        return self._calendar(asset, now).phase != "closed"

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase of a market at ``now``, and who says so."""
        if self._calendar is None:
            phase: Phase = "open" if self.streams_at(asset, now) else "closed"
            return MarketHours(asset, phase, None, None, None, HoursFrom.SOURCE)
        present = self._clock()
        if now >= present - _PRESENT_SEC:
            return self._leading(asset, present).hours(present)
        phase, since, until, opens, occasion = self._calendar(asset, now)
        return MarketHours(
            asset, phase, _finite(since), _finite(until), opens, HoursFrom.CALENDAR, occasion
        )

    def _leading(self, asset: Asset, now: float) -> Feed:
        """The feed whose word on its class's hours counts: the first with an open market, if any.

        Vendors that know better than the calendar do so from what they send, so an open market is
        the surer of two answers.
        """
        feeds = [feed for feed in self._feeds if feed.asset == asset]
        is_open = (feed for feed in feeds if feed.session(now).phase != "closed")
        return next(is_open, feeds[0])

    def vendors(self) -> dict[str, str]:
        """The name of the vendor whose prices each symbol's are now."""
        return {symbol: feed.vendor.name for feed in self._feeds for symbol in feed.symbols}

    def status(self) -> tuple[FeedStatus, ...]:
        """What is true of each feed now."""
        now = self._clock()
        found = [replace(feed.status(now), serves=feed.symbols) for feed in self._feeds]
        if self._calendar is None:
            found = [replace(status, hours=self.hours(status.asset, now)) for status in found]
        return tuple(found)


class LiveSource:
    """A vendor's prices by the computer's clock, as far as the vendor's stamps confirm it.

    ``vendors`` holds the vendor of each asset class. Only a ``clock`` that is a ``VendorClock`` is
    judged by the stamps.
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
    ) -> None:
        self.queue = queue
        self.clock = clock or VendorClock(time.time)
        self.archive = archive
        self.takes_over = True
        self._feeds = VendorFeeds(
            wanted, queue, self.clock, vendors, timing=timing, calendar=calendar or sessions.session
        )
        self.watched = self._feeds.asked
        self._clock_changes = 0
        self._later = Later()

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

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feeds.run(keep))
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
        )

    def vendors(self) -> Mapping[str, str]:
        """See ``Source``."""
        return self._feeds.vendors()

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``."""
        return self._feeds.status()

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
            self._feeds.reset_meters()
        else:
            clock.judge(self._feeds.lags(), self._clock_changes)
        slept = clock.collect_sleep()
        if slept:
            self._feeds.reconnect(slept)


def _always(asset: Asset, now: float) -> Session:
    return sessions.ALWAYS


def _finite(value: float) -> float | None:
    """A time; None if it never comes."""
    return value if math.isfinite(value) else None
