"""The page is soon there: ``python -m benchmarks.first_load``.

Beside a Streamlit page with one line of text, in the same browser and run: from an address to the
first rows, with a warm server, and from the start of the process on.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from benchmarks.refresh import set_up_still
from benchmarks.report import Row, table
from benchmarks.tabs import SIMULATED
from tests.browsing import FLAGS, Server, chromium_path, copy_app

ROUNDS: Final = 5
PROMISE_WARM: Final = 1.5
PROMISE_COLD: Final = 2.5
PROMISE_PAINT_SEC: Final = 1.0
HANG_MS: Final = 60_000

_LINE: Final = "One line of text."
_LINE_PAGE: Final = f'import streamlit as st\n\nst.text("{_LINE}")\n'
_ROWS: Final = "tr[data-symbol]"
_TEXT: Final = f"text={_LINE}"
_PAINT: Final = """
() => new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries()[0].startTime))
    .observe({ type: "paint", buffered: true });
})
"""


def measure() -> list[Row]:
    """Both pages, in turns."""
    with (
        tempfile.TemporaryDirectory() as ours,
        tempfile.TemporaryDirectory() as line,
        sync_playwright() as playwright,
    ):
        copy_app(Path(ours))
        set_up_still(Path(line), _LINE_PAGE)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        cold, cold_line, paints = [], [], []
        for number in range(ROUNDS):
            environ = {**SIMULATED, "MARKET_PULSE_DATA": f"{ours}/data{number}"}
            began = time.perf_counter()
            with Server(Path(ours), environ, with_api=True) as server:
                _, paint = _load(browser, server, _ROWS)
                cold.append(time.perf_counter() - began)
                paints.append(paint)
            began = time.perf_counter()
            with Server(Path(line), {}) as server:
                _load(browser, server, _TEXT)
                cold_line.append(time.perf_counter() - began)
        warm, warm_line = [], []
        with (
            Server(Path(ours), SIMULATED, with_api=True) as server,
            Server(Path(line), {}) as line_server,
        ):
            for _ in range(ROUNDS + 1):
                warm.append(_load(browser, server, _ROWS)[0])
                warm_line.append(_load(browser, line_server, _TEXT)[0])
        browser.close()
    # The first of each warms its server up.
    return [
        _row("rows with a warm server", warm[1:], warm_line[1:], PROMISE_WARM),
        _row("rows from the process's start", cold, cold_line, PROMISE_COLD),
        Row(
            "first paint of the first load",
            f"{statistics.median(paints):.2f} s",
            f"≤ {PROMISE_PAINT_SEC:g} s",
            statistics.median(paints) <= PROMISE_PAINT_SEC,
        ),
    ]


def _row(what: str, ours: list[float], line: list[float], promise: float) -> Row:
    ratio = statistics.median(ours) / statistics.median(line)
    figure = f"{statistics.median(ours):.2f} s, {ratio:.2f} ×"
    return Row(f"{what}, beside a line of text", figure, f"≤ {promise:g} ×", ratio <= promise)


def _load(browser: Browser, server: Server, wanted: str) -> tuple[float, float]:
    """Seconds from an address to ``wanted``, and to the first paint, for a new visitor."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.set_default_timeout(HANG_MS)
    page = context.new_page()
    began = time.perf_counter()
    page.goto(server.url, wait_until="commit")
    page.wait_for_selector(wanted)
    took = time.perf_counter() - began
    paint_ms: float = page.evaluate(_PAINT)
    context.close()
    return took, paint_ms / 1e3


if __name__ == "__main__":
    print(table("The page is soon there", measure()))
