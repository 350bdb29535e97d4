"""The last day outlives the process: a restart, an archived hour and a replay judge as before."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pytest

from bars import Minutes
from history.archive import Archive, ArchiveError
from history.hours import ArchivedHours, restore_prices
from history.recorder import DAY_SEC
from history.writer import connect, write_bars, write_begins, write_minutes
from pulse_store import PulseStore
from sessions import ALWAYS, Session
from settings import HistorySettings, Settings, SourceSettings
from sources.tape import ArchivedTape
from tests.waiting import HANG_SEC
from ticks import WINDOW_SEC, Asset, Tick
from usual import DayMemory
from worker import Worker

BEGIN: Final = 1_795_359_600
"""Sunday, 22 November 2026, 15:00 UTC: what ticks now begins."""

LIVED_SEC: Final = 1800

END: Final = BEGIN + LIVED_SEC

SHOWN: Final = range(END - 1, BEGIN, -29)
"""The seconds that are compared."""

WATCHED: Final[Mapping[Asset, Sequence[str]]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD", "ETH-USD"),
}
SYMBOLS: Final = {symbol: asset for asset, symbols in WATCHED.items() for symbol in symbols}

JUDGED: Final = ["z", "surprise", "early", "heat", "vs_peers", "usual_1m", "usual_5m"]


class Recorded(NamedTuple):
    """What was archived, and what was shown meanwhile."""

    path: Path
    frames: Mapping[int, pd.DataFrame]
    """By second."""


def day_before() -> Minutes:
    """A day and more of crypto and forex before it all begins, and last week's of stocks.

    ETH-USD has too little to judge by.
    """
    memory = DayMemory(records=True)
    for symbol, asset in SYMBOLS.items():
        memory.add_symbol(symbol, asset)
    rng = np.random.default_rng(1)
    found = []
    for minute in range(BEGIN // 60 - 5 * 1440, BEGIN // 60):
        z = rng.standard_t(3, len(SYMBOLS))
        z[:2] = np.nan if minute % 1440 >= 390 else z[:2]
        z[4] = np.nan if minute < BEGIN // 60 - 200 else z[4]
        memory.close(minute, z, z * 1e-4, z * 2e-4)
        if minute % 1440 == 1439:
            found.append(memory.collect_changed())
    return replace(found[0], cells=np.concatenate([minutes.cells for minutes in found]))


def watching() -> PulseStore:
    """A store with the symbols' rows and nothing in it."""
    store = PulseStore(records=True)
    for asset, symbols in WATCHED.items():
        store.watch(asset, symbols)
    return store


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Half an hour that a store lived through, archived as it went, with a day behind it.

    In the middle the prices of ETH-USD begin anew.
    """
    path = tmp_path_factory.mktemp("recorded") / "eodhd.sqlite"
    rng, prices = np.random.default_rng(2), dict.fromkeys(SYMBOLS, 100.0)
    store, frames = watching(), {}
    day = day_before()
    store.load_minutes(day)
    with closing(connect(path)) as connection:
        connection.execute("BEGIN")
        for second in range(BEGIN, END):
            for symbol, asset in SYMBOLS.items():
                prices[symbol] *= np.exp(rng.standard_t(3) * 1e-4)
                ts = second + int(rng.integers(1000)) / 1000
                store.update(Tick(symbol, asset, ts, prices[symbol]))
            if second == BEGIN + LIVED_SEC // 2:
                store.begin_anew(["ETH-USD"], second)
            store.advance(second + 1)
            if second in SHOWN:
                frames[second] = store.frame(second + 0.999)
            write_bars(connection, store.collect_changed())
            write_minutes(connection, store.collect_minutes())
        write_minutes(connection, day)
        write_begins(connection, store.collect_begins())
        connection.execute("COMMIT")
    return Recorded(path, frames)


def assert_as_shown(frame: pd.DataFrame, shown: pd.DataFrame) -> None:
    """Every symbol is judged as it was."""
    pd.testing.assert_frame_equal(frame[JUDGED], shown.loc[frame.index, JUDGED], rtol=1e-6)


def test_it_judges_by_the_day(recorded: Recorded) -> None:
    """All but the symbol that has too little of it, and that one by its class."""
    shown = recorded.frames[END - 1]
    assert shown["early"].to_dict() == {symbol: symbol == "ETH-USD" for symbol in SYMBOLS}
    assert shown["surprise"].notna().all()
    assert (shown["surprise"] - shown["z"]).abs().min() > 1e-3
    assert shown["usual_1m"].isna().to_dict() == shown["early"].to_dict()


def test_a_restored_store_judges_as_before(recorded: Recorded) -> None:
    """At the second of the restart and at those before it."""
    store = watching()
    restore_prices(store, Archive(recorded.path), END - WINDOW_SEC, END, list(SYMBOLS))
    for second in SHOWN[:40]:
        assert_as_shown(store.frame(second + 0.999), recorded.frames[second])
    assert not len(store.collect_minutes())  # they are the archive's


def test_an_archived_hour_judges_as_was_judged(recorded: Recorded, tmp_path: Path) -> None:
    """By the day that it had then, however many minutes there are since."""

    def fail(error: ArchiveError) -> None:
        raise error

    path = tmp_path / "longer.sqlite"
    path.write_bytes(recorded.path.read_bytes())
    since = Archive(path).minutes(2**40)
    since.cells["minute"] += 10 * 1440
    with closing(connect(path)) as connection:
        write_minutes(connection, since)
    past = ArchivedHours(Archive(path), WATCHED, 100, fail)
    for second in SHOWN[:30]:
        store = past.moment(second, END + 10 * DAY_SEC).store
        assert_as_shown(store.frame(second + 0.999), recorded.frames[second])


def test_a_replay_judges_as_was_judged(recorded: Recorded) -> None:
    """From the first second of a span on, through its minutes."""
    tape = ArchivedTape.load(recorded.path, BEGIN + 1210, BEGIN + 1500)
    store = watching()
    store.load_minutes(tape.earlier_minutes())
    store.load_bars(tape.earlier_bars())
    for symbol, begin, vendor in tape.begins():
        store.begin_anew([symbol], begin, vendor)
    store.advance(tape.start)
    for second in range(int(tape.start), int(tape.end)):
        quotes = tape.read_until(second + 1.0)
        store.update_many(Tick(q.symbol, q.asset, q.ts, q.price) for q in quotes)
        store.advance(second + 1)
        if second in SHOWN:
            assert_as_shown(store.frame(second + 0.999), recorded.frames[second])


def test_without_its_minutes_it_is_early(recorded: Recorded, tmp_path: Path) -> None:
    """As with an archive of before: its bars are known, and of a day nothing but theirs."""
    path = tmp_path / "old.sqlite"
    path.write_bytes(recorded.path.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM minute")
    store = watching()
    restore_prices(store, Archive(path), END - WINDOW_SEC, END, list(SYMBOLS))
    frame = store.frame(END - 0.001)
    assert frame["early"].all()
    assert frame["surprise"].to_numpy() == pytest.approx(frame["z"].to_numpy())
    # These are the archive's from now on.
    labels = np.unique(store.collect_minutes().cells["minute"])
    assert labels.tolist() == list(range(labels[0], END // 60))
    assert BEGIN // 60 < labels[0] < BEGIN // 60 + 5


# The whole worker.

Start = Callable[..., Worker]

SOURCE: Final = SourceSettings(
    "eodhd",
    keys={"eodhd": ("k",)},
    urls={"eodhd": "ws://127.0.0.1:9/ws"},  # nobody listens there
    watchlist={asset: tuple(symbols) for asset, symbols in WATCHED.items()},
)


def always(asset: Asset, now: float) -> Session:
    """Every market is always open."""
    return ALWAYS


@pytest.fixture
def start(tmp_path: Path, recorded: Recorded) -> Iterator[Start]:
    """Starts workers on a copy of the archive, on a clock that goes on from its end."""
    started: list[Worker] = []
    (tmp_path / "data").mkdir()
    for name in ("eodhd", "simulated"):
        (tmp_path / "data" / f"{name}.sqlite").write_bytes(recorded.path.read_bytes())
    began = time.monotonic()

    def start(source: SourceSettings = SOURCE, later_sec: float = 0.0) -> Worker:
        engine = Worker(
            Settings(source, history=HistorySettings(folder=tmp_path / "data")),
            clock=lambda: END - 0.001 + later_sec + time.monotonic() - began,
            session=always,
        )
        started.append(engine)
        engine.start()
        assert engine.ready.wait(HANG_SEC)
        return engine

    yield start
    for engine in started:
        engine.stop()


def test_a_worker_that_is_restarted_knows_its_day(start: Start, recorded: Recorded) -> None:
    """Once and again, and what the first one found out is there for the second."""
    at = END - 1
    for _ in range(2):
        engine = start()
        assert_as_shown(engine.store.frame(at + 0.999), recorded.frames[at])
        assert_as_shown(engine.reader.pulse(at)[1], recorded.frames[at])
        engine.stop()


def test_minutes_that_were_not_archived_are_made_of_bars(
    start: Start, recorded: Recorded, tmp_path: Path
) -> None:
    """The last ones of a process that was killed: found when it is restarted, and then kept."""
    path = tmp_path / "data" / "eodhd.sqlite"
    killed = (END - 120) // 60
    before = Archive(path).minutes(2**40)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM minute WHERE minute >= ?", (killed,))
    engine = start()
    at = END - 1
    assert_as_shown(engine.store.frame(at + 0.999), recorded.frames[at])
    engine.stop()
    after = Archive(path).minutes((END) // 60)
    assert after.cells.tolist() == before.cells.tolist()


def test_a_simulated_market_that_begins_anew_keeps_its_day(start: Start) -> None:
    """Prices of hours ago are not gone on from; what is usual for its symbols is."""
    engine = start(SourceSettings("simulated"), later_sec=5 * 3600.0)
    _, frame = engine.reader.pulse()
    assert (frame.loc[list(SYMBOLS), "last"] / 100.0 - 1.0).abs().min() > 0.2
    # Of a symbol that rests just now too.
    known = set(frame.index[frame["usual_1m"].notna()])
    assert known == set(SYMBOLS) - {"ETH-USD"}
