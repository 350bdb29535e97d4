"""FakeBinance: a real server that speaks Binance's protocol and misbehaves to order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.local_server import LocalServer, json_response
from ticks import Tick

__all__ = ["PRICES", "RESTRICTED", "FakeBinance"]

PRICES: Final[Mapping[str, float]] = {"BTCUSDT": 77590.01, "ETHUSDT": 3106.2, "SOLUSDT": 171.35}
"""The pairs that it has, and about what they cost."""

RESTRICTED: Final = {
    "code": 0,
    "msg": "Service unavailable from a restricted location according to 'b. Eligibility' in"
    " https://www.binance.com/en/terms. Please contact customer service if you believe you"
    " received this message in error.",
}

_TOO_MANY: Final = 5
"""More messages than this within a second end a connection."""


class Trade(NamedTuple):
    """One aggregated trade of a pair."""

    trade_id: int
    ts_ms: int
    price: float


@dataclass(slots=True)
class _Book:
    """What happened in one pair."""

    last_id: int
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=1000))


@dataclass(frozen=True, slots=True)
class _Client:
    """One connection and the streams of its address."""

    ws: ServerConnection
    streams: frozenset[str]


class FakeBinance:
    """The server on a thread of its own, in use as a context: streams, and requests beside them.

    Every pair trades every ``trade_sec`` (0: only if a test says so). Each connection is pinged
    every ``ping_sec`` and ended if the answer differs or takes longer than ``pong_sec``. ``clock``
    stamps what happens.
    """

    def __init__(
        self,
        prices: Mapping[str, float] = PRICES,
        *,
        trade_sec: float = 0.05,
        ping_sec: float = 0.1,
        pong_sec: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Faults, for a test to turn on and off.
        self.status = 0
        """The HTTP status with which connections are refused, ..."""
        self.retry_after: float | None = None
        """... and for how long it wants to be left alone, also by who asks too often."""
        self.is_stalled = False
        """Whether no frame comes any more, on connections that stay open and answer pings."""
        self.shuffles = False
        """Whether what happens at once is told in another order."""
        self.is_chatty = False
        """Whether bids and asks, which have no time, come with every trade."""
        self.rest_status = 0
        """The HTTP status with which requests for the past are refused, ..."""
        self.rest_body: bytes | None = None
        """... what they are answered instead, ..."""
        self.rest_sec = 0.0
        """... and after how long."""
        # What was seen.
        self.attempts: list[float] = []
        """When each connection was asked for, refused ones included, by the monotonic clock."""
        self.paths: list[str] = []
        """The address of each."""
        self.asked: list[str] = []
        """The addresses of requests for the past."""
        self.requests: list[str | bytes] = []
        """What clients said: nothing has to be."""
        self.pongs = 0
        """Pings that were answered with what they held."""
        self.sent: list[Tick] = []
        """Every trade that was sent, once, under our name of its pair."""
        self._prices = dict(prices)
        self._trade_sec, self._ping_sec, self._pong_sec = trade_sec, ping_sec, pong_sec
        self._clock = clock
        self._books = {
            name: _Book(1_000_000 * (1 + place)) for place, name in enumerate(self._prices)
        }
        self._clients: list[_Client] = []
        self._server = LocalServer(self._answer, self._attend, self._keep_trading)

    def __enter__(self) -> Self:
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
    def url(self) -> str:
        """Where its streams are."""
        return f"ws://127.0.0.1:{self._server.port}"

    @property
    def rest_url(self) -> str:
        """Where the past is asked for."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def close_codes(self) -> list[int | None]:
        """Of every connection that ended."""
        return self._server.close_codes

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        self._server.stop()

    def cut(self) -> None:
        """End every connection without a word."""
        self._server.cut()

    def trade(self, name: str, price: float, ts: float | None = None) -> None:
        """Have a pair traded, and wait until all that listen are told."""
        at = self._clock() if ts is None else ts
        self._server.do(lambda: self._trade(name, price, at))

    def deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        """Have pairs traded at these prices and times, and wait until all that listen are told."""

        async def deal() -> None:
            happened = [(name, self._happen(name, price, ts)) for name, price, ts in trades]
            for name, trade in reversed(happened) if self.shuffles else happened:
                await self._tell_all(name, trade)

        self._server.do(deal)

    def skip(self, name: str, count: int = 1) -> None:
        """Have trades happen that nobody is told of."""

        async def happen() -> None:
            self._books[name].last_id += count

        self._server.do(happen)

    def announce_end(self) -> None:
        """Say that every connection will be ended soon."""

        async def announce() -> None:
            said = {"e": "serverShutdown", "E": math.floor(self._clock() * 1000)}
            for client in tuple(self._clients):
                await _say(client.ws, {"stream": "!serverShutdown", "data": said})

        self._server.do(announce)

    def close(self, code: int) -> None:
        """End every connection with a WebSocket code."""

        async def close() -> None:
            for client in tuple(self._clients):
                await client.ws.close(code, "Too many requests" if code == 1008 else "")

        self._server.do(close)

    # What happens.

    async def _keep_trading(self) -> None:
        turn = 0
        while self._trade_sec:
            turn += 1
            for name, price in self._prices.items():
                await self._trade(name, price * (1 + 1e-5 * (turn % 7)), self._clock())
            await asyncio.sleep(self._trade_sec)

    def _happen(self, name: str, price: float, ts: float) -> Trade:
        book = self._books[name]
        book.last_id += 1
        trade = Trade(book.last_id, math.floor(ts * 1000), round(price, 8))
        book.trades.append(trade)
        return trade

    async def _trade(self, name: str, price: float, ts: float) -> None:
        await self._tell_all(name, self._happen(name, price, ts))

    async def _tell_all(self, name: str, trade: Trade) -> None:
        stream = f"{name.lower()}@aggTrade"
        listening = [one.ws for one in self._clients if stream in one.streams]
        if self.is_stalled or not listening:
            return
        ours = f"{name.removesuffix('USDT')}-USDT"
        self.sent.append(Tick(ours, "crypto", trade.ts_ms / 1000, trade.price))
        for ws in listening:
            await _say(ws, {"stream": stream, "data": self._event(name, trade)})
            if self.is_chatty:
                await _say(ws, {"stream": f"{name.lower()}@bookTicker", "data": _book(name, trade)})

    def _event(self, name: str, trade: Trade) -> dict[str, Any]:
        sent_ms = math.floor(self._clock() * 1000)
        return {"e": "aggTrade", "E": sent_ms, "s": name, **_row_of(trade)}

    # The talk.

    async def _attend(self, ws: ServerConnection) -> None:
        assert ws.request is not None
        streams = parse_qs(urlsplit(ws.request.path).query)["streams"][0].split("/")
        # Whatever does not exist is accepted as well.
        client = _Client(ws, frozenset(streams))
        self._clients.append(client)
        pinging = asyncio.ensure_future(self._keep_pinging(ws))
        try:
            await self._listen(ws)
        finally:
            pinging.cancel()
            self._clients.remove(client)

    async def _listen(self, ws: ServerConnection) -> None:
        """End the connection of who says too much."""
        times: deque[float] = deque(maxlen=_TOO_MANY + 1)
        async for frame in ws:
            self.requests.append(frame)
            times.append(time.monotonic())
            if len(times) > _TOO_MANY and times[-1] - times[0] < 1.0:
                await ws.close(1008, "Too many requests")
                return
            await _say(ws, {"result": None, "id": 1})

    async def _keep_pinging(self, ws: ServerConnection) -> None:
        """With the time; the answer to a ping counts if it holds the same."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self._ping_sec)
                try:
                    async with asyncio.timeout(self._pong_sec):
                        await (await ws.ping(f"{self._clock() * 1000:.0f}"))
                except TimeoutError:
                    ws.transport.abort()
                    return
                self.pongs += 1

    # Before a handshake, and requests for the past.

    async def _answer(self, ws: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            self.attempts.append(time.monotonic())
            self.paths.append(request.path)
            if self.status:
                body = RESTRICTED if self.status == 451 else {"code": -1003, "msg": "no"}
                return json_response(ws, self.status, body, self.retry_after)
            return None
        self.asked.append(request.path)
        await asyncio.sleep(self.rest_sec)
        if self.rest_status:
            body = RESTRICTED if self.rest_status == 451 else {"code": -1003, "msg": "no"}
            return json_response(ws, self.rest_status, body, self.retry_after)
        response = json_response(ws, *self._past(request.path))
        if self.rest_body is not None:
            response.body = self.rest_body
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(self.rest_body))
        return response

    def _past(self, path: str) -> tuple[int, Any]:
        """The status and the answer to a request for the past."""
        address = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        name, limit = query["symbol"], int(query["limit"])
        if name not in self._books:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        if address.path == "/api/v3/aggTrades":
            return 200, [_row_of(trade) for trade in [*self._books[name].trades][-limit:]]
        length = 60_000 * int(query["interval"].removesuffix("m"))
        first = math.ceil(int(query["startTime"]) / length) * length
        until = min(int(query["endTime"]), math.floor(self._clock() * 1000))
        return 200, [*self.candles(name, range(first, until + 1, length)[:limit], length)]

    def candles(self, name: str, begins: Iterable[int], length: int) -> Iterable[list[Any]]:
        """The candles that begin then and have this length, in milliseconds; each has one."""
        for begin in begins:
            price = self._prices[name] * (1 + 1e-5 * (begin // length % 5))
            prices = [f"{each:.8f}" for each in (price, price * 1.0001, price * 0.9999, price)]
            end = begin + length - 1
            yield [begin, *prices, "1.50000000", end, "9.0", 7, "0.5", "3.0", "0"]


async def _say(ws: ServerConnection, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(ConnectionClosed):
        await ws.send(json.dumps(message))


def _row_of(trade: Trade) -> dict[str, Any]:
    first = 3 * trade.trade_id
    return {
        "a": trade.trade_id,
        "p": f"{trade.price:.8f}",
        "q": "100",
        "f": first,
        "l": first + 2,
        "T": trade.ts_ms,
        "m": True,
        "M": True,
    }


def _book(name: str, trade: Trade) -> dict[str, Any]:
    bid, ask = f"{trade.price * 0.9:.8f}", f"{trade.price * 1.1:.8f}"
    return {"u": 499869768, "s": name, "b": bid, "B": "672.0", "a": ask, "A": "3199.0"}
