"""Tapes in words: what became of their rows, and when the next price of a replay is due.

Pure functions of the records of a ``SourceStatus``.
"""

from __future__ import annotations

import math

from engine.status import RefusedRow, SourceStatus, TapeRows
from wording import duration_text

__all__ = ["due_text", "left_out_text", "row_text", "sorted_text"]


def left_out_text(tape: TapeRows, file: str) -> str:
    """How many rows were left out, and which; empty if none was."""
    if not tape.refused:
        return ""
    were = "was" if tape.refused == 1 else "were"
    more = tape.refused - len(tape.examples)
    rows = [*map(row_text, tape.examples), *([f"{more:,} more"] if more else [])]
    return (
        f"{tape.refused:,} of the {tape.count:,} rows of {file} {were} left out: {_listed(rows)}."
        " To help: correct them, and start again."
    )


def row_text(row: RefusedRow) -> str:
    """Which row, and why it was left out: ``row 6 (a number is expected, price is 'abc')``."""
    found = f", {row.column} is {row.found!r}" if row.found else ""
    return f"row {row.number:,} ({row.fault}{found})"


def sorted_text(tape: TapeRows, file: str) -> str:
    """How many rows were out of order; empty if none was."""
    if not tape.sorted:
        return ""
    was = "row was" if tape.sorted == 1 else "rows were"
    return f"{tape.sorted:,} {was} out of order in {file}; all are played by their times."


def due_text(source: SourceStatus, now: float) -> str:
    """How long it takes to the next price at this speed; empty if none is awaited, or no time."""
    speed = source.speed or 1.0
    if source.next_price_at is None or math.isinf(speed):
        return ""
    return f"Due in {duration_text(math.ceil((source.next_price_at - now) / speed))}."


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
