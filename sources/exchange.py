"""The embedded exchange: a real WebSocket server on this computer that speaks EODHD's protocol.

It runs on the worker's event loop, to which every method here belongs. What it sends comes from a
market or a tape, up to the time that the caller gives to ``publish``. The event loop's own clock
only times the greeting, the closing and the ghost slots.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

from sources.market import Market
from sources.quotes import Quote
from sources.tape import Recording
from ticks import ASSETS, Asset
from vendors.eodhd import DEMO_KEY, DEMO_SYMBOLS, SYMBOL_LIMIT

__all__ = ["EMBEDDED_KEY", "Exchange"]

EMBEDDED_KEY: Final = "embedded"
"""The key that its own worker sends; the exchange accepts any."""

Channel = Literal["us", "us-quote", "forex", "crypto"]

CHANNELS: Final[dict[Asset, tuple[Channel, ...]]] = {
    "stocks": ("us", "us-quote"),
    "forex": ("forex",),
    "crypto": ("crypto",),
}
PATHS: Final[dict[str, Channel]] = {
    f"/ws/{channel}": channel for channels in CHANNELS.values() for channel in channels
}
ASSET_OF: Final[dict[Channel, Asset]] = {c: asset for asset in ASSETS for c in CHANNELS[asset]}

# The vendor spells the key "status" in refusals of a connection, "status_code" elsewhere.
AUTHORIZED: Final = '{"status_code":200,"message":"Authorized"}'
FORBIDDEN: Final = '{"status":403,"message":"Server error"}'
TOO_EARLY: Final = '{"status":500,"message":"Server error"}'
BAD_REQUEST: Final = '{"status_code":422,"message":"Action and symbols should be string"}'
DEMO_ONLY: Final = '{"status_code":422,"message":"Only limited symbols allowed for demo"}'
OVER_LIMIT: Final = '{"status_code":422,"message":"Symbols limit reached"}'

BACKLOG_LIMIT: Final = 4 * 2**20
"""How many unread bytes may wait for a client before it is dropped."""

CLOSE_TIMEOUT_SEC: Final = 1.0
"""How long a client has to answer a close; all are on this computer."""

_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode

# The request line holds the token, and websockets prints it at DEBUG.
_WIRE_LOG: Final = logging.getLogger(f"{__name__}.websockets")
_WIRE_LOG.setLevel(logging.INFO)


class _Client:
    """One connection: its account, what it subscribed to, and what is about to be sent to it."""

    def __init__(self, socket: ServerConnection, channel: Channel, token: str) -> None:
        self.socket = socket
        self.channel = channel
        self.asset = ASSET_OF[channel]
        self.token = token
        self.symbols: set[str] = set()
        self.batch: list[bytes] = []

    @property
    def is_stuck(self) -> bool:
        """Whether more of what it was sent lies unread than of any client that reads."""
        return self.socket.transport.get_write_buffer_size() > BACKLOG_LIMIT

    def flush(self) -> int:
        """Send the batch in one write; returns the number of messages sent."""
        batch, self.batch = self.batch, []
        if self.socket.state is not State.OPEN:
            return 0
        # One write for many frames: a system call for each would cost more than everything else.
        self.socket.transport.write(b"".join(batch))
        return len(batch)

    async def hang_up(self, code: CloseCode) -> None:
        """Close the connection properly, or by force if the client does not take part."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SEC):
                await self.socket.close(code)
        except TimeoutError:
            # The close frame waits behind everything unread, and so does websockets' own timeout.
            self.socket.transport.abort()


class Exchange:
    """A vendor on this computer, with faults on order: low limits, ghost slots, slow greetings.

    A ghost slot is one that a closed connection occupies for another ``ghost_sec``.
    """

    def __init__(
        self,
        source: Market | Recording,
        *,
        symbol_limit: int = SYMBOL_LIMIT,
        ghost_sec: float = 0.0,
        authorize_delay_sec: float = 0.0,
    ) -> None:
        self.url = ""
        self._source = source
        self._symbol_limit = symbol_limit
        self._ghost_sec = ghost_sec
        self._authorize_delay_sec = authorize_delay_sec
        self._server: Server | None = None
        self._clients: set[_Client] = set()
        self._subscribers: dict[tuple[Channel, str], set[_Client]] = defaultdict(set)
        self._subscriptions_changed = asyncio.Event()
        self._ghosts: list[tuple[float, str, int]] = []
        self._sent: dict[str, Counter[Asset]] = defaultdict(Counter)
        self._first_prices: dict[tuple[Asset, str], float] = {}
        self._latest = {q.symbol: q for q in source.opening_quotes() if q.asset == "forex"}
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=_not_found,
            compression=None,
            close_timeout=CLOSE_TIMEOUT_SEC,
            logger=_WIRE_LOG,
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ws"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close(close_connections=False)
            await asyncio.gather(*(c.hang_up(CloseCode.GOING_AWAY) for c in self._clients))
            await self._server.wait_closed()

    def publish(self, until: float) -> None:
        """Send every quote with an event time before ``until`` to the clients subscribed to it.

        The event loop must run between two calls, or clients look as if they did not read.
        """
        waiting: set[_Client] = set()
        for quote in self._source.read_until(until):
            first_price = self._first_price(quote)
            if quote.asset == "forex":
                self._latest[quote.symbol] = quote
            for channel in CHANNELS[quote.asset]:
                clients = self._subscribers.get((channel, quote.symbol))
                if clients:
                    frame = _frame(_message(channel, quote, first_price))
                    for client in clients:
                        client.batch.append(frame)
                    waiting |= clients
        for client in waiting:
            self._flush(client)

    def go_on_with(self, source: Market | Recording) -> None:
        """Publish from another source from now on, which was read as far as the one before."""
        self._source = source

    async def run(self, clock: Callable[[], float], interval_sec: float = 0.05) -> None:
        """Publish at the pace of a clock, until cancelled."""
        while True:
            self.publish(clock())
            await asyncio.sleep(interval_sec)

    def sent_counts(self, token: str) -> dict[Asset, int]:
        """How many data messages were ever sent to connections of a token, per asset class."""
        return {asset: self._sent[token][asset] for asset in ASSETS}

    async def wait_for_subscriptions(
        self, token: str, wanted: Mapping[Asset, Collection[str]]
    ) -> None:
        """Return once connections of a token have subscribed to all wanted symbols."""
        while not self._covers(token, wanted):
            self._subscriptions_changed.clear()
            await self._subscriptions_changed.wait()

    def _covers(self, token: str, wanted: Mapping[Asset, Collection[str]]) -> bool:
        return all(
            any(
                client.token == token
                for channel in CHANNELS[asset]
                for client in self._subscribers.get((channel, symbol), ())
            )
            for asset, symbols in wanted.items()
            for symbol in symbols
        )

    def _first_price(self, quote: Quote) -> float:
        """The symbol's first price of the run, from which its changes are counted."""
        return self._first_prices.setdefault((quote.asset, quote.symbol), quote.price)

    def _flush(self, client: _Client) -> None:
        if client.is_stuck:
            self._drop(client)
        else:
            self._sent[client.token][client.asset] += client.flush()

    def _drop(self, client: _Client) -> None:
        """Close the connection of a client that does not read, so that it cannot hold memory."""
        self._unsubscribe(client, set(client.symbols))
        client.batch.clear()
        closing = asyncio.create_task(client.hang_up(CloseCode.TRY_AGAIN_LATER))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _serve(self, socket: ServerConnection) -> None:
        """Serve one connection from its greeting to its end."""
        assert socket.request is not None  # noqa: S101 - set by the handshake before this is called
        address = urlsplit(socket.request.path)
        token = parse_qs(address.query).get("api_token", [""])[0]
        client = _Client(socket, PATHS[address.path], token)
        self._clients.add(client)
        try:
            if await self._greet(client):
                await self._answer(client)
        except ConnectionClosed:
            pass
        finally:
            self._leave(client)

    async def _greet(self, client: _Client) -> bool:
        """Greet a client; returns whether it may go on: it has a token and waited to be greeted."""
        if not client.token:
            await client.socket.send(FORBIDDEN)
            return False
        if self._authorize_delay_sec > 0 and await self._sends_early(client):
            await client.socket.send(TOO_EARLY)
            return False
        await client.socket.send(AUTHORIZED)
        return True

    async def _sends_early(self, client: _Client) -> bool:
        try:
            async with asyncio.timeout(self._authorize_delay_sec):
                await client.socket.recv()
        except TimeoutError:
            return False
        return True

    async def _answer(self, client: _Client) -> None:
        async for text in client.socket:
            request = _parse(text)
            refusal = BAD_REQUEST if request is None else self._obey(client, *request)
            if refusal is not None:
                await client.socket.send(refusal)

    def _obey(self, client: _Client, action: str, symbols: set[str]) -> str | None:
        """Do all that a client asks, or none of it; returns the refusal, if there is one."""
        if action == "unsubscribe":
            self._unsubscribe(client, symbols)
            return None
        if client.token == DEMO_KEY and not symbols <= set(DEMO_SYMBOLS[client.asset]):
            return DEMO_ONLY
        if self._slots_used(client.token) + len(symbols - client.symbols) > self._symbol_limit:
            return OVER_LIMIT
        self._subscribe(client, symbols)
        return None

    def _subscribe(self, client: _Client, symbols: set[str]) -> None:
        client.symbols |= symbols
        for symbol in symbols:
            self._subscribers[client.channel, symbol].add(client)
        if client.channel == "forex":
            self._send_snapshots(client, symbols)
        self._subscriptions_changed.set()

    def _send_snapshots(self, client: _Client, symbols: set[str]) -> None:
        """Send one tick per valid symbol at once, however old: so does the vendor in forex."""
        for quote in map(self._latest.get, sorted(symbols)):
            if quote is not None:
                client.batch.append(_frame(_message("forex", quote, self._first_price(quote))))
        self._flush(client)

    def _unsubscribe(self, client: _Client, symbols: set[str]) -> None:
        for symbol in symbols & client.symbols:
            subscribers = self._subscribers[client.channel, symbol]
            subscribers.discard(client)
            if not subscribers:
                del self._subscribers[client.channel, symbol]
        client.symbols -= symbols

    def _leave(self, client: _Client) -> None:
        """Forget a connection; with ghosts its symbols occupy the account's slots for a while."""
        if self._ghost_sec > 0:
            until = asyncio.get_running_loop().time() + self._ghost_sec
            self._ghosts.append((until, client.token, len(client.symbols)))
        self._unsubscribe(client, set(client.symbols))
        self._clients.discard(client)

    def _slots_used(self, token: str) -> int:
        """How many slots all connections of an account use, ghosts included."""
        now = asyncio.get_running_loop().time()
        self._ghosts = [ghost for ghost in self._ghosts if ghost[0] > now]
        ghosts = sum(count for _, owner, count in self._ghosts if owner == token)
        return ghosts + sum(len(c.symbols) for c in self._clients if c.token == token)


def _not_found(socket: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path in PATHS:
        return None
    return socket.respond(HTTPStatus.NOT_FOUND, f"no such channel, expected {', '.join(PATHS)}\n")


def _parse(text: str | bytes) -> tuple[str, set[str]] | None:
    """The action and symbols of a request; None if it is not one."""
    if isinstance(text, bytes):
        return None
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or not isinstance(request.get("symbols"), str):
        return None
    if request.get("action") not in ("subscribe", "unsubscribe"):
        return None
    symbols = {symbol.strip() for symbol in request["symbols"].split(",")}
    return request["action"], symbols - {""}


def _message(channel: Channel, quote: Quote, first_price: float) -> dict[str, object]:
    """A quote in the vendor's format, which differs from channel to channel."""
    t = round(quote.ts * 1000)
    if channel == "us":
        return {
            "s": quote.symbol,
            "p": quote.price,
            "c": quote.conditions,
            "v": _whole(quote.size),
            "dp": False,
            "ms": "open",
            "t": t,
        }
    if channel == "us-quote":
        size = _whole(quote.size)
        return {"s": quote.symbol, "ap": quote.ask, "as": size, "bp": quote.bid, "bs": size, "t": t}
    change = {
        "dc": _plain(round(100 * (quote.price / first_price - 1), 4)),
        "dd": _plain(round(quote.price - first_price, 8)),
    }
    if channel == "forex":
        return {"s": quote.symbol, "a": quote.ask, "b": quote.bid, **change, "ppms": False, "t": t}
    return {"s": quote.symbol, "p": _plain(quote.price), "q": _plain(quote.size), **change, "t": t}


def _frame(message: dict[str, object]) -> bytes:
    """A message as it goes over the wire, made once for everybody who gets it."""
    payload = _to_json(message).encode()
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number


def _plain(number: float) -> str:
    """A number as the vendor writes it in text: without an exponent and without a needless .0."""
    text = repr(number)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
