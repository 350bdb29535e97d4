"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_POLL_SEC = 0.02


def until(condition: Callable[[], object], timeout_sec: float = 20.0) -> None:
    """Return when ``condition()`` holds; fail when it has not within ``timeout_sec``."""
    deadline = time.monotonic() + timeout_sec
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_sec:g} s")
        pause.wait(_POLL_SEC)
