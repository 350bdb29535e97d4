"""Line: what becomes of the deliveries of one destination, without any socket and without a clock.

One attempt at a time, the head of the line first. The instant is an argument, by the computer's
clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from alerts.channel import Broken, Channel, Delivered, Outcome, RetryAt, Scope
from alerts.ended import Ended, Messages
from alerts.pace import Manners, Pace
from alerts.status import DestinationState, DestinationStatus
from alerts.waiting import NEWS, Waiting
from history.deliveries import Delivery, DeliveryState, Told
from settings.destinations import Destination

__all__ = ["MOST_WAITING", "Attempt", "Line"]

MOST_WAITING: Final = 20_000
"""So many deliveries, the newest, wait for a destination: 20 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is sent in one message."""

    deliveries: tuple[Delivery, ...]
    """Empty: only how many were dropped."""
    beside: tuple[Delivery, ...] = ()
    """What else stands in the message that is edited."""
    late: int = 0
    """How many were dropped because they were too old."""

    @property
    def is_edit(self) -> bool:
        """Whether it changes a message that was sent."""
        return any(delivery.reference for delivery in self.deliveries)

    @property
    def told(self) -> tuple[Delivery, ...]:
        """All that the message tells, what is new last."""
        return (*self.beside, *self.deliveries)


class Line:
    """The deliveries of one ``destination``, which ``channel`` speaks to.

    ``random`` returns a number from 0 to 1.
    """

    def __init__(
        self,
        destination: Destination,
        channel: Channel,
        manners: Manners,
        random: Callable[[], float],
    ) -> None:
        self._destination = destination
        self._channel = channel
        self._manners = manners
        is_chat = channel.is_chat
        self._pace = Pace(
            manners,
            random,
            spacing_sec=channel.spacing_sec,
            at_most=destination.at_most,
            backoff_cap_sec=manners.chat_backoff_cap_sec if is_chat else manners.backoff_cap_sec,
        )
        self._waiting = Waiting(channel.most_together, can_edit=channel.can_edit)
        self._ended = Ended()
        self._messages = Messages()
        self._changed: dict[str, Delivery] = {}
        self._attempt: Attempt | None = None
        self._repeated: tuple[str, ...] = ()
        """The keys of what was tried and goes again, together: its id is that of the group."""
        self._state = DestinationState.READY
        self._why = ""
        self._late = 0
        self._expiry = math.inf
        """Nothing that waits is too old before that."""
        self._last_success: float | None = None

    # What is to be told.

    def add(self, delivery: Delivery) -> None:
        """Have a delivery sent, unless it ended already."""
        if delivery.key in self._ended or self._state is DestinationState.OFF:
            return
        before = self._waiting.add(delivery)
        self._expiry = min(self._expiry, self._expires_at(delivery))
        if before is not None and before.key == delivery.key:
            self._changed[delivery.key] = delivery
        elif before is not None:
            self._end(before, DeliveryState.DROPPED, "what came after it is told instead")
        if len(self._waiting) > MOST_WAITING:
            least = self._waiting.least_missed(self._on_the_way())
            self._give_up_old(least, f"more than {MOST_WAITING:,} waited")

    def restore(self, deliveries: Iterable[Delivery]) -> None:
        """Go on from what is remembered, the oldest first; may be called again."""
        due = []
        for delivery in deliveries:
            if delivery.state is DeliveryState.DUE:
                if delivery.key not in self._waiting and delivery.key not in self._ended:
                    due.append(delivery)
            elif delivery.key not in self._ended:
                self._waiting.remove(delivery.key)
                self._ended.add(delivery)
                if delivery.state is DeliveryState.SENT and delivery.reference:
                    self._messages.add((delivery,), delivery.reference)
        self._waiting.put_first(due)
        self._expiry = min(map(self._expires_at, self._waiting), default=math.inf)

    def forget(self, before: float) -> tuple[Delivery, ...]:
        """Let go of what was made before an instant, and return it: another process tells it."""
        forgotten = tuple(each for each in self._waiting if each.made < before)
        for delivery in forgotten:
            self._waiting.remove(delivery.key)
        return forgotten

    def drop(self, is_unwanted: Callable[[Delivery], bool], why: str) -> None:
        """Drop what waits and is no longer to be told."""
        on_the_way = self._on_the_way()
        for delivery in self._waiting:
            if delivery.key not in on_the_way and is_unwanted(delivery):
                self._end(delivery, DeliveryState.DROPPED, why)

    def collect_changed(self) -> tuple[Delivery, ...]:
        """The deliveries that are not any more what they were at the last call."""
        changed = tuple(self._changed.values())
        self._changed.clear()
        return changed

    # What is done about it.

    def next(self, now: float) -> Attempt | float:
        """What to send now; if there is nothing, when to ask again, unless something changes."""
        if self._attempt is not None:
            return math.inf
        self._expire(now)
        is_ready = self._state is DestinationState.READY
        attempt = self._composed(now) if is_ready else None
        expiry = self._expiry if self._waiting else math.inf
        if not is_ready:
            return expiry
        is_edit = attempt is not None and attempt.is_edit
        may_go = self._pace.next_at(now, is_edit=is_edit)
        if attempt is None:
            return min(max(may_go, self._waiting.next_due()), expiry)
        if may_go > now:
            return min(may_go, expiry)
        self._pace.begin(now, is_edit=is_edit)
        self._attempt = attempt
        return attempt

    def finish(self, outcome: Outcome, now: float) -> None:
        """Know what became of the attempt."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            raise RuntimeError("nothing is on the way; ask next() first")
        self._repeated = ()
        if isinstance(outcome, Delivered):
            self._sent(attempt, outcome.reference, now)
            self._pace.keep_away(outcome.rest_sec, now)
        elif isinstance(outcome, RetryAt):
            self._pace.fail(outcome, now)
            self._repeat(attempt, outcome.words)
        elif outcome.scope is Scope.DESTINATION:
            self._state = DestinationState.REFUSED
            self._repeat(attempt, outcome.words)
        else:
            self._give_up(attempt, outcome)

    def cut_off(self) -> None:
        """Know that nobody will say what became of the attempt: it goes again."""
        self._attempt = None

    def try_now(self) -> None:
        """Try the destination, whatever became of the last attempt."""
        self._state = DestinationState.READY
        self._pace.rest_no_more()

    def send_again(self, key: str, now: float) -> bool:
        """Let a dead delivery wait again, last; whether there is one."""
        delivery = self._ended.take_dead(key)
        if delivery is None:
            return False
        again = replace(delivery, state=DeliveryState.DUE, due=now, tries=0, error="", reference="")
        self._keep(again)
        return True

    def switch_off(self, words: str) -> None:
        """Know that the destination said before a restart that it is gone for good."""
        self._state, self._why = DestinationState.OFF, words

    # What is true of it.

    @property
    def is_off(self) -> bool:
        """Whether the destination said that it is gone for good."""
        return self._state is DestinationState.OFF

    @property
    def dead(self) -> tuple[Delivery, ...]:
        """The newest dead deliveries, the oldest first."""
        return self._ended.dead

    def status(self, now: float) -> DestinationStatus:
        """What is true now."""
        until = self._pace.rests_until
        rests = self._state is DestinationState.READY and until > now
        return DestinationStatus(
            name=self._destination.name,
            type=self._destination.type,
            takes_simulated=self._destination.is_simulated,
            state=DestinationState.RESTING if rests else self._state,
            until=until if rests else None,
            why=self._why,
            waiting=len(self._waiting),
            sent=self._ended.sent,
            dead=self._ended.dead_count,
            dropped=self._ended.dropped,
            last_success=self._last_success,
        )

    # Choosing.

    def _composed(self, now: float) -> Attempt | None:
        """What goes next, in one message; what was tried goes as it was."""
        while group := self._waiting.some(self._repeated) or self._waiting.ripe(now):
            head = group[0]
            if head.told in NEWS or head.event is None or not self._channel.can_edit:
                return Attempt(deliveries=group, late=self._late)
            reference = self._messages.reference(head.event.id)
            if reference is not None:
                beside = self._messages.others(head.event.id)
                return Attempt(deliveries=(replace(head, reference=reference),), beside=beside)
            if head.told.value in self._destination.on:
                return Attempt(deliveries=group, late=self._late)
            self._end(head, DeliveryState.DROPPED, "there is no message of it to edit")
        return Attempt(deliveries=(), late=self._late) if self._late and not self._waiting else None

    def _expires_at(self, delivery: Delivery) -> float:
        is_news = self._channel.is_chat and delivery.told in (*NEWS, Told.TEST)
        manners = self._manners
        return delivery.due + (manners.chat_expiry_sec if is_news else manners.expiry_sec)

    def _expire(self, now: float) -> None:
        """Drop what people no longer want to know, and give up what nobody took for a day."""
        if now < self._expiry:
            return
        for delivery in self._waiting:
            if self._expires_at(delivery) <= now:
                self._give_up_old(delivery, delivery.error)
        self._expiry = min(map(self._expires_at, self._waiting), default=math.inf)

    def _give_up_old(self, delivery: Delivery, why: str) -> None:
        """Tell nobody any more; people are told how much that was."""
        if self._channel.is_chat:
            self._late += delivery.told in NEWS
            self._end(delivery, DeliveryState.DROPPED, why)
        else:
            self._end(delivery, DeliveryState.DEAD, why)

    # Ending.

    def _sent(self, attempt: Attempt, reference: str, now: float) -> None:
        self._pace.succeed()
        self._why, self._last_success = "", now
        self._late -= attempt.late
        sent = [replace(one, reference=one.reference or reference) for one in attempt.deliveries]
        for delivery in sent:
            self._end(delivery, DeliveryState.SENT, "")
        if sent and sent[-1].reference:
            self._messages.add(sent, sent[-1].reference)

    def _repeat(self, attempt: Attempt, words: str) -> None:
        """Let what was tried wait, and go together again."""
        self._why = words
        self._repeated = tuple(delivery.key for delivery in attempt.deliveries)
        for delivery in self._waiting.some(self._repeated):
            self._keep(replace(delivery, tries=delivery.tries + 1, error=words))

    def _give_up(self, attempt: Attempt, outcome: Broken) -> None:
        """Let the message die, and all the others if the destination is gone."""
        self._pace.succeed()
        self._why = outcome.words
        self._late -= attempt.late
        for delivery in attempt.deliveries:
            # An edit that is refused leaves the message as it was: nobody misses one.
            state = DeliveryState.DROPPED if delivery.reference else DeliveryState.DEAD
            self._end(delivery, state, outcome.words)
        if outcome.scope is Scope.GONE:
            self._state = DestinationState.OFF
            for delivery in self._waiting:
                self._end(delivery, DeliveryState.DEAD, outcome.words)

    def _on_the_way(self) -> set[str]:
        """The keys of what is being sent."""
        sent = () if self._attempt is None else self._attempt.deliveries
        return {delivery.key for delivery in sent}

    def _keep(self, delivery: Delivery) -> None:
        self._waiting.change(delivery)
        self._expiry = min(self._expiry, self._expires_at(delivery))
        self._changed[delivery.key] = delivery

    def _end(self, delivery: Delivery, state: DeliveryState, error: str) -> None:
        self._waiting.remove(delivery.key)
        tries = delivery.tries + (state is DeliveryState.SENT)
        ended = replace(delivery, state=state, error=error, tries=tries)
        self._changed[ended.key] = ended
        self._ended.add(ended)
