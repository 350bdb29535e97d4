"""Leader: the lease, what is published with it, and when it is over, at a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import pytest

from sources.entries import Entry, decoded_entry, decoded_memory, decoded_status, encoded
from sources.leading import Leader, RelayTiming
from sources.relay import Relay
from sources.relay_records import START as FIRST
from sources.relay_records import Read
from sources.relay_status import RelayTrouble
from tests.broker import Broker
from tests.collecting import START, Collecting, Following, wave
from tests.waiting import HANG_SEC
from ticks import Tick
from vendors.rest import Candle, Past

KEEP_SEC: Final = 7500

TIMING: Final = RelayTiming(beat_sec=0.02, retry_sec=0.01)

FAR_TERM: Final = 9_999_999_999_999

LEASE: Final = "mp:{pulse}:lease"
STREAM: Final = "mp:{pulse}:seconds"


class Process:
    """A process that may lead; its steady clock stands still unless it is told to go on."""

    def __init__(self, relay: Relay, *, is_only: bool = False) -> None:
        self.relay, self.collecting = relay, Collecting()
        self.steady = 1000.0
        self.troubles: list[RelayTrouble] = []
        self.leader = Leader(
            relay,
            self.collecting.publisher,
            self.collecting.told,
            self.troubles.append,
            keep_sec=KEEP_SEC,
            is_only=is_only,
            timing=TIMING,
            steady=lambda: self.steady,
        )

    @contextlib.asynccontextmanager
    async def leading(self) -> AsyncIterator[asyncio.Task[str]]:
        """Publish meanwhile, with a lease that is this process's."""
        if self.leader.term is None:
            assert await self.leader.take()
        run = asyncio.create_task(self.leader.run())
        try:
            yield run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def published(self, second: int) -> None:
        """Return when the broker has taken this second."""
        await until(lambda: self.collecting.publisher.published == second)

    def read(self) -> list[Read]:
        """All that the stream holds."""
        return self.relay.read(FIRST, 10_000)

    def entries(self) -> list[Entry]:
        """The same, as it is read."""
        return [decoded_entry(each.body or b"") for each in self.read()]


async def until(condition: Callable[[], object]) -> None:
    """Return when this holds."""
    async with asyncio.timeout(HANG_SEC):
        while not condition():  # noqa: ASYNC110 - the broker sets no event
            await asyncio.sleep(0.005)


Join = Callable[..., Process]


@pytest.fixture
def join(broker: Broker) -> Iterator[Join]:
    """Processes at one broker, whose lines to it are closed at the end."""
    made: list[Process] = []

    def joined(host: str = "host-a", *, is_only: bool = False) -> Process:
        relay = Relay(broker.settings(), host, ttl_ms=60_000, timeout_sec=30.0)
        made.append(Process(relay, is_only=is_only))
        return made[-1]

    yield joined
    for process in made:
        process.relay.close()


def test_who_leads_publishes_all_that_a_follower_needs(join: Join) -> None:
    """Table, past, memory and status with the lease, and then second after second."""
    one, other = join(), join("host-b")

    async def run() -> None:
        await one.collecting.seconds(START, START + 1)
        async with one.leading():
            assert one.leader.term
            await one.published(START + 1)
            await one.collecting.second(START + 2)
            await one.published(START + 2)
            await until(one.relay.memory)
        assert not await other.leader.take()

    asyncio.run(run())
    assert one.leader.has_word.is_set()
    assert set(one.troubles) == {RelayTrouble.NONE}
    past, live = [each for each in one.entries() if each.is_past], one.entries()[-3:]
    assert {len(one.relay.table(entry.table) or b"") > 0 for entry in (*past, *live)} == {True}
    assert past[0].second == START - 300 + 59
    assert [entry.second for entry in live] == [START, START + 1, START + 2]
    assert {each.term for each in one.read()} == {one.leader.term}
    assert [each.seq for each in one.read()] == list(range(1, len(one.read()) + 1))
    standing = other.leader.standing
    assert standing is not None
    assert standing.holder == "host-a"
    assert decoded_status(standing.status or b"").source.name == "live"
    memory = decoded_memory(one.relay.memory() or b"")
    assert memory.term == one.leader.term
    following = Following(other.relay, knows_nothing=True)
    asyncio.run(_caught_up(following))
    assert following.shown == [START + 2]
    assert following.follower.first == START - 300
    assert following.store.frame(START + 2.999)["last"].tolist() == (
        one.collecting.store.frame(START + 2.999)["last"].tolist()
    )


async def _caught_up(following: Following) -> None:
    await following.follower.catch_up()


def test_who_cannot_publish_ends_before_another_may_begin(join: Join, broker: Broker) -> None:
    """By its own clock, whatever the broker or anybody's wall clock says."""
    one = join()

    async def run() -> str:
        async with one.leading() as leading:
            await one.collecting.second(START)
            await one.published(START)
            broker.kill()
            await one.collecting.second(START + 1)
            await until(lambda: RelayTrouble.AWAY in one.troubles)
            one.steady += TIMING.ttl_sec - TIMING.margin_sec - 0.5
            before = len(one.troubles)
            await until(lambda: len(one.troubles) > before)
            assert not leading.done()
            assert not one.leader.is_past_deadline
            one.steady += 0.5
            assert one.leader.is_past_deadline
            return await asyncio.wait_for(leading, HANG_SEC)

    assert asyncio.run(run()) == ""
    assert one.leader.term is None
    assert one.collecting.publisher.waiting == 1


def test_who_slept_says_nothing_when_it_wakes(join: Join) -> None:
    """Even where the lease is still its own."""
    one = join()

    async def run() -> None:
        async with one.leading() as leading:
            await one.collecting.second(START)
            await one.published(START)
            one.steady += 12.0
            await one.collecting.second(START + 1)
            assert await asyncio.wait_for(leading, HANG_SEC) == ""

    asyncio.run(run())
    assert one.entries()[-1].second == START


def test_the_only_one_goes_on_without_a_broker(join: Join, broker: Broker) -> None:
    """What waits is published in order once it is back, in a term of its own."""
    one = join(is_only=True)

    async def run() -> None:
        async with one.leading() as leading:
            await one.collecting.second(START)
            await one.published(START)
            first = one.leader.term
            broker.kill()
            for second in range(START + 1, START + 31):
                one.steady += 1.0
                await one.collecting.second(second)
            await until(lambda: RelayTrouble.AWAY in one.troubles)
            assert not leading.done()
            assert not one.leader.is_past_deadline
            broker.start()
            broker.admin.delete(LEASE)
            await one.published(START + 30)
            assert one.leader.term is not None
            assert first is not None
            assert one.leader.term > first

    asyncio.run(run())
    live = [entry.second for entry in one.entries() if not entry.is_past]
    assert live == list(range(START, START + 31))


def test_who_lost_the_lease_to_another_is_told_to_whom(join: Join, broker: Broker) -> None:
    """And publishes nothing more."""
    one = join()

    async def run() -> str:
        async with one.leading() as leading:
            await one.collecting.second(START)
            await one.published(START)
            # At once, so that it is not taken back in between.
            broker.admin.set(LEASE, f"host-b:{FAR_TERM}")
            await one.collecting.second(START + 1)
            return await asyncio.wait_for(leading, HANG_SEC)

    assert asyncio.run(run()) == "host-b"
    assert one.leader.term is None
    assert one.entries()[-1].second == START


def test_who_is_not_told_that_it_took_the_lease_takes_it_again(join: Join, broker: Broker) -> None:
    """Once that has run out: meanwhile nobody else has it, and what waits is not lost."""
    one = join(is_only=True)

    async def run() -> None:
        async with one.leading() as leading:
            await one.collecting.second(START)
            await one.published(START)
            first = one.leader.term
            broker.admin.set(LEASE, f"host-a:{FAR_TERM}")
            await one.collecting.second(START + 1)
            await until(lambda: one.leader.term is None)
            assert not leading.done()
            broker.admin.delete(LEASE)
            await one.published(START + 1)
            assert one.leader.term not in (None, first)

    asyncio.run(run())
    live = [entry.second for entry in one.entries() if not entry.is_past]
    assert live == [START, START + 1]


def test_a_stream_that_was_emptied_is_filled_again(join: Join, broker: Broker) -> None:
    """By who had the lease, in a new term, with all that is in memory."""
    one, late = join(), join("host-b")

    async def run() -> None:
        async with one.leading():
            await one.collecting.seconds(START, START + 20)
            await one.published(START + 20)
            first = one.leader.term
            broker.flush()
            await until(lambda: one.leader.term not in (None, first))
            await one.collecting.second(START + 21)
            await one.published(START + 21)

    asyncio.run(run())
    entries = one.entries()
    kinds = [entry.is_past for entry in entries]
    assert kinds == sorted(kinds, reverse=True)
    assert [each.seq for each in one.read()] == list(range(1, len(entries) + 1))
    following = Following(late.relay, knows_nothing=True)
    asyncio.run(_caught_up(following))
    assert following.follower.first == START - 300
    seconds = range(START - 300, START + 21, 40)
    prices = [
        [one.store.seconds("BTC-USD", second, second + 1)[0] for second in seconds]
        for one in (following, one.collecting)
    ]
    assert prices[0] == prices[1]


def test_what_waited_is_shown_though_the_broker_lost_all(join: Join, broker: Broker) -> None:
    """The past ends where what waits begins, and the memory knows of all that waits."""
    one, other, late = join(is_only=True), join("host-b"), join("host-c")
    following, joining = Following(other.relay), Following(late.relay, knows_nothing=True)
    candle = Candle("BTC-USD", START - 1200, 90.0, 95.0, 85.0, 92.5)

    async def run() -> None:
        collecting = one.collecting
        async with one.leading():
            await collecting.seconds(START, START + 5)
            await one.published(START + 5)
            await following.follower.catch_up()
            broker.kill()
            await collecting.seconds(START + 6, START + 11)
            # What the newest second that waits was shown without.
            laid = collecting.heartbeat.add_past(Past(candles=[candle]), "")
            collecting.publisher.add_past(laid)
            shutil.rmtree(broker.folder / "appendonlydir")
            broker.start()
            await one.published(START + 11)
            following.follower.cursor = FIRST
            for each in (following, joining):
                await each.follower.catch_up()
            await collecting.second(START + 12)
            await one.published(START + 12)
            for each in (following, joining):
                await each.follower.catch_up()

    asyncio.run(run())
    # The fifth, too, unless the memory was there before it.
    assert [each for each in following.shown if each > START + 5] == [*range(START + 6, START + 13)]
    assert joining.shown == [START + 12]
    past = [entry.second for entry in one.entries() if entry.is_past]
    assert past[-1] == START + 5
    frames = [each.store.frame(START + 12.999) for each in (following, joining, one.collecting)]
    assert [frame["range_low"]["BTC-USD"] for frame in frames] == [85.0] * 3


def test_what_is_remembered_is_of_the_second_just_shown(join: Join) -> None:
    """Also while its entry is yet to be completed: who joins shows the next one first."""
    one, late = join(), join("host-b")
    joining = Following(late.relay, knows_nothing=True)
    candle = Candle("BTC-USD", START - 1200, 90.0, 95.0, 85.0, 92.5)

    async def run() -> None:
        collecting = one.collecting
        async with one.leading():
            await collecting.second(START)
            # What the leader itself remembers comes once, and before this.
            await until(one.relay.memory)
            collecting.store.update_many(wave(START + 1))
            collecting.heartbeat.show(START + 1)
            # The loop has not gone on since, and what was not shown is laid.
            laid = collecting.heartbeat.add_past(Past(candles=[candle]), "")
            collecting.publisher.add_past(laid)
            memory = collecting.memory(one.leader.term or 0)
            one.relay.set_memory(one.leader.term or 0, encoded(memory))
            await one.published(START + 1)
            await joining.follower.catch_up()

    asyncio.run(run())
    assert joining.shown == []


def test_what_the_broker_forgot_is_said_again(join: Join, broker: Broker) -> None:
    """A crash may cost it the last second; what it still has is there once."""
    one = join()

    async def run() -> None:
        async with one.leading():
            await one.collecting.seconds(START, START + 2)
            await one.published(START + 2)
            broker.admin.xdel(STREAM, one.read()[-1].id)
            assert one.entries()[-1].second == START + 1
            broker.kill()
            await until(lambda: RelayTrouble.AWAY in one.troubles)
            broker.start()
            await until(lambda: one.entries()[-1].second == START + 2)

    asyncio.run(run())
    numbers = [each.seq for each in one.read()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_was_taken_without_an_answer_is_not_said_again_in_the_next_term(
    join: Join, broker: Broker
) -> None:
    """Whoever follows would show it twice."""
    one = join()

    async def run() -> None:
        async with one.leading():
            await one.collecting.second(START)
            await one.published(START)
        term = one.leader.term
        assert term is not None
        await one.collecting.seconds(START + 1, START + 2)
        # As a beat whose answer is lost.
        one.relay.beat(term, one.collecting.publisher.batch(), b"", KEEP_SEC)
        broker.admin.delete(LEASE)
        await one.collecting.second(START + 3)
        async with one.leading():
            await one.published(START + 3)
        assert one.leader.last_term > term

    asyncio.run(run())
    live = [entry.second for entry in one.entries() if not entry.is_past]
    assert live == [START, START + 1, START + 2, START + 3]


def test_every_table_that_waits_is_published(join: Join, broker: Broker) -> None:
    """Two changes may come while the broker is away."""
    one, late = join(is_only=True), join("host-b")

    async def run() -> None:
        async with one.leading():
            await one.collecting.second(START)
            await one.published(START)
            broker.kill()
            for number in (1, 2):
                name = f"NEW{number}-USD"
                one.collecting.store.watch("crypto", [name])
                tick = Tick(name, "crypto", START + number + 0.5, 7.0)
                await one.collecting.second(START + number, [tick])
            broker.start()
            await one.published(START + 2)

    asyncio.run(run())
    following = Following(late.relay)
    asyncio.run(_caught_up(following))
    assert not following.follower.has_unread
    for number in (1, 2):
        found = following.store.seconds(f"NEW{number}-USD", START + number, START + number + 1)
        assert found.tolist() == [7.0]


def test_who_ends_says_so_and_gives_the_lease_back(join: Join) -> None:
    """After all that waits, more than one batch or with a new table, too."""
    one, other = join(), join("host-b")

    async def run() -> None:
        async with one.leading():
            await one.collecting.second(START)
            await one.published(START)
        await one.collecting.seconds(START + 1, START + 99)
        one.collecting.store.watch("crypto", ["SOL-USDT"])
        await one.collecting.second(START + 100)
        await one.leader.release()
        assert one.leader.term is None
        assert await other.leader.take()
        await one.leader.release()

    asyncio.run(run())
    entries = one.entries()
    assert [entry.is_last for entry in entries[-2:]] == [False, True]
    assert [entry.second for entry in entries if not entry.is_past] == [
        *range(START, START + 101),
        START + 100,
    ]
    assert one.relay.table(entries[-1].table)
    assert other.leader.standing is not None
    assert other.leader.standing.is_released
    assert other.leader.term == one.relay.look().term


def test_a_memory_is_published_anew_after_a_while(join: Join) -> None:
    """And is that of the entries before it."""
    one = join()

    async def run() -> None:
        async with one.leading():
            await one.collecting.second(START)
            await one.published(START)
            await until(one.relay.memory)
            first = one.relay.memory()
            one.steady += 1.0
            await one.collecting.second(START + 1)
            await one.published(START + 1)
            assert one.relay.memory() == first
            for _ in range(60):
                one.steady += 5.0
                await one.collecting.second(START + 2, [])
                await until(lambda: not one.collecting.publisher.waiting)
            await until(lambda: one.relay.memory() != first)

    asyncio.run(run())
    assert decoded_memory(one.relay.memory() or b"").second == START + 2


def test_the_cursor_is_before_what_was_published_last(join: Join) -> None:
    """So that whoever follows from there misses nothing of who comes next."""
    one = join()

    async def run() -> None:
        async with one.leading():
            await one.collecting.second(START)
            await one.published(START)

    assert one.leader.cursor == FIRST
    asyncio.run(run())
    last = one.read()[-1]
    assert int(one.leader.cursor.split("-")[0]) < int(last.id.split("-")[0])
    assert one.relay.read(one.leader.cursor)[-1] == last
