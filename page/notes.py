"""The notes below the strip: what there is to say of the source, its feeds and the archive.

Pure functions of one ``Status`` and the instant of the newest second. What may pass by itself is
named, so that the page tells it only if it lasts. States are compared as text, never by identity:
the worker may be older than the modules that Streamlit has loaded since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.status import (
    AlertsStatus,
    ApiState,
    ArchiveState,
    ArchiveStatus,
    ArchiveTrouble,
    BackfillStatus,
    DestinationState,
    FeedStatus,
    SetAside,
    SourceStatus,
    Status,
)
from history.deliveries import MuteOf
from page.among import CLOCK, has_just_taken_over, relay_messages, standing_messages
from page.feed_notes import DOWN, PASSING_SEC, feed_messages, feed_passing
from page.standstill import STANDSTILL_SEC
from page.tapes import due_text, left_out_text, sorted_text
from page.troubles import (
    api_text,
    archive_reason,
    backfill_reason,
    clock_text,
    fault_text,
    lacking_text,
    listed,
)
from page.words import Instant, Message, Words, warning
from ticks import legible
from wording import duration_text

__all__ = ["messages", "passing"]

SKIPPED_SEC: Final = 60
"""The least that was skipped of a replay and is told, and for how long it is."""

RECENT_SEC: Final = 3600
"""How long after an archive recovered the page says what is missing from it."""

_NO_PRICE: Final = "no price"
"""The name of the time in which a replay has none: of most such the page has no need to jump."""


def messages(
    status: Status, feeds: Sequence[FeedStatus], live_now: float, now: float
) -> list[Message]:
    """Everything there is to say, of ``feeds`` with the names that they are shown by.

    ``live_now`` is the newest second, ``now`` the source's time, which goes on if that does not.
    """
    return [
        *_warnings(status, now - live_now),
        *(() if status.relay is None else relay_messages(status.relay, status.now)),
        *_archive_messages(status.archive, live_now),
        *feed_messages(
            feeds, status.now, is_successor=has_just_taken_over(status.relay, status.now)
        ),
        *_alert_messages(status.alerts),
        *_backfill_messages(status.source.backfill, feeds),
    ]


def passing(status: Status, feeds: Sequence[FeedStatus]) -> dict[str, int]:
    """After how many seconds each trouble there is now is told that may pass by itself."""
    source = status.source
    return {
        **({_NO_PRICE: PASSING_SEC} if source.next_price_at is not None else {}),
        **({"archive": PASSING_SEC} if status.archive.state == ArchiveState.TROUBLE else {}),
        **({} if status.relay is None else {CLOCK: PASSING_SEC}),
        **feed_passing(feeds),
        **{_past(one): PASSING_SEC for one in source.backfill if one.trouble},
    }


def _warnings(status: Status, behind_sec: float) -> Iterator[Message]:
    clock, lost = clock_text(status.source.clock), status.source.lost
    for asset in status.source.lacking:
        yield Message(kind="note", text=(lacking_text(asset),))
    if clock:
        yield warning(clock)
    if status.api == ApiState.CLOSED:
        yield Message(kind="note", text=(f"The API is {api_text(status.api)}.",))
    standing = () if status.relay is None else tuple(standing_messages(status.relay))
    yield from standing
    if not standing and behind_sec > STANDSTILL_SEC + status.source.later_sec:
        yield warning(f"The pulse stands still: what is shown is {duration_text(behind_sec)} old.")
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
            yield warning(left_out)
        if out_of_order:
            yield Message(kind="note", text=(out_of_order,))
    damaged = source.left_out
    if damaged.first is not None and damaged.last is not None:
        span = Instant(damaged.first), " to ", Instant(damaged.last)
        were = "1 second is" if damaged.seconds == 1 else f"{damaged.seconds:,} seconds are"
        yield warning(f"The archive is damaged: {were} left out, from ", *span, ".")
    skipped = source.skipped
    is_long = skipped is not None and skipped.end - skipped.begin >= SKIPPED_SEC
    if skipped is not None and is_long and now - skipped.end < SKIPPED_SEC * (source.speed or 1.0):
        pause = Instant(skipped.begin), " to ", Instant(skipped.end)
        yield Message(kind="note", text=("Skipped from ", *pause, ": there was no price."))
    if source.next_price_at is not None:
        text = "There is no price until ", Instant(source.next_price_at), "."
        due = due_text(source, now)
        yield Message(kind="note", text=text, counts=due, passing=(_NO_PRICE,))


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
    reached = {feed.vendor for feed in feeds if feed.state not in DOWN}
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


def _alert_messages(alerts: AlertsStatus) -> Iterator[Message]:
    """Which destinations are told nothing any more, unless a viewer has muted them."""
    muted = {mute.name for mute in alerts.mutes if mute.of == MuteOf.DESTINATION}
    lost = [
        legible(one.name)
        for one in alerts.destinations
        if one.state in (DestinationState.REFUSED, DestinationState.OFF) and one.name not in muted
    ]
    if lost:
        yield warning(f"No alert reaches {listed(lost)} any more: Alerts, above, says why.")


def _past(backfill: BackfillStatus) -> str:
    return f"past of {backfill.vendor}"
