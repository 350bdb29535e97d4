"""The store's arithmetic once more, by brute force: every tick kept, everything computed naively.

``Oracle`` is what ``PulseStore`` is compared with. It is slow and obvious on purpose: lists, loops
and ``math``; no rings, no arrays and no state beyond the ticks themselves and the volatility
samples taken as bars close. A blank is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final, NamedTuple

from ticks import Tick

BAR_SEC: Final = 10
VOL_BARS: Final = 90
SPARE_BARS: Final = 7
HORIZONS: Final = {"1m": 60, "5m": 300, "15m": 900}
SAMPLES: Final = 360
ROUNDING: Final = 1e-12
CLOSE_CALL: Final = 1e-7


class Arrival(NamedTuple):
    """A tick in the order that decides which is newest: second, millisecond, arrival."""

    second: int
    ms: int
    number: int
    ts: float
    price: float


class Bar(NamedTuple):
    """A live bar: where it is, the log of its mean price, how many ticks it has."""

    number: int
    log: float
    n: int


class Judgement(NamedTuple):
    """A regime, the median it was judged by, and whether rounding could have decided it."""

    regime: str
    median: float | None
    close_call: bool


class Oracle:
    """All ticks ever, and the metrics recomputed from them at every call."""

    def __init__(self, window_sec: int = 3600) -> None:
        self.stored_bars = window_sec // BAR_SEC + SPARE_BARS
        self.assets: dict[str, str] = {}
        self.ticks: dict[str, dict[int, list[Arrival]]] = {}
        self.snapshot_prices: dict[str, Tick] = {}
        self.samples: dict[str, dict[int, float]] = {}
        self.judgements: dict[str, dict[int, Judgement]] = {}
        self.head = -1
        self.closed = -1
        self.arrivals = 0
        self.doubtful: set[str] = set()

    # Writing.

    def _know(self, symbol: str, asset: str) -> None:
        if symbol not in self.assets:
            self.assets[symbol] = asset
            self.ticks[symbol] = {}
            self.samples[symbol] = {}
            self.judgements[symbol] = {}

    def update(self, tick: Tick) -> None:
        """Keep one tick."""
        self._know(tick.symbol, tick.asset)
        self.arrivals += 1
        second = math.floor(tick.ts)
        ms = round((tick.ts - second) * 1000)
        arrival = Arrival(second, ms, self.arrivals, tick.ts, tick.price)
        bar = second // BAR_SEC
        self.ticks[tick.symbol].setdefault(bar, []).append(arrival)
        self.head = max(self.head, bar)

    def update_many(self, ticks: Iterable[Tick]) -> None:
        """Keep ticks in order of arrival."""
        for tick in ticks:
            self.update(tick)

    def set_last(self, tick: Tick) -> None:
        """Keep a price that enters no window, where the symbol has none."""
        if tick.symbol not in self.assets:
            self._know(tick.symbol, tick.asset)
            self.snapshot_prices[tick.symbol] = tick

    def advance(self, now: float) -> None:
        """Sample the volatility of every bar that ended at or before ``now`` and was not yet."""
        newest = math.floor(now) // BAR_SEC - 1
        first = max(self.closed + 1, newest - self.stored_bars + 1)
        for bar in range(first, newest + 1):
            self.head = max(self.head, bar)
            self.closed = bar
            for symbol in self.assets:
                vol = self.vol(symbol, bar + 1)
                if vol is not None:
                    self.samples[symbol][bar] = vol
                self._judge(symbol, bar)

    def _judge(self, symbol: str, bar: int) -> None:
        stored = self.samples[symbol]
        hour = [
            stored.get(number) if self.is_stored(number) else None
            for number in range(bar - SAMPLES + 1, bar + 1)
        ]
        before = self.judgements[symbol].get(bar - 1)
        judgement = judge(hour, before.regime if before else "unknown")
        self.judgements[symbol][bar] = judgement
        if judgement.close_call:
            self.doubtful.add(symbol)

    # Reading.

    def is_stored(self, bar: int) -> bool:
        """Whether ``bar`` is one of the newest ones, which are all that is kept."""
        return bar >= 0 and self.head - self.stored_bars < bar <= self.head

    def stored_ticks(self, symbol: str, bar: int) -> list[Arrival]:
        """The ticks of a bar, none where the bar is no longer kept."""
        return self.ticks.get(symbol, {}).get(bar, []) if self.is_stored(bar) else []

    def newest_at(self, symbol: str, second: int) -> Arrival | None:
        """The newest stored tick whose second is at or before ``second``."""
        return max(
            (
                tick
                for bar in self.ticks[symbol]
                for tick in self.stored_ticks(symbol, bar)
                if tick.second <= second
            ),
            default=None,
        )

    def last_at(self, symbol: str, second: int) -> tuple[float, float] | None:
        """Price and time of the last price: it is kept however old it is."""
        every = [tick for ticks in self.ticks[symbol].values() for tick in ticks]
        newest = max(every, default=None)
        if newest is not None and newest.second > second:
            newest = self.newest_at(symbol, second)
        only = self.snapshot_prices.get(symbol)
        if only is not None and only.ts < second + 1 and (newest is None or newest.ts < only.ts):
            return only.price, only.ts
        return (newest.price, newest.ts) if newest else None

    def live_bars(self, symbol: str, first: int, end: int, bars_per_bin: int = 1) -> list[Bar]:
        """The bins from ``first`` to ``end`` (excluded) that have ticks."""
        live = []
        for number in range(first, end):
            prices = [
                tick.price
                for bar in range(number * bars_per_bin, (number + 1) * bars_per_bin)
                for tick in self.stored_ticks(symbol, bar)
            ]
            if prices:
                mean = math.fsum(prices) / len(prices)
                live.append(Bar(number, math.log(mean), len(prices)))
        return live

    def vol_sums(self, symbol: str, end: int) -> tuple[float, float, int]:
        """Σr², Στ and the number of returns of the 90 bars before ``end``."""
        bars = self.live_bars(symbol, end - VOL_BARS, end)
        squares, spans = [], []
        for before, after in pairwise(bars):
            gap = after.number - before.number
            if gap * BAR_SEC > 60:
                continue
            change = after.log - before.log
            squares.append(change * change if abs(change) >= ROUNDING else 0.0)
            spans.append(BAR_SEC * (gap - 1 / 3 + (1 / before.n + 1 / after.n) / 6))
        return math.fsum(squares), math.fsum(spans), len(spans)

    def vol(self, symbol: str, end: int) -> float | None:
        """vol_15m from the 90 bars before ``end``."""
        squares, spans, returns = self.vol_sums(symbol, end)
        return math.sqrt(900 * squares / spans) if returns >= 12 else None

    def trend(self, symbol: str, end: int) -> float | None:
        """The least-squares slope of the log price per minute over the 90 bars before ``end``."""
        bars = self.live_bars(symbol, end - VOL_BARS, end)
        if len(bars) < 12:
            return None
        minutes = [(bar.number - end) * BAR_SEC / 60 for bar in bars]
        mean_minute = math.fsum(minutes) / len(bars)
        mean_log = math.fsum(bar.log for bar in bars) / len(bars)
        above = math.fsum(
            (minute - mean_minute) * (bar.log - mean_log)
            for minute, bar in zip(minutes, bars, strict=True)
        )
        return above / math.fsum((minute - mean_minute) ** 2 for minute in minutes)

    def watched_sec(self, symbol: str, now: float) -> float | None:
        """How far back the live ones of the 90 bars that ended by ``now`` reach."""
        end = math.floor(now) // BAR_SEC
        bars = self.live_bars(symbol, end - VOL_BARS, end)
        return now - bars[0].number * BAR_SEC if bars else None

    def move(self, symbol: str, second: int, horizon: int) -> tuple[float, Arrival] | None:
        """The return over ``horizon`` and the tick it is measured from."""
        newest = self.newest_at(symbol, second)
        if newest is None or newest.second <= second - horizon:
            return None
        reference = self.newest_at(symbol, second - horizon)
        if reference is None or second - horizon - reference.second > horizon / 2:
            return None
        return newest.price / reference.price - 1.0, reference

    def price_range(self, symbol: str, second: int) -> tuple[float | None, float | None]:
        """The lowest and highest newest price of a second of the hour."""
        prices = [price for _, price in self.history(symbol, second, 3600) if price is not None]
        return (min(prices), max(prices)) if prices else (None, None)

    def vs_peers(self, symbol: str, moves: dict[str, float]) -> float | None:
        """The move minus the median of its class; at least three others must be known."""
        if symbol not in moves:
            return None
        of_class = sorted(
            value for name, value in moves.items() if self.assets[name] == self.assets[symbol]
        )
        if len(of_class) < 4:
            return None
        return moves[symbol] - _quantile(of_class, 0.5)

    def judgement(self, symbol: str, now: float | None = None) -> Judgement:
        """The newest judgement of a bar that had closed by ``now``."""
        bar = self.closed
        if now is not None:
            bar = min(bar, math.floor(now) // BAR_SEC - 1)
        nothing = Judgement("unknown", None, close_call=False)
        if symbol not in self.assets or not self.is_stored(bar):
            return nothing
        return self.judgements[symbol].get(bar, nothing)

    def snapshots(self, now: float) -> list[dict[str, Any]]:
        """Every column of every symbol."""
        second = math.floor(now)
        found = {name: self.move(name, second, 60) for name in self.assets}
        moves = {name: move[0] for name, move in found.items() if move}
        return [self._snapshot(symbol, now, moves) for symbol in self.assets]

    def _snapshot(self, symbol: str, now: float, moves: dict[str, float]) -> dict[str, Any]:
        second = math.floor(now)
        end = second // BAR_SEC
        last = self.last_at(symbol, second)
        judgement = self.judgement(symbol, now)
        row: dict[str, Any] = {
            "symbol": symbol,
            "now": now,
            "asset": self.assets[symbol],
            "last": last[0] if last else None,
            "last_ts": last[1] if last else None,
            "age": now - last[1] if last else None,
            "vol_15m": self.vol(symbol, end),
            "vol_median": judgement.median,
            "trend_15m": self.trend(symbol, end),
            "vs_peers": self.vs_peers(symbol, moves),
            "regime": judgement.regime,
            "watched_sec": self.watched_sec(symbol, now),
        }
        row["range_low"], row["range_high"] = self.price_range(symbol, second)
        for name, horizon in HORIZONS.items():
            move = self.move(symbol, second, horizon)
            row[f"ret_{name}"] = move[0] if move else None
            if name == "15m":
                continue
            row[f"ref_{name}"] = move[1].price if move else None
            row[f"ref_{name}_ts"] = move[1].ts if move else None
            vol = self.vol(symbol, (second - horizon) // BAR_SEC)
            row[f"sigma_{name}"] = None if vol is None else vol * math.sqrt(horizon / 900)
        sigma = row["sigma_1m"]
        row["surprise"] = row["ret_1m"] / sigma if sigma and row["ret_1m"] is not None else None
        return row

    def history(self, symbol: str, now: float, seconds: int) -> list[tuple[int, float | None]]:
        """The newest price of each second; None where it has no tick."""
        end = math.floor(now)
        found = []
        for second in range(end - seconds + 1, end + 1):
            inside = [t for t in self.stored_ticks(symbol, second // BAR_SEC) if t.second == second]
            found.append((second, max(inside).price if inside else None))
        return found

    def bins(self, symbol: str, bin_sec: int, window_sec: int, now: float) -> dict[int, Bar]:
        """The live bins of a window, by their number: whole ones that ended by ``now``."""
        end = math.floor(now) // bin_sec
        first = end - window_sec // bin_sec
        return {bar.number: bar for bar in self.live_bars(symbol, first, end, bin_sec // BAR_SEC)}

    def bin_returns(
        self, symbol: str, bin_sec: int, window_sec: int, now: float
    ) -> dict[int, float]:
        """Returns between directly neighbouring live bins, by the number of the later one."""
        bins = self.bins(symbol, bin_sec, window_sec, now)
        changes = {
            number: bar.log - bins[number - 1].log
            for number, bar in bins.items()
            if number - 1 in bins
        }
        return {n: 0.0 if abs(change) < ROUNDING else change for n, change in changes.items()}


def judge(samples: list[float | None], before: str) -> Judgement:
    """The regime that the samples of an hour (the newest last) make of the regime before."""
    known = sorted(sample for sample in samples if sample is not None)
    median = _quantile(known, 0.5) if len(known) >= 30 else None
    newest = samples[-1]
    if newest is None or median is None:
        return Judgement("unknown", None, close_call=False)
    p70, p80 = _quantile(known, 0.7), _quantile(known, 0.8)
    if newest == 0:
        return Judgement("normal", median, close_call=False)
    if before == "high_vol":
        high = not (newest < p70 or newest < 1.1 * median)
        bounds = (p70, 1.1 * median)
    else:
        high = newest >= p80 and newest >= 1.2 * median
        bounds = (p80, 1.2 * median)
    near = any(abs(newest - bound) <= CLOSE_CALL * newest for bound in bounds)
    return Judgement("high_vol" if high else "normal", median, near)


def _quantile(ranked: list[float], q: float) -> float:
    place = q * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)
