"""Clients that do not read hold up no end of the process, and the system gives them up."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests import stalled
from tests.browsing import Server, copy_app
from tests.waiting import HANG_SEC, until

END_SEC: Final = 6
"""How long the process may take to end."""

STALLED: Final[tuple[Callable[[int], socket.socket], ...]] = (stalled.download, stalled.stream)


def is_ready(server: Server) -> bool:
    """Whether programs are answered."""
    try:
        with urllib.request.urlopen(f"{server.url}readyz", timeout=HANG_SEC) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def connections(server: Server) -> int:
    """How many clients the server has an open connection to."""
    end = f":{server.port:04X}"
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(local.endswith(end) and state == "01" for _, local, _, state, *_ in fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's code."""
    made = tmp_path_factory.mktemp("end")
    copy_app(made)
    return made


def test_clients_that_do_not_read_hold_up_no_end(folder: Path, tmp_path: Path) -> None:
    """Neither over HTTP nor over WebSocket, nor does a thread: it ends in time, archive closed."""
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": str(tmp_path)}
    busy = "import threading; threading.Thread(target=threading.Event().wait).start()"
    with (
        contextlib.ExitStack() as clients,
        Server(folder, environ, with_api=True, before=busy) as server,
    ):
        until(lambda: is_ready(server))
        for stall in STALLED:
            clients.enter_context(stall(server.port))
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin <= END_SEC
    # What SQLite keeps beside an archive goes when it is closed.
    left = {path.suffix for path in tmp_path.iterdir()}
    assert left == {".sqlite", ".lock"}


def test_clients_that_do_not_read_are_given_up(folder: Path) -> None:
    """Twenty of them, however their connections are asked for signs of life; others are not."""
    environ = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"}
    with (
        contextlib.ExitStack() as clients,
        Server(folder, environ, with_api=True, before="server.USER_TIMEOUT_MS = 1000") as server,
    ):
        until(lambda: is_ready(server))
        idle = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        until(lambda: connections(server) == 1)
        for stall in STALLED * (20 // len(STALLED)):
            clients.enter_context(stall(server.port))
        until(lambda: connections(server) == 1)
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
