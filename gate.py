"""TickGate: which of a vendor's prices may be believed.

Every feed has one gate, which it asks about every price, with the source's time as an argument. A
refused price is counted by its reason and changes nothing else, but one that is far off is held
back: it is remembered, and those that follow may confirm it.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice, pairwise
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from sessions import ALWAYS, Session
from ticks import LEAST_PRICE, MOST_PRICE, Asset, Tick
from trade_ids import Counted, Unlike
from vendors.wire import RawTick

__all__ = [
    "FAR_OFF",
    "HELD_SEC",
    "MAX_AGE_SEC",
    "MAX_LEAD_SEC",
    "HeldBack",
    "Reason",
    "TickGate",
    "Verdict",
]

Reason = Literal[
    "shape",
    "price",
    "time",
    "future",
    "duplicate",
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
"""The band: how far from the last believed prices a price is that needs confirmation, in logs."""

HELD_SEC: Final = 10.0
"""For this long a price is said to be held back, even if better ones came since."""

# Reasons that leave a price good enough for a last one.
_LAST_ONLY: Final[frozenset[Reason]] = frozenset({"old", "snapshot", "closed market"})

_NEWEST: Final = 5
"""The band lies around this many of the prices believed last, ..."""

_OWN_STEPS: Final = 10.0
"""... or this many of the symbol's own steps wide, if that is more: ..."""

_RECENT: Final = 25
"""... the mean step between this many prices, ..."""

_MIN_STEPS: Final = 3
"""... of which there must be this many: one step is no measure."""

_A_DAY_MORE: Final = 3.0
"""A day after the last believed price the band is wider by this many, and in between by the square
root of time: as far as some three daily standard deviations. ..."""

_DAY_SEC: Final = 86400.0

_WIDEST_SEC: Final = 4 * _DAY_SEC
"""... From then on it stays as wide."""

_CONFIRMING: Final = 3
"""How many prices confirm one another."""

_AGREE: Final = 0.25
"""Prices agree within this many bands."""

_FOLLOW: Final = 0.5
"""Of a row of three, each follows the one before within this many bands; of a longer row within
this many more for each further price: the longer none is like the old ones, the less they say."""

_STEADY: Final = 2.0
"""Steps in one direction are steady if none is more than this many times as long as another, ..."""

_STEADIEST: Final = 4.0
"""... nor longer than this many bands."""

_LONGEST_ROW: Final = 50

_AGREEING_AMONG: Final = 5
"""Those that agree are looked for among this many of the prices held back last."""

_TWO_SIDED: Final = 8.0
"""After a jump or a pause the market may have two sides that are this many bands apart."""

_PAUSE_SEC: Final = 60.0
"""A symbol without a price for this long may come back with another one, as after a halt."""


class Verdict(Enum):
    """What to do with a price."""

    REFUSED = 0
    ENTERS = 1
    LAST_ONLY = 2


class HeldBack(NamedTuple):
    """The far-off prices of one symbol that are held back."""

    symbol: str
    price: float
    """The newest of them."""
    believed: float
    """The price believed last, from which they are far off."""
    since: float
    """When the first of them came, ..."""
    newest_at: float
    """... and the newest, by the source's clock."""
    number: int
    """How many of them came in a row, good ones within ten seconds between them or not."""


class _Held(NamedTuple):
    ts: float
    price: float
    frame: int
    """The frame it came in, together with others; 0: it came alone."""


@dataclass(slots=True)
class _Level:
    """Where one symbol has been trading."""

    ids: Counted | Unlike
    """Those of its trades."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    """The prices believed last."""
    ts: float = 0.0
    """The time of the newest of them."""
    low: float = 0.0
    high: float = 0.0
    """A price between these is certainly near: half a band around a price believed lately."""
    held: deque[_Held] = field(default_factory=lambda: deque(maxlen=_LONGEST_ROW))
    """The prices held back that may yet be confirmed, each with a time of its own."""
    row: int = 0
    """How many of the newest of these came on one side of the level, with no good one between."""
    is_above: bool = False
    """Which side that is."""
    is_new: bool = False
    """Whether it began anew, after a jump or a pause."""

    @property
    def is_settled(self) -> bool:
        """Whether the market has one price, as far as can be known."""
        return not self.is_new or len(self.recent) == _RECENT

    def resume(self) -> None:
        """Begin anew after a pause, from where it was."""
        newest = list(self.recent)[-_NEWEST:]
        self.recent.clear()
        self.recent.extend(newest)
        self.is_new = True


class TickGate:
    """Judges the prices of one asset class for the ``symbols`` subscribed to.

    In the order of ``Reason``. A market is closed if the vendor says so of that very price; if it
    says nothing, when ``session`` is closed at the price's own time. Such a price, like an old one
    or a snapshot, may be a last price and enters no window: quotes at a weekend belong to no
    market.

    A price is far off if it lies beyond the band around the five prices believed last: ``far_off``,
    by default as ``FAR_OFF`` says, or ten of the symbol's own recent steps if that is more, and
    wider the longer there was no price. It is held back until the market confirms it:

    - by three that agree within a quarter of the band;
    - or by three in a row, all on one side, of which each lies within half the band of the one
      before. A longer row may have longer steps, so that no market is refused for ever;
    - or by three that go on steadily from the last believed one: as far with every step, or half as
      far at least, and by four bands at most.

    So a bad print never enters, and a jump or a market that keeps moving is followed from its third
    price on. A price with the same time as another confirms nothing, nor does one of the same
    frame. Once a good price comes, those held back are forgotten, unless the market has just jumped
    or paused: then it may have two sides, and each is confirmed by its own three.

    A trade that came before, perhaps through another connection, is a duplicate, as its id tells.
    With ``counts_trades`` the ids of a symbol count its trades, and the missed ones are counted.
    """

    def __init__(
        self,
        asset: Asset,
        symbols: Iterable[str],
        session: Callable[[float], Session] = lambda now: ALWAYS,
        far_off: float | None = None,
        *,
        counts_trades: bool = False,
    ) -> None:
        self._far_off = FAR_OFF[asset] if far_off is None else far_off
        self._session = session
        # Of the open session that was asked for last.
        self._since = self._until = math.inf
        ids = Counted if counts_trades else Unlike
        self._levels = {symbol: _Level(ids()) for symbol in symbols}
        self._held: dict[str, HeldBack] = {}
        self.refused: Counter[Reason] = Counter()
        """Number of refused prices by reason."""

    @property
    def missed(self) -> int:
        """Trades that happened and never came, between the oldest and the newest that did."""
        return sum(level.ids.missed for level in self._levels.values())

    def refuse_shape(self) -> None:
        """Count a frame that could not be read."""
        self.refused["shape"] += 1

    def restore(self, ticks: Iterable[Tick]) -> None:
        """Let the last price of a time before be the level of a symbol that has none yet."""
        for tick in ticks:
            level = self._levels.get(tick.symbol)
            if level is not None and not level.recent and LEAST_PRICE <= tick.price <= MOST_PRICE:
                level.recent.append(tick.price)
                _settle(level, tick.ts, self._far_off)

    def go_on(self, before: TickGate) -> None:
        """Judge the symbols that another gate judged as that one would go on to."""
        self._levels |= {s: one for s, one in before._levels.items() if s in self._levels}

    def held_back(self, now: float) -> tuple[HeldBack, ...]:
        """What is held back: what waits for confirmation, and what came lately."""
        return tuple(
            held
            for held in tuple(self._held.values())
            if self._levels[held.symbol].held or 0 <= now - held.newest_at < HELD_SEC
        )

    def admit(self, raw: RawTick, now: float, frame: int = 0) -> Verdict:
        """Judge one price at the instant ``now``.

        ``frame``: the number of the frame in which it came together with others; 0: it came alone.
        """
        symbol, ts, price, flaw, market, is_snapshot, trade_id = raw
        level = self._levels.get(symbol)
        if (
            level is not None
            and level.low < price < level.high
            and -MAX_LEAD_SEC <= now - ts <= MAX_AGE_SEC
            and not flaw
            and not is_snapshot
            and (market != "closed" if market else self._since <= ts < self._until)
            and not level.held
            and ts - level.ts < _PAUSE_SEC
            # At last, as it notes the trade.
            and (trade_id is None or level.ids.add(trade_id, ts))
        ):
            level.recent.append(price)
            level.ts = ts
            return Verdict.ENTERS
        reason = self._objection(raw, level, now, frame)
        if reason is None:
            return Verdict.ENTERS
        self.refused[reason] += 1
        return Verdict.LAST_ONLY if reason in _LAST_ONLY else Verdict.REFUSED

    def _objection(
        self, raw: RawTick, level: _Level | None, now: float, frame: int
    ) -> Reason | None:
        """The first reason against the price."""
        if not LEAST_PRICE <= raw.price <= MOST_PRICE:
            return "price"
        if not 0.0 <= raw.ts < math.inf:
            return "time"
        if raw.ts > now + MAX_LEAD_SEC:
            return "future"
        if level is not None and raw.trade_id is not None:
            is_new = level.ids.add(raw.trade_id, raw.ts)
            if not is_new:
                return "duplicate"
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
        if self._is_credible(raw, level, frame):
            return None
        self._hold(raw, level, now)
        return "far off"

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

    def _is_credible(self, raw: RawTick, level: _Level, frame: int) -> bool:
        """Whether the price is near, or far off and confirmed; it then belongs to the level."""
        if level.recent and raw.ts - level.ts >= _PAUSE_SEC:
            level.resume()
        if not level.recent or self._is_near(raw, level):
            level.row = 0
            if level.held:
                self._weigh_held(raw.price, level)
            level.recent.append(raw.price)
            _settle(level, raw.ts, self._far_off)
            return True
        confirmed = self._confirmed(raw, level, frame)
        if not confirmed:
            return False
        if level.is_settled or level.row >= _CONFIRMING:
            level.recent.clear()  # the old level says nothing about the new one
            level.is_new = True
        level.recent.extend(confirmed)
        level.row = 0
        others = [held for held in level.held if held.price not in confirmed]
        level.held.clear()
        level.held.extend(others)
        self._weigh_held(raw.price, level)
        _settle(level, raw.ts, self._far_off)
        self._held.pop(raw.symbol, None)
        return True

    def _is_near(self, raw: RawTick, level: _Level) -> bool:
        recent, log = level.recent, math.log(raw.price)
        newest = [math.log(price) for price in islice(reversed(recent), _NEWEST)]
        low, high = min(newest), max(newest)
        passed_sec = min(max(0.0, raw.ts - level.ts), _WIDEST_SEC)
        band = self._far_off * (1.0 + _A_DAY_MORE * math.sqrt(passed_sec / _DAY_SEC))
        if low - band < log < high + band:
            return True
        band = _OWN_STEPS * _mean_step(recent)
        return low - band < log < high + band

    def _confirmed(self, raw: RawTick, level: _Level, frame: int) -> list[float]:
        """Hold the price back; returns those that confirm one another, itself last, if any do."""
        held = level.held
        # A repeat confirms nothing, nor do the many fills of one order.
        if any(one.ts == raw.ts or 0 < one.frame == frame for one in held):
            return []
        is_above = raw.price > level.recent[-1]
        level.row = level.row + 1 if is_above == level.is_above else 1
        level.row = min(level.row, _LONGEST_ROW)
        level.is_above = is_above
        held.append(_Held(raw.ts, raw.price, frame))
        prices = [one.price for one in held]
        length = self._row_that_moves(prices[-level.row :])
        if length:
            return prices[-length:]
        if level.row == _CONFIRMING and self._is_steady([level.recent[-1], *prices[-level.row :]]):
            return [level.recent[-1], *prices[-level.row :]]
        log, most = math.log(raw.price), self._far_off * _AGREE
        like = [p for p in prices[-_AGREEING_AMONG:] if abs(math.log(p) - log) <= most]
        logs = sorted(map(math.log, like))
        spreads = (logs[at + 2] - logs[at] for at in range(len(logs) - 2))
        return like if any(spread <= most for spread in spreads) else []

    def _row_that_moves(self, row: Sequence[float]) -> int:
        """How many prices at the end of a row follow one another; 0 if too few do."""
        longest = 0.0
        steps = [abs(math.log(b) - math.log(a)) for a, b in pairwise(row)]
        for length, step in enumerate(reversed(steps), 2):
            longest = max(longest, step)
            further = length - _CONFIRMING
            if further >= 0 and longest <= self._far_off * _FOLLOW * (1 + further):
                return length
        return 0

    def _is_steady(self, prices: Sequence[float]) -> bool:
        """Whether prices go one way by steps of much the same length."""
        steps = [math.log(b) - math.log(a) for a, b in pairwise(prices)]
        least, most = min(steps), max(steps)
        if most < 0:
            least, most = -most, -least
        return 0 < most <= min(_STEADY * least, _STEADIEST * self._far_off)

    def _weigh_held(self, good: float, level: _Level) -> None:
        """Forget what was held back when a good price came, but for another side of the market."""
        kept = (
            []
            if level.is_settled
            else [
                held
                for held in level.held
                if abs(math.log(held.price) - math.log(good)) <= _TWO_SIDED * self._far_off
            ]
        )
        level.held.clear()
        level.held.extend(kept)

    def _hold(self, raw: RawTick, level: _Level, now: float) -> None:
        """Note that a price is held back, for whoever asks."""
        before = self._held.get(raw.symbol)
        is_new = before is None or (
            len(level.held) <= 1 and not 0 <= now - before.newest_at < HELD_SEC
        )
        since, number = (now, 0) if before is None or is_new else (before.since, before.number)
        self._held[raw.symbol] = HeldBack(
            raw.symbol, raw.price, level.recent[-1], since, now, number + 1
        )


def _settle(level: _Level, ts: float, far_off: float) -> None:
    """Let the level be where the newest of its prices are, the last of which is of ``ts``."""
    level.ts = ts
    newest = sorted(islice(reversed(level.recent), _NEWEST))
    median = newest[len(newest) // 2]
    # Half a band: whatever else is found in there meanwhile, one band holds both.
    level.low = median * math.exp(-far_off / 2)
    level.high = median * math.exp(far_off / 2)


def _mean_step(prices: Iterable[float]) -> float:
    """The mean size of the steps from price to price, in logs; 0 if there are too few to tell."""
    logs = [math.log(price) for price in prices]
    steps = [abs(after - before) for before, after in pairwise(logs)]
    return sum(steps) / len(steps) if len(steps) >= _MIN_STEPS else 0.0
