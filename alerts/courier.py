"""Courier: the thread that carries what waits to its destinations, one task for each.

No destination waits for another: each has its own connections, pace and rests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from alerts.apart import apart
from alerts.channel import Answer, Broken, Channel, Delivered, Mail, Outcome, RetryAt, Scope
from alerts.line import Attempt
from alerts.mailing import mail
from alerts.outbox import Outbox
from alerts.pace import Manners
from alerts.posting import Post
from settings.destinations import Destination

__all__ = ["Courier"]

LOOK_SEC: Final = 0.5
"""How often it is looked whether this process is the one that sends."""

_LONGEST_WAIT_SEC: Final = 60.0
"""The clock may be set meanwhile."""

_CRASH_SEC: Final = 1.0
"""How long a task rests that crashed."""

_logger = logging.getLogger(__name__)


class Courier:
    """Carries what waits in ``outbox`` to ``destinations``, each by the channel that speaks to it.

    Whatever goes wrong with one message or destination, the others go on.
    """

    def __init__(
        self,
        outbox: Outbox,
        destinations: Sequence[tuple[Destination, Channel]],
        *,
        clock: Callable[[], float] = time.time,
        manners: Manners | None = None,
        look_sec: float = LOOK_SEC,
    ) -> None:
        self._outbox = outbox
        self._destinations = destinations
        self._clock = clock
        self._manners = manners or Manners()
        self._look_sec = look_sec
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._stopping = asyncio.Event()
        self._last_words: dict[str, str] = {}
        self._news = {each.name: asyncio.Event() for each, _ in destinations}
        self._thread = threading.Thread(target=self._run, name="market-pulse-alerts", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._outbox.wake = self._wake
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is on the way has a moment to arrive. May be called again."""
        self._is_stopping = True
        self._call(self._stopping.set)
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _wake(self) -> None:
        """Have every task look for something to send."""
        for news in self._news.values():
            self._call(news.set)

    def _call(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            # The loop may have ended in between.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(what)

    # The thread.

    def _run(self) -> None:
        # Not by asyncio.run, which would wait for a name to be looked up that nobody answers.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._main())
        except Exception as error:  # noqa: BLE001 - the page goes on without
            _report("all", error)
        finally:
            loop.close()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._is_stopping:
            return
        looking = asyncio.ensure_future(self._look())
        serving = [
            asyncio.ensure_future(self._keep_serving(destination, channel))
            for destination, channel in self._destinations
        ]
        await self._stopping.wait()
        self._wake()
        # What has no message on the way ends at once, and what has one gets a moment.
        await asyncio.wait(serving, timeout=self._manners.end_sec)
        for task in (looking, *serving):
            task.cancel()
        await asyncio.gather(looking, *serving, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            try:
                self._outbox.look()
            except Exception as error:  # noqa: BLE001 - it is looked again
                _report("all", error)
            await asyncio.sleep(self._look_sec)

    async def _keep_serving(self, destination: Destination, channel: Channel) -> None:
        """Serve a destination until the end, whatever crashes meanwhile."""
        while not self._is_stopping:
            try:
                await self._serve(destination, channel)
            except Exception as error:  # noqa: BLE001 - it is served again
                _report(destination.name, error)
                await asyncio.sleep(_CRASH_SEC)

    async def _serve(self, destination: Destination, channel: Channel) -> None:
        """Carry one message after the other to a destination, until the end."""
        news = self._news[destination.name]
        post = Post(
            self._manners.answer_sec,
            is_private=destination.is_private,
            is_insecure=destination.is_insecure,
        )
        async with post:
            while not self._is_stopping:
                news.clear()
                found = self._outbox.next(destination.name)
                if isinstance(found, Attempt):
                    await self._carry(found, destination, channel, post)
                else:
                    wait_sec = min(found, _LONGEST_WAIT_SEC)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(news.wait(), wait_sec)

    async def _carry(
        self, attempt: Attempt, destination: Destination, channel: Channel, post: Post
    ) -> None:
        """Send one message, and know what became of it; if this is cancelled, nobody does."""
        try:
            outcome = await self._outcome(attempt, destination, channel, post)
        except asyncio.CancelledError:
            self._outbox.cut_off(destination.name)
            raise
        except Exception as error:  # noqa: BLE001 - the next message goes on
            # Not its text, which may hold an address.
            _report(destination.name, error)
            outcome = Broken(Scope.MESSAGE, f"it cannot be sent: {type(error).__name__}")
        words = "" if isinstance(outcome, Delivered) else outcome.words
        if words != self._last_words.get(destination.name, ""):
            self._last_words[destination.name] = words
            _logger.warning("alerts to %s: %s", destination.name, words or "it works again")
        self._outbox.finish(destination.name, outcome)

    async def _outcome(
        self, attempt: Attempt, destination: Destination, channel: Channel, post: Post
    ) -> Outcome:
        request = channel.request(attempt.told, self._clock(), late=attempt.late)
        if isinstance(request, Mail):
            answer = await _mailed(request, destination, self._manners.answer_sec)
        else:
            answer = await post.send(request)
        if isinstance(answer, Answer):
            return channel.outcome(answer.status, answer.headers, answer.body, self._clock())
        return answer


async def _mailed(
    request: Mail, destination: Destination, timeout_sec: float
) -> Answer | RetryAt | Broken:
    """Hand over an e-mail, which blocks."""
    return await apart("market-pulse-mail", partial(mail, request, destination, timeout_sec))


def _report(name: str, error: BaseException) -> None:
    """Log the type of an error: its text may hold an address."""
    _logger.error("alerts to %s crashed: %s", name, type(error).__name__)
