"""The supervisor: what crashes is logged without secrets, noted, and started again."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from itertools import pairwise

import pytest

from engine.supervisor import Supervisor
from tests.browsing import ROOT
from tests.waiting import HANG_SEC

SECRET = "SECRETKEY0123456789"  # noqa: S105 - looked for, not used


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer whenever it would wait for it."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped

    def call_at(self, when: float, *args: object, **options: object) -> asyncio.TimerHandle:
        handle = super().call_at(when, *args, **options)  # type: ignore[arg-type]
        self.skipped += max(0.0, when - self.time())
        return handle


def crash(times: int, error: type[BaseException]) -> tuple[list[float], Supervisor]:
    """When a task was started that crashes so many times and then returns; and its supervisor."""
    supervisor = Supervisor([SECRET, ""])
    started: list[float] = []

    async def run() -> None:
        started.append(asyncio.get_running_loop().time())
        if len(started) <= times:
            raise error(f"no luck with {SECRET}")

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(supervisor.keep("store", run))
    return started, supervisor


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_a_crash_is_logged_without_secrets_and_noted(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Also a cancellation that nobody asked for; the traceback stays readable."""
    _, supervisor = crash(2, error)
    (fault,) = supervisor.faults
    assert (fault.name, fault.count, fault.error) == ("store", 2, error.__name__)
    assert "store crashed, next try in 1 s" in caplog.text
    assert "no luck with ***" in caplog.text
    assert SECRET not in caplog.text


def test_waits_grow_up_to_a_minute() -> None:
    """They double from a second on."""
    started, _ = crash(9, RuntimeError)
    waits = [after - before for before, after in pairwise(started)]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.5)


def test_a_long_run_before_a_crash_resets_the_wait() -> None:
    """What ran for more than a minute is tried again as after its first crash."""
    supervisor = Supervisor()
    ended: list[float] = []
    started: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        started.append(loop.time())
        if len(started) == 6:
            return
        if len(started) == 5:
            await asyncio.sleep(61)
        ended.append(loop.time())
        raise RuntimeError

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(supervisor.keep("store", run))
    waits = [after - before for before, after in zip(ended, started[1:], strict=True)]
    assert waits == pytest.approx([1, 2, 4, 8, 1], abs=0.5)


def test_cancellation_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    """A task that is stopped is neither logged nor started again."""
    supervisor = Supervisor()

    async def stop() -> None:
        running = asyncio.Event()

        async def run() -> None:
            running.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(supervisor.keep("store", run))
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.DEBUG, "engine"):
        asyncio.run(stop())
    assert supervisor.faults == ()
    assert "crashed" not in caplog.text


def test_faults_of_several_tasks_are_told_apart() -> None:
    """Each has its own count, and its last error."""
    supervisor = Supervisor()
    supervisor.report("store", ValueError(), 1.0)
    supervisor.report("record", ValueError(), 1.0)
    supervisor.report("store", KeyError(), 1.0)
    assert [(fault.name, fault.count, fault.error) for fault in supervisor.faults] == [
        ("store", 2, "KeyError"),
        ("record", 1, "ValueError"),
    ]


ENDING = """
import asyncio, atexit, logging, sys, threading
from engine.supervisor import Supervisor
from tests.browsing import ROOT
from tests.waiting import HANG_SEC

logging.basicConfig(stream=sys.stdout)
loop, supervisor = asyncio.new_event_loop(), Supervisor()
begun, refused = threading.Event(), threading.Event()


async def run():
    # The end waits for this one, so that the main thread is alive when others are refused.
    loop.run_in_executor(None, refused.wait)
    begun.set()
    while True:
        try:
            await asyncio.to_thread(int)
        except RuntimeError:
            refused.set()
            raise


def live():
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        print("cancelled", [fault.name for fault in supervisor.faults])


def end():
    refused.wait()
    # The task has its say about that within the same step of the loop.
    loop.call_soon_threadsafe(task.cancel)
    thread.join()


task = loop.create_task(supervisor.keep("record", run))
thread = threading.Thread(target=live, daemon=True)
atexit.register(end)
thread.start()
begun.wait()
"""


def test_an_interpreter_that_ends_is_no_crash() -> None:
    """It gives no thread any more, though the loop goes on until it is stopped."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SEC,
    )
    assert (ended.stdout, ended.stderr) == ("cancelled []\n", "")
