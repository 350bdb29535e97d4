"""Bursts: how the parts of one symbol's stress join into one, go on, and end.

A part joins while another goes on or soon after; it goes on while its value stays above the re-arm
level. Pure: every change makes a new ``Burst``, on event time alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rules import HORIZON_SEC, Part, leading_part, ratio_of
from ticks import EventKind

__all__ = ["Burst", "Swing"]


SWING_SEC: Final = HORIZON_SEC["move_5m"]
"""A move that is measured from a price later than this after a swing began undoes no swing: after a
long rise, a sharp fall is news."""


class Swing(NamedTuple):
    """The newest moves in one direction, and the price they began at."""

    rises: bool
    before_price: float
    before_ts: float
    """What the first of these moves was measured from."""
    began_ts: float
    moved_ts: float
    """When one of these moves was last known to go on."""
    after_price: float | None = None
    """The price when none went on any more; None while one does."""

    def is_undone_by(self, part: Part) -> bool:
        """Whether a move only undoes this swing.

        It does if it is measured from a price of the swing, in the other direction, and is beyond
        neither the price before the swing nor the price after it by its threshold.
        """
        if part.rises in (None, self.rises) or part.from_ts is None:
            return False
        end = min(self.moved_ts, self.began_ts + SWING_SEC)
        bases = (self.before_price, self.after_price)
        return self.before_ts <= part.from_ts <= end and not any(
            _is_beyond(part, base) for base in bases if base is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Parts of one symbol's stress that overlap or follow one another closely."""

    parts: tuple[Part, ...]
    """Each kind when it was furthest beyond its threshold, in the order in which they joined."""
    count: int = 1
    """1, and one more for each time that a part had ended and came back."""
    active: Mapping[EventKind, float] = field(default_factory=dict)
    """The parts that go on, and when the value of each was last known; a volatility may go on from
    the burst before, of which it was told."""
    seen_ts: float
    """When a part was last known to go on."""
    swing: Swing | None = None
    """The newest moves, of this burst or, if it has none, of one before it."""

    @classmethod
    def begun(cls, parts: Sequence[Part], now: float, before: Burst | None) -> Burst:
        """What begins with ``parts``; ``before`` is the symbol's last burst, brought up to now."""
        active = {part.kind: now for part in parts}
        if before is not None and "vol_spike" in before.active:
            active.setdefault("vol_spike", before.active["vol_spike"])
        swing = _swing(parts, now) or (None if before is None else before.swing)
        return cls(parts=tuple(parts), active=active, seen_ts=now, swing=swing)

    @property
    def lead(self) -> Part:
        """The part that is told first."""
        return leading_part(self.parts)

    @property
    def ratio(self) -> float:
        """How many times its threshold the part was that was furthest beyond."""
        return ratio_of(self.parts)

    @property
    def rises(self) -> bool | None:
        """Its direction; None while it is of volatility alone."""
        return next((part.rises for part in self.parts if part.rises is not None), None)

    def is_open(self, now: float, within_sec: float) -> bool:
        """Whether a part goes on, or did less than ``within_sec`` ago."""
        # By its distance, not its sign: a clock that stepped back must not hold a burst open.
        return abs(now - self.seen_ts) < within_sec or any(
            abs(now - ts) <= HORIZON_SEC[kind] for kind, ts in self.active.items()
        )

    def agrees(self, rises: bool | None) -> bool:
        """Whether what moves so is not of the opposite direction."""
        return self.rises is None or rises is None or rises == self.rises

    def carried_on(
        self, found: Mapping[EventKind, Part | None], price: float | None, now: float
    ) -> Burst:
        """The burst brought up to now: which parts go on, and which are further than before.

        ``found`` is what each kind amounts to now, as ``rules.readings`` gives it, and ``price``
        the price that moves lead to. A part whose value is not known goes on for as long as its
        horizon.
        """
        active: dict[EventKind, float] = {}
        grown = {part.kind: part for part in self.parts}
        for kind, ts in self.active.items():
            part = found.get(kind)
            if abs(now - ts) > HORIZON_SEC[kind]:
                continue  # a gap, or a clock that stepped
            if kind not in found:
                active[kind] = ts
            elif part is not None and self.agrees(part.rises):
                active[kind] = now
                if kind in grown and part.ratio > grown[kind].ratio:
                    grown[kind] = part
        burst = self._with(tuple(grown.values()), self.count, active, now)
        swing = burst.swing
        if swing is None or swing.after_price is not None or active.keys() - {"vol_spike"}:
            return burst
        return replace(burst, swing=swing._replace(after_price=price))

    def joined(self, parts: Sequence[Part], now: float) -> Burst:
        """The burst with ``parts`` that come, or come back, in its direction."""
        kept = {part.kind: part for part in self.parts}
        came_back = False
        for part in parts:
            came_back |= part.kind in kept
            if part.kind not in kept or part.ratio > kept[part.kind].ratio:
                kept[part.kind] = part
        active = {**self.active, **{part.kind: now for part in parts}}
        return self._with(tuple(kept.values()), self.count + came_back, active, now)

    def _with(
        self, parts: tuple[Part, ...], count: int, active: Mapping[EventKind, float], now: float
    ) -> Burst:
        """Other parts in its place, those that are active now as seen now."""
        seen = [kind for kind, ts in active.items() if ts == now]
        swing = self.swing
        if any(kind != "vol_spike" for kind in seen):
            is_own = swing is not None and self.rises is not None
            swing = (
                swing._replace(moved_ts=now, after_price=None)
                if swing and is_own
                else _swing(parts, now)
            )
        return replace(
            self,
            parts=parts,
            count=count,
            active=active,
            seen_ts=now if seen else self.seen_ts,
            swing=swing,
        )


def _swing(parts: Iterable[Part], now: float) -> Swing | None:
    """What begins with the first move of ``parts``; None without one."""
    for part in parts:
        if part.rises is not None and part.from_price is not None and part.from_ts is not None:
            return Swing(part.rises, part.from_price, part.from_ts, now, now)
    return None


def _is_beyond(part: Part, price: float) -> bool:
    """Whether a move leads beyond a price, in its direction and by its threshold."""
    if part.to_price is None:
        return False
    move = part.to_price / price - 1.0
    return (move if part.rises else -move) >= part.threshold
