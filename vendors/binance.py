"""Binance's market data: trades of coins against USDT without a key, and how one talks to it.

The streams wanted are in the address, so nothing is ever sent. A stream that does not exist is
accepted like any other, and silent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from ticks import Asset
from vendors.rejections import rejection
from vendors.values import number
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick

__all__ = ["SILENCE_SEC", "SYMBOL_LIMIT", "URL", "Binance", "pair"]

URL: Final = "wss://data-stream.binance.vision"
"""Its market data alone, which it offers in more places than the exchange itself."""

SYMBOL_LIMIT: Final = 400
"""A connection may have 1,024 streams; but they stand in the address, which many a server reads no
further than 8 KB."""

SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType({"crypto": 60.0})
"""How long there may be no trade of any pair while coins are traded regularly."""

_SYMBOL: Final = re.compile(r"([A-Z0-9]{1,10})-USDT")

_US_FROM: Final = 1e14
"""A time from this on is in microseconds, below it in milliseconds."""

_TOO_MANY_REQUESTS: Final = 1008
"""The code with which it closes a connection that sends too often."""

_MOST_CODE: Final = 3
"""0: an unknown property, 1: a value of a wrong type, 2: an invalid request, 3: no JSON."""

_UNREADABLE: Final = (Notice(NoticeKind.UNREADABLE),)
_IGNORED: Final = (Notice(NoticeKind.IGNORED),)


class _Event(msgspec.Struct, gc=False):
    """The fields of every event that matter here, of one stream of several."""

    e: str = ""
    s: str = ""
    a: Any = None
    p: Any = None
    T: Any = None


class _Message(msgspec.Struct, gc=False):
    """Such an event wrapped, or bare, or an answer."""

    e: str = ""
    s: str = ""
    a: Any = None
    p: Any = None
    T: Any = None
    data: _Event | None = None
    code: Any = None
    msg: Any = None
    error: Any = None
    result: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(_Message).decode


def pair(symbol: str) -> str | None:
    """The name of a pair in addresses; None if it is not against USDT: dollars are another money.

    >>> pair("BTC-USDT"), pair("BTC-USD")
    ('btcusdt', None)
    """
    found = _SYMBOL.fullmatch(symbol)
    return f"{found[1].lower()}usdt" if found and found[1] != "USDT" else None


class _Talk:
    """One connection's dialogue: nothing is said, and an open connection is an accepted one."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.is_accepted = True
        self.refused: Mapping[str, NoticeKind] = MappingProxyType({})
        """None: what is unknown is accepted, and never heard."""
        self._symbols = {name.upper(): s for s in symbols if (name := pair(s)) is not None}

    def begin(self) -> Sequence[str]:
        """Nothing: each message counts against a limit of five a second."""
        return ()

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice]:
        """What a frame means."""
        try:
            message = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _UNREADABLE
        event = message.data or message
        if event.e == "aggTrade":
            return self._traded(event)
        if event.e == "serverShutdown":
            return (Notice(NoticeKind.RENEW),)
        if event.e or message.data is not None:
            return _IGNORED  # among them the best bid and ask, which have no time
        if message.code is not None or message.error is not None:
            return (_answered(message),)
        return _IGNORED if message.result is not msgspec.UNSET or event.s else _UNREADABLE

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """Nothing, ever."""
        return (), math.inf

    def _traded(self, event: _Event | _Message) -> Sequence[RawTick | Notice]:
        ts = number(event.T)
        if not event.s or math.isnan(ts):
            return _UNREADABLE
        # Past the constructor of named tuples, which takes twice as long: this is the hot path.
        return (
            tuple.__new__(
                RawTick,
                (
                    self._symbols.get(event.s, event.s),
                    ts / 1e6 if ts >= _US_FROM else ts / 1e3,
                    number(event.p),
                    "",
                    "",
                    False,
                    event.a if type(event.a) is int else None,
                ),
            ),
        )


def _answered(message: _Message) -> Notice:
    """What an error means; its text is handed to nobody."""
    said = message.error if isinstance(message.error, dict) else {}
    code, text = said.get("code", message.code), said.get("msg", message.msg)
    if isinstance(text, str) and "restricted location" in text:
        return Notice(NoticeKind.UNAVAILABLE)
    # Known codes are of what was sent, which is the address.
    is_known = type(code) is int and 0 <= code <= _MOST_CODE
    return Notice(NoticeKind.BAD_REQUEST if is_known else NoticeKind.SERVER_ERROR)


@dataclass(frozen=True, slots=True)
class Binance:
    """Binance's market data, without a key: crypto against USDT, which is not the dollar."""

    url: str = URL
    name: str = "Binance"
    key_setting: str = ""
    secrets: Sequence[str] = ()
    assets: Sequence[Asset] = ("crypto",)
    has_contiguous_ids: bool = True
    """Of its aggregated trades, which are all that it is asked for."""
    spacing_sec: float = 5.0
    renew_sec: float | None = 23 * 3600.0
    """It ends every connection after a day."""
    connections: int | None = None
    symbol_limit: int | None = SYMBOL_LIMIT
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: SILENCE_SEC)

    @property
    def heartbeat_sec(self) -> None:
        """Its pings are answered before anybody sees them, and ours prove the socket alone."""

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """The address with the streams of the ``symbols``."""
        names = filter(None, map(pair, symbols))
        streams = "/".join(f"{name}@aggTrade" for name in names)
        return f"{self.url.rstrip('/')}/stream?streams={streams}"

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """``btcusdt`` for ``BTC-USDT``."""
        return pair(symbol) if asset == "crypto" else None

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        # 418: banned for a time that Retry-After says.
        return NoticeKind.THROTTLED if status == 418 else rejection(status)

    def closing(self, code: int) -> NoticeKind | None:
        """Too many requests, the repetition of which leads to a ban."""
        return NoticeKind.THROTTLED if code == _TOO_MANY_REQUESTS else None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        return _Talk(symbols)
