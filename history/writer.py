"""Writer: what writes into an archive, over the connection of its one writer.

The functions take that connection, and whoever calls them begins and commits the transactions.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from bars import Bars, Begin, Minutes
from events import Event, Remembered
from history.archive import Archive, newest_prices
from history.backlog import Batch
from history.event_rows import EventRow, event_key
from history.losses import Losses
from history.outgoing import (
    delete_deliveries,
    delete_mutes,
    write_deliveries,
    write_mutes,
    write_new_deliveries,
)
from history.rows import (
    BARS,
    MINUTES,
    NumberedTable,
    Rows,
    SymbolRow,
    begin_content,
    symbol_content,
)
from history.schema import (
    APPLICATION_ID,
    BUSY_SEC,
    MIGRATIONS,
    PACKED,
    PACKED_MINUTE,
    TIMES_END,
    WRITING,
    ArchiveError,
    archive_errors,
    check_version,
    checksum,
    damaged,
    encode_event,
    encode_track,
    is_damage,
)

__all__ = [
    "Writer",
    "connect",
    "delete_bars",
    "delete_begins",
    "delete_events",
    "delete_minutes",
    "release_pages",
    "write_bars",
    "write_begins",
    "write_events",
    "write_meta",
    "write_minutes",
    "write_symbols",
    "write_tracks",
]

# One step of tidying, short enough that what comes meanwhile is written in time.
_STEP_BARS: Final = 600
_STEP_PAGES: Final = 500

_STEP_INSTRUCTIONS: Final = 100_000
"""How many instructions of SQLite a check does before it asks whether to go on."""

_DAY_REACH_SEC: Final = 10 * 86_400
"""How much longer minutes are kept than bars: the day of a market that trades six hours a day
reaches back over a week with a holiday."""


class Writer:
    """The one writer of the archive at ``path``: its lock, its connection, and what it does there.

    ``open`` comes first, and after ``close`` again. Unless it says otherwise, a method raises
    ``ArchiveError`` if the file, or what lies in it, does not allow what is asked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock")
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None  # which file that is: device and number
        self.is_unclean = False
        """Whether whoever wrote the file before this one ended without closing it."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def acquire(self) -> bool:
        """Make the file's folder and acquire its lock; returns False if another process has it.

        Raises:
            OSError: if the folder cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not Path(self._lock.lock_file).exists():
            self._lock.release(force=True)  # it was deleted with its folder: nobody else sees it
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Release the lock, however often it was acquired."""
        self._lock.release(force=True)

    def open(self) -> None:
        """Connect to the file, which is made or brought up to date first."""
        connection = connect(self.path)
        try:
            with archive_errors(self.path):
                losses = Losses()
                rows = Rows(connection, len(MIGRATIONS), losses)
                if self._opened is None or self._opened != self._file_at_path():
                    found = rows.meta(WRITING)
                    # What says so may be damaged itself.
                    self.is_unclean = found is not None or bool(losses.left_out)
                write_meta(connection, WRITING, "yes")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._opened = self._file_at_path()

    def close(self, *, is_sound: bool = False) -> None:
        """Close the connection, if there is one; raises nothing.

        If the file ``is_sound``, that is written down: the next to open it need not check it.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                if is_sound and self._file_at_path() == self._opened:
                    connection.execute("DELETE FROM meta WHERE name = ?", (WRITING,))
                connection.close()

    def check_place(self) -> None:
        """Check that the file is still at its path: what goes into another, nobody finds."""
        if self._file_at_path() != self._opened:
            raise ArchiveError(
                f"{self.path}: it was moved or deleted while it was written: a new one is begun"
            )

    def check_content(self, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Check that neither the file nor what lies in it is damaged.

        Returns False if ``is_cancelled`` said so meanwhile, and nothing was found until then.
        """
        with self._in_place() as connection:
            connection.set_progress_handler(is_cancelled, _STEP_INSTRUCTIONS)
            try:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_INTERRUPT":
                    raise
                return False
            finally:
                connection.set_progress_handler(None, 0)
            if found != "ok":
                raise ArchiveError(f"{self.path}: the file is damaged", is_damaged=True)
            # What is sound to SQLite need not be what was written.
            losses = Losses()
            is_whole = Archive(self.path).check(losses, is_cancelled)
            if losses.left_out:
                raise damaged(self.path)
        return is_whole

    def write(self, batch: Batch) -> None:
        """Write a batch: all of it or nothing.

        If there are deliveries in it, it is on the disk itself when this returns.
        """
        with self._in_place() as connection, _synced(connection, is_wanted=batch.has_deliveries):
            connection.execute("BEGIN IMMEDIATE")
            try:
                for bars in batch.bar_blocks():
                    write_bars(connection, bars)
                for minutes in batch.minutes:
                    write_minutes(connection, minutes)
                write_begins(connection, batch.begins)
                write_events(connection, batch.events)
                write_new_deliveries(connection, batch.new_deliveries.values())
                write_deliveries(connection, batch.deliveries.values())
                write_mutes(connection, batch.mutes.values())
                write_tracks(connection, batch.tracks.values())
                for name, value in batch.meta.items():
                    write_meta(connection, name, value)
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back by itself already.
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def tidy(self, bars_sec: float, events_sec: float, latest: float) -> bool:
        """Delete some of what is too old and release its room; returns whether there is more to do.

        Ages are counted from the newest bar, or from ``latest`` if that is earlier.
        """
        with self._in_place() as connection:
            # Not by the clock: one that is wrong by years would delete everything. So would a
            # damaged second.
            losses = Losses()
            rows = Rows(connection, len(MIGRATIONS), losses)
            rows.check_numbers()
            found = rows.edge(is_last=True)
            if losses.left_out:
                raise damaged(self.path)
            if found is not None:
                newest = min(found, latest)
                if delete_bars(connection, int(newest - bars_sec), _STEP_BARS):
                    return True
                delete_minutes(connection, int(newest - bars_sec - _DAY_REACH_SEC) // 60)
                delete_begins(connection, int(newest - bars_sec))
                delete_events(connection, newest - events_sec)
                delete_deliveries(connection, newest)
                delete_mutes(connection, newest)
                if release_pages(connection, _STEP_PAGES):
                    return True
            # If readers hold the log, the next time does it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return False

    def set_aside(self, now: float, why: str = "damaged") -> str:
        """Rename the file, which must be closed; returns its new name, which says when and why.

        Raises:
            OSError: if it cannot be renamed.
        """
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        name, ending = f"{self.path.stem}.{why}-{stamp}", self.path.suffix
        aside = self.path.with_name(f"{name}{ending}")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{name}-{number}{ending}")
        # These hold what was not yet in the file itself, and must have its new name.
        for side_ending in ("-wal", "-shm"):
            side = self.path.with_name(self.path.name + side_ending)
            if side.exists():
                side.rename(aside.with_name(aside.name + side_ending))
        self.path.rename(aside)
        return aside.name

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[sqlite3.Connection]:
        """The connection, for work that counts only if the file was at its path all the while.

        If it was not, that is the error, whatever else went wrong.
        """
        if self._connection is None:
            raise ArchiveError(f"{self.path} is not open")
        self.check_place()
        try:
            with archive_errors(self.path):
                yield self._connection
        finally:
            self.check_place()

    def _file_at_path(self) -> tuple[int, int] | None:
        """Which file lies at the path now; None if there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


@contextlib.contextmanager
def _synced(connection: sqlite3.Connection, *, is_wanted: bool) -> Iterator[None]:
    """Have what is committed reach the disk at once, if ``is_wanted``: no power failure undoes it.

    Else the last commits before one may be undone.
    """
    (usual,) = connection.execute("PRAGMA synchronous").fetchone()
    if is_wanted:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        if is_wanted:
            # Within a transaction that cannot be undone it fails, and why is the error to tell.
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"PRAGMA synchronous = {usual}")


def connect(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Open the archive at ``path`` for writing, after making it or bringing it up to date.

    Raises:
        ArchiveError: if that fails.
    """
    with archive_errors(path):
        try:
            return _connect(path, migrations, has_shared_memory=True)
        except sqlite3.OperationalError as error:
            if is_damage(error) or error.sqlite_errorname.startswith(_NOT_OF_MEMORY):
                raise
            # A network drive has no memory that processes share, which the log needs.
            try:
                return _connect(path, migrations, has_shared_memory=False)
            except (sqlite3.Error, ArchiveError):
                raise error from None


_NOT_OF_MEMORY: Final = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "SQLITE_ERROR")
"""What has other reasons than a lack of shared memory."""


def _connect(
    path: Path, migrations: Sequence[str], *, has_shared_memory: bool
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SEC, isolation_level=None, check_same_thread=False
    )
    try:
        if not has_shared_memory:
            # Alone with the file, what is left in its log can be read without that memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("PRAGMA locking_mode = NORMAL").fetchall()
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            check_version(connection, path, newest=len(migrations), oldest=0)
        else:
            # While it is empty: later this would mean rewriting the whole file.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        journal = "delete"
        if has_shared_memory:
            # It answers with another one if it knows beforehand that there is none of that memory.
            (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(migrations[version:], version + 1):
            connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def write_bars(connection: sqlite3.Connection, bars: Bars) -> None:
    """Write bars, each replacing an earlier state of the same."""
    if not len(bars):
        return
    cells = bars.cells
    known = {row.name: row for row in _symbol_rows(connection)}
    changed: dict[str, SymbolRow] = {}
    rows, at = np.unique(cells["row"], return_index=True)
    for row, first in zip(rows.tolist(), cells["second"][at].tolist(), strict=True):
        name, asset = bars.symbols[row], bars.assets[row]
        found = known.get(name)
        if found is None:
            found = SymbolRow(len(known), name, asset, first, None, None)
            known[name] = changed[name] = found
        elif found.asset != asset or (found.first or 0) > first:
            # The watchlist listed it in another class before: one of the two is a mistake.
            found = found._replace(asset=asset, first=min(first, found.first or 0))
            known[name] = changed[name] = found
    _write_copies(connection, changed.values())
    for tick in newest_prices(bars):
        found = known[tick.symbol]
        if (found.last_ts or 0.0) <= tick.ts:
            changed[tick.symbol] = found._replace(last=tick.price, last_ts=tick.ts)
    _write_symbol_rows(connection, changed.values())
    ids = {name: row.id for name, row in known.items()}
    packed = np.empty(len(cells), PACKED)
    packed["id"] = np.array([ids.get(symbol, 0) for symbol in bars.symbols])[cells["row"]]
    for name in ("ms", "n", "price", "sum"):
        packed[name] = cells[name]
    _write_cells(connection, BARS, cells["second"], packed)


def write_symbols(connection: sqlite3.Connection, symbols: Iterable[SymbolRow]) -> None:
    """Write the symbols of another archive into one that has none; they are numbered anew."""
    rows = [
        # One of which nothing but its name is left will have a bar as its first.
        row._replace(id=number, first=TIMES_END if row.first is None else row.first)
        for number, row in enumerate(symbols)
    ]
    _write_symbol_rows(connection, rows)
    _write_copies(connection, rows)


def _write_symbol_rows(connection: sqlite3.Connection, symbols: Iterable[SymbolRow]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO symbol(id, name, asset, first, last, last_ts, checksum)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*row, checksum(row.id, symbol_content(row))) for row in symbols],
    )


def _symbol_rows(connection: sqlite3.Connection) -> list[SymbolRow]:
    """Every symbol; all must be sound, because what is written of them is.

    Raises:
        ArchiveError: if one is not.
    """
    losses = Losses()
    found = Rows(connection, len(MIGRATIONS), losses).symbols()
    if losses.left_out:
        raise ArchiveError("an archived symbol is damaged", is_damaged=True)
    return found


def _write_copies(connection: sqlite3.Connection, symbols: Iterable[SymbolRow]) -> None:
    """Write what names the bars a second time, onto another page of the file."""
    copies = [row._replace(first=None, last=None, last_ts=None) for row in symbols]
    connection.executemany(
        "INSERT OR REPLACE INTO symbol_copy(id, name, asset, checksum) VALUES (?, ?, ?, ?)",
        [(row.id, row.name, row.asset, checksum(row.id, symbol_content(row))) for row in copies],
    )


def write_minutes(connection: sqlite3.Connection, minutes: Minutes) -> None:
    """Write minutes, each replacing what was written of it before, of symbols that have a bar."""
    ids = dict(connection.execute("SELECT name, id FROM symbol"))
    id_of = np.array([ids.get(symbol, -1) for symbol in minutes.symbols], np.intp)
    cells = minutes.cells[id_of[minutes.cells["row"]] >= 0]
    packed = np.empty(len(cells), PACKED_MINUTE)
    packed["id"] = id_of[cells["row"]]
    for name in ("z", "ret_1m", "ret_5m"):
        packed[name] = cells[name]
    _write_cells(connection, MINUTES, cells["minute"], packed)


def write_begins(connection: sqlite3.Connection, begins: Iterable[Begin]) -> None:
    """Write where windows begin; one of the same symbol and second is replaced."""
    connection.executemany(
        "INSERT OR REPLACE INTO price_window(symbol, second, vendor, checksum) VALUES (?, ?, ?, ?)",
        [(*begin, checksum(*begin_content(begin))) for begin in begins],
    )


def _write_cells(
    connection: sqlite3.Connection,
    table: NumberedTable,
    numbers: npt.NDArray[Any],
    packed: npt.NDArray[Any],
) -> None:
    """Write cells under their ascending numbers, beside those of symbols no longer watched.

    Raises:
        ArchiveError: if what lies there is damaged.
    """
    if not len(packed):
        return
    labels, starts = np.unique(numbers, return_index=True)
    losses = Losses()
    archived = Rows(connection, len(MIGRATIONS), losses)
    first, last = int(labels[0]), int(labels[-1])
    # Those between are read too, unless these are far apart.
    is_dense = last - first < 4 * len(labels)
    spans = [(first, last)] if is_dense else [(label, label) for label in labels.tolist()]
    before = {
        label: cells
        for first, last in spans
        for _, rows in archived.numbered(table, first, last + 1)
        for label, cells in rows
    }
    if losses.left_out:
        raise ArchiveError("archived cells are damaged", is_damaged=True)
    rows = []
    for label, part in zip(labels.tolist(), np.split(packed, starts[1:]), strict=True):
        now = part
        if label in before:
            old = np.frombuffer(before[label], packed.dtype)
            now = np.concatenate((old[~np.isin(old["id"], part["id"])], part))
        cells = now.tobytes()
        rows.append((label, cells, checksum(label, cells)))
    connection.executemany(
        f"INSERT OR REPLACE INTO {table.name}({table.number}, cells, checksum) VALUES (?, ?, ?)",
        rows,
    )


def write_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write states of events, beside the earlier ones of the same event."""
    connection.executemany(
        "INSERT OR REPLACE INTO event(began, id, updated, state, checksum) VALUES (?, ?, ?, ?, ?)",
        [(*row, checksum(event_key(row), row.state.encode())) for row in map(_event_row, events)],
    )


def _event_row(event: Event) -> EventRow:
    return EventRow(float(event.ts), event.id, float(event.updated_ts), encode_event(event))


def write_tracks(connection: sqlite3.Connection, tracks: Iterable[Remembered]) -> None:
    """Write what the detector remembers, replacing what it remembered before."""
    connection.executemany(
        "INSERT OR REPLACE INTO track(symbol, state, checksum) VALUES (?, ?, ?)",
        [
            (track.key, state, checksum(track.key, state.encode()))
            for track in tracks
            for state in (encode_track(track),)
        ],
    )


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Write a value under a name."""
    connection.execute(
        "INSERT OR REPLACE INTO meta(name, value, checksum) VALUES (?, ?, ?)",
        (name, value, checksum(name, value.encode())),
    )


def delete_bars(connection: sqlite3.Connection, before: int, limit: int) -> int:
    """Delete the bars of the ``limit`` oldest seconds before one; returns how many seconds."""
    return connection.execute(
        "DELETE FROM bar WHERE second IN"
        " (SELECT second FROM bar WHERE second < ? ORDER BY second LIMIT ?)",
        (before, limit),
    ).rowcount


def delete_begins(connection: sqlite3.Connection, before: int) -> int:
    """Delete the begins before a second that a later vendor's, before it too, follows."""
    return connection.execute(
        "DELETE FROM price_window WHERE EXISTS (SELECT 1 FROM price_window AS later"
        " WHERE later.symbol = price_window.symbol AND later.second > price_window.second"
        " AND later.second < ? AND later.vendor <> '')",
        (before,),
    ).rowcount


def delete_minutes(connection: sqlite3.Connection, before: int) -> int:
    """Delete the minutes before one; returns how many."""
    return connection.execute("DELETE FROM minute WHERE minute < ?", (before,)).rowcount


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
