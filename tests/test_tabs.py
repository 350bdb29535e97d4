"""How often the tabs refresh."""

from __future__ import annotations

import heapq

import pytest

from page.tabs import REFRESH_SEC, OpenTabs

RUN_SEC = 0.01
"""What a refresh costs the process below: it manages a hundred a second."""


class Process:
    """A process that does one refresh after the other, and the browsers that ask it.

    A tab asks again an interval after it did, by the interval that it was told last; while it waits
    to be answered, it does not.
    """

    def __init__(self, count: int = 0) -> None:
        self.tabs = OpenTabs()
        self._asks: list[tuple[float, str]] = []
        self.now = self._free = 0.0
        self.open(count)

    def open(self, count: int) -> None:
        """Open or close tabs until there are ``count``."""
        del self._asks[count:]
        for number in range(len(self._asks), count):
            self._asks.append((self.now + REFRESH_SEC * number / count, f"tab {number}"))
        heapq.heapify(self._asks)

    def run(self, seconds: float) -> list[float]:
        """What it tells the tabs, in order."""
        told = []
        self.now += seconds
        while self._asks[0][0] < self.now:
            asked, tab = heapq.heappop(self._asks)
            self._free = max(self._free, asked)
            interval = self.tabs.note(tab, self._free)
            self._free += RUN_SEC
            self.tabs.done(tab, self._free)
            heapq.heappush(self._asks, (max(asked + interval, self._free), tab))
            told.append(interval)
        return told

    def stall(self, seconds: float) -> None:
        """Do nothing for a while."""
        self._free = max(self._free, self.now) + seconds


def test_what_one_process_carries_refreshes_every_two_seconds() -> None:
    """However many they are."""
    process = Process(180)
    assert set(process.run(300)) == {REFRESH_SEC}
    assert process.tabs.tabs == 180


@pytest.mark.parametrize(("count", "interval"), [(300, 4), (700, 8), (1000, 12)])
def test_the_interval_grows_until_refreshes_come_in_time(count: int, interval: int) -> None:
    """To where the process manages what is asked of it, and not beyond; there it stays."""
    process = Process(count)
    process.run(60)
    assert set(process.run(200)) == {interval}
    assert count * RUN_SEC / interval < 1 <= count * RUN_SEC / (interval - REFRESH_SEC)


def test_refreshes_that_take_long_are_too_many_already() -> None:
    """Before they come late: a process that is short of time starves all of a sudden."""
    tabs = OpenTabs()
    interval: float = REFRESH_SEC
    for second in range(0, 8, REFRESH_SEC):
        for tab in range(50):
            interval = tabs.note(f"tab {tab}", float(second))
            tabs.done(f"tab {tab}", second + 0.3)
    assert interval == 2 * REFRESH_SEC


def test_it_shrinks_again_when_there_is_room() -> None:
    """A tab that comes and goes at the edge does not make the others flicker."""
    process = Process(300)
    assert process.run(60)[-1] == 2 * REFRESH_SEC
    process.open(185)
    assert set(process.run(60)) == {2 * REFRESH_SEC}
    process.open(150)
    assert process.run(20)[-1] == REFRESH_SEC


def test_after_some_minutes_it_is_tried_again() -> None:
    """What took the time may have been something else."""
    process = Process(190)
    process.run(20)
    for _ in range(4):
        process.stall(1.5)
        process.run(REFRESH_SEC)
    assert process.run(200)[-1] == 2 * REFRESH_SEC
    assert process.run(200)[-1] == REFRESH_SEC


def test_a_moment_in_which_all_stood_still_changes_nothing() -> None:
    """It is over."""
    process = Process(100)
    process.run(20)
    process.stall(1.0)
    assert set(process.run(60)) == {REFRESH_SEC}


def test_a_late_tab_alone_is_its_own_matter() -> None:
    """Of a slow telephone; a few are late because their computer is busy with something else."""
    process = Process(50)
    for number in range(20):
        process.run(5)
        assert process.tabs.note("slow", 5.0 * number) == REFRESH_SEC
    few = OpenTabs()
    assert {few.note(f"tab {second % 6}", second * 1.0) for second in range(300)} == {REFRESH_SEC}


def test_tabs_that_are_gone_or_hidden_do_not_count() -> None:
    """One refresh a minute, as browsers allow a hidden tab, costs next to nothing."""
    process = Process(25)
    for minute in range(5):
        for tab in range(100):
            process.tabs.note(f"hidden {tab}", minute * 60.0)
        process.run(60)
    assert process.tabs.tabs == 25
    assert process.tabs.refresh_sec == REFRESH_SEC
