"""How true surprise is: its tails, out of sample, on markets of which all is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pytest

from bars import CELL, Bars
from pulse_store import PulseStore
from usual import DAY_MINUTES, Bools, DayMemory, Floats

SYMBOLS: Final = 20


def calm_and_storm(rng: np.random.Generator, minutes: int, size: float) -> Floats:
    """Log volatility by minute and symbol: it clusters for 20 minutes and for three hours."""
    shared, own, long = (np.zeros((minutes, count)) for count in (1, SYMBOLS, 1))
    for walk, tau, sd in ((shared, 20, size), (own, 20, size / 2), (long, 180, size / 2)):
        kept = np.exp(-1.0 / tau)
        noise = rng.normal(0.0, sd * np.sqrt(1 - kept * kept), walk.shape)
        for minute in range(1, minutes):
            walk[minute] = kept * walk[minute - 1] + noise[minute]
    return shared + own + long


def z_of(log_vol: Floats, steps: Floats, price_step: float = 0.0) -> Floats:
    """z by minute and symbol, from the ten-second steps of [minute, 6, symbol] at unit volatility.

    A minute's return over the volatility of the fifteen minutes before it; prices are rounded to
    ``price_step``, in units of a usual ten seconds.
    """
    price = (steps * np.exp(log_vol)[:, None]).reshape(-1, SYMBOLS).cumsum(axis=0)
    if price_step:
        price = np.round(price / price_step) * price_step
    change = np.diff(price, axis=0, prepend=0.0)
    squares = (change**2).reshape(-1, 6, SYMBOLS).sum(axis=1).cumsum(axis=0)
    z = np.full(squares.shape, np.nan)
    sigma = np.sqrt((squares[15:-1] - squares[:-16]) / 15.0)
    np.divide(np.diff(price[5::6], axis=0)[15:], sigma, out=z[16:], where=sigma > 0)
    return z


def shaped(minutes: int, depth: float) -> Floats:
    """The shape of the day: busy at one hour, quiet twelve hours later."""
    return depth * np.cos(np.arange(minutes)[:, None] * 2 * np.pi / DAY_MINUTES)


def ten_seconds(draw: Callable[[tuple[int, ...]], Floats], minutes: int) -> Floats:
    """Steps of which half the variance is the whole class's."""
    steps: Floats = np.sqrt(0.5) * (draw((minutes, 6, SYMBOLS)) + draw((minutes, 6, 1)))
    return steps


def quiet_stocks(rng: np.random.Generator) -> Floats:
    """Seven sessions of 390 minutes; prices in steps as large as a usual ten seconds' move."""
    minutes = 7 * 390
    at_open = 1.2 * np.exp(-(np.arange(minutes)[:, None] % 390) / 30.0)
    vol = calm_and_storm(rng, minutes, 0.3) + at_open
    return z_of(vol, ten_seconds(rng.standard_normal, minutes), 1.0)


def stormy_forex(rng: np.random.Generator, minutes: int = 3 * DAY_MINUTES) -> Floats:
    """Three days of heavy tails that cluster, and a day's shape; a tenth of minutes is unknown."""

    def heavy(shape: tuple[int, ...]) -> Floats:
        drawn: Floats = rng.standard_t(3, shape) / np.sqrt(3.0)
        return drawn

    vol = calm_and_storm(rng, minutes, 0.5) + shaped(minutes, 0.6)
    z = z_of(vol, ten_seconds(heavy, minutes))
    z[rng.random(z.shape) < 0.1] = np.nan
    return z


def jumping_crypto(rng: np.random.Generator) -> Floats:
    """Three days that cluster, with ten jumps a day and symbol of up to fifty usual steps."""
    minutes = 3 * DAY_MINUTES
    steps = ten_seconds(rng.standard_normal, minutes)
    jumps = rng.random(steps.shape) < 10 / (6 * DAY_MINUTES)
    steps[jumps] += rng.normal(0.0, 25.0, np.count_nonzero(jumps))
    return z_of(calm_and_storm(rng, minutes, 0.4) + shaped(minutes, 0.4), steps)


def calm_crypto(rng: np.random.Generator) -> Floats:
    """Three days in which z is what a normal variable is, but for the error of the volatility."""
    minutes = 3 * DAY_MINUTES
    return z_of(np.zeros((minutes, SYMBOLS)), rng.standard_normal((minutes, 6, SYMBOLS)))


class Judged(NamedTuple):
    """What was shown of every minute, [minute, symbol] each."""

    surprise: Floats
    early: Bools
    is_above_usual: Bools
    """Whether the return was larger than the usual one, if that was known."""


def judged(z: Floats) -> Judged:
    """Each minute by the minutes before it; its return is a ten-thousandth of z."""
    memory = DayMemory()
    for symbol in range(z.shape[1]):
        memory.add_symbol(f"S{symbol}", "crypto")
    found = []
    for minute, row in enumerate(z):
        usual = memory.at(minute * 60 + 59)
        found.append((*usual.surprise(row), np.abs(row / 1e4) > usual.usual_1m))
        memory.close(minute, row, row / 1e4, row / 1e4)
    return Judged(*map(np.array, zip(*found, strict=True)))


def beyond(values: Floats, limit: float) -> float:
    """The share, in per cent, of those known that are larger."""
    known = values[~np.isnan(values)]
    return 100.0 * np.count_nonzero(np.abs(known) > limit) / len(known)


@pytest.mark.parametrize(
    ("market", "z_beyond_3"),
    [(quiet_stocks, 0.5), (stormy_forex, 1.5), (jumping_crypto, 1.0), (calm_crypto, 0.2)],
)
def test_the_tails_of_surprise(
    market: Callable[[np.random.Generator], Floats], z_beyond_3: float
) -> None:
    """Of a normal variable 4.6 % are beyond 2, 1.24 % beyond 2.5 and 0.27 % beyond 3.

    That is so of all symbols together, of each alone, and, with some tolerance, while it is early;
    of z itself it is not.
    """
    z = market(np.random.default_rng(10))
    surprise, early, is_above_usual = judged(z)
    own = np.where(early, np.nan, surprise)
    assert beyond(z, 3.0) > z_beyond_3
    assert 4.2 < beyond(own, 2.0) < 5.0
    assert 1.1 < beyond(own, 2.5) < 1.4
    assert 0.15 < beyond(own, 3.0) < 0.35
    assert max(beyond(column, 3.0) for column in own.T) < 0.6
    # Judged by the minutes of all twenty but for the very first, judged by z itself.
    assert beyond(np.where(early, surprise, np.nan), 2.5) < 1.8
    assert beyond(np.where(early, surprise, np.nan), 3.0) < 0.5
    # One in two hundred of those that had a day behind them.
    assert 0.35 < 100.0 * is_above_usual[~early & ~np.isnan(z)].mean() < 0.65


@pytest.mark.parametrize(
    ("symbols", "minutes", "hours"), [(1, 360, 20), (5, 120, 20), (20, 70, 12)]
)
def test_few_minutes_of_the_class_judge_better_than_z(
    symbols: int, minutes: int, hours: int
) -> None:
    """In the first hours of heavy tails some third fewer surprises are beyond 3, not yet 0.3 %."""
    found, itself = [], []
    for seed in range(hours):
        z = stormy_forex(np.random.default_rng(seed), minutes)[:, :symbols]
        surprise, early, _ = judged(z)
        assert early[~np.isnan(z)].all()
        found.append(surprise)
        itself.append(z)
    assert beyond(np.concatenate(itself), 3.0) > 1.7
    assert beyond(np.concatenate(found), 3.0) < 1.4


NAMES: Final = ("CENT", "STEP", "EURUSD", "GBPUSD", "BTC-USD", "SHIB")
CLASSES: Final = ("stocks", "stocks", "forex", "forex", "crypto", "crypto")
HOURS: Final = 48
BEGIN: Final = 1_795_359_600


def two_days(rng: np.random.Generator) -> tuple[Floats, Bools]:
    """The newest price of each second and whether there is one, [second, symbol].

    All cluster and have a day's shape. Stocks bounce by their step, which is 7 and 0.7 basis
    points; forex has heavy tails; crypto jumps, and one of it has a tick in twelve seconds.
    """
    seconds = HOURS * 3600
    log_vol = calm_and_storm(rng, HOURS * 60, 0.4)[:, : len(NAMES)] + shaped(HOURS * 60, 0.5)
    steps = rng.standard_normal((seconds, len(NAMES)))
    steps[:, 2:4] = rng.standard_t(3, (seconds, 2)) / np.sqrt(3.0)
    jumps = np.zeros(steps.shape, np.bool_)
    jumps[:, 4:] = rng.random((seconds, 2)) < 10 / 86_400
    steps[jumps] = rng.normal(0.0, 60.0, np.count_nonzero(jumps))
    moves = np.repeat(np.exp(log_vol), 60, axis=0) * steps * 3e-5
    price = np.array([14.0, 300.0, 1.1, 1.3, 6e4, 1e-5]) * np.exp(moves.cumsum(axis=0))
    price[:, :2] += rng.choice([-0.5, 0.5], (seconds, 2)) * [0.01, 0.02]
    price[:, :2] = price[:, :2].round(2)
    return price, rng.random(price.shape) < [0.6, 0.9, 0.95, 0.5, 0.98, 0.08]


def hour_of(price: Floats, live: Bools, hour: int) -> Bars:
    """The one-second bars of an hour."""
    first = hour * 3600
    second, row = np.nonzero(live[first : first + 3600])
    cells = np.zeros(len(second), CELL)
    cells["second"], cells["row"], cells["n"] = BEGIN + first + second, row, 1
    cells["price"] = cells["sum"] = price[first + second, row]
    return Bars(NAMES, CLASSES, cells)


def test_the_tails_of_what_a_store_shows() -> None:
    """Through volatilities, bounce and all, on the second of two days: of six unlike symbols."""
    price, live = two_days(np.random.default_rng(7))
    store = PulseStore(2 * 3600)
    z, surprise = [], []
    for hour in range(HOURS):
        store.load_bars(hour_of(price, live, hour))
        end = BEGIN + (hour + 1) * 3600
        store.advance(end)
        for second in range(end - 3580, end, 60) if hour >= HOURS // 2 else ():
            frame = store.frame(second + 0.999)
            assert not frame["early"].any()
            z.append(frame["z"].to_numpy())
            surprise.append(frame["surprise"].to_numpy())
    shown = np.array(surprise)
    assert beyond(np.array(z), 3.0) > 3.0
    assert 3.5 < beyond(shown, 2.0) < 5.5
    assert 0.9 < beyond(shown, 2.5) < 1.6
    assert beyond(shown, 3.0) < 0.5
    assert max(beyond(column, 3.0) for column in shown.T) < 0.7
