"""Source: where ticks come from, which clock they follow, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ClockStatus", "ClockTrouble", "SourceKind", "SourceStatus"]


class SourceKind(StrEnum):
    """What prices are."""

    LIVE = "live"
    SIMULATED = "simulated"
    REPLAY = "replay"


class ClockTrouble(StrEnum):
    """What is being done about the computer's clock."""

    NONE = ""
    SET_BACK = "set back"
    """It was set back; the time before goes on until the vendor's stamps tell which is right."""
    MOVED = "moved"
    """It moved, perhaps in sleep, and is followed until the vendor's stamps tell whether it may."""
    WRONG_BACK = "wrong back"
    """It was set back, and the vendor's stamps confirm the time before, which goes on."""
    WRONG_AHEAD = "wrong ahead"
    """Likewise ahead."""


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """The state of the computer's clock beside the vendor's stamps."""

    trouble: ClockTrouble = ClockTrouble.NONE
    seconds: float = 0.0
    """By how much it was set or moved; of ``MOVED`` signed, else a size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What is true of a source at one instant."""

    kind: SourceKind
    name: str
    """What the page calls it: the vendor's name, ``simulated`` or ``replay``."""
    seed: int | None = None
    """Of a simulated market."""
    file: str | None = None
    """The name of the file that is replayed."""
    speed: float | None = None
    """Of a replay, in its seconds per second."""
    has_ended: bool = False
    """Whether a replay is at its end."""
    is_dated: bool = True
    """False for a tape that counts from its own start, whose times are no dates."""
    lost: int = 0
    """Ticks of a replay that went down with a broken connection."""
    clock: ClockStatus = ClockStatus()
