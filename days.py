"""Days: what a day's change is measured against, and when the next day begins.

One rule for each asset class. Stocks: the previous close, from the begin of a day's session to the
next one's. Forex: the last price at or before 17:00 in New York, at which its days turn. Crypto:
the price of 24 hours ago, to five minutes. Time is an argument, in seconds since the epoch.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import sessions
from ticks import Asset

__all__ = ["STEP_SEC", "Day", "day", "day_of_reference"]

STEP_SEC: Final = 300
"""A crypto's change is measured against one price for so long; days begin at multiples of it."""

DAY_SEC: Final = 86_400

_FOREX_REACH_SEC: Final = 3600
"""A currency's last price before the turn of its day is no older than that."""

_STOCKS_REACH_SEC: Final = 17 * 3600
"""A previous close is stamped with any time of its day: some vendors give the begin of that."""


class Day(NamedTuple):
    """For how long a change is measured against the same price, and which that is."""

    since: float
    until: float
    """The end excluded."""
    at: float
    """The change is against the newest price at or before this instant, ..."""
    reach_sec: float
    """... if it is not older by more than this."""
    counts_from: float
    """A last price that is older than this is none of that day."""


def day(asset: Asset, now: float) -> Day | None:
    """The day that holds ``now``; None if the market never had two, as far as is known."""
    if asset == "crypto":
        since = now // STEP_SEC * STEP_SEC
        at = since - DAY_SEC
        return Day(since, since + STEP_SEC, at, STEP_SEC, at)
    if asset == "forex":
        return _forex_day(now)
    return _stocks_day(now)


def day_of_reference(asset: Asset, ts: float, now: float) -> Day | None:
    """The day whose change is measured against a price of ``ts``; None if that is none of now.

    Of crypto, that of five minutes 24 hours later, even if it is yet to come.
    """
    if asset == "crypto":
        return day("crypto", math.ceil(ts / STEP_SEC) * STEP_SEC + DAY_SEC)
    found = day(asset, now)
    if found is None or not found.at - found.reach_sec <= ts < found.since + STEP_SEC:
        return None
    return found


def _stocks_day(now: float) -> Day | None:
    """From the begin of the newest session to that of the next."""
    span, at = sessions.last_session("stocks", now), sessions.day_at("stocks", now)
    if span is None or at is None:
        return None
    until = sessions.session("stocks", span[1]).until
    return Day(span[0], until, at, _STOCKS_REACH_SEC, span[0])


def _forex_day(now: float) -> Day | None:
    """From 17:00 in New York to the next 17:00 at which the market is open."""
    span, since = sessions.last_session("forex", now), sessions.day_at("forex", now)
    if span is None or since is None:
        return None
    until = sessions.day_at("forex", since + 1.5 * DAY_SEC)
    if until is None or until <= since:
        until = sessions.session("forex", span[1]).until  # over a weekend or a holiday
    at = since
    if since == span[0]:
        before = sessions.last_session("forex", span[0] - 1)
        if before is None:
            return None
        at = before[1]
    return Day(since, until, at, _FOREX_REACH_SEC, since)
