"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

HANG_SEC: Final = 120.0
"""What has not come by then will not come. It ends a test that hangs, and is no measure of how fast
anything must be: however busy the computer is, a sound test passes."""

_POLL_SEC: Final = 0.01


def until(condition: Callable[[], object], within_sec: float = HANG_SEC, *, what: str = "") -> None:
    """Return when ``condition()`` holds; fail, saying ``what`` was waited for, if it never does.

    ``within_sec`` is given only if a test is about that time.
    """
    deadline = time.monotonic() + within_sec
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_sec:g} s: {what or condition}")
        pause.wait(_POLL_SEC)
