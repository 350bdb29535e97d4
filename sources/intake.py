"""Intake: bringing what the feeds put into the queue to the store."""

from __future__ import annotations

from feeds import TickQueue
from pulse_store import PulseStore

__all__ = ["store_ticks"]


async def store_ticks(queue: TickQueue, store: PulseStore) -> None:
    """Move every tick of ``queue`` into ``store`` as soon as it comes, until cancelled."""
    while True:
        await queue.wait()
        ticks, snapshots = queue.drain()
        store.update_many(ticks)
        for tick in snapshots:
            store.set_initial_price(tick)
