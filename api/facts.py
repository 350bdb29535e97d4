"""Facts: what the API may ask, whoever answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.reader import Reader
from engine.status import Status
from history.archive import Archive
from settings import ApiSettings

__all__ = ["Engine", "Facts"]


class Engine(Protocol):
    """What runs behind the page, as far as programs may ask it."""

    @property
    def reader(self) -> Reader:
        """What may be asked of any second."""
        ...

    @property
    def archive(self) -> Archive | None:
        """The history of the source; None: none is kept."""
        ...

    def status(self) -> Status:
        """What was true at the last whole second."""
        ...

    def alive(self) -> bool:
        """Whether it runs."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What the API answers with."""

    engine: Callable[[], Engine | None]
    """The process's engine; None while it has none, because its settings are wrong, say."""
    settings: ApiSettings
    clock: Callable[[], float]
    """The computer's, in seconds since the epoch."""
