"""Beside: the API at its paths beside the page, by the settings of the worker that runs."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from api.facts import Engine, Facts
from api.hub import Hub
from api.problems import Problem, problem_response
from api.routes import routes
from engine.status import ApiState
from settings import ApiSettings

__all__ = ["Beside", "Programs", "is_ours"]

_HEALTH: Final = frozenset({"livez", "readyz", "healthz"})
_METRICS: Final = "metrics"
_OURS: Final = _HEALTH | {_METRICS, "api"}

_CLOSED: Final = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "the API is off: others than this computer can ask, and no token is set. Set"
    " MARKET_PULSE_API_TOKENS, or listen at 127.0.0.1 alone",
)


class Programs:
    """What programs are answered: by settings that are known only once a worker is made.

    ``engine`` is the process's, and ``clock`` the computer's; ``is_public`` says whether others
    than this computer can ask.
    """

    def __init__(
        self,
        hub: Hub,
        engine: Callable[[], Engine | None],
        clock: Callable[[], float],
        is_public: Callable[[], bool],
    ) -> None:
        self._hub = hub
        self._engine = engine
        self._clock = clock
        self._is_public = is_public
        self._settings = ApiSettings()
        self._state = ApiState.OPEN
        self._composed: tuple[ApiSettings, ASGIApp] | None = None

    def open(self, settings: ApiSettings) -> ApiState:
        """Answer by ``settings`` from now on, any thread may say so; whether anybody is answered.

        Before there are any nothing runs, and that is all that anybody is told.
        """
        is_closed = self._is_public() and not settings.wants_token
        self._settings = settings
        self._state = ApiState.CLOSED if is_closed else ApiState.OPEN
        return self._state

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of other pages that may read."""
        return self._settings.origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a handshake."""
        app = self._app() if self._may_answer(scope) else problem_response(_CLOSED)
        await app(scope, receive, send)

    def _may_answer(self, scope: Scope) -> bool:
        """Whether the API is on, or health is asked for, which tells nobody anything."""
        if self._state is not ApiState.CLOSED:
            return True
        first = _first_segment(scope)
        return first in _HEALTH or (first == _METRICS and self._settings.is_metrics_open)

    def _app(self) -> ASGIApp:
        """The routes for the settings of now; made on the loop, to which the hub belongs."""
        settings = self._settings
        if self._composed is None or self._composed[0] != settings:
            facts = Facts(self._engine, settings, self._clock)
            self._composed = settings, Starlette(routes=routes(facts, self._hub))
        return self._composed[1]


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
            if _first_segment(below) in _OURS:
                await self._programs(below, receive, send)
                return
        await self._app(scope, receive, send)


def is_ours(scope: Scope, base: str) -> bool:
    """Whether a request is one of the API, which lies below ``base`` if anything does."""
    return _first_segment(_below(scope, base.strip("/"))) in _OURS


def _below(scope: Scope, base: str) -> Scope:
    """The same request as an application sees it that lies below ``base``."""
    if base and f"{scope['path']}/".startswith(f"/{base}/"):
        return {**scope, "root_path": f"{scope.get('root_path', '')}/{base}"}
    return scope


def _first_segment(scope: Scope) -> str:
    """The first segment of a request's path, below where the application lies."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/").partition("/")[0]
