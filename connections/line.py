"""Line: a WebSocket connection that no other side can make wait, fill the memory or hold up others.

It belongs to the loop that opened it, like everything of the library.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Response

from connections.ending import EndedError
from connections.status import Trouble

__all__ = ["TURN_SEC", "Line"]

TURN_SEC: Final = 0.005
"""Whoever reads lets the others of the loop go on after so long."""

_PORTION_BYTES: Final = 2048
"""What arrived is read in portions of this size: it may hold a thousand frames."""

_MOST_UNREAD_BYTES: Final = 256 * 1024
"""More than this of ours does not wait to be sent: the other side is not reading."""


class Line(ClientConnection):
    """A connection of the library that also holds what the other side should.

    What arrived is read for ``TURN_SEC`` at a time, however many frames it holds. A connection on
    which answers to pings pile up is ended. One whose pings are not answered is ended only if
    nothing else comes either. Closing takes as long as it may and no longer.
    """

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._unread = bytearray()
        self._is_full = False
        """Whether more frames wait for ``recv`` than need to."""
        self._is_due = False
        """Whether reading goes on by itself."""
        self._is_closing = False
        self._arrived_at = self.loop.time()
        self._ending: asyncio.TimerHandle | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.recv_messages.pause, self.recv_messages.resume = self._fill, self._drain

    def data_received(self, data: bytes) -> None:
        """Read what arrived, or a part of it now and the rest soon."""
        self._arrived_at = self.loop.time()
        self._unread += data
        if not self._is_due:
            self._read_on()

    def eof_received(self) -> None:
        """Read the rest: no more will come."""
        self._read_rest()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Read the rest, which may say why; whoever waits is told."""
        self._read_rest()
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)

    # What the library calls.

    def process_event(self, event: Any) -> None:
        """Hand a frame on; but nobody waits for one while the connection is being closed."""
        if not self._is_closing or isinstance(event, Response):
            super().process_event(event)

    def send_data(self) -> None:
        """Send what is to be sent; on a connection that is ending, forget it."""
        if self.transport.is_closing():
            self.protocol.data_to_send()
        else:
            super().send_data()

    async def keepalive(self) -> None:
        """Ping now and then, and end a connection on which nothing comes any more.

        If an answer is missing but something else comes, the other side answers no pings: from then
        on none is expected.
        """
        if self.ping_interval is None:
            return
        is_answering = True
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self.ping_interval)
                if not is_answering:
                    await self.pong()  # which keeps routers from forgetting the connection
                    continue
                asked_at = self.loop.time()
                try:
                    async with asyncio.timeout(self.ping_timeout):
                        await (await self.ping())
                except TimeoutError:
                    if self._arrived_at <= asked_at:
                        self._end(EndedError(Trouble.NO_SIGN_OF_LIFE, seconds=self.ping_timeout))
                        return
                    is_answering = False

    async def close(
        self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = ""
    ) -> None:
        """Close as the protocol wants, or without its consent after ``close_timeout``."""
        self._is_closing, self._is_full = True, False
        self._go_on_soon()
        try:
            async with asyncio.timeout(self.close_timeout):
                await super().close(code, reason)
        except TimeoutError:
            self._unread.clear()
            self.transport.abort()
            await self.wait_closed()

    # Reading.

    def _fill(self) -> None:
        self._is_full = not self._is_closing

    def _drain(self) -> None:
        self._is_full = False
        self._go_on_soon()

    def _go_on_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_due = False
        self._read_on()

    def _read_on(self) -> None:
        ends_at = self.loop.time() + TURN_SEC
        while self._unread and not self._is_full and self.loop.time() < ends_at:
            portion = bytes(self._unread[:_PORTION_BYTES])
            del self._unread[:_PORTION_BYTES]
            self._read(portion)
        if not self._unread:
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not self._is_full:
            self._go_on_soon()

    def _read_rest(self) -> None:
        rest = bytes(self._unread)
        self._unread.clear()
        if rest:
            self._read(rest)

    def _read(self, portion: bytes) -> None:
        super().data_received(portion)
        if self.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            self._end(EndedError(Trouble.NOT_READ))
        elif self.protocol.close_expected() and self._ending is None:
            # The other side has to end the connection now, and may never do it.
            self._ending = self.loop.call_later(self.close_timeout or 0.0, self.transport.abort)

    def _end(self, error: EndedError) -> None:
        """End the connection at once, for a reason of ours."""
        self._unread.clear()
        self.set_connection_exc(error)
        self.transport.abort()
