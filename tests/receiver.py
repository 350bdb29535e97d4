"""Receiver: a real HTTP server that messages are sent to, which answers by script.

Beside it ``Hook``, the simplest channel: what it is told as the keys of the deliveries.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from alerts.answers import outcome
from alerts.channel import Delivered, Outcome, Request
from history.deliveries import Delivery
from tests.waiting import HANG_SEC

__all__ = ["Got", "Hook", "Receiver", "half", "megabyte", "never", "reset", "status", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A channel that posts the keys of what it is told."""

    url: str
    can_edit: bool = False
    most_together: int = 1
    spacing_sec: float = 0.0
    is_chat: bool = False

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """The keys, the message that is edited, and how many are late."""
        last = deliveries[-1] if deliveries else None
        said = {
            "keys": [delivery.key for delivery in deliveries],
            "edits": last.reference if last else "",
            "late": late,
        }
        return Request(
            method="POST",
            url=self.url,
            headers={"webhook-id": last.id if last else "", "Content-Type": "application/json"},
            body=json.dumps(said).encode(),
        )

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """As the status says; the body of what was taken is the message's name."""
        found = outcome(status, headers, now)
        is_taken = isinstance(found, Delivered)
        return Delivered(body.decode(errors="replace")[:40]) if is_taken else found


@dataclass(frozen=True, slots=True)
class Got:
    """A message as it arrived."""

    id: str
    keys: tuple[str, ...]
    edits: str
    late: int
    path: str
    said: dict[str, Any]
    """The whole body."""


class Asked:
    """A request, and the means to answer it."""

    def __init__(
        self, handler: BaseHTTPRequestHandler, got: Got, stopping: threading.Event
    ) -> None:
        self.got = got
        self.handler = handler
        self.stopping = stopping

    def answer(
        self, code: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer in full."""
        self.begin(code, len(body), headers)
        self.handler.wfile.write(body)

    def begin(self, code: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        """Begin an answer of so many bytes."""
        self.handler.send_response(code)
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(length))
        self.handler.end_headers()


Answer = Callable[[Asked], None]


def taken(asked: Asked) -> None:
    """It is taken, and has its place as its name."""
    asked.answer(200, b"m-" + asked.got.id[-6:].encode())


def status(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Nothing but a status."""
    return lambda asked: asked.answer(code, b"no", headers)


def never(asked: Asked) -> None:
    """No answer as long as the server runs."""
    asked.handler.close_connection = True
    asked.stopping.wait(HANG_SEC)


def half(asked: Asked) -> None:
    """An answer that breaks off."""
    asked.begin(200, 1000)
    asked.handler.wfile.write(b"half")
    asked.handler.close_connection = True


def reset(asked: Asked) -> None:
    """Taken, but the connection is reset before anybody is told."""
    asked.handler.close_connection = True
    linger = struct.pack("ii", 1, 0)
    asked.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    asked.handler.connection.close()


def megabyte(asked: Asked) -> None:
    """Taken, with a great many words."""
    asked.answer(200, b"m" * 1_000_000)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no error."""


class Receiver:
    """The server on threads of its own, in use as a context.

    ``answer`` is how it answers; whoever sets it decides from request to request.
    """

    def __init__(self, answer: Answer = taken) -> None:
        self.answer = answer
        self.got: list[Got] = []
        """Every message as it arrived, whatever was answered."""
        self._stopping = stopping = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 4096  # an answer in one piece

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                got = Got(
                    self.headers["webhook-id"],
                    tuple(said.get("keys", ())),
                    said.get("edits", ""),
                    said.get("late", 0),
                    self.path,
                    said,
                )
                receiver.got.append(got)
                receiver.answer(Asked(self, got, stopping))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join(HANG_SEC)
        self._server.server_close()
        assert not self._thread.is_alive()

    @property
    def keys(self) -> list[str]:
        """The keys of all that arrived, in order, repeats and all."""
        return [key for got in self.got for key in got.keys]
