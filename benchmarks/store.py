"""It is lean and a glance is cheap: the store's time and memory for 50, 500 and 5,000 symbols."""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.report import Row
from pulse_store import PulseStore
from ticks import ASSETS, WINDOW_SEC, Tick

START = 1_700_000_000
FRAME_PROMISE_MS = {50: 2.0, 5000: 60.0}
MEMORY_PROMISE_MB = {50: 10.0, 5000: 250.0}


def measure() -> list[Row]:
    """Cost of a tick and of a frame, and memory of a full hour at two tick rates."""
    rows = []
    for symbols in (50, 500, 5000):
        tick_us, frame_ms = _alone(_timed, symbols)
        promise = FRAME_PROMISE_MS.get(symbols)
        rows.append(Row(f"update_many, {symbols} symbols", f"{tick_us:.2f} µs/tick"))
        rows.append(
            Row(
                f"frame, {symbols} symbols",
                f"{frame_ms:.2f} ms",
                f"≤ {promise:g} ms" if promise else "",
                frame_ms <= promise if promise else None,
            )
        )
    for symbols in (50, 5000):
        (megabytes,) = _alone(_megabytes, symbols, 0.1)
        limit = MEMORY_PROMISE_MB[symbols]
        rows.append(
            Row(
                f"memory of an hour, {symbols} symbols, 0.1 ticks/s",
                f"{megabytes:.1f} MB",
                f"≤ {limit:g} MB",
                megabytes <= limit,
            )
        )
    slow, fast = (_alone(_megabytes, 50, rate)[0] for rate in (1.0, 20.0))
    rows.append(
        Row(
            "memory at 20 ticks/s over memory at 1 tick/s",
            f"{fast / slow:.2f}",
            "independent (≤ 1.10)",
            fast / slow <= 1.10,
        )
    )
    return rows


def _alone(work: Callable[..., tuple[float, ...]], *arguments: float) -> tuple[float, ...]:
    """Run ``work`` in a fresh process: one measurement must not warm or fill the next."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def ticks(symbols: int, rate: float, seconds: int = WINDOW_SEC) -> Iterator[list[Tick]]:
    """An hour of a random walk, second by second; ``rate`` in ticks per second and symbol."""
    rng = random.Random(1)
    names = [f"S{i}" for i in range(symbols)]
    prices = [100.0] * symbols
    due = [rng.random() / rate for _ in names]
    for second in range(seconds):
        batch = []
        for i, name in enumerate(names):
            while due[i] < second + 1:
                prices[i] *= 1 + rng.gauss(0, 1e-4)
                batch.append(Tick(name, ASSETS[i % 3], START + due[i], prices[i]))
                due[i] += 1 / rate
        yield batch


def _timed(symbols: int) -> tuple[float, float]:
    store = PulseStore()
    count, spent = 0, 0.0
    for batch in ticks(symbols, 1.0 if symbols < 5000 else 0.2, 1200):
        began = time.perf_counter()
        store.update_many(batch)
        spent += time.perf_counter() - began
        count += len(batch)
    now = START + 1199.999
    store.advance(now)
    frames = []
    for _ in range(21):
        began = time.perf_counter()
        store.frame(now)
        frames.append(time.perf_counter() - began)
    return spent / count * 1e6, statistics.median(frames) * 1e3


def _megabytes(symbols: int, rate: float) -> tuple[float]:
    """Growth of the process's resident memory by a store full of one hour."""
    PulseStore().frame(START)
    before = _resident()
    store = PulseStore()
    for batch in ticks(symbols, rate):
        store.update_many(batch)
    store.frame(START + WINDOW_SEC - 0.001)
    return ((_resident() - before) / 1e6,)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
