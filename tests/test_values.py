"""Numbers, times, candles and names of any vendor, and what is none."""

from __future__ import annotations

import math

import msgspec
import pytest

from vendors.rest import Candle, PastError
from vendors.values import candles, epoch, number, price, read_singly, us_stock


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (83744.3, 83744.3),
        (1, 1.0),
        ("0.00044780", 0.0004478),
        ("77572.86", 77572.86),
        (5.1e-05, 5.1e-05),
        ("1e-08", 1e-08),
        (-1, -1.0),
    ],
)
def test_number_comes_as_such_or_as_text(value: object, expected: float) -> None:
    """In any form that a vendor writes."""
    assert number(value) == expected


@pytest.mark.parametrize(
    "value",
    [None, True, "", "abc", "1_000", "9" * 101, "NaN", "inf", math.nan, math.inf, 10**400, [], {}],
)
def test_what_is_no_number_is_nan(value: object) -> None:
    """Whatever else came instead."""
    assert math.isnan(number(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-02T07:44:09.449472Z", 1788335049.449472),
        ("2026-09-15T11:01:54.000000Z", 1789470114.0),
        ("2026-09-07T07:26:13.721780188Z", 1788765973.72178),
        ("2023-04-06T13:15:42.83540958Z", 1680786942.835409),
        ("2021-02-22T19:15:00Z", 1614021300.0),
        ("2021-02-22T19:15:00.5Z", 1614021300.5),
    ],
)
def test_time_has_any_number_of_digits(text: str, expected: float) -> None:
    """None to nine of them."""
    assert epoch(text) == expected


@pytest.mark.parametrize(
    "text",
    [None, 1788335049, "", "Z", "now", "2026-09-02T07:44:09", "2026-13-02T07:44:09Z", "0" * 99],
)
def test_what_is_no_time_is_nan(text: object) -> None:
    """Without a zone it could be anybody's."""
    assert math.isnan(epoch(text))


def candle(minute: int, close: float = 10.0) -> Candle:
    return Candle("BTC-USD", minute, 10.0, 11.0, 9.0, close)


def test_candles_are_in_order_and_over() -> None:
    """However they came; and the one that is still forming is none."""
    rows = [candle(180), candle(60), candle(0), candle(60, 10.5)]
    assert candles(rows, 200.0) == (candle(0), candle(60, 10.5))
    assert candles(rows, 240.0)[-1].minute == 180
    assert candles([], 240.0) == ()


@pytest.mark.parametrize(
    "row",
    [
        candle(61),
        candle(60, 11.5),
        candle(60, 8.5),
        candle(60, math.nan),
        Candle("BTC-USD", 60, 0.0, 11.0, 0.0, 10.0),
        Candle("BTC-USD", 60, 10.0, math.inf, 9.0, 10.0),
    ],
)
def test_row_that_is_no_candle_is_an_error(row: Candle) -> None:
    """One is enough to distrust the answer."""
    with pytest.raises(PastError):
        candles([candle(0), row], 600.0)


def test_price_is_a_number_above_zero() -> None:
    """Or there is none."""
    assert (price("100.5"), price(7)) == (100.5, 7.0)
    assert [price(none) for none in (0, -1, "NA", None, True, math.nan)] == [None] * 6


def test_name_of_a_stock_has_a_dot_before_its_class() -> None:
    """What has another shape is none."""
    assert [us_stock(s) for s in ("F", "GOOGL", "BRK-B")] == ["F", "GOOGL", "BRK.B"]
    others = ("", "brk-b", "BRK.B", "TOOLONG", "BTC-USD", "A-", "-B", "É", "A\n")
    assert [us_stock(s) for s in others] == [None] * len(others)


def test_elements_of_an_array_are_read_one_by_one() -> None:
    """What is none costs no other; an array of a hundred thousand zeros costs no time."""
    read = msgspec.json.Decoder(dict[str, int]).decode
    array = b'[{"some": 1}, 7, {"some": "text"}, {"other": 2}]'
    assert read_singly(array, read) == [{"some": 1}, None, None, {"other": 2}]
    assert read_singly(msgspec.Raw(array), read) == read_singly(array, read)
    assert read_singly(b"[" + b"0," * 100_000 + b"0]", read) == (None,)
    assert read_singly(b"[]", read) == []
    with pytest.raises(msgspec.MsgspecError):
        read_singly(b'{"some": 1}', read)
