"""Errands: what has to wait for a disk is done beside the loop that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["Errands"]

_T = TypeVar("_T")


class Errands:
    """What has to wait for a disk: it is done by ``pool``, and then ``wake`` is called."""

    def __init__(self, pool: Executor, wake: Callable[[], None]) -> None:
        self._pool = pool
        self._wake = wake

    def run(self, what: Callable[[], _T]) -> asyncio.Future[_T]:
        """Have something done; what it returns or raises is in the future."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, what)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: asyncio.Future[_T]) -> None:
        if not future.cancelled():
            future.exception()  # whoever asked may have gone, and nobody is to be told then
        self._wake()
