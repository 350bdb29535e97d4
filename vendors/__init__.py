"""What each vendor sends and wants to be sent, one module per wire format; nothing does I/O.

Here is the table of how to make each of them from keys and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from ticks import VendorName
from vendors.eodhd import Eodhd
from vendors.rest import Rest
from vendors.wire import Vendor

__all__ = ["OFFERS", "Offer", "make_rest", "make_vendor"]


class Offer(NamedTuple):
    """A vendor's stream and its requests for the past, as what makes them.

    Each is called with as many of ``url``, ``key`` and ``secret`` as are known, by name.
    """

    vendor: Callable[..., Vendor]
    rest: Callable[..., Rest] | None = None
    """None: it has no requests for the past."""


OFFERS: Final[Mapping[VendorName, Offer]] = MappingProxyType({"eodhd": Offer(Eodhd)})

_KEYS: Final = ("key", "secret")


def make_vendor(name: VendorName, keys: Sequence[str] = (), url: str | None = None) -> Vendor:
    """A vendor with an account's keys, at its own address or another one."""
    return OFFERS[name].vendor(**_given(keys, url))


def make_rest(name: VendorName, keys: Sequence[str] = (), url: str | None = None) -> Rest | None:
    """A vendor's requests for the past, likewise; None if it has none."""
    rest = OFFERS[name].rest
    return None if rest is None else rest(**_given(keys, url))


def _given(keys: Sequence[str], url: str | None) -> dict[str, str]:
    given = dict(zip(_KEYS, keys, strict=False))
    return given if url is None else {"url": url, **given}
