"""Repeated faults: in the log once a minute, with their count."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import pytest

from engine.repeats import EVERY_SEC, OncePerMinute
from tests.browsing import ROOT


class Log:
    """A console of one logger, with a clock of its own."""

    def __init__(self, name: str) -> None:
        self.now = 1000.0
        self.lines: list[str] = []
        self._due: list[tuple[float, Callable[[], None]]] = []
        self.logger = logging.getLogger(name)
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        handler.addFilter(OncePerMinute(lambda: self.now, self._later))
        self.logger.handlers = [handler]
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._due.append((self.now + seconds, call))

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        due = [each for each in self._due if each[0] <= self.now]
        self._due = [each for each in self._due if each[0] > self.now]
        for _, call in due:
            call()


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Log:
    """A new one."""
    return Log(f"{__name__}.{request.node.name}")


def test_a_storm_is_two_lines_a_minute(log: Log) -> None:
    """The first at once; at the minute's end how often it came since, and so on."""
    for number in range(600):
        log.logger.error("socket %d: too many open files\nat 0x%x", number, 4096 + number)
        log.wait(0.1)
    log.wait(1.0)
    assert log.lines == [
        "socket 0: too many open files\nat 0x1000",
        "socket 1: too many open files (599 times more in the last minute)",
    ]
    log.logger.error("socket 7: too many open files\nat 0x1000")
    assert len(log.lines) == 2
    log.wait(EVERY_SEC)
    assert log.lines[2:] == ["socket 7: too many open files (once more in the last minute)"]
    log.wait(EVERY_SEC)
    log.logger.error("socket 9: too many open files\nat 0x1000")
    assert log.lines[3:] == ["socket 9: too many open files\nat 0x1000"]


def test_different_faults_are_all_told(log: Log) -> None:
    """Other words, another level or another exception is another fault; what is no fault passes."""
    for _ in range(3):
        log.logger.error("the feed crashed")
        log.logger.error("the archive crashed")
        log.logger.warning("the feed crashed")
        log.logger.info("a tab opened")
        for error in (OSError("a"), ValueError("a")):
            log.logger.error("it crashed", exc_info=error)
    assert sorted(set(log.lines)) == [
        "a tab opened",
        "it crashed",
        "the archive crashed",
        "the feed crashed",
    ]
    assert len(log.lines) == 3 + 1 + 2 + 2


def test_what_is_remembered_has_a_bound(log: Log) -> None:
    """However many different faults there are, each new one is told."""
    words = [f"{first}{second}{third}" for first in "ghi" for second in "klmnop" for third in "qrs"]
    names = [f"{one} {other}" for one in words for other in words]
    for name in names:
        log.logger.error(name)
    assert log.lines == names


STORM: Final = """
import logging
from streamlit.logger import get_logger
streamlit = get_logger("streamlit.some.part")
from engine.repeats import tell_repeats_once
tell_repeats_once()
for _ in range(50):
    streamlit.error("the session was not made")
    logging.getLogger("asyncio").error("no file is left")
"""


def test_the_console_of_a_process_tells_a_fault_once() -> None:
    """Whether Streamlit's own logger writes it, or Python's last resort."""
    done = subprocess.run(
        [sys.executable, "-c", STORM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("the session was not made")
    assert lines[1] == "no file is left"


COUNTED: Final = """
import logging
from engine.repeats import tell_repeats_once
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
apart = logging.getLogger("apart")
apart.propagate = False
for logger in (logging.root, apart):
    logger.addHandler(handler)
tell_repeats_once()
for logger in (logging.getLogger("asyncio"), apart):
    for _ in range(3):
        logger.error("no file is left")
print(len(lines))
"""


def test_a_handler_of_the_root_logger_decides_by_itself() -> None:
    """Also of what a logger beside it hands to it."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTED], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["6"]
