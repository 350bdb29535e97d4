"""FakeAlpaca: a real server that speaks Alpaca's protocol and misbehaves to order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.local_server import LocalServer, json_response
from ticks import Tick
from vendors.values import epoch

__all__ = ["PRICES", "FakeAlpaca"]

PRICES: Final[Mapping[str, float]] = {
    "AAPL": 231.5,
    "BRK.B": 470.25,
    "MSFT": 415.75,
    "NVDA": 138.2,
    "FAKEPACA": 134.56,
}
"""The stocks that trade, and about what they cost; others are accepted, and silent."""

_MESSAGES: Final[Mapping[int, str]] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}

_CHATTER: Final[Sequence[Mapping[str, Any]]] = (
    {"T": "b", "S": "AAPL", "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 1, "t": "?"},
    {"T": "n", "headline": "something new", "symbols": ["AAPL"]},
)


@dataclass(slots=True)
class _Client:
    """One connection, and what it may and wants to be told."""

    ws: ServerConnection
    packs: bool
    is_authenticated: bool = False
    channels: dict[str, list[str]] = field(default_factory=lambda: {"trades": [], "statuses": []})


class FakeAlpaca:
    """The server on a thread of its own, in use as a context: streams, and requests beside them.

    Every stock trades every ``trade_sec`` (0: only if a test says so). Who does not authenticate
    within ``auth_sec`` is sent away, and whoever comes second ``linger_sec`` after being told so.
    ``clock`` stamps what happens.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        prices: Mapping[str, float] = PRICES,
        *,
        trade_sec: float = 0.05,
        auth_sec: float = 10.0,
        linger_sec: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Faults, for a test to turn on and off.
        self.status = 0
        """The HTTP status with which connections are refused."""
        self.greets = True
        """Whether it says anything before it is spoken to."""
        self.plan_has_stream = True
        self.plan_has_halts = True
        self.limit = 30
        """How many stocks a connection may have trades of."""
        self.is_taken = False
        """Whether somebody else uses the account's only connection."""
        self.unconfirmed: set[str] = set()
        """The names that it leaves out of every confirmation, and does not send."""
        self.malformed: set[str] = set()
        """The names that it takes for bad syntax."""
        self.is_mute = False
        """Whether no frame comes any more, on connections that stay open."""
        self.repeats = 0
        """How many of the newest trades of each stock are sent once more after a subscription."""
        self.is_chatty = False
        """Whether messages that nobody asked for come with the trades."""
        self.rest_status = 0
        """The HTTP status with which requests for the past are refused, ..."""
        self.retry_after: float | None = None
        """... and for how long it wants to be left alone."""
        # What was seen.
        self.attempts: list[float] = []
        """When each connection was asked for, refused ones included, by the monotonic clock."""
        self.requests: list[dict[str, Any]] = []
        """What clients said."""
        self.asked: list[str] = []
        """The addresses of requests for the past."""
        self.sent: list[Tick] = []
        """Every trade that was sent as one that just happened, once."""
        self._key, self._secret = key, secret
        self._prices = dict(prices)
        self._trade_sec, self._clock = trade_sec, clock
        self._auth_sec, self._linger_sec = auth_sec, linger_sec
        self._number = 0
        self._trades: dict[str, deque[dict[str, Any]]] = {n: deque(maxlen=100) for n in prices}
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
        """Where its stream is."""
        return f"ws://127.0.0.1:{self._server.port}/v2/iex"

    @property
    def test_url(self) -> str:
        """Where its test stream is."""
        return f"ws://127.0.0.1:{self._server.port}/v2/test"

    @property
    def rest_url(self) -> str:
        """Where the past is asked for."""
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        self._server.stop()

    def cut(self) -> None:
        """End every connection without a close frame, as it always does."""
        self._server.cut()

    def trade(self, name: str, price: float, ts: float | None = None, **fields: Any) -> None:
        """Have a stock traded, and wait until all that listen are told."""
        at = self._clock() if ts is None else ts
        self._server.do(lambda: self._tell([self._happen(name, price, at, **fields)]))

    def deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        """Have stocks traded at these prices and times, and tell all that listen in one frame."""
        self._server.do(lambda: self._tell([self._happen(*trade) for trade in trades]))

    def cancel(self, name: str) -> None:
        """Take the newest trade of a stock back."""
        trade = self._trades[name][-1]
        self.say({**trade, "T": "x", "a": "C"})

    def correct(self, name: str, price: float) -> None:
        """Correct the newest trade of a stock."""
        was = self._trades[name][-1]
        self._number += 1
        old = {"oi": was["i"], "op": was["p"], "os": 1, "oc": was["c"]}
        new = {"ci": self._number, "cp": price, "cs": 1, "cc": was["c"]}
        self.say({"T": "c", "S": name, "x": was["x"], **old, **new, "z": "C", "t": was["t"]})

    def halt(self, name: str, status: str) -> None:
        """Tell a status of a stock to all who want to know them."""
        stamp = _stamp(self._clock(), 0)
        said = {"T": "s", "S": name, "sc": status, "sm": "?", "rc": "T12", "t": stamp, "z": "C"}
        self._server.do(lambda: self._tell([said], "statuses"))

    def say(self, *messages: Mapping[str, Any]) -> None:
        """Say something to everybody who is authenticated, in one frame."""

        async def say() -> None:
            for client in tuple(self._clients):
                if client.is_authenticated:
                    await self._send(client, *messages)

        self._server.do(say)

    def fail(self, code: int) -> None:
        """Say an error to everybody who is authenticated."""
        self.say(_error(code))

    # What happens.

    async def _keep_trading(self) -> None:
        turn = 0
        while self._trade_sec:
            turn += 1
            now = self._clock()
            trades = [
                self._happen(name, price * (1 + 1e-5 * (turn % 7)), now)
                for name, price in self._prices.items()
            ]
            await self._tell(trades, more=_CHATTER if self.is_chatty else ())
            await asyncio.sleep(self._trade_sec)

    def _happen(self, name: str, price: float, ts: float, **fields: Any) -> dict[str, Any]:
        self._number += 1
        digits = (6, 8, 9)[self._number % 3] if ts % 1 else 0
        trade: dict[str, Any] = {"T": "t", "S": name, "i": self._number, "x": "V", "p": price}
        trade |= {"s": 1, "c": ["@"], "z": "C", "t": _stamp(ts, digits), **fields}
        self._trades[name].append(trade)
        return trade

    async def _tell(
        self,
        said: Sequence[dict[str, Any]],
        channel: str = "trades",
        more: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        for client in tuple(self._clients):
            mine = [one for one in said if one["S"] in client.channels[channel]]
            if not mine or self.is_mute:
                continue
            if channel == "trades":
                self.sent += [Tick(_ours(t["S"]), "stocks", epoch(t["t"]), t["p"]) for t in mine]
            await self._send(client, *mine, *more)

    # The talk.

    async def _attend(self, ws: ServerConnection) -> None:
        headers = ws.request.headers if ws.request else {}
        client = _Client(ws, headers.get("Content-Type") == "application/msgpack")
        self._clients.append(client)
        deadline = asyncio.ensure_future(self._send_away(client))
        try:
            if self.greets:
                await self._send(client, {"T": "success", "msg": "connected"})
            async for frame in ws:
                if isinstance(frame, bytes):
                    request = msgspec.msgpack.decode(frame)
                else:
                    request = json.loads(frame)
                self.requests.append(request)
                await self._obey(client, request)
        finally:
            deadline.cancel()
            self._clients.remove(client)

    async def _send_away(self, client: _Client) -> None:
        """Who does not authenticate in time."""
        await asyncio.sleep(self._auth_sec)
        if not client.is_authenticated:
            await self._send(client, _error(404))
            client.ws.transport.abort()

    async def _obey(self, client: _Client, request: Mapping[str, Any]) -> None:
        if request.get("action") == "auth":
            await self._authenticate(client, request)
        elif not client.is_authenticated:
            await self._send(client, _error(401))
        else:
            await self._subscribe(client, request)

    async def _authenticate(self, client: _Client, request: Mapping[str, Any]) -> None:
        if client.is_authenticated:
            await self._send(client, _error(403))
        elif (request.get("key"), request.get("secret")) != (self._key, self._secret):
            await self._send(client, _error(402))  # and stays open
        elif not self.plan_has_stream:
            await self._send(client, _error(409))  # likewise
        elif self.is_taken or any(other.is_authenticated for other in self._clients):
            await self._send(client, _error(406))
            await asyncio.sleep(self._linger_sec)
            client.ws.transport.abort()
        else:
            client.is_authenticated = True
            await self._send(client, {"T": "success", "msg": "authenticated"})

    async def _subscribe(self, client: _Client, request: Mapping[str, Any]) -> None:
        wanted = {name: names for name, names in request.items() if name != "action"}
        is_bad = request.get("action") != "subscribe" or not wanted or not all(wanted.values())
        if is_bad or any(self.malformed.intersection(names) for names in wanted.values()):
            await self._send(client, _error(400))
            return
        if not self.plan_has_halts and "statuses" in wanted:
            await self._send(client, _error(410))
            return
        if len({*client.channels["trades"], *wanted.get("trades", ())}) > self.limit:
            await self._send(client, _error(405))
            return
        for channel, names in wanted.items():
            new = set(names) - self.unconfirmed
            client.channels[channel] = sorted({*client.channels[channel], *new}, reverse=True)
        state: dict[str, Any] = {name: names for name, names in client.channels.items() if names}
        if client.channels["trades"]:
            state["corrections"] = state["cancelErrors"] = client.channels["trades"]
        await self._send(client, {"T": "subscription", **state})
        for name in wanted.get("trades", ()):
            again = list(self._trades.get(name, ()))
            again = again[len(again) - self.repeats :]
            if again:
                await self._send(client, *again)

    async def _send(self, client: _Client, *messages: Mapping[str, Any]) -> None:
        if not self.is_mute:
            frame = (msgspec.msgpack.encode if client.packs else json.dumps)(messages)
            with contextlib.suppress(ConnectionClosed):
                await client.ws.send(frame)

    # Before a handshake, and requests for the past.

    async def _answer(self, ws: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            self.attempts.append(time.monotonic())
            if self.status:
                return json_response(ws, self.status, {"message": "no"}, self.retry_after)
            return None
        self.asked.append(request.path)
        given = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if given != (self._key, self._secret):
            return json_response(ws, 403, {"message": "forbidden."})
        if self.rest_status:
            return json_response(ws, self.rest_status, {"message": "no"}, self.retry_after)
        address = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        names = [name for name in query["symbols"].split(",") if name in self._prices]
        if address.path == "/v2/stocks/bars":
            bars = {name: self.bars(name, epoch(query["start"])) for name in names}
            return json_response(ws, 200, {"bars": bars, "next_page_token": None})
        return json_response(ws, 200, {name: self._snapshot(name) for name in names})

    def bars(self, name: str, start: float) -> list[dict[str, Any]]:
        """The minutes since then that had trades, the running one too: every seventh had none."""
        return [
            self._bar(name, minute)
            for minute in range(int(start), int(self._clock()), 60)
            if minute // 60 % 7
        ]

    def _bar(self, name: str, minute: int) -> dict[str, Any]:
        price = self._prices[name] * (1 + 1e-5 * (minute // 60 % 5))
        prices = {"o": price, "h": price * 1.0001, "l": price * 0.9999, "c": price}
        return {"t": _stamp(minute, 0), **prices, "v": 100, "n": 3, "vw": price}

    def _snapshot(self, name: str) -> dict[str, Any]:
        now = self._clock()
        day = {**self._bar(name, int(now)), "t": _stamp(now, 0)}
        before = {**day, "t": _stamp(now - 86_400, 0), "c": self._prices[name] * 0.99}
        trade = self._happen(name, self._prices[name], now)
        return {"latestTrade": trade, "minuteBar": day, "dailyBar": day, "prevDailyBar": before}


def _error(code: int) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": _MESSAGES[code]}


def _ours(name: str) -> str:
    return name.replace(".", "-")


def _stamp(ts: float, digits: int) -> str:
    """With so many digits of a second; the last ones are not known, and not zero."""
    at = datetime.fromtimestamp(ts, UTC)
    fraction = f".{at.microsecond:06}291"[: 1 + digits] if digits else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction}Z"
