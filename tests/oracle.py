"""The store's arithmetic once more, by brute force: every tick kept, everything computed naively.

``Oracle`` is what ``PulseStore`` is compared with. It is slow and obvious on purpose: lists, loops
and ``math``; no rings, no arrays and no state beyond the ticks themselves and what was found as
bars closed. What is usual by the day's minutes comes from ``DayMemory``, which has its own brute
force in ``test_usual``; the minutes are found here. A blank is None.
"""

from __future__ import annotations

import math
import statistics
import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

import numpy as np

from ticks import Asset, Tick
from usual import DayMemory
from vendors.rest import Candle

BAR_SEC: Final = 10
VOL_BARS: Final = 90
SPARE_BARS: Final = 7
HORIZONS: Final = {"1m": 60, "5m": 300, "15m": 900}
SAMPLES: Final = 360
ROUNDING: Final = 1e-12
CLOSE_CALL: Final = 3e-7


class Arrival(NamedTuple):
    """A tick in the order that decides which is newest: second, millisecond, arrival."""

    second: int
    ms: int
    number: int
    ts: float
    price: float


class Hot(NamedTuple):
    """A second and the surprise of the minute up to it."""

    second: int
    surprise: float


class Bar(NamedTuple):
    """A live bar: where it is, the log of its mean price, how many ticks it has."""

    number: int
    log: float
    n: int


class Step(NamedTuple):
    """The return between two neighbouring live bars, and the time that it really spans."""

    before: Bar
    after: Bar
    change: float
    span_sec: float


class Judgement(NamedTuple):
    """A regime, the median it was judged by, and whether rounding could have decided it."""

    regime: str
    median: float | None
    close_call: bool


class Window(NamedTuple):
    """Since when a symbol's prices belong together, and since when they are its vendor's."""

    gap: int
    change: int
    vendor: str


class Reference(NamedTuple):
    """A price that a symbol's day change is measured against, and when."""

    price: float
    since: float
    until: float
    counts_from: float
    vendor: str


class Oracle:
    """All ticks ever, and the metrics recomputed from them at every call."""

    def __init__(self, window_sec: int = 3600) -> None:
        self.stored_bars = window_sec // BAR_SEC + SPARE_BARS
        self.assets: dict[str, str] = {}
        self.ticks: dict[str, dict[int, list[Arrival]]] = {}
        self.newest: dict[str, dict[int, Arrival]] = {}
        """The newest tick of each second: the largest."""
        self.snapshot_prices: dict[str, Tick] = {}
        self.samples: dict[str, dict[int, float]] = {}
        self.judgements: dict[str, dict[int, Judgement]] = {}
        self.head = -1
        self.closed = -1
        self.newest_closed = -1
        self.arrivals = 0
        self.doubtful: set[str] = set()
        self.day = DayMemory()
        self.hot: dict[str, dict[int, list[Hot]]] = {}
        self.minutes = window_sec // 60
        self.begins: dict[str, list[tuple[int, str]]] = {}
        self.candles: dict[str, dict[int, tuple[Candle, str]]] = {}
        self.references: dict[str, list[Reference]] = {}
        self.asked_at = 0
        """The second whose answer is being found: it sees its own windows and no others."""
        self.windows: dict[tuple[str, int, int], Window] = {}
        """Those that were found, by symbol, second and how many had begun: they are asked often."""

    # Writing.

    def begin_anew(self, symbol: str, second: int, vendor: str = "") -> None:
        """Keep that a window begins; that it might not is found when it is asked for."""
        self.begins.setdefault(symbol, []).append((second, vendor))

    def load_candle(self, candle: Candle, vendor: str = "") -> None:
        """Keep a candle."""
        self.candles.setdefault(candle.symbol, {})[candle.minute // 60] = candle, vendor

    def set_reference(self, symbol: str, reference: tuple[float, float, float, float, str]) -> None:
        """Keep a price that a day's change is measured against."""
        self.references.setdefault(symbol, []).append(Reference(*reference))

    def window(self, symbol: str) -> Window:
        """The window that the second asked at is in."""
        begins = self.begins.get(symbol, [])
        asked = symbol, self.asked_at, len(begins)
        found = self.windows.get(asked)
        if found is None:
            found = self.windows[asked] = self._window(begins)
        return found

    def _window(self, begins: list[tuple[int, str]]) -> Window:
        windows = [Window(0, 0, "")]
        for second, vendor in begins:
            last = windows[-1]
            if vendor and vendor == last.vendor:
                continue
            if vendor and not last.vendor:
                windows[-1] = last._replace(vendor=vendor)
            else:
                windows.append(
                    Window(second, second if vendor else last.change, vendor or last.vendor)
                )
        return [window for window in windows if window.gap <= self.asked_at][-1]

    def seen_candles(self, symbol: str, *, in_window: bool) -> dict[int, Candle]:
        """The candles of the vendor that serves, of minutes that are over and have no tick of it.

        In the window: those that no gap without a change of the vendor lies after.
        """
        window = self.window(symbol)
        every = [minute for kept in self.candles.values() for minute in kept]
        oldest = max(every, default=0) - self.minutes + 1
        since = window.gap if in_window and window.gap > window.change else 0
        return {
            minute: candle
            for minute, (candle, vendor) in self.candles.get(symbol, {}).items()
            if vendor == window.vendor
            and minute >= oldest
            and since <= minute * 60
            and minute * 60 + 59 <= self.asked_at
            and not any(
                bar * BAR_SEC >= window.change and self.stored_ticks(symbol, bar, 0)
                for bar in range(minute * 6, minute * 6 + 6)
            )
        }

    def priced_at(self, symbol: str, second: int, *, in_window: bool) -> tuple[float, float] | None:
        """Price and time of the newest tick or, if its minute is later, candle."""
        tick = self.newest_at(symbol, second)
        closes = [
            (minute * 60 + 59.0, candle.close)
            for minute, candle in self.seen_candles(symbol, in_window=in_window).items()
            if minute * 60 + 59 <= second and (tick is None or minute > tick.second // 60)
        ]
        if closes:
            ts, close = max(closes)
            return close, ts
        return (tick.price, tick.ts) if tick else None

    def _know(self, symbol: str, asset: str) -> None:
        if symbol not in self.assets:
            self.assets[symbol] = asset
            self.ticks[symbol] = {}
            self.newest[symbol] = {}
            self.samples[symbol] = {}
            self.judgements[symbol] = {}
            self.hot[symbol] = {}
            self.day.add_symbol(symbol, cast("Asset", asset))

    def update(self, tick: Tick) -> None:
        """Keep one tick."""
        self._know(tick.symbol, tick.asset)
        self.arrivals += 1
        stamp = math.floor(tick.ts * 1000 + 0.5)
        second, ms = divmod(stamp, 1000)
        arrival = Arrival(second, ms, self.arrivals, stamp / 1000, tick.price)
        bar = second // BAR_SEC
        self.ticks[tick.symbol].setdefault(bar, []).append(arrival)
        newest = self.newest[tick.symbol]
        newest[second] = max(arrival, newest.get(second, arrival))
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
        """Close every bar that ended at or before ``now`` and was not yet."""
        newest = math.floor(now) // BAR_SEC - 1
        first = max(self.closed + 1, newest - self.stored_bars + 1)
        for bar in range(first, newest + 1):
            self.head = max(self.head, bar)
            self.closed = bar
            self.newest_closed = max(self.newest_closed, bar)
            self.asked_at = bar * BAR_SEC + BAR_SEC - 1
            for symbol in self.assets:
                vol = self.vol(symbol, bar + 1)
                if vol is not None:
                    # Kept in single precision.
                    (self.samples[symbol][bar],) = struct.unpack("f", struct.pack("f", vol))
                self._judge(symbol, bar)
            seconds = range(bar * BAR_SEC, bar * BAR_SEC + BAR_SEC)
            for symbol, hot in self.surprises(seconds).items():
                self.hot[symbol][bar] = hot
            if (bar + 1) % 6 == 0:
                self._close_minute(bar // 6)

    def _close_minute(self, minute: int) -> None:
        end = minute * 60 + 59
        figures = [
            (self.z(name, end), self.ret(name, end, 60), self.ret(name, end, 300))
            for name in self.assets
        ]
        columns = np.array(figures, dtype=float).reshape(-1, 3).T
        self.day.close(minute, *columns)

    def _judge(self, symbol: str, bar: int) -> None:
        stored = self.samples[symbol]
        hour = [
            stored[number] if number in stored and self.is_sampled(number, symbol) else None
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

    def stored_ticks(self, symbol: str, bar: int, since: int | None = None) -> list[Arrival]:
        """The ticks of a bar from the window's begin on, none where the bar is no longer kept."""
        ticks = self.ticks.get(symbol, {}).get(bar)
        if not ticks or not self.is_stored(bar):
            return []
        if since is None:
            since = self.window(symbol).gap
        return [tick for tick in ticks if tick.second >= since]

    def newest_in(self, symbol: str, second: int, since: int) -> Arrival | None:
        """The newest tick of a second, None if that is before ``since`` or no longer kept."""
        newest = self.newest.get(symbol, {}).get(second)
        is_seen = newest and second >= since and self.is_stored(second // BAR_SEC)
        return newest if is_seen else None

    def is_sampled(self, bar: int, symbol: str) -> bool:
        """Whether what was found at the close of ``bar`` is still kept, and of this window."""
        oldest = max(0, self.newest_closed - self.stored_bars + 1)
        return oldest <= bar <= self.closed and bar * BAR_SEC >= self.window(symbol).gap

    def newest_at(self, symbol: str, second: int, reach_sec: int = 10**9) -> Arrival | None:
        """The newest stored tick whose second is at or before ``second``.

        What is older than ``reach_sec`` need not be looked for.
        """
        oldest = max(0, self.head - self.stored_bars + 1, (second - reach_sec) // BAR_SEC)
        for bar in range(min(second // BAR_SEC, self.head), oldest - 1, -1):
            ticks = [tick for tick in self.stored_ticks(symbol, bar) if tick.second <= second]
            if ticks:
                return max(ticks)
        return None

    def last_at(self, symbol: str, second: int) -> tuple[float, float] | None:
        """Price and time of the last price: it is kept however old it is."""
        priced = self.priced_at(symbol, second, in_window=True)
        if priced is not None:
            return priced
        # Until its window has a price, it is that of a window before.
        every = [tick for ticks in self.ticks[symbol].values() for tick in ticks]
        newest = max(every, default=None)
        if newest is not None and newest.second > second:
            stored = [tick for tick in every if self.is_stored(tick.second // BAR_SEC)]
            newest = max((tick for tick in stored if tick.second <= second), default=None)
        only = self.snapshot_prices.get(symbol)
        if only is not None and only.ts < second + 1 and (newest is None or newest.ts < only.ts):
            return only.price, only.ts
        closes = [
            (minute * 60 + 59.0, candle.close)
            for minute, candle in self.seen_candles(symbol, in_window=False).items()
            if newest is None or minute > newest.second // 60
        ]
        if closes:
            ts, close = max(closes)
            return close, ts
        return (newest.price, newest.ts) if newest else None

    def live_bars(self, symbol: str, first: int, end: int, bars_per_bin: int = 1) -> list[Bar]:
        """The bins from ``first`` to ``end`` (excluded) that have ticks."""
        live = []
        since, ticks = self.window(symbol).gap, self.ticks.get(symbol, {})
        for number in range(first, end):
            prices = [
                tick.price
                for bar in range(number * bars_per_bin, (number + 1) * bars_per_bin)
                if bar in ticks and bar * BAR_SEC >= since
                for tick in self.stored_ticks(symbol, bar, since)
            ]
            if prices:
                mean = math.fsum(prices) / len(prices)
                live.append(Bar(number, math.log(mean), len(prices)))
        return live

    def vol_sums(self, symbol: str, end: int) -> tuple[float, float, int]:
        """Σr², Στ and the number of returns of the 90 bars before ``end``, without any bounce."""
        steps = self.steps(symbol, end)
        spans = math.fsum(step.span_sec for step in steps)
        return self.squares(steps), spans, len(steps)

    def steps(self, symbol: str, end: int) -> list[Step]:
        """The returns between neighbouring live bars of the 90 before ``end``."""
        found = []
        for before, after in pairwise(self.live_bars(symbol, end - VOL_BARS, end)):
            gap = after.number - before.number
            if gap * BAR_SEC > 60:
                continue
            change = after.log - before.log
            span = BAR_SEC * (gap - 1 / 3 + (1 / before.n + 1 / after.n) / 6)
            found.append(Step(before, after, change if abs(change) >= ROUNDING else 0.0, span))
        return found

    def squares(self, steps: list[Step]) -> float:
        """Σr²."""
        return math.fsum(step.change**2 for step in steps)

    def vol(self, symbol: str, end: int) -> float | None:
        """vol_15m from the 90 bars before ``end``."""
        steps = self.steps(symbol, end)
        if len(steps) < 12:
            return None
        squares, spans = self.squares(steps), math.fsum(step.span_sec for step in steps)
        pairs = [(one, two) for one, two in pairwise(steps) if one.after == two.before]
        products = [one.change * two.change for one, two in pairs]
        undone = math.fsum(products)
        shared = math.fsum(10 / 6 * (1 - 1 / one.after.n) for one, _ in pairs)
        error = math.sqrt(math.fsum(product**2 for product in products))
        excess = undone - squares / spans * shared
        if len(pairs) >= 20 and abs(excess + 2 * error) <= 1e-9 * squares:
            self.doubtful.add(symbol)
        if len(pairs) >= 20 and excess < -2 * error:
            squares = max(squares + 2 * undone, squares / 10)
            spans += 2 * shared
        return math.sqrt(900 * squares / spans)

    def vol_rest(
        self, symbol: str, end: int, vol: float | None, median: float | None
    ) -> float | None:
        """vol_15m without the bar whose steps add most to it; blank below 1.4 medians."""
        if vol is None or median is None or vol < 1.4 * median:
            return None
        steps = self.steps(symbol, end)
        total = self.squares(steps)
        if total == 0:
            return None
        bars = {bar for step in steps for bar in (step.before, step.after)}
        of_bar = [self.squares([s for s in steps if bar in (s.before, s.after)]) for bar in bars]
        return vol * math.sqrt(max(0.0, 1 - max(of_bar) / total))

    def sampled_vol(self, symbol: str, bar: int) -> float | None:
        """vol_15m as it was found when ``bar`` closed."""
        return self.samples[symbol].get(bar) if self.is_sampled(bar, symbol) else None

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

    def move(
        self, symbol: str, second: int, horizon: int, *, of_ticks: bool = False
    ) -> tuple[float, tuple[float, float]] | None:
        """The return over ``horizon``, and price and time of what it is measured from."""

        def priced_at(at: int) -> tuple[float, float] | None:
            if of_ticks:
                tick = self.newest_at(symbol, at, horizon)
                return (tick.price, tick.ts) if tick else None
            return self.priced_at(symbol, at, in_window=True)

        newest = priced_at(second)
        if newest is None or math.floor(newest[1]) <= second - horizon:
            return None
        reference = priced_at(second - horizon)
        if reference is None or second - horizon - math.floor(reference[1]) > horizon / 2:
            return None
        return newest[0] / reference[0] - 1.0, reference

    def price_range(self, symbol: str, second: int) -> tuple[float | None, float | None]:
        """The lowest and highest newest price of a second of the hour."""
        self.asked_at = second
        seen = self.history(symbol, second, 3600, with_candles=False)
        prices = [price for _, price in seen if price is not None]
        for minute, candle in self.seen_candles(symbol, in_window=False).items():
            if minute * 60 > second - 3600:
                prices += [candle.low, candle.high]
        return (min(prices), max(prices)) if prices else (None, None)

    def ret(self, symbol: str, second: int, horizon: int) -> float | None:
        """The return over ``horizon``, from tick to tick."""
        move = self.move(symbol, second, horizon, of_ticks=True)
        return move[0] if move else None

    def sigma(self, symbol: str, second: int, horizon: int) -> float | None:
        """The volatility over ``horizon`` as it stood when it began, by the newest closed bar."""
        vol = self.sampled_vol(symbol, second // BAR_SEC - 1 - horizon // BAR_SEC)
        return None if vol is None else vol * math.sqrt(horizon / 900)

    def z(self, symbol: str, second: int) -> float | None:
        """The return over a minute in units of its sigma."""
        sigma = self.sigma(symbol, second, 60)
        return in_units(self.ret(symbol, second, 60), sigma) if sigma else None

    def surprise(self, values: dict[str, float | None], second: int) -> dict[str, Rare]:
        """What each symbol's own day makes of a move in units of its sigma."""
        known = np.array([values[name] for name in self.assets], dtype=float)
        found, early = self.day.at(second).surprise(known)
        return {
            name: Rare(None if math.isnan(value) else float(value), bool(is_early))
            for name, value, is_early in zip(self.assets, found, early, strict=True)
        }

    def surprises(self, seconds: range) -> dict[str, list[Hot]]:
        """The known surprises of each symbol in some seconds."""
        found: dict[str, list[Hot]] = {name: [] for name in self.assets}
        for second in seconds:
            z = {name: self.z(name, second) for name in self.assets}
            if any(value is not None for value in z.values()):
                for name, rare in self.surprise(z, second).items():
                    if rare.surprise is not None:
                        found[name].append(Hot(second, rare.surprise))
        return found

    def heats(self, symbol: str, second: int, now: list[Hot]) -> list[tuple[float, int]]:
        """Every decayed surprise that heat looks at, with its second, the largest first.

        Those of the open bar, ``now``, and of the 90 closed ones before it as they were found then.
        """
        bar = second // BAR_SEC
        hot = list(now)
        for number in range(bar - 90, bar):
            if self.is_sampled(number, symbol):
                hot += self.hot[symbol].get(number, [])
        decayed = [(each.surprise * 2 ** (-(second - each.second) / 180), each) for each in hot]
        decayed.sort(key=lambda pair: -abs(pair[0]))
        return [(value, each.second) for value, each in decayed]

    def move_end(self, symbol: str, second: int) -> tuple[float, float] | None:
        """The median of the five seconds up to ``second``, and the time of the newest of them."""
        newest = [
            tick
            for at in range(second, second - 30, -1)
            if (tick := self.newest_in(symbol, at, self.window(symbol).gap))
        ]
        five = [tick for tick in newest if tick.second > second - 5]
        taken = five if len(five) >= 3 else newest[:3]
        if len(taken) < 3:
            return None
        return statistics.median(tick.price for tick in taken), taken[0].ts

    def price_step(self, symbol: str, second: int) -> float | None:
        """The smallest change that is not undercut in a quarter of the hour's minutes."""
        smallest = []
        for minute in range(second // 60 - 60, second // 60):
            if minute * 6 <= self.head - self.stored_bars or minute > self.head // 6:
                continue
            if minute * 60 < self.window(symbol).gap:
                continue
            seen = self.history(symbol, minute * 60 + 59, 60, with_candles=False)
            prices = [p for _, p in seen if p is not None]
            changes = [abs(b - a) for a, b in pairwise(prices) if abs(b - a) > 1e-9 * b]
            if changes:
                smallest.append(min(changes))
        smallest.sort()
        return smallest[(len(smallest) - 1) // 4] if len(smallest) >= 5 else None

    def vs_peers(self, symbol: str, surprises: dict[str, float]) -> float | None:
        """The surprise minus the median of the others of its class, of which at least three."""
        others = [
            value
            for name, value in surprises.items()
            if name != symbol and self.assets[name] == self.assets[symbol]
        ]
        if symbol not in surprises or len(others) < 3:
            return None
        return surprises[symbol] - statistics.median(others)

    def judgement(self, symbol: str, now: float | None = None) -> Judgement:
        """The newest judgement of a bar that had closed by ``now``."""
        bar = self.closed
        if now is not None:
            bar = min(bar, math.floor(now) // BAR_SEC - 1)
        nothing = Judgement("unknown", None, close_call=False)
        if symbol not in self.assets or not self.is_sampled(bar, symbol):
            return nothing
        return self.judgements[symbol].get(bar, nothing)

    def snapshots(self, now: float) -> list[dict[str, Any]]:
        """Every column of every symbol; ``heats`` in the place of heat and its second."""
        second = self.asked_at = math.floor(now)
        rows = {name: self._snapshot(name, now) for name in self.assets}
        usual = self.day.at(second)
        begin = second // BAR_SEC * BAR_SEC
        hot = self.surprises(range(begin, second + 1))
        rare = self.surprise({name: row["z"] for name, row in rows.items()}, second)
        for kind in ("move_1m", "move_5m"):
            in_sigmas = {
                name: in_units(row[kind], row[f"sigma_{kind[-2:]}"]) for name, row in rows.items()
            }
            for name, found in self.surprise(in_sigmas, second).items():
                rows[name][f"{kind}_surprise"] = found.surprise
        known = {name: one.surprise for name, one in rare.items() if one.surprise is not None}
        for at, (name, row) in enumerate(rows.items()):
            row["surprise"], row["early"] = rare[name]
            row["vs_peers"] = self.vs_peers(name, known)
            row["heats"] = self.heats(name, second, hot[name])
            for horizon, values in (("1m", usual.usual_1m), ("5m", usual.usual_5m)):
                value = float(values[at])
                row[f"usual_{horizon}"] = None if math.isnan(value) else value
        return [*rows.values()]

    def _snapshot(self, symbol: str, now: float) -> dict[str, Any]:
        second = math.floor(now)
        end = second // BAR_SEC
        last = self.last_at(symbol, second)
        judgement = self.judgement(symbol, now)
        to = self.move_end(symbol, second)
        row: dict[str, Any] = {
            "symbol": symbol,
            "now": now,
            "asset": self.assets[symbol],
            "last": last[0] if last else None,
            "last_ts": last[1] if last else None,
            "age": now - last[1] if last else None,
            "vol_15m": self.sampled_vol(symbol, end - 1),
            "vol_median": judgement.median,
            "vol_rest": self.vol_rest(
                symbol, end, self.sampled_vol(symbol, end - 1), judgement.median
            ),
            "trend_15m": self.trend(symbol, end),
            "z": self.z(symbol, second),
            "regime": judgement.regime,
            "move_to": to[0] if to else None,
            "move_to_ts": to[1] if to else None,
            "price_step": self.price_step(symbol, second),
            "watched_sec": self.watched_sec(symbol, now),
        }
        row["prev_close"], row["ret_day"] = self.day_change(symbol, second, last)
        row["range_low"], row["range_high"] = self.price_range(symbol, second)
        for name, horizon in HORIZONS.items():
            move = self.move(symbol, second, horizon)
            row[f"ret_{name}"] = move[0] if move else None
            if name == "15m":
                continue
            row[f"ref_{name}"] = move[1][0] if move else None
            row[f"ref_{name}_ts"] = move[1][1] if move else None
            row[f"sigma_{name}"] = self.sigma(symbol, second, horizon)
            begin = self.move_end(symbol, second - horizon) if to else None
            row[f"move_from_{name}"] = begin[0] if begin else None
            row[f"move_from_{name}_ts"] = begin[1] if begin else None
            row[f"move_{name}"] = to[0] / begin[0] - 1 if to and begin else None
        return row

    def day_change(
        self, symbol: str, second: int, last: tuple[float, float] | None
    ) -> tuple[float | None, float | None]:
        """What the day's change is measured against, and the change."""
        window = self.window(symbol)
        found = [
            reference
            for reference in self.references.get(symbol, [])
            if reference.since <= second < reference.until and reference.vendor == window.vendor
        ]
        if not found:
            return None, None
        reference = found[-1]
        is_own = self.priced_at(symbol, second, in_window=True) is not None
        own_from = 0 if is_own else window.change
        if last is None or last[1] < max(reference.counts_from, own_from):
            return reference.price, None
        return reference.price, last[0] / reference.price - 1

    def history(
        self, symbol: str, now: float, seconds: int, *, with_candles: bool = True
    ) -> list[tuple[int, float | None]]:
        """The newest price of each second of this vendor; None where it has none."""
        end = math.floor(now)
        since = self.window(symbol).change
        candles = self.seen_candles(symbol, in_window=False) if with_candles else {}
        found: list[tuple[int, float | None]] = []
        for second in range(end - seconds + 1, end + 1):
            newest = self.newest_in(symbol, second, since)
            candle = candles.get(second // 60) if second % 60 == 59 else None
            is_whole = second - 59 > end - seconds
            close = candle.close if candle and is_whole else None
            found.append((second, newest.price if newest else close))
        return found

    def bins(self, symbol: str, bin_sec: int, window_sec: int, now: float) -> dict[int, Bar]:
        """The live bins of a window, by their number: whole ones that ended by ``now``.

        A minute without a tick is a candle's, as if a thousand ticks had its mean.
        """
        self.asked_at = math.floor(now)
        end = self.asked_at // bin_sec
        first = end - window_sec // bin_sec
        found = {bar.number: bar for bar in self.live_bars(symbol, first, end, bin_sec // BAR_SEC)}
        if bin_sec == 60:
            for minute, candle in self.seen_candles(symbol, in_window=True).items():
                if first <= minute < end and minute not in found:
                    mean = (candle.open + candle.high + candle.low + candle.close) / 4
                    found[minute] = Bar(minute, math.log(mean), 1000)
        return dict(sorted(found.items()))

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


class Rare(NamedTuple):
    """A surprise, and whether it is early."""

    surprise: float | None
    early: bool


def in_units(value: float | None, unit: float | None) -> float | None:
    """``value`` in units of ``unit``, None if that is 0 or unknown."""
    return value / unit if unit and value is not None else None


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
