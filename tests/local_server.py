"""LocalServer: a WebSocket server of a thread of its own that also answers plain requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.waiting import HANG_SEC

__all__ = ["LocalServer", "json_response"]

# Outside the tree of loggers: a test that raises every level must not hear this server.
_SILENT: Final = logging.Logger("local server", logging.CRITICAL + 1)  # noqa: LOG001


def json_response(
    ws: ServerConnection, status: int, body: Any, retry_after: float | None = None
) -> Response:
    """An answer to a plain request, or a refusal of a handshake."""
    response = ws.respond(HTTPStatus(status), json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    if retry_after is not None:
        response.headers["Retry-After"] = f"{retry_after:g}"
    return response


class LocalServer:
    """The server, in use as a context.

    ``answer`` sees every request before its handshake, and returns the response to one that is to
    have none. ``attend`` talks on an open connection. ``beside`` runs beside them all.
    By default the ``port`` is any that is free.
    """

    def __init__(
        self,
        answer: Callable[[ServerConnection, Request], Awaitable[Response | None]],
        attend: Callable[[ServerConnection], Awaitable[None]],
        beside: Callable[[], Awaitable[None]],
        port: int = 0,
    ) -> None:
        self.port = port
        self.close_codes: list[int | None] = []
        """Of every connection that ended, as far as the server knows."""
        self._answer, self._attend, self._beside = answer, attend, beside
        self._sockets: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-server")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HANG_SEC)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every connection without a word, and the server; may be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(HANG_SEC)
        assert not self._thread.is_alive()

    def cut(self) -> None:
        """End every connection without a word."""
        self._loop.call_soon_threadsafe(self._abort)

    def do(self, what: Callable[[], Awaitable[None]]) -> None:
        """Have the server do something now, and wait until it is done."""

        async def run() -> None:
            await what()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(HANG_SEC)

    def _abort(self) -> None:
        for ws in self._sockets:
            ws.transport.abort()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await serve(
            self._meet,
            "127.0.0.1",
            self.port,
            process_request=self._answer,
            ping_interval=None,
            close_timeout=0.2,
            compression=None,
            logger=_SILENT,
        )
        self.port = server.sockets[0].getsockname()[1]
        beside = asyncio.ensure_future(self._beside())
        self._ready.set()
        await self._stopping.wait()
        self._abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        server.close()
        await server.wait_closed()
        if not beside.cancelled():
            await beside  # what failed there fails the test

    async def _meet(self, ws: ServerConnection) -> None:
        self._sockets.add(ws)
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._attend(ws)
        finally:
            self._sockets.discard(ws)
            self.close_codes.append(ws.close_code)
