"""Follower: takes what a collector publishes into the store, second by second or many at once.

It belongs to the worker's thread; what waits for the broker, or takes long, runs on another one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bars import CELL, Bars
from events import EventStore, Remembered
from history.changes import Known
from history.deliveries import Marks
from history.notes import WatchNotes
from pulse_store import RECENT_SEC, PulseStore
from sessions import MarketHours
from sources.entries import (
    Entry,
    EntryError,
    Memory,
    Table,
    decoded_entry,
    decoded_memory,
    decoded_table,
)
from sources.relay_records import FORMAT, START, Read, Standing
from sources.source import Seconds
from ticks import ASSETS, WINDOW_SEC, Asset
from vendors.rest import Quote

if TYPE_CHECKING:
    from sources.relay import Relay

__all__ = ["Followed", "Follower", "NewerFormatError", "OutdatedError"]

BULK_SEC: Final = 60
"""More seconds than these that come at once are loaded and not shown one by one."""

_OWN_SEC: Final = 10
"""So many seconds after the newest that is known may have ticks of this process's own."""

FAR_SEC: Final = WINDOW_SEC
"""Who has missed more at once begins anew: what was usual meanwhile is not told again."""

AHEAD_SEC: Final = 60
"""The collector's clock is compared with this computer's over so many seconds."""


class NewerFormatError(Exception):
    """The collector speaks a newer format, ``format``."""

    def __init__(self, found: int) -> None:
        super().__init__(f"format {found}")
        self.format = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Who else is told of what a collector publishes."""

    table: Callable[[Mapping[Asset, tuple[str, ...]], WatchNotes], Awaitable[None]]
    """Which symbols are watched now, and what viewers changed of them; their rows are there."""
    marks: Callable[[Marks], None]
    """What became of the alerts."""
    quotes: Callable[[Sequence[Quote]], None]
    """What vendors say of sessions."""
    past: Callable[[Known], Awaitable[None]]
    """What was taken at once."""


class OutdatedError(Exception):
    """Nothing goes on of what is known here: all is to begin anew."""


class _Taken(NamedTuple):
    """An entry with the table of its rows, and where it stands among all."""

    term: int
    seq: int
    entry: Entry
    table: Table


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was read in one go."""

    taken: list[_Taken]
    """The entries that are of this process's future, and can be read."""
    count: int
    """Of all of them."""
    last: Read
    """The last of all."""


class Follower:
    """Takes the entries of ``relay`` into ``store`` and ``events``, and has ``seconds`` show them.

    ``wall`` is this computer's clock, ``steady`` one that nobody sets.
    """

    def __init__(
        self,
        relay: Relay,
        store: PulseStore,
        events: EventStore,
        seconds: Seconds,
        followed: Followed,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay = relay
        self._store = store
        self._events = events
        self._seconds = seconds
        self._followed = followed
        self._wall = wall
        self._steady = steady
        self._tables: dict[str, Table] = {}
        self.cursor = START
        """The id of the entry that was read last."""
        self.position = 0, 0
        """The term and seq of the entry that was taken last."""
        self.second: int | None = None
        """The newest second that is known, by an entry or to whoever published it."""
        self.first: int | None = None
        """The first that was loaded."""
        self.table: Table | None = None
        """The newest table."""
        self.hours: Mapping[Asset, MarketHours] = {}
        self.halted: Mapping[str, float] = {}
        """As the newest entry says."""
        self.heard_at: float | None = None
        """When the newest entry came, by the steady clock."""
        self.has_ended = False
        """Whether the collector said that it stops."""
        self.has_unread = False
        """Whether the newest entry could not be read."""
        self._own_term: int | None = None
        """In which this process collected by itself, if nobody did since."""
        self._memory_position = 0, 0
        """The term and seq of the newest entry that the memory knows which was read at first."""
        self._is_forgettable = True
        """Whether all that it did not publish then can be forgotten."""
        self._unrestored: list[Remembered] = []
        """What the detector is to remember with the next second that is shown."""
        self._clock = 0.0
        """The collector's clock in the newest entry."""
        self._ahead: deque[float] = deque(maxlen=AHEAD_SEC)

    # What is known.

    def clock(self, speed: float) -> float:
        """The collector's clock now, which goes at ``speed``; 0 if no entry came yet."""
        if self.heard_at is None:
            return 0.0
        return self._clock + (self._steady() - self.heard_at) * speed

    @property
    def ahead_sec(self) -> float | None:
        """How far the collector's clock is ahead of this computer's, by the fastest word lately."""
        return max(self._ahead, default=None)

    # Taking.

    def go_on_from(
        self,
        second: int | None,
        position: tuple[int, int],
        cursor: str,
        clock: float,
        *,
        is_forgettable: bool = True,
    ) -> None:
        """Know that this process published up to here by itself, until its ``clock`` was this.

        What it collected after that is forgotten once another one's seconds come; if it is not
        ``is_forgettable`` nothing that is known here goes on then.
        """
        self.second, self.position, self.cursor = second, position, cursor
        self._own_term, self._is_forgettable = position[0], is_forgettable
        self._clock, self.heard_at = clock, self._steady()
        self.has_ended = False
        self._ahead.clear()

    def has_lost_place(self, standing: Standing) -> bool:
        """Whether the stream was begun anew, so that it never reaches where this one is."""
        last = standing.last
        return self.cursor != START and (last is None or _place(last.id) < _place(self.cursor))

    async def catch_up(self) -> int:
        """Take all that is there and not taken yet, and show the last; returns how many it was.

        Raises:
            BrokerError: if the broker has no answer.
            NewerFormatError: if the newest entry is of a newer format; the others are taken.
            OutdatedError: if nothing that is known here goes on; then nothing is taken any more.
        """
        count = 0
        while batch := await asyncio.to_thread(self._decoded, self._pages()):
            count += batch.count
            await self._take_all(batch)
        return count

    async def wait(self, block_ms: int) -> int:
        """Wait for entries and take them; raises as ``catch_up``."""
        cursor = "0-0" if self.cursor == START else self.cursor
        reads = await asyncio.to_thread(self._relay.wait, cursor, block_ms)
        batch = await asyncio.to_thread(self._decoded, [reads])
        if batch is None:
            return 0
        await self._take_all(batch)
        return batch.count

    def _is_before(self, taken: _Taken) -> bool:
        """Whether another collector's second is one of long ago, of a tape that begins anew say."""
        if self.second is None or taken.term == self.position[0] or taken.entry.is_last:
            return False
        return taken.entry.second < self.second - RECENT_SEC

    def _is_far(self, taken: _Taken) -> bool:
        """Whether so much was missed before an entry that who joins late knows more."""
        is_next = (taken.term, taken.seq) == (self.position[0], self.position[1] + 1)
        if self.second is None or is_next:
            return False
        return taken.entry.second > self.second + FAR_SEC

    def _is_in_memory(self, taken: _Taken) -> bool:
        """Whether the memory that was read at first knows all that an entry tells but its bars."""
        return (taken.term, taken.seq) <= self._memory_position

    def _is_shown(self, taken: _Taken) -> bool:
        """Whether an entry's second may be shown.

        Not one from before the memory, which may know what came since: with it the second would not
        look as it did.
        """
        return not taken.entry.is_past and (taken.entry.is_last or not self._is_in_memory(taken))

    def _pages(self) -> Iterator[Sequence[Read]]:
        cursor = self.cursor
        while page := self._relay.read(cursor):
            yield page
            cursor = page[-1].id

    async def _take_all(self, batch: _Batch) -> None:
        taken = batch.taken
        if self._own_term is not None:
            taken = self._others(taken)
        known_to = -1 if self.second is None else self.second
        taken = [one for one in taken if not one.entry.is_past or one.entry.second > known_to]
        if any(self._is_before(one) for one in taken) or (taken and self._is_far(taken[0])):
            raise OutdatedError
        has_past = self.second is None or any(one.entry.is_past for one in taken)
        if taken and (has_past or len(taken) > BULK_SEC):
            # The past may come in parts, and is not shown second by second.
            memory = await asyncio.to_thread(self._memory) if self.second is None else None
            if memory is not None:
                self._memory_position = memory.term, memory.seq
            # Not shown if it is all there is: the memory is loaded with an entry.
            is_alone = memory is not None and len(taken) == 1
            shown = 1 if self._is_shown(taken[-1]) and not is_alone else 0
            await self._load(taken[: len(taken) - shown], memory)
            taken = taken[len(taken) - shown :]
        for one in taken:
            if self._is_shown(one):
                await self._take(one)
            else:
                await self._load([one], None)
        self.cursor = batch.last.id
        if batch.last.format > FORMAT:
            raise NewerFormatError(batch.last.format)

    def _decoded(self, pages: Iterable[Sequence[Read]]) -> _Batch | None:
        """What was read, page by page: hours of many symbols are not held as they were sent, too.

        None if it is nothing.
        """
        taken, position, count, last = list[_Taken](), self.position, 0, None
        for page in pages:
            for read in page:
                count, last = count + 1, read
                # What was sent twice is taken once.
                if read.format > FORMAT or (read.term, read.seq) <= position:
                    continue
                position = read.term, read.seq
                one = self._read_entry(read)
                self.has_unread = one is None
                if one is not None:
                    taken.append(one)
        return None if last is None else _Batch(taken, count, last)

    def _read_entry(self, read: Read) -> _Taken | None:
        """An entry, with its table; None if it cannot be read."""
        try:
            entry = decoded_entry(read.body or b"")
            table = self._tables.get(entry.table)
            if table is None:
                table = self._tables[entry.table] = self._read_table(entry.table)
            entry.bars(table)
        except EntryError:
            return None
        return _Taken(read.term, read.seq, entry, table)

    def _read_table(self, digest: str) -> Table:
        body = self._relay.table(digest)
        if body is None:
            raise EntryError("the table of an entry is not there")
        return decoded_table(body)

    def _others(self, taken: list[_Taken]) -> list[_Taken]:
        """What another one collected; the last words of this process are only heard."""
        for one in taken:
            if one.term == self._own_term:
                self._hear(one)
        others = [one for one in taken if one.term != self._own_term]
        if others:
            self._forget_own()
        return others

    def _forget_own(self) -> None:
        """Let go of what this process collected and nobody was told: others show other seconds.

        Raises:
            OutdatedError: if that cannot be done.
        """
        if not self._is_forgettable:
            raise OutdatedError
        if self.second is not None:
            self._store.forget_after(self.second)
            self._events.forget_after(self.second + 1.0)
        self._own_term = None

    async def _watch(self, table: Table) -> None:
        """Have a row for each symbol, in the collector's order, and show those that it watches."""
        if table is self.table:
            return
        self.table = table
        # At once: one by one, a row for each of thousands takes seconds.
        self._store.load_bars(Bars.empty(table.symbols, table.assets))
        for asset in ASSETS:
            pairs = zip(table.symbols, table.assets, strict=True)
            self._store.watch(asset, [symbol for symbol, of in pairs if of == asset])
        watched = {symbol for names in table.watched.values() for symbol in names}
        self._store.unwatch(set(self._store.symbols) - watched)
        await self._followed.table(table.watched, table.notes)

    # One by one.

    async def _take(self, taken: _Taken) -> None:
        """Take one entry, and show its second."""
        entry, before = taken.entry, self.second
        self._hear(taken)
        await self._watch(taken.table)
        if entry.is_last:
            # What was loaded before is shown all the same.
            if self._unrestored and before is not None:
                self._show(before, entry)
            return
        for begin in entry.begins:
            self._store.begin_anew([begin.symbol], begin.second, begin.vendor)
        for past in entry.pasts:
            self._seconds.add_laid(past)
        self._lay(entry)
        self._store.put(entry.bars(taken.table))
        self._store.put_initial_prices(entry.prices)
        self._show(entry.second, entry)
        if entry.told:
            self._followed.marks(entry.told)

    def _show(self, second: int, entry: Entry) -> None:
        remembered = (*self._unrestored, *entry.remembered)
        self._unrestored = []
        self._seconds.take(second, entry.events, remembered, entry.orders)

    def _lay(self, entry: Entry) -> None:
        """Know what days are measured against."""
        for one in entry.references:
            self._store.set_reference(
                one.symbol,
                one.price,
                one.since,
                one.until,
                counts_from=one.counts_from,
                vendor=one.vendor,
            )

    def _hear(self, taken: _Taken) -> None:
        """Know what an entry says of its collector."""
        entry = taken.entry
        self.position = taken.term, taken.seq
        if entry.is_past:
            return
        self.heard_at = self._steady()
        self._clock = entry.clock
        self._ahead.append(entry.clock - self._wall())
        self.has_ended = entry.is_last
        if entry.is_last:
            return
        self.second = entry.second
        self.hours = {one.asset: one for one in entry.hours}
        self.halted = entry.halted

    # Many at once.

    async def _load(self, taken: Sequence[_Taken], memory: Memory | None) -> None:
        """Take many entries, and show none of their seconds; who joins has a ``memory``, too."""
        if not taken:
            return
        await self._watch(taken[-1].table)
        bars = await asyncio.to_thread(self._load_into_store, taken, memory)
        live = [one.entry for one in taken if not one.entry.is_past and not one.entry.is_last]
        newer = [one.entry for one in taken if not (self._is_in_memory(one) or one.entry.is_past)]
        events = [event for entry in newer for event in entry.events]
        remembered = [one for entry in newer for one in entry.remembered]
        if memory is not None:
            events = [*memory.events, *events]
            remembered = [*memory.remembered, *remembered]
            self._followed.quotes(memory.quotes)
        self._events.add_many(events)
        self._unrestored += remembered
        for told in (None if memory is None else memory.told, *(entry.told for entry in newer)):
            if told:
                self._followed.marks(told)
        if self.second is None and len(bars):
            self.first = int(bars.cells["second"][0])
        last = taken[-1]
        self.position = last.term, last.seq
        second = max((one.entry.second for one in taken), default=0)
        self.second = second
        self._seconds.know_past(self.first, second + 1)
        for one in taken:
            for past in one.entry.pasts:
                if self._is_in_memory(one):
                    # Of what a memory knows only the ticks are missing: it has no bars.
                    past = past._replace(candles=(), quotes=())
                self._seconds.add_laid(past)
        of_live = bars.between(live[0].second, second + 1) if live else Bars.empty()
        begins = [begin for entry in live for begin in entry.begins]
        await self._followed.past(Known(of_live, begins, events, remembered, second))

    def _memory(self) -> Memory | None:
        """What the collector knew beside the prices; None: nothing that can be read."""
        body = self._relay.memory()
        if body is None:
            return None
        try:
            memory = decoded_memory(body)
            memory.store()
        except EntryError:
            return None
        return memory

    def _load_into_store(self, taken: Sequence[_Taken], memory: Memory | None) -> Bars:
        """Lay what entries hold into the store, and close its bars; returns theirs."""
        store = self._store
        if memory is not None:
            store.recall(memory.store())
        newer = [one.entry for one in taken if not self._is_in_memory(one)]
        for entry in newer:
            for begin in entry.begins:
                store.begin_anew([begin.symbol], begin.second, begin.vendor)
        bars = _joined(taken)
        since = -1 if self.second is None else self.second + _OWN_SEC
        own = bars.between(0, since + 1)
        if len(own):
            store.put(own)
        store.load_bars(bars.between(since + 1, _FOREVER))
        for entry in newer:
            self._lay(entry)
            store.put_initial_prices(entry.prices)
        store.advance(max(one.entry.second for one in taken) + 1)
        return bars


_FOREVER: Final = 2**62


def _place(entry_id: str) -> tuple[int, ...]:
    """Where an entry is, by its id."""
    return tuple(map(int, entry_id.split("-")))


def _joined(taken: Sequence[_Taken]) -> Bars:
    """The bars of many entries, each as it was published last, in order of their seconds."""
    newest = taken[-1].table
    # As bytes: numpy compares the fields of each of thousands of parts before it joins them.
    parts = []
    for _, group in groupby(taken, key=lambda one: id(one.table)):
        some = tuple(group)
        cells = np.frombuffer(b"".join(one.entry.cells for one in some), CELL)
        parts.append(_in_rows_of(newest, some[0].table, cells))
    cells = parts[0] if len(parts) == 1 else np.concatenate(parts)
    key = cells["second"] * 65536
    key += cells["row"]
    if not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        key = key[order]
        is_last = np.append(key[1:] != key[:-1], True)
        cells = cells[order[is_last]]
    return Bars(newest.symbols, newest.assets, cells)


def _in_rows_of(newest: Table, table: Table, cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The cells of the symbols that the newest table has, too, by its rows."""
    if table is newest:
        return cells
    row_of = {symbol: row for row, symbol in enumerate(newest.symbols)}
    rows = np.array([row_of.get(symbol, -1) for symbol in table.symbols], np.int64)
    at = rows[cells["row"]]
    found: npt.NDArray[Any] = cells[at >= 0].copy()
    found["row"] = at[at >= 0]
    return found
