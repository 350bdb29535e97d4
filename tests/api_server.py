"""ApiServer: the API as programs meet it, on a port of this computer."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from api.hub import Hub
from tests.waiting import HANG_SEC, until

__all__ = ["ApiServer", "Got"]


@dataclass(frozen=True)
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


class ApiServer:
    """A server of some routes in a thread of its own, in use as a context.

    ``hub`` hands over to its loop. Of what a client does not read the system takes ``send_bytes``;
    None: as much as is usual.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        hub: Hub | None = None,
        *,
        send_bytes: int | None = None,
    ) -> None:
        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            if hub is not None:
                hub.bind(asyncio.get_running_loop())
            yield

        # By its protocol, by which asyncio knows that nothing that is sent may wait for more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if send_bytes is not None:
            # Those that it accepts inherit it.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=routes, lifespan=lifespan),
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(HANG_SEC)
        self._socket.close()

    def get(self, path: str, *, method: str = "GET", token: str = "", **headers: str) -> Got:
        """Ask for a path; the names of headers are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_SEC)
        try:
            connection.request(method, path, headers=sent)
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Got(response.status, fields, response.read())
        finally:
            connection.close()
