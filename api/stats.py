"""Stats: what the prices of each symbol were in the seconds up to now, window by window.

``std``, ``min``, ``max``, ``first`` and ``last`` are of one-second prices, which are those of the
newest tick in each second that had one; ``n`` is how many those are, and ``std`` is that of a
sample, with n - 1. ``mean`` is that of all ticks, from their sum and ``ticks``, their number: those
are known of every ten seconds, so that they are of the tens of seconds that lie wholly within the
window, whose first and last nine seconds may be without them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from api.asked import Asked, Time, bad
from api.endpoint import json_response
from pulse_store import PulseStore
from ticks import ASSETS

__all__ = ["PARAMETERS", "StatsAnswer", "WindowStats", "stats", "window_stats"]

PARAMETERS: Final = ("window", "symbols", "assets", "times")

Floats = npt.NDArray[np.float64]

_USUAL: Final = (60, 300, 900, 3600)
_LEAST, _MOST = 10, 3600
_MOST_WINDOWS: Final = 8

_ROWS_AT_ONCE: Final = 256
"""As many symbols are looked at in one go: 7 MB of prices."""


class WindowStats(msgspec.Struct, frozen=True, kw_only=True):
    """One window of all symbols asked for, as one list for each figure; null: not known."""

    window: int
    """In seconds."""
    n: list[int]
    """The number of one-second prices."""
    std: list[float | None]
    min: list[float | None]
    max: list[float | None]
    first: list[float | None]
    last: list[float | None]
    """These of one-second prices."""
    ticks: list[int]
    """The number of ticks, ..."""
    mean: list[float | None]
    """... and the mean of their prices."""


class StatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The windows that end with one second."""

    seq: int
    """That second."""
    now: Time
    symbols: list[str]
    windows: list[WindowStats]


def stats(asked: Asked) -> Response:
    """The statistics of the windows of ``window`` that end with the newest second."""
    reader, written = asked.engine.reader, asked.written()
    windows = _windows(asked)
    now, frame = reader.pulse()
    assets = asked.words("assets", ASSETS, ASSETS)
    names = [str(symbol) for symbol in frame.index]
    wanted = asked.symbols(names)
    is_wanted = frame["asset"].isin(assets) & (wanted is None or frame.index.isin(wanted or ()))
    kept = np.flatnonzero(is_wanted)
    # Of all symbols, and once for all who ask in this second.
    every = tuple(names)
    found = [reader.once(window_stats, reader.store, every, window, int(now)) for window in windows]
    return json_response(
        StatsAnswer(
            seq=int(now),
            now=written(now),
            symbols=[names[row] for row in kept],
            windows=[_picked(*each, kept) for each in zip(windows, found, strict=True)],
        )
    )


class Columns(NamedTuple):
    """One window of every symbol of a frame, by row; NaN: not known."""

    n: npt.NDArray[np.int64]
    std: Floats
    min: Floats
    max: Floats
    first: Floats
    last: Floats
    ticks: npt.NDArray[np.int64]
    mean: Floats


def window_stats(store: PulseStore, symbols: tuple[str, ...], window: int, second: int) -> Columns:
    """The ``window`` seconds that end with ``second`` of some symbols, a part at a time."""
    count, begin = len(symbols), second - window + 1
    parts = [
        _columns(*store.ticked(begin, second, symbols[row : row + _ROWS_AT_ONCE]))
        for row in range(0, max(1, count), _ROWS_AT_ONCE)
    ]
    return Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _columns(price: Floats, sums: Floats, counts: npt.NDArray[np.int32]) -> Columns:
    """The same of prices by second, 0 if there was none, and of sums and numbers of ticks."""
    has = price > 0
    n = has.sum(axis=1)
    rows, width = np.arange(len(price)), price.shape[1]
    has_any = n > 0
    first = np.where(has_any, price[rows, has.argmax(axis=1)], np.nan)
    last = np.where(has_any, price[rows, width - 1 - has[:, ::-1].argmax(axis=1)], np.nan)
    # From the first price on, so that nothing is lost of small moves of a large price.
    moved = np.where(has, price - first[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = moved.sum(axis=1) / n
        squares = (np.where(has, moved - centre[:, None], 0.0) ** 2).sum(axis=1)
        std = np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)
        ticks = counts.sum(axis=1, dtype=np.int64)
        mean = np.where(ticks > 0, sums.sum(axis=1) / ticks, np.nan)
    return Columns(
        n=n,
        std=std,
        min=np.where(has_any, np.where(has, price, np.inf).min(axis=1), np.nan),
        max=np.where(has_any, price.max(axis=1), np.nan),
        first=first,
        last=last,
        ticks=ticks,
        mean=mean,
    )


def _windows(asked: Asked) -> list[int]:
    """The windows of ``window``, each once and in order."""
    texts = [part.strip() for part in asked.text("window").split(",") if part.strip()]
    found = [int(text) if re.fullmatch("[0-9]{1,5}", text) else 0 for text in texts]
    for text, window in zip(texts, found, strict=True):
        if not _LEAST <= window <= _MOST:
            raise asked.wrong("window", f"seconds from {_LEAST} to {_MOST} with commas", text)
    if len(set(found)) > _MOST_WINDOWS:
        raise bad(f"window has {len(set(found))} of them, expected {_MOST_WINDOWS} at most")
    return list(dict.fromkeys(found)) or list(_USUAL)


def _picked(window: int, columns: Columns, rows: npt.NDArray[np.intp]) -> WindowStats:
    """A window of some symbols."""
    return WindowStats(
        window=window,
        n=columns.n[rows].tolist(),
        std=columns.std[rows].tolist(),
        min=columns.min[rows].tolist(),
        max=columns.max[rows].tolist(),
        first=columns.first[rows].tolist(),
        last=columns.last[rows].tolist(),
        ticks=columns.ticks[rows].tolist(),
        mean=columns.mean[rows].tolist(),
    )
