"""What a first version would cost: everything recomputed from the raw ticks on every tick."""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_right
from collections import deque
from itertools import pairwise

from benchmarks.report import Row
from benchmarks.store import START, ticks
from pulse_store import PulseStore
from ticks import WINDOW_SEC, Tick

SYMBOLS = 10


def measure() -> list[Row]:
    """Cost per tick of either at 1, 5 and 20 ticks a second and symbol, for ten symbols."""
    rows = []
    for rate in (1.0, 5.0, 20.0):
        first, ours = _first_version(rate), _ours(rate)
        rows.append(Row(f"from raw ticks, {rate:g} ticks/s", f"{first:,.0f} µs/tick"))
        rows.append(Row(f"Market Pulse, {rate:g} ticks/s", f"{ours:,.1f} µs/tick"))
        rows.append(Row("  ratio of the two", f"{first / ours:,.0f}"))
    return rows


def _ours(rate: float) -> float:
    """Every tick taken, and one frame a second as the worker does, shared among its ticks."""
    store = PulseStore()
    count, spent = 0, 0.0
    for second, batch in enumerate(ticks(SYMBOLS, rate, 960)):
        began = time.perf_counter()
        store.update_many(batch)
        store.advance(START + second + 1)
        store.frame(START + second + 0.999)
        spent += time.perf_counter() - began
        count += len(batch)
    return spent / count * 1e6


def _first_version(rate: float) -> float:
    """The last hour's ticks of the tick's symbol, looked through again."""
    history: dict[str, deque[Tick]] = {}
    for batch in ticks(SYMBOLS, rate):
        for tick in batch:
            history.setdefault(tick.symbol, deque()).append(tick)
    spent = []
    for symbol in list(history)[:5]:
        for i in range(5):
            tick = Tick(symbol, "stocks", START + WINDOW_SEC + i / 10, 100.0)
            began = time.perf_counter()
            recompute(history[symbol], tick)
            spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


def recompute(window: deque[Tick], tick: Tick) -> dict[str, float]:
    """Returns, volatility and trend of one symbol from its raw ticks."""
    window.append(tick)
    while window[0].ts < tick.ts - WINDOW_SEC:
        window.popleft()
    times = [t.ts for t in window]
    prices = [t.price for t in window]
    metrics = {}
    for name, horizon in (("ret_1m", 60), ("ret_5m", 300), ("ret_15m", 900)):
        place = max(0, bisect_right(times, tick.ts - horizon) - 1)
        metrics[name] = prices[-1] / prices[place] - 1
    begin = bisect_right(times, tick.ts - 900)
    logs = [math.log(price) for price in prices[begin:]]
    changes = [after - before for before, after in pairwise(logs)]
    metrics["vol_15m"] = statistics.pstdev(changes) * math.sqrt(len(changes))
    metrics["trend_15m"] = statistics.linear_regression(times[begin:], logs).slope * 60
    return metrics
