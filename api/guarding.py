"""Guard: who may ask at all, by the names in a request, and what every answer says to browsers.

Pure ASGI, over HTTP and WebSocket alike, around the page as around the API. By a name that is not
ours a browser asks if somebody has pointed that name to this machine (DNS rebinding); another
page's script sends its origin along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, problem_response

__all__ = ["Guard", "is_allowed_host", "is_allowed_origin"]

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
}
"""With every answer: no guessing of types, no page of others around ours, no address told."""

_FAULT: Final = "an error of ours: the log says which"

_PORTS: Final = {"http": 80, "https": 443}


class Guard:
    """Refuses foreign names and foreign pages with 403, and adds the headers to every answer.

    What fails by our own fault is answered, too, before the error goes on.

    ``hosts`` are the names by which we may be asked, as ``server.allowedHosts`` has them; none: by
    any. ``origins`` are those of other pages that may read. They count for a request that
    ``is_ours``: the page's own connection looks at its origin itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[], Sequence[str]],
        origins: Callable[[], Sequence[str]],
        is_ours: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._is_ours = is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a handshake, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal:
            response = problem_response(Problem(HTTPStatus.FORBIDDEN, refusal))
            await response(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            # Without a word of the error, which is for the log of whoever called us.
            if scope["type"] == "http" and not has_begun:
                response = problem_response(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, _FAULT))
                await response(scope, receive, send_with_headers)
            raise

    def _refusal(self, scope: Scope) -> str:
        """Why the request is refused; empty: it is not. Nothing of it is repeated."""
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        if len(named) > 1 or not is_allowed_host(named[0] if named else None, self._hosts()):
            return (
                "the request's Host is not a name of this server, expected one of"
                " server.allowedHosts: ask by such a name, or add this one there"
            )
        origins = headers.getlist("origin")
        if self._is_ours(scope) and not all(
            is_allowed_origin(origin, named[0] if named else "", self._origins())
            for origin in origins
        ):
            return (
                "the request comes from another page, expected this server's own or one of the"
                " origins in [api]: add the page's origin there if it may read"
            )
        return ""


def is_allowed_host(host: str | None, names: Sequence[str]) -> bool:
    """Whether a Host header names one of ``names``; no ``names``: whether it names anything at all.

    The port counts for nothing; ``*.example.com`` stands for every name below, ``*`` for any.
    """
    if not names:
        return True
    split = _split(f"//{host}") if host is not None else None
    if split is None or split.hostname is None or "@" in split.netloc:
        return False
    if split.path or split.query or split.fragment:
        return False
    name = split.hostname.rstrip(".")
    return any(_matches(name, pattern.strip().lower().rstrip(".")) for pattern in names)


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return pattern in ("*", name)


def is_allowed_origin(origin: str, host: str, others: Sequence[str]) -> bool:
    """Whether a page of ``origin`` may read what was asked of ``host``: its own, or of ``others``.

    The scheme is not compared with ours, which a proxy may have changed.
    """
    asked = _split(origin)
    if asked is None or asked.scheme not in _PORTS or not asked.netloc:
        return False
    own = _split(f"{asked.scheme}://{host}")
    if own is not None and _place(own) == _place(asked):
        return True
    places = (_split(other.strip()) for other in others)
    return any(
        other is not None and other.scheme == asked.scheme and _place(other) == _place(asked)
        for other in places
    )


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it cannot be read."""
    try:
        split = urlsplit(url)
        _ = split.port  # raises if it is no port
    except ValueError:
        return None
    return split


def _place(split: SplitResult) -> tuple[str, int | None]:
    """The host and the port that a URL means."""
    return (split.hostname or "").rstrip("."), split.port or _PORTS.get(split.scheme)
