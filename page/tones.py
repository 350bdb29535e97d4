"""Tones: how strong a signed figure looks, by how large it is beside what is usual."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["MOST", "Signed", "signed", "tone"]

MOST: Final = 3
"""The strongest tone: three standard deviations and more."""

Signed = tuple[str, int]
"""A text and its tone, from −``MOST`` (down) to ``MOST`` (up); 0 is grey."""


def tone(sigmas: float) -> int:
    """The whole standard deviations of a figure, with its sign: 0 within one, at most ``MOST``.

    NaN, of which nothing is known, is 0.
    """
    if math.isnan(sigmas):
        return 0
    return int(math.copysign(min(MOST, math.floor(abs(sigmas))), sigmas))


def signed(text: str, value: float, sigma: float) -> Signed:
    """The text of a ``value`` with the tone that it has beside its ``sigma``; without one, none."""
    return text, tone(value / sigma) if sigma > 0 else 0
