"""Outbox: what waits for every destination, as the archive remembers it.

The truth is in memory, and goes on there if the archive cannot be written. Thread-safe.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from alerts.channel import Channel, Outcome
from alerts.line import Attempt, Line
from alerts.pace import Manners
from alerts.routing import Route, is_muted
from alerts.status import AlertsStatus
from events import Event
from history.archive import ArchiveError
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf, Told
from settings.destinations import Destination

__all__ = ["Ledger", "Outbox", "Remembered"]

ASKED_SEC: Final = 10.0
"""How often somebody may ask a destination to be tried."""

_OVERLAP_SEC: Final = 15.0
"""Of what came while another process sent, these last seconds are told when that ends: it may not
have got to them."""

_MOST_SHOWN: Final = 50
"""So many dead deliveries are shown."""

_OFF_WORDS: Final = "410 Gone"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is remembered of the alerts."""

    deliveries: Sequence[Delivery] = ()
    """In the order in which they were made, those that have ended first."""
    mutes: Sequence[Mute] = ()
    off: Mapping[str, str] = field(default_factory=dict)
    """The destinations that said that they are gone, and a mark of the address that it was."""


class Ledger(Protocol):
    """What remembers the alerts, and says whether this process is the one that sends them."""

    @property
    def may_send(self) -> bool:
        """Whether this process sends."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process does."""

    @property
    def is_writing(self) -> bool:
        """Whether what is handed over is kept."""

    def read(self, destinations: Iterable[str]) -> Remembered:
        """All that is remembered; raises ``ArchiveError``."""

    def keep(
        self,
        deliveries: Sequence[Delivery] = (),
        mutes: Sequence[Mute] = (),
        off: Mapping[str, str] | None = None,
    ) -> None:
        """Remember what became of deliveries, mutes, and what is off; never waits."""


class Outbox:
    """What is to be told to ``destinations``, each with the channel that speaks to it.

    ``ledger`` remembers it; None: nothing does. ``clock`` is the computer's; ``jitter`` returns a
    number from 0 to 1.
    """

    def __init__(
        self,
        destinations: Sequence[tuple[Destination, Channel]],
        ledger: Ledger | None = None,
        *,
        is_simulated: bool = False,
        clock: Callable[[], float] = time.time,
        manners: Manners | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        manners = manners or Manners()
        self._ledger = ledger
        self._is_simulated = is_simulated
        self._clock = clock
        self._marks = {each.name: _mark(each) for each, _ in destinations}
        self._routes = {
            each.name: Route(each, can_edit=channel.can_edit, is_simulated=is_simulated)
            for each, channel in destinations
        }
        self.wake: Callable[[], None] = lambda: None
        """Called from any thread when there may be something to send."""
        # Guards everything below.
        self._lock = threading.Lock()
        self._lines = {
            each.name: Line(each, channel, manners, jitter) for each, channel in destinations
        }
        self._mutes: dict[tuple[MuteOf, str], Mute] = {}
        self._asked_mutes: dict[tuple[MuteOf, str], Mute] = {}
        """Those of them that were asked for in this process, lifted ones too."""
        self._asked_at: dict[str, float] = {}
        self._is_sending = ledger is None
        self._is_read = ledger is None
        self._reported = ""

    # For the worker.

    def take(self, events: Sequence[Event]) -> tuple[Delivery, ...]:
        """What is to be told of states of events that came now: it waits from now on."""
        now = self._clock()
        with self._lock:
            mutes = self._current_mutes(now)
            found = []
            for name, line in self._lines.items():
                if line.is_off:
                    continue
                route = self._routes[name]
                made = route.deliveries(events, mutes, now)
                if self._is_read:
                    made = [each for each in made if not route.is_left(each)]
                for delivery in made:
                    line.add(delivery)
                found.extend(made)
            self._hand_over()
        if found:
            self.wake()
        return tuple(found)

    def status(self) -> AlertsStatus:
        """What is true of all destinations now."""
        now = self._clock()
        is_remembered = self._ledger is not None and self._ledger.is_writing
        with self._lock:
            lines = self._lines.values()
            dead = sorted((each for line in lines for each in line.dead), key=lambda d: -d.made)
            return AlertsStatus(
                destinations=tuple(line.status(now) for line in lines),
                is_sending=self._is_sending,
                is_remembered=is_remembered,
                is_simulated=self._is_simulated,
                mutes=self._current_mutes(now),
                dead=tuple(dead[:_MOST_SHOWN]),
            )

    def learn(self, mutes: Iterable[Mute]) -> None:
        """Know what was muted or lifted in the process that sends, until this one does."""
        with self._lock:
            self._mutes |= {(mute.of, mute.name): mute for mute in mutes}

    # For the page.

    def mute(self, mute: Mute) -> None:
        """Tell nothing of something until an instant; one that has passed lifts the mute."""
        now = self._clock()
        with self._lock:
            self._mutes[mute.of, mute.name] = self._asked_mutes[mute.of, mute.name] = mute
            for name, line in self._lines.items():

                def is_unwanted(delivery: Delivery, name: str = name) -> bool:
                    event = delivery.event
                    return event is not None and is_muted(event, name, (mute,), now)

                line.drop(is_unwanted, "muted")
            self._hand_over((mute,))

    def test(self, destination: str) -> bool:
        """Send a marked message; False if there is no such destination, or it was just asked.

        And if this process does not send: the one that does can be asked.
        """
        now = self._clock()
        with self._lock:
            if not self._may_be_asked(destination, now):
                return False
            test = Delivery(
                destination=destination,
                key=f"{Told.TEST}:{round(now * 1000)}",
                told=Told.TEST,
                event=None,
                made=now,
                due=now,
            )
            self._try_now(destination)
            self._lines[destination].add(test)
            self._hand_over(deliveries=(test,))
        self.wake()
        return True

    def send_again(self, destination: str, key: str) -> bool:
        """Let a dead delivery wait again; whether there is one, and this process sends."""
        with self._lock:
            line = self._lines.get(destination)
            is_found = self._is_sending and line is not None and line.send_again(key, self._clock())
            self._hand_over()
        self.wake()
        return is_found

    def try_now(self, destination: str) -> bool:
        """Try a destination that rests, refuses us or is off; False as of ``test``."""
        with self._lock:
            if not self._may_be_asked(destination, self._clock()):
                return False
            self._try_now(destination)
        self.wake()
        return True

    # For the courier.

    def look(self) -> None:
        """Look whether this process is the one that sends, and what is remembered if it is."""
        ledger = self._ledger
        if ledger is None:
            return
        may_send = ledger.may_send
        if may_send and not self._is_read:
            self.read()
        with self._lock:
            is_new = may_send and not self._is_sending
            self._is_sending = may_send
            if ledger.is_elsewhere:
                self._is_read = False
                self._leave(self._clock() - _OVERLAP_SEC)
        if is_new:
            self.wake()

    def read(self) -> None:
        """Go on from what is remembered, if that can be read; may be called again."""
        if self._ledger is None:
            return
        # What another process holds goes on, and is read again when that ends.
        is_ours = self._ledger.may_send
        try:
            remembered = self._ledger.read(self._lines)
        except ArchiveError as error:
            if str(error) != self._reported:
                self._reported = str(error)
                _logger.warning("the alerts go on without what was: %s", error)
            return
        with self._lock:
            self._restore(remembered)
            self._is_read = is_ours
            self._hand_over()
        self.wake()

    def next(self, destination: str) -> Attempt | float:
        """What to send to a destination now, or in how many seconds to ask again at the latest."""
        now = self._clock()
        with self._lock:
            if not self._is_sending:
                return float("inf")
            found = self._lines[destination].next(now)
            self._hand_over()
        return found if isinstance(found, Attempt) else max(0.0, found - now)

    def finish(self, destination: str, outcome: Outcome) -> None:
        """Know what became of the attempt."""
        with self._lock:
            line = self._lines[destination]
            line.finish(outcome, self._clock())
            self._hand_over(off={destination: self._marks[destination]} if line.is_off else None)

    def cut_off(self, destination: str) -> None:
        """Know that nobody will say what became of the attempt: it goes again."""
        with self._lock:
            self._lines[destination].cut_off()

    # With the lock held.

    def _restore(self, remembered: Remembered) -> None:
        # What another process muted or lifted since counts, and what was asked of this one more.
        self._mutes = {(mute.of, mute.name): mute for mute in remembered.mutes} | self._asked_mutes
        for name, line in self._lines.items():
            own = [each for each in remembered.deliveries if each.destination == name]
            line.restore(own)
            for delivery in own:
                if delivery.state is not DeliveryState.DROPPED:
                    self._routes[name].remember(delivery)
            line.drop(self._routes[name].is_left, "another dashboard told of it")
            if remembered.off.get(name) == self._marks[name] and name not in self._asked_at:
                line.switch_off(_OFF_WORDS)

    def _leave(self, before: float) -> None:
        """Leave to the process that sends what was made before an instant."""
        for name, line in self._lines.items():
            for delivery in line.forget(before):
                if delivery.event is not None:
                    self._routes[name].leave(delivery.event.id)

    def _current_mutes(self, now: float) -> tuple[Mute, ...]:
        self._mutes = {key: mute for key, mute in self._mutes.items() if mute.until > now}
        return tuple(self._mutes.values())

    def _may_be_asked(self, destination: str, now: float) -> bool:
        """Whether there is such a destination, this process sends, and nobody asked just now."""
        if destination not in self._lines or not self._is_sending:
            return False
        asked_at = self._asked_at.get(destination)
        if asked_at is not None and 0 <= now - asked_at < ASKED_SEC:
            return False
        self._asked_at[destination] = now
        return True

    def _try_now(self, destination: str) -> None:
        line = self._lines[destination]
        if line.is_off and self._ledger is not None:
            self._ledger.keep(off={destination: ""})
        line.try_now()

    def _hand_over(
        self,
        mutes: Sequence[Mute] = (),
        deliveries: Sequence[Delivery] = (),
        off: Mapping[str, str] | None = None,
    ) -> None:
        """Hand what changed to whoever remembers it."""
        changed = [each for line in self._lines.values() for each in line.collect_changed()]
        if self._ledger is not None and (changed or mutes or deliveries or off):
            self._ledger.keep([*deliveries, *changed], mutes, off)


def _mark(destination: Destination) -> str:
    """What tells one address of a destination from another, and nothing about either."""
    return hashlib.sha256(destination.url.encode()).hexdigest()[:8]
