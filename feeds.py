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
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, NoReturn, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

import sessions
from gate import MAX_AGE_SEC, MAX_LEAD_SEC, HeldBack, Reason, TickGate, Verdict
from sessions import CorrectedHours, MarketHours, Session
from ticks import Asset, Tick
from vendors.wire import Notice, NoticeKind, RawTick, Vendor

__all__ = [
    "Backoff",
    "Feed",
    "FeedState",
    "FeedStatus",
    "HeldBack",
    "Lately",
    "Refusal",
    "TickQueue",
    "Timing",
    "Trouble",
    "allot",
]

_logger = logging.getLogger(__name__)

_RATE_SEC: Final = 10
"""Ticks per second are counted over this many seconds."""

_SKEW_SEC: Final = 60
"""The lag of the vendor's stamps is the least of this many seconds, ..."""

_RECENT_SEC: Final = 3
"""... and its newest value that of this many."""

_LATEST_SEC: Final = 3.0
"""Nobody waits longer than this for a late price, so that how late the later ones are is nothing to
go by."""

_EXCUSED_OF: Final = 30
"""Of this many seconds one may have a price that is later than what is called late."""

_JUDGED_SEC: Final = 60
"""What came lately is that of ``_RATE_SEC``, or of as many more seconds up to this as hold ..."""

_JUDGED: Final = 5
"""... this many prices and unreadable frames."""

_LEAST_WRONG: Final = 3
"""Fewer that are held back or unreadable say nothing of a feed: a real jump begins with two."""

_SKEW_PRICES: Final = 5
"""Fewer stamps in that minute say nothing about the clocks: some trades are reported late."""

_INSTANT_SEC: Final = 1e-3
"""Waits shorter than this are skipped: rounding may leave one that no clock can measure."""

_MAX_FRAME_BYTES: Final = 64 * 1024
"""Vendors' messages have some hundred bytes; a longer one ends the connection."""

_LONGEST_WAIT_SEC: Final = 3600.0
"""The longest wait that a vendor may ask for: one mistake must not stop a feed for days."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A feed's waiting times, in seconds."""

    open_sec: float = 10.0
    accept_sec: float = 10.0
    close_sec: float = 1.0
    backoff_floor_sec: float = 0.5
    backoff_cap_sec: float = 60.0
    closed_cap_sec: float = 300.0
    """Stands in for ``backoff_cap_sec`` while the market is closed; its opening ends any wait."""
    healthy_sec: float = 30.0
    """Backoff is forgotten after a valid tick on a connection that lived this long."""
    refused_sec: float = 300.0
    """What was refused is asked for again after this long: asking more often changes nothing."""
    throttled_sec: float = 60.0
    thin_sec: float = 600.0
    """Replaces a shorter silence before and after regular hours, when minutes may pass between
    trades; and what silence comes to in the end if one connection after the other is silent."""


class FeedState(StrEnum):
    """What is true of a feed's connection and of what comes through it."""

    CONNECTING = "connecting"
    LIVE = "live"
    HELD_BACK = "held back"
    UNREADABLE = "unreadable"
    SILENT = "silent"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    CLOSED = "closed market"
    OFF = "off"


class Trouble(StrEnum):
    """Why a feed is in the state it is in; whoever shows it finds the words."""

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
    """Something answered that does not speak WebSocket."""
    HTTP_ERROR = "http error"
    """The vendor answered with the HTTP status ``code``."""
    KEY_REFUSED = "key refused"
    """The vendor refused the key with ``code``."""
    THROTTLED = "throttled"
    """Too many connections for the vendor."""
    NOT_ACCEPTED = "not accepted"
    """The vendor did not accept the key within ``seconds``."""
    BAD_REQUEST = "bad request"
    """The vendor did not understand the subscription: ``code``."""
    VENDOR_ERROR = "vendor error"
    """The vendor reported an error of its own: ``code``."""
    CONNECTION_CLOSED = "connection closed"
    """With the WebSocket code ``code``."""
    SILENCE = "silence"
    """The connection was abandoned after ``seconds`` without data."""
    RENEWED = "renewed"
    """Begun again after the computer slept for ``seconds``."""
    FIRST_TICK = "first tick"
    """The first tick is waited for."""
    JUST_OPENED = "just opened"
    """The market has just opened, and the first tick is waited for."""
    HELD_BACK = "held back"
    """Most prices of its last seconds are far off and unconfirmed: ``lately`` and ``held``."""
    UNREADABLE = "unreadable"
    """Most frames of its last seconds could not be read: ``lately``."""
    NO_TICK = "no tick"
    """No tick came for ``seconds``."""
    ALL_REFUSED = "all refused"
    """No tick for ``seconds``: all that came was refused by the gate."""
    WRONG_TIME = "wrong time"
    """The same, because the vendor's stamps lag this computer's clock by ``lag``."""
    SYMBOLS_REFUSED = "symbols refused"
    """The vendor refused every symbol: ``refused_symbols``."""
    TAPE_ENDED = "tape ended"


class Refusal(StrEnum):
    """Why a vendor does not send a symbol."""

    SYMBOL_LIMIT = "symbol limit"
    """The account may watch no more of them at once."""
    NOT_COVERED = "not covered"
    """The key's plan does not include it."""
    UNKNOWN = "unknown"
    """The vendor has no such symbol."""


_REFUSALS: Final[Mapping[NoticeKind, Refusal]] = {
    NoticeKind.SYMBOL_LIMIT: Refusal.SYMBOL_LIMIT,
    NoticeKind.SYMBOLS_REFUSED: Refusal.NOT_COVERED,
}


@dataclass(frozen=True, slots=True)
class Lately:
    """What came through a feed in its last seconds, in numbers."""

    ticks: int = 0
    held: int = 0
    """Prices that were far off and are not confirmed."""
    unreadable: int = 0
    """Frames."""

    @property
    def are_most_held(self) -> bool:
        """Whether most of the prices are held back."""
        return self.held > self.ticks and self.held >= _LEAST_WRONG

    @property
    def are_most_unreadable(self) -> bool:
        """Whether most of what came could not be read."""
        is_most = self.unreadable > self.ticks + self.held
        return is_most and self.unreadable >= _LEAST_WRONG


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
    """Which attempt to connect is next, if there is no connection; 0: one that was asked for."""
    retry_at: float | None = None
    """When it is due, by the source's clock; None: now, or there is no need."""
    ticks: int = 0
    ticks_per_sec: float | None = None
    last_tick_age: float | None = None
    """In seconds."""
    reconnects: int = 0
    dropped: int = 0
    """Ticks that made room for newer ones in the queue."""
    refused: Mapping[Reason, int] = field(default_factory=dict)
    """Refused prices by the gate's reason."""
    held: tuple[HeldBack, ...] = ()
    """The symbols of which a price is held back."""
    lately: Lately = Lately()
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
        self._last_prices: deque[Tick] = deque()
        self._filled = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Number of ticks that made room for newer ones, by asset class."""

    def add(self, tick: Tick) -> None:
        """Add a tick; never waits."""
        ticks = self._ticks
        if len(ticks) >= self._max_ticks:
            self.dropped[ticks.popleft().asset] += 1
        ticks.append(tick)
        self._filled.set()

    def add_last_price(self, tick: Tick) -> None:
        """Add a tick that may only set a missing last price."""
        if len(self._last_prices) >= self._max_ticks:
            self.dropped[self._last_prices.popleft().asset] += 1
        self._last_prices.append(tick)
        self._filled.set()

    async def wait(self) -> None:
        """Return when the queue is not empty."""
        await self._filled.wait()

    def drain(self) -> tuple[list[Tick], list[Tick]]:
        """Empty the queue: the ticks in order of arrival, and those for a last price only."""
        ticks, last_prices = list(self._ticks), list(self._last_prices)
        self._ticks.clear()
        self._last_prices.clear()
        self._filled.clear()
        return ticks, last_prices

    def __len__(self) -> int:
        return len(self._ticks)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: full jitter over an exponential, with a floor."""

    floor_sec: float = 0.5
    cap_sec: float = 60.0
    attempt: int = 0
    """Which attempt in a row is next; 0: nothing has failed."""

    def failed(self) -> Self:
        """After another attempt that failed."""
        return replace(self, attempt=self.attempt + 1)

    def reset(self) -> Self:
        """As if nothing had failed."""
        return replace(self, attempt=0)

    def wait_sec(self, jitter: float) -> float:
        """The wait for a ``jitter`` in [0, 1): from the floor to 2 to the power of ``attempt``."""
        longest = min(self.cap_sec, 2.0 ** min(self.attempt, 30))
        return self.floor_sec + jitter * max(0.0, longest - self.floor_sec)


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
        is_refusal: bool = False,
        wait_sec: float | None = None,
    ) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.code = code
        self.seconds = seconds
        self.is_refusal = is_refusal
        self.wait_sec = wait_sec

    def condition(self, state: FeedState) -> _Condition:
        """The feed's condition after this, in ``state``."""
        return _Condition(state, self.trouble, self.code, self.seconds)


# Opening a connection.


class _WireLog(logging.LoggerAdapter[logging.Logger]):
    """The library's log without DEBUG, at which it prints the request line, key included."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in logging
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """The library's ``connect``, following no redirect: the key is for one host alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _open(
    make: Callable[..., Awaitable[ClientConnection]],
    url: str,
    vendor: Vendor,
    asset: Asset,
    timing: Timing,
) -> ClientConnection:
    """Open a connection to ``url``, which may hold the key.

    Raises:
        _EndedError: if there is none, without any text of the other side or of the library.
    """
    try:
        is_local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
        return await make(
            url,
            additional_headers=vendor.headers(asset),
            open_timeout=timing.open_sec,
            close_timeout=timing.close_sec,
            max_size=_MAX_FRAME_BYTES,
            compression=None,
            # A proxy of the environment is for the world, not for this machine.
            proxy=None if is_local else True,
            logger=_WireLog(logging.getLogger("websockets.client")),
        )
    except InvalidStatus as error:
        raise _rejected(error, vendor, timing) from None
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
        _logger.info("%s feed: no WebSocket: %s", asset, type(error).__name__)
        raise _EndedError(Trouble.NO_WEBSOCKET) from None


def _rejected(error: InvalidStatus, vendor: Vendor, timing: Timing) -> _EndedError:
    code = error.response.status_code
    kind = vendor.rejection(code)
    if kind is NoticeKind.THROTTLED:
        # Not get(), which raises if the header is repeated.
        after = next(iter(error.response.headers.get_all("Retry-After")), "")
        wait_sec = float(after) if after.isdecimal() else 0.0
        return _EndedError(
            Trouble.THROTTLED, wait_sec=max(min(wait_sec, _LONGEST_WAIT_SEC), timing.throttled_sec)
        )
    if kind is NoticeKind.KEY_REFUSED:
        return _refused(Trouble.KEY_REFUSED, code, timing)
    if kind is NoticeKind.BAD_REQUEST:
        return _refused(Trouble.HTTP_ERROR, code, timing)
    return _EndedError(Trouble.HTTP_ERROR, code=code)


def _refused(trouble: Trouble, code: int | None, timing: Timing) -> _EndedError:
    return _EndedError(trouble, code=code, is_refusal=True, wait_sec=timing.refused_sec)


def _closed(error: ConnectionClosed) -> _EndedError:
    """By its code alone: the text is the other side's."""
    frame = error.rcvd or error.sent
    return _EndedError(Trouble.CONNECTION_CLOSED, code=frame.code if frame else 1006)


# What outlives a connection.


class _Lags(NamedTuple):
    """How far the stamps of one second's prices lagged the clock."""

    least: float
    most: float
    lead: float
    prices: int


class _LagMeter:
    """How far the vendor's stamps lag the clock, second by second: the least is the truest.

    A price takes its time on the way, and none arrives before it was sent. One stamped so early
    that it was refused counts only if none was in time: a single one is rubbish.
    """

    def __init__(self) -> None:
        self._seconds: deque[_Lags] = deque(maxlen=_SKEW_SEC)
        self._prices = 0
        # Of the current second. Infinite if there was none.
        self.least = math.inf
        self.most = -math.inf
        """Of those that entered and were not too late to be waited for."""
        self.lead = math.inf
        """By how much the least early of the refused prices was ahead of the clock."""

    def end_second(self, prices: int) -> None:
        """Begin another second; ``prices`` is how many ever came until then."""
        self._seconds.append(_Lags(self.least, self.most, self.lead, prices - self._prices))
        self._prices = prices
        self._begin()

    def reset(self) -> None:
        """Begin from nothing."""
        self._seconds.clear()
        self._begin()

    def recent(self) -> float | None:
        """The lag of the last seconds, negative if the stamps are ahead; None if none came."""
        return self._over(_RECENT_SEC)

    def lasting(self) -> float | None:
        """The lag of the last minute, likewise; None if too few came to tell."""
        is_enough = sum(lags.prices for lags in self._seconds) >= _SKEW_PRICES
        return self._over(_SKEW_SEC) if is_enough else None

    def latest(self) -> float | None:
        """How late the last minute's prices came, but for single ones; None if none came."""
        most = [self.most, *(lags.most for lags in self._seconds)]
        known = sorted((lag for lag in most if lag > -math.inf), reverse=True)
        return known[len(known) // _EXCUSED_OF] if known else None

    def _begin(self) -> None:
        self.least = self.lead = math.inf
        self.most = -math.inf

    def _over(self, seconds: int) -> float | None:
        newest = list(self._seconds)[-seconds:]
        least = min([self.least, *(lags.least for lags in newest)])
        if least < math.inf:
            return least
        lead = min([self.lead, *(lags.lead for lags in newest)])
        return -lead if lead < math.inf else None


class _Counts(NamedTuple):
    """What had ever come through a feed at the end of a second."""

    at: float
    """The end of the second, by the source's clock."""
    ticks: int
    held: int
    unreadable: int


class _Meter:
    """What came through a feed's connections: how much, how fast, how late.

    ``refused`` is the gate's. One thread writes; any thread may read.
    """

    def __init__(self, monotonic: Callable[[], float], refused: Counter[Reason]) -> None:
        self._monotonic = monotonic
        self._refused = refused
        self._counts: deque[_Counts] = deque(maxlen=_JUDGED_SEC + 1)
        self.prices = 0
        """Prices received, those that were refused and unreadable frames included."""
        self.ticks = 0
        """Prices that entered."""
        self.ticked_at = -math.inf, 0.0
        """When the last one came: by the source's clock, and by the monotonic one."""
        self.lags = _LagMeter()
        self.skew: float | None = None

    def end_second(self, now: float) -> None:
        """Note the counts and the lag of another second."""
        self._counts.append(self._count(now))
        self.lags.end_second(self.prices)
        self.skew = self.lags.lasting()

    def reset(self) -> None:
        """Forget what was measured by a clock that has jumped."""
        self.lags.reset()
        self.skew = None
        self._counts.clear()

    def rate(self) -> float | None:
        """Ticks per second of the last seconds."""
        counts = list(self._counts)[-_RATE_SEC - 1 :]
        if len(counts) < 2 or counts[-1].at <= counts[0].at:
            return None
        before, after = counts[0], counts[-1]
        return (after.ticks - before.ticks) / (after.at - before.at)

    def lately(self) -> Lately:
        """What came in the last seconds, up to now; nothing before two seconds are over."""
        counts, found = list(self._counts), Lately()
        newest = self._count(0.0)
        for seconds, before in enumerate(reversed(counts), 1):
            found = Lately(
                newest.ticks - before.ticks,
                newest.held - before.held,
                newest.unreadable - before.unreadable,
            )
            count = found.ticks + found.held + found.unreadable
            if seconds > _RATE_SEC and count >= _JUDGED:
                break
        return found

    def _count(self, now: float) -> _Counts:
        return _Counts(now, self.ticks, self._refused["far off"], self._refused["shape"])

    def age(self, now: float) -> float | None:
        """Seconds since the last tick; None if there was none."""
        return self.since(self.ticked_at, now) if self.ticks else None

    def since(self, instant: tuple[float, float], now: float) -> float:
        """Seconds since an instant, by the source's clock if that was not set back since."""
        passed = now - instant[0]
        return passed if passed >= 0 else self._monotonic() - instant[1]

    def untimely_lag(self) -> float | None:
        """The lag of the stamps, if that is why none is in time."""
        lag = self.lags.recent()
        lag = self.skew if lag is None else lag
        return None if lag is None or -MAX_LEAD_SEC <= lag <= MAX_AGE_SEC else lag


class _Silence:
    """For how long there may be no price before a connection is suspect."""

    def __init__(self, hours: CorrectedHours, usual_sec: float, thin_sec: float) -> None:
        self._hours = hours
        self._thin_sec = thin_sec
        self.usual_sec = usual_sec
        self.in_a_row = 0
        """How many connections in a row ended for silence without a single tick."""

    def patience(self, now: float) -> float:
        """The usual silence, or a longer one before and after regular hours."""
        if self.usual_sec >= self._thin_sec:
            return self.usual_sec
        # A silence from before regular hours is not held against their beginning.
        phases = (
            self._hours.session(now).phase,
            self._hours.by_calendar(now - self.usual_sec).phase,
        )
        return self._thin_sec if "pre" in phases or "after" in phases else self.usual_sec

    def limit(self, now: float, *, has_ticked: bool) -> float:
        """How long there may be no price before the connection is given up.

        Twice as long after each connection that had none: if it did not help, the next hardly does.
        """
        patience = self.patience(now)
        doublings = 0 if has_ticked else min(self.in_a_row, 30)
        return min(patience * 2.0**doublings, max(patience, self._thin_sec))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a feed is made of and each of its connections uses."""

    vendor: Vendor
    asset: Asset
    symbols: tuple[str, ...]
    queue: TickQueue
    gate: TickGate
    meter: _Meter
    hours: CorrectedHours
    silence: _Silence
    timing: Timing
    clock: Callable[[], float]
    monotonic: Callable[[], float]


class _Connection:
    """One connection and its dialogue, from before it is open to its end."""

    def __init__(self, parts: _Parts, on_accepted: Callable[[], None]) -> None:
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
        self._ticks_before = parts.meter.ticks
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

    async def live(
        self,
        opening: Callable[[], Awaitable[ClientConnection]],
        interruption: Callable[[], Coroutine[None, None, NoReturn]],
    ) -> NoReturn:
        """Open the connection, then talk, read and watch until something ends it.

        ``interruption`` runs beside them from the beginning.

        Raises:
            _EndedError, ConnectionClosed: why it ended.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(interruption())
                self._ws = ws = await opening()
                self._opened_at = self._framed_at = self._parts.monotonic()
                tasks.create_task(self._read(ws))
                tasks.create_task(self._talk(ws))
                tasks.create_task(self._watch())
                if self._parts.vendor.heartbeat_sec is not None:
                    tasks.create_task(self._watch_heartbeat(self._parts.vendor.heartbeat_sec))
        except* (_EndedError, ConnectionClosed) as group:
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
        while True:
            frame = await receive(decode=False)
            now = clock()
            self._framed_at = at = monotonic()
            for raw in understand(frame, now):
                if type(raw) is not RawTick:
                    self._heed(raw)
                    continue
                meter.prices += 1
                self._priced_at = at
                symbol, ts, price, _, market, is_snapshot = raw
                lag = now - ts
                verdict = admit(raw, now)
                if verdict is Verdict.ENTERS:
                    # Not by the constructor of named tuples, which takes twice as long.
                    add(tuple.__new__(Tick, (symbol, asset, ts, price)))
                    meter.ticks += 1
                    meter.ticked_at = now, at
                    if lags.most < lag <= _LATEST_SEC:
                        lags.most = lag
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

    def _note_lead(self, raw: RawTick, now: float) -> None:
        """Note how early a refused price was, if that was its only fault."""
        lead = raw.ts - now
        if MAX_LEAD_SEC < lead < self._parts.meter.lags.lead:
            is_good = 0 < raw.price < math.inf and not raw.flaw
            if is_good and raw.symbol in self._parts.symbols:
                self._parts.meter.lags.lead = lead

    def _heed(self, notice: RawTick | Notice) -> None:
        """Act on what the vendor says beside prices.

        Raises:
            _EndedError: if it is the end of the connection.
        """
        if not isinstance(notice, Notice) or notice.kind is NoticeKind.UNREADABLE:
            self._parts.meter.prices += 1
            self._parts.gate.refuse_shape()
            return
        timing = self._parts.timing
        if notice.kind is NoticeKind.KEY_REFUSED:
            raise _refused(Trouble.KEY_REFUSED, notice.code, timing)
        if notice.kind is NoticeKind.BAD_REQUEST:
            raise _refused(Trouble.BAD_REQUEST, notice.code, timing)
        if notice.kind is NoticeKind.THROTTLED:
            raise _EndedError(Trouble.THROTTLED, wait_sec=timing.throttled_sec)
        if notice.kind is NoticeKind.SERVER_ERROR:
            raise _EndedError(Trouble.VENDOR_ERROR, code=notice.code)
        self._note_acceptance()
        self._noticed.set()

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
            raise _EndedError(Trouble.NOT_ACCEPTED, seconds=parts.timing.accept_sec) from None
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
            elif parts.hours.has_streamed(now, limit) and not self._is_fully_refused():
                parts.silence.in_a_row += 1
                raise _EndedError(Trouble.SILENCE, seconds=limit)
            else:
                await asyncio.sleep(shortest / 4)

    async def _watch_heartbeat(self, limit: float) -> NoReturn:
        """End a connection without any frame: the vendor promises one at least this often."""
        while True:
            left = limit - (self._parts.monotonic() - self._framed_at)
            if left <= _INSTANT_SEC:
                raise _EndedError(Trouble.SILENCE, seconds=limit)
            await asyncio.sleep(left)

    def _is_fully_refused(self) -> bool:
        return len(self.refused) == len(self._parts.symbols)

    def condition(self, now: float) -> _Condition:
        """What comes through the accepted connection."""
        parts = self._parts
        session = parts.hours.session(now)
        if self._is_fully_refused():
            return _Condition(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
        if session.phase == "closed":
            return _Condition(FeedState.CLOSED)
        lately = parts.meter.lately()
        if lately.are_most_unreadable:
            return _Condition(FeedState.UNREADABLE, Trouble.UNREADABLE)
        if lately.are_most_held:
            return _Condition(FeedState.HELD_BACK, Trouble.HELD_BACK)
        patience = parts.silence.patience(now) / 2
        age = parts.meter.age(now) if self.has_ticked else None
        quiet = parts.meter.since(self._expected_at, now) if age is None else age
        if quiet < patience:
            if age is None:
                return _Condition(FeedState.CONNECTING, Trouble.FIRST_TICK)
            return _Condition(FeedState.LIVE)
        if session.since > now - patience and not parts.hours.has_streamed(now, patience):
            return _Condition(FeedState.CONNECTING, Trouble.JUST_OPENED)
        # A night without prices was no silence.
        quiet = min(quiet, now - parts.hours.streams_since(now))
        if parts.monotonic() - self._priced_at >= patience:
            return _Condition(FeedState.SILENT, Trouble.NO_TICK, seconds=quiet)
        lag = parts.meter.untimely_lag()
        trouble = Trouble.ALL_REFUSED if lag is None else Trouble.WRONG_TIME
        return _Condition(FeedState.SILENT, trouble, seconds=quiet, lag=lag)


class Feed:
    """One vendor's prices of one asset class, for as long as ``run`` is running.

    ``clock`` is the source's, ``session`` says which session an instant falls into: a closed market
    may be silent, and its prices enter no window. ``far_off`` is the gate's. ``unasked`` are the
    symbols that found no room in the account's limit. ``rng`` draws the jitter of the backoff.
    ``connect`` opens a connection as that of websockets does, and ``monotonic`` is the loop's time.
    """

    def __init__(
        self,
        vendor: Vendor,
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
        connect: Callable[..., Awaitable[ClientConnection]] = _Connect,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.vendor = vendor
        self.asset = asset
        known = [symbol for symbol in symbols if vendor.symbol(asset, symbol) is not None]
        self._unknown = {s: Refusal.UNKNOWN for s in symbols if s not in known}
        self._asked, self._unasked = tuple(symbols), tuple(unasked)
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._connect = connect
        timing = timing or Timing()
        silence_sec = vendor.silence_sec[asset]
        hours = CorrectedHours(asset, session, silence_sec)
        gate = TickGate(asset, known, hours.by_calendar, far_off)
        self._parts = _Parts(
            vendor,
            asset,
            tuple(known),
            queue,
            gate,
            _Meter(monotonic, gate.refused),
            hours,
            _Silence(hours, silence_sec, timing.thin_sec),
            timing,
            clock,
            monotonic,
        )
        self._heard: frozenset[str] = frozenset()  # on earlier connections
        self._backoff = Backoff(timing.backoff_floor_sec, timing.backoff_cap_sec)
        self._next_at = 0.0  # monotonic
        self._reconnects = 0
        self._ended_closed = False
        """Whether the market was closed when the last connection ended."""
        self._current: _Connection | None = None
        # One object, so that other threads never see a state with the reason of another.
        self._condition = _Condition(FeedState.CONNECTING)
        if not symbols:
            self._condition = _Condition(FeedState.OFF, Trouble.NO_SYMBOLS)
        elif not known:
            self._condition = _Condition(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
        # Set by ``reconnect`` until the next connection begins.
        self._reconnection = asyncio.Event()
        self._slept_sec = 0.0

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
        self._set_condition(_Condition(FeedState.CONNECTING))
        try:
            while True:
                ended = await self._connection(url or self.vendor.address(self.asset))
                _raise_cancellation()
                state = FeedState.CONNECTING if ended.is_refusal else FeedState.RECONNECTING
                is_asked_for = await self._pause()
                self._set_condition((self._asked_for() if is_asked_for else ended).condition(state))
        finally:
            self._set_condition(_Condition(FeedState.OFF, Trouble.STOPPED))

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
        """Note the tick count and the vendor's lag; called once a second."""
        self._parts.meter.end_second(now)

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
        return _LATEST_SEC if lag is None and meter.lately().ticks else lag

    def session(self, now: float) -> Session:
        """The session of ``now``: the calendar's, corrected by what the vendor says of it."""
        return self._parts.hours.session(now)

    def hours(self, now: float) -> MarketHours:
        """The same as a record, with who says so."""
        return self._parts.hours.hours(now)

    def status(self, now: float) -> FeedStatus:
        """What is true of this feed at ``now``; any thread may ask."""
        parts, current, found = self._parts, self._current, self._condition
        if found.state is FeedState.LIVE and current is not None:
            found = current.condition(now)
        is_waiting = found.state in (FeedState.RECONNECTING, FeedState.REFUSED)
        is_waiting = is_waiting and found.trouble is not Trouble.SYMBOLS_REFUSED
        attempt = self._backoff.attempt if is_waiting else 0
        wait_sec = self._next_at - parts.monotonic()
        heard = self._heard if current is None else self._heard.union(current.heard)
        refused = {} if current is None else current.refused
        return FeedStatus(
            vendor=parts.vendor.name,
            key_setting=parts.vendor.key_setting,
            asset=self.asset,
            state=found.state,
            trouble=found.trouble,
            code=found.code,
            seconds=found.seconds,
            lag=found.lag,
            attempt=attempt,
            retry_at=now + wait_sec if attempt and wait_sec > 0 else None,
            ticks=parts.meter.ticks,
            ticks_per_sec=parts.meter.rate(),
            last_tick_age=parts.meter.age(now),
            reconnects=self._reconnects,
            dropped=parts.queue.dropped[self.asset],
            refused=dict(parts.gate.refused),
            held=parts.gate.held_back(now),
            lately=parts.meter.lately(),
            asked=self._asked,
            heard=tuple(sorted(heard)),
            refused_symbols={**self._unknown, **{s: _REFUSALS[k] for s, k in refused.items()}},
            over_limit=self._unasked,
            symbol_limit=parts.vendor.symbol_limit,
            hours=self.hours(now),
            skew=parts.meter.skew,
        )

    async def _connection(self, url: str) -> _EndedError:
        """Run one connection to its end, and return how it ended."""
        parts = self._parts
        self._reconnection.clear()
        if self._current is not None:
            self._heard = self._heard.union(self._current.heard)
        self._current = current = _Connection(parts, self._note_acceptance)
        opening = partial(_open, self._connect, url, parts.vendor, self.asset, parts.timing)
        try:
            # A task of its own: before Python 3.13 a failing task group swallows a cancellation
            # from outside, or leaves one of its own behind; so this task's count stays true.
            await asyncio.create_task(current.live(opening, self._interruption))
        except (_EndedError, ConnectionClosed) as error:
            ended = error if isinstance(error, _EndedError) else _closed(error)
            # Before closing, which may take a second: the feed is not live any more.
            self._note_end(current, ended)
            return ended
        finally:
            await current.close()

    def _note_acceptance(self) -> None:
        self._set_condition(_Condition(FeedState.LIVE))

    async def _interruption(self) -> NoReturn:
        await self._reconnection.wait()
        raise self._asked_for()

    def _asked_for(self) -> _EndedError:
        return _EndedError(Trouble.RENEWED, seconds=self._slept_sec)

    def _note_end(self, connection: _Connection, ended: _EndedError) -> None:
        """Show how the connection ended, and when the next one is due."""
        parts = self._parts
        self._reconnects += 1
        self._next_at = parts.monotonic()
        if ended.trouble is Trouble.RENEWED:
            self._backoff = self._backoff.reset()
        else:
            session = self.session(parts.clock())
            has_opened = self._ended_closed and session.phase != "closed"
            self._ended_closed = session.phase == "closed"
            is_healthy = connection.has_ticked and connection.age >= parts.timing.healthy_sec
            if connection.has_ticked:
                parts.silence.in_a_row = 0
            # A night of hang-ups says nothing about the day.
            backoff = self._backoff.reset() if is_healthy or has_opened else self._backoff
            self._backoff = backoff.failed()
            self._next_at += self._wait_sec(ended, session)
        state = FeedState.REFUSED if ended.is_refusal else FeedState.RECONNECTING
        self._set_condition(ended.condition(state))

    def _wait_sec(self, ended: _EndedError, session: Session) -> float:
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
            async with asyncio.timeout(wait_sec):
                await self._reconnection.wait()
        if not self._reconnection.is_set():
            return False
        self._backoff = self._backoff.reset()
        return True

    def _set_condition(self, condition: _Condition) -> None:
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
