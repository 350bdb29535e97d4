"""Publisher: makes an entry of each second that a collector shows, and holds those to be sent.

It belongs to the worker's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import msgspec
import numpy as np
import numpy.typing as npt

from bars import CELL, Begin
from events import Event, Remembered, Track, Watch
from history.changes import Change
from history.deliveries import Marks
from history.notes import WatchNotes
from pulse_store import RECENT_SEC, PulseStore
from sessions import MarketHours
from sources.entries import Entry, Table, decoded_entry, encoded, told_with
from sources.relay_records import Packed
from sources.source import LaidPast
from ticks import Asset, Tick
from vendors.rest import Quote

__all__ = ["MOST_WAITING_SEC", "PAST_SEC", "Collected", "Publisher"]

MOST_WAITING_SEC: Final = 120
"""So many seconds wait at most while the broker takes none."""

PAST_SEC: Final = 60
"""So many seconds of the past are one entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collector asks of the parts around it, on the worker's thread."""

    changed: Callable[[], Change]
    """What is new in the store and the detector since it was asked last."""
    hours: Callable[[], tuple[MarketHours, ...]]
    halted: Callable[[], Mapping[str, float]]
    """What vendors say to be halted, and since when."""
    orders: Callable[[int], Mapping[str, tuple[str, ...]]]
    """The calm orders that were reviewed in a second."""
    marks: Callable[[], Marks]
    """What became of the alerts since it was asked last."""
    all_marks: Callable[[], Marks]
    """What is known of the alerts."""
    quotes: Callable[[], Sequence[Quote]]
    """The newest of each symbol that has any."""
    remembered: Callable[[], Sequence[Remembered]]
    """All that the detector remembers."""
    watched: Callable[[], Mapping[Asset, tuple[str, ...]]]
    """The symbols that are watched, ..."""
    notes: Callable[[], WatchNotes]
    """... and what viewers changed of them."""


class _Waiting(NamedTuple):
    """An entry that the broker has yet to take."""

    number: int
    second: int
    table: str
    body: bytes
    is_lasting: bool
    """Whether it has more than what is of its second alone; see ``has_lasting``."""


class Publisher:
    """Makes an entry of each second of ``store`` that is shown, with what was found in it.

    ``clock`` is the collector's. What waits to be sent is dropped after ``MOST_WAITING_SEC``.
    """

    def __init__(self, store: PulseStore, collected: Collected, clock: Callable[[], float]) -> None:
        self._store = store
        self._collected = collected
        self._clock = clock
        self.wake = asyncio.Event()
        """Set when there is something to send."""
        self.seq = 0
        """Of the newest entry that was taken; they have no gap within a term."""
        self.second: int | None = None
        """The newest that an entry was made of."""
        self.published: int | None = None
        """The newest second that the broker took."""
        self.lost = 0
        """Entries that waited too long."""
        self._waiting: deque[_Waiting] = deque()
        self._number = 0
        """Of the newest entry that was made."""
        self._base = 0
        """The number of an entry is its seq in this term, and so much more."""
        self._sent: deque[Packed] = deque(maxlen=MOST_WAITING_SEC)
        """What was taken last, which a broker that crashes may lose."""
        self._table: Table | None = None
        self._digest = ""
        self._tables: dict[str, Table] = {}
        self._begin()

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables of symbols that entries name which wait, and the newest, by their digests."""
        named = {each.table for each in self._waiting} | {self._digest}
        return {digest: table for digest, table in self._tables.items() if digest in named}

    @property
    def waiting(self) -> int:
        """How many entries wait."""
        return len(self._waiting)

    @property
    def waits_since(self) -> int | None:
        """The oldest second whose entry waits; None: none does."""
        # A clock that was set back shows seconds anew: the first is not always the oldest.
        return min((one.second for one in self._waiting), default=None)

    def newest_seq(self) -> int:
        """The seq of the newest entry that was made: what is in memory now is told with it.

        That of the second that was just shown is completed for that.
        """
        self._finish()
        return self._number - self._base

    def has_lasting(self) -> bool:
        """Whether the broker did not take the begin of a window, or what was laid of the past.

        The store cannot let go of these as it can of the prices of the newest seconds.
        """
        self._finish()
        self._take_note()
        is_waiting = any(one.is_lasting for one in self._waiting)
        return is_waiting or _is_lasting(self._begins, self._pasts)

    def begin(self) -> None:
        """Begin a new term, in which nothing was taken yet; what waits goes with it."""
        self._finish()
        self._newest_table()
        self._sent.clear()
        self.seq, self._base = 0, self._number - len(self._waiting)

    def forget(self) -> None:
        """Forget what is new up to now: others have it, or it is told as the past."""
        self._collected.changed()
        self._collected.marks()
        self._begin()

    def _begin(self) -> None:
        self._touched: set[int] = set()
        """Seconds that changed and are still to be published."""
        self._cells: dict[int, npt.NDArray[Any]] = {}
        """What was published of the newest seconds."""
        self._prices: dict[str, Tick] = {}
        """The last prices that entered no window."""
        self._draft: Entry | None = None
        self._events: list[Event] = []
        self._begins: list[Begin] = []
        self._remembered: dict[str, Remembered] = {}
        self._pasts: list[LaidPast] = []

    # What happens.

    def add_past(self, laid: LaidPast) -> None:
        """Publish with the next second what was laid of what a vendor told of the time before."""
        self._pasts.append(laid)

    def found(self, events: Sequence[Event]) -> None:
        """Publish states of events: with the second that was just shown, or with the next."""
        self._events += events

    def shown(self, second: int) -> None:
        """Make the entry of a second that is shown, as the store is now.

        It is complete when the loop goes on: what is searched at once belongs to it.
        """
        self._finish()
        self._take_note()
        table = self._newest_table()
        prices = [
            tick for tick in self._store.initial_prices() if self._prices.get(tick.symbol) != tick
        ]
        self._prices |= {tick.symbol: tick for tick in prices}
        self._draft = Entry(
            second=second,
            clock=self._clock(),
            table=table,
            cells=self._due(second).tobytes(),
            begins=tuple(self._begins),
            prices=tuple(prices),
            references=tuple(self._store.collect_references()),
            pasts=tuple(self._pasts),
            hours=self._collected.hours(),
            halted=dict(self._collected.halted()),
            orders=self._collected.orders(second),
        )
        self._begins, self._pasts = [], []
        asyncio.get_running_loop().call_soon(self._finish)

    def last(self) -> None:
        """Publish that nothing follows."""
        self._finish()
        if self.second is not None:
            entry = Entry(second=self.second, clock=self._clock(), table=self._digest, is_last=True)
            self._put(self._completed(entry))

    def _finish(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            self._put(self._completed(draft))

    def _completed(self, entry: Entry) -> Entry:
        """An entry with what was found and told since the one before."""
        self._take_note()
        remembered = list(self._remembered.values())
        marks = self._collected.marks()
        events, self._events, self._remembered = tuple(self._events), [], {}
        return msgspec.structs.replace(
            entry,
            events=events,
            tracks=tuple(one for one in remembered if isinstance(one, Track)),
            watches=tuple(one for one in remembered if isinstance(one, Watch)),
            told=marks or None,
        )

    def _put(self, entry: Entry) -> None:
        self.second = entry.second
        self._number += 1
        is_lasting, body = _is_lasting(entry.begins, entry.pasts), encoded(entry)
        self._waiting.append(_Waiting(self._number, entry.second, self._digest, body, is_lasting))
        while len(self._waiting) > MOST_WAITING_SEC:
            lost, then = self._waiting.popleft(), self._waiting[0]
            # Its prices are a hole, but what is told only once is told with the next.
            told = told_with(decoded_entry(then.body), decoded_entry(lost.body))
            is_lasting = then.is_lasting or lost.is_lasting
            self._waiting[0] = then._replace(body=encoded(told), is_lasting=is_lasting)
            self.lost += 1
        self.wake.set()

    def _take_note(self) -> None:
        """Take note of what is new in the store and the detector."""
        change = self._collected.changed()
        self._touched.update(np.unique(change.bars.cells["second"]).tolist())
        self._begins += change.begins
        self._remembered |= {one.key: one for one in change.remembered}

    def _due(self, second: int) -> npt.NDArray[Any]:
        """The cells of this second and of earlier ones that differ from what was published."""
        due = {one for one in self._touched if one <= second}
        self._touched -= due
        parts = []
        # Of what is older nothing is kept by the second; the past tells of it.
        for one in sorted(one for one in due if one > second - RECENT_SEC):
            cells = self._store.recent_bars(one, one + 1).cells
            before = self._cells.get(one)
            self._cells[one] = cells
            parts.append(cells if before is None else _changed(cells, before))
        for one in [one for one in self._cells if one <= second - RECENT_SEC - 10]:
            del self._cells[one]
        return np.concatenate(parts) if parts else np.empty(0, CELL)

    def _newest_table(self) -> str:
        """The digest of the table of now, which is made anew if the symbols are others."""
        bars = self._store.recent_bars(0, 0)
        watched, notes = self._collected.watched(), self._collected.notes()
        table = self._table
        if (
            table is None
            or len(table.symbols) != len(bars.symbols)
            or table.watched != watched
            or table.notes != notes
        ):
            self._table = Table(
                symbols=bars.symbols,
                assets=cast("tuple[Asset, ...]", bars.assets),
                watched=dict(watched),
                notes=notes,
            )
            self._digest = self._table.digest
            self._tables = {**self.tables, self._digest: self._table}
        return self._digest

    # What is sent.

    def batch(self, most: int = 60) -> list[Packed]:
        """What waits longest."""
        return [
            Packed(each.second, each.number - self._base, each.body)
            for each in islice(self._waiting, most)
        ]

    def send_again(self) -> list[Packed]:
        """What was taken before, and may be lost: whoever still has it takes it once."""
        return list(self._sent)

    def sent(self, batch: Sequence[Packed]) -> None:
        """Know that these were taken."""
        self._sent.extend(batch)
        if batch:
            self.know_taken(batch[-1].seq)

    def know_taken(self, seq: int) -> None:
        """Know that all up to ``seq`` of this term were taken, though its word was lost."""
        while self._waiting and self._waiting[0].number - self._base <= seq:
            self.published = self._waiting.popleft().second
        self.seq = max(self.seq, seq)
        if not self._waiting:
            self.wake.clear()

    def drop_waiting(self) -> None:
        """Let what waits go: another process published these seconds."""
        self._waiting.clear()
        self._sent.clear()
        self.wake.clear()

    def past(self, first: int, end: int) -> Iterator[Packed]:
        """Entries of the seconds from ``first`` to ``end`` (excluded), as memory has them.

        They name the newest table, and come before all that waits, which is numbered behind all of
        them from now on. Any one thread may make them.
        """
        begins = range(first, end, PAST_SEC)
        numbered = enumerate(begins, self.seq + 1)
        self._base -= len(begins)
        digest, clock = self._digest, self._clock()

        def packed(seq: int, begin: int) -> Packed:
            upto = min(begin + PAST_SEC, end)
            entry = Entry(
                second=upto - 1,
                clock=clock,
                table=digest,
                cells=self._store.stored_bars(begin, upto).cells.tobytes(),
                is_past=True,
            )
            return Packed(upto - 1, seq, encoded(entry))

        return (packed(seq, begin) for seq, begin in numbered)

    def past_sent(self, batch: Sequence[Packed]) -> None:
        """Know that these of the past were taken."""
        self.seq = batch[-1].seq


def _is_lasting(begins: Sequence[Begin], pasts: Sequence[LaidPast]) -> bool:
    """Whether these leave something in the windows or in what a store knows of the past."""
    return bool(begins) or any(past.candles or past.ticks for past in pasts)


def _changed(cells: npt.NDArray[Any], before: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of the cells of a second, in order of their rows, those that are not as they were before."""
    place = np.searchsorted(before["row"], cells["row"])
    is_known = place < len(before)
    is_same = np.zeros(len(cells), np.bool_)
    is_same[is_known] = before[place[is_known]] == cells[is_known]
    return cells[~is_same]
