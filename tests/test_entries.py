"""Entries: what is published is read as it was; what is damaged is refused, or harms nothing."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import Begin, Referenced
from feeds import FeedState, FeedStatus
from history.deliveries import Delivery, Marks, Mute, MuteOf, Told
from history.notes import WatchNotes
from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours
from sources.entries import (
    CollectorStatus,
    Entry,
    EntryError,
    Memory,
    Table,
    decoded_entry,
    decoded_memory,
    decoded_status,
    decoded_table,
    decoded_wish,
    encoded,
)
from sources.source import LaidPast, SourceKind, SourceStatus
from tests.collecting import START, SYMBOLS, Collecting
from tests.told import event_of
from ticks import Tick
from vendors.rest import Candle, Quote

deterministic = settings(derandomize=True, deadline=None, max_examples=150)

TABLE: Final = Table(
    symbols=SYMBOLS["crypto"],
    assets=("crypto", "crypto"),
    watched=SYMBOLS,
    notes=WatchNotes(
        added={"crypto": ("ETH-USD",)}, removed=("AAPL",), groups={"mine": ("BTC-USD",)}
    ),
)

HOURS: Final = MarketHours("crypto", "open", None, None, None, HoursFrom.SOURCE)

PAST: Final = LaidPast(
    vendor="Coinbase",
    upto=START - 10,
    candles=(Candle("BTC-USD", START - 60, 1.0, 2.0, 0.5, 1.5),),
    ticks=(Tick("BTC-USD", "crypto", START - 30.0, 100.0),),
    quotes=(Quote("BTC-USD", 100.0, START - 5.0, 99.0, 101.0, 98.0),),
)


async def _eventful() -> Collecting:
    collecting = Collecting()
    await collecting.seconds(START, START + 110)
    return collecting


@cache
def eventful() -> Collecting:
    """Two minutes that end with a jump, which is an event."""
    return asyncio.run(_eventful())


@cache
def whole_entry() -> Entry:
    """An entry in which every field says something."""
    entries = eventful().entries()
    found = next(entry for entry in reversed(entries) if entry.events and entry.tracks)
    delivery = Delivery(
        destination="desk",
        key="k",
        told=Told.BEGAN,
        event=event_of(START + 1.0),
        made=START + 2.0,
        due=START + 2.0,
    )
    return msgspec.structs.replace(
        found,
        begins=(Begin("BTC-USD", START, "Coinbase"),),
        prices=(Tick("BTC-USD", "crypto", START + 0.5, 100.0),),
        references=(Referenced("BTC-USD", 99.0, START, START + 300, START - 60, "Coinbase"),),
        pasts=(PAST,),
        halted={"BTC-USD": START + 1.0},
        told=Marks(
            deliveries=(delivery,),
            mutes=(Mute(MuteOf.SYMBOL, "AAPL", START + 60.0),),
            off={"desk": "mark"},
        ),
        orders={"heat": ("ETH-USD", "BTC-USD")},
    )


def pack(content: Any) -> bytes:
    """Anything as the format that entries have."""
    return msgspec.msgpack.encode(content)


def unpacked(body: bytes) -> dict[str, Any]:
    """The fields of what was published, by their names."""
    fields: dict[str, Any] = msgspec.msgpack.decode(body)
    return fields


def test_an_entry_is_read_as_it_was_written() -> None:
    """Every field, and the cells to the last bit."""
    entry = whole_entry()
    assert {name for name in entry.__struct_fields__ if not getattr(entry, name)} == {
        "is_past",
        "is_last",
        "watches",
    }
    found = decoded_entry(encoded(entry))
    # A vendor's lists are read as lists, and all else as it was.
    assert found == entry
    assert found.remembered == entry.tracks
    bars = found.bars(TABLE)
    assert bars.symbols == TABLE.symbols
    before = eventful().store.recent_bars(found.second, found.second + 1)
    assert bars.cells.tobytes() == before.cells.tobytes()


def test_a_memory_is_read_as_it_was_written() -> None:
    """And makes a store know what the one that it is of knew."""
    collecting = eventful()
    collecting.store.set_initial_price(Tick("SOL-USDT", "crypto", START + 1.0, 7.0))
    memory = collecting.memory(7)
    found = decoded_memory(encoded(memory))
    assert found == memory
    assert found.events
    assert found.remembered == memory.tracks
    store = PulseStore(7200, records=True)
    store.watch("crypto", (*SYMBOLS["crypto"], "SOL-USDT"))
    store.recall(found.store())
    before, after = collecting.store.remember(), store.remember()
    assert after.prices == before.prices != ()
    assert after.begins == before.begins
    assert after.minutes.cells.tobytes() == before.minutes.cells.tobytes()


def test_a_table_is_read_as_it_was_written() -> None:
    """Another one has another digest, whatever differs."""
    found = decoded_table(encoded(TABLE))
    assert found == TABLE
    assert found.digest == TABLE.digest
    others = [
        replace(TABLE, symbols=("BTC-USD", "SOL-USDT")),
        replace(TABLE, watched={"crypto": ("BTC-USD",)}),
        replace(TABLE, notes=WatchNotes()),
    ]
    assert len({TABLE.digest, *(other.digest for other in others)}) == 4


def test_a_status_is_read_as_it_was_written() -> None:
    """With its source, and its feeds."""
    status = CollectorStatus(
        source=SourceStatus(kind=SourceKind.REPLAY, name="replay", speed=2.0, lacking=("forex",)),
        feeds=(FeedStatus(vendor="Coinbase", asset="crypto", state=FeedState.LIVE, hours=HOURS),),
        vendors={"BTC-USD": "Coinbase"},
        term=7,
        took_over_at=START - 3.5,
        hole_sec=3,
    )
    assert decoded_status(encoded(status)) == status


def test_what_a_later_version_adds_is_ignored() -> None:
    """A field that is not known, in the entry and within its parts."""
    entry = whole_entry()
    fields = unpacked(encoded(entry)) | {"mood": ["calm", {"x": 1}]}
    fields["tracks"] = [track | {"mood": 1} for track in fields["tracks"]]
    assert decoded_entry(pack(fields)) == entry
    assert decoded_table(pack(unpacked(encoded(TABLE)) | {"mood": 1})) == TABLE


def test_what_says_nothing_costs_nothing() -> None:
    """A second in which nothing ticked is a few bytes."""
    entry = Entry(second=START, clock=START + 1.25, table=TABLE.digest)
    assert len(encoded(entry)) < 64
    assert decoded_entry(encoded(entry)) == entry


BAD: Final[dict[str, dict[str, Any]]] = {
    "second of another kind": {"second": "noon"},
    "second before all time": {"second": -1},
    "second after all time": {"second": 2**62},
    "clock that is no number": {"clock": math.nan},
    "price that is no number": {"prices": [["BTC-USD", "crypto", START + 0.5, math.nan]]},
    "price of no time": {"prices": [["BTC-USD", "crypto", math.inf, 100.0]]},
    "price of an unknown class": {"prices": [["BTC-USD", "bonds", START + 0.5, 100.0]]},
    "reference of no price": {"references": [["BTC-USD", math.inf, 0, 1, 0, ""]]},
    "reference of no time": {"references": [["BTC-USD", 1.0, 2**62, 1, 0, ""]]},
    "hours of an unknown class": {"hours": [{"asset": "bonds"}]},
    "track without a burst": {"tracks": [{"symbol": "BTC-USD"}]},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD.keys())
def test_an_entry_that_would_harm_is_refused(fields: dict[str, Any]) -> None:
    """Whatever a store or a detector could never get rid of again."""
    with pytest.raises(EntryError):
        decoded_entry(pack(unpacked(encoded(whole_entry())) | fields))


def with_cells(**changes: Any) -> Entry:
    """An entry whose first cell is another."""
    entry = whole_entry()
    cells = np.array(entry.bars(TABLE).cells)
    for name, value in changes.items():
        cells[name][0] = value
    return msgspec.structs.replace(entry, cells=cells.tobytes())


@pytest.mark.parametrize(
    "entry",
    [
        with_cells(row=2),
        with_cells(second=-1),
        with_cells(second=START + 10_000),
        with_cells(sum=math.nan),
        with_cells(sum=math.inf),
        with_cells(sum=-1.0),
        msgspec.structs.replace(whole_entry(), second=START),
        msgspec.structs.replace(whole_entry(), cells=whole_entry().cells[:-1]),
    ],
    ids=["row", "before", "ahead", "nan", "inf", "negative", "later than its entry", "cut"],
)
def test_cells_that_would_harm_are_refused(entry: Entry) -> None:
    """A row that is nobody's, a second that is not over, a sum that spoils all means."""
    read = decoded_entry(encoded(entry))
    with pytest.raises(EntryError):
        read.bars(TABLE)


def test_a_table_that_is_none_is_refused() -> None:
    """A symbol twice, a class too few, or a class that is not known."""
    fields = unpacked(encoded(TABLE))
    for wrong in (
        {"symbols": ["BTC-USD", "BTC-USD"]},
        {"assets": ["crypto"]},
        {"assets": ["crypto", "bonds"]},
        {"watched": {"bonds": ["X"]}},
    ):
        with pytest.raises(EntryError):
            decoded_table(pack(fields | wrong))


def test_an_error_quotes_nothing_of_what_was_found() -> None:
    """What was found may be anything, a password say."""
    with pytest.raises(EntryError) as caught:
        decoded_entry(b"hunter2 is the password")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def takes(body: bytes) -> None:
    """Have a store take an entry, if it can be read."""
    try:
        entry = decoded_entry(body)
        bars = entry.bars(TABLE)
    except EntryError:
        return
    store = PulseStore(600, records=True)
    store.watch("crypto", TABLE.symbols)
    for begin in entry.begins:
        store.begin_anew([begin.symbol], begin.second, begin.vendor)
    store.put(bars)
    store.put_initial_prices(entry.prices)
    store.advance(entry.second + 1)
    assert store.frame(entry.second + 0.999).index.tolist()[:2] == list(TABLE.symbols)


def reads_memory(body: bytes) -> None:
    """Have a store recall what a collector knew, if it can be read."""
    try:
        memory: Memory = decoded_memory(body)
        known = memory.store()
    except EntryError:
        return
    store = PulseStore(600, records=True)
    store.watch("crypto", TABLE.symbols)
    store.recall(known)
    store.advance(memory.second + 1 if 0 < memory.second < 2 * START else START)
    assert store.frame(START + 0.999).index.tolist() == list(TABLE.symbols)


@deterministic
@given(st.data())
def test_a_flipped_bit_is_refused_or_harms_nothing(data: st.DataObject) -> None:
    """At any place of an entry."""
    body = bytearray(encoded(whole_entry()))
    place = data.draw(st.integers(0, 8 * len(body) - 1))
    body[place // 8] ^= 1 << place % 8
    takes(bytes(body))


def test_what_is_cut_short_is_refused() -> None:
    """At every place; nothing is read of a part."""
    body = encoded(whole_entry())
    for length in range(len(body)):
        with pytest.raises(EntryError):
            decoded_entry(body[:length])


@deterministic
@given(st.data())
def test_a_flipped_bit_of_a_memory_is_refused_or_harms_nothing(data: st.DataObject) -> None:
    """Likewise."""
    body = bytearray(encoded(eventful().memory(7)))
    place = data.draw(st.integers(0, 8 * len(body) - 1))
    body[place // 8] ^= 1 << place % 8
    reads_memory(bytes(body))


@deterministic
@given(st.binary(max_size=200))
def test_anything_else_is_refused(body: bytes) -> None:
    """It raises what says so, whatever it is."""
    for read in (decoded_entry, decoded_memory, decoded_table, decoded_status, decoded_wish):
        with pytest.raises(EntryError):
            read(body)
