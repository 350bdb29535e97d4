"""View: what one second sees of the rings, of each symbol its own window, and candles before it.

Whoever makes one holds the lock of what it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from moves import Halves, Stretch, price_steps
from rings import Rings
from samples import SampleRing
from store.candles import CLOSES_AT, Shown
from store.windows import Since
from ticks import HORIZONS_SEC
from volatility import BAR_SEC, Codes, Floats, Ints, Samples

__all__ = ["CANDLE_TICKS", "Newest", "View"]

CANDLE_TICKS: Final = 1000
"""A candle's mean counts as one of so many ticks: all of its minute takes part in it."""

_MINUTE_BARS = 60 // BAR_SEC
_ALL: Final = slice(None)

Rows = npt.NDArray[np.intp]


class Newest(NamedTuple):
    """Each symbol's newest price and its time, NaN if there is none."""

    shown: tuple[Floats, Floats]
    """It may be of no window, or of one before until that of now has one."""
    in_window: tuple[Floats, Floats]
    """A tick's or a candle's of its window, as far back as a return looks."""
    ticked: tuple[Floats, Floats]
    """A tick's of its window."""
    own_from: Floats
    """A shown price that is older than of this time is of another vendor than the one that serves.
    """


class View:
    """The rings and the samples as they are seen from one second.

    What is older than a symbol's window is not seen: of the bar in which it began, nothing is. With
    ``since`` None every window always was. Candles are seen only by the methods that say so.
    """

    def __init__(
        self, rings: Rings, samples: SampleRing, since: Since | None, shown: Shown | None
    ) -> None:
        self._rings = rings
        self._samples = samples
        self._since = since
        self._shown = shown

    @property
    def has_candles(self) -> bool:
        """Whether any candle is seen."""
        return self._shown is not None

    @property
    def closed(self) -> int:
        """The newest bar that is closed."""
        return self._samples.closed

    # Ticks.

    def newest_at(self, second: int, reach_bars: int) -> tuple[Floats, Floats]:
        """See ``Rings.newest_at``."""
        price, ts = self._rings.newest_at(second, reach_bars)
        return (price, ts) if self._since is None else _from(price, ts, self._since.gap)

    def bar_sums(
        self, first: int, end: int, rows: Sequence[int] | slice = _ALL
    ) -> tuple[Floats, Ints]:
        """See ``Rings.bar_sums``."""
        bar_sum, bar_n = self._rings.bar_sums(first, end, rows)
        if self._since is not None:
            _hide_bars(self._since.gap, first, end, rows, bar_sum, bar_n)
        return bar_sum, bar_n

    def stretch(self, first: int, second: int, rows: Rows | slice = _ALL) -> Stretch:
        """See ``Rings.stretch``."""
        found = self._rings.stretch(first, second, rows)
        if self._since is not None:
            seconds = np.arange(first, second + 1)
            found.price[seconds < self._since.gap[rows, None]] = 0.0
        return found

    def extremes(self, second: int, seconds: int) -> tuple[Floats, Floats]:
        """See ``Rings.price_range``."""
        return self._range_since(None if self._since is None else self._since.gap, second, seconds)

    def price_step(self, second: int, minutes: int) -> Floats:
        """See ``Rings.price_step``."""
        found = self._rings.price_step(second, minutes)
        if self._since is not None:
            first = second // 60 - minutes
            rows = np.flatnonzero(self._since.gap > first * 60)
            if len(rows):
                smallest, of_minutes = self._rings.minute_steps(second, minutes, rows)
                smallest[of_minutes * 60 < self._since.gap[rows, None]] = 0.0
                found[rows] = price_steps(smallest)
        return found

    # What was found as bars closed.

    def vol(self, first: int, end: int, rows: slice = _ALL) -> Samples:
        """See ``SampleRing.vol``."""
        found = self._samples.vol(first, end, rows)
        if self._since is not None:
            found[_is_before(self._since.gap[rows], first, end)] = np.nan
        return found

    def vol_at(self, bar: int) -> Floats:
        """See ``SampleRing.vol_at``."""
        return self.vol(bar, bar + 1)[:, 0].astype(np.float64)

    def hottest(self, first: int, end: int) -> tuple[Halves, npt.NDArray[np.int8]]:
        """See ``SampleRing.hottest``."""
        found, parts = self._samples.hottest(first, end)
        if self._since is not None:
            found[_is_before(self._since.gap, first, end)] = np.nan
        return found, parts

    def regimes_at(self, bar: int) -> tuple[Codes, Floats]:
        """See ``SampleRing.regimes_at``."""
        regimes, medians = self._samples.regimes_at(bar)
        if self._since is not None:
            is_before = _is_before(self._since.gap, bar, bar + 1)[:, 0]
            regimes[is_before], medians[is_before] = 0, np.nan
        return regimes, medians

    # Prices of ticks and candles.

    def newest(self, second: int) -> Newest:
        """Each symbol's newest price and its time, as of ``second``, however old; NaN: none."""
        last = self._rings.last_at(second)
        own = last if self._since is None else _from(*last, self._since.gap)
        ticked = self._without_initial(own, second)
        own_from = np.zeros(len(last[0]))
        if self._since is None and self._shown is None:
            return Newest(last, ticked, ticked, own_from)
        own = self._or_candle(*own, second, is_window=True)
        has_none = np.isnan(own[1])
        price, ts = self._or_candle(*last, second)
        shown = np.where(has_none, price, own[0]), np.where(has_none, ts, own[1])
        if self._since is not None:
            own_from[has_none] = self._since.change[has_none]
        in_window = self._or_candle(*ticked, second, is_window=True)
        return Newest(shown, in_window, ticked, own_from)

    def price_at(self, second: int, reach_bars: int) -> tuple[Floats, Floats]:
        """As ``newest_at``; a candle's price may be newer. An older price may be found, too."""
        if self._shown is None:
            return self.newest_at(second, reach_bars)
        # As far as the minute of the oldest candle that counts: ticks in it are to be found.
        ticked = self.newest_at(second, reach_bars + _MINUTE_BARS)
        return self._or_candle(*ticked, second, is_window=True)

    def price_range(self, second: int, seconds: int) -> tuple[Floats, Floats]:
        """See ``Rings.price_range``; with the highs and lows of candles of whole minutes.

        A window that began without a change of the vendor does not count.
        """
        since = None if self._since is None else self._since.change
        low, high = self._range_since(since, second, seconds)
        if self._shown is not None:
            rows = self._shown.rows
            is_inside = self._candles_between(second - seconds + 1, second + 1)
            inside = is_inside.any(axis=1)
            lowest = np.where(is_inside, self._shown.low, np.inf).min(axis=1)
            highest = np.where(is_inside, self._shown.high, 0.0).max(axis=1)
            low[rows[inside]] = np.fmin(low[rows[inside]], lowest[inside])
            high[rows[inside]] = np.fmax(high[rows[inside]], highest[inside])
        return low, high

    def prices(self, row: int, seconds: npt.NDArray[np.int64]) -> Floats:
        """See ``Rings.prices``; a candle's last price is one of its minute's.

        A window that began without a change of the vendor does not count.
        """
        found = self._rings.prices(row, seconds)
        if self._since is not None:
            found[seconds < self._since.change[row]] = np.nan
        place = self._place(row)
        if self._shown is not None and place is not None and len(seconds):
            is_inside = self._candles_between(int(seconds[0]), int(seconds[-1]) + 1)[place]
            at = self._shown.minute[place, is_inside] * 60 + CLOSES_AT - int(seconds[0])
            found[at] = self._shown.close[place, is_inside]
        return found

    def trace(self, first: int, end: int, rows: Sequence[int]) -> tuple[Floats, Ints]:
        """As ``bar_sums``; a candle's last price is one of the bar that it counts as of.

        A window that began without a change of the vendor does not count.
        """
        bar_sum, bar_n = self._rings.bar_sums(first, end, rows)
        if self._since is not None:
            _hide_bars(self._since.change, first, end, rows, bar_sum, bar_n)
        if self._shown is not None:
            is_inside = self._candles_between(first * BAR_SEC, end * BAR_SEC)
            for at, row in enumerate(rows):
                place = self._place(row)
                if place is not None:
                    inside = is_inside[place]
                    bars = (self._shown.minute[place, inside] * 60 + CLOSES_AT) // BAR_SEC - first
                    bar_sum[at, bars], bar_n[at, bars] = self._shown.close[place, inside], 1
        return bar_sum, bar_n

    def minute_sums(self, first: int, end: int, rows: Sequence[int]) -> tuple[Floats, Ints]:
        """As ``bar_sums``, of the minutes ``first`` to ``end`` (excluded).

        A candle stands for a minute without ticks: for ``CANDLE_TICKS`` of its mean.
        """
        shape = len(rows), end - first, _MINUTE_BARS
        sums = self.bar_sums(first * _MINUTE_BARS, end * _MINUTE_BARS, rows)
        bar_sum = sums[0].reshape(shape).sum(axis=2)
        bar_n = sums[1].reshape(shape).sum(axis=2, dtype=np.int32)
        if self._shown is not None:
            is_inside = self._in_window(self._candles_between(first * 60, end * 60))
            for at, row in enumerate(rows):
                place = self._place(row)
                if place is not None:
                    inside = is_inside[place]
                    minutes = self._shown.minute[place, inside] - first
                    bar_sum[at, minutes] = self._shown.means(place)[inside] * CANDLE_TICKS
                    bar_n[at, minutes] = CANDLE_TICKS
        return bar_sum, bar_n

    def candles_until(self, row: int, second: int, seconds: int) -> int | None:
        """When the newest candle of the ``seconds`` up to a second ended; None: there is none."""
        place = self._place(row)
        if self._shown is None or place is None:
            return None
        inside = self._candles_between(second - seconds + 1, second + 1)[place]
        return int(self._shown.minute[place, inside].max() + 1) * 60 if inside.any() else None

    # Private.

    def _range_since(
        self, since: npt.NDArray[np.int64] | None, second: int, seconds: int
    ) -> tuple[Floats, Floats]:
        """The lowest and highest price over some seconds, of each symbol those since a second."""
        low, high = self._rings.price_range(second, seconds)
        if since is not None:
            first = second - seconds + 1
            for begin in np.unique(since[since > first]).tolist():
                rows = np.flatnonzero(since == begin)
                low[rows], high[rows] = self._rings.price_range(second, second - begin + 1, rows)
        return low, high

    def _without_initial(self, newest: tuple[Floats, Floats], second: int) -> tuple[Floats, Floats]:
        """In the place of prices that entered no window, the newest ticks that a return is of."""
        rows = self._rings.initial_rows(second)
        if not len(rows):
            return newest
        price, ts = newest[0].copy(), newest[1].copy()
        found = self.newest_at(second, max(HORIZONS_SEC.values()) // BAR_SEC)
        price[rows], ts[rows] = found[0][rows], found[1][rows]
        return price, ts

    def _place(self, row: int) -> int | None:
        """The place of a row among the candles; None if it has none."""
        return None if self._shown is None else self._shown.places.get(row)

    def _or_candle(
        self, price: Floats, ts: Floats, second: int, *, is_window: bool = False
    ) -> tuple[Floats, Floats]:
        """Prices and times, or those of candles of later minutes; of its own window's on demand."""
        if self._shown is None:
            return price, ts
        price, ts, rows = price.copy(), ts.copy(), self._shown.rows
        minute, close = self._shown.newest(second)
        is_later = minute > np.nan_to_num(ts[rows]) // 60
        if is_window:
            is_later = self._in_window(is_later[:, None], minute[:, None])[:, 0]
        price[rows[is_later]] = close[is_later]
        ts[rows[is_later]] = minute[is_later] * 60.0 + CLOSES_AT
        return price, ts

    def _in_window(
        self, is_seen: npt.NDArray[np.bool_], minute: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Those candles that no begin of a window since its vendor serves lies after."""
        if self._shown is None or self._since is None:
            return is_seen
        rows = self._shown.rows
        gap, change = self._since.gap[rows], self._since.change[rows]
        begin = np.where(gap > change, gap, 0)[:, None]
        return is_seen & ((self._shown.minute if minute is None else minute) * 60 >= begin)

    def _candles_between(self, first: int, end: int) -> npt.NDArray[np.bool_]:
        """Which candles are of whole minutes of a span, in which no tick is seen."""
        if self._shown is None:
            return np.zeros((0, 0), np.bool_)
        minute, rows = self._shown.minute, self._shown.rows
        is_inside = (minute * 60 >= first) & (minute * 60 + 60 <= end)
        if is_inside.any():
            begin, last = int(minute[is_inside].min()), int(minute[is_inside].max())
            bars = begin * _MINUTE_BARS, (last + 1) * _MINUTE_BARS
            has_ticks = self._rings.has_ticks_in(*bars, rows)
            if self._since is not None:
                has_ticks &= ~_is_before(self._since.change[rows], *bars)
            is_ticked = has_ticks.reshape(len(rows), -1, _MINUTE_BARS).any(axis=2)
            at = np.clip(minute - begin, 0, last - begin)
            is_inside &= ~np.take_along_axis(is_ticked, at, axis=1)
        return is_inside


def _from(price: Floats, ts: Floats, begin: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Prices and their times, NaN if they are of before a second."""
    is_before = ts < begin
    return np.where(is_before, np.nan, price), np.where(is_before, np.nan, ts)


def _is_before(begin: npt.NDArray[np.int64], first: int, end: int) -> npt.NDArray[np.bool_]:
    """Whether each of some bars began before a second, [symbol, bar]."""
    found: npt.NDArray[np.bool_] = np.arange(first, end) * BAR_SEC < begin[:, None]
    return found


def _hide_bars(
    begin: npt.NDArray[np.int64],
    first: int,
    end: int,
    rows: Sequence[int] | slice,
    bar_sum: Floats,
    bar_n: Ints,
) -> None:
    """Empty the bars that began before a second."""
    of_rows = begin[rows] if isinstance(rows, slice) else begin[np.array(rows, np.intp)]
    is_before = _is_before(of_rows, first, end)
    bar_sum[is_before], bar_n[is_before] = 0.0, 0
