"""Quotes: what vendors say of the sessions of symbols that have not ticked.

The worker's thread adds them; any thread may ask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from history.hours import SessionFigures
from vendors.rest import Quote

__all__ = ["Quotes"]

_LATE_SEC: Final = 60.0
"""The last price of a session may be stamped so long after its end."""


class Quotes:
    """The newest quote of each symbol that tells its session: previous close, high and low."""

    def __init__(self) -> None:
        # One object, so that other threads never see a part of an answer.
        self._newest: Mapping[str, Quote] = {}

    def add(self, quotes: Sequence[Quote]) -> None:
        """Keep those that are newer than what is kept; what is no price tells nothing."""
        newer = {
            quote.symbol: quote
            for quote in quotes
            if _figures(quote) is not None
            and (quote.symbol not in self._newest or self._newest[quote.symbol].ts <= quote.ts)
        }
        self._newest = {**self._newest, **newer}

    @property
    def newest(self) -> tuple[Quote, ...]:
        """The newest of each symbol that has any."""
        return tuple(self._newest.values())

    def figures(self, begin: float, end: float) -> dict[str, SessionFigures]:
        """By symbol, the session from ``begin`` to ``end``, of those whose quote is of it."""
        return {
            symbol: found
            for symbol, quote in self._newest.items()
            if begin <= quote.ts <= end + _LATE_SEC and (found := _figures(quote)) is not None
        }


def _figures(quote: Quote) -> SessionFigures | None:
    before, low, high = quote.previous_close, quote.low, quote.high
    if before is None or low is None or high is None:
        return None
    if not all(0.0 < price < math.inf for price in (before, low, high, quote.last)):
        return None
    return SessionFigures(
        before, quote.last, low, high, quote.last / before - 1.0, since_close=True
    )
