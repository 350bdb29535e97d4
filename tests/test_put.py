"""What a leading store passes on each second makes the same pulse in every store that takes it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import CELL, Bars
from pulse_store import RECENT_SEC, PulseStore
from sources.tape import Tape
from tests.publishing import (
    WINDOW_SEC,
    Leader,
    by_second,
    different,
    figures,
    joined,
    pulse_hash,
    show,
)
from ticks import Asset, Tick

START: Final = 1_795_600_800
"""2026-11-25T10:00:00Z."""

ASSETS_OF: Final[dict[str, Asset]] = {
    "AAPL": "stocks",
    "TSLA": "stocks",
    "EURUSD": "forex",
    "BTC-USD": "crypto",
    "ETH-USD": "crypto",
}


def walk(
    seed: int, seconds: int, most_late_sec: float, names: int = 5
) -> Iterator[tuple[float, Tick]]:
    """Times of arrival and ticks of a market of many rates, with ties, gaps, and late ticks."""
    rng = random.Random(seed)
    arrivals = []
    for name in [*ASSETS_OF, *(f"S{number}" for number in range(names - 5))][:names]:
        price, ts = rng.uniform(0.5, 900.0), START + rng.random() * 30
        rate = rng.choice([0.02, 0.2, 1.0, 4.0])
        while ts < START + seconds:
            price *= 1.0 + rng.gauss(0.0, 3e-4)
            late = rng.random() * (most_late_sec if rng.random() < 0.1 else 0.2)
            stamp = ts if rng.random() < 0.9 else float(int(ts)) + 0.5
            asset = ASSETS_OF.get(name, "stocks")
            arrivals.append((ts + late, Tick(name, asset, round(stamp, 3), round(price, 5))))
            ts += rng.expovariate(rate) if rng.random() < 0.999 else 400.0
    return iter(sorted(arrivals))


def recorded(path: Path, seed: int) -> Iterator[tuple[float, Tick]]:
    """The recorded hour, of which some arrives late: mostly little, a hundredth up to a minute."""
    rng, tape = random.Random(seed), Tape.load(path)
    arrivals = []
    for quote in tape.read_until(tape.end + 1):
        tick = Tick(quote.symbol, quote.asset, quote.ts, quote.price)
        late = rng.choices([0.05, 1.5, 60.0], [90, 9, 1])[0]
        arrivals.append((quote.ts + rng.random() * late, tick))
    return iter(sorted(arrivals))


def test_an_hour_of_tape_is_the_same_to_the_last_bit(tape_path: Path) -> None:
    """Frames, bars, charts, correlations and regimes, now and ten minutes ago, whatever is late."""
    leader, follower = Leader(), PulseStore(WINDOW_SEC, records=True)
    for symbols in Tape.load(tape_path).symbols.items():
        leader.store.watch(*symbols)
        follower.watch(*symbols)
    for second, arrived in by_second(recorded(tape_path, 7)):
        show(follower, second, leader.show(second, arrived))
        if second % 113 == 0:
            for now in (second + 0.999, second - 600.0):
                assert different(leader.store, follower, now) == [], second
    assert leader.store.regime("BTC-USD") != "unknown"


def test_who_joins_late_has_the_same_pulse(tape_path: Path) -> None:
    """Two hours loaded in one go, and then what is published: if no tick came after its bar closed.

    A volatility that was sampled before a late tick came is as it was then, and no one can tell.
    """
    leader, published, joiner = Leader(), [], PulseStore(WINDOW_SEC, keeps_sums=True)
    tape = Tape.load(tape_path)
    for symbols in tape.symbols.items():
        leader.store.watch(*symbols)
        joiner.watch(*symbols)
    arrivals = (
        (quote.ts, Tick(quote.symbol, quote.asset, quote.ts, quote.price))
        for quote in tape.read_until(tape.end)
    )
    has_joined = False
    for second, arrived in by_second(arrivals):
        published.append(leader.show(second, arrived))
        if second - tape.start > 3000 and not has_joined:
            joiner.load_bars(joined(published))
            joiner.advance(second + 1)
            has_joined = True
        elif has_joined:
            show(joiner, second, published[-1])
        if has_joined and second % 97 == 0:
            seconds = second + 0.999, second - 600.0, second - 1800.0
            assert pulse_hash(leader.store, seconds) == pulse_hash(joiner, seconds)
    assert has_joined


@given(st.integers(0, 2**16), st.sampled_from([0.2, 5.0, 60.0]), st.sampled_from([1, 5, 100]))
@settings(derandomize=True, deadline=None, max_examples=5)
def test_whoever_follows_has_the_same_pulse(seed: int, most_late_sec: float, names: int) -> None:
    """Whatever the market, and if its symbols appear one after the other."""
    leader, follower, published = Leader(), PulseStore(WINDOW_SEC, keeps_sums=True), []
    length = 600 if names > 5 else 1500
    for second, arrived in by_second(walk(seed, length, most_late_sec, names)):
        published.append(leader.show(second, arrived))
        show(follower, second, published[-1])
        # A symbol of which the first tick is of a second to come has no row there yet.
        if second % 151 == 0 and leader.store.symbols == follower.symbols:
            for now in (second + 0.999, second - 600.0):
                assert different(leader.store, follower, now) == [], second - START
    late = PulseStore(WINDOW_SEC, keeps_sums=True)
    late.load_bars(joined(published))
    late.advance(second + 1)
    found = different(leader.store, late, second + 0.999)
    # Late ticks are in what is summed, and were not in what was sampled before they came.
    sums = {"last", "range_low", "trace", "history", *(f"bars of {n} s" for n in (10, 20, 30, 60))}
    assert not (set(found) if most_late_sec < 1.0 else sums.intersection(found))


def test_a_symbol_that_ticks_again_after_hours_is_not_blank_meanwhile() -> None:
    """Its first tick in a second to come takes nothing from the second that is shown."""
    leader, follower = Leader(), PulseStore(WINDOW_SEC, keeps_sums=True)
    other = Tick("TSLA", "stocks", START + 0.5, 7.0)
    show(follower, START, leader.show(START, [Tick("AAPL", "stocks", START + 0.25, 5.0), other]))
    later = START + 3 * 3600
    again = Tick("AAPL", "stocks", later + 1.1, 6.0)
    show(follower, later - 1, leader.show(later - 1, []))
    bars = leader.show(later, [other._replace(ts=later + 0.5), again])
    show(follower, later, bars)
    assert bars.symbols[bars.cells["row"][0]] == "TSLA"
    assert len(bars) == 1
    assert leader.store.frame(later + 0.999)["last"].tolist() == [5.0, 7.0]
    assert different(leader.store, follower, later + 0.999) == []


def test_a_first_price_stays_shown_until_the_second_of_the_first_tick() -> None:
    """A price that entered no window is what a second shows that is over before the tick came."""
    leader, follower = Leader(), PulseStore(WINDOW_SEC, keeps_sums=True)
    for store in (leader.store, follower):
        store.set_initial_price(Tick("AAPL", "stocks", START - 40.0, 5.0))
    show(follower, START, leader.show(START, [Tick("TSLA", "stocks", START + 0.25, 7.0)]))
    ahead = Tick("AAPL", "stocks", START + 2.1, 6.0)
    show(follower, START + 1, leader.show(START + 1, [ahead]))
    assert different(leader.store, follower, START + 1.999) == []
    assert leader.store.frame(START + 1.999)["last"].tolist() == [5.0, 7.0]
    assert np.isnan(leader.store.frame(START + 1.999)["ret_1m"].to_numpy()).all()
    show(follower, START + 2, leader.show(START + 2, []))
    assert different(leader.store, follower, START + 2.999) == []
    assert leader.store.frame(START + 2.999)["last"].tolist() == [6.0, 7.0]


# What one second is replaced by.


def bars_of(*cells: tuple[int, int, int, int, float, float]) -> Bars:
    """Bars of AAPL and EURUSD."""
    return Bars(("AAPL", "EURUSD"), ("stocks", "forex"), np.array([*cells], CELL))


def test_a_second_put_again_takes_back_what_it_held() -> None:
    """Price, millisecond, sum and number, the last price, and what is summed up of its minute."""
    store, right = (PulseStore(records=True) for _ in range(2))
    wrong = bars_of((START, 0, 900, 3, 9.0, 21.0), (START + 70, 0, 800, 2, 8.0, 16.0))
    corrected = bars_of((START, 0, 200, 1, 5.0, 5.0), (START + 70, 0, 300, 1, 6.0, 6.0))
    store.put(wrong)
    store.advance(START + 71)
    assert store.frame(START + 70.999)["range_high"].tolist()[0] == 9.0
    store.put(corrected)
    right.put(corrected)
    for each in (store, right):
        each.advance(START + 71)
    assert different(store, right, START + 70.999) == []
    assert store.frame(START + 70.999)["last_ts"].tolist()[0] == START + 70.3
    assert store.tens("AAPL", START, START + 80)[0].tolist() == [5.0, *[0.0] * 6, 6.0]
    assert store.tens("AAPL", START, START + 80)[1].tolist() == [1, *[0] * 6, 1]


def test_putting_the_same_again_changes_nothing() -> None:
    """Once or three times, recent or long ago."""
    once, thrice = (PulseStore(keeps_sums=True) for _ in range(2))
    parts = [
        bars_of((START + 400, 1, 5, 2, 1.1, 2.2)),
        bars_of((START + 3, 0, 5, 2, 8.0, 16.5), (START + 405, 1, 7, 1, 1.2, 1.2)),
    ]
    for bars in parts:
        once.put(bars)
        for _ in range(3):
            thrice.put(bars)
    for store in (once, thrice):
        store.advance(START + 410)
    assert figures(once, START + 409.0) == figures(thrice, START + 409.0)


def test_what_is_older_than_the_recent_seconds_is_added_once() -> None:
    """A second that has a price keeps it; one that has none gets the bar's, and its ticks count."""
    store = PulseStore(records=True)
    store.put(bars_of((START + 2, 0, 500, 2, 10.0, 20.0), (START + 500, 0, 0, 1, 12.0, 12.0)))
    taken = store.collect_changed()
    store.put(bars_of((START + 2, 0, 600, 9, 99.0, 891.0), (START + 4, 0, 1, 1, 11.0, 11.0)))
    store.advance(START + 501)
    prices = store.seconds("AAPL", START, START + 6)
    assert prices[[2, 4]].tolist() == [10.0, 11.0]
    assert store.tens("AAPL", START, START + 10)[0].tolist() == [31.0]
    assert store.tens("AAPL", START, START + 10)[1].tolist() == [3]
    assert store.frame(START + 500.999)["last"].tolist()[0] == 12.0
    assert len(taken) == 2
    assert store.collect_changed().cells["second"].tolist() == [START + 4]


def test_what_is_put_is_collected_in_order_and_as_it_is_now() -> None:
    """For an archive of one's own: each second once, corrected, older ones before newer ones."""
    store = PulseStore(records=True)
    store.put(bars_of((START + 100, 0, 500, 1, 10.0, 10.0), (START + 300, 0, 500, 1, 10.0, 10.0)))
    store.put(bars_of((START + 90, 1, 0, 1, 1.5, 1.5), (START + 300, 0, 600, 2, 10.5, 20.5)))
    assert store.collect_changed().cells.tolist() == [
        (START + 90, 1, 0, 1, 1.5, 1.5),
        (START + 100, 0, 500, 1, 10.0, 10.0),
        (START + 300, 0, 600, 2, 10.5, 20.5),
    ]
    assert len(store.collect_changed()) == 0


def test_bars_put_give_new_symbols_a_row() -> None:
    """In their order, after those that are known, whether they have a cell or not."""
    store = PulseStore(keeps_sums=True)
    store.watch("crypto", ["BTC-USD"])
    store.put(bars_of((START, 1, 0, 1, 1.5, 1.5)))
    assert store.symbols == ["BTC-USD", "AAPL", "EURUSD"]
    assert store.frame(START + 0.999)["last"].tolist()[2] == 1.5


def test_prices_that_are_none_are_left_out() -> None:
    """The second stays as it was."""
    store = PulseStore(keeps_sums=True)
    store.put(bars_of((START, 0, 0, 1, 1.5, 1.5)))
    store.put(bars_of((START, 0, 0, 1, np.nan, np.nan), (START + 1, 0, 0, 1, 0.0, 0.0)))
    assert store.recent_bars(START, START + 9).cells.tolist() == [(START, 0, 0, 1, 1.5, 1.5)]


def test_bars_that_cannot_be_put_are_refused() -> None:
    """Into a store that has no sums to take back, or of an unknown asset class."""
    with pytest.raises(ValueError, match="keeps no sums of seconds"):
        PulseStore().put(bars_of())
    store = PulseStore(keeps_sums=True)
    with pytest.raises(ValueError, match="asset of A is 'bonds'"):
        store.put(Bars.empty(["A"], ["bonds"]))


def test_bars_are_put_after_the_clock_was_set_back() -> None:
    """Where a clock ahead emptied the recent seconds nothing is lost, and what follows is whole."""
    store = PulseStore(keeps_sums=True)
    store.update_many(Tick("AAPL", "stocks", START + n / 4, 10.0 + n) for n in range(40))
    store.advance(START + 9)
    held = store.tens("AAPL", START, START + 10)
    store.advance(START + 3000)
    store.set_clock_back(START + 10)
    store.advance(START + 10)
    np.testing.assert_array_equal(store.tens("AAPL", START, START + 10), held)
    store.put(bars_of((START + 5, 0, 0, 1, 99.0, 99.0), (START + 12, 0, 0, 2, 7.0, 14.5)))
    store.advance(START + 20)
    np.testing.assert_array_equal(store.tens("AAPL", START, START + 10), held)
    assert store.tens("AAPL", START + 10, START + 20)[0].tolist() == [14.5]
    assert store.recent_bars(START + 10, START + 20).cells["sum"].tolist() == [14.5]


def test_a_stall_longer_than_the_recent_seconds_loses_no_sum() -> None:
    """What arrived in one go is summed up second by second before it is recent no longer."""
    rng = random.Random(1)
    ticks = [
        Tick("AAPL", "stocks", START + n / 7 - rng.choice([0, 0, 31]), rng.uniform(100, 101))
        for n in range(300 * 7)
    ]
    stalled, regular = (PulseStore(keeps_sums=True) for _ in range(2))
    stalled.update_many(ticks)
    for at in range(0, len(ticks), 7):
        regular.update_many(ticks[at : at + 7])
        regular.advance(START + at // 7 + 1)
    stalled.advance(START + 300)
    one, other = (store.tens("AAPL", START, START + 300) for store in (stalled, regular))
    np.testing.assert_array_equal(one, other)
    assert RECENT_SEC < 300


def test_bars_closed_at_once_are_those_closed_one_by_one_to_the_last_bit() -> None:
    """Of many symbols, so that no sum depends on how many bars were closed with it."""
    ticks = [tick for _, tick in walk(4, 1500, 0.0, 150)]
    at_once, one_by_one = (PulseStore(WINDOW_SEC, keeps_sums=True) for _ in range(2))
    for store in (at_once, one_by_one):
        store.update_many(ticks)
    for now in range(START, START + 1500, 10):
        one_by_one.advance(now)
    for store in (at_once, one_by_one):
        store.advance(START + 1500)
    pd.testing.assert_frame_equal(
        at_once.frame(START + 1499.0), one_by_one.frame(START + 1499.0), check_exact=True
    )


@pytest.mark.parametrize("back_sec", [0, 1, 7, 10, 33, 60])
def test_what_came_after_a_second_is_forgotten(back_sec: int) -> None:
    """As if it had never come: then, and in all that comes after it, whatever was late."""
    end = START + 400
    last = end - back_sec
    store, other = (PulseStore(WINDOW_SEC, records=True) for _ in range(2))
    for one in (store, other):
        for symbol, asset in ASSETS_OF.items():
            one.watch(asset, [symbol])

    def show(one: PulseStore, second: int, arrived: list[Tick]) -> None:
        # What comes late of a second that is kept would be kept, too.
        is_after = second > last
        one.update_many(t for t in arrived if not is_after or int(t.ts) > last)
        one.advance(second + 1)

    seconds = list(by_second(walk(11, 600, 5.0)))
    for second, arrived in seconds:
        if second <= end:
            show(store, second, arrived)
        if second <= last:
            show(other, second, arrived)
    store.forget_after(last)
    other.forget_after(last)  # of the half second in which it was shown
    assert different(store, other, last + 0.999) == []
    for second, arrived in seconds:
        if second > last:
            show(store, second, arrived)
            show(other, second, arrived)
    for now in (last + 0.999, seconds[-1][0] + 0.999):
        assert different(store, other, now) == []


def test_what_is_forgotten_is_collected_no_more() -> None:
    """Nor is it known which price was the last."""
    store = PulseStore(WINDOW_SEC, records=True)
    for second in range(START, START + 20):
        store.update(Tick("AAPL", "stocks", second + 0.5, 100.0 + second - START))
        store.advance(second + 1)
    store.forget_after(START + 9)
    assert store.collect_changed().cells["second"].tolist() == list(range(START, START + 10))
    row = store.snapshot("AAPL", START + 9.999)
    assert row is not None
    assert (row["last"], row["last_ts"]) == (109.0, START + 9.5)
    store.forget_after(START - 1)
    row = store.snapshot("AAPL", START + 0.999)
    assert row is not None
    assert row["last"] is None


def test_a_price_of_no_window_is_forgotten_alone_if_it_came_after() -> None:
    """One that was there before stays."""
    store = PulseStore(WINDOW_SEC, records=True)
    store.watch("stocks", ["AAPL", "TSLA"])
    store.update(Tick("MSFT", "stocks", START + 0.5, 300.0))
    store.set_initial_price(Tick("AAPL", "stocks", START - 500.0, 100.0))
    store.set_initial_price(Tick("TSLA", "stocks", START + 5.0, 200.0))
    store.update(Tick("MSFT", "stocks", START + 5.5, 301.0))
    store.forget_after(START + 2)
    assert store.frame(START + 2.999)["last"].tolist()[:1] == [100.0]
    assert [tick.symbol for tick in store.initial_prices()] == ["AAPL"]
