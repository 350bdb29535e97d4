"""SharedLedger: what is remembered of the alerts by several processes, of which one sends.

The one that collects sends; what becomes of each delivery is published with its seconds, so that
whoever collects next goes on from there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from alerts.outbox import Ledger, Remembered
from history.deliveries import Delivery, DeliveryState, Marks, Mute, MuteOf, joined

__all__ = ["SharedLedger"]

_MOST_HELD: Final = 2_000
"""So many deliveries, the newest, are known without an archive, and to who joins late."""


class SharedLedger:
    """What ``own`` remembers, and what the process that sends publishes; None: only the latter.

    ``collects`` says whether this process is the one, and ``may_collect`` whether no other may be
    it meanwhile, after a long sleep say. Thread-safe.
    """

    def __init__(
        self,
        own: Ledger | None,
        collects: Callable[[], bool],
        may_collect: Callable[[], bool] = lambda: True,
    ) -> None:
        self._own = own
        self._collects = collects
        self._may_collect = may_collect
        # Guards what follows.
        self._lock = threading.Lock()
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._mutes: dict[tuple[MuteOf, str], Mute] = {}
        self._off: dict[str, str] = {}
        self._new: list[Marks] = []

    # For the outbox.

    @property
    def may_send(self) -> bool:
        """Whether this process collects, and no other may, and its archive is its own."""
        is_sure = self._collects() and self._may_collect()
        return is_sure and (self._own is None or self._own.may_send)

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process sends."""
        return not self._collects() or (self._own is not None and self._own.is_elsewhere)

    @property
    def is_writing(self) -> bool:
        """Whether what is handed over is kept."""
        return self._own is not None and self._own.is_writing

    def read(self, destinations: Iterable[str]) -> Remembered:
        """All that is remembered, here or by who sent before.

        Raises:
            ArchiveError: if the archive cannot be read.
        """
        names = list(destinations)
        own = Remembered() if self._own is None else self._own.read(names)
        with self._lock:
            known = dict(self._deliveries)
            mutes = {(mute.of, mute.name): mute for mute in own.mutes} | self._mutes
            off = {**own.off, **{name: mark for name, mark in self._off.items() if name in names}}
        newest = {(one.destination, one.key): one for one in own.deliveries} | known
        ended = [one for one in newest.values() if one.state is not DeliveryState.DUE]
        due = [one for one in newest.values() if one.state is DeliveryState.DUE]
        return Remembered(
            deliveries=(*ended, *due),
            mutes=tuple(mutes.values()),
            off={name: mark for name, mark in off.items() if mark},
        )

    def keep(
        self,
        deliveries: Sequence[Delivery] = (),
        mutes: Sequence[Mute] = (),
        off: Mapping[str, str] | None = None,
    ) -> None:
        """Remember what became of deliveries, mutes, and what is off, and publish it."""
        if self._own is not None:
            self._own.keep(deliveries, mutes, off)
        self.note(Marks(deliveries=tuple(deliveries), mutes=tuple(mutes), off=off or {}))

    # For who publishes and follows.

    def note(self, marks: Marks) -> None:
        """Publish something that is remembered otherwise, as what is new is with its event."""
        with self._lock:
            self._hold(marks)
            if self._collects():
                self._new.append(marks)

    def learn(self, marks: Marks) -> None:
        """Remember what became of alerts in the process that sends."""
        if self._own is not None:
            self._own.keep(marks.deliveries, marks.mutes, marks.off)
        with self._lock:
            self._hold(marks)

    def collect(self) -> Marks:
        """What is new to the others since this was last called."""
        with self._lock:
            new, self._new = self._new, []
        return joined(new)

    def all(self) -> Marks:
        """The newest that is known, for who joins late."""
        with self._lock:
            return Marks(
                deliveries=tuple(self._deliveries.values()),
                mutes=tuple(self._mutes.values()),
                off=dict(self._off),
            )

    def _hold(self, marks: Marks) -> None:
        for one in marks.deliveries:
            self._deliveries.pop((one.destination, one.key), None)
            self._deliveries[one.destination, one.key] = one
        while len(self._deliveries) > _MOST_HELD:
            del self._deliveries[next(iter(self._deliveries))]
        self._mutes |= {(mute.of, mute.name): mute for mute in marks.mutes}
        self._off |= marks.off
