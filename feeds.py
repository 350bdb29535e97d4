"""WebSocket feeds: connect, subscribe, watch, reconnect and report, all into one bounded queue.

One ``Feed`` per asset class, run by the worker as tasks of its loop. Event time comes from the
vendor, the gate's ``now`` from the worker's clock; waiting and watching use the loop's own time.
The API key is part of the address: nothing here logs, raises or reports an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Final, NamedTuple, NoReturn
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

import sessions
from gate import MAX_AGE_SEC, MAX_LEAD_SEC, TickGate, Verdict
from sessions import HoursFrom, MarketHours, Phase, Session
from ticks import Asset, Tick
from vendors import eodhd
from vendors.wire import MarketState, Notice, NoticeKind, RawTick

__all__ = [
    "Feed",
    "FeedState",
    "FeedStatus",
    "Refusal",
    "TickQueue",
    "Timing",
    "Trouble",
    "allot",
]

_logger = logging.getLogger(__name__)

_RATE_SEC = 10
"""Ticks per second are counted over this many seconds."""

_SKEW_SEC = 60
"""The lag of the vendor's stamps is the least of this many seconds, ..."""

_RECENT_SEC = 3
"""... and its newest value that of this many."""

_SKEW_FRAMES = 5
"""Fewer in that minute tell nothing of the clocks: single trades are reported seconds late."""

_INSTANT_SEC: Final = 1e-3
"""Less than this is not waited for: rounding may leave a wait that no clock can measure."""

_MAX_FRAME_BYTES: Final = 64 * 1024
"""The vendor's messages have some hundred bytes; a longer one ends the connection."""

_LONGEST_WAIT_SEC: Final = 3600.0
"""The longest a vendor may ask to be left alone: a slip must not turn a feed off for days."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a feed waits for what, in seconds."""

    open_sec: float = 10.0
    authorize_sec: float = 10.0
    close_sec: float = 1.0
    backoff_floor_sec: float = 0.5
    backoff_cap_sec: float = 60.0
    closed_cap_sec: float = 300.0
    """Stands in for ``backoff_cap_sec`` while the market is closed; its opening ends any wait."""
    healthy_sec: float = 30.0
    """Backoff is forgotten after a valid tick on a connection that lived this long."""
    key_refused_sec: float = 300.0
    throttled_sec: float = 60.0
    symbol_limit_sec: float = 60.0
    """A dead connection's symbols stay counted for up to 105 s, so a limit is worth retrying."""
    symbol_limit_tries: int = 4
    single_sec: float = 1.0
    """How long one symbol's refusal may take: refusals name no symbol, so they are asked singly."""
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: eodhd.SILENCE_SEC)
    thin_sec: float = 600.0
    """Stands in for a shorter silence before and after regular hours, when minutes may pass between
    trades; and what silence comes to in the end where one connection after the other is silent."""


class FeedState(StrEnum):
    """What is true of a feed's connection and of what comes through it."""

    CONNECTING = "connecting"
    LIVE = "live"
    SILENT = "silent"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    CLOSED = "closed market"
    OFF = "off"


class Trouble(StrEnum):
    """Why a feed is in the state it is in; the words are made by those who show them."""

    NONE = ""
    NO_SYMBOLS = "no symbols"
    STOPPED = "stopped"
    NO_ANSWER = "no answer"
    """No connection was open after ``seconds``."""
    NO_CONNECTION = "no connection"
    """The network's answer is ``code``, an errno; None: no address answered."""
    NAME_NOT_FOUND = "name not found"
    """The vendor's address was not found in the network."""
    NOT_SECURE = "not secure"
    """The connection could not be encrypted, or the vendor's certificate is not accepted."""
    NO_WEBSOCKET = "no websocket"
    """Something answered that speaks no WebSocket."""
    HTTP_ERROR = "http error"
    """The vendor answered with the HTTP status ``code``."""
    KEY_REFUSED = "key refused"
    """The vendor refused the key with ``code``."""
    THROTTLED = "throttled"
    """Too many connections for the vendor."""
    NOT_ACCEPTED = "not accepted"
    """The vendor did not say within ``seconds`` that the key is good."""
    BAD_REQUEST = "bad request"
    """The vendor did not understand the subscription: ``code``."""
    VENDOR_ERROR = "vendor error"
    """The vendor reported an error of its own: ``code``."""
    CONNECTION_CLOSED = "connection closed"
    """With the WebSocket code ``code``."""
    SILENCE = "silence"
    """The connection was given up after ``seconds`` without data."""
    RENEWED = "renewed"
    """Begun anew after the computer slept for ``seconds``."""
    FIRST_TICK = "first tick"
    """The first tick is waited for."""
    JUST_OPENED = "just opened"
    """The market has just opened, and the first tick is waited for."""
    NO_TICK = "no tick"
    """No tick came for ``seconds``."""
    ALL_REFUSED = "all refused"
    """No tick for ``seconds``: all that came was refused by the gate."""
    WRONG_TIME = "wrong time"
    """The same, for the vendor's stamps lag this computer's clock by ``lag``."""
    SYMBOLS_REFUSED = "symbols refused"
    """The vendor refused every symbol: ``refused_symbols``."""
    TAPE_ENDED = "tape ended"


class Refusal(StrEnum):
    """Why a vendor does not send a symbol."""

    SYMBOL_LIMIT = "symbol limit"
    """The account may watch no more of them at once."""
    NOT_COVERED = "not covered"
    """The key's plan does not include it."""


_REFUSALS: Final[Mapping[NoticeKind, Refusal]] = {
    NoticeKind.SYMBOL_LIMIT: Refusal.SYMBOL_LIMIT,
    NoticeKind.SYMBOLS_REFUSED: Refusal.NOT_COVERED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """What is true of one feed at one instant."""

    vendor: str
    asset: Asset
    state: FeedState
    trouble: Trouble = Trouble.NONE
    code: int | None = None
    seconds: float | None = None
    lag: float | None = None
    """These three as ``trouble`` says."""
    attempt: int = 0
    """Which try to connect is next, while there is none; 0: one that was asked for."""
    retry_at: float | None = None
    """When it is due, by the source's clock; None: now, or there is no need."""
    ticks: int = 0
    ticks_per_sec: float | None = None
    last_tick_age: float | None = None
    """In seconds."""
    reconnects: int = 0
    dropped: int = 0
    """Ticks that made room for newer ones in the queue."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Refused prices by the gate's reason."""
    asked: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    refused_symbols: Mapping[str, Refusal] = field(default_factory=dict)
    """Symbols that the vendor does not send, and why."""
    over_limit: tuple[str, ...] = ()
    """Symbols that found no room in the account's limit, ..."""
    symbol_limit: int | None = None
    """... which is this many."""
    hours: MarketHours
    skew: float | None = None
    """By how many seconds the vendor's stamps lag the clock, negative if they are ahead of it."""
    key_setting: str = ""
    """The setting that holds the vendor's key; empty if the vendor wants none."""


class TickQueue:
    """A bounded queue of ticks within one event loop: when full the oldest goes and is counted."""

    def __init__(self, max_ticks: int = 50_000) -> None:
        self._max_ticks = max_ticks
        self._ticks: deque[Tick] = deque()
        self._snapshots: deque[Tick] = deque()
        self._filled = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Number of ticks that made room for newer ones, by asset class."""

    def put(self, tick: Tick) -> None:
        """Add a tick; never waits."""
        self._append(self._ticks, tick)

    def put_last(self, tick: Tick) -> None:
        """Add a tick that may only set a missing last price."""
        self._append(self._snapshots, tick)

    async def wait(self) -> None:
        """Return when there is something to take."""
        await self._filled.wait()

    def take(self) -> tuple[list[Tick], list[Tick]]:
        """Everything there is, in order of arrival: the ticks, and those for a last price only."""
        ticks, snapshots = list(self._ticks), list(self._snapshots)
        self._ticks.clear()
        self._snapshots.clear()
        self._filled.clear()
        return ticks, snapshots

    def __len__(self) -> int:
        return len(self._ticks)

    def _append(self, ticks: deque[Tick], tick: Tick) -> None:
        if len(ticks) >= self._max_ticks:
            self.dropped[ticks.popleft().asset] += 1
        ticks.append(tick)
        self._filled.set()


class _WireLog(logging.LoggerAdapter[logging.Logger]):
    """The library's log without DEBUG, at which it prints the request line, key included."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in logging
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """The library's ``connect``, following no redirect: the key is for one host alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Condition(NamedTuple):
    """The state of a feed and why: as in ``FeedStatus``."""

    state: FeedState
    """``LIVE`` while a connection is open: what comes through it is judged when it is asked for."""
    trouble: Trouble = Trouble.NONE
    code: int | None = None
    seconds: float | None = None
    lag: float | None = None

    def __str__(self) -> str:
        size = "" if self.seconds is None else f"{self.seconds:.0f} s"
        code = "" if self.code is None else str(self.code)
        why = ", ".join(filter(None, (self.trouble, code, size)))
        return f"{self.state} ({why})" if why else str(self.state)


class _EndedError(Exception):
    """A connection's end: why, whether it was a refusal, and how long to leave the vendor alone."""

    def __init__(
        self,
        trouble: Trouble,
        *,
        code: int | None = None,
        seconds: float | None = None,
        refused: bool = False,
        wait_sec: float | None = None,
    ) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.code = code
        self.seconds = seconds
        self.refused = refused
        self.wait_sec = wait_sec

    def leaves(self, state: FeedState) -> _Condition:
        """The feed's condition after this, in ``state``."""
        return _Condition(state, self.trouble, self.code, self.seconds)


class _Lags:
    """How far the vendor's stamps lag the clock, second by second: the least is the truest.

    An offer takes its time on the way, and none arrives before it was sent. One stamped so early
    that it was refused counts only where none was in time: a single one is rubbish.
    """

    def __init__(self) -> None:
        self._seconds: deque[tuple[float, float, int]] = deque(maxlen=_SKEW_SEC)
        self._frames = 0
        # Of the second that runs. Infinite where there was none.
        self.least = math.inf
        self.lead = math.inf
        """By how much the offer that was the least too early was ahead of the clock."""

    @property
    def frames(self) -> int:
        """How many frames came in the seconds that are remembered."""
        return sum(count for _, _, count in self._seconds)

    def roll(self, frames: int) -> None:
        """Begin another second; ``frames`` are how many ever came until then."""
        self._seconds.append((self.least, self.lead, frames - self._frames))
        self._frames = frames
        self.least = self.lead = math.inf

    def forget(self) -> None:
        """Begin from nothing."""
        self._seconds.clear()
        self.least = self.lead = math.inf

    def over(self, seconds: int) -> float | None:
        """The lag of the last ``seconds``, negative where the stamps are ahead."""
        newest = list(self._seconds)[-seconds:]
        least = min([self.least, *(lag for lag, _, _ in newest)])
        if least < math.inf:
            return least
        lead = min([self.lead, *(lead for _, lead, _ in newest)])
        return -lead if lead < math.inf else None


class Feed:
    """One asset class's connection to the vendor, for as long as ``run`` is running.

    ``clock`` is the worker's, ``session`` says which session an instant falls into: a closed market
    may be silent, and its prices enter no window. ``far_off`` is the gate's. ``unasked`` are the
    symbols that found no room in the account's limit. ``rng`` draws the jitter of the backoff.
    """

    def __init__(
        self,
        asset: Asset,
        symbols: Sequence[str],
        queue: TickQueue,
        clock: Callable[[], float],
        *,
        timing: Timing | None = None,
        session: Callable[[Asset, float], Session] = sessions.session,
        far_off: float | None = None,
        unasked: Sequence[str] = (),
        rng: random.Random | None = None,
    ) -> None:
        self.asset = asset
        self._symbols = tuple(symbols)
        self._unasked = tuple(unasked)
        self._url = ""
        self._queue = queue
        self._clock = clock
        self._timing = timing or Timing()
        self._calendar = session
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._gate = TickGate(asset, self._symbols, partial(self._calendar, asset), far_off)

        self.frames = 0
        """Frames received that were no notice: what a replay waits for."""
        self._ticks = 0
        self._heard: set[str] = set()  # on earlier connections
        self._rates: deque[tuple[float, int]] = deque(maxlen=_RATE_SEC + 1)
        self._last_tick_at: float | None = None  # clock
        self._last_tick_loop_at = 0.0  # loop time
        self._attempt = 0
        self._reconnects = 0
        # One object, so that other threads never see a state with the reason of another.
        self._condition = (
            _Condition(FeedState.CONNECTING)
            if symbols
            else _Condition(FeedState.OFF, Trouble.NO_SYMBOLS)
        )
        self._next_at = 0.0  # loop time
        self._ended_closed = False
        """Whether the market was closed when the last connection ended."""
        self._silences = 0
        """How many connections in a row ended for silence without a single tick."""
        self._said: dict[MarketState, RawTick] = {}
        """The newest offer on which the vendor said so, by what it said of its market."""

        self._lags = _Lags()
        self._skew: float | None = None

        # Set by ``renew`` until the next connection is begun.
        self._renewal = asyncio.Event()
        self._slept_sec = 0.0

        # Of the current connection.
        self._ws: ClientConnection | None = None
        self._opened_at = 0.0  # loop time
        self._subscribed_at = 0.0  # clock
        self._subscribed_loop_at = 0.0  # loop time
        self._data_at = 0.0  # loop time of the last offer, or of the subscription
        self._ticked = False
        self._heard_here: set[str] = set()
        self._refused_symbols: Mapping[str, NoticeKind] = {}
        self._refusal: asyncio.Queue[Notice] = asyncio.Queue(maxsize=1)

    async def run(self, url: str) -> None:
        """Connect to ``url``, which holds the key, read and reconnect, until cancelled."""
        if not self._symbols:
            return
        self._url = url
        self._set_condition(_Condition(FeedState.CONNECTING))
        try:
            while True:
                ended = await self._connection()
                _raise_cancellation()
                state = FeedState.CONNECTING if ended.refused else FeedState.RECONNECTING
                is_renewed = await self._pause()
                self._set_condition((self._renewed() if is_renewed else ended).leaves(state))
        finally:
            self._set_condition(_Condition(FeedState.OFF, Trouble.STOPPED))

    def renew(self, slept_sec: float) -> None:
        """Begin a connection anew at once, whatever the feed is doing; not held against the vendor.

        Called on the feed's own loop, when the computer woke after ``slept_sec``: the connection
        may be dead without knowing it, and a wait may be over. A feed that is off stays off.
        """
        self._slept_sec = slept_sec
        self._renewal.set()

    def clock_changed(self) -> None:
        """Forget what was measured by the clock: it has jumped, and its times do not compare."""
        self._lags.forget()
        self._skew = None
        self._rates.clear()

    def measure(self, now: float) -> None:
        """Note the tick count and the vendor's lag; the worker calls it once a second."""
        self._rates.append((now, self._ticks))
        self._lags.roll(self.frames)
        is_enough = self._lags.frames >= _SKEW_FRAMES
        self._skew = self._lags.over(_SKEW_SEC) if is_enough else None

    def recent_lag(self) -> float | None:
        """How far the vendor's newest stamps lag the clock, in seconds; None where none came.

        Negative where they are ahead. Of the last seconds, since the clock changed.
        """
        return self._lags.over(_RECENT_SEC)

    def session(self, now: float) -> Session:
        """The session of ``now``: the calendar's, corrected by the vendor where all its words do.

        A word holds for as long as a feed may be silent, and not across the calendar's own changes.
        """
        return self._joint(now)[0]

    def hours(self, now: float) -> MarketHours:
        """The same as a record, with who says so."""
        session, by = self._joint(now)
        return MarketHours(
            self.asset,
            session.phase,
            _finite(session.since),
            _finite(session.until),
            session.opens,
            by,
        )

    def status(self, now: float) -> FeedStatus:
        """What is true of this feed at ``now``; any thread may ask."""
        session, _ = self._joint(now)
        found = self._described(now, session)
        is_waiting = found.state in (FeedState.RECONNECTING, FeedState.REFUSED)
        attempt = (
            self._attempt if is_waiting and found.trouble is not Trouble.SYMBOLS_REFUSED else 0
        )
        wait = self._next_at - time.monotonic()
        return FeedStatus(
            vendor="EODHD",
            key_setting="EODHD_API_KEY",
            asset=self.asset,
            state=found.state,
            trouble=found.trouble,
            code=found.code,
            seconds=found.seconds,
            lag=found.lag,
            attempt=attempt,
            retry_at=now + wait if attempt and wait > 0 else None,
            ticks=self._ticks,
            ticks_per_sec=self._rate(),
            last_tick_age=self._tick_age(now),
            reconnects=self._reconnects,
            dropped=self._queue.dropped[self.asset],
            refused=dict(self._gate.refused),
            asked=self._symbols,
            # The union is one call of C: whole even while the loop adds to a set.
            heard=tuple(sorted(self._heard | self._heard_here)),
            refused_symbols={s: _REFUSALS[kind] for s, kind in self._refused().items()},
            over_limit=self._unasked,
            symbol_limit=eodhd.SYMBOL_LIMIT,
            hours=self.hours(now),
            skew=self._skew,
        )

    # One connection.

    async def _connection(self) -> _EndedError:
        """Live one connection to its end, and say how it ended."""
        self._renewal.clear()
        self._ticked = False
        self._heard = self._heard | self._heard_here
        self._heard_here = set()
        self._refused_symbols = {}
        self._refusal = asyncio.Queue(maxsize=1)
        try:
            # A task of its own: before Python 3.13 a failing task group swallows a cancellation
            # from outside, or leaves one of its own behind; so this task's count stays true.
            await asyncio.create_task(self._live())
        except (_EndedError, ConnectionClosed) as error:
            end = error if isinstance(error, _EndedError) else _closed(error)
            # Before the closing, which may take a second: it is live no more.
            self._end(end)
            return end
        finally:
            ws, self._ws = self._ws, None
            if ws is not None:
                # Shielded: a cancelled close would end in 1011 instead of 1000.
                await asyncio.shield(ws.close())

    def _end(self, ended: _EndedError) -> None:
        """Show how the connection ended, and when the next one is due."""
        now = asyncio.get_running_loop().time()
        self._reconnects += 1
        if ended.trouble is Trouble.RENEWED:
            self._attempt = 0
            self._next_at = now
        else:
            session = self.session(self._clock())
            has_opened = self._ended_closed and session.phase != "closed"
            self._ended_closed = session.phase == "closed"
            is_healthy = self._ticked and now - self._opened_at >= self._timing.healthy_sec
            if self._ticked:
                self._silences = 0
            # A night of hang-ups says nothing about the day.
            self._attempt = 1 if is_healthy or has_opened else self._attempt + 1
            self._next_at = now + self._delay(ended, session)
        self._set_condition(
            ended.leaves(FeedState.REFUSED if ended.refused else FeedState.RECONNECTING)
        )

    async def _pause(self) -> bool:
        """Wait until the next connection is due, or is asked for; whether it was asked for."""
        # What the closing took counts: the wait began with the end.
        wait_sec = max(0.0, self._next_at - asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_sec):
                await self._renewal.wait()
        if not self._renewal.is_set():
            return False
        self._attempt = 0
        return True

    def _renewed(self) -> _EndedError:
        return _EndedError(Trouble.RENEWED, seconds=self._slept_sec)

    async def _open(self) -> ClientConnection:
        timing = self._timing
        try:
            local = urlsplit(self._url).hostname in ("127.0.0.1", "localhost", "::1")
            return await _Connect(
                self._url,
                open_timeout=timing.open_sec,
                close_timeout=timing.close_sec,
                max_size=_MAX_FRAME_BYTES,
                compression=None,
                # A proxy of the environment is for the world, not for this machine.
                proxy=None if local else True,
                logger=_WireLog(logging.getLogger("websockets.client")),
            )
        except InvalidStatus as error:
            raise self._rejected(error) from None
        except TimeoutError:
            raise _EndedError(Trouble.NO_ANSWER, seconds=timing.open_sec) from None
        except ssl.SSLError:
            raise _EndedError(Trouble.NOT_SECURE) from None
        except socket.gaierror:
            raise _EndedError(Trouble.NAME_NOT_FOUND) from None
        except OSError as error:
            raise _EndedError(Trouble.NO_CONNECTION, code=error.errno) from None
        except (WebSocketException, ValueError, ImportError) as error:
            # Its own text may quote the address. ImportError: of a SOCKS proxy in the environment.
            _logger.info("%s feed: no WebSocket: %s", self.asset, type(error).__name__)
            raise _EndedError(Trouble.NO_WEBSOCKET) from None

    def _rejected(self, error: InvalidStatus) -> _EndedError:
        code = error.response.status_code
        if code in (401, 403):
            return self._key_refused(code)
        if code == 429:
            # Not get(), which raises where the header is repeated.
            after = next(iter(error.response.headers.get_all("Retry-After")), "")
            wait_sec = float(after) if after.isdecimal() else 0.0
            return self._throttled(
                max(min(wait_sec, _LONGEST_WAIT_SEC), self._timing.throttled_sec)
            )
        return _EndedError(Trouble.HTTP_ERROR, code=code)

    def _key_refused(self, code: int | None) -> _EndedError:
        return _EndedError(
            Trouble.KEY_REFUSED,
            code=code,
            refused=True,
            wait_sec=self._timing.key_refused_sec,
        )

    def _throttled(self, wait_sec: float) -> _EndedError:
        return _EndedError(Trouble.THROTTLED, wait_sec=wait_sec)

    async def _authorize(self, ws: ClientConnection) -> None:
        """Wait for the vendor's word that the key is good: asking earlier drops the connection."""
        try:
            async with asyncio.timeout(self._timing.authorize_sec):
                while True:
                    message = eodhd.parse(await ws.recv(decode=False))
                    if not isinstance(message, Notice) or message.kind is NoticeKind.UNREADABLE:
                        self._gate.refuse_shape()
                    elif message.kind is NoticeKind.AUTHORIZED:
                        return
                    else:
                        self._raise_for(message)
        except TimeoutError:
            raise _EndedError(Trouble.NOT_ACCEPTED, seconds=self._timing.authorize_sec) from None

    async def _live(self) -> NoReturn:
        """Open a connection, subscribe, read and watch, until something ends it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heed_renewal())
                self._ws = ws = await self._open()
                self._opened_at = asyncio.get_running_loop().time()
                await self._authorize(ws)
                self._expect_ticks()
                self._set_condition(_Condition(FeedState.LIVE))
                tasks.create_task(self._read(ws))
                tasks.create_task(self._subscribe(ws))
                tasks.create_task(self._watch())
        except* (_EndedError, ConnectionClosed) as group:
            end = group.exceptions[0]
        raise end  # outside, where it is not wrapped into another group

    async def _heed_renewal(self) -> NoReturn:
        await self._renewal.wait()
        raise self._renewed()

    def _expect_ticks(self) -> None:
        """Silence counts from here."""
        self._subscribed_at = self._clock()
        self._subscribed_loop_at = self._data_at = asyncio.get_running_loop().time()

    async def _read(self, ws: ClientConnection) -> NoReturn:
        """The hot path: every frame to the gate, and what passes to the queue."""
        receive, parse, admit, put = ws.recv, eodhd.parse, self._gate.admit, self._queue.put
        clock, loop_time = self._clock, asyncio.get_running_loop().time
        asset, heard, lags, said = self.asset, self._heard_here.add, self._lags, self._said
        while True:
            offer = parse(await receive(decode=False))
            if type(offer) is not RawTick:
                self._hear(offer)
                continue
            self.frames += 1
            self._data_at = loop_time()
            now = clock()
            verdict = admit(offer, now)
            if verdict is Verdict.ENTERS:
                put(Tick(offer.symbol, asset, offer.ts, offer.price))
                self._ticks += 1
                self._ticked = True
                self._last_tick_at, self._last_tick_loop_at = now, self._data_at
            elif verdict is Verdict.LAST_ONLY:
                self._queue.put_last(Tick(offer.symbol, asset, offer.ts, offer.price))
                if now - offer.ts > MAX_AGE_SEC and offer.symbol not in self._heard_here:
                    # A snapshot of whenever: what it lags says nothing of clocks.
                    heard(offer.symbol)
                    continue
            else:
                self._note_lead(offer, now)
                continue
            heard(offer.symbol)
            if offer.market:
                said[offer.market] = offer
            if now - offer.ts < lags.least:
                lags.least = now - offer.ts

    def _note_lead(self, offer: RawTick, now: float) -> None:
        """Note how early a refused offer was, where that was its only fault."""
        lead = offer.ts - now
        if MAX_LEAD_SEC < lead < self._lags.lead:
            is_good = 0 < offer.price < math.inf and not offer.flaw
            if is_good and offer.symbol in self._symbols:
                self._lags.lead = lead

    def _hear(self, message: Notice | RawTick) -> None:
        if not isinstance(message, Notice) or message.kind is NoticeKind.UNREADABLE:
            self.frames += 1
            self._gate.refuse_shape()
        elif message.kind in (NoticeKind.SYMBOL_LIMIT, NoticeKind.SYMBOLS_REFUSED):
            if self._refusal.empty():
                self._refusal.put_nowait(message)
        elif message.kind is not NoticeKind.AUTHORIZED:
            self._raise_for(message)

    def _raise_for(self, notice: Notice) -> NoReturn:
        if notice.kind is NoticeKind.KEY_REFUSED:
            raise self._key_refused(notice.code)
        if notice.kind is NoticeKind.THROTTLED:
            raise self._throttled(self._timing.throttled_sec)
        if notice.kind is NoticeKind.BAD_REQUEST:
            raise _EndedError(
                Trouble.BAD_REQUEST,
                code=notice.code,
                refused=True,
                wait_sec=self._timing.key_refused_sec,
            )
        raise _EndedError(Trouble.VENDOR_ERROR, code=notice.code)

    async def _subscribe(self, ws: ClientConnection) -> None:
        """Ask for all symbols at once; where the vendor refuses the whole message, one by one.

        What stays refused is asked for again later: a limit may still count a connection that is
        gone, and an account may change.
        """
        # The reader tells how a connection ended: what came before the end is still to be read.
        with contextlib.suppress(ConnectionClosed):
            await ws.send(eodhd.subscribe(self._symbols))
            await self._refusal.get()
            pending, tries = self._symbols, 0
            while pending:
                limited = await self._ask_singly(ws, pending)
                tries += 1
                soon = limited and tries <= self._timing.symbol_limit_tries
                await asyncio.sleep(
                    self._timing.symbol_limit_sec if soon else self._timing.key_refused_sec
                )
                pending = tuple(self._refused())

    async def _ask_singly(self, ws: ClientConnection, symbols: Sequence[str]) -> bool:
        """Ask for each symbol and note the refused ones; whether the account is at its limit."""
        refusal: Notice | None = None
        for symbol in symbols:
            if refusal is None or refusal.kind is not NoticeKind.SYMBOL_LIMIT:
                refusal = await self._ask(ws, symbol)
            if refusal is not None:
                self._refused_symbols = {**self._refused_symbols, symbol: refusal.kind}
            elif symbol in self._refused_symbols:
                self._refused_symbols = {
                    other: word for other, word in self._refused_symbols.items() if other != symbol
                }
                self._expect_ticks()
        return refusal is not None and refusal.kind is NoticeKind.SYMBOL_LIMIT

    async def _ask(self, ws: ClientConnection, symbol: str) -> Notice | None:
        """Ask for one symbol; the vendor's refusal, or None where it stays quiet."""
        while not self._refusal.empty():
            self._refusal.get_nowait()
        await ws.send(eodhd.subscribe([symbol]))
        try:
            async with asyncio.timeout(self._timing.single_sec):
                return await self._refusal.get()
        except TimeoutError:
            return None

    async def _watch(self) -> NoReturn:
        """End a connection without data while its market streams: pings prove only the socket."""
        loop = asyncio.get_running_loop()
        shortest = self._timing.silence_sec[self.asset]
        while True:
            now = self._clock()
            patience = self._patience(now)
            # Where a new connection did not help, the next one hardly does: nobody may trade.
            longest = max(patience, self._timing.thin_sec)
            silences = 0 if self._ticked else min(self._silences, 30)
            limit = min(patience * 2.0**silences, longest)
            left = limit - (loop.time() - self._data_at)
            if left > _INSTANT_SEC:
                # Looked at again in between: in regular hours patience is shorter.
                await asyncio.sleep(min(left, shortest))
            elif self._has_streamed(now, limit) and not self._is_fully_refused():
                self._silences += 1
                raise _EndedError(Trouble.SILENCE, seconds=limit)
            else:
                await asyncio.sleep(shortest / 4)

    # State.

    def _joint(self, now: float) -> tuple[Session, HoursFrom]:
        """The session of ``now`` and by whom: the calendar, or the vendor where it contradicts."""
        found = self._calendar(self.asset, now)
        is_closed = found.phase == "closed"
        words = [
            offer
            for offer in [*self._said.values()]
            if offer.ts >= found.since and now - offer.ts <= self._timing.silence_sec[self.asset]
        ]
        # A single odd message closes no market: nobody may agree with the calendar.
        if not words or any((offer.market == "closed") is is_closed for offer in words):
            return found, HoursFrom.CALENDAR
        said = max(words, key=attrgetter("ts"))
        if said.market == "closed":
            return Session("closed", said.ts, found.until, found.opens), HoursFrom.VENDOR
        if said.market == "open":
            return Session("open", said.ts, found.until, None), HoursFrom.VENDOR
        # The nearer of the two that "extended" may mean.
        phase: Phase = "after" if now - found.since < found.until - now else "pre"
        return Session(phase, said.ts, found.until, found.opens), HoursFrom.VENDOR

    def _patience(self, now: float) -> float:
        """For how long there may be no tick before the connection is suspect."""
        timing = self._timing
        patience = timing.silence_sec[self.asset]
        if patience >= timing.thin_sec:
            return patience
        # A silence of before regular hours is not held against their begin.
        phases = self.session(now).phase, self._calendar(self.asset, now - patience).phase
        return timing.thin_sec if "pre" in phases or "after" in phases else patience

    def _streams_since(self, now: float) -> float:
        """When the market last began to stream, by the calendar."""
        begin, found = -math.inf, self._calendar(self.asset, now)
        while found.phase != "closed" and found.since != begin:
            begin = found.since
            found = self._calendar(self.asset, math.nextafter(begin, -math.inf))
        return begin

    def _has_streamed(self, now: float, seconds: float) -> bool:
        """Whether the market has been open so long that silence means something."""
        then = self._calendar(self.asset, now - seconds)
        return then.phase != "closed" and self.session(now).phase != "closed"

    def _refused(self) -> dict[str, NoticeKind]:
        """The symbols the vendor does not send: a refusal names none, but one that ticks is not."""
        return {s: word for s, word in self._refused_symbols.items() if s not in self._heard_here}

    def _is_fully_refused(self) -> bool:
        return len(self._refused()) == len(self._symbols)

    def _delay(self, ended: _EndedError, session: Session) -> float:
        """Full jitter over an exponential, with a floor; at least what the vendor asked for.

        In a closed market the wait may be longer, but ends when it opens.
        """
        timing = self._timing
        floor, cap, latest = timing.backoff_floor_sec, timing.backoff_cap_sec, math.inf
        if session.phase == "closed" and ended.wait_sec is None:
            cap = max(cap, timing.closed_cap_sec)
            latest = max(floor, session.until - self._clock())
        jitter = self._rng.uniform(floor, max(floor, min(cap, 2.0 ** min(self._attempt, 30))))
        return min(jitter, latest) if ended.wait_sec is None else ended.wait_sec + jitter

    def _set_condition(self, condition: _Condition) -> None:
        if condition != self._condition:
            _logger.info("%s feed: %s", self.asset, condition)
        self._condition = condition

    def _described(self, now: float, session: Session) -> _Condition:
        """The condition of the feed, with what comes through an open connection."""
        condition = self._condition
        if condition.state is not FeedState.LIVE:
            return condition
        if self._is_fully_refused():
            return _Condition(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
        return self._open_condition(now, session)

    def _open_condition(self, now: float, session: Session) -> _Condition:
        if session.phase == "closed":
            return _Condition(FeedState.CLOSED)
        patience = self._patience(now) / 2
        age = self._tick_age(now) if self._ticked else None
        quiet = _passed(self._subscribed_at, self._subscribed_loop_at, now) if age is None else age
        if quiet < patience:
            is_first = age is None
            return (
                _Condition(FeedState.CONNECTING, Trouble.FIRST_TICK)
                if is_first
                else _Condition(FeedState.LIVE)
            )
        if session.since > now - patience and not self._has_streamed(now, patience):
            return _Condition(FeedState.CONNECTING, Trouble.JUST_OPENED)
        # A night without prices was no silence.
        quiet = min(quiet, now - self._streams_since(now))
        if time.monotonic() - self._data_at >= patience:
            return _Condition(FeedState.SILENT, Trouble.NO_TICK, seconds=quiet)
        lag = self._untimely_lag()
        trouble = Trouble.ALL_REFUSED if lag is None else Trouble.WRONG_TIME
        return _Condition(FeedState.SILENT, trouble, seconds=quiet, lag=lag)

    def _untimely_lag(self) -> float | None:
        """The lag of the stamps, if that is why none is in time."""
        lag = self.recent_lag()
        if lag is None:
            lag = self._skew
        return None if lag is None or -MAX_LEAD_SEC <= lag <= MAX_AGE_SEC else lag

    def _tick_age(self, now: float) -> float | None:
        if self._last_tick_at is None:
            return None
        return _passed(self._last_tick_at, self._last_tick_loop_at, now)

    def _rate(self) -> float | None:
        rates = list(self._rates)
        if len(rates) < 2 or rates[-1][0] <= rates[0][0]:
            return None
        (first, before), (last, after) = rates[0], rates[-1]
        return (after - before) / (last - first)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _closed(error: ConnectionClosed) -> _EndedError:
    """By its code alone: the text is the other side's."""
    frame = error.rcvd or error.sent
    return _EndedError(Trouble.CONNECTION_CLOSED, code=frame.code if frame else 1006)


def _passed(clock_at: float, loop_at: float, now: float) -> float:
    """Seconds since an instant: by the worker's clock, or the loop's where that was set back."""
    passed = now - clock_at
    return passed if passed >= 0 else time.monotonic() - loop_at


def _raise_cancellation() -> None:
    """Raise what a task group that was failing at that moment has swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def allot(wanted: Mapping[Asset, Sequence[str]], limit: int) -> dict[Asset, list[str]]:
    """The symbols that fit into an account-wide ``limit``, each class giving up its last ones.

    The classes take turns, so that a long list of one leaves room for the others.
    """
    chosen: dict[Asset, list[str]] = {asset: [] for asset in wanted}
    room = limit
    longest = max(map(len, wanted.values()), default=0)
    for place in range(longest):
        for asset, symbols in wanted.items():
            if place < len(symbols) and room > 0:
                chosen[asset].append(symbols[place])
                room -= 1
    return chosen
