"""The replay source: a tape or an archive played again, second by second, on its own clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import sessions
from events import EventStore
from feeds import FeedState, FeedStatus, TickQueue, Timing, Trouble
from history.archive import Archive
from pulse_store import PulseStore
from sessions import MarketHours
from sources.exchange import EMBEDDED_KEY, Exchange
from sources.hours import Calendar
from sources.source import Keep, Seconds, SourceKind, SourceStatus, Span
from sources.tape import TAPE_EPOCH, Recording
from sources.vendor_feeds import VendorFeeds
from ticks import ASSETS, STALE_SEC, WINDOW_SEC, Asset, Tick
from vendors import eodhd

__all__ = ["ReplaySource"]

_FADES_SEC: Final = WINDOW_SEC
"""So long after the last price of all the last figure that looks back at it is gone."""

_CATCH_UP_SEC: Final = 5.0
"""How long to wait for frames that a broken connection may have lost."""


class ReplaySource:
    """What was recorded in ``file``, played at ``speed`` of its seconds per second.

    Its clock moves on when everything that was sent in the second before has arrived, so the frames
    and the events are the same at any speed. An hour after the last price nothing can change any
    more, and the clock moves on to the next price at once.
    """

    def __init__(
        self,
        tape: Recording,
        queue: TickQueue,
        *,
        file: str,
        speed: float,
        timing: Timing | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self.archive: Archive | None = None
        self.takes_over = False
        self.queue = queue
        self._tape = tape
        self._file, self._speed = file, speed
        self._now = tape.start
        self._has_ended = False
        self._lost = dict.fromkeys(ASSETS, 0)
        self._newest = -math.inf
        self._next_at: float | None = None
        self._skipped: Span | None = None
        if calendar is None and tape.source in ("live", "eodhd"):
            calendar = sessions.session
        # A tape is replayed whole, whatever an account may watch.
        self._symbol_limit = max(eodhd.SYMBOL_LIMIT, sum(map(len, tape.symbols.values())))
        vendor = eodhd.Eodhd(
            "",
            EMBEDDED_KEY,
            symbol_limit=self._symbol_limit,
            # A tape is silent whenever the market was: that is no fault.
            silence_sec=dict.fromkeys(ASSETS, math.inf),
        )
        self._feeds = VendorFeeds(
            {asset: tape.symbols.get(asset, ()) for asset in ASSETS},
            queue,
            self.clock,
            dict.fromkeys(ASSETS, (vendor,)),
            timing=timing,
            calendar=calendar,
            # What lies in an archive has passed the gate already.
            far_off=math.inf if tape.is_believed else None,
        )
        self.catalogue = None
        self.play = None

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

    def clock(self) -> float:
        """The second that is being played."""
        return self._now

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """See ``Source``; if there is no calendar, the end of the tape closes its markets."""
        hours = self._feeds.hours(asset, now)
        is_over = hours.by is sessions.HoursFrom.SOURCE and not self.streams_at(asset, now)
        return replace(hours, phase="closed") if is_over else hours

    def streams_at(self, asset: Asset, now: float) -> bool:
        """See ``Source``; at the end of the tape every market closes."""
        if self._has_ended and now >= self._tape.end:
            return False
        return self._feeds.streams_at(asset, now)

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """See ``Source``; an archive knows what was before the span that is played."""
        tape = self._tape
        bars = tape.earlier_bars()
        for tick in tape.earlier_prices():
            store.set_initial_price(tick)
        store.load_minutes(tape.earlier_minutes())
        store.load_bars(bars)
        for symbol, second, vendor in tape.begins():
            store.begin_anew([symbol], second, vendor)  # those to come, too, in their time
        events.add_many(tape.earlier_event_states(most_events, tape.start - 2 * WINDOW_SEC))
        if not len(bars):
            return None
        store.advance(tape.start)
        return int(bars.cells["second"][0])

    def archive_meta(self) -> Mapping[str, str]:
        """Nothing: it keeps no archive."""
        return {}

    def continues_from(self, newest: int) -> bool:
        """Never: it keeps no archive."""
        return False

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Nothing: ``restore`` fills the store with all that is known."""
        return []

    async def watch(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """Nothing: a tape is replayed whole."""
        return []

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``."""
        limit = self._symbol_limit
        async with (
            Exchange(self._tape, symbol_limit=limit) as exchange,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._feeds.run(keep, exchange.url))
            tasks.create_task(keep("replay", partial(self._play, exchange, seconds)))

    def status(self) -> SourceStatus:
        """See ``Source``."""
        return SourceStatus(
            kind=SourceKind.REPLAY,
            name="replay",
            file=self._file,
            speed=self._speed,
            has_ended=self._has_ended,
            is_dated=self._tape.start != TAPE_EPOCH,
            tape=self._tape.rows,
            left_out=self._tape.left_out,
            next_price_at=self._awaited(),
            skipped=self._skipped,
            lost=sum(self._lost.values()),
        )

    def vendors(self) -> Mapping[str, str]:
        """One: there is nobody else."""
        return {}

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``."""
        found = [
            replace(status, hours=self.hours(status.asset, self._now))
            if status.hours.by is sessions.HoursFrom.SOURCE
            else status
            for status in self._feeds.status()
        ]
        return tuple(map(_ended, found)) if self._has_ended else tuple(found)

    def _awaited(self) -> float | None:
        """When the next price is due, if every symbol is stale until then."""
        due, now = self._next_at, self._now
        is_awaited = not self._has_ended and due is not None and due - now > STALE_SEC
        return due if is_awaited else None

    async def _play(self, exchange: Exchange, seconds: Seconds) -> None:
        """Play every second that is left, and wait until each has arrived."""
        async with asyncio.timeout(_CATCH_UP_SEC):
            await exchange.wait_for_subscriptions(EMBEDDED_KEY, self._tape.symbols)
        loop = asyncio.get_running_loop()
        origin, played = loop.time(), 0
        self._next_at = self._tape.next_at()
        second, last = int(self._now), int(self._tape.end)
        while second <= last:
            second = self._skip_from(second)
            played += 1
            due = origin + played / self._speed
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._now = second + 1.0
            exchange.publish(second + 1.0)
            self._next_at = self._tape.next_at()
            await self._catch_up(exchange)
            seconds.show(second)
            self._feeds.measure()
            seconds.search(second)
            second += 1
        self._has_ended = True

    def _skip_from(self, second: int) -> int:
        """``second``, or that of the next price if nothing can change until then."""
        due = self._tape.end if self._next_at is None else self._next_at
        if due < second + 1:
            self._newest = second
        elif second > self._newest + _FADES_SEC:
            self._skipped = Span(second, math.floor(due))
            self._newest = second = math.floor(due)
        return second

    async def _catch_up(self, exchange: Exchange) -> None:
        """Wait until every frame sent has been read and is in the store; count those lost."""
        loop = asyncio.get_running_loop()
        sent = exchange.sent_counts(EMBEDDED_KEY)
        deadline = loop.time() + _CATCH_UP_SEC
        while loop.time() < deadline:
            frames = self._feeds.price_counts()
            is_missing = any(sent[a] - self._lost[a] > frames[a] for a in ASSETS)
            if not is_missing and not len(self.queue):
                return
            await asyncio.sleep(0)
        frames = self._feeds.price_counts()
        self._lost = {asset: sent[asset] - frames[asset] for asset in ASSETS}


_STREAMING: Final = (
    FeedState.LIVE,
    FeedState.HELD_BACK,
    FeedState.UNREADABLE,
    FeedState.SILENT,
)


def _ended(status: FeedStatus) -> FeedStatus:
    """A feed's status after the end of the tape, when the clock stands still."""
    if status.state not in _STREAMING:
        return status
    return replace(
        status,
        state=FeedState.CLOSED,
        trouble=Trouble.TAPE_ENDED,
        seconds=None,
        lag=None,
        ticks_per_sec=0.0,
    )
