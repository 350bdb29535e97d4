"""The export in a real browser: what is chosen on the page arrives as a file."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from openpyxl import load_workbook  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from history.archive import Archive
from tests.browser_page import Serve, Tabs, assert_sound, choose, refreshes, until_refreshed
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

SETTLED_SEC = 30
"""Bars older than this are no longer added to."""


def bars(page: Page) -> int:
    """How many bars the page says there are to export."""
    text = page.get_by_test_id("stPopoverBody").get_by_text(re.compile(r"^[\d,]+ bars?$"))
    text.wait_for()
    return int(re.sub(r"\D", "", text.inner_text()))


def test_what_is_chosen_arrives_as_a_file(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """Every bar of the archive in its span, while the page goes on and so does the archive."""
    folder = tmp_path / "history"
    server = serve(
        {
            "MARKET_PULSE_SOURCE": "simulated",
            "MARKET_PULSE_SEED": "7",
            "MARKET_PULSE_DATA": str(folder),
        }
    )
    archive = Archive(folder / "simulated-7.sqlite")
    page = tabs(server.url)
    until_refreshed(page)
    until(archive.path.exists)
    until(archive.span)
    page.get_by_test_id("stPopover").get_by_role("button").click()
    assert bars(page) > 0
    before = refreshes(page)
    until(lambda: refreshes(page) > before)
    choose(page, "Format", "json")
    choose(page, "Span", "everything")
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as arriving:
        page.get_by_role("button", name=re.compile(r"^Download [\d,]+ kB$")).click()
    download = arriving.value
    found = json.loads(download.path().read_text("utf-8"))
    span = re.fullmatch(r"bars_(.+)_(.+)\.json", download.suggested_filename)
    assert span
    begin, end = (int(datetime.fromisoformat(text).timestamp()) for text in span.groups())
    block = archive.bars(begin, end - SETTLED_SEC)
    kept = [
        (second, block.symbols[row], price) for second, row, _, _, price, _ in block.cells.tolist()
    ]
    assert kept
    times = [datetime.fromisoformat(row["time"]).timestamp() for row in found]
    arrived = [(time, row["symbol"], row["last"]) for time, row in zip(times, found, strict=True)]
    assert arrived[: len(kept)] == kept
    choose(page, "Format", "xlsx")
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as arriving:
        page.get_by_role("button", name=re.compile(r"^Download [\d,]+ kB$")).click()
    (sheet,) = load_workbook(io.BytesIO(arriving.value.path().read_bytes())).worksheets
    assert sheet["A1"].value == "time (Asia/Tokyo)"
    assert sheet["A2"].value.replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() == times[0]
    assert_sound(page)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_be_hidden()
