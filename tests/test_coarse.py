"""Whole hours of the archive, summed up every two minutes: what a day's line is drawn of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from bars import CELL, Bars, Begin
from history.archive import Archive, ArchiveError
from history.coarse import HOUR_SEC, STEP_SEC, CoarseHours, sum_up
from history.hours import ArchivedHours
from history.losses import Losses
from history.writer import connect, write_bars, write_begins
from ticks import Asset

HOUR: Final = 1_790_000_000 // HOUR_SEC * HOUR_SEC
SYMBOLS: Final = ("AAPL", "MSFT")


def bars(seconds: Sequence[int], prices: Sequence[float]) -> Bars:
    """Bars of AAPL."""
    cells = np.zeros(len(seconds), CELL)
    cells["second"], cells["price"], cells["sum"], cells["n"] = seconds, prices, prices, 1
    return Bars(("AAPL",), ("stocks",), cells)


def write(path: Path, *found: Bars, begins: Sequence[Begin] = ()) -> Archive:
    """An archive that holds these."""
    with closing(connect(path)) as connection:
        connection.execute("BEGIN")
        for each in found:
            write_bars(connection, each)
        write_begins(connection, list(begins))
        connection.execute("COMMIT")
    return Archive(path)


def test_a_step_has_its_last_lowest_and_highest_price() -> None:
    """One without any has none."""
    nan = np.nan
    found = sum_up(np.array([1.0, 3.0, 2.0, nan, nan, nan, nan, 5.0, nan]), 3)
    assert found[:, [0, 2]].tolist() == [[2.0, 5.0], [1.0, 5.0], [3.0, 5.0]]
    assert np.isnan(found[:, 1]).all()


def test_hours_are_summed_up_and_fetched_once(tmp_path: Path) -> None:
    """Holes stay holes; what was found stays, whatever becomes of the file."""
    seconds = [HOUR + 5, HOUR + 60, HOUR + 119, HOUR + 120, HOUR + HOUR_SEC + 7]
    path = tmp_path / "a.sqlite"
    archive = write(path, bars(seconds, [10.0, 12.0, 11.0, 13.0, 14.0]))
    coarse = CoarseHours(archive, SYMBOLS)
    end = HOUR + 2 * HOUR_SEC
    found = coarse.prices("AAPL", HOUR, end, Losses())
    assert found.shape == (3, 2 * HOUR_SEC // STEP_SEC)
    assert found[:, 0].tolist() == [11.0, 10.0, 12.0]
    assert found[:, 1].tolist() == [13.0] * 3
    assert found[:, HOUR_SEC // STEP_SEC].tolist() == [14.0] * 3
    assert np.isnan(found).sum() == 3 * (found.shape[1] - 3)
    path.unlink()
    assert np.array_equal(coarse.prices("AAPL", HOUR, end, Losses()), found, equal_nan=True)
    assert np.isnan(coarse.prices("MSFT", HOUR, end, Losses())).all()
    assert np.isnan(coarse.prices("GONE", HOUR, end, Losses())).all()
    with pytest.raises(ArchiveError):
        coarse.prices("AAPL", HOUR - HOUR_SEC, end, Losses())


def test_no_line_goes_from_one_vendors_prices_to_anothers(tmp_path: Path) -> None:
    """What was before the last change is left out; a halt is no change."""
    seconds = range(HOUR, HOUR + HOUR_SEC, 60)
    begins = [
        Begin("AAPL", HOUR + 600, "EODHD"),
        Begin("AAPL", HOUR + 1200, "Kraken"),
        Begin("AAPL", HOUR + 2400, ""),
        Begin("MSFT", HOUR + 3000, "Kraken"),
    ]
    archive = write(tmp_path / "a.sqlite", bars(seconds, [1.0] * len(seconds)), begins=begins)
    watched: dict[Asset, Sequence[str]] = {"stocks": SYMBOLS}
    hours = ArchivedHours(archive, watched, 10, on_error=lambda error: pytest.fail(str(error)))
    found = hours.coarse_prices("AAPL", HOUR, HOUR + HOUR_SEC)
    assert found is not None
    assert np.isnan(found[0, : 1200 // STEP_SEC]).all()
    assert not np.isnan(found[0, 1200 // STEP_SEC :]).any()


def test_an_archive_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """And nothing is answered."""
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    told: list[ArchiveError] = []
    hours = ArchivedHours(Archive(path), {"stocks": SYMBOLS}, 10, told.append)
    assert hours.coarse_prices("AAPL", HOUR, HOUR + HOUR_SEC) is None
    assert len(told) == 1
    assert not isinstance(told[0], sqlite3.Error)
