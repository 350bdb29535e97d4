"""Formats: the rows of a file of prices, whatever wrote it and whatever it is called.

CSV with commas, semicolons or tabs, with any capitals in its headings, in UTF-8 or UTF-16, as it
is or compressed; JSON and Parquet as they are exported. Anything else is named, with what to do.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from sources.rows import MOST_EXAMPLES, Rows, TapeError, named, shown
from sources.source import RefusedRow, RowFault
from ticks import legible

__all__ = ["BAR_COLUMNS", "TAPE_COLUMNS", "read_rows"]

TAPE_COLUMNS: Final = ("ms", "feed", "symbol", "price", "bid", "ask", "size")
BAR_COLUMNS: Final = ("time", "symbol", "asset", "last", "mean", "ticks")
"""Those of exported bars."""

_EVENT_COLUMNS: Final = frozenset({"kind", "symbol", "ts", "severity"})
"""Some of exported events'."""

_KNOWN: Final = frozenset((*TAPE_COLUMNS, *BAR_COLUMNS))

_OTHER_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("time", "timestamp", "ts", "date", "datetime", "t", "millis"), "ms"),
    **dict.fromkeys(("asset", "class", "market", "exchange", "type"), "feed"),
    **dict.fromkeys(("ticker", "sym", "s", "code", "name", "pair"), "symbol"),
    **dict.fromkeys(("last", "close", "p", "value"), "price"),
    **dict.fromkeys(("volume", "qty", "quantity", "amount", "v"), "size"),
}
"""What others call the columns of a tape."""

_DELIMITERS: Final = (",", ";", "\t", "|")

_MOST_SHOWN: Final = 60
"""How many characters of unknown headings an error shows."""

_UNPACK: Final[Mapping[bytes, tuple[str, Callable[[bytes], bytes]]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
"""What is unpacked, by how it begins."""

_FOREIGN: Final[Mapping[bytes, str]] = {
    b"PK\x03\x04": "a workbook or a zip archive, expected CSV, JSON or Parquet; export the bars as"
    " one of these, save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "a workbook, expected CSV; save its sheet as CSV",
    b"\x28\xb5\x2f\xfd": "compressed by zstd, expected CSV or a gzip file; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, expected CSV or a gzip file; unpack it",
}
"""What cannot be read, by how it begins, and what to do."""


class _Head(NamedTuple):
    """The headings of a CSV file."""

    names: list[str]
    delimiter: str
    line: int
    """The number of their line."""
    end: int
    """Where the first row begins."""


def read_rows(path: Path) -> Rows:
    """The rows of a file, with the columns of a tape or of exported bars at least.

    Raises:
        TapeError: if it is none such, or cannot be read: what was found, and what to do.
    """
    data = _content(path)
    if data.startswith(b"PAR1"):
        return _parquet_rows(path, data)
    data = _in_utf8(data)
    if data[:1024].lstrip()[:1] in (b"[", b"{"):
        return _json_rows(path, data)
    return _csv_rows(path, data)


def _content(path: Path) -> bytes:
    """What is in a file, unpacked."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise TapeError(
            f"no tape at {named(path)}; give the path of a .csv or .csv.gz file"
        ) from None
    except OSError as error:
        raise TapeError(
            f"{named(path)} cannot be read ({error.strerror}); check the path"
        ) from error
    for magic, (kind, unpack) in _UNPACK.items():
        if data.startswith(magic):
            try:
                data = unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise TapeError(
                    f"{named(path)} cannot be read as a whole {kind} file ({error}); get it again"
                ) from error
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise TapeError(f"{named(path)} is {what}")
    if not data or data.isspace():
        raise TapeError(f"{named(path)} is empty, expected {','.join(TAPE_COLUMNS)} and rows")
    return data


def _in_utf8(data: bytes) -> bytes:
    """Text in UTF-8 without a byte order mark, whatever it was in."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    # What is no UTF-8 costs the rows that it is in, not the file.
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


# CSV.


def _csv_rows(path: Path, data: bytes) -> Rows:
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if b"\0" in data[:4096]:
        raise TapeError(
            f"{named(path)} is no text, expected CSV, JSON or Parquet; check which file it is"
        )
    head = _head(data)
    _check(path, head.names)
    body, unclosed = _without_open_quotes(data[head.end :], head.line + 1)
    ragged: list[int] = []
    examples = unclosed[:MOST_EXAMPLES]

    def skip(row: Any) -> str:
        number = head.line + row.number
        ragged.append(number)
        if len(ragged) <= MOST_EXAMPLES:
            found = f"{row.actual_columns} of {row.expected_columns} cells"
            examples.append(RefusedRow(number, RowFault.CELLS, "row", found))
        return "skip"

    # Those that nobody asks for need names of their own.
    names = [name if name in _KNOWN else f"{at} {name}" for at, name in enumerate(head.names)]
    wanted = [name for name in names if name in _KNOWN]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body or b"\n"),  # a blank row for none: Arrow wants one
            # One thread: only then do bad rows come with their numbers.
            read_options=arrow_csv.ReadOptions(
                use_threads=False, column_names=names, block_size=2**24
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=head.delimiter, invalid_row_handler=skip, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
            ),
        )
    except pa.ArrowInvalid as error:
        raise TapeError(
            f"{named(path)} cannot be read as CSV ({legible(str(error))}); get it again"
        ) from error
    columns = {name: _cleaned(table[name].combine_chunks()) for name in wanted}
    if "ms" not in columns:
        # An export marks texts that begin like a formula, and takes this off again.
        for name in ("symbol", "asset"):
            columns[name] = pc.replace_substring_regex(columns[name], "^'", "")
    numbers = np.arange(1, len(table) + len(ragged) + 1, dtype=np.int64) + head.line
    numbers = np.delete(numbers, np.array(ragged, np.int64) - head.line - 1)
    return Rows(
        path,
        columns,
        numbers,
        examples,
        len(unclosed) + len(ragged),
        has_decimal_commas=head.delimiter == ";",
    )


def _head(data: bytes) -> _Head:
    """The first line that is not blank, of which every cell is a heading."""
    end = line = 0
    text, told = "", ""
    while end < len(data) and not text.strip():
        begin, end = end, data.find(b"\n", end) + 1 or len(data)
        line += 1
        text = data[begin:end].decode().strip("\r\n")
        if not told and text[:4].lower() == "sep=" and len(text) == len("sep=;"):
            told, text = text[-1], ""  # how a spreadsheet is told the delimiter
    splits = {mark: _split(text, mark) for mark in (told or _DELIMITERS)}
    mark = max(splits, key=lambda mark: (len(_KNOWN.intersection(splits[mark])), len(splits[mark])))
    return _Head(splits[mark], mark, line, end)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # longer than any heading
        cells = line.split(delimiter)
    return [cell.strip().lower() for cell in cells]


def _without_open_quotes(body: bytes, first: int) -> tuple[bytes, list[RefusedRow]]:
    """Blank lines for those with a quotation mark that is not closed, and what they were.

    Else such a mark would take all rows to the next one, or to the end, for one cell.
    """
    if b'"' not in body:
        return body, []
    lines, refused = body.split(b"\n"), []
    for at, line in enumerate(lines):
        if line.count(b'"') % 2:
            found = shown(line.decode().strip())
            refused.append(RefusedRow(first + at, RowFault.QUOTE, "row", found))
            lines[at] = b""
    return b"\n".join(lines), refused


# The other forms of an export.


def _parquet_rows(path: Path, data: bytes) -> Rows:
    try:
        table = parquet.read_table(pa.BufferReader(data))
        table.validate(full=True)
        names = [name.lower() for name in table.column_names]
        _check(path, names)
        columns = {
            name: _typed(name, table.column(at)) for at, name in enumerate(names) if name in _KNOWN
        }
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise TapeError(
            f"{named(path)} cannot be read as Parquet ({legible(str(error))}); export it again"
        ) from error
    return Rows(path, columns, np.arange(1, len(table) + 1))


def _typed(name: str, column: Any) -> Any:
    """A column as text, unless it is of numbers or times and not of names."""
    column = column.combine_chunks()
    kind = column.type
    is_name = name in ("symbol", "asset", "feed")
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if not is_name and (is_number or pa.types.is_timestamp(kind)):
        return column
    return _cleaned(column.cast(pa.string()))


def _json_rows(path: Path, data: bytes) -> Rows:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TapeError(
            f"{named(path)} cannot be read as JSON ({legible(str(error))}); export it again"
        ) from error
    first = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(first, dict):
        raise TapeError(
            f"{named(path)} is JSON without a list of rows, expected one as it is exported, or CSV;"
            " export the bars again"
        )
    _check(path, [name.lower() for name in first])
    wanted = {name.lower(): name for name in first if name.lower() in _KNOWN}
    bad = [
        RefusedRow(number, RowFault.CELLS, "row", shown(row))
        for number, row in enumerate(rows, 1)
        if not isinstance(row, dict)
    ]
    good = [(number, row) for number, row in enumerate(rows, 1) if isinstance(row, dict)]
    columns = {
        name: _cleaned(pa.array([_written(row.get(given)) for _, row in good], pa.string()))
        for name, given in wanted.items()
    }
    numbers = np.array([number for number, _ in good], np.int64)
    return Rows(path, columns, numbers, bad[:MOST_EXAMPLES], len(bad))


def _written(value: object) -> str | None:
    """A value of JSON as it is written in CSV; half of a character is none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cleaned(column: Any) -> Any:
    """Text without outer blanks, null if nothing is left."""
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


# Headings.


def _check(path: Path, names: Sequence[str]) -> None:
    """Refuse a file without the columns of a tape or of exported bars."""
    name = shown(path.name)
    found = set(names)
    for columns in (TAPE_COLUMNS, BAR_COLUMNS):
        if found.issuperset(columns):
            twice = [column for column in columns if names.count(column) > 1]
            if twice:
                raise TapeError(
                    f"the tape {name} has {twice[0]} in two columns, expected one; rename the other"
                )
            return
    if found >= _EVENT_COLUMNS:
        raise TapeError(f"{name} holds exported events, expected prices; export bars instead")
    missing = [column for column in TAPE_COLUMNS if column not in found]
    renamed = {
        column: other for column in missing for other in names if _OTHER_NAMES.get(other) == column
    }
    to_do = [f"rename {other} to {column}" for column, other in renamed.items()]
    rest = [column for column in missing if column not in renamed]
    if rest:
        to_do.append(f"add {', '.join(rest)}")
    raise TapeError(
        f"the tape {name} has the columns {legible(','.join(names), _MOST_SHOWN)},"
        f" expected {','.join(TAPE_COLUMNS)}; {', '.join(to_do)}"
    )
