"""Prints: the newest trades of a symbol, some of which a vendor may yet cancel or correct."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
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
    """The newest trades of a symbol, of which a few are remembered."""

    def __init__(self) -> None:
        self._newest: deque[Print] = deque(maxlen=_REMEMBERED)
        self.add = self._newest.append
        """Note that a trade came."""

    def cancel(self, trade_id: object, exchange: object) -> Print | None:
        """Take a trade back: the one before it, if it had set the last price and one is known.

        That one then has the time of the one that is taken back: it is the price since then.
        """
        newest, taken = self._take(trade_id, exchange)
        if newest is None or newest not in taken or not self._newest:
            return None
        before = _last(self._newest)._replace(ts=newest.ts)
        self.add(before)
        return before

    def correct(self, trade_id: object, corrected: Print) -> Print | None:
        """Put a trade in the place of another one: itself, if that had set the last price.

        It has that one's time, whatever its own.
        """
        newest, taken = self._take(trade_id, corrected.exchange)
        if not taken:
            return None
        corrected = corrected._replace(ts=taken[-1].ts)
        self.add(corrected)
        return corrected if newest in taken else None

    def _take(self, trade_id: object, exchange: object) -> tuple[Print | None, list[Print]]:
        """Forget a trade: the one that had set the last price, and those that were meant."""
        if not self._newest:
            return None, []
        newest = _last(self._newest)
        is_meant = [one.trade_id == trade_id and one.exchange == exchange for one in self._newest]
        taken = [one for one, goes in zip(self._newest, is_meant, strict=True) if goes]
        kept = [one for one, goes in zip(self._newest, is_meant, strict=True) if not goes]
        self._newest.clear()
        self._newest.extend(kept)
        return newest, taken


def _last(prints: Iterable[Print]) -> Print:
    """The one with the latest time; of several the one that came last."""
    return max(reversed([*prints]), key=lambda one: one.ts)
