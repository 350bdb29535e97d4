"""What clients of the stream cost, and whether the prices still come in while they are there.

    .venv/bin/python -m benchmarks.stream

A worker on the embedded exchange and the stream run in a process of their own; clients that read
all they are sent, a frame every two seconds, in another. The cost is processor time of the thread
that serves, with clients less without. Whether the prices are disturbed is told beside the same
seconds without clients: how many seconds were shown, how far they were behind, and ticks dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect

from api.broadcast import USUAL
from api.facts import Facts
from api.hub import Hub
from api.spool import Spool
from api.stream import PATH, Stream
from engine.files import raise_limit
from engine.heartbeat import Subscriber
from settings import ApiSettings, Settings, SourceSettings
from ticks import Asset
from worker import Worker

_SUBSCRIBE: Final = '{"type": "subscribe", "channel": "frame", "every": 2, "acks": 2}'
_ACK: Final = '{"type": "ack"}'


_CONNECTED_SEC: Final = 5.0


def _watchlist(symbols: int) -> dict[Asset, tuple[str, ...]]:
    names = tuple(f"S{number}" for number in range(symbols))
    return {"stocks": names, "forex": (), "crypto": ()}


def _serve(symbols: int, clients: int, pipe: Connection) -> None:
    """Serve until the pipe says so; tell processor time, and how many ticks came."""
    raise_limit()
    hub = Hub()
    source = SourceSettings("simulated", seed=7)
    if symbols != 17:
        source = replace(source, watchlist=_watchlist(symbols))
    engine = Worker(Settings(source), subscribers=(Subscriber("api", hub.receive),))
    engine.start()
    facts = Facts(lambda: engine, ApiSettings(), time.time)
    stream = Stream(facts, Spool(), replace(USUAL, clients=clients + 1))
    hub.listen(stream)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hub.bind(asyncio.get_running_loop())
        pipe.send(listening.getsockname()[1])
        yield

    # By its protocol, so that nothing that is sent waits for more.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    app = Starlette(routes=[WebSocketRoute(PATH, stream.serve)], lifespan=lifespan)
    config = uvicorn.Config(
        app, log_config=None, ws="websockets-sansio", ws_per_message_deflate=False, backlog=2048
    )
    server = uvicorn.Server(config)

    # Of the thread that serves alone: what the market costs varies with the market.
    serving = time.pthread_getcpuclockid(threading.get_ident())

    def answer() -> None:
        while pipe.recv():
            status, shown = engine.status(), engine.reader.pulse()
            used = time.clock_gettime(serving)
            behind = engine.reader.now() - shown.now
            dropped = sum(feed.dropped for feed in status.feeds)
            is_ready = engine.reader.is_ready and not status.is_searching_past
            pipe.send(Use(time.monotonic(), used, behind, int(shown.now), dropped, is_ready))
        server.should_exit = True

    threading.Thread(target=answer, daemon=True).start()
    server.run([listening])
    engine.stop()


async def _follow(port: int, count: int, ready: Connection) -> None:
    """Follow with so many clients, each of which reads and acknowledges all that it is sent."""
    raise_limit()

    async def read(socket: ClientConnection) -> None:
        await socket.send(_SUBSCRIBE)
        async for message in socket:
            if '"frame"' in str(message)[:20]:
                await socket.send(_ACK)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            address = f"ws://127.0.0.1:{port}{PATH}"
            tasks.create_task(read(await connect(address, compression=None, max_size=None)))
        ready.send(None)


def _clients(port: int, count: int, ready: Connection) -> None:
    asyncio.run(_follow(port, count, ready))


class Use(NamedTuple):
    """What the server had used at one instant."""

    at: float
    cpu: float
    """Of the thread that serves."""
    behind: float
    """How far the newest second is behind the clock."""
    second: int
    dropped: int
    is_ready: bool
    """Whether the past is looked through, so that there is but the present."""


def _use(pipe: Connection) -> Use:
    pipe.send(True)
    found: Use = pipe.recv()
    return found


class Spent(NamedTuple):
    """What some seconds came to."""

    cpu: float
    """Processor time of the thread that serves, a second."""
    behind: float
    """How far the newest second was behind the clock, in the mean."""
    shown: float
    """Seconds that were shown, a second."""
    dropped: int


def _spent(pipe: Connection, seconds: float) -> Spent:
    first = last = _use(pipe)
    behind = [first.behind]
    while last.at < first.at + seconds:
        time.sleep(0.1)
        last = _use(pipe)
        behind.append(last.behind)
    passed = last.at - first.at
    return Spent(
        (last.cpu - first.cpu) / passed,
        statistics.fmean(behind),
        (last.second - first.second) / passed,
        last.dropped - first.dropped,
    )


def measure(symbols: int, clients: int, seconds: float) -> str:
    """A line of the table."""
    begin = multiprocessing.get_context("spawn")
    pipe, other = begin.Pipe()
    server = begin.Process(target=_serve, args=(symbols, clients, other), daemon=True)
    server.start()
    port: int = pipe.recv()
    while not _use(pipe).is_ready:
        time.sleep(0.5)
    alone = _spent(pipe, seconds)
    ready, told = begin.Pipe()
    readers = begin.Process(target=_clients, args=(port, clients, told), daemon=True)
    readers.start()
    ready.recv()
    time.sleep(_CONNECTED_SEC)
    followed = _spent(pipe, seconds)
    readers.terminate()
    readers.join()
    pipe.send(False)
    server.join()
    cost = followed.cpu - alone.cpu
    return (
        f"{symbols:>7}  {clients:>7}  {cost:>9.1%}  {1e6 * cost / clients:>11.1f}"
        f"  {followed.shown / alone.shown:>14.2f}  {followed.behind / alone.behind:>13.2f}"
        f"  {followed.dropped:>7}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    print("symbols  clients  of a core  us/s/client  seconds, ratio  behind, ratio  dropped")
    for symbols in (17, 500):
        print(measure(symbols, given.clients, given.seconds), flush=True)


if __name__ == "__main__":
    main()
