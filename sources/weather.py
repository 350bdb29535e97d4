"""What the simulated market's assets have in common: the day, moods, news and passing ties.

Everything goes on a minute at a time and draws from random generators of its own, so that it is the
same whatever is watched.
"""

from __future__ import annotations

import math
import zlib
from datetime import datetime
from statistics import NormalDist
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sources.instruments import FACTORS, Leg
from ticks import ASSETS, Asset

__all__ = [
    "MINUTE_SEC",
    "MOOD_VARIANCE",
    "Factors",
    "Moods",
    "News",
    "Ties",
    "chance_of",
    "day_shape",
    "generator",
    "some_news",
]

Floats = npt.NDArray[np.float64]

MINUTE_SEC: Final = 60
"""Random numbers are drawn for a minute at a time."""

DAY_MINUTES: Final = 1440

_NEW_YORK: Final = ZoneInfo("America/New_York")

_SHAPES: Final[dict[Asset, tuple[tuple[float, float], ...]]] = {
    "stocks": (
        *((0.0, 0.62), (4.0, 0.60), (8.0, 0.72), (9.45, 0.95), (9.5, 1.85), (10.0, 1.40)),
        *((11.0, 1.02), (12.5, 0.80), (14.0, 0.84), (15.5, 1.10), (15.98, 1.30)),
        *((16.1, 0.85), (17.0, 0.68), (20.0, 0.62), (24.0, 0.62)),
    ),
    "forex": (
        *((0.0, 0.80), (2.0, 0.85), (3.0, 1.25), (5.0, 1.05), (7.5, 1.05), (8.5, 1.40)),
        *((10.5, 1.35), (12.0, 1.00), (15.0, 0.80), (17.0, 0.62), (18.0, 0.72), (20.0, 0.90)),
        (24.0, 0.80),
    ),
    "crypto": (
        *((0.0, 0.90), (3.0, 0.90), (8.0, 1.00), (10.0, 1.25), (12.0, 1.15), (16.0, 1.00)),
        *((20.0, 0.95), (24.0, 0.90)),
    ),
}
"""How volatile each class is by the clocks of New York, in hours, as a multiple: U-shaped while its
stock exchange is open, for currencies with the mornings of London and New York."""

_BUSY_HOURS: Final[dict[Asset, tuple[float, float]]] = {
    "stocks": (9.5, 16.0),
    "forex": (0.0, 24.0),
    "crypto": (0.0, 24.0),
}
"""Over which hours the square of the shape has a mean of 1."""


def _shape(asset: Asset) -> Floats:
    hours, sizes = zip(*_SHAPES[asset], strict=True)
    shape = np.interp(np.arange(DAY_MINUTES) / 60, hours, sizes)
    first, last = (int(60 * hour) for hour in _BUSY_HOURS[asset])
    return np.asarray(shape / math.sqrt(float((shape[first:last] ** 2).mean())))


_DAY: Final = np.stack([_shape(asset) for asset in ASSETS])


def day_shape(ts: float) -> Floats:
    """How volatile the minute at ``ts`` is, as a multiple for each class in the order of ASSETS.

    Every day is a weekday: this market never closes.
    """
    clock = datetime.fromtimestamp(ts, _NEW_YORK)
    return _DAY[:, 60 * clock.hour + clock.minute]


def generator(seed: int, name: str, *more: int) -> np.random.Generator:
    """The random generator of one part of the market."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *more])


class News(NamedTuple):
    """Something that moves a price within a minute."""

    first: int
    """The second in which it begins."""
    seconds: int
    """How long its move takes."""
    size: float
    """The whole move, in usual one-minute moves, with its sign."""
    excitement: float
    """By how much more volatile than usual it leaves what it moved, as a multiple."""


def chance_of(news_a_day: float) -> float:
    """Beyond which size of a normal variable, drawn every minute, there is news that often."""
    return NormalDist().inv_cdf(1 - news_a_day / (2 * DAY_MINUTES))


def some_news(random: np.random.Generator) -> News:
    """A jump within seconds, or for a third of all half a minute of one-sided trading."""
    kind, at, length, size, excitement = random.random(5).tolist()
    jumps = kind < 2 / 3
    seconds = 1 + int(4 * length) if jumps else 20 + int(21 * length)
    first = int(at * (MINUTE_SEC - seconds + 1))
    return News(first, seconds, _either_way(size, 3.0, 5.5), 0.4 + 0.8 * excitement)


def _either_way(uniform: float, least: float, most: float) -> float:
    """A size between least and most, up or down, from one number in [0, 1)."""
    signed = 2 * uniform - 1
    return math.copysign(least + (most - least) * abs(signed), signed)


FACTOR_NEWS_A_DAY: Final = {"market": 1.5, "dollar": 2.0, "coins": 1.5}
OTHER_FACTOR_NEWS_A_DAY: Final = 0.4


class Factors:
    """What moves many assets at once, a minute at a time."""

    def __init__(self, seed: int) -> None:
        self.names = tuple(FACTORS)
        self._random = [generator(seed, f"factor {name}") for name in self.names]
        self._chances = [
            chance_of(FACTOR_NEWS_A_DAY.get(name, OTHER_FACTOR_NEWS_A_DAY)) for name in self.names
        ]

    def next_minute(self) -> tuple[Floats, dict[int, News]]:
        """Standard normal shocks, a row per factor and a column per second, and news by row."""
        drawn = np.stack([random.standard_normal(MINUTE_SEC + 1) for random in self._random])
        news = {
            row: some_news(self._random[row])
            for row in np.flatnonzero(np.abs(drawn[:, -1]) > self._chances).tolist()
        }
        return drawn[:, :-1], news


MOOD_MINUTES: Final = 45.0
MOOD_VARIANCE: Final = 0.04
"""How long a class stays wilder or calmer than usual, and the variance of its logarithm."""


class Moods:
    """How volatile each class is beside its time of day: it wanders and comes back."""

    def __init__(self, seed: int) -> None:
        self._random = [generator(seed, f"mood {asset}") for asset in ASSETS]
        self._keep = math.exp(-1 / MOOD_MINUTES)
        self._log = math.sqrt(MOOD_VARIANCE) * self._draw()

    def next_minute(self) -> Floats:
        """The logarithm of a multiple for each class, in the order of ASSETS."""
        shock = math.sqrt(MOOD_VARIANCE * (1 - self._keep**2))
        self._log = self._keep * self._log + shock * self._draw()
        return self._log

    def _draw(self) -> Floats:
        return np.array([random.standard_normal() for random in self._random])


CALM_MINUTES: Final = 300.0
TIE_MINUTES: Final = (30, 50)
"""Mean time between two episodes of a group, and how long one lasts at least and at most."""

COMMON_SHARE: Final = 0.8
"""How much of what is an asset's own, as variance, it shares with others in an episode."""

ALOOF_LOAD: Final = 0.1
"""How much of its loads an asset keeps that goes its own way."""


class Ties:
    """Who in a group of assets moves together more than usual, or goes its own way, for a while.

    Most of the time nobody does and correlations are constant.
    """

    def __init__(self, seed: int, group: str) -> None:
        self._seed = seed
        self._group = group
        self._random = generator(seed, f"ties {group}")
        self._left = 0
        self._number = 0
        self._is_bond = False

    def next_minute(self) -> Floats:
        """Go on to the next minute; returns the common shocks of its seconds."""
        starts, kind, length = self._random.random(3).tolist()
        if self._left > 0:
            self._left -= 1
        elif starts < 1 / CALM_MINUTES:
            least, most = TIE_MINUTES
            self._left = least + int((most - least + 1) * length)
            self._is_bond = kind < 2 / 3
            self._number += 1
        return self._random.standard_normal(MINUTE_SEC)

    def of(self, leg: Leg) -> tuple[float, float]:
        """How much of its loads an asset has now, and the weight of common shocks in its own."""
        if self._left == 0:
            return 1.0, 0.0
        name = f"{self._group} {self._number} {leg.name}"
        draw = generator(self._seed, name).random()
        if self._is_bond:
            return 1.0, math.sqrt(COMMON_SHARE) if draw < 1 / 2 else 0.0
        return ALOOF_LOAD if draw < 1 / 4 else 1.0, 0.0
