"""An export is lean: time, size and memory of a day and of two, each bar a second of 50 symbols.

``python -m benchmarks.export 7`` takes a week and half of one instead.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from bars import CELL, Bars
from benchmarks.report import Row, table
from history import export
from history.archive import Archive
from history.sheet import SHEET_ROWS
from history.writer import connect, write_bars
from ticks import ASSETS

BEGIN: Final = 1_795_000_000
SYMBOLS: Final = tuple(f"S{row:02}" for row in range(50))
PIECE_SEC: Final = 900
DAY_SEC: Final = 86_400
MOST_RATIO: Final = 1.1


def measure(days: float = 2.0) -> list[Row]:
    """Rows a second, bytes a row, and the peak memory of a span and of half of it."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        seconds = int(days * DAY_SEC)
        fill(path, seconds)
        for form in export.FORMS:
            # A sheet holds no more.
            span = min(seconds, SHEET_ROWS // len(SYMBOLS)) if form == "xlsx" else seconds
            _, _, half_mb = _alone(path, form, span // 2)
            spent, size, whole_mb = _alone(path, form, span)
            count = span * len(SYMBOLS)
            rows += [
                Row(f"{form}, {count / 1e6:.1f} M bars", f"{count / spent / 1e6:.2f} M rows/s"),
                Row(f"{form}, size", f"{size / count:.1f} bytes/row"),
                Row(f"{form}, peak memory of the process", f"{whole_mb:.0f} MB"),
                Row(
                    f"{form}, over the peak of half the span",
                    f"{whole_mb / half_mb:.2f}",
                    f"independent (≤ {MOST_RATIO:.2f})",
                    whole_mb / half_mb <= MOST_RATIO,
                ),
            ]
    return rows


def fill(path: Path, seconds: int) -> None:
    """An archive of a random walk, piece by piece as it is read."""
    rng = np.random.default_rng(1)
    prices = rng.uniform(1.0, 500.0, len(SYMBOLS))
    assets = tuple(ASSETS[row % 3] for row in range(len(SYMBOLS)))
    connection = connect(path)
    for begin in range(BEGIN, BEGIN + seconds, PIECE_SEC):
        shape = (min(PIECE_SEC, BEGIN + seconds - begin), len(SYMBOLS))
        walk = np.round(prices * np.exp(rng.normal(0.0, 1e-4, shape).cumsum(axis=0)), 4)
        prices = walk[-1]
        ticks = rng.integers(1, 6, shape)
        cells = np.zeros(walk.size, CELL)
        cells["second"] = np.repeat(np.arange(begin, begin + shape[0]), shape[1])
        cells["row"] = np.tile(np.arange(shape[1]), shape[0])
        cells["n"] = ticks.ravel()
        cells["price"] = walk.ravel()
        cells["sum"] = (walk * ticks).ravel() * (1 + 1e-6)
        connection.execute("BEGIN")
        write_bars(connection, Bars(SYMBOLS, assets, cells))
        connection.execute("COMMIT")
    connection.close()


def _alone(path: Path, form: export.Form, seconds: int) -> tuple[float, int, float]:
    """An export in a fresh process, whose peak is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_export, path, form, seconds).result()


def _export(path: Path, form: export.Form, seconds: int) -> tuple[float, int, float]:
    out = path.with_name(f"bench.{form}")
    began = time.perf_counter()
    export.save(Archive(path), "bars", form, out, BEGIN, BEGIN + seconds)
    spent = time.perf_counter() - began
    size = out.stat().st_size
    out.unlink()
    # Of this process's own pages: what getrusage says begins with its parent's.
    status = Path("/proc/self/status").read_text("ascii")
    return spent, size, int(status.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    print(table("An export is lean", measure(*map(float, sys.argv[1:2]))))
