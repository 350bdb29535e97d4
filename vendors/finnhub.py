"""Finnhub: how one talks to its stream of US stocks, and what it answers.

Nothing is confirmed there, and nothing has a number: what is refused, what is old, and what came
before is told by what comes and when.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from ticks import Asset
from vendors.rejections import rejection
from vendors.values import number, read_singly, us_stock
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick

__all__ = ["SYMBOL_LIMIT", "Finnhub", "Pace"]

SYMBOL_LIMIT: Final = 50
"""The symbols that a free key may watch at once."""

_SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType(
    {"stocks": 120.0, "forex": math.inf, "crypto": math.inf}
)

_PINGS_SEC: Final = 150.0
"""It pings by message about once a minute."""

_BEFORE_SEC: Final = 5.0
"""A trade that is older than its connection by more than this was sent before, and is no news: the
vendor is never so late. ..."""
_OLD_SEC: Final = 60.0
"""... One that is older than this is old anyway, or the clock is wrong."""

_INVALID: Final = "invalid symbol "

_ERRORS: Final[Sequence[tuple[str, NoticeKind]]] = (
    ("too many symbols", NoticeKind.SYMBOL_LIMIT),
    ("invalid api key", NoticeKind.KEY_REFUSED),
    ("invalid token", NoticeKind.KEY_REFUSED),
    ("don't have access", NoticeKind.PLAN_REFUSED),
    ("limit reached", NoticeKind.THROTTLED),
)
"""What the text of an error holds, in lower case, and what it means then."""


class _Trade(msgspec.Struct, gc=False):
    s: Any = None
    p: Any = None
    t: Any = None
    v: Any = None


class _Message(msgspec.Struct, gc=False):
    type: str = ""
    data: list[_Trade] | None = None
    msg: Any = None


class _Envelope(msgspec.Struct, gc=False):
    """A message whose data are still to be read."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Message).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_trade = msgspec.json.Decoder(_Trade).decode

_UNREADABLE: Final = Notice(NoticeKind.UNREADABLE)
_ALIVE: Final = Notice(NoticeKind.ALIVE)
_IGNORED: Final = Notice(NoticeKind.IGNORED)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between what is sent, in seconds."""

    spacing_sec: float = 0.05
    """Between two subscriptions."""
    refused_sec: float = 300.0
    """A name that is refused is asked for again: good ones were refused for three quarters of an
    hour."""


class _Talk:
    """One connection's dialogue: a subscription for each symbol, one after the other.

    A symbol that is over the limit is refused without its name. There is room for those that were
    asked for first, so as many of the last ones are refused as there were refusals, but for those
    that are heard.
    """

    def __init__(self, names: Mapping[str, str], pace: Pace) -> None:
        self.is_accepted = False
        self._names = names
        """Our symbols by the vendor's names."""
        self._pace = pace
        self._to_ask = list(names)
        self._asked: tuple[str, ...] = ()
        self._heard: set[str] = set()
        self._invalid: Mapping[str, NoticeKind] = {}
        self._limited = 0
        """How many refusals named no symbol."""
        self._ask_at = -math.inf
        self._begun_at = math.nan
        """When the first frame came, by the source's clock."""

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The refused symbols, without those that are heard."""
        invalid = {s: why for s, why in self._invalid.items() if s not in self._heard}
        if not self._limited:
            return invalid
        others = [s for s in self._asked if s not in self._heard and s not in invalid]
        limited = dict.fromkeys(others[-self._limited :], NoticeKind.SYMBOL_LIMIT)
        return {**limited, **invalid}

    def begin(self) -> Sequence[str]:
        """Nothing yet: the key was accepted with the connection, and subscriptions are spaced."""
        self.is_accepted = True
        return ()

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice]:
        """What a frame means; trades that are older than the connection are no fresh ones."""
        if math.isnan(self._begun_at):
            self._begun_at = now
        try:
            message = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return self._receive_parts(frame)
        if message.type == "trade":
            return [self._trade(one) for one in message.data or ()]
        if message.type == "ping":
            return (_ALIVE,)
        if message.type == "error":
            return (self._fail(message.msg),)
        return (_IGNORED if message.type else _UNREADABLE,)

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """The next subscription, no sooner after the last one than is allowed."""
        if now < self._ask_at:
            return (), self._ask_at
        if not self._to_ask:
            invalid = self._invalid.keys() - self._heard
            self._to_ask = [name for name, ours in self._names.items() if ours in invalid]
            if not self._to_ask:
                return (), math.inf
        name = self._to_ask.pop(0)
        ours = self._names[name]
        if ours not in self._asked:
            self._asked = (*self._asked, ours)
        self._ask_at = now + (self._pace.spacing_sec if self._to_ask else self._pace.refused_sec)
        return (json.dumps({"type": "subscribe", "symbol": name}),), self._ask_at

    def _receive_parts(self, frame: bytes) -> Sequence[RawTick | Notice]:
        """A frame of which something is not as expected: what can be read of it, is."""
        try:
            envelope = _decode_envelope(frame)
            if envelope.type != "trade":
                return (_IGNORED if envelope.type else _UNREADABLE,)
            trades = read_singly(envelope.data, _decode_trade)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return (_UNREADABLE,)
        return [_UNREADABLE if one is None else self._trade(one) for one in trades]

    def _trade(self, trade: _Trade) -> RawTick | Notice:
        """A trade, or a price without one; what its conditions mean is not known."""
        name, ts = trade.s, number(trade.t) / 1000.0
        if not isinstance(name, str) or not name or math.isnan(ts):
            return _UNREADABLE
        ours = self._names.get(name)
        if ours is not None:
            self._heard.add(ours)
        is_before = _BEFORE_SEC < self._begun_at - ts <= _OLD_SEC
        try:
            # Trades come up to three times, and again on the next connection. Two that are alike in
            # all of this are the same price anyway.
            identity = hash((ts, trade.p, trade.v))
        except TypeError:
            identity = None
        # Past the constructor of named tuples, which takes twice as long: this is the hot path.
        return tuple.__new__(
            RawTick, (ours or name, ts, number(trade.p), "", "", is_before, identity)
        )

    def _fail(self, said: object) -> Notice:
        text = said if isinstance(said, str) else ""
        if text.lower().startswith(_INVALID):
            ours = self._names.get(text[len(_INVALID) :].strip())
            if ours is None:
                return _IGNORED
            # A new dictionary each time: other threads read the one there was.
            self._invalid = {**self._invalid, ours: NoticeKind.SYMBOL_UNKNOWN}
            return Notice(NoticeKind.SYMBOL_UNKNOWN)
        found = (kind for part, kind in _ERRORS if part in text.lower())
        kind = next(found, NoticeKind.IGNORED)
        if kind is NoticeKind.SYMBOL_LIMIT:
            self._limited = min(self._limited + 1, len(self._names))
        return Notice(kind)


@dataclass(frozen=True, slots=True)
class Finnhub:
    """Finnhub with one account's key: US stocks."""

    url: str = "wss://ws.finnhub.io"
    key: str = field(default="", repr=False)
    name: str = "Finnhub"
    key_setting: str = "FINNHUB_API_KEY"
    assets: Sequence[Asset] = ("stocks",)
    has_contiguous_ids: bool = False
    spacing_sec: float = 5.0
    renew_sec: float | None = None
    connections: int | None = 1
    """A second one ends both."""
    symbol_limit: int | None = SYMBOL_LIMIT
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: _SILENCE_SEC)
    heartbeat_sec: float | None = _PINGS_SEC
    pace: Pace = Pace()

    @property
    def secrets(self) -> Sequence[str]:
        """The key, as it is and as it stands in the address."""
        return (self.key, quote(self.key, safe="")) if self.key else ()

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """The address, which is one for all. It holds the key: never log it."""
        return f"{self.url.rstrip('/')}?token={quote(self.key, safe='')}"

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None: the key is in the address."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """``BRK.B`` for ``BRK-B``."""
        return us_stock(symbol) if asset == "stocks" else None

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        return rejection(status, wants_key=True)

    def closing(self, code: int) -> NoticeKind | None:
        """Nothing: connections end at any time, and the code does not tell why."""
        return None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        names = {self.symbol(asset, symbol): symbol for symbol in symbols}
        return _Talk({name: s for name, s in names.items() if name}, self.pace)
