"""Days: from when to when, and against the price of which instant, a day's change is measured."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from days import day, day_of_reference
from ticks import Asset

NEW_YORK = ZoneInfo("America/New_York")


def new_york(text: str) -> float:
    """An instant by the clocks of New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


@pytest.mark.parametrize(
    ("asset", "now", "since", "until", "at"),
    [
        # A weekday before, in and after the session: until four in the morning it is yesterday's.
        ("stocks", "2026-11-24 03:59", "2026-11-23 04:00", "2026-11-24 04:00", "2026-11-20 16:00"),
        ("stocks", "2026-11-24 04:00", "2026-11-24 04:00", "2026-11-25 04:00", "2026-11-23 16:00"),
        ("stocks", "2026-11-24 19:00", "2026-11-24 04:00", "2026-11-25 04:00", "2026-11-23 16:00"),
        # A Sunday shows Friday, which is a half day after Thanksgiving.
        ("stocks", "2026-11-29 12:00", "2026-11-27 04:00", "2026-11-30 04:00", "2026-11-25 16:00"),
        ("stocks", "2026-11-30 10:00", "2026-11-30 04:00", "2026-12-01 04:00", "2026-11-27 13:00"),
        ("forex", "2026-11-24 16:59", "2026-11-23 17:00", "2026-11-24 17:00", "2026-11-23 17:00"),
        ("forex", "2026-11-24 17:00", "2026-11-24 17:00", "2026-11-25 17:00", "2026-11-24 17:00"),
        # Over a weekend Friday's change stays, and Monday's is against Friday's last price.
        ("forex", "2026-11-28 12:00", "2026-11-26 17:00", "2026-11-29 17:00", "2026-11-26 17:00"),
        ("forex", "2026-11-29 18:00", "2026-11-29 17:00", "2026-11-30 17:00", "2026-11-27 17:00"),
        # Clocks are turned on the night to 1 November.
        ("forex", "2026-11-01 18:00", "2026-11-01 17:00", "2026-11-02 17:00", "2026-10-30 17:00"),
        ("crypto", "2026-11-24 12:03", "2026-11-24 12:00", "2026-11-24 12:05", "2026-11-23 12:00"),
        ("crypto", "2026-11-24 12:05", "2026-11-24 12:05", "2026-11-24 12:10", "2026-11-23 12:05"),
    ],
)
def test_days_of_each_market(asset: Asset, now: str, since: str, until: str, at: str) -> None:
    """The one rule of each class, over nights, weekends and holidays."""
    found = day(asset, new_york(now))
    assert found is not None
    assert (found.since, found.until, found.at) == (new_york(since), new_york(until), new_york(at))


@pytest.mark.parametrize(
    ("asset", "ts", "of"),
    [
        ("stocks", "2026-11-23 16:00", "2026-11-24 04:00"),
        ("stocks", "2026-11-23 00:00", "2026-11-24 04:00"),
        ("stocks", "2026-11-22 00:00", None),
        ("stocks", "2026-11-24 09:00", None),
        ("forex", "2026-11-23 16:59", "2026-11-23 17:00"),
        ("forex", "2026-11-23 15:00", None),
        ("forex", "2026-11-24 09:00", None),
        ("crypto", "2026-11-23 12:00", "2026-11-24 12:00"),
        ("crypto", "2026-11-23 12:01", "2026-11-24 12:05"),
        ("crypto", "2026-11-24 11:59", "2026-11-25 12:00"),
    ],
)
def test_the_day_that_a_price_is_the_reference_of(asset: Asset, ts: str, of: str | None) -> None:
    """One of another day is none of now; a crypto's serves in its turn."""
    found = day_of_reference(asset, new_york(ts), new_york("2026-11-24 12:00"))
    assert (None if found is None else found.since) == (None if of is None else new_york(of))
