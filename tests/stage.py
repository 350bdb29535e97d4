"""A worker that is open but does not run: the test brings the ticks and the time.

And the type of what starts one that does, for the tests that ``tests.starting`` is a plugin of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from settings import Settings
from ticks import Tick
from worker import Worker

__all__ = ["Start", "play", "staged"]

Start = Callable[..., Worker]


def staged(settings: Settings, **options: Any) -> Worker:
    """A real worker with all its parts, none of which runs; ``options`` are its own."""
    engine = Worker(settings, **options)
    engine.open()
    return engine


def play(engine: Worker, second: int, ticks: Iterable[Tick]) -> None:
    """Let the ticks of a second come, and the second pass without being shown."""
    engine.store.update_many(ticks)
    engine.store.advance(second + 1)
