"""The seeded market behind the embedded exchange.

The exchange reads its quotes on the event loop; nothing here reads a clock, opens a socket or
shares state between threads: time is always an argument. The same seed and the same start give the
same market, quote for quote, whatever else is on the watchlist, because every factor, asset and
symbol draws from its own random generator. With another start the same happens at the volatility
of another time of day; a market that continues from earlier prices is another altogether, as it
must not repeat what happened after its own.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final

import numpy as np

from sources.instruments import instrument
from sources.paths import Minute, Paths
from sources.quotes import EXCLUDED_CONDITIONS, Printer, Quote
from sources.weather import MINUTE_SEC
from ticks import ASSETS, WINDOW_SEC, Asset, Tick

__all__ = ["Market"]

HISTORY_MINUTES: Final = WINDOW_SEC // MINUTE_SEC

LATEST_SEC: Final = 60.0
"""A caller who is later than this gets the last minute only: a laptop that slept for a night must
not be flooded with the night's quotes."""

OPENING_SEC: Final = 600.0
"""How far back to look for opening quotes: the sparsest symbol quotes about every ten seconds."""

_event_time = attrgetter("ts")


class Market:
    """A market that looks like a real one and is determined by its seed and its start.

    Stocks follow the market and their sector, currencies the dollar and their region, coins one
    another and to some degree the stock market. Prices walk at random, with volatility that wanders
    over minutes and hours and follows the time of day in New York; nothing ever closes. Some
    events a day make an asset, or all that share a factor, jump or trend and leave it volatile; now
    and then some assets of a group move together more than usual, or less, for half an hour.

    If ``resumed`` holds the last prices of an earlier market, this one continues from them and has
    no quotes before its start; symbols that are not among them start as always. Of several symbols
    of one asset the first in the watchlist decides.
    """

    def __init__(
        self,
        symbols: Mapping[Asset, Sequence[str]],
        seed: int,
        start: float,
        resumed: Mapping[str, float] | None = None,
    ) -> None:
        self.symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(dict.fromkeys(symbols.get(asset, ()))) for asset in ASSETS
        }
        self.start = float(math.floor(start))
        self.end = math.inf
        self._resumes = bool(resumed)
        self._seed = _seed_from(seed, self.start) if resumed else seed % 2**64
        self._instruments = [instrument(a, s) for a in ASSETS for s in self.symbols[a]]
        self._printers = [Printer(self._seed, item) for item in self._instruments]
        self._paths = self._new_paths()
        for _ in range(HISTORY_MINUTES):
            self._paths.next_minute()
        if resumed:
            self._paths.continue_from(resumed)
        self._minute = HISTORY_MINUTES
        self._ready: list[Quote] = []

    def earlier_ticks(self, seconds: int = WINDOW_SEC) -> list[Tick]:
        """The ticks of the last seconds before the start, of an hour at most, in time order.

        There are none if this market continues from an earlier one, which has them.
        """
        return [
            Tick(quote.symbol, quote.asset, quote.ts, quote.price)
            for quote in self._earlier_quotes(min(seconds, WINDOW_SEC))
            if not quote.conditions or EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
        ]

    def opening_quotes(self) -> list[Quote]:
        """The last quote of every symbol before the start, in time order; none, likewise."""
        latest = {(quote.asset, quote.symbol): quote for quote in self._earlier_quotes(OPENING_SEC)}
        return sorted(latest.values(), key=_event_time)

    def read_until(self, end: float) -> list[Quote]:
        """The next quotes, as far as their event time is before ``end``, in time order.

        A caller who is more than a minute late gets the last minute.
        """
        self._skip_to(end - LATEST_SEC)
        while self._minute_start(self._minute) < end:
            self._ready += self._quotes(self._paths.next_minute(), self._minute)
            self._minute += 1
        count = bisect_left(self._ready, end, key=_event_time)
        oldest = bisect_left(self._ready, end - LATEST_SEC, hi=count, key=_event_time)
        due, self._ready = self._ready[oldest:count], self._ready[count:]
        return due

    def _new_paths(self) -> Paths:
        return Paths(self._instruments, self._seed, self._minute_start(0))

    def _earlier_quotes(self, seconds: float) -> Iterator[Quote]:
        if self._resumes:
            return
        paths = self._new_paths()
        since = self.start - seconds
        for number in range(HISTORY_MINUTES):
            minute = paths.next_minute()
            if self._minute_start(number + 1) > since:
                quotes = self._quotes(minute, number)
                yield from quotes[bisect_left(quotes, since, key=_event_time) :]

    def _skip_to(self, ts: float) -> None:
        while self._minute_start(self._minute + 1) <= ts:
            self._paths.next_minute()
            self._minute += 1

    def _minute_start(self, number: int) -> float:
        return self.start + MINUTE_SEC * (number - HISTORY_MINUTES)

    def _quotes(self, minute: Minute, number: int) -> list[Quote]:
        begin_ms = round(self._minute_start(number) * 1000)
        quotes: list[Quote] = []
        for printer, levels, pace in zip(self._printers, minute.levels, minute.pace, strict=True):
            quotes += printer.quotes(levels, pace, number, begin_ms)
        quotes.sort(key=_event_time)
        return quotes


def _seed_from(seed: int, start: float) -> int:
    """The seed of a market that resumes at ``start``."""
    mixed = np.random.SeedSequence([seed % 2**64, int(start)]).generate_state(1, np.uint64)
    return int(mixed[0])
