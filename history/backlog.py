"""Backlog: what waits to be written into an archive, and the count of what was written or lost."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

import numpy as np

from bars import KEPT_MINUTES, Bars, Begin, Minutes
from events import Event, Remembered
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf

__all__ = ["Backlog", "Batch"]

_MOST_EVENTS: Final = 10_000
"""The most states of events that wait."""

_MOST_DELIVERIES: Final = 10_000
"""The most deliveries that wait, new ones and others apart."""

_OVERLAP_SEC: Final = 15
"""Of what came while another process wrote, these last seconds are written when that ends: it may
not have got to them."""

_COUNTED: Final = 300
"""For this many seconds the number of bars written is remembered: each is written several times."""


@dataclass(slots=True)
class Batch:
    """What is written in one go."""

    bars: dict[int, Bars] = field(default_factory=dict)
    """By second, each as it was last."""
    minutes: deque[Minutes] = field(default_factory=deque)
    """As they were collected."""
    begins: deque[Begin] = field(default_factory=deque)
    events: deque[Event] = field(default_factory=deque)
    new_deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    """What is to be told, by destination and key: what is known already stays as it is."""
    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    """What became of deliveries, likewise; written after those that are new."""
    mutes: dict[tuple[MuteOf, str], Mute] = field(default_factory=dict)
    tracks: dict[str, Remembered] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    bar_count: int = 0
    """How many bars there are in all seconds together."""

    def __bool__(self) -> bool:
        return bool(
            self.bars
            or self.minutes
            or self.begins
            or self.events
            or self.new_deliveries
            or self.deliveries
            or self.mutes
            or self.tracks
            or self.meta
        )

    @property
    def has_deliveries(self) -> bool:
        """Whether there are any, new ones or others."""
        return bool(self.new_deliveries or self.deliveries)

    def add(self, later: Batch) -> None:
        """Add what came after this."""
        for second, bars in later.bars.items():
            self.add_bars(second, bars)
        self.minutes.extend(later.minutes)
        self.begins.extend(later.begins)
        self.events.extend(later.events)
        self.add_new_deliveries(later.new_deliveries.values())
        self.deliveries.update(later.deliveries)
        self.mutes.update(later.mutes)
        self.tracks.update(later.tracks)
        self.meta.update(later.meta)

    def add_bars(self, second: int, bars: Bars) -> None:
        """Add all bars of a second, as they are now."""
        before = self.bars.get(second)
        self.bar_count += len(bars) - (0 if before is None else len(before))
        self.bars[second] = bars

    def add_new_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Add what is to be told, unless it is known already."""
        for delivery in deliveries:
            self.new_deliveries.setdefault(_key(delivery), delivery)

    def drop_bars(self, second: int) -> int:
        """Drop the bars of a second; returns how many."""
        dropped = len(self.bars.pop(second))
        self.bar_count -= dropped
        return dropped

    def bar_blocks(self) -> Iterator[Bars]:
        """The bars in as few blocks as there are sets of symbols in a row."""
        for _, group in groupby(self.bars.values(), key=lambda bars: bars.symbols):
            alike = list(group)
            cells = np.concatenate([bars.cells for bars in alike])
            yield replace(alike[0], cells=cells[cells["second"].argsort(kind="stable")])


class Backlog:
    """What waits to be written, what is being written, and how much was written or lost.

    At most ``most_bars`` bars wait; beyond that the oldest are lost. No lock of its own: whoever
    shares it between threads guards it.
    """

    def __init__(self, most_bars: int) -> None:
        self.written_bars = 0
        """Each bar counts once, however often it was written."""
        self.written_events = 0
        self.lost_bars = 0
        self.lost_events = 0
        self.lost_deliveries = 0
        self.lost_span: tuple[int, int] | None = None
        """The first and the last second that lost bars."""
        self._most_bars = most_bars
        self._waiting = Batch()
        self._in_hand = Batch()
        self._meta: dict[str, str] = {}
        self._told: dict[tuple[str, str], Delivery] = {}
        """The last deliveries that were handed over, each as it was last."""
        self._mutes: dict[tuple[MuteOf, str], Mute] = {}
        self._serving: dict[str, Begin] = {}
        """By symbol, since when the vendor serves whose prices it has."""
        self._counted: OrderedDict[int, int] = OrderedDict()  # bars of the last seconds written

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is being written."""
        return not self._waiting and not self._in_hand

    @property
    def has_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting)

    @property
    def bar_count(self) -> int:
        """How many bars are not written yet."""
        return self._waiting.bar_count + self._in_hand.bar_count

    def add(
        self,
        bars: Bars,
        minutes: Minutes,
        events: Sequence[Event],
        tracks: Iterable[Remembered],
        meta: Mapping[str, str],
        begins: Iterable[Begin] = (),
        *,
        new_deliveries: Sequence[Delivery] = (),
        deliveries: Sequence[Delivery] = (),
        mutes: Iterable[Mute] = (),
    ) -> None:
        """Add what is to be written; a delivery replaces what is known of it unless it is new."""
        for begin in begins:
            self._waiting.begins.append(begin)
            if begin.vendor:
                self._serving[begin.symbol] = begin
        for second, part in _by_second(bars):
            self._waiting.add_bars(second, part)
        if len(minutes):
            self._waiting.minutes.append(minutes)
        self._waiting.events.extend(events)
        self._waiting.add_new_deliveries(new_deliveries)
        self._waiting.deliveries.update({_key(each): each for each in deliveries})
        for delivery in new_deliveries:
            self._told.setdefault(_key(delivery), delivery)
        self._told.update({_key(each): each for each in deliveries})
        muted = {(mute.of, mute.name): mute for mute in mutes}
        self._waiting.mutes.update(muted)
        self._mutes.update(muted)
        self._waiting.tracks.update({track.key: track for track in tracks})
        self._waiting.meta.update(meta)
        self._meta.update(meta)

    def add_lasting(self) -> None:
        """Add what a file that has just been begun has to know, though it is not new.

        Every value ever added under a name, whose the prices are that come, what still has to be
        told, and what is muted.
        """
        self._waiting.meta = dict(self._meta)
        self._waiting.begins.extendleft(self._serving.values())
        due = (each for each in self._told.values() if each.state is DeliveryState.DUE)
        self._waiting.add_new_deliveries(due)
        self._waiting.mutes = dict(self._mutes)

    def make_room(self) -> None:
        """Drop the oldest if too much waits, and count it as lost."""
        while self.bar_count > self._most_bars and self._waiting.bars:
            second = next(iter(self._waiting.bars))
            self.lost_bars += self._waiting.drop_bars(second)
            first, last = self.lost_span or (second, second)
            self.lost_span = min(first, second), max(last, second)
        while len(self._waiting.minutes) > KEPT_MINUTES:
            self._waiting.minutes.popleft()  # a day younger than that is known all the same
        while len(self._waiting.events) > _MOST_EVENTS:
            self._waiting.events.popleft()
            self.lost_events += 1
        for deliveries in (self._waiting.new_deliveries, self._waiting.deliveries):
            while len(deliveries) > _MOST_DELIVERIES:
                del deliveries[next(iter(deliveries))]
                self.lost_deliveries += 1
        while len(self._told) > _MOST_DELIVERIES:
            del self._told[next(iter(self._told))]

    def drop_old(self) -> None:
        """Drop what another process has surely written by now."""
        waiting = self._waiting
        since = max(waiting.bars, default=0) - _OVERLAP_SEC
        for second in [second for second in waiting.bars if second < since]:
            waiting.drop_bars(second)
        while waiting.minutes and waiting.minutes[0].cells["minute"][-1] * 60 < since - 120:
            waiting.minutes.popleft()
        while waiting.begins and waiting.begins[0].second < since:
            waiting.begins.popleft()
        while waiting.events and waiting.events[0].updated_ts < since:
            waiting.events.popleft()
        for key, delivery in [*waiting.new_deliveries.items()]:
            if delivery.event is None or delivery.event.updated_ts < since:
                del waiting.new_deliveries[key]
        waiting.deliveries.clear()  # what became of them the other process knows
        self._told = dict(waiting.new_deliveries)

    def begin_batch(self) -> Batch:
        """Hand out all that waits; ``finish_batch`` or ``return_batch`` follows."""
        self._in_hand, self._waiting = self._waiting, Batch()
        return self._in_hand

    def finish_batch(self) -> None:
        """Count what was handed out as written."""
        for second, bars in self._in_hand.bars.items():
            before = self._counted.get(second, 0)
            self.written_bars += max(0, len(bars) - before)
            self._counted[second] = max(before, len(bars))
            self._counted.move_to_end(second)
        while len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)
        self.written_events += len(self._in_hand.events)
        self._in_hand = Batch()

    def return_batch(self) -> None:
        """Let what was handed out wait again, before what came meanwhile."""
        self._in_hand.add(self._waiting)
        self._waiting, self._in_hand = self._in_hand, Batch()
        self.make_room()


def _key(delivery: Delivery) -> tuple[str, str]:
    """What names a delivery."""
    return delivery.destination, delivery.key


def _by_second(bars: Bars) -> Iterator[tuple[int, Bars]]:
    seconds, starts = np.unique(bars.cells["second"], return_index=True)
    if len(seconds) == 1:
        yield int(seconds[0]), bars
        return
    for second, cells in zip(seconds.tolist(), np.split(bars.cells, starts[1:]), strict=False):
        yield second, replace(bars, cells=cells.copy())  # not a view, which would keep all of them
