"""Desk: the alerts as the worker and the page see them: what waits, and who carries it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from alerts.channel import Channel
from alerts.outbox import Ledger, Outbox
from alerts.pace import Manners
from alerts.status import AlertsStatus
from events import Event
from history.deliveries import Delivery, Mute
from settings.destinations import Destination

if TYPE_CHECKING:
    from alerts.courier import Courier

__all__ = ["Desk"]


class Desk:
    """The alerts of one process; without any destination it tells nothing, and has no thread.

    ``destinations`` come each with the channel that speaks to it. ``ledger`` remembers what waits;
    None: nothing does. ``is_simulated`` says whether the market is simulated or replayed. Any
    thread may call it; ``clock`` is the computer's, and ``jitter`` a number from 0 to 1.
    """

    def __init__(
        self,
        destinations: Sequence[tuple[Destination, Channel]] = (),
        ledger: Ledger | None = None,
        *,
        is_simulated: bool = False,
        clock: Callable[[], float] = time.time,
        manners: Manners | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._destinations = destinations
        self._clock = clock
        self._manners = manners
        self._outbox = Outbox(
            destinations,
            ledger,
            is_simulated=is_simulated,
            clock=clock,
            manners=manners,
            jitter=jitter,
        )
        self._courier: Courier | None = None

    # For the worker.

    def restore(self) -> None:
        """Go on from what is remembered, if that can be read: before the first state is told."""
        self._outbox.read()

    def start(self) -> None:
        """Begin to send; returns at once."""
        if self._destinations:
            # Who tells nothing outside the page does not load what sends.
            from alerts.courier import Courier

            self._courier = Courier(
                self._outbox, self._destinations, clock=self._clock, manners=self._manners
            )
            self._courier.start()

    def stop(self) -> None:
        """Send no more: what waits is remembered. May be called again."""
        if self._courier is not None:
            self._courier.stop()

    def deliveries_for(self, events: Sequence[Event]) -> tuple[Delivery, ...]:
        """What is to be told of states of events that came now; it is sent from now on."""
        return self._outbox.take(events)

    def learn(self, mutes: Iterable[Mute]) -> None:
        """Know what was muted or lifted in the process that sends."""
        self._outbox.learn(mutes)

    def status(self) -> AlertsStatus:
        """What is true of all destinations now."""
        return self._outbox.status()

    # For the page.

    def mute(self, mute: Mute) -> None:
        """Tell nothing of something until an instant; one that has passed lifts the mute."""
        self._outbox.mute(mute)

    def test(self, destination: str) -> bool:
        """Send a marked message.

        Returns whether it will be: not if there is no such destination, if it was asked less than
        ten seconds ago, or if another process sends.
        """
        return self._outbox.test(destination)

    def send_again(self, destination: str, key: str) -> bool:
        """Try a dead delivery again; whether there is one, and no other process sends."""
        return self._outbox.send_again(destination, key)

    def try_now(self, destination: str) -> bool:
        """Try a destination that rests, refuses us or is off; returns as ``test`` does."""
        return self._outbox.try_now(destination)
