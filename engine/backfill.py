"""Backfill: filling the store with the ticks of a past hour, as if they had come in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from engine.heartbeat import Heartbeat
from pulse_store import PulseStore
from ticks import Tick

__all__ = ["backfill"]

_CLOSED_SEC: Final = 900
"""How much is stored before its bars are closed: one by one they would take twice as long."""


def backfill(
    store: PulseStore,
    heartbeat: Heartbeat,
    ticks: Sequence[Tick],
    now: float,
) -> int | None:
    """Store ``ticks``, which are in the order of their time, and close their bars.

    The seconds that were over at ``now`` are left to be shown and searched: returns the last of
    them, None if there are none.
    """
    if not ticks:
        return None
    first, last = int(ticks[0].ts), min(int(ticks[-1].ts), int(now) - 1)
    for _, group in groupby(ticks, key=lambda tick: int(tick.ts) // _CLOSED_SEC):
        stored = list(group)
        store.update_many(stored)
        store.advance(stored[-1].ts)
    heartbeat.know_past(first, last + 1, range(first, last + 1))
    return last if first <= last else None
