"""TickGate: which of a vendor's prices may be believed.

Every feed has one gate, which it asks about every price, with the source's time as an argument. A
refused price is counted by its reason and changes nothing else.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from sessions import ALWAYS, Session
from ticks import Asset
from vendors.wire import RawTick

__all__ = ["FAR_OFF", "MAX_AGE_SEC", "MAX_LEAD_SEC", "Reason", "TickGate", "Verdict"]

Reason = Literal[
    "shape",
    "price",
    "time",
    "future",
    "crossed",
    "condition",
    "unsubscribed",
    "old",
    "snapshot",
    "closed market",
    "far off",
]
"""Why a price is refused, in the order in which it is judged."""

MAX_LEAD_SEC: Final = 2.0
"""A tick stamped further ahead of the clock than this is refused."""

MAX_AGE_SEC: Final = 60.0
"""An older tick may only set a missing last price; it enters no window."""

FAR_OFF: Final[Mapping[Asset, float]] = MappingProxyType(
    {"stocks": 0.03, "forex": 0.005, "crypto": 0.03}
)
"""How far from the recent median a price is that needs confirmation, as a fraction."""

# Reasons that leave a price good enough for a last one.
_LAST_ONLY: Final[frozenset[Reason]] = frozenset({"old", "snapshot", "closed market"})

RECENT: Final = 25
AGREEING: Final = 3
# How many standard deviations of the symbol's own tick-to-tick returns are still believed.
_DEVIATIONS = 10.0
# The median moves little with one tick: it is computed for every eighth, and before any refusal.
_REVIEW_EVERY = 8


class Verdict(Enum):
    """What to do with a price."""

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
    """Time and price of the quarantined ticks since the last accepted one."""


class TickGate:
    """Judges the prices of one asset class for the ``symbols`` subscribed to.

    In the order of ``Reason``. A price far from the recent median is quarantined until three
    different ones agree, so that a real jump passes with its third tick and a bad print never does.
    ``far_off`` is how far that is; None: as ``FAR_OFF`` says.

    A market is closed if the vendor says so of that very price; if it says nothing, when
    ``session`` is closed at the price's own time. Such a price, like an old one or a snapshot, may
    be a last price and enters no window: quotes at a weekend belong to no market.
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
        self.refused: Counter[Reason] = Counter()
        """Number of refused prices by reason."""

    def refuse_shape(self) -> None:
        """Count a frame that could not be read."""
        self.refused["shape"] += 1

    def admit(self, raw: RawTick, now: float) -> Verdict:
        """Judge one price at the instant ``now``."""
        symbol, ts, price, flaw, market, is_snapshot = raw
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
        reason = self._objection(raw, level, now)
        if reason is None:
            return Verdict.ENTERS
        self.refused[reason] += 1
        return Verdict.LAST_ONLY if reason in _LAST_ONLY else Verdict.REFUSED

    def _objection(self, raw: RawTick, level: _Level | None, now: float) -> Reason | None:
        """The first reason against the price."""
        if not 0.0 < raw.price < math.inf:
            return "price"
        if not 0.0 <= raw.ts < math.inf:
            return "time"
        if raw.ts > now + MAX_LEAD_SEC:
            return "future"
        if raw.flaw:
            return raw.flaw
        if level is None:
            return "unsubscribed"
        if now - raw.ts > MAX_AGE_SEC:
            return "old"
        if raw.is_snapshot:
            return "snapshot"
        if self._is_closed(raw):
            return "closed market"
        return None if self._is_credible(raw, level) else "far off"

    def _is_closed(self, raw: RawTick) -> bool:
        """Whether the market was closed, as the vendor says of the price or else by its session."""
        if raw.market:
            return raw.market == "closed"
        if self._since <= raw.ts < self._until:
            return False
        found = self._session(raw.ts)
        if found.phase == "closed":
            return True
        self._since, self._until = found.since, found.until
        return False

    def _is_credible(self, raw: RawTick, level: _Level) -> bool:
        self._review(level)
        if level.recent and not self._is_near(raw.price, level):
            if not self._is_confirmed(raw, level):
                return False
            level.recent.clear()  # the old level says nothing about the new one
        level.suspects.clear()
        level.recent.append(raw.price)
        if len(level.recent) == 1:
            self._review(level)
        return True

    def _is_near(self, price: float, level: _Level) -> bool:
        if level.low < price < level.high:
            return True
        # In logs, because the product or quotient of extreme prices may overflow.
        middle = (math.log(level.low) + math.log(level.high)) / 2
        return abs(math.log(price) - middle) < _DEVIATIONS * _tick_deviation(level.recent)

    def _is_confirmed(self, raw: RawTick, level: _Level) -> bool:
        """Quarantine the price; returns whether the last three in quarantine agree."""
        if all(ts != raw.ts for ts, _ in level.suspects):  # a repeat confirms nothing
            level.suspects.append((raw.ts, raw.price))
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
