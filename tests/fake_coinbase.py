"""FakeCoinbase: a real server that speaks Coinbase Exchange's protocol and misbehaves to order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.local_server import LocalServer, json_response
from ticks import Tick
from vendors.values import epoch

__all__ = ["PRICES", "FakeCoinbase"]

PRICES: Final[Mapping[str, float]] = {
    "BTC-USD": 77572.86,
    "ETH-USD": 3105.5,
    "BTC-USDT": 77590.01,
    "ETH-USDT": 3106.2,
    "SOL-USDT": 171.35,
}
"""The products that it has, and about what they cost."""

_MOST_ROWS: Final = 300


class Trade(NamedTuple):
    """One trade of a product."""

    trade_id: int
    ts: float
    price: float


@dataclass(slots=True)
class _Book:
    """What happened in one product."""

    last_id: int
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=1000))


@dataclass(slots=True)
class _Client:
    """One connection and what it is subscribed to."""

    ws: ServerConnection
    products: dict[str, set[str]] = field(
        default_factory=lambda: {"matches": set(), "heartbeat": set()}
    )

    @property
    def is_subscribed(self) -> bool:
        return any(self.products.values())


class FakeCoinbase:
    """The server on a thread of its own, in use as a context: streams, and requests beside them.

    Every product trades every ``trade_sec`` (0: only if a test says so), and each is said to be
    alive every ``beat_sec``. Who is not subscribed to anything for ``deadline_sec`` is sent away.
    ``clock`` stamps what happens. By default the ``port`` is any that is free.
    """

    def __init__(
        self,
        prices: Mapping[str, float] = PRICES,
        *,
        trade_sec: float = 0.05,
        beat_sec: float = 0.05,
        deadline_sec: float = 5.0,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        # Faults, for a test to turn on and off.
        self.status = 0
        """The HTTP status with which connections are refused, ..."""
        self.retry_after: float | None = None
        """... and for how long it wants to be left alone, also by who asks too often."""
        self.is_stalled = False
        """(f) Whether no frame comes any more, on connections that stay open."""
        self.loses_trades = False
        """Whether trades happen and are not sent, as under load; subscribing anew helps."""
        self.drops_requests = False
        """Whether a request with one bad product is dropped whole, as in earlier years."""
        self.repeats = 0
        """(h) How many of the newest trades are sent once more after a subscription."""
        self.is_chatty = False
        """(i) Whether messages of an unknown type come with every heartbeat."""
        self.shuffles = False
        """Whether what happens at once is told in another order."""
        self.rest_status = 0
        """The HTTP status with which requests for the past are refused, ..."""
        self.rest_body: bytes | None = None
        """... what they are answered instead, ..."""
        self.rest_sec = 0.0
        """... and after how long."""
        # What was seen.
        self.attempts: list[float] = []
        """When each connection was asked for, refused ones included, by the monotonic clock."""
        self.requests: list[dict[str, Any]] = []
        """What clients said."""
        self.asked: list[str] = []
        """The addresses of requests for the past."""
        self.sent: list[Tick] = []
        """Every trade that was sent as one that just happened, once."""
        self.most_connections = 0
        """How many there were at once, at most."""
        self.recalled: list[Tick] = []
        """Every trade that was sent as the last one before a subscription."""
        self._prices = dict(prices)
        self._trade_sec, self._beat_sec = trade_sec, beat_sec
        self._deadline_sec, self._clock = deadline_sec, clock
        self._books = {
            name: _Book(1_000_000 * (1 + place)) for place, name in enumerate(self._prices)
        }
        self._clients: list[_Client] = []
        self._server = LocalServer(self._answer, self._attend, self._live, port)

    def __enter__(self) -> Self:
        # (b) A trade from long before anybody asks.
        for name, price in self._prices.items():
            self._happen(name, price, self._clock() - 300.0)
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it is on this computer."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where its stream is."""
        return f"ws://127.0.0.1:{self._server.port}"

    @property
    def rest_url(self) -> str:
        """Where the past is asked for."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._clients)

    @property
    def close_codes(self) -> list[int | None]:
        """Of every connection that ended."""
        return self._server.close_codes

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        self._server.stop()

    def cut(self) -> None:
        """(g) End every connection without a word."""
        self._server.cut()

    def move(self, name: str, price: float) -> None:
        """Have a product trade around this price from now on."""
        self._prices[name] = price

    def trade(self, name: str, price: float, ts: float | None = None) -> None:
        """Have a product traded, and wait until all that listen are told."""
        at = self._clock() if ts is None else ts
        self._server.do(lambda: self._trade(name, price, at))

    def deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        """Have products traded at these prices and times, and wait until all that listen know."""

        async def deal() -> None:
            happened = [(name, self._happen(name, price, ts)) for name, price, ts in trades]
            for name, trade in reversed(happened) if self.shuffles else happened:
                await self._tell_all(name, trade)

        self._server.do(deal)

    def skip(self, name: str, count: int = 1) -> None:
        """(e) Have trades happen that nobody is told of."""

        async def happen() -> None:
            self._books[name].last_id += count

        self._server.do(happen)

    # What happens.

    async def _live(self) -> None:
        await asyncio.gather(self._keep_trading(), self._keep_beating())

    async def _keep_trading(self) -> None:
        turn = 0
        while self._trade_sec:
            turn += 1
            for name, price in self._prices.items():
                await self._trade(name, price * (1 + 1e-5 * (turn % 7)), self._clock())
            await asyncio.sleep(self._trade_sec)

    async def _keep_beating(self) -> None:
        """(d) With the true number of the last trade, which is of a whole second."""
        while True:
            stamp = _stamp(math.floor(self._clock()))
            for client in tuple(self._clients):
                for name in sorted(client.products["heartbeat"]):
                    last = self._books[name].last_id
                    beat = {"last_trade_id": last, "product_id": name, "sequence": 2 * last}
                    await self._say(client, "heartbeat", **beat, time=stamp)
                if self.is_chatty and client.is_subscribed:
                    await self._say(client, "auction_note", product_id="BTC-USD", price="1.00")
            await asyncio.sleep(self._beat_sec)

    def _happen(self, name: str, price: float, ts: float) -> Trade:
        book = self._books[name]
        book.last_id += 1
        trade = Trade(book.last_id, epoch(_stamp(ts)), price)
        book.trades.append(trade)
        return trade

    async def _trade(self, name: str, price: float, ts: float) -> None:
        await self._tell_all(name, self._happen(name, price, ts))

    async def _tell_all(self, name: str, trade: Trade) -> None:
        listening = [one for one in self._clients if name in one.products["matches"]]
        if self.loses_trades or self.is_stalled or not listening:
            return
        self.sent.append(Tick(name, "crypto", trade.ts, trade.price))
        for client in listening:
            await self._tell(client, "match", name, trade)

    # The talk.

    async def _attend(self, ws: ServerConnection) -> None:
        client = _Client(ws)
        self._clients.append(client)
        self.most_connections = max(self.most_connections, len(self._clients))
        deadline = asyncio.ensure_future(self._send_away(client))
        try:
            async for frame in ws:
                request = json.loads(frame)
                self.requests.append(request)
                await self._obey(client, request)
        finally:
            deadline.cancel()
            self._clients.remove(client)

    async def _send_away(self, client: _Client) -> None:
        """(a) Who asks for nothing in time."""
        while True:
            await asyncio.sleep(self._deadline_sec)
            if not client.is_subscribed:
                await client.ws.close()
                return

    async def _obey(self, client: _Client, request: Mapping[str, Any]) -> None:
        names, channels = request["product_ids"], request["channels"]
        if request["type"] == "unsubscribe":
            for channel in channels:
                client.products[channel].difference_update(names)
            await self._confirm(client)
            return
        bad = [name for name in names if name not in self._books]
        # (c) One after the other, and then what is good.
        for name in bad:
            reason = f"{name} is not a valid product"
            await self._say(client, "error", message="Failed to subscribe", reason=reason)
            if self.drops_requests:
                return
        good = [name for name in names if name in self._books]
        if "matches" in channels:
            self.loses_trades = False
            # (b) Data precede the confirmation.
            for name in good:
                await self._recall(client, name)
        for channel in channels:
            client.products[channel].update(good)
        await self._confirm(client)

    async def _recall(self, client: _Client, name: str) -> None:
        trades = self._books[name].trades
        self.recalled.append(Tick(name, "crypto", trades[-1].ts, trades[-1].price))
        await self._tell(client, "last_match", name, trades[-1])
        for trade in list(trades)[len(trades) - self.repeats :]:
            await self._tell(client, "match", name, trade)

    async def _confirm(self, client: _Client) -> None:
        """All of the present state, shuffled."""
        channels = [
            {"name": channel, "product_ids": sorted(names, reverse=True), "account_ids": None}
            for channel, names in client.products.items()
            if names
        ]
        await self._say(client, "subscriptions", channels=channels)

    async def _tell(self, client: _Client, kind: str, name: str, trade: Trade) -> None:
        await self._say(
            client,
            kind,
            trade_id=trade.trade_id,
            maker_order_id="5b268d37-59d7-4b16-935c-3854d4cf956d",
            taker_order_id="b281704b-3d2e-4631-bc49-75ca291b445b",
            side="buy",
            size="0.00000009",
            price=repr(trade.price),
            product_id=name,
            sequence=2 * trade.trade_id,
            time=_stamp(trade.ts),
        )

    async def _say(self, client: _Client, kind: str, **fields: Any) -> None:
        if not self.is_stalled:
            with contextlib.suppress(ConnectionClosed):
                await client.ws.send(json.dumps({"type": kind, **fields}))

    # Before a handshake, and requests for the past.

    async def _answer(self, ws: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            self.attempts.append(time.monotonic())
            if self.status:
                return json_response(ws, self.status, {"message": "no"}, self.retry_after)
            return None
        self.asked.append(request.path)
        await asyncio.sleep(self.rest_sec)
        if self.rest_status:
            return json_response(ws, self.rest_status, {"message": "no"}, self.retry_after)
        response = json_response(ws, *self._past(request.path))
        if self.rest_body is not None:
            response.body = self.rest_body
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(self.rest_body))
        return response

    def _past(self, path: str) -> tuple[int, Any]:
        """(j) The status and the answer to a request for the past."""
        address = urlsplit(path)
        _, _, name, call = address.path.split("/")
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if name not in self._books:
            return 404, {"message": "NotFound"}
        if call == "trades":
            trades = list(self._books[name].trades)[-int(query["limit"]) :]
            return 200, [_row_of(trade) for trade in reversed(trades)]
        start, end = epoch(query["start"]), epoch(query["end"])
        length = int(query["granularity"])
        begins = range(math.ceil(start / length) * length, math.floor(end) + 1, length)
        if len(begins) > _MOST_ROWS:
            return 400, {"message": "granularity too small for the requested time range"}
        return 200, [*self.candles(name, reversed(begins))]

    def candles(self, name: str, minutes: Iterable[int]) -> Iterable[Sequence[float]]:
        """The candles of those minutes that had trades: every seventh had none."""
        for minute in minutes:
            if minute // 60 % 7:
                price = self._prices[name] * (1 + 1e-5 * (minute // 60 % 5))
                yield [minute, price * 0.9999, price * 1.0001, price, price, 0.5]


def _row_of(trade: Trade) -> dict[str, Any]:
    size, side = "0.00023846", "sell"
    stamp = _stamp(trade.ts)
    return {
        "time": stamp,
        "trade_id": trade.trade_id,
        "price": repr(trade.price),
        "size": size,
        "side": side,
    }


def _stamp(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
