"""Recorder: the thread that writes what happens into an archive, and keeps that file in order.

The worker hands it bars, events and what the detector remembers, and never waits for it; the pages
ask for its status. Whatever happens to the file, the feeds go on: what cannot be written waits, and
what is lost for lack of room is counted. The system's clock only says when to try again, what to
name a damaged file and which bars cannot be true; the age of a bar is counted from the newest one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from bars import Bars, Begin, Minutes
from events import Event, Remembered
from history.backlog import Backlog
from history.deliveries import Delivery, Mute
from history.losses import LeftOut
from history.salvage import copy_sound, delete_archive
from history.schema import ArchiveError
from history.writer import Writer

__all__ = ["DAY_SEC", "ArchiveState", "ArchiveStatus", "ArchiveTrouble", "Recorder", "SetAside"]

DAY_SEC: Final = 86_400

RETRY_SEC: Final = 5.0
"""How long to wait before trying again to write a file that could not be written."""

TIDY_SEC: Final = 600.0
"""How often what is too old is deleted."""

MOST_WAITING: Final = 1_000_000
"""The most bars that wait for a file that cannot be written: 32 MB, hours of a usual watchlist."""

PATIENCE_SEC: Final = 30.0
"""How long a recorder that does not take over waits all the same: its predecessor may be about to
end."""

_logger = logging.getLogger(__name__)


class ArchiveState(StrEnum):
    """What is being done with an archive."""

    OFF = "off"
    STARTING = "starting"
    CHECKING = "checking"
    """Its last writer did not close it, so it is read through before it is written on."""
    MENDING = "mending"
    """It is damaged, and what is sound is copied into a new file."""
    WRITING = "writing"
    READING_ONLY = "reading only"
    TROUBLE = "trouble"


class ArchiveTrouble(StrEnum):
    """Why an archive is not written; whoever shows it finds the words."""

    NONE = ""
    OTHER_WRITES = "other writes"
    """Another process writes the file; this one takes over when that ends."""
    OTHER_WENT_ON = "other went on"
    """Another process was writing it when this one began, and their prices differ."""
    FOLDER = "folder"
    """Its folder cannot be written: ``detail`` is the system's answer."""
    FILE = "file"
    """The file cannot be read or written: ``detail`` says what was found and what to do."""
    STUCK = "stuck"
    """It is damaged and cannot be set aside: ``detail`` is the system's answer."""
    CRASHED = "crashed"
    """The writer's thread crashed."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A damaged file that another was made of."""

    name: str
    left_out: LeftOut | None
    """What that other one lacks; None: everything, because nothing could be read."""


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
    """Bars, and states of events, that were dropped for lack of room."""
    lost_deliveries: int = 0
    """States of deliveries, likewise: a restart may repeat or forget them."""
    lost_from: int | None = None
    lost_to: int | None = None
    """The first and the last second that lost bars."""
    set_aside: tuple[SetAside, ...] = ()
    """Damaged files, which are kept under other names."""
    oldest: int | None = None
    """The first second that the archive knows; None until a reader asks for it."""


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
    the file to be free, and says so. One that does not take over gives up after ``patience_sec``:
    what it would write does not continue what is already there. Bars older than ``bars_days`` and
    events older than ``events_days``, both counted from the newest bar, are deleted.
    """

    def __init__(
        self,
        path: Path,
        *,
        bars_days: float,
        events_days: float,
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
        # Guards every change to the five below, and wakes the thread.
        self._changed = threading.Condition()
        self._backlog = Backlog(most_waiting)
        self._is_stopping = False
        self._check_requested = False
        self._condition = _Condition(ArchiveState.STARTING)
        self._set_aside: list[SetAside] = []

        # The thread's own.
        self._writer = Writer(path)
        self._is_damaged = False  # and to be mended before anything is written
        self._refused_at: float | None = None  # when another process was found to write it
        self._tidied_at = -TIDY_SEC
        self._thread = threading.Thread(target=self._run, name="market-pulse-archive", daemon=True)
        self.ready = threading.Event()
        """Set once the file was opened, or could not be: it may be read from now on."""

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

    def record(
        self,
        bars: Bars,
        events: Sequence[Event] = (),
        tracks: Iterable[Remembered] = (),
        meta: Mapping[str, str] | None = None,
        minutes: Minutes | None = None,
        begins: Iterable[Begin] = (),
        *,
        new_deliveries: Sequence[Delivery] = (),
        deliveries: Sequence[Delivery] = (),
        mutes: Iterable[Mute] = (),
    ) -> None:
        """Have all of this written soon, the values under their names; never waits for the file.

        What is handed over together is written in one transaction. ``new_deliveries`` are what is
        to be told of the events: one that is in the file already stays as it is, even if it comes
        again after a restart. ``deliveries`` are what became of some, and replace what the file has
        of them. What still has to be told, the mutes and the values of ``meta`` are written into
        every file that is begun from now on.
        """
        with self._changed:
            self._backlog.add(
                bars,
                minutes or Minutes.empty(),
                events,
                tracks,
                meta or {},
                begins,
                new_deliveries=new_deliveries,
                deliveries=deliveries,
                mutes=mutes,
            )
            if self._condition.state is ArchiveState.READING_ONLY:
                self._backlog.drop_old()  # another process records the same
                return
            self._backlog.make_room()
            if self._backlog.has_waiting:
                self._changed.notify_all()

    def request_check(self) -> None:
        """Have the file checked because a reader found it damaged."""
        with self._changed:
            self._check_requested = True
            self._changed.notify_all()

    def flush(self, timeout_sec: float = 10.0) -> bool:
        """Wait until everything handed over is written; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._backlog.is_empty, timeout_sec)

    def status(self) -> ArchiveStatus:
        """What is true now, except how far the archive goes back: a reader's question."""
        with self._changed:
            state, trouble, detail = self._condition
            backlog = self._backlog
            first, last = backlog.lost_span or (None, None)
            return ArchiveStatus(
                state=state,
                trouble=trouble,
                detail=detail,
                file=self.path.name,
                bars=backlog.written_bars,
                events=backlog.written_events,
                waiting=0 if state is ArchiveState.READING_ONLY else backlog.bar_count,
                lost=backlog.lost_bars,
                lost_events=backlog.lost_events,
                lost_deliveries=backlog.lost_deliveries,
                lost_from=first,
                lost_to=last,
                set_aside=tuple(self._set_aside),
            )

    # The thread.

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                is_open = self._writer.is_open or (not self._is_damaged and self._open())
                self.ready.set()  # it is read while it is checked or mended
                if self._is_damaged:
                    is_open = self._mend()
                if is_open and self._check() and self._write():
                    self._wait_for_work()
                elif not self._is_damaged or self._is_in_trouble():
                    self._rest(self._retry_sec)
            # Into a damaged one too: what is sound will be copied by the next to open it.
            if self._writer.is_open or self._open():
                self._write()
        except Exception:
            # The feeds go on without it, and the page says so.
            _logger.exception("the archive's writer crashed")
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.CRASHED)
        else:
            self._writer.close(is_sound=not (self._writer.is_unclean or self._is_damaged))
        finally:
            self.ready.set()
            self._writer.close()
            self._writer.release()

    def _open(self) -> bool:
        """Get hold of the file; returns whether that went well."""
        refused_at = self._refused_at
        if refused_at is not None and time.monotonic() - refused_at > self._patience_sec:
            self._set_condition(ArchiveState.READING_ONLY, ArchiveTrouble.OTHER_WENT_ON)
            return False
        try:
            if not self._writer.acquire():
                self._refused_at = time.monotonic() if refused_at is None else refused_at
                self._set_condition(ArchiveState.READING_ONLY, ArchiveTrouble.OTHER_WRITES)
                return False
        except OSError as error:
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.FOLDER, _answer(error))
            return False
        self._refused_at = None
        try:
            self._writer.open()
        except ArchiveError as error:
            self._give_up(error)
            return False
        with self._changed:
            self._backlog.add_lasting()
        if not self._is_in_trouble():  # trouble lasts until something is written
            is_sound = not (self._writer.is_unclean or self._is_damaged)
            self._set_condition(ArchiveState.WRITING if is_sound else ArchiveState.CHECKING)
        return True

    def _check(self) -> bool:
        """Check the file, if there is reason to; returns whether it may be written on."""
        with self._changed:
            is_requested, self._check_requested = self._check_requested, False
        if not (is_requested or self._writer.is_unclean):
            return True
        if not self._is_in_trouble():
            self._set_condition(ArchiveState.CHECKING)
        try:
            if self._writer.check_content(lambda: self._is_stopping):
                self._writer.is_unclean = False
        except ArchiveError as error:
            self._give_up(error)
            return False
        return True

    def _mend(self) -> bool:
        """Make a new file of what is sound in the damaged one, which is set aside.

        Returns whether the new one is open.
        """
        if not self.path.exists():
            self._is_damaged = False
            return self._open()
        if not self._is_in_trouble():
            self._set_condition(ArchiveState.MENDING)
        made = self.path.with_name(f".{self.path.name}.mending")
        try:
            left_out = copy_sound(self.path, made, lambda: self._is_stopping)
        except ArchiveError as error:
            # Of the new file, not of the damaged one: a full disk, say.
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.FILE, str(error))
            return False
        if self._is_stopping:
            delete_archive(made)
            return False
        try:
            name = self._writer.set_aside(time.time())
            if left_out is not None:
                made.rename(self.path)
        except OSError as refusal:
            delete_archive(made)
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.STUCK, _answer(refusal))
            return False
        self._is_damaged = False
        with self._changed:
            self._set_aside.append(SetAside(name, left_out))
            self._check_requested = False  # of the file that is gone
        _logger.error("the archive %s was damaged and is now %s", self.path.name, name)
        self._set_condition(ArchiveState.STARTING)
        return self._open()

    def _write(self) -> bool:
        """Write all that waits, in one go; returns whether that went well."""
        with self._changed:
            batch = self._backlog.begin_batch()
        try:
            self._writer.check_place()
            if batch or self._is_in_trouble():
                self._writer.write(batch)
        except ArchiveError as error:
            with self._changed:
                self._backlog.return_batch()
            self._give_up(error)
            return False
        self._set_condition(ArchiveState.WRITING)
        with self._changed:
            self._backlog.finish_batch()
            self._changed.notify_all()
        return True

    def _wait_for_work(self) -> None:
        """Wait for something to write; meanwhile delete what is too old, step by step."""

        def has_work() -> bool:
            return self._backlog.has_waiting or self._check_requested or self._is_stopping

        with self._changed:
            if has_work():
                return
        if time.monotonic() - self._tidied_at >= TIDY_SEC and self._tidy():
            return
        with self._changed:
            due = self._tidied_at + TIDY_SEC - time.monotonic()
            self._changed.wait_for(has_work, max(0.0, due))

    def _tidy(self) -> bool:
        """Take one step of tidying; returns whether there is another to take."""
        try:
            # A bar that is later than that was stamped by a wrong clock.
            latest = time.time() + DAY_SEC
            if self._writer.tidy(self._bars_sec, self._events_sec, latest):
                return True
        except ArchiveError as error:
            self._give_up(error)
        self._tidied_at = time.monotonic()
        return False

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping, seconds)

    # When something goes wrong.

    def _give_up(self, error: ArchiveError) -> None:
        """Close the file; if it is damaged, it is mended next."""
        self._writer.close()
        if error.is_damaged:
            self._is_damaged = True
            self._set_condition(ArchiveState.MENDING)
        else:
            self._set_condition(ArchiveState.TROUBLE, ArchiveTrouble.FILE, str(error))

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
