"""What a test or benchmark with a real browser needs: Chromium, and ``streamlit run``."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.waiting import HANG_SEC, until

ROOT: Final = Path(__file__).parent.parent
STAGED_APP: Final = Path(__file__).parent / "staged_app.py"

# Chromium in a container: no sandbox of its own, and no calls home.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """Debian's Chromium; None if it is not installed."""
    return shutil.which("chromium")


def copy_app(folder: Path) -> None:
    """Copy the application into ``folder``: the files that git does not ignore, so no secrets.

    With their times and what Python made of them, so that a server there need not compile them.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            _copy(path, folder / name)
            if path.suffix == ".py":
                made = [Path(cache_from_source(str(one))) for one in (path, folder / name)]
                if made[0].is_file():
                    _copy(*made)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


ORDERS: Final = "orders.socket"
"""The socket on which a server takes orders, in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How what the tabs of a server share differs from a user's; see ``staged_app.py``."""

    refresh_sec: float | None = None
    """How often its tabs refresh."""
    clock_ahead_sec: float | None = None
    """How far the clock of its worker is ahead of this machine's."""
    always_open: bool = False
    """Whether its markets never close."""
    pass_over_sec: float | None = None
    """After how long a vendor is passed over that accepts no connection."""
    past_sec: int | None = None
    """How long a past its simulated market has: the search of an hour keeps a core busy."""
    takes_orders: bool = False
    """Whether a test can add events, see ``browser_page.order``."""

    def arguments(self) -> Iterator[str]:
        """The same for the script's command line."""
        if self.refresh_sec is not None:
            yield f"--refresh-sec={self.refresh_sec}"
        if self.clock_ahead_sec is not None:
            yield f"--clock-ahead-sec={self.clock_ahead_sec}"
        if self.always_open:
            yield "--always-open"
        if self.pass_over_sec is not None:
            yield f"--pass-over-sec={self.pass_over_sec}"
        if self.past_sec is not None:
            yield f"--past-sec={self.past_sec}"
        if self.takes_orders:
            yield f"--orders={ORDERS}"


class Server:
    """``streamlit run app.py`` in a folder, as a user starts it; healthy when made.

    With a ``stage`` it runs ``staged_app.py`` instead, which prepares that and runs ``app.py``.
    ``with_api`` it is ``python server.py``, in whose process ``before`` is run first.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *options: str,
        stage: Stage | None = None,
        with_api: bool = False,
        before: str = "",
    ) -> None:
        # Bound as long as the server is needed, and never listening: nobody else gets the port.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / "server.log"
        script, arguments = "app.py", []
        if stage is not None:
            script, arguments = STAGED_APP.name, ["--", *stage.arguments()]
            shutil.copy(STAGED_APP, folder)
        run = ["server.py"] if with_api else ["-m", "streamlit", "run", script]
        if before:
            run = ["-c", f"import server; {before}; server.main()"]
        self._command = [
            *(sys.executable, *run),
            *("--server.port", str(self.port), "--server.headless", "true", *options),
            *arguments,
        ]
        self.log.write_bytes(b"")
        self.process = self._begin(environ)
        try:
            until(self._is_healthy, what="a healthy server")
        except BaseException:
            self.kill()
            raise

    def _begin(self, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MARKET_PULSE_")}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=self.log.parent,
                env={**inherited, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _is_healthy(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the server has ended: {self.log.read_text('utf-8')}")
        try:
            with urllib.request.urlopen(f"{self.url}_stcore/health", timeout=HANG_SEC) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def threads(self) -> int:
        """Number of threads of the server's process."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def cpu_sec(self) -> float:
        """Processor time that the server has used since it started."""
        # After the name, which may hold blanks, in its parentheses.
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory that the server holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> int:
        """Ask it to end, as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG_SEC)

    def restart(self, environ: Mapping[str, str]) -> None:
        """Kill it and start it again as it was started, without waiting until it is healthy."""
        self._end()
        self.process = self._begin(environ)

    def kill(self) -> None:
        """End it at once and for good; may be called again."""
        self._end()
        self._reserved.close()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
