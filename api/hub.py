"""Hub: how the seconds of the worker's thread reach the loop that serves programs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from engine.heartbeat import SecondOver

__all__ = ["Hub"]


class Hub:
    """Hands every second that is over to those who listen, on the loop that serves them.

    ``receive`` is a subscriber of the heartbeat: any thread may call it. All else belongs to the
    thread of the loop. What comes while there is no loop is nobody's: whoever listens begins with
    what is true then.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Callable[[SecondOver], None]] = []

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand on to this loop from now on; called when it begins to serve."""
        self._loop = loop

    def listen(self, listener: Callable[[SecondOver], None]) -> None:
        """Have every second from now on handed to ``listener``, too."""
        self._listeners.append(listener)

    def receive(self, over: SecondOver) -> None:
        """Take a second that is over; returns at once."""
        loop = self._loop
        if loop is not None:
            # The loop may have ended, while the worker goes on for the page.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._hand_on, over)

    def _hand_on(self, over: SecondOver) -> None:
        for listener in self._listeners:
            listener(over)
