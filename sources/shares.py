"""Shares: which symbols each vendor is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from feeds import allot
from ticks import ASSETS, Asset
from vendors.wire import Vendor

__all__ = ["Options", "Place", "Share", "allotted", "carrying", "within_connections"]


class Place(NamedTuple):
    """A vendor among those of an asset class."""

    asset: Asset
    rank: int
    """0 is the first, whom the others stand behind."""


class Share(NamedTuple):
    """What one vendor is asked for of one asset class."""

    place: Place
    vendor: Vendor
    asked: tuple[str, ...]
    unasked: tuple[str, ...]
    """The symbols that found no room within the accounts' limits."""


Options = Callable[[Asset, str], Sequence[int]]
"""The ranks of the vendors that a symbol may be asked of, at least one, the best first."""


def carrying(asset: Asset, symbol: str, offered: Sequence[Vendor]) -> tuple[int, ...]:
    """The ranks of those of the ``offered`` vendors that carry a symbol."""
    return tuple(
        rank for rank, vendor in enumerate(offered) if vendor.symbol(asset, symbol) is not None
    )


def within_connections(
    vendors: Mapping[Asset, Sequence[Vendor]],
) -> dict[Asset, tuple[Vendor, ...]]:
    """``vendors`` without those of a class that they do not serve, as they do not carry it or may
    have no further connection: an account has one for each of its classes.
    """
    used: dict[int, int] = {}
    found: dict[Asset, tuple[Vendor, ...]] = {}
    for asset in ASSETS:
        able: list[Vendor] = []
        for vendor in vendors.get(asset, ()):
            count = used.get(id(vendor), 0)
            if asset in vendor.assets and (vendor.connections or math.inf) > count:
                used[id(vendor)] = count + 1
                able.append(vendor)
        found[asset] = tuple(able)
    return found


def allotted(
    wanted: Mapping[Asset, Sequence[str]],
    vendors: Mapping[Asset, Sequence[Vendor]],
    options: Options | None = None,
) -> list[Share]:
    """Which symbols to ask of which vendor: each of the first of its ``options`` that has room.

    By default these are the vendors that carry it. What none of them carries is left to the first
    of its class, whose feed says so; what finds no room anywhere is left to the first of its
    options. The limit of a vendor's account holds over all its classes. The first vendor of a class
    has a share even if it is asked for nothing, the others only if something is theirs.
    """

    def carriers(asset: Asset, symbol: str) -> Sequence[int]:
        return carrying(asset, symbol, vendors[asset]) or (0,)

    queues = {
        (asset, symbol): tuple((options or carriers)(asset, symbol))
        for asset, offered in vendors.items()
        if offered
        for symbol in wanted[asset]
    }
    accounts = {id(vendor): vendor for offered in vendors.values() for vendor in offered}
    room = {account: vendor.symbol_limit for account, vendor in accounts.items()}
    placed: dict[tuple[Asset, str], int] = {}
    for turn in range(max(map(len, queues.values()), default=0)):
        for account in accounts:
            theirs: dict[Asset, list[str]] = {asset: [] for asset in vendors}
            for (asset, symbol), ranks in queues.items():
                if (asset, symbol) in placed or turn >= len(ranks):
                    continue
                if id(vendors[asset][ranks[turn]]) == account:
                    theirs[asset].append(symbol)
            for asset, symbols in allot(theirs, room[account]).items():
                placed |= {(asset, symbol): queues[asset, symbol][turn] for symbol in symbols}
                limit = room[account]
                room[account] = None if limit is None else limit - len(symbols)
    found = []
    for asset in ASSETS:
        for rank, vendor in enumerate(vendors.get(asset, ())):
            theirs_here = [s for s in wanted[asset] if placed.get((asset, s)) == rank]
            left = [
                s for s in wanted[asset] if (asset, s) not in placed and queues[asset, s][0] == rank
            ]
            if rank == 0 or theirs_here or left:
                place = Place(asset, rank)
                found.append(Share(place, vendor, tuple(theirs_here), tuple(left)))
    return found
