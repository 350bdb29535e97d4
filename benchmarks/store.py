"""It is lean and a glance is cheap: the store's time and memory for 50, 500 and 5,000 symbols."""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from bars import MINUTE, Minutes
from benchmarks.report import Row
from engine.measures import Measures
from events import Rule, StressDetector, When
from pulse_store import PulseStore, to_snapshots
from ticks import ASSETS, WINDOW_SEC, Tick
from usual import DAY_MINUTES

START = 1_700_000_000
RULES = (
    Rule(name="flash", when=When.MOVE, by=0.2, within_sec=10),
    Rule(name="five", when=When.MOVE, by=0.5, within_sec=300),
    Rule(name="hour", when=When.MOVE, by=0.9, within_sec=3600),
    Rule(name="above", when=When.ABOVE, price=1e6),
    Rule(name="below", when=When.BELOW, price=1e-6),
    Rule(name="crosses", when=When.CROSSES, price=100.0),
    Rule(name="wild", when=When.VOLATILITY, by=0.5),
    Rule(name="odd", when=When.SURPRISE, by=50.0),
    Rule(name="unheard", when=When.UNHEARD, within_sec=86_400),
    Rule(name="silent", when=When.SILENT, within_sec=86_400),
)
FRAME_PROMISE_MS = {50: 2.0, 5000: 60.0}
MEMORY_PROMISE_MB = {50: 10.0, 5000: 250.0}


def measure() -> list[Row]:
    """Cost of a tick, of a frame and of closing a bar, and memory of a full hour and day."""
    rows = []
    for symbols in (50, 500, 5000):
        tick_us, frame_ms, snapshots_ms, advance_ms = _alone(_timed, symbols)
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
        rows.append(Row(f"to_snapshots, {symbols} symbols", f"{snapshots_ms:.2f} ms"))
        rows.append(Row(f"advance by a bar, {symbols} symbols", f"{advance_ms:.2f} ms"))
    (rules_ms,) = _alone(_of_rules, 500)
    rows.append(Row("ten rules, 500 symbols", f"{rules_ms:.2f} ms", "≤ 5 ms", rules_ms <= 5.0))
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
    (megabytes,) = _alone(_megabytes, 5000, 0.1, DAY_MINUTES)
    rows.append(Row("the same with a full day of minutes, 5000 symbols", f"{megabytes:.1f} MB"))
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


def _timed(symbols: int) -> tuple[float, float, float, float]:
    store = PulseStore()
    count, spent = 0, 0.0
    for batch in ticks(symbols, 1.0 if symbols < 5000 else 0.2, 1200):
        began = time.perf_counter()
        store.update_many(batch)
        spent += time.perf_counter() - began
        count += len(batch)
    now = START + 1199.999
    store.advance(START + 1140)
    advances = [_took(partial(store.advance, START + 1140 + 10 * bar)) for bar in range(1, 7)]
    frames = [_took(partial(store.frame, now)) for _ in range(21)]
    frame = store.frame(now)
    snapshots = [_took(partial(to_snapshots, frame, now)) for _ in range(5)]
    medians = [statistics.median(each) * 1e3 for each in (frames, snapshots, advances)]
    return spent / count * 1e6, medians[0], medians[1], medians[2]


def _of_rules(symbols: int) -> tuple[float]:
    """What ten rules of ten words add to a second in which nothing of them happens."""
    store = PulseStore(2 * WINDOW_SEC)
    for batch in ticks(symbols, 0.3):
        store.update_many(batch)
    now = START + WINDOW_SEC - 0.001
    store.advance(now)
    frame = store.frame(now)
    rows = to_snapshots(frame, now)
    streams = dict.fromkeys(ASSETS, True)
    spent = []
    for rules in ((), RULES):
        measures, detector = Measures(rules, store), StressDetector(rules=rules)
        seconds = []
        for _ in range(41):
            began = time.perf_counter()
            measured = measures.at(now, frame, streams)
            detector.check_all(rows, now=now, measured=measured)
            seconds.append(time.perf_counter() - began)
        spent.append(statistics.median(seconds) * 1e3)
    return (spent[1] - spent[0],)


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _megabytes(symbols: int, rate: float, day_minutes: int = 0) -> tuple[float]:
    """Growth of the process's resident memory by a store of one hour, and of minutes before it."""
    PulseStore().frame(START)
    names = [f"S{i}" for i in range(symbols)]
    assets = [ASSETS[i % 3] for i in range(symbols)]
    rng = np.random.default_rng(1)
    before = _resident()
    store = PulseStore()
    for name, asset in zip(names, assets, strict=True):
        store.watch(asset, [name])
    for minute in range(START // 60 - day_minutes, START // 60):
        cells = np.zeros(symbols, MINUTE)
        cells["minute"], cells["row"] = minute, np.arange(symbols)
        for figure in ("z", "ret_1m", "ret_5m"):
            cells[figure] = rng.integers(1, 80, symbols)
        store.load_minutes(Minutes(tuple(names), tuple(assets), cells))
    for second, batch in enumerate(ticks(symbols, rate), START + 1):
        store.update_many(batch)
        store.advance(second)
    store.frame(START + WINDOW_SEC - 0.001)
    return ((_resident() - before) / 1e6,)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
