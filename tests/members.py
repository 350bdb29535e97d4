"""Members: real processes among several, started by a test, and what each of them says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.waiting import HANG_SEC, until

ROOT: Final = Path(__file__).parent.parent

QUICK: Final = {
    "ttl_sec": 3.0,
    "margin_sec": 1.0,
    "beat_sec": 0.5,
    "retry_sec": 0.1,
    "block_sec": 0.5,
    "memory_sec": 5.0,
}
"""A third of the usual patience."""


class Member:
    """A process of ``tests.member`` with its own folder and these variables."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        timing: Mapping[str, float] = QUICK,
        behind_sec: float = 0.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._variables: dict[str, str] = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MARKET_PULSE_")},
            "PYTHONPATH": str(ROOT),
            "MARKET_PULSE_DATA": str(folder / "data"),
            "MEMBER_TIMING": json.dumps(dict(timing)),
            "MEMBER_CLOCK_SEC": str(behind_sec),
            **variables,
        }
        self.said: list[dict[str, Any]] = []
        """All that it said, in order."""
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Begin, once more after it ended."""
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.member"],
                cwd=self.folder,
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.said.append(json.loads(line))

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """What it logged."""
        return (self.folder / "log").read_text("utf-8")

    def set(self, name: str, value: str) -> None:
        """Have a variable the next time that it starts."""
        self._variables[name] = value

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._process is not None and self._process.poll() is None

    # What can happen to it.

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running.send_signal(number)

    def end(self) -> None:
        """Ask it to end, and wait until it has."""
        self.send(signal.SIGTERM)
        self.wait()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        process, listener = self._running, self._listener
        process.wait(HANG_SEC)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if listener is not None:
            listener.join(HANG_SEC)

    # What it says.

    def seconds(self) -> list[dict[str, Any]]:
        """What it showed, second after second."""
        return [one for one in tuple(self.said) if one["kind"] == "second"]

    def shown(self) -> list[int]:
        """The seconds that it showed, in the order in which it did."""
        return [one["second"] for one in self.seconds()]

    def events(self) -> list[tuple[str, float]]:
        """The states of events that it told of: which event, and when it came into it."""
        found = [one["events"] for one in tuple(self.said) if one["kind"] == "found"]
        return [(str(event), float(at)) for events in found for event, at in events]

    def ask(self, what: str) -> dict[str, Any]:
        """Its answer to a question."""
        kind, count = what.split()[0], len(self.said)
        stdin = self._running.stdin
        assert stdin is not None
        stdin.write(f"{what}\n")
        stdin.flush()

        def answers() -> list[dict[str, Any]]:
            return [one for one in self.said[count:] if one["kind"] == kind]

        until(answers, what=f"an answer to {what}")
        return answers()[0]

    @property
    def relay(self) -> dict[str, Any]:
        """What is true of it among the others."""
        found: dict[str, Any] = self.ask("status")["relay"]
        return found

    def wait_for(self, **what: object) -> dict[str, Any]:
        """What is true of it once all of this is."""
        found: dict[str, Any] = {}

        def is_so() -> bool:
            found.update(self.relay)
            return all(found.get(name) == value for name, value in what.items())

        try:
            until(is_so, what=str(what))
        except AssertionError as error:
            error.add_note(f"last {found}")
            raise
        return found

    def wait_for_second(self, second: int) -> None:
        """Return when it has shown a second, or a later one."""
        until(lambda: (self.shown() or [0])[-1] >= second, what=f"second {second}")
