"""Timing and Backoff: how long a feed waits for what, and before it tries again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

__all__ = ["Attempts", "Backoff", "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """A feed's waiting times, in seconds."""

    open_sec: float = 10.0
    accept_sec: float = 10.0
    close_sec: float = 1.0
    ping_sec: float = 20.0
    """How often a sign of life is asked for, and how long it may take."""
    backoff_floor_sec: float = 0.5
    backoff_cap_sec: float = 60.0
    closed_cap_sec: float = 300.0
    """Stands in for ``backoff_cap_sec`` while the market is closed; its opening ends any wait."""
    healthy_sec: float = 30.0
    """Backoff is forgotten after a valid tick on a connection that lived this long."""
    refused_sec: float = 300.0
    """What was refused is asked for again after this long: asking more often changes nothing."""
    throttled_sec: float = 60.0
    connection_limit_sec: float = 300.0
    """If somebody else uses the account, for so long it is left to them."""
    brief_sec: float = 10.0
    """Of an account that may have one connection, one that the vendor ends sooner was ended because
    of another, if it happens twice in a row."""
    quiet_sec: float = 1.0
    """A connection that is to be renewed is ended once nothing came for this long, ..."""
    renewal_sec: float = 300.0
    """... or after this long anyway."""
    thin_sec: float = 600.0
    """Replaces a shorter silence before and after regular hours, when minutes may pass between
    trades; and what silence comes to in the end if one connection after the other is silent."""
    unheard_sec: float = 600.0
    """A symbol without any price is told after its class has traded for so long."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: full jitter over an exponential, with a floor."""

    floor_sec: float = 0.5
    cap_sec: float = 60.0
    attempt: int = 0
    """Which attempt in a row is next; 0: nothing has failed."""

    def failed(self) -> Self:
        """After another attempt that failed."""
        return replace(self, attempt=self.attempt + 1)

    def reset(self) -> Self:
        """As if nothing had failed."""
        return replace(self, attempt=0)

    def wait_sec(self, jitter: float) -> float:
        """The wait for a ``jitter`` in [0, 1): from the floor to 2 to the power of ``attempt``."""
        longest = min(self.cap_sec, 2.0 ** min(self.attempt, 30))
        return self.floor_sec + jitter * max(0.0, longest - self.floor_sec)


class Attempts:
    """The attempts to connect to one vendor, by all of its feeds.

    Each begins at least ``spacing_sec`` after the one before. Time is of a clock that nobody sets,
    in seconds.
    """

    def __init__(self, spacing_sec: float) -> None:
        self._spacing_sec = spacing_sec
        self.next_at = -math.inf
        """When the next one may begin."""
        self.quiet_until = -math.inf
        """Until when the vendor wants to be left alone, as it said to one of its feeds."""

    def postpone(self, until: float) -> None:
        """Leave the vendor alone until then."""
        self.quiet_until = max(self.quiet_until, until)

    def reserve(self, now: float) -> float:
        """Take the next one; returns for how long to wait before it may begin."""
        begins_at = max(now, self.next_at)
        self.next_at = begins_at + self._spacing_sec
        return begins_at - now
