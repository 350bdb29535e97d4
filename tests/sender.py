"""A process that begins senders of one archive, to be killed: ``python -m tests.sender``.

Each line that it reads begins one by a fork, which costs no imports, and is answered by a line with
its number; the next line comes when that one has ended.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from alerts.desk import Desk
from alerts.ledger import ArchiveLedger
from alerts.pace import Manners
from bars import Bars
from history.archive import Archive
from history.recorder import Recorder
from settings import Destination
from tests.receiver import Hook
from tests.told import event_of
from tests.waiting import HANG_SEC, until

__all__ = ["COUNT", "Senders", "key"]

COUNT: Final = 1000
"""How many events there are."""

NOW: Final = 1_795_000_000.0

_MOST_WAITING: Final = 15
"""The next event comes when fewer wait, so that every sender is killed in the midst of it all."""

_MANNERS: Final = Manners(backoff_sec=0.002, rest_sec=0.002, rest_cap_sec=0.002)


def key(number: int) -> str:
    """What is told of the event with a number."""
    return f"e{number}:began:alert"


def send(path: Path, url: str) -> None:
    """Go on where the archive ends: find the events it lacks, and send all that waits."""
    recorder = Recorder(path, bars_days=7, events_days=90, retry_sec=0.01)
    recorder.start()
    recorder.ready.wait(HANG_SEC)
    archive = Archive(path)
    here = Destination(name="desk", type="webhook", wait_sec=0.0, is_private=True, is_insecure=True)
    desk = Desk([(here, Hook(url=url))], ArchiveLedger(archive, recorder), manners=_MANNERS)
    desk.restore()
    desk.start()
    known = sum(1 for _ in archive.events(0.0, 2 * NOW))
    for number in range(known, COUNT):
        event = event_of(NOW + number, id=f"e{number}")
        deliveries = desk.deliveries_for([event])
        recorder.record(Bars.empty(), [event], new_deliveries=deliveries)
        until(lambda: desk.status().destinations[0].waiting < _MOST_WAITING)
    until(lambda: desk.status().destinations[0].waiting == 0)
    desk.stop()
    recorder.stop()


class Senders:
    """The process that begins them, in use as a context."""

    def __init__(self, path: Path, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sender", str(path), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(HANG_SEC)

    def begin(self) -> int:
        """Begin one; returns its number, of the system."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        return int(self._answer())

    def ended(self) -> int:
        """Wait for its end; returns its status, negative if a signal ended it."""
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _main() -> None:
    path, url = Path(sys.argv[1]), sys.argv[2]
    for _ in sys.stdin:
        child = multiprocessing.get_context("fork").Process(target=send, args=(path, url))
        child.start()
        print(child.pid, flush=True)  # noqa: T201 - the answer
        child.join()
        print(child.exitcode, flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    assert threading.active_count() == 1, "only such a process may fork"
    _main()
