"""Proxy: Caddy in front of several servers, with the Caddyfile of the repository."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from playwright.sync_api import BrowserContext

from tests.broker import free_port
from tests.browsing import ROOT, Server
from tests.waiting import HANG_SEC, until

__all__ = ["CADDYFILE", "Proxy"]

CADDYFILE: Final = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")

_OPTIONS: Final = "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n"
"""No port beside its own: several tests run at once."""


class Proxy:
    """Caddy before ``servers``, started when it is entered."""

    def __init__(self, folder: Path, servers: Sequence[Server]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._folder = folder
        self._servers = servers
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        addresses = " ".join(map(_address, self._servers))
        text, count = re.subn(r"(reverse_proxy) [^{]+ {", rf"\1 {addresses} {{", CADDYFILE)
        assert count == 1, "the Caddyfile has one proxy"
        file = self._folder / "Caddyfile"
        file.write_text(_OPTIONS + text, "utf-8")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"],
                env={
                    **os.environ,
                    "PULSE_SITE": f":{self.port}",
                    "HOME": str(self._folder),
                    "XDG_DATA_HOME": str(self._folder),
                    "XDG_CONFIG_HOME": str(self._folder),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, what="Caddy to answer")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(HANG_SEC)

    @property
    def log(self) -> Path:
        """What it logs."""
        return self._folder / "caddy.log"

    def send(self, visitor: BrowserContext, server: Server) -> None:
        """Have a visitor be one that a server has served before."""
        visitor.add_cookies([{"name": _COOKIE, "value": _cookie_of(server), "url": self.url}])

    def serving(self, visitor: BrowserContext) -> Server:
        """The server that a visitor is sent to."""
        found = {each["name"]: each["value"] for each in visitor.cookies(self.url)}[_COOKIE]
        return next(each for each in self._servers if _cookie_of(each) == found)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}readyz", timeout=HANG_SEC):  # noqa: S310 - our own
                return True
        except OSError:
            return False


_COOKIE: Final = re.findall(r"lb_policy cookie (\w+)", CADDYFILE)[0]


def _address(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def _cookie_of(server: Server) -> str:
    """What Caddy calls a server in its cookie, as no secret is set."""
    return hmac.new(b"", _address(server).encode(), hashlib.sha256).hexdigest()
