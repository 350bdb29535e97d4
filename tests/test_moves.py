"""Volatility under bounce, trends of nothing, moves between medians, heat and the price step.

Each beside a truth that is known: markets drawn with a fixed seed.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moves import MIN_STEP_MINUTES, price_steps, smallest_steps
from pulse_store import PulseStore
from ticks import Tick
from volatility import trend_noise

START: Final = 1_760_000_400
"""A whole hour, in seconds since the epoch."""

VOL: Final = 0.004
"""The true volatility over fifteen minutes."""


def walk(
    rng: np.random.Generator, seconds: int, per_sec: float, noise: float = 0.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times and prices of a walk with ticks at random; ``noise`` is the size of its bounce."""
    count = int(rng.poisson(per_sec * seconds))
    times = np.sort(rng.uniform(0, seconds, count))
    steps = rng.normal(size=count) * np.sqrt(np.diff(times, prepend=0.0) / 900) * VOL
    side = rng.choice([-1.0, 1.0], count)
    return times, 100.0 * np.exp(np.cumsum(steps) + side * noise)


def store_of_walks(runs: int, seconds: int, per_sec: float, noise: float = 0.0) -> PulseStore:
    """A store with so many symbols that walk, closed up to the end."""
    rng = np.random.default_rng(7)
    store = PulseStore()
    for run in range(runs):
        times, prices = walk(rng, seconds, per_sec, noise)
        pairs = zip((START + times).tolist(), prices.tolist(), strict=True)
        store.update_many(Tick(f"S{run}", "stocks", *pair) for pair in pairs)
    store.advance(START + seconds)
    return store


def uncorrected(store: PulseStore, end: int) -> npt.NDArray[np.float64]:
    """sqrt(900 · Σr² / Στ) of each symbol over the fifteen minutes before ``end``."""
    logs, n = store.bars(store.symbols, 10, 900, end)
    found = []
    for row, counts in zip(logs, n, strict=True):
        live = np.flatnonzero(counts)
        gaps = np.diff(live)
        near = gaps <= 6
        inverse = 1.0 / counts[live]
        tau = 10 * (gaps - 1 / 3 + (inverse[1:] + inverse[:-1]) / 6)
        found.append(math.sqrt(900 * (np.diff(row[live])[near] ** 2).sum() / tau[near].sum()))
    return np.array(found)


def bias(vol: npt.NDArray[np.float64], true: float = VOL) -> float:
    """By how much the root of the mean square exceeds the truth, as a fraction."""
    return float(np.sqrt(np.mean(vol[~np.isnan(vol)] ** 2)) / true - 1.0)


@pytest.mark.parametrize(
    ("per_sec", "noise_bp", "left"), [(5.0, 26.0, 0.04), (0.2, 6.0, 0.08)], ids=["busy", "sparse"]
)
def test_bounce_is_no_volatility(per_sec: float, noise_bp: float, left: float) -> None:
    """Bounce that would add 80 % adds a few: of sparse symbols it is not always plain enough."""
    store = store_of_walks(120, 900, per_sec, noise_bp / 1e4)
    found = store.frame(START + 900)["vol_15m"].to_numpy()
    assert bias(uncorrected(store, START + 900)) > 0.7
    assert abs(bias(found)) < left


@pytest.mark.parametrize("per_sec", [0.2, 5.0])
def test_without_bounce_volatility_is_left_alone(per_sec: float) -> None:
    """At most one in twenty is taken for bouncing, and the estimate stays unbiased."""
    store = store_of_walks(200, 900, per_sec)
    found = store.frame(START + 900)["vol_15m"].to_numpy()
    raw = uncorrected(store, START + 900)
    assert (np.abs(found / raw - 1.0) > 1e-6).mean() <= 0.05
    assert abs(bias(found)) < 0.04


def test_a_trend_of_nothing_is_grey() -> None:
    """Of walks without any trend one in twenty is beyond the noise of a slope."""
    frame = store_of_walks(800, 900, 1.0).frame(START + 900)
    share = (frame["trend_15m"].abs() > trend_noise(frame["vol_15m"].to_numpy())).mean()
    assert 0.02 < share < 0.08


# Moves between medians.


def row_at(store: PulseStore, now: float) -> dict[str, Any]:
    """The only symbol's row."""
    (row,) = store.snapshots(now)
    return row


@pytest.mark.parametrize("every_sec", [0.2, 1, 3, 9])
def test_one_print_makes_no_move(every_sec: float) -> None:
    """At any tick rate, neither when it comes nor when it leaves a horizon."""
    store = PulseStore()
    ticks = [Tick("A", "stocks", START + every_sec * i, 100.0) for i in range(int(900 / every_sec))]
    wild = len(ticks) // 2
    if every_sec < 1:
        wild += 4  # the newest of its second
    ticks[wild] = ticks[wild]._replace(price=101.0)
    store.update_many(ticks)
    returns, moves = set(), set()
    for second in range(START + 360, START + 890):
        row = row_at(store, second)
        returns |= {row["ret_1m"], row["ret_5m"]}
        moves |= {row["move_1m"], row["move_5m"]}
    assert max(abs(found or 0.0) for found in returns) > 0.009
    assert moves == {0.0}


@pytest.mark.parametrize(("every_sec", "within_sec"), [(0.2, 3), (1, 3), (3, 7), (9, 19)])
def test_a_step_is_a_move_soon(every_sec: float, within_sec: int) -> None:
    """A price that steps and stays is a move of its size, from one median to the other."""
    step_at = START + 450
    ticks = [Tick("A", "stocks", START + every_sec * i, 100.0) for i in range(int(900 / every_sec))]
    store = PulseStore()
    store.update_many(tick._replace(price=102.0) if tick.ts >= step_at else tick for tick in ticks)
    row = row_at(store, step_at + within_sec)
    assert row["move_1m"] == row["move_5m"] == pytest.approx(0.02)
    assert (row["move_from_1m"], row["move_to"]) == (100.0, 102.0)
    for name, end in (("from_1m", within_sec - 60), ("from_5m", within_sec - 300)):
        ts = row[f"move_{name}_ts"]
        assert step_at + end - every_sec < ts < step_at + end + 1
    assert step_at + within_sec - every_sec < row["move_to_ts"] < step_at + within_sec + 1


def test_fewer_than_three_seconds_are_no_end_of_a_move() -> None:
    """Two ticks in half a minute say nothing of where a price is, however many before."""
    store = PulseStore()
    store.update_many(Tick("A", "stocks", START + 15.5 * i, 100.0) for i in range(60))
    assert all(row_at(store, START + second)["move_1m"] is None for second in range(400, 500))


# Heat.


def jumping(seconds: int) -> list[list[Tick]]:
    """Two ticks in each second of a walk that jumps by 2 % in its 1,500th."""
    steps = np.random.default_rng(2).normal(size=2 * seconds) * VOL / math.sqrt(1800)
    steps[3000] = 0.02
    prices = (100.0 * np.exp(np.cumsum(steps))).reshape(seconds, 2)
    return [
        [Tick("A", "stocks", START + second + 0.25 + part / 2, price) for part, price in pair]
        for second, pair in enumerate(map(enumerate, prices.tolist()))
    ]


def test_heat_remembers_a_jump_and_halves_in_three_minutes() -> None:
    """From its largest on it is what the decay makes of it, with the jump's minute as its time."""
    store = PulseStore(7200)
    shown = {}
    for second, ticks in enumerate(jumping(3000)):
        store.update_many(ticks)
        store.advance(START + second + 1)
        shown[second] = row_at(store, START + second + 0.999)
    peak = shown[1560]
    assert peak["heat"] > 8
    assert START + 1500 <= peak["heat_ts"] < START + 1560
    for later in (180, 360, 800):
        row = shown[1560 + later]
        assert row["heat_ts"] == peak["heat_ts"]
        assert row["heat"] == pytest.approx(peak["heat"] * 2 ** (-later / 180), rel=1e-3)
    assert abs(shown[2600]["heat"]) < 4
    # Rewound it is to the last digit what was shown.
    for second in range(1400, 3000, 7):
        again = row_at(store, START + second + 0.999)
        assert (again["heat"], again["heat_ts"]) == (
            shown[second]["heat"],
            shown[second]["heat_ts"],
        )


def test_heat_is_never_less_than_what_is_seen_now() -> None:
    """A surprise of this second counts whole, and nothing is hotter than the largest ever."""
    store = PulseStore()
    largest = 0.0
    for second, ticks in enumerate(jumping(1700)):
        store.update_many(ticks)
        store.advance(START + second + 1)
        row = row_at(store, START + second + 0.999)
        largest = max(largest, abs(row["surprise"] or 0.0))
        if row["surprise"] is not None:
            assert abs(row["surprise"]) - 1e-3 <= abs(row["heat"]) <= largest * 1.001


# The price step.


@pytest.mark.parametrize("per_sec", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("step", [0.01, 0.005, 0.02])
def test_the_price_step_is_learned(per_sec: float, step: float) -> None:
    """Of prices in whole steps it is one, although one print in three hundred is between two."""
    rng = np.random.default_rng(3)
    times, prices = walk(rng, 3600, per_sec)
    prices = np.round(prices / step) * step
    prices[:: max(3, int(300 * per_sec))] += step / 7
    store = PulseStore()
    pairs = zip((START + times).tolist(), prices.tolist(), strict=True)
    store.update_many(Tick("A", "stocks", *pair) for pair in pairs)
    assert row_at(store, START + 3600)["price_step"] == pytest.approx(step, rel=1e-6)


@given(st.lists(st.integers(0, 9), max_size=40))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_the_smallest_step_is_that_of_following_prices(prices: list[int]) -> None:
    """Between seconds with a price; 0 says that there is none or nothing changed."""
    known = [price for price in prices if price]
    changes = [abs(b - a) for a, b in pairwise(known) if a != b]
    row = np.array([prices], np.float64).reshape(1, -1)
    assert smallest_steps(row).tolist() == [min(changes, default=0)]


def test_a_price_step_needs_some_minutes() -> None:
    """What changed in too few of them has no known step."""
    few = np.array([[0.01] * (MIN_STEP_MINUTES - 1) + [0.0] * 50, [0.02] * 50 + [0.0] * (4)])
    assert price_steps(few.astype(np.float32)) == pytest.approx([math.nan, 0.02], nan_ok=True)
