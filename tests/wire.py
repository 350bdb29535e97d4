"""The wire between a tab and its server, on which messages can be lost."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, WebSocketRoute
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


class Wire:
    """The socket between a tab and its server; what the server sends can be lost on it."""

    def __init__(self) -> None:
        self.loses = ""
        """The type of the server's messages that are lost."""

    def route(self, visitor: BrowserContext) -> None:
        """Be between a visitor's tabs and their server, one after the other."""
        visitor.route_web_socket(re.compile("/_stcore/stream$"), self.join)

    def join(self, tab: WebSocketRoute) -> None:
        """Be between ``tab`` and its server."""
        self._tab, self._server = tab, tab.connect_to_server()
        tab.on_message(self._take_of_tab)
        self._server.on_message(self._take_of_server)

    def _take_of_tab(self, message: str | bytes) -> None:
        self._server.send(message)

    def _take_of_server(self, message: str | bytes) -> None:
        if not (self.loses and ForwardMsg.FromString(bytes_of(message)).HasField(self.loses)):
            self._tab.send(message)


def bytes_of(message: str | bytes) -> bytes:
    """One of Streamlit's messages, all of which are bytes."""
    assert isinstance(message, bytes)
    return message
