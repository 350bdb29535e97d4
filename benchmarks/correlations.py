"""What moves together is cheap to know: the correlation card and the changes of every pair."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.report import Row
from correlation import twins
from pulse_store import PulseStore
from robust import SCALE_RETURNS, Returns
from settings import Settings, SourceSettings
from tests.stage import staged
from ticks import Asset, Tick
from worker import Worker

SYMBOLS: Final = 100
START: Final = 1_760_000_400
WARM_SEC: Final = 7200
WATCHED_SEC: Final = 120
PROMISE_MS: Final = 10.0


def measure() -> list[Row]:
    """The seconds of two minutes, as a page asks for them; and what they are made of."""
    engine, tick = _watching()
    took = {"10 s": [0.0] * WATCHED_SEC, "auto": [0.0] * WATCHED_SEC}
    for i in range(-1, WATCHED_SEC):  # the first look is at the ten minutes before it as well
        tick(START + WARM_SEC + i)
        engine.heartbeat.show(START + WARM_SEC + i)
        for bars, times in took.items():
            spent = _spent(lambda: _look(engine, 10 if bars == "10 s" else None))  # noqa: B023
            if i >= 0:
                times[i] = spent
    rows = []
    for bars, times in took.items():
        mean = statistics.mean(times)
        rows.append(
            Row(
                f"card and changes of {SYMBOLS} symbols, {bars} bars, a second",
                f"{mean:.2f} ms",
                f"≤ {PROMISE_MS:g} ms",
                mean <= PROMISE_MS,
            )
        )
        rows.append(Row("  the dearest of two minutes of seconds", f"{max(times):.2f} ms"))
    names = engine.store.symbols
    now = START + WARM_SEC + WATCHED_SEC
    logs, counts = engine.store.bars(names, 10, 3600, now)
    ours = _fastest(lambda: Returns.between(logs, counts))
    plain = _fastest(lambda: _medians(np.abs(np.diff(logs, axis=1))))
    rows += [
        Row("returns over their local scale", f"{ours:.2f} ms"),
        Row("numpy's median of the same windows alone", f"{plain:.2f} ms"),
        Row("  ratio of the two", f"{plain / ours:.1f}"),
        Row(
            f"twins of {SYMBOLS} symbols",
            f"{_fastest(lambda: twins(engine.store, names, now)):.2f} ms",
        ),
    ]
    many = _many(5000)
    spent = _fastest(lambda: twins(many, many.symbols, START + 3600), times=1)
    return [*rows, Row("twins of 5,000 symbols", f"{spent:.0f} ms")]


def _look(engine: Worker, bin_sec: int | None) -> None:
    """What a page asks for in a refresh."""
    assets: tuple[Asset, ...] = ("crypto",)
    card = engine.reader.correlation("S0", bin_sec, assets)
    engine.reader.pair_changes(assets, card.bin_sec)


def _watching() -> tuple[Worker, Callable[[int], None]]:
    """A worker that watched a hundred symbols on one factor for two hours, and its next seconds."""
    names = tuple(f"S{i}" for i in range(SYMBOLS))
    watchlist: dict[Asset, tuple[str, ...]] = {"stocks": (), "forex": (), "crypto": names}
    settings = Settings(SourceSettings("eodhd", keys={"eodhd": ("none",)}, watchlist=watchlist))
    engine = staged(settings, clock=lambda: float(START + WARM_SEC))
    rng = np.random.default_rng(1)
    loads = np.linspace(0.1, 0.9, SYMBOLS)
    steps = rng.normal(size=(WARM_SEC + WATCHED_SEC, 1)) * loads
    steps += rng.normal(size=(len(steps), SYMBOLS)) * np.sqrt(1 - loads**2)
    prices = 100.0 * np.exp(np.cumsum(steps * 1e-4, axis=0))
    ticking = rng.random(prices.shape) < 0.7

    def tick(second: int) -> None:
        row = max(0, second - START)
        engine.store.update_many(
            Tick(names[i], "crypto", second + 0.5, float(prices[row, i]))
            for i in np.flatnonzero(ticking[row])
        )

    for second in range(START, START + WARM_SEC - 1):
        tick(second)
        engine.store.advance(second + 1)
    return engine, tick


def _many(symbols: int) -> PulseStore:
    """A store of many symbols that ticked for an hour."""
    store, rng = PulseStore(), np.random.default_rng(2)
    names = [f"S{i}" for i in range(symbols)]
    price = np.full(symbols, 100.0)
    for second in range(0, 3600, 30):
        price *= np.exp(rng.normal(size=symbols) * 1e-4)
        pairs = zip(names, price.tolist(), strict=True)
        store.update_many(Tick(name, "stocks", START + second, value) for name, value in pairs)
    return store


def _medians(sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    windows = np.lib.stride_tricks.sliding_window_view(sizes, SCALE_RETURNS, axis=1)
    medians: npt.NDArray[np.float64] = np.median(windows, axis=2)
    return medians


def _fastest(work: Callable[[], object], times: int = 5) -> float:
    return min((_spent(work) for _ in range(times)), default=math.nan)


def _spent(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
