"""Pace: when a destination may be sent the next message, after the last one and after failures."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alerts.channel import RetryAt

__all__ = ["Manners", "Pace"]

_CORRECTED_SEC: Final = 1.0
"""A clock that goes back by no more is only corrected, as happens all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How long to wait for what, in seconds."""

    answer_sec: float = 10.0
    """For a whole answer, ..."""
    end_sec: float = 1.0
    """... and at the end for that to what is on the way."""
    backoff_sec: float = 1.0
    """After a failure: at most so long, doubled with each further one, ..."""
    chat_backoff_cap_sec: float = 300.0
    backoff_cap_sec: float = 3600.0
    """... up to these."""
    breaker_failures: int = 5
    """After so many failures in a row a destination rests, ..."""
    rest_sec: float = 30.0
    rest_cap_sec: float = 600.0
    """... so long at least, doubled with each further one, up to this."""
    longest_rest_sec: float = 86_400.0
    """The longest rest that a destination may ask for."""
    chat_expiry_sec: float = 300.0
    """What is older is no news to people, ..."""
    expiry_sec: float = 86_400.0
    """... and what is older is told to nobody."""


class Pace:
    """When the next message may go.

    At least ``spacing_sec`` after the last, no more than ``at_most`` says, a number and so many
    seconds; after failures later, ``backoff_cap_sec`` at most unless the destination rests.
    ``random`` returns a number from 0 to 1.
    """

    def __init__(
        self,
        manners: Manners,
        random: Callable[[], float],
        *,
        spacing_sec: float,
        at_most: tuple[int, float] | None,
        backoff_cap_sec: float,
    ) -> None:
        self._manners = manners
        self._random = random
        self._spacing_sec = spacing_sec
        self._at_most = at_most
        self._backoff_cap_sec = backoff_cap_sec
        self._failures = 0
        self._spaced_until = -math.inf
        self._begun: deque[float] = deque()
        self._asked_at = -math.inf
        self.rests_until = -math.inf
        """Until then nothing is tried, after a failure or because the destination asks for it."""

    def next_at(self, now: float, *, is_edit: bool = False) -> float:
        """When the next message may go, or the next edit, of which there may be any number."""
        if now < self._asked_at - _CORRECTED_SEC:
            # The clock was set back: all that was to be waited for is of another time.
            self._spaced_until = self.rests_until = -math.inf
            self._begun.clear()
        self._asked_at = now
        counted_until = -math.inf if is_edit else self._counted_until(now)
        return max(self.rests_until, self._spaced_until, counted_until)

    def begin(self, now: float, *, is_edit: bool = False) -> None:
        """Know that a message goes, or an edit."""
        self._spaced_until = now + self._spacing_sec
        if self._at_most is not None and not is_edit:
            self._begun.append(now)

    def succeed(self) -> None:
        """Know that the destination is well."""
        self._failures = 0

    def keep_away(self, wait_sec: float, now: float) -> None:
        """Let the next message wait that long, as a destination asks for that is well."""
        wait_sec = min(max(wait_sec, 0.0), self._manners.longest_rest_sec)
        self._spaced_until = max(self._spaced_until, now + wait_sec)

    def fail(self, outcome: RetryAt, now: float) -> None:
        """Rest as asked, or with full jitter: who failed together does not come again together."""
        manners = self._manners
        self._failures += outcome.counts_as_failure
        if outcome.after_sec is not None:
            wait_sec = min(max(outcome.after_sec, 0.0), manners.longest_rest_sec)
        else:
            doubled = manners.backoff_sec * 2.0 ** min(max(self._failures - 1, 0), 60)
            wait_sec = min(self._backoff_cap_sec, doubled) * self._random()
        beyond = self._failures - manners.breaker_failures
        if outcome.counts_as_failure and beyond >= 0:
            rest_sec = min(manners.rest_cap_sec, manners.rest_sec * 2.0 ** min(beyond, 60))
            wait_sec = max(wait_sec, rest_sec)
        self.rests_until = now + wait_sec

    def rest_no_more(self) -> None:
        """Let the next message go in spite of failures."""
        self.rests_until = -math.inf

    def _counted_until(self, now: float) -> float:
        """When there is room among those that may go within some time."""
        if self._at_most is None:
            return -math.inf
        most, within_sec = self._at_most
        while self._begun and self._begun[0] + within_sec <= now:
            self._begun.popleft()
        return -math.inf if len(self._begun) < most else self._begun[-most] + within_sec
