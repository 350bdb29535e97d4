"""What becomes of the deliveries of one destination: order, groups, pace, failures, expiry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alerts.channel import Broken, Delivered, Outcome, RetryAt, Scope
from alerts.line import Attempt, Line
from alerts.pace import Manners
from alerts.status import DestinationState
from history.deliveries import Delivery, DeliveryState, Told
from settings import Destination
from tests.receiver import Hook
from tests.told import event_of

NOW = 1_795_000_000.0
DESK = Destination(name="desk", type="webhook")
FAILED = RetryAt(None, "503 Service Unavailable")


def delivery(number: int, told: Told = Told.BEGAN, at: float = NOW, **known: Any) -> Delivery:
    """Something to be told of the event with that number."""
    event = event_of(NOW + number, id=f"e{number}")
    values: dict[str, Any] = {
        "destination": "desk",
        "key": f"{event.id}:{told}",
        "told": told,
        "event": None if told is Told.TEST else event,
        "made": at,
        "due": at,
    }
    return Delivery(**(values | known))


def line(
    *, jitter: Callable[[], float] = lambda: 1.0, desk: Destination = DESK, **known: Any
) -> Line:
    """A line to a channel of which something is ``known``."""
    return Line(desk, Hook(url="", **known), Manners(), jitter)


def numbers(attempt: Attempt | float) -> list[str]:
    """The events of an attempt."""
    assert isinstance(attempt, Attempt)
    return [each.event.id if each.event else "test" for each in attempt.deliveries]


def sent(way: Line, now: float, outcome: Outcome | None = None) -> list[str]:
    """The events of the next attempt, which ends with an outcome."""
    found = numbers(way.next(now))
    way.finish(outcome or Delivered(), now)
    return found


def ended(way: Line) -> dict[str, DeliveryState]:
    """What changed since the last look."""
    return {each.key: each.state for each in way.collect_changed()}


def test_one_goes_after_the_other_in_their_order() -> None:
    """And the next only when it is known what became of the one before."""
    way = line()
    for number in range(3):
        way.add(delivery(number))
    assert numbers(way.next(NOW)) == ["e0"]
    assert way.next(NOW) == math.inf
    way.finish(Delivered(), NOW)
    assert [sent(way, NOW), sent(way, NOW)] == [["e1"], ["e2"]]
    assert way.next(NOW) == math.inf
    assert set(ended(way).values()) == {DeliveryState.SENT}


def test_what_was_done_is_not_done_again() -> None:
    """Whoever finds it once more, after a restart say."""
    way = line()
    way.add(delivery(1))
    sent(way, NOW)
    way.add(delivery(1))
    assert way.next(NOW) == math.inf
    other = line()
    other.restore([replace(delivery(1), state=DeliveryState.SENT), delivery(2), delivery(3)])
    other.add(delivery(1))
    other.add(delivery(2))
    assert [sent(other, NOW), sent(other, NOW)] == [["e2"], ["e3"]]


def test_what_comes_together_goes_together_when_the_first_of_it_is_due() -> None:
    """As many as the channel takes."""
    way = line(most_together=3)
    for number in range(4):
        way.add(delivery(number, at=NOW + number / 2, due=NOW + number / 2 + 2))
    assert way.next(NOW + 1.9) == NOW + 2
    assert sent(way, NOW + 2) == ["e0", "e1", "e2"]
    assert way.next(NOW + 2) == NOW + 3.5


def test_what_does_not_wait_takes_along_what_came_before_it() -> None:
    """The order holds."""
    way = line(most_together=10)
    way.add(delivery(0, due=NOW + 2))
    way.add(delivery(1, at=NOW + 1, due=NOW + 1))
    way.add(delivery(2, at=NOW + 1, due=NOW + 3))
    assert sent(way, NOW + 1) == ["e0", "e1", "e2"]


def test_a_test_goes_alone() -> None:
    """Whatever waits around it."""
    way = line(most_together=10)
    for each in (delivery(0), delivery(9, Told.TEST), delivery(1)):
        way.add(each)
    assert [sent(way, NOW) for _ in range(3)] == [["e0"], ["test"], ["e1"]]


def test_what_is_tried_again_goes_as_it_was() -> None:
    """Else the group would have another name each time."""
    way = line(most_together=10)
    way.add(delivery(0))
    way.add(delivery(1))
    assert sent(way, NOW, FAILED) == ["e0", "e1"]
    way.add(delivery(2))
    assert way.next(NOW) == NOW + 1
    assert sent(way, NOW + 1) == ["e0", "e1"]
    assert sent(way, NOW + 1) == ["e2"]


def test_failures_are_waited_out_with_full_jitter_and_then_with_rests() -> None:
    """Doubled each time; five in a row open the breaker, and what works closes it."""
    drawn = iter([0.5, 1.0, 0.25, 0.125, 0.0, 0.0])
    way, now, waits = line(jitter=lambda: next(drawn)), NOW, []
    way.add(delivery(1))
    for _ in range(6):
        sent(way, now, FAILED)
        at = way.next(now)
        assert isinstance(at, float)
        waits.append(at - now)
        now = at
    assert waits == [0.5, 2.0, 1.0, 1.0, 30.0, 60.0]
    assert way.status(now - 1).state is DestinationState.RESTING
    assert way.status(now - 1).until == now
    assert way.status(now).why == "503 Service Unavailable"
    assert sent(way, now) == ["e1"]
    assert way.status(now).why == ""
    assert way.status(now).last_success == now


@pytest.mark.parametrize(("is_chat", "most"), [(True, 300.0), (False, 3600.0)])
def test_no_wait_grows_for_ever(is_chat: bool, most: float) -> None:
    """A chat is tried after five minutes at the latest, a webhook after an hour."""
    way, now = line(is_chat=is_chat), NOW
    way.add(delivery(1, Told.OVER))
    for _ in range(14):
        sent(way, now, FAILED)
        at = way.next(now)
        assert isinstance(at, float)
        wait, now = at - now, at
    assert wait == max(most, Manners().rest_cap_sec)


def test_a_destination_rests_as_long_as_it_asks_for() -> None:
    """That is no failure, and nothing behind it goes first."""
    way = line()
    way.add(delivery(1))
    way.add(delivery(2))
    for _ in range(9):
        sent(way, NOW, RetryAt(17.5, "429 Too Many Requests", counts_as_failure=False))
        assert way.next(NOW) == NOW + 17.5
        way.try_now()
    sent(way, NOW, FAILED)
    assert way.next(NOW) == NOW + 1  # the first failure


def test_what_is_refused_dies_alone() -> None:
    """It can be seen, and sent again by hand."""
    way = line()
    way.add(delivery(1))
    way.add(delivery(2))
    sent(way, NOW, Broken(Scope.MESSAGE, "400 Bad Request"))
    assert ended(way) == {"e1:began": DeliveryState.DEAD}
    assert [each.error for each in way.dead] == ["400 Bad Request"]
    assert way.send_again("e1:began", NOW)
    assert not way.send_again("e1:began", NOW)
    assert way.dead == ()
    assert [sent(way, NOW), sent(way, NOW)] == [["e2"], ["e1"]]
    assert (way.status(NOW).sent, way.status(NOW).dead) == (2, 0)


def test_a_destination_that_refuses_us_is_not_tried_until_somebody_asks() -> None:
    """What waits goes on waiting, in its order."""
    way = line()
    way.add(delivery(1))
    way.add(delivery(2))
    sent(way, NOW, Broken(Scope.DESTINATION, "403 Forbidden"))
    assert way.status(NOW).state is DestinationState.REFUSED
    assert not isinstance(way.next(NOW + 3600), Attempt)
    way.try_now()
    assert [sent(way, NOW + 3600), sent(way, NOW + 3600)] == [["e1"], ["e2"]]


def test_a_destination_that_is_gone_takes_all_that_waits_with_it() -> None:
    """Nothing more is kept for it; somebody may try it all the same."""
    way = line()
    way.add(delivery(1))
    way.add(delivery(2))
    sent(way, NOW, Broken(Scope.GONE, "410 Gone"))
    assert way.is_off
    assert set(ended(way).values()) == {DeliveryState.DEAD}
    way.add(delivery(3))
    assert way.status(NOW).waiting == 0
    way.try_now()
    way.add(delivery(4))
    assert sent(way, NOW) == ["e4"]


def test_people_are_not_told_what_is_old_but_how_much_it_was() -> None:
    """With the first message that is taken, or by itself if none waits."""
    way = line(is_chat=True)
    for number in range(3):
        way.add(delivery(number))
    sent(way, NOW, FAILED)
    way.add(delivery(3, at=NOW + 200))
    found = way.next(NOW + 300)
    assert numbers(found) == ["e3"]
    assert isinstance(found, Attempt)
    assert found.late == 3
    assert ended(way)["e0:began"] is DeliveryState.DROPPED
    way.finish(FAILED, NOW + 300)
    found = way.next(NOW + 600)
    assert found == Attempt(deliveries=(), late=4)
    way.finish(Delivered(), NOW + 600)
    assert way.next(NOW + 600) == math.inf
    assert way.status(NOW + 600).dropped == 4


def test_a_program_is_told_for_a_day_and_then_no_more() -> None:
    """It is dead then, and can be sent again."""
    way = line()
    way.add(delivery(1))
    sent(way, NOW, FAILED)
    assert isinstance(way.next(NOW + 86_399), Attempt)
    way.finish(FAILED, NOW + 86_399)
    assert way.next(NOW + 86_400) == math.inf
    assert [each.error for each in way.dead] == ["503 Service Unavailable"]
    assert way.send_again("e1:began", NOW + 90_000)
    assert isinstance(way.next(NOW + 90_000), Attempt)


def test_no_more_waits_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only changes a message goes first, then the oldest, but for what is on the way."""
    monkeypatch.setattr("alerts.line.MOST_WAITING", 3)
    way = line()
    for number in (1, 2):
        way.add(delivery(number))
    assert numbers(way.next(NOW)) == ["e1"]
    way.add(delivery(3, Told.UPDATED))
    for number in (4, 5):
        way.add(delivery(number))
    assert [each.key for each in way.dead] == ["e3:updated", "e2:began"]
    assert {each.error for each in way.dead} == {"more than 3 waited"}
    way.finish(Delivered(), NOW)
    assert sent(way, NOW) + sent(way, NOW) == ["e4", "e5"]


def test_people_are_told_how_much_there_was_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of what is old."""
    monkeypatch.setattr("alerts.line.MOST_WAITING", 2)
    way = line(is_chat=True)
    for number in range(5):
        way.add(delivery(number))
    found = way.next(NOW)
    assert numbers(found) == ["e3"]
    assert isinstance(found, Attempt)
    assert found.late == 3
    assert way.status(NOW).dropped == 3


def test_messages_keep_their_distance() -> None:
    """By the channel's pace, and by the most that the settings allow in some time."""
    spaced = line(spacing_sec=1.5)
    few = line(desk=replace(DESK, at_most=(2, 60.0)))
    for number in range(3):
        spaced.add(delivery(number))
        few.add(delivery(number))
    sent(spaced, NOW)
    assert spaced.next(NOW) == NOW + 1.5
    sent(few, NOW)
    sent(few, NOW + 10)
    assert few.next(NOW + 10) == NOW + 60
    assert sent(few, NOW + 60) == ["e2"]


def test_a_destination_that_is_well_may_ask_for_a_longer_distance() -> None:
    """It is not said to rest for that."""
    way = line(spacing_sec=1.0)
    for number in range(3):
        way.add(delivery(number))
    assert sent(way, NOW, Delivered(rest_sec=5.0)) == ["e0"]
    assert way.next(NOW + 1) == NOW + 5
    assert way.status(NOW + 1).state is DestinationState.READY
    assert sent(way, NOW + 5, Delivered(rest_sec=0.2)) == ["e1"]
    assert way.next(NOW + 5.5) == NOW + 6


def test_a_change_edits_the_message_of_its_event() -> None:
    """If there is one; the newest, if it became worse."""
    way = line(can_edit=True)
    way.add(delivery(1, Told.OVER))
    assert way.next(NOW) == math.inf
    assert ended(way) == {"e1:over": DeliveryState.DROPPED}
    way.add(delivery(2))
    sent(way, NOW, Delivered("m-1"))
    way.add(delivery(2, Told.WORSE))
    sent(way, NOW, Delivered("m-2"))
    way.add(delivery(2, Told.OVER))
    found = way.next(NOW)
    assert isinstance(found, Attempt)
    assert [each.reference for each in found.told] == ["m-2"]


def test_an_edit_that_is_refused_is_no_dead_letter() -> None:
    """The message stays as it was, and the next goes on."""
    way = line(can_edit=True)
    way.add(delivery(1))
    sent(way, NOW, Delivered("m-1"))
    way.add(delivery(1, Told.OVER))
    sent(way, NOW, Broken(Scope.MESSAGE, "404: the message is gone"))
    assert way.dead == ()
    assert ended(way)["e1:over"] is DeliveryState.DROPPED


def test_an_edit_keeps_what_else_the_message_says() -> None:
    """Of a group one event changes, also after a restart; the others stay as they are."""
    way = line(can_edit=True, most_together=5)
    for number in (1, 2, 3):
        way.add(delivery(number))
    sent(way, NOW, Delivered("m-1"))
    again = line(can_edit=True, most_together=5)
    again.restore(way.collect_changed())
    for each in (way, again):
        each.add(delivery(2, Told.OVER))
        found = each.next(NOW)
        assert isinstance(found, Attempt)
        assert [one.key for one in found.told] == ["e1:began", "e3:began", "e2:over"]
        assert {one.reference for one in found.told} == {"m-1"}


def test_a_change_gives_way_to_what_comes_after_it() -> None:
    """To the next change, in whose stead it would have gone, and to a worse state."""
    way = line(can_edit=True)
    way.add(delivery(1))
    sent(way, NOW, Delivered("m-1"))
    way.add(delivery(1, Told.UPDATED, key="u1", due=NOW + 10))
    way.add(delivery(1, Told.UPDATED, key="u2", due=NOW + 20))
    assert way.next(NOW) == NOW + 10
    way.add(delivery(1, Told.WORSE))
    assert sent(way, NOW) == ["e1"]
    assert way.next(NOW) == math.inf
    assert ended(way) == {
        "e1:began": DeliveryState.SENT,
        "u1": DeliveryState.DROPPED,
        "u2": DeliveryState.DROPPED,
        "e1:worse": DeliveryState.SENT,
    }


def test_a_change_that_waits_keeps_nobody_waiting() -> None:
    """It is told every ten seconds; what begins meanwhile goes before it."""
    way = line(can_edit=True)
    way.add(delivery(1))
    sent(way, NOW, Delivered("m-1"))
    way.add(delivery(1, Told.UPDATED, due=NOW + 10))
    way.add(delivery(2))
    assert sent(way, NOW) == ["e2"]
    assert sent(way, NOW + 10) == ["e1"]


def test_news_goes_before_what_only_changes_a_message() -> None:
    """However many messages are to be edited; and edits are not counted as messages."""
    way = line(can_edit=True, desk=replace(DESK, at_most=(3, 60.0)))
    for number in (1, 2):
        way.add(delivery(number))
        sent(way, NOW, Delivered(f"m-{number}"))
    way.add(delivery(1, Told.OVER))
    way.add(delivery(2, Told.UPDATED))
    way.add(delivery(3))
    way.add(delivery(4))
    assert sent(way, NOW) == ["e3"]
    assert way.next(NOW) == NOW + 60
    assert [sent(way, NOW + 60) for _ in range(3)] == [["e4"], ["e1"], ["e2"]]


def test_what_is_muted_no_longer_waits() -> None:
    """What is on the way arrives all the same."""
    way = line()
    way.add(delivery(1))
    way.add(delivery(2))
    assert numbers(way.next(NOW)) == ["e1"]
    way.drop(lambda each: True, "muted")
    way.finish(Delivered(), NOW)
    assert way.next(NOW) == math.inf
    assert ended(way) == {"e2:began": DeliveryState.DROPPED, "e1:began": DeliveryState.SENT}


def test_an_attempt_that_was_cut_off_goes_again() -> None:
    """Under the name that it had."""
    way = line()
    way.add(delivery(1))
    first = way.next(NOW)
    way.cut_off()
    assert way.next(NOW) == first


def test_a_clock_that_is_set_back_keeps_nothing_waiting() -> None:
    """What was due an hour from now goes at once, whatever was to be waited for."""
    way = line(desk=replace(DESK, at_most=(1, 60.0)))
    way.add(delivery(1))
    sent(way, NOW, RetryAt(600.0, "429 Too Many Requests", counts_as_failure=False))
    way.add(delivery(2, due=NOW + 2))
    assert way.next(NOW) == NOW + 600
    assert [sent(way, NOW - 3600), sent(way, NOW - 3600 + 60)] == [["e1"], ["e2"]]


def test_a_clock_that_is_corrected_ends_no_rest() -> None:
    """By less than a second."""
    way = line()
    way.add(delivery(1))
    sent(way, NOW, RetryAt(600.0, "429 Too Many Requests", counts_as_failure=False))
    assert way.next(NOW + 10) == NOW + 600
    assert way.next(NOW + 9.5) == NOW + 600
