"""Apart: what blocks, done in a thread of its own, for which nobody waits at the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

__all__ = ["apart"]

_T = TypeVar("_T")


def apart(name: str, work: Callable[[], _T]) -> asyncio.Future[_T]:
    """What ``work`` returns or raises, from a thread called ``name``; to be called on a loop.

    A pool of threads would be full of those that hang, and would be waited for at the end.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[_T] = loop.create_future()
    # An error that nobody waits for any more is none.
    told.add_done_callback(lambda done: done.cancelled() or done.exception())

    def tell(end: Callable[[], None]) -> None:
        if not told.done():
            end()

    def run() -> None:
        end: Callable[[], None]
        try:
            end = partial(told.set_result, work())
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            end = partial(told.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, end)

    threading.Thread(target=run, name=name, daemon=True).start()
    return told
