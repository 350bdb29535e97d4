"""The relayed source: one of several processes that show the same pulse, of which one collects.

Who has the lease runs the source that it would run on its own, and publishes every second; all
others show what is published, and the next of them is ready to collect at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import sessions
from events import Event, EventStore
from feeds import FeedStatus, TickQueue
from history.archive import Archive
from history.notes import WatchNotes
from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours
from sources.asking import Asker
from sources.catalogue import Catalogue
from sources.entries import (
    CollectorStatus,
    EntryError,
    Memory,
    decoded_status,
    decoded_wish,
    packed_memory,
)
from sources.following import Followed, Follower, NewerFormatError, OutdatedError
from sources.hours import calendar_hours
from sources.leading import Leader, RelayTiming, Told
from sources.publishing import Collected, Publisher
from sources.relay_records import START, BrokerError, Standing
from sources.relay_status import RelayState, RelayStatus, RelayTrouble
from sources.source import Keep, LaidPast, Seconds, Source, SourceKind, SourceStatus
from sources.wishes import Wish
from ticks import Asset, ProcessRole, Tick
from vendors.rest import Past

if TYPE_CHECKING:
    from sources.relay import Relay

__all__ = ["Around", "RelayedSource"]

_logger = logging.getLogger(__name__)


_PRESENT_SEC: Final = 60
"""Of so many of the newest seconds the collector's word on the markets' hours counts."""

_AHEAD_SEC: Final = 60.0
"""What was published is further ahead only if a clock was wrong."""

_RELEASED_SEC: Final = 0.05
"""How soon to look again for a lease that is about to be given back."""


class _Searched(Protocol):
    """A second that was searched for events."""

    @property
    def events(self) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What surrounds a relayed source."""

    store: PulseStore
    events: EventStore
    seconds: Seconds
    collected: Collected
    followed: Followed
    span: Callable[[], tuple[int, int] | None]
    """The first second that a price is known of, and the last that is shown."""
    wish: Callable[[Wish], None]
    """Told what a viewer of another process asks, if this one decides."""
    leads: Callable[[], None]
    """Told when this process begins to collect in the place of another."""
    outdated: Callable[[], None]
    """Told when nothing goes on of what is known, so that all is to be begun anew."""


class RelayedSource:
    """A source that collects by ``inner`` while it has the lease of ``relay``, and follows else.

    ``inner`` is None if it never collects. ``keep_sec`` is for how long what is published is kept
    for late joiners. ``host`` is what this process is called. ``steady`` is a clock that nobody
    sets, ``wall`` the computer's.
    """

    def __init__(
        self,
        relay: Relay,
        role: ProcessRole,
        inner: Source | None,
        queue: TickQueue,
        *,
        host: str,
        keep_sec: int,
        archive: Archive | None = None,
        timing: RelayTiming | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay = relay
        self._role = role
        self._inner = inner
        self.queue = queue
        self.archive = archive
        self._host = host
        self._keep_sec = keep_sec
        self._timing = timing or RelayTiming()
        self._wall = wall
        self._steady = steady
        self._around: Around | None = None
        self._made_publisher: Publisher | None = None
        self._made_follower: Follower | None = None
        self._made_leader: Leader | None = None
        self._watched: Mapping[Asset, tuple[str, ...]] = {} if inner is None else inner.watched

        self._asker = Asker(relay, retry_sec=self._timing.retry_sec, steady=steady)

        self._is_leading = False
        self._is_collecting = False
        """Whether the inner source runs."""
        self._is_prepared = False
        """Whether the inner source is ready to be run."""
        self._has_loaded = False
        """Whether the past came from the broker."""
        self._lacks_archive = False
        """Whether the archive was not asked, because nobody knew whether this one would collect."""
        self._is_patient = False
        """Whether another collector may still have its connections."""

        # What is told.
        self._state = RelayState.CONNECTING
        self._trouble = RelayTrouble.NONE
        self._trouble_at: float | None = None
        self._format: int | None = None
        self._standing: Standing | None = None
        self._standing_at = 0.0
        self._collector = ""
        self._told: CollectorStatus | None = None
        self._told_bytes: bytes | None = None
        self._took_over_at: float | None = None
        self._hole_sec = 0
        self._fenced_by = ""
        self._stopped_at: float | None = None
        self._own_term = 0
        """The newest in which this process collected, if it does no more."""

    def bind(self, around: Around) -> None:
        """Know what surrounds it; before anything else."""
        self._around = around
        self._made_publisher = Publisher(around.store, around.collected, self.clock)
        self._made_follower = Follower(
            self._relay,
            around.store,
            around.events,
            around.seconds,
            replace(around.followed, table=self._follow_table),
            wall=self._wall,
            steady=self._steady,
        )
        self._made_leader = Leader(
            self._relay,
            self._made_publisher,
            Told(
                status=self._told_status,
                memory=self._memory,
                span=around.span,
                wishes=self._take_wishes,
            ),
            self._know,
            keep_sec=self._keep_sec,
            is_only=self._role == "collector",
            timing=self._timing,
            steady=self._steady,
        )

    # What a source is.

    @property
    def collects(self) -> bool:
        """See ``Source``."""
        return self._is_leading

    @property
    def knows_past(self) -> bool:
        """See ``Source``; whoever begins to collect where nobody did asks the archive."""
        return not self._is_leading or self._has_loaded

    def clock(self) -> float:
        """The collector's clock, wherever that is."""
        if self._is_leading and self._inner is not None:
            return self._inner.clock()
        follower = self._made_follower
        if follower is None or follower.heard_at is None:
            return self._wall()
        return follower.clock(1.0 if self._told is None else self._told.source.speed or 1.0)

    @property
    def watched(self) -> Mapping[Asset, tuple[str, ...]]:
        """See ``Source``."""
        return self._inner.watched if self._is_leading and self._inner else self._watched

    @property
    def catalogue(self) -> Catalogue | None:
        """See ``Source``; where it follows nothing can be watched beside what is collected."""
        return None if self._inner is None else self._inner.catalogue

    @property
    def play(self) -> Callable[[str, bool], str | None] | None:
        """See ``Source``."""
        return None if self._inner is None else self._inner.play

    @property
    def takes_over(self) -> bool:
        """See ``Source``."""
        return True if self._inner is None else self._inner.takes_over

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """See ``Source``; of the newest seconds as the collector says."""
        if self._is_leading and self._inner is not None:
            return self._inner.hours(asset, now)
        follower = self._made_follower
        told = None if follower is None else follower.hours.get(asset)
        if told is None or follower is None:
            if self._inner is not None:
                return self._inner.hours(asset, now)
            return MarketHours(asset, "open", None, None, None, HoursFrom.SOURCE)
        if told.by is HoursFrom.SOURCE or now >= (follower.second or 0) - _PRESENT_SEC:
            return told
        return calendar_hours(sessions.session, asset, now)

    def streams_at(self, asset: Asset, now: float) -> bool:
        """See ``Source``."""
        if self._is_leading and self._inner is not None:
            return self._inner.streams_at(asset, now)
        return self.hours(asset, now).phase != "closed"

    def halted(self) -> Mapping[str, float] | None:
        """What the collector says to be halted, and since when; None: its feeds are here."""
        return None if self._is_leading else self._follower.halted

    def archive_meta(self) -> Mapping[str, str]:
        """See ``Source``."""
        return {} if self._inner is None else self._inner.archive_meta()

    def continues_from(self, newest: int) -> bool:
        """See ``Source``."""
        return self._inner is not None and self._inner.continues_from(newest)

    def status(self) -> SourceStatus:
        """See ``Source``; the collector's."""
        if self._is_leading and self._inner is not None:
            return self._inner.status()
        if self._told is not None:
            return self._told.source
        if self._inner is not None:
            return self._inner.status()
        return SourceStatus(kind=SourceKind.LIVE, name="live")

    def feeds(self) -> tuple[FeedStatus, ...]:
        """See ``Source``; the collector's."""
        if self._is_leading and self._inner is not None:
            return self._inner.feeds()
        return () if self._told is None else self._told.feeds

    def vendors(self) -> Mapping[str, str]:
        """See ``Source``; the collector's."""
        if self._is_leading and self._inner is not None:
            return self._inner.vendors()
        return {} if self._told is None else self._told.vendors

    # What is true of it among the others.

    def relay_status(self) -> RelayStatus:
        """What is true of this process among the others."""
        now, follower, publisher = self._steady(), self._follower, self._publisher
        is_leading, standing = self._is_leading, self._standing
        left_sec = None
        if standing is not None and standing.holder and not is_leading:
            left_sec = max(0.0, standing.left_ms / 1000 - (now - self._standing_at))
        heard_at = None if is_leading else follower.heard_at
        has_clock = not is_leading and self.status().kind is not SourceKind.REPLAY
        return RelayStatus(
            role=self._role,
            host=self._host,
            state=self._state,
            trouble=self._trouble,
            trouble_sec=_since(self._trouble_at, now),
            collector=self._collector,
            silent_sec=_since(heard_at, now),
            takeover_sec=left_sec,
            shown=publisher.second if is_leading else follower.second,
            took_over_at=self._took_over_at,
            hole_sec=self._hole_sec,
            fenced_by=self._fenced_by,
            stopped_at=self._stopped_at,
            # One is always on its way.
            waiting=max(0, publisher.waiting - 1) if is_leading else 0,
            lost=publisher.lost,
            ahead_sec=follower.ahead_sec if has_clock else None,
            uncollected=self._uncollected(),
            format=self._format,
        )

    @property
    def can_ask(self) -> bool:
        """Whether another process collects that hears what is asked here; see ``Elsewhere``."""
        return (
            self._state is RelayState.FOLLOWING
            and self._trouble is RelayTrouble.NONE
            and self._inner is not None
            and not self._asker.is_denied
        )

    def ask(self, wish: Wish) -> None:
        """Ask it of the process that collects; any thread may."""
        self._asker.ask(wish)

    def _take_wishes(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            try:
                wish = decoded_wish(body)
            except EntryError:
                _logger.warning("among several: a wish that cannot be read is left out")
                continue
            if self._around is not None:
                self._around.wish(wish)

    def _uncollected(self) -> tuple[str, ...]:
        """What this process would collect, and the collector does not."""
        if self._is_leading or self._inner is None or self._follower.table is None:
            return ()
        sent = {symbol for names in self._watched.values() for symbol in names}
        # What a viewer removed is what is wanted everywhere.
        sent.update(self._follower.table.notes.removed)
        own = (symbol for names in self._inner.watched.values() for symbol in names)
        return tuple(symbol for symbol in own if symbol not in sent)

    # For the worker: what happens.

    def may_store(self) -> bool:
        """Whether what feeds send now is this process's to show."""
        return self._is_leading and not self._leader.is_past_deadline

    def shown(self, second: int) -> None:
        """Publish a second that is shown, if this process collects."""
        if self._is_collecting:
            self._publisher.shown(second)

    def second_over(self, over: _Searched) -> None:
        """Publish what was found in a second, if this process collects."""
        if self._is_collecting:
            self._publisher.found(over.events)
        else:
            # Others have it: it is where it came from.
            self._publisher.forget()

    async def prepare(self) -> None:
        """Find out whether this process collects, and what was published before it; before all.

        A broker that does not answer is asked again later.
        """
        if self._role == "replica" or self._inner is None:
            return
        try:
            if not await self._take():
                return
            await self._go_on_from_stream()
        except BrokerError as error:
            self._know(error.trouble)
            # Nobody else may collect meanwhile.
            self._is_leading = self._role == "collector"
            self._lacks_archive = not self._is_leading
            return
        self._is_leading = True

    async def _go_on_from_stream(self) -> None:
        """Load what was published, unless it is of a time that is none of this source's."""
        standing, inner, term = self._standing, self._inner, self._leader.term
        if standing is None or standing.last is None or inner is None or term is None:
            return
        age = inner.clock() - standing.last.second
        if inner.status().kind is SourceKind.REPLAY or not -_AHEAD_SEC < age < self._keep_sec:
            await asyncio.to_thread(self._relay.clear, term)
            self._leader.standing = replace(standing, first=None, last=None)
            return
        with contextlib.suppress(NewerFormatError, OutdatedError):
            await self._follower.catch_up()
        self._has_loaded = self._follower.second is not None
        self._publisher.forget()
        self._publisher.second = self._publisher.published = self._follower.second

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """See ``Source``; what was published is there already."""
        if self._is_leading and self._inner is not None and not self._has_loaded:
            return self._inner.restore(store, events, most_events)
        return None

    def backfill(self, store: PulseStore) -> list[Tick]:
        """See ``Source``; nothing where it follows."""
        if not self._is_leading or self._inner is None:
            return []
        self._is_prepared = True
        return self._inner.backfill(store)

    async def watch(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """See ``Source``; where it follows the collector decides."""
        if not self._is_leading or self._inner is None:
            return []
        return await self._inner.watch(wanted)

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """See ``Source``; ends with the lease given back."""
        asking = asyncio.ensure_future(keep("wishes", self._asker.run))
        try:
            while True:
                if not self._is_leading:
                    await self._follow()
                await self._lead(seconds, keep)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await self._leader.release()
            await asyncio.to_thread(self._relay.close)

    # Following.

    async def _follow(self) -> None:
        """Show what is published, until this process has the lease."""
        follower, is_current = self._follower, False
        self._state = RelayState.CONNECTING
        while True:
            try:
                # Where something follows, the place in the stream is the right one.
                has_place = is_current and await follower.wait(self._block_ms) > 0
                if not is_current:
                    await self._look()
                    self._state = RelayState.LOADING
                    await follower.catch_up()
                    is_current = True
                standing = await self._look(with_ends=not has_place)
                self._notice_collector()
                if not has_place and follower.has_lost_place(standing):
                    follower.cursor, is_current = START, False
                self._know(RelayTrouble.UNREADABLE if follower.has_unread else RelayTrouble.NONE)
                if self._may_lead() and await self._take():
                    await follower.catch_up()
                    if not (self._lacks_archive and follower.second is None):
                        self._become_leader()
                        return
                    # Nobody knows the past but the archive, which is read at the beginning.
                    await self._leader.release()
                    await self._end_outdated()
            except OutdatedError:
                await self._end_outdated()
            except NewerFormatError as error:
                self._format = error.format
                self._know(RelayTrouble.NEWER_FORMAT)
                await asyncio.sleep(self._timing.beat_sec)
            except BrokerError as error:
                self._know(error.trouble)
                await asyncio.sleep(self._timing.retry_sec)

    async def _end_outdated(self) -> None:
        """Have another begin anew in the place of this one, which waits for its end."""
        _logger.warning("among several: nothing that is known goes on, all begins anew")
        if self._around is not None:
            self._around.outdated()
        await asyncio.Event().wait()

    @property
    def _block_ms(self) -> int:
        # Whoever stops says so a moment before it gives the lease back.
        has_ended = self._follower.has_ended
        return round(1000 * (_RELEASED_SEC if has_ended else self._timing.block_sec))

    def _may_lead(self) -> bool:
        standing, heard_at = self._standing, self._follower.heard_at
        if standing is None or standing.holder or self._role == "replica" or self._inner is None:
            return False
        # A lease that is gone while its holder is heard is that one's to take again: an emptied
        # broker costs no second then, and no connection to a vendor.
        is_heard = heard_at is not None and self._steady() - heard_at < 2 * self._timing.beat_sec
        return standing.is_released or self._follower.has_ended or not is_heard

    async def _look(self, *, with_ends: bool = True) -> Standing:
        asked_at = self._steady()
        standing = await asyncio.to_thread(self._relay.look, with_ends=with_ends)
        self._standing, self._standing_at = standing, asked_at
        return standing

    async def _take(self) -> bool:
        """Take the lease, if nobody has it; whether it is this process's now."""
        leader = self._leader
        is_taken = await leader.take()
        self._standing, self._standing_at = leader.standing, leader.standing_at
        if is_taken and leader.standing is not None:
            was_led = leader.standing.last is not None or self._follower.second is not None
            self._is_patient = was_led and not leader.standing.is_released
            self._took_over_at, self._hole_sec = None, 0
        return is_taken

    def _notice_collector(self) -> None:
        """Know who collects, since when, and what is true of its source."""
        standing = self._standing
        if standing is None:
            return
        if not standing.holder:
            self._state = RelayState.WAITING
        else:
            self._state = RelayState.FOLLOWING
            self._collector = standing.holder
            if self._stopped_at is not None:
                self._fenced_by = standing.holder
        if standing.status is not None and standing.status != self._told_bytes:
            with contextlib.suppress(EntryError):
                self._told = decoded_status(standing.status)
            self._told_bytes = standing.status
        told = self._told
        if standing.holder:
            is_its_own = told is not None and told.term == standing.term
            self._took_over_at = told.took_over_at if told and is_its_own else None
            self._hole_sec = told.hole_sec if told and is_its_own else 0

    async def _follow_table(
        self, watched: Mapping[Asset, tuple[str, ...]], notes: WatchNotes
    ) -> None:
        self._watched = watched
        if self._around is not None:
            await self._around.followed.table(watched, notes)

    def _become_leader(self) -> None:
        """Begin to collect where another one ended."""
        publisher, follower, around = self._publisher, self._follower, self._around
        if follower.position[0] != self._own_term:
            # Others showed other seconds meanwhile.
            publisher.drop_waiting()
            publisher.forget()
            publisher.second = publisher.published = follower.second
        self._is_leading, self._is_prepared = True, False
        if around is not None:
            around.leads()

    # Leading.

    async def _lead(self, seconds: Seconds, keep: Keep) -> None:
        """Collect, and publish every second, for as long as this process may."""
        inner, around, leader = self._inner, self._around, self._leader
        if inner is None or around is None:
            raise RuntimeError("nothing is there to collect with")
        self._state, self._collector = RelayState.LEADING, self._host
        self._stopped_at, self._fenced_by = None, ""
        beating = asyncio.ensure_future(leader.run())
        tasks: list[asyncio.Future[Any]] = [beating]
        try:
            await self._wait_for_turn(beating)
            if not beating.done():
                last = self._follower.second
                if not self._is_prepared:
                    since = -1 if last is None else last
                    ticks = inner.backfill(around.store)
                    around.store.update_many(tick for tick in ticks if int(tick.ts) > since)
                self._hole_sec = 0 if last is None else max(0, int(inner.clock()) - last - 1)
                self._took_over_at = leader.last_term / 1000 if leader.last_term else None
                self._is_collecting = True
                led = _Led(seconds, self._publisher, self.may_store, self._timing.hold_back_sec)
                tasks.append(asyncio.ensure_future(inner.run(led, keep)))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        self._fenced_by = beating.result()
        self._stop_leading(inner)

    async def _wait_for_turn(self, beating: asyncio.Future[str]) -> None:
        """Wait for the broker's word that this process has the lease, and for the last to go."""
        is_only = self._role == "collector"
        if is_only and not self._is_patient and not self._leader.has_expired:
            return
        word: asyncio.Future[Any] = asyncio.ensure_future(self._leader.has_word.wait())
        first: list[asyncio.Future[Any]] = [beating, word]
        # Without a broker nobody says anything, and only this process may collect.
        within = self._timing.ttl_sec if is_only else None
        await asyncio.wait(first, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        word.cancel()
        if self._is_patient and not beating.done():
            # Whoever had the lease may not know yet that it has it no more.
            await asyncio.wait([beating], timeout=2 * self._timing.beat_sec)

    def _stop_leading(self, inner: Source) -> None:
        """Follow from now on: another one collects, or may."""
        publisher, leader = self._publisher, self._leader
        self._stopped_at = inner.clock()
        self._own_term = leader.last_term
        self.queue.drain()
        second = publisher.published
        # Who collected without a word has a past of its own.
        is_forgettable = not self._is_collecting or (
            second is not None and not publisher.has_lasting()
        )
        if second is None and self._around is not None and self._around.span() is not None:
            # What its archive knew: what others know of that is not to be laid upon it.
            second = int(self._stopped_at) - 1
        self._follower.go_on_from(
            second,
            (leader.last_term, publisher.seq),
            leader.cursor,
            self._stopped_at,
            is_forgettable=is_forgettable,
        )
        self._is_leading = self._is_collecting = self._is_prepared = False
        self._collector = self._fenced_by or self._host

    def _told_status(self) -> CollectorStatus:
        return CollectorStatus(
            source=self.status(),
            feeds=self.feeds(),
            vendors=dict(self.vendors()),
            term=self._leader.last_term,
            took_over_at=self._took_over_at,
            hole_sec=self._hole_sec,
        )

    def _memory(self, term: int) -> Memory:
        around, publisher = self._around, self._publisher
        if around is None:
            raise RuntimeError("nothing is there to remember")
        seq = publisher.newest_seq()
        return packed_memory(
            around.store.remember(),
            term=term,
            second=publisher.second or 0,
            seq=seq,
            quotes=around.collected.quotes(),
            events=around.events.updates(-math.inf, math.inf),
            remembered=around.collected.remembered(),
            told=around.collected.all_marks(),
        )

    def _know(self, trouble: RelayTrouble) -> None:
        """Know what the broker said, or that it said nothing."""
        if trouble is not self._trouble:
            if trouble is not RelayTrouble.NONE:
                _logger.warning("among several: %s", trouble)
            self._trouble_at = None if trouble is RelayTrouble.NONE else self._steady()
        self._trouble = trouble
        if trouble is not RelayTrouble.NEWER_FORMAT:
            self._format = None

    @property
    def _publisher(self) -> Publisher:
        return _bound(self._made_publisher)

    @property
    def _follower(self) -> Follower:
        return _bound(self._made_follower)

    @property
    def _leader(self) -> Leader:
        return _bound(self._made_leader)


class _Led:
    """The seconds of a source that collects for all: what it is told goes to the others, too."""

    def __init__(
        self,
        seconds: Seconds,
        publisher: Publisher,
        may_show: Callable[[], bool],
        hold_back_sec: float,
    ) -> None:
        self._seconds = seconds
        self._publisher = publisher
        self._may_show = may_show
        self._hold_back_sec = hold_back_sec
        self.show = seconds.show
        self.search = seconds.search
        self.begin_anew = seconds.begin_anew
        self.know_past = seconds.know_past
        self.take = seconds.take
        self.add_laid = seconds.add_laid

    async def follow(
        self,
        clock: Callable[[], float],
        every_second: Callable[[], None],
        later_sec: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """See ``Seconds``; what was shown already is waited for, if this clock is behind.

        No second is shown any more once another may collect, after a long sleep say.
        """
        last = self._publisher.second
        since = -math.inf if last is None else last + 1.0
        # A time, too, if nothing is known yet and another may collect before this one has begun.
        shown = clock() if last is None else since

        def held() -> float:
            nonlocal shown
            if self._may_show():
                now = clock()
                shown = max(now, since) if since - now <= self._hold_back_sec else now
            return shown

        await self._seconds.follow(held, every_second, later_sec)

    def add_past(self, past: Past, vendor: str) -> LaidPast:
        """See ``Seconds``."""
        laid = self._seconds.add_past(past, vendor)
        self._publisher.add_past(laid)
        return laid


def _since(at: float | None, now: float) -> float | None:
    return None if at is None else max(0.0, now - at)


_T = TypeVar("_T")


def _bound(what: _T | None) -> _T:
    if what is None:
        raise RuntimeError("bind() comes first")
    return what
