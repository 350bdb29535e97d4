"""Events are opened, dealt with and caught up with, and their hour is played on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser_page import (
    DESK,
    NO_EVENTS,
    PHONE,
    Tabs,
    messages,
    order,
    query,
    shows_prices,
    start,
    until_refreshed,
)
from tests.browsing import Server, Stage
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

# As if three minutes passed while another window was in front.
LEAVE = "dispatchEvent(new Event('blur'))"
RETURN = """
const real = Date.now;
Date.now = () => real() + 180_000;
dispatchEvent(new Event("focus"));
Date.now = real;
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A simulated market on which only that happens which is ordered."""
    folder: Path = tmp_path_factory.mktemp("events") / "app"
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
    stage = Stage(refresh_sec=1, past_sec=900, takes_orders=True)
    with start(folder, environ, stage=stage, settings=NO_EVENTS) as started:
        yield started
        log = started.log.read_text("utf-8")
    assert "Traceback" not in log, log


def opened(server: Server, tabs: Tabs) -> Page:
    """A tab of a new visitor that shows prices."""
    page = tabs(server.url, tabs.visitor())
    until(lambda: shows_prices(page))
    until_refreshed(page, 1)
    return page


def track_width(page: Page) -> float:
    """How wide the line of the hour is."""
    box = page.locator(".track").bounding_box()
    assert box is not None
    return box["width"]


def test_a_moment_is_chosen_by_keys_and_time_and_played_on_to_now(
    server: Server, tabs: Tabs
) -> None:
    """The line keeps its width whatever it shows, and playing is one step to go back to."""
    page = opened(server, tabs)
    width = track_width(page)
    slider, live = page.get_by_role("slider", name="Look back"), page.locator(".live")
    slider.focus()
    slider.press("Home")
    first = int(slider.get_attribute("min") or 0)
    # The hour moves on with the market.
    until(lambda: first <= int(slider.input_value()) <= first + 10)
    begun = int(slider.input_value())
    for key, by in {
        "ArrowRight": 1,
        "ArrowUp": 10,
        "PageUp": 60,
        "ArrowDown": -10,
        "ArrowLeft": -1,
    }.items():
        slider.press(key)
        begun += by
        assert int(slider.input_value()) == begun, key
    expect(live).to_be_enabled()
    assert track_width(page) == width

    typed = page.get_by_label("Look back at this time")
    minute = typed.input_value().rpartition(":")[0]
    typed.fill(minute)
    typed.press("Enter")
    expect(typed).to_have_value(f"{minute}:00")
    typed.fill("2 PM")
    typed.press("Enter")
    until(lambda: any(text.startswith("2 PM is no time") for text in messages(page)))

    slider.press("End")
    expect(live).to_be_disabled()
    for _ in range(4):
        slider.press("ArrowDown")
    until(lambda: "at=" in query(page))
    speed = page.get_by_role("button", name="Speed")
    expect(speed).to_have_text("×30")
    speed.click()
    expect(speed).to_have_text("×1")
    slider.press(" ")
    expect(page.get_by_role("button", name="Stop here")).to_be_visible()
    slider.press(" ")
    play = page.get_by_role("button", name="Play on from here to now")
    expect(play).to_be_visible()
    speed.click()
    speed.click()
    steps = page.evaluate("history.length")
    play.click()
    expect(live).to_be_disabled()
    expect(page.get_by_role("button", name="Hold the page still")).to_be_visible()
    until(lambda: "at=" not in query(page))
    assert page.evaluate("history.length") - steps <= 1
    assert track_width(page) == width


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_moves_while_the_line_is_dragged(
    server: Server, tabs: Tabs, screen: dict[str, int]
) -> None:
    """Whatever each moment shows, and not even by the message that this is the past."""
    page = tabs(server.url, tabs.visitor(reduced_motion="no-preference", viewport=screen))
    until(lambda: shows_prices(page))
    until_refreshed(page, 2)
    page.evaluate("shifts.length = 0")
    # Of what moves under a pressed pointer Chromium does not tell as long as it is pressed.
    drag = (
        "(slider, second) => { slider.value = second; slider.dispatchEvent(new Event('input')); }"
    )
    slider = page.get_by_role("slider", name="Look back")
    oldest, newest = (int(slider.get_attribute(name) or 0) for name in ("min", "max"))
    for second in range(newest - 30, oldest, -60):
        slider.evaluate(drag, second)
        page.wait_for_function("(second) => marketPulse.payload.at === second", arg=second)
    box = page.locator(".track").bounding_box()
    assert box is not None
    x, y, width = box["x"], box["y"] + box["height"] / 2, box["width"]
    page.mouse.move(x + 0.8 * width, y)
    page.mouse.down()
    for part in (0.7, 0.6, 0.5):
        page.mouse.move(x + part * width, y, steps=5)
        until_refreshed(page, 1)
    assert page.evaluate("shifts.reduce((sum, { value }) => sum + value, 0)") < 0.005
    page.mouse.up()
    until(lambda: "at=" in query(page))


def test_an_event_is_opened_from_wherever_it_is_told(server: Server, tabs: Tabs) -> None:
    """Its symbol at the second of its peak, with its row marked: from a toast and from its mark."""
    page = opened(server, tabs)
    order(server, {"symbol": "META", "asset": "stocks", "value": -0.0093, "ago": 60})
    marked = page.locator(".events li[data-marked]")
    page.locator(".toast").click()
    expect(page.locator(".opened h2")).to_have_text("META")
    expect(marked).to_contain_text("META −0.93 %")
    until(lambda: "at=" in query(page) and "symbol=META" in query(page))
    at = re.search("at=[^&]*", query(page))
    page.keyboard.press("Escape")
    page.locator(".live").click()
    until(lambda: "at=" not in query(page))

    shape = page.locator(".marks .shape").last.bounding_box()
    assert shape is not None
    x, y = shape["x"] + shape["width"] / 2, shape["y"] + shape["height"] / 2
    page.mouse.move(x, y)
    expect(page.locator(".track .pointed")).to_contain_text("META −0.93 %")
    page.mouse.click(x, y)
    expect(page.locator(".opened h2")).to_have_text("META")
    until(lambda: at is not None and at[0] in query(page))


def test_an_event_is_dealt_with_in_this_browser(server: Server, tabs: Tabs) -> None:
    """Acknowledged until it is more severe, snoozed with its symbol until that is lifted."""
    page = opened(server, tabs)
    event = {"symbol": "NVDA", "asset": "stocks", "id": "burst:NVDA:1"}
    order(server, event)
    row = page.locator(".events li").filter(has_text="NVDA")
    row.get_by_role("button", name="About").click()
    expect(row.locator("dl")).to_contain_text("Threshold")
    expect(row.locator("dl")).to_contain_text("Regime")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_have_attribute("data-done", "")
    page.reload()
    expect(row).to_have_attribute("data-done", "")
    order(server, {**event, "severity": "extreme", "value": 0.02})
    expect(page.locator(".toast").filter(has_text="NVDA +2.0 %")).to_be_visible()
    expect(row).not_to_have_attribute("data-done", "")

    row.get_by_role("button", name="About").click()
    row.get_by_role("button", name="Snooze 1 h").click()
    snoozed = page.locator(".snoozed li")
    expect(snoozed).to_have_text(re.compile("^NVDA snoozed for (1 h|59 min)"))
    order(server, {"symbol": "NVDA", "asset": "stocks", "value": 0.0311, "id": "burst:NVDA:2"})
    order(server, {"symbol": "AMZN", "asset": "stocks", "value": 0.0322})
    expect(page.locator(".toast").filter(has_text="AMZN")).to_be_visible()
    assert page.locator(".toast").filter(has_text="+3.1 %").count() == 0
    snoozed.get_by_role("button", name="Lift").click()
    expect(snoozed).to_have_count(0)


def test_who_comes_back_is_told_what_happened_meanwhile(server: Server, tabs: Tabs) -> None:
    """In the headline's own place; a click shows the events, and then it is gone."""
    page = opened(server, tabs)
    headline, missed = page.locator(".headline"), page.locator(".headline .missed")
    height = headline.bounding_box()
    expect(missed).to_be_hidden()
    page.evaluate(LEAVE)
    until_refreshed(page, 2)
    order(server, {"symbol": "TSLA", "asset": "stocks", "severity": "extreme"})
    until_refreshed(page, 2)
    page.evaluate(RETURN)
    expect(missed).to_have_text(re.compile(r"^Since \d\d:\d\d: 1 event"))
    assert headline.bounding_box() == height
    missed.click()
    expect(missed).to_be_hidden()
    expect(page.locator(".events li[data-new] b")).to_have_text(re.compile("^TSLA"))
