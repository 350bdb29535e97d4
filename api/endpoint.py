"""Endpoint: what is the same for every request, before it is answered and if it is not.

Whoever asks shows a token, asks by GET or HEAD, and asks not too often. What answers runs in a
thread, so that it never holds up the loop, on which the streams of all clients live.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.asked import Asked
from api.auth import Caller, Refusal, bearer, is_local, who_may
from api.facts import Facts
from api.limits import Limits
from api.problems import Problem, problem_response

__all__ = ["Door", "Endpoint", "json_response"]

_logger = logging.getLogger(__name__)

_METHODS: Final = ("GET", "HEAD")

_AT_ONCE: Final = 4
"""So many answers are computed at once: more would only take turns, the worker's thread too."""

_REFUSED: Final = {
    Refusal.WANTED: "there is no token, expected a header Authorization: Bearer TOKEN",
    Refusal.WRONG: "the token is not known, expected one of MARKET_PULSE_API_TOKENS or a JSON web"
    " token signed with the key of this dashboard: check it",
    Refusal.EXPIRED: "the token has expired or is not valid yet, expected one that is: get a newer",
}


@dataclass(frozen=True, slots=True)
class Door:
    """What every endpoint of a process shares."""

    facts: Facts
    limits: Limits = field(default_factory=Limits)
    steady_clock: Callable[[], float] = time.monotonic
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, "market-pulse-api")
    )
    """Where answers are computed."""

    def caller(self, scope: Scope, authorization: str | None) -> Caller | Refusal:
        """Who asks, or why not."""
        facts = self.facts
        return who_may(
            facts.settings, bearer(authorization), facts.clock(), is_local=is_local(scope)
        )

    def admit(self, request: Request) -> str:
        """The name of who asks; a ``Problem`` if they may not, or ask too often."""
        caller = self.caller(request.scope, request.headers.get("authorization"))
        if isinstance(caller, Refusal):
            wrong = "" if caller is Refusal.WANTED else ' error="invalid_token"'
            raise Problem(
                HTTPStatus.UNAUTHORIZED, _REFUSED[caller], {"WWW-Authenticate": f"Bearer{wrong}"}
            )
        wait = self.limits.take(caller.name, self.steady_clock())
        if wait:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "more requests came with this token than 60 a second, expected fewer:"
                f" wait {math.ceil(wait)} s",
                {"Retry-After": str(math.ceil(wait))},
            )
        return caller.name


class Endpoint:
    """One endpoint, as ASGI wants it: ``answer`` with its ``parameters``.

    One that is open needs no token. A light one is answered at once, and not in a thread; a long
    one in a thread of its own, so that no other waits for it.
    """

    def __init__(
        self,
        door: Door,
        answer: Callable[[Asked], Response],
        parameters: Sequence[str] = (),
        *,
        is_open: bool = False,
        is_light: bool = False,
        is_long: bool = False,
    ) -> None:
        self._door = door
        self._answer = answer
        self._parameters = tuple(parameters)
        self._is_open = is_open
        self._is_light = is_light
        self._is_long = is_long

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except Problem as problem:
            response = problem_response(problem)
        except Exception:
            # Its words may tell of files and settings, so they are for the log alone.
            _logger.exception("%s could not be answered", scope["path"])
            response = problem_response(
                Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of ours: the log says which")
            )
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method not in _METHODS:
            raise Problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"the method is not {' or '.join(_METHODS)}: there is nothing to write",
                {"Allow": ", ".join(_METHODS)},
            )
        name = "" if self._is_open else self._door.admit(request)
        asked = Asked(self._door.facts, request, name)
        asked.check(self._parameters)
        if self._is_light:
            return self._answer(asked)
        if self._is_long:
            return await run_in_threadpool(self._answer, asked)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._door.threads, self._answer, asked)


_encoder: Final = msgspec.json.Encoder()


def json_response(
    value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A record as JSON, in which what is not known is null; nobody keeps it."""
    return Response(
        _encoder.encode(value),
        status,
        {"Cache-Control": "no-store"} | (headers or {}),
        "application/json",
    )
