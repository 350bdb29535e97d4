"""Every figure of the pulse table as a function of arrays, and ``COLUMNS``, the list of them.

The store calls these with copies of its rings, one row per symbol. Pure: no state, no lock, no
clock. ``NaN`` always means that a figure is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from moves import (
    HALF_LIFE_SEC,
    Halves,
    Stretch,
    against_peers,
    heat,
    minute_returns,
    returns,
    surprise_then,
)
from ticks import HORIZONS_SEC
from usual import Usual
from volatility import (
    BAR_SEC,
    REGIMES,
    ROUNDING,
    VOL_BARS,
    Codes,
    Floats,
    Ints,
    largest_share,
    mean_logs,
    slopes_per_min,
    trend_noise,
    watched_sec,
)

__all__ = [
    "BAR_SEC",
    "COLUMNS",
    "HALF_LIFE_SEC",
    "RANGE_SEC",
    "REGIMES",
    "ROUNDING",
    "VOL_BARS",
    "Codes",
    "Floats",
    "Instant",
    "Ints",
    "mean_logs",
    "ratio",
    "surprise_then",
    "trend_noise",
]

RANGE_SEC: Final = 3600
"""How far back the lowest and the highest price are looked for."""

_ROWS_AT_ONCE = 512
_REGIME_NAMES = np.array(REGIMES, dtype=object)


ELEVATED: Final = 1.4
"""So many times its hourly median a volatility is high enough to be looked into."""


def ratio(value: Floats, unit: Floats) -> Floats:
    """``value`` in units of ``unit``, which fits its shape, NaN if that is 0 or unknown."""
    result = np.full(value.shape, np.nan)
    np.divide(value, unit, out=result, where=unit > 0)
    return result


@dataclass(frozen=True)
class Instant:
    """All symbols at one instant: what the columns are computed from, one row per symbol."""

    now: float
    """Seconds since the epoch."""
    asset: npt.NDArray[Any]
    last: Floats
    last_ts: Floats
    """Price and time of the newest tick at or before the second of ``now``."""
    measured: Floats
    """The price that a day's change is measured against, NaN if that is not known."""
    measured_from: Floats
    """An older last price than of this time is none of that day."""
    newest: tuple[Floats, Floats]
    """Those of the window that the symbol is in, as far back as a return looks; a candle's, too."""
    ticked_1m: tuple[tuple[Floats, Floats], tuple[Floats, Floats]] | None
    """Without candles, the newest tick and the one of a minute ago; None: there are no candles."""
    references: Mapping[str, tuple[Floats, Floats]]
    """By horizon, price and time of the newest tick at its far end or up to half of it earlier."""
    recent: Stretch
    """The seconds up to that of ``now``: those of its bar, and ``moves.LEAD_SEC`` before."""
    before_5m: Stretch
    """The ``moves.END_REACH_SEC`` seconds up to five minutes ago."""
    bar_sum: Floats
    bar_n: Ints
    """[symbol, bar]: sum of the prices and number of ticks, of the ``VOL_BARS`` that had ended."""
    vol: Mapping[str, Floats]
    """vol_15m as it was sampled when the newest of them closed ("now"), and by horizon, as it stood
    then."""
    regime: Codes
    vol_median: Floats
    hottest: tuple[Halves, npt.NDArray[np.int8]]
    """Of the closed bars, as of ``moves.hottest``."""
    low: Floats
    high: Floats
    """Lowest and highest price of the last ``RANGE_SEC`` seconds."""
    price_step: Floats
    usual: Usual
    """What was usual then."""

    @cached_property
    def returns(self) -> dict[str, Floats]:
        """By horizon, the change of the price."""
        return {
            name: returns(self.newest, self.references[name], int(self.now), horizon)
            for name, horizon in HORIZONS_SEC.items()
        }

    def reference(self, horizon: str) -> tuple[Floats, Floats]:
        """Price and time that a return is measured from, NaN if there is no return."""
        known = ~np.isnan(self.returns[horizon])
        price, ts = self.references[horizon]
        return np.where(known, price, np.nan), np.where(known, ts, np.nan)

    @property
    def ret_day(self) -> Floats:
        """The change of the price since that which a day's change is measured against."""
        is_of_day = self.last_ts >= self.measured_from
        return np.where(is_of_day, self.last / self.measured - 1.0, np.nan)

    @cached_property
    def sigma(self) -> dict[str, Floats]:
        """By horizon, the volatility over it as it stood when it began.

        So a move does not excuse itself.
        """
        return {
            name: self.vol[name] * math.sqrt(HORIZONS_SEC[name] / 900.0) for name in ("1m", "5m")
        }

    @cached_property
    def z(self) -> Floats:
        """The return over a minute, from tick to tick, in units of its sigma."""
        if self.ticked_1m is None:
            return ratio(self.returns["1m"], self.sigma["1m"])
        return ratio(returns(*self.ticked_1m, int(self.now), 60), self.sigma["1m"])

    @cached_property
    def vol_rest(self) -> Floats:
        """vol_15m without the bar that adds most to it: a single print is no volatility.

        NaN unless vol_15m is at least ``ELEVATED`` medians: what is not high needs no such proof.
        """
        vol = self.vol["now"]
        rows = np.flatnonzero(vol >= ELEVATED * self.vol_median)
        rest = np.full(len(vol), np.nan)
        share = largest_share(self.bar_sum[rows], self.bar_n[rows])
        rest[rows] = vol[rows] * np.sqrt(1.0 - share)
        return rest

    @property
    def trend(self) -> Floats:
        """The slope of the log price per minute, found for some symbols at a time.

        For all at once most of the time would go into fresh memory.
        """
        found = np.empty(len(self.bar_n))
        for begin in range(0, len(found), _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            found[some] = slopes_per_min(mean_logs(self.bar_sum[some], self.bar_n[some]))
        return found

    @cached_property
    def surprise(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """How rare z is, and whether that is early."""
        return self.usual.surprise(self.z)

    @cached_property
    def heat(self) -> tuple[Floats, Floats]:
        """The decayed largest surprise, and its second."""
        surprise, _ = self.usual.surprise(
            ratio(minute_returns(self.recent.price), self.sigma["1m"][:, None])
        )
        return heat(surprise, *self.hottest, self.recent.end)

    @cached_property
    def move_ends(self) -> dict[str, tuple[Floats, Floats]]:
        """Price and time of a move's ends: "now", and by horizon where it began."""
        return {
            "now": self.recent.move_end(0),
            "1m": self.recent.move_end(60),
            "5m": self.before_5m.move_end(0),
        }

    @cached_property
    def moves(self) -> dict[str, Floats]:
        """By horizon, the change between its ends."""
        to, _ = self.move_ends["now"]
        return {name: to / self.move_ends[name][0] - 1.0 for name in ("1m", "5m")}

    def move_from(self, horizon: str) -> tuple[Floats, Floats]:
        """Price and time that a move is measured from, NaN if there is no move."""
        known = ~np.isnan(self.moves[horizon])
        price, ts = self.move_ends[horizon]
        return np.where(known, price, np.nan), np.where(known, ts, np.nan)

    def move_surprise(self, horizon: str) -> Floats:
        """How rare a move is, by what is usual for a minute's z."""
        found, _ = self.usual.surprise(ratio(self.moves[horizon], self.sigma[horizon]))
        return found


COLUMNS: Final[Mapping[str, Callable[[Instant], npt.NDArray[Any]]]] = MappingProxyType(
    {
        "asset": lambda at: at.asset,
        "last": lambda at: at.last,
        "last_ts": lambda at: at.last_ts,
        "age": lambda at: at.now - at.last_ts,
        "range_low": lambda at: at.low,
        "range_high": lambda at: at.high,
        "ret_1m": lambda at: at.returns["1m"],
        "ret_5m": lambda at: at.returns["5m"],
        "ret_15m": lambda at: at.returns["15m"],
        "ret_day": lambda at: at.ret_day,
        "prev_close": lambda at: at.measured,
        "vol_15m": lambda at: at.vol["now"],
        "vol_median": lambda at: at.vol_median,
        "vol_rest": lambda at: at.vol_rest,
        "trend_15m": lambda at: at.trend,
        "z": lambda at: at.z,
        "surprise": lambda at: at.surprise[0],
        "early": lambda at: at.surprise[1],
        "heat": lambda at: at.heat[0],
        "heat_ts": lambda at: at.heat[1],
        "vs_peers": lambda at: against_peers(at.surprise[0], at.asset),
        "regime": lambda at: _REGIME_NAMES[at.regime],
        "sigma_1m": lambda at: at.sigma["1m"],
        "sigma_5m": lambda at: at.sigma["5m"],
        "usual_1m": lambda at: at.usual.usual_1m,
        "usual_5m": lambda at: at.usual.usual_5m,
        "ref_1m": lambda at: at.reference("1m")[0],
        "ref_1m_ts": lambda at: at.reference("1m")[1],
        "ref_5m": lambda at: at.reference("5m")[0],
        "ref_5m_ts": lambda at: at.reference("5m")[1],
        "move_1m": lambda at: at.moves["1m"],
        "move_5m": lambda at: at.moves["5m"],
        "move_1m_surprise": lambda at: at.move_surprise("1m"),
        "move_5m_surprise": lambda at: at.move_surprise("5m"),
        "move_from_1m": lambda at: at.move_from("1m")[0],
        "move_from_1m_ts": lambda at: at.move_from("1m")[1],
        "move_from_5m": lambda at: at.move_from("5m")[0],
        "move_from_5m_ts": lambda at: at.move_from("5m")[1],
        "move_to": lambda at: at.move_ends["now"][0],
        "move_to_ts": lambda at: at.move_ends["now"][1],
        "price_step": lambda at: at.price_step,
        "watched_sec": lambda at: watched_sec(at.bar_n > 0, at.now),
    }
)
"""The columns of a frame, always all of them, in this order: a name and what computes it.

Returns, moves and volatilities are fractions; prices are the vendor's; ``age`` and ``watched_sec``,
which is how far back the ticks of the last fifteen minutes reach, are in seconds; ``trend_15m`` is
a fraction per minute; ``range_*`` are the lowest and the highest of the last hour's seconds' newest
prices; ``z`` is in units of ``sigma_1m``; ``surprise``, ``heat``, ``vs_peers`` and
``move_*_surprise`` are in the standard deviations of a normal variable as rare; ``sigma_*`` is the
volatility over a horizon as it stood when the horizon began; ``vol_rest`` is ``vol_15m`` without
the bar that adds most to it, known if that is high; ``usual_*`` is exceeded by half a per
cent of the returns of the symbol's own last day; a move is between medians of five seconds,
``move_from_*`` and ``move_to``, whose times are of the newest price in each. A volatility is known
once the newest bar that ended is closed.
"""
