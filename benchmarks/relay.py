"""What more than one machine costs: ``python -m benchmarks.relay``, some four minutes.

Each number of symbols has a broker of its own. A collector publishes a minute, second by second,
and a replica follows it; nothing is waited for, so that what a second takes can be told. Then a
process joins that has nothing yet, when the broker has two hours. At last tabs are opened at two
replicas, beside as many at one. ``python -m benchmarks.relay 500`` measures that number of symbols
alone, without the tabs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from benchmarks import relayed_tabs
from benchmarks.relayed_market import PAST_SEC, Collector, Market, Replica
from benchmarks.report import Row, table
from settings import HistorySettings, Settings, SourceSettings
from settings.relay import RelaySettings
from sources.entries import Entry, encoded
from sources.relay_records import Packed
from tests.broker import Broker
from worker import Worker

SYMBOLS: Final = (17, 50, 500, 2000)
HELD_PROMISE_SEC: Final = {500: 4.0}
SHARE_PROMISE: Final = 0.25
"""Of a second, to publish or to follow it, in processor time; however many symbols."""

_WARM_SEC: Final = 25
"""By then the list's calm order was reviewed, and all code has run."""

_MEASURED_SEC: Final = 60
_AT_ONCE: Final = 30
_JOIN_SEC: Final = 120.0
_POLL_SEC: Final = 0.005

_T = TypeVar("_T")


class _Spent(NamedTuple):
    """Processor time of all threads and time by the clock, in seconds."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu * 1e3:.1f} / {self.wall * 1e3:.1f} ms"

    @property
    def in_seconds(self) -> str:
        """The same for what takes longer."""
        return f"{self.cpu:.2f} / {self.wall:.2f} s"


class _Joined(NamedTuple):
    """What a process took that had nothing."""

    held: _Spent
    """Until two hours were in its store."""
    shown: _Spent
    """Until its first frame was there; the archive has the two hours by then."""


class _Costs(NamedTuple):
    """What a number of symbols costs; ``show``, ``publish`` and ``follow`` a second on average."""

    show: _Spent
    publish: _Spent
    follow: _Spent
    entry_bytes: float
    hour_bytes: float
    """Of the broker's memory."""
    remember: _Spent
    """To ask a collector's parts, on its worker's thread, what late joiners lack."""
    encode: _Spent
    """To make bytes of it, on another one."""
    memory_bytes: int
    joined: _Joined


class _Meter:
    """Measures what is spent, again and again."""

    def __init__(self) -> None:
        self._spent: list[_Spent] = []

    def of(self, work: Callable[[], _T]) -> _T:
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        self._add(cpu, wall)
        return found

    async def of_task(self, work: Awaitable[None]) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        await work
        self._add(cpu, wall)

    def _add(self, cpu: float, wall: float) -> None:
        self._spent.append(_Spent(time.process_time() - cpu, time.perf_counter() - wall))

    @property
    def mean(self) -> _Spent:
        """Of the last minute."""
        spent = self._spent[-_MEASURED_SEC:]
        return _Spent(*(sum(each) / len(spent) for each in zip(*spent, strict=True)))


def measure(symbols: Sequence[int] = SYMBOLS) -> list[Row]:
    """What publishing, following and joining cost."""
    return [row for count in symbols for row in _rows(count, _alone(_costs, count))]


def _alone(work: Callable[..., _T], *arguments: object) -> _T:
    """Run ``work`` in a fresh process: one measurement must not warm or fill the next."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def _costs(symbols: int) -> _Costs:
    first = int(time.time()) - PAST_SEC - _WARM_SEC - _MEASURED_SEC
    show, publish, follow, remember, encode = (_Meter() for _ in range(5))
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        market = Market(symbols, first)
        minutes = market.minutes()
        collector = Collector(market, broker.settings("collector"))
        replica = Replica(market, broker.settings("replica"))
        for shown in (collector.shown, replica.shown):
            shown.store.load_minutes(minutes)
        for past in market.past(PAST_SEC):
            collector.shown.load(past)
            replica.shown.load(past)
        asyncio.run(_live(collector, replica, show, publish, follow))
        memory = remember.of(collector.memory)
        body = encode.of(partial(encoded, memory))
        entries = collector.published(_MEASURED_SEC)
        collector.clear()
        before = _used(broker)
        for batch in _past(Market(symbols, first), entries):
            collector.send(batch)
        hour_bytes = (_used(broker) - before) * 3600 / PAST_SEC
        collector.keep_memory(body)
        joined = _alone(_join, broker.settings("replica"), Path(folder) / "data")
    return _Costs(
        show=show.mean,
        publish=publish.mean,
        follow=follow.mean,
        entry_bytes=sum(len(encoded(entry)) for entry in entries) / len(entries),
        hour_bytes=hour_bytes,
        remember=remember.mean,
        encode=encode.mean,
        memory_bytes=len(body),
        joined=joined,
    )


async def _live(
    collector: Collector, replica: Replica, show: _Meter, publish: _Meter, follow: _Meter
) -> None:
    """Show, publish and follow second after second."""
    collector.begin()
    for _ in range(_WARM_SEC + _MEASURED_SEC):
        second = collector.collect()
        show.of(partial(collector.shown.heartbeat.show, second))
        await publish.of_task(collector.publish(second))
        collector.search(second)
        await follow.of_task(replica.follow())


def _past(market: Market, published: Sequence[Entry]) -> Iterator[list[Packed]]:
    """Two hours of entries, some at once: other prices, and all else as it was published."""
    batch = []
    for number in range(PAST_SEC):
        second, cells = market.second, market.cells()
        entry = msgspec.structs.replace(
            published[number % len(published)],
            second=second,
            clock=second + 1.25,
            cells=cells.tobytes(),
            events=(),
        )
        batch.append(Packed(second, number + 1, encoded(entry)))
        if len(batch) == _AT_ONCE or number == PAST_SEC - 1:
            yield batch
            batch = []


def _used(broker: Broker) -> int:
    return int(broker.admin.info("memory")["used_memory"])


def _join(settings: RelaySettings, folder: Path) -> _Joined:
    """Start a worker that has never run, and see when it has what; its modules are loaded."""
    made = Settings(SourceSettings("live"), relay=settings, history=HistorySettings(folder=folder))
    worker = Worker(made)
    worker.open()
    began, cpu = time.perf_counter(), time.process_time()

    def spent() -> _Spent:
        return _Spent(time.process_time() - cpu, time.perf_counter() - began)

    worker.start()
    while worker.heartbeat.oldest is None:
        if spent().wall > _JOIN_SEC:
            raise TimeoutError(f"the past was not there after {_JOIN_SEC:g} s")
        time.sleep(_POLL_SEC)
    held = spent()
    worker.ready.wait(_JOIN_SEC)
    found = _Joined(held, spent())
    worker.stop()
    return found


def _rows(symbols: int, costs: _Costs) -> list[Row]:
    def row(what: str, figure: str, promise: str = "", *, kept: bool | None = None) -> Row:
        return Row(f"{symbols:>5}: {what}", figure, promise, kept)

    def a_second(what: str, spent: _Spent) -> Row:
        kept = spent.cpu <= SHARE_PROMISE
        return row(what, str(spent), f"CPU ≤ {SHARE_PROMISE * 100:.0f} % of it", kept=kept)

    joined, most = costs.joined, HELD_PROMISE_SEC.get(symbols)
    return [
        row("show a second, CPU / wall", str(costs.show)),
        a_second("publish it", costs.publish),
        a_second("follow it, and show it", costs.follow),
        row("an entry", f"{costs.entry_bytes / 1e3:.1f} kB"),
        row("an hour in the broker", f"{costs.hour_bytes / 1e6:.1f} MB"),
        row("what is remembered beside the prices", f"{costs.memory_bytes / 1e6:.2f} MB"),
        row("  to ask for it", str(costs.remember)),
        row("  to encode it", str(costs.encode)),
        row(
            "two hours in the store of a process that joins",
            joined.held.in_seconds,
            "" if most is None else f"≤ {most:g} s",
            kept=None if most is None else joined.held.wall <= most,
        ),
        row("  its first frame", joined.shown.in_seconds),
    ]


if __name__ == "__main__":
    chosen = tuple(map(int, sys.argv[1:]))
    print(table("More than one machine", measure(chosen or SYMBOLS)))
    if not chosen:
        print(table("Tabs of two replicas beside one", relayed_tabs.measure()))
