"""What came of the cases of one attack."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

MOST_TOLD: Final = 10
"""So many failures are told in words; all are counted."""


@dataclass(slots=True)
class Tally:
    """How often an attack came to what end, and what must not have happened."""

    name: str
    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: str, times: int = 1) -> None:
        """Count cases that ended as they may."""
        self.outcomes[outcome] += times

    def fail(self, what: str) -> None:
        """Count a case that ended as it must not."""
        self.failed += 1
        if len(self.failures) < MOST_TOLD:
            self.failures.append(what)

    @property
    def cases(self) -> int:
        """How many were tried."""
        return self.outcomes.total() + self.failed

    def __str__(self) -> str:
        ends = ", ".join(f"{times:,} {what}" for what, times in sorted(self.outcomes.items()))
        lines = [f"{self.name}: {self.cases:,} cases, {self.failed:,} failed ({ends})"]
        return "\n".join([*lines, *(f"    {failure}" for failure in self.failures)])
