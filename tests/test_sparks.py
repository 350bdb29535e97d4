"""Sparks and tones: how far a line goes, and how strong a figure looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from page.sparks import ALPHABET, BASELINE, HOLE, REACH, spark
from page.tones import MOST, signed, tone

NAN = math.nan
SIGMA = 0.002


def line(*sigmas: float, sigma: float = SIGMA) -> str:
    """The spark of moves from the first price, in units of sigma."""
    return spark(np.log(100.0) + np.array(sigmas) * SIGMA, sigma)


def test_a_line_is_on_a_scale_common_to_all() -> None:
    """The middle is where it began, the ends are three times its typical move, and no further."""
    low, middle, high = ALPHABET[0], ALPHABET[BASELINE], ALPHABET[-1]
    assert line(0, REACH, -REACH, 40.0, -40.0) == middle + high + low + high + low
    assert line(0, 1, -1.5) == middle + ALPHABET[BASELINE + 10] + ALPHABET[BASELINE - 15]
    assert len(set(ALPHABET)) == len(ALPHABET) == 2 * BASELINE + 1


def test_the_same_move_of_a_wilder_symbol_is_a_smaller_line() -> None:
    """By its own volatility."""
    assert line(0, 2, sigma=2 * SIGMA) == line(0, 1)


def test_a_line_begins_with_its_first_price_and_has_holes() -> None:
    """Whenever that came; of no price there is none."""
    assert line(NAN, 5, NAN, 6) == HOLE + ALPHABET[BASELINE] + HOLE + ALPHABET[BASELINE + 10]
    assert line(NAN, NAN) == ""


def test_without_a_volatility_nothing_says_what_is_large() -> None:
    """So that the line is flat."""
    assert line(0, 5, sigma=NAN) == line(0, 5, sigma=0.0) == 2 * ALPHABET[BASELINE]


@pytest.mark.parametrize(
    ("sigmas", "found"),
    [(0.0, 0), (0.99, 0), (-0.99, 0), (1.0, 1), (-2.7, -2), (3.0, MOST), (-40.0, -MOST), (NAN, 0)],
)
def test_a_tone_is_a_whole_number_of_standard_deviations(sigmas: float, found: int) -> None:
    """Grey within one, and no stronger beyond three."""
    assert tone(sigmas) == found


def test_a_figure_without_its_usual_size_has_no_tone() -> None:
    """As nothing says whether it is large."""
    assert signed("+1.20 %", 0.012, 0.004) == ("+1.20 %", 3)
    assert signed("−1.20 %", -0.012, 0.01) == ("−1.20 %", -1)
    assert signed("+1.20 %", 0.012, NAN) == signed("+1.20 %", 0.012, 0.0) == ("+1.20 %", 0)
    assert signed("–", NAN, 0.01) == ("–", 0)
