"""RestServer: a real HTTP server of an invented vendor's past, which misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.waiting import HANG_SEC
from ticks import Asset
from vendors.rest import Candle, Past, PastError, Quote, Reference, Request, Want
from vendors.wire import NoticeKind

MINUTE: Final = 1_800_000_000 // 60 * 60
"""Of the one candle that every symbol has."""


# The client's side: what a module in ``vendors`` would hold.


@dataclass(frozen=True, slots=True)
class HarborRest:
    """A request for each symbol's last hour, and one for the day of all."""

    url: str
    key: str = field(default="s3cret/key", repr=False)
    spacing_sec: float = 0.0

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The hours first."""
        return (
            *(self._request(Want.LAST_HOUR, (symbol,), now) for symbol in symbols),
            self._request(Want.DAY, tuple(symbols), day_at),
        )

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """As ``good`` writes it.

        Raises:
            PastError: if it is anything else.
        """
        try:
            said = json.loads(body)
            if "error" in said:
                raise PastError(NoticeKind(said["error"]))
            return Past(
                candles=[Candle(*row) for row in said["candles"]],
                quotes=[Quote(*row) for row in said["quotes"]],
                references=[Reference(*row) for row in said["references"]],
            )
        except (ValueError, KeyError, TypeError):
            raise PastError from None

    def _request(self, want: Want, symbols: tuple[str, ...], at: float) -> Request:
        query = {"want": want.value, "pairs": ",".join(symbols), "at": at, "token": self.key}
        return Request(want, symbols, f"{self.url}/past?{urlencode(query)}", {"X-Key": self.key})


# The server's side.


class Asked:
    """A request as the server got it, and the means to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, stopping: threading.Event) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        self.at = time.monotonic()
        self.want = Want(query["want"][0])
        self.symbols = query["pairs"][0].split(",")
        self.key = handler.headers["X-Key"]
        self.agent = handler.headers["User-Agent"]
        self._handler = handler
        self._stopping = stopping

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer in full."""
        self.begin(status, len(body), headers)
        self.write(body)

    def begin(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        """Begin an answer of so many bytes."""
        self._handler.send_response(status)
        for name, value in (headers or {}).items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(length))
        self._handler.end_headers()

    def write(self, body: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(body)

    def hang(self) -> None:
        """Do nothing until the server stops."""
        self._stopping.wait(HANG_SEC)


Answer = Callable[[Asked], None]


def good(asked: Asked) -> None:
    """All that is known of what was asked for."""
    is_hour = asked.want is Want.LAST_HOUR
    said: dict[str, Any] = {
        "candles": [[s, MINUTE, 77.0, 79.0, 76.0, 78.0] for s in asked.symbols if is_hour],
        "quotes": [[s, 78.0, MINUTE, 75.0, 80.0, 74.0] for s in asked.symbols if not is_hour],
        "references": [[s, 70.0, MINUTE] for s in asked.symbols if not is_hour],
    }
    asked.answer(200, json.dumps(said).encode())


def status(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Nothing but a status, with a body that quotes the key."""
    return lambda asked: asked.answer(code, f"no, {asked.key}".encode(), headers)


def mistake(kind: NoticeKind) -> Answer:
    """An error with the status of success."""
    return lambda asked: asked.answer(200, json.dumps({"error": kind.value}).encode())


class RestServer:
    """The vendor's server on threads of its own, in use as a context.

    ``answer`` is how it answers; whoever sets it decides from request to request.
    """

    def __init__(self, answer: Answer = good) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self._stopping = stopping = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = Asked(self, stopping)
                server.asked.append(asked)
                server.answer(asked)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that is gone is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
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

    def symbols(self, want: Want) -> list[str]:
        """What was asked for so far, in order."""
        return [symbol for asked in self.asked if asked.want is want for symbol in asked.symbols]
