"""PulseStore against the brute-force oracle, its invariances, its regimes and its threads."""

from __future__ import annotations

import math
import random
import statistics
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import CELL, Bars
from correlation import CorrelationCard, corr_card
from events import StressDetector
from formulas import COLUMNS
from moves import against_peers
from pulse_store import PulseStore, to_snapshots
from tests.oracle import Oracle, judge
from tests.reading import readers
from ticks import LEAST_PRICE, MOST_PRICE, Tick
from volatility import judge_regimes, rerank

START: Final = 1_760_000_400
"""A whole hour, in seconds since the epoch."""

REGIMES: Final = ("unknown", "normal", "high_vol")

SYMBOLS: Final = {
    "AAPL": ("stocks", 150.0),
    "TSLA": ("stocks", 1e7),
    "NVDA": ("stocks", 0.37),
    "MSFT": ("stocks", 410.0),
    "META": ("stocks", 600.0),
    "EURUSD": ("forex", 1.08),
    "SHIB": ("crypto", 1e-8),
    "BTC-USD": ("crypto", 92_000.0),
}

deterministic = settings(derandomize=True, deadline=None, max_examples=15)


class Segment(NamedTuple):
    """A stretch of a random stream: a gap, then ticks of some symbols at some rate."""

    gap_sec: int
    ticks: int
    mean_wait_sec: float
    symbols: int
    step: float
    seed: int


segments = st.lists(
    st.builds(
        Segment,
        gap_sec=st.sampled_from([0, 1, 9, 29, 31, 59, 61, 95, 151, 400, 700, 1300]),
        ticks=st.integers(1, 60),
        mean_wait_sec=st.sampled_from([0.02, 0.5, 4.0, 9.0, 25.0]),
        symbols=st.sampled_from([1, 3, 8]),
        step=st.sampled_from([0.0, 1e-5, 1e-3, 0.05]),
        seed=st.integers(0, 2**16),
    ),
    min_size=1,
    max_size=9,
)


def stream(parts: Sequence[Segment]) -> list[Tick]:
    """Ticks in order of arrival, stamped to the millisecond: bursts, gaps, ties, late ones."""
    prices = {name: price for name, (_, price) in SYMBOLS.items()}
    now_ms = START * 1000
    ticks = []
    for part in parts:
        rng = random.Random(part.seed)
        now_ms += part.gap_sec * 1000
        names = rng.sample(list(SYMBOLS), part.symbols)
        for _ in range(part.ticks):
            name = rng.choice(names)
            kind = rng.random()
            if kind > 0.2:  # below: a tie with the newest
                now_ms += int(rng.expovariate(1.0 / part.mean_wait_sec) * 1000)
            stamp = now_ms
            if kind < 0.1:
                stamp -= rng.choice([1, 400, 3000, 45_000, 600_000, 5_000_000])
            prices[name] *= 1.0 + rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0]) * part.step
            ticks.append(Tick(name, SYMBOLS[name][0], stamp / 1000.0, prices[name]))
    return ticks


def fill(ticks: Iterable[Tick], every_sec: int = 10, store: PulseStore | None = None) -> PulseStore:
    """A store fed tick by tick, its bars closed as event time passes."""
    store = store or PulseStore()
    clock = -1
    for tick in ticks:
        now = int(tick.ts) // every_sec * every_sec
        if clock < now:
            clock = now
            store.advance(clock)
        store.update(tick)
    store.advance(int(clock))
    return store


def fill_both(ticks: Iterable[Tick], every_sec: int = 10) -> tuple[PulseStore, Oracle]:
    """A store and an oracle fed the same ticks, advanced at the same instants."""
    store, oracle = PulseStore(), Oracle()
    clock = -1
    for tick in ticks:
        now = int(tick.ts) // every_sec * every_sec
        if clock < now:
            clock = now
            store.advance(clock)
            oracle.advance(clock)
        store.update(tick)
        oracle.update(tick)
    return store, oracle


NEAR: Final = {
    "vol_15m": 1e-11,
    "vol_median": 1e-11,
    "vol_rest": 1e-9,
    "trend_15m": 1e-11,
    "sigma_1m": 1e-11,
    "sigma_5m": 1e-11,
    "z": 1e-5,
    "surprise": 1e-5,
    "vs_peers": 1e-5,
    "heat": 1e-5,
    "move_1m_surprise": 1e-5,
    "move_5m_surprise": 1e-5,
    "price_step": 1e-12,
}


def assert_same_value(name: str, actual: Any, expected: Any, where: str) -> None:
    """One cell of a frame is what the oracle says, blank where it is blank."""
    if expected is None or isinstance(expected, str | bool):
        assert actual == expected, where
    elif name in ("age", "watched_sec") or name.endswith("_ts"):
        assert actual == pytest.approx(expected, rel=0, abs=2e-6), where
    else:
        assert actual is not None, where
        slack = NEAR.get(name, 1e-12)
        assert actual == pytest.approx(expected, rel=1e-6, abs=slack), where


def assert_hot(row: dict[str, Any], heats: list[tuple[float, int]], where: str) -> None:
    """Heat is the largest of all decayed surprises, of the second that it says."""
    assert (row["heat"] is None) == (not heats), where
    if not heats:
        assert row["heat_ts"] is None, where
        return
    largest = heats[0][0]
    assert abs(row["heat"]) == pytest.approx(abs(largest), rel=1e-3, abs=1e-5), where
    if row["heat"] == 0:
        assert row["heat_ts"] is None, where
    else:
        # Of two that are as hot, either.
        (value,) = [value for value, second in heats if second == row["heat_ts"]]
        assert row["heat"] == pytest.approx(value, rel=1e-3, abs=1e-5), where


def assert_like_oracle(store: PulseStore, oracle: Oracle, now: float) -> None:
    """Every column of every symbol agrees at ``now``."""
    rows = store.snapshots(now)
    assert [row["symbol"] for row in rows] == [*oracle.assets]
    assert_rows_like_oracle(rows, oracle, now)


def assert_rows_like_oracle(rows: list[dict[str, Any]], oracle: Oracle, now: float) -> None:
    """These rows of all symbols, in any order, are what the oracle says of ``now``."""
    expected = {row["symbol"]: row for row in oracle.snapshots(now)}
    assert sorted(row["symbol"] for row in rows) == sorted(expected)
    for row in rows:
        wanted = expected[row["symbol"]]
        heats = wanted.pop("heats")
        assert row.keys() == wanted.keys() | {"heat", "heat_ts"} == {"symbol", "now", *COLUMNS}
        assert_hot(row, heats, f"heat of {row['symbol']} at {now - START}")
        if row["range_low"] is not None and row["ret_1m"] is not None:
            assert row["range_low"] <= row["last"] <= row["range_high"]
        for name, value in wanted.items():
            # Where rounding decides a regime, either answer is right, and so is what follows.
            if name == "regime" and row["symbol"] in oracle.doubtful:
                continue
            where = f"{name} of {row['symbol']} at {now - START}"
            assert_same_value(name, row[name], value, where)


def bounce(step: Callable[[int], float], bars: int, price: float = 100.0) -> list[Tick]:
    """One tick in the middle of each bar, its price up and down by ``step(bar)`` in turn."""
    return [
        Tick("AAPL", "stocks", START + 10 * i + 5, price * (1.0 + (i % 2) * step(i)))
        for i in range(bars)
    ]


# The store against the oracle.


@given(segments, st.sampled_from([1, 10, 60]), st.lists(st.floats(0, 1), min_size=3, max_size=3))
@deterministic
def test_every_column_agrees_with_brute_force(
    parts: list[Segment], every_sec: int, places: list[float]
) -> None:
    """At the end, between and rewound, every column is what all ticks together say."""
    ticks = stream(parts)
    store, oracle = fill_both(ticks, every_sec)
    end = max(tick.ts for tick in ticks)
    begin = max(START - 100, end - 3600)
    instants = [end, end + 0.5, end + 31, math.floor(end) + 0.999, end + 3000]
    instants += [begin + (end - begin) * place for place in places]
    for now in instants:
        assert_like_oracle(store, oracle, now)


@pytest.mark.parametrize("seed", [1, 2])
def test_hours_of_ticks_agree_with_brute_force_all_along(seed: int) -> None:
    """While the ring wraps again and again, nothing of an earlier hour shows through."""
    rng = random.Random(seed)
    parts = [
        Segment(rng.choice([0, 5, 40, 200]), 40, rng.choice([0.5, 3.0, 20.0]), 8, 1e-3, seed * i)
        for i in range(40)
    ]
    ticks = stream(parts)
    assert ticks[-1].ts - ticks[0].ts > 2 * 3600
    store, oracle = PulseStore(), Oracle()
    for i in range(0, len(ticks), 80):
        batch = ticks[i : i + 80]
        store.update_many(batch)
        oracle.update_many(batch)
        now = max(tick.ts for tick in batch)
        store.advance(now)
        oracle.advance(now)
        for back in (0.0, 700.0, 2500.0, 3590.0):
            assert_like_oracle(store, oracle, now - back)


@given(segments, st.integers(-1200, 60), st.sampled_from([1, 60, 900, 4500]))
@deterministic
def test_history_agrees_with_brute_force(parts: list[Segment], shift: int, seconds: int) -> None:
    """The chart's prices are the newest of each second, and holes where there is none."""
    ticks = stream(parts)
    store, oracle = PulseStore(), Oracle()
    store.update_many(ticks)
    oracle.update_many(ticks)
    now = max(tick.ts for tick in ticks) + shift
    for symbol in oracle.assets:
        frame = store.history(symbol, now, seconds)
        expected = oracle.history(symbol, now, seconds)
        assert frame.index.tolist() == [second for second, _ in expected]
        prices = [None if math.isnan(price) else price for price in frame["price"]]
        assert prices == [price for _, price in expected]


@given(segments, st.sampled_from([10, 20, 30, 60]), st.integers(0, 59), st.booleans())
@deterministic
def test_correlation_bars_agree_with_brute_force(
    parts: list[Segment], bin_sec: int, shift: int, hour: bool
) -> None:
    """Whole bins that ended by now, at any second, with their mean prices and counts."""
    ticks = stream(parts)
    store, oracle = PulseStore(), Oracle()
    store.update_many(ticks)
    oracle.update_many(ticks)
    now = max(tick.ts for tick in ticks) + shift
    assert_bars_like_oracle(store, oracle, bin_sec, 3600 if hour else 900, now)


def assert_bars_like_oracle(
    store: PulseStore, oracle: Oracle, bin_sec: int, window_sec: int, now: float
) -> None:
    """Every bin of every symbol agrees, and an unknown symbol has none."""
    names = [*oracle.assets, "NONE"]
    logs, counts = store.bars(names, bin_sec, window_sec, now)
    bins = window_sec // bin_sec
    assert logs.shape == counts.shape == (len(names), bins)
    first = math.floor(now) // bin_sec - bins
    for row, name in enumerate(names):
        expected = oracle.bins(name, bin_sec, window_sec, now)
        live = [first + i for i in range(bins) if counts[row, i] > 0]
        assert live == list(expected)
        assert np.isnan(logs[row]).sum() == bins - len(live)
        for number, bar in expected.items():
            assert counts[row, number - first] == bar.n
            assert logs[row, number - first] == pytest.approx(bar.log, rel=0, abs=1e-12)


def test_correlation_bars_rewound_hold_only_their_own_ticks() -> None:
    """A bin half older than what is stored is not mixed with the newer bars in its place."""
    store, oracle = fill_both(Tick("A", "stocks", START + i, 100.0) for i in range(0, 5400, 5))
    assert_bars_like_oracle(store, oracle, 60, 3600, START + 3000.0)


def test_correlation_bars_ahead_of_the_last_tick_hold_only_their_own_ticks() -> None:
    """A bin whose last bars nothing has reached yet holds nothing of an hour ago."""
    store, oracle = PulseStore(), Oracle()
    ticks = [Tick("A", "stocks", START + i, 100.0) for i in range(0, 3700, 5)]
    store.update_many(ticks)
    oracle.update_many(ticks)
    assert_bars_like_oracle(store, oracle, 60, 3600, START + 3780.0)


class Told(NamedTuple):
    """What a store answered about one instant."""

    now: float
    frame: pd.DataFrame
    regimes: list[str]
    bars: tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]
    card: CorrelationCard


def told(store: PulseStore, now: float) -> Told:
    """Everything a page asks of a store."""
    names = store.symbols
    return Told(
        now,
        store.frame(now),
        [store.regime(name, now) for name in names],
        store.bars(names, 20, 3600, now),
        corr_card(store, names, names[0], 30, now),
    )


def test_two_hours_stored_tell_any_second_of_the_last_as_it_was() -> None:
    """An hour later, frame, regimes, bars and card are to the last digit what they were."""
    rng = random.Random(17)
    store = PulseStore(window_sec=7200)
    # Stamped in eighths of a second: a ring's milliseconds hold them exactly.
    waits = dict(zip(SYMBOLS, (1, 1, 2, 4, 9, 25, 70, 0.5), strict=True))
    due = dict.fromkeys(SYMBOLS, float(START))
    price = {name: first for name, (_, first) in SYMBOLS.items()}
    for name, (asset, _) in SYMBOLS.items():
        store.watch(asset, [name])
    then = []
    for second in range(START, START + 3 * 3600):
        wild = 3.0 if second % 1700 < 300 else 1.0
        for name, (asset, _) in SYMBOLS.items():
            while due[name] < second + 1:
                price[name] *= 1.0 + rng.gauss(0.0, 1e-4) * wild
                store.update(Tick(name, asset, due[name], price[name]))
                due[name] += max(1, round(rng.expovariate(1.0 / waits[name]) * 8)) / 8
        store.advance(second + 1)
        if second >= START + 2 * 3600 and second % 97 == 0:
            then.append(told(store, second + 0.999))
    assert {regime for before in then for regime in before.regimes} >= {"normal", "high_vol"}
    assert {before.card.window_sec for before in then} == {900, 3600}
    assert then[0].now <= START + 2 * 3600 + 97
    for before in then:
        now = told(store, before.now)
        pd.testing.assert_frame_equal(now.frame, before.frame, check_exact=True)
        assert (now.regimes, now.card) == (before.regimes, before.card)
        for actual, wanted in zip(now.bars, before.bars, strict=True):
            np.testing.assert_array_equal(actual, wanted)


# Invariances.


@given(segments, st.sampled_from([1e-2, 0.3, 8.0, 1e3]))
@deterministic
def test_scaling_every_price_changes_no_ratio(parts: list[Segment], factor: float) -> None:
    """Returns, volatilities, trends and surprises do not know the unit of a price."""
    ticks = stream(parts)
    now = max(tick.ts for tick in ticks)
    one = fill(ticks).snapshots(now)
    other = fill(tick._replace(price=tick.price * factor) for tick in ticks).snapshots(now)
    ratios = [
        name for name in COLUMNS if name.startswith(("ret", "vol", "trend", "sigma", "surp", "vs"))
    ]
    for row, scaled in zip(one, other, strict=True):
        for name in ratios:
            assert_same_value(name, scaled[name], row[name], name)


@given(segments)
@deterministic
def test_splitting_each_tick_changes_only_the_spans(parts: list[Segment]) -> None:
    """Bar means stay, so returns, trend and vol² · Στ stay: only the counts in τ doubled."""
    ticks = stream(parts)
    twice = [tick for tick in ticks for _ in range(2)]
    one, two, oracle, doubled = PulseStore(), PulseStore(), Oracle(), Oracle()
    for each, fed in ((one, ticks), (oracle, ticks), (two, twice), (doubled, twice)):
        each.update_many(fed)
    now = max(tick.ts for tick in ticks)
    for row, split in zip(one.snapshots(now), two.snapshots(now), strict=True):
        for name in ("last", "age", "ret_1m", "ret_5m", "ret_15m", "trend_15m", "vs_peers"):
            assert_same_value(name, split[name], row[name], name)
        if row["vol_15m"] is None:
            assert split["vol_15m"] is None
            continue
        symbol, end = row["symbol"], math.floor(now) // 10
        squared = row["vol_15m"] ** 2 * oracle.vol_sums(symbol, end)[1]
        squared_split = split["vol_15m"] ** 2 * doubled.vol_sums(symbol, end)[1]
        assert squared_split == pytest.approx(squared, rel=1e-6, abs=1e-20)


@given(segments, st.integers(1, 200))
@deterministic
def test_batches_are_as_good_as_single_ticks(parts: list[Segment], size: int) -> None:
    """update_many of any cut of the stream leaves what one update per tick leaves."""
    ticks = stream(parts)
    now = max(tick.ts for tick in ticks)
    single, batched = PulseStore(), PulseStore()
    for tick in ticks:
        single.update(tick)
    for i in range(0, len(ticks), size):
        batched.update_many(iter(ticks[i : i + size]))
    single.advance(now)
    batched.advance(now)
    assert batched.snapshots(now) == single.snapshots(now)


@given(segments)
@deterministic
def test_advancing_each_second_or_each_bar_is_the_same(parts: list[Segment]) -> None:
    """Bars close once, whoever counts the seconds: ticks in order leave one state."""
    ticks = sorted(stream(parts), key=lambda tick: tick.ts)
    now = ticks[-1].ts
    stores = [fill(ticks, 1), fill(ticks, 10)]
    for store in stores:
        store.advance(now)
    assert stores[0].snapshots(now) == stores[1].snapshots(now)


def test_reading_changes_nothing() -> None:
    """However often and wherever one tab reads, another sees the same."""
    ticks = stream([Segment(0, 400, 3.0, 8, 1e-3, 7)])
    read, unread = PulseStore(), PulseStore()
    for i, tick in enumerate(ticks):
        for store in (read, unread):
            store.update(tick)
            store.advance(tick.ts)
        for now in (tick.ts, tick.ts - 500, tick.ts + 5000) if i % 10 == 0 else ():
            read.frame(now)
            read.snapshots(now)
            read.snapshot("AAPL", now)
            read.history("AAPL", now, 5000)
            read.regime("AAPL")
            read.regime("AAPL", now)
            read.bars(["AAPL", "NONE"], 60, 3600, now)
    now = ticks[-1].ts
    assert read.symbols == unread.symbols
    for back in (0, 100, 1000):
        assert read.snapshots(now - back) == unread.snapshots(now - back)


def test_writing_into_a_frame_changes_no_other() -> None:
    """A frame belongs to its reader: nothing put into it reaches the store."""
    ticks = stream([Segment(0, 200, 3.0, 8, 1e-3, 7)])
    store, now = fill(ticks), ticks[-1].ts
    before = store.snapshots(now)
    frame = store.frame(now)
    for name in COLUMNS:
        frame[name] = frame[name].astype(object)
        frame.loc[frame.index[0], name] = None
    frame = store.frame(now)
    frame.loc[frame.index[0], "last"] = -1.0
    frame.loc[frame.index[0], "asset"] = "rubbish"
    frame.loc[frame.index[0], "regime"] = "rubbish"
    assert store.snapshots(now) == before


def test_frame_and_snapshots_say_the_same() -> None:
    """Three ways to read one instant: frame, snapshots and snapshot."""
    ticks = stream([Segment(0, 300, 4.0, 8, 1e-3, 3)])
    store, now = fill(ticks), ticks[-1].ts
    frame = store.frame(now)
    assert list(frame.columns) == list(COLUMNS)
    assert frame.index.tolist() == store.symbols
    assert to_snapshots(frame, now) == store.snapshots(now)
    assert [store.snapshot(symbol, now) for symbol in store.symbols] == store.snapshots(now)


def test_an_empty_store_answers() -> None:
    """Before the first tick there are columns and no rows."""
    store = PulseStore()
    store.advance(START)
    frame = store.frame(START)
    assert list(frame.columns) == list(COLUMNS)
    assert frame.index.name == "symbol"
    assert len(frame) == 0
    assert store.snapshots(START) == []
    assert store.snapshot("AAPL", START) is None
    assert store.regime("AAPL") == "unknown"
    assert store.history("AAPL", START, 60).empty


# Ticks: order, ties, lateness, errors.


def test_of_two_in_one_millisecond_the_later_arrival_wins() -> None:
    """Ties go by arrival, in the last price and in its second."""
    store = PulseStore()
    store.update_many(
        [Tick("A", "stocks", START + 0.5, 1.0), Tick("A", "stocks", START + 0.5, 2.0)]
    )
    row = store.snapshot("A", START + 1)
    assert row is not None
    assert row["last"] == 2.0
    assert store.history("A", START, 1)["price"].tolist() == [2.0]


def test_a_late_tick_goes_to_its_own_second() -> None:
    """It appears in the chart, counts in its bar, and is not the last price."""
    store = PulseStore()
    for ts, price in ((START + 20.0, 3.0), (START + 5.2, 1.0), (START + 5.1, 2.0)):
        store.update(Tick("A", "stocks", ts, price))
    row = store.snapshot("A", START + 20)
    assert row is not None
    assert (row["last"], row["last_ts"]) == (3.0, START + 20.0)
    assert store.history("A", START + 5, 1)["price"].tolist() == [1.0]
    _, counts = store.bars(["A"], 10, 30, START + 30)
    assert counts.tolist() == [[2, 0, 1]]


def test_a_time_is_rounded_once() -> None:
    """At .9996 a tick is of the next second, of its first millisecond, in last price and ring."""
    store = PulseStore()
    store.update(Tick("A", "stocks", START + 9.999, 1.0))
    store.update(Tick("A", "stocks", START + 9.9996, 2.0))
    store.update(Tick("A", "stocks", START + 9.9994, 3.0))
    rows = [store.snapshots(START + second)[0] for second in (9.999, 10)]
    assert [(row["last"], row["last_ts"]) for row in rows] == [
        (3.0, START + 9.999),
        (2.0, START + 10),
    ]
    assert store.history("A", START + 10, 2)["price"].tolist() == [3.0, 2.0]
    assert store.bars(["A"], 10, 20, START + 20)[1].tolist() == [[2, 1]]


@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=30))
@deterministic
def test_last_price_and_ring_agree_on_the_newest(tenths_ms: list[int]) -> None:
    """However closely ticks follow, the last price is that of its own second in the chart."""
    store = PulseStore()
    for at, tenth in enumerate(tenths_ms):
        store.update(Tick("A", "stocks", START + tenth / 10_000, 100.0 + at))
    row = store.snapshots(START + 4.0)[0]
    second = int(row["last_ts"])
    assert store.history("A", second, 1)["price"].tolist() == [row["last"]]
    assert row["last_ts"] == max(math.floor(tenth / 10 + 0.5) for tenth in tenths_ms) / 1000 + START


def test_a_stamp_just_before_the_next_second_is_of_the_next() -> None:
    """A reference 31 s from the far end of a minute is too old, by the rounded time."""
    store = PulseStore()
    store.update(Tick("A", "stocks", START + 0.9997, 2.0))
    store.update(Tick("A", "stocks", START + 80.0, 1.0))
    moves = [store.snapshots(START + second)[0]["ret_1m"] for second in (91, 92)]
    assert moves == [-0.5, None]


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_price_that_is_none_is_refused(price: float) -> None:
    """What is no price raises and leaves no symbol; the ticks before it are taken."""
    store = PulseStore()
    good = Tick("B", "stocks", START, 1.0)
    with pytest.raises(ValueError, match="price of A"):
        store.update_many([good, Tick("A", "stocks", START, price), good])
    with pytest.raises(ValueError, match="price of A"):
        store.set_initial_price(Tick("A", "stocks", START, price))
    assert store.symbols == ["B"]


def test_an_unknown_asset_class_is_refused() -> None:
    """A class that has no thresholds and no peers raises, and leaves no symbol."""
    store = PulseStore()
    with pytest.raises(ValueError, match="asset of A"):
        store.update(Tick("A", "bonds", START, 1.0))
    with pytest.raises(ValueError, match="asset of A"):
        store.set_initial_price(Tick("A", "bonds", START, 1.0))
    assert store.symbols == []


@pytest.mark.parametrize("ts", [math.nan, math.inf])
def test_a_time_that_is_none_leaves_no_zero_price(ts: float) -> None:
    """A refused tick must not leave a symbol at price 0 behind."""
    store = PulseStore()
    with pytest.raises((ValueError, OverflowError)):
        store.update(Tick("A", "stocks", ts, 1.0))
    assert all(row["last"] != 0 for row in store.snapshots(START))


@pytest.mark.parametrize("window_sec", [0, 59, 90, -60])
def test_a_window_of_no_whole_minutes_is_refused(window_sec: int) -> None:
    """The window is a multiple of 60 seconds."""
    with pytest.raises(ValueError, match="window_sec"):
        PulseStore(window_sec)


def test_a_short_window_agrees_with_brute_force() -> None:
    """A store of ten minutes keeps ten minutes, and answers blanks for what needs more."""
    ticks = stream([Segment(0, 60, 9.0, 3, 1e-3, seed) for seed in range(4)])
    store, oracle = PulseStore(600), Oracle(600)
    for tick in ticks:
        for each in (store, oracle):
            each.advance(tick.ts)
            each.update(tick)
    assert_like_oracle(store, oracle, ticks[-1].ts)
    assert_like_oracle(store, oracle, ticks[-1].ts - 300)


# The last price of a symbol that has none.


def test_set_last_gives_a_price_and_no_metrics() -> None:
    """A snapshot older than a minute shows a price and its age; it enters no window."""
    store = PulseStore()
    store.set_initial_price(Tick("A", "stocks", START - 7200.0, 5.0))
    store.advance(START)
    row = store.snapshot("A", START)
    assert row is not None
    assert (row["last"], row["age"]) == (5.0, 7200.0)
    unknown = set(COLUMNS) - {"asset", "last", "last_ts", "age", "regime", "early"}
    assert not row["early"]
    assert all(row[name] is None for name in unknown)
    assert row["regime"] == "unknown"
    assert store.history("A", START - 7200, 60)["price"].isna().all()


def test_set_last_replaces_nothing_and_is_replaced() -> None:
    """It is taken only where there is no price; a newer tick is the last price then."""
    store = PulseStore()
    store.update(Tick("A", "stocks", START, 1.0))
    store.set_initial_price(Tick("A", "stocks", START + 5.0, 9.0))
    store.set_initial_price(Tick("B", "stocks", START - 100.0, 2.0))
    store.set_initial_price(Tick("B", "stocks", START - 90.0, 3.0))
    assert [row["last"] for row in store.snapshots(START + 6)] == [1.0, 2.0]
    store.update(Tick("B", "stocks", START, 4.0))
    assert [row["last"] for row in store.snapshots(START + 6)] == [1.0, 4.0]


def test_set_last_makes_no_return() -> None:
    """A price that enters no window is never one end of a move."""
    store = PulseStore()
    store.set_initial_price(Tick("A", "stocks", START + 240.0, 100.0))
    store.update(Tick("A", "stocks", START, 50.0))
    row = store.snapshot("A", START + 301)
    assert row is not None
    assert row["ret_5m"] is None


# Blanks.


def test_a_closed_market_shows_blanks() -> None:
    """No tick inside the horizon is no move, not one of 0.00 %."""
    ticks = [Tick("A", "stocks", START + i, 100.0 + i % 3) for i in range(1800)]
    store = fill(ticks)
    end = START + 1799
    row: dict[str, Any] | None = None
    for after, blank in ((61, ["ret_1m"]), (301, ["ret_5m"]), (1000, ["ret_15m", "vol_15m"])):
        store.advance(end + after)
        row = store.snapshot("A", end + after)
        assert row is not None
        assert [row[name] for name in blank] == [None] * len(blank)
    assert row is not None
    assert row["trend_15m"] is None
    assert row["surprise"] is None
    assert row["regime"] == "unknown"
    assert row["last"] == ticks[-1].price


@pytest.mark.parametrize(("gap_sec", "known"), [(59, True), (90, True), (91, False), (600, False)])
def test_a_move_across_an_outage_is_not_a_one_minute_move(gap_sec: int, known: bool) -> None:
    """The reference may be half a horizon older than the horizon, no more."""
    store = PulseStore()
    store.update_many(
        [Tick("A", "stocks", START, 100.0), Tick("A", "stocks", START + gap_sec, 103)]
    )
    row = store.snapshot("A", START + gap_sec)
    assert row is not None
    assert (row["ret_1m"] is not None) == (known and gap_sec >= 60)


@given(st.lists(st.none() | st.integers(-9, 9), max_size=12))
@deterministic
def test_peers_are_the_others(values: list[int | None]) -> None:
    """The median is of the others alone, of which at least three are known."""
    surprise = np.array([math.nan if v is None else float(v) for v in values for _ in "sc"])
    asset = np.array([name for _ in values for name in ("stocks", "crypto")], dtype=object)
    found = against_peers(surprise, asset)
    for at, value in enumerate(values):
        others = [v for i, v in enumerate(values) if v is not None and i != at]
        is_known = value is not None and len(others) >= 3
        wanted = (value or 0) - statistics.median(others) if is_known else math.nan
        assert found[2 * at : 2 * at + 2] == pytest.approx([wanted] * 2, nan_ok=True)


# Regimes.


def regime_after(samples: Sequence[float], before: str = "normal") -> str:
    """The regime that judge_regimes makes of one symbol's samples."""
    return judged(np.array([samples]), before)[0]


def judged(samples: npt.NDArray[np.float64], before: str = "unknown") -> tuple[str, float]:
    """The regime and the median that judge_regimes makes of one row of samples, newest last."""
    rows = samples.astype(np.float32)
    code = np.array([REGIMES.index(before)], np.int8)
    codes, medians = judge_regimes(np.sort(rows, axis=1), rows[:, -1], code)
    return REGIMES[int(codes[0])], float(medians[0])


@pytest.mark.parametrize(
    ("newest", "before", "after"),
    [
        (81, "normal", "high_vol"),  # at the 80th percentile of 1..101
        (80, "normal", "normal"),
        (80, "high_vol", "high_vol"),
        (71, "high_vol", "high_vol"),  # at the 70th
        (70, "high_vol", "normal"),
        (71, "normal", "normal"),
        (81, "unknown", "high_vol"),
    ],
)
def test_the_percentiles_have_hysteresis(newest: int, before: str, after: str) -> None:
    """High from the 80th percentile on, normal again below the 70th."""
    samples = [float(i) for i in range(1, 102) if i != newest]
    assert regime_after([*samples, float(newest)], before) == after


@pytest.mark.parametrize(
    ("newest", "before", "after"),
    [
        (1.19, "normal", "normal"),
        (1.2, "normal", "high_vol"),
        (1.1, "high_vol", "high_vol"),
        (1.09, "high_vol", "normal"),
        (1.0, "high_vol", "normal"),
    ],
)
def test_the_median_has_hysteresis(newest: float, before: str, after: str) -> None:
    """High from 1.2 medians on, normal again below 1.1, whatever the percentiles say."""
    assert regime_after([*[1.0] * 100, newest], before) == after


def test_too_few_samples_are_unknown() -> None:
    """29 samples tell nothing, 30 do, and blanks are not samples."""
    blank = math.nan
    assert regime_after([blank] * 300 + [1.0] * 28 + [9.0]) == "unknown"
    assert regime_after([blank] * 300 + [1.0] * 29 + [9.0]) == "high_vol"
    assert regime_after([1.0] * 300 + [blank]) == "unknown"
    _, median = judged(np.array([[blank] * 5 + [1.0] * 29]))
    assert math.isnan(median)


def test_a_sample_of_zero_is_never_high() -> None:
    """Nothing moves: zero is at every percentile of zeros, and not high."""
    assert regime_after([0.0] * 100) == "normal"
    assert regime_after([0.0] * 100, "high_vol") == "normal"


@given(
    st.lists(st.one_of(st.just(None), st.integers(0, 40)), min_size=1, max_size=360),
    st.sampled_from(REGIMES),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_any_samples_are_judged_as_by_brute_force(samples: list[int | None], before: str) -> None:
    """Percentiles, hysteresis and blanks on random samples."""
    values = [None if sample is None else sample * 1e-4 for sample in samples]
    expected = judge(values, before)
    rows = np.array([[math.nan if value is None else value for value in values]])
    regime, median = judged(rows, before)
    wanted = math.nan if expected.median is None else expected.median
    assert median == pytest.approx(wanted, nan_ok=True)
    if not expected.close_call:
        assert regime == expected.regime


@given(
    st.lists(st.one_of(st.just(math.nan), st.integers(0, 5).map(float)), min_size=9, max_size=60),
    st.integers(1, 8),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_samples_rerank_are_ranked(values: list[float], size: int) -> None:
    """As the window moves on, one out and one in, it is what sorting it would make it."""
    row = np.array([values, values[::-1]], np.float32)
    ranked = np.sort(row[:, :size], axis=1)
    for at in range(1, len(values) - size + 1):
        ranked = rerank(ranked, row[:, at - 1], row[:, at + size - 1])
        np.testing.assert_array_equal(ranked, np.sort(row[:, at : at + size], axis=1))


def test_the_regime_rises_and_falls_with_the_volatility() -> None:
    """Unknown, normal, high while it is loud, normal again: no flicker between."""
    loud = range(240, 300)
    store = PulseStore()
    seen: list[str] = []
    for tick in bounce(lambda bar: 0.004 if bar in loud else 0.001, 480):
        store.advance(tick.ts)
        store.update(tick)
        seen.append(store.regime("AAPL"))
        row = store.snapshot("AAPL", tick.ts)
        assert row is not None
        assert row["regime"] == seen[-1] == store.regime("AAPL", tick.ts)
    changes = [after for before, after in pairwise(["", *seen]) if before != after]
    assert changes == ["unknown", "normal", "high_vol", "normal"]
    assert seen.index("normal") == 12 + 30  # the 30th sample has been taken
    assert 240 < seen.index("high_vol") < 250
    assert store.regime("AAPL", START + 10 * 270) == "high_vol"
    assert store.regime("AAPL", START + 10 * 230) == "normal"


@pytest.mark.parametrize("price", [0.1, 1e-8, 92_010.37, 1e7])
def test_a_flat_market_is_never_high(price: float) -> None:
    """One price at changing tick rates: volatility is 0, whatever the sums round to."""
    rng = random.Random(1)
    store = PulseStore()
    for bar in range(120):
        n = rng.randrange(1, 60)
        store.update_many(
            Tick("A", "crypto", START + bar * 10 + 9.9 * i / n, price) for i in range(n)
        )
        store.advance(START + bar * 10 + 10)
        assert store.regime("A") != "high_vol"
    row = store.snapshot("A", START + 1200)
    assert row is not None
    assert row["vol_15m"] == 0.0
    assert row["regime"] == "normal"
    assert row["surprise"] is None


def test_a_flat_market_is_flat_at_any_tick_rate() -> None:
    """Thousands of equal prices a second do not add up to a volatility."""
    rng = random.Random(3)
    store = PulseStore()
    for bar in range(16):
        n = rng.randrange(1, 20_000)
        store.update_many(Tick("A", "crypto", START + bar * 10 + 9 * i / n, 0.1) for i in range(n))
    store.advance(START + 160)
    row = store.snapshot("A", START + 160)
    assert row is not None
    assert row["vol_15m"] == 0.0


# The estimator.


@pytest.mark.parametrize(
    ("per_sec", "runs"), [(0.03, 500), (0.3, 200), (3.0, 60), (50.0, 16)], ids=str
)
def test_volatility_does_not_depend_on_the_tick_rate(per_sec: float, runs: int) -> None:
    """On Brownian motion with random arrivals it is the truth, within a few per cent."""
    true = 0.004
    rng = np.random.default_rng(5)
    store = PulseStore()
    for run in range(runs):
        count = int(rng.poisson(per_sec * 900))
        times = np.sort(rng.uniform(0, 900, count))
        steps = rng.normal(size=count) * np.sqrt(np.diff(times, prepend=0.0) / 900) * true
        prices = 100.0 * np.exp(np.cumsum(steps))
        name = f"S{run}"
        store.update_many(
            Tick(name, "stocks", START + t, p)
            for t, p in zip(times.tolist(), prices.tolist(), strict=True)
        )
    store.advance(START + 900)
    vol = store.frame(START + 900)["vol_15m"].dropna().to_numpy()
    assert len(vol) > 0.8 * runs
    assert np.sqrt(np.mean(vol**2)) == pytest.approx(true, rel=0.05)


# Memory and threads.


def test_memory_does_not_depend_on_the_tick_rate() -> None:
    """A busy hour takes what a quiet one takes, and 50 symbols less than 10 MB."""
    names = [f"S{i}" for i in range(50)]
    sizes = []
    for per_bar in (1, 12):
        tracemalloc.start()
        store = PulseStore()
        for bar in range(0, 400, 4):
            store.update_many(
                Tick(name, "stocks", START + bar * 10 + i * 10 / per_bar, 100.0)
                for name in names
                for i in range(per_bar)
            )
        store.advance(START + 4000)
        sizes.append((store.nbytes, tracemalloc.get_traced_memory()[0]))
        tracemalloc.stop()
    (quiet, quiet_traced), (busy, busy_traced) = sizes
    assert busy == quiet <= 10e6
    assert busy_traced == pytest.approx(quiet_traced, rel=0.05)


def test_readers_in_threads_see_consistent_frames() -> None:
    """While one thread writes, every frame others read is of one instant of the writing."""
    store = PulseStore()

    def read() -> None:
        frame = store.frame(START + 8000)
        assert list(frame.columns) == list(COLUMNS)
        assert len(frame) % 2 == 0
        assert frame["last"].notna().all()
        # Pairs are written together, at one price.
        last = frame["last"].to_numpy()
        assert (last[::2] == last[1::2]).all()
        rows = store.snapshots(START + 400)
        assert all(row["regime"] in REGIMES for row in rows)
        for symbol in store.symbols[:2]:
            store.history(symbol, START + 400, 100)
            assert store.regime(symbol) in REGIMES
            store.bars([symbol, "NONE"], 60, 3600, START + 400)

    with readers(read):
        for bar in range(500):
            pairs = 1 + bar // 5  # new symbols all along, so that the rings grow as well
            store.update_many(
                Tick(f"S{pair}{side}", "stocks", START + bar * 10 + 5.0, 100.0 + bar)
                for pair in range(pairs)
                for side in "ab"
            )
            store.advance(START + bar * 10 + 10)


@pytest.mark.parametrize("ts", [math.nan, math.inf, -1.0, 1.8e12])
def test_a_time_that_is_none_is_refused(ts: float) -> None:
    """Milliseconds taken for seconds would empty every ring."""
    store = PulseStore()
    store.update(Tick("A", "stocks", 1_800_000_000.0, 5.0))
    with pytest.raises(ValueError, match="time of A is"):
        store.update(Tick("A", "stocks", ts, 6.0))
    assert store.frame(1_800_000_000.0).loc["A", "last"] == 5.0


def test_a_long_gap_closes_as_unknown() -> None:
    """Two hours without a tick leave no sample, no regime and no volatility behind."""
    store = PulseStore()
    for second in range(1200):
        store.update(Tick("A", "stocks", 1_800_000_000.0 + second, 100 + second % 7 / 10))
        store.advance(1_800_000_000 + second + 1)
    assert store.regime("A") == "normal"
    later = 1_800_000_000 + 7200
    store.advance(later)
    assert store.regime("A") == "unknown"
    assert store.frame(later)[["vol_15m", "vol_median"]].isna().all(axis=None)


# Bars handed out.


Recorded = dict[tuple[str, int], tuple[float, int, float, int]]
"""By symbol and second: price and millisecond of the newest tick, sum of the prices, number."""


def recorded(parts: Iterable[Bars]) -> Recorded:
    """What a reader has who puts each bar taken in the place of an earlier one."""
    found: Recorded = {}
    for bars in parts:
        keys = [(bars.symbols[row], second) for second, row in bars.cells[["second", "row"]]]
        assert len(set(keys)) == len(keys)
        assert bars.cells["second"].tolist() == sorted(bars.cells["second"].tolist())
        for key, cell in zip(keys, bars.cells, strict=True):
            found[key] = (*cell[["price", "ms", "sum", "n"]].tolist(),)
    return found


def naively(ticks: Iterable[Tick]) -> Recorded:
    """The same from all ticks; sums in order of arrival, as the store adds them."""
    found: Recorded = {}
    for symbol, _, ts, price in ticks:
        second, ms = divmod(round(ts * 1000), 1000)
        last, last_ms, total, n = found.get((symbol, second), (price, -1, 0.0, 0))
        newest = (price, ms) if ms >= last_ms else (last, last_ms)
        found[symbol, second] = (*newest, total + price, n + 1)
    return found


def arrivals(seed: int, count: int) -> Iterable[tuple[float, Tick]]:
    """A clock and what arrives: up to 60 s late or 2 s early, ties, bursts, gaps and long jumps."""
    rng = random.Random(seed)
    clock_ms, names = START * 1000, ["AAPL"]
    for _ in range(count):
        if rng.random() < 0.7:
            waits = [1, 30, 400, 3000, 12_000, 95_000, 3_590_000, 3_680_000, 20_000_000]
            clock_ms += rng.choices(waits, [30, 30, 20, 9, 4, 3, 1, 1, 1])[0]
        if rng.random() < 0.02 and len(names) < len(SYMBOLS):
            names.append(list(SYMBOLS)[len(names)])
        name = rng.choice(names)
        late_ms = rng.choices([0, 1, 999, 10_000, 60_000, -2000], [60, 10, 10, 5, 5, 2])[0]
        asset, price = SYMBOLS[name]
        ts = (clock_ms - late_ms) / 1000.0
        yield clock_ms / 1000.0, Tick(name, asset, ts, price * (1.0 + rng.randrange(100) * 1e-4))


@given(st.integers(0, 2**16), st.sampled_from([60, 3600]), st.sampled_from([0.001, 0.02, 0.5]))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_the_bars_taken_are_those_of_all_ticks(seed: int, window_sec: int, often: float) -> None:
    """Whenever they are taken, nothing is lost, nothing is counted twice, late ticks included."""
    rng = random.Random(seed)
    store = PulseStore(window_sec, records=True)
    ticks, taken, waiting = [], [], []
    for clock, tick in arrivals(seed, 1500):
        ticks.append(tick)
        waiting.append(tick)
        if rng.random() < 0.3:
            store.update_many(waiting)
            waiting = []
            store.advance(clock)
        if rng.random() < often:
            taken.append(store.collect_changed())
    store.update_many(waiting)
    taken.append(store.collect_changed())
    assert recorded(taken) == naively(ticks)
    assert len(store.collect_changed()) == 0


def test_a_past_that_comes_after_a_look_at_the_empty_store_is_sampled() -> None:
    """Time that goes by before there is any price takes nothing from the hour that is filled in."""
    early, late = PulseStore(), PulseStore()
    late.watch("stocks", ["A"])
    late.advance(START + 1800.0)
    for store in (early, late):
        for second in range(1800):
            store.update(Tick("A", "stocks", START + second, 100.0 + second % 7))
            store.advance(START + second)
        store.advance(START + 1800.0)
    assert early.regime("A") != "unknown"
    pd.testing.assert_frame_equal(early.frame(START + 1800.9), late.frame(START + 1800.9))


def test_blocks_of_bars_share_their_names() -> None:
    """Where thousands wait for a disk they hold each symbol's name once, until there is another."""
    store = PulseStore(records=True)
    store.watch("stocks", [f"S{number}" for number in range(500)])
    taken = []
    for second in range(3):
        store.update(Tick("S1", "stocks", START + second, 100.0))
        taken.append(store.collect_changed())
    assert len({id(bars.symbols) for bars in taken} | {id(bars.assets) for bars in taken}) == 2
    store.update(Tick("NEW", "crypto", START + 9.0, 1.0))
    (new,) = store.collect_changed().symbols[500:]
    assert new == "NEW"


@pytest.mark.parametrize("jump_sec", [80, 100, 3520, 3579, 3669, 3670, 86_400])
def test_a_long_jump_loses_nothing_that_was_not_taken(jump_sec: int) -> None:
    """However far the next tick or the clock is ahead, what is to be taken is whole."""
    for is_tick in (True, False):
        store = PulseStore(records=True)
        ticks = [Tick("A", "stocks", START + i / 4, 100.0 + i) for i in range(400)]
        store.update_many(ticks)
        later = Tick("A", "stocks", START + 99.0 + jump_sec, 7.0)
        if is_tick:
            store.update(later)
        else:
            store.advance(later.ts)
        wanted = naively([*ticks, later] if is_tick else ticks)
        assert recorded([store.collect_changed()]) == wanted


def test_a_bar_is_taken_again_when_a_late_tick_comes() -> None:
    """Taken again it is whole, and what did not change is not."""
    store = PulseStore(records=True)
    ticks = [Tick("A", "stocks", START + i, 100.0 + i) for i in range(3)]
    store.update_many(ticks)
    assert len(store.collect_changed()) == 3
    late = Tick("A", "stocks", START + 1.5, 50.0)
    store.update(late)
    again = store.collect_changed()
    assert again.cells.tolist() == [(START + 1, 0, 500, 2, 50.0, 151.0)]
    assert again.symbols == ("A",)


def test_a_store_that_does_not_record_hands_out_nothing() -> None:
    """Without being asked to record, it keeps nothing to be taken and holds less memory."""
    store, recording = PulseStore(), PulseStore(records=True)
    for _, tick in arrivals(3, 300):
        for each in (store, recording):
            each.update(tick)
    store.load_bars(recording.collect_changed())
    taken = store.collect_changed()
    assert (len(taken), taken.symbols) == (0, tuple(store.symbols))
    assert store.nbytes < recording.nbytes


# Bars taken back.


def filled(seconds: int, window_sec: int, seed: int = 5) -> tuple[PulseStore, list[Bars]]:
    """A recording store fed second by second by symbols of many rates, and all that it recorded."""
    rng = random.Random(seed)
    store, taken = PulseStore(window_sec, records=True), []
    waits = dict(zip(SYMBOLS, (0.3, 0.3, 1, 2, 9, 25, 70, 0.1), strict=True))
    due = dict.fromkeys(SYMBOLS, float(START))
    price = {name: first for name, (_, first) in SYMBOLS.items()}
    for second in range(START, START + seconds):
        wild = 4.0 if second % 1700 < 300 else 1.0
        batch = []
        for name, (asset, _) in SYMBOLS.items():
            while due[name] < second + 1:
                price[name] *= 1.0 + rng.gauss(0.0, 1e-4) * wild
                batch.append(Tick(name, asset, due[name], price[name]))
                if rng.random() < 0.02 and due[name] % 10 > 4:
                    # Late, but before its bar is closed: what comes later no sample has seen.
                    batch.append(batch[-1]._replace(ts=round(due[name] - 3.5, 3)))
                wait = rng.expovariate(1.0 / waits[name])
                due[name] = round(due[name] + max(0.001, wait), 3)
        store.update_many(batch)
        store.advance(second + 1)
        taken.append(store.collect_changed())
    return store, taken


def merged(parts: Sequence[Bars]) -> Bars:
    """The bars of a stream as an archive holds them: each once, as it was last."""
    newest: dict[tuple[int, str], Any] = {}
    for bars in parts:
        for cell in bars.cells:
            newest[int(cell["second"]), bars.symbols[cell["row"]]] = cell
    symbols, assets = parts[-1].symbols, parts[-1].assets
    cells = np.array([newest[key] for key in sorted(newest)], CELL)
    return Bars(symbols, assets, cells)


EXACT: Final = (
    "last",
    "last_ts",
    "range_low",
    "range_high",
    "ret_1m",
    "ret_5m",
    "ret_15m",
    "watched_sec",
)
"""Columns in which no sum is: to the last digit what they were."""


def is_alike(name: str, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether two columns of a frame agree: what is summed to nine digits, the rest exactly."""
    if one.dtype == object:
        return bool((one == other).all())
    # The median is kept in single precision, where a sum's last bit may round either way.
    rtol = 0.0 if name in EXACT else 2e-7 if name == "vol_median" else 1e-9
    return np.allclose(one, other, rtol=rtol, atol=0.0 if name in EXACT else 1e-12, equal_nan=True)


def assert_frames_alike(one: PulseStore, other: PulseStore, now: float) -> None:
    """Every column of every symbol agrees at ``now``, in whatever order they appeared."""
    first = one.frame(now)
    second = other.frame(now).loc[first.index]
    different = [
        name
        for name in COLUMNS
        if not is_alike(name, first[name].to_numpy(), second[name].to_numpy())
    ]
    assert different == [], now - START


def test_a_store_loaded_tells_every_second_of_its_last_hour_as_the_one_recorded() -> None:
    """After a restart nothing looks different: frames, regimes and charts of any second."""
    hours = 2 * 3600
    store, taken = filled(hours, window_sec=7200)
    loaded = PulseStore(7200, records=True)
    loaded.load_bars(merged(taken))
    loaded.advance(START + hours)
    assert len(loaded.collect_changed()) == 0
    assert set(loaded.frame(START + hours)["regime"]) >= {"normal"}
    end = START + hours
    for second in (*range(end - 3600, end - 180, 7), *range(end - 180, end + 1)):
        assert_frames_alike(store, loaded, second + 0.999)
    for name in SYMBOLS:
        one, other = (each.history(name, START + hours, 7200) for each in (store, loaded))
        pd.testing.assert_frame_equal(one, other)


def test_a_loaded_store_goes_on_as_the_one_recorded() -> None:
    """Ticks that come afterwards, late ones too, leave both alike and are recorded alike."""
    store, taken = filled(1500, window_sec=7200)
    loaded = PulseStore(7200, records=True)
    loaded.load_bars(merged(taken))
    loaded.advance(START + 1500)
    end = START + 1500
    later = [
        Tick("AAPL", "stocks", end - 1 + 0.9995, 151.0),  # in the newest second loaded
        Tick("BTC-USD", "crypto", end - 58.5, 92_000.0),  # late, into a second loaded
        Tick("NEW", "stocks", end + 1.25, 5.0),
        Tick("AAPL", "stocks", end + 30.0, 152.0),
    ]
    for each in (store, loaded):
        each.update_many(later)
        each.advance(end + 31)
    one, other = recorded([store.collect_changed()]), recorded([loaded.collect_changed()])
    assert one.keys() == other.keys()
    assert one["BTC-USD", end - 59][3] > 1
    for key, values in one.items():
        assert other[key] == pytest.approx(values, rel=1e-12)
    for back in (0, 1, 30, 59, 61, 300, 900):
        assert_frames_alike(store, loaded, end + 31 - back)


def test_what_is_older_than_the_store_is_left_out() -> None:
    """Of three hours a store of one keeps what it would have kept, and answers so."""
    store, taken = filled(3 * 3600 // 2, window_sec=600)
    loaded = PulseStore(600)
    loaded.load_bars(merged(taken))
    loaded.advance(START + 3 * 3600 // 2)
    for back in (0, 100, 300):
        now = START + 3 * 3600 // 2 - back
        for name in SYMBOLS:
            one, other = (each.history(name, now, 3600) for each in (store, loaded))
            pd.testing.assert_frame_equal(one, other)
        one_bars, other_bars = (each.bars(list(SYMBOLS), 10, 600, now) for each in (store, loaded))
        np.testing.assert_allclose(one_bars[0], other_bars[0], rtol=1e-12)
        np.testing.assert_array_equal(one_bars[1], other_bars[1])


def test_bars_older_than_a_store_that_went_on_are_left_out() -> None:
    """A store ahead of them by more than its window takes none of them for newer ones."""
    _, taken = filled(30, window_sec=60)
    store = PulseStore(60)
    store.update(Tick("AAPL", "stocks", START + 3600.0, 9.0))
    store.load_bars(merged(taken))
    assert store.frame(START + 3600.0).loc["AAPL", "last"] == 9.0
    assert int(store.history("AAPL", START + 3600, 120)["price"].notna().sum()) == 1


def test_symbols_watched_keep_their_order_when_loaded() -> None:
    """The order of the watchlist stays; what is not in it comes after."""
    _, taken = filled(120, window_sec=600)
    store = PulseStore(600)
    store.watch("crypto", ["SHIB"])
    store.watch("stocks", ["IBM", "MSFT"])
    bars = merged(taken)
    store.load_bars(bars)
    assert store.symbols[:3] == ["SHIB", "IBM", "MSFT"]
    assert set(store.symbols) == {"IBM", *SYMBOLS}
    wanted = recorded([bars])
    for name in ("SHIB", "MSFT", "AAPL"):
        prices = store.history(name, START + 119, 120)["price"]
        for second, price in zip(range(START, START + 120), prices, strict=True):
            assert wanted.get((name, second), (None,))[0] == (None if math.isnan(price) else price)
    last = store.frame(START + 120)["last"]
    assert last.isna().tolist() == [name == "IBM" for name in store.symbols]


def test_loaded_bars_replace_a_price_that_was_only_given() -> None:
    """A last price that is in no window gives way to a newer one that is, and makes no return."""
    _, taken = filled(400, window_sec=600)
    store = PulseStore(600)
    store.set_initial_price(Tick("AAPL", "stocks", START + 390.0, 1.0))
    store.load_bars(merged(taken))
    only = PulseStore(600)
    only.load_bars(merged(taken))
    assert_frames_alike(only, store, START + 400)


def test_loaded_bars_leave_a_newer_price_that_was_only_given() -> None:
    """It is shown as the last one, and no figure is of it."""
    store = PulseStore(600)
    store.set_initial_price(Tick("AAPL", "stocks", START + 399.999, 1.0))
    store.load_bars(merged(filled(390, window_sec=600)[1]))
    row = store.snapshot("AAPL", START + 400.0)
    assert row is not None
    assert (row["last"], row["last_ts"]) == (1.0, START + 399.999)
    assert row["ret_5m"] == pytest.approx(0.0, abs=0.05)


def test_no_bars_load_as_nothing() -> None:
    """An empty archive leaves a store as it was, but for the symbols it knows."""
    store = PulseStore()
    store.load_bars(Bars.empty(["A"], ["stocks"]))
    store.advance(START)
    assert store.symbols == ["A"]
    with pytest.raises(ValueError, match="asset of B"):
        store.load_bars(Bars.empty(["B"], ["bonds"]))


# Many bars at once, and a clock set back.


@given(segments, st.sampled_from([600, 3600, 4440, 7200]), st.integers(0, 9000))
@settings(derandomize=True, deadline=None, max_examples=12)
def test_bars_closed_in_one_go_are_closed_as_one_by_one(
    parts: list[Segment], window_sec: int, after: int
) -> None:
    """For rings long and short, the samples, medians and regimes of every bar are the same."""
    ticks = stream(parts)
    end = int(max(tick.ts for tick in ticks)) + after
    ticks.append(Tick("AAPL", "stocks", float(end), 150.0))  # of both the same is stored
    at_once, one_by_one = PulseStore(window_sec), PulseStore(window_sec)
    for store in (at_once, one_by_one):
        store.update_many(ticks)
    first = int(min(tick.ts for tick in ticks))
    for now in range(max(first, end - window_sec - 70), end, 10):
        one_by_one.advance(now)
    one_by_one.advance(end)
    at_once.advance(end)
    for now in range(end - window_sec, end + 1, 10):
        one_by_one_frame, at_once_frame = one_by_one.frame(now), at_once.frame(now)
        assert at_once_frame.index.equals(one_by_one_frame.index)
        one, other = (f["vol_median"].to_numpy() for f in (at_once_frame, one_by_one_frame))
        assert np.allclose(one, other, rtol=1e-6, atol=1e-11, equal_nan=True), now - end
        assert at_once_frame["regime"].equals(one_by_one_frame["regime"]), now - end
    for back in (0, 10, 600, 3000):
        for one_row, other_row in zip(
            at_once.snapshots(end - back), one_by_one.snapshots(end - back), strict=True
        ):
            for column, value in other_row.items():
                assert_same_value(column, one_row[column], value, column)


@pytest.mark.parametrize("back_sec", [10, 600, 3600])
def test_sampling_goes_on_after_the_clock_was_set_back(back_sec: int) -> None:
    """Each bar is sampled anew in its time, and every frame is what all ticks together say."""
    store, oracle = PulseStore(), Oracle()
    rng = random.Random(back_sec)

    def run(first: int, end: int) -> None:
        for second in range(first, end, 5):
            tick = Tick("A", "stocks", float(second), 100.0 + rng.random())
            for each in (store, oracle):
                each.update(tick)
                each.advance(second + 1)

    run(START, START + 5400)
    back = START + 5400 - back_sec
    store.set_clock_back(back)
    oracle.closed = back // 10 - 1
    oracle.samples["A"] = {
        bar: vol for bar, vol in oracle.samples["A"].items() if bar <= oracle.closed
    }
    run(back, back + 1300)
    for now in (back + 1300, back + 1299.5, back + 700, back + 40):
        assert_like_oracle(store, oracle, now)
    assert store.regime("A") == oracle.judgement("A").regime != "unknown"
    run(back + 1300, START + 5700)
    for now in range(START + 5100, START + 5700, 47):
        assert_like_oracle(store, oracle, now)


def test_after_the_clock_was_set_back_bars_are_taken_again() -> None:
    """An hour ahead by mistake: what comes by the right time is recorded, and frames see it."""
    store = PulseStore(7200, records=True)
    for second in range(600):
        store.update(Tick("A", "stocks", START + second + 0.5, 100.0 + second / 1000))
    store.advance(START + 600)
    first = store.collect_changed()
    # The clock jumps ahead, nothing comes by that time, and it is set right.
    store.advance(START + 4200)
    store.set_clock_back(START + 610)
    for second in range(610, 900):
        store.update(Tick("A", "stocks", START + second + 0.5, 100.0 + second / 1000))
    store.advance(START + 900)
    taken = store.collect_changed()
    assert first.cells["second"].tolist() == list(range(START, START + 600))
    assert taken.cells["second"].tolist() == list(range(START + 610, START + 900))
    assert (taken.cells["price"] > 0).all()
    row = store.snapshot("A", START + 899.9)
    assert row is not None
    assert row["last"] == pytest.approx(100.899)
    assert row["ret_1m"] == pytest.approx(100.899 / 100.839 - 1)
    assert row["vol_15m"] is not None
    # And all the way through the time that had been by mistake.
    for second in range(900, 4800, 7):
        store.advance(START + second)
        store.update(Tick("A", "stocks", START + second + 0.5, 101.0))
    assert len(store.collect_changed()) == len(range(900, 4800, 7))


@pytest.mark.parametrize(
    "extremes",
    [
        (5e-324, 1.7e308),
        (1e-308, 1e308),
        (1e39, 1e-39),
        (LEAST_PRICE, MOST_PRICE),
        (MOST_PRICE, MOST_PRICE / 3),
        (LEAST_PRICE, 3 * LEAST_PRICE),
    ],
)
@pytest.mark.parametrize("from_bars", [False, True])
def test_no_price_makes_a_figure_overflow(extremes: tuple[float, float], from_bars: bool) -> None:
    """What no market has is left out; of the rest nothing is infinite, and numpy does not warn."""
    seconds = range(START, START + 1500)
    source, store = PulseStore(records=True), PulseStore()
    for one in (source, store):
        one.watch("crypto", ("X", "ETH-USD"))
    for second in seconds:
        prices = (extremes[second % 2], extremes[second // 7 % 2])
        ticks = [Tick("X", "crypto", second + k / 4, price) for k, price in enumerate(prices)]
        source.update_many([*ticks, Tick("ETH-USD", "crypto", second, 3000.0 + second % 5)])
        source.advance(second + 1)
    if from_bars:
        bars = source.collect_changed()
        bars.cells["price"][bars.cells["row"] == 0] = extremes[0]
        store.load_bars(bars)
        store.set_initial_price(Tick("Y", "crypto", float(START), extremes[1]))
        store.advance(seconds.stop)
    read = store if from_bars else source
    end = seconds.stop - 1e-3
    frame = read.frame(end)
    assert not np.isinf(frame.select_dtypes("number").to_numpy(dtype=float)).any()
    StressDetector().check_all(read.snapshots(end))
    corr_card(read, ["X", "ETH-USD"], "ETH-USD", 10, seconds.stop)
    is_known = LEAST_PRICE <= extremes[0] <= MOST_PRICE
    assert bool(frame["last"].notna()["X"]) is is_known
