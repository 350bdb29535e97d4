"""Archive: one source's history in an SQLite file, its format and what can be read from it.

``Archive`` reads, for any thread: every call opens a connection of its own and ends it. The
functions that write take the connection of the one writer, which is the recorder's thread. Time is
always an argument.

A row of ``bar`` is one second: the bars of all symbols that had a tick in it, packed side by side.
So a second costs one small write, an hour of five hundred symbols is read in half a second, and a
week is half as large as with a row for each bar.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from bars import CELL, Bars
from events import Event, Track
from ticks import ASSETS, MarketPulseError, Tick

__all__ = [
    "Archive",
    "ArchiveError",
    "connect",
    "forget_bars",
    "forget_events",
    "give_back",
    "is_archive",
    "note",
    "put_bars",
    "put_events",
    "put_tracks",
    "translated",
]

_MAGIC: Final = b"SQLite format 3\x00"

_APPLICATION_ID: Final = 0x4D506C73
"""Stands in the file's header, so that no other program's database is taken for an archive."""

_MIGRATIONS: Final = (
    """
    CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE symbol(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, asset TEXT NOT NULL,
        first INTEGER NOT NULL, last REAL, last_ts REAL
    );
    CREATE TABLE bar(second INTEGER PRIMARY KEY, cells BLOB NOT NULL);
    CREATE TABLE event(
        id TEXT, updated REAL, began REAL NOT NULL, state TEXT NOT NULL, PRIMARY KEY(id, updated)
    ) WITHOUT ROWID;
    CREATE INDEX event_began ON event(began);
    """,
    # From here on what the detector remembers outlives it.
    """
    CREATE TABLE track(
        symbol TEXT, kind TEXT, active INTEGER NOT NULL, seen REAL NOT NULL, counted REAL NOT NULL,
        event TEXT NOT NULL, PRIMARY KEY(symbol, kind)
    ) WITHOUT ROWID;
    """,
)
"""Version n of the schema is what the first n of these make. Only ever append."""

_PACKED: Final = np.dtype(
    [("id", "<u2"), ("ms", "<u2"), ("n", "<u4"), ("price", "<f8"), ("sum", "<f8")]
)
"""A bar within its second's row; ``id`` is the symbol's."""

_TIMES_END: Final = 253_402_300_800
"""The year 10000: no bar is of a later second."""

_BLOCK_SEC: Final = 900
"""What is read piece by piece is read in pieces of so many seconds."""

_LAST_SEC: Final = 4 * 86400
"""How far back the last price of a symbol is looked for: past any weekend with a holiday."""

_BUSY_SEC: Final = 1.0
"""How long to wait for another program that holds the file."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class ArchiveError(MarketPulseError):
    """An archive cannot be read or written; ``is_damaged`` where that is the file's own state."""

    def __init__(self, text: str, *, is_damaged: bool = False) -> None:
        super().__init__(text)
        self.is_damaged = is_damaged


def is_archive(path: Path) -> bool:
    """Whether a file is an SQLite database, as archives are.

    Raises:
        OSError: where it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class Archive:
    """What can be read from the archive at ``path``, whoever writes it meanwhile.

    Every method raises ``ArchiveError`` where the file is missing, damaged or none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def span(self) -> tuple[int, int] | None:
        """The first and the last second that have a bar, None where none has."""
        with self._open() as connection:
            first, last = connection.execute(
                "SELECT (SELECT min(second) FROM bar), (SELECT max(second) FROM bar)"
            ).fetchone()
        if first is None:
            return None
        if not 0 <= first <= last < _TIMES_END:
            raise _damaged(self.path)
        return first, last

    def noted(self, name: str) -> str | None:
        """What was noted under ``name``."""
        with self._open() as connection:
            found = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def symbols(self) -> dict[str, str]:
        """Every symbol that ever had a bar, and its asset class."""
        with self._open() as connection:
            return dict(self._symbols(connection))

    def bars(self, begin: int, end: int, symbols: Sequence[str] | None = None) -> Bars:
        """The bars from the second ``begin`` on and before ``end``, of some symbols or all."""
        with self._open() as connection:
            return self._bars(connection, begin, end, symbols)

    def blocks(self, begin: int, end: int, symbols: Sequence[str] | None = None) -> Iterator[Bars]:
        """The same, piece by piece and in order, so that memory has a bound; no piece is empty."""
        with self._open() as connection:
            while begin < end:
                found = connection.execute(
                    "SELECT min(second) FROM bar WHERE second >= ?", (begin,)
                ).fetchone()[0]
                if found is None or found >= end:
                    return
                begin = max(begin, found)  # a damaged file may answer with less
                bars = self._bars(connection, begin, min(begin + _BLOCK_SEC, end), symbols)
                if len(bars):
                    yield bars
                begin += _BLOCK_SEC

    def lasts(self, before: int, symbols: Sequence[str] | None = None) -> list[Tick]:
        """The newest price before a second of some symbols or all.

        However old it is; where a symbol had a newer one since, not older than four days.
        """
        with self._open() as connection:
            newest = self._rows(
                connection.execute(
                    "SELECT name, asset, last_ts, last FROM symbol"
                    " WHERE last IS NOT NULL AND first < ?",
                    (before,),
                ),
                (str, str, float, float),
            )
            wanted = None if symbols is None else set(symbols)
            found = {
                name: Tick(name, asset, ts, price)
                for name, asset, ts, price in newest
                if wanted is None or name in wanted
            }
            later = {name for name, tick in found.items() if tick.ts >= before}
            for name in later:
                del found[name]
            end = before
            while later:
                newest_bar = connection.execute(
                    "SELECT max(second) FROM bar WHERE second < ?", (end,)
                ).fetchone()[0]
                if newest_bar is None or newest_bar <= before - _LAST_SEC:
                    break
                end = min(end, newest_bar + 1)  # a damaged file may answer with more
                for tick in _newest(self._bars(connection, end - _BLOCK_SEC, end, list(later))):
                    found[tick.symbol] = tick
                    later.discard(tick.symbol)
                end -= _BLOCK_SEC
        return list(found.values())

    def states(self, most: int, before: float, since: float) -> list[Event]:
        """The ``most`` newest events that began before an instant, as they were before it.

        Each in the state it had at ``since`` and in those that followed, in the order in which
        they came.
        """
        with self._open() as connection:
            rows = connection.execute(
                """
                WITH newest AS (
                    SELECT DISTINCT id, began FROM event
                    WHERE began < :before ORDER BY began DESC, id LIMIT :most
                )
                SELECT event.state FROM newest JOIN event ON event.id = newest.id
                WHERE event.updated < :before AND event.updated >= coalesce((
                    SELECT max(updated) FROM event AS other
                    WHERE other.id = newest.id
                    AND other.updated <= :since AND other.updated < :before
                ), 0)
                ORDER BY event.updated, event.began, event.id
                """,
                {"most": most, "before": before, "since": since},
            ).fetchall()
        return [_event(text) for (text,) in rows]

    def events(
        self, begin: float, end: float, symbols: Sequence[str] | None = None
    ) -> Iterator[Event]:
        """The events that began from ``begin`` on and before ``end``, in order, as they ended."""
        wanted = None if symbols is None else set(symbols)
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, state FROM event WHERE began >= ? AND began < ?"
                " ORDER BY began, id, updated",
                (begin, end),
            )
            for _, states in groupby(rows, key=lambda row: row[0]):
                *_, (_, text) = states
                event = _event(text)
                if wanted is None or event.symbol in wanted:
                    yield event

    def began(self) -> tuple[float, float] | None:
        """When the first and the last event began, None where there is none."""
        with self._open() as connection:
            first, last = connection.execute(
                "SELECT (SELECT min(began) FROM event), (SELECT max(began) FROM event)"
            ).fetchone()
        if first is None:
            return None
        is_span = isinstance(first, float) and isinstance(last, float)
        if not is_span or not 0.0 <= first <= last < _TIMES_END:
            raise _damaged(self.path)
        return first, last

    def tracks(self) -> list[Track]:
        """What the detector remembered last."""
        with self._open() as connection:
            rows = self._rows(
                connection.execute("SELECT event, active, seen, counted FROM track"),
                (str, int, float, float),
            )
        return [
            Track(_event(text), active=bool(active), seen_ts=seen, counted_ts=counted)
            for text, active, seen, counted in rows
        ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path):
            _check_file(self.path)
            with closing(_read_only(self.path)) as connection:
                _check_version(connection, self.path)
                yield connection

    def _bars(
        self, connection: sqlite3.Connection, begin: int, end: int, symbols: Sequence[str] | None
    ) -> Bars:
        rows = self._rows(
            connection.execute(
                "SELECT second, cells FROM bar WHERE second >= ? AND second < ? ORDER BY second",
                (begin, end),
            ),
            (int, bytes),
        )
        # After the bars: a symbol that came meanwhile does no harm, a bar of one would.
        known = self._symbols(connection)
        seconds = np.array([second for second, _ in rows], np.int64)
        sizes = np.array([len(cells) for _, cells in rows], np.intp)
        if not _are_in_order(seconds, begin, end) or (sizes % _PACKED.itemsize).any():
            raise _damaged(self.path)
        packed = np.frombuffer(b"".join(cells for _, cells in rows), _PACKED)
        if not _are_bars(packed, len(known)):
            raise _damaged(self.path)
        cells = np.empty(len(packed), CELL)
        cells["second"] = np.repeat(seconds, sizes // _PACKED.itemsize)
        cells["row"] = packed["id"]
        for name in ("ms", "n", "price", "sum"):
            cells[name] = packed[name]
        bars = Bars(tuple(n for n, _ in known), tuple(a for _, a in known), cells)
        return bars if symbols is None else bars.of(symbols)

    def _symbols(self, connection: sqlite3.Connection) -> list[tuple[str, str]]:
        """Name and asset class of every symbol, in the order of the numbers that bars name."""
        rows = self._rows(
            connection.execute("SELECT name, asset, id FROM symbol ORDER BY id"), (str, str, int)
        )
        if any(asset not in ASSETS or at != number for at, (_, asset, number) in enumerate(rows)):
            raise _damaged(self.path)
        return [(name, asset) for name, asset, _ in rows]

    def _rows(self, found: sqlite3.Cursor, types: tuple[type, ...]) -> list[tuple[Any, ...]]:
        """The rows found, of the types they were written with: SQLite holds any in any column."""
        rows = found.fetchall()
        if not all(all(map(isinstance, row, types)) for row in rows):
            raise _damaged(self.path)
        return rows


# Writing.


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes to the archive at ``path``, made or brought up to date first.

    Raises:
        ArchiveError: where that cannot be done.
    """
    with translated(path):
        connection = sqlite3.connect(
            path, timeout=_BUSY_SEC, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _check_version(connection, path, may_be_old=True)
    else:
        # Only before there is anything: later it would take a rewrite of the whole file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(_MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
        )


def put_bars(connection: sqlite3.Connection, bars: Bars) -> None:
    """Write bars, each in the place of an earlier state of the same."""
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
    packed = np.empty(len(cells), _PACKED)
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
        [(tick.price, tick.ts, tick.symbol) for tick in _newest(bars)],
    )


def _merged(packed: object, now: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A second's bars now, and those of symbols that had one before and are no longer watched."""
    if not isinstance(packed, bytes) or len(packed) % _PACKED.itemsize:
        raise ArchiveError("archived bars are none: the file is damaged", is_damaged=True)
    before = np.frombuffer(packed, _PACKED)
    return np.concatenate((before[~np.isin(before["id"], now["id"])], now))


def put_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Write states of events, beside the earlier ones of the same event."""
    connection.executemany(
        "INSERT OR REPLACE INTO event(id, updated, began, state) VALUES (?, ?, ?, ?)",
        [(e.id, e.updated_ts, e.ts, _encode(e).decode()) for e in events],
    )


def put_tracks(connection: sqlite3.Connection, tracks: Iterable[Track]) -> None:
    """Write what the detector remembers, in the place of what it did."""
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
                _encode(track.event).decode(),
            )
            for track in tracks
        ],
    )


def note(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Note a value under a name."""
    connection.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", (name, value))


def forget_bars(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Let go of the oldest bars before a second, ``most`` seconds at the most; how many went."""
    return connection.execute(
        "DELETE FROM bar WHERE second IN"
        " (SELECT second FROM bar WHERE second < ? ORDER BY second LIMIT ?)",
        (before, most),
    ).rowcount


def forget_events(connection: sqlite3.Connection, before: float) -> int:
    """Let go of the events that were last seen before an instant; how many states went."""
    return connection.execute(
        "DELETE FROM event WHERE began < ?1"
        " AND id NOT IN (SELECT id FROM event WHERE began < ?1 AND updated >= ?1)",
        (before,),
    ).rowcount


def give_back(connection: sqlite3.Connection, pages: int) -> bool:
    """Give free pages of the file back to the system; whether more can be."""

    def free() -> int:
        found: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return found

    before = free()
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    # A file that another program wrote anew may keep its pages for ever.
    return 0 < free() < before


# Private.


def _newest(bars: Bars) -> list[Tick]:
    """The newest price of each symbol of ``bars``."""
    at = np.full(len(bars.symbols), -1)
    at[bars.cells["row"]] = np.arange(len(bars))  # in order of time: of several the last one stays
    found = bars.cells[at[at >= 0]]
    ts = found["second"] + found["ms"] / 1000.0
    return [
        Tick(bars.symbols[row], bars.assets[row], when, price)
        for row, when, price in zip(
            found["row"].tolist(), ts.tolist(), found["price"].tolist(), strict=True
        )
    ]


def _are_in_order(seconds: npt.NDArray[np.int64], begin: int, end: int) -> bool:
    """Whether these are seconds from ``begin`` on and before ``end``, each after the other."""
    return not len(seconds) or bool(
        begin <= seconds[0] and seconds[-1] < end and (np.diff(seconds) > 0).all()
    )


def _are_bars(packed: npt.NDArray[Any], symbols: int) -> bool:
    """Whether a store wrote these: it has no bar without a tick, and no tick without a price."""
    price = packed["price"]
    return bool(
        (packed["id"] < symbols).all()
        and (packed["ms"] < 1000).all()
        and (packed["n"] > 0).all()
        and ((price > 0) & (price < np.inf) & (packed["sum"] > 0)).all()
    )


def _damaged(path: Path) -> ArchiveError:
    return ArchiveError(f"{path}: what it holds is none of what was written", is_damaged=True)


def _event(text: Any) -> Event:
    try:
        return _decode(text)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ArchiveError(f"an archived event is none: {error}", is_damaged=True) from None


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ArchiveError(f"there is no archive at {path}; check the path") from None
    except OSError as error:
        raise ArchiveError(f"{path} cannot be opened ({error.strerror}); check the path") from None
    if not stat.S_ISREG(mode):
        raise ArchiveError(f"{path} is no file, expected an archive; check the path")


def _read_only(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=_BUSY_SEC)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        cannot = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
        if not cannot or (log.exists() and log.stat().st_size):
            raise
        # Nobody writes it, and where it lies nothing can be: as it stands it is complete.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path, *, may_be_old: bool = False) -> None:
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise ArchiveError(f"{path} is empty: nothing was recorded yet")
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION_ID:
        raise ArchiveError(
            f"{path} is another program's database, expected an archive of Market Pulse:"
            " move it away, or give another path"
        )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = len(_MIGRATIONS)
    if version > newest:
        raise ArchiveError(
            f"{path} was written by a newer Market Pulse (format {version}, expected {newest} at"
            " most): update this one, or move the file away"
        )
    if version < newest and not may_be_old:
        raise ArchiveError(
            f"{path} was written by an older Market Pulse (format {version}, expected {newest}):"
            " run the dashboard on it once, which brings it up to date"
        )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises what SQLite raises as an ``ArchiveError``: what was found, and what to do."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        # What SQLite says of a damaged schema quotes it, and is no text itself.
        raise ArchiveError(f"{path}: {_ADVICE['SQLITE_CORRUPT']}", is_damaged=True) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        # Text that is none is found by Python's own driver, which gives no name.
        is_text = not name and isinstance(error, sqlite3.OperationalError)
        damaged = is_text or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
        raise ArchiveError(f"{path}: {_advice(name, error)}", is_damaged=damaged) from error


_ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it may not be written: check the permissions of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that its folder exists and may be written",
    "SQLITE_BUSY": "another program holds it locked: end that, or wait",
    "SQLITE_LOCKED": "another program holds it locked: end that, or wait",
    "SQLITE_IOERR": "the disk reports an error: check it",
    # What stands beside the file while it is open finds no room.
    "SQLITE_IOERR_SHMSIZE": "the disk is full: free some space",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_NOTADB": "the file is damaged: it is no database any more",
}


def _advice(name: str, error: sqlite3.Error) -> str:
    # Extended names begin with the plain one: SQLITE_IOERR_WRITE.
    plain = "_".join(name.split("_")[:2])
    return _ADVICE.get(name) or _ADVICE.get(plain, str(error))
