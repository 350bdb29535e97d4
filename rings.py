"""Rings: the memory behind the store, one block for all symbols; it has no lock of its own.

A tick lives in the second of its own timestamp and in the ten-second bar around that second. Both
are places in rings, so memory depends neither on the tick rate nor on how long it runs. Whoever
shares a ``Rings`` between threads guards it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from bars import CELL, Bars
from moves import Stretch, price_steps, smallest_steps
from pages import zeros
from ticks import ASSETS, LEAST_PRICE, MOST_PRICE, Tick
from volatility import BAR_SEC, Floats, Ints, Samples

__all__ = ["RECENT_SEC", "Rings"]

# A tick may come a minute late; until then its second can still be collected in place.
_RECENT_BARS = 9

RECENT_SEC: Final = (_RECENT_BARS - 1) * BAR_SEC
"""Of so many seconds up to the newest tick the sums and numbers of each second's ticks are kept."""

# The year 10000: a later time is in another unit, and would empty every ring.
_TIMES_END = 253_402_300_800.0
_MINUTE_BARS = 60 // BAR_SEC
# Bars of so many seconds are written at once, a multiple of BAR_SEC: what all hours of many symbols
# take meanwhile would be fetched from the system page by page.
_WRITTEN_SEC = 600
# Further apart than any return over fifteen minutes reaches.
_APART_SEC = 1800.0
_ALL = slice(None)

Rows = npt.NDArray[np.intp]


class _Block(NamedTuple):
    """One block of memory for all symbols; zero bytes mean empty, so unused rows cost nothing."""

    # For each symbol, bar, and second in the bar:
    price: Floats  # of the second's newest tick, 0 if there was none
    ms: npt.NDArray[np.int16]  # that tick's millisecond within its second
    # For each symbol and bar:
    bar_sum: Floats  # of the prices of the bar's ticks
    bar_n: Ints  # number of ticks
    # For each symbol, recent bar, and second in the bar:
    recent_sum: Floats  # of the prices of the second's ticks
    recent_n: Ints  # number of ticks
    # For each symbol:
    last: Floats  # price of the newest tick
    last_ts: Floats  # its time, 0 if there was none
    settled: Floats  # both, as they were when a second was over last
    settled_ts: Floats
    # For each symbol and minute, of the newest prices of its seconds, 0 if there was none:
    low: Floats
    high: Floats
    step: Samples  # the smallest change of the price from one second to the next

    @classmethod
    def zeros(cls, rows: int, bars: int, recent: int) -> _Block:
        return cls(
            price=zeros((rows, bars, BAR_SEC), np.float64),
            ms=zeros((rows, bars, BAR_SEC), np.int16),
            bar_sum=zeros((rows, bars), np.float64),
            bar_n=zeros((rows, bars), np.int32),
            recent_sum=zeros((rows, recent, BAR_SEC), np.float64),
            recent_n=zeros((rows, recent, BAR_SEC), np.int32),
            last=zeros((rows,), np.float64),
            last_ts=zeros((rows,), np.float64),
            settled=zeros((rows,), np.float64),
            settled_ts=zeros((rows,), np.float64),
            low=zeros((rows, _minutes(bars)), np.float64),
            high=zeros((rows, _minutes(bars)), np.float64),
            step=zeros((rows, _minutes(bars)), np.float32),
        )


def _minutes(bars: int) -> int:
    """How many minutes ``bars`` bars can touch."""
    return bars // _MINUTE_BARS + 2


class Rings:
    """The rolling prices of every symbol, over ``bars`` ten-second bars.

    A bar or a second that is no longer stored, or not yet, is read as empty. Sums and numbers of
    the ticks of each of the newest seconds are kept if ``records`` or ``keeps_sums``; then the sum
    of ten of them is that of their sums, in their order: whoever knows the seconds alone has the
    same to the last bit.
    """

    def __init__(self, bars: int, *, records: bool, keeps_sums: bool = False) -> None:
        self.bars = bars
        self.rows: dict[str, int] = {}
        """The row of each symbol."""
        self.assets: list[str] = []
        """Their asset classes, by row."""
        self.head = -1
        """The newest bar that any tick or close has reached."""
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = (), ()  # both, as bars share them
        self._initial: set[int] = set()  # rows whose last price is in no window
        self._settled_initial: set[int] = set()  # those whose settled one is in none
        # None, if nobody reads them: each costs every tick, and every symbol a kilobyte.
        self._recent = _RECENT_BARS if records or keeps_sums else 0
        self._records = records
        self._whole_from = 0  # the first bar of which the recent seconds are all there
        self._changed: set[int] = set()  # recent seconds that changed since they were collected
        self._spilled: list[npt.NDArray[Any]] = []  # those that left the recent ones before
        self._open_bar = 0  # the first bar of the minute of the head
        self._stale: set[int] = set()  # minutes whose low and high are not those of their prices
        self._step: tuple[tuple[int, int, int], Floats] | None = None  # as it was found last
        self._block: _Block
        self._flat: list[Any]
        self._allocate(0)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, whether they are resident yet or not."""
        return sum(array.nbytes for array in self._block)

    # Writing.

    def add_symbol(self, symbol: str, asset: str) -> int:
        """Give a new symbol its row.

        Raises:
            ValueError: for an unknown asset class.
        """
        if asset not in ASSETS:
            raise ValueError(f"asset of {symbol} is {asset!r}, expected one of {', '.join(ASSETS)}")
        row = len(self.rows)
        if row == len(self._block.last):
            self._allocate(max(64, row + row // 4))
        self.rows[symbol] = row
        self.assets.append(asset)
        return row

    def write_ticks(self, ticks: Iterable[Tick]) -> None:
        """Write ticks in order of arrival; see ``PulseStore.update_many``."""
        bars, recent, initial = self.bars, self._recent, self._initial
        changed, records = self._changed, self._records
        price_at, ms_at, sum_at, n_at, near_sum_at, near_n_at, last_at, last_ts_at = self._flat
        row_of, head, open_bar = self.rows.get, self.head, self._open_bar
        newest_changed = -1
        for symbol, asset, ts, price in ticks:
            if not (LEAST_PRICE <= price <= MOST_PRICE and 0.0 <= ts < _TIMES_END):
                _check_tick(symbol, ts, price)
                continue
            row = row_of(symbol)
            if row is None:
                row = self.add_symbol(symbol, asset)
                price_at, ms_at, sum_at, n_at, near_sum_at, near_n_at, last_at, last_ts_at = (
                    self._flat
                )
            # To the millisecond, as vendors stamp, and once: whatever is made of the time agrees.
            stamp = int(ts * 1000.0 + 0.5)
            ts = stamp / 1000.0
            second = stamp // 1000
            ms = stamp - second * 1000
            bar = second // BAR_SEC
            if bar > head:
                self.roll(bar)
                head, open_bar = bar, self._open_bar
            if ts >= last_ts_at[row] or row in initial:
                last_at[row] = price
                last_ts_at[row] = ts
                if initial:
                    initial.discard(row)
            if bar <= head - bars:
                continue
            cell = row * bars + bar % bars
            part = second % BAR_SEC
            slot = cell * BAR_SEC + part
            if price_at[slot] == 0.0 or ms >= ms_at[slot]:
                price_at[slot] = price
                ms_at[slot] = ms
            sum_at[cell] += price
            n_at[cell] += 1
            if bar < open_bar:
                self._stale.add(bar // _MINUTE_BARS)
            if bar > head - recent:
                slot = (row * recent + bar % recent) * BAR_SEC + part
                near_sum_at[slot] += price
                near_n_at[slot] += 1
                if records and second != newest_changed:
                    changed.add(second)
                    newest_changed = second

    def write_past(self, ticks: Iterable[Tick]) -> None:
        """Write ticks of before: a newer last price of no window stays."""
        last, last_ts = self._block.last, self._block.last_ts
        initial = [(row, last[row], last_ts[row]) for row in self._initial]
        self.write_ticks(ticks)
        for row, price, ts in initial:
            if ts > last_ts[row]:
                last[row], last_ts[row] = price, ts
                self._initial.add(row)

    def write_initial_price(self, tick: Tick, *, is_newer: bool = False) -> None:
        """Give a symbol without any price its last one; it enters no window.

        With ``is_newer`` a symbol, too, whose last price is an older one of no window, or so old
        that no return is from one to the other.
        """
        _check_tick(tick.symbol, tick.ts, tick.price)
        if not LEAST_PRICE <= tick.price <= MOST_PRICE:
            return
        row = self._row(tick.symbol, tick.asset)
        before = self._block.last_ts[row]
        apart_sec = 0.0 if row in self._initial else _APART_SEC
        if before == 0.0 or (is_newer and before + apart_sec < tick.ts):
            self._block.last[row] = tick.price
            self._block.last_ts[row] = int(tick.ts * 1000.0 + 0.5) / 1000.0
            self._initial.add(row)

    def put_initial_price(self, tick: Tick) -> None:
        """Give a symbol its last price, which entered no window, whatever it had before."""
        _check_tick(tick.symbol, tick.ts, tick.price)
        if not LEAST_PRICE <= tick.price <= MOST_PRICE:
            return
        row = self._row(tick.symbol, tick.asset)
        self._block.last[row] = tick.price
        self._block.last_ts[row] = int(tick.ts * 1000.0 + 0.5) / 1000.0
        self._initial.add(row)

    def write_older_price(self, tick: Tick) -> None:
        """Give a symbol without any price its last one, of which no bar is stored any more."""
        row = self._row(tick.symbol, tick.asset)
        if self._block.last_ts[row] == 0.0:
            self._block.last[row], self._block.last_ts[row] = tick.price, tick.ts

    def write_bars(self, bars: Bars) -> None:
        """Write one-second bars into seconds that are still empty; see ``PulseStore.load_bars``."""
        row_of = self._rows_of(bars)
        bars = self._reached(bars)
        if not len(bars):
            return
        first, newest = (int(second) for second in bars.cells["second"][[0, -1]])
        for begin in range(first // _WRITTEN_SEC * _WRITTEN_SEC, newest + 1, _WRITTEN_SEC):
            self._write_cells(bars.between(begin, begin + _WRITTEN_SEC).cells, row_of)
        last = bars.newest()
        self._write_newest(last, row_of[last["row"]])

    def put_bars(self, bars: Bars) -> None:
        """Write one-second bars in place of what these seconds held; see ``PulseStore.put``.

        Raises:
            ValueError: if the sums of seconds are not kept, or for an unknown asset class.
        """
        if not self._recent:
            raise ValueError("the store keeps no sums of seconds, which are needed to replace them")
        row_of = self._rows_of(bars)
        bars = self._reached(bars)
        cells = bars.cells.copy()
        cells["row"] = row_of[bars.cells["row"]]
        block = self._block
        bar, part = np.divmod(cells["second"], BAR_SEC)
        is_recent = bar >= self._first_whole()
        is_held = block.price[cells["row"], bar % self.bars, part] > 0
        is_put = is_recent | ~is_held
        cells, bar, part, is_recent = cells[is_put], bar[is_put], part[is_put], is_recent[is_put]
        rows, place = cells["row"], bar % self.bars
        block.price[rows, place, part] = cells["price"]
        block.ms[rows, place, part] = cells["ms"]
        near = rows[is_recent], bar[is_recent] % self._recent, part[is_recent]
        block.recent_sum[near] = cells["sum"][is_recent]
        block.recent_n[near] = cells["n"][is_recent]
        # Of older ten seconds there are but the totals: more than to add to them cannot be done.
        older = rows[~is_recent], place[~is_recent]
        np.add.at(block.bar_sum, older, cells["sum"][~is_recent])
        np.add.at(block.bar_n, older, cells["n"][~is_recent].astype(np.int32))
        self.sum_up_recent()
        self._stale.update(np.unique(bar // _MINUTE_BARS).tolist())
        if self._records:
            self._changed.update(cells["second"][is_recent].tolist())
            if not is_recent.all():
                self._spilled.append(cells[~is_recent])
        newest = self._named(cells).newest()
        self._write_newest(newest, newest["row"].astype(np.intp), replaces=True)

    def forget_after(self, second: int) -> None:
        """Empty the recent seconds after ``second``; see ``PulseStore.forget_after``."""
        if not self._recent:
            return
        count, block = len(self.rows), self._block
        first = max(second + 1, self._first_whole() * BAR_SEC)
        bar, part = np.divmod(np.arange(first, (self.head + 1) * BAR_SEC), BAR_SEC)
        block.price[:count, bar % self.bars, part] = 0.0
        block.ms[:count, bar % self.bars, part] = 0
        block.recent_sum[:count, bar % self._recent, part] = 0.0
        block.recent_n[:count, bar % self._recent, part] = 0
        self.sum_up_recent()
        self._stale.update(np.unique(bar // _MINUTE_BARS).tolist())
        is_newer = np.floor(block.last_ts[:count]) > second
        price, ts = (np.nan_to_num(found) for found in self.newest_at(second, self.bars - 1))
        block.last[:count][is_newer] = price[is_newer]
        block.last_ts[:count][is_newer] = ts[is_newer]
        self._initial.difference_update(np.flatnonzero(is_newer).tolist())

    def sum_up_recent(self) -> None:
        """Let sums and numbers of ticks of the recent ten seconds be those of their seconds."""
        if not self._recent:
            return
        bars = np.arange(self._first_whole(), self.head + 1)
        count, block, near = len(self.rows), self._block, bars % self._recent
        sums = block.recent_sum[:count].take(near, axis=1)
        total = np.zeros(sums.shape[:2])
        for part in range(BAR_SEC):  # one after the other: numpy's own sum has another order
            total += sums[:, :, part]
        block.bar_sum[:count, bars % self.bars] = total
        block.bar_n[:count, bars % self.bars] = (
            block.recent_n[:count].take(near, axis=1).sum(axis=2, dtype=np.int32)
        )

    def settle(self, second: int) -> None:
        """Know from now on what the last prices of before ``second`` were, whatever comes after."""
        count, block = len(self.rows), self._block
        is_over = block.last_ts[:count] < second
        block.settled[:count][is_over] = block.last[:count][is_over]
        block.settled_ts[:count][is_over] = block.last_ts[:count][is_over]
        left = {row for row in self._settled_initial if not is_over[row]}
        self._settled_initial = left | {row for row in self._initial if is_over[row]}

    def roll(self, bar: int) -> None:
        """Make ``bar`` the newest one: empty the places of the bars between."""
        if self._recent:
            self._roll_recent(bar)  # first: it reads what a long jump empties
        rows, block = len(self.rows), self._block
        first = max(self.head + 1, bar - self.bars + 1)
        places = np.arange(first, bar + 1) % self.bars
        for ring in (block.price, block.bar_sum, block.bar_n):
            ring[:rows, places] = 0
        # Also of the head so far: its minute goes on, or is over and yet to be summed up.
        begun = range(max(self.head, bar - self.bars + 1) // _MINUTE_BARS, bar // _MINUTE_BARS + 1)
        oldest = (bar - self.bars) // _MINUTE_BARS
        self._stale = {minute for minute in self._stale if minute >= oldest}.union(begun)
        self._set_head(bar)

    def set_back(self, bar: int) -> None:
        """Make ``bar`` the newest one again, or a later one if that has ticks."""
        ids, live = self._live_bars()
        newest = int(ids[live][-1]) if live.any() else -1
        head = min(self.head, max(bar, newest))
        # The clock ahead emptied the seconds of ticks that are recent again.
        self._whole_from = min(max(self._whole_from, self.head - self._recent + 1), newest + 1)
        # All: those that a clock ahead emptied are among the stored ones again.
        oldest = max(0, head - self.bars + 1) // _MINUTE_BARS
        self._stale.update(range(oldest, self.head // _MINUTE_BARS + 1))
        self._set_head(head)

    def collect_changed(self) -> Bars:
        """The one-second bars that changed since this was last called, each as it is now."""
        cells = [*self._spilled, *map(self._second, sorted(self._changed))]
        has_spilled = bool(self._spilled)
        self._spilled = []
        self._changed.clear()
        found = np.concatenate(cells) if cells else np.empty(0, CELL)
        if has_spilled:  # what was put into older seconds came in its own order
            found = found[np.argsort(found["second"], kind="stable")]
        return self._named(found)

    # Reading: copies, one row per symbol.

    def recent_bars(self, begin: int, end: int) -> Bars:
        """The one-second bars of the seconds ``begin`` to ``end`` (excluded), as far as they are
        of the recent ten-second bars; none if their sums are not kept.
        """
        first = max(begin // BAR_SEC, self.head - self._recent + 1)
        bars = np.arange(first, min(-(-end // BAR_SEC), self.head + 1))
        count, block, near = len(self.rows), self._block, bars % self._recent
        n = block.recent_n[:count].take(near, axis=1)
        # By bar, second in the bar and row: in order of their seconds.
        at, part, row = np.nonzero(n.transpose(1, 2, 0))
        second = bars[at] * BAR_SEC + part
        is_asked = (second >= begin) & (second < end)
        at, part, row = at[is_asked], part[is_asked], row[is_asked]
        cells = np.empty(len(at), CELL)
        cells["second"], cells["row"], cells["n"] = second[is_asked], row, n[row, at, part]
        cells["sum"] = block.recent_sum[row, near[at], part]
        cells["price"] = block.price[row, bars[at] % self.bars, part]
        cells["ms"] = block.ms[row, bars[at] % self.bars, part]
        return self._named(cells)

    @property
    def whole_from(self) -> int:
        """The first second of which, and of all since, the sums of seconds are kept."""
        return self._first_whole() * BAR_SEC if self._recent else (self.head + 1) * BAR_SEC

    def initial_ticks(self) -> list[Tick]:
        """The last prices that entered no window."""
        block = self._block
        return [self._tick(row, block.last_ts, block.last) for row in sorted(self._initial)]

    def settled_ticks(self, before: int) -> tuple[list[Tick], list[Tick]]:
        """The last prices that entered no window, and the others that are of before a second.

        As they were when a second was over last, but for those of no window that came since.
        """
        count, block = len(self.rows), self._block
        last_ts, settled_ts = block.last_ts[:count], block.settled_ts[:count]
        is_ahead = (settled_ts > 0) & (last_ts > settled_ts)
        left = sorted(self._settled_initial - self._initial)
        initial = [self._tick(row, settled_ts, block.settled) for row in left]
        price, ts = np.where(
            is_ahead, (block.settled[:count], settled_ts), (block.last[:count], last_ts)
        )
        is_older = (ts > 0) & (ts < before)
        is_older[[*left, *self._initial]] = False
        older = [self._tick(row, ts, price) for row in np.flatnonzero(is_older).tolist()]
        return self.initial_ticks() + initial, older

    def initial_rows(self, second: int) -> Rows:
        """The rows whose last price as of ``second`` entered no window."""
        rows = self._initial
        if self._settled_initial - rows:
            newer = np.floor(self._block.last_ts) > second
            rows = rows | {row for row in self._settled_initial if newer[row]}
        return np.fromiter(rows, np.intp, len(rows))

    def has_tick(self, row: int, bar: int) -> bool:
        """Whether a symbol has a tick in a bar."""
        return self.is_stored(bar) and bool(self._block.bar_n[row, bar % self.bars])

    def is_stored(self, bar: int) -> bool:
        """Whether a bar is one of those in memory."""
        return bool(self._stored(np.array([bar]))[0])

    def first_live_bar(self, newest: int) -> int:
        """The oldest stored bar with a tick; after ``newest`` if there is none before."""
        ids, live = self._live_bars()
        return min(int(ids[live.argmax()]), newest + 1) if live.any() else newest + 1

    def has_ticks(self, first: int, end: int) -> bool:
        """Whether any symbol has a tick in the bars ``first`` to ``end`` (excluded)."""
        ids = np.arange(first, end)
        places = ids[self._stored(ids)] % self.bars
        return bool(self._block.bar_n[: len(self.rows), places].any())

    def has_ticks_in(self, first: int, end: int, rows: Rows) -> npt.NDArray[np.bool_]:
        """Whether some rows have a tick in each of the bars ``first`` to ``end`` (excluded)."""
        ids = np.arange(first, end)
        found: npt.NDArray[np.bool_] = _cells(self._block.bar_n, rows, ids % self.bars) > 0
        return found & self._stored(ids)

    def bar_sums(
        self, first: int, end: int, rows: Sequence[int] | slice = _ALL
    ) -> tuple[Floats, Ints]:
        """Sums of prices and numbers of ticks of the bars ``first`` to ``end`` (excluded).

        Of some rows, of which -1 is an empty one.
        """
        ids = np.arange(first, end)
        places = ids % self.bars
        missing = ~self._stored(ids)
        if isinstance(rows, slice):
            count = len(self.rows)
            bar_sum = self._block.bar_sum[:count][rows].take(places, axis=1)
            bar_n = self._block.bar_n[:count][rows].take(places, axis=1)
        else:
            picked = np.array(rows, dtype=np.intp)
            known = picked >= 0
            bar_sum = np.zeros((len(picked), len(ids)))
            bar_n = np.zeros((len(picked), len(ids)), np.int32)
            bar_sum[known] = self._block.bar_sum[np.ix_(picked[known], places)]
            bar_n[known] = self._block.bar_n[np.ix_(picked[known], places)]
        if missing.any():
            bar_sum[:, missing] = 0.0  # another hour's bars lie in their places
            bar_n[:, missing] = 0
        return bar_sum, bar_n

    def prices(self, row: int, seconds: npt.NDArray[np.int64]) -> Floats:
        """The newest price of one symbol in each of some seconds, NaN if there was none."""
        bar, part = np.divmod(seconds, BAR_SEC)
        price = self._block.price[row, bar % self.bars, part]
        return np.where((price > 0) & self._stored(bar), price, np.nan)

    def stretch(self, first: int, second: int, rows: Rows | slice = _ALL) -> Stretch:
        """The newest price of each of the seconds ``first`` to ``second``, of some rows."""
        bars = np.arange(first // BAR_SEC, second // BAR_SEC + 1)
        places = bars % self.bars
        count, begin = len(self.rows), first % BAR_SEC
        seconds = slice(begin, begin + second - first + 1)
        prices = _cells(self._block.price[:count], rows, places)
        prices[:, ~self._stored(bars)] = 0.0
        ms = _cells(self._block.ms[:count], rows, places)
        shape = len(prices), len(bars) * BAR_SEC
        return Stretch(second, prices.reshape(shape)[:, seconds], ms.reshape(shape)[:, seconds])

    def newest_at(self, second: int, reach_bars: int) -> tuple[Floats, Floats]:
        """Price and time of each symbol's newest tick whose second is at or before ``second``.

        Looks through the bar of ``second`` and ``reach_bars`` bars before it; NaN if they are
        empty.
        """
        count = len(self.rows)
        rows = np.arange(count)
        bar, part = divmod(second, BAR_SEC)
        ids = bar - np.arange(reach_bars + 1)
        places = ids % self.bars
        live = self._block.bar_n[:count].take(places, axis=1) > 0
        live[:, 0] = (self._block.price[:count, places[0], : part + 1] > 0).any(axis=1)
        live &= self._stored(ids)
        back = live.argmax(axis=1)
        place = places[back]
        seconds = self._block.price[rows, place]
        filled = seconds > 0
        filled[:, part + 1 :] &= (back > 0)[:, None]
        at = BAR_SEC - 1 - filled[:, ::-1].argmax(axis=1)
        found = live[rows, back]
        price = np.where(found, seconds[rows, at], np.nan)
        ts = (bar - back) * BAR_SEC + at + self._block.ms[rows, place, at] / 1000.0
        return price, np.where(found, ts, np.nan)

    def last_at(self, second: int) -> tuple[Floats, Floats]:
        """Price and time of each symbol's last price as of ``second``, however old; NaN: none."""
        count = len(self.rows)
        last, last_ts = self._block.last[:count].copy(), self._block.last_ts[:count].copy()
        never = last_ts == 0.0
        last[never] = last_ts[never] = np.nan
        newer = np.floor(last_ts) > second
        if newer.any():
            price, ts = self.newest_at(second, self.bars - 1)
            settled, settled_ts = self._block.settled[:count], self._block.settled_ts[:count]
            is_known = (settled_ts > 0) & (np.floor(settled_ts) <= second)
            is_known &= ~(ts >= settled_ts)
            price, ts = np.where(is_known, settled, price), np.where(is_known, settled_ts, ts)
            last, last_ts = np.where(newer, price, last), np.where(newer, ts, last_ts)
        return last, last_ts

    def price_range(
        self, second: int, seconds: int, rows: Rows | slice = _ALL
    ) -> tuple[Floats, Floats]:
        """The lowest and highest price over ``seconds`` seconds up to ``second``, of some rows.

        Of the newest price of each second; NaN if there was none, or none is stored any more.
        """
        first = max(second - seconds + 1, (self.head - self.bars + 1) * BAR_SEC, 0)
        end = max(first, min(second + 1, (self.head + 1) * BAR_SEC))
        first_minute, end_minute = -(-first // 60), end // 60
        if first_minute >= end_minute:
            low, high = self._extremes(first, end, rows)
        else:
            self._sum_up(first_minute, end_minute)
            count = len(self.rows)
            places = np.arange(first_minute, end_minute) % self._block.low.shape[1]
            parts = (
                self._extremes(first, first_minute * 60, rows),
                _lowest_highest(
                    _cells(self._block.low[:count], rows, places),
                    _cells(self._block.high[:count], rows, places),
                ),
                self._extremes(end_minute * 60, end, rows),
            )
            low = np.minimum.reduce([low for low, _ in parts])
            high = np.maximum.reduce([high for _, high in parts])
        known = high > 0
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def price_step(self, second: int, minutes: int) -> Floats:
        """Each symbol's price step by the ``minutes`` before that of ``second``; NaN: unknown."""
        first, end = self._whole_minutes(second, minutes)
        self._sum_up(first, end)
        key = first, end, len(self.rows)
        if self._step is None or self._step[0] != key:
            self._step = key, price_steps(self._steps(first, end, _ALL))
        return self._step[1].copy()

    def minute_steps(
        self, second: int, minutes: int, rows: Rows
    ) -> tuple[Samples, npt.NDArray[np.int64]]:
        """The smallest change of the price in each minute that ``price_step`` looks at, of some
        rows, 0 if nothing changed; and which minutes these are.
        """
        first, end = self._whole_minutes(second, minutes)
        self._sum_up(first, end)
        return self._steps(first, end, rows), np.arange(first, end)

    # Private.

    def _allocate(self, rows: int) -> None:
        """Make room for ``rows`` rows."""
        grown, held = _Block.zeros(rows, self.bars, self._recent), len(self.rows)
        if held:
            for new, old in zip(grown, self._block, strict=True):
                cast("npt.NDArray[Any]", new)[:held] = cast("npt.NDArray[Any]", old)[:held]
        self._block = grown
        # Flat: a tick touches a dozen items of the first eight, at half of what numpy's cost.
        self._flat = [_flat(array) for array in grown[:8]]

    def _tick(self, row: int, ts: Floats, price: Floats) -> Tick:
        """A tick of a row, of times and prices by row."""
        return Tick(self._all_names()[0][row], self.assets[row], float(ts[row]), float(price[row]))

    def _all_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if len(self._names[0]) != len(self.rows):
            self._names = tuple(self.rows), tuple(self.assets)
        return self._names

    def _row(self, symbol: str, asset: str) -> int:
        row = self.rows.get(symbol)
        return self.add_symbol(symbol, asset) if row is None else row

    def _rows_of(self, bars: Bars) -> Rows:
        """The row of each symbol of some bars, in their order; new ones are given theirs."""
        # At once: each growth copies everything.
        needed = len(self.rows.keys() | set(bars.symbols))
        if needed > len(self._block.last):
            self._allocate(needed)
        pairs = zip(bars.symbols, bars.assets, strict=True)
        return np.array([self._row(*pair) for pair in pairs], np.intp)

    def _reached(self, bars: Bars) -> Bars:
        """Roll as far as some bars reach; those of them that are stored and have a price."""
        if not len(bars):
            return bars
        newest = int(bars.cells["second"][-1])
        if newest // BAR_SEC > self.head:
            self.roll(newest // BAR_SEC)
        bars = bars.between((self.head - self.bars + 1) * BAR_SEC, newest + 1)
        price = bars.cells["price"]
        is_price = (price >= LEAST_PRICE) & (price <= MOST_PRICE)
        return bars if is_price.all() else Bars(bars.symbols, bars.assets, bars.cells[is_price])

    def _first_whole(self) -> int:
        """The first of the recent bars of which the seconds are all there."""
        return max(self._whole_from, self.head - self._recent + 1, 0)

    def _set_head(self, bar: int) -> None:
        self.head = bar
        self._open_bar = bar // _MINUTE_BARS * _MINUTE_BARS

    def _sum_up(self, first: int, end: int) -> None:
        """Keep low, high and smallest step of the stale ones of the minutes ``first`` to ``end``.

        The one that is open stays stale.
        """
        for minute in self._stale.intersection(range(first, end)):
            prices = self._seconds(minute * 60, minute * 60 + 60)
            low, high = _lowest_highest(prices, prices)
            place = minute % self._block.low.shape[1]
            self._block.low[: len(low), place] = np.where(high > 0, low, 0.0)
            self._block.high[: len(low), place] = high
            self._block.step[: len(low), place] = smallest_steps(prices)
            self._step = None
            if minute < self.head // _MINUTE_BARS:
                self._stale.discard(minute)

    def _whole_minutes(self, second: int, minutes: int) -> tuple[int, int]:
        """The first and the end of those ``minutes`` before that of a second that are stored."""
        first = max(second // 60 - minutes, -(-(self.head - self.bars + 1) // _MINUTE_BARS), 0)
        return first, max(first, min(second // 60, self.head // _MINUTE_BARS + 1))

    def _steps(self, first: int, end: int, rows: Rows | slice) -> Samples:
        """The smallest change of each of the minutes ``first`` to ``end`` (excluded)."""
        places = np.arange(first, end) % self._block.step.shape[1]
        found: Samples = _cells(self._block.step[: len(self.rows)], rows, places)
        return found

    def _extremes(self, first: int, end: int, rows: Rows | slice = _ALL) -> tuple[Floats, Floats]:
        """The lowest and highest price of the stored seconds ``first`` to ``end`` (excluded)."""
        inside = self._seconds(first, end, rows)
        return _lowest_highest(inside, inside)

    def _seconds(self, first: int, end: int, rows: Rows | slice = _ALL) -> Floats:
        """The newest price in each of the stored seconds ``first`` to ``end`` (excluded)."""
        bars = np.arange(first // BAR_SEC, -(-end // BAR_SEC))
        prices = _cells(self._block.price[: len(self.rows)], rows, bars % self.bars)
        seconds: Floats = prices.reshape(len(prices), len(bars) * BAR_SEC)
        begin = first % BAR_SEC
        return seconds[:, begin : begin + end - first]

    def _named(self, cells: npt.NDArray[Any]) -> Bars:
        """Bars of all symbols, whose names they share."""
        return Bars(*self._all_names(), cells)

    def _roll_recent(self, bar: int) -> None:
        self.sum_up_recent()  # for the last time of those that are recent no longer
        gone = sorted(s for s in self._changed if s // BAR_SEC <= bar - self._recent)
        self._spilled += map(self._second, gone)
        self._changed.difference_update(gone)
        rows = len(self.rows)
        first = max(self.head + 1, bar - self._recent + 1)
        places = np.arange(first, bar + 1) % self._recent
        self._block.recent_sum[:rows, places] = 0
        self._block.recent_n[:rows, places] = 0

    def _second(self, second: int) -> npt.NDArray[Any]:
        """The cells of a recent second."""
        count, block = len(self.rows), self._block
        bar, part = divmod(second, BAR_SEC)
        n = block.recent_n[:count, bar % self._recent, part]
        rows = np.flatnonzero(n)
        cells = np.empty(len(rows), CELL)
        cells["second"], cells["row"], cells["n"] = second, rows, n[rows]
        cells["sum"] = block.recent_sum[rows, bar % self._recent, part]
        cells["price"] = block.price[rows, bar % self.bars, part]
        cells["ms"] = block.ms[rows, bar % self.bars, part]
        return cells

    def _write_cells(self, cells: npt.NDArray[Any], row_of: Rows) -> None:
        """Write cells of whole bars that are stored, which are still empty."""
        rows = row_of[cells["row"]]
        # By flat index: three indices each would take twice as long.
        block = self._block
        bar, part = np.divmod(cells["second"], BAR_SEC)
        cell = rows * self.bars + bar % self.bars
        slot = cell * BAR_SEC + part
        block.price.reshape(-1)[slot] = cells["price"]
        block.ms.reshape(-1)[slot] = cells["ms"]
        # Sums of what falls into the same place, which indexing alone would not give.
        size = len(self.rows) * self.bars
        for ring, values in ((block.bar_sum, cells["sum"]), (block.bar_n, cells["n"])):
            flat = ring.reshape(-1)[:size]
            flat += np.bincount(cell, values, size).astype(flat.dtype)
        self._stale.update(np.unique(bar // _MINUTE_BARS).tolist())
        if self._recent:
            near = int(np.searchsorted(bar, self.head - self._recent, "right"))
            at = (rows[near:], bar[near:] % self._recent, part[near:])
            block.recent_sum[at] = cells["sum"][near:]
            block.recent_n[at] = cells["n"][near:]

    def _write_newest(
        self, newest: npt.NDArray[Any], rows: npt.NDArray[np.intp], *, replaces: bool = False
    ) -> None:
        """Make the newest bar of each symbol its last price, unless a tick is newer.

        If the bar ``replaces`` what its second held, no tick of that second is.
        """
        ts = newest["second"] + newest["ms"] / 1000.0
        last_ts = self._block.last_ts[rows]
        newer = ts >= last_ts
        if replaces:
            newer = newest["second"] >= np.floor(last_ts)
            newer |= np.isin(rows, list(self._initial))
        self._block.last[rows[newer]] = newest["price"][newer]
        self._block.last_ts[rows[newer]] = ts[newer]
        self._initial.difference_update(rows[newer].tolist())

    def _stored(self, bar: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return (bar >= 0) & (bar <= self.head) & (bar > self.head - self.bars)

    def _live_bars(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The stored bars, and whether any symbol has a tick in each."""
        ids = np.arange(max(0, self.head - self.bars + 1), self.head + 1, dtype=np.int64)
        counts = self._block.bar_n[: len(self.rows)].take(ids % self.bars, axis=1)
        return ids, np.count_nonzero(counts, axis=0) > 0


def _lowest_highest(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The least and the greatest price of each row, inf and 0 if it has none; 0 is no price."""
    return np.where(low > 0, low, np.inf).min(axis=1, initial=np.inf), high.max(axis=1, initial=0.0)


def _cells(array: npt.NDArray[Any], rows: Rows | slice, places: npt.NDArray[Any]) -> Any:
    """The cells of some rows in some places; a copy of no more than these."""
    if isinstance(rows, slice):
        return array[rows].take(places, axis=1)
    return array[rows[:, None], places]


def _flat(array: Any) -> Any:
    return memoryview(array.reshape(-1))


def _check_tick(symbol: str, ts: float, price: float) -> None:
    if not 0.0 < price < math.inf:
        raise ValueError(f"price of {symbol} is {price}, expected a positive number")
    if not 0.0 <= ts < _TIMES_END:
        raise ValueError(f"time of {symbol} is {ts}, expected seconds since the epoch")
