"""The correlation card and matrix against the same by brute force, on the bars a pair shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlation import (
    BIN_SECS,
    HELD_SEC,
    MIN_PAIRS,
    Pair,
    PairChange,
    auto_bin,
    changes,
    corr_card,
    corr_matrix,
    moving_together,
    twins,
)
from engine.reader import BEHIND_SEC
from pulse_store import PulseStore
from tests.oracle import Oracle
from tests.robust_oracle import corrected, kappa, pearson, scaled, standard_error
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
        """The newest bins that fit into the window; the last of a row ends at ``START``."""
        self.asked.append((bin_sec, window_sec))
        bins, later = window_sec // bin_sec, (START - int(now)) // bin_sec
        logs = np.full((len(symbols), bins), np.nan)
        for i, name in enumerate(symbols):
            row = self.rows.get(name, np.empty(0))
            row = row[: len(row) - later][-bins:]
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


def returns(oracle: Oracle, symbol: str, bin_sec: int, now: float) -> dict[int, float]:
    """Scaled returns of an hour of a symbol, by the number of the bar each begins at."""
    first = int(now) // bin_sec - 3600 // bin_sec
    changes = oracle.bin_returns(symbol, bin_sec, 3600, now)
    known = [changes.get(first + 1 + i, math.nan) for i in range(3600 // bin_sec - 1)]
    return {first + i: value for i, value in scaled(known).items()}


class Expected:
    """r, n, the standard error of atanh r and kappa of a pair, by brute force."""

    def __init__(
        self, oracle: Oracle, a: str, b: str, bin_sec: int, window_sec: int, now: float
    ) -> None:
        begin = int(now) // bin_sec - window_sec // bin_sec
        x, y = (
            {i: v for i, v in returns(oracle, name, bin_sec, now).items() if i >= begin}
            for name in (a, b)
        )
        self.pearson, self.n = pearson(x, y)
        self.r = self.error = self.null = math.nan
        if math.isnan(self.pearson):
            return
        shared = sorted(x.keys() & y.keys())
        counts = [
            {i: bar.n for i, bar in oracle.bins(name, bin_sec, window_sec, now).items()}
            for name in (a, b)
        ]
        self.kappa = kappa(shared, *counts)
        self.r = corrected(self.pearson, self.kappa)
        self.error = standard_error(x, y, self.pearson)
        self.null = standard_error(x, y, 0.0)

    def end(self, z: float) -> float:
        """So many standard errors away."""
        of_bars = corrected(self.pearson)
        return max(-1.0, min(1.0, math.tanh(math.atanh(of_bars) + z * self.error) / self.kappa))

    def may_be_chance(self, pairs: int) -> bool:
        """Whether the strongest of so many pairs is as strong where there is nothing."""
        z = abs(math.atanh(corrected(self.pearson)))
        return z <= SIDAK[pairs] * max(self.error, self.null)


SIDAK: Final = {1: 1.95996, 2: 2.23648, 3: 2.38774, 4: 2.49090, 6: 2.63104, 16: 2.94777}
"""How many standard deviations the largest of so many normal variables exceeds one time in 20."""

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
    corr, count = corr_matrix(store, names, bin_sec, window_sec, now)
    assert corr.index.tolist() == corr.columns.tolist() == names
    assert count.index.tolist() == count.columns.tolist() == names
    for a in names:
        for b in names:
            wanted = Expected(oracle, a, b, bin_sec, window_sec, now)
            assert count.loc[a, b] == wanted.n
            assert corr.loc[a, b] == pytest.approx(wanted.r, abs=1e-6, nan_ok=True)


@given(st.integers(0, 9), st.sampled_from(BIN_SECS), st.sampled_from("ABC"))
@settings(derandomize=True, deadline=None, max_examples=12)
def test_the_card_agrees_with_brute_force(seed: int, bin_sec: int, base: str) -> None:
    """r, n, interval and whether it may be chance, of the strongest of several."""
    store, oracle = filled(seed)
    now = START + 5000
    card = corr_card(store, list(RATES), base, bin_sec, now)
    wanted = {
        name: Expected(oracle, base, name, bin_sec, card.window_sec, now)
        for name in RATES
        if name != base
    }
    known = [name for name, one in wanted.items() if not math.isnan(one.r)]
    assert card.pairs == len(known)
    assert card.shared == max(one.n for one in wanted.values())
    best = sorted(known, key=lambda name: -abs(wanted[name].r))[:3]
    assert [pair.symbol for pair in card.top] == best
    for pair in card.top:
        one = wanted[pair.symbol]
        assert pair.n == one.n
        assert pair.corr == pytest.approx(one.r, abs=1e-6)
        assert (pair.low, pair.high) == pytest.approx((one.end(-1.96), one.end(1.96)), abs=1e-4)
        assert pair.low <= pair.corr <= pair.high
        assert pair.chance == one.may_be_chance(len(known))


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
    wanted = Expected(oracle, "A", "C", 60, 3600, now)
    assert count.loc["A", "C"] == wanted.n > 12
    assert corr.loc["A", "C"] == pytest.approx(wanted.r, abs=1e-6)


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
    assert replace(with_sparse, top=()) == replace(without, top=(), sparse=("S",))
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
    x, y = (scaled(side.tolist()) for side in (steps, others))
    assert corr.loc["A", "B"] == pytest.approx(corrected(pearson(x, y)[0]), abs=1e-3)


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
    as_is, _ = corr_matrix(Logs({"A": base, "B": other}), ["A", "B"], 10, 3600, START)
    assert corr.loc["A", "B"] == pytest.approx(as_is.loc["A", "B"], abs=1e-3 if scale < 1 else 1e-9)


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
        changes(store, ["A", "B"], bin_sec, START)


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
        ({"A": 1.0, "B": 700.0, "C": 700.0}, 10),  # no bars are long enough for these
        ({"A": 1.0, "B": 41.0}, 30),
        ({"A": 15.0, "B": 25.0, "C": 25.0}, 20),
        ({}, 60),
    ],
)
def test_bars_are_as_short_as_most_of_them_are_live(
    every_sec: dict[str, float], bin_sec: int
) -> None:
    """More than half of each symbol's hold a tick; 60 s if no shorter ones do, or nothing ticks."""
    store = ticking(every_sec)
    assert auto_bin(store, [*every_sec, "NONE"], START + 3600) == bin_sec


def test_bars_before_the_first_tick_count_for_nothing() -> None:
    """A store of five minutes judges by these, and so does a symbol that joined."""
    store = ticking({"A": 1.0}, begin=3300)
    assert auto_bin(store, ["A"], START + 3600) == 10
    assert auto_bin(store, ["A"], START + 3000) == 60
    assert auto_bin(store, [], START + 3600) == 60


def test_bars_are_long_if_prices_bounce() -> None:
    """If ticks are few, for many of them average it out; and not one price in many."""
    rng = np.random.default_rng(16)
    price = np.cumsum(rng.normal(size=3600)) * 1e-4
    for rate, bounce, bin_sec in ((10.0, 5e-4, 10), (0.2, 0.0, 10), (0.2, 5e-4, 60)):
        store = PulseStore()
        for second in np.repeat(np.arange(3600), rng.poisson(rate, size=3600)).tolist():
            log = price[second] + rng.choice((-bounce, bounce))
            store.update(Tick("A", "stocks", START + second + 0.5, 100.0 * math.exp(log)))
        assert auto_bin(store, ["A"], START + 3600) == bin_sec
    for i in range(12):
        store.update_many(
            Tick(f"B{i}", "stocks", START + second, 100.0 * math.exp(price[second]))
            for second in range(0, 3600, 5)
        )
    names = store.symbols
    assert auto_bin(store, names, START + 3600) == 10
    assert auto_bin(store, names[:9], START + 3600) == 60


def test_the_card_names_those_that_are_too_sparse_for_its_bars() -> None:
    """Those that tick but leave most bars empty, and not those that never ticked."""
    store = ticking({"A": 1.0, "B": 25.0, "C": 55.0, "D": 700.0})
    names = [*"ABCD", "NONE"]
    cards = {sec: corr_card(store, names, "A", sec, START + 3600) for sec in BIN_SECS}
    assert {sec: "".join(card.sparse) for sec, card in cards.items()} == {
        10: "BCD",
        20: "CD",
        30: "D",
        60: "D",
    }
    assert corr_card(store, names, "C", 10, START + 3600).sparse == ("C", "B", "D")


# Moving together.


def parted(rng: np.random.Generator, a: Floats, before: float, after: float) -> Floats:
    """A walk that goes along with ``a`` in one way but for the last 15 minutes, then in another."""
    b = mixed(rng, a, before)
    b[270:] = b[269] + mixed(rng, np.r_[0.0, a[270:] - a[269]], after)[1:]
    return b


def test_a_pair_that_begins_to_move_together_is_found() -> None:
    """Apart for 45 minutes, together for 15: that pair, and no other; with what it was and is."""
    rng = np.random.default_rng(9)
    a, c = (walk(rng) for _ in range(2))
    rows: dict[str, Floats] = {"A": a, "B": parted(rng, a, 0.0, 0.95), "C": c}
    rows["D"] = mixed(rng, c, 0.9)
    store = Logs(rows)
    (found,) = changes(store, list("ABCD"), 10, START)
    assert (found.a, found.b, found.pairs, found.at) == ("A", "B", 6, START)
    assert found.has_started is True
    assert found.after.corr > 0.85
    assert abs(found.before.corr) < 0.3
    assert (found.after.n, found.before.n) == (89, 269)
    recent = corr_matrix(store, ["A", "B"], 10, 900, START)[0]
    assert found.after.corr == pytest.approx(recent.loc["A", "B"])


def test_it_agrees_with_brute_force_on_what_changed() -> None:
    """Every pair beyond Bonferroni's threshold and no other, busy or sparse."""
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        factor, own = (np.cumsum(rng.normal(size=3600)) * 1e-4 for _ in range(2))
        later = np.where(np.arange(3600) < 2700, 0.0, np.cumsum(np.diff(factor, prepend=0.0)))
        later[2700:] -= factor[2699]
        rows = {"A": factor, "B": own + 3 * later, "C": own}
        oracle, store = Oracle(), PulseStore()
        for name, rate in (("A", 0.9), ("B", 0.5), ("C", 0.3)):
            for second in np.flatnonzero(rng.random(3600) < rate).tolist():
                tick = Tick(
                    name, "stocks", START + second + 0.5, 100.0 * math.exp(rows[name][second])
                )
                store.update(tick)
                oracle.update(tick)
        now = START + 3600
        store.advance(now)
        oracle.head = max(oracle.head, now // 10 - 1)
        wanted = {
            pair for pair in (("A", "B"), ("A", "C"), ("B", "C")) if changed(oracle, *pair, now)
        }
        assert {(pair.a, pair.b) for pair in changes(store, list("ABC"), 10, now)} == wanted
        found += len(wanted)
    assert 4 <= found < 24


def changed(oracle: Oracle, a: str, b: str, now: int) -> bool:
    """Whether one of three pairs changed, by brute force."""
    middle = now // 10 - 90
    both = [returns(oracle, name, 10, now) for name in (a, b)]
    counts = [{i: bar.n for i, bar in oracle.bins(name, 10, 3600, now).items()} for name in (a, b)]
    r, error, part = [], [], []
    for is_after in (False, True):
        # The return that begins at the last bar of the one is of both, and of neither.
        x, y = (
            {i: v for i, v in side.items() if (i >= middle if is_after else i < middle - 1)}
            for side in both
        )
        r.append(pearson(x, y)[0])
        error.append(standard_error(x, y, r[-1]))
        part.append(kappa(sorted(x.keys() & y.keys()), *counts))
    if abs(corrected(r[1], part[1]) - corrected(r[0], part[0])) < 0.25:
        return False
    of_bars = [corrected(value) for value in r]
    less = [value * min(part) / own for value, own in zip(of_bars, part, strict=True)]
    square = sum(
        (e * (min(part) / own) * (1 - value**2) / (1 - small**2)) ** 2
        for e, own, value, small in zip(error, part, of_bars, less, strict=True)
    )
    # Normal quantile of 1 - 0.05 / (2 · 3 pairs · 10 looks).
    return abs(math.atanh(less[1]) - math.atanh(less[0])) > 3.14398 * math.sqrt(square)


@pytest.mark.parametrize(("after", "has_started"), [(0.0, False), (-0.99, True)])
def test_a_pair_that_parts_or_turns_is_found_too(after: float, has_started: bool) -> None:
    """Together for 45 minutes, then each for itself; or against each other, bound as before."""
    rng = np.random.default_rng(10)
    a = walk(rng)
    (found,) = changes(Logs({"A": a, "B": parted(rng, a, 0.9, after)}), ["A", "B"], 10, START)
    assert found.after.high < found.before.low
    assert found.has_started is has_started


def test_a_change_is_told_the_largest_first() -> None:
    """And none if nothing changed."""
    rng = np.random.default_rng(11)
    a = walk(rng)
    rows: dict[str, Floats] = {"A": a}
    rows |= {f"B{after}": parted(rng, a, 0.0, after) for after in (0.9, 0.99, 0.95)}
    found = changes(Logs(rows), list(rows), 10, START)
    sizes = [abs(pair.after.corr - pair.before.corr) for pair in found]
    assert len(found) > 3
    assert sizes == sorted(sizes, reverse=True)
    same = {"A": a, "B": mixed(rng, a, 0.9), "C": mixed(rng, a, -0.5)}
    assert changes(Logs(same), ["A", "B", "C"], 10, START) == ()
    assert changes(Logs(same), [], 10, START) == changes(Logs({}), ["A", "B"], 10, START) == ()


def test_more_ticks_are_no_change() -> None:
    """Bars of a symbol that ticks more often than before correlate more, and its price does not."""
    rng = np.random.default_rng(12)
    counts = np.full((2, 360), 1, np.int32)
    counts[:, 270:] = 10_000

    class Ticking(Logs):
        def bars(self, *asked: Any) -> tuple[Floats, npt.NDArray[np.int32]]:
            return super().bars(*asked)[0], counts

    # Bar means of single ticks at random times have two thirds of the correlation.
    a = walk(rng)
    found = [
        changes(store, ["A", "B"], 10, START)
        for rows in [{"A": a, "B": parted(rng, a, 0.55, 0.95)}]
        for store in (Logs(rows), Ticking(rows))
    ]
    assert len(found[0]) == 1
    assert found[1] == ()


def pair_change(a: str, b: str, change: float, at: int) -> PairChange:
    """A change of a correlation from nothing."""
    before, after = (Pair(b, r, 89, r - 0.1, r + 0.1, chance=False) for r in (0.0, change))
    return PairChange(a, b, before, after, has_started=True, pairs=6, at=at)


def test_a_change_is_shown_for_ten_minutes_once_found_twice_in_a_row() -> None:
    """With the figures of the newest look; what was found once is not shown, nor what is over."""
    looks = {
        START - 660: [pair_change("A", "B", 0.7, START - 660), pair_change("C", "D", 0.5, 0)],
        START - 600: [pair_change("A", "B", 0.8, START - 600)],
        START - 540: [pair_change("A", "B", 0.6, START - 540), pair_change("E", "F", -0.9, 0)],
    }
    asked: list[int] = []

    def changes_at(look: int) -> list[PairChange]:
        asked.append(look)
        return looks.get(look, [])

    shown = {}
    for second in range(START - 660, START + 600):
        shown[second] = [(pair.a, pair.at) for pair in moving_together(changes_at, second + 0.9)]
    assert all(look % 60 == 0 for look in asked)
    assert shown[START - 601] == []
    assert shown[START - 600] == shown[START - 541] == [("A", START - 600)]
    assert shown[START - 540] == shown[START - 540 + HELD_SEC - 1] == [("A", START - 540)]
    assert shown[START - 540 + HELD_SEC] == []


def test_the_largest_changes_are_shown() -> None:
    """As many as are asked for; one that changed its direction between looks counts anew."""
    sizes = {"A": 0.4, "B": -0.9, "C": 0.6, "D": 0.5}

    def changes_at(look: int) -> list[PairChange]:
        return [pair_change(name, "X", size, look) for name, size in sizes.items()]

    assert [pair.a for pair in moving_together(changes_at, START)] == ["B", "C", "D"]
    assert len(moving_together(changes_at, START, n=99)) == 4

    def turning(look: int) -> list[PairChange]:
        started = look // 60 % 2 == 0
        return [replace(pair_change("A", "X", 0.5, look), has_started=started)]

    assert moving_together(turning, START) == []


def test_what_is_looked_back_at_is_what_was_shown() -> None:
    """An hour later to the last digit, with a store of the size that a worker's has."""
    rng = np.random.default_rng(14)
    store = PulseStore(3600 + BEHIND_SEC)
    steps = rng.normal(size=(3, 8400)) * 1e-4
    for begin in range(2850, 8400, 2400):  # together for twenty minutes, and not for as many
        steps[1, begin : begin + 1200] = steps[0, begin : begin + 1200]
    price = np.cumsum(steps, axis=1)
    names, shown = ["A", "B", "C"], {}
    for second in range(8400):
        for name, log in zip(names, price[:, second].tolist(), strict=True):
            store.update(Tick(name, "crypto", START + second + 0.5, 100.0 * math.exp(log)))
        store.advance(START + second + 1)
        now = START + second + 0.999
        if second >= 4800 and second % 97 == 0:
            shown[now] = moving_together(partial(changes, store, names, 10), now)
    assert any(shown.values())
    assert not all(shown.values())
    for now, pairs in shown.items():
        assert moving_together(partial(changes, store, names, 10), now) == pairs


# Twins.


def test_two_prices_of_one_thing_are_twins() -> None:
    """Whatever bounces between them; not what moves with them, and not what ticks too seldom."""
    rng = np.random.default_rng(12)
    price, other = (np.cumsum(rng.normal(size=7200)) * 1e-4 for _ in range(2))
    rows = {"A": price, "A2": price, "B": 0.8 * price + 0.6 * other, "C": other}
    rows |= {"S": price, "T": price}
    every_sec = {"S": 400, "T": 50}
    store = PulseStore(7200)
    for name, row in rows.items():
        for second in range(0, 7200, every_sec.get(name, 1)):
            log = row[second] + rng.choice((-1e-4, 1e-4))
            store.update(Tick(name, "crypto", START + second, 100.0 * math.exp(log)))
    found = twins(store, [*rows, "A", "NONE"], START + 7200)
    assert found == {name: frozenset() for name in ("B", "C", "S", "T", "NONE")} | {
        "A": frozenset({"A2"}),
        "A2": frozenset({"A"}),
    }


def test_namesakes_are_twins_until_it_is_known_that_they_are_not() -> None:
    """In dollars of several kinds: with too few returns, or too few ticks; not by another name."""
    rng = np.random.default_rng(14)
    price, other = (np.cumsum(rng.normal(size=3600)) * 1e-4 for _ in range(2))
    names = ("X-USD", "X-USDT", "X-EUR", "Y-USD", "USD")
    sparse = ("Z-USD", "Z-USDC")
    store = PulseStore(7200)
    for second in range(3600):
        for name in (*names, *(sparse if second % 50 == 0 else ())):
            log = other[second] if name == "X-USDT" else price[second]
            store.update(Tick(name, "crypto", START + second, 100.0 * math.exp(log)))
    young = twins(store, [*names, *sparse], START + 300)
    assert young == {name: frozenset() for name in ("X-EUR", "Y-USD", "USD")} | {
        "X-USD": frozenset({"X-USDT"}),
        "X-USDT": frozenset({"X-USD"}),
        "Z-USD": frozenset({"Z-USDC"}),
        "Z-USDC": frozenset({"Z-USD"}),
    }
    known = twins(store, [*names, *sparse], START + 3600)
    assert known["X-USDT"] == frozenset()
    assert known["X-USD"] == {"X-EUR", "Y-USD", "USD"}
    assert known["Z-USD"] == {"Z-USDC"}


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
