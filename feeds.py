"""Feed: one connection to a vendor kept alive whatever ends it, and the queue that all feeds fill.

The worker runs the feeds as tasks of its loop. Event time comes from the vendor, the gate's ``now``
from the source's clock; waiting and watching use the monotonic clock. The vendor's dialogue says
what to send and what a frame means. An address or a header may hold the key: nothing here logs,
raises or reports one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, NoReturn

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

import sessions
from connections.connection import Connection, Parts
from connections.ending import Condition, EndedError, closed, meant
from connections.meter import LATEST_SEC, Meter
from connections.opening import Connect, host_of, open_connection
from connections.pace import Attempts, Backoff, Timing
from connections.queue import TickQueue, TickSink
from connections.silence import Silence
from connections.status import FeedState, FeedStatus, Lately, Refusal, Role, Trouble
from gate import HeldBack, TickGate
from sessions import CorrectedHours, MarketHours, Session
from ticks import Asset, Tick
from vendors.wire import NoticeKind, Vendor

__all__ = [
    "Attempts",
    "Backoff",
    "Feed",
    "FeedState",
    "FeedStatus",
    "HeldBack",
    "Lately",
    "Refusal",
    "Role",
    "TickQueue",
    "TickSink",
    "Timing",
    "Trouble",
    "Wait",
    "allot",
]

_logger = logging.getLogger(__name__)

_REFUSALS: Final[Mapping[NoticeKind, Refusal]] = {
    NoticeKind.SYMBOL_LIMIT: Refusal.SYMBOL_LIMIT,
    NoticeKind.SYMBOLS_REFUSED: Refusal.NOT_COVERED,
    NoticeKind.SYMBOL_UNKNOWN: Refusal.UNKNOWN,
    NoticeKind.UNCONFIRMED: Refusal.UNCONFIRMED,
}

_MOST_BRIEF: Final = 2

_IDLE: Final = (Trouble.SILENCE, Trouble.CONNECTION_CLOSED)
"""How a connection ends that nothing was subscribed to."""


class Wait(NamedTuple):
    """What a feed waits for before it connects again."""

    ended: EndedError | None
    """How the last connection ended; None: there is none to wait after."""
    until: float
    """By the monotonic clock."""
    backoff: Backoff


class Feed:
    """One vendor's prices of one asset class, for as long as ``run`` is running.

    ``clock`` is the source's, ``session`` says which session an instant falls into: a closed market
    may be silent, and its prices enter no window. ``far_off`` is the gate's. ``unasked`` are the
    symbols that found no room in the account's limit. ``attempts`` are those of the vendor's other
    feeds as well, and ``before`` is the feed in whose place this one asks for other symbols: what
    it knows of those that both ask for, and what it waits for, goes on.
    ``rng`` draws the jitter of the backoff. ``connect`` opens a connection as that of websockets
    does, and ``monotonic`` is the loop's time.
    """

    def __init__(
        self,
        vendor: Vendor,
        asset: Asset,
        symbols: Sequence[str],
        queue: TickSink,
        clock: Callable[[], float],
        *,
        timing: Timing | None = None,
        session: Callable[[Asset, float], Session] = sessions.session,
        far_off: float | None = None,
        unasked: Sequence[str] = (),
        attempts: Attempts | None = None,
        before: Feed | None = None,
        rng: random.Random | None = None,
        connect: Callable[..., Awaitable[ClientConnection]] = Connect,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.vendor = vendor
        self.asset = asset
        known = [symbol for symbol in symbols if vendor.symbol(asset, symbol) is not None]
        found = frozenset(known)
        self._unknown = {s: Refusal.UNKNOWN for s in symbols if s not in found}
        self._asked, self._unasked = tuple(symbols), tuple(unasked)
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._connect = connect
        timing = timing or Timing()
        silence_sec = vendor.silence_sec[asset]
        hours = CorrectedHours(asset, session, silence_sec)
        gate = TickGate(
            asset, known, hours.by_calendar, far_off, counts_trades=vendor.has_contiguous_ids
        )
        self._parts = Parts(
            vendor,
            asset,
            tuple(known),
            queue,
            gate,
            Meter(monotonic, gate.refused),
            hours,
            Silence(hours, silence_sec, timing.thin_sec),
            timing,
            clock,
            monotonic,
            {},
        )
        self._heard: frozenset[str] = frozenset()  # on earlier connections
        self._asked_at = dict.fromkeys(known, 0)
        """When each symbol was asked for, by how long the class had traded then."""
        self._silence_sec = silence_sec
        self._traded_sec = 0
        """For how many seconds the market was open and prices came."""
        first = Wait(None, -math.inf, Backoff(timing.backoff_floor_sec, timing.backoff_cap_sec))
        self._ended, self._next_at, self._backoff = first if before is None else before.wait
        if before is not None:
            self._go_on(before)
        self._attempts = attempts or Attempts(vendor.spacing_sec)
        self._brief = 0
        """How many connections in a row the vendor ended soon after they were open."""
        self._reconnects = 0
        self._ended_closed = False
        """Whether the market was closed when the last connection ended."""
        self._current: Connection | None = None
        # One object, so that other threads never see a state with the reason of another.
        self._condition = Condition(FeedState.CONNECTING)
        if not symbols:
            self._condition = Condition(FeedState.OFF, Trouble.NO_SYMBOLS)
        elif not known:
            self._condition = Condition(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
        # Set by ``reconnect`` until the next connection begins.
        self._reconnection = asyncio.Event()
        self._slept_sec = 0.0
        self._host = ""

    def _go_on(self, before: Feed) -> None:
        """Know what a feed before knows of the symbols that both ask for."""
        self._parts.gate.go_on(before._parts.gate)
        self._heard = before._all_heard.intersection(self._asked)
        self._traded_sec = before._traded_sec
        later = dict.fromkeys(self._asked_at, self._traded_sec)
        kept = {s: at for s, at in before._asked_at.items() if s in later}
        self._asked_at = later | kept

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that are asked of the vendor."""
        return self._asked

    @property
    def refused(self) -> AbstractSet[str]:
        """Those that the vendor says it does not send."""
        current = self._current
        return self._unknown.keys() | (set() if current is None else current.refused.keys())

    @property
    def wait(self) -> Wait:
        """What is waited for, if anything is."""
        return Wait(self._ended, self._next_at, self._backoff)

    @property
    def prices(self) -> int:
        """How many prices came, refused ones and unreadable frames included."""
        return self._parts.meter.prices

    async def run(self, url: str | None = None) -> None:
        """Connect, read and reconnect, until cancelled.

        ``url`` stands in for the vendor's own address, and like that may hold the key.
        """
        if not self._parts.symbols:
            return
        address = url or self.vendor.address(self.asset, self._parts.symbols)
        self._host = host_of(address)
        self._show_end()
        try:
            while True:
                ended = self._ended
                if ended is not None:
                    state = FeedState.CONNECTING if ended.is_refusal else FeedState.RECONNECTING
                    shown = self._asked_for() if await self._pause() else ended
                    self._set_condition(shown.condition(state))
                await self._connection(address)
                _raise_cancellation()
        finally:
            self._set_condition(Condition(FeedState.OFF, Trouble.STOPPED))

    def reconnect(self, slept_sec: float) -> None:
        """Begin a new connection at once, whatever the feed is doing, without counting a failure.

        Called on the feed's own loop, when the computer woke after ``slept_sec``: the connection
        may be dead without knowing it, and a wait may be over. A feed that is off stays off.
        """
        self._slept_sec = slept_sec
        self._reconnection.set()

    def restore(self, ticks: Iterable[Tick]) -> None:
        """Judge the first prices by the last ones of a time before, as far as there are any."""
        self._parts.gate.restore(ticks)

    def reset_meter(self) -> None:
        """Forget what was measured by the clock: it has jumped, and its times do not compare."""
        self._parts.meter.reset()

    def end_second(self, now: float) -> None:
        """Note the tick count, the vendor's lag and whether the class trades; once a second."""
        meter = self._parts.meter
        meter.end_second(now)
        age = meter.age(now)
        # If any silence is allowed, as on a tape, it says nothing of a symbol.
        is_trading = age is not None and age <= self._silence_sec < math.inf
        if is_trading and self.session(now).phase == "open":
            self._traded_sec += 1

    def recent_lag(self) -> float | None:
        """How far the vendor's newest stamps lag the clock, in seconds; None if none came.

        Negative if they are ahead. Of the last seconds, since the clock changed.
        """
        return self._parts.meter.lags.recent()

    def latest_lag(self) -> float | None:
        """How late its prices came in the last minute, in seconds; None if none came.

        Single ones may be later. Those more than three seconds late do not count, unless all are:
        then it is three seconds.
        """
        meter = self._parts.meter
        lag = meter.lags.latest()
        return LATEST_SEC if lag is None and meter.lately().ticks else lag

    def session(self, now: float) -> Session:
        """The session of ``now``: the calendar's, corrected by what the vendor says of it."""
        return self._parts.hours.session(now)

    def hours(self, now: float) -> MarketHours:
        """The same as a record, with who says so."""
        return self._parts.hours.hours(now)

    def is_overdue(self, now: float) -> bool:
        """Whether no price entered for longer than the vendor may be silent while it streams."""
        current = self._current
        is_open = self._condition.state is FeedState.LIVE and current is not None
        return is_open and current is not None and current.is_overdue(now)

    def status(self, now: float) -> FeedStatus:
        """What is true of this feed at ``now``; any thread may ask."""
        parts, current, found = self._parts, self._current, self._condition
        if found.state is FeedState.LIVE and current is not None:
            found = current.condition(now)
        is_waiting = found.state in (FeedState.RECONNECTING, FeedState.REFUSED)
        is_waiting = is_waiting and found.trouble is not Trouble.SYMBOLS_REFUSED
        wait_sec = self._next_at - parts.monotonic()
        attempt = self._backoff.attempt if is_waiting and wait_sec < math.inf else 0
        heard = self._all_heard
        refused = {} if current is None else current.refused
        return FeedStatus(
            vendor=parts.vendor.name,
            host=self._host,
            key_setting=parts.vendor.key_setting,
            asset=self.asset,
            state=found.state,
            trouble=found.trouble,
            code=found.code,
            seconds=found.seconds,
            lag=found.lag,
            frames=found.frames,
            attempt=attempt,
            retry_at=now + wait_sec if attempt and wait_sec > 0 else None,
            ticks=parts.meter.ticks,
            ticks_per_sec=parts.meter.rate(),
            last_tick_age=parts.meter.age(now),
            reconnects=self._reconnects,
            missed=parts.gate.missed,
            ignored=parts.meter.ignored,
            dropped=parts.queue.dropped[self.asset],
            refused=dict(parts.gate.refused),
            held=parts.gate.held_back(now),
            lately=parts.meter.lately(),
            asked=self._asked,
            heard=tuple(sorted(heard)),
            never_heard=self._never_heard(heard.union(refused)),
            refused_symbols={**self._unknown, **{s: _REFUSALS[k] for s, k in refused.items()}},
            halted=dict(parts.halted),
            over_limit=self._unasked,
            symbol_limit=parts.vendor.symbol_limit,
            hours=self.hours(now),
            skew=parts.meter.skew,
        )

    def _never_heard(self, known: frozenset[str]) -> tuple[str, ...]:
        """The symbols of which nothing is known, after the class has traded long enough."""
        asked_by = self._traded_sec - self._parts.timing.unheard_sec
        return tuple(s for s, at in self._asked_at.items() if at <= asked_by and s not in known)

    @property
    def _all_heard(self) -> frozenset[str]:
        """The symbols of which a price came."""
        current = self._current
        return self._heard if current is None else self._heard.union(current.heard)

    async def _connection(self, url: str) -> None:
        """Run one connection to its end, and note how it ended."""
        parts = self._parts
        await self._wait_for_turn()
        self._ended = None
        self._reconnection.clear()
        if self._current is not None:
            self._heard = self._heard.union(self._current.heard)
        self._current = current = Connection(parts, self._note_acceptance)
        opening = partial(
            open_connection, self._connect, url, parts.vendor, self.asset, parts.timing
        )
        try:
            # A task of its own: before Python 3.13 a failing task group swallows a cancellation
            # from outside, or leaves one of its own behind; so this task's count stays true.
            await asyncio.create_task(current.live(opening, self._interruption))
        except (EndedError, ConnectionClosed) as error:
            ended = error if isinstance(error, EndedError) else self._closed(error, current)
            if ended.trouble in _IDLE and current.has_nothing:
                # There is nothing to hurry for.
                wait_sec = parts.timing.refused_sec
                ended = EndedError(Trouble.SYMBOLS_REFUSED, is_refusal=True, wait_sec=wait_sec)
            # Before closing, which may take a second: the feed is not live any more.
            self._note_end(current, ended)
        finally:
            await current.close()

    async def _wait_for_turn(self) -> None:
        """Wait until the vendor may be asked, which may want to be left alone by all feeds."""
        attempts, monotonic = self._attempts, self._parts.monotonic
        while True:
            await asyncio.sleep(attempts.reserve(monotonic()))
            wait_sec = attempts.quiet_until - monotonic()
            if wait_sec <= 0 or self._reconnection.is_set():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_sec):
                    await self._reconnection.wait()

    def _note_acceptance(self) -> None:
        self._set_condition(Condition(FeedState.LIVE))

    async def _interruption(self) -> NoReturn:
        await self._reconnection.wait()
        raise self._asked_for()

    def _asked_for(self) -> EndedError:
        return EndedError(Trouble.RENEWED, seconds=self._slept_sec)

    def _closed(self, error: ConnectionClosed, connection: Connection) -> EndedError:
        """The end of a connection that was open: what its code means, and how soon it came."""
        parts, ended = self._parts, closed(error)
        if ended.trouble is not Trouble.CONNECTION_CLOSED or ended.code is None:
            return ended
        kind = parts.vendor.closing(ended.code)
        if kind is not None:
            return meant(kind, ended.code, parts.timing) or ended
        is_brief = parts.vendor.connections == 1 and connection.age < parts.timing.brief_sec
        self._brief = self._brief + 1 if is_brief else 0
        if self._brief >= _MOST_BRIEF:
            limit = meant(NoticeKind.CONNECTION_LIMIT, ended.code, parts.timing)
            return limit or ended
        return ended

    def _note_end(self, connection: Connection, ended: EndedError) -> None:
        """Show how the connection ended, and when the next one is due."""
        parts = self._parts
        self._reconnects += 1
        self._next_at = parts.monotonic()
        has_lived = connection.age >= parts.timing.healthy_sec
        if ended.trouble is Trouble.RENEWED or (ended.trouble is Trouble.RENEWAL and has_lived):
            self._backoff = self._backoff.reset()
        else:
            session = self.session(parts.clock())
            has_opened = self._ended_closed and session.phase != "closed"
            self._ended_closed = session.phase == "closed"
            is_healthy = connection.has_ticked and has_lived
            if connection.has_ticked:
                parts.silence.in_a_row = 0
            # A night of hang-ups says nothing about the day.
            backoff = self._backoff.reset() if is_healthy or has_opened else self._backoff
            self._backoff = backoff.failed()
            self._next_at += self._wait_sec(ended, session)
        if ended.wait_sec is not None and not ended.is_refusal:
            self._attempts.postpone(parts.monotonic() + ended.wait_sec)
        self._next_at = max(self._next_at, self._attempts.next_at, self._attempts.quiet_until)
        self._ended = ended
        self._show_end()

    def _show_end(self) -> None:
        """Show how the last connection ended, if there was one."""
        ended = self._ended
        if ended is None:
            self._set_condition(Condition(FeedState.CONNECTING))
            return
        state = FeedState.REFUSED if ended.is_refusal else FeedState.RECONNECTING
        self._set_condition(ended.condition(state))

    def _wait_sec(self, ended: EndedError, session: Session) -> float:
        """The backoff's, and at least what the vendor asked for.

        In a closed market it may be longer, but ends when the market opens.
        """
        jitter, backoff, timing = self._rng.random(), self._backoff, self._parts.timing
        if ended.wait_sec is not None:
            return ended.wait_sec + backoff.wait_sec(jitter)
        if session.phase != "closed":
            return backoff.wait_sec(jitter)
        longer = replace(backoff, cap_sec=max(backoff.cap_sec, timing.closed_cap_sec))
        opens_in_sec = max(backoff.floor_sec, session.until - self._parts.clock())
        return min(longer.wait_sec(jitter), opens_in_sec)

    async def _pause(self) -> bool:
        """Wait until the next connection is due or asked for; returns whether it was asked for."""
        # The time that closing took counts: the wait starts with the end.
        wait_sec = max(0.0, self._next_at - self._parts.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_sec if wait_sec < math.inf else None):
                await self._reconnection.wait()
        if not self._reconnection.is_set():
            return False
        self._backoff = self._backoff.reset()
        return True

    def _set_condition(self, condition: Condition) -> None:
        if condition != self._condition:
            _logger.info("%s feed of %s: %s", self.asset, self.vendor.name, condition)
        self._condition = condition


def _raise_cancellation() -> None:
    """Raise what a task group that was failing at that moment has swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def allot(wanted: Mapping[Asset, Sequence[str]], limit: int | None) -> dict[Asset, list[str]]:
    """The symbols that fit within an account-wide ``limit``; each class drops its last ones.

    The classes take turns, so that a long list of one leaves room for the others.
    """
    chosen: dict[Asset, list[str]] = {asset: [] for asset in wanted}
    room = math.inf if limit is None else limit
    longest = max(map(len, wanted.values()), default=0)
    for place in range(longest):
        for asset, symbols in wanted.items():
            if place < len(symbols) and room > 0:
                chosen[asset].append(symbols[place])
                room -= 1
    return chosen
