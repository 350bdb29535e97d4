"""Sessions: which phase a market is in, by the calendar and the clocks of New York."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
import threading
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import exchange_calendars  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sessions
from sessions import ALWAYS, Session, day_at, last_session, session, streams_at
from ticks import ASSETS, Asset

HOUR = 3600.0
DAY = 86_400.0


def utc(text: str) -> float:
    """An instant, written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(now: float | None) -> str:
    assert now is not None
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M")


# A day, a week.

PHASES: list[tuple[str, str, str]] = [  # instant in UTC, stocks, forex
    # A Wednesday in winter, five hours behind UTC.
    ("2026-11-18 00:00", "after", "open"),
    ("2026-11-18 00:59:59.999", "after", "open"),
    ("2026-11-18 01:00", "closed", "open"),
    ("2026-11-18 05:00", "closed", "open"),  # midnight in New York
    ("2026-11-18 08:59:59.999", "closed", "open"),
    ("2026-11-18 09:00", "pre", "open"),
    ("2026-11-18 14:29:59.999", "pre", "open"),
    ("2026-11-18 14:30", "open", "open"),
    ("2026-11-18 20:59:59.999", "open", "open"),
    ("2026-11-18 21:00", "after", "open"),
    ("2026-11-19 00:59:59.999", "after", "open"),
    ("2026-11-19 01:00", "closed", "open"),
    # One in summer, four hours behind.
    ("2026-07-15 07:59:59.999", "closed", "open"),
    ("2026-07-15 08:00", "pre", "open"),
    ("2026-07-15 13:30", "open", "open"),
    ("2026-07-15 20:00", "after", "open"),
    ("2026-07-16 00:00", "closed", "open"),
    # A weekend.
    ("2026-11-20 21:59:59.999", "after", "open"),
    ("2026-11-20 22:00", "after", "closed"),
    ("2026-11-21 01:00", "closed", "closed"),
    ("2026-11-21 17:00", "closed", "closed"),
    ("2026-11-22 21:59:59.999", "closed", "closed"),
    ("2026-11-22 22:00", "closed", "open"),
    ("2026-11-23 09:00", "pre", "open"),
    # Thanksgiving, and the half day after it.
    ("2026-11-26 15:00", "closed", "open"),
    ("2026-11-26 09:00", "closed", "open"),
    ("2026-11-27 08:59:59.999", "closed", "open"),
    ("2026-11-27 09:00", "pre", "open"),
    ("2026-11-27 14:30", "open", "open"),
    ("2026-11-27 17:59:59.999", "open", "open"),
    ("2026-11-27 18:00", "after", "open"),
    ("2026-11-27 21:59:59.999", "after", "open"),
    ("2026-11-27 22:00", "closed", "closed"),
    # Christmas: half the day before, and a Friday, so that forex stays closed until Sunday.
    ("2026-12-24 18:00", "after", "open"),
    ("2026-12-24 21:59:59.999", "after", "open"),
    ("2026-12-24 22:00", "closed", "closed"),
    ("2026-12-25 15:00", "closed", "closed"),
    ("2026-12-25 22:00", "closed", "closed"),
    ("2026-12-27 22:00", "closed", "open"),
    # New Year's Day, a Friday as well; the days between are as any others.
    ("2026-12-31 21:59:59.999", "after", "open"),
    ("2026-12-31 22:00", "after", "closed"),
    ("2027-01-03 22:00", "closed", "open"),
    # In the middle of a week forex is closed for the one day.
    ("2024-12-24 22:00", "closed", "closed"),
    ("2024-12-25 21:59:59.999", "closed", "closed"),
    ("2024-12-25 22:00", "closed", "open"),
    ("2024-12-31 22:00", "after", "closed"),
    ("2025-01-01 22:00", "closed", "open"),
    # A Monday takes the Sunday evening with it; a Sunday takes nothing.
    ("2023-12-24 22:00", "closed", "closed"),
    ("2023-12-25 22:00", "closed", "open"),
    ("2022-12-25 21:59:59.999", "closed", "closed"),
    ("2022-12-25 22:00", "closed", "open"),
    ("2022-12-26 15:00", "closed", "open"),
    # No other holiday closes forex: Boxing Day, the day after New Year's Day.
    ("2024-12-26 12:00", "pre", "open"),
    ("2025-01-02 12:00", "pre", "open"),
    # Good Friday.
    ("2026-04-03 14:00", "closed", "open"),
    # The third of July stands in for the fourth, a Saturday.
    ("2026-07-03 15:00", "closed", "open"),
    # The clocks of New York go forward on a Sunday, three weeks before Europe's ...
    ("2026-03-06 09:00", "pre", "open"),
    ("2026-03-06 08:59", "closed", "open"),
    ("2026-03-06 21:59", "after", "open"),
    ("2026-03-06 22:00", "after", "closed"),
    ("2026-03-08 20:59", "closed", "closed"),
    ("2026-03-08 21:00", "closed", "open"),
    ("2026-03-09 08:00", "pre", "open"),
    ("2026-03-09 13:30", "open", "open"),
    ("2026-03-09 20:00", "after", "open"),
    ("2026-03-10 00:00", "closed", "open"),
    # ... and back on one, a week after Europe's.
    ("2026-10-30 20:59", "after", "open"),
    ("2026-10-30 21:00", "after", "closed"),
    ("2026-11-01 21:59", "closed", "closed"),
    ("2026-11-01 22:00", "closed", "open"),
    ("2026-11-02 08:00", "closed", "open"),
    ("2026-11-02 09:00", "pre", "open"),
    ("2026-11-02 14:30", "open", "open"),
    ("2026-11-02 21:00", "after", "open"),
    # Two September days without a market, and the day it came back.
    ("2001-09-11 14:00", "closed", "open"),
    ("2001-09-12 14:00", "closed", "open"),
    ("2001-09-17 14:00", "open", "open"),
    # A half day, and the weekend in which a tape without a date begins.
    ("1999-12-31 18:00", "after", "open"),
    ("2000-01-01 00:00", "closed", "closed"),
    ("2000-01-03 15:00", "open", "open"),
]


@pytest.mark.parametrize(("instant", "stocks", "forex"), PHASES)
def test_phase_of_an_instant(instant: str, stocks: str, forex: str) -> None:
    """To the millisecond: a phase begins with its first instant and ends before its last."""
    now = utc(instant)
    assert session("stocks", now).phase == stocks
    assert session("forex", now).phase == forex
    assert session("crypto", now) is ALWAYS
    assert streams_at("stocks", now) is (stocks != "closed")
    assert streams_at("forex", now) is (forex != "closed")
    assert streams_at("crypto", now)


OCCASIONS: list[tuple[Asset, str, str, str]] = [  # asset, instant, phase, occasion
    ("stocks", "2026-11-18 15:00", "open", ""),
    ("stocks", "2026-11-25 15:00", "open", ""),
    # From Wednesday evening on, as the market stays closed for it until Friday.
    ("stocks", "2026-11-26 01:00", "closed", "Thanksgiving Day"),
    ("stocks", "2026-11-26 15:00", "closed", "Thanksgiving Day"),
    ("stocks", "2026-11-27 10:00", "pre", "day after Thanksgiving"),
    ("stocks", "2026-11-27 15:00", "open", "day after Thanksgiving"),
    ("stocks", "2026-11-27 19:00", "after", "day after Thanksgiving"),
    ("stocks", "2026-11-28 15:00", "closed", ""),
    ("stocks", "2026-01-01 15:00", "closed", "New Year's Day"),
    ("stocks", "2026-01-19 15:00", "closed", "Martin Luther King Jr. Day"),
    ("stocks", "2026-02-16 15:00", "closed", "Presidents' Day"),
    ("stocks", "2026-04-03 15:00", "closed", "Good Friday"),
    ("stocks", "2026-05-25 15:00", "closed", "Memorial Day"),
    ("stocks", "2026-06-19 15:00", "closed", "Juneteenth"),
    ("stocks", "2026-07-03 15:00", "closed", "Independence Day"),
    ("stocks", "2025-07-03 15:00", "open", "day before Independence Day"),
    # The weekend before a Monday that is one.
    ("stocks", "2026-09-05 15:00", "closed", "Labor Day"),
    ("stocks", "2026-12-24 15:00", "open", "Christmas Eve"),
    ("stocks", "2026-12-25 15:00", "closed", "Christmas Day"),
    # A Saturday, which closes nothing.
    ("stocks", "2022-01-01 15:00", "closed", ""),
    # Days that no rule gives.
    ("stocks", "2025-01-09 15:00", "closed", "National Day of Mourning"),
    ("stocks", "2012-10-29 15:00", "closed", "special closing"),
    ("stocks", "2003-12-26 15:00", "open", "special closing"),
    # Forex, whose calendar is another.
    ("forex", "2026-11-26 15:00", "open", ""),
    ("forex", "2026-12-24 15:00", "open", ""),
    ("forex", "2026-12-25 15:00", "closed", "Christmas Day"),
    ("forex", "2026-12-26 15:00", "closed", "Christmas Day"),
    ("forex", "2025-01-01 15:00", "closed", "New Year's Day"),
    ("forex", "2026-11-21 15:00", "closed", ""),
    # A holiday at a weekend closes nothing.
    ("forex", "2022-12-25 15:00", "closed", ""),
]


@pytest.mark.parametrize(("asset", "instant", "phase", "occasion"), OCCASIONS)
def test_a_holiday_and_a_half_day_have_their_names(
    asset: Asset, instant: str, phase: str, occasion: str
) -> None:
    """A closed stretch has those of the weekdays it holds."""
    found = session(asset, utc(instant))
    assert (found.phase, found.occasion) == (phase, occasion)


def test_every_long_weekend_and_every_short_day_of_the_calendar_has_a_name() -> None:
    """Over fifty years, so that no rule of the calendar is without one."""
    now = utc("1980-01-07 12:00")
    while now < utc("2030-01-01 00:00"):
        found = session("stocks", now)
        hours = (found.until - found.since) / HOUR
        if found.phase == "open":
            assert bool(found.occasion) is (hours < 6.5), shown(now)
        elif found.phase == "closed":
            assert bool(found.occasion) is (hours > 60 or 12 < hours < 50), shown(now)
        assert not found.occasion.startswith(("Fridays", "Mondays", "Wednesdays", "Black"))
        now = found.until


def test_crypto_never_closes() -> None:
    """It has no beginning, no end and no opening."""
    assert Session("open", -math.inf, math.inf, None) == ALWAYS


SESSIONS: list[tuple[Asset, str, str, str, str, str | None]] = [  # asset, instant, the session
    ("stocks", "2026-11-18 10:00", "pre", "2026-11-18 09:00", "2026-11-18 14:30", "same"),
    ("stocks", "2026-11-18 15:00", "open", "2026-11-18 14:30", "2026-11-18 21:00", None),
    (
        "stocks",
        "2026-11-18 23:00",
        "after",
        "2026-11-18 21:00",
        "2026-11-19 01:00",
        "2026-11-19 14:30",
    ),
    (
        "stocks",
        "2026-11-19 05:00",
        "closed",
        "2026-11-19 01:00",
        "2026-11-19 09:00",
        "2026-11-19 14:30",
    ),
    # From a Friday evening over Labor Day to Tuesday.
    (
        "stocks",
        "2026-09-04 22:00",
        "after",
        "2026-09-04 20:00",
        "2026-09-05 00:00",
        "2026-09-08 13:30",
    ),
    (
        "stocks",
        "2026-09-07 15:00",
        "closed",
        "2026-09-05 00:00",
        "2026-09-08 08:00",
        "2026-09-08 13:30",
    ),
    # From a Wednesday over Thanksgiving, and from the half day over the weekend.
    (
        "stocks",
        "2026-11-26 12:00",
        "closed",
        "2026-11-26 01:00",
        "2026-11-27 09:00",
        "2026-11-27 14:30",
    ),
    (
        "stocks",
        "2026-11-27 23:00",
        "closed",
        "2026-11-27 22:00",
        "2026-11-30 09:00",
        "2026-11-30 14:30",
    ),
    # Weekends in which the clocks of New York change: 63 and 65 hours instead of 64.
    (
        "stocks",
        "2026-03-08 12:00",
        "closed",
        "2026-03-07 01:00",
        "2026-03-09 08:00",
        "2026-03-09 13:30",
    ),
    (
        "stocks",
        "2026-11-01 12:00",
        "closed",
        "2026-10-31 00:00",
        "2026-11-02 09:00",
        "2026-11-02 14:30",
    ),
    # Days on which Europe's clocks have changed and New York's have not, or the other way.
    ("stocks", "2026-03-20 14:00", "open", "2026-03-20 13:30", "2026-03-20 20:00", None),
    ("stocks", "2026-10-28 14:00", "open", "2026-10-28 13:30", "2026-10-28 20:00", None),
    ("forex", "2026-10-28 14:00", "open", "2026-10-25 21:00", "2026-10-30 21:00", None),
    ("forex", "2026-11-18 12:00", "open", "2026-11-15 22:00", "2026-11-20 22:00", None),
    (
        "forex",
        "2026-11-21 12:00",
        "closed",
        "2026-11-20 22:00",
        "2026-11-22 22:00",
        "2026-11-22 22:00",
    ),
    (
        "forex",
        "2026-03-07 12:00",
        "closed",
        "2026-03-06 22:00",
        "2026-03-08 21:00",
        "2026-03-08 21:00",
    ),
    (
        "forex",
        "2026-10-31 12:00",
        "closed",
        "2026-10-30 21:00",
        "2026-11-01 22:00",
        "2026-11-01 22:00",
    ),
]


@pytest.mark.parametrize(("asset", "instant", "phase", "since", "until", "opens"), SESSIONS)
def test_session_says_when_it_began_ends_and_opens(
    asset: Asset, instant: str, phase: str, since: str, until: str, opens: str | None
) -> None:
    """Regular trading opens where the next phase "open" begins, whatever lies between."""
    found = session(asset, utc(instant))
    assert (found.phase, shown(found.since), shown(found.until)) == (phase, since, until)
    if opens is None:
        assert found.opens is None
    else:
        assert shown(found.opens) == (until if opens == "same" else opens)


STRETCHES: list[tuple[Asset, str, str, str]] = [  # asset, instant, begin and end of the stretch
    ("stocks", "2026-11-18 09:00", "2026-11-18 09:00", "2026-11-19 01:00"),
    ("stocks", "2026-11-18 08:59", "2026-11-17 09:00", "2026-11-18 01:00"),
    ("stocks", "2026-11-18 15:00", "2026-11-18 09:00", "2026-11-19 01:00"),
    ("stocks", "2026-11-19 00:59", "2026-11-18 09:00", "2026-11-19 01:00"),
    ("stocks", "2026-11-26 15:00", "2026-11-25 09:00", "2026-11-26 01:00"),
    ("stocks", "2026-11-29 15:00", "2026-11-27 09:00", "2026-11-27 22:00"),
    ("stocks", "2026-09-07 15:00", "2026-09-04 08:00", "2026-09-05 00:00"),
    ("forex", "2026-11-18 12:00", "2026-11-15 22:00", "2026-11-20 22:00"),
    ("forex", "2026-11-21 12:00", "2026-11-15 22:00", "2026-11-20 22:00"),
    ("forex", "2026-11-22 22:00", "2026-11-22 22:00", "2026-11-27 22:00"),
    # The parts of a week with a holiday in it.
    ("forex", "2024-12-24 12:00", "2024-12-22 22:00", "2024-12-24 22:00"),
    ("forex", "2024-12-25 12:00", "2024-12-22 22:00", "2024-12-24 22:00"),
    ("forex", "2024-12-26 12:00", "2024-12-25 22:00", "2024-12-27 22:00"),
]


@pytest.mark.parametrize(("asset", "instant", "begin", "end"), STRETCHES)
def test_last_session_is_the_newest_stretch_that_had_begun(
    asset: Asset, instant: str, begin: str, end: str
) -> None:
    """The one that runs, or else the one before."""
    found = last_session(asset, utc(instant))
    assert found is not None
    assert (shown(found[0]), shown(found[1])) == (begin, end)


def test_crypto_has_no_last_session() -> None:
    """Nothing of it has ended."""
    assert last_session("crypto", utc("2026-11-18 12:00")) is None


# What a day's change is measured against.

DAYS: list[tuple[Asset, str, str]] = [  # instant and reference, in UTC
    ("stocks", "2026-11-18 15:00", "2026-11-17 21:00"),  # on a Wednesday
    ("stocks", "2026-11-18 23:00", "2026-11-17 21:00"),  # after hours
    ("stocks", "2026-11-19 03:00", "2026-11-17 21:00"),  # closed for the night
    ("stocks", "2026-11-19 09:00", "2026-11-18 21:00"),  # the next day begins
    ("stocks", "2026-11-22 12:00", "2026-11-19 21:00"),  # a Sunday
    ("stocks", "2026-11-23 14:00", "2026-11-20 21:00"),  # the Monday after it
    ("stocks", "2026-11-26 15:00", "2026-11-24 21:00"),  # Thanksgiving
    ("stocks", "2026-11-27 15:00", "2026-11-25 21:00"),  # the day after it, a half day
    ("stocks", "2026-11-30 15:00", "2026-11-27 18:00"),  # a half day's end
    ("forex", "2026-11-18 21:59:59", "2026-11-17 22:00"),
    ("forex", "2026-11-18 22:00", "2026-11-18 22:00"),
    ("forex", "2026-11-21 12:00", "2026-11-19 22:00"),  # a Saturday: its last day was Friday
    ("forex", "2026-11-22 23:00", "2026-11-22 22:00"),  # a Sunday evening
    ("forex", "2026-12-25 12:00", "2026-12-23 22:00"),  # Christmas
    ("forex", "2026-03-08 20:00", "2026-03-05 22:00"),  # clocks change in a closed market
    ("crypto", "2026-11-21 12:34", "2026-11-20 12:34"),
]


@pytest.mark.parametrize(("asset", "instant", "reference"), DAYS)
def test_change_of_a_day_is_measured_against(asset: Asset, instant: str, reference: str) -> None:
    """The previous close, the newest turn of the day, or a day ago; closed, as of the last day."""
    assert shown(day_at(asset, utc(instant))) == reference


@pytest.mark.parametrize("year", range(1998, 2032))
def test_year_has_its_trading_days(year: int) -> None:
    """Some 250, and 52 weeks of forex without two days."""
    noons = [utc(f"{year}-01-01 18:30") + DAY * day for day in range(365)]
    assert 248 <= sum(session("stocks", noon).phase != "closed" for noon in noons) <= 253
    assert 257 <= sum(session("forex", noon).phase != "closed" for noon in noons) <= 260


# Any instant.

instants = st.floats(utc("1970-01-05"), utc("2189-12-01"), allow_nan=False)


@given(instants)
@settings(max_examples=300, deadline=None)
def test_phases_tile_time(now: float) -> None:
    """No hole and no overlap, and one phase from the first instant of a session to its last."""
    for asset in ASSETS:
        found = session(asset, now)
        assert found.since <= now < found.until
        if asset == "crypto":
            continue
        last = math.nextafter(found.until, 0)
        for inside in (found.since, (found.since + found.until) / 2, last):
            assert session(asset, inside) == found
        after = session(asset, found.until)
        assert after.since == found.until
        assert after.phase != found.phase
        before = session(asset, math.nextafter(found.since, -math.inf))
        assert before.until == found.since
        if found.phase == "open":
            assert found.opens is None
        else:
            assert found.opens is not None
            assert found.until <= found.opens
            assert session(asset, found.opens)[:2] == ("open", found.opens)
        stretch = last_session(asset, now)
        assert stretch is not None
        begin, end = stretch
        assert begin <= now
        assert (now < end) is (found.phase != "closed")


@pytest.mark.parametrize("asset", ["stocks", "forex"])
def test_decades_meet_without_a_seam(asset: Asset) -> None:
    """Where one block of years ends and the next begins."""
    for block in range(1, 8):
        seam = float(block * sessions.BLOCK_SEC)
        begins = []
        now = seam - 20 * DAY
        while now < seam + 20 * DAY:
            found = session(asset, now)
            begins.append(found)
            now = found.until
        assert all(one.until == other.since for one, other in pairwise(begins))
        assert all(one.phase != other.phase for one, other in pairwise(begins))


@pytest.mark.parametrize(
    "now", [-1e300, -1e15, -6.1e10, -1.0, -0.0, 5.0, 7e9, 9e10, 2.5e11, 1e15, 1e300, math.inf]
)
def test_no_instant_is_too_early_or_too_late(now: float) -> None:
    """Far from any calendar there is still an answer."""
    for asset in ASSETS:
        found = session(asset, now)
        assert found.since <= now
        assert now < found.until or found.until == math.inf
        last_session(asset, now)
        day_at(asset, now)


def test_weekdays_are_trading_days_where_no_calendar_reaches() -> None:
    """In a year whose holidays nobody knows."""
    assert session("stocks", utc("2250-12-25 15:00")).phase == "open"  # a Wednesday
    assert session("stocks", utc("2250-12-28 15:00")).phase == "closed"


# First use.


def test_first_use_by_many_threads_builds_one_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """All wait for the same one, and get the same answer."""
    built: list[str] = []
    build = exchange_calendars.get_calendar

    def counted(name: str, **span: str) -> object:
        built.append(name)
        return build(name, **span)

    monkeypatch.setattr(exchange_calendars, "get_calendar", counted)
    # The module as it is in a new process.
    monkeypatch.delitem(sys.modules, "sessions")
    new = importlib.import_module("sessions")
    now = utc("2026-11-27 14:30")
    start = threading.Barrier(8)
    found: list[Session] = []

    def ask() -> None:
        start.wait()
        found.append(new.session("stocks", now))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len(found) == 8
    assert all(one is found[0] for one in found)
    assert found[0].phase == "open"


def test_calendar_is_not_loaded_before_it_is_needed() -> None:
    """A simulated market starts without it."""
    script = (
        "import sys, sessions\n"
        "sessions.session('crypto', 1.79e9), sessions.session('forex', 1.79e9)\n"
        "assert 'exchange_calendars' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(sessions.__file__).parent)
