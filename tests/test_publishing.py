"""Publisher: what each entry holds, and what becomes of those that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from bars import Bars
from history.deliveries import Marks, Mute, MuteOf
from history.notes import WatchNotes
from pulse_store import PulseStore
from sources.entries import Entry, Table, decoded_entry
from sources.publishing import MOST_WAITING_SEC, PAST_SEC
from sources.source import LaidPast
from tests.collecting import START, Collecting, calm_past
from tests.publishing import different
from ticks import Tick
from vendors.rest import Quote


def collected(make: Callable[[Collecting], Awaitable[object]]) -> Collecting:
    """A process that has collected what ``make`` had it collect."""

    async def run() -> Collecting:
        collecting = Collecting()
        await make(collecting)
        return collecting

    return asyncio.run(run())


def table_of(collecting: Collecting, entry: Entry) -> Table:
    """The table that an entry names."""
    return collecting.publisher.tables[entry.table]


def cells_of(collecting: Collecting, entry: Entry) -> Bars:
    """The bars of an entry."""
    return entry.bars(table_of(collecting, entry))


def test_every_second_is_an_entry() -> None:
    """With its own cells, in order, without a gap, whether anything ticked or not."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + 2)
        await collecting.second(START + 3, [])

    collecting = collected(make)
    batch = collecting.publisher.batch()
    assert [each.seq for each in batch] == [1, 2, 3, 4]
    assert [each.second for each in batch] == [START + number for number in range(4)]
    entries = collecting.entries()
    seconds = [cells_of(collecting, entry).cells["second"].tolist() for entry in entries]
    assert seconds == [[START] * 2, [START + 1] * 2, [START + 2] * 2, []]
    assert [entry.clock for entry in entries] == [START + 1.25 + number for number in range(4)]


def test_what_comes_late_is_published_with_the_next_second_and_alone() -> None:
    """Of a second that was published only the symbols that changed."""

    async def make(collecting: Collecting) -> None:
        await collecting.second(START)
        late = Tick("ETH-USD", "crypto", START + 0.9, 51.0)
        await collecting.second(START + 1, [late])
        await collecting.second(START + 2, [])

    collecting = collected(make)
    first, second, third = (cells_of(collecting, each) for each in collecting.entries())
    assert len(first) == 2
    assert second.cells["second"].tolist() == [START]
    assert [second.symbols[row] for row in second.cells["row"]] == ["ETH-USD"]
    assert second.cells["n"].tolist() == [2]
    assert len(third) == 0


def test_the_cells_of_all_entries_make_the_same_store() -> None:
    """To the last bit."""

    async def make(collecting: Collecting) -> None:
        for second in range(START, START + 90):
            late = [tick._replace(ts=tick.ts - 7.0) for tick in collecting_ticks(second)]
            await collecting.second(second, late)

    def collecting_ticks(second: int) -> list[Tick]:
        return [Tick("BTC-USD", "crypto", second + 0.125 * (second % 7), 100.0 + second % 11)]

    collecting = collected(make)
    store = PulseStore(7200, records=True)
    store.watch("crypto", ("BTC-USD", "ETH-USD"))
    calm_past(store)
    for entry in collecting.entries():
        store.put(cells_of(collecting, entry))
        store.advance(entry.second + 1)
    assert different(store, collecting.store, START + 89.999) == []


def test_what_is_found_at_once_belongs_to_the_second() -> None:
    """An event that is found in a second comes with it, and what the detector remembers of it."""

    async def make(collecting: Collecting) -> None:
        for second in range(START, START + 105):
            collecting.taken()
            await collecting.second(second)

    collecting = collected(make)
    entries = collecting.entries()
    found = collecting.events.latest(1)[0]
    assert int(found.updated_ts) <= START + 104
    entry = next(each for each in entries if each.second == int(found.updated_ts))
    assert found in entry.events
    assert [track.symbol for track in entry.tracks] == [found.symbol]


def test_what_is_told_only_once_is_in_one_entry() -> None:
    """Marks of alerts, halts, the vendors' word on the past, and last prices of no window."""
    mute = Mute(MuteOf.SYMBOL, "BTC-USD", START + 60.0)
    quote = Quote("BTC-USD", 99.0, START - 60.0)
    past = LaidPast("Coinbase", START - 10, (), (), (quote,))

    async def make(collecting: Collecting) -> None:
        await collecting.second(START)
        collecting.ledger.keep(mutes=[mute])
        collecting.publisher.add_past(past)
        collecting.store.watch("crypto", ["SOL-USDT"])
        collecting.store.set_initial_price(Tick("SOL-USDT", "crypto", START + 0.5, 7.0))
        await collecting.second(START + 1)
        await collecting.second(START + 2)

    collecting = collected(make)
    first, second, third = collecting.entries()
    assert (first.told, third.told) == (None, None)
    assert second.told == Marks(mutes=(mute,))
    assert [(len(each.pasts), len(each.prices)) for each in (first, second, third)] == [
        (0, 0),
        (1, 1),
        (0, 0),
    ]


def test_what_lasts_is_told_until_it_is_taken() -> None:
    """The begin of a window, or what was laid of the past, before and after its entry is made."""
    tick = Tick("BTC-USD", "crypto", START - 20.5, 100.0)
    laid, nothing = (LaidPast("Coinbase", START - 10, (), ticks, ()) for ticks in ((tick,), ()))

    async def make(collecting: Collecting) -> None:
        publisher = collecting.publisher
        begin = partial(collecting.store.begin_anew, ["BTC-USD"], START, "Coinbase")
        for add in (begin, partial(publisher.add_past, laid)):
            publisher.add_past(nothing)
            await collecting.second(START)
            assert not publisher.has_lasting()
            add()
            assert publisher.has_lasting()
            await collecting.second(START + 1)
            assert publisher.has_lasting()
            collecting.taken()
            assert not publisher.has_lasting()
        publisher.add_past(laid)
        await collecting.seconds(START + 2, START + 2 + MOST_WAITING_SEC)
        assert publisher.lost
        assert publisher.has_lasting()

    collected(make)


def test_a_table_is_kept_for_as_long_as_entries_that_name_it_wait() -> None:
    """Two changes may come before the broker takes the first."""

    async def make(collecting: Collecting) -> None:
        await collecting.second(START)
        collecting.store.watch("crypto", ["SOL-USDT"])
        collecting.watched = {"crypto": ("BTC-USD", "ETH-USD", "SOL-USDT")}
        await collecting.second(START + 1)
        collecting.notes = WatchNotes(groups={"mine": ("BTC-USD",)})
        await collecting.second(START + 2)

    collecting = collected(make)
    entries = collecting.entries()
    tables = [table_of(collecting, entry) for entry in entries]
    assert [len(table.symbols) for table in tables] == [2, 3, 3]
    assert tables[1].watched == collecting.watched
    assert tables[2].notes == collecting.notes
    assert len({entry.table for entry in entries}) == 3
    collecting.taken()
    assert list(collecting.publisher.tables) == [entries[-1].table]


def test_what_was_taken_waits_no_more() -> None:
    """And is sent again only if the broker may have lost it."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + 4)

    collecting = collected(make)
    publisher = collecting.publisher
    assert (publisher.waiting, publisher.published) == (5, None)
    taken = collecting.taken(2)
    assert (publisher.seq, publisher.waiting, publisher.published) == (2, 3, START + 1)
    assert publisher.wake.is_set()
    assert [each.seq for each in publisher.batch()] == [3, 4, 5]
    assert publisher.send_again() == taken
    collecting.taken()
    assert not publisher.wake.is_set()


def test_what_was_taken_without_a_word_is_not_published_again() -> None:
    """Its answer was lost, and the lease since: in the next term it would be another entry."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + 4)

    collecting = collected(make)
    publisher = collecting.publisher
    publisher.know_taken(3)
    publisher.begin()
    batch = publisher.batch()
    assert [(each.seq, each.second) for each in batch] == [(1, START + 3), (2, START + 4)]
    assert publisher.published == START + 2


def test_only_so_many_wait_and_what_is_told_once_is_told_with_the_next() -> None:
    """The prices of two minutes ago are a hole; an event, a mute or a begin is none."""
    mute = Mute(MuteOf.SYMBOL, "BTC-USD", START + 60.0)

    async def make(collecting: Collecting) -> None:
        collecting.store.begin_anew(["BTC-USD"], START, "Coinbase")
        collecting.ledger.keep(mutes=[mute])
        await collecting.seconds(START, START - 1 + 2 * MOST_WAITING_SEC)

    collecting = collected(make)
    publisher, entries = collecting.publisher, collecting.entries()
    assert publisher.waiting == publisher.lost == MOST_WAITING_SEC
    first = entries[0]
    assert first.second == START + MOST_WAITING_SEC
    assert [begin.second for begin in first.begins] == [START]
    assert first.told == Marks(mutes=(mute,))
    assert collecting.events.latest(1)[0].ts < first.second
    states = [event for entry in entries for event in entry.events]
    assert states == collecting.events.updates(0.0, START + 10_000.0)
    tracks = {track.symbol: track for entry in entries for track in entry.tracks}
    assert list(tracks.values()) == collecting.detector.tracks
    assert cells_of(collecting, first).cells["second"].tolist() == [first.second] * 2


def test_what_waits_too_long_while_it_is_sent_is_neither_repeated_nor_skipped() -> None:
    """The answer comes after more seconds were shown: the numbers go on behind it."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + MOST_WAITING_SEC - 1)
        batch = collecting.publisher.batch(2)
        await collecting.second(START + MOST_WAITING_SEC)
        collecting.publisher.sent(batch)

    collecting = collected(make)
    batch = collecting.publisher.batch(2)
    assert [(each.seq, each.second) for each in batch] == [(3, START + 2), (4, START + 3)]


def test_the_past_comes_before_all_that_waits() -> None:
    """In entries of a minute; those that wait have the numbers behind it."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + 129)

    collecting = collected(make)
    publisher = collecting.publisher
    publisher.drop_waiting()
    asyncio.run(collecting.second(START + 130))
    publisher.begin()
    past = list(publisher.past(START, START + 130))
    assert [each.seq for each in past] == [1, 2, 3]
    assert [each.second - START for each in past] == [PAST_SEC - 1, 2 * PAST_SEC - 1, 129]
    entries = [decoded_entry(each.body) for each in past]
    assert all(entry.is_past for entry in entries)
    assert [len(cells_of(collecting, entry)) for entry in entries] == [120, 120, 20]
    publisher.past_sent(past)
    assert [(each.seq, each.second) for each in publisher.batch()] == [(4, START + 130)]


def test_the_last_entry_says_so() -> None:
    """It shows no second."""

    async def make(collecting: Collecting) -> None:
        await collecting.second(START)
        collecting.publisher.last()

    shown, last = collected(make).entries()
    assert (shown.is_last, last.is_last) == (False, True)
    assert (last.second, last.cells) == (START, b"")


def test_what_others_published_is_forgotten() -> None:
    """After it followed, a process publishes what is new from then on, and nothing before."""

    async def make(collecting: Collecting) -> None:
        await collecting.seconds(START, START + 5)
        collecting.publisher.drop_waiting()
        collecting.publisher.found(collecting.events.latest(5))
        collecting.publisher.forget()
        await collecting.second(START + 6)

    collecting = collected(make)
    (entry,) = collecting.entries()
    assert cells_of(collecting, entry).cells["second"].tolist() == [START + 6] * 2
    assert entry.events == ()
