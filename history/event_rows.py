"""EventRows: the sound states of events in an archive, past those that are damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from history.damage import both_ways, raise_if_not_damage
from history.losses import Losses
from history.schema import TIMES_END

__all__ = ["EventRow", "EventRows", "event_key"]


class EventRow(NamedTuple):
    """A state of an event, as it lies in the file."""

    began: float
    id: str
    updated: float
    state: str


class _IsSound(Protocol):
    """Whether a row is what was written, by the checksum that was."""

    def __call__(self, written: object, key: object, content: bytes) -> bool: ...


class EventRows:
    """The sound states of events over an open ``connection``.

    ``checksum`` is the column that ``is_sound`` looks at. What is left out is added to ``losses``.
    """

    def __init__(
        self, connection: sqlite3.Connection, losses: Losses, checksum: str, is_sound: _IsSound
    ) -> None:
        self._connection = connection
        self._losses = losses
        self._sum = checksum
        self._is_sound = is_sound

    def begun(
        self, begin: float, end: float, after: tuple[float, str] | None = None
    ) -> Iterator[EventRow]:
        """The states of the events that began from ``begin`` to ``end`` (excluded).

        By their begin, event by event, in the order in which they came; only of those ``after`` a
        begin and an id, in this order.
        """
        place = after or (-1.0, "")
        last: tuple[float, str, float] | None = None
        try:
            for row in self._connection.execute(
                f"SELECT began, id, updated, state, {self._sum} FROM event"
                " WHERE began >= ? AND began < ? AND (began, id) > (?, ?)"
                " ORDER BY began, id, updated",
                (max(begin, place[0]), end, *place),
            ):
                found = self._row(row)
                if found is not None:
                    last = found[:3]
                    yield found
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            for found in self._scattered(begin, end):
                if found[:2] > place and (last is None or found[:3] > last):
                    yield found

    def updated(
        self, begin: float, end: float, after: tuple[float, str] | None = None
    ) -> Iterator[EventRow]:
        """The states of events that came from ``begin`` to ``end`` (excluded), in this order.

        Only those ``after`` an instant and an id; of one instant they are in the order of the ids.
        """
        place = after or (-1.0, "")
        last = place
        try:
            for row in self._connection.execute(
                f"SELECT began, id, updated, state, {self._sum} FROM event"
                " WHERE updated >= ? AND updated < ? AND (updated, id) > (?, ?)"
                " ORDER BY updated, id",
                (max(begin, place[0]), end, *place),
            ):
                found = self._row(row)
                if found is not None:
                    last = found.updated, found.id
                    yield found
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            every = self._scattered(0.0, TIMES_END)
            for found in sorted(every, key=lambda row: (row.updated, row.id)):
                if begin <= found.updated < end and (found.updated, found.id) > last:
                    yield found

    def edges(self) -> tuple[float, float] | None:
        """When the first and the last event began, None if there is none."""
        try:
            first, last = self._connection.execute(
                "SELECT (SELECT min(began) FROM event), (SELECT max(began) FROM event)"
            ).fetchone()
        except sqlite3.Error as error:
            raise_if_not_damage(error)
        else:
            if first is None:
                return None
            is_span = isinstance(first, float) and isinstance(last, float)
            if is_span and 0.0 <= first <= last < TIMES_END:
                return first, last
        began = [row.began for row in self.begun(0.0, TIMES_END)]
        return (began[0], began[-1]) if began else None

    def newest(self, limit: int, before: float, since: float) -> list[EventRow]:
        """The ``limit`` newest events that began before an instant, as they were before it.

        Each in the state it had at ``since`` and in those that followed, in the order in which
        they came.
        """
        try:
            rows = self._connection.execute(
                f"""
                WITH newest AS (
                    SELECT DISTINCT id, began FROM event
                    WHERE began < :before ORDER BY began DESC, id LIMIT :limit
                )
                SELECT event.began, event.id, event.updated, event.state, {self._sum}
                FROM newest JOIN event ON event.id = newest.id
                WHERE event.updated < :before AND event.updated >= coalesce((
                    SELECT max(updated) FROM event AS other
                    WHERE other.id = newest.id
                    AND other.updated <= :since AND other.updated < :before
                ), 0)
                ORDER BY event.updated, event.began, event.id
                """,
                {"limit": limit, "before": before, "since": since},
            ).fetchall()
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            return _newest(self._scattered(0.0, before), limit, before, since)
        return [found for row in rows if (found := self._row(row)) is not None]

    def _row(self, row: Sequence[Any]) -> EventRow | None:
        began, name, updated, state, written = row
        is_typed = (
            isinstance(began, float)
            and isinstance(updated, float)
            and isinstance(name, str)
            and isinstance(state, str)
            and 0.0 <= began < TIMES_END
        )
        if is_typed:
            found = EventRow(began, name, updated, state)
            if self._is_sound(written, event_key(found), state.encode()):
                return found
        self._losses.add(events=1)
        return None

    def _scattered(self, begin: float, end: float) -> list[EventRow]:
        """The same as ``begun``, from wherever in the file a state can still be found.

        Each lies in the table, and its key in an index besides.
        """
        where = "WHERE began >= :begin AND began < :end ORDER BY"
        span = {"begin": begin, "end": end}
        keys, _ = both_ways(
            self._connection,
            f"SELECT id, updated, began FROM event INDEXED BY event_began {where} began",
            span,
        )
        columns = f"began, id, updated, state, {self._sum}"
        rows, is_whole = both_ways(
            self._connection,
            f"SELECT {columns} FROM event NOT INDEXED {where} id",
            span,
        )
        by_key = {(row[1], row[2]): row for row in rows}
        lost = 0 if is_whole else 1
        for name, updated, _ in keys:
            if (name, updated) in by_key:
                continue
            try:
                row = self._connection.execute(
                    f"SELECT {columns} FROM event NOT INDEXED WHERE id = ? AND updated = ?",
                    (name, updated),
                ).fetchone()
            except sqlite3.Error as error:
                raise_if_not_damage(error)
                row = None
            if row is not None:
                by_key[name, updated] = row
        missing = sum((name, updated) not in by_key for name, updated, _ in keys)
        if missing or lost:
            self._losses.add(events=max(missing, lost))
        return sorted(found for row in by_key.values() if (found := self._row(row)) is not None)


def event_key(row: EventRow) -> tuple[str, float, float]:
    """What the checksum of an event's row is of, beside its state."""
    return row.id, row.updated, row.began


def _newest(rows: Sequence[EventRow], limit: int, before: float, since: float) -> list[EventRow]:
    """As ``EventRows.newest`` says, out of all states."""
    newest = sorted({(-row.began, row.id) for row in rows})[:limit]
    wanted = {name for _, name in newest}
    known = [row for row in rows if row.id in wanted and row.updated < before]
    at: dict[str, float] = {}
    for row in known:
        if row.updated <= since:
            at[row.id] = max(row.updated, at.get(row.id, 0.0))
    found = [row for row in known if row.updated >= at.get(row.id, 0.0)]
    return sorted(found, key=lambda row: (row.updated, row.began, row.id))
