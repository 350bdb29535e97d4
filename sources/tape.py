"""Tapes: what was recorded, in a CSV file or a span of an archive, as quotes for the exchange.

A tape is loaded when the source is opened and read by the exchange on its event loop; nothing here
reads a clock: time is always an argument.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from bars import CELL, Bars, Minutes
from events import Event
from history.archive import Archive, ArchiveError, is_archive
from sources.quotes import Quote
from ticks import ASSETS, WINDOW_SEC, Asset, MarketPulseError, Tick

__all__ = ["TAPE_EPOCH", "ArchivedTape", "Tape", "TapeError", "load"]

Floats = npt.NDArray[np.float64]

TAPE_EPOCH: Final = 946_684_800.0
"""2000-01-01 00:00:00 UTC, at which a tape that counts from its own start begins: elapsed time then
reads as time of day."""

EPOCH_MS: Final = 1e11
"""Milliseconds above this are a date (1973 or later), below it a time since the tape's start."""

LATEST_MS: Final = 253_402_300_800_000 - TAPE_EPOCH * 1000
"""The end of the year 9999 in either count: anything later is in another unit."""

PAST_SEC: Final = 2 * WINDOW_SEC
"""How much of the time before an archive's span is read: the window, and as much again to look back
from its far end."""

_BLOCK_SEC: Final = 300
"""The length of the pieces in which an archive is read."""

_WATCHED_SEC: Final = 4 * 86400
"""A symbol whose last tick is older than this, which is more than a weekend with a holiday, was no
longer watched."""

TAPE_FEEDS: Final[dict[str, Asset]] = {"us": "stocks", "forex": "forex", "crypto": "crypto"}
TAPE_COLUMNS: Final = ("ms", "feed", "symbol", "price", "bid", "ask", "size")


class TapeError(MarketPulseError):
    """A tape that cannot be read or does not hold what a tape must hold."""


def load(path: Path, begin: float | None = None, end: float | None = None) -> Tape | ArchivedTape:
    """What was recorded in a file, a CSV tape or an archive, from ``begin`` on and before ``end``.

    Raises:
        TapeError: if it cannot be read, or holds nothing of that span.
    """
    try:
        if is_archive(path):
            return ArchivedTape.load(path, begin, end)
    except OSError as error:
        raise TapeError(
            f"{path} cannot be read ({error.strerror}), expected a tape or an archive;"
            " check the path"
        ) from error
    except ArchiveError as error:
        raise TapeError(str(error)) from error
    return Tape.load(path, begin, end)


class Tape:
    """A recorded tape: its rows are read in file order as time passes them, and none is skipped."""

    def __init__(self, rows: pd.DataFrame, start: float) -> None:
        self.symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(rows.loc[rows["asset"] == asset, "symbol"].unique()) for asset in ASSETS
        }
        self.start = start
        self.end = round(float(rows["ts"].iloc[-1]) + 0.001, 3)
        """An instant after every row."""
        self._ts = rows["ts"].to_numpy(dtype=np.float64)
        self._columns = [rows[name].to_numpy() for name in Quote._fields[:-1]]
        self._next = 0

    @classmethod
    def load(cls, path: Path, begin: float | None = None, end: float | None = None) -> Self:
        """Read a CSV file, gzipped if its name ends in .gz, with the columns of TAPE_COLUMNS.

        If it has dates, only the rows from ``begin`` on and before ``end``.

        Raises:
            TapeError: if it cannot be read, holds no such row, or holds what no tape may hold.
        """
        rows = _read(path)
        _check_columns(rows)
        ms = _times_of(rows)
        dated = ms[0] > EPOCH_MS
        ts = ms / 1000 if dated else (TAPE_EPOCH * 1000 + ms) / 1000
        quotes = _quotes_of(rows).assign(ts=ts)
        if begin is None and end is None:
            return cls(quotes, float(ts[0]) if dated else TAPE_EPOCH)
        if not dated:
            raise TapeError(
                f"{path} counts from its own start, expected one with dates if a begin or an"
                " end is given; replay it whole"
            )
        span = float(ts[0]), float(ts[-1])
        quotes = quotes[(ts >= _or(begin, -math.inf)) & (ts < _or(end, math.inf))]
        if quotes.empty:
            raise _outside(path, begin, end, span)
        return cls(quotes, float(quotes["ts"].iloc[0]))

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

    def earlier_event_states(self, limit: int, since: float) -> list[Event]:
        """Nothing, likewise."""
        return []

    def read_until(self, end: float) -> list[Quote]:
        """The next rows, as far as their event time is before ``end``, in file order."""
        begin = self._next
        self._next = max(begin, int(self._ts.searchsorted(end)))
        columns = (column[begin : self._next].tolist() for column in self._columns)
        return list(map(Quote, *columns, repeat(())))


class ArchivedTape:
    """A span of an archive: each of its one-second bars becomes as many quotes as it had ticks.

    The last of them has the bar's price; the others have its time too and the mean of their own
    prices, so that every figure comes out as it was. The archive is read as time passes, whoever
    writes it meanwhile.

    The methods raise ``ArchiveError`` if that fails; nothing is skipped then.
    """

    def __init__(
        self, archive: Archive, symbols: dict[Asset, tuple[str, ...]], start: float, end: float
    ) -> None:
        self.symbols = symbols
        self.start = start
        self.end = end
        """An instant after every quote."""
        self._archive = archive
        self._listed = [(asset, symbol) for asset in ASSETS for symbol in symbols[asset]]
        self._place = {symbol: at for at, (_, symbol) in enumerate(self._listed)}
        self._cells = np.empty(0, CELL)
        """What was read from the archive and not handed out, in order of time; rows are places in
        the list."""
        self._read_to = int(start)

    @classmethod
    def load(cls, path: Path, begin: float | None = None, end: float | None = None) -> Self:
        """The whole seconds from ``begin`` until ``end``, from the first price to the last.

        Raises:
            TapeError: if it has no price in them.
            ArchiveError: if it cannot be read.
        """
        archive = Archive(path)
        span = archive.span()
        if span is None:
            raise TapeError(f"{path} holds no prices yet; replay it when some were recorded")
        first = max(span[0], math.floor(_or(begin, span[0])))
        stop = min(span[1] + 1, math.ceil(_or(end, span[1] + 1)))
        bars = next(archive.blocks(first, stop), None)
        if bars is None:
            raise _outside(path, begin, end, span)
        start = int(bars.cells["second"][0])
        last_ms = int(_ms_of(_newest_bars(archive, first, stop, bars).cells).max())
        gone = {t.symbol for t in archive.last_prices(span[1] + 1) if t.ts < start - _WATCHED_SEC}
        symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(s for s, a in archive.symbols().items() if a == asset and s not in gone)
            for asset in ASSETS
        }
        return cls(archive, symbols, float(start), (last_ms + 1) / 1000)

    @property
    def source(self) -> str:
        """The source that recorded the prices; empty if that is not known."""
        return self._archive.meta("source") or ""

    def opening_quotes(self) -> list[Quote]:
        """Nothing: what was before the span comes in bars."""
        return []

    def earlier_minutes(self) -> Minutes:
        """The minutes of the day before the span."""
        return self._archive.minutes(int(self.start) // 60, tuple(self._place))

    def earlier_bars(self, seconds: int = PAST_SEC) -> Bars:
        """The bars of the last seconds before the span."""
        begin = int(self.start)
        return self._archive.bars(begin - seconds, begin, tuple(self._place))

    def earlier_prices(self) -> list[Tick]:
        """The newest price of each symbol before the span, however old."""
        return [t for t in self._archive.last_prices(int(self.start)) if t.symbol in self._place]

    def earlier_event_states(self, limit: int, since: float) -> list[Event]:
        """The ``limit`` newest events that began before the span; see ``Archive.event_states``."""
        return self._archive.event_states(limit, self.start, since)

    def read_until(self, end: float) -> list[Quote]:
        """The next quotes, as far as their event time is before ``end``, in time order."""
        while self._read_to < min(end, self.end):
            self._read_on()
        count = int((_ms_of(self._cells) / 1000).searchsorted(end))
        due, self._cells = self._cells[:count], self._cells[count:]
        return list(self._quotes_of(due))

    def _read_on(self) -> None:
        end = min(self._read_to + _BLOCK_SEC, math.ceil(self.end))
        bars = self._archive.bars(self._read_to, end, tuple(self._place))
        place = np.array([self._place[symbol] for symbol in bars.symbols], dtype=np.intp)
        cells = bars.cells[_ms_of(bars.cells).argsort(kind="stable")]
        cells["row"] = place[cells["row"]]
        self._cells = np.concatenate((self._cells, cells))
        self._read_to = end

    def _quotes_of(self, cells: npt.NDArray[Any]) -> Iterable[Quote]:
        price, others = cells["price"], cells["n"].astype(np.int64) - 1
        mean = (cells["sum"] - price) / np.maximum(others, 1)
        # If the newest outweighs the others beyond a float's digits, nothing is left of them.
        mean = np.maximum(mean, price * np.finfo(np.float64).epsneg)
        columns = (cells["row"], _ms_of(cells) / 1000, price, others, mean)
        for row, ts, newest, count, other in zip(*(c.tolist() for c in columns), strict=True):
            asset, symbol = self._listed[row]
            yield from repeat(Quote(asset, symbol, ts, other, other, other, 0.0, ()), count)
            yield Quote(asset, symbol, ts, newest, newest, newest, 0.0, ())


def _newest_bars(archive: Archive, begin: int, end: int, fallback: Bars) -> Bars:
    """Bars with the newest of a span; ``fallback`` if all were deleted meanwhile."""
    for stop in range(end, begin, -_BLOCK_SEC):
        bars = archive.bars(max(begin, stop - _BLOCK_SEC), stop)
        if len(bars):
            return bars
    return fallback


def _ms_of(cells: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """When the newest tick of each bar was, in milliseconds since the epoch."""
    ms: npt.NDArray[np.int64] = cells["second"] * 1000 + cells["ms"]
    return ms


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _outside(
    path: Path, begin: float | None, end: float | None, span: tuple[float, float]
) -> TapeError:
    first, last = span
    asked = f"{_utc(_or(begin, first))} to {_utc(_or(end, last))}"
    return TapeError(
        f"{path} has no prices from {asked}, only from {_utc(first)} to {_utc(last)};"
        " choose a span with prices"
    )


def _utc(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(path: Path) -> pd.DataFrame:
    try:
        # "NA" is a symbol, not a blank; whole columns at once, so that types do not mix.
        return pd.read_csv(
            path,
            dtype={"feed": "category", "symbol": "category"},
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )
    except FileNotFoundError:
        raise TapeError(f"no tape at {path}; give the path of a .csv or .csv.gz file") from None
    except pd.errors.EmptyDataError:
        raise TapeError(f"{path} is empty, expected {','.join(TAPE_COLUMNS)} and rows") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:
        expected = "a whole gzip file" if path.suffix == ".gz" else "plain CSV text"
        raise TapeError(f"{path} cannot be read as {expected} ({error}); get it again") from error


def _check_columns(rows: pd.DataFrame) -> None:
    if not set(TAPE_COLUMNS) <= set(rows.columns):
        found, expected = ",".join(map(str, rows.columns)), ",".join(TAPE_COLUMNS)
        raise TapeError(f"the tape has the columns {found}, expected {expected}; add the missing")
    if rows.empty:
        raise TapeError("the tape has no rows, expected at least one; record it again")


def _times_of(rows: pd.DataFrame) -> Floats:
    ms = _numbers(rows, "ms")
    _refuse(~np.isfinite(ms), "ms is blank or infinite, expected milliseconds")
    _refuse(np.diff(ms, prepend=ms[0]) < 0, "ms goes backwards, expected rows in time order")
    _refuse(
        (ms < 0) | (ms >= LATEST_MS), "ms is negative or after the year 9999, expected milliseconds"
    )
    return ms.round()


def _quotes_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The fields of quotes except ``ts``; what a trade or a quote leaves blank is filled in."""
    feed = rows["feed"].astype(object)
    _refuse(
        ~feed.isin(list(TAPE_FEEDS)).to_numpy(), f"unknown feed, expected {', '.join(TAPE_FEEDS)}"
    )
    symbol = rows["symbol"].astype(object)
    _refuse(symbol.isna().to_numpy(), "symbol is blank, expected a name")
    # A subscription lists names with commas between them.
    listed = symbol.astype(str)
    _refuse(
        (listed.str.contains(",") | (listed != listed.str.strip())).to_numpy(),
        "symbol has a comma or outer blanks, expected a plain name",
    )
    first_feed = feed.groupby(symbol).transform("first")
    _refuse((feed != first_feed).to_numpy(), "symbol is in two feeds, expected it in one")
    price, bid, ask, size = (_numbers(rows, name) for name in TAPE_COLUMNS[3:])
    quoted = (feed == "forex").to_numpy()
    price = np.where(quoted, ((bid + ask) / 2).round(10), price)
    _refuse(
        ~(np.isfinite(price) & (price > 0)),
        "no price, expected a price above zero, or bid and ask in forex",
    )
    return pd.DataFrame(
        {
            "asset": feed.map(TAPE_FEEDS),
            "symbol": symbol,
            "price": price,
            "bid": np.where(np.isnan(bid), price, bid),
            "ask": np.where(np.isnan(ask), price, ask),
            "size": np.nan_to_num(size),
        }
    )


def _numbers(rows: pd.DataFrame, name: str) -> Floats:
    numbers = pd.to_numeric(rows[name], errors="coerce")
    _refuse((numbers.isna() & rows[name].notna()).to_numpy(), f"{name} is not a number")
    return numbers.to_numpy(dtype=np.float64)


def _refuse(bad: npt.NDArray[np.bool_], found: str) -> None:
    """Raise for the first bad row, numbered as in the file, in which the header is row 1."""
    if bad.any():
        raise TapeError(f"row {int(bad.argmax()) + 2} of the tape: {found}; correct or remove it")
