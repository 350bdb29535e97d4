"""Robust correlation of many series at once: neither storms nor jumps nor sparse ticks decide it.

Pure functions of arrays; NaN always means that a value is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import bottleneck
import numpy as np
import numpy.typing as npt

from formulas import ROUNDING, Floats, Ints

__all__ = [
    "CLIP",
    "LEAST_RETURNS",
    "SCALE_RETURNS",
    "Correlations",
    "Returns",
    "bounces",
    "correlate",
    "standard_errors",
]

SCALE_RETURNS: Final = 60
"""How many returns make the local scale of the one in their middle."""

LEAST_RETURNS: Final = 12
"""Fewer shared returns than this make no correlation."""

CLIP: Final = 2.0
"""The most that a return counts, in its local scale."""

# The median of a normal variable's size, times this, is its standard deviation.
_NORMAL: Final = 1.4826
# What clipping, and a scale known from sixty returns only, take from the correlation of normal
# returns: within 0.002 this times r (1 - r²)^(2/3).
_TAKEN: Final = 0.035
# Differences of neighbouring means overlap, which costs a ninth of the observations.
_OVERLAP: Final = 1.125
# A variance this small beside the mean square is rounding: the series is flat.
_FLAT: Final = 1e-12
# Bars that a return between directly neighbouring bars of endlessly many ticks really spans.
_LEAST_SPAN: Final = 2.0 / 3.0
# How far below nothing a bounce must lie, in its standard errors.
_BOUNCE: Final = -3.0

_Places = npt.NDArray[np.intp]
# Places in a matrix, or in what was taken of it.
_Pairs = tuple[_Places, _Places] | _Places


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Returns between directly neighbouring live bars, [symbol, return]; NaN if a bar is empty."""

    scaled: Floats
    """Each over its local scale, within ±``CLIP``."""
    span: Floats
    """How many bars each really spans: its ends are means of ticks at different times."""

    @classmethod
    def between(cls, logs: Floats, counts: Ints) -> Self:
        """The returns of log mean prices and numbers of ticks, [symbol, bar] each.

        A return's local scale is 1.4826 times the median size of the sixty returns around it; the
        first and the last share the scale of those thirty places further in.
        """
        changes: Floats = np.diff(logs, axis=1)
        changes[np.abs(changes) < ROUNDING] = 0.0
        scale = _NORMAL * _medians_around(np.abs(changes))
        # In a market that hardly moves most returns are 0, and any other one is large.
        scaled = CLIP * np.sign(changes)
        np.divide(changes, scale, out=scaled, where=scale > 0)
        inverse = 1.0 / np.maximum(counts, 1)
        span = _LEAST_SPAN + (inverse[:, :-1] + inverse[:, 1:]) / 6.0
        return cls(np.clip(scaled, -CLIP, CLIP, out=scaled), span)

    def of(self, rows: npt.NDArray[np.intp] | slice) -> Self:
        """Those of some symbols."""
        return type(self)(self.scaled[rows], self.span[rows])

    def within(self, bars: slice) -> Self:
        """Those between some of the bars only."""
        first, end, _ = bars.indices(self.scaled.shape[1] + 1)
        inside = slice(first, max(first, end - 1))
        return type(self)(self.scaled[:, inside], self.span[:, inside])


class Correlations(NamedTuple):
    """How every row of one series correlates with every row of another."""

    pearson: Floats
    """Pearson's correlation of the scaled returns; NaN of fewer than 12, or if one is flat."""
    n: Ints
    """Numbers of shared returns."""
    kappa: Floats
    """What is left of a correlation between bar means of sparse ticks, at most 1."""

    @property
    def of_bars(self) -> Floats:
        """The correlations of the returns of the bars: what scaling took is given back."""
        r = self.pearson
        given: Floats = r + _TAKEN * r * np.cbrt(1.0 - r * r) ** 2
        return np.clip(given, -1.0, 1.0, out=given)

    @property
    def of_prices(self) -> Floats:
        """The correlations of the prices, within ±1: what sparse ticks took is given back too."""
        r: Floats = self.of_bars / self.kappa
        return np.clip(r, -1.0, 1.0, out=r)

    def of(self, pairs: _Pairs) -> Correlations:
        """Those of some pairs, one after the other."""
        return Correlations(self.pearson[pairs], self.n[pairs], self.kappa[pairs])


def correlate(left: Returns, right: Returns) -> Correlations:
    """Correlate every row of ``left`` with every row of ``right``, on the bars both have.

    Ticks of two symbols fall at different times, so of two bar means only a part is of the same
    time: kappa = (2/3) / sqrt(t1 * t2), with t the mean time in bars that a shared return spans.
    """
    x_live, y_live = (~np.isnan(side.scaled) for side in (left, right))
    x, y = np.where(x_live, left.scaled, 0.0), np.where(y_live, right.scaled, 0.0)
    x_one, y_one = x_live.astype(np.float64), y_live.astype(np.float64)
    n = x_one @ y_one.T
    x_sum, y_sum = x @ y_one.T, x_one @ y.T
    x_square, y_square = (x * x) @ y_one.T, x_one @ (y * y).T
    x_span, y_span = (left.span * x_one) @ y_one.T, x_one @ (right.span * y_one).T
    with np.errstate(divide="ignore", invalid="ignore"):
        product = x @ y.T - x_sum * y_sum / n
        x_spread, y_spread = x_square - x_sum**2 / n, y_square - y_sum**2 / n
        flat = ~((x_spread > _FLAT * x_square) & (y_spread > _FLAT * y_square))
        pearson = product / np.sqrt(x_spread * y_spread)
        kappa = np.minimum(1.0, _LEAST_SPAN * n / np.sqrt(x_span * y_span))
    pearson[flat | (n < LEAST_RETURNS)] = np.nan
    return Correlations(np.clip(pearson, -1.0, 1.0), n.astype(np.int32), kappa)


def standard_errors(left: Floats, right: Floats, pearson: Floats) -> Floats:
    """The standard error of atanh r of each row of ``left`` with that row of ``right``.

    ``left`` and ``right`` are scaled returns, [pair, return], and ``pearson`` their correlations.
    Without normal theory: in units of their spread an observation's influence on r is
    x·y - (r/2)(x² + y²); their mean square plus twice their first autocovariance, if that is
    positive, over n is the variance of r. Never below Fisher's 1 / sqrt(n/1.125 - 3).
    """
    shared = ~(np.isnan(left) | np.isnan(right))
    n = np.count_nonzero(shared, axis=1)
    x, y = _standard(left, shared, n), _standard(right, shared, n)
    influence = x * y - (pearson / 2.0)[:, None] * (x * x + y * y)
    influence[~shared] = 0.0
    square = np.einsum("ij,ij->i", influence, influence)
    neighbours = np.einsum("ij,ij->i", influence[:, 1:], influence[:, :-1])
    own = np.sqrt(square + 2.0 * np.maximum(neighbours, 0.0)) / n
    unexplained = 1.0 - pearson**2
    errors: Floats = 1.0 / np.sqrt(n / _OVERLAP - 3.0)
    np.maximum(errors, own / np.where(unexplained > 0, unexplained, np.inf), out=errors)
    return errors


def bounces(returns: Returns, counts: Ints) -> npt.NDArray[np.bool_]:
    """Whether the prices of each symbol bounce: neighbouring returns undo each other.

    ``counts`` are the numbers of ticks of the bars that the ``returns`` lie between. Averaging
    inside a bar alone makes neighbouring returns alike; a bounce is what lies three standard errors
    below that.
    """
    x = np.nan_to_num(returns.scaled)
    live = ~np.isnan(returns.scaled)
    following = live[:, 1:] & live[:, :-1]
    products = x[:, 1:] * x[:, :-1]
    alike = np.where(following, (1.0 - 1.0 / np.maximum(counts[:, 1:-1], 1)) / 6.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_bar = (x * x).sum(axis=1) / (returns.span * live).sum(axis=1)
        excess = products.sum(axis=1) - per_bar * alike.sum(axis=1)
        below: npt.NDArray[np.bool_] = excess / np.sqrt((products**2).sum(axis=1)) < _BOUNCE
    return below


def _standard(values: Floats, shared: npt.NDArray[np.bool_], n: npt.NDArray[np.intp]) -> Floats:
    """The shared values of each row less their mean, in units of their spread; 0 elsewhere."""
    filled = np.where(shared, values, 0.0)
    centred = np.where(shared, filled - (filled.sum(axis=1) / n)[:, None], 0.0)
    spread = np.sqrt(np.einsum("ij,ij->i", centred, centred) / n)
    standard: Floats = centred / spread[:, None]
    return standard


def _medians_around(sizes: Floats) -> Floats:
    """The median of the sixty known values around each; NaN has none, and is in none."""
    count, places = sizes.shape
    if not places:
        return sizes
    known = ~np.isnan(sizes)
    # Those that are known side by side at the left.
    order = np.argsort(~known, axis=1, kind="stable")
    packed = np.take_along_axis(sizes, order, axis=1)
    medians = bottleneck.move_median(packed, min(SCALE_RETURNS, places), 1, axis=1)
    last = np.maximum(known.sum(axis=1) - 1, 0)
    ahead = np.minimum(np.arange(places) + SCALE_RETURNS // 2, last[:, None])
    around = np.empty((count, places))
    np.put_along_axis(around, order, np.take_along_axis(medians, ahead, axis=1), axis=1)
    return around
