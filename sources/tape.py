"""Tapes: what was recorded, in a file of rows or a span of an archive, as quotes for the exchange.

A tape is loaded when the source is opened and read by the exchange on its event loop; nothing here
reads a clock: time is always an argument.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bars import CELL, Bars, Begin, Minutes
from events import Event
from history.archive import ArchiveError, is_archive
from history.losses import LeftOut
from sources.archived import PAST_SEC, ArchivedTape, ms_of, quotes_of
from sources.formats import read_rows
from sources.quotes import Quote
from sources.rows import DATES, Rows, TapeError, named, outside
from sources.source import RowFault, TapeRows
from ticks import ASSETS, Asset, Tick

__all__ = ["TAPE_EPOCH", "ArchivedTape", "Recording", "Tape", "TapeError", "load"]

Floats = npt.NDArray[np.float64]

TAPE_EPOCH: Final = 946_684_800.0
"""2000-01-01 00:00:00 UTC, at which a tape that counts from its own start begins: elapsed time then
reads as time of day."""

_MS_OF_DATES: Final = ((1e17, 1e-6), (1e14, 1e-3), (1e11, 1.0), (9e8, 1e3))
"""Dates in nanoseconds, microseconds, milliseconds and seconds are at least so many, and what makes
milliseconds of them. A tape that counts from its own start for ten days has fewer."""

_FEEDS: Final[Mapping[str, Asset]] = {"us": "stocks", "forex": "forex", "crypto": "crypto"}
_CLASSES: Final[Mapping[str, Asset]] = {asset: asset for asset in ASSETS}

_LONGEST_SYMBOL: Final = 64
_MOST_TICKS: Final = 1e6
_MOST_SYMBOLS: Final = np.iinfo(CELL["row"]).max + 1
"""So many rows can a block of bars tell apart."""


class Tape:
    """A recorded tape: its quotes are read in order as time passes them, and none is skipped.

    ``quotes`` makes those of a piece of ``times``, which are in order: event times in seconds since
    the epoch. ``is_believed``: whether they were judged when they were recorded.
    """

    source = ""
    """The source that recorded the prices, which is not known."""

    left_out = LeftOut()
    """What was damaged: nothing, as far as a tape can tell."""

    def __init__(
        self,
        symbols: Mapping[Asset, tuple[str, ...]],
        times: Floats,
        quotes: Callable[[slice], Iterable[Quote]],
        rows: TapeRows,
        start: float | None = None,
        *,
        is_believed: bool = False,
    ) -> None:
        self.symbols = dict(symbols)
        self.rows: TapeRows | None = rows
        self.is_believed = is_believed
        self.start = float(times[0]) if start is None else start
        self.end = round(float(times[-1]) + 0.001, 3)
        """An instant after every quote."""
        self._times = times
        self._quotes = quotes
        self._next = 0

    @classmethod
    def load(cls, path: Path, begin: float | None = None, end: float | None = None) -> Tape:
        """Read a file of rows: of a tape, or of exported bars.

        If it has dates, only what is from ``begin`` on and before ``end``.

        Raises:
            TapeError: if it cannot be read, less than nine tenths of its rows are good, or none is
                of that span.
        """
        rows = read_rows(path)
        return _of_quotes(rows, begin, end) if "ms" in rows else _of_bars(rows, begin, end)

    def opening_quotes(self) -> list[Quote]:
        """Nothing: a tape does not know what was before its first row."""
        return []

    def earlier_minutes(self) -> Minutes:
        """Nothing, likewise."""
        return Minutes.empty()

    def earlier_bars(self, seconds: int = PAST_SEC) -> Bars:
        """Nothing, likewise."""
        return Bars.empty()

    def earlier_prices(self) -> list[Tick]:
        """Nothing, likewise."""
        return []

    def begins(self) -> list[Begin]:
        """Nothing: it does not say whose its prices are."""
        return []

    def earlier_event_states(self, limit: int, since: float) -> list[Event]:
        """Nothing, likewise."""
        return []

    def read_until(self, end: float) -> list[Quote]:
        """The next quotes, as far as their event time is before ``end``, in time order."""
        begin = self._next
        self._next = max(begin, int(self._times.searchsorted(end)))
        return list(self._quotes(slice(begin, self._next)))

    def next_at(self) -> float | None:
        """When the next quote is, in event time; None if no more are to come."""
        return float(self._times[self._next]) if self._next < len(self._times) else None


Recording = Tape | ArchivedTape
"""What can be replayed."""


def load(path: Path, begin: float | None = None, end: float | None = None) -> Recording:
    """What was recorded in a file, a tape or an archive, from ``begin`` on and before ``end``.

    Raises:
        TapeError: if it cannot be read, or holds nothing of that span.
    """
    try:
        # Anything else, such as a pipe, could have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise TapeError(
                f"{named(path)} is not a file, expected a tape or an archive; check the path"
            )
        if is_archive(path):
            return ArchivedTape.load(path, begin, end)
    except OSError as error:
        raise TapeError(
            f"{named(path)} cannot be read ({error.strerror}), expected a tape or an archive;"
            " check the path"
        ) from error
    except ArchiveError as error:
        raise TapeError(str(error)) from error
    return Tape.load(path, begin, end)


# A tape's own rows.


def _of_quotes(rows: Rows, begin: float | None, end: float | None) -> Tape:
    """The tape of rows that are trades and quotes."""
    ms, is_dated = _times(rows)
    names = _names(rows, "feed", _FEEDS, RowFault.FEED)
    price, bid, ask, size = (rows.numbers(name) for name in ("price", "bid", "ask", "size"))
    for name, given in (("bid", bid), ("ask", ask), ("size", size)):
        rows.refuse(np.isinf(given), RowFault.NUMBER, name)
    # What overflows is infinite, which is no price.
    with np.errstate(over="ignore"):
        price = np.where(names.is_forex, ((bid + ask) / 2).round(10), price)
    has_none = ~(np.isfinite(price) & (price > 0))
    rows.refuse(has_none & names.is_forex, RowFault.PRICE, "bid")
    rows.refuse(has_none, RowFault.PRICE, "price")
    report, order = _in_order(rows, ms)
    times = (ms if is_dated else TAPE_EPOCH * 1000 + ms)[order] / 1000
    if begin is not None or end is not None:
        if not is_dated:
            raise TapeError(
                f"{named(rows.path)} counts from its own start, expected one with dates if a begin"
                " or an end is given; replay it whole"
            )
        part = _between(rows.path, times, begin, end)
        times, order = times[part], order[part]
    codes, numbers = (
        names.codes[order],
        [
            np.where(np.isnan(bid), price, bid)[order],
            np.where(np.isnan(ask), price, ask)[order],
            np.nan_to_num(size)[order],
        ],
    )
    columns = [names.assets[codes], names.symbols[codes], times, price[order], *numbers]

    def quotes(piece: slice) -> Iterable[Quote]:
        return map(Quote, *(column[piece].tolist() for column in columns), repeat(()))

    start = None if is_dated else TAPE_EPOCH
    return Tape(names.by_asset(codes), times, quotes, report, start)


def _times(rows: Rows) -> tuple[Floats, bool]:
    """The time of each row in whole milliseconds, and whether they are dates.

    In what unit dates are, nearly all of them tell alike.
    """
    rows.refuse(rows.is_rounded("ms"), RowFault.ROUNDED_TIME, "ms")
    given = rows.numbers("ms", RowFault.TIME)
    rows.refuse(~np.isfinite(given), RowFault.TIME, "ms")
    usual = np.quantile(given[rows.kept], 0.1) if rows.kept.any() else 0.0
    factor = next((factor for least, factor in _MS_OF_DATES if usual >= least), None)
    if factor is None:  # what counts seconds from its start would be over at once
        rows.refuse(given != np.floor(given), RowFault.PART_OF_MS, "ms")
    ms = (given * (factor or 1.0)).round()
    first, last = (0.0, DATES[0]) if factor is None else DATES
    rows.refuse(~((ms >= first * 1000) & (ms < last * 1000)), RowFault.OTHER_TIME, "ms")
    return ms, factor is not None


# Exported bars.


def _of_bars(rows: Rows, begin: float | None, end: float | None) -> Tape:
    """The tape of rows that are bars, each at the begin of its second."""
    second = rows.seconds("time")
    last, mean, ticks = (rows.numbers(name) for name in ("last", "mean", "ticks"))
    mean = np.where(np.isnan(mean), last, mean)
    for name, price in (("last", last), ("mean", mean)):
        rows.refuse(~(np.isfinite(price) & (price > 0)), RowFault.PRICE, name)
    is_count = (ticks == np.floor(ticks)) & (ticks >= 1) & (ticks <= _MOST_TICKS)
    rows.refuse(~is_count, RowFault.TICKS, "ticks")
    names = _names(rows, "asset", _CLASSES, RowFault.ASSET)
    report, order = _in_order(rows, second)
    if len(names.symbols) > _MOST_SYMBOLS:
        raise TapeError(
            f"{named(rows.path)} has {len(names.symbols):,} symbols, expected at most"
            f" {_MOST_SYMBOLS:,}; export fewer"
        )
    order = order[_between(rows.path, second[order], begin, end)]
    cells = np.zeros(len(order), CELL)
    cells["second"], cells["row"] = second[order], names.codes[order]
    cells["n"], cells["price"] = ticks[order], last[order]
    with np.errstate(over="ignore"):
        cells["sum"] = mean[order] * ticks[order]
    listed = list(zip(names.assets.tolist(), names.symbols.tolist(), strict=True))
    return Tape(
        names.by_asset(cells["row"]),
        ms_of(cells) / 1000,
        lambda piece: quotes_of(listed, cells[piece]),
        report,
        is_believed=True,
    )


# What both have.


class _Names(NamedTuple):
    """The symbols of a file, each with its asset class, and which of them each row is of."""

    symbols: npt.NDArray[Any]
    assets: npt.NDArray[Any]
    codes: npt.NDArray[np.int64]

    @property
    def is_forex(self) -> npt.NDArray[np.bool_]:
        """Which rows are of a currency."""
        is_forex: npt.NDArray[np.bool_] = (self.assets == "forex")[self.codes]
        return is_forex

    def by_asset(self, codes: npt.NDArray[Any]) -> dict[Asset, tuple[str, ...]]:
        """The symbols of some rows, in order of appearance."""
        present, first = np.unique(codes, return_index=True)
        listed = present[first.argsort()]
        return {
            asset: tuple(self.symbols[listed[self.assets[listed] == asset]].tolist())
            for asset in ASSETS
        }


def _names(rows: Rows, column: str, classes: Mapping[str, Asset], fault: RowFault) -> _Names:
    """Read symbols and classes; a symbol is of the class that most of its rows say."""
    said = pc.index_in(pc.utf8_lower(rows.text(column)), pa.array(list(classes)))
    place = said.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    rows.refuse(place < 0, fault, column)
    encoded = rows.text("symbol").fill_null("").dictionary_encode()
    symbols = np.array(encoded.dictionary.to_pylist(), dtype=object)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    is_plain = np.array([_is_plain(symbol) for symbol in symbols], np.bool_)
    rows.refuse(~is_plain[codes], RowFault.SYMBOL, "symbol")
    votes = np.zeros((len(symbols), len(classes)), np.int64)
    np.add.at(votes, (codes[rows.kept], place[rows.kept]), 1)
    chosen = votes.argmax(axis=1)
    rows.refuse(place != chosen[codes], RowFault.TWO_FEEDS, "symbol")
    return _Names(symbols, np.array(list(classes.values()), dtype=object)[chosen], codes)


def _is_plain(symbol: str) -> bool:
    """Whether a subscription can name it: it lists names with commas between them."""
    has_mark = any(mark in symbol for mark in ",\ufffd")
    return symbol.isprintable() and not has_mark and 0 < len(symbol) <= _LONGEST_SYMBOL


def _in_order(rows: Rows, times: Floats) -> tuple[TapeRows, npt.NDArray[np.int64]]:
    """What became of the rows, and the places of the good ones in order of time."""
    good = np.flatnonzero(rows.kept)
    found = times[good]
    late = int((found < np.maximum.accumulate(found)).sum()) if len(good) else 0
    return rows.report(late), good[found.argsort(kind="stable")]


def _between(path: Path, times: Floats, begin: float | None, end: float | None) -> slice:
    """The places of the times from ``begin`` on and before ``end``."""
    first, last = -math.inf if begin is None else begin, math.inf if end is None else end
    part = slice(*np.searchsorted(times, [first, last]).tolist())
    if part.start >= part.stop:
        raise outside(path, begin, end, (float(times[0]), float(times[-1])))
    return part
