"""The simulated market beside recorded ones: its figures lie where those of real days do.

The ranges are those measured on recorded days of stocks, currencies and coins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from sources.instruments import YEAR_SEC, Instrument, instrument, traits
from sources.paths import Paths
from sources.quotes import EXCLUDED_CONDITIONS, Printer
from tests.market_figures import (
    bounce,
    clustering,
    dispersion,
    excess_kurtosis,
    jumps_a_day,
    moves,
    variance_ratio,
)
from ticks import ASSETS, Asset

Floats = npt.NDArray[np.float64]

MIDNIGHT: Final = 1_795_755_600.0
"""In New York, of a day in autumn."""

DAY: Final = 86_400
SEEDS: Final = range(4)
WATCHLIST: Final[Mapping[Asset, Sequence[str]]] = {
    "stocks": ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL", "JPM", "XOM"),
    "forex": ("EURUSD", "USDINR", "USDJPY", "GBPUSD", "AUDUSD"),
    "crypto": ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"),
}
SYMBOLS: Final = [symbol for asset in ASSETS for symbol in WATCHLIST[asset]]
COLUMNS: Final[Mapping[Asset, list[int]]] = {
    asset: [SYMBOLS.index(symbol) for symbol in WATCHLIST[asset]] for asset in ASSETS
}
SESSION: Final = slice(34_200, 57_600)
"""The seconds of a day in which the stock exchange is open."""


def instruments(watchlist: Mapping[Asset, Sequence[str]] = WATCHLIST) -> list[Instrument]:
    """The instruments of a watchlist, in its order."""
    return [instrument(asset, symbol) for asset in ASSETS for symbol in watchlist.get(asset, ())]


def mids(paths: Paths, seconds: int) -> Floats:
    """The logarithm of the mids at every second, seconds down and symbols across."""
    minutes = [paths.next_minute().levels[:, :-1] for _ in range(seconds // 60)]
    return np.concatenate(minutes, axis=1).T


@pytest.fixture(scope="module")
def days() -> list[Floats]:
    """A day each of four seeds, from midnight to midnight in New York."""
    return [mids(Paths(instruments(), seed, MIDNIGHT), DAY) for seed in SEEDS]


def by_class(figures: Sequence[Floats]) -> dict[Asset, float]:
    """The mean of a figure over days and over the symbols of each class."""
    means = np.mean(figures, axis=0)
    return {asset: float(means[COLUMNS[asset]].mean()) for asset in ASSETS}


def test_prices_walk_at_random(days: list[Floats]) -> None:
    """Variance grows with time: a quarter of an hour has neither less nor more than ten seconds."""
    for long in (60, 900):
        ratios = by_class([variance_ratio(day, long, 10) for day in days])
        assert all(0.8 <= ratio <= 1.2 for ratio in ratios.values()), ratios


def test_volatility_clusters_for_minutes_to_an_hour(days: list[Floats]) -> None:
    """The size of a minute's return says something of the sizes 1, 5 and 15 minutes later."""
    for minutes, least, most in ((1, 0.04, 0.31), (5, 0.07, 0.23), (15, 0.03, 0.22)):
        found = by_class([clustering(day, minutes) for day in days])
        assert all(least <= figure <= most for figure in found.values()), (minutes, found)


def test_tails_are_those_of_recorded_returns(days: list[Floats]) -> None:
    """Heavier than normal; of stocks while their exchange is open, else all day."""
    for seconds, stocks, others in ((10, (0.5, 8.0), (0.5, 30.0)), (60, (0.5, 4.0), (0.5, 18.0))):
        found = by_class([excess_kurtosis(day, seconds) for day in days])
        open_only = [excess_kurtosis(day[SESSION], seconds) for day in days]
        found["stocks"] = by_class(open_only)["stocks"]
        for asset, figure in found.items():
            least, most = stocks if asset == "stocks" else others
            assert least <= figure <= most, (seconds, found)


def test_prices_jump_a_few_times_a_day(days: list[Floats]) -> None:
    """No symbol goes without for ever, and none as often as every other hour."""
    found = by_class([jumps_a_day(day) for day in days])
    assert all(0.2 <= jumps <= 4.0 for jumps in found.values()), found


def test_the_day_has_a_shape(days: list[Floats]) -> None:
    """Stocks are wildest at the opening and wilder at the close than at noon; nights are calm."""

    def size(asset: Asset, begin: float, end: float) -> float:
        seconds = slice(int(3600 * begin), int(3600 * end))
        squares = [moves(day[seconds][:, COLUMNS[asset]], 60) ** 2 for day in days]
        return math.sqrt(float(np.mean(squares)))

    opening, noon, close = (size("stocks", *hours) for hours in ((9.5, 10), (12, 13), (15.5, 16)))
    assert opening > 1.4 * noon
    assert 1.1 * noon < close < opening
    assert size("stocks", 0, 4) < noon
    assert size("forex", 8.5, 10.5) > 1.3 * size("forex", 16.5, 18.5)
    assert size("crypto", 9, 12) > 1.1 * size("crypto", 0, 4)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_volatility_is_what_the_table_says(days: list[Floats], symbol: str) -> None:
    """Over days and over the busy hours of its class, within a third."""
    column = SYMBOLS.index(symbol)
    leg = instruments()[column].leading
    hours = SESSION if leg.asset == "stocks" else slice(DAY)
    squares = [moves(day[hours, column], 10) ** 2 for day in days]
    measured = math.sqrt(float(np.mean(squares)) / 10 * YEAR_SEC[leg.asset])
    assert measured == pytest.approx(traits(leg).vol_pa, rel=0.35)


# How symbols move together


def pearson(one: Floats, other: Floats) -> float:
    """The correlation of two series."""
    both = np.stack([one - one.mean(), other - other.mean()])
    products = both @ both.T
    return float(products[0, 1] / math.sqrt(products[0, 0] * products[1, 1]))


def correlation(day: Floats, one: str, other: str, seconds: int = 60) -> float:
    """Of returns over so many seconds."""
    returns = moves(day[:, [SYMBOLS.index(one), SYMBOLS.index(other)]], seconds)
    return pearson(returns[:, 0], returns[:, 1])


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("AAPL", "MSFT", 0.4, 0.7),
        ("NVDA", "TSLA", 0.25, 0.6),
        ("AAPL", "JPM", 0.15, 0.45),
        ("EURUSD", "GBPUSD", 0.5, 0.8),
        ("EURUSD", "USDJPY", -0.6, -0.25),
        ("EURUSD", "USDINR", -0.5, -0.1),
        ("BTC-USD", "ETH-USD", 0.6, 0.9),
        ("BTC-USD", "AAPL", 0.0, 0.3),
    ],
)
def test_what_belongs_together_moves_together(
    days: list[Floats], one: str, other: str, least: float, most: float
) -> None:
    """Stocks follow the market and more so their sector, currencies the dollar, coins coins."""
    assert least <= np.mean([correlation(day, one, other) for day in days]) <= most


def test_correlations_are_constant_but_for_episodes() -> None:
    """Most quarters of an hour agree with the day; a few are far from it, and last."""
    watchlist: Mapping[Asset, Sequence[str]] = {"stocks": WATCHLIST["stocks"][:7]}
    far, longest = [], 0
    for seed in SEEDS:
        returns = moves(mids(Paths(instruments(watchlist), seed, MIDNIGHT), DAY), 10)
        quarters = returns[: len(returns) // 90 * 90].reshape(-1, 90, returns.shape[1])
        for i, j in itertools.combinations(range(returns.shape[1]), 2):
            day = pearson(returns[:, i], returns[:, j])
            each = np.array([pearson(quarter[:, i], quarter[:, j]) for quarter in quarters])
            # The standard error of a quarter's atanh r under normal returns is 1/√87.
            distance = np.abs(np.arctanh(each) - np.arctanh(day)) * math.sqrt(87)
            far.append(distance > 3.5)
            runs = [sum(1 for _ in run) for is_far, run in itertools.groupby(far[-1]) if is_far]
            longest = max(longest, *runs, 0)
    assert 0.01 <= np.mean(far) <= 0.10
    assert longest >= 2


TWINS: Final[Mapping[Asset, Sequence[str]]] = {
    "forex": ("EURUSD", "USDJPY", "EURJPY", "GBPUSD", "EURGBP"),
    "crypto": ("BTC-USD", "BTC-USDT", "ETH-USD", "ETH-USDT", "ETH-BTC", "USDT-USD"),
}


def test_prices_of_one_coin_stay_within_some_basis_points() -> None:
    """BTC-USD and BTC-USDT wander apart by less than a thousandth and always come back."""
    items = instruments(TWINS)
    names = [item.symbol for item in items]
    day = mids(Paths(items, 1, MIDNIGHT), DAY)
    for coin in ("BTC", "ETH"):
        apart = day[:, names.index(f"{coin}-USDT")] - day[:, names.index(f"{coin}-USD")]
        assert np.abs(apart).max() < 12e-4
        assert 0.3e-4 < apart.std() < 3e-4
        assert (np.diff(np.sign(apart - apart.mean())) != 0).sum() > 200
        both = moves(day[:, [names.index(f"{coin}-USDT"), names.index(f"{coin}-USD")]], 10)
        assert pearson(both[:, 0], both[:, 1]) > 0.95
    assert np.abs(day[:, names.index("USDT-USD")]).max() < 12e-4


def test_crosses_agree_with_their_legs() -> None:
    """EURJPY is EURUSD times USDJPY, EURGBP EURUSD over GBPUSD, ETH-BTC ETH over BTC."""
    items = instruments(TWINS)
    names = [item.symbol for item in items]
    day = mids(Paths(items, 2, MIDNIGHT), 7200)

    def of(symbol: str) -> Floats:
        return np.asarray(day[:, names.index(symbol)])

    assert of("EURJPY") == pytest.approx(of("EURUSD") + of("USDJPY"), abs=1e-12)
    assert of("EURGBP") == pytest.approx(of("EURUSD") - of("GBPUSD"), abs=1e-12)
    assert of("ETH-BTC") == pytest.approx(of("ETH-USD") - of("BTC-USD"), abs=4e-4)


# How symbols trade


@pytest.fixture(scope="module")
def printed() -> dict[str, tuple[Floats, Floats]]:
    """Times and prices of the trades and quotes of three open hours."""
    items = instruments()
    paths, printers = Paths(items, 5, MIDNIGHT + 10 * 3600), [Printer(5, item) for item in items]
    found: dict[str, list[tuple[float, float]]] = {symbol: [] for symbol in SYMBOLS}
    for number in range(180):
        minute = paths.next_minute()
        for printer, levels, pace in zip(printers, minute.levels, minute.pace, strict=True):
            found[printer.symbol] += [
                (quote.ts, quote.price)
                for quote in printer.quotes(levels, pace, number, 60_000 * number)
                if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
            ]
    columns = {symbol: np.array(ticks).T for symbol, ticks in found.items()}
    return {symbol: (times, prices) for symbol, (times, prices) in columns.items()}


@pytest.mark.parametrize("symbol", ["AAPL", "NVDA", "TSLA", "EURUSD", "USDJPY", "BTC-USD"])
def test_ticks_of_busy_symbols_cluster(
    printed: dict[str, tuple[Floats, Floats]], symbol: str
) -> None:
    """Counts of ten seconds vary at least ten times as much as those of arrivals by chance."""
    assert 10 <= dispersion(printed[symbol][0]) <= 130


@pytest.mark.parametrize("symbol", ["AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL"])
def test_trades_of_stocks_bounce(printed: dict[str, tuple[Floats, Floats]], symbol: str) -> None:
    """Between bid and ask: most trades are at the price before, and changes undo each other."""
    found = bounce(printed[symbol][1])
    assert -0.42 <= found.autocorrelation <= -0.27
    assert 0.55 <= found.unchanged <= 0.89


def test_wilder_minutes_are_busier() -> None:
    """How much a minute moves goes along with how many ticks it has."""
    paths = Paths(instruments(), 3, MIDNIGHT)
    minutes = [paths.next_minute() for _ in range(1440)]
    sizes = np.array([np.abs(minute.levels[:, -1] - minute.levels[:, 0]) for minute in minutes])
    paces = np.array([minute.pace.mean(axis=1) for minute in minutes])
    for column in range(len(SYMBOLS)):
        assert pearson(sizes[:, column], paces[:, column]) > 0.1


def test_usual_pace_is_usual() -> None:
    """Over a day of many seeds no class ticks more than its table says, nor less than half."""
    paces = []
    for seed in range(6):
        paths = Paths(instruments(), seed, MIDNIGHT)
        paces.append(np.mean([paths.next_minute().pace.mean(axis=1) for _ in range(1440)], axis=0))
    found = by_class(paces)
    assert 0.6 < found["stocks"] < 1.0
    assert 0.85 < found["forex"] < 1.15
    assert 0.85 < found["crypto"] < 1.15
