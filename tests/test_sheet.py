"""The workbook for spreadsheets: what they take its cells for, and what they show."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]

from bars import CELL, Bars
from history.archive import Archive
from history.export import main, save, write
from history.sheet import SHEET_ROWS, SheetError, write_sheet
from history.writer import connect, write_bars, write_events
from tests.conftest import missing
from tests.told import event_of

BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_BACK = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
"""The second at which Berlin's clocks are put back from three to two."""

TEMPTING = ("600519", "000001", "TRUE", "1E5", "INF", "NA", "2026-11-18", "1/2", "'Q", "50%")
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", '=HYPERLINK("http://example.com","AAPL")', "\t=2")
SYMBOLS = (*TEMPTING, *FORMULAS, "AA\u202ePL")
PRICE = 1234.5
STEP = 1 / 1024

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"

GERMAN = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N">
<prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>de-DE</value></prop>
</item>
</oor:items>
"""


def archive_of(path: Path, begin: int, seconds: int, *symbols: str) -> Archive:
    """A bar of each symbol in each second, each at another price, and an event of the first."""
    cells = np.zeros(seconds * len(symbols), CELL)
    cells["second"] = begin + np.arange(len(cells)) // len(symbols)
    cells["row"] = np.arange(len(cells)) % len(symbols)
    cells["n"] = 2
    cells["price"] = PRICE + np.arange(len(cells)) * STEP
    cells["sum"] = 2 * cells["price"] + STEP
    connection = connect(path)
    connection.execute("BEGIN")
    write_bars(connection, Bars(symbols, ("stocks",) * len(symbols), cells))
    connection.execute("COMMIT")
    event = event_of(begin + 0.125, symbol=symbols[0], value=-0.0025, early=True)
    write_events(connection, [event])
    connection.close()
    return Archive(path)


@pytest.fixture
def kept(tmp_path: Path) -> Archive:
    """Two seconds before clocks are put back and two after it, of symbols that are no words."""
    return archive_of(tmp_path / "kept.sqlite", CLOCKS_BACK - 2, 4, *SYMBOLS)


class Cell(NamedTuple):
    """What a spreadsheet takes a cell for, and what it shows."""

    kind: str
    value: str
    shown: str
    formula: str


def opened(path: Path, folder: Path) -> Iterator[list[Cell]]:
    """The rows of a workbook as LibreOffice opens it on a computer that is set to German."""
    office = shutil.which("soffice")
    if office is None:
        missing("soffice (Debian's libreoffice-calc-nogui)")
        return
    (folder / "profile" / "user").mkdir(parents=True)
    (folder / "profile" / "user" / "registrymodifications.xcu").write_text(GERMAN, "utf-8")
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    convert = ["--headless", "--convert-to", "fods", "--outdir", str(folder), str(path)]
    subprocess.run([office, profile, *convert], check=True, capture_output=True, timeout=120)
    document = ET.parse(folder / f"{path.stem}.fods")  # noqa: S314 - of our own making
    for row in document.iter(f"{TABLE}table-row"):
        cells = []
        for cell in row.iter(f"{TABLE}table-cell"):
            kind = cell.get(f"{OFFICE}value-type", "")
            shown = "\n".join("".join(line.itertext()) for line in cell.iter(f"{TEXT}p"))
            value = cell.get(f"{OFFICE}date-value") or cell.get(f"{OFFICE}value") or shown
            found = Cell(kind, value, shown, cell.get(f"{TABLE}formula", ""))
            cells += [found] * int(cell.get(f"{TABLE}number-columns-repeated", "1"))
        yield cells


def test_a_spreadsheet_takes_everything_for_what_it_is(kept: Archive, tmp_path: Path) -> None:
    """Times for times in the zone, prices for numbers with its decimals, symbols for texts."""
    path = tmp_path / "bars.xlsx"
    save(kept, "bars", "xlsx", path, CLOCKS_BACK - 2, CLOCKS_BACK + 2, zone=BERLIN)
    head, *found = opened(path, tmp_path / "bars")
    assert [cell.value for cell in head] == [
        "time (Europe/Berlin)", "symbol", "asset", "last", "mean", "ticks",
    ]  # fmt: skip
    found = [row for row in found if row[0].kind]
    assert len(found) == 4 * len(SYMBOLS)
    clock = ["02:59:58", "02:59:59", "02:00:00", "02:00:01"]
    for at, row in enumerate(found):
        second, symbol = divmod(at, len(SYMBOLS))
        assert [cell.kind for cell in row[:6]] == ["date", *["string"] * 2, *["float"] * 3]
        assert row[0].value == f"2026-10-25T{clock[second]}"
        assert row[0].shown == f"2026-10-25 {clock[second]}"
        assert row[1].value == SYMBOLS[symbol].replace("\u202e", "U+202E").replace("\t", "U+0009")
        last, mean = PRICE + at * STEP, PRICE + at * STEP + STEP / 2
        assert [float(cell.value) for cell in row[3:6]] == [last, mean, 2]
        assert not any(cell.formula for cell in row)
    assert found[0][3].shown == "1234,5"


def test_events_are_cells_of_their_kinds_too(kept: Archive, tmp_path: Path) -> None:
    """Instants to the millisecond, what is not known empty, and nothing computed."""
    path = tmp_path / "events.xlsx"
    main(["events", "--zone", "Asia/Tokyo", "--archive", str(kept.path), "--out", str(path)])
    head, row, *_ = opened(path, tmp_path / "events")
    names = [cell.value.removesuffix(" (Asia/Tokyo)") for cell in head]
    assert "ts (Asia/Tokyo)" in [cell.value for cell in head]
    of = dict(zip(names, row, strict=False))
    assert (of["ts"].kind, of["ts"].shown) == ("date", "2026-10-25 09:59:58,125")
    assert (of["peak"].kind, of["peak"].value, of["peak"].shown) == ("float", "-0.0025", "-0,0025")
    assert (of["symbol"].kind, of["symbol"].value) == ("string", TEMPTING[0])
    assert (of["early"].kind, of["early"].value) == ("string", "true")
    assert of["vs_peers"].kind == ""
    assert not any(cell.formula for cell in row)


def test_times_without_a_zone_are_in_utc(kept: Archive, tmp_path: Path) -> None:
    """And the head of their column says so."""
    path = tmp_path / "bars.xlsx"
    main(["bars", "--archive", str(kept.path), "--out", str(path)])
    (sheet,) = load_workbook(path).worksheets
    assert sheet["A1"].value == "time (UTC)"
    assert sheet["A2"].value == datetime(2026, 10, 25, 0, 59, 58)
    assert sheet["A2"].is_date


def test_what_a_spreadsheet_cannot_hold_is_empty_or_cut(tmp_path: Path) -> None:
    """A number beyond the largest would make it refuse the file; so would a text that long."""
    archive = archive_of(tmp_path / "kept.sqlite", CLOCKS_BACK, 2, "x" * 40_000)
    connection = connect(archive.path)
    cells = archive.bars(CLOCKS_BACK, CLOCKS_BACK + 1).cells.copy()
    cells["price"] = 1.7976931348623157e308
    cells["second"] += 1
    write_bars(connection, Bars(("x" * 40_000,), ("stocks",), cells))
    connection.close()
    out = io.BytesIO()
    assert write(archive, "bars", "xlsx", out, CLOCKS_BACK, CLOCKS_BACK + 2) == 2
    (sheet,) = load_workbook(out).worksheets
    assert [sheet.cell(row, 4).value for row in (2, 3)] == [PRICE, None]
    assert sheet["B2"].value == "x" * 4_000 + "…"


def test_more_rows_than_a_sheet_holds_are_refused_before_any_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spreadsheets would drop what is beyond; what to do instead is said."""
    symbols = [f"S{row}" for row in range(64)]
    archive = archive_of(tmp_path / "kept.sqlite", CLOCKS_BACK, SHEET_ROWS // 64 + 1, *symbols)
    out = tmp_path / "bars.xlsx"
    with pytest.raises(SystemExit) as ended:
        main(["bars", "--archive", str(archive.path), "--out", str(out)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "a sheet holds at most 1,048,575 rows, and there are more: choose a shorter span" in said
    assert ".csv or .parquet, which hold any number" in said
    assert [path for path in tmp_path.iterdir() if "sqlite" not in path.name] == []


def test_rows_that_came_since_they_were_counted_are_not_dropped(tmp_path: Path) -> None:
    """The archive is written meanwhile: the limit holds for what is read, too."""
    batch = pa.record_batch({"n": np.zeros(SHEET_ROWS + 1)})
    with pytest.raises(SheetError):
        write_sheet(io.BytesIO(), batch.schema, iter([batch]), UTC, tmp_path)
    assert list(tmp_path.iterdir()) == []


class Full(io.BytesIO):
    """A disk that takes so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._most:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("most", [0, 500, 3000])
def test_a_disk_that_is_full_at_the_end_is_told_as_that(
    kept: Archive, tmp_path: Path, most: int
) -> None:
    """When the workbook is packed: the system's own error, and nothing that follows from it."""
    out = Full(most)
    with pytest.raises(OSError, match="No space left on device"):
        write(kept, "bars", "xlsx", out, CLOCKS_BACK - 2, CLOCKS_BACK + 2, folder=tmp_path)
    out.close()
    assert [path for path in tmp_path.iterdir() if "sqlite" not in path.name] == []


def test_a_time_beyond_the_calendar_is_empty(tmp_path: Path) -> None:
    """East of Greenwich the year 10000 begins sooner, which spreadsheets do not have."""
    last = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    archive = archive_of(tmp_path / "kept.sqlite", last, 1, "AAPL")
    for zone, year in ((BERLIN, None), (UTC, 9999)):
        out = io.BytesIO()
        write(archive, "bars", "xlsx", out, last, last + 1, zone=zone)
        (sheet,) = load_workbook(out).worksheets
        assert (sheet["A2"].value.year if year else sheet["A2"].value) == year
