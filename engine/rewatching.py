"""Rewatching: what follows once other symbols are to be watched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from engine.reader import Reader
from engine.watchlist import Watched
from pulse_store import PulseStore
from sources.source import Source
from ticks import ASSETS

__all__ = ["rewatch"]


async def rewatch(
    source: Source,
    store: PulseStore,
    reader: Reader,
    know: Callable[[Watched, Sequence[str]], Awaitable[None]],
    wanted: Watched,
) -> None:
    """Let what is watched become ``wanted``, as far as the vendors' accounts have room for it.

    What is removed leaves ``store`` and its frames at once, and its events end as those of a symbol
    that is silent. What is new gets a row, and what is known of its past: by ``know``, which loads
    it from an archive, and by ``source``.
    """
    before = {symbol for names in source.watched.values() for symbol in names}
    after = {symbol for names in wanted.values() for symbol in names}
    if before == after:
        return
    store.unwatch(before - after)
    new: list[str] = []
    for asset in ASSETS:
        new += store.watch(asset, wanted[asset])
    await know(wanted, new)
    past = await source.watch(wanted)
    served = {symbol for names in source.watched.values() for symbol in names}
    store.unwatch(after - served)
    known = {row["symbol"]: row["last_ts"] or 0.0 for row in store.snapshots(source.clock())}
    store.update_many(tick for tick in past if tick.ts > known.get(tick.symbol, 0.0))
    store.judge_past(new)
    reader.forget()
