"""FeedStatus: what is true of a feed at one instant, in enums and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gate import HeldBack, Reason
from sessions import MarketHours
from ticks import Asset

__all__ = ["FeedState", "FeedStatus", "Lately", "Refusal", "Role", "Trouble"]

_LEAST_WRONG: Final = 3
"""Fewer that are held back or unreadable say nothing of a feed: a real jump begins with two."""


class FeedState(StrEnum):
    """What is true of a feed's connection and of what comes through it."""

    CONNECTING = "connecting"
    LIVE = "live"
    HELD_BACK = "held back"
    UNREADABLE = "unreadable"
    SILENT = "silent"
    MAINTENANCE = "maintenance"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    CLOSED = "closed market"
    OFF = "off"


class Trouble(StrEnum):
    """Why a feed is in the state it is in; whoever shows it finds the words."""

    NONE = ""
    NO_SYMBOLS = "no symbols"
    NO_VENDOR = "no vendor"
    """Nobody is asked for the asset class."""
    STOPPED = "stopped"
    NO_ANSWER = "no answer"
    """No connection was open after ``seconds``."""
    NO_CONNECTION = "no connection"
    """The network's answer is ``code``, an errno; None: no address answered."""
    NAME_NOT_FOUND = "name not found"
    """The vendor's address was not found in the network."""
    CERTIFICATE = "certificate"
    """The certificate of ``host`` is not accepted, for a reason that OpenSSL gives ``code``."""
    NOT_SECURE = "not secure"
    """The connection could not be encrypted."""
    NO_WEBSOCKET = "no websocket"
    """Something answered that does not speak WebSocket."""
    HTTP_ERROR = "http error"
    """The vendor answered with the HTTP status ``code``."""
    KEY_REFUSED = "key refused"
    """The vendor refused the key with ``code``."""
    PLAN_REFUSED = "plan refused"
    """The key's plan does not include the stream: ``code``."""
    THROTTLED = "throttled"
    """Too many connections for the vendor."""
    CONNECTION_LIMIT = "connection limit"
    """The account's connections are in use, here or elsewhere."""
    UNAVAILABLE = "unavailable"
    """The vendor does not serve this place: ``code``; it is not asked again."""
    NOT_ACCEPTED = "not accepted"
    """The vendor did not accept the key within ``seconds``."""
    BAD_REQUEST = "bad request"
    """The vendor did not understand the subscription: ``code``."""
    VENDOR_ERROR = "vendor error"
    """The vendor reported an error of its own: ``code``."""
    CONNECTION_CLOSED = "connection closed"
    """By the other side, with the WebSocket code ``code``."""
    PROTOCOL_BROKEN = "protocol broken"
    """We ended the connection with the WebSocket code ``code``: what came broke the protocol."""
    NO_SIGN_OF_LIFE = "no sign of life"
    """We ended the connection: nothing came for ``seconds``, nor an answer to a ping."""
    NOT_READ = "not read"
    """We ended the connection: the other side asked for answers and did not read them."""
    SILENCE = "silence"
    """The connection was abandoned after ``seconds`` without data."""
    RENEWED = "renewed"
    """Begun again after the computer slept for ``seconds``."""
    RENEWAL = "renewal"
    """Begun again because the vendor ends every connection at its time, or announced that it would
    end this one."""
    MAINTENANCE = "maintenance"
    """The vendor says that it is in maintenance, so that no price is to be expected."""
    FIRST_TICK = "first tick"
    """The first tick is waited for."""
    JUST_OPENED = "just opened"
    """The market has just opened, and the first tick is waited for."""
    HELD_BACK = "held back"
    """Most prices of its last seconds are far off and unconfirmed: ``lately`` and ``held``."""
    UNREADABLE = "unreadable"
    """``frames`` that came could not be read: most of those of its last seconds, or all that came
    for so long that the feed would be silent or its connection ended."""
    NO_TICK = "no tick"
    """No tick came for ``seconds``."""
    ALL_REFUSED = "all refused"
    """No tick for ``seconds``: all that came was refused by the gate."""
    WRONG_TIME = "wrong time"
    """The same, because the vendor's stamps lag this computer's clock by ``lag``."""
    SYMBOLS_REFUSED = "symbols refused"
    """The vendor refused every symbol: ``refused_symbols``."""
    TAPE_ENDED = "tape ended"


class Role(StrEnum):
    """What a feed is for at the moment."""

    SERVING = "serving"
    """The prices of some symbols are its own."""
    ON_TRIAL = "on trial"
    """Its prices are judged and not shown: its vendor was passed over, or is about to serve."""


class Refusal(StrEnum):
    """Why a vendor does not send a symbol."""

    SYMBOL_LIMIT = "symbol limit"
    """The account may watch no more of them at once."""
    NOT_COVERED = "not covered"
    """The key's plan does not include it."""
    UNKNOWN = "unknown"
    """The vendor has no such symbol."""
    UNCONFIRMED = "unconfirmed"
    """The vendor, which confirms what it sends, did not confirm it."""


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
    frames: int | None = None
    """These four as ``trouble`` says."""
    attempt: int = 0
    """Which attempt to connect is next, if there is no connection; 0: one that was asked for, or
    none, as the vendor does not serve this place."""
    retry_at: float | None = None
    """When it is due, by the source's clock; None: now, or there is no need."""
    ticks: int = 0
    ticks_per_sec: float | None = None
    last_tick_age: float | None = None
    """In seconds."""
    reconnects: int = 0
    missed: int = 0
    """Trades that happened and never came, as the vendor's numbering of them tells."""
    ignored: int = 0
    """Messages of a form that tells nothing here, as vendors add them without notice."""
    dropped: int = 0
    """Ticks that made room for newer ones in the queue."""
    refused: Mapping[Reason, int] = field(default_factory=dict)
    """Refused prices by the gate's reason."""
    held: tuple[HeldBack, ...] = ()
    """The symbols of which a price is held back."""
    lately: Lately = Lately()
    asked: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    never_heard: tuple[str, ...] = ()
    """Symbols of which no price ever came, though others of their class have traded for long."""
    refused_symbols: Mapping[str, Refusal] = field(default_factory=dict)
    """Symbols that the vendor does not send, and why."""
    halted: Mapping[str, float] = field(default_factory=dict)
    """Symbols in which trading is halted, as the vendor says, and since when."""
    over_limit: tuple[str, ...] = ()
    """Symbols that found no room in the account's limit, ..."""
    symbol_limit: int | None = None
    """... which is this many."""
    hours: MarketHours
    skew: float | None = None
    """By how many seconds the vendor's stamps lag the clock, negative if they are ahead of it."""
    host: str = ""
    """The name of the vendor's host; empty if the feed never ran."""
    key_setting: str = ""
    """The setting that holds the vendor's key, or both if there are two; empty if it wants none."""
    role: Role = Role.SERVING
    serves: tuple[str, ...] = ()
    """The symbols whose prices are this feed's."""
    instead_of: tuple[str, ...] = ()
    """The vendors that were passed over for this feed's, ..."""
    since: float | None = None
    """... since when, by the source's clock; on trial: since when the vendor is passed over. None:
    nobody was."""
    behind: tuple[str, ...] = ()
    """The vendors that stand by, the next one first."""
