"""EventStore: the newest events, as they stood at any instant not long ago."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from events import Event, EventStore
from tests.reading import readers
from tests.told import event_of

START: Final = 1_760_000_400


def began(number: int) -> Event:
    """An event that began ``number`` seconds after the start."""
    return event_of(START + number)


def test_the_newest_event_is_first() -> None:
    """latest(n) is the n that began last, newest first."""
    events = EventStore(10)
    for number in range(4):
        events.add(began(number))
    assert [event.ts - START for event in events.latest(3)] == [3, 2, 1]
    assert len(events.latest(100)) == len(events) == 4
    assert events.latest(0) == []


def test_a_newer_state_replaces_in_place() -> None:
    """An update neither doubles an event nor moves it."""
    events = EventStore(10)
    first = began(0)
    events.add(first)
    events.add(began(5))
    events.add(replace(first, count=7))
    assert [(event.ts - START, event.count) for event in events.latest(5)] == [(5, 1), (0, 7)]


def test_events_found_late_are_listed_by_their_begin() -> None:
    """The past is searched while the present goes on: what began first is last all the same."""
    events = EventStore(3)
    for number in (50, 10, 60, 20, 55):
        events.add(began(number))
    assert [event.ts - START for event in events.latest(9)] == [60, 55, 50]
    events.add(began(40))
    assert [event.ts - START for event in events.latest(9)] == [60, 55, 50]


def lasting(number: int, *updates: int) -> list[Event]:
    """An event that began ``number`` seconds after the start, and its states since."""
    first = began(number)
    return [
        replace(first, count=count, updated_ts=START + second)
        for count, second in enumerate((number, *updates), 1)
    ]


def counts_at(events: EventStore, second: float, **more: Any) -> list[tuple[float, int]]:
    """Begin and count of every event as it stood."""
    found = events.latest(99, now=START + second, **more)
    return [(event.ts - START, event.count) for event in found]


def test_events_are_told_as_they_stood() -> None:
    """Rewound, those that had begun are there, each in its state of then."""
    events = EventStore()
    for event in (*lasting(10, 40, 70), *lasting(30, 60)):
        events.add(event)
    assert counts_at(events, 9.9) == []
    assert counts_at(events, 10) == [(10, 1)]
    assert counts_at(events, 39) == [(30, 1), (10, 1)]
    assert counts_at(events, 40) == [(30, 1), (10, 2)]
    assert counts_at(events, 65) == [(30, 2), (10, 2)]
    assert counts_at(events, 9999) == [(30, 2), (10, 3)]
    assert [event.ts - START for event in events.latest(1, now=START + 35)] == [30]
    assert events.latest(0, now=START + 35) == []


def test_what_began_since_can_be_asked_for() -> None:
    """After an instant, not at it; as of now or as of then."""
    events = EventStore()
    for event in (*lasting(10, 40, 70), *lasting(30, 60), *lasting(50)):
        events.add(event)
    assert counts_at(events, 9999, since=START + 10) == [(50, 1), (30, 2)]
    assert counts_at(events, 40, since=START + 10) == [(30, 1)]
    assert [event.ts - START for event in events.latest(9, since=START + 30)] == [50]


def test_new_events_are_counted() -> None:
    """Those that began after an instant, updates and the found past left out."""
    events = EventStore()
    for event in (*lasting(10, 40, 70), *lasting(30), *lasting(50)):
        events.add(event)
    events.add(replace(began(60), history=True))
    assert [events.count_since(START + second) for second in (0, 10, 30, 50)] == [3, 2, 1, 0]
    assert EventStore().count_since(START) == 0


def test_an_event_of_days_keeps_an_hour_of_states() -> None:
    """Memory is bounded, and every second of the hour before the newest is told truly."""
    events = EventStore(rewind_sec=3600)
    days = 2 * 86400
    for event in lasting(0, *range(30, days + 1, 30)):
        events.add(event)
    assert events.states == 121
    for back in (0, 1, 29, 30, 1000, 3599, 3600):
        assert counts_at(events, days - back) == [(0, (days - back) // 30 + 1)]


def test_an_event_that_is_over_keeps_its_last_state() -> None:
    """What it was before is let go when other events are an hour newer."""
    events = EventStore(rewind_sec=3600)
    for event in (*lasting(0, 30, 60), began(4000)):
        events.add(event)
    assert (len(events), events.states) == (2, 2)
    assert counts_at(events, 500) == [(0, 3)]


def test_the_oldest_event_makes_room() -> None:
    """No more than max_events are held."""
    events = EventStore(3)
    for number in range(10):
        events.add(began(number))
    assert [event.ts - START for event in events.latest(10)] == [9, 8, 7]
    with pytest.raises(ValueError, match="max_events"):
        EventStore(0)


def test_an_update_of_a_forgotten_event_pushes_no_newer_one_out() -> None:
    """The newest that began stay, also when an older one still changes."""
    events = EventStore(2)
    first = began(0)
    for event in (first, began(1), began(2), replace(first, count=2)):
        events.add(event)
    assert [event.ts - START for event in events.latest(2)] == [2, 1]


def test_events_are_read_while_they_are_written() -> None:
    """Readers in other threads see bounded, ordered lists throughout."""
    events = EventStore(50)
    template = began(0)

    def read() -> None:
        times = [event.ts for event in events.latest(60)]
        assert len(times) <= 50
        assert times == sorted(times, reverse=True)
        assert len(events) <= 50

    with readers(read):
        for i in range(3000):
            events.add(replace(template, id=str(i), ts=START + i))
            events.add(replace(template, id=str(i), ts=START + i, count=2))


def test_what_came_after_an_instant_is_forgotten() -> None:
    """An event is as it was then; one that began later was none."""
    events = EventStore(10)
    events.add_many([*lasting(0, 4, 8), *lasting(5, 6), *lasting(7)])
    before = events.version
    events.forget_after(START + 5.0)
    assert events.version > before
    assert [(event.ts - START, event.count) for event in events.latest(9)] == [(5, 1), (0, 2)]
    assert len(events) == 2
    assert events.find(began(7).id, START + 100.0) is None
    assert [state.updated_ts - START for state in events.updates(0.0, START + 99.0)] == [0, 4, 5]


def test_an_event_that_was_forgotten_may_come_again() -> None:
    """Under its id, and in another state: another process found it."""
    events = EventStore(2)
    events.add_many([*lasting(0, 4), *lasting(7)])
    events.forget_after(START + 5.0)
    again = replace(began(7), count=9)
    events.add(again)
    assert events.find(again.id, START + 8.0) == again
    later = lasting(0, 4, 8)[2]
    events.add(later)
    assert [event.count for event in events.latest(9)] == [9, later.count]


def test_a_state_that_is_told_twice_is_held_once() -> None:
    """By two entries that hold it."""
    events = EventStore(10)
    states = lasting(0, 4)
    events.add_many([*states, states[1]])
    assert events.states == 2
