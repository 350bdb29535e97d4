"""It stays up: one real tab on a real server for a while: ``python -m benchmarks.soak 30``.

The tab refreshes ten times as often as it does for a user, so that half an hour has the refreshes
of five.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import CDPSession, ConsoleMessage, sync_playwright

from benchmarks.report import Row, table
from benchmarks.tabs import SIMULATED
from page.tabs import REFRESH_SEC
from tests.browsing import FLAGS, Server, Stage, chromium_path, copy_app

MINUTES = 30
STAGE: Final = Stage(refresh_sec=REFRESH_SEC / 10)
PROMISED_GROWTH = 0.05
"""Of the last third of the readings over the third before; the first third may warm up."""


class Reading(NamedTuple):
    """What server and page hold, and have spent, at one time."""

    minutes: float
    refreshes: int
    server_mb: float
    server_sec: float
    heap_mb: float
    page_sec: float
    """Of the page's main thread."""
    nodes: int
    listeners: int


KEPT_FLAT: Final = ("server_mb", "heap_mb", "nodes", "listeners")


def main(minutes: int) -> None:
    """Print a reading each minute, then what they come to."""
    with tempfile.TemporaryDirectory() as folder:
        copy_app(Path(folder))
        with Server(Path(folder), SIMULATED, stage=STAGE) as server:
            readings, complaints = watch(server, minutes)
    if len(readings) >= 6:
        print(table("\nIt stays up", summary(readings)))
    print(f"{len(complaints)} complaints of the page", *complaints[:10], sep="\n  ")


def watch(server: Server, minutes: int) -> tuple[list[Reading], list[str]]:
    """A reading per minute, and what the page complained of."""
    readings: list[Reading] = []
    complaints: list[str] = []
    asked = 0

    def note(told: ConsoleMessage) -> None:
        if told.type in ("error", "warning"):
            complaints.append(told.text)

    def count(_: object) -> None:
        nonlocal asked
        asked += 1

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note)
        page.on("websocket", lambda socket: socket.on("framesent", count))
        page.goto(server.url)
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        print("  ".join(Reading._fields))
        began = time.monotonic()
        for minute in range(minutes + 1):
            page.wait_for_timeout(max(0.0, began + 60 * minute - time.monotonic()) * 1e3)
            elapsed = (time.monotonic() - began) / 60
            readings.append(read(server, devtools, elapsed, asked))
            print("  ".join(_text(readings[-1])), flush=True)
        browser.close()
    return readings, complaints


def read(server: Server, devtools: CDPSession, minutes: float, asked: int) -> Reading:
    """What both hold now, without what is only waiting to be collected in the page."""
    devtools.send("HeapProfiler.collectGarbage")
    metrics = {
        metric["name"]: float(metric["value"])
        for metric in devtools.send("Performance.getMetrics")["metrics"]
    }
    return Reading(
        minutes=minutes,
        refreshes=asked,
        server_mb=server.resident_bytes() / 1e6,
        server_sec=server.cpu_sec(),
        heap_mb=metrics["JSHeapUsedSize"] / 1e6,
        page_sec=metrics["TaskDuration"],
        nodes=int(metrics["Nodes"]),
        listeners=int(metrics["JSEventListeners"]),
    )


def _text(reading: Reading) -> list[str]:
    """The reading's figures under the names of its fields."""
    return [
        f"{value:>{len(name)}.{1 if isinstance(value, float) else 0}f}"
        for name, value in zip(reading._fields, reading, strict=True)
    ]


def summary(readings: Sequence[Reading]) -> list[Row]:
    """Whether anything grew, and what a refresh costs at either end."""
    third = len(readings) // 3
    rows = []
    for name in KEPT_FLAT:
        values = [float(getattr(reading, name)) for reading in readings]
        before = statistics.fmean(values[third : 2 * third])
        growth = statistics.fmean(values[-third:]) / before - 1
        hours = [reading.minutes / 60 for reading in readings[third:]]
        slope = statistics.linear_regression(hours, values[third:]).slope
        rows.append(
            Row(
                f"{name}: growth; per hour",
                f"{growth:+.1%}; {slope:+.1f}",
                f"≤ {PROMISED_GROWTH:.0%}",
                growth <= PROMISED_GROWTH,
            )
        )
    first, last = readings[0], readings[-1]
    refreshes = last.refreshes - first.refreshes
    server_ms = (last.server_sec - first.server_sec) / refreshes * 1e3
    page_ms = (last.page_sec - first.page_sec) / refreshes * 1e3
    rows.append(Row("refreshes", f"{refreshes:,}"))
    rows.append(Row("server per refresh, all of it; page", f"{server_ms:.1f}; {page_ms:.1f} ms"))
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MINUTES)
