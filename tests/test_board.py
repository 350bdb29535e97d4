"""How figures read."""

from __future__ import annotations

import math

import pytest

from board import duration_text, percent
from ticks import price_text


@pytest.mark.parametrize(
    ("price", "asset", "text"),
    [
        (0.00001234, "crypto", "0.00001234"),
        (0.0000064, "crypto", "0.000006400"),
        (1.08675, "forex", "1.08675"),
        (88.5741, "forex", "88.5741"),
        (152.281, "forex", "152.281"),
        (153.21, "stocks", "153.21"),
        (92010.5, "crypto", "92,010.50"),
        (math.nan, "stocks", ""),
    ],
)
def test_a_price_has_its_instruments_decimals(price: float, asset: str, text: str) -> None:
    """Never in scientific notation, and steady in width."""
    assert price_text(price, asset) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0121, "+1.21 %"),
        (-0.0121, "−1.21 %"),
        (0.0, "0.00 %"),
        (-0.0, "0.00 %"),
        (-0.00001, "0.00 %"),
        (12.5, "+1250.00 %"),
        (math.nan, "–"),
    ],
)
def test_a_move_always_has_its_sign(fraction: float, text: str) -> None:
    """But for what rounds to nothing, and what is not known is a dash, never 0."""
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-3.0, "0 s"),
        (43.9, "43 s"),
        (185.0, "3 min 05 s"),
        (3725.0, "1 h 02 min"),
        (180000.0, "2 d 2 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    """Short enough for a table cell."""
    assert duration_text(seconds) == text
