"""Alpaca: how one talks to its stream of US stocks, and what it answers.

The free plan's prices are those of one exchange, IEX. Its test stream has one invented stock around
the clock, so that it can be tried when no market is open.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from ticks import Asset
from vendors.alpaca_messages import Message, halts, is_barred, read
from vendors.alpaca_subscription import Pace, Subscription
from vendors.corrections import Print, Prints
from vendors.rejections import rejection
from vendors.values import epoch, number, us_stock
from vendors.wire import Dialogue, Halt, MarketState, Notice, NoticeKind, RawTick

__all__ = ["SYMBOL_LIMIT", "TEST_SYMBOL", "Alpaca", "Pace"]

SYMBOL_LIMIT: Final = 30
"""The stocks that the free plan streams trades of."""

TEST_SYMBOL: Final = "FAKEPACA"
"""All that the test stream has."""

_SILENCE_SEC: Final[Mapping[Asset, float]] = MappingProxyType(
    {"stocks": 120.0, "forex": math.inf, "crypto": math.inf}
)

_ERRORS: Final[Mapping[int, NoticeKind]] = MappingProxyType(
    {
        400: NoticeKind.BAD_REQUEST,
        402: NoticeKind.KEY_REFUSED,
        403: NoticeKind.AUTHORIZED,  # "already authenticated"
        405: NoticeKind.SYMBOL_LIMIT,
        406: NoticeKind.CONNECTION_LIMIT,
        409: NoticeKind.PLAN_REFUSED,
        410: NoticeKind.BAD_REQUEST,
    }
)
"""What its own codes mean; any other one that something went wrong and may go well next time."""

_UNREADABLE: Final = Notice(NoticeKind.UNREADABLE)
_IGNORED: Final = Notice(NoticeKind.IGNORED)


class _Stock:
    """What is known of a stock, by the vendor's name."""

    def __init__(self, name: str, symbol: str) -> None:
        self.symbol = symbol
        """In our spelling."""
        # The market of the invented stock never closes; of others the vendor says nothing.
        self.market: MarketState = "open" if name == TEST_SYMBOL else ""
        self.prints = Prints()


class _Talk:
    """One connection's dialogue: greeted, authenticated, and subscribed."""

    def __init__(self, names: Mapping[str, str], key: str, secret: str, pace: Pace) -> None:
        self._key, self._secret = key, secret
        self._login: str | None = None
        """What to send next of it."""
        self._subscription = Subscription(names, pace)
        self._stocks = {name: _Stock(name, ours) for name, ours in names.items()}

    @property
    def is_accepted(self) -> bool:
        """Whether anything is subscribed to: an open socket, or a good key, is not enough."""
        return self._subscription.is_accepted

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        """The symbols that are not confirmed, and why."""
        return self._subscription.refused

    def begin(self) -> Sequence[str]:
        """Nothing: the vendor greets first."""
        return ()

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice | Halt]:
        """What each message of a frame means."""
        return [
            self._trade(message)
            if message is not None and message.kind == "t"
            else self._heed(message, now)
            for message in read(frame)
        ]

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """Authenticate once greeted, then subscribe; each time once the last answer is there."""
        if self._login is not None:
            login, self._login = self._login, None
            return (login,), math.inf
        return self._subscription.due(now)

    # What comes.

    def _trade(self, message: Message) -> RawTick | Notice:
        """A trade as a price: the hot path."""
        ts, name, price = epoch(message.time), message.symbol, message.price
        if math.isnan(ts) or type(name) is not str or not name:
            return _UNREADABLE
        if type(price) is not float:
            price = number(price)
        trade_id, exchange = message.trade_id, message.exchange
        has_flaw = message.conditions and is_barred(message.conditions, message.tape)
        stock = self._stocks.get(name)
        if stock is not None and not has_flaw and price > 0:
            # Not by the constructor of named tuples, which takes twice as long.
            stock.prints.add(tuple.__new__(Print, (trade_id, exchange, ts, price)))
        try:
            # Unique only together with the exchange and, at best, the day.
            identity = None if trade_id is None else hash((trade_id, exchange, message.time))
        except TypeError:
            identity = None
        return tuple.__new__(
            RawTick,
            (
                name if stock is None else stock.symbol,
                ts,
                price,
                "condition" if has_flaw else "",
                "" if stock is None else stock.market,
                False,
                identity,
            ),
        )

    def _heed(self, message: Message | None, now: float) -> RawTick | Notice | Halt:
        if message is None:
            return _UNREADABLE
        match message.kind:
            case "success":
                return self._greet(message)
            case "subscription":
                self._subscription.confirm(message.trades)
                return Notice(NoticeKind.SUBSCRIBED)
            case "error":
                return self._fail(message)
            case "s":
                return self._status(message, now)
            case "x":
                return self._cancel(message)
            case "c":
                return self._correct(message)
        return _IGNORED

    def _greet(self, message: Message) -> Notice:
        if message.msg == "connected":
            self._login = json.dumps({"action": "auth", "key": self._key, "secret": self._secret})
            return Notice(NoticeKind.ALIVE)
        if message.msg == "authenticated":
            return self._authorize(None)
        return _IGNORED

    def _authorize(self, code: int | None) -> Notice:
        self._subscription.begin()
        return Notice(NoticeKind.AUTHORIZED, code)

    def _fail(self, message: Message) -> Notice:
        code = message.code
        if type(code) is not int:
            return Notice(NoticeKind.SERVER_ERROR)
        kind = _ERRORS.get(code, NoticeKind.SERVER_ERROR)
        if kind is NoticeKind.AUTHORIZED:
            return self._authorize(code)
        return self._subscription.fail(code) or Notice(kind, code)

    def _status(self, message: Message, now: float) -> Notice | Halt:
        stock, is_halted = self._stock(message), halts(message.status)
        if stock is None or is_halted is None:
            return _IGNORED
        ts = epoch(message.time)
        return Halt(stock.symbol, now if math.isnan(ts) else ts, is_halted)

    def _cancel(self, message: Message) -> RawTick | Notice:
        """The price is that of the trade before, if this one had set it."""
        stock, trade_id = self._stock(message), message.trade_id
        if stock is None or trade_id is None:
            return _IGNORED
        return _again(stock, stock.prints.cancel(trade_id, message.exchange))

    def _correct(self, message: Message) -> RawTick | Notice:
        """The price is the corrected one, if the trade had set it."""
        stock, trade_id, exchange = self._stock(message), message.original_id, message.exchange
        if stock is None or trade_id is None:
            return _IGNORED
        price = number(message.corrected_price)
        if not price > 0 or is_barred(message.corrected_conditions, message.tape):
            return _again(stock, stock.prints.cancel(trade_id, exchange))
        corrected = Print(message.corrected_id, exchange, 0.0, price)
        return _again(stock, stock.prints.correct(trade_id, corrected))

    def _stock(self, message: Message) -> _Stock | None:
        name = message.symbol
        return self._stocks.get(name) if isinstance(name, str) else None


def _again(stock: _Stock, found: Print | None) -> RawTick | Notice:
    """The price once more, with the time it had: so it takes the place of the wrong one."""
    if found is None:
        return _IGNORED
    return RawTick(stock.symbol, found.ts, found.price, "", stock.market)


@dataclass(frozen=True, slots=True)
class Alpaca:
    """Alpaca with one account's key: US stocks as they trade on IEX."""

    url: str = "wss://stream.data.alpaca.markets/v2/iex"
    """The address of a stream; that of ``/v2/test`` has the test stock alone."""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    name: str = "Alpaca"
    key_setting: str = "ALPACA_API_KEY and ALPACA_API_SECRET"
    assets: Sequence[Asset] = ("stocks",)
    has_contiguous_ids: bool = False
    spacing_sec: float = 5.0
    renew_sec: float | None = None
    connections: int | None = 1
    symbol_limit: int | None = SYMBOL_LIMIT
    silence_sec: Mapping[Asset, float] = field(default_factory=lambda: _SILENCE_SEC)
    pace: Pace = field(default_factory=Pace)

    @property
    def secrets(self) -> Sequence[str]:
        """The key and its secret; neither is ever in an address."""
        return tuple(filter(None, (self.key, self.secret)))

    @property
    def heartbeat_sec(self) -> None:
        """Its pings prove the socket alone: one was seen to be silent for hours."""

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """The address of the stream, which is one for all."""
        return self.url

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """None: the key goes in the first message."""
        return {}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """``BRK.B`` for ``BRK-B``; on the test stream its one stock alone."""
        if asset != "stocks":
            return None
        if urlsplit(self.url).path.rstrip("/").endswith("/test"):
            return symbol if symbol == TEST_SYMBOL else None
        return us_stock(symbol)

    def rejection(self, status: int) -> NoticeKind:
        """What an HTTP status means with which the vendor refused a handshake."""
        return rejection(status, wants_key=True)

    def closing(self, code: int) -> NoticeKind | None:
        """Nothing: it ends connections without a word, and says before if it means one."""
        return None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk about ``symbols``."""
        names = {self.symbol(asset, symbol): symbol for symbol in symbols}
        return _Talk(
            {name: s for name, s in names.items() if name}, self.key, self.secret, self.pace
        )
