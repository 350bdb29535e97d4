"""What every wire format is translated into, and what a vendor fulfils: Vendor and Dialogue.

One module per vendor beside this one. A dialogue does no I/O and reads no clock: a feed sends what
it says, hands it every frame received, and asks it again when it wants to be asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from ticks import Asset

__all__ = [
    "Dialogue",
    "Flaw",
    "Halt",
    "MarketState",
    "Notice",
    "NoticeKind",
    "RawTick",
    "Vendor",
]

Flaw = Literal["", "crossed", "condition"]
MarketState = Literal["", "open", "extended", "closed"]


class RawTick(NamedTuple):
    """A price as the vendor sent it, not yet trusted."""

    symbol: str
    """In our spelling, not in the vendor's."""
    ts: float
    """Event time in seconds since the epoch."""
    price: float
    """A trade's price or a quote's mid; NaN if the vendor sent no number, or half a quote."""
    flaw: Flaw
    """What the vendor's own fields say against it."""
    market: MarketState = ""
    """What the vendor says of the market at that time; empty if it says nothing."""
    is_snapshot: bool = False
    """Whether the vendor marks the price as not fresh, as of a trade before the subscription."""
    trade_id: int | None = None
    """The vendor's number of this trade of the symbol; None if it gives none, as of a quote."""


class Halt(NamedTuple):
    """The vendor's word on whether trading in a symbol is halted."""

    symbol: str
    """In our spelling."""
    ts: float
    """Since when, in seconds since the epoch."""
    is_halted: bool
    """False: trading goes on."""


class NoticeKind(StrEnum):
    """What a frame that holds no price means for the connection."""

    AUTHORIZED = "authorized"
    """The vendor accepts the key."""
    SUBSCRIBED = "subscribed"
    """The vendor accepts a subscription, or a part of one."""
    ALIVE = "alive"
    """A heartbeat, or the answer to a ping."""
    SYMBOL_LIMIT = "symbol limit"
    """A subscription exceeds the account's limit."""
    SYMBOLS_REFUSED = "symbols refused"
    """The vendor does not have these symbols, or not for this key."""
    SYMBOL_UNKNOWN = "symbol unknown"
    """The vendor has no such symbol."""
    UNCONFIRMED = "unconfirmed"
    """A symbol was asked for, and the vendor, which would confirm it, does not."""
    KEY_REFUSED = "key refused"
    PLAN_REFUSED = "plan refused"
    """The account is known, but its plan does not include this stream."""
    BAD_REQUEST = "bad request"
    """The vendor does not understand what was sent."""
    THROTTLED = "throttled"
    """The vendor wants fewer connections."""
    CONNECTION_LIMIT = "connection limit"
    """The account's connections are in use: by somebody else, or by one that ended badly."""
    UNAVAILABLE = "unavailable"
    """The vendor does not serve this place (HTTP 451): it will not, however often it is asked."""
    SERVER_ERROR = "server error"
    MAINTENANCE = "maintenance"
    """The vendor is there and pauses its market: no price is to be expected, ..."""
    RESUMED = "resumed"
    """... until it goes on."""
    RENEW = "renew"
    """The vendor is about to end the connection, as planned: another one is to be begun."""
    IGNORED = "ignored"
    """A message of a form that is known, or might be new, and that tells nothing here."""
    UNREADABLE = "unreadable"
    """The frame is neither a price nor anything that this vendor is known to say."""


class Notice(NamedTuple):
    """What a vendor says beside prices."""

    kind: NoticeKind
    code: int | None = None
    """The vendor's own, if it gives one; cut if it is longer than any true one."""


class Dialogue(Protocol):
    """The talk on one connection, from its opening to its end; a new connection gets a new one."""

    @property
    def is_accepted(self) -> bool:
        """Whether the vendor accepts this client, so that prices may be expected."""

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The symbols that the vendor does not send, and why: ``SYMBOL_LIMIT``,
        ``SYMBOLS_REFUSED``, ``SYMBOL_UNKNOWN`` or ``UNCONFIRMED``. A mapping that was handed out
        does not change.
        """

    def begin(self) -> Sequence[str]:
        """The frames to send as soon as the connection is open."""

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice | Halt]:
        """What a received frame means; any number of prices, notices and halts. Never raises.

        ``now`` is the source's time, for vendors that stamp nothing themselves.
        """

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """The frames to send at ``now``, and when to ask again; infinity: after the next notice.

        Asked after ``begin``, at the time it named, and after each frame that held a notice. Here
        ``now`` is of a clock that nobody sets, in seconds.
        """


class Vendor(Protocol):
    """What is known of a vendor before a connection is open; its ``repr`` shows no key."""

    @property
    def name(self) -> str:
        """What the page calls it."""

    @property
    def key_setting(self) -> str:
        """The setting that holds the key, or both of two; empty if the vendor wants none."""

    @property
    def secrets(self) -> Sequence[str]:
        """All that must never be shown: each key, and as it stands in an address."""

    @property
    def assets(self) -> Sequence[Asset]:
        """The asset classes that it carries."""

    @property
    def has_contiguous_ids(self) -> bool:
        """Whether the trade ids of a symbol count its trades, so that missed ones can be told."""

    @property
    def spacing_sec(self) -> float:
        """The least time between two attempts to connect."""

    @property
    def renew_sec(self) -> float | None:
        """After this long a connection is to be renewed, before the vendor ends it; None: never."""

    @property
    def connections(self) -> int | None:
        """How many connections an account may have at once; None: as many as it needs."""

    @property
    def symbol_limit(self) -> int | None:
        """How many symbols an account may have over all its connections; None: no limit."""

    @property
    def silence_sec(self) -> Mapping[Asset, float]:
        """How long there may be no price while a market is open and trades regularly."""

    @property
    def heartbeat_sec(self) -> float | None:
        """How long there may be no frame at all, if the vendor sends signs of life of its own.

        None: it does not, so that only prices prove that a connection lives.
        """

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """Where to connect for ``symbols``, which are ours and which some vendors want to find
        there. It may hold the key: never log it.
        """

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """The headers of the handshake. They may hold the key: never log them."""

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """The vendor's name for one of our symbols; None if it has no such thing."""

    def rejection(self, status: int) -> NoticeKind:
        """What the HTTP ``status`` means with which the vendor refused a handshake.

        One of ``KEY_REFUSED``, ``PLAN_REFUSED``, ``THROTTLED``, ``CONNECTION_LIMIT``,
        ``UNAVAILABLE``, ``BAD_REQUEST`` and ``SERVER_ERROR``.
        """

    def closing(self, code: int) -> NoticeKind | None:
        """What the vendor means if it ends an open connection with this WebSocket code.

        One of the above; None: nothing but that it ended.
        """

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``, which are ours."""
