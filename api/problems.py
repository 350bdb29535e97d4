"""Problems: errors as ``application/problem+json`` (RFC 9457), in words and without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

__all__ = ["MEDIA_TYPE", "Problem", "ProblemDetails", "problem_response"]

MEDIA_TYPE: Final = "application/problem+json"


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request is not answered."""

    title: str
    status: int
    detail: str
    """What was found, what was expected, what to do."""


class Problem(Exception):  # noqa: N818 - what a client is told, as the standard calls it
    """A request that is not answered: ``status``, why, and headers that say more."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem_response(problem: Problem) -> Response:
    """The answer that says so; nobody keeps it."""
    status = problem.status
    body = ProblemDetails(title=status.phrase, status=status, detail=problem.detail)
    return Response(
        msgspec.json.encode(body),
        status,
        {"Cache-Control": "no-store", **problem.headers},
        MEDIA_TYPE,
    )
