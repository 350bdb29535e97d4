"""What the browser tests know of the page: how to open it, and where to find what on it.

The board lies in an open shadow root, which Playwright's selectors look into.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page

from events import Event
from tests.browsing import ORDERS, Server, Stage, copy_app
from tests.told import event_of
from tests.waiting import HANG_SEC, until
from ticks import ASSETS

Serve = Callable[..., Server]

DESK: Final = {"width": 1440, "height": 900}
WALL: Final = {"width": 1920, "height": 1080}
PHONE: Final = {"width": 390, "height": 844}

# Counts the payloads that reach the page, and records what moved on it without being touched.
WATCH: Final = """
// A viewer who unfolded what is within its usual range, once; blank pages keep nothing.
if (location.protocol.startsWith("http")) {
  localStorage["market-pulse-unfolded"] ??= "true";
}
globalThis.refreshes = 0;
globalThis.shifts = [];
globalThis.marketPulse = {
  get payload() { return this.held; },
  set payload(value) {
    this.held = value;
    globalThis.refreshes += 1;
    globalThis.begun ??= performance.now();
  },
};
const corners = ({ x, y, width, height }) => [x, y, x + width, y + height].map(Math.round);
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, startTime, sources } of list.getEntries()) {
    if (hadRecentInput) continue;
    const moved = sources.map((one) => [corners(one.previousRect), corners(one.currentRect)]);
    globalThis.shifts.push({ value, startTime, moved });
  }
}).observe({ type: "layout-shift", buffered: true });
"""

TOGETHER: Final = "Unexpected state: Multiple different fragmentIds"
"""How Streamlit's own code begins to say that a choice on the board and one in a widget leave the
browser together, as those of a quick hand may. The page takes both."""


class Tabs:
    """Opens tabs, and collects the errors and warnings of their consoles."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._default: BrowserContext | None = None
        self.complaints: list[str] = []

    def __call__(self, url: str, context: BrowserContext | None = None) -> Page:
        """A tab on ``url``, of the visitor of ``context`` or, without one, always the same."""
        if context is None:
            context = self._default = self._default or self.visitor()
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # Tests wait for what is on the page, so several tabs may load at once.
        page.goto(url, wait_until="commit")
        return page

    def visitor(self, **options: Any) -> BrowserContext:
        """A visitor who has never been here."""
        context = self._browser.new_context(
            **{
                "viewport": DESK,
                "timezone_id": "Asia/Tokyo",
                "color_scheme": "dark",
                "reduced_motion": "reduce",
                **options,
            }
        )
        context.add_init_script(WATCH)
        context.set_default_timeout(1000 * HANG_SEC)
        self._contexts.append(context)
        return context

    def close(self) -> None:
        """Close everything."""
        for context in self._contexts:
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(TOGETHER):
            self.complaints.append(message.text)


def start(
    folder: Path,
    environ: Mapping[str, str],
    *options: str,
    stage: Stage | None = None,
    settings: str | None = None,
    with_api: bool = False,
) -> Server:
    """A server on a copy of the application in ``folder``.

    ``settings`` is the text of its settings file.
    """
    copy_app(folder)
    if settings is not None:
        (folder / "market_pulse.toml").write_text(settings, "utf-8")
    return Server(folder, environ, *options, stage=stage, with_api=with_api)


def symbols(page: Page) -> list[str]:
    """The symbols of the pulse, from the top."""
    names: list[str] = page.locator("tr[data-symbol]").evaluate_all(
        "rows => rows.map((row) => row.dataset.symbol)"
    )
    return names


def pulse_text(page: Page) -> list[str]:
    """The pulse's rows as text, lines of the last minutes included."""
    texts: list[str] = page.locator("tr[data-symbol]").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join('|')"
        " + row.querySelector('.trace').getAttribute('d'))"
    )
    return texts


def prices(page: Page) -> list[str]:
    """The last prices."""
    return page.locator('td[data-column="last"]').all_text_contents()


def shows_prices(page: Page) -> bool:
    """Whether the pulse has a price."""
    return any(re.fullmatch(r"[\d,]+\.\d+", text) for text in prices(page))


def live_feeds(page: Page) -> int:
    """How many feeds are live."""
    return page.locator('.feeds li[data-state="live"]').count()


def all_live(page: Page) -> bool:
    """Whether the three feeds are live."""
    return live_feeds(page) == 3


def refreshes(page: Page) -> int:
    """How many payloads the page has received since it loaded."""
    count: int = page.evaluate("refreshes")
    return count


def until_refreshed(page: Page, times: int = 2) -> None:
    """Wait until the page has been refreshed ``times`` more: by then a choice has been answered."""
    wanted = refreshes(page) + times
    until(lambda: refreshes(page) >= wanted)


def messages(page: Page) -> list[str]:
    """The messages above the cards."""
    return page.locator(".messages p").all_text_contents()


def events(page: Page) -> list[str]:
    """What is listed as happening now or earlier, each in its sentence."""
    texts: list[str] = page.locator(".events .open").evaluate_all(
        "rows => rows.map((row) => row.title.split('.\\n')[0])"
    )
    return texts


def has_searched_past(page: Page) -> bool:
    """Whether the search of the simulated past for events is over."""
    return page.locator(".searching").is_hidden()


def open_settings(page: Page) -> Locator:
    """Open what is set once, unless it is open; where it is shown."""
    body = page.get_by_test_id("stPopoverBody")
    # Streamlit has one with its help, and one for those who cannot hover.
    button = page.locator(".st-key-settings button:visible")
    rank = page.get_by_role("combobox", name="Rank by")
    # What opens slides open, and in a tab that lies behind another one that stands still.
    page.bring_to_front()

    def is_open() -> bool:
        # Python's word that they were closed, if it comes late, closes what was opened since.
        if body.is_hidden():
            button.click()
        return rank.is_visible()

    until(is_open)
    return body


def close_settings(page: Page) -> None:
    """Close what is set once."""
    body = page.get_by_test_id("stPopoverBody")

    def is_closed() -> bool:
        if body.is_visible():
            # The first may be for a list in it that is still closing.
            page.keyboard.press("Escape")
        return body.is_hidden()

    until(is_closed)


def open_details(page: Page) -> Locator:
    """Open all that the status knows; where it is shown."""
    page.locator(".feed-dot").first.click()
    return page.locator(".details")


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of one of Streamlit's lists, in the settings if it is not seen."""
    box = page.get_by_role("combobox", name=label)
    is_setting = not box.is_visible()
    if is_setting:
        open_settings(page)
    box.scroll_into_view_if_needed()
    chosen = page.get_by_role("option", name=option, exact=True)

    def is_listed() -> bool:
        # What was chosen before is told with the next frame, which closes an open list.
        page.evaluate("new Promise(requestAnimationFrame)")
        if chosen.is_hidden():
            box.click()
        return chosen.is_visible()

    until(is_listed)
    chosen.click()
    if is_setting:
        close_settings(page)


def query(page: Page) -> str:
    """The page's address after its question mark."""
    # Asked for: Playwright's own copy of the address lags behind while it has nothing to do.
    text: str = page.evaluate("location.search.slice(1)")
    return text


def assert_sound(page: Page) -> None:
    """No traceback and no alert of Streamlit's."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0


# Prices move, but no move is an event.
NO_EVENTS: Final = "[stress]\nmin_surprise = 1000\n" + "".join(
    f"[stress.{asset}]\nmove_1m = 0.99\nmove_5m = 0.99\nvol_spike = 0.99\n" for asset in ASSETS
)


def order(server: Server, *changes: Mapping[str, Any]) -> None:
    """Add events on a server whose stage takes orders.

    Each is a move of BTC-USD that began just now, except for its ``changes``; ``ago`` is how many
    seconds ago it began; one whose ``id`` is that of another is its next state.
    """
    path = server.log.parent / ORDERS
    # It is there with the first tab.
    until(path.is_socket)
    with Client(str(path)) as connection:
        connection.send([_ordered(change, number) for number, change in enumerate(changes)])
        connection.recv()


def _ordered(change: Mapping[str, Any], number: int) -> Event:
    # No two begin at the same instant.
    ts = time.time() - change.get("ago", 0) - number / 1000
    symbol = change.get("symbol", "BTC-USD")
    event = {
        "id": f"burst:{symbol}:{round(ts * 1000)}",
        "symbol": "BTC-USD",
        "asset": "crypto",
        "value": 0.0061,
        "threshold": 0.0025,
        "severity": "alert",
        "from_price": 84_000.0,
        "to_price": 84_512.4,
        **{name: value for name, value in change.items() if name != "ago"},
    }
    return event_of(ts, **event)
