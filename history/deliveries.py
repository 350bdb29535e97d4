"""Deliveries: what is to be told to which destination of which event, as the archive keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from events import Event

__all__ = ["Delivery", "DeliveryState", "Marks", "Mute", "MuteOf", "Told", "joined"]


class Told(StrEnum):
    """What of an event is told."""

    BEGAN = "began"
    WORSE = "worse"
    """It is severer than what was told of it."""
    UPDATED = "updated"
    """Its count or its peak changed."""
    OVER = "over"
    TEST = "test"
    """Nothing of any event: a message that somebody asked for to try a destination."""


class DeliveryState(StrEnum):
    """What became of a delivery."""

    DUE = "due"
    SENT = "sent"
    DEAD = "dead"
    """The destination refuses it for good; it may be sent again by hand."""
    DROPPED = "dropped"
    """It was too old to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to be told to one destination; ``destination`` and ``key`` name it.

    Times are seconds since the epoch, by the computer's clock.
    """

    destination: str
    key: str
    """The event's id, what is told of it and its severity: the same after a restart."""
    told: Told
    event: Event | None
    """The state of the event that is told; None for a test."""
    made: float
    due: float
    """Not to be tried before."""
    tries: int = 0
    state: DeliveryState = DeliveryState.DUE
    error: str = ""
    """Why the last try failed: the status and words, never an address."""
    reference: str = ""
    """What the channel calls the message, for editing it."""

    @property
    def id(self) -> str:
        """The name a receiver knows it by: the same for every try, without a full stop."""
        return "mp_" + hashlib.sha256(self.key.encode()).hexdigest()[:32]


class MuteOf(StrEnum):
    """What is muted."""

    SYMBOL = "symbol"
    KIND = "kind"
    RULE = "rule"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Mute:
    """Something of which nothing is told until an instant; one that has passed lifts it."""

    of: MuteOf
    name: str
    until: float
    """In seconds since the epoch, by the computer's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What became of alerts, for whoever may have to send them next."""

    deliveries: tuple[Delivery, ...] = ()
    """Those that are new, and those that changed, each in its newest state."""
    mutes: tuple[Mute, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)
    """The destinations that are gone, each with a mark of its address; an empty one lifts it."""

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.mutes or self.off)


def joined(several: Iterable[Marks]) -> Marks:
    """Several marks as one: of each thing the newest."""
    deliveries: dict[tuple[str, str], Delivery] = {}
    mutes: dict[tuple[MuteOf, str], Mute] = {}
    off: dict[str, str] = {}
    for marks in several:
        for one in marks.deliveries:
            deliveries.pop((one.destination, one.key), None)
            deliveries[one.destination, one.key] = one
        mutes |= {(mute.of, mute.name): mute for mute in marks.mutes}
        off |= marks.off
    return Marks(deliveries=tuple(deliveries.values()), mutes=tuple(mutes.values()), off=off)
