"""Coinbase Exchange: trades of coins without a key, and how one talks to it.

Every trade comes as a message of its own, numbered without a gap for each product; a heartbeat once
a second tells the number of a product's last trade.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from ticks import Asset
from vendors.rejections import rejection
from vendors.values import epoch, number
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick

__all__ = ["SILENCE_SEC", "URL", "Coinbase", "Pace", "product"]

URL: Final = "wss://ws-feed.exchange.coinbase.com"

_PRODUCT: Final = re.compile(r"([A-Z0-9]{1,10})-(USDT|USDC|USD|EUR|GBP|BTC|ETH)")
"""A product's name, which is ours as well."""

_FIAT: Final = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "INR", "CNH"})
"""Money that is traded for no other money here."""

_CHANNELS: Final = ("matches", "heartbeat")

_UNKNOWN: Final = re.compile(r"(.{0,40}) (?:is not a valid product|is delisted)", re.IGNORECASE)
_BAD_REQUEST: Final = re.compile(
    r"is not a valid channel|no channels provided|requires? authentication|malformed|invalid json",
    re.IGNORECASE,
)
_TOO_OFTEN: Final = re.compile(r"rate limit|too many requests", re.IGNORECASE)

SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType({"crypto": 60.0})
"""How long there may be no trade of any product while coins are traded regularly."""

_ANEW: Final = ("unsubscribe", "subscribe")
_ANEW_PATIENCE: Final = 5
"""What was asked for anew and did not help is asked for again this many times later."""

_UNREADABLE: Final = (Notice(NoticeKind.UNREADABLE),)
_IGNORED: Final = (Notice(NoticeKind.IGNORED),)
_ALIVE: Final = (Notice(NoticeKind.ALIVE),)


class _Message(msgspec.Struct, gc=False):
    """The fields of every message of this vendor that matter here."""

    type: str = ""
    product_id: str = ""
    price: Any = None
    time: Any = None
    trade_id: Any = None
    last_trade_id: Any = None
    channels: Any = None
    message: Any = None
    reason: Any = None


_decode = msgspec.json.Decoder(_Message).decode


def product(symbol: str) -> str | None:
    """The name of a product, which is our symbol; None if it is none that could exist.

    >>> product("BTC-USDT"), product("EUR-USD"), product("AAPL")
    ('BTC-USDT', None, None)
    """
    found = _PRODUCT.fullmatch(symbol)
    return symbol if found and found[1] not in _FIAT and found[1] != found[2] else None


def _request(kind: str, products: Sequence[str], channels: Sequence[str] = _CHANNELS) -> str:
    return json.dumps({"type": kind, "product_ids": list(products), "channels": list(channels)})


@dataclass(frozen=True, slots=True)
class Pace:
    """When to ask for products again."""

    answer_sec: float = 2.0
    """How long the confirmation may take after a request, ..."""
    tries: int = 3
    """... of which this many in a row may bring nothing new."""
    refused_sec: float = 300.0
    """What is refused is asked for again after this long: it may be listed by then."""
    behind_beats: int = 5
    """So many heartbeats in a row that know of a newer trade than came are no coincidence."""


@dataclass(slots=True)
class _Newest:
    """Which trade of a product came last, and how many heartbeats knew of a newer one since."""

    trade_id: int = 0
    beats: int = 0


class _Talk:
    """One connection's dialogue: asked for all products, and again for what is not confirmed.

    A refusal names its product, and the others of the request may be accepted or dropped with it:
    what counts is the confirmation, which lists all that is subscribed to. Prices may precede it.
    """

    def __init__(self, symbols: Sequence[str], pace: Pace) -> None:
        self.is_accepted = False
        self._symbols = tuple(symbols)
        self._pace = pace
        self._newest = {symbol: _Newest() for symbol in symbols}
        self._confirmed: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()
        """Refused by name."""
        self._unconfirmed: frozenset[str] = frozenset()
        """Asked for often enough."""
        self._behind: list[str] = []
        """Those of which trades happen and do not come."""
        self._asked = self._symbols
        self._tries = 1
        self._is_resting = False
        """Whether what can be had is had, until ``_until``."""
        self._until: float | None = None

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The products refused by name, and those that are never confirmed."""
        found = dict.fromkeys(self._unconfirmed, NoticeKind.UNCONFIRMED)
        found |= dict.fromkeys(self._unknown, NoticeKind.SYMBOL_UNKNOWN)
        confirmed = self._confirmed
        return {symbol: why for symbol, why in found.items() if symbol not in confirmed}

    def begin(self) -> Sequence[str]:
        """The subscription: who does not ask within five seconds is sent away."""
        return (_request("subscribe", self._symbols),)

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice]:
        """What a frame means, whether it comes before the confirmation or after."""
        try:
            message = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _UNREADABLE
        match message.type:
            case "match":
                return self._traded(message, is_snapshot=False)
            case "heartbeat":
                self._note_beat(message)
                return _ALIVE
            case "last_match":
                return self._traded(message, is_snapshot=True)
            case "subscriptions":
                return self._confirm(message.channels)
            case "error":
                return (Notice(self._note_error(message)),)
            case "":
                return _UNREADABLE
            case _:
                return _IGNORED

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """Ask again for what is neither confirmed nor refused, and now and then for the refused."""
        frames: list[str] = []
        if self._behind:
            # Only this channel: without any subscription the connection would be ended.
            frames += [_request(kind, self._behind, ["matches"]) for kind in _ANEW]
            self._behind = []
        if self._until is None:
            self._until = now + self._pace.answer_sec
        elif now >= self._until:
            asked = self._next_asked()
            if asked:
                frames.append(_request("subscribe", asked))
            if self._is_resting:
                self._until = now + self._pace.refused_sec if self.refused else math.inf
            else:
                self._until = now + self._pace.answer_sec
        return frames, self._until

    def _next_asked(self) -> Sequence[str]:
        """What to ask for now; nothing, and it rests, if that did not help or nothing is left."""
        if self._is_resting:
            self._is_resting, self._tries = False, 1
            self._asked = tuple(self.refused)
            return self._asked
        known = self._confirmed | self._unknown
        pending = tuple(symbol for symbol in self._symbols if symbol not in known)
        self._tries = self._tries + 1 if pending == self._asked else 1
        self._asked = pending
        self._is_resting = not pending or self._tries > self._pace.tries
        if not self._is_resting:
            return pending
        self._unconfirmed = frozenset(pending)
        return ()

    def _traded(self, message: _Message, *, is_snapshot: bool) -> Sequence[RawTick | Notice]:
        symbol, trade_id = message.product_id, message.trade_id
        ts = epoch(message.time)
        if not symbol or math.isnan(ts):
            return _UNREADABLE
        trade_id = trade_id if type(trade_id) is int else None
        newest = self._newest.get(symbol)
        if newest is not None:
            if not is_snapshot:
                newest.beats = 0
            if trade_id is not None and trade_id > newest.trade_id:
                newest.trade_id = trade_id
            if symbol not in self._confirmed:
                self._confirmed |= {symbol}
                self.is_accepted = True
        price = number(message.price)
        # Past the constructor of named tuples, which takes twice as long: this is the hot path.
        return (tuple.__new__(RawTick, (symbol, ts, price, "", "", is_snapshot, trade_id)),)

    def _note_beat(self, message: _Message) -> None:
        """Notice a product of which trades happen and do not come: to ask for it anew may help."""
        newest, last = self._newest.get(message.product_id), message.last_trade_id
        if newest is None or type(last) is not int:
            return
        if not newest.trade_id:
            newest.trade_id = last
        if last <= newest.trade_id:  # also 0, if the vendor does not know
            newest.beats = min(newest.beats, 0)
            return
        newest.beats += 1
        if newest.beats == self._pace.behind_beats:
            self._behind.append(message.product_id)
            newest.beats = -_ANEW_PATIENCE * self._pace.behind_beats

    def _confirm(self, channels: object) -> Sequence[Notice]:
        """Note what is subscribed to: the vendor always says all of it, in any order."""
        if not isinstance(channels, list):
            return _UNREADABLE
        found: set[str] = set()
        for channel in channels:
            match channel:
                case {"name": "matches", "product_ids": list(products)}:
                    found.update(filter(self._is_ours, products))
        if not self._confirmed <= found:  # what was lost is asked for again soon
            self._is_resting, self._tries, self._until = False, 0, None
        self._confirmed = frozenset(found)
        self._unknown -= found
        self.is_accepted = True
        return (Notice(NoticeKind.SUBSCRIBED),)

    def _note_error(self, message: _Message) -> NoticeKind:
        """What an error means: of a product, or of the request; its text is handed to nobody."""
        text = message.reason if isinstance(message.reason, str) else message.message
        if not isinstance(text, str):
            text = ""
        found = _UNKNOWN.fullmatch(text)
        if found and found[1] in self._newest:
            self._unknown |= {found[1]}
            if self._unknown.issuperset(self._symbols):
                self.is_accepted = True
            return NoticeKind.SYMBOL_UNKNOWN
        if self.is_accepted:
            return NoticeKind.IGNORED  # prices come; nothing is gained by ending that
        if _TOO_OFTEN.search(text):
            return NoticeKind.THROTTLED
        return NoticeKind.BAD_REQUEST if _BAD_REQUEST.search(text) else NoticeKind.SERVER_ERROR

    def _is_ours(self, product: object) -> bool:
        return isinstance(product, str) and product in self._newest


@dataclass(frozen=True, slots=True)
class Coinbase:
    """Coinbase Exchange, without a key: crypto against dollars, stablecoins and other money."""

    url: str = URL
    name: str = "Coinbase"
    key_setting: str = ""
    secrets: Sequence[str] = ()
    assets: Sequence[Asset] = ("crypto",)
    has_contiguous_ids: bool = True
    spacing_sec: float = 5.0
    """It allows more: this is politeness."""
    renew_sec: float | None = None
    connections: int | None = None
    symbol_limit: int | None = None
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: SILENCE_SEC)
    heartbeat_sec: float | None = 10.0
    """A heartbeat of each product comes every second."""
    pace: Pace = Pace()

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """One for all."""
        return self.url

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """The symbol itself, if it could be a product."""
        return product(symbol) if asset == "crypto" else None

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        return rejection(status)

    def closing(self, code: int) -> NoticeKind | None:
        """Nothing: it ends connections with 1006 as it likes, and is asked again."""
        return None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        return _Talk(symbols, self.pace)
