"""Waiting: what is to be told to one destination, in order, and what of it goes together."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, takewhile
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
        # Not plain ones, whose first is found the slower the more were removed before it.
        self._in_turn: OrderedDict[str, Delivery] = OrderedDict()
        self._changes: OrderedDict[str, Delivery] = OrderedDict()
        """What lets all others go first: what only changes a message."""
        self._update: dict[str, str] = {}
        """The key of the change that waits of an event, by the event's id."""

    def __len__(self) -> int:
        return len(self._in_turn) + len(self._changes)

    def __iter__(self) -> Iterator[Delivery]:
        return iter([*self._in_turn.values(), *self._changes.values()])

    def __contains__(self, key: str) -> bool:
        return key in self._in_turn or key in self._changes

    def add(self, delivery: Delivery) -> Delivery | None:
        """Let a delivery wait, last; returns the change of the same event that gives way to it.

        One of the same key gives its place, too, and its time.
        """
        before = self._update_of(delivery)
        if before is not None and before.key != delivery.key:
            self.remove(before.key)
            if delivery.told is Told.UPDATED:
                # Else it would never go as long as there are others.
                delivery = replace(delivery, due=min(delivery.due, before.due))
        self.change(delivery)
        return before

    def put_first(self, deliveries: Iterable[Delivery]) -> None:
        """Let deliveries wait before all others, in their order."""
        others = list(self)
        for kept in (self._in_turn, self._changes, self._update):
            kept.clear()
        for delivery in deliveries:
            self.change(delivery)
        for delivery in others:
            if delivery.key not in self:
                self.change(delivery)

    def change(self, delivery: Delivery) -> None:
        """Have a delivery wait in another state of its own, or last if it did not wait."""
        (self._changes if self._yields(delivery) else self._in_turn)[delivery.key] = delivery
        if delivery.told is Told.UPDATED and delivery.event is not None:
            self._update[delivery.event.id] = delivery.key

    def remove(self, key: str) -> None:
        """Let nothing wait under a key."""
        delivery = self._in_turn.pop(key, None) or self._changes.pop(key, None)
        event = None if delivery is None else delivery.event
        if event is not None and self._update.get(event.id) == key:
            del self._update[event.id]

    def some(self, keys: Iterable[str]) -> tuple[Delivery, ...]:
        """Those of some keys that still wait."""
        found = (self._in_turn.get(key) or self._changes.get(key) for key in keys)
        return tuple(delivery for delivery in found if delivery is not None)

    def least_missed(self, on_the_way: Container[str]) -> Delivery:
        """The oldest that only changes a message, or of all; none of some keys.

        Raises:
            StopIteration: if no other waits.
        """
        every = chain(self._changes.values(), self._in_turn.values())
        return next(each for each in every if each.key not in on_the_way)

    def next_due(self) -> float:
        """When the first of them may go; infinite if none waits."""
        return min((delivery.due for delivery in self), default=math.inf)

    def ripe(self, now: float) -> tuple[Delivery, ...]:
        """What goes next, in one message; empty if nothing may go yet.

        Whatever may go takes along what came before it. A test goes by itself. What only changes a
        message goes by itself, too, when nobody waits for news.
        """
        if not any(_is_due(each, now) for each in self._in_turn.values()):
            changes = (each for each in self._changes.values() if _is_due(each, now))
            return tuple(islice(changes, 1))
        head = next(iter(self._in_turn.values()))
        if head.told not in NEWS:
            return (head,)
        news = takewhile(lambda each: each.told in NEWS, self._in_turn.values())
        return tuple(islice(news, self._most_together))

    def _yields(self, delivery: Delivery) -> bool:
        """Whether a delivery lets all others go first."""
        is_edit = self._can_edit and delivery.told is Told.OVER
        return is_edit or delivery.told is Told.UPDATED

    def _update_of(self, delivery: Delivery) -> Delivery | None:
        """The change that waits of the same event, if this is of one."""
        if delivery.event is None or delivery.told is Told.BEGAN:
            return None
        return self._changes.get(self._update.get(delivery.event.id, ""))


def _is_due(delivery: Delivery, now: float) -> bool:
    """Whether a delivery may go, as one may that was made later than now: a clock was set back."""
    return delivery.due <= now or delivery.made > now
