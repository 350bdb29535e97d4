"""Spool: files made for whoever asked, kept for a while in case they ask for the rest.

Any thread may ask. A file is made once for all who ask the same, by the thread that asked first.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["AT_ONCE", "KEPT_SEC", "MOST_BYTES", "BusyError", "Spool", "SpooledFile"]

KEPT_SEC: Final = 600.0
"""A file that nobody asked for in this time is removed."""

AT_ONCE: Final = 4
"""As many files are made at once."""

MOST_BYTES: Final = 500_000_000
"""Beyond it those go that nobody asked for for longest, however short that is."""


class BusyError(Exception):
    """As many files are being made as may be at once."""


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """A file that is whole."""

    path: Path
    size: int
    """In bytes."""
    sha256: str
    """Of its content, in hexadecimal digits."""


@dataclass(slots=True)
class _Entry:
    """A file that is made or being made, and when it was last asked for."""

    future: Future[SpooledFile]
    used_at: float


class Spool:
    """Files by the questions they answer, in a temporary folder that goes when this does.

    ``clock`` is a steady one.
    """

    def __init__(
        self,
        *,
        kept_sec: float = KEPT_SEC,
        at_once: int = AT_ONCE,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept_sec = kept_sec
        self._most_bytes = most_bytes
        self._clock = clock
        self._room = threading.Semaphore(at_once)
        # Guards the entries, the number of the next file, and the folder.
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._made = 0
        self._folder: Path | None = None

    def file(self, question: Hashable, make: Callable[[Path], None]) -> SpooledFile:
        """The file that answers a question; ``make`` writes it to a path if there is none.

        What ``make`` raises is raised to all who wait for it, and the next one to ask tries again.

        Raises:
            BusyError: if as many files are being made as may be.
            OSError: if the folder cannot be made or read.
        """
        with self._lock:
            now = self._clock()
            self._remove_unused(now, self._most_bytes)
            entry = self._entries.get(question)
            if entry is not None:
                entry.used_at = now
            elif not self._room.acquire(blocking=False):
                raise BusyError
            else:
                mine = self._entries[question] = _Entry(Future(), now)
        if entry is not None:
            return entry.future.result()
        try:
            mine.future.set_result(self._make(make))
        except BaseException as error:
            with self._lock:
                del self._entries[question]
            mine.future.set_exception(error)
            raise
        finally:
            self._room.release()
        return mine.future.result()

    def _make(self, make: Callable[[Path], None]) -> SpooledFile:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="market-pulse-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._made += 1
            path = self._folder / str(self._made)
        make(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SpooledFile(path, path.stat().st_size, digest)

    def _remove_unused(self, now: float, room: int) -> None:
        """Remove what nobody asked for in time, and of the rest what finds no room."""
        whole = [(asked, entry) for asked, entry in self._entries.items() if entry.future.done()]
        for question, entry in sorted(whole, key=lambda each: -each[1].used_at):
            found = entry.future.result()
            room -= found.size
            if room < 0 or entry.used_at < now - self._kept_sec:
                del self._entries[question]
                found.path.unlink(missing_ok=True)
