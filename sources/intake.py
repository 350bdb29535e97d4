"""Intake: bringing what the feeds put into the queue to the store."""

from __future__ import annotations

from collections.abc import Callable

from feeds import TickQueue
from pulse_store import PulseStore

__all__ = ["store_ticks"]


async def store_ticks(
    queue: TickQueue, store: PulseStore, may_store: Callable[[], bool] = lambda: True
) -> None:
    """Move every tick of ``queue`` into ``store`` as soon as it comes, until cancelled.

    What comes while ``may_store`` says no is dropped.
    """
    while True:
        await queue.wait()
        ticks, snapshots = queue.drain()
        if not may_store():
            continue
        store.update_many(ticks)
        for tick in snapshots:
            store.set_initial_price(tick)
