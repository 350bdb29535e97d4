"""The table that the benchmarks print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One figure, and the promise it is held against, if there is one."""

    what: str
    figure: str
    promise: str = ""
    kept: bool | None = None


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows under their title, in columns."""
    width = max(len(row.what) for row in rows)
    lines = [title]
    for row in rows:
        verdict = "" if row.kept is None else f"   promise {row.promise}: "
        kept = "" if row.kept is None else ("kept" if row.kept else "MISSED")
        lines.append(f"  {row.what:<{width}}  {row.figure:>18}{verdict}{kept}")
    return "\n".join(lines) + "\n"
