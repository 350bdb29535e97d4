"""The live stream: one WebSocket per program, all of them fed by one hub."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from api.auth import Caller, Refusal, bearer, is_local, who_may
from api.broadcast import USUAL, Broadcast, Patience
from api.facts import Facts
from api.hub import Hub
from api.problems import Problem, problem_response
from api.protocol import SUBPROTOCOLS, Form
from api.session import Session
from api.spool import Spool
from engine.heartbeat import SecondOver

__all__ = ["PATH", "Stream", "stream_routes"]

PATH: Final = "/api/v1/stream"

_RETRY_SEC: Final = 5


class Stream:
    """Lets clients in, and has all of them follow what one hub hands over.

    It belongs to the thread of the loop that serves; ``clock`` is a steady one.
    """

    def __init__(
        self,
        facts: Facts,
        spool: Spool,
        patience: Patience = USUAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._facts = facts
        self._spool = spool
        self._patience = patience
        self._clock = clock
        self._broadcast: Broadcast | None = None

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return 0 if self._broadcast is None else self._broadcast.clients

    def second_over(self, over: SecondOver) -> None:
        """Hand a second that is over to everybody."""
        broadcast = self._known()
        if broadcast is not None:
            broadcast.second_over(over)

    async def serve(self, socket: WebSocket) -> None:
        """Serve a client, from its handshake to its end."""
        try:
            broadcast, caller = self._admit(socket)
        except Problem as problem:
            await socket.send_denial_response(problem_response(problem))
            return
        offered: list[str] = socket.scope["subprotocols"]
        chosen = next((each for each in offered if each in SUBPROTOCOLS), None)
        form = Form.JSON if chosen is None else Form(chosen)
        session = Session(socket, form, broadcast, caller)
        broadcast.add(session.wake)
        try:
            await socket.accept(chosen)
            await session.run()
        finally:
            broadcast.remove(session.wake)

    def _known(self) -> Broadcast | None:
        """What is broadcast, once there is an engine."""
        if self._broadcast is None:
            engine = self._facts.engine()
            if engine is not None:
                self._broadcast = Broadcast(
                    self._facts, engine, self._spool, self._patience, self._clock
                )
        return self._broadcast

    def _admit(self, socket: WebSocket) -> tuple[Broadcast, Caller | None]:
        """Who is let in; None: whoever still has to show a token.

        Raises:
            Problem: if nobody can be, or not with this token.
        """
        broadcast, facts = self._known(), self._facts
        if broadcast is None or facts.engine() is None:
            raise _unavailable("nothing runs behind the page; the page says why")
        if broadcast.clients >= self._patience.clients:
            raise _unavailable(f"there are {broadcast.clients} clients, and no room for more")
        token = bearer(socket.headers.get("authorization"))
        caller = who_may(facts.settings, token, facts.clock(), is_local=is_local(socket.scope))
        if caller is Refusal.WANTED:
            return broadcast, None
        if isinstance(caller, Refusal):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                f"the token is {caller}, expected one that is known and valid: check it",
                {"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return broadcast, caller


def _unavailable(detail: str) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{detail}: come back in {_RETRY_SEC} s",
        {"Retry-After": str(_RETRY_SEC)},
    )


def stream_routes(facts: Facts, hub: Hub, spool: Spool) -> list[BaseRoute]:
    """The routes of the stream; its clients are answered with ``facts``, and files of ``spool``."""
    stream = Stream(facts, spool)
    hub.listen(stream)
    return [WebSocketRoute(PATH, stream.serve)]
