"""Recorded tapes: their rows, and what is refused."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from market import Quote
from tape import TAPE_EPOCH, Tape, TapeError

HEADER = "ms,feed,symbol,price,bid,ask,size"
ROWS = (
    "12,forex,EURUSD,,1.39490,1.39493,",
    "14,us,SPY,167.29,,,600",
    "14,us,NA,7.5,7.4,7.6,0.5",
    "1015,crypto,BTC-USD,613.5,,,0.25",
)


def tape_file(folder: Path, *lines: str, name: str = "tape.csv") -> Path:
    """A file with these lines."""
    path = folder / name
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["tape.csv", "tape.csv.gz"])
def test_a_tape_gives_its_rows_in_order(tmp_path: Path, name: str) -> None:
    """Plain or gzipped; blanks are filled around the price, and a time is not taken twice."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *ROWS, name=name))
    assert tape.symbols == {"stocks": ("SPY", "NA"), "forex": ("EURUSD",), "crypto": ("BTC-USD",)}
    assert tape.until(TAPE_EPOCH + 0.014) == [
        ("forex", "EURUSD", TAPE_EPOCH + 0.012, 1.394915, 1.3949, 1.39493, 0.0, ())
    ]
    assert tape.until(TAPE_EPOCH + 1) == [
        ("stocks", "SPY", TAPE_EPOCH + 0.014, 167.29, 167.29, 167.29, 600.0, ()),
        ("stocks", "NA", TAPE_EPOCH + 0.014, 7.5, 7.4, 7.6, 0.5, ()),
    ]
    assert tape.until(TAPE_EPOCH + 0.5) == []
    assert [quote.symbol for quote in tape.until(tape.end)] == ["BTC-USD"]
    assert tape.until(math.inf) == []


def test_a_tape_that_counts_from_its_own_start_begins_the_year_2000(tmp_path: Path) -> None:
    """It has no past, and ends just after its last row."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *ROWS))
    assert (tape.start, tape.end) == (TAPE_EPOCH, TAPE_EPOCH + 1.016)
    assert tape.history() == []
    assert tape.opening() == []


def test_a_tape_with_dates_keeps_them(tmp_path: Path) -> None:
    """Milliseconds since the epoch are taken as they are."""
    tape = Tape.load(tape_file(tmp_path, HEADER, "1790329995797,us,SPY,167.29,,,600"))
    assert tape.start == 1790329995.797
    assert [quote.ts for quote in tape.until(tape.end)] == [1790329995.797]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((), "row"),
        ((HEADER,), "no rows, expected at least one"),
        (("ms,feed,symbol,price", "1,us,SPY,2"), "columns ms,feed,symbol,price, expected ms,feed"),
        ((HEADER, *ROWS, "x,us,SPY,1,,,1"), "row 6 of the tape: ms is not a number"),
        ((HEADER, *ROWS, ",us,SPY,1,,,1"), "row 6 of the tape: ms is blank"),
        ((HEADER, *ROWS, "2000,us,SPY,abc,,,1"), "row 6 of the tape: price is not a number"),
        ((HEADER, *ROWS, "2000,us,SPY,,,,1"), "row 6 of the tape: no price"),
        ((HEADER, *ROWS, "2000,us,SPY,0,,,1"), "row 6 of the tape: no price"),
        ((HEADER, *ROWS, "2000,us,SPY,inf,,,1"), "row 6 of the tape: no price"),
        ((HEADER, *ROWS, "2000,forex,EURUSD,1.1,,,1"), "row 6 of the tape: no price"),
        ((HEADER, *ROWS, "2000,moon,SPY,1,,,1"), "row 6 of the tape: unknown feed"),
        ((HEADER, *ROWS, "2000,us,,1,,,1"), "row 6 of the tape: symbol is blank"),
        ((HEADER, *ROWS, "1014,us,SPY,1,,,1"), "row 6 of the tape: ms goes backwards"),
        ((HEADER, '1,us,"A,B",1,,,1'), "row 2 of the tape: symbol has a comma"),
        ((HEADER, "1,us, A,1,,,1"), "row 2 of the tape: symbol has a comma or outer blanks"),
        ((HEADER, *ROWS, "2000,crypto,SPY,1,,,1"), "row 6 of the tape: symbol is in two feeds"),
        ((HEADER, "1760000000000000000,us,A,1,,,1"), "row 2 of the tape: ms is no time until"),
        ((HEADER, "1e300,us,A,1,,,1"), "row 2 of the tape: ms is no time until"),
        ((HEADER, "-5,us,A,1,,,1"), "row 2 of the tape: ms is no time until"),
        ((HEADER, "1,us,SPY,1,,,1", "1,us,SPY,1,,,1,9,9"), "cannot be read as plain CSV text"),
    ],
)
def test_a_bad_tape_is_refused(tmp_path: Path, lines: tuple[str, ...], complaint: str) -> None:
    """The error says what was found, and in which row."""
    with pytest.raises(TapeError, match=complaint):
        Tape.load(tape_file(tmp_path, *lines))


def test_a_missing_tape_is_refused(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(TapeError, match=r"no tape at .*gone\.csv"):
        Tape.load(tmp_path / "gone.csv")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Not even a header."""
    (tmp_path / "tape.csv").touch()
    with pytest.raises(TapeError, match="is empty"):
        Tape.load(tmp_path / "tape.csv")


def test_a_tape_that_is_no_gzip_file_is_refused(tmp_path: Path) -> None:
    """Named .gz but plain, cut short, or damaged inside."""
    path = tmp_path / "tape.csv.gz"
    whole = gzip.compress("\n".join([HEADER, *ROWS]).encode())
    for content in (HEADER.encode(), whole[:-20], whole[:20] + b"\xff" * 30 + whole[50:]):
        path.write_bytes(content)
        with pytest.raises(TapeError, match="cannot be read as a whole gzip file"):
            Tape.load(path)


def test_the_recorded_hour_is_read_whole(tape_path: Path) -> None:
    """Every row of the real tape comes out, taken second by second."""
    tape = Tape.load(tape_path)
    quotes = [q for second in range(1, 3601) for q in tape.until(tape.start + second)]
    assert len(quotes) == 216_694
    assert tape.until(math.inf) == []
    assert tape.symbols == {
        "stocks": ("SPY", "AIG", "BAC", "IBM"),
        "forex": ("EURUSD", "NZDUSD"),
        "crypto": ("BTC-USD",),
    }
    assert quotes[0] == Quote(
        "forex", "EURUSD", TAPE_EPOCH + 0.012, 1.394915, 1.3949, 1.39493, 0, ()
    )
    assert tape.end == TAPE_EPOCH + 3599.893
