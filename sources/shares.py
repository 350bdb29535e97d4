"""Shares: which symbols each vendor is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feeds import allot
from ticks import ASSETS, Asset
from vendors.wire import Vendor

__all__ = ["Share", "allotted"]


class Share(NamedTuple):
    """What one vendor is asked for of one asset class."""

    vendor: Vendor
    asset: Asset
    asked: tuple[str, ...]
    unasked: tuple[str, ...]
    """The symbols that found no room within the account's limit."""


def allotted(
    wanted: Mapping[Asset, Sequence[str]], vendors: Mapping[Asset, Sequence[Vendor]]
) -> list[Share]:
    """Which symbols to ask of which vendor: each of the first vendor of its class that carries it.

    What none of them carries is left to the first, whose feed says so. The limit of a vendor's
    account holds over all its classes. The first vendor of a class has a share even if it is asked
    for nothing, the others only if they are asked for something.
    """
    accounts = {id(vendor): vendor for offered in vendors.values() for vendor in offered}
    found: list[Share] = []
    for vendor in accounts.values():
        theirs = {
            asset: [s for s in wanted[asset] if _vendor_of(asset, s, offered) is vendor]
            for asset, offered in vendors.items()
        }
        asked = allot(theirs, vendor.symbol_limit)
        found += [
            Share(vendor, asset, tuple(asked[asset]), tuple(symbols[len(asked[asset]) :]))
            for asset, symbols in theirs.items()
            if symbols or vendors[asset][0] is vendor
        ]
    return sorted(found, key=lambda share: ASSETS.index(share.asset))


def _vendor_of(asset: Asset, symbol: str, offered: Sequence[Vendor]) -> Vendor:
    carrying = (vendor for vendor in offered if vendor.symbol(asset, symbol) is not None)
    return next(carrying, offered[0])
