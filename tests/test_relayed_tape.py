"""An hour of real ticks at a collector and its replicas: equal to the last bit, at any second."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pandas as pd

from correlation import corr_card
from engine.calm import HOLD_SEC
from engine.heartbeat import SecondOver, Subscriber
from settings import Settings, SourceSettings
from tests.broker import Broker
from tests.waiting import until
from ticks import ProcessRole
from worker import Worker

SPEED: Final = 120.0
"""How fast the hour is played: each second is shown three times, all by this process."""

SETTLE_SEC: Final = 2 * HOLD_SEC
"""So long after it joined a replica has the collector's calm order."""


class Witness:
    """A worker among several, that remembers what it showed of every second; runs as a context."""

    def __init__(self, broker: Broker, role: ProcessRole, tape: Path) -> None:
        self.figures: dict[int, str] = {}
        self.orders: dict[int, list[str]] = {}
        self.events: list[tuple[int, str]] = []
        settings = Settings(
            SourceSettings("replay", replay_file=tape, speed=SPEED),
            relay=broker.settings(role),
        )
        self.worker = Worker(settings, subscribers=(Subscriber("test", self._told),))

    def __enter__(self) -> Self:
        self.worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.worker.stop()

    def _told(self, over: SecondOver) -> None:
        frame = over.frame
        assert frame is not None
        self.figures[over.second] = figures_of(frame)
        calm = self.worker.heartbeat.ranking.order(over.second, "heat", frame.index)
        if calm is not None:
            self.orders[over.second] = frame.index[calm].tolist()
        self.events += [(over.second, repr(event)) for event in over.events]

    def rewound(self, second: int) -> str:
        """What it shows of a second that is over, and of the hour before it."""
        store, now = self.worker.store, second + 0.999
        symbols = store.symbols
        parts: list[object] = [figures_of(store.frame(now)), store.snapshots(now)]
        parts += [store.history(symbol, now, 900).to_csv() for symbol in symbols]
        parts.append(corr_card(store, symbols, symbols[0], 10, now))
        parts += [repr(e) for e in self.worker.events.latest(50, now)]
        return hashed(repr(parts))


def figures_of(frame: pd.DataFrame) -> str:
    """What is the same only of the same figures, to the last bit."""
    columns = (frame[name].to_numpy() for name in frame.columns)
    parts = [c.tobytes() if c.dtype != object else c.tolist() for c in columns]
    return hashed(repr((frame.index.tolist(), parts)))


def hashed(text: str) -> str:
    """What is the same only of the same text."""
    return hashlib.sha256(text.encode()).hexdigest()


def has_shown(witness: Witness, second: int) -> bool:
    """Whether a process has shown a second."""
    return second in witness.figures


def wait_for(witness: Witness, second: int) -> None:
    """Return when a process has shown a second."""
    until(partial(has_shown, witness, second), what=f"second {second}")


def play(witness: Witness, begin: int, end: int) -> None:
    """Return when a process has shown all of these seconds, however long a busy computer takes."""
    for second in range(begin, end + 1, 100):
        wait_for(witness, second)


def assert_same(witness: Witness, collector: Witness, last: int, settled: int) -> None:
    """Of all seconds that both showed, figures, events and calm orders are the same.

    A calm order is so from the second on at which it has settled.
    """
    shown = sorted(witness.figures)
    assert shown[-1] == last
    assert shown == list(range(shown[0], last + 1))
    assert [s for s in shown if witness.figures[s] != collector.figures[s]] == []
    orders = [second for second in sorted(witness.orders) if second >= settled]
    assert orders
    assert [s for s in orders if witness.orders[s] != collector.orders[s]] == []
    assert witness.events == [told for told in collector.events if told[0] >= shown[0]]


def test_an_hour_is_equal_everywhere(tape_path: Path, tmp_path: Path, broker: Broker) -> None:
    """A replica that is there from the beginning, and one that joins later."""
    with ExitStack() as stack:
        early = stack.enter_context(Witness(broker, "replica", tape_path))
        collector = stack.enter_context(Witness(broker, "collector", tape_path))
        until(lambda: collector.figures, what="the first second")
        first = min(collector.figures)
        play(collector, first, first + 2700)
        late = stack.enter_context(Witness(broker, "replica", tape_path))
        play(collector, first + 2700, first + 3500)
        until(lambda: collector.worker.status().source.has_ended, what="the end of the tape")
        last = max(collector.figures)
        for replica in (early, late):
            wait_for(replica, last)
        assert last - first > 3500
        assert len(collector.events) > 20
        assert_same(early, collector, last, first + 1)
        joined = min(late.figures)
        assert joined > first + 2000
        assert_same(late, collector, last, joined + SETTLE_SEC)
        for second in range(first + 60, last + 1, 397):
            assert {early.rewound(second), late.rewound(second)} == {collector.rewound(second)}
        latest = collector.worker.events.latest(1000)
        assert [one.worker.events.latest(1000) for one in (early, late)] == [latest, latest]
        for one in (early, collector, late):
            assert one.worker.status().faults == ()
