"""Behind the page: the process's worker, and the programs that are told of each of its seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

import worker
from api.hub import Hub
from api.programs import Programs
from engine.heartbeat import Subscriber
from settings import Settings, load
from ticks import MarketPulseError

__all__ = ["Behind"]

_logger = logging.getLogger(__name__)


class Behind:
    """Begins the process's worker, and answers programs on ``loop``.

    ``is_public`` says whether others than this computer can ask.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, is_public: Callable[[], bool]) -> None:
        self._hub = Hub()
        self._hub.bind(loop)
        self._programs = Programs(self._hub, worker.current, time.time, is_public)

    def begin(self) -> None:
        """Begin the process's worker; if that fails, the page says why, and tries again."""
        try:
            worker.shared(load, self._make_worker)
        except MarketPulseError as error:
            _logger.error("Market Pulse cannot start: %s", error)  # noqa: TRY400 - a user's error
        # Now that it runs, and nobody who opens the page waits for this.
        self._programs.load()

    def end(self) -> None:
        """End the process's worker."""
        worker.stop_shared()

    def _make_worker(self, settings: Settings) -> worker.Worker:
        """A worker that tells of every second, and says on the page whether there is an API."""
        state = self._programs.open(settings.api)
        told = Subscriber("api", self._hub.receive)
        return worker.Worker(
            settings, subscribers=(told,), api=state, first_page_sec=worker.FIRST_PAGE_SEC
        )

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of other pages that may read."""
        return self._programs.origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a program's request or handshake."""
        await self._programs(scope, receive, send)
