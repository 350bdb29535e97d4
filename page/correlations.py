"""Correlations: the card of what moves with a symbol, the heat map of all pairs, and why not.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import pandas as pd

from correlation import BIN_SECS, MIN_PAIRS, CorrelationCard, Pair, PairChange
from engine.reader import Reader
from page.view import bin_sec
from ticks import ASSETS, Asset, Regime
from wording import signed_text

__all__ = [
    "ChangeText",
    "ClosedMarkets",
    "CorrelationText",
    "HeatMap",
    "PairText",
    "change_text",
    "closed_markets",
    "correlation_text",
    "has_heat_map",
    "heat_map",
    "missing_text",
    "pair_text",
    "sparse_text",
]

MATRIX_SYMBOLS: Final = 100
"""Pairs of more symbols than this are not compared: their number grows with the square."""

SPARSE_NAMED: Final = 3
"""So many symbols that tick too seldom are named."""

_REGIMES: Final[Mapping[Regime, str]] = {
    "high_vol": "volatile, so that only these minutes count",
    "normal": "calm",
    "unknown": "regime not known yet",
}

_CLOSE: Final = ((0.8, "almost always"), (0.5, "mostly"), (0.3, "partly"))
"""How closely two symbols move, from which size of r on; below that hardly."""


class PairText(msgspec.Struct, frozen=True):
    """How a symbol moves with the base."""

    symbol: str
    r: float
    text: str
    n: int
    low: float
    high: float
    range: str
    word: str
    """How they move, in plain words."""
    doubtful: str
    """Why it may be chance; empty if it may not."""


class ChangeText(msgspec.Struct, frozen=True):
    """A pair that started or stopped moving together."""

    text: str
    started: bool
    """Whether its correlation became stronger."""
    told: str
    """What the pair does now, in plain words."""
    before: str
    after: str
    ago: str
    """How long ago that was last so; empty if it was at the newest full minute."""
    title: str
    """All of it as a sentence."""


class ClosedMarkets(msgspec.Struct, frozen=True):
    """What of a comparison is closed, and what can be compared meanwhile."""

    assets: Sequence[str]
    """The classes that are closed."""
    opens: float | None
    """When the first of them opens, in epoch seconds."""
    base: str
    is_base: bool
    """Whether it is the base whose market is closed."""
    instead: list[str]
    """A symbol and its class if the base is closed, else a class; empty if all is closed."""


class CorrelationText(msgspec.Struct, frozen=True):
    """The whole card."""

    base: str
    words: str
    """Over how long it was compared, and with which classes."""
    method: str
    """Regime, window and bars."""
    missing: str
    """Why there is no correlation to show; empty if there is one."""
    sparse: str
    """Which symbols tick too seldom for the bars; empty if none does."""
    shut: ClosedMarkets | None
    top: list[PairText]
    changed: list[ChangeText]
    too_many: bool
    """Whether too many symbols are watched to compare every pair."""


class HeatMap(msgspec.Struct, frozen=True):
    """Every pair: correlations and numbers of shared returns, square like ``symbols``."""

    symbols: list[str]
    r: list[list[float | None]]
    n: list[list[int]]


def has_heat_map(reader: Reader, assets: tuple[Asset, ...]) -> bool:
    """Whether the symbols of these classes are few enough to compare every pair."""
    return len(reader.symbols(assets)) <= MATRIX_SYMBOLS


def correlation_text(
    reader: Reader, now: float, base: str, bars: str, assets: tuple[Asset, ...]
) -> CorrelationText:
    """The card of ``base`` among the symbols of ``assets`` at ``now``, in ``bars`` of the view."""
    card = reader.correlation(base, bin_sec(bars), assets, now)
    is_compared = has_heat_map(reader, assets)
    changes = reader.pair_changes(assets, card.bin_sec, now) if is_compared else []
    auto = " (auto)" if bin_sec(bars) is None else ""
    return CorrelationText(
        base=card.base,
        words=f"last {card.window_sec // 60} min, among {', '.join(assets)}",
        method=f"r over {card.window_sec // 60} minutes in {card.bin_sec} s bars{auto};"
        f" {card.base} is {_REGIMES[card.regime]}",
        missing=missing_text(card, has_others=bool({*reader.symbols(assets)} - {card.base})),
        sparse=sparse_text(card, is_auto=bool(auto)),
        shut=None if card.top else closed_markets(reader, card.base, assets, now),
        top=[pair_text(pair, card.pairs) for pair in card.top],
        changed=[change_text(change, now) for change in changes],
        too_many=not is_compared,
    )


def heat_map(
    reader: Reader, now: float, base: str, bars: str, assets: tuple[Asset, ...]
) -> HeatMap:
    """Every pair of ``assets``, over the window and in the bars of the card of ``base``."""
    card = reader.correlation(base, bin_sec(bars), assets, now)
    corr, count = reader.matrix(assets, card.bin_sec, card.window_sec, now)
    return HeatMap(
        symbols=list(corr.columns),
        r=[[None if r != r else round(r, 3) for r in row] for row in corr.to_numpy().tolist()],
        n=count.to_numpy().tolist(),
    )


def pair_text(pair: Pair, pairs: int) -> PairText:
    """A pair as a line of a card, one of the strongest of so many ``pairs``."""
    doubtful = ""
    if pair.chance:
        doubtful = "This may be chance"
        if pairs > 1 and not pair.low <= 0 <= pair.high:
            doubtful += f": of {pairs} pairs the strongest often looks like this"
    return PairText(
        symbol=pair.symbol,
        r=round(pair.corr, 4),
        text=signed_text(pair.corr, 2),
        n=pair.n,
        low=round(pair.low, 4),
        high=round(pair.high, 4),
        range=f"{signed_text(pair.low, 2)} to {signed_text(pair.high, 2)}",
        word=_how(pair.corr),
        doubtful=doubtful,
    )


def change_text(change: PairChange, now: float) -> ChangeText:
    """A pair that started or stopped moving together, as told at ``now``."""
    before, after = signed_text(change.before.corr, 2), signed_text(change.after.corr, 2)
    minutes = int(now - change.at) // 60
    ago = f"{minutes} min ago" if minutes else ""
    until = f"until {ago}" if ago else "until now"
    return ChangeText(
        text=f"{change.a} and {change.b}",
        started=change.has_started,
        told=_told(change),
        before=before,
        after=after,
        ago=ago,
        title=f"r was {before} over 45 minutes and {after} over the 15 {until};"
        f" {change.pairs} {'pair was' if change.pairs == 1 else 'pairs were'} compared.",
    )


def _how(r: float) -> str:
    """How two symbols move, in plain words."""
    how = next((word for least, word in _CLOSE if abs(r) >= least), "hardly")
    return f"{how} {'together' if r >= 0 else 'opposite'}"


def _told(change: PairChange) -> str:
    """What a pair does now, in plain words."""
    word = _change_word(change)
    r = change.after.corr if word in ("started", "stronger", "turned") else change.before.corr
    along = "together" if r >= 0 else "against each other"
    return {
        "started": f"started to move {along}",
        "stronger": f"move more {along}",
        "weaker": f"move less {along}",
        "stopped": f"stopped moving {along}",
        "turned": f"turned, and move {along}",
    }[word]


def _change_word(change: PairChange) -> str:
    """What a pair did: it started or stopped only if chance explains what was, or what is."""
    before, after = change.before, change.after
    if before.corr * after.corr < 0 and not before.chance and not after.chance:
        return "turned"
    if change.has_started:
        return "started" if before.chance else "stronger"
    return "stopped" if after.chance else "weaker"


def sparse_text(card: CorrelationCard, *, is_auto: bool) -> str:
    """Which symbols tick too seldom for the bars of a card; empty if none does."""
    if not card.sparse:
        return ""
    names = ", ".join(card.sparse[:SPARSE_NAMED])
    more = len(card.sparse) - SPARSE_NAMED
    if more > 0:
        names += f" and {more} more"
    is_longest = card.bin_sec == BIN_SECS[-1]
    advice = "" if is_auto or is_longest else " Longer bars tell more."
    even = "even " if is_longest else ""
    return f"Too sparse {even}for {card.bin_sec} s bars, most of which are empty: {names}.{advice}"


def missing_text(card: CorrelationCard, *, has_others: bool) -> str:
    """Why there is no correlation to show; empty if there is one."""
    if card.top:
        return ""
    if not has_others:
        return "No other symbol of these classes is watched."
    if card.shared >= MIN_PAIRS:
        return f"Nothing to compare: {card.base} or every other symbol did not move."
    return f"Not enough shared data yet: {card.shared} of {MIN_PAIRS} returns of {card.bin_sec} s"


def closed_markets(
    reader: Reader, base: str, assets: Sequence[Asset], now: float
) -> ClosedMarkets | None:
    """What of a comparison is closed, when it opens, and what can be compared meanwhile.

    None if market hours do not stand in the way.
    """
    _, frame = reader.pulse(now)
    if base not in frame.index:
        return None  # it has just been removed
    is_open: dict[str, bool] = {}
    opens: dict[str, float | None] = {}
    for asset in ASSETS:
        hours = reader.hours(asset, now)
        is_open[asset], opens[asset] = hours.phase != "closed", hours.opens
    own = str(frame.at[base, "asset"])
    if not is_open[own]:
        instead = _open_symbol(frame, is_open)
        return ClosedMarkets([own], opens[own], base, is_base=True, instead=instead)
    others = frame["asset"][frame.index != base]
    compared = [asset for asset in assets if (others == asset).any()]
    if not compared or any(is_open[asset] for asset in compared):
        return None
    open_classes = [asset for asset in ASSETS if is_open[asset] and (others == asset).any()]
    return ClosedMarkets(
        compared,
        min((at for asset in compared if (at := opens[asset]) is not None), default=None),
        base,
        is_base=False,
        instead=[*open_classes[:1]],
    )


def _open_symbol(frame: pd.DataFrame, is_open: Mapping[str, bool]) -> list[str]:
    """A symbol of an open market that has another to be compared with, and its class."""
    counts = frame["asset"].value_counts()
    for asset in ASSETS:
        if is_open[asset] and counts.get(asset, 0) > 1:
            return [str(frame.index[frame["asset"] == asset][0]), asset]
    return []
