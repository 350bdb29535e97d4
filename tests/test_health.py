"""Health: three questions, each of which can be answered with no, for its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from api.facts import Facts
from api.hub import Hub
from api.routes import routes
from engine.reader import Reader
from engine.status import Status
from history.archive import Archive
from settings import ApiSettings, Settings, SourceSettings
from tests.api_server import ApiServer, Got
from tests.stage import staged
from worker import Worker

NOW = 1_790_000_000.0
SETTINGS = Settings(SourceSettings("simulated", seed=1))


@dataclass
class Engine:
    """A worker that does not run, and what is said of it."""

    worker: Worker
    is_alive: bool = True

    @property
    def reader(self) -> Reader:
        return self.worker.reader

    @property
    def archive(self) -> Archive | None:
        return self.worker.archive

    def status(self) -> Status:
        return self.worker.status()

    def alive(self) -> bool:
        return self.is_alive


@dataclass
class Behind:
    """What is behind the API, as a test sets it."""

    engine: Engine | None = None
    now: float = NOW
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        self.facts = Facts(lambda: self.engine, ApiSettings(), lambda: self.now)


@pytest.fixture
def behind() -> Behind:
    """A worker at NOW that has shown nothing yet."""
    found = Behind()
    found.engine = Engine(staged(SETTINGS, clock=lambda: found.now))
    return found


@pytest.fixture
def server(behind: Behind) -> Iterator[ApiServer]:
    """Its API."""
    with ApiServer(routes(behind.facts, Hub())) as served:
        yield served


def said(got: Got) -> tuple[int, str, str]:
    """The status, the verdict and the reason of an answer."""
    assert got.headers["content-type"] == "application/json"
    assert got.headers["cache-control"] == "no-store"
    return got.status, got.json["status"], got.json["detail"]


def show(behind: Behind, second: float) -> None:
    """Let a second be shown."""
    assert behind.engine is not None
    behind.engine.worker.heartbeat.show(int(second))


def test_ready_is_who_has_shown_a_second(behind: Behind, server: ApiServer) -> None:
    """Before that the proxy asks again soon, and nobody begins this process anew."""
    early = server.get("/readyz")
    assert said(early) == (503, "fail", "no second is shown yet")
    assert int(early.headers["retry-after"]) > 0
    assert said(server.get("/livez")) == (200, "pass", "")
    show(behind, NOW)
    assert said(server.get("/readyz")) == (200, "pass", "")


def test_a_long_past_is_waited_for(behind: Behind, server: ApiServer) -> None:
    """What restores hours for minutes is not hung."""
    behind.now += 600
    assert said(server.get("/livez")) == (200, "pass", "")


def test_alive_is_whose_seconds_keep_up(behind: Behind, server: ApiServer) -> None:
    """With their own clock."""
    show(behind, NOW)
    behind.now = NOW + 30
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.now = NOW + 32
    hung = (503, "fail", "the newest second is 31 s behind its clock")
    assert said(server.get("/livez")) == hung
    assert said(server.get("/readyz")) == hung


def test_dead_is_whose_thread_has_ended(behind: Behind, server: ApiServer) -> None:
    """Whatever it showed."""
    show(behind, NOW)
    assert behind.engine is not None
    behind.engine.is_alive = False
    dead = (503, "fail", "the worker's thread has ended")
    assert said(server.get("/livez")) == dead
    assert said(server.get("/readyz")) == dead


def test_without_an_engine_nothing_is_ready_and_nothing_to_begin_anew(
    behind: Behind, server: ApiServer
) -> None:
    """The page says which setting is wrong, which another start would not change."""
    behind.engine = None
    assert said(server.get("/livez")) == (200, "pass", "")
    assert said(server.get("/readyz"))[:2] == (503, "fail")
