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
    Shot("list", "?lists=list", 1440, 900),
    Shot("tiles", "?lists=tiles", 1920, 1080),
    Shot("phone", "?lists=list", 390, 844),
)


def wait(page: Page) -> None:
    """Wait until everything is there, and the past hour was searched."""
    expect(page.locator(".events li").nth(5)).to_be_attached(timeout=PAST_MS)
    expect(page.get_by_text("Still looking through the past hour")).to_be_hidden(timeout=PAST_MS)
    expect(page.locator('.feeds li[data-state="live"]')).to_have_count(3)


def play(page: Page) -> None:
    """Have a symbol jump alone, and wait until that is told and its toast is gone."""
    page.locator(".st-key-settings button:visible").click()
    page.get_by_role("button", name="Play a stress").click()
    expect(page.locator(".toast[data-severity]").first).to_be_visible(timeout=PAST_MS)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_be_hidden()
    expect(page.locator(".toast")).to_have_count(0, timeout=PAST_MS)


def take(page: Page, url: str, shot: Shot) -> None:
    """Wait until everything is there, and take the picture."""
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(url + shot.query)
    wait(page)
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
            context = browser.new_context(reduced_motion="reduce", color_scheme="dark")
            page = context.new_page()
            page.goto(server.url)
            wait(page)
            play(page)
            for shot in SHOTS:
                take(page, server.url, shot)
            browser.close()


if __name__ == "__main__":
    main()
