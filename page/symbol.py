"""Symbol: the sheet of the one that is opened, with its figures, events, rules and correlations.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.reader import REWIND_SEC, Reader
from engine.status import HeldBack
from page.columns import last_text
from page.correlations import ClosedMarkets, PairText, closed_markets, missing_text, pair_text
from page.figures import Dated, Figure, day_figures, figures_of
from page.rows import PREVIOUS_CLOSE, Row, rows
from page.rule_words import rule_text
from page.standstill import aged
from page.stress import EVENTS_READ, EventLine, event_line, standing
from page.view import bin_sec
from ticks import ASSETS
from wording import duration_text

__all__ = ["RuleLine", "SymbolCard", "symbol_card"]


class RuleLine(msgspec.Struct, frozen=True):
    """A rule of the user's that applies to the symbol."""

    name: str
    text: str


class SymbolCard(msgspec.Struct, frozen=True):
    """The whole sheet, but for its chart."""

    symbol: str
    state_text: str
    last_ts: float | None
    """Time of the last price, if its market is closed."""
    since: float | None
    """Since when trading in it is halted, or since when it may be."""
    last: str
    day: tuple[str, int]
    """The change of the day and its tone; empty if that is not known."""
    words: list[str | Dated]
    figures: list[Figure]
    rules: list[RuleLine]
    events: list[EventLine]
    """Of the hour, the last to begin first; those of a twin that tell of it, too."""
    top: list[PairText]
    missing: str
    """Why there is no correlation to show; empty if there is one."""
    shut: ClosedMarkets | None
    others: list[str]
    """What it can be compared with."""


def symbol_card(
    reader: Reader,
    now: float,
    version: int,
    symbol: str,
    bars: str,
    held: tuple[HeldBack, ...] = (),
    still_sec: int = 0,
) -> SymbolCard | None:
    """The sheet of ``symbol`` at ``now``, with the events of that ``version``.

    None if it has just been removed. ``held`` are the prices that are held back. No second has come
    for ``still_sec``: prices are that much older than they were at ``now``.
    """
    frame = aged(reader.pulse(now).frame, still_sec)
    now += still_sec
    if symbol not in frame.index:
        return None
    place = frame.index.tolist().index(symbol)
    figures = {name: frame[name].iloc[place] for name in frame.columns}
    row = rows(reader, now, frame, [place], held)[place]
    last = last_text(figures)
    correlated = reader.correlation(symbol, bin_sec(bars), ASSETS, now)
    events = standing(reader.events_at(now).latest(EVENTS_READ, now, since=now - REWIND_SEC))
    return SymbolCard(
        symbol=symbol,
        state_text=row.state_text,
        last_ts=row.last_ts,
        since=row.since,
        last=last,
        day=_day(figures),
        words=[*_words(figures, row, last), *_origin_words(reader, symbol, now)],
        figures=_figures(reader, figures, row, symbol, now),
        rules=[
            RuleLine(rule.name, rule_text(rule, symbol, figures["asset"]))
            for rule in reader.rules_of(symbol, figures["asset"], now)
        ],
        events=[event_line(event) for event in events if symbol in event.symbols],
        top=[pair_text(pair, correlated.pairs) for pair in correlated.top],
        missing=missing_text(correlated, has_others=len(frame) > 1),
        shut=None if correlated.top else closed_markets(reader, symbol, ASSETS, now),
        others=[name for name in map(str, frame.index) if name != symbol],
    )


def _day(figures: Mapping[str, Any]) -> tuple[str, int]:
    found = next(day_figures(figures, None), None)
    return ("", 0) if found is None else (found.value, found.tone)


def _origin_words(reader: Reader, symbol: str, now: float) -> list[str | Dated]:
    """Whose prices these are, and until when they are from candles."""
    store = reader.store_at(now)
    vendor, until = store.vendors(now).get(symbol), store.candles_until(symbol, now)
    words: list[str | Dated] = [f"Its prices are those of {vendor}."] if vendor else []
    if until is not None:
        words.append(Dated("Prices until {} are from candles, one a minute.", [until]))
    return words


# Figures are a row of a frame of pandas: numbers and words by the names of its columns.


def _words(figures: Mapping[str, Any], row: Row, last: str) -> list[str | Dated]:
    """How its price stands, a sentence each."""
    if row.state == "closed":
        return _closing_words(row, last)
    if math.isnan(figures["age"]):
        return ["No price yet."]
    return [
        *([f"{row.state_title}."] if row.state_title else []),
        f"Last price {last}, {duration_text(figures['age'])} old.",
    ]


def _figures(
    reader: Reader, figures: Mapping[str, Any], row: Row, symbol: str, now: float
) -> list[Figure]:
    if row.state == "closed":
        is_said = row.session is not None and row.session.since == PREVIOUS_CLOSE
        return [] if is_said else list(day_figures(figures, None))
    if math.isnan(figures["age"]):
        return []
    return figures_of(figures, now, reader.day_range(symbol, figures["asset"], now))


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
