"""The seeded market: what its seed and start decide, where it goes on, what its quotes are like.

Whether its prices are a market's is a matter of ``test_paths``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import StressDetector
from pulse_store import PulseStore
from sources.instruments import instrument
from sources.market import Market, as_ticks
from sources.quotes import EXCLUDED_CONDITIONS, Quote
from ticks import ASSETS, Asset

START = 1_800_000_000.0
"""At three in the morning in New York."""
WATCHLIST: dict[Asset, list[str]] = {
    "stocks": ["AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL"],
    "forex": ["EURUSD", "USDINR", "USDJPY", "GBPUSD", "AUDUSD"],
    "crypto": ["BTC-USD", "ETH-USD", "BTC-USDT", "ETH-USDT", "SOL-USDT"],
}


def by_the_minute(market: Market, seconds: int) -> list[Quote]:
    """What a punctual caller takes in the first seconds."""
    ends = [*range(60, seconds, 60), seconds]
    return [quote for end in ends for quote in market.read_until(market.start + end)]


def relative(quotes: Iterable[Quote], start: float) -> list[tuple[object, ...]]:
    """Quotes with their time as milliseconds since the start."""
    return [(q.symbol, round((q.ts - start) * 1000), *q[3:]) for q in quotes]


@pytest.fixture(scope="module")
def live() -> list[Quote]:
    """The first half hour of seed 1."""
    return by_the_minute(Market(WATCHLIST, 1, START), 1800)


# What the seed decides


def test_the_same_seed_is_the_same_market() -> None:
    """Two markets of one seed agree quote for quote, two seeds do not."""
    one, same, other = (by_the_minute(Market(WATCHLIST, s, START), 120) for s in (5, 5, 6))
    assert one == same
    assert one != other


def test_the_same_time_of_day_is_the_same_market() -> None:
    """A day later prices, sizes and times since the start are the same, fractions dropped."""
    early, late = Market(WATCHLIST, 5, START + 0.75), Market(WATCHLIST, 5, START + 86_400)
    assert early.start == START
    assert relative(by_the_minute(early, 120), early.start) == relative(
        by_the_minute(late, 120), late.start
    )
    assert [t.price for t in early.earlier_ticks(60)] == [t.price for t in late.earlier_ticks(60)]


def test_another_time_of_day_is_the_same_market_at_another_volatility() -> None:
    """While New York trades the same seed takes a stock the same way as at night, but further."""
    night, morning = (
        np.log([tick.price for tick in Market({"stocks": ["SPY"]}, 5, start).earlier_ticks()])
        for start in (START, START + 7 * 3600)
    )
    assert morning.std() > 1.5 * night.std()
    assert np.sign(morning[-1] - morning[0]) == np.sign(night[-1] - night[0])


def test_a_symbol_does_not_notice_who_else_is_watched() -> None:
    """Alone or among seventeen, a symbol has the same quotes."""
    among = by_the_minute(Market(WATCHLIST, 5, START), 120)
    for asset, symbol in (("stocks", "AAPL"), ("forex", "USDJPY"), ("crypto", "BTC-USDT")):
        alone = by_the_minute(Market({asset: [symbol]}, 5, START), 120)  # type: ignore[dict-item]  # a literal str
        assert alone == [quote for quote in among if quote.symbol == symbol]


def test_a_symbol_named_twice_is_one_symbol() -> None:
    """A watchlist is a set in order; absent classes are empty."""
    market = Market({"stocks": ["MSFT", "AAPL", "MSFT"]}, 1, START)
    assert market.symbols == {"stocks": ("MSFT", "AAPL"), "forex": (), "crypto": ()}
    assert market.end == math.inf


@pytest.mark.parametrize("seed", [-1, 0, 2**80])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    """Negative and huge seeds make markets too."""
    assert by_the_minute(Market(WATCHLIST, seed, START), 60)


# What is taken, and when


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.001, 59), min_size=1, max_size=12))
def test_how_often_it_is_asked_changes_nothing(waits: list[float]) -> None:
    """Taken in pieces of any size up to a minute, the quotes are the same."""
    market, whole = Market(WATCHLIST, 2, START), Market(WATCHLIST, 2, START)
    ends = [START + end for end in itertools.accumulate(waits)]
    pieces = [market.read_until(end) for end in ends]
    assert all(quote.ts < end for piece, end in zip(pieces, ends, strict=True) for quote in piece)
    expected = by_the_minute(whole, 720)
    taken = list(itertools.chain(*pieces))
    assert taken == expected[: len(taken)]
    assert expected[len(taken)].ts >= ends[-1]


def test_a_caller_who_slept_gets_the_last_minute_only() -> None:
    """After two hours of sleep come the very quotes of the last minute, then all goes on."""
    slept, awake = Market(WATCHLIST, 2, START), Market(WATCHLIST, 2, START)
    slept.read_until(START + 10.5)
    wake = START + 7210.5
    expected = [q for q in by_the_minute(awake, 7260) if q.ts >= wake - 60]
    assert slept.read_until(wake) + slept.read_until(START + 7260) == expected


def test_time_that_stands_still_or_goes_back_brings_nothing() -> None:
    """Asking again for what was taken is not an error."""
    market = Market(WATCHLIST, 2, START)
    assert market.read_until(START + 5)
    assert market.read_until(START + 5) == []
    assert market.read_until(START - 50) == []


def test_the_history_is_the_hour_before_the_start() -> None:
    """In time order, within its hour, and shorter ones are its tail."""
    market = Market(WATCHLIST, 3, START)
    hour, tail = market.earlier_ticks(), market.earlier_ticks(90)
    times = [tick.ts for tick in hour]
    assert times == sorted(times)
    assert START - 3600 <= times[0] < START - 3595
    assert START - 5 < times[-1] < START
    assert tail == [tick for tick in hour if tick.ts >= START - 90]
    assert market.earlier_ticks(7200) == hour
    assert {tick.symbol for tick in hour} == set(itertools.chain(*WATCHLIST.values()))


def test_looking_at_the_history_changes_nothing() -> None:
    """A market whose past was read goes on as one whose was not."""
    read, unread = Market(WATCHLIST, 3, START), Market(WATCHLIST, 3, START)
    first = read.read_until(START + 30)
    history = read.earlier_ticks()
    read.opening_quotes()
    assert history == unread.earlier_ticks()
    assert first + read.read_until(START + 60) == unread.read_until(START + 60)


def test_prices_go_on_where_the_history_ended() -> None:
    """No symbol jumps at the start, and the opening is the history's last word."""
    market = Market(WATCHLIST, 3, START)
    before = {tick.symbol: tick.price for tick in market.earlier_ticks()}
    opening = market.opening_quotes()
    assert {q.symbol: q.price for q in opening if not q.conditions}.items() <= before.items()
    assert [q.ts for q in opening] == sorted(q.ts for q in opening)
    after = {q.symbol: q.price for q in reversed(market.read_until(START + 30))}
    assert len(after) > 12
    for symbol, price in after.items():
        assert price == pytest.approx(before[symbol], rel=0.002)


# Where it goes on from


def spreads_away(quote: Quote, price: float) -> float:
    """How many of its spreads a quote is away from a price."""
    spread = instrument(quote.asset, quote.symbol).spread_bp * 1e-4
    return abs(quote.price / price - 1) / spread


USUAL: dict[str, float] = {
    symbol: instrument(asset, symbol).price for asset in ASSETS for symbol in WATCHLIST[asset]
}
"""The prices of a market that begins anew."""


def asset_of(symbol: str) -> str:
    """What a symbol of the watchlist is a price of: BTC-USD and BTC-USDT are both the coin BTC."""
    return symbol.split("-")[0]


def first_quotes(market: Market) -> dict[str, Quote]:
    """The first quote of every symbol in the first minute that may set the last price."""
    found: dict[str, Quote] = {}
    for quote in market.read_until(market.start + 60):
        if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions):
            found.setdefault(quote.symbol, quote)
    return found


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(1_000_000_000, 2_000_000_000),
    factors=st.lists(st.floats(0.5, 2), min_size=15, max_size=15),
)
def test_a_resumed_market_goes_on_where_the_earlier_one_left_off(
    seed: int, start: int, factors: list[float]
) -> None:
    """The first quotes are a few spreads away; one asset may jump in its very first second."""
    by_asset = dict(zip(dict.fromkeys(map(asset_of, USUAL)), factors, strict=True))
    prices = {symbol: price * by_asset[asset_of(symbol)] for symbol, price in USUAL.items()}
    first = first_quotes(Market(WATCHLIST, seed, start, prices))
    away = {symbol: spreads_away(quote, prices[symbol]) for symbol, quote in first.items()}
    assert len(away) >= 16
    assert np.median(list(away.values())) < 2.5
    far = {asset_of(symbol) for symbol, distance in away.items() if distance > 10}
    assert len(far) <= 1


@pytest.mark.parametrize(
    ("resumed", "symbol"),
    [
        ({"SOL-USD": 200.0, "SOL-USDT": 150.0}, "SOL-USD"),
        ({"SOL-USDT": 150.0}, "SOL-USDT"),
    ],
)
def test_of_the_prices_of_one_coin_the_first_symbols_has_the_word(
    resumed: dict[str, float], symbol: str
) -> None:
    """The others keep their distance of some basis points from it: a tether is worth 0.9996."""
    symbols: dict[Asset, list[str]] = {"crypto": ["SOL-USD", "SOL-USDT"]}
    told, others = [], []
    for seed in range(40):
        first = first_quotes(Market(symbols, seed, START, resumed))
        logs = {name: math.log((quote.bid + quote.ask) / 2) for name, quote in first.items()}
        told.append(logs[symbol] - math.log(resumed[symbol]))
        others.append(logs["SOL-USDT"] - logs["SOL-USD"])
    assert abs(np.mean(told)) < 1.5e-4
    assert np.mean(others) == pytest.approx(4e-4, abs=1e-4)


def test_symbols_without_an_earlier_price_start_as_always() -> None:
    """A watchlist may have grown meanwhile."""
    first = first_quotes(Market(WATCHLIST, 3, START, {"AAPL": 100.0}))
    assert len(first) >= 15
    for symbol, quote in first.items():
        expected = 100.0 if symbol == "AAPL" else USUAL[symbol]
        assert quote.price == pytest.approx(expected, rel=0.05)


def test_a_pair_and_its_cross_go_on_from_what_was_told() -> None:
    """What is in dollars is said by its own symbol, what a cross says is the other's."""
    symbols: dict[Asset, list[str]] = {"forex": ["EURJPY", "EURUSD"], "crypto": ["ETH-BTC"]}
    prices = {"EURJPY": 180.0, "EURUSD": 1.2, "ETH-BTC": 0.05}
    first = first_quotes(Market(symbols, 3, START, prices))
    assert set(first) == set(prices)
    for symbol, quote in first.items():
        assert quote.price == pytest.approx(prices[symbol], rel=0.002)


def test_a_coin_in_two_dollars_goes_on_at_both_prices() -> None:
    """Some basis points between them are the tether's, and stay."""
    symbols: dict[Asset, list[str]] = {"crypto": ["BTC-USD", "BTC-USDT"]}
    prices = {"BTC-USD": 90_000.0, "BTC-USDT": 90_000.0 * 1.0012}
    apart = []
    for seed in range(20):
        first = first_quotes(Market(symbols, seed, START, prices))
        apart.append(first["BTC-USDT"].price / first["BTC-USD"].price - 1)
    assert np.mean(apart) == pytest.approx(12e-4, abs=1e-4)


def test_a_resumed_market_has_no_past_of_its_own() -> None:
    """What was before it is the archive's, at prices that only that knows."""
    market = Market(WATCHLIST, 3, START, {"AAPL": 100.0})
    assert market.earlier_ticks() == []
    assert market.opening_quotes() == []
    assert min(quote.ts for quote in market.read_until(START + 30)) >= START


def test_no_earlier_price_at_all_is_a_new_market() -> None:
    """An archive that is still empty changes nothing."""
    empty, new = Market(WATCHLIST, 3, START, {}), Market(WATCHLIST, 3, START)
    assert empty.earlier_ticks(60) == new.earlier_ticks(60) != []
    assert by_the_minute(empty, 60) == by_the_minute(new, 60)


def test_a_resumed_market_repeats_itself_but_no_other() -> None:
    """The same seed, start and prices give the same quotes; a second later they are others."""
    prices = {"BTC-USD": 84_588.0}
    symbols: dict[Asset, list[str]] = {"crypto": ["BTC-USD"]}

    def drawn(seed: int, start: float, resumed: dict[str, float] | None) -> list[object]:
        market = Market(symbols, seed, start, resumed)
        return [row[1] for row in relative(by_the_minute(market, 120), market.start)]

    resumed = drawn(5, START, prices)
    assert resumed == drawn(5, START, prices)
    assert Market(symbols, 5, START, prices).read_until(START + 60) == Market(
        symbols, 5, START, prices
    ).read_until(START + 60)
    others = [drawn(5, START, None), drawn(5, START + 1, prices), drawn(6, START, prices)]
    assert resumed not in others


# What a quote looks like


def test_times_are_whole_milliseconds(live: list[Quote]) -> None:
    """Event times are what a vendor's integer milliseconds become, in order."""
    assert all(quote.ts == round(quote.ts * 1000) / 1000 for quote in live)
    assert [quote.ts for quote in live] == sorted(quote.ts for quote in live)


def test_prices_lie_on_the_grid_between_bid_and_ask(live: list[Quote]) -> None:
    """Stocks have cents, yen pairs three decimals, rupee pairs four, the others five; coins two."""
    decimals = {"stocks": 2, "forex": 5, "crypto": 2} | {"USDJPY": 3, "USDINR": 4}
    for quote in live:
        places = decimals.get(quote.symbol, decimals[quote.asset])
        assert quote.bid == round(quote.bid, places)
        assert quote.ask == round(quote.ask, places)
        assert 0 < quote.bid < quote.ask < quote.bid * 1.001
        if quote.asset == "forex":
            assert quote.price == pytest.approx((quote.bid + quote.ask) / 2, abs=1e-9)
        elif EXCLUDED_CONDITIONS.isdisjoint(quote.conditions):
            assert quote.price in (quote.bid, quote.ask)


def test_a_few_stock_prints_carry_conditions(live: list[Quote]) -> None:
    """One in a hundred is an odd lot at the market, three in a thousand are away from it."""
    prints = [quote for quote in live if quote.asset == "stocks"]
    odd = [q for q in prints if q.conditions == (37,)]
    away = [q for q in prints if not EXCLUDED_CONDITIONS.isdisjoint(q.conditions)]
    assert 0.005 < len(odd) / len(prints) < 0.015
    assert all(q.size < 100 and q.bid <= q.price <= q.ask for q in odd)
    assert 0.001 < len(away) / len(prints) < 0.006
    assert all(0.0025 < abs(q.price / q.bid - 1) < 0.0085 for q in away)
    assert all(q.size % 100 == 0 for q in prints if q.conditions != (37,))
    assert not any(q.conditions for q in live if q.asset != "stocks")


def test_prints_away_from_the_market_are_not_in_the_history() -> None:
    """A tick has no conditions, so the history holds only what may set the last price."""
    ticks = Market({"stocks": ["AAPL"]}, 0, START).earlier_ticks()
    aapl = pd.Series([tick.price for tick in ticks])
    assert (aapl / aapl.rolling(5, center=True).median() - 1).abs().max() < 0.0025


def test_symbols_nobody_described_are_plausible() -> None:
    """Any watchlist gets prices: positive, finite, fine enough to move, the same every time."""
    strange: dict[Asset, list[str]] = {
        "stocks": ["VOD", "ZZZZ", "brk.b"],
        "forex": ["EURGBP", "USDCHF", "EURJPY", "GBPINR", "XAU"],
        "crypto": ["SHIB-USD", "ETH-BTC", "WIF-USDC", "BTC-EUR", "Ω"],
    }
    quotes = by_the_minute(Market(strange, 1, START), 300)
    assert quotes == by_the_minute(Market(strange, 1, START), 300)
    assert {q.symbol for q in quotes} == set(itertools.chain(*strange.values()))
    assert all(0 < q.bid < q.ask and math.isfinite(q.ask) for q in quotes)
    assert all(q.ask / q.bid - 1 < 0.005 for q in quotes)
    assert all(len({q.price for q in quotes if q.symbol == s}) > 2 for s in {"SHIB-USD", "VOD"})


def test_symbols_tick_at_rates_of_their_own(live: list[Quote]) -> None:
    """The busiest ticks several times a second, the rarest every ten seconds."""
    counts = pd.Series([quote.symbol for quote in live]).value_counts() / 1800
    assert 2 < counts["BTC-USD"] < 8
    assert 0.5 < counts["AAPL"] < 4
    assert 0.05 < counts["USDINR"] < 0.4


def test_a_minute_may_pass_without_a_tick() -> None:
    """Rarely traded shares have none at times, and nothing else."""
    quotes = by_the_minute(Market({"stocks": ["BLK"]}, 3, START), 1800)
    minutes = {quote.ts // 60 for quote in quotes}
    assert 0 < len(minutes) < 30


# What changes while it runs


def test_a_stress_that_is_played_changes_nothing_before() -> None:
    """A jump beyond any usual minute within two seconds, of one symbol or with its peers."""
    usual, alone, both = (Market(WATCHLIST, 4, START) for _ in range(3))
    at = usual.start + 130.0
    assert usual.read_until(at) == alone.read_until(at) == both.read_until(at)
    assert alone.play("MSFT", -1.0, is_alone=True)
    assert both.play("MSFT", -1.0, is_alone=False)
    assert not alone.play("USDT-USD", 1.0, is_alone=True)
    moved = {}
    for name, market in (("usual", usual), ("alone", alone), ("both", both)):
        last = {q.symbol: q.price for q in market.read_until(at + 4.0) if not q.conditions}
        moved[name] = {symbol: math.log(last[symbol]) for symbol in ("MSFT", "TSLA", "EURUSD")}
    change = {
        name: {symbol: moved[name][symbol] - moved["usual"][symbol] for symbol in moved[name]}
        for name in ("alone", "both")
    }
    assert change["alone"]["MSFT"] == pytest.approx(change["both"]["MSFT"], abs=2e-4)
    assert change["alone"]["MSFT"] < -0.003
    assert abs(change["alone"]["TSLA"]) < 5e-4
    assert change["both"]["TSLA"] < -0.003
    assert abs(change["both"]["EURUSD"]) < 5e-5


@pytest.mark.parametrize(("symbol", "sign"), [("GBPUSD", -1.0), ("SOL-USDT", 1.0)])
def test_a_stress_that_is_played_is_an_event_within_seconds(symbol: str, sign: float) -> None:
    """Found by the detector as any other is, and told within ten seconds."""
    market, store, detector = Market(WATCHLIST, 11, START), PulseStore(), StressDetector()
    store.update_many(market.earlier_ticks())
    store.advance(market.start)
    at = int(market.start) + 20
    for second in range(int(market.start), at + 10):
        if second == at:
            market.play(symbol, sign, is_alone=True)
        store.update_many(as_ticks(market.read_until(second + 1.0)))
        store.advance(second + 1)
        found = detector.check_all(store.snapshots(second + 0.999))
        if second > at and any(one.symbol == symbol and one.ts > at for one in found):
            return
    raise AssertionError("no event")


def test_a_stress_at_a_minutes_end_waits_for_the_next() -> None:
    """Some two seconds: it would not end within its minute."""
    usual, market = Market(WATCHLIST, 4, START), Market(WATCHLIST, 4, START)
    at = usual.start + 119.0
    assert usual.read_until(at) == market.read_until(at)
    assert market.play("EURUSD", 1.0, is_alone=True)
    assert usual.read_until(at + 1.0) == market.read_until(at + 1.0)
    last = [
        [q.price for q in one.read_until(at + 5.0) if q.symbol == "EURUSD"][-1]
        for one in (usual, market)
    ]
    assert last[1] / last[0] > 1.001


def test_further_symbols_are_as_if_they_had_always_been_there() -> None:
    """Their past hour, what comes, and what is played; for the others nothing changes."""
    more: dict[Any, tuple[str, ...]] = {"stocks": ("IBM",), "forex": ("EURJPY",)}
    every = {asset: (*WATCHLIST[asset], *more.get(asset, ())) for asset in WATCHLIST}
    few, always = Market(WATCHLIST, 6, START), Market(every, 6, START)
    before = [*always.earlier_ticks(), *as_ticks(by_the_minute(always, 150))]
    by_the_minute(few, 150)
    for market in (few, always):
        assert market.play("EURUSD", 1.0, is_alone=True)
    grown, past = few.with_symbols(more)
    since, minute = few.start + 150.0 - 3600.0, few.start + 120.0
    new = [t for t in before if t.symbol in ("IBM", "EURJPY") and since <= t.ts < minute]
    # Of the minute in which a stress is played other quotes are drawn.
    assert [tick for tick in past if tick.ts < minute] == new
    until = few.start + 400.0
    assert grown.read_until(until) == always.read_until(until)


def test_a_market_that_goes_on_from_another_can_grow_too() -> None:
    """It has no past but its own; what was there before goes on from its price."""
    market = Market(WATCHLIST, 3, START, {"AAPL": 100.0, "EURUSD": 1.2})
    read = by_the_minute(market, 90)
    grown, past = market.with_symbols({"stocks": ("IBM",)})
    assert {tick.symbol for tick in past} == {"IBM"}
    assert min(tick.ts for tick in past) >= market.start
    until = market.start + 200.0
    known = {q.symbol for q in read}
    assert [q for q in grown.read_until(until) if q.symbol in known] == market.read_until(until)
