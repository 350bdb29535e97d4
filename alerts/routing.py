"""Routing: what of an event's states a destination is told, and when.

Pure: the instant is an argument, by the computer's clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from events import Event
from history.deliveries import Delivery, Mute, MuteOf, Told
from settings.destinations import Destination
from ticks import Severity

__all__ = ["EDIT_SEC", "Route", "admits", "is_muted"]

EDIT_SEC: Final = 10.0
"""How often the changes of one event are told at most."""

_RANK: Final[dict[Severity, int]] = {"watch": 0, "alert": 1, "extreme": 2}

_MOST_KNOWN: Final = 10_000
"""Of so many events, the newest, it is known what was told of them."""


def admits(destination: Destination, event: Event) -> bool:
    """Whether a destination is for such events; a symbol that moved along counts as its own."""
    kinds = {part.kind for part in event.parts}
    return (
        _RANK[event.severity] >= _RANK[destination.severity]
        and (not destination.assets or event.asset in destination.assets)
        and (
            not destination.symbols
            or not {event.symbol, *event.twins}.isdisjoint(destination.symbols)
        )
        and (not destination.kinds or not kinds.isdisjoint(destination.kinds))
        and (not destination.rules or event.rule in destination.rules)
    )


def is_muted(event: Event, destination: str, mutes: Iterable[Mute], now: float) -> bool:
    """Whether something of an event, or the destination itself, is muted."""
    names = {
        MuteOf.SYMBOL: event.symbol,
        MuteOf.KIND: event.kind,
        MuteOf.RULE: event.rule,
        MuteOf.DESTINATION: destination,
    }
    return any(mute.until > now and mute.name == names[mute.of] for mute in mutes)


@dataclass(slots=True)
class _Known:
    """What a destination knows of one event."""

    severity: Severity
    """The highest that it was for."""
    is_told: bool = False
    """Whether there is a message of it, which may be edited."""
    is_over: bool = False
    is_elsewhere: bool = False
    """Whether another process told it, if anybody did."""
    update: Delivery | None = None
    """The newest change that was to be told."""


class Route:
    """What one destination is told: it remembers what it has been told of which event.

    ``can_edit`` is its channel's: then the changes and the end of what was told are told, too.
    """

    def __init__(self, destination: Destination, *, can_edit: bool, is_simulated: bool) -> None:
        self._destination = destination
        self._can_edit = can_edit
        self._is_open = destination.is_simulated or not is_simulated
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def remember(self, delivery: Delivery) -> None:
        """Know what was told, or is to be, since before a restart."""
        event = delivery.event
        if event is None:
            return
        known = self._known.setdefault(event.id, _Known(event.severity))
        known.severity = max(known.severity, event.severity, key=_RANK.__getitem__)
        if delivery.told in (Told.BEGAN, Told.WORSE):
            known.is_told, known.is_elsewhere = True, False
        known.is_over |= delivery.told is Told.OVER

    def leave(self, event: str) -> None:
        """Know that another process tells of an event, if it found that at all."""
        known = self._known.get(event)
        if known is not None:
            known.is_elsewhere = True

    def is_left(self, delivery: Delivery) -> bool:
        """Whether a delivery changes what another process told, if anybody did."""
        event = delivery.event
        known = None if event is None else self._known.get(event.id)
        is_edit = delivery.told in (Told.UPDATED, Told.OVER)
        return is_edit and known is not None and known.is_elsewhere

    def deliveries(
        self, events: Sequence[Event], mutes: Sequence[Mute], now: float
    ) -> list[Delivery]:
        """What is to be told of states that came ``now``, in their order."""
        found = (self._delivery(event, mutes, now) for event in events if self._is_open)
        return [delivery for delivery in found if delivery is not None]

    def _delivery(self, event: Event, mutes: Sequence[Mute], now: float) -> Delivery | None:
        if event.history or not admits(self._destination, event):
            return None
        known = self._known.get(event.id)
        told = _what(event, known)
        if told is None:
            return None
        if known is None:
            known = self._known[event.id] = _Known(event.severity)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        known.severity = max(known.severity, event.severity, key=_RANK.__getitem__)
        known.is_over = told is Told.OVER
        is_wanted = told.value in self._destination.on
        is_edit = told in (Told.UPDATED, Told.OVER)
        if not is_wanted and not (is_edit and self._can_edit and known.is_told):
            return None
        if is_muted(event, self._destination.name, mutes, now):
            return None
        if told is Told.UPDATED:
            return self._update(event, known, now)
        if not is_edit:
            known.is_told, known.is_elsewhere = True, False
        known.update = None
        waits = event.severity != "extreme" and not (is_edit and self._can_edit)
        return Delivery(
            destination=self._destination.name,
            key=f"{event.id}:{told}:{event.severity}",
            told=told,
            event=event,
            made=now,
            due=now + self._destination.wait_sec if waits else now,
        )

    def _update(self, event: Event, known: _Known, now: float) -> Delivery:
        """A change: what follows within ``EDIT_SEC`` of it takes its place, key and all."""
        before = known.update
        goes_on = before is not None and now < before.due
        key = f"{event.id}:{Told.UPDATED}:{event.severity}:{round(event.updated_ts * 1000)}"
        known.update = Delivery(
            destination=self._destination.name,
            key=before.key if goes_on and before else key,
            told=Told.UPDATED,
            event=event,
            made=before.made if goes_on and before else now,
            due=before.due if goes_on and before else now + EDIT_SEC,
        )
        return known.update


def _what(event: Event, known: _Known | None) -> Told | None:
    """What a state is to somebody who knows so much of its event; None: nothing new."""
    if event.over_ts is not None:
        return None if known is None or known.is_over else Told.OVER
    if known is None:
        return Told.BEGAN
    return Told.WORSE if _RANK[event.severity] > _RANK[known.severity] else Told.UPDATED
