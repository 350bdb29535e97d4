"""The words everyone shares: ticks, asset classes, horizons, prices as text and stress events.

Imported by every other module and importing none of them. Plain values only: nothing here
holds a lock, reads a clock or touches a socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

__all__ = [
    "ASSETS",
    "HORIZONS_SEC",
    "STALE_SEC",
    "WINDOW_SEC",
    "Asset",
    "Event",
    "EventKind",
    "MarketPulseError",
    "Regime",
    "Severity",
    "Tick",
    "price_text",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something unusual that one symbol did, in the numbers the detector compared.

    While it lasts the same event (same ``id``) is issued again with a higher ``count``, ``peak`` or
    ``severity``. ``ts`` stays the instant it was first seen and ``updated_ts`` is the latest one;
    everything else belongs to the instant of the peak. Returns and volatilities are fractions
    (0.01 is 1 %), times are seconds since the epoch.
    """

    id: str
    kind: EventKind
    symbol: str
    asset: str
    ts: float
    updated_ts: float
    horizon_sec: int
    peak: float
    """The move, signed, or the volatility, where it was furthest beyond its threshold so far."""
    threshold: float
    """What ``abs(peak)`` had to reach, after every rule that applied."""
    severity: Severity
    count: int
    """How many cooldowns it has lasted or come back in."""
    from_price: float | None
    from_ts: float | None
    to_price: float
    to_ts: float
    surprise: float | None
    """The move in units of the symbol's own volatility over the same horizon."""
    vs_peers: float | None
    regime: Regime
    history: bool = False
    """Found in backfilled ticks: listed with its own time, never notified."""

    @property
    def text(self) -> str:
        """What happened, in one sentence made of this event's own numbers."""
        if self.kind == "vol_spike":
            return (
                f"{self.symbol} volatility {self.peak * 100:.2f} % per 15 min, "
                f"unusual from {self.threshold * 100:.2f} % on"
            )
        minutes = self.horizon_sec // 60
        verb = "rose" if self.peak > 0 else "fell"
        parts = [f"{self.symbol} {verb} {abs(self.peak) * 100:.2f} % in {minutes} min"]
        if self.surprise is not None:
            parts.append(f"{abs(self.surprise):.1f}σ")
        if self.from_price is not None:
            before, after = (price_text(p, self.asset) for p in (self.from_price, self.to_price))
            parts.append(f"{before} → {after}")
        # Peers are compared over one minute, whatever the event's own horizon.
        if self.kind == "move_1m" and self.vs_peers is not None:
            peers = self.peak - self.vs_peers
            is_alone = peers * self.peak < self.peak**2 / 2
            parts.append(f"{'alone: peers' if is_alone else 'with its peers:'} {_signed(peers)}")
        return ", ".join(parts)


def price_text(price: float, asset: str) -> str:
    """A price with its instrument's decimals: 92,010.50, 153.21, 1.08675, 0.00001234.

    Steady in width for one instrument and never in scientific notation: stocks have cents, forex
    pairs five decimals (four from 20 and three from 100 on, as rupees and yen are quoted), crypto
    at least four significant digits. Blank where the price is not known (NaN).
    """
    if price != price:
        return ""
    size = abs(price)
    if asset == "forex":
        return f"{price:,.{5 if size < 20 else 4 if size < 100 else 3}f}"
    if size >= 10 or (asset == "stocks" and size >= 1):
        return f"{price:,.2f}"
    decimals = 4
    while 0 < size < 0.1 and decimals < 12:
        size *= 10
        decimals += 1
    return f"{price:.{decimals}f}"


def _signed(fraction: float) -> str:
    """A fraction as a percentage with its sign, and without one where it rounds to zero."""
    size = f"{abs(fraction) * 100:.2f}"
    sign = "" if float(size) == 0 else "+" if fraction > 0 else "−"
    return f"{sign}{size} %"
