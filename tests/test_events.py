"""StressDetector rule by rule, on snapshots built by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import Company, Event, EventStore, Remembered, StressDetector
from rules import THRESHOLDS
from ticks import ASSETS, EventKind

START: Final = 1_760_000_400

COLUMN: Final[dict[EventKind, str]] = {
    "move_1m": "move_1m",
    "move_5m": "move_5m",
    "vol_spike": "vol_15m",
}


def shot(
    second: float, asset: str = "stocks", symbol: str = "AAPL", **known: Any
) -> dict[str, Any]:
    """A snapshot ``second`` seconds after the start in which nothing happens but ``known``."""
    now = START + second
    row: dict[str, Any] = {
        "symbol": symbol,
        "now": now,
        "asset": asset,
        "last": 101.0,
        "last_ts": now,
        "age": 0.0,
        "move_1m": None,
        "move_5m": None,
        "move_1m_surprise": None,
        "move_5m_surprise": None,
        "move_from_1m": 100.0,
        "move_from_1m_ts": now - 60,
        "move_from_5m": 100.0,
        "move_from_5m_ts": now - 300,
        "move_to": 100.0,
        "move_to_ts": now,
        "usual_1m": None,
        "usual_5m": None,
        "price_step": None,
        "sigma_1m": None,
        "sigma_5m": None,
        "vol_15m": None,
        "vol_median": None,
        "vol_rest": None,
        "surprise": None,
        "early": False,
        "vs_peers": None,
        "regime": "normal",
        "watched_sec": 900.0,
    }
    assert known.keys() <= row.keys()
    # What a move led to follows from it.
    move = known.get("move_1m") or known.get("move_5m") or 0.0
    follows = {"move_to": 100.0 * (1.0 + move), "vol_rest": known.get("vol_15m")}
    return row | follows | known


def moves(values: Sequence[float | None], **known: Any) -> list[tuple[int, Event]]:
    """What a fresh detector says, and when, to a series of one-minute moves in thresholds."""
    detector = StressDetector()
    found = []
    for second, value in enumerate(values):
        move = None if value is None else value * 0.0012
        found += [(second, e) for e in detector.check(shot(second, move_1m=move, **known))]
    return found


def going_on(events: Sequence[Event]) -> list[Event]:
    """Those that are not over."""
    return [event for event in events if event.over_ts is None]


def begun(found: Sequence[tuple[float, Event]]) -> list[float]:
    """The times at which something began, by the ids first seen."""
    first: dict[str, float] = {}
    for second, event in found:
        first.setdefault(event.id, second)
    return list(first.values())


def prices(path: Sequence[float], **known: Any) -> list[tuple[int, Event]]:
    """What a fresh detector says to a price a second, of moves over one and five minutes alone."""
    detector = StressDetector()
    found = []
    for second, price in enumerate(path):
        row: dict[str, Any] = {"move_to": price}
        for horizon, ago in (("1m", 60), ("5m", 300)):
            if second >= ago:
                row[f"move_{horizon}"] = price / path[second - ago] - 1.0
                row[f"move_from_{horizon}"] = path[second - ago]
        found += [(second, e) for e in detector.check(shot(second, **(row | known)))]
    return found


# Thresholds.


@pytest.mark.parametrize("asset", ASSETS)
@pytest.mark.parametrize("kind", COLUMN)
def test_each_class_has_its_thresholds(asset: str, kind: EventKind) -> None:
    """Without a day of its own a symbol is held against its class, in either direction."""
    threshold, column = THRESHOLDS[asset][kind], COLUMN[kind]
    for sign in (1,) if kind == "vol_spike" else (1, -1):
        known: dict[str, Any] = {"vol_median": 1e-9, column: sign * threshold * 0.999}
        assert StressDetector().check(shot(0, asset, **known)) == []
        known[column] = sign * threshold
        (event,) = StressDetector().check(shot(0, asset, **known))
        assert (event.kind, event.asset, event.symbol) == (kind, asset, "AAPL")
        assert (event.lead.value, event.lead.threshold) == (sign * threshold, threshold)
        assert event.lead.horizon_sec == {"move_1m": 60, "move_5m": 300, "vol_spike": 900}[kind]


@pytest.mark.parametrize(
    ("known", "threshold"),
    [
        ({}, 0.0012),
        ({"usual_1m": 0.0031}, 0.0031),
        ({"usual_1m": 0.0007}, 0.0007),
        ({"usual_1m": 0.0001}, 0.0004),  # a third of the class's
        ({"price_step": 0.01, "move_to": 14.0}, 0.03 / 14),  # three steps, known day or not
        ({"usual_1m": 0.0007, "price_step": 0.01, "move_to": 14.0}, 0.03 / 14),
        ({"usual_1m": 0.0031, "price_step": 0.01, "move_to": 14.0}, 0.0031),
        ({"usual_5m": 0.9}, 0.0012),
    ],
)
def test_a_symbol_is_held_against_its_own_day(known: dict[str, Any], threshold: float) -> None:
    """What is usual for it, but three steps of its price and a third of its class's at least."""
    assert StressDetector().check(shot(0, move_1m=threshold * 0.999, **known)) == []
    (event,) = StressDetector().check(shot(0, move_1m=threshold * 1.001, **known))
    assert event.lead.threshold == pytest.approx(threshold)


def test_what_was_chosen_beats_what_is_usual() -> None:
    """A threshold from the settings is the threshold, for its class and kind alone."""
    detector = StressDetector({"stocks": {"move_1m": 0.0005}})
    own: dict[str, Any] = {"usual_1m": 0.01, "price_step": 0.5}
    (event,) = detector.check(shot(0, move_1m=0.0006, **own))
    assert event.lead.threshold == 0.0005
    assert StressDetector().check(shot(0, move_1m=0.0006, **own)) == []
    (event,) = detector.check(shot(0, "crypto", "BTC-USD", move_1m=0.0031, usual_1m=0.003))
    assert event.lead.threshold == 0.003
    (event,) = detector.check(shot(0, symbol="MSFT", move_5m=0.0031, usual_5m=0.003))
    assert event.lead.threshold == 0.003


# Unusual for the symbol.


@pytest.mark.parametrize("horizon", ["1m", "5m"])
@pytest.mark.parametrize(
    ("surprise", "min_surprise", "events"),
    [(2.49, 2.5, 0), (2.51, 2.5, 1), (-2.49, 2.5, 0), (-2.51, 2.5, 1), (0.3, 0.0, 1), (4, 5, 0)],
)
def test_a_move_must_be_a_surprise(
    horizon: str, surprise: float, min_surprise: float, events: int
) -> None:
    """Of its own over that horizon; 0 turns that off, and the other horizon excuses nothing."""
    other = {"1m": "5m", "5m": "1m"}[horizon]
    known: dict[str, Any] = {f"move_{horizon}_surprise": surprise, f"move_{other}_surprise": 9.0}
    known[f"move_{horizon}"] = 0.05 if surprise > 0 else -0.05
    detector = StressDetector(min_surprise=min_surprise)
    assert len(detector.check(shot(0, **known))) == events


@pytest.mark.parametrize(("watched", "events"), [(None, 0), (599.0, 0), (600.0, 1)])
def test_a_move_of_unknown_surprise_waits_for_the_warm_up(
    watched: float | None, events: int
) -> None:
    """A symbol that has just begun is not known well enough; a sparse one is, after a while."""
    assert len(StressDetector().check(shot(0, move_1m=0.01, watched_sec=watched))) == events
    known: dict[str, Any] = {"sigma_1m": 0.001, "move_1m_surprise": 4.0, "watched_sec": watched}
    assert len(StressDetector().check(shot(0, move_1m=0.01, **known))) == 1


@pytest.mark.parametrize(
    ("vol", "median", "threshold"),
    [
        (0.0031, 0.001, 0.003),
        (0.0029, 0.001, None),
        (0.00721, 0.004, 0.0072),
        (0.00719, 0.004, None),
        (0.5, None, None),
    ],
)
def test_a_spike_is_high_for_its_class_and_for_itself(
    vol: float, median: float | None, threshold: float | None
) -> None:
    """The class threshold and 1.8 hourly medians, which must be known, must both be reached."""
    found = StressDetector().check(shot(0, vol_15m=vol, vol_median=median))
    wanted = [] if threshold is None else [threshold]
    assert [event.lead.threshold for event in found] == pytest.approx(wanted)


def test_a_volatility_that_rests_on_ten_seconds_is_no_spike() -> None:
    """What is left without them is held against the threshold, and told."""
    known: dict[str, Any] = {"vol_15m": 0.009, "vol_median": 0.001}
    assert StressDetector().check(shot(0, vol_rest=0.0029, **known)) == []
    (event,) = StressDetector().check(shot(0, vol_rest=0.0031, **known))
    assert (event.lead.value, event.severity) == (0.0031, "watch")


def test_an_event_holds_the_numbers_compared() -> None:
    """From, to, their times, the surprise and how many times the usual are the snapshot's."""
    known: dict[str, Any] = {
        "move_5m": -0.02,
        "sigma_5m": 0.004,
        "move_5m_surprise": -3.1,
        "move_from_5m": 102.0,
        "move_to": 99.96,
        "move_to_ts": START - 3.0,
        "surprise": -1.0,
        "vs_peers": -0.5,
        "early": True,
        "regime": "high_vol",
    }
    (event,) = StressDetector().check(shot(0, **known))
    lead = event.lead
    assert (lead.from_price, lead.from_ts) == (102.0, START - 300)
    assert (lead.to_price, lead.to_ts) == (99.96, START - 3.0)
    assert lead.surprise == -3.1
    assert lead.times_usual == pytest.approx(5.0)
    assert (event.vs_peers, event.regime, event.early) == (-0.5, "high_vol", True)
    assert (event.ts, event.updated_ts, event.count) == (START, START, 1)
    assert not event.history


# One burst, one event.


def test_the_kinds_of_a_burst_are_parts_of_one_event() -> None:
    """They join while one of them goes on; each keeps the values of its own furthest instant."""
    detector = StressDetector()
    (first,) = detector.check(shot(0, move_1m=0.002))
    (second,) = detector.check(shot(5, move_1m=0.004, move_5m=0.004))
    known: dict[str, Any] = {"vol_15m": 0.004, "vol_median": 0.001}
    (third,) = detector.check(shot(20, move_1m=0.003, move_5m=0.004, **known))
    assert first.id == second.id == third.id
    assert [part.kind for part in third.parts] == ["move_1m", "move_5m", "vol_spike"]
    assert [(part.to_ts or 0.0) - START for part in third.parts] == [5, 5, 20]
    assert third.lead == second.parts[0]
    assert (third.ts, third.updated_ts, third.count) == (START, START + 20, 1)


def test_the_move_that_is_furthest_beyond_leads() -> None:
    """A volatility never does while there is a move; the severity is that of the furthest part."""
    known: dict[str, Any] = {"vol_15m": 0.0125, "vol_median": 0.001}
    (event,) = StressDetector().check(shot(0, move_1m=0.0013, move_5m=0.0081, **known))
    assert (event.kind, event.severity) == ("move_5m", "extreme")
    assert event.ratio == pytest.approx(0.0125 / 0.003)


def test_oscillating_around_the_threshold_is_one_event() -> None:
    """However long it stays between 0.8 and 1 thresholds, it has not re-armed, nor come back."""
    for half_period in (1, 20, 61, 150):
        series = [1.05 if (i // half_period) % 2 == 0 else 0.85 for i in range(600)]
        found = moves(series)
        assert begun(found) == [0]
        assert found[-1][1].count == 1


def test_a_part_joins_within_the_cooldown_and_no_later() -> None:
    """Less than 30 s after the last part ended it is the same burst, and comes back in it."""
    found = moves([1.2, *[0.5] * 29, 1.1])
    assert begun(found) == [0, 30]
    found = moves([1.2, *[0.5] * 28, 1.1])
    assert begun(found) == [0]
    assert [event.count for _, event in found] == [1, 2]
    detector = StressDetector(cooldown_sec=5)
    assert len(detector.check(shot(0, move_1m=0.002))) == 1
    both = detector.check(shot(6, move_1m=0.002, move_5m=0.005) | {"move_1m": 0.0})
    (event,) = going_on(both)
    assert (event.ts, event.kind) == (START + 6, "move_5m")


def test_it_rearms_when_every_part_has_fallen() -> None:
    """While the move over five minutes goes on, one over a minute belongs to it."""
    detector = StressDetector()
    detector.check(shot(0, move_1m=0.002, move_5m=0.005))
    for second in range(1, 200):
        assert detector.check(shot(second, move_1m=0.0, move_5m=0.0041)) == []
    (event,) = detector.check(shot(200, move_1m=0.0013, move_5m=0.0041))
    assert (event.ts, event.count) == (START, 2)
    for second in range(201, 260):
        assert going_on(detector.check(shot(second, move_1m=0.0, move_5m=0.0))) == []
    (event,) = detector.check(shot(260, move_1m=0.0013, move_5m=0.0))
    assert (event.ts, event.count) == (START + 260, 1)


def test_an_event_is_over_when_nothing_can_join_it_any_more() -> None:
    """Its last state says when the last of it went on; it comes once, whoever still ticks."""
    found = moves([2.0, 2.0, 0.9, *[0.5] * 60, 2.0])
    first, over, second = [(at, event.over_ts) for at, event in found]
    assert (first, over, second) == ((0, None), (32, START + 2), (63, None))
    assert {event.id for _, event in found[:2]} == {found[0][1].id}
    assert found[1][1].updated_ts == START + 32
    assert found[1][1].lead == found[0][1].lead
    # Of a symbol that fell silent, or whose market closed, when its horizon is over, too.
    silent = StressDetector()
    silent.check(shot(0, move_1m=0.002))
    assert silent.check_all([], now=START + 60.0) == []
    (event,) = silent.check_all([], now=START + 61.0)
    assert event.over_ts == START
    assert silent.check_all([], now=START + 62.0) == []


def test_an_event_that_another_takes_the_place_of_is_over() -> None:
    """A move back beyond the price before the burst ends it, and is told after that."""
    detector = StressDetector()
    (rise,) = detector.check(shot(0, move_1m=0.002))
    back: dict[str, Any] = {"move_from_1m_ts": START - 5.0, "move_to": 99.0}
    over, fall = detector.check(shot(10, move_1m=-0.01, **back))
    assert (over.id, over.over_ts, over.updated_ts) == (rise.id, START, START + 10)
    assert (fall.ts, fall.over_ts, fall.lead.rises) == (START + 10, None, False)


def test_an_event_of_twins_is_over_when_both_bursts_are() -> None:
    """The burst of a twin that is told as another's holds that event open."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
    detector.check_all([shot(0, symbol=name, move_1m=0.002) for name in "AB"])
    found = []
    for second in range(1, 100):
        of_twin = 0.002 if second < 50 else 0.0
        rows = [shot(second, symbol="A", move_1m=0.0), shot(second, symbol="B", move_1m=of_twin)]
        found += detector.check_all(rows)
    (event,) = found
    assert (event.symbol, event.twins) == ("A", ("B",))
    assert (event.over_ts, event.updated_ts) == (START + 49, START + 79)


def test_an_event_restored_comes_to_its_end() -> None:
    """Whoever remembers one that goes on tells its end, once."""
    first, second = StressDetector(), StressDetector()
    first.check(shot(0, move_1m=0.002))
    second.restore(first.tracks)
    (event,) = second.check(shot(3600, move_1m=0.0))
    assert (event.ts, event.over_ts) == (START, START)
    third = StressDetector()
    third.restore(second.tracks)
    assert third.check(shot(3601, move_1m=0.0)) == []


def test_what_lasts_unchanged_is_told_once() -> None:
    """Ten minutes at one value are one state of one event."""
    assert len(moves([1.5] * 600)) == 1


def test_severity_escalates_with_the_peak_and_stays() -> None:
    """Watch from 1, alert from 2, extreme from 4 thresholds; it does not fall with the value."""
    found = moves([1.0, 1.99, 2.0, 3.99, 4.0, 1.5, 1.5])
    assert [event.severity for _, event in found] == ["watch", "watch", "alert", "alert", "extreme"]
    later = moves([1.0, 4.0, *[0.5] * 20, 1.1])
    assert (later[-1][1].severity, later[-1][1].count) == ("extreme", 2)
    assert later[-1][1].lead.value == pytest.approx(0.0048)


def test_the_other_fields_belong_to_the_peak() -> None:
    """Prices, their times and the regime are those of the furthest move, not of the latest."""
    detector = StressDetector()
    detector.check(shot(0, move_1m=0.002))
    (peak,) = detector.check(shot(5, move_1m=0.004, regime="high_vol"))
    assert (peak.lead.to_price, peak.lead.to_ts) == (100.4, START + 5)
    assert peak.regime == "high_vol"
    (later,) = detector.check(shot(35, move_1m=0.003, move_5m=0.0041, regime="normal"))
    assert later == replace(peak, parts=later.parts, updated_ts=START + 35)


# There and back.


def test_the_way_back_is_no_event() -> None:
    """One per cent up for any time below five minutes, and back: one event, up, told once.

    Nor is there one when the price of the burst leaves a horizon, up to five minutes later.
    """
    for seconds in (8, 20, 59, 60, 61, 120, 299):
        path = [100.0] * 400 + [101.0] * seconds + [100.0] * 1000
        found = prices(path)
        assert begun(found) == [400], seconds
        assert all(event.lead.rises for _, event in found)


def test_a_fall_from_where_the_price_has_settled_is_an_event() -> None:
    """Once the moves of the burst are over, however long its volatility lasts."""
    path = [100.0] * 400 + [101.0] * 320 + [100.0] * 700
    for known in ({}, {"vol_15m": 0.004, "vol_median": 0.001}):
        found = prices(path, **known)
        assert [event.lead.rises for _, event in found if event.kind != "vol_spike"][-1] is False
        assert begun(found)[-1] == 720


@pytest.mark.parametrize(("low", "events"), [(99.89, 1), (99.87, 2)])
def test_a_fall_beyond_the_price_before_the_burst_is_an_event(low: float, events: int) -> None:
    """It must be beyond that price by a threshold; then the fall is told as it was measured."""
    found = prices([100.0] * 400 + [101.0] * 30 + [low] * 100)
    assert len(begun(found)) == events
    if events == 2:
        fall = next(event for _, event in found if not event.lead.rises)
        assert fall.ts == START + 430
        assert fall.lead.value == pytest.approx(low / 100 - 1)


def test_a_fall_after_a_long_rise_is_an_event() -> None:
    """It need not undo all of a rise of twenty minutes to be news."""
    rise = [100.0 + 0.002 * second for second in range(1200)]
    found = prices([100.0] * 400 + rise + [rise[-1] - 0.6] * 100)
    (last,) = {event.id: event for _, event in found if not event.lead.rises}.values()
    assert last.ts == START + 1600
    assert begun(found)[-1] == 1600
    assert len(begun(found)) == 2


def test_a_fall_of_five_minutes_is_told_despite_a_small_rise_in_it() -> None:
    """What is measured from a price before the burst does not undo the burst."""
    fall = [100.0 - 0.002 * second for second in range(300)]
    path = [100.0] * 400 + fall[:200] + [fall[200] + 0.16] * 20 + fall[220:] + [99.4] * 50
    found = prices(path)
    assert any(event.kind == "move_5m" and not event.lead.rises for _, event in found)


def test_a_symbol_has_one_burst_at_a_time() -> None:
    """What goes the other way ends the burst before it: no two events change at once."""
    shots = restless(11, 600)
    detector = StressDetector()
    newest: dict[str, float] = {}
    for snapshot in shots:
        for event in detector.check(snapshot):
            assert event.ts >= newest.get(event.symbol, 0.0) or event.ts == snapshot["now"]
            newest[event.symbol] = event.ts
    assert len(detector.tracks) == 2


# Alone, with its peers, twins.


@pytest.mark.parametrize(
    ("surprise", "others", "twin", "company"),
    [
        (3.0, 0.9, 0.0, Company.ALONE),
        (-3.0, 0.9, 0.0, Company.ALONE),
        (3.0, 1.1, 0.0, Company.WITH_PEERS),
        (-3.0, -1.1, 0.0, Company.WITH_PEERS),
        (3.0, -1.1, 0.0, Company.UNKNOWN),
        (2.0, 0.0, 0.0, Company.UNKNOWN),
        (3.0, None, 0.0, Company.UNKNOWN),
        (3.0, 0.0, 1.1, Company.UNKNOWN),
        (3.0, 0.0, 1.0, Company.ALONE),
        (3.0, 0.0, -2.1, Company.ALONE),
        (3.0, 0.0, None, Company.UNKNOWN),
        (3.0, 1.1, 2.1, Company.WITH_PEERS),
    ],
)
def test_who_moves_along(
    surprise: float, others: float | None, twin: float | None, company: Company
) -> None:
    """Alone: beyond 2 while the others' median is within 1, and so is every twin."""
    detector = StressDetector()
    detector.set_twins({"AAPL": frozenset({"TWIN"})})
    known: dict[str, Any] = {
        "move_1m": 0.01 if surprise > 0 else -0.01,
        "surprise": surprise,
        "vs_peers": None if others is None else surprise - others,
    }
    (event,) = detector.check_all([shot(0, **known), shot(0, symbol="TWIN", surprise=twin)])
    assert event.company is company


def test_only_a_one_minute_move_is_compared_with_its_peers() -> None:
    """Peers are compared over one minute, which says nothing about five or about volatility."""
    known: dict[str, Any] = {"surprise": 5.0, "vs_peers": 5.0}
    (event,) = StressDetector().check(shot(0, move_5m=0.02, **known))
    assert event.company is Company.UNKNOWN


def test_the_bursts_of_twins_are_one_event() -> None:
    """The first tells of them all; what they do from then on is told of the first alone."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A", "C"}), "C": frozenset({"B"})})

    def second(at: int, **moved: float) -> list[Event]:
        names = ("A", "B", "C", "OTHER")
        return detector.check_all([shot(at, symbol=n, move_1m=moved.get(n, 0.0)) for n in names])

    (first,) = second(0, B=0.002)
    assert (first.symbol, first.twins) == ("B", ())
    (joined,) = second(1, A=0.0013, B=0.002)
    assert (joined.id, joined.twins, joined.updated_ts) == (first.id, ("A",), START + 1)
    (again,) = second(2, A=0.009, B=0.0021, C=0.002)
    assert (again.id, again.twins) == (first.id, ("A", "C"))
    assert again.lead.value == 0.0021
    assert second(3, A=0.0095, B=0.0021, C=0.002) == []
    (other,) = second(4, A=0.0095, B=0.0021, C=0.002, OTHER=0.002)
    assert (other.symbol, other.twins) == ("OTHER", ())


def test_a_twin_is_told_by_itself_when_its_leader_falls_silent() -> None:
    """Once it is severer than what was told; not while the leader can still tell of it."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})

    def second(at: int, *, of_twin: float, age: float) -> list[Event]:
        leader = shot(at, symbol="A", move_1m=0.002, age=age)
        return detector.check_all([leader, shot(at, symbol="B", move_1m=of_twin)])

    (event,) = second(0, of_twin=0.002, age=0.0)
    assert (event.symbol, event.twins, event.severity) == ("A", ("B",), "watch")
    assert second(1, of_twin=0.01, age=0.0) == []
    assert second(2, of_twin=0.0021, age=31.0)[0].severity == "extreme"
    assert second(3, of_twin=0.0022, age=31.0) == []  # it has its own event now
    (higher,) = second(4, of_twin=0.012, age=31.0)
    assert (higher.symbol, higher.twins, higher.lead.value) == ("B", (), 0.012)


def test_a_twin_no_severer_than_its_leader_stays_untold() -> None:
    """A burst that is over is not told afterwards either."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
    detector.check_all([shot(0, symbol=name, move_1m=0.002) for name in "AB"])
    assert detector.check(shot(40, symbol="B", move_1m=0.0022)) == []
    detector.check_all([shot(41, symbol="A", move_1m=0.002), shot(41, symbol="B", move_1m=0.01)])
    assert going_on(detector.check(shot(200, symbol="B", move_1m=0.0))) == []


def test_a_twin_that_moves_the_other_way_is_told_by_itself() -> None:
    """One direction is one burst; a twin's own comes of its own event after that."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
    found = detector.check_all(
        [shot(0, symbol="A", move_1m=0.002), shot(0, symbol="B", move_1m=-0.002)]
    )
    assert [event.symbol for event in found] == ["A", "B"]


def test_an_event_with_a_twin_is_not_alone() -> None:
    """Nor does it become so by a higher peak."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
    known: dict[str, Any] = {"surprise": 3.0, "vs_peers": 3.0}
    (event,) = detector.check_all([shot(0, symbol="A", move_1m=0.002, **known)])
    assert event.company is Company.ALONE
    (event,) = detector.check_all([shot(1, symbol="B", move_1m=0.002)])
    assert event.company is Company.UNKNOWN
    (event,) = detector.check_all([shot(2, symbol="A", move_1m=0.004, **known)])
    assert event.company is Company.UNKNOWN


def test_nobody_is_alone_whose_twin_follows() -> None:
    """Within the minute of the peak; what the twin does later is another move."""
    for follows_at, company in ((3, Company.UNKNOWN), (61, Company.ALONE)):
        detector = StressDetector()
        detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
        states: list[Event] = []
        for at in (0, 1, follows_at):
            known: dict[str, Any] = {"move_1m": 0.002, "surprise": 3.0, "vs_peers": 3.0}
            of_twin = 1.2 if at == follows_at else 0.4
            rows = [shot(at, symbol="A", **known), shot(at, symbol="B", surprise=of_twin)]
            states += detector.check_all(rows)
        assert states[0].company is Company.ALONE
        assert states[-1].company is company


def test_twins_found_late_are_told_as_one_from_then_on() -> None:
    """The first goes on and tells of the others, and their own events are over."""
    detector = StressDetector()

    def second(at: int) -> list[Event]:
        return detector.check_all([shot(at, symbol=n, move_1m=0.002) for n in ("A", "B", "C")])

    (first,) = detector.check(shot(0, symbol="B", move_1m=0.002))
    own = second(1)
    assert [event.symbol for event in own] == ["A", "C"]
    pairs = {"A": "B", "B": "AC", "C": "B"}
    detector.set_twins({name: frozenset(others) for name, others in pairs.items()})
    found = {event.id: event for event in second(2)}
    assert found.keys() == {event.id for event in (first, *own)}
    assert (found[first.id].twins, found[first.id].over_ts) == (("A", "C"), None)
    assert [found[event.id].over_ts for event in own] == [START + 2, START + 2]
    assert second(3) == []
    assert [track.leader for track in detector.tracks] == ["B", "B", "B"]


def test_the_severest_of_late_twins_tells_of_the_others() -> None:
    """And not those that move the other way."""
    detector = StressDetector()
    moved = {"A": 0.002, "B": 0.01, "C": -0.002}

    def second(at: int) -> list[Event]:
        return detector.check_all([shot(at, symbol=n, move_1m=m) for n, m in moved.items()])

    assert len(second(0)) == 3
    detector.set_twins({name: frozenset(moved.keys() - {name}) for name in moved})
    found = {event.symbol: event for event in second(1)}
    assert found.keys() == {"A", "B"}
    assert (found["A"].over_ts, found["B"].twins, found["B"].severity) == (
        START + 1,
        ("A",),
        "extreme",
    )


def test_symbols_do_not_mask_one_another() -> None:
    """Each symbol has its own burst."""
    found = StressDetector().check_all([shot(0, symbol=name, move_1m=0.01) for name in "AB"])
    assert [event.symbol for event in found] == ["A", "B"]
    assert found[0].id != found[1].id


# Staleness, gaps, clocks, history.


@pytest.mark.parametrize(("age", "events"), [(30.0, 1), (30.1, 0), (None, 0), (7200.0, 0)])
def test_a_stale_symbol_raises_nothing(age: float | None, events: int) -> None:
    """A price more than thirty seconds old makes no event."""
    assert len(StressDetector().check(shot(0, move_1m=0.01, age=age))) == events


def test_unknown_figures_raise_nothing() -> None:
    """In the warm-up everything is blank, and blank is no event."""
    assert StressDetector().check(shot(0)) == []


def test_a_part_goes_on_for_its_horizon_while_its_value_is_not_known() -> None:
    """A sparse symbol's figures come and go; after a gap a move is another event."""
    assert begun(moves([2.0, *[None] * 59, 2.0])) == [0]
    assert begun(moves([2.0, *[None] * 60, 2.0])) == [0, 61]


def test_a_clock_that_steps_back_holds_nothing() -> None:
    """An hour back, the next crossing is an event, and one that lasts goes on as another."""
    detector = StressDetector()
    assert len(detector.check(shot(3600, move_1m=0.002))) == 1
    (event,) = going_on(detector.check(shot(1, move_1m=-0.002)))
    assert (event.ts, event.count) == (START + 1, 1)
    lasting = StressDetector()
    lasting.check(shot(3600, move_1m=0.002))
    (event,) = going_on(lasting.check(shot(0, move_1m=0.002)))
    assert event.ts == event.updated_ts == START
    lasting.check(shot(200, move_1m=0.0))
    (event,) = going_on(lasting.check(shot(240, move_1m=0.002)))
    assert event.ts == START + 240
    # A second or two are no other time.
    small = StressDetector()
    small.check(shot(10, move_1m=0.002))
    (event,) = small.check(shot(8, move_1m=0.003))
    assert (event.ts, event.updated_ts) == (START + 10, START + 10)


def test_history_is_marked() -> None:
    """What begins in backfilled ticks is history, and stays it as it goes on."""
    detector = StressDetector()
    (old,) = detector.check(shot(0, move_1m=0.002), history=True)
    (same,) = detector.check(shot(1, move_1m=0.003))
    assert (old.history, same.history, same.id) == (True, True, old.id)
    (new,) = StressDetector().check(shot(0, move_1m=0.002), history=False)
    assert not new.history


# Text.


@pytest.mark.parametrize(
    ("asset", "known", "text"),
    [
        (
            "stocks",
            {
                "move_1m": -0.0134,
                "sigma_1m": 0.0016,
                "move_1m_surprise": -3.1,
                "surprise": -3.1,
                "vs_peers": -3.0,
                "move_from_1m": 153.21,
                "move_to": 151.16,
            },
            "AAPL fell 1.34 % in 1 min: 8.4 × its usual minute,"
            " rarer than 99.8 % of its own last day, 153.21 → 151.16, alone",
        ),
        (
            "crypto",
            {
                "move_1m": 0.0052,
                "sigma_1m": 0.0016,
                "move_1m_surprise": 2.6,
                "surprise": 2.6,
                "vs_peers": 1.0,
                "early": True,
                "move_from_1m": 4012.5,
                "move_to": 4033.25,
            },
            "AAPL rose 0.52 % in 1 min: 3.2 × its usual minute, 4,012.50 → 4,033.25,"
            " with its peers",
        ),
        (
            "forex",
            {"move_5m": 0.0021, "move_from_5m": 1.0812, "move_to": 1.08347},
            "AAPL rose 0.21 % in 5 min: 1.08120 → 1.08347",
        ),
        (
            "crypto",
            {"vol_15m": 0.0123, "vol_median": 0.005},
            "AAPL volatility 1.23 % per 15 min: 2.5 × its hourly median, unusual from 0.90 % on",
        ),
    ],
)
def test_the_text_is_made_of_the_numbers(asset: str, known: dict[str, Any], text: str) -> None:
    """How far, over how long, how unusual, how rare unless that is early, from where to where."""
    (event,) = StressDetector().check(shot(0, asset, **known))
    assert (event.text, event.more) == (text, "")


@pytest.mark.parametrize(
    ("known", "twins", "title", "brief"),
    [
        (
            {"move_1m": -0.0093, "sigma_1m": 0.00113, "surprise": -8.1, "vs_peers": -8.0},
            (),
            "META −0.93 %",
            "in 1 min, 8× its usual minute, alone",
        ),
        ({"move_5m": 0.0112}, (), "META +1.1 %", "in 5 min"),
        (
            {"vol_15m": 0.0042, "vol_median": 0.0017},
            (),
            "META volatility 0.42 %",
            "per 15 min, 2.5× its hourly median",
        ),
        ({"move_1m": 0.0112}, ("META-X", "META-Y"), "META and META (X, Y) +1.1 %", "in 1 min"),
    ],
)
def test_a_title_is_as_short_as_can_be(
    known: dict[str, Any], twins: tuple[str, ...], title: str, brief: str
) -> None:
    """Who and by how much; then how long it took, beside what is usual."""
    (event,) = StressDetector().check(shot(0, symbol="META", **known))
    event = replace(event, twins=twins)
    assert (event.title, event.brief) == (title, brief)
    assert event.symbols == ("META", *twins)


def test_the_second_line_tells_the_other_parts_and_the_twins() -> None:
    """Never what the first has told."""
    detector = StressDetector()
    detector.set_twins({"A": frozenset({"B"}), "B": frozenset({"A"})})
    known: dict[str, Any] = {"move_5m": -0.0055, "vol_15m": 0.0042, "vol_median": 0.001}
    (event,) = detector.check(shot(0, symbol="A", move_1m=-0.005, **known))
    assert event.more == "also 0.55 % in 5 min, volatility 0.42 % per 15 min"
    (event,) = detector.check(shot(0, symbol="B", move_1m=-0.005))
    assert event.more == "also 0.55 % in 5 min, volatility 0.42 % per 15 min; B moved along"


# Remembered across a restart.


def restless(seed: int, count: int) -> list[dict[str, Any]]:
    """Snapshots of two symbols around their thresholds: lasting, flipping, blank, stale, gaps."""
    rng = random.Random(seed)
    second, shots = 0.0, []
    values: dict[tuple[str, str], float] = {}
    for _ in range(count):
        second += rng.choice([0.5, 1.0, 1.0, 5.0, 29.5, 31.0])
        if rng.random() < 0.02:
            second += rng.choice([-700.0, 200.0, 1200.0])
        for symbol, asset in (("AAPL", "stocks"), ("BTC-USD", "crypto")):
            known: dict[str, Any] = {"vol_median": 0.0005, "age": rng.choice([0.0, 1.0, 31.0])}
            for kind, column in COLUMN.items():
                value = values.get((symbol, kind), 1.0)
                if rng.random() < 0.3:
                    value = rng.choice([0.5, 0.79, 0.9, 1.0, 1.2, 2.5, 4.5, -1.1, -0.9])
                values[symbol, kind] = value
                blank = rng.random() < 0.05
                known[column] = None if blank else value * THRESHOLDS[asset][kind]
            known["move_1m_surprise"] = rng.choice([None, 1.0, 3.0])
            shots.append(shot(second, asset, symbol, **known))
    return shots


@given(st.integers(0, 2**16), st.floats(0.0, 1.0), st.sampled_from([1, 3, 1000]))
@settings(derandomize=True, deadline=None, max_examples=80)
def test_a_detector_restored_goes_on_as_if_never_stopped(
    seed: int, place: float, every: int
) -> None:
    """Cut anywhere, nothing fires twice or is lost: ids, counts and peaks are those of one run."""
    shots = restless(seed, 250)
    cut = int(place * len(shots))
    uninterrupted, first, second = StressDetector(), StressDetector(), StressDetector()
    twins = {"AAPL": frozenset({"BTC-USD"}), "BTC-USD": frozenset({"AAPL"})} if seed % 2 else {}
    for detector in (uninterrupted, first, second):
        detector.set_twins(twins)
    kept: dict[str, Remembered] = {}
    for number, snapshot in enumerate(shots[:cut]):
        assert first.check(snapshot) == uninterrupted.check(snapshot)
        if number % every == 0 or number == cut - 1:
            kept |= {track.key: track for track in first.collect_changed()}
    second.restore(kept.values())
    assert second.collect_changed() == []
    found = [(second.check(snapshot), uninterrupted.check(snapshot)) for snapshot in shots[cut:]]
    for restored, wanted in found:
        assert restored == wanted


def test_what_did_not_change_is_not_handed_out_again() -> None:
    """Only the symbols whose burst began, went on or ended since."""
    detector = StressDetector()
    detector.check(shot(0, move_1m=0.002))
    detector.collect_changed()
    (taken,) = detector.tracks
    assert detector.collect_changed() == []
    detector.check(shot(5, move_1m=0.006))
    (later,) = detector.tracks
    assert detector.collect_changed() == [later]
    assert (later.symbol, later.burst.seen_ts) == ("AAPL", START + 5)
    assert taken.burst.seen_ts == START
    detector.check(shot(6, move_1m=0.0))
    (over,) = detector.tracks
    assert detector.collect_changed() == [over]
    assert not over.burst.active
    detector.check(shot(7, move_1m=0.0))
    assert detector.collect_changed() == []


def test_states_taken_together_are_as_good_as_one_by_one() -> None:
    """add_many leaves what add leaves, for any cut of the stream of states."""
    detector, states = StressDetector(), []
    for snapshot in restless(7, 400):
        states += detector.check(snapshot)
    one_by_one, together = EventStore(30), EventStore(30)
    for state in states:
        one_by_one.add(state)
    for begin in range(0, len(states), 9):
        together.add_many(iter(states[begin : begin + 9]))
    for now in (None, *(state.updated_ts for state in states[-200::20])):
        assert together.latest(99, now=now) == one_by_one.latest(99, now=now)
