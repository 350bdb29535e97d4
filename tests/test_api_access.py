"""Who reads the API and who does not, and what nobody ever reads: a token."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jwt
import pytest
from starlette.responses import Response
from starlette.routing import Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.asked import Asked
from api.endpoint import Door, Endpoint, json_response
from api.hub import Hub
from api.limits import Limits
from api.openapi import description
from api.problems import MEDIA_TYPE
from api.routes import routes
from settings import ApiSettings
from tests.api_server import ApiServer, Got
from tests.fake_facts import Behind
from tests.waiting import HANG_SEC

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
OTHER = "another-token-of-somebody-7d1"
KEY = "a-key-of-more-than-sixty-four-characters-that-nobody-but-us-knows"
OPEN = {"/livez", "/readyz", "/healthz", "/api/v1/openapi.json"}
PATHS = sorted(description()["paths"])


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API that wants tokens, of a worker that has shown nothing."""
    known = {"desk": hashlib.sha256(TOKEN.encode()).hexdigest()}
    behind = Behind(api=ApiSettings(tokens=known, jwt_key=KEY))
    # Web tokens end by today's clock.
    facts = replace(behind.facts, clock=time.time)
    with ApiServer(routes(facts, Hub())) as served:
        yield served


def problem(got: Got, status: int) -> str:
    """The words of a problem of this status."""
    assert (got.status, got.headers["content-type"]) == (status, MEDIA_TYPE)
    assert got.headers["cache-control"] == "no-store"
    assert got.json["status"] == status
    detail: str = got.json["detail"]
    return detail


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_open_needs_a_token(server: ApiServer, path: str) -> None:
    """And says how to show one."""
    if path in OPEN:
        assert server.get(path).status in (200, 503)
        return
    got = server.get(path)
    assert "Authorization: Bearer TOKEN" in problem(got, 401)
    assert got.headers["www-authenticate"] == "Bearer"
    assert server.get(path, token=TOKEN).status in (200, 400, 404)
    wrong = server.get(path, token=OTHER)
    assert OTHER not in problem(wrong, 401)
    assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_a_web_token_is_good_until_its_end(server: ApiServer) -> None:
    """By the computer's clock."""
    claims = {"sub": "ann", "aud": "market-pulse", "exp": time.time() + 3600}
    assert server.get("/api/v1/status", token=jwt.encode(claims, KEY)).status == 200
    over = jwt.encode(claims | {"exp": time.time() - 1}, KEY)
    assert "has expired" in problem(server.get("/api/v1/status", token=over), 401)


def test_a_token_in_a_query_is_none(server: ApiServer) -> None:
    """There it would stand in the logs of every proxy."""
    assert problem(server.get(f"/api/v1/status?token={TOKEN}"), 401)
    detail = problem(server.get(f"/api/v1/status?token={TOKEN}", token=TOKEN), 400)
    assert "'token' is unknown" in detail
    assert TOKEN not in detail


@pytest.mark.parametrize("path", PATHS)
def test_there_is_nothing_to_write(server: ApiServer, path: str) -> None:
    """Whoever asks."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        got = server.get(path, method=method, token=TOKEN)
        assert "there is nothing to write" in problem(got, 405)
        assert got.headers["allow"] == "GET, HEAD"
    asked, head = server.get(path, token=TOKEN), server.get(path, method="HEAD", token=TOKEN)
    assert (head.status, head.body) == (asked.status, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/frame",
        "/api/v1/frame/x",
        "//api/v1/frame",
        "/livez/",
        "/metrics/x",
    ],
)
def test_what_there_is_not_is_told_by_any_method(server: ApiServer, path: str) -> None:
    """As a problem, and not by the page; to a handshake, too."""
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        assert f"there is no {path}" in problem(server.get(path, method=method), 404)
    with (
        pytest.raises(InvalidStatus) as raised,
        connect(f"ws://127.0.0.1:{server.port}{path}", proxy=None),
    ):
        pass
    answer = raised.value.response
    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)


def test_the_stream_says_that_it_wants_a_handshake(server: ApiServer) -> None:
    """To whoever comes without one, as through a proxy that does not pass it on."""
    got = server.get("/api/v1/stream", token=TOKEN)
    assert "is a WebSocket, expected its handshake" in problem(got, 426)
    assert (got.headers["upgrade"], got.headers["connection"]) == ("websocket", "Upgrade")


def test_nothing_behind_the_page_is_a_problem_that_may_pass() -> None:
    """Of every endpoint that has something to tell."""
    behind = Behind()
    behind.has_engine = False
    with ApiServer(routes(behind.facts, Hub())) as server:
        for path in PATHS:
            if path.startswith("/api/v1/") and path not in OPEN:
                got = server.get(path)
                assert "nothing runs behind the page" in problem(got, 503)
                assert int(got.headers["retry-after"]) > 0


# Not too often.


def test_a_bucket_fills_again_with_time() -> None:
    """Each name has its own."""
    limits = Limits(per_sec=2.0, burst=3.0)
    assert [limits.take("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limits.take("b", 0.0) == 0.0
    assert limits.take("a", 0.25) == 0.25
    assert limits.take("a", 0.5) == 0.0
    assert [limits.take("a", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_names_that_ask_no_more_are_forgotten() -> None:
    """However many there were; a bucket that is forgotten was full."""
    limits = Limits(per_sec=1.0, burst=1.0)
    for second in range(5000):
        assert limits.take(f"name {second}", float(second)) == 0.0
    assert len(limits) <= 1000


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    """The clock of this test stands still; what is open is for everybody."""
    door = Door(Behind().facts, limits=Limits(per_sec=0.5, burst=2.0), steady_clock=lambda: 7.0)

    def hello(asked: Asked) -> Response:
        return json_response({"name": asked.caller})

    endpoint = Endpoint(door, hello)
    with ApiServer([Route("/hello", endpoint)]) as server:
        assert [server.get("/hello").status for _ in range(2)] == [200, 200]
        refused = server.get("/hello")
        assert "wait 2 s" in problem(refused, 429)
        assert refused.headers["retry-after"] == "2"


def test_who_waits_for_an_answer_holds_up_no_probe() -> None:
    """As many as can be computed at once, and one more."""
    go_on, facts = threading.Event(), Behind().facts

    def slow(asked: Asked) -> Response:
        assert go_on.wait(HANG_SEC)
        return json_response({})

    endpoint = Endpoint(Door(facts), slow)
    served = ApiServer([Route("/slow", endpoint), *routes(facts, Hub())])
    with served as server, ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(server.get, "/slow") for _ in range(5)]
        assert server.get("/livez").status == 200
        assert not any(each.done() for each in waiting)
        go_on.set()
        assert [each.result(HANG_SEC).status for each in waiting] == [200] * 5


# What went wrong with us.


def test_an_error_of_ours_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """But to the log."""

    def broken(asked: Asked) -> Response:
        raise RuntimeError("/home/ann/data is on fire")

    endpoint = Endpoint(Door(Behind().facts), broken)
    with ApiServer([Route("/broken", endpoint)]) as server:
        assert problem(server.get("/broken"), 500) == "an error of ours: the log says which"
    assert "is on fire" in caplog.text


def test_no_token_reaches_a_log(
    server: ApiServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """However much is logged, and whatever is asked."""
    caplog.set_level(logging.DEBUG)
    for token in (TOKEN, OTHER):
        for path in ("/api/v1/status", "/healthz", "/api/v1/nope", "/api/v1/history?symbol=X"):
            server.get(path, token=token)
    said = caplog.text + "".join(capfd.readouterr())
    for secret in (TOKEN, OTHER, KEY, hashlib.sha256(TOKEN.encode()).hexdigest()):
        assert secret not in said
