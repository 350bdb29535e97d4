"""Windows, candles and days' references of the store, against the brute-force oracle."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest

from bars import CANDLE, Begin, Candles
from correlation import auto_bin, corr_card
from events import StressDetector
from pulse_store import PulseStore
from tests.oracle import Oracle
from tests.test_pulse_store import (
    START,
    SYMBOLS,
    Segment,
    assert_bars_like_oracle,
    assert_like_oracle,
    stream,
)
from ticks import Tick
from vendors.rest import Candle

VENDORS: Final = ("one", "two", "")


def block(candles: Sequence[Candle]) -> Candles:
    """Candles as the store takes them."""
    names = tuple(dict.fromkeys(candle.symbol for candle in candles))
    cells = [(c.minute // 60, names.index(c.symbol), *c[2:]) for c in candles]
    return Candles(names, np.array(cells, CANDLE))


class Both:
    """A store and an oracle that are told the same."""

    def __init__(self) -> None:
        self.store, self.oracle = PulseStore(records=True), Oracle()

    def update(self, ticks: Sequence[Tick]) -> None:
        """Ticks, and the bars that ended with the newest second of them."""
        self.store.update_many(ticks)
        self.oracle.update_many(ticks)

    def advance(self, now: float) -> None:
        """Close bars."""
        self.store.advance(now)
        self.oracle.advance(now)

    def begin_anew(self, symbols: Sequence[str], second: int, vendor: str = "") -> None:
        """Begin a window of some symbols."""
        self.store.begin_anew(symbols, second, vendor)
        for symbol in symbols:
            self.oracle.begin_anew(symbol, second, vendor)

    def load_candles(self, candles: Sequence[Candle], vendor: str = "") -> None:
        """Know candles."""
        self.store.load_candles(block(candles), vendor)
        for candle in candles:
            self.oracle.load_candle(candle, vendor)

    def set_reference(self, symbol: str, reference: tuple[float, float, float, float, str]) -> None:
        """Know what a day's change is measured against."""
        price, since, until, counts_from, vendor = reference
        self.store.set_reference(
            symbol, price, since, until, counts_from=counts_from, vendor=vendor
        )
        self.oracle.set_reference(symbol, reference)

    def assert_alike(self, now: float) -> None:
        """Every column, every bar of the correlations and every price of the charts agrees."""
        assert_like_oracle(self.store, self.oracle, now)
        for bin_sec in (10, 60):
            assert_bars_like_oracle(self.store, self.oracle, bin_sec, 900, now)
        self.oracle.asked_at = math.floor(now)
        for symbol in self.oracle.assets:
            frame = self.store.history(symbol, now, 1800)
            found = [None if math.isnan(price) else price for price in frame["price"]]
            assert found == [price for _, price in self.oracle.history(symbol, now, 1800)]


def candles_of(rng: random.Random, symbol: str, price: float, end: int) -> list[Candle]:
    """Some candles of the hour before a second."""
    minutes = sorted(rng.sample(range(end // 60 - 60, end // 60), rng.choice([1, 20, 60])))
    candles = []
    for minute in minutes:
        prices = [price * (1 + rng.uniform(-0.01, 0.01)) for _ in range(4)]
        candles.append(Candle(symbol, minute * 60, prices[0], max(prices), min(prices), prices[3]))
    return candles


@pytest.mark.parametrize("seed", [0, 2])
def test_windows_and_candles_agree_with_brute_force(seed: int) -> None:
    """Vendors change and gaps begin at any second, and candles come at any time, of any vendor."""
    rng = random.Random(seed)
    parts = [
        Segment(rng.choice([0, 5, 40, 130]), 60, rng.choice([0.5, 2.0, 5.0]), 8, 1e-3, seed + i)
        for i in range(7)
    ]
    ticks = stream(parts)
    both = Both()
    for at in range(0, len(ticks), 60):
        batch = ticks[at : at + 60]
        now = max(tick.ts for tick in ticks[: at + 60])
        both.update(batch)
        if at % 120:
            both.advance(now)
        known = [*both.oracle.assets]
        some = rng.sample(known, min(len(known), 4))
        if rng.random() < 0.7:
            both.begin_anew(some, int(now) + rng.choice([1, 2, 7]), rng.choice(VENDORS))
        for symbol in some:
            if rng.random() < 0.5:
                candles = candles_of(rng, symbol, SYMBOLS[symbol][1], int(now))
                both.load_candles(candles, rng.choice(VENDORS))
            since = int(now) + rng.choice([-600, 0, 100])
            price, vendor = SYMBOLS[symbol][1], rng.choice(VENDORS)
            both.set_reference(symbol, (price, since, since + 900, since - 60, vendor))
        for back in (-5.0, rng.choice([33.3, 700.0])):
            both.assert_alike(now - back)
    both.advance(now + 30)
    both.assert_alike(now + 30)


def test_a_new_vendor_begins_a_window_and_the_same_one_does_not() -> None:
    """What serves is known from the first word on; only a change makes a gap."""
    store = PulseStore(records=True)
    store.watch("crypto", ["BTC-USD"])
    for second in range(200):
        store.update(Tick("BTC-USD", "crypto", START + second, 100.0 + second % 3))
    now = START + 199.999
    before = store.snapshot("BTC-USD", now)
    assert before is not None
    store.begin_anew(["BTC-USD", "unknown"], START + 150, "coinbase")
    assert store.snapshot("BTC-USD", now) == before
    assert store.vendors(now) == {"BTC-USD": "coinbase"}
    store.begin_anew(["BTC-USD"], START + 160, "coinbase")
    assert store.snapshot("BTC-USD", now) == before
    store.begin_anew(["BTC-USD"], START + 195, "kraken")
    row = store.snapshot("BTC-USD", now)
    assert row is not None
    assert before["ret_1m"] is not None
    assert row["ret_1m"] is None
    assert row["range_low"] == min(100.0 + second % 3 for second in range(195, 200))
    assert store.vendors(now) == {"BTC-USD": "kraken"}
    assert store.vendors(START + 194.999) == {"BTC-USD": "coinbase"}
    assert store.snapshot("BTC-USD", START + 194.0)["ret_1m"] is not None  # type: ignore[index]
    assert store.collect_begins() == [
        Begin("BTC-USD", START + 150, "coinbase"),
        Begin("BTC-USD", START + 195, "kraken"),
    ]
    assert store.collect_begins() == []


def test_until_its_first_price_a_window_shows_the_last_one_and_measures_nothing() -> None:
    """It is said how old that is, and no figure is from one vendor's price to another's."""
    store = PulseStore()
    for second in range(600):
        store.update(Tick("EURUSD", "forex", START + second, 1.08 + 0.0001 * (second % 7)))
        store.advance(START + second + 1)
    store.begin_anew(["EURUSD"], START + 600, "eodhd")
    store.begin_anew(["EURUSD"], START + 600, "kraken")
    row = store.snapshot("EURUSD", START + 604.0)
    assert row is not None
    assert row["last"] == pytest.approx(1.08 + 0.0001 * (599 % 7))
    assert row["age"] == 5.0
    known = {name for name, value in row.items() if value is not None}
    assert known == {"symbol", "now", "asset", "last", "last_ts", "age", "regime", "early"}
    assert row["regime"] == "unknown"


def test_a_gap_of_the_same_vendor_leaves_the_hour_in_sight() -> None:
    """After a halt no move is from before it, but the chart, the range and the trace go on."""
    store = PulseStore()
    for second in range(600):
        store.update(Tick("AAPL", "stocks", START + second, 100.0 + second / 600))
    store.begin_anew(["AAPL"], START + 1200)
    for second in range(1200, 1205):
        store.update(Tick("AAPL", "stocks", START + second, 120.0))
    row = store.snapshot("AAPL", START + 1204.0)
    assert row is not None
    assert row["ret_15m"] is None
    assert row["move_5m"] is None
    assert (row["range_low"], row["range_high"]) == (100.0, 120.0)
    assert store.history("AAPL", START + 1204, 1205)["price"].count() == 605
    assert np.count_nonzero(~np.isnan(store.trace(["AAPL"], 1800, START + 1204))) == 60


def test_candles_are_seen_at_minutes_and_nowhere_finer() -> None:
    """Return, last, range, chart, trace and 60 s bars; no volatility, surprise or move."""
    store = PulseStore()
    store.watch("crypto", ["BTC-USD"])
    candles = [
        Candle("BTC-USD", START + 60 * i, 100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i)
        for i in range(60)
    ]
    store.begin_anew(["BTC-USD"], START + 3600, "coinbase")
    store.load_candles(block(candles), "coinbase")
    now = START + 3605.999
    row = store.snapshot("BTC-USD", now)
    assert row is not None
    assert row["last"] == 159.5
    assert row["last_ts"] == START + 3599
    assert row["ret_1m"] == pytest.approx(159.5 / 158.5 - 1)
    assert row["ret_15m"] == pytest.approx(159.5 / 144.5 - 1)
    assert row["range_high"] == 160.0
    blank = ("vol_15m", "trend_15m", "z", "surprise", "heat", "move_1m", "price_step")
    assert [row[name] for name in blank] == [None] * len(blank)
    assert row["regime"] == "unknown"
    assert store.history("BTC-USD", now, 3600)["price"].count() == 59
    logs, counts = store.bars(["BTC-USD"], 60, 3600, now)
    assert np.count_nonzero(counts) == 60
    assert math.exp(logs[0, -1]) == pytest.approx((159.0 + 160.0 + 158.0 + 159.5) / 4)
    assert not store.bars(["BTC-USD"], 30, 3600, now)[1].any()
    trace = store.trace(["BTC-USD"], 900, now)[0]
    assert np.flatnonzero(~np.isnan(trace)).tolist() == list(range(5, 90, 6))
    assert store.candles_until("BTC-USD", now) == START + 3600
    assert not len(store.collect_changed())


def test_candles_of_a_vendor_that_does_not_serve_are_not_seen() -> None:
    """They are as soon as it does, and never beside ticks of their minute."""
    store = PulseStore()
    store.watch("crypto", ["BTC-USD"])
    store.begin_anew(["BTC-USD"], START, "coinbase")
    store.load_candles(block([Candle("BTC-USD", START, 1.0, 1.0, 1.0, 1.0)]), "kraken")
    assert store.snapshot("BTC-USD", START + 100.0)["last"] is None  # type: ignore[index]
    assert store.candles_until("BTC-USD", START + 100.0) is None
    store.update(Tick("BTC-USD", "crypto", START + 30.0, 2.0))
    store.begin_anew(["BTC-USD"], START + 80, "kraken")
    row = store.snapshot("BTC-USD", START + 100.0)
    assert row is not None
    assert row["last"] == 1.0
    store.update(Tick("BTC-USD", "crypto", START + 90.0, 3.0))
    row = store.snapshot("BTC-USD", START + 100.0)
    assert row is not None
    assert (row["last"], row["range_low"], row["range_high"]) == (3.0, 1.0, 3.0)


def test_stores_without_candles_take_no_memory_for_them() -> None:
    """And what all candles have left is released."""
    store = PulseStore(600)
    store.watch("crypto", ["BTC-USD"])
    before = store.nbytes
    store.load_candles(block([Candle("BTC-USD", START, 1.0, 1.0, 1.0, 1.0)]))
    assert store.nbytes > before
    store.advance(START + 60 + 600)
    assert store.nbytes == before


def test_auto_bars_are_of_a_minute_while_most_of_the_hour_is_from_candles() -> None:
    """What moves together is known at once, and by finer bars when these reach as far back."""
    store, names = PulseStore(), ["BTC-USD", "ETH-USD"]
    store.watch("crypto", names)
    rng = np.random.default_rng(1)
    prices = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, (60, 1)), axis=0)).repeat(2, axis=1)
    store.load_candles(
        block(
            [
                Candle(name, START + 60 * minute, *[float(prices[minute, row])] * 4)
                for row, name in enumerate(names)
                for minute in range(60)
            ]
        )
    )
    assert auto_bin(store, names, START + 3600) == 60
    card = corr_card(store, names, names[0], 60, START + 3600)
    assert card.top[0].corr == pytest.approx(1.0)
    assert card.top[0].n == 59
    walk = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-4, 3600)))
    for second in range(3600, 7200):
        price = float(walk[second - 3600])
        store.update_many(Tick(name, "crypto", START + second, price) for name in names)
    assert auto_bin(store, names, START + 4800) == 60
    assert auto_bin(store, names, START + 6000) == 10


def test_no_event_is_of_candles() -> None:
    """However far they jump, and whatever the first ticks after them are."""
    store, detector = PulseStore(), StressDetector(min_surprise=0)
    store.watch("crypto", ["BTC-USD"])
    prices = [100.0 * (1.1 if minute % 7 == 0 else 1.0) for minute in range(60)]
    candles = [
        Candle("BTC-USD", START + 60 * minute, price, price, price, price)
        for minute, price in enumerate(prices)
    ]
    store.load_candles(block(candles))
    for second in range(3600, 3660):
        store.update(Tick("BTC-USD", "crypto", START + second, 120.0))
        store.advance(START + second + 1)
        snapshot = store.snapshot("BTC-USD", START + second + 0.999)
        assert snapshot is not None
        assert snapshot["ret_5m"] > 0.09
        assert not detector.check(snapshot)


@pytest.mark.parametrize("at", [0, 5])
def test_a_vendor_that_begins_anew_at_once_leaves_no_begin_of_another(at: int) -> None:
    """Neither in the store nor in what is archived of it, in whatever order it is read."""
    store = PulseStore(records=True)
    store.watch("crypto", ["BTC-USD"])
    for second, vendor in ((0, "coinbase"), (100 + at, "kraken"), (100, "coinbase")):
        store.begin_anew(["BTC-USD"], START + second, vendor)
    archived = {(begin.symbol, begin.second): begin for begin in store.collect_begins()}
    restored = PulseStore()
    restored.watch("crypto", ["BTC-USD"])
    for begin in sorted(archived.values(), key=lambda begin: begin.second):
        restored.begin_anew([begin.symbol], begin.second, begin.vendor)
    for each in (store, restored):
        for second in (0, 99, 100, 100 + at, 200):
            assert each.vendors(START + second) == {"BTC-USD": "coinbase"}
    for second in range(80, 120):
        restored.update(Tick("BTC-USD", "crypto", START + second, 100.0))
    assert restored.snapshot("BTC-USD", START + 149.0)["ret_1m"] == 0.0  # type: ignore[index]


@pytest.mark.parametrize("has_candles", [True, False])
def test_a_price_that_enters_no_window_is_the_end_of_no_return(has_candles: bool) -> None:
    """It is the last price and the day's, and what is known of the window stays what it was."""
    store = PulseStore()
    store.watch("crypto", ["BTC-USD"])
    store.begin_anew(["BTC-USD"], START, "coinbase")
    store.set_initial_price(Tick("BTC-USD", "crypto", START + 620.0, 150.0))
    ticked = [Tick("BTC-USD", "crypto", START + 60.0 * i + 59, 100.0 + i) for i in range(10)]
    if has_candles:
        candles = [Candle("BTC-USD", START + 60 * i, *[100.0 + i] * 4) for i in range(10)]
        store.load_candles(block(candles), "coinbase")
    else:
        store.load_ticks(ticked, START + 600, "coinbase")
    store.set_reference("BTC-USD", 100.0, START, START + 900, counts_from=START, vendor="coinbase")
    row = store.snapshot("BTC-USD", START + 625.0)
    assert row is not None
    assert (row["last"], row["age"]) == (150.0, 5.0)
    assert row["ret_day"] == 0.5
    assert row["ret_1m"] == pytest.approx(109 / 108 - 1)
    assert row["ret_5m"] == pytest.approx(109 / 104 - 1)
    assert row["range_high"] == 109.0
    store.update(Tick("BTC-USD", "crypto", START + 624.0, 151.0))
    row = store.snapshot("BTC-USD", START + 625.0)
    assert row is not None
    assert row["ret_5m"] == pytest.approx(151 / 104 - 1)
