"""Prints: the newest trades of each symbol, some of which a vendor may yet cancel or correct."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

__all__ = ["Print", "Prints"]

_REMEMBERED: Final = 8


class Print(NamedTuple):
    """A trade that may have set the last price."""

    trade_id: object
    """Unique on its ``exchange``."""
    exchange: object
    ts: float
    price: float


class Prints:
    """The newest trades of each symbol, of which a few are remembered."""

    def __init__(self) -> None:
        self._prints: dict[str, deque[Print]] = {}

    def add(self, symbol: str, trade: Print) -> None:
        """Note that a trade came."""
        prints = self._prints.get(symbol)
        if prints is None:
            prints = self._prints[symbol] = deque(maxlen=_REMEMBERED)
        prints.append(trade)

    def cancel(self, symbol: str, trade_id: object, exchange: object) -> Print | None:
        """Take a trade back: the one before it, if it had set the last price and one is known.

        That one then has the time of the one that is taken back: it is the price since then.
        """
        newest, taken = self._take(symbol, trade_id, exchange)
        prints = self._prints.get(symbol)
        if newest is None or newest not in taken or not prints:
            return None
        before = _newest(prints)._replace(ts=newest.ts)
        prints.append(before)
        return before

    def correct(self, symbol: str, trade_id: object, corrected: Print) -> Print | None:
        """Put a trade in the place of another one: itself, if that had set the last price.

        It has that one's time, whatever its own.
        """
        newest, taken = self._take(symbol, trade_id, corrected.exchange)
        if not taken:
            return None
        corrected = corrected._replace(ts=taken[-1].ts)
        self.add(symbol, corrected)
        return corrected if newest in taken else None

    def _take(
        self, symbol: str, trade_id: object, exchange: object
    ) -> tuple[Print | None, list[Print]]:
        """Forget a trade: the one that had set the last price, and those that were meant."""
        prints = self._prints.get(symbol)
        if not prints:
            return None, []
        newest = _newest(prints)
        taken = [one for one in prints if one.trade_id == trade_id and one.exchange == exchange]
        kept = [one for one in prints if one not in taken]
        prints.clear()
        prints.extend(kept)
        return newest, taken


def _newest(prints: deque[Print]) -> Print:
    """The one with the latest time; of several the one that came last."""
    return max(reversed(prints), key=lambda one: one.ts)
