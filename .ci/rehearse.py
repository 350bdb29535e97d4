"""Rehearse the container without an engine: run what the Dockerfile says under what it promises.

A root folder of its own holds the system, the Python that runs this, its packages and the files
that .dockerignore lets through, all of them read-only. In it the server runs as process 1 of its
own namespace, as a user without a name or any privilege, can write to its volume and /tmp alone, is
asked for its health, stopped, and started again on the same volume. No image is built, so the base
image and the installation in it are not tried.

It wants to be root; it ends with status 0, or with what was not as it should be. Whoever may make
no namespaces is told so, which is a failure in continuous integration alone.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent.parent
SYSTEM: Final = ("usr", "bin", "lib", "lib64", "etc", "dev")
READY_SEC: Final = 60
"""How long a start may take on a busy machine; the health check itself allows thirty."""
STOP_SEC: Final = 10
"""After how long an engine kills what does not stop."""


class Image(NamedTuple):
    """What the last stage of the Dockerfile says of a run."""

    environ: Mapping[str, str]
    folder: str
    user: int
    volume: str
    health: Sequence[str]
    command: Sequence[str]
    signal: signal.Signals


def image() -> Image:
    """The Dockerfile, as far as a run rests on it."""
    text = (HERE / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    last = text.rpartition("\nFROM ")[2]
    said = dict(re.findall(r"^([A-Z]+) +(.*)$", last, re.MULTILINE))
    environ = dict(pair.split("=", 1) for pair in shlex.split(said["ENV"]))
    environ["PATH"] = environ["PATH"].replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
    # An engine runs a form that is no list by a shell, which would get the signal.
    command, health = json.loads(said["CMD"]), json.loads(said["HEALTHCHECK"].partition(" CMD ")[2])
    user = int(said["USER"].partition(":")[0])
    return Image(
        environ,
        said["WORKDIR"],
        user,
        said["VOLUME"],
        health,
        command,
        signal.Signals[said["STOPSIGNAL"]],
    )


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore keeps a file out of the image; the last pattern that fits decides."""
    whole = PurePosixPath(path)
    names = [str(one) for one in (whole, *whole.parents)]
    left_out = False
    for pattern in patterns:
        if any(fnmatch.fnmatch(name, pattern.removeprefix("!")) for name in names[:-1]):
            left_out = not pattern.startswith("!")
    return left_out


def copy_code(folder: Path) -> None:
    """Copy what an image would hold of the files that git knows."""
    lines = (HERE / ".dockerignore").read_text("utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    for private in (".streamlit/secrets.toml", ".git/config", "data/live.sqlite", ".env"):
        expect(is_left_out(private, patterns), f"{private} would be in the image")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (HERE / name).is_file() and not is_left_out(name, patterns):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / name, folder / name)


def expect(condition: object, otherwise: str) -> None:
    """End with ``otherwise`` unless the condition holds."""
    if not condition:
        raise SystemExit(f"The container would not run as promised: {otherwise}.")


class Rehearsal:
    """A root folder as an image would have it, and runs of the server in it."""

    def __init__(self, said: Image, folder: Path, port: int) -> None:
        self._said = said
        self._root = folder / "root"
        self._code = folder / "code"
        self._volume = folder / "volume"
        self._environ = {**said.environ, "STREAMLIT_SERVER_PORT": str(port)}

    def prepare(self) -> None:
        """Put the code and an empty volume in place."""
        self._root.mkdir()
        self._code.mkdir()
        copy_code(self._code)
        self._volume.mkdir()
        os.chown(self._volume, self._said.user, self._said.user)

    @contextlib.contextmanager
    def run(self) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """A run: what waits for its end, and the number of its process outside its namespace."""
        inside = ["chroot", str(self._root), *self._unprivileged(), *self._said.command]
        script = f"set -e\n{self._mounts()}\nexec {shlex.join(inside)}"
        whole = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        with subprocess.Popen(whole) as outer:
            try:
                yield outer, self._first(outer)
            finally:
                outer.kill()

    def is_healthy(self, process: int) -> bool:
        """What the health check says, which runs beside the server."""
        beside = ["nsenter", f"--target={process}", "--mount", "--pid", "--root"]
        whole = [*beside, *self._unprivileged(), *self._said.health]
        return subprocess.run(whole, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def archives(self) -> list[str]:
        """What lies in the volume."""
        return sorted(path.name for path in self._volume.iterdir())

    def seconds(self) -> int:
        """How many seconds its archive holds, which must be sound."""
        (archive,) = self._volume.glob("*.sqlite")
        expect(archive.stat().st_uid == self._said.user, "the archive is another user's")
        with contextlib.closing(sqlite3.connect(archive)) as opened:
            expect(opened.execute("PRAGMA integrity_check").fetchone() == ("ok",), "it is damaged")
            return int(opened.execute("SELECT count(DISTINCT second) FROM bar").fetchone()[0])

    def _mounts(self) -> str:
        """Commands that fill the root folder, in a namespace of their own."""
        root, said = self._root, self._said
        to = {
            **{Path("/", name): name for name in SYSTEM if Path("/", name).exists()},
            Path(sys.base_prefix): sys.base_prefix.lstrip("/"),
            Path(sys.prefix): "opt/venv",
            self._code: said.folder.lstrip("/"),
            self._volume: said.volume.lstrip("/"),
        }
        lines = [f"mount -t tmpfs -o mode=755 tmpfs {root}"]
        for path, place in to.items():
            lines += [f"mkdir -p {root}/{place}", f"mount --rbind {path} {root}/{place}"]
            if path != self._volume and place != "dev":
                lines.append(f"mount -o remount,bind,ro {root}/{place}")
        lines += [f"mkdir {root}/tmp {root}/proc", f"mount -t tmpfs tmpfs {root}/tmp"]
        lines += [f"mount -t proc proc {root}/proc", f"mount -o remount,ro {root}"]
        return "\n".join(lines)

    def _unprivileged(self) -> list[str]:
        """The begin of a command line as the image's user, with the image's environment alone."""
        user = self._said.user
        may = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        environ = [f"{name}={value}" for name, value in self._environ.items()]
        to_folder = ["env", "-i", f"--chdir={self._said.folder}", *environ]
        return ["setpriv", f"--reuid={user}", f"--regid={user}", *may, *to_folder]

    def _first(self, outer: subprocess.Popen[bytes]) -> int:
        """The number, outside of it, of process 1 of the namespace."""
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        while outer.poll() is None:
            if numbers := children.read_text("ascii").split():
                return int(numbers[0])
        raise SystemExit("The namespace of the rehearsal could not be made.")


def rehearse_once(rehearsal: Rehearsal, said: Image) -> None:
    """Start, wait for health, look at what runs, and stop."""
    begin = time.monotonic()
    with rehearsal.run() as (outer, process):
        while not rehearsal.is_healthy(process):
            expect(outer.poll() is None, f"it ended with status {outer.returncode}")
            expect(time.monotonic() - begin < READY_SEC, "it was never healthy")
        healthy = time.monotonic() - begin
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process}/status").read_text().splitlines()
        )
        expect(status["NSpid"].split()[-1] == "1", "the server is not process 1")
        expect(set(status["Uid"].split()) == {str(said.user)}, "it runs as another user")
        expect(status["NoNewPrivs"].strip() == "1", "it may get privileges")
        begin = time.monotonic()
        os.kill(process, said.signal)
        code = outer.wait(STOP_SEC)
    expect(code == 0, f"it stopped with status {code}")
    expect(not any(name.endswith("-wal") for name in rehearsal.archives()), "its archive is open")
    print(f"Healthy after {healthy:.1f} s, stopped after {time.monotonic() - begin:.1f} s.")


def main() -> None:
    """Rehearse two runs on one volume, the second one without a home."""
    trial = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False)
    if trial.returncode:
        print("The container is not rehearsed: the right to make its namespaces is missing.")
        sys.exit(1 if os.environ.get("CI") else 0)
    said = image()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal(said, Path(folder), port)
        rehearsal.prepare()
        rehearse_once(rehearsal, said)
        first = rehearsal.seconds()
        homeless = {name: value for name, value in said.environ.items() if name != "HOME"}
        rehearse_once(Rehearsal(said._replace(environ=homeless), Path(folder), port), said)
        expect(rehearsal.seconds() > first, "nothing was added to the volume by a second run")


if __name__ == "__main__":
    main()
