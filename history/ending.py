"""Ending: how a command that writes files ends when a signal asks it to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["orderly_end"]


@contextmanager
def orderly_end() -> Iterator[None]:
    """Raise a signal to end as a ``SystemExit`` with the code that shells give to it.

    So what is half written can be taken away. Only the main thread may call it.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # One that is ignored already stays so: nohup wants it.
    before = {
        number: signal.getsignal(number)
        for number in signals
        if signal.getsignal(number) != signal.SIG_IGN
    }

    def end(number: int, frame: FrameType | None) -> None:
        # A second one must not interrupt what the first one tidies up.
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
