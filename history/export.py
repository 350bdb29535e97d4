"""Export: an archive's bars or events as CSV, JSON or Parquet, while the dashboard writes it.

``python -m history.export bars --out week.parquet`` is the command, and ``--help`` says more; the
page calls ``count`` and ``write``. The archive is read piece by piece and every piece is
written before the next is read, so that memory depends neither on the span nor on its bars.

Bars have the columns ``time`` (the second that begins then), ``symbol``, ``asset``, ``last``,
``mean`` (of all ticks of the second) and ``ticks``; events those of ``Event``, and ``text``. Times
are ISO 8601 in UTC, in Parquet timestamps of milliseconds; numbers are written so that reading
gives the same number again; what is not known is blank in CSV and null elsewhere.

Symbols are the vendor's or the tape's words. In CSV a text that begins like a formula (=, +, -, @)
has an apostrophe in front, so that a spreadsheet that opens it computes nothing. So has one that
begins with an apostrophe: whoever takes one off each text has them as they were.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import math
import os
import re
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, cast, get_args

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from pyarrow.csv import CSVWriter  # type: ignore[import-untyped]
from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

from events import Event
from history.archive import Archive, is_archive
from settings import archive_file, load
from ticks import MarketPulseError
from wording import time_text

__all__ = [
    "FORMS",
    "MIME",
    "MOST_ROWS",
    "WHATS",
    "ExportError",
    "Form",
    "What",
    "command",
    "count",
    "file_name",
    "main",
    "reach",
    "save",
    "write",
]

What = Literal["bars", "events"]
Form = Literal["csv", "json", "parquet"]

WHATS: Final[tuple[What, ...]] = get_args(What)
FORMS: Final[tuple[Form, ...]] = get_args(Form)

MIME: Final[Mapping[Form, str]] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}

MOST_ROWS: Final[Mapping[Form, int]] = {"csv": 750_000, "json": 400_000, "parquet": 1_000_000}
"""What is handed out from memory has no more rows: 50 MB, and written within a second."""

_STEP_ROWS: Final = 65_536
"""So many rows are in memory at once in each of the forms that they go through."""

_GROUP_ROWS: Final = 262_144
"""Of a row group in Parquet, at least: small ones compress badly and are slow to read."""

_FORMULA: Final = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20']"
"""How a text begins that a spreadsheet might compute, in full width too, or that is marked."""

_TIME: Final = pa.timestamp("ms", "UTC")

_BARS: Final = pa.schema(
    [
        # To the second in text; Parquet has no unit so large.
        ("time", pa.timestamp("s", "UTC")),
        ("symbol", pa.string()),
        ("asset", pa.string()),
        ("last", pa.float64()),
        ("mean", pa.float64()),
        ("ticks", pa.uint32()),
    ]
)

_EVENTS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("symbol", pa.string()),
        ("asset", pa.string()),
        ("ts", _TIME),
        ("updated_ts", _TIME),
        ("horizon_sec", pa.int64()),
        ("peak", pa.float64()),
        ("threshold", pa.float64()),
        ("severity", pa.string()),
        ("count", pa.int64()),
        ("from_price", pa.float64()),
        ("from_ts", _TIME),
        ("to_price", pa.float64()),
        ("to_ts", _TIME),
        ("surprise", pa.float64()),
        ("vs_peers", pa.float64()),
        ("regime", pa.string()),
        ("history", pa.bool_()),
        ("text", pa.string()),
    ]
)

_LAST_SEC: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LISTED: Final = 8
"""So many symbols are named where another was expected."""


class ExportError(MarketPulseError):
    """What was asked for cannot be exported: what was found, what was expected, what to do."""


def write(
    archive: Archive,
    what: What,
    form: Form,
    out: BinaryIO,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
) -> int:
    """Write what began from ``begin`` on and before ``end``, of some symbols or all; how many rows.

    Nothing is written where there is no row.

    Raises:
        ExportError: where that is so.
        ArchiveError: where the archive cannot be read.
        OSError: where ``out`` cannot be written.
    """
    if not begin < end:
        raise ExportError(
            f"the span ends at {time_text(end)}, expected later than its begin {time_text(begin)}"
        )
    if symbols is not None:
        _check(symbols, list(archive.symbols()))
    batches = _batches(archive, what, begin, end, symbols)
    first = next(batches, None)
    if first is None:
        raise ExportError(_missing(archive, what, begin, end, symbols))
    return _WRITERS[form](out, first.schema, chain([first], batches))


def save(
    archive: Archive,
    what: What,
    form: Form,
    path: Path,
    begin: float,
    end: float,
    symbols: Sequence[str] | None = None,
) -> int:
    """The same into a new file, which has its name when it is whole and is not there otherwise.

    Raises:
        ExportError: where there is no row, or the file cannot be written.
        ArchiveError: where the archive cannot be read.
    """
    with _translated(path):
        if path.exists():
            raise ExportError(f"{path} exists already: remove it, or choose another name")
        # Beside it, for a rename must not cross file systems; short, for a name has a limit.
        part = path.with_name(f".{secrets.token_hex(4)}.part")
        with part.open("xb") as file:
            try:
                rows = write(archive, what, form, file, begin, end, symbols)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                part.unlink()
                raise
        part.replace(path)
    return rows


def reach(archive: Archive, what: What) -> tuple[int, int] | None:
    """The begin and the end of the span that holds all of it, None where there is nothing."""
    kept = archive.span()
    seconds = [] if kept is None else [kept[0], kept[1] + 1]
    if what == "events":
        # They are kept for longer than bars.
        began = archive.began()
        seconds += [] if began is None else [math.floor(began[0]), math.floor(began[1]) + 1]
    return (min(seconds), max(seconds)) if seconds else None


def count(
    archive: Archive,
    what: What,
    begin: float,
    end: float,
    symbols: Sequence[str] | None,
    most: int,
) -> int:
    """How many rows that would be; more than ``most`` are not counted to their end."""
    pieces: Iterator[int] = (
        (len(bars) for bars in archive.blocks(math.ceil(begin), math.ceil(end), symbols))
        if what == "bars"
        else (1 for _ in archive.events(begin, end, symbols))
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
) -> str:
    """The command that exports the same, as it is to be typed in the project's folder."""
    file = archive.path.resolve()
    home = Path(__file__).resolve().parent.parent
    if file.is_relative_to(home):
        file = file.relative_to(home)
    words = ["-m", "history.export", what, "--from", time_text(begin), "--to", time_text(end)]
    if symbols is not None:
        words.append(f"--symbols={','.join(symbols)}")
    words += ["--archive", str(file), "--out", file_name(what, form, begin, end)]
    return shlex.join([".venv/bin/python", *words])


def file_name(what: What, form: Form, begin: float, end: float) -> str:
    """A name that says what is in the file, and that every system takes."""
    span = "_".join(re.sub("[-:]", "", time_text(ts)) for ts in (begin, end))
    return f"{what}_{span}.{form}"


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Do what the command line asks for; one sentence and 2 where that cannot be done."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        _run(given, environ)
    except MarketPulseError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    except BrokenPipeError:
        # Whoever read it has had enough. Python flushes once more when it ends, into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        parser.exit(130)


# The command.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m history.export",
        description="Write the bars or events of an archive as CSV, JSON or Parquet.",
        epilog="Times are ISO 8601, in UTC if they name no zone: 2026-01-31T14:32:05Z."
        " Notes from before December 2026 may call this command python -m export.",
    )
    parser.add_argument("what", choices=WHATS)
    parser.add_argument("--from", dest="begin", type=_instant, metavar="TIME", help="from then on")
    parser.add_argument("--to", dest="end", type=_instant, metavar="TIME", help="before then")
    parser.add_argument(
        "--last",
        type=_length,
        metavar="LENGTH",
        help="instead of --from: so long before --to or the archive's end, like 90s, 15m, 24h, 7d",
    )
    parser.add_argument("--symbols", type=_symbols, metavar="A,B", help="these only")
    parser.add_argument(
        "--format", choices=FORMS, help="where the name of FILE does not end in it; else csv"
    )
    parser.add_argument(
        "--out", default="-", metavar="FILE", help="a new file; standard output where left out"
    )
    parser.add_argument(
        "--archive", type=Path, metavar="FILE", help="the dashboard's own where left out"
    )
    return parser


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> None:
    archive = _archive(given.archive or _own_archive(environ))
    form = _form(given.format, given.out)
    begin, end = _span(given, archive)
    if given.out == "-":
        with _translated(Path("standard output")):
            write(archive, given.what, form, sys.stdout.buffer, begin, end, given.symbols)
            sys.stdout.buffer.flush()
        return
    path = Path(given.out)
    rows = save(archive, given.what, form, path, begin, end, given.symbols)
    sys.stderr.write(f"{rows:,} {given.what} in {path}, {path.stat().st_size:,} bytes\n")


def _archive(path: Path) -> Archive:
    try:
        if path.is_file() and not is_archive(path):
            raise ExportError(
                f"{path} is no archive, expected one of the dashboard's: check the path"
            )
    except OSError as error:
        raise ExportError(
            f"{path} cannot be read ({error.strerror}): check its permissions"
        ) from error
    return Archive(path)


def _own_archive(environ: Mapping[str, str]) -> Path:
    path = archive_file(load(environ))
    if path is None:
        raise ExportError("by its settings the dashboard keeps no archive: name one by --archive")
    return path


def _form(chosen: Form | None, out: str) -> Form:
    if out == "-":
        if chosen == "parquet":
            raise ExportError("standard output takes no Parquet: name a file by --out")
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
        kept = reach(archive, given.what)
        if kept is None:
            raise ExportError(f"{archive.path} has no {given.what} yet: try again in a minute")
        begin = kept[0] if begin is None else begin
        end = kept[1] if end is None else end
    return (begin if given.last is None else end - given.last), end


def _instant(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time, expected one like 2026-01-31T14:32:05Z"
        ) from None


def _length(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no length, expected one like 90s, 15m, 24h, 7d or 2w"
        )
    return float(int(found[1]) * _LAST_SEC[found[2]])


def _symbols(text: str) -> list[str]:
    # Neither a watchlist nor a tape has a symbol with a comma or outer blanks.
    symbols = [symbol for symbol in map(str.strip, text.split(",")) if symbol]
    if not symbols:
        raise argparse.ArgumentTypeError("no symbol is named, expected some like AAPL,BTC-USD")
    return symbols


# What is refused.


def _check(symbols: Sequence[str], known: Sequence[str]) -> None:
    for symbol in symbols:
        if symbol not in known:
            close = difflib.get_close_matches(symbol.upper(), known, n=1)
            more = ", …" if len(known) > _LISTED else ""
            raise ExportError(
                f"the archive has no {symbol!r}: did you mean {close[0]}?"
                if close
                else f"the archive has no {symbol!r},"
                f" expected one of {', '.join(known[:_LISTED])}{more}"
            )


def _missing(
    archive: Archive, what: What, begin: float, end: float, symbols: Sequence[str] | None
) -> str:
    of = f" of {', '.join(symbols[:_LISTED])}" if symbols else ""
    kept = reach(archive, what)
    there = "is empty" if kept is None else f"has {' to '.join(map(time_text, kept))}"
    return (
        f"there are no {what}{of} from {time_text(begin)} to {time_text(end)}: the archive {there}"
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Raises what the system raises as an ``ExportError``, but for a pipe that nobody reads."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        advice = {
            errno.ENOENT: "make its folder first, or choose another",
            errno.ENOTDIR: "its folder is a file: choose another",
            errno.ENOSPC: "free some space, or choose another disk",
            errno.EDQUOT: "free some space, or choose another disk",
        }.get(error.errno or 0, "choose another place")
        raise ExportError(
            f"{path} cannot be written ({error.strerror or error}): {advice}"
        ) from error


# Rows.


def _batches(
    archive: Archive, what: What, begin: float, end: float, symbols: Sequence[str] | None
) -> Iterator[Any]:
    if what == "bars":
        return _bar_batches(archive, math.ceil(begin), math.ceil(end), symbols)
    return _event_batches(archive.events(begin, end, symbols))


def _bar_batches(
    archive: Archive, begin: int, end: int, symbols: Sequence[str] | None
) -> Iterator[Any]:
    for bars in archive.blocks(begin, end, symbols):
        names, assets = pa.array(bars.symbols, pa.string()), pa.array(bars.assets, pa.string())
        for first in range(0, len(bars), _STEP_ROWS):
            cells = bars.cells[first : first + _STEP_ROWS]
            rows = pa.array(cells["row"])
            columns = [
                pa.array(cells["second"]).cast(_BARS.field("time").type),
                names.take(rows),
                assets.take(rows),
                pa.array(cells["price"]),
                _known(cells["sum"] / cells["n"]),
                pa.array(cells["n"]),
            ]
            yield pa.record_batch(columns, schema=_BARS)


def _known(values: Any) -> Any:
    """Without what is none: a sum may be too large to be a number."""
    return pa.array(values, mask=~np.isfinite(values))


def _event_batches(events: Iterator[Event]) -> Iterator[Any]:
    while found := list(islice(events, _STEP_ROWS)):
        columns = []
        for column in _EVENTS:
            cells = [getattr(event, column.name) for event in found]
            if column.type == _TIME:
                cells = [None if ts is None else round(ts * 1000) for ts in cells]
            elif column.type == pa.float64():
                cells = [
                    cell if cell is not None and math.isfinite(cell) else None for cell in cells
                ]
            columns.append(pa.array(cells, column.type))
        yield pa.record_batch(columns, schema=_EVENTS)


# Forms.


def _write_csv(out: BinaryIO, schema: Any, batches: Iterator[Any]) -> int:
    rows = 0
    with CSVWriter(out, _with_text(schema)) as writer:
        for batch in batches:
            columns = [
                _harmless(column) if column.type == pa.string() else _shown(column)
                for column in batch.columns
            ]
            writer.write_batch(pa.record_batch(columns, schema=_with_text(schema)))
            rows += len(batch)
    return rows


def _write_json(out: BinaryIO, schema: Any, batches: Iterator[Any]) -> int:
    # A struct of the columns, for these are what msgspec writes fastest. Not finite is null.
    row = msgspec.defstruct("Row", schema.names, gc=False)
    encode = msgspec.json.Encoder().encode_lines
    rows = 0
    for batch in batches:
        cells = [_shown(column).to_numpy(zero_copy_only=False).tolist() for column in batch.columns]
        lines = encode(list(map(row, *cells))).removesuffix(b"\n")
        out.write(b",\n" if rows else b"[\n")
        # Within a text a line's end is written as \n: what is left stands between the rows.
        out.write(lines.replace(b"\n", b",\n"))
        rows += len(batch)
    out.write(b"\n]\n")
    return rows


def _write_parquet(out: BinaryIO, schema: Any, batches: Iterator[Any]) -> int:
    rows = 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _gathered(batches):
            writer.write_table(group)
            rows += len(group)
    return rows


_WRITERS: Final[Mapping[Form, Callable[[BinaryIO, Any, Iterator[Any]], int]]] = {
    "csv": _write_csv,
    "json": _write_json,
    "parquet": _write_parquet,
}


def _gathered(batches: Iterator[Any]) -> Iterator[Any]:
    """The rows of batches in tables of a row group each."""
    held: list[Any] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= _GROUP_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _with_text(schema: Any) -> Any:
    """The columns with text in the place of times."""
    return pa.schema(
        [
            (column.name, pa.string() if pa.types.is_timestamp(column.type) else column.type)
            for column in schema
        ]
    )


def _shown(column: Any) -> Any:
    """A column as it is, or times as text."""
    if not pa.types.is_timestamp(column.type):
        return column
    # Many rows share a time, whose text is made once.
    times = column.dictionary_encode()
    unit = column.type.unit
    known = times.dictionary.cast(pa.int64()).to_numpy().view(f"datetime64[{unit}]")
    texts = np.char.add(np.datetime_as_string(known, unit=unit), "Z")
    return pa.array(texts, pa.string()).take(times.indices)


def _harmless(texts: Any) -> Any:
    """Texts that no spreadsheet takes for a formula."""
    known = texts.dictionary_encode()
    marked = pc.replace_substring_regex(known.dictionary, _FORMULA, r"'\0")
    return marked.take(known.indices)


if __name__ == "__main__":
    main()
