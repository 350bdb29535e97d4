"""A collector whose tape begins anew: a replica shows that one, and mixes nothing of both."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker
from settings import Settings, SourceSettings
from tests.broker import Broker
from tests.waiting import until
from worker import Worker

PLAYED_SEC = 240


@pytest.fixture
def shared_worker() -> Iterator[None]:
    """The process's worker ends with the test."""
    yield
    worker.stop_shared()


def excerpt(tape: Path, target: Path) -> Path:
    """The tape's first minutes."""
    with gzip.open(tape, "rt", encoding="utf-8") as rows:
        lines = [next(rows)]
        lines += [row for row in rows if int(row.split(",", 1)[0]) < PLAYED_SEC * 1000]
    target.write_text("".join(lines), "utf-8")
    return target


def played(broker: Broker, tape: Path) -> Worker:
    """A collector that has played the tape to its end, and stopped."""
    collector = Worker(
        Settings(
            SourceSettings("replay", replay_file=tape, speed=60.0),
            relay=broker.settings("collector"),
        )
    )
    collector.start()
    try:
        until(lambda: collector.status().source.has_ended, what="the end of the tape")
    finally:
        collector.stop()
    return collector


def test_a_replica_begins_anew_with_its_collector(
    tape_path: Path, tmp_path: Path, broker: Broker, shared_worker: None
) -> None:
    """Whether anybody looks at it or not."""
    short = excerpt(tape_path, tmp_path / "short.csv")
    settings = Settings(SourceSettings("simulated"), relay=broker.settings("replica"))
    first = worker.shared(lambda: settings, Worker)
    played(broker, short)
    last = int(first.reader.pulse().now)
    again = played(broker, short)
    until(lambda: worker.current() is not first, what="a worker that knows nothing yet")
    until(lambda: not first.alive(), what="the end of the first")
    replica = worker.current()
    assert replica is not None
    until(lambda: int(replica.reader.pulse().now) >= last, what="the tape's last second")
    for second in range(last - PLAYED_SEC + 60, last + 1, 20):
        shown, told = (one.store.frame(second + 0.999) for one in (replica, again))
        assert shown.equals(told)
    assert replica.status().faults == ()
