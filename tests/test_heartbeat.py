"""The heartbeat: every second is shown, searched, and told to its subscribers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.heartbeat import REWIND_SEC, SECOND_END, Heartbeat, SecondOver, Subscriber
from events import EventStore, StressDetector
from pulse_store import PulseStore
from ticks import Asset, Tick

NOW = 1_795_000_000


def always(asset: Asset, now: float) -> bool:
    """Every market streams."""
    return True


def heartbeat_of(
    *subscribers: Subscriber, on_crash: Callable[[str, Exception], None] = lambda name, error: None
) -> tuple[PulseStore, EventStore, Heartbeat]:
    """A heartbeat over an hour of a coin, whose price jumps in the end and stays there."""
    store, events = PulseStore(2 * REWIND_SEC), EventStore(500)
    for second in range(NOW - 3600, NOW + 60):
        calm = 100.0 + 0.01 * (second * 7 % 5)
        store.update(Tick("BTC-USD", "crypto", second + 0.5, calm + 5.0 * (second >= NOW)))
        store.advance(second + 1)
    detector = StressDetector(min_surprise=0)
    return (
        store,
        events,
        Heartbeat(store, events, detector, always, float(NOW), subscribers, on_crash),
    )


def test_subscribers_are_told_of_every_second_once_and_in_order() -> None:
    """All of them, in turn, with what was found in it."""
    told: list[tuple[str, SecondOver]] = []
    first = Subscriber("first", lambda over: told.append(("first", over)))
    second = Subscriber("second", lambda over: told.append(("second", over)))
    _, events, heartbeat = heartbeat_of(first, second)
    for shown in range(NOW, NOW + 10):
        heartbeat.show(shown)
        heartbeat.search(shown)
    assert [(name, over.second) for name, over in told] == [
        (name, shown) for shown in range(NOW, NOW + 10) for name in ("first", "second")
    ]
    found = [event for name, over in told if name == "first" for event in over.events]
    assert found
    assert {event.id for event in found} == {event.id for event in events.latest(500)}
    over = told[0][1]
    assert over.now == NOW + SECOND_END
    assert over.frame is not None
    assert not over.is_history


def test_history_is_marked() -> None:
    """Seconds before those that anybody could watch, and their events, say so."""
    told: list[SecondOver] = []
    _, _, heartbeat = heartbeat_of(Subscriber("one", told.append))
    heartbeat.add_past(NOW - 3600, NOW + 5, range(NOW, NOW + 5))
    assert heartbeat.is_searching_past
    heartbeat.show(NOW + 9)
    for second in range(NOW, NOW + 10):
        heartbeat.search(second)
    assert [over.is_history for over in told] == [True] * 5 + [False] * 5
    assert [over.frame is None for over in told] == [True] * 9 + [False]
    assert all(event.history for over in told[:5] for event in over.events)


def test_a_subscriber_that_crashes_stops_nobody() -> None:
    """The others hear every second; its first crash in a row is reported, and it hears the next."""
    told: list[int] = []
    heard: list[int] = []
    crashed: list[tuple[str, str]] = []
    failing = {NOW + 1, NOW + 2, NOW + 4}

    def fail(over: SecondOver) -> None:
        if over.second in failing:
            raise ValueError(f"at {over.second - NOW}")
        heard.append(over.second - NOW)

    _, _, heartbeat = heartbeat_of(
        Subscriber("weak", fail),
        Subscriber("strong", lambda over: told.append(over.second - NOW)),
        on_crash=lambda name, error: crashed.append((name, str(error))),
    )
    for second in range(NOW, NOW + 6):
        heartbeat.show(second)
        heartbeat.search(second)
    assert told == [0, 1, 2, 3, 4, 5]
    assert heard == [0, 3, 5]
    assert crashed == [("weak", "at 1"), ("weak", "at 4")]


def test_a_heartbeat_has_rows_before_its_first_second() -> None:
    """Nothing is shown yet, and every symbol has its row."""
    _, _, heartbeat = heartbeat_of()
    assert not heartbeat.ready.is_set()
    assert heartbeat.oldest is None
    assert list(heartbeat.newest.frame.index) == ["BTC-USD"]
    heartbeat.show(NOW)
    assert heartbeat.ready.is_set()
    assert heartbeat.newest.now == pytest.approx(NOW + SECOND_END)
    assert heartbeat.oldest == NOW
