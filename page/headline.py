"""Headline: what matters at a second in one sentence, and how broadly each asset class moves.

``outlook`` picks what it is of; here it becomes facts, and the facts become words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from correlation import twins
from engine.reader import SECOND_END, Reader
from events import STILL_WITHIN, Company, company_of
from page.outlook import Breadth, Outlook, Picked, Second, picked, review_second
from page.standstill import aged
from wording import (
    EARLY_TEXT,
    brief_percent_text,
    brief_times_text,
    duration_text,
    joined_names,
    rarity_text,
    signed_text,
)

__all__ = ["Headline", "Subject", "headline", "subject"]

EVENTS_READ: Final = 500
"""How many of the newest events are searched for what matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What matters, in numbers."""

    symbol: str
    """Empty: a whole feed."""
    event: str
    """The id of its event; empty if its move was none."""
    ts: int
    """The second at which it was furthest: the one to look at."""
    title: str
    """Who and by how much."""
    brief: str
    """How long that took, beside what is usual, and in what company."""
    more: str
    """What else belongs to it; may be empty."""
    severity: str
    rises: bool | None
    surprise: float | None
    is_early: bool
    """Whether that surprise is not of its own last day yet."""
    is_history: bool
    """Whether it was found in a past that nobody watched."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The line, to be written one after the other: lead, rest, then the breadth of each class.

    "META −0.93 %" "in 1 min, 8× its usual minute, alone" · stocks 2▲ 5▼ · forex quiet · ...
    """

    lead: str
    """What is to be clicked, which opens ``symbol`` at the second ``ts`` and marks ``event``; empty
    if nothing stands out."""
    rest: str
    """The rest of the sentence; the whole of it if there is no lead."""
    hover: str
    """For a pointer at rest on the sentence: the same in σ, and what else is known; may be empty.
    """
    symbol: str
    """Empty: there is no symbol to open, as the lead is of a feed or there is none."""
    event: str
    """The event that the lead tells of; may be empty."""
    ts: int | None
    """None without a lead."""
    severity: str
    """Of the event; empty if there is none."""
    rises: bool | None
    """The direction of the move; None if it has none."""
    breadth: tuple[Breadth, ...]
    """Of each class that is watched, in the order of classes."""


def headline(reader: Reader, now: float, version: int, still_sec: int = 0) -> Headline:
    """The headline of ``now``, with the events of that ``version``.

    No second has come for ``still_sec``: prices are that much older than they were at ``now``.
    """
    review = review_second(int(now)) + SECOND_END
    # That of the review is the same for ten seconds.
    found = picked(
        reader.once(_second, reader, review, version), _second(reader, now, version, still_sec)
    )
    told = subject(reader, found)
    if told is None:
        return Headline(
            lead="",
            rest=_UNTOLD if _is_untold(found, still_sec) else _plain_text(found),
            hover="",
            symbol="",
            event="",
            ts=None,
            severity="",
            rises=None,
            breadth=found.breadth,
        )
    ago = _ago_text(now + still_sec - told.ts, is_running=found.outlook is Outlook.RUNNING)
    return Headline(
        lead=told.title,
        rest=", ".join(filter(None, (told.brief, ago))),
        hover=_hover_text(told),
        symbol=told.symbol,
        event=told.event,
        ts=told.ts,
        severity=told.severity,
        rises=told.rises,
        breadth=found.breadth,
    )


def _second(reader: Reader, at: float, version: int, still_sec: int = 0) -> Second:
    now, frame = reader.pulse(at)
    frame = aged(frame, still_sec)
    events = reader.events_at(now).latest(EVENTS_READ, now)
    return Second(now, frame, reader.states(frame, now), events, reader.usual(frame, now))


def subject(reader: Reader, found: Picked) -> Subject | None:
    """What was picked, in numbers; None if nothing was."""
    event = found.event
    if event is None:
        return (
            reader.once(_minute, reader, found.symbol, int(found.moved_ts))
            if found.symbol
            else None
        )
    return Subject(
        symbol=event.symbol,
        event=event.id,
        ts=int(event.peak_ts),
        title=event.title,
        brief=event.brief,
        more=event.more,
        severity=event.severity,
        rises=event.lead.rises,
        surprise=event.lead.surprise,
        is_early=event.early,
        is_history=event.history,
    )


def _minute(reader: Reader, symbol: str, second: int) -> Subject | None:
    """The minute up to a second of a symbol, of which no event tells, from the frame of then.

    None if the symbol has just been removed.
    """
    now, frame = reader.pulse(second + SECOND_END)
    if symbol not in frame.index:
        return None
    row = frame.index.get_loc(symbol)
    figures: dict[str, Any] = {name: frame[name].iloc[row] for name in frame.columns}
    surprise, beyond = (_known(float(figures[name])) for name in ("surprise", "vs_peers"))
    rises = (surprise or 0.0) > 0.0
    # Whoever moves the same way may be a twin, of whatever class.
    moving = frame.index[frame["surprise"] * (1.0 if rises else -1.0) > STILL_WITHIN]
    others = [name for name in moving.tolist() if name != symbol]
    alike = twins(reader.store_at(now), [symbol, *others], now)[symbol]
    company = company_of(surprise, beyond, rises=rises, has_company=bool(alike))
    change = float(figures["ret_1m"])
    usual = f"{brief_times_text(float(figures['z']))} its usual minute"
    return Subject(
        symbol=symbol,
        event="",
        ts=second,
        title=f"{joined_names([symbol, *sorted(alike)])} {brief_percent_text(change)}",
        brief=", ".join(
            ("in 1 min", usual, *([company] if company is not Company.UNKNOWN else []))
        ),
        more="",
        severity="",
        rises=rises,
        surprise=surprise,
        is_early=bool(figures["early"]),
        is_history=False,
    )


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


# Words.

_PLAIN: Final[Mapping[Outlook, str]] = {
    Outlook.REMEMBERED: "Nothing stands out",
    Outlook.ORDINARY: "Nothing stands out",
    Outlook.QUIET: "Everything is within its usual range",
    Outlook.LEARNING: "Still learning what is usual: too early to judge",
    Outlook.CLOSED: "Every market is closed",
    Outlook.NOTHING: "No symbols are watched",
}


_UNTOLD: Final = "Nothing is known yet"


def _is_untold(found: Picked, still_sec: int) -> bool:
    """Whether nothing is watched because no other process has told yet what is."""
    return found.outlook is Outlook.NOTHING and still_sec > 0


def _plain_text(found: Picked) -> str:
    """The sentence if nothing stands out."""
    if found.outlook is Outlook.GOING_ON:
        goes_on = "an event goes on" if found.running == 1 else f"{found.running} events go on"
        return f"Nothing new; {goes_on}"
    if found.outlook is not Outlook.SILENT:
        return _PLAIN[found.outlook]
    if math.isnan(found.silent_sec):
        return "No price yet"
    return f"No new price for {duration_text(found.silent_sec)}"


def _hover_text(told: Subject) -> str:
    """How rare it is, and what else is known of it."""
    words = []
    if told.is_early:
        words.append(EARLY_TEXT)
    elif told.surprise is not None:
        words.append(f"{signed_text(told.surprise, 1, 'σ')}, {rarity_text(told.surprise)}")
    words.append(told.more)
    if told.is_history:
        words.append("found in the past hour when the dashboard started")
    text = "; ".join(filter(None, words))
    return text[:1].upper() + text[1:]


def _ago_text(seconds: float, *, is_running: bool) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min ago" if minutes > 0 else "" if is_running else "just now"
