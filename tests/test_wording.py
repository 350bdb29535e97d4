"""How large and how rare a move is, in words."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wording import rarity_text, signed_times_text, times_text, times_usual_text

deterministic = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("times", "text", "signed"),
    [
        (8.24, "8.2 ×", "+8.2 ×"),
        (-8.24, "8.2 ×", "−8.2 ×"),
        (0.04, "0.0 ×", "0.0 ×"),
        (-0.04, "0.0 ×", "0.0 ×"),
        (9.94, "9.9 ×", "+9.9 ×"),
        (9.97, "10 ×", "+10 ×"),
        (-123.4, "123 ×", "−123 ×"),
        (math.nan, "–", "–"),
    ],
)
def test_a_move_is_so_many_times_the_usual(times: float, text: str, signed: str) -> None:
    """With two digits up to 99, and a sign only if it is asked for and does not round to zero."""
    assert (times_text(times), signed_times_text(times)) == (text, signed)


def test_what_is_usual_has_the_horizon_of_the_move() -> None:
    """A minute is a minute, five are five."""
    assert times_usual_text(-8.24) == "8.2 × its usual minute"
    assert times_usual_text(3.4, 5) == "3.4 × its usual 5 minutes"


@pytest.mark.parametrize(
    ("surprise", "text"),
    [
        (math.nan, "–"),
        (0.0, "no rarer than usual"),
        (0.67, "no rarer than usual"),
        (0.68, "rarer than 50 % of its own last day"),
        (-1.96, "rarer than 95 % of its own last day"),
        (1.95, "rarer than 94 % of its own last day"),
        (2.57, "rarer than 98 % of its own last day"),
        (2.58, "rarer than 99.0 % of its own last day"),
        (3.1, "rarer than 99.8 % of its own last day"),
        (-3.3, "rarer than 99.9 % of its own last day"),
        (12.0, "rarer than 99.9 % of its own last day"),
    ],
)
def test_a_surprise_is_told_as_a_share_of_the_day(surprise: float, text: str) -> None:
    """Without a word of standard deviations, and never as rarer than a day of minutes can tell."""
    assert rarity_text(surprise) == text


@deterministic
@given(st.floats(0.68, 40.0))
def test_a_rarity_is_rounded_down(surprise: float) -> None:
    """The share that is told is the normal distribution's or less, by less than its last digit."""
    told = rarity_text(surprise).removeprefix("rarer than ").partition(" %")[0]
    known = 100 * (2 * NormalDist().cdf(surprise) - 1)
    digit = 0.1 if "." in told else 1.0
    assert float(told) <= min(known, 99.9) + 1e-6
    assert float(told) > min(known, 99.9) - digit - 1e-6
