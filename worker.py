"""Worker: the daemon thread that wires source, store, detector and history, started as one.

One per process, whatever the number of tabs: ``shared`` hands it out. Its thread writes the store
and the events; any other thread asks its ``reader`` and its ``status``. There is one clock, the
source's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final, NamedTuple
from urllib.parse import quote

from bars import Bars
from engine.heartbeat import REWIND_SEC, Heartbeat, SecondOver
from engine.process import forget, once_per_process
from engine.reader import GRACE_SEC, Reader
from engine.status import ArchiveStatus, Status
from engine.supervisor import Supervisor
from events import THRESHOLDS, Event, EventStore, StressDetector
from feeds import TickQueue, Timing
from formulas import BAR_SEC
from history.archive import Archive, ArchiveError
from history.hours import ArchivedHours, restore_prices
from history.recorder import Recorder
from pulse_store import PulseStore
from settings import Settings
from sources.live import Calendar
from sources.opening import open_source
from sources.source import Source
from ticks import ASSETS, WINDOW_SEC, Asset, Tick
from vendors.wire import Vendor

__all__ = ["Worker", "shared", "stop_shared"]

_RECORD_SEC: Final = 0.25
"""How often new bars are handed to the recorder: what a sudden end of the process can cost."""

_OPENED_SEC: Final = 5.0
"""How long to wait for the archive before going on without what it knows."""

_FIRST_SEC: Final = 2.0
"""How long whoever starts the process's worker waits for its first second."""

_logger = logging.getLogger(__name__)


class Worker:
    """Everything that runs behind the page, started and stopped as one.

    ``clock`` stands in for the computer's clock, which a replay does not use, ``session`` for the
    markets' hours, ``vendors`` for those of the settings, and ``timing`` for the feeds' waiting
    times. ``queue`` is the one that the feeds fill; ``make_detector`` makes the detector, and
    ``subscribers`` are told of every second that is over, on the worker's thread. The status is
    published every ``status_sec``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] | None = None,
        session: Calendar | None = None,
        timing: Timing | None = None,
        queue: TickQueue | None = None,
        make_detector: Callable[..., StressDetector] = StressDetector,
        subscribers: Sequence[Callable[[SecondOver], None]] = (),
        status_sec: float = 1.0,
        vendors: Mapping[Asset, Vendor] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._session = session
        self._timing = timing
        self._queue = TickQueue() if queue is None else queue
        self._make_detector = make_detector
        self._subscribers = tuple(subscribers)
        self._status_sec = status_sec
        self._vendors = vendors
        self._opened: _Opened | None = None
        key = settings.source.api_key
        self._supervisor = Supervisor((key, quote(key, safe="")))
        self._has_past = False
        self._archive_error = ""
        self._started_at: float | None = None
        self._begun_at: float | None = None  # by a clock that nobody sets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="market-pulse", daemon=True)

    # For the owner.

    def open(self) -> None:
        """Open the source and put everything around it; nothing runs yet. May be called again.

        Raises:
            TapeError: if the tape or the archive to replay cannot be read.
        """
        if self._opened is None:
            source = open_source(
                self._settings.source,
                self._settings.archive_file,
                self._queue,
                clock=self._clock,
                timing=self._timing,
                calendar=self._session,
                vendors=self._vendors,
            )
            self._opened = self._composed(source)
            self._status = self._current_status()

    def start(self) -> None:
        """Open the source and start the thread; returns at once.

        Raises:
            TapeError: as ``open`` does.
        """
        self.open()
        self._started_at, self._begun_at = time.time(), time.monotonic()
        self._status = self._current_status()
        if self._parts.recorder is not None:
            self._parts.recorder.start()
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
        if self._opened is not None and self._opened.recorder is not None:
            self._opened.recorder.stop()

    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def flush(self) -> bool:
        """Wait until all that was handed to the archive is written; whether it is."""
        recorder = self._parts.recorder
        return recorder is None or recorder.flush()

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

    def status(self) -> Status:
        """What was true at the last whole second: source, archive, every feed, and what crashed.

        As the worker's loop published it; before it runs, as of the start.
        """
        _ = self._parts
        return self._status

    def publish(self) -> None:
        """Publish the status as it is now; the loop does so once a second."""
        self._status = self._current_status()

    @property
    def supervisor(self) -> Supervisor:
        """Who runs the tasks, and knows which crashed."""
        return self._supervisor

    # Composing.

    @property
    def _parts(self) -> _Opened:
        if self._opened is None:
            raise RuntimeError("the worker is not open; call open() or start() first")
        return self._opened

    def _composed(self, source: Source) -> _Opened:
        """Everything that belongs around a source."""
        settings, archive = self._settings, source.archive
        recorder = hours = None
        if archive is not None:
            recorder = Recorder(
                archive.path,
                bars_days=settings.history.bars_days,
                events_days=settings.history.events_days,
                takes_over=source.takes_over,
            )
            hours = ArchivedHours(
                archive, source.watched, settings.stress.max_events, self._report_archive_error
            )
        store = PulseStore(settings.window_sec + REWIND_SEC, records=recorder is not None)
        for asset, symbols in source.watched.items():
            store.watch(asset, symbols)
        events = EventStore(settings.stress.max_events, rewind_sec=REWIND_SEC + 2 * GRACE_SEC)
        detector = self._make_detector(
            {
                asset: {**THRESHOLDS[asset], **settings.stress.thresholds.get(asset, {})}
                for asset in ASSETS
            },
            min_surprise=settings.stress.min_surprise,
            cooldown_sec=settings.stress.cooldown_sec,
        )
        heartbeat = Heartbeat(
            store,
            events,
            detector,
            source.streams_at,
            source.clock(),
            (self._record_events, *self._subscribers),
        )
        reader = Reader(store, events, heartbeat, source, self._readable_hours)
        return _Opened(source, store, events, detector, heartbeat, reader, recorder, hours)

    def _readable_hours(self) -> ArchivedHours | None:
        # Not before the archive was made, or brought up to date.
        parts = self._parts
        is_open = parts.recorder is not None and parts.recorder.ready.is_set()
        return parts.hours if is_open else None

    def _current_status(self) -> Status:
        """What is true now, all at one instant."""
        source, recorder = self._parts.source, self._parts.recorder
        archive = ArchiveStatus() if recorder is None else recorder.status()
        hours = self._parts.hours
        return Status(
            now=source.clock(),
            started_at=self._started_at,
            uptime=None if self._begun_at is None else time.monotonic() - self._begun_at,
            source=source.status(),
            feeds=source.feeds(),
            queued=len(self._queue),
            is_searching_past=self._parts.heartbeat.is_searching_past,
            archive=replace(archive, oldest=None if hours is None else hours.known_oldest),
            faults=self._supervisor.faults,
        )

    # The thread.

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._is_stopping:
            return
        parts = {"worker": self._work, "status": self._publish}
        tasks = [
            asyncio.ensure_future(self._supervisor.keep(name, run)) for name, run in parts.items()
        ]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.publish()

    async def _work(self) -> None:
        """Everything but the status, until cancelled: the past, the feeds, the heartbeat."""
        source, keep = self._parts.source, self._supervisor.keep
        # The past not for a second time, if this is started again.
        has_past, self._has_past = self._has_past, True
        if not has_past:
            self._restore()
        backfill = source.backfill(self.store)
        if not has_past:
            self._backfill(backfill)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep("store", self._store_ticks))
            if self._parts.recorder is not None:
                tasks.create_task(keep("record", self._record))
            await source.run(self.heartbeat, keep)

    async def _publish(self) -> None:
        """Publish the status once a second."""
        loop = asyncio.get_running_loop()
        while True:
            self.publish()
            await asyncio.sleep(self._status_sec - loop.time() % self._status_sec)

    async def _store_ticks(self) -> None:
        """Bring what the feeds put into the queue to the store."""
        while True:
            await self._queue.wait()
            ticks, snapshots = self._queue.drain()
            self.store.update_many(ticks)
            for tick in snapshots:
                self.store.set_initial_price(tick)

    # The history.

    async def _record(self) -> None:
        """Hand new bars over, every now and then and at the end."""
        try:
            while True:
                await asyncio.sleep(_RECORD_SEC)
                self._hand_over()
        finally:
            self._hand_over()

    def _record_events(self, over: SecondOver) -> None:
        """Hand events over at once: one that was shown is never to be lost."""
        if over.events:
            self._hand_over(over.events)

    def _hand_over(self, events: Sequence[Event] = ()) -> None:
        if self._parts.recorder is not None:
            self._parts.recorder.record(
                self.store.collect_changed(), events, self.detector.collect_changed()
            )

    def _restore(self) -> None:
        """Fill the store with the time before, as far as the source and its archive know it."""
        source, recorder = self._parts.source, self._parts.recorder
        first = source.restore(self.store, self.events, self._settings.stress.max_events)
        if first is not None:
            self.heartbeat.add_past(first, 0)
        if source.archive is None or recorder is None:
            return
        recorder.ready.wait(_OPENED_SEC)
        try:
            recorder.record(Bars.empty(), meta=dict(source.archive_meta()))
            span = source.archive.span()
            if span is not None and source.continues_from(span[1]):
                self._restore_archive(source.archive, source.clock())
        except ArchiveError as error:
            self._report_archive_error(error)

    def _restore_archive(self, archive: Archive, now: float) -> None:
        """Go on from an archive: its prices, its events, and which of them go on."""
        second = int(now)
        symbols = [s for watched in self._parts.source.watched.values() for s in watched]
        since = second - self.store.window_sec
        oldest = restore_prices(self.store, archive, since, second + 1, symbols)
        self.store.collect_changed()  # it is in the archive already
        wanted = set(symbols)
        most = self._settings.stress.max_events
        states = archive.event_states(most, math.inf, now - 2 * WINDOW_SEC)
        self.events.add_many(event for event in states if event.symbol in wanted)
        self.detector.restore(track for track in archive.tracks() if track.event.symbol in wanted)
        self.heartbeat.add_past(oldest, second)
        self.publish()
        self.heartbeat.show(second - 1)

    def _backfill(self, ticks: list[Tick]) -> None:
        """Fill the store with the ticks of a past hour and show its last second."""
        if not ticks:
            return
        first, last = int(ticks[0].ts), int(ticks[-1].ts)
        for _, group in groupby(ticks, key=lambda tick: int(tick.ts) // BAR_SEC):
            bar = list(group)
            self.store.update_many(bar)
            self.store.advance(bar[-1].ts)
            self._hand_over()
        self.heartbeat.add_past(first, last + 1, range(first, last + 1))
        # Whoever waits for the first second is told of it what is true then.
        self.publish()
        self.heartbeat.show(last)

    def _report_archive_error(self, error: ArchiveError) -> None:
        """Say once that the archive cannot be read, and have a damaged file looked at."""
        if str(error) != self._archive_error:
            self._archive_error = str(error)
            _logger.warning("%s", error)
        if error.is_damaged and self._parts.recorder is not None:
            self._parts.recorder.request_check()


class _Opened(NamedTuple):
    """What a worker is made of."""

    source: Source
    store: PulseStore
    events: EventStore
    detector: StressDetector
    heartbeat: Heartbeat
    reader: Reader
    recorder: Recorder | None
    hours: ArchivedHours | None


_SHARED: Final = "worker"


def shared(load: Callable[[], Settings], make: Callable[[Settings], Worker] = Worker) -> Worker:
    """The process's worker; if none is running, ``make(load())`` is started and becomes it.

    Raises:
        MarketPulseError: what ``load`` or the start raises; the next call tries again.
    """

    def start() -> Worker:
        worker = make(load())
        worker.start()
        atexit.unregister(stop_shared)
        atexit.register(stop_shared)
        return worker

    worker = once_per_process(_SHARED, start, lambda kept: kept.alive())
    # Who began it is shown what it knows already, after a restart say, and no blank page.
    worker.ready.wait(_FIRST_SEC)
    return worker


def stop_shared() -> None:
    """Stop the process's worker, if there is one."""
    worker = forget(_SHARED)
    if worker is not None:
        worker.stop()
