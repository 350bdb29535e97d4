"""The heartbeat: every second is shown, searched, and told to its subscribers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from engine.heartbeat import REWIND_SEC, SECOND_END, Heartbeat, SecondOver, Subscriber
from events import EventStore, StressDetector
from pulse_store import PulseStore
from tests.virtual_time import in_virtual_time
from ticks import Asset, Tick

NOW = 1_795_000_000


def always(asset: Asset, now: float) -> bool:
    """Every market streams."""
    return True


def heartbeat_of(
    *subscribers: Subscriber,
    on_crash: Callable[[str, Exception], None] = lambda name, error: None,
    first_page_sec: float = 0.0,
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
        Heartbeat(
            store,
            events,
            detector,
            always,
            float(NOW),
            subscribers,
            on_crash,
            first_page_sec=first_page_sec,
        ),
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
    heartbeat.know_past(NOW - 3600, NOW + 5, range(NOW, NOW + 5))
    assert heartbeat.is_searching_past
    heartbeat.show(NOW + 9)
    for second in range(NOW, NOW + 10):
        heartbeat.search(second)
    assert [over.is_history for over in told] == [True] * 5 + [False] * 5
    assert [over.frame is None for over in told] == [True] * 9 + [False]
    assert all(event.history for over in told[:5] for event in over.events)


def test_a_past_behind_a_past_is_searched_first() -> None:
    """What an archive brought back, then what the source adds: nothing known is forgotten."""
    told: list[SecondOver] = []
    _, _, heartbeat = heartbeat_of(Subscriber("one", told.append))
    heartbeat.know_past(NOW - 3600, NOW - 20, range(NOW - 40, NOW - 30))
    heartbeat.know_past(NOW - 5, NOW, range(NOW - 5, NOW))
    assert heartbeat.oldest == NOW - 3600
    heartbeat.know_past(None, NOW)
    assert heartbeat.oldest == NOW - 3600

    async def run() -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(heartbeat.follow(lambda: NOW + loop.time(), lambda: None))
        await asyncio.sleep(1.5)
        assert not heartbeat.is_searching_past
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    past = [*range(NOW - 40, NOW - 30), *range(NOW - 5, NOW)]
    assert [over.second for over in told] == [*past, NOW]
    assert [over.is_history for over in told] == [True] * len(past) + [False]


@pytest.mark.parametrize(("made_at", "searched_at"), [(2.0, 2.25), (None, 5.25)])
def test_the_search_of_the_past_waits_for_the_first_page(
    made_at: float | None, searched_at: float
) -> None:
    """For some seconds at most; they are shown meanwhile, and searched after the past."""
    told: list[tuple[int, float]] = []
    shown: list[float] = []
    begun = Subscriber(
        "one", lambda over: told.append((over.second - NOW, asyncio.get_running_loop().time()))
    )
    _, _, heartbeat = heartbeat_of(begun, first_page_sec=5.0)
    heartbeat.know_past(NOW - 3600, NOW, range(NOW - 3, NOW))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(
            heartbeat.follow(lambda: NOW + loop.time(), lambda: shown.append(loop.time()))
        )
        if made_at is not None:
            loop.call_at(made_at, heartbeat.first_page.set)
        await asyncio.sleep(6.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    assert shown == pytest.approx([1.25, 2.25, 3.25, 4.25, 5.25, 6.25])
    assert [second for second, _ in told] == [-3, -2, -1, 0, 1, 2, 3, 4, 5]
    assert told[0][1] == pytest.approx(searched_at)


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


# Second after second.

Shown = list[tuple[float, float]]
"""When each second was shown, and the last instant that belongs to it; both after ``NOW``."""


def followed(
    until: float,
    *,
    begin: float = 0.1,
    live_from: int = 0,
    later_sec: Callable[[float], float] = lambda sec: 0.0,
    clock: Callable[[float], float] = lambda sec: sec,
) -> Shown:
    """What a heartbeat shows that begins ``begin`` after ``NOW``, in virtual time.

    ``clock`` says what the time is, and ``later_sec`` how late prices come, after that many seconds
    of true time.
    """
    told: list[SecondOver] = []
    shown: Shown = []
    _, _, heartbeat = heartbeat_of(Subscriber("one", told.append))
    if live_from:
        heartbeat.know_past(NOW - 3600, live_from)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begin)
        following = heartbeat.follow(
            lambda: NOW + clock(loop.time()),
            lambda: shown.append((loop.time(), heartbeat.newest.now - NOW)),
            lambda: later_sec(loop.time()),
        )
        running = asyncio.create_task(following)
        await asyncio.sleep(until - begin)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    assert [over.now - NOW for over in told] == pytest.approx([at for _, at in shown])
    return shown


def instants(shown: Shown) -> list[int]:
    """The seconds that were shown."""
    return [math.floor(at) for _, at in shown]


@pytest.mark.parametrize("begin", [0.0, 0.1, 0.249, 0.251, 0.6, 0.999])
def test_the_first_second_is_shown_when_it_is_over(begin: float) -> None:
    """That in which the heartbeat begins, when it has settled, and then each that follows."""
    shown = followed(5.5, begin=begin)
    assert instants(shown) == [0, 1, 2, 3, 4]
    assert [at for at, _ in shown] == pytest.approx([1.25, 2.25, 3.25, 4.25, 5.25])


def test_no_second_is_missing_between_the_past_and_the_present() -> None:
    """Filling the store took two seconds: these are shown as well, at once."""
    shown = followed(5.5, begin=2.5, live_from=NOW)
    assert instants(shown) == [0, 1, 2, 3, 4]
    assert [at for at, _ in shown] == pytest.approx([2.5, 2.5, 3.25, 4.25, 5.25])


def test_seconds_are_shown_as_much_later_as_prices_come_late() -> None:
    """More late or less, none is skipped and none is repeated."""
    shown = followed(40.5, later_sec=lambda sec: 0.0 if not 10 < sec < 25 else 2.75)
    assert instants(shown) == list(range(40))
    waits = {int(second): at - second - 0.001 for at, second in shown}
    assert all(wait == pytest.approx(0.25) for second, wait in waits.items() if second < 8)
    assert all(wait == pytest.approx(3.0) for second, wait in waits.items() if 10 < second < 21)
    assert all(wait == pytest.approx(0.25) for second, wait in waits.items() if second > 26)


@pytest.mark.parametrize("stall_sec", [1, 3])
def test_a_short_stall_skips_no_second(stall_sec: int) -> None:
    """The clock moves on while nobody looks at it; the seconds missed are shown in turn."""
    shown = followed(10.5, clock=lambda sec: sec if sec < 5 else sec + stall_sec)
    assert instants(shown) == list(range(10 + stall_sec))


def test_sleep_skips_seconds() -> None:
    """An hour later nobody wants to see the hour in between."""
    shown = followed(10.5, clock=lambda sec: sec if sec < 5 else sec + 3600)
    assert instants(shown) == [0, 1, 2, 3, *range(3604, 3610)]


def test_a_clock_set_back_goes_on_from_there() -> None:
    """By an hour at once; by a moment it is waited for."""
    shown = followed(10.5, clock=lambda sec: sec if sec < 5 else sec - 3600)
    assert instants(shown) == [0, 1, 2, 3, *range(-3596, -3590)]
    shown = followed(12.5, clock=lambda sec: sec if sec < 5 else sec - 2)
    assert instants(shown) == list(range(10))


def test_a_second_that_another_searched_is_shown_and_told() -> None:
    """Its events are not found here, and what the other's detector remembers is known."""
    told: list[SecondOver] = []
    shown: list[int] = []
    _, other_events, other = heartbeat_of()
    for second in range(NOW, NOW + 5):
        other.show(second)
        other.search(second)
    found = other_events.updates(0.0, NOW + 100.0)
    assert found
    store, events, heartbeat = heartbeat_of(Subscriber("one", told.append, shown.append))
    for second in range(NOW, NOW + 5):
        of_second = [event for event in found if int(event.updated_ts) == second]
        heartbeat.take(second, of_second, (), {})
    assert shown == [over.second for over in told] == list(range(NOW, NOW + 5))
    assert [event for over in told for event in over.events] == found
    assert not any(over.is_history for over in told)
    assert told[-1].frame is not None
    assert told[-1].frame.equals(store.frame(NOW + 4 + SECOND_END))
    assert events.latest(9) == other_events.latest(9)
    assert heartbeat.newest.now == NOW + 4 + SECOND_END
    assert heartbeat.ready.is_set()


def test_whoever_shows_what_another_searched_searches_nothing() -> None:
    """Nor what was left of the past when the other began to."""
    _, events, heartbeat = heartbeat_of()
    heartbeat.know_past(NOW - 3600, NOW, range(NOW - 100, NOW))
    assert heartbeat.is_searching_past
    heartbeat.take(NOW, (), (), {})
    assert not heartbeat.is_searching_past
    assert len(events) == 0


def test_a_second_that_comes_again_from_another_is_the_newest_again() -> None:
    """The other's clock was set back."""
    shown: list[int] = []
    _, _, heartbeat = heartbeat_of(Subscriber("one", lambda over: shown.append(over.second)))
    for second in (NOW, NOW + 1, NOW + 2, NOW + 1, NOW + 2):
        heartbeat.take(second, (), (), {})
        assert int(heartbeat.newest.now) == second
    assert shown == [NOW, NOW + 1, NOW + 2, NOW + 1, NOW + 2]
    assert heartbeat.recent(NOW + SECOND_END) is not None


def test_what_another_detector_remembers_is_not_found_again() -> None:
    """Whoever goes on where it ended tells what it told only as it changes."""
    _, other_events, _ = heartbeat_of()
    store, _, _ = heartbeat_of()
    detector = StressDetector(min_surprise=0)
    other = Heartbeat(store, other_events, detector, always, float(NOW))
    for second in range(NOW, NOW + 5):
        other.show(second)
        other.search(second)
    (event,) = other_events.latest(9)
    _, events, heartbeat = heartbeat_of()
    heartbeat.take(NOW + 4, [event], detector.tracks, {})
    for second in range(NOW + 5, NOW + 40):
        heartbeat.show(second)
        heartbeat.search(second)
    assert [one.id for one in events.latest(9)] == [event.id]
