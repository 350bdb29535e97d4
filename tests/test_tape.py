"""Recorded tapes and archives: their quotes, their span, and what is refused."""

from __future__ import annotations

import gzip
import math
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
from history.archive import ArchiveError
from history.writer import connect, write_bars, write_events, write_meta, write_minutes
from pulse_store import PulseStore
from sources import tape as recordings
from sources.quotes import Quote
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
        ((HEADER, "1760000000000000000,us,A,1,,,1"), "row 2 of the tape: ms is negative or after"),
        ((HEADER, "1e300,us,A,1,,,1"), "row 2 of the tape: ms is negative or after"),
        ((HEADER, "-5,us,A,1,,,1"), "row 2 of the tape: ms is negative or after"),
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

    def bars(self, begin: int, end: int, symbols: tuple[str, ...]) -> Bars:
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
    with pytest.raises(TapeError, match=r"cannot be read \(Is a directory\), expected a tape or"):
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
