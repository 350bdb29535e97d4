"""The correlation card and matrix: which names move together, and how sure that is.

Pure functions of a store and an instant; nothing is kept between calls. Returns are differences of
the logs of bar means, only between directly neighbouring live bars, and each pair is judged on the
bars both have: never forward-filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import pandas as pd

from formulas import ROUNDING, Floats, Ints
from robust import SCALE_RETURNS, Returns, correlate
from ticks import WINDOW_SEC, Regime

__all__ = [
    "BIN_SECS",
    "MIN_PAIRS",
    "CorrelationCard",
    "Pair",
    "PairChange",
    "auto_bin",
    "corr_card",
    "corr_matrix",
    "interval",
    "moving_together",
    "twins",
]

BIN_SECS: Final = (10, 20, 30, 60)
"""The lengths of correlation bars, in seconds."""

HIGH_VOL_WINDOW_SEC: Final = 900

MIN_PAIRS: Final = 12
"""Fewer shared returns than this make no correlation."""

TOP: Final = 3

TWIN_CORR: Final = 0.95
"""Two symbols that correlate at least this much over the hour are twins."""

# Long ones: the bounce of two prices of one thing is most of what is between them.
_TWIN_BIN_SEC: Final = 60
# How many symbols are compared with all others at once, which bounds the memory it takes.
_AT_ONCE: Final = 256

# Differences of bar means overlap, which costs a ninth of the observations.
_OVERLAP = 1.125
# Standard deviations that hold 95 % of a normal distribution.
_Z95 = 1.96
# A variance this small beside the mean square is rounding: the series is flat.
_FLAT = 1e-12


class Store(Protocol):
    """What is read of a PulseStore."""

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Log mean prices and tick counts, two [symbol, bin] arrays."""

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The regime of a symbol as it was at ``now``."""


class Interval(NamedTuple):
    """The 95 % confidence interval of a correlation."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pair:
    """How one symbol moves with another."""

    symbol: str
    corr: float
    """Pearson's correlation of their returns."""
    n: int
    """Number of shared returns."""
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    """Upper end of it."""
    chance: bool
    """Whether the interval contains 0: it may be chance."""


@dataclass(frozen=True, slots=True)
class CorrelationCard:
    """What moves most like, or most against, a base."""

    base: str
    regime: Regime
    """The base's, at that instant."""
    window_sec: int
    """How far back the returns reach."""
    bin_sec: int
    """The length of the bars."""
    top: tuple[Pair, ...]
    """The strongest first, whatever its sign."""
    shared: int
    """How many returns the base shares with the symbol it shares most with."""


@dataclass(frozen=True, slots=True)
class PairChange:
    """A pair whose correlation of 15 minutes differs from that of the hour."""

    a: str
    b: str
    before: Pair
    """``b`` with ``a`` over 60 minutes."""
    after: Pair
    """``b`` with ``a`` over 15 minutes."""
    has_started: bool
    """Whether the correlation became stronger, in either direction, rather than weaker."""


def corr_card(
    store: Store, symbols: Sequence[str], base_symbol: str, bin_sec: int, now: float
) -> CorrelationCard:
    """The three of ``symbols`` that move most like, or most against, ``base_symbol``.

    Looks back 15 minutes if the base is ``high_vol``, else 60. Pairs with fewer than 12 shared
    returns, or with a flat series, are left out of ``top``.

    Raises:
        ValueError: for a ``bin_sec`` that is not one of ``BIN_SECS``.
    """
    regime = store.regime(base_symbol, now)
    window_sec = HIGH_VOL_WINDOW_SEC if regime == "high_vol" else WINDOW_SEC
    names = [base_symbol, *dict.fromkeys(s for s in symbols if s != base_symbol)]
    returns = _returns(store, names, bin_sec, window_sec, now)
    corr, count = _pairwise(returns[:1], returns)
    known = [i for i in range(1, len(names)) if not np.isnan(corr[0, i])]
    known.sort(key=lambda i: (-abs(corr[0, i]), names[i]))
    return CorrelationCard(
        base=base_symbol,
        regime=regime,
        window_sec=window_sec,
        bin_sec=bin_sec,
        top=tuple(_pair(names[i], corr[0, i], count[0, i]) for i in known[:TOP]),
        shared=int(count[0, 1:].max(initial=0)),
    )


def corr_matrix(
    store: Store, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlations and numbers of shared returns of every pair, two square frames.

    A correlation is NaN with fewer than 12 shared returns or if a series is flat; its count is
    always there.

    Raises:
        ValueError: for a ``bin_sec`` that is not one of ``BIN_SECS``.
    """
    names = list(dict.fromkeys(symbols))
    returns = _returns(store, names, bin_sec, window_sec, now)
    corr, count = _pairwise(returns, returns)
    return (
        pd.DataFrame(corr, index=names, columns=names),
        pd.DataFrame(count, index=names, columns=names),
    )


def auto_bin(store: Store, symbols: Sequence[str], window_sec: int, now: float) -> int:
    """The shortest of ``BIN_SECS`` in which most bars of ``symbols`` hold a tick.

    Counted over all that ticked inside the window, each from its first live bar on. The longest
    if even that leaves most bars empty, or if nothing ticked.
    """
    for bin_sec in BIN_SECS:
        live = store.bars(symbols, bin_sec, window_sec, now)[1] > 0
        live = live[live.any(axis=1)]
        began = np.logical_or.accumulate(live, axis=1)
        if 2 * np.count_nonzero(live) > np.count_nonzero(began):
            return bin_sec
    return BIN_SECS[-1]


def moving_together(
    store: Store, symbols: Sequence[str], bin_sec: int, now: float, n: int = TOP
) -> list[PairChange]:
    """The ``n`` pairs whose 15-minute correlation differs most from their 60-minute one.

    Only pairs whose two 95 % intervals do not overlap.

    Raises:
        ValueError: for a ``bin_sec`` that is not one of ``BIN_SECS``.
    """
    recent, recent_n = corr_matrix(store, symbols, bin_sec, HIGH_VOL_WINDOW_SEC, now)
    hour, hour_n = corr_matrix(store, symbols, bin_sec, WINDOW_SEC, now)
    names = list(recent.columns)
    r_15m, n_15m, r_60m, n_60m = (frame.to_numpy() for frame in (recent, recent_n, hour, hour_n))
    change = np.abs(r_15m - r_60m)
    pairs = [
        (i, j) for i in range(len(names)) for j in range(i + 1, len(names)) if change[i, j] >= 0
    ]
    pairs.sort(key=lambda pair: -change[pair])
    found = []
    for i, j in pairs:
        after = _pair(names[j], r_15m[i, j], n_15m[i, j])
        before = _pair(names[j], r_60m[i, j], n_60m[i, j])
        if after.low > before.high or after.high < before.low:
            has_started = abs(after.corr) > abs(before.corr)
            found.append(PairChange(names[i], names[j], before, after, has_started))
    return found[:n]


def twins(store: Store, symbols: Sequence[str], now: float) -> dict[str, frozenset[str]]:
    """The twins of each of ``symbols`` among them: those with r of at least 0.95 over the hour.

    Like BTC-USD and BTC-USDT they are two prices of one thing. In bars of a minute; a symbol has
    no twin before it has twelve returns of these.
    """
    names = list(dict.fromkeys(symbols))
    window_sec = WINDOW_SEC + SCALE_RETURNS * _TWIN_BIN_SEC
    returns = Returns.between(*store.bars(names, _TWIN_BIN_SEC, window_sec, now))
    # Those that hardly trade are nobody's twins, and there may be thousands of them.
    hour = returns.last(WINDOW_SEC // _TWIN_BIN_SEC)
    rows = np.flatnonzero(np.count_nonzero(~np.isnan(hour.scaled), axis=1) >= MIN_PAIRS)
    found: dict[str, set[str]] = {name: set() for name in names}
    for begin in range(0, len(rows), _AT_ONCE):
        # A pair is met once, from the earlier of the two.
        ahead = rows[begin:]
        corr = correlate(hour.of(ahead[:_AT_ONCE]), hour.of(ahead)).corr
        for i, j in zip(*np.nonzero(corr >= TWIN_CORR), strict=True):
            if i < j:
                one, other = names[ahead[i]], names[ahead[j]]
                found[one].add(other)
                found[other].add(one)
    return {name: frozenset(others) for name, others in found.items()}


def interval(corr: float, n: int) -> Interval:
    """The 95 % Fisher interval tanh(atanh r ± 1.96 / sqrt(n/1.125 - 3)).

    NaN with fewer than 12 shared returns.
    """
    if n < MIN_PAIRS or corr != corr:
        return Interval(float("nan"), float("nan"))
    half = _Z95 / (n / _OVERLAP - 3) ** 0.5
    with np.errstate(divide="ignore"):  # r = ±1 has no width
        z = np.arctanh(corr)
    return Interval(float(np.tanh(z - half)), float(np.tanh(z + half)))


def _pair(symbol: str, corr: float, n: int) -> Pair:
    low, high = interval(float(corr), int(n))
    return Pair(symbol, float(corr), int(n), low, high, chance=low <= 0 <= high)


def _returns(
    store: Store, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
) -> Floats:
    """Returns between directly neighbouring live bars, [symbol, bar]; NaN beside an empty one."""
    if bin_sec not in BIN_SECS:
        raise ValueError(f"bin_sec is {bin_sec}, expected one of {', '.join(map(str, BIN_SECS))}")
    logs, _ = store.bars(symbols, bin_sec, window_sec, now)
    changes: Floats = np.diff(logs, axis=1)
    changes[np.abs(changes) < ROUNDING] = 0.0
    return changes


def _pairwise(left: Floats, right: Floats) -> tuple[Floats, Ints]:
    """Pearson correlation and number of shared returns of every row with every other's rows."""
    x, x_live = _in_own_units(left)
    y, y_live = _in_own_units(right)
    n = x_live @ y_live.T
    x_sum, y_sum = x @ y_live.T, x_live @ y.T
    x_square, y_square = (x * x) @ y_live.T, x_live @ (y * y).T
    with np.errstate(divide="ignore", invalid="ignore"):
        product = x @ y.T - x_sum * y_sum / n
        x_spread, y_spread = x_square - x_sum**2 / n, y_square - y_sum**2 / n
        flat = ~((x_spread > _FLAT * x_square) & (y_spread > _FLAT * y_square))
        corr = product / np.sqrt(x_spread * y_spread)
    corr[flat | (n < MIN_PAIRS)] = np.nan
    return np.clip(corr, -1.0, 1.0), n.astype(np.int32)


def _in_own_units(returns: Floats) -> tuple[Floats, Floats]:
    """Each row in units of its largest return, 0 if unknown; and 1.0 if known, else 0.

    So neither tiny nor huge moves lose digits.
    """
    live = ~np.isnan(returns)
    filled = np.where(live, returns, 0.0)
    size = np.abs(filled).max(axis=1, initial=0.0, keepdims=True)
    return filled / np.where(size > 0, size, 1.0), live.astype(np.float64)
