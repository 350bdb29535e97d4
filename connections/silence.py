"""Silence: for how long there may be no price before a connection is suspect."""

from __future__ import annotations

from sessions import CorrectedHours

__all__ = ["Silence"]


class Silence:
    """For how long there may be no price before a connection is suspect."""

    def __init__(self, hours: CorrectedHours, usual_sec: float, thin_sec: float) -> None:
        self._hours = hours
        self._thin_sec = thin_sec
        self.usual_sec = usual_sec
        self.in_a_row = 0
        """How many connections in a row ended for silence without a single tick."""

    def patience(self, now: float) -> float:
        """The usual silence, or a longer one before and after regular hours."""
        if self.usual_sec >= self._thin_sec:
            return self.usual_sec
        # A silence from before regular hours is not held against their beginning.
        phases = (
            self._hours.session(now).phase,
            self._hours.by_calendar(now - self.usual_sec).phase,
        )
        return self._thin_sec if "pre" in phases or "after" in phases else self.usual_sec

    def limit(self, now: float, *, has_ticked: bool) -> float:
        """How long there may be no price before the connection is given up.

        Twice as long after each connection that had none: if it did not help, the next hardly does.
        """
        patience = self.patience(now)
        doublings = 0 if has_ticked else min(self.in_a_row, 30)
        return min(patience * 2.0**doublings, max(patience, self._thin_sec))
