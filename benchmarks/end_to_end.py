"""It keeps up: the real Worker on a real socket, beside a bare receive loop on the same socket."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import connect

from benchmarks.flood import SYMBOLS
from benchmarks.report import Row
from feeds import FeedStatus, Trouble
from sessions import ALWAYS
from settings import HistorySettings, Settings, SourceSettings
from worker import Worker

FRAMES = 600_000
ROUNDS = 5
ROOT = Path(__file__).parent.parent


def measure() -> list[Row]:
    """Frames per second of either, in turns, on one core, with the sender on another."""
    cores = sorted(os.sched_getaffinity(0))
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.flood"],
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
        url = f"ws://127.0.0.1:{int(sender.stdout.readline())}/ws"
        bare, ours, recorded = [], [], []
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_bare(url, sender)))
            ours.append(_through_worker(url, sender))
            with tempfile.TemporaryDirectory() as folder:
                recorded.append(_through_worker(url, sender, Path(folder)))
    finally:
        sender.kill()
        os.sched_setaffinity(0, set(cores))
    ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True))
    slower = statistics.median(r / o for r, o in zip(recorded, ours, strict=True))
    return [
        Row("receive loop with json.loads alone", f"{statistics.median(bare):,.0f} frames/s"),
        Row(
            "socket → decoded → gated → store → detector",
            f"{statistics.median(ours):,.0f} frames/s",
        ),
        Row("ratio of the two", f"{ratio:.2f}", "≥ 0.80", ratio >= 0.80),
        Row("the same with an archive, over without", f"{slower:.2f}", "≥ 0.95", slower >= 0.95),
    ]


async def _bare(url: str, sender: subprocess.Popen[str]) -> float:
    async with connect(f"{url}/us?api_token=x", compression=None) as ws:
        await ws.recv()
        await ws.send('{"action":"subscribe","symbols":"AAPL"}')
        await asyncio.sleep(0.2)
        began = _go(sender)
        received = 0
        async for frame in ws:
            json.loads(frame)
            received += 1
            if received == FRAMES:
                break
        return FRAMES / (time.perf_counter() - began)


def _through_worker(url: str, sender: subprocess.Popen[str], data: Path | None = None) -> float:
    settings = Settings(
        SourceSettings(
            "eodhd",
            keys={"eodhd": ("x",)},
            urls={"eodhd": url},
            watchlist={"stocks": SYMBOLS, "forex": (), "crypto": ()},
        ),
        history=HistorySettings(folder=data),
    )
    worker = Worker(settings, session=lambda asset, now: ALWAYS, status_sec=0.05)
    worker.start()
    try:
        while _feed(worker).trouble is not Trouble.FIRST_TICK:
            time.sleep(0.01)
        time.sleep(0.2)
        _go(sender)
        return _pace(worker)
    finally:
        worker.stop()


def _pace(worker: Worker) -> float:
    """Ticks per second that reached the store, between the first and last status of the flood."""
    stored: list[tuple[float, int]] = []
    while not stored or stored[-1][1] < FRAMES:
        status, feed = worker.status(), _feed(worker)
        if feed.dropped or feed.refused:
            raise RuntimeError(f"ticks were lost: {feed}")
        count = feed.ticks - status.queued
        if count > 0 and (not stored or status.now > stored[-1][0]):
            stored.append((status.now, count))
        time.sleep(0.01)
    # The last one is of after the flood.
    (first, before), (last, after) = stored[0], stored[-2]
    return (after - before) / (last - first)


def _feed(worker: Worker) -> FeedStatus:
    return next(feed for feed in worker.status().feeds if feed.asset == "stocks")


def _go(sender: subprocess.Popen[str]) -> float:
    """Start the flood; timed from its first byte, because building the frames takes a while."""
    if sender.stdin is None or sender.stdout is None:
        raise RuntimeError("the sender has no pipes")
    sender.stdin.write(f"{FRAMES}\n")
    sender.stdin.flush()
    sender.stdout.readline()
    return time.perf_counter()
