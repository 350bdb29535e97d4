"""The correlation card and matrix: which names move together, and how sure that is.

Pure functions of a store and an instant; nothing is kept between calls. Everything looks at the
hour before the instant and at nothing else, so a second that is looked back at has the answer it
had. Each pair is judged on the bars both have: never forward-filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import NormalDist
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from formulas import Floats, Ints
from robust import LEAST_RETURNS, Correlations, Returns, bounces, correlate, standard_errors
from ticks import WINDOW_SEC, Regime

__all__ = [
    "BIN_SECS",
    "HELD_SEC",
    "MIN_PAIRS",
    "CorrelationCard",
    "Pair",
    "PairChange",
    "auto_bin",
    "changes",
    "corr_card",
    "corr_matrix",
    "moving_together",
    "twins",
]

BIN_SECS: Final = (10, 20, 30, 60)
"""The lengths of correlation bars, in seconds."""

HIGH_VOL_WINDOW_SEC: Final = 900

MIN_PAIRS: Final = LEAST_RETURNS
"""Fewer shared returns than this make no correlation."""

TOP: Final = 3

HELD_SEC: Final = 600
"""A pair that moves together, or no longer does, is shown until that has not held for so long."""

LEAST_CHANGE: Final = 0.25
"""A smaller change of a correlation is none worth telling."""

TWIN_CORR: Final = 0.95
"""Two symbols that correlate at least this much over the hour are twins."""

_SURE: Final = 0.95
_LOOK_SEC: Final = 60
# What is shown was found at any of so many looks, each of which may be wrong.
_LOOKS: Final = HELD_SEC // _LOOK_SEC
# The atanh of 1 is endless, and no longer a number less another such.
_ALMOST_ONE: Final = 1.0 - 1e-9

# One of a hundred prices looks as if it bounced and does not.
_BOUNCING: Final = 0.1
# Long ones: the bounce of two prices of one thing is most of what is between them.
_TWIN_BIN_SEC: Final = 60
# With less of a correlation left than this, too much of it is only estimated to call a pair twins.
_TWIN_KAPPA: Final = 0.9
# What the names of the dollar, and of coins that are worth one, begin with.
_DOLLARS: Final = "USD"
# How many symbols are compared with all others at once, which bounds the memory it takes.
_AT_ONCE: Final = 256


class Store(Protocol):
    """What is read of a PulseStore."""

    def bars(
        self, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
    ) -> tuple[Floats, Ints]:
        """Log mean prices and tick counts, two [symbol, bin] arrays."""

    def regime(self, symbol: str, now: float | None = None) -> Regime:
        """The regime of a symbol as it was at ``now``."""


@dataclass(frozen=True, slots=True)
class Pair:
    """How one symbol moves with another."""

    symbol: str
    corr: float
    """The robust correlation of their prices."""
    n: int
    """Number of shared returns."""
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    """Upper end of it."""
    chance: bool
    """Whether it may be chance: the strongest of so many pairs is as strong where none is."""


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
    pairs: int
    """How many pairs these are the strongest of."""
    shared: int
    """How many returns the base shares with the symbol it shares most with."""
    sparse: tuple[str, ...]
    """Those, the base among them, that tick but in fewer than half of these bars."""


@dataclass(frozen=True, slots=True)
class PairChange:
    """A pair whose correlation of 15 minutes differs from that of the 45 before them."""

    a: str
    b: str
    before: Pair
    """``b`` with ``a`` over the 45 minutes."""
    after: Pair
    """``b`` with ``a`` over the 15 minutes after them."""
    has_started: bool
    """Whether the correlation became stronger, in either direction, rather than weaker."""
    pairs: int
    """How many pairs were looked at to find this one."""
    at: float
    """The instant that the 15 minutes ended at."""


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
    logs, counts = _hour(store, names, bin_sec, now)
    newest = slice(-(window_sec // bin_sec), None)
    returns = Returns.between(logs, counts).within(newest)
    found = correlate(returns.of(slice(1)), returns.of(slice(1, None)))
    corr = found.of_prices[0]
    known = np.flatnonzero(~np.isnan(corr)).tolist()
    known.sort(key=lambda i: (-abs(corr[i]), names[i + 1]))
    top = np.array(known[:TOP], np.intp)
    base = np.zeros(len(top), np.intp)
    errors = _errors(returns, base, top + 1, found.pearson[base, top])
    live = counts[:, newest] > 0
    parts = _live_parts(live, live.argmax(axis=1))
    return CorrelationCard(
        base=base_symbol,
        regime=regime,
        window_sec=window_sec,
        bin_sec=bin_sec,
        top=tuple(_pairs([names[i + 1] for i in top], found.of((base, top)), *errors, len(known))),
        pairs=len(known),
        shared=int(found.n.max(initial=0)),
        sparse=tuple(name for name, part in zip(names, parts, strict=True) if part <= 0.5),
    )


def corr_matrix(
    store: Store, symbols: Sequence[str], bin_sec: int, window_sec: int, now: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlations and numbers of shared returns of every pair, two square frames.

    ``window_sec`` is at most an hour. A correlation is NaN with fewer than 12 shared returns or if
    a series is flat; its count is always there.

    Raises:
        ValueError: for a ``bin_sec`` that is not one of ``BIN_SECS``.
    """
    names = list(dict.fromkeys(symbols))
    hour = Returns.between(*_hour(store, names, bin_sec, now))
    returns = hour.within(slice(-(window_sec // bin_sec), None))
    found = correlate(returns, returns)
    return (
        pd.DataFrame(found.of_prices, index=names, columns=names),
        pd.DataFrame(found.n, index=names, columns=names),
    )


def auto_bin(store: Store, symbols: Sequence[str], now: float) -> int:
    """The shortest of ``BIN_SECS`` in which most bars of each of ``symbols`` hold a tick.

    That is of each for which there are such bars, counted over the last hour from its first live
    one of the longest bars on, which may be a candle's. The longest if there are none for any of
    them, and if the prices of more than a tenth of them bounce: that hides what moves together in
    short bars.
    """
    longest = BIN_SECS[-1]
    live = _hour(store, symbols, longest, now)[1] > 0
    parts = _live_parts(live, live.argmax(axis=1))
    is_some = parts > 0.5
    some = [name for name, one in zip(symbols, is_some, strict=True) if one]
    began = live[is_some].argmax(axis=1) * longest + now // longest * longest
    for bin_sec in BIN_SECS[:-1] if some else ():
        logs, counts = _hour(store, some, bin_sec, now)
        since = np.maximum(0, began - now // bin_sec * bin_sec) // bin_sec
        if (_live_parts(counts > 0, since) > 0.5).all():
            bouncing = bounces(Returns.between(logs, counts), counts)
            return longest if bouncing.mean() > _BOUNCING else bin_sec
    return longest


def changes(
    store: Store, symbols: Sequence[str], bin_sec: int, now: float
) -> tuple[PairChange, ...]:
    """The pairs whose correlation changed: 15 minutes against the 45 before, the largest first.

    The correlation differs by 0.25 at least, and its atanh by more than chance would give any of
    the pairs, at any of ten looks, once in twenty times (Bonferroni).

    Raises:
        ValueError: for a ``bin_sec`` that is not one of ``BIN_SECS``.
    """
    names = list(dict.fromkeys(symbols))
    hour = Returns.between(*_hour(store, names, bin_sec, now))
    newest = HIGH_VOL_WINDOW_SEC // bin_sec
    parts = hour.within(slice(-newest)), hour.within(slice(-newest, None))
    whole = [correlate(part, part) for part in parts]
    change = np.triu(np.abs(whole[1].of_prices - whole[0].of_prices), 1)
    looked_at = int(np.count_nonzero(~np.isnan(change[np.triu_indices(len(names), 1)])))
    a, b = np.nonzero(change >= LEAST_CHANGE)
    if not len(a):
        return ()
    before, after = (found.of((a, b)) for found in whole)
    errors = [
        _errors(part, a, b, found.pearson)
        for part, found in zip(parts, (before, after), strict=True)
    ]
    z_before, z_after, error = _comparable(before, errors[0].own, after, errors[1].own)
    threshold = NormalDist().inv_cdf(1 - (1 - _SURE) / (2 * looked_at * _LOOKS))
    (sure,) = np.nonzero(np.abs(z_after - z_before) > threshold * error)
    sure = sure[np.argsort(-change[a[sure], b[sure]], kind="stable")]
    others = [names[j] for j in b[sure]]
    pairs = zip(
        [names[i] for i in a[sure]],
        *(
            _pairs(others, found.of(sure), own[sure], null[sure], 1)
            for found, (own, null) in zip((before, after), errors, strict=True)
        ),
        strict=True,
    )
    return tuple(
        PairChange(
            a=name,
            b=was.symbol,
            before=was,
            after=is_now,
            has_started=abs(is_now.corr) > abs(was.corr),
            pairs=looked_at,
            at=now,
        )
        for name, was, is_now in pairs
    )


def moving_together(
    changes_at: Callable[[int], Sequence[PairChange]], now: float, n: int = TOP
) -> list[PairChange]:
    """The ``n`` pairs that began or ceased to move together, the largest change first.

    ``changes_at`` is asked for the ``changes`` at each full minute of the last ten. A change counts
    from the second minute in a row on that it is found at; of those of one pair the newest counts.
    """
    newest = int(now) // _LOOK_SEC * _LOOK_SEC
    looks = [changes_at(newest - ago) for ago in range(0, HELD_SEC + 1, _LOOK_SEC)]
    found: dict[tuple[str, str], PairChange] = {}
    for look, before in pairwise(looks):
        had = {(change.a, change.b, change.has_started) for change in before}
        for change in look:
            if (change.a, change.b, change.has_started) in had:
                found.setdefault((change.a, change.b), change)
    return sorted(found.values(), key=lambda pair: -abs(pair.after.corr - pair.before.corr))[:n]


def twins(store: Store, symbols: Sequence[str], now: float) -> dict[str, frozenset[str]]:
    """The twins of each of ``symbols`` among them: those with r of at least 0.95 over the hour.

    Like BTC-USD and BTC-USDT they are two prices of one thing. In bars of a minute. Of a symbol
    that has fewer than twelve returns of these, or that ticks less than some five times in each,
    that cannot be told: then its namesakes in dollars of another kind are its twins.
    """
    names = list(dict.fromkeys(symbols))
    hour = Returns.between(*_hour(store, names, _TWIN_BIN_SEC, now))
    # Those that hardly trade are nobody's twins, and there may be thousands of them.
    rows = np.flatnonzero(np.count_nonzero(~np.isnan(hour.scaled), axis=1) >= MIN_PAIRS)
    found: dict[str, set[str]] = {name: set() for name in names}
    for begin in range(0, len(rows), _AT_ONCE):
        # A pair is met once, from the earlier of the two.
        ahead = rows[begin:]
        compared = correlate(hour.of(ahead[:_AT_ONCE]), hour.of(ahead))
        alike = (compared.of_prices >= TWIN_CORR) & (compared.kappa >= _TWIN_KAPPA)
        for i, j in zip(*np.nonzero(alike), strict=True):
            if i < j:
                one, other = names[ahead[i]], names[ahead[j]]
                found[one].add(other)
                found[other].add(one)
    for i, j in _namesakes(names):
        pair = correlate(hour.of(slice(i, i + 1)), hour.of(slice(j, j + 1)))
        if np.isnan(pair.of_prices[0, 0]) or pair.kappa[0, 0] < _TWIN_KAPPA:
            found[names[i]].add(names[j])
            found[names[j]].add(names[i])
    return {name: frozenset(others) for name, others in found.items()}


def _namesakes(symbols: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the pairs that are, by their names, one thing in two kinds of dollars."""
    places: dict[str, list[int]] = {}
    for place, symbol in enumerate(symbols):
        base, _, quote = symbol.rpartition("-")
        if base and quote.startswith(_DOLLARS):
            places.setdefault(base, []).append(place)
    return [pair for of_base in places.values() for pair in combinations(of_base, 2)]


# An interval is that of the correlation of bars, on the atanh scale; both its ends are then divided
# by kappa, as the correlation is.


def _pairs(
    symbols: Sequence[str], found: Correlations, own: Floats, null: Floats, pairs: int
) -> list[Pair]:
    """Some of so many ``pairs``, with their errors."""
    with np.errstate(divide="ignore"):  # r = ±1 has no width
        z = np.arctanh(found.of_bars)
    low, high = (
        np.clip(np.tanh(z + sign * _z(1) * own) / found.kappa, -1.0, 1.0) for sign in (-1, 1)
    )
    chance = np.abs(z) <= _z(pairs) * np.maximum(own, null)
    columns = (found.of_prices, found.n, low, high, chance)
    return [
        Pair(symbol, *values)
        for symbol, *values in zip(symbols, *(c.tolist() for c in columns), strict=True)
    ]


def _comparable(
    before: Correlations, error_before: Floats, after: Correlations, error_after: Floats
) -> tuple[Floats, Floats, Floats]:
    """The atanh of two correlations as sparser ticks would leave them, and their joint error.

    If a symbol ticks more often than before, the correlation of its bars rises without that of the
    prices: so both are taken as they would be with the smaller kappa of the two.
    """
    kappa = np.minimum(before.kappa, after.kappa)
    squares, z = np.zeros(len(kappa)), []
    for found, error in ((before, error_before), (after, error_after)):
        part = kappa / found.kappa
        r = np.clip(found.of_bars, -_ALMOST_ONE, _ALMOST_ONE)
        z.append(np.arctanh(r * part))
        squares += (error * part * (1.0 - r * r) / (1.0 - (r * part) ** 2)) ** 2
    return z[0], z[1], np.sqrt(squares)


def _z(pairs: int) -> float:
    """How many standard errors the strongest of some pairs exceeds once in twenty times.

    Šidák's: 1.96 for one, 2.64 for the strongest of six, 2.95 of sixteen.
    """
    return NormalDist().inv_cdf((1.0 + _SURE ** (1.0 / max(1, pairs))) / 2.0)


class _Errors(NamedTuple):
    """Standard errors of atanh r of some pairs."""

    own: Floats
    null: Floats
    """If the truth were 0: the strongest of many is also the one whose own error is too small."""


def _errors(
    returns: Returns, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp], pearson: Floats
) -> _Errors:
    left, right = returns.scaled[a], returns.scaled[b]
    return _Errors(
        standard_errors(left, right, pearson),
        standard_errors(left, right, np.zeros(len(pearson))),
    )


def _hour(store: Store, symbols: Sequence[str], bin_sec: int, now: float) -> tuple[Floats, Ints]:
    """Log mean prices and numbers of ticks of the last hour, [symbol, bar] each."""
    if bin_sec not in BIN_SECS:
        raise ValueError(f"bin_sec is {bin_sec}, expected one of {', '.join(map(str, BIN_SECS))}")
    return store.bars(symbols, bin_sec, WINDOW_SEC, now)


def _live_parts(live: npt.NDArray[np.bool_], since: Floats | npt.NDArray[np.intp]) -> Floats:
    """The part of each symbol's bars, from the bar ``since`` on, that hold a tick; NaN: none."""
    counted = np.arange(live.shape[1]) >= since[:, None]
    parts = np.full(len(live), np.nan)
    alive = live.any(axis=1)
    held = np.count_nonzero(live[alive] & counted[alive], axis=1)
    parts[alive] = held / np.count_nonzero(counted[alive], axis=1)
    return parts
