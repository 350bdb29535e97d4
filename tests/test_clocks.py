"""ForwardClock and VendorClock: time that is set, time that is slept through, and the truth."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page.troubles import clock_text
from sources.clocks import ForwardClock, VendorClock

NOON = 1_790_330_110.0
HOUR = 3600.0


# ForwardClock.


def told(*readings: float, newest: float | None = None) -> list[float]:
    """What a ForwardClock says, the wall clock's readings a second apart."""
    walls, seconds = iter(readings), iter(range(len(readings)))
    clock = ForwardClock(lambda: next(walls), newest, steady=lambda: float(next(seconds)))
    return [clock() for _ in readings[1:]]


def test_forward_clock_follows_the_wall_clock_but_not_back() -> None:
    """It goes on from where it was, at the wall clock's pace."""
    assert told(100, 101, 105, 50, 51, 51.5) == [101, 105, 105, 106, 106.5]


def test_forward_clock_is_right_again_when_the_wall_clock_is() -> None:
    """Set back and set right it is what it would have been; so again and again."""
    assert told(100, 101, 50, 51, 105, 106, 57, 58, 109) == [101, 101, 102, 105, 106, 106, 107, 109]
    assert told(100, 101, 50, 51, 75, 76) == [101, 101, 102, 103, 104]
    # Asleep in between: the hour that was slept is no hour that it was set ahead by.
    assert told(100, 101, 50, 51, 3651, 3652) == [101, 101, 102, 3651, 3652]


def test_forward_clock_begins_no_sooner_than_it_is_told() -> None:
    """A market that goes on from an earlier run may have been ahead of the wall clock."""
    assert told(99, 100, 101, 102, newest=150.0) == [150, 151, 152]
    assert told(199, 200, 201, newest=150.0) == [200, 201]


@given(st.lists(st.floats(0, 1e10), min_size=2, max_size=50))
def test_forward_clock_never_runs_back(readings: list[float]) -> None:
    """Whatever the wall clock does."""
    following = iter(readings)
    clock = ForwardClock(lambda: next(following))
    shown = [clock() for _ in readings[1:]]
    assert shown == sorted(shown)


# VendorClock, in a world with a true time, a wall clock that can be set, and sleep.


@dataclass
class World:
    """``true`` is the time; the worker looks at its clock and judges every second."""

    error: float = 0.0
    """How far the wall clock is ahead of the truth."""
    latency: float | None = 0.3
    """How long the vendor's stamps take to arrive; None where none come."""
    steady_sleeps: bool = True
    true: float = NOON
    steady: float = 5000.0
    slept: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    """By how much the clock was ahead of the truth, every second."""

    def __post_init__(self) -> None:
        self.clock = VendorClock(lambda: self.true + self.error, lambda: self.steady)
        self._changes = 0
        self._lags: list[float] = []
        self.clock.collect_sleep()

    def set(self, by: float) -> None:
        """Somebody sets the wall clock."""
        self.error += by

    def sleep(self, seconds: float) -> None:
        """The computer sleeps."""
        self.true += seconds
        if not self.steady_sleeps:
            self.steady += seconds

    def run(self, seconds: int, drift: float = 0.0) -> None:
        """Time passes, as the worker lives through it."""
        for _ in range(seconds):
            self.true += 1.0
            self.steady += 1.0
            self.error += drift
            if self.latency is not None:
                self._lags.append(self.clock() - (self.true - self.latency))
            self.slept.append(self.clock.collect_sleep())
            if self.clock.changes != self._changes:
                self._changes = self.clock.changes
                self._lags.clear()
            newest = self._lags[-3:]
            self.clock.judge([min(newest)] if newest else [], self._changes)
            self.shown.append(self.clock() - self.true)

    @property
    def off(self) -> float:
        return self.clock() - self.true


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-3)


def test_it_is_the_wall_clock_while_nothing_happens() -> None:
    """For hours, with the little corrections that a time server makes."""
    for drift in (0.0, 5e-4):
        world = World()
        world.run(20_000, drift)
        assert world.off == near(20_000 * drift)
        assert world.clock.changes == 0
        assert clock_text(world.clock.status) == ""
        assert not world.clock.is_judging
        assert sum(world.slept) == 0


def test_clock_that_falls_behind_is_kept_up_with_the_stamps() -> None:
    """Though it is never set: it is never slow by much more than is noticed."""
    world = World()
    world.run(20_000, -5e-4)
    assert world.error == near(-10)
    assert -1.5 < min(world.shown) <= max(world.shown) < 0.5
    assert "slow" in clock_text(world.clock.status)
    assert sum(world.slept) == 0


@pytest.mark.parametrize("step", [1.9, -1.9, 0.3, -0.3])
def test_little_step_is_followed_without_a_word(step: float) -> None:
    """A time server's own, within two seconds."""
    world = World()
    world.run(5)
    world.set(step)
    world.run(1)
    assert world.off == near(step)
    assert (world.clock.changes, clock_text(world.clock.status)) == (0, "")


def test_clock_set_back_goes_on_as_it_was_where_the_vendor_agrees() -> None:
    """At no instant does the time step, and it stays so for as long as the wall clock is wrong."""
    world = World()
    world.run(10)
    world.set(-HOUR)
    assert world.off == near(0)
    assert clock_text(world.clock.status) == (
        "this computer's clock was set back by 3600 s: the time before it is kept until the data"
        " vendor's timestamps show which is right"
    )
    world.run(200)
    assert world.shown == [near(0)] * 210
    assert world.clock.changes == 0
    assert clock_text(world.clock.status) == (
        "this computer's clock was set back by 3600 s: the time before it is kept, which the data"
        " vendor confirms"
    )
    world.set(HOUR)
    world.run(200)
    assert world.shown == [near(0)] * 410
    assert (clock_text(world.clock.status), world.clock.is_judging) == ("", False)


def test_clock_set_back_because_it_was_wrong_is_followed() -> None:
    """The stamps were an hour behind before, and agree with the wall clock now."""
    world = World(error=HOUR)
    world.run(10)
    world.set(-HOUR)
    world.run(4)
    assert world.off == near(HOUR)
    world.run(3)
    assert world.off == near(0)
    assert world.clock.changes == 1
    assert clock_text(world.clock.status) == ""
    world.run(200)
    assert world.clock.changes == 1


@pytest.mark.parametrize("error", [5.0, 30.0])
def test_clock_that_was_a_little_ahead_is_put_right(error: float) -> None:
    """Also where both times would do: later stamps are the worse ones."""
    world = World(error=error)
    world.run(10)
    world.set(-error)
    world.run(10)
    assert world.off == near(0)


def test_clock_set_ahead_wrongly_is_left_again() -> None:
    """The vendor's stamps are an hour old by it, and fresh by the time before."""
    world = World()
    world.run(10)
    world.set(HOUR)
    assert world.off == near(HOUR)
    assert clock_text(world.clock.status) == (
        "this computer slept, or its clock was changed: it moved by +3600 s, and is followed until"
        " the data vendor's timestamps show whether it is right"
    )
    world.run(4)
    assert world.clock.is_judging
    world.run(4)
    assert world.off == near(0)
    assert world.clock.changes == 2
    assert clock_text(world.clock.status) == (
        "this computer's clock was set ahead by 3600 s: the time before it is kept, which the data"
        " vendor confirms"
    )
    world.run(200)
    assert world.off == near(0)
    world.set(-HOUR)
    world.run(200)
    assert world.shown[20:] == [near(0)] * (len(world.shown) - 20)
    assert world.clock.changes == 2
    assert clock_text(world.clock.status) == ""


def test_clock_set_ahead_rightly_is_followed_at_once() -> None:
    """It had been an hour slow."""
    world = World(error=-HOUR)
    world.run(10)
    world.set(HOUR)
    world.run(2)
    assert world.off == near(0)
    assert (world.clock.changes, clock_text(world.clock.status)) == (1, "")


@pytest.mark.parametrize("step", [5.0, 30.0, 59.0])
def test_step_ahead_that_refuses_no_price_is_not_undone(step: float) -> None:
    """The page says how far the stamps lag; a lag is no proof."""
    world = World()
    world.run(10)
    world.set(step)
    world.run(200)
    assert world.off == near(step)
    assert world.clock.changes == 1
    assert not world.clock.is_judging


@pytest.mark.parametrize("steady_sleeps", [True, False])
def test_sleep_is_followed_at_once(steady_sleeps: bool) -> None:
    """And told, once, for as long as it was."""
    world = World(steady_sleeps=steady_sleeps)
    world.run(10)
    world.sleep(HOUR)
    assert world.off == near(0)
    world.run(3)
    assert world.off == near(0)
    assert clock_text(world.clock.status) == ""
    assert not world.clock.is_judging
    assert world.slept[:10] == [0.0] * 10
    assert world.slept[10] == pytest.approx(HOUR, abs=2)
    assert world.slept[11:] == [0.0] * 2
    assert world.clock.changes == int(steady_sleeps)


def test_short_stall_is_no_sleep() -> None:
    """A connection survives it."""
    for steady_sleeps in (True, False):
        world = World(steady_sleeps=steady_sleeps)
        world.run(5)
        world.sleep(10.0)
        world.run(5)
        assert sum(world.slept) == 0
        assert world.off == near(0)


@pytest.mark.parametrize("steady_sleeps", [True, False])
@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_without_stamps_the_wall_clock_is_followed(step: float, steady_sleeps: bool) -> None:
    """At night, or where all feeds are down: after a minute in which nothing contradicts."""
    world = World(latency=None, steady_sleeps=steady_sleeps)
    world.run(10)
    world.set(step)
    world.run(58)
    assert world.clock.is_judging
    assert world.off == near(max(0.0, step))
    world.run(5)
    assert world.off == near(step)
    assert not world.clock.is_judging
    assert clock_text(world.clock.status) == ""
    assert world.clock.changes == 1


def test_delayed_feed_judges_nothing() -> None:
    """A quarter of an hour late, it agrees with no clock."""
    for step in (HOUR, -HOUR):
        world = World(latency=900.0)
        world.run(10)
        world.set(step)
        world.run(100)
        assert world.off == near(step)
        assert world.clock.changes == 1


def test_clock_wrong_from_the_start_is_left_as_it_is() -> None:
    """Its feeds say by how much: a late one or one of another zone would look the same."""
    for error in (HOUR, -HOUR, 30.0, -0.5):
        world = World(error=error)
        world.run(300)
        assert world.off == near(error)
        assert world.clock.changes == 0


@pytest.mark.parametrize("error", [-1.5, -2.1, -3.0, -59.0, -590.0])
def test_slow_clock_is_followed_by_what_it_lacks(error: float) -> None:
    """No stamp comes before its time: after some seconds the time is that of the stamps."""
    world = World(error=error)
    world.run(4)
    assert world.off == near(error)
    world.run(10)
    assert world.off == near(-0.3)  # no more is sure: a stamp takes its time
    assert world.clock.changes == 1
    assert f"is {-error - 0.3:.0f} s slow" in clock_text(world.clock.status)
    world.run(300)
    assert world.clock.changes == 1


@pytest.mark.parametrize("error", [-1.5, -3.0, -59.0])
@pytest.mark.parametrize("at_once", [True, False])
def test_slow_clock_may_be_set_right(error: float, at_once: bool) -> None:
    """At once or little by little: in the end the wall clock is followed, and nothing is said."""
    world = World(error=error)
    world.run(20)
    for _ in range(1 if at_once else 600):
        world.set(-error if at_once else -error / 600)
        world.run(1)
        assert abs(world.off) < abs(error) + 0.5
    world.run(70)
    assert abs(world.off) <= 1.5
    if at_once and error < -2:
        assert world.off == near(0)
        assert clock_text(world.clock.status) == ""


def test_one_early_feed_among_others_proves_nothing() -> None:
    """Its own clock is ahead, and not this one behind."""
    world = World(latency=None)
    world.run(5)
    for _ in range(30):
        world.clock.judge([-3.0, 0.2], world.clock.changes)
    assert world.clock.changes == 0


def test_sleep_while_another_time_than_the_wall_clock_s_goes_on() -> None:
    """The wall clock is as wrong afterwards as it was before."""
    for error in (-HOUR, HOUR):
        world = World()
        world.run(10)
        world.set(error)
        world.run(20)
        assert world.off == near(0)
        world.sleep(600.0)
        world.run(20)
        assert world.off == near(0)
        assert world.slept[30] == pytest.approx(600, abs=2)
        assert not world.clock.is_judging


def test_set_and_set_back_within_seconds_leaves_nothing() -> None:
    """Whether it was judged in between or not."""
    for step in (HOUR, -HOUR):
        for between, latency in ((0, 0.3), (1, 0.3), (3, 0.3), (30, 0.3), (3, None)):
            world = World(latency=latency)
            world.run(10)
            world.set(step)
            world.run(between)
            world.set(-step)
            world.run(1)
            assert world.off == near(0)
            assert clock_text(world.clock.status) == ""
            world.run(100)
            assert world.shown[10 + between :] == [near(0)] * 101
            assert not world.clock.is_judging


def test_several_steps_are_one() -> None:
    """What counts is where the wall clock is in the end."""
    for steps in ((HOUR, HOUR), (-HOUR, -HOUR), (HOUR, -2 * HOUR), (-HOUR, 3 * HOUR), (60, 60, 60)):
        for between in (0, 1, 3):
            world = World()
            world.run(10)
            for step in steps:
                world.set(step)
                world.run(between)
            world.run(20)
            assert world.off == near(0)
            assert not world.clock.is_judging
            assert "which the data vendor confirms" in clock_text(world.clock.status)


def test_evidence_from_before_a_jump_is_none() -> None:
    """Lags that were measured by another time would confirm anything."""
    world = World(latency=None)
    world.run(10)
    world.set(HOUR)
    world.clock()
    for _ in range(10):
        world.clock.judge([0.3], changes=0)
        assert world.clock.is_judging
    world.clock.judge([0.3], changes=1)
    assert not world.clock.is_judging


def test_one_late_stamp_proves_nothing() -> None:
    """It is seen in three judgements, and fresh ones follow."""
    world = World(latency=None)
    world.run(10)
    world.sleep(HOUR)
    world.run(1)
    for _ in range(3):
        world.clock.judge([HOUR + 0.2], world.clock.changes)
    world.latency = 0.3
    world.run(5)
    assert world.off == near(0)
    assert world.clock.changes == 1


def test_late_feed_beside_a_live_one_changes_nothing() -> None:
    """One that is delayed by just the step is outvoted by the one that is not."""
    world = World(latency=None)
    world.sleep(900.0)
    world.run(1)
    for _ in range(10):
        world.clock.judge([900.2, 0.2], world.clock.changes)
    assert world.off == near(0)
    assert not world.clock.is_judging


# Anything.

steps = st.one_of(
    st.sampled_from([HOUR, -HOUR, 2 * HOUR, 60.0, -60.0, 5.0, -5.0, 1.0]),
    st.floats(-1e5, 1e5),
)
deeds = st.lists(
    st.tuples(
        st.sampled_from(["set", "sleep", "mute", "hear"]),
        steps,
        st.integers(0, 90),
    ),
    max_size=8,
)


def live_through(world: World, story: Sequence[tuple[str, float, int]]) -> int:
    """Do what the story tells; how often the clock was set or slept."""
    count = 0
    for deed, size, seconds in story:
        if deed == "set":
            world.set(size)
            count += 1
        elif deed == "sleep":
            world.sleep(abs(size))
            count += 1
        else:
            world.latency = 0.3 if deed == "hear" else None
        world.run(seconds)
    return count


@given(deeds, st.booleans(), st.sampled_from([0.0, 0.0, HOUR, -40.0]))
@settings(max_examples=150, deadline=None)
def test_every_story_comes_to_an_end(
    story: list[tuple[str, float, int]], steady_sleeps: bool, error: float
) -> None:
    """Three changes per step at most, none after a minute, and a note while it is needed."""
    world = World(error=error, steady_sleeps=steady_sleeps)
    world.run(5)
    count = live_through(world, story)
    world.run(70)
    changes = world.clock.changes
    assert changes <= 3 * count + (error < 0)
    assert not world.clock.is_judging
    assert bool(clock_text(world.clock.status)) is (abs(world.off - world.error) > 1e-3)
    world.run(100)
    assert world.clock.changes == changes
    assert world.shown[-100:] == [near(world.off)] * 100


@given(
    st.lists(st.tuples(st.sampled_from(["set", "sleep"]), steps), max_size=6),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_with_a_live_vendor_every_step_ends_in_the_truth(
    story: list[tuple[str, float]], steady_sleeps: bool
) -> None:
    """Where each has time to be judged: prices come in, and no wrong time stays."""
    world = World(steady_sleeps=steady_sleeps)
    world.run(5)
    for deed, size in story:
        # Steps that a time server might make, or that refuse no price, are the wall clock's own.
        if abs(size) <= 75 or abs(world.error + size) <= 75:
            continue
        live_through(world, [(deed, size, 70)])
        assert world.off == near(0)


@pytest.mark.parametrize("step", [-HOUR, HOUR] * 5)
def test_threads_that_find_a_step_at_once_agree(step: float) -> None:
    """It is counted once, and no look returns a time that never was."""
    world = World(latency=None)
    start = threading.Barrier(5)
    seen: list[float] = []

    def look() -> None:
        start.wait()
        seen.extend(world.clock() for _ in range(500))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    world.set(step)
    for thread in threads:
        thread.join()
    after = NOON + max(step, 0.0)
    assert set(seen) <= {NOON, after}
    assert world.clock() == after
    assert world.clock.changes == (step > 0)
