"""Archive: what can be read from one source's history, whoever writes it meanwhile.

``python -m history.archive`` checks, backs up and restores one, and ``--help`` says more.
Any thread may call it: every call opens and closes its own connection. Time is always an argument.
"""

from __future__ import annotations

import importlib
import sqlite3
import stat
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bars import CELL, KEPT_MINUTES, MINUTE, Bars, Begin, Minutes
from events import Event, Remembered
from history.deliveries import Delivery, DeliveryState, Mute
from history.event_rows import EventRow
from history.leaves import leaf_rows
from history.losses import Losses
from history.outgoing import delivery_blocks, newest_deliveries, read_mutes
from history.rows import BARS, MINUTES, Rows, SymbolRow
from history.schema import (
    BUSY_SEC,
    OLDEST_READ,
    PACKED,
    SEARCHED,
    TIMES_END,
    ArchiveError,
    archive_errors,
    check_version,
    decode_event,
    decode_track,
    is_archive,
)
from history.unpacked import unpacked_bars, unpacked_minutes
from ticks import ASSETS, Tick

__all__ = [
    "Archive",
    "ArchiveError",
    "BarPage",
    "Contents",
    "EventPlace",
    "Search",
    "is_archive",
    "newest_prices",
    "open_read_only",
]

_BLOCK_EVENTS: Final = 1000
"""The most states of events that are read in one go."""

_PAGE_CELLS: Final = 2_000_000
"""After so many bars, of all symbols, a page of one symbol's ends: they are read in half a second
or less."""

_LAST_SEC: Final = 4 * 86400
"""How far back the last price of a symbol is looked for: past any weekend with a holiday."""


class Search(NamedTuple):
    """How far an archive's bars were searched for events."""

    upto: int | None
    """The last second that was searched; None if the archive does not say."""
    tracks: tuple[Remembered, ...]
    """What the detector remembered then."""


EventPlace = tuple[float, str]
"""Where an event is among others, or a state among states: its instant and its id."""


class BarPage(NamedTuple):
    """Some bars of one symbol."""

    bars: Bars
    next: int | None
    """The second from which on there may be others; None: there are none."""


class Contents(NamedTuple):
    """What an archive has beside bars, minutes, events and deliveries."""

    symbols: tuple[SymbolRow, ...]
    meta: dict[str, str]
    begins: tuple[Begin, ...]
    tracks: tuple[Remembered, ...]
    mutes: tuple[Mute, ...]


class Archive:
    """What can be read from the archive at ``path``, whoever writes it meanwhile.

    Every method raises ``ArchiveError`` if the file is missing, another program's, or so damaged
    that nothing can be read. What is damaged within it is left out, and counted in ``losses`` if
    they are given. Files of an older format than ``oldest_version`` are an error, and so are those
    that are shorter than they say, unless they may be: ``is_cut_off``.
    """

    def __init__(
        self, path: Path, oldest_version: int = OLDEST_READ, *, is_cut_off: bool = False
    ) -> None:
        self.path = path
        self._oldest_version = oldest_version
        self._is_cut_off = is_cut_off

    def span(self, losses: Losses | None = None) -> tuple[int, int] | None:
        """The first and the last second that have a bar, None if none has."""
        with self._open(losses) as rows:
            first, last = rows.edge(is_last=False), rows.edge(is_last=True)
        return None if first is None or last is None else (first, last)

    def meta(self, name: str, losses: Losses | None = None) -> str | None:
        """The value written under ``name``, such as the source's seed; None if there is none."""
        with self._open(losses) as rows:
            return rows.meta(name)

    def symbols(self, losses: Losses | None = None) -> dict[str, str]:
        """Every symbol that ever had a bar, and its asset class."""
        with self._open(losses) as rows:
            return {row.name: row.asset for row in rows.symbols()}

    def bars(
        self,
        begin: int,
        end: int,
        symbols: Sequence[str] | None = None,
        losses: Losses | None = None,
    ) -> Bars:
        """The bars of the seconds ``begin`` to ``end`` (excluded), of some symbols or all."""
        losses = losses or Losses()
        with self._open(losses) as rows:
            found = [row for _, piece in rows.numbered(BARS, begin, end) for row in piece]
            return unpacked_bars(found, rows, losses, symbols)

    def blocks(
        self,
        begin: int,
        end: int,
        symbols: Sequence[str] | None = None,
        losses: Losses | None = None,
    ) -> Iterator[Bars]:
        """The same in pieces and in order, so that memory has a bound; no piece is empty."""
        losses = losses or Losses()
        with self._open(losses) as rows:
            for _, piece in rows.numbered(BARS, begin, end):
                bars = unpacked_bars(piece, rows, losses, symbols)
                if len(bars):
                    yield bars

    def bar_page(
        self,
        symbol: str,
        begin: int,
        end: int,
        *,
        limit: int,
        most_cells: int = _PAGE_CELLS,
        losses: Losses | None = None,
    ) -> BarPage:
        """The first ``limit`` bars of a symbol from ``begin`` to ``end`` (excluded), or fewer.

        Fewer, and none perhaps, though there are others, if more than ``most_cells`` bars of all
        symbols lie between: ``next`` says so.
        """
        losses = losses or Losses()
        parts: list[Bars] = []
        room, cells, following = limit, 0, begin
        with self._open(losses) as rows:
            for _, piece in rows.numbered(BARS, begin, end):
                bars = unpacked_bars(piece, rows, losses, [symbol])
                parts.append(replace(bars, cells=bars.cells[:room]))
                following = piece[-1][0] + 1
                if len(bars) > room or (len(bars) == room and following < end):
                    following = int(bars.cells["second"][room - 1]) + 1
                    break
                room -= len(bars)
                cells += sum(len(row) for _, row in piece) // PACKED.itemsize
                if cells > most_cells:
                    break
            else:
                following = end
        found = np.concatenate([part.cells for part in parts]) if parts else np.empty(0, CELL)
        of = parts[-1] if parts else Bars.empty()
        return BarPage(replace(of, cells=found), following if following < end else None)

    def stray_blocks(self, begin: int, end: int) -> Iterator[Bars]:
        """The same as it lies on the pages of the file, whatever leads to these; in no order.

        Two pieces may have the same bars. What is not in the file yet, or lacks a checksum, is not
        found.
        """
        with self._open(None) as rows:
            for piece in leaf_rows(self.path, begin, end):
                bars = unpacked_bars(piece, rows, Losses(), None)
                if len(bars):
                    yield bars

    def minutes(
        self, before: int, symbols: Sequence[str] | None = None, losses: Losses | None = None
    ) -> Minutes:
        """The newest ``KEPT_MINUTES`` minutes of each asset class before a minute.

        Of some symbols or all: minutes without any of them do not count.
        """
        parts: list[npt.NDArray[Any]] = []
        found = Minutes.empty()
        room = dict.fromkeys(ASSETS, KEPT_MINUTES)
        wanted = None if symbols is None else set(symbols)
        for found in self.minute_blocks(before, losses):
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

    def minute_blocks(self, before: int, losses: Losses | None = None) -> Iterator[Minutes]:
        """The minutes before one, in pieces of which the newest come first; no piece is empty."""
        losses = losses or Losses()
        with self._open(losses) as rows:
            for piece in rows.last_numbered(MINUTES, before):
                minutes = unpacked_minutes(piece, rows, losses)
                if len(minutes):
                    yield minutes

    def begins(
        self, symbols: Sequence[str] | None = None, losses: Losses | None = None
    ) -> list[Begin]:
        """Where the windows of some symbols, or of all, begin, in order of their seconds."""
        wanted = None if symbols is None else set(symbols)
        with self._open(losses) as rows:
            return [row for row in rows.begins() if wanted is None or row.symbol in wanted]

    def last_prices(
        self, before: int, symbols: Sequence[str] | None = None, losses: Losses | None = None
    ) -> list[Tick]:
        """The newest price of each of some symbols, or of all, before a second.

        However old it is; if a symbol had a newer one since, not older than four days.
        """
        losses = losses or Losses()
        wanted = None if symbols is None else set(symbols)
        found: dict[str, Tick] = {}
        later: set[str] = set()
        with self._open(losses) as rows:
            for row in rows.symbols():
                if (wanted is not None and row.name not in wanted) or (row.first or 0) >= before:
                    continue
                if row.last is None or row.last_ts is None or row.last_ts >= before:
                    later.add(row.name)
                else:
                    found[row.name] = Tick(row.name, row.asset, row.last_ts, row.last)
            for piece in rows.last_numbered(BARS, before) if later else ():
                if piece[-1][0] <= before - _LAST_SEC:
                    break
                for tick in newest_prices(unpacked_bars(piece, rows, losses, list(later))):
                    found[tick.symbol] = tick
                    later.discard(tick.symbol)
                if not later:
                    break
        return list(found.values())

    def event_states(
        self, limit: int, before: float, since: float, losses: Losses | None = None
    ) -> list[Event]:
        """The ``limit`` newest events that began before an instant, as they were before it.

        Each in the state it had at ``since`` and in those that followed, in the order in which
        they came.
        """
        losses = losses or Losses()
        with self._open(losses) as rows:
            found = rows.events.newest(limit, before, since)
        return [event for row in found if (event := _event(row, losses)) is not None]

    def events(
        self,
        begin: float,
        end: float,
        symbols: Sequence[str] | None = None,
        losses: Losses | None = None,
        *,
        after: EventPlace | None = None,
    ) -> Generator[Event, None, None]:
        """The events that began in the span, which excludes its end, in order, as they ended.

        Only those ``after`` a place: that of an event is its begin and its id.
        """
        losses = losses or Losses()
        wanted = None if symbols is None else set(symbols)
        with self._open(losses) as rows:
            for _, states in groupby(rows.events.begun(begin, end, after), key=lambda row: row.id):
                *_, last = states
                event = _event(last, losses)
                if event is not None and (wanted is None or event.symbol in wanted):
                    yield event

    def event_updates(
        self,
        begin: float,
        end: float,
        losses: Losses | None = None,
        *,
        after: EventPlace | None = None,
    ) -> Generator[Event, None, None]:
        """Every state that events came into in the span, which excludes its end, in order.

        Only those ``after`` a place: that of a state is when it came, and its event's id.
        """
        losses = losses or Losses()
        with self._open(losses) as rows:
            for row in rows.events.updated(begin, end, after):
                event = _event(row, losses)
                if event is not None:
                    yield event

    def event_blocks(self, losses: Losses | None = None) -> Iterator[list[Event]]:
        """All states of all events, by their begin, in pieces; no piece is empty."""
        losses = losses or Losses()
        with self._open(losses) as rows:
            states = rows.events.begun(0.0, TIMES_END)
            while piece := list(islice(states, _BLOCK_EVENTS)):
                yield [event for row in piece if (event := _event(row, losses)) is not None]

    def event_span(self) -> tuple[float, float] | None:
        """When the first and the last event began, None if there is none."""
        with self._open(None) as rows:
            return rows.events.edges()

    def tracks(self, losses: Losses | None = None) -> list[Remembered]:
        """What the detector remembered last."""
        return [*self.search(losses).tracks]

    def search(self, losses: Losses | None = None) -> Search:
        """How far the bars were searched for events, and what the detector remembered then."""
        losses = losses or Losses()
        # Both as they were at one moment, whoever writes.
        with self._open(losses, is_snapshot=True) as rows:
            texts, searched = rows.tracks(), rows.meta(SEARCHED)
        tracks = []
        for text in texts:
            try:
                tracks.append(decode_track(text))
            except ArchiveError:
                losses.add(others=1)
        return Search(_second(searched), tuple(tracks))

    def deliveries(
        self,
        states: Collection[DeliveryState] = tuple(DeliveryState),
        since: float = 0.0,
        *,
        limit: int = 10_000,
        losses: Losses | None = None,
    ) -> list[Delivery]:
        """The ``limit`` newest deliveries in some states that were made at ``since`` or later.

        In the order in which they were made.
        """
        with self._connected() as (connection, version):
            return newest_deliveries(connection, version, losses or Losses(), states, since, limit)

    def delivery_blocks(self, losses: Losses | None = None) -> Iterator[list[Delivery]]:
        """All deliveries in the order in which they were made, in pieces; no piece is empty."""
        with self._connected() as (connection, version):
            yield from delivery_blocks(connection, version, losses or Losses())

    def mutes(self, losses: Losses | None = None) -> list[Mute]:
        """All that is muted, or was not long ago."""
        with self._connected() as (connection, version):
            return read_mutes(connection, version, losses or Losses())

    def contents(self, losses: Losses) -> Contents:
        """All that there is beside bars, minutes, events and deliveries."""
        with self._open(losses) as rows:
            rows.check_numbers()
            symbols, meta, begins = rows.symbols(), rows.all_meta(), rows.begins()
        tracks, muted = self.search(losses).tracks, self.mutes(losses)
        return Contents(tuple(symbols), meta, tuple(begins), tracks, tuple(muted))

    def check(self, losses: Losses, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Read all that there is, so that ``losses`` counts all that is damaged.

        Returns whether that was done, or whether ``is_cancelled``, asked between pieces, said so.
        """
        self.contents(losses)
        reads = (
            self.blocks(0, TIMES_END, None, losses),
            self.event_blocks(losses),
            self.minute_blocks(TIMES_END, losses),
            self.delivery_blocks(losses),
        )
        return all(not is_cancelled() for _ in chain(*reads))

    @contextmanager
    def _open(self, losses: Losses | None, *, is_snapshot: bool = False) -> Iterator[Rows]:
        with self._connected() as (connection, version):
            if is_snapshot:
                connection.execute("BEGIN")
            yield Rows(connection, version, losses or Losses())

    @contextmanager
    def _connected(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A connection of its own, and the file's format."""
        with archive_errors(self.path):
            _check_file(self.path)
            with closing(open_read_only(self.path, is_cut_off=self._is_cut_off)) as connection:
                yield connection, check_version(connection, self.path, oldest=self._oldest_version)


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


def _event(row: EventRow, losses: Losses) -> Event | None:
    try:
        return decode_event(row.state)
    except ArchiveError:
        losses.add(events=1)
        return None


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ArchiveError(f"there is no archive at {path}; check the path") from None
    except OSError as error:
        raise ArchiveError(f"{path} cannot be opened ({error.strerror}); check the path") from None
    if not stat.S_ISREG(mode):
        raise ArchiveError(f"{path} is not a file, expected an archive; check the path")


def open_read_only(path: Path, *, is_cut_off: bool = False) -> sqlite3.Connection:
    """Connect to the archive at ``path`` for reading.

    ``is_cut_off``: it may be shorter than it says.

    Raises:
        sqlite3.Error: if that fails.
    """
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_SEC)
    connection.text_factory = _text
    try:
        if is_cut_off:
            # With this, to SQLite only what is beyond the end is damaged.
            connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        cannot = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
        if not cannot or (log.exists() and log.stat().st_size):
            raise
        # Nobody writes it, and nothing can be written to its folder: it is complete as it is.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True)
        connection.text_factory = _text
    except BaseException:
        connection.close()
        raise
    return connection


def _text(found: bytes) -> str | bytes:
    """A text of the file; bytes that are none as they are, so that what follows can be read."""
    try:
        return found.decode()
    except UnicodeDecodeError:
        return found


if __name__ == "__main__":
    # The command stands above all that it uses, this module too.
    importlib.import_module("history.command").main()
