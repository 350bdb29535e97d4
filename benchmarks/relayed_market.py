"""A market without a vendor, its collector and a replica of it, driven second by second.

For the benchmark of what several processes cost: both are made of the real parts, and nothing is
waited for, so that what one second takes can be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bars import CELL, KEPT_MINUTES, MINUTE, Bars, Minutes
from engine.heartbeat import Heartbeat, SecondOver, Subscriber
from engine.reader import BEHIND_SEC
from events import EventStore, StressDetector
from history.changes import Changes, Known
from history.deliveries import Marks
from history.notes import WatchNotes
from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours
from settings.relay import RelaySettings
from sources.entries import (
    CollectorStatus,
    Entry,
    Memory,
    decoded_entry,
    encoded,
    packed_memory,
)
from sources.following import Followed, Follower
from sources.publishing import Collected, Publisher
from sources.relay import Relay
from sources.relay_records import Packed
from sources.source import SourceKind, SourceStatus
from ticks import ASSETS, WINDOW_SEC, Asset, Tick

__all__ = ["KEPT_SEC", "PAST_SEC", "Collector", "Market", "Replica"]

PAST_SEC: Final = 7200
"""What a late joiner is to have: the hour that is shown, and the one behind it."""

KEPT_SEC: Final = PAST_SEC + 300
"""For how long the broker keeps an entry."""

_TICKING: Final = 0.8
"""The share of the symbols that have a tick in a second."""

_STEP: Final = 1e-4
_LOADED_SEC: Final = 300
"""So many seconds are loaded into a store in one go."""


class Market:
    """Prices that walk at random, from ``first`` on: the same ones for the same numbers."""

    def __init__(self, symbols: int, first: int) -> None:
        self.symbols = tuple(f"S{number}" for number in range(symbols))
        self.assets: tuple[Asset, ...] = tuple(ASSETS[number % 3] for number in range(symbols))
        self.second = first
        """The one that comes next."""
        self._random = np.random.default_rng(1)
        self._prices = np.full(symbols, 100.0)

    @property
    def watched(self) -> dict[Asset, tuple[str, ...]]:
        """The symbols by class."""
        pairs = tuple(zip(self.symbols, self.assets, strict=True))
        return {asset: tuple(name for name, of in pairs if of == asset) for asset in ASSETS}

    def cells(self) -> npt.NDArray[Any]:
        """The bars of the next second."""
        count = len(self.symbols)
        self._prices *= 1 + _STEP * self._random.standard_normal(count)
        rows = np.flatnonzero(self._random.random(count) < _TICKING)
        cells = np.empty(len(rows), CELL)
        cells["second"], cells["row"], cells["n"] = self.second, rows, 1
        cells["ms"] = self._random.integers(0, 1000, len(rows))
        cells["price"] = cells["sum"] = np.round(self._prices[rows], 4)
        self.second += 1
        return cells

    def ticks(self) -> list[Tick]:
        """The ticks of the next second."""
        names, assets = self.symbols, self.assets
        return [
            Tick(names[row], assets[row], second + ms / 1000.0, price)
            for second, row, ms, _, price, _ in self.cells().tolist()
        ]

    def past(self, seconds: int) -> Iterator[Bars]:
        """The bars of the next ``seconds``, some hundred of them at once."""
        end = self.second + seconds
        while self.second < end:
            parts = [self.cells() for _ in range(min(_LOADED_SEC, end - self.second))]
            yield Bars(self.symbols, self.assets, np.concatenate(parts))

    def minutes(self) -> Minutes:
        """A full day of minutes that ends before the first second."""
        newest, count = self.second // 60, len(self.symbols)
        cells = np.zeros((KEPT_MINUTES, count), MINUTE)
        cells["minute"] = np.arange(newest - KEPT_MINUTES, newest)[:, None]
        cells["row"] = np.arange(count)
        for figure in ("z", "ret_1m", "ret_5m"):
            cells[figure] = self._random.integers(1, 80, cells.shape)
        return Minutes(self.symbols, self.assets, cells.reshape(-1))


class _Shown:
    """What every process has: a store, and the heartbeat that shows its seconds."""

    def __init__(self, market: Market) -> None:
        self.store = PulseStore(WINDOW_SEC + BEHIND_SEC, records=True)
        for symbol, asset in zip(market.symbols, market.assets, strict=True):
            self.store.watch(asset, [symbol])
        self.events = EventStore(10_000)
        self.detector = StressDetector()
        self.found: SecondOver | None = None
        """The second that was searched last."""
        self.heartbeat = Heartbeat(
            self.store,
            self.events,
            self.detector,
            lambda asset, now: True,
            float(market.second),
            (Subscriber("benchmark", self._take),),
        )

    def _take(self, over: SecondOver) -> None:
        self.found = over

    def load(self, past: Bars) -> None:
        """Have a part of the past."""
        self.store.load_bars(past)
        self.store.advance(int(past.cells["second"][-1]) + 1)


class Collector:
    """Collects a market whose past it has not seen yet, and publishes by ``settings``."""

    def __init__(self, market: Market, settings: RelaySettings) -> None:
        self.shown = _Shown(market)
        self.relay = Relay(settings, "collector", ttl_ms=600_000)
        self._market = market
        self._changes = Changes(self.shown.store, self.shown.detector, ("relay",))
        self._second = market.second
        self.publisher = Publisher(
            self.shown.store, self._collected(market.watched), lambda: self._second + 1.25
        )
        self._term = 0

    def _collected(self, watched: Mapping[Asset, tuple[str, ...]]) -> Collected:
        hours = tuple(
            MarketHours(asset, "open", None, None, None, HoursFrom.SOURCE) for asset in ASSETS
        )
        return Collected(
            changed=lambda: self._changes.collect("relay"),
            hours=lambda: hours,
            halted=dict,
            orders=self._orders,
            marks=Marks,
            all_marks=Marks,
            quotes=tuple,
            remembered=lambda: [*self.shown.detector.tracks, *self.shown.detector.watches],
            watched=lambda: watched,
            notes=WatchNotes,
        )

    def _orders(self, second: int) -> Mapping[str, tuple[str, ...]]:
        ranking = self.shown.heartbeat.ranking
        ranking.ask("heat", second)
        return ranking.reviewed(second)

    def begin(self) -> None:
        """Take the lease, and forget what is the past."""
        term = self.relay.take()
        if term is None:
            raise RuntimeError("somebody else has the lease")
        self._term = term
        self.publisher.forget()
        self.publisher.begin()
        for digest, table in self.publisher.tables.items():
            self.relay.set_table(term, digest, encoded(table))

    def collect(self) -> int:
        """Have the ticks of the market's next second; which one that was."""
        self.shown.store.update_many(self._market.ticks())
        self._second = self._market.second - 1
        return self._second

    async def publish(self, second: int) -> None:
        """Make the entry of a second that is shown, and have the broker take it."""
        publisher = self.publisher
        publisher.shown(second)
        await asyncio.sleep(0)  # then it is complete
        batch = publisher.batch()
        await asyncio.to_thread(self.send, batch)
        publisher.sent(batch)

    def send(self, batch: Sequence[Packed]) -> None:
        """Have the broker take entries, and what is true of the collector."""
        self.relay.beat(self._term, batch, self._status(), KEPT_SEC)

    def search(self, second: int) -> None:
        """Search a second that was shown; what is found is published with the next."""
        self.shown.heartbeat.search(second)
        if self.shown.found is not None:
            self.publisher.found(self.shown.found.events)

    def _status(self) -> bytes:
        return encoded(
            CollectorStatus(
                term=self._term,
                source=SourceStatus(kind=SourceKind.LIVE, name="live"),
                feeds=(),
                vendors=dict.fromkeys(self._market.symbols, "somebody"),
            )
        )

    def memory(self) -> Memory:
        """What late joiners lack beside the prices."""
        return packed_memory(
            self.shown.store.remember(),
            term=self._term,
            second=self._second,
            seq=self.publisher.seq,
            quotes=(),
            events=self.shown.events.latest(10_000),
            remembered=[*self.shown.detector.tracks, *self.shown.detector.watches],
            told=None,
        )

    def published(self, newest: int) -> list[Entry]:
        """The ``newest`` entries of those that were published, of a few minutes at most."""
        return [decoded_entry(read.body or b"") for read in self.relay.read()[-newest:]]

    def clear(self) -> None:
        """Have the broker forget all entries."""
        self.relay.clear(self._term)

    def keep_memory(self, body: bytes) -> None:
        """Have the broker keep that."""
        self.relay.set_memory(self._term, body)


class Replica:
    """Follows the collector of a market whose past it has not seen yet."""

    def __init__(self, market: Market, settings: RelaySettings) -> None:
        self.shown = _Shown(market)
        self.relay = Relay(settings, "replica")
        self.follower = Follower(
            self.relay,
            self.shown.store,
            self.shown.events,
            self.shown.heartbeat,
            Followed(table=_watch, marks=_learn, quotes=_learn, past=_keep),
        )

    async def follow(self) -> None:
        """Take what was published, show it, and look who collects; as a process does each time."""
        await self.follower.wait(1000)
        await asyncio.to_thread(self.relay.look, with_ends=False)


async def _watch(watched: Mapping[Asset, tuple[str, ...]], notes: WatchNotes) -> None:
    """What a replica without a page does with its watchlist."""


def _learn(what: object) -> None:
    """What a replica without alerts does with those of others."""


async def _keep(past: Known) -> None:
    """What a replica without an archive does with the past."""
