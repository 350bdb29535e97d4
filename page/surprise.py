"""Surprise: how unusual a symbol's minute is, and the move that is still remembered, in words.

Figures are a row of a frame, by the names of its columns; NaN is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from formulas import surprise_then
from page.tones import tone
from ticks import MIN_SURPRISE
from wording import (
    EARLY_TEXT,
    NOT_KNOWN,
    rarity_share_text,
    rarity_text,
    signed_text,
    signed_times_text,
)

__all__ = [
    "ALIKE",
    "BLANK",
    "COLD",
    "RARE",
    "Gauge",
    "Heat",
    "Remembered",
    "gauge",
    "heat",
    "past_words",
    "peer_words",
    "peers",
    "remembered",
]

RARE: Final = 2.0
"""A minute of this surprise or more, one of twenty, is strong and says how rare it is."""

ALIKE: Final = 1.0
"""Within this of its peers a symbol moves like them."""

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
    note: str
    """Beside the text, small: how rare it is; may be empty."""
    rest: str
    """The rest of the sentence that the text begins: for a pointer at rest and for a reader."""


BLANK: Final = Gauge("", 0, 0.0, "", "")
"""The cell of a closed market."""


class Heat(msgspec.Struct, frozen=True, array_like=True):
    """The cell of the heat: the move that a row ranks by."""

    text: str
    """How unusual it was, in standard deviations: "−8.1σ"."""
    tone: int
    """As that of a signed cell, by what is left of it."""
    note: str
    """When it was: "now", or "2 min ago"; empty if there is none."""
    rest: str
    """Both in words, if it was beyond its usual: for a pointer at rest and for a reader."""


COLD: Final = Heat("", 0, "", "")
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


def heat(figures: Mapping[str, Any], now: float) -> Heat:
    """The cell of the heat of a symbol at ``now``."""
    left, ts = figures["heat"], figures["heat_ts"]
    if math.isnan(ts):
        return Heat(signed_text(left, 1, "σ"), 0, "", "")
    past = Remembered(ts, surprise_then(float(left), ts, now))
    note, rest = _ago_text(now - ts), ""
    if abs(past.surprise) >= RARE:
        rest = f"{note}: {_move(past, is_early=figures['early'])}"
    return Heat(signed_text(past.surprise, 1, "σ"), tone(left), note, rest)


def gauge(figures: Mapping[str, Any], *, notes_early: bool = True) -> Gauge:
    """The cell of the surprise of a symbol.

    Without ``notes_early`` it does not say that it is early: the whole card says so.
    """
    surprise = figures["surprise"]
    is_rare = abs(surprise) >= RARE
    if math.isnan(surprise):
        return Gauge(NOT_KNOWN, 0, 0.0, "", ": not known")
    if figures["early"]:
        note, rarity = ("early", f" ({EARLY_TEXT})") if notes_early else ("", "")
    else:
        note, rarity = (rarity_share_text(surprise), _rarity(figures)) if is_rare else ("", "")
    return Gauge(
        text=signed_times_text(figures["z"]),
        tone=tone(surprise),
        filled=_filled(surprise),
        note=note,
        rest=f" its usual minute{rarity}",
    )


def peers(figures: Mapping[str, Any]) -> tuple[str, int]:
    """The cell of the surprise beyond the peers', and its tone: none if it is like theirs."""
    value = figures["vs_peers"]
    return signed_text(value, 1), tone(value)


def peer_words(figures: Mapping[str, Any]) -> str:
    """How the others of its class move beside a symbol; both surprises are known."""
    beyond = figures["vs_peers"]
    return _beside(beyond, figures["surprise"] - beyond)


def past_words(past: Remembered, *, is_early: bool) -> str:
    """A sentence on the move that is still remembered, with a place for its instant."""
    return f"Most unusual lately: {_move(past, is_early=is_early)}, in the minute to {{}}."


def _filled(surprise: float) -> float:
    return round(max(-1.0, min(1.0, surprise / GAUGE_END)), 2)


def _ago_text(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min ago" if minutes else "now"


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
