"""A recorded tape as a source of quotes for the embedded exchange.

Read whole when the worker is made, then taken from by the exchange on its event loop; nothing here
reads a clock: time is always an argument.
"""

from __future__ import annotations

import zlib
from itertools import repeat
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from market import Quote
from ticks import ASSETS, WINDOW_SEC, Asset, MarketPulseError, Tick

__all__ = ["TAPE_EPOCH", "Tape", "TapeError"]

Floats = npt.NDArray[np.float64]

TAPE_EPOCH: Final = 946_684_800.0
"""2000-01-01 00:00:00 UTC, where a tape that counts from its own start is laid: elapsed time then
reads as time of day."""

EPOCH_MS: Final = 1e11
"""Milliseconds above this are a date (1973 or later), below it a time since the tape's start."""

LATEST_MS: Final = 253_402_300_800_000 - TAPE_EPOCH * 1000
"""The end of the year 9999, for either count: later is another unit."""

TAPE_FEEDS: Final[dict[str, Asset]] = {"us": "stocks", "forex": "forex", "crypto": "crypto"}
TAPE_COLUMNS: Final = ("ms", "feed", "symbol", "price", "bid", "ask", "size")


class TapeError(MarketPulseError):
    """A tape that cannot be read or does not hold what a tape must hold."""


class Tape:
    """A recorded tape: rows are taken in file order as time passes them, and none is skipped."""

    def __init__(self, rows: pd.DataFrame, start: float) -> None:
        self.symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(rows.loc[rows["asset"] == asset, "symbol"].unique()) for asset in ASSETS
        }
        self.start = start
        self.end = round(float(rows["ts"].iloc[-1]) + 0.001, 3)
        """The instant that every row is before."""
        self._ts = rows["ts"].to_numpy(dtype=np.float64)
        self._columns = [rows[name].to_numpy() for name in Quote._fields[:-1]]
        self._taken = 0

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a CSV file, gzipped where its name ends in .gz, with the columns of TAPE_COLUMNS."""
        rows = _read(path)
        _check_columns(rows)
        ms = _times_of(rows)
        dated = ms[0] > EPOCH_MS
        ts = ms / 1000 if dated else (TAPE_EPOCH * 1000 + ms) / 1000
        return cls(_quotes_of(rows).assign(ts=ts), float(ts[0]) if dated else TAPE_EPOCH)

    def history(self, seconds: int = WINDOW_SEC) -> list[Tick]:
        """Nothing: a tape has no earlier hour."""
        return []

    def opening(self) -> list[Quote]:
        """Nothing: nothing is known before the first row."""
        return []

    def until(self, ts: float) -> list[Quote]:
        """All rows not yet taken with an event time before ``ts``, in file order."""
        begin = self._taken
        self._taken = max(begin, int(self._ts.searchsorted(ts)))
        columns = (column[begin : self._taken].tolist() for column in self._columns)
        return list(map(Quote, *columns, repeat(())))


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
    _refuse(~np.isfinite(ms), "ms is blank or endless, expected milliseconds")
    _refuse(np.diff(ms, prepend=ms[0]) < 0, "ms goes backwards, expected rows in time order")
    _refuse(
        (ms < 0) | (ms >= LATEST_MS), "ms is no time until the year 9999, expected milliseconds"
    )
    return ms.round()


def _quotes_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The fields of quotes, all but ``ts``, with what a trade or a quote leaves blank filled in."""
    feed = rows["feed"].astype(object)
    _refuse(
        ~feed.isin(list(TAPE_FEEDS)).to_numpy(), f"unknown feed, expected {', '.join(TAPE_FEEDS)}"
    )
    symbol = rows["symbol"].astype(object)
    _refuse(symbol.isna().to_numpy(), "symbol is blank, expected a name")
    # The exchange's subscriptions are lists of names with commas between.
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
    """Raise for the first bad row, numbered as in the file, where the header is row 1."""
    if bad.any():
        raise TapeError(f"row {int(bad.argmax()) + 2} of the tape: {found}; correct or remove it")
