"""States of rows, the calm order rule by rule and on the recorded hour, and the orders kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ranking import Replay, simulated, taped
from engine.calm import HOLD_SEC, MEAN_SEC, REST_SEC, SETTLE_SEC, CalmOrder
from engine.ranking import (
    ASKED_SEC,
    ORDERS,
    RANKS,
    Order,
    Ranking,
    State,
    displaced,
    is_usual,
    order_of,
    states,
)
from formulas import COLUMNS
from sources.tape import Tape
from tests.reading import readers

deterministic = settings(derandomize=True, deadline=None, max_examples=60)

NAN: Final = math.nan


def numbers(values: Iterable[float]) -> npt.NDArray[np.float64]:
    """Values as an array of floats."""
    return np.array(list(values), dtype=np.float64)


def calm_order(calm: CalmOrder, second: int, sizes: Iterable[float], *tiers: int) -> list[int]:
    """One update, all of tier 0 but for the ``tiers`` given, as a list."""
    values = numbers(sizes)
    order: list[int] = calm.update(second, values, np.array(tiers or [0] * len(values))).tolist()
    return order


# States.


@pytest.mark.parametrize(
    ("age", "is_open", "state"),
    [
        (-1.5, True, "live"),
        (0.0, True, "live"),
        (10.0, True, "live"),
        (10.1, True, "quiet"),
        (30.0, True, "quiet"),
        (30.1, True, "stale"),
        (NAN, True, "no data"),
        (0.0, False, "closed"),
        (9e4, False, "closed"),
        (NAN, False, "closed"),
    ],
)
def test_the_state_follows_the_age(age: float, is_open: bool, state: str) -> None:
    """Live for ten seconds, quiet for thirty, then stale; a closed market is closed."""
    assert states(numbers([age]), np.array([is_open])) == [state]


def test_every_row_has_its_own_state() -> None:
    """One state per row, in their order, and none for no rows."""
    ages = numbers([1.0, NAN, 20.0, 99.0])
    found = states(ages, np.array([True, True, False, True]))
    assert found == ["live", "no data", "closed", "stale"]
    assert states(np.empty(0), np.empty(0, np.bool_)) == []


def test_ranks_are_columns_of_a_frame() -> None:
    """Whatever rows can be ranked by, a frame has it."""
    assert set(RANKS.values()) <= set(COLUMNS)


# The calm order, rule by rule.


def test_the_first_order_is_plainly_sorted() -> None:
    """Largest first, equal ones by row, unknown ones behind, then the other tiers by row."""
    order = calm_order(CalmOrder(), 100, [1.0, NAN, 3.0, 9.0, 3.0, NAN, 8.0], 0, 0, 0, 2, 0, 1, 1)
    assert order == [2, 4, 0, 1, 5, 6, 3]


def test_no_rows_have_an_order() -> None:
    """Neither no rows, nor none that leads, is an error."""
    calm = CalmOrder()
    assert calm_order(calm, 1, []) == []
    assert calm_order(calm, 2, [NAN, 1.0], 0, 1) == [0, 1]
    assert calm_order(calm, 3, [NAN, 1.0], 0, 0) == [1, 0]


REAL_LEADS: Final = [
    ([2.0, 3.04, 1.0, 1.0, 1.0], [1, 0, 2, 3, 4]),  # 34 % of its own size, 1.04 times the median
    ([2.0, 2.96, 1.0, 1.0, 1.0], [0, 1, 2, 3, 4]),  # 32 %, 0.96 times
    ([8.0, 9.5, 1.0, 1.0, 1.0], [1, 0, 2, 3, 4]),  # 16 %, 1.5 times
    ([8.0, 9.3, 1.0, 1.0, 1.0], [0, 1, 2, 3, 4]),  # 14 %, 1.3 times
    ([0.2, 0.1, 1.3, 1.3, 1.3], [0, 1, 2, 3, 4]),  # 92 %, 0.9 times: near zero
]


@pytest.mark.parametrize(("sizes", "order"), REAL_LEADS)
def test_a_real_lead_counts_at_the_next_look(sizes: list[float], order: list[int]) -> None:
    """More than 15 % of its own size and the median, or nothing changes; and until then neither."""
    calm = CalmOrder()
    assert calm_order(calm, 100, [3.0, 2.0, 0.1, 0.1, 0.1]) == [0, 1, 2, 3, 4]
    for second in range(100 + MEAN_SEC, 100 + REST_SEC):
        assert calm_order(calm, second, sizes) == [0, 1, 2, 3, 4]
    assert calm_order(calm, 100 + REST_SEC, sizes) == order


@pytest.mark.parametrize(
    ("sizes", "order"),
    [
        ([2.0, 5.1, 1.0, 1.0, 1.0], [1, 0, 2, 3, 4]),  # 61 % of its own size, 3.1 times the median
        ([2.0, 4.9, 1.0, 1.0, 1.0], [0, 1, 2, 3, 4]),  # 59 %, 2.9 times
        ([20.0, 23.8, 1.0, 1.0, 1.0], [1, 0, 2, 3, 4]),  # 16 %, 3.8 times
        ([20.0, 23.2, 1.0, 1.0, 1.0], [0, 1, 2, 3, 4]),  # 14 %, 3.2 times
    ],
)
def test_an_urgent_lead_counts_at_once(sizes: list[float], order: list[int]) -> None:
    """More than 15 % of its own size and three times the median, or it waits."""
    calm = CalmOrder()
    assert calm_order(calm, 100, [3.0, 2.0, 0.1, 0.1, 0.1]) == [0, 1, 2, 3, 4]
    assert calm_order(calm, 100 + MEAN_SEC, sizes) == order


@pytest.mark.parametrize(
    ("sizes", "seconds", "order"),
    [
        ([2.0, 2.56, 1.0, 1.0, 1.0], REST_SEC, [1, 0, 2, 3, 4]),  # 0.56 times the median
        ([2.0, 2.44, 1.0, 1.0, 1.0], REST_SEC, [0, 1, 2, 3, 4]),  # 0.44 times
        ([2.0, 3.6, 1.0, 1.0, 1.0], MEAN_SEC, [1, 0, 2, 3, 4]),  # 1.6 times
        ([2.0, 3.4, 1.0, 1.0, 1.0], MEAN_SEC, [0, 1, 2, 3, 4]),  # 1.4 times
    ],
)
def test_of_large_medians_a_share_is_a_lead(
    sizes: list[float], seconds: int, order: list[int]
) -> None:
    """Half of the multiples, if that is asked for, at the next look and in between."""
    calm = CalmOrder(of_median=0.5)
    assert calm_order(calm, 100, [3.0, 2.0, 0.1, 0.1, 0.1]) == [0, 1, 2, 3, 4]
    for second in range(100 + MEAN_SEC, 100 + seconds):
        calm_order(calm, second, sizes)
    assert calm_order(calm, 100 + seconds, sizes) == order


@pytest.mark.parametrize(
    ("second", "is_look"),
    [(100, False), (101, False), (109, False), (110, True), (5000, True), (99, True), (-9, True)],
)
def test_rows_rest_after_a_look(second: int, is_look: bool) -> None:
    """For ten seconds of the clock; one that leaves them, in either direction, ends the rest."""
    calm = CalmOrder()
    calm_order(calm, 100, [3.0, 2.0, 0.1, 0.1, 0.1])
    moved = calm_order(calm, second, [2.0, 4.2, 1.0, 1.0, 1.0]) == [1, 0, 2, 3, 4]
    assert moved == is_look


def test_between_looks_small_leads_change_nothing() -> None:
    """Seventeen that walk about and pass each other: the order changes with a look or not."""
    rng = np.random.default_rng(7)
    calm, sizes = CalmOrder(), rng.uniform(1.0, 2.0, 17)
    changed = set()
    before = calm_order(calm, 103, sizes)
    for second in range(104, 704):
        sizes = np.clip(sizes + rng.normal(0.0, 0.1, 17), 0.5, 2.5)
        order = calm_order(calm, second, sizes)
        if order != before:
            changed.add((second - 103) % REST_SEC)
        before = order
    assert changed == {0}


@pytest.mark.parametrize(("size", "at"), [(1.3, 60), (1.5, 55), (2.0, 53), (20.0, 52)])
def test_a_leap_leads_within_seconds(size: float, at: int) -> None:
    """The further it leaps at second 52 the sooner its mean leads; no leap waits for the hold."""
    calm = CalmOrder()
    shown = [
        calm_order(calm, second, [1.0, 0.9 if second < 52 else size, 0.1, 0.1, 0.1])
        for second in range(70)
    ]
    assert shown.index([1, 0, 2, 3, 4]) == at


def test_a_bounce_leads_nothing() -> None:
    """One second far ahead and one second back, again and again, is as large as its mean."""
    calm = CalmOrder()
    shown = [
        calm_order(calm, second, [2.0, 1.0 + second % 2 * 2.0, 0.1, 0.1, 0.1])
        for second in range(4, 300)
    ]
    assert all(order == shown[0] for order in shown)


@pytest.mark.parametrize(("since", "at"), [(1, 30), (9, 30), (10, 30), (11, 40), (20, 40)])
def test_a_small_lead_counts_when_it_lasts(since: int, at: int) -> None:
    """A row a hair ahead of its neighbour passes it with the first look after twenty seconds."""
    calm = CalmOrder()
    shown = [
        calm_order(calm, second, [2.0, 1.9 if second < since else 2.1]) for second in range(60)
    ]
    assert shown.index([1, 0]) == at
    assert shown[at:] == [[1, 0]] * (60 - at)


@pytest.mark.parametrize("gap", [1, 2, 3, 7, 9, 10, 11, 19, 20, 25])
@pytest.mark.parametrize("begins", range(1, 21))
def test_a_small_lead_settles_whenever_it_begins(gap: int, begins: int) -> None:
    """Whatever the gaps, whoever was ahead for SETTLE_SEC is above at the next update."""
    calm = CalmOrder()
    for turn in range(begins + SETTLE_SEC + 1):
        order = calm_order(calm, turn * gap, [2.0, 1.9 if turn < begins else 2.1])
        ahead_sec = (turn - begins) * gap
        assert order == [0, 1] or ahead_sec >= HOLD_SEC
        assert order == [1, 0] or ahead_sec < SETTLE_SEC


@pytest.mark.parametrize(("behind", "at"), [(0, 30), (10, 40), (15, 40), (29, 50)])
def test_a_break_begins_the_hold_anew(behind: int, at: int) -> None:
    """One second behind and the twenty seconds begin again."""
    calm = CalmOrder()
    sizes = [1.9 if second in (0, behind) else 2.1 for second in range(60)]
    shown = [calm_order(calm, second, [2.0, size]) for second, size in enumerate(sizes)]
    assert shown.index([1, 0]) == at


def test_a_row_that_takes_turns_stays() -> None:
    """Two near each other that pass each other all the time do not move at all."""
    calm = CalmOrder()
    shown = [calm_order(calm, second, [2.0, 2.0 + 0.2 * (-1) ** second]) for second in range(300)]
    assert all(order == shown[0] for order in shown)


def test_a_large_lead_passes_over_a_row_between() -> None:
    """The row between, which nobody really leads, does not protect the one above it."""
    small = [0.1] * 4
    for between, order in ((0.8, [2, 0, 1]), (1.05, [1, 2, 0]), (1.25, [1, 2, 0])):
        calm = CalmOrder()
        assert calm_order(calm, 0, [1.3, 1.2, 1.1, *small])[:3] == [0, 1, 2]
        assert calm_order(calm, REST_SEC, [0.9, between, 1.22, *small])[:3] == order


def test_a_small_lead_passes_over_a_row_that_swings() -> None:
    """The neighbour between may swing above and below for ever."""
    calm = CalmOrder()
    shown = [
        calm_order(calm, second, [2.0, 1.9 + 0.25 * (second % 2), 2.1 if second else 1.8])
        for second in range(80)
    ]
    is_above = [order.index(2) < order.index(0) for order in shown]
    assert is_above == [second >= 30 for second in range(80)]


def test_a_tier_counts_at_once() -> None:
    """A leader that goes stale leads no more, and comes back to where its size belongs.

    Also while rows rest.
    """
    calm = CalmOrder()
    sizes = [3.0, 2.9, 2.0, 1.0]
    assert calm_order(calm, 0, sizes) == [0, 1, 2, 3]
    assert calm_order(calm, 1, sizes, 1, 0, 0, 0) == [1, 2, 3, 0]
    assert calm_order(calm, 2, sizes, 1, 2, 0, 1) == [2, 0, 3, 1]
    assert calm_order(calm, 3, sizes) == [0, 1, 2, 3]


def test_a_row_that_comes_to_lead_joins_where_its_size_belongs() -> None:
    """Whether it was unknown, stale or not there at all: above the first that is smaller."""
    calm = CalmOrder()
    assert calm_order(calm, 0, [3.0, 2.0, 1.0]) == [0, 1, 2]
    assert calm_order(calm, 1, [3.0, 2.0, 1.0, 2.01, NAN]) == [0, 3, 1, 2, 4]
    assert calm_order(calm, 2, [3.0, 2.0, 1.0, 2.01, 3.01]) == [4, 0, 3, 1, 2]


def test_a_row_that_was_not_there_has_not_held() -> None:
    """Rows that join are compared over the twenty seconds they have been there."""
    calm = CalmOrder()
    shown = []
    for second in range(70):
        row = [2.0] if second < 31 else [2.0, 1.95 if second == 31 else 2.05]
        shown.append(calm_order(calm, second, row))
    assert shown.index([1, 0]) == 60


@pytest.mark.parametrize("second", [-9, 0, 49, 50, 51, 60, 69, 70, 5000])
def test_any_second_may_follow(second: int) -> None:
    """Backwards, twice the same or after a gap: an order comes, and a small lead waits again."""
    calm = CalmOrder()
    calm_order(calm, 49, [2.0, 1.9])
    calm_order(calm, 50, [2.0, 2.1])
    gap = second - 50 >= HOLD_SEC
    assert calm_order(calm, second, [2.0, 2.1]) == ([1, 0] if gap else [0, 1])
    assert calm_order(calm, second + HOLD_SEC, [2.0, 2.1]) == [1, 0]


# The calm order, whatever comes.


class Row(NamedTuple):
    """How one row behaves: its levels, how far it swings, and where it begins and is unknown."""

    level: float
    then: float
    changes: int
    swing: float
    begins: int
    unknown: float
    stale: float


levels = st.sampled_from([0.0, 0.5, 1.0, 1.02, 1.1, 1.3, 4.0])
rows = st.lists(
    st.builds(
        Row,
        level=levels,
        then=levels,
        changes=st.integers(30, 69),
        swing=st.sampled_from([0.0, 0.01, 0.1, 0.5, 2.0]),
        begins=st.sampled_from([0, 0, 0, 17, 60]),
        unknown=st.sampled_from([0.0, 0.0, 0.02, 0.5]),
        stale=st.sampled_from([0.0, 0.0, 0.02, 0.5]),
    ),
    min_size=1,
    max_size=12,
)

Floats = npt.NDArray[np.float64]
Step = tuple[int, Floats, npt.NDArray[np.int64]]


def walk(rules: Sequence[Row], seed: int, gaps: Sequence[int]) -> list[Step]:
    """Updates as the rows' rules make them; later rows never begin before earlier ones."""
    rng = np.random.default_rng(seed)
    began = np.maximum.accumulate([0, *(row.begins for row in rules[1:])])
    level, then, changes, swing, unknown, stale = (
        numbers(getattr(row, name) for row in rules) for name in Row._fields if name != "begins"
    )
    second, steps = 1000, []
    for turn in range(140):
        second += gaps[turn % len(gaps)]
        count = int((began <= turn).sum())
        sizes = np.abs(np.where(turn < changes, level, then) + swing * rng.normal(size=len(rules)))
        sizes[rng.random(len(rules)) < unknown] = np.nan
        tiers = (rng.random(len(rules)) < stale) * rng.integers(1, 3, len(rules))
        steps.append((second, sizes[:count], tiers[:count]))
    return steps


class Means:
    """The mean size of every row over the last five seconds in which it led, naively."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, list[float]]] = []

    def update(self, step: Step) -> Floats:
        """The means at this update; NaN for a row that does not lead now."""
        second, sizes, tiers = step
        if self.updates and second < self.updates[-1][0]:
            self.updates.clear()
        if self.updates and second == self.updates[-1][0]:
            self.updates.pop()
        self.updates.append((second, np.where(tiers == 0, sizes, NAN).tolist()))
        return numbers(self.mean(row) for row in range(len(sizes)))

    def mean(self, row: int) -> float:
        """That of one row."""
        second, now = self.updates[-1]
        known = [
            sizes[row]
            for at, sizes in self.updates
            if at > second - MEAN_SEC and row < len(sizes) and sizes[row] == sizes[row]
        ]
        return sum(known) / len(known) if now[row] == now[row] else NAN


class Looks:
    """Which updates are looks, naively: the first, and those outside the ten seconds of one."""

    def __init__(self) -> None:
        self.looked_at: int | None = None

    def update(self, second: int) -> bool:
        """Whether the update at ``second`` is a look."""
        if self.looked_at is not None and self.looked_at <= second < self.looked_at + 10:
            return False
        self.looked_at = second
        return True


def counts(lead: float, over: float, least: float, hair: float = 1e-12) -> bool:
    """Whether a lead is large enough, with a hair's breadth left to rounding."""
    return lead - over > max(0.15 * lead, least) + hair


gap_lists = st.lists(st.sampled_from([1, 1, 1, 2, 7, 9, 19, 25, 0, -5]), min_size=1, max_size=5)


@given(rows, st.integers(0, 99), gap_lists)
@deterministic
def test_it_is_always_an_order_by_tiers(rules: list[Row], seed: int, gaps: list[int]) -> None:
    """Every row once; tiers, then unknown ones, never mixed; no lead left below that counts now."""
    calm, means, looks = CalmOrder(), Means(), Looks()
    for second, sizes, tiers in walk(rules, seed, gaps):
        order = calm.update(second, sizes, tiers)
        mean = means.update((second, sizes, tiers))
        of_median = 1.0 if looks.update(second) else 3.0
        assert order.dtype == np.int32
        assert sorted(order.tolist()) == list(range(len(sizes)))
        group = np.where(tiers == 0, np.where(np.isnan(sizes), 0.5, 0.0), tiers)[order]
        assert (np.diff(group) >= 0).all()
        behind = order[group > 0]
        assert behind.tolist() == sorted(behind, key=lambda row: (group_of(tiers, row), row))
        led = mean[order[group == 0]]
        for upper, lower in combinations(led.tolist(), 2):
            assert not counts(lower, upper, of_median * float(np.median(led)))


def group_of(tiers: npt.NDArray[np.int64], row: int) -> int:
    """The tier of a row."""
    return int(tiers[row])


@given(rows, st.integers(0, 99), gap_lists)
@deterministic
def test_nobody_passes_a_larger_row(rules: list[Row], seed: int, gaps: list[int]) -> None:
    """Of two rows that lead before and after, the one that moves up is the larger one."""
    calm, means = CalmOrder(), Means()
    before: list[int] = []
    for second, sizes, tiers in walk(rules, seed, gaps):
        order = calm.update(second, sizes, tiers)
        mean = means.update((second, sizes, tiers))
        led = [row for row in order.tolist() if mean[row] == mean[row]]
        place = {row: i for i, row in enumerate(before)}
        for upper, lower in combinations([row for row in led if row in place], 2):
            if place[upper] > place[lower]:
                assert mean[upper] > mean[lower]
        before = led


@given(rows, st.integers(0, 99), gap_lists)
@deterministic
def test_rows_rest_between_looks(rules: list[Row], seed: int, gaps: list[int]) -> None:
    """Those that lead before and after keep their order where no lead among them is urgent."""
    calm, means, looks = CalmOrder(), Means(), Looks()
    before: list[int] = []
    for second, sizes, tiers in walk(rules, seed, gaps):
        order = calm.update(second, sizes, tiers)
        mean = means.update((second, sizes, tiers))
        led = [row for row in order.tolist() if mean[row] == mean[row]]
        stayed = [row for row in before if row in led]
        urgent = 3.0 * float(np.median(mean[led])) if led else 0.0
        if not looks.update(second) and not any(
            counts(mean[lower], mean[upper], urgent, -1e-12)
            for upper, lower in combinations(stayed, 2)
        ):
            assert [row for row in led if row in stayed] == stayed
        before = led


@given(rows, st.integers(0, 99), gap_lists)
@deterministic
def test_who_stays_ahead_is_above(rules: list[Row], seed: int, gaps: list[int]) -> None:
    """However small the lead, and whatever lies between: after SETTLE_SEC at the latest."""
    calm, newest = CalmOrder(), 0
    ahead_from: dict[tuple[int, int], int] = {}
    for second, sizes, tiers in walk(rules, seed, gaps):
        order = calm.update(second, sizes, tiers).tolist()
        if second < newest:
            ahead_from.clear()
        newest = second
        led = np.where(tiers == 0, sizes, np.nan)
        pairs = {(a, b) for a in order for b in order if led[a] > led[b]}
        ahead_from = {pair: ahead_from.get(pair, second) for pair in pairs}
        place = {row: i for i, row in enumerate(order)}
        for (ahead, behind), since in ahead_from.items():
            if second - since >= SETTLE_SEC:
                assert place[ahead] < place[behind]


@given(rows, st.integers(0, 99), gap_lists)
@deterministic
def test_what_does_not_change_settles(rules: list[Row], seed: int, gaps: list[int]) -> None:
    """The same again and again is sorted plainly in the end, and moves no more."""
    calm = CalmOrder()
    for second, sizes, tiers in walk(rules, seed, gaps)[-60:]:
        calm.update(second, sizes, tiers)
    shown = [
        calm.update(second + after, sizes, tiers).tolist() for after in range(1, SETTLE_SEC + 40)
    ]
    assert all(order == shown[SETTLE_SEC] for order in shown[SETTLE_SEC:])
    led = [sizes[row] for row in shown[-1] if tiers[row] == 0 and sizes[row] == sizes[row]]
    assert led == sorted(led, reverse=True)


@pytest.mark.parametrize(("seconds", "of_median"), [(30, 3.0), (31, 1.0)])
def test_thousands_of_rows_are_ordered(seconds: int, of_median: float) -> None:
    """Five thousand rows that swing: an order every second, no lead left below that counts."""
    rng = np.random.default_rng(3)
    level = np.abs(rng.normal(size=5000))
    calm, seen = CalmOrder(), []
    for second in range(seconds):
        seen.append(np.abs(level * (1 + second / 10) + rng.normal(size=5000) * 0.4))
        order = calm.update(second, seen[-1], np.zeros(5000, np.int64))
    assert (np.sort(order) == np.arange(5000)).all()
    led = np.mean(seen[-MEAN_SEC:], axis=0)[order]
    reach = led - np.maximum(0.15 * led, of_median * np.median(led))
    assert not (reach[1:] > np.minimum.accumulate(led)[:-1] + 1e-9).any()


def test_hundreds_of_small_leads_count_when_they_last() -> None:
    """Six hundred rows, each a hair ahead of all above it: turned round at the one look."""
    calm, sizes = CalmOrder(), 1.0 + np.arange(600) * 1e-4
    assert calm_order(calm, 0, sizes[::-1]) == list(range(600))
    shown = [calm_order(calm, second, sizes) for second in range(1, 1 + SETTLE_SEC)]
    assert shown == [list(range(600))] * 29 + [list(range(600))[::-1]]


# Who is kept in front.


def test_who_is_kept_in_front_is_among_the_first_three() -> None:
    """Whatever its size, for as long as it is asked for; the others keep their order."""
    calm, sizes = CalmOrder(), numbers([5.0, 4.0, 3.0, 2.0, 1.0])
    tiers = np.zeros(5, np.int64)
    assert calm.update(0, sizes, tiers, [4]).tolist() == [0, 1, 4, 2, 3]
    assert calm.update(1, sizes, tiers, [4, 3]).tolist() == [0, 3, 4, 1, 2]
    assert calm.update(2, sizes, tiers, [0, 1]).tolist() == [0, 1, 2, 3, 4]
    assert calm.update(3, sizes, tiers).tolist() == [0, 1, 2, 3, 4]


def test_more_than_three_in_front_stand_before_all_others() -> None:
    """In the order of their sizes; one that is stale leads nothing."""
    calm, sizes = CalmOrder(), numbers([5.0, 4.0, 3.0, 2.0, 1.0])
    tiers = np.array([0, 0, 0, 0, 0])
    assert calm.update(0, sizes, tiers, [4, 3, 2, 1]).tolist() == [1, 2, 3, 4, 0]
    tiers[4] = 1
    assert calm.update(1, sizes, tiers, [4, 3, 2, 1]).tolist() == [1, 2, 3, 0, 4]


def test_small_sizes_are_alike() -> None:
    """None of them passes another, however long it is ahead; one that grows beyond them does."""
    calm = CalmOrder(alike=1.5)
    for second in range(120):
        assert calm_order(calm, second, [1.0, 1.4, 1.2, 0.1]) == [0, 1, 2, 3]
    for second in range(120, 120 + SETTLE_SEC + 1):
        shown = calm_order(calm, second, [1.0, 1.4, 1.6, 0.1])
    assert shown == [2, 0, 1, 3]


# What is ranked by.


def frame_of(names: Sequence[str] = "ABCDE", **figures: Sequence[float]) -> pd.DataFrame:
    """A frame in which only these figures are known."""
    unknown = dict.fromkeys([*RANKS.values(), "heat_ts"], np.full(len(names), NAN))
    return pd.DataFrame({**unknown, **figures}, index=pd.Index(list(names), dtype=object))


LIVE: Final[list[State]] = ["live"] * 5


def rows_of(order: str, frame: pd.DataFrame, of_rows: Sequence[State] = LIVE) -> list[int]:
    """The strict order."""
    return list(order_of(order, frame, of_rows).rows)


def test_heat_ranks_by_what_is_remembered_and_surprise_by_the_newest_minute() -> None:
    """In either direction; what is not known comes behind."""
    frame = frame_of(heat=[1.2, -2.6, NAN, 1.9, 0.2], surprise=[1.2, 0.1, NAN, -1.9, 0.2])
    assert rows_of("heat", frame) == [1, 3, 0, 4, 2]
    assert rows_of("surprise", frame) == [3, 0, 4, 1, 2]


def test_every_order_can_be_asked_for() -> None:
    """By size, by the figure itself either way, and by name; each holds every row once."""
    frame = frame_of("bCaDE", ret_1m=[0.1, -0.3, NAN, 0.2, 0.0], vol_15m=[3, 1, NAN, 2, 5])
    assert rows_of("1m", frame) == [1, 3, 0, 4, 2]
    assert rows_of("1m up", frame) == [3, 0, 4, 1, 2]
    assert rows_of("1m down", frame) == [1, 4, 0, 3, 2]
    assert rows_of("volatility", frame) == [4, 0, 3, 1, 2]
    assert rows_of("volatility down", frame) == [1, 3, 0, 4, 2]
    assert rows_of("name", frame) == [2, 0, 1, 3, 4]
    assert rows_of("name down", frame) == [4, 3, 1, 0, 2]
    assert all(sorted(rows_of(order, frame)) == [0, 1, 2, 3, 4] for order in ORDERS)


def test_what_may_not_lead_stands_behind_whichever_way() -> None:
    """Stale and halted, then closed, then what has no price; by name all are alike."""
    frame = frame_of(heat=[9.0, 8.0, 1.0, -2.0, NAN])
    of_rows: list[State] = ["closed", "halted", "live", "quiet", "no data"]
    for order in ("heat", "heat up", "heat down"):
        assert rows_of(order, frame, of_rows)[2:] == [1, 0, 4]
    assert rows_of("heat down", frame, of_rows)[:2] == [3, 2]
    assert rows_of("name", frame, of_rows) == [0, 1, 2, 3, 4]


def calm_rows(*rows: int) -> npt.NDArray[np.int32]:
    """An order as ``CalmOrder`` gives it."""
    return np.array(rows, np.int32)


def test_a_calm_order_settles_in_the_strict_one() -> None:
    """Whichever way it goes."""
    frame = frame_of(heat=[5.0, 4.0, 3.0, 2.0, 1.0], ret_1m=[0.1, -0.3, 0.4, 0.2, -0.5])
    found = order_of("heat", frame, LIVE, calm_rows(1, 0, 2, 4, 3))
    assert found == Order((1, 0, 2, 4, 3), (0, 1, 2, 3, 4))
    found = order_of("1m up", frame, LIVE, calm_rows(2, 4, 1, 3, 0))
    assert found == Order((2, 3, 0, 1, 4), tuple(rows_of("1m up", frame)))


def test_by_heat_those_of_events_settle_in_front() -> None:
    """Only the largest, if they lead; who stands there by its size is not told apart."""
    frame = frame_of(heat=[5.0, 4.0, 3.0, 2.0, 1.0])
    calm = calm_rows(0, 1, 2, 3, 4)
    found = order_of("heat", frame, LIVE, calm, ["E", "A", "X"])
    assert found == Order((0, 1, 2, 3, 4), (0, 1, 4, 2, 3), frozenset({4}))
    stale: list[State] = [*LIVE[:4], "stale"]
    assert order_of("heat", frame, stale, calm, ["E"]) == Order((0, 1, 2, 3, 4), (0, 1, 2, 3, 4))
    assert order_of("heat down", frame, LIVE, calm, ["E"]).in_front == frozenset()
    assert order_of("heat", frame, LIVE, None, ["E"]).settled == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("shown", "places"),
    [
        ([0, 1, 2, 3, 4], {}),
        ([1, 0, 2, 3, 4], {0: 0}),  # the lower of two is held back
        ([0, 1, 4, 2, 3], {4: 4}),
        ([1, 2, 3, 4, 0], {0: 0}),
        ([1, 0, 2, 4, 3], {0: 0, 3: 3}),
        ([4, 0], {0: 0}),  # a part of them, by itself
    ],
)
def test_as_few_rows_as_it_takes_are_displaced(shown: list[int], places: dict[int, int]) -> None:
    """Each with its place among those that are shown."""
    assert displaced(shown, range(5)) == places


@deterministic
@given(st.permutations(range(9)), st.permutations(range(9)))
def test_moving_the_displaced_rows_settles_all(shown: Sequence[int], strict: Sequence[int]) -> None:
    """The others are in order already."""
    found = displaced(shown, strict)
    still = [row for row in shown if row not in found]
    assert still == sorted(still, key=strict.index)
    for row, place in sorted(found.items(), key=lambda item: item[1]):
        still.insert(place, row)
    assert still == strict
    longest = max(
        len(some)
        for size in range(1, 10)
        for some in combinations(shown, size)
        if list(some) == sorted(some, key=strict.index)
    )
    assert len(shown) - len(found) == longest


# Within the usual range.

NOW: Final = 1_795_000_000.999


def test_a_usual_row_has_nothing_worth_a_look() -> None:
    """Nothing as rare as one minute of twenty, or it has faded; nor what is stale or not known."""
    then = [2.0, 1.99, -2.6, -2.6, NAN]
    ago = [0, 0, 130, 150, NAN]
    heat = [size * 2 ** (-sec / 180) for size, sec in zip(then, ago, strict=True)]
    frame = frame_of(heat=heat, heat_ts=[NOW // 1 - sec for sec in ago])
    assert is_usual(frame, LIVE, NOW, ()) == [False, True, False, True, True]
    stale: list[State] = ["stale", "live", "halted", "closed", "no data"]
    assert is_usual(frame, stale, NOW, ()) == [True] * 5
    assert is_usual(frame, LIVE, NOW, ("B", "E")) == [False, False, False, True, False]


# What is shown live.


def test_a_ranking_has_an_order_once_somebody_asked_for_it() -> None:
    """Of the newest seconds; a minute after the last of them asked it is let go."""
    ranking, frame = Ranking(), frame_of(heat=[1.0, 2.0, 3.0, 4.0, 5.0])
    ranking.update(100, frame, LIVE)
    assert ranking.order(100, "heat") is None
    ranking.update(101, frame, LIVE)
    first = ranking.order(101, "heat")
    assert first is not None
    assert first.tolist() == [4, 3, 2, 1, 0]
    assert ranking.order(101, "1m") is None
    assert ranking.order(100, "heat") is None
    assert ranking.order(101, "name") is None
    for second in range(102, 102 + ASKED_SEC):
        ranking.update(second, frame, LIVE)
    assert ranking.order(100 + ASKED_SEC, "heat up") is not None
    for second in range(102 + ASKED_SEC, 102 + 2 * ASKED_SEC):
        ranking.update(second, frame, LIVE)
    assert ranking.order(100 + 2 * ASKED_SEC, "heat") is not None
    for second in range(102 + 2 * ASKED_SEC, 102 + 3 * ASKED_SEC):
        ranking.update(second, frame, LIVE)
    assert ranking.order(101 + 3 * ASKED_SEC, "heat") is None


def test_the_calm_order_begins_anew_without_a_row() -> None:
    """Row numbers mean others then; a frame with other rows than those of then has none."""
    ranking, frame = Ranking(), frame_of(heat=[1.0, 2.0, 3.0, 4.0, 5.0])
    ranking.order(100, "heat")
    ranking.update(100, frame, LIVE)
    fewer = frame.drop(index=frame.index[4])
    ranking.update(101, fewer, LIVE[:4])
    found = ranking.order(101, "heat", fewer.index)
    assert found is not None
    assert found.tolist() == [3, 2, 1, 0]
    assert ranking.order(101, "heat", frame.index) is None
    # More rows join those that are there.
    ranking.update(102, frame, LIVE)
    again = ranking.order(102, "heat", frame.index)
    assert again is not None
    assert again.tolist() == [4, 3, 2, 1, 0]


def test_a_second_that_comes_again_is_put_in_order_anew() -> None:
    """A clock that stepped back replaces what it had shown after that."""
    ranking = Ranking()
    ranking.order(100, "1m")
    rising, falling = ([NAN, 1.0, 2.0, 3.0, 4.0][::way] for way in (1, -1))
    for second in (100, 101, 102):
        ranking.update(second, frame_of(ret_1m=rising), LIVE)
    ranking.update(101, frame_of(ret_1m=falling), LIVE)
    assert ranking.order(102, "1m") is None
    again = ranking.order(101, "1m")
    assert again is not None
    assert again.tolist()[-1] == 4


def test_a_ranking_goes_on_from_anothers_order() -> None:
    """After it is reviewed there, both are the same, whatever each had seen before."""
    rng = np.random.default_rng(3)
    one, other = Ranking(), Ranking()
    adopted = 0
    for second in range(100, 100 + 2 * HOLD_SEC + 3 * REST_SEC):
        frame = frame_of(heat=list(rng.uniform(0.0, 5.0, 5)))
        one.ask("heat", second)
        one.update(second, frame, LIVE)
        if second < 100 + REST_SEC:
            continue  # the other one joins late
        other.ask("heat", second)
        other.update(second, frame, LIVE)
        reviewed = one.reviewed(second)
        other.adopt(second, reviewed)
        adopted += bool(reviewed)
        if second > 100 + REST_SEC + HOLD_SEC:
            both = one.order(second, "heat"), other.order(second, "heat")
            assert both[0] is not None
            assert both[1] is not None
            assert both[0].tolist() == both[1].tolist()
    assert adopted > 2


def test_an_order_of_other_symbols_is_left_alone() -> None:
    """Of one that is not here, of too few, and of a ranking that nobody asked for."""
    ranking, frame = Ranking(), frame_of(heat=[1.0, 2.0, 3.0, 4.0, 5.0])
    ranking.ask("heat", 100)
    ranking.update(100, frame, LIVE)
    before = ranking.reviewed(100)["heat"]
    assert sorted(before) == frame.index.tolist()
    for wrong in ([*before[:-1], "nobody"], list(before[:-1]), [before[0]] * len(before)):
        ranking.adopt(100, {"heat": wrong})
    ranking.adopt(100, {"1m": list(before), "name": list(before)})
    assert ranking.reviewed(100) == {"heat": before}
    ranking.adopt(100, {"heat": before[::-1]})
    assert ranking.reviewed(100) == {"heat": before[::-1]}
    assert ranking.reviewed(99) == {}


def test_by_heat_movers_stay_in_front() -> None:
    """And by nothing else; one that is not in the frame is nobody's."""
    ranking = Ranking()
    frame = frame_of(heat=[5.0, 4.0, 3.0, 2.0, 1.0], surprise=[5.0, 4.0, 3.0, 2.0, 1.0])
    for rank in ("heat", "surprise"):
        ranking.order(100, rank)
    ranking.update(100, frame, LIVE, ("E", "nobody"))
    found = {rank: ranking.order(100, rank) for rank in ("heat", "surprise")}
    shown = {rank: order.tolist() for rank, order in found.items() if order is not None}
    assert shown == {"heat": [0, 1, 4, 2, 3], "surprise": [0, 1, 2, 3, 4]}


def test_orders_are_read_while_they_are_written() -> None:
    """Readers in other threads get whole orders throughout."""
    ranking, frame = Ranking(), frame_of("ABCDEFGHIJ", heat=[float(n) for n in range(10)])
    live: list[State] = ["live"] * 10

    def read() -> None:
        for second in (0, 1000, 2990, 2999):
            order = ranking.order(second, "heat")
            assert order is None or sorted(order) == list(range(10))

    with readers(read):
        for second in range(3000):
            ranking.update(second, frame, live)


# On the recorded hour.


def flips(orders: Sequence[Sequence[int]]) -> int:
    """How many pairs of rows changed places from one order to the next."""
    count = 0
    for before, after in pairwise(orders):
        place = {row: i for i, row in enumerate(after)}
        count += sum(place[a] > place[b] for a, b in combinations(before, 2) if b in place)
    return count


def changed(orders: Sequence[Sequence[int]]) -> float:
    """The share of orders that differ from the one before."""
    return sum(before != after for before, after in pairwise(orders)) / (len(orders) - 1)


@pytest.fixture(scope="module")
def replayed(tape_path: Path) -> Replay:
    """The hour through store, detector and ranking, as an open page shows it."""
    return taped(Tape.load(tape_path))


def test_the_mover_of_every_event_stays_in_front(replayed: Replay) -> None:
    """For three minutes after it; never more than three of the hour's movers are at once."""
    assert len(replayed.events) > 10
    assert replayed.missed() == (0, 0)


def test_a_list_that_stands_still_is_in_order(replayed: Replay) -> None:
    """At any second of the hour by the size of heat; live, what differs is marked."""
    for seen in replayed.seen:
        assert list(seen.sizes) == sorted(seen.sizes, reverse=True)
        assert (seen.live == seen.still) == (seen.marked == 0)


def test_a_market_with_more_symbols_keeps_its_movers_in_front() -> None:
    """But for those of more than three at once, who cannot all be."""
    _, missed = simulated(seed=7, seconds=900).missed()
    assert missed == 0


def test_the_recorded_hour_is_calm(replayed: Replay) -> None:
    """Seen every other second, half as many pairs swap and views change as in the strict order."""
    live, still = ([getattr(one, name) for one in replayed.seen[::2]] for name in ("live", "still"))
    minutes = len(live) / 30
    assert flips(live) / minutes < 6
    assert flips(live) < flips(still) / 1.5
    assert changed(live) < 0.07
    assert changed(live) < changed(still) / 2


def test_what_leads_the_recorded_hour_is_shown_first(replayed: Replay) -> None:
    """A row whose heat leads by 1 is at the top within a review."""
    waited, longest, seen = 0, 0, 0
    leader = -1
    for one in replayed.seen:
        if len(one.sizes) < 2 or one.sizes[0] - one.sizes[1] < 1.0:
            leader = -1
            continue
        waited = waited + 1 if one.still[0] == leader else 0
        leader = one.still[0]
        seen += 1
        if one.live[0] != leader:
            longest = max(longest, waited)
    assert seen > 300
    assert longest < REST_SEC
