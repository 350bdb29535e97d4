"""The rules of stress: what a rule is, and what a snapshot is held against, as ``Part``.

A move is held against what is usual for the symbol itself, as far as its last day is known; what
was chosen in the settings beats that. Pure functions of one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from ticks import COOLDOWN_SEC, HORIZONS_SEC, Asset, EventKind, Severity

__all__ = [
    "BUILT_IN_WHENS",
    "HORIZON_SEC",
    "REARM_RATIO",
    "THRESHOLDS",
    "Part",
    "Rule",
    "Thresholds",
    "When",
    "leading_part",
    "ratio_of",
    "readings",
    "severity_of",
]

THRESHOLDS: Final[Mapping[str, Mapping[EventKind, float]]] = MappingProxyType(
    {
        "stocks": MappingProxyType({"move_1m": 0.0012, "move_5m": 0.0040, "vol_spike": 0.0030}),
        "forex": MappingProxyType({"move_1m": 0.0006, "move_5m": 0.0018, "vol_spike": 0.0008}),
        "crypto": MappingProxyType({"move_1m": 0.0025, "move_5m": 0.0080, "vol_spike": 0.0060}),
    }
)
"""Per asset class and kind, as fractions; moves count in either direction."""

HORIZON_SEC: Final[Mapping[EventKind, int]] = MappingProxyType(
    {
        "move_1m": HORIZONS_SEC["1m"],
        "move_5m": HORIZONS_SEC["5m"],
        "vol_spike": HORIZONS_SEC["15m"],
    }
)
"""How far back each kind looks, in seconds."""

LEAST_STEPS: Final = 3.0
"""A move of fewer price steps than this is none, however rarely the price steps."""

LEAST_SHARE: Final = 1.0 / 3.0
"""A symbol's own threshold is at least this share of its class's."""

VOL_SPIKE_RATIO: Final = 1.8
"""A volatility spike is also this many times the symbol's own hourly median."""

REARM_RATIO: Final = 0.8
"""A part of an event is over when its value has fallen below this share of the threshold."""

WARM_UP_SEC: Final = 600.0
"""A move of unknown surprise counts only if ticks reach this far back: then the symbol is a sparse
one, and has not just begun, or begun again after a long gap."""

ALERT_RATIO: Final = 2.0
EXTREME_RATIO: Final = 4.0


class When(StrEnum):
    """What a rule watches; the words of the settings."""

    MOVE = "move"
    """The furthest move within some seconds, in either direction."""
    ABOVE = "above"
    BELOW = "below"
    CROSSES = "crosses"
    VOLATILITY = "volatility"
    SURPRISE = "surprise"
    DAY = "day"
    """The change of the day."""
    CORRELATION = "correlation"
    """The correlation of a pair leaves a band."""
    SILENT = "silent"
    """A feed of an open market brings nothing."""
    UNHEARD = "unheard"
    """A symbol is not heard while its market is open."""
    MOVE_1M = "move_1m"
    MOVE_5M = "move_5m"
    VOL_SPIKE = "vol_spike"
    """The built-in kinds: such a rule is their threshold for the symbols it names."""


BUILT_IN_WHENS: Final = frozenset({When.MOVE_1M, When.MOVE_5M, When.VOL_SPIKE})
"""Those of which a rule only sets the threshold."""

_LEVELS: Final = frozenset({When.ABOVE, When.BELOW, When.CROSSES, When.CORRELATION})
_MOVING: Final = frozenset({When.MOVE, When.SURPRISE, When.DAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When something counts as an event, of which symbols, and how severe it is then.

    Only the limits that its ``when`` needs are given. Moves, changes and volatilities are
    fractions (0.01 is 1 %), times are seconds.
    """

    name: str
    when: When
    symbols: tuple[str, ...] = ()
    """Empty: all of ``assets``; of a correlation the two of its pair."""
    assets: tuple[Asset, ...] = ()
    """Empty: all."""
    by: float | None = None
    """How far: a fraction, or standard deviations of a surprise."""
    price: float | None = None
    """The level of ``above``, ``below`` and ``crosses``."""
    low: float | None = None
    high: float | None = None
    """The band of a correlation."""
    within_sec: int | None = None
    """How far back a move looks, or how long nothing may come."""
    severity: Severity | None = None
    """None: by how many times the threshold the value is."""
    cooldown_sec: float = COOLDOWN_SEC
    until: float | None = None
    """From this instant on it no longer fires."""

    def covers(self, symbol: str, asset: str) -> bool:
        """Whether it is of a symbol, which is of that class."""
        return (
            (symbol in self.symbols) if self.symbols else (not self.assets or asset in self.assets)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One value of a symbol beside the threshold it was held against, at one instant.

    Moves and volatilities are fractions (0.01 is 1 %), times are seconds since the epoch.
    """

    kind: EventKind
    horizon_sec: int
    """How far back the value looks; 0: it is of one moment."""
    value: float
    """The move, signed, or the volatility without the ten seconds that add most to it; of a user's
    rule what it watches: a move, a price, a volatility, a surprise, a correlation, or seconds."""
    threshold: float
    """What ``abs(value)`` had to reach, after every rule that applied; of a user's rule also a
    level of the price, or the bound of a correlation."""
    surprise: float | None
    """The move in equivalent standard deviations of the symbol's own last day, signed."""
    times_usual: float | None
    """The size of the move beside the one expected over its horizon; of a volatility, beside its
    own hourly median."""
    from_price: float | None
    from_ts: float | None
    """What the move is measured from, and when that was; None for a volatility."""
    to_price: float | None
    to_ts: float | None
    """What the move leads to, or the price at that moment, and when that was; None if the value is
    of no price."""
    when: When | None = None
    """What a user's rule watches; None: a built-in rule's part."""

    @property
    def ratio(self) -> float:
        """How many times its threshold the value is; 1 if that is a level, which has no size."""
        return 1.0 if self.when in _LEVELS else abs(self.value) / self.threshold

    @property
    def rises(self) -> bool | None:
        """Whether the move is upward; None for what has no direction, such as a volatility."""
        if self.when is When.CROSSES:
            return self.value > self.threshold
        is_move = self.kind != "vol_spike" if self.when is None else self.when in _MOVING
        return self.value > 0 if is_move else None


def readings(
    snapshot: Mapping[str, Any], chosen: Mapping[EventKind, float]
) -> dict[EventKind, Part | None]:
    """What each kind of stress amounts to in a row of ``PulseStore.snapshots``.

    None if it is below ``REARM_RATIO`` of its threshold; a kind is missing if its value is not
    known, or not known well enough. ``chosen`` are the thresholds that beat all others.
    """
    found: dict[EventKind, Part | None] = {}
    for kind, horizon in _MOVES.items():
        value = snapshot[kind]
        sigma = snapshot[f"sigma_{horizon}"]
        if value is None or (sigma is None and (snapshot["watched_sec"] or 0.0) < WARM_UP_SEC):
            continue
        threshold = chosen.get(kind) or _own_threshold(kind, horizon, snapshot)
        found[kind] = None
        if abs(value) >= REARM_RATIO * threshold:
            found[kind] = Part(
                kind=kind,
                horizon_sec=HORIZON_SEC[kind],
                value=value,
                threshold=threshold,
                surprise=snapshot[f"{kind}_surprise"],
                times_usual=abs(value) / sigma if sigma else None,
                from_price=snapshot[f"move_from_{horizon}"],
                from_ts=snapshot[f"move_from_{horizon}_ts"],
                to_price=snapshot["move_to"],
                to_ts=snapshot["move_to_ts"],
            )
    vol, median = snapshot["vol_15m"], snapshot["vol_median"]
    if vol is not None and median is not None:
        floor = chosen.get("vol_spike") or THRESHOLDS[snapshot["asset"]]["vol_spike"]
        threshold = max(floor, VOL_SPIKE_RATIO * median)
        rest = snapshot["vol_rest"] or 0.0
        found["vol_spike"] = None
        if rest >= REARM_RATIO * threshold:
            found["vol_spike"] = Part(
                kind="vol_spike",
                horizon_sec=HORIZON_SEC["vol_spike"],
                value=rest,
                threshold=threshold,
                surprise=None,
                times_usual=rest / median if median else None,
                from_price=None,
                from_ts=None,
                to_price=snapshot["last"],
                to_ts=snapshot["last_ts"],
            )
    return found


class Thresholds:
    """The thresholds of the built-in kinds that were chosen, which beat all others.

    ``of_classes`` are those of whole classes. A rule beats them: the first that names the symbol,
    else the first that names its class, else the first of all.
    """

    def __init__(
        self, of_classes: Mapping[Asset, Mapping[EventKind, float]], rules: Iterable[Rule]
    ) -> None:
        self._of_classes: Mapping[str, Mapping[EventKind, float]] = dict(of_classes.items())
        # The narrowest last, and the first of equals last of these: the last one stays.
        own = [rule for rule in reversed([*rules]) if rule.when in BUILT_IN_WHENS]
        self._rules = sorted(own, key=lambda rule: (bool(rule.symbols), bool(rule.assets)))

    def of(self, symbol: str, asset: str, now: float) -> Mapping[EventKind, float]:
        """Those of a symbol at an instant, by kind."""
        of_class = self._of_classes.get(asset, _NONE)
        own: dict[EventKind, float] = {
            _KINDS[rule.when]: rule.by
            for rule in self._rules
            if rule.by is not None
            and rule.covers(symbol, asset)
            and (rule.until is None or now < rule.until)
        }
        return {**of_class, **own} if own else of_class


def leading_part(parts: Sequence[Part]) -> Part:
    """The one that is told first: the move furthest beyond its threshold, if there is a move."""
    if len(parts) == 1:  # as most have
        return parts[0]
    moves = [part for part in parts if part.rises is not None]
    return max(moves or parts, key=attrgetter("ratio"))


def ratio_of(parts: Sequence[Part]) -> float:
    """How many times its threshold the part is that is furthest beyond."""
    return max(part.ratio for part in parts)


def severity_of(ratio: float) -> Severity:
    """How severe a value is that is so many times its threshold, which is 1 or more."""
    if ratio >= EXTREME_RATIO:
        return "extreme"
    return "alert" if ratio >= ALERT_RATIO else "watch"


_NONE: Final[Mapping[EventKind, float]] = MappingProxyType({})
_KINDS: Final[Mapping[When, EventKind]] = MappingProxyType(
    {When.MOVE_1M: "move_1m", When.MOVE_5M: "move_5m", When.VOL_SPIKE: "vol_spike"}
)
_MOVES: Final[Mapping[EventKind, str]] = MappingProxyType({"move_1m": "1m", "move_5m": "5m"})


def _own_threshold(kind: EventKind, horizon: str, snapshot: Mapping[str, Any]) -> float:
    """What a move of this symbol must reach: unusual for itself, and worth a look in its class."""
    of_class = THRESHOLDS[snapshot["asset"]][kind]
    usual, step = snapshot[f"usual_{horizon}"], snapshot["price_step"]
    threshold = of_class if usual is None else max(usual, LEAST_SHARE * of_class)
    return threshold if step is None else max(threshold, LEAST_STEPS * step / snapshot["move_to"])
