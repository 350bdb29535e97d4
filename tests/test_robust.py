"""Robust correlation against the same by brute force, and against what is known of any."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust import Returns, bounces, correlate, standard_errors
from tests.robust_oracle import corrected, kappa, pearson, scaled, standard_error

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

BUSY: Final = 10_000


def market(seed: int, bars: int = 150) -> tuple[Floats, Ints]:
    """Four series on one factor: busy, sparse with tails, in coarse steps, and nearly silent."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_t(3, size=bars)
    changes = 0.7 * factor + 0.7 * rng.standard_t(3, size=(4, bars))
    logs = np.cumsum(changes, axis=1) * 1e-4
    logs[2] = np.round(logs[2], 3)
    counts = rng.poisson([[9.0], [1.2], [3.0], [0.2]], size=(4, bars)).astype(np.int32)
    return np.where(counts > 0, logs, np.nan), counts


@given(st.integers(0, 10_000), st.integers(2, 150))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_it_agrees_with_brute_force(seed: int, bars: int) -> None:
    """Scaled returns, r, n, kappa and standard error of every pair."""
    logs, counts = market(seed, bars)
    returns = Returns.between(logs, counts)
    series = []
    for row, log in zip(returns.scaled, logs, strict=True):
        changes = np.diff(log)
        changes[np.abs(changes) < 1e-12] = 0.0
        series.append(scaled(changes.tolist()))
        wanted = [series[-1].get(i, math.nan) for i in range(bars - 1)]
        assert row.tolist() == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    found = correlate(returns, returns)
    ticks = [dict(enumerate(row)) for row in counts.tolist()]
    for i, x in enumerate(series):
        for j, y in enumerate(series):
            r, n = pearson(x, y)
            assert found.n[i, j] == n
            assert found.pearson[i, j] == pytest.approx(r, abs=1e-9, nan_ok=True)
            if not n:
                continue
            shared = sorted(x.keys() & y.keys())
            part = kappa(shared, ticks[i], ticks[j])
            assert found.kappa[i, j] == pytest.approx(part)
            if math.isnan(r):
                continue
            assert found.of_prices[i, j] == pytest.approx(corrected(r, part), abs=1e-7)
            (error,) = standard_errors(
                returns.scaled[[i]], returns.scaled[[j]], found.pearson[[i], [j]]
            )
            if i != j:
                assert error == pytest.approx(standard_error(x, y, r), rel=1e-6)


@given(
    st.integers(0, 10_000),
    st.permutations(range(4)),
    st.tuples(*[st.floats(1e-3, 1e3)] * 4),
)
@settings(derandomize=True, deadline=None, max_examples=25)
def test_neither_order_nor_size_matters(
    seed: int, order: list[int], sizes: tuple[float, ...]
) -> None:
    """Symmetric, within ±1, the same in any order and for moves of any size."""
    logs, counts = market(seed)
    whole = Returns.between(logs, counts)
    found = correlate(whole, whole)
    assert found.of_prices == pytest.approx(found.of_prices.T, abs=1e-12, nan_ok=True)
    known = found.of_prices[~np.isnan(found.of_prices)]
    assert (np.abs(known) <= 1.0).all()
    assert (found.kappa[found.n > 0] <= 1.0 + 1e-12).all()
    other = Returns.between((np.array(sizes)[:, None] * logs)[order], counts[order])
    again = correlate(other, other)
    assert again.of_prices == pytest.approx(
        found.of_prices[np.ix_(order, order)], abs=1e-6, nan_ok=True
    )
    assert (again.n == found.n[np.ix_(order, order)]).all()


def test_one_jump_decides_nothing() -> None:
    """A move of a thousand times the usual size in both counts as one of twice."""
    rng = np.random.default_rng(1)
    changes = rng.normal(size=(2, 360)) * 1e-4
    counts = np.full((2, 361), BUSY, np.int32)
    jumped = changes.copy()
    jumped[:, 200] = 0.1
    returns = (
        Returns.between(np.cumsum(np.c_[[0, 0], rows], axis=1), counts)
        for rows in (changes, jumped)
    )
    r, with_jump = (correlate(each, each).of_prices[0, 1] for each in returns)
    assert np.corrcoef(jumped[0], jumped[1])[0, 1] > 0.99
    assert with_jump == pytest.approx(r, abs=0.03)


@pytest.mark.parametrize("bars", [0, 1, 2, 12])
def test_too_few_returns_are_blank(bars: int) -> None:
    """Eleven returns, or none at all, have no correlation."""
    logs = np.random.default_rng(2).normal(size=(3, bars))
    returns = Returns.between(logs, np.full(logs.shape, BUSY, np.int32))
    found = correlate(returns, returns)
    assert np.isnan(found.pearson).all()
    assert (found.n == max(0, bars - 1)).all()


def test_the_same_series_twice_is_certain() -> None:
    """r is 1 or -1, with Fisher's error and no other."""
    logs, counts = market(3)
    one = Returns.between(logs[[0, 0]] * [[1], [-1]], counts[[0, 0]])
    r = correlate(one, one).pearson[0]
    assert r == pytest.approx([1, -1])
    n = np.count_nonzero(~np.isnan(one.scaled[0]))
    errors = standard_errors(one.scaled[[0, 0]], one.scaled, np.array([1.0, -1.0]))
    assert errors == pytest.approx(1 / math.sqrt(n / 1.125 - 3))


def bouncing(rng: np.random.Generator, rate: float, bounce: float) -> tuple[Floats, Ints]:
    """An hour of ten-second bars of twenty walks whose prices bounce by so many ten-second steps.

    ``rate`` is in ticks a second; a step is the usual move of ten seconds.
    """
    price = np.cumsum(rng.normal(size=(20, 3600)), axis=1) / math.sqrt(10)
    ticks = rng.poisson(rate, size=price.shape)
    noise = bounce * rng.normal(size=price.shape) / np.sqrt(np.maximum(ticks, 1))
    counts = ticks.reshape(20, 360, 10).sum(axis=2)
    sums = (ticks * (price + noise)).reshape(20, 360, 10).sum(axis=2)
    logs = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return logs, counts.astype(np.int32)


@pytest.mark.parametrize(
    ("rate", "bounce", "least", "most"),
    [
        (5.0, 0.0, 0, 0.01),
        (0.2, 0.0, 0, 0.01),
        (5.0, 1.0, 0, 0.01),  # averaged out within each bar
        (0.2, 1.0, 0.9, 1),
        (1.0, 2.0, 0.9, 1),
    ],
)
def test_a_bounce_that_hides_moves_is_seen(
    rate: float, bounce: float, least: float, most: float
) -> None:
    """In most hours of such prices, and in one of a hundred of others."""
    rng = np.random.default_rng(4)
    seen = []
    for _ in range(10):
        logs, counts = bouncing(rng, rate, bounce)
        seen.append(bounces(Returns.between(logs, counts), counts).mean())
    assert least <= np.mean(seen) <= most
