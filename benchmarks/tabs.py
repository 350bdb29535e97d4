"""Tabs are cheap: a real server under more and more of them: ``python -m benchmarks.tabs``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row, table
from benchmarks.viewers import Seen, Viewers
from tests.browsing import Server, copy_app

COUNTS = (1, 20, 50, 100, 200, 300, 400)
PROMISED = 200
PROMISE_PERCENT = 70.0
PROMISE_BEHIND_SEC = 1.75
"""A second is shown a quarter of a second after its end, and for one second: that makes 1.25."""

SETTLE_SEC = 6.0
"""After opening tabs; enough for the page to tell all of them how often to refresh."""

WATCH_SEC = 30.0
SIMULATED = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}


def measure(counts: tuple[int, ...] = COUNTS, seconds: float = WATCH_SEC) -> list[Row]:
    """What the server spends, and what the tabs wait, for each number of tabs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy_app(Path(folder))
        with Server(Path(folder), SIMULATED) as server, Viewers(server) as viewers:
            warm_up(viewers)
            for count in counts:
                viewers.open(count)
                viewers.watch(SETTLE_SEC)
                percent, seen = watched(server, viewers, seconds)
                rows += _rows(count, percent, seen)
                held = f"{idle_threads(server)}, {server.resident_bytes() / 1e6:.0f} MB"
                rows.append(Row("  threads and memory of the server", held))
                if seen.failed:
                    break  # more would only wait in vain to be let in
    return rows


def warm_up(viewers: Viewers) -> None:
    """Wait until the worker has looked through its backfilled past, which it does once."""
    viewers.open(1)
    deadline = time.monotonic() + 120
    while viewers.watch(2.5).searching:
        if time.monotonic() > deadline:
            raise TimeoutError("the worker still looks through the past hour after two minutes")


def watched(server: Server, viewers: Viewers, seconds: float) -> tuple[float, Seen]:
    """The server's load in percent of one core, and what the tabs met meanwhile."""
    began, spent = time.perf_counter(), server.cpu_sec()
    seen = viewers.watch(seconds)
    return 100 * (server.cpu_sec() - spent) / (time.perf_counter() - began), seen


def idle_threads(server: Server) -> int:
    """Threads of the server without those of the refreshes under way."""
    counts = []
    for _ in range(20):
        counts.append(server.threads())
        time.sleep(0.02)
    return min(counts)


def _rows(count: int, percent: float, seen: Seen) -> list[Row]:
    promised = count == PROMISED
    undisturbed = seen.behind_sec <= PROMISE_BEHIND_SEC and not seen.silent_feeds
    rows = [
        Row(
            f"{count} tab{'s' if count > 1 else ''}, each every {seen.interval_sec:g} s",
            f"{percent:.0f} % of a core",
            f"< {PROMISE_PERCENT:g} %" if promised else "",
            percent < PROMISE_PERCENT if promised else None,
        ),
        Row(
            "  a refresh, p50 / p95 / p99",
            f"{seen.p50_ms:.0f} / {seen.p95_ms:.0f} / {seen.p99_ms:.0f} ms",
        ),
        Row("  its size", f"{seen.kilobytes:.1f} kB"),
        Row(
            "  the pulse behind the clock, at most",
            f"{seen.behind_sec:.2f} s",
            f"≤ {PROMISE_BEHIND_SEC:g} s, feeds live" if promised else "",
            undisturbed if promised else None,
        ),
    ]
    if seen.failed or seen.errors:
        rows.append(Row("  tabs that failed, errors shown", f"{seen.failed}, {seen.errors}"))
    return rows


if __name__ == "__main__":
    counts = tuple(int(argument) for argument in sys.argv[1:]) or COUNTS
    print(table("Tabs are cheap", measure(counts)))
