"""Kraken: its symbols, its message format (version 2 of its WebSocket), and how one talks to it.

It wants no key. Crypto is its trades; forex the middle between bid and ask of its own books of real
money, which trade at weekends too. The shapes below were seen live in 2026; a message of another
one is ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple

import msgspec

from ticks import Asset
from vendors.rejections import rejection
from vendors.values import number
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick

__all__ = ["FOREX_PAIRS", "SILENCE_SEC", "URL", "Kraken", "Pace", "pair_of"]

URL: Final = "wss://ws.kraken.com/v2"

FOREX_PAIRS: Final = frozenset(
    {"EUR/USD", "GBP/USD", "AUD/USD", "USD/CAD", "USD/CHF", "USD/JPY"}
    | {"EUR/GBP", "EUR/JPY", "EUR/CHF", "EUR/CAD", "EUR/AUD", "AUD/JPY"}
)
"""The pairs of two currencies that it lists."""

SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType({"forex": 120.0, "crypto": 120.0})
"""Half a minute without a trade is usual even of pairs that trade well."""

_CURRENCIES: Final = frozenset(currency for pair in FOREX_PAIRS for currency in pair.split("/"))

_COIN_PAIR: Final = re.compile("[A-Z0-9]+-[A-Z0-9]+")

_BATCH: Final = 100
"""How many symbols one message asks for."""

_UNKNOWN: Final = ("not supported", "not found", "not in iso")
"""What the error says of a symbol that there is not."""

_STUCK: Final = 3
"""So many quotes in a row that differ have the same stamp if it is not theirs."""

_PING: Final = '{"method":"ping"}'

_UNREADABLE: Final = Notice(NoticeKind.UNREADABLE)
_IGNORED: Final = Notice(NoticeKind.IGNORED)
_ALIVE: Final = Notice(NoticeKind.ALIVE)

# Without a zone it would be nobody's time. It is rounded to microseconds.
_Stamp = Annotated[datetime, msgspec.Meta(tz=True)]


def pair_of(asset: Asset, symbol: str) -> str | None:
    """The vendor's name of one of our symbols: ``BTC/USD``, ``EUR/USD``; None if it has none."""
    if asset == "crypto" and _COIN_PAIR.fullmatch(symbol):
        base, _, quote = symbol.partition("-")
        return None if {base, quote} <= _CURRENCIES else f"{base}/{quote}"
    pair = f"{symbol[:3]}/{symbol[3:]}"
    return pair if asset == "forex" and pair in FOREX_PAIRS else None


class _Trade(msgspec.Struct, gc=False):
    symbol: str
    price: float | str
    timestamp: _Stamp
    trade_id: int | None = None


class _Quote(msgspec.Struct, gc=False):
    symbol: str
    bid: float | str | None = None
    ask: float | str | None = None
    timestamp: _Stamp | None = None


class _Trades(msgspec.Struct, tag_field="channel", tag="trade", gc=False):
    data: list[_Trade]
    type: str = ""


class _Quotes(msgspec.Struct, tag_field="channel", tag="ticker", gc=False):
    data: list[_Quote]
    type: str = ""


class _System(msgspec.Struct, gc=False):
    system: str = ""


class _Status(msgspec.Struct, tag_field="channel", tag="status", gc=False):
    data: list[_System]


class _Result(msgspec.Struct, gc=False):
    symbol: str = ""


class _Said(msgspec.Struct, gc=False):
    """The answers to what was asked, heartbeats, and the channels that nobody asks for."""

    channel: str = ""
    method: str = ""
    success: bool | None = None
    symbol: str = ""
    result: _Result | None = None
    error: str = ""
    mistake: str = msgspec.field(default="", name="Error")


_decode = msgspec.json.Decoder(_Trades | _Quotes | _Status).decode
_decode_said = msgspec.json.Decoder(_Said).decode


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to ask for what, and how long to wait for answers, in seconds."""

    batch_sec: float = 0.1
    """How soon another message may follow that asks for symbols."""
    answer_sec: float = 5.0
    """A symbol is unconfirmed if there is no answer after this long, ..."""
    again_sec: float = 60.0
    """... and is asked for again after so long."""
    ping_sec: float = 5.0
    """The vendor sends no heartbeat before it has confirmed a symbol: until then it is pinged."""


class _Quoted(NamedTuple):
    """The newest quote of a pair."""

    ts: float
    price: float
    alike: int
    """How many different ones in a row had this stamp."""


class _Talk:
    """One connection's dialogue: all symbols at once, each of which is answered by itself.

    A symbol that is answered with an error is refused; the others of the same message are not.
    While the vendor is in maintenance no answer is missed; what has none by then is asked for once
    it goes on.
    """

    def __init__(self, asset: Asset, ours: Mapping[str, str], pace: Pace) -> None:
        self.is_accepted = False
        self.refused: Mapping[str, NoticeKind] = {}
        self._asset = asset
        self._ours = ours
        """Our symbols by the vendor's names."""
        self._pace = pace
        self._unanswered = set(ours)
        self._is_confirmed = False
        """Whether any symbol is."""
        self._is_paused = False
        self._rounds = self._take_rounds()
        self._wait_sec = 0.0
        # By the clock of ``due``; None until it is asked.
        self._next_at: float | None = None
        self._ping_at: float | None = None
        self._quoted: dict[str, _Quoted] = {}

    def begin(self) -> Sequence[str]:
        """The first symbols at once: a connection without any is closed after a minute."""
        frames, self._wait_sec = next(self._rounds)
        return frames

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice]:
        """What a frame means, prices before the first answer included.

        A quote has no number: one from before its symbol's answer may have come on an earlier
        connection, and is taken for a snapshot.
        """
        try:
            found = _decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return (self._heed(frame),)
        if isinstance(found, _Status):
            return (self._note_system(found),)
        early: AbstractSet[str] = frozenset()
        if self._unanswered:
            early = self._unanswered.copy()
            for item in found.data:
                self._confirm(item.symbol)
        is_snapshot, ours = found.type == "snapshot", self._ours
        if isinstance(found, _Quotes):
            return [
                self._tick(quote, now, is_snapshot=is_snapshot or quote.symbol in early)
                for quote in found.data
            ]
        return [
            # Past the constructor of named tuples, which takes twice as long: the hot path.
            tuple.__new__(
                RawTick,
                (
                    ours.get(trade.symbol, trade.symbol),
                    trade.timestamp.timestamp(),
                    trade.price if type(trade.price) is float else number(trade.price),
                    "",
                    "",
                    is_snapshot,
                    trade.trade_id,
                ),
            )
            for trade in found.data
        ]

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """The next symbols, those without an answer again, and pings if there is no heartbeat."""
        if self._next_at is None or self._ping_at is None:
            self._next_at, self._ping_at = now + self._wait_sec, now + self._pace.ping_sec
        frames: list[str] = []
        if now >= self._next_at and not self._is_paused:
            said, wait_sec = next(self._rounds)
            frames += said
            self._next_at = now + wait_sec
        if self._is_confirmed:
            self._ping_at = math.inf
        elif now >= self._ping_at:
            frames.append(_PING)
            self._ping_at = now + self._pace.ping_sec
        return frames, self._ping_at if self._is_paused else min(self._next_at, self._ping_at)

    def _take_rounds(self) -> Generator[tuple[Sequence[str], float]]:
        """What to send about symbols, and how long to wait after it."""
        pace = self._pace
        while True:
            unasked = [pair for pair in self._ours if pair in self._unanswered]
            for batch in range(0, len(unasked), _BATCH):
                is_last = batch + _BATCH >= len(unasked)
                request = self._request(unasked[batch : batch + _BATCH])
                yield (request,), pace.answer_sec if is_last else pace.batch_sec
            self._refuse(dict.fromkeys(self._unanswered, NoticeKind.UNCONFIRMED))
            yield (), pace.again_sec if self._unanswered else math.inf

    def _request(self, pairs: Sequence[str]) -> str:
        # Quotes may be rare, so that the last one is asked for; the last trades may be of any age.
        params: dict[str, object] = {"channel": "trade", "symbol": pairs, "snapshot": False}
        if self._asset == "forex":
            params |= {"channel": "ticker", "event_trigger": "bbo", "snapshot": True}
        return json.dumps({"method": "subscribe", "params": params})

    def _tick(self, quote: _Quote, now: float, *, is_snapshot: bool) -> RawTick:
        """A quote's middle; not a number if half of it is missing."""
        symbol = self._ours.get(quote.symbol, quote.symbol)
        bid, ask = number(quote.bid), number(quote.ask)
        if not (bid > 0 and ask > 0):
            return RawTick(symbol, now, math.nan, "", "", is_snapshot)
        price = (bid + ask) / 2
        ts = self._time(quote, price, now)
        flaw = "crossed" if bid > ask else ""
        # As above.
        return tuple.__new__(RawTick, (symbol, ts, price, flaw, "", is_snapshot, None))

    def _time(self, quote: _Quote, price: float, now: float) -> float:
        """The quote's own stamp; that of its arrival if it has none, or one of something else.

        It is not documented of what the stamp is: if quote after quote has the same one, it is that
        of the newest trade.
        """
        if quote.timestamp is None:
            return now
        ts = quote.timestamp.timestamp()
        before = self._quoted.get(quote.symbol)
        alike = 0
        if before is not None and before.ts == ts:
            alike = before.alike + (price != before.price)
        if quote.symbol in self._ours:  # whatever comes, this does not grow
            self._quoted[quote.symbol] = _Quoted(ts, price, alike)
        return ts if alike < _STUCK else now

    # What holds no price.

    def _heed(self, frame: bytes) -> Notice:
        try:
            said = _decode_said(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _UNREADABLE
        if said.channel in ("trade", "ticker"):
            return _UNREADABLE
        if said.channel == "heartbeat" or said.method == "pong":
            return _ALIVE
        if said.method == "subscribe":
            return self._note_answer(said)
        error = said.error or said.mistake
        return Notice(_complaint(error)) if error and not said.method else _IGNORED

    def _note_system(self, status: _Status) -> Notice:
        """Whether the vendor's market is on; in any other state than online nothing is traded."""
        states = [one.system for one in status.data if one.system]
        if not states:
            return _IGNORED
        if states[-1] != "online":
            # There it is, and whether it answers does not matter now.
            self.is_accepted = self._is_paused = True
            return Notice(NoticeKind.MAINTENANCE)
        if not self._is_paused:
            return _ALIVE
        self._is_paused = False
        self._rounds, self._next_at = self._take_rounds(), -math.inf
        return Notice(NoticeKind.RESUMED)

    def _note_answer(self, said: _Said) -> Notice:
        """The answer about a symbol, or about all that a message asked for."""
        pair = said.symbol or (said.result.symbol if said.result else "")
        if said.success or "already subscribed" in said.error.lower():
            self._confirm(pair)
            return Notice(NoticeKind.SUBSCRIBED)
        if not pair:
            return Notice(_complaint(said.error))
        self.is_accepted = True
        # Of the message's other symbols it says nothing.
        is_unknown = any(word in said.error.lower() for word in _UNKNOWN)
        kind = NoticeKind.SYMBOL_UNKNOWN if is_unknown else NoticeKind.UNCONFIRMED
        if pair in self._ours:
            self._refuse({pair: kind})
            if is_unknown:  # else it is asked for again
                self._unanswered.discard(pair)
        return Notice(kind)

    def _confirm(self, pair: str) -> None:
        if pair not in self._ours:
            return
        self.is_accepted = self._is_confirmed = True
        self._unanswered.discard(pair)
        ours = self._ours[pair]
        if ours in self.refused:
            self.refused = {s: why for s, why in self.refused.items() if s != ours}

    def _refuse(self, pairs: Mapping[str, NoticeKind]) -> None:
        # A new dictionary each time: other threads read the one there was.
        self.refused = {**self.refused, **{self._ours[pair]: why for pair, why in pairs.items()}}


def _complaint(error: str) -> NoticeKind:
    """What an error means that names no symbol."""
    text = error.lower()
    if any(word in text for word in ("msg rate", "rate limit", "throttled", "too many")):
        return NoticeKind.THROTTLED
    return NoticeKind.SERVER_ERROR if "service" in text else NoticeKind.BAD_REQUEST


@dataclass(frozen=True, slots=True)
class Kraken:
    """Kraken: crypto and forex, without a key."""

    url: str = URL
    name: str = "Kraken"
    key_setting: str = ""
    secrets: Sequence[str] = ()
    assets: Sequence[Asset] = ("forex", "crypto")
    has_contiguous_ids: bool = True
    spacing_sec: float = 5.0
    renew_sec: float | None = None
    connections: int | None = None
    symbol_limit: int | None = None
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: SILENCE_SEC)
    heartbeat_sec: float | None = 10.0
    """It sends one a second."""
    pace: Pace = Pace()

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """One for all."""
        return self.url

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """See ``pair_of``."""
        return pair_of(asset, symbol)

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        return rejection(status)

    def closing(self, code: int) -> NoticeKind | None:
        """1008: it wants no more of this; with any other code it may be asked again."""
        return NoticeKind.BAD_REQUEST if code == 1008 else None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        pairs = {pair_of(asset, symbol): symbol for symbol in symbols}
        return _Talk(asset, {pair: ours for pair, ours in pairs.items() if pair}, self.pace)
