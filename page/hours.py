"""The hours of a market in words: what it does at the moment shown, and when that changes.

Pure functions of ``MarketHours``. Instants are sent as they are: the viewer's zone is the browser's
to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.status import SourceKind
from page.words import Instant, Words
from sessions import HoursFrom, MarketHours, Phase

__all__ = ["HoursLine", "hours_from", "hours_line"]

_CALENDARS: Final[Mapping[str, str]] = {
    "stocks": "the New York Stock Exchange's calendar",
    "forex": "the interbank market's calendar",
    "crypto": "always open",
}

_PHASES: Final[Mapping[Phase, str]] = {
    "pre": "PRE-MARKET",
    "open": "OPEN",
    "after": "AFTER HOURS",
    "closed": "CLOSED",
}

_TURNS: Final[Mapping[Phase, str]] = {
    "pre": "opens",
    "open": "closes",
    "after": "ends",
    "closed": "opens",
}
"""What comes at the end of each phase."""

_AS_THE_VENDOR_SAYS: Final = "as the vendor says"


class HoursLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed's line says of its market; its instants are shown with their zone."""

    asset: str
    phase: Phase
    name: str
    turn: Words = ()
    """When the phase ends, or why that is not said."""
    turns_at: float | None = None
    """The same for a countdown; None for none."""
    more: Words = ()
    """For the tooltip."""


def hours_from(hours: MarketHours) -> str:
    """Who says what a market's hours are."""
    if hours.by == HoursFrom.CALENDAR:
        return _CALENDARS[hours.asset]
    return "the vendor" if hours.by == HoursFrom.VENDOR else "none known"


def hours_line(hours: MarketHours, source: SourceKind, *, is_past: bool) -> HoursLine:
    """The hours of one class; ``is_past``: of a moment that is looked back at."""
    asset, phase, by = hours.asset, hours.phase, hours.by
    name = f"{'then ' if is_past else ''}{_PHASES[phase]}"
    if by == HoursFrom.SOURCE:
        if phase == "closed":
            ended = "nothing more was recorded"
            return HoursLine(asset=asset, phase=phase, name="ENDED", turn=(ended,))
        is_replay = source == SourceKind.REPLAY
        why = "recorded, knows no hours" if is_replay else "simulated, never closes"
        return HoursLine(asset=asset, phase=phase, name=name, turn=(why,))
    if by == HoursFrom.VENDOR and (phase != "closed" or hours.opens is None):
        return HoursLine(asset=asset, phase=phase, name=name, turn=(_AS_THE_VENDOR_SAYS,))
    if hours.until is None:
        always: Words = ("always",) if phase == "open" else ()
        return HoursLine(asset=asset, phase=phase, name=name, turn=always)
    turns_at = hours.until
    if phase in ("closed", "pre") and hours.opens is not None:
        turns_at = hours.opens
    return HoursLine(
        asset=asset,
        phase=phase,
        name=name,
        turn=(f"{_TURNS[phase]} ", Instant(turns_at), *_occasion(hours)),
        turns_at=turns_at,
        more=_more(hours),
    )


def _occasion(hours: MarketHours) -> Words:
    """Why a market closes early, or is closed on a weekday."""
    return (f", {hours.occasion}",) if hours.occasion and hours.phase != "pre" else ()


def _more(hours: MarketHours) -> Words:
    """What there is to say besides: the steps to regular trading, and who says so."""
    words: Words = ()
    if hours.opens is not None and hours.phase != "open":
        if hours.phase == "closed" and hours.until is not None and hours.until < hours.opens:
            words += "pre-market from ", Instant(hours.until), ", "
        words += "regular trading from ", Instant(hours.opens), ", "
    if hours.phase == "pre" and hours.occasion:
        words += (f"a half day ({hours.occasion}), ",)
    is_vendors = hours.by == HoursFrom.VENDOR
    return (*words, _AS_THE_VENDOR_SAYS if is_vendors else f"by {hours_from(hours)}")
