"""Channels: what every client of the stream is told, made once for all of them.

They belong to the thread of the loop that serves. What time it is, by a steady clock, is an
argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from api.columns import columns
from api.encoded import Encoded
from api.events import event_record
from api.protocol import Form, Id, Numbers, Sendable, Wanted, write
from api.status import status_answer
from api.tape import Entry, Tape
from bars import Bars
from engine.heartbeat import Pulse, SecondOver
from engine.status import Status
from events import Event
from pulse_store import RECENT_SEC, PulseStore

__all__ = [
    "AFTER_ALL",
    "OVERLAP_SEC",
    "BarChannel",
    "BarsOver",
    "EventChannel",
    "EventsOver",
    "FrameChannel",
    "FrameKey",
    "Over",
    "Seq",
    "StatusChannel",
    "bars_message",
    "event_message",
    "seq_of",
    "states_of",
]

Seq = tuple[int, str]
"""The seq of a state of an event: its second, and the event's id."""

AFTER_ALL: Final = chr(0x10FFFF)
"""Behind every id of the same second."""

OVERLAP_SEC: Final = RECENT_SEC - 5
"""How far back the first second of the bars reaches, and corrections do: a tick may come a minute
late."""

KEPT_SEC: Final = 240.0
"""What came within this time is kept whatever its size: twice as long as a client may wait."""
_MOST_BARS: Final = 250_000
_MOST_STATES: Final = 10_000


class Over(Protocol):
    """What a tape holds of a second."""

    @property
    def seq(self) -> int:
        """The second."""
        ...

    @property
    def begin(self) -> int:
        """The first second that it continues."""
        ...


_Over = TypeVar("_Over", bound=Over)


class FrameKey(NamedTuple):
    """How a frame is wanted."""

    form: Form
    id: Id
    fields: tuple[str, ...] | None
    symbols: tuple[str, ...] | None
    numbers: Numbers | None


class FrameChannel:
    """The newest frame, in as many forms as are wanted."""

    def __init__(self, newest: Pulse) -> None:
        self._newest = newest
        # Before the first second is shown the newest is not over.
        self._second = int(newest.now) - 1
        self._encoded = Encoded()

    @property
    def newest(self) -> Pulse:
        """The newest second."""
        return self._newest

    @property
    def second(self) -> int:
        """The second that was over last."""
        return self._second

    def show(self, newest: Pulse) -> None:
        """Have this second, which is over, be the newest."""
        if newest is not self._newest or self._second != int(newest.now):
            self._newest = newest
            self._second = int(newest.now)
            self._encoded = Encoded()

    def message(self, key: FrameKey) -> Sendable:
        """The newest frame as it is wanted."""
        return self._encoded.once(key, partial(self._make, key))

    def _make(self, key: FrameKey) -> Sendable:
        found: dict[str, object] = {
            "type": "frame",
            "id": key.id,
            "seq": self._second,
            "now": self._newest.now,
        }
        found |= columns(self._newest, key.symbols, key.fields, key.numbers)
        return write(key.form, found)


@dataclass(frozen=True, slots=True)
class BarsOver:
    """The bars that formed or changed with a second."""

    seq: int
    begin: int
    """The first second that this continues, or goes back to."""
    bars: Bars
    is_reset: bool = False
    """Whether it does not continue what was before: all from ``begin`` on is told anew."""


class BarChannel:
    """The bars of every second, and what changed of earlier ones."""

    def __init__(self) -> None:
        self.tape: Tape[BarsOver] = Tape(KEPT_SEC, _MOST_BARS, lambda over: len(over.bars) + 1)
        self._encoded = Encoded()
        self._newest: int | None = None
        self._is_new = False
        # By row and second: how many ticks the bars had that were told. Every tick is one more.
        self._told: npt.NDArray[np.int64] = np.zeros((0, RECENT_SEC), np.int64)

    def show(self, store: PulseStore, second: int, now: float) -> None:
        """Tell the bars up to a second, and those before that changed; ``now`` is steady."""
        if second == self._newest and not self._is_new:
            return
        before, self._newest = self._newest, second
        first = second - OVERLAP_SEC + 1
        is_reset = before is not None and (self._is_new or not first - 1 <= before < second)
        self._is_new = False
        begin = first if before is None or is_reset else before + 1
        if before is None or is_reset:
            self._told[:] = 0
        else:
            # The places of seconds that are new held others of long ago.
            self._told[:, np.arange(begin, second + 1) % RECENT_SEC] = 0
        bars = store.recent_bars(first, second + 1)
        if len(bars.symbols) > len(self._told):
            more = np.zeros((len(bars.symbols) - len(self._told), RECENT_SEC), np.int64)
            self._told = np.concatenate([self._told, more])
        cells = bars.cells
        at = (cells["row"], cells["second"] % RECENT_SEC)
        news = Bars(bars.symbols, bars.assets, cells[self._told[at] != cells["n"]])
        self._told[at] = cells["n"]
        if before is None or is_reset:
            self.tape.add(BarsOver(second, begin, news, is_reset), now)
            return
        # One by one, if more have passed meanwhile; what changed of earlier ones with the first.
        for each in range(begin, second + 1):
            earliest = first if each == begin else each
            self.tape.add(BarsOver(each, each, news.between(earliest, each + 1)), now)

    def begin_anew(self) -> None:
        """Tell all anew with the next second: it is another store's."""
        self._is_new = True

    def serial_after(self, seq: int) -> int | None:
        """The entry from which on there is all that follows a second; None if there is none."""
        return _serial_after(self.tape, seq)

    def messages(self, entry: Entry[BarsOver], wanted: Wanted) -> list[Sendable]:
        """What is told of an entry: a reset if it is one, and its bars."""
        over = entry.content
        make = partial(bars_message, wanted, over.seq, over.bars)
        told = self._encoded.once((entry.serial, wanted), make)
        return [wanted.reset(over.begin), told] if over.is_reset else [told]


def _serial_after(tape: Tape[_Over], second: int) -> int | None:
    """The first entry that has more than a second; None if something of it is no longer there."""
    for entry in reversed(tape):
        if entry.content.seq <= second:
            return entry.serial + 1
    first = tape.first
    return first.serial if first is not None and first.content.begin <= second + 1 else None


def bars_message(wanted: Wanted, seq: int, bars: Bars) -> Sendable:
    """Bars as rows of symbol, second, last price, number of ticks, and sum of their prices."""
    if wanted.symbols is not None:
        bars = bars.of(wanted.symbols)
    cells = bars.cells
    rows = zip(
        [bars.symbols[row] for row in cells["row"].tolist()],
        *(cells[name].tolist() for name in ("second", "price", "n", "sum")),
        strict=True,
    )
    return write(wanted.form, {"type": "bars", "id": wanted.id, "seq": seq, "rows": list(rows)})


@dataclass(frozen=True, slots=True)
class EventsOver:
    """The states of events that came with a second."""

    seq: int
    """The second."""
    states: tuple[Event, ...]
    """In order of their seq."""
    is_reset: bool = False
    """Whether the clock was set back to this second."""

    @property
    def begin(self) -> int:
        """The first second that this continues."""
        return self.seq


class EventChannel:
    """Every state of every event."""

    def __init__(self) -> None:
        self.tape: Tape[EventsOver] = Tape(KEPT_SEC, _MOST_STATES, lambda over: len(over.states))
        self._encoded = Encoded()
        self._live: int | None = None

    def begin(self, second: int, now: float) -> None:
        """Begin with a second, before which nothing is told here; ``now`` is steady."""
        if self.tape.first is None:
            self.tape.add(EventsOver(second, ()), now)

    def show(self, over: SecondOver, now: float) -> None:
        """Tell the events of a second; ``now`` is steady."""
        self.begin(over.second, now)
        is_reset = False
        if not over.is_history:
            is_reset = self._live is not None and over.second <= self._live
            self._live = over.second
        if over.events or is_reset:
            states = tuple(sorted(over.events, key=seq_of))
            self.tape.add(EventsOver(over.second, states, is_reset), now)

    def serial_after(self, seq: Seq) -> int | None:
        """The entry from which on there is all that follows a seq; None if there is none.

        Something of it may be of the second of the seq, and come before it.
        """
        second, after = seq
        return _serial_after(self.tape, second if after == AFTER_ALL else second - 1)

    def message(self, event: Event, wanted: Wanted) -> Sendable:
        """A state of an event."""
        make = partial(event_message, wanted, event)
        return self._encoded.once((seq_of(event), wanted.form, wanted.id), make)


def event_message(wanted: Wanted, event: Event) -> Sendable:
    """A state of an event."""
    found = {"type": "event", "id": wanted.id, "seq": seq_of(event), "event": event_record(event)}
    return write(wanted.form, found)


def seq_of(event: Event) -> Seq:
    """The seq of a state of an event."""
    return int(event.updated_ts), event.id


def states_of(states: Sequence[Event], after: Seq, symbols: Sequence[str] | None) -> list[Event]:
    """Those states that come after a seq, of some symbols or all."""
    wanted = None if symbols is None else set(symbols)
    return [
        event
        for event in states
        if seq_of(event) > after
        and (wanted is None or not wanted.isdisjoint({event.symbol, *event.twins}))
    ]


class StatusChannel:
    """The status, and whether something of it changed that is no mere number."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._words = _words(status)
        self._encoded = Encoded()
        self.version = 0
        """One more each time that something changed."""

    def show(self, status: Status) -> None:
        """Have this status be the newest."""
        if status is self._status:
            return
        self._status = status
        self._encoded = Encoded()
        words = _words(status)
        if words != self._words:
            self._words = words
            self.version += 1

    def message(self, form: Form, key: Id) -> Sendable:
        """The newest status."""
        return self._encoded.once((form, key), partial(self._make, form, key))

    def _make(self, form: Form, key: Id) -> Sendable:
        answer = msgspec.structs.asdict(status_answer(self._status))
        return write(form, {"type": "status", "id": key, **answer})


def _words(value: Any) -> object:
    """What of a record is no mere number: those change every second, and tell no news."""
    if isinstance(value, bool | str | Enum):
        return value
    if isinstance(value, Mapping):
        return {key: _words(each) for key, each in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return tuple(_words(each) for each in value)
    if is_dataclass(value):
        return tuple(_words(getattr(value, field.name)) for field in fields(value))
    return value is None
