"""How much stress there was in each ten seconds."""

from __future__ import annotations

import numpy as np
import pytest

from engine.intensity import MOST, intensity


def walks(symbols: int, bars: int = 366, seed: int = 1) -> np.ndarray:
    """Logs of independent random walks, [symbol, ten seconds], each of its own volatility."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(1e-5, 1e-3, symbols)[:, None]
    found: np.ndarray = np.cumsum(sizes * rng.standard_normal((symbols, bars)), axis=1)
    return found


def test_a_calm_hour_is_low_whatever_moves_in_it() -> None:
    """A coin counts no more than a pair of currencies: both in units of their own minutes."""
    for symbols in (1, 17, 200):
        found = intensity(walks(symbols))
        assert found.shape == (360,)
        assert 0.5 < np.median(found) < 2.3
        assert found.max() < 5.0


def test_a_move_stands_out_and_the_markets_more() -> None:
    """At its minute and nowhere else: of one symbol of seventeen, and of all."""
    calm = walks(17)
    minute = np.geomspace(1e-5, 1e-3, 17)[:, None] * 6**0.5
    one, everybody = calm.copy(), calm.copy()
    one[3, 200:] += 12.0 * minute[3]
    everybody[:, 200:] += 12.0 * minute
    alone, market = intensity(one), intensity(everybody)
    # The jump is in the minutes that end at the bars 200 to 205.
    inside = slice(194, 200)
    assert alone[inside].min() > 1.5 * intensity(calm).max()
    assert market[inside].min() > 1.5 * alone[inside].max()
    outside = np.r_[0:194, 200:360]
    assert alone[outside] == pytest.approx(intensity(calm)[outside], rel=0.2)
    assert market.max() <= MOST


def test_a_hole_is_where_nothing_was_recorded() -> None:
    """And a minute after it, as a move has two ends; what some know is no hole."""
    logs = walks(5)
    logs[:, 100:130] = np.nan
    assert np.flatnonzero(np.isnan(intensity(logs))).tolist() == [*range(94, 130)]
    logs[4] = walks(5)[4]
    assert not np.isnan(intensity(logs)).any()


def test_what_hardly_ticks_or_changes_decides_nothing() -> None:
    """Too few moves to know a typical one, or none at all."""
    logs = np.full((2, 366), np.nan)
    assert np.isnan(intensity(logs)).all()
    logs[0, 0:17] = 1.0
    assert np.isnan(intensity(logs)).all()
    logs[1] = 2.0
    assert (intensity(logs) == 0.0).all()
