"""StressDetector rule by rule on built snapshots, end to end through the store, and EventStore."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import THRESHOLDS, Event, EventStore, StressDetector, Track
from pulse_store import PulseStore
from tests.reading import readers
from ticks import EventKind, Tick

START: Final = 1_760_000_400

ROWS: Final = [
    ("stocks", "move_1m", 0.0012),
    ("forex", "move_1m", 0.0006),
    ("crypto", "move_1m", 0.0025),
    ("stocks", "move_5m", 0.0040),
    ("forex", "move_5m", 0.0018),
    ("crypto", "move_5m", 0.0080),
    ("stocks", "vol_spike", 0.0030),
    ("forex", "vol_spike", 0.0008),
    ("crypto", "vol_spike", 0.0060),
]

COLUMN: Final = {"move_1m": "ret_1m", "move_5m": "ret_5m", "vol_spike": "vol_15m"}


def shot(second: float, asset: str = "stocks", **known: Any) -> dict[str, Any]:
    """A snapshot ``second`` seconds after the start in which nothing happens but ``known``."""
    now = START + second
    row: dict[str, Any] = {
        "symbol": "AAPL",
        "now": now,
        "asset": asset,
        "last": 101.0,
        "last_ts": now,
        "age": 0.0,
        "ret_1m": None,
        "ret_5m": None,
        "ret_15m": None,
        "vol_15m": None,
        "vol_median": None,
        "trend_15m": None,
        "surprise": None,
        "vs_peers": None,
        "regime": "normal",
        "sigma_1m": None,
        "sigma_5m": None,
        "ref_1m": 100.0,
        "ref_1m_ts": now - 60,
        "ref_5m": 99.0,
        "ref_5m_ts": now - 300,
        "watched_sec": 900.0,
    }
    assert known.keys() <= row.keys()
    return row | known


def moves(
    values: Sequence[float | None], every_sec: float = 1.0, **known: Any
) -> list[tuple[float, Event]]:
    """What a fresh detector says, and when, to a series of one-minute moves in thresholds."""
    detector = StressDetector()
    found = []
    for i, value in enumerate(values):
        move = None if value is None else value * 0.0012
        found += [
            (i * every_sec, event)
            for event in detector.check(shot(i * every_sec, ret_1m=move, **known))
        ]
    return found


def begun(found: Sequence[tuple[float, Event]]) -> list[float]:
    """The times at which something began, by the ids first seen."""
    first: dict[str, float] = {}
    for second, event in found:
        first.setdefault(event.id, second)
    return list(first.values())


# Thresholds.


@pytest.mark.parametrize(("asset", "kind", "threshold"), ROWS)
def test_each_class_has_its_thresholds(asset: str, kind: EventKind, threshold: float) -> None:
    """At the threshold there is an event, just below it there is none, in either direction."""
    assert THRESHOLDS[asset][kind] == threshold
    column = COLUMN[kind]
    for sign in (1,) if kind == "vol_spike" else (1, -1):
        known = {"vol_median": 1e-9} | {column: sign * threshold * 0.999}
        assert StressDetector().check(shot(0, asset, **known)) == []
        known[column] = sign * threshold
        (event,) = StressDetector().check(shot(0, asset, **known))
        assert (event.kind, event.asset, event.symbol) == (kind, asset, "AAPL")
        assert (event.peak, event.threshold) == (sign * threshold, threshold)
        assert event.horizon_sec == {"move_1m": 60, "move_5m": 300, "vol_spike": 900}[kind]


def test_an_event_holds_the_numbers_compared() -> None:
    """From, to, their times, surprise, peers and regime are those of the snapshot."""
    known: dict[str, Any] = {
        "ret_5m": -0.02,
        "sigma_5m": 0.004,
        "vs_peers": -0.01,
        "regime": "high_vol",
    }
    (event,) = StressDetector().check(shot(0, last_ts=START - 3.0, age=3.0, **known))
    assert (event.from_price, event.from_ts) == (99.0, START - 300)
    assert (event.to_price, event.to_ts) == (101.0, START - 3.0)
    assert event.surprise == pytest.approx(-5.0)
    assert (event.vs_peers, event.regime) == (-0.01, "high_vol")
    assert (event.ts, event.updated_ts, event.count) == (START, START, 1)
    assert not event.history


def test_thresholds_can_be_given() -> None:
    """Other thresholds than the usual, per class and kind."""
    thresholds: dict[str, dict[EventKind, float]] = {
        "stocks": {"move_1m": 0.05, "move_5m": 0.001, "vol_spike": 1.0}
    }
    (event,) = StressDetector(thresholds).check(shot(0, ret_1m=0.04, ret_5m=0.002))
    assert event.kind == "move_5m"


# Unusual for the symbol.


@pytest.mark.parametrize("horizon", ["1m", "5m"])
@pytest.mark.parametrize(
    ("sigmas", "min_surprise", "events"),
    [(2.49, 2.5, 0), (2.51, 2.5, 1), (-2.49, 2.5, 0), (-2.51, 2.5, 1), (0.3, 0.0, 1), (4, 5, 0)],
)
def test_a_move_must_be_unusual(
    horizon: str, sigmas: float, min_surprise: float, events: int
) -> None:
    """A move below min_surprise of its own σ over that horizon is none; 0 turns that off."""
    known: dict[str, Any] = {f"ret_{horizon}": 0.02 * sigmas, f"sigma_{horizon}": 0.02}
    detector = StressDetector(min_surprise=min_surprise)
    assert len(detector.check(shot(0, **known))) == events


def test_a_move_of_unknown_surprise_counts() -> None:
    """Where σ is not known, or nothing moved before, the threshold alone decides."""
    for sigma in (None, 0.0):
        (event,) = StressDetector().check(shot(0, ret_1m=0.0012, sigma_1m=sigma))
        assert event.surprise is None


@pytest.mark.parametrize(("watched", "events"), [(None, 0), (599.0, 0), (600.0, 1)])
def test_a_move_of_unknown_surprise_waits_for_the_warm_up(
    watched: float | None, events: int
) -> None:
    """A symbol that has just begun is not known well enough; a sparse one is, after a while."""
    found = StressDetector().check(shot(0, ret_1m=0.01, watched_sec=watched))
    assert len(found) == events
    known = StressDetector().check(shot(0, ret_1m=0.01, sigma_1m=0.001, watched_sec=watched))
    assert len(known) == 1


def test_the_other_horizon_does_not_excuse() -> None:
    """Each move is held against the σ of its own horizon."""
    known: dict[str, Any] = {"ret_1m": 0.01, "sigma_1m": 0.001, "ret_5m": 0.01, "sigma_5m": 0.01}
    (event,) = StressDetector().check(shot(0, **known))
    assert event.kind == "move_1m"


# Volatility spikes.


@pytest.mark.parametrize(
    ("vol", "median", "threshold"),
    [
        (0.0031, 0.001, 0.003),
        (0.0029, 0.001, None),
        (0.00721, 0.004, 0.0072),
        (0.00719, 0.004, None),
    ],
)
def test_a_spike_is_high_for_its_class_and_for_itself(
    vol: float, median: float, threshold: float | None
) -> None:
    """The class threshold and 1.8 hourly medians must both be reached."""
    found = StressDetector().check(shot(0, vol_15m=vol, vol_median=median))
    wanted = [] if threshold is None else [threshold]
    assert [event.threshold for event in found] == pytest.approx(wanted)


def test_a_spike_waits_for_the_warm_up() -> None:
    """Without a median of its own there is nothing to be unusual against."""
    assert StressDetector().check(shot(0, vol_15m=0.5, vol_median=None)) == []


# One event, updated.


def test_oscillating_around_the_threshold_is_one_event() -> None:
    """Ten minutes a hair above and below the threshold are one event, counted."""
    found = moves([1.0 + 0.001 * (-1) ** i for i in range(600)])
    assert begun(found) == [0.0]
    assert found[-1][1].count == 20


@pytest.mark.parametrize("half_period", [20, 61, 90, 150])
def test_slow_oscillation_above_the_rearm_level_is_one_event(half_period: int) -> None:
    """However long it stays between 0.8 and 1 thresholds, it has not re-armed."""
    series = [1.05 if (i // half_period) % 2 == 0 else 0.9 for i in range(600)]
    assert begun(moves(series)) == [0.0]


def test_it_rearms_below_the_rearm_level() -> None:
    """Fallen below 0.8 thresholds and the cooldown over, the next crossing is a new event."""
    assert begun(moves([1.2, *[0.79] * 40, 1.2])) == [0.0, 41.0]
    assert begun(moves([1.2, *[0.81] * 40, 1.2])) == [0.0]


def test_a_crossing_within_the_cooldown_is_the_same_event() -> None:
    """Fallen below and back within 30 s is the same event, counted again."""
    found = moves([1.2, *[0.5] * 28, 1.1])
    assert begun(found) == [0.0]
    assert [event.count for _, event in found] == [1, 2]
    assert begun(moves([1.2, *[0.5] * 29, 1.1])) == [0.0, 30.0]


def test_an_event_that_lasts_is_updated_not_repeated() -> None:
    """Two minutes above the threshold: one id, a count per cooldown, the first time kept."""
    found = moves([1.5] * 121)
    assert [second for second, _ in found] == [0.0, 30.0, 60.0, 90.0, 120.0]
    assert [event.count for _, event in found] == [1, 2, 3, 4, 5]
    assert {event.id for _, event in found} == {found[0][1].id}
    assert {event.ts for _, event in found} == {START}
    assert [event.updated_ts - START for _, event in found] == [0, 30, 60, 90, 120]


def test_the_cooldown_can_be_given() -> None:
    """Another cooldown than 30 s counts at its own pace."""
    detector = StressDetector(cooldown_sec=10)
    found = [event for i in range(31) for event in detector.check(shot(i, ret_1m=0.002))]
    assert [event.count for event in found] == [1, 2, 3, 4]


def test_severity_escalates_with_the_peak_and_stays() -> None:
    """Watch from 1, alert from 2, extreme from 4 thresholds; it does not fall with the value."""
    found = moves([1.0, 1.99, 2.0, 3.99, 4.0, 1.5, 1.5])
    assert [event.severity for _, event in found] == ["watch", "watch", "alert", "alert", "extreme"]
    later = moves([1.0, 4.0, *[1.1] * 40])
    assert later[-1][1].severity == "extreme"
    assert later[-1][1].peak == pytest.approx(0.0048)


def test_the_other_fields_belong_to_the_peak() -> None:
    """Prices, their times and the regime are those of the furthest move, not of the latest."""
    detector = StressDetector()
    detector.check(shot(0, ret_1m=0.002))
    (peak,) = detector.check(shot(5, ret_1m=-0.0 + 0.004, last=105.0, regime="high_vol"))
    assert (peak.to_price, peak.to_ts, peak.regime) == (105.0, START + 5, "high_vol")
    (later,) = detector.check(shot(35, ret_1m=0.003, last=90.0))
    assert later == replace(peak, count=2, updated_ts=START + 35)


def test_a_flip_ends_the_event() -> None:
    """Down is another event than up, once the cooldown is over."""
    found = moves([*[2.0] * 5, *[-2.0] * 40])
    assert begun(found) == [0.0, 30.0]
    assert [event.peak > 0 for _, event in found] == [True, False]


def test_a_flip_after_the_cooldown_is_an_event_at_once() -> None:
    """The cooldown runs from the last count, here 30 s after the first."""
    found = moves([*[2.0] * 70, *[-2.0] * 40])
    assert begun(found) == [0.0, 90.0]


def test_a_move_that_keeps_coming_back_does_not_mask_its_opposite() -> None:
    """A small rise every 20 s holds a great fall back for one cooldown and no longer."""
    found = moves([2.0 if second % 20 < 3 else -16.0 for second in range(120)])
    assert begun(found)[:2] == [0.0, 30.0]
    assert [event.severity for second, event in found if second == 30.0] == ["extreme"]


def test_kinds_do_not_mask_one_another() -> None:
    """Three kinds at once are three events, and one more joins while another lasts."""
    every: dict[str, Any] = {"ret_1m": 0.01, "ret_5m": -0.01, "vol_15m": 0.01, "vol_median": 0.001}
    found = StressDetector().check(shot(0, **every))
    assert [event.kind for event in found] == ["move_1m", "move_5m", "vol_spike"]
    detector = StressDetector()
    detector.check(shot(0, ret_1m=0.01))
    (event,) = detector.check(shot(1, ret_1m=0.01, ret_5m=0.01))
    assert event.kind == "move_5m"


def test_symbols_do_not_mask_one_another() -> None:
    """Each symbol has its own cooldown."""
    detector = StressDetector()
    found = [detector.check(shot(0, ret_1m=0.01) | {"symbol": name}) for name in "AB"]
    assert [event.symbol for events in found for event in events] == ["A", "B"]
    assert found[0][0].id != found[1][0].id


# Staleness, gaps, clocks, history.


@pytest.mark.parametrize(("age", "events"), [(30.0, 1), (30.1, 0), (None, 0), (7200.0, 0)])
def test_a_stale_symbol_raises_nothing(age: float | None, events: int) -> None:
    """A price more than thirty seconds old makes no event."""
    assert len(StressDetector().check(shot(0, ret_1m=0.01, age=age))) == events


def test_unknown_metrics_raise_nothing() -> None:
    """In the warm-up everything is blank, and blank is no event."""
    assert StressDetector().check(shot(0)) == []


def test_an_event_does_not_last_across_a_gap() -> None:
    """Ten minutes of blanks later, a move is another event."""
    assert begun(moves([2.0, *[None] * 600, 2.0])) == [0.0, 601.0]


def test_a_clock_that_steps_back_holds_nothing() -> None:
    """An hour back, the next crossing is an event, and one that lasts does not raise."""
    detector = StressDetector()
    assert len(detector.check(shot(3600, ret_1m=0.002))) == 1
    assert detector.check(shot(3601, ret_1m=0.0)) == []
    (event,) = detector.check(shot(1, ret_1m=0.002))
    assert (event.ts, event.count) == (START + 1, 1)
    lasting = StressDetector()
    lasting.check(shot(3600, ret_1m=0.002))
    for second in range(200):
        for event in lasting.check(shot(second, ret_1m=0.002)):
            assert event.ts <= event.updated_ts
    lasting.check(shot(200, ret_1m=0.0))
    (event,) = lasting.check(shot(240, ret_1m=0.002))
    assert event.ts == START + 240


def test_history_is_marked() -> None:
    """What begins in backfilled ticks is history, and stays it as it goes on."""
    detector = StressDetector()
    (old,) = detector.check(shot(0, ret_1m=0.002), history=True)
    (same,) = detector.check(shot(1, ret_1m=0.003))
    assert (old.history, same.history, same.id) == (True, True, old.id)
    (new,) = StressDetector().check(shot(0, ret_1m=0.002), history=False)
    assert not new.history


# Text.


@pytest.mark.parametrize(
    ("asset", "known", "text"),
    [
        (
            "stocks",
            {"ret_1m": -0.0134, "sigma_1m": 0.004, "ref_1m": 1153.2, "last": 1137.74},
            "AAPL fell 1.34 % in 1 min, 3.4σ, 1,153.20 → 1,137.74",
        ),
        (
            "forex",
            {"ret_5m": 0.0021, "ref_5m": 1.0812, "last": 1.08347},
            "AAPL rose 0.21 % in 5 min, 1.08120 → 1.08347",
        ),
        (
            "crypto",
            {"vol_15m": 0.0123, "vol_median": 0.005},
            "AAPL volatility 1.23 % per 15 min, unusual from 0.90 % on",
        ),
    ],
)
def test_the_text_is_made_of_the_numbers(asset: str, known: dict[str, Any], text: str) -> None:
    """One sentence: what, how far, over how long, how unusual, from which price to which."""
    (event,) = StressDetector().check(shot(0, asset, **known))
    assert event.text == text


@pytest.mark.parametrize(
    ("move", "peers", "end"),
    [
        (-0.0121, -0.0010, "alone: peers −0.10 %"),
        (-0.0121, -0.0061, "with its peers: −0.61 %"),
        (-0.0121, -0.0060, "alone: peers −0.60 %"),
        (-0.0121, -0.0300, "with its peers: −3.00 %"),
        (-0.0121, 0.0090, "alone: peers +0.90 %"),
        (-0.0121, 0.00004, "alone: peers 0.00 %"),
        (-0.0121, -0.00004, "alone: peers 0.00 %"),
        (0.0121, 0.0090, "with its peers: +0.90 %"),
        (0.0121, -0.0090, "alone: peers −0.90 %"),
        (0.0121, 0.0, "alone: peers 0.00 %"),
    ],
)
def test_the_text_tells_what_the_peers_did(move: float, peers: float, end: str) -> None:
    """With them where they moved at least half as far the same way, else alone."""
    (event,) = StressDetector().check(shot(0, ret_1m=move, vs_peers=move - peers))
    verb = "rose" if move > 0 else "fell"
    assert event.text == f"AAPL {verb} 1.21 % in 1 min, 100.00 → 101.00, {end}"


def test_only_a_one_minute_move_is_compared_with_its_peers() -> None:
    """Peers are compared over one minute, which says nothing about five or about volatility."""
    known: dict[str, Any] = {"ret_5m": 0.02, "vol_15m": 0.02, "vol_median": 0.001}
    for event in StressDetector().check(shot(0, vs_peers=0.01, **known)):
        assert "peers" not in event.text


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
                threshold = THRESHOLDS[asset][kind]  # type: ignore[index]
                value = values.get((symbol, kind), 1.0)
                if rng.random() < 0.3:
                    value = rng.choice([0.5, 0.79, 0.9, 1.0, 1.2, 2.5, 4.5, -1.1, -0.9])
                values[symbol, kind] = value
                known[column] = None if rng.random() < 0.05 else value * threshold
            known["sigma_1m"] = rng.choice([None, 1e-5, 1.0])
            shots.append(shot(second, asset, **known) | {"symbol": symbol})
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
    kept: dict[tuple[str, str], Track] = {}
    for number, snapshot in enumerate(shots[:cut]):
        assert first.check(snapshot) == uninterrupted.check(snapshot)
        if number % every == 0 or number == cut - 1:
            kept |= {
                (track.event.symbol, track.event.kind): track for track in first.collect_changed()
            }
    second.restore(kept.values())
    assert second.collect_changed() == []
    found = [(second.check(snapshot), uninterrupted.check(snapshot)) for snapshot in shots[cut:]]
    for restored, wanted in found:
        assert restored == wanted


def test_what_was_taken_does_not_change_behind_its_reader() -> None:
    """The writer may hold it for a while; what did not change is not handed out again."""
    detector = StressDetector()
    detector.check(shot(0, ret_1m=0.002))
    (taken,) = detector.collect_changed()
    before = replace(taken)
    assert detector.collect_changed() == []
    detector.check(shot(31, ret_1m=0.006))
    assert taken == before
    (later,) = detector.collect_changed()
    assert (later.event.id, later.event.count, later.seen_ts) == (taken.event.id, 2, START + 31)
    other = StressDetector()
    other.restore([later])
    before = replace(later)
    other.check(shot(62, ret_1m=0.007))
    assert later == before


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


# Through the store.


def run(ticks: Sequence[Tick], seconds: int) -> list[Event]:
    """Every event, in its latest state, that a second-by-second worker finds in ``ticks``."""
    store, detector, events = PulseStore(), StressDetector(), EventStore(500)
    waiting = sorted(ticks, key=lambda tick: tick.ts, reverse=True)
    for now in range(START, START + seconds):
        batch = []
        while waiting and waiting[-1].ts < now + 1:
            batch.append(waiting.pop())
        store.update_many(batch)
        store.advance(now)
        for row in store.snapshots(now):
            for event in detector.check(row):
                events.add(event)
    return events.latest(500)[::-1]


def quiet(symbol: str, asset: str, seconds: range, price: float, seed: int = 1) -> list[Tick]:
    """A tick every two seconds around one price, 0.01 % to either side."""
    rng = random.Random(seed)
    return [
        Tick(symbol, asset, START + second + 0.25, price * (1 + rng.uniform(-1, 1) * 1e-4))
        for second in seconds[::2]
    ]


def test_one_jump_makes_exactly_the_events_expected() -> None:
    """One per cent up in a quiet stock: a move of either horizon and a spike, each once."""
    ticks = [
        *quiet("AAPL", "stocks", range(1500), 100.0),
        *quiet("AAPL", "stocks", range(1500, 2400), 101.0),
        *quiet("MSFT", "stocks", range(2400), 400.0, 2),
        *quiet("EURUSD", "forex", range(2400), 1.08, 3),
    ]
    found = run(ticks, 2400)
    assert [(e.symbol, e.kind, e.ts - START) for e in found] == [
        ("AAPL", "move_1m", 1500),
        ("AAPL", "move_5m", 1500),
        ("AAPL", "vol_spike", 1510),
    ]
    minute, five, spike = found
    assert minute.peak == pytest.approx(0.01, abs=4e-4)
    assert (minute.severity, five.severity) == ("extreme", "alert")
    assert minute.from_price == pytest.approx(100.0, rel=2e-4)
    assert minute.to_price == pytest.approx(101.0, rel=2e-4)
    assert minute.updated_ts - minute.ts <= 62
    assert five.updated_ts - five.ts <= 302
    assert minute.count == 2
    assert spike.peak >= spike.threshold >= 0.003


def test_a_quiet_market_makes_no_event() -> None:
    """Half an hour in which nothing happens, warm-up included."""
    ticks = [
        *quiet("AAPL", "stocks", range(1800), 100.0),
        *quiet("EURUSD", "forex", range(1800), 1.08, 5),
        *quiet("BTC-USD", "crypto", range(1800), 92_000.0, 7),
    ]
    assert run(ticks, 1800) == []


def test_a_gap_makes_no_move() -> None:
    """Three per cent lower after ten minutes of silence is not a move of one minute or five."""
    ticks = [
        *quiet("AAPL", "stocks", range(1200), 100.0),
        *quiet("AAPL", "stocks", range(1800, 2600), 97.0, 2),
    ]
    assert run(ticks, 2600) == []


def test_a_replay_finds_the_same_events() -> None:
    """The same ticks give the same events, ids and all."""
    ticks = [
        *quiet("AAPL", "stocks", range(700), 100.0),
        *quiet("AAPL", "stocks", range(700, 900), 102.0, 2),
    ]
    assert run(ticks, 900) == run(ticks, 900) != []


# EventStore.


def event_of(number: int) -> Event:
    """An event that began ``number`` seconds after the start."""
    (event,) = StressDetector().check(shot(number, ret_1m=0.002))
    return event


def test_the_newest_event_is_first() -> None:
    """latest(n) is the n that began last, newest first."""
    events = EventStore(10)
    for number in range(4):
        events.add(event_of(number))
    assert [event.ts - START for event in events.latest(3)] == [3, 2, 1]
    assert len(events.latest(100)) == len(events) == 4
    assert events.latest(0) == []


def test_a_newer_state_replaces_in_place() -> None:
    """An update neither doubles an event nor moves it."""
    events = EventStore(10)
    first = event_of(0)
    events.add(first)
    events.add(event_of(5))
    events.add(replace(first, count=7))
    assert [(event.ts - START, event.count) for event in events.latest(5)] == [(5, 1), (0, 7)]


def test_events_found_late_are_listed_by_their_begin() -> None:
    """The past is searched while the present goes on: what began first is last all the same."""
    events = EventStore(3)
    for number in (50, 10, 60, 20, 55):
        events.add(event_of(number))
    assert [event.ts - START for event in events.latest(9)] == [60, 55, 50]
    events.add(event_of(40))
    assert [event.ts - START for event in events.latest(9)] == [60, 55, 50]


def lasting(number: int, *updates: int) -> list[Event]:
    """An event that began ``number`` seconds after the start, and its states since."""
    first = event_of(number)
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
    events.add(replace(event_of(60), history=True))
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
    for event in (*lasting(0, 30, 60), event_of(4000)):
        events.add(event)
    assert (len(events), events.states) == (2, 2)
    assert counts_at(events, 500) == [(0, 3)]


def test_the_oldest_event_makes_room() -> None:
    """No more than max_events are held."""
    events = EventStore(3)
    for number in range(10):
        events.add(event_of(number))
    assert [event.ts - START for event in events.latest(10)] == [9, 8, 7]
    with pytest.raises(ValueError, match="max_events"):
        EventStore(0)


def test_an_update_of_a_forgotten_event_pushes_no_newer_one_out() -> None:
    """The newest that began stay, also when an older one still changes."""
    events = EventStore(2)
    first = event_of(0)
    for event in (first, event_of(1), event_of(2), replace(first, count=2)):
        events.add(event)
    assert [event.ts - START for event in events.latest(2)] == [2, 1]


def test_events_are_read_while_they_are_written() -> None:
    """Readers in other threads see bounded, ordered lists throughout."""
    events = EventStore(50)
    template = event_of(0)

    def read() -> None:
        times = [event.ts for event in events.latest(60)]
        assert len(times) <= 50
        assert times == sorted(times, reverse=True)
        assert len(events) <= 50

    with readers(read):
        for i in range(3000):
            events.add(replace(template, id=str(i), ts=START + i))
            events.add(replace(template, id=str(i), ts=START + i, count=2))
