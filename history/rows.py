"""Rows: what is sound in the tables of an archive, past what is damaged.

A row is sound if it can be read and has the checksum that it was written with. Whatever else is
found is left out, and counted; only a file that cannot be read at all is an error.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from bars import Begin
from history.damage import both_ways, raise_if_not_damage
from history.event_rows import EventRows
from history.losses import Losses
from history.schema import (
    CHECKED_FROM,
    MINUTES_FROM,
    OLDEST_READ,
    PACKED,
    PACKED_MINUTE,
    TIMES_END,
    UNCHECKED,
    WINDOWS_FROM,
    checksum,
)
from ticks import ASSETS

__all__ = [
    "BARS",
    "MINUTES",
    "NumberedTable",
    "Rows",
    "SymbolRow",
    "begin_content",
    "symbol_content",
]

_PART: Final = 30
"""If a piece cannot be read as a whole, it is read in parts of so many numbers, and those of a part
that cannot be read one by one."""

_BLIND: Final = 100
"""After so many pieces in a row of which nothing can be read, steps become longer and longer."""


class NumberedTable(NamedTuple):
    """A table whose rows are packed cells under a number."""

    name: str
    number: str
    """The column of the number."""
    piece: int
    """How many numbers are read at once."""
    seconds: int
    """How many seconds a number stands for."""
    itemsize: int
    """The bytes of a cell."""


BARS: Final = NumberedTable("bar", "second", 900, 1, PACKED.itemsize)
MINUTES: Final = NumberedTable("minute", "minute", 720, 60, PACKED_MINUTE.itemsize)


class SymbolRow(NamedTuple):
    """A symbol: its number within the bars, its name, its class and its newest price, if known."""

    id: int
    name: str
    asset: str
    first: int | None
    last: float | None
    last_ts: float | None


class Rows:
    """The sound rows of an archive over an open ``connection``; ``version`` is the file's format.

    What is left out is added to ``losses``.
    """

    def __init__(self, connection: sqlite3.Connection, version: int, losses: Losses) -> None:
        self._connection = connection
        self._version = version
        self._losses = losses
        self._sum = "checksum" if version >= CHECKED_FROM else "NULL"
        self._has_copy = version >= CHECKED_FROM
        self._unchecked_until = math.inf
        if version >= CHECKED_FROM:
            try:
                until = self._meta(UNCHECKED)
                self._unchecked_until = -1.0 if until is None else float(until)
            except (sqlite3.Error, ValueError):
                pass  # damaged: what lacks a checksum is believed
        self._known: list[SymbolRow] | None = None
        self.events = EventRows(connection, losses, self._sum, self._is_sound)
        """The states of events."""

    # Bars and minutes.

    def numbered(
        self, table: NumberedTable, begin: int, end: int
    ) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
        """The rows of a table from ``begin`` to ``end`` (excluded), in pieces and in order.

        With each its first number. No piece is empty.
        """
        begin, end = max(begin, 0), min(end, TIMES_END // table.seconds)
        step, blind = table.piece, 0
        while begin < end:
            try:
                begin = self._next(table, begin, end)
            except sqlite3.Error as error:
                raise_if_not_damage(error)
                begin, end = self._within_known(table, begin, end)
            if begin >= end:
                return
            upto = min(begin + step, end)
            if blind <= _BLIND:
                found = self._piece(table, begin, upto)
            else:
                # Most of the table is gone, and this may go on for years.
                step *= 2
                found = []
                self._count(table, begin, upto - 1, upto - begin)
            if found:
                step, blind = table.piece, 0
                yield begin, found
            else:
                blind += 1
            begin = upto

    def last_numbered(self, table: NumberedTable, before: int) -> Iterator[list[tuple[int, bytes]]]:
        """The rows of a table before a number, in order, in pieces of which the newest come first.

        No piece is empty.
        """
        if table is MINUTES and self._version < MINUTES_FROM:
            return
        end, blind = min(before, TIMES_END // table.seconds), 0
        step = table.piece
        while end > 0:
            try:
                (newest,) = self._connection.execute(
                    f"SELECT max({table.number}) FROM {table.name} WHERE {table.number} < ?"
                    f" AND {table.number} >= 0",
                    (end,),
                ).fetchone()
                if newest is None:
                    return
                end = min(end, newest + 1)
            except sqlite3.Error as error:
                raise_if_not_damage(error)
                _, end = self._within_known(table, 0, end)
            begin = max(0, end - step)
            if blind <= _BLIND:
                found = self._piece(table, begin, end)
            else:
                step *= 2
                found = []
                self._count(table, begin, end - 1, end - begin)
            if found:
                step, blind = table.piece, 0
                yield found
            else:
                blind += 1
            end = begin

    def edge(self, *, is_last: bool) -> int | None:
        """The first or the last second of which there is a sound row; None if there is none."""
        if is_last:
            for rows in self.last_numbered(BARS, TIMES_END):
                return rows[-1][0]
            return None
        for _, rows in self.numbered(BARS, 0, TIMES_END):
            return rows[0][0]
        return None

    def check_numbers(self) -> None:
        """Count the rows that no span reaches, because their time is none."""
        for name, column, end in (
            ("bar", "second", TIMES_END),
            ("event", "began", TIMES_END),
            *([("minute", "minute", TIMES_END // 60)] if self._version >= MINUTES_FROM else []),
        ):
            for bound in ("< 0", f">= {end}"):
                query = f"SELECT count(*) FROM {name} WHERE {column} {bound}"
                try:
                    (count,) = self._connection.execute(query).fetchone()
                except sqlite3.Error as error:
                    raise_if_not_damage(error)
                    count = 1
                if count:
                    self._losses.add(others=count)

    def _next(self, table: NumberedTable, begin: int, end: int) -> int:
        """The first number from ``begin`` on, ``end`` if there is none before that."""
        (found,) = self._connection.execute(
            f"SELECT min({table.number}) FROM {table.name} WHERE {table.number} >= ?",
            (begin,),
        ).fetchone()
        # A damaged file may answer with less.
        return end if found is None else min(max(begin, found), end)

    def _piece(self, table: NumberedTable, begin: int, end: int) -> list[tuple[int, bytes]]:
        """The sound rows from ``begin`` to ``end``, as many as can be read."""
        found = self._read(table, begin, end)
        if found is not None:
            return found
        begin, end = self._within_known(table, begin, end)
        sound: list[tuple[int, bytes]] = []
        lost: list[int] = []
        for first in range(begin, end, _PART):
            part = self._read(table, first, min(first + _PART, end))
            if part is not None:
                sound += part
                continue
            for number in range(first, min(first + _PART, end)):
                one = self._read(table, number, number + 1)
                if one is None:
                    lost.append(number)
                else:
                    sound += one
        if lost:
            self._count(table, lost[0], lost[-1], len(lost))
        return sound

    def _read(self, table: NumberedTable, begin: int, end: int) -> list[tuple[int, bytes]] | None:
        """The rows from ``begin`` to ``end``, None if one of them is not sound."""
        try:
            rows = self._connection.execute(
                f"SELECT {table.number}, cells, {self._sum} FROM {table.name}"
                f" WHERE {table.number} >= ? AND {table.number} < ?"
                f" ORDER BY {table.number} LIMIT ?",  # a damaged file may go round in circles
                (begin, end, end - begin),
            ).fetchall()
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            return None
        before = begin - 1
        for number, cells, written in rows:
            if not isinstance(cells, bytes) or len(cells) % table.itemsize:
                return None
            if not before < number < end:
                return None
            if not self._is_sound(written, number, cells, number * table.seconds):
                return None
            before = number
        return [(number, cells) for number, cells, _ in rows]

    def _within_known(self, table: NumberedTable, begin: int, end: int) -> tuple[int, int]:
        """The part of a span in which the symbols say that there may be rows."""
        if self._known is None:
            self._known = self.symbols()
        known, scale = self._known, table.seconds
        firsts = [row.first for row in known if row.first is not None]
        lasts = [row.last_ts for row in known if row.last_ts is not None]
        # Minutes outlive the bars that they were made of, but their symbols' first bar does not
        # change.
        if firsts:
            begin = max(begin, min(firsts) // scale - (1 if scale > 1 else 0))
        if lasts and len(firsts) == len(lasts):
            end = min(end, int(max(lasts)) // scale + 1)
        return begin, end

    def _count(self, table: NumberedTable, first: int, last: int, count: int) -> None:
        if table is BARS:
            self._losses.add_seconds(first, last, count)
        else:
            self._losses.add(minutes=count)

    # What names the bars.

    def symbols(self) -> list[SymbolRow]:
        """Every symbol that is known, in the order of their numbers."""
        found = {}
        rows, is_whole = both_ways(
            self._connection,
            f"SELECT id, name, asset, first, last, last_ts, {self._sum} FROM symbol ORDER BY id",
        )
        lost = 0
        for *fields, written in rows:
            row = SymbolRow(*fields)
            if _is_symbol(row) and self._is_sound(written, row.id, symbol_content(row)):
                found[row.id] = row
            else:
                lost += 1
        is_gap = len(found) <= max(found, default=-1)
        if (not is_whole or lost or is_gap) and self._has_copy:
            copied, _ = both_ways(
                self._connection, "SELECT id, name, asset, checksum FROM symbol_copy ORDER BY id"
            )
            for number, name, asset, written in copied:
                row = SymbolRow(number, name, asset, None, None, None)
                if number not in found and _is_symbol(row):
                    content = symbol_content(row)
                    if self._is_sound(written, number, content):
                        found[number] = row
        if not is_whole or lost or is_gap:
            self._losses.add(others=max(1, lost))
        return [found[number] for number in sorted(found)]

    def begins(self) -> list[Begin]:
        """Where each symbol's windows begin and whose prices they hold, in order of their seconds.

        A file of before this was known has EODHD's prices, if it has a vendor's.
        """
        if self._version < WINDOWS_FROM:
            if self.meta("source") != "eodhd":
                return []
            return [Begin(symbol.name, 0, "EODHD") for symbol in self.symbols()]
        rows, is_whole = both_ways(
            self._connection,
            "SELECT symbol, second, vendor, checksum FROM price_window ORDER BY symbol, second",
        )
        found, lost = [], 0 if is_whole else 1
        for *fields, written in rows:
            begin = Begin(*fields)
            is_begin = (
                isinstance(begin.symbol, str)
                and isinstance(begin.second, int)
                and isinstance(begin.vendor, str)
            )
            # That of no second may have been written by the file's own migration.
            is_own = written is None and begin.second == 0
            if is_begin and (is_own or written == checksum(*begin_content(begin))):
                found.append(begin)
            else:
                lost += 1
        if lost:
            self._losses.add(others=lost)
        return sorted(found, key=lambda begin: begin.second)

    # What else is text.

    def tracks(self) -> list[str]:
        """What the detector remembered of each symbol."""
        found: list[str] = []
        if self._version < OLDEST_READ:
            return found
        rows, is_whole = both_ways(
            self._connection, f"SELECT symbol, state, {self._sum} FROM track ORDER BY symbol"
        )
        for symbol, state, written in rows:
            if isinstance(state, str) and self._is_sound(written, symbol, state.encode()):
                found.append(state)
        if not is_whole or len(found) < len(rows):
            self._losses.add(others=max(1, len(rows) - len(found)))
        return found

    def meta(self, name: str) -> str | None:
        """The value written under a name; None if there is none."""
        try:
            return self._meta(name)
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            self._losses.add(others=1)
            return None

    def all_meta(self) -> dict[str, str]:
        """Every value by its name."""
        rows, is_whole = both_ways(
            self._connection, f"SELECT name, value, {self._sum} FROM meta ORDER BY name"
        )
        found = {
            name: value
            for name, value, written in rows
            if isinstance(name, str)
            and isinstance(value, str)
            and self._is_sound(written, name, value.encode())
        }
        if not is_whole or len(found) < len(rows):
            self._losses.add(others=max(1, len(rows) - len(found)))
        return found

    def _meta(self, name: str) -> str | None:
        found = self._connection.execute(
            f"SELECT value, {self._sum} FROM meta WHERE name = ?",
            (name,),
        ).fetchone()
        if found is None:
            return None
        value, written = found
        if not isinstance(value, str) or not self._is_sound(written, name, value.encode()):
            self._losses.add(others=1)
            return None
        return value

    def _is_sound(self, written: object, key: object, content: bytes, second: float = 0.0) -> bool:
        """Whether a row is what was written; one of ``second`` may have no checksum."""
        if written is None:
            return second <= self._unchecked_until
        return written == checksum(key, content)


def begin_content(begin: Begin) -> tuple[tuple[str, int], bytes]:
    """The key and the content of which the checksum of a window's begin is."""
    return (begin.symbol, begin.second), begin.vendor.encode()


def symbol_content(row: SymbolRow) -> bytes:
    """What the checksum of a symbol's row is of, beside its number."""
    return repr(row[1:]).encode()


def _is_symbol(row: SymbolRow) -> bool:
    return (
        isinstance(row.id, int)
        and 0 <= row.id < 2**16
        and isinstance(row.name, str)
        and row.asset in ASSETS
        and (row.first is None or isinstance(row.first, int))
        and (row.last is None or isinstance(row.last, float))
        and (row.last_ts is None or isinstance(row.last_ts, float))
    )
