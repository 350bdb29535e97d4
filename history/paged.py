"""Paged: the events of an archive page by page, so that whoever asks for many is soon answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple

from events import Event
from history.archive import Archive, EventPlace
from history.losses import Losses

__all__ = ["EventPage", "event_page", "place_of"]

_MOST_LOOKED_AT: Final = 20_000
"""After so many events a page ends: they are read in a second or less."""


class EventPage(NamedTuple):
    """Some events."""

    events: tuple[Event, ...]
    next: EventPlace | None
    """The place after which there may be others; None: there are none."""


def place_of(event: Event, *, is_state: bool) -> EventPlace:
    """Where an event is among others, or a state of one among states."""
    return (event.updated_ts if is_state else event.ts), event.id


def event_page(
    archive: Archive,
    begin: float,
    end: float,
    *,
    limit: int,
    after: EventPlace | None = None,
    is_wanted: Callable[[Event], bool] = lambda event: True,
    with_updates: bool = False,
    most_looked_at: int = _MOST_LOOKED_AT,
    losses: Losses | None = None,
) -> EventPage:
    """The first ``limit`` events that began from ``begin`` to ``end`` (excluded), or fewer.

    As they ended, in the order in which they began; ``with_updates``: every state that any event
    came into in the span, in the order of these. Fewer, and none perhaps, though there are others,
    if many are not wanted: ``next`` says so. With that as ``after`` the next page follows, whatever
    comes meanwhile.

    Raises:
        ArchiveError: if the archive cannot be read.
    """
    events = (
        archive.event_updates(begin, end, losses, after=after)
        if with_updates
        else archive.events(begin, end, None, losses, after=after)
    )
    found: list[Event] = []
    place = after
    with closing(events):
        for looked_at, event in enumerate(events):
            if len(found) == limit or looked_at == most_looked_at:
                return EventPage(tuple(found), place)
            place = place_of(event, is_state=with_updates)
            if is_wanted(event):
                found.append(event)
    return EventPage(tuple(found), None)
