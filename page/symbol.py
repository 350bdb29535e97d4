"""Symbol: the card of the one that is opened, with its figures as sentences and its hour as a line.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from engine.reader import REWIND_SEC, Reader
from engine.status import HeldBack
from formulas import trend_noise
from page.columns import PERCENT_DECIMALS, last_text
from page.correlations import ClosedMarkets, PairText, closed_markets, missing_text, pair_text
from page.rows import PREVIOUS_CLOSE, Row, rows
from page.stress import EVENTS_READ, EventLine, event_line
from page.surprise import minute_words, past_words, remembered
from page.view import bin_sec
from ticks import ASSETS, HORIZONS_SEC
from wording import duration_text, percent_text, price_text, size_text

__all__ = ["Chart", "Dated", "SymbolCard", "symbol_card"]

CHART_BIN_SEC: Final = 5

_DAY_BEGINS: Final = {
    "stocks": "the previous close of",
    "forex": "the 17:00 New York price of",
    "crypto": "the price 24 hours ago of",
}
"""What the change of a day is measured against."""

_REGIMES: Final = {"high_vol": ": volatile", "normal": ": calm", "unknown": ""}


class Dated(msgspec.Struct, frozen=True):
    """A sentence that names instants."""

    text: str
    """With ``{}`` for each of them."""
    at: list[float]
    """In epoch seconds: the viewer's clock is the browser's to know."""


class Chart(msgspec.Struct, frozen=True):
    """The hour of a symbol as a line."""

    start: int
    """Second of the first price."""
    step: int
    """Seconds from one price to the next."""
    prices: list[float | None]
    """None if no tick fell: a hole in the line."""


class SymbolCard(msgspec.Struct, frozen=True):
    """The whole card."""

    symbol: str
    state_text: str
    last_ts: float | None
    """Time of the last price, if its market is closed."""
    since: float | None
    """Since when trading in it is halted, or since when it may be."""
    last: str
    words: list[str | Dated]
    chart: Chart
    decimals: int
    """Of its prices."""
    events: list[EventLine]
    top: list[PairText]
    missing: str
    """Why there is no correlation to show; empty if there is one."""
    shut: ClosedMarkets | None


def symbol_card(
    reader: Reader,
    now: float,
    version: int,
    symbol: str,
    bars: str,
    held: tuple[HeldBack, ...] = (),
) -> SymbolCard:
    """The card of ``symbol`` at ``now``, with the events of that ``version``.

    ``held`` are the prices that are held back.
    """
    _, frame = reader.pulse(now)
    place = frame.index.tolist().index(symbol)
    figures = {name: frame[name].iloc[place] for name in frame.columns}
    row = rows(reader, now, frame, [place], held)[place]
    last = last_text(figures)
    correlated = reader.correlation(symbol, bin_sec(bars), ASSETS, now)
    events = reader.events_at(now).latest(EVENTS_READ, now, since=now - REWIND_SEC)
    return SymbolCard(
        symbol=symbol,
        state_text=row.state_text,
        last_ts=row.last_ts,
        since=row.since,
        last=last,
        words=[*_words(figures, row, last, now), *_origin_words(reader, symbol, now)],
        chart=_chart(reader, symbol, now),
        decimals=len(last.partition(".")[2]),
        events=[event_line(event) for event in events if event.symbol == symbol],
        top=[pair_text(pair, correlated.pairs) for pair in correlated.top],
        missing=missing_text(correlated, has_others=len(frame) > 1),
        shut=None if correlated.top else closed_markets(reader, symbol, ASSETS, now),
    )


def _chart(reader: Reader, symbol: str, now: float) -> Chart:
    """The last price of every five seconds of the hour."""
    prices = reader.store_at(now).history(symbol, now, REWIND_SEC)["price"]
    blocks = prices.to_numpy().reshape(-1, CHART_BIN_SEC)
    # The newest in each block: from the right the first that is known.
    known = ~np.isnan(blocks[:, ::-1])
    at = known.argmax(axis=1)
    newest = blocks[:, ::-1][np.arange(len(blocks)), at]
    return Chart(
        start=int(prices.index[0]),
        step=CHART_BIN_SEC,
        prices=[None if x != x else x for x in newest.tolist()],
    )


def _origin_words(reader: Reader, symbol: str, now: float) -> list[str | Dated]:
    """Whose prices these are, and until when they are from candles."""
    store = reader.store_at(now)
    vendor, until = store.vendors(now).get(symbol), store.candles_until(symbol, now)
    words: list[str | Dated] = [f"Its prices are those of {vendor}."] if vendor else []
    if until is not None:
        words.append(Dated("Prices until {} are from candles, one a minute.", [until]))
    return words


# Figures are a row of a frame of pandas: numbers and words by the names of its columns.


def _words(figures: Mapping[str, Any], row: Row, last: str, now: float) -> list[str | Dated]:
    """What is known of a symbol, a sentence each."""
    if row.state == "closed":
        is_said = row.session is not None and row.session.since == PREVIOUS_CLOSE
        return [*_closing_words(row, last), *([] if is_said else _day_words(figures))]
    if math.isnan(figures["age"]):
        return ["No price yet."]
    return [
        *([f"{row.state_title}."] if row.state_title else []),
        f"Last price {last}, {duration_text(figures['age'])} old.",
        *_day_words(figures),
        *_sentences(figures, PERCENT_DECIMALS[figures["asset"]], now),
    ]


def _day_words(figures: Mapping[str, Any]) -> list[str | Dated]:
    """The change of the day, and what it is measured against."""
    asset = figures["asset"]
    if math.isnan(figures["prev_close"]):
        return []
    against = f"{_DAY_BEGINS[asset]} {price_text(figures['prev_close'], asset)}"
    if math.isnan(figures["ret_day"]):
        return [f"{against[0].upper()}{against[1:]}."]
    return [f"Day {percent_text(figures['ret_day'], PERCENT_DECIMALS[asset])}, from {against}."]


def _closing_words(row: Row, last: str) -> list[str | Dated]:
    words: list[str | Dated] = []
    if row.last_ts is not None:
        words.append(Dated(f"Last price {last}, of {{}}.", [row.last_ts]))
    session = row.session
    if session is not None:
        text = (
            f"Last session, {{}} to {{}}: {session.change} from {session.since} of"
            f" {session.first}, lowest {session.low}, highest {session.high}."
        )
        words.append(Dated(text, [session.begin, session.end]))
    return words or ["No price yet: its market is closed."]


def _sentences(figures: Mapping[str, Any], decimals: int, now: float) -> list[str | Dated]:
    """A sentence for each figure that is known."""
    words: list[str | Dated] = []
    moves = ", ".join(
        f"{percent_text(figures[f'ret_{name}'], decimals)} in {name.removesuffix('m')} min"
        for name in HORIZONS_SEC
        if not math.isnan(figures[f"ret_{name}"])
    )
    if moves:
        words.append(f"It moved {moves}.")
    words += minute_words(figures)
    past = remembered(figures, now)
    if past is not None:
        words.append(Dated(past_words(past, is_early=figures["early"]), [past.ts]))
    if not math.isnan(figures["vol_15m"]):
        text = f"A typical 15 minutes moves it {size_text(figures['vol_15m'], decimals)}"
        if figures["vol_median"] > 0:
            text += f", {figures['vol_15m'] / figures['vol_median']:.1f} × its hourly median"
        words.append(f"{text}{_REGIMES[figures['regime']]}.")
    if not math.isnan(figures["usual_1m"]):
        words.append(
            f"One minute of 200 moves it more than {size_text(figures['usual_1m'], decimals)}."
        )
    trend = figures["trend_15m"]
    if not math.isnan(trend):
        noise = trend_noise(figures["vol_15m"])
        text = f"Trend {percent_text(trend, decimals + 1)} a minute"
        words.append(f"{text}{', no more than chance makes' if abs(trend) <= noise else ''}.")
    return words
