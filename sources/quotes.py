"""The simulated market's trades and quotes: how the mids of a minute are printed.

Stocks trade at the bid or the ask of a grid of cents that is wide beside
what the price moves from trade to trade, so that trades bounce; coins trade close around the mid,
and currencies are quoted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.instruments import Instrument
from sources.weather import MINUTE_SEC, generator
from ticks import Asset

__all__ = ["EXCLUDED_CONDITIONS", "Printer", "Quote"]

Floats = npt.NDArray[np.float64]

ODD_LOT_SHARE: Final = 0.01
EXCLUDED_SHARE: Final = 0.003
"""The shares of stock trades that are odd lots, and whose price is away from the market."""

ODD_LOT: Final = 37
EXCLUDED_CONDITIONS: Final = frozenset({2, 7, 13, 20})
"""Conditions of trades away from the market, which must not set the last price."""

_CENTS: Final = 100
_MARKS: Final = np.arange(MINUTE_SEC + 1.0)


class Quote(NamedTuple):
    """A trade or a quote of one symbol, in no vendor's format yet.

    ``ts`` is event time in seconds since the epoch, to the millisecond; ``price`` is a trade's
    price, or the mid in forex; ``bid`` and ``ask`` are always filled.
    """

    asset: Asset
    symbol: str
    ts: float
    price: float
    bid: float
    ask: float
    size: float
    conditions: tuple[int, ...]


class Printer:
    """Turns the minutes of one symbol into its quotes."""

    def __init__(self, seed: int, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        self._seed = seed
        self._instrument = instrument
        self._name = f"{instrument.asset} {instrument.symbol} quotes"
        self._half_spread = instrument.spread_bp * 0.5e-4
        self._typical_size = 400.0 / instrument.price

    def quotes(self, levels: Floats, pace: Floats, number: int, begin_ms: int) -> Iterator[Quote]:
        """The quotes of a minute that begins at ``begin_ms`` since the epoch.

        ``levels`` is the logarithm of the mid at the 61 second marks, ``pace`` how busy each second
        is. The minute's number seeds what is drawn here, so that minutes can be skipped.
        """
        asset, decimals = self._instrument.asset, self._instrument.decimals
        random = generator(self._seed, self._name, number)
        seconds = self._times(pace, random)
        count = len(seconds)
        mid = np.exp(np.interp(seconds, _MARKS, levels))
        conditions: list[tuple[int, ...]] = [()] * count
        if asset == "stocks":
            bid, ask, price = self._traded(mid, math.exp(levels[0]), random)
            size = 100.0 * np.ceil(random.exponential(2.0, count))
            _mark_odd_prints(price, size, conditions, random)
        else:
            bid, ask = self._around(mid)
            if asset == "forex":
                price, size = ((bid + ask) / 2).round(decimals + 1), np.zeros(count)
            else:
                price = np.where(random.random(count) < 0.5, bid, ask)
                size = random.lognormal(math.log(self._typical_size), 1.0, count).round(6)
        ts = (begin_ms + np.floor(seconds * 1000).astype(np.int64)) / 1000
        columns = (column.tolist() for column in (ts, price, bid, ask, size))
        return map(Quote, repeat(asset), repeat(self.symbol), *columns, conditions)

    def _times(self, pace: Floats, random: np.random.Generator) -> Floats:
        """Arrivals at the minute's pace, in seconds since its beginning, in order."""
        expected = np.concatenate(([0.0], np.cumsum(self._instrument.rate * pace)))
        arrivals = np.sort(random.random(random.poisson(expected[-1]))) * expected[-1]
        seconds: Floats = np.interp(arrivals, expected, _MARKS)
        return seconds.clip(max=MINUTE_SEC - 0.001)

    def _traded(
        self, mid: Floats, about: float, random: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """Bid, ask and price of trades at prices of ``about`` so much, in whole cents.

        The nearer the mid is to a side, the more trades are at it: their mean is the mid.
        """
        width = max(1, round(self._instrument.spread_bp * 1e-4 * about * _CENTS))
        cents = mid * _CENTS
        # The book of every minute stands on other cents.
        foot = random.integers(width)
        bid = np.maximum(np.floor((cents - foot) / width) * width + foot, 1.0)
        ask = bid + width
        price = np.where(random.random(len(mid)) * width < cents - bid, ask, bid)
        return bid / _CENTS, ask / _CENTS, price / _CENTS

    def _around(self, mid: Floats) -> tuple[Floats, Floats]:
        """Bid and ask around a mid, on the price grid and at least one step of it apart."""
        decimals = self._instrument.decimals
        bid: Floats = (mid * (1 - self._half_spread)).round(decimals)
        ask: Floats = np.maximum(mid * (1 + self._half_spread), bid + 10.0**-decimals)
        return bid, ask.round(decimals)


def _mark_odd_prints(
    price: Floats, size: Floats, conditions: list[tuple[int, ...]], random: np.random.Generator
) -> None:
    """Make a few stock trades odd lots, and fewer ones excluded trades away from the market."""
    chance = random.random(len(price))
    for i in np.flatnonzero(chance < ODD_LOT_SHARE):
        size[i] = random.integers(1, 100)
        conditions[i] = (ODD_LOT,)
    for i in np.flatnonzero(chance >= 1 - EXCLUDED_SHARE):
        away = math.copysign(random.uniform(0.003, 0.008), random.random() - 0.5)
        price[i] = round(price[i] * (1 + away), 2)
        conditions[i] = (14, int(random.choice(sorted(EXCLUDED_CONDITIONS))))
