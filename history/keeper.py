"""HistoryKeeper: how one source's history gets into its archive, and back out of it.

The worker's thread hands over what is new and restores what was; the hours that were archived are
for readers, on any thread. What is done with the file itself is the recorder's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from bars import Bars
from days import STEP_SEC
from events import Event, EventStore, StressDetector
from history.archive import Archive, ArchiveError
from history.changes import Changes, Known
from history.deliveries import Delivery
from history.hours import ArchivedHours, read_prices, restore_prices
from history.losses import Losses
from history.recorder import ArchiveStatus, Recorder
from history.references import load_references
from history.schema import SEARCHED, damaged
from pulse_store import PulseStore
from ticks import WINDOW_SEC, Asset

__all__ = ["HistoryKeeper", "Restored"]

HAND_OVER_SEC: Final = 0.25
"""How often new bars are handed to the recorder: what a sudden end of the process can cost."""

OPENED_SEC: Final = 5.0
"""How long to wait for the archive before going on without what it knows."""

_AT_ONCE: Final = 250_000
"""So many bars of another process are handed to the recorder at once."""

_QUIET_SEC: Final = 60
"""While nothing is new the file is told of so many searched seconds at once: a disk may rest."""

_logger = logging.getLogger(__name__)


class _Searched(Protocol):
    """A second that was searched for events."""

    @property
    def second(self) -> int: ...

    @property
    def events(self) -> Sequence[Event]: ...


class Restored(NamedTuple):
    """The past that an archive brought back."""

    oldest: int | None
    """The first second that has a bar, if any has."""
    live_from: int
    """The second that follows the past."""
    unsearched: range
    """The seconds of it in which nobody has looked for events."""


def _always() -> bool:
    """What is collected is collected here."""
    return True


def _no_deliveries(events: Sequence[Event]) -> Sequence[Delivery]:
    """Nothing is told outside the page."""
    return ()


class HistoryKeeper:
    """Keeps what ``store``, ``events`` and ``detector`` hold in the archive at ``archive``.

    ``recorder`` writes it. ``watched`` are the symbols that are restored and looked back at, with
    at most ``max_events`` events. ``deliveries_for`` says what is to be told of the events of a
    second: that is archived in the transaction of these events. ``changes`` hand over what is new
    in the store and the detector; None: nobody else keeps it. While this process does not
    ``collect``, what days are measured against comes from the one that does.
    """

    def __init__(
        self,
        archive: Archive,
        recorder: Recorder,
        store: PulseStore,
        events: EventStore,
        detector: StressDetector,
        watched: Mapping[Asset, Sequence[str]],
        max_events: int,
        *,
        deliveries_for: Callable[[Sequence[Event]], Sequence[Delivery]] = _no_deliveries,
        changes: Changes | None = None,
        collects: Callable[[], bool] = _always,
    ) -> None:
        self.recorder = recorder
        self._deliveries_for = deliveries_for
        self._archive = archive
        self._store, self._events, self._detector = store, events, detector
        self._changes = changes or Changes(store, detector)
        self._collects = collects
        self._watched = watched
        self._max_events = max_events
        self._hours = ArchivedHours(archive, watched, max_events, self._report)
        self._searched: int | None = None
        """The last second that was searched for events; None: none was yet, in any life."""
        self._told_searched: int | None = None
        self._days_known_to: int | None = None
        self._reported = ""

    # For readers.

    def hours(self) -> ArchivedHours | None:
        """The archived hours; None until the archive was made, or brought up to date."""
        return self._hours if self.recorder.ready.is_set() else None

    def status(self) -> ArchiveStatus:
        """What is true of the archive now."""
        return replace(self.recorder.status(), oldest=self._hours.known_oldest)

    # For the worker's thread.

    async def run(self) -> None:
        """Hand over what is new every quarter of a second.

        Every five minutes look up what the changes of days are measured against from then on.
        """
        while True:
            await asyncio.sleep(HAND_OVER_SEC)
            self.hand_over()
            await self._know_days()

    def second_over(self, over: _Searched) -> None:
        """Hand the events of a second over at once: one that was shown is never to be lost."""
        self._searched = over.second
        if over.events:
            deliveries: Sequence[Delivery] = ()
            try:
                deliveries = self._deliveries_for(over.events)
            finally:
                self.hand_over(over.events, deliveries)

    def hand_over(self, events: Sequence[Event] = (), deliveries: Sequence[Delivery] = ()) -> None:
        """Hand the bars, minutes, begins and tracks that are new to the recorder, and these events.

        With the events go the ``deliveries`` that tell of them.

        With them goes how far was searched, into the file at one stroke: whatever ends this
        process, the next one goes on from there and finds what this one had not found yet.
        """
        bars, minutes, begins, tracks = self._changes.collect("archive")
        if self._searched is None and len(bars):
            self._searched = int(bars.cells["second"].min()) - 1
        is_news = bool(len(bars) or len(minutes) or begins or tracks or events)
        self.recorder.record(
            bars,
            events,
            tracks,
            self._progress(is_news),
            minutes,
            begins,
            new_deliveries=deliveries,
        )

    def restore(
        self,
        archive_meta: Callable[[], Mapping[str, str]],
        continues_from: Callable[[int], bool],
        clock: Callable[[], float],
        *,
        knows_past: bool = False,
    ) -> Restored | None:
        """Go on from the archive: its prices, its events, and which of them go on.

        Only if ``continues_from``, asked with its newest second, says so; if not, what was usual in
        its market still is. ``archive_meta`` returns what the archive is to say of its source, and
        may read it. If the store ``knows_past`` already, the archive is asked for none. Returns
        None if neither prices nor events were restored.
        """
        self.recorder.ready.wait(OPENED_SEC)
        try:
            self.recorder.record(Bars.empty(), meta=dict(archive_meta()))
            if knows_past:
                return None
            span = self._archive.span()
            if span is not None and continues_from(span[1]):
                return self._restore(clock(), span[1])
            losses = Losses()
            found = self._archive.minutes(int(clock()) // 60, self._symbols, losses)
            self._store.load_minutes(found)
            self._report_left_out(losses)
        except ArchiveError as error:
            self._report(error)
        return None

    async def know(self, past: Known) -> None:
        """Have written what another process collected while this one was away.

        Only what is newer than what the archive holds; its own past is as it was.
        """
        await asyncio.to_thread(self.recorder.ready.wait, OPENED_SEC)
        since = 0
        with contextlib.suppress(ArchiveError):
            span = self._archive.span()
            since = 0 if span is None else span[1] + 1
        newer = past.bars.between(since, past.second + 1)
        self._searched = past.second
        cells = newer.cells
        for begin in range(0, len(cells), _AT_ONCE):
            part = Bars(newer.symbols, newer.assets, cells[begin : begin + _AT_ONCE])
            self.recorder.record(part)
            # So that what waits stays within bounds.
            await asyncio.to_thread(self.recorder.flush)
        self.recorder.record(
            Bars.empty(), past.events, past.remembered, self._progress(True), None, past.begins
        )

    async def watch(self, watched: Mapping[Asset, Sequence[str]], new: Sequence[str]) -> None:
        """Know these symbols from now on, and the past of the ``new`` ones, which have none."""
        self._watched = watched
        losses, now = Losses(), self._searched
        try:
            if self.recorder.ready.is_set() and new and now is not None:
                since, upto = now - self._store.window_sec, now + 1
                # Not on the loop's time: a disk may be slow.
                past = await asyncio.to_thread(read_prices, self._archive, since, upto, new, losses)
                past.load(self._store)
                past.load_last(self._store)
                of_new = {
                    asset: [name for name in names if name in new]
                    for asset, names in watched.items()
                }
                begin, end = upto - WINDOW_SEC, upto + STEP_SEC
                await asyncio.to_thread(
                    load_references, self._store, self._archive, of_new, begin, end, losses
                )
        except ArchiveError as error:
            self._report(error)
        self._report_left_out(losses)
        await asyncio.to_thread(self._hours.watch, watched)

    @property
    def _symbols(self) -> list[str]:
        return [symbol for symbols in self._watched.values() for symbol in symbols]

    async def _know_days(self) -> None:
        """Tell the store what is measured against what in the five minutes that begin."""
        if self._searched is None or not self.recorder.ready.is_set() or not self._collects():
            return
        begin = (self._searched + 1) // STEP_SEC * STEP_SEC
        if begin == self._days_known_to:
            return
        self._days_known_to = begin
        losses = Losses()
        end = begin + STEP_SEC
        try:
            # Not on the loop's time: of thousands of symbols five minutes are read for a while.
            await asyncio.to_thread(
                load_references, self._store, self._archive, self._watched, begin, end, losses
            )
        except ArchiveError as error:
            self._report(error)
        self._report_left_out(losses)

    def _progress(self, is_news: bool) -> dict[str, str]:
        """How far was searched: told with what is new, and if nothing is, once a minute of it."""
        searched, told = self._searched, self._told_searched
        if searched is None or not (is_news or told is None or abs(searched - told) >= _QUIET_SEC):
            return {}
        self._told_searched = searched
        return {SEARCHED: str(searched)}

    def _restore(self, now: float, newest: int) -> Restored:
        second, archive = int(now), self._archive
        since = second - self._store.window_sec
        losses = Losses()
        oldest = restore_prices(self._store, archive, since, second + 1, self._symbols, losses)
        # The bars are in the archive already. So are the begins, but a file that is begun meanwhile
        # has to know them, too; minutes are new that were made of bars.
        change = self._changes.collect("archive")
        self.recorder.record(Bars.empty(), minutes=change.minutes, begins=change.begins)
        load_references(
            self._store, archive, self._watched, second - WINDOW_SEC, second + 1, losses
        )
        # Of what is watched no more, too: what ran when it was removed has its end to come.
        upto, tracks = archive.search(losses)
        self._detector.restore(tracks)
        before = now - 2 * WINDOW_SEC
        states = archive.event_states(self._max_events, math.inf, before, losses)
        self._events.add_many(states)
        self._report_left_out(losses)
        # An archive that does not say how far was searched is from before there was any to search.
        self._searched = newest if upto is None else upto
        unsearched = range(max(self._searched + 1, since), min(newest + 1, second))
        return Restored(oldest, second, unsearched)

    def _report_left_out(self, losses: Losses) -> None:
        if losses.left_out:
            self._report(damaged(self._archive.path))

    def _report(self, error: ArchiveError) -> None:
        """Log once that the archive cannot be read, and have a damaged file checked."""
        if str(error) != self._reported:
            self._reported = str(error)
            _logger.warning("%s", error)
        if error.is_damaged:
            self.recorder.request_check()
