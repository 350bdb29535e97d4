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
    "OVERLAP",
    "SCALE_RETURNS",
    "Correlations",
    "Returns",
    "correlate",
    "standard_errors",
]

SCALE_RETURNS: Final = 60
"""How many of the last returns make a return's local scale."""

LEAST_RETURNS: Final = 12
"""Fewer returns than this make no scale, and fewer shared ones no correlation."""

CLIP: Final = 2.0
"""The most that a return counts, in its local scale."""

OVERLAP: Final = 1.125
"""Differences of neighbouring means overlap, which costs a ninth of the observations."""

# The median of a normal variable's size, times this, is its standard deviation.
_NORMAL: Final = 1.4826
# A variance this small beside the mean square is rounding: the series is flat.
_FLAT: Final = 1e-12
# Bars that a return between directly neighbouring bars of endlessly many ticks really spans.
_LEAST_SPAN: Final = 2.0 / 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Returns between directly neighbouring live bars, [symbol, bar]; NaN if a bar is empty."""

    scaled: Floats
    """Each over its local scale, within ±``CLIP``."""
    span: Floats
    """How many bars each really spans: its ends are means of ticks at different times."""

    @classmethod
    def between(cls, logs: Floats, counts: Ints) -> Self:
        """The returns of log mean prices and numbers of ticks, [symbol, bar] each."""
        changes: Floats = np.diff(logs, axis=1)
        changes[np.abs(changes) < ROUNDING] = 0.0
        scale = _local_scale(changes)
        # In a market that hardly moves most returns are 0, and any other one is large.
        scaled = np.where(changes == 0.0, 0.0, np.copysign(CLIP, changes))
        np.divide(changes, scale, out=scaled, where=scale > 0)
        scaled[np.isnan(changes) | np.isnan(scale)] = np.nan
        inverse = 1.0 / np.maximum(counts, 1)
        span = _LEAST_SPAN + (inverse[:, :-1] + inverse[:, 1:]) / 6.0
        return cls(np.clip(scaled, -CLIP, CLIP, out=scaled), span)

    def of(self, rows: slice | npt.NDArray[np.intp]) -> Self:
        """Those of some symbols."""
        return type(self)(self.scaled[rows], self.span[rows])

    def last(self, bars: int, end: int | None = None) -> Self:
        """Those between ``bars`` bars, the last of which is the one before ``end``."""
        stop = self.scaled.shape[1] if end is None else end
        first = max(0, stop - bars + 1)
        return type(self)(self.scaled[:, first:stop], self.span[:, first:stop])


class Correlations(NamedTuple):
    """How every row of one series correlates with every row of another."""

    raw: Floats
    """Pearson's correlation of the scaled returns; NaN of fewer than 12, or if one is flat."""
    n: Ints
    """Numbers of shared returns."""
    kappa: Floats
    """How much of a correlation is left between bar means of sparse ticks, at most 1."""

    @property
    def corr(self) -> Floats:
        """The correlations of the prices, within ±1."""
        return np.clip(self.raw / self.kappa, -1.0, 1.0)


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
        raw = product / np.sqrt(x_spread * y_spread)
        kappa = _LEAST_SPAN * n / np.sqrt(x_span * y_span)
    raw[flat | (n < LEAST_RETURNS)] = np.nan
    return Correlations(np.clip(raw, -1.0, 1.0), n.astype(np.int32), kappa)


def standard_errors(left: Floats, right: Floats, raw: Floats) -> Floats:
    """The standard error of the correlation of each row of ``left`` with that row of ``right``.

    ``left`` and ``right`` are scaled returns, [pair, bar], and ``raw`` their correlations. Without
    normal theory: in units of their spread an observation's influence on r is
    x·y - (r/2)(x² + y²); their mean square plus twice their first autocovariance, if that is
    positive, over n is the variance of r. Never below Fisher's (1 - r²) / sqrt(n/1.125 - 3).
    """
    shared = ~(np.isnan(left) | np.isnan(right))
    n = np.count_nonzero(shared, axis=1)
    x, y = _standard(left, shared, n), _standard(right, shared, n)
    influence = x * y - (raw / 2.0)[:, None] * (x * x + y * y)
    influence[~shared] = 0.0
    square = np.einsum("ij,ij->i", influence, influence)
    neighbours = np.einsum("ij,ij->i", influence[:, 1:], influence[:, :-1])
    own = np.sqrt(square + 2.0 * np.maximum(neighbours, 0.0)) / n
    error: Floats = np.maximum(own, (1.0 - raw**2) / np.sqrt(n / OVERLAP - 3.0))
    return error


def _standard(values: Floats, shared: npt.NDArray[np.bool_], n: npt.NDArray[np.intp]) -> Floats:
    """The shared values of each row less their mean, in units of their spread; 0 elsewhere."""
    filled = np.where(shared, values, 0.0)
    centred = np.where(shared, filled - (filled.sum(axis=1) / n)[:, None], 0.0)
    spread = np.sqrt(np.einsum("ij,ij->i", centred, centred) / n)
    standard: Floats = centred / spread[:, None]
    return standard


def _local_scale(changes: Floats) -> Floats:
    """1.4826 times the median size of each row's last 60 known changes, of at least 12.

    The first eleven have the scale of the twelfth; NaN if a row has fewer than twelve.
    """
    known = ~np.isnan(changes)
    order = np.argsort(~known, axis=1, kind="stable")
    packed = np.take_along_axis(np.abs(changes), order, axis=1)
    if packed.shape[1] < LEAST_RETURNS:
        return np.full(changes.shape, np.nan)
    window = min(SCALE_RETURNS, packed.shape[1])
    medians = bottleneck.move_median(packed, window, LEAST_RETURNS, axis=1)
    first = LEAST_RETURNS - 1
    medians[:, :first] = medians[:, first : first + 1]
    scale = np.empty(changes.shape)
    np.put_along_axis(scale, order, _NORMAL * medians, axis=1)
    return scale
