"""Changes: what is new in the store and the detector, handed to each of several who keep it.

It belongs to one thread, the worker's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bars import Bars, Begin, Minutes
from events import Event, Remembered, StressDetector
from pulse_store import PulseStore

__all__ = ["Change", "Changes", "Known"]


class Change(NamedTuple):
    """What is new since somebody asked last."""

    bars: Bars
    """Each as it was when it changed last."""
    minutes: Minutes
    begins: Sequence[Begin]
    remembered: Sequence[Remembered]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is new."""
        return not (len(self.bars) or len(self.minutes) or self.begins or self.remembered)


class Known(NamedTuple):
    """What another process collected while this one was away."""

    bars: Bars
    begins: Sequence[Begin]
    events: Sequence[Event]
    remembered: Sequence[Remembered]
    second: int
    """Up to which it was searched for events."""


class Changes:
    """Hands whatever changes in ``store`` and ``detector`` to each of ``readers``, by their names.

    Both hand out a change once; here each reader has it once.
    """

    def __init__(
        self, store: PulseStore, detector: StressDetector, readers: Sequence[str] = ("archive",)
    ) -> None:
        self._store = store
        self._detector = detector
        self._waiting: dict[str, list[Change]] = {reader: [] for reader in readers}

    def collect(self, reader: str) -> Change:
        """All that is new to a reader."""
        change = Change(
            self._store.collect_changed(),
            self._store.collect_minutes(),
            self._store.collect_begins(),
            self._detector.collect_changed(),
        )
        if not change.is_empty:
            for other, waiting in self._waiting.items():
                if other != reader:
                    waiting.append(change)
        waiting, self._waiting[reader] = self._waiting[reader], []
        return _joined([*waiting, change]) if waiting else change


def _joined(changes: Sequence[Change]) -> Change:
    """Several changes as one: the newest state of each bar and minute, all else in order."""
    newest = changes[-1]
    bars = np.concatenate([change.bars.cells for change in changes])
    minutes = np.concatenate([change.minutes.cells for change in changes])
    remembered = {one.key: one for change in changes for one in change.remembered}
    return Change(
        # Rows are never renumbered: the newest names all of them.
        Bars(newest.bars.symbols, newest.bars.assets, _newest_of(bars, "second")),
        Minutes(newest.minutes.symbols, newest.minutes.assets, _newest_of(minutes, "minute")),
        [begin for change in changes for begin in change.begins],
        list(remembered.values()),
    )


def _newest_of(cells: np.ndarray, time: str) -> np.ndarray:
    """Of cells of one symbol and time the last, in order of time."""
    key = cells[time] * 65536 + cells["row"]
    _, last = np.unique(key[::-1], return_index=True)
    found: np.ndarray = cells[len(cells) - 1 - last]
    return found
