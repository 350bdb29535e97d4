"""Routes: where each fact is found, for whoever serves it."""

from __future__ import annotations

from http import HTTPStatus

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from api.endpoint import Door, Endpoint
from api.facts import Facts
from api.health import live, ready
from api.hub import Hub
from api.problems import Problem, problem_response
from api.stream import stream_routes
from ticks import legible

__all__ = ["routes"]


def routes(facts: Facts, hub: Hub) -> list[BaseRoute]:
    """Every route of the API, the last of which answers for all that there is not.

    ``facts`` are what it answers with, and ``hub`` is what the stream of seconds is read from.
    """
    door = Door(facts)
    return [
        Route("/livez", Endpoint(door, live, is_open=True, is_light=True)),
        Route("/readyz", Endpoint(door, ready, is_open=True, is_light=True)),
        *stream_routes(facts, hub),
        Route("/api", _NoSuchPath()),
        Route("/api/{rest:path}", _NoSuchPath()),
    ]


class _NoSuchPath:
    """What answers for all paths of the API that do not exist, by any method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = (
            f"there is no {legible(scope['path'], 200)}, expected one of /api/v1/openapi.json:"
            " check the path"
        )
        response = problem_response(Problem(HTTPStatus.NOT_FOUND, detail))
        await response(scope, receive, send)
