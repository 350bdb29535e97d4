"""EODHD's requests for the time before its stream, and what they are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from ticks import Asset
from vendors.eodhd import DEMO_KEY, DEMO_SYMBOLS
from vendors.rest import Past, PastError, Quote, Reference, Request, Want
from vendors.values import number, price

__all__ = ["URL", "EodhdRest"]

URL: Final = "https://eodhd.com/api"

_EXCHANGES: Final[Mapping[Asset, str]] = MappingProxyType(
    {"stocks": "US", "forex": "FOREX", "crypto": "CC"}
)
"""What follows a symbol here, after a dot."""

_TOGETHER: Final = 15
"""Symbols of one request for last prices; more than some twenty are not answered."""

_ROW_SEC: Final = 300
"""The prices of a day ago come in rows of five minutes."""
_SPAN_SEC: Final = 1800
"""So long before a pair's day begins its price is looked for."""


class _Price(msgspec.Struct, gc=False, rename="camel"):
    """A symbol's last session; a field that is not known is the text ``NA``."""

    code: str
    timestamp: Any
    close: Any
    """The last price."""
    previous_close: Any = None
    high: Any = None
    low: Any = None


class _Row(msgspec.Struct, gc=False):
    timestamp: int
    close: Any = None


_read_prices = msgspec.json.Decoder(_Price | list[_Price]).decode
_read_rows = msgspec.json.Decoder(list[_Row]).decode


@dataclass(frozen=True, slots=True)
class EodhdRest:
    """Requests for the last sessions of some symbols together, and for the day of each pair.

    The minutes of the last hour are only known hours later.
    """

    url: str = URL
    key: str = field(default="", repr=False)
    spacing_sec: float = 0.25
    """Well below a thousand a minute, which is its limit."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The last sessions; then what the day of forex and crypto is measured against."""
        known, together = list(symbols), _TOGETHER
        if self.key == DEMO_KEY:  # which is refused a request with any other symbol
            known, together = [s for s in known if s in DEMO_SYMBOLS[asset]], 1
        groups = [known[at : at + together] for at in range(0, len(known), together)]
        last = [self._last(asset, group) for group in groups]
        if asset == "stocks":
            return last
        until = now if asset == "crypto" else day_at
        return [*last, *(self._day(asset, symbol, day_at, until) for symbol in known)]

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer tells, of the symbols that were asked for.

        Raises:
            PastError: if it holds neither last prices nor rows of a day.
        """
        try:
            if f"{self._base}/intraday/" in request.url:
                return _references(request.symbols[0], _read_rows(body), now)
            said = _read_prices(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise PastError from error
        prices = {one.code: one for one in (said if isinstance(said, list) else [said])}
        found = (_quote(symbol, prices) for symbol in request.symbols)
        return Past(quotes=[one for one in found if one is not None])

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def _last(self, asset: Asset, symbols: Sequence[str]) -> Request:
        first, *others = (_name(asset, symbol) for symbol in symbols)
        query = {"s": ",".join(others)} if others else {}
        return self._request(symbols, f"real-time/{first}", query)

    def _day(self, asset: Asset, symbol: str, since: float, until: float) -> Request:
        query = {
            "interval": "5m",
            "from": str(int(since) - _SPAN_SEC),
            "to": str(int(until)),
        }
        return self._request([symbol], f"intraday/{_name(asset, symbol)}", query)

    def _request(self, symbols: Sequence[str], what: str, query: Mapping[str, str]) -> Request:
        query = {"api_token": self.key, "fmt": "json", **query}
        url = f"{self._base}/{what}?{urlencode(query, safe=',')}"
        return Request(Want.DAY, tuple(symbols), url)


def _name(asset: Asset, symbol: str) -> str:
    return f"{quote(symbol, safe='')}.{_EXCHANGES[asset]}"


def _quote(symbol: str, prices: Mapping[str, _Price]) -> Quote | None:
    """A symbol's last session; None if the vendor does not know it."""
    for exchange in _EXCHANGES.values():
        said = prices.get(f"{symbol}.{exchange}")
        if said is None:
            continue
        last, ts = number(said.close), number(said.timestamp)
        if not (last > 0 and ts > 0):
            return None
        is_stock = exchange == _EXCHANGES["stocks"]
        return Quote(
            symbol,
            last,
            ts,
            # Those of pairs are measured at other hours than their day is here.
            previous_close=price(said.previous_close) if is_stock else None,
            high=price(said.high),
            low=price(said.low),
        )
    return None


def _references(symbol: str, rows: Sequence[_Row], now: float) -> Past:
    """The price at the end of each row, which has the time of its begin."""
    found = {
        row.timestamp + _ROW_SEC: close
        for row in rows
        if (close := price(row.close)) is not None and 0 < row.timestamp <= now - _ROW_SEC
    }
    return Past(references=[Reference(symbol, found[ts], float(ts)) for ts in sorted(found)])
