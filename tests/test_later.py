"""Later: how much later seconds are shown, steadily."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.later import Later


def after(*lags: float | None) -> list[float]:
    """What is shown later after each of these lags in turn."""
    later, found = Later(), []
    for lag in lags:
        later = later.after(lag)
        found.append(later.sec)
    return found


@pytest.mark.parametrize(
    ("lag", "sec"),
    [(-5.0, 0.0), (0.0, 0.0), (0.25, 0.0), (0.26, 0.5), (1.0, 1.0), (2.4, 2.5), (2.9, 3.0)],
)
def test_seconds_wait_for_what_comes_late(lag: float, sec: float) -> None:
    """In quarters of a second; what is hardly late is waited for anyway."""
    assert after(lag) == [sec]


def test_more_at_once_and_less_reluctantly() -> None:
    """What wavers changes nothing, and neither does a time in which no price comes."""
    assert after(1.2, 1.0, 1.1, None, 0.9, 1.3) == [1.25, 1.25, 1.25, 1.25, 1.25, 1.5]
    assert after(1.5, 1.0, 0.2, None, 0.26) == [1.5, 1.0, 0.0, 0.0, 0.5]


@given(st.lists(st.floats(0.0, 3.0), max_size=50))
def test_no_price_is_later_than_what_is_waited_for(lags: list[float]) -> None:
    """Never by more than three seconds, and a change is worth it."""
    found = after(*lags)
    for lag, sec in zip(lags, found, strict=True):
        assert lag <= sec + 0.25
        assert sec <= 3.0
    assert all(b > a or b == a or a - b >= 0.5 for a, b in pairwise(found))
