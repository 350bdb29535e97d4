"""The past: hours from the archive answer as memory did, fetched once whoever asks."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest

from bars import Bars, Begin
from history.archive import Archive, ArchiveError
from history.hours import HOUR_SEC, ArchivedHours
from history.losses import Losses
from history.writer import connect, write_bars, write_begins, write_events
from pulse_store import PulseStore
from tests.test_recorder import EVENT
from tests.waiting import HANG_SEC
from ticks import Asset, Tick

# An hour by the clock, and three hours of prices around it.
HOUR: Final = 1_790_000_000 // HOUR_SEC * HOUR_SEC
BEGIN: Final = HOUR - 2 * HOUR_SEC
END: Final = HOUR + HOUR_SEC

WATCHED: Final[Mapping[Asset, Sequence[str]]] = {
    "stocks": ("AAPL", "MSFT", "NVDA", "TSLA"),
    "forex": (),
    "crypto": ("BTC-USD",),
}


def walk() -> list[Tick]:
    """Three hours of random walks, with a hole of ten minutes in the middle hour."""
    rng = random.Random(3)
    prices = dict.fromkeys([*WATCHED["stocks"], *WATCHED["crypto"], "GONE"], 100.0)
    ticks = []
    for second in range(BEGIN, END):
        if HOUR - 1800 <= second < HOUR - 1200:
            continue
        for symbol in prices:
            if rng.random() < 0.5:
                prices[symbol] *= 1 + rng.gauss(0, 2e-4)
                asset = "crypto" if symbol == "BTC-USD" else "stocks"
                ts = second + rng.randrange(1000) / 1000
                ticks.append(Tick(symbol, asset, ts, prices[symbol]))
    return ticks


@pytest.fixture(scope="module")
def memory() -> PulseStore:
    """A store that saw it all as it happened."""
    store = PulseStore(3 * HOUR_SEC, records=True)
    for asset, symbols in WATCHED.items():
        store.watch(asset, symbols)
    for tick in walk():
        store.advance(tick.ts)
        if tick.symbol != "GONE":
            store.update(tick)
    store.advance(END)
    return store


@pytest.fixture
def archive(tmp_path: Path, memory: PulseStore) -> Archive:
    """An archive that was written meanwhile, by a store of its own."""
    store = PulseStore(3 * HOUR_SEC, records=True)
    path = tmp_path / "a.sqlite"
    connection = connect(path)
    for tick in walk():
        store.update(tick)
    connection.execute("BEGIN")
    write_bars(connection, store.collect_changed())
    before = replace(EVENT, id="before", ts=HOUR - 600.0, updated_ts=HOUR - 600.0)
    inside = replace(EVENT, id="inside", ts=HOUR + 1000.0, updated_ts=HOUR + 1000.0)
    later = replace(EVENT, id="later", ts=END + 5.0, updated_ts=END + 5.0)
    grown = [
        replace(inside, updated_ts=HOUR + 1500.0, count=2),
        replace(before, updated_ts=HOUR + 9.0, count=3),
    ]
    gone = replace(inside, id="gone", symbol="GONE")
    write_events(connection, [before, inside, later, gone, *grown])
    connection.execute("COMMIT")
    connection.close()
    return Archive(path)


@pytest.fixture
def past_of() -> Callable[[Archive], ArchivedHours]:
    """Makes a past that may not fail."""

    def past_of(archive: Archive) -> ArchivedHours:
        def fail(error: ArchiveError) -> None:
            raise error

        return ArchivedHours(archive, WATCHED, 100, fail)

    return past_of


def test_any_second_of_the_hour_is_as_memory_had_it(
    archive: Archive, memory: PulseStore, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """Every figure of every watched symbol, in the same order, and nobody else."""
    past = past_of(archive)
    for second in range(HOUR, END, 97):
        now = second + 0.999
        found = past.moment(second, END).store.frame(now)
        expected = memory.frame(now).loc[found.index]
        assert list(found.index) == [*WATCHED["stocks"], *WATCHED["crypto"]]
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-12)
    symbols = [*WATCHED["stocks"], *WATCHED["crypto"]]
    of_hour = past.moment(HOUR, END).store.trace(symbols, HOUR_SEC + 60, HOUR + HOUR_SEC)
    assert of_hour == pytest.approx(
        memory.trace(symbols, HOUR_SEC + 60, HOUR + HOUR_SEC), rel=1e-9, nan_ok=True
    )


def test_events_are_as_they_stood(
    archive: Archive, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """At each second those that had begun, with their count then, of what is not watched, too."""
    events = past_of(archive).moment(HOUR, END).events
    at: Callable[[float], list[tuple[str, int]]] = lambda now: [  # noqa: E731 - read as a table
        (event.id, event.count) for event in events.latest(10, now)
    ]
    assert at(HOUR + 1.0) == [("before", 1)]
    assert at(HOUR + 10.0) == [("before", 3)]
    assert at(HOUR + 1000.0) == [("inside", 1), ("gone", 1), ("before", 3)]
    assert at(HOUR + 3599.0) == [("inside", 2), ("gone", 1), ("before", 3)]


def test_an_hour_is_fetched_once_whoever_asks(
    archive: Archive, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """Twenty tabs that look back at once cost one reading."""
    read: list[int] = []

    class Counted(Archive):
        def bars(
            self,
            begin: int,
            end: int,
            symbols: Sequence[str] | None = None,
            losses: Losses | None = None,
        ) -> Bars:
            read.append(begin)
            return super().bars(begin, end, symbols, losses)

    past = past_of(Counted(archive.path))
    gate = threading.Barrier(20)
    moments: list[object] = []

    def look() -> None:
        gate.wait()
        moments.append(past.moment(HOUR + 7, END))

    tabs = [threading.Thread(target=look) for _ in range(20)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len({id(moment) for moment in moments}) == 1
    assert read[0] == HOUR - 2 * HOUR_SEC
    assert len(read) == len(set(read))


def test_an_hour_that_is_not_over_is_fetched_again(
    archive: Archive, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """What was fetched ends with what was known then: a later second of it needs more."""
    past = past_of(archive)
    early = past.moment(HOUR + 100, HOUR + 200)
    assert past.moment(HOUR + 200, HOUR + 900) is early
    late = past.moment(HOUR + 201, HOUR + 900)
    assert late is not early
    assert late.store.frame(HOUR + 900.9)["age"].min() < 60


def test_the_last_price_of_a_closed_market_is_found_days_back(
    archive: Archive, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """A Sunday's moment still knows Friday's last price, and its age, and no return."""
    connection = connect(archive.path)
    later = PulseStore(records=True)
    sunday = HOUR + 2 * 86_400
    later.update(Tick("BTC-USD", "crypto", sunday + 5.0, 90_000.0))
    write_bars(connection, later.collect_changed())
    connection.close()
    row = past_of(archive).moment(sunday + 60, sunday + 600).store.snapshot("AAPL", sunday + 60.9)
    assert row is not None
    assert row["last"] > 0
    assert row["age"] > 1.9 * 86_400
    assert [row[name] for name in ("ret_1m", "ret_5m", "ret_15m", "vol_15m")] == [None] * 4


def test_the_figures_of_a_session(
    archive: Archive, memory: PulseStore, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """First, last, low and high between its begin and its end, of every symbol that ticked."""
    figures = past_of(archive).session_figures("stocks", HOUR + 0.0, HOUR + 1800.0, END)
    assert set(figures) == set(WATCHED["stocks"])
    for symbol, found in figures.items():
        prices = memory.history(symbol, HOUR + 1799, 1800)["price"].dropna()
        expected = [prices.iloc[0], prices.iloc[-1], prices.min(), prices.max()]
        assert list(found[:4]) == expected
        assert found.change == pytest.approx(expected[1] / expected[0] - 1)


def test_an_archive_that_cannot_be_read_is_told_and_shows_blanks(tmp_path: Path) -> None:
    """Every watched symbol has its row still, and the next one who asks is answered anew."""
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"rubbish" * 1000)
    told: list[ArchiveError] = []
    past = ArchivedHours(Archive(path), WATCHED, 100, told.append)
    moment = past.moment(HOUR, END)
    frame = moment.store.frame(HOUR + 0.999)
    assert list(frame.index) == [*WATCHED["stocks"], *WATCHED["crypto"]]
    assert frame["last"].isna().all()
    assert past.oldest(float(END)) is None
    assert past.session_figures("stocks", HOUR, END, END) == {}
    assert len(told) == 3
    assert all(error.is_damaged for error in told)
    path.unlink()
    connect(path).close()
    assert past.moment(HOUR, END) is not moment


def test_how_far_back_it_goes_is_not_waited_for_twice(
    archive: Archive, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """While one asks a disk that takes its time, the others have the answer from before."""
    asked, answered = threading.Event(), threading.Event()
    is_slow = threading.Event()

    class Slow(Archive):
        def span(self, losses: Losses | None = None) -> tuple[int, int] | None:
            if not is_slow.is_set():
                return super().span()
            asked.set()
            assert answered.wait(HANG_SEC)
            return BEGIN + 5, END

    past = past_of(Slow(archive.path))
    assert past.oldest(float(END)) == BEGIN
    is_slow.set()
    found: list[int | None] = []
    tab = threading.Thread(target=lambda: found.append(past.oldest(END + 60.0)))
    tab.start()
    assert asked.wait(HANG_SEC)
    assert past.oldest(END + 61.0) == BEGIN
    answered.set()
    tab.join()
    assert found == [BEGIN + 5]
    assert past.oldest(END + 62.0) == BEGIN + 5


def test_an_archive_that_is_locked_for_a_moment_shortens_nothing(archive: Archive) -> None:
    """Whoever looks at an old moment is not sent away from it by one answer that failed."""
    told: list[ArchiveError] = []
    past = ArchivedHours(archive, WATCHED, 100, told.append)
    assert past.oldest(float(END)) == BEGIN
    connection = sqlite3.connect(archive.path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    assert past.oldest(END + 60.0) == BEGIN
    assert len(told) == 1
    connection.close()


def test_what_was_looked_at_long_ago_is_let_go(archive: Archive) -> None:
    """Memory has a bound, however far somebody drags the slider."""
    many = {**WATCHED, "forex": [f"FX{number}" for number in range(60)]}
    past = ArchivedHours(archive, many, 100, lambda error: None)
    first = past.moment(HOUR, END)
    for hours in range(1, 10):
        past.moment(HOUR - hours * HOUR_SEC, END)
    assert past.moment(HOUR, END) is not first
    assert first.store.nbytes <= past.nbytes <= 75e6


def test_windows_that_began_are_those_of_memory_and_of_no_other_vendor(
    tmp_path: Path, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """An hour looked back at has the gaps that it had, and says whose its prices were."""
    store = PulseStore(3 * HOUR_SEC, records=True)
    for asset, symbols in WATCHED.items():
        store.watch(asset, symbols)
    begins = {
        BEGIN: "one",
        HOUR - 3000: "two",
        HOUR + 603: "",
        HOUR + 1207: "one",
        HOUR + 2000: "one",
    }
    for second, ticks in groupby(walk(), key=lambda tick: int(tick.ts)):
        store.advance(second)
        if second in begins:
            store.begin_anew(["AAPL", "BTC-USD"], second, begins[second])
        store.update_many(tick for tick in ticks if tick.symbol != "GONE")
    store.advance(END)
    path = tmp_path / "windows.sqlite"
    with closing(connect(path)) as connection:
        write_bars(connection, store.collect_changed())
        write_begins(connection, store.collect_begins())
    past = past_of(Archive(path))
    for second in (HOUR, HOUR + 602, HOUR + 605, HOUR + 1100, HOUR + 1206, HOUR + 1210, END - 1):
        now = second + 0.999
        found = past.moment(second, END).store
        pd.testing.assert_frame_equal(found.frame(now), store.frame(now), rtol=1e-9, atol=1e-12)
        assert found.vendors(now) == store.vendors(now)
    assert found.vendors(HOUR + 1206.0) == {"AAPL": "two", "BTC-USD": "two"}


def test_the_change_of_a_day_is_known_to_whoever_was_there_yesterday(
    tmp_path: Path, past_of: Callable[[Archive], ArchivedHours]
) -> None:
    """A coin's against the price of 24 hours ago, as long as that is of the vendor that serves."""
    day = 86_400
    store = PulseStore(3 * HOUR_SEC, records=True)
    path = tmp_path / "days.sqlite"
    with closing(connect(path)) as connection:
        for begin, price in ((HOUR - day, 100.0), (HOUR, 110.0)):
            for second in range(begin, begin + 600, 10):
                store.update(Tick("BTC-USD", "crypto", second + 0.5, price + (second - begin) / 10))
        write_bars(connection, store.collect_changed())
        write_begins(connection, [Begin("BTC-USD", HOUR + 310, "two")])
        write_begins(connection, [Begin("BTC-USD", HOUR - day, "one")])
    past = past_of(Archive(path))

    def at(second: int) -> dict[str, Any]:
        row = past.moment(second, END).store.snapshot("BTC-USD", second + 0.999)
        assert row is not None
        return row

    # Nobody was there at 24 hours before the first of it, or in the five minutes until then.
    assert at(HOUR + 60)["prev_close"] is None
    assert at(HOUR + 305)["prev_close"] == 129.0
    assert at(HOUR + 305)["ret_day"] == pytest.approx(140.0 / 129.0 - 1)
    assert at(HOUR + 320)["prev_close"] is None
