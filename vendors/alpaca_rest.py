"""Alpaca's requests for the time before its stream, and what they are answered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from ticks import Asset
from vendors.alpaca_messages import is_barred
from vendors.rest import Candle, Past, PastError, Quote, Request, Want
from vendors.values import candle, candles, epoch, number, price, us_stock

__all__ = ["URL", "AlpacaRest"]

URL: Final = "https://data.alpaca.markets"

_NEW_YORK: Final = ZoneInfo("America/New_York")

_TOGETHER: Final = 100
"""Stocks of one request: an hour of them fits into one answer, ..."""
_MOST_BARS: Final = 10_000
"""... which has no more bars than this."""

_HOUR_SEC: Final = 3600
_MINUTE_SEC: Final = 60


class _Bar(msgspec.Struct, gc=False):
    """The prices of a minute or a day; ``t`` is when that began."""

    t: str
    o: Any
    h: Any
    l: Any  # noqa: E741 - the vendor's name
    c: Any
    v: Any = None


class _Bars(msgspec.Struct, gc=False):
    bars: dict[str, list[_Bar] | None] | None


class _Trade(msgspec.Struct, gc=False):
    t: str
    p: Any
    c: Any = None
    z: Any = None


class _Snapshot(msgspec.Struct, gc=False, rename="camel"):
    latest_trade: _Trade | None = None
    minute_bar: _Bar | None = None
    daily_bar: _Bar | None = None
    prev_daily_bar: _Bar | None = None


_read_bars = msgspec.json.Decoder(_Bars).decode
_read_snapshots = msgspec.json.Decoder(dict[str, _Snapshot | None]).decode


@dataclass(frozen=True, slots=True)
class AlpacaRest:
    """One request for the last hour of all stocks, and one for their last sessions."""

    url: str = URL
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    spacing_sec: float = 0.5
    """Well below 200 a minute, which is its limit."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The last hour, then the last sessions. Of the test stream's stock nothing is known."""
        known = [symbol for symbol in symbols if asset == "stocks" and us_stock(symbol)]
        groups = [known[at : at + _TOGETHER] for at in range(0, len(known), _TOGETHER)]
        since = int(now - _HOUR_SEC) // _MINUTE_SEC * _MINUTE_SEC
        hour = {
            "timeframe": "1Min",
            "feed": "iex",
            "start": datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "limit": str(_MOST_BARS),
        }
        return (
            *(self._request(Want.LAST_HOUR, group, "bars", hour) for group in groups),
            *(self._request(Want.DAY, group, "snapshots", {"feed": "iex"}) for group in groups),
        )

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer tells, of the stocks that were asked for.

        Raises:
            PastError: if it holds neither bars nor snapshots.
        """
        names = {name: symbol for symbol in request.symbols if (name := us_stock(symbol))}
        try:
            if request.want is Want.LAST_HOUR:
                bars = _read_bars(body).bars or {}
                return Past(candles=[c for name in names for c in _candles(names, name, bars, now)])
            snapshots = _read_snapshots(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise PastError from error
        found = (_quote(names[name], snapshots.get(name)) for name in names)
        return Past(quotes=[quote for quote in found if quote is not None])

    def _request(
        self, want: Want, symbols: Sequence[str], what: str, parameters: Mapping[str, str]
    ) -> Request:
        names = ",".join(filter(None, map(us_stock, symbols)))
        query = urlencode({"symbols": names, **parameters}, safe=",:")
        return Request(
            want,
            tuple(symbols),
            f"{self.url.rstrip('/')}/v2/stocks/{what}?{query}",
            {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret},
        )


def _candles(
    names: Mapping[str, str], name: str, bars: Mapping[str, Sequence[_Bar] | None], now: float
) -> Sequence[Candle]:
    rows = [
        candle(names[name], epoch(bar.t), (bar.o, bar.h, bar.l, bar.c))
        for bar in bars.get(name) or ()
        if number(bar.v) != 0  # else nobody traded
    ]
    return candles(rows, now)


def _quote(symbol: str, snapshot: _Snapshot | None) -> Quote | None:
    """The last price and its session's; None if there is no price."""
    found = None if snapshot is None else _last(snapshot)
    if snapshot is None or found is None:
        return None
    last, ts = found
    day, before = snapshot.daily_bar, snapshot.prev_daily_bar
    if day is not None and _date(epoch(day.t)) != _date(ts):
        # Before its first bar of the day a stock's newest one is that of the day before.
        day, before = None, day
    return Quote(
        symbol,
        last,
        ts,
        previous_close=price(before and before.c),
        high=price(day and day.h),
        low=price(day and day.l),
    )


def _last(snapshot: _Snapshot) -> tuple[float, float] | None:
    """The last price and its time: that of a trade that may set it, else of a minute."""
    trade, bar = snapshot.latest_trade, snapshot.minute_bar
    if trade is not None and not is_barred(trade.c, trade.z):
        last, ts = number(trade.p), epoch(trade.t)
    elif bar is not None:
        last, ts = number(bar.c), epoch(bar.t) + _MINUTE_SEC - 1
    else:
        return None
    return (last, ts) if last > 0 and not math.isnan(ts) else None


def _date(ts: float) -> date | None:
    return None if math.isnan(ts) else datetime.fromtimestamp(ts, _NEW_YORK).date()
