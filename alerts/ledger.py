"""Ledger: what the archive remembers of the alerts, and whether this process may send them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from alerts.line import MOST_WAITING
from alerts.outbox import Remembered
from bars import Bars
from history.archive import Archive
from history.deliveries import Delivery, DeliveryState, Mute
from history.recorder import ArchiveState, Recorder

__all__ = ["ArchiveLedger"]

_ENDED: Final = (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.DROPPED)

_MOST_ENDED: Final = 5_000
"""So many that have ended, the newest, are read at a start."""

_MOST_DUE: Final = 5 * MOST_WAITING
"""So many that wait, the newest: those of destinations that are no longer set are among them."""


class ArchiveLedger:
    """What ``archive`` remembers, which ``recorder`` writes.

    Two processes of one folder never both send: the one whose recorder holds the file does.
    """

    def __init__(self, archive: Archive, recorder: Recorder) -> None:
        self._archive = archive
        self._recorder = recorder

    @property
    def may_send(self) -> bool:
        """Whether the file is this process's, or it can be nobody's, on a full disk say."""
        state = self._recorder.status().state
        return state not in (ArchiveState.STARTING, ArchiveState.READING_ONLY)

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process holds the file."""
        return self._recorder.status().state is ArchiveState.READING_ONLY

    @property
    def is_writing(self) -> bool:
        """Whether what is handed over is kept."""
        return self._recorder.status().state is ArchiveState.WRITING

    def read(self, destinations: Iterable[str]) -> Remembered:
        """All that is remembered, of some destinations as far as it is of one.

        Raises:
            ArchiveError: if the archive cannot be read.
        """
        archive = self._archive
        ended = archive.deliveries(_ENDED, limit=_MOST_ENDED)
        due = archive.deliveries((DeliveryState.DUE,), limit=_MOST_DUE)
        marks = {name: archive.meta(_off_name(name)) for name in destinations}
        return Remembered(
            deliveries=(*ended, *due),
            mutes=tuple(archive.mutes()),
            off={name: mark for name, mark in marks.items() if mark},
        )

    def keep(
        self,
        deliveries: Sequence[Delivery] = (),
        mutes: Sequence[Mute] = (),
        off: Mapping[str, str] | None = None,
    ) -> None:
        """Have what became of deliveries, mutes, and which destinations are off written soon."""
        meta = {_off_name(name): mark for name, mark in (off or {}).items()}
        self._recorder.record(Bars.empty(), deliveries=deliveries, mutes=mutes, meta=meta)


def _off_name(destination: str) -> str:
    """Under which name it is written that a destination is gone."""
    return f"alerts off: {destination}"
