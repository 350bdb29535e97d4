"""Numbers, times, candles, names and arrays, as more than one vendor writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from vendors.rest import Candle, PastError, Reference

__all__ = ["candle", "candles", "epoch", "number", "price", "read_singly", "references", "us_stock"]

_T = TypeVar("_T")

_LONGEST: Final = 100
"""Text with more characters than this is no number."""

_MINUTE_SEC: Final = 60

_SHORTEST: Final = 10
"""An array whose elements have fewer bytes than this on average holds no messages."""

_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode

_US_STOCK: Final = re.compile(r"([A-Z]{1,5})(?:-([A-Z]))?", re.ASCII)
"""A stock of the exchanges in the United States, and its class if it has several."""


def number(value: object) -> float:
    """A finite number, as such or as text; NaN if it is none.

    >>> number(83744.3), number("0.00004780"), number(True), number("1_0")
    (83744.3, 4.78e-05, nan, nan)
    """
    # Told apart by type, fastest first: this is the hot path.
    if type(value) is str:
        # Python's own spelling, nobody's wire format; and what is so long is no number.
        if "_" in value or len(value) > _LONGEST:
            return math.nan
    elif type(value) is not float and type(value) is not int:
        return math.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return found if -math.inf < found < math.inf else math.nan


def price(value: object) -> float | None:
    """A price, as such or as text; None if it is none."""
    found = number(value)
    return found if found > 0 else None


def epoch(text: object) -> float:
    """A time of RFC 3339 in UTC, in seconds since the epoch, to the microsecond; NaN if it is none.

    It may have no fraction of a second, or one of any length: vendors send up to nine digits, and
    some leave out zeros at the end.

    >>> epoch("2026-09-07T07:26:13.721780188Z"), epoch("2026-09-07T07:26:13")
    (1788765973.72178, nan)
    """
    try:
        # Without a zone it would be taken for this computer's time.
        if text[-1:] == "Z":  # type: ignore[index]
            return datetime.fromisoformat(text).timestamp()  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, KeyError):
        pass
    return math.nan


def candle(symbol: str, minute: object, prices: Iterable[object]) -> Candle:
    """The candle of a row: the time of its begin in seconds; first, highest, lowest, last price.

    Raises:
        PastError: if it begins at no whole second, or has not four prices.
    """
    begin, numbers = number(minute), [number(price) for price in prices]
    if not begin.is_integer() or len(numbers) != 4:
        raise PastError
    return Candle(symbol, int(begin), *numbers)


def candles(rows: Iterable[Candle], now: float) -> tuple[Candle, ...]:
    """A symbol's candles as they may be used: oldest first, one a minute, of minutes that are over.

    Raises:
        PastError: if one is no candle: not of a whole minute, a price that is none, a highest that
            is not.
    """
    found: dict[int, Candle] = {}
    for row in rows:
        prices = row.open, row.high, row.low, row.close
        is_sound = all(0 < price < math.inf for price in prices) and row.minute % _MINUTE_SEC == 0
        if not is_sound or row.high < max(prices) or row.low > min(prices):
            raise PastError
        if row.minute + _MINUTE_SEC <= now:
            found[row.minute] = row
    return tuple(found[minute] for minute in sorted(found))


def references(found: Iterable[Candle], length_sec: int, now: float) -> list[Reference]:
    """The price at the end of each of ``found``, which are of so many seconds, if it is over."""
    ends = ((one, one.minute + length_sec) for one in found)
    return [Reference(one.symbol, one.close, at) for one, at in ends if at <= now]


def us_stock(symbol: str) -> str | None:
    """A stock's name with a dot before its class; None if it has not the shape of one.

    >>> us_stock("AAPL"), us_stock("BRK-B"), us_stock("BRK.B")
    ('AAPL', 'BRK.B', None)
    """
    found = _US_STOCK.fullmatch(symbol)
    return None if found is None else ".".join(filter(None, found.groups()))


def read_singly(
    array: bytes | msgspec.Raw, read: Callable[[msgspec.Raw], _T]
) -> Sequence[_T | None]:
    """What ``read`` makes of each element of a JSON array; None stands for what is none.

    Of an array that cannot be one of messages, and may have a hundred thousand elements, it is one.

    Raises:
        msgspec.MsgspecError, UnicodeError, RecursionError: if it is no array.
    """
    elements = _elements(array)
    if len(elements) * _SHORTEST > len(memoryview(array)):
        return (None,)
    found: list[_T | None] = []
    for element in elements:
        try:
            found.append(read(element))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            found.append(None)
    return found
