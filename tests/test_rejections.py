"""HTTP statuses with which vendors refuse a handshake."""

from __future__ import annotations

import pytest

from ticks import VendorName
from vendors import OFFERS, make_vendor
from vendors.wire import NoticeKind

KEYLESS: tuple[VendorName, ...] = ("coinbase", "kraken", "binance")
KEYED: tuple[VendorName, ...] = ("alpaca", "finnhub")


@pytest.mark.parametrize(
    ("status", "keyless", "keyed"),
    [
        (200, NoticeKind.SERVER_ERROR, NoticeKind.SERVER_ERROR),
        (301, NoticeKind.SERVER_ERROR, NoticeKind.SERVER_ERROR),
        (400, NoticeKind.BAD_REQUEST, NoticeKind.BAD_REQUEST),
        (401, NoticeKind.BAD_REQUEST, NoticeKind.KEY_REFUSED),
        (403, NoticeKind.BAD_REQUEST, NoticeKind.KEY_REFUSED),
        (404, NoticeKind.BAD_REQUEST, NoticeKind.BAD_REQUEST),
        (408, NoticeKind.SERVER_ERROR, NoticeKind.SERVER_ERROR),
        (429, NoticeKind.THROTTLED, NoticeKind.THROTTLED),
        (451, NoticeKind.UNAVAILABLE, NoticeKind.UNAVAILABLE),
        (503, NoticeKind.SERVER_ERROR, NoticeKind.SERVER_ERROR),
    ],
)
def test_status_means_the_same_at_each_vendor(
    status: int, keyless: NoticeKind, keyed: NoticeKind
) -> None:
    """But for what is said of a key."""
    assert set(OFFERS) == {"eodhd", *KEYLESS, *KEYED}
    assert {make_vendor(name).rejection(status) for name in KEYLESS} == {keyless}
    assert {make_vendor(name).rejection(status) for name in KEYED} == {keyed}
