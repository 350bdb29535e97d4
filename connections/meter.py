"""Meter: what came through a feed, how much, how fast and how late.

Time is an argument or a function.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from connections.status import Lately
from gate import MAX_AGE_SEC, MAX_LEAD_SEC, Reason

__all__ = ["LATEST_SEC", "Meter"]

_RATE_SEC: Final = 10
"""Ticks per second are counted over this many seconds."""

_SKEW_SEC: Final = 60
"""The lag of the vendor's stamps is the least of this many seconds, ..."""

_RECENT_SEC: Final = 3
"""... and its newest value that of this many."""

LATEST_SEC: Final = 3.0
"""Nobody waits longer than this for a late price, so that how late the later ones are is nothing to
go by."""

_EXCUSED_OF: Final = 30
"""Of this many seconds one may have a price that is later than what is called late."""

_JUDGED_SEC: Final = 60
"""What came lately is that of ``_RATE_SEC``, or of as many more seconds up to this as hold ..."""

_JUDGED: Final = 5
"""... this many prices and unreadable frames."""

_SKEW_PRICES: Final = 5
"""Fewer stamps in that minute say nothing about the clocks: some trades are reported late."""


class _Lags(NamedTuple):
    """How far the stamps of one second's prices lagged the clock."""

    least: float
    most: float
    lead: float
    prices: int


class _LagMeter:
    """How far the vendor's stamps lag the clock, second by second: the least is the truest.

    A price takes its time on the way, and none arrives before it was sent. One stamped so early
    that it was refused counts only if none was in time: a single one is rubbish.
    """

    def __init__(self) -> None:
        self._seconds: deque[_Lags] = deque(maxlen=_SKEW_SEC)
        self._prices = 0
        # Of the current second. Infinite if there was none.
        self.least = math.inf
        self.most = -math.inf
        """Of those that entered and were not too late to be waited for."""
        self.lead = math.inf
        """By how much the least early of the refused prices was ahead of the clock."""

    def end_second(self, prices: int) -> None:
        """Begin another second; ``prices`` is how many ever came until then."""
        self._seconds.append(_Lags(self.least, self.most, self.lead, prices - self._prices))
        self._prices = prices
        self._begin()

    def reset(self) -> None:
        """Begin from nothing."""
        self._seconds.clear()
        self._begin()

    def recent(self) -> float | None:
        """The lag of the last seconds, negative if the stamps are ahead; None if none came."""
        return self._over(_RECENT_SEC)

    def lasting(self) -> float | None:
        """The lag of the last minute, likewise; None if too few came to tell."""
        is_enough = sum(lags.prices for lags in self._seconds) >= _SKEW_PRICES
        return self._over(_SKEW_SEC) if is_enough else None

    def latest(self) -> float | None:
        """How late the last minute's prices came, but for single ones; None if none came."""
        most = [self.most, *(lags.most for lags in self._seconds)]
        known = sorted((lag for lag in most if lag > -math.inf), reverse=True)
        return known[len(known) // _EXCUSED_OF] if known else None

    def _begin(self) -> None:
        self.least = self.lead = math.inf
        self.most = -math.inf

    def _over(self, seconds: int) -> float | None:
        newest = list(self._seconds)[-seconds:]
        least = min([self.least, *(lags.least for lags in newest)])
        if least < math.inf:
            return least
        lead = min([self.lead, *(lags.lead for lags in newest)])
        return -lead if lead < math.inf else None


class _Counts(NamedTuple):
    """What had ever come through a feed at the end of a second."""

    at: float
    """The end of the second, by the source's clock."""
    ticks: int
    held: int
    unreadable: int


class Meter:
    """What came through a feed's connections: how much, how fast, how late.

    ``refused`` is the gate's. One thread writes; any thread may read.
    """

    def __init__(self, monotonic: Callable[[], float], refused: Counter[Reason]) -> None:
        self._monotonic = monotonic
        self._refused = refused
        self._counts: deque[_Counts] = deque(maxlen=_JUDGED_SEC + 1)
        self.frames = 0
        """Frames that held several prices."""
        self.prices = 0
        """Prices received, those that were refused and unreadable frames included."""
        self.ignored = 0
        """Messages that tell nothing here."""
        self.ticks = 0
        """Prices that entered."""
        self.ticked_at = -math.inf, 0.0
        """When the last one came: by the source's clock, and by the monotonic one."""
        self.lags = _LagMeter()
        self.skew: float | None = None

    def end_second(self, now: float) -> None:
        """Note the counts and the lag of another second."""
        self._counts.append(self._count(now))
        self.lags.end_second(self.prices)
        self.skew = self.lags.lasting()

    def reset(self) -> None:
        """Forget what was measured by a clock that has jumped."""
        self.lags.reset()
        self.skew = None
        self._counts.clear()

    def rate(self) -> float | None:
        """Ticks per second of the last seconds."""
        counts = list(self._counts)[-_RATE_SEC - 1 :]
        if len(counts) < 2 or counts[-1].at <= counts[0].at:
            return None
        before, after = counts[0], counts[-1]
        return (after.ticks - before.ticks) / (after.at - before.at)

    def lately(self) -> Lately:
        """What came in the last seconds, up to now; nothing before two seconds are over."""
        counts, found = list(self._counts), Lately()
        newest = self._count(0.0)
        for seconds, before in enumerate(reversed(counts), 1):
            found = Lately(
                newest.ticks - before.ticks,
                newest.held - before.held,
                newest.unreadable - before.unreadable,
            )
            count = found.ticks + found.held + found.unreadable
            if seconds > _RATE_SEC and count >= _JUDGED:
                break
        return found

    def _count(self, now: float) -> _Counts:
        return _Counts(now, self.ticks, self._refused["far off"], self._refused["shape"])

    def age(self, now: float) -> float | None:
        """Seconds since the last tick; None if there was none."""
        return self.since(self.ticked_at, now) if self.ticks else None

    def since(self, instant: tuple[float, float], now: float) -> float:
        """Seconds since an instant, by the source's clock if that was not set back since."""
        passed = now - instant[0]
        return passed if passed >= 0 else self._monotonic() - instant[1]

    def untimely_lag(self) -> float | None:
        """The lag of the stamps, if that is why none is in time."""
        lag = self.lags.recent()
        lag = self.skew if lag is None else lag
        return None if lag is None or -MAX_LEAD_SEC <= lag <= MAX_AGE_SEC else lag
