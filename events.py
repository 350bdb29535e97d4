"""What stress is (Event), who finds it (StressDetector), and who keeps it (EventStore).

The detector is called by the worker's thread with one snapshot of the store at a time and knows no
time but the snapshot's own, so a replay at any speed gives the same events. The event store is
written by the worker and read by anybody.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from ticks import (
    COOLDOWN_SEC,
    HORIZONS_SEC,
    MAX_EVENTS,
    MIN_SURPRISE,
    STALE_SEC,
    WINDOW_SEC,
    EventKind,
    Regime,
    Severity,
)
from wording import percent_text, price_text, size_text

__all__ = ["REWIND_SEC", "THRESHOLDS", "Event", "EventStore", "StressDetector", "Track"]

THRESHOLDS: Final[Mapping[str, Mapping[EventKind, float]]] = MappingProxyType(
    {
        "stocks": MappingProxyType({"move_1m": 0.0012, "move_5m": 0.0040, "vol_spike": 0.0030}),
        "forex": MappingProxyType({"move_1m": 0.0006, "move_5m": 0.0018, "vol_spike": 0.0008}),
        "crypto": MappingProxyType({"move_1m": 0.0025, "move_5m": 0.0080, "vol_spike": 0.0060}),
    }
)
"""Per asset class and kind, as fractions; moves count in either direction."""

VOL_SPIKE_RATIO: Final = 1.8
"""A volatility spike is also this many times the symbol's own hourly median."""

REARM_RATIO: Final = 0.8
"""An event is over when its value has fallen below this share of the threshold."""

WARM_UP_SEC: Final = 600.0
"""A move of unknown surprise counts only if ticks reach this far back: then the symbol is a sparse
one, and has not just begun, or begun again after a long gap."""

REWIND_SEC: Final = WINDOW_SEC + 60.0
"""How far back the states of an event are kept: as far as the prices, and a minute."""

ALERT_RATIO: Final = 2.0
EXTREME_RATIO: Final = 4.0

_BEGAN = attrgetter("ts")
# Events that began in the same instant have one order, whichever came first.
_PLACE = attrgetter("ts", "id")
_UPDATED = attrgetter("updated_ts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something unusual that one symbol did, in the numbers the detector compared.

    While it lasts the same event (same ``id``) is issued again with a higher ``count``, ``peak`` or
    ``severity``. ``ts`` stays the instant it was first seen and ``updated_ts`` is the latest one;
    everything else belongs to the instant of the peak. Returns and volatilities are fractions
    (0.01 is 1 %), times are seconds since the epoch.
    """

    id: str
    kind: EventKind
    symbol: str
    asset: str
    ts: float
    updated_ts: float
    horizon_sec: int
    peak: float
    """The move, signed, or the volatility, when it was furthest beyond its threshold so far."""
    threshold: float
    """What ``abs(peak)`` had to reach, after every rule that applied."""
    severity: Severity
    count: int
    """How many cooldowns it has lasted or come back in."""
    from_price: float | None
    from_ts: float | None
    to_price: float
    to_ts: float
    surprise: float | None
    """The move in units of the symbol's own volatility over the same horizon."""
    vs_peers: float | None
    regime: Regime
    history: bool = False
    """Found in backfilled ticks: listed with its own time, never notified."""

    @property
    def text(self) -> str:
        """What happened, in one sentence made of this event's own numbers."""
        if self.kind == "vol_spike":
            return (
                f"{self.symbol} volatility {size_text(self.peak)} per 15 min, "
                f"unusual from {size_text(self.threshold)} on"
            )
        minutes = self.horizon_sec // 60
        verb = "rose" if self.peak > 0 else "fell"
        parts = [f"{self.symbol} {verb} {size_text(abs(self.peak))} in {minutes} min"]
        if self.surprise is not None:
            parts.append(f"{abs(self.surprise):.1f}σ")
        if self.from_price is not None:
            before, after = (price_text(p, self.asset) for p in (self.from_price, self.to_price))
            parts.append(f"{before} → {after}")
        # Peers are compared over one minute, whatever the event's own horizon.
        if self.kind == "move_1m" and self.vs_peers is not None:
            peers = self.peak - self.vs_peers
            is_alone = peers * self.peak < self.peak**2 / 2
            parts.append(
                f"{'alone: peers' if is_alone else 'with its peers:'} {percent_text(peers)}"
            )
        return ", ".join(parts)


@dataclass(slots=True)
class Track:
    """What the detector remembers of one kind of event on one symbol: its newest one."""

    event: Event
    active: bool
    """Whether it still goes on."""
    seen_ts: float
    """When its value was last known."""
    counted_ts: float
    """When the event began, or when another cooldown of it was last counted."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One value held against one threshold at one instant."""

    kind: EventKind
    horizon_sec: int
    value: float
    threshold: float
    surprise: float | None
    from_price: float | None
    from_ts: float | None

    @property
    def ratio(self) -> float:
        return abs(self.value) / self.threshold


class StressDetector:
    """Decides what is stress: fixed thresholds, unusual for the symbol, once per cooldown.

    A value that comes back over its threshold within the cooldown of its last sighting is the same
    event again; one that comes in the other direction waits until the event's own cooldown is over.
    ``thresholds`` are per asset class and kind; ``min_surprise`` is the least size of a move in
    the symbol's own standard deviations over the same horizon, if they are known (0 turns the
    rule off); a symbol whose newest tick is older than ``max_age_sec`` raises nothing. Kinds do
    not mask one another. Not thread-safe: one thread calls it.
    """

    def __init__(
        self,
        thresholds: Mapping[str, Mapping[EventKind, float]] = THRESHOLDS,
        *,
        min_surprise: float = MIN_SURPRISE,
        cooldown_sec: float = COOLDOWN_SEC,
        max_age_sec: float = STALE_SEC,
    ) -> None:
        self._thresholds = thresholds
        self._min_surprise = min_surprise
        self._cooldown_sec = cooldown_sec
        self._max_age_sec = max_age_sec
        self._tracks: dict[tuple[str, EventKind], Track] = {}
        self._changed: set[tuple[str, EventKind]] = set()

    @property
    def tracks(self) -> list[Track]:
        """All that is remembered."""
        return [replace(track) for track in self._tracks.values()]

    def collect_changed(self) -> list[Track]:
        """What changed since the last call of what is remembered, for ``restore`` one day."""
        changed = [replace(self._tracks[key]) for key in self._changed]
        self._changed.clear()
        return changed

    def restore(self, tracks: Iterable[Track]) -> None:
        """Remember what another detector remembered, so that nothing is found twice."""
        for track in tracks:
            self._tracks[track.event.symbol, track.event.kind] = replace(track)

    def check(self, snapshot: Mapping[str, Any], *, history: bool = False) -> list[Event]:
        """The events that began at this snapshot, and the earlier ones it changes (same ``id``).

        ``snapshot`` is a row of ``PulseStore.snapshots``; ``history`` marks what begins here as
        found in the past.
        """
        age = snapshot["age"]
        if age is None or age > self._max_age_sec:
            return []
        thresholds = self._thresholds[snapshot["asset"]]
        found = []
        for reading in (
            _move("move_1m", "1m", snapshot, thresholds),
            _move("move_5m", "5m", snapshot, thresholds),
            _vol_spike(snapshot, thresholds),
        ):
            event = reading and self._judge(snapshot, reading, history)
            if event:
                found.append(event)
        return found

    def _judge(self, snapshot: Mapping[str, Any], reading: _Reading, history: bool) -> Event | None:
        now = snapshot["now"]
        key = (snapshot["symbol"], reading.kind)
        track = self._tracks.get(key)
        if track is not None and track.active:
            self._changed.add(key)
            track.active = self._goes_on(track, reading, now)
            track.seen_ts = now
            if track.active:
                return self._continued(track, snapshot, reading) if reading.ratio >= 1 else None
        if reading.ratio < 1 or self._is_usual(reading):
            return None
        if track is not None:
            is_back = reading.value * track.event.peak > 0
            since = track.event.updated_ts if is_back else track.counted_ts
            # By its distance, not its sign: a clock that stepped back must not hold events back.
            if abs(now - since) < self._cooldown_sec:
                if not is_back:
                    return None
                track.active, track.seen_ts = True, now
                self._changed.add(key)
                return self._continued(track, snapshot, reading, again=True)
        event = _new_event(snapshot, reading, history)
        self._tracks[key] = Track(event, active=True, seen_ts=now, counted_ts=now)
        self._changed.add(key)
        return event

    def _is_usual(self, reading: _Reading) -> bool:
        return reading.surprise is not None and abs(reading.surprise) < self._min_surprise

    def _goes_on(self, track: Track, reading: _Reading, now: float) -> bool:
        """Whether the track's event goes on: same direction, above the re-arm level, no gap."""
        return (
            reading.ratio >= REARM_RATIO
            and reading.value * track.event.peak > 0
            and now - track.seen_ts <= reading.horizon_sec
        )

    def _continued(
        self, track: Track, snapshot: Mapping[str, Any], reading: _Reading, *, again: bool = False
    ) -> Event | None:
        """The track's event brought up to now; None if there is nothing new to tell."""
        now = snapshot["now"]
        before = track.event
        event = replace(before, updated_ts=max(now, before.updated_ts))
        is_due = now - track.counted_ts >= self._cooldown_sec
        if is_due:
            # Not at every return: that would hold back the other direction for as long as it likes.
            track.counted_ts = now
        if again or is_due:
            event = replace(event, count=event.count + 1)
        if reading.ratio > abs(event.peak) / event.threshold:
            peak = _new_event(snapshot, reading, event.history)
            event = replace(
                peak, id=event.id, ts=event.ts, updated_ts=event.updated_ts, count=event.count
            )
        track.event = event
        return event if (event.count, event.peak) != (before.count, before.peak) else None


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

    def _add(self, event: Event) -> None:
        held = self._held.get(event.id)
        if held is not None:
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


def _move(
    kind: EventKind,
    horizon: str,
    snapshot: Mapping[str, Any],
    thresholds: Mapping[EventKind, float],
) -> _Reading | None:
    value = snapshot[f"ret_{horizon}"]
    sigma = snapshot[f"sigma_{horizon}"]
    if value is None or (sigma is None and (snapshot["watched_sec"] or 0.0) < WARM_UP_SEC):
        return None
    return _Reading(
        kind,
        HORIZONS_SEC[horizon],
        value,
        thresholds[kind],
        value / sigma if sigma else None,
        snapshot[f"ref_{horizon}"],
        snapshot[f"ref_{horizon}_ts"],
    )


def _vol_spike(
    snapshot: Mapping[str, Any], thresholds: Mapping[EventKind, float]
) -> _Reading | None:
    value, median = snapshot["vol_15m"], snapshot["vol_median"]
    if value is None or median is None:
        return None
    threshold = max(thresholds["vol_spike"], VOL_SPIKE_RATIO * median)
    return _Reading("vol_spike", HORIZONS_SEC["15m"], value, threshold, None, None, None)


def _new_event(snapshot: Mapping[str, Any], reading: _Reading, history: bool) -> Event:
    now = snapshot["now"]
    return Event(
        id=f"{reading.kind}:{snapshot['symbol']}:{round(now * 1000)}",
        kind=reading.kind,
        symbol=snapshot["symbol"],
        asset=snapshot["asset"],
        ts=now,
        updated_ts=now,
        horizon_sec=reading.horizon_sec,
        peak=reading.value,
        threshold=reading.threshold,
        severity=_severity(reading.ratio),
        count=1,
        from_price=reading.from_price,
        from_ts=reading.from_ts,
        to_price=snapshot["last"],
        to_ts=snapshot["last_ts"],
        surprise=reading.surprise,
        vs_peers=snapshot["vs_peers"],
        regime=snapshot["regime"],
        history=history,
    )


def _severity(ratio: float) -> Severity:
    if ratio >= EXTREME_RATIO:
        return "extreme"
    return "alert" if ratio >= ALERT_RATIO else "watch"
