"""Status of the alerts: what is true of every destination at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from history.deliveries import Delivery, Mute

__all__ = ["AlertsStatus", "DestinationState", "DestinationStatus"]


class DestinationState(StrEnum):
    """Whether something can be told to a destination."""

    READY = "ready"
    RESTING = "resting"
    """Until ``until``: it asked for that, or it failed several times in a row."""
    REFUSED = "refused"
    """It refuses us, and is not tried until somebody asks for it."""
    OFF = "off"
    """It said that it is gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """What is true of one destination; times by the computer's clock."""

    name: str
    type: str
    state: DestinationState = DestinationState.READY
    until: float | None = None
    """When it is tried next, if it rests."""
    why: str = ""
    """The last error, as words and a status, without any address; empty: none since it worked."""
    waiting: int = 0
    sent: int = 0
    dead: int = 0
    dropped: int = 0
    last_success: float | None = None
    takes_simulated: bool = False
    """Whether it is told of simulated and replayed markets, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsStatus:
    """What is true of all destinations."""

    destinations: tuple[DestinationStatus, ...] = ()
    is_sending: bool = True
    """Whether this process sends; another that writes the archive does if not."""
    is_remembered: bool = True
    """Whether the archive keeps what waits; if not, an end of the process loses it."""
    is_simulated: bool = False
    """Whether the market is simulated or replayed, of which most destinations are told nothing."""
    mutes: tuple[Mute, ...] = ()
    dead: tuple[Delivery, ...] = ()
    """The newest dead deliveries of all destinations, the last first."""
