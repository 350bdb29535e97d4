"""Line: pings without answers, floods, and an end that nobody can put off; against a raw server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connections.line import Line
from connections.opening import Connect
from feeds import Feed, FeedState, TickQueue, Timing, Trouble
from sessions import ALWAYS
from tests.faulty_vendor import AUTHORIZED, tick
from tests.waiting import HANG_SEC
from vendors.eodhd import Eodhd

TIMING = Timing(ping_sec=0.05, close_sec=0.2, backoff_floor_sec=0.01, backoff_cap_sec=0.02)
PONG, PING, CLOSE = 0xA, 0x9, 0x8

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def framed(text: str) -> bytes:
    """A server's text frame."""
    payload = text.encode()
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2)
    return b"\x81" + size + payload


async def opcode_of_next(reader: asyncio.StreamReader) -> int:
    """What kind of frame, a short one, the client sends next."""
    first, second = await reader.readexactly(2)
    await reader.readexactly(4 + (second & 0x7F))
    return first & 0xF


@asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[str]:
    """The address of a server that shakes hands and lets ``talk`` do the rest by hand."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in request[1:] if line)
        key = next(line for line in request if line.lower().startswith("sec-websocket-key"))
        assert headers["upgrade"] == "websocket"
        digest = hashlib.sha1((key.split(": ", 1)[1] + _ACCEPT).encode()).digest()  # noqa: S324
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def feeding(url: str) -> AsyncIterator[Feed]:
    """A running feed of that server."""
    subject = Feed(
        Eodhd(url, "key"),
        "crypto",
        ("BTC-USD",),
        TickQueue(),
        time.time,
        timing=TIMING,
        session=lambda asset, now: ALWAYS,
    )
    running = asyncio.create_task(subject.run())
    try:
        yield subject
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_trouble(subject: Feed, trouble: Trouble) -> None:
    """Return when the feed waits for its next try because of that."""
    async with asyncio.timeout(HANG_SEC):
        while subject.status(time.time()).trouble is not trouble:  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.005)


def test_vendor_that_answers_no_ping_but_sends_prices_stays_connected() -> None:
    """It is asked once; then signs of life are sent that want no answer."""
    asked: list[int] = []
    is_long = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def sends() -> None:
            writer.write(framed(AUTHORIZED))
            while True:
                writer.write(framed(tick("crypto", "BTC-USD")))
                await asyncio.sleep(0.01)

        sending = asyncio.create_task(sends())
        try:
            while True:
                asked.append(await opcode_of_next(reader))
                if asked.count(PONG) == 5:
                    is_long.set()
        finally:
            sending.cancel()

    async def run() -> None:
        async with served(deaf) as url, feeding(url) as subject:
            async with asyncio.timeout(HANG_SEC):
                await is_long.wait()
            status = subject.status(time.time())
            assert (status.state, status.trouble, status.reconnects) == (FeedState.LIVE, "", 0)
            assert asked.count(PING) == 1

    asyncio.run(run())


def test_connection_on_which_nothing_comes_is_ended_as_our_own_doing() -> None:
    """Neither a price nor an answer: it is dead, and that is what is said."""

    async def dead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(AUTHORIZED))
        while await reader.read(1000):
            pass

    async def run() -> None:
        async with served(dead) as url, feeding(url) as subject:
            await until_trouble(subject, Trouble.NO_SIGN_OF_LIFE)
            assert subject.status(time.time()).seconds == TIMING.ping_sec

    asyncio.run(run())


def test_others_have_their_turn_while_a_flood_is_read() -> None:
    """Not one after so many frames: one after so much time, however small they are."""
    empty, last = b"\x81\x00", b"\x81\x01!"
    turns = 0

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def counts() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> None:
        async with served(quiet) as url:
            line = await Connect(url, create_connection=Line, close_timeout=0.2, proxy=None)
            assert isinstance(line, Line)
            counting = asyncio.create_task(counts())
            # As the transport does, with more frames at once than a turn is long.
            line.data_received(b"\x8a\x00" * 100_000 + empty + last)
            assert await line.recv() == ""
            assert await line.recv() == "!"
            counting.cancel()
            await line.close()

    asyncio.run(run())
    assert turns > 10


def test_reader_lets_others_go_on_while_frames_are_there() -> None:
    """A socket that never waits would else never let another task go on."""
    frames, turns, steps = 20_000, 0, 0.0

    class Endless:
        """A socket on which another frame is there already."""

        left = frames

        async def recv(self, *, decode: bool) -> bytes:
            nonlocal steps
            steps += 1e-4  # each frame takes a hundred microseconds
            self.left -= 1
            if self.left < 0:
                await asyncio.sleep(1e9)
            return AUTHORIZED.encode() if self.left == frames - 1 else b"?"

        async def send(self, message: str) -> None:
            pass

        async def close(self) -> None:
            pass

    async def run() -> None:
        nonlocal turns

        async def connect(url: str, **options: Any) -> Any:
            return Endless()

        subject = Feed(
            Eodhd("ws://localhost", "key"),
            "crypto",
            ("BTC-USD",),
            TickQueue(),
            time.time,
            connect=connect,
            monotonic=lambda: steps,
        )
        running = asyncio.create_task(subject.run())
        while subject.prices < frames - 1:
            turns += 1
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert turns > 100


@pytest.mark.parametrize("flood", [b"\x81\x00" * 1000, b"\x89\x7d" + b"?" * 125])
def test_close_ends_in_time_on_a_line_that_is_flooded(flood: bytes) -> None:
    """If the other side neither answers nor reads, without it."""

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(flood * 100)
            await writer.drain()

    async def run() -> None:
        async with served(floods) as url:
            line = await Connect(url, create_connection=Line, close_timeout=0.2, proxy=None)
            async with asyncio.timeout(HANG_SEC):
                await line.close()

    asyncio.run(run())
