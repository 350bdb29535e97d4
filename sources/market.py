"""The seeded market behind the embedded exchange.

The exchange reads its quotes on the event loop; nothing here reads a clock, opens a socket or
shares state between threads: time is always an argument. The same seed gives the same market, quote
for quote, whenever it starts and whatever else is on the watchlist, because every factor,
underlying and symbol draws from its own random generator. Only a market that continues from earlier
prices also depends on its start: it must not repeat what happened after another one.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ticks import ASSETS, WINDOW_SEC, Asset, Tick

__all__ = ["EXCLUDED_CONDITIONS", "Market", "Quote"]

Floats = npt.NDArray[np.float64]

MINUTE_SEC: Final = 60
"""Random numbers are drawn for a minute at a time."""

HISTORY_MINUTES: Final = WINDOW_SEC // MINUTE_SEC

LATEST_SEC: Final = 60.0
"""A caller who is later than this gets the last minute only: a laptop that slept for a night must
not be flooded with the night's quotes."""

OPENING_SEC: Final = 600.0
"""How far back to look for opening quotes: the sparsest symbol quotes about every ten seconds."""

YEAR_SEC: Final[dict[Asset, float]] = {
    "stocks": 252 * 6.5 * 3600,
    "forex": 252 * 24 * 3600,
    "crypto": 365 * 24 * 3600,
}
"""Trading seconds per year, over which annual volatilities are spread."""

FACTORS: Final[dict[str, Asset]] = {
    "market": "stocks",
    "tech": "stocks",
    "finance": "stocks",
    "energy": "stocks",
    "health": "stocks",
    "usd": "forex",
    "coins": "crypto",
}
"""What moves many symbols at once, and the class whose weather it shares. If ``usd`` rises, the
dollar does."""

SECTORS: Final = ("tech", "finance", "energy", "health")

CALM_MINUTES: Final = 150.0
STORM_MINUTES: Final = 3.5
"""Mean length of either weather; each asset class has its own. A storm makes eight or ten symbols
move unusually at once: more than one or two an hour would be noise."""

CALM_VOL: Final = 0.55
STORM_VOL: Final = 1.65
"""Shocks as a multiple of the annual volatility. With the reversion below, ten-second returns in
calm have 1.2 times the annual volatility, one-minute returns 0.8 times."""

STORM_PACE: Final = 2.5
"""Ticks per second in a storm, as a multiple of calm's."""

REVERTING: Final = 0.6
REVERTING_SEC: Final = 12.0
"""The share of every shock that is only the order book giving way and reverts, and how fast. It
makes an ordinary minute quieter than its tens of seconds suggest, as in real order books, so that
news and storms stand out and not the random walk itself."""

JUMP_MINUTES: Final = 110.0
BURST_MINUTES: Final = 480.0
"""Mean time of one underlying between two jumps, and between two bursts of one-sided trading: among
fifteen there is a jump every seven minutes and a burst every half hour."""

BURST_PACE: Final = 6.0
"""Ticks per second in a burst, as a multiple of those without it."""

ODD_LOT_SHARE: Final = 0.01
EXCLUDED_SHARE: Final = 0.003
"""The shares of stock trades that are odd lots, and whose price is away from the market."""

ODD_LOT: Final = 37
EXCLUDED_CONDITIONS: Final = frozenset({2, 7, 13, 20})
"""Conditions of trades away from the market, which must not set the last price."""


class Quote(NamedTuple):
    """A trade or a quote of one symbol, in no vendor's format yet.

    ``ts`` is event time in seconds since the epoch, to the millisecond; ``price`` is a trade's
    price, or the mid in forex; ``bid`` and ``ask`` are always filled.
    """

    asset: Asset
    symbol: str
    ts: float
    price: float
    bid: float
    ask: float
    size: float
    conditions: tuple[int, ...]


class _Traits(NamedTuple):
    """What an underlying (a share, a currency pair, a coin) is like."""

    price: float
    """At the beginning of the hour before the start, in its quote currency."""
    vol_pa: float
    """Annual volatility over calm and storm together, as a fraction."""
    rate: float
    """Ticks per second of its busiest symbol while calm."""
    spread_bp: float
    """Ask minus bid, in 1/10000 of the price."""
    loads: Mapping[str, float]
    """Correlation with each factor; what their squares leave of 1 is its own variance."""


class _Minute(NamedTuple):
    """One minute of one underlying."""

    levels: Floats
    """Natural logarithm of the mid at the 61 second marks."""
    pace: Floats
    """Ticks in each of the 60 seconds, as a multiple of calm's."""


_BIG_TECH: Final = {"market": 0.6, "tech": 0.5}
_MAVERICK_TECH: Final = {"market": 0.5, "tech": 0.4}
_BIG_COIN: Final = {"coins": 0.85, "market": 0.2}

KNOWN: Final[dict[tuple[Asset, str], _Traits]] = {
    ("stocks", "AAPL"): _Traits(331.0, 0.27, 2.0, 0.9, _BIG_TECH),
    ("stocks", "TSLA"): _Traits(405.0, 0.55, 2.5, 1.5, _MAVERICK_TECH),
    ("stocks", "NVDA"): _Traits(190.0, 0.45, 3.0, 1.0, _BIG_TECH),
    ("stocks", "AMZN"): _Traits(232.0, 0.32, 1.0, 1.0, _BIG_TECH),
    ("stocks", "MSFT"): _Traits(512.0, 0.25, 0.8, 0.9, _BIG_TECH),
    ("stocks", "META"): _Traits(705.0, 0.36, 0.3, 1.5, _BIG_TECH),
    ("stocks", "GOOGL"): _Traits(287.0, 0.30, 0.4, 1.2, _BIG_TECH),
    ("forex", "EURUSD"): _Traits(1.139, 0.075, 2.0, 0.5, {"usd": -0.8}),
    ("forex", "GBPUSD"): _Traits(1.342, 0.080, 1.0, 0.8, {"usd": -0.75}),
    ("forex", "AUDUSD"): _Traits(0.7075, 0.100, 0.6, 1.0, {"usd": -0.65}),
    ("forex", "USDJPY"): _Traits(152.4, 0.095, 1.2, 0.8, {"usd": 0.55}),
    ("forex", "USDINR"): _Traits(88.6, 0.070, 0.1, 3.0, {"usd": 0.4}),
    ("crypto", "BTC"): _Traits(84_588.0, 0.50, 4.0, 0.5, _BIG_COIN),
    ("crypto", "ETH"): _Traits(2_810.0, 0.62, 3.0, 0.8, _BIG_COIN),
    ("crypto", "SOL"): _Traits(138.0, 0.70, 1.5, 1.5, {"coins": 0.75, "market": 0.2}),
}
"""The default watchlist: prices of autumn 2026, volatilities and spreads of ordinary weeks."""


def traits(asset: Asset, underlying: str) -> _Traits:
    """What an underlying is like: known, or derived from its name, always in the same way."""
    known = KNOWN.get((asset, underlying))
    if known is not None:
        return known
    a, b, c, d = np.random.default_rng(_crc(underlying)).random(4)
    if asset == "stocks":
        loads = {"market": 0.55, SECTORS[int(d * len(SECTORS))]: 0.4}
        return _Traits(10.0 * 50.0**a, 0.25 + 0.35 * b, 0.2 + 0.8 * c, 1.0 + 2.0 * d, loads)
    if asset == "forex":
        price = {"JPY": 150.0, "INR": 90.0}.get(underlying[3:], 1.0) * (0.7 + 0.6 * a)
        return _Traits(price, 0.07 + 0.03 * b, 0.1 + 0.9 * c, 1.0 + d, _dollar_load(underlying))
    loads = {"coins": 0.7, "market": 0.15}
    return _Traits(1e-4 * 1e5**a, 0.5 + 0.2 * b, 0.2 + 0.8 * c, 1.5 + 1.5 * d, loads)


def _dollar_load(pair: str) -> dict[str, float]:
    if pair.endswith("USD"):
        return {"usd": -0.65}
    return {"usd": 0.55} if pair.startswith("USD") else {}


def underlying_of(asset: Asset, symbol: str) -> str:
    """What a symbol is a price of: BTC-USD and BTC-USDT are both the coin BTC."""
    coin, _, currency = symbol.partition("-")
    return coin if asset == "crypto" and currency.startswith("USD") else symbol


def decimals_of(asset: Asset, symbol: str, price: float) -> int:
    """How many decimals a symbol's price is quoted with."""
    if asset == "stocks":
        return 2
    if asset == "forex":
        return {"JPY": 3, "INR": 4}.get(symbol[3:], 5)
    return 2 + max(0, math.ceil(2 - math.log10(price)))


def _crc(name: str) -> int:
    return zlib.crc32(name.encode())


def _seed_from(seed: int, start: float) -> int:
    """The seed of a market that resumes at ``start``."""
    mixed = np.random.SeedSequence([seed % 2**64, int(start)]).generate_state(1, np.uint64)
    return int(mixed[0])


def _generator(seed: int, name: str, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, _crc(name), *more])


def _reversion() -> tuple[Floats, Floats]:
    """How a minute's shocks and the pending reversion of earlier ones become moves.

    Each second a share of the shock joins what is pending, and a fraction of what is pending
    reverts. The first 60 rows give the moves, the last gives what is pending after the minute; all
    is scaled so that the annual volatility is that of the shocks.
    """
    keep = math.exp(-1 / REVERTING_SEC)
    second, shock = np.indices((MINUTE_SEC + 1, MINUTE_SEC))
    age = np.maximum(second - shock - 1.0, 0.0)
    pending = np.where(shock < second, REVERTING * keep**age, 0.0) / (1 - REVERTING)
    moves = np.eye(MINUTE_SEC) / (1 - REVERTING) - (1 - keep) * pending[:-1]
    decay = keep ** np.arange(MINUTE_SEC + 1.0)
    return np.vstack([moves, pending[-1:]]), np.append((keep - 1) * decay[:-1], decay[-1])


_OF_SHOCKS, _OF_PENDING = _reversion()
_MARKS: Final = np.arange(MINUTE_SEC + 1.0)


class _Weather:
    """Calm or storm over one group, a minute at a time."""

    def __init__(self, seed: int, asset: Asset) -> None:
        self._random = _generator(seed, f"weather {asset}")
        self._stormy = False

    def next_minute(self) -> bool:
        """Go on to the next minute; returns whether it is stormy."""
        mean_stay = STORM_MINUTES if self._stormy else CALM_MINUTES
        if self._random.random() < 1 / mean_stay:
            self._stormy = not self._stormy
        return self._stormy


class _Path:
    """The mid of one underlying, a minute at a time."""

    def __init__(self, seed: int, asset: Asset, underlying: str) -> None:
        self._traits = traits(asset, underlying)
        self._sigma = self._traits.vol_pa / math.sqrt(YEAR_SEC[asset])
        self._own = math.sqrt(1 - sum(load**2 for load in self._traits.loads.values()))
        self._shocks = _generator(seed, f"{asset} {underlying} shocks")
        self._news = _generator(seed, f"{asset} {underlying} news")
        self._level = math.log(self._traits.price)
        self._pending = 0.0

    def continue_from(self, mid: float) -> None:
        """Begin the next minute at another price."""
        self._level = math.log(mid)

    def next_minute(self, factors: Mapping[str, Floats], *, stormy: bool) -> _Minute:
        """The next minute under the factors' moves and the weather of its asset class."""
        shocks = self._own * _gust(stormy=stormy) * self._shocks.standard_normal(MINUTE_SEC)
        for factor, load in self._traits.loads.items():
            shocks += load * factors[factor]
        moves = self._with_reversion(self._sigma * shocks)
        pace = np.full(MINUTE_SEC, STORM_PACE if stormy else 1.0)
        self._add_news(moves, pace)
        levels = self._level + np.concatenate(([0.0], np.cumsum(moves)))
        self._level = float(levels[-1])
        return _Minute(levels, pace)

    def _with_reversion(self, shocks: Floats) -> Floats:
        moves = _OF_SHOCKS @ shocks + _OF_PENDING * self._pending
        self._pending = float(moves[-1])
        return moves[:-1]

    def _add_news(self, moves: Floats, pace: Floats) -> None:
        """Sometimes add a jump of 4 to 10, or a burst of 3 to 6, of its usual one-minute moves."""
        jump, at, size, burst, begin, length, drift = self._news.random(7)
        minute_sigma = self._sigma * math.sqrt(MINUTE_SEC)
        if jump < 1 / JUMP_MINUTES:
            moves[int(at * MINUTE_SEC)] += minute_sigma * _either_way(size, 4, 10)
        if burst < 1 / BURST_MINUTES:
            seconds = 20 + int(21 * length)
            first = int(begin * (MINUTE_SEC - seconds + 1))
            moves[first : first + seconds] += minute_sigma * _either_way(drift, 3, 6) / seconds
            pace[first : first + seconds] *= BURST_PACE


def _gust(*, stormy: bool) -> float:
    return STORM_VOL if stormy else CALM_VOL


def _either_way(uniform: float, least: float, most: float) -> float:
    """A size between least and most, up or down, from one number in [0, 1)."""
    signed = 2 * uniform - 1
    return math.copysign(least + (most - least) * abs(signed), signed)


class _Paths:
    """All underlyings of a watchlist, the factors behind them and the weather, minute by minute."""

    def __init__(self, seed: int, symbols: Mapping[Asset, Sequence[str]]) -> None:
        self._weather = {asset: _Weather(seed, asset) for asset in ASSETS}
        self._factors = {factor: _generator(seed, f"factor {factor}") for factor in FACTORS}
        names = {(a, underlying_of(a, symbol)) for a in ASSETS for symbol in symbols[a]}
        self._paths = {(a, name): _Path(seed, a, name) for a, name in names}

    def continue_from(self, mids: Mapping[tuple[Asset, str], float]) -> None:
        """Begin the next minute at these prices of some underlyings."""
        for underlying, mid in mids.items():
            self._paths[underlying].continue_from(mid)

    def next_minute(self) -> dict[tuple[Asset, str], _Minute]:
        stormy = {asset: weather.next_minute() for asset, weather in self._weather.items()}
        factors = {
            factor: _gust(stormy=stormy[FACTORS[factor]]) * random.standard_normal(MINUTE_SEC)
            for factor, random in self._factors.items()
        }
        return {
            (asset, name): path.next_minute(factors, stormy=stormy[asset])
            for (asset, name), path in self._paths.items()
        }


class _Printer:
    """Turns the minutes of an underlying into the quotes of one of its symbols."""

    def __init__(self, seed: int, asset: Asset, symbol: str) -> None:
        self.symbol = symbol
        self.underlying = (asset, underlying_of(asset, symbol))
        like = traits(*self.underlying)
        self._seed, self._asset = seed, asset
        self._decimals = decimals_of(asset, symbol, like.price)
        self._half_spread = like.spread_bp * 0.5e-4
        self._rate = like.rate
        self._basis = 0.0
        self._typical_size = 400.0 / like.price
        if asset == "crypto" and not symbol.endswith("-USD"):
            # The same coin in another dollar: it ticks less, a few basis points away.
            self._rate *= 0.6
            self._basis = (_crc(symbol) % 81 - 40) * 1e-5

    def mid_of(self, price: float) -> float:
        """The underlying's mid when the symbol's is ``price``."""
        return price * math.exp(-self._basis)

    def quotes(self, minute: _Minute, number: int, begin_ms: int) -> Iterator[Quote]:
        """The quotes of a minute that begins at ``begin_ms`` since the epoch.

        The minute's number seeds what is drawn here, so that minutes can be skipped.
        """
        random = _generator(self._seed, f"{self._asset} {self.symbol} quotes", number)
        seconds = self._times(minute.pace, random)
        count = len(seconds)
        mid = np.exp(np.interp(seconds, _MARKS, minute.levels) + self._basis)
        bid, ask = self._around(mid)
        price = np.where(random.random(count) < 0.5, bid, ask)
        size = random.lognormal(math.log(self._typical_size), 1.0, count).round(6)
        conditions: list[tuple[int, ...]] = [()] * count
        if self._asset == "forex":
            price, size = ((bid + ask) / 2).round(self._decimals + 1), np.zeros(count)
        elif self._asset == "stocks":
            size = 100.0 * np.ceil(random.exponential(2.0, count))
            _mark_odd_prints(price, size, conditions, random)
        ts = (begin_ms + np.floor(seconds * 1000).astype(np.int64)) / 1000
        columns = (column.tolist() for column in (ts, price, bid, ask, size))
        return map(Quote, repeat(self._asset), repeat(self.symbol), *columns, conditions)

    def _times(self, pace: Floats, random: np.random.Generator) -> Floats:
        """Random arrivals at the minute's pace, in seconds since its beginning, in order."""
        expected = np.concatenate(([0.0], np.cumsum(self._rate * pace)))
        arrivals = np.sort(random.random(random.poisson(expected[-1]))) * expected[-1]
        seconds: Floats = np.interp(arrivals, expected, _MARKS)
        return seconds.clip(max=MINUTE_SEC - 0.001)

    def _around(self, mid: Floats) -> tuple[Floats, Floats]:
        """Bid and ask around a mid, on the price grid and at least one step of it apart."""
        bid: Floats = (mid * (1 - self._half_spread)).round(self._decimals)
        ask: Floats = np.maximum(mid * (1 + self._half_spread), bid + 10.0**-self._decimals)
        return bid, ask.round(self._decimals)


def _mark_odd_prints(
    price: Floats, size: Floats, conditions: list[tuple[int, ...]], random: np.random.Generator
) -> None:
    """Make a few stock trades odd lots, and fewer ones excluded trades away from the market."""
    chance = random.random(len(price))
    for i in np.flatnonzero(chance < ODD_LOT_SHARE):
        size[i] = random.integers(1, 100)
        conditions[i] = (ODD_LOT,)
    for i in np.flatnonzero(chance >= 1 - EXCLUDED_SHARE):
        price[i] = round(price[i] * (1 + _either_way(random.random(), 0.003, 0.008)), 2)
        conditions[i] = (14, int(random.choice(sorted(EXCLUDED_CONDITIONS))))


_event_time = attrgetter("ts")


class Market:
    """A market that looks like a real one and is determined by its seed.

    Stocks follow the market and their sector, currency pairs the dollar, coins one another and to
    some degree the stock market; each asset class has calm and stormy spells, and each underlying
    has a jump or a burst of one-sided trading now and then.

    If ``resumed`` holds the last prices of an earlier market, this one continues from them and has
    no quotes before its start; symbols that are not among them start as always. Of several symbols
    of one underlying the first in the watchlist decides.
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
        self._printers = [_Printer(self._seed, a, s) for a in ASSETS for s in self.symbols[a]]
        self._paths = _Paths(self._seed, self.symbols)
        for _ in range(HISTORY_MINUTES):
            self._paths.next_minute()
        if resumed:
            self._paths.continue_from(self._mids(resumed))
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

    def _mids(self, prices: Mapping[str, float]) -> dict[tuple[Asset, str], float]:
        """The mids of underlyings, as the prices of their symbols imply."""
        priced = [printer for printer in self._printers if printer.symbol in prices]
        # In reverse, so that the first symbol of an underlying is set last and wins.
        return {p.underlying: p.mid_of(prices[p.symbol]) for p in reversed(priced)}

    def _earlier_quotes(self, seconds: float) -> Iterator[Quote]:
        if self._resumes:
            return
        paths = _Paths(self._seed, self.symbols)
        since = self.start - seconds
        for number in range(HISTORY_MINUTES):
            minutes = paths.next_minute()
            if self._minute_start(number + 1) > since:
                quotes = self._quotes(minutes, number)
                yield from quotes[bisect_left(quotes, since, key=_event_time) :]

    def _skip_to(self, ts: float) -> None:
        while self._minute_start(self._minute + 1) <= ts:
            self._paths.next_minute()
            self._minute += 1

    def _minute_start(self, number: int) -> float:
        return self.start + MINUTE_SEC * (number - HISTORY_MINUTES)

    def _quotes(self, minutes: Mapping[tuple[Asset, str], _Minute], number: int) -> list[Quote]:
        begin_ms = round(self._minute_start(number) * 1000)
        quotes: list[Quote] = []
        for printer in self._printers:
            quotes += printer.quotes(minutes[printer.underlying], number, begin_ms)
        quotes.sort(key=_event_time)
        return quotes
