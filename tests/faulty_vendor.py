"""A vendor that misbehaves to order: a real WebSocket server speaking EODHD's protocol.

Every channel has a behaviour, which each of its connections gets from the first byte on. It runs
on a loop and thread of its own, because the worker does, and notes what it saw.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.waiting import HANG_SEC

AUTHORIZED: Final = '{"status_code":200,"message":"Authorized"}'
FORBIDDEN: Final = '{"status":403,"message":"Server error"}'
TOO_EARLY: Final = '{"status":500,"message":"Server error"}'
DEMO_ONLY: Final = '{"status_code":422,"message":"Only limited symbols allowed for demo"}'
OVER_LIMIT: Final = '{"status_code":422,"message":"Symbols limit reached"}'
BAD_REQUEST: Final = '{"status_code":422,"message":"Action and symbols should be string"}'

CHANNELS: Final = {"us": "stocks", "forex": "forex", "crypto": "crypto"}
PRICES: Final = {"stocks": 330.78, "forex": 1.13896, "crypto": 84588.0}

TICK_EVERY_SEC: Final = 0.02

# Outside the tree of loggers: a test that raises every level must not hear this server.
_SILENT = logging.Logger("faulty vendor", logging.CRITICAL + 1)  # noqa: LOG001


@dataclass(slots=True)
class Session:
    """One connection as a behaviour sees it."""

    vendor: FaultyVendor
    ws: ServerConnection
    asset: str
    number: int
    """Of the connections of this channel, from 0."""
    symbols: list[str] = field(default_factory=list)

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            await self.ws.send(frame)

    async def asked(self) -> list[str]:
        """The symbols of the client's next message."""
        request = json.loads(await self.ws.recv())
        assert request["action"] == "subscribe"
        symbols = str(request["symbols"]).split(",")
        self.vendor.subscriptions.append((self.asset, self.number, symbols))
        return symbols

    async def subscribed(self) -> list[str]:
        """Greet, and accept what the client asks for."""
        await self.send(AUTHORIZED)
        self.symbols = await self.asked()
        return self.symbols

    async def ticks(self, rounds: int | None = None) -> None:
        """Send one tick per symbol and round, at the pace of a quiet market."""
        for turn in count() if rounds is None else range(rounds):
            for symbol in self.symbols:
                if not self.vendor.paused:
                    await self.send(tick(self.asset, symbol, wiggle=turn))
                    self.vendor.sent[self.asset] += 1
            await asyncio.sleep(TICK_EVERY_SEC)

    def cut(self) -> None:
        """End the TCP connection without a word."""
        self.ws.transport.abort()

    def write(self, raw: bytes) -> None:
        """Bytes past the protocol."""
        self.ws.transport.write(raw)


Behaviour = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A behaviour before the handshake: an HTTP response instead of a connection."""

    status: int
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """A behaviour before the handshake: these bytes, and then silence or the end."""

    answer: bytes
    ends: bool


async def good(session: Session) -> None:
    """What a healthy vendor does."""
    await session.subscribed()
    await session.ticks()


def tick(
    asset: str,
    symbol: str,
    *,
    price: float | None = None,
    ts: float | None = None,
    wiggle: int = 0,
    market: str = "open",
) -> str:
    """A message as the channel of ``asset`` words it: of stocks it says what the market does."""
    base = PRICES[asset] if price is None else price
    value = base * (1 + 1e-5 * (wiggle % 7))
    t = round((time.time() if ts is None else ts) * 1000)
    message: dict[str, Any] = {"s": symbol, "t": t}
    if asset == "stocks":
        message |= {"p": value, "c": [], "v": 5, "dp": False, "ms": market}
    elif asset == "forex":
        message |= {"a": value, "b": value, "dc": "0.0619", "dd": "0.0007", "ppms": True}
    else:
        message |= {"p": repr(value), "q": "0.002", "dc": "0.2196", "dd": "185.7"}
    return json.dumps(message)


class FaultyVendor:
    """The server, in use as a context: ``url`` is what to configure, ``recover`` ends the faults.

    ``scripts`` gives channels by asset class behaviours for their connections in turn, of which
    the last one repeats; the other channels are healthy.
    """

    def __init__(self, **scripts: Behaviour | Rejection | Raw | Iterable[Behaviour]) -> None:
        self._scripts = {
            asset: list(script) if isinstance(script, Iterable) else [script]
            for asset, script in scripts.items()
        }
        self.url = ""
        self.paused = False
        self.has_recovered = False
        self.connected: list[tuple[str, float]] = []
        """Asset class and monotonic time of every connection, refused ones included."""
        self.paths: list[str] = []
        self.subscriptions: list[tuple[str, int, list[str]]] = []
        self.sent: Counter[str] = Counter()
        self.closed: list[tuple[str, int | None]] = []
        """Asset class and the close code received, of every connection that ended."""
        self._numbers: Counter[str] = Counter()
        self._sockets: list[ServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faulty-vendor")

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
        self.stop()

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(HANG_SEC)
        assert not self._thread.is_alive()

    def recover(self) -> None:
        """Be healthy from the next connection on; a behaviour may look at ``has_recovered``."""
        self.has_recovered = True

    def attempts(self, asset: str) -> list[float]:
        """When the client connected."""
        return [at for connected, at in self.connected if connected == asset]

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await serve(
            self._attend,
            "127.0.0.1",
            0,
            process_request=self._before_handshake,
            open_timeout=None,
            close_timeout=0.2,
            compression=None,
            logger=_SILENT,
        )
        port = server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ws"
        self._ready.set()
        await self._stopping.wait()
        for ws in self._sockets:
            ws.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        server.close()
        await server.wait_closed()

    def _behaviour(self, asset: str, number: int) -> Behaviour | Rejection | Raw:
        script = self._scripts.get(asset)
        if script is None or self.has_recovered:
            return good
        return script[min(number, len(script) - 1)]

    async def _before_handshake(self, ws: ServerConnection, request: Request) -> Response | None:
        asset = CHANNELS[urlsplit(request.path).path.rpartition("/")[2]]
        self.connected.append((asset, time.monotonic()))
        self.paths.append(request.path)
        self._sockets.append(ws)
        ws.asset, ws.number = asset, self._numbers[asset]  # type: ignore[attr-defined]
        self._numbers[asset] += 1
        behaviour = self._behaviour(asset, ws.number)  # type: ignore[attr-defined]
        ws.behaviour = behaviour  # type: ignore[attr-defined]
        if isinstance(behaviour, Rejection):
            headers = Headers(
                [*behaviour.headers, ("Content-Length", "0"), ("Connection", "close")]
            )
            return Response(behaviour.status, HTTPStatus(behaviour.status).phrase, headers, b"")
        if isinstance(behaviour, Raw):
            ws.transport.write(behaviour.answer)
            if behaviour.ends:
                ws.transport.close()
            await ws.wait_closed()
        return None

    async def _attend(self, ws: ServerConnection) -> None:
        asset, number, behaviour = ws.asset, ws.number, ws.behaviour  # type: ignore[attr-defined]
        try:
            await behaviour(Session(self, ws, asset, number))
        except ConnectionClosed:
            pass
        finally:
            # A behaviour that returns has nothing more to say; the client may still have.
            self.closed.append((asset, ws.close_code))
