"""Clocks of sources: the wall clock, kept usable if somebody sets it or the computer sleeps.

Both are called without arguments, from any thread, and return seconds since the epoch (UTC). Both
read the two clocks that they are given: ``wall``, the computer's, and ``steady``, which stays as it
is when the other is set.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from sources.source import ClockStatus, ClockTrouble

__all__ = ["ForwardClock", "VendorClock"]

_STEP_SEC: Final = 2.0
"""How far the wall clock may move against the steady one between two readings without having been
set."""

_SLEW_SEC: Final = 0.25
"""If a reading finds the two moved against each other by less than this, it needs no lock."""

_WAKE_SEC: Final = 15.0
"""A computer that missed more than this was asleep."""

_WAIT_SEC: Final = 60.0
"""How long a step may wait for the vendor's stamps to judge it before the wall clock is followed.

Equal to the age from which the gate treats a price as a snapshot.
"""

_LIVE_SEC: Final = (-2.0, 10.0)
"""The least and the most that live stamps lag a clock that is right."""

_AGREEING: Final = 5
"""How many judgements in a row must agree before the time that is shown changes: more than the
seconds for which a lag is remembered, so that a single late stamp does not suffice."""


_EARLY_SEC: Final = 1.0
"""No stamp is made later than it arrives: if all are ahead of the clock by more than this, it is
slow. So much as well must they lag before it is taken for less slow."""

_SLOWEST_SEC: Final = 600.0
"""Stamps further ahead than this say nothing about the clock: they may be of another zone."""


class ForwardClock:
    """A clock that shows the time of ``wall`` and, if that steps back, goes on from where it was.

    It begins at ``newest`` if ``wall`` is behind that. If ``wall`` was set back and is set right
    again, both show the same time again.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        newest: float | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        begun = wall()
        self._gap = begun - steady()
        # Guards the two below: the loop and the pages ask for the time.
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._newest = begun if newest is None else newest

    def __call__(self) -> float:
        """The time; never earlier than before."""
        with self._lock:
            wall = self._wall()
            step = wall - self._steady() - self._gap
            self._gap += step
            if step > _STEP_SEC:
                self._ahead = max(0.0, self._ahead - step)
            now = wall + self._ahead
            if now < self._newest:
                self._ahead += self._newest - now
                now = self._newest
            self._newest = now
            return now


class VendorClock:
    """The wall clock, unless it was set wrongly and the vendor's stamps say so.

    If the wall clock steps against the steady clock, one of three things is true: the wall clock is
    right (it was corrected, or the computer slept, and the steady clock may stop in sleep); the
    time before goes on (it was set wrongly); or it is as wrong as it was all along, and the
    computer slept. The vendor's stamps tell which: ``judge`` is given how far they lag.

    Until then a step ahead is followed at once, as after sleep, and a step back is not, so that
    time goes on. If no stamp decides within a minute, the wall clock is followed. Without a step a
    clock that is ahead stays as it is, because a feed that is late by as much would look the same;
    but one that is behind the stamps of every feed, by ten minutes at most, is slow: what it lacks
    is added.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self.changes = 0
        """How often this clock has jumped: lags from before and after a jump do not compare."""
        self.status = ClockStatus()
        """What is being done about the wall clock."""
        # Guards everything below against two threads that find the same step.
        self._lock = threading.Lock()
        wall_at, steady_at = self._readings()
        # How far the wall clock is ahead of the steady one, and what is added to it. One object,
        # so that a reading without the lock never gets one of them from before a step.
        self._state = (wall_at - steady_at, 0.0)
        # What is to be added if the time before goes on, by the steady clock, ...
        self._before = 0.0
        # ... and if the wall clock is as wrong as when a step was judged last.
        self._judged = 0.0
        self._stepped_at: float | None = None  # steady; None while nothing waits for judgement
        self._favoured = math.nan
        self._in_favour = 0
        # What the clock lacked by the last judgements, where all of them say that it does.
        self._lacking: deque[float] = deque(maxlen=_AGREEING)
        self._slept = 0.0
        self._collected_at: float | None = None  # steady

    def __call__(self) -> float:
        """The time."""
        gap, added = self._state
        wall = self._wall()
        if -_SLEW_SEC < wall - self._steady() - gap < _SLEW_SEC:
            return wall + added
        with self._lock:
            wall, _ = self._find_step()
            return wall + self._state[1]

    @property
    def is_judging(self) -> bool:
        """Whether a step waits to be judged."""
        return self._stepped_at is not None

    def collect_sleep(self) -> float:
        """Return for how many seconds the computer slept since the last call; 0 if it did not.

        To be called every second: on a computer whose steady clock goes on in sleep, a call that
        comes late is how sleep is noticed.
        """
        with self._lock:
            _, steady = self._find_step()
            slept, self._slept = self._slept, 0.0
            before, self._collected_at = self._collected_at, steady
        if before is not None and steady - before > _WAKE_SEC:
            slept += steady - before
        return slept

    def judge(self, lags: Iterable[float], changes: int) -> None:
        """Judge a step, if there was one, and else whether the clock is slow; to be called every
        second.

        ``lags`` are how far each feed's newest stamps lag this clock, measured when it had jumped
        ``changes`` times: lags from before its last jump are ignored.
        """
        with self._lock:
            _, steady = self._find_step()
            if self._stepped_at is None:
                if changes == self.changes:
                    self._weigh_slowness([*lags])
                return
            if changes == self.changes:
                self._weigh([*lags])
            if self._stepped_at is not None and steady - self._stepped_at > _WAIT_SEC:
                self._settle(0.0)

    # With the lock held.

    def _find_step(self) -> tuple[float, float]:
        """Read both clocks and handle a step of the wall clock; returns what they say."""
        wall, steady = self._readings()
        gap, added = self._state
        step = wall - steady - gap
        if abs(step) > _STEP_SEC:
            self._step(step, wall - steady, steady)
        else:
            self._state = (wall - steady, added)
        return wall, steady

    def _readings(self) -> tuple[float, float]:
        """Both clocks at one instant; read again if the thread was held up between the two."""
        for _ in range(5):
            before, wall, steady = self._steady(), self._wall(), self._steady()
            if steady - before < _SLEW_SEC:
                break
        return wall, steady

    def _step(self, step: float, gap: float, steady: float) -> None:
        """Handle a step of the wall clock against the steady one: follow it, or go on without."""
        _, added = self._state
        self._before -= step
        is_behind = self._before > _STEP_SEC
        now_added = self._before if is_behind else 0.0
        self._state = (gap, now_added)
        self.changes += now_added != added - step
        if step > _WAKE_SEC:
            self._slept += step
        self._favoured, self._in_favour = math.nan, 0
        if abs(self._before) <= _STEP_SEC and abs(self._judged) <= _STEP_SEC:
            self._settle(0.0)  # set and set back: nothing is left to judge
            return
        self._stepped_at = steady
        self.status = (
            ClockStatus(ClockTrouble.SET_BACK, self._before)
            if is_behind
            else ClockStatus(ClockTrouble.MOVED, step)
        )

    def _weigh(self, lags: list[float]) -> None:
        """Settle on the time that the stamps confirm; if it is not the one shown, after a while."""
        _, shown = self._state
        fits = {}
        for added in (shown, 0.0, self._before, self._judged):
            under = [lag + added - shown for lag in lags]
            live = [lag for lag in under if _LIVE_SEC[0] <= lag <= _LIVE_SEC[1]]
            if live:
                # Stamps are late rather than early, and the less late the better.
                fits[added] = min((lag < -0.5, abs(lag)) for lag in live)
        if shown == 0.0 and any(_LIVE_SEC[0] <= lag <= _WAIT_SEC for lag in lags):
            # Prices come in by the wall clock: no reason to leave it.
            fits = {added: fit for added, fit in fits.items() if added == 0.0}
        if not fits:
            return
        best = min(fits, key=fits.__getitem__)
        self._in_favour = self._in_favour + 1 if best == self._favoured else 1
        self._favoured = best
        if best == shown or self._in_favour >= _AGREEING:
            self._settle(best)

    def _weigh_slowness(self, lags: list[float]) -> None:
        """Add what the clock lacks, if the stamps of every feed say so for a while.

        Less is added again if they say so: the wall clock may be set right in steps too small to
        be noticed.
        """
        _, added = self._state
        is_slow = self.status.trouble is ClockTrouble.SLOW
        most, least = max(lags, default=0.0), min(lags, default=0.0)
        if -_SLOWEST_SEC <= most < -_EARLY_SEC:
            lacking = -most
        elif is_slow and least > _EARLY_SEC:
            lacking = -min(least, added)
        else:
            self._lacking.clear()
            return
        if self._lacking and (lacking > 0) != (self._lacking[-1] > 0):
            self._lacking.clear()
        self._lacking.append(lacking)
        if len(self._lacking) == _AGREEING:
            surely = min(self._lacking) if lacking > 0 else max(self._lacking)
            self._settle(added + surely)
            if added + surely > 0:
                self.status = ClockStatus(ClockTrouble.SLOW, added + surely)

    def _settle(self, added: float) -> None:
        gap, shown = self._state
        self._state = (gap, added)
        self._before = self._judged = added
        self._stepped_at = None
        self._lacking.clear()
        self.changes += added != shown
        if added:
            way = ClockTrouble.WRONG_BACK if added > 0 else ClockTrouble.WRONG_AHEAD
            self.status = ClockStatus(way, abs(added))
        else:
            self.status = ClockStatus()
