"""Worker: the daemon thread that wires source, store, detector, history and alerts, started as one.

One per process, whatever the number of tabs: ``shared`` hands it out. Its thread writes the store
and the events; any other thread asks its ``reader`` and its ``status``. There is one clock, the
source's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Unpack

from alerts import channels
from alerts.desk import Desk
from alerts.ledger import ArchiveLedger
from alerts.outbox import Ledger
from alerts.shared_ledger import SharedLedger
from engine import among
from engine.alerts_elsewhere import AlertsElsewhere
from engine.backfill import backfill
from engine.files import raise_limit
from engine.heartbeat import REWIND_SEC, Heartbeat, SecondOver, Subscriber
from engine.process import forget, kept, once_per_process
from engine.publisher import StatusPublisher
from engine.reader import BEHIND_SEC, GRACE_SEC, Reader
from engine.repeats import tell_repeats_once
from engine.rewatching import rewatch
from engine.status import ApiState, ArchiveStatus, Status
from engine.supervisor import Supervisor
from engine.watchlist import Watched, Watchlist
from events import Event, EventStore, StressDetector
from history.archive import Archive
from history.changes import Changes
from history.deliveries import Delivery
from history.keeper import HistoryKeeper
from history.notes import Notebook, WatchNotes, noted_in
from history.recorder import Recorder
from pulse_store import PulseStore
from settings import (
    MarketPulseError,
    Settings,
    of_classes,
    reject_idle,
    reject_unreachable,
    reject_unwatched,
)
from sources.intake import store_ticks
from sources.leading import RelayTiming
from sources.opening import SourceOptions, open_relayed, open_source
from sources.relayed import RelayedSource
from sources.source import Source, SourceKind

__all__ = ["FIRST_PAGE_SEC", "Worker", "current", "shared", "stop_shared"]

FIRST_PAGE_SEC: Final = 5.0
"""How long a worker behind a page lets the search of the past wait for the first viewer's."""

_KEPT_SEC: Final = 300
"""How much longer than in memory what is published is kept for who joins late."""

_FIRST_SEC: Final = 2.0
"""How long whoever starts the process's worker waits for its first second."""


class Worker:
    """Everything that runs behind the page, started and stopped as one.

    ``make_detector`` makes the detector. ``subscribers`` are told of every second that is over,
    after the history. The status is published every ``status_sec``, and tells of ``api``, whether
    programs are answered beside the page. The search of the past waits ``first_page_sec`` at most
    for a page, see ``Heartbeat``. ``relay_timing`` is for one among several processes. ``options``
    are the source's.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        make_detector: Callable[..., StressDetector] = StressDetector,
        subscribers: Sequence[Subscriber] = (),
        status_sec: float = 1.0,
        api: ApiState = ApiState.ABSENT,
        first_page_sec: float = 0.0,
        relay_timing: RelayTiming | None = None,
        **options: Unpack[SourceOptions],
    ) -> None:
        self._settings = settings
        self._options = options
        self._make_detector = make_detector
        self._subscribers = tuple(subscribers)
        self._api = api
        self._first_page_sec = first_page_sec
        self._relay_timing = relay_timing
        self._opened: _Parts | None = None
        self._supervisor = Supervisor(settings.secrets)
        self._publisher = StatusPublisher(self._current_status, status_sec)
        self._has_past = False
        self._started_at: float | None = None
        self._begun_at: float | None = None  # by a clock that nobody sets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopping = False
        self._is_outdated = False
        self.renew: Callable[[], object] = lambda: None
        """Called once this has ended because nothing goes on of what it knows."""
        self._thread = threading.Thread(target=self._run, name="market-pulse", daemon=True)

    # For the owner.

    def open(self) -> None:
        """Open the source and put everything around it; nothing runs yet. May be called again.

        Raises:
            TapeError: if the tape or the archive to replay cannot be read.
        """
        if self._opened is None:
            settings, bases = self._settings, list[Watched]()
            notes = noted_in(settings.archive_file)

            def changed(base: Watched) -> Watched:
                bases.append(base)
                return notes.applied(base)

            file, role = settings.archive_file, settings.relay.role
            source: Source | None = None
            if role != "replica":
                source = open_source(settings.source, file, changed, **self._options)
            relayed = None
            if role != "alone":
                keep_sec = settings.window_sec + BEHIND_SEC + _KEPT_SEC
                relayed = open_relayed(
                    settings.relay,
                    source,
                    file,
                    keep_sec,
                    self._relay_timing,
                    self._options.get("clock"),
                )
            opened = relayed or source
            if opened is None:
                raise RuntimeError("neither collects nor follows")
            # What a tape has is nobody's to change.
            base = bases[0] if bases else opened.watched
            self._opened = self._composed(opened, base, notes, relayed)
            self._publisher.publish()

    def start(self) -> None:
        """Open the source and start the thread; returns at once.

        Raises:
            TapeError: as ``open`` does.
        """
        self.open()
        self._started_at, self._begun_at = time.time(), time.monotonic()
        self._publisher.publish()
        if self._parts.history is not None:
            self._parts.history.recorder.start()
        self._parts.desk.start()
        self._thread.start()

    def stop(self) -> None:
        """Close the sockets and end the thread; may be called again, and from any thread."""
        # Either the loop is there to be told, or it will look at this when it begins.
        self._is_stopping = True
        if self._loop is not None:
            # The loop may have closed by itself in between.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        self._stop_parts()

    def _stop_parts(self) -> None:
        if self._opened is not None:
            self._opened.desk.stop()
            if self._opened.history is not None:
                # Last: what the others still hand over is written, too.
                self._opened.history.recorder.stop()

    def wait_until_ended(self) -> None:
        """Return when the thread has ended, which it has to be about to."""
        self._thread.join(timeout=10)

    def page_made(self) -> None:
        """Take note that a page was made of what is known: the past may be searched."""
        self.heartbeat.first_page.set()

    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def flush(self) -> bool:
        """Wait until all that was handed to the archive is written; whether it is."""
        history = self._parts.history
        return history is None or history.recorder.flush()

    # For readers, from any thread; all of it once the source is open.

    @property
    def store(self) -> PulseStore:
        """The rolling prices."""
        return self._parts.store

    @property
    def events(self) -> EventStore:
        """The stress events."""
        return self._parts.events

    @property
    def detector(self) -> StressDetector:
        """Who finds them; it belongs to the worker's thread."""
        return self._parts.detector

    @property
    def heartbeat(self) -> Heartbeat:
        """Who shows second after second; its methods belong to the worker's thread."""
        return self._parts.heartbeat

    @property
    def reader(self) -> Reader:
        """What may be asked of any second."""
        return self._parts.reader

    @property
    def ready(self) -> threading.Event:
        """Set when the first second is shown."""
        return self._parts.heartbeat.ready

    @property
    def archive(self) -> Archive | None:
        """The history of this source; None: none is kept."""
        return self._parts.source.archive

    @property
    def watchlist(self) -> Watchlist:
        """What is watched, and the groups: whatever a viewer may change of them."""
        return self._parts.watchlist

    @property
    def desk(self) -> Desk:
        """The alerts; without a destination it tells nothing."""
        return self._parts.desk

    @property
    def alerts_elsewhere(self) -> AlertsElsewhere | None:
        """The alerts of the process that collects, if that is another one that can be asked."""
        relayed = self._parts.relayed
        if relayed is None or relayed.collects or not relayed.can_ask:
            return None
        return AlertsElsewhere(relayed)

    def status(self) -> Status:
        """What was true at the last whole second: source, archive, every feed, and what crashed.

        As the worker's loop published it; before it runs, as of the start.
        """
        _ = self._parts
        return self._publisher.newest

    # Composing.

    @property
    def _parts(self) -> _Parts:
        if self._opened is None:
            raise RuntimeError("the worker is not open; call open() or start() first")
        return self._opened

    def _composed(
        self,
        source: Source,
        base: Watched,
        notes: WatchNotes,
        relayed: RelayedSource | None,
    ) -> _Parts:
        """Everything that belongs around a source, whose settings' watchlist is ``base``."""
        settings, archive = self._settings, source.archive
        # What a viewer has removed may come back: the settings are no worse for it.
        removed = of_classes(notes.removed)
        known = {
            asset: tuple(dict.fromkeys((*base.get(asset, ()), *symbols, *removed[asset])))
            for asset, symbols in source.watched.items()
        }
        if settings.relay.role != "replica":  # what that shows is for its collector to say
            reject_idle(settings.stress.rules, known, source.clock())
            reject_unreachable(settings.alerts.destinations, known)
            reject_unwatched(settings.groups, known)
        stress, most = settings.stress, settings.stress.max_events
        store = PulseStore(
            settings.window_sec + BEHIND_SEC,
            records=archive is not None or relayed is not None,
            # Who is told of the seconds may ask for the bars of them.
            keeps_sums=bool(self._subscribers),
        )
        for asset, symbols in source.watched.items():
            store.watch(asset, symbols)
        events = EventStore(most, rewind_sec=REWIND_SEC + 2 * GRACE_SEC)
        detector = self._make_detector(
            stress.thresholds,
            min_surprise=stress.min_surprise,
            cooldown_sec=stress.cooldown_sec,
            rules=stress.rules,
        )
        recorder = self._recorder(source)
        own = ArchiveLedger(archive, recorder) if archive and recorder else None
        ledger = None
        if relayed is not None:
            ledger = SharedLedger(own, lambda: relayed.collects, relayed.may_store)
        desk = self._desk(source, ledger or own)
        deliveries_for: Callable[[Sequence[Event]], Sequence[Delivery]] = desk.deliveries_for
        readers = ("archive",) if archive is not None else ()
        if relayed is not None and ledger is not None:
            deliveries_for = among.tells(relayed, ledger, deliveries_for)
            readers = (*readers, among.READER)
        changes = Changes(store, detector, readers)
        history = None
        if archive is None or recorder is None:
            keeps = Subscriber("alerts", lambda over: _tell(deliveries_for, over))
        else:
            history = HistoryKeeper(
                archive,
                recorder,
                store,
                events,
                detector,
                source.watched,
                most,
                deliveries_for=deliveries_for,
                changes=changes,
                collects=lambda: source.collects,
            )
            keeps = Subscriber("recorder", history.second_over)
        # After what is to be told is known, and before programs are told.
        shares = () if relayed is None else (among.subscriber(relayed),)
        subscribers = (keeps, *shares, *self._subscribers)
        heartbeat = Heartbeat(
            store,
            events,
            detector,
            source.streams_at,
            source.clock(),
            subscribers,
            partial(self._supervisor.report, wait_sec=1.0),
            hours=source.hours,
            said_halted=self._said_halted,
            rules=stress.rules,
            first_page_sec=self._first_page_sec,
        )
        archived = history.hours if history else _nothing
        reader = Reader(store, events, heartbeat, source, archived, stress.rules)
        watchlist = Watchlist(
            base,
            notes,
            source.catalogue,
            settings.groups,
            named=settings.named_symbols,
            notebook=Notebook(archive, recorder),
            play=source.play,
            is_elsewhere=lambda: not source.collects,
            elsewhere=relayed,
        )
        if relayed is not None and ledger is not None:
            among.tie(
                relayed,
                among.Parts(
                    store=store,
                    events=events,
                    detector=detector,
                    changes=changes,
                    ledger=ledger,
                    desk=desk,
                    heartbeat=heartbeat,
                    reader=reader,
                    watchlist=watchlist,
                    history=history,
                    halted=self._said_halted,
                ),
                self._end_outdated,
            )
        return _Parts(
            source, store, events, detector, heartbeat, reader, history, desk, watchlist, relayed
        )

    def _recorder(self, source: Source) -> Recorder | None:
        """What writes the history of a source; None: none is kept."""
        if source.archive is None:
            return None
        return Recorder(
            source.archive.path,
            bars_days=self._settings.history.bars_days,
            events_days=self._settings.history.events_days,
            takes_over=source.takes_over,
        )

    def _desk(self, source: Source, ledger: Ledger | None) -> Desk:
        """The alerts of a source, which the ledger remembers if there is one."""
        alerts, market = self._settings.alerts, _MARKETS[source.status().kind]
        return Desk(
            [
                (each, channels.make(each, alerts.public_url, market))
                for each in alerts.destinations
            ],
            ledger,
            is_simulated=market is not channels.Market.REAL,
        )

    def _current_status(self) -> Status:
        """What is true now, all at one instant."""
        source, history = self._parts.source, self._parts.history
        return Status(
            now=source.clock(),
            started_at=self._started_at,
            uptime=None if self._begun_at is None else time.monotonic() - self._begun_at,
            source=source.status(),
            feeds=source.feeds(),
            queued=len(source.queue),
            is_searching_past=self._parts.heartbeat.is_searching_past,
            archive=ArchiveStatus() if history is None else history.status(),
            alerts=self._parts.desk.status(),
            watch=self._parts.watchlist.status(),
            api=self._api,
            relay=None if self._parts.relayed is None else self._parts.relayed.relay_status(),
            faults=self._supervisor.faults,
        )

    def _said_halted(self) -> dict[str, float]:
        """What vendors said at the last second to be halted, and since when."""
        relayed = self._parts.relayed
        halted = None if relayed is None else relayed.halted()
        if halted is not None:
            return dict(halted)
        feeds = self._publisher.newest.feeds
        return {symbol: since for feed in feeds for symbol, since in feed.halted.items()}

    # The thread.

    def _run(self) -> None:
        # Not by asyncio.run, which would wait for a name to be looked up that nobody answers.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._main())
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        if self._is_outdated:
            self._stop_parts()
            threading.Thread(target=self.renew, name="market-pulse-renewal", daemon=True).start()

    def _end_outdated(self) -> None:
        """End, so that a worker that knows nothing yet takes the place of this one."""
        self._is_outdated = True
        self._stopping.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._is_stopping:
            return
        keep = self._supervisor.keep
        runs = keep("worker", self._work), keep("status", self._publisher.run)
        tasks = [asyncio.ensure_future(run) for run in runs]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._publisher.publish()

    async def _work(self) -> None:
        """Everything but the status, until cancelled: the past, the feeds, the heartbeat."""
        parts, keep = self._parts, self._supervisor.keep
        # The past not for a second time, if this is started again.
        has_past, self._has_past = self._has_past, True
        if not has_past:
            if parts.relayed is not None:
                await parts.relayed.prepare()
            self._restore()
            parts.desk.restore()
        # Before the source looks: whatever it finds is complete until then.
        now = parts.source.clock()
        ticks = parts.source.backfill(parts.store)
        if not has_past:
            last = backfill(parts.store, parts.heartbeat, ticks, now)
            if parts.history is not None:
                # All at one stroke: what ends this process leaves no half of an hour behind.
                parts.history.hand_over()
            self._show(last)
        try:
            async with asyncio.TaskGroup() as tasks:
                intake = partial(store_ticks, parts.source.queue, parts.store)
                if parts.relayed is not None:
                    intake = partial(intake, may_store=parts.relayed.may_store)
                tasks.create_task(keep("store", intake))
                if parts.history is not None:
                    tasks.create_task(keep("record", parts.history.run))
                know = _know_nothing if parts.history is None else parts.history.watch
                follow = partial(rewatch, parts.source, parts.store, parts.reader, know)
                tasks.create_task(keep("watchlist", partial(parts.watchlist.run, follow)))
                await parts.source.run(parts.heartbeat, keep)
        finally:
            if parts.history is not None:
                # What came since the last time, whatever has become of the task that hands over.
                parts.history.hand_over()

    def _restore(self) -> None:
        """Fill the store with the time before, as far as the source and its archive know it."""
        source, heartbeat, history = self._parts.source, self.heartbeat, self._parts.history
        first = source.restore(self.store, self.events, self._settings.stress.max_events)
        if first is not None:
            heartbeat.know_past(first, 0)
        if history is None:
            return
        restored = history.restore(
            source.archive_meta,
            source.continues_from,
            source.clock,
            knows_past=source.knows_past,
        )
        if restored is not None:
            heartbeat.know_past(*restored)
            self._show(restored.live_from - 1)

    def _show(self, second: int | None) -> None:
        """Show the last second of a past, if there is any."""
        if second is not None:
            # Whoever waits for the first second is told of it what is true then.
            self._publisher.publish()
            self.heartbeat.show(second)


class _Parts(NamedTuple):
    """What a worker is made of."""

    source: Source
    store: PulseStore
    events: EventStore
    detector: StressDetector
    heartbeat: Heartbeat
    reader: Reader
    history: HistoryKeeper | None
    desk: Desk
    watchlist: Watchlist
    relayed: RelayedSource | None
    """The source, if it is one that is shared with other processes."""


_MARKETS: Final = {
    SourceKind.LIVE: channels.Market.REAL,
    SourceKind.SIMULATED: channels.Market.SIMULATED,
    SourceKind.REPLAY: channels.Market.REPLAYED,
}


def _tell(tell: Callable[[Sequence[Event]], object], over: SecondOver) -> None:
    """Tell of the events of a second that no archive is told of."""
    tell(over.events)


async def _know_nothing(watched: Watched, new: Sequence[str]) -> None:
    """What a worker without a history knows of symbols that are new."""


def _nothing() -> None:
    """What a worker without a history has to look back at, and to hand over."""


_SHARED: Final = "worker"
_MAKE: Final = "make a worker"
_SET_UP: Final = "set up"


def shared(
    load: Callable[[], Settings], make: Callable[[Settings], Worker] | None = None
) -> Worker:
    """The process's worker; if none is running, ``make(load())`` is started and becomes it.

    ``make`` is remembered: without one a worker is made as by the last that was given, so that
    whoever finds the worker dead begins one like it. Without any it is ``Worker``, behind a page.

    Raises:
        MarketPulseError: what ``load`` or the start raises; the next call tries again.
    """
    once_per_process(_SET_UP, _set_up)
    make_worker = once_per_process(_MAKE, lambda: make or _behind_a_page, lambda kept: make is None)

    def start() -> Worker:
        worker = make_worker(load())
        worker.renew = lambda: _renew(worker, load)
        worker.start()
        atexit.unregister(stop_shared)
        atexit.register(stop_shared)
        return worker

    worker = once_per_process(_SHARED, start, lambda kept: kept.alive())
    # Who began it is shown what it knows already, after a restart say, and no blank page.
    worker.ready.wait(_FIRST_SEC)
    return worker


def _renew(outdated: Worker, load: Callable[[], Settings]) -> None:
    """Begin a worker in the place of one that has ended, whether anybody asks for one or not."""
    outdated.wait_until_ended()
    if kept(_SHARED) is outdated:
        # Whoever asks next is told why, and tries again.
        with contextlib.suppress(MarketPulseError):
            shared(load)


def current() -> Worker | None:
    """The process's worker; None if there is none, and then none is begun."""
    found: Worker | None = kept(_SHARED)
    return found


def _behind_a_page(settings: Settings) -> Worker:
    return Worker(settings, first_page_sec=FIRST_PAGE_SEC)


def _set_up() -> bool:
    """Prepare the process for many tabs and long lives."""
    raise_limit()
    tell_repeats_once()
    return True


def stop_shared() -> None:
    """Stop the process's worker, if there is one, and forget how it is made."""
    forget(_MAKE)
    worker = forget(_SHARED)
    if worker is not None:
        worker.stop()
