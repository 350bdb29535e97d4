"""Payload: everything a tab draws at one instant, as text and plain numbers.

What several viewers have in common is made and encoded once a second, however many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVarTuple

import msgspec

from page.correlations import correlation_text, has_heat_map, heat_map
from page.pulse import PulseCard, pulse_card
from page.stress import marks, news, stress_card
from page.symbol import symbol_card
from page.tabs import OpenTabs
from page.view import View
from page.visit import Visit
from ticks import ASSETS
from wording import NOT_KNOWN, duration_text
from worker import GRACE_SEC, REWIND_SEC, Worker

__all__ = ["Correlations", "Payload", "Refresh", "payload"]

_Asked = TypeVarTuple("_Asked")

STANDSTILL_SEC: Final = 5
"""A pulse further behind the worker's clock than this is said to stand still."""

BEHIND_SEC: Final = 2.0
AHEAD_SEC: Final = 0.5
"""How far a vendor's clock may be behind or ahead of this one before it is told."""

_KNOWN_FROM: Final = {
    "calendar": "the exchange's calendar",
    "vendor": "the vendor",
    "source": "nobody: it knows none",
}
"""Who says what a market's hours are."""

_ADVICE: Final = (
    (
        "refused the API key",
        "The data vendor does not accept the API key, so no {asset} prices can arrive. Check"
        " EODHD_API_KEY for typing errors and whether its plan includes live {asset} data, then"
        " restart. Without a key the dashboard runs on simulated prices.",
    ),
    (
        "symbol limit is reached",
        "The account may watch only so many symbols at once, and they are all taken: often by"
        " another copy of this dashboard, or one that was closed less than two minutes ago. It is"
        " tried again by itself. To help: close other copies, or shorten the watchlist. ({reason})",
    ),
    (
        "not covered by this key",
        "The account's plan does not include these {asset} symbols; the others are not affected."
        " Take them off the watchlist, or extend the plan. ({reason})",
    ),
    (
        "over the account's",
        "The watchlist is longer than the account may watch at once, so the last {asset} symbols"
        " on it are left out. Shorten the watchlist. ({reason})",
    ),
    (
        "did not accept the subscription",
        "The data vendor does not understand what is asked of it for {asset}. Check the spelling of"
        " the symbols on the watchlist. ({reason})",
    ),
    (
        "too many connections",
        "The data vendor sees too many connections of this account. It is tried again by itself."
        " To help: close other copies of this dashboard.",
    ),
    (
        "no connection",
        "The data vendor cannot be reached for {asset}. It is tried again by itself. To help: check"
        " this machine's network. ({reason})",
    ),
)
"""What a reason means to somebody who does not run the feeds, and what to do about it."""


class Refresh(msgspec.Struct, frozen=True):
    """How often the tabs refresh."""

    sec: float
    tabs: int
    """How many there are."""


class Correlations(msgspec.Struct, frozen=True):
    """Both parts of the correlation card."""

    card: msgspec.Raw
    """A ``CorrelationText``."""
    heat: msgspec.Raw | None
    """A ``HeatMap``; None if it is not asked for, or has too many symbols."""


class Payload(msgspec.Struct, frozen=True):
    """Everything a tab draws; what is raw was encoded once for all tabs that ask alike."""

    now: float
    """The instant that is shown."""
    live_now: float
    """The newest instant there is."""
    reach: tuple[int, int]
    """First and last second that can be shown."""
    line: tuple[int, int]
    """First and last second of the hour's line."""
    at: int | None
    """The second that is shown; None is live."""
    view: View
    notes: Sequence[str]
    """Told at the top."""
    pulse: msgspec.Raw
    """A ``PulseCard``."""
    events: msgspec.Raw
    """A ``StressCard``."""
    news: msgspec.Raw
    """A list of ``EventLine``."""
    marks: msgspec.Raw
    """A list of ``Mark``."""
    sessions: msgspec.Raw
    correlation: Correlations | None
    """None if nothing is watched."""
    opened: msgspec.Raw | None
    """A ``SymbolCard``; None if no symbol is opened."""
    status: dict[str, Any]
    missed: int | None
    """How many events are newer than what is shown; None if that is not known."""
    details: list[dict[str, Any]] | None
    """All that the status knows; None if it is not asked for."""
    refresh: Refresh


def payload(engine: Worker, visit: Visit, at: int | None, tabs: OpenTabs) -> bytes:
    """What a ``visit`` is shown of the second ``at``, None for live: a ``Payload`` as JSON."""
    view = visit.view
    # One instant for all parts: another second may be over before they are put together.
    live_now, _ = engine.pulse()
    now, frame = engine.pulse(live_now if at is None else at)
    status = engine.status()
    has_ended = at is None and bool(status["replay_ended"])
    reach = engine.reach()
    line = _line(at, *reach)
    # Events of a second that is over may still be found.
    version = engine.events_at(now).version
    base = (now, view.base, view.bars, view.correlate)
    opened = view.symbol if view.symbol in frame.index else ""
    return msgspec.json.encode(
        Payload(
            now=now,
            live_now=live_now,
            reach=reach,
            line=line,
            at=at,
            view=view,
            notes=visit.notes,
            pulse=_encoded(
                engine, _pulse, now, view.rank, view.lists, view.rows, at is None, has_ended
            ),
            events=_encoded(engine, stress_card, now, version, view.severity, view.events),
            news=_encoded(engine, news, live_now, engine.events.version),
            marks=_encoded(engine, marks, now, version, *line),
            sessions=_encoded(engine, _sessions, now, has_ended),
            correlation=Correlations(
                card=_encoded(engine, correlation_text, *base),
                heat=_encoded(engine, heat_map, *base)
                if view.heat and has_heat_map(engine, view.correlate)
                else None,
            )
            if view.base
            else None,
            opened=_encoded(engine, symbol_card, now, version, opened, view.bars)
            if opened
            else None,
            status=_status(status, live_now),
            # Of days there is no telling how many are still in memory.
            missed=engine.events.count_since(now) if line[1] == reach[1] else None,
            details=_details(status) if visit.wants_details else None,
            refresh=Refresh(tabs.refresh_sec, tabs.tabs),
        )
    )


def _encoded(
    engine: Worker, make: Callable[[Worker, *_Asked], object], *asked: *_Asked
) -> msgspec.Raw:
    """A part that looks the same in every tab that asks alike, made and encoded once."""
    return engine.once(
        (make, *asked), lambda: msgspec.Raw(msgspec.json.encode(make(engine, *asked)))
    )


def _line(at: int | None, oldest: int, newest: int) -> tuple[int, int]:
    """First and last second of the hour in which a moment is looked for.

    The last hour, or further back the whole hour by the clock that holds the moment. A moment that
    was in the last hour stays on that line for as long as it may be shown.
    """
    begin = max(oldest, newest - REWIND_SEC)
    if at is None or at >= begin - GRACE_SEC:
        return begin, newest
    return at - at % REWIND_SEC, at - at % REWIND_SEC + REWIND_SEC - 1


def _pulse(
    engine: Worker,
    now: float,
    rank: str,
    lists: str,
    most: int,
    is_live: bool,
    has_ended: bool,
) -> PulseCard:
    """The pulse card; a replay that ``has_ended`` closes its markets at the same instant."""
    _, frame = engine.pulse(now)
    return pulse_card(engine, now, frame, rank=rank, lists=lists, most=most, is_live=is_live)


# Market hours.


def _sessions(engine: Worker, now: float, has_ended: bool) -> list[dict[str, Any]]:
    """The session of each class, in epoch seconds: the viewer's clock is the browser's to know.

    At the end of a replay there is none, whatever the hours of the markets were.
    """
    ended = {"phase": "closed", "since": None, "until": None, "opens": None, "by": "source"}
    return [
        {"asset": asset, **(ended if has_ended else engine.session(asset, now))} for asset in ASSETS
    ]


# The feeds and the archive.


def _status(status: Mapping[str, Any], now: float) -> dict[str, Any]:
    behind = status["now"] - now
    return {
        "source": status["source"],
        "text": _source_text(status),
        "dated": status["dated"],
        "uptime": duration_text(status["uptime"]),
        "feeds": [_feed(asset, feed) for asset, feed in status["feeds"].items()],
        "searching": status["searching_past"],
        "archive": status["archive"],
        "warnings": [
            *filter(None, [status["clock"]]),
            *(
                [f"The pulse stands still: what is shown is {duration_text(behind)} old."]
                if behind > STANDSTILL_SEC
                else []
            ),
            *(
                [f"{status['lost']} ticks of the tape were lost with a broken connection."]
                if status["lost"]
                else []
            ),
            *(
                f"{name} crashed {fault['count']} times, last by {fault['last']};"
                " it is started again."
                for name, fault in status["faults"].items()
            ),
        ],
    }


def _source_text(status: Mapping[str, Any]) -> str:
    """What the prices are, in one line."""
    if status["source"] == "simulated":
        return f"embedded exchange, seed {status['seed']}"
    if status["source"] == "replay":
        ended = ", at its end" if status["replay_ended"] else ""
        return f"{status['file']} at speed {status['speed']:g}{ended}"
    return "the data vendor's feeds"


def _feed(asset: str, feed: Mapping[str, Any]) -> dict[str, Any]:
    reason = feed["reason"]
    # Without its countdown, which the strip has: it would be read out every two seconds.
    plain = reason.partition("; try ")[0]
    advice = [
        text.format(asset=asset, reason=plain) for phrase, text in _ADVICE if phrase in reason
    ]
    rate = feed["ticks_per_sec"]
    return {
        "asset": asset,
        "state": feed["state"],
        "reason": reason,
        "plain": plain,
        "rate": NOT_KNOWN if rate is None else f"{rate:.1f}/s",
        "age": duration_text(feed["last_tick_age"]),
        "heard": f"{len(feed['heard'])} of {len(feed['asked'])}",
        "advice": advice[0] if advice else "",
        "session": feed["session"],
        "skew": _skew(feed["skew"]),
    }


def _skew(skew: float | None) -> dict[str, Any] | None:
    """How the vendor's clock differs from this computer's, where that is worth telling.

    Prices are always a little late; one that comes before its time never should.
    """
    if skew is None or -AHEAD_SEC <= skew <= BEHIND_SEC:
        return None
    way = "ahead of" if skew < 0 else "behind"
    return {
        "text": f"the vendor's clock is {abs(skew):.1f} s {way} this computer's",
        # Without its decimals: it would be read out anew whenever they change.
        "advice": f"the vendor's clock is about {abs(skew):.0f} s {way} this computer's. To help:"
        " let a time server set this computer's clock."
        if abs(skew) > BEHIND_SEC
        else "",
    }


def _details(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything the status knows, as names and words."""
    general = {
        "source": status["source"],
        "seed": status["seed"],
        "file": status["file"],
        "speed": status["speed"],
        "up for": duration_text(status["uptime"]),
        "ticks waiting": status["queued"],
        "replay at its end": status["replay_ended"] if status["source"] == "replay" else None,
        "looking through the past hour": "yes" if status["searching_past"] else "no",
        "ticks lost": status["lost"],
        "crashed parts": _counts({name: f["count"] for name, f in status["faults"].items()}),
    }
    archive = status["archive"]
    kept = {
        "state": archive["state"],
        "reason": archive["reason"],
        "file": archive["file"],
        "goes back to": _instant(archive["oldest"]),
        "bars written": f"{archive['bars']:,}",
        "events written": f"{archive['events']:,}",
        "bars waiting": f"{archive['waiting']:,}",
        "bars lost": f"{archive['lost']:,}",
        "events lost": f"{archive['lost_events']:,}",
        "lost from": _instant(archive["lost_from"]),
        "lost to": _instant(archive["lost_to"]),
        "set aside": ", ".join(archive["set_aside"]),
    }
    if archive["file"] is None:
        kept = {"state": archive["state"]}
    tables = [_table("everything", {**general, "clock": status["clock"]}), _table("archive", kept)]
    for asset, feed in status["feeds"].items():
        silent = sorted(set(feed["asked"]) - set(feed["heard"]))
        tables.append(
            _table(
                asset,
                {
                    "state": feed["state"],
                    "reason": feed["reason"],
                    "ticks": f"{feed['ticks']:,}",
                    "ticks per second": feed["ticks_per_sec"],
                    "last tick": duration_text(feed["last_tick_age"]),
                    "reconnects": feed["reconnects"],
                    "dropped": feed["dropped"],
                    "refused": _counts(feed["refused"]),
                    "asked": ", ".join(feed["asked"]),
                    "not heard yet": ", ".join(silent),
                    "market": feed["session"]["phase"],
                    "until": _instant(feed["session"]["until"]),
                    "opens": _instant(feed["session"]["opens"]),
                    "hours known from": _KNOWN_FROM[feed["session"]["by"]],
                    "vendor's clock": _skew_text(feed["skew"]),
                },
            )
        )
    return tables


def _skew_text(skew: float | None) -> str | None:
    if skew is None:
        return None
    size = f"{abs(skew):.1f}"
    return "in step" if size == "0.0" else f"{size} s {'ahead' if skew < 0 else 'behind'}"


def _instant(seconds: float | None) -> dict[str, float] | None:
    """An instant, for the browser to put into the viewer's words."""
    return None if seconds is None else {"at": seconds}


def _table(name: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    def text(value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return f"{value:.1f}" if isinstance(value, float) else str(value)

    return {
        "name": name,
        "entries": [[k, text(v)] for k, v in entries.items() if v is not None and v != ""],
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts.items()) or "none"
