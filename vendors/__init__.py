"""What each vendor sends and wants to be sent, one module per wire format; nothing does I/O.

Here is the table of how to make each of them from keys and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from ticks import VendorName
from vendors.alpaca import Alpaca
from vendors.alpaca_rest import AlpacaRest
from vendors.binance import Binance
from vendors.binance_rest import BinanceRest
from vendors.coinbase import Coinbase
from vendors.coinbase_rest import CoinbaseRest
from vendors.eodhd import Eodhd
from vendors.eodhd_rest import EodhdRest
from vendors.finnhub import Finnhub
from vendors.finnhub_rest import FinnhubRest
from vendors.kraken import Kraken
from vendors.kraken_rest import KrakenRest
from vendors.rest import Rest
from vendors.wire import Vendor

__all__ = ["OFFERS", "Offer", "make_rest", "make_vendor"]


class Offer(NamedTuple):
    """A vendor's stream and its requests for the time before that, as what makes them.

    Each is called with as many of ``url``, ``key`` and ``secret`` as are known, by name.
    """

    vendor: Callable[..., Vendor]
    rest: Callable[..., Rest]


OFFERS: Final[Mapping[VendorName, Offer]] = MappingProxyType(
    {
        "eodhd": Offer(Eodhd, EodhdRest),
        "coinbase": Offer(Coinbase, CoinbaseRest),
        "kraken": Offer(Kraken, KrakenRest),
        "binance": Offer(Binance, BinanceRest),
        "alpaca": Offer(Alpaca, AlpacaRest),
        "finnhub": Offer(Finnhub, FinnhubRest),
    }
)

_KEYS: Final = ("key", "secret")


def make_vendor(name: VendorName, keys: Sequence[str] = (), url: str | None = None) -> Vendor:
    """A vendor with an account's keys, at its own address or another one."""
    return OFFERS[name].vendor(**_given(keys, url))


def make_rest(name: VendorName, keys: Sequence[str] = (), url: str | None = None) -> Rest:
    """A vendor's requests for the time before its stream, likewise."""
    return OFFERS[name].rest(**_given(keys, url))


def _given(keys: Sequence[str], url: str | None) -> dict[str, str]:
    given = dict(zip(_KEYS, keys, strict=False))
    return given if url is None else {"url": url, **given}
