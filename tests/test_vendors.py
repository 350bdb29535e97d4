"""The table of vendors: each made of what the settings know of it, and true to what they say."""

from __future__ import annotations

import pytest

from settings import CHAINS, KEY_VARIABLES
from ticks import ASSETS, VENDORS, VendorName
from vendors import OFFERS, make_rest, make_vendor
from vendors.rest import Request

KEYS = ("FIRSTKEY/0123456789", "SECONDKEY+0123456789")


def keys_of(name: VendorName) -> tuple[str, ...]:
    return KEYS[: len(KEY_VARIABLES.get(name, ()))]


def test_every_vendor_is_in_the_table() -> None:
    """Under the name that the settings have for it."""
    assert set(OFFERS) == set(VENDORS)


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_is_what_the_settings_say(name: VendorName) -> None:
    """Its name, its classes and its keys, none of which it shows."""
    vendor = make_vendor(name, keys_of(name))
    assert vendor.name.casefold() == name
    assert set(vendor.assets) == {asset for asset in ASSETS if name in CHAINS[asset]}
    assert vendor.key_setting == " and ".join(KEY_VARIABLES.get(name, ()))
    assert set(vendor.secrets) >= set(keys_of(name))
    assert not [
        key for key in KEYS if key in f"{vendor!r}{vendor}{make_rest(name, keys_of(name))!r}"
    ]


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_may_be_elsewhere(name: VendorName) -> None:
    """Stream and requests are each at the address that was chosen, else at the vendor's own."""
    asset = next(asset for asset in ASSETS if name in CHAINS[asset])
    symbol = {"stocks": "AAPL", "forex": "EURUSD", "crypto": "BTC-USDT"}[asset]
    elsewhere = make_vendor(name, keys_of(name), "ws://127.0.0.1:9/ws")
    assert elsewhere.address(asset, [symbol]).startswith("ws://127.0.0.1:9/ws")
    assert make_vendor(name, keys_of(name)).address(asset, [symbol]).startswith("wss://")

    def requests(url: str | None) -> list[Request]:
        return list(make_rest(name, keys_of(name), url).requests(asset, [symbol], 3e9, 3e9 - 86400))

    assert {r.url.startswith("http://127.0.0.1:9/x") for r in requests("http://127.0.0.1:9/x")} == {
        True
    }
    assert {r.url.startswith("https://") for r in requests(None)} == {True}
