"""The page beside the API, in a browser: all of it works, and who is not of it is kept out."""

from __future__ import annotations

import urllib.error
import urllib.request

from playwright.sync_api import Browser, Page, expect

from tests.browser_page import Serve, Tabs, all_live, prices, shows_prices
from tests.browsing import Server
from tests.waiting import HANG_SEC, until

pytest_plugins = ("tests.browser_fixtures",)


def status(server: Server, path: str) -> int:
    """How the server answers."""
    try:
        with urllib.request.urlopen(f"{server.url}{path}", timeout=HANG_SEC) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def fetched(page: Page, path: str) -> int:
    """How the server answers a script of the page."""
    found: int = page.evaluate("async (path) => (await fetch(path)).status", path)
    return found


def test_the_page_and_the_api_share_one_worker(serve: Serve, tabs: Tabs, browser: Browser) -> None:
    """Wrong settings are said on the page, programs wait; once they are right, both go on."""
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"}
    server = serve(environ, settings="seed = -1\n", with_api=True)
    assert status(server, "readyz") == 503
    page = tabs(server.url)
    expect(page.get_by_text("Market Pulse cannot start.")).to_be_visible()
    expect(page.get_by_text("seed in market_pulse.toml is -1, expected")).to_be_visible()

    (server.log.parent / "market_pulse.toml").write_text("seed = 7\n", "utf-8")
    page.reload()
    until(lambda: shows_prices(page) and all_live(page))
    until(lambda: fetched(page, "/readyz") == 200)
    before = prices(page)
    until(lambda: prices(page) != before)

    stranger = browser.new_page()
    stranger.set_content(f'<iframe src="{server.url}"></iframe>')
    until(lambda: len(stranger.frames) == 2 and stranger.frames[1].url != server.url)
    assert server.url not in [frame.url for frame in stranger.frames]
    stranger.close()
