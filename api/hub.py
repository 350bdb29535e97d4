"""Hub: how the seconds of the worker's thread reach the loop that serves programs."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import Protocol

from engine.heartbeat import SecondOver

__all__ = ["Hub", "Listener"]


class Listener(Protocol):
    """Who is told of every second, on the loop's thread."""

    def second_over(self, over: SecondOver) -> None:
        """Take a second that is over."""
        ...


class Hub:
    """Hands every second that is over to those who listen, on the loop that serves them.

    ``receive`` is a subscriber of the heartbeat: any thread may call it. All else belongs to the
    thread of the loop. What comes while there is no loop is nobody's: whoever listens begins with
    what is true then.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        # As long as somebody else holds them: what serves is made anew with other settings.
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand on to this loop from now on; called when it begins to serve."""
        self._loop = loop

    def listen(self, listener: Listener) -> None:
        """Have every second from now on handed to ``listener``, too, for as long as it is there."""
        self._listeners.add(listener)

    def receive(self, over: SecondOver) -> None:
        """Take a second that is over; returns at once."""
        loop = self._loop
        if loop is not None:
            # The loop may have ended, while the worker goes on for the page.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._hand_on, over)

    def _hand_on(self, over: SecondOver) -> None:
        for listener in self._listeners:
            listener.second_over(over)
