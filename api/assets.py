"""Assets: what browsers keep of the page, served packed, with what is needed to ask only once.

Pure ASGI around the page. The page's first answer may be served from here, too.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.etags import is_known
from api.problems import Problem, problem_response

__all__ = ["Assets", "Served", "served"]

FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Of a file whose name tells its contents."""

ASKED: Final = "no-cache"
"""Kept, but only used after asking whether it is still the same."""

_ABSENT: Final = Problem(
    HTTPStatus.NOT_FOUND,
    "there is no such file of the page, expected one that the page names: reload it, it may be of"
    " another version",
)


@dataclass(frozen=True, slots=True)
class Served:
    """A file as it is answered."""

    media_type: str
    body: bytes
    packed: bytes
    """The body by gzip; empty if that takes more."""
    etag: str
    caching: str


def served(media_type: str, body: bytes, *, is_kept: bool) -> Served:
    """A file that is kept for ever, or asked for each time whether it is still the same."""
    packed = gzip.compress(body, mtime=0)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    caching = FOR_EVER if is_kept else ASKED
    return Served(media_type, body, packed if len(packed) < len(body) else b"", etag, caching)


class Assets:
    """Answers what is asked of the page's files, and hands everything else on.

    ``files`` are those by their path below ``base``, under which the page lies; what is asked below
    ``folder`` is nobody else's. Both are asked for when the first request comes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        folder: str,
        files: Callable[[], Mapping[str, Served]],
        base: Callable[[], str],
    ) -> None:
        self._app = app
        self._folder = folder
        self._find = files
        self._base = base
        self._files: Mapping[str, Served] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        response = self._response(scope)
        await (response or self._app)(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        path = self._path(scope)
        if path is None:
            return None
        if self._files is None:
            self._files = self._find()
        file = self._files.get(path)
        if file is not None:
            return _answer(file, Request(scope))
        return problem_response(_ABSENT) if path.startswith(f"{self._folder}/") else None

    def _path(self, scope: Scope) -> str | None:
        """What is asked for below the page; None if it does not lie there."""
        path: str = scope["path"]
        base = self._base().strip("/")
        root = f"/{base}/" if base else "/"
        return path.removeprefix(root) if path.startswith(root) else None


def _answer(file: Served, request: Request) -> Response:
    # Weak, as the same for both forms of the body.
    headers = {"Cache-Control": file.caching, "ETag": f"W/{file.etag}", "Vary": "Accept-Encoding"}
    if is_known(request, file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = file.body
    if file.packed and _takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        body = file.packed
    return Response(body, headers=headers, media_type=file.media_type)


def _takes_gzip(request: Request) -> bool:
    """Whether the client says that it unpacks gzip."""
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, _, quality = part.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return quality.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
