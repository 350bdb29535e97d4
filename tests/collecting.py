"""The parts of a process that collects, and of one that follows, without a source or a lease."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from alerts.shared_ledger import SharedLedger
from engine.heartbeat import Heartbeat, SecondOver, Subscriber
from events import Event, EventStore, StressDetector
from history.changes import Changes, Known
from history.notes import WatchNotes
from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours
from sources.entries import CollectorStatus, Entry, Memory, decoded_entry, packed_memory
from sources.following import Followed, Follower
from sources.leading import Told
from sources.publishing import Collected, Publisher
from sources.relay import Relay
from sources.relay_records import Packed
from sources.source import SourceKind, SourceStatus
from ticks import ASSETS, Asset, Tick
from vendors.rest import Quote

__all__ = ["JUMP_SEC", "START", "Collecting", "Following", "calm_past", "wave"]

START: Final = 1_795_600_800
"""2026-11-25T10:00:00Z."""

JUMP_SEC: Final = 100
"""When the ``wave`` jumps, in seconds since the start."""

WINDOW_SEC: Final = 7200

SYMBOLS: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": (),
    "forex": (),
    "crypto": ("BTC-USD", "ETH-USD"),
}


def wave(second: int) -> list[Tick]:
    """Prices of a second: calm, but for one that jumps ``JUMP_SEC`` after the start."""
    calm = 100.0 + 0.01 * (second * 7 % 5)
    jump = 5.0 * (second >= START + JUMP_SEC)
    return [
        Tick("BTC-USD", "crypto", second + 0.5, calm + jump),
        Tick("ETH-USD", "crypto", second + 0.25, calm / 2.0),
    ]


def calm_past(store: PulseStore) -> None:
    """Let a store know the five minutes before the start."""
    for second in range(START - 300, START):
        store.update_many(wave(second))
        store.advance(second + 1)


def always(asset: Asset, now: float) -> bool:
    """Every market streams."""
    return True


class Collecting:
    """Store, detector, heartbeat and publisher of a process that collects.

    It knows the five minutes before the start already.
    """

    def __init__(self) -> None:
        self.watched: Mapping[Asset, tuple[str, ...]] = SYMBOLS
        self.notes = WatchNotes()
        self.halted: dict[str, float] = {}
        self.quotes: tuple[Quote, ...] = ()
        self.wishes: list[bytes] = []
        self.now = float(START)
        self.store = PulseStore(WINDOW_SEC, records=True)
        self.store.watch("crypto", SYMBOLS["crypto"])
        calm_past(self.store)
        self.store.collect_changed()
        self.events = EventStore(500)
        self.detector = StressDetector(min_surprise=0)
        self.ledger = SharedLedger(None, lambda: True)
        changes = Changes(self.store, self.detector, ("relay",))
        self.collected = Collected(
            changed=lambda: changes.collect("relay"),
            hours=lambda: tuple(
                MarketHours(a, "open", None, None, None, HoursFrom.SOURCE) for a in ASSETS
            ),
            halted=lambda: self.halted,
            orders=lambda second: self.heartbeat.ranking.reviewed(second),
            marks=self.ledger.collect,
            all_marks=self.ledger.all,
            quotes=lambda: self.quotes,
            remembered=lambda: [*self.detector.tracks, *self.detector.watches],
            watched=lambda: self.watched,
            notes=lambda: self.notes,
        )
        self.publisher = Publisher(self.store, self.collected, lambda: self.now)
        subscriber = Subscriber(
            "relay", lambda over: self.publisher.found(over.events), self.publisher.shown
        )
        self.heartbeat = Heartbeat(
            self.store, self.events, self.detector, always, float(START), (subscriber,)
        )

    async def second(self, second: int, ticks: Iterable[Tick] | None = None) -> None:
        """Show and search a second of these ticks, or of the ``wave``'s, and make its entry."""
        self.now = second + 1.25
        self.store.update_many(wave(second) if ticks is None else ticks)
        self.heartbeat.ranking.ask("heat", second)
        self.heartbeat.show(second)
        self.heartbeat.search(second)
        await asyncio.sleep(0)

    async def seconds(self, first: int, last: int) -> None:
        """Show the seconds of the ``wave`` from ``first`` to ``last``."""
        for second in range(first, last + 1):
            await self.second(second)

    def taken(self, most: int = 60) -> list[Packed]:
        """The batch that waits, as if the broker had taken it."""
        batch = self.publisher.batch(most)
        self.publisher.sent(batch)
        return batch

    def entries(self) -> list[Entry]:
        """All that waits, as it is read."""
        return [decoded_entry(each.body) for each in self.publisher.batch(1000)]

    def memory(self, term: int) -> Memory:
        """What is known beside the prices."""
        seq = self.publisher.newest_seq()
        return packed_memory(
            self.store.remember(),
            term=term,
            second=self.publisher.second or 0,
            seq=seq,
            quotes=self.quotes,
            events=self.events.updates(-math.inf, math.inf),
            remembered=[*self.detector.tracks, *self.detector.watches],
            told=self.ledger.all(),
        )

    @property
    def told(self) -> Told:
        """What a leader asks it."""
        source = SourceStatus(kind=SourceKind.LIVE, name="live")
        return Told(
            status=lambda: CollectorStatus(source=source, feeds=(), vendors={}, term=1),
            memory=self.memory,
            span=self._span,
            wishes=self.wishes.extend,
        )

    def _span(self) -> tuple[int, int] | None:
        oldest = self.store.oldest()
        return None if oldest is None else (oldest, int(self.heartbeat.newest.now))


class Following:
    """Store, detector and heartbeat of a process that follows what is published over a relay.

    It knows the five minutes before the start unless it ``knows_nothing``.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        knows_nothing: bool = False,
        steady: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.store = PulseStore(WINDOW_SEC, records=True)
        self.store.watch("crypto", SYMBOLS["crypto"])
        if not knows_nothing:
            calm_past(self.store)
        self.events = EventStore(500)
        self.detector = StressDetector(min_surprise=0)
        self.ledger = SharedLedger(None, lambda: False)
        self.shown: list[int] = []
        self.told: list[Event] = []
        self.past: list[Known] = []
        self.quotes: list[Quote] = []
        self.notes = WatchNotes()
        self.heartbeat = Heartbeat(
            self.store,
            self.events,
            self.detector,
            always,
            0.0,
            (Subscriber("test", self._tell),),
        )
        self.followed = Followed(
            table=self._table,
            marks=self.ledger.learn,
            quotes=self.quotes.extend,
            past=self._past,
        )
        self.follower = Follower(
            relay,
            self.store,
            self.events,
            self.heartbeat,
            self.followed,
            wall=lambda: float(START),
            steady=steady,
        )

    def _tell(self, over: SecondOver) -> None:
        self.shown.append(over.second)
        self.told += over.events

    async def _table(self, watched: Mapping[Asset, tuple[str, ...]], notes: WatchNotes) -> None:
        self.notes = notes

    async def _past(self, past: Known) -> None:
        self.past.append(past)
