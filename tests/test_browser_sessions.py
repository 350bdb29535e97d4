"""The page on a Sunday: what is closed looks closed, and the past that is archived can be seen."""

from __future__ import annotations

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from bars import CELL, Bars
from events import Event
from history.writer import connect, write_bars, write_events
from tests.axe import violations
from tests.browser_page import (
    PHONE,
    Serve,
    Tabs,
    all_live,
    assert_sound,
    events,
    live_feeds,
    messages,
    open_details,
    query,
    shows_prices,
    start,
    symbols,
    until_refreshed,
)
from tests.browsing import ROOT, Server, Stage
from tests.faulty_vendor import FaultyVendor, Session, tick
from tests.test_browser_look import scrolls_sideways
from tests.told import event_of
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

PAST_SEC = 900
"""Of the market: as long as its ranks look back."""

NEW_YORK: Final = ZoneInfo("America/New_York")
SUNDAY: Final = datetime(2026, 11, 15, 12, tzinfo=NEW_YORK)
FRIDAY: Final = datetime(2026, 11, 13, tzinfo=NEW_YORK)

WATCHLIST: Final = """
[watchlist]
stocks = ["AAPL", "MSFT"]
forex = ["EURUSD"]
crypto = ["BTC-USD", "ETH-USD"]
"""


def friday(hour: int, minute: int = 0, second: int = 0) -> int:
    """A second of the last day of trading, by the clocks of New York."""
    return int(FRIDAY.replace(hour=hour, minute=minute, second=second).timestamp())


def recorded(path: Path) -> None:
    """An archive of that Friday: its first and last prices, its extremes, and an hour in full."""
    names = ("AAPL", "EURUSD", "BTC-USD")
    found = [
        (friday(4), 0, 151.00),
        (friday(9, 31), 0, 150.10),
        (friday(12), 0, 154.02),
        (friday(16, 59, 58), 1, 1.08675),
        (friday(19, 59, 30), 0, 152.83),
    ]
    for second in range(friday(10), friday(11)):
        wave = 1 + 0.001 * np.sin(second / 100)
        found += [(second, 0, 152.0 * wave), (second, 2, 84_000.0 * wave)]
    cells = np.zeros(len(found), CELL)
    for place, (second, row, price) in enumerate(sorted(found)):
        cells[place] = (second, row, 500, 1, price, price)
    path.parent.mkdir(parents=True)
    connection = connect(path)
    connection.execute("BEGIN")
    write_bars(connection, Bars(names, ("stocks", "forex", "crypto"), cells))
    write_events(connection, [event(friday(10, 20))])
    connection.execute("COMMIT")
    connection.close()


def event(second: int) -> Event:
    """A move of AAPL that began at a second."""
    ts = second + 0.5
    return event_of(ts, value=0.0031, from_price=152.0, to_price=152.47)


def later(shift: float) -> Callable[[Session], Any]:
    """What a healthy vendor does whose time is another."""

    async def behave(session: Session) -> None:
        await session.subscribed()
        for turn in count():
            for symbol in session.symbols:
                sent = tick("crypto", symbol, wiggle=turn, ts=time.time() + shift)
                await session.send(sent)
            await asyncio.sleep(0.1)

    return behave


async def says_nothing(session: Session) -> None:
    """What a vendor does while a market is closed."""
    await session.subscribed()
    await session.ws.wait_closed()


async def hangs_up(session: Session) -> None:
    """What one may also do meanwhile."""
    await session.subscribed()
    await session.ws.close(1012)


@pytest.fixture(scope="module")
def sunday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a Sunday at noon in New York, with an archive of the Friday before."""
    folder = tmp_path_factory.mktemp("sunday")
    recorded(folder / "data" / "eodhd.sqlite")
    shift = SUNDAY.timestamp() - time.time()
    stage = Stage(refresh_sec=0.5, clock_ahead_sec=shift)
    with FaultyVendor(stocks=says_nothing, forex=hangs_up, crypto=later(shift)) as vendor:
        environ = {
            "EODHD_API_KEY": "SECRETKEY0123456789",
            "MARKET_PULSE_EODHD_URL": vendor.url,
            "MARKET_PULSE_DATA": str(folder / "data"),
        }
        with start(folder / "app", environ, stage=stage, settings=WATCHLIST) as server:
            yield server
            log = server.log.read_text("utf-8")
    assert "Traceback" not in log, log


def opened(tabs: Tabs, server: Server, query: str = "", **visitor: Any) -> Page:
    """A tab in New York on which crypto ticks."""
    page = tabs(server.url + query, tabs.visitor(**{"timezone_id": "America/New_York", **visitor}))
    until(lambda: shows_prices(page) and live_feeds(page) == 1)
    return page


def session(page: Page, asset: str) -> str:
    """What the chrome says of a market's hours."""
    chip = page.locator(".feeds li", has=page.locator(".feed-dot", has_text=asset))
    return " ".join(chip.locator(".session span").all_text_contents())


def row(page: Page, symbol: str) -> str:
    """A row as it is read."""
    return " ".join(page.locator(f'tr[data-symbol="{symbol}"]').inner_text().split())


def test_the_hours_of_a_simulated_market_are_none(market: Server, tabs: Tabs) -> None:
    """It says that it never closes, and why."""
    page = tabs(market.url)
    until(lambda: shows_prices(page) and all_live(page))
    for asset in ("stocks", "forex", "crypto"):
        assert session(page, asset).strip() == "OPEN simulated, never closes"


def test_a_closed_market_says_when_it_opens(sunday: Server, tabs: Tabs) -> None:
    """In words: the weekday if it is another day, the viewer's city, and the time until then."""
    page = opened(tabs, sunday)
    assert re.fullmatch(
        r"CLOSED opens Mon 09:30 New York in (21 h \d\d min)", session(page, "stocks")
    )
    assert re.fullmatch(r"CLOSED opens 17:00 New York in 4 h \d\d min", session(page, "forex"))
    assert session(page, "crypto").strip() == "OPEN always"
    chip = page.locator(".feeds li").first
    expect(chip.locator(".whole")).to_have_text(re.compile("pre-market from Mon 04:00 New York"))
    # Nothing of it is in a part of the page that is read out by itself.
    assert page.locator("[role=status] .wait, [aria-live] .wait, [role=alert] .wait").count() == 0


@pytest.mark.parametrize(
    ("zone", "query", "stocks", "forex"),
    [
        ("Asia/Tokyo", "", "opens 23:30 Tokyo", "opens 07:00 Tokyo"),
        ("Asia/Tokyo", "?tz=Europe/Berlin", "opens Mon 15:30 Berlin", "opens 23:00 Berlin"),
    ],
)
def test_hours_are_in_the_viewers_zone(
    sunday: Server, tabs: Tabs, zone: str, query: str, stocks: str, forex: str
) -> None:
    """Whatever the exchange's own is; the address may ask for another."""
    page = opened(tabs, sunday, query, timezone_id=zone)
    assert stocks in session(page, "stocks")
    assert forex in session(page, "forex")


def test_what_is_closed_looks_closed_and_not_broken(sunday: Server, tabs: Tabs) -> None:
    """Crypto leads; below it last prices with their time and the last session, and no alarm."""
    page = opened(tabs, sunday)
    until(lambda: set(symbols(page)[:2]) == {"BTC-USD", "ETH-USD"})
    assert row(page, "AAPL").startswith("AAPL closed · Fri 19:59 152.83")
    expect(page.locator('tr[data-symbol="AAPL"] .last-session')).to_have_text(
        "last session +1.21 %, 150.10 – 154.02"
    )
    assert "closed · Fri 16:59" in row(page, "EURUSD")
    # Of MSFT nothing was ever recorded.
    assert page.locator('tr[data-symbol="MSFT"] .state').text_content() == "closed"
    expect(page.locator(".pulse .note")).to_have_text(
        "by heat · 2 of 2 open symbols have a price, 3 are closed"
    )
    text = page.locator(".market-pulse").inner_text()
    for alarm in ("No tick yet", "silent", "Not enough shared data"):
        assert alarm not in text
    # What is open is being learned, and that is said of nothing else.
    assert "too early" not in page.locator(".pulse").inner_text()
    expect(page.locator(".correlation .empty")).to_have_text(
        "Stocks are closed until Mon 09:30 New York."
        " Meanwhile choose BTC-USD as the base, and correlate it with crypto."
    )
    assert_sound(page)


def test_a_feed_that_fails_while_its_market_is_closed_is_no_warning(
    sunday: Server, tabs: Tabs
) -> None:
    """It is in the chrome's tooltip, and in no line of its own."""
    page = opened(tabs, sunday)
    chip = page.locator(".feeds li").nth(1)
    expect(chip.locator(".whole")).to_have_text(re.compile("1012"))
    # As long as it takes for a lasting trouble to be told.
    began = page.evaluate("marketPulse.receivedAt")
    until(lambda: page.evaluate("marketPulse.receivedAt") > began + 12_000)
    assert [text for text in messages(page) if not text.startswith("Warming up")] == []


def test_the_opened_symbol_tells_its_last_session(sunday: Server, tabs: Tabs) -> None:
    """With its begin and end, in words."""
    page = opened(tabs, sunday, "?symbol=AAPL")
    expect(page.locator(".opened .words li")).to_have_text(
        [
            "Last price 152.83, of Fri 19:59.",
            "Last session, Fri 04:00 to Fri 20:00: +1.21 % from its first price of 151.00,"
            " lowest 150.10, highest 154.02.",
            "Its prices are those of EODHD.",
        ]
    )
    expect(page.locator(".opened .none")).to_have_text("No price in this hour")
    expect(page.locator(".opened .empty")).to_have_text(
        re.compile("^Stocks are closed until Mon 09:30 New York")
    )


def typed(page: Page, local: str) -> None:
    """Type a moment into the field of the rewind."""
    field = page.get_by_label("Look back at this time")
    field.fill(local)
    field.press("Enter")


def test_the_past_is_reached_by_date(sunday: Server, tabs: Tabs) -> None:
    """A typed moment shows its hour's line, its prices and events, and the market as it was."""
    page = opened(tabs, sunday, "?symbol=AAPL")
    expect(page.locator(".hour .label")).to_have_text("Last hour")
    typed(page, "2026-11-13T10:30:05")
    expect(page.locator(".hour .label")).to_have_text("Fri 13 Nov, 10:00–11:00")
    until(
        lambda: messages(page)[:1] == ["Looking back at Fri 13 Nov, 10:30:05. Collection goes on."]
    )
    assert "at=2026-11-13T15:30:05Z" in query(page)
    slider = page.get_by_role("slider", name="Look back")
    assert int(slider.input_value()) == friday(10, 30, 5)
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == (
        str(friday(10)),
        str(friday(11) - 1),
    )
    assert page.locator(".marks .shape").count() == 1
    assert [text[:15] for text in events(page)] == ["AAPL rose 0.31 "]
    assert session(page, "stocks").startswith("then OPEN closes 16:00 New York")
    assert page.locator('tr[data-symbol="AAPL"]').get_attribute("data-state") == "live"
    # Hours without a price are holes in the day's line, which nothing crosses.
    line = page.locator(".opened .line:not(.later)")
    assert (line.get_attribute("d") or "").count("M") == 1
    page.get_by_role("button", name="Day", exact=True).click()
    until(lambda: (line.get_attribute("d") or "").count("M") == 3)
    # The same for whoever is sent the link.
    other = opened(tabs, sunday, f"?{query(page)}")
    expect(other.locator(".hour .label")).to_have_text("Fri 13 Nov, 10:00–11:00")
    until(lambda: row(other, "AAPL") == row(page, "AAPL"))


def test_hours_are_stepped_through(sunday: Server, tabs: Tabs) -> None:
    """Earlier and later go by an hour, with shift by a day, and no further than there is."""
    page = opened(tabs, sunday, "?at=2026-11-13T15:30:05Z")
    label = page.locator(".hour .label")
    expect(label).to_have_text("Fri 13 Nov, 10:00–11:00")
    page.get_by_role("button", name="An hour earlier").click()
    expect(label).to_have_text("Fri 13 Nov, 09:00–10:00")
    page.get_by_role("button", name="An hour later").click()
    page.get_by_role("button", name="An hour later").click()
    expect(label).to_have_text("Fri 13 Nov, 11:00–12:00")
    page.get_by_role("button", name="An hour earlier").click(modifiers=["Shift"])
    expect(label).to_have_text("Fri 13 Nov, 04:00–05:00")
    expect(page.get_by_role("button", name="An hour earlier")).to_be_disabled()
    page.get_by_role("button", name="An hour later").click(modifiers=["Shift"])
    expect(label).to_have_text("Sat 14 Nov, 04:00–05:00")
    page.locator(".live").click()
    expect(label).to_have_text("Last hour")
    expect(page.get_by_role("button", name="An hour later")).to_be_disabled()


def test_a_moment_without_data_says_so(sunday: Server, tabs: Tabs) -> None:
    """The dashboard was off: that is said, and the page is not blank."""
    page = opened(tabs, sunday)
    typed(page, "2026-11-14T12:00:00")
    until(lambda: any("Nothing was recorded at this moment" in text for text in messages(page)))
    assert len(symbols(page)) == 5
    assert page.locator('tr[data-symbol="BTC-USD"]').get_attribute("data-state") == "stale"
    typed(page, "2026-11-13T10:30:05")
    expect(page.locator(".hour .label")).to_have_text("Fri 13 Nov, 10:00–11:00")
    until_refreshed(page)
    assert not any("Nothing was recorded" in text for text in messages(page))
    typed(page, "2026-11-12T10:30:05")
    until(lambda: any("is not between Fri 13 Nov, 04:00:00 and now" in t for t in messages(page)))


def test_the_archive_is_told_in_the_details(sunday: Server, tabs: Tabs) -> None:
    """What is written, how far it goes back, and nothing above the cards if all is well."""
    page = opened(tabs, sunday)
    open_details(page)
    table = page.locator(".details > div", has=page.get_by_role("heading", name="archive"))
    expect(table).to_contain_text("writing")
    expect(table).to_contain_text("eodhd.sqlite")
    expect(table).to_contain_text("Fri 13 Nov, 04:00:00")
    assert not any("archive" in text for text in messages(page))


SIMULATED: Final = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}


def test_an_archive_in_trouble_says_what_to_do(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """What is wrong and what waits; the prices go on. How many wait is not read out."""
    (tmp_path / "data" / "simulated-7.sqlite").mkdir(parents=True)
    server = serve({**SIMULATED, "MARKET_PULSE_DATA": str(tmp_path / "data")})
    page = tabs(server.url)
    line = page.locator(".messages [data-kind]", has_text="The archive is not written")
    expect(line).to_have_attribute("data-kind", "warning")
    expect(line).to_contain_text("check that its folder exists")
    counts = line.locator('[aria-hidden="true"]')
    expect(counts).to_have_text(re.compile(r"^ [\d,]+ bars wait\.$"))
    assert all_live(page)
    open_details(page)
    table = page.locator(".details > div", has=page.get_by_role("heading", name="archive"))
    expect(table).to_contain_text("trouble")
    assert violations(page) == []


def test_a_vendors_clock_that_differs_is_told(serve: Serve, tabs: Tabs) -> None:
    """In a line with what to do, and to the tenth in the tooltip of its feed."""
    with FaultyVendor(crypto=later(-4.0)) as vendor:
        environ = {"EODHD_API_KEY": "SECRETKEY0123456789", "MARKET_PULSE_EODHD_URL": vendor.url}
        page = tabs(serve(environ).url)
        told = "the vendor's clock is about 4 s behind this computer's. To help: let a time server"
        line = page.locator(".messages [data-kind]", has_text=f"Crypto: {told}")
        expect(line).to_have_attribute("data-kind", "warning")
        chip = page.locator(".feeds li").nth(2)
        expect(chip.locator(".whole")).to_have_text(re.compile(r"clock is 4\.\d s behind"))
        assert not page.locator(".messages p", has_text="Stocks: the vendor's clock").count()


def test_a_second_dashboard_only_reads(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """And says so; the first one does not."""
    environ = {**SIMULATED, "MARKET_PULSE_DATA": str(tmp_path / "data")}
    first = tabs(serve(environ).url)
    until(lambda: shows_prices(first) and all_live(first))
    second = tabs(serve(environ).url)
    until(lambda: any(text.startswith("Another Market Pulse records") for text in messages(second)))
    expect(second.locator(".messages p").first).to_contain_text("simulated-7.sqlite")
    assert messages(first) == []


def test_a_damaged_archive_is_named(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """It is kept aside under the name that is told, and another one is begun."""
    path = tmp_path / "data" / "simulated-7.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\x00" + bytes(4096))
    server = serve({**SIMULATED, "MARKET_PULSE_DATA": str(path.parent)})
    page = tabs(server.url)
    line = page.locator(".messages p", has_text="The archive was damaged and is kept aside as")
    expect(line).to_be_visible()
    name = re.search(r"aside as (\S+);", line.text_content() or "")
    assert name is not None
    assert (path.parent / name[1]).exists()


@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, PHONE], ids=["desk", "phone"])
def test_a_sunday_fits_and_is_for_everybody(sunday: Server, tabs: Tabs, size: Any) -> None:
    """The chrome is one line, nothing scrolls sideways, and axe has no complaint."""
    page = opened(tabs, sunday, "?symbol=AAPL", viewport=size)
    assert not scrolls_sideways(page)
    box = page.locator(".chrome").bounding_box()
    assert box is not None
    assert box["height"] == 48
    if size == PHONE:
        # The sheet is the whole screen, and easy to close.
        assert page.get_by_role("dialog").bounding_box() == {"x": 0, "y": 0, **PHONE}
        close = page.get_by_role("dialog").get_by_role("button", name="Close").bounding_box()
        assert close is not None
        assert min(close["width"], close["height"]) >= 44
    assert violations(page) == []


# The clock of the page, without a page.


@pytest.fixture
def clock(browser: Browser) -> Iterator[Callable[[str, str], Any]]:
    """Asks the page's clock in a zone."""
    page = browser.new_page()
    source = (ROOT / "page" / "clock.js").read_text("utf-8")
    # It imports nothing, so it is a module also without a folder.
    address = f"data:text/javascript;base64,{b64encode(source.encode()).decode()}"

    def ask(zone: str, expression: str) -> Any:
        return page.evaluate(
            f"async () => {{ const {{ Clock, waitText }} = await import('{address}');"
            f" const clock = new Clock({{ tz: '{zone}' }}, true); return {expression}; }}"
        )

    yield ask
    page.close()


def epoch(*moment: int) -> int:
    """Seconds of a moment in UTC."""
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("America/New_York", "2026-11-01T00:30:00", [epoch(2026, 11, 1, 4, 30)]),
        (
            "America/New_York",
            "2026-11-01T01:30:00",
            [epoch(2026, 11, 1, 5, 30), epoch(2026, 11, 1, 6, 30)],
        ),
        ("America/New_York", "2026-03-08T02:30:00", []),
        ("Europe/Berlin", "2026-03-29T03:00:00", [epoch(2026, 3, 29, 1)]),
        ("Asia/Kolkata", "2026-11-24T09:00:05", [epoch(2026, 11, 24, 3, 30, 5)]),
        ("Australia/Lord_Howe", "2026-10-04T02:15:00", []),
        ("Pacific/Apia", "2011-12-30T12:00:00", []),
    ],
)
def test_a_local_time_is_no_one_or_two_instants(
    clock: Callable[[str, str], Any], zone: str, text: str, expected: list[int]
) -> None:
    """Two when clocks go back, none when they go forward."""
    assert clock(zone, f"clock.instants('{text}')") == expected


@pytest.mark.parametrize(
    ("text", "oldest", "newest", "expected"),
    [
        # Of two the newest that can be reached.
        ("2026-11-01T01:30", (1, 4, 0), (1, 7, 0), (1, 6, 30)),
        ("2026-11-01T01:30", (1, 4, 0), (1, 6, 0), (1, 5, 30)),
        ("01:30:00", (1, 4, 0), (1, 7, 0), (1, 6, 30)),
        ("01:30", (1, 4, 0), (2, 5, 0), (1, 6, 30)),
        ("23:59", (1, 3, 0), (1, 7, 0), (1, 3, 59)),
        ("12:00", (1, 4, 0), (1, 7, 0), None),
        ("2026-11-02T12:00:00", (1, 4, 0), (1, 7, 0), None),
        ("2026-02-31T12:00:00", (1, 4, 0), (1, 7, 0), None),
    ],
)
def test_a_typed_time_is_the_newest_within_reach(
    clock: Callable[[str, str], Any],
    text: str,
    oldest: tuple[int, int, int],
    newest: tuple[int, int, int],
    expected: tuple[int, int, int] | None,
) -> None:
    """With or without its date, on the night on which New York sets its clocks back too."""
    first, last = epoch(2026, 11, *oldest), epoch(2026, 11, *newest)
    found = clock("America/New_York", f"clock.at('{text}', {first}, {last})")
    assert found == (None if expected is None else epoch(2026, 11, *expected))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ((2026, 11, 15, 22, 0), "17:00"),
        ((2026, 11, 16, 14, 30), "Mon 09:30"),
        ((2026, 11, 14, 0, 59), "Fri 19:59"),
        ((2026, 11, 8, 18, 0), "8 Nov 13:00"),
        ((2026, 11, 23, 14, 30), "23 Nov 09:30"),
        ((2025, 12, 31, 14, 30), "31 Dec 2025 09:30"),
    ],
)
def test_a_day_is_named_if_it_is_another(
    clock: Callable[[str, str], Any], moment: tuple[int, ...], text: str
) -> None:
    """Today's has no name, one within a week its weekday, any other its date."""
    now = int(SUNDAY.timestamp())
    assert clock("America/New_York", f"clock.brief({epoch(*moment)}, {now})") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(43, "under a minute"), (185, "3 min"), (3725, "1 h 02 min"), (136_800, "1 d 14 h")],
)
def test_a_countdown_changes_once_a_minute(
    clock: Callable[[str, str], Any], seconds: int, text: str
) -> None:
    """In its two largest units, without seconds."""
    assert clock("UTC", f"waitText({seconds})") == text
