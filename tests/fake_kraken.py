"""Kraken that misbehaves to order: a real WebSocket and HTTP server of its version 2.

Its seconds are ``BEAT_SEC`` long. What it does can be changed at any time, by attributes; it counts
what it sent and saw.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.waiting import HANG_SEC
from ticks import Tick

__all__ = ["BEAT_SEC", "PRICES", "FakeKraken"]

BEAT_SEC: Final = 0.05

PRICES: Final[Mapping[str, float]] = {
    "BTC/USD": 83744.3,
    "ETH/USD": 2510.0,
    "EUR/USD": 1.13896,
    "USD/JPY": 151.2,
}
"""The pairs that it has, and about what they cost."""
CONNECTION_ID: Final = 18125794168470749634
"""Beyond what a double or a signed number holds."""

LEGACY: Final = {"BTC/USD": "XXBTZUSD", "EUR/USD": "ZEURZUSD"}
"""How older parts of it call some pairs in their answers."""


class FakeKraken:
    """The server on a thread of its own, in use as a context. ``clock`` stamps what happens."""

    def __init__(
        self, prices: Mapping[str, float] = PRICES, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.url = self.rest_url = ""
        self.unknown: Sequence[str] = ()
        """Pairs that it does not have."""
        self.unanswered: Sequence[str] = ()
        """Pairs that get no answer, and no data."""
        self.wants_parameters = False
        """Whether it objects to every subscription as such."""
        self.exceeded = False
        """Whether it objects to the number of messages."""
        self.trades = True
        """Whether anything happens on its market."""
        self.beats = True
        self.is_odd = False
        """Whether it sends messages that it may send and that nobody knows."""
        self.repeats = False
        """Whether a new connection hears the last trades once more, as if they were new."""
        self.late_sec: float | None = None
        """If set, data waits in its queue; reset, all of it comes at once, so much too late."""
        self.reject: int | None = None
        """The HTTP status with which it turns everybody away."""
        self.most_attempts: int | None = None
        """With more than these it answers 429."""
        self.idle_sec = HANG_SEC
        """How long a connection without a subscription may be open."""
        self.mistake = ""
        """The error of every answer over HTTP, which has the status of success."""
        self.attempts: list[float] = []
        """When somebody connected, by the monotonic clock."""
        self.asked: list[tuple[str, list[str], dict[str, Any]]] = []
        """Channel, pairs and all parameters of every subscription."""
        self.pings = 0
        self.calls: list[str] = []
        """The paths and queries of requests over HTTP."""
        self.sent: Counter[str] = Counter()
        """Trades and quotes by pair, but for snapshots and repeated ones."""
        self.told: list[Tick] = []
        """The same, under our name of the pair and in order."""
        self.recalled: list[Tick] = []
        """The snapshots."""
        self.close_codes: list[int | None] = []
        self._prices, self._clock = dict(prices), clock
        self._system = "online"
        self._ids = defaultdict[str, int](lambda: 109116693)
        self._last: dict[str, dict[str, Any]] = {}
        self._late = defaultdict[ServerConnection, list[str]](list)
        self._sockets: set[ServerConnection] = set()
        self._pairs: dict[ServerConnection, list[str]] = {}
        self._rng = random.Random(1)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kraken")

    # What a test does, from its own thread.

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HANG_SEC)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(HANG_SEC)
        assert not self._thread.is_alive()

    def cut(self) -> None:
        """End every connection without a word."""

        async def cut() -> None:
            for ws in tuple(self._sockets):
                ws.transport.abort()

        self._do(cut())

    def deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        """Have pairs traded at these prices and times, and tell each that listens in one frame."""
        self._do(self._deal(trades))

    def set_system(self, state: str) -> None:
        """Change the state of its market, and say so to everybody."""
        self._do(self._set_system(state))

    def close(self, code: int) -> None:
        """Close every connection with ``code``."""
        self._do(self._close(code))

    def skip(self, pair: str, trades: int) -> None:
        """Have trades happen of which nobody hears."""
        self._loop.call_soon_threadsafe(lambda: self._ids.update({pair: self._ids[pair] + trades}))

    def sweep(self, pair: str, trades: int) -> None:
        """Have one order make many trades, and tell of all in one message."""
        self._do(self._sweep(pair, trades))

    def _do(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(HANG_SEC)

    # The server.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        silent = logging.Logger("kraken", logging.CRITICAL + 1)  # noqa: LOG001 - hears no test
        async with serve(
            self._attend, "127.0.0.1", 0, process_request=self._admit, logger=silent
        ) as server:
            port = server.sockets[0].getsockname()[1]
            self.url, self.rest_url = f"ws://127.0.0.1:{port}/v2", f"http://127.0.0.1:{port}"
            self._ready.set()
            await self._stopping.wait()

    def _admit(self, ws: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/0/public/"):
            self.calls.append(request.path)
            body = json.dumps(self._told(request.path)).encode()
            headers = Headers([("Content-Length", str(len(body))), ("Connection", "close")])
            return Response(200, "OK", headers, body)
        self.attempts.append(time.monotonic())
        if self.most_attempts is not None and len(self.attempts) > self.most_attempts:
            return ws.respond(HTTPStatus.TOO_MANY_REQUESTS, "slow down\n")
        if self.reject is not None:
            return ws.respond(HTTPStatus(self.reject), "no\n")
        return None

    async def _attend(self, ws: ServerConnection) -> None:
        pairs: list[str] = []
        self._sockets.add(ws)
        self._pairs[ws] = pairs
        try:
            await self._say_system(ws)
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(self._beat(ws, pairs)),
                    tasks.create_task(self._stream(ws, pairs)),
                    tasks.create_task(self._idle(ws, pairs)),
                ]
                await self._obey(ws, pairs)
                for task in others:
                    task.cancel()
        except* ConnectionClosed:
            pass
        finally:
            self._sockets.discard(ws)
            del self._pairs[ws]
            self.close_codes.append(ws.close_code)

    async def _obey(self, ws: ServerConnection, pairs: list[str]) -> None:
        """Answer until the client goes: about each pair by itself, in any order."""
        while True:
            request = json.loads(await ws.recv())
            if request["method"] == "ping":
                self.pings += 1
                await _say(ws, {"method": "pong"} | _stamps())
                continue
            assert request["method"] == "subscribe"
            params = request["params"]
            asked = list(params["symbol"])
            self.asked.append((params["channel"], asked, params))
            if self.exceeded:
                await _say(ws, {"Error": "Exceeded msg rate"})
                continue
            if self.wants_parameters:
                await _say(ws, _refusal("Subscription depth not supported"))
                continue
            self._rng.shuffle(asked)
            for pair in asked:
                await self._answer(ws, pair, pairs, params)

    async def _answer(
        self, ws: ServerConnection, pair: str, pairs: list[str], params: dict[str, Any]
    ) -> None:
        if pair in self.unanswered:
            return
        if pair in self.unknown or pair not in self._prices:
            error = _refusal(f"Currency pair not supported {pair}")
            await _say(ws, error | {"symbol": pair})
            return
        channel, has_snapshot = params["channel"], params["snapshot"]
        if self.repeats and pair in self._last:  # before the answer
            await _say(ws, _data(channel, "update", [self._last[pair]]))
        result = {"channel": channel, "snapshot": has_snapshot, "symbol": pair}
        if channel == "ticker":
            result["event_trigger"] = params["event_trigger"]
        answer = {"method": "subscribe", "result": result, "success": True}
        await _say(ws, answer | _stamps())
        if has_snapshot:
            before = self._item(channel, pair, 0.9 * self._prices[pair], self._clock() - 10.0)
            self.recalled.append(_tick(before))
            await _say(ws, _data(channel, "snapshot", [before]))
        ws.channel = channel  # type: ignore[attr-defined]
        pairs.append(pair)

    async def _idle(self, ws: ServerConnection, pairs: Sequence[str]) -> None:
        await asyncio.sleep(self.idle_sec)
        if not pairs:
            await ws.close(1000)

    async def _beat(self, ws: ServerConnection, pairs: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(BEAT_SEC)
            if self.beats and pairs:
                await _say(ws, {"channel": "heartbeat"})
            if self.is_odd:
                await _say(ws, {"channel": "weather", "type": "update", "data": {"wind": 1e-08}})

    async def _stream(self, ws: ServerConnection, pairs: Sequence[str]) -> None:
        turn = 0
        while True:
            await asyncio.sleep(BEAT_SEC)
            if not self.trades:
                continue
            turn += 1
            scale = 1 + 1e-6 * (turn % 5)
            # Several takers in one frame.
            takers = [*pairs, *pairs[:1]]
            await self._tell(
                ws, [(pair, self._prices[pair] * scale, self._clock()) for pair in takers]
            )

    async def _deal(self, trades: Sequence[tuple[str, float, float]]) -> None:
        for ws in tuple(self._sockets):
            pairs = self._pairs.get(ws, ())
            await self._tell(ws, [trade for trade in trades if trade[0] in pairs])

    async def _tell(self, ws: ServerConnection, trades: Sequence[tuple[str, float, float]]) -> None:
        channel = getattr(ws, "channel", "")
        items = [self._item(channel, *trade) for trade in trades]
        if items:
            await self._send(ws, json.dumps(_data(channel, "update", items)))
            self.sent.update(item["symbol"] for item in items)
            self.told += map(_tick, items)
            self._last |= {item["symbol"]: item for item in items}

    async def _send(self, ws: ServerConnection, frame: str) -> None:
        """Send a frame of data, or have it wait."""
        if self.late_sec is not None:
            self._late[ws].append(frame)
            return
        for one in [*self._late.pop(ws, ()), frame]:
            await ws.send(one)

    def _item(self, channel: str, pair: str, price: float, ts: float) -> dict[str, Any]:
        """A trade or a quote; of what waits in the queue the stamp is as old as it will be."""
        item = {"symbol": pair, "timestamp": _stamp(ts - (self.late_sec or 0.0))}
        if channel == "ticker":
            return item | {"bid": price * (1 - 1e-5), "ask": price * (1 + 1e-5), "last": 1e-08}
        self._ids[pair] += 1
        return item | {"price": price, "qty": 5.1e-05, "trade_id": self._ids[pair], "side": "buy"}

    async def _say_system(self, ws: ServerConnection) -> None:
        state = {"version": "2.0.10", "system": self._system, "connection_id": CONNECTION_ID}
        await _say(ws, _data("status", "update", [state]))

    async def _set_system(self, state: str) -> None:
        self._system = state
        for ws in tuple(self._sockets):
            await self._say_system(ws)

    async def _sweep(self, pair: str, trades: int) -> None:
        now = self._clock()
        items = [self._item("trade", pair, self._prices[pair], now) for _ in range(trades)]
        for ws in tuple(self._sockets):
            if getattr(ws, "channel", "") == "trade":
                await _say(ws, _data("trade", "update", items))
                self.sent[pair] += trades

    async def _close(self, code: int) -> None:
        for ws in tuple(self._sockets):
            await ws.close(code)

    # Over HTTP.

    def _told(self, path: str) -> dict[str, Any]:
        call, query = urlsplit(path).path.split("/")[-1], parse_qs(urlsplit(path).query)
        pair = query["pair"][0]
        if self.mistake:
            return {"error": [self.mistake]}
        if pair not in self._prices:
            return {"error": ["EQuery:Unknown asset pair"]}
        now, price = self._clock(), self._prices[pair]
        rows: list[list[Any]]
        if call == "Trades":
            ids = range(self._ids[pair] - 2, self._ids[pair] + 1)
            rows = [
                [f"{price:.5f}", "0.00005100", now - 9 + one, "s", "l", "", trade]
                for one, trade in enumerate(ids)
            ]
        else:
            length = 60 * int(query["interval"][0])
            last = int(now) // length * length
            texts = [f"{price * scale:.5f}" for scale in (1, 1.001, 0.999, 1.0005, 1)]
            begins = range(last - 719 * length, last + 1, length)
            rows = [[at, *texts, "1.5", 3] for at in begins if at > int(query["since"][0])]
        return {"error": [], "result": {LEGACY.get(pair, pair): rows, "last": int(now)}}


def _data(channel: str, kind: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"channel": channel, "type": kind, "data": items}


def _tick(item: Mapping[str, Any]) -> Tick:
    """What a trade or a quote tells, under our name of the pair."""
    ts = datetime.fromisoformat(item["timestamp"]).timestamp()
    base, _, quote = item["symbol"].partition("/")
    if "price" in item:
        return Tick(f"{base}-{quote}", "crypto", ts, item["price"])
    return Tick(base + quote, "forex", ts, (item["bid"] + item["ask"]) / 2)


def _refusal(error: str) -> dict[str, Any]:
    return {"error": error, "method": "subscribe", "success": False} | _stamps()


def _stamps() -> dict[str, str]:
    return {"time_in": _stamp(time.time()), "time_out": _stamp(time.time())}


def _stamp(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat().replace("+00:00", "Z")


async def _say(ws: ServerConnection, message: dict[str, Any]) -> None:
    await ws.send(json.dumps(message))
