"""What stress is (Event), who finds it (StressDetector), and who keeps it (EventStore).

The detector is called by the worker's thread with the snapshots of one second at a time and knows
no time but their own, so a replay at any speed gives the same events. The event store is written by
the worker and read by anybody.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from bursts import Burst
from rules import (
    Part,
    Rule,
    Thresholds,
    When,
    leading_part,
    ratio_of,
    readings,
    severity_of,
)
from sentences import brief_text, burst_text, hit_text, more_text, title_text
from ticks import (
    COOLDOWN_SEC,
    HORIZONS_SEC,
    MAX_EVENTS,
    MIN_SURPRISE,
    SEVERITIES,
    STALE_SEC,
    WINDOW_SEC,
    Asset,
    EventKind,
    Regime,
    Severity,
)
from watches import Measured, Watch, Watches

__all__ = [
    "OF_FEED",
    "REWIND_SEC",
    "Burst",
    "Company",
    "Event",
    "EventStore",
    "Measured",
    "Part",
    "Remembered",
    "Rule",
    "StressDetector",
    "Track",
    "Watch",
    "When",
    "company_of",
]

OF_FEED: Final = ""
"""The symbol of an event that is of a whole feed."""

REWIND_SEC: Final = WINDOW_SEC + 60.0
"""How far back the states of an event are kept: as far as the prices, and a minute."""

ALONE_BEYOND: Final = 2.0
"""A move may be alone if its surprise is beyond this."""

STILL_WITHIN: Final = 1.0
"""The others are still while the median of their surprises is within this; a twin that is not moves
along."""

_BEGAN = attrgetter("ts")
# Events that began in the same instant have one order, whichever came first.
_PLACE = attrgetter("ts", "id")
_UPDATED = attrgetter("updated_ts")


class Company(StrEnum):
    """Whether a symbol moved alone, beside the others of its class in the same minute."""

    UNKNOWN = ""
    """Neither can be claimed."""
    ALONE = "alone"
    WITH_PEERS = "with its peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One burst of stress of one symbol, or one hit of a user's rule, in the numbers compared.

    The hit of a rule has one part, and the symbol "" if it is of a feed: that of its class.
    While it lasts the same event (same ``id``) is issued again with a further part, or with a
    higher ``count``, value or ``severity``. ``ts`` stays the instant it was first seen and
    ``updated_ts`` is that of the latest state; ``company``, ``early``, ``vs_peers`` and ``regime``
    belong to the instant of the peak, which is that of ``lead``. Times are seconds since the epoch.
    """

    id: str
    symbol: str
    asset: str
    ts: float
    updated_ts: float
    parts: tuple[Part, ...]
    """What was beyond its threshold, each kind when it was furthest beyond so far; at least one, in
    the order in which they joined."""
    severity: Severity
    """By the part that was furthest beyond its threshold."""
    count: int = 1
    """1, and one more for each time that something of it had fallen and came back."""
    company: Company = Company.UNKNOWN
    twins: tuple[str, ...] = ()
    """The symbols whose own bursts are told as this one, because they move alike; of a correlation
    the other of the pair."""
    early: bool = False
    """Whether the surprise is not that of the symbol's own last day yet."""
    vs_peers: float | None
    """The surprise of a minute minus the median surprise of the others of the class."""
    regime: Regime
    history: bool = False
    """Found in the past: listed with its own time, not notified; what a user's rule found so, and
    still holds in the present, is issued again without."""
    rule: str = ""
    """The name of the user's rule that it is a hit of; empty: one of the built-in rules."""
    over_ts: float | None = None
    """When the last of it was known to go on; set in its last state, once nothing can join it any
    more. None: it goes on, as far as is known."""

    @property
    def lead(self) -> Part:
        """The part that is told first: the move furthest beyond its threshold, if there is one."""
        return leading_part(self.parts)

    @property
    def kind(self) -> EventKind:
        """That of the lead."""
        return self.lead.kind

    @property
    def ratio(self) -> float:
        """How many times its threshold the part was that was furthest beyond."""
        return ratio_of(self.parts)

    @property
    def peak_ts(self) -> float:
        """When the lead was furthest beyond its threshold."""
        return self.ts if self.lead.to_ts is None else self.lead.to_ts

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that it tells of, its own first; none if it is of a feed."""
        return (self.symbol, *self.twins) if self.symbol else ()

    @property
    def title(self) -> str:
        """Who and by how much, as short as can be."""
        return title_text(self.symbols, self.asset, self.lead)

    @property
    def brief(self) -> str:
        """What follows the title in one short sentence."""
        return brief_text(self.lead, self.rule, self.company)

    @property
    def text(self) -> str:
        """What happened, in one sentence made of the lead's own numbers."""
        lead = self.lead
        if lead.when is not None:
            return hit_text(
                self.rule,
                self.symbol,
                self.asset,
                lead,
                self.twins,
                is_over=self.over_ts is not None,
            )
        return burst_text(self.symbol, self.asset, lead, self.company, is_early=self.early)

    @property
    def more(self) -> str:
        """What else belongs to it, its other parts and its twins, in one line; may be empty."""
        lead = self.lead
        return "" if lead.when is not None else more_text(lead, self.parts, self.twins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What the detector remembers of one symbol: its newest burst, and as what it was told."""

    symbol: str
    burst: Burst
    leader: str
    """The symbol whose event tells of this burst: its own, or a twin's."""
    event: Event | None
    """In its newest state; None if a twin's tells of it."""

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return self.symbol


Remembered = Track | Watch
"""What the detector remembers of a symbol, or of a user's rule and its target."""


class StressDetector:
    """Decides what is stress: beyond a threshold, unusual for the symbol, once per burst.

    A burst is one event: its parts (1 min, 5 min, volatility) join while another goes on or within
    ``cooldown_sec`` of it, and go on while their value is at least 0.8 of its threshold. A move
    back within it is an event of its own only if it is one against the price before the burst.
    The bursts of twins are told as one. When nothing can join an event any more it is over, which
    is its last state.

    ``thresholds`` are those chosen per asset class and kind: they beat what is usual for the symbol
    and for its class. ``min_surprise`` is the least surprise of a move, if that is known (0 turns
    the rule off); a symbol whose newest tick is older than ``max_age_sec`` raises nothing.
    ``rules`` are the user's: what they amount to is measured by whoever calls, but for those of the
    built-in kinds, which are thresholds. Not thread-safe: one thread calls it.
    """

    def __init__(
        self,
        thresholds: Mapping[Asset, Mapping[EventKind, float]] = MappingProxyType({}),
        *,
        min_surprise: float = MIN_SURPRISE,
        cooldown_sec: float = COOLDOWN_SEC,
        max_age_sec: float = STALE_SEC,
        rules: Sequence[Rule] = (),
    ) -> None:
        self._thresholds = Thresholds(thresholds, rules)
        self._watches = Watches(rules)
        self._min_surprise = min_surprise
        self._cooldown_sec = cooldown_sec
        self._max_age_sec = max_age_sec
        self._twins: Mapping[str, frozenset[str]] = {}
        self._tracks: dict[str, Track] = {}
        self._open: dict[str, None] = {}
        """The symbols with an event of their own that is not over."""
        self._changed: dict[str, None] = {}

    @property
    def tracks(self) -> list[Track]:
        """All that is remembered of symbols."""
        return list(self._tracks.values())

    @property
    def watches(self) -> list[Watch]:
        """All that is remembered of the user's rules."""
        return self._watches.all

    def collect_changed(self) -> list[Remembered]:
        """What changed since the last call of what is remembered, for ``restore`` one day."""
        changed = [self._tracks[symbol] for symbol in self._changed]
        self._changed.clear()
        return [*changed, *self._watches.collect_changed()]

    def restore(self, tracks: Iterable[Remembered]) -> None:
        """Remember what another detector remembered, so that nothing is found twice."""
        watches = []
        for track in tracks:
            if isinstance(track, Watch):
                watches.append(track)
            else:
                self._hold(track)
        self._watches.restore(watches)

    def set_twins(self, twins: Mapping[str, frozenset[str]]) -> None:
        """Have the bursts of symbols that move alike told as one from now on: each one's twins."""
        self._twins = twins

    def check(self, snapshot: Mapping[str, Any], *, history: bool = False) -> list[Event]:
        """What ``check_all`` finds in a second of one symbol."""
        return self.check_all((snapshot,), history=history)

    def check_all(
        self,
        snapshots: Sequence[Mapping[str, Any]],
        *,
        now: float | None = None,
        measured: Sequence[Measured] = (),
        history: bool = False,
    ) -> list[Event]:
        """The events that began in this second, and the earlier ones it changes (same ``id``).

        ``snapshots`` are the rows of ``PulseStore.snapshots`` whose market streams, at the instant
        ``now``, which may be left out if there are any; ``measured`` is what the user's rules
        amount to; ``history`` marks what begins here as found in the past.
        """
        if now is None:
            if not snapshots:
                return []
            now = snapshots[0]["now"]
        live = [
            snapshot
            for snapshot in snapshots
            if snapshot["age"] is not None and snapshot["age"] <= self._max_age_sec
        ]
        surprises = {snapshot["symbol"]: snapshot["surprise"] for snapshot in live}
        told = self._united(surprises, now)
        for snapshot in live:
            before = self._tracks.get(snapshot["symbol"])
            event = self._follow(snapshot, surprises, history)
            if event is None:
                continue
            if before is not None:
                told |= self._superseded(before, now)
            told[event.id] = event
        told |= self._accompanied(surprises, now)
        told |= self._ended(now)
        rows = {snapshot["symbol"]: snapshot for snapshot in snapshots} if measured else {}
        hits = self._watches.check(measured, rows, now, history=history)
        return [*told.values(), *map(_event_of_rule, hits)]

    def _united(self, surprises: Mapping[str, float | None], now: float) -> dict[str, Event]:
        """The events of twins that are told as one from now on, because they were found to be such.

        The severest of them goes on, the first of equals, and the others are over. ``surprises``
        are those of the symbols that are live: what fell silent is told by itself.
        """
        found: dict[str, Event] = {}
        for symbol in sorted(self._open.keys() & surprises.keys(), key=self._precedence):
            track = self._tracks[symbol]
            leading = self._leading_twin(symbol, track.burst, now)
            if leading is None or leading.event is None or track.event is None:
                continue
            is_first = self._precedence(symbol) < self._precedence(leading.symbol)
            if is_first or leading.symbol not in surprises:
                continue
            event, over = leading.event, _over(track.event, now, now)
            self._remember(replace(track, leader=leading.symbol, event=None))
            for name in over.symbols:
                led = self._tracks.get(name)
                if led is not None and led.leader == symbol:
                    self._remember(replace(led, leader=leading.symbol))
                if name not in event.symbols:
                    event = _with_twin(event, name, now)
            self._remember(replace(leading, event=event))
            found |= {over.id: over, event.id: event}
        return found

    def _precedence(self, symbol: str) -> tuple[int, float, str]:
        """Whose event tells of several: that of the least, of symbols with one of their own."""
        event = self._tracks[symbol].event
        if event is None:
            raise ValueError(f"{symbol} has no event of its own")
        return -SEVERITIES.index(event.severity), event.ts, symbol

    def _accompanied(self, surprises: Mapping[str, float | None], now: float) -> dict[str, Event]:
        """The events that are alone no more: a twin followed, within the minute of their peak."""
        found: dict[str, Event] = {}
        for symbol in sorted(self._open):
            track = self._tracks[symbol]
            event = track.event
            if (
                event is not None
                and event.company is Company.ALONE
                and event.lead.rises is not None
                and abs(now - event.peak_ts) <= HORIZONS_SEC["1m"]
                and self._moves_along(symbol, surprises, rises=event.lead.rises)
            ):
                state = replace(
                    event, company=Company.UNKNOWN, updated_ts=max(now, event.updated_ts)
                )
                self._remember(replace(track, event=state))
                found[state.id] = state
        return found

    def _superseded(self, before: Track, now: float) -> dict[str, Event]:
        """The event that a symbol had if another took its place, which is its end."""
        event, newer = before.event, self._tracks[before.symbol].event
        if event is None or event.over_ts is not None or (newer and newer.id == event.id):
            return {}
        return {event.id: _over(event, before.burst.seen_ts, now)}

    def _ended(self, now: float) -> dict[str, Event]:
        """The events that are over now, their own bursts and those of the twins they tell of."""
        found: dict[str, Event] = {}
        for symbol in sorted(self._open):
            track = self._tracks[symbol]
            event = track.event
            if event is None:
                continue
            told = [self._tracks[name] for name in (symbol, *event.twins) if name in self._tracks]
            bursts = [one.burst for one in told if one.leader == symbol]
            if not any(burst.is_open(now, self._cooldown_sec) for burst in bursts):
                over = _over(event, max(burst.seen_ts for burst in bursts), now)
                self._remember(replace(track, event=over))
                found[over.id] = over
        return found

    def _follow(
        self, snapshot: Mapping[str, Any], surprises: Mapping[str, float | None], history: bool
    ) -> Event | None:
        """Bring a symbol's burst up to its snapshot; the event that begins or changes by that."""
        symbol, now = snapshot["symbol"], snapshot["now"]
        found = readings(snapshot, self._thresholds.of(symbol, snapshot["asset"], now))
        track = self._tracks.get(symbol)
        burst = None if track is None else track.burst.carried_on(found, snapshot["move_to"], now)
        fresh = [part for part in found.values() if part and self._is_fresh(part, burst)]
        # A move comes first, and decides the direction; what moves the other way waits.
        fresh = [part for part in fresh if part.rises in (None, fresh[0].rises)]
        if fresh and not (burst and self._takes(burst, fresh[0], now)):
            return self._begin(snapshot, Burst.begun(fresh, now, burst), surprises, history)
        if track is None or burst is None:
            return None
        if fresh:
            burst = burst.joined(fresh, now)
        if self._outgrows(track, burst, surprises, now):
            return self._tell_own(snapshot, burst, surprises, history)
        if burst == track.burst:
            return None
        event = track.event
        if event and (burst.parts, burst.count) != (event.parts, event.count):
            event = _updated(event, burst, snapshot, self._company(burst.lead, snapshot, surprises))
        self._remember(replace(track, burst=burst, event=event))
        return None if event is track.event else event

    def _outgrows(
        self, track: Track, burst: Burst, surprises: Mapping[str, float | None], now: float
    ) -> bool:
        """Whether a burst is severer than the event that tells of it, which a twin stopped telling.

        As long as the twin's burst goes on it tells of both: its own prices follow.
        """
        if track.event is not None or not burst.is_open(now, self._cooldown_sec):
            return False
        leading = self._tracks.get(track.leader)
        if leading is None or leading.event is None:
            return False
        goes_on = leading.symbol in surprises and leading.burst.is_open(now, self._cooldown_sec)
        is_larger = burst.ratio > leading.event.ratio
        return not goes_on and is_larger and severity_of(burst.ratio) != leading.event.severity

    def _is_fresh(self, part: Part, burst: Burst | None) -> bool:
        """Whether a part is beyond its threshold, unusual, and not of the burst already."""
        if part.ratio < 1 or (
            part.surprise is not None and abs(part.surprise) < self._min_surprise
        ):
            return False
        if burst is None:
            return True
        is_undoing = burst.swing is not None and burst.swing.is_undone_by(part)
        return part.kind not in burst.active and not is_undoing

    def _takes(self, burst: Burst, part: Part, now: float) -> bool:
        """Whether a fresh part belongs to a burst."""
        return burst.agrees(part.rises) and burst.is_open(now, self._cooldown_sec)

    def _begin(
        self,
        snapshot: Mapping[str, Any],
        burst: Burst,
        surprises: Mapping[str, float | None],
        history: bool,
    ) -> Event | None:
        """Remember a burst that begins; the event that tells of it, its own or a twin's."""
        symbol, now = snapshot["symbol"], snapshot["now"]
        leading = self._leading_twin(symbol, burst, now)
        if leading is None or leading.event is None:
            return self._tell_own(snapshot, burst, surprises, history)
        self._remember(Track(symbol=symbol, burst=burst, leader=leading.symbol, event=None))
        if symbol in leading.event.twins:
            return None
        event = _with_twin(leading.event, symbol, now)
        self._remember(replace(leading, event=event))
        return event

    def _tell_own(
        self,
        snapshot: Mapping[str, Any],
        burst: Burst,
        surprises: Mapping[str, float | None],
        history: bool,
    ) -> Event:
        """Remember a burst with an event of the symbol's own."""
        symbol, company = snapshot["symbol"], self._company(burst.lead, snapshot, surprises)
        event = _new_event(snapshot, burst, company, history)
        self._remember(Track(symbol=symbol, burst=burst, leader=symbol, event=event))
        return event

    def _leading_twin(self, symbol: str, burst: Burst, now: float) -> Track | None:
        """The twin whose event tells of this burst: its own is open, in the same direction."""
        for twin in sorted(self._twins.get(symbol, ())):
            track = self._tracks.get(twin)
            leading = track and self._tracks.get(track.leader)
            if (
                leading
                and leading.event
                and leading.symbol != symbol
                and self._takes(leading.burst, burst.lead, now)
            ):
                return leading
        return None

    def _company(
        self, lead: Part, snapshot: Mapping[str, Any], surprises: Mapping[str, float | None]
    ) -> Company:
        """Whether a symbol moves alone, with its peers, or neither can be claimed."""
        # Peers are compared over one minute, whatever the other parts' horizons.
        if lead.kind != "move_1m" or lead.rises is None:
            return Company.UNKNOWN
        return company_of(
            snapshot["surprise"],
            snapshot["vs_peers"],
            rises=lead.rises,
            has_company=self._moves_along(snapshot["symbol"], surprises, rises=lead.rises),
        )

    def _moves_along(
        self, symbol: str, surprises: Mapping[str, float | None], *, rises: bool
    ) -> bool:
        """Whether a twin moves the same way, or may: its surprise is not known yet."""
        sign = 1.0 if rises else -1.0
        twins = (surprises[twin] for twin in self._twins.get(symbol, ()) if twin in surprises)
        return any(twin is None or sign * twin > STILL_WITHIN for twin in twins)

    def _remember(self, track: Track) -> None:
        self._hold(track)
        self._changed[track.symbol] = None

    def _hold(self, track: Track) -> None:
        self._tracks[track.symbol] = track
        if track.event is not None and track.event.over_ts is None:
            self._open[track.symbol] = None
        else:
            self._open.pop(track.symbol, None)


class _Held:
    """One event: its newest state and those it had not long ago."""

    def __init__(self, event: Event) -> None:
        self.ts = event.ts
        self.id = event.id
        self.states = [event]

    def at(self, now: float) -> Event | None:
        """Its newest state at ``now``; None if it had none, or if that is no longer kept."""
        return next((state for state in reversed(self.states) if state.updated_ts <= now), None)

    def forget(self, before: float) -> None:
        """Let go of the states that were superseded before an instant."""
        states = self.states
        if len(states) > 1 and states[1].updated_ts <= before:
            del states[: bisect_right(states, before, key=_UPDATED) - 1]


class EventStore:
    """The newest ``max_events`` events, in their latest states and those before; thread-safe.

    A state that was superseded more than ``rewind_sec`` before the newest is dropped, so that an
    event may last for days.
    """

    def __init__(self, max_events: int = MAX_EVENTS, *, rewind_sec: float = REWIND_SEC) -> None:
        if max_events < 1:
            raise ValueError(f"max_events is {max_events}, expected at least 1")
        self._max_events = max_events
        self._rewind_sec = rewind_sec
        # Guards everything below.
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._in_order: list[_Held] = []
        self._newest_ts = -math.inf
        self._version = 0

    def add(self, event: Event) -> None:
        """Add a new event, or the newer state of one already held; see ``add_many``."""
        self.add_many((event,))

    def add_many(self, events: Iterable[Event]) -> None:
        """Add states of events, in order; the newer state of one already held keeps its place.

        Events are in order of their beginning, whenever they are found. An event that is older than
        all that are held is not added while the store is full.
        """
        with self._lock:
            self._version += 1
            for event in events:
                self._add(event)
            for each in self._in_order:
                each.forget(self._newest_ts - self._rewind_sec)

    def forget_after(self, ts: float) -> None:
        """Let go of every state that an event came into after ``ts``: as it was then, it is.

        What was forgotten of an event's earlier states is not known again.
        """
        with self._lock:
            self._version += 1
            for held in self._in_order:
                held.states = [state for state in held.states if state.updated_ts <= ts]
            self._in_order = [held for held in self._in_order if held.states]
            self._held = {held.id: held for held in self._in_order}
            self._newest_ts = min(self._newest_ts, ts)

    def _add(self, event: Event) -> None:
        held = self._held.get(event.id)
        if held is not None:
            if held.states[-1] == event:
                return  # told twice
            held.states.append(event)
        else:
            if len(self._in_order) == self._max_events:
                if event.ts < self._in_order[0].ts:
                    return
                del self._held[self._in_order.pop(0).id]
            held = self._held[event.id] = _Held(event)
            insort(self._in_order, held, key=_PLACE)
        self._newest_ts = max(self._newest_ts, event.updated_ts)

    def latest(self, n: int, now: float | None = None, since: float | None = None) -> list[Event]:
        """The ``n`` newest events, the last to begin first.

        With ``now`` they are as they stood at that instant, no more than ``rewind_sec`` before the
        newest; with ``since`` only those that began after it.
        """
        with self._lock:
            first = 0 if since is None else bisect_right(self._in_order, since, key=_BEGAN)
            if now is None:
                events = [held.states[-1] for held in self._in_order[first:]]
            else:
                end = bisect_right(self._in_order, now, key=_BEGAN)
                at_now = (held.at(now) for held in self._in_order[first:end])
                events = [event for event in at_now if event is not None]
        return events[: -n - 1 : -1] if n > 0 else []

    def find(self, event_id: str, now: float) -> Event | None:
        """The event of an id as it stood at ``now``; None if there was none, or it is not held."""
        with self._lock:
            held = self._held.get(event_id)
            return None if held is None else held.at(now)

    def updates(self, begin: float, end: float) -> list[Event]:
        """Every state held that an event came into in a span, which excludes its end, in order."""
        with self._lock:
            states = [
                state
                for held in self._in_order
                for state in held.states
                if begin <= state.updated_ts < end
            ]
        return sorted(states, key=attrgetter("updated_ts", "id"))

    def count_since(self, ts: float) -> int:
        """How many events began after ``ts``, without those found in the past."""
        with self._lock:
            first = bisect_right(self._in_order, ts, key=_BEGAN)
            return sum(not held.states[-1].history for held in self._in_order[first:])

    @property
    def version(self) -> int:
        """A number that changes with every event that comes or changes: until then answers hold."""
        with self._lock:
            return self._version

    @property
    def states(self) -> int:
        """How many states of all its events are held."""
        with self._lock:
            return sum(len(held.states) for held in self._in_order)

    def __len__(self) -> int:
        with self._lock:
            return len(self._in_order)


def company_of(
    surprise: float | None, vs_peers: float | None, *, rises: bool, has_company: bool
) -> Company:
    """Whether a move of a minute is alone, by its surprise and by that beyond its peers'.

    ``rises`` is its direction, and ``has_company`` whether somebody is known to move along whatever
    the peers do.
    """
    if surprise is None or vs_peers is None:
        return Company.UNKNOWN
    sign = 1.0 if rises else -1.0
    if sign * surprise <= ALONE_BEYOND:
        return Company.UNKNOWN
    others = sign * (surprise - vs_peers)
    if others > STILL_WITHIN:
        return Company.WITH_PEERS
    return Company.UNKNOWN if others < -STILL_WITHIN or has_company else Company.ALONE


def _new_event(snapshot: Mapping[str, Any], burst: Burst, company: Company, history: bool) -> Event:
    symbol, now = snapshot["symbol"], snapshot["now"]
    return Event(
        id=f"burst:{symbol}:{round(now * 1000)}",
        symbol=symbol,
        asset=snapshot["asset"],
        ts=now,
        updated_ts=now,
        parts=burst.parts,
        severity=severity_of(burst.ratio),
        count=burst.count,
        company=company,
        early=bool(snapshot["early"]),
        vs_peers=snapshot["vs_peers"],
        regime=snapshot["regime"],
        history=history,
    )


def _updated(event: Event, burst: Burst, snapshot: Mapping[str, Any], company: Company) -> Event:
    """An event in the state of its burst now; if its lead is another, that is its new peak."""
    state = replace(
        event,
        updated_ts=max(snapshot["now"], event.updated_ts),
        parts=burst.parts,
        severity=severity_of(burst.ratio),
        count=burst.count,
    )
    if state.lead == event.lead:
        return state
    return replace(
        state,
        company=Company.UNKNOWN if event.twins and company is Company.ALONE else company,
        early=bool(snapshot["early"]),
        vs_peers=snapshot["vs_peers"],
        regime=snapshot["regime"],
    )


def _event_of_rule(watch: Watch) -> Event:
    """The hit of a user's rule."""
    hit = watch.hit
    if hit is None:
        raise ValueError(f"{watch.key} has no hit")
    return Event(
        id=f"{watch.key}:{round(hit.ts * 1000)}",
        symbol=OF_FEED if hit.part.when is When.SILENT else watch.target,
        asset=watch.asset,
        ts=hit.ts,
        updated_ts=hit.updated_ts,
        parts=(hit.part,),
        severity=hit.severity,
        count=hit.count,
        twins=watch.others,
        early=hit.early,
        vs_peers=hit.vs_peers,
        regime=hit.regime,
        history=hit.history,
        rule=watch.rule,
        over_ts=hit.over_ts,
    )


def _over(event: Event, over_ts: float, now: float) -> Event:
    """The last state of an event."""
    return replace(event, updated_ts=max(now, event.updated_ts), over_ts=max(over_ts, event.ts))


def _with_twin(event: Event, symbol: str, now: float) -> Event:
    """An event that tells of one more symbol, and so is not alone."""
    return replace(
        event,
        updated_ts=max(now, event.updated_ts),
        twins=(*event.twins, symbol),
        company=Company.UNKNOWN if event.company is Company.ALONE else event.company,
    )
