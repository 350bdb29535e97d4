"""FakeFinnhub: a real server that speaks Finnhub's protocol and misbehaves to order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.local_server import LocalServer, json_response
from ticks import Tick

__all__ = ["PRICES", "FakeFinnhub"]

PRICES: Final[Mapping[str, float]] = {"AAPL": 231.5, "BRK.B": 470.25, "MSFT": 415.75, "NVDA": 138.2}
"""The stocks that trade, and about what they cost; others are accepted, and silent."""


@dataclass(slots=True)
class _Client:
    """One connection and what it is subscribed to."""

    ws: ServerConnection
    names: set[str] = field(default_factory=set)


class FakeFinnhub:
    """The server on a thread of its own, in use as a context: streams, and requests beside them.

    Every stock trades every ``trade_sec`` (0: only if a test says so), and every connection is
    pinged every ``ping_sec``. ``clock`` stamps what happens.
    """

    def __init__(
        self,
        key: str,
        prices: Mapping[str, float] = PRICES,
        *,
        trade_sec: float = 0.05,
        ping_sec: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Faults, for a test to turn on and off.
        self.status = 0
        """The HTTP status with which connections are refused; 200 is a page instead of one, ..."""
        self.retry_after: float | None = None
        """... and for how long it wants to be left alone."""
        self.limit = 51
        """One more than is said."""
        self.is_taken = False
        """Whether somebody else uses the key: then both are sent away at once."""
        self.invalid: set[str] = set()
        """The names that it refuses for a while, good as they are."""
        self.copies = 1
        """How many times it sends every trade."""
        self.repeats = 0
        """How many of the newest trades of each stock are sent once more after a subscription."""
        self.is_silent = False
        """Whether nothing comes but pings, as in a closed market."""
        self.is_mute = False
        """Whether no frame comes any more, on connections that stay open."""
        self.rest_status = 0
        """The HTTP status with which requests for the past are refused."""
        # What was seen.
        self.attempts: list[float] = []
        """When each connection was asked for, refused ones included, by the monotonic clock."""
        self.said: list[tuple[float, str]] = []
        """The names that were asked for, and when, by the monotonic clock."""
        self.asked: list[str] = []
        """The addresses of requests for the past."""
        self.sent: list[Tick] = []
        """Every trade that was sent as one that just happened, once."""
        self._key = key
        self._prices = dict(prices)
        self._trade_sec, self._ping_sec, self._clock = trade_sec, ping_sec, clock
        self._turn = 0
        self._trades: dict[str, deque[dict[str, Any]]] = {n: deque(maxlen=100) for n in prices}
        self._clients: list[_Client] = []
        self._server = LocalServer(self._answer, self._attend, self._live)

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
        """Where its stream is."""
        return f"ws://127.0.0.1:{self._server.port}"

    @property
    def rest_url(self) -> str:
        """Where the past is asked for."""
        return f"http://127.0.0.1:{self._server.port}/api/v1"

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        self._server.stop()

    def cut(self) -> None:
        """End every connection without a word."""
        self._server.cut()

    def trade(self, name: str, price: float, ts: float | None = None) -> None:
        """Have a stock traded, and wait until all that listen are told."""
        at = self._clock() if ts is None else ts
        self._server.do(lambda: self._tell([self._happen(name, price, at)]))

    def deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        """Have stocks traded at these prices and times, and tell all that listen in one frame."""
        self._server.do(lambda: self._tell([self._happen(*trade) for trade in trades]))

    def say(self, **message: Any) -> None:
        """Say something to everybody."""

        async def say() -> None:
            for client in tuple(self._clients):
                await self._send(client, message)

        self._server.do(say)

    # What happens.

    async def _live(self) -> None:
        await asyncio.gather(self._keep_trading(), self._keep_pinging())

    async def _keep_trading(self) -> None:
        turn = 0
        while self._trade_sec:
            turn += 1
            now = self._clock()
            trades = [
                self._happen(name, price * (1 + 1e-5 * (turn % 7)), now)
                for name, price in self._prices.items()
            ]
            if not self.is_silent:
                await self._tell(trades)
            await asyncio.sleep(self._trade_sec)

    async def _keep_pinging(self) -> None:
        while True:
            await asyncio.sleep(self._ping_sec)
            for client in tuple(self._clients):
                await self._send(client, {"type": "ping"})

    def _happen(self, name: str, price: float, ts: float) -> dict[str, Any]:
        """With conditions, with none, or without a word of them, in turn."""
        self._turn += 1
        trade: dict[str, Any] = {"p": price, "s": name, "t": round(ts * 1000), "v": self._turn % 2}
        conditions: Sequence[dict[str, Any]] = ({"c": ["1", "8", "24", "12"]}, {"c": None}, {})
        trade |= conditions[self._turn % 3]
        self._trades[name].append(trade)
        return trade

    async def _tell(self, trades: Sequence[dict[str, Any]]) -> None:
        for client in tuple(self._clients):
            mine = [trade for trade in trades if trade["s"] in client.names]
            if not mine or self.is_mute:
                continue
            self.sent += [
                Tick(trade["s"].replace(".", "-"), "stocks", trade["t"] / 1000.0, trade["p"])
                for trade in mine
            ]
            for _ in range(self.copies):
                await self._send(client, {"data": mine, "type": "trade"})

    # The talk.

    async def _attend(self, ws: ServerConnection) -> None:
        client = _Client(ws)
        self._clients.append(client)
        try:
            if self.is_taken or len(self._clients) > 1:
                for other in tuple(self._clients):
                    await other.ws.close()
                return
            async for frame in ws:
                await self._obey(client, json.loads(frame))
        finally:
            self._clients.remove(client)

    async def _obey(self, client: _Client, request: Mapping[str, Any]) -> None:
        """Nothing is confirmed."""
        name = request["symbol"]
        if request["type"] == "unsubscribe":
            client.names.discard(name)
            return
        self.said.append((time.monotonic(), name))
        if name in self.invalid:
            await self._send(client, {"msg": f"Invalid symbol {name}", "type": "error"})
        elif len(client.names | {name}) > self.limit:
            await self._send(client, {"msg": "Subscribing to too many symbols", "type": "error"})
        else:
            client.names.add(name)
            again = list(self._trades.get(name, ()))
            again = again[len(again) - self.repeats :]
            if again:
                await self._send(client, {"data": again, "type": "trade"})

    async def _send(self, client: _Client, message: Mapping[str, Any]) -> None:
        if not self.is_mute:
            with contextlib.suppress(ConnectionClosed):
                await client.ws.send(json.dumps(message))

    # Before a handshake, and requests for the past.

    async def _answer(self, ws: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if "Upgrade" in request.headers:
            self.attempts.append(time.monotonic())
            if query.get("token") != self._key:
                return json_response(ws, 401, {"error": f"Invalid API key {query.get('token')}."})
            if self.status:
                return json_response(ws, self.status, "<html></html>", self.retry_after)
            return None
        self.asked.append(request.path)
        if request.headers.get("X-Finnhub-Token") != self._key:
            return json_response(ws, 401, {"error": "Invalid API key."})
        if self.rest_status:
            return json_response(ws, self.rest_status, {"error": "no"}, self.retry_after)
        if address.path != "/api/v1/quote":  # candles of a free key
            return json_response(ws, 403, {"error": "You don't have access to this resource."})
        price = self._prices.get(query["symbol"], 0.0)
        quote = {"c": price, "d": None, "dp": None, "h": price * 1.01, "l": price * 0.99}
        at = int(self._clock()) if price else 0
        return json_response(ws, 200, {**quote, "o": price, "pc": price * 0.98, "t": at})
