"""Sheet: rows of bars or events as an .xlsx workbook of one sheet, piece by piece.

Times are cells with a date, in a zone that the head of their column names; numbers are numbers,
which each program shows as its locale writes them, to 16 digits; texts are texts, whatever they
look like, and no cell is a formula. Characters that leave no mark are shown as their codes. What
is not known, or larger than a spreadsheet takes, is an empty cell. When clocks are put back, an
hour of times comes twice, in order.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from xlsxwriter import Workbook  # type: ignore[import-untyped]
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

from ticks import MarketPulseError, legible

__all__ = ["SHEET_ROWS", "SheetError", "write_sheet"]

# Neither PyArrow nor XlsxWriter has types of its own to check against: theirs are Any.

SHEET_ROWS: Final = 1_048_575
"""The most rows that a sheet takes, in any spreadsheet; its head is one more."""

_EPOCH_DAYS: Final = 25_569
"""The days from where spreadsheets count to 1970."""

_DAY_SEC: Final = 86_400

_PER_SEC: Final = {"s": 1, "ms": 1000}

_LARGEST: Final = 9.99999999999999e307
"""The largest number that every spreadsheet takes."""

_FORMATS: Final = {"s": "yyyy-mm-dd hh:mm:ss", "ms": "yyyy-mm-dd hh:mm:ss.000"}
"""How times are shown, by their unit: in every locale like that."""

_TEXT_FORMAT: Final = "@"
"""A text stays one when somebody edits its cell."""

_MOST_TEXT: Final = 4_000
"""A cell takes 32,767 characters, and a code that stands for one has up to eight."""


class SheetError(MarketPulseError):
    """The rows do not fit into a sheet."""

    def __init__(self) -> None:
        super().__init__(
            f"a sheet holds at most {SHEET_ROWS:,} rows, and there are more: choose a shorter span"
            " or fewer symbols, or .csv or .parquet, which hold any number"
        )


def write_sheet(
    out: BinaryIO, schema: Any, batches: Iterator[Any], zone: tzinfo, folder: Path | None
) -> int:
    """Write batches, each before the next is asked for; returns how many rows.

    They go through files in a folder of their own within ``folder``, the system's for such files if
    None: a workbook is packed once its last row is known.

    Raises:
        SheetError: if there are more rows than a sheet holds.
        OSError: if ``out`` or the folder cannot be written.
    """
    target = _Target(out)
    with TemporaryDirectory(prefix=".", dir=folder) as parts:
        workbook = Workbook(target, {"constant_memory": True, "tmpdir": parts})
        sheet = workbook.add_worksheet()
        try:
            rows = _fill(workbook, sheet, schema, batches, zone)
            workbook.close()
        except FileCreateError as error:
            raise error.args[0] from None
        finally:
            target.end()
            # A workbook that is given up keeps this file open; closing it writes what it holds.
            with suppress(OSError):
                sheet._opt_close()
    return rows


class _Target:
    """A file up to its end, and from then on one that nobody reads.

    A ZipFile that was interrupted writes its directory when it is discarded, whether the file still
    takes anything or not.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)

    def seek(self, at: int) -> int:
        return self._out.seek(at)

    def tell(self) -> int:
        return self._out.tell()

    def flush(self) -> None:
        self._out.flush()

    def end(self) -> None:
        self._out = io.BytesIO()


class _Column(NamedTuple):
    """How the cells of a column are made."""

    name: str
    width: int
    format: Any
    cells_of: Callable[[Any], list[Any]]
    """The values of its cells in a batch's column, None for an empty one."""
    put: Callable[..., Any]


def _fill(workbook: Any, sheet: Any, schema: Any, batches: Iterator[Any], zone: tzinfo) -> int:
    columns = [_column(workbook, sheet, field, zone) for field in schema]
    bold = workbook.add_format({"bold": True})
    for at, column in enumerate(columns):
        sheet.set_column(at, at, column.width, column.format)
        sheet.write_string(0, at, column.name, bold)
    sheet.freeze_panes(1, 0)
    # A symbol like 600519 is a text on purpose.
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{SHEET_ROWS + 1}"})
    rows = 0
    for batch in batches:
        if rows + len(batch) > SHEET_ROWS:
            raise SheetError
        cells = [column.cells_of(batch.column(at)) for at, column in enumerate(columns)]
        for row, values in enumerate(zip(*cells, strict=True), rows + 1):
            for at, value in enumerate(values):
                if value is not None:
                    column = columns[at]
                    column.put(row, at, value, column.format)
        rows += len(batch)
    sheet.autofilter(0, 0, rows, len(columns) - 1)
    return rows


def _column(workbook: Any, sheet: Any, field: Any, zone: tzinfo) -> _Column:
    kind = field.type
    if pa.types.is_timestamp(kind):
        shown = workbook.add_format({"num_format": _FORMATS[kind.unit]})
        name = f"{field.name} ({zone})"
        return _Column(name, 24, shown, lambda times: _days(times, zone), sheet.write_number)
    if pa.types.is_string(kind):
        shown = workbook.add_format({"num_format": _TEXT_FORMAT})
        return _Column(field.name, 12, shown, _texts, sheet.write_string)
    if pa.types.is_boolean(kind):
        # LibreOffice takes what is true for a formula that says so.
        return _Column(
            field.name, 12, None, lambda are: _texts(are.cast(pa.string())), sheet.write_string
        )
    return _Column(field.name, 12, None, _numbers, sheet.write_number)


def _days(column: Any, zone: tzinfo) -> list[float | None]:
    """Times as spreadsheets keep them: local days since the end of 1899."""
    # Many rows share a time, which is computed once.
    times = column.dictionary_encode()
    per_sec = _PER_SEC[column.type.unit]
    known: list[float | None] = []
    for value in times.dictionary.cast(pa.int64()).to_pylist():
        try:
            offset = datetime.fromtimestamp(value // per_sec, zone).utcoffset()
        except (OverflowError, ValueError, OSError):  # in the year 10000, there
            known.append(None)
            continue
        ahead = offset.total_seconds() if offset else 0.0
        known.append((value / per_sec + ahead) / _DAY_SEC + _EPOCH_DAYS)
    return _taken(known, times.indices)


def _numbers(column: Any) -> list[float | None]:
    is_small = pc.less_equal(pc.abs(column), _LARGEST)
    numbers: list[float | None] = pc.if_else(is_small, column, None).to_pylist()
    return numbers


def _texts(column: Any) -> list[str | None]:
    texts = column.dictionary_encode()
    known = [legible(text, _MOST_TEXT) for text in texts.dictionary.to_pylist()]
    return _taken(known, texts.indices)


def _taken(known: list[Any], indices: Any) -> list[Any]:
    return [None if at is None else known[at] for at in indices.to_pylist()]
