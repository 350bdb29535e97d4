"""Harbor: an invented vendor unlike EODHD in every point, and a real WebSocket server of it.

A key in a header and again in a first message, an answer per symbol, subscriptions at a given pace,
several trades in a frame, trades from before the subscription, heartbeats, and pings that the
client owes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.waiting import HANG_SEC
from ticks import ASSETS, Asset
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick

SPACING_SEC: Final = 0.05
"""The vendor wants at most one subscription in this time."""

PING_SEC: Final = 0.2
"""How often the client says that it is there."""

BEAT_SEC: Final = 0.05

SOON_SILENT: Final[Mapping[Asset, float]] = MappingProxyType(dict.fromkeys(ASSETS, 0.4))
"""For tests in which a vendor is to be found silent."""

_KINDS: Final = {
    "welcome": NoticeKind.AUTHORIZED,
    "denied": NoticeKind.KEY_REFUSED,
    "joined": NoticeKind.SUBSCRIBED,
    "unknown": NoticeKind.SYMBOLS_REFUSED,
    "beat": NoticeKind.ALIVE,
    "pong": NoticeKind.ALIVE,
    "paused": NoticeKind.MAINTENANCE,
    "back": NoticeKind.RESUMED,
    "leaving": NoticeKind.RENEW,
    "busy": NoticeKind.CONNECTION_LIMIT,
    "other plan": NoticeKind.PLAN_REFUSED,
}


# The client's side: what a module in ``vendors`` would hold.


class HarborDialogue:
    """Logs in, joins one pair after the other, pings; each pair is confirmed by name."""

    def __init__(self, key: str, pairs: Mapping[str, str]) -> None:
        self.is_accepted = False
        self.refused: Mapping[str, NoticeKind] = {}
        self._key = key
        self._pairs = pairs
        """Our symbols by the vendor's names."""
        self._waiting = list(pairs)
        self._join_at = self._ping_at = -math.inf

    def begin(self) -> Sequence[str]:
        """The login: nobody greets."""
        return [json.dumps({"op": "login", "secret": self._key})]

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice | Halt]:
        """Any number of trades, or one notice or halt."""
        try:
            kind, body = json.loads(frame)
            if kind in ("halt", "go on"):
                return [Halt(self._pairs.get(body, body), now, kind == "halt")]
            if kind in ("trades", "past"):
                return [self._tick(*trade, is_snapshot=kind == "past") for trade in body]
            notice = Notice(_KINDS[kind])
        except (ValueError, KeyError, TypeError):
            return [Notice(NoticeKind.UNREADABLE)]
        if notice.kind is NoticeKind.AUTHORIZED:
            self.is_accepted = True
        if notice.kind is NoticeKind.SYMBOLS_REFUSED:
            self.refused = {**self.refused, self._pairs[body]: notice.kind}
        return [notice]

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """The next subscription, and the next ping."""
        if not self.is_accepted:
            return [], math.inf
        frames = []
        if self._waiting and now >= self._join_at:
            frames.append(json.dumps({"op": "join", "pair": self._waiting.pop(0)}))
            self._join_at = now + SPACING_SEC
        if now >= self._ping_at:
            frames.append('{"op":"ping"}')
            self._ping_at = now + PING_SEC
        return frames, min(self._ping_at, self._join_at if self._waiting else math.inf)

    def _tick(self, pair: str, price: str, stamp: str, *, is_snapshot: bool) -> RawTick:
        ts = datetime.fromisoformat(stamp).timestamp()
        return RawTick(self._pairs.get(pair, pair), ts, float(price), "", "", is_snapshot)


@dataclass(frozen=True, slots=True)
class Harbor:
    """The vendor, for coins only."""

    url: str
    key: str = field(repr=False)
    name: str = "Harbor"
    key_setting: str = "HARBOR_SECRET"
    assets: Sequence[Asset] = ("crypto",)
    has_contiguous_ids: bool = False
    spacing_sec: float = 0.0
    renew_sec: float | None = None
    connections: int | None = None
    symbol_limit: int | None = None
    heartbeat_sec: float | None = HANG_SEC
    terminal_code: int | None = None
    """With this code the vendor ends a connection that it does not want again."""
    silence_sec: Mapping[Asset, float] = field(
        default_factory=lambda: dict.fromkeys(ASSETS, HANG_SEC)
    )
    """However slow a busy computer makes it, it is silent only if that is what a test is about."""

    @property
    def secrets(self) -> Sequence[str]:
        """The key."""
        return (self.key,)

    def address(self, asset: Asset, symbols: Sequence[str]) -> str:
        """One for all."""
        return self.url

    def headers(self, asset: Asset) -> Mapping[str, str]:
        """Who asks."""
        return {"X-Harbor-Client": f"market-pulse {self.key}"}

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """``btc/usd`` for ``BTC-USD``; no stocks, and nothing in other currencies."""
        base, _, quote = symbol.partition("-")
        return f"{base.lower()}/usd" if asset == "crypto" and quote == "USD" else None

    def rejection(self, status: int) -> NoticeKind:
        """This vendor is not everywhere."""
        return NoticeKind.UNAVAILABLE if status == 451 else NoticeKind.SERVER_ERROR

    def closing(self, code: int) -> NoticeKind | None:
        """Nothing, unless it is the terminal code."""
        return NoticeKind.BAD_REQUEST if code == self.terminal_code else None

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        """A new connection's talk."""
        pairs = {self.symbol(asset, symbol): symbol for symbol in symbols}
        return HarborDialogue(self.key, {pair: s for pair, s in pairs.items() if pair})


# The server's side.


class HarborServer:
    """The vendor's server on a thread of its own, in use as a context."""

    def __init__(self, key: str, unknown: Sequence[str] = ()) -> None:
        self.url = ""
        self.trades = True
        """Whether anybody trades."""
        self.beats = True
        """Whether it sends heartbeats."""
        self.is_abroad = False
        """Whether it turns everybody away."""
        self.denies = False
        """Whether it accepts no login."""
        self.is_down = False
        """Whether it ends every connection, and begins none."""
        self.level = 78.0
        """Where prices are."""
        self.word: tuple[str, str] | None = None
        """What it says beside every heartbeat: a kind of notice, and of what."""
        self.closes_with: int | None = None
        """The code with which it ends every connection after the login."""
        self.retry_after = ""
        """What it wants to be left alone for, or until when, while it is abroad; then it is only
        out of service."""
        self.connections = 0
        self.open = 0
        """Connections at the moment, ..."""
        self.most_open = 0
        """... and at most."""
        self.joins: list[str] = []
        """The pairs that were asked for, in their order."""
        self.pings = 0
        self.sent = 0
        """Trades that are no snapshots."""
        self.close_codes: list[int | None] = []
        self._key = key
        self._unknown = unknown
        self._sockets: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="harbor")

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

        def end() -> None:
            for ws in self._sockets:
                ws.transport.abort()

        self._loop.call_soon_threadsafe(end)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        silent = logging.Logger("harbor", logging.CRITICAL + 1)  # noqa: LOG001 - hears no test
        async with serve(
            self._attend, "127.0.0.1", 0, process_request=self._admit, logger=silent
        ) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
            self._ready.set()
            await self._stopping.wait()

    def _admit(self, ws: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        is_known = request.headers.get("X-Harbor-Client") == f"market-pulse {self._key}"
        if self.retry_after:
            response = ws.respond(HTTPStatus.SERVICE_UNAVAILABLE, "later\n")
            response.headers["Retry-After"] = self.retry_after
            return response
        if self.is_down:
            return ws.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")
        if self.is_abroad or not is_known:
            return ws.respond(HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS, f"not here, {self._key}\n")
        return None

    async def _attend(self, ws: ServerConnection) -> None:
        self.open += 1
        self._sockets.add(ws)
        self.most_open = max(self.most_open, self.open)
        try:
            login = json.loads(await ws.recv())
            if self.denies or login != {"op": "login", "secret": self._key}:
                await _say(ws, "denied", self._key)
                return
            await _say(ws, "welcome", None)
            if self.closes_with is not None:
                await ws.close(self.closes_with)
                return
            pairs: list[str] = []
            async with asyncio.TaskGroup() as tasks:
                streaming = tasks.create_task(self._stream(ws, pairs))
                await self._obey(ws, pairs)
                streaming.cancel()
        except* ConnectionClosed:
            pass
        finally:
            self.open -= 1
            self._sockets.discard(ws)
            self.close_codes.append(ws.close_code)

    async def _obey(self, ws: ServerConnection, pairs: list[str]) -> None:
        """Answer until the client goes."""
        while True:
            request = json.loads(await ws.recv())
            if request["op"] == "ping":
                self.pings += 1
                await _say(ws, "pong", None)
                continue
            pair = request["pair"]
            self.joins.append(pair)
            if pair in self._unknown:
                await _say(ws, "unknown", pair)
                continue
            # Data may come before the answer: a fresh stamp makes it no fresh trade.
            await _say(ws, "past", [[pair, "77.5", _stamp(time.time() - 5)]])
            await _say(ws, "joined", pair)
            pairs.append(pair)

    async def _stream(self, ws: ServerConnection, pairs: Sequence[str]) -> None:
        for turn in _count():
            if self.is_down:
                await ws.close()
            if self.beats:
                await _say(ws, "beat", turn)
            if self.word is not None:
                await _say(ws, *self.word)
            if self.trades and pairs:
                now = time.time()
                prices = [f"{self.level + 0.001 * ((turn + part) % 5):.4f}" for part in range(3)]
                # In one frame: two of the first pair, and one of the last.
                trades = [[pairs[0], prices[0], _stamp(now - 0.01)]]
                trades += [[pairs[0], prices[1], _stamp(now)], [pairs[-1], prices[2], _stamp(now)]]
                await _say(ws, "trades", trades)
                self.sent += len(trades)
            await asyncio.sleep(BEAT_SEC)


async def _say(ws: ServerConnection, kind: str, body: Any) -> None:
    await ws.send(json.dumps([kind, body]))


def _stamp(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat().replace("+00:00", "Z")


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
