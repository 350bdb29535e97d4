"""A tab left open is cheap for its viewer: ``python -m benchmarks.tab_cpu [SECONDS [SYMBOLS]]``.

The processor time of the browser's process that draws the page, all its threads, at 17 symbols, or
at so many with a row for each of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import CDPSession, sync_playwright

from benchmarks.report import Row, table
from benchmarks.tabs import SIMULATED
from tests.browsing import FLAGS, Server, chromium_path, copy_app

PROMISE_PERCENT: Final = 6.0
SETTLE_MS: Final = 10_000
WATCH_SEC: Final = 40.0
UNFOLDED: Final = 'localStorage["market-pulse-unfolded"] = "true"'
"""What is within its usual range has rows, too."""
_PARTS: Final = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
"""What the browser says of its main thread."""


def measure(seconds: float = WATCH_SEC, symbols: int | None = None) -> list[Row]:
    """Of one tab, in a window of a laptop's size."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        copy_app(Path(folder))
        if symbols:
            (Path(folder) / "market_pulse.toml").write_text(_watchlist(symbols), "utf-8")
        with Server(Path(folder), SIMULATED, with_api=True) as server:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            if symbols:
                page.add_init_script(UNFOLDED)
            page.goto(f"{server.url}?rows={symbols}" if symbols else server.url)
            page.wait_for_selector("tr[data-symbol]")
            page.wait_for_timeout(SETTLE_MS)
            processes, tab = browser.new_browser_cdp_session(), page.context.new_cdp_session(page)
            tab.send("Performance.enable")
            began, spent, parts = time.perf_counter(), _renderer_sec(processes), dict(_parts(tab))
            page.wait_for_timeout(1000 * seconds)
            took = time.perf_counter() - began
            percent = 100 * (_renderer_sec(processes) - spent) / took
            shares = {name: 100 * (now - parts[name]) / took for name, now in _parts(tab)}
            browser.close()
    promise = () if symbols else (f"≤ {PROMISE_PERCENT:g} %", percent <= PROMISE_PERCENT)
    return [
        Row("a tab, all threads of its process", f"{percent:.1f} % of a core", *promise),
        *(Row(f"  its main thread, {name}", f"{share:.1f} %") for name, share in shares.items()),
    ]


def _watchlist(symbols: int) -> str:
    names = ", ".join(f'"C{number:03}-USD"' for number in range(symbols))
    return f"[watchlist]\nstocks = []\nforex = []\ncrypto = [{names}]\n"


def _renderer_sec(processes: CDPSession) -> float:
    """Processor time of all processes that draw pages; there is one page."""
    told: list[dict[str, Any]] = processes.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(one["cpuTime"] for one in told if one["type"] == "renderer"))


def _parts(tab: CDPSession) -> Iterator[tuple[str, float]]:
    for metric in tab.send("Performance.getMetrics")["metrics"]:
        if metric["name"] in _PARTS:
            yield metric["name"], metric["value"]


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if sys.argv[1:] else WATCH_SEC
    count = int(sys.argv[2]) if sys.argv[2:] else None
    print(table("A tab left open is cheap", measure(seconds, count)))
