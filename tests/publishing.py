"""A store that leads and what it passes on each second, and stores that follow it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bars import CELL, Bars
from correlation import corr_card
from pulse_store import RECENT_SEC, PulseStore
from ticks import Tick

WINDOW_SEC = 7200
"""What a store holds that is shown for an hour back."""


class Leader:
    """Its store takes ticks, and what changed in a second is published when it is over."""

    def __init__(self) -> None:
        self.store = PulseStore(WINDOW_SEC, keeps_sums=True)
        self._published: dict[tuple[int, int], Any] = {}

    def show(self, second: int, arrived: Iterable[Tick]) -> Bars:
        """Write what arrived meanwhile, show a second, and publish what changed up to it."""
        self.store.update_many(arrived)
        self.store.advance(second + 1)
        bars = self.store.recent_bars(second - RECENT_SEC, second + 1)
        keys = [(int(cell["second"]), int(cell["row"])) for cell in bars.cells]
        changed = [
            self._published.get(key) != cell.item()
            for key, cell in zip(keys, bars.cells, strict=True)
        ]
        self._published.update(zip(keys, (cell.item() for cell in bars.cells), strict=True))
        return Bars(bars.symbols, bars.assets, bars.cells[changed])


def show(store: PulseStore, second: int, bars: Bars) -> None:
    """Follow: put what was published with a second, and show it."""
    store.put(bars)
    store.advance(second + 1)


def joined(parts: Iterable[Bars]) -> Bars:
    """All that was published, each second of a symbol once and as it was published last."""
    newest: dict[tuple[int, int], Any] = {}
    symbols: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    for bars in parts:
        symbols, assets = bars.symbols, bars.assets
        for cell in bars.cells:
            newest[int(cell["second"]), int(cell["row"])] = cell
    return Bars(symbols, assets, np.array([newest[key] for key in sorted(newest)], CELL))


def figures(store: PulseStore, now: float) -> dict[str, bytes]:
    """All that is shown of a second, by what it is, to the last bit."""
    frame = store.frame(now)
    found = {"rows": _bytes(frame.index.to_numpy())}
    found |= {name: _bytes(frame[name].to_numpy()) for name in frame.columns}
    names = store.symbols
    for bin_sec in (10, 20, 30, 60):
        logs, counts = store.bars(names, bin_sec, 3600, now)
        found[f"bars of {bin_sec} s"] = _bytes(logs) + _bytes(counts)
    found["trace"] = _bytes(store.trace(names, 3600, now))
    found["history"] = b"".join(_bytes(store.history(name, now).to_numpy()) for name in names)
    found["regimes"] = repr([store.regime(name, now) for name in names]).encode()
    found["vendors"] = repr(sorted(store.vendors(now).items())).encode()
    if names:
        card = corr_card(store, names, names[0], 10, now)
        found["correlations"] = repr(card).encode()
    return found


def different(one: PulseStore, other: PulseStore, now: float) -> list[str]:
    """What is not the same in both at an instant."""
    first, second = figures(one, now), figures(other, now)
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]


def pulse_hash(store: PulseStore, seconds: Iterable[float]) -> str:
    """One hash of all that is shown of some seconds."""
    found = hashlib.sha256()
    for now in seconds:
        for name, shown in figures(store, now).items():
            found.update(name.encode() + shown)
    return found.hexdigest()


def by_second(arrivals: Iterable[tuple[float, Tick]]) -> Iterator[tuple[int, list[Tick]]]:
    """Second after second, what has arrived when it is shown: a quarter of one after its end.

    ``arrivals`` are times of arrival, in order, and ticks.
    """
    waiting: list[Tick] = []
    second: int | None = None
    for at, tick in arrivals:
        if second is None:
            second = int(at)
        while at >= second + 1.25:
            yield second, waiting
            second, waiting = second + 1, []
        waiting.append(tick)
    if second is not None:
        yield second, waiting


def _bytes(values: Any) -> bytes:
    return repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
