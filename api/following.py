"""Following: what one client has subscribed to, and how far it has got with it.

They belong to the thread of the loop that serves. What time it is, by a steady clock, is an
argument.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from api.channels import (
    AFTER_ALL,
    BarChannel,
    EventChannel,
    FrameChannel,
    FrameKey,
    Over,
    Seq,
    StatusChannel,
    states_of,
)
from api.errands import Errands
from api.facts import Engine
from api.protocol import Close, Closing, Form, Sendable, Subscribe, Wanted
from api.since import BarsPiece, EventsPiece, bars_piece, events_piece
from api.tape import Entry, Tape

__all__ = [
    "STATUS_SEC",
    "BarFollower",
    "EventFollower",
    "Follower",
    "FrameFollower",
    "StatusFollower",
]

STATUS_SEC: Final = 10.0
"""A status is told this often, whether it changed or not."""

_Over = TypeVar("_Over", bound=Over)


class Follower(Protocol):
    """What is sent of one subscription."""

    def take(self, now: float) -> list[Sendable]:
        """What is to be sent next; nothing if there is nothing yet.

        Raises:
            Closing: if the client is too slow for what must not be thinned.
        """
        ...

    def ack(self, n: int = 1) -> bool:
        """Take credits back; whether any were out."""
        ...


class Slot:
    """Whether the newest is to be sent: it takes the place of what waits, so nothing piles up.

    ``most`` is how many may be on the way until they are acknowledged; None: any number.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._out = 0
        self.is_due = True

    def take(self) -> bool:
        """Whether to send the newest now."""
        if not self.is_due or self._out == self._most:
            return False
        self.is_due = False
        if self._most is not None:
            self._out += 1
        return True

    def ack(self, n: int) -> bool:
        """Take credits back; whether any were out."""
        was_out, self._out = self._out, max(0, self._out - n)
        return was_out > 0


class FrameFollower:
    """Frames, one in ``every`` seconds, the newest alone."""

    def __init__(self, channel: FrameChannel, form: Form, said: Subscribe) -> None:
        self._channel = channel
        self._key = FrameKey(form, said.key, said.fields, said.symbols, said.numbers)
        self._every = said.every
        self._slot = Slot(said.acks)
        self._sent: int | None = None

    def take(self, now: float) -> list[Sendable]:
        """The newest frame, if it is due."""
        second = self._channel.second
        if self._sent is not None and not 0 <= second - self._sent < self._every:
            self._slot.is_due = True
        if not self._slot.take():
            return []
        self._sent = second
        return [self._channel.message(self._key)]

    def ack(self, n: int = 1) -> bool:
        """Take credits back; whether any were out."""
        return self._slot.ack(n)


class StatusFollower:
    """The status if it changed, and every ten seconds."""

    def __init__(self, channel: StatusChannel, form: Form, said: Subscribe) -> None:
        self._channel = channel
        self._form, self._id = form, said.key
        self._slot = Slot(said.acks)
        self._sent: tuple[int, float] | None = None

    def take(self, now: float) -> list[Sendable]:
        """The newest status, if it is due."""
        version = self._channel.version
        if self._sent is not None:
            told, at = self._sent
            self._slot.is_due |= told != version or now - at >= STATUS_SEC
        if not self._slot.take():
            return []
        self._sent = version, now
        return [self._channel.message(self._form, self._id)]

    def ack(self, n: int = 1) -> bool:
        """Take credits back; whether any were out."""
        return self._slot.ack(n)


class _Reader(Generic[_Over]):
    """Reads a tape, of which nothing may be left out, from its end on unless it is told another.

    What waits for longer than ``wait_sec`` ends the conversation.
    """

    def __init__(self, tape: Tape[_Over], wait_sec: float) -> None:
        self._tape = tape
        self._wait_sec = wait_sec
        self._got_to: int | None = None
        self.next = tape.end

    def take(self, now: float) -> Entry[_Over] | None:
        """The next entry; None if it is yet to come."""
        try:
            entry = self._tape.at(self.next)
        except LookupError:
            raise self._too_slow() from None
        if entry is None:
            return None
        if entry.came < now - self._wait_sec:
            raise self._too_slow()
        self.next = entry.serial + 1
        self._got_to = entry.content.seq
        return entry

    def join(self, serial: int | None) -> bool:
        """Go on with an entry; whether there is one."""
        if serial is not None:
            self.next = serial
        return serial is not None

    def rewind(self) -> int:
        """Go back to the oldest entry; the second that it begins with."""
        first = self._tape.first
        if first is None:
            return 0
        self.next = first.serial
        return first.content.begin

    def _too_slow(self) -> Closing:
        got_to = "" if self._got_to is None else f", got to seq {self._got_to}"
        return Closing(Close.TOO_SLOW, f"more than {self._wait_sec:g} s behind{got_to}")


class BarFollower:
    """The bars of every second after one, or from now on."""

    def __init__(
        self,
        channel: BarChannel,
        engine: Engine,
        wanted: Wanted,
        since: int | None,
        errands: Errands,
        wait_sec: float,
    ) -> None:
        self._channel = channel
        self._engine, self._wanted = engine, wanted
        self._errands = errands
        self._tape = _Reader(channel.tape, wait_sec)
        self._reading: asyncio.Future[BarsPiece] | None = None
        if since is not None and not self._tape.join(channel.serial_after(since)):
            self._read(since, is_first=True)

    def take(self, now: float) -> list[Sendable]:
        """The next of what was missed, or else of what comes."""
        if self._reading is not None:
            return self._pieced(self._reading) or ([] if self._reading else self.take(now))
        entry = self._tape.take(now)
        return [] if entry is None else self._channel.messages(entry, self._wanted)

    def ack(self, n: int = 1) -> bool:
        """Nothing of it waits for credits."""
        return False

    def _pieced(self, reading: asyncio.Future[BarsPiece]) -> list[Sendable]:
        """What was read, once it was; what follows is read, or on the tape."""
        if not reading.done():
            return []
        self._reading, piece = None, reading.result()
        found = [*piece.messages]
        if not piece.is_last:
            self._read(piece.got_to, is_first=False)
        elif not piece.is_whole or not self._tape.join(self._channel.serial_after(piece.got_to)):
            found.append(self._wanted.reset(self._tape.rewind()))
        return found

    def _read(self, since: int, *, is_first: bool) -> None:
        read = partial(bars_piece, self._engine, self._wanted, since, is_first=is_first)
        self._reading = self._errands.run(read)


class EventFollower:
    """Every state of every event after a seq."""

    def __init__(
        self,
        channel: EventChannel,
        engine: Engine,
        wanted: Wanted,
        since: Seq,
        errands: Errands,
        wait_sec: float,
    ) -> None:
        self._channel = channel
        self._engine, self._wanted = engine, wanted
        self._errands = errands
        self._since = since
        self._tape = _Reader(channel.tape, wait_sec)
        self._reading: asyncio.Future[EventsPiece] | None = None
        if not self._tape.join(channel.serial_after(since)):
            self._read()

    def take(self, now: float) -> list[Sendable]:
        """The next of what was missed, or else of what comes."""
        if self._reading is not None:
            return self._pieced(self._reading) or ([] if self._reading else self.take(now))
        wanted = self._wanted
        while (entry := self._tape.take(now)) is not None:
            over = entry.content
            found = [self._reset(over.begin)] if over.is_reset else []
            states = states_of(over.states, self._since, wanted.symbols)
            found += [self._channel.message(event, wanted) for event in states]
            if found:
                return found
        return []

    def ack(self, n: int = 1) -> bool:
        """Nothing of it waits for credits."""
        return False

    def _pieced(self, reading: asyncio.Future[EventsPiece]) -> list[Sendable]:
        """What was read, once it was; what follows is read, or on the tape."""
        if not reading.done():
            return []
        self._reading, piece = None, reading.result()
        found = [*piece.messages]
        self._since = piece.got_to
        if not piece.is_last:
            self._read()
        elif not piece.is_whole or not self._tape.join(self._channel.serial_after(piece.got_to)):
            found.append(self._reset(self._tape.rewind()))
        return found

    def _reset(self, begin: int) -> Sendable:
        self._since = begin - 1, AFTER_ALL
        return self._wanted.reset(begin)

    def _read(self) -> None:
        first = self._channel.tape.first
        until = 0 if first is None else first.content.begin
        read = partial(events_piece, self._engine, self._wanted, self._since, until)
        self._reading = self._errands.run(read)
