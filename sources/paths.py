"""The mids of the simulated market's symbols and how busily they trade, a minute at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.assets import Assets, Played, Reversion
from sources.instruments import PEGGED, Instrument, Leg
from sources.weather import MINUTE_SEC, generator

__all__ = ["Minute", "Paths"]

Floats = npt.NDArray[np.float64]

BASIS_SEC: Final = 30.0
"""How long a symbol takes to agree with its legs again."""

STRAYED: Final = 20e-4
"""As far as a pegged coin may have strayed: more is another symbol's price."""


class Minute(NamedTuple):
    """One minute of all symbols, a row for each in their order."""

    levels: Floats
    """Natural logarithm of the mid at the 61 second marks."""
    pace: Floats
    """Ticks in each of the 60 seconds, as a multiple of usual."""


class Paths:
    """All symbols of a watchlist, minute by minute, each the same whatever else is watched.

    ``begin`` is when the first minute begins: volatility follows the time of day.
    """

    def __init__(self, instruments: Sequence[Instrument], seed: int, begin: float) -> None:
        self._instruments = tuple(instruments)
        both = [leg for item in instruments for leg in (item.base, item.quote) if leg is not None]
        self._legs: list[Leg] = list(dict.fromkeys(both))
        self._assets = Assets(self._legs, seed, begin)
        self._signs = np.zeros((len(self._instruments), len(self._legs)))
        """By how much of each asset's level a symbol's goes up: 1 for its base, −1 for its
        quote."""
        self._leading = np.array(
            [self._legs.index(item.leading) for item in self._instruments], dtype=np.intp
        )
        for row, item in enumerate(self._instruments):
            for leg, sign in ((item.quote, -1.0), (item.base, 1.0)):
                if leg is not None:
                    self._signs[row, self._legs.index(leg)] = sign
        self._straying = [row for row, item in enumerate(self._instruments) if item.basis > 0]
        straying = [self._instruments[row] for row in self._straying]
        sizes = np.array([item.basis for item in straying])
        self._random = [generator(seed, f"{item.asset} {item.symbol} basis") for item in straying]
        self._agreeing = Reversion(BASIS_SEC, sizes)
        self._basis = np.zeros(len(self._instruments))
        """How far each symbol is from what its legs say."""
        self._basis[self._straying] = sizes * [random.standard_normal() for random in self._random]

    def next_minute(self, played: Sequence[Played] = ()) -> Minute:
        """The next minute of every symbol, with what is ``played`` in it."""
        assets = self._assets.next_minute(played)
        levels = self._signs @ assets.levels
        if self._straying:
            normals = np.stack([random.standard_normal(MINUTE_SEC) for random in self._random])
            strays = self._agreeing.marks(self._basis[self._straying], normals)
            self._basis[self._straying] = strays[:, -1]
            levels[self._straying] += strays
        return Minute(levels, assets.pace[self._leading])

    def moving(self, symbol: str) -> Leg | None:
        """The asset that a symbol is mainly a price of, if that walks; None: it is kept in place,
        or there is no such symbol.
        """
        found = (row for row, item in enumerate(self._instruments) if item.symbol == symbol)
        leg = self._legs[self._leading[row]] if (row := next(found, None)) is not None else None
        return None if leg is None or leg in PEGGED else leg

    def continue_from(self, prices: Mapping[str, float]) -> None:
        """Begin the next minute at these prices of some symbols.

        Of several symbols of one asset the first decides, those in dollars before crosses. What is
        then missing of a few basis points is the pegged coins'.
        """
        is_pegged = self._assets.is_pegged
        is_set = np.zeros(len(self._legs), dtype=bool)
        told = [row for row, item in enumerate(self._instruments) if item.symbol in prices]
        legs = {row: np.flatnonzero(self._signs[row]).tolist() for row in told}
        walking = {row: [leg for leg in legs[row] if not is_pegged[leg]] for row in told}
        alone = [row for row in told if len(walking[row]) == 1]
        crosses = [row for row in told if len(walking[row]) > 1]
        for row in (*alone, *crosses):
            free = [leg for leg in walking[row] if not is_set[leg]]
            if free:
                leg = self._leading[row] if self._leading[row] in free else free[0]
                self._assets.level[leg] += self._signs[row, leg] * self._missing(row, prices)
                is_set[leg] = True
        for row in told:
            missing = self._missing(row, prices)
            free = [leg for leg in legs[row] if is_pegged[leg] and not is_set[leg]]
            if free and abs(missing) <= STRAYED:
                self._assets.level[free[0]] += self._signs[row, free[0]] * missing
                is_set[free[0]] = True

    def _missing(self, row: int, prices: Mapping[str, float]) -> float:
        """The logarithm of what a symbol's price has beyond its level."""
        level = float(self._signs[row] @ self._assets.level + self._basis[row])
        return math.log(prices[self._instruments[row].symbol]) - level
