"""Source: where ticks come from, which clock they follow, and what is true of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from events import EventStore
from feeds import FeedStatus
from history.archive import Archive
from pulse_store import PulseStore
from sessions import MarketHours
from ticks import Asset, Tick

__all__ = [
    "ClockStatus",
    "ClockTrouble",
    "Keep",
    "Seconds",
    "Source",
    "SourceKind",
    "SourceStatus",
]


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


Keep = Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]
"""Awaits what a function returns and, if that crashes, calls it again after a while; the name is
what the page calls it."""


class Seconds(Protocol):
    """Whom a source tells that a second is over."""

    def show(self, second: int) -> None:
        """Show a second that is over."""

    def search(self, second: int) -> None:
        """Find the events of a second."""

    async def follow(self, clock: Callable[[], float], every_second: Callable[[], None]) -> None:
        """Do both for every second of a clock, until cancelled."""


class Source(Protocol):
    """Where ticks come from; the only one who knows which kind of source it is.

    It fills the queue that it was opened with. Its methods are called on the worker's thread except
    ``clock``, ``hours`` and ``streams_at``, which any thread may call.
    """

    @property
    def clock(self) -> Callable[[], float]:
        """The time that everything follows, in seconds since the epoch (UTC)."""

    @property
    def watched(self) -> Mapping[Asset, tuple[str, ...]]:
        """The symbols of each asset class that it is asked for, within the account's limit."""

    @property
    def archive(self) -> Archive | None:
        """Where its history is kept; None: it keeps none."""

    @property
    def takes_over(self) -> bool:
        """Whether its history can go on from what another process of the same source wrote."""

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase a market is in at ``now``, and who says so."""

    def streams_at(self, asset: Asset, now: float) -> bool:
        """Whether prices of an asset class can come at ``now``."""

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """Fill an empty store and its events with what the source itself knows of the time before.

        The first second that has a price; None: there is none.
        """

    def notes(self) -> Mapping[str, str]:
        """What its archive is to say of it.

        Raises:
            ArchiveError: if the archive cannot be read.
        """

    def goes_on_from(self, newest: int) -> bool:
        """Whether an archive whose newest bar is of this second is its own past."""

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Prepare ``run``; the ticks of the time before that ``store`` lacks, in their order."""

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """Send ticks to the queue and say when each second is over, until cancelled."""

    def status(self) -> SourceStatus:
        """What is true of it now."""

    def feeds(self) -> tuple[FeedStatus, ...]:
        """What is true of each of its feeds now."""
