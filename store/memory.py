"""Memory: what a store knows beside its bars, for a store that has but these to know as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bars import Begin, Candles, Minutes, Referenced
from ticks import Tick

__all__ = ["StoreMemory"]


@dataclass(frozen=True, slots=True, eq=False)
class StoreMemory:
    """What ``PulseStore.remember`` hands out and ``recall`` takes."""

    prices: tuple[Tick, ...]
    """Last prices that entered no window."""
    older: tuple[Tick, ...]
    """Last prices that are older than the window: no bar that is passed on holds them."""
    begins: tuple[Begin, ...]
    """Of all windows, of each symbol in their order; seconds of begins that were joined may be 1 s
    later than they were told."""
    references: tuple[Referenced, ...]
    candles: Mapping[str, Candles]
    """By vendor."""
    minutes: Minutes
    """What was usual: the last day of all classes."""
    judged: int
    """The newest minute that is over and was judged, the seconds since the epoch over 60; -1: none.
    """
