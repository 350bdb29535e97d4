"""What a store remembers beside its bars makes another one that has these know as much."""

from __future__ import annotations

import random
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import CANDLE, MINUTE, Bars, Begin, Candles, Minutes, Referenced
from pulse_store import RECENT_SEC, PulseStore
from store.windows import Windows
from tests.publishing import WINDOW_SEC, Leader, different, joined, show
from ticks import Asset, Tick

START: Final = 1_795_600_800
"""2026-11-25T10:00:00Z."""

WATCHED: Final[dict[str, Asset]] = {
    "AAPL": "stocks",
    "MSFT": "stocks",
    "EURUSD": "forex",
    "BTC-USD": "crypto",
    "IDLE": "crypto",
    "LATE": "stocks",
}

LIVED_SEC: Final = 4200


def watching() -> PulseStore:
    """A store that watches these symbols."""
    store = PulseStore(WINDOW_SEC, keeps_sums=True)
    for symbol, asset in WATCHED.items():
        store.watch(asset, [symbol])
    return store


def day_before() -> Minutes:
    """A day of minutes before the start, of all symbols but one."""
    rng = np.random.default_rng(3)
    cells = np.zeros((1500, 5), MINUTE)
    cells["minute"] = START // 60 - 1500 + np.arange(1500)[:, None]
    cells["row"] = np.arange(5)
    for figure in ("z", "ret_1m", "ret_5m"):
        cells[figure] = rng.integers(1, 70, cells.shape)
    return Minutes(tuple(WATCHED), tuple(WATCHED.values()), cells.reshape(-1))


def candles_of(symbol: str, first_minute: int, count: int, price: float) -> Candles:
    """Candles of one symbol, of prices that no sum of is round."""
    rng = random.Random(first_minute)
    cells = np.zeros(count, CANDLE)
    for at in range(count):
        found = [price * (1 + rng.uniform(-1e-3, 1e-3)) for _ in range(4)]
        cells[at] = (first_minute + at, 0, found[0], max(found), min(found), found[3])
    return Candles((symbol,), cells)


def by_symbol(candles: Candles) -> dict[str, list[tuple[float, ...]]]:
    """Each symbol's candles, in order."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for minute, row, *prices in candles.cells.tolist():
        found.setdefault(candles.symbols[row], []).append((minute, *prices))
    return {symbol: sorted(each) for symbol, each in found.items()}


def lived() -> tuple[Leader, list[Bars], int]:
    """A store that led for more than an hour, what it published, and its newest second.

    It knows a day before, candles of two vendors, references, halts, changes of vendors and a price
    of no window.
    """
    rng, leader, published = random.Random(8), Leader(), []
    leader.store = watching()
    leader.store.load_minutes(day_before())
    leader.store.update(Tick("LATE", "stocks", START - 3 * WINDOW_SEC + 0.123, 33.0))
    for symbol, vendor in (("AAPL", "alpaca"), ("BTC-USD", "kraken"), ("EURUSD", "eodhd")):
        leader.store.begin_anew([symbol], START, vendor)
    leader.store.load_candles(candles_of("BTC-USD", START // 60 - 50, 50, 84_000.0), "kraken")
    leader.store.load_candles(candles_of("MSFT", START // 60 - 30, 30, 400.0))
    leader.store.load_candles(candles_of("IDLE", START // 60 - 10, 10, 3.0), "coinbase")
    for symbol, vendor in (("AAPL", "alpaca"), ("MSFT", ""), ("BTC-USD", "kraken")):
        leader.store.set_reference(
            symbol, 99.0, START - 9000, START + 9000, counts_from=START - 9000, vendor=vendor
        )
    price = {"AAPL": 220.0, "MSFT": 410.0, "EURUSD": 1.08, "BTC-USD": 84_500.0}
    for second in range(START, START + LIVED_SEC):
        if second == START + 1500:
            leader.store.begin_anew(["AAPL"], second)
        if second == START + 2100:
            leader.store.begin_anew(["BTC-USD"], second, "coinbase")
            leader.store.load_candles(candles_of("BTC-USD", START // 60, 35, 84_100.0), "coinbase")
        if second == START + 4000:
            leader.store.set_known_price(Tick("IDLE", "crypto", second - 77.7, 3.3))
        arrived = []
        for symbol in price:
            wild = 5.0 if START + 3500 < second < START + 3900 and symbol == "EURUSD" else 1.0
            for _ in range(rng.choice([0, 0, 1, 3])):
                price[symbol] *= 1 + rng.gauss(0.0, 2e-4) * wild
                ts = second + rng.randrange(1000) / 1000
                arrived.append(Tick(symbol, WATCHED[symbol], ts, round(price[symbol], 6)))
        published.append(leader.show(second, arrived))
    return leader, published, START + LIVED_SEC - 1


@pytest.fixture(scope="module")
def market() -> tuple[Leader, list[Bars], int]:
    """One such store, which no test changes but by asking."""
    return lived()


Market = tuple[Leader, list[Bars], int]


def test_who_recalls_and_loads_has_every_figure(market: Market) -> None:
    """Surprise, day change, candles, vendors, regimes and charts, to the last bit, and later on."""
    leader, published, second = market
    joiner = watching()
    joiner.recall(leader.store.remember())
    joiner.load_bars(joined(published))
    joiner.advance(second + 1)
    for now in (second + 0.999, second - 300.0, second - 1900.0, second - 3400.0):
        assert different(leader.store, joiner, now) == [], second - now
    row = joiner.snapshot("BTC-USD", second + 0.999)
    assert row is not None
    assert None not in (row["surprise"], row["ret_1m"], row["range_low"], row["usual_1m"])
    assert joiner.snapshot("MSFT", second)["ret_day"] is not None  # type: ignore[index]
    assert joiner.snapshot("LATE", second)["last"] == 33.0  # type: ignore[index]
    assert joiner.snapshot("IDLE", second)["last"] == 3.3  # type: ignore[index]
    assert joiner.initial_prices() == [Tick("IDLE", "crypto", START + 3922.3, 3.3)]


def test_without_what_is_remembered_figures_are_missing(market: Market) -> None:
    """Bars alone say neither what is usual nor whose the prices are."""
    leader, published, second = market
    joiner = watching()
    joiner.load_bars(joined(published))
    joiner.advance(second + 1)
    missing = set(different(leader.store, joiner, second + 0.999))
    assert missing >= {"surprise", "ret_day", "last", "vendors", "usual_1m"}


def test_what_is_remembered_again_is_the_same(market: Market) -> None:
    """One that recalled can be asked in its turn."""
    leader, published, second = market
    memory, joiner = leader.store.remember(), watching()
    joiner.recall(memory)
    joiner.load_bars(joined(published))
    joiner.advance(second + 1)
    again = joiner.remember()
    assert again.begins == memory.begins
    assert again.references == memory.references
    assert (again.prices, again.judged) == (memory.prices, memory.judged)
    assert again.older == memory.older == (Tick("LATE", "stocks", START - 21599.877, 33.0),)
    assert set(again.candles) == set(memory.candles) == {"", "kraken", "coinbase"}
    for vendor, candles in memory.candles.items():
        assert by_symbol(again.candles[vendor]) == by_symbol(candles)
    assert again.minutes.cells.tobytes() == memory.minutes.cells.tobytes()


def test_minutes_judged_elsewhere_are_not_judged_again(market: Market) -> None:
    """With the last ten minutes of bars alone the minutes are the other's, and the next is judged.

    Nothing of before is collected for an archive.
    """
    leader, published, second = market
    memory = leader.store.remember()
    joiner = PulseStore(WINDOW_SEC, records=True)
    for symbol, asset in WATCHED.items():
        joiner.watch(asset, [symbol])
    joiner.recall(memory)
    joiner.load_bars(joined(published[-600:]))
    joiner.advance(second + 1)
    assert joiner.remember().minutes.cells.tobytes() == memory.minutes.cells.tobytes()
    assert memory.judged == (second + 1) // 60 - 1
    assert len(joiner.collect_minutes()) == 0
    assert joiner.collect_begins() == []
    assert joiner.collect_references() == []
    joiner.advance(second + 61)
    assert set(joiner.collect_minutes().cells["minute"]) == {memory.judged + 1}


def test_a_memory_is_of_the_second_that_was_closed() -> None:
    """A tick of the next one that is there already takes nothing of it away."""
    leader, follower = watching(), watching()
    leader.set_initial_price(Tick("IDLE", "crypto", START - 20.0, 3.0))
    leader.update(Tick("LATE", "stocks", START - 3 * WINDOW_SEC, 33.0))
    leader.update(Tick("AAPL", "stocks", START + 0.5, 7.0))
    leader.advance(START + 1)
    leader.update_many(
        [Tick("LATE", "stocks", START + 1.1, 5.0), Tick("IDLE", "crypto", START + 1.1, 6.0)]
    )
    memory = leader.remember()
    assert memory.prices == (Tick("IDLE", "crypto", START - 20.0, 3.0),)
    assert memory.older == (Tick("LATE", "stocks", START - 3.0 * WINDOW_SEC, 33.0),)
    follower.recall(memory)
    show(follower, START, leader.recent_bars(START - RECENT_SEC, START + 1))
    assert different(leader, follower, START + 0.999) == []


def test_symbols_without_a_row_are_not_recalled(market: Market) -> None:
    """They are somebody else's to watch."""
    store = PulseStore(WINDOW_SEC, keeps_sums=True)
    store.watch("forex", ["EURUSD"])
    store.recall(market[0].store.remember())
    assert store.symbols == ["EURUSD"]
    assert store.vendors(START + 1.0) == {"EURUSD": "eodhd"}


def test_an_empty_store_remembers_nothing() -> None:
    """And recalling that changes nothing."""
    memory = PulseStore().remember()
    assert (memory.prices, memory.older) == ((), ())
    assert (memory.begins, memory.references) == ((), ())
    assert (len(memory.candles), len(memory.minutes), memory.judged) == (0, 0, -1)
    store = watching()
    store.recall(memory)
    assert store.remember().begins == ()


# What changes between two memories.


@given(st.integers(0, 2**16))
@settings(derandomize=True, max_examples=60)
def test_windows_are_made_anew_from_their_begins(seed: int) -> None:
    """Of any second the same window and vendor, however begins were named, joined and forgotten."""
    rng, windows, again = random.Random(seed), Windows(records=False), Windows(records=True)
    for step in range(rng.choice([1, 4, 25])):
        second = START + rng.choice([step * 7, step * 7, -3, 20, 21])
        vendor = rng.choice(["", "", "kraken", "coinbase", "eodhd"])
        row = rng.randrange(3)
        windows.add(row, Begin("ABC"[row], second, vendor))
    begins = windows.held("ABC")
    for begin in begins:
        again.load("ABC".index(begin.symbol), begin)
    assert again.held("ABC") == begins
    assert again.collect() == []
    for second in (0, *range(START - 10, START + 200)):
        one, other = windows.since(second, 3), again.since(second, 3)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one, other)
        served = [[each.vendor(n) for n in each.served(second, 3)] for each in (windows, again)]
        assert served[0] == served[1]


@given(st.integers(0, 2**16))
@settings(derandomize=True, max_examples=30)
def test_references_collected_and_set_again_are_the_same(seed: int) -> None:
    """In their order, with better ones and ones that change nothing, and each once at most."""
    rng, leader, follower = random.Random(seed), watching(), watching()
    for store in (leader, follower):
        for symbol in WATCHED:
            store.update(Tick(symbol, WATCHED[symbol], START + 0.5, 100.0))
            store.begin_anew([symbol], START - 10, "kraken")
    for step in range(rng.choice([1, 5, 40])):
        since = START - rng.choice([100, 200])
        leader.set_reference(
            rng.choice([*WATCHED, "unknown"]),
            rng.choice([90.0, 95.0, 99.0]),
            since,
            START + rng.choice([50, 300]),
            counts_from=since,
            vendor=rng.choice(["kraken", "kraken", "eodhd"]),
            is_better=rng.random() < 0.5,
        )
        if rng.random() < 0.3:
            for store in (leader, follower):
                store.advance(START + step)
            collected = leader.collect_references()
            assert len({(*one[:1], *one[2:]) for one in collected}) == len(collected)
            apply(follower, collected)
    apply(follower, leader.collect_references())
    assert follower.remember().references == leader.remember().references
    assert leader.collect_references() == []
    for second in (START + 10, START + 100):
        assert different(leader, follower, second) == []


def apply(store: PulseStore, references: list[Referenced]) -> None:
    """Set what was collected."""
    for symbol, price, since, until, counts_from, vendor in references:
        store.set_reference(symbol, price, since, until, counts_from=counts_from, vendor=vendor)


def test_references_not_collected_do_not_pile_up() -> None:
    """What is over is forgotten, and a store that passes nothing on keeps none for that."""
    store, alone = watching(), PulseStore()
    alone.watch("stocks", ["AAPL"])
    for day in range(400):
        since = START + day * 86_400
        for each in (store, alone):
            each.set_reference("AAPL", 5.0 + day, since, since + 86_400, counts_from=since)
            each.advance(since)
    assert [one.price for one in store.collect_references()] == [403.0, 404.0]
    assert alone.collect_references() == []


def test_a_price_learned_between_two_ticks_is_followed() -> None:
    """The other's prices of no window are its own, though older ticks came, until the next tick."""
    leader, follower = Leader(), watching()
    leader.store = watching()
    show(follower, START, leader.show(START, [Tick("AAPL", "stocks", START + 0.5, 7.0)]))
    leader.store.set_known_price(Tick("IDLE", "crypto", START - 5.0, 3.0))
    leader.store.load_ticks([Tick("IDLE", "crypto", START - 35.0, 2.0)], START)
    for second in range(START + 1, START + 15):
        ticks = [Tick("IDLE", "crypto", second + 0.2, 4.0)] if second == START + 12 else []
        bars = leader.show(second, ticks)
        follower.put(bars)
        follower.put_initial_prices(leader.store.initial_prices())
        follower.advance(second + 1)
        assert different(leader.store, follower, second + 0.999) == [], second - START
        wanted = 3.0 if second < START + 12 else 4.0
        assert follower.snapshot("IDLE", second + 0.999)["last"] == wanted  # type: ignore[index]
    assert follower.initial_prices() == []


# Bars told from memory.


def test_bars_told_from_memory_fill_another_store(market: Market) -> None:
    """Each price and each number of ticks of ten seconds; of recent seconds all as it was."""
    leader, published, second = market
    store, other = leader.store, watching()
    parts = [store.stored_bars(begin, begin + 60) for begin in range(START - 60, second + 60, 60)]
    told, exact = joined(parts), joined(published)
    for name in ("second", "row", "ms", "price"):
        np.testing.assert_array_equal(told.cells[name], exact.cells[name])
    recent = told.cells["second"] > second - RECENT_SEC
    assert told.cells[recent].tolist() == exact.cells[recent].tolist()
    other.load_bars(told)
    for symbol in WATCHED:
        sums, counts = store.tens(symbol, START, START + LIVED_SEC)
        told_sums, told_counts = other.tens(symbol, START, START + LIVED_SEC)
        np.testing.assert_array_equal(told_counts, counts)
        np.testing.assert_allclose(told_sums, sums, rtol=1e-15)
    assert told.cells["n"].min() == 1


def test_bars_told_of_a_part_of_ten_seconds_are_those_of_the_whole() -> None:
    """A second is told alike, whatever is asked with it, if the sums of seconds are not kept."""
    store = PulseStore()
    store.update_many(
        Tick("AAPL", "stocks", START + at, price)
        for at, price in ((1.0, 2.0), (1.5, 3.0), (4.0, 5.0), (7.25, 7.0), (7.5, 11.0))
    )
    whole = store.stored_bars(START, START + 10)
    assert whole.cells.tolist() == [
        (START + 1, 0, 500, 1, 3.0, 3.0),
        (START + 4, 0, 0, 1, 5.0, 5.0),
        (START + 7, 0, 500, 3, 11.0, 20.0),
    ]
    assert store.stored_bars(START + 2, START + 7).cells.tolist() == whole.cells[1:2].tolist()
    assert len(store.stored_bars(START + 10, START + 20)) == 0
    assert len(store.stored_bars(START - 20_000, START - 10_000)) == 0
