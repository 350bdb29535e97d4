"""Forms: rows of bars or events as CSV, JSON, Parquet or a spreadsheet's workbook, piece by piece.

Bars have the columns ``time`` (the second that begins then), ``symbol``, ``asset``, ``last``,
``mean`` (of all ticks of the second) and ``ticks``. Events have the fields of ``Event`` and of its
lead, the values of its parts by their kinds, and what is said of it, ``text`` and ``more``. Times
are ISO 8601 in UTC, in Parquet timestamps of milliseconds; numbers are written so that reading
gives the same number again; what is not known is blank in CSV and null elsewhere. A workbook is for
people: ``sheet`` says what differs in it.

Symbols are the vendor's or the tape's words. In CSV a text that begins like a formula (=, +, -, @)
has an apostrophe in front, so that a spreadsheet that opens it computes nothing. So has one that
begins with an apostrophe: whoever takes one off each text has them as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, get_args

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from pyarrow.csv import CSVWriter  # type: ignore[import-untyped]
from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

from bars import Bars
from events import Event
from history.archive import Archive
from history.losses import Losses
from history.sheet import write_sheet
from ticks import BUILT_IN_KINDS, EventKind

__all__ = ["FORMS", "GROUP_ROWS", "MIME", "WHATS", "Form", "What", "row_batches", "write_rows"]

# PyArrow has no types of its own to check against: its batches, schemas and columns are Any.

What = Literal["bars", "events"]
Form = Literal["csv", "json", "parquet", "xlsx"]

WHATS: Final[tuple[What, ...]] = get_args(What)
FORMS: Final[tuple[Form, ...]] = get_args(Form)

MIME: Final[Mapping[Form, str]] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_STEP_ROWS: Final = 65_536
"""Rows that are in memory at once, in each of the forms that they go through."""

GROUP_ROWS: Final = 262_144
"""A row group in Parquet has at least these: small ones compress badly and are slow to read."""

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


def _peak(kind: EventKind, event: Event) -> float | None:
    """The value of one part of an event, None if it has none of that kind."""
    return next((part.value for part in event.parts if part.kind == kind), None)


_EVENTS: Final[tuple[tuple[str, Any, Callable[[Event], Any]], ...]] = (
    ("id", pa.string(), attrgetter("id")),
    ("kind", pa.string(), attrgetter("kind")),
    ("rule", pa.string(), lambda event: event.rule or None),
    ("symbol", pa.string(), attrgetter("symbol")),
    ("asset", pa.string(), attrgetter("asset")),
    ("ts", _TIME, attrgetter("ts")),
    ("updated_ts", _TIME, attrgetter("updated_ts")),
    ("over_ts", _TIME, attrgetter("over_ts")),
    ("when", pa.string(), attrgetter("lead.when")),
    ("horizon_sec", pa.int64(), attrgetter("lead.horizon_sec")),
    ("peak", pa.float64(), attrgetter("lead.value")),
    ("threshold", pa.float64(), attrgetter("lead.threshold")),
    ("severity", pa.string(), attrgetter("severity")),
    ("count", pa.int64(), attrgetter("count")),
    ("from_price", pa.float64(), attrgetter("lead.from_price")),
    ("from_ts", _TIME, attrgetter("lead.from_ts")),
    ("to_price", pa.float64(), attrgetter("lead.to_price")),
    ("to_ts", _TIME, attrgetter("lead.to_ts")),
    ("times_usual", pa.float64(), attrgetter("lead.times_usual")),
    ("surprise", pa.float64(), attrgetter("lead.surprise")),
    ("early", pa.bool_(), attrgetter("early")),
    ("vs_peers", pa.float64(), attrgetter("vs_peers")),
    ("company", pa.string(), lambda event: event.company or None),
    ("twins", pa.string(), lambda event: " ".join(event.twins) or None),
    ("regime", pa.string(), attrgetter("regime")),
    ("history", pa.bool_(), attrgetter("history")),
    *((kind, pa.float64(), partial(_peak, kind)) for kind in BUILT_IN_KINDS),
    ("text", pa.string(), attrgetter("text")),
    ("more", pa.string(), lambda event: event.more or None),
)
"""The columns of an event: a name, a type, and where its cell comes from."""


def row_batches(
    archive: Archive,
    what: What,
    begin: float,
    end: float,
    symbols: Sequence[str] | None,
    losses: Losses,
) -> Iterator[Any]:
    """The bars or events that began at ``begin`` or later and before ``end``; no batch is empty.

    What is damaged is left out, and counted in ``losses``.

    Raises:
        ArchiveError: if the archive cannot be read.
    """
    if what == "bars":
        return _bar_batches(archive.blocks(math.ceil(begin), math.ceil(end), symbols, losses))
    return _event_batches(archive.events(begin, end, symbols, losses))


def _bar_batches(blocks: Iterator[Bars]) -> Iterator[Any]:
    for bars in blocks:
        names, assets = pa.array(bars.symbols, pa.string()), pa.array(bars.assets, pa.string())
        for first in range(0, len(bars), _STEP_ROWS):
            cells = bars.cells[first : first + _STEP_ROWS]
            rows = pa.array(cells["row"])
            columns = [
                pa.array(cells["second"]).cast(_BARS.field("time").type),
                names.take(rows),
                assets.take(rows),
                pa.array(cells["price"]),
                _finite(cells["sum"] / cells["n"]),
                pa.array(cells["n"]),
            ]
            yield pa.record_batch(columns, schema=_BARS)


def _finite(values: Any) -> Any:
    """Without what is not a number: a sum may be too large to be one."""
    return pa.array(values, mask=~np.isfinite(values))


def _event_batches(events: Iterator[Event]) -> Iterator[Any]:
    schema = pa.schema([(name, kind) for name, kind, _ in _EVENTS])
    while found := list(islice(events, _STEP_ROWS)):
        columns = []
        for _, kind, cell_of in _EVENTS:
            cells = [cell_of(event) for event in found]
            if kind == _TIME:
                cells = [None if ts is None else round(ts * 1000) for ts in cells]
            elif kind == pa.float64():
                cells = [
                    cell if cell is not None and math.isfinite(cell) else None for cell in cells
                ]
            columns.append(pa.array(cells, kind))
        yield pa.record_batch(columns, schema=schema)


def _write_csv(out: BinaryIO, schema: Any, batches: Iterator[Any]) -> int:
    rows = 0
    with CSVWriter(out, _text_schema(schema)) as writer:
        for batch in batches:
            columns = [
                _escaped(column) if column.type == pa.string() else _times_as_text(column)
                for column in batch.columns
            ]
            writer.write_batch(pa.record_batch(columns, schema=_text_schema(schema)))
            rows += len(batch)
    return rows


def _write_json(out: BinaryIO, schema: Any, batches: Iterator[Any]) -> int:
    # A struct of the columns, because msgspec writes structs fastest. What is not finite is null.
    row = msgspec.defstruct("Row", schema.names, gc=False)
    encode = msgspec.json.Encoder().encode_lines
    rows = 0
    for batch in batches:
        cells = [
            _times_as_text(column).to_numpy(zero_copy_only=False).tolist()
            for column in batch.columns
        ]
        lines = encode(list(map(row, *cells))).removesuffix(b"\n")
        out.write(b",\n" if rows else b"[\n")
        # Within a text a line's end is written as \n: what is left stands between the rows.
        out.write(lines.replace(b"\n", b",\n"))
        rows += len(batch)
    out.write(b"\n]\n")
    return rows


def _write_parquet(out: BinaryIO, schema: Any, batches: Iterator[Any], group_rows: int) -> int:
    rows = 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _row_groups(batches, group_rows):
            writer.write_table(group)
            rows += len(group)
    return rows


def write_rows(
    form: Form,
    out: BinaryIO,
    batches: Iterator[Any],
    group_rows: int = GROUP_ROWS,
    zone: tzinfo = UTC,
    folder: Path | None = None,
) -> int:
    """Write batches, each before the next is asked for; returns how many rows, 0 if no batch came.

    ``group_rows`` is of Parquet, ``zone`` and ``folder`` are of a workbook: that of its times, and
    where it keeps its parts until it is whole.

    Raises:
        SheetError: if there are more rows than a sheet holds.
        OSError: if ``out`` cannot be written.
    """
    first = next(batches, None)
    if first is None:
        return 0
    batches = chain([first], batches)
    match form:
        case "csv":
            return _write_csv(out, first.schema, batches)
        case "json":
            return _write_json(out, first.schema, batches)
        case "parquet":
            return _write_parquet(out, first.schema, batches, group_rows)
        case "xlsx":
            return write_sheet(out, first.schema, batches, zone, folder)


def _row_groups(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """The rows of batches as tables of at least ``rows`` rows each, but for the last."""
    held: list[Any] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= rows:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _text_schema(schema: Any) -> Any:
    """A schema with text instead of times."""
    return pa.schema(
        [
            (column.name, pa.string() if pa.types.is_timestamp(column.type) else column.type)
            for column in schema
        ]
    )


def _times_as_text(column: Any) -> Any:
    """A column as it is, or times as text."""
    if not pa.types.is_timestamp(column.type):
        return column
    # Many rows share a time, whose text is made once.
    times = column.dictionary_encode()
    unit = column.type.unit
    known = times.dictionary.cast(pa.int64()).to_numpy().view(f"datetime64[{unit}]")
    texts = np.char.add(np.datetime_as_string(known, unit=unit), "Z")
    return pa.array(texts, pa.string()).take(times.indices)


def _escaped(texts: Any) -> Any:
    """Texts that no spreadsheet takes for a formula."""
    known = texts.dictionary_encode()
    marked = pc.replace_substring_regex(known.dictionary, _FORMULA, r"'\0")
    return marked.take(known.indices)
