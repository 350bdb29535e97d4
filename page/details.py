"""The details: everything that the status knows, as tables of names and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.status import ArchiveStatus, FeedStatus, RelayStatus, SourceKind, Status
from page.among import relay_reason
from page.chips import feed_name, named_feeds, whole_reason
from page.hours import hours_from
from page.troubles import api_text, archive_reason, backfill_text, clock_text, held_text
from page.words import Instant
from wording import duration_text

__all__ = ["Table", "tables"]


class Table(msgspec.Struct, frozen=True):
    """Names and what is true of them."""

    name: str
    entries: list[tuple[str, str | Instant]]


def tables(status: Status) -> list[Table]:
    """One of what concerns all, of what this process is among several unless it is alone, of the
    archive, of the vendor of each symbol, and of each feed.
    """
    source, tape, feeds = status.source, status.source.tape, named_feeds(status)
    is_replay = source.kind == SourceKind.REPLAY
    return [
        _table(
            "everything",
            {
                "source": source.name,
                "seed": source.seed,
                "file": source.file,
                "speed": source.speed,
                "up for": duration_text(status.uptime),
                "ticks waiting": status.queued,
                "rows of the tape": None if tape is None else f"{tape.count:,}",
                "rows left out": None if tape is None else f"{tape.refused:,}",
                "rows out of order": None if tape is None else f"{tape.sorted:,}",
                "next price": _instant(source.next_price_at),
                "replay at its end": _yes_or_no(source.has_ended) if is_replay else None,
                "search of the past hour": "going on" if status.is_searching_past else "done",
                "ticks lost": source.lost,
                "crashes": _counts((fault.name, fault.count) for fault in status.faults),
                "API": api_text(status.api),
                "clock": clock_text(source.clock),
                "shown late by": f"{source.later_sec:g} s" if source.later_sec else None,
                **{f"past from {one.vendor}": backfill_text(one) for one in source.backfill},
            },
        ),
        *(() if status.relay is None else (_relay_table(status.relay),)),
        _archive_table(status.archive),
        *_vendor_tables(feeds),
        *(_feed_table(feed, feed_name(feed, feeds), status.now) for feed in feeds),
    ]


def _vendor_tables(feeds: Sequence[FeedStatus]) -> list[Table]:
    """Whose prices those of each symbol are; nothing if they are no vendor's."""
    found = {symbol: feed.vendor for feed in feeds if feed.vendor for symbol in feed.serves}
    return [_table("whose prices", found)] if found else []


def _relay_table(relay: RelayStatus) -> Table:
    ahead, hole = relay.ahead_sec, relay.hole_sec
    return _table(
        "one of several",
        {
            "role": relay.role,
            "this process": relay.host,
            "state": relay.state,
            "reason": relay_reason(relay),
            "collector": relay.collector,
            "collects since": _instant(relay.took_over_at),
            "hole before that": duration_text(hole) if hole else None,
            "newest second": _instant(relay.shown),
            "came": None if relay.silent_sec is None else f"{duration_text(relay.silent_sec)} ago",
            "stopped at": _instant(relay.stopped_at),
            "taken over by": relay.fenced_by,
            "seconds waiting": relay.waiting or None,
            "seconds lost": relay.lost or None,
            "collector's clock": _skew_text(None if ahead is None else -ahead),
            "not collected": ", ".join(relay.uncollected),
        },
    )


def _archive_table(archive: ArchiveStatus) -> Table:
    if archive.file is None:
        return _table("archive", {"state": archive.state})
    return _table(
        "archive",
        {
            "state": archive.state,
            "reason": archive_reason(archive),
            "file": archive.file,
            "goes back to": _instant(archive.oldest),
            "bars written": f"{archive.bars:,}",
            "events written": f"{archive.events:,}",
            "bars waiting": f"{archive.waiting:,}",
            "bars lost": f"{archive.lost:,}",
            "events lost": f"{archive.lost_events:,}",
            "alert records lost": f"{archive.lost_deliveries:,}",
            "lost from": _instant(archive.lost_from),
            "lost to": _instant(archive.lost_to),
            "set aside": ", ".join(aside.name for aside in archive.set_aside),
        },
    )


def _feed_table(feed: FeedStatus, name: str, now: float) -> Table:
    silent = sorted(set(feed.asked) - set(feed.heard))
    return _table(
        name,
        {
            "vendor": feed.vendor,
            "role": feed.role if feed.vendor else None,
            "instead of": ", ".join(feed.instead_of),
            "since": _instant(feed.since),
            "standing by": ", ".join(feed.behind),
            "state": feed.state,
            "reason": whole_reason(feed, now),
            "ticks": f"{feed.ticks:,}",
            "ticks per second": feed.ticks_per_sec,
            "last tick": duration_text(feed.last_tick_age),
            "reconnects": feed.reconnects,
            "missed trades": f"{feed.missed:,}" if feed.missed else None,
            "dropped": feed.dropped,
            "refused": _counts(feed.refused.items()),
            "held back": ", ".join(held_text(held, feed.asset) for held in feed.held),
            "halted": ", ".join(feed.halted),
            "symbols": ", ".join(feed.asked),
            "no price yet": ", ".join(silent),
            "market": feed.hours.phase,
            "until": _instant(feed.hours.until),
            "opens": _instant(feed.hours.opens),
            "trading hours": hours_from(feed.hours),
            "vendor's clock": _skew_text(feed.skew),
        },
    )


def _skew_text(skew: float | None) -> str | None:
    if skew is None:
        return None
    size = f"{abs(skew):.1f}"
    return "in step" if size == "0.0" else f"{size} s {'ahead' if skew < 0 else 'behind'}"


def _instant(seconds: float | None) -> Instant | None:
    return None if seconds is None else Instant(seconds)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _table(name: str, entries: Mapping[str, str | float | Instant | None]) -> Table:
    def text(value: str | float | Instant) -> str | Instant:
        if isinstance(value, Instant):
            return value
        return f"{value:.1f}" if isinstance(value, float) else str(value)

    return Table(name, [(k, text(v)) for k, v in entries.items() if v is not None and v != ""])


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts) or "none"
