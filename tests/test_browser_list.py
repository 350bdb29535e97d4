"""The pulse in a browser: what is folded, what holds still, how it is sorted, and its tiles."""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.axe import violations
from tests.browser_page import (
    PHONE,
    Tabs,
    all_live,
    query,
    shows_prices,
    symbols,
    until_refreshed,
)
from tests.browsing import Server
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

PAST_SEC = 900
"""Of the market: as long as its ranks look back."""

UNUSUAL: Final = ["META", "TSLA", "SOL-USDT", "USDJPY", "AAPL", "EURUSD", "NVDA"]
"""Of a staged list: the rows beyond their usual range, in their order."""

USUAL: Final = [
    *("AMZN", "GOOGL", "MSFT", "AUDUSD", "GBPUSD", "USDINR"),
    *("BTC-USD", "BTC-USDT", "ETH-USD", "ETH-USDT"),
]
"""The others by class and name."""

# From here on the page draws only what a test has it draw. Of a list's rows those that are named
# come first and are not usual; tiles stay where they are.
STAGE: Final = """(unusual) => {
  marketPulse.take = () => {};
  globalThis.stage = (unusual, change = () => {}) => {
    const payload = structuredClone(marketPulse.payload);
    const { columns, lists } = payload.pulse;
    const heat = columns.findIndex(({ kind }) => kind === "heat");
    lists.flatMap(({ rows }) => rows).forEach((row, place) => {
      row.is_usual = !unusual.includes(row.symbol);
      row.state = row.state_text = "live";
      delete row.place;
      delete row.is_in_front;
      row.cells[heat] = ["+8.1σ", (place % 7) - 3, "2 min ago", "2 min ago: a rise"];
    });
    const [list] = lists;
    if (lists.length === 1) {
      const usual = list.rows.filter((row) => row.is_usual);
      const others = unusual.map((name) => list.rows.find(({ symbol }) => symbol === name));
      list.rows = [...others, ...usual.toSorted((a, b) => (a.symbol < b.symbol ? -1 : 1))];
      Object.assign(list, { usual: usual.length, hidden: 0, hidden_movers: 0 });
    }
    change(payload);
    marketPulse.payload = payload;
    marketPulse.draw();
  };
  stage(unusual);
}"""


def staged(market: Server, tabs: Tabs, search: str = "?rows=17", **options: Any) -> Page:
    """A page that draws only what ``stage`` has it draw."""
    page = tabs(market.url + search, tabs.visitor(**options))
    page.locator("[data-symbol]").first.wait_for()
    until(lambda: all_live(page))
    page.evaluate(STAGE, UNUSUAL)
    return page


def test_the_usual_is_folded_into_one_line(market: Server, tabs: Tabs) -> None:
    """With its number; the line unfolds it, and the browser remembers that."""
    page = staged(market, tabs)
    line = page.locator(".folded button").first
    assert len(symbols(page)) == 17
    line.click()
    page.mouse.move(0, 0)
    assert symbols(page) == UNUSUAL
    expect(line).to_have_text("10 within their usual range")
    expect(line).to_have_attribute("aria-expanded", "false")
    # It is told below the line, small, in an order that does not follow the market.
    entries = page.locator(".usual b")
    assert entries.all_text_contents() == USUAL
    assert page.locator(".usual").is_visible()
    # What is opened stays in sight, and so does what has the focus.
    line.press("Enter")
    page.mouse.move(0, 0)
    page.locator('tr[data-symbol="USDINR"] button').click()
    page.mouse.move(0, 0)
    line.press("Enter")
    until(lambda: symbols(page) == [*UNUSUAL, "USDINR"])
    expect(line).to_have_text("9 more within their usual range")
    page.locator(".usual button", has_text="AMZN").press("Enter")
    until(lambda: "symbol=AMZN" in query(page))
    page.reload()
    until(lambda: shows_prices(page))
    assert page.locator(".folded button").first.get_attribute("aria-expanded") == "false"


def test_rows_that_are_left_out_are_told(market: Server, tabs: Tabs) -> None:
    """How many, and a click shows them at once, though the hand that clicked is on the list."""
    page = tabs(f"{market.url}?rows=4&rank=1m")
    until(lambda: shows_prices(page))
    everything = page.locator(".folded .all")
    expect(everything).to_have_text("13 more: show all")
    # No hand rests: so it would hold the list for good.
    page.evaluate("const now = Date.now(); Date.now = () => now")
    everything.click()
    until(lambda: len(symbols(page)) == 17)
    expect(everything).to_be_hidden()


def test_nothing_moves_under_the_hand(market: Server, tabs: Tabs) -> None:
    """Rows keep their places while the pointer or the focus is on them, and say who would not."""
    page = staged(market, tabs)
    page.locator(".folded button").first.click()
    page.mouse.move(0, 0)
    turned = [UNUSUAL[2], *UNUSUAL[:2], *UNUSUAL[3:], "AMZN"]
    page.locator(f'tr[data-symbol="{UNUSUAL[4]}"]').hover()
    page.evaluate("(names) => stage(names)", turned)
    assert symbols(page) == UNUSUAL
    row = page.locator(f'tr[data-symbol="{UNUSUAL[2]}"]')
    expect(row.locator(".held")).to_have_text("▲")
    assert page.locator(".held:visible").count() == 1
    expect(page.locator(".folded button").first).to_have_text("9 within their usual range · ▲ AMZN")
    page.mouse.move(0, 0)
    assert symbols(page) == turned
    assert page.locator(".held:visible").count() == 0

    page.keyboard.press("Tab")
    row.locator("button").focus()
    page.keyboard.press("ArrowDown")
    page.evaluate("(names) => stage(names)", UNUSUAL)
    assert symbols(page) == turned
    page.locator(".forms button").first.focus()
    assert symbols(page) == UNUSUAL


# In the order of ``shown``, as calm rules have it, of rows that settle as ``strict``.
CALM: Final = """([shown, strict]) => stage(shown, ({ pulse }) => {
  pulse.lists[0].rows.forEach((row, place) => {
    const settles = strict.indexOf(row.symbol);
    if (settles >= 0 && settles !== place) row.place = settles;
  });
})"""


def test_a_list_is_in_its_order_once_the_hand_has_gone(market: Server, tabs: Tabs) -> None:
    """Strictly; the calm begins with that and turns nothing back, and marks say what waits."""
    page = staged(market, tabs)
    page.locator(".folded button").first.click()
    page.mouse.move(0, 0)
    held = page.locator(".held:visible")
    first, second, third, *others = UNUSUAL

    def calm(shown: list[str], strict: list[str]) -> None:
        page.evaluate(CALM, [shown, strict])

    # Nobody has touched it: calm rules let the third wait.
    waits = [third, first, second, *others]
    calm(UNUSUAL, waits)
    assert symbols(page) == UNUSUAL
    expect(page.locator("tr:has(.held:visible)")).to_have_attribute("data-symbol", third)
    page.locator(f'tr[data-symbol="{others[0]}"]').hover()
    calm(UNUSUAL, waits)
    assert symbols(page) == UNUSUAL
    expect(held).to_have_text("▲")
    page.mouse.move(0, 0)
    assert symbols(page) == waits
    assert held.count() == 0
    # The calm order still has it as it was, which moves nothing back...
    calm(UNUSUAL, waits)
    assert (symbols(page), held.count()) == (waits, 0)
    # ... until the strict one has it so again; a lead that both have is shown.
    calm([first, second, third, *others], [first, second, third, *others])
    assert symbols(page) == UNUSUAL
    turned = [others[0], first, second, third, *others[1:]]
    calm(turned, turned)
    assert (symbols(page), held.count()) == (turned, 0)
    # Another rank, and what was folded, is shown in its order at once.
    page.evaluate(
        """([shown, strict]) => stage(shown, ({ view, pulse }) => {
          view.rank = "surprise";
          const { rows } = pulse.lists[0];
          [rows[0].place, rows[1].place] = [1, 0];
        })""",
        [turned, turned],
    )
    assert symbols(page) == [turned[1], turned[0], *turned[2:]]
    # Who is in front for its event says why it is above larger ones.
    page.evaluate(
        "(names) => stage(names, ({ pulse }) => (pulse.lists[0].rows[2].is_in_front = true))",
        turned,
    )
    expect(held).to_have_text("▼")
    expect(held).to_have_attribute("title", re.compile("its event keeps it in front"))


# The list of one past moment after the other, each with other rows in another order; what moved.
PLAY: Final = """async (moments) => {
  // What moves within half a second of a click is not told.
  await new Promise((rested) => setTimeout(rested, 600));
  shifts.length = 0;
  for (const [ago, names] of moments) {
    stage(names, (payload) => {
      payload.at = ago ? payload.line[1] - ago : null;
    });
    await new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)));
  }
  await new Promise((told) => setTimeout(told, 100));
  return Math.max(0, ...shifts.map(({ value }) => value));
}"""


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}], ids=["desk", "phone"])
def test_nothing_moves_while_the_past_is_played(
    market: Server, tabs: Tabs, options: dict[str, Any]
) -> None:
    """Symbols change in rows that stay, and these are never fewer than before."""
    page = staged(market, tabs, reduced_motion="no-preference", **options)
    page.locator(".folded button").first.click()
    page.mouse.move(0, 0)
    # The longest list of these moments comes first: a list may grow, and then what is below moves.
    past = "(names) => stage(names, (payload) => (payload.at = payload.line[1] - 99))"
    page.evaluate(past, [*UNUSUAL, "AMZN", "GOOGL"])
    turned = [UNUSUAL[-turn:] + UNUSUAL[:-turn] for turn in range(len(UNUSUAL))]
    moments = [
        (90 - place, [*names[: 2 + place % 5], *(["AMZN", "GOOGL"][: place % 3])])
        for place, names in enumerate(turned * 2)
    ]
    # A row that moves is 0.02 and more, a name's or a figure's width a tenth of that.
    assert page.evaluate(PLAY, moments) < 0.005
    assert symbols(page)[: len(moments[-1][1])] == moments[-1][1]
    row = page.locator(f'tr[data-symbol="{symbols(page)[1]}"]')
    name = row.get_attribute("data-symbol")
    row.locator(".symbol").click()
    until(lambda: f"symbol={name}" in query(page))


# The events of the card: so many that run, and so many earlier ones; what moved as they came.
NEWS: Final = """async (counts) => {
  const event = (place, now) => ({
    ...{ id: `n${place}`, symbol: "META", asset: "stocks", severity: "alert", kind: "move_1m" },
    ...{ title: `META ${place}`, text: "a rise", brief: "a rise", more: "", rule: null },
    ...{ ts: now - 600 + place, peak: now - 590 + place, over_ts: now - 580 + place },
    ...{ count: 1, early: false, history: false },
  });
  for (const [running, earlier] of counts) {
    await new Promise((rested) => setTimeout(rested, 600));
    shifts.length = 0;
    stage([], ({ events, now }) => {
      const made = (count, from) => Array.from({ length: count }, (_, n) => event(from + n, now));
      events.running = made(running, 100).map((one) => ({ ...one, over_ts: null }));
      Object.assign(events, { earlier: made(earlier, 0), earlier_count: earlier, all: 100 });
    });
  }
  await new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)));
  await new Promise((told) => setTimeout(told, 100));
  return shifts.reduce((sum, { value }) => sum + value, 0);
}"""


def test_earlier_events_glide_below_one_that_runs(market: Server, tabs: Tabs) -> None:
    """They do not jump, when it comes or when it goes."""
    page = staged(market, tabs, reduced_motion="no-preference")
    page.mouse.move(0, 0)
    for counts in ([[0, 5], [1, 5]], [[1, 5], [0, 5]]):
        assert page.evaluate(NEWS, counts) < 0.001
    assert page.locator(".events ol > li").count() == 5


def test_marks_say_what_changed(market: Server, tabs: Tabs) -> None:
    """Since the viewer's last look what is new, and what rose; in the past nothing is."""
    page = staged(market, tabs)
    page.mouse.move(1, 1)
    # Another rank is another list, at which nobody has looked yet.
    page.evaluate("(names) => stage(names, ({ view }) => (view.rank = 'surprise'))", UNUSUAL)
    page.evaluate("(names) => stage(names)", ["AMZN", UNUSUAL[2], *UNUSUAL[:2], *UNUSUAL[3:]])
    news = page.locator("tr:has(.news:not(:empty))")
    told = {
        row.get_attribute("data-symbol"): row.locator(".news").text_content() for row in news.all()
    }
    assert told == {"AMZN": "NEW", UNUSUAL[2]: "▲1"}
    expect(news.first.locator(".news")).to_have_attribute(
        "title", re.compile(r"^Beyond its usual range since your last look at \d\d:\d\d")
    )
    page.evaluate(
        "(names) => stage(names, (payload) => (payload.at = payload.line[1] - 9))", UNUSUAL
    )
    assert news.count() == 0


def test_a_click_on_a_heading_sorts(market: Server, tabs: Tabs) -> None:
    """By it, the next one the other way round; each explains itself with a row's own numbers."""
    page = tabs(market.url)
    until(lambda: shows_prices(page))
    heading = page.locator('th[data-column="1m"]')
    for rank, sort in (("1m", "descending"), ("1m up", "descending"), ("1m down", "ascending")):
        heading.get_by_role("button").click()
        until(lambda rank=rank: query(page).replace("+", " ") == f"rank={rank}")  # type: ignore[misc]
        until_refreshed(page)
        expect(heading).to_have_attribute("aria-sort", sort)
        assert page.locator("th[aria-sort]").count() == 1
    page.mouse.move(0, 0)
    expect(page.locator(".explanation")).to_be_hidden()
    heading.get_by_role("button").press("Shift+Tab")
    page.keyboard.press("Tab")
    first = symbols(page)[0]
    expect(page.locator(".explanation .own")).to_have_text(re.compile(rf"^{first}: −\d\.\d+ %"))
    page.keyboard.press("Escape")
    expect(page.locator(".explanation")).to_be_hidden()


# A hundred rows of one price.
MANY: Final = """(price) => stage([], ({ pulse }) => {
  const [list] = pulse.lists;
  const last = pulse.columns.findIndex(({ name }) => name === "last");
  const like = list.rows[0];
  list.rows = Array.from({ length: 100 }, (_, place) => ({
    ...like,
    symbol: `S${place}`,
    cells: like.cells.with(0, `S${place}`).with(last, price),
  }));
  list.usual = 100;
})"""


def test_of_many_rows_those_in_sight_follow(market: Server, tabs: Tabs) -> None:
    """The others once they come into sight, or are printed."""
    page = staged(market, tabs)
    numbers = itertools.count(1)
    shown = page.locator('td[data-column="last"]')

    def priced() -> tuple[str, str, str]:
        price = f"{next(numbers)}.00"
        page.evaluate(MANY, price)
        return price, shown.first.text_content() or "", shown.last.text_content() or ""

    def lags() -> bool:
        price, first, last = priced()
        assert first == price
        return last != price

    until(lags)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = shown.all_text_contents()
    assert printed == printed[:1] * 100
    assert lags()
    shown.last.scroll_into_view_if_needed()
    expect(shown.last).to_have_text(f"{next(numbers) - 1}.00")


# The least contrast of text with what lies below it. Mixed colours are told as parts of one.
CONTRAST: Final = """(elements) => {
  const parts = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? numbers : numbers.map((part) => part / 255);
  };
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (text) => {
    const [red, green, blue] = parts(text).map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrasts = elements.map((element) => {
    const { color, backgroundColor } = getComputedStyle(element);
    const [dark, bright] = [light(color), light(backgroundColor)].toSorted((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  });
  return Math.min(...contrasts);
}"""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_tiles_are_legible(market: Server, tabs: Tabs, theme: str) -> None:
    """At every saturation, in every choice of colours; each is a button that opens its symbol."""
    page = staged(
        market,
        tabs,
        f"?lists=tiles&heat=true&embed_options={theme}_theme",
        reduced_motion="reduce",
    )
    tiles = page.locator(".tile")
    assert tiles.count() == 17
    assert page.locator(".tiles h3").all_text_contents() == ["stocks", "forex", "crypto"]
    # By heat, as a list is, they are not.
    expect(page.locator(".pulse > .note")).to_have_text(
        re.compile("^17 of 17 symbols have a price")
    )
    # In the heat map every strength there is, either way.
    page.evaluate(
        """stage([], ({ correlation: { heat } }) => {
          heat.r = heat.r.map((row, i) => row.map((_, j) => (-1) ** i * (1 - (i + j) / 20)));
        })"""
    )
    numbers = page.locator(".heat td[data-tone]").filter(has_text=re.compile(r"\d"))
    assert numbers.count() == 42
    assert page.locator(".legend").text_content() == "−1 oppositetogether +1"
    board = page.locator(".market-pulse")
    for colours in ("green up", "blue up", "red up"):
        board.evaluate("(board, colours) => (board.dataset.colours = colours)", colours)
        assert len({*tiles.evaluate_all(BACKGROUNDS)}) == 7
        for figures in (tiles, numbers):
            assert figures.evaluate_all(CONTRAST) >= 4.5
    assert violations(page) == []
    first = tiles.first
    first.focus()
    page.keyboard.press("Enter")
    until(lambda: f"symbol={first.get_attribute('data-symbol')}" in query(page))


BACKGROUNDS: Final = "(tiles) => tiles.map((tile) => getComputedStyle(tile).backgroundColor)"


def test_no_tile_is_cut_off(market: Server, tabs: Tabs) -> None:
    """On a telephone either, on which each is as high as a fingertip."""
    page = staged(market, tabs, "?lists=tiles", viewport=PHONE)
    cut = page.locator(".tile").evaluate_all(
        """(tiles) => tiles.filter((tile) => tile.offsetHeight < 44 || [...tile.children].some(
          (part) => part.scrollWidth > part.clientWidth + 1)).map((tile) => tile.textContent)"""
    )
    assert cut == []


def test_the_palette_finds_symbols_groups_and_commands(market: Server, tabs: Tabs) -> None:
    """By keys: a symbol is added and put into a new group, which is then shown alone."""
    page = tabs(market.url + "?rows=17", tabs.visitor())
    page.locator("[data-symbol]").first.wait_for()
    until(lambda: all_live(page))
    palette, field = page.locator(".palette"), page.get_by_role("combobox", name="A symbol")
    said = palette.get_by_role("status")

    def enter(text: str, *keys: str) -> None:
        palette.locator("input").fill(text)
        for key in keys or ("Enter",):
            page.keyboard.press(key)

    page.keyboard.press("/")
    expect(field).to_be_focused()
    expect(palette.get_by_role("option", name="AAPL ✓ watched a stock")).to_be_visible()
    assert violations(page) == []
    enter("AAPL.US", "ArrowDown")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("AAPL.US → AAPL")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    # Enter waits for what is found, however fast the hand is.
    page.keyboard.press("Control+k")
    enter("NFLX")
    expect(said).to_have_text(re.compile("^NFLX is watched now"))
    until(lambda: "NFLX" in symbols(page))
    enter("new group")
    expect(page.get_by_role("combobox", name="A name for the new group")).to_be_focused()
    enter("Test")
    expect(said).to_have_text(re.compile("^Group Test: made"))
    enter("NFLX")
    expect(palette.get_by_role("option", name="NFLX ✓ in it")).to_be_visible()
    enter("show")
    expect(palette).to_be_hidden()
    until(lambda: symbols(page) == ["NFLX"] and "group=Test" in query(page))
    # The sheet changes all that, too, and says so if the symbol is gone.
    page.locator('tr[data-symbol="NFLX"] button').click()
    sheet = page.get_by_role("dialog", name="NFLX")
    sheet.get_by_role("button", name="Take it out of the group Test").click()
    sheet.get_by_label("Put into a group").select_option("Test")
    expect(sheet.get_by_role("button", name="Take it out of the group Test")).to_be_visible()
    expect(sheet.locator(".plot")).to_be_visible()
    sheet.get_by_role("button", name="Remove from watchlist").click()
    expect(sheet.locator(".watching p")).to_have_text(re.compile("^Not watched any more"))
    expect(sheet.locator(".plot")).to_be_hidden()
    sheet.get_by_role("button", name="Watch it again").click()
    expect(sheet.locator(".plot")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Test alone: show all").click()
    until(lambda: len(symbols(page)) > 1)
