"""Waiting: what is to be told to one destination, in order, and what of it goes together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from history.deliveries import Delivery, Told

__all__ = ["NEWS", "Waiting"]

NEWS: Final = (Told.BEGAN, Told.WORSE)
"""What is told in a message of its own; the rest changes one, or tries a destination."""


class Waiting:
    """Deliveries that wait, the oldest first; changes of an event give way to what comes after.

    At most ``most_together`` go in one message; ``can_edit`` is the channel's.
    """

    def __init__(self, most_together: int, *, can_edit: bool) -> None:
        self._most_together = most_together
        self._can_edit = can_edit
        self._by_key: dict[str, Delivery] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._by_key.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def add(self, delivery: Delivery) -> Delivery | None:
        """Let a delivery wait, last; returns the change of the same event that gives way to it.

        One of the same key gives its place, too, and its time.
        """
        before = self._update_of(delivery)
        if before is not None and before.key != delivery.key:
            del self._by_key[before.key]
            if delivery.told is Told.UPDATED:
                # Else it would never go as long as there are others.
                delivery = replace(delivery, due=min(delivery.due, before.due))
        self._by_key[delivery.key] = delivery
        return before

    def put_first(self, deliveries: Iterable[Delivery]) -> None:
        """Let deliveries wait before all others, in their order."""
        first = {delivery.key: delivery for delivery in deliveries}
        self._by_key = first | {k: d for k, d in self._by_key.items() if k not in first}

    def change(self, delivery: Delivery) -> None:
        """Have a delivery wait in another state of its own."""
        self._by_key[delivery.key] = delivery

    def remove(self, key: str) -> None:
        """Let nothing wait under a key."""
        self._by_key.pop(key, None)

    def some(self, keys: Iterable[str]) -> tuple[Delivery, ...]:
        """Those of some keys that still wait."""
        return tuple(self._by_key[key] for key in keys if key in self._by_key)

    def next_due(self) -> float:
        """When the first of them may go; infinite if none waits."""
        return min((delivery.due for delivery in self._by_key.values()), default=math.inf)

    def ripe(self, now: float) -> tuple[Delivery, ...]:
        """What goes next, in one message; empty if nothing may go yet.

        Whatever may go takes along what came before it. A test goes by itself. What only changes a
        message goes by itself, too, when nobody waits for news.
        """
        in_turn = [each for each in self if not self._yields(each)]
        last = max((i for i, each in enumerate(in_turn) if _is_due(each, now)), default=-1)
        if last < 0:
            changes = (each for each in self if self._yields(each) and _is_due(each, now))
            return tuple(islice(changes, 1))
        if in_turn[0].told not in NEWS:
            return (in_turn[0],)
        others = (i for i, each in enumerate(in_turn) if each.told not in NEWS)
        end = min(next(others, len(in_turn)), self._most_together)
        return tuple(in_turn[:end])

    def _yields(self, delivery: Delivery) -> bool:
        """Whether a delivery lets all others go first."""
        is_edit = self._can_edit and delivery.told is Told.OVER
        return is_edit or delivery.told is Told.UPDATED

    def _update_of(self, delivery: Delivery) -> Delivery | None:
        """The change that waits of the same event, if this is of one."""
        if delivery.event is None or delivery.told is Told.BEGAN:
            return None
        for each in self._by_key.values():
            if each.told is Told.UPDATED and each.event and each.event.id == delivery.event.id:
                return each
        return None


def _is_due(delivery: Delivery, now: float) -> bool:
    """Whether a delivery may go, as one may that was made later than now: a clock was set back."""
    return delivery.due <= now or delivery.made > now
