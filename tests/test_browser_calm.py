"""The page refreshes by itself, and nothing that a viewer is doing on it is disturbed."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from settings import DEFAULT_WATCHLIST
from tests.browser_page import (
    NO_EVENTS,
    PHONE,
    Serve,
    Tabs,
    all_live,
    choose,
    events,
    has_searched_past,
    open_settings,
    order,
    prices,
    refreshes,
    shows_prices,
    symbols,
    until_refreshed,
)
from tests.browsing import Stage
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

NAMES = [name for names in DEFAULT_WATCHLIST.values() for name in names]
REFRESHES = 50
REFRESH_SEC = 0.2
PAST_SEC = 1200  # so that the oldest of a minute each is in it
SETTLED_MS = 1000
MOST_SHIFT = 0.01


# A row that changes its place is meant to: it glides there, which only a busy machine counts.
SHIFTS = f"""() => {{
  const holders = [...document.querySelectorAll("*")].filter((one) => one.shadowRoot);
  const rows = holders.map((one) => one.shadowRoot.querySelector(".pulse tbody tr"));
  const row = rows.find(Boolean).getBoundingClientRect();
  const [from, to] = [row.left, row.right].map(Math.round);
  const isRow = ([left, , right]) => left === from && right === to;
  return shifts.splice(0).filter(({{ startTime, moved }}) => startTime > begun + {SETTLED_MS}
    && !moved.every(([, now]) => isRow(now)));
}}"""


def shifts(page: Page) -> list[dict[str, Any]]:
    """What moved on the page although nobody touched it, from a while after it was first drawn."""
    moved: list[dict[str, Any]] = page.evaluate(SHIFTS)
    return moved


def assert_still(page: Page, name: str) -> None:
    """Nothing to speak of has moved since that was last asked."""
    moved = shifts(page)
    assert sum(shift["value"] for shift in moved) < MOST_SHIFT, (
        name,
        sorted(moved, key=lambda shift: -shift["value"])[:3],
    )


def in_view(page: Page) -> tuple[str, int]:
    """The event at the top of the scrolled list, and how far it is cut off there."""
    text, cut = page.locator(".events").evaluate(
        """(list) => {
          const top = list.getBoundingClientRect().top;
          const isSeen = (li) => li.getBoundingClientRect().bottom > top + 1;
          const item = [...list.querySelectorAll("li")].find(isSeen);
          const name = item.querySelector("b").textContent.split(" ")[0];
          const cut = top - item.getBoundingClientRect().top;
          return [`${item.querySelector("button").textContent} ${name}`, cut];
        }"""
    )
    return text, round(cut)


def focused(page: Page) -> str:
    """What has the focus, within the board too."""
    text: str = page.evaluate(
        """() => {
          let element = document.activeElement;
          while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
          return `${element?.tagName} ${element?.textContent || element?.value}`;
        }"""
    )
    return text


def unfold(page: Page) -> None:
    """Show the rows within their usual range, too."""
    for button in page.locator('.unfold[aria-expanded="false"]').all():
        button.click()


def test_fifty_refreshes_disturb_nothing(serve: Serve, tabs: Tabs) -> None:
    """Lists stay open, text stays typed, what is scrolled, chosen or focused stays; no jump."""
    server = serve(
        {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"},
        stage=Stage(refresh_sec=REFRESH_SEC, past_sec=PAST_SEC, takes_orders=True),
        settings=NO_EVENTS,
    )
    # With rows that glide, as most viewers have it: one that jumps to its place is a shift.
    gliding = tabs.visitor(reduced_motion="no-preference")
    reading = tabs(server.url, gliding)
    past = [{"symbol": name, "ago": 60 * n, "history": True} for n, name in enumerate(NAMES, 1)]
    order(server, *past)
    until(lambda: shows_prices(reading) and all_live(reading) and has_searched_past(reading))
    until(lambda: len(events(reading)) == len(past))
    choosing, walking = tabs(server.url, gliding), tabs(server.url, gliding)
    phone = tabs(server.url, tabs.visitor(viewport=PHONE, reduced_motion="no-preference"))
    for page in (choosing, walking, phone):
        until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        until(lambda page=page: has_searched_past(page))  # type: ignore[misc]
    for name, page in {"desk": walking, "phone": phone}.items():
        assert_still(page, name)

    # One reads the older events of an opened symbol's page, half way through typing a number.
    choose(reading, "Colours", "blue up")
    reading.get_by_role("button", name="Heat map").click()
    reading.locator(".heat td").first.wait_for()
    unfold(reading)
    reading.locator('tr[data-symbol="TSLA"] button').first.click()
    reading.locator(".opened .plot").wait_for()
    open_settings(reading)
    number = reading.get_by_role("spinbutton", name="Top movers")
    number.fill("1")
    reading.locator(".events").evaluate("(list) => list.scrollTo(0, 300)")
    # Another has a list open, a third has walked to a row, the fourth has a telephone.
    open_settings(choosing)
    choosing.get_by_role("combobox", name="Rank by").click()
    choosing.get_by_role("option", name="volatility").hover()
    # Every row is shown, and what the keyboard is on stays where it is.
    unfold(walking)
    until(lambda: len(symbols(walking)) == 17)
    button = walking.locator("tr[data-symbol] button").nth(7)
    button.focus()
    held = button.text_content()
    phone.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 600)")

    pages = {"reading": reading, "choosing": choosing, "walking": walking, "phone": phone}
    for page in pages.values():
        until_refreshed(page)
        shifts(page)
    seen_event, seen_prices = in_view(reading), prices(reading)
    begun = {name: refreshes(page) for name, page in pages.items()}
    for page in pages.values():
        page.evaluate("marketPulse.again()")  # as if nothing had come for a while
    scrolled = phone.get_by_test_id("stMain").evaluate("(main) => main.scrollTop")
    until(lambda: all(refreshes(pages[n]) >= begun[n] + REFRESHES for n in pages))

    assert prices(reading) != seen_prices
    assert in_view(reading) == seen_event
    assert number.input_value() == "1"
    assert focused(reading) == "INPUT 1"
    assert reading.locator('tr[data-symbol="TSLA"][data-open]').count() == 1
    assert reading.locator(".opened h2").text_content() == "TSLA"
    assert reading.locator(".heat").is_visible()
    assert reading.locator('.market-pulse[data-colours="blue up"]').count() == 1
    assert choosing.get_by_role("option", name="volatility").is_visible()
    assert focused(walking) == f"BUTTON {held}"
    assert phone.get_by_test_id("stMain").evaluate("(main) => main.scrollTop") == scrolled
    for name, page in pages.items():
        assert_still(page, name)

    # News come in at the top, and what is read below them stays where it is.
    order(server, {"severity": "extreme"}, {"symbol": "TSLA", "asset": "stocks"})
    until(lambda: len(events(reading)) == len(past) + 2)
    top, cut = in_view(reading)
    assert top == seen_event[0]
    assert abs(cut - seen_event[1]) <= 1
    assert phone.get_by_test_id("stMain").evaluate("(main) => main.scrollTop") == scrolled
    assert focused(walking) == f"BUTTON {held}"
