"""Supervisor: runs the tasks of one loop, and starts those that crash again."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from engine.status import Fault

__all__ = ["Supervisor"]

_RESTART_CAP_SEC: Final = 60.0

_logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps tasks running whatever they raise, and remembers what crashed.

    No log line of it holds any of the ``secrets``.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(filter(None, secrets))
        self._faults: dict[str, Fault] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The parts that crashed, each with its last error."""
        return tuple(self._faults.values())

    async def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task until it returns or is cancelled; after a crash, once more after a while.

        What wants a thread of an interpreter that ends has not crashed: it waits for its end.
        """
        loop = asyncio.get_running_loop()
        crashes = 0
        while True:
            begun_at = loop.time()
            try:
                await run()
            except (Exception, asyncio.CancelledError) as error:  # whatever it is, the others go on
                if _is_cancelled():
                    raise
                if isinstance(error, RuntimeError) and _interpreter_ends():
                    await loop.create_future()
                crashes = 1 if loop.time() - begun_at > _RESTART_CAP_SEC else crashes + 1
                wait_sec = min(_RESTART_CAP_SEC, 2.0**crashes / 2)
                self.report(name, error, wait_sec)
            else:
                return  # an ended replay, or a feed without symbols
            await asyncio.sleep(wait_sec)

    def report(self, name: str, error: BaseException, wait_sec: float) -> None:
        """Log a crash of the task ``name`` without secrets, and count it."""
        text = "".join(traceback.format_exception(error))
        for secret in self._secrets:
            text = text.replace(secret, "***")
        _logger.error("%s crashed, next try in %g s\n%s", name, wait_sec, text)
        # After the log line: whoever sees the fault can read it up there.
        before = self._faults.get(name)
        count = 1 if before is None else before.count + 1
        self._faults[name] = Fault(name, count, type(error).__name__, time.time())


def _interpreter_ends() -> bool:
    """Whether the interpreter has begun to end: from then on it gives no thread to anybody.

    A daemon thread and its loop go on for a while after that, until they are stopped. Asked by
    wanting a thread: the main one counts as alive until those of the others are done.
    """
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(int)
        except RuntimeError:
            return True
    return False


def _is_cancelled() -> bool:
    """Whether somebody asked the current task to end; else a cancellation is a fault of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
