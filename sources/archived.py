"""Archives as tapes: a span of one, bar by bar, as quotes for the exchange.

An archive is read by the exchange on its event loop; nothing here reads a clock: time is always an
argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from bars import CELL, Bars, Begin, Minutes
from events import Event
from history.archive import Archive
from history.losses import LeftOut, Losses
from sources.quotes import Quote
from sources.rows import TapeError, named, outside
from sources.source import TapeRows
from ticks import ASSETS, WINDOW_SEC, Asset, Tick

__all__ = ["ArchivedTape", "ms_of", "quotes_of"]

PAST_SEC: Final = 2 * WINDOW_SEC
"""How much of the time before an archive's span is read: the window, and as much again to look back
from its far end."""

_BLOCK_SEC: Final = 300
"""The length of the pieces in which an archive is read."""

_WATCHED_SEC: Final = 4 * 86400
"""A symbol whose last tick is older than this, which is more than a weekend with a holiday, was no
longer watched."""


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
        self.is_believed = True
        """Whether what it holds was judged when it was recorded."""
        self.rows: TapeRows | None = None
        self.symbols = symbols
        self.start = start
        self.end = end
        """An instant after every quote."""
        self._archive = archive
        self._listed = [(asset, symbol) for asset in ASSETS for symbol in symbols[asset]]
        self._place = {symbol: at for at, (_, symbol) in enumerate(self._listed)}
        self._next_at = -math.inf
        self._cells = np.empty(0, CELL)
        """What was read from the archive and not handed out, in order of time; rows are places in
        the list."""
        self._read_to = int(start)
        self._losses = Losses()

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
            raise TapeError(f"{named(path)} holds no prices yet; replay it when some were recorded")
        first = max(span[0], math.floor(span[0] if begin is None else begin))
        stop = min(span[1] + 1, math.ceil(span[1] + 1 if end is None else end))
        bars = next(archive.blocks(first, stop), None)
        if bars is None:
            raise outside(path, begin, end, span)
        start = int(bars.cells["second"][0])
        last_ms = int(ms_of(_newest_bars(archive, first, stop, bars).cells).max())
        gone = {t.symbol for t in archive.last_prices(span[1] + 1) if t.ts < start - _WATCHED_SEC}
        symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(s for s, a in archive.symbols().items() if a == asset and s not in gone)
            for asset in ASSETS
        }
        return cls(archive, symbols, float(start), (last_ms + 1) / 1000)

    @property
    def left_out(self) -> LeftOut:
        """What of the span was damaged, as far as it was read."""
        return self._losses.left_out

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

    def begins(self) -> list[Begin]:
        """Where prices do not continue those before, up to the end of the span and after."""
        return self._archive.begins(tuple(self._place), self._losses)

    def earlier_event_states(self, limit: int, since: float) -> list[Event]:
        """The ``limit`` newest events that began before the span; see ``Archive.event_states``."""
        return self._archive.event_states(limit, self.start, since)

    def read_until(self, end: float) -> list[Quote]:
        """The next quotes, as far as their event time is before ``end``, in time order."""
        while self._read_to < min(end, self.end):
            self._read_on()
        count = int((ms_of(self._cells) / 1000).searchsorted(end))
        due, self._cells = self._cells[:count], self._cells[count:]
        return list(quotes_of(self._listed, due))

    def next_at(self) -> float | None:
        """When the next quote is, in event time; None if no more are to come."""
        if len(self._cells):
            return float(ms_of(self._cells[:1])[0]) / 1000
        if self._next_at < self._read_to:
            blocks = self._archive.blocks(self._read_to, math.ceil(self.end), tuple(self._place))
            bars = next(blocks, None)
            self._next_at = math.inf if bars is None else float(ms_of(bars.cells).min()) / 1000
        return self._next_at if self._next_at < self.end else None

    def _read_on(self) -> None:
        end = min(self._read_to + _BLOCK_SEC, math.ceil(self.end))
        bars = self._archive.bars(self._read_to, end, tuple(self._place), self._losses)
        place = np.array([self._place[symbol] for symbol in bars.symbols], dtype=np.intp)
        cells = bars.cells[ms_of(bars.cells).argsort(kind="stable")]
        cells["row"] = place[cells["row"]]
        self._cells = np.concatenate((self._cells, cells))
        self._read_to = end


def quotes_of(listed: Sequence[tuple[Asset, str]], cells: npt.NDArray[Any]) -> Iterable[Quote]:
    """As many quotes as each bar had ticks; its row is a place in the list."""
    price, others = cells["price"], cells["n"].astype(np.int64) - 1
    mean = (cells["sum"] - price) / np.maximum(others, 1)
    # If the newest outweighs the others beyond a float's digits, nothing is left of them.
    mean = np.maximum(mean, price * np.finfo(np.float64).epsneg)
    columns = (cells["row"], ms_of(cells) / 1000, price, others, mean)
    for row, ts, newest, count, other in zip(*(c.tolist() for c in columns), strict=True):
        asset, symbol = listed[row]
        yield from repeat(Quote(asset, symbol, ts, other, other, other, 0.0, ()), count)
        yield Quote(asset, symbol, ts, newest, newest, newest, 0.0, ())


def _newest_bars(archive: Archive, begin: int, end: int, fallback: Bars) -> Bars:
    """Bars with the newest of a span; ``fallback`` if all were deleted meanwhile."""
    for stop in range(end, begin, -_BLOCK_SEC):
        bars = archive.bars(max(begin, stop - _BLOCK_SEC), stop)
        if len(bars):
            return bars
    return fallback


def ms_of(cells: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """When the newest tick of each bar was, in milliseconds since the epoch."""
    ms: npt.NDArray[np.int64] = cells["second"] * 1000 + cells["ms"]
    return ms
