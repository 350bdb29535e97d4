"""Chart: the lines of the opened symbol and of those it is compared with, over a span.

A line is sent in chunks of steps that are aligned to the epoch, so that what was sent once stays as
it is and a refresh adds to the newest chunk alone. Only decimals are decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from engine.reader import REWIND_SEC, STEP_SEC, Reader
from formulas import Floats
from page.columns import last_text
from page.stress import EVENTS_READ, event_line, standing

__all__ = ["Chart", "ChartMark", "Line", "Spanned", "chart", "spanned"]

CHUNK_STEPS: Final = 60

MARKS: Final = 200
"""How many events of the opened symbol are marked."""

ANCHOR_SEC: Final = 60
"""What a band begins at is a multiple of this: it would walk along with the span otherwise."""

_LOOKS: Final = 4
_LOOK_SEC: Final = 300
"""If the usual move is not known at the first price, it is looked for so often, so far apart."""


class Span(NamedTuple):
    """How long a chart is, and of how long steps."""

    sec: int
    step: int


SPANS: Final[Mapping[str, Span]] = MappingProxyType(
    {"15m": Span(900, 2), "1h": Span(REWIND_SEC, 5), "day": Span(86_400, STEP_SEC)}
)


class Anchor(msgspec.Struct, frozen=True):
    """What moves are measured from, and in which units."""

    ts: int
    """A second."""
    price: float
    """The newest one then."""
    vol: float
    """``vol_15m`` as it stood then: a fraction."""


class Line(msgspec.Struct, frozen=True):
    """The prices of one symbol."""

    symbol: str
    decimals: int
    chunks: Mapping[str, list[float | None]]
    """By the second at which the chunk begins: the newest price of each step, None for a hole."""
    anchor: Anchor | None
    """None if its usual move is not known: then there is no band and no σ."""


class ChartMark(msgspec.Struct, frozen=True):
    """An event of the opened symbol, or of a twin that tells of it."""

    id: str
    ts: float
    peak: float
    """When it was furthest beyond its threshold."""
    severity: str
    text: str
    """Who and by how much, and beside what is usual."""


class Chart(msgspec.Struct, frozen=True):
    """Everything that is drawn."""

    span: str
    begin: int
    end: int
    """First second, and the one after the last."""
    step: int
    """Seconds from one price of a chunk to the next."""
    lines: list[Line]
    """The opened symbol's first, unless that has just been removed."""
    marks: list[ChartMark]
    is_kept: bool
    """Whether as much as this is kept at all."""


class Spanned(NamedTuple):
    """The seconds from ``begin`` to ``end`` (excluded) that a chart shows."""

    begin: int
    end: int


def spanned(span: str, at: int | None, newest: int) -> Spanned:
    """What a chart of a ``span`` shows while the second ``at`` is shown, None for live.

    The newest there is, so that a moment is seen with what came after it; if that is too long ago,
    the whole half spans around the moment, which lies in the second of them.
    """
    sec = SPANS[span].sec
    if at is None or at > newest - sec:
        return Spanned(newest + 1 - sec, newest + 1)
    half = sec // 2
    end = (at // half + 1) * half
    return Spanned(end - sec, min(end, newest + 1))


def chart(
    reader: Reader,
    now: float,
    version: int,
    span: str,
    begin: int,
    end: int,
    symbols: tuple[str, ...],
) -> Chart:
    """The chart of ``symbols``, the opened one first, as far as is known at ``now``.

    ``version`` is that of the events, which may change while the second that is shown does not.
    What is no longer watched has no line.
    """
    _, frame = reader.pulse(now)
    return Chart(
        span=span,
        begin=begin,
        end=end,
        step=SPANS[span].step,
        lines=[
            _line(reader, frame, symbol, now, span, begin, end)
            for symbol in symbols
            if symbol in frame.index
        ],
        marks=_marks(reader, now, symbols[0], begin, end),
        is_kept=span != "day" or reader.keeps_days,
    )


def _line(
    reader: Reader, frame: pd.DataFrame, symbol: str, now: float, span: str, begin: int, end: int
) -> Line:
    step = SPANS[span].step
    chunk = CHUNK_STEPS * step
    first = begin // chunk * chunk
    prices = _prices(reader, symbol, now, first, end, step)
    values = [None if price != price else price for price in prices.tolist()]
    last = last_text({"last": frame.at[symbol, "last"], "asset": frame.at[symbol, "asset"]})
    return Line(
        symbol=symbol,
        decimals=len(last.partition(".")[2]),
        chunks={
            str(first + place * step): values[place : place + CHUNK_STEPS]
            for place in range(0, len(values), CHUNK_STEPS)
        },
        anchor=_anchor(reader, symbol, begin, first, step, prices),
    )


def _prices(reader: Reader, symbol: str, now: float, first: int, end: int, step: int) -> Floats:
    """The newest price of every ``step`` seconds from ``first`` on, and before ``end``."""
    if step == STEP_SEC:
        last: Floats = reader.coarse_prices(symbol, first, end)[0]
        return last
    steps = -(-(end - first) // step)
    padded = np.full(steps * step, np.nan)
    found = reader.store_at(now).history(symbol, end - 1, end - first)["price"].to_numpy()
    padded[: len(found)] = found
    blocks = padded.reshape(-1, step)
    # The newest in each block: from the right the first that is known.
    newest = (~np.isnan(blocks[:, ::-1])).argmax(axis=1)
    prices: Floats = blocks[:, ::-1][np.arange(steps), newest]
    return prices


def _anchor(
    reader: Reader, symbol: str, begin: int, first: int, step: int, prices: Floats
) -> Anchor | None:
    """The first minute of the span at which price and usual move are known."""
    places = np.arange(len(prices))
    (known,) = np.nonzero(~np.isnan(prices) & (first + (places + 1) * step > begin))
    if not len(known):
        return None
    minute = -(-max(begin, first + int(known[0] + 1) * step) // ANCHOR_SEC) * ANCHOR_SEC
    for ts in range(minute, minute + _LOOKS * _LOOK_SEC, _LOOK_SEC):
        found = reader.once(_anchor_at, reader, symbol, ts)
        if found is not None:
            return found
    return None


def _anchor_at(reader: Reader, symbol: str, ts: int) -> Anchor | None:
    now, frame = reader.pulse(ts)
    if int(now) != ts or symbol not in frame.index:
        return None
    price, vol = (float(frame[name].loc[symbol]) for name in ("last", "vol_15m"))
    if math.isnan(price) or not vol > 0:
        return None
    return Anchor(ts, price, float(f"{vol:.4g}"))


def _marks(reader: Reader, now: float, symbol: str, begin: int, end: int) -> list[ChartMark]:
    events = standing(reader.events_at(now).latest(EVENTS_READ, since=begin))
    found = [event_line(event) for event in events if symbol in event.symbols and event.ts < end]
    return [
        ChartMark(
            id=line.id,
            ts=line.ts,
            peak=line.peak,
            severity=line.severity,
            text=f"{line.title} {line.brief}",
        )
        for line in found[:MARKS]
    ]
