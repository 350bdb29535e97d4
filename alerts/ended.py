"""Ended: what became of the deliveries of one destination, and which message tells of what."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from history.deliveries import Delivery, DeliveryState, Told

__all__ = ["MOST_DEAD", "Ended", "Messages"]

MOST_DEAD: Final = 100
"""So many dead deliveries, the newest, can be sent again."""

_MOST_ENDED: Final = 20_000
"""So many deliveries, the newest, are known to have ended."""

_MOST_MESSAGES: Final = 2_000
"""So many messages, the newest, can be edited."""


class Ended:
    """The deliveries that are not to be sent any more, and the count of them."""

    def __init__(self) -> None:
        self.sent = self.dead_count = self.dropped = 0
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._dead: OrderedDict[str, Delivery] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    @property
    def dead(self) -> tuple[Delivery, ...]:
        """The newest dead ones, the oldest first."""
        return tuple(self._dead.values())

    def add(self, delivery: Delivery) -> None:
        """Know that a delivery was sent, died or was dropped, as its state says."""
        self._keys[delivery.key] = None
        while len(self._keys) > _MOST_ENDED:
            self._keys.popitem(last=False)
        if delivery.state is DeliveryState.SENT:
            self.sent += 1
        elif delivery.state is DeliveryState.DROPPED:
            # What only changes a message is no message that anybody lacks.
            self.dropped += delivery.told not in (Told.UPDATED, Told.OVER)
        else:
            self.dead_count += 1
            self._dead[delivery.key] = delivery
            while len(self._dead) > MOST_DEAD:
                self._dead.popitem(last=False)

    def take_dead(self, key: str) -> Delivery | None:
        """Forget a dead delivery, and return it; None if there is no such."""
        delivery = self._dead.pop(key, None)
        if delivery is not None:
            self._keys.pop(key, None)
            self.dead_count -= 1
        return delivery


class Messages:
    """The messages that can be edited, each with the deliveries that it tells."""

    def __init__(self) -> None:
        self._by_reference: OrderedDict[str, dict[str, Delivery]] = OrderedDict()
        self._reference: dict[str, str] = {}  # by event

    def add(self, deliveries: Sequence[Delivery], reference: str) -> None:
        """Know what a message tells, or tells now: the newest of each event."""
        told = self._by_reference.setdefault(reference, {})
        for delivery in deliveries:
            if delivery.event is not None:
                told[delivery.event.id] = delivery
                self._reference[delivery.event.id] = reference
        while len(self._by_reference) > _MOST_MESSAGES:
            old, told = self._by_reference.popitem(last=False)
            for event in told:
                if self._reference.get(event) == old:
                    del self._reference[event]

    def reference(self, event: str) -> str | None:
        """What the channel calls the newest message that tells of an event; None: there is none."""
        return self._reference.get(event)

    def others(self, event: str) -> tuple[Delivery, ...]:
        """What else the message tells that tells of an event."""
        told = self._by_reference[self._reference[event]]
        return tuple(delivery for name, delivery in told.items() if name != event)
