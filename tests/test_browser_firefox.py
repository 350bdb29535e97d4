"""Another browser: Debian's Firefox shows the page, refreshes it, looks back and opens a symbol."""

from __future__ import annotations

from pathlib import Path

from tests.browsing import Server
from tests.conftest import missing
from tests.firefox import ESCAPE, LEFT, firefox, firefox_path

pytest_plugins = ("tests.browser_fixtures",)

PAST_SEC = 900
"""Of the market: as long as its ranks look back."""

OPENED = 'board.querySelector(".opened:not([hidden]) h2")?.textContent'
TIME = 'board.querySelector(".hands").textContent'


def test_firefox_shows_what_chromium_shows(market: Server, tmp_path: Path) -> None:
    """Load, refresh, sheet, rewind and the way back, without an error in the console."""
    path = firefox_path()
    if path is None:
        missing("firefox-esr")
    with firefox(path, tmp_path / "firefox") as fox:
        fox.open(market.url, 1440, 900)
        fox.until('board?.querySelectorAll("tr[data-symbol]").length > 5')
        before = fox.value(TIME)
        fox.until(f'{TIME} !== "{before}"')

        symbol = fox.value('board.querySelector("tr[data-symbol]").dataset.symbol')
        row = f'tr[data-symbol="{symbol}"] button.symbol'
        fox.click(row)
        fox.until(f'{OPENED} === "{symbol}"')
        fox.until(f'location.search.includes("symbol={symbol}")')

        fox.value('board.querySelector("input[type=range]").focus()')
        fox.press(LEFT)
        fox.until("/[?&]at=/.test(location.search)")
        fox.value("history.back()")
        fox.until("!/[?&]at=/.test(location.search)")

        fox.value(f"board.querySelector('{row}').focus()")
        fox.press(ESCAPE)
        fox.until('!location.search.includes("symbol=")')
        assert fox.complaints == []
