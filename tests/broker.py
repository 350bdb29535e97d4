"""Broker: a real redis-server on a port of its own, with all that can happen to one."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from settings.relay import RelaySettings
from tests.waiting import HANG_SEC, until
from ticks import ProcessRole

__all__ = ["Broker", "free_port"]

_TRIES: Final = 5
"""Somebody else may take the port in between."""


def free_port() -> int:
    """A port of this computer that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A server that keeps what it holds in an append-only file, started when it is entered.

    ``lines`` are added to its configuration: users, for example. With ``certificate`` (the files of
    a certificate and its key) it speaks TLS alone, and ``authority`` vouches for it. ``admin`` is
    the user that may do everything; empty: the default one.
    """

    def __init__(
        self,
        folder: Path,
        program: str = "redis-server",
        *,
        lines: Sequence[str] = (),
        password: str = "",
        certificate: tuple[Path, Path] | None = None,
        authority: Path | None = None,
        admin: str = "",
    ) -> None:
        self.folder = folder
        self.port = 0
        self._program = program
        self._lines = lines
        self._password = password
        self._certificate = certificate
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None
        self._admin_name = admin
        self._admin: Redis | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(_TRIES)):
            self.port = free_port()
            try:
                self.start()
            except AssertionError:
                if not left:
                    raise
            else:
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    # How to reach it.

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'redis' if self._certificate is None else 'rediss'}://127.0.0.1:{self.port}"

    def settings(
        self,
        role: ProcessRole = "auto",
        *,
        user: str = "",
        password: str | None = None,
        name: str = "pulse",
    ) -> RelaySettings:
        """The settings of a process that shares it."""
        return RelaySettings(
            role=role,
            url=self.url.replace("://", f"://{user}@" if user else "://"),
            password=self._password if password is None else password,
            ca_file=self._authority,
            name=name,
        )

    @property
    def admin(self) -> Redis:
        """A client that may do everything."""
        if self._admin is None:
            self._admin = Redis(
                host="127.0.0.1",
                port=self.port,
                username=self._admin_name or None,
                password=self._password or None,
                ssl=self._certificate is not None,
                ssl_ca_certs=None if self._authority is None else str(self._authority),
                protocol=2,
                driver_info=None,
                client_name="admin",
                socket_timeout=HANG_SEC,
                retry=Retry(NoBackoff(), 0),
            )
        return self._admin

    # What can happen to it.

    def start(self, *lines: str, is_awaited: bool = True) -> None:
        """Start it on the same port, with what it kept and with more lines of configuration.

        It answers then, unless it is not awaited.
        """
        log = self.folder / "redis.log"
        (self.folder / "redis.conf").write_text(self._configuration(log, lines), "utf-8")
        self._process = subprocess.Popen([self._program, str(self.folder / "redis.conf")])
        if is_awaited:
            self.wait_until_up()

    def wait_until_up(self) -> None:
        """Return when it has loaded what it kept, and answers."""
        until(self._answers, what="redis-server to answer")

    def kill(self) -> None:
        """End it at once, whatever it does; its append-only file stays."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if self._process is not None:
            self._process.kill()
            self._process.wait(HANG_SEC)
            self._process = None

    def stop_answering(self) -> None:
        """Freeze it: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after that."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Empty it."""
        self.admin.flushall()

    def set_maxmemory(self, size: int) -> None:
        """Have it refuse what needs more bytes than these; 0: nothing."""
        self.admin.config_set("maxmemory", size)

    def fill(self) -> None:
        """Have it be full, as a server with ``noeviction`` is."""
        self.set_maxmemory(1)

    def kill_clients(self, name: str = "") -> int:
        """Cut the connections of all clients whose name holds ``name``; how many there were."""
        found = [
            each
            for each in self.admin.client_list()
            if each["name"] != "admin" and name in each["name"]
        ]
        for each in found:
            self.admin.client_kill_filter(_id=each["id"])
        return len(found)

    # How.

    def _configuration(self, log: Path, more: Sequence[str]) -> str:
        lines = [
            *("bind 127.0.0.1", f"dir {self.folder}", f"logfile {log}", "daemonize no"),
            *("appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction"),
            *self._lines,
            *more,
        ]
        if self._certificate is None:
            lines.append(f"port {self.port}")
        else:
            certificate, key = self._certificate
            lines += ["port 0", f"tls-port {self.port}", "tls-auth-clients no"]
            lines += [f"tls-cert-file {certificate}", f"tls-key-file {key}"]
        if self._password and not self._admin_name:
            lines.append(f"requirepass {self._password}")
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            log = self.folder / "redis.log"
            said = log.read_text("utf-8")[-2000:] if log.exists() else ""
            raise AssertionError(f"redis-server ended:\n{said}")
        try:
            # Not another one, which took the port a moment before.
            is_own = self.admin.info("server")["process_id"] == self._process.pid
            return is_own and bool(self.admin.ping())
        except exceptions.RedisError:
            return False

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(number)
