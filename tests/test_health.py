"""Health: three questions, each of which can be answered with no, for its own reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.hub import Hub
from api.routes import routes
from tests.api_server import ApiServer, Got
from tests.fake_facts import NOW, Behind


@pytest.fixture
def behind() -> Behind:
    """A worker at NOW that has shown nothing yet."""
    return Behind()


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


def test_ready_is_who_has_shown_a_second(behind: Behind, server: ApiServer) -> None:
    """Before that the proxy asks again soon, and nobody begins this process anew."""
    early = server.get("/readyz")
    assert said(early) == (503, "fail", "no second is shown yet")
    assert int(early.headers["retry-after"]) > 0
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.engine.show(NOW)
    assert said(server.get("/readyz")) == (200, "pass", "")


def test_a_long_past_is_waited_for(behind: Behind, server: ApiServer) -> None:
    """What restores hours for minutes is not hung."""
    behind.now += 600
    assert said(server.get("/livez")) == (200, "pass", "")


def test_alive_is_whose_seconds_keep_up(behind: Behind, server: ApiServer) -> None:
    """With their own clock."""
    behind.engine.show(NOW)
    behind.now = NOW + 30
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.now = NOW + 32
    hung = (503, "fail", "the newest second is 31 s behind its clock")
    assert said(server.get("/livez")) == hung
    assert said(server.get("/readyz")) == hung


def test_dead_is_whose_thread_has_ended(behind: Behind, server: ApiServer) -> None:
    """Whatever it showed."""
    behind.engine.show(NOW)
    behind.engine.is_alive = False
    dead = (503, "fail", "the worker's thread has ended")
    assert said(server.get("/livez")) == dead
    assert said(server.get("/readyz")) == dead


def test_without_an_engine_nothing_is_ready_and_nothing_to_begin_anew(
    behind: Behind, server: ApiServer
) -> None:
    """The page says which setting is wrong, which another start would not change."""
    behind.has_engine = False
    assert said(server.get("/livez")) == (200, "pass", "")
    assert said(server.get("/readyz"))[:2] == (503, "fail")
