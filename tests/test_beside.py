"""Beside the page: which paths are the API's, and when it answers."""

from __future__ import annotations

from hashlib import sha256
from types import MappingProxyType
from typing import Final

import pytest
from starlette.responses import PlainTextResponse

from api.beside import Beside, is_ours
from api.hub import Hub
from api.programs import Programs
from engine.status import ApiState
from settings import ApiSettings
from tests.asgi import asked

TOKENS: Final = MappingProxyType({"desk": sha256(b"x" * 40).hexdigest()})


@pytest.mark.parametrize(
    ("path", "base", "is_programs"),
    [
        ("/api", "", True),
        ("/api/v1/frame", "", True),
        ("/metrics", "", True),
        ("//api/v1", "", True),
        ("/", "", False),
        ("/apis", "", False),
        ("/static/api", "", False),
        ("/pulse/api/v1", "", False),
        ("/pulse/api/v1", "/pulse/", True),
        ("/pulse/readyz", "pulse", True),
        ("/readyz", "pulse", True),
        ("/pulse/", "pulse", False),
        ("/pulses/api", "pulse", False),
    ],
)
def test_the_api_lies_beside_the_page(path: str, base: str, is_programs: bool) -> None:
    """Below the same path, if there is one, and at the root, where the health check looks."""
    programs, page = PlainTextResponse("programs"), PlainTextResponse("page")
    beside = Beside(page, programs=programs, base=lambda: base)
    assert asked(beside, path)[1]["body"] == (b"programs" if is_programs else b"page")
    assert is_ours({"type": "http", "path": path, "root_path": ""}, base) == is_programs


def programs(*, is_public: bool) -> Programs:
    """What is answered while nothing runs."""
    return Programs(Hub(), lambda: None, lambda: 0.0, lambda: is_public)


def status(answering: Programs, path: str) -> int:
    """How it is answered."""
    return int(asked(answering, path, ("Host", "localhost"))[0]["status"])


def test_it_is_closed_if_others_can_ask_and_nobody_is_named() -> None:
    """Health aside; metrics too, if they are for everybody; to be opened by a token."""
    answering = programs(is_public=True)
    assert answering.open(ApiSettings()) == ApiState.CLOSED
    assert status(answering, "/api/v1/status") == 503
    assert status(answering, "/api/v1/openapi.json") == 503
    assert status(answering, "/metrics") == 503
    assert b"MARKET_PULSE_API_TOKENS" in asked(answering, "/metrics")[1]["body"]
    assert status(answering, "/livez") == 200

    assert answering.open(ApiSettings(is_metrics_open=True)) == ApiState.CLOSED
    assert b"MARKET_PULSE_API_TOKENS" not in asked(answering, "/metrics")[1]["body"]
    assert status(answering, "/api/v1/openapi.json") == 503

    assert answering.open(ApiSettings(tokens=TOKENS)) == ApiState.OPEN
    assert status(answering, "/api/v1/openapi.json") == 200
    assert status(answering, "/api/v1/status") == 401


def test_it_is_open_to_this_computer_alone() -> None:
    """Without any token."""
    answering = programs(is_public=False)
    assert answering.open(ApiSettings()) == ApiState.OPEN
    assert status(answering, "/api/v1/openapi.json") == 200


def test_it_goes_by_the_settings_of_the_newest_worker() -> None:
    """Which may name other pages than the one before."""
    answering = programs(is_public=True)
    assert not answering.origins
    answering.open(ApiSettings(tokens=TOKENS, origins=("https://friend.example",)))
    assert list(answering.origins) == ["https://friend.example"]
    assert status(answering, "/api/v1/status") == 401
    answering.open(ApiSettings())
    assert not answering.origins
    assert status(answering, "/api/v1/status") == 503
