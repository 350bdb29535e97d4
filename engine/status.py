"""Status: what is true of everything behind the page at one instant, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from alerts.status import AlertsStatus, DestinationState, DestinationStatus
from engine.watchlist import Group, WatchStatus
from feeds import FeedState, FeedStatus, HeldBack, Lately, Refusal, Role, Trouble
from history.losses import LeftOut
from history.recorder import ArchiveState, ArchiveStatus, ArchiveTrouble, SetAside
from sources.catalogue import Found, FoundBy, Room
from sources.relay_status import RelayState, RelayStatus, RelayTrouble
from sources.source import (
    BackfillStatus,
    ClockStatus,
    ClockTrouble,
    RefusedRow,
    RowFault,
    SourceKind,
    SourceStatus,
    Span,
    TapeRows,
)

__all__ = [
    "AlertsStatus",
    "ApiState",
    "ArchiveState",
    "ArchiveStatus",
    "ArchiveTrouble",
    "BackfillStatus",
    "ClockStatus",
    "ClockTrouble",
    "DestinationState",
    "DestinationStatus",
    "Fault",
    "FeedState",
    "FeedStatus",
    "Found",
    "FoundBy",
    "Group",
    "HeldBack",
    "Lately",
    "LeftOut",
    "Refusal",
    "RefusedRow",
    "RelayState",
    "RelayStatus",
    "RelayTrouble",
    "Role",
    "Room",
    "RowFault",
    "SetAside",
    "SourceKind",
    "SourceStatus",
    "Span",
    "Status",
    "TapeRows",
    "Trouble",
    "WatchStatus",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """A part that crashed and was started again."""

    name: str
    count: int
    error: str
    """The type of the last exception."""
    at: float
    """When it was raised, by the computer's clock."""


class ApiState(StrEnum):
    """Whether this process answers programs, too."""

    ABSENT = "absent"
    """It is the page alone."""
    OPEN = "open"
    """It answers whom its settings name; if they name nobody, programs of this computer."""
    CLOSED = "closed"
    """Others than this computer can ask, and the settings name nobody: nobody is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What was true at ``now``; published once a second, never assembled by readers."""

    now: float
    """By the source's clock."""
    started_at: float | None
    """By the computer's clock."""
    uptime: float | None
    """In seconds."""
    source: SourceStatus
    feeds: tuple[FeedStatus, ...]
    queued: int
    """Ticks that wait to be taken into the store."""
    is_searching_past: bool
    """Whether the past hour is still being looked through for events."""
    archive: ArchiveStatus
    alerts: AlertsStatus = field(default_factory=AlertsStatus)
    watch: WatchStatus = field(default_factory=WatchStatus)
    api: ApiState = ApiState.ABSENT
    faults: tuple[Fault, ...] = ()
    relay: RelayStatus | None = None
    """What this process is among several; None: it is alone."""

    def with_watch(self, watch: WatchStatus) -> Status:
        """The same with a newer watchlist; itself if that says nothing new."""
        return self if watch == self.watch else replace(self, watch=watch)

    def with_alerts(self, alerts: AlertsStatus) -> Status:
        """The same with newer alerts; itself if they say nothing new."""
        return self if alerts == self.alerts else replace(self, alerts=alerts)
