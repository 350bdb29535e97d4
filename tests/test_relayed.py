"""The relayed source: what becomes of a process that collects and follows in turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final

import pytest

from history.notes import WatchNotes
from settings import SourceSettings
from sources.entries import encoded
from sources.leading import RelayTiming
from sources.opening import open_source
from sources.relay import Relay
from sources.relayed import Around, RelayedSource
from sources.wishes import Wish, WishKind
from tests.broker import Broker
from tests.collecting import START, Collecting, Following
from tests.publishing import different
from tests.waiting import HANG_SEC
from ticks import ProcessRole

KEEP_SEC: Final = 7500
LEASE: Final = "mp:{pulse}:lease"
WISHES: Final = "mp:{pulse}:wishes"


async def once(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Let what crashes crash."""
    await run()


def kept(name: str, run: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
    """As ``once``."""
    return once(name, run)


async def until(condition: Callable[[], object]) -> None:
    """Return when this holds."""
    async with asyncio.timeout(HANG_SEC):
        while not condition():  # noqa: ASYNC110 - the broker sets no event
            await asyncio.sleep(0.005)


class One:
    """A process that may collect a simulated market, and knows five minutes from its archive."""

    def __init__(
        self, relay: Relay, now: float = START + 5.0, *, role: ProcessRole = "auto"
    ) -> None:
        self.steady = 1000.0
        self.relay = relay
        self.wishes: list[Wish] = []
        self.is_outdated = asyncio.Event()
        """Set once it is to begin anew."""
        self.following = Following(relay)
        inner = open_source(SourceSettings("simulated", seed=1), None, clock=lambda: now)
        self.source = RelayedSource(
            relay,
            role,
            inner,
            inner.queue,
            host="host-a",
            keep_sec=KEEP_SEC,
            timing=RelayTiming(beat_sec=0.02, retry_sec=0.01, block_sec=0.05),
            steady=lambda: self.steady,
        )
        store = self.following.store
        self.source.bind(
            Around(
                store=store,
                events=self.following.events,
                seconds=self.following.heartbeat,
                collected=Collecting().collected,
                followed=self.following.followed,
                span=lambda: (store.oldest() or 0, START - 1),
                wish=self.wishes.append,
                leads=lambda: None,
                outdated=self.is_outdated.set,
            )
        )

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Run the source meanwhile."""
        run = asyncio.create_task(self.source.run(self.following.heartbeat, kept))
        try:
            yield
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)


Join = Callable[[str], Relay]


@pytest.fixture
def join(broker: Broker) -> Iterator[Join]:
    """Lines of several processes to the broker, closed at the end."""
    lines: list[Relay] = []

    def joined(host: str) -> Relay:
        lines.append(Relay(broker.settings(), host, ttl_ms=60_000, timeout_sec=30.0))
        return lines[-1]

    yield joined
    for line in lines:
        line.close()


class Another:
    """Another process that collects."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.collecting = relay, Collecting()

    async def takes_over(self, broker: Broker, last: int) -> None:
        """Take the lease from whoever has it, and publish the past and all up to ``last``."""
        broker.admin.delete(LEASE)
        term = self.relay.take()
        assert term is not None
        publisher = self.collecting.publisher
        publisher.begin()
        await self.collecting.seconds(START, last)
        for digest, table in publisher.tables.items():
            self.relay.set_table(term, digest, encoded(table))
        past = list(publisher.past(START - 300, START))
        self.relay.beat(term, past, b"", KEEP_SEC)
        publisher.past_sent(past)
        self.relay.beat(term, publisher.batch(), b"", KEEP_SEC)


def test_what_an_archive_knew_is_not_laid_upon_itself(join: Join, broker: Broker) -> None:
    """Of who had the lease, published nothing in its time, and follows another from then on."""
    one, another = One(join("host-a")), Another(join("host-b"))

    async def run() -> None:
        await one.source.prepare()
        assert one.source.collects
        # It took long to read its archive.
        one.steady += 60.0
        async with one.running():
            await until(lambda: not one.source.collects)
            await another.takes_over(broker, START + 9)
            await until(lambda: (one.following.shown or [0])[-1] == START + 9)

    asyncio.run(run())
    own, other = one.following.store, another.collecting.store
    spans = (START - 300, START + 10)
    assert own.stored_bars(*spans).cells["n"].sum() == other.stored_bars(*spans).cells["n"].sum()
    assert different(own, other, START + 9.999) == []


def test_who_collected_without_a_word_begins_anew(join: Join, broker: Broker) -> None:
    """What it has of its own nobody was told, and it shows nothing of another upon that."""
    # By its clock, which stands still, no second has ended.
    one, another = One(join("host-a"), START), Another(join("host-b"))

    async def run() -> None:
        await one.source.prepare()
        async with one.running():
            await until(lambda: one.source.relay_status().took_over_at)
            await one.source.watch(one.source.watched)
            one.steady += 60.0
            await until(lambda: not one.source.collects)
            assert not one.is_outdated.is_set()
            await another.takes_over(broker, START + 9)
            await until(one.is_outdated.is_set)

    asyncio.run(run())
    assert one.following.shown == []


def test_a_collector_that_began_slowly_asks_whether_another_does(
    join: Join, broker: Broker
) -> None:
    """Its lease ran out while it read its archive, so it says nothing to the vendor before that."""
    one, another = One(join("host-a"), START, role="collector"), Another(join("host-b"))

    async def run() -> None:
        await one.source.prepare()
        one.steady += 60.0
        await another.takes_over(broker, START + 9)
        async with one.running():
            await until(lambda: one.is_outdated.is_set() or one.following.shown)

    asyncio.run(run())
    # Who collected with a past of its own would have to begin anew.
    assert one.following.shown[-1] == START + 9
    assert not one.is_outdated.is_set()


def test_what_a_viewer_removed_is_not_missed(join: Join, broker: Broker) -> None:
    """What the settings watch and the collector does not send is said; this is neither."""
    one, another = One(join("host-a")), Another(join("host-b"))
    own = {symbol for names in one.source.watched.values() for symbol in names}
    another.collecting.notes = WatchNotes(removed=("AAPL", "SOL-USDT"))

    async def run() -> None:
        await one.source.prepare()
        one.steady += 60.0
        async with one.running():
            await until(lambda: not one.source.collects)
            await another.takes_over(broker, START)
            await until(lambda: one.following.shown)
            missed = set(one.source.relay_status().uncollected)
            assert missed == own - {"BTC-USD", "ETH-USD", "AAPL", "SOL-USDT"}

    assert {"AAPL", "SOL-USDT", "MSFT"} <= own
    asyncio.run(run())


def test_a_wish_reaches_who_decides_and_what_is_none_does_not(join: Join) -> None:
    """Of whoever asked it; rubbish among wishes is passed over."""
    one, line = One(join("host-a")), join("host-b")
    wish = Wish(kind=WishKind.ADD, asset="crypto", symbol="ETH-USD")

    async def run() -> None:
        await one.source.prepare()
        async with one.running():
            await until(lambda: line.look().last is not None)
            for body in (b"", b"\xc1", encoded(wish)[:-1], encoded(wish)):
                line.wish(body)
            await until(lambda: one.wishes)
            assert not one.source.can_ask

    asyncio.run(run())
    assert one.wishes == [wish]


def test_who_follows_asks_and_cannot_while_the_broker_is_away(join: Join, broker: Broker) -> None:
    """What was asked before it went is asked again when it is back."""
    one, another = One(join("host-a")), Another(join("host-b"))
    wish = Wish(kind=WishKind.REMOVE, symbol="BTC-USD")

    async def run() -> None:
        await one.source.prepare()
        one.steady += 60.0
        async with one.running():
            await until(lambda: not one.source.collects)
            await another.takes_over(broker, START)
            await until(lambda: one.source.can_ask)
            broker.kill()
            one.source.ask(wish)
            await until(lambda: not one.source.can_ask)
            await asyncio.to_thread(broker.start)
            await until(lambda: one.source.can_ask)
            await until(lambda: broker.admin.exists(WISHES))

    asyncio.run(run())
    term = another.relay.look().term
    assert another.relay.beat(term, [], b"", KEEP_SEC, takes_wishes=True) == [encoded(wish)]


def test_who_ends_disconnects(join: Join, broker: Broker) -> None:
    """And gives the lease back."""
    one = One(join("host-a"))

    async def run() -> None:
        await one.source.prepare()
        assert connected(broker)
        async with one.running():
            await until(lambda: one.relay.look().last is not None)

    asyncio.run(run())
    assert connected(broker) == []
    assert broker.admin.get(LEASE) is None


def connected(broker: Broker) -> list[str]:
    """The processes that are connected to the broker."""
    names = [each["name"] for each in broker.admin.client_list()]
    return [name for name in names if name.startswith("market-pulse")]
