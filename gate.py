"""TickGate: which of a feed's offered prices may be believed.

One gate per feed, called by it for every offer, with the worker's clock as an argument. A refused
offer is counted by its reason and changes nothing else.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from sessions import ALWAYS, Session
from ticks import Asset
from vendors.wire import RawTick

__all__ = ["FAR_OFF", "MAX_AGE_SEC", "MAX_LEAD_SEC", "TickGate", "Verdict"]

MAX_LEAD_SEC: Final = 2.0
"""A tick stamped further ahead of the clock than this is refused."""

MAX_AGE_SEC: Final = 60.0
"""An older tick is a snapshot: the last price where there is none, and in no window."""

FAR_OFF: Final[Mapping[Asset, float]] = MappingProxyType(
    {"stocks": 0.03, "forex": 0.005, "crypto": 0.03}
)
"""Distance from the recent median, as a fraction, that no price may have unconfirmed."""

# Reasons that leave a price good enough for a last one.
_LAST_ONLY: Final = frozenset({"old", "snapshot", "closed market"})

RECENT: Final = 25
AGREEING: Final = 3
# Deviations of the symbol's own tick-to-tick returns that are still no surprise.
_DEVIATIONS = 10.0
# The median moves little with one tick: it is taken anew for every eighth, and before any refusal.
_REVIEW_EVERY = 8


class Verdict(Enum):
    """What to do with an offer."""

    REFUSED = 0
    ENTERS = 1
    LAST_ONLY = 2


@dataclass(slots=True)
class _Level:
    """Where one symbol has been trading."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    low: float = 0.0
    high: float = 0.0
    unreviewed: int = 0
    suspects: list[tuple[float, float]] = field(default_factory=list)
    """Time and price of the quarantined offers since the last accepted one."""


class TickGate:
    """Judges the offers of one asset class for the ``symbols`` subscribed to.

    In this order: shape, finite and positive, time, crossed quote, trade condition, subscribed,
    old, closed market, far off. A price far from the recent median is quarantined until three
    different ones agree, so that a real jump passes with its third tick and a bad print never does.
    How far that is, ``far_off`` says where ``FAR_OFF`` is not meant.

    A market is closed where the vendor says so of that very offer; where it says nothing, when
    ``session`` is closed at the offer's own time. What was offered then, as what is old, may be a
    last price and enters no window: quotes at a weekend are no market's.
    """

    def __init__(
        self,
        asset: Asset,
        symbols: Iterable[str],
        session: Callable[[float], Session] = lambda now: ALWAYS,
        far_off: float | None = None,
    ) -> None:
        self._far_off = FAR_OFF[asset] if far_off is None else far_off
        self._session = session
        # Of the open session that was asked for last.
        self._since = self._until = math.inf
        self._levels = {symbol: _Level() for symbol in symbols}
        self.refused: Counter[str] = Counter()
        """Number of refused offers by reason."""

    def refuse_shape(self) -> None:
        """Count a frame that was no offer at all."""
        self.refused["shape"] += 1

    def admit(self, offer: RawTick, now: float) -> Verdict:
        """Judge one offer at the instant ``now``."""
        symbol, ts, price, flaw, market, is_snapshot = offer
        level = self._levels.get(symbol)
        if (
            level is not None
            and level.low < price < level.high
            and -MAX_LEAD_SEC <= now - ts <= MAX_AGE_SEC
            and not flaw
            and not is_snapshot
            and (market != "closed" if market else self._since <= ts < self._until)
            and level.unreviewed < _REVIEW_EVERY
            and not level.suspects
        ):
            level.recent.append(price)
            level.unreviewed += 1
            return Verdict.ENTERS
        reason = self._objection(offer, level, now)
        if reason:
            self.refused[reason] += 1
            return Verdict.LAST_ONLY if reason in _LAST_ONLY else Verdict.REFUSED
        return Verdict.ENTERS

    def _objection(self, offer: RawTick, level: _Level | None, now: float) -> str:
        """The first reason against ``offer``, or nothing."""
        if not 0.0 < offer.price < math.inf:
            return "price"
        if not 0.0 <= offer.ts < math.inf:
            return "time"
        if offer.ts > now + MAX_LEAD_SEC:
            return "future"
        if offer.flaw:
            return offer.flaw
        if level is None:
            return "unsubscribed"
        if now - offer.ts > MAX_AGE_SEC:
            return "old"
        if offer.is_snapshot:
            return "snapshot"
        if self._is_closed(offer):
            return "closed market"
        return "" if self._is_credible(offer, level) else "far off"

    def _is_closed(self, offer: RawTick) -> bool:
        """Whether the market was, by the vendor's word on it or else by its session."""
        if offer.market:
            return offer.market == "closed"
        if self._since <= offer.ts < self._until:
            return False
        found = self._session(offer.ts)
        if found.phase == "closed":
            return True
        self._since, self._until = found.since, found.until
        return False

    def _is_credible(self, offer: RawTick, level: _Level) -> bool:
        self._review(level)
        if level.recent and not self._is_near(offer.price, level):
            if not self._is_confirmed(offer, level):
                return False
            level.recent.clear()  # the old level says nothing about the new one
        level.suspects.clear()
        level.recent.append(offer.price)
        if len(level.recent) == 1:
            self._review(level)
        return True

    def _is_near(self, price: float, level: _Level) -> bool:
        if level.low < price < level.high:
            return True
        # In logs, where neither product nor quotient of extreme prices leaves the floats.
        middle = (math.log(level.low) + math.log(level.high)) / 2
        return abs(math.log(price) - middle) < _DEVIATIONS * _tick_deviation(level.recent)

    def _is_confirmed(self, offer: RawTick, level: _Level) -> bool:
        """Quarantine ``offer``; true when the last three in quarantine agree."""
        if all(ts != offer.ts for ts, _ in level.suspects):  # a repeat confirms nothing
            level.suspects.append((offer.ts, offer.price))
        del level.suspects[:-AGREEING]
        prices = [price for _, price in level.suspects]
        return len(prices) == AGREEING and math.log(max(prices) / min(prices)) <= self._far_off / 4

    def _review(self, level: _Level) -> None:
        level.unreviewed = 0
        if level.recent:
            median = sorted(level.recent)[len(level.recent) // 2]
            level.low = median * math.exp(-self._far_off)
            level.high = median * math.exp(self._far_off)


def _tick_deviation(prices: Iterable[float]) -> float:
    """Standard deviation of the tick-to-tick log returns around 0."""
    logs = [math.log(price) for price in prices]
    squares = [(after - before) ** 2 for before, after in pairwise(logs)]
    return math.sqrt(sum(squares) / len(squares)) if squares else 0.0
