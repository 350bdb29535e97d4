"""Remembering is cheap: a warm start, a file of days, deleting, and what recording costs a store.

``python -m benchmarks.archive 7`` writes a whole week instead of a day.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from bars import CELL, Bars
from benchmarks.report import Row, table
from benchmarks.store import START, ticks
from history.archive import Archive
from history.writer import connect, delete_bars, release_pages, write_bars
from pulse_store import PulseStore
from sources.tape import Tape
from tests.conftest import TAPE
from ticks import ASSETS, Tick

DAY_SEC: Final = 86_400
WARM_SEC: Final = 7200
WARM_PROMISE_SEC: Final = {50: 0.5, 500: 3.0}
STEP_SEC: Final = 600
STEP_PAGES: Final = 500
STEP_PROMISE_MS: Final = 250.0
TAKE_SEC: Final = 0.5
ROUNDS: Final = 3


def measure(days: float = 1.0) -> list[Row]:
    """Seconds until a restarted store answers, megabytes and milliseconds of days, and a ratio."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for symbols, promise in WARM_PROMISE_SEC.items():
            path = Path(folder) / f"{symbols}.sqlite"
            write(path, symbols, WARM_SEC, 60)
            spent = statistics.median(_alone(_warm_start, path)[0] for _ in range(ROUNDS))
            rows.append(
                Row(
                    f"warm start, two hours of {symbols} symbols",
                    f"{spent:.2f} s",
                    f"≤ {promise:g} s",
                    spent <= promise,
                )
            )
        rows += _days(Path(folder), days)
    if TAPE.exists():
        rows += _ratio("an hour of recorded ticks", _tape_batches)
    rows += _ratio("1,000 ticks/s of 50 symbols", _busy_batches)
    return rows


def _days(folder: Path, days: float) -> list[Row]:
    """A file of days, a bar a second of each of 50 symbols, and the deletion of its first day."""
    second_ms = write(folder / "hour.sqlite", 50, 3600, 1)
    path = folder / "days.sqlite"
    minute_ms = write(path, 50, int(days * DAY_SEC), 60)
    size_mb = path.stat().st_size / 1e6
    whole, longest_ms = _let_go(path)
    left_mb = path.stat().st_size / 1e6
    return [
        Row("a commit of a second, 50 symbols", f"{second_ms:.2f} ms"),
        Row("a commit of a minute, 50 symbols", f"{minute_ms:.2f} ms"),
        Row(f"file of {days:g} days, 50 symbols", f"{size_mb:.0f} MB"),
        Row("  of a week (× 7 / days)", f"{size_mb * 7 / days:.0f} MB"),
        Row("a day deleted, in steps", f"{whole:.1f} s"),
        Row(
            "  the longest step",
            f"{longest_ms:.0f} ms",
            f"≤ {STEP_PROMISE_MS:g} ms",
            longest_ms <= STEP_PROMISE_MS,
        ),
        Row("  file afterwards", f"{left_mb:.0f} MB"),
    ]


def write(path: Path, symbols: int, seconds: int, commit_sec: int) -> float:
    """An archive of a random walk, a bar a second of each symbol; the mean commit in ms."""
    rng = np.random.default_rng(1)
    names = tuple(f"S{row}" for row in range(symbols))
    assets = tuple(ASSETS[row % 3] for row in range(symbols))
    prices, spent, commits = np.full(symbols, 100.0), 0.0, 0
    with closing(connect(path)) as connection:
        for begin in range(START, START + seconds, commit_sec):
            walk = prices * np.exp(np.cumsum(rng.normal(0, 1e-4, (commit_sec, symbols)), axis=0))
            prices = walk[-1]
            cells = np.empty(walk.size, CELL)
            cells["second"] = np.repeat(np.arange(begin, begin + commit_sec), symbols)
            cells["row"] = np.tile(np.arange(symbols), commit_sec)
            cells["n"] = rng.integers(1, 9, walk.size)
            cells["ms"] = rng.integers(0, 1000, walk.size)
            cells["price"] = walk.ravel()
            cells["sum"] = cells["price"] * cells["n"]
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            write_bars(connection, Bars(names, assets, cells))
            connection.execute("COMMIT")
            spent += time.perf_counter() - began
            commits += 1
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return spent / commits * 1e3


def _let_go(path: Path) -> tuple[float, float]:
    """Seconds to delete the first day as the recorder does, and its longest step in ms."""
    steps = []
    with closing(connect(path)) as connection:

        def timed(step: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            answer = step()
            steps.append(time.perf_counter() - began)
            return answer

        while timed(lambda: delete_bars(connection, START + DAY_SEC, STEP_SEC)):
            pass
        while timed(lambda: release_pages(connection, STEP_PAGES)):
            pass
        timed(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    return sum(steps), max(steps) * 1e3


def _warm_start(path: Path) -> tuple[float]:
    """Seconds from a file to the first frame of a store that had nothing."""
    now = START + WARM_SEC
    began = time.perf_counter()
    store = PulseStore(WARM_SEC, records=True)
    store.load_bars(Archive(path).bars(now - WARM_SEC, now))
    store.advance(now)
    frame = store.frame(now)
    spent = time.perf_counter() - began
    if frame["vol_15m"].isna().any() or (frame["regime"] == "unknown").any():
        raise RuntimeError("the store did not warm up")
    return (spent,)


def _ratio(what: str, batches: Callable[[], Iterable[list[Tick]]]) -> list[Row]:
    """The same ticks into a store alone, into one that records, and on into a file."""
    alone, recording, archived = [], [], []
    for _ in range(ROUNDS):
        alone.append(_alone(_fed, batches, False, False)[0])
        recording.append(_alone(_fed, batches, True, False)[0])
        archived.append(_alone(_fed, batches, True, True)[0])

    def over(others: list[float]) -> str:
        return f"{statistics.median(o / a for o, a in zip(others, alone, strict=True)):.2f}"

    return [
        Row(f"{what} into a store", f"{statistics.median(alone):.2f} s"),
        Row("  recording, over that", over(recording)),
        Row("  taken every half second and committed, over that", over(archived)),
    ]


def _fed(
    batches: Callable[[], Iterable[list[Tick]]], records: bool, is_archived: bool
) -> tuple[float]:
    """CPU seconds to take all batches, half a second each."""
    ready = list(batches())
    store = PulseStore(records=records)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(connect(Path(folder) / "a")) as connection,
    ):
        began = time.process_time()
        for batch in ready:
            store.update_many(batch)
            if is_archived:
                connection.execute("BEGIN IMMEDIATE")
                write_bars(connection, store.collect_changed())
                connection.execute("COMMIT")
        return (time.process_time() - began,)


def _tape_batches() -> Iterator[list[Tick]]:
    tape = Tape.load(TAPE)
    found = (Tick(q.symbol, q.asset, q.ts, q.price) for q in tape.read_until(tape.end))
    for _, batch in groupby(found, key=lambda tick: tick.ts // TAKE_SEC):
        yield list(batch)


def _busy_batches() -> Iterator[list[Tick]]:
    """Ten minutes, in which a second's ticks are in order of their symbols."""
    for second in ticks(50, 20.0, 600):
        for half in (0, 1):
            yield [tick for tick in second if (tick.ts % 1.0 >= TAKE_SEC) == bool(half)]


def _alone(work: Callable[..., tuple[float, ...]], *arguments: Any) -> tuple[float, ...]:
    """Run ``work`` in a fresh process: one measurement must not warm or fill the next."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


if __name__ == "__main__":
    print(
        table(
            "Remembering is cheap",
            measure(float(sys.argv[1])) if len(sys.argv) > 1 else measure(),
        )
    )
