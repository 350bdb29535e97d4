"""The notes below the strip: what there is to say of the source, its feeds and the archive.

Pure functions of one ``Status`` and the instant of the newest second. What may pass by itself is
named, so that the page tells it only if it lasts. States are compared as text, never by identity:
the worker may be older than the modules that Streamlit has loaded since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from engine.status import (
    ArchiveState,
    ArchiveStatus,
    ArchiveTrouble,
    BackfillStatus,
    FeedState,
    FeedStatus,
    Refusal,
    Role,
    SetAside,
    SourceStatus,
    Status,
    Trouble,
)
from page.chips import BEHIND_SEC, feed_key, feed_name, way_text
from page.tapes import due_text, left_out_text, sorted_text
from page.troubles import (
    archive_reason,
    backfill_reason,
    clock_text,
    fault_text,
    feed_advice,
    feed_help,
    feed_reason,
    lacking_text,
    listed,
)
from page.words import Instant, Words
from ticks import legible
from wording import duration_text

__all__ = ["Message", "feed_text", "messages", "passing"]

STANDSTILL_SEC: Final = 5
"""A pulse further behind the source's clock than this is said to stand still."""

SKIPPED_SEC: Final = 60
"""The least that was skipped of a replay and is told, and for how long it is."""

RECENT_SEC: Final = 3600
"""How long after an archive recovered the page says what is missing from it."""

_NO_PRICE: Final = "no price"
"""The name of the time in which a replay has none: of most such the page has no need to jump."""

_PASSING: Final = (
    FeedState.HELD_BACK,
    FeedState.UNREADABLE,
    FeedState.SILENT,
    FeedState.MAINTENANCE,
    FeedState.RECONNECTING,
)
"""States of trouble that mostly pass within seconds."""

_DOWN: Final = (FeedState.RECONNECTING, FeedState.REFUSED, FeedState.MAINTENANCE)
"""States in which no price can come."""

_PASSING_SEC: Final = 10
"""How long they may last before they are told."""

_ASKING_SEC: Final = 20
"""The same of symbols that a vendor does not have: meanwhile the next vendor is asked for them."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A line below the strip."""

    kind: Literal["note", "warning", "error"]
    text: Words
    counts: str = ""
    """Counts that never rest: for the eye alone, they would be read out without end."""
    passing: tuple[str, ...] = ()
    """The names of troubles that may pass by themselves: told only if one of them lasts."""
    is_over: bool = False
    """Whether what it tells is over, so that a viewer who has read it may close it."""


def messages(
    status: Status, feeds: Sequence[FeedStatus], live_now: float, now: float
) -> list[Message]:
    """Everything there is to say, of ``feeds`` with the names that they are shown by.

    ``live_now`` is the newest second, ``now`` the source's time, which goes on if that does not.
    """
    return [
        *_warnings(status, now - live_now),
        *_archive_messages(status.archive, live_now),
        *_feed_messages(feeds),
        *_backfill_messages(status.source.backfill, feeds),
    ]


def passing(status: Status, feeds: Sequence[FeedStatus]) -> dict[str, int]:
    """After how many seconds each trouble there is now is told that may pass by itself."""
    source = status.source
    return {
        **({_NO_PRICE: _PASSING_SEC} if source.next_price_at is not None else {}),
        **({"archive": _PASSING_SEC} if status.archive.state == ArchiveState.TROUBLE else {}),
        **{feed_key(feed): _PASSING_SEC for feed in feeds if _may_pass(feed)},
        **{_lacks(feed): _ASKING_SEC for feed in feeds if _may_be_asked(feed)},
        **{_past(one): _PASSING_SEC for one in source.backfill if one.trouble},
    }


def _warnings(status: Status, behind_sec: float) -> Iterator[Message]:
    clock, lost = clock_text(status.source.clock), status.source.lost
    for asset in status.source.lacking:
        yield Message(kind="note", text=(lacking_text(asset),))
    if clock:
        yield _warning(clock)
    if behind_sec > STANDSTILL_SEC + status.source.later_sec:
        yield _warning(f"The pulse stands still: what is shown is {duration_text(behind_sec)} old.")
    yield from _tape_messages(status.source, status.now)
    if lost:
        yield _loss(f"{lost} ticks of the tape were lost with a broken connection.")
    for fault in status.faults:
        yield _loss(fault_text(fault))


def _tape_messages(source: SourceStatus, now: float) -> Iterator[Message]:
    """What there is to say of a tape and of the times in which it has no price."""
    if source.tape is not None:
        file = legible(source.file or "")
        left_out, out_of_order = left_out_text(source.tape, file), sorted_text(source.tape, file)
        if left_out:
            yield _warning(left_out)
        if out_of_order:
            yield Message(kind="note", text=(out_of_order,))
    damaged = source.left_out
    if damaged.first is not None and damaged.last is not None:
        span = Instant(damaged.first), " to ", Instant(damaged.last)
        were = "1 second is" if damaged.seconds == 1 else f"{damaged.seconds:,} seconds are"
        yield _warning(f"The archive is damaged: {were} left out, from ", *span, ".")
    skipped = source.skipped
    is_long = skipped is not None and skipped.end - skipped.begin >= SKIPPED_SEC
    if skipped is not None and is_long and now - skipped.end < SKIPPED_SEC * (source.speed or 1.0):
        pause = Instant(skipped.begin), " to ", Instant(skipped.end)
        yield Message(kind="note", text=("Skipped from ", *pause, ": there was no price."))
    if source.next_price_at is not None:
        text = "There is no price until ", Instant(source.next_price_at), "."
        due = due_text(source, now)
        yield Message(kind="note", text=text, counts=due, passing=(_NO_PRICE,))


def _warning(*words: str | Instant) -> Message:
    return Message(kind="warning", text=words)


def _loss(*words: str | Instant) -> Message:
    return Message(kind="warning", text=words, is_over=True)


def _archive_messages(archive: ArchiveStatus, live_now: float) -> Iterator[Message]:
    for aside in archive.set_aside:
        yield _loss(*_aside_words(aside))
    if archive.state == ArchiveState.READING_ONLY:
        differs = archive.trouble == ArchiveTrouble.OTHER_WENT_ON
        restart = " Their prices differ: restart this one when that has ended." if differs else ""
        text = (
            f"Another Market Pulse records into {archive.file}: this one looks back at what is in"
            f" it, and records nothing itself.{restart}"
        )
        yield Message(kind="note", text=(text,))
    missing: Words = ()
    if archive.lost_from is not None and archive.lost_to is not None:
        span = Instant(archive.lost_from), " to ", Instant(archive.lost_to)
        missing = "What came from ", *span
    is_in_trouble = archive.state == ArchiveState.TROUBLE
    if missing and not is_in_trouble and live_now - (archive.lost_to or 0) < RECENT_SEC:
        # Who looks back at that time misses it.
        yield _loss(
            *missing, " is not in the archive: it could not be written, and found no room to wait."
        )
    if is_in_trouble:
        gone: Words = (" ", *missing, " found no room to wait and is lost.") if missing else ()
        text = (
            f"The archive is not written: {archive_reason(archive)}. It is retried automatically;"
            " the prices shown are not affected."
        )
        lost = f", {archive.lost:,} are lost" if archive.lost else ""
        yield Message(
            kind="warning",
            text=(text, *gone),
            counts=f"{archive.waiting:,} bars wait{lost}.",
            passing=("archive",),
        )


def _aside_words(aside: SetAside) -> Words:
    """What became of a damaged archive, and what it cost."""
    begin = f"The archive was damaged and is kept aside as {aside.name}; "
    left_out = aside.left_out
    if left_out is None:
        return (f"{begin}nothing of it could be read, and a new one is begun.",)
    sound: Words = (f"{begin}a new one goes on with all of it that is sound.",)
    if left_out.first is not None and left_out.last is not None:
        if left_out.first == left_out.last:
            sound = *sound, " One second is lost: ", Instant(left_out.first), "."
        else:
            span = Instant(left_out.first), " to ", Instant(left_out.last)
            sound = *sound, f" Up to {left_out.seconds:,} seconds from ", *span, " are lost."
    lost = [
        f"{count:,} {noun}{'' if count == 1 else 's'}"
        for count, noun in (
            (left_out.events, "event update"),
            (left_out.minutes, "usual minute"),
            (left_out.deliveries, "alert"),
            (left_out.others, "note"),
        )
        if count
    ]
    return (*sound, f" Also lost: {', '.join(lost)}.") if lost else sound


def _backfill_messages(
    backfills: Sequence[BackfillStatus], feeds: Sequence[FeedStatus]
) -> Iterator[Message]:
    """Which vendors cannot be asked for the past, unless their prices do not come either."""
    reached = {feed.vendor for feed in feeds if feed.state not in _DOWN}
    for backfill in backfills:
        reason = backfill_reason(backfill)
        if reason and backfill.vendor in reached and (backfill.failed or backfill.waiting):
            is_all = backfill.failed + backfill.waiting >= backfill.asked
            what = "What" if is_all else "Some of what"
            text = f"{what} was before the start cannot be had from {backfill.vendor}: {reason}."
            again = " It is retried automatically." if backfill.retry_at is not None else ""
            yield Message(
                kind="note",
                text=(f"{text}{again} The live prices are not affected.",),
                passing=(_past(backfill),),
            )


def _past(backfill: BackfillStatus) -> str:
    return f"past of {backfill.vendor}"


def _feed_messages(feeds: Sequence[FeedStatus]) -> Iterator[Message]:
    """What there is to say of feeds that the strip has no room for; what is alike is said once.

    While a market is closed nothing of it is missed.
    """
    alike: dict[tuple[FeedState, Role, str], list[FeedStatus]] = {}
    for feed in feeds:
        if _is_told(feed):
            key = feed.state, feed.role, feed_text([feed], is_named=False)
            alike.setdefault(key, []).append(feed)
    for (state, *_), group in alike.items():
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
            yield _warning(
                f"{_names([feed], feeds)}: the vendor's clock is about {abs(feed.skew):.0f} s"
                f" {way_text(feed.skew)} this computer's. To help: let a time server set this"
                " computer's clock."
            )


def _stand_ins(group: Sequence[FeedStatus], feeds: Sequence[FeedStatus]) -> list[str]:
    """The vendors that serve meanwhile what the feeds of a group would; none if any of it is down.

    Such as in an outage of the viewer's own network.
    """
    found = [
        [other for other in feeds if other.asset == feed.asset and other.serves] for feed in group
    ]
    others = [other for serving in found for other in serving]
    is_served = all(found) and all(other.state not in _DOWN for other in others)
    is_passed_over = all(feed.role == Role.ON_TRIAL for feed in group)
    return [other.vendor for other in others] if is_served and is_passed_over else []


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
