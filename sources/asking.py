"""Asker: sends the wishes of this process's viewers to whoever collects, by way of the broker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sources.entries import encoded
from sources.relay_records import BrokerError
from sources.relay_status import RelayTrouble
from sources.wishes import Wish

if TYPE_CHECKING:
    from sources.relay import Relay

__all__ = ["Asker"]

_TRIED_SEC: Final = 10.0
"""For so long a wish is tried; later nobody would connect it with what he asked."""

_MOST_WISHES: Final = 100


class Asker:
    """Sends wishes in their order, each until the broker has it, but not for long.

    Any thread may ask; ``run`` belongs to the worker's. A broker that did not answer is asked again
    after ``retry_sec``. ``steady`` is a clock that nobody sets.
    """

    def __init__(
        self, relay: Relay, *, retry_sec: float, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._relay = relay
        self._retry_sec = retry_sec
        self._steady = steady
        self._lock = threading.Lock()  # Guards the wishes and who is told of them.
        self._wishes: deque[tuple[float, Wish]] = deque(maxlen=_MOST_WISHES)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_denied = False
        """Whether the broker's user may only read."""

    def ask(self, wish: Wish) -> None:
        """Send a wish as soon as can be."""
        with self._lock:
            self._wishes.append((self._steady(), wish))
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Send what is asked, until cancelled."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (found := self._next()) is not None:
                    await self._send(*found)
        finally:
            with self._lock:
                self._loop = None

    def _next(self) -> tuple[float, Wish] | None:
        with self._lock:
            return self._wishes.popleft() if self._wishes else None

    async def _send(self, asked_at: float, wish: Wish) -> None:
        while self._steady() - asked_at < _TRIED_SEC:
            try:
                await asyncio.to_thread(self._relay.wish, encoded(wish))
            except BrokerError as error:
                if error.trouble is RelayTrouble.DENIED:
                    self.is_denied = True
                    return
                await asyncio.sleep(self._retry_sec)
            else:
                return
