"""Among: what ties the parts of a worker to the other processes that show the same pulse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alerts.desk import Desk
from alerts.shared_ledger import SharedLedger
from engine.alerts_elsewhere import grant
from engine.heartbeat import Heartbeat, Subscriber
from engine.reader import Reader
from engine.watchlist import Watched, Watchlist
from events import Event, EventStore, StressDetector
from history.changes import Changes, Known
from history.deliveries import Delivery, Marks
from history.keeper import HistoryKeeper
from history.notes import WatchNotes
from pulse_store import PulseStore
from sources.following import Followed
from sources.publishing import Collected
from sources.relayed import Around, RelayedSource
from sources.wishes import Wish
from ticks import ASSETS

__all__ = ["READER", "Parts", "subscriber", "tells", "tie"]

READER = "relay"
"""What collects changes for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a worker that the others see something of."""

    store: PulseStore
    events: EventStore
    detector: StressDetector
    changes: Changes
    ledger: SharedLedger
    desk: Desk
    heartbeat: Heartbeat
    reader: Reader
    watchlist: Watchlist
    history: HistoryKeeper | None
    halted: Callable[[], Mapping[str, float]]


def subscriber(relayed: RelayedSource) -> Subscriber:
    """Who publishes the seconds of this process."""
    return Subscriber("relay", relayed.second_over, relayed.shown)


def tells(
    relayed: RelayedSource,
    ledger: SharedLedger,
    deliveries_for: Callable[[Sequence[Event]], Sequence[Delivery]],
) -> Callable[[Sequence[Event]], Sequence[Delivery]]:
    """What is to be told of events: nothing where another process collects, and so tells."""

    def found(events: Sequence[Event]) -> Sequence[Delivery]:
        if not relayed.collects:
            return ()
        deliveries = deliveries_for(events)
        if deliveries:
            ledger.note(Marks(deliveries=tuple(deliveries)))
        return deliveries

    return found


def tie(relayed: RelayedSource, parts: Parts, outdated: Callable[[], None]) -> None:
    """Let a relayed source publish what the parts hold, and lay what comes into them.

    ``outdated`` is told when nothing goes on of what they hold.
    """
    heartbeat, store, watchlist, detector = (
        parts.heartbeat,
        parts.store,
        parts.watchlist,
        parts.detector,
    )

    def orders(second: int) -> Mapping[str, tuple[str, ...]]:
        # Kept for the others, whether somebody looks at it here or not.
        heartbeat.ranking.ask("heat", second)
        return heartbeat.ranking.reviewed(second)

    async def follow_table(watched: Watched, notes: WatchNotes) -> None:
        watchlist.adopt(watched, notes)
        if parts.history is not None:
            await parts.history.watch(watched, ())
        parts.reader.forget()

    async def keep(past: Known) -> None:
        if parts.history is not None:
            await parts.history.know(past)

    def span() -> tuple[int, int] | None:
        oldest = store.oldest() if heartbeat.ready.is_set() else None
        return None if oldest is None else (oldest, int(heartbeat.newest.now))

    def lead() -> None:
        collected = {symbol for names in relayed.watched.values() for symbol in names}
        store.unwatch(set(store.symbols) - collected)
        for asset in ASSETS:
            store.watch(asset, relayed.watched.get(asset, ()))
        watchlist.decide()

    def grant_wish(wish: Wish) -> None:
        # Whoever asked sees what became of it.
        if wish.kind.is_of_alerts:
            grant(parts.desk, wish)
        else:
            watchlist.grant(wish)

    def learn(marks: Marks) -> None:
        parts.ledger.learn(marks)
        parts.desk.learn(marks.mutes)

    relayed.bind(
        Around(
            store=store,
            events=parts.events,
            seconds=heartbeat,
            collected=Collected(
                changed=lambda: parts.changes.collect(READER),
                hours=lambda: tuple(relayed.hours(a, heartbeat.newest.now) for a in ASSETS),
                halted=parts.halted,
                orders=orders,
                marks=parts.ledger.collect,
                all_marks=parts.ledger.all,
                quotes=lambda: heartbeat.quotes.newest,
                remembered=lambda: [*detector.tracks, *detector.watches],
                watched=lambda: relayed.watched,
                notes=lambda: watchlist.notes,
            ),
            followed=Followed(
                table=follow_table,
                marks=learn,
                quotes=heartbeat.quotes.add,
                past=keep,
            ),
            span=span,
            wish=grant_wish,
            leads=lead,
            outdated=outdated,
        )
    )
