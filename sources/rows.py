"""Rows: what a file of prices holds as columns, and which of its rows are refused, and why.

Every cell is text until somebody asks for numbers, so that a symbol is what was written, be it
``000001``, ``TRUE``, ``1E5`` or ``NA``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from sources.source import RefusedRow, RowFault, TapeRows
from ticks import MarketPulseError, legible

__all__ = ["DATES", "MOST_EXAMPLES", "Rows", "TapeError", "named", "outside", "shown"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# PyArrow has no types of its own to check against: its columns are Any.

DATES: Final = (1e8, 4.1024448e9)
"""Seconds since the epoch from here (1973) to there (2100) may be the date of a price."""

MOST_EXAMPLES: Final = 3
"""How many of the refused rows are named."""

_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_POWER: Final = r"^[+-]?[0-9]*(?:[.,](?P<decimals>[0-9]*))?[eE]\+?0*(?P<exponent>[0-9]+)$"

_TO_DO: Final[Mapping[RowFault, str]] = {
    RowFault.CELLS: "give every row as many cells as there are headings",
    RowFault.QUOTE: "close it, or take it out",
    RowFault.TIME: "give milliseconds since the tape's start or since 1970",
    RowFault.PART_OF_MS: "give whole milliseconds since the tape's start or since 1970",
    RowFault.ROUNDED_TIME: "in the spreadsheet format the column as whole numbers (0) before it is"
    " saved as CSV, or take the file that it was made from",
    RowFault.OTHER_TIME: "give all times in one unit, since the tape's start or from 1973 to 2099",
    RowFault.BAR_TIME: "export the bars as CSV, JSON or Parquet, whose times are in UTC",
    RowFault.FEED: "give us, forex or crypto",
    RowFault.ASSET: "give stocks, forex or crypto",
    RowFault.SYMBOL: "give a name of at most 64 characters without commas",
    RowFault.TWO_FEEDS: "give each symbol one feed",
    RowFault.NUMBER: "write numbers without separators of thousands, such as 1234.5",
    RowFault.PRICE: "give a price above zero, or bid and ask in forex",
    RowFault.TICKS: "give a whole number of ticks from 1 to a million",
}
"""What to do about each fault."""


class TapeError(MarketPulseError):
    """A tape that cannot be read or does not hold what a tape must hold."""


class Rows:
    """The rows of a file, column by column; those that are refused keep their places.

    ``columns`` are Arrow's, by their headings in small letters, and null if a cell is blank;
    ``numbers`` are those of the rows in the file. ``refused`` are rows that have no place in the
    columns: the first of ``refused_count``.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, Any],
        numbers: npt.NDArray[np.int64],
        refused: Sequence[RefusedRow] = (),
        refused_count: int = 0,
        *,
        has_decimal_commas: bool = False,
    ) -> None:
        self.path = path
        self._columns = columns
        self._numbers = numbers
        self._refused = list(refused)
        self._refused_count = refused_count
        self._has_decimal_commas = has_decimal_commas
        is_blank = np.ones(len(numbers), np.bool_)
        for column in columns.values():
            is_blank &= _to_numpy(column.is_null())
        self.kept: Mask = ~is_blank
        """Which rows are neither blank nor refused."""
        self._count = refused_count + int(self.kept.sum())

    def __contains__(self, heading: str) -> bool:
        return heading in self._columns

    def text(self, name: str) -> Any:
        """A column of text."""
        return self._columns[name]

    def numbers(self, name: str, fault: RowFault = RowFault.NUMBER) -> Floats:
        """A column of numbers, NaN if a cell is blank; a row with anything else is refused.

        Times that Parquet holds as such are milliseconds since the epoch.

        Raises:
            TapeError: if decimal points and commas are mixed.
        """
        column = self._columns[name]
        if pa.types.is_string(column.type):
            if self._has_decimal_commas:
                column = self._with_points(name, column)
            numbers = _as_numbers(column)
            column = self._only_numbers(name, column, fault) if numbers is None else numbers
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
        # Not safely: nanoseconds have more digits than a float.
        return _to_numpy(column.cast(pa.float64(), safe=False).fill_null(np.nan))

    def seconds(self, name: str) -> Floats:
        """A column of exported times in seconds since the epoch; a row without one is refused."""
        column = self._columns[name]
        if pa.types.is_string(column.type):
            column = pc.strptime(column, "%Y-%m-%dT%H:%M:%SZ", "s", error_is_null=True)
        elif not pa.types.is_timestamp(column.type):
            column = pa.nulls(len(column), pa.timestamp("s"))
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False).cast(pa.int64())
        seconds: Floats = _to_numpy(column.cast(pa.float64(), safe=False).fill_null(np.nan))
        is_date = (seconds >= DATES[0]) & (seconds < DATES[1])
        self.refuse(~is_date, RowFault.BAR_TIME, name)
        return seconds

    def is_rounded(self, name: str) -> Mask:
        """Which cells are written with a power of ten, and too few digits for a whole number.

        A spreadsheet makes ``1.79033E+12`` of 1790329995797, or ``1,79033E+12``.
        """
        column = self._columns[name]
        if not (pa.types.is_string(column.type) and _has(column, "e")):
            return np.zeros(len(column), np.bool_)
        found = pc.extract_regex(column, _POWER)
        decimals = pc.utf8_length(pc.struct_field(found, "decimals")).cast(pa.int64())
        exponent = pc.struct_field(found, "exponent")
        # No time has a power of three digits.
        exponent = pc.if_else(pc.less(pc.utf8_length(exponent), 3), exponent, "99")
        is_short = pc.greater(exponent.cast(pa.int64()), decimals.fill_null(0))
        return _to_numpy(is_short.fill_null(False))

    def refuse(self, is_bad: Mask, fault: RowFault, name: str) -> None:
        """Refuse the rows of a mask that are not refused yet, because of what a column holds."""
        is_bad = is_bad & self.kept
        places = np.flatnonzero(is_bad)
        self.kept &= ~is_bad
        self._refused_count += len(places)
        cells = self._columns[name]
        self._refused += [
            RefusedRow(int(self._numbers[at]), fault, name, shown(cells[at].as_py()))
            for at in places[:MOST_EXAMPLES].tolist()
        ]

    def report(self, sorted_count: int) -> TapeRows:
        """What was refused, of how many rows, and that ``sorted_count`` were out of order.

        Raises:
            TapeError: if there is no row, or less than nine tenths of them are good.
        """
        name = shown(self.path.name)
        if not self._count:
            raise TapeError(f"the tape {name} has no rows, expected at least one; record it again")
        examples = sorted(self._refused, key=lambda row: row.number)[:MOST_EXAMPLES]
        if self._refused_count * 10 > self._count:
            first = examples[0]
            found = f" ({first.column} is {first.found!r})" if first.found else ""
            others = (
                f", and so on: {self._refused_count:,} of {self._count:,} rows are bad, expected a"
                " tenth at most"
                if self._refused_count > 1
                else ""
            )
            raise TapeError(
                f"row {first.number} of the tape {name}: {first.fault}{found}{others};"
                f" {_TO_DO[first.fault]}"
            )
        return TapeRows(self._count, self._refused_count, tuple(examples), sorted_count)

    def _only_numbers(self, name: str, column: Any, fault: RowFault) -> Any:
        """A column without what is no number; the rows of that are refused."""
        is_number = pc.match_substring_regex(column, _NUMBER)
        self.refuse(~_to_numpy(is_number.fill_null(True)), fault, name)
        return pc.if_else(is_number, column, pa.scalar(None, pa.string()))

    def _with_points(self, name: str, column: Any) -> Any:
        """Numbers with decimal commas as they are written with points."""
        if not _has(column, ","):
            return column
        if _has(column, "."):
            raise TapeError(
                f"the tape {shown(self.path.name)} has numbers with points and with commas in its"
                f" column {name}, expected one decimal mark; write them without separators"
            )
        return pc.replace_substring(column, ",", ".")


def shown(cell: object) -> str:
    """What a cell holds, as an error or the page may show it; empty for a blank one."""
    return "" if cell is None else legible(str(cell), 40)


def named(path: Path) -> str:
    """A path as an error may show it."""
    return legible(str(path), 200)


def outside(
    path: Path, begin: float | None, end: float | None, span: tuple[float, float]
) -> TapeError:
    """The error if nothing was recorded from ``begin`` to ``end``, but from and to ``span``."""
    first, last = span
    asked = f"{_utc(first if begin is None else begin)} to {_utc(last if end is None else end)}"
    return TapeError(
        f"{named(path)} has no prices from {asked}, only from {_utc(first)} to {_utc(last)};"
        " choose a span with prices"
    )


def _utc(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _has(column: Any, mark: str) -> bool:
    """Whether any cell has a mark in it, as a small letter or a capital."""
    return bool(pc.any(pc.match_substring(column, mark, ignore_case=True)).as_py())


def _as_numbers(column: Any) -> Any:
    """Text as numbers, None if any cell is none that is finite: a look at each takes longer."""
    try:
        numbers = column.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return numbers if pc.all(pc.is_finite(numbers)).as_py() in (True, None) else None


def _to_numpy(column: Any) -> npt.NDArray[Any]:
    # A copy: Arrow's own memory must not be written.
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values.copy() if not values.flags.writeable else values
