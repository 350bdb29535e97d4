"""Coinbase Exchange's requests for the time before its stream, and what they are answered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from ticks import Asset
from vendors.coinbase import product
from vendors.rest import Candle, Past, PastError, Request, Want
from vendors.values import candle, candles, epoch, number, references
from vendors.wire import RawTick

__all__ = ["URL", "CoinbaseRest"]

URL: Final = "https://api.exchange.coinbase.com"

_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"User-Agent": "market-pulse"})
"""Who does not say what it is may be turned away."""

_HOUR_SEC: Final = 3600
_STEP_SEC: Final = 300
"""With the hour before its begin a day has as many of these as one answer may hold, 300."""

_TRADES: Final = 100


class _Trade(msgspec.Struct, gc=False):
    time: str
    trade_id: int
    price: str | float


_read_rows = msgspec.json.Decoder(list[list[Any]]).decode
_read_trades = msgspec.json.Decoder(list[_Trade]).decode


@dataclass(frozen=True, slots=True)
class CoinbaseRest:
    """One request a product for the minutes of the last hour, one for its trades, one for a day.

    For the day, the prices of every five minutes since then: each is the one of a day ago in turn.
    """

    url: str = URL
    spacing_sec: float = 0.2
    """Half as often as ten a second, which is its limit."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The last hour of each product, then the price of a day ago, then the newest trades."""
        if asset != "crypto":
            return ()
        known = [symbol for symbol in symbols if product(symbol) is not None]
        return (
            *(self._candles(Want.LAST_HOUR, s, 60, now - _HOUR_SEC, now) for s in known),
            *(self._candles(Want.DAY, s, _STEP_SEC, day_at - _HOUR_SEC, now) for s in known),
            *(self._request(Want.LAST_HOUR, s, f"trades?limit={_TRADES}") for s in known),
        )

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer tells.

        Raises:
            PastError: if it is none of candles or trades.
        """
        (symbol,) = request.symbols
        try:
            if request.url.startswith(f"{self._base(symbol)}/trades?"):
                return Past(trades=_trades(symbol, body))
            rows = _read_rows(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise PastError from None
        found = candles((_candle(symbol, row) for row in rows), now)
        if request.want is Want.LAST_HOUR:
            return Past(candles=found)
        return Past(references=references(found, _STEP_SEC, now))

    def _candles(self, want: Want, symbol: str, length: int, since: float, until: float) -> Request:
        """Those of so many seconds that ended in between; one without a trade is missing."""
        start = math.floor(since / length) * length
        end = (math.floor(until / length) - 1) * length
        query = f"candles?granularity={length}&start={_iso(start)}&end={_iso(end)}"
        return self._request(want, symbol, query)

    def _request(self, want: Want, symbol: str, query: str) -> Request:
        return Request(want, (symbol,), f"{self._base(symbol)}/{query}", _HEADERS)

    def _base(self, symbol: str) -> str:
        return f"{self.url.rstrip('/')}/products/{symbol}"


def _iso(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _candle(symbol: str, row: Sequence[Any]) -> Candle:
    """One row: its time, and the lowest price before the highest, and both before the first."""
    minute, low, high, first, last = row[:5] if len(row) >= 5 else (math.nan,) * 5
    return candle(symbol, minute, (first, high, low, last))


def _trades(symbol: str, body: bytes) -> Sequence[RawTick]:
    """Oldest first; sent newest first."""
    found = [
        RawTick(symbol, epoch(t.time), number(t.price), "", trade_id=t.trade_id)
        for t in reversed(_read_trades(body))
    ]
    if not all(tick.price > 0 and tick.ts > 0 for tick in found):
        raise PastError
    return found
