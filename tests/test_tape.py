"""Recorded tapes and archives: their quotes, their span, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import os
import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import MINUTE, Bars, Minutes
from history import export
from history.archive import Archive, ArchiveError
from history.writer import connect, write_bars, write_events, write_meta, write_minutes
from pulse_store import PulseStore
from sources import tape as recordings
from sources.quotes import Quote
from sources.source import RefusedRow, RowFault, TapeRows
from sources.tape import TAPE_EPOCH, ArchivedTape, Tape, TapeError
from tests.told import event_of
from ticks import Tick

BEGIN = 1_795_600_800  # 2026-11-25T10:00:00Z

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
    assert tape.read_until(TAPE_EPOCH + 0.014) == [
        ("forex", "EURUSD", TAPE_EPOCH + 0.012, 1.394915, 1.3949, 1.39493, 0.0, ())
    ]
    assert tape.read_until(TAPE_EPOCH + 1) == [
        ("stocks", "SPY", TAPE_EPOCH + 0.014, 167.29, 167.29, 167.29, 600.0, ()),
        ("stocks", "NA", TAPE_EPOCH + 0.014, 7.5, 7.4, 7.6, 0.5, ()),
    ]
    assert tape.read_until(TAPE_EPOCH + 0.5) == []
    assert [quote.symbol for quote in tape.read_until(tape.end)] == ["BTC-USD"]
    assert tape.read_until(math.inf) == []


def test_a_tape_that_counts_from_its_own_start_begins_the_year_2000(tmp_path: Path) -> None:
    """It has no past, and ends just after its last row."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *ROWS))
    assert (tape.start, tape.end) == (TAPE_EPOCH, TAPE_EPOCH + 1.016)
    assert tape.opening_quotes() == []


def test_a_tape_with_dates_keeps_them(tmp_path: Path) -> None:
    """Milliseconds since the epoch are taken as they are."""
    tape = Tape.load(tape_file(tmp_path, HEADER, "1790329995797,us,SPY,167.29,,,600"))
    assert tape.start == 1790329995.797
    assert [quote.ts for quote in tape.read_until(tape.end)] == [1790329995.797]


def test_nothing_is_known_of_the_time_before_a_tape(tmp_path: Path) -> None:
    """No bars, no prices, no events."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *ROWS))
    assert len(tape.earlier_bars()) == 0
    assert tape.earlier_prices() == []
    assert not len(tape.earlier_minutes())
    assert tape.earlier_event_states(10, since=0.0) == []


DATED = tuple(f"{BEGIN + second}000,us,S{second},5,,,1" for second in (0, 10, 20))


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (None, None, ["S0", "S10", "S20"]),
        (BEGIN + 0.5, None, ["S10", "S20"]),
        (BEGIN + 10, BEGIN + 20, ["S10"]),
        (0.0, BEGIN + 20.5, ["S0", "S10", "S20"]),
    ],
)
def test_a_span_of_a_tape_is_as_if_it_had_no_more(
    tmp_path: Path, begin: float | None, end: float | None, expected: list[str]
) -> None:
    """Rows from the begin on and before the end; symbols, start and end are theirs."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *DATED), begin, end)
    quotes = tape.read_until(math.inf)
    assert [quote.symbol for quote in quotes] == expected
    assert tape.symbols["stocks"] == tuple(expected)
    assert (tape.start, tape.end) == (quotes[0].ts, round(quotes[-1].ts + 0.001, 3))


def test_a_span_without_rows_is_refused(tmp_path: Path) -> None:
    """The error says what the tape has."""
    path = tape_file(tmp_path, HEADER, *DATED)
    with pytest.raises(TapeError) as caught:
        Tape.load(path, BEGIN + 11, BEGIN + 15)
    assert str(caught.value) == (
        f"{path} has no prices from 2026-11-25T10:00:11Z to 2026-11-25T10:00:15Z,"
        " only from 2026-11-25T10:00:00Z to 2026-11-25T10:00:20Z; choose a span with prices"
    )


def test_a_tape_without_dates_has_no_spans(tmp_path: Path) -> None:
    """Its times are no dates that one could choose from."""
    with pytest.raises(TapeError, match=r"counts from its own start, expected one with dates"):
        Tape.load(tape_file(tmp_path, HEADER, *ROWS), None, BEGIN)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((), "is empty, expected ms,feed,symbol,price,bid,ask,size and rows"),
        ((HEADER,), "the tape tape.csv has no rows, expected at least one"),
        (
            ("ms,feed,symbol,price", "1,us,SPY,2"),
            "the tape tape.csv has the columns ms,feed,symbol,price, expected"
            " ms,feed,symbol,price,bid,ask,size; add bid, ask, size",
        ),
        (
            ("Timestamp;Ticker;Last", "1;SPY;2"),
            "; rename timestamp to ms, rename ticker to symbol, rename last to price, add feed,"
            " bid, ask, size",
        ),
        (("ms,MS,feed,symbol,price,bid,ask,size", "1,1,us,A,1,,,"), "has ms in two columns"),
        ((HEADER, *ROWS, "x,us,SPY,1,,,1"), "the time is blank or not a number (ms is 'x')"),
        ((HEADER, *ROWS, ",us,SPY,1,,,1"), "the time is blank or not a number; give milli"),
        ((HEADER, *ROWS, "2000,us,SPY,abc,,,1"), "a number is expected (price is 'abc'); write"),
        ((HEADER, *ROWS, '2000,us,SPY,"92,010.5",,,1'), "(price is '92,010.5'); write numbers"),
        ((HEADER, *ROWS, "2000,us,SPY,,,,1"), "there is no price above zero; give a price"),
        ((HEADER, *ROWS, "2000,us,SPY,0,,,1"), "there is no price above zero (price is '0')"),
        ((HEADER, *ROWS, "2000,us,SPY,-1,,,1"), "there is no price above zero (price is '-1')"),
        ((HEADER, *ROWS, "2000,us,SPY,inf,,,1"), "a number is expected (price is 'inf')"),
        ((HEADER, *ROWS, "2000,us,SPY,5,,,1e999"), "a number is expected (size is '1e999')"),
        ((HEADER, *ROWS, "2000,us,SPY,1e999,,,1"), "no price above zero (price is '1e999')"),
        ((HEADER, *ROWS, "2000,forex,EURUSD,,1e308,1e308,"), "there is no price above zero"),
        (
            (HEADER, *ROWS, "2000,forex,EURUSD,1.1,,,1"),
            "there is no price above zero; give a price",
        ),
        ((HEADER, *ROWS, "2000,moon,SPY,1,,,1"), "the feed is unknown (feed is 'moon'); give us"),
        ((HEADER, *ROWS, "2000,us,,1,,,1"), "the symbol is blank or no plain name; give a name"),
        ((HEADER, *ROWS, '2000,us,"A,B",1,,,1'), "no plain name (symbol is 'A,B')"),
        ((HEADER, *ROWS, "2000,us,A\u202eB,1,,,1"), "no plain name (symbol is 'AU+202EB')"),
        ((HEADER, *ROWS, f"2000,us,{'A' * 65},1,,,1"), "blank or no plain name (symbol is 'AAA"),
        ((HEADER, *ROWS, "2000,crypto,SPY,1,,,1"), "the symbol is in two feeds (symbol is 'SPY')"),
        ((HEADER, *ROWS, "1e300,us,SPY,1,,,1"), "a spreadsheet has rounded the time (ms is '1e300"),
        ((HEADER, *ROWS, "-5,us,SPY,1,,,1"), "the time is far from all others (ms is '-5'); give"),
        (
            (HEADER, *ROWS, "2000,us,SPY"),
            "more or fewer cells than there are headings (row is '3 of",
        ),
        ((HEADER, *ROWS, "2000,us,SPY,1,,,1,9"), "than there are headings (row is '8 of 7 cells')"),
        ((HEADER, *ROWS, '2000,us,"SPY,1,,,1'), "a quotation mark is not closed (row is '2000,us"),
    ],
)
def test_a_bad_tape_is_refused(tmp_path: Path, lines: tuple[str, ...], complaint: str) -> None:
    """The error says what was found, in which row, and what to do."""
    with pytest.raises(TapeError) as caught:
        Tape.load(tape_file(tmp_path, *lines))
    assert complaint in str(caught.value)
    if lines[1:-1] == ROWS:
        assert str(caught.value).startswith("row 6 of the tape tape.csv: ")
    assert len(str(caught.value)) < 400


def test_a_pipe_is_no_tape(tmp_path: Path) -> None:
    """It would be waited for until somebody writes into it."""
    path = tmp_path / "tape.csv"
    os.mkfifo(path)
    with pytest.raises(TapeError) as caught:
        recordings.load(path)
    expected = f"{path} is not a file, expected a tape or an archive; check the path"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "names",
    [("600519",), ("000001", "TRUE", "1E5", "INF", "NA"), ("TRUE", "FALSE"), ("nan", "null", "-0")],
)
def test_a_symbol_is_text_whatever_it_looks_like(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Also if all of a file look like numbers, or like truth."""
    rows = [f"{at},us,{name},5,,,1" for at, name in enumerate(names)]
    tape = Tape.load(tape_file(tmp_path, HEADER, *rows))
    assert tape.symbols["stocks"] == names
    assert [quote.symbol for quote in tape.read_until(math.inf)] == list(names)


def test_rows_out_of_order_are_sorted_and_counted(tmp_path: Path) -> None:
    """By time, and of one time as they stand in the file."""
    rows = [f"{ms},us,SPY,{price},,,1" for ms, price in ((5, 1), (9, 2), (2, 3), (9, 4), (7, 5))]
    tape = Tape.load(tape_file(tmp_path, HEADER, *rows))
    assert tape.rows == TapeRows(5, 0, (), 2)
    quotes = tape.read_until(math.inf)
    assert [(round((q.ts - TAPE_EPOCH) * 1000), q.price) for q in quotes] == [
        (2, 3.0),
        (5, 1.0),
        (7, 5.0),
        (9, 2.0),
        (9, 4.0),
    ]


def test_a_tape_of_which_nine_tenths_are_good_plays_without_the_rest(tmp_path: Path) -> None:
    """Rows are numbered as in the file, blank ones too, which are no rows; the first are named."""
    good = [f"{ms},us,SPY,5,,,1" for ms in range(45)]
    bad = ["5,us,SPY,x,,,1", "6,us,SPY,5", '7,us,"SPY,5,,,1', "8,us,,5,,,1", "ms,feed,symbol,,,,"]
    lines = [HEADER, *good[:3], "", ",,,,,,", *bad, *good[3:]]
    tape = Tape.load(tape_file(tmp_path, *lines))
    assert tape.rows == TapeRows(
        50,
        5,
        (
            RefusedRow(7, RowFault.NUMBER, "price", "x"),
            RefusedRow(8, RowFault.CELLS, "row", "4 of 7 cells"),
            RefusedRow(9, RowFault.QUOTE, "row", '7,us,"SPY,5,,,1'),
        ),
        0,
    )
    assert len(tape.read_until(math.inf)) == 45
    with pytest.raises(TapeError) as caught:
        Tape.load(tape_file(tmp_path, *lines[:-1]))
    assert str(caught.value) == (
        "row 7 of the tape tape.csv: a number is expected (price is 'x'), and so on: 5 of 49 rows"
        " are bad, expected a tenth at most; write numbers without separators of thousands, such"
        " as 1234.5"
    )


@pytest.mark.parametrize("text", ["1790329995.797", "1790329995797000", "1790329995797000000"])
def test_dates_in_another_unit_are_recognised(tmp_path: Path, text: str) -> None:
    """Seconds, microseconds and nanoseconds; a time in milliseconds among them is left out."""
    later = text.replace("179032999579", "179032999679").replace("1790329995.", "1790329996.")
    rows = [f"{text},us,SPY,5,,,1"] * 12 + [f"{later},us,SPY,6,,,1", "1790329996000,us,SPY,7,,,1"]
    tape = Tape.load(tape_file(tmp_path, HEADER, *rows))
    assert tape.start == pytest.approx(1790329995.797, abs=1e-6)
    assert [quote.price for quote in tape.read_until(math.inf)][-1] == 6.0
    assert tape.rows is not None
    assert [(row.number, row.fault) for row in tape.rows.examples] == [(15, RowFault.OTHER_TIME)]


def test_seconds_since_the_start_are_named(tmp_path: Path) -> None:
    """An hour of them would be over in four seconds; decimals of nothing are none."""
    rows = [f"{at / 4},us,SPY,5,,,1" for at in range(40)]
    with pytest.raises(TapeError) as caught:
        Tape.load(tape_file(tmp_path, HEADER, *rows))
    assert str(caught.value) == (
        "row 3 of the tape tape.csv: the time is not in whole milliseconds (ms is '0.25'), and so"
        " on: 30 of 40 rows are bad, expected a tenth at most; give whole milliseconds since the"
        " tape's start or since 1970"
    )
    whole = Tape.load(tape_file(tmp_path, HEADER, "250.0,us,SPY,5,,,1"))
    assert [quote.ts for quote in whole.read_until(math.inf)] == [TAPE_EPOCH + 0.25]


@pytest.mark.parametrize("mark", [".", ","])
def test_rounded_times_are_named_whatever_their_decimal_mark(tmp_path: Path, mark: str) -> None:
    """A spreadsheet that saves semicolons writes a comma."""
    rows = [f"1{mark}79033E+12;us;SPY;5;;;1"] * 2
    with pytest.raises(TapeError, match="a spreadsheet has rounded the time"):
        Tape.load(tape_file(tmp_path, HEADER.replace(",", ";"), *rows))
    full = f"1{mark}764000123456E+12;us;SPY;5;;;1"
    assert Tape.load(tape_file(tmp_path, HEADER.replace(",", ";"), full)).start == 1764000123.456


def test_times_that_a_spreadsheet_has_rounded_are_named(tmp_path: Path) -> None:
    """All of a day would be at one instant; with all their digits they are what they say."""
    rows = ["1.76400E+12,us,SPY,5,,,1", "1.76400E+12,us,SPY,6,,,1"]
    with pytest.raises(TapeError) as caught:
        Tape.load(tape_file(tmp_path, HEADER, *rows))
    assert str(caught.value) == (
        "row 2 of the tape tape.csv: a spreadsheet has rounded the time (ms is '1.76400E+12'), and"
        " so on: 2 of 2 rows are bad, expected a tenth at most; in the spreadsheet format the"
        " column as whole numbers (0) before it is saved as CSV, or take the file that it was made"
        " from"
    )
    exact = Tape.load(tape_file(tmp_path, HEADER, "1.764000123456E+12,us,SPY,5,,,1"))
    assert exact.start == 1764000123.456


@pytest.mark.parametrize(
    "content",
    [
        "MS; Feed ;Symbol;PRICE;Bid;Ask;Size\r\n12;FOREX;EURUSD;;1,39490;1,39493;\r\n"
        "14;us;SPY;167,29;;;600\r\n",
        "ms\tfeed\tsymbol\tprice\tbid\task\tsize\n12\tforex\tEURUSD\t\t1.39490\t1.39493\t\n"
        "14\tus\tSPY\t167.29\t\t\t600",
        'sep=;\n"ms";"feed";"symbol";"price";"bid";"ask";"size"\n'
        '"12";"forex";"EURUSD";"";"1.39490";"1.39493";""\n"14";"us";"SPY";"167.29";"";"";"600"',
        "\r\r,size,feed,symbol,note,bid,ask,price,ms\r0,,forex, EURUSD,x,1.39490,1.39493,,12\r"
        "1,600,us,SPY,y,,,167.29,14\r",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_tape_is_read_as_a_spreadsheet_saves_it(
    tmp_path: Path, content: str, encoding: str
) -> None:
    """Semicolons, tabs, decimal commas, capitals, other orders and columns, marks and line ends."""
    path = tmp_path / "tape.csv"
    path.write_bytes(content.encode(encoding))
    tape = Tape.load(path)
    assert tape.read_until(math.inf) == [
        ("forex", "EURUSD", TAPE_EPOCH + 0.012, 1.394915, 1.3949, 1.39493, 0.0, ()),
        ("stocks", "SPY", TAPE_EPOCH + 0.014, 167.29, 167.29, 167.29, 600.0, ()),
    ]
    assert tape.rows == TapeRows(2, 0, (), 0)


def test_points_and_commas_in_one_file_are_no_guess(tmp_path: Path) -> None:
    """One of them stands for thousands, and nobody says which."""
    header = HEADER.replace(",", ";")
    with pytest.raises(TapeError, match="with points and with commas in its column price, expect"):
        Tape.load(tape_file(tmp_path, header, "1;us;SPY;1.234;;;1", "2;us;SPY;1,234;;;1"))


def test_text_that_is_not_in_utf_8_costs_its_rows(tmp_path: Path) -> None:
    """Not the file."""
    path = tmp_path / "tape.csv"
    rows = [f"{ms},us,SPY,5,,,1" for ms in range(20)]
    path.write_bytes("\n".join([HEADER, *rows, "21,us,BÖRSE,5,,,1"]).encode("latin-1"))
    tape = Tape.load(path)
    assert tape.rows is not None
    assert [(row.number, row.fault) for row in tape.rows.examples] == [(22, RowFault.SYMBOL)]


def test_a_compressed_tape_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    """And one named .gz may be plain, as a browser may have unpacked it."""
    plain = "\n".join([HEADER, *ROWS]).encode()
    for content in (plain, gzip.compress(plain), bz2.compress(plain), lzma.compress(plain)):
        for name in ("tape.csv.gz", "tape.txt"):
            (tmp_path / name).write_bytes(content)
            assert len(Tape.load(tmp_path / name).read_until(math.inf)) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook or a zip archive, expected CSV, JSON or P"),
        (b"\xd0\xcf\x11\xe0\xa1", "is a workbook, expected CSV; save its sheet as CSV"),
        (b"\x28\xb5\x2f\xfd\x04", "is compressed by zstd, expected CSV or a gzip file; unpack it"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"[1, 2", "cannot be read as JSON"),
        (b'{"time": 1}', "is JSON without a list of rows"),
        (b"[]", "is JSON without a list of rows"),
        (b"\x7fELF\x02\x00" * 2000, "is no text, expected CSV"),
        (b"\x01\x02" * 2000, "has the columns U+0001U+0002"),
        (b'"' * 300_000, "has the columns"),
        (
            b"12,us,SPY,5,,,1\n13,us,SPY,5,,,1\n",
            "has the columns 12,us,spy,5,,,1, expected ms,feed",
        ),
    ],
)
def test_what_is_no_tape_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    """With what to do, in one sentence of bounded length."""
    path = tmp_path / "tape.csv"
    path.write_bytes(content)
    with pytest.raises(TapeError) as caught:
        Tape.load(path)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_next_quote_is_known_before_it_is_read(tmp_path: Path) -> None:
    """Until there is none."""
    tape = Tape.load(tape_file(tmp_path, HEADER, *DATED))
    assert tape.next_at() == BEGIN
    tape.read_until(BEGIN + 5)
    assert tape.next_at() == BEGIN + 10
    tape.read_until(math.inf)
    assert tape.next_at() is None


ROW_FORMS: tuple[export.Form, ...] = ("csv", "json", "parquet")
"""Those of the forms of an export that can be replayed."""

SPLINTERS = (
    *(b'"', b",", b"\n", b"\r", b"\0", b"\xff", b";", b"\t", b"'", b"[", b"}", b"nan", b"null"),
    *(b"-1", b"1e999", b"1e-400", b"1.76400E+12", b"9" * 40, "\u202e".encode(), b"=1+1", b"0x1"),
)


def test_whatever_is_in_a_file_it_is_played_or_refused(
    tmp_path: Path, recorded: tuple[Path, dict[int, pd.DataFrame]]
) -> None:
    """Damaged in all manners: what is played is prices in order, what is refused is named."""
    rng, path = random.Random(9), tmp_path / "tape"
    rows = [f"{at}00,us,S{at % 7},{5 + at},,,10" for at in range(40)]
    rows += [f"{at}50,forex,EURUSD,,1.1,1.2," for at in range(40)]
    whole = ["\n".join([HEADER, *rows]).encode()]
    whole += [whole[0].replace(b",", b";"), whole[0].decode().encode("utf-16")]
    for form in ROW_FORMS:
        path = tmp_path / f"bars.{form}"
        export.save(Archive(recorded[0]), "bars", form, path, BEGIN, BEGIN + 30)
        whole.append(path.read_bytes())
    played, refusals = 0, []
    for _ in range(400):
        content = rng.choice(whole)
        for _ in range(rng.choice([1, 2, 5, 20])):
            at = rng.randrange(len(content))
            end = at + rng.choice([0, 0, 1, 3, 20])
            content = content[:at] + rng.choice((*SPLINTERS, b"", b"x")) + content[end:]
        path.write_bytes(content)
        try:
            tape = Tape.load(path)
        except TapeError as error:
            refusals.append(str(error))
            continue
        played += 1
        quotes = tape.read_until(math.inf)
        assert all(type(q.symbol) is str and 0 < q.price < math.inf for q in quotes)
        times = [q.ts for q in quotes]
        assert times == sorted(times)
        assert tape.start <= times[0] <= times[-1] < tape.end
    assert 100 < played < 300
    assert all("\n" not in text and len(text) < 600 for text in refusals)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("is_number", [True, False])
def test_a_tape_may_be_parquet(tmp_path: Path, unit: str, is_number: bool) -> None:
    """With times as numbers, of which those in nanoseconds are long, or as what they are."""
    times = np.array([1_790_329_995_797, 1_790_329_996_797], "M8[ms]").astype(f"M8[{unit}]")
    frame = pd.DataFrame({"ms": times.astype(np.int64) if is_number else times})
    frame = frame.assign(feed="us", symbol="SPY", price=[5.0, 6.0], bid=np.nan, ask=np.nan, size=1)
    frame.to_parquet(tmp_path / "tape.parquet")
    tape = recordings.load(tmp_path / "tape.parquet")
    assert [(quote.ts, quote.price) for quote in tape.read_until(math.inf)] == [
        (1790329995.797, 5.0),
        (1790329996.797, 6.0),
    ]


@pytest.mark.parametrize("column", ["feed", "symbol"])
def test_a_time_in_parquet_is_no_name(tmp_path: Path, column: str) -> None:
    """Whatever a column holds, the file is read or refused; as a symbol it is text."""
    row = {"ms": 5, "feed": "us", "symbol": "SPY", "price": 5.0, "bid": None, "ask": None}
    frame = pd.DataFrame([{**row, "size": 1, column: pd.Timestamp("2026-11-25")}])
    frame.to_parquet(tmp_path / "tape.parquet")
    if column == "symbol":
        tape = recordings.load(tmp_path / "tape.parquet")
        assert [symbol[:10] for symbol in tape.symbols["stocks"]] == ["2026-11-25"]
    else:
        with pytest.raises(TapeError, match="the feed is unknown"):
            recordings.load(tmp_path / "tape.parquet")


def test_json_has_capitals_and_halves_of_characters(tmp_path: Path) -> None:
    """Headings in any case are headings; half of a character is no name, and costs its row."""
    row = {"Ms": 1790329995797, "FEED": "us", "Symbol": "SPY", "Price": 5, "Bid": None}
    rows = [{**row, "Ask": None, "Size": 1} for _ in range(12)]
    rows[3]["Symbol"] = "\ud800"
    (tmp_path / "tape.json").write_text(json.dumps(rows))
    tape = recordings.load(tmp_path / "tape.json")
    assert isinstance(tape, Tape)
    assert tape.rows is not None
    assert [(row.number, row.fault) for row in tape.rows.examples] == [(4, RowFault.SYMBOL)]
    assert len(tape.read_until(math.inf)) == 11


# Exported bars.


@pytest.mark.parametrize("form", ROW_FORMS)
def test_exported_bars_are_replayed(
    recorded: tuple[Path, dict[int, pd.DataFrame]], tmp_path: Path, form: export.Form
) -> None:
    """With all that the archive shows of them but the millisecond of each price."""
    archive = Archive(recorded[0])
    path = tmp_path / f"bars.{form}"
    export.save(archive, "bars", form, path, BEGIN, BEGIN + 300)
    tape, whole = recordings.load(path), ArchivedTape.load(recorded[0], BEGIN, BEGIN + 300)
    assert {a: set(s) for a, s in tape.symbols.items()} == {
        a: set(s) for a, s in whole.symbols.items()
    }
    found, expected = bars_of(to_ticks(tape.read_until(math.inf))), archive.bars(BEGIN, BEGIN + 300)
    names = [np.array(bars.symbols)[bars.cells["row"]].tolist() for bars in (found, expected)]
    at = [
        sorted(zip(bars.cells["second"].tolist(), of, range(len(of)), strict=True))
        for bars, of in zip((found, expected), names, strict=True)
    ]
    assert [one[:2] for one in at[0]] == [one[:2] for one in at[1]]
    for name in ("n", "price", "sum"):
        cells = [
            [float(bars.cells[name][place]) for *_, place in order]
            for bars, order in zip((found, expected), at, strict=True)
        ]
        assert cells[0] == pytest.approx(cells[1], rel=1e-9)
    assert recordings.load(path, BEGIN + 60, BEGIN + 120).start == BEGIN + 60


def test_an_exported_symbol_is_what_it_was(tmp_path: Path) -> None:
    """The mark that keeps a spreadsheet from computing is no part of it, in CSV as elsewhere."""
    bars = bars_of([Tick(name, "stocks", BEGIN + 0.5, 5.0) for name in ("=A1", "'A", "0001")])
    path = write(tmp_path / "a.sqlite", bars)
    for form in ROW_FORMS:
        export.save(Archive(path), "bars", form, tmp_path / f"bars.{form}", BEGIN, BEGIN + 1)
        tape = recordings.load(tmp_path / f"bars.{form}")
        assert set(tape.symbols["stocks"]) == {"=A1", "'A", "0001"}


def test_an_exported_workbook_is_named(tmp_path: Path) -> None:
    """It is for people; its bars can be replayed from another form."""
    path = write(tmp_path / "a.sqlite", minute_of("SPY", "stocks", BEGIN))
    export.save(Archive(path), "bars", "xlsx", tmp_path / "bars.xlsx", BEGIN, BEGIN + 60)
    with pytest.raises(
        TapeError, match=r"is a workbook or a zip archive, .* export the bars as one"
    ):
        recordings.load(tmp_path / "bars.xlsx")


def test_exported_events_are_no_prices(tmp_path: Path) -> None:
    """What to export instead is said."""
    path = tmp_path / "a.sqlite"
    with closing(connect(path)) as connection:
        write_events(connection, [event_of(BEGIN + 30.0)])
    for form in ROW_FORMS:
        out = tmp_path / f"events.{form}"
        export.save(Archive(path), "events", form, out, BEGIN, BEGIN + 60)
        with pytest.raises(TapeError, match="holds exported events, expected prices; export bars"):
            recordings.load(out)


def test_exported_bars_that_were_changed_by_hand_are_judged_row_by_row(tmp_path: Path) -> None:
    """Times, classes, prices and counts; a spreadsheet's own times are named as a whole."""
    row = "2026-11-25T10:00:00Z,SPY,stocks,5,5,1"
    bad = [
        row.replace("Z", ""),
        row.replace("stocks", "shares"),
        row.replace("SPY,stocks,5,5", "SPY,stocks,-5,5"),
        row.replace(",5,5,", ",5,-5,"),
        row.replace(",5,1", ",5,1.5"),
        row.replace(",5,1", ",5,"),
    ]
    header = "time,symbol,asset,last,mean,ticks"
    tape = Tape.load(tape_file(tmp_path, header, *bad, *[row] * 54))
    assert tape.rows is not None
    assert (tape.rows.count, tape.rows.refused) == (60, 6)
    assert [one.fault for one in tape.rows.examples] == [
        RowFault.BAR_TIME,
        RowFault.ASSET,
        RowFault.PRICE,
    ]
    assert len(tape.read_until(math.inf)) == 54
    with pytest.raises(TapeError, match=r"export the bars as CSV, JSON or Parquet, whose times"):
        Tape.load(tape_file(tmp_path, header, row.replace("2026-11-25T10:00:00Z", "46351.4")))


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
    """Cut short, or damaged inside."""
    path = tmp_path / "tape.csv.gz"
    whole = gzip.compress("\n".join([HEADER, *ROWS]).encode())
    for content in (whole[:-20], whole[:20] + b"\xff" * 30 + whole[50:]):
        path.write_bytes(content)
        with pytest.raises(TapeError, match="cannot be read as a whole gzip file"):
            Tape.load(path)


def test_the_recorded_hour_is_read_whole(tape_path: Path) -> None:
    """Every row of the real tape comes out, taken second by second."""
    tape = Tape.load(tape_path)
    quotes = [q for second in range(1, 3601) for q in tape.read_until(tape.start + second)]
    assert len(quotes) == 216_694
    assert tape.read_until(math.inf) == []
    assert tape.symbols == {
        "stocks": ("SPY", "AIG", "BAC", "IBM"),
        "forex": ("EURUSD", "NZDUSD"),
        "crypto": ("BTC-USD",),
    }
    assert quotes[0] == Quote(
        "forex", "EURUSD", TAPE_EPOCH + 0.012, 1.394915, 1.3949, 1.39493, 0, ()
    )
    assert tape.end == TAPE_EPOCH + 3599.893


# Archives.

WATCHED = {"SPY": "stocks", "IBM": "stocks", "EURUSD": "forex", "BTC-USD": "crypto"}


def ticks_of(seconds: Iterable[int], seed: int) -> Iterator[list[Tick]]:
    """What arrives in each second: out of order within it, some stamps shared, some seconds bare.

    IBM comes once a minute and pauses longer than any horizon.
    """
    rng = random.Random(seed)
    prices = {"SPY": 512.37, "IBM": 281.5, "EURUSD": 1.139005, "BTC-USD": 84_588.01}
    for second in seconds:
        arrived = []
        for symbol, asset in WATCHED.items():
            count = rng.choice([0, 1, 1, 2, 9]) if symbol != "IBM" else int(second % 60 == 7)
            for _ in range(count):
                prices[symbol] *= 1 + rng.gauss(0, 2e-4)
                ms = rng.randrange(1000) if rng.random() < 0.7 else 500
                ts = (second * 1000 + ms) / 1000
                arrived.append(Tick(symbol, asset, ts, round(prices[symbol], 6)))
        yield arrived


def write(path: Path, *blocks: Bars) -> Path:
    """An archive with these bars."""
    with closing(connect(path)) as connection:
        for bars in blocks:
            write_bars(connection, bars)
    return path


def bars_of(ticks: Iterable[Tick]) -> Bars:
    """The bars that a store makes of some ticks."""
    store = PulseStore(records=True)
    store.update_many(ticks)
    return store.collect_changed()


def minute_of(symbol: str, asset: str, second: int) -> Bars:
    """One symbol's ticks at one second and half a minute later."""
    return bars_of([Tick(symbol, asset, second + at, 100.0 + at) for at in (0.25, 30.5)])


def to_ticks(quotes: Iterable[Quote]) -> list[Tick]:
    return [Tick(quote.symbol, quote.asset, quote.ts, quote.price) for quote in quotes]


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """All figures to a float's rounding, and what was stored and not computed to the last bit."""
    expected = expected.loc[found.index]
    stored = ["asset", "last", "last_ts", "ref_1m", "ref_1m_ts", "ref_5m", "ref_5m_ts", "regime"]
    assert found[stored].fillna(0.0).to_numpy().tolist() == (
        expected[stored].fillna(0.0).to_numpy().tolist()
    )
    figures = found.columns.difference(["asset", "regime"])
    np.testing.assert_allclose(
        found[figures].to_numpy(float), expected[figures].to_numpy(float), rtol=1e-9, atol=1e-12
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, pd.DataFrame]]:
    """An archive of twelve minutes, and the frame of every second as it was then."""
    path = tmp_path_factory.mktemp("recorded") / "archive.sqlite"
    store = PulseStore(records=True)
    for symbol, asset in WATCHED.items():
        store.watch(asset, [symbol])
    frames = {}
    with closing(connect(path)) as connection:
        seconds = range(BEGIN, BEGIN + 720)
        for second, arrived in zip(seconds, ticks_of(seconds, seed=1), strict=True):
            store.update_many(arrived)
            store.advance(second + 1)
            frames[second] = store.frame(second + 0.999)
            write_bars(connection, store.collect_changed())
    return path, frames


def replayed(tape: ArchivedTape) -> Iterator[tuple[int, pd.DataFrame]]:
    """The frame of every second of a replay, with what was before it."""
    store = PulseStore()
    for asset, symbols in tape.symbols.items():
        store.watch(asset, symbols)
    store.load_bars(tape.earlier_bars())
    store.advance(tape.start)
    for tick in tape.earlier_prices():
        store.set_initial_price(tick)
    for second in range(int(tape.start), int(tape.end) + 1):
        store.update_many(to_ticks(tape.read_until(second + 1.0)))
        store.advance(second + 1)
        yield second, store.frame(second + 0.999)


def test_a_replayed_archive_shows_every_second_as_it_was(
    recorded: tuple[Path, dict[int, pd.DataFrame]],
) -> None:
    """Prices, returns, volatilities and regimes of twelve minutes, from bars alone."""
    path, frames = recorded
    tape = ArchivedTape.load(path)
    assert sorted(s for symbols in tape.symbols.values() for s in symbols) == sorted(WATCHED)
    found = dict(replayed(tape))
    assert found.keys() == frames.keys()
    for second, frame in found.items():
        assert_same(frame, frames[second])
    last = frames[max(frames)]
    assert last["surprise"].notna().any()
    assert (last["regime"] != "unknown").any()


def test_a_span_begins_with_what_was_before_it(
    recorded: tuple[Path, dict[int, pd.DataFrame]],
) -> None:
    """Its very first second has the figures that it had, and so has every other."""
    path, frames = recorded
    tape = ArchivedTape.load(path, BEGIN + 600, BEGIN + 660)
    found = dict(replayed(tape))
    assert list(found) == list(range(BEGIN + 600, BEGIN + 660))
    for second, frame in found.items():
        assert_same(frame, frames[second])


@settings(deadline=None)
@given(
    prices=st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=20),
    ms=st.integers(0, 999),
)
def test_a_bar_becomes_as_many_quotes_as_it_had_ticks(prices: list[float], ms: int) -> None:
    """Their number, their sum, the newest price and its time are the bar's, whatever these were."""
    ts = (BEGIN * 1000 + ms) / 1000
    bar = bars_of([Tick("SPY", "stocks", ts, price) for price in prices])
    bought = _tape_of(bar).read_until(BEGIN + 1)
    (again,) = bars_of(to_ticks(bought)).cells
    (cell,) = bar.cells
    assert [again[name] for name in ("second", "ms", "n", "price")] == [
        cell[name] for name in ("second", "ms", "n", "price")
    ]
    assert again["sum"] == pytest.approx(cell["sum"], rel=1e-14)
    assert all(quote.bid == quote.ask == quote.price > 0 for quote in bought)


class _InMemory:
    """Stands in for an archive: its bars, without a file for each."""

    def __init__(self, bars: Bars) -> None:
        self._all = bars

    def bars(self, begin: int, end: int, symbols: tuple[str, ...], losses: object) -> Bars:
        return self._all.of(symbols).between(begin, end)


def _tape_of(bars: Bars) -> ArchivedTape:
    known = {"stocks": ("SPY",), "forex": (), "crypto": ()}
    return ArchivedTape(_InMemory(bars), known, BEGIN, BEGIN + 1)  # type: ignore[arg-type]


def test_quotes_come_in_time_order_and_once(tmp_path: Path) -> None:
    """Over all symbols and the pieces the archive is read in, however they are taken."""
    seconds = range(BEGIN, BEGIN + 700)
    path = write(tmp_path / "a.sqlite", *map(bars_of, ticks_of(seconds, seed=2)))
    whole = ArchivedTape.load(path).read_until(math.inf)
    times = [quote.ts for quote in whole]
    assert times == sorted(times)
    assert len(whole) > 2000
    tape, rng = ArchivedTape.load(path), random.Random(3)
    taken, now = [], tape.start
    while now < tape.end + 100:
        now += rng.choice([0.0, 0.001, 0.4, 1.0, 30.0, 350.0])
        piece = tape.read_until(now)
        assert all(quote.ts < now for quote in piece)
        taken += piece
    assert taken == whole
    assert tape.read_until(math.inf) == []


def test_a_late_tick_is_where_it_belongs(tmp_path: Path) -> None:
    """It came when its second had been written; the replay has it in time."""
    store = PulseStore(records=True)
    path = tmp_path / "a.sqlite"
    with closing(connect(path)) as connection:
        for ts, price in ((0.5, 100.0), (20.5, 101.0), (0.75, 100.5), (0.25, 99.0)):
            store.update(Tick("SPY", "stocks", BEGIN + ts, price))
            write_bars(connection, store.collect_changed())
    tape = ArchivedTape.load(path)
    assert [(quote.ts - BEGIN, quote.price) for quote in tape.read_until(BEGIN + 1)] == [
        (0.75, 99.5),
        (0.75, 99.5),
        (0.75, 100.5),
    ]
    assert tape.end == BEGIN + 20.501


@pytest.mark.parametrize(
    ("begin", "end", "start", "until"),
    [
        (None, None, 0, 630.501),
        (-1000.0, 1e6, 0, 630.501),
        (0.75, 600.0, 0, 30.501),
        (1.0, 600.5, 30, 600.251),
        (31.0, None, 600, 630.501),
    ],
)
def test_a_span_of_an_archive_reaches_from_price_to_price(
    tmp_path: Path,
    begin: float | None,
    end: float | None,
    start: int,
    until: float,
) -> None:
    """In whole seconds, within what there is; where nothing was there is nothing to wait for."""
    path = write(
        tmp_path / "a.sqlite",
        minute_of("SPY", "stocks", BEGIN),
        minute_of("SPY", "stocks", BEGIN + 600),
    )
    tape = ArchivedTape.load(path, _at(begin), _at(end))
    assert (tape.start - BEGIN, tape.end) == (start, BEGIN + until)
    quotes = tape.read_until(math.inf)
    assert (int(quotes[0].ts), round(quotes[-1].ts + 0.001, 3)) == (tape.start, tape.end)
    assert tape.opening_quotes() == []


def _at(seconds: float | None) -> float | None:
    return None if seconds is None else BEGIN + seconds


@pytest.mark.parametrize(
    ("begin", "end", "asked"),
    [
        (31.0, 60.0, "10:00:31Z to 2026-11-25T10:01:00Z"),
        (-60.0, -30.0, "09:59:00Z to 2026-11-25T09:59:30Z"),
        (700.0, None, "10:11:40Z to 2026-11-25T10:10:30Z"),
        (None, -1.0, "10:00:00Z to 2026-11-25T09:59:59Z"),
    ],
)
def test_a_span_of_an_archive_without_prices_is_refused(
    tmp_path: Path, begin: float | None, end: float | None, asked: str
) -> None:
    """The error says what the archive has."""
    path = write(
        tmp_path / "a.sqlite",
        minute_of("SPY", "stocks", BEGIN),
        minute_of("SPY", "stocks", BEGIN + 600),
    )
    with pytest.raises(TapeError) as caught:
        recordings.load(path, _at(begin), _at(end))
    assert str(caught.value) == (
        f"{path} has no prices from 2026-11-25T{asked},"
        " only from 2026-11-25T10:00:00Z to 2026-11-25T10:10:30Z; choose a span with prices"
    )


def test_what_was_before_a_span_is_there_to_begin_with(tmp_path: Path) -> None:
    """Bars of two hours, older prices of symbols that rest, minutes and events; nothing later."""
    path = write(
        tmp_path / "a.sqlite",
        minute_of("IBM", "stocks", BEGIN - 3 * 86400),
        minute_of("EURUSD", "forex", BEGIN - 7200),
        minute_of("SPY", "stocks", BEGIN - 60),
        minute_of("SPY", "stocks", BEGIN),
        minute_of("SPY", "stocks", BEGIN + 3600),
    )
    with closing(connect(path)) as connection:
        write_events(connection, [event_of(BEGIN - 30.0), event_of(BEGIN + 30.0)])
        cells = np.ones(4, MINUTE)
        cells["minute"], cells["row"] = [BEGIN // 60 + at for at in (-5000, -1, 0, 1)], 0
        write_minutes(connection, Minutes(("SPY",), ("stocks",), cells))
    tape = ArchivedTape.load(path, BEGIN, BEGIN + 60)
    minutes = tape.earlier_minutes()
    assert [minutes.symbols[row] for row in minutes.cells["row"]] == ["SPY", "SPY"]
    assert (minutes.cells["minute"] - BEGIN // 60).tolist() == [-5000, -1]
    past = tape.earlier_bars()
    assert [
        (past.symbols[row], second - BEGIN)
        for row, second in zip(past.cells["row"], past.cells["second"], strict=True)
    ] == [("EURUSD", -7200), ("EURUSD", -7170), ("SPY", -60), ("SPY", -30)]
    assert {tick.symbol: tick.ts - BEGIN for tick in tape.earlier_prices()} == {
        "IBM": -3 * 86400 + 30.5,
        "EURUSD": -7169.5,
        "SPY": -29.5,
    }
    assert [event.ts for event in tape.earlier_event_states(10, since=0.0)] == [BEGIN - 30.0]


def test_symbols_given_up_before_a_span_are_left_out(tmp_path: Path) -> None:
    """What rests over a long weekend is still watched; what never came again after it is not."""
    day = 86400
    path = write(
        tmp_path / "a.sqlite",
        minute_of("GONE", "stocks", BEGIN - 5 * day),
        minute_of("BACK", "stocks", BEGIN - 5 * day),
        minute_of("IBM", "stocks", BEGIN - 3 * day),
        minute_of("BTC-USD", "crypto", BEGIN),
        minute_of("BACK", "stocks", BEGIN + day),
    )
    tape = ArchivedTape.load(path, BEGIN, BEGIN + 60)
    assert tape.symbols == {"stocks": ("BACK", "IBM"), "forex": (), "crypto": ("BTC-USD",)}
    assert {tick.symbol for tick in tape.earlier_prices()} <= {"BACK", "IBM"}
    assert set(tape.earlier_bars().symbols) == {"BACK", "IBM", "BTC-USD"}


def test_an_archive_may_be_written_while_it_is_replayed(tmp_path: Path) -> None:
    """Bars of its span that come or go meanwhile do; what came after it, and who, is not in it."""
    path = tmp_path / "a.sqlite"
    with closing(connect(path)) as connection:
        write_bars(connection, minute_of("SPY", "stocks", BEGIN))
        write_bars(connection, minute_of("SPY", "stocks", BEGIN + 900))
        tape = ArchivedTape.load(path)
        assert len(tape.read_until(BEGIN + 60.0)) == 2
        write_bars(connection, minute_of("SPY", "stocks", BEGIN + 600))
        write_bars(connection, minute_of("NEW", "stocks", BEGIN + 601))
        write_bars(connection, minute_of("SPY", "stocks", BEGIN + 1800))
        assert [quote.ts - BEGIN for quote in tape.read_until(math.inf)] == [
            600.25,
            630.5,
            900.25,
            930.5,
        ]


def test_what_could_not_be_read_is_taken_later(tmp_path: Path) -> None:
    """A failure in the middle of an archive loses no quote."""
    path = write(tmp_path / "a.sqlite", minute_of("SPY", "stocks", BEGIN))
    tape = ArchivedTape.load(path)
    away = path.rename(tmp_path / "away.sqlite")
    with pytest.raises(ArchiveError, match="there is no archive at"):
        tape.read_until(BEGIN + 10.0)
    away.rename(path)
    assert [quote.ts - BEGIN for quote in tape.read_until(BEGIN + 31.0)] == [0.25, 30.5]


def test_an_archive_knows_its_next_quote_across_a_weekend(tmp_path: Path) -> None:
    """Also while that lies far beyond what was read; and that there is none at the end."""
    monday = BEGIN + 2 * 86400
    path = write(
        tmp_path / "a.sqlite",
        minute_of("SPY", "stocks", BEGIN),
        minute_of("SPY", "stocks", monday),
    )
    tape = ArchivedTape.load(path)
    found = []
    for now in (BEGIN, BEGIN + 1, BEGIN + 31, BEGIN + 3600, monday, monday + 1, monday + 31):
        tape.read_until(now)
        found.append(tape.next_at())
    far = monday + 0.25
    assert found == [BEGIN + 0.25, BEGIN + 30.5, far, far, far, monday + 30.5, None]


def test_a_file_is_replayed_as_what_it_is(tmp_path: Path) -> None:
    """Whatever its name: an archive by what it begins with, else a tape."""
    archive = write(tmp_path / "archive.csv", minute_of("SPY", "stocks", BEGIN))
    assert isinstance(recordings.load(archive), ArchivedTape)
    assert recordings.load(archive, BEGIN + 1, BEGIN + 60).start == BEGIN + 30
    tape = tape_file(tmp_path, HEADER, *DATED, name="tape.sqlite")
    assert isinstance(recordings.load(tape), Tape)
    assert recordings.load(tape, BEGIN + 1, BEGIN + 60).start == BEGIN + 10


def test_an_archive_says_whose_prices_it_holds(tmp_path: Path) -> None:
    """A vendor's keep the markets' hours; not every archive knows."""
    path = write(tmp_path / "a.sqlite", minute_of("SPY", "stocks", BEGIN))
    assert ArchivedTape.load(path).source == ""
    with closing(connect(path)) as connection:
        write_meta(connection, "source", "eodhd")
    assert ArchivedTape.load(path).source == "eodhd"


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    """No file, a folder, nothing recorded, another program's database, and a damaged one."""
    with pytest.raises(TapeError, match=r"gone cannot be read \(No such file or directory\), exp"):
        recordings.load(tmp_path / "gone")
    with pytest.raises(TapeError, match="is not a file, expected a tape or an archive; check"):
        recordings.load(tmp_path)
    with pytest.raises(TapeError, match="holds no prices yet; replay it when some were recorded"):
        recordings.load(write(tmp_path / "new.sqlite"))
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE bar(second INTEGER)")
    with pytest.raises(TapeError, match="is another program's database"):
        recordings.load(tmp_path / "other.sqlite")
    (tmp_path / "torn.sqlite").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    with pytest.raises(TapeError, match=r"torn\.sqlite: the file is damaged"):
        recordings.load(tmp_path / "torn.sqlite")
