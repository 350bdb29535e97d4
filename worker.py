"""Worker: the daemon thread and its asyncio loop that wire the feeds to the store and the detector.

One per process, whatever the number of tabs: ``shared`` hands it out. The thread writes the store
and the events; any other thread reads its status, and what a ``Reader`` has to tell. There is one
clock, the worker's: the wall clock, or a replay's own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Final
from urllib.parse import quote

import sessions
from bars import Bars
from engine.process import forget, once_per_process
from engine.reader import GRACE_SEC, REWIND_SEC, SECOND_END, Reader
from engine.status import Fault, Status
from events import THRESHOLDS, Event, EventStore, StressDetector
from feeds import Feed, FeedState, FeedStatus, TickQueue, Timing, Trouble, allot
from formulas import BAR_SEC
from history.archive import Archive, ArchiveError
from history.hours import ArchivedHours, LastSession, restore_prices
from history.recorder import ArchiveStatus, Recorder
from pulse_store import PulseStore, to_snapshots
from sessions import HoursFrom, MarketHours, Phase, Session
from settings import DEFAULT_WATCHLIST, Settings, archive_file, random_seed
from sources.clocks import ForwardClock, VendorClock
from sources.exchange import Exchange
from sources.market import EXCLUDED_CONDITIONS, Market
from sources.source import ClockStatus, SourceKind, SourceStatus
from sources.tape import TAPE_EPOCH, ArchivedTape, Tape
from sources.tape import load as load_tape
from ticks import ASSETS, WINDOW_SEC, Asset, Tick
from vendors import eodhd
from vendors.eodhd import Eodhd
from vendors.wire import Vendor

__all__ = ["GRACE_SEC", "REWIND_SEC", "Worker", "shared", "stop_shared"]

_SETTLE_SEC: Final = 0.25
"""Ticks of a second's end take this long to arrive; shown later, it is as it is looked back at."""

_RECORD_SEC: Final = 0.25
"""How often new bars are handed to the recorder: what a sudden end of the process can cost."""

_OPENED_SEC: Final = 5.0
"""How long to wait for the archive before going on without what it knows."""

_FIRST_SEC: Final = 2.0
"""How long whoever starts the process's worker waits for its first second."""

_NOW_SEC: Final = 5.0
"""A moment this long ago is still now, where another second begins while it is looked at."""

_AHEAD_SEC: Final = 7200.0
"""An archive that is further ahead is that of a clock that was wrong."""

# The embedded exchange takes any key.
_EMBEDDED_KEY: Final = "embedded"

_CATCH_UP_SEC: Final = 5.0
"""A replay waits this long for frames that a broken connection may have lost."""

_RESTART_CAP_SEC: Final = 60.0

_logger = logging.getLogger(__name__)


class Worker(Reader):
    """Everything that runs behind the page, started and stopped as one.

    ``timing`` are the feeds' waiting times; ``clock`` stands in for the wall clock, which a replay
    does not use, ``session`` for the markets' own hours, and ``vendors`` for those of the settings.
    The status is published every ``status_sec``.

    Raises:
        TapeError: when the tape to replay cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] | None = None,
        session: Callable[[Asset, float], Session] | None = None,
        status_sec: float = 1.0,
        vendors: Mapping[Asset, Vendor] | None = None,
    ) -> None:
        self._status_sec = status_sec
        self._settings = settings
        self._tape = self._own_tape()
        self._tape_now = self._tape.start if self._tape else 0.0
        self._has_ended = False
        self._seed = settings.seed
        self._vendor_clock: VendorClock | None = None
        self._clock_changes = 0
        self._archive_error = ""
        path = archive_file(settings)
        self._archive = None if path is None else Archive(path)
        self._clock = clock or self._own_clock()
        self._hours = session or self._own_hours()
        self._recorder = (
            None
            if path is None
            else Recorder(
                path,
                bars_days=settings.bars_days,
                events_days=settings.events_days,
                # Two simulated markets go different ways from the moment they part.
                takes_over=settings.source != "simulated",
            )
        )
        self._window_sec = settings.window_sec + REWIND_SEC
        self._detector = StressDetector(
            {
                asset: {**THRESHOLDS[asset], **settings.thresholds.get(asset, {})}
                for asset in ASSETS
            },
            min_surprise=settings.min_surprise,
            cooldown_sec=settings.cooldown_sec,
        )
        self._queue = TickQueue()
        self._vendors = vendors or dict.fromkeys(ASSETS, self._own_vendor())
        wanted = self._watchlist()
        self._asked = asked = _allotted(wanted, self._vendors)
        store = PulseStore(self._window_sec, records=self._recorder is not None)
        for asset, symbols in asked.items():
            store.watch(asset, symbols)
        events = EventStore(settings.max_events, rewind_sec=REWIND_SEC + 2 * GRACE_SEC)
        # From the first moment on every symbol that is watched has its row.
        super().__init__(store, events, self._clock())
        self._feeds: dict[Asset, Feed] = {
            asset: Feed(
                self._vendors[asset],
                asset,
                asked[asset],
                self._queue,
                self._clock,
                timing=timing,
                session=self._hours,
                # What lies in an archive was believed when it came.
                far_off=math.inf if isinstance(self._tape, ArchivedTape) else None,
                unasked=wanted[asset][len(asked[asset]) :],
            )
            for asset in ASSETS
        }
        self._past = (
            None
            if self._archive is None
            else ArchivedHours(self._archive, asked, settings.max_events, self._note_archive_error)
        )
        self._lost = dict.fromkeys(ASSETS, 0)
        self._has_past = False
        self._live_from = 0
        """The second that follows the backfilled past."""
        self._unsearched: deque[int] = deque()
        """Seconds whose events are still to be found."""
        self._started_at: float | None = None
        self._begun_at: float | None = None  # by a clock that nobody sets
        self._faults: dict[str, Fault] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._stop_asked = False
        self._thread = threading.Thread(target=self._run, name="market-pulse", daemon=True)
        self._status = self._current_status()

    # For the owner.

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._started_at, self._begun_at = time.time(), time.monotonic()
        self._status = self._current_status()
        if self._recorder is not None:
            self._recorder.start()
        self._thread.start()

    def stop(self) -> None:
        """Close the sockets and end the thread; may be called again, and from any thread."""
        # Either the loop is there to be told, or it will look at this when it begins.
        self._stop_asked = True
        if self._loop is not None:
            # The loop may have closed by itself in between.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        if self._recorder is not None:
            self._recorder.stop()

    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    # For readers.

    @property
    def archive(self) -> Archive | None:
        """The history of this source; None where none is kept."""
        return self._archive

    def now(self) -> float:
        """The time by the source's clock."""
        return self._clock()

    def session(self, asset: Asset, now: float) -> MarketHours:
        """The phase a market is in at ``now``: when that ends, and who says so.

        The vendor, if its word is newer than the calendar; a tape and the embedded exchange know no
        hours.
        """
        if self._hours is _always:
            phase: Phase = "open" if self._streams_at(asset, now) else "closed"
            return MarketHours(asset, phase, None, None, None, HoursFrom.SOURCE)
        if now >= self._pulse[0] - _NOW_SEC:
            return self._feeds[asset].hours(self._clock())
        found = self._hours(asset, now)
        return MarketHours(
            asset,
            found.phase,
            _finite(found.since),
            _finite(found.until),
            found.opens,
            HoursFrom.CALENDAR,
        )

    def last_session(self, asset: Asset, now: float) -> LastSession | None:
        """What the symbols of a closed market did in its last session, from the archive.

        None if the market is not closed, and if there is no archive to ask.
        """
        past = self._open_past()
        if past is None or self._hours is _always or self._streams_at(asset, now):
            return None
        span = sessions.last_session(asset, now)
        if span is not None and span[1] > now:
            # By the calendar it still runs, and the vendor knows better: it is not the last yet.
            span = sessions.last_session(asset, span[0] - 1)
        if span is None:
            return None
        return LastSession(*span, past.session_figures(asset, *span, now))

    def status(self) -> Status:
        """What was true at the last whole second: source, archive, every feed, and what crashed.

        As the worker's loop published it; before it runs, as of the start.
        """
        return self._status

    def _current_status(self) -> Status:
        """What is true now, all at one instant."""
        now = self._clock()
        recorder = self._recorder
        past = self._past
        archive = ArchiveStatus() if recorder is None else recorder.status()
        return Status(
            now=now,
            started_at=self._started_at,
            uptime=None if self._begun_at is None else time.monotonic() - self._begun_at,
            source=self._source_status(),
            feeds=tuple(self._feed_status(feed, now) for feed in self._feeds.values()),
            queued=len(self._queue),
            is_searching_past=self._is_searching_past(),
            archive=replace(archive, oldest=None if past is None else past.known_oldest),
            faults=tuple(self._faults.values()),
        )

    def _source_status(self) -> SourceStatus:
        settings, tape = self._settings, self._tape
        kinds = {"eodhd": SourceKind.LIVE, "simulated": SourceKind.SIMULATED}
        return SourceStatus(
            kind=kinds.get(settings.source, SourceKind.REPLAY),
            name=settings.source,
            seed=self._seed if settings.source == "simulated" else None,
            file=settings.replay_file.name if settings.replay_file else None,
            speed=settings.speed if settings.replay_file else None,
            has_ended=self._has_ended,
            is_dated=tape is None or tape.start != TAPE_EPOCH,
            lost=sum(self._lost.values()),
            clock=self._vendor_clock.status if self._vendor_clock else ClockStatus(),
        )

    def _feed_status(self, feed: Feed, now: float) -> FeedStatus:
        status = feed.status(now)
        if self._hours is _always:
            status = replace(status, hours=self.session(feed.asset, now))
        if self._has_ended and status.state in (FeedState.LIVE, FeedState.SILENT):
            # The tape's clock stands still, so nothing would ever look old.
            status = replace(
                status,
                state=FeedState.CLOSED,
                trouble=Trouble.TAPE_ENDED,
                seconds=None,
                lag=None,
                ticks_per_sec=0.0,
            )
        return status

    def _open_past(self) -> ArchivedHours | None:
        # Not before the archive was made, or brought up to date.
        is_open = self._recorder is not None and self._recorder.ready.is_set()
        return self._past if is_open else None

    # The thread.

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_asked:
            return
        parts = {"worker": self._work, "status": self._publish}
        tasks = [asyncio.ensure_future(self._supervised(name, run)) for name, run in parts.items()]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._status = self._current_status()

    async def _publish(self) -> None:
        """Publish the status, once a second."""
        loop = asyncio.get_running_loop()
        while True:
            self._status = self._current_status()
            await asyncio.sleep(self._status_sec - loop.time() % self._status_sec)

    async def _work(self) -> None:
        """Everything, until cancelled: the source, its past hour, the feeds, the heartbeat."""
        async with contextlib.AsyncExitStack() as stack:
            exchange = None
            # Not for a second time, where this is started again.
            has_past, self._has_past = self._has_past, True
            if not has_past:
                self._restore()
            if self._settings.source != "eodhd":
                market = self._tape or self._market()
                exchange = await stack.enter_async_context(
                    Exchange(market, symbol_limit=self._symbol_limit())
                )
                if not has_past:
                    self._backfill([*market.history(), *self._opening(market)])
            async with asyncio.TaskGroup() as tasks:

                def keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
                    tasks.create_task(self._supervised(name, run))

                keep("store", self._take_ticks)
                for asset, feed in self._feeds.items():
                    # The embedded exchange has no address before it runs.
                    url = eodhd.url(exchange.url, asset, _EMBEDDED_KEY) if exchange else None
                    keep(f"{asset} feed", partial(feed.run, url))
                if exchange is not None and self._tape is not None:
                    keep("replay", partial(self._play, exchange, self._tape))
                    return
                keep("heartbeat", self._beat)
                if self._recorder is not None:
                    keep("record", partial(self._record, self._recorder))
                if exchange is not None:
                    keep("exchange", partial(exchange.run, self._clock))

    async def _supervised(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task; when it crashes log it, show it, and start it again after a while."""
        loop = asyncio.get_running_loop()
        crashes = 0
        while True:
            began = loop.time()
            try:
                await run()
            except (Exception, asyncio.CancelledError) as error:  # whatever it is, the others go on
                if _is_cancelled():
                    raise
                crashes = 1 if loop.time() - began > _RESTART_CAP_SEC else crashes + 1
                wait_sec = min(_RESTART_CAP_SEC, 2.0**crashes / 2)
                self._note_fault(name, error, wait_sec)
            else:
                return  # an ended replay, or a feed without symbols
            await asyncio.sleep(wait_sec)

    def _note_fault(self, name: str, error: BaseException, wait_sec: float) -> None:
        text = "".join(traceback.format_exception(error))
        _logger.error("%s crashed, next try in %g s\n%s", name, wait_sec, self._without_key(text))
        # Shown once it can be read up.
        before = self._faults.get(name)
        count = 1 if before is None else before.count + 1
        self._faults[name] = Fault(name, count, type(error).__name__, time.time())

    def _without_key(self, text: str) -> str:
        key = self._settings.api_key
        for secret in filter(None, (key, quote(key, safe=""))):
            text = text.replace(secret, "***")
        return text

    # Ticks and seconds.

    async def _take_ticks(self) -> None:
        while True:
            await self._queue.wait()
            ticks, snapshots = self._queue.drain()
            self._store.update_many(ticks)
            for tick in snapshots:
                self._store.set_initial_price(tick)

    async def _beat(self) -> None:
        """Show every second when it is over and has settled, and find the events of each in turn.

        Those slept through are neither shown nor searched; the backfilled past is searched in what
        time the present leaves.
        """
        shown = int(self._clock()) - 1
        while True:
            now = self._clock() - _SETTLE_SEC
            second = int(now) - 1
            if second != shown:
                if second < shown:
                    self._store.set_clock_back(second)
                shown = second
                self._show(second)
                self._measure()
                if self._vendor_clock is not None:
                    self._mind(self._vendor_clock)
                self._unsearched.append(second)
            if self._unsearched:
                self._search(self._unsearched.popleft())
                await asyncio.sleep(0)  # the feeds go on meanwhile
            else:
                await asyncio.sleep(max(0.0, 1.0 - now % 1.0))

    def _mind(self, clock: VendorClock) -> None:
        """Tell the clock what the vendor's stamps say of it, and connect anew after sleep."""
        if clock.changes != self._clock_changes:
            self._clock_changes = clock.changes
            for feed in self._feeds.values():
                feed.reset_meter()
        else:
            lags = [feed.recent_lag() for feed in self._feeds.values()]
            clock.judge([lag for lag in lags if lag is not None], self._clock_changes)
        slept = clock.woke()
        if slept:
            # The sockets may be dead and not know it.
            for feed in self._feeds.values():
                feed.reconnect(slept)

    def _search(self, second: int) -> None:
        """Find the events of a second, with the frame of then; none of a closed market."""
        now = second + SECOND_END
        shown_at, frame = self._pulse
        snapshots = to_snapshots(frame, now) if shown_at == now else self._store.snapshots(now)
        streams = {asset: self._streams_at(asset, now) for asset in ASSETS}
        found: list[Event] = []
        for snapshot in snapshots:
            if streams[snapshot["asset"]]:
                found += self._detector.check(snapshot, history=second < self._live_from)
        self._events.add_many(found)
        if found and self._recorder is not None:
            # Not with the next bars: an event that was seen is never to be lost.
            self._hand_over(self._recorder, found)

    async def _record(self, recorder: Recorder) -> None:
        """Hand new bars over, every now and then and at the end."""
        try:
            while True:
                await asyncio.sleep(_RECORD_SEC)
                self._hand_over(recorder)
        finally:
            self._hand_over(recorder)

    def _hand_over(self, recorder: Recorder, events: Sequence[Event] = ()) -> None:
        recorder.record(self._store.collect_changed(), events, self._detector.collect_changed())

    def _is_searching_past(self) -> bool:
        try:
            return self._unsearched[0] < self._live_from
        except IndexError:  # not asked first: the loop may take the last one in between
            return False

    def _measure(self) -> None:
        now = self._clock()
        for feed in self._feeds.values():
            feed.end_second(now)

    def _restore(self) -> None:
        """Take what the archive knows of the time before: prices, events, and which go on.

        Of a simulated market only where it can go on from there.
        """
        if self._tape is not None:
            self._restore_tape(self._tape)
        if self._archive is None or self._recorder is None:
            return
        self._recorder.ready.wait(_OPENED_SEC)
        now = self._clock()
        try:
            self._seed = self._own_seed(self._archive)
            self._recorder.record(Bars.empty(), meta=self._archive_meta())
            span = self._archive.span()
            if span is None or (
                # A new one has an hour behind it, and up to a minute more.
                self._settings.source == "simulated" and now - span[1] > WINDOW_SEC + 60
            ):
                return
            self._take_over(self._archive, now)
        except ArchiveError as error:
            self._note_archive_error(error)

    def _take_over(self, archive: Archive, now: float) -> None:
        second = int(now)
        symbols = [symbol for asked in self._asked.values() for symbol in asked]
        since = second - self._window_sec
        oldest = restore_prices(self._store, archive, since, second + 1, symbols)
        self._store.collect_changed()  # it is in the archive already
        wanted = set(symbols)
        states = archive.event_states(self._settings.max_events, math.inf, now - 2 * WINDOW_SEC)
        self._events.add_many(event for event in states if event.symbol in wanted)
        self._detector.restore(track for track in archive.tracks() if track.event.symbol in wanted)
        self._live_from = second
        self._oldest = oldest
        self._status = self._current_status()
        self._show(second - 1)

    def _restore_tape(self, tape: Tape | ArchivedTape) -> None:
        """Take what is known of the time before a tape's begin."""
        past = tape.past()
        for tick in tape.lasts():
            self._store.set_initial_price(tick)
        self._store.load_bars(past)
        if len(past):
            self._oldest = int(past.cells["second"][0])
            self._store.advance(tape.start)
        self._events.add_many(tape.states(self._settings.max_events, tape.start - 2 * WINDOW_SEC))

    def _archive_meta(self) -> dict[str, str]:
        """What an archive says of its source."""
        return {
            "source": self._settings.source,
            "seed": "" if self._seed is None else str(self._seed),
        }

    def _note_archive_error(self, error: ArchiveError) -> None:
        """Say once that the archive cannot be read, and have a damaged file looked at."""
        if str(error) != self._archive_error:
            self._archive_error = str(error)
            _logger.warning("%s", error)
        if error.is_damaged and self._recorder is not None:
            self._recorder.request_check()

    def _backfill(self, history: list[Tick]) -> None:
        """Take a past hour of ticks into the store and show its last second."""
        if not history:
            return
        first, last = int(history[0].ts), int(history[-1].ts)
        for _, ticks in groupby(history, key=lambda tick: int(tick.ts) // BAR_SEC):
            taken = list(ticks)
            self._store.update_many(taken)
            self._store.advance(taken[-1].ts)
            if self._recorder is not None:
                self._hand_over(self._recorder)
        self._unsearched.extend(range(first, last + 1))
        self._live_from = last + 1
        self._oldest = first
        # Whoever waits for the first second is told of it what is true then.
        self._status = self._current_status()
        self._show(last)

    async def _play(self, exchange: Exchange, tape: Tape | ArchivedTape) -> None:
        """Replay second by second: the clock goes on when everything sent has arrived.

        So the frames and the events are the same at any speed.
        """
        async with asyncio.timeout(_CATCH_UP_SEC):
            await exchange.subscribed(_EMBEDDED_KEY, tape.symbols)
        loop = asyncio.get_running_loop()
        first = int(self._tape_now)
        origin = loop.time()
        for second in range(first, int(tape.end) + 1):
            due = origin + (second + 1 - first) / self._settings.speed
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._tape_now = second + 1.0
            exchange.publish(second + 1.0)
            await self._catch_up(exchange)
            self._show(second)
            self._measure()
            self._search(second)
        self._has_ended = True

    async def _catch_up(self, exchange: Exchange) -> None:
        """Wait until every frame sent has been read and is in the store."""
        loop = asyncio.get_running_loop()
        sent = exchange.sent(_EMBEDDED_KEY)
        deadline = loop.time() + _CATCH_UP_SEC
        while loop.time() < deadline:
            missing = any(
                sent[asset] - self._lost[asset] > feed.prices for asset, feed in self._feeds.items()
            )
            if not missing and not len(self._queue):
                return
            await asyncio.sleep(0)
        self._lost = {asset: sent[asset] - feed.prices for asset, feed in self._feeds.items()}

    # The source.

    def _watchlist(self) -> Mapping[Asset, tuple[str, ...]]:
        if self._tape is not None:
            return {asset: self._tape.symbols.get(asset, ()) for asset in ASSETS}
        if self._settings.watchlist is not None:
            return self._settings.watchlist
        is_demo = self._settings.api_key == eodhd.DEMO_KEY
        return (
            eodhd.DEMO_SYMBOLS
            if is_demo and self._settings.source == "eodhd"
            else DEFAULT_WATCHLIST
        )

    def _symbol_limit(self) -> int:
        """The vendor's, except that a tape is replayed whole."""
        on_tape = sum(map(len, self._tape.symbols.values())) if self._tape else 0
        return max(eodhd.SYMBOL_LIMIT, on_tape)

    def _market(self) -> Market:
        """The simulated market: a new one, or the one that goes on from the last hour's prices."""
        # From a whole minute on: bars fall alike in every run of a seed, and so do its events.
        asked = {asset: tuple(symbols) for asset, symbols in self._asked.items()}
        now = self._clock()
        if self._seed is None:
            self._seed = random_seed()
        known = {
            row["symbol"]: row["last"]
            for row in self._store.snapshots(now)
            if row["last"] is not None
        }
        if not known:
            return Market(asked, self._seed, start=now // 60 * 60)
        return Market(asked, self._seed, start=now, resumed=known)

    def _own_seed(self, archive: Archive) -> int | None:
        """The seed that was chosen, or that of the market whose history this is."""
        if self._settings.source != "simulated" or self._settings.seed is not None:
            return self._settings.seed
        noted = archive.meta("seed")
        return int(noted) if noted and noted.isdecimal() else random_seed()

    def _opening(self, market: Market | Tape | ArchivedTape) -> list[Tick]:
        """What was quoted between the market's start and now, which no feed can have seen."""
        if self._tape is not None:
            return []
        return [
            Tick(q.symbol, q.asset, q.ts, q.price)
            for q in market.until(self._clock())
            if EXCLUDED_CONDITIONS.isdisjoint(q.conditions)
        ]

    def _streams_at(self, asset: Asset, now: float) -> bool:
        """Whether a market streams at ``now``: by the newest word for now, else by its hours."""
        if self._has_ended and self._tape is not None and now >= self._tape.end:
            return False  # a tape's end closes the market, but not the time before it
        if now >= self._pulse[0] - _NOW_SEC:
            return self._feeds[asset].session(now).phase != "closed"
        return self._hours(asset, now).phase != "closed"

    def _own_hours(self) -> Callable[[Asset, float], Session]:
        """The markets' hours where the prices are a vendor's; else there are none."""
        settings, replayed = self._settings, self._tape
        is_vendors = settings.source == "eodhd" or (
            isinstance(replayed, ArchivedTape) and replayed.source == "eodhd"
        )
        return sessions.session if is_vendors else _always

    def _own_tape(self) -> Tape | ArchivedTape | None:
        settings = self._settings
        if settings.replay_file is None:
            return None
        return load_tape(settings.replay_file, settings.replay_from, settings.replay_to)

    def _own_vendor(self) -> Vendor:
        key = self._settings.api_key if self._settings.source == "eodhd" else _EMBEDDED_KEY
        vendor = Eodhd(self._settings.eodhd_url, key, symbol_limit=self._symbol_limit())
        if self._tape is None:
            return vendor
        # A tape may be silent for as long as it was: only its end, or the socket's, is a fault.
        return replace(vendor, silence_sec=dict.fromkeys(ASSETS, math.inf))

    def _own_clock(self) -> Callable[[], float]:
        if self._tape is not None:
            return lambda: self._tape_now
        if self._settings.source == "eodhd":
            self._vendor_clock = VendorClock()
            return self._vendor_clock
        # The simulated market may not run backwards, nor begin before what it has already quoted.
        return ForwardClock(time.time, self._archived_until())

    def _archived_until(self) -> float:
        try:
            span = None if self._archive is None else self._archive.span()
        except ArchiveError:
            span = None  # told when it is opened
        is_sound = span is not None and span[1] < time.time() + _AHEAD_SEC
        return span[1] + 1.0 if span is not None and is_sound else 0.0


def _is_cancelled() -> bool:
    """Whether somebody asked the current task to end; else a cancellation is a fault of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _allotted(
    wanted: Mapping[Asset, Sequence[str]], vendors: Mapping[Asset, Vendor]
) -> dict[Asset, list[str]]:
    """The symbols that each vendor's limit has room for."""
    chosen: dict[Asset, list[str]] = {}
    for vendor in vendors.values():
        theirs = {asset: wanted[asset] for asset in wanted if vendors[asset] is vendor}
        chosen |= allot(theirs, vendor.symbol_limit)
    return {asset: chosen[asset] for asset in wanted}


def _always(asset: Asset, now: float) -> Session:
    """The hours of what knows none: the embedded exchange, and a tape."""
    return sessions.ALWAYS


def _finite(value: float | None) -> float | None:
    """A time, None where it is never."""
    return value if value is not None and math.isfinite(value) else None


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
    """Stop the process's worker, where there is one."""
    worker = forget(_SHARED)
    if worker is not None:
        worker.stop()
