"""Damage: how what is sound of a damaged archive is read past what is not."""

from __future__ import annotations

import sqlite3
from typing import Any

from history.schema import is_damage

__all__ = ["both_ways", "raise_if_not_damage"]


def both_ways(
    connection: sqlite3.Connection, query: str, values: dict[str, float] | None = None
) -> tuple[list[Any], bool]:
    """The rows of a query that ends with its order, and whether these are all.

    If it cannot be read to its end, it is read from the end as well, as far as that goes.
    """
    rows: dict[tuple[Any, ...], None] = {}
    for order in ("", " DESC"):
        try:
            for row in connection.execute(f"{query}{order}", values or {}):
                rows[row] = None
        except sqlite3.Error as error:
            raise_if_not_damage(error)
        else:
            return list(rows), True
    return list(rows), False


def raise_if_not_damage(error: sqlite3.Error) -> None:
    """Raise an error of SQLite's again, unless the fault lies in the file."""
    # A table, an index or a column that the file lacks, though its format has it.
    name = getattr(error, "sqlite_errorname", "")
    is_gone = name == "SQLITE_ERROR" and str(error).startswith("no such ")
    if not (is_gone or is_damage(error)):
        raise error
