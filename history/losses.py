"""Losses: what readers of an archive leave out because it is damaged."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["LeftOut", "Losses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was left out: it cannot be read, or is not what was written."""

    seconds: int = 0
    """Seconds that lack bars. At most these: a page that cannot be read does not say how many it
    had."""
    first: int | None = None
    last: int | None = None
    """The first and the last of these seconds."""
    events: int = 0
    """States of events, as far as they can be counted."""
    minutes: int = 0
    """Minutes that lack the sizes of their moves, at most."""
    deliveries: int = 0
    """Deliveries, as far as they can be counted."""
    others: int = 0
    """Rows of symbols, of what the detector remembered, of what is muted, and of what is said of
    the source."""

    def __bool__(self) -> bool:
        counts = self.seconds, self.events, self.minutes, self.deliveries, self.others
        return any(counts)


class Losses:
    """Counts what is left out while an archive is read; belongs to one thread."""

    def __init__(self) -> None:
        self.left_out = LeftOut()
        """All that was left out so far."""

    def add_seconds(self, first: int, last: int, count: int) -> None:
        """Count some seconds from ``first`` to ``last``."""
        before = self.left_out
        self.left_out = replace(
            before,
            seconds=before.seconds + count,
            first=first if before.first is None else min(before.first, first),
            last=last if before.last is None else max(before.last, last),
        )

    def add(
        self, *, events: int = 0, minutes: int = 0, deliveries: int = 0, others: int = 0
    ) -> None:
        """Count what has no second of its own."""
        before = self.left_out
        self.left_out = replace(
            before,
            events=before.events + events,
            minutes=before.minutes + minutes,
            deliveries=before.deliveries + deliveries,
            others=before.others + others,
        )
