"""Events are told: in a hidden tab too, and each of them once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser_page import (
    NO_EVENTS,
    Tabs,
    close_settings,
    events,
    open_settings,
    order,
    shows_prices,
    start,
    until_refreshed,
)
from tests.browsing import Server, Stage, chromium_path
from tests.conftest import missing
from tests.hidden_tab import THROTTLED_AT_ONCE, RealBrowser, RealTab, real_browser
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

# Notes every notification and every tone.
EAR = """
globalThis.told = [];
globalThis.notifications = [];
globalThis.Notification = class extends Notification {
  constructor(title, options) {
    super(title, options);
    told.push([title, options.body]);
    notifications.push(this);
  }
};
globalThis.tones = [];
const play = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) {
  tones.push(this.frequency.value);
  return play.apply(this, at);
};
"""

# A script that finds elements through open shadow roots, as selectors of DevTools do not.
TEXT = """
(() => {{
  const all = (root) => [...root.querySelectorAll({selector}),
    ...[...root.querySelectorAll("*")].flatMap((one) => one.shadowRoot ? all(one.shadowRoot) : [])];
  return all(document).map((one) => one.textContent);
}})()
"""

SOUND, NOTIFY, BELL = ".chip.sound", ".chip.notify", ".bell"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A simulated market on which only that happens which is ordered."""
    folder = tmp_path_factory.mktemp("told") / "app"
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
    stage = Stage(refresh_sec=1, past_sec=60, takes_orders=True)
    with start(folder, environ, stage=stage, settings=NO_EVENTS) as started:
        yield started
        log = started.log.read_text("utf-8")
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def chrome() -> Iterator[RealBrowser]:
    """A browser whose tabs can be hidden."""
    if chromium_path() is None:
        missing("chromium")
    with real_browser() as browser:
        yield browser


def texts(tab: RealTab, selector: str) -> list[str]:
    """The text of all such elements."""
    found: list[str] = tab.evaluate(TEXT.format(selector=repr(selector)))
    return found


def opened(chrome: RealBrowser, url: str, *before: str) -> RealTab:
    """A tab that shows prices."""
    tab = chrome.open(url, before=[EAR, *before])
    until(lambda: tab.has('tr[data-state="live"]'))
    return tab


def open_switches(tab: RealTab) -> None:
    """Open the settings, in which the switches are."""
    tab.click(".st-key-settings button")
    until(lambda: texts(tab, SOUND) != [])


def late_ms(tab: RealTab) -> float:
    """How long ago the newest payload came."""
    waited: float = tab.evaluate("Date.now() - marketPulse.receivedAt")
    return waited


def test_the_title_counts_what_a_hidden_tab_missed(server: Server, chrome: RealBrowser) -> None:
    """New events while nobody looks are counted in title and icon, until they are seen."""
    tab = opened(chrome, server.url)
    order(server, {})
    until(lambda: texts(tab, ".toast") != [])
    assert tab.evaluate("document.title") == "Market Pulse"
    tab.hide()
    order(server, {"symbol": "AAPL", "asset": "stocks"}, {"symbol": "TSLA", "asset": "stocks"})
    until(lambda: tab.evaluate("document.title") == "(2) Market Pulse")
    order(server, {"symbol": "EURUSD", "asset": "forex"})
    until(lambda: tab.evaluate("document.title") == "(3) Market Pulse")
    icon = "document.querySelector('link[rel~=icon]').href.slice(0, 15)"
    until(lambda: tab.evaluate(icon) == "data:image/png;")
    tab.show()
    tab.click(BELL)
    until(lambda: tab.evaluate("document.title") == "Market Pulse")
    assert tab.evaluate(icon) != "data:image/png;"
    until(lambda: len(texts(tab, ".events li[data-new] b")) == 3)
    assert tab.evaluate("told") == []
    assert tab.evaluate("tones") == []
    assert tab.complaints == []
    tab.close()


def test_a_tab_brought_back_is_current(server: Server, chrome: RealBrowser) -> None:
    """A hidden tab that the browser puts to sleep shows the present as soon as it is seen."""
    tab = opened(chrome, server.url, THROTTLED_AT_ONCE)
    tab.hide()
    until(lambda: late_ms(tab) > 6000)
    tab.show()
    until(lambda: late_ms(tab) < 1000, 3)
    assert tab.complaints == []
    tab.close()


def test_a_hidden_tab_notifies_once(server: Server, chrome: RealBrowser) -> None:
    """With leave, each event is one notification over all tabs, though their timers sleep."""
    chrome.grant(server.url.rstrip("/"), "notifications")
    first = opened(chrome, server.url, THROTTLED_AT_ONCE)
    open_switches(first)
    first.click(NOTIFY)
    until(lambda: texts(first, NOTIFY) == ["Notify on"])
    second = opened(chrome, f"{server.url}?notify=true", THROTTLED_AT_ONCE)
    open_switches(second)
    until(lambda: texts(second, NOTIFY) == ["Notify on"])
    first.hide()
    until(second.is_hidden)
    until(lambda: late_ms(first) > 3000)

    def told() -> list[Any]:
        return [*first.evaluate("told"), *second.evaluate("told")]

    order(server, {"symbol": "NVDA", "asset": "stocks", "severity": "extreme"})
    until(lambda: told() != [], 12)
    order(server, {"symbol": "GBPUSD", "asset": "forex", "value": -0.0031})
    until(lambda: len(told()) >= 2, 12)
    # Both have seen both, and were asked by their own worker.
    for tab in (first, second):
        until(lambda tab=tab: tab.evaluate("document.title") == "(2) Market Pulse", 12)  # type: ignore[misc]
    assert [title for title, _ in sorted(told())] == ["alert: GBPUSD", "extreme: NVDA"]
    assert min(told())[1].startswith("GBPUSD fell 0.31 % in 1 min")
    assert first.complaints == second.complaints == []
    for tab in (first, second):
        tab.close()


def test_a_severer_state_is_told_again_and_its_end_is_not(
    server: Server, chrome: RealBrowser
) -> None:
    """By tone and by notification, a click on which opens the symbol at that second."""
    chrome.grant(server.url.rstrip("/"), "notifications")
    tab = opened(chrome, f"{server.url}?sound=true&notify=true")
    open_switches(tab)
    until(lambda: texts(tab, SOUND) == ["Sound on"])
    until(lambda: texts(tab, NOTIFY) == ["Notify on"])
    event = {"symbol": "USDJPY", "asset": "forex", "id": "burst:USDJPY:1", "ago": 20}
    tones = {"watch": [660], "alert": [880] * 2, "extreme": [1040] * 3}
    for severity, of_it in tones.items():
        order(server, {**event, "severity": severity})
        until(lambda of_it=of_it: tab.evaluate("tones")[-len(of_it) :] == of_it)  # type: ignore[misc]
    heard = [pitch for pitches in tones.values() for pitch in pitches]
    order(server, {**event, "severity": "extreme", "over_ts": time.time()})
    order(server, {"symbol": "AUDUSD", "asset": "forex", "severity": "watch"})
    until(lambda: tab.evaluate("tones") == [*heard, 660])
    # A notification comes after the tone.
    until(lambda: len(tab.evaluate("told")) > len(tones))
    assert [title for title, _ in tab.evaluate("told")] == [
        *(f"{severity}: USDJPY" for severity in ("watch", "alert", "extreme")),
        "watch: AUDUSD",
    ]

    tab.evaluate("notifications[2].dispatchEvent(new Event('click'))")
    until(lambda: texts(tab, ".opened h2") == ["USDJPY"])
    until(lambda: any(text.startswith("Looking back at") for text in texts(tab, ".messages p")))
    assert tab.complaints == []
    tab.close()


def test_a_browser_that_blocks_notifications_is_named(server: Server, chrome: RealBrowser) -> None:
    """Where notifications are blocked the switch says so, and nothing is tried."""
    url = server.url.replace("127.0.0.1", "localhost")
    chrome.command(
        "Browser.setPermission",
        permission={"name": "notifications"},
        setting="denied",
        origin=url.rstrip("/"),
    )
    tab = opened(chrome, url)
    open_switches(tab)
    assert texts(tab, NOTIFY) == ["Notify: blocked in browser"]
    tab.click(NOTIFY)
    order(server, {"symbol": "META", "asset": "stocks"})
    until(lambda: any("META" in text for text in texts(tab, ".events b")))
    assert texts(tab, NOTIFY) == ["Notify: blocked in browser"]
    assert tab.evaluate("told") == []
    assert tab.complaints == []
    tab.close()


def test_sound_waits_for_a_gesture(server: Server, chrome: RealBrowser) -> None:
    """A link with sound says what is missing; from the first click on, new events are heard."""
    tab = opened(chrome, f"{server.url}?sound=true")
    until(lambda: texts(tab, ".silent") == ["Sound: click to allow"])
    order(server, {"symbol": "AMZN", "asset": "stocks"})
    until(lambda: any("AMZN" in text for text in texts(tab, ".events b")))
    assert tab.evaluate("tones") == []
    open_switches(tab)
    until(lambda: texts(tab, SOUND) == ["Sound on"])
    until(lambda: not tab.has(".silent:not([hidden])"))
    before = len(tab.evaluate("tones"))
    order(server, {"symbol": "MSFT", "asset": "stocks", "severity": "extreme"})
    until(lambda: tab.evaluate("tones")[before:] == [1040, 1040, 1040])

    # Switched off and on again: a sample, and then each event once, hidden or not.
    tab.click(SOUND)
    until(lambda: texts(tab, SOUND) == ["Sound off"])
    tab.click(SOUND)
    until(lambda: tab.evaluate("tones")[before:] == [1040, 1040, 1040, 660])
    tab.hide()
    order(server, {"symbol": "GOOGL", "asset": "stocks", "severity": "watch"})
    until(lambda: tab.evaluate("tones")[before + 4 :] == [660], 12)
    tab.show()
    assert tab.complaints == []
    tab.close()


def test_a_toast_once_per_event_and_viewer(server: Server, tabs: Tabs) -> None:
    """One of a viewer's tabs shows it, once; a reload or a later tab does not repeat it."""
    visitor, other = tabs.visitor(), tabs.visitor()
    pages = [tabs(server.url, visitor), tabs(server.url, visitor)]
    stranger = tabs(server.url, other)
    for page in (*pages, stranger):
        until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        until_refreshed(page, 1)

    order(server, {"symbol": "ETH-USD", "value": 0.0123, "severity": "extreme"})
    for page in (*pages, stranger):
        until(lambda page=page: any("ETH-USD rose 1.23" in text for text in events(page)))  # type: ignore[misc]
    # Another payload with the same news.
    for page in (*pages, stranger):
        until_refreshed(page, 1)
    assert sum(page.locator(".toast").count() for page in pages) == 1
    expect(stranger.locator(".toast")).to_have_text(re.compile(r"◆ ETH-USD \+1\.2 %in 1 min"))

    pages[0].reload()
    later = tabs(server.url, visitor)
    pages[1].reload()
    for page in (*pages, later):
        until(lambda page=page: any("ETH-USD rose 1.23" in text for text in events(page)))  # type: ignore[misc]
        until_refreshed(page, 1)
        assert page.locator(".toast").count() == 0


def test_what_is_filtered_out_is_not_told(server: Server, tabs: Tabs) -> None:
    """Events below the chosen severity or of another class make no toast."""
    page = tabs(f"{server.url}?severity=extreme&events=stocks", tabs.visitor())
    until(lambda: shows_prices(page))
    until_refreshed(page, 1)
    order(
        server,
        {"symbol": "AAPL", "asset": "stocks", "value": 0.0077},
        {"symbol": "SOL-USDT", "severity": "extreme", "value": 0.0088},
        {"symbol": "TSLA", "asset": "stocks", "severity": "extreme", "value": 0.0099},
    )
    expect(page.locator(".toast")).to_have_text(re.compile(r"TSLA \+0\.99 %"))
    assert page.locator(".toast").count() == 1
    until(lambda: any(text.startswith("TSLA rose 0.99") for text in events(page)))
    assert not [text for text in events(page) if "0.77" in text or "0.88" in text]


def test_without_a_destination_the_alerts_are_one_line(server: Server, tabs: Tabs) -> None:
    """Behind a chip among the settings."""
    page = tabs(f"{server.url}?symbol=AAPL", tabs.visitor())
    until(lambda: shows_prices(page))
    order(server, {"symbol": "AAPL", "asset": "stocks"})
    expect(page.locator(".events li:has(p)").first).to_be_visible()
    expect(page.locator(".opened")).to_be_visible()
    open_settings(page).get_by_role("button", name="Alerts off").click()
    close_settings(page)
    panel = page.get_by_role("region", name="Alerts")
    expect(panel).to_contain_text("docs/alerts.md says how")
    assert panel.locator("p:visible, li").count() == 1


def test_no_text_of_an_event_is_markup(server: Server, tabs: Tabs) -> None:
    """Whatever a symbol is called, it is shown as it is written."""
    page = tabs(server.url, tabs.visitor())
    until(lambda: shows_prices(page))
    until_refreshed(page, 1)
    name = "<img/src=x/onerror=document.title='gone'><b>X</b>"
    order(server, {"symbol": name})
    until(lambda: any(text.startswith(name) for text in events(page)))
    expect(page.locator(".toast strong")).to_have_text(re.compile(re.escape(name)))
    board = page.locator(".market-pulse")
    assert board.locator("img").count() == 0
    assert board.locator(".events b *, .toasts b").count() == 0
    assert page.title() == "Market Pulse"
