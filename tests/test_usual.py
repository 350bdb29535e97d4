"""Usual: the memory of a day beside brute force, and what surprise and thresholds come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import KEPT_MINUTES, Minutes
from ticks import ASSETS
from usual import DAY_MINUTES, MIN_MINUTES, MIN_POOLED, DayMemory, Floats, equivalent_sd

deterministic = settings(derandomize=True, deadline=None, max_examples=60)

FIRST: Final = 28_000_000
"""A minute of the year 2023."""

sizes = st.floats(0.0, 1100.0) | st.floats(0.0, 4.0)


def memory_of(*assets: str, records: bool = False) -> DayMemory:
    """A memory of symbols S0, S1 and so on of these classes."""
    memory = DayMemory(records=records)
    for row, asset in enumerate(assets):
        memory.add_symbol(f"S{row}", asset)
    return memory


def close_all(memory: DayMemory, figures: Floats, first: int = FIRST) -> None:
    """Close a minute for each row of [minute, symbol]: z, and returns a thousandth of it."""
    for minute, z in enumerate(figures, first):
        memory.close(minute, z, z / 1000.0, z / 500.0)


def seconds_after(minutes: int) -> int:
    """The first second that the first so many minutes are used in."""
    return (FIRST + minutes + 1) * 60


def brute_surprise(z: float, day: Sequence[float]) -> float:
    """Surprise by the exact sizes of a day's minutes: by rank, without any cells."""
    minutes, size = len(day), abs(z)
    more = sum(abs(other) > size for other in day) + sum(abs(other) == size for other in day) / 2
    chance = (more * (minutes + 0.5) / minutes + 0.5) / (minutes + 1)
    rarest = max(map(abs, day))
    return math.copysign(-NormalDist().inv_cdf(chance / 2) * max(1.0, size / rarest), z)


def test_the_equivalent_of_a_chance() -> None:
    """Within 2e-6 of the normal quantile for chances from 1 to 1e-10."""
    chances = np.exp(-np.linspace(0.0, 23.0, 7001))
    exact = [-NormalDist().inv_cdf(float(chance) / 2) for chance in chances]
    np.testing.assert_allclose(equivalent_sd(chances), exact, rtol=0, atol=2e-6)


def test_surprise_is_the_rank_among_its_own_minutes() -> None:
    """Of as many as a day has, it is that of the exact sizes but for the width of a cell."""
    rng = np.random.default_rng(1)
    day = rng.standard_t(3, (1000, 1))
    memory = memory_of("forex")
    close_all(memory, day)
    asked = np.concatenate((np.linspace(-30, 30, 801), day[::7, 0]))
    found, early = memory.at(seconds_after(1000)).surprise(asked[None, :])
    exact = np.array([brute_surprise(z, day[:, 0].tolist()) for z in asked])
    inside = np.abs(asked) < np.sort(np.abs(day[:, 0]))[-10]
    assert not early.any()
    assert np.abs(found[0] - exact)[inside].max() < 0.06
    # Among the rarest a cell of 7 % holds one minute or none.
    np.testing.assert_allclose(found[0][~inside], exact[~inside], rtol=0.11)


@given(st.lists(sizes, min_size=1, max_size=6), st.lists(sizes, min_size=2, max_size=40))
@deterministic
def test_surprise_grows_with_the_move(days: list[float], asked: list[float]) -> None:
    """A larger |z| is never less surprising; the sign is kept, and no z is no surprise."""
    memory = memory_of("crypto")
    close_all(memory, np.resize(days, (MIN_MINUTES, 1)))
    usual = memory.at(seconds_after(MIN_MINUTES))
    ordered = np.array([[0.0, *sorted(asked)]])
    found, _ = usual.surprise(ordered)
    assert found[0, 0] == 0.0
    assert (np.diff(found[0]) >= -1e-12).all()
    assert (usual.surprise(-ordered)[0] == -found).all()


@given(st.lists(sizes, min_size=1, max_size=6))
@deterministic
def test_surprise_has_no_jumps(days: list[float]) -> None:
    """A small step in z is a small one in surprise: in, between and beyond the cells."""
    memory = memory_of("crypto")
    close_all(memory, np.resize(days, (MIN_MINUTES, 1)))
    usual = memory.at(seconds_after(MIN_MINUTES))
    low, high = 0.0, 3000.0
    for _ in range(12):  # to the steepest thousandth of the steepest thousandth, and so on
        z = np.linspace(low, high, 1001)
        found, _ = usual.surprise(z[None, :])
        steepest = int(np.diff(found[0]).argmax())
        low, high = z[steepest], z[steepest + 1]
    assert np.diff(found[0]).max() < 1e-6


def test_beyond_the_rarest_it_continues_in_proportion() -> None:
    """Twice as large is twice as surprising."""
    memory = memory_of("stocks")
    close_all(memory, np.linspace(0.0, 5.0, DAY_MINUTES)[:, None])
    found, _ = memory.at(seconds_after(DAY_MINUTES)).surprise(np.array([[6.0, 12.0, 60.0]]))
    assert found[0, 0] > NormalDist().inv_cdf(1 - 1 / DAY_MINUTES / 2)
    np.testing.assert_allclose(found[0] / found[0, 0], [1.0, 2.0, 10.0])


def test_unknown_is_unknown() -> None:
    """Without z there is neither surprise nor an early one, whatever is remembered."""
    memory = memory_of("stocks", "forex")
    z = np.full(2, np.nan)
    for count in (0, MIN_MINUTES):
        close_all(memory, np.ones((count, 2)))
        found, early = memory.at(seconds_after(count)).surprise(z)
        assert np.isnan(found).all()
        assert not early.any()


def test_minutes_without_a_figure_do_not_count() -> None:
    """A symbol of which a third is known is judged by that third."""
    known = np.linspace(0.1, 8.0, MIN_MINUTES)[:, None]
    sparse = np.full((MIN_MINUTES * 3, 2), np.nan)
    sparse[:, 0] = 1.0
    sparse[::3, 1] = known[:, 0]
    memory, alone = memory_of("crypto", "crypto"), memory_of("crypto")
    close_all(memory, sparse)
    close_all(alone, known)
    z = np.linspace(0.0, 20.0, 300)[None, :]
    found, early = memory.at(seconds_after(MIN_MINUTES * 3)).surprise(np.repeat(z, 2, axis=0))
    assert not early[1].any()
    np.testing.assert_array_equal(found[1], alone.at(seconds_after(MIN_MINUTES)).surprise(z)[0][0])


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (MIN_MINUTES, 0, "own"),
        (MIN_MINUTES - 1, 0, "pool"),
        (MIN_POOLED, 0, "pool"),
        (MIN_POOLED - 1, 0, "z"),
        (MIN_POOLED - 1, 1, "pool"),
        (0, MIN_POOLED, "pool"),
        (0, MIN_POOLED - 1, "z"),
    ],
)
def test_a_young_symbol_is_judged_by_its_class(own: int, others: int, expected: str) -> None:
    """By all minutes of its class if these are enough, else by z itself, and that is early."""
    figures = np.full((MIN_MINUTES, 3), np.nan)
    figures[:own, 0] = np.linspace(0.1, 3.0, own)
    figures[:others, 1] = np.linspace(0.1, 9.0, others)
    figures[:, 2] = 1.0
    memory = memory_of("stocks", "stocks", "forex")
    close_all(memory, figures)
    found, early = memory.at(seconds_after(MIN_MINUTES)).surprise(np.array([2.0, np.nan, 1.0]))
    judges = {"own": figures[:own, 0], "pool": figures[:, :2], "z": figures[:0, 0]}
    day = judges[expected][~np.isnan(judges[expected])].tolist()
    assert found[0] == pytest.approx(brute_surprise(2.0, day) if day else 2.0, abs=0.02)
    assert early.tolist() == [expected != "own", False, False]


def test_a_move_takes_no_part_in_its_own_judgement() -> None:
    """A minute counts from a minute after its end on."""
    memory = memory_of("crypto")
    close_all(memory, np.ones((MIN_MINUTES + 1, 1)))
    end = (FIRST + MIN_MINUTES) * 60
    for second, is_early in ((end + 59, True), (end + 60, False)):
        _, early = memory.at(second).surprise(np.array([1.0]))
        assert early.tolist() == [is_early]


def test_the_usual_return_is_the_percentile_of_its_day() -> None:
    """Within the width of a cell, each horizon of its own; no minute older than the day counts."""
    rng = np.random.default_rng(2)
    day = rng.standard_t(4, (DAY_MINUTES + 100, 2)) * [1.0, 0.03]
    day[:100] *= 1000.0
    memory = memory_of("crypto", "crypto")
    close_all(memory, day)
    usual = memory.at(seconds_after(len(day)))
    exact = np.quantile(np.abs(day[100:]), 0.995, axis=0)
    np.testing.assert_allclose(usual.usual_1m, exact / 1000.0, rtol=0.06)
    np.testing.assert_allclose(usual.usual_5m, exact / 500.0, rtol=0.06)


def test_nothing_is_usual_before_six_hours() -> None:
    """Five hours and 59 minutes say nothing of what is usual."""
    memory = memory_of("crypto")
    close_all(memory, np.ones((MIN_MINUTES, 1)))
    early, enough = (memory.at(seconds_after(count)) for count in (MIN_MINUTES - 1, MIN_MINUTES))
    assert np.isnan(early.usual_1m).all()
    assert np.isnan(early.usual_5m).all()
    assert enough.usual_1m == pytest.approx(0.001, rel=0.06)


def test_a_day_is_that_of_the_class() -> None:
    """What closes at night takes no room: a stock's day reaches over those of others."""
    memory = memory_of("stocks", "crypto")
    session, night = np.full((700, 2), 3.0), np.full((900, 2), 1.0)
    night[:, 0] = np.nan
    days = np.concatenate((session, night, session))
    close_all(memory, days)
    found, early = memory.at(seconds_after(len(days))).surprise(np.array([2.0, 2.0]))
    assert not early.any()
    assert found[0] < 0.01  # each of its 1,400 minutes was larger
    assert found[1] == pytest.approx(brute_surprise(2.0, days[-DAY_MINUTES:, 1].tolist()), abs=0.01)


def test_what_was_shown_is_what_a_rewind_shows() -> None:
    """Figures of a second do not depend on what was asked before, or closed after it."""
    rng = np.random.default_rng(3)
    figures = rng.standard_t(3, (KEPT_MINUTES, 3))
    figures[rng.random(figures.shape) < 0.3] = np.nan
    figures[rng.random(len(figures)) < 0.2, 0] = np.nan
    memory = memory_of("stocks", "crypto", "crypto")
    z = np.array([2.5, -1.0, 30.0])
    shown = {}
    for minute, row in enumerate(figures):
        memory.close(FIRST + minute, row, row / 1e3, row / 500)
        if minute > len(figures) - 100:
            shown[minute] = memory.at(seconds_after(minute))
    for minute in rng.permutation([*shown]).tolist():
        again = memory.at(seconds_after(minute))
        np.testing.assert_array_equal(again.surprise(z), shown[minute].surprise(z))
        np.testing.assert_array_equal(again.usual_1m, shown[minute].usual_1m)
        np.testing.assert_array_equal(again.usual_5m, shown[minute].usual_5m)


def test_a_minute_is_remembered_once() -> None:
    """What is held already is left alone, before and after it is passed on."""
    memory = memory_of("forex", records=True)
    close_all(memory, np.ones((5, 1)))
    close_all(memory, np.full((6, 1), 9.0))
    minutes = memory.collect_changed()
    assert minutes.cells["minute"].tolist() == list(range(FIRST, FIRST + 6))
    assert len(set(minutes.cells["z"][:5].tolist())) == 1
    assert minutes.cells["z"][5] > minutes.cells["z"][4]
    assert not len(memory.collect_changed())


def test_a_late_minute_takes_its_place() -> None:
    """A minute of the past counts from its own time on, in whatever order minutes come."""
    figures = np.linspace(0.1, 9.0, MIN_MINUTES + 50)[:, None]
    ordered, shuffled = memory_of("crypto"), memory_of("crypto")
    close_all(ordered, figures)
    for at in np.random.default_rng(4).permutation(len(figures)).tolist():
        shuffled.at(seconds_after(len(figures)))
        close_all(shuffled, figures[at : at + 1], FIRST + at)
    z = np.linspace(0, 12, 50)[None, :]
    for minutes in (MIN_MINUTES + 50, MIN_MINUTES + 3):
        one, other = (memory.at(seconds_after(minutes)) for memory in (ordered, shuffled))
        np.testing.assert_array_equal(one.surprise(z), other.surprise(z))


def test_what_is_passed_on_is_known_elsewhere() -> None:
    """After loading what was collected everything comes out as before, for those symbols."""
    rng = np.random.default_rng(5)
    figures = rng.standard_t(3, (KEPT_MINUTES + 40, 4))
    figures[rng.random(figures.shape) < 0.2] = np.nan
    figures[300:900, 0] = np.nan
    memory = memory_of("stocks", "crypto", "crypto", "forex", records=True)
    parts = []
    for first in range(0, len(figures), 300):
        close_all(memory, figures[first : first + 300], FIRST + first)
        parts.append(memory.collect_changed())
    cells = np.concatenate([part.cells for part in parts])
    minutes = Minutes(parts[0].symbols, parts[0].assets, cells).of(["S2", "S0", "S1"])
    other = DayMemory(records=True)
    for symbol, asset in (("S2", "crypto"), ("NEW", "forex"), ("S1", "crypto"), ("S0", "stocks")):
        other.add_symbol(symbol, asset)
    assert len(other) == 4
    other.load(minutes)
    for second in (seconds_after(len(figures)), seconds_after(len(figures) - 99)):
        one, two = memory.at(second), other.at(second)
        z = np.array([3.0, -2.0, 1.0, 12.0])
        surprise, early = two.surprise(z[[2, 3, 1, 0]])
        assert early.tolist() == [False, True, False, False]
        np.testing.assert_array_equal(surprise[[3, 2, 0]], one.surprise(z)[0][:3])
        np.testing.assert_array_equal(two.usual_5m[[3, 2, 0]], one.usual_5m[:3])
    assert not len(other.collect_changed())


def test_loading_leaves_what_is_held() -> None:
    """A minute that is known beats what an archive says of it."""
    memory, archive = memory_of("crypto"), memory_of("crypto", records=True)
    close_all(archive, np.full((MIN_MINUTES, 1), 9.0))
    close_all(memory, np.ones((MIN_MINUTES, 1)))
    memory.load(archive.collect_changed())
    found, _ = memory.at(seconds_after(MIN_MINUTES)).surprise(np.array([5.0]))
    assert found[0] > 3.0


def test_a_symbol_that_came_later_has_no_earlier_minutes() -> None:
    """Its row begins when it does, and those before it stay what they were."""
    figures = np.linspace(0.1, 9.0, MIN_MINUTES)[:, None]
    memory = memory_of("crypto")
    close_all(memory, figures)
    memory.at(seconds_after(MIN_MINUTES))
    memory.add_symbol("S1", "crypto")
    close_all(memory, np.full((1, 2), 3.0), FIRST + MIN_MINUTES)
    found, early = memory.at(seconds_after(MIN_MINUTES + 1)).surprise(np.array([4.0, 4.0]))
    assert early.tolist() == [False, True]
    assert found[0] == pytest.approx(brute_surprise(4.0, [*figures[:, 0].tolist(), 3.0]), abs=0.02)


def test_memory_has_a_bound() -> None:
    """However long it runs, the newest minutes are held, and none is older than all of them."""
    memory = memory_of("crypto", records=True)
    close_all(memory, np.ones((KEPT_MINUTES + 200, 1)))
    memory.close(FIRST, np.ones(1), np.ones(1), np.ones(1))
    held = memory.collect_changed().cells["minute"].tolist()
    assert held == list(range(FIRST + 200, FIRST + 200 + KEPT_MINUTES))


def test_without_symbols_there_is_nothing() -> None:
    """An empty memory answers, and takes nothing in."""
    memory = memory_of(records=True)
    memory.close(FIRST, np.empty(0), np.empty(0), np.empty(0))
    memory.load(Minutes.empty(["A"], [ASSETS[0]]))
    surprise, early = memory.at(FIRST * 60).surprise(np.empty(0))
    assert not len(surprise)
    assert not len(early)
    assert not len(memory.collect_changed())
