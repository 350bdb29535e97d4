"""RelayStatus: what is true of a process among several that show the same pulse, as records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ticks import ProcessRole

__all__ = ["RelayState", "RelayStatus", "RelayTrouble"]


class RelayState(StrEnum):
    """What a process does among several."""

    CONNECTING = "connecting"
    """It has not spoken with the broker yet."""
    LOADING = "loading"
    """It reads what the broker holds."""
    LEADING = "leading"
    """It collects, and publishes every second if the broker takes it."""
    FOLLOWING = "following"
    """It shows what the collector publishes."""
    WAITING = "waiting"
    """Nobody collects: there is no lease, and it may take none or takes it soon."""


class RelayTrouble(StrEnum):
    """Why a process has no word from the broker, or can do nothing with it."""

    NONE = ""
    AWAY = "away"
    """The broker does not answer."""
    STARTING = "starting"
    """The broker answers that it still loads what it holds."""
    REFUSED = "refused"
    """It refuses the user or the password."""
    DENIED = "denied"
    """The user may not do what is asked."""
    FULL = "full"
    """Its memory or its disk is full, and it takes nothing."""
    CERTIFICATE = "certificate"
    """It cannot prove to be who it should be."""
    UNUSABLE = "unusable"
    """What answers is no broker, or one that lacks what is needed."""
    NEWER_FORMAT = "newer format"
    """The collector speaks a format that is newer than any that is known here."""
    UNREADABLE = "unreadable"
    """What the collector published cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """What is true of this process among several; seconds are by a steady clock."""

    role: ProcessRole
    host: str
    """What this process is called."""
    state: RelayState = RelayState.CONNECTING
    trouble: RelayTrouble = RelayTrouble.NONE
    trouble_sec: float | None = None
    """For how long there has been that trouble; None: there is none."""
    collector: str = ""
    """What the process is called that collects, or did last; empty: none is known."""
    silent_sec: float | None = None
    """Of a follower, how long ago the newest second came; None: none came yet."""
    takeover_sec: float | None = None
    """In how many seconds another may collect at the latest, if the collector stays silent."""
    shown: int | None = None
    """The newest second that came from the collector or was published."""
    took_over_at: float | None = None
    """When the collector began, by the broker's clock; None: it is not known."""
    hole_sec: int = 0
    """How many seconds nobody collected before that."""
    fenced_by: str = ""
    """What the process is called that took over while this one collected; empty: none did."""
    stopped_at: float | None = None
    """When this process stopped collecting, by its source's clock; None: it did not."""
    waiting: int = 0
    """Seconds that wait to be published."""
    lost: int = 0
    """Seconds that waited too long to be published."""
    ahead_sec: float | None = None
    """How far the collector's clock is ahead of this computer's; None: it is not known."""
    uncollected: tuple[str, ...] = ()
    """Symbols that this process's settings watch and the collector does not send."""
    format: int | None = None
    """The newer format that the collector speaks, if it does."""
