"""Whether correlations are true: markets whose correlations are known, as often as it takes.

Prices are random walks of one-second steps; storms make steps four times as large for some minutes,
jumps are of ten such steps and more, and ticks come at random. Seeds are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from correlation import PairChange, changes, corr_card, corr_matrix, moving_together
from ticks import Regime

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Generator = np.random.Generator

HOUR: Final = 3600
BIN_SEC: Final = 10
MARKETS: Final = ("light tails", "heavy tails", "storms and jumps")


class Market:
    """Bars of some seconds of [symbol, second] log prices, from ``rate`` ticks a second."""

    def __init__(self, rng: Generator, prices: Floats, rate: float, bin_sec: int = BIN_SEC) -> None:
        symbols, seconds = prices.shape
        ticks = rng.poisson(rate, size=prices.shape)
        shape = (symbols, seconds // bin_sec, bin_sec)
        self.counts: Ints = ticks.reshape(shape).sum(axis=2).astype(np.int32)
        sums = (ticks * prices).reshape(shape).sum(axis=2)
        self.logs: Floats = np.full(sums.shape, np.nan)
        np.divide(sums, self.counts, out=self.logs, where=self.counts > 0)
        self.names = [f"S{i:02}" for i in range(symbols)]

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Those of the window, whose bars are of the length that was made."""
        rows = [self.names.index(symbol) for symbol in symbols]
        bars = slice(int(now - window_sec) // bin_sec, int(now) // bin_sec)
        return self.logs[rows, bars], self.counts[rows, bars]

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """Of which the window of a card depends: an hour."""
        return "normal"


def storms(rng: Generator, seconds: int) -> Floats:
    """How large steps are: four times as large for six minutes, every forty."""
    size, at = np.ones(seconds), rng.exponential(2400)
    while at < seconds:
        lasts = rng.exponential(360)
        size[int(at) : int(at + lasts) + 1] = 4.0
        at += lasts + rng.exponential(2400)
    return size


def walks(rng: Generator, market: str, mixture: Floats, seconds: int) -> Floats:
    """Log prices of symbols, [symbol, second], whose steps are mixed of independent ones.

    ``mixture`` is [symbol, step], or that for each second.
    """
    steps = rng.normal(size=(mixture.shape[-1], seconds))
    steps = np.einsum("...ij,j...->i...", mixture, steps) if mixture.ndim > 2 else mixture @ steps
    if market == "heavy tails":
        steps *= np.repeat(np.sqrt(1 / rng.chisquare(3, size=seconds // 10)), 10)
    if market == "storms and jumps":
        steps *= storms(rng, seconds)
        size = rng.exponential(10 * math.sqrt(10), size=steps.shape)
        steps += size * rng.choice((-1, 1), size=steps.shape) * (rng.random(steps.shape) < 1 / HOUR)
    return np.cumsum(steps, axis=1) * 1e-4


def two(r: float) -> Floats:
    """The mixture of two symbols that correlate so."""
    return np.array([[1.0, 0.0], [r, math.sqrt(1 - r * r)]])


@pytest.mark.parametrize(("rate", "bin_sec"), [(2.0, 10), (0.2, 10), (0.05, 30)])
@pytest.mark.parametrize("market", MARKETS)
def test_intervals_hold_the_truth(market: str, rate: float, bin_sec: int) -> None:
    """Nine of ten at least, whatever the truth; and r is not far off in the mean."""
    rng = np.random.default_rng(1)
    held, of = 0, 0
    for r in (0.0, 0.3, 0.7, 0.95):
        found = []
        for _ in range(100):
            store = Market(rng, walks(rng, market, two(r), HOUR), rate, bin_sec)
            (pair,) = corr_card(store, store.names, "S00", bin_sec, HOUR).top
            held += pair.low <= r <= pair.high
            found.append(pair.corr)
        of += len(found)
        # And what chance may do to the mean.
        assert np.mean(found) == pytest.approx(r, abs=0.04 + 2 * float(np.std(found)) / 10)
    assert held / of >= 0.9


@pytest.mark.parametrize("others", [6, 16])
@pytest.mark.parametrize("market", MARKETS)
def test_the_strongest_of_many_is_grey_where_there_is_nothing(market: str, others: int) -> None:
    """All but some 5 % of the time; by its own interval alone it would not be in 30 to 60 %."""
    rng = np.random.default_rng(2)
    alarms, naive, times = 0, 0, 150
    for _ in range(times):
        store = Market(rng, walks(rng, market, np.eye(others + 1), HOUR), 2.0)
        card = corr_card(store, store.names, "S00", BIN_SEC, HOUR)
        assert card.pairs == others
        alarms += not card.top[0].chance
        naive += not card.top[0].low <= 0 <= card.top[0].high
    assert alarms / times <= 0.1
    assert naive / times >= 0.2


def shown_part(market: str, symbols: int, hours: int, seed: int) -> float:
    """The part of minutes at which some pair is said to move together, if nothing changes."""
    rng = np.random.default_rng(seed)
    # Classes of seven symbols on a factor of their own.
    loads = np.resize([0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.4], symbols)
    mixture = np.zeros((symbols, symbols + 3))
    mixture[np.arange(symbols), symbols + np.arange(symbols) // 7] = loads
    mixture[np.arange(symbols), np.arange(symbols)] = np.sqrt(1 - loads**2)
    end = hours * HOUR
    store = Market(rng, walks(rng, market, mixture, end), 1.0)
    looks = {look: changes(store, store.names, BIN_SEC, look) for look in range(HOUR, end + 1, 60)}
    minutes = range(HOUR + 660, end + 1, 60)
    return float(np.mean([bool(moving_together(looks.__getitem__, now)) for now in minutes]))


@pytest.mark.parametrize(("symbols", "hours"), [(7, 24), (17, 16)])
@pytest.mark.parametrize("market", MARKETS)
def test_where_nothing_changes_nothing_is_shown(market: str, symbols: int, hours: int) -> None:
    """But 5 % of the time at most, the ten minutes included that something is shown for."""
    assert shown_part(market, symbols, hours, 3) <= 0.05


@pytest.mark.parametrize("market", MARKETS)
def test_what_begins_to_move_together_is_found(market: str) -> None:
    """From 0.3 to 0.8, within a quarter of an hour in most cases, and almost always in the end."""
    rng = np.random.default_rng(4)
    begins, waits = 3 * HOUR // 2, []
    mixture = np.stack([two(0.3)] * begins + [two(0.8)] * (HOUR // 2))
    for _ in range(40):
        store = Market(rng, walks(rng, market, mixture, len(mixture)), 2.0)
        waits.append(wait(partial(changes, store, store.names, BIN_SEC), begins))
    assert np.mean(np.isfinite(waits)) >= 0.8
    assert np.median(waits) <= 15


def wait(changes_at: partial[tuple[PairChange, ...]], begins: int) -> float:
    """Minutes until a change is shown; endless if it is not in half an hour."""
    looks = {look: changes_at(look) for look in range(begins - 660, begins + 1801, 60)}
    for now in range(begins, begins + 1801, 60):
        if any(pair.has_started for pair in moving_together(looks.__getitem__, now)):
            return (now - begins) / 60
    return math.inf


def test_the_matrix_and_the_card_say_the_same() -> None:
    """Of every pair, whatever it is asked for with."""
    rng = np.random.default_rng(5)
    store = Market(rng, walks(rng, "storms and jumps", np.tri(5), HOUR), 0.5)
    corr, count = corr_matrix(store, store.names, BIN_SEC, HOUR, HOUR)
    for base in store.names:
        for pair in corr_card(store, store.names, base, BIN_SEC, HOUR).top:
            assert pair.corr == pytest.approx(corr.loc[base, pair.symbol])
            assert pair.n == count.loc[base, pair.symbol]
