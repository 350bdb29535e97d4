"""Robust correlation against the formulas, one return after the other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust import Returns, correlate, standard_errors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Known = dict[int, float]

BUSY: Final = 10_000


def scaled(changes: Sequence[float]) -> Known:
    """Each known return over the scale of the last sixty, clipped; by its place."""
    known = [i for i, change in enumerate(changes) if not math.isnan(change)]
    found: Known = {}
    for k, i in enumerate(known):
        last = known[max(0, k - 59) : max(k + 1, 12)]
        if len(known) < 12:
            continue
        scale = 1.4826 * statistics.median(abs(changes[j]) for j in last)
        change = changes[i]
        if change == 0:
            found[i] = 0.0
        elif scale == 0:
            found[i] = math.copysign(2.0, change)
        else:
            found[i] = max(-2.0, min(2.0, change / scale))
    return found


def pearson(x: Known, y: Known) -> tuple[float, int]:
    """r of two series on the places both have, and how many these are."""
    shared = sorted(x.keys() & y.keys())
    if len(shared) < 12:
        return math.nan, len(shared)
    xs, ys = [x[i] for i in shared], [y[i] for i in shared]
    if max(xs) - min(xs) < 1e-9 or max(ys) - min(ys) < 1e-9:
        return math.nan, len(shared)
    return statistics.correlation(xs, ys), len(shared)


def kappa(shared: Sequence[int], one: Sequence[int], other: Sequence[int]) -> float:
    """What sparse ticks leave of a correlation, from the numbers of ticks of all bars."""
    spans = [
        statistics.mean(2 / 3 + (1 / counts[i] + 1 / counts[i + 1]) / 6 for i in shared)
        for counts in (one, other)
    ]
    return (2 / 3) / math.sqrt(spans[0] * spans[1])


def standard_error(x: Known, y: Known, r: float) -> float:
    """The standard error of r from the influence of every observation."""
    shared = sorted(x.keys() & y.keys())
    n = len(shared)
    mean_x, mean_y = (statistics.mean(side[i] for i in shared) for side in (x, y))
    square_x = statistics.mean((x[i] - mean_x) ** 2 for i in shared)
    square_y = statistics.mean((y[i] - mean_y) ** 2 for i in shared)
    influence = {
        i: (x[i] - mean_x) * (y[i] - mean_y) / math.sqrt(square_x * square_y)
        - r / 2 * ((x[i] - mean_x) ** 2 / square_x + (y[i] - mean_y) ** 2 / square_y)
        for i in shared
    }
    own = sum(value**2 for value in influence.values()) / n
    pairs = sum(value * influence[i - 1] for i, value in influence.items() if i - 1 in influence)
    fisher = (1 - r * r) / math.sqrt(n / 1.125 - 3)
    return max(math.sqrt((own + 2 * max(0.0, pairs / n)) / n), fisher)


def market(seed: int, bars: int = 150) -> tuple[Floats, Ints]:
    """Four series on one factor: busy, sparse with tails, in coarse steps, and nearly silent."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_t(3, size=bars)
    changes = 0.7 * factor + 0.7 * rng.standard_t(3, size=(4, bars))
    logs = np.cumsum(changes, axis=1) * 1e-4
    logs[2] = np.round(logs[2], 3)
    counts = rng.poisson([[9.0], [1.2], [3.0], [0.2]], size=(4, bars)).astype(np.int32)
    return np.where(counts > 0, logs, np.nan), counts


@given(st.integers(0, 10_000), st.integers(14, 150))
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
    for i, x in enumerate(series):
        for j, y in enumerate(series):
            r, n = pearson(x, y)
            assert found.n[i, j] == n
            assert found.raw[i, j] == pytest.approx(r, abs=1e-9, nan_ok=True)
            if not n:
                continue
            shared = sorted(x.keys() & y.keys())
            part = kappa(shared, counts[i].tolist(), counts[j].tolist())
            assert found.kappa[i, j] == pytest.approx(part)
            if math.isnan(r):
                continue
            assert found.corr[i, j] == pytest.approx(max(-1.0, min(1.0, r / part)), abs=1e-9)
            (error,) = standard_errors(
                returns.scaled[[i]], returns.scaled[[j]], found.raw[[i], [j]]
            )
            assert error == pytest.approx(standard_error(x, y, r), abs=1e-9)


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
    assert found.corr == pytest.approx(found.corr.T, abs=1e-12, nan_ok=True)
    known = found.corr[~np.isnan(found.corr)]
    assert (np.abs(known) <= 1.0).all()
    assert (found.kappa[found.n > 0] <= 1.0 + 1e-12).all()
    other = Returns.between((np.array(sizes)[:, None] * logs)[order], counts[order])
    again = correlate(other, other)
    assert again.corr == pytest.approx(found.corr[np.ix_(order, order)], abs=1e-6, nan_ok=True)
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
    r, with_jump = (correlate(each, each).corr[0, 1] for each in returns)
    assert np.corrcoef(jumped[0], jumped[1])[0, 1] > 0.99
    assert with_jump == pytest.approx(r, abs=0.03)


@pytest.mark.parametrize("bars", [0, 1, 2, 12])
def test_too_few_returns_are_blank(bars: int) -> None:
    """Eleven returns, or none at all, have no scale and no correlation."""
    logs = np.random.default_rng(2).normal(size=(3, bars))
    returns = Returns.between(logs, np.full(logs.shape, BUSY, np.int32))
    assert np.isnan(returns.scaled).all()
    found = correlate(returns, returns)
    assert np.isnan(found.raw).all()
    assert not found.n.any()
