"""Repeats: a fault that comes again and again is in the log once a minute, with its count."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["EVERY_SEC", "OncePerMinute", "tell_repeats_once"]

EVERY_SEC: Final = 60.0
"""How often the log tells of the same fault."""

_MOST_FAULTS: Final = 1000
"""The most different faults that are remembered."""

_VARYING: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", re.IGNORECASE)
"""What differs between two lines about the same fault: times, counts, ports, addresses, ids."""

_HEAD: Final = 200
"""So many characters of a line tell which fault it is about."""

_Key = tuple[str, int, str, str]


@dataclass(slots=True)
class _Fault:
    """When a fault was told last, and how often it came since."""

    told_at: float
    more: int = 0


class OncePerMinute(logging.Filter):
    """Lets a warning or an error pass once a minute, then says how often it came.

    Lines are about the same fault if they come from the same logger, at the same level, with the
    same type of exception and, but for numbers, the same words. ``clock`` is a steady one;
    ``later`` calls a function after some seconds. Any thread may log.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._later = later or _later
        self._lock = threading.Lock()  # Guards the faults.
        self._faults: dict[_Key, _Fault] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written now."""
        if record.levelno < logging.WARNING or hasattr(record, "times_more"):
            return True
        key, now = _key(record), self._clock()
        with self._lock:
            fault = self._faults.get(key)
            if fault is None or now - fault.told_at >= EVERY_SEC:
                self._remember(key, now)
                return True
            fault.more += 1
            is_first = fault.more == 1
            wait_sec = fault.told_at + EVERY_SEC - now
        if is_first:
            self._later(wait_sec, lambda: self._tell(key, record))
        return False

    def _remember(self, key: _Key, now: float) -> None:
        if len(self._faults) >= _MOST_FAULTS:
            self._faults = {
                k: fault for k, fault in self._faults.items() if now - fault.told_at < EVERY_SEC
            }
        if len(self._faults) < _MOST_FAULTS:
            self._faults[key] = _Fault(now)

    def _tell(self, key: _Key, record: logging.LogRecord) -> None:
        """Write how often a fault came since it was told; it counts as told by that."""
        with self._lock:
            fault = self._faults.get(key)
            if fault is None or not fault.more:
                return
            more, fault.more, fault.told_at = fault.more, 0, self._clock()
        logging.getLogger(record.name).log(
            record.levelno,
            "%s (%s more in the last minute)",
            record.getMessage().strip().partition("\n")[0],
            "once" if more == 1 else f"{more} times",
            extra={"times_more": more},
        )


def tell_repeats_once() -> None:
    """Have everything that this process logs on its console pass through one ``OncePerMinute``.

    Handlers of the root logger are left alone, even if other loggers have them too: whoever adds
    one wants to decide by themselves.
    """
    once = OncePerMinute()
    handlers = [logging.lastResort] if logging.lastResort else []
    for logger in [*logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            handlers += logger.handlers
    for handler in {*handlers}.difference(logging.root.handlers):
        handler.addFilter(once)


def _key(record: logging.LogRecord) -> _Key:
    kind = record.exc_info[0] if record.exc_info else None
    words = _VARYING.sub("#", record.getMessage()[:_HEAD])
    return record.name, record.levelno, kind.__name__ if kind else "", words


def _later(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
