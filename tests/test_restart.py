"""Killed while the past hour is still being searched: its events are all found in the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from events import Event
from history.archive import Archive
from settings import HistorySettings, Settings, SourceSettings
from tests.waiting import HANG_SEC, until
from ticks import Asset
from worker import Worker

ROOT: Final = Path(__file__).parents[1]

BEGIN: Final = 1_795_000_000.25

WATCHED: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL", "TSLA"),
    "forex": (),
    "crypto": ("BTC-USD", "SOL-USDT"),
}

FILE: Final = "simulated-7.sqlite"

KILLS: Final = 2

LIFE: Final = """
import sys, threading
from pathlib import Path
from tests.test_restart import running
from tests.waiting import until

with running(Path(sys.argv[1]), float(sys.argv[2])) as engine:
    known = len(engine.events)
    until(lambda: len(engine.events) > known + 1)
    print("found", flush=True)
    threading.Event().wait(60)
"""
"""A process that says when it has found two events more, and goes on."""


SHORT_LIFE: Final = """
import os, sys, threading
from pathlib import Path
from pulse_store import PulseStore
from tests.test_restart import BEGIN, engine_on
from tests.waiting import HANG_SEC

advance, is_half = PulseStore.advance, threading.Event()

def advance_half(store, now):
    if now > BEGIN - 1800:
        is_half.set()
        threading.Event().wait()
    advance(store, now)

PulseStore.advance = advance_half
engine = engine_on(Path(sys.argv[1]), BEGIN)
engine.start()
assert is_half.wait(HANG_SEC)
assert engine.flush()
os._exit(9)
"""
"""A process that ends when half of the past hour is stored, and what it handed over is written."""


def engine_on(folder: Path | None, now: float) -> Worker:
    """A worker on a market whose clock stands still, so that all of its hour is the past."""
    source = SourceSettings("simulated", seed=7, watchlist=WATCHED)
    return Worker(Settings(source, history=HistorySettings(folder=folder)), clock=lambda: now)


@contextmanager
def running(folder: Path | None, now: float) -> Iterator[Worker]:
    """The same while it runs, from its first second on."""
    engine = engine_on(folder, now)
    engine.start()
    try:
        assert engine.ready.wait(HANG_SEC)
        yield engine
    finally:
        engine.stop()


def searched(engine: Worker) -> dict[str, Event]:
    """The events of the past hour once all of it is searched."""
    until(lambda: not engine.status().is_searching_past and engine.ready.is_set())
    return {event.id: event for event in engine.events.latest(500)}


def assert_same(found: Mapping[str, Event], expected: Mapping[str, Event]) -> None:
    """The same events in the same states; their figures may be rounded otherwise."""
    assert sorted(found) == sorted(expected)
    for event in expected.values():
        again = found[event.id]
        assert (again.text, again.more, again.updated_ts) == (
            event.text,
            event.more,
            event.updated_ts,
        )
        assert (again.count, again.severity, again.history) == (
            event.count,
            event.severity,
            True,
        )
        assert [part.value for part in again.parts] == pytest.approx(
            [part.value for part in event.parts], rel=1e-9
        )


class Whole(NamedTuple):
    """An archive whose hour was searched without a break, and what was found."""

    folder: Path
    events: Mapping[str, Event]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One life, long enough."""
    folder = tmp_path_factory.mktemp("whole")
    with running(folder, BEGIN) as engine:
        return Whole(folder, searched(engine))


def test_killed_again_and_again_while_it_searches_it_finds_every_event(
    whole: Whole, tmp_path: Path
) -> None:
    """Each life goes on where the one before was killed, the last of them half an hour later."""
    for life in range(KILLS):
        command = [sys.executable, "-c", LIFE, str(tmp_path), str(BEGIN + 20 * life)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "found\n"
            finally:
                process.kill()
    archive = Archive(tmp_path / FILE)
    assert len(list(archive.events(0, 2e9))) < len(whole.events)
    with running(tmp_path, BEGIN + 1800) as engine:
        assert_same(searched(engine), whole.events)
        assert engine.flush()
        assert_same({event.id: event for event in archive.events(0, 2e9)}, whole.events)


def test_killed_while_the_hour_is_stored_it_finds_every_event(whole: Whole, tmp_path: Path) -> None:
    """No half of it is left behind, on which the next life would go on."""
    command = [sys.executable, "-c", SHORT_LIFE, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, timeout=HANG_SEC, check=False).returncode == 9
    with running(tmp_path, BEGIN) as engine:
        assert_same(searched(engine), whole.events)


def test_what_was_searched_is_not_searched_again(whole: Whole) -> None:
    """It is at most a minute of it in which nothing had happened; every event is known."""
    upto = Archive(whole.folder / FILE).search().upto
    assert upto is not None
    assert BEGIN - 65 < upto < BEGIN
    with running(whole.folder, BEGIN + 20) as engine:
        assert_same({event.id: event for event in engine.events.latest(500)}, whole.events)
