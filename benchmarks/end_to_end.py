"""It keeps up: the real Worker on real sockets, beside bare receive loops on the same sockets.

Once with one vendor's stocks, and once with five vendors at once. A second is one of this process's
processor time, so that a busy computer slows neither: the sockets are never empty.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import connect

from benchmarks.flood import SYMBOLS
from benchmarks.floods import STREAMS
from benchmarks.report import Row
from feeds import Trouble
from sessions import ALWAYS
from settings import HistorySettings, Settings, SourceSettings
from ticks import ASSETS, Asset
from vendors.alpaca import Alpaca
from vendors.binance import Binance
from vendors.coinbase import Coinbase
from vendors.finnhub import Finnhub
from vendors.kraken import Kraken
from vendors.wire import Vendor
from worker import Worker

FRAMES = 600_000
FRAMES_OF_FIVE = 30_000 * len(STREAMS)
ROUNDS = 5
ROOT = Path(__file__).parent.parent


def measure() -> list[Row]:
    """Frames per second of either, in turns, on one core, with the sender on another."""
    bare, ours, recorded = [], [], []
    with _sender("benchmarks.flood") as (port, sender):
        url = f"ws://127.0.0.1:{port}/ws"
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_bare([f"{url}/us?api_token=x"], sender, FRAMES)))
            ours.append(_through_worker(_one(url), sender, FRAMES))
            with tempfile.TemporaryDirectory() as folder:
                recorded.append(_through_worker(_one(url, Path(folder)), sender, FRAMES))
    bare_of_five, of_five = [], []
    with _sender("benchmarks.floods") as (port, sender):
        url = f"ws://127.0.0.1:{port}"
        urls = [f"{url}/{stream.path}" for stream in STREAMS]
        count = FRAMES_OF_FIVE // len(STREAMS)
        for _ in range(ROUNDS):
            bare_of_five.append(asyncio.run(_bare(urls, sender, count)))
            of_five.append(_through_worker(_five(url), sender, count))
    ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True))
    slower = statistics.median(r / o for r, o in zip(recorded, ours, strict=True))
    together = statistics.median(o / b for o, b in zip(of_five, bare_of_five, strict=True))
    least = 0.9 * ratio
    return [
        Row("receive loop with json.loads alone", f"{statistics.median(bare):,.0f} frames/s"),
        Row(
            "socket → decoded → gated → store → detector",
            f"{statistics.median(ours):,.0f} frames/s",
        ),
        Row("ratio of the two", f"{ratio:.2f}", "≥ 0.80", ratio >= 0.80),
        Row("the same with an archive, over without", f"{slower:.2f}", "≥ 0.95", slower >= 0.95),
        Row(
            "receive loops with json.loads alone, five vendors",
            f"{statistics.median(bare_of_five):,.0f} frames/s",
        ),
        Row(
            "socket → decoded → gated → store → detector, five vendors",
            f"{statistics.median(of_five):,.0f} frames/s",
        ),
        Row("ratio of the two", f"{together:.2f}", f"≥ {least:.2f}", together >= least),
    ]


@contextmanager
def _sender(module: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A sender's port and process, on another core than this one."""
    cores = sorted(os.sched_getaffinity(0))
    sender = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if sender.stdout is None:
        raise RuntimeError("the sender has no output")
    os.sched_setaffinity(sender.pid, {cores[-1]})
    os.sched_setaffinity(0, {cores[0]})
    try:
        yield int(sender.stdout.readline()), sender
    finally:
        sender.kill()
        os.sched_setaffinity(0, set(cores))


async def _bare(urls: Sequence[str], sender: subprocess.Popen[str], count: int) -> float:
    """Frames per second of a loop for each address, of ``count`` frames each."""
    opened, ended = 0, 0.0
    all_open = asyncio.Event()

    async def receive(url: str) -> None:
        nonlocal opened, ended
        async with connect(url, compression=None) as ws:
            if "/ws/us" in url or url.endswith(("alpaca", "finnhub")):
                await ws.recv()
            if "/ws/us" in url:
                await ws.send('{"action":"subscribe","symbols":"AAPL"}')
            opened += 1
            if opened == len(urls):
                all_open.set()
            received = 0
            async for frame in ws:
                json.loads(frame)
                received += 1
                if received == count:
                    break
            ended = time.process_time()

    async with asyncio.TaskGroup() as tasks:
        for url in urls:
            tasks.create_task(receive(url))
        await all_open.wait()
        await asyncio.sleep(0.2)
        began = _go(sender, count)
    return count * len(urls) / (ended - began)


def _one(url: str, data: Path | None = None) -> Worker:
    """A worker with one vendor's stocks."""
    settings = Settings(
        SourceSettings(
            "eodhd",
            keys={"eodhd": ("x",)},
            urls={"eodhd": url},
            watchlist={"stocks": SYMBOLS, "forex": (), "crypto": ()},
        ),
        history=HistorySettings(folder=data),
    )
    return Worker(settings, session=lambda asset, now: ALWAYS, status_sec=0.05)


def _five(url: str) -> Worker:
    """A worker with five vendors, each of which has no room for what another one is to send."""

    def room(path: str) -> int:
        return len(next(stream.symbols for stream in STREAMS if stream.path == path))

    # To make the messages takes a while, in which nothing is sent.
    both = Kraken(f"{url}/kraken", heartbeat_sec=60.0)
    vendors: Mapping[Asset, Sequence[Vendor]] = {
        "stocks": (
            Alpaca(f"{url}/alpaca", "x", "x", symbol_limit=room("alpaca")),
            Finnhub(f"{url}/finnhub", "x"),
        ),
        "forex": (both,),
        "crypto": (
            Binance(f"{url}/binance"),
            Coinbase(f"{url}/coinbase", symbol_limit=room("coinbase"), heartbeat_sec=60.0),
            both,
        ),
    }
    # In the order in which they find room.
    watchlist = {
        asset: tuple(
            symbol
            for path in (
                "alpaca",
                "finnhub",
                "kraken-forex",
                "binance",
                "coinbase",
                "kraken-crypto",
            )
            for stream in STREAMS
            if stream.path == path and stream.asset == asset
            for symbol in stream.symbols
        )
        for asset in ASSETS
    }
    settings = Settings(
        SourceSettings("live", watchlist=watchlist), history=HistorySettings(folder=None)
    )
    return Worker(settings, session=lambda asset, now: ALWAYS, vendors=vendors, status_sec=0.05)


def _through_worker(worker: Worker, sender: subprocess.Popen[str], count: int) -> float:
    """Ticks per second that reach the store, of ``count`` messages of each stream."""
    worker.start()
    try:
        while not _waits_for_prices(worker):
            time.sleep(0.01)
        time.sleep(0.5)
        _go(sender, count)
        return _pace(worker, count * sum(bool(feed.asked) for feed in worker.status().feeds))
    finally:
        worker.stop()


def _waits_for_prices(worker: Worker) -> bool:
    asked = [feed for feed in worker.status().feeds if feed.asked]
    return all(feed.trouble is Trouble.FIRST_TICK for feed in asked)


def _pace(worker: Worker, total: int) -> float:
    """Ticks per second that reached the store, between the first and last status of a flood of
    ``total`` ticks.
    """
    stored: list[tuple[float, float, int]] = []
    while not stored or stored[-1][2] < total:
        status = worker.status()
        if any(feed.dropped or feed.refused for feed in status.feeds):
            raise RuntimeError(f"ticks were lost: {status.feeds}")
        count = sum(feed.ticks for feed in status.feeds) - status.queued
        if count > 0 and (not stored or status.now > stored[-1][0]):
            stored.append((status.now, time.process_time(), count))
        time.sleep(0.01)
    # The last one is of after the flood.
    (_, first, before), (_, last, after) = stored[0], stored[-2]
    return (after - before) / (last - first)


def _go(sender: subprocess.Popen[str], count: int) -> float:
    """Start the flood; timed from its first byte, because building the frames takes a while."""
    if sender.stdin is None or sender.stdout is None:
        raise RuntimeError("the sender has no pipes")
    sender.stdin.write(f"{count}\n")
    sender.stdin.flush()
    sender.stdout.readline()
    return time.process_time()


if __name__ == "__main__":
    from benchmarks.report import table

    print(table("It keeps up", measure()))
