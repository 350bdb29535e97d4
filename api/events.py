"""Events: the stress events of a span, as they ended or in every state."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final, NamedTuple, get_args

import msgspec
from starlette.responses import Response

from api.asked import Asked, Time
from api.cursors import read_cursor, write_cursor
from api.endpoint import json_response
from api.past import archive_of, archive_problem, known_symbols, over_at
from events import Company, Event, EventStore
from history.archive import Archive, ArchiveError
from ticks import EventKind, Regime, Severity

__all__ = ["PARAMETERS", "EventPage", "EventRecord", "PartRecord", "event_record", "events"]

PARAMETERS: Final = (
    "from",
    "to",
    "symbols",
    "kinds",
    "severity",
    "updates",
    "limit",
    "cursor",
    "times",
)

MOST: Final = 10_000
_USUAL: Final = 1000
_USUAL_SEC: Final = 86_400.0

_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One value of an event beside the threshold it was held against."""

    kind: EventKind
    horizon_sec: int
    value: float
    """A fraction, signed for a move."""
    threshold: float
    surprise: float | None
    times_usual: float | None
    from_price: float | None
    from_ts: Time | None
    to_price: float | None
    to_ts: Time | None


class EventRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A state of an event; the same ``id`` in another state is the same event."""

    id: str
    symbol: str
    asset: str
    kind: EventKind
    """That of the part that is told first, whose value is ``peak``."""
    severity: Severity
    ts: Time
    """When it began."""
    updated_ts: Time
    """When it came into this state."""
    over_ts: Time | None
    """When it was over; null while it goes on, as far as is known."""
    peak: float
    threshold: float
    count: int
    company: Company
    twins: tuple[str, ...]
    early: bool
    vs_peers: float | None
    regime: Regime
    history: bool
    """Whether it was found in prices of a time before anybody could have watched."""
    rule: str
    """The name of the user's rule that it is a hit of; empty: a built-in one."""
    parts: tuple[PartRecord, ...]
    text: str
    """What happened, in a sentence, ..."""
    more: str
    """... and what else belongs to it."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events by their begin, the first to begin first."""

    events: tuple[EventRecord, ...]
    next: str | None
    """The cursor of the page that follows; null: there is none."""


def _seconds(ts: float) -> Time:
    return ts


def event_record(event: Event, written: Callable[[float], Time] = _seconds) -> EventRecord:
    """A state of an event for programs; ``written`` says how times are."""

    def known(ts: float | None) -> Time | None:
        return None if ts is None else written(ts)

    lead = event.lead
    return EventRecord(
        id=event.id,
        symbol=event.symbol,
        asset=event.asset,
        kind=event.kind,
        severity=event.severity,
        ts=written(event.ts),
        updated_ts=written(event.updated_ts),
        over_ts=known(event.over_ts),
        peak=lead.value,
        threshold=lead.threshold,
        count=event.count,
        company=event.company,
        twins=event.twins,
        early=event.early,
        vs_peers=event.vs_peers,
        regime=event.regime,
        history=event.history,
        rule=event.rule,
        parts=tuple(
            PartRecord(
                kind=part.kind,
                horizon_sec=part.horizon_sec,
                value=part.value,
                threshold=part.threshold,
                surprise=part.surprise,
                times_usual=part.times_usual,
                from_price=part.from_price,
                from_ts=known(part.from_ts),
                to_price=part.to_price,
                to_ts=known(part.to_ts),
            )
            for part in event.parts
        ),
        text=event.text,
        more=event.more,
    )


class _Page(NamedTuple):
    """Where a page ended: the end of the span, and the place of the last event."""

    over: float
    ts: float
    id: str


def events(asked: Asked) -> Response:
    """The events that began in a span, as they ended; or every state that they came into in it."""
    engine, written = asked.engine, asked.written()
    limit = asked.whole("limit", 1, MOST, _USUAL)
    question = [asked.text(name) for name in PARAMETERS if name not in ("limit", "cursor", "times")]
    place = read_cursor(asked, question, _Page)
    over = float(over_at(engine))
    if place is not None:
        over = min(over, place.over)
    begin, end = asked.span(over - _USUAL_SEC, over)
    symbols = asked.symbols(known_symbols(engine))
    wanted = _Wanted(
        begin,
        end,
        None if place is None else (place.ts, place.id),
        None if symbols is None else frozenset(symbols),
        frozenset(asked.words("kinds", _KINDS, _KINDS)),
        asked.word("severity", _SEVERITIES, "watch"),
        _by_update if asked.flag("updates") else _by_begin,
    )
    try:
        with closing(_events(archive_of(engine), engine.reader.events, wanted)) as found:
            page = list(islice(found, limit + 1))
    except ArchiveError:
        raise archive_problem() from None
    last = _Page(over, *wanted.place(page[limit - 1])) if len(page) > limit else None
    return json_response(
        EventPage(
            events=tuple(event_record(event, written) for event in page[:limit]),
            next=None if last is None else write_cursor(last, question),
        )
    )


def _by_begin(event: Event) -> tuple[float, str]:
    """The place of an event."""
    return event.ts, event.id


def _by_update(event: Event) -> tuple[float, str]:
    """The place of a state of an event."""
    return event.updated_ts, event.id


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which events are asked for, or which states of them, if that is what has a place."""

    begin: float
    end: float
    after: tuple[float, str] | None
    """Only those whose place is after this one."""
    symbols: frozenset[str] | None
    kinds: frozenset[EventKind]
    severity: Severity
    """The least."""
    place: Callable[[Event], tuple[float, str]]

    def takes(self, event: Event) -> bool:
        """Whether an event is one of them."""
        return (
            self.begin <= self.place(event)[0] < self.end
            and (self.after is None or self.place(event) > self.after)
            and (self.symbols is None or event.symbol in self.symbols)
            and event.kind in self.kinds
            and _SEVERITIES.index(event.severity) >= _SEVERITIES.index(self.severity)
        )


def _events(
    archive: Archive | None, store: EventStore, wanted: _Wanted
) -> Generator[Event, None, None]:
    """Those of the archive and of memory, each once, in order."""
    begin, end, after = wanted.begin, wanted.end, wanted.after
    if wanted.place is _by_update:
        in_memory = store.updates(begin, end)
        archived = _none() if archive is None else archive.event_updates(begin, end, after=after)
    else:
        in_memory = sorted(store.latest(len(store)), key=wanted.place)
        archived = _none() if archive is None else archive.events(begin, end, after=after)
    with closing(archived):
        for _, same in groupby(heapq.merge(archived, in_memory, key=wanted.place), wanted.place):
            # What is in both is told once, as it is in the newer state.
            event = max(same, key=_by_update)
            if wanted.takes(event):
                yield event


def _none() -> Generator[Event, None, None]:
    """No events."""
    yield from ()
