"""References: what the changes of days are measured against, as far as an archive knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from days import Day, day
from history.archive import Archive, newest_prices
from history.losses import Losses
from pulse_store import PulseStore
from ticks import Asset, Tick

__all__ = ["load_references"]

_REACH_SEC: Final = 3600
"""How far back the last price of a market's day is looked for: whoever was there then has it."""

_STEP_SEC: Final = 900


def load_references(
    store: PulseStore,
    archive: Archive,
    watched: Mapping[Asset, Sequence[str]],
    begin: int,
    end: int,
    losses: Losses | None = None,
) -> None:
    """Tell ``store`` what the changes are measured against from ``begin`` on and before ``end``.

    What it knows already stays. A seeded market's yesterday may have been another market's.

    Raises:
        ArchiveError: if the archive cannot be read.
    """
    if archive.meta("seed", losses):
        return
    for asset, symbols in watched.items():
        at: float = begin
        while symbols and at < end:
            found = day(asset, at)
            if found is None:
                break
            _load_day(store, archive, symbols, found, losses)
            at = found.until


def _load_day(
    store: PulseStore,
    archive: Archive,
    symbols: Sequence[str],
    found: Day,
    losses: Losses | None,
) -> None:
    served = store.vendors(found.at)
    for tick in _prices_at(archive, symbols, found, losses):
        store.set_reference(
            tick.symbol,
            tick.price,
            found.since,
            found.until,
            counts_from=found.counts_from,
            vendor=served.get(tick.symbol, ""),
            is_better=False,
        )


def _prices_at(
    archive: Archive, symbols: Sequence[str], found: Day, losses: Losses | None
) -> list[Tick]:
    """The newest price of each symbol before the instant that a day is measured from."""
    end, oldest = int(found.at), int(found.at - min(found.reach_sec, _REACH_SEC))
    prices: dict[str, Tick] = {}
    for stop in range(end, oldest, -_STEP_SEC):
        missing = [symbol for symbol in symbols if symbol not in prices]
        if not missing:
            break
        bars = archive.bars(max(oldest, stop - _STEP_SEC), stop, missing, losses)
        prices |= {tick.symbol: tick for tick in newest_prices(bars)}
    return list(prices.values())
