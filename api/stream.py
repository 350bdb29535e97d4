"""The live stream: one WebSocket per program, all of them fed by one hub."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from api.facts import Facts
from api.hub import Hub

__all__ = ["PATH", "stream_routes"]

PATH: Final = "/api/v1/stream"


def stream_routes(facts: Facts, hub: Hub) -> list[BaseRoute]:
    """The routes of the stream, whose clients are answered with ``facts``."""

    async def serve(socket: WebSocket) -> None:
        engine = facts.engine()
        detail = "nothing runs yet" if engine is None else "nothing is streamed yet"
        refusal = {"title": "Service unavailable", "status": 503, "detail": f"{detail}; try later"}
        await socket.send_denial_response(
            JSONResponse(refusal, 503, {"Retry-After": "5"}, media_type="application/problem+json")
        )

    return [WebSocketRoute(PATH, serve)]
