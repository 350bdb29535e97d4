"""Alerts on the page: where events are told, and what a viewer may have done about it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import pytest
from playwright.sync_api import Page, expect

from tests.axe import violations
from tests.browser_page import (
    NO_EVENTS,
    PHONE,
    Tabs,
    close_settings,
    open_settings,
    order,
    shows_prices,
    start,
)
from tests.browsing import Server, Stage
from tests.waiting import HANG_SEC, until

pytest_plugins = ("tests.browser_fixtures",)

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/hidden-in-the-address"

RULE = """
[[rule]]
name = "limit"
when = "above"
price = 1
symbols = ["AAPL"]
"""

DESTINATIONS = """
[[destination]]
name = "desk"
type = "webhook"
severity = "extreme"
url = "{url}"
secret = "MARKET_PULSE_DESK"
insecure = true
private = true
simulated = true

[[destination]]
name = "night"
type = "webhook"
url = "{url}"
secret = "MARKET_PULSE_DESK"
insecure = true
private = true
"""


class Hook:
    """A real HTTP server that answers each message with ``status``, in use as a context."""

    def __init__(self) -> None:
        self.status = 200
        self.types: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                hook.types += re.findall(r'"type":"market_pulse\.([a-z.]+)"', body)
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(HANG_SEC)
        self._server.server_close()


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    """Where the server's destinations are."""
    with Hook() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Server]:
    """A simulated market with a rule that is always hit, and two destinations.

    One of them wants to be told of a simulated market, but not of what is so little severe.
    """
    environ = {
        "MARKET_PULSE_SOURCE": "simulated",
        "MARKET_PULSE_SEED": "7",
        "MARKET_PULSE_DESK": SECRET,
    }
    settings = NO_EVENTS + RULE + DESTINATIONS.format(url=hook.url)
    # The hit is told once the past is searched, and nothing of that is looked at.
    stage = Stage(refresh_sec=0.5, past_sec=60, takes_orders=True)
    folder = tmp_path_factory.mktemp("alerts") / "app"
    with start(folder, environ, stage=stage, settings=settings) as started:
        yield started
        log = started.log.read_text("utf-8")
    assert "Traceback" not in log, log
    assert SECRET not in log
    assert PATH not in log


def opened(tabs: Tabs, url: str, **options: Any) -> Page:
    """A tab whose viewer opened the alerts."""
    page = tabs(url, tabs.visitor(**options))
    until(lambda: shows_prices(page))
    open_alerts(page)
    return page


def open_alerts(page: Page) -> None:
    """Open the alerts, over the page."""
    open_settings(page).locator(".chip[title*=destination]").click()
    close_settings(page)
    expect(page.locator(".destinations .lines li")).to_have_count(2)


def toast(page: Page, text: str) -> None:
    """Wait for an answer."""
    expect(page.locator(".toast").filter(has_text=text).first).to_be_visible()


def test_a_viewer_tests_and_sends_again(server: Server, hook: Hook, tabs: Tabs) -> None:
    """What is not taken is listed with why, and a destination that refuses says what to do."""
    page = opened(tabs, server.url)
    expect(page.locator(".chrome .trouble")).to_be_hidden()
    expect(page.locator(".destinations .notes")).to_contain_text("nothing is sent of it, but to")
    desk, night = page.locator(".destinations .lines li").all()
    expect(night.locator(".state")).to_have_text("told of a real market only")
    expect(desk.locator(".state")).to_have_text("ready")
    assert not desk.get_by_role("button", name="Try").is_visible()

    hook.status = 400
    desk.get_by_role("button", name="Test").click()
    toast(page, "A test is on its way to desk.")
    dead = page.locator(".destinations ul[aria-labelledby=dead] li")
    expect(dead).to_have_text(re.compile(r"^To desk, .*: a test.*400.*Send again$"))
    desk.get_by_role("button", name="Test").click()
    toast(page, "desk was tried less than ten seconds ago")

    hook.status = 200
    dead.get_by_role("button", name="Send again").click()
    toast(page, "It is on its way to desk again.")
    expect(desk.locator(".tail > .note")).to_have_text(re.compile("^1 sent · last sent"))
    expect(dead).to_have_count(0)
    assert hook.types == ["test", "test"]

    hook.status = 401
    night.get_by_role("button", name="Test").click()
    expect(night.locator(".state")).to_have_text("refused")
    expect(night.locator(".why")).to_contain_text("401")
    expect(night.locator(".why")).to_contain_text("press Try once it is mended there")
    expect(page.locator(".chrome .trouble")).to_have_text("Alerts: 1 of 2 refused")
    expect(page.locator(".messages")).to_contain_text("No alert reaches night any more")
    night.get_by_role("button", name="Try").click()
    toast(page, "night was tried less than ten seconds ago")
    assert PATH not in page.content()


def test_a_viewer_mutes_and_lifts(server: Server, tabs: Tabs) -> None:
    """A symbol from its card, a kind from its event, a destination: listed until lifted."""
    page = opened(tabs, f"{server.url}?symbol=AAPL")
    page.locator(".opened .mute").click()
    expect(page.get_by_role("group", name="Mute alerts")).to_contain_text("AAPL")
    page.keyboard.press("Escape")
    expect(page.locator(".muting")).to_have_count(0)
    expect(page.locator(".opened .mute")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator(".muting").get_by_role("button", name="1 h").click()
    toast(page, "Muted: AAPL, until")
    expect(page.locator(".opened .mute")).to_have_text("Muted")

    order(server, {"symbol": "TSLA", "asset": "stocks"})
    # By the keyboard: the sheet lies over the list.
    event = page.locator(".events li").filter(has_text="TSLA").first
    event.get_by_role("button", name="About").press("Enter")
    event.get_by_role("button", name="Mute", exact=True).press("Enter")
    page.get_by_label("What to mute").select_option("moves over 1 min")
    page.locator(".muting").get_by_role("button", name="until 07:00").press("Enter")
    desk = page.locator(".destinations .lines li").first
    desk.get_by_role("button", name="Mute").press("Enter")
    page.locator(".muting").get_by_role("button", name="15 min").press("Enter")
    expect(desk.locator(".state")).to_have_text("muted")

    mutes = page.locator(".destinations .mutes li")
    expect(mutes).to_have_count(3)
    expect(mutes.filter(has_text="moves over 1 min until")).to_contain_text("07:00:00")
    for left in (2, 1, 0):
        mutes.first.get_by_role("button", name="Lift").press("Enter")
        expect(mutes).to_have_count(left)
    expect(desk.locator(".state")).to_have_text("ready")
    expect(page.locator(".opened .mute")).to_have_text("Mute")


def test_a_hit_of_a_rule_is_listed_and_its_rule_muted(server: Server, tabs: Tabs) -> None:
    """By its name: the level was passed before anybody looked, and still is."""
    page = opened(tabs, server.url)
    hit = page.locator(".events li").filter(has_text="limit")
    expect(hit).to_have_count(1)
    expect(hit.locator(".open")).to_have_attribute(
        "title", re.compile(r"^AAPL is above 1\.000: rule limit, at [\d.]+\.\n")
    )
    expect(hit.locator(".shape")).to_have_text("●")
    # Not of the past any more.
    expect(hit.locator(".meta")).to_have_text("")
    # The list is below the alerts.
    page.keyboard.press("Escape")
    expect(page.locator(".destinations")).to_be_hidden()
    hit.get_by_role("button", name="About").click()
    hit.get_by_role("button", name="Mute", exact=True).click()
    page.get_by_label("What to mute").select_option("the rule limit")
    page.locator(".muting").get_by_role("button", name="1 h").click()
    toast(page, "Muted: the rule limit, until")
    open_alerts(page)
    mutes = page.locator(".destinations .mutes li")
    expect(mutes).to_have_text(re.compile("^the rule limit until"))
    mutes.get_by_role("button", name="Lift").click()
    expect(mutes).to_have_count(0)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_everybody_can_read_the_alerts_on_a_phone(server: Server, tabs: Tabs, theme: str) -> None:
    """Nothing sticks out, and nothing is wrong by the rules of accessibility."""
    page = opened(tabs, f"{server.url}?embed_options={theme}_theme", viewport=PHONE)
    page.locator(".destinations .lines li").first.get_by_role("button", name="Mute").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == []
