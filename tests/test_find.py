"""Finding a symbol: what a viewer may have meant by a text, whose it is, and what is impossible."""

from __future__ import annotations

from typing import Any

import pytest

from engine.status import FoundBy, WatchStatus
from page.find import find_card
from settings import DEFAULT_WATCHLIST
from settings.symbols import is_well_formed
from sources.catalogue import MOST_FOUND, Catalogue
from ticks import ASSETS, Asset
from vendors.alpaca import Alpaca
from vendors.coinbase import Coinbase
from vendors.eodhd import Eodhd
from vendors.finnhub import Finnhub
from vendors.kraken import Kraken

KNOWN: dict[Any, Any] = {
    "stocks": ("AAPL", "IBM", "BRK-B", "GOOG", "GOOGL"),
    "forex": ("EURUSD", "EURJPY", "USDSEK"),
    "crypto": ("BTC-USD", "BTC-USDT", "ETH-USD", "DOGE-USD"),
}
EVERYTHING = Catalogue(dict.fromkeys(ASSETS, (Eodhd(),)), KNOWN, is_one_market=True)
FREE: dict[Asset, Any] = {
    "stocks": (Alpaca(key="k", symbol_limit=8), Finnhub(key="k", symbol_limit=1)),
    "forex": (Kraken(),),
    "crypto": (Coinbase(), Kraken()),
}


@pytest.mark.parametrize(
    ("text", "symbol", "why"),
    [
        ("AAPL", "AAPL", FoundBy.NAME),
        ("  aapl ", "AAPL", FoundBy.NAME),
        ("AAPL.US", "AAPL", FoundBy.SPELLING),
        ("$aapl", "AAPL", FoundBy.SPELLING),
        ("BRK.B", "BRK-B", FoundBy.SPELLING),
        ("brk/b", "BRK-B", FoundBy.SPELLING),
        ("EUR-USD", "EURUSD", FoundBy.SPELLING),
        ("EUR/USD", "EURUSD", FoundBy.SPELLING),
        ("eurusd=x", "EURUSD", FoundBy.SPELLING),
        ("BTCUSD", "BTC-USD", FoundBy.SPELLING),
        ("btc/usdt", "BTC-USDT", FoundBy.SPELLING),
        ("btc", "BTC-USD", FoundBy.SPELLING),
        ("goo", "GOOGL", FoundBy.BEGIN),
        ("jpy", "USDJPY", FoundBy.PART),
        ("AAPPL", "AAPL", FoundBy.NEAR),
        ("APPL", "AAPL", FoundBy.NEAR),
        ("TSLE", "TSLA", FoundBy.NEAR),
        ("ETHUDS", "ETH-USD", FoundBy.NEAR),
        ("ZZZ", "ZZZ", FoundBy.FORM),
        ("new-usdt", "NEW-USDT", FoundBy.FORM),
    ],
)
def test_the_first_that_is_found_is_what_was_meant(text: str, symbol: str, why: FoundBy) -> None:
    """Whatever a viewer is used to spell."""
    found = EVERYTHING.find(text, DEFAULT_WATCHLIST)
    assert (found[0].symbol, found[0].why) == (symbol, why)
    assert len({(one.asset, one.symbol) for one in found}) == len(found) <= MOST_FOUND
    assert all(is_well_formed(one.asset, one.symbol) for one in found)


@pytest.mark.parametrize("text", ["«x»", "no such thing", "123456", "USDUSD", "-", "A" * 500])
def test_an_impossible_one_says_what_was_expected(text: str) -> None:
    """What was found, what was expected, what to do; and never more than a part of it."""
    card = find_card(text, EVERYTHING.find(text, {}), WatchStatus(is_fixed=False))
    assert card.lines == []
    assert card.nothing.endswith(
        "is no symbol that could be watched here, expected a stock such as AAPL or BRK-B, a"
        " currency pair such as EURUSD, a coin such as BTC-USD: check the spelling."
    )
    assert len(card.nothing) < 220


def test_it_says_whose_a_symbol_is_and_whether_it_is_watched() -> None:
    """By the vendors in use, each with its own products."""
    catalogue = Catalogue(FREE, KNOWN)
    watched: Any = {"stocks": ("AAPL",), "forex": ("EURUSD",), "crypto": ("BTC-USD",)}
    found = {
        text: [(one.symbol, one.vendor, one.is_watched) for one in catalogue.find(text, watched)]
        for text in ("ibm", "AAPL", "usdsek", "eth-usd", "btc-jpy")
    }
    assert found["ibm"][0] == ("IBM", "Alpaca", False)
    assert found["AAPL"][0] == ("AAPL", "Alpaca", True)
    assert found["eth-usd"][0] == ("ETH-USD", "Coinbase", False)
    # Coinbase has no such pair, and Kraken none of kronor.
    assert found["btc-jpy"][0] == ("BTC-JPY", "Kraken", False)
    assert ("USDSEK", "Kraken", False) not in found["usdsek"]


def test_what_one_vendor_has_no_room_for_is_the_next_ones() -> None:
    """And once the last of them is full there is no room."""
    catalogue = Catalogue(FREE, KNOWN)
    watched: dict[Asset, tuple[str, ...]] = {
        "stocks": tuple("ABCDEFGH"),
        "forex": (),
        "crypto": (),
    }
    found = catalogue.found("stocks", "IBM", watched)
    assert (found.vendor, found.has_room) == ("Finnhub", True)
    full = catalogue.found("stocks", "IBM", {**watched, "stocks": tuple("ABCDEFGHI")})
    assert (full.vendor, full.has_room) == ("Alpaca", False)
    rooms = {
        room.vendor: (room.used, room.limit, room.is_full) for room in catalogue.rooms(watched)
    }
    assert rooms == {
        "Alpaca": (8, 8, True),
        "Kraken": (0, None, False),
        "Coinbase": (0, None, False),
    }


def test_symbols_that_the_archive_knows_are_found() -> None:
    """They were watched once."""
    noted: Any = {"stocks": ("PLTR", "not one")}
    assert EVERYTHING.find("plt", {}, noted)[0].symbol == "PLTR"
    assert EVERYTHING.find("not", {}, noted) == EVERYTHING.find("not", {})


def test_a_class_without_a_vendor_offers_nothing_of_it() -> None:
    """It is off, or lacks a key."""
    catalogue = Catalogue({**FREE, "stocks": ()}, KNOWN)
    assert all(one.asset != "stocks" for one in catalogue.find("ibm", {}))
