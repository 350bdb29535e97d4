"""Export: an archive's bars or events in one of the forms, while the dashboard writes it.

``python -m history.export bars --out week.parquet`` is the command, and ``--help`` says more; the
page calls ``count`` and ``write``. Every piece read from the archive is written before the next is
read, so that memory depends neither on the span nor on its bars.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO, Final, cast

from history.archive import Archive, is_archive
from history.arguments import parser_of, zone_named
from history.ending import orderly_end
from history.failures import (
    ExportError,
    check_symbols,
    export_errors,
    left_out_text,
    missing_text,
)
from history.forms import FORMS, GROUP_ROWS, MIME, WHATS, Form, What, row_batches, write_rows
from history.losses import Losses
from history.sheet import SHEET_ROWS, SheetError
from settings import load
from ticks import MarketPulseError
from wording import time_text

__all__ = [
    "FORMS",
    "MIME",
    "MOST_ROWS",
    "WHATS",
    "Archive",
    "ExportError",
    "Form",
    "Losses",
    "What",
    "command",
    "contents",
    "count",
    "file_name",
    "left_out_text",
    "main",
    "save",
    "whole_span",
    "write",
    "zone_named",
]

MOST_ROWS: Final[Mapping[Form, int]] = {
    "csv": 750_000,
    "json": 400_000,
    "parquet": 1_000_000,
    "xlsx": 100_000,
}
"""The most rows that are handed out from memory: at most 50 MB, written within a second; a workbook
takes three."""


def write(
    archive: Archive,
    what: What,
    form: Form,
    out: BinaryIO,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
    *,
    losses: Losses | None = None,
    group_rows: int = GROUP_ROWS,
    zone: tzinfo = UTC,
    folder: Path | None = None,
) -> int:
    """Write what began at ``begin`` or later and before ``end``; returns how many rows.

    Of some symbols or all. Nothing is written if there is no row. What is damaged is left out, and
    counted in ``losses``. ``group_rows`` is the least that a row group has in Parquet; ``zone`` is
    that of a workbook's times, and ``folder`` is where a workbook keeps its parts meanwhile.

    Raises:
        ExportError: if there is no row.
        SheetError: if there are more than a workbook's sheet holds.
        ArchiveError: if the archive cannot be read.
        OSError: if ``out`` cannot be written.
    """
    if not begin < end:
        raise ExportError(
            f"the span ends at {time_text(end)}, expected later than its begin {time_text(begin)}"
        )
    if symbols is not None:
        check_symbols(symbols, list(archive.symbols()))
    if form == "xlsx" and count(archive, what, begin, end, symbols, SHEET_ROWS) > SHEET_ROWS:
        raise SheetError
    losses = losses or Losses()
    batches = row_batches(archive, what, begin, end, symbols, losses)
    rows = write_rows(form, out, batches, group_rows, zone, folder)
    if not rows:
        kept = whole_span(archive, what)
        raise ExportError(missing_text(what, begin, end, symbols, kept, losses.left_out))
    return rows


def save(
    archive: Archive,
    what: What,
    form: Form,
    path: Path,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
    zone: tzinfo = UTC,
    losses: Losses | None = None,
) -> int:
    """Write the same into a new file, which has its name once it is whole and never before.

    Raises:
        ExportError: if there is no row, or the file cannot be written.
        SheetError: if there are more than a workbook's sheet holds.
        ArchiveError: if the archive cannot be read.
    """
    with export_errors(path):
        if path.exists():
            raise ExportError(f"{path} exists already: remove it, or choose another name")
        # Beside it, because a rename must not cross file systems; short, because names are limited.
        part = path.with_name(f".{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                rows = write(
                    archive,
                    what,
                    form,
                    file,
                    begin,
                    end,
                    symbols,
                    losses=losses,
                    zone=zone,
                    folder=path.parent,
                )
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return rows


def contents(
    archive: Archive,
    what: What,
    form: Form,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
    zone: tzinfo = UTC,
) -> bytes:
    """The same in memory, for a file of at most ``MOST_ROWS``.

    Raises:
        ExportError: if there is no row, or the parts of a workbook cannot be written.
        SheetError: if there are more than a workbook's sheet holds.
        ArchiveError: if the archive cannot be read.
    """
    file = io.BytesIO()
    with export_errors(Path(tempfile.gettempdir())):
        write(archive, what, form, file, begin, end, symbols, zone=zone)
    return file.getvalue()


def whole_span(archive: Archive, what: What) -> tuple[int, int] | None:
    """The begin and the end of the span that holds everything, None if there is nothing."""
    kept = archive.span()
    seconds = [] if kept is None else [kept[0], kept[1] + 1]
    if what == "events":
        # They are kept for longer than bars.
        span = archive.event_span()
        seconds += [] if span is None else [math.floor(span[0]), math.floor(span[1]) + 1]
    return (min(seconds), max(seconds)) if seconds else None


def count(
    archive: Archive,
    what: What,
    begin: float,
    end: float,
    symbols: Sequence[str] | None,
    most: int,
    losses: Losses | None = None,
) -> int:
    """How many rows that would be; counting ends once there are more than ``most``.

    What is damaged is counted in ``losses``.
    """
    pieces: Iterator[int] = (
        (len(bars) for bars in archive.blocks(math.ceil(begin), math.ceil(end), symbols, losses))
        if what == "bars"
        else (1 for _ in archive.events(begin, end, symbols, losses))
    )
    rows = 0
    for piece in pieces:
        rows += piece
        if rows > most:
            break
    return rows


def command(
    archive: Archive,
    what: What,
    form: Form,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
    zone: tzinfo = UTC,
) -> str:
    """The command that exports the same, as typed in the project's folder."""
    file = archive.path.resolve()
    home = Path(__file__).resolve().parent.parent
    if file.is_relative_to(home):
        file = file.relative_to(home)
    words = ["-m", "history.export", what, "--from", time_text(begin), "--to", time_text(end)]
    if symbols is not None:
        words.append(f"--symbols={','.join(symbols)}")
    if form == "xlsx":
        words += ["--zone", str(zone)]
    words += ["--archive", str(file), "--out", file_name(what, form, begin, end)]
    return shlex.join([".venv/bin/python", *words])


def file_name(what: What, form: Form, begin: float, end: float) -> str:
    """A name that says what is in the file, and that every system takes."""
    span = "_".join(re.sub("[-:]", "", time_text(ts)) for ts in (begin, end))
    return f"{what}_{span}.{form}"


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Do what the command line asks for; if that fails, say why in one sentence and exit with 2.

    A signal to end does, and leaves nothing half written.
    """
    parser = parser_of()
    given = parser.parse_args(arguments)
    try:
        with orderly_end():
            _run(given, environ)
    except MarketPulseError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    except BrokenPipeError:
        # The reader has closed the pipe. Python flushes once more when it ends, into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# The command.


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> None:
    archive = _archive(given.archive or _own_archive(environ))
    form = _form(given.format, given.out)
    if given.zone is not None and form != "xlsx":
        raise ExportError(f"--zone is for .xlsx alone: in .{form} times are in UTC")
    zone = given.zone or UTC
    begin, end = _span(given, archive)
    what, symbols, losses = given.what, given.symbols, Losses()
    if given.out == "-":
        with export_errors(Path("standard output")):
            write(archive, what, form, sys.stdout.buffer, begin, end, symbols, losses=losses)
            sys.stdout.buffer.flush()
    else:
        path = Path(given.out)
        rows = save(archive, what, form, path, begin, end, symbols, zone, losses)
        sys.stderr.write(f"{rows:,} {what} in {path}, {path.stat().st_size:,} bytes\n")
    if text := left_out_text(what, losses.left_out):
        sys.stderr.write(f"{text}\n")


def _archive(path: Path) -> Archive:
    try:
        if path.is_file() and not is_archive(path):
            raise ExportError(
                f"{path} is not an archive, expected one of the dashboard's: check the path"
            )
    except OSError as error:
        raise ExportError(
            f"{path} cannot be read ({error.strerror}): check its permissions"
        ) from error
    return Archive(path)


def _own_archive(environ: Mapping[str, str]) -> Path:
    path = load(environ).archive_file
    if path is None:
        raise ExportError("by its settings the dashboard keeps no archive: name one by --archive")
    return path


def _form(chosen: Form | None, out: str) -> Form:
    if out == "-":
        if chosen in ("parquet", "xlsx"):
            raise ExportError(f"standard output takes no .{chosen}: name a file by --out")
        return chosen or "csv"
    ending = Path(out).suffix.lower().removeprefix(".")
    if chosen is None and ending not in FORMS:
        raise ExportError(
            f"{out} ends in none of {', '.join(f'.{form}' for form in FORMS)}: choose by --format"
        )
    return chosen or cast("Form", ending)


def _span(given: argparse.Namespace, archive: Archive) -> tuple[float, float]:
    if given.begin is not None and given.last is not None:
        raise ExportError("--from and --last are given, expected one of them")
    begin, end = given.begin, given.end
    if end is None or (begin is None and given.last is None):
        kept = whole_span(archive, given.what)
        if kept is None:
            raise ExportError(f"{archive.path} has no {given.what} yet: try again in a minute")
        begin = kept[0] if begin is None else begin
        end = kept[1] if end is None else end
    return (begin if given.last is None else end - given.last), end


if __name__ == "__main__":
    main()
