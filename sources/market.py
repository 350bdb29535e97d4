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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import numpy as np

from sources.assets import PLAYED_SEC, Played
from sources.instruments import instrument
from sources.paths import Minute, Paths
from sources.quotes import EXCLUDED_CONDITIONS, Printer, Quote
from sources.weather import MINUTE_SEC
from ticks import ASSETS, WINDOW_SEC, Asset, Tick

__all__ = ["Market", "as_ticks"]

HISTORY_MINUTES: Final = WINDOW_SEC // MINUTE_SEC

LATEST_SEC: Final = 60.0
"""A caller who is later than this gets the last minute only: a laptop that slept for a night must
not be flooded with the night's quotes."""

BUSY: Final = 0.8
"""A symbol is traded often if it is so many times a second."""

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
    of one asset the first in the watchlist decides. ``played`` are the stresses that are played, by
    the number of their minute.
    """

    def __init__(
        self,
        symbols: Mapping[Asset, Sequence[str]],
        seed: int,
        start: float,
        resumed: Mapping[str, float] | None = None,
        played: Mapping[int, Sequence[Played]] = MappingProxyType({}),
    ) -> None:
        self.symbols: dict[Asset, tuple[str, ...]] = {
            asset: tuple(dict.fromkeys(symbols.get(asset, ()))) for asset in ASSETS
        }
        self.start = float(math.floor(start))
        self.end = math.inf
        self._resumes = bool(resumed)
        self._given = seed, start, resumed
        self._seed = _seed_from(seed, self.start) if resumed else seed % 2**64
        self._instruments = [instrument(a, s) for a in ASSETS for s in self.symbols[a]]
        self._printers = [Printer(self._seed, item) for item in self._instruments]
        self._played = {number: tuple(each) for number, each in played.items()}
        self._paths = self._new_paths()
        for _ in range(HISTORY_MINUTES):
            self._paths.next_minute()
        if resumed:
            self._paths.continue_from(resumed)
        self._minute = HISTORY_MINUTES
        self._ready: list[Quote] = []
        self._before = self._paths
        """As they were before the newest minute."""
        self._read = self.start
        """Up to when the quotes were read."""

    def earlier_ticks(self, seconds: int = WINDOW_SEC) -> list[Tick]:
        """The ticks of the last seconds before the start, of an hour at most, in time order.

        There are none if this market continues from an earlier one, which has them.
        """
        return as_ticks(self._earlier_quotes(min(seconds, WINDOW_SEC)))

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
            number, self._before = self._minute, deepcopy(self._paths)
            self._ready += self._quotes(self._next_minute(), number)
        self._read = max(self._read, end)
        count = bisect_left(self._ready, end, key=_event_time)
        oldest = bisect_left(self._ready, end - LATEST_SEC, hi=count, key=_event_time)
        due, self._ready = self._ready[oldest:count], self._ready[count:]
        return due

    @property
    def read_to(self) -> float:
        """Up to when its quotes were read."""
        return self._read

    def can_play(self, symbol: str) -> bool:
        """Whether a symbol can be made to jump: one that is kept at a price cannot."""
        return self._paths.moving(symbol) is not None

    def busiest(self, symbols: Sequence[str]) -> list[str]:
        """Those of ``symbols`` that can be made to jump and are traded often; if none is, all."""
        rates = {item.symbol: item.rate for item in self._instruments}
        able = [symbol for symbol in symbols if self.can_play(symbol)]
        return [symbol for symbol in able if rates[symbol] >= BUSY] or able

    def play(self, symbol: str, sign: float, *, is_alone: bool) -> bool:
        """Make a symbol jump right after what was read last, up or down; whether it can.

        With its peers, unless ``is_alone``. What the market does is the same until then.
        """
        leg = self._paths.moving(symbol)
        if leg is None:
            return False
        number = int(self._read - self._minute_start(0)) // MINUTE_SEC
        first = math.ceil(self._read - self._minute_start(number))
        if first + PLAYED_SEC > MINUTE_SEC:  # it would not end within its minute
            number, first = number + 1, 0
        each = self._played.get(number, ())
        self._played[number] = (*each, Played(leg, first, sign, is_alone))
        if number == self._minute - 1:
            self._paths, self._minute = deepcopy(self._before), number
            minute = self._next_minute()
            self._ready = [q for q in self._quotes(minute, number) if q.ts >= self._read]
        return True

    def with_symbols(self, symbols: Mapping[Asset, Sequence[str]]) -> tuple[Market, list[Tick]]:
        """The same market with further symbols, read as far as this one, and the past of those.

        That is their ticks of the last hour, in time order, as far as this market goes back; one
        that continues from an earlier one does so to its start. It takes as long as walking through
        all of its minutes.
        """
        seed, start, resumed = self._given
        read, since = self._read, self._read - WINDOW_SEC
        both = {a: (*self.symbols[a], *symbols.get(a, ())) for a in ASSETS}
        market = Market(both, seed, start, resumed, self._played)
        known = {symbol for names in self.symbols.values() for symbol in names}
        new = [row for row, item in enumerate(market._instruments) if item.symbol not in known]
        past = list(market._earlier_quotes(max(0.0, market.start - since), new))
        while market._minute_start(market._minute) < read:
            number = market._minute
            is_last = market._minute_start(number + 1) >= read
            if is_last:
                market._before = deepcopy(market._paths)
            minute = market._next_minute()
            if market._minute_start(number + 1) > since:
                past += market._quotes(minute, number, new)
            if is_last:
                market._ready = [q for q in market._quotes(minute, number) if q.ts >= read]
        market._read = read
        return market, as_ticks(quote for quote in past if since <= quote.ts < read)

    @property
    def played(self) -> Mapping[int, Sequence[Played]]:
        """The stresses that are played, by the number of their minute."""
        return self._played

    def _next_minute(self) -> Minute:
        """Go on to the next minute, with what is played in it."""
        minute = self._paths.next_minute(self._played.get(self._minute, ()))
        self._minute += 1
        return minute

    def _new_paths(self) -> Paths:
        return Paths(self._instruments, self._seed, self._minute_start(0))

    def _earlier_quotes(self, seconds: float, rows: Sequence[int] | None = None) -> Iterator[Quote]:
        if self._resumes:
            return
        paths = self._new_paths()
        since = self.start - seconds
        for number in range(HISTORY_MINUTES):
            minute = paths.next_minute()
            if self._minute_start(number + 1) > since:
                quotes = self._quotes(minute, number, rows)
                yield from quotes[bisect_left(quotes, since, key=_event_time) :]

    def _skip_to(self, ts: float) -> None:
        while self._minute_start(self._minute + 1) <= ts:
            self._next_minute()

    def _minute_start(self, number: int) -> float:
        return self.start + MINUTE_SEC * (number - HISTORY_MINUTES)

    def _quotes(
        self, minute: Minute, number: int, rows: Sequence[int] | None = None
    ) -> list[Quote]:
        """The quotes of a minute, of some symbols or all."""
        begin_ms = round(self._minute_start(number) * 1000)
        quotes: list[Quote] = []
        for row in range(len(self._printers)) if rows is None else rows:
            levels, pace = minute.levels[row], minute.pace[row]
            quotes += self._printers[row].quotes(levels, pace, number, begin_ms)
        quotes.sort(key=_event_time)
        return quotes


def as_ticks(quotes: Iterable[Quote]) -> list[Tick]:
    """What of quotes sets the last price."""
    return [
        Tick(quote.symbol, quote.asset, quote.ts, quote.price)
        for quote in quotes
        if not quote.conditions or EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
    ]


def _seed_from(seed: int, start: float) -> int:
    """The seed of a market that resumes at ``start``."""
    mixed = np.random.SeedSequence([seed % 2**64, int(start)]).generate_state(1, np.uint64)
    return int(mixed[0])
