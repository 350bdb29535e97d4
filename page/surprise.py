"""Surprise: how unusual a symbol's minute is, and the move that is still remembered, in words.

Figures are a row of a frame, by the names of its columns; NaN is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from formulas import surprise_then
from ticks import MIN_SURPRISE
from wording import (
    EARLY_TEXT,
    MINUS,
    rarity_share_text,
    rarity_text,
    signed_text,
    signed_times_text,
    times_usual_text,
)

__all__ = [
    "ALIKE",
    "APART",
    "BLANK",
    "RARE",
    "Gauge",
    "Remembered",
    "gauge",
    "minute_words",
    "past_words",
    "peers",
    "remembered",
]

RARE: Final = 2.0
"""A minute of this surprise or more, one of twenty, is strong and says how rare it is."""

ALIKE: Final = 1.0
"""Within this of its peers a symbol moves like them."""

APART: Final = 2.0
"""Beyond this a symbol moves apart from its peers."""

GAUGE_END: Final = 4.0
"""A surprise of this size or more fills its half of the gauge."""


class Gauge(msgspec.Struct, frozen=True, array_like=True):
    """The cell of a surprise."""

    text: str
    """How many times as large as usual the minute's move is, and which way."""
    tone: int
    """As that of a signed cell."""
    filled: float
    """How far the gauge is filled by the minute, from −1 to 1."""
    mark: float | None
    """How far the remembered move reaches by now, likewise; None if nothing is remembered."""
    note: str
    """Beside the text, small: what else tells why the row is where it is; may be empty."""
    rest: str
    """The rest of the sentence that the text begins: for a pointer at rest and for a reader."""


BLANK: Final = Gauge("", 0, 0.0, None, "", "")
"""The cell of a closed market."""


class Remembered(NamedTuple):
    """The most unusual move of the last quarter of an hour, by what is left of it."""

    ts: float
    """Second at which it was most unusual."""
    surprise: float
    """What it was then."""


def remembered(figures: Mapping[str, Any], now: float) -> Remembered | None:
    """The move by which a symbol ranks at ``now`` if its newest minute does not say why.

    None if that minute is rare itself, or if nothing unusual is remembered.
    """
    if math.isnan(figures["heat_ts"]) or abs(figures["surprise"]) >= RARE:
        return None
    ts = float(figures["heat_ts"])
    surprise = surprise_then(float(figures["heat"]), ts, now)
    return Remembered(ts, surprise) if abs(surprise) >= MIN_SURPRISE else None


def gauge(figures: Mapping[str, Any], now: float, *, notes_early: bool = True) -> Gauge:
    """The cell of the surprise of a symbol at ``now``.

    Without ``notes_early`` only the sentence says that it is early: the whole card says so.
    """
    surprise, heat = figures["surprise"], figures["heat"]
    is_rare = abs(surprise) >= RARE
    past = remembered(figures, now)
    if past is not None:
        note = _ago_text(now - past.ts)
    elif figures["early"]:
        note = "early" if notes_early else ""
    else:
        note = rarity_share_text(surprise) if is_rare else ""
    text = signed_times_text(figures["z"])
    return Gauge(
        text=text,
        tone=_direction(text) * (2 if is_rare else 1),
        filled=0.0 if math.isnan(surprise) else _filled(surprise),
        mark=None if math.isnan(heat) else _filled(heat),
        note=note,
        rest=_rest(figures, past, now),
    )


def peers(figures: Mapping[str, Any]) -> tuple[str, int]:
    """The cell of the surprise beyond the peers', and its tone: none if it is like theirs."""
    value = figures["vs_peers"]
    text = signed_text(value, 1)
    size = abs(value)
    return text, _direction(text) * (2 if size >= APART else 1 if size >= ALIKE else 0)


def minute_words(figures: Mapping[str, Any]) -> list[str]:
    """Sentences on the newest minute of a symbol: how large, how rare, and beside its peers."""
    if math.isnan(figures["surprise"]):
        return []
    words = [f"The last minute is {times_usual_text(figures['z'])}{_rarity(figures)}."]
    beyond = figures["vs_peers"]
    if not math.isnan(beyond):
        others = figures["surprise"] - beyond
        words.append(f"{_beside(beyond, others)} (median of the others of its class).")
    return words


def past_words(past: Remembered, *, is_early: bool) -> str:
    """A sentence on the move that is still remembered, with a place for its instant."""
    return f"Most unusual lately: {_move(past, is_early=is_early)}, in the minute to {{}}."


def _filled(surprise: float) -> float:
    return round(max(-1.0, min(1.0, surprise / GAUGE_END)), 3)


def _direction(text: str) -> int:
    return {"+": 1, MINUS: -1}.get(text[:1], 0)


def _ago_text(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min ago" if minutes else "just now"


def _rest(figures: Mapping[str, Any], past: Remembered | None, now: float) -> str:
    is_known = not math.isnan(figures["surprise"])
    text = f" its usual minute{_rarity(figures)}" if is_known else ": not known"
    if past is not None:
        text += f"; {_ago_text(now - past.ts)} {_move(past, is_early=figures['early'])}"
    return text


def _rarity(figures: Mapping[str, Any]) -> str:
    if figures["early"]:
        return f" ({EARLY_TEXT})"
    return f", {rarity_text(figures['surprise'])}"


def _move(past: Remembered, *, is_early: bool) -> str:
    what = "a rise" if past.surprise > 0 else "a fall"
    return f"{what} beyond its usual" if is_early else f"{what} {rarity_text(past.surprise)}"


def _beside(beyond: float, others: float) -> str:
    if abs(beyond) < ALIKE:
        return "Its peers move alike"
    if abs(others) < ALIKE:
        return "Its peers do not move along"
    if others * (others + beyond) < 0:
        return "Its peers move the other way"
    return "Its peers move less" if abs(others + beyond) > abs(others) else "Its peers move more"
