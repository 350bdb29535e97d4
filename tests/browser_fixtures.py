"""Fixtures of the browser tests: a plugin, which each of their modules names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser_page import Serve, Tabs, start
from tests.browsing import FLAGS, Server, Stage, chromium_path
from tests.conftest import missing
from tests.waiting import HANG_SEC

expect.set_options(timeout=1000 * HANG_SEC)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = chromium_path()
    if path is None:
        missing("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def tabs(browser: Browser) -> Iterator[Tabs]:
    """Opens tabs, and fails on whatever they complain of."""
    opened = Tabs(browser)
    yield opened
    opened.close()
    assert opened.complaints == []


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on a copy of the application, and stops them."""
    started: list[Server] = []

    def serve(environ: dict[str, str], *options: str, **kept: Any) -> Server:
        server = start(tmp_path / f"app{len(started)}", environ, *options, **kept)
        started.append(server)
        return server

    yield serve
    for server in started:
        server.kill()


@pytest.fixture(scope="module")
def market(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server on a simulated market whose tabs refresh twice a second; it takes orders.

    Its past is as long as the module's ``PAST_SEC`` says, if it has one.
    """
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
    folder = tmp_path_factory.mktemp("market") / "app"
    past_sec = getattr(request.module, "PAST_SEC", None)
    stage = Stage(refresh_sec=0.5, past_sec=past_sec, takes_orders=True)
    with start(folder, environ, stage=stage) as server:
        yield server
        log = server.log.read_text("utf-8")
    assert "Traceback" not in log, log
