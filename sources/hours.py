"""FeedHours: when each market is open, as the feeds that serve it know it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sessions
from feeds import Feed
from sessions import CorrectedHours, HoursFrom, MarketHours, Phase, Session
from ticks import ASSETS, Asset

__all__ = ["Calendar", "FeedHours", "calendar_hours"]

Calendar = Callable[[Asset, float], Session]

_PRESENT_SEC: Final = 7.0
"""An instant no longer ago than this counts as the present, of which the vendor's own word on its
hours is the newest: the second that is shown may have ended seconds ago, and another may be shown
meanwhile."""


class FeedHours:
    """When each market is open: by the calendar, and of the present by what the feeds know.

    Without a ``calendar`` the markets are always open. Any thread may ask.
    """

    def __init__(self, clock: Callable[[], float], calendar: Calendar | None) -> None:
        self._clock = clock
        self._calendar = calendar
        self.session: Calendar = calendar or _always
        """The calendar's session of an instant."""
        self._calendars = {asset: CorrectedHours(asset, self.session, 0.0) for asset in ASSETS}
        self.feeds: Mapping[Asset, Sequence[Feed]] = {}
        """Those that serve each asset class; replaced as a whole."""

    def streams_at(self, asset: Asset, now: float) -> bool:
        """Whether a market is not closed at ``now``; for the present the vendor's word counts."""
        if now >= self._clock() - _PRESENT_SEC or self._calendar is None:
            return self._leading(asset, now).session(now).phase != "closed"
        return self._calendar(asset, now).phase != "closed"

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase of a market at ``now``, and who says so."""
        if self._calendar is None:
            phase: Phase = "open" if self.streams_at(asset, now) else "closed"
            return MarketHours(asset, phase, None, None, None, HoursFrom.SOURCE)
        present = self._clock()
        if now >= present - _PRESENT_SEC:
            return self._leading(asset, present).hours(present)
        return calendar_hours(self._calendar, asset, now)

    def _leading(self, asset: Asset, now: float) -> Feed | CorrectedHours:
        """The feed whose word on its class's hours counts: the first with an open market, if any.

        Vendors that know better than the calendar do so from what they send, so an open market is
        the surer of two answers. The calendar, if no vendor serves the class.
        """
        feeds = self.feeds.get(asset, ())
        is_open = (feed for feed in feeds if feed.session(now).phase != "closed")
        return next(is_open, feeds[0] if feeds else self._calendars[asset])


def calendar_hours(calendar: Calendar, asset: Asset, now: float) -> MarketHours:
    """The phase of a market at ``now``, as a calendar says."""
    phase, since, until, opens, occasion = calendar(asset, now)
    return MarketHours(
        asset, phase, _finite(since), _finite(until), opens, HoursFrom.CALENDAR, occasion
    )


def _always(asset: Asset, now: float) -> Session:
    return sessions.ALWAYS


def _finite(value: float) -> float | None:
    """A time; None if it never comes."""
    return value if math.isfinite(value) else None
