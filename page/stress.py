"""Stress: the list of events, which of them are news, and where they lie on the hour's line.

The functions take the ``version`` of the events because these may change while the second that is
shown does not; what is made for one version is not shown for another.
"""

from __future__ import annotations

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
    "stress_card",
]

EVENTS_SHOWN: Final = 40

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
    updated: float
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


class StressCard(msgspec.Struct, frozen=True):
    """The newest events that pass the viewer's filter."""

    shown: list[EventLine]
    passing: int
    """How many pass the filter."""
    all: int
    """How many there are."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """An event on the hour's line."""

    ts: int
    severity: str
    id: str


def event_line(event: Event) -> EventLine:
    """An event as the list shows it."""
    return EventLine(
        id=event.id,
        ts=event.ts,
        updated=event.updated_ts,
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
    )


def stress_card(
    reader: Reader, now: float, version: int, severity: Severity, assets: tuple[Asset, ...]
) -> StressCard:
    """The events up to ``now`` of these ``assets`` that are at least of this ``severity``."""
    severities = SEVERITIES[SEVERITIES.index(severity) :]
    events = reader.events_at(now).latest(EVENTS_READ, now)
    passing = [event for event in events if event.severity in severities and event.asset in assets]
    return StressCard(
        shown=[event_line(event) for event in passing[:EVENTS_SHOWN]],
        passing=len(passing),
        all=len(events),
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
    return [
        Mark(int(event.ts), event.severity, event.id)
        for event in reader.events_at(now).latest(MARKS, since=first)
        if event.ts < last + 1
    ]
