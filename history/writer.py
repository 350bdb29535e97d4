"""Writer: what writes into an archive, over the connection of its one writer.

Whoever calls these holds the archive's lock, and begins and commits the transactions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bars import Bars
from events import Event, Track
from history.archive import newest_prices
from history.schema import (
    APPLICATION_ID,
    BUSY_SEC,
    MIGRATIONS,
    PACKED,
    ArchiveError,
    archive_errors,
    check_version,
    encode_event,
)

__all__ = [
    "connect",
    "delete_bars",
    "delete_events",
    "release_pages",
    "write_bars",
    "write_events",
    "write_meta",
    "write_tracks",
]


def connect(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Open the archive at ``path`` for writing, after making it or bringing it up to date.

    Raises:
        ArchiveError: if that fails.
    """
    with archive_errors(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_SEC, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        check_version(connection, path, newest=len(migrations), may_be_old=True)
    else:
        # Before there is anything in it: later it would take a rewrite of the whole file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(migrations[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
        )


def write_bars(connection: sqlite3.Connection, bars: Bars) -> None:
    """Write bars, each replacing an earlier state of the same."""
    if not len(bars):
        return
    cells = bars.cells
    known = {
        name: (asset, first)
        for name, asset, first in connection.execute("SELECT name, asset, first FROM symbol")
    }
    rows, at = np.unique(cells["row"], return_index=True)
    for row, first in zip(rows.tolist(), cells["second"][at].tolist(), strict=True):
        name, asset = bars.symbols[row], bars.assets[row]
        if name not in known:
            connection.execute(
                "INSERT INTO symbol(id, name, asset, first)"
                " VALUES ((SELECT count(*) FROM symbol), ?, ?, ?)",
                (name, asset, first),
            )
        elif known[name][0] != asset or known[name][1] > first:
            # The watchlist had it in another class, which was a mistake or is one now.
            connection.execute(
                "UPDATE symbol SET asset = ?, first = min(first, ?) WHERE name = ?",
                (asset, first, name),
            )
    ids = dict(connection.execute("SELECT name, id FROM symbol"))
    packed = np.empty(len(cells), PACKED)
    packed["id"] = np.array([ids.get(symbol, 0) for symbol in bars.symbols])[cells["row"]]
    for name in ("ms", "n", "price", "sum"):
        packed[name] = cells[name]
    seconds, starts = np.unique(cells["second"], return_index=True)
    for second, part in zip(seconds.tolist(), np.split(packed, starts[1:]), strict=True):
        before = connection.execute("SELECT cells FROM bar WHERE second = ?", (second,)).fetchone()
        whole = part if before is None else _merged(before[0], part)
        connection.execute(
            "INSERT OR REPLACE INTO bar(second, cells) VALUES (?, ?)", (second, whole.tobytes())
        )
    connection.executemany(
        "UPDATE symbol SET last = ?1, last_ts = ?2 WHERE name = ?3 AND coalesce(last_ts, 0) <= ?2",
        [(tick.price, tick.ts, tick.symbol) for tick in newest_prices(bars)],
    )


def _merged(packed: object, now: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A second's bars now, and those of symbols that had one before and are no longer watched."""
    if not isinstance(packed, bytes) or len(packed) % PACKED.itemsize:
        raise ArchiveError("archived bars cannot be read: the file is damaged", is_damaged=True)
    before = np.frombuffer(packed, PACKED)
    return np.concatenate((before[~np.isin(before["id"], now["id"])], now))


def write_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write states of events, beside the earlier ones of the same event."""
    connection.executemany(
        "INSERT OR REPLACE INTO event(id, updated, began, state) VALUES (?, ?, ?, ?)",
        [(e.id, e.updated_ts, e.ts, encode_event(e)) for e in events],
    )


def write_tracks(connection: sqlite3.Connection, tracks: Iterable[Track]) -> None:
    """Write what the detector remembers, replacing what it remembered before."""
    connection.executemany(
        "INSERT OR REPLACE INTO track(symbol, kind, active, seen, counted, event)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                track.event.symbol,
                track.event.kind,
                track.active,
                track.seen_ts,
                track.counted_ts,
                encode_event(track.event),
            )
            for track in tracks
        ],
    )


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Write a value under a name."""
    connection.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", (name, value))


def delete_bars(connection: sqlite3.Connection, before: int, limit: int) -> int:
    """Delete the bars of the ``limit`` oldest seconds before one; returns how many seconds."""
    return connection.execute(
        "DELETE FROM bar WHERE second IN"
        " (SELECT second FROM bar WHERE second < ? ORDER BY second LIMIT ?)",
        (before, limit),
    ).rowcount


def delete_events(connection: sqlite3.Connection, before: float) -> int:
    """Delete the events last updated before an instant; returns how many states."""
    return connection.execute(
        "DELETE FROM event WHERE began < ?1"
        " AND id NOT IN (SELECT id FROM event WHERE began < ?1 AND updated >= ?1)",
        (before,),
    ).rowcount


def release_pages(connection: sqlite3.Connection, pages: int) -> bool:
    """Return free pages of the file to the system; returns whether there are more."""

    def free() -> int:
        found: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return found

    before = free()
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    # A file that another program has rewritten may keep its pages for ever.
    return 0 < free() < before
