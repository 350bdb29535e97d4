"""The fixture that starts workers with an archive: a plugin, which each of their modules names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from settings import HistorySettings, Settings, SourceSettings
from tests.stage import Start
from tests.waiting import HANG_SEC
from worker import Worker

SIMULATED: Final = SourceSettings("simulated")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts workers that are stopped after the test; their archives share a folder."""
    started: list[Worker] = []

    def start(
        source: SourceSettings = SIMULATED, *, is_kept: bool = True, **options: Any
    ) -> Worker:
        history = HistorySettings(folder=tmp_path / "data" if is_kept else None)
        engine = Worker(Settings(source, history=history), **options)
        started.append(engine)
        engine.start()
        assert engine.ready.wait(HANG_SEC)
        return engine

    yield start
    for engine in started:
        engine.stop()
