"""The prices of shares, currencies and coins in the simulated market, a minute at a time.

Each is a random walk of its own and under what moves many at once. Its volatility wanders over
minutes and hours, follows the time of day, and is excited by news; so is how much of it is traded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.instruments import FACTORS, PEGGED, YEAR_SEC, Leg, traits
from sources.weather import (
    MINUTE_SEC,
    MOOD_VARIANCE,
    Factors,
    Moods,
    News,
    Ties,
    chance_of,
    day_shape,
    generator,
    some_news,
)
from ticks import ASSETS, Asset

__all__ = ["PLAYED_SEC", "Assets", "AssetsMinute", "Played", "Reversion"]

Floats = npt.NDArray[np.float64]

FAST_MINUTES: Final = 8.0
SLOW_MINUTES: Final = 120.0
FAST_VARIANCE: Final = 0.05
SLOW_VARIANCE: Final = 0.04
"""An asset's own volatility: how long the two parts of its logarithm remember, and how much each
varies."""

NEWS_A_DAY: Final[dict[Asset, float]] = {"stocks": 1.5, "forex": 4.0, "crypto": 3.0}
"""How much news of its own an asset has, beside that of the factors it follows."""

EXCITED_SEC: Final = 420.0
RUSH_SEC: Final = 30.0
RUSH_PACE: Final = 4.0
"""How long news keeps volatility up, and trading; and by how much more is traded at first."""

PEG_SEC: Final = 1200.0
PEG_SIZE: Final = 1.2e-4
"""How long a pegged coin takes to come back, and how far it strays."""

FLURRY_SEC: Final = 20.0
FLURRY_VARIANCE: Final = 0.9
"""How long a flurry of ticks lasts, and the variance of the logarithm of what comes in a second.
All symbols of one asset have the same: whoever trades one looks at the others."""

PLAYED_SIZE: Final = 10.0
PLAYED_SEC: Final = 2
PLAYED_EXCITEMENT: Final = 0.5
PEERS_SHARE: Final = 0.6
"""A stress that is played: its move in usual one-minute moves, at least, how long that takes, by
how much more volatile it leaves the asset, and which share of the move its peers make."""

LEAST_PLAYED: Final[dict[Asset, float]] = {"stocks": 0.004, "forex": 0.002, "crypto": 0.008}
"""As a fraction of the price: of a sleepy asset even that many usual moves are none to speak of."""

_VARIANCE: Final = FAST_VARIANCE + SLOW_VARIANCE + MOOD_VARIANCE
_FADING: Final = np.exp(-np.arange(MINUTE_SEC + 1.0) / EXCITED_SEC)
_SLOWING: Final = np.exp(-np.arange(MINUTE_SEC + 1.0) / RUSH_SEC)


class Played(NamedTuple):
    """A stress that somebody wants to see."""

    leg: Leg
    """Who jumps."""
    first: int
    """The second of the minute in which it begins; it ends before the minute does."""
    sign: float
    """Up or down."""
    is_alone: bool
    """Whether the others of its class stay as they are."""


class AssetsMinute(NamedTuple):
    """One minute of all assets, a row for each in their order."""

    levels: Floats
    """Natural logarithm of the price in dollars at the 61 second marks."""
    pace: Floats
    """How busy each of the 60 seconds is, as a multiple of usual."""


class Reversion:
    """A minute of values that stray by ``sizes`` and come back to 0, for many of them at once."""

    def __init__(self, seconds: float, sizes: Floats) -> None:
        keep = math.exp(-1 / seconds)
        shock, mark = np.indices((MINUTE_SEC, MINUTE_SEC + 1))
        age = mark - 1.0 - shock
        self._decay = keep ** np.arange(MINUTE_SEC + 1.0)
        self._of_shocks = np.where(age >= 0, keep ** np.maximum(age, 0.0), 0.0)
        self._shock_sizes = sizes[:, None] * math.sqrt(1 - keep**2)

    def marks(self, value: Floats, normals: Floats) -> Floats:
        """The values at the 61 second marks, from those at the first and 60 normal shocks."""
        shocks = (self._shock_sizes * normals) @ self._of_shocks
        return np.asarray(value[:, None] * self._decay + shocks)


def _flurries() -> Floats:
    """What turns 61 normal numbers into the 60 seconds of a standard process that remembers."""
    keep = math.exp(-1 / FLURRY_SEC)
    shock, second = np.indices((MINUTE_SEC + 1, MINUTE_SEC))
    age = second + 1.0 - shock
    sizes = np.where(shock == 0, 1.0, math.sqrt(1 - keep**2))
    return np.where(age >= 0, sizes * keep ** np.maximum(age, 0.0), 0.0)


_FLURRIES: Final = math.sqrt(FLURRY_VARIANCE) * _flurries()


class _Excitement:
    """What news does to prices, to their volatility and to trading."""

    def __init__(self, loads: Floats) -> None:
        self._loads = loads
        self._excited = np.zeros(len(loads))
        self._rush = np.zeros(len(loads))

    @property
    def now(self) -> Floats:
        """By how much more volatile than usual each asset is at the end of the last minute."""
        return self._excited

    def next_minute(
        self, own: Sequence[tuple[int, News]], common: Mapping[int, News]
    ) -> tuple[Floats, Floats, Floats]:
        """The moves that assets' own and their factors' news make, in usual one-minute moves.

        Then by how much more volatile and busier than usual each second is, as multiples.
        """
        excited = self._excited[:, None] * _FADING
        rush = self._rush[:, None] * _SLOWING
        jumps = np.zeros((len(self._loads), MINUTE_SEC))
        told = [(news, np.eye(len(self._loads))[row]) for row, news in own]
        told += [(news, self._loads[:, factor]) for factor, news in common.items()]
        for news, weights in told:
            end = news.first + news.seconds
            jumps[:, news.first : end] += weights[:, None] * (news.size / news.seconds)
            since = MINUTE_SEC + 1 - news.first
            hit = np.abs(weights)[:, None]
            excited[:, news.first :] += news.excitement * hit * _FADING[:since]
            rush[:, news.first :] += RUSH_PACE * hit * _SLOWING[:since]
        self._excited, self._rush = excited[:, -1].copy(), rush[:, -1].copy()
        return jumps, excited[:, :-1], rush[:, :-1]


class Assets:
    """The assets behind a watchlist and all that they share, minute by minute.

    Each draws from a random generator of its own, so that it is the same whatever else is watched.
    ``begin`` is when the first minute begins. ``level`` is the logarithm of every price at the end
    of the last minute, to which another may be set before the next; pegged coins keep theirs.
    """

    def __init__(self, legs: Sequence[Leg], seed: int, begin: float) -> None:
        likes = [traits(leg) for leg in legs]
        self._legs = tuple(legs)
        self._begin = begin
        self._random = [generator(seed, f"{leg.asset} {leg.name}") for leg in legs]
        self._class = np.array([ASSETS.index(leg.asset) for leg in legs], dtype=np.intp)
        self._chances = np.array([chance_of(NEWS_A_DAY[leg.asset]) for leg in legs])
        self._sigma = np.array([like.vol_pa for like in likes]) / np.sqrt(
            [YEAR_SEC[leg.asset] for leg in legs]
        )
        self._loads = np.array(
            [like.loads.get(name, 0.0) for like in likes for name in FACTORS]
        ).reshape(len(legs), len(FACTORS))
        self._groups = [like.group for like in likes]
        self._factors = Factors(seed)
        self._moods = Moods(seed)
        self._ties = {group: Ties(seed, group) for group in sorted(set(self._groups))}
        self._excitement = _Excitement(self._loads)
        self._peg = Reversion(PEG_SEC, np.full(len(legs), PEG_SIZE))
        self.is_pegged = np.array([leg in PEGGED for leg in legs], dtype=bool)
        self.level = np.log([like.price for like in likes])
        self._home = self.level.copy()
        first = self._draw(3)
        self._fast = math.sqrt(FAST_VARIANCE) * first[:, 0]
        self._slow = math.sqrt(SLOW_VARIANCE) * first[:, 1]
        self.level[self.is_pegged] += PEG_SIZE * first[self.is_pegged, 2]

    def _draw(self, count: int) -> Floats:
        """So many standard normal numbers for each asset."""
        drawn = [random.standard_normal(count) for random in self._random]
        return np.array(drawn).reshape(len(self._legs), count)

    def next_minute(self, played: Sequence[Played] = ()) -> AssetsMinute:
        """The next minute of every asset, with what is ``played`` in it."""
        drawn = self._draw(2 * MINUTE_SEC + 4)
        own, busy = drawn[:, :MINUTE_SEC], drawn[:, MINUTE_SEC : 2 * MINUTE_SEC + 1]
        fast, slow, surprise = drawn[:, 2 * MINUTE_SEC + 1 :].T
        factors, common_news = self._factors.next_minute()
        own_news = [
            (row, some_news(self._random[row]))
            for row in np.flatnonzero(np.abs(surprise) > self._chances).tolist()
        ]
        shape = day_shape(self._begin)[self._class][:, None]
        self._begin += MINUTE_SEC
        calm = shape * np.exp(self._wander(fast, slow))[:, None]
        for each in played:
            own_news += self._news_of(each, shape[:, 0], calm[:, 0] / shape[:, 0])
        jumps, excited, rush = self._excitement.next_minute(own_news, common_news)
        gust = calm * (1 + excited)
        moves = self._sigma[:, None] * (
            gust * self._shocks(own, factors) + shape * math.sqrt(MINUTE_SEC) * jumps
        )
        # The mean of a gust in calm is below the root of its mean square.
        pace = gust * math.exp(_VARIANCE / 2) * (1 + rush)
        pace *= np.exp(busy @ _FLURRIES - FLURRY_VARIANCE / 2)
        return AssetsMinute(self._walk(moves, own), pace)

    def _news_of(self, played: Played, shape: Floats, wildness: Floats) -> list[tuple[int, News]]:
        """The news that makes an asset jump, and its peers if they are to move along.

        By the ``shape`` of the day and how wild each asset is beside that: a move of so many usual
        minutes is none in a storm.
        """
        leader = self._legs.index(played.leg)
        usual = self._sigma * math.sqrt(MINUTE_SEC) * shape
        wild = np.maximum(wildness * (1 + self._excitement.now), 1.0)
        least = LEAST_PLAYED[played.leg.asset] / float(usual[leader])
        size = max(PLAYED_SIZE * float(wild[leader]), least) * played.sign
        found = [(leader, News(played.first, PLAYED_SEC, size, PLAYED_EXCITEMENT))]
        if not played.is_alone:
            for row, leg in enumerate(self._legs):
                if leg != played.leg and leg.asset == played.leg.asset and not self.is_pegged[row]:
                    share = PEERS_SHARE * self._goes_along(leader, row) * float(wild[row])
                    news = News(
                        played.first,
                        PLAYED_SEC,
                        share * PLAYED_SIZE * played.sign,
                        PLAYED_EXCITEMENT,
                    )
                    found.append((row, news))
        return found

    def _goes_along(self, leader: int, row: int) -> float:
        """1 if what moves one asset moves another the same way, −1 if the other way."""
        return -1.0 if float(self._loads[leader] @ self._loads[row]) < 0 else 1.0

    def _wander(self, fast: Floats, slow: Floats) -> Floats:
        """The logarithm of each asset's volatility in this minute, as a multiple of usual."""
        for log, shocks, minutes, variance in (
            (self._fast, fast, FAST_MINUTES, FAST_VARIANCE),
            (self._slow, slow, SLOW_MINUTES, SLOW_VARIANCE),
        ):
            keep = math.exp(-1 / minutes)
            log *= keep
            log += math.sqrt(variance * (1 - keep**2)) * shocks
        common = self._moods.next_minute()[self._class]
        # So that the mean square of the multiple is 1.
        return np.asarray(self._fast + self._slow + common - _VARIANCE)

    def _shocks(self, own: Floats, factors: Floats) -> Floats:
        """Every asset's shocks of variance 1: what moves many, and what is its own."""
        tied = {group: ties.next_minute() for group, ties in self._ties.items()}
        loads, own = self._loads.copy(), own.copy()
        for row, (leg, group) in enumerate(zip(self._legs, self._groups, strict=True)):
            kept, weight = self._ties[group].of(leg)
            loads[row] *= kept
            if weight > 0:
                own[row] = weight * tied[group] + math.sqrt(1 - weight**2) * own[row]
        share = np.sqrt(1 - (loads**2).sum(axis=1))[:, None]
        return np.asarray(loads @ factors + share * own)

    def _walk(self, moves: Floats, normals: Floats) -> Floats:
        """The level of every asset at the 61 second marks."""
        levels = np.empty((len(self._legs), MINUTE_SEC + 1))
        levels[:, 0] = 0.0
        np.cumsum(moves, axis=1, out=levels[:, 1:])
        levels += self.level[:, None]
        if self.is_pegged.any():
            pegged = self._home[:, None] + self._peg.marks(self.level - self._home, normals)
            levels[self.is_pegged] = pegged[self.is_pegged]
        self.level = levels[:, -1].copy()
        return levels
