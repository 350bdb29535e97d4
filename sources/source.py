"""Source: what every kind of source is and does, and the records that say what is true of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from events import Event, EventStore, Remembered
from feeds import FeedStatus, TickQueue, Trouble
from history.archive import Archive
from history.losses import LeftOut
from pulse_store import PulseStore
from sessions import MarketHours
from sources.catalogue import Catalogue
from ticks import Asset, Tick
from vendors.rest import Candle, Past, Quote

__all__ = [
    "BackfillStatus",
    "ClockStatus",
    "ClockTrouble",
    "Keep",
    "LaidPast",
    "RefusedRow",
    "RowFault",
    "Seconds",
    "Source",
    "SourceKind",
    "SourceStatus",
    "Span",
    "TapeRows",
]


class SourceKind(StrEnum):
    """The kinds of sources there are."""

    LIVE = "live"
    SIMULATED = "simulated"
    REPLAY = "replay"


class ClockTrouble(StrEnum):
    """What is wrong with the computer's clock, and what is done about it."""

    NONE = ""
    SET_BACK = "set back"
    """It was set back; the time before goes on until the vendor's stamps tell which is right."""
    MOVED = "moved"
    """It moved, perhaps in sleep, and is followed until the vendor's stamps tell whether it may."""
    WRONG_BACK = "wrong back"
    """It was set back, and the vendor's stamps confirm the time before, which goes on."""
    WRONG_AHEAD = "wrong ahead"
    """Likewise ahead."""
    SLOW = "slow"
    """It is behind the vendor's stamps, and what it lacks is added."""


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """The state of the computer's clock beside the vendor's stamps."""

    trouble: ClockTrouble = ClockTrouble.NONE
    seconds: float = 0.0
    """By how much it was set or moved, or is slow; signed for ``MOVED``, else without a sign."""


@dataclass(frozen=True, slots=True)
class Span:
    """Time from ``begin`` on and before ``end``, in seconds since the epoch."""

    begin: float
    end: float


class RowFault(StrEnum):
    """Why a row of a tape is left out."""

    CELLS = "it has more or fewer cells than there are headings"
    QUOTE = "a quotation mark is not closed"
    TIME = "the time is blank or not a number"
    PART_OF_MS = "the time is not in whole milliseconds"
    ROUNDED_TIME = "a spreadsheet has rounded the time"
    OTHER_TIME = "the time is far from all others"
    BAR_TIME = "the time is not one such as 2026-11-25T14:30:00Z"
    FEED = "the feed is unknown"
    ASSET = "the asset class is unknown"
    SYMBOL = "the symbol is blank or no plain name"
    TWO_FEEDS = "the symbol is in two feeds"
    NUMBER = "a number is expected"
    PRICE = "there is no price above zero"
    TICKS = "the number of ticks is none"


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a tape that is left out."""

    number: int
    """As in the file, in which the headings are row 1."""
    fault: RowFault
    column: str
    found: str
    """What is in that column, fit to be shown; empty if nothing is."""


@dataclass(frozen=True, slots=True)
class TapeRows:
    """What became of the rows of a tape."""

    count: int
    """How many there are."""
    refused: int
    """How many of them are left out."""
    examples: tuple[RefusedRow, ...]
    """The first of those."""
    sorted: int
    """How many came after one with a later time, and were put in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillStatus:
    """What is true of one vendor's requests for the time before its stream."""

    vendor: str
    """Its name."""
    host: str = ""
    """The name of the host that was asked last; empty if none was."""
    trouble: Trouble = Trouble.NONE
    """Why the last request was not answered, if it was not, ..."""
    code: int | None = None
    seconds: float | None = None
    """... and these two as that says."""
    retry_at: float | None = None
    """When the next request is due, by the source's clock, if there is a pause after a failure."""
    asked: int = 0
    """Of how many symbols something is asked for, ..."""
    waiting: int = 0
    """... of how many of them something is still to be asked for now, ..."""
    failed: int = 0
    """... and of how many something could not be had."""
    answers: int = 0
    """How many requests were answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What is true of a source at one instant."""

    kind: SourceKind
    name: str
    """``live``, ``simulated`` or ``replay``."""
    seed: int | None = None
    """Of a simulated market."""
    file: str | None = None
    """The name of the file that is replayed."""
    speed: float | None = None
    """Of a replay: how many of its seconds are played in one."""
    has_ended: bool = False
    """Whether a replay is at its end."""
    is_dated: bool = True
    """False if a tape counts from its own start, so that its times are not dates."""
    tape: TapeRows | None = None
    """The rows of a tape; None if no tape is replayed."""
    next_price_at: float | None = None
    """When a replay's next price is due, if every symbol is stale until then."""
    skipped: Span | None = None
    """The newest span of a replay that was skipped: it had no price, and nothing could change."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """What of an archive that is replayed was damaged so far."""
    lost: int = 0
    """How many ticks of a replay were lost with a broken connection."""
    clock: ClockStatus = ClockStatus()
    later_sec: float = 0.0
    """How much later each second is shown because the vendor's prices come late."""
    lacking: tuple[Asset, ...] = ()
    """The asset classes that no vendor serves without a key that is not set."""
    backfill: tuple[BackfillStatus, ...] = ()
    """The requests for the time before the stream, of each vendor that is asked for anything."""


Keep = Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]
"""Awaits what a function returns and, if that crashes, calls the function again after a while. The
name is for the log and the page."""


class LaidPast(NamedTuple):
    """What became of a vendor's answer in the store, but for last prices and references.

    Laid into a store with the same bars, whenever that is, it leaves the same there.
    """

    vendor: str
    upto: int
    """The second up to which ticks were laid."""
    candles: tuple[Candle, ...]
    ticks: tuple[Tick, ...]
    """Those that were laid into ten seconds without any."""
    quotes: tuple[Quote, ...]


class Seconds(Protocol):
    """What a source calls when a second is over."""

    def show(self, second: int) -> None:
        """Show a second that is over."""

    def search(self, second: int) -> None:
        """Find the events of a second."""

    async def follow(
        self,
        clock: Callable[[], float],
        every_second: Callable[[], None],
        later_sec: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Do both for every second of a clock, ``later_sec()`` later than else, until cancelled."""

    def know_past(self, oldest: int | None, live_from: int, unsearched: Iterable[int] = ()) -> None:
        """Know of a past that the store was filled with, from ``oldest`` until ``live_from``.

        The ``unsearched`` seconds of it are searched for events whenever the present leaves time.
        """

    def take(
        self,
        second: int,
        found: Sequence[Event],
        remembered: Iterable[Remembered],
        orders: Mapping[str, Sequence[str]],
    ) -> None:
        """Show a second that another process has searched, whose bars are in the store.

        ``found`` is what it found, ``remembered`` what its detector remembers anew, and ``orders``
        are the calm orders that it reviewed, by ranking.
        """

    def begin_anew(self, symbols: Sequence[str], second: int, vendor: str) -> None:
        """From ``second`` on these symbols' prices are the ``vendor``'s: a new window, with a gap.

        Told when a vendor begins to serve. If it is the one that served last, before a restart
        too, nothing begins; if it is empty the vendor stays and the window is new all the same.
        """

    def add_past(self, past: Past, vendor: str) -> LaidPast:
        """Lay into the store what is known of the time before: each part as what it is.

        It counts while the ``vendor`` serves: candles in minutes, and trades in tens of seconds in
        which the stream sent nothing. A quote enters no window; it is the last price of a symbol
        that has no newer one.
        A crypto's references may be as many as are known of its last day: each is in its turn the
        one of 24 hours ago, for the five minutes from the next multiple of five minutes on.
        """

    def add_laid(self, laid: LaidPast) -> None:
        """Lay what another process laid, which has published last prices and references, too."""


class Source(Protocol):
    """Where ticks come from. Nothing outside ``sources`` asks which kind of source it is.

    Any thread may call ``clock``, ``hours`` and ``streams_at``; the other methods belong to the
    worker's thread.
    """

    @property
    def queue(self) -> TickQueue:
        """The ticks that came and are not in the store yet."""

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that everything follows, in seconds since the epoch (UTC)."""

    @property
    def watched(self) -> Mapping[Asset, tuple[str, ...]]:
        """The symbols of each asset class that it sends, as far as the account's limit allows."""

    @property
    def catalogue(self) -> Catalogue | None:
        """What it could send beside that; None: what it sends is fixed."""

    @property
    def play(self) -> Callable[[str, bool], str | None] | None:
        """Makes a symbol jump, alone or not; None: its market is not simulated.

        Any thread may call it. If it is called with no symbol, one is chosen; returns which, None
        if it cannot be made to move.
        """

    @property
    def archive(self) -> Archive | None:
        """The archive of its history; None if it keeps no history."""

    @property
    def collects(self) -> bool:
        """Whether its prices come from here; if not, another process sends whole seconds."""

    @property
    def knows_past(self) -> bool:
        """Whether all that is known of the past comes from itself, so that no archive is asked."""

    @property
    def takes_over(self) -> bool:
        """Whether its history may continue what another process of the same source wrote."""

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase of a market at ``now``, and who says so."""

    def streams_at(self, asset: Asset, now: float) -> bool:
        """Whether prices of an asset class may come at ``now``."""

    def restore(self, store: PulseStore, events: EventStore, most_events: int) -> int | None:
        """Fill an empty store and its events with what the source itself knows of the time before.

        Returns the first second that has a price, None if there is no price.
        """

    def archive_meta(self) -> Mapping[str, str]:
        """What is written into its archive about it, by name.

        Raises:
            ArchiveError: if the archive cannot be read.
        """

    def continues_from(self, newest: int) -> bool:
        """Whether it continues what an archive holds whose newest bar is of second ``newest``."""

    def backfill(self, store: PulseStore) -> list[Tick]:
        """Prepare ``run``; returns the ticks of the time before that ``store`` lacks, in order."""

    async def watch(self, wanted: Mapping[Asset, tuple[str, ...]]) -> list[Tick]:
        """Send these symbols from now on; those that are new have a row in the store.

        Returns what it knows itself of the last hour of those, in order of time.
        """

    async def run(self, seconds: Seconds, keep: Keep) -> None:
        """Send ticks to the queue and say when each second is over, until cancelled."""

    def status(self) -> SourceStatus:
        """What is true of the source now."""

    def vendors(self) -> Mapping[str, str]:
        """The name of the vendor whose prices each symbol's are now; empty if it has one market."""

    def feeds(self) -> tuple[FeedStatus, ...]:
        """What is true of each of its feeds now."""
