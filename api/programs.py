"""Programs: what is answered beside the page, by the settings of the worker that runs."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.beside import HEALTH, METRICS, first_segment
from api.facts import Engine, Facts
from api.hub import Hub
from api.problems import Problem, problem_response
from engine.status import ApiState
from settings import ApiSettings

__all__ = ["Programs"]

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

    @staticmethod
    def load() -> Callable[[Facts, Hub], list[BaseRoute]]:
        """What answers. To load it takes a moment, the first time; any thread may."""
        # Not above: a worker begins and a page is made without it.
        from api.routes import routes

        return routes

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
        first = first_segment(scope)
        return first in HEALTH or (first == METRICS and self._settings.is_metrics_open)

    def _app(self) -> ASGIApp:
        """The routes for the settings of now; made on the loop, to which the hub belongs."""
        settings = self._settings
        if self._composed is None or self._composed[0] != settings:
            facts = Facts(self._engine, settings, self._clock)
            self._composed = settings, Starlette(routes=self.load()(facts, self._hub))
        return self._composed[1]
