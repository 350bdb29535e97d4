"""The archive on real SQLite files: what is written is read, whatever befalls the file."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bars import CELL, KEPT_MINUTES, MINUTE, Bars, Minutes
from bursts import Burst, Swing
from events import Company, Event, EventStore, StressDetector, Track
from history.archive import Archive, ArchiveError, Search, is_archive
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf, Told
from history.losses import Losses
from history.outgoing import write_mutes, write_new_deliveries
from history.salvage import copy_sound
from history.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    OLDEST_READ,
    PACKED,
    SEARCHED,
    archive_errors,
    checksum,
    encode_event,
)
from history.writer import (
    connect,
    delete_bars,
    delete_events,
    delete_minutes,
    release_pages,
    write_bars,
    write_events,
    write_meta,
    write_minutes,
    write_tracks,
)
from tests.conftest import missing
from tests.told import event_of
from ticks import EventKind, Tick

ROOT: Final = Path(__file__).parent.parent

START: Final = 1_760_000_400

SYMBOLS: Final = ("AAPL", "EURUSD", "BTC-USD")
ASSETS: Final = ("stocks", "forex", "crypto")

# Each example writes a file; the folder is shared and every file in it has a name of its own.
on_disk = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

prices = st.floats(1e-12, 1e12, allow_nan=False)

bar_maps = st.dictionaries(
    st.tuples(st.integers(START, START + 40), st.sampled_from(SYMBOLS)),
    st.tuples(st.integers(0, 999), st.integers(1, 2**31 - 1), prices, prices),
    max_size=30,
)
"""By second and symbol: millisecond, number, price and sum."""

BarMap = dict[tuple[int, str], tuple[int, int, float, float]]


def bars_of(found: BarMap, symbols: Sequence[str] = SYMBOLS) -> Bars:
    """The bars of a map, rows by their place in ``symbols``."""
    cells = np.empty(len(found), CELL)
    for at, (second, symbol) in enumerate(sorted(found, key=lambda key: key[0])):
        cells[at] = (second, symbols.index(symbol), *found[second, symbol])
    assets = dict(zip(SYMBOLS, ASSETS, strict=True))
    return Bars(tuple(symbols), tuple(assets.get(name, "stocks") for name in symbols), cells)


def map_of(bars: Bars) -> BarMap:
    """The other way round; each bar is there once, and seconds are in order."""
    seconds = bars.cells["second"].tolist()
    assert seconds == sorted(seconds)
    found: BarMap = {
        (second, bars.symbols[row]): tuple(rest)
        for second, row, *rest in bars.cells[["second", "row", "ms", "n", "price", "sum"]].tolist()
    }
    assert len(found) == len(bars)
    return found


def series(begin: int, end: int, symbols: Sequence[str] = SYMBOLS, step: int = 1) -> Bars:
    """A bar of each symbol in each second."""
    return bars_of(
        {
            (second, name): (second % 1000, 2, 100.0 + second % 977, 200.0 + second % 977)
            for second in range(begin, end, step)
            for name in symbols
        },
        symbols,
    )


def write(path: Path, *blocks: Bars, events: Sequence[Event] = ()) -> None:
    """Each block in a transaction of its own, as the writer does."""
    with closing(connect(path)) as connection:
        for bars in blocks:
            connection.execute("BEGIN IMMEDIATE")
            write_bars(connection, bars)
            connection.execute("COMMIT")
        write_events(connection, events)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an archive may be made; blanks and signs of addresses are no trouble."""
    return tmp_path / "a #1 100%?.sqlite"


def fresh(folder: Path) -> Path:
    """A name no file has yet."""
    return folder / f"{len(list(folder.iterdir()))}.sqlite"


# Bars.


@given(bar_maps)
@on_disk
def test_bars_are_read_as_they_were_written(tmp_path: Path, found: BarMap) -> None:
    """To the last bit, and every second asked for alone."""
    path = fresh(tmp_path)
    write(path, bars_of(found))
    reader = Archive(path)
    assert map_of(reader.bars(0, 2**40)) == found
    for begin, end in ((START, START + 1), (START + 7, START + 23), (START + 9, START + 9)):
        expected = {key: bar for key, bar in found.items() if begin <= key[0] < end}
        assert map_of(reader.bars(begin, end)) == expected
        expected = {key: bar for key, bar in expected.items() if key[1] in ("AAPL", "BTC-USD")}
        assert map_of(reader.bars(begin, end, ["BTC-USD", "NONE", "AAPL"])) == expected


@given(st.lists(bar_maps, max_size=5), st.booleans())
@on_disk
def test_a_later_state_of_a_bar_replaces_the_earlier(
    tmp_path: Path, parts: list[BarMap], is_turned: bool
) -> None:
    """Second by second and symbol by symbol, in whatever rows the symbols come."""
    path = fresh(tmp_path)
    orders = [SYMBOLS, SYMBOLS[::-1] if is_turned else SYMBOLS]
    write(path, *(bars_of(part, orders[at % 2]) for at, part in enumerate(parts)))
    whole: BarMap = {}
    for part in parts:
        whole |= part
    assert map_of(Archive(path).bars(0, 2**40)) == whole


def test_symbols_no_longer_watched_keep_their_bars(path: Path) -> None:
    """Another watchlist writes beside what was there, in the same seconds too."""
    write(path, series(START, START + 5, ["AAPL", "EURUSD"]))
    write(path, series(START + 3, START + 9, ["IBM", "EURUSD"]))
    found = map_of(Archive(path).bars(START, START + 9))
    assert {second - START for second, name in found if name == "AAPL"} == {0, 1, 2, 3, 4}
    assert {second - START for second, name in found if name == "IBM"} == {3, 4, 5, 6, 7, 8}
    assert {second - START for second, name in found if name == "EURUSD"} == set(range(9))


def test_a_symbol_is_of_the_class_it_was_watched_in_last(path: Path) -> None:
    """One that was listed in the wrong class is not replayed by that one's hours for ever."""
    bars = series(START, START + 2, ["EURUSD"])
    write(path, replace(bars, assets=("crypto",)), replace(bars, assets=("forex",)))
    assert Archive(path).symbols() == {"EURUSD": "forex"}
    assert Archive(path).bars(START, START + 9).assets == ("forex",)


def test_a_symbol_without_a_bar_is_not_recorded(path: Path) -> None:
    """What is watched and never ticks is no symbol of the archive."""
    watched = ("MSFT", *SYMBOLS, "TSLA")
    write(path, bars_of({(START, "EURUSD"): (1, 1, 1.1, 1.1)}, watched))
    assert Archive(path).symbols() == {"EURUSD": "forex"}
    write(path, bars_of({(START, "TSLA"): (1, 1, 9.0, 9.0)}, watched))
    assert Archive(path).symbols() == {"EURUSD": "forex", "TSLA": "stocks"}
    assert map_of(Archive(path).bars(START, START + 1, ["TSLA"])) == {
        (START, "TSLA"): (1, 1, 9.0, 9.0)
    }


def test_pieces_are_in_order_and_leave_no_bar_out(path: Path) -> None:
    """With holes of hours between them; no piece is empty, none is longer than a quarter."""
    parts = [(0, 2000), (2400, 2401), (50_000, 50_900), (50_900, 51_100), (90_000, 90_010)]
    write(path, *(series(START + begin, START + end) for begin, end in parts))
    reader = Archive(path)
    for begin, end, symbols in (
        (0, 2**40, None),
        (START + 5, START + 50_950, None),
        (START + 950, START + 2401, ["AAPL"]),
        (START + 3000, START + 40_000, None),
        (START, START + 90_010, ["NONE"]),
    ):
        pieces = list(reader.blocks(begin, end, symbols))
        for piece in pieces:
            assert 0 < np.ptp(piece.cells["second"]) + 1 <= 900
        found: BarMap = {}
        for piece in pieces:
            assert not found or min(map_of(piece)) > max(found)
            found |= map_of(piece)
        assert found == map_of(reader.bars(begin, end, symbols))


def test_the_span_is_from_the_first_second_to_the_last(path: Path) -> None:
    """None before there is a bar."""
    write(path)
    assert Archive(path).span() is None
    write(path, series(START + 5, START + 9), series(START, START + 1))
    assert Archive(path).span() == (START, START + 8)


def test_the_last_prices_are_told_as_of_then(path: Path) -> None:
    """Now however old, in the past from some days before; a symbol to come is not there."""
    day = 86_400
    write(
        path,
        bars_of({(START - 30 * day, "EURUSD"): (500, 1, 1.1, 1.1)}),
        bars_of({(START - 2 * day, "AAPL"): (250, 3, 150.0, 450.0)}),
        bars_of({(START, "AAPL"): (1, 1, 151.0, 151.0), (START, "BTC-USD"): (2, 1, 9e4, 9e4)}),
        bars_of({(START - 5, "AAPL"): (0, 1, 149.0, 149.0)}),
    )
    reader = Archive(path)
    euro = Tick("EURUSD", "forex", START - 30 * day + 0.5, 1.1)
    assert sorted(reader.last_prices(START + 1)) == sorted(
        [
            euro,
            Tick("AAPL", "stocks", START + 0.001, 151.0),
            Tick("BTC-USD", "crypto", START + 0.002, 9e4),
        ]
    )
    assert sorted(reader.last_prices(START)) == sorted(
        [euro, Tick("AAPL", "stocks", START - 5, 149.0)]
    )
    weekend = sorted([euro, Tick("AAPL", "stocks", START - 2 * day + 0.25, 150.0)])
    assert sorted(reader.last_prices(START - 5)) == weekend
    assert sorted(reader.last_prices(START - 2 * day)) == [euro]
    assert reader.last_prices(START - 31 * day) == []


@given(bar_maps, st.integers(START - 3, START + 50))
@on_disk
def test_last_prices_agree_with_a_search_through_all_bars(
    tmp_path: Path, found: BarMap, before: int
) -> None:
    """At any second, whatever was written in whichever order."""
    path = fresh(tmp_path)
    halves = [dict(list(found.items())[half::2]) for half in (1, 0)]
    write(path, *map(bars_of, halves))
    newest: dict[str, Tick] = {}
    for (second, name), (ms, _, price, _) in sorted(found.items()):
        if second < before:
            asset = ASSETS[SYMBOLS.index(name)]
            newest[name] = Tick(name, asset, second + ms / 1000.0, price)
    assert sorted(Archive(path).last_prices(before)) == sorted(newest.values())


# Minutes.


MinuteMap = dict[tuple[int, str], tuple[int, int, int]]

minute_maps = st.dictionaries(
    st.tuples(st.integers(START // 60, START // 60 + 40), st.sampled_from(SYMBOLS)),
    st.tuples(*[st.integers(0, 255)] * 3).filter(any),
    max_size=30,
)
"""By minute and symbol: the cells of |z|, |ret_1m| and |ret_5m|."""


def minutes_of(found: MinuteMap, symbols: Sequence[str] = SYMBOLS) -> Minutes:
    """The minutes of a map, rows by their place in ``symbols``."""
    cells = np.empty(len(found), MINUTE)
    for at, (minute, symbol) in enumerate(sorted(found, key=lambda key: key[0])):
        cells[at] = (minute, symbols.index(symbol), *found[minute, symbol])
    assets = dict(zip(SYMBOLS, ASSETS, strict=True))
    return Minutes(tuple(symbols), tuple(assets.get(name, "stocks") for name in symbols), cells)


def minute_map(minutes: Minutes) -> MinuteMap:
    """The other way round; each is there once, and minutes are in order."""
    labels = minutes.cells["minute"].tolist()
    assert labels == sorted(labels)
    found: MinuteMap = {
        (minute, minutes.symbols[row]): tuple(rest) for minute, row, *rest in minutes.cells.tolist()
    }
    assert len(found) == len(minutes)
    return found


def write_day(path: Path, *blocks: Minutes) -> None:
    """Write blocks of minutes into an archive that knows their symbols by a bar of each."""
    with closing(connect(path)) as connection:
        for minutes in blocks:
            write_bars(connection, series(START, START + 1, minutes.symbols))
            write_minutes(connection, minutes)


@given(st.lists(minute_maps, max_size=4), st.booleans())
@on_disk
def test_minutes_are_read_as_they_were_written_last(
    tmp_path: Path, parts: list[MinuteMap], is_turned: bool
) -> None:
    """Minute by minute and symbol by symbol, before any minute, of some symbols or all."""
    path = fresh(tmp_path)
    orders = [SYMBOLS, SYMBOLS[::-1] if is_turned else SYMBOLS]
    write_day(path, *(minutes_of(part, orders[at % 2]) for at, part in enumerate(parts)))
    whole: MinuteMap = {}
    for part in parts:
        whole |= part
    for before in (START // 60 + 7, 2**40):
        known = {key: cells for key, cells in whole.items() if key[0] < before}
        assert minute_map(Archive(path).minutes(before)) == known
        known = {key: cells for key, cells in known.items() if key[1] != "EURUSD"}
        assert minute_map(Archive(path).minutes(before, ["BTC-USD", "NONE", "AAPL"])) == known


def test_the_newest_minutes_are_read_class_by_class(path: Path) -> None:
    """A closed market's day reaches back behind that of one that never closes."""
    end, week = START // 60, 7 * 1440
    crypto = {(end - ago, "BTC-USD"): (ago % 250 + 1, 1, 1) for ago in range(week)}
    open_hours = [ago for ago in range(week) if ago % 1440 < 390]
    stocks = {(end - ago, "AAPL"): (ago % 99 + 1, 2, 2) for ago in open_hours}
    old = {(end - week - 500, "EURUSD"): (3, 3, 3)}
    write_day(path, minutes_of(crypto | stocks | old))
    found = minute_map(Archive(path).minutes(end + 1))
    assert set(found) == {
        *sorted(crypto)[-KEPT_MINUTES:],
        *sorted(stocks)[-KEPT_MINUTES:],
        *old,
    }
    assert set(minute_map(Archive(path).minutes(end + 1, ["AAPL"]))) == {
        *sorted(stocks)[-KEPT_MINUTES:]
    }
    # Those of a day that was looked back at.
    back = end - 3000
    assert set(minute_map(Archive(path).minutes(back, ["BTC-USD"]))) == {
        (back - ago, "BTC-USD") for ago in range(1, KEPT_MINUTES + 1)
    }


def test_minutes_are_of_symbols_that_have_a_bar(path: Path) -> None:
    """What is no symbol of the archive has none, and others keep theirs beside it."""
    label = START // 60
    write_day(path, minutes_of({(label, "AAPL"): (1, 2, 3)}))
    with closing(connect(path)) as connection:
        write_minutes(
            connection,
            minutes_of({(label, "IBM"): (4, 5, 6), (label, "AAPL"): (7, 8, 9)}, ("IBM", "AAPL")),
        )
        write_minutes(connection, minutes_of({(label + 1, "IBM"): (4, 5, 6)}, ("IBM",)))
    assert minute_map(Archive(path).minutes(2**40)) == {(label, "AAPL"): (7, 8, 9)}


def test_minutes_are_let_go_by_their_age(path: Path) -> None:
    """Those before a minute."""
    label = START // 60
    write_day(path, minutes_of({(label + at, "AAPL"): (1, 1, 1) for at in range(10)}))
    with closing(connect(path)) as connection:
        assert delete_minutes(connection, label + 4) == 4
    assert {minute for minute, _ in minute_map(Archive(path).minutes(2**40))} == set(
        range(label + 4, label + 10)
    )


def test_writing_beside_a_damaged_minute_says_so(path: Path) -> None:
    """Cells that are none are not written on."""
    minutes = minutes_of({(START // 60, "AAPL"): (1, 1, 1)})
    write_day(path, minutes)
    plain(path, "UPDATE minute SET cells = x'0102'")
    with pytest.raises(ArchiveError, match="damaged") as error:
        write_day(path, minutes)
    assert error.value.is_damaged


# Events, tracks and notes.


def numbered(number: int, begin: float, **more: Any) -> Event:
    """An event that began some seconds after the start; little of it is known."""
    known: dict[str, Any] = {
        "id": f"AAPL:{number}",
        "value": -0.0123,
        "from_price": None,
        "from_ts": None,
        "to_price": 1 / 3,
        "surprise": None,
        "vs_peers": -1e-17,
        "regime": "high_vol",
    }
    return event_of(START + begin, **(known | more))


def lives(seed: int, count: int = 12) -> list[Event]:
    """The states of overlapping events in the order in which a detector tells them."""
    rng = random.Random(seed)
    states = []
    for number in range(count):
        begin = rng.uniform(0, 9000)
        states.append(numbered(number, begin, symbol=rng.choice(SYMBOLS)))
        for _ in range(rng.choice([0, 0, 1, 5, 40])):
            last = states[-1]
            later = last.updated_ts + rng.choice([0.5, 30, 31, 400])
            states.append(replace(last, updated_ts=later, count=last.count + 1))
    return sorted(states, key=lambda event: event.updated_ts)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite, st.none() | finite, st.text(max_size=9), st.booleans())
@on_disk
def test_events_are_read_as_they_were_written(
    tmp_path: Path, value: float, price: float, surprise: float | None, name: str, is_history: bool
) -> None:
    """Any number to the last bit, any name, and nothing that is not known becomes known."""
    path = fresh(tmp_path)
    name = name.encode("utf-8", "ignore").decode()
    event = numbered(
        1, 0.25, value=value, to_price=price, surprise=surprise, symbol=name, history=is_history
    )
    write(path, events=[event])
    assert list(Archive(path).events(0, 2**40)) == [event]
    assert Archive(path).event_states(9, 2**40, 0.0) == [event]


@pytest.mark.parametrize("seed", range(4))
def test_events_are_listed_as_they_ended(path: Path, seed: int) -> None:
    """Each once, by its begin, the last of its states; of some symbols or all."""
    states = lives(seed)
    write(path, events=states)
    last = {event.id: event for event in states}
    for begin, end, symbols in (
        (0.0, 2.0**40, None),
        (START + 1000.0, START + 5000.0, None),
        (START, START + 9000, ["AAPL", "NONE"]),
        (
            min(last.values(), key=lambda e: e.ts).ts,
            max(last.values(), key=lambda e: e.ts).ts,
            None,
        ),
    ):
        expected = [
            event
            for event in sorted(last.values(), key=lambda event: event.ts)
            if begin <= event.ts < end and (symbols is None or event.symbol in symbols)
        ]
        assert list(Archive(path).events(begin, end, symbols)) == expected


@pytest.mark.parametrize("seed", range(6))
def test_states_agree_with_a_search_through_all(path: Path, seed: int) -> None:
    """Of the newest events before then, the state at ``since`` and all after, in order."""
    states = lives(seed)
    write(path, events=states)
    rng = random.Random(seed)
    for _ in range(40):
        most = rng.choice([0, 1, 3, 99])
        before, since = (START + rng.uniform(-100, 12_000) for _ in range(2))
        known = [event for event in states if event.ts < before]
        ids = sorted({(event.ts, event.id) for event in known})[::-1][:most]
        expected = []
        for event in known:
            if (event.ts, event.id) not in ids or event.updated_ts >= before:
                continue
            then = [e for e in known if e.id == event.id and e.updated_ts <= since]
            then = [e for e in then if e.updated_ts < before]
            if not then or event.updated_ts >= then[-1].updated_ts:
                expected.append(event)
        assert Archive(path).event_states(most, before, since) == expected


@pytest.mark.parametrize("seed", range(4))
def test_events_refilled_are_told_as_they_stood(path: Path, seed: int) -> None:
    """A store filled from the archive answers for the rewind window as the one that was lost."""
    rewind_sec = 3660.0
    states = lives(seed, 40)
    write(path, events=states)
    for most in (5, 500):
        original = EventStore(most, rewind_sec=rewind_sec)
        for event in states:
            original.add(event)
        newest = states[-1].updated_ts
        refilled = EventStore(most, rewind_sec=rewind_sec)
        refilled.add_many(Archive(path).event_states(most, newest + 1, newest - rewind_sec))
        assert len(refilled) == len(original)
        assert refilled.latest(500) == original.latest(500)
        for back in range(0, int(rewind_sec), 60):
            now = newest - back
            assert refilled.latest(500, now=now) == original.latest(500, now=now)


def track_of(number: int, begin: float, active: dict[EventKind, float]) -> Track:
    """What is remembered of AAPL after an event."""
    event, now = numbered(number, begin), START + begin
    swing = Swing(False, 1 / 3, before_ts=now - 60, began_ts=now, moved_ts=now)
    burst = Burst(parts=event.parts, count=2, active=active, seen_ts=now + 1 / 3, swing=swing)
    return Track(symbol="AAPL", burst=burst, leader="AAPL", event=event)


def test_tracks_are_restored_as_they_were(path: Path) -> None:
    """One per symbol, the newest; exact, so that a detector goes on from there."""
    detector = StressDetector()
    first, newer = track_of(1, 0.0, {"move_1m": START + 1 / 3}), track_of(3, 70.0, {})
    other = replace(track_of(2, 5.5, {"vol_spike": START}), symbol="EURUSD", event=None)
    with closing(connect(path)) as connection:
        write_tracks(connection, [first, other])
        write_tracks(connection, [newer])
    found = Archive(path).tracks()
    assert sorted(found, key=lambda track: track.key) == [newer, other]
    detector.restore(found)
    assert detector.collect_changed() == []


def test_notes_are_kept(path: Path) -> None:
    """The last one under a name; None where there is none."""
    with closing(connect(path)) as connection:
        write_meta(connection, "seed", "7")
        write_meta(connection, "seed", "8")
    assert (Archive(path).meta("seed"), Archive(path).meta("other")) == ("8", None)


def test_it_says_how_far_it_was_searched(path: Path) -> None:
    """With what the detector remembered then; an archive from before, or a spoilt one, does not."""
    with closing(connect(path)) as connection:
        write_tracks(connection, [track_of(1, 0.0, {})])
        assert Archive(path).search() == Search(None, (track_of(1, 0.0, {}),))
        write_meta(connection, SEARCHED, str(START))
        assert Archive(path).search().upto == START
        for rubbish in ("", "soon", "-5", "1.5", "²", "9" * 12, "9" * 5000):
            write_meta(connection, SEARCHED, rubbish)
            assert Archive(path).search().upto is None


# Versions.


def plain(path: Path, script: str) -> None:
    """Run SQL on a file by hand."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)


def first_version(path: Path) -> tuple[Bars, list[Event]]:
    """A file as the first format's program left it, with bars and events."""
    plain(
        path,
        f"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA journal_mode = WAL; {MIGRATIONS[0]}; PRAGMA user_version = 1",
    )
    bars, states = series(START, START + 50), lives(1)
    packed = np.empty(len(bars), PACKED)
    packed["id"] = bars.cells["row"]
    for name in ("ms", "n", "price", "sum"):
        packed[name] = bars.cells[name]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for at, (name, asset) in enumerate(zip(SYMBOLS, ASSETS, strict=True)):
            connection.execute(
                "INSERT INTO symbol VALUES (?, ?, ?, ?, ?, ?)",
                (at, name, asset, START, float(bars.cells["price"][-1]), START + 49.049),
            )
        for second, cells in zip(range(START, START + 50), np.split(packed, 50), strict=True):
            connection.execute("INSERT INTO bar VALUES (?, ?)", (second, cells.tobytes()))
        connection.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?)",
            [(e.id, e.updated_ts, e.ts, encode_event(e)) for e in states],
        )
    return bars, states


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_file_of_an_older_format_is_brought_up_to_date(path: Path, version: int) -> None:
    """Opened by the writer it keeps its rows, and can hold what the newest format holds."""
    bars, states = first_version(path)
    connect(path, MIGRATIONS[:version]).close()
    with closing(connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        assert version == len(MIGRATIONS)
        track = track_of(1, 0.0, {})
        write_tracks(connection, [track])
        minutes = minutes_of({(START // 60, "AAPL"): (1, 2, 3)})
        write_minutes(connection, minutes)
    reader = Archive(path)
    assert minute_map(reader.minutes(2**40)) == minute_map(minutes)
    assert map_of(reader.bars(0, 2**40)) == map_of(bars)
    assert reader.event_states(99, 2**40, 0.0) == states
    assert reader.tracks() == [track]


# As the second format's program wrote them.
SINGLES: Final = (
    '{"id":"move_1m:EURUSD:1760000432999","kind":"move_1m","symbol":"EURUSD","asset":"forex",'
    '"ts":1760000432.999,"updated_ts":1760000492.999,"horizon_sec":60,"peak":-0.003501,'
    '"threshold":0.0006,"severity":"extreme","count":4,"from_price":1.39814,'
    '"from_ts":1760000372.5,"to_price":1.39324,"to_ts":1760000432.25,"surprise":-8.2,'
    '"vs_peers":null,"regime":"high_vol","history":false}',
    '{"id":"vol_spike:AAPL:1760000439999","kind":"vol_spike","symbol":"AAPL","asset":"stocks",'
    '"ts":1760000439.999,"updated_ts":1760000439.999,"horizon_sec":900,"peak":0.0123,'
    '"threshold":0.009,"severity":"watch","count":1,"from_price":null,"from_ts":null,'
    '"to_price":101.5,"to_ts":1760000438.0,"surprise":null,"vs_peers":0.0012,'
    '"regime":"normal","history":true}',
)


def test_events_of_the_second_format_are_still_told(path: Path) -> None:
    """Each kind was an event of its own; what its surprise meant is said in today's words."""
    plain(
        path,
        f"PRAGMA application_id = {APPLICATION_ID}; {MIGRATIONS[0]}; {MIGRATIONS[1]};"
        "PRAGMA user_version = 2",
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO track VALUES ('EURUSD', 'move_1m', 1, 1, 1, '{}')")
        for text in SINGLES:
            state = json.loads(text)
            row = (state["id"], state["updated_ts"], state["ts"], text)
            connection.execute("INSERT INTO event VALUES (?, ?, ?, ?)", row)
        # What came before checksums is told apart by its seconds.
        connection.execute("INSERT INTO bar VALUES (1760000432, x'')")
    connect(path).close()
    reader = Archive(path)
    fall, spike = reader.event_states(9, 2**40, 0.0)[::-1]
    assert reader.tracks() == []
    assert (fall.text, fall.more) == (
        "EURUSD fell 0.35 % in 1 min: 8.2 × its usual minute, 1.39814 → 1.39324",
        "",
    )
    assert (fall.severity, fall.count, fall.ts) == ("extreme", 4, 1760000432.999)
    assert spike.text == "AAPL volatility 1.23 % per 15 min: unusual from 0.90 % on"
    assert spike.history
    assert list(reader.events(0, 2**40)) == [fall, spike]


# As the sixth format's program wrote it.
BURST: Final = (
    '{"id":"burst:AAPL:1760000432999","symbol":"AAPL","asset":"stocks","ts":1760000432.999,'
    '"updated_ts":1760000433.999,"parts":[{"kind":"move_1m","horizon_sec":60,"value":0.004,'
    '"threshold":0.0012,"surprise":3.1,"times_usual":8.0,"from_price":100.0,'
    '"from_ts":1760000372.999,"to_price":100.4,"to_ts":1760000432.999}],"severity":"alert",'
    '"count":2,"company":"alone","twins":["MSFT"],"early":true,"vs_peers":-0.5,"regime":"normal",'
    '"history":true}'
)


def test_events_from_before_the_user_s_rules_are_still_told(path: Path) -> None:
    """Nobody knows when one was over, and it was a hit of no rule."""
    connect(path, MIGRATIONS[:6]).close()
    expected = event_of(
        1760000432.999,
        updated_ts=1760000433.999,
        count=2,
        company=Company.ALONE,
        twins=("MSFT",),
        early=True,
        vs_peers=-0.5,
        history=True,
    )
    key = expected.id, expected.updated_ts, expected.ts
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        row = (*key, BURST, checksum(key, BURST.encode()))
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", row)
    for _ in range(2):
        losses = Losses()
        assert [*Archive(path).events(0, 2**40, None, losses)] == [expected]
        assert [*Archive(path).event_updates(0, 2**40, losses)] == [expected]
        assert not losses.left_out
        connect(path).close()
    assert (expected.rule, expected.over_ts) == ("", None)


def test_hits_of_rules_and_ends_of_events_are_read_as_they_were_written(path: Path) -> None:
    """A hit may have neither a symbol nor a price, and an event's end is one more of its states."""
    began = event_of(
        START + 1.5,
        id="rule:quiet::1760000401500",
        symbol="",
        kind="rule",
        rule="quiet",
        from_price=None,
        from_ts=None,
        to_price=None,
        to_ts=None,
    )
    over = replace(began, updated_ts=START + 61.5, over_ts=START + 31.5)
    write(path, events=[began, over])
    archive = Archive(path)
    assert [*archive.events(0, 2**40)] == [over]
    assert [*archive.event_updates(0, 2**40)] == [began, over]
    assert archive.event_states(9, 2**40, 0.0) == [began, over]
    assert archive.event_states(9, START + 61.5, 2.0**40) == [began]


def test_a_file_of_an_older_format_is_not_read_before_that(path: Path) -> None:
    """A reader changes nothing: it says what brings the file up to date."""
    first_version(path)
    with pytest.raises(ArchiveError, match=rf"\(format 1, expected {OLDEST_READ}\)") as error:
        Archive(path).span()
    assert not error.value.is_damaged


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """Half of it made is none of it made; the program of before opens the file as before."""
    write(path, series(START, START + 9))
    before = plain_dump(path)
    broken = (
        "CREATE TABLE first(x);",
        "CREATE TABLE half(x); INSERT INTO half VALUES (1); DROP TABLE bar; INSERT INTO none VALUES"
        " (1); CREATE TABLE other(x);",
    )
    with pytest.raises(ArchiveError, match="none") as error:
        connect(path, (*MIGRATIONS, *broken))
    assert not error.value.is_damaged
    # The first of the two is a step of its own, and stands.
    assert plain_dump(path) == sorted([*before, "CREATE TABLE first(x);"])
    plain(path, f"PRAGMA user_version = {len(MIGRATIONS)}")
    assert map_of(Archive(path).bars(0, 2**40)) == map_of(series(START, START + 9))


def plain_dump(path: Path) -> list[str]:
    """Every statement that would make the file's tables anew."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            "PRAGMA user_version = 99",
            rf"newer Market Pulse \(format 99, expected {len(MIGRATIONS)} at most\)",
        ),
        ("PRAGMA application_id = 7", "another program's database"),
    ],
)
def test_a_file_that_is_not_of_this_program_is_left_alone(
    path: Path, script: str, found: str
) -> None:
    """Reader and writer say whose it is, and it is not taken for damaged."""
    write(path, series(START, START + 9))
    plain(path, script)
    before = plain_dump(path)
    for use in (lambda: Archive(path).span(), lambda: connect(path)):
        with pytest.raises(ArchiveError, match=found) as error:
            use()
        assert not error.value.is_damaged
    assert plain_dump(path) == before


# Files that are none, damaged, or out of reach.


def test_what_is_no_archive_is_told_apart(path: Path, tmp_path: Path) -> None:
    """By its first bytes: a tape is none."""
    write(path)
    assert is_archive(path)
    tape = tmp_path / "tape.csv"
    tape.write_text("ms,feed,symbol\n", "utf-8")
    assert not is_archive(tape)
    with pytest.raises(OSError, match="No such file"):
        is_archive(tmp_path / "none")


def everything(reader: Archive, losses: Losses | None = None) -> dict[str, set[Any]]:
    """All that an archive tells, part by part."""
    blocks = list(reader.blocks(START - 10, START + 5000, ["AAPL"], losses))
    return {
        "span": set(reader.span(losses) or ()),
        "symbols": set(reader.symbols(losses).items()),
        "bars": set(map_of(reader.bars(0, 2**40, None, losses)).items()),
        "AAPL": {bar for block in blocks for bar in map_of(block).items()},
        "prices": set(reader.last_prices(2**40, None, losses)),
        "earlier prices": set(reader.last_prices(START + 20, None, losses)),
        "states": set(reader.event_states(50, 2**40, START + 10.0, losses)),
        "events": set(reader.events(0, 2**40, None, losses)),
        "tracks": set(map(repr, reader.tracks(losses))),
        "meta": {reader.meta("seed", losses)},
        "minutes": set(minute_map(reader.minutes(2**40, None, losses)).items()),
        "updates": set(reader.event_updates(0, 2**40, losses)),
        "deliveries": set(reader.deliveries(losses=losses)),
        "mutes": set(reader.mutes(losses)),
        "page": set(
            map_of(reader.bar_page("AAPL", 0, 2**40, limit=30, losses=losses).bars).items()
        ),
    }


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    """What is wrong with the path, and that nothing is damaged; nothing is made by reading."""
    empty = tmp_path / "empty"
    empty.touch()
    for path, found in (
        (tmp_path / "none.sqlite", "there is no archive at"),
        (tmp_path, "is not a file"),
        (tmp_path / ("x" * 300), "File name too long"),
        (empty, "is empty: nothing was recorded yet"),
    ):
        with pytest.raises(ArchiveError, match=found) as error:
            Archive(path).span()
        assert not error.value.is_damaged
    for path in (tmp_path, tmp_path / "none" / "a.sqlite", tmp_path / ("x" * 300)):
        with pytest.raises(ArchiveError, match="cannot be opened: check") as error:
            connect(path)
        assert not error.value.is_damaged
    assert [each.name for each in tmp_path.iterdir()] == ["empty"]


def test_an_empty_file_becomes_an_archive(path: Path) -> None:
    """A program that ended before it wrote anything leaves such a file."""
    path.touch()
    write(path, series(START, START + 3))
    assert Archive(path).span() == (START, START + 2)


def filled(path: Path) -> None:
    """An archive of one file with something in every table."""
    write(path, series(START, START + 40), series(START + 4000, START + 4020), events=lives(2, 6))
    with closing(connect(path)) as connection:
        write_tracks(connection, [track_of(1, 0.0, {})])
        write_meta(connection, "seed", "7")
        write_minutes(connection, minutes_of({(START // 60, name): (9, 8, 7) for name in SYMBOLS}))
        write_new_deliveries(connection, [told_to(event, "desk") for event in lives(2, 6)])
        write_mutes(connection, [Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that is in order."""
    path = tmp_path_factory.mktemp("sound") / "a.sqlite"
    filled(path)
    return path


def assert_true(path: Path, sound: Path) -> bool:
    """Whatever a damaged file tells is true; returns whether nothing is missing.

    What cannot be read at all is an ``ArchiveError`` and nothing else.
    """
    losses = Losses()
    try:
        said = everything(Archive(path), losses)
    except ArchiveError:
        return False
    truth = everything(Archive(sound))
    seconds = {second for (second, _), _ in truth["bars"]}
    prices = {(name, price) for (_, name), (_, _, price, _) in truth["bars"]}
    states = {event for piece in Archive(sound).event_blocks() for event in piece}
    assert said["span"] <= seconds
    for part in ("prices", "earlier prices"):
        assert {(tick.symbol, tick.price) for tick in said[part]} <= prices
    for part in ("states", "events", "updates"):
        assert said[part] <= states
    for part in ("symbols", "bars", "AAPL", "tracks", "minutes", "deliveries", "mutes"):
        assert said[part] <= truth[part]
    assert said["page"] <= truth["AAPL"]
    assert said["meta"] <= {*truth["meta"], None}
    return said == truth


@given(st.binary(min_size=2, max_size=9000), st.booleans())
@on_disk
def test_garbage_is_damaged(tmp_path: Path, garbage: bytes, has_magic: bool) -> None:
    """Reader and writer say so, whether or not it begins like a database.

    A single byte is nothing: SQLite itself writes one into an empty file on some disks.
    """
    path = fresh(tmp_path)
    path.write_bytes((b"SQLite format 3\x00" if has_magic else b"") + garbage)
    for use in (lambda: Archive(path).span(), lambda: connect(path)):
        with pytest.raises(ArchiveError, match="damaged") as error:
            use()
        assert error.value.is_damaged


@given(st.floats(0.0, 1.0))
@on_disk
def test_a_truncated_file_answers_or_says_so(tmp_path: Path, sound: Path, kept: float) -> None:
    """Wherever it was cut off."""
    path = fresh(tmp_path)
    whole = sound.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert assert_true(path, sound) == (kept == 1.0)


@given(st.integers(0, 2**31), st.sampled_from([1, 3, 30]), st.booleans())
@settings(on_disk, max_examples=300)
def test_a_file_with_wrong_bytes_answers_or_says_so(
    tmp_path: Path, sound: Path, seed: int, count: int, is_bit: bool
) -> None:
    """Anywhere in it, single bits or whole bytes: never another error, and never without end."""
    rng = random.Random(seed)
    wrong = bytearray(sound.read_bytes())
    for _ in range(count):
        at = rng.randrange(len(wrong))
        wrong[at] = wrong[at] ^ (1 << rng.randrange(8)) if is_bit else rng.randrange(256)
    path = tmp_path / "wrong.sqlite"
    path.write_bytes(wrong)
    assert_true(path, sound)


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE bar SET cells = 'text'",
        "UPDATE bar SET cells = x'0102'",
        "UPDATE bar SET cells = zeroblob(24)",  # a price of 0
        "UPDATE bar SET cells = replace(hex(cells), '0', 'F')",
        "UPDATE symbol SET id = id + 7",
        "UPDATE symbol SET asset = 'bonds'",
        "UPDATE symbol SET name = CAST(name AS BLOB)",
        "UPDATE symbol SET name = CAST(x'ff' AS TEXT) || id",
        "UPDATE bar SET second = 9000000000000000000 WHERE second = (SELECT max(second) FROM bar)",
        "UPDATE symbol SET last_ts = 'text'",
        "UPDATE event SET began = 9e999",
        "UPDATE event SET began = 'text'",
        "UPDATE event SET state = '{}'",
        "UPDATE event SET state = x'ff'",
        "UPDATE event SET state = 5",
        "UPDATE track SET state = 'text'",
    ],
)
def test_rows_that_no_program_of_ours_wrote_are_left_out(
    path: Path, sound: Path, script: str
) -> None:
    """SQLite finds nothing wrong with them; a store or a detector given them would."""
    filled(path)
    plain(path, script)
    assert_true(path, sound)
    losses = Losses()
    Archive(path).check(losses)
    assert losses.left_out


PAGE: Final = 4096


def wipe(path: Path, page: int, content: bytes = b"\xff" * PAGE) -> None:
    """Overwrite a page of a file; the first has the number 1."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(content)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two thousand seconds."""
    path = tmp_path_factory.mktemp("long") / "a.sqlite"
    write(path, series(START, START + 2000), events=lives(3, 12))
    with closing(connect(path)) as connection:
        labels = range(START // 60 - 2000, START // 60)
        day = {(label, name): (9, 8, 7) for label in labels for name in SYMBOLS}
        write_minutes(connection, minutes_of(day))
        write_tracks(connection, [track_of(1, 0.0, {})])
        write_meta(connection, "seed", "7")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return path


def test_a_damaged_page_costs_what_lies_on_it(long: Path, tmp_path: Path) -> None:
    """Whichever it is, but those that lead to all others: the rest is read, the loss is told."""
    count = long.stat().st_size // PAGE
    truth = everything(Archive(long))
    states = {event for piece in Archive(long).event_blocks() for event in piece}
    costs, too_dear = [], 0
    for page in range(2, count + 1):
        path = tmp_path / f"{page}.sqlite"
        path.write_bytes(long.read_bytes())
        wipe(path, page)
        losses = Losses()
        reader = Archive(path)
        reader.check(losses)
        left_out = losses.left_out
        told = everything(reader)
        missing = {second for (second, _), _ in truth["bars"] - told["bars"]}
        assert told["bars"] <= truth["bars"]
        assert left_out.seconds >= len(missing)
        if missing:
            assert left_out.first is not None
            assert left_out.last is not None
            assert START <= left_out.first <= min(missing)
            assert max(missing) <= left_out.last < START + 2000
        assert told["states"] <= states
        assert told["symbols"] == truth["symbols"]
        too_dear += len(missing) > 60
        costs.append((len(missing), len(truth["minutes"] - told["minutes"])))
    assert too_dear <= 1
    assert sum(seconds > 0 for seconds, _ in costs) > 40
    assert sum(seconds for seconds, _ in costs if seconds <= 60) == 2000


@pytest.mark.parametrize(
    "name", ["SQLITE_PROTOCOL", "SQLITE_IOERR_LOCK", "SQLITE_IOERR_SHMMAP", "SQLITE_BUSY"]
)
def test_a_disk_that_programs_cannot_share_is_told_with_what_to_do(path: Path, name: str) -> None:
    """As network drives may be; nobody is told to look for a broken disk."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    with pytest.raises(ArchiveError, match="give a local folder") as found, archive_errors(path):
        raise error
    assert not found.value.is_damaged


def ways(path: Path) -> list[int]:
    """The pages that lead to all bars, not those that hold some."""
    with closing(sqlite3.connect(path)) as connection:
        pages = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'bar' AND pagetype = 'internal'"
        ).fetchall()
    return [page for (page,) in pages]


@pytest.mark.parametrize("count", [3, 500], ids=["short rows", "rows over several pages"])
def test_a_damaged_page_that_leads_to_bars_costs_none_in_the_copy(
    tmp_path: Path, count: int
) -> None:
    """Each bar is found where it lies, and is what was written."""
    path, made = tmp_path / "a.sqlite", tmp_path / "copy.sqlite"
    seconds = 6000 // count
    symbols = SYMBOLS if count == 3 else [f"S{number}" for number in range(count)]
    write(path, series(START, START + seconds, symbols))
    truth = map_of(Archive(path).bars(0, 2**40))
    for page in ways(path):
        wipe(path, page)
    losses = Losses()
    assert not len(Archive(path).bars(0, 2**40, None, losses))
    assert losses.left_out.seconds == seconds
    left_out = copy_sound(path, made)
    assert left_out is not None
    assert left_out.seconds == 0
    assert map_of(Archive(made).bars(0, 2**40)) == truth


def test_a_page_that_holds_bars_is_not_found_by_looking_for_them(
    long: Path, tmp_path: Path
) -> None:
    """What was on it is lost, and counted; a changed byte makes no bar."""
    path, made = tmp_path / "a.sqlite", tmp_path / "copy.sqlite"
    content = bytearray(long.read_bytes())
    at = content.index(series(START + 777, START + 778).cells["price"][0].tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    for page in ways(path):
        wipe(path, page)
    left_out = copy_sound(path, made)
    assert left_out is not None
    assert left_out.seconds == 1
    truth = map_of(Archive(long).bars(0, 2**40))
    found = map_of(Archive(made).bars(0, 2**40))
    assert found == {key: bar for key, bar in truth.items() if key in found}
    assert len({second for second, _ in truth} - {second for second, _ in found}) == 1


@pytest.mark.parametrize("table", ["bar", "event", "minute", "track", "delivery", "mute"])
def test_a_table_that_the_schema_does_not_name_costs_no_other(
    path: Path, tmp_path: Path, table: str
) -> None:
    """Its statement is damaged: SQLite knows no such table, and the others are copied."""
    filled(path)
    truth = everything(Archive(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        damage = (
            "UPDATE sqlite_schema SET sql = replace(sql, 'CREATE', 'GREATE') WHERE tbl_name = ?"
        )
        connection.execute(damage, (table,))
    with pytest.raises(ArchiveError) as error:
        Archive(path).span()
    assert error.value.is_damaged
    made = tmp_path / "made.sqlite"
    assert copy_sound(path, made)
    found = everything(Archive(made))
    parts = {
        "event": {"states", "events", "updates"},
        "minute": {"minutes"},
        "track": {"tracks"},
        "delivery": {"deliveries"},
        "mute": {"mutes"},
    }
    # What lies on the pages of the bars' own table is found there.
    assert {part for part in truth if found[part] != truth[part]} == parts.get(table, set())


def test_a_copy_that_is_cancelled_leaves_nothing(path: Path, tmp_path: Path) -> None:
    """Neither an error nor half an archive."""
    filled(path)
    folder = tmp_path / "copies"
    folder.mkdir()
    assert copy_sound(path, folder / "made.sqlite", lambda: True) is None
    assert list(folder.iterdir()) == []


def test_of_a_file_that_was_cut_off_all_that_is_left_is_copied(long: Path, tmp_path: Path) -> None:
    """Half of it, say, as when a disk was full while it was copied."""
    path, made = tmp_path / "a.sqlite", tmp_path / "copy.sqlite"
    whole = long.read_bytes()
    path.write_bytes(whole[: len(whole) // PAGE // 2 * PAGE])
    with pytest.raises(ArchiveError, match="damaged"):
        Archive(path).span()
    left_out = copy_sound(path, made)
    assert left_out is not None
    truth, found = Archive(long).bars(0, 2**40), Archive(made).bars(0, 2**40)
    assert set(map_of(found).items()) <= set(map_of(truth).items())
    kept = len(set(found.cells["second"].tolist()))
    assert kept > 500
    assert left_out.seconds == 2000 - kept


@pytest.mark.parametrize("offset", range(0, 72, 7))
def test_a_changed_byte_of_a_stored_second_is_no_price(path: Path, offset: int) -> None:
    """The second is left out, and told; all others are as they were."""
    bars = series(START, START + 300)
    write(path, bars)
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    whole = bytearray(path.read_bytes())
    cell = bars.between(START + 150, START + 151).cells[0]
    at = whole.index(cell["price"].tobytes() + cell["sum"].tobytes()) - 8 + offset
    whole[at] ^= 0x10
    path.write_bytes(whole)
    losses = Losses()
    found = map_of(Archive(path).bars(0, 2**40, None, losses))
    assert found.items() <= map_of(bars).items()
    assert {second for second, _ in map_of(bars).keys() - found.keys()} == {START + 150}
    left_out = losses.left_out
    assert (left_out.seconds, left_out.first, left_out.last) == (1, START + 150, START + 150)


def test_a_row_from_before_checksums_is_still_read(path: Path) -> None:
    """Up to the second in which the file got them, and none without since."""
    bars, states = first_version(path)
    connect(path).close()
    write(path, series(START + 50, START + 60))
    losses = Losses()
    reader = Archive(path)
    assert map_of(reader.bars(0, START + 50, None, losses)) == map_of(bars)
    assert reader.event_states(99, 2**40, 0.0, losses) == states
    assert not losses.left_out
    plain(path, "UPDATE bar SET checksum = NULL WHERE second = (SELECT max(second) FROM bar)")
    assert len(reader.bars(0, 2**40, None, losses)) == 3 * 59
    assert losses.left_out.seconds == 1


def test_writing_beside_damaged_bars_says_so(path: Path) -> None:
    """Where a second's bars are none, others are not put beside them."""
    write(path, series(START, START + 9))
    plain(path, "UPDATE bar SET cells = x'0102'")
    with pytest.raises(ArchiveError, match="damaged") as error:
        write(path, series(START, START + 9))
    assert error.value.is_damaged


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)):
        missing("the permission to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*arguments: str) -> bool:
    """Whether it could be mounted."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.mark.parametrize("has_sides", [False, True], ids=["alone", "with what readers left"])
def test_an_archive_is_read_where_nothing_can_be_written(disk: Path, has_sides: bool) -> None:
    """On a read-only disk all is read; the writer says what is wrong."""
    path = disk / "a.sqlite"
    filled(path)
    expected = everything(Archive(path))
    for side in ("-wal", "-shm"):
        left = path.with_name(path.name + side)
        assert left.exists()
        if not has_sides or side == "-shm":
            left.unlink()
    assert mount("-o", "remount,ro", str(disk))
    assert everything(Archive(path)) == expected
    with pytest.raises(ArchiveError, match=r"may not be written|cannot be opened") as error:
        connect(path)
    assert not error.value.is_damaged


# Readers beside the writer.


def test_a_reader_waits_for_no_commit(path: Path) -> None:
    """While the writer is in the middle of one, what was committed is read."""
    write(path, series(START, START + 9))
    with closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        write_bars(connection, series(START + 9, START + 20, [*SYMBOLS, "IBM"]))
        assert Archive(path).span() == (START, START + 8)
        assert "IBM" not in Archive(path).symbols()
        connection.execute("COMMIT")
        assert Archive(path).span() == (START, START + 19)


def test_a_file_held_locked_is_not_read_as_it_stands(path: Path) -> None:
    """Another program's exclusive hold is told, not gone round."""
    write(path, series(START, START + 9))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        for use in (lambda: Archive(path).span(), lambda: connect(path)):
            with pytest.raises(ArchiveError, match="another program holds it locked") as error:
                use()
            assert not error.value.is_damaged


def test_readers_in_threads_see_whole_commits(path: Path) -> None:
    """Every second is there with all its symbols, new ones too, while the writer goes on."""
    names = [f"S{i}" for i in range(60)]
    write(path, series(START, START + 1, names[:1]))
    written = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        reader = Archive(path)
        try:
            while True:
                final = written.is_set()
                bars = reader.bars(START, START + 1000)
                seconds, counts = np.unique(bars.cells["second"], return_counts=True)
                # In second i the first i symbols have a bar, up to sixty.
                assert seconds.tolist() == list(range(START, START + len(seconds)))
                wanted = np.minimum(np.arange(1, len(seconds) + 1), len(names))
                assert counts.tolist() == wanted.tolist()
                assert len(reader.last_prices(2**40)) >= min(len(seconds), len(names))
                assert len(reader.last_prices(START + 1)) == 1
                assert len(list(reader.events(0, 2**40))) <= len(
                    reader.event_states(999, 2**40, 0.0)
                )
                assert sum(map(len, reader.blocks(START, START + 1000))) >= len(bars)
                if final:
                    assert len(seconds) == 200
                    return
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        with closing(connect(path)) as connection:
            for second in range(START + 1, START + 200):
                connection.execute("BEGIN IMMEDIATE")
                watched = names[: second - START + 1]
                write_bars(connection, series(second, second + 1, watched))
                write_events(connection, [numbered(second, second - START)])
                connection.execute("COMMIT")
    finally:
        written.set()
        for reader in readers:
            reader.join(60)
    assert not any(reader.is_alive() for reader in readers)
    assert failures == []


# Retention.


def test_what_is_let_go_gives_its_room_back(path: Path) -> None:
    """The oldest bars go step by step, nothing younger does, and the file shrinks."""
    names = [f"S{i}" for i in range(30)]
    write(path, series(START, START + 3000, names))
    with closing(connect(path)) as connection:
        before = size_of(connection, path)
        steps = []
        while gone := delete_bars(connection, START + 2500, 600):
            steps.append(gone)
            (first,) = connection.execute("SELECT min(second) FROM bar").fetchone()
            assert first == START + sum(steps)
        assert steps == [600, 600, 600, 600, 100]
        rounds = 1
        while release_pages(connection, 100):
            rounds += 1
        assert rounds > 3
        assert size_of(connection, path) < 0.25 * before
    kept = series(START + 2500, START + 3000, names)
    assert map_of(Archive(path).bars(0, 2**40)) == map_of(kept)


def test_a_file_that_keeps_its_free_pages_does_not_keep_the_writer_busy(path: Path) -> None:
    """Rewritten by another program it may give nothing back: that is no reason to try for ever."""
    write(path, series(START, START + 1000))
    plain(path, "PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    with closing(connect(path)) as connection:
        assert delete_bars(connection, START + 900, 1000) == 900
        assert not release_pages(connection, 1)


def size_of(connection: sqlite3.Connection, path: Path) -> int:
    """The file's size when its log is emptied into it."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return path.stat().st_size


def test_when_events_began_is_told_without_reading_them(path: Path) -> None:
    """From the first one's begin to the last one's, however they went on."""
    write(path, series(START, START + 9))
    assert Archive(path).event_span() is None
    states = lives(1, 30)
    write(path, events=states)
    began = [event.ts for event in states]
    assert Archive(path).event_span() == (min(began), max(began))


@pytest.mark.parametrize("seed", range(3))
def test_events_that_are_over_are_let_go(path: Path, seed: int) -> None:
    """All states of one go together, once its newest is too old; one that goes on keeps all."""
    states = lives(seed, 30)
    write(path, events=states)
    last = {event.id: event.updated_ts for event in states}
    for before in (START, START + 2000.0, START + 5000.0, 2.0**40):
        with closing(connect(path)) as connection:
            held = len(Archive(path).event_states(99, 2**40, 0.0))
            gone = delete_events(connection, before)
        kept = [event for event in states if last[event.id] >= before]
        assert Archive(path).event_states(99, 2**40, 0.0) == kept
        assert gone == held - len(kept)


# Killed while writing.

WRITER: Final = """
import sys
from pathlib import Path
from history.deliveries import DeliveryState
from history.recorder import Recorder
from tests.test_archive import START, numbered, series, told_to

recorder = Recorder(Path(sys.argv[1]), bars_days=7.0, events_days=90.0)
recorder.start()
for second in range(int(sys.argv[2]), 2**40):
    event = numbered(second, second - START)
    before = numbered(second - 1, second - 1 - START)
    recorder.record(
        series(second - 1, second + 1),
        [event],
        new_deliveries=[told_to(event, "desk"), told_to(event, "phone")],
        deliveries=[told_to(before, "desk", DeliveryState.SENT)] if second > START else [],
    )
    recorder.flush()
    print(second, flush=True)
"""


def told_to(event: Event, destination: str, state: DeliveryState = DeliveryState.DUE) -> Delivery:
    """What is to be told of an event to a destination, or was."""
    return Delivery(
        destination=destination,
        key=event.id,
        told=Told.BEGAN,
        event=event,
        made=event.ts,
        due=event.ts,
        state=state,
    )


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(path: Path) -> None:
    """Ten times the file opens at once, is whole, and holds every second that was told.

    There is no event without all that is to be told of it, and nothing to be told without its
    event; what became of the last one lies in the file with the next.
    """
    rng = random.Random(4)
    acknowledged = START - 1
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(acknowledged + 1)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        with writer, writer.stdout as told:
            lines = [told.readline() for _ in range(rng.randrange(1, 150))]
            # In the middle of whatever it does next: a commit takes about a millisecond.
            threading.Event().wait(rng.uniform(0.0, 0.003))
            os.kill(writer.pid, signal.SIGKILL)
            lines += told.readlines()
        acknowledged = max(int(line) for line in lines if line.endswith("\n"))
        found = Archive(path).bars(START - 1, 2**40)
        seconds = np.unique(found.cells["second"])
        assert seconds[-1] in (acknowledged, acknowledged + 1)
        assert len(found) == len(SYMBOLS) * len(seconds)
        assert seconds.tolist() == list(range(START - 1, int(seconds[-1]) + 1))
        events = list(Archive(path).events(0, 2**40))
        assert len(events) == len(seconds) - 1
        states = [DeliveryState.SENT] * (len(events) - 1) + [DeliveryState.DUE]
        assert Archive(path).deliveries() == [
            told_to(event, destination, state if destination == "desk" else DeliveryState.DUE)
            for event, state in zip(events, states, strict=True)
            for destination in ("desk", "phone")
        ]
        with closing(connect(path)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
