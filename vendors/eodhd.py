"""EODHD: its addresses and limits, its message format, and how one talks to it.

If the vendor's documentation and the wire disagree, the wire is right: the shapes below were
seen live between 2021 and 2026.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from ticks import ASSETS, Asset
from vendors.values import number
from vendors.wire import Dialogue, Halt, MarketState, Notice, NoticeKind, RawTick

__all__ = [
    "CHANNELS",
    "DEMO_KEY",
    "DEMO_SYMBOLS",
    "SILENCE_SEC",
    "SYMBOL_LIMIT",
    "URL",
    "Eodhd",
    "Pace",
    "parse",
    "subscribe",
    "unsubscribe",
    "url",
]

URL: Final = "wss://ws.eodhistoricaldata.com/ws"

CHANNELS: Final[Mapping[Asset, str]] = MappingProxyType(
    {"stocks": "us", "forex": "forex", "crypto": "crypto"}
)

SYMBOL_LIMIT: Final = 50
"""Symbols an account may have over all its connections together (measured twice in 2026)."""

DEMO_KEY: Final = "demo"
DEMO_SYMBOLS: Final[Mapping[Asset, tuple[str, ...]]] = MappingProxyType(
    {"stocks": ("AAPL", "MSFT", "TSLA"), "forex": ("EURUSD",), "crypto": ("BTC-USD", "ETH-USD")}
)

SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType(
    {"stocks": 120.0, "forex": 60.0, "crypto": 60.0}
)
"""How long a channel may send no price while its market is open and trades regularly."""

# Trade conditions that must not set the last price in regular hours. The vendor also lists 37 (odd
# lot); its tape is IEX only and full of odd lots at good prices, so they pass.
_BARRED = frozenset({2, 5, 7, 10, 12, 13, 15, 16, 20, 21, 22, 29, 33, 52, 53})
# 12 and 13 say "extended hours", which bars nothing in extended hours.
_BARRED_EXTENDED = _BARRED - {12, 13}

# A time below this is in seconds (historic index messages), above it in milliseconds.
_MS_FROM = 1e11

_CODE_DIGITS: Final = 10
"""A status is cut after this many: no true one has as many."""

_HALTED: Final = frozenset({"halt", "halted", "paused", "suspended"})
"""Words that a market's status has if trading in the stock is halted. None was seen yet."""

_YES: Final = frozenset({"true", "1", "yes", "y", "t"})
"""What a flag that is text says if it is set, in lower case."""


def url(base: str, asset: Asset, key: str) -> str:
    """The address of an asset class's channel. It holds the key: never log it."""
    return f"{base.rstrip('/')}/{CHANNELS[asset]}?api_token={quote(key, safe='')}"


def subscribe(symbols: Iterable[str]) -> str:
    """The message that asks for ``symbols``; a JSON array instead of the string is refused."""
    return json.dumps({"action": "subscribe", "symbols": ",".join(symbols)})


def unsubscribe(symbols: Iterable[str]) -> str:
    """The message that gives ``symbols`` back."""
    return json.dumps({"action": "unsubscribe", "symbols": ",".join(symbols)})


class _Message(msgspec.Struct, gc=False):
    """The fields of every message this vendor sends that matter here; the shape tells which."""

    s: str = ""
    p: float | str | None = None
    a: float | str | None = None
    b: float | str | None = None
    ap: float | str | None = None
    bp: float | str | None = None
    t: float | str | None = None
    c: Any = None
    ms: Any = None
    dp: Any = None
    status_code: int | float | str | None = None
    status: int | float | str | None = None
    message: Any = None


_decode = msgspec.json.Decoder(_Message).decode


_UNREADABLE: Final = Notice(NoticeKind.UNREADABLE)


def parse(frame: bytes | str) -> RawTick | Notice | Halt:
    """One received frame as a price, a notice, or the word that trading in a stock is halted.

    Numbers, codes and flags may come as such or as text, whatever the documentation says; ``c`` as
    a list, a single code or not at all. The price beside a halt is no news. Never raises.
    """
    try:
        message = _decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _UNREADABLE
    t = message.t
    if not message.s or t is None:
        return _notice(message)
    if type(t) is not float:
        t = number(t)
        if math.isnan(t):
            return _UNREADABLE
    ts = t / 1000.0 if t >= _MS_FROM else t
    price = message.p
    if price is not None:
        said = message.ms
        # Spelled out: a dictionary would have to hash a new string for every frame.
        market: MarketState = (
            ""
            if said is None
            else "open"
            if said == "open"
            else "extended"
            if said == "extended-hours"
            else _market(said)
        )
        if said and not market and _says_halted(said):
            return Halt(message.s, ts, is_halted=True)
        is_barred = (message.c or message.dp) and _is_barred(message, market)
        # Past the constructor of named tuples, which takes twice as long: this is the hot path.
        return tuple.__new__(
            RawTick,
            (
                message.s,
                ts,
                price if type(price) is float else number(price),
                "condition" if is_barred else "",
                market,
                False,
                None,
            ),
        )
    if message.a is not None and message.b is not None:
        return _quote(message.s, ts, number(message.b), number(message.a))
    if message.ap is not None and message.bp is not None:
        return _quote(message.s, ts, number(message.bp), number(message.ap))
    return _UNREADABLE


def _quote(symbol: str, ts: float, bid: float, ask: float) -> RawTick:
    if not (bid > 0 and ask > 0):
        return RawTick(symbol, ts, math.nan, "")
    return RawTick(symbol, ts, (bid + ask) / 2, "crossed" if bid > ask else "")


def _market(said: object) -> MarketState:
    """The market's status in any spelling: live there is a hyphen, documented a space."""
    if not isinstance(said, str):
        return ""
    words = said.lower().replace("-", " ").split()
    if words[:1] == ["extended"]:
        return "extended"
    return "open" if words == ["open"] else "closed" if words == ["closed"] else ""


def _says_halted(said: object) -> bool:
    """Whether a stock's market status is that nobody may trade it, in any spelling."""
    return isinstance(said, str) and not _HALTED.isdisjoint(said.lower().replace("-", " ").split())


def _is_barred(message: _Message, market: MarketState) -> bool:
    """Whether the trade must not set the last price: by condition, or printed in a dark pool."""
    if _is_set(message.dp):
        return True
    barred = _BARRED_EXTENDED if market == "extended" else _BARRED
    said = message.c.strip("[] ").split(",") if isinstance(message.c, str) else message.c
    codes = said if isinstance(said, list) else [said]
    return any(_whole(code) in barred for code in codes)


def _is_set(flag: object) -> bool:
    """Whether a flag says yes, as such, as a number or as text."""
    return flag.strip().lower() in _YES if isinstance(flag, str) else flag in (True, 1)


def _whole(value: object) -> int | None:
    """A whole number, as such or as text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return value
    found = number(value)
    return int(found) if found.is_integer() else None


def _notice(message: _Message) -> Notice:
    # 403 and 500 come as "status", 200 and 422 as "status_code".
    said = message.status_code if message.status_code is not None else message.status
    code = _whole(said)
    if code is None:
        return _UNREADABLE
    # Not handed on: the text is the other side's to write, and may quote the key.
    text = message.message.lower() if isinstance(message.message, str) else ""
    return Notice(_kind(code, text), int(str(code)[:_CODE_DIGITS]))


def _kind(code: int, text: str) -> NoticeKind:
    if code == 200:
        return NoticeKind.AUTHORIZED
    if code in (401, 403):
        return NoticeKind.KEY_REFUSED
    if code == 429:
        return NoticeKind.THROTTLED
    if code == 422 and "limit reached" in text:
        return NoticeKind.SYMBOL_LIMIT
    if code == 422 and "should be string" not in text:  # "Only limited symbols allowed for demo"
        return NoticeKind.SYMBOLS_REFUSED
    if code < 400:  # no error, and nothing known of it
        return NoticeKind.UNREADABLE
    return NoticeKind.BAD_REQUEST if code < 500 else NoticeKind.SERVER_ERROR


# The talk.


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for what before asking for symbols again, in seconds."""

    single_sec: float = 1.0
    """How long the refusal of a single symbol may take."""
    symbol_limit_sec: float = 60.0
    """A limit is worth retrying: a dead connection's symbols stay counted for up to 105 s."""
    symbol_limit_tries: int = 4
    """After this many tries a limit is a refusal like any other."""
    refused_sec: float = 300.0
    """An account may change, so that what it does not cover is asked for again."""


class _Turn(NamedTuple):
    """A turn of the talk: what to send, and how long it lasts."""

    frames: tuple[str, ...] = ()
    sec: float = math.inf
    ends_with_refusal: bool = False


class _Talk:
    """One connection's dialogue: greeted, all symbols in one message, and singly if it is refused.

    The vendor acknowledges no subscription, and a refusal is of a whole message and names no
    symbol: a symbol that is asked for alone and not refused in time is accepted.
    """

    def __init__(self, symbols: Sequence[str], pace: Pace) -> None:
        self.is_accepted = False
        self._symbols = tuple(symbols)
        self._pace = pace
        self._unheard = set(symbols)
        self._refused: Mapping[str, NoticeKind] = {}
        self._refusal: NoticeKind | None = None
        """The first since the last message."""
        self._turns = self._take_turns()
        self._turn = _Turn()
        self._until = -math.inf

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The refused symbols, without those that are heard: a late refusal is of another one."""
        return {symbol: why for symbol, why in self._refused.items() if symbol in self._unheard}

    def begin(self) -> Sequence[str]:
        """Nothing: a client that speaks before it is greeted is dropped."""
        return ()

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice | Halt]:
        """What a frame means; before the greeting, prices and refusals of symbols mean nothing."""
        found = parse(frame)
        if type(found) is RawTick and self.is_accepted:
            self._unheard.discard(found.symbol)  # whatever comes, this does not grow
            return (found,)
        if isinstance(found, Halt) and self.is_accepted:
            return (found,)
        return (self._heed(found),)

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """Go on with the talk once the greeting is there, and its turn is over."""
        if not self.is_accepted:
            return (), math.inf
        is_refused = self._turn.ends_with_refusal and self._refusal is not None
        if not is_refused and now < self._until:
            return (), self._until
        self._turn = next(self._turns)
        self._until = now + self._turn.sec
        return self._turn.frames, self._until

    def _heed(self, found: RawTick | Notice | Halt) -> Notice:
        if not isinstance(found, Notice):
            return _UNREADABLE
        if found.kind is NoticeKind.AUTHORIZED:
            self.is_accepted = True
        elif found.kind in (NoticeKind.SYMBOL_LIMIT, NoticeKind.SYMBOLS_REFUSED):
            if not self.is_accepted:
                return Notice(NoticeKind.SERVER_ERROR, found.code)
            self._refusal = self._refusal or found.kind
        return found

    def _take_turns(self) -> Generator[_Turn]:
        yield _Turn((subscribe(self._symbols),), ends_with_refusal=True)
        pending, tries = self._symbols, 0
        while pending:
            is_limited = yield from self._ask_singly(pending)
            tries += 1
            is_soon = is_limited and tries <= self._pace.symbol_limit_tries
            yield _Turn(sec=self._pace.symbol_limit_sec if is_soon else self._pace.refused_sec)
            pending = tuple(self.refused)
        yield _Turn()

    def _ask_singly(self, symbols: Sequence[str]) -> Generator[_Turn, None, bool]:
        """Ask for each symbol and note the refused ones; whether the account is at its limit."""
        refusal: NoticeKind | None = None
        for symbol in symbols:
            if refusal is not NoticeKind.SYMBOL_LIMIT:  # else it holds for the others as well
                self._refusal = None
                yield _Turn((subscribe([symbol]),), self._pace.single_sec, ends_with_refusal=True)
                refusal = self._refusal
            self._note(symbol, refusal)
        return refusal is NoticeKind.SYMBOL_LIMIT

    def _note(self, symbol: str, refusal: NoticeKind | None) -> None:
        # A new dictionary each time: other threads read the one there was.
        if refusal is not None:
            self._refused = {**self._refused, symbol: refusal}
        elif symbol in self._refused:
            self._refused = {s: why for s, why in self._refused.items() if s != symbol}


@dataclass(frozen=True, slots=True)
class Eodhd:
    """EODHD with one account's key: stocks, forex and crypto, a channel each."""

    url: str = URL
    """The address without a channel."""
    key: str = field(default="", repr=False)
    name: str = "EODHD"
    key_setting: str = "EODHD_API_KEY"
    assets: Sequence[Asset] = ASSETS
    has_contiguous_ids: bool = False
    spacing_sec: float = 0.0
    """The backoff is enough."""
    renew_sec: float | None = None
    connections: int | None = None
    symbol_limit: int | None = SYMBOL_LIMIT
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: SILENCE_SEC)
    pace: Pace = Pace()

    @property
    def secrets(self) -> Sequence[str]:
        """The key, unless it is the one for everybody."""
        return () if self.key == DEMO_KEY else (self.key, quote(self.key, safe=""))

    @property
    def heartbeat_sec(self) -> None:
        """The vendor sends none; its pings prove the socket, not the data."""

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """The address of an asset class's channel. It holds the key: never log it."""
        return url(self.url, asset, self.key)

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None: the key is in the address."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """The symbol itself: our spelling is this vendor's, and which it has only it can tell."""
        return symbol

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        if status in (401, 403):
            return NoticeKind.KEY_REFUSED
        return NoticeKind.THROTTLED if status == 429 else NoticeKind.SERVER_ERROR

    def closing(self, code: int) -> NoticeKind | None:
        """Nothing: whatever the code, the vendor is asked again."""
        return None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        return _Talk(symbols, self.pace)
