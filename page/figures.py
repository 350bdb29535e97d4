"""Figures: what is known of the opened symbol, each in plain words made of its own numbers.

First the words, then the formula for who asks. Figures are a row of a frame, by the names of its
columns; NaN is not known, and what is not known has no entry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from engine.reader import DayRange
from formulas import trend_noise
from page.columns import PERCENT_DECIMALS, day_change
from page.surprise import past_words, peer_words, remembered
from page.tones import tone
from ticks import HORIZONS_SEC, Asset
from wording import (
    EARLY_TEXT,
    percent_text,
    price_text,
    rarity_text,
    signed_text,
    size_text,
    times_usual_text,
)

__all__ = ["Dated", "Figure", "figures_of"]

_DAY_BEGINS: Final = {
    "stocks": "the previous close of",
    "forex": "the 17:00 New York price of",
    "crypto": "the price 24 hours ago of",
}
"""What the change of a day is measured against."""

_DAY_NAMES: Final[Mapping[Asset, str]] = {
    "stocks": "this session",
    "forex": "this day, from 17:00 in New York",
    "crypto": "these 24 hours",
}

_REGIMES: Final = {"high_vol": ": volatile", "normal": ": calm", "unknown": ""}

_LATE_SEC: Final = 1800
"""A day whose prices are known from later on than this is not known whole."""

_MOVES: Final = "price now ÷ price then − 1, of the newest ticks at or before each second"
_USUAL: Final = (
    "z = move of the last minute ÷ (vol · √(60/900)), with the typical move over 15 minutes, vol,"
    " as it stood a minute ago"
)
_SURPRISE: Final = (
    f"{_USUAL}. The surprise is the number of standard deviations, σ, at which a normal variable"
    " is as rare as this z was among the symbol's own minutes of a day."
)
_HEAT: Final = "largest |surprise| of the last 15 minutes, halved every 3 minutes"
_PEERS: Final = "its surprise − the median surprise of the others of its class, 3 or more"
_VOL: Final = (
    "√(900 · Σr² ÷ Στ) of the returns r between mean prices of ten seconds, τ seconds apart, of"
    " 15 minutes; less where prices bounce"
)
_TREND: Final = (
    "least-squares slope of the logarithms of the mean prices of ten seconds on time, of 15 minutes"
)
_USUAL_1M: Final = "99.5th percentile of |1 min| over the symbol's own last day"


class Dated(msgspec.Struct, frozen=True):
    """A sentence that names instants."""

    text: str
    """With ``{}`` for each of them."""
    at: list[float]
    """In epoch seconds: the viewer's clock is the browser's to know."""


class Figure(msgspec.Struct, frozen=True):
    """One figure."""

    name: str
    value: str
    tone: int
    """As of ``tones``."""
    words: str | Dated
    """What it means here, in plain words."""
    formula: str
    """How it is computed."""
    place: float | None = None
    """How far up a range the last price lies, from 0 to 1; None if it is no range."""


def figures_of(figures: Mapping[str, Any], now: float, of_day: DayRange | None) -> list[Figure]:
    """The figures of a symbol that is not closed, at ``now``."""
    decimals = PERCENT_DECIMALS[figures["asset"]]
    return [
        *_surprise(figures, now, decimals),
        *_peers(figures),
        *_moves(figures, decimals),
        *day_figures(figures, of_day),
        *_hour(figures, decimals),
        *_volatility(figures, decimals),
        *_trend(figures, decimals),
    ]


def day_figures(figures: Mapping[str, Any], of_day: DayRange | None) -> Iterator[Figure]:
    """The change of the day, and its range."""
    asset: Asset = figures["asset"]
    if not math.isnan(figures["ret_day"]):
        text, strength = day_change(figures)
        before = price_text(figures["prev_close"], asset)
        yield Figure(
            name="Day",
            value=text,
            tone=strength,
            words=f"It moved {text} from {_DAY_BEGINS[asset]} {before}.",
            formula="last price ÷ that price − 1",
        )
    if of_day is not None:
        low, high = price_text(of_day.low, asset), price_text(of_day.high, asset)
        text = f"Lowest {low}, highest {high} in {_DAY_NAMES[asset]}"
        is_whole = of_day.known_since <= of_day.since + _LATE_SEC
        yield Figure(
            name="Day's range",
            value=f"{low} – {high}",
            tone=0,
            words=f"{text}."
            if is_whole
            else Dated(f"{text}, as far as prices are kept: since {{}}.", [of_day.known_since]),
            formula="lowest and highest of the newest prices of its seconds",
            place=_place(figures["last"], of_day.low, of_day.high),
        )


def _surprise(figures: Mapping[str, Any], now: float, decimals: int) -> Iterator[Figure]:
    surprise = figures["surprise"]
    if not math.isnan(surprise):
        move = percent_text(figures["ret_1m"], decimals)
        usual = size_text(figures["sigma_1m"], decimals + 1)
        rarity = f" ({EARLY_TEXT})" if figures["early"] else f": {rarity_text(surprise)}"
        yield Figure(
            name="Surprise",
            value=f"{signed_text(surprise, 1)}σ",
            tone=tone(surprise),
            words=f"Its last minute moved {move}, {times_usual_text(figures['z'])} of {usual}"
            f"{rarity}.",
            formula=_SURPRISE,
        )
    past = remembered(figures, now)
    if past is not None:
        yield Figure(
            name="Lately",
            value=f"{signed_text(past.surprise, 1)}σ",
            tone=tone(past.surprise),
            words=Dated(past_words(past, is_early=figures["early"]), [past.ts]),
            formula=_HEAT,
        )


def _peers(figures: Mapping[str, Any]) -> Iterator[Figure]:
    beyond = figures["vs_peers"]
    if math.isnan(beyond) or math.isnan(figures["surprise"]):
        return
    others = signed_text(figures["surprise"] - beyond, 1)
    yield Figure(
        name="Beside its peers",
        value=f"{signed_text(beyond, 1)}σ",
        tone=tone(beyond),
        words=f"{peer_words(figures)}: the median of the others of its class is {others}σ.",
        formula=_PEERS,
    )


def _moves(figures: Mapping[str, Any], decimals: int) -> Iterator[Figure]:
    known = {
        name.removesuffix("m"): percent_text(figures[f"ret_{name}"], decimals)
        for name in HORIZONS_SEC
        if not math.isnan(figures[f"ret_{name}"])
    }
    if known:
        told = ", ".join(f"{text} in {minutes} min" for minutes, text in known.items())
        yield Figure(
            name="Moves",
            value=" · ".join(known.values()),
            tone=0,
            words=f"It moved {told}.",
            formula=_MOVES,
        )


def _hour(figures: Mapping[str, Any], decimals: int) -> Iterator[Figure]:
    low, high = figures["range_low"], figures["range_high"]
    if math.isnan(low) or not low > 0:
        return
    lowest, highest = (price_text(price, figures["asset"]) for price in (low, high))
    yield Figure(
        name="Hour's range",
        value=f"{lowest} – {highest}",
        tone=0,
        words=f"Lowest {lowest}, highest {highest} in the last hour,"
        f" {size_text(high / low - 1, decimals)} apart.",
        formula="lowest and highest of the newest prices of its seconds",
        place=_place(figures["last"], low, high),
    )


def _volatility(figures: Mapping[str, Any], decimals: int) -> Iterator[Figure]:
    vol, median, usual = figures["vol_15m"], figures["vol_median"], figures["usual_1m"]
    if not math.isnan(vol):
        text = f"A typical 15 minutes moves it {size_text(vol, decimals)}"
        if median > 0:
            text += f", {vol / median:.1f} × its hourly median"
        yield Figure(
            name="Volatility",
            value=f"{size_text(vol, decimals)} in 15 min",
            tone=0,
            words=f"{text}{_REGIMES[figures['regime']]}.",
            formula=_VOL,
        )
    if not math.isnan(usual):
        text = size_text(usual, decimals)
        yield Figure(
            name="Rare minute",
            value=f"from {text} on",
            tone=0,
            words=f"One minute of 200 moves it more than {text}.",
            formula=_USUAL_1M,
        )


def _trend(figures: Mapping[str, Any], decimals: int) -> Iterator[Figure]:
    trend = figures["trend_15m"]
    if math.isnan(trend):
        return
    text = f"{percent_text(trend, decimals + 1)} a minute"
    noise = float(trend_noise(figures["vol_15m"]))
    is_chance = abs(trend) <= noise
    verdict = "no more than chance makes" if is_chance else "more than chance makes"
    yield Figure(
        name="Trend",
        value=text,
        # Chance alone is within twice its standard deviation.
        tone=0 if is_chance else tone(2 * trend / noise),
        words=f"Over 15 minutes it went {text}, {verdict}"
        f" ({size_text(noise, decimals + 1)} a minute).",
        formula=_TREND,
    )


def _place(last: float, low: float, high: float) -> float | None:
    if math.isnan(last) or not high > low:
        return None
    return round(max(0.0, min(1.0, float((last - low) / (high - low)))), 3)
