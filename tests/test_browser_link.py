"""What a viewer chooses: every control changes its card, and the address keeps all of it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs

from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.browser_page import (
    Tabs,
    all_live,
    assert_sound,
    choose,
    close_settings,
    events,
    has_searched_past,
    messages,
    open_details,
    open_settings,
    order,
    prices,
    pulse_text,
    query,
    refreshes,
    shows_prices,
    symbols,
    until_refreshed,
)
from tests.browsing import Server
from tests.waiting import until
from tests.wire import Wire

pytest_plugins = ("tests.browser_fixtures",)


def until_ready(page: Page) -> None:
    """Wait until all that the page can show is there."""
    until(lambda: shows_prices(page) and all_live(page) and has_searched_past(page))


def params(page: Page) -> dict[str, list[str]]:
    """What the address holds."""
    return parse_qs(query(page))


def address(page: Page) -> str:
    """The page's address."""
    # Asked for: Playwright's own copy of it lags behind while it has nothing to do.
    text: str = page.evaluate("location.href")
    return text


def headings(page: Page) -> list[str]:
    """The captions of the pulse's lists."""
    return page.locator(".pulse caption").all_text_contents()


def column(page: Page, name: str) -> list[float]:
    """The sizes in a column of the pulse, as they are shown; a dash is −1."""
    texts = page.locator(f'tbody td[data-column="{name}"]').all_text_contents()
    found = (re.search(r"\d+\.\d+", text) for text in texts)
    return [float(number[0]) if number else -1.0 for number in found]


def view_of(page: Page) -> dict[str, object]:
    """Everything chosen, as the page shows it."""
    board = page.locator(".market-pulse")
    open_settings(page)
    settings = {
        label: page.get_by_role("combobox", name=label, exact=True).input_value()
        for label in ("Rank by", "Lists", "Correlation base", "Bars", "Colours")
    }
    settings["rows"] = page.get_by_role("spinbutton", name="Top movers").input_value()
    correlate = (
        page.get_by_test_id("stButtonGroup")
        .locator('[aria-checked="true"], [aria-pressed="true"], [kind$="Active"]')
        .all_text_contents()
    )
    switches = page.get_by_role("switch").all_text_contents()
    close_settings(page)
    return {
        **settings,
        "correlate": correlate,
        "switches": switches,
        "ranked": page.locator("thead th[aria-sort]").first.text_content(),
        "captions": headings(page),
        "card": page.locator(".correlation > .note").text_content(),
        "colours": board.get_attribute("data-colours"),
        "symbol": page.locator(".opened:not([hidden]) h2").all_text_contents(),
        "moment": page.locator(".time:not(.tag)").text_content() if "at=" in query(page) else "",
        "severity": page.get_by_role("combobox", name="Least severity").input_value(),
        "classes": page.locator('.stress [aria-pressed="true"]').all_text_contents(),
        "heat": page.locator(".heat td").count(),
    }


def wired(market: Server, tabs: Tabs) -> tuple[Page, Wire]:
    """A tab that shows all it can, and its wire."""
    visitor, wire = tabs.visitor(), Wire()
    wire.route(visitor)
    page = tabs(market.url, visitor)
    until_ready(page)
    return page, wire


def test_every_control_changes_its_card_and_the_address(market: Server, tabs: Tabs) -> None:
    """What is chosen is seen and kept in the address, which shows the same to somebody else."""
    page = tabs(market.url)
    until_ready(page)
    assert query(page) == ""

    choose(page, "Rank by", "volatility")
    # Rows rest: two that are close may stand the wrong way round for half a minute.
    until(
        lambda: column(page, "volatility") == sorted(column(page, "volatility"), reverse=True),
    )
    expect(page.locator("thead th[aria-sort]")).to_have_text("Vol 15 min")

    choose(page, "Lists", "by class")
    until(lambda: headings(page) == ["stocks", "forex", "crypto"])
    settings = open_settings(page)
    rows = settings.get_by_role("spinbutton", name="Top movers")
    rows.fill("4")
    rows.press("Enter")
    until(lambda: len(symbols(page)) == 12)
    settings.get_by_role("button", name="crypto").click()
    settings.get_by_role("button", name="stocks").click()
    close_settings(page)

    choose(page, "Correlation base", "BTC-USD")
    choose(page, "Bars", "60 s")
    card = page.locator(".correlation > .note")
    expect(card).to_have_text(re.compile(r"^With BTC-USD, .*, among crypto$"))
    expect(card).to_have_attribute("title", re.compile("in 60 s bars;"))
    expect(page.locator(".correlation .pairs b").first).to_have_text("BTC-USDT")

    choose(page, "Colours", "red up")
    expect(page.locator('.market-pulse[data-colours="red up"]')).to_be_attached()
    before = len(events(page))
    page.get_by_role("combobox", name="Least severity").select_option("alert")
    until(lambda: 0 < len(events(page)) < before)
    page.locator(".stress").get_by_role("button", name="forex").click()
    forex = re.compile("EURUSD|USDJPY|GBPUSD|AUDUSD|USDINR")
    expect(page.locator(".events b").filter(has_text=forex)).to_have_count(0)
    page.get_by_role("button", name="Heat map").click()
    expect(page.locator(".heat tr")).to_have_count(6)
    page.locator(".events .open").first.click()
    expect(page.locator(".messages p")).to_have_text(re.compile("^Looking back at "))
    until_refreshed(page, 3)
    # The event's symbol is open: another of those that stand still now.
    of_event = params(page)["symbol"][0]
    symbol = next(name for name in symbols(page) if name != of_event)
    page.locator(f'tr[data-symbol="{symbol}"] button').click()
    expect(page.locator(".opened h2")).to_have_text(symbol)
    until(lambda: params(page)["symbol"] == [symbol])
    until_refreshed(page, 3)

    kept = params(page)
    at = kept.pop("at")[0]
    assert datetime.fromisoformat(at).tzinfo == UTC
    assert kept == {
        "rank": ["volatility"],
        "lists": ["by class"],
        "rows": ["4"],
        "base": ["BTC-USD"],
        "bars": ["60 s"],
        "correlate": ["crypto"],
        "colours": ["red up"],
        "severity": ["alert"],
        "events": ["stocks", "crypto"],
        "heat": ["true"],
        "symbol": [symbol],
    }
    other = tabs(address(page), tabs.visitor())
    until(lambda: shows_prices(other))
    until(lambda: view_of(other) == view_of(page))
    until(lambda: pulse_text(other) == pulse_text(page))

    # And back to what is first: it leaves the address.
    page.locator(".live").click()
    page.get_by_role("dialog", name=symbol).get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Heat map").click()
    page.get_by_role("combobox", name="Least severity").select_option("watch")
    page.locator(".stress").get_by_role("button", name="forex").click()
    choose(page, "Rank by", "heat")
    choose(page, "Colours", "green up")
    until(lambda: set(params(page)) == {"lists", "rows", "base", "bars", "correlate"})
    assert_sound(page)


def test_choices_that_leave_the_browser_together_are_all_taken(market: Server, tabs: Tabs) -> None:
    """One on the board and one in a widget, of which Streamlit tells Python with the former."""
    page = tabs(market.url)
    until_ready(page)
    open_settings(page).get_by_role("button", name="crypto").wait_for()
    page.evaluate(
        """() => {
            const hub = globalThis.marketPulse;
            const classes = document.querySelectorAll('[data-testid="stButtonGroup"] button');
            const crypto = [...classes].find((button) => button.textContent === "crypto");
            let send = hub.choose;
            const both = (choices) => {
                send(choices);
                crypto.click();
            };
            Object.defineProperty(hub, "choose", { get: () => both, set: (next) => (send = next) });
        }"""
    )
    page.evaluate("() => marketPulse.choose({ number: Date.now(), changed: { heat: true } })")
    until(lambda: params(page) == {"heat": ["true"], "correlate": ["stocks", "crypto"]})
    expect(page.locator(".correlation > .note")).to_have_text(re.compile("among stocks, crypto$"))
    assert_sound(page)


def test_a_tab_whose_refresh_was_lost_begins_again(market: Server, tabs: Tabs) -> None:
    """Streamlit loses the end of a run, and the word to refresh, if it is asked again just then."""
    page, wire = wired(market, tabs)
    wire.loses = "auto_rerun"
    choose(page, "Colours", "red up")
    expect(page.locator('.market-pulse[data-colours="red up"]')).to_be_attached()
    before = refreshes(page)
    wire.loses = ""
    # More than there would be if it had to begin again each time.
    until(lambda: refreshes(page) > before + 30)
    assert not page.locator(".lost").is_visible()
    assert_sound(page)


def test_a_link_with_switches_shows_them(market: Server, tabs: Tabs) -> None:
    """Freeze, sound and notifications are in the address too."""
    live = tabs(market.url)
    until(lambda: shows_prices(live))
    page = tabs(f"{market.url}?freeze=true&sound=true&notify=true")
    until(lambda: shows_prices(page))
    open_settings(page)
    for name in ("Sound", "Notify"):
        switch = page.get_by_role("switch", name=re.compile(f"^{name}"))
        expect(switch).to_have_attribute("aria-checked", "true")
    until(lambda: any(text.startswith("Paused at ") for text in messages(page)))
    expect(page.get_by_test_id("stCheckbox").locator("input")).to_be_checked()


def test_a_link_with_impossible_values_works(market: Server, tabs: Tabs) -> None:
    """Each is named in a note as it was written, nothing in it is markup, the rest is obeyed."""
    bad = {
        "rank": "<img src=x onerror=alert(1)>",
        "lists": "three",
        "rows": "0",
        "base": "NOSUCH",
        "bars": "7 s",
        "correlate": "bonds",
        "colours": "mauve",
        "freeze": "maybe",
        "kiosk": "perhaps",
        "tz": "Mars/Olympus",
        "symbol": "<b>TSLA</b>",
        "at": "yesterday",
        "severity": "mild",
        "events": "bonds",
        "heat": "warm",
        "sound": "loud",
        "notify": "🔔",
    }
    page = tabs(f"{market.url}?{'&'.join(f'{k}={v}' for k, v in bad.items())}")
    until_ready(page)
    for name, value in bad.items():
        note = f"The link's {name}={value} is not possible:"
        until(lambda note=note: any(text.startswith(note) for text in messages(page)))  # type: ignore[misc]
    assert page.locator(".messages").locator("img, b, script").count() == 0
    assert len(symbols(page)) == 17
    assert_sound(page)
    before = prices(page)
    until(lambda: prices(page) != before)
    # What is chosen from then on is in the address, and the rest of it is no obstacle.
    choose(page, "Rank by", "15m")
    until(lambda: params(page).get("rank") == ["15m"])
    expect(page.locator("thead th[aria-sort]")).to_have_text("15 min")


def test_no_bytes_of_a_link_break_the_page(market: Server, tabs: Tabs) -> None:
    """Repeated, empty, endless and unknown parameters are survived."""
    page = tabs(
        f"{market.url}?rank=&rank=surprise&rank=5m&rows=99999999999999999999&at=9999-12-31"
        f"&symbol={'A' * 3000}&events=stocks&events=stocks&unknown=1&%00=%ff&tz=../../etc/passwd"
    )
    until_ready(page)
    assert_sound(page)
    expect(page.locator("thead th[aria-sort]")).to_have_text("5 min")
    assert len(page.locator('.stress [aria-pressed="true"]').all()) == 1
    assert max(len(text) for text in messages(page)) < 400


def test_looking_back_shows_that_moment(market: Server, tabs: Tabs) -> None:
    """A past moment is the same for all who look at it and stands still; Live goes on."""
    page = tabs(market.url)
    until_ready(page)
    slider = page.get_by_role("slider", name="Look back")
    newest = int(slider.input_value())
    at = newest - 1500
    slider.fill(str(at))
    asked = datetime.fromtimestamp(at, UTC)
    until(lambda: params(page).get("at") == [asked.strftime("%Y-%m-%dT%H:%M:%SZ")])
    expect(page.locator(".time")).to_have_attribute(
        "title", f"{asked.day} {asked:%b %Y, %H:%M:%S} UTC"
    )
    until(lambda: messages(page)[0].startswith("Looking back at "))
    until_refreshed(page, 3)
    shown, listed = pulse_text(page), events(page)
    assert len(listed) > 0
    until_refreshed(page, 5)
    assert (pulse_text(page), events(page)) == (shown, listed)
    other = tabs(address(page), tabs.visitor())
    until(lambda: shows_prices(other))
    assert (pulse_text(other), events(other)) == (shown, listed)

    live = page.locator(".live")
    live.click()
    until(lambda: "at" not in params(page) and messages(page) == [])
    assert live.is_disabled()
    before = pulse_text(page)
    assert before != shown
    until(lambda: pulse_text(page) != before)

    # By the clock, in the viewer's own zone.
    typed = page.get_by_label("Look back at this time")
    wanted = newest - 60
    local = datetime.fromtimestamp(wanted + 9 * 3600, UTC)
    typed.fill(f"{local:%H:%M:%S}")
    typed.press("Enter")
    until(lambda: page.locator(".time").text_content() == f"{local:%H:%M:%S} Asia/Tokyo")
    expect(live).to_be_enabled()


def test_a_moment_out_of_reach_is_live(market: Server, tabs: Tabs) -> None:
    """A link to a moment that is not kept says so and is live."""
    page = tabs(f"{market.url}?at=2020-01-01T00:00:00Z")
    until_ready(page)
    until(lambda: any("is not kept any more" in text for text in messages(page)))
    before = prices(page)
    until(lambda: prices(page) != before)
    assert page.locator(".live").is_disabled()


def test_frozen_values_stand_still(market: Server, tabs: Tabs) -> None:
    """Frozen, the board stands still and says so; thawed, it goes on."""
    page = tabs(market.url)
    until_ready(page)
    freeze = open_settings(page).get_by_text("Freeze", exact=True)
    freeze.click()
    until(lambda: any(text.startswith("Paused at ") for text in messages(page)))
    until_refreshed(page)
    shown = pulse_text(page)
    time_shown = page.locator(".time").text_content()
    missed = re.compile(r"Paused at [\d:]+, (\d+) new events?\. Collection goes on\.")

    def counted() -> int:
        found = missed.fullmatch(messages(page)[0])
        assert found, messages(page)
        return int(found[1])

    before = counted()
    listed = events(page)
    order(market, {"symbol": "AMZN", "asset": "stocks"})
    until(lambda: counted() > before)
    until_refreshed(page, 3)
    assert (pulse_text(page), events(page)) == (shown, listed)
    assert page.locator(".time").text_content() == time_shown
    assert params(page) == {"freeze": ["true"]}
    freeze.click()
    until(lambda: messages(page) == [])
    # A full list loses its oldest for the new one.
    until(lambda: pulse_text(page) != shown and events(page) != listed)


def test_a_plus_in_a_link_is_a_plus(market: Server, tabs: Tabs) -> None:
    """Before an offset from UTC and in a zone's name, though addresses mean a blank by it."""
    wanted = int(time.time()) - 600
    local = datetime.fromtimestamp(wanted, timezone(timedelta(hours=5, minutes=30)))
    page = tabs(f"{market.url}?at={local.isoformat()}&tz=Etc/GMT+5")
    until_ready(page)
    there = datetime.fromtimestamp(wanted, timezone(timedelta(hours=-5)))
    expect(page.locator(".time")).to_have_text(f"{there:%H:%M:%S} Etc/GMT+5")
    (message,) = messages(page)
    assert message.startswith(f"Looking back at {there:%H:%M:%S}")


def test_a_note_stands_once_and_can_be_closed(market: Server, tabs: Tabs) -> None:
    """Closed, it stays closed until there is another."""
    link = f"{market.url}?tz=Mars/Olympus&kiosk=perhaps"
    page = tabs(link)
    expect(page.locator(".messages p").nth(1)).to_be_visible()
    until_ready(page)
    until_refreshed(page)
    kiosk, zone = messages(page)
    assert zone.startswith("The link's tz=Mars/Olympus is not possible")
    assert kiosk.startswith("The link's kiosk=perhaps is not possible")
    dismiss = page.get_by_role("button", name="Dismiss")
    # Closing the first leads to the next, for the keyboard too.
    dismiss.first.press("Enter")
    assert messages(page) == [zone]
    expect(dismiss).to_be_focused()
    page.keyboard.press("Enter")
    assert messages(page) == []
    until_refreshed(page)
    assert messages(page) == []
    field = page.get_by_label("Look back at this time")
    for _ in range(2):
        # The hour before the one that is kept.
        field.fill((datetime.now(UTC) + timedelta(hours=9, minutes=-90)).strftime("%H:%M:%S"))
        field.press("Enter")
        expect(page.locator(".messages p")).to_have_text(re.compile("is not between"))
        dismiss.click()
        assert messages(page) == []


# Keeps the page's connections where a test can write to them.
SOCKETS = """
globalThis.sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.push(this);
  }
};
"""


def clear_caches(page: Page) -> None:
    """Ask Streamlit to clear its caches, as its menu does while somebody develops a page."""
    order = list(BackMsg(clear_cache=True).SerializeToString())
    page.evaluate("(order) => sockets.at(-1).send(new Uint8Array(order))", order)


def test_cleared_caches_cost_no_choice(market: Server, tabs: Tabs) -> None:
    """The tab goes on as it was, with what was chosen just before and just after."""
    visitor = tabs.visitor()
    visitor.add_init_script(SOCKETS)
    page = tabs(f"{market.url}?rows=5&symbol=TSLA", visitor)
    until_ready(page)
    open_details(page)
    up = page.locator(".details dl div", has_text="up for").locator("dd")
    up.wait_for()
    heat = page.get_by_role("button", name="Heat map")
    for kept in ({"heat": ["true"]}, {}):
        clear_caches(page)
        # By the keyboard: the sheet lies over it.
        heat.press("Enter")
        until(lambda kept=kept: params(page) == {"rows": ["5"], "symbol": ["TSLA"], **kept})  # type: ignore[misc]
        until_refreshed(page, 3)
        expect(page.locator(".opened h2")).to_have_text("TSLA")
        expect(page.locator(".heat")).to_be_visible(visible=bool(kept))
        assert len(symbols(page)) == 5
        expect(up).not_to_have_text(up.text_content() or "")
        assert_sound(page)


def focused_row(page: Page) -> str:
    """The symbol of the row that holds the focus; empty if none does."""
    name: str = page.evaluate(
        "document.activeElement.shadowRoot?.activeElement?.closest('tr')?.dataset.symbol ?? ''"
    )
    return name


def test_rows_are_walked_by_keyboard(market: Server, tabs: Tabs) -> None:
    """Tab reaches a row, arrows walk, Enter opens, Escape closes and leads back."""
    # Frozen, so that no row changes its place between two questions.
    page = tabs(f"{market.url}?freeze=true")
    until_ready(page)
    page.locator(".feed-dot").last.focus()
    # Past the headline, if there is something to open, the line of the hour, and the headings.
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused_row(page):
            break
    assert focused_row(page) == symbols(page)[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    second = focused_row(page)
    assert second == symbols(page)[1]
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name=second)
    expect(sheet.get_by_role("heading", name=second)).to_be_focused()
    until(lambda: params(page) == {"freeze": ["true"], "symbol": [second]})
    whole = sheet.locator(".line").first.get_attribute("d")
    sheet.locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    expect(sheet.locator(".reading")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d "))
    page.keyboard.press("+")
    expect(sheet.locator(".line").first).not_to_have_attribute("d", whole or "")
    # Escape leaves what it is pressed in: first the part, then the sheet.
    page.keyboard.press("Escape")
    expect(sheet.locator(".line").first).to_have_attribute("d", whole or "")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert focused_row(page) == second
    until(lambda: params(page) == {"freeze": ["true"]})


def test_back_brings_the_former_view(market: Server, tabs: Tabs) -> None:
    """Each step is an entry; a part of the chart, a comparison and a refresh are none."""
    page = tabs(f"{market.url}?sound=true")
    until_ready(page)
    entries = "history.length"
    before = page.evaluate(entries)
    sheet = page.get_by_role("dialog")
    first, other, third = symbols(page)[:3]
    page.locator(f'tr[data-symbol="{first}"] button').click()
    expect(sheet.locator("h2")).to_have_text(first)
    sheet.get_by_label("Compare with").select_option(other)
    expect(sheet.locator(".end b")).to_have_text([first, other])
    sheet.get_by_role("button", name="%", exact=True).click()
    sheet.get_by_role("button", name="15 min", exact=True).click()
    until(lambda: params(page).get("span") == ["15m"])

    # A drag over the plot shows a part of it.
    box = sheet.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 60, steps=3)
    page.mouse.up()
    sheet.get_by_role("button", name="Whole span").click()
    expect(sheet.get_by_role("button", name="Whole span")).to_be_hidden()

    page.locator(f'tr[data-symbol="{third}"] button').click()
    expect(sheet.locator("h2")).to_have_text(third)
    until_refreshed(page)
    assert page.evaluate(entries) == before + 2
    page.go_back()
    expect(sheet.locator("h2")).to_have_text(first)
    until(
        lambda: (
            params(page)
            == {
                "sound": ["true"],
                "symbol": [first],
                "compare": [other],
                "unit": ["percent"],
                "span": ["15m"],
            }
        )
    )
    page.go_back()
    expect(sheet).to_be_hidden()
    until_refreshed(page)
    assert params(page) == {"sound": ["true"]}
    page.go_forward()
    expect(sheet.locator("h2")).to_have_text(first)

    # The link is to this second, and takes neither sound nor notifications along.
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sheet.get_by_role("button", name="Copy link").click()
    expect(sheet.get_by_role("status")).to_have_text("Copied")
    copied = parse_qs(page.evaluate("navigator.clipboard.readText()").partition("?")[2])
    assert set(copied) == {"symbol", "compare", "unit", "span", "at"}

    # Anybody may have written an address.
    page.evaluate("history.pushState(null, '', '?symbol=NOSUCH'); history.pushState(null, '', '?')")
    page.go_back()
    until(lambda: any("symbol=NOSUCH is not possible" in text for text in messages(page)))
    assert_sound(page)


def test_focus_stays_on_the_list(market: Server, tabs: Tabs) -> None:
    """When the row that has the focus leaves the list, another row has it."""
    page = tabs(market.url)
    until_ready(page)
    page.evaluate("history.pushState(null, '', '?rows=5'); history.pushState(null, '', '?')")
    page.locator("tr[data-symbol] button").nth(12).focus()
    assert focused_row(page)
    # The view that Back brings is without this row.
    page.go_back()
    until(lambda: len(symbols(page)) == 5)
    until_refreshed(page)
    assert focused_row(page) in symbols(page)
