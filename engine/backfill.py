"""Backfill: filling the store with the ticks of a past hour, as if they had come in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from engine.heartbeat import Heartbeat
from formulas import BAR_SEC
from pulse_store import PulseStore
from ticks import Tick

__all__ = ["backfill"]


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
    for _, group in groupby(ticks, key=lambda tick: int(tick.ts) // BAR_SEC):
        bar = list(group)
        store.update_many(bar)
        store.advance(bar[-1].ts)
    heartbeat.know_past(first, last + 1, range(first, last + 1))
    return last if first <= last else None
