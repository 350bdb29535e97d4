"""Signals: exports that are told to end at any moment, and what they leave behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from bars import CELL, Bars
from benchmarks.attacks.tally import Tally
from history.writer import connect, write_bars
from tests.browsing import ROOT

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

BEGIN: Final = 1_795_000_020
SECONDS: Final = 20_000
SYMBOLS: Final = ("AAPL", "MSFT", "TSLA", "NVDA", "AMZN", "META")
ROWS: Final = SECONDS * len(SYMBOLS)

_ENDS_WITHIN_SEC: Final = 60.0


def signals(seed: int, cases: int, folder: Path) -> Tally:
    """Start exports and end each at a random moment; a file is whole or not there."""
    rng = random.Random(seed)
    tally = Tally("signals")
    archive = folder / "long.sqlite"
    with closing(connect(archive)) as connection:
        write_bars(connection, _bars())
    pause = threading.Event()
    for number in range(cases):
        home = folder / f"export{number}"
        home.mkdir()
        out = home / "bars.csv"
        command = [*("-m", "history.export", "bars", "--archive", str(archive), "--out", str(out))]
        chosen = rng.choice(SIGNALS)
        with subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stderr=subprocess.PIPE, text=True
        ) as process:
            # Until it writes, and then for a moment.
            while process.poll() is None and not any(home.iterdir()):
                pause.wait(0.005)
            pause.wait(rng.uniform(0.0, 0.2))
            process.send_signal(chosen)
            try:
                _, said = process.communicate(timeout=_ENDS_WITHIN_SEC)
            except subprocess.TimeoutExpired:
                process.kill()
                said = "did not end"
        left = sorted(path.name for path in home.iterdir())
        if left == ["bars.csv"] and _is_whole(out):
            tally.count("was done before")
        elif left or "Traceback" in said or not process.returncode:
            tally.fail(f"{chosen.name}: left {left}, exit {process.returncode}, said {said:.300}")
        else:
            tally.count(f"ended by {chosen.name}")
    return tally


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        return sum(1 for _ in file) == ROWS + 1


def _bars() -> Bars:
    cells = np.zeros(ROWS, CELL)
    cells["second"] = np.repeat(np.arange(BEGIN, BEGIN + SECONDS), len(SYMBOLS))
    cells["row"] = np.tile(np.arange(len(SYMBOLS)), SECONDS)
    cells["ms"], cells["n"], cells["price"], cells["sum"] = 500, 1, 100.0, 100.0
    return Bars(SYMBOLS, ("stocks",) * len(SYMBOLS), cells)
