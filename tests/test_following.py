"""Follower: what a collector published is shown as it was, from a real broker, one by one or at
once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest

from events import Event
from history.deliveries import Mute, MuteOf
from history.notes import WatchNotes
from sources.entries import encoded
from sources.following import NewerFormatError, OutdatedError
from sources.relay import Relay
from sources.relay_records import FORMAT, Packed
from sources.relay_records import START as FIRST
from tests.broker import Broker
from tests.collecting import START, Collecting, Following
from tests.publishing import different
from ticks import Tick
from vendors.rest import Candle, Past, Quote
from vendors.wire import RawTick

KEEP_SEC: Final = 7500

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


class Line:
    """A collector with the lease."""

    def __init__(self, join: Join, host: str = "host-a") -> None:
        self.relay = join(host)
        self.collecting = Collecting()
        self.term = self.relay.take() or 0
        assert self.term

    def publish(self) -> Sequence[Packed]:
        """Publish all that waits, with its tables."""
        self.set_tables()
        batch = self.collecting.publisher.batch(1000)
        self.send(batch)
        self.collecting.publisher.sent(batch)
        return batch

    def set_tables(self) -> None:
        """Publish the tables alone."""
        for digest, table in self.collecting.publisher.tables.items():
            self.relay.set_table(self.term, digest, encoded(table))

    def send(self, batch: Sequence[Packed]) -> None:
        """Publish entries."""
        self.relay.beat(self.term, batch, b"", KEEP_SEC)

    def remember(self) -> None:
        """Publish what is known beside the prices."""
        self.relay.set_memory(self.term, encoded(self.collecting.memory(self.term)))

    def hand_over(self, other: Line) -> None:
        """Let another one collect."""
        self.relay.release(self.term)
        other.term = other.relay.take() or 0
        assert other.term


class Idle(Line):
    """A collector that has no lease yet."""

    def __init__(self, join: Join, host: str) -> None:
        self.relay, self.collecting, self.term = join(host), Collecting(), 0


def events_of(one: Collecting | Following) -> list[Event]:
    """The newest state of every event."""
    return one.events.latest(500)


def assert_same(following: Following, collecting: Collecting, second: int) -> None:
    """A second looks the same at both, to the last bit, with all events and what is remembered."""
    assert different(following.store, collecting.store, second + 0.999) == []
    assert events_of(following) == events_of(collecting)
    assert following.detector.tracks == collecting.detector.tracks


def test_each_second_is_shown_as_it_was(join: Join) -> None:
    """One after the other, with its events; and another's alerts are known."""
    line, following = Line(join), Following(join("host-b"))
    mute = Mute(MuteOf.SYMBOL, "BTC-USD", START + 60.0)

    async def run() -> None:
        for second in range(START, START + 51):
            await line.collecting.second(second)
            line.publish()
            assert await following.follower.catch_up() == 1
        line.collecting.ledger.keep(mutes=[mute])
        await line.collecting.seconds(START + 51, START + 110)
        line.publish()
        assert await following.follower.wait(1000) == 60

    asyncio.run(run())
    assert following.shown == list(range(START, START + 111))
    assert_same(following, line.collecting, START + 110)
    assert following.told == line.collecting.events.updates(0.0, START + 1000.0) != []
    assert following.ledger.all().mutes == (mute,)


def test_one_that_joins_late_knows_what_was_before(join: Join) -> None:
    """From the past, the memory and what was published since; only the newest second is shown."""
    line, following = Line(join), Following(join("host-b"), knows_nothing=True)
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 110)
        collecting.publisher.drop_waiting()
        collecting.publisher.begin()
        past = list(collecting.publisher.past(START - 300, START + 111))
        line.set_tables()
        line.send(past)
        collecting.publisher.past_sent(past)
        line.remember()
        await collecting.seconds(START + 111, START + 140)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 140]
    assert following.follower.first == START - 300
    assert events_of(collecting)
    # Bars that had closed are summed up anew: what is equal to the last bit is tried by their own.
    frame, own = following.store.frame(START + 140.999), collecting.store.frame(START + 140.999)
    for name in ("last", "ret_1m", "vol_15m", "surprise"):
        assert frame[name].tolist() == pytest.approx(own[name].tolist(), nan_ok=True)
    assert events_of(following) == events_of(collecting)
    assert following.detector.tracks == collecting.detector.tracks


def test_a_second_before_the_memory_is_not_shown_with_it(join: Join) -> None:
    """What was laid since it was shown is in the memory, so who joins shows the next one first."""
    line, following = Line(join), Following(join("host-b"), knows_nothing=True)
    collecting = line.collecting
    candle = Candle("BTC-USD", START - 1200, 90.0, 95.0, 85.0, 92.5)

    async def run() -> None:
        collecting.heartbeat.begin_anew(["BTC-USD"], START - 1500, "Coinbase")
        await collecting.seconds(START, START + 5)
        laid = collecting.heartbeat.add_past(Past(candles=[candle]), "Coinbase")
        collecting.publisher.add_past(laid)
        await collecting.second(START + 6)
        line.remember()
        # The last of these comes after the memory was read.
        first, last = collecting.publisher.batch()[:6], collecting.publisher.batch()[6:]
        line.set_tables()
        for batch in (first, last):
            line.send(batch)
            await following.follower.catch_up()
        collecting.publisher.sent([*first, *last])
        assert following.follower.second == START + 6
        assert following.shown == []
        await collecting.second(START + 7)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 7]
    frames = (one.store.frame(START + 7.999) for one in (following, collecting))
    assert [frame["range_low"]["BTC-USD"] for frame in frames] == [85.0, 85.0]


def test_one_that_joins_with_the_first_entry_knows_what_was_remembered(join: Join) -> None:
    """Events of a time whose prices nobody has any more are in the memory alone."""
    line, following = Line(join), Following(join("host-b"), knows_nothing=True)
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 110)
        collecting.publisher.drop_waiting()
        collecting.publisher.begin()
        assert events_of(collecting)
        line.remember()
        await collecting.second(START + 111)
        line.publish()
        await following.follower.catch_up()
        assert following.follower.second == START + 111
        await collecting.second(START + 112)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 112]
    assert events_of(following) == events_of(collecting)


def test_what_a_vendor_told_is_laid_as_it_was(join: Join) -> None:
    """By who follows and by who joins later, whose stream has gone on: no trade more, and no less.

    Of ten seconds that were not over then the collector took nothing, nor of those that it had.
    """
    line, steady = Line(join), Following(join("host-b"), knows_nothing=True)
    late = Following(join("host-c"), knows_nothing=True)
    collecting, sol = line.collecting, "SOL-USD"
    collecting.watched = {"crypto": ("BTC-USD", "ETH-USD", sol)}
    collecting.store.watch("crypto", [sol])
    trades = {-400: 9.9, -24: 10.0, -15: 10.1, 3: 10.2, 4: 10.15, 14: 10.0}
    past = Past(
        trades=[RawTick(sol, START + at + 0.5, price, "") for at, price in trades.items()],
        candles=[Candle(sol, START - 120, 9.0, 9.5, 8.5, 9.25)],
        quotes=[Quote(sol, 9.5, START - 500.0, 9.0, 10.0, 8.0)],
    )

    async def run() -> None:
        collecting.heartbeat.begin_anew([sol], START - 500, "Coinbase")
        await collecting.second(START, [Tick(sol, "crypto", START + 0.5, 10.0)])
        await collecting.seconds(START + 1, START + 20)
        collecting.publisher.add_past(collecting.heartbeat.add_past(past, "Coinbase"))
        await collecting.seconds(START + 21, START + 30)
        # It says less, when all of that is over.
        less = Past(trades=past.trades[:-1])
        collecting.publisher.add_past(collecting.heartbeat.add_past(less, "Coinbase"))
        await collecting.second(START + 31, [Tick(sol, "crypto", START - 14.5, 10.75)])
        await collecting.seconds(START + 32, START + 40)
        for entry in collecting.publisher.batch():
            line.set_tables()
            line.send([entry])
            await steady.follower.catch_up()
        await late.follower.catch_up()

    asyncio.run(run())
    assert late.shown == [START + 40]
    for following in (steady, late):
        for end in (30, 40):
            own, others = (
                one.store.stored_bars(START - 450, START + end) for one in (following, collecting)
            )
            row = others.symbols.index(sol)
            cells = [cells[cells["row"] == row].tolist() for cells in (own.cells, others.cells)]
            assert cells[0] == cells[1] != []
        assert following.store.snapshot(sol, START + 40.999) == collecting.store.snapshot(
            sol, START + 40.999
        )
        assert following.heartbeat.quotes.newest == collecting.heartbeat.quotes.newest != ()


def test_what_is_published_twice_is_taken_once(join: Join, broker: Broker) -> None:
    """A collector that had no answer says it again."""
    line, following = Line(join), Following(join("host-b"))

    async def run() -> None:
        await line.collecting.seconds(START, START + 2)
        for each in line.publish():
            for _ in range(2):
                fields: dict[Any, Any] = {"v": 1, "term": line.term, "seq": each.seq}
                fields |= {"sec": each.second, "body": each.body}
                broker.admin.xadd("mp:{pulse}:seconds", fields)
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 2]
    assert following.follower.position == (line.term, 3)
    assert_same(following, line.collecting, START + 2)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_cannot_be_read_is_passed_over(join: Join, *, is_late: bool) -> None:
    """By who follows, and by who joins later; it is known until something can be read again."""
    line, following = Line(join), Following(join("host-b"))
    follower = following.follower

    async def run() -> None:
        await line.collecting.second(START)
        line.publish()
        if not is_late:
            await follower.catch_up()
        line.send([Packed(START + 1, 2, b"rubbish")])
        if not is_late:
            await follower.catch_up()
            assert follower.has_unread
            assert following.shown == [START]
        line.collecting.publisher.know_taken(2)
        await line.collecting.seconds(START + 2, START + 4)
        batch = line.collecting.publisher.batch()
        line.send([Packed(each.second, each.seq + 2, each.body) for each in batch])
        await follower.catch_up()

    asyncio.run(run())
    assert not follower.has_unread
    assert following.shown[-1] == START + 4
    assert_same(following, line.collecting, START + 4)


def test_a_memory_that_cannot_be_read_is_none(join: Join) -> None:
    """Whoever joins shows what was published all the same."""
    line, following = Line(join), Following(join("host-b"))

    async def run() -> None:
        await line.collecting.seconds(START, START + 30)
        line.publish()
        line.relay.set_memory(line.term, b"rubbish")
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 30]
    assert_same(following, line.collecting, START + 30)


def test_an_entry_whose_table_is_gone_is_passed_over(join: Join) -> None:
    """It names rows that nobody knows."""
    line, following = Line(join), Following(join("host-b"))

    async def run() -> None:
        await line.collecting.second(START)
        batch = line.collecting.publisher.batch()
        line.send(batch)
        line.collecting.publisher.sent(batch)
        assert await following.follower.catch_up() == 1
        assert following.follower.has_unread
        await line.collecting.second(START + 1)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 1]


def test_symbols_come_and_go_as_they_do_at_the_collector(join: Join) -> None:
    """Their rows, what is hidden, and what viewers changed."""
    line, following = Line(join), Following(join("host-b"))
    collecting = line.collecting
    sol = Tick("SOL-USDT", "crypto", START + 1.5, 7.0)

    async def run() -> None:
        await collecting.second(START)
        line.publish()
        await following.follower.catch_up()
        collecting.store.watch("crypto", ["SOL-USDT"])
        collecting.watched = {"crypto": ("BTC-USD", "ETH-USD", "SOL-USDT")}
        await collecting.second(START + 1, [sol])
        line.publish()
        await following.follower.catch_up()
        assert following.store.symbols == ["BTC-USD", "ETH-USD", "SOL-USDT"]
        assert_same(following, collecting, START + 1)
        collecting.store.unwatch(["ETH-USD"])
        collecting.watched = {"crypto": ("BTC-USD", "SOL-USDT")}
        collecting.notes = WatchNotes(removed=("ETH-USD",))
        await collecting.second(START + 2, [])
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.store.symbols == ["BTC-USD", "SOL-USDT"]
    assert following.notes == collecting.notes
    assert_same(following, collecting, START + 2)
    assert following.store.snapshot("SOL-USDT", START + 1.999) is not None


def test_a_newer_format_is_told_once_all_else_is_taken(join: Join) -> None:
    """What is in a format that is known is shown before."""
    line, following = Line(join), Following(join("host-b"))

    async def run() -> None:
        await line.collecting.seconds(START, START + 1)
        line.publish()
        line.send([Packed(START + 2, 3, b"other", FORMAT + 1)])
        await following.follower.catch_up()

    with pytest.raises(NewerFormatError) as caught:
        asyncio.run(run())
    assert caught.value.format == FORMAT + 1
    assert following.shown == [START + 1]


def test_more_than_a_minute_is_taken_at_once(join: Join) -> None:
    """Whoever was away shows the newest second alone, and knows what it missed for its archive."""
    line, following = Line(join), Following(join("host-b"))
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 50)
        line.publish()
        await following.follower.catch_up()
        late = Tick("BTC-USD", "crypto", START + 45.9, 99.0)
        await collecting.second(START + 51, [late])
        await collecting.seconds(START + 52, START + 130)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 50, START + 130]
    past = following.past[-1]
    assert past.second == START + 129
    seconds = set(past.bars.cells["second"].tolist())
    assert seconds == set(range(START + 52, START + 130))
    assert list(past.events) == collecting.events.updates(0.0, START + 130.0) != []
    assert events_of(following) == events_of(collecting)
    assert following.detector.tracks == collecting.detector.tracks
    assert different(following.store, collecting.store, START + 130.999) == []


def test_a_past_that_is_filled_again_is_for_who_has_none(join: Join) -> None:
    """Whoever followed goes on with the next second."""
    line, following = Line(join), Following(join("host-b"))
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 10)
        line.publish()
        await following.follower.catch_up()
        line.relay.clear(line.term)
        assert following.follower.has_lost_place(line.relay.look())
        following.follower.cursor = FIRST
        line.hand_over(line)
        collecting.publisher.begin()
        past = list(collecting.publisher.past(START, START + 11))
        line.set_tables()
        line.send(past)
        collecting.publisher.past_sent(past)
        await collecting.second(START + 11)
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.shown == [START + 10, START + 11]
    assert not following.follower.has_lost_place(line.relay.look())
    assert_same(following, collecting, START + 11)


def test_a_clock_that_was_set_back_is_followed(join: Join) -> None:
    """The collector shows seconds anew, and so does who follows."""
    line, following = Line(join), Following(join("host-b"))
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 40)
        line.publish()
        await following.follower.catch_up()
        collecting.store.set_clock_back(START + 20)
        for second in range(START + 20, START + 30):
            again = [tick._replace(price=tick.price + 0.5) for tick in collecting_wave(second)]
            await collecting.second(second, again)
            line.publish()
            await following.follower.catch_up()
            assert following.shown[-1] == second
            assert different(following.store, collecting.store, second + 0.999) == []

    def collecting_wave(second: int) -> list[Tick]:
        return [Tick("BTC-USD", "crypto", second + 0.75, 100.0)]

    asyncio.run(run())
    assert events_of(following) == events_of(collecting)


def test_what_nobody_was_told_is_forgotten_once_another_collects(join: Join) -> None:
    """Seven seconds that were not published any more, and the event in them."""
    first, other = Line(join), Idle(join, "host-b")
    own = Following(join("host-a"))

    async def run() -> None:
        await first.collecting.seconds(START + 1, START + 50)
        first.publish()
        await own.follower.catch_up()
        # It collected by itself, and went on for a while.
        for second in range(START + 51, START + 58):
            own.store.update_many([Tick("BTC-USD", "crypto", second + 0.5, 300.0)])
            own.heartbeat.show(second)
            own.heartbeat.search(second)
        assert own.events.latest(5)
        position, cursor = own.follower.position, own.follower.cursor
        own.follower.go_on_from(START + 50, position, cursor, START + 58.0)
        first.hand_over(other)
        await other.collecting.seconds(START + 1, START + 59)
        other.collecting.publisher.know_taken(50)
        other.collecting.publisher.begin()
        other.publish()
        await own.follower.catch_up()

    asyncio.run(run())
    assert own.shown[-1] == START + 59
    assert own.events.latest(5) == other.collecting.events.latest(5)
    now = START + 59.999
    assert (
        own.store.frame(now)["last"].tolist() == other.collecting.store.frame(now)["last"].tolist()
    )
    assert different(own.store, other.collecting.store, now) == []


def test_what_cannot_be_forgotten_ends_all_once_another_collects(join: Join) -> None:
    """Not before: as long as nobody else does, what is here goes on."""
    first, other = Line(join), Idle(join, "host-b")
    own = Following(join("host-a"))

    async def run() -> None:
        await first.collecting.seconds(START + 1, START + 5)
        first.publish()
        await own.follower.catch_up()
        position, cursor = own.follower.position, own.follower.cursor
        own.follower.go_on_from(START + 5, position, cursor, START + 6.0, is_forgettable=False)
        await own.follower.catch_up()
        first.hand_over(other)
        await other.collecting.seconds(START + 1, START + 6)
        other.collecting.publisher.know_taken(5)
        other.collecting.publisher.begin()
        other.publish()
        with pytest.raises(OutdatedError):
            await own.follower.catch_up()

    asyncio.run(run())
    assert own.shown[-1] == START + 5


def test_the_clock_is_the_collectors(join: Join) -> None:
    """As of its newest word, and it goes on at the speed of its time."""
    steady = [100.0]
    line, following = Line(join), Following(join("host-b"), steady=lambda: steady[0])

    async def run() -> None:
        await line.collecting.second(START)
        line.publish()
        await following.follower.catch_up()

    assert following.follower.clock(1.0) == 0.0
    asyncio.run(run())
    assert following.follower.ahead_sec == pytest.approx(1.25)
    steady[0] += 4.0
    assert following.follower.clock(1.0) == START + 5.25
    assert following.follower.clock(10.0) == START + 41.25


def test_the_last_word_shows_nothing(join: Join) -> None:
    """But who heard it knows that another may collect at once."""
    line, following = Line(join), Following(join("host-b"))

    async def run() -> None:
        await line.collecting.second(START)
        line.publish()
        await following.follower.catch_up()
        assert not following.follower.has_ended
        line.collecting.publisher.last()
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert following.follower.has_ended
    assert following.shown == [START]


def test_events_of_a_symbol_that_is_hidden_are_known(join: Join) -> None:
    """It may have gone in the second in which its burst ended."""
    line, following = Line(join), Following(join("host-b"))
    collecting = line.collecting

    async def run() -> None:
        await collecting.seconds(START, START + 104)
        collecting.store.unwatch(["BTC-USD"])
        collecting.watched = {"crypto": ("ETH-USD",)}
        await collecting.second(START + 105, [])
        line.publish()
        await following.follower.catch_up()

    asyncio.run(run())
    assert [event.symbol for event in events_of(following)] == ["BTC-USD"]
    assert events_of(following) == events_of(collecting)
    assert following.store.symbols == ["ETH-USD"]
