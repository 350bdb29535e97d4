"""Measures: what the user's rules amount to in one second, for all symbols at once.

It belongs to one thread, the worker's. Only what is near a threshold is looked at symbol by symbol.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from correlation import auto_bin, corr_matrix
from formulas import Floats
from pulse_store import PulseStore
from rules import BUILT_IN_WHENS, REARM_RATIO, Part, Rule, When
from ticks import ASSETS, STALE_SEC, WINDOW_SEC, Asset
from watches import BAND_MARGIN, LEVEL_MARGIN, Measured

__all__ = ["Measures"]

WARM_UP_SEC: Final = 60.0
"""A symbol whose ticks reach back no further, of the last fifteen minutes, has not moved yet."""

_GAP_SEC: Final = 5
"""After so many seconds that were not measured nobody knows what was silent in them."""

_PAIR_SEC: Final = 60
"""How often the correlation of a pair is looked at: a bar of it may take as long."""

_COLUMNS: Final[Mapping[When, tuple[str, int]]] = {
    When.VOLATILITY: ("vol_15m", 900),
    When.SURPRISE: ("surprise", 60),
    When.DAY: ("ret_day", 86400),
}
"""What is a column of the frame, and how far back it looks."""

Bools = npt.NDArray[np.bool_]


class _Symbols:
    """The symbols of a frame, and which of them each rule is of: the same for many seconds."""

    def __init__(self, frame: pd.DataFrame, rules: Sequence[Rule]) -> None:
        self.index = frame.index
        self.names: list[str] = frame.index.tolist()
        assets: list[str] = frame["asset"].tolist()
        self.asset = np.array(assets, np.str_)
        self.row = {name: row for row, name in enumerate(self.names)}
        self.of_rule = {
            rule.name: np.array(
                [rule.covers(*pair) for pair in zip(self.names, assets, strict=True)], np.bool_
            )
            for rule in rules
        }


class _Second:
    """All symbols in one second, by row."""

    def __init__(
        self,
        symbols: _Symbols,
        ticked: tuple[Floats, Floats],
        now: float,
        frame: pd.DataFrame,
        is_streaming: Mapping[Asset, bool],
        halted: Collection[str],
    ) -> None:
        self.now = now
        self.names, self.asset = symbols.names, symbols.asset
        self._of_rule = symbols.of_rule
        self._frame = frame
        streaming = [asset for asset, streams in is_streaming.items() if streams]
        self.streams: Bools = np.isin(self.asset, streaming)
        self.streams[[symbols.row[name] for name in halted if name in symbols.row]] = False
        self.is_live: Bools = self.streams & (self.column("age") <= STALE_SEC)
        self.price, self.ts = ticked

    def column(self, name: str) -> Floats:
        """A column of the frame."""
        values: Floats = self._frame[name].to_numpy()
        return values

    def of(self, rule: Rule) -> Bools:
        """The rows that a rule is of."""
        return self._of_rule[rule.name]

    def named(self, rows: Bools) -> list[str]:
        """The symbols of some rows."""
        return [self.names[row] for row in np.flatnonzero(rows).tolist()]


class Measures:
    """Measures what the user's ``rules`` are about, of the symbols in ``store``.

    A value counts while its market streams, the symbol is not halted and its newest tick is not
    stale; a move only within the symbol's own window, once its ticks reach back a minute. Levels
    are of the price alone. What is silent is so since its newest price, or since its market began
    to stream or this to measure; nobody listened to what is history.
    """

    def __init__(self, rules: Iterable[Rule], store: PulseStore) -> None:
        self._rules = [rule for rule in rules if rule.when not in BUILT_IN_WHENS]
        self._store = store
        self._symbols: _Symbols | None = None
        self._second = -1
        self._listening_since: dict[str, float] = {}
        """By class, since when its market streams and every second is measured."""

    def __bool__(self) -> bool:
        """Whether there is any rule to measure."""
        return bool(self._rules)

    def at(
        self,
        now: float,
        frame: pd.DataFrame,
        is_streaming: Mapping[Asset, bool],
        halted: Collection[str] = (),
        *,
        is_history: bool = False,
    ) -> list[Measured]:
        """What each rule amounts to at ``now``, the last instant of a second, from its frame.

        Without a rule there is nothing to do; a correlation is measured once a minute.
        """
        if not self._rules:
            return []
        self._listen(int(now), is_streaming, is_history)
        if self._symbols is None or self._symbols.index is not frame.index:
            self._symbols = _Symbols(frame, self._rules)
        ticked = self._store.newest_ticks(now)
        second = _Second(self._symbols, ticked, now, frame, is_streaming, halted)
        moves: dict[int, Floats] = {}
        found = []
        for rule in self._rules:
            match rule.when:
                case When.MOVE:
                    within = rule.within_sec or 0
                    if within not in moves:
                        moves[within] = self._store.furthest(within, now)
                    found.append(self._move(rule, second, moves[within]))
                case When.ABOVE | When.BELOW | When.CROSSES:
                    found.append(_level(rule, second))
                case When.CORRELATION:
                    if int(now) % _PAIR_SEC == 0:
                        found.append(self._pair(rule, second))
                case When.SILENT:
                    if not is_history:
                        found.append(self._silent(rule, second))
                case When.UNHEARD:
                    if not is_history:
                        found.append(self._unheard(rule, second))
                case _:
                    found.append(_figure(rule, second))
        return found

    def _listen(self, second: int, is_streaming: Mapping[Asset, bool], is_history: bool) -> None:
        """Note since when each class is listened to."""
        if is_history or not 0 <= second - self._second <= _GAP_SEC:
            self._listening_since.clear()
        self._second = second
        for asset in ASSETS:
            if is_history or not is_streaming.get(asset, False):
                self._listening_since.pop(asset, None)
            else:
                self._listening_since.setdefault(asset, float(second))

    def _move(self, rule: Rule, second: _Second, value: Floats) -> Measured:
        """The furthest move within the horizon of a rule."""
        is_known = second.is_live & (second.column("watched_sec") >= WARM_UP_SEC)
        near, unknown = _sorted_out(rule, second, value, is_known)
        names = [second.names[row] for row in near]
        within = rule.within_sec or 0
        parts = {
            name: _part(
                rule,
                move.value,
                horizon_sec=within,
                begin=(move.from_price, move.from_ts),
                end=(move.to_price, move.to_ts),
            )
            for name, move in self._store.excursions(names, within, second.now).items()
        }
        return Measured(rule, parts, unknown)

    def _pair(self, rule: Rule, second: _Second) -> Measured:
        """The correlation of a pair."""
        window = rule.within_sec or WINDOW_SEC
        base = rule.symbols[0]
        if not set(rule.symbols) <= set(second.names):
            return Measured(rule)  # one is not watched any more: there is no pair
        if np.count_nonzero(second.of(rule) & second.is_live) < len(rule.symbols):
            return Measured(rule, unknown=frozenset({base}))
        bin_sec = auto_bin(self._store, rule.symbols, second.now)
        found, _ = corr_matrix(self._store, rule.symbols, bin_sec, window, second.now)
        value = float(found.to_numpy()[0, 1])
        if math.isnan(value):
            return Measured(rule, unknown=frozenset({base}))
        if rule.low is not None and value < rule.low + BAND_MARGIN:
            return Measured(rule, {base: _part(rule, value, rule.low, horizon_sec=window)})
        if rule.high is not None and value > rule.high - BAND_MARGIN:
            return Measured(rule, {base: _part(rule, value, rule.high, horizon_sec=window)})
        return Measured(rule)

    def _silent(self, rule: Rule, second: _Second) -> Measured:
        """For how long the feeds of open markets have brought nothing."""
        times = second.column("last_ts")
        parts, unknown = {}, set()
        for asset in rule.assets or ASSETS:
            rows = second.asset == asset
            if rows.any():
                newest = times[rows]
                last = float(np.nanmax(newest)) if not np.isnan(newest).all() else math.nan
                part = self._silence(rule, second.now, asset, last)
                if part is None:
                    unknown.add(asset)
                elif part.ratio >= REARM_RATIO:
                    parts[str(asset)] = part
        return Measured(rule, parts, frozenset(unknown))

    def _unheard(self, rule: Rule, second: _Second) -> Measured:
        """For how long each symbol of an open market has had no price."""
        age = second.column("age")
        within = float(rule.within_sec or 0)
        rows = second.of(rule)
        unknown = set(second.named(rows & ~second.streams))
        # A price that came lately is no silence, whoever listened.
        candidates = rows & second.streams & ~(age < REARM_RATIO * within)
        parts = {}
        for row in np.flatnonzero(candidates).tolist():
            name, asset = second.names[row], str(second.asset[row])
            part = self._silence(rule, second.now, asset, float(second.column("last_ts")[row]))
            if part is None:
                unknown.add(name)
            elif part.ratio >= REARM_RATIO:
                parts[name] = part
        return Measured(rule, parts, frozenset(unknown))

    def _silence(self, rule: Rule, now: float, asset: str, last: float) -> Part | None:
        """The time since the last price, as far as it was listened; None if that is not known.

        It is not before somebody listened for as long as the rule says, or a price came.
        """
        since = self._listening_since.get(asset)
        within = float(rule.within_sec or 0)
        if since is None or (now - since < within and not last >= since):
            return None
        begin = since if math.isnan(last) else max(last, since)
        end = (None, None) if math.isnan(last) else (None, last)
        return _part(rule, now - begin, within, horizon_sec=0, end=end)


def _level(rule: Rule, second: _Second) -> Measured:
    """The price beside a level of it."""
    level = rule.price or math.nan
    rows = second.of(rule)
    known = second.is_live & ~np.isnan(second.price)
    price, ts = second.price, second.ts
    unknown = frozenset(second.named(rows & ~known))
    if rule.when is When.CROSSES:
        near = np.flatnonzero(rows & known).tolist()
        prices = {second.names[row]: (float(price[row]), float(ts[row])) for row in near}
        return Measured(rule, unknown=unknown, prices=prices)
    is_near = (
        price > level * (1.0 - LEVEL_MARGIN)
        if rule.when is When.ABOVE
        else price < level * (1.0 + LEVEL_MARGIN)
    )
    parts = {}
    for row in np.flatnonzero(rows & known & is_near).tolist():
        end = float(price[row]), float(ts[row])
        parts[second.names[row]] = _part(rule, end[0], level, horizon_sec=0, end=end)
    return Measured(rule, parts, unknown)


def _figure(rule: Rule, second: _Second) -> Measured:
    """A figure of the pulse table beside a threshold."""
    column, horizon = _COLUMNS[rule.when]
    value = second.column(column)
    near, unknown = _sorted_out(rule, second, value, second.is_live)
    last, last_ts, close = (second.column(name) for name in ("last", "last_ts", "prev_close"))
    is_day = rule.when is When.DAY
    parts = {
        second.names[row]: _part(
            rule,
            float(value[row]),
            horizon_sec=horizon,
            begin=(float(close[row]), None) if is_day else (None, None),
            end=(float(last[row]), float(last_ts[row])),
        )
        for row in near
    }
    return Measured(rule, parts, unknown)


def _sorted_out(
    rule: Rule, second: _Second, value: Floats, is_known: Bools
) -> tuple[list[int], frozenset[str]]:
    """The rows of a rule whose value is at least what it is armed again below, and the symbols
    whose value is not known.
    """
    rows = second.of(rule)
    known = is_known & ~np.isnan(value)
    with np.errstate(invalid="ignore"):
        is_near = np.abs(value) >= REARM_RATIO * (rule.by or math.nan)
    near = np.flatnonzero(rows & known & is_near).tolist()
    return near, frozenset(second.named(rows & ~known))


def _part(
    rule: Rule,
    value: float,
    threshold: float | None = None,
    *,
    horizon_sec: int,
    begin: tuple[float | None, float | None] = (None, None),
    end: tuple[float | None, float | None] = (None, None),
) -> Part:
    """What a rule amounts to; the threshold is its ``by`` unless it is another."""
    return Part(
        kind="rule",
        when=rule.when,
        horizon_sec=horizon_sec,
        value=value,
        threshold=(rule.by or math.nan) if threshold is None else threshold,
        surprise=value if rule.when is When.SURPRISE else None,
        times_usual=None,
        from_price=begin[0],
        from_ts=begin[1],
        to_price=end[0],
        to_ts=end[1],
    )
