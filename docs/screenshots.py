"""Makes the documentation's pictures from the seeded exchange: ``python -m docs.screenshots``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Page, expect, sync_playwright

from tests.browsing import FLAGS, Server, chromium_path, copy_app

HERE: Final = Path(__file__).parent
SEED: Final = "7"
PAST_MS: Final = 60_000
"""The past hour is searched for events within this time."""


class Shot(NamedTuple):
    """One picture: its file's name, the address' query, the size of the window."""

    name: str
    query: str
    width: int
    height: int


SHOTS: Final = (
    Shot("dark", "", 1440, 900),
    Shot("light", "?embed_options=light_theme&symbol=META&heat=true", 1440, 900),
    Shot("wide", "?symbol=META&heat=true&correlate=stocks&correlate=crypto", 1920, 1080),
    Shot("kiosk", "?kiosk=1", 1920, 1080),
    Shot("phone", "", 390, 844),
)


def take(page: Page, url: str, shot: Shot) -> None:
    """Wait until everything is there, and rows that changed places have come to rest."""
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(url + shot.query)
    expect(page.locator(".events li").nth(5)).to_be_visible(timeout=PAST_MS)
    expect(page.get_by_text("Still looking through the past hour")).to_be_hidden(timeout=PAST_MS)
    expect(page.locator('.feeds li[data-state="live"]')).to_have_count(3)
    page.screenshot(path=HERE / f"{shot.name}.png", animations="disabled")


def main() -> None:
    """Every picture, from one server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
    ):
        copy_app(Path(folder))
        environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": SEED}
        with Server(Path(folder), environ) as server:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            page = browser.new_page(reduced_motion="reduce", color_scheme="dark")
            for shot in SHOTS:
                take(page, server.url, shot)
            browser.close()


if __name__ == "__main__":
    main()
