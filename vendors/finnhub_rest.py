"""Finnhub's requests for the time before its stream, and what they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from ticks import Asset
from vendors.rest import Past, PastError, Quote, Request, Want
from vendors.values import number, price, us_stock

__all__ = ["URL", "FinnhubRest"]

URL: Final = "https://finnhub.io/api/v1"


class _Quote(msgspec.Struct, gc=False):
    """The current price, the session's, the close before it, and the time in seconds."""

    c: Any
    t: Any
    h: Any = None
    l: Any = None  # noqa: E741 - the vendor's name
    pc: Any = None


_read = msgspec.json.Decoder(_Quote).decode


@dataclass(frozen=True, slots=True)
class FinnhubRest:
    """One request a stock for its last session; a free key is refused candles."""

    url: str = URL
    key: str = field(default="", repr=False)
    spacing_sec: float = 1.1
    """60 a minute are its limit."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """The last session of each stock."""
        if asset != "stocks":
            return ()
        base = f"{self.url.rstrip('/')}/quote"
        return [
            Request(
                Want.DAY,
                (symbol,),
                f"{base}?{urlencode({'symbol': name})}",
                {"X-Finnhub-Token": self.key},
            )
            for symbol in symbols
            if (name := us_stock(symbol)) is not None
        ]

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer tells; nothing of a stock that it does not know: all is zero then.

        Raises:
            PastError: if it is no quote.
        """
        try:
            said = _read(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise PastError from error
        last, ts = number(said.c), number(said.t)
        if last == 0 or ts == 0:
            return Past()
        if not (last > 0 and ts > 0):
            raise PastError
        (symbol,) = request.symbols
        quote = Quote(symbol, last, ts, price(said.pc), price(said.h), price(said.l))
        return Past(quotes=[quote])
