"""Outlook: the one thing that matters at a second, and how broadly each asset class moves.

Both are functions of that second's frame and events alone, so that they say the same in every tab,
and of a second that is looked back at what they said then.

What matters is a running event whose peak was within a quarter of an hour, if there is one: the
hottest by its own peak, an alert counting twice and an extreme one four times. Else it is the
hottest symbol that is remembered: for a move as rare as an event's, or by an event of that quarter
of an hour.

It is picked every ten seconds and stays for these, unless a severe event that comes before it
begins. And so that two symbols do not take turns, heats are compared in steps of √2: what is left
of a move halves every three minutes for all alike, so the order of two changes only if one of them
moves anew and passes a step; within a step what began first comes first, or the upper row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from engine.ranking import State
from events import Event
from formulas import HALF_LIFE_SEC, Floats
from page.surprise import RARE
from ticks import ASSETS, MIN_SURPRISE, SEVERITIES, Asset

__all__ = ["Breadth", "Outlook", "Picked", "Second", "picked", "review_second"]

REMEMBERED_SEC: Final = 900
"""An event counts for so long after its peak: as far back as heat remembers."""

STEPS: Final = 2
"""Steps to each doubling of a heat."""

REVIEW_SEC: Final = 10
"""How often what matters is picked."""


class Outlook(StrEnum):
    """What there is to say at a second."""

    RUNNING = "running"
    """An event goes on."""
    REMEMBERED = "remembered"
    """Something did within the last quarter of an hour."""
    GOING_ON = "going on"
    """Nothing new does; what began earlier has not ended."""
    ORDINARY = "ordinary"
    """Some are a little beyond their usual range, and none stands out."""
    QUIET = "quiet"
    """Every symbol is within its usual range."""
    LEARNING = "learning"
    """What is usual is not known of any symbol yet."""
    SILENT = "silent"
    """Of no symbol is there a new price, though some market is open."""
    CLOSED = "closed"
    """Every market is closed."""
    NOTHING = "nothing"
    """No symbols are watched."""


class Breadth(msgspec.Struct, frozen=True):
    """How many symbols of a class are beyond their usual range, by the direction of their heat.

    Those are the rows that the list does not fold: ``engine.ranking.is_usual``, which is a minute
    rarer than 95 % of the symbol's own that has not faded, or an event of the last three minutes.
    """

    asset: Asset
    up: int
    down: int
    word: str
    """What to say in the place of the numbers: "quiet" if both are 0, "closed" if its market is,
    "learning" while nobody knows what is usual, "no prices" if none is fresh; else empty."""


class Second(NamedTuple):
    """What is known of a second."""

    now: float
    """Its last instant."""
    frame: pd.DataFrame
    states: Sequence[State]
    """Of the rows of the frame."""
    events: Sequence[Event]
    """As they stood then."""
    usual: Sequence[bool]
    """Whether each row is within its usual range."""


class Picked(NamedTuple):
    """What matters at a second, and what is around it."""

    outlook: Outlook
    breadth: tuple[Breadth, ...]
    """Of each class that is watched, in the order of classes."""
    event: Event | None = None
    """The event that matters; None if none does."""
    symbol: str = ""
    """The symbol that matters though no event tells of its move; empty if there is none."""
    moved_ts: float = math.nan
    """The last second of the minute in which that symbol moved."""
    running: int = 0
    """How many events go on."""
    silent_sec: float = math.nan
    """How old the newest price of a market that is not closed is; NaN: there is none."""


def review_second(second: int) -> int:
    """The second in which what matters in ``second`` was picked."""
    return (second + 1) // REVIEW_SEC * REVIEW_SEC - 1


def picked(review: Second, at: Second) -> Picked:
    """What matters in the second ``at``, as picked in its ``review`` second."""
    rows = _Rows(at)
    breadth = tuple(rows.breadth(asset) for asset in ASSETS if rows.watches(asset))
    event, symbol, moved_ts = _pick(_Rows(review))
    if event is not None:
        # As it stands now; what is no longer watched, or has closed, matters no more.
        event = next((state for state in rows.known if state.id == event.id), None)
    if symbol not in at.frame.index:
        symbol = ""
    # What is severe and comes before that does not wait.
    begun = [
        one
        for one in rows.running()
        if one.ts > review.now
        and one.severity != SEVERITIES[0]
        and (event is None or event.over_ts or _precedence(one) < _precedence(event))
    ]
    if begun:
        event = min(begun, key=_precedence)
    if event is not None:
        is_running = event.over_ts is None
        return Picked(Outlook.RUNNING if is_running else Outlook.REMEMBERED, breadth, event=event)
    if symbol:
        return Picked(Outlook.REMEMBERED, breadth, symbol=symbol, moved_ts=moved_ts)
    running = sum(one.over_ts is None for one in at.events)
    outlook = rows.outlook(breadth)
    if running and outlook in (Outlook.QUIET, Outlook.ORDINARY):
        outlook = Outlook.GOING_ON
    return Picked(outlook, breadth, running=running, silent_sec=rows.silent_sec)


def _pick(rows: _Rows) -> tuple[Event | None, str, float]:
    """What matters: an event, or else a symbol and when it moved, or nothing."""
    running = rows.running()
    if running:
        return min(running, key=_precedence), "", math.nan
    symbol = rows.hottest()
    if symbol is None:
        return None, "", math.nan
    moved_ts = rows.moved_ts(symbol)
    own = [event for event in rows.known if symbol in event.symbols]
    of_move = [event for event in own if event.ts - 60 <= moved_ts <= event.updated_ts]
    told = of_move or ([] if rows.stands_out(symbol) else own)
    nearest = min(told, key=lambda one: (abs(one.peak_ts - moved_ts), one.id), default=None)
    return nearest, "" if nearest else symbol, moved_ts


def _precedence(event: Event) -> tuple[float, float, str]:
    """Which of several running events comes first: that of the least.

    By what would be left of its peak at any later instant, in steps. Of a volatility, which has no
    surprise, it is as many times the least surprise of a move as its threshold.
    """
    surprise = event.lead.surprise
    size = MIN_SURPRISE * event.ratio if surprise is None else abs(surprise)
    step = math.floor(STEPS * (math.log2(max(size, 1.0)) + event.peak_ts / HALF_LIFE_SEC))
    return -step - STEPS * SEVERITIES.index(event.severity), event.ts, event.id


class _Rows:
    """The rows of a second's frame by what is remembered of each, and its events."""

    def __init__(self, at: Second) -> None:
        now, frame, states, events, usual = at
        self._names: list[str] = frame.index.tolist()
        self._row = {name: row for row, name in enumerate(self._names)}
        self._asset = frame["asset"].to_numpy(dtype=object)
        self._state = np.array(states, dtype=object)
        self._is_usual = np.array(usual, dtype=np.bool_)
        self._is_fresh = np.isin(self._state, ("live", "quiet"))
        self._age: Floats = frame["age"].to_numpy(dtype=np.float64)
        self._moved_ts: Floats = frame["heat_ts"].to_numpy(dtype=np.float64)
        self._heat: Floats = frame["heat"].to_numpy(dtype=np.float64)
        size = np.abs(self._heat)
        second = math.floor(now)
        then = size * np.exp2((second - self._moved_ts) / HALF_LIFE_SEC)
        self._stands_out = (size >= RARE) & (then >= MIN_SURPRISE)
        # The same in each second in which no hotter move comes.
        self._step = np.full(len(size), -math.inf)
        is_hot = size > 0.0
        self._step[is_hot] = np.floor(STEPS * (np.log2(size[is_hot]) + second / HALF_LIFE_SEC))
        self.known = [
            event
            for event in events
            if self._may_move(event) and event.peak_ts > now - REMEMBERED_SEC
        ]
        """The events that still count: one may last for days."""

    def running(self) -> list[Event]:
        """The events that go on."""
        return [event for event in self.known if event.over_ts is None]

    def watches(self, asset: Asset) -> bool:
        """Whether any symbol of a class is watched."""
        return bool((self._asset == asset).any())

    def breadth(self, asset: Asset) -> Breadth:
        """How broadly a class moves."""
        of_class = self._asset == asset
        fresh = of_class & self._is_fresh
        heat = self._heat[fresh & ~self._is_usual]
        up, down = int((heat > 0.0).sum()), int((heat < 0.0).sum())
        word = ""
        if (self._state[of_class] == "closed").all():
            word = "closed"
        elif not fresh.any():
            word = "no prices"
        elif np.isnan(self._heat[fresh]).all():
            word = "learning"
        elif not up + down:
            word = "quiet"
        return Breadth(asset, up, down, word)

    def _may_move(self, event: Event) -> bool:
        """Whether the market of an event's symbol is not closed; so may that of a feed's event."""
        row = self._row.get(event.symbol)
        return not event.symbol or (row is not None and self._state[row] != "closed")

    def hottest(self) -> str | None:
        """The hottest symbol that is remembered; None: nothing is.

        It is remembered if it is beyond its usual range by a move as rare as an event's, or by an
        event.
        """
        told = {name for event in self.known for name in event.symbols}
        counts = self._stands_out.copy()
        counts[[self._row[name] for name in told if name in self._row]] = True
        rows = np.flatnonzero(counts & self._is_fresh)
        return self._names[rows[self._step[rows].argmax()]] if len(rows) else None

    def stands_out(self, symbol: str) -> bool:
        """Whether its move is remembered whether it was an event or not."""
        return bool(self._stands_out[self._row[symbol]])

    def moved_ts(self, symbol: str) -> float:
        """The second of the move that a symbol's heat is of; NaN: there is none."""
        return float(self._moved_ts[self._row[symbol]])

    def outlook(self, breadth: Sequence[Breadth]) -> Outlook:
        """What there is to say if nothing stands out."""
        words = {one.word for one in breadth}
        if not words:
            return Outlook.NOTHING
        if words == {"closed"}:
            return Outlook.CLOSED
        if words <= {"closed", "no prices"}:
            return Outlook.SILENT
        if "" in words:
            return Outlook.ORDINARY
        return Outlook.QUIET if "quiet" in words else Outlook.LEARNING

    @property
    def silent_sec(self) -> float:
        """How old the newest price of a market that is not closed is; NaN: there is none."""
        ages = self._age[self._state != "closed"]
        return math.nan if np.isnan(ages).all() else float(np.nanmin(ages))
