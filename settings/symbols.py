"""The watchlist: symbols as EODHD and the simulated market spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from settings.given import Entry, SettingsError, Table, advice
from settings.quoting import bare
from ticks import ASSETS, MOST_GROUPS, Asset, is_group_name

__all__ = [
    "MOST_SYMBOLS",
    "groups",
    "is_well_formed",
    "of_classes",
    "reject_unwatched",
    "usual_spelling",
    "watchlist",
]

MOST_SYMBOLS: Final = 5000
"""As many as the costs of the store are measured for."""

_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,19}")
_MOST_NAMED: Final = 3

_SUFFIX: Final = re.compile(r"\.(US|FOREX|CC)$")
"""Of an exchange, as the vendor's addresses have it and its stream does not."""

_CLASS: Final = re.compile(r"([A-Z]{1,5})[./ _]([ABC])")
"""A class of shares: Berkshire Hathaway's is BRK.B to some, BRK/B to others."""

_PAIR: Final = re.compile(r"([A-Z]{3})[-/_ .]([A-Z]{3})(?:=X)?|([A-Z]{3})([A-Z]{3})=X")

_COINS: Final = re.compile(
    r"(?:([A-Z0-9]{1,10})[-/_ .]|([A-Z0-9]{3,10}?))(USDT|USDC|USD|EUR|GBP|JPY|BTC|ETH)"
)
_COIN: Final = re.compile(r"[A-Z0-9]{2,10}")
"""One that does not say in what it is priced."""

_STOCK: Final = re.compile(r"[A-Z]{1,5}(-[A-Z])?")
_COIN_PAIR: Final = re.compile(r"([A-Z0-9]{1,10})-(USDT|USDC|USD|EUR|GBP|JPY|BTC|ETH)")

_CURRENCIES: Final = frozenset(
    (
        *("AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CNH", "CNY", "COP", "CZK", "DKK", "EUR"),
        *("GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD"),
        *("PEN", "PHP", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "USD"),
        *("VND", "XAG", "XAU", "ZAR"),
    )
)


def watchlist(file: Table, *, is_recorded: bool) -> Mapping[Asset, tuple[str, ...]] | None:
    """The symbols to watch of each class; None if the file says nothing of them.

    ``is_recorded``: they are those of a tape, whose spelling is its own.

    Raises:
        SettingsError: if there are none or too many, or one is malformed, in two classes or
            spelled as others do.
    """
    if "watchlist" not in file.entries:
        return None
    table = file.table("watchlist", ASSETS)
    chosen = {asset: _symbols(table.entry(asset)) for asset in ASSETS}
    count = sum(map(len, chosen.values()))
    if not count:
        raise SettingsError(f"{table.place} has no symbol, expected at least one")
    if count > MOST_SYMBOLS:
        raise SettingsError(
            f"{table.place} has {count:,} symbols, expected {MOST_SYMBOLS:,} at most:"
            " choose those to watch"
        )
    classes: dict[str, Asset] = {}
    for asset, symbols in chosen.items():
        for symbol in symbols:
            if symbol in classes:
                raise SettingsError(
                    f"{table.place} has {table.quoting.value(symbol)} in {classes[symbol]} and"
                    f" {asset}, expected it in one of them"
                )
            classes[symbol] = asset
    for asset, symbols in chosen.items():
        if not is_recorded:
            _reject_other_spellings(table.entry(asset), asset, symbols)
        _reject_malformed(table.entry(asset), symbols)
    return MappingProxyType(chosen)


def groups(file: Table) -> Mapping[str, tuple[str, ...]]:
    """The symbols of each named group, in the order of the file.

    Raises:
        SettingsError: if there are too many, or a name or a list is malformed.
    """
    table = file.named_table("groups")
    if len(table.entries) > MOST_GROUPS:
        raise SettingsError(
            f"{table.place} has {len(table.entries):,} groups, expected {MOST_GROUPS} at most:"
            " choose those to filter by"
        )
    found = {}
    for name in table.entries:
        if not is_group_name(name):
            raise SettingsError(
                f"{table.place} has {table.quoting.value(name)}, expected a name of up to 32"
                " letters and digits, with blanks or marks such as & and - between: rename it"
            )
        symbols = _symbols(table.entry(name))
        if not symbols:
            raise table.entry(name).wrong("at least one symbol")
        _reject_malformed(table.entry(name), symbols)
        found[name] = symbols
    return MappingProxyType(found)


def reject_unwatched(
    groups: Mapping[str, tuple[str, ...]], watched: Mapping[Asset, Sequence[str]]
) -> None:
    """Raise if a group has a symbol that is not ``watched``.

    Raises:
        SettingsError: what was found, and what to do.
    """
    known = {symbol for names in watched.values() for symbol in names}
    for name, symbols in groups.items():
        for symbol in symbols:
            if symbol not in known:
                raise SettingsError(
                    f"the group {name} has {symbol}, which is not watched:"
                    f" {advice(symbol, sorted(known))}"
                )


def usual_spelling(asset: Asset, symbol: str) -> str:
    """A symbol of a class as the vendor's stream spells it, if another spelling of it is known.

    >>> usual_spelling("stocks", "BRK.B.US"), usual_spelling("crypto", "BTCUSD")
    ('BRK-B', 'BTC-USD')
    """
    name = _SUFFIX.sub("", symbol.removeprefix("$"))
    if asset == "stocks":
        found = _CLASS.fullmatch(name)
        return f"{found[1]}-{found[2]}" if found else name
    if asset == "forex":
        found = _PAIR.fullmatch(name)
        return "".join(filter(None, found.groups())) if found else name
    found = _COINS.fullmatch(name)
    if found:
        return f"{found[1] or found[2]}-{found[3]}"
    return f"{name}-USD" if _COIN.fullmatch(name) else name


def is_well_formed(asset: Asset, symbol: str) -> bool:
    """Whether a symbol is spelled as one of its class in the price stream: it could exist.

    >>> is_well_formed("stocks", "BRK-B"), is_well_formed("forex", "BTCUSD")
    (True, False)
    """
    if asset == "stocks":
        return _STOCK.fullmatch(symbol) is not None
    if asset == "forex":
        base, quote = symbol[:3], symbol[3:]
        return base != quote and {base, quote} <= _CURRENCIES
    found = _COIN_PAIR.fullmatch(symbol)
    return found is not None and found[1] != found[2] and found[1] not in _CURRENCIES


def of_classes(symbols: Iterable[str]) -> Mapping[Asset, tuple[str, ...]]:
    """Symbols by the class that each is spelled as one of.

    >>> of_classes(["IBM", "ETH-EUR"])["crypto"]
    ('ETH-EUR',)
    """
    named = tuple(symbols)
    return {asset: tuple(one for one in named if is_well_formed(asset, one)) for asset in ASSETS}


def _symbols(entry: Entry) -> tuple[str, ...]:
    """The symbols of a list, in capitals and each once."""
    found: Any = [] if entry.value is None else entry.value
    if not isinstance(found, list):
        raise entry.wrong('a list such as ["AAPL", "MSFT"]')
    for name in found:
        if not isinstance(name, str) or not bare(name).isascii():
            raise _malformed(entry, name)
    return tuple(dict.fromkeys(bare(name).upper() for name in found))


def _reject_other_spellings(entry: Entry, asset: Asset, symbols: tuple[str, ...]) -> None:
    others = []
    for symbol in symbols:
        spelling = usual_spelling(asset, symbol)
        if spelling != symbol and _SYMBOL.fullmatch(spelling):
            if entry.quoting.hides(symbol):  # nor may be shown what is made of it
                raise _malformed(entry, symbol)
            others.append(f"{spelling} instead of {entry.quoting.value(symbol)}")
    if others:
        more = f", and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise SettingsError(
            f"{entry.place} has symbols in another spelling than the price stream's, expected"
            f" {', '.join(others[:_MOST_NAMED])}{more}"
        )


def _reject_malformed(entry: Entry, symbols: tuple[str, ...]) -> None:
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            raise _malformed(entry, symbol)


def _malformed(entry: Entry, found: Any) -> SettingsError:
    return SettingsError(
        f"{entry.place} has {entry.quoting.value(found)},"
        " expected a symbol such as AAPL, EURUSD or BTC-USD"
    )
