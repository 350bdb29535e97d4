"""Recorder: the thread that writes what happens into an archive, and keeps that file in order.

The worker hands it bars, events and what the detector remembers, and never waits for it; the pages
ask its status. Whatever befalls the file, the feeds go on: what cannot be written waits, and what
finds no room any more is counted. It asks the system's clock for waiting alone: how old a bar is,
is counted from the newest one.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from bars import Bars
from events import Event, Track
from history.archive import Archive
from history.schema import ArchiveError, archive_errors
from history.writer import (
    connect,
    delete_bars,
    delete_events,
    release_pages,
    write_bars,
    write_events,
    write_meta,
    write_tracks,
)

__all__ = ["DAY_SEC", "ArchiveState", "ArchiveStatus", "ArchiveTrouble", "Recorder"]

DAY_SEC: Final = 86_400

RETRY_SEC: Final = 5.0
"""How long to leave a file alone that could not be written."""

TIDY_SEC: Final = 600.0
"""How often what is too old is let go."""

MOST_WAITING: Final = 1_000_000
"""Bars that wait for a file that cannot be written, some 32 MB: hours of the usual watchlist."""

MOST_EVENTS: Final = 10_000
"""States of events that wait likewise."""

OVERLAP_SEC: Final = 15
"""What of these last seconds came while another process wrote is written when that ends: it may
not have got to it."""

PATIENCE_SEC: Final = 30.0
"""One that does not take over waits this long all the same: its predecessor may be about to end."""

_COUNTED: Final = 300
"""So many seconds are remembered with their bars, each of which is written several times."""

# One step of tidying: short enough for what came meanwhile to be written in time.
_STEP_BARS: Final = 600
_STEP_PAGES: Final = 500

# Later than any bar or event.
_NEVER: Final = 2**40

_logger = logging.getLogger(__name__)


class ArchiveState(StrEnum):
    """What is being done with an archive."""

    OFF = "off"
    STARTING = "starting"
    WRITING = "writing"
    READING_ONLY = "reading only"
    TROUBLE = "trouble"


class ArchiveTrouble(StrEnum):
    """Why an archive is not written; the words are made by those who show them."""

    NONE = ""
    OTHER_WRITES = "other writes"
    """Another process writes the file; this one takes over when that ends."""
    OTHER_WENT_ON = "other went on"
    """Another process wrote it when this one began, and their prices differ."""
    FOLDER = "folder"
    """Its folder cannot be written: ``detail`` is the system's answer."""
    FILE = "file"
    """The file cannot be read or written: ``detail`` says what was found and what to do."""
    STUCK = "stuck"
    """It is damaged and cannot be set aside: ``detail`` is the system's answer."""
    CRASHED = "crashed"
    """The writer's thread crashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveStatus:
    """What is true of an archive at one instant."""

    state: ArchiveState = ArchiveState.OFF
    trouble: ArchiveTrouble = ArchiveTrouble.NONE
    detail: str = ""
    """As ``trouble`` says."""
    file: str | None = None
    bars: int = 0
    events: int = 0
    """Written so far: bars, and states of events."""
    waiting: int = 0
    """Bars that wait to be written."""
    lost: int = 0
    lost_events: int = 0
    """Bars, and states of events, that found no room while they waited."""
    lost_from: int | None = None
    lost_to: int | None = None
    """The first and the last second that lost bars."""
    set_aside: tuple[str, ...] = ()
    """Names of damaged files."""
    oldest: int | None = None
    """The first second that the archive knows; None until a reader asks for it."""


@dataclass(slots=True)
class _Waiting:
    """What is still to be written."""

    bars: dict[int, Bars] = field(default_factory=dict)
    """By second, each as it was last."""
    events: deque[Event] = field(default_factory=deque)
    tracks: dict[tuple[str, str], Track] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    count: int = 0
    """How many bars these are together."""

    def __bool__(self) -> bool:
        return bool(self.bars or self.events or self.tracks or self.notes)

    def add(self, other: _Waiting) -> None:
        """What came after this."""
        for second, bars in other.bars.items():
            self.add_bars(second, bars)
        self.events.extend(other.events)
        self.tracks.update(other.tracks)
        self.notes.update(other.notes)

    def add_bars(self, second: int, bars: Bars) -> None:
        """All bars of a second, as they are now."""
        before = self.bars.get(second)
        self.count += len(bars) - (0 if before is None else len(before))
        self.bars[second] = bars

    def drop(self, second: int) -> Bars:
        """Let go of a second."""
        gone = self.bars.pop(second)
        self.count -= len(gone)
        return gone


class _Condition(NamedTuple):
    """The state of an archive and why: as in ``ArchiveStatus``."""

    state: ArchiveState
    trouble: ArchiveTrouble = ArchiveTrouble.NONE
    detail: str = ""

    def __str__(self) -> str:
        why = ": ".join(filter(None, (self.trouble, self.detail)))
        return f"{self.state} ({why})" if why else str(self.state)


class Recorder:
    """Writes one source's history into the archive at ``path``, for as long as it runs.

    One recorder writes a file at a time, whatever the number of processes: the next one waits for
    the file to be free, and says so. One that does not ``take_over`` gives up where that lasts:
    what it would write does not go on from what lies there. Bars older than ``bars_days`` and
    events older than ``events_days``, both counted from the newest bar, are let go.
    """

    def __init__(
        self,
        path: Path,
        *,
        bars_days: float = 7.0,
        events_days: float = 90.0,
        takes_over: bool = True,
        retry_sec: float = RETRY_SEC,
        patience_sec: float = PATIENCE_SEC,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.path = path
        self._bars_sec = bars_days * DAY_SEC
        self._events_sec = events_days * DAY_SEC
        self._patience_sec = math.inf if takes_over else patience_sec
        self._retry_sec = retry_sec
        self._most_waiting = most_waiting
        # Guards everything below that several threads touch, and wakes the writer.
        self._changed = threading.Condition()
        self._waiting = _Waiting()
        self._in_hand = _Waiting()  # what the writer is writing
        self._is_stopping = False
        self._is_suspect = False
        self._condition = _Condition(ArchiveState.STARTING)
        self._written = {"bars": 0, "events": 0}
        self._lost = {"bars": 0, "events": 0}
        self._lost_span: tuple[int, int] | None = None
        self._set_aside: list[str] = []
        self._notes: dict[str, str] = {}  # for every file that is begun

        # The writer's own.
        self._lock = FileLock(f"{path}.lock")
        self._connection: sqlite3.Connection | None = None
        self._refused_at: float | None = None  # when another process was found to write it
        self._counted: OrderedDict[int, int] = OrderedDict()  # bars of the last seconds written
        self._opened: tuple[int, int] | None = None  # which file that is: device and number
        self._tidied_at = -TIDY_SEC
        self._thread = threading.Thread(target=self._run, name="market-pulse-archive", daemon=True)
        self.ready = threading.Event()
        """Set when the file was opened, or could not be: it may be read from now on."""

    # For the worker and the pages.

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, close the file and end the thread; may be called again."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def put(
        self,
        bars: Bars,
        events: Sequence[Event] = (),
        tracks: Iterable[Track] = (),
        notes: dict[str, str] | None = None,
    ) -> None:
        """Take what is to be written soon; never waits for the file."""
        with self._changed:
            self._notes.update(notes or {})
            waiting = self._waiting
            for second, part in _by_second(bars):
                waiting.add_bars(second, part)
            waiting.events.extend(events)
            waiting.tracks.update(
                {(track.event.symbol, track.event.kind): track for track in tracks}
            )
            waiting.notes.update(notes or {})
            if self._condition.state is ArchiveState.READING_ONLY:
                self._keep_overlap()  # another process records the same
                return
            self._make_room()
            if waiting:
                self._changed.notify_all()

    def suspect(self) -> None:
        """A reader found the file damaged: the writer is to look at it."""
        with self._changed:
            self._is_suspect = True
            self._changed.notify_all()

    def flush(self, timeout_sec: float = 10.0) -> bool:
        """Wait until all that was put is written; whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._in_hand, timeout_sec
            )

    def status(self) -> ArchiveStatus:
        """What is true now, except how far the archive goes back: a reader's question."""
        with self._changed:
            state, trouble, detail = self._condition
            is_reading = state is ArchiveState.READING_ONLY
            begin, end = self._lost_span or (None, None)
            return ArchiveStatus(
                state=state,
                trouble=trouble,
                detail=detail,
                file=self.path.name,
                bars=self._written["bars"],
                events=self._written["events"],
                waiting=0 if is_reading else self._waiting.count + self._in_hand.count,
                lost=self._lost["bars"],
                lost_events=self._lost["events"],
                lost_from=begin,
                lost_to=end,
                set_aside=tuple(self._set_aside),
            )

    # The thread.

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                is_open = self._connection is not None or self._open()
                self.ready.set()
                if is_open and self._writes():
                    self._wait_for_work()
                else:
                    self._rest(self._retry_sec)
            if self._connection is not None or self._open():
                self._writes()
        except Exception:
            # The feeds go on without it, and the page says so.
            _logger.exception("the archive's writer crashed")
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.CRASHED)
        finally:
            self.ready.set()
            self._close()
            self._lock.release(force=True)  # however often it was opened anew

    def _open(self) -> bool:
        """Get hold of the file; whether that went well."""
        refused_at = self._refused_at
        if refused_at is not None and time.monotonic() - refused_at > self._patience_sec:
            self._set_condition(ArchiveState.READING_ONLY, ArchiveTrouble.OTHER_WENT_ON)
            return False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not Path(self._lock.lock_file).exists():
                self._lock.release(force=True)  # it went with its folder: nobody else sees it
            self._lock.acquire(timeout=0)
        except Timeout:
            self._refused_at = time.monotonic() if refused_at is None else refused_at
            self._set_condition(ArchiveState.READING_ONLY, ArchiveTrouble.OTHER_WRITES)
            return False
        except OSError as error:
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.FOLDER, _answer(error))
            return False
        self._refused_at = None
        for _ in range(2):  # a damaged file is set aside, and another begun
            try:
                self._connection = connect(self.path)
                self._opened = self._found()
            except ArchiveError as error:
                self._fail(error)
                if not error.is_damaged:
                    return False
            else:
                with self._changed:
                    self._waiting.notes = dict(self._notes)
                if not self._is_in_trouble():  # else not before something is written
                    self._set_condition(ArchiveState.WRITING)
                return True
        return False

    def _found(self) -> tuple[int, int] | None:
        """Which file lies at the path now; None where none does."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _writes(self) -> bool:
        """Write all that waits, in one go; whether that went well."""
        with self._changed:
            taken = self._in_hand = self._waiting
            self._waiting = _Waiting()
            is_suspect, self._is_suspect = self._is_suspect, False
        connection = self._connection
        try:
            with archive_errors(self.path):
                if connection is not None:
                    self._check_place()
                if is_suspect and connection is not None:
                    self._check(connection)
                if connection is not None and (taken or self._is_in_trouble()):
                    self._commit(connection, taken)
        except ArchiveError as error:
            self._put_back()
            self._fail(error)
            return False
        self._set_condition(ArchiveState.WRITING)
        with self._changed:
            self._in_hand = _Waiting()
            self._count(taken)
            self._written["events"] += len(taken.events)
            self._changed.notify_all()
        return True

    def _commit(self, connection: sqlite3.Connection, taken: _Waiting) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for bars in _joined(taken.bars.values()):
                write_bars(connection, bars)
            write_events(connection, taken.events)
            write_tracks(connection, taken.tracks.values())
            for name, value in taken.notes.items():
                write_meta(connection, name, value)
            connection.execute("COMMIT")
        except BaseException:
            # A full disk has rolled back by itself already.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _wait_for_work(self) -> None:
        """Wait for something to write; meanwhile let go of what is too old, step by step."""

        def has_work() -> bool:
            return bool(self._waiting) or self._is_suspect or self._is_stopping

        with self._changed:
            if has_work():
                return
        if time.monotonic() - self._tidied_at >= TIDY_SEC and self._tidies():
            return
        with self._changed:
            due = self._tidied_at + TIDY_SEC - time.monotonic()
            self._changed.wait_for(has_work, max(0.0, due))

    def _tidies(self) -> bool:
        """Take one step of tidying; whether there is another to take."""
        connection = self._connection
        if connection is None:
            return False
        try:
            with archive_errors(self.path):
                self._check_place()
                if self._lets_go(connection):
                    return True
                # Readers may hold the log; then it is the next time's.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except ArchiveError as error:
            self._fail(error)
        self._tidied_at = time.monotonic()
        return False

    def _lets_go(self, connection: sqlite3.Connection) -> bool:
        # Not by the clock: one that is wrong by years would let go of everything. And as a reader
        # finds it: so would a damaged second.
        span = Archive(self.path).span()
        if span is None:
            return False
        # Nor by a bar of such a clock, which is in the future.
        newest = min(span[1], time.time() + DAY_SEC)
        if delete_bars(connection, int(newest - self._bars_sec), _STEP_BARS):
            return True
        delete_events(connection, newest - self._events_sec)
        return release_pages(connection, _STEP_PAGES)

    def _check_place(self) -> None:
        """Raise where the file is no longer at its path: what goes into it, nobody finds."""
        if self._found() != self._opened:
            raise ArchiveError(
                f"{self.path}: it was moved or deleted while it was written: a new one is begun"
            )

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raise where the file, or what lies in it, is damaged."""
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise ArchiveError(f"{self.path}: the file is damaged", is_damaged=True)
        # What is sound to SQLite need not be what was written.
        archive = Archive(self.path)
        archive.span()
        archive.event_span()
        archive.last_prices(_NEVER)
        archive.tracks()
        for read in (archive.blocks(0, _NEVER), archive.events(0, _NEVER)):
            deque(read, maxlen=0)

    # When something goes wrong.

    def _fail(self, error: ArchiveError) -> None:
        """Let go of the file; a damaged one is set aside, and a new one begun."""
        self._close()
        if error.is_damaged:
            self._set_damaged_aside()
        else:
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.FILE, str(error))

    def _set_damaged_aside(self) -> None:
        stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{self.path.stem}.damaged-{stamp}{self.path.suffix}")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(
                f"{self.path.stem}.damaged-{stamp}-{number}{self.path.suffix}"
            )
        try:
            # What was not yet in the file itself belongs to it, under its name.
            for ending in ("-wal", "-shm"):
                side = self.path.with_name(self.path.name + ending)
                if side.exists():
                    side.rename(aside.with_name(aside.name + ending))
            self.path.rename(aside)
        except OSError as error:
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.STUCK, _answer(error))
            return
        with self._changed:
            self._set_aside.append(aside.name)
        _logger.error("the archive %s was damaged and is now %s", self.path.name, aside.name)
        self._set_condition(ArchiveState.STARTING)

    def _put_back(self) -> None:
        with self._changed:
            self._in_hand.add(self._waiting)
            self._waiting, self._in_hand = self._in_hand, _Waiting()
            self._make_room()

    def _make_room(self) -> None:
        """Let the oldest go where too much waits, and count it. Called with the lock held."""
        waiting = self._waiting
        while waiting.count + self._in_hand.count > self._most_waiting and waiting.bars:
            second = next(iter(waiting.bars))
            self._lost["bars"] += len(waiting.drop(second))
            before = self._lost_span or (second, second)
            self._lost_span = min(before[0], second), max(before[1], second)
        while len(waiting.events) > MOST_EVENTS:
            waiting.events.popleft()
            self._lost["events"] += 1

    def _keep_overlap(self) -> None:
        """Let go of what another process has surely written. Called with the lock held."""
        waiting = self._waiting
        since = max(waiting.bars, default=0) - OVERLAP_SEC
        for second in [second for second in waiting.bars if second < since]:
            waiting.drop(second)
        while waiting.events and waiting.events[0].updated_ts < since:
            waiting.events.popleft()

    def _count(self, taken: _Waiting) -> None:
        """Count what was written, each bar once. Called with the lock held."""
        for second, bars in taken.bars.items():
            before = self._counted.get(second, 0)
            self._written["bars"] += max(0, len(bars) - before)
            self._counted[second] = max(before, len(bars))
            self._counted.move_to_end(second)
        while len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, seconds)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _is_in_trouble(self) -> bool:
        return self._condition.state is ArchiveState.TROUBLE

    def _set_condition(
        self, state: ArchiveState, trouble: ArchiveTrouble = ArchiveTrouble.NONE, detail: str = ""
    ) -> None:
        condition = _Condition(state, trouble, detail)
        with self._changed:
            is_new = self._condition != condition
            self._condition = condition
        if is_new:
            level = logging.WARNING if state is ArchiveState.TROUBLE else logging.INFO
            _logger.log(level, "archive %s: %s", self.path.name, condition)


def _answer(error: OSError) -> str:
    """The system's answer, without the path that may be in the error's own text."""
    return error.strerror or type(error).__name__


def _by_second(bars: Bars) -> Iterator[tuple[int, Bars]]:
    seconds, starts = np.unique(bars.cells["second"], return_index=True)
    if len(seconds) == 1:
        yield int(seconds[0]), bars
        return
    for second, cells in zip(seconds.tolist(), np.split(bars.cells, starts[1:]), strict=False):
        yield second, replace(bars, cells=cells.copy())  # not a view, which would keep all of them


def _joined(parts: Iterable[Bars]) -> Iterator[Bars]:
    """In as few pieces as there are sets of symbols in a row."""
    for _, group in groupby(parts, key=lambda bars: bars.symbols):
        alike = list(group)
        cells = np.concatenate([bars.cells for bars in alike])
        yield replace(alike[0], cells=cells[cells["second"].argsort(kind="stable")])
