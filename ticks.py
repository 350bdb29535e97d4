"""The words everyone shares: ticks, asset classes and horizons.

It imports none of the other modules. Plain values only: nothing here
holds a lock, reads a clock or touches a socket.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = [
    "ASSETS",
    "HORIZONS_SEC",
    "STALE_SEC",
    "WINDOW_SEC",
    "Asset",
    "EventKind",
    "MarketPulseError",
    "Regime",
    "Severity",
    "Tick",
]

Asset = Literal["stocks", "forex", "crypto"]
Regime = Literal["unknown", "normal", "high_vol"]
Severity = Literal["watch", "alert", "extreme"]
EventKind = Literal["move_1m", "move_5m", "vol_spike"]

ASSETS: Final[tuple[Asset, ...]] = ("stocks", "forex", "crypto")

HORIZONS_SEC: Final[dict[str, int]] = {"1m": 60, "5m": 300, "15m": 900}
"""How far a metric looks back, in seconds."""

WINDOW_SEC: Final = 3600
"""How much history is stored, in seconds."""

STALE_SEC: Final = 30
"""A symbol whose newest tick is older than this many seconds is stale: it looks it, leads no list
and raises no event."""


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
