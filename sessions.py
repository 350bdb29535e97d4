"""When a market is open: by its calendar, or by the vendor's newer word.

Asked by the gate, the feeds, the worker and the page, from any thread and many times a second. Time
is an argument, in seconds since the epoch (UTC). Stocks have the holidays and half days of the New
York Stock Exchange, from a calendar that is built when it is first needed; forex has those of the
interbank market, whose days last from 17:00 to 17:00 in New York.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from ticks import Asset

__all__ = [
    "ALWAYS",
    "BLOCK_SEC",
    "CorrectedHours",
    "HoursFrom",
    "MarketHours",
    "Phase",
    "Session",
    "day_at",
    "last_session",
    "session",
    "streams_at",
]

Phase = Literal["pre", "open", "after", "closed"]

_NEW_YORK = ZoneInfo("America/New_York")

# Stocks, by the clocks of New York. The regular hours are the exchange's, which on half days end
# at 13:00; what comes after them lasts as long then, as the exchanges' late sessions do.
_PRE_FROM: Final = time(4)
_AFTER_SEC: Final = 4 * 3600.0
# Beyond what the calendar covers.
_OPEN_FROM: Final = time(9, 30)
_OPEN_UNTIL: Final = time(16)

_HOLIDAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Dr. Martin Luther King Jr. Day": "Martin Luther King Jr. Day",
        "President's Day": "Presidents' Day",
        "Juneteenth National Independence Day": "Juneteenth",
        "July 4th": "Independence Day",
        "Thanksgiving": "Thanksgiving Day",
        "Christmas": "Christmas Day",
    }
)
_BEFORE_THE_FOURTH: Final = "day before Independence Day"
_HALF_DAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Mondays, Tuesdays, and Thursdays Before Independence Day": _BEFORE_THE_FOURTH,
        "Wednesdays Before Independence Day including and after 2013": _BEFORE_THE_FOURTH,
        "Fridays after Independence Day prior to 2013": "day after Independence Day",
        "Black Friday": "day after Thanksgiving",
    }
)
"""What we call a day that the calendar calls otherwise."""

_MOURNING: Final = "National Day of Mourning"
_ONCE: Final = "special closing"
"""Of a day whose reason the calendar does not tell: a storm, an attack, too much paper."""

# Forex, by the same clocks: the days follow each other without a pause, from Sunday to Friday.
_DAY_TURNS: Final = time(17)
_FOREX_HOLIDAYS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {(12, 25): "Christmas Day", (1, 1): "New Year's Day"}
)
"""By month and day: on these no bank deals anywhere; on others some do."""
_FRIDAY: Final = 4
_DAY_SEC: Final = 86_400.0

BLOCK_SEC: Final = 315_576_000
"""Ten years, counted from 1970: the hours of one such block are computed at a time."""

_MARGIN_SEC: Final = 40 * 86_400
"""More than any stretch lasts: those of a block are whole, even if they reach into another."""

_CALENDAR_BLOCKS: Final = range(22)
"""1970 to 2189. Before and after, stocks trade on every weekday: holidays are not known there."""

_DATED_BLOCKS: Final = range(-196, 800)
"""Years that have dates, 10 to 9960. Before and after, nothing is open."""


class Session(NamedTuple):
    """A stretch of time in which a market stays in one phase: half-open, [since, until)."""

    phase: Phase
    since: float
    until: float
    opens: float | None
    """When regular trading next opens; None while it is open, and if it never will."""
    occasion: str = ""
    """The weekday holidays that a closed stretch holds, or the half day that the others are of."""


class HoursFrom(StrEnum):
    """Who says what a market's hours are."""

    CALENDAR = "calendar"
    VENDOR = "vendor"
    """Its word is newer than the calendar."""
    SOURCE = "source"
    """A tape, or the embedded exchange: it knows no hours."""


@dataclass(frozen=True, slots=True)
class MarketHours:
    """The phase a market is in, until when, and who says so."""

    asset: Asset
    phase: Phase
    since: float | None
    """When the phase began; None: not known, or always."""
    until: float | None
    """When it ends; likewise."""
    opens: float | None
    """When regular trading next begins; None while it is open, and if that is not known."""
    by: HoursFrom
    occasion: str = ""
    """Of what holiday or half day these hours are; see ``Session``."""


ALWAYS: Final = Session("open", -math.inf, math.inf, None)
"""The session of a market that never closes."""

_NEVER: Final = Session("closed", -math.inf, math.inf, None)


class CorrectedHours:
    """One market's hours: its calendar's, corrected by the vendor if all that it says differs.

    What the vendor said holds for ``valid_sec``, and not across the calendar's own changes. One
    thread notes it; any thread may ask.
    """

    def __init__(
        self, asset: Asset, calendar: Callable[[Asset, float], Session], valid_sec: float
    ) -> None:
        self._asset = asset
        self._calendar = calendar
        self._valid_sec = valid_sec
        self.said: dict[str, float] = {}
        """When the vendor last said so, by what it said: ``open``, ``extended`` or ``closed``."""

    def by_calendar(self, now: float) -> Session:
        """The calendar's session of ``now``."""
        return self._calendar(self._asset, now)

    def session(self, now: float) -> Session:
        """The session of ``now``."""
        return self._judge(now)[0]

    def hours(self, now: float) -> MarketHours:
        """The same as a record, with who says so."""
        found, by = self._judge(now)
        return MarketHours(
            self._asset,
            found.phase,
            found.since if math.isfinite(found.since) else None,
            found.until if math.isfinite(found.until) else None,
            found.opens,
            by,
            found.occasion,
        )

    def streams_since(self, now: float) -> float:
        """When the market last began to stream, by the calendar."""
        begin, found = -math.inf, self.by_calendar(now)
        while found.phase != "closed" and found.since != begin:
            begin = found.since
            found = self.by_calendar(math.nextafter(begin, -math.inf))
        return begin

    def has_streamed(self, now: float, seconds: float) -> bool:
        """Whether the market streams, and did so ``seconds`` before."""
        then = self.by_calendar(now - seconds)
        return then.phase != "closed" and self.session(now).phase != "closed"

    def _judge(self, now: float) -> tuple[Session, HoursFrom]:
        found = self.by_calendar(now)
        is_closed = found.phase == "closed"
        newer = [
            (ts, said)
            for said, ts in list(self.said.items())
            if ts >= found.since and now - ts <= self._valid_sec
        ]
        # A single odd message closes no market: as long as anything agrees with the calendar.
        if not newer or any((said == "closed") is is_closed for _, said in newer):
            return found, HoursFrom.CALENDAR
        ts, said = max(newer)
        if said == "closed":
            return Session("closed", ts, found.until, found.opens), HoursFrom.VENDOR
        if said == "open":
            return Session("open", ts, found.until, None), HoursFrom.VENDOR
        # The nearer of the two that "extended" may mean.
        phase: Phase = "after" if now - found.since < found.until - now else "pre"
        return Session(phase, ts, found.until, found.opens), HoursFrom.VENDOR


class _Table(NamedTuple):
    """The sessions of a block in their order, and when each begins."""

    begins: tuple[float, ...]
    sessions: tuple[Session, ...]


# Guards the building: of several threads that need a table first, one makes it.
_building = threading.Lock()
_tables: dict[tuple[Asset, float], _Table] = {}


def session(asset: Asset, now: float) -> Session:
    """The session that ``now`` falls into.

    Stocks follow the New York Stock Exchange: its holidays and half days, from 04:00 ("pre") to
    20:00 or, on half days, 17:00 ("after"). Forex follows the interbank market: it is open from
    Sunday 17:00 to Friday 17:00 in New York, without the days that end on 25 December and 1 January
    at 17:00. Crypto is always open.
    """
    if asset == "crypto":
        return ALWAYS
    begins, sessions = _table(asset, now)
    return sessions[bisect_right(begins, now) - 1]


def streams_at(asset: Asset, now: float) -> bool:
    """Whether the vendor streams ``asset`` at ``now``: before, in and after regular hours."""
    return session(asset, now).phase != "closed"


def last_session(asset: Asset, now: float) -> tuple[float, float] | None:
    """Begin and end of the newest stretch of streaming that had begun by ``now``.

    A day of stocks from "pre" to "after", a week of forex or its part before or after a holiday;
    None for crypto, which has no end, and if there was none.
    """
    if asset == "crypto":
        return None
    begins, sessions = _table(asset, now)
    last = bisect_right(begins, now) - 1
    if sessions[last].phase == "closed":
        last -= 1
    if last < 0:
        return None
    first = last
    while sessions[first - 1].phase != "closed":
        first -= 1
    while sessions[last + 1].phase != "closed":
        last += 1
    return sessions[first].since, sessions[last].until


def day_at(asset: Asset, now: float) -> float | None:
    """When the price was made that the change of a day is measured against, or the last before it.

    Of crypto that is a day ago. Of forex it is the newest 17:00 in New York, and of stocks the end
    of the regular hours before those of the day; in a closed market both are those of its last day.
    None if there was none.
    """
    if asset == "crypto":
        return now - _DAY_SEC
    stretch = last_session(asset, now)
    if stretch is None or not math.isfinite(stretch[0]):
        return None
    begin, end = stretch
    if asset == "stocks":
        before = session(asset, math.nextafter(begin, -math.inf))
        while before.phase != "open":
            if not math.isfinite(before.since):
                return None
            before = session(asset, math.nextafter(before.since, -math.inf))
        return before.until
    newest = min(now, math.nextafter(end, -math.inf))
    turned = _at(_day(newest), _DAY_TURNS)
    return turned if turned <= newest else _at(_day(newest) - timedelta(1), _DAY_TURNS)


def _table(asset: Asset, now: float) -> _Table:
    block = now // BLOCK_SEC
    table = _tables.get((asset, block))
    return _build(asset, block) if table is None else table


def _build(asset: Asset, block: float) -> _Table:
    with _building:
        table = _tables.get((asset, block))
        if table is None:
            table = _tables[asset, block] = _Table(*_tabulated(asset, block))
        return table


def _tabulated(asset: Asset, block: float) -> tuple[tuple[float, ...], tuple[Session, ...]]:
    if block not in _DATED_BLOCKS:
        return (-math.inf,), (_NEVER,)
    first = _day(block * BLOCK_SEC - _MARGIN_SEC)
    last = _day((block + 1) * BLOCK_SEC + _MARGIN_SEC)
    holidays: Mapping[date, str]
    if asset == "forex":
        turns, holidays = list(_forex_phases(first, last)), _forex_holidays(first, last)
    elif block in _CALENDAR_BLOCKS:
        hours, holidays = _exchange_days(first, last)
        turns = list(_phases(hours))
    else:
        turns, holidays = list(_phases(_weekdays(first, last))), {}
    noons = [(_at(day, time(12)), name) for day, name in sorted(holidays.items())]
    sessions = [
        Session(
            phase,
            since,
            until,
            None,
            occasion if phase != "closed" else _between(noons, since, until),
        )
        for (since, phase, occasion), (until, _, _) in pairwise(turns)
    ]
    # From the end: a session opens when the next open one begins.
    opens: float | None = None
    for place in reversed(range(len(sessions))):
        one = sessions[place]
        if one.phase == "open":
            opens = one.since
        else:
            sessions[place] = one._replace(opens=opens)
    return tuple(one.since for one in sessions), tuple(sessions)


def _between(noons: list[tuple[float, str]], since: float, until: float) -> str:
    """The names of the days whose noons lie in a stretch."""
    first, last = bisect_right(noons, (since, "")), bisect_right(noons, (until, ""))
    return ", ".join(dict.fromkeys(name for _, name in noons[first:last]))


class _Hours(NamedTuple):
    """The regular hours of a day, and what it is called if it is a half day."""

    opens: float
    closes: float
    half_day: str = ""


_Turn = tuple[float, Phase, str]
"""When a phase begins, which, and of what half day."""


def _phases(hours: Iterable[_Hours]) -> Iterator[_Turn]:
    """When each phase of stocks begins."""
    for opens, closes, half_day in hours:
        yield _at(_day(opens), _PRE_FROM), "pre", half_day
        yield opens, "open", half_day
        yield closes, "after", half_day
        yield closes + _AFTER_SEC, "closed", ""


def _exchange_days(first: date, last: date) -> tuple[list[_Hours], Mapping[date, str]]:
    """The hours of every day on which the exchange trades, and the names of its holidays."""
    # Here, because it takes half a second and a simulated market never needs it.
    import exchange_calendars  # type: ignore[import-untyped]
    from exchange_calendars import us_holidays

    span = {"start": first.isoformat(), "end": last.isoformat()}
    calendar = exchange_calendars.get_calendar("XNYS", **span)
    holidays: dict[date, str] = {}
    for days, name in (
        (calendar.adhoc_holidays, _ONCE),
        (us_holidays.USNationalDaysofMourning, _MOURNING),
    ):
        holidays |= {day.date(): name for day in days if first <= day.date() <= last}
    holidays |= _named(calendar.regular_holidays, span, _HOLIDAYS)
    half_days = {day.date(): _ONCE for day in calendar.early_closes}
    for _, rules in calendar.special_closes:
        half_days |= _named(rules, span, _HALF_DAYS)
    nanos = zip(calendar.opens_nanos.tolist(), calendar.closes_nanos.tolist(), strict=True)
    hours = [
        _Hours(opens / 1e9, closes / 1e9, half_days.get(_day(opens / 1e9), ""))
        for opens, closes in nanos
    ]
    return hours, holidays


def _named(rules: Any, span: Mapping[str, str], names: Mapping[str, str]) -> Mapping[date, str]:
    """The weekdays that a calendar's rules give, by our names."""
    found = rules.holidays(**span, return_name=True)
    return {
        day.date(): names.get(name, name) for day, name in found.items() if day.weekday() <= _FRIDAY
    }


def _weekdays(first: date, last: date) -> Iterator[_Hours]:
    for day in _days(first, last):
        if day.weekday() <= _FRIDAY:
            yield _Hours(_at(day, _OPEN_FROM), _at(day, _OPEN_UNTIL))


def _forex_phases(first: date, last: date) -> Iterator[_Turn]:
    """When forex opens and closes: a day lasts from 17:00 of the one before to its own 17:00."""
    before = None
    for day in _days(first, last):
        if day.weekday() > _FRIDAY or (day.month, day.day) in _FOREX_HOLIDAYS:
            continue
        if before != day - timedelta(1):
            if before is not None:
                yield _at(before, _DAY_TURNS), "closed", ""
            yield _at(day - timedelta(1), _DAY_TURNS), "open", ""
        before = day


def _forex_holidays(first: date, last: date) -> Mapping[date, str]:
    return {
        day: _FOREX_HOLIDAYS[day.month, day.day]
        for day in _days(first, last)
        if day.weekday() <= _FRIDAY and (day.month, day.day) in _FOREX_HOLIDAYS
    }


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(number)


def _day(now: float) -> date:
    """The day in New York."""
    return datetime.fromtimestamp(now, UTC).astimezone(_NEW_YORK).date()


def _at(day: date, clock: time) -> float:
    """An instant by the clocks of New York; none of those asked for is skipped or doubled."""
    return datetime.combine(day, clock, _NEW_YORK).timestamp()
