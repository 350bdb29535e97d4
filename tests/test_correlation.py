"""The correlation card and matrix against numpy on the bars a pair shares, found by brute force."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlation import (
    BIN_SECS,
    MIN_PAIRS,
    auto_bin,
    corr_card,
    corr_matrix,
    interval,
    moving_together,
    twins,
)
from pulse_store import PulseStore
from tests.oracle import Oracle
from ticks import Regime, Tick

START: Final = 1_760_000_400

Floats = npt.NDArray[np.float64]


class Logs:
    """A store of given log prices: what the correlations read of a real one."""

    def __init__(self, rows: Mapping[str, Floats], regime: Regime = "normal") -> None:
        self.rows = {name: np.asarray(row, dtype=np.float64) for name, row in rows.items()}
        self.answer = regime
        self.asked: list[tuple[int, int]] = []

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, npt.NDArray[np.int32]]:
        """The newest bins that fit into the window."""
        self.asked.append((bin_sec, window_sec))
        bins = window_sec // bin_sec
        logs = np.full((len(symbols), bins), np.nan)
        for i, name in enumerate(symbols):
            row = self.rows.get(name, np.empty(0))[-bins:]
            logs[i, bins - len(row) :] = row
        return logs, np.where(np.isnan(logs), 0, 10_000).astype(np.int32)

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The same for every symbol."""
        return self.answer


def walk(rng: np.random.Generator, bins: int = 360) -> Floats:
    """A random walk of log prices."""
    return np.cumsum(rng.normal(size=bins)) * 1e-4


def mixed(rng: np.random.Generator, base: Floats, r: float) -> Floats:
    """A walk whose returns correlate with those of ``base`` at about ``r``."""
    steps = np.diff(base, prepend=0.0) * r
    return np.cumsum(steps + rng.normal(size=len(base)) * 1e-4 * math.sqrt(1 - r * r))


def expected(x: dict[int, float], y: dict[int, float]) -> tuple[float, int]:
    """Pearson's r and n of two symbols on the returns both have."""
    shared = sorted(x.keys() & y.keys())
    xs, ys = [x[i] for i in shared], [y[i] for i in shared]
    if len(shared) < 12 or np.ptp(xs) < 1e-11 or np.ptp(ys) < 1e-11:
        return math.nan, len(shared)
    return float(np.corrcoef(xs, ys)[0, 1]), len(shared)


RATES: Final = {"A": 0.5, "B": 0.3, "C": 0.05, "D": 0.01, "E": 0.3}


def filled(seed: int, seconds: int = 5000) -> tuple[PulseStore, Oracle]:
    """Five symbols on one factor, busy and sparse; E is flat, B pauses for half an hour."""
    rng = np.random.default_rng(seed)
    factor = np.cumsum(rng.normal(size=seconds)) * 1e-4
    ticks = []
    for symbol, rate in RATES.items():
        own = np.cumsum(rng.normal(size=seconds)) * 5e-5
        for second in np.flatnonzero(rng.random(seconds) < rate).tolist():
            if symbol == "B" and 1000 < second < 2800:
                continue
            log = 0.0 if symbol == "E" else factor[second] + own[second]
            ticks.append(Tick(symbol, "stocks", START + second + 0.5, 100.0 * math.exp(log)))
    ticks.sort(key=lambda tick: tick.ts)
    store, oracle = PulseStore(), Oracle()
    store.update_many(ticks)
    oracle.update_many(ticks)
    return store, oracle


@given(
    st.integers(0, 3),
    st.sampled_from(BIN_SECS),
    st.sampled_from([900, 1800, 3600]),
    st.integers(4900, 5059),
)
@settings(derandomize=True, deadline=None, max_examples=15)
def test_the_matrix_agrees_with_brute_force(
    seed: int, bin_sec: int, window_sec: int, second: int
) -> None:
    """Every pair's r and n, busy, sparse, pausing or flat, at any second."""
    store, oracle = filled(seed)
    now = START + second
    store.advance(now)
    oracle.head = max(oracle.head, int(now) // 10 - 1)
    names = [*RATES, "NONE"]
    returns = {name: oracle.bin_returns(name, bin_sec, window_sec, now) for name in names}
    corr, count = corr_matrix(store, names, bin_sec, window_sec, now)
    assert corr.index.tolist() == corr.columns.tolist() == names
    assert count.index.tolist() == count.columns.tolist() == names
    for a in names:
        for b in names:
            r, n = expected(returns[a], returns[b])
            assert count.loc[a, b] == n
            assert corr.loc[a, b] == pytest.approx(r, abs=1e-7, nan_ok=True)


@pytest.mark.parametrize("second", [4980, 4981, 5009, 5030, 5039])
def test_an_hour_of_minute_bars_is_whole_at_any_second(second: int) -> None:
    """Sixty bars are sixty bars at the end of a minute and just before it: 59 returns."""
    store = PulseStore()
    for i in range(0, second, 5):
        for name, sign in (("A", 1), ("B", -1)):
            price = 100.0 * math.exp(sign * math.sin(i * 0.013) * 0.01)
            store.update(Tick(name, "stocks", START + i, price))
    store.update(Tick("C", "stocks", START + second + 2.0, 1.0))  # a clock two seconds ahead
    corr, count = corr_matrix(store, ["A", "B"], 60, 3600, START + second + 0.9)
    assert count.loc["A", "B"] == 59
    assert corr.loc["A", "B"] == pytest.approx(-1.0, abs=1e-3)


def test_a_rewound_card_is_the_card_of_then() -> None:
    """With ticks after now in the store, r and n are those of the bars before it."""
    store, oracle = filled(2)
    now = START + 3000
    corr, count = corr_matrix(store, ["A", "C"], 60, 3600, now)
    r, n = expected(*(oracle.bin_returns(name, 60, 3600, now) for name in "AC"))
    assert count.loc["A", "C"] == n > 12
    assert corr.loc["A", "C"] == pytest.approx(r, abs=1e-7)


def test_a_sparse_symbol_empties_no_other_card() -> None:
    """A symbol that hardly ticks is blank itself and changes nothing for the rest."""
    rng = np.random.default_rng(1)
    base = walk(rng)
    sparse = np.full(360, np.nan)
    sparse[::40] = 1.0
    rows: dict[str, Floats] = {
        "A": base,
        "B": mixed(rng, base, 0.8),
        "C": mixed(rng, base, 0.5),
    }
    without = corr_card(Logs(rows), ["A", "B", "C"], "A", 10, START)
    names = ["A", "B", "C", "S"]
    with_sparse = corr_card(Logs(rows | {"S": sparse}), names, "A", 10, START)
    # But for the order in which a matrix product adds.
    for pair, before in zip(with_sparse.top, without.top, strict=True):
        assert (pair.symbol, pair.n, pair.chance) == (before.symbol, before.n, before.chance)
        for name in ("corr", "low", "high"):
            assert getattr(pair, name) == pytest.approx(getattr(before, name), rel=1e-12)
    assert replace(with_sparse, top=()) == replace(without, top=())
    corr, count = corr_matrix(Logs(rows | {"S": sparse}), names, 10, 3600, START)
    assert count.loc["A", "B"] == 359
    assert corr.loc["S"].isna().all()


def test_a_closed_market_is_not_filled_forward() -> None:
    """Where one of a pair has no bars there are no returns, neither 0 nor across the gap."""
    rng = np.random.default_rng(2)
    base = walk(rng)
    closed = mixed(rng, base, 0.9)
    closed[50:300] = np.nan
    corr, count = corr_matrix(Logs({"A": base, "B": closed}), ["A", "B"], 10, 3600, START)
    steps, others = np.diff(base), np.diff(closed)
    live = ~np.isnan(others)
    assert count.loc["A", "B"] == live.sum() == 49 + 59
    wanted = np.corrcoef(steps[live], others[live])[0, 1]
    assert corr.loc["A", "B"] == pytest.approx(wanted)


@pytest.mark.parametrize("slope", [0.0, 1e-5])
def test_a_flat_series_is_blank(slope: float) -> None:
    """A price that stands, or climbs evenly, correlates with nothing, itself included."""
    base = walk(np.random.default_rng(3))
    flat: Floats = math.log(92_010.37) + slope * np.arange(360, dtype=np.float64)
    store = Logs({"A": base, "F": flat})
    corr, count = corr_matrix(store, ["A", "F"], 10, 3600, START)
    assert count.loc["A", "F"] == 359
    assert corr["F"].isna().all()
    assert corr_card(store, ["A", "F"], "A", 10, START).top == ()


@pytest.mark.parametrize(("bars", "known"), [(12, False), (13, True)])
def test_fewer_than_twelve_returns_are_blank(bars: int, known: bool) -> None:
    """Twelve shared returns, from thirteen bars, are the least."""
    rng = np.random.default_rng(4)
    base = walk(rng, bars)
    store = Logs({"A": base, "B": mixed(rng, base, 0.9)})
    corr, count = corr_matrix(store, ["A", "B"], 10, 3600, START)
    assert count.loc["A", "B"] == bars - 1
    assert bool(corr.notna().loc["A", "B"]) == known
    assert bool(corr_card(store, ["A", "B"], "A", 10, START).top) == known


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_the_size_of_the_moves_does_not_matter(scale: float) -> None:
    """Tiny and huge moves correlate as they do in proportion."""
    rng = np.random.default_rng(5)
    base = walk(rng)
    other = mixed(rng, base, 0.6)
    corr, _ = corr_matrix(Logs({"A": base * scale, "B": other}), ["A", "B"], 10, 3600, START)
    wanted = np.corrcoef(np.diff(base), np.diff(other))[0, 1]
    assert corr.loc["A", "B"] == pytest.approx(wanted, abs=1e-3 if scale < 1 else 1e-9)


def test_splitting_ticks_changes_no_correlation() -> None:
    """Each tick twice leaves every mean, and with it every r, as it was."""
    rng = np.random.default_rng(6)
    ticks = [
        Tick(name, "stocks", START + second + i * 0.1, 100.0 * math.exp(log + i * 1e-5))
        for second, log in enumerate(walk(rng, 2000).tolist())
        for i, name in enumerate("AB")
    ]
    one, two = PulseStore(), PulseStore()
    one.update_many(ticks)
    two.update_many(tick for tick in ticks for _ in range(2))
    corr, count = corr_matrix(one, ["A", "B"], 20, 3600, START + 2000)
    split, split_count = corr_matrix(two, ["A", "B"], 20, 3600, START + 2000)
    assert split.to_numpy() == pytest.approx(corr.to_numpy(), abs=1e-9)
    assert (split_count == count).all(axis=None)


# The interval.


@pytest.mark.parametrize(
    ("r", "n", "low", "high"),
    [(0.5, 30, 0.1454, 0.7408), (0.0, 360, -0.1096, 0.1096), (-0.9, 12, -0.9748, -0.6436)],
)
def test_the_interval_is_fishers_with_overlap(r: float, n: int, low: float, high: float) -> None:
    """tanh(atanh r ± 1.96 / sqrt(n/1.125 - 3))."""
    half = 1.96 / math.sqrt(n / 1.125 - 3)
    formula = (math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
    assert interval(r, n) == pytest.approx(formula, abs=1e-12)
    assert interval(r, n) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_of_too_little_is_blank() -> None:
    """Fewer than twelve returns, or no correlation, have no interval."""
    assert all(math.isnan(end) for end in interval(0.5, 11))
    assert all(math.isnan(end) for end in interval(math.nan, 100))
    assert interval(1.0, 100) == (1.0, 1.0)
    assert interval(-1.0, 100) == (-1.0, -1.0)


# The card.


def four(rng: np.random.Generator) -> dict[str, Floats]:
    """A base and four others, most strongly bound first but for their names."""
    base = walk(rng)
    strengths = {"B": 0.2, "C": -0.9, "D": 0.6, "E": 0.4}
    return {"A": base} | {name: mixed(rng, base, r) for name, r in strengths.items()}


def test_the_card_shows_the_three_strongest() -> None:
    """By the size of r whatever its sign; with n and the interval; never the base itself."""
    store = Logs(four(np.random.default_rng(7)))
    card = corr_card(store, ["E", "D", "C", "B", "A", "C"], "A", 30, START)
    assert [entry.symbol for entry in card.top] == ["C", "D", "E"]
    corr, count = corr_matrix(store, ["A", "B", "C", "D", "E"], 30, 3600, START)
    for entry in card.top:
        assert entry.corr == pytest.approx(corr.loc["A", entry.symbol])
        assert entry.n == count.loc["A", entry.symbol]
        assert (entry.low, entry.high) == interval(entry.corr, entry.n)
        assert entry.chance == (entry.low <= 0 <= entry.high)
        assert entry.low < entry.corr < entry.high
    assert {name: getattr(card, name) for name in ("base", "regime", "window_sec", "bin_sec")} == {
        "base": "A",
        "regime": "normal",
        "window_sec": 3600,
        "bin_sec": 30,
    }


@pytest.mark.parametrize(
    ("regime", "window_sec"), [("unknown", 3600), ("normal", 3600), ("high_vol", 900)]
)
def test_the_window_follows_the_regime_of_the_base(regime: Regime, window_sec: int) -> None:
    """A quarter of an hour if the base is wild, else an hour."""
    store = Logs(four(np.random.default_rng(8)), regime)
    card = corr_card(store, ["A", "B"], "A", 10, START)
    assert (card.regime, card.window_sec) == (regime, window_sec)
    assert store.asked == [(10, window_sec)]
    assert card.top[0].n == window_sec // 10 - 1


def test_the_window_shrinks_when_the_real_base_gets_wild() -> None:
    """End to end: the card's regime is the store's."""
    store = PulseStore()
    for bar in range(300):
        step = 0.004 if bar > 250 else 0.001
        for name in "AB":
            price = 100.0 * (1 + bar % 2 * step)
            store.update(Tick(name, "stocks", START + bar * 10 + 5, price))
        store.advance(START + bar * 10 + 10)
    wild = corr_card(store, ["A", "B"], "A", 10, START + 3000)
    calm = corr_card(store, ["A", "B"], "A", 10, START + 2400)
    assert (wild.regime, wild.window_sec, wild.top[0].n) == ("high_vol", 900, 89)
    assert (calm.regime, calm.window_sec, calm.top[0].n) == ("normal", 3600, 239)


def test_unknown_symbols_are_left_out() -> None:
    """Neither an unknown base nor an unknown symbol is an error."""
    store, _ = filled(1)
    now = START + 5000
    card = corr_card(store, ["A", "NONE"], "NOBODY", 10, now)
    assert (card.base, card.regime, card.top) == ("NOBODY", "unknown", ())
    known = corr_card(store, ["NONE", "A", "C"], "A", 60, now)
    assert [entry.symbol for entry in known.top] == ["C"]
    assert corr_card(store, [], "A", 10, now).top == ()
    assert corr_matrix(store, [], 10, 900, now)[0].empty
    empty = corr_card(PulseStore(), ["A", "B"], "A", 10, now)
    assert (empty.regime, empty.top) == ("unknown", ())


@pytest.mark.parametrize("bin_sec", [0, -10, 5, 15, 40, 120])
def test_other_bars_are_refused(bin_sec: int) -> None:
    """Bars are 10, 20, 30 or 60 seconds."""
    store: Any = PulseStore()
    with pytest.raises(ValueError, match="bin_sec"):
        corr_card(store, ["A", "B"], "A", bin_sec, START)
    with pytest.raises(ValueError, match="bin_sec"):
        corr_matrix(store, ["A", "B"], bin_sec, 900, START)
    with pytest.raises(ValueError, match="bin_sec"):
        moving_together(store, ["A", "B"], bin_sec, START)


def test_the_card_says_how_much_is_shared() -> None:
    """The most returns that the base shares with any other, and how many it takes."""
    rng = np.random.default_rng(8)
    base = walk(rng, 30)
    rows: dict[str, Floats] = {"A": base, "B": walk(rng, 8), "C": walk(rng, 6), "D": walk(rng, 90)}
    card = corr_card(Logs(rows), ["A", "B", "C"], "A", 10, START)
    assert (card.top, card.shared, MIN_PAIRS) == ((), 7, 12)
    assert corr_card(Logs(rows), list("ABCD"), "A", 10, START).shared == 29
    for names, asked in ((["A"], "A"), ([], "A"), (["A", "B"], "NOBODY")):
        assert corr_card(Logs(rows), names, asked, 10, START).shared == 0


# Bars by themselves.


def ticking(every_sec: Mapping[str, float], begin: int = 0, end: int = 3600) -> PulseStore:
    """A store of symbols that tick every so often."""
    store = PulseStore()
    for name, wait in every_sec.items():
        count = int((end - begin) / wait)
        store.update_many(
            Tick(name, "stocks", START + begin + i * wait, 100.0) for i in range(count)
        )
    store.advance(START + end)
    return store


@pytest.mark.parametrize(
    ("every_sec", "bin_sec"),
    [
        ({"A": 1.0}, 10),
        ({"A": 19.0}, 10),
        ({"A": 20.0}, 20),
        ({"A": 39.0}, 20),
        ({"A": 41.0}, 30),
        ({"A": 61.0}, 60),
        ({"A": 700.0}, 60),
        ({"A": 1.0, "B": 700.0}, 10),
        ({"A": 1.0, "B": 700.0, "C": 700.0}, 60),
        ({"A": 15.0, "B": 25.0, "C": 25.0}, 20),
        ({}, 60),
    ],
)
def test_bars_are_as_short_as_most_of_them_are_live(
    every_sec: dict[str, float], bin_sec: int
) -> None:
    """More than half of all bars hold a tick; 60 s if no shorter ones do, or nothing ticks."""
    store = ticking(every_sec)
    assert auto_bin(store, [*every_sec, "NONE"], 3600, START + 3600) == bin_sec


def test_bars_before_the_first_tick_count_for_nothing() -> None:
    """A store of five minutes judges by these, and so does a symbol that joined."""
    store = ticking({"A": 1.0}, begin=3300)
    assert auto_bin(store, ["A"], 3600, START + 3600) == 10
    assert auto_bin(store, ["A"], 3600, START + 3000) == 60
    assert auto_bin(store, [], 3600, START + 3600) == 60


# Moving together.


def test_a_pair_that_begins_to_move_together_is_found() -> None:
    """Apart for 45 minutes, together for 15: that pair, and no other."""
    rng = np.random.default_rng(9)
    a, b, c, d = (walk(rng) for _ in range(4))
    b[270:] = b[269] + (a[270:] - a[269]) * 0.5 + walk(rng, 90) * 0.1
    d = mixed(rng, c, 0.9)
    (found,) = moving_together(Logs({"A": a, "B": b, "C": c, "D": d}), list("ABCD"), 10, START)
    assert (found.a, found.b) == ("A", "B")
    assert found.after.corr > 0.9
    assert abs(found.before.corr) < 0.6
    assert (found.after.n, found.before.n) == (89, 359)
    for pair in (found.after, found.before):
        assert (pair.low, pair.high) == interval(pair.corr, pair.n)
    assert found.after.low > found.before.high
    assert found.has_started is True


def test_a_pair_that_parts_is_found_too() -> None:
    """Together for 45 minutes, each for itself for 15."""
    rng = np.random.default_rng(10)
    a = walk(rng)
    b = mixed(rng, a, 0.95)
    b[270:] = b[269] + walk(rng, 90)
    (found,) = moving_together(Logs({"A": a, "B": b}), ["A", "B"], 10, START)
    assert found.after.high < found.before.low
    assert found.has_started is False


def test_a_pair_that_turns_against_each_other_has_started() -> None:
    """Together for 45 minutes, against each other for 15: bound as never before."""
    rng = np.random.default_rng(10)
    a = walk(rng)
    b = mixed(rng, a, 0.95)
    b[270:] = b[269] - (a[270:] - a[269]) + walk(rng, 90) * 0.2
    (found,) = moving_together(Logs({"A": a, "B": b}), ["A", "B"], 10, START)
    assert found.after.high < found.before.low
    assert found.has_started is True


def test_moving_together_is_sorted_and_bounded() -> None:
    """The largest change first, no more than asked for; none if nothing changed."""
    rng = np.random.default_rng(11)
    a = walk(rng)
    rows: dict[str, Floats] = {"A": a}
    for i, noise in enumerate((0.6, 0.05, 0.3)):
        other = walk(rng)
        other[270:] = other[269] + (a[270:] - a[269]) + walk(rng, 90) * noise
        rows[f"B{i}"] = other
    found = moving_together(Logs(rows), list(rows), 10, START, n=99)
    changes = [abs(pair.after.corr - pair.before.corr) for pair in found]
    assert len(found) > 3
    assert changes == sorted(changes, reverse=True)
    assert moving_together(Logs(rows), list(rows), 10, START) == found[:3]
    same = {"A": a, "B": mixed(rng, a, 0.9), "C": mixed(rng, a, -0.5)}
    assert moving_together(Logs(same), ["A", "B", "C"], 10, START) == []


# Twins.


def test_two_prices_of_one_thing_are_twins() -> None:
    """Whatever bounces between them; not what moves with them, and not what hardly trades."""
    rng = np.random.default_rng(12)
    price, other = (np.cumsum(rng.normal(size=7200)) * 1e-4 for _ in range(2))
    rows = {"A": price, "A2": price, "B": 0.8 * price + 0.6 * other, "C": other, "S": price}
    store = PulseStore(7200)
    for name, row in rows.items():
        for second in range(0, 7200, 400 if name == "S" else 1):
            log = row[second] + rng.choice((-1e-4, 1e-4))
            store.update(Tick(name, "crypto", START + second, 100.0 * math.exp(log)))
    found = twins(store, [*rows, "A", "NONE"], START + 7200)
    assert found == {name: frozenset() for name in ("B", "C", "S", "NONE")} | {
        "A": frozenset({"A2"}),
        "A2": frozenset({"A"}),
    }


def test_twins_are_the_same_however_many_are_compared() -> None:
    """Three of each of two hundred: every one has its two others, whatever the order."""
    rng = np.random.default_rng(13)
    rows = {
        f"{i}{part}": row for part in "abc" for i, row in enumerate(rng.normal(size=(200, 120)))
    }
    for i in range(200):
        rows |= {f"{i}{part}": rows[f"{i}a"] for part in "bc"}
    store = Logs({name: np.cumsum(row) * 1e-4 for name, row in rows.items()})
    expected = {name: frozenset({name[:-1] + part for part in "abc"} - {name}) for name in rows}
    assert twins(store, list(rows), START) == expected
    assert twins(store, list(rows)[::-1], START) == expected
    assert twins(store, [], START) == {}
