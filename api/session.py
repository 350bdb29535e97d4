"""Session: one client's socket, from its handshake to its end.

Two tasks: one hears what the client says, the other sends what is due. Neither waits for another
client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.auth import Caller, Refusal, is_local, who_may
from api.broadcast import Broadcast
from api.channels import AFTER_ALL
from api.errands import Errands
from api.following import (
    BarFollower,
    EventFollower,
    Follower,
    FrameFollower,
    StatusFollower,
)
from api.limits import Limits
from api.protocol import (
    VERSION,
    Ack,
    Auth,
    Close,
    Closing,
    ErrorCode,
    File,
    Form,
    Heartbeat,
    Hello,
    Id,
    Mistake,
    More,
    Ping,
    Pong,
    Said,
    Sendable,
    Stop,
    Subscribe,
    read,
    write,
    wrong_in,
)
from api.transfer import FileFollower
from formulas import COLUMNS
from ticks import legible

__all__ = ["Session"]


class Session:
    """A client that was let in, or still has to show a token: then ``caller`` is None."""

    def __init__(
        self, socket: WebSocket, form: Form, broadcast: Broadcast, caller: Caller | None
    ) -> None:
        self._socket = socket
        self._form = form
        self._broadcast = broadcast
        self._caller = caller
        self._clock = broadcast.clock
        self._begun = self._sent = broadcast.clock()
        patience = broadcast.patience
        self._patience = patience
        self._limits = Limits(patience.per_sec, patience.burst)
        self._followers: dict[Id, Follower] = {}
        self._answers: deque[Sendable] = deque()
        self._awake = asyncio.Event()
        self._errands = Errands(broadcast.pool, self.wake)

    def wake(self) -> None:
        """Look whether anything is due."""
        self._awake.set()

    async def run(self) -> None:
        """Talk until one side has enough."""
        self._answers.append(self._hello())
        tasks = [asyncio.ensure_future(self._hear()), asyncio.ensure_future(self._tell())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for key in [*self._followers]:
                self._end(key)
        for error in ended:
            if isinstance(error, Closing):
                await self._close(error)
                return
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _close(self, closing: Closing) -> None:
        """Say why; whoever does not read even that is left to the system's own time-out."""
        with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(self._patience.close_sec):
                await self._socket.close(closing.code, closing.reason)

    # Hearing.

    async def _hear(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            content = message.get("text")
            said = read(self._form, message["bytes"] if content is None else content)
            is_owed = isinstance(said, Ack | More) and self._owed(said)
            if not is_owed and self._limits.take("", self._clock()):
                limit = f"more than {self._patience.per_sec:g} messages a second"
                raise Closing(Close.NOT_ALLOWED, limit)
            if isinstance(said, Mistake):
                self._answer(said)
            elif not is_owed:
                self._reply(said)
            self.wake()

    def _owed(self, said: Ack | More) -> bool:
        """Take credits back; whether any were out: such a message answers one of ours."""
        follower = self._followers.get(said.id)
        n = said.n if isinstance(said, More) else 1
        return follower is not None and follower.ack(n)

    def _reply(self, said: Said) -> None:
        if isinstance(said, Auth):
            self._show_token(said.token)
        elif isinstance(said, Ping):
            self._answer(Pong(said.n, self._broadcast.now()))
        elif self._caller is None:
            message = "no token was shown, expected one in a message of type auth"
            self._mistake(getattr(said, "id", None), ErrorCode.UNAUTHORIZED, message)
        elif isinstance(said, Subscribe):
            self._subscribe(said)
        elif isinstance(said, File):
            self._send_file(said)
        elif isinstance(said, Stop):
            if said.id not in self._followers:
                self._unknown(said.id)
            self._end(said.id)
        elif said.id not in self._followers:
            self._unknown(said.id)

    def _show_token(self, token: str) -> None:
        facts = self._broadcast.facts
        scope = self._socket.scope
        found = who_may(facts.settings, token, facts.clock(), is_local=is_local(scope))
        if isinstance(found, Refusal):
            raise Closing(Close.REFUSED, f"the token is {found}: get another one")
        self._caller = found
        self._answers.append(self._hello())

    def _subscribe(self, said: Subscribe) -> None:
        symbols = self._broadcast.frames.newest.frame.index
        wrong = wrong_in(said, self._form, tuple(COLUMNS), symbols)
        if wrong is not None:
            self._answer(wrong)
            return
        if self._has_room(said.key):
            self._end(said.key)
            self._followers[said.key] = self._follower(said)

    def _send_file(self, said: File) -> None:
        if self._has_room(said.id):
            self._end(said.id)
            broadcast = self._broadcast
            self._followers[said.id] = FileFollower(
                self._form, said, broadcast.engine, broadcast.spool, self._errands
            )

    def _has_room(self, key: Id) -> bool:
        """Whether one more may be followed; says so if not."""
        most = self._patience.subscriptions
        if key in self._followers or len(self._followers) < most:
            return True
        message = f"there are {most} subscriptions, expected no more: stop one first"
        self._mistake(key, ErrorCode.TOO_MANY, message)
        return False

    def _end(self, key: Id) -> None:
        """Follow something no longer, if it is followed."""
        follower = self._followers.pop(key, None)
        if isinstance(follower, FileFollower):
            follower.close()

    def _follower(self, said: Subscribe) -> Follower:
        broadcast, wanted = self._broadcast, said.wanted(self._form)
        engine = broadcast.prepare(said.channel)
        since, wait_sec = said.since, self._patience.wait_sec
        newest = broadcast.frames.second
        is_other = said.stream is not None and said.stream != broadcast.stream()
        second = since[0] if isinstance(since, tuple) else since
        if second is not None and (is_other or second > newest):
            # Nothing that follows belongs to what the client has.
            self._answers.append(wanted.reset(newest + 1))
            since = second = None
        match said.channel:
            case "frame":
                return FrameFollower(broadcast.frames, self._form, said)
            case "status":
                return StatusFollower(broadcast.status, self._form, said)
            case "bars":
                return BarFollower(broadcast.bars, engine, wanted, second, self._errands, wait_sec)
            case "events":
                after = newest if since is None else since
                seq = after if isinstance(after, tuple) else (after, AFTER_ALL)
                return EventFollower(broadcast.events, engine, wanted, seq, self._errands, wait_sec)

    # Telling.

    async def _tell(self) -> None:
        while True:
            self._awake.clear()
            while await self._send_due():
                pass
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._check()):
                    await self._awake.wait()

    async def _send_due(self) -> bool:
        """Send what is due of each subscription in turn; whether there was anything."""
        is_any = bool(self._answers)
        while self._answers:
            await self._send(self._answers.popleft())
        for key, follower in [*self._followers.items()]:
            if self._followers.get(key) is not follower:
                continue  # it was ended while another's message was on its way
            for message in follower.take(self._clock()):
                await self._send(message)
                is_any = True
            if isinstance(follower, FileFollower) and follower.is_over:
                self._end(key)
        self._check()
        return is_any

    def _check(self) -> float:
        """How long to wait for something to do at most; what is over by then ends it."""
        now, patience = self._clock(), self._patience
        if self._caller is None:
            left = self._begun + patience.auth_sec - now
            if left <= 0:
                raise Closing(Close.NOT_ALLOWED, f"no token came in {patience.auth_sec:g} s")
            return left
        if now - self._sent >= patience.heartbeat_sec:
            self._answer(Heartbeat(self._broadcast.now()))
            self._sent = now
            return 0.0
        left = self._sent + patience.heartbeat_sec - now
        if self._caller.expires is not None:
            valid = self._caller.expires - self._broadcast.facts.clock()
            if valid <= 0:
                raise Closing(Close.EXPIRED, "the token has expired: come back with a newer one")
            left = min(left, valid)
        return left

    async def _send(self, message: Sendable) -> None:
        try:
            async with asyncio.timeout(self._patience.send_sec):
                await self._socket.send(message)  # type: ignore[arg-type]
        except TimeoutError:
            took = f"a message was not taken in {self._patience.send_sec:g} s"
            raise Closing(Close.TOO_SLOW, took) from None
        self._sent = self._clock()

    # Words.

    def _hello(self) -> Sendable:
        if self._caller is None:
            return write(self._form, Hello(v=VERSION, auth="wanted"))
        pulse = self._broadcast.frames.newest
        return write(
            self._form,
            Hello(
                v=VERSION,
                auth="ok",
                stream=self._broadcast.stream(),
                now=pulse.now,
                symbols=tuple(pulse.frame.index),
                assets=tuple(pulse.frame["asset"]),
                replica=False,
            ),
        )

    def _answer(self, message: Any) -> None:
        self._answers.append(write(self._form, message))

    def _mistake(self, key: Id | None, code: ErrorCode, message: str) -> None:
        self._answer(Mistake(id=key, code=code, message=message))

    def _unknown(self, key: Id) -> None:
        known = ", ".join(map(str, self._followers)) or "none"
        message = f"there is no subscription {legible(str(key))}, expected one of: {known}"
        self._mistake(key, ErrorCode.UNKNOWN_ID, message)
