"""EODHD's WebSocket format: addresses, subscription messages, and ``parse``.

Called by the feeds. Where the vendor's documentation and the wire disagree, the wire is right: the
shapes below were seen live between 2021 and 2026.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from ticks import Asset
from vendors.wire import MarketState, Notice, NoticeKind, RawTick

__all__ = [
    "CHANNELS",
    "DEMO_KEY",
    "DEMO_SYMBOLS",
    "SILENCE_SEC",
    "SYMBOL_LIMIT",
    "parse",
    "subscribe",
    "unsubscribe",
    "url",
]

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
"""How long a channel may send no tick while its market streams before the connection is suspect."""

# Trade conditions that must not set the last price in regular hours. The vendor also lists 37 (odd
# lot); its tape is IEX only and full of odd lots at good prices, so they pass.
_BARRED = frozenset({2, 5, 7, 10, 12, 13, 15, 16, 20, 21, 22, 29, 33, 52, 53})
# 12 and 13 say "extended hours", which bars nothing in extended hours.
_BARRED_EXTENDED = _BARRED - {12, 13}

# A time below this is in seconds (historic index messages), above it in milliseconds.
_MS_FROM = 1e11


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
    t: float | None = None
    c: Any = None
    ms: Any = None
    dp: Any = None
    status_code: int | None = None
    status: int | None = None
    message: Any = None


_decode = msgspec.json.Decoder(_Message).decode


def parse(frame: bytes | str) -> RawTick | Notice | None:
    """One received frame as an offer or a notice; None where it is neither.

    Numbers may come as numbers or strings, whatever the documentation says; ``c`` as a list, a
    number or not at all. Never raises.
    """
    try:
        message = _decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    t = message.t
    if not message.s or t is None:
        return _notice(message)
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
        return RawTick(
            message.s,
            ts,
            price if type(price) is float else _number(price),
            "condition" if (message.c or message.dp) and _is_barred(message, market) else "",
            market,
        )
    if message.a is not None and message.b is not None:
        return _quote(message.s, ts, _number(message.b), _number(message.a))
    if message.ap is not None and message.bp is not None:
        return _quote(message.s, ts, _number(message.bp), _number(message.ap))
    return None


def _quote(symbol: str, ts: float, bid: float, ask: float) -> RawTick:
    if not (bid > 0 and ask > 0):
        return RawTick(symbol, ts, math.nan, "")
    return RawTick(symbol, ts, (bid + ask) / 2, "crossed" if bid > ask else "")


def _number(value: float | str) -> float:
    if isinstance(value, str) and "_" in value:  # Python's own spelling, nobody's wire format
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan


def _market(said: object) -> MarketState:
    """The market's status in any spelling: live there is a hyphen, documented a space."""
    if not isinstance(said, str):
        return ""
    words = said.lower().replace("-", " ").split()
    if words[:1] == ["extended"]:
        return "extended"
    return "open" if words == ["open"] else "closed" if words == ["closed"] else ""


def _is_barred(message: _Message, market: MarketState) -> bool:
    """Whether the trade must not set the last price: by condition, or printed in a dark pool."""
    if message.dp is True:
        return True
    barred = _BARRED_EXTENDED if market == "extended" else _BARRED
    codes = message.c if isinstance(message.c, list) else [message.c]
    return any(isinstance(code, int) and code in barred for code in codes)


def _notice(message: _Message) -> Notice | None:
    # 403 and 500 come as "status", 200 and 422 as "status_code".
    code = message.status_code if message.status_code is not None else message.status
    if code is None:
        return None
    text = message.message if isinstance(message.message, str) else ""
    word = _word(code, text.lower())
    return None if word is None else Notice(word, code, text)


def _word(code: int, text: str) -> NoticeKind | None:
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
    if code < 400:  # no error, and nothing to do about
        return None
    return NoticeKind.BAD_REQUEST if code < 500 else NoticeKind.SERVER_ERROR
