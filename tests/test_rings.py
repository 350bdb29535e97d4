"""The rings: the lowest and highest price of any stretch of what is stored."""

from __future__ import annotations

import random
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse_store import PulseStore
from rings import RECENT_SEC, Rings
from ticks import Tick

START: Final = 1_760_000_400
"""A whole hour, in seconds since the epoch."""

NAMES: Final = ("A", "B", "C")

HOUR: Final = 3600


class Prices:
    """Every price ever, and the bars that are still stored, kept naively."""

    def __init__(self, bars: int) -> None:
        self.bars = bars
        self.head = -1
        self.newest: dict[tuple[str, int], tuple[int, float]] = {}

    def write(self, tick: Tick) -> None:
        """The later arrival wins within a millisecond, the newer stamp else."""
        second, ms = divmod(round(tick.ts * 1000), 1000)
        self.head = max(self.head, second // 10)
        if second // 10 > self.head - self.bars:
            before = self.newest.get((tick.symbol, second), (-1, 0.0))
            if ms >= before[0]:
                self.newest[tick.symbol, second] = (ms, tick.price)

    def range(self, symbol: str, second: int, seconds: int) -> tuple[float, float] | None:
        """The lowest and highest of the seconds asked for that are stored."""
        found = [
            price
            for (name, at), (_, price) in self.newest.items()
            if name == symbol
            and second - seconds < at <= second
            and self.head - self.bars < at // 10 <= self.head
        ]
        return (min(found), max(found)) if found else None


def assert_same_range(rings: Rings, prices: Prices, second: int, seconds: int) -> None:
    """Every symbol's range is the naive one, to the last digit."""
    low, high = rings.price_range(second, seconds)
    for name, row in rings.rows.items():
        wanted = prices.range(name, second, seconds) or (np.nan, np.nan)
        where = f"{name} at {second - START}"
        np.testing.assert_array_equal((low[row], high[row]), wanted, where)


@given(st.integers(0, 2**16), st.sampled_from([67, 367, 847]), st.sampled_from([60, 600, HOUR]))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_the_range_of_any_second_is_that_of_all_prices(seed: int, bars: int, seconds: int) -> None:
    """Rewound and ahead, late ticks, ties, gaps and a clock set back included."""
    rng = random.Random(seed)
    rings, prices = Rings(bars, records=rng.random() < 0.5), Prices(bars)
    clock_ms = START * 1000
    for step in range(rng.choice([30, 400])):
        waits = [1, 200, 2500, 12_000, 95_000, 700_000, 9_000_000]
        clock_ms += rng.choices(waits, [20, 30, 30, 20, 6, 2, 0.3])[0]
        late_ms = rng.choices([0, 1, 1500, 50_000, 900_000], [70, 10, 10, 8, 2])[0]
        name = rng.choice(NAMES[: 1 + step // 10])
        tick = Tick(name, "stocks", (clock_ms - late_ms) / 1000, 100.0 + rng.randrange(1000) / 8)
        rings.write_ticks([tick])
        prices.write(tick)
        if rng.random() < 0.01:
            rings.roll(rings.head + 30)  # a clock that is ahead by mistake, and set right
            gone = rings.head - bars
            prices.newest = {key: at for key, at in prices.newest.items() if key[1] // 10 > gone}
            rings.set_back(clock_ms // 10_000)
            prices.head = rings.head
        if rng.random() < 0.2:
            back = rng.choice([0, 1, 7, 60, 61, 500, 3000, -5, -90])
            assert_same_range(rings, prices, clock_ms // 1000 - back, seconds)
    for _ in range(20):
        assert_same_range(rings, prices, clock_ms // 1000 - rng.randrange(-100, 8000), seconds)


def test_bars_written_in_one_go_have_the_range_of_their_ticks() -> None:
    """After a restart the range of any second is what it was, and late ticks still count."""
    rng = random.Random(3)
    store, restarted = PulseStore(2 * HOUR, records=True), Rings(727, records=True)
    prices = Prices(727)
    for second in range(START, START + 2 * HOUR, 4):
        name = rng.choice(NAMES)
        tick = Tick(
            name, "stocks", second + rng.randrange(1000) / 1000, 50 + rng.randrange(800) / 8
        )
        store.update(tick)
        prices.write(tick)
    restarted.write_bars(store.collect_changed())
    end = START + 2 * HOUR - 1
    for back in (0, 1, 59, 60, 1234, HOUR):
        assert_same_range(restarted, prices, end - back, HOUR)
    for ts, price in ((end - 400.5, 1.0), (end - 3000.25, 999.0), (end + 70.0, 2.0)):
        tick = Tick("A", "stocks", ts, price)
        restarted.write_ticks([tick])
        prices.write(tick)
    for back in (-70, 0, 1, 59, 60, 400, 401, 1234, HOUR):
        assert_same_range(restarted, prices, end - back, HOUR)


def test_without_a_price_there_is_no_range() -> None:
    """No symbol, no tick, or none in the hour: unknown, not 0."""
    rings = Rings(367, records=False)
    assert [len(values) for values in rings.price_range(START, HOUR)] == [0, 0]
    rings.add_symbol("A", "stocks")
    rings.write_initial_price(Tick("A", "stocks", START - 5.0, 7.0))
    rings.write_ticks([Tick("B", "stocks", float(START), 3.0)])
    low, high = rings.price_range(START + 100, HOUR)
    np.testing.assert_array_equal((low, high), ([np.nan, 3.0], [np.nan, 3.0]))
    assert np.isnan(rings.price_range(START + HOUR, HOUR)).all()
    assert np.isnan(rings.price_range(START + 9 * HOUR, HOUR)).all()


@given(st.integers(0, 2**16), st.integers(-90, 5), st.integers(0, 90), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_recent_bars_are_those_of_all_ticks(
    seed: int, begin: int, length: int, records: bool
) -> None:
    """Whether they are also recorded or not, and whatever late ticks did to them."""
    rng, rings = random.Random(seed), Rings(67, records=records, keeps_sums=not records)
    wanted: dict[tuple[int, str], list[float]] = {}
    for second in range(START, START + 200, rng.choice([1, 3, 40])):
        for _ in range(rng.randrange(4)):
            late = rng.choice([0, 0, rng.randrange(60)])
            tick = Tick(rng.choice(NAMES), "stocks", second - late + 0.5, rng.randrange(1, 9) / 4)
            rings.write_ticks([tick])
            wanted.setdefault((int(tick.ts), tick.symbol), []).append(tick.price)
    newest = max((second for second, _ in wanted), default=START)
    first, end = max(newest + begin, newest - RECENT_SEC + 1), newest + begin + length
    bars = rings.recent_bars(first, end)
    assert bars.cells["second"].tolist() == sorted(bars.cells["second"].tolist())
    assert {
        (int(cell["second"]), bars.symbols[cell["row"]]): (cell["price"], cell["sum"], cell["n"])
        for cell in bars.cells
    } == {
        key: (prices[-1], sum(prices), len(prices))
        for key, prices in wanted.items()
        if first <= key[0] < end
    }


@pytest.mark.parametrize("jump", [1, 40, 4000])
def test_without_sums_there_are_no_recent_bars(jump: int) -> None:
    """Whatever was written, and however far it went on."""
    rings = Rings(67, records=False)
    for second in (START, START + jump):
        rings.write_ticks([Tick("AAPL", "stocks", second + 0.5, 2.0)])
    assert len(rings.recent_bars(START, START + jump + 1)) == 0
