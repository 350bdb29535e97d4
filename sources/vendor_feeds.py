"""VendorFeeds: the feeds of every vendor and asset class, of which one serves each symbol."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from feeds import Attempts, Feed, FeedState, FeedStatus, Role, TickQueue, Timing, Trouble
from gate import MAX_LEAD_SEC
from sessions import MarketHours
from sources.exchange import EMBEDDED_KEY
from sources.failover import Change, Failover, Patience
from sources.hours import Calendar, FeedHours
from sources.lanes import Lane, Outlet
from sources.shares import Place, Share, within_connections
from sources.source import Keep
from ticks import ASSETS, Asset, Tick
from vendors import eodhd
from vendors.wire import Vendor

__all__ = ["Serve", "VendorFeeds"]

Serve = Callable[[Asset, Sequence[str], str, int], None]
"""Told that symbols of a class have the prices of a vendor, by its name, from a second on."""

_ASLEEP_SEC: Final = 5.0
"""If the clock has moved by more than this from one look at the vendors to the next, the computer
slept, or somebody set the clock: ..."""

_WAKING_SEC: Final = 3.0
"""... and for so long nothing is to be seen of them, as their connections are begun anew."""

_logger = logging.getLogger(__name__)


class VendorFeeds:
    """The feeds of every vendor and asset class, of which one serves each symbol.

    ``vendors`` are those of each asset class, the first choice first; none: the class is off. If
    there are several, ``patience`` says when one of them takes the place of another; see
    ``Failover``. Without a ``calendar`` the markets are always open. ``monotonic`` is a clock that
    nobody sets.
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
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._calendar = calendar
        self._patience = patience or Patience()
        able = within_connections(vendors)
        self._failover = Failover(wanted, able, self._patience)
        attempts = {
            id(vendor): Attempts(vendor.spacing_sec) for chain in able.values() for vendor in chain
        }

        def lane(place: Place, vendor: Vendor) -> Lane:
            is_alone = len(able[place.asset]) == 1
            outlet = None if is_alone else Outlet(queue)

            def make(share: Share, before: Feed | None) -> Feed:
                return Feed(
                    vendor,
                    place.asset,
                    share.asked,
                    outlet or queue,
                    clock,
                    timing=timing,
                    session=self._hours.session,
                    far_off=far_off,
                    unasked=share.unasked,
                    attempts=attempts[id(vendor)],
                    before=before,
                )

            name = f"{place.asset} feed"
            return Lane(name if is_alone else f"{name} of {vendor.name}", vendor, make, outlet)

        self._lanes = {
            place: lane(place, vendor)
            for asset in ASSETS
            for rank, vendor in enumerate(able[asset])
            for place in [Place(asset, rank)]
        }
        self._hours = FeedHours(clock, calendar)
        self._since: dict[Place, float] = {}
        """When each vendor last took another's place."""
        self._serve: Serve = _tell_nobody
        self._restored: Mapping[str, int] = {}
        """The second of each symbol's last price of a time before."""
        self._begin: Callable[[], None] | None = None
        """Begins the lanes that have another feed; None: nothing runs."""
        self._ask()
        self.asked = self._within_limits(wanted)
        """The symbols of each asset class within the accounts' limits."""
        for place, symbols in self._served().items():
            if (outlet := self._lanes[place].outlet) is not None:
                outlet.open(symbols, -math.inf)

    async def run(
        self, keep: Keep, embedded: str | None = None, serve: Serve | None = None
    ) -> None:
        """Run every feed until cancelled; at the ``embedded`` exchange's address, if given.

        ``serve`` is told of each symbol whose prices they are, now and whenever that changes.
        """
        self._serve = serve or _tell_nobody
        now = self._clock()
        for place, symbols in self._served().items():
            # Of the present second there may be a price of another vendor, from before a restart.
            taken = [s for s in symbols if self._restored.get(s, 0) >= int(now)]
            if taken:
                self._open(place, taken, _next_second(now))
            self._tell(place, [s for s in symbols if s not in taken], int(now))
        async with asyncio.TaskGroup() as tasks:

            def begin(lane: Lane, asset: Asset) -> None:
                # The embedded exchange has no address before it runs.
                url = eodhd.url(embedded, asset, EMBEDDED_KEY) if embedded else None
                lane.begin(tasks, keep, url)

            def begin_lanes() -> None:
                for place, lane in self._lanes.items():
                    if not lane.has_begun:
                        begin(lane, place.asset)

            self._begin = begin_lanes
            for place, lane in self._lanes.items():
                begin(lane, place.asset)
            if any(lane.outlet is not None for lane in self._lanes.values()):
                tasks.create_task(keep("failover", partial(self._follow, begin_lanes)))

    def want(self, wanted: Mapping[Asset, Sequence[str]]) -> None:
        """Have the feeds ask for these symbols from now on.

        A vendor that is to be asked for others is connected to anew, the rest go on. Who ``serves``
        a symbol that is new is told at once.
        """
        before, now = self._failover.serving, self._clock()
        self._failover.want({asset: tuple(wanted.get(asset, ())) for asset in ASSETS})
        self.asked = self._within_limits(wanted)
        serving = self._failover.serving
        for (asset, symbol), place in before.items():
            outlet = self._lanes[place].outlet
            if (asset, symbol) not in serving and outlet is not None:
                outlet.close([symbol], _next_second(now))
        self._ask()
        for place, symbols in self._served().items():
            new = [symbol for symbol in symbols if (place.asset, symbol) not in before]
            if new:
                self._open(place, new, int(now))
        if self._begin is not None:
            self._begin()

    def _within_limits(
        self, wanted: Mapping[Asset, Sequence[str]]
    ) -> Mapping[Asset, tuple[str, ...]]:
        serving = self._failover.serving
        return {
            asset: tuple(s for s in wanted.get(asset, ()) if (asset, s) in serving)
            for asset in ASSETS
        }

    async def _follow(self, begin: Callable[[], None]) -> None:
        """Look at the vendors again and again, and have others serve if need be."""
        now, awake_at = self._clock(), -math.inf
        while True:
            await asyncio.sleep(self._patience.look_sec)
            before, now = now, self._clock()
            if now - before > _ASLEEP_SEC:
                awake_at = self._monotonic() + _WAKING_SEC
            if self._monotonic() < awake_at:
                continue
            seen = {
                place: one
                for place, lane in self._lanes.items()
                if lane.outlet is not None and (one := lane.seen(now)) is not None
            }
            for change in self._failover.look(self._monotonic(), seen):
                self._hand_over(change, now)
            self._ask()
            begin()

    def _hand_over(self, change: Change, now: float) -> None:
        """Let the prices of another vendor through from a second on that no price is of yet."""
        second = _next_second(now)
        before, after = change.before, self._lanes[change.after]
        if before is not None and (outlet := self._lanes[before].outlet) is not None:
            outlet.close(change.symbols, second)
        self._since[change.after] = now
        _logger.warning(
            "%s: %s serves %s%s",
            change.after.asset,
            after.vendor.name,
            ", ".join(change.symbols),
            "" if before is None else f" instead of {self._lanes[before].vendor.name}",
        )
        self._open(change.after, change.symbols, second)

    def _open(self, place: Place, symbols: Sequence[str], second: int) -> None:
        """Let prices of a vendor through from a second on, and tell."""
        if (outlet := self._lanes[place].outlet) is not None:
            outlet.open(symbols, second)
        self._tell(place, symbols, second)

    def _tell(self, place: Place, symbols: Sequence[str], second: int) -> None:
        vendor = self._lanes[place].vendor
        self._serve(place.asset, _carried(vendor, place, symbols), vendor.name, second)

    def _ask(self) -> None:
        """Have each vendor asked for its share."""
        shares = self._failover.shares
        for place, lane in self._lanes.items():
            share = shares.get(place)
            is_needed = share is not None and (share.asked or share.unasked or place.rank == 0)
            lane.ask(share if is_needed else None)
        served = self._served()
        self._hours.feeds = {
            asset: tuple(
                lane.feed
                for place, lane in self._lanes.items()
                if place.asset == asset and place in served and lane.feed is not None
            )
            for asset in ASSETS
        }

    def _served(self) -> dict[Place, list[str]]:
        """The symbols that each vendor serves."""
        found: dict[Place, list[str]] = {}
        for (_, symbol), place in self._failover.serving.items():
            found.setdefault(place, []).append(symbol)
        return found

    @property
    def _running(self) -> list[Feed]:
        return [lane.feed for lane in self._lanes.values() if lane.feed is not None]

    @property
    def _leaders(self) -> list[Feed]:
        """The feeds that serve."""
        return [feed for feeds in self._hours.feeds.values() for feed in feeds]

    def measure(self) -> None:
        """Have every feed measure the second that is over."""
        now = self._clock()
        for feed in self._running:
            feed.end_second(now)

    def price_counts(self) -> dict[Asset, int]:
        """How many prices the feeds of each asset class ever received."""
        return {
            asset: sum(feed.prices for feed in self._running if feed.asset == asset)
            for asset in ASSETS
        }

    def restore(self, ticks: Collection[Tick]) -> None:
        """Let the feeds judge their first prices by these, the last ones of a time before."""
        self._restored = {tick.symbol: int(tick.ts) for tick in ticks}
        for feed in self._running:
            feed.restore(ticks)

    def latest_lag(self) -> float | None:
        """How late prices come, in seconds, of the vendor whose come latest; None if none came."""
        lags = [lag for feed in self._leaders if (lag := feed.latest_lag()) is not None]
        return max(lags, default=None)

    def lags(self) -> list[float]:
        """How far the newest stamps of each vendor that serves and has any lag the clock."""
        lags = [feed.recent_lag() for feed in self._leaders]
        return [lag for lag in lags if lag is not None]

    def reset(self) -> None:
        """Forget what was measured, and agreed upon, by a clock that has jumped since."""
        for feed in self._running:
            feed.reset_meter()
        second, served = _next_second(self._clock()), self._served()
        for place, symbols in served.items():
            outlet = self._lanes[place].outlet
            late = [] if outlet is None else outlet.begin_after(symbols, second)
            if late:
                self._open(place, late, second)
        for place, lane in self._lanes.items():
            if lane.outlet is not None:
                lane.outlet.close_all_but(served.get(place, ()), second)

    def reconnect(self, slept_sec: float) -> None:
        """Connect again after the computer slept: a socket may be dead without showing it."""
        for feed in self._running:
            feed.reconnect(slept_sec)

    def streams_at(self, asset: Asset, now: float) -> bool:
        """Whether a market is not closed at ``now``; for the present the vendor's word counts."""
        return self._hours.streams_at(asset, now)

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase of a market at ``now``, and who says so."""
        return self._hours.hours(asset, now)

    def vendors(self) -> dict[str, str]:
        """The name of the vendor whose prices each symbol's are now."""
        return {
            symbol: self._lanes[place].vendor.name
            for place, symbols in self._served().items()
            for symbol in _carried(self._lanes[place].vendor, place, symbols)
        }

    def status(self) -> tuple[FeedStatus, ...]:
        """What is true now of each feed that is asked for something, and of each class without."""
        now = self._clock()
        served = self._served()
        found = []
        for asset in ASSETS:
            lanes = {place: lane for place, lane in self._lanes.items() if place.asset == asset}
            for place, lane in lanes.items():
                if lane.feed is not None:
                    status = lane.feed.status(now)
                    found.append(self._with_role(status, place, served.get(place, ()), now))
            if not lanes:
                state, trouble = FeedState.OFF, Trouble.NO_VENDOR
                hours = self.hours(asset, now)
                found.append(
                    FeedStatus(vendor="", asset=asset, state=state, trouble=trouble, hours=hours)
                )
        if self._calendar is None:
            found = [replace(status, hours=self.hours(status.asset, now)) for status in found]
        return tuple(found)

    def _with_role(
        self, status: FeedStatus, place: Place, serves: Sequence[str], now: float
    ) -> FeedStatus:
        share, lane = self._failover.shares.get(place), self._lanes[place]
        status = replace(status, serves=_carried(lane.vendor, place, serves))
        if lane.outlet is None or share is None:
            return status
        since, passed_at = None, self._failover.passed_at(place)
        instead = self._failover.instead_of(place)
        if instead:
            since = self._since.get(place)
        elif passed_at is not None:
            since = now - (self._monotonic() - passed_at)
        behind = [
            lane.vendor.name
            for other, lane in self._lanes.items()
            if other.asset == place.asset and other.rank > place.rank and lane.feed is None
        ]
        asked = set(share.asked)
        return replace(
            status,
            asked=share.asked,
            over_limit=share.unasked,
            refused_symbols={s: why for s, why in status.refused_symbols.items() if s in asked},
            role=Role.SERVING if serves or not asked else Role.ON_TRIAL,
            instead_of=tuple(self._lanes[one].vendor.name for one in instead),
            since=since,
            behind=tuple(behind) if serves else (),
        )


def _carried(vendor: Vendor, place: Place, symbols: Sequence[str]) -> tuple[str, ...]:
    """Those that the vendor has: what nobody has is left to one as well."""
    return tuple(s for s in symbols if vendor.symbol(place.asset, s) is not None)


def _tell_nobody(asset: Asset, symbols: Sequence[str], vendor: str, second: int) -> None:
    """For a source whose prices are all of one market."""


def _next_second(now: float) -> int:
    """The first second of which no price can have come yet."""
    return int(now + MAX_LEAD_SEC) + 1
