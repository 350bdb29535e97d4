"""The export: every bar and event as it is in the archive, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import streamlit as st
from openpyxl import load_workbook  # type: ignore[import-untyped]
from pyarrow import parquet  # type: ignore[import-untyped]
from streamlit.testing.v1 import AppTest

import worker
from bars import CELL, Bars
from engine.process import forget
from events import Company, Event, Part
from history import export
from history.archive import Archive, ArchiveError
from history.export import FORMS, Form, What, main, save, write
from history.losses import Losses
from history.writer import connect, write_bars, write_events
from page.turns import export_turns
from settings import HistorySettings, Settings, SourceSettings
from tests.conftest import missing
from tests.stage import staged
from tests.told import event_of, part_of
from tests.waiting import HANG_SEC
from ticks import BUILT_IN_KINDS

ROOT = Path(__file__).parent.parent
FULL = Path("/dev/full")
EXACT = ("csv", "json", "parquet")
"""The forms for programs: they keep every number as it is, and are written as they are read."""
BEGIN = 1_795_000_020
"""A second whose text ends in :00."""
SYMBOLS = {"AAPL": "stocks", "EURUSD": "forex", '=X,"1"': "crypto", "-Y": "crypto", "'Q": "stocks"}
PRICES = (230.1, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3)

EVENT = event_of(
    BEGIN + 30.1234,
    id="burst:=X:1",
    symbol='=X,"1"',
    asset="crypto",
    updated_ts=BEGIN + 95.5,
    value=-0.1 - 0.2,
    threshold=0.0025,
    count=3,
    company=Company.ALONE,
    from_price=1 / 3,
    from_ts=BEGIN - 29.877,
    to_price=0.1,
    to_ts=BEGIN + 30.0,
    surprise=-3.25,
    vs_peers=-3.001,
    regime="high_vol",
)
EVENT = replace(
    EVENT, twins=("-Y", "AAPL"), parts=(*EVENT.parts, part_of(BEGIN + 40.0, "vol_spike"))
)
UNKNOWN = event_of(
    BEGIN + 40.0, id="burst:AAPL:2", kind="vol_spike", times_usual=None, early=True, history=True
)
UNKNOWN = replace(UNKNOWN, vs_peers=float("nan"))


def bars(begin: int, seconds: int, symbols: Sequence[str] = tuple(SYMBOLS)) -> Bars:
    """A bar of each symbol in each second, but for the first symbol's in odd ones."""
    found = [
        (second, row, 500, 1 + row, PRICES[row], PRICES[row] * (1 if row == 3 else 1 + row) + 1e-9)
        for second in range(begin, begin + seconds)
        for row in range(len(symbols))
        if row or not second % 2
    ]
    return Bars(tuple(symbols), tuple(SYMBOLS[symbol] for symbol in symbols), np.array(found, CELL))


def put(path: Path, *found: Bars | Event) -> Path:
    """Write bars and events as the recorder does."""
    connection = connect(path)
    for one in found:
        if isinstance(one, Bars):
            write_bars(connection, one)
        else:
            write_events(connection, [one])
    connection.close()
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Archive:
    """Two minutes of five symbols, then half an hour later one more, and two events."""
    path = tmp_path / "simulated-42.sqlite"
    return Archive(put(path, bars(BEGIN, 120), bars(BEGIN + 1920, 120), EVENT, UNKNOWN))


def rows(text: bytes, form: Form) -> list[dict[str, Any]]:
    """What another program reads."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text.decode("utf-8"), newline="")))
    if form == "json":
        found: list[dict[str, Any]] = json.loads(text)
        return found
    if form == "xlsx":
        return sheet_rows(text)
    listed: list[dict[str, Any]] = parquet.read_table(io.BytesIO(text)).to_pylist()
    return listed


def sheet_rows(text: bytes) -> list[dict[str, Any]]:
    """The rows of a workbook whose times are in UTC; none of its cells is a formula."""
    (sheet,) = load_workbook(io.BytesIO(text)).worksheets
    head, *found = sheet.iter_rows()
    assert not [cell for row in found for cell in row if cell.data_type == "f"]
    names = [cell.value.removesuffix(" (UTC)") for cell in head]
    return [
        {
            name: cell.value.replace(tzinfo=UTC) if cell.is_date else cell.value
            for name, cell in zip(names, row, strict=True)
        }
        for row in found
    ]


def exported(
    archive: Archive,
    what: What,
    form: Form,
    begin: float = BEGIN,
    end: float = BEGIN + 7200,
    symbols: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """The rows of an export, as another program reads them."""
    out = io.BytesIO()
    count = write(archive, what, form, out, begin, end, symbols)
    found = rows(out.getvalue(), form)
    assert count == len(found)
    return found


def moment(value: Any) -> float:
    """Seconds since the epoch of a time as it is written."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    assert at.utcoffset() is not None
    return at.timestamp()


def plain(text: str, form: Form) -> str:
    """A text without the apostrophe that CSV puts in front."""
    return text.removeprefix("'") if form == "csv" else text


# What is written.


@pytest.mark.parametrize("form", EXACT)
def test_every_bar_is_written_as_it_is_kept(kept: Archive, form: Form) -> None:
    """In order, with prices that read as the very same numbers."""
    found = [
        (
            moment(row["time"]),
            plain(row["symbol"], form),
            row["asset"],
            float(row["last"]),
            float(row["mean"]),
            int(row["ticks"]),
        )
        for row in exported(kept, "bars", form)
    ]
    block = kept.bars(BEGIN, BEGIN + 7200)
    assert found == [
        (second, block.symbols[row], block.assets[row], price, total / n, n)
        for second, row, _, n, price, total in block.cells.tolist()
    ]
    assert len(found) == 2 * (120 * 4 + 60)


@pytest.mark.parametrize("form", EXACT)
def test_every_field_of_an_event_is_written_and_its_sentence(kept: Archive, form: Form) -> None:
    """Each is a column of its own name; times are to the millisecond."""
    first, second = exported(kept, "events", form)
    own = {field.name for field in fields(Event)} - {"parts"}
    of_lead = {field.name for field in fields(Part)} - {"value"}
    assert set(first) == own | of_lead | {"peak", *BUILT_IN_KINDS, "text", "more"}
    for row, event in ((first, EVENT), (second, UNKNOWN)):
        for name in ("id", "kind", "symbol", "asset", "severity", "regime", "text"):
            assert plain(row[name], form) == getattr(event, name)
        assert plain(row["more"] or "", form) == event.more
        assert plain(row["twins"] or "", form) == " ".join(event.twins)
        assert float(row["count"]) == event.count
        for name in ("horizon_sec", "threshold", "to_price"):
            assert float(row[name]) == getattr(event.lead, name)
        assert float(row["peak"]) == float(row[event.kind]) == event.lead.value
        for name in ("ts", "updated_ts"):
            assert moment(row[name]) == pytest.approx(getattr(event, name), abs=0.0005)
        assert moment(row["to_ts"]) == pytest.approx(event.lead.to_ts, abs=0.0005)
        for name in ("history", "early"):
            assert str(row[name]).lower() == str(getattr(event, name)).lower()
    assert (float(first["from_price"]), first["company"]) == (EVENT.lead.from_price, "alone")
    assert float(first["vol_spike"]) == EVENT.parts[1].value


@pytest.mark.parametrize(("form", "missing"), [("csv", ""), ("json", None), ("parquet", None)])
def test_what_is_not_known_is_blank(tmp_path: Path, form: Form, missing: object) -> None:
    """Neither 0 nor a word for no number, whether it is none or not finite."""
    strange = bars(BEGIN, 1)
    strange.cells["sum"][1] = np.inf
    archive = Archive(put(tmp_path / "strange.sqlite", strange, UNKNOWN))
    assert [row["mean"] == missing for row in exported(archive, "bars", form)[:3]] == [
        False,
        True,
        False,
    ]
    (event,) = exported(archive, "events", form)
    for name in ("from_price", "from_ts", "surprise", "times_usual", "vs_peers", "company"):
        assert event[name] == missing
    for name in ("twins", "more", "move_1m", "move_5m"):
        assert event[name] == missing


def test_times_are_iso_in_utc(kept: Archive) -> None:
    """To the second where a second is meant, to the millisecond where an instant is."""
    for form in ("csv", "json"):
        assert exported(kept, "bars", form)[0]["time"] == "2026-11-18T11:07:00Z"
        event = exported(kept, "events", form)[0]
        assert event["ts"] == "2026-11-18T11:07:30.123Z"


def test_parquet_has_types_and_large_groups(kept: Archive) -> None:
    """Times are times, and pieces of the archive are gathered into one group of rows."""
    out = io.BytesIO()
    write(kept, "bars", "parquet", out, BEGIN, BEGIN + 7200)
    file = parquet.ParquetFile(out)
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types == {
        "time": "timestamp[ms, tz=UTC]",
        "symbol": "string",
        "asset": "string",
        "last": "double",
        "mean": "double",
        "ticks": "uint32",
    }
    assert file.num_row_groups == 1
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    out = io.BytesIO()
    write(kept, "bars", "parquet", out, BEGIN, BEGIN + 7200, group_rows=500)
    assert parquet.ParquetFile(out).num_row_groups == 2


@pytest.mark.parametrize("what", ["bars", "events"])
def test_every_column_is_in_the_documentation(kept: Archive, what: What) -> None:
    """By its name, beside the files that programs fetch."""
    text = (Path(__file__).parent.parent / "docs" / "api.md").read_text("utf-8")
    files = text.partition("### Files")[2].partition("### ")[0]
    missing_there = {name for name in exported(kept, what, "csv")[0] if f"`{name}`" not in files}
    assert missing_there == set()


def test_json_is_a_document_and_a_line_for_each_row(kept: Archive) -> None:
    """What reads documents reads it, and what reads lines does too."""
    out = io.BytesIO()
    count = write(kept, "bars", "json", out, BEGIN, BEGIN + 7200)
    first, *lines, last = out.getvalue().decode("utf-8").splitlines()
    assert (first, last, len(lines)) == ("[", "]", count)
    assert [json.loads(line.removesuffix(",")) for line in lines] == json.loads(out.getvalue())


def test_no_spreadsheet_computes_what_a_text_says(kept: Archive) -> None:
    """In CSV no text begins like a formula, and taking the apostrophe off restores each."""
    found = {row["symbol"] for row in exported(kept, "bars", "csv")}
    assert found == {"AAPL", "EURUSD", '\'=X,"1"', "'-Y", "''Q"}
    assert {plain(symbol, "csv") for symbol in found} == set(SYMBOLS)
    assert exported(kept, "events", "csv")[0]["text"].startswith("'=X")
    for form in ("json", "parquet"):
        assert {row["symbol"] for row in exported(kept, "bars", form)} == set(SYMBOLS)


@pytest.mark.parametrize("form", FORMS)
def test_the_span_begins_with_its_begin_and_ends_before_its_end(kept: Archive, form: Form) -> None:
    """Of some symbols only where they are named; half a second belongs to no bar."""
    found = exported(kept, "bars", form, BEGIN + 1.5, BEGIN + 4, ["EURUSD", "AAPL"])
    assert [(moment(row["time"]) - BEGIN, row["symbol"]) for row in found] == [
        (2, "AAPL"),
        (2, "EURUSD"),
        (3, "EURUSD"),
    ]
    assert len(exported(kept, "events", form, BEGIN + 40.0, BEGIN + 41)) == 1
    assert len(exported(kept, "events", form, BEGIN, BEGIN + 40.0)) == 1
    assert len(exported(kept, "events", form, BEGIN, BEGIN + 41, ["AAPL"])) == 1


class Watched(Archive):
    """An archive that calls back before each piece that is read from it."""

    def __init__(self, path: Path, before_piece: Callable[[], None]) -> None:
        super().__init__(path)
        self._before_piece = before_piece

    def blocks(
        self,
        begin: int,
        end: int,
        symbols: Sequence[str] | None = None,
        losses: Losses | None = None,
    ) -> Iterator[Bars]:
        pieces = super().blocks(begin, end, symbols, losses)
        while True:
            self._before_piece()
            piece = next(pieces, None)
            if piece is None:
                return
            yield piece


@pytest.mark.parametrize("form", EXACT)
def test_a_piece_is_written_before_the_next_is_read(kept: Archive, form: Form) -> None:
    """So that no span, however long, is ever in memory."""
    put(kept.path, bars(BEGIN + 3600, 120))
    out = io.BytesIO()
    sizes: list[int] = []
    watched = Watched(kept.path, lambda: sizes.append(len(out.getbuffer())))
    write(watched, "bars", form, out, BEGIN, BEGIN + 7200, group_rows=1)
    assert len(sizes) == 4
    assert sorted(set(sizes)) == sizes


def test_the_archive_is_written_meanwhile(kept: Archive) -> None:
    """Neither waits for the other, and what comes before its turn is exported too."""
    added = iter(range(BEGIN + 4000, BEGIN + 4010))

    def record() -> None:
        put(kept.path, bars(next(added), 1))

    out = io.BytesIO()
    write(Watched(kept.path, record), "bars", "csv", out, BEGIN, BEGIN + 7200)
    seconds = [moment(row["time"]) for row in rows(out.getvalue(), "csv")]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= BEGIN + 4002


@pytest.mark.parametrize("what", export.WHATS)
def test_rows_are_counted_no_further_than_asked(kept: Archive, what: What) -> None:
    """Exactly where there are few, and where there are many it is only known that there are."""
    whole = len(exported(kept, what, "csv"))
    assert export.count(kept, what, BEGIN, BEGIN + 7200, None, whole) == whole
    assert export.count(kept, what, BEGIN, BEGIN + 7200, None, 1) > 1
    pieces: list[None] = []
    watched = Watched(kept.path, lambda: pieces.append(None))
    export.count(watched, "bars", BEGIN, BEGIN + 7200, None, 5)
    assert len(pieces) == 1


# What is damaged.


def damage(path: Path, *seconds: int) -> None:
    """Change one byte in the bars of some seconds, and one in the state of the first event."""
    connection = connect(path)
    for second in seconds:
        (cells,) = connection.execute(
            "SELECT cells FROM bar WHERE second = ?", (second,)
        ).fetchone()
        changed = cells[:10] + bytes([cells[10] ^ 1]) + cells[11:]
        connection.execute("UPDATE bar SET cells = ? WHERE second = ?", (changed, second))
    connection.execute(
        "UPDATE event SET state = replace(state, 'extreme', 'watch') WHERE id = ?", (EVENT.id,)
    )
    connection.close()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_damaged_is_left_out_and_told(
    kept: Archive, capsys: pytest.CaptureFixture[str], form: Form
) -> None:
    """The rest is exported as it was; a changed price is never in it."""
    sound = exported(kept, "bars", form)
    damage(kept.path, BEGIN + 7, BEGIN + 1925)
    bad = {BEGIN + 7, BEGIN + 1925}
    out = kept.path.with_name(f"bars.{form}")
    main(["bars", "--archive", str(kept.path), "--out", str(out)])
    assert rows(out.read_bytes(), form) == [row for row in sound if moment(row["time"]) not in bad]
    assert capsys.readouterr().err.endswith(
        "damaged in the archive, and left out:"
        " up to 2 seconds from 2026-11-18T11:07:07Z to 2026-11-18T11:39:05Z\n"
    )
    out = kept.path.with_name(f"events.{form}")
    main(["events", "--archive", str(kept.path), "--out", str(out)])
    assert [row["id"] for row in rows(out.read_bytes(), form)] == [UNKNOWN.id]
    assert capsys.readouterr().err.endswith(
        "damaged in the archive, and left out: 1 state of events\n"
    )


def test_where_nothing_is_sound_the_reason_is_told(
    kept: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    """There were bars, and none can be exported."""
    damage(kept.path, BEGIN + 8)
    span = ["--from", "2026-11-18T11:07:08", "--to", "2026-11-18T11:07:09"]
    with pytest.raises(SystemExit):
        main(["bars", *span, "--archive", str(kept.path)])
    said = capsys.readouterr().err
    assert (
        "there are no bars from 2026-11-18T11:07:08Z to 2026-11-18T11:07:09Z: the archive" in said
    )
    assert said.endswith(
        "; damaged in the archive, and left out: the second 2026-11-18T11:07:08Z\n"
    )


# Whole or not at all.


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_cannot_be_finished_is_not_there(kept: Archive, form: Form) -> None:
    """Neither under its name nor under another, whatever came between."""
    folder = kept.path.parent / "out"
    folder.mkdir()

    def interrupt() -> None:
        if any(folder.iterdir()):
            raise KeyboardInterrupt

    watched = Watched(kept.path, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(watched, "bars", form, folder / "bars", BEGIN, BEGIN + 7200)
    kept.path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(ArchiveError, match="damaged"):
        save(kept, "bars", form, folder / "bars", BEGIN, BEGIN + 7200)
    assert list(folder.iterdir()) == []


def test_a_file_has_its_name_only_when_it_is_whole(kept: Archive) -> None:
    """While it is written it has another, beside it."""
    out = kept.path.with_name("bars.csv")
    there: list[bool] = []
    watched = Watched(kept.path, lambda: there.append(out.exists()))
    assert save(watched, "bars", "csv", out, BEGIN, BEGIN + 7200) == 1080
    assert there == [False] * 3
    assert len(rows(out.read_bytes(), "csv")) == 1080
    assert out.stat().st_mode & 0o044 == kept.path.stat().st_mode & 0o044


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_nothing_behind(kept: Archive, form: Form) -> None:
    """One sentence, and no part of a file."""
    noise = bars(BEGIN + 3600, 5000)
    noise.cells["price"] = np.random.default_rng(1).uniform(1.0, 2.0, len(noise))
    put(kept.path, noise)
    out = kept.path.with_name(f"bars.{form}")

    def limit() -> None:
        # More than what SQLite makes beside an archive to read it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ended = run("bars", "--archive", str(kept.path), "--out", str(out), preexec_fn=limit)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"python -m history.export: {out} cannot be written (File too large):"
        " choose another place\n"
    )
    assert not [path for path in kept.path.parent.iterdir() if "sqlite" not in path.name]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_nothing_behind(
    kept: Archive, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, form: Form
) -> None:
    """The command ends with the code of the signal, and takes its half of a file away."""
    folder = kept.path.parent / "out"
    folder.mkdir()
    parts: list[Path] = []

    def end() -> None:
        if found := list(folder.iterdir()):
            parts.extend(found)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(export, "Archive", lambda path: Watched(path, end))
    # These tests may have been started by what ignores the signal.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended:
            main(["bars", "--archive", str(kept.path), "--out", str(folder / f"bars.{form}")])
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert parts
    assert list(folder.iterdir()) == []


def test_what_ignores_a_signal_goes_on(kept: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nohup has it: the end of the terminal is not the end of the export."""
    monkeypatch.setattr(
        export, "Archive", lambda path: Watched(path, lambda: os.kill(os.getpid(), signal.SIGHUP))
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    out = kept.path.with_name("bars.csv")
    try:
        main(["bars", "--archive", str(kept.path), "--out", str(out)])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(rows(out.read_bytes(), "csv")) == 1080


# The command.


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "history.export", *arguments],
        **{
            "cwd": ROOT,
            "text": True,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "check": False,
            **options,
        },
    )


def test_the_command_writes_what_it_says(kept: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    """The form is that of the file's name, the span in UTC, and it says what it wrote."""
    for form in FORMS:
        out = kept.path.with_name(f"bars.{form}")
        span = ["--from", "2026-11-18T11:07", "--to", "2026-11-18T12:07:30+01:00"]
        main(["bars", *span, "--archive", str(kept.path), "--out", str(out)])
        expected = exported(kept, "bars", form, BEGIN, BEGIN + 30)
        assert rows(out.read_bytes(), form) == expected
        said = f"{len(expected)} bars in {out}, {out.stat().st_size:,} bytes\n"
        assert capsys.readouterr().err == said


def test_without_a_span_it_is_the_whole_archive(kept: Archive) -> None:
    """The last second included; a length reaches back from the end."""
    for arguments, count in (
        ([], 1080),
        (["--last", "60s"], 270),
        (["--last", "2h"], 1080),
        (["--last", "1m", "--to", "2026-11-18T11:08"], 270),
        (["--from", "2026-11-18T11:38"], 540),
    ):
        out = kept.path.with_name("bars.out")
        given = ["--archive", str(kept.path), "--out", str(out), "--format", "json"]
        main(["bars", *arguments, *given])
        assert len(rows(out.read_bytes(), "json")) == count, arguments
        out.unlink()


def test_events_reach_further_back_than_bars(kept: Archive, tmp_path: Path) -> None:
    """They are kept for longer: the whole of them does not begin with the first bar."""
    old = replace(EVENT, id="old", ts=BEGIN - 9e6 + 0.5, updated_ts=BEGIN - 9e6 + 0.5)
    assert (
        export.whole_span(kept, "events")
        == export.whole_span(kept, "bars")
        == (BEGIN, BEGIN + 2040)
    )
    put(kept.path, old)
    assert export.whole_span(kept, "events") == (BEGIN - 9_000_000, BEGIN + 2040)
    out = tmp_path / "events.csv"
    main(["events", "--archive", str(kept.path), "--out", str(out)])
    assert [row["id"] for row in rows(out.read_bytes(), "csv")] == ["old", EVENT.id, UNKNOWN.id]
    alone = Archive(put(tmp_path / "alone.sqlite", old))
    assert export.whole_span(alone, "bars") is None
    assert export.whole_span(alone, "events") == (BEGIN - 9_000_000, BEGIN - 9_000_000 + 1)


def test_standard_output_goes_into_a_pipe(kept: Archive) -> None:
    """CSV where nothing is said, with nothing but it; whoever reads may stop at any time."""
    put(kept.path, bars(BEGIN + 3600, 3000))
    ended = run("bars", "--archive", str(kept.path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert rows(ended.stdout.encode("utf-8"), "csv") == exported(kept, "bars", "csv")
    with subprocess.Popen(
        [sys.executable, "-m", "history.export", "bars", "--archive", str(kept.path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout
        assert started.stderr
        assert started.stdout.readline().startswith(b'"time","symbol"')
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 0


def test_without_a_file_it_is_the_dashboards_archive(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The one of the source that the settings name."""
    environ = {
        "MARKET_PULSE_SOURCE": "simulated",
        "MARKET_PULSE_SEED": "5",
        "MARKET_PULSE_DATA": str(tmp_path),
    }
    own = Archive(put(tmp_path / "simulated-5.sqlite", bars(BEGIN, 3)))
    main(["bars", "--format", "json"], environ)
    assert rows(capfdbinary.readouterr().out, "json") == exported(own, "bars", "json")


REFUSED: dict[str, tuple[str, str]] = {
    "symbol": ("bars --symbols AAPL,AAPX", "the archive has no 'AAPX': did you mean AAPL?"),
    "unlike": ("bars --symbols 7", "the archive has no '7', expected one of AAPL, EURUSD, =X"),
    "no symbol": ("bars --symbols ,", "no symbol is named, expected some like AAPL,BTC-USD"),
    "empty": (
        "bars --from 2026-11-18T12:00 --to 2026-11-18T11:00",
        "the span ends at 2026-11-18T11:00:00Z, expected later than its begin",
    ),
    "nothing": (
        "events --from 2027-01-01 --to 2027-01-02 --symbols=-Y",
        "there are no events of -Y from 2027-01-01T00:00:00Z to 2027-01-02T00:00:00Z:"
        " the archive has 2026-11-18T11:07:00Z to 2026-11-18T11:41:00Z",
    ),
    "time": ("bars --from noon", "'noon' is not a time, expected one like 2026-01-31T14:32:05Z"),
    "length": ("bars --last 3y", "'3y' is not a length, expected one like 90s, 15m, 24h, 7d or 2w"),
    "both": ("bars --from 2026-11-18 --last 3d", "--from and --last are given, expected one"),
    "ending": ("bars --out {}/bars.xls", "ends in none of .csv, .json, .parquet, .xlsx: choose by"),
    "pipe": ("bars --format parquet", "standard output takes no .parquet: name a file by --out"),
    "zone": ("bars --zone Mars", "'Mars' is not a time zone, expected one like Europe/Berlin"),
    "zoned": ("bars --zone Asia/Tokyo", "--zone is for .xlsx alone: in .csv times are in UTC"),
    "there": ("bars --out {}/there.csv", "there.csv exists already: remove it, or choose"),
    "folder": ("bars --out {}/no/bars.csv", "(No such file or directory): make its folder first"),
    "a file": ("bars --out {}/there.csv/x.csv", "(Not a directory): its folder is a file"),
    "missing": ("bars --archive {}/no.sqlite", "there is no archive at"),
    "no archive": ("bars --archive {}/there.csv", "there.csv is not an archive, expected one of"),
    "unreadable": ("bars --archive /proc/self/mem", "/proc/self/mem cannot be read (Input/output"),
    "a folder": ("bars --archive {}", "is not a file, expected an archive; check the path"),
    "off": ("bars --archive ", "by its settings the dashboard keeps no archive: name one by"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said_in_a_sentence(
    kept: Archive, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    """What was found, what was expected, what to do: no traceback, no file, and the code 2."""
    folder = kept.path.parent
    (folder / "there.csv").write_text("mine" * 200)
    words, expected = REFUSED[case]
    arguments = words.format(folder).split()
    if "--archive" not in arguments:
        arguments += ["--archive", str(kept.path)]
    elif arguments[-1] == "--archive":
        arguments.pop()
    with pytest.raises(SystemExit) as ended:
        main(arguments, {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"})
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert expected in err.splitlines()[-1]
    assert out == ""
    names = {path.name for path in folder.iterdir()}
    # SQLite may have files of its own beside an archive.
    assert {name for name in names if ".sqlite-" not in name} == {kept.path.name, "there.csv"}
    assert (folder / "there.csv").read_text() == "mine" * 200


def test_a_full_disk_under_standard_output_is_said(kept: Archive) -> None:
    """It is no less an error for having no name."""
    if not FULL.exists():
        missing(str(FULL))
    with FULL.open("wb") as full:
        ended = run("bars", "--archive", str(kept.path), stdout=full)
    assert ended.returncode == 2
    assert ended.stderr == (
        "python -m history.export: standard output cannot be written (No space left on device):"
        " free some space, or choose another disk\n"
    )


def test_the_command_of_the_page_exports_the_same(kept: Archive, tmp_path: Path) -> None:
    """What is shown to be typed does what was chosen, however its symbols are called."""
    symbols = ["-Y", "AAPL"]
    text = export.command(kept, "bars", "csv", BEGIN, BEGIN + 60, symbols)
    program, *arguments = shlex.split(text)
    assert program == ".venv/bin/python"
    name = export.file_name("bars", "csv", BEGIN, BEGIN + 60)
    assert name == "bars_20261118T110700Z_20261118T110800Z.csv"
    arguments[arguments.index(name)] = str(tmp_path / name)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stderr=subprocess.PIPE)
    found = rows((tmp_path / name).read_bytes(), "csv")
    assert found == exported(kept, "bars", "csv", BEGIN, BEGIN + 60, symbols)


# The page.


class Open(Protocol):
    """Opens the page on the archive of a folder, by an address."""

    def __call__(self, data: Path | None, **address: str) -> AppTest: ...


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the page on the archive of a folder, with its settings and their export opened."""

    def open_page(data: Path | None, **address: str) -> AppTest:
        source = SourceSettings("simulated", seed=42)
        settings = Settings(source, history=HistorySettings(folder=data))
        forget("export turns")
        made = staged(settings, clock=lambda: BEGIN)
        monkeypatch.setattr(worker, "shared", lambda load: made)
        app = AppTest.from_file(ROOT / "app.py", default_timeout=HANG_SEC)
        app.query_params |= address
        app.run()
        # A popover is told to be open once it was drawn.
        app.session_state["settings"] = True
        app.session_state["export"] = True
        return app

    return open_page


@pytest.fixture
def page(kept: Archive, open_page: Open) -> AppTest:
    """The page on an archive, with the export opened."""
    return open_page(kept.path.parent)


def shown(app: AppTest) -> list[str]:
    """The sentences of the page, after a run without an exception."""
    app.run()
    assert not app.exception
    return [text.value for text in app.text]


def test_it_costs_nothing_while_it_is_closed(open_page: Open) -> None:
    """The archive is not even looked at: that there is none is not said."""
    page = open_page(None)
    page.session_state["export"] = False
    assert shown(page) == []
    assert not [widget for widget in page.selectbox if str(widget.key).startswith("export")]


def test_the_page_hands_out_what_was_chosen(
    page: AppTest, kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many there are, and the file has these."""
    assert shown(page) == ["1,080 bars"]
    page.selectbox(key="export_form").set_value("json")
    page.multiselect(key="export_symbols").set_value(["AAPL"])
    assert shown(page) == ["120 bars"]
    page.selectbox(key="export_what").set_value("events")
    assert shown(page) == ["1 event"]
    handed: list[tuple[bytes, str]] = []
    real = st.download_button

    def hand_out(label: str, data: bytes, file_name: str, *rest: Any, **more: Any) -> bool:
        handed.append((data, file_name))
        return real(label, data, file_name, *rest, **more)

    monkeypatch.setattr(st, "download_button", hand_out)
    page.button(key="export_prepare").click()
    shown(page)
    assert [button.label for button in page.download_button] == ["Download 1 kB"]
    ((content, name),) = handed
    assert name == "events_20261118T104100Z_20261118T114100Z.json"
    assert rows(content, "json") == exported(kept, "events", "json", symbols=["AAPL"])
    shown(page)
    assert page.download_button
    page.multiselect(key="export_symbols").set_value([])
    shown(page)
    assert not page.download_button


def test_a_workbook_has_the_times_of_the_page(
    open_page: Open, kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link's zone is the page's, and one typed in is that too; so is the command's."""
    page = open_page(kept.path.parent, tz="Asia/Tokyo")
    shown(page)
    page.selectbox(key="export_form").set_value("xlsx")
    page.selectbox(key="export_span").set_value("from – to")
    shown(page)
    assert [field.label for field in page.datetime_input] == [
        "From (Asia/Tokyo)",
        "To (Asia/Tokyo)",
    ]
    page.datetime_input[0].set_value(datetime(2026, 11, 18, 20, 7))
    page.datetime_input[1].set_value(datetime(2026, 11, 18, 20, 8))
    assert shown(page) == ["270 bars"]
    handed: list[bytes] = []
    monkeypatch.setattr(st, "download_button", lambda _, data, *_rest, **_more: handed.append(data))
    page.button(key="export_prepare").click()
    shown(page)
    (sheet,) = load_workbook(io.BytesIO(handed[0])).worksheets
    assert sheet["A1"].value == "time (Asia/Tokyo)"
    assert sheet["A2"].value == datetime(2026, 11, 18, 20, 7)
    monkeypatch.setitem(export.MOST_ROWS, "xlsx", 100)
    shown(page)
    assert "--zone Asia/Tokyo" in page.code[0].value


def test_the_page_tells_what_is_damaged(page: AppTest, kept: Archive) -> None:
    """Before the file is made, which lacks it."""
    damage(kept.path, BEGIN + 7)
    assert shown(page) == [
        "1,076 bars",
        "Damaged in the archive, and left out: the second 2026-11-18T11:07:07Z.",
    ]
    page.selectbox(key="export_what").set_value("events")
    assert shown(page) == [
        "1 event",
        "Damaged in the archive, and left out: 1 state of events.",
    ]


def test_two_exports_are_made_at_a_time(open_page: Open, kept: Archive) -> None:
    """The others are told how many come before, and start by themselves in their turn."""
    page = open_page(kept.path.parent)
    turns = export_turns()
    assert [turns.ask(tab, time.monotonic()) for tab in ("one", "two", "three")] == [0, 0, 1]
    shown(page)
    page.button(key="export_prepare").click()
    assert shown(page) == ["1,080 bars", "3 exports come first: this one starts by itself."]
    turns.end("three")
    assert shown(page) == ["1,080 bars", "2 exports come first: this one starts by itself."]
    assert not page.download_button
    turns.end("one")
    assert shown(page) == ["1,080 bars"]
    assert page.download_button
    assert turns.ask("three", time.monotonic()) == 1
    page.session_state["export"] = False
    shown(page)
    assert turns.ask("three", time.monotonic()) == 0


def test_a_file_is_let_go_after_a_time(page: AppTest, kept: Archive) -> None:
    """And the page says so, once."""
    shown(page)
    page.button(key="export_prepare").click()
    shown(page)
    assert page.download_button
    export_turns().end(page.session_state["tab"])
    assert shown(page) == [
        "1,080 bars",
        "The file was let go, for others to have theirs: prepare it again.",
    ]
    assert not page.download_button
    page.button(key="export_prepare").click()
    assert shown(page) == ["1,080 bars"]
    assert page.download_button


def test_what_breaks_while_a_file_is_made_is_told(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives the turn to others: here a workbook has no place for its parts."""
    shown(page)
    page.selectbox(key="export_form").set_value("xlsx")
    shown(page)
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    page.button(key="export_prepare").click()
    _, told = shown(page)
    assert told.startswith("The archive cannot be exported: /proc/nowhere cannot be written")
    assert not page.download_button
    assert [export_turns().ask(tab, time.monotonic()) for tab in ("one", "two")] == [0, 0]


@pytest.mark.parametrize(
    ("span", "count"), [("last hour", 541), ("last day", 1081), ("everything", 1081)]
)
def test_spans_reach_back_from_the_archives_end(
    page: AppTest, kept: Archive, span: str, count: int
) -> None:
    """Not from now: an archive that nothing writes any more has its last hour too."""
    put(kept.path, bars(BEGIN + 5400, 1, ["'Q"]))
    shown(page)
    page.selectbox(key="export_span").set_value(span)
    assert shown(page) == [f"{count:,} bars"]


def test_what_is_too_large_is_told_with_its_command(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is made: the command is shown instead."""
    monkeypatch.setitem(export.MOST_ROWS, "csv", 1000)
    (text,) = shown(page)
    assert text.startswith("More than 1,000 bars, too many to download.")
    (command,) = page.code
    assert (
        "-m history.export bars --from 2026-11-18T10:41:00Z --to 2026-11-18T11:41:00Z"
        in command.value
    )
    assert not [button for button in page.button if button.key == "export_prepare"]


def test_without_an_archive_the_page_says_so(open_page: Open, tmp_path: Path) -> None:
    """Off, empty and unreadable are told apart."""
    assert shown(open_page(None)) == [
        "Nothing is archived: this is a replay, or the settings say off."
    ]
    page = open_page(tmp_path)
    path = tmp_path / "simulated-42.sqlite"
    (text,) = shown(page)
    assert text.startswith("The archive cannot be exported: there is no archive at")
    put(path)
    assert shown(page) == ["The archive has no bars yet."]
    path.write_bytes(b"x" * 5000)
    (text,) = shown(page)
    assert text.endswith("the file is damaged: it is no longer a database")


def test_the_presenter_view_exports_nothing(open_page: Open, kept: Archive) -> None:
    """Movers, stress and status only."""
    page = open_page(kept.path.parent, kiosk="1")
    assert shown(page) == []
    assert not page.selectbox
