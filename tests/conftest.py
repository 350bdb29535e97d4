"""Fixtures shared by the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.broker import Broker

# How fast the computer is proves nothing.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

TAPE = Path(os.environ.get("MARKET_PULSE_TAPE", "../shared/data/tape.csv.gz"))
LONGEST_FIRST = (
    *("browser", "members", "relayed_tape", "restart", "ranking", "replay", "five_vendors"),
    *("pulse_store", "put", "worker", "stress_truth", "usual_truth", "archive", "remembering"),
    *("clock_faults", "rules", "rewatching", "server", "killed", "ties", "halts"),
)
"""How the names go on of the files with the tests that take longest."""
IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> NoReturn:
    """Skip because ``what`` is not here; in CI that is a failure."""
    if IN_CI:
        pytest.fail(f"{what} is missing, and CI must not go without it")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def tape_path(pytestconfig: pytest.Config) -> Path:
    """The recorded hour of ticks: MARKET_PULSE_TAPE, or beside the project."""
    path = pytestconfig.rootpath / TAPE
    if not path.exists():
        missing(f"the recorded tape ({TAPE}; set MARKET_PULSE_TAPE to its path)")
    return path


@pytest.fixture(scope="session")
def curl() -> str:
    """The program that the lines for programs call."""
    found = shutil.which("curl")
    if found is None:
        missing("curl")
    return found or ""


@pytest.fixture(scope="session")
def redis_server() -> str:
    """The program that a broker is."""
    found = shutil.which("redis-server")
    if found is None:
        missing("redis-server")
    return found or ""


@pytest.fixture
def broker(redis_server: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, which is up."""
    with Broker(tmp_path / "redis", redis_server) as broker:
        yield broker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that at the end no worker is left alone with it."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem.removeprefix("test_")
        found = (at for at, begin in enumerate(LONGEST_FIRST) if name.startswith(begin))
        return next(found, len(LONGEST_FIRST))

    items.sort(key=place)
