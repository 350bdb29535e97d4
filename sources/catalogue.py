"""Catalogue: what may be watched, of which vendor, and what a viewer may have meant by a text.

Pure: it knows the vendors in use and the symbols that are known of them, and asks nobody.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from settings.symbols import is_well_formed, usual_spelling
from sources.shares import Share, allotted, carrying
from ticks import ASSETS, Asset
from vendors.wire import Vendor

__all__ = ["MOST_FOUND", "MOST_TEXT", "Catalogue", "Found", "FoundBy", "Room"]

MOST_FOUND: Final = 12
"""So many symbols are found at most."""

MOST_TEXT: Final = 40
"""So many characters of a text are looked at: it comes from a browser."""

_NEAR: Final = 0.75
"""How alike a text and a symbol are at least, from 0 to 1 and but for marks between letters, if
neither holds the other: one letter of four may be wrong."""

_LEAST_NEAR: Final = 3
"""Of shorter texts nothing is a near miss: everything is."""


class FoundBy(StrEnum):
    """Why a symbol was found, the surest first."""

    NAME = "name"
    """It is what was typed."""
    SPELLING = "spelling"
    """It is another spelling of it: the one of the price stream."""
    BEGIN = "begin"
    """It begins with it."""
    PART = "part"
    """It has it within."""
    NEAR = "near"
    """It is much like it."""
    FORM = "form"
    """It is what was typed: it is well spelled, and nobody here knows whether there is such."""


_SUREST: Final = tuple(FoundBy)

_NO_MARKS: Final = str.maketrans(dict.fromkeys("-/_ .", ""))


@dataclass(frozen=True, slots=True)
class Found:
    """A symbol that may have been meant."""

    symbol: str
    asset: Asset
    vendor: str
    """The name of the vendor that serves it, or would; empty: the market has one source alone."""
    is_watched: bool
    has_room: bool
    """Whether it is watched, or could be within the limits of the vendors' accounts."""
    why: FoundBy


@dataclass(frozen=True, slots=True)
class Room:
    """How much of its limit a vendor's account has in use, over all classes."""

    assets: tuple[Asset, ...]
    """The classes in which it is the first to be asked."""
    vendor: str
    used: int
    limit: int | None
    """None: there is none."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be asked of it."""
        return self.limit is not None and self.used >= self.limit


class Catalogue:
    """What the ``vendors`` of each class carry, as far as that can be known without asking.

    ``known`` are symbols of each class that are well known, beside whatever is well spelled.
    ``is_one_market`` if all vendors stand for one market, as in a simulation: then none is named.
    A class without a vendor has nothing. With ``is_complete`` nothing else is carried than what is
    known.
    """

    def __init__(
        self,
        vendors: Mapping[Asset, Sequence[Vendor]],
        known: Mapping[Asset, Collection[str]],
        *,
        is_one_market: bool = False,
        is_complete: bool = False,
    ) -> None:
        self._vendors = {asset: tuple(vendors.get(asset, ())) for asset in ASSETS}
        self._only = known if is_complete else None
        self._known = {
            asset: tuple(s for s in dict.fromkeys(known.get(asset, ())) if self.carries(asset, s))
            for asset in ASSETS
        }
        self._is_one_market = is_one_market

    def has_vendor(self, asset: Asset) -> bool:
        """Whether a class has any vendor: else it is off, or lacks a key."""
        return bool(self._vendors[asset])

    @staticmethod
    def is_well_formed(asset: Asset, symbol: str) -> bool:
        """Whether a symbol is spelled as one of its class."""
        return is_well_formed(asset, symbol)

    def limit(self, asset: Asset, symbol: str) -> int | None:
        """How many symbols the account of the first vendor that carries one may have."""
        offered = self._vendors[asset]
        ranks = carrying(asset, symbol, offered)
        return offered[ranks[0]].symbol_limit if ranks else None

    def carries(self, asset: Asset, symbol: str) -> bool:
        """Whether a vendor of the class has a symbol, as far as its spelling tells."""
        if self._only is not None:
            return symbol in self._only.get(asset, ())
        return is_well_formed(asset, symbol) and bool(carrying(asset, symbol, self._vendors[asset]))

    def find(
        self,
        text: str,
        watched: Mapping[Asset, Sequence[str]],
        noted: Mapping[Asset, Iterable[str]] | None = None,
    ) -> list[Found]:
        """The symbols that a viewer may mean by ``text``, the likeliest first.

        ``noted`` are symbols that are known beside the catalogue's own, such as an archive's. An
        empty text finds what is watched.
        """
        name = text.strip()[:MOST_TEXT].upper()
        if name and not _plain(name):
            return []
        best: dict[tuple[Asset, str], FoundBy] = {}
        for asset in ASSETS:
            others = () if noted is None else noted.get(asset, ())
            carried = (s for s in others if self.carries(asset, s))
            names = tuple(dict.fromkeys([*watched.get(asset, ()), *self._known[asset], *carried]))
            for symbol, why in self._matches(asset, name, names):
                best.setdefault((asset, symbol), why)
        seen = {(asset, symbol) for asset in ASSETS for symbol in watched.get(asset, ())}
        if not {FoundBy.NAME, FoundBy.SPELLING}.isdisjoint(best.values()):
            best = {key: why for key, why in best.items() if why is not FoundBy.NEAR}
        # In the order of the catalogue, but for what is surer or watched already.
        ranked = sorted(best, key=lambda key: (_SUREST.index(best[key]), key not in seen))
        return [
            self._found(asset, symbol, best[asset, symbol], watched)
            for asset, symbol in ranked[:MOST_FOUND]
        ]

    def found(self, asset: Asset, symbol: str, watched: Mapping[Asset, Sequence[str]]) -> Found:
        """One symbol that is carried, or watched."""
        return self._found(asset, symbol, FoundBy.NAME, watched)

    def rooms(self, watched: Mapping[Asset, Sequence[str]]) -> list[Room]:
        """What is in use of the account of each vendor that is asked first for some class."""
        shares = allotted(_lists(watched), self._vendors)
        found: dict[int, Room] = {}
        for asset in ASSETS:
            for vendor in self._vendors[asset][:1]:
                room = found.get(id(vendor))
                used = sum(len(share.asked) for share in shares if share.vendor is vendor)
                assets = (asset,) if room is None else (*room.assets, asset)
                found[id(vendor)] = Room(assets, self._name(vendor), used, vendor.symbol_limit)
        return list(found.values())

    def _matches(
        self, asset: Asset, name: str, names: Sequence[str]
    ) -> Iterable[tuple[str, FoundBy]]:
        """The symbols of a class that a name may mean, and why; the surest of each comes first."""
        if not name:
            yield from ((symbol, FoundBy.NAME) for symbol in names)
            return
        if name in names:
            yield name, FoundBy.NAME
        spelling = usual_spelling(asset, name)
        if spelling != name and (
            spelling in names or (self.carries(asset, spelling) and _is_whole(name, spelling))
        ):
            yield spelling, FoundBy.SPELLING
        yield from ((symbol, FoundBy.BEGIN) for symbol in names if symbol.startswith(name))
        yield from ((symbol, FoundBy.PART) for symbol in names if name in symbol)
        if len(name) >= _LEAST_NEAR:
            plain = {_plain(symbol): symbol for symbol in names}
            near = difflib.get_close_matches(_plain(name), plain, MOST_FOUND, _NEAR)
            yield from ((plain[one], FoundBy.NEAR) for one in near)
        if self.carries(asset, name):
            yield name, FoundBy.FORM

    def _found(
        self, asset: Asset, symbol: str, why: FoundBy, watched: Mapping[Asset, Sequence[str]]
    ) -> Found:
        lists = _lists(watched)
        is_watched = symbol in lists[asset]
        if not is_watched:
            lists[asset] = (*lists[asset], symbol)
        shares = allotted(lists, self._vendors)
        of_class = [share for share in shares if share.place.asset == asset]
        serving = next((share.vendor for share in of_class if symbol in share.asked), None)
        # One that finds room in another's place has none.
        is_free = _unasked(shares) <= _unasked(allotted(_lists(watched), self._vendors))
        carriers = carrying(asset, symbol, self._vendors[asset])
        vendor = serving or (self._vendors[asset][carriers[0]] if carriers else None)
        return Found(
            symbol,
            asset,
            "" if vendor is None else self._name(vendor),
            is_watched=is_watched,
            has_room=is_watched or (serving is not None and is_free),
            why=why,
        )

    def _name(self, vendor: Vendor) -> str:
        return "" if self._is_one_market else vendor.name


def _lists(watched: Mapping[Asset, Sequence[str]]) -> dict[Asset, Sequence[str]]:
    return {asset: watched.get(asset, ()) for asset in ASSETS}


def _unasked(shares: Sequence[Share]) -> set[str]:
    return {symbol for share in shares for symbol in share.unasked}


def _is_whole(name: str, spelling: str) -> bool:
    """Whether a name says all that a spelling of it does; of a coin also in what it is priced."""
    return _plain(spelling) in _plain(name)


def _plain(name: str) -> str:
    return name.translate(_NO_MARKS)
