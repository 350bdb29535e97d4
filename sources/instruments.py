"""What the simulated market trades: what each name's price is made of, and what it is like.

A share is an asset of its own; a currency pair is the ratio of two currencies and a coin's price
that of a coin and a currency, so that crosses agree with their legs: EURJPY is EURUSD times USDJPY,
ETH-BTC is ETH-USD over BTC-USD.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from ticks import Asset

__all__ = [
    "FACTORS",
    "KNOWN",
    "PEGGED",
    "YEAR_SEC",
    "Instrument",
    "Leg",
    "Traits",
    "instrument",
    "traits",
    "well_known",
]

YEAR_SEC: Final[dict[Asset, float]] = {
    "stocks": 252 * 6.5 * 3600,
    "forex": 252 * 24 * 3600,
    "crypto": 365 * 24 * 3600,
}
"""Trading seconds per year, over which annual volatilities are spread."""

SECTORS: Final = ("tech", "finance", "energy", "health", "consumer", "industry")

FACTORS: Final[dict[str, Asset]] = {
    "market": "stocks",
    **dict.fromkeys(SECTORS, "stocks"),
    "dollar": "forex",
    "europe": "forex",
    "pacific": "forex",
    "coins": "crypto",
}
"""What moves many assets at once, and the class it belongs to. If ``dollar`` rises, the dollar
does."""


class Leg(NamedTuple):
    """An asset whose price has a path of its own, in dollars: a share, a currency or a coin."""

    asset: Asset
    name: str


class Traits(NamedTuple):
    """What an asset is like."""

    price: float
    """In dollars, at the beginning of the hour before the start."""
    vol_pa: float
    """Annual volatility, as a fraction."""
    rate: float
    """Ticks per second of its symbols in dollars, on average over the busy hours."""
    spread_bp: float
    """Ask minus bid, in 1/10000 of the price."""
    loads: Mapping[str, float]
    """Correlation with each factor; what their squares leave of 1 is its own variance."""
    group: str
    """Which assets it may move together with, for a while, more than these factors say."""


class Instrument(NamedTuple):
    """What one symbol is a price of."""

    asset: Asset
    symbol: str
    base: Leg | None
    """What is priced; None: dollars."""
    quote: Leg | None
    """What the price is counted in; likewise."""
    leading: Leg
    """The one of the two that it is mainly a price of: the base, unless that is dollars."""
    price: float
    """At the beginning of the hour before the start."""
    rate: float
    """Ticks per second, on average over the busy hours."""
    spread_bp: float
    decimals: int
    """Of the quoted price."""
    basis: float
    """How far around what its legs say it wanders, as a standard deviation of the logarithm."""


PEGGED: Final = frozenset(
    {Leg("crypto", coin) for coin in ("USDT", "USDC", "DAI", "FDUSD", "PYUSD", "TUSD")}
)
"""Coins that are kept at a dollar: they do not walk, they stay within some basis points."""

BASIS: Final = 0.4e-4
"""How far a coin that is quoted in anything but dollars wanders from what its legs say."""


WIDEST_BP: Final = 6.0
"""The widest spread of a share, in 1/10000 of the price."""


def _stock(
    price: float, vol_pa: float, rate: float, sector: str, market: float = 0.55, own: float = 0.42
) -> Traits:
    # As wide as what the price moves from trade to trade makes it: so are the spreads of books.
    moved_bp = 1e4 * vol_pa / math.sqrt(YEAR_SEC["stocks"] * rate)
    spread_bp = min(2.4 * moved_bp, WIDEST_BP)
    return Traits(price, vol_pa, rate, spread_bp, {"market": market, sector: own}, sector)


def _currency(
    price: float, vol_pa: float, rate: float, spread_bp: float, dollar: float, **loads: float
) -> Traits:
    return Traits(price, vol_pa, rate, spread_bp, {"dollar": -dollar, **loads}, "currencies")


def _coin(price: float, vol_pa: float, rate: float, spread_bp: float, coins: float) -> Traits:
    loads = {"coins": coins, "market": 0.2}
    return Traits(price, vol_pa, rate, spread_bp, loads, "coins")


def _stable(price: float) -> Traits:
    return Traits(price, 0.003, 0.3, 0.5, {}, "stable")


_STOCKS: Final[dict[str, Traits]] = {
    "AAPL": _stock(331.0, 0.27, 1.8, "tech"),
    "TSLA": _stock(405.0, 0.55, 2.2, "tech", 0.5, 0.4),
    "NVDA": _stock(190.0, 0.45, 2.5, "tech"),
    "AMZN": _stock(232.0, 0.32, 1.5, "tech"),
    "MSFT": _stock(512.0, 0.25, 1.2, "tech"),
    "META": _stock(705.0, 0.36, 1.0, "tech"),
    "GOOGL": _stock(287.0, 0.30, 1.0, "tech"),
    "GOOG": _stock(288.0, 0.30, 0.6, "tech"),
    "AVGO": _stock(362.0, 0.45, 0.9, "tech"),
    "AMD": _stock(238.0, 0.52, 1.2, "tech"),
    "ORCL": _stock(246.0, 0.40, 0.5, "tech"),
    "CRM": _stock(241.0, 0.33, 0.3, "tech"),
    "ADBE": _stock(333.0, 0.34, 0.3, "tech"),
    "NFLX": _stock(112.0, 0.35, 0.5, "tech"),
    "CSCO": _stock(74.0, 0.23, 0.5, "tech"),
    "INTC": _stock(37.5, 0.50, 0.9, "tech"),
    "QCOM": _stock(172.0, 0.35, 0.4, "tech"),
    "TXN": _stock(163.0, 0.30, 0.3, "tech"),
    "IBM": _stock(305.0, 0.26, 0.3, "tech"),
    "INTU": _stock(660.0, 0.30, 0.2, "tech"),
    "NOW": _stock(845.0, 0.36, 0.2, "tech"),
    "PLTR": _stock(172.0, 0.62, 1.4, "tech", 0.5, 0.4),
    "MU": _stock(236.0, 0.52, 0.9, "tech"),
    "UBER": _stock(92.0, 0.36, 0.5, "tech", 0.5, 0.35),
    "JPM": _stock(309.0, 0.23, 0.5, "finance"),
    "BAC": _stock(53.0, 0.24, 0.8, "finance"),
    "WFC": _stock(86.0, 0.26, 0.5, "finance"),
    "C": _stock(103.0, 0.28, 0.5, "finance"),
    "GS": _stock(812.0, 0.27, 0.2, "finance"),
    "MS": _stock(168.0, 0.27, 0.3, "finance"),
    "BLK": _stock(1_045.0, 0.26, 0.1, "finance"),
    "SCHW": _stock(93.0, 0.27, 0.3, "finance"),
    "AXP": _stock(362.0, 0.26, 0.2, "finance"),
    "V": _stock(334.0, 0.20, 0.4, "finance"),
    "MA": _stock(546.0, 0.21, 0.2, "finance"),
    "PYPL": _stock(62.0, 0.36, 0.4, "finance", 0.5, 0.3),
    "BRK-B": _stock(511.0, 0.17, 0.3, "finance"),
    "COF": _stock(216.0, 0.30, 0.2, "finance"),
    "XOM": _stock(116.0, 0.23, 0.5, "energy", 0.4, 0.65),
    "CVX": _stock(151.0, 0.23, 0.4, "energy", 0.4, 0.65),
    "COP": _stock(89.0, 0.30, 0.3, "energy", 0.4, 0.65),
    "SLB": _stock(36.0, 0.33, 0.3, "energy", 0.4, 0.6),
    "LLY": _stock(1_060.0, 0.33, 0.3, "health", 0.35, 0.45),
    "UNH": _stock(327.0, 0.32, 0.4, "health", 0.3, 0.4),
    "JNJ": _stock(206.0, 0.17, 0.3, "health", 0.3, 0.5),
    "PFE": _stock(25.5, 0.23, 0.6, "health", 0.35, 0.5),
    "MRK": _stock(101.0, 0.25, 0.4, "health", 0.35, 0.5),
    "ABBV": _stock(229.0, 0.24, 0.3, "health", 0.3, 0.5),
    "ABT": _stock(129.0, 0.20, 0.3, "health", 0.35, 0.45),
    "TMO": _stock(588.0, 0.26, 0.1, "health", 0.4, 0.45),
    "AMGN": _stock(341.0, 0.24, 0.2, "health", 0.3, 0.45),
    "GILD": _stock(126.0, 0.24, 0.3, "health", 0.3, 0.45),
    "BMY": _stock(49.0, 0.26, 0.4, "health", 0.3, 0.45),
    "WMT": _stock(110.0, 0.21, 0.5, "consumer", 0.4, 0.4),
    "COST": _stock(905.0, 0.21, 0.2, "consumer", 0.45, 0.4),
    "HD": _stock(354.0, 0.23, 0.3, "consumer", 0.5, 0.4),
    "LOW": _stock(241.0, 0.24, 0.2, "consumer", 0.5, 0.4),
    "MCD": _stock(311.0, 0.18, 0.2, "consumer", 0.35, 0.4),
    "SBUX": _stock(86.0, 0.27, 0.3, "consumer", 0.45, 0.35),
    "NKE": _stock(65.0, 0.33, 0.4, "consumer", 0.5, 0.35),
    "KO": _stock(72.5, 0.15, 0.5, "consumer", 0.3, 0.55),
    "PEP": _stock(147.0, 0.18, 0.3, "consumer", 0.3, 0.55),
    "PG": _stock(149.0, 0.17, 0.4, "consumer", 0.3, 0.55),
    "DIS": _stock(105.0, 0.26, 0.4, "consumer", 0.5, 0.3),
    "T": _stock(25.8, 0.20, 0.5, "consumer", 0.3, 0.35),
    "VZ": _stock(41.0, 0.19, 0.5, "consumer", 0.3, 0.35),
    "BA": _stock(189.0, 0.35, 0.4, "industry", 0.5, 0.4),
    "CAT": _stock(572.0, 0.28, 0.25, "industry", 0.55, 0.4),
    "GE": _stock(296.0, 0.29, 0.3, "industry", 0.55, 0.45),
    "HON": _stock(193.0, 0.21, 0.2, "industry", 0.5, 0.45),
    "RTX": _stock(174.0, 0.22, 0.3, "industry", 0.35, 0.5),
    "LMT": _stock(459.0, 0.23, 0.1, "industry", 0.3, 0.5),
    "UPS": _stock(96.0, 0.27, 0.3, "industry", 0.5, 0.35),
    "DE": _stock(471.0, 0.26, 0.2, "industry", 0.45, 0.4),
    "F": _stock(13.2, 0.32, 0.8, "industry", 0.5, 0.35),
    "GM": _stock(72.0, 0.32, 0.4, "industry", 0.5, 0.35),
    "SPY": _stock(684.0, 0.15, 2.5, "tech", 0.97, 0.1),
    "QQQ": _stock(621.0, 0.20, 2.1, "tech", 0.88, 0.42),
    "IWM": _stock(248.0, 0.21, 1.0, "industry", 0.85, 0.2),
    "DIA": _stock(477.0, 0.14, 0.5, "industry", 0.9, 0.2),
}

# In dollars, so that a pair is the ratio of two: a currency of which a dollar buys 152 is 1/152.
_CURRENCIES: Final[dict[str, Traits]] = {
    "EUR": _currency(1.139, 0.075, 1.8, 0.5, 0.75, europe=0.45),
    "GBP": _currency(1.342, 0.080, 1.0, 0.8, 0.7, europe=0.35),
    "CHF": _currency(1 / 0.806, 0.080, 0.6, 1.0, 0.6, europe=0.45),
    "SEK": _currency(1 / 9.46, 0.105, 0.4, 2.5, 0.6, europe=0.45),
    "NOK": _currency(1 / 10.15, 0.110, 0.4, 2.5, 0.55, europe=0.4),
    "PLN": _currency(1 / 3.69, 0.090, 0.3, 3.0, 0.6, europe=0.5),
    "HUF": _currency(1 / 334.0, 0.105, 0.2, 4.0, 0.55, europe=0.5),
    "CZK": _currency(1 / 21.1, 0.085, 0.2, 3.0, 0.6, europe=0.5),
    "JPY": _currency(1 / 152.4, 0.095, 1.3, 0.8, 0.55, pacific=0.15),
    "AUD": _currency(0.7075, 0.100, 0.9, 1.0, 0.6, pacific=0.45),
    "NZD": _currency(0.5985, 0.105, 0.6, 1.5, 0.6, pacific=0.5),
    "CAD": _currency(1 / 1.378, 0.060, 0.6, 1.0, 0.6, pacific=0.25),
    "SGD": _currency(1 / 1.284, 0.045, 0.4, 1.5, 0.65, pacific=0.4),
    "CNH": _currency(1 / 6.98, 0.035, 0.4, 1.5, 0.5, pacific=0.4),
    "HKD": _currency(1 / 7.78, 0.006, 0.2, 1.0, 0.2),
    "KRW": _currency(1 / 1_421.0, 0.085, 0.3, 3.0, 0.5, pacific=0.4),
    "TWD": _currency(1 / 31.0, 0.050, 0.15, 3.0, 0.4, pacific=0.4),
    "THB": _currency(1 / 32.4, 0.065, 0.15, 3.5, 0.4, pacific=0.35),
    "IDR": _currency(1 / 16_650.0, 0.055, 0.15, 4.0, 0.35, pacific=0.3),
    "PHP": _currency(1 / 58.3, 0.050, 0.15, 4.0, 0.35, pacific=0.3),
    "INR": _currency(1 / 88.6, 0.070, 0.15, 3.0, 0.4),
    "MXN": _currency(1 / 17.9, 0.110, 0.5, 3.0, 0.4),
    "BRL": _currency(1 / 5.32, 0.140, 0.3, 4.0, 0.35),
    "ZAR": _currency(1 / 16.9, 0.130, 0.4, 4.0, 0.45, pacific=0.2),
    "TRY": _currency(1 / 44.2, 0.060, 0.2, 6.0, 0.15),
    "ILS": _currency(1 / 3.24, 0.090, 0.2, 4.0, 0.4),
    "AED": _currency(1 / 3.6725, 0.002, 0.15, 1.0, 0.1),
    "SAR": _currency(1 / 3.7510, 0.002, 0.15, 1.0, 0.1),
    "XAU": _currency(4_120.0, 0.190, 1.5, 1.0, 0.4),
    "XAG": _currency(49.5, 0.320, 0.8, 4.0, 0.35, pacific=0.15),
}

_COINS: Final[dict[str, Traits]] = {
    "BTC": _coin(84_588.0, 0.50, 3.4, 0.5, 0.85),
    "ETH": _coin(2_810.0, 0.62, 2.5, 0.8, 0.85),
    "SOL": _coin(138.0, 0.70, 1.8, 1.5, 0.75),
    "XRP": _coin(2.12, 0.68, 1.1, 1.5, 0.7),
    "BNB": _coin(872.0, 0.48, 1.0, 1.0, 0.75),
    "DOGE": _coin(0.151, 0.75, 0.9, 2.0, 0.75),
    "ADA": _coin(0.428, 0.70, 0.6, 2.0, 0.75),
    "TRX": _coin(0.283, 0.38, 0.4, 1.5, 0.5),
    "LINK": _coin(12.9, 0.72, 0.5, 2.0, 0.75),
    "AVAX": _coin(14.2, 0.74, 0.4, 2.0, 0.75),
    "LTC": _coin(85.0, 0.65, 0.4, 2.0, 0.65),
    "DOT": _coin(2.35, 0.72, 0.3, 2.5, 0.75),
    "BCH": _coin(531.0, 0.62, 0.3, 2.0, 0.65),
    "XLM": _coin(0.252, 0.68, 0.3, 2.0, 0.7),
    "SHIB": _coin(8.12e-6, 0.75, 0.4, 3.0, 0.75),
    "PEPE": _coin(4.6e-6, 0.95, 0.6, 3.0, 0.7),
    "UNI": _coin(6.1, 0.78, 0.3, 2.5, 0.7),
    "AAVE": _coin(176.0, 0.76, 0.2, 2.5, 0.7),
    "ATOM": _coin(2.48, 0.70, 0.2, 2.5, 0.7),
    "NEAR": _coin(1.92, 0.78, 0.3, 2.5, 0.7),
    "SUI": _coin(1.58, 0.82, 0.5, 2.5, 0.75),
    "APT": _coin(2.45, 0.78, 0.2, 2.5, 0.7),
    "ARB": _coin(0.214, 0.78, 0.2, 2.5, 0.7),
    "OP": _coin(0.318, 0.80, 0.2, 2.5, 0.7),
    "HBAR": _coin(0.146, 0.74, 0.3, 2.5, 0.7),
    "TON": _coin(1.57, 0.66, 0.2, 2.5, 0.6),
    "ETC": _coin(13.6, 0.68, 0.2, 2.5, 0.7),
    "FIL": _coin(1.62, 0.76, 0.2, 2.5, 0.7),
    "ICP": _coin(4.1, 0.76, 0.2, 2.5, 0.65),
    "XMR": _coin(358.0, 0.58, 0.2, 2.5, 0.5),
    "ZEC": _coin(412.0, 1.00, 0.4, 2.5, 0.5),
    "WIF": _coin(0.37, 0.98, 0.2, 3.0, 0.7),
    "PAXG": Traits(4_125.0, 0.19, 0.2, 2.0, {"dollar": -0.4}, "metals"),
    "USDT": _stable(0.9996),
    "USDC": _stable(0.9999),
    "DAI": _stable(0.9998),
    "FDUSD": _stable(0.9985),
    "PYUSD": _stable(0.9998),
    "TUSD": _stable(0.9978),
}

KNOWN: Final[Mapping[Asset, Mapping[str, Traits]]] = {
    "stocks": _STOCKS,
    "forex": _CURRENCIES,
    "crypto": _COINS,
}
"""Well-known assets: prices of autumn 2026, volatilities and spreads of ordinary weeks."""


_DOLLAR_SECOND: Final = ("EUR", "GBP", "AUD", "NZD", "XAU", "XAG")
_CROSSES: Final = ("EURJPY", "EURGBP", "EURCHF", "GBPJPY", "AUDJPY", "CHFJPY", "CADJPY", "EURAUD")
_IN_TETHER: Final = ("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "TRX")


def well_known() -> dict[Asset, tuple[str, ...]]:
    """Symbols that are usual for well-known assets."""
    pairs = (f"{one}USD" if one in _DOLLAR_SECOND else f"USD{one}" for one in _CURRENCIES)
    coins = (f"{coin}-USD" for coin in _COINS)
    return {
        "stocks": tuple(_STOCKS),
        "forex": (*pairs, *_CROSSES),
        "crypto": (*coins, *(f"{coin}-USDT" for coin in _IN_TETHER)),
    }


def traits(leg: Leg) -> Traits:
    """What an asset is like: known, or derived from its name, always in the same way."""
    known = KNOWN[leg.asset].get(leg.name)
    if known is not None:
        return known
    a, b, c, d = np.random.default_rng(zlib.crc32(leg.name.encode())).random(4)
    if leg.asset == "stocks":
        sector = SECTORS[int(d * len(SECTORS))]
        return _stock(10.0 * 50.0**a, 0.22 + 0.3 * b, 0.1 + 0.5 * c, sector, 0.5, 0.4)
    if leg.asset == "forex":
        return _currency(0.01 * 100.0**a, 0.07 + 0.05 * b, 0.1 + 0.3 * c, 2.0 + 4.0 * d, 0.4)
    return _coin(1e-4 * 1e5**a, 0.6 + 0.3 * b, 0.1 + 0.4 * c, 2.0 + 1.5 * d, 0.65)


def instrument(asset: Asset, symbol: str) -> Instrument:
    """What a symbol is a price of, whatever its name."""
    base, quote = _legs(asset, symbol)
    legs = [leg for leg in (base, quote) if leg is not None]
    priced = [traits(leg) for leg in legs]
    price = (traits(base).price if base else 1.0) / (traits(quote).price if quote else 1.0)
    rate = min(like.rate for like in priced)
    spread_bp = max(like.spread_bp for like in priced)
    basis = 0.0
    if asset == "crypto" and quote is not None:
        # The same coin in another currency ticks less, a few basis points away.
        rate, basis = (0.6 if quote in PEGGED else 0.25) * priced[0].rate, BASIS
    decimals = _decimals(asset, symbol, price)
    return Instrument(asset, symbol, base, quote, legs[0], price, rate, spread_bp, decimals, basis)


def _legs(asset: Asset, symbol: str) -> tuple[Leg | None, Leg | None]:
    """What is priced, and in what; not both are dollars."""
    if asset == "stocks":
        return Leg(asset, symbol), None
    if asset == "forex":
        base, quote = _leg(asset, symbol[:3]), _leg(asset, symbol[3:])
    else:
        coin, _, currency = symbol.partition("-")
        base, quote = _leg(asset, coin), _leg(asset, currency)
    # What is no pair is something of its own, in dollars.
    return (Leg(asset, symbol), None) if base == quote or base is None is quote else (base, quote)


def _leg(asset: Asset, name: str) -> Leg | None:
    """A currency or coin by its name; None: dollars."""
    if name in ("", "USD"):
        return None
    return Leg("forex" if name in _CURRENCIES else asset, name)


def _decimals(asset: Asset, symbol: str, price: float) -> int:
    """How many decimals a price is quoted with."""
    if asset == "stocks":
        return 2
    magnitude = math.floor(math.log10(price))
    if asset == "crypto":
        return 2 + max(0, math.ceil(2 - math.log10(price)))
    if symbol[3:] in ("JPY", "INR"):
        return 3 if symbol.endswith("JPY") else 4
    return max(0, 5 - magnitude) if magnitude >= 0 else max(5, 4 - magnitude)
