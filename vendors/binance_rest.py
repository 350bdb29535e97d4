"""Binance's requests for the time before its stream, and what they are answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ticks import Asset
from vendors.binance import pair
from vendors.rest import Candle, Past, PastError, Request, Want
from vendors.values import candle, candles, number, references
from vendors.wire import RawTick

__all__ = ["URL", "BinanceRest"]

URL: Final = "https://data-api.binance.vision"
"""Its market data alone."""

_HOUR_SEC: Final = 3600
_STEP_SEC: Final = 300
_TRADES: Final = 500


class _Trade(msgspec.Struct, gc=False):
    a: int
    p: str
    T: int


_TRADES_AT: Final = 8
"""The place of the number of trades in a row; without any its prices are older."""

# A row has twelve fields.
_read_rows = msgspec.json.Decoder(list[list[Any]]).decode
_read_trades = msgspec.json.Decoder(list[_Trade]).decode


@dataclass(frozen=True, slots=True)
class BinanceRest:
    """One request a pair for the minutes of the last hour, one for its trades, one for a day.

    For the day, the prices of every five minutes since then: each is the one of a day ago in turn.
    """

    url: str = URL
    spacing_sec: float = 0.2
    """Each weighs some 4 of the 6,000 that it allows in a minute."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The last hour of each pair, then the price of a day ago, then the newest trades."""
        if asset != "crypto":
            return ()
        known = [symbol for symbol in symbols if pair(symbol) is not None]
        return (
            *(self._candles(Want.LAST_HOUR, s, 60, now - _HOUR_SEC, now) for s in known),
            *(self._candles(Want.DAY, s, _STEP_SEC, day_at - _STEP_SEC, now) for s in known),
            *(self._request(Want.LAST_HOUR, s, "aggTrades", f"limit={_TRADES}") for s in known),
        )

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer tells.

        Raises:
            PastError: if it is none of candles or trades.
        """
        (symbol,) = request.symbols
        try:
            if request.url.startswith(f"{self._base}/aggTrades?"):
                return Past(trades=_trades(symbol, body))
            rows = _read_rows(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise PastError from None
        traded = [row for row in rows if row[_TRADES_AT : _TRADES_AT + 1] != [0]]
        found = candles((_candle(symbol, row) for row in traded), now)
        if request.want is Want.LAST_HOUR:
            return Past(candles=found)
        return Past(references=references(found, _STEP_SEC, now))

    @property
    def _base(self) -> str:
        return f"{self.url.rstrip('/')}/api/v3"

    def _candles(self, want: Want, symbol: str, length: int, since: float, until: float) -> Request:
        """Those of so many seconds that ended in between."""
        first, end = (math.floor(at / length) * length for at in (since, until))
        times = f"startTime={first * 1000}&endTime={end * 1000 - 1}"
        query = f"interval={length // 60}m&{times}&limit={(end - first) // length}"
        return self._request(want, symbol, "klines", query)

    def _request(self, want: Want, symbol: str, call: str, query: str) -> Request:
        name = (pair(symbol) or "").upper()
        return Request(want, (symbol,), f"{self._base}/{call}?symbol={name}&{query}")


def _candle(symbol: str, row: Sequence[Any]) -> Candle:
    """One row: the time of its begin in milliseconds, and its prices as text."""
    return candle(symbol, number(row[0]) / 1000 if row else math.nan, row[1:5])


def _trades(symbol: str, body: bytes) -> Sequence[RawTick]:
    """Oldest first, as they are sent."""
    found = [RawTick(symbol, t.T / 1000, number(t.p), "", trade_id=t.a) for t in _read_trades(body)]
    if not all(tick.price > 0 and tick.ts > 0 for tick in found):
        raise PastError
    return found
