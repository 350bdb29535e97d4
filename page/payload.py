"""Board: what the page shows at one instant, as text and plain numbers, once for all tabs.

Called by the page with the worker and what the viewer chose; whatever several viewers have in
common is put together once a second. Only words, signs and decimals are decided here: every figure
is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from correlation import MIN_PAIRS, CorrelationCard, Pair
from events import Event
from page.pulse import PERCENT_DECIMALS, PulseCard, Row, pulse_card
from page.pulse import rows as pulse_rows
from page.tabs import OpenTabs
from page.view import SEVERITIES, View, bin_sec
from ticks import ASSETS, HORIZONS_SEC
from wording import (
    NOT_KNOWN,
    duration_text,
    percent_text,
    signed_text,
    size_text,
)
from worker import GRACE_SEC, REWIND_SEC, Worker

__all__ = ["payload"]

EVENTS_SHOWN: Final = 40
EVENTS_READ: Final = 5000
MARKS: Final = 500
"""Events on the hour's line."""

NEWS_SEC: Final = 120
"""Events that began, or grew, this long ago at most are told to those who asked to be."""

STANDSTILL_SEC: Final = 5
"""A pulse further behind the worker's clock than this is said to stand still."""

BEHIND_SEC: Final = 2.0
AHEAD_SEC: Final = 0.5
"""How far a vendor's clock may be behind or ahead of this one before it is told."""

CHART_BIN_SEC: Final = 5

MATRIX_SYMBOLS: Final = 100
"""Among more symbols pairs are not compared: their number grows with the square."""

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


class _Shown(NamedTuple):
    """What is shown: the choices, the instant, and its frame."""

    view: View
    now: float
    frame: pd.DataFrame
    is_live: bool


def payload(
    engine: Worker,
    view: View,
    tabs: OpenTabs,
    *,
    at: int | None = None,
    notes: Sequence[str] = (),
    details: bool = False,
) -> bytes:
    """Everything a tab draws, as JSON.

    ``at`` is the second that is shown, which a frozen view may not have chosen itself; None is
    live. ``notes`` are told at the top; ``details`` adds all that ``status`` knows.
    """
    # One instant for all parts: another second may be over before they are put together.
    live_now, _ = engine.pulse()
    now, frame = engine.pulse(live_now if at is None else at)
    shown = _Shown(view, now, frame, is_live=at is None)
    status = engine.status()
    has_ended = at is None and bool(status["replay_ended"])
    reach = engine.reach()
    line = _line(at, *reach)
    # Events of a second that is over may still be found.
    version = engine.events_at(now).version
    parts = {
        "now": now,
        "live_now": live_now,
        "reach": reach,
        "line": line,
        "at": at,
        "view": view._asdict(),
        "notes": notes,
        "pulse": _shared(
            engine,
            ("pulse", now, at is None, has_ended, view.rank, view.lists, view.rows),
            _pulse,
            shown,
        ),
        "events": _shared(
            engine,
            ("events", now, version, view.severity, view.events),
            _events,
            (now, view.severity, view.events),
        ),
        "news": _shared(engine, ("news", live_now, engine.events.version), _news, live_now),
        "marks": _shared(engine, ("marks", line, version), _marks, (now, *line)),
        "sessions": _shared(engine, ("sessions", now, has_ended), _sessions, (now, has_ended)),
        "correlation": _correlation(engine, shown) if view.base else None,
        "opened": _opened(engine, shown) if view.symbol else None,
        "status": _status(status, live_now),
        # Of days there is no telling how many are still in memory.
        "missed": engine.events.count_since(now) if line[1] == reach[1] else None,
        "details": _details(status) if details else None,
        "refresh": {"sec": tabs.refresh_sec, "tabs": tabs.tabs},
    }
    return msgspec.json.encode(parts)


def _shared(engine: Worker, key: tuple[Any, ...], make: Any, what: Any) -> msgspec.Raw:
    """A part that looks the same in every tab that asks alike, encoded once."""
    return engine.once(key, lambda: msgspec.Raw(msgspec.json.encode(make(engine, what))))


def _line(at: int | None, oldest: int, newest: int) -> tuple[int, int]:
    """First and last second of the hour in which a moment is looked for.

    The last one, or further back the whole hour by the clock that holds the moment; one that was in
    the last hour stays on it for as long as nothing else lets go of it.
    """
    begin = max(oldest, newest - REWIND_SEC)
    if at is None or at >= begin - GRACE_SEC:
        return begin, newest
    return at - at % REWIND_SEC, at - at % REWIND_SEC + REWIND_SEC - 1


def _pulse(engine: Worker, shown: _Shown) -> PulseCard:
    view = shown.view
    return pulse_card(
        engine,
        shown.now,
        shown.frame,
        rank=view.rank,
        lists=view.lists,
        most=view.rows,
        is_live=shown.is_live,
    )


# The stress feed.


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "ts": event.ts,
        "updated": event.updated_ts,
        "severity": event.severity,
        "symbol": event.symbol,
        "asset": event.asset,
        "text": event.text,
        "count": event.count,
        "history": event.history,
    }


def _events(engine: Worker, what: tuple[float, str, tuple[str, ...]]) -> dict[str, Any]:
    """The newest events that pass the filter, how many do, and how many there are."""
    now, severity, assets = what
    severities = SEVERITIES[SEVERITIES.index(severity) :]
    events = engine.events_at(now).latest(EVENTS_READ, now)
    passing = [event for event in events if event.severity in severities and event.asset in assets]
    return {
        "shown": [_event(event) for event in passing[:EVENTS_SHOWN]],
        "passing": len(passing),
        "all": len(events),
    }


def _news(engine: Worker, now: float) -> list[dict[str, Any]]:
    return [
        _event(event)
        for event in engine.events.latest(EVENTS_READ)
        if not event.history and now - event.updated_ts < NEWS_SEC
    ]


def _marks(engine: Worker, what: tuple[float, int, int]) -> list[list[Any]]:
    """Where on the hour's line something happened: time, severity, which event."""
    now, begin, last = what
    return [
        [int(event.ts), event.severity, event.id]
        for event in engine.events_at(now).latest(MARKS, since=begin)
        if event.ts < last + 1
    ]


# Market hours.


def _sessions(engine: Worker, what: tuple[float, bool]) -> list[dict[str, Any]]:
    """The session of each class, in epoch seconds: the viewer's clock is the browser's to know.

    At the end of a replay there is none, whatever the hours of the markets were.
    """
    now, has_ended = what
    ended = {"phase": "closed", "since": None, "until": None, "opens": None, "by": "source"}
    return [
        {"asset": asset, **(ended if has_ended else engine.session(asset, now))} for asset in ASSETS
    ]


def _shut(
    engine: Worker, base: str, assets: Sequence[str], frame: pd.DataFrame, now: float
) -> dict[str, Any] | None:
    """What of a comparison is closed, when it opens, and what can be compared meanwhile.

    None where market hours do not stand in the way.
    """
    sessions: dict[str, Any] = {asset: engine.session(asset, now) for asset in ASSETS}
    is_open = {asset: session["phase"] != "closed" for asset, session in sessions.items()}
    own = str(frame.at[base, "asset"])
    others = frame["asset"][frame.index != base]
    if is_open[own]:
        compared = [asset for asset in assets if (others == asset).any()]
        if not compared or any(is_open[asset] for asset in compared):
            return None
        opens = [sessions[asset]["opens"] for asset in compared]
        instead = [asset for asset in ASSETS if is_open[asset] and (others == asset).any()]
        return {
            "assets": compared,
            "opens": min((at for at in opens if at is not None), default=None),
            "base": base,
            "is_base": False,
            "instead": instead[:1],
        }
    counts = frame["asset"].value_counts()
    instead = [asset for asset in ASSETS if is_open[asset] and counts.get(asset, 0) > 1]
    return {
        "assets": [own],
        "opens": sessions[own]["opens"],
        "base": base,
        "is_base": True,
        "instead": [*frame.index[frame["asset"] == instead[0]][:1], instead[0]] if instead else [],
    }


# Correlation.


def _correlation(engine: Worker, shown: _Shown) -> dict[str, Any]:
    view, now = shown.view, shown.now
    card = engine.correlation(view.base, bin_sec(view.bars), view.correlate, now)
    key = (now, view.base, view.bars, view.correlate)
    too_many = len(engine.symbols(view.correlate)) > MATRIX_SYMBOLS
    wants_heat = view.heat and not too_many
    return {
        "card": _shared(engine, ("card", *key), _card, (shown, card, too_many)),
        "heat": _shared(engine, ("heat", *key), _heat, (shown, card)) if wants_heat else None,
    }


def _card(engine: Worker, what: tuple[_Shown, CorrelationCard, bool]) -> dict[str, Any]:
    shown, card, too_many = what
    view = shown.view
    symbols = engine.symbols(view.correlate)
    minutes = card.window_sec // 60
    auto = " (auto)" if bin_sec(view.bars) is None else ""
    regime = {
        "high_vol": "volatile, so only the last 15 minutes count",
        "normal": "calm",
        "unknown": "regime not known yet",
    }[card.regime]
    return {
        "base": card.base,
        "words": f"{regime} · last {minutes} min · {card.bin_sec} s bars{auto}"
        f" · with {', '.join(view.correlate)}",
        "missing": _missing(card, has_others=bool({*symbols} - {card.base})),
        "shut": None
        if card.top
        else _shut(engine, card.base, view.correlate, shown.frame, shown.now),
        "top": [_pair(pair) for pair in card.top],
        "changed": [
            {
                "text": f"{pair.a} and {pair.b}",
                "started": pair.has_started,
                "before": signed_text(pair.before.corr, 2, ""),
                "after": signed_text(pair.after.corr, 2, ""),
            }
            for pair in (
                [] if too_many else engine.together(view.correlate, card.bin_sec, shown.now)
            )
        ],
        "too_many": too_many,
    }


def _missing(card: CorrelationCard, *, has_others: bool) -> str:
    """Why there is no correlation to show; empty where there is one."""
    if card.top:
        return ""
    if not has_others:
        return "No other symbol of these classes is watched."
    if card.shared >= MIN_PAIRS:
        return f"Nothing to compare: {card.base} or every other symbol did not move."
    return f"Not enough shared data yet: {card.shared} of {MIN_PAIRS} returns of {card.bin_sec} s"


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "symbol": pair.symbol,
        "r": round(pair.corr, 4),
        "text": signed_text(pair.corr, 2, ""),
        "n": pair.n,
        "low": round(pair.low, 4),
        "high": round(pair.high, 4),
        "range": f"{signed_text(pair.low, 2, '')} to {signed_text(pair.high, 2, '')}",
        "doubtful": pair.chance,
    }


def _heat(engine: Worker, what: tuple[_Shown, CorrelationCard]) -> dict[str, Any]:
    shown, card = what
    corr, count = engine.matrix(shown.view.correlate, card.bin_sec, card.window_sec, shown.now)
    return {
        "symbols": list(corr.columns),
        "r": [[None if r != r else round(r, 3) for r in row] for row in corr.to_numpy().tolist()],
        "n": count.to_numpy().tolist(),
    }


# One symbol.


def _opened(engine: Worker, shown: _Shown) -> msgspec.Raw | None:
    view = shown.view
    if view.symbol not in shown.frame.index:
        return None
    version = engine.events_at(shown.now).version
    key = ("opened", shown.now, version, view.symbol, view.bars)
    return _shared(engine, key, _symbol, shown)


def _symbol(engine: Worker, shown: _Shown) -> dict[str, Any]:
    view, now, frame = shown.view, shown.now, shown.frame
    symbol = view.symbol
    place = frame.index.tolist().index(symbol)
    row = {name: frame[name].iloc[place] for name in frame.columns}
    drawn = pulse_rows(engine, now, frame, [place])[place]
    card = engine.correlation(symbol, bin_sec(view.bars), ASSETS, now)
    events = [
        event
        for event in engine.events_at(now).latest(EVENTS_READ, now, since=now - REWIND_SEC)
        if event.symbol == symbol
    ]
    return {
        "symbol": symbol,
        "state_text": drawn.state_text,
        "last_ts": drawn.last_ts,
        "last": drawn.last,
        "words": _words(row, drawn),
        "chart": _chart(engine, symbol, now),
        "decimals": len(drawn.last.partition(".")[2]),
        "events": [_event(event) for event in events],
        "top": [_pair(pair) for pair in card.top],
        "missing": _missing(card, has_others=len(frame) > 1),
        "shut": None if card.top else _shut(engine, symbol, ASSETS, frame, now),
    }


def _chart(engine: Worker, symbol: str, now: float) -> dict[str, Any]:
    """The last price of every five seconds of the hour; None where no tick fell."""
    prices = engine.store_at(now).history(symbol, now, REWIND_SEC)["price"]
    blocks = prices.to_numpy().reshape(-1, CHART_BIN_SEC)
    # The newest in each block: from the right the first that is known.
    known = ~np.isnan(blocks[:, ::-1])
    at = known.argmax(axis=1)
    newest = blocks[:, ::-1][np.arange(len(blocks)), at]
    return {
        "start": int(prices.index[0]),
        "step": CHART_BIN_SEC,
        "prices": [None if x != x else x for x in newest.tolist()],
    }


def _words(row: Mapping[str, Any], drawn: Row) -> list[str | dict[str, Any]]:
    """The figures of a symbol as sentences; where they name instants, with these beside them."""
    if drawn.state == "closed":
        return _closing_words(drawn)
    if math.isnan(row["age"]):
        return ["No price yet."]
    return [
        f"Last price {drawn.last}, {duration_text(row['age'])} old.",
        *_figures(row, PERCENT_DECIMALS[row["asset"]]),
    ]


def _closing_words(drawn: Row) -> list[str | dict[str, Any]]:
    words: list[str | dict[str, Any]] = []
    if drawn.last_ts is not None:
        words.append({"text": f"Last price {drawn.last}, of {{}}.", "at": [drawn.last_ts]})
    session = drawn.session
    if session:
        words.append(
            {
                "text": f"Last session, {{}} to {{}}: {session.change} from {session.first},"
                f" lowest {session.low}, highest {session.high}.",
                "at": [session.begin, session.end],
            }
        )
    return words or ["No price yet: its market is closed."]


def _figures(row: Mapping[str, Any], decimals: int) -> list[str]:
    words = []
    moves = ", ".join(
        f"{percent_text(row[f'ret_{name}'], decimals)} in {name.removesuffix('m')} min"
        for name in HORIZONS_SEC
        if not math.isnan(row[f"ret_{name}"])
    )
    if moves:
        words.append(f"It moved {moves}.")
    if not math.isnan(row["surprise"]):
        size = abs(row["surprise"])
        usual = "no more than usual" if size < 1 else "unusual" if size >= 2.5 else "a lively one"
        words.append(f"The last minute is {size:.1f} times its own usual minute: {usual}.")
    if not math.isnan(row["vs_peers"]):
        peers = row["ret_1m"] - row["vs_peers"]
        words.append(f"Its class moved {percent_text(peers, decimals)} in that minute (median).")
    if not math.isnan(row["vol_15m"]):
        text = f"A typical 15 minutes moves it {size_text(row['vol_15m'], decimals)}"
        if row["vol_median"] > 0:
            text += f", {row['vol_15m'] / row['vol_median']:.1f} × its hourly median"
        regime = {"high_vol": ": volatile", "normal": ": calm", "unknown": ""}[row["regime"]]
        words.append(f"{text}{regime}.")
    if not math.isnan(row["trend_15m"]):
        words.append(f"Trend {percent_text(row['trend_15m'], decimals + 1)} a minute.")
    return words


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
