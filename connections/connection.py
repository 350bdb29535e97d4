"""Connection: one connection and its dialogue, from before it is open to its end."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from connections.ending import Condition, EndedError, meant
from connections.line import TURN_SEC
from connections.meter import LATEST_SEC, Meter
from connections.pace import Timing
from connections.queue import TickSink
from connections.silence import Silence
from connections.status import FeedState, Trouble
from gate import MAX_AGE_SEC, MAX_LEAD_SEC, TickGate, Verdict
from sessions import CorrectedHours
from ticks import Asset, Tick
from vendors.wire import Halt, Notice, NoticeKind, RawTick, Vendor

__all__ = ["Connection", "Parts"]

_AT_ONCE: Final = 16
"""Of the frames that were there together this many share a reading of the clocks."""

_INSTANT_SEC: Final = 1e-3
"""Waits shorter than this are skipped: rounding may leave one that no clock can measure."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a feed is made of and each of its connections uses."""

    vendor: Vendor
    asset: Asset
    symbols: tuple[str, ...]
    queue: TickSink
    gate: TickGate
    meter: Meter
    hours: CorrectedHours
    silence: Silence
    timing: Timing
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    halted: dict[str, float]
    """Symbols in which trading is halted, as the vendor says, and since when."""


class Connection:
    """One connection and its dialogue, from before it is open to its end."""

    def __init__(self, parts: Parts, on_accepted: Callable[[], None]) -> None:
        self._parts = parts
        self._on_accepted = on_accepted
        self._dialogue = parts.vendor.dialogue(parts.asset, parts.symbols)
        self._accepted = asyncio.Event()
        self._noticed = asyncio.Event()
        self._ws: ClientConnection | None = None
        self._opened_at = math.inf  # monotonic
        self._expected_at = 0.0, 0.0
        """Since when prices are expected, by either clock."""
        # By the monotonic clock.
        self._priced_at = self._framed_at = parts.monotonic()
        # Frames that could not be read since the last price, and when the newest of them came.
        self._unreadable, self._unreadable_at = 0, -math.inf
        self._is_paused = False
        """Whether the vendor says that it is in maintenance."""
        self._renewal = asyncio.Event()
        """Set once the connection is to be renewed."""
        self._ticks_before = parts.meter.ticks
        self._sharing = 0
        """How many more frames share the newest reading of the clocks."""
        self.heard: set[str] = set()

    @property
    def has_ticked(self) -> bool:
        """Whether any price that came through it entered."""
        return self._parts.meter.ticks > self._ticks_before

    @property
    def age(self) -> float:
        """For how long the connection has been open, in seconds; negative if it never was."""
        return self._parts.monotonic() - self._opened_at

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The symbols that the vendor does not send."""
        return self._dialogue.refused

    @property
    def has_nothing(self) -> bool:
        """Whether the vendor has said of every symbol that it does not send it."""
        refused = self.refused
        is_said = NoticeKind.UNCONFIRMED not in refused.values()
        return is_said and len(refused) == len(self._parts.symbols)

    async def live(
        self,
        opening: Callable[[], Awaitable[ClientConnection]],
        interruption: Callable[[], Coroutine[None, None, NoReturn]],
    ) -> NoReturn:
        """Open the connection, then talk, read and watch until something ends it.

        ``interruption`` runs beside them from the beginning.

        Raises:
            EndedError, ConnectionClosed: why it ended.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(interruption())
                self._ws = ws = await opening()
                self._opened_at = self._framed_at = self._parts.monotonic()
                tasks.create_task(self._read(ws))
                tasks.create_task(self._talk(ws))
                tasks.create_task(self._watch())
                tasks.create_task(self._watch_age())
                if self._parts.vendor.heartbeat_sec is not None:
                    tasks.create_task(self._watch_heartbeat(self._parts.vendor.heartbeat_sec))
        except* (EndedError, ConnectionClosed) as group:
            end = group.exceptions[0]
        raise end  # outside of the clause, which would wrap it into another group

    async def close(self) -> None:
        """Close the connection, if it was ever open."""
        ws, self._ws = self._ws, None
        if ws is not None:
            # Shielded: a cancelled close would end in 1011 instead of 1000.
            await asyncio.shield(ws.close())

    async def _talk(self, ws: ClientConnection) -> None:
        """Send what the dialogue says, when it says so."""
        again_at = -math.inf
        # The reader tells how a connection ended: what came before the end is still to be read.
        with contextlib.suppress(ConnectionClosed):
            await self._send(ws, self._dialogue.begin())
            self._note_acceptance()
            while True:
                # A timer may be early by a rounding.
                early = again_at if not self._noticed.is_set() else -math.inf
                self._noticed.clear()
                before = self._dialogue.refused
                frames, again_at = self._dialogue.due(max(self._parts.monotonic(), early))
                if before.keys() - self._dialogue.refused.keys():
                    self._expect_prices()
                await self._send(ws, frames)
                wait_sec = max(0.0, again_at - self._parts.monotonic())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_sec if wait_sec < math.inf else None):
                        await self._noticed.wait()

    async def _send(self, ws: ClientConnection, frames: Sequence[str]) -> None:
        for frame in frames:
            await ws.send(frame)

    async def _read(self, ws: ClientConnection) -> NoReturn:
        """The hot path: frames to the dialogue, prices to the gate, what passes to the queue."""
        parts = self._parts
        receive, understand, admit, add = (
            ws.recv,
            self._dialogue.receive,
            parts.gate.admit,
            parts.queue.add,
        )
        clock, monotonic, asset = parts.clock, parts.monotonic, parts.asset
        meter, lags, said, heard = parts.meter, parts.meter.lags, parts.hours.said, self.heard
        halted = parts.halted
        loop, at = asyncio.get_running_loop(), monotonic()
        now, turn_ends_at = clock(), at + TURN_SEC
        while True:
            if self._framed_at >= turn_ends_at:
                # A frame that is there already makes nobody wait: the others would never go on.
                await asyncio.sleep(0)
                turn_ends_at = monotonic() + TURN_SEC
            frame = await receive(decode=False)
            self._sharing -= 1
            if self._sharing < 0:
                now = clock()
                self._framed_at = at = monotonic()
                # Until this loop goes on to others, as it does to wait for a frame.
                self._sharing = _AT_ONCE - 1
                loop.call_soon(self._end_sharing)
            found = understand(frame, now)
            step = 0
            if len(found) > 1:
                # What comes in one frame is one step of the market, however many trades it is.
                meter.frames = step = meter.frames + 1
            for raw in found:
                if type(raw) is not RawTick:
                    self._heed(raw)
                    continue
                meter.prices += 1
                self._priced_at = at
                symbol, ts, price, _, market, is_snapshot, _ = raw
                lag = now - ts
                verdict = admit(raw, now, step)
                if verdict is Verdict.ENTERS:
                    # Not by the constructor of named tuples, which takes twice as long.
                    add(tuple.__new__(Tick, (symbol, asset, ts, price)))
                    meter.ticks += 1
                    meter.ticked_at = now, at
                    if lags.most < lag <= LATEST_SEC:
                        lags.most = lag
                    if halted and ts > halted.get(symbol, math.inf):
                        del halted[symbol]  # a trade is the surer word
                elif verdict is Verdict.LAST_ONLY:
                    parts.queue.add_last_price(Tick(symbol, asset, ts, price))
                    if is_snapshot or (lag > MAX_AGE_SEC and symbol not in heard):
                        # A snapshot may be of any age: its lag says nothing about the clocks.
                        heard.add(symbol)
                        continue
                else:
                    self._note_lead(raw, now)
                    continue
                heard.add(symbol)
                if market:
                    said[market] = ts
                if lag < lags.least:
                    lags.least = lag

    def _end_sharing(self) -> None:
        self._sharing = 0

    def _note_lead(self, raw: RawTick, now: float) -> None:
        """Note how early a refused price was, if that was its only fault."""
        lead = raw.ts - now
        if MAX_LEAD_SEC < lead < self._parts.meter.lags.lead:
            is_good = 0 < raw.price < math.inf and not raw.flaw
            if is_good and raw.symbol in self._parts.symbols:
                self._parts.meter.lags.lead = lead

    def _heed(self, notice: RawTick | Notice | Halt) -> None:
        """Act on what the vendor says beside prices.

        Raises:
            EndedError: if it is the end of the connection.
        """
        if isinstance(notice, Halt):
            self._note_halt(notice)
            return
        if not isinstance(notice, Notice) or notice.kind is NoticeKind.UNREADABLE:
            self._parts.meter.prices += 1
            self._parts.gate.refuse_shape()
            self._unreadable = self._unreadable + 1 if self._are_unreadable else 1
            self._unreadable_at = self._framed_at
            return
        kind = notice.kind
        ended = meant(kind, notice.code, self._parts.timing)
        if ended is not None:
            raise ended
        if kind is NoticeKind.RENEW:
            self._renewal.set()
        elif kind in (NoticeKind.MAINTENANCE, NoticeKind.RESUMED):
            self._is_paused = kind is NoticeKind.MAINTENANCE
            self._expect_prices()
        elif kind is NoticeKind.IGNORED:
            self._parts.meter.ignored += 1
        self._note_acceptance()
        self._noticed.set()

    def _note_halt(self, halt: Halt) -> None:
        # Whatever comes, this does not grow.
        if not halt.is_halted:
            self._parts.halted.pop(halt.symbol, None)
        elif halt.symbol in self._parts.symbols:
            self._parts.halted[halt.symbol] = halt.ts

    @property
    def _are_unreadable(self) -> bool:
        """Whether all that came since the last price, or since one is expected, is unreadable."""
        return self._unreadable_at >= self._priced_at

    def _silence(self, trouble: Trouble, seconds: float) -> EndedError:
        """The end if what was expected did not come within ``seconds``: by what came instead."""
        if self._are_unreadable:
            return EndedError(Trouble.UNREADABLE, frames=self._unreadable)
        return EndedError(trouble, seconds=seconds)

    def _note_acceptance(self) -> None:
        if self._dialogue.is_accepted and not self._accepted.is_set():
            self._accepted.set()
            self._expect_prices()
            self._on_accepted()

    def _expect_prices(self) -> None:
        """Silence counts from here."""
        self._expected_at = self._parts.clock(), self._parts.monotonic()
        self._priced_at = self._expected_at[1]

    async def _watch(self) -> None:
        """End a connection that is not accepted, or without prices while its market streams."""
        parts = self._parts
        try:
            async with asyncio.timeout(parts.timing.accept_sec):
                await self._accepted.wait()
        except TimeoutError:
            raise self._silence(Trouble.NOT_ACCEPTED, parts.timing.accept_sec) from None
        if parts.vendor.heartbeat_sec is not None:
            return  # it proves that the connection lives, however thin trading is
        shortest = parts.silence.usual_sec
        while True:
            now = parts.clock()
            limit = parts.silence.limit(now, has_ticked=self.has_ticked)
            left = limit - (parts.monotonic() - self._priced_at)
            if left > _INSTANT_SEC:
                # Looked at again in between: in regular hours patience is shorter.
                await asyncio.sleep(min(left, shortest))
            elif self._is_paused:
                await asyncio.sleep(shortest)
            elif parts.hours.has_streamed(now, limit) and not self._is_fully_refused():
                parts.silence.in_a_row += 1
                raise self._silence(Trouble.SILENCE, limit)
            else:
                await asyncio.sleep(shortest / 4)

    async def _watch_age(self) -> NoReturn:
        """End a connection before the vendor does, at a quiet moment."""
        parts, timing = self._parts, self._parts.timing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(parts.vendor.renew_sec):
                await self._renewal.wait()
        ends_at = parts.monotonic() + timing.renewal_sec
        while True:
            now = parts.monotonic()
            left = min(self._framed_at + timing.quiet_sec, ends_at) - now
            if left <= _INSTANT_SEC:
                raise EndedError(Trouble.RENEWAL)
            await asyncio.sleep(left)

    async def _watch_heartbeat(self, limit: float) -> NoReturn:
        """End a connection without any frame: the vendor promises one at least this often."""
        while True:
            left = limit - (self._parts.monotonic() - self._framed_at)
            if left <= _INSTANT_SEC:
                raise EndedError(Trouble.SILENCE, seconds=limit)
            await asyncio.sleep(left)

    def _is_fully_refused(self) -> bool:
        return len(self.refused) == len(self._parts.symbols)

    def _quiet(self, now: float) -> float:
        """For how long no price has entered, since one is expected."""
        meter = self._parts.meter
        age = meter.age(now) if self.has_ticked else None
        return meter.since(self._expected_at, now) if age is None else age

    def is_overdue(self, now: float) -> bool:
        """Whether that is longer than the accepted connection may be without a price."""
        if self._is_paused or self._is_fully_refused():
            return False
        limit = self._parts.silence.patience(now)
        return self._quiet(now) >= limit and self._parts.hours.has_streamed(now, limit)

    def condition(self, now: float) -> Condition:
        """What comes through the accepted connection."""
        parts = self._parts
        session = parts.hours.session(now)
        if self._is_fully_refused():
            return Condition(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
        if self._is_paused:
            return Condition(FeedState.MAINTENANCE, Trouble.MAINTENANCE)
        if session.phase == "closed":
            return Condition(FeedState.CLOSED)
        lately = parts.meter.lately()
        if lately.are_most_unreadable:
            unreadable = lately.unreadable
            return Condition(FeedState.UNREADABLE, Trouble.UNREADABLE, frames=unreadable)
        if lately.are_most_held:
            return Condition(FeedState.HELD_BACK, Trouble.HELD_BACK)
        patience = parts.silence.patience(now) / 2
        age = parts.meter.age(now) if self.has_ticked else None
        quiet = self._quiet(now)
        if quiet < patience:
            if age is None:
                return Condition(FeedState.CONNECTING, Trouble.FIRST_TICK)
            return Condition(FeedState.LIVE)
        if session.since > now - patience and not parts.hours.has_streamed(now, patience):
            return Condition(FeedState.CONNECTING, Trouble.JUST_OPENED)
        # A night without prices was no silence.
        quiet = min(quiet, now - parts.hours.streams_since(now))
        if parts.monotonic() - self._priced_at >= patience:
            if self._are_unreadable:
                unreadable = self._unreadable
                return Condition(FeedState.UNREADABLE, Trouble.UNREADABLE, frames=unreadable)
            return Condition(FeedState.SILENT, Trouble.NO_TICK, seconds=quiet)
        lag = parts.meter.untimely_lag()
        trouble = Trouble.ALL_REFUSED if lag is None else Trouble.WRONG_TIME
        return Condition(FeedState.SILENT, trouble, seconds=quiet, lag=lag)
