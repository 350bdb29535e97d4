"""Kraken over REST: the minutes of the last hour, the newest trades, and the price of a day ago.

An error comes with the HTTP status of success. The pair in an answer may have an older name than
the one asked for, so that an answer is of whatever pair its request was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from ticks import Asset
from vendors.kraken import pair_of
from vendors.rest import Past, PastError, Request, Want
from vendors.values import candle, candles, number, references
from vendors.wire import NoticeKind, RawTick

__all__ = ["REST_URL", "KrakenRest"]

_T = TypeVar("_T")

REST_URL: Final = "https://api.kraken.com"

_HOUR_SEC: Final = 3600
_MINUTE_SEC: Final = 60
_TRADES: Final = 100
"""How many of the newest trades are asked for."""

_LENGTHS_MIN: Final = (5, 15, 30, 60, 240)
"""A day's candles have the shortest of these lengths, in minutes, of which ..."""

_ROWS: Final = 700
"""... this many reach back to its begin: the vendor sends the newest 720."""

_BEFORE: Final = 12
"""Candles from before it that are asked for as well: nobody may have traded just then."""


class _Answer(msgspec.Struct, gc=False):
    error: list[str] = []
    result: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class _Row(msgspec.Struct, array_like=True, gc=False):
    """A candle; what follows in it matters not."""

    ts: int
    open: str | float
    high: str | float
    low: str | float
    close: str | float
    mean: str | float
    volume: str | float
    trades: int

    @property
    def prices(self) -> Sequence[str | float]:
        return self.open, self.high, self.low, self.close


class _Print(msgspec.Struct, array_like=True, gc=False):
    """A trade."""

    price: str | float
    volume: str | float
    ts: float
    side: str
    kind: str
    note: str
    trade_id: int | None = None


@dataclass(frozen=True, slots=True)
class KrakenRest:
    """Kraken's requests for the time before its stream; one pair each."""

    url: str = REST_URL
    spacing_sec: float = 1.0

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """Every symbol's last hour, then its newest trades, then its price at ``day_at``.

        Of forex no trades: its price is the middle between bid and ask.
        """
        pairs = {symbol: pair for symbol in symbols if (pair := pair_of(asset, symbol))}
        hour_from = int(now) - _HOUR_SEC - _MINUTE_SEC
        found = [
            self._request(Want.LAST_HOUR, symbol, "OHLC", pair=pair, interval=1, since=hour_from)
            for symbol, pair in pairs.items()
        ]
        if asset == "crypto":
            found += [
                self._request(Want.LAST_HOUR, symbol, "Trades", pair=pair, count=_TRADES)
                for symbol, pair in pairs.items()
            ]
        minutes = (now - day_at) / _MINUTE_SEC
        length = next((one for one in _LENGTHS_MIN if one * _ROWS >= minutes), _LENGTHS_MIN[-1])
        day_from = int(day_at) - _BEFORE * length * _MINUTE_SEC
        found += [
            self._request(Want.DAY, symbol, "OHLC", pair=pair, interval=length, since=day_from)
            for symbol, pair in pairs.items()
        ]
        return found

    def _request(self, want: Want, symbol: str, call: str, **query: str | int) -> Request:
        # The slash of a pair stays as it is.
        asked = urlencode(query, safe="/")
        return Request(want, (symbol,), f"{self.url.rstrip('/')}/0/public/{call}?{asked}")

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """Candles, trades or a reference, whichever ``request`` asked for.

        Raises:
            PastError: if the answer is an error, or none of the vendor's.
        """
        address, symbol = urlsplit(request.url), request.symbols[0]
        rows = _rows(body)
        if address.path.endswith("/Trades"):
            return Past(trades=_trades(symbol, _as(list[_Print], rows)))
        # Of a candle without a trade the prices are those of the one before.
        traded = [row for row in _as(list[_Row], rows) if row.trades]
        found = candles((candle(symbol, row.ts, row.prices) for row in traded), now)
        if request.want is Want.LAST_HOUR:
            return Past(
                candles=[one for one in found if one.minute >= now - _HOUR_SEC - _MINUTE_SEC]
            )
        length_sec = _MINUTE_SEC * int(parse_qs(address.query)["interval"][0])
        return Past(references=references(found, length_sec, now))


def _rows(body: bytes) -> Any:
    """What is in an answer of one pair: the one thing of it that is not its cursor."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise PastError from None
    if answer.error:
        raise PastError(_meaning(answer.error[0]))
    found = [rows for name, rows in (answer.result or {}).items() if name != "last"]
    if len(found) != 1:
        raise PastError
    return found[0]


def _meaning(error: str) -> NoticeKind:
    """What an error means that comes with the status of success."""
    if error.startswith("EQuery:Unknown asset"):
        return NoticeKind.SYMBOL_UNKNOWN
    if error in ("EGeneral:Too many requests", "EService:Throttled", "EAPI:Rate limit exceeded"):
        return NoticeKind.THROTTLED
    return NoticeKind.SERVER_ERROR if error.startswith("EService:") else NoticeKind.UNREADABLE


def _as(kind: type[_T], rows: Any) -> _T:
    try:
        return msgspec.convert(rows, kind)
    except msgspec.ValidationError:
        raise PastError from None


def _trades(symbol: str, prints: Sequence[_Print]) -> list[RawTick]:
    ticks = [
        RawTick(symbol, one.ts, price, "", trade_id=one.trade_id)
        for one in prints
        if (price := number(one.price)) > 0
    ]
    return sorted(ticks, key=attrgetter("ts"))
