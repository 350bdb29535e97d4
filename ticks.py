"""The words everyone shares: ticks, asset classes and horizons.

It imports none of the other modules. Plain values only: nothing here
holds a lock, reads a clock or touches a socket.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, get_args

__all__ = [
    "ASSETS",
    "BUILT_IN_KINDS",
    "COOLDOWN_SEC",
    "HORIZONS_SEC",
    "LEAST_PRICE",
    "MAX_EVENTS",
    "MIN_SURPRISE",
    "MOST_GROUPS",
    "MOST_PRICE",
    "SEVERITIES",
    "STALE_SEC",
    "VENDORS",
    "WINDOW_SEC",
    "Asset",
    "EventKind",
    "MarketPulseError",
    "ProcessRole",
    "Regime",
    "Severity",
    "Tick",
    "VendorName",
    "is_group_name",
    "is_legible",
    "legible",
]

Asset = Literal["stocks", "forex", "crypto"]
Regime = Literal["unknown", "normal", "high_vol"]
Severity = Literal["watch", "alert", "extreme"]
EventKind = Literal["move_1m", "move_5m", "vol_spike", "rule"]
"""What an event is of: one of the built-in rules, or a rule of the user's."""
ProcessRole = Literal["alone", "auto", "collector", "replica"]
"""What a process is among several that show the same pulse: on its own; one of equals, of which one
collects; the one that collects; or one that never does."""
VendorName = Literal["eodhd", "coinbase", "kraken", "binance", "alpaca", "finnhub"]

ASSETS: Final[tuple[Asset, ...]] = ("stocks", "forex", "crypto")
BUILT_IN_KINDS: Final[tuple[EventKind, ...]] = ("move_1m", "move_5m", "vol_spike")
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""From the least severe to the most."""

VENDORS: Final[tuple[VendorName, ...]] = get_args(VendorName)

HORIZONS_SEC: Final[dict[str, int]] = {"1m": 60, "5m": 300, "15m": 900}
"""How far a metric looks back, in seconds."""

WINDOW_SEC: Final = 3600
"""How much history is stored, in seconds."""

STALE_SEC: Final = 30
"""A symbol whose newest tick is older than this many seconds is stale: it looks it, leads no list
and raises no event."""

LEAST_PRICE: Final = 1e-12
MOST_PRICE: Final = 1e12
"""Nothing is traded for less or more; within these no figure overflows."""

MOST_GROUPS: Final = 64
"""So many named lists of symbols there may be, those of the settings and of viewers together."""

_GROUP_NAME: Final = re.compile(r"[^\W_](?:[\w &+.\-]{0,30}[^\W_])?")

# Defaults that settings and events share, which do not know each other.

MIN_SURPRISE: Final = 2.5
"""The least surprise of an unusual move: as rare among the symbol's own as a normal variable is
beyond so many of its standard deviations, which is one of 80."""

COOLDOWN_SEC: Final = 30.0
"""How soon after an event the same symbol's next one counts as the same, in seconds."""

MAX_EVENTS: Final = 500
"""How many of the newest events are remembered."""


_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Characters that count as printable and leave no mark of their own."""


class MarketPulseError(Exception):
    """The root of the errors raised here: SettingsError, TapeError, ArchiveError, ExportError."""


class Tick(NamedTuple):
    """One price of one symbol at one instant.

    ``ts`` is event time, the vendor's own stamp, in seconds since the epoch (UTC); ``price`` is a
    trade's price or a quote's mid.
    """

    symbol: str
    asset: str
    ts: float
    price: float


def is_group_name(name: str) -> bool:
    """Whether a named list of symbols may have this name.

    Up to 32 letters and digits, with blanks and a few marks between them.
    """
    return _GROUP_NAME.fullmatch(name) is not None


def is_legible(text: str) -> bool:
    """Whether each character is a blank or leaves a mark, and none turns others' direction."""
    return text.isprintable() and _BLANK.search(text) is None


def legible(text: str, most: int = 80) -> str:
    """Text from outside as it may be shown: cut after ``most`` characters, with an ellipsis then.

    A character that leaves no mark or turns the direction of others is shown as its code, such as
    ``U+202E``: else a name could look like another one.
    """
    shown = text[:most]
    if not is_legible(shown):
        shown = "".join(mark if is_legible(mark) else f"U+{ord(mark):04X}" for mark in shown)
    return shown if len(text) <= most else f"{shown}…"
