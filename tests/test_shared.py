"""Shared: computed once for all who ask, by the function and its arguments."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.shared import FRESH_SEC, KEPT_SEC, Shared
from tests.waiting import HANG_SEC


class Counted:
    """A function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def double(self, number: int) -> int:
        """Twice the number."""
        self.calls += 1
        return 2 * number


def test_the_same_question_is_computed_once() -> None:
    """Other arguments, another function or another object's is another question."""
    shared, one, other = Shared(lambda: 0.0), Counted(), Counted()
    assert [shared.once(one.double, 3) for _ in range(5)] == [6] * 5
    assert one.calls == 1
    assert shared.once(one.double, 4) == 8
    assert shared.once(other.double, 3) == 6
    assert (one.calls, other.calls) == (2, 1)


def test_two_who_ask_at_the_same_moment_compute_it_once() -> None:
    """The second waits for the first, and gets the very same object."""
    shared = Shared()
    begun, may_end = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow(number: int) -> list[int]:
        calls.append(number)
        begun.set()
        assert may_end.wait(HANG_SEC)
        return [number]

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.once, slow, 1)
        assert begun.wait(HANG_SEC)
        others = [pool.submit(shared.once, slow, 1) for _ in range(7)]
        may_end.set()
        results = [future.result(10) for future in (first, *others)]
    assert calls == [1]
    assert all(result is results[0] for result in results)


def test_an_error_reaches_who_waits_and_is_not_kept() -> None:
    """The next who asks tries again."""
    shared = Shared(lambda: 0.0)
    failures = iter([True])

    def fails_once(number: int) -> int:
        if next(failures, False):
            raise OSError("no luck")
        return number

    with pytest.raises(OSError, match="no luck"):
        shared.once(fails_once, 1)
    assert shared.once(fails_once, 1) == 1


def test_results_are_dropped_when_nobody_asks_and_renewed_when_somebody_always_does() -> None:
    """So that memory has a bound, and a failed reading of an archive an end."""
    times = [0.0]
    shared, asked, other = Shared(lambda: times[0]), Counted(), Counted()
    for second in range(int(FRESH_SEC) + 1):
        times[0] = float(second)
        shared.once(asked.double, 1)
    assert asked.calls == 1
    times[0] = FRESH_SEC + 1
    shared.once(asked.double, 1)
    assert asked.calls == 2
    times[0] += KEPT_SEC + 1
    shared.once(other.double, 1)
    shared.once(asked.double, 1)
    assert asked.calls == 3


def test_how_long_a_result_lasts_can_be_chosen() -> None:
    """What never changes is kept for longer."""
    times = [0.0]
    shared, asked = Shared(lambda: times[0], kept_sec=60.0, fresh_sec=600.0), Counted()
    for _ in range(4):
        times[0] += 59.0
        shared.once(asked.double, 1)
    assert asked.calls == 1
    times[0] += 61.0
    shared.once(asked.double, 2)
    shared.once(asked.double, 1)
    assert asked.calls == 3
    for _ in range(11):
        times[0] += 59.0
        shared.once(asked.double, 1)
    assert asked.calls == 4
