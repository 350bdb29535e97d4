"""MailServer: a real SMTP server of a thread of its own, which refuses what it is told to."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Final, Self

from tests.waiting import HANG_SEC

__all__ = ["MailServer"]

_USUAL: Final[Mapping[str, str]] = {
    "AUTH": "235 welcome",
    "MAIL": "250 sender is fine",
    "RCPT": "250 recipient is fine",
    "DATA": "354 go on",
    ".": "250 taken",
    "RSET": "250 forgotten",
    "QUIT": "221 bye",
}


class MailServer:
    """The server, in use as a context; ``secure`` is its side of a secure connection.

    It is secure from the first byte on if ``is_wrapped``. ``replies`` are given in place of the
    usual ones, by command, ``.`` being the end of the letter; an empty one is never given.
    """

    def __init__(self, secure: ssl.SSLContext | None = None, *, is_wrapped: bool = False) -> None:
        self.replies: dict[str, str] = {}
        self.letters: list[EmailMessage] = []
        self.logins: list[tuple[str, str, bool]] = []
        """Each name and password, and whether the connection was secure."""
        self._stopping = stopping = threading.Event()
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.is_secure = is_wrapped
                if secure is not None and is_wrapped:
                    self.request = secure.wrap_socket(self.request, server_side=True)
                self.lines = self.request.makefile("rb")
                self.say("220 mail.example.org")
                while line := self.lines.readline():
                    word = line.split()[0].decode().upper() if line.split() else ""
                    if not self.obey(word, line.decode().strip()):
                        break

            def finish(self) -> None:
                # What became secure is another socket than the one that the server closes.
                self.request.close()

            def say(self, reply: str) -> None:
                self.request.sendall(f"{reply}\r\n".encode())

            def obey(self, word: str, line: str) -> bool:
                """Answer a command; False ends the connection."""
                reply = server.replies.get(word, _USUAL.get(word, "502 not known"))
                if not reply:
                    stopping.wait(HANG_SEC)
                    return False
                if word == "EHLO":
                    offers = ["AUTH PLAIN", "SIZE 1000000"]
                    if secure is not None and not self.is_secure:
                        offers.append("STARTTLS")
                    for offer in ["mail.example.org", *offers[:-1]]:
                        self.say(f"250-{offer}")
                    reply = f"250 {offers[-1]}"
                elif word == "STARTTLS" and secure is not None:
                    self.say("220 go on")
                    self.request = secure.wrap_socket(self.request, server_side=True)
                    self.lines, self.is_secure = self.request.makefile("rb"), True
                    return True
                elif word == "AUTH":
                    _, name, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    server.logins.append((name, password, self.is_secure))
                elif word == "DATA" and reply.startswith("354"):
                    self.say(reply)
                    reply = self.letter()
                self.say(reply)
                return word != "QUIT"

            def letter(self) -> str:
                """Take a letter; the reply to it."""
                lines = iter(self.lines.readline, b".\r\n")
                text = b"".join(line.removeprefix(b".") for line in lines)
                reply = server.replies.get(".", _USUAL["."])
                if reply.startswith("250"):
                    letter = message_from_bytes(text, policy=default)
                    assert isinstance(letter, EmailMessage)
                    server.letters.append(letter)
                return reply

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = False

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that is gone is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "smtps" if is_wrapped else "smtp"
        self.url = f"{scheme}://pulse%40example.org@localhost:{self._server.server_address[1]}"
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
