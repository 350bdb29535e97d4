"""The notes on feeds: what there is to say of them that their chips have no room for.

Pure functions of ``FeedStatus``. What may pass by itself is named, so that the page tells it only
if it lasts. States are compared as text, never by identity: the worker may be older than the
modules that Streamlit has loaded since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.status import FeedState, FeedStatus, Refusal, Role, Trouble
from page.chips import BEHIND_SEC, feed_key, feed_name, way_text
from page.troubles import feed_advice, feed_help, feed_reason, listed, retry_text
from page.words import Message, warning

__all__ = ["DOWN", "PASSING_SEC", "feed_messages", "feed_passing", "feed_text"]

_PASSING: Final = (
    FeedState.HELD_BACK,
    FeedState.UNREADABLE,
    FeedState.SILENT,
    FeedState.MAINTENANCE,
    FeedState.RECONNECTING,
)
"""States of trouble that mostly pass within seconds."""

DOWN: Final = (FeedState.RECONNECTING, FeedState.REFUSED, FeedState.MAINTENANCE)
"""States in which no price can come."""

PASSING_SEC: Final = 10
"""How long they may last before they are told."""

_ASKING_SEC: Final = 20
"""The same of symbols that a vendor does not have: meanwhile the next vendor is asked for them."""


def feed_messages(
    feeds: Sequence[FeedStatus], now: float, *, is_successor: bool = False
) -> Iterator[Message]:
    """What there is to say ``now`` of feeds that the strip has no room for; what is alike is said
    once.

    While a market is closed nothing of it is missed. ``is_successor`` is whether who asks for these
    prices has just taken over from a collector that vendors may still count.
    """
    alike: dict[tuple[FeedState, Role, str], list[FeedStatus]] = {}
    for feed in feeds:
        if _is_told(feed):
            key = feed.state, feed.role, feed_text([feed], is_named=False)
            alike.setdefault(key, []).append(feed)
    for (state, *_), group in alike.items():
        if is_successor and _is_counted_twice(group[0]):
            yield _ghost(group, feeds, now)
            continue
        is_error = state == FeedState.REFUSED and bool(feed_advice(group))
        others = _stand_ins(group, feeds)
        meanwhile = f" Meanwhile the prices are those of {listed(others)}." if others else ""
        yield Message(
            # What others stand in for is missed by nobody.
            kind="note" if others else "error" if is_error else "warning",
            text=(f"{_names(group, feeds)}{feed_text(group)}{meanwhile}",),
            counts=_frames_counted(group),
            passing=tuple(
                map(feed_key, group)
                if state in _PASSING
                else map(_lacks, group)
                if all(map(_may_be_asked, group))
                else ()
            ),
        )
    for feed in feeds:
        if feed.skew is not None and abs(feed.skew) > BEHIND_SEC:
            # Without its decimals: it would be read out again whenever they change.
            yield warning(
                f"{_names([feed], feeds)}: the vendor's clock is about {abs(feed.skew):.0f} s"
                f" {way_text(feed.skew)} this computer's. To help: let a time server set this"
                " computer's clock."
            )


def feed_text(feeds: Sequence[FeedStatus], *, is_named: bool = True) -> str:
    """What a message says of feeds that are in the same trouble, after their names.

    With ``is_named`` it may name the classes and vendors of these; what it says is the same of all
    whose text without is the same.
    """
    advice, feed = feed_advice(feeds, is_named=is_named), feeds[0]
    if advice:
        return f": {advice}"
    reason, state = feed_reason(feed), feed.state
    if feed.trouble == Trouble.TAPE_ENDED:
        return f": {reason}."
    help_text = feed_help(feed)
    return f" {state}: {reason}{f'. {help_text}' if help_text else ''}"


def feed_passing(feeds: Sequence[FeedStatus]) -> dict[str, int]:
    """After how many seconds each trouble of a feed is told that may pass by itself."""
    return {
        **{feed_key(feed): PASSING_SEC for feed in feeds if _may_pass(feed)},
        **{_lacks(feed): _ASKING_SEC for feed in feeds if _may_be_asked(feed)},
    }


def _stand_ins(group: Sequence[FeedStatus], feeds: Sequence[FeedStatus]) -> list[str]:
    """The vendors that serve meanwhile what the feeds of a group would; none if any of it is down.

    Such as in an outage of the viewer's own network.
    """
    found = [
        [other for other in feeds if other.asset == feed.asset and other.serves] for feed in group
    ]
    others = [other for serving in found for other in serving]
    is_served = all(found) and all(other.state not in DOWN for other in others)
    is_passed_over = all(feed.role == Role.ON_TRIAL for feed in group)
    return [other.vendor for other in others] if is_served and is_passed_over else []


def _is_counted_twice(feed: FeedStatus) -> bool:
    """Whether a vendor refuses what it may grant once it has forgotten the last collector."""
    is_full = feed.trouble in (Trouble.CONNECTION_LIMIT, Trouble.THROTTLED)
    return is_full or Refusal.SYMBOL_LIMIT in feed.refused_symbols.values()


def _ghost(group: Sequence[FeedStatus], feeds: Sequence[FeedStatus], now: float) -> Message:
    """What is said of feeds that wait for the end of the last collector's connections."""
    next_try = retry_text(group[0], now)
    return Message(
        kind="warning",
        text=(
            f"{_names(group, feeds)}: {feed_reason(group[0])}. The last collector's connection may"
            " still count there, for two minutes at most. It is retried automatically.",
        ),
        counts=f"{next_try[:1].upper()}{next_try[1:]}." if next_try else "",
    )


def _is_told(feed: FeedStatus) -> bool:
    """Whether a feed's state takes a message."""
    if feed.state in _PASSING:
        return _may_pass(feed)
    if feed.state in (FeedState.REFUSED, FeedState.CLOSED):
        return bool(feed_reason(feed))
    return bool(feed_advice([feed]))


def _frames_counted(feeds: Sequence[FeedStatus]) -> str:
    unreadable = sum(feed.frames or 0 for feed in feeds)
    return f"Unreadable: {unreadable:,}." if unreadable else ""


def _may_pass(feed: FeedStatus) -> bool:
    """Whether there is a trouble that may pass within seconds, for which the page must not jump."""
    return feed.state in _PASSING and feed.hours.phase != "closed"


def _may_be_asked(feed: FeedStatus) -> bool:
    """Whether another vendor may have all that this one has not, and is not asked for it yet."""
    reasons = set(feed.refused_symbols.values())
    return bool(feed.behind) and reasons == {Refusal.UNKNOWN}


def _lacks(feed: FeedStatus) -> str:
    return f"symbols of {feed_key(feed)}"


def _names(some: Sequence[FeedStatus], feeds: Sequence[FeedStatus]) -> str:
    """Some of the feeds at the begin of a sentence."""
    if len(some) > 1 and len(some) == len(feeds):
        return "All feeds"
    names = listed([feed_name(feed, feeds) for feed in some])
    return f"{names[0].upper()}{names[1:]}"
