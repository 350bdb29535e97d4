"""What the detector finds through the real store, on markets whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bars import Minutes
from correlation import twins
from events import Company, Event, EventStore, StressDetector
from moves import against_peers
from pulse_store import PulseStore
from sources.market import Market
from tests.test_events import shot
from ticks import Asset, Tick
from usual import DayMemory

START: Final = 1_760_000_400
DAY_MIN: Final = 1440

Prices = npt.NDArray[np.float64]


def watch(
    store: PulseStore,
    ticks: Sequence[Tick],
    begin: int,
    end: int,
    *,
    chunk: int = 10**9,
    from_second: int = 0,
    finds_twins: bool = False,
) -> list[Event]:
    """Every event, in its latest state, that a second-by-second worker finds in ``ticks``.

    They are written ``chunk`` at a time; the seconds before ``from_second`` are not searched.
    """
    detector, events = StressDetector(), EventStore(5000)
    waiting = sorted(ticks, key=lambda tick: tick.ts, reverse=True)
    for second in range(begin, end):
        batch = []
        while waiting and waiting[-1].ts < second + 1:
            batch.append(waiting.pop())
        for first in range(0, len(batch), chunk):
            store.update_many(batch[first : first + chunk])
        store.advance(second + 1)
        if second < from_second:
            continue
        if finds_twins and second % 60 == 0:
            detector.set_twins(twins(store, store.symbols, second))
        events.add_many(detector.check_all(store.snapshots(second + 0.999)))
    return events.latest(5000)[::-1]


def walk_ticks(
    symbol: str, asset: str, begin: int, end: int, rate: float, sd: float, seed: int
) -> list[Tick]:
    """Ticks at random times, ``rate`` a second, of a walk with ``sd`` a square root of a second."""
    rng = random.Random(seed)
    ts, log = float(begin), 0.0
    ticks: list[Tick] = []
    while True:
        gap = rng.expovariate(rate)
        ts += gap
        if ts >= end:
            return ticks
        log += rng.gauss(0.0, sd * gap**0.5)
        ticks.append(Tick(symbol, asset, round(ts, 3), 100.0 * np.exp(log)))


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    st.sampled_from([0.05, 0.1, 0.2, 0.5, 1.0, 3.0]),
    st.sampled_from([-0.03, -0.005, 0.002, 0.01, 0.03]),
    st.floats(0.0, 60.0),
    st.sampled_from(["stocks", "forex", "crypto"]),
    st.integers(0, 99),
)
@example(0.2, 0.01, 5.0, "stocks", 1)
@example(0.1, 0.03, 9.5, "forex", 2)
def test_one_print_is_never_an_event(
    rate: float, size: float, at: float, asset: Asset, seed: int
) -> None:
    """At any tick rate: not then, not when it leaves a horizon, and not as a volatility."""
    begin, end = START, START + 1500
    ticks = walk_ticks("X", asset, begin, end, rate, 1e-6, seed)
    place = next(i for i, tick in enumerate(ticks) if tick.ts > begin + 1000 + at)
    ticks[place] = ticks[place]._replace(price=ticks[place].price * (1.0 + size))
    store = PulseStore()
    store.watch(asset, ["X"])
    assert watch(store, ticks, begin, end, from_second=int(ticks[place].ts) - 1) == []


def test_a_replay_finds_the_same_however_its_ticks_are_cut() -> None:
    """One by one, in twos or a second at once: the same events, ids, counts and numbers."""
    found = []
    ticks = [
        *walk_ticks("A", "crypto", START, START + 1300, 2.0, 1e-4, 1),
        *walk_ticks("B", "crypto", START, START + 1300, 0.3, 3e-4, 2),
    ]
    ticks = [t._replace(price=t.price * (1.02 if t.ts > START + 800 else 1.0)) for t in ticks]
    for chunk in (1, 2, 10**9):
        store = PulseStore()
        store.watch("crypto", ["A", "B"])
        found.append(watch(store, ticks, START, START + 1300, chunk=chunk))
    assert found[0] == found[1] == found[2] != []
    assert {event.symbol for event in found[0]} == {"A", "B"}


def test_a_jump_is_one_event_with_its_parts() -> None:
    """One per cent up in a quiet stock, in five seconds: told once, over one minute and five."""
    ticks = walk_ticks("X", "stocks", START, START + 2400, 1.0, 1e-5, 1)
    ticks = [
        t._replace(price=t.price * (1.0 + 0.01 * min(1.0, max(0.0, t.ts - START - 1500) / 5.0)))
        for t in ticks
    ]
    store = PulseStore()
    store.watch("stocks", ["X"])
    (event,) = watch(store, ticks, START, START + 2400)
    assert 1500 <= event.ts - START <= 1506
    assert {part.kind for part in event.parts} >= {"move_1m", "move_5m"}
    assert event.lead.kind == "move_1m"
    assert event.lead.value == pytest.approx(0.01, abs=5e-4)
    assert (event.severity, event.count) == ("extreme", 1)


def test_twins_are_found_and_told_as_one() -> None:
    """Two prices of one thing jump: one event, of the first, with the other."""
    walk = walk_ticks("X-USD", "crypto", START, START + 3000, 2.0, 2e-4, 3)
    walk = [t._replace(price=t.price * (1.02 if t.ts > START + 2500 else 1.0)) for t in walk]
    rng = random.Random(4)
    twin = [
        Tick("X-USDT", "crypto", t.ts + 0.2, t.price * (1.0 + rng.gauss(0.0, 2e-5))) for t in walk
    ]
    other = walk_ticks("Y-USD", "crypto", START, START + 3000, 2.0, 2e-4, 5)
    store = PulseStore()
    store.watch("crypto", ["X-USD", "X-USDT", "Y-USD"])
    found = watch(
        store, walk + twin + other, START, START + 3000, from_second=START + 2400, finds_twins=True
    )
    (event,) = [event for event in found if event.ts >= START + 2500]
    assert (event.symbol, event.twins) == ("X-USD", ("X-USDT",))


def test_the_simulated_coins_are_told_as_one_whatever_they_are_quoted_in() -> None:
    """Twelve minutes and more of a seed in which they fall twice: each fall once, and not alone."""
    opens, seconds = 1_795_789_800, 930
    names = ("ETH-USD", "ETH-USDT", "BTC-USD", "BTC-USDT")
    market = Market({"crypto": names}, seed=7, start=opens)
    ticks = market.earlier_ticks(1800)
    for minute in range(opens + 60, opens + seconds + 60, 60):
        ticks += [Tick(q.symbol, q.asset, q.ts, q.price) for q in market.read_until(minute)]
    store = PulseStore()
    store.watch("crypto", names)
    found = watch(
        store, ticks, opens - 1800, opens + seconds, from_second=opens + 600, finds_twins=True
    )
    told = [event for event in found if event.ts > opens + 700]
    assert {event.symbols for event in told} == {names[:2], names[2:]}
    assert len(told) == 2
    assert [event for event in found if event.company is Company.ALONE] == []


# Rates.


def market(kind: str, symbols: int, seconds: int, seed: int) -> Prices:
    """Prices a second of independent symbols, [symbol, second].

    ``calm`` is a walk of constant volatility; ``stormy`` has volatility that clusters for some
    twenty minutes, shocks with heavy tails, and a jump in six hours.
    """
    rng = np.random.default_rng(seed)
    shape = (symbols, seconds)
    sd = 1.5e-5 * np.exp(rng.uniform(0.0, 2.0, (symbols, 1)))
    if kind == "calm":
        calm: Prices = 100.0 * np.exp(np.cumsum(sd * rng.standard_normal(shape), axis=1))
        return calm
    minutes = seconds // 60 + 1
    level = np.empty((symbols, minutes))
    level[:, 0] = 0.0
    keep = 0.5 ** (1.0 / 20.0)
    for at in range(1, minutes):
        level[:, at] = keep * level[:, at - 1] + 0.15 * rng.standard_normal(symbols)
    storm = np.repeat(np.exp(level), 60, axis=1)[:, :seconds]
    shocks = rng.standard_t(4, shape) / np.sqrt(2.0)
    jumps = rng.standard_normal(shape) * (rng.random(shape) < 1.0 / 21_600) * 40.0
    stormy: Prices = 100.0 * np.exp(np.cumsum(sd * (storm * shocks + jumps), axis=1))
    return stormy


def day_of(prices: Prices, names: Sequence[str], asset: Asset, end: int) -> Minutes:
    """What a store would remember of the day that ``prices`` end with, at the second ``end``."""
    memory = DayMemory(records=True)
    for name in names:
        memory.add_symbol(name, asset)
    logs = np.log(prices)
    squares = np.diff(logs[:, ::10], axis=1) ** 2
    seconds = prices.shape[1]
    for at in range(seconds % 60 + 1020, seconds, 60):
        # The volatility of the fifteen minutes that had ended a minute before.
        bar = (at - 60) // 10
        vol = np.sqrt(900.0 * squares[:, bar - 90 : bar].mean(axis=1) / 10.0)
        ret_1m, ret_5m = (logs[:, at - 1] - logs[:, at - 1 - ago] for ago in (60, 300))
        minute = (end - seconds + at) // 60 - 1
        memory.close(minute, ret_1m / (vol * np.sqrt(60 / 900)), ret_1m, ret_5m)
    return memory.collect_changed()


@pytest.mark.parametrize(("kind", "least", "most"), [("calm", 0.3, 1.3), ("stormy", 0.4, 1.6)])
def test_a_symbol_makes_an_event_in_an_hour_or_two(kind: str, least: float, most: float) -> None:
    """Whatever its volatility is; and fifty symbols make fewer than two hundred an hour.

    None is held against its class, whose threshold would be out of reach for half of them.
    """
    symbols, watched, warm = 50, 2400, 1200
    names = [f"S{number:02d}" for number in range(symbols)]
    end = START // 60 * 60
    prices = market(kind, symbols, 86_400 + warm + watched, seed=7)
    store = PulseStore()
    store.watch("crypto", names)
    store.load_minutes(day_of(prices[:, :86_400], names, "crypto", end))
    ticks = [
        Tick(name, "crypto", end + second + 0.5, float(prices[row, 86_400 + second]))
        for second in range(warm + watched)
        for row, name in enumerate(names)
    ]
    found = watch(store, ticks, end, end + warm + watched, from_second=end + warm)
    per_hour = len(found) / (watched / 3600)
    assert least <= per_hour / symbols <= most
    assert per_hour < 200


# Alone, or with its peers.


@pytest.mark.parametrize(
    ("shock", "alone", "with_peers"),
    [("own", (0.75, 1.0), (0.0, 0.12)), ("common", (0.0, 0.02), (0.9, 1.0))],
)
def test_company_is_claimed_of_those_who_have_it(
    shock: str, alone: tuple[float, float], with_peers: tuple[float, float]
) -> None:
    """Seven stocks with half of their variance in common: one's own shock of five, or all's."""
    rng, claims = np.random.default_rng(5), []
    asset = np.array(["stocks"] * 7, dtype=object)
    for _ in range(1500):
        own = rng.standard_normal(7) * 0.5**0.5
        surprise = own + rng.standard_normal() * 0.5**0.5 + (5.0 if shock == "common" else 0.0)
        surprise[0] += 5.0 if shock == "own" else 0.0
        vs_peers = against_peers(surprise, asset)
        known: dict[str, Any] = {
            "move_1m": 0.01,
            "surprise": float(surprise[0]),
            "vs_peers": float(vs_peers[0]),
        }
        (event,) = StressDetector().check(shot(0, **known))
        claims.append(event.company)
    for company, (least, most) in ((Company.ALONE, alone), (Company.WITH_PEERS, with_peers)):
        assert least <= claims.count(company) / len(claims) <= most
