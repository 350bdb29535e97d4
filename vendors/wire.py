"""What every wire format is translated into: offers of a price, and words from the vendor.

One module per vendor beside this one; each is pure: addresses, messages to send, and a ``parse`` of
one received frame.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

__all__ = ["Flaw", "MarketState", "Notice", "NoticeKind", "RawTick"]

Flaw = Literal["", "crossed", "condition"]
MarketState = Literal["", "open", "extended", "closed"]


class RawTick(NamedTuple):
    """A price as the vendor sent it, not yet trusted."""

    symbol: str
    ts: float
    """Event time in seconds since the epoch."""
    price: float
    """A trade's price or a quote's mid; NaN where the vendor's number was none or not positive."""
    flaw: Flaw
    """What the vendor's own fields say against it."""
    market: MarketState = ""
    """What the vendor says of the market at that time; empty where it says nothing."""


class NoticeKind(StrEnum):
    """What a vendor's control message means for the connection."""

    AUTHORIZED = "authorized"
    KEY_REFUSED = "key refused"
    SYMBOL_LIMIT = "symbol limit"
    SYMBOLS_REFUSED = "symbols refused"
    BAD_REQUEST = "bad request"
    THROTTLED = "throttled"
    SERVER_ERROR = "server error"


class Notice(NamedTuple):
    """A control message."""

    word: NoticeKind
    code: int
    message: str
