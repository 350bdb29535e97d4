"""What is behind the API in tests: a worker that does not run, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from api.facts import Facts
from engine.reader import Reader
from engine.status import Status
from history.archive import Archive
from settings import ApiSettings, Settings, SourceSettings
from tests.stage import staged
from worker import Worker

__all__ = ["NOW", "Behind", "Engine"]

NOW = 1_790_000_000.0
"""A Monday in September 2026, 14:13:20 UTC."""

SIMULATED = Settings(SourceSettings("simulated", seed=1))
NOBODY = ApiSettings()


@dataclass
class Engine:
    """A worker that does not run; ``said`` are the fields of its status that differ."""

    worker: Worker
    is_alive: bool = True
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        return self.worker.reader

    @property
    def archive(self) -> Archive | None:
        return self.worker.archive

    def status(self) -> Status:
        return replace(self.worker.status(), **self.said)

    def alive(self) -> bool:
        return self.is_alive

    def show(self, second: float) -> None:
        """Let a second be shown."""
        self.worker.heartbeat.show(int(second))


class Behind:
    """An engine at ``now``, as a test sets it."""

    def __init__(
        self,
        settings: Settings = SIMULATED,
        api: ApiSettings = NOBODY,
    ) -> None:
        self.now = NOW
        self.engine = Engine(staged(settings, clock=lambda: self.now))
        self.has_engine = True
        self.facts = Facts(lambda: self.engine if self.has_engine else None, api, lambda: self.now)
