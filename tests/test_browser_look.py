"""The look of the page: what fits, in which colours, and whether everybody can read it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.axe import violations
from tests.browser_page import (
    DESK,
    PHONE,
    WALL,
    Tabs,
    all_live,
    assert_sound,
    choose,
    close_settings,
    has_searched_past,
    messages,
    open_details,
    open_settings,
    order,
    shows_prices,
    start,
    until_refreshed,
)
from tests.browsing import FLAGS, Server, Stage, chromium_path
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

PAST_SEC = 900
"""Of the market; how many events are in it depends on when it starts."""

EVENTS: Final = tuple(
    {"symbol": name, "asset": "stocks", "id": f"burst:{name}:ordered", "ago": 60 * number}
    for number, name in enumerate(("AAPL", "MSFT", "NVDA", "TSLA", "META", "AMZN"), 1)
)
"""Enough to fill a card, whatever the market brings."""

KIOSK_PX = 28
KIOSKS = ((1024, 768), (1280, 720), (1366, 768), (1440, 900), (1920, 1080), (3840, 2160))
TILES = 17
FIRST_ROW_PX = 130
TOUCH_PX = 44
DARK, LIGHT = "rgb(14, 18, 24)", "rgb(245, 247, 250)"


def until_ready(page: Page) -> None:
    """Wait until all that the page can show is there."""
    until(lambda: shows_prices(page) and all_live(page) and has_searched_past(page))


def fill_events(market: Server, page: Page) -> None:
    """Have a card full of events, and wait until they are listed."""
    order(market, *EVENTS)
    until(lambda: page.locator(".events li").count() >= len(EVENTS))


def fits(page: Page, locator: Locator) -> int:
    """How many of these lie wholly in what is seen of the page, and of what they scroll in."""
    size: Any = page.viewport_size
    count: int = locator.evaluate_all(
        """(elements, size) => elements.filter((element) => {
          const box = element.getBoundingClientRect();
          let [top, bottom] = [0, size.height];
          const list = element.closest(".events");
          if (list && list !== element) {
            const frame = list.getBoundingClientRect();
            [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
          }
          return box.width > 0 && box.height > 0 && box.left >= 0 && box.right <= size.width
            && box.top >= top && box.bottom <= bottom;
        }).length""",
        size,
    )
    return count


def scrolls_sideways(page: Page) -> bool:
    """Whether anything of the page lies to the right of the screen."""
    wide: bool = page.evaluate(
        """() => [document.scrollingElement, document.querySelector('[data-testid="stMain"]')]
          .some((element) => element.scrollWidth > element.clientWidth)"""
    )
    return wide


def does_fit(page: Page, control: Locator) -> bool:
    """Whether one control is wholly seen."""
    return fits(page, control) == 1


def test_the_first_screen_of_a_desk(market: Server, tabs: Tabs) -> None:
    """At 1440 × 900 all that matters is seen without scrolling."""
    page = tabs(market.url)
    until_ready(page)
    fill_events(market, page)
    for name, least in {
        ".badge": 1,
        ".feeds li": 3,
        ".pulse tbody tr": 10,
        ".events li": 4,  # as many fit however many lines each of them has
        ".correlation": 1,
        ".correlation .pairs li": 3,
        ".hour": 1,
    }.items():
        assert fits(page, page.locator(name)) >= least, name
    expect(page.locator(".badge")).to_have_text("simulated")
    expect(page.locator(".time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d Asia/Tokyo$"))
    first = page.locator(".pulse tbody tr").first.bounding_box()
    assert first
    assert first["y"] <= FIRST_ROW_PX
    assert not scrolls_sideways(page)
    assert messages(page) == []
    # All that is set once is behind one button, in the place that the chrome keeps for it.
    gear, place = (page.locator(name).bounding_box() for name in (".st-key-settings", ".gear"))
    assert gear
    assert place
    assert abs(gear["x"] - place["x"]) < 2
    settings = open_settings(page)
    lists = ("Rank by", "Lists", "Correlation base", "Bars", "Colours", "Top movers")
    for label in lists:
        # What the button opens is drawn part by part.
        control = settings.get_by_label(label, exact=True).first
        until(partial(does_fit, page, control), what=label)
    for name in ("Sound off", "Notify off", "Alerts off", "Details", "Copy link", "Kiosk"):
        assert fits(page, settings.get_by_text(name, exact=True)) == 1, name
    close_settings(page)
    page.get_by_role("button", name="Go live").click()
    expect(page.locator(".golive .source")).to_have_text(
        "What is shown: embedded exchange, seed 7."
    )
    page.keyboard.press("Escape")
    expect(page.locator(".golive")).to_be_hidden()


@pytest.mark.parametrize("lists", ["one list", "by class"])
@pytest.mark.parametrize("size", [DESK, WALL, PHONE], ids=["desk", "wall", "phone"])
def test_nothing_is_cut_off(market: Server, tabs: Tabs, size: Any, lists: str) -> None:
    """No width makes the page scroll sideways, nor cuts a price or a state short."""
    # A sheet would lie over a phone's tabs.
    opened = "" if size == PHONE else "&symbol=TSLA"
    query = f"?lists={lists}&heat=true{opened}&correlate=stocks&correlate=crypto"
    page = tabs(market.url + query, tabs.visitor(viewport=size))
    until_ready(page)
    page.locator(".heat td").first.wait_for(state="attached")
    assert not scrolls_sideways(page)
    assert cut_off(page) == []
    for tab in page.locator(".tabs button:visible").all():
        tab.click()
        assert not scrolls_sideways(page)
        assert cut_off(page) == []


def cut_off(page: Page) -> list[str]:
    """What of the figures and states that are seen is cut short."""
    cut: list[str] = page.locator(
        ".pulse tbody td, .pulse tbody th, .chrome span, .pairs b, .pairs .r, .heat th"
    ).evaluate_all(
        """(elements) => elements.filter((one) => one.offsetParent !== null
          && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflow !== "visible")
          .map((one) => `${one.className} ${one.dataset.column ?? ""}: ${one.textContent}`)"""
    )
    return cut


def test_a_telephone_shows_one_card_at_a_time(market: Server, tabs: Tabs) -> None:
    """At 390 × 844 tabs at the foot lead from one to the next, and a reload keeps the choice."""
    page = tabs(market.url, tabs.visitor(viewport=PHONE))
    until_ready(page)
    cards = [page.locator(f".{name}") for name in ("pulse", "stress", "correlation")]
    tabs_shown = page.locator(".tabs button")
    assert tabs_shown.all_text_contents() == ["Pulse", "Stress", "Together"]
    first = page.locator(".pulse tbody tr").first.bounding_box()
    assert first
    assert first["y"] <= 200
    for place, tab in enumerate(tabs_shown.all()):
        tab.click()
        for other, card in enumerate(cards):
            expect(card).to_be_visible(visible=other == place)
        box = tab.bounding_box()
        assert box
        assert box["height"] >= TOUCH_PX
    page.reload()
    until(lambda: shows_prices(page))
    expect(cards[2]).to_be_visible()
    expect(cards[0]).to_be_hidden()


def on_wall(tabs: Tabs, url: str) -> Page:
    """A kiosk whose tiles are there."""
    page = tabs(url, tabs.visitor(viewport=WALL))
    until(lambda: page.locator(".tile").count() == TILES and all_live(page))
    return page


def test_a_wall_shows_what_matters_from_afar(market: Server, tabs: Tabs) -> None:
    """The kiosk has no widgets, big type, and everything on one screen that never scrolls."""
    page = on_wall(tabs, f"{market.url}?kiosk=1")
    until(lambda: has_searched_past(page))
    fill_events(market, page)
    for widget in ("stSelectbox", "stNumberInput", "stButtonGroup", "stCheckbox", "stPopover"):
        assert page.get_by_test_id(widget).count() == 0
    for hidden in (".hour", ".chrome > .tools", ".correlation", ".stress .chips"):
        expect(page.locator(hidden)).to_be_hidden()
    size: float = page.locator(".market-pulse").evaluate(
        "(board) => parseFloat(getComputedStyle(board).fontSize)"
    )
    assert size >= KIOSK_PX
    for width, height in KIOSKS:
        page.set_viewport_size({"width": width, "height": height})
        until_refreshed(page)
        assert fits(page, page.locator(".tile")) == TILES, width
        assert fits(page, page.locator(".feeds li")) == 3, width
        assert not scrolls(page), width
        whole, in_part = seen_events(page)
        assert whole, width
        assert in_part == [], width
    assert_sound(page)
    # A pointer that moves brings the way out, and so does Escape; the settings lead back.
    leave = page.get_by_role("button", name="Leave kiosk")
    page.mouse.move(10, 10)
    page.mouse.move(20, 20)
    expect(leave).to_have_css("opacity", "1")
    leave.click()
    expect(page.locator(".st-key-settings")).to_be_visible()
    open_settings(page).get_by_role("button", name="Kiosk").click()
    expect(page.locator(".market-pulse[data-kiosk]")).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.locator(".st-key-settings")).to_be_visible()


def seen_events(page: Page) -> tuple[list[str], list[str]]:
    """The events of the card that are seen whole, and those of which a part is cut off."""
    seen: dict[str, list[str]] = page.locator(".events").evaluate(
        """(list) => {
          const frame = list.getBoundingClientRect();
          const whole = [], part = [];
          for (const one of list.querySelectorAll("ol > li")) {
            const box = one.getBoundingClientRect();
            const isOutside = box.left >= frame.right || box.top >= frame.bottom;
            const isInside = box.right <= frame.right + 1 && box.bottom <= frame.bottom + 1;
            if (!isOutside) (isInside ? whole : part).push(one.textContent);
          }
          return { whole, part };
        }"""
    )
    return seen["whole"], seen["part"]


def scrolls(page: Page) -> bool:
    """Whether the page does not fit on the screen."""
    tall: bool = page.evaluate(
        """() => [document.scrollingElement, document.querySelector('[data-testid="stMain"]')]
          .some((element) => element.scrollHeight > element.clientHeight)"""
    )
    return tall or scrolls_sideways(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nobody_is_shut_out(market: Server, tabs: Tabs, theme: str) -> None:
    """The page, with all that can be opened on it, passes axe-core's serious and critical rules."""
    page = tabs(f"{market.url}?symbol=TSLA&heat=true&embed_options={theme}_theme")
    until_ready(page)
    page.locator(".heat td").first.wait_for()
    open_details(page)
    page.locator(".details dl").first.wait_for()
    assert violations(page) == []
    page.keyboard.press("Control+k")
    page.keyboard.type("b")
    expect(page.locator(".palette [role=option]").first).to_be_visible()
    assert violations(page) == []
    wall = on_wall(tabs, f"{market.url}?kiosk=1&embed_options={theme}_theme")
    assert violations(wall) == []


def test_the_colours_are_the_systems(market: Server, tabs: Tabs) -> None:
    """From the first load on, which is the only one; they change with it."""
    page = tabs(market.url, tabs.visitor(color_scheme="light"))
    app = page.get_by_test_id("stApp")
    until(lambda: shows_prices(page))
    expect(app).to_have_css("background-color", LIGHT)
    page.evaluate("globalThis.isTheSame = true")
    page.emulate_media(color_scheme="dark")
    expect(app).to_have_css("background-color", DARK)
    assert page.evaluate("isTheSame")


def colours(page: Page, tone: int) -> set[str]:
    """In which colours a direction is shown, of symbols that trade."""
    cells = page.locator(f'.pulse tr[data-state="live"] td[data-tone="{tone}"]')
    found: list[str] = cells.evaluate_all(
        "(cells) => cells.map((cell) => getComputedStyle(cell).color)"
    )
    return set(found)


# From here on, whatever the market does, all moves of the last minute are beyond their usual range,
# up and down by turns.
TOO_MUCH: Final = """() => {
  const { draw } = marketPulse;
  marketPulse.draw = () => {
    const payload = structuredClone(marketPulse.payload);
    const { columns, lists } = payload.pulse;
    const place = columns.findIndex(({ name }) => name === "1m");
    lists.flatMap(({ rows }) => rows).forEach((row, number) => {
      row.cells[place] = number % 2 ? ["−0.50 %", -1] : ["+0.50 %", 1];
    });
    marketPulse.payload = payload;
    draw();
  };
  marketPulse.draw();
}"""


def test_the_palette_is_chosen(market: Server, tabs: Tabs) -> None:
    """Up and down have the colours of the palette, everywhere, and signs besides."""
    page = tabs(market.url)
    until(lambda: shows_prices(page))
    page.evaluate(TOO_MUCH)
    seen = []
    for name in ("green up", "blue up", "red up"):
        choose(page, "Colours", name)
        expect(page.locator(f'.market-pulse[data-colours="{name}"]')).to_be_attached()
        # What was sent before has other figures.
        until(lambda: colours(page, 1) and colours(page, -1))
        up, down = colours(page, 1), colours(page, -1)
        assert len(up) == len(down) == 1
        seen.append((up.pop(), down.pop()))
    green, blue, red = seen
    assert red == green[::-1]
    assert len({*green, *blue}) == 4
    signs = page.locator('.pulse td[data-tone="1"]').all_text_contents()
    assert signs
    assert all("+" in text for text in signs)


def test_nothing_is_written_over_events(market: Server, tabs: Tabs) -> None:
    """Where no price is known, as in a restart's first moment, those of before are listed alone."""
    page = tabs(market.url)
    until_ready(page)
    fill_events(market, page)
    is_hidden = page.locator(".stress .empty").evaluate(
        """(empty) => {
          const payload = structuredClone(marketPulse.payload);
          payload.pulse.priced = 0;
          marketPulse.payload = payload;
          marketPulse.draw();
          return empty.hidden;
        }"""
    )
    assert is_hidden


def test_a_message_that_is_lost_is_made_up_for(market: Server, tabs: Tabs) -> None:
    """The next one builds on it, so the page asks for a whole one and goes on."""
    page = tabs(market.url)
    until_ready(page)
    page.evaluate(
        """() => {
          const { take } = marketPulse;
          globalThis.told = [];
          let isLost = true;
          marketPulse.take = () => {
            if (!isLost) {
              told.push(Object.keys(JSON.parse(new TextDecoder().decode(marketPulse.message))));
              take();
            }
            isLost = false;
          };
        }"""
    )
    until_refreshed(page, 2)
    whole, delta = ["number", "payload"], ["number", "base", "change"]
    assert page.evaluate("told").index(whole) > 0
    until(lambda: page.evaluate("told.at(-1)") == delta)


def test_a_correlation_that_rounds_to_zero_has_no_sign(market: Server, tabs: Tabs) -> None:
    """Neither sign nor colour in the heat map, however little it is below zero."""
    page = tabs(f"{market.url}?heat=true")
    until_ready(page)
    page.locator(".heat td").first.wait_for()
    page.evaluate(
        """() => {
          const payload = structuredClone(marketPulse.payload);
          payload.correlation.heat.r[0][1] = -0.004;
          payload.correlation.heat.r[1][0] = -0.006;
          marketPulse.payload = payload;
          marketPulse.draw();
          marketPulse.draw = () => {}; // what comes next changes nothing of it
        }"""
    )
    rows = page.locator(".heat tr")
    zero, below = rows.nth(1).locator("td").nth(1), rows.nth(2).locator("td").nth(0)
    expect(zero).to_have_text("0.00")
    expect(zero).to_have_attribute("data-tone", "0")
    expect(below).to_have_text("−0.01")
    expect(below).to_have_attribute("data-tone", "-1")


def test_a_computer_of_no_zone_shows_utc(market: Server, browser: Browser) -> None:
    """Where the system's zone is none that the browser can use, times are in UTC and named so."""
    environ: dict[str, str | float | bool] = {**os.environ, "TZ": "Mars/Olympus"}
    lost = browser.browser_type.launch(executable_path=chromium_path(), args=FLAGS, env=environ)
    opened = Tabs(lost)
    page = opened(market.url, opened.visitor(timezone_id=None))
    until_ready(page)
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == "Etc/Unknown"
    expect(page.locator(".zone")).to_have_text("UTC")
    (note,) = messages(page)
    assert note.startswith("This browser cannot use the time zone of this computer (Etc/Unknown)")
    lost.close()
    assert opened.complaints == []


LONG = "W" * 20
LONG_NAMES = f"""[watchlist]
stocks = ["AAPL", "{LONG}", "MMMMMMMMMM.MMMMMMMMM"]
forex = ["EURUSD"]
crypto = ["BTC-USD", "SHIBAINUWWWWWWWW-USD"]
"""


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose watchlist has names as long and wide as names can be."""
    folder = tmp_path_factory.mktemp("long") / "app"
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
    with start(folder, environ, stage=Stage(refresh_sec=0.5), settings=LONG_NAMES) as server:
        yield server


@pytest.mark.parametrize(
    "size",
    [DESK, WALL, PHONE, {"width": 2560, "height": 1440}],
    ids=["desk", "wall", "phone", "wide"],
)
def test_long_names_wrap(long_names: Server, tabs: Tabs, size: Any) -> None:
    """Nothing of a name is cut off or hidden, and none makes the page scroll sideways."""
    query = f"?base={LONG}&symbol={LONG}&heat=true&correlate=stocks&correlate=crypto"
    page = tabs(long_names.url + query, tabs.visitor(viewport=size))
    names = page.locator(
        ".pulse .symbol, .tile, .pairs b, .heat th, .opened h2, .correlation > .note"
    )
    seen: set[str] = set()

    def look() -> None:
        assert not scrolls_sideways(page)
        assert outside(names) == []
        for one in names.filter(has_text=LONG, visible=True).all():
            seen.add(one.evaluate("(one) => one.tagName"))

    page.locator(".heat td").first.wait_for(state="attached")
    page.locator(".opened .pairs li").first.wait_for()
    look()
    # On a phone the sheet is the whole screen, and then there is one card at a time.
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".opened")).to_be_hidden()
    for tab in page.locator(".tabs button:visible").all():
        tab.click()
        look()
    assert seen >= {"H2", "TH", "SPAN", "BUTTON"}


def outside(locator: Locator) -> list[str]:
    """Those whose text reaches beyond their own box, or their card's."""
    cut: list[str] = locator.evaluate_all(
        """(elements) => elements.filter((one) => {
          const range = document.createRange();
          range.selectNodeContents(one);
          const text = range.getBoundingClientRect();
          const box = one.getBoundingClientRect();
          const card = one.closest(".card, .sheet").getBoundingClientRect();
          // Glyphs have room above and below them that lines may share.
          return text.width > 0 && (text.right > box.right + 1 || text.left < box.left - 1
            || text.bottom > box.bottom + 3 || text.top < box.top - 3 || box.right > card.right);
        }).map((one) => `${one.tagName}.${one.className} ${one.textContent}`)"""
    )
    return cut


def paints(locator: Locator) -> int:
    """In how many colours this is painted: one is nothing that can be seen."""
    image = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return len(set(image.get_flattened_data()))


def looks(locator: Locator) -> bytes:
    """What this looks like, to tell whether it changed."""
    return locator.screenshot()


def assert_looks_pressed(button: Locator) -> None:
    """It looks another way once it is pressed, without the pointer or the focus on it."""
    is_on = button.get_attribute("aria-pressed")
    looked = looks(button)
    button.click()
    expect(button).not_to_have_attribute("aria-pressed", is_on or "")
    button.page.mouse.move(0, 0)
    button.page.evaluate("document.activeElement.shadowRoot?.activeElement?.blur()")
    button.page.evaluate("document.activeElement.blur()")
    assert looks(button) != looked


def test_forced_colours_keep_every_control(market: Server, tabs: Tabs) -> None:
    """Where the system takes backgrounds away, all is still seen, and whether it is on or off."""
    visitor = tabs.visitor(forced_colors="active")
    page = tabs(f"{market.url}?symbol=TSLA&heat=true&correlate=stocks&correlate=crypto", visitor)
    until_ready(page)
    page.locator(".heat[data-dense] td").first.wait_for()
    assert violations(page) == []
    live = page.locator(".live")
    before = looks(live)
    open_settings(page)
    freeze = page.get_by_test_id("stCheckbox")
    switch = freeze.locator("label > div").first
    assert paints(switch) > 1
    looked = looks(switch)
    # Held, so that nothing but the choice changes what is seen.
    freeze.locator("label").click()
    until(lambda: any(text.startswith("Paused at ") for text in messages(page)))
    page.mouse.move(0, 0)
    assert looks(switch) != looked
    assert_looks_pressed(page.get_by_test_id("stButtonGroup").get_by_role("button", name="forex"))
    # The focus is a line, not a shadow.
    page.get_by_role("combobox", name="Rank by").focus()
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"
    close_settings(page)
    assert looks(live) != before
    assert paints(page.locator(".plot")) > 1
    assert paints(page.locator(".opened .scale").first) > 1
    # The sheet lies over the end of the row.
    row = page.locator("tr[data-open]")
    opened = row.get_attribute("data-symbol")
    looked = looks(row.locator("th, td").first)
    page.get_by_role("button", name="Close").click()
    expect(row).to_have_count(0)
    page.evaluate("document.activeElement.shadowRoot?.activeElement?.blur()")
    assert looks(page.locator(f'tr[data-symbol="{opened}"]').locator("th, td").first) != looked
    # What the sheet lay over.
    for name, seen in {
        "slider": page.locator(".track input"),
        "dot": page.locator(".feeds .dot").first,
        "gauge": page.locator(".pulse .bar").first,
        "interval": page.locator(".correlation .scale").first,
        "heat": page.locator(".heat table"),
        "severity": page.get_by_role("combobox", name="Least severity"),
    }.items():
        assert paints(seen) > 1, name
    assert_looks_pressed(page.locator(".stress .chip").first)
    assert_looks_pressed(page.get_by_role("button", name="Heat map"))
