"""StatusPublisher: makes one status a second, which all readers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.status import Status

__all__ = ["StatusPublisher"]


class StatusPublisher:
    """The newest of what ``make`` returns, made anew every ``every_sec``.

    It is published by one thread, and read from any.
    """

    def __init__(self, make: Callable[[], Status], every_sec: float = 1.0) -> None:
        self._make = make
        self._every_sec = every_sec
        self._newest: Status | None = None

    @property
    def newest(self) -> Status:
        """The status that was published last.

        Raises:
            RuntimeError: if none was published yet.
        """
        if self._newest is None:
            raise RuntimeError("no status was published yet; call publish() first")
        return self._newest

    def publish(self) -> None:
        """Publish the status as it is now."""
        self._newest = self._make()

    async def run(self) -> None:
        """Publish at every full period of the loop's clock, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.publish()
            await asyncio.sleep(self._every_sec - loop.time() % self._every_sec)
