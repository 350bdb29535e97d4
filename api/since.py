"""Since: what a client missed, read from the archive, a piece at a time.

Whoever calls it does so on a thread where it may wait for a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.channels import (
    AFTER_ALL,
    OVERLAP_SEC,
    Seq,
    bars_message,
    event_message,
    seq_of,
    states_of,
)
from api.facts import Engine
from api.past import archive_of
from api.protocol import ErrorCode, Sendable, Wanted
from bars import Bars
from engine.status import ArchiveState
from events import Event
from history.archive import Archive, ArchiveError
from history.losses import Losses

__all__ = ["BLOCK_SEC", "BarsPiece", "EventsPiece", "bars_piece", "events_piece"]

BLOCK_SEC: Final = 900
"""So many seconds are read at once."""

_JOIN_SEC: Final = OVERLAP_SEC - 5
"""The newest seconds are read from the tape: the archive is written a little later."""
_MOST_ROWS: Final = 10_000
"""Of a message of bars, unless a single second has more."""
_MOST_STATES: Final = 1000
"""States of events that are read at once, unless a single second has more."""

_WRITES: Final = (ArchiveState.WRITING, ArchiveState.READING_ONLY)


@dataclass(frozen=True, slots=True)
class BarsPiece:
    """Messages of bars, and the second that they got to."""

    messages: tuple[Sendable, ...]
    got_to: int
    is_last: bool = True
    """Whether what follows is on the tape."""
    is_whole: bool = True
    """Whether all was there that there has to be."""


@dataclass(frozen=True, slots=True)
class EventsPiece:
    """Messages of events, and the seq that they got to."""

    messages: tuple[Sendable, ...]
    got_to: Seq
    is_last: bool = True
    """Whether what follows is on the tape."""
    is_whole: bool = True
    """Whether all was there that there has to be."""


def bars_piece(engine: Engine, wanted: Wanted, since: int, *, is_first: bool) -> BarsPiece:
    """What the archive has after a second.

    The first piece goes back a minute more, as late ticks may have changed what the client has. If
    it begins later than asked for, it says so.
    """
    archive = archive_of(engine)
    if archive is None:
        return BarsPiece((), since)
    limit = int(engine.reader.pulse().now) - _JOIN_SEC + 1
    begin, found, losses = since + 1, list[Sendable](), Losses()
    try:
        if is_first:
            span = archive.span()
            oldest = limit if span is None else span[0]
            if begin < oldest:
                begin = oldest
                found.append(wanted.reset(oldest))
            else:
                begin = max(oldest, begin - OVERLAP_SEC)
        end = min(begin + BLOCK_SEC, limit)
        if begin < end:
            bars = archive.bars(begin, end, wanted.symbols, losses)
            found += [bars_message(wanted, seq, piece) for seq, piece in _pieces(bars, end - 1)]
    except ArchiveError:
        found.append(_unreadable(wanted))
        return BarsPiece(tuple(found), since, is_whole=False)
    if losses.left_out:
        found.append(_damaged(wanted, begin, end))
    is_last = end >= limit
    is_whole = engine.status().archive.state in _WRITES
    return BarsPiece(tuple(found), max(since, end - 1), is_last, is_whole)


def events_piece(engine: Engine, wanted: Wanted, since: Seq, until: int) -> EventsPiece:
    """The states that the archive has after a seq and before the second ``until``."""
    archive = archive_of(engine)
    if archive is None:
        return EventsPiece((), since)
    found, losses = list[Sendable](), Losses()
    begin = since[0]
    try:
        known = _events_from(archive, until)
        if begin + 1 < known:
            found.append(wanted.reset(known))
        with closing(archive.event_updates(float(begin), float(until), losses)) as read:
            states, is_last = _next_of(read)
    except ArchiveError:
        return EventsPiece((_unreadable(wanted),), since, is_whole=False)
    missed = states_of(sorted(states, key=seq_of), since, wanted.symbols)
    found += [event_message(wanted, event) for event in missed]
    if losses.left_out:
        found.append(_damaged(wanted, begin, until))
    if not is_last:
        return EventsPiece(tuple(found), (_second(states[-1]), AFTER_ALL), is_last=False)
    is_whole = engine.status().archive.state in _WRITES
    return EventsPiece(tuple(found), (until - 1, AFTER_ALL), is_whole=is_whole)


def _next_of(states: Iterable[Event]) -> tuple[list[Event], bool]:
    """So many states as are read at once, and all of their last second; whether those are all."""
    found = list[Event]()
    for state in states:
        if len(found) >= _MOST_STATES and _second(state) > _second(found[-1]):
            return found, False
        found.append(state)
    return found, True


def _second(state: Event) -> int:
    """The second with which an event came into a state."""
    return seq_of(state)[0]


def _events_from(archive: Archive, until: int) -> int:
    """The first second of which the archive can know events."""
    spans = archive.span(), archive.event_span()
    return min((int(span[0]) for span in spans if span is not None), default=until)


def _pieces(bars: Bars, last: int) -> Iterator[tuple[int, Bars]]:
    """Bars in pieces that end with a second, and the second; the last of them is ``last``."""
    seconds, begin = bars.cells["second"], 0
    while len(bars) - begin > _MOST_ROWS:
        # Before the second that would not fit whole, or after it if it is alone.
        at = int(seconds[begin + _MOST_ROWS])
        end = int(np.searchsorted(seconds, at))
        if end <= begin:
            end = int(np.searchsorted(seconds, at, "right"))
        yield int(seconds[end - 1]), Bars(bars.symbols, bars.assets, bars.cells[begin:end])
        begin = end
    yield last, Bars(bars.symbols, bars.assets, bars.cells[begin:])


def _damaged(wanted: Wanted, begin: int, end: int) -> Sendable:
    return wanted.mistake(
        ErrorCode.DAMAGED,
        f"of the seconds {begin} to {end} something is damaged in the archive, and was left out",
    )


def _unreadable(wanted: Wanted) -> Sendable:
    return wanted.mistake(
        ErrorCode.UNAVAILABLE, "the archive cannot be read now: what was missed begins anew"
    )
