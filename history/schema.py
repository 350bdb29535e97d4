"""Schema: the format of an archive's file, its versions, and the errors it can have.

A row of ``bar`` is one second: the bars of all symbols that had a tick in it, packed side by side.
So a second costs one small write, an hour of five hundred symbols is read in half a second, and a
week is half as large as with a row for each bar. A row of ``minute`` is one minute, likewise.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from events import Event, Remembered, Track, Watch
from history.deliveries import Delivery
from history.singles import decode_single, is_single
from ticks import MarketPulseError

__all__ = [
    "APPLICATION_ID",
    "BUSY_SEC",
    "CHECKED_FROM",
    "DELIVERIES_FROM",
    "MIGRATIONS",
    "MINUTES_FROM",
    "OLDEST_READ",
    "PACKED",
    "PACKED_MINUTE",
    "SEARCHED",
    "TIMES_END",
    "UNCHECKED",
    "WINDOWS_FROM",
    "WRITING",
    "ArchiveError",
    "archive_errors",
    "check_version",
    "checksum",
    "damaged",
    "decode_delivery",
    "decode_event",
    "decode_track",
    "encode_delivery",
    "encode_event",
    "encode_track",
    "is_archive",
    "is_damage",
]

_MAGIC: Final = b"SQLite format 3\x00"

APPLICATION_ID: Final = 0x4D506C73
"""In the file's header, so that no other program's database is taken for an archive."""

MIGRATIONS: Final = (
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
    # From here on what is usual for each symbol outlives the process.
    """
    CREATE TABLE minute(minute INTEGER PRIMARY KEY, cells BLOB NOT NULL);
    """,
    # One event tells of all kinds of stress that a burst has, and one row of it is remembered.
    """
    DROP TABLE track;
    CREATE TABLE track(symbol TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    """,
    # From here on every row has a checksum, and what names the bars lies in the file twice. Rows of
    # before have none: up to which second there may be such is written down.
    """
    ALTER TABLE meta ADD COLUMN checksum INTEGER;
    ALTER TABLE symbol ADD COLUMN checksum INTEGER;
    ALTER TABLE bar ADD COLUMN checksum INTEGER;
    ALTER TABLE event ADD COLUMN checksum INTEGER;
    ALTER TABLE minute ADD COLUMN checksum INTEGER;
    ALTER TABLE track ADD COLUMN checksum INTEGER;
    CREATE TABLE symbol_copy(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, asset TEXT NOT NULL, checksum INTEGER
    );
    INSERT INTO symbol_copy SELECT id, name, asset, NULL FROM symbol;
    INSERT INTO meta SELECT 'unchecked_until', newest, NULL
        FROM (SELECT max(second) AS newest FROM bar) WHERE newest IS NOT NULL;
    """,
    # From here on it is known whose prices the bars are. Before, a vendor's were all EODHD's; these
    # rows are of no second and need no checksum.
    """
    CREATE TABLE price_window(
        symbol TEXT, second INTEGER, vendor TEXT NOT NULL, checksum INTEGER,
        PRIMARY KEY(symbol, second)
    ) WITHOUT ROWID;
    INSERT INTO price_window SELECT name, 0, 'EODHD', NULL FROM symbol
        WHERE (SELECT value FROM meta WHERE name = 'source') = 'eodhd';
    """,
    # From here on what is told outside the page is written down with what it tells, and states of
    # events are found by when they came.
    """
    CREATE TABLE delivery(
        number INTEGER PRIMARY KEY, destination TEXT NOT NULL, key TEXT NOT NULL,
        state TEXT NOT NULL, made REAL NOT NULL, content TEXT NOT NULL, checksum INTEGER,
        UNIQUE(destination, key)
    );
    CREATE INDEX delivery_state ON delivery(state, made);
    CREATE TABLE mute(
        of TEXT, name TEXT, until REAL NOT NULL, checksum INTEGER, PRIMARY KEY(of, name)
    ) WITHOUT ROWID;
    CREATE INDEX event_updated ON event(updated);
    """,
)
"""Version n of the schema is what the first n of these make. Only ever append."""

CHECKED_FROM: Final = 5
"""The first version whose rows have checksums."""

WINDOWS_FROM: Final = 6
"""The first version that says whose prices the bars are."""

DELIVERIES_FROM: Final = 7
"""The first version that has deliveries and mutes."""

MINUTES_FROM: Final = 3
"""The first version that has minutes."""

OLDEST_READ: Final = 4
"""The oldest version that is read without being brought up to date."""

UNCHECKED: Final = "unchecked_until"
"""The name in ``meta`` of the last second of which a row may lack a checksum."""

PACKED: Final = np.dtype(
    [("id", "<u2"), ("ms", "<u2"), ("n", "<u4"), ("price", "<f8"), ("sum", "<f8")]
)
"""A bar within its second's row; ``id`` is the symbol's."""

PACKED_MINUTE: Final = np.dtype([("id", "<u2"), ("z", "u1"), ("ret_1m", "u1"), ("ret_5m", "u1")])
"""One symbol's cells of a minute within that minute's row."""

TIMES_END: Final = 253_402_300_800
"""The year 10000: no bar is of a later second."""

WRITING: Final = "writing"
"""The name in ``meta`` of whether a writer has the file, or ended without saying so."""

SEARCHED: Final = "searched"
"""The name in ``meta`` of the last second that was searched for events: those of later bars are not
found yet."""

BUSY_SEC: Final = 1.0
"""How long to wait for another program that holds the file."""

_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_track = msgspec.json.Decoder(Track).decode
_decode_watch = msgspec.json.Decoder(Watch).decode
_decode_delivery = msgspec.json.Decoder(Delivery).decode


class _Either(msgspec.Struct):
    """What tells a track from a watch."""

    burst: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_either = msgspec.json.Decoder(_Either).decode


class ArchiveError(MarketPulseError):
    """An archive cannot be read or written; ``is_damaged`` if the fault lies in the file itself."""

    def __init__(self, text: str, *, is_damaged: bool = False) -> None:
        super().__init__(text)
        self.is_damaged = is_damaged


def is_archive(path: Path) -> bool:
    """Whether a file is an SQLite database, as archives are.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_version(
    connection: sqlite3.Connection,
    path: Path,
    *,
    newest: int = len(MIGRATIONS),
    oldest: int = OLDEST_READ,
) -> int:
    """Check that a file is an archive of a format from ``oldest`` to ``newest``; returns which.

    Raises:
        ArchiveError: if it is empty, another program's, of a newer format, or of an older one.
    """
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise ArchiveError(f"{path} is empty: nothing was recorded yet")
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise ArchiveError(
            f"{path} is another program's database, expected an archive of Market Pulse:"
            " move it away, or give another path"
        )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise ArchiveError(
            f"{path} was written by a newer Market Pulse (format {version}, expected {newest} at"
            " most): update this one, or move the file away"
        )
    if version < oldest:
        raise ArchiveError(
            f"{path} was written by an older Market Pulse (format {version}, expected {oldest}):"
            " run the dashboard on it once, which brings it up to date"
        )
    return version


@contextmanager
def archive_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite and the system raise as an ``ArchiveError``: what was found, what to do."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        # SQLite quotes a damaged schema, which may not be text.
        raise ArchiveError(f"{path}: {_ADVICE['SQLITE_CORRUPT']}", is_damaged=True) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        raise ArchiveError(
            f"{path}: {_advice(name, error)}", is_damaged=is_damage(error)
        ) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the fault lies in the file itself."""
    name = getattr(error, "sqlite_errorname", "")
    # Bytes that are not text are found by Python's own driver, which gives no name.
    is_text = not name and isinstance(error, sqlite3.OperationalError)
    return is_text or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


_LOCKED: Final = (
    "another program holds it locked: end that, or wait; if it is on a network drive, give a local"
    " folder with MARKET_PULSE_DATA"
)

_NOT_SHARED: Final = (
    "its disk lacks the locks or the memory that programs share, as some network drives do: give a"
    " local folder with MARKET_PULSE_DATA"
)

_ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it may not be written: check the permissions of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that its folder exists and may be written",
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_IOERR": "the disk reports an error: check it",
    "SQLITE_PROTOCOL": _NOT_SHARED,
    "SQLITE_IOERR_LOCK": _NOT_SHARED,
    "SQLITE_IOERR_RDLOCK": _NOT_SHARED,
    "SQLITE_IOERR_CHECKRESERVEDLOCK": _NOT_SHARED,
    "SQLITE_IOERR_SHMOPEN": _NOT_SHARED,
    "SQLITE_IOERR_SHMLOCK": _NOT_SHARED,
    "SQLITE_IOERR_SHMMAP": _NOT_SHARED,
    # There is no room for the files beside an open archive.
    "SQLITE_IOERR_SHMSIZE": "the disk is full: free some space",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_NOTADB": "the file is damaged: it is no longer a database",
}


def _advice(name: str, error: sqlite3.Error) -> str:
    # Extended names begin with the plain one: SQLITE_IOERR_WRITE.
    plain = "_".join(name.split("_")[:2])
    return _ADVICE.get(name) or _ADVICE.get(plain, str(error))


def damaged(path: Path) -> ArchiveError:
    """The error of a file that holds what was never written."""
    return ArchiveError(
        f"{path} holds something that was never written: the file is damaged", is_damaged=True
    )


def checksum(key: object, content: bytes) -> int:
    """The CRC-32 of a row: of its key, which tells it from others, and of what lies under it."""
    return zlib.crc32(content, zlib.crc32(_encode(key)))


def encode_event(event: Event) -> str:
    """An event as it lies in the file."""
    return _encode(event).decode()


def decode_event(text: str) -> Event:
    """An event that lies in the file.

    Raises:
        ArchiveError: if the text is not one.
    """
    try:
        if is_single(text):
            return decode_single(text)
        event = _decode_event(text)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ArchiveError(f"an archived event is damaged: {error}", is_damaged=True) from None
    if not event.parts:
        raise ArchiveError("an archived event is damaged: it has no part", is_damaged=True)
    return event


def encode_track(track: Remembered) -> str:
    """What the detector remembers of a symbol or a rule, as it lies in the file."""
    return _encode(track).decode()


def decode_track(text: str) -> Remembered:
    """What the detector remembers of a symbol or a rule, out of the file.

    Raises:
        ArchiveError: if the text is none of that.
    """
    try:
        is_watch = _decode_either(text).burst is msgspec.UNSET
        return _decode_watch(text) if is_watch else _decode_track(text)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ArchiveError(f"an archived track is damaged: {error}", is_damaged=True) from None


def encode_delivery(delivery: Delivery) -> str:
    """A delivery as it lies in the file."""
    return _encode(delivery).decode()


def decode_delivery(text: str) -> Delivery:
    """A delivery that lies in the file.

    Raises:
        ArchiveError: if the text is not one.
    """
    try:
        return _decode_delivery(text)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise ArchiveError(f"an archived delivery is damaged: {error}", is_damaged=True) from None
