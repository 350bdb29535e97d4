"""The status card: the source, its feeds, and what is wrong with either.

Pure functions of one ``Status`` and the instant of the newest second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.status import FeedState, FeedStatus, Role, SourceKind, SourceStatus, Status
from page.among import leads, place_words
from page.chips import FeedLine, feed_line, named_feeds
from page.notes import messages, passing
from page.standstill import standstill_sec
from page.troubles import listed
from page.words import Message, Words
from wording import duration_text

__all__ = ["StatusCard", "status_card"]

_HINT: Final = "The real market: start with MARKET_PULSE_SOURCE=live"


class StatusCard(msgspec.Struct, frozen=True, kw_only=True):
    """The source, its feeds, and what is wrong."""

    source: str
    text: str
    """What the prices are, in one line."""
    hint: str
    """How to see the real market, if this is not it; else empty."""
    kind: SourceKind
    is_live: bool
    """Whether a vendor's prices are coming in."""
    dated: bool
    """Whether the times are dates."""
    uptime: str
    searching: bool
    among: Words
    """What this process is among several; empty: it is alone."""
    feeds: list[FeedLine]
    messages: list[Message]
    passing: dict[str, int]
    """The troubles there are now that may pass by themselves, and after how many seconds they are
    told."""


def status_card(status: Status, live_now: float, now: float) -> StatusCard:
    """What the page shows of ``status``.

    ``live_now`` is the newest second, ``now`` the source's time, which goes on if that does not.
    """
    source, feeds = status.source, named_feeds(status)
    still_sec = standstill_sec(status, live_now, now)
    # Of its own feeds a process knows how they are.
    unheard_sec = 0 if status.relay is None or leads(status.relay) else still_sec
    return StatusCard(
        source=source.name,
        text=_source_text(source, feeds),
        hint=_HINT if source.kind == SourceKind.SIMULATED else "",
        kind=source.kind,
        is_live=source.kind == SourceKind.LIVE
        and not still_sec
        and any(feed.state == FeedState.LIVE for feed in feeds),
        dated=source.is_dated,
        uptime=duration_text(status.uptime),
        searching=status.is_searching_past,
        among=() if status.relay is None else place_words(status.relay),
        feeds=[_feed_line(feed, status.now, unheard_sec) for feed in feeds],
        messages=messages(status, feeds, live_now, now),
        passing=passing(status, feeds),
    )


def _feed_line(feed: FeedStatus, now: float, unheard_sec: int) -> FeedLine:
    """The chip of a feed; if no word of it has come for ``unheard_sec``, nobody knows how it is."""
    line = feed_line(feed, now)
    if not unheard_sec or feed.state in (FeedState.CLOSED, FeedState.OFF):
        return line
    title = f"{feed.state} when the collector was last heard, {duration_text(unheard_sec)} ago"
    return msgspec.structs.replace(line, state="silent", state_text="no word", pace="", title=title)


def _source_text(source: SourceStatus, feeds: Sequence[FeedStatus]) -> str:
    if source.kind == SourceKind.SIMULATED:
        return f"embedded exchange, seed {source.seed}"
    if source.kind == SourceKind.REPLAY:
        ended = ", at its end" if source.has_ended else ""
        return f"{source.file} at speed {source.speed:g}{ended}"
    vendors = dict.fromkeys(f.vendor for f in feeds if f.vendor and f.role != Role.ON_TRIAL)
    text, late = (
        f"prices of {listed(vendors)}" if vendors else "no vendor's feeds",
        source.later_sec,
    )
    return f"{text}, shown {late:g} s late because prices come late" if late else text
