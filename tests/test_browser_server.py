"""The page beside the API, in a browser: all of it works, and who is not of it is kept out."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser_page import (
    DESK,
    PHONE,
    Serve,
    Tabs,
    all_live,
    has_searched_past,
    prices,
    query,
    shows_prices,
    start,
    until_refreshed,
)
from tests.browsing import Server
from tests.waiting import HANG_SEC, until

pytest_plugins = ("tests.browser_fixtures",)

STREAMLITS: Final = "Streamlit server is not responding"
MOST_SHIFT: Final = 0.01
SKELETON: Final = "#market-pulse-skeleton"
GROUND: Final = {"dark": "rgb(14, 18, 24)", "light": "rgb(245, 247, 250)"}


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``python server.py`` on a simulated market."""
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"}
    with start(tmp_path_factory.mktemp("beside") / "app", environ, with_api=True) as server:
        yield server


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


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_jumps_while_the_page_loads(
    beside: Server, tabs: Tabs, viewport: dict[str, int]
) -> None:
    """From the skeleton on."""
    # Until the past is searched, what is found in it comes into the list.
    first = tabs(beside.url)
    until(lambda: shows_prices(first) and has_searched_past(first))
    page = tabs(beside.url, tabs.visitor(viewport=viewport))
    until(lambda: shows_prices(page))
    until_refreshed(page, 1)
    shifts = page.evaluate("shifts")
    assert sum(shift["value"] for shift in shifts) < MOST_SHIFT, shifts


def test_the_page_and_the_api_share_one_worker(serve: Serve, tabs: Tabs, browser: Browser) -> None:
    """Wrong settings are said on the page, programs wait; once they are right, both go on."""
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"}
    server = serve(environ, settings="seed = -1\n", with_api=True)
    assert status(server, "readyz") == 503
    page = tabs(server.url)
    expect(page.get_by_text("Market Pulse cannot start.")).to_be_visible()
    expect(page.locator(SKELETON)).to_be_hidden()
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

    # A server that is gone is told of in the board's own words, which cover nothing.
    expect(page.locator(SKELETON)).to_have_count(0)
    expect(page.locator(".lost")).to_be_hidden()
    page.locator("tr[data-symbol=TSLA]").click()
    page.get_by_label("Least severity").select_option("alert")
    until_refreshed(page, 3)
    # Taken, so that what the browser holds to send again is not all of it.
    page.get_by_label("Least severity").select_option("extreme")
    until_refreshed(page, 3)
    chosen = "symbol=TSLA&severity=extreme"
    server.process.kill()
    expect(page.locator(".lost")).to_contain_text("No word from the dashboard's server for")
    # Asking the page for anything lets its complaints through.
    until(lambda: page.evaluate("true") and any(STREAMLITS in text for text in tabs.complaints))
    expect(page.get_by_test_id("stDialog")).to_be_hidden()
    expect(page.get_by_test_id("stConnectionStatus")).to_be_hidden()

    # Once it is back it knows again what was chosen since the tab was loaded.
    server.restart(environ)
    expect(page.locator(".lost")).to_be_hidden()
    until_refreshed(page, 3)
    assert query(page) == chosen
    held = "(({ symbol, severity }) => [symbol, severity])(marketPulse.payload.view)"
    until(lambda: page.evaluate(held) == ["TSLA", "extreme"])
    tabs.complaints.clear()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_something_is_seen_before_any_script_has_run(
    beside: Server, tabs: Tabs, scheme: str
) -> None:
    """In the system's colours, with the page's own name and icon."""
    visitor = tabs.visitor(color_scheme=scheme)
    visitor.route("**/*.js", lambda route: route.abort())
    page = tabs(beside.url, visitor)
    skeleton = page.locator(SKELETON)
    expect(skeleton.get_by_text("Market Pulse")).to_be_visible()
    expect(skeleton).to_have_css("background-color", GROUND[scheme])
    assert page.title() == "Market Pulse"
    manifest = page.evaluate(
        """async () => {
          const { href } = document.querySelector("link[rel=manifest]");
          const said = await (await fetch(href)).json();
          const images = said.icons.map(async ({ src }) => fetch(new URL(src, href)));
          return [said.name, (await Promise.all(images)).map(({ status }) => status)];
        }"""
    )
    assert manifest == ["Market Pulse", [200] * 4]
    tabs.complaints.clear()


def test_the_script_is_fetched_once(beside: Server, tabs: Tabs) -> None:
    """By whoever comes first; the next load has it, and no session is sent it."""
    visitor = tabs.visitor()
    sizes = []
    for _ in range(2):
        page = tabs(beside.url, visitor)
        until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        sizes.append(
            page.evaluate(
                """() => performance.getEntriesByType("resource")
                  .filter(({ name }) => name.includes("/assets/board."))
                  .map(({ transferSize }) => transferSize)"""
            )
        )
    first, second = sizes
    assert max(first) > 10_000
    assert max(second) == 0
