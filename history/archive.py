"""Archive: what can be read from one source's history, whoever writes it meanwhile.

Any thread may call it: every call opens and closes its own connection. Time is always an argument.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bars import CELL, KEPT_MINUTES, MINUTE, Bars, Minutes
from events import Event, Track
from history.schema import (
    BUSY_SEC,
    PACKED,
    PACKED_MINUTE,
    SEARCHED,
    TIMES_END,
    ArchiveError,
    archive_errors,
    check_version,
    damaged,
    decode_event,
    decode_track,
    is_archive,
)
from ticks import ASSETS, Tick

__all__ = ["Archive", "ArchiveError", "Search", "is_archive", "newest_prices", "read_span"]

_BLOCK_SEC: Final = 900
"""The length of the pieces in which bars are read, in seconds."""

_BLOCK_MINUTES: Final = 720
"""The most minutes that are read in one go."""

_LAST_SEC: Final = 4 * 86400
"""How far back the last price of a symbol is looked for: past any weekend with a holiday."""


class Search(NamedTuple):
    """How far an archive's bars were searched for events."""

    upto: int | None
    """The last second that was searched; None if the archive does not say."""
    tracks: tuple[Track, ...]
    """What the detector remembered then."""


class Archive:
    """What can be read from the archive at ``path``, whoever writes it meanwhile.

    Every method raises ``ArchiveError`` if the file is missing, damaged or another program's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def span(self) -> tuple[int, int] | None:
        """The first and the last second that have a bar, None if none has."""
        with self._open() as connection:
            return read_span(connection, self.path)

    def meta(self, name: str) -> str | None:
        """The value written under ``name``, such as the source's seed; None if there is none."""
        with self._open() as connection:
            found = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def symbols(self) -> dict[str, str]:
        """Every symbol that ever had a bar, and its asset class."""
        with self._open() as connection:
            return dict(self._symbols(connection))

    def bars(self, begin: int, end: int, symbols: Sequence[str] | None = None) -> Bars:
        """The bars of the seconds ``begin`` to ``end`` (excluded), of some symbols or all."""
        with self._open() as connection:
            return self._bars(connection, begin, end, symbols)

    def blocks(self, begin: int, end: int, symbols: Sequence[str] | None = None) -> Iterator[Bars]:
        """The same in pieces and in order, so that memory has a bound; no piece is empty."""
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

    def minutes(self, before: int, symbols: Sequence[str] | None = None) -> Minutes:
        """The newest ``KEPT_MINUTES`` minutes of each asset class before a minute.

        Of some symbols or all: minutes without any of them do not count.
        """
        parts: list[npt.NDArray[Any]] = []
        room = dict.fromkeys(ASSETS, KEPT_MINUTES)
        wanted = None if symbols is None else set(symbols)
        found = Minutes.empty()
        for found in self.minute_blocks(before):
            cells, is_complete = found.cells, True
            of_class = np.array(found.assets)
            is_wanted = np.array([wanted is None or name in wanted for name in found.symbols])
            for asset in ASSETS:
                members = is_wanted & (of_class == asset)
                own = members[cells["row"]]
                labels = np.unique(cells["minute"][own])[::-1][: room[asset]]
                if len(labels):
                    parts.append(cells[own & (cells["minute"] >= labels[-1])])
                room[asset] -= len(labels)
                is_complete &= room[asset] == 0 or not members.any()
            if is_complete:
                break
        cells = np.concatenate(parts) if parts else np.empty(0, MINUTE)
        cells = cells[cells["minute"].argsort(kind="stable")]
        minutes = Minutes(found.symbols, found.assets, cells)
        return minutes if symbols is None else minutes.of(symbols)

    def minute_blocks(self, before: int) -> Iterator[Minutes]:
        """The minutes before one, in pieces of which the newest come first; no piece is empty."""
        with self._open() as connection:
            while True:
                rows = self._rows(
                    connection.execute(
                        "SELECT minute, cells FROM minute WHERE minute < ?"
                        " ORDER BY minute DESC LIMIT ?",
                        (before, _BLOCK_MINUTES),
                    ),
                    (int, bytes),
                )[::-1]
                if not rows:
                    return
                # Read after the minutes, as after bars.
                known = self._symbols(connection)
                labels, packed = self._unpacked(
                    rows, 0, min(before, TIMES_END // 60), PACKED_MINUTE
                )
                figures = [packed[name] for name in ("z", "ret_1m", "ret_5m")]
                if (packed["id"] >= len(known)).any() or not np.logical_or.reduce(figures).all():
                    raise damaged(self.path)
                cells = np.empty(len(packed), MINUTE)
                cells["minute"], cells["row"] = labels, packed["id"]
                for name, figure in zip(("z", "ret_1m", "ret_5m"), figures, strict=True):
                    cells[name] = figure
                yield Minutes(tuple(n for n, _ in known), tuple(a for _, a in known), cells)
                before = rows[0][0]

    def last_prices(self, before: int, symbols: Sequence[str] | None = None) -> list[Tick]:
        """The newest price of each of some symbols, or of all, before a second.

        However old it is; if a symbol had a newer one since, not older than four days.
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
                bars = self._bars(connection, end - _BLOCK_SEC, end, list(later))
                for tick in newest_prices(bars):
                    found[tick.symbol] = tick
                    later.discard(tick.symbol)
                end -= _BLOCK_SEC
        return list(found.values())

    def event_states(self, limit: int, before: float, since: float) -> list[Event]:
        """The ``limit`` newest events that began before an instant, as they were before it.

        Each in the state it had at ``since`` and in those that followed, in the order in which
        they came.
        """
        with self._open() as connection:
            rows = connection.execute(
                """
                WITH newest AS (
                    SELECT DISTINCT id, began FROM event
                    WHERE began < :before ORDER BY began DESC, id LIMIT :limit
                )
                SELECT event.state FROM newest JOIN event ON event.id = newest.id
                WHERE event.updated < :before AND event.updated >= coalesce((
                    SELECT max(updated) FROM event AS other
                    WHERE other.id = newest.id
                    AND other.updated <= :since AND other.updated < :before
                ), 0)
                ORDER BY event.updated, event.began, event.id
                """,
                {"limit": limit, "before": before, "since": since},
            ).fetchall()
        return [decode_event(text) for (text,) in rows]

    def events(
        self, begin: float, end: float, symbols: Sequence[str] | None = None
    ) -> Iterator[Event]:
        """The events that began in the span, which excludes its end, in order, as they ended."""
        wanted = None if symbols is None else set(symbols)
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, state FROM event WHERE began >= ? AND began < ?"
                " ORDER BY began, id, updated",
                (begin, end),
            )
            for _, states in groupby(rows, key=lambda row: row[0]):
                *_, (_, text) = states
                event = decode_event(text)
                if wanted is None or event.symbol in wanted:
                    yield event

    def event_span(self) -> tuple[float, float] | None:
        """When the first and the last event began, None if there is none."""
        with self._open() as connection:
            first, last = connection.execute(
                "SELECT (SELECT min(began) FROM event), (SELECT max(began) FROM event)"
            ).fetchone()
        if first is None:
            return None
        is_span = isinstance(first, float) and isinstance(last, float)
        if not is_span or not 0.0 <= first <= last < TIMES_END:
            raise damaged(self.path)
        return first, last

    def tracks(self) -> list[Track]:
        """What the detector remembered last."""
        return [*self.search().tracks]

    def search(self) -> Search:
        """How far the bars were searched for events, and what the detector remembered then."""
        with self._open() as connection:
            connection.execute("BEGIN")  # both as they were at one moment, whoever writes
            rows = self._rows(connection.execute("SELECT state FROM track"), (str,))
            found = connection.execute(
                "SELECT value FROM meta WHERE name = ?", (SEARCHED,)
            ).fetchone()
        tracks = tuple(decode_track(text) for (text,) in rows)
        return Search(_second(found[0]) if found else None, tracks)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with archive_errors(self.path):
            _check_file(self.path)
            with closing(_read_only(self.path)) as connection:
                check_version(connection, self.path)
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
        # Read after the bars: an extra symbol does no harm, a bar without its symbol would.
        known = self._symbols(connection)
        seconds, packed = self._unpacked(rows, begin, end, PACKED)
        if not _are_bars(packed, len(known)):
            raise damaged(self.path)
        cells = np.empty(len(packed), CELL)
        cells["second"], cells["row"] = seconds, packed["id"]
        for name in ("ms", "n", "price", "sum"):
            cells[name] = packed[name]
        bars = Bars(tuple(n for n, _ in known), tuple(a for _, a in known), cells)
        return bars if symbols is None else bars.of(symbols)

    def _unpacked(
        self, rows: Sequence[tuple[int, bytes]], begin: int, end: int, dtype: np.dtype[Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Each cell's row number, of those from ``begin`` to ``end`` (excluded), and the cells."""
        numbers = np.array([number for number, _ in rows], np.int64)
        sizes = np.array([len(cells) for _, cells in rows], np.intp)
        if not _are_in_order(numbers, begin, end) or (sizes % dtype.itemsize).any():
            raise damaged(self.path)
        packed = np.frombuffer(b"".join(cells for _, cells in rows), dtype)
        return np.repeat(numbers, sizes // dtype.itemsize), packed

    def _symbols(self, connection: sqlite3.Connection) -> list[tuple[str, str]]:
        """Name and asset class of every symbol, in the order of the numbers that bars name."""
        rows = self._rows(
            connection.execute("SELECT name, asset, id FROM symbol ORDER BY id"), (str, str, int)
        )
        if any(asset not in ASSETS or at != number for at, (_, asset, number) in enumerate(rows)):
            raise damaged(self.path)
        return [(name, asset) for name, asset, _ in rows]

    def _rows(self, found: sqlite3.Cursor, types: tuple[type, ...]) -> list[tuple[Any, ...]]:
        """The rows found, of the types they were written with: SQLite keeps any in any column."""
        rows = found.fetchall()
        if not all(all(map(isinstance, row, types)) for row in rows):
            raise damaged(self.path)
        return rows


def read_span(connection: sqlite3.Connection, path: Path) -> tuple[int, int] | None:
    """The first and the last second that have a bar, None if none has.

    Raises:
        ArchiveError: if these are not seconds that a bar can have.
    """
    first, last = connection.execute(
        "SELECT (SELECT min(second) FROM bar), (SELECT max(second) FROM bar)"
    ).fetchone()
    if first is None:
        return None
    if not 0 <= first <= last < TIMES_END:
        raise damaged(path)
    return first, last


def _second(value: object) -> int | None:
    """The second that a value tells, None if it tells none."""
    text = value if isinstance(value, str) else ""
    if not text.isdecimal() or len(text) > len(str(TIMES_END)):
        return None
    second = int(text)
    return second if second < TIMES_END else None


def newest_prices(bars: Bars) -> list[Tick]:
    """The newest price of each symbol that has a bar."""
    newest = bars.newest()
    ts = newest["second"] + newest["ms"] / 1000.0
    columns = (newest["row"].tolist(), ts.tolist(), newest["price"].tolist())
    return [
        Tick(bars.symbols[row], bars.assets[row], when, price)
        for row, when, price in zip(*columns, strict=True)
    ]


def _are_in_order(seconds: npt.NDArray[np.int64], begin: int, end: int) -> bool:
    """Whether these are ascending numbers from ``begin`` to ``end`` (excluded)."""
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


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ArchiveError(f"there is no archive at {path}; check the path") from None
    except OSError as error:
        raise ArchiveError(f"{path} cannot be opened ({error.strerror}); check the path") from None
    if not stat.S_ISREG(mode):
        raise ArchiveError(f"{path} is not a file, expected an archive; check the path")


def _read_only(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_SEC)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        cannot = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
        if not cannot or (log.exists() and log.stat().st_size):
            raise
        # Nobody writes it, and nothing can be written to its folder: it is complete as it is.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True)
    except BaseException:
        connection.close()
        raise
    return connection
