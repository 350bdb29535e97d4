"""Bars: the prices of one symbol over a span, page by page, from memory and from the archive."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from api.asked import Asked, Time
from api.cursors import Second, read_cursor, write_cursor
from api.endpoint import json_response
from api.facts import Engine
from api.past import archive_of, archive_problem, in_memory_from, known_symbols, over_at
from history.archive import Archive, ArchiveError

__all__ = ["PARAMETERS", "STEPS", "BarPage", "bars"]

PARAMETERS: Final = ("symbol", "from", "to", "step", "limit", "cursor", "times")

Step = Literal["1s", "10s", "1m"]
STEPS: Final[dict[Step, int]] = {"1s": 1, "10s": 10, "1m": 60}

MOST: Final = 10_000
_USUAL: Final = 1000
_USUAL_SEC: Final = 3600


class BarPage(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of one symbol, the oldest first, as one list for each column.

    A bar without a tick is absent. Prices are of the newest tick in each second.
    """

    symbol: str
    step: Step
    begin: list[Time]
    """When each bar begins."""
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    n: list[int | None]
    """The number of ticks, ..."""
    mean: list[float | None]
    """... and the mean of all their prices; null in bars of a second that only memory knows."""
    next: str | None
    """The cursor of the page that follows; null: there is none."""


class _Bars(NamedTuple):
    """Bars as columns; ``n`` is 0 if it is not known."""

    begin: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    n: npt.NDArray[np.int64]
    sum: npt.NDArray[np.float64]

    def first(self, count: int) -> _Bars:
        """The first bars."""
        return _Bars(
            self.begin[:count],
            self.open[:count],
            self.high[:count],
            self.low[:count],
            self.close[:count],
            self.n[:count],
            self.sum[:count],
        )

    def with_later(self, later: _Bars) -> _Bars:
        """These bars and later ones."""
        return _Bars(
            np.concatenate([self.begin, later.begin]),
            np.concatenate([self.open, later.open]),
            np.concatenate([self.high, later.high]),
            np.concatenate([self.low, later.low]),
            np.concatenate([self.close, later.close]),
            np.concatenate([self.n, later.n]),
            np.concatenate([self.sum, later.sum]),
        )


class _Place(NamedTuple):
    """Where a page ended: the end of the span, and where the next page begins."""

    end: Second
    begin: Second


def bars(asked: Asked) -> Response:
    """The bars of a symbol that began in a span and are over."""
    engine, written = asked.engine, asked.written()
    limit = asked.whole("limit", 1, MOST, _USUAL)
    step = asked.word("step", tuple(STEPS), "1s")
    sec = STEPS[step]
    symbol = asked.text("symbol")
    known = known_symbols(engine)
    if symbol not in known:
        raise asked.unknown_symbol("symbol", symbol, known)
    question = [asked.text(name) for name in ("symbol", "from", "to")] + [step]
    place = read_cursor(asked, question, _Place)
    over = over_at(engine)
    if place is None:
        first, last = asked.span(over - _USUAL_SEC, over)
        begin, end = math.ceil(first / sec) * sec, math.ceil(last / sec) * sec
    else:
        # Rounded, because anybody can make up a cursor.
        begin, end = place.begin // sec * sec, place.end // sec * sec
    end = min(end, over // sec * sec)
    try:
        found, upto = _Past(engine, symbol, sec).page(begin, end, limit)
    except ArchiveError:
        raise archive_problem() from None
    columns = found.first(limit)
    if len(found.begin) > limit:
        upto = int(found.begin[limit])
    has_n = columns.n > 0
    means = np.divide(columns.sum, columns.n, out=np.zeros(len(has_n)), where=has_n)
    return json_response(
        BarPage(
            symbol=symbol,
            step=step,
            begin=[written(second) for second in columns.begin.tolist()],
            open=columns.open.tolist(),
            high=columns.high.tolist(),
            low=columns.low.tolist(),
            close=columns.close.tolist(),
            n=[n or None for n in columns.n.tolist()],
            mean=[mean or None for mean in means.tolist()],
            next=write_cursor(_Place(end, upto), question) if upto < end else None,
        )
    )


class _Past:
    """Where the bars of a symbol are read, each of ``sec`` seconds: memory first, then the archive.

    Memory knows every second's last price, and the sums of ticks of every ten seconds.
    """

    def __init__(self, engine: Engine, symbol: str, sec: int) -> None:
        self._store, self._archive = engine.reader.store, archive_of(engine)
        self._symbol, self._sec = symbol, sec
        symbols, over = self._store.symbols, over_at(engine)
        since = over - self._store.window_sec if self._archive is None else in_memory_from(engine)
        # A whole minute, so that no bar is half of the one and half of the other.
        self._memory_from = -(-since // 60) * 60 if symbol in symbols else over

    def page(self, begin: int, end: int, limit: int) -> tuple[_Bars, int]:
        """The bars of a span, ``limit`` or a few more if there are, and up to where they reach.

        That may be before the end of the span though there are fewer: so much is looked through.
        """
        split = min(max(begin, self._memory_from), end)
        archived = _NONE
        if begin < split and self._archive is not None:
            archived, upto = self._archived(self._archive, begin, split, limit)
            if upto < split or len(archived.begin) > limit:
                return archived, upto
        return archived.with_later(self._in_memory(split, end, limit)), end

    def _archived(self, archive: Archive, begin: int, end: int, limit: int) -> tuple[_Bars, int]:
        page = archive.bar_page(self._symbol, begin, end, limit=(limit + 1) * self._sec)
        # Where it ends within a bar, the next page begins with that bar.
        upto = end if page.next is None else page.next // self._sec * self._sec
        cells = page.bars.cells
        return self._summed(cells[cells["second"] < upto]), upto

    def _in_memory(self, begin: int, end: int, limit: int) -> _Bars:
        prices = self._store.seconds(self._symbol, begin, end)
        if self._sec == 1:
            return self._with_ticks(begin + np.flatnonzero(~np.isnan(prices))[: limit + 1], prices)
        sums, counts = self._store.tens(self._symbol, begin, end)
        shape = -1, self._sec // 10
        sums, counts = sums.reshape(shape).sum(axis=1), counts.reshape(shape).sum(axis=1)
        prices = prices.reshape(-1, self._sec)
        has = ~np.isnan(prices)
        is_bar = has.any(axis=1)
        prices, has, row = prices[is_bar], has[is_bar], np.arange(int(is_bar.sum()))
        return _Bars(
            begin + np.flatnonzero(is_bar) * self._sec,
            prices[row, has.argmax(axis=1)],
            np.where(has, prices, -np.inf).max(axis=1, initial=-np.inf),
            np.where(has, prices, np.inf).min(axis=1, initial=np.inf),
            prices[row, self._sec - 1 - has[:, ::-1].argmax(axis=1)],
            counts[is_bar].astype(np.int64),
            sums[is_bar],
        )

    def _with_ticks(self, seconds: npt.NDArray[np.int64], prices: npt.NDArray[np.float64]) -> _Bars:
        """Bars of a second each, with what the archive and the newest seconds know of the ticks."""
        first = int(seconds[0]) if len(seconds) else 0
        last = int(seconds[-1]) if len(seconds) else 0
        found = prices[~np.isnan(prices)][: len(seconds)]
        n, sums = np.zeros(len(seconds), np.int64), np.zeros(len(seconds))
        known: list[npt.NDArray[Any]] = []
        # Without an archive those of the newest seconds would be forgotten in a minute, and a page
        # would not be the same for long.
        if self._archive is not None and len(seconds):
            known = [self._store.recent_bars(first, last + 1).of([self._symbol]).cells]
            # Memory's come after it: it may not have the newest ticks of a second yet. If it cannot
            # be read now, the prices are known all the same.
            with suppress(ArchiveError):
                known.insert(0, self._archive.bars(first, last + 1, [self._symbol]).cells)
        for cells in known:
            at = np.searchsorted(seconds, cells["second"])
            is_there = (at < len(seconds)) & (seconds.take(at, mode="clip") == cells["second"])
            n[at[is_there]], sums[at[is_there]] = cells["n"][is_there], cells["sum"][is_there]
        return _Bars(seconds, found, found, found, found, n, sums)

    def _summed(self, cells: npt.NDArray[Any]) -> _Bars:
        """Cells of one symbol as bars."""
        if not len(cells):
            return _NONE
        begins, at = np.unique(cells["second"] // self._sec * self._sec, return_index=True)
        price = cells["price"]
        return _Bars(
            begins,
            price[at],
            np.maximum.reduceat(price, at),
            np.minimum.reduceat(price, at),
            price[np.append(at[1:], len(cells)) - 1],
            np.add.reduceat(cells["n"].astype(np.int64), at),
            np.add.reduceat(cells["sum"], at),
        )


_NOTHING = np.empty(0)
_NONE: Final = _Bars(
    np.empty(0, np.int64),
    _NOTHING,
    _NOTHING,
    _NOTHING,
    _NOTHING,
    np.empty(0, np.int64),
    _NOTHING,
)
