"""Beside: which paths are the API's, beside the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HEALTH", "METRICS", "Beside", "first_segment", "is_ours"]

HEALTH: Final = frozenset({"livez", "readyz", "healthz"})
METRICS: Final = "metrics"
_OURS: Final = HEALTH | {METRICS, "api"}


class Beside:
    """Hands what is asked of the API to ``programs``, and everything else to the page.

    ``base`` is the path below which the page lies, ``server.baseUrlPath``; the API lies there, too.
    """

    def __init__(self, app: ASGIApp, *, programs: ASGIApp, base: Callable[[], str]) -> None:
        self._app = app
        self._programs = programs
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request or a handshake on."""
        if scope["type"] in ("http", "websocket"):
            below = _below(scope, self._base().strip("/"))
            if first_segment(below) in _OURS:
                await self._programs(below, receive, send)
                return
        await self._app(scope, receive, send)


def is_ours(scope: Scope, base: str) -> bool:
    """Whether a request is one of the API, which lies below ``base`` if anything does."""
    return first_segment(_below(scope, base.strip("/"))) in _OURS


def _below(scope: Scope, base: str) -> Scope:
    """The same request as an application sees it that lies below ``base``."""
    if base and f"{scope['path']}/".startswith(f"/{base}/"):
        return {**scope, "root_path": f"{scope.get('root_path', '')}/{base}"}
    return scope


def first_segment(scope: Scope) -> str:
    """The first segment of a request's path, below where the application lies."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/").partition("/")[0]
