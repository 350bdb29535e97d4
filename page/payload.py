"""Payload: everything a tab draws at one instant, as text and plain numbers.

What several viewers have in common is made and encoded once a second, however many they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVarTuple

import msgspec

from engine.reader import GRACE_SEC, REWIND_SEC, Reader
from engine.status import FeedState, Found, HeldBack, SourceKind, Status
from page.alerts import AlertsCard, alerts_card
from page.among import where_text
from page.chart import chart, spanned
from page.correlations import correlation_text, has_heat_map, heat_map
from page.deltas import Parts, parts_of
from page.details import tables
from page.event_detail import event_detail
from page.find import MOST_TEXT, WatchCard, find_card, found_line, watch_card
from page.headline import headline
from page.hour import area, area_span
from page.hours import HoursLine, hours_line
from page.pulse import PulseCard, pulse_card
from page.since import since_line
from page.standstill import aged, standstill_sec
from page.status import StatusCard, status_card
from page.stress import marks, news, stress_card
from page.symbol import symbol_card
from page.tabs import OpenTabs
from page.visit import Visit
from page.words import Words
from sessions import HoursFrom, MarketHours
from ticks import ASSETS, Asset, is_legible, legible

__all__ = ["Correlations", "Payload", "Refresh", "payload"]

_Asked = TypeVarTuple("_Asked")


class Refresh(msgspec.Struct, frozen=True):
    """How often the tabs refresh."""

    sec: float
    tabs: int
    """How many there are."""


class Correlations(msgspec.Struct, frozen=True):
    """Both parts of the correlation card."""

    card: msgspec.Raw
    """A ``CorrelationText``."""
    heat: msgspec.Raw | None
    """A ``HeatMap``; None if it is not asked for, or has too many symbols."""


class Payload(msgspec.Struct, frozen=True):
    """Everything a tab draws; what is raw was encoded once for all tabs that ask alike."""

    now: float
    """The instant that is shown."""
    live_now: float
    """The newest instant there is."""
    still_sec: int
    """For how many seconds none has come of what is live; 0: they come."""
    reach: tuple[int, int]
    """First and last second that can be shown."""
    line: tuple[int, int]
    """First and last second of the hour's line."""
    at: int | None
    """The second that is shown; None is live."""
    view: msgspec.Raw
    """A ``View``."""
    first: msgspec.Raw
    """The ``View`` of an address that chooses nothing."""
    taken: float
    """The number of the choice on the board that the view has taken last; 0: none."""
    session: str
    """Another one than before if the server has lost what the tab had chosen."""
    notes: msgspec.Raw
    """A list of texts, told at the top."""
    headline: msgspec.Raw
    """A ``Headline``."""
    area: msgspec.Raw
    """An ``Area``: the stress of the hour that the line shows."""
    pulse: msgspec.Raw
    """A ``PulseCard``."""
    events: msgspec.Raw
    """A ``StressCard``."""
    event: msgspec.Raw | None
    """An ``EventDetail``, null if there is no such event; None if it is not asked for."""
    since: msgspec.Raw | None
    """A ``Since``, null if nothing can have happened; None if it is not asked for."""
    news: msgspec.Raw
    """A list of ``EventLine``."""
    marks: msgspec.Raw
    """A list of ``Mark``."""
    hours: msgspec.Raw
    """A list of ``HoursLine``, one of each class."""
    correlation: Correlations | None
    """None if nothing is watched."""
    opened: msgspec.Raw | None
    """A ``SymbolCard``; None if no symbol is opened."""
    unlisted: msgspec.Raw | None
    """A ``FoundLine``: the symbol to open, if it has no row any more, or none yet; else None."""
    chart: msgspec.Raw | None
    """A ``Chart`` of it and of those it is compared with; None if no symbol is opened."""
    status: msgspec.Raw
    """A ``StatusCard``."""
    alerts: msgspec.Raw
    """An ``AlertsCard``; its answer is to whatever the viewer asked for last."""
    watch: msgspec.Raw
    """A ``WatchCard``: groups, limits, and what may be changed."""
    find: msgspec.Raw | None
    """A ``FindCard``; None if nobody looks for a symbol."""
    missed: int | None
    """How many events are newer than what is shown; None if that is not known."""
    details: msgspec.Raw | None
    """A list of ``Table``: all that the status knows; None if it is not asked for."""
    refresh: Refresh


def payload(
    reader: Reader,
    status: Status,
    visit: Visit,
    at: int | None,
    tabs: OpenTabs,
    found: Sequence[Found] = (),
    unlisted: Found | None = None,
) -> Parts:
    """What a ``visit`` is shown of the second ``at``, None for live: the parts of a ``Payload``.

    ``found`` are the symbols that were found of what it looks for. ``unlisted`` is the symbol that
    it opens, if that may have no row.
    """
    view = visit.view
    # One instant for all parts: another second may be over before they are put together.
    live_now, _ = reader.pulse()
    now, frame = reader.pulse(live_now if at is None else at)
    clock = math.floor(reader.now())
    still_sec = 0 if at is not None else standstill_sec(status, live_now, clock)
    has_ended = at is None and status.source.has_ended
    reach = reader.span()
    # A frozen page has no newer second than when it was frozen.
    newest = reach[1] if visit.frozen is None else visit.frozen.since
    line = _line(at, *reach)
    # Events of a second that is over may still be found.
    version = reader.events_at(now).version
    # Whoever looks at it may not be the one who removed it.
    instead = "" if frame.empty else str(frame.index[0])
    base = (now, view.base if view.base in frame.index else instead, view.bars, view.correlate)
    # What is held back is nobody's to see in the past: it was no price then.
    held = tuple(one for feed in status.feeds for one in feed.held if at is None)
    unheard = tuple(name for feed in status.feeds for name in feed.never_heard if at is None)
    groups = {group.name: group.symbols for group in status.watch.groups}
    # A group that somebody has deleted filters nothing any more.
    among = groups.get(view.group)
    # Figures of a class whose feeds are all down are not about to come.
    live = {feed.asset for feed in status.feeds if feed.state == FeedState.LIVE and at is None}
    fed = tuple(asset for asset in ASSETS if asset in live)
    opened = view.symbol if view.symbol in frame.index else ""
    whole, where = _Itself(status), where_text(status.relay)
    return parts_of(
        Payload(
            now=now,
            live_now=live_now,
            still_sec=still_sec,
            reach=reach,
            line=line,
            at=at,
            view=_shown(view),
            first=_shown(visit.first),
            taken=visit.taken,
            session=visit.session,
            notes=_shown(visit.notes),
            headline=_encoded(reader, headline, now, version, still_sec),
            area=_encoded(reader, area, *area_span(*line)),
            pulse=_encoded(
                reader,
                _pulse,
                now,
                view.rank,
                view.form,
                view.rows,
                fed,
                has_ended,
                held,
                at is not None or has_ended,
                among,
                unheard,
                still_sec,
            ),
            events=_encoded(
                reader,
                stress_card,
                now,
                version,
                view.severity,
                view.events,
                visit.wants_earlier,
                among,
            ),
            event=_encoded(reader, event_detail, now, version, visit.event)
            if visit.event
            else None,
            since=_encoded(reader, since_line, live_now, reader.events.version, visit.since)
            if visit.since is not None
            else None,
            news=_encoded(reader, news, live_now, reader.events.version),
            marks=_encoded(reader, marks, now, version, *line),
            hours=_encoded(reader, _hours, now, status.source.kind, has_ended, at is not None),
            correlation=Correlations(
                card=_encoded(reader, correlation_text, *base),
                heat=_encoded(reader, heat_map, *base)
                if view.heat and has_heat_map(reader, view.correlate)
                else None,
            )
            if base[1]
            else None,
            opened=_encoded(reader, symbol_card, now, version, opened, view.bars, held, still_sec)
            if opened
            else None,
            unlisted=_shown(found_line(unlisted, status.watch))
            if unlisted is not None and not opened
            else None,
            chart=_encoded(
                reader,
                chart,
                now,
                version,
                view.span,
                *spanned(view.span, at, newest),
                (
                    opened,
                    *(name for name in view.compare if name in frame.index and name != opened),
                ),
            )
            if opened
            else None,
            status=_encoded(reader, _status, whole, live_now, clock),
            alerts=_encoded(
                reader, _alerts, whole, visit.answer, visit.asked or 0, visit.wants_alerts
            ),
            watch=_encoded(reader, _watch, whole),
            find=None
            if visit.finds is None
            else _shown(find_card(visit.finds[:MOST_TEXT], found, status.watch, where)),
            # Of days there is no telling how many are still in memory.
            missed=reader.events.count_since(now) if line[1] == reach[1] else None,
            details=_shown(tables(status)) if visit.wants_details else None,
            refresh=Refresh(tabs.refresh_sec, tabs.tabs),
        )
    )


def _encoded(
    reader: Reader, make: Callable[[Reader, *_Asked], object], *asked: *_Asked
) -> msgspec.Raw:
    """A part that looks the same in every tab that asks alike, made and encoded once."""
    return reader.once(_text, reader, make, *asked)


def _text(
    reader: Reader, make: Callable[[Reader, *_Asked], object], *asked: *_Asked
) -> msgspec.Raw:
    return _shown(make(reader, *asked))


@dataclass(frozen=True, slots=True, eq=False)
class _Itself:
    """A status that is told from others by being another object, however much it holds."""

    status: Status

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.status is other.status

    def __hash__(self) -> int:
        return id(self.status)


def _status(_: Reader, status: _Itself, live_now: float, now: float) -> StatusCard:
    """The status card, at a whole second of the source's time."""
    return status_card(status.status, live_now, now)


def _alerts(
    _: Reader, status: _Itself, answer: Words, answered: int, is_opened: bool
) -> AlertsCard:
    """The alerts card of a viewer who was answered so."""
    return alerts_card(
        status.status.alerts,
        answer,
        answered,
        is_opened=is_opened,
        where=where_text(status.status.relay),
    )


def _watch(_: Reader, status: _Itself) -> WatchCard:
    """What every viewer is told of the watchlist."""
    return watch_card(status.status.watch, where_text(status.status.relay))


_ESCAPED: Final = re.compile(r'\\[^"\\]')
"""What JSON writes instead of a control character."""


def _shown(part: object) -> msgspec.Raw:
    """A part as JSON in which every text is legible: names and messages come from outside.

    It is looked through as a whole, which is quick, and taken apart only if something was found.
    """
    encoded = msgspec.json.encode(part)
    text = encoded.decode()
    if is_legible(text) and not _ESCAPED.search(text):
        return msgspec.Raw(encoded)
    return msgspec.Raw(msgspec.json.encode(_legible(msgspec.json.decode(encoded))))


def _legible(value: Any) -> Any:
    """Any value of JSON with its texts legible; the names of its fields are ours."""
    if isinstance(value, str):
        return legible(value, len(value))
    if isinstance(value, list):
        return [_legible(item) for item in value]
    if isinstance(value, dict):
        return {name: _legible(item) for name, item in value.items()}
    return value


def _line(at: int | None, oldest: int, newest: int) -> tuple[int, int]:
    """First and last second of the hour in which a moment is looked for.

    The last hour, or further back the whole hour by the clock that holds the moment. A moment that
    was in the last hour stays on that line for as long as it may be shown.
    """
    begin = max(oldest, newest - REWIND_SEC)
    if at is None or at >= begin - GRACE_SEC:
        return begin, newest
    return at - at % REWIND_SEC, at - at % REWIND_SEC + REWIND_SEC - 1


def _pulse(
    reader: Reader,
    now: float,
    rank: str,
    lists: str,
    most: int,
    fed: tuple[Asset, ...],
    has_ended: bool,
    held: tuple[HeldBack, ...],
    strict: bool,
    among: tuple[str, ...] | None,
    unheard: tuple[str, ...],
    still_sec: int,
) -> PulseCard:
    """The pulse card; a replay that ``has_ended`` closes its markets at the same instant.

    No second has come for ``still_sec``: prices are that much older than they were then.
    """
    _, frame = reader.pulse(now)
    return pulse_card(
        reader,
        now + still_sec,
        aged(frame, still_sec),
        rank=rank,
        lists=lists,
        most=most,
        fed=fed,
        held=held,
        strict=strict,
        among=among,
        unheard=unheard,
    )


# Market hours.


def _hours(
    reader: Reader, now: float, kind: SourceKind, has_ended: bool, is_past: bool
) -> list[HoursLine]:
    """The hours of each class; none at the end of a replay, whatever those of the markets were."""
    hours = (
        MarketHours(asset, "closed", None, None, None, HoursFrom.SOURCE)
        if has_ended
        else reader.hours(asset, now)
        for asset in ASSETS
    )
    return [hours_line(one, kind, is_past=is_past) for one in hours]
