"""Entries: what a collector publishes, as bytes: its seconds, its table of symbols, what it knows.

Plain values and pure functions. Fields that are not known here are ignored; what cannot be read at
all raises.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from bars import CANDLE, CELL, MINUTE, Bars, Begin, Candles, Minutes, Referenced
from events import Event, Remembered, Track, Watch
from feeds import FeedStatus
from history.deliveries import Marks, joined
from history.notes import WatchNotes
from sessions import MarketHours
from sources.source import LaidPast, SourceStatus
from sources.wishes import Wish
from store.memory import StoreMemory
from ticks import ASSETS, MAX_EVENTS, WINDOW_SEC, Asset, Tick
from vendors.rest import Quote

__all__ = [
    "CollectorStatus",
    "Entry",
    "EntryError",
    "Memory",
    "Table",
    "decoded_entry",
    "decoded_memory",
    "decoded_status",
    "decoded_table",
    "decoded_wish",
    "encoded",
    "packed_memory",
]


_SECONDS_END: Final = 253_402_300_800
"""After the last second of the year 9999."""

_KEPT_SEC: Final = 2 * WINDOW_SEC
"""What days are measured against is told later if that was not over so long ago."""

_MOST_STATES: Final = 4 * MAX_EVENTS
"""So many states of events are told later, and so many deliveries, the newest."""

_MOST_PASTS: Final = 100
"""So many answers of vendors are told later, the newest."""


class EntryError(ValueError):
    """Something that was published cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The symbols of a collector, by row, and what viewers changed of them there."""

    symbols: tuple[str, ...]
    assets: tuple[Asset, ...]
    watched: Mapping[Asset, tuple[str, ...]]
    """Those of them that are watched now, by class."""
    notes: WatchNotes = field(default_factory=WatchNotes)

    @property
    def digest(self) -> str:
        """What it is published under: another for whatever differs."""
        return hashlib.sha256(encoded(self)).hexdigest()[:16]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one second changed; of the past, what many seconds hold."""

    second: int
    clock: float
    """The collector's clock when it was made."""
    table: str
    """The digest of the table that names the rows of the cells."""
    cells: bytes = b""
    """``CELL``s of this second, and of earlier ones that a late tick changed."""
    is_past: bool = False
    """Whether these are seconds of the past, up to this one, for whoever lacks them."""
    is_last: bool = False
    """Whether the collector stops with this."""
    begins: tuple[Begin, ...] = ()
    prices: tuple[Tick, ...] = ()
    """Last prices that entered no window."""
    references: tuple[Referenced, ...] = ()
    pasts: tuple[LaidPast, ...] = ()
    """What was laid of what vendors told of the time before."""
    hours: tuple[MarketHours, ...] = ()
    """Of each class."""
    halted: Mapping[str, float] = {}
    """What vendors say to be halted, and since when."""
    events: tuple[Event, ...] = ()
    """States that events came into."""
    tracks: tuple[Track, ...] = ()
    watches: tuple[Watch, ...] = ()
    """What the detector remembers anew."""
    told: Marks | None = None
    orders: Mapping[str, tuple[str, ...]] = {}
    """The calm orders, by ranking, that were reviewed in this second: symbols, best first."""

    def bars(self, table: Table) -> Bars:
        """The cells, with the symbols of their rows.

        Raises:
            EntryError: if they are no cells of these symbols, or of no second up to this one.
        """
        cells = _cells(self.cells, CELL, len(table.symbols))
        second, total = cells["second"], cells["sum"]
        # A store is never the same again after a time ahead, or a sum that is no number.
        if len(cells) and (
            second[0] < 0 or second[-1] > self.second or (np.diff(second) < 0).any()
        ):
            raise EntryError(f"cells of other seconds than those up to {self.second}")
        if not ((total > 0.0) & (total < math.inf)).all():
            raise EntryError("the sum of a cell is no sum of prices")
        return Bars(table.symbols, table.assets, cells)

    @property
    def remembered(self) -> tuple[Remembered, ...]:
        """What the detector remembers anew."""
        return (*self.tracks, *self.watches)


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a collector knew at the end of a second beside the prices of its seconds."""

    term: int
    second: int
    seq: int
    """Of the newest entry whose content it has."""
    minutes: bytes = b""
    symbols: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    """Of the rows of the minutes."""
    judged: int = -1
    """The newest minute that was judged."""
    prices: tuple[Tick, ...] = ()
    older: tuple[Tick, ...] = ()
    """Last prices that entered no window, and those that are older than it."""
    begins: tuple[Begin, ...] = ()
    references: tuple[Referenced, ...] = ()
    candles: tuple[tuple[str, tuple[str, ...], bytes], ...] = ()
    """By vendor: symbols by row, and ``CANDLE``s."""
    quotes: tuple[Quote, ...] = ()
    events: tuple[Event, ...] = ()
    tracks: tuple[Track, ...] = ()
    watches: tuple[Watch, ...] = ()
    told: Marks | None = None

    @property
    def remembered(self) -> tuple[Remembered, ...]:
        """What the detector remembered."""
        return (*self.tracks, *self.watches)

    def store(self) -> StoreMemory:
        """What the store remembered.

        Raises:
            EntryError: if the minutes or the candles are none.
        """
        minutes = _cells(self.minutes, MINUTE, len(self.symbols))
        candles = {
            vendor: Candles(names, _cells(cells, CANDLE, len(names)))
            for vendor, names, cells in self.candles
        }
        return StoreMemory(
            judged=self.judged,
            prices=self.prices,
            older=self.older,
            begins=self.begins,
            references=self.references,
            candles=candles,
            minutes=Minutes(self.symbols, self.assets, minutes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorStatus:
    """What is true of the collector's source at one instant."""

    source: SourceStatus
    feeds: tuple[FeedStatus, ...]
    vendors: Mapping[str, str]
    """Whose prices each symbol's are."""
    term: int
    took_over_at: float | None = None
    """When it began to collect in this term, by the broker's clock; None: it does not yet."""
    hole_sec: int = 0
    """How many seconds nobody collected before that."""


def told_with(entry: Entry, lost: Entry) -> Entry:
    """An entry that tells, too, what the one before it would have told but for its prices.

    Of that no more than a store keeps, however many were lost.
    """
    since = entry.second - _KEPT_SEC
    events = {(one.id, one.updated_ts): one for one in (*lost.events, *entry.events)}
    marks = [marks for marks in (lost.told, entry.told) if marks]
    told = joined(marks)
    return msgspec.structs.replace(
        entry,
        begins=(*lost.begins, *entry.begins),
        prices=tuple({one.symbol: one for one in (*lost.prices, *entry.prices)}.values()),
        references=tuple(one for one in (*lost.references, *entry.references) if one.until > since),
        pasts=(*lost.pasts, *entry.pasts)[-_MOST_PASTS:],
        events=tuple(events.values())[-_MOST_STATES:],
        tracks=tuple({one.key: one for one in (*lost.tracks, *entry.tracks)}.values()),
        watches=tuple({one.key: one for one in (*lost.watches, *entry.watches)}.values()),
        told=replace(told, deliveries=told.deliveries[-_MOST_STATES:]) if marks else None,
    )


def packed_memory(
    store: StoreMemory,
    *,
    term: int,
    second: int,
    seq: int,
    quotes: Sequence[Quote],
    events: Sequence[Event],
    remembered: Sequence[Remembered],
    told: Marks | None,
) -> Memory:
    """What is known beside the prices, ready to be encoded."""
    minutes = store.minutes
    return Memory(
        term=term,
        second=second,
        seq=seq,
        minutes=minutes.cells.tobytes(),
        symbols=minutes.symbols,
        assets=minutes.assets,
        judged=store.judged,
        prices=store.prices,
        older=store.older,
        begins=store.begins,
        references=store.references,
        candles=tuple(
            (vendor, found.symbols, found.cells.tobytes())
            for vendor, found in store.candles.items()
        ),
        quotes=tuple(quotes),
        events=tuple(events),
        tracks=tuple(one for one in remembered if isinstance(one, Track)),
        watches=tuple(one for one in remembered if isinstance(one, Watch)),
        told=told,
    )


def encoded(content: Entry | Memory | Table | CollectorStatus | Wish) -> bytes:
    """Anything of these as bytes."""
    return _encoder.encode(content)


def decoded_entry(body: bytes) -> Entry:
    """An entry.

    Raises:
        EntryError: if it cannot be read; so do the others.
    """
    found: Entry = _decoded(body, _entries)
    if not 0 <= found.second < _SECONDS_END or not math.isfinite(found.clock):
        raise EntryError(f"an entry of second {found.second}")
    _reject_no_prices((*found.prices, *(tick for past in found.pasts for tick in past.ticks)))
    _reject_no_references(found.references)
    return found


def decoded_memory(body: bytes) -> Memory:
    """What a collector knew."""
    found: Memory = _decoded(body, _memories)
    _reject_no_prices((*found.prices, *found.older))
    _reject_no_references(found.references)
    return found


def decoded_table(body: bytes) -> Table:
    """A table of symbols, each of them once."""
    table: Table = _decoded(body, _tables)
    names = table.symbols
    if len(table.assets) != len(names) or len(set(names)) != len(names):
        raise EntryError(
            f"{len(names)} symbols, not all different, with {len(table.assets)} classes"
        )
    return table


def decoded_wish(body: bytes) -> Wish:
    """What a viewer asked in another process."""
    found: Wish = _decoded(body, _wishes)
    return found


def decoded_status(body: bytes) -> CollectorStatus:
    """What is true of a collector."""
    found: CollectorStatus = _decoded(body, _statuses)
    return found


def _reject_no_prices(ticks: Iterable[Tick]) -> None:
    """Raise if one of them is of no price, no time or no class."""
    for tick in ticks:
        is_price = 0.0 < tick.price < math.inf and 0.0 <= tick.ts < _SECONDS_END
        if not is_price or tick.asset not in ASSETS:
            raise EntryError(f"{tick.symbol} at {tick.price}")


def _reject_no_references(references: Iterable[Referenced]) -> None:
    """Raise if one of them is of no price, or of no time."""
    for one in references:
        times = one.since, one.until, one.counts_from
        if not (0.0 < one.price < math.inf and all(abs(time) < _SECONDS_END for time in times)):
            raise EntryError(f"{one.symbol} is measured against {one.price}")


def _plain(value: Any) -> Any:
    """What the encoder does not know: a mapping that cannot be changed, a set that cannot be."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value).__name__)


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_plain)
_entries: Final = msgspec.msgpack.Decoder(Entry)
_memories: Final = msgspec.msgpack.Decoder(Memory)
_tables: Final = msgspec.msgpack.Decoder(Table)
_statuses: Final = msgspec.msgpack.Decoder(CollectorStatus)
_wishes: Final = msgspec.msgpack.Decoder(Wish)


def _decoded(body: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Without the text of the error, which may quote what was found.
        raise EntryError(f"{len(body)} bytes that are none: {type(error).__name__}") from None


def _cells(body: bytes, kind: np.dtype[Any], rows: int) -> npt.NDArray[Any]:
    """Cells from their bytes, in order of time."""
    if len(body) % kind.itemsize:
        raise EntryError(f"{len(body)} bytes are no cells of {kind.itemsize}")
    cells = np.frombuffer(body, kind)
    if len(cells) and int(cells["row"].max()) >= rows:
        raise EntryError(f"a cell of row {int(cells['row'].max())}, where there are {rows}")
    return cells
