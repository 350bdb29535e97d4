"""What can be known of the time before the stream: a vendor's requests, and what it answers.

Nothing here does I/O. An address or a header may hold the key: never log a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from ticks import Asset
from vendors.wire import NoticeKind, RawTick

__all__ = ["Candle", "Past", "PastError", "Quote", "Reference", "Request", "Rest", "Want"]


class Candle(NamedTuple):
    """The prices of one minute of a symbol."""

    symbol: str
    """In our spelling."""
    minute: int
    """When it began, in seconds since the epoch, a multiple of 60."""
    open: float
    high: float
    low: float
    close: float


class Quote(NamedTuple):
    """A symbol's last price and its session's, as of a market that may be closed."""

    symbol: str
    last: float
    ts: float
    """The time of ``last``, in seconds since the epoch."""
    previous_close: float | None = None
    high: float | None = None
    low: float | None = None
    """Of the session of ``last``."""


class Reference(NamedTuple):
    """A price that a day's change is measured against."""

    symbol: str
    price: float
    ts: float
    """When it was the price, in seconds since the epoch."""


class Past(NamedTuple):
    """What one answer tells; any part may be empty."""

    candles: Sequence[Candle] = ()
    """Oldest first; only of minutes that are over, and of those that had a trade."""
    trades: Sequence[RawTick] = ()
    """Oldest first."""
    quotes: Sequence[Quote] = ()
    references: Sequence[Reference] = ()
    """Oldest first, any number for a symbol. Of a crypto's one of every five minutes of the day, if
    that is one call: what its change is measured against goes on with the time.
    """


class Want(StrEnum):
    """What a request is for."""

    LAST_HOUR = "last hour"
    """Candles of the minutes of the last hour, and newest trades if that is one call."""
    DAY = "day"
    """What a day's change is measured against, and the last session of a closed market."""


@dataclass(frozen=True, slots=True)
class Request:
    """One GET request."""

    want: Want
    symbols: tuple[str, ...]
    """Of which it asks, in our spelling."""
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class PastError(Exception):
    """An answer that tells nothing of the past, without any text of it.

    ``kind``: ``UNREADABLE`` if it is not what the vendor is known to say; of an error that comes
    with a status of success ``SYMBOL_UNKNOWN``, ``THROTTLED`` or ``SERVER_ERROR``.
    """

    def __init__(self, kind: NoticeKind = NoticeKind.UNREADABLE) -> None:
        super().__init__(kind)
        self.kind = kind


class Rest(Protocol):
    """A vendor's requests for the time before its stream."""

    @property
    def spacing_sec(self) -> float:
        """The least time between two requests, so that the vendor's limit is not reached."""

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        """What to ask for, the most useful first; a symbol that the vendor has not is left out.

        ``now`` and ``day_at`` are in seconds since the epoch; the change of the day is measured
        against the price at ``day_at``, which is that of ``sessions.day_at``.
        """

    def read(self, request: Request, body: bytes, now: float) -> Past:
        """What an answer with a status of success tells.

        Raises:
            PastError: if it cannot be read, or is an error in spite of its status.
        """
