"""Watches: how hits of the user's rules begin, go on, come back and end.

A hit goes on while the value is at least ``REARM_RATIO`` of its threshold, or within a level's
margin; what comes back within the rule's cooldown is the same hit. Time is an argument, the event's
own: a replay at any speed finds the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rules import BUILT_IN_WHENS, Part, Rule, When, severity_of
from ticks import SEVERITIES, Regime, Severity

__all__ = ["BAND_MARGIN", "LEVEL_MARGIN", "Hit", "Measured", "Side", "Watch", "Watches"]

LEVEL_MARGIN: Final = 0.001
"""A level of the price is armed again once the price is so far back, as a fraction."""

BAND_MARGIN: Final = 0.05
"""A correlation is back in its band once it is so far inside."""

_HOLDS_SEC: Final[Mapping[When, float]] = MappingProxyType(
    {When.VOLATILITY: 900.0, When.SURPRISE: 60.0, When.DAY: 3600.0}
)
"""For so long a hit goes on while its value is not known; a move for its horizon, all else until
something is known."""

_STEADY: Final = frozenset(
    {When.ABOVE, When.BELOW, When.DAY, When.CORRELATION, When.SILENT, When.UNHEARD}
)
"""What may go on for hours: a hit of these is not told again for each value that is further."""

_STAMP_SEC: Final = 60
"""How often it is remembered that a steady one still goes on."""


class Side(NamedTuple):
    """On which side of its level a price was last."""

    is_above: bool
    is_armed: bool
    """Whether it was beyond the margin since it crossed last."""
    level: float | None = None
    """None: it was not remembered."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule amounts to in one second, by target: a symbol, or the class of a feed.

    A target of which nothing stands here is known to be below ``REARM_RATIO`` of the threshold.
    """

    rule: Rule
    parts: Mapping[str, Part] = field(default_factory=dict)
    """What is at or beyond that."""
    unknown: frozenset[str] = frozenset()
    """Those whose value is not known."""
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Of a rule that watches crossings: the price and its time of all that are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What is told of one hit of a rule; its times are seconds since the epoch."""

    ts: float
    """When it was first seen, ..."""
    updated_ts: float
    """... and when it last changed."""
    part: Part
    """When it was furthest beyond."""
    severity: Severity
    count: int = 1
    early: bool = False
    """Whether it is of a surprise that is early; these three are of the instant of the part."""
    vs_peers: float | None = None
    regime: Regime = "unknown"
    history: bool
    """Whether it was only seen in the past: a steady one that still holds in the present is not."""
    over_ts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one rule and one target."""

    rule: str
    target: str
    """A symbol, the first of a pair, or the asset class of a feed."""
    asset: str
    others: tuple[str, ...] = ()
    """The other symbol of a pair."""
    hit: Hit | None = None
    """The newest."""
    is_active: bool = False
    """Whether it goes on."""
    seen_ts: float
    """When it was last known to go on."""
    side: Side | None = None
    """Of a rule that watches crossings."""

    @property
    def key(self) -> str:
        """What it is remembered by; no symbol's name."""
        return _key(self.rule, self.target)

    def is_open(self, rule: Rule, now: float) -> bool:
        """Whether its hit goes on, or may still come back as the same."""
        # By its distance: a clock that stepped back must not hold it open.
        ago = abs(now - self.seen_ts)
        return ago < rule.cooldown_sec or (self.is_active and ago <= _hold_sec(rule))


class Watches:
    """Follows the user's ``rules`` from second to second. Not thread-safe: one thread calls it."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = {rule.name: rule for rule in rules if rule.when not in BUILT_IN_WHENS}
        self._watches: dict[str, Watch] = {}
        self._open: dict[str, None] = {}
        """The keys of those whose hit is not over."""
        self._gone: list[Watch] = []
        """Those whose rule is no longer what it was, and whose hit is to be told to be over."""
        self._changed: dict[str, None] = {}

    @property
    def all(self) -> list[Watch]:
        """All that is remembered."""
        return list(self._watches.values())

    def collect_changed(self) -> list[Watch]:
        """What changed since the last call of what is remembered, for ``restore`` one day."""
        changed = [self._watches[key] for key in self._changed]
        self._changed.clear()
        return changed

    def restore(self, watches: Iterable[Watch]) -> None:
        """Remember what others remembered of the same rules, so that nothing is found twice.

        The hits of rules that are gone, or that now watch something else, are over at the next
        ``check``.
        """
        for watch in watches:
            rule = self._rules.get(watch.rule)
            if rule is not None and _is_of(watch, rule):
                self._hold(watch)
            elif watch.hit is not None and watch.hit.over_ts is None:
                self._gone.append(replace(watch, side=None))

    def check(
        self,
        measured: Sequence[Measured],
        snapshots: Mapping[str, Mapping[str, Any]],
        now: float,
        *,
        history: bool = False,
    ) -> list[Watch]:
        """The watches whose hit ended in this second, and those whose began or changed.

        ``snapshots`` are the rows of a frame by symbol, as far as they are known. A rule that was
        not ``measured`` goes on as it is.
        """
        # A rule that is no longer in force measures nothing, so that its hits come to their end.
        live = [
            one if one.rule.until is None or now < one.rule.until else Measured(one.rule)
            for one in measured
        ]
        for one in live:
            self._note_fallen(one, now)
        told = [self._over(watch, now) for watch in self._gone] + self._ended(now)
        self._gone.clear()
        for one in live:
            follow = self._cross if one.rule.when is When.CROSSES else self._follow
            told += follow(one, snapshots, now, history)
        return told

    def _follow(
        self,
        measured: Measured,
        snapshots: Mapping[str, Mapping[str, Any]],
        now: float,
        history: bool,
    ) -> list[Watch]:
        """Bring the hits of a rule up to what it amounts to now; those that begin or change."""
        rule, news = measured.rule, []
        for target, part in measured.parts.items():
            watch = self._watches.get(_key(rule.name, target))
            is_hit = _distance(rule, part) > 0
            if watch is None or watch.hit is None or not self._goes_on(watch, rule, now):
                if is_hit:
                    news.append(self._begin(rule, target, part, snapshots, now, history))
                continue
            if not (watch.is_active or is_hit):
                continue
            hit, was_active = watch.hit, watch.is_active
            if _distance(rule, part) > _distance(rule, hit.part):
                hit = _told(hit, rule, part, snapshots.get(target))
            severity = max(hit.severity, _severity(rule, hit.part), key=SEVERITIES.index)
            hit = replace(hit, severity=severity, count=hit.count + (not was_active))
            grew = hit.part is not watch.hit.part and rule.when not in _STEADY
            # What was so before anybody looked, and still is, is told now.
            is_present = hit.history and not history and is_hit and rule.when in _STEADY
            if is_present:
                hit = replace(hit, history=False)
            is_other = (hit.severity, hit.count) != (watch.hit.severity, watch.hit.count)
            is_news = grew or is_present or is_other
            if is_news:
                hit = replace(hit, updated_ts=max(now, hit.updated_ts))
            is_due = rule.when not in _STEADY or int(now) % _STAMP_SEC == 0
            watch = replace(watch, hit=hit, is_active=True, seen_ts=now)
            self._hold(watch, is_change=is_news or is_due)
            if is_news:
                news.append(watch)
        return news

    def _cross(
        self,
        measured: Measured,
        snapshots: Mapping[str, Mapping[str, Any]],
        now: float,
        history: bool,
    ) -> list[Watch]:
        """Note on which side of its level each price is; the watches of those that crossed it."""
        rule, news = measured.rule, []
        level = rule.price or math.nan
        for target, (price, ts) in measured.prices.items():
            if price == level:
                continue
            watch = self._watches.get(_key(rule.name, target))
            is_above, is_away = price > level, abs(price / level - 1.0) >= LEVEL_MARGIN
            side = None if watch is None else watch.side
            if side == (is_above, True, level):
                continue
            if watch is None or side is None:
                asset = snapshots[target]["asset"]
                self._hold(
                    Watch(
                        rule=rule.name,
                        target=target,
                        asset=asset,
                        seen_ts=0.0,
                        side=Side(is_above, is_armed=True, level=level),
                    ),
                    is_change=True,
                )
                continue
            has_crossed = is_above != side.is_above
            if has_crossed or is_away:
                watch = replace(watch, side=Side(is_above, is_away, level))
                self._hold(watch, is_change=True)
            if has_crossed and side.is_armed:
                news.append(self._crossed(rule, watch, price, ts, snapshots, now, history))
        return news

    def _crossed(
        self,
        rule: Rule,
        watch: Watch,
        price: float,
        ts: float,
        snapshots: Mapping[str, Mapping[str, Any]],
        now: float,
        history: bool,
    ) -> Watch:
        """Remember a crossing: the newest is what is told of those within one cooldown."""
        part = Part(
            kind="rule",
            when=When.CROSSES,
            horizon_sec=0,
            value=price,
            threshold=rule.price or math.nan,
            surprise=None,
            times_usual=None,
            from_price=None,
            from_ts=None,
            to_price=price,
            to_ts=ts,
        )
        hit = watch.hit
        if hit is None or not self._goes_on(watch, rule, now):
            return self._begin(rule, watch.target, part, snapshots, now, history, is_active=False)
        hit = _told(hit, rule, part, snapshots.get(watch.target))
        hit = replace(hit, count=hit.count + 1, updated_ts=max(now, hit.updated_ts))
        watch = replace(watch, hit=hit, seen_ts=now)
        self._hold(watch, is_change=True)
        return watch

    def _begin(
        self,
        rule: Rule,
        target: str,
        part: Part,
        snapshots: Mapping[str, Mapping[str, Any]],
        now: float,
        history: bool,
        *,
        is_active: bool = True,
    ) -> Watch:
        snapshot = snapshots.get(target)
        before = self._watches.get(_key(rule.name, target))
        severity = _severity(rule, part)
        hit = Hit(ts=now, updated_ts=now, part=part, severity=severity, history=history)
        watch = Watch(
            rule=rule.name,
            target=target,
            asset=target if snapshot is None else snapshot["asset"],
            others=rule.symbols[1:] if rule.when is When.CORRELATION else (),
            hit=_told(hit, rule, part, snapshot),
            is_active=is_active,
            seen_ts=now,
            side=None if before is None else before.side,
        )
        self._hold(watch, is_change=True)
        return watch

    def _goes_on(self, watch: Watch, rule: Rule, now: float) -> bool:
        """Whether what is measured now belongs to the hit that a watch has."""
        return watch.hit is not None and watch.hit.over_ts is None and watch.is_open(rule, now)

    def _note_fallen(self, measured: Measured, now: float) -> None:
        """Note of the hits of a rule that their value is known to have fallen."""
        for key in self._open:
            watch = self._watches[key]
            if (
                watch.rule == measured.rule.name
                and watch.is_active
                and watch.target not in measured.parts
                and watch.target not in measured.unknown
            ):
                # A steady one goes on until something else is known, and it is known only now.
                seen_ts = now if measured.rule.when in _STEADY else watch.seen_ts
                self._watches[key] = replace(watch, is_active=False, seen_ts=seen_ts)
                self._changed[key] = None

    def _ended(self, now: float) -> list[Watch]:
        """The watches whose hit is over now."""
        found = []
        for key in sorted(self._open):
            watch = self._watches[key]
            if not watch.is_open(self._rules[watch.rule], now):
                found.append(self._over(watch, now))
        return found

    def _over(self, watch: Watch, now: float) -> Watch:
        """Remember that a hit is over, as of when it was last known to go on."""
        if watch.hit is not None:
            over_ts = max(watch.seen_ts, watch.hit.ts)
            hit = replace(watch.hit, updated_ts=max(now, watch.hit.updated_ts), over_ts=over_ts)
            watch = replace(watch, hit=hit, is_active=False)
            self._hold(watch, is_change=True)
        return watch

    def _hold(self, watch: Watch, *, is_change: bool = False) -> None:
        key = watch.key
        self._watches[key] = watch
        if is_change:
            self._changed[key] = None
        if watch.hit is not None and watch.hit.over_ts is None:
            self._open[key] = None
        else:
            self._open.pop(key, None)


def _key(rule: str, target: str) -> str:
    return f"rule:{rule}:{target}"


def _is_of(watch: Watch, rule: Rule) -> bool:
    """Whether what is remembered is of what a rule watches, which the settings may have changed."""
    part, side = (None if watch.hit is None else watch.hit.part), watch.side
    if part is not None:
        limits = (rule.by, rule.price, rule.low, rule.high, rule.within_sec)
        if part.when is not rule.when or part.threshold not in limits:
            return False
        if rule.when is When.MOVE and part.horizon_sec != rule.within_sec:
            return False
    if rule.when is When.CROSSES:
        return side is not None and side.level == rule.price
    return rule.when is not When.CORRELATION or watch.others == rule.symbols[1:]


def _hold_sec(rule: Rule) -> float:
    """For how long a hit goes on while its value is not known."""
    if rule.when is When.MOVE:
        return float(rule.within_sec or 0)
    return _HOLDS_SEC.get(rule.when, math.inf)


def _distance(rule: Rule, part: Part) -> float:
    """How far a value is beyond what its rule is about; above 0: it is a hit."""
    match rule.when:
        case When.ABOVE:
            return part.value - part.threshold
        case When.BELOW:
            return part.threshold - part.value
        case When.CORRELATION:
            low = -math.inf if rule.low is None else rule.low
            high = math.inf if rule.high is None else rule.high
            return max(low - part.value, part.value - high)
        case _:
            # What reaches its threshold is a hit, too.
            return math.nextafter(part.ratio, math.inf) - 1.0


def _severity(rule: Rule, part: Part) -> Severity:
    return severity_of(part.ratio) if rule.severity is None else rule.severity


def _told(hit: Hit, rule: Rule, part: Part, snapshot: Mapping[str, Any] | None) -> Hit:
    """A hit that tells of a part, and of its symbol beside that, as far as that is known."""
    if snapshot is None:
        return replace(hit, part=part)
    return replace(
        hit,
        part=part,
        early=rule.when is When.SURPRISE and bool(snapshot["early"]),
        vs_peers=snapshot["vs_peers"],
        regime=snapshot["regime"],
    )
