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
from tests.browser_page import (
    Serve,
    Tabs,
    assert_sound,
    choose,
    open_settings,
    refreshes,
    until_refreshed,
)
from tests.browsing import Server
from tests.waiting import until
from tests.wire import Wire

pytest_plugins = ("tests.browser_fixtures",)

DOWNLOAD = re.compile(r"^Download [\d,]+ kB$")
SETTLED_SEC = 30
"""Bars older than this are no longer added to."""


def bars(page: Page) -> int:
    """How many bars the page says there are to export."""
    text = page.get_by_test_id("stPopoverBody").get_by_text(re.compile(r"^[\d,]+ bars?$"))
    text.wait_for()
    return int(re.sub(r"\D", "", text.inner_text()))


def recording(serve: Serve, folder: Path) -> Server:
    """A server that keeps its archive in a folder."""
    return serve(
        {
            "MARKET_PULSE_SOURCE": "simulated",
            "MARKET_PULSE_SEED": "7",
            "MARKET_PULSE_DATA": str(folder),
        }
    )


def open_export(page: Page, archive: Archive) -> None:
    """Open the export of a page once there is something to export."""
    until_refreshed(page)
    until(archive.path.exists)
    until(archive.span)
    open_settings(page).get_by_text("Export the archive").click()


def test_what_is_chosen_arrives_as_a_file(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """Every bar of the archive in its span, while the page goes on and so does the archive."""
    server = recording(serve, tmp_path)
    archive = Archive(tmp_path / "simulated-7.sqlite")
    page = tabs(server.url)
    open_export(page, archive)
    assert bars(page) > 0
    before = refreshes(page)
    until(lambda: refreshes(page) > before)
    choose(page, "Format", "json")
    choose(page, "Span", "everything")
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as arriving:
        page.get_by_role("button", name=DOWNLOAD).click()
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
    expect(page.get_by_role("button", name=DOWNLOAD)).to_be_hidden()
    page.get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as arriving:
        page.get_by_role("button", name=DOWNLOAD).click()
    (sheet,) = load_workbook(io.BytesIO(arriving.value.path().read_bytes())).worksheets
    assert sheet["A1"].value == "time (Asia/Tokyo)"
    assert sheet["A2"].value.replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp() == times[0]
    assert_sound(page)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_be_hidden()


def test_a_third_export_waits_for_one_of_two(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """It is told so, and starts by itself when another viewer is done.

    Streamlit may lose the word to look whether that is so.
    """
    server = recording(serve, tmp_path)
    archive = Archive(tmp_path / "simulated-7.sqlite")
    visitor, wire = tabs.visitor(), Wire()
    wire.route(visitor)
    first, second, third = pages = [tabs(server.url), tabs(server.url), tabs(server.url, visitor)]
    for page in pages:
        open_export(page, archive)
        if page is third:
            assert bars(page) > 0
            until_refreshed(page)
            wire.loses = "auto_rerun"
        page.get_by_role("button", name="Prepare the file").click()
        if page is not third:
            expect(page.get_by_role("button", name=DOWNLOAD)).to_be_visible()
    waiting = third.get_by_text("2 exports come first: this one starts by itself.")
    expect(waiting).to_be_visible()
    wire.loses = ""
    first.keyboard.press("Escape")
    expect(third.get_by_role("button", name=DOWNLOAD)).to_be_visible()
    expect(waiting).to_be_hidden()
    expect(second.get_by_role("button", name=DOWNLOAD)).to_be_visible()
    assert_sound(third)
