"""Find: what the command palette is told of a text, and what it offers to do.

Pure functions of what the watchlist found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.status import Found, FoundBy, Group, Room, WatchStatus
from page.watching import CLASSES, decided_text, example
from ticks import ASSETS, Asset, legible

__all__ = [
    "MOST_TEXT",
    "FindCard",
    "FoundLine",
    "GroupLine",
    "WatchCard",
    "find_card",
    "found_line",
    "watch_card",
]

MOST_TEXT: Final = 40
"""So many characters of what is looked for are sent back."""

_WHY: Final = {
    FoundBy.NAME: "",
    FoundBy.SPELLING: "spelled so here",
    FoundBy.BEGIN: "",
    FoundBy.PART: "",
    FoundBy.NEAR: "did you mean this?",
    FoundBy.FORM: "as typed: nobody here knows it yet",
}


class FoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that may have been meant."""

    symbol: str
    """As asks and the address name it."""
    asset: Asset
    kind: str
    """What it is, such as "a stock"."""
    vendor: str
    """Who serves it, or would; empty: the market has one source alone."""
    watched: bool
    room: bool
    """Whether it can be added."""
    by: FoundBy
    why: str
    """Why it is offered, in words; may be empty."""
    note: str
    """What stands against adding it, in one line; empty: nothing."""


class FindCard(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a text."""

    text: str
    """What was looked for: an answer to another text is late."""
    lines: list[FoundLine]
    """The likeliest first."""
    nothing: str
    """If there is none: what was found, what was expected, and what to do."""


class GroupLine(msgspec.Struct, frozen=True, kw_only=True):
    """A group to filter by."""

    name: str
    symbols: tuple[str, ...]
    """In its order; not all of them need be watched."""
    fixed: bool
    """Whether it is the settings', so that it cannot be changed here."""


class WatchCard(msgspec.Struct, frozen=True, kw_only=True):
    """What every viewer is told of the watchlist: its groups, its limits, what may be changed."""

    groups: list[GroupLine]
    rooms: list[str]
    """A line such as "30 of 30 at Alpaca (stocks)" for each vendor that has a limit."""
    fixed: str
    """Why nothing may be added or removed; empty: it may."""
    kept: bool
    """Whether changes survive a restart."""
    play: bool
    """Whether a stress can be played."""


def find_card(text: str, found: Sequence[Found], status: WatchStatus, where: str = "") -> FindCard:
    """What the palette is told of what was ``found`` of a ``text``; ``where`` as ``watch_card``."""
    return FindCard(
        text=text,
        lines=[found_line(one, status) for one in found],
        nothing="" if found else _nothing(text, status, where),
    )


def watch_card(status: WatchStatus, where: str = "") -> WatchCard:
    """What every viewer is told of the watchlist; ``where`` it is decided, if not here."""
    return WatchCard(
        groups=[_group(one) for one in status.groups],
        rooms=[_room(one) for one in status.rooms if one.limit is not None],
        fixed=_fixed(where) if status.is_fixed else "",
        kept=status.is_kept,
        play=status.can_play,
    )


def found_line(found: Found, status: WatchStatus) -> FoundLine:
    """One symbol that was found."""
    return FoundLine(
        symbol=found.symbol,
        asset=found.asset,
        kind=CLASSES[found.asset],
        vendor=found.vendor,
        watched=found.is_watched,
        room=found.has_room,
        by=found.why,
        why=_WHY[found.why],
        note="" if found.has_room else _no_room(found, status),
    )


def _fixed(where: str) -> str:
    if where:
        return f"{decided_text(where)}: nothing can be added or removed here."
    return "A tape is replayed whole: nothing can be added or removed."


def _no_room(found: Found, status: WatchStatus) -> str:
    full = [one for one in status.rooms if one.is_full and found.asset in one.assets]
    if not full:
        return f"{found.vendor} has no room for it: remove another symbol first."
    return f"{_room(full[0])}: remove one first."


def _room(room: Room) -> str:
    of = "" if room.limit is None else f" of {room.limit}"
    at = f" at {room.vendor}" if room.vendor else ""
    return f"{room.used}{of}{at} ({', '.join(room.assets)})"


def _group(group: Group) -> GroupLine:
    return GroupLine(name=group.name, symbols=group.symbols, fixed=group.is_fixed)


def _nothing(text: str, status: WatchStatus, where: str) -> str:
    shown = legible(text.strip(), 40)
    if status.is_fixed and where:
        return f"{shown} is not watched. {decided_text(where)}."
    if status.is_fixed:
        return f"{shown} is not on the tape that is replayed."
    likes = ", ".join(f"{CLASSES[asset]} such as {example(asset)}" for asset in ASSETS)
    return f"{shown} is no symbol that could be watched here, expected {likes}: check the spelling."
