"""Begins: whose the archived prices are, and where they do not continue those before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bars import CELL, Bars, Begin
from events import EventStore, StressDetector
from history.archive import Archive
from history.keeper import HistoryKeeper
from history.losses import Losses
from history.recorder import Recorder
from history.salvage import copy_sound
from history.schema import APPLICATION_ID, MIGRATIONS, WINDOWS_FROM
from history.writer import connect, delete_begins, write_bars, write_begins, write_meta
from pulse_store import PulseStore
from ticks import Asset

START = 1_790_000_000

BEGINS = [
    Begin("BTC-USD", START, "Coinbase"),
    Begin("EURUSD", START, "Kraken"),
    Begin("BTC-USD", START + 100, ""),
    Begin("BTC-USD", START + 200, "Kraken"),
    Begin("BTC-USD", START + 300, "Coinbase"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of an archive that is not there yet."""
    return tmp_path / "a.sqlite"


def some_bars() -> Bars:
    """A bar of either symbol."""
    cells = np.zeros(2, CELL)
    cells["second"], cells["row"], cells["n"] = START, [0, 1], 1
    cells["price"] = cells["sum"] = 100.0
    return Bars(("BTC-USD", "EURUSD"), ("crypto", "forex"), cells)


def test_begins_are_read_as_they_were_written(path: Path) -> None:
    """In order of their seconds, of some symbols or all, and copied with what is sound."""
    with closing(connect(path)) as connection:
        write_begins(connection, reversed(BEGINS))
        write_begins(connection, BEGINS[3:])
    assert Archive(path).begins() == BEGINS
    assert Archive(path).begins(["EURUSD"]) == [BEGINS[1]]
    made = path.with_name("copy.sqlite")
    assert copy_sound(path, made) is not None
    assert Archive(made).begins() == BEGINS


def test_a_damaged_begin_is_left_out_and_counted(path: Path) -> None:
    """A vendor's name that was not written is believed of nobody."""
    with closing(connect(path)) as connection:
        write_begins(connection, BEGINS)
        connection.execute("UPDATE price_window SET vendor = 'Kraken' WHERE vendor = ''")
    losses = Losses()
    assert Archive(path).begins(None, losses) == [BEGINS[at] for at in (0, 1, 3, 4)]
    assert losses.left_out.others == 1


def test_begins_that_bars_no_longer_need_are_deleted(path: Path) -> None:
    """Whose prices the oldest bars are must stay known."""
    with closing(connect(path)) as connection:
        write_begins(connection, BEGINS)
        assert delete_begins(connection, START + 200) == 0
        assert delete_begins(connection, START + 250) == 2
        assert delete_begins(connection, START + 900) == 1
    assert Archive(path).begins() == [BEGINS[1], BEGINS[4]]


@pytest.mark.parametrize("source", ["eodhd", "simulated", None])
@pytest.mark.parametrize("is_migrated", [False, True])
def test_before_vendors_were_told_apart_all_prices_were_of_one(
    path: Path, source: str | None, is_migrated: bool
) -> None:
    """A file of before says so of EODHD's prices, whether it was brought up to date or not."""
    with closing(connect(path, MIGRATIONS[: WINDOWS_FROM - 1])) as connection:
        write_bars(connection, some_bars())
        if source is not None:
            write_meta(connection, "source", source)
    if is_migrated:
        connect(path).close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    losses = Losses()
    found = Archive(path).begins(None, losses)
    symbols = ["BTC-USD", "EURUSD"] if source == "eodhd" else []
    assert found == [Begin(symbol, 0, "EODHD") for symbol in symbols]
    assert not losses.left_out


def test_a_file_that_is_begun_anew_knows_whose_prices_come(path: Path) -> None:
    """Its predecessor was moved away, and with it what was written of vendors before."""
    recorder = Recorder(path, bars_days=1, events_days=1, retry_sec=0.01)
    recorder.start()
    try:
        recorder.record(some_bars(), begins=BEGINS)
        assert recorder.flush()
        path.rename(path.with_name("moved.sqlite"))
        recorder.record(some_bars())
        assert recorder.flush()
    finally:
        recorder.stop()
    assert Archive(path).begins() == [BEGINS[1], BEGINS[4]]


def test_a_file_that_is_begun_anew_knows_whose_prices_were_restored(path: Path) -> None:
    """The vendor that serves has not begun since: nothing else tells of it."""
    with closing(connect(path)) as connection:
        write_bars(connection, some_bars())
        write_begins(connection, BEGINS[:2])
    recorder = Recorder(path, bars_days=1, events_days=1, retry_sec=0.01)
    store = PulseStore(records=True)
    watched: dict[Asset, list[str]] = {"crypto": ["BTC-USD"], "forex": ["EURUSD"]}
    for asset, symbols in watched.items():
        store.watch(asset, symbols)
    keeper = HistoryKeeper(
        Archive(path), recorder, store, EventStore(1), StressDetector(), watched, 1
    )
    recorder.start()
    try:
        keeper.restore(dict, lambda newest: True, lambda: START + 10.0)
        assert recorder.flush()
        path.rename(path.with_name("moved.sqlite"))
        recorder.record(some_bars())
        assert recorder.flush()
    finally:
        recorder.stop()
    assert Archive(path).begins() == BEGINS[:2]
