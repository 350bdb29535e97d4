"""Event detail: what one event was held against, for a viewer who asks, as labelled words.

Its threshold, what is usual for the symbol, how rare it was, who moved along, the regime of then,
and its times. Every figure is one that the detector compared.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.reader import Reader
from events import Event, Part, When
from page.columns import PERCENT_DECIMALS
from page.words import Instant, Words
from ticks import Regime
from wording import (
    EARLY_TEXT,
    duration_text,
    percent_text,
    price_text,
    rarity_text,
    signed_text,
    size_text,
    times_text,
)

__all__ = ["EventDetail", "event_detail"]

_REGIMES: Final[dict[Regime, str]] = {
    "high_vol": "volatile then",
    "normal": "calm then",
    "unknown": "not known then",
}

_LEVELS: Final = frozenset({When.ABOVE, When.BELOW, When.CROSSES})
_WAITS: Final = frozenset({When.SILENT, When.UNHEARD})


class EventDetail(msgspec.Struct, frozen=True):
    """What an event was held against; its instants are for the viewer's clock to show."""

    id: str
    rows: list[tuple[str, Words]]
    """A label and what there is to say, in the order in which they are read."""


def event_detail(reader: Reader, now: float, version: int, event_id: str) -> EventDetail | None:
    """The detail of an event as it stood at ``now``; None if there was none of that id."""
    event = reader.events_at(now).find(event_id, now)
    return None if event is None else EventDetail(event.id, _rows(event))


def _rows(event: Event) -> list[tuple[str, Words]]:
    rows: list[tuple[str, Words]] = []
    for part in sorted(event.parts, key=lambda one: one is not event.lead):
        rows += _part_rows(part, event.asset)
    lead = event.lead
    if lead.surprise is not None:
        rarity = EARLY_TEXT if event.early else rarity_text(lead.surprise)
        rows.append(("Rarity", (f"{signed_text(lead.surprise, 1, 'σ')}, {rarity}",)))
    if event.vs_peers is not None:
        beyond = signed_text(event.vs_peers, 1, "σ")
        told = f"{event.company}, " if event.company else ""
        rows.append(("Peers", (f"{told}{beyond} beyond the median of its class",)))
    if event.symbol:
        rows.append(("Regime", (_REGIMES[event.regime],)))
    rows.append(("Began", (Instant(event.ts),)))
    rows.append(("Peak", (Instant(event.peak_ts),)))
    if event.over_ts is not None:
        lasted = duration_text(event.over_ts - event.ts)
        rows.append(("Ended", (Instant(event.over_ts), f", after {lasted}")))
    if event.count > 1:
        rows.append(("Came", (f"{event.count} times",)))
    if event.rule:
        rows.append(("Rule", (event.rule,)))
    if event.history:
        rows.append(("Found", ("in the past hour when the dashboard started",)))
    return rows


def _part_rows(part: Part, asset: str) -> list[tuple[str, Words]]:
    """What a part was, what it had to reach, and what is usual."""
    rows = [(_label(part), _what(part, asset))]
    reached = _figure(part, part.threshold, asset)
    beyond = f", it was {times_text(part.ratio)} that" if part.ratio > 1.0 else ""
    rows.append(("Threshold", (f"{reached}{beyond}",)))
    if part.times_usual:
        usual = size_text(abs(part.value) / part.times_usual, PERCENT_DECIMALS[asset])
        over = "its hourly median" if part.rises is None else f"in {_span(part)}"
        rows.append(("Usual", (f"{usual} {over}, it was {times_text(part.times_usual)} that",)))
    return rows


def _label(part: Part) -> str:
    if part.when in _LEVELS:
        return "Price"
    if part.when is When.CORRELATION:
        return "Correlation"
    if part.when in _WAITS:
        return "Silence"
    if part.when is When.SURPRISE:
        return "Surprise"
    return "Volatility" if part.rises is None else "Move"


def _what(part: Part, asset: str) -> Words:
    """The value, over which time, and between which prices."""
    if part.rises is None or part.when in (When.CROSSES, When.SURPRISE):
        over = f" per {_span(part)}" if _label(part) == "Volatility" else ""
        return (f"{_figure(part, part.value, asset)}{over}",)
    text = f"{percent_text(part.value, PERCENT_DECIMALS[asset])} in {_span(part)}"
    if part.from_price is None or part.to_price is None:
        return (text,)
    prices = f"{price_text(part.from_price, asset)} → {price_text(part.to_price, asset)}"
    if part.from_ts is None or part.to_ts is None:
        return (f"{text}, {prices}",)
    return (f"{text}, {prices}, ", Instant(part.from_ts), " to ", Instant(part.to_ts))


def _figure(part: Part, value: float, asset: str) -> str:
    """A value of a part, or its threshold, in its unit."""
    if part.when in _LEVELS:
        return price_text(value, asset)
    if part.when is When.CORRELATION:
        return f"r {signed_text(value, 2)}"
    if part.when is When.SURPRISE:
        return signed_text(value, 1, "σ")
    if part.when in _WAITS:
        return duration_text(value)
    return size_text(abs(value), PERCENT_DECIMALS[asset])


def _span(part: Part) -> str:
    seconds = part.horizon_sec
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
