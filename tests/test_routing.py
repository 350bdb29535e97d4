"""Who is told what of an event's states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.routing import EDIT_SEC, Route, admits, is_muted
from events import Event
from history.deliveries import Delivery, Mute, MuteOf
from settings import Destination
from tests.told import event_of

NOW = 1_795_000_000.0

EVENT = event_of(NOW, severity="alert")


def destination(**known: Any) -> Destination:
    """A destination of everything, unless ``known`` says otherwise."""
    return Destination(**({"name": "desk", "type": "webhook"} | known))


def route(*, can_edit: bool = False, is_simulated: bool = False, **known: Any) -> Route:
    """A route to such a destination."""
    return Route(destination(**known), can_edit=can_edit, is_simulated=is_simulated)


def told(way: Route, *events: Event, now: float = NOW, mutes: tuple[Mute, ...] = ()) -> list[str]:
    """What is told of each of the events, which come one after the other."""
    return [each.told.value for event in events for each in way.deliveries([event], mutes, now)]


def state(event: Event = EVENT, **changes: Any) -> Event:
    """The next state of an event."""
    return replace(event, updated_ts=event.updated_ts + 1, **changes)


OVER = state(over_ts=NOW + 60)


@pytest.mark.parametrize(
    ("known", "is_admitted"),
    [
        ({}, True),
        ({"severity": "alert"}, True),
        ({"severity": "extreme"}, False),
        ({"assets": ("stocks", "forex")}, True),
        ({"assets": ("crypto",)}, False),
        ({"symbols": ("AAPL",)}, True),
        ({"symbols": ("MSFT",)}, False),
        ({"kinds": ("move_1m",)}, True),
        ({"kinds": ("vol_spike",)}, False),
        ({"rules": ("flash",)}, False),
        ({"symbols": ("AAPL",), "kinds": ("vol_spike",)}, False),
    ],
)
def test_a_destination_is_for_what_passes_all_of_its_filters(
    known: dict[str, Any], is_admitted: bool
) -> None:
    """Severity, class, symbol, kind and rule."""
    assert admits(destination(**known), EVENT) is is_admitted


def test_a_rule_and_a_twin_are_looked_for_too() -> None:
    """An event of a user's rule; and whoever watches a symbol is told if it moved along."""
    assert admits(destination(rules=("flash",)), state(rule="flash"))
    assert not admits(destination(rules=("flash",)), state(rule="level"))
    assert admits(destination(symbols=("MSFT",)), state(twins=("GOOGL", "MSFT")))


def test_an_event_is_told_once_and_again_when_it_is_worse() -> None:
    """What only changes and what ends is not told unless it is asked for."""
    extreme = state(severity="extreme")
    states = (EVENT, state(count=2), extreme, extreme, OVER)
    assert told(route(), *states) == ["began", "worse"]
    assert told(route(on=("worse", "over")), *states) == ["worse", "over"]
    assert told(route(on=("began", "worse", "updated", "over")), *states) == [
        "began",
        "updated",
        "worse",
        "updated",
        "over",
    ]


def test_a_channel_that_can_edit_is_told_every_change_of_what_it_was_told() -> None:
    """And of nothing else: there is no message to edit."""
    states = (EVENT, state(count=2), OVER)
    assert told(route(can_edit=True), *states) == ["began", "updated", "over"]
    assert told(route(can_edit=True, on=("worse",)), *states) == []


def test_an_event_begins_for_a_destination_when_it_is_severe_enough() -> None:
    """It was not told while it was less."""
    watch, alert = state(severity="watch"), state(severity="alert")
    assert told(route(severity="alert"), watch, alert, alert) == ["began"]


def test_the_end_of_what_nobody_was_told_is_no_news() -> None:
    """As after a restart that nothing is remembered of; nor does anything end twice."""
    assert told(route(can_edit=True, on=("over",)), OVER) == []
    assert told(route(on=("began", "over")), EVENT, OVER, OVER) == ["began", "over"]


def test_history_is_never_told_and_a_simulated_market_only_to_who_asks() -> None:
    """Nobody is woken by what was, or by what is not."""
    assert told(route(), replace(EVENT, history=True), replace(EVENT, history=True, count=2)) == []
    assert told(route(is_simulated=True), EVENT) == []
    assert told(
        Route(destination(is_simulated=True), can_edit=False, is_simulated=True), EVENT
    ) == ["began"]


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (MuteOf.SYMBOL, "AAPL"),
        (MuteOf.KIND, "move_1m"),
        (MuteOf.RULE, "flash"),
        (MuteOf.DESTINATION, "desk"),
    ],
)
def test_nothing_is_told_of_what_is_muted_until_its_instant(of: MuteOf, name: str) -> None:
    """Of a symbol, kind, rule or destination; then what becomes worse is told."""
    way, event = route(can_edit=True), state(rule="flash")
    mute = Mute(of, name, NOW + 60)
    assert is_muted(event, "desk", (mute,), NOW)
    assert not is_muted(event, "desk", (mute,), NOW + 60)
    assert not is_muted(event, "desk", (replace(mute, name="other"),), NOW)
    assert told(way, event, mutes=(mute,)) == []
    later = (
        state(event, count=2),
        state(event, severity="extreme"),
        state(event, severity="extreme"),
    )
    assert told(way, *later, now=NOW + 60, mutes=(mute,)) == ["worse", "updated"]


def only(way: Route, event: Event, now: float) -> Delivery:
    """The one delivery of a state."""
    (delivery,) = way.deliveries([event], (), now)
    return delivery


def test_what_is_extreme_does_not_wait() -> None:
    """The rest waits for what comes with it."""
    assert only(route(wait_sec=3.0), EVENT, NOW).due == NOW + 3
    assert only(route(wait_sec=3.0), state(severity="extreme"), NOW).due == NOW


def test_a_delivery_has_the_same_name_whoever_makes_it() -> None:
    """So a receiver knows a repeat after a restart; a worse state is another one."""
    first, other = only(route(), EVENT, NOW), only(route(), EVENT, NOW + 9)
    assert (first.key, first.id) == (other.key, other.id)
    way = route()
    assert only(way, EVENT, NOW).id != only(way, state(severity="extreme"), NOW).id
    assert "." not in only(route(), state(symbol="BRK.B"), NOW).id


def test_changes_are_told_every_ten_seconds_and_the_last_of_them_is() -> None:
    """Those that come meanwhile take each other's place."""
    way = route(can_edit=True)
    only(way, EVENT, NOW)
    first = only(way, state(count=2), NOW + 1)
    second = only(way, state(count=3), NOW + 5)
    assert first.due == second.due == NOW + 1 + EDIT_SEC
    assert first.key == second.key
    third = only(way, replace(state(count=4), updated_ts=NOW + 11), NOW + 11)
    assert third.key != second.key
    assert third.due == NOW + 11 + EDIT_SEC


def test_a_restart_remembers_what_was_told() -> None:
    """Nothing begins twice, and what was told can be told to be over."""
    before = only(route(), EVENT, NOW)
    after = route(can_edit=True)
    after.remember(before)
    assert told(after, state(count=2), state(severity="extreme"), OVER) == [
        "updated",
        "worse",
        "over",
    ]


def test_what_another_process_tells_of_is_left_to_it() -> None:
    """It may never have found the event: then nobody is told of the end of what never began."""
    way = route(on=("began", "worse", "updated", "over"))
    (began,) = way.deliveries([EVENT], (), NOW)
    (over,) = route(on=("began", "over")).deliveries([EVENT, OVER], (), NOW)[1:]
    assert not way.is_left(over)
    way.leave(EVENT.id)
    assert way.is_left(over)
    assert not way.is_left(began)
    (worse,) = way.deliveries([state(severity="extreme")], (), NOW)
    assert not way.is_left(worse)
    assert not way.is_left(over), "somebody was told now"


def test_what_another_process_told_of_goes_on() -> None:
    """Once it is remembered that it did."""
    way = route(on=("began", "over"))
    (began,) = way.deliveries([EVENT], (), NOW)
    way.leave(EVENT.id)
    way.remember(began)
    (over,) = way.deliveries([OVER], (), NOW)
    assert not way.is_left(over)
