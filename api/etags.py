"""ETags: whether who asks has the answer already, which Starlette leaves to those who answer."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["is_known", "not_modified"]


def is_known(request: Request, etag: str) -> bool:
    """Whether the header ``If-None-Match`` names this ETag, or any."""
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    return "*" in known or etag in [part.removeprefix("W/") for part in known]


def not_modified(etag: str) -> Response:
    """The answer to who has it."""
    headers = {"Cache-Control": "no-store", "ETag": etag}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
