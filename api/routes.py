"""Routes: where each fact is found, for whoever serves it."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from api import bars, correlation, events, export, frame, stats
from api.endpoint import Door, Endpoint
from api.facts import Facts
from api.health import health, live, ready
from api.hub import Hub
from api.openapi import openapi
from api.openmetrics import metrics
from api.problems import Problem, problem_response
from api.spool import Spool
from api.status import status
from api.stream import PATH as STREAM
from api.stream import stream_routes
from history.export import WHATS
from ticks import legible

__all__ = ["routes"]


def routes(facts: Facts, hub: Hub) -> list[BaseRoute]:
    """Every route of the API, the last of which answers for all that there is not.

    ``facts`` are what it answers with, and ``hub`` is what the stream of seconds is read from.
    """
    door = Door(facts)
    spool = Spool()
    at = "/api/v1"
    return [
        Route("/livez", Endpoint(door, live, is_open=True, is_light=True)),
        Route("/readyz", Endpoint(door, ready, is_open=True, is_light=True)),
        Route("/healthz", Endpoint(door, partial(health, door), is_open=True)),
        Route("/metrics", Endpoint(door, metrics, is_open=facts.settings.is_metrics_open)),
        Route(f"{at}/status", Endpoint(door, status)),
        Route(f"{at}/frame", Endpoint(door, frame.frame, frame.PARAMETERS)),
        Route(f"{at}/stats", Endpoint(door, stats.stats, stats.PARAMETERS)),
        Route(f"{at}/history", Endpoint(door, bars.bars, bars.PARAMETERS)),
        Route(f"{at}/events", Endpoint(door, events.events, events.PARAMETERS)),
        Route(
            f"{at}/correlation",
            Endpoint(door, correlation.correlation, correlation.PARAMETERS),
        ),
        *(
            Route(
                f"{at}/export/{what}.{form}",
                Endpoint(
                    door,
                    partial(export.export, spool, what, form),
                    export.PARAMETERS,
                    is_long=True,
                ),
            )
            for what in WHATS
            for form in export.FORMS
        ),
        Route(f"{at}/openapi.json", Endpoint(door, openapi, is_open=True)),
        *stream_routes(facts, hub, spool),
        Mount("", _NoSuchPath()),
    ]


class _NoSuchPath:
    """What answers for all other paths, by any method and to any handshake."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problem_response(_problem(scope))(scope, receive, send)


def _problem(scope: Scope) -> Problem:
    """What is wrong with a request that no route takes."""
    below = scope["path"].removeprefix(scope.get("root_path", ""))
    if scope["type"] == "http" and below == STREAM:
        return Problem(
            HTTPStatus.UPGRADE_REQUIRED,
            f"{STREAM} is a WebSocket, expected its handshake: ask by a client of WebSockets, and"
            " let a proxy between pass the header Upgrade on",
            {"Upgrade": "websocket", "Connection": "Upgrade"},
        )
    detail = (
        f"there is no {legible(scope['path'], 200)}, expected one of /api/v1/openapi.json:"
        " check the path"
    )
    return Problem(HTTPStatus.NOT_FOUND, detail)
