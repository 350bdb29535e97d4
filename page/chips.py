"""The strip: one chip per feed, its connection as it is now.

Pure functions of ``FeedStatus`` and an instant. Instants are sent as they are: the viewer's zone is
the browser's to know. States are compared as text, never by identity: the worker may be older than
the modules that Streamlit has loaded since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from engine.status import FeedState, FeedStatus, Role, SourceKind, Status
from page.troubles import feed_reason, frames_text, listed, retry_text
from page.words import Instant, Words
from wording import NOT_KNOWN, duration_text

__all__ = [
    "BEHIND_SEC",
    "FeedLine",
    "feed_key",
    "feed_line",
    "feed_name",
    "named_feeds",
    "way_text",
    "whole_reason",
]

BEHIND_SEC: Final = 2.0
"""How far a vendor's clock may be behind this one before it is told."""
AHEAD_SEC: Final = 0.5
"""And how far ahead."""


class FeedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One feed in the strip: its connection as it is now."""

    key: str
    """Its vendor and asset class: no other feed has both."""
    asset: str
    vendor: str
    """Whose prices it brings; empty if they are no vendor's."""
    state: str
    """In one word, by which it is coloured."""
    state_text: str
    is_shut: bool
    """Whether its market is closed now."""
    pace: str
    """How prices come, or when the next try to connect is due."""
    role: Words
    """For whom it stands in, or that it is passed over itself, and since when."""
    title: str
    """Reason, symbols and newest tick."""


def named_feeds(status: Status) -> tuple[FeedStatus, ...]:
    """The feeds, with their vendors only if these are real: no other prices are any vendor's."""
    if status.source.kind == SourceKind.LIVE:
        return status.feeds
    return tuple(replace(feed, vendor="") for feed in status.feeds)


def feed_name(feed: FeedStatus, feeds: Sequence[FeedStatus]) -> str:
    """The asset class, and the vendor if others of ``feeds`` serve the class as well."""
    is_alone = sum(other.asset == feed.asset for other in feeds) == 1
    return feed.asset if is_alone else f"{feed.asset} of {feed.vendor}"


def feed_key(feed: FeedStatus) -> str:
    """Its vendor and asset class: no other feed has both."""
    return f"{feed.vendor} {feed.asset}"


def feed_line(feed: FeedStatus, now: float) -> FeedLine:
    """The chip of a feed at ``now``."""
    is_shut = feed.hours.phase == "closed"
    is_waiting = feed.attempt > 0
    has_ticked = feed.last_tick_age is not None
    age = f"{duration_text(feed.last_tick_age)} ago"
    rate = NOT_KNOWN if feed.ticks_per_sec is None else f"{feed.ticks_per_sec:.1f}/s"
    pace = (
        f"next {_wait_text(feed, now)}"
        if is_waiting
        else ""
        if not has_ticked
        else f"last price {age}"
        if is_shut
        else f"{rate} · {age}"
    )
    heard = f"{len(feed.heard)} of {len(feed.asked)} symbols heard"
    parts = [
        whole_reason(feed, now),
        f"{heard}, {f'last tick {age}' if has_ticked else 'no tick yet'}" if feed.asked else "",
        _skew_reason(feed.skew),
    ]
    return FeedLine(
        key=feed_key(feed),
        asset=feed.asset,
        vendor=feed.vendor,
        state=feed.state.partition(" ")[0],
        state_text="" if is_shut and feed.state == FeedState.CLOSED else feed.state,
        is_shut=is_shut,
        pace=pace,
        role=_role_words(feed),
        title="; ".join(filter(None, parts)),
    )


def whole_reason(feed: FeedStatus, now: float) -> str:
    """With the numbers that a message has not, as they would be read out every two seconds."""
    parts = [feed_reason(feed), frames_text(feed), retry_text(feed, now)]
    return "; ".join(filter(None, parts))


def way_text(skew: float) -> str:
    """Which way a vendor's clock differs from this computer's."""
    return "ahead of" if skew < 0 else "behind"


def _role_words(feed: FeedStatus) -> Words:
    if feed.role == Role.ON_TRIAL:
        text = "on trial" if feed.since is None else "passed over"
    elif feed.instead_of:
        text = f"instead of {listed(feed.instead_of)}"
    else:
        return ()
    return (text,) if feed.since is None else (f"{text} since ", Instant(feed.since))


def _wait_text(feed: FeedStatus, now: float) -> str:
    wait = 0 if feed.retry_at is None else math.ceil(feed.retry_at - now)
    return f"in {duration_text(wait)}" if wait > 0 else "now"


def _skew_reason(skew: float | None) -> str:
    """How the vendor's clock differs from this computer's, if that is worth telling.

    Prices are always a little late; one that comes before its time never should.
    """
    if skew is None or -AHEAD_SEC <= skew <= BEHIND_SEC:
        return ""
    return f"the vendor's clock is {abs(skew):.1f} s {way_text(skew)} this computer's"
