"""The page in a real browser on a real server: it lives, obeys, and has one worker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from settings import DEFAULT_WATCHLIST
from tests.conftest import missing
from tests.faulty_vendor import FaultyVendor
from tests.waiting import until

ROOT = Path(__file__).parent.parent
KEY = "SECRETKEY0123456789"
SYMBOLS = {symbol for symbols in DEFAULT_WATCHLIST.values() for symbol in symbols}

# Chromium in a container: no sandbox of its own, and no calls home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens tabs, and fails on whatever they complain of."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Asia/Tokyo")
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def open_tab(url: str) -> Page:
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_tab
    context.close()
    assert complaints == []


class Server:
    """``streamlit run`` on a folder with the application, as a user starts it."""

    def __init__(self, folder: Path, environ: dict[str, str], *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / "server.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MARKET_PULSE_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", "app.py"),
                    *("--server.port", str(self.port), "--server.headless", "true", *options),
                ],
                cwd=folder,
                env={**inherited, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}_stcore/health", timeout=2) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def threads(self) -> int:
        """Number of threads of the server's process."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def stop(self) -> int:
        """Ask it to end, as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on a copy of the application, and stops them."""
    started: list[Server] = []

    def start(environ: dict[str, str], *options: str) -> Server:
        folder = tmp_path / "app"
        folder.mkdir()
        for path in ROOT.glob("*.py"):
            shutil.copy(path, folder)
        for name in ("vendors", ".streamlit"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("secrets*"))
        server = Server(folder, environ, *options)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


# A table is known by one of its headings.
FEEDS, PULSE, CORRELATION, STRESS = "Reconnects", "vs peers", "95 % interval", "What happened"


def cells(page: Page, heading: str) -> list[str]:
    """The text of a table's cells, from the copy that it keeps for screen readers."""
    table = page.get_by_test_id("stDataFrame").filter(has=page.locator("th", has_text=heading))
    texts: list[str] = table.locator("td").all_text_contents()
    return texts


def shows_prices(page: Page) -> bool:
    """Whether the pulse has a price."""
    return any(re.fullmatch(r"[\d,]+\.\d+", text) for text in cells(page, PULSE))


def all_live(page: Page) -> bool:
    """Whether the three feeds are live."""
    return cells(page, FEEDS).count("live") == 3


def test_the_page_lives_and_obeys(serve: Callable[..., Server], tab: Callable[[str], Page]) -> None:
    """Prices change by themselves, each control changes its card, and nothing complains."""
    server = serve({"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"})
    opened = time.monotonic()
    page = tab(server.url)
    until(lambda: shows_prices(page))
    assert time.monotonic() - opened < 15
    until(lambda: all_live(page))
    expect(page.get_by_text("SIMULATED prices of the embedded exchange, seed 7")).to_be_visible()
    expect(page.get_by_text("Asia/Tokyo")).to_be_visible()
    until(lambda: cells(page, STRESS))

    before = cells(page, PULSE)
    until(lambda: cells(page, PULSE) != before)

    slider = page.get_by_role("slider", name="Top movers")
    slider.focus()
    slider.press("Home")
    until(lambda: len(SYMBOLS & set(cells(page, PULSE))) == 1)

    page.get_by_role("combobox", name="Correlation base").click()
    page.get_by_role("option", name="BTC-USD", exact=True).click()
    expect(page.get_by_text(re.compile(r"BTC-USD · regime"))).to_be_visible()
    page.get_by_role("radio", name="60 s").click()
    expect(page.get_by_text(re.compile(r"in bars of 60 s"))).to_be_visible()
    page.get_by_text("Correlate all assets").click()
    until(lambda: "BTC-USDT" in cells(page, CORRELATION))

    # What was chosen stays chosen while the page refreshes.
    seen = page.get_by_text(re.compile("pulse of")).text_content()
    until(lambda: page.get_by_text(re.compile("pulse of")).text_content() != seen)
    expect(page.get_by_text(re.compile(r"BTC-USD · regime .* in bars of 60 s"))).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0


def test_a_malformed_setting_is_one_sentence(
    serve: Callable[..., Server], tab: Callable[[str], Page]
) -> None:
    """What was found, what was expected, what to do; no traceback."""
    page = tab(serve({"MARKET_PULSE_SPEED": "fast"}).url)
    expect(page.get_by_text(re.compile("MARKET_PULSE_SPEED is 'fast', expected"))).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


def clear_caches(server: Server) -> None:
    """What any visitor's browser can send."""
    with connect(
        f"ws://127.0.0.1:{server.port}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=None,
    ) as ws:
        clear: Any = BackMsg()
        clear.clear_cache = True
        ws.send(clear.SerializeToString())
        # That is not answered; a run of the script after it is.
        run: Any = BackMsg()
        run.rerun_script.SetInParent()
        ws.send(run.SerializeToString())
        ws.recv(timeout=10)


def test_one_worker_whatever_the_tabs_do(
    serve: Callable[..., Server], tab: Callable[[str], Page]
) -> None:
    """Tabs, reloads, edits of the script and cleared caches open no second connection per feed."""
    with FaultyVendor() as vendor:
        server = serve(
            {"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url},
            "--server.fileWatcherType=poll",
            "--server.runOnSave=true",
        )
        first = tab(server.url)
        until(lambda: shows_prices(first) and all_live(first))
        threads = server.threads()

        others = [tab(server.url) for _ in range(4)]
        for page in others:
            until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        first.reload()
        until(lambda: shows_prices(first))

        clear_caches(server)
        for page in others:
            page.close()

        # With one tab: two that import an edited module at once trip over Streamlit's own eviction.
        script = server.log.parent / "app.py"
        script.write_text(script.read_text("utf-8").replace("Market Pulse", "Edited Pulse"))
        until(lambda: first.get_by_role("heading", name="Edited Pulse").count() == 1)
        module = server.log.parent / "worker.py"
        module.write_text(module.read_text("utf-8") + "\n# edited\n")
        first.reload()
        until(lambda: shows_prices(first) and all_live(first))

        assert sorted(asset for asset, _ in vendor.connected) == ["crypto", "forex", "stocks"]
        assert server.threads() <= threads + 2
        first.close()
        assert server.stop() == 0
        until(lambda: len(vendor.closed) == 3)
        assert {code for _, code in vendor.closed} == {1000}
        assert KEY not in server.log.read_text("utf-8")
        assert "Traceback" not in server.log.read_text("utf-8")


def test_a_killed_feed_is_told_and_comes_back(
    serve: Callable[..., Server], tab: Callable[[str], Page]
) -> None:
    """While one feed is down its row says so, the others stay live, and it recovers by itself."""
    down = threading.Event()

    async def falls(session: Any) -> None:
        await session.subscribed()
        while not down.is_set():
            await session.ticks(1)
        await session.ws.close(1012)

    with FaultyVendor(crypto=falls) as vendor:
        server = serve({"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url})
        page = tab(server.url)
        until(lambda: shows_prices(page) and all_live(page))
        down.set()
        until(lambda: "reconnecting" in cells(page, FEEDS))
        assert cells(page, FEEDS).count("live") == 2
        expect(page.get_by_text(re.compile("^crypto: closed with code 1012; try"))).to_be_visible()
        vendor.mend()
        until(lambda: all_live(page), 60)
        assert KEY not in page.content()
