"""Stress: the list of events, which of them are news, and where they lie on the hour's line.

The functions take the ``version`` of the events because these may change while the second that is
shown does not; what is made for one version is not shown for another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from engine.reader import Reader
from events import Event
from page.view import SEVERITIES
from ticks import Asset, Severity

__all__ = [
    "EVENTS_READ",
    "EventLine",
    "Mark",
    "StressCard",
    "event_line",
    "marks",
    "news",
    "standing",
    "stress_card",
]

EVENTS_SHOWN: Final = 40
"""How many are listed if all are asked for, and how many of the running ones in any case."""

EARLIER_SHOWN: Final = 12
"""How many of those that are over are listed unless all are asked for."""

EVENTS_READ: Final = 5000
"""How many of the newest events are searched for those that pass a filter."""

MARKS: Final = 500
"""How many events the hour's line has room for."""

NEWS_SEC: Final = 120
"""Events that began or grew within this time are news."""


class EventLine(msgspec.Struct, frozen=True):
    """One event in the list."""

    id: str
    ts: float
    peak: float
    """When it was furthest beyond its threshold: what the text tells ended then."""
    severity: str
    symbol: str
    asset: str
    text: str
    more: str
    """What else belongs to it, its other parts and its twins; may be empty."""
    count: int
    early: bool
    """Its surprise is not that of the symbol's own last day yet."""
    history: bool
    """Found in the backfilled past: it was never news."""
    kind: str
    rule: str
    """The user's rule that it is a hit of; may be empty."""
    over: bool
    """Whether it is over: then there is no news of it any more."""
    title: str
    """Who and by how much at its peak: "META −0.93 %", "BTC (USD, USDT) +1.1 %"."""
    brief: str
    """What follows the title in one line: "in 1 min, 8× its usual minute, alone"."""
    over_ts: float | None
    """When the last of it went on: it lasted from ``ts`` till then. None: it is running, since
    ``ts``, for as long as the shown instant says."""


class StressCard(msgspec.Struct, frozen=True):
    """The newest events that pass the viewer's filter."""

    all: int
    """How many there are, whether they pass or not."""
    running: list[EventLine]
    """Those that go on, the last to begin first; they stand first."""
    earlier: list[EventLine]
    """The newest of those that are over: some, or with ``earlier`` among the panels up to 40."""
    earlier_count: int
    """How many are over: the number beside "Earlier"."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """An event on the hour's line."""

    ts: int
    """The second of its peak, which is the one to look at."""
    severity: str
    id: str
    symbol: str
    """Empty: it is of a feed."""
    title: str
    """For a pointer at rest: who and by how much."""


def event_line(event: Event) -> EventLine:
    """An event as the list shows it."""
    return EventLine(
        id=event.id,
        ts=event.ts,
        peak=event.ts if event.lead.to_ts is None else event.lead.to_ts,
        severity=event.severity,
        symbol=event.symbol,
        asset=event.asset,
        text=event.text,
        more=event.more,
        count=event.count,
        early=event.early,
        history=event.history,
        kind=event.kind,
        rule=event.rule,
        over=event.over_ts is not None,
        title=event.title,
        brief=event.brief,
        over_ts=event.over_ts,
    )


def standing(events: Sequence[Event]) -> list[Event]:
    """The events without those that another tells of, in their order.

    Of twins that were found to be such only while the events of both were running one event tells
    from then on; what had been an event of its own ended by that, and is told by the other.
    """
    telling: dict[str, list[Event]] = {}
    for event in events:
        for name in event.twins if not event.rule else ():
            telling.setdefault(name, []).append(event)
    return [
        event
        for event in events
        if event.rule or not any(_tells(one, event) for one in telling.get(event.symbol, ()))
    ]


def _tells(event: Event, other: Event) -> bool:
    """Whether an event tells of an event of one of its twins, which it took in."""
    if other.over_ts is None or other.id == event.id:
        return False
    overlaps = other.ts <= (event.over_ts or math.inf) and event.ts <= other.over_ts
    is_opposite = {event.lead.rises, other.lead.rises} == {True, False}
    is_severer = SEVERITIES.index(other.severity) > SEVERITIES.index(event.severity)
    return overlaps and not is_opposite and not is_severer


def stress_card(
    reader: Reader,
    now: float,
    version: int,
    severity: Severity,
    assets: tuple[Asset, ...],
    lists_all: bool = False,
    among: tuple[str, ...] | None = None,
) -> StressCard:
    """The events up to ``now`` of these ``assets`` that are at least of this ``severity``.

    ``lists_all`` is whether more than the newest are listed of those that are over. With ``among``
    the card knows those of these symbols only.
    """
    severities = SEVERITIES[SEVERITIES.index(severity) :]
    events = standing(reader.events_at(now).latest(EVENTS_READ, now))
    if among is not None:
        events = [event for event in events if not {*event.symbols}.isdisjoint(among)]
    passing = [event for event in events if event.severity in severities and event.asset in assets]
    running = [event for event in passing if event.over_ts is None]
    earlier = [event for event in passing if event.over_ts is not None]
    listed = EVENTS_SHOWN if lists_all else EARLIER_SHOWN
    return StressCard(
        all=len(events),
        running=[event_line(event) for event in running[:EVENTS_SHOWN]],
        earlier=[event_line(event) for event in earlier[:listed]],
        earlier_count=len(earlier),
    )


def news(reader: Reader, now: float, version: int) -> list[EventLine]:
    """What the page may sound or notify for at ``now``, which is the newest second."""
    return [
        event_line(event)
        for event in reader.events.latest(EVENTS_READ)
        if not event.history and now - _news_ts(event) < NEWS_SEC
    ]


def _news_ts(event: Event) -> float:
    """When an event was last news: its end is none."""
    return event.updated_ts if event.over_ts is None else event.ts


def marks(reader: Reader, now: float, version: int, first: int, last: int) -> list[Mark]:
    """The events between the seconds ``first`` and ``last``, as far as ``now`` knows them."""
    events = standing(reader.events_at(now).latest(MARKS, since=first))
    return [
        Mark(
            ts=int(event.peak_ts),
            severity=event.severity,
            id=event.id,
            symbol=event.symbol,
            title=event.title,
        )
        for event in events
        if event.ts < last + 1
    ]
