"""Clients that have asked for more than they ever read."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

import streamlit
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.waiting import HANG_SEC

__all__ = ["download", "stream"]

_SCRIPTS: Final = Path(streamlit.__file__).parent / "static" / "static" / "js"


def download(port: int) -> socket.socket:
    """One that has asked eight times for the largest script of the page, of some megabytes."""
    largest = max(_SCRIPTS.glob("*.js"), key=lambda path: path.stat().st_size).name
    client = _connected(port)
    client.sendall(f"GET /static/js/{largest} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 8)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def stream(port: int) -> socket.socket:
    """One that has asked sixteen times for all bars of the live stream."""
    protocol, client = _shaken(port, "/api/v1/stream", "market-pulse.v1.json")
    for number in range(16):
        asked = f'{{"type":"subscribe","channel":"bars","id":{number},"since":0}}'
        protocol.send_text(asked.encode())
    client.sendall(b"".join(protocol.data_to_send()))
    return client


def _connected(port: int) -> socket.socket:
    """A socket with room for next to nothing that comes."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.settimeout(HANG_SEC)
    made.connect(("127.0.0.1", port))
    return made


def _shaken(port: int, path: str, subprotocol: str) -> tuple[ClientProtocol, socket.socket]:
    """A WebSocket that is open, and how to speak over it."""
    protocol = ClientProtocol(
        parse_uri(f"ws://localhost:{port}{path}"), subprotocols=[Subprotocol(subprotocol)]
    )
    client = _connected(port)
    protocol.send_request(protocol.connect())
    client.sendall(b"".join(protocol.data_to_send()))
    while protocol.state is not OPEN:
        protocol.receive_data(client.recv(1024))
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
    return protocol, client
