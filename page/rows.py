"""Rows: the symbols of the pulse in words, a row each.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
import pandas as pd

from engine.reader import LastSession, Reader
from engine.status import HeldBack
from page.columns import BLANKS, DRAWN, PERCENT_DECIMALS, Cell, sigma_15m
from page.sparks import SPARK_SEC, spark
from page.troubles import held_text
from wording import duration_text, percent_text, price_text

__all__ = ["PREVIOUS_CLOSE", "Row", "SessionText", "rows"]

PREVIOUS_CLOSE: Final = "the previous close"
"""What a change is measured from that is both that of a session and that of its day."""

_UNHEARD: Final = (
    "no price of it came in ten minutes in which its class traded: check its spelling, or remove it"
)

_HALTED: Final[Mapping[str, str]] = {
    "halted": "Trading in it is halted, as the vendor says",
    "halted?": "Nothing of it was traded for five minutes, in which most of its class was: its"
    " trading may be halted",
}

HOUR_QUARTERS: Final = 4

MOST_WEIGHT: Final = 9.9


class SessionText(msgspec.Struct, frozen=True):
    """What a row of a closed market shows instead of its figures: its last session."""

    begin: float
    end: float
    """In epoch seconds: the viewer's clock is the browser's to know."""
    change: str
    since: str
    """What the change is measured from, in words."""
    first: str
    low: str
    high: str


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One symbol in words.

    What changes every second stands in ``cells``; ``spark`` changes every ten seconds, the rest
    seldom. Tiles are made of the same row: its symbol, its last price, the change and the tone of
    one of its cells, and its ``weight``.
    """

    symbol: str
    asset: str
    state: str
    state_text: str
    cells: list[Cell]
    """One for each column."""
    spark: str
    """The last fifteen minutes: see ``page.sparks``."""
    place: int | None = None
    """Where the row stands among the others of its list once they have settled, from 0 on, if calm
    rules hold it back or another: as few have one as it takes, the others are in order already."""
    is_in_front: bool = False
    """In a list by heat, in front of larger ones for its event."""
    is_usual: bool = False
    """Within its usual range, in a list by heat or surprise: nothing of it is worth a look, so that
    such rows can be folded into one line with their number. Unfolded, all stand in their order."""
    weight: float = 0.0
    """The range of its last hour beside the one of an hour that is usual for it, at most 9.9; 0 if
    that is not known."""
    last_ts: float | None = None
    """Time of the last price, if its market is closed."""
    since: float | None = None
    """Since when trading in it is halted, or since when it may be."""
    vendor: str = ""
    """Whose prices these are, if those of its class are not all of one vendor."""
    session: SessionText | None = None
    state_title: str = ""
    """More about its state."""


def rows(
    reader: Reader,
    now: float,
    frame: pd.DataFrame,
    wanted: Sequence[int],
    held: Sequence[HeldBack] = (),
    *,
    notes_early: bool = True,
    unheard: Collection[str] = (),
) -> dict[int, Row]:
    """The ``wanted`` rows of a frame in words, by their place in it.

    Each notes that its surprise is early only with ``notes_early``. ``unheard`` are the symbols of
    which no price came, though their class has traded for long.
    """
    held_of = {one.symbol: one for one in held}
    symbols, states = frame.index.tolist(), reader.states(frame, now)
    logs = reader.store_at(now).trace([str(symbols[place]) for place in wanted], SPARK_SEC, now)
    # At one stroke: a frame is slow to walk through, by rows as by columns.
    names, figures = frame.columns.tolist(), frame.iloc[list(wanted)].to_numpy(object).tolist()
    found_rows = {
        place: dict(zip(names, row, strict=True))
        for place, row in zip(wanted, figures, strict=True)
    }
    closed = {found_rows[place]["asset"] for place in wanted if states[place] == "closed"}
    sessions = {asset: reader.last_session(asset, now) for asset in closed}
    halted_since = reader.halted_since(now)
    marks = marked_vendors(reader.store_at(now).vendors(now), frame)
    found = {}
    for number, place in enumerate(wanted):
        row = {**found_rows[place], "notes_early": notes_early}
        session = sessions.get(row["asset"])
        name, state = str(symbols[place]), states[place]
        drawn = _row(name, row, state, now, session)
        drawn = msgspec.structs.replace(
            drawn,
            spark="" if drawn.session else spark(logs[number], sigma_15m(row)),
            since=halted_since.get(name) if state in _HALTED else None,
            vendor=marks.get(name, ""),
        )
        if name in unheard and state in ("no data", "stale"):
            drawn = msgspec.structs.replace(drawn, state_text="never heard", state_title=_UNHEARD)
        one = held_of.get(name)
        found[place] = drawn if one is None else _holding(drawn, one)
    return found


def marked_vendors(vendors: Mapping[str, str], frame: pd.DataFrame) -> dict[str, str]:
    """The vendor of each symbol of a class that several serve, of the ``vendors`` of all symbols.

    Nothing of a class that one serves: then its feed says whose prices they are.
    """
    if len(set(vendors.values())) < 2:
        return {}
    of_class: dict[str, dict[str, str]] = {}
    for symbol, asset in zip(frame.index, frame["asset"], strict=True):
        if symbol in vendors:
            of_class.setdefault(asset, {})[str(symbol)] = vendors[symbol]
    several = (found for found in of_class.values() if len(set(found.values())) > 1)
    return {symbol: vendor for found in several for symbol, vendor in found.items()}


def _holding(row: Row, held: HeldBack) -> Row:
    """A row that says that a price is held back."""
    return msgspec.structs.replace(
        row,
        state_text=f"{price_text(held.price, row.asset)} held back",
        state_title=f"{held_text(held, row.asset)}: not shown until other prices confirm it",
    )


def _row(
    symbol: str, figures: Mapping[str, Any], state: str, now: float, session: LastSession | None
) -> Row:
    asset, age = figures["asset"], figures["age"]
    is_closed = state == "closed"
    shown = _session_text(session, symbol, asset) if is_closed and session else None
    drawable = {**figures, "symbol": symbol, "now": now}
    return Row(
        symbol=symbol,
        asset=asset,
        state=state,
        state_text=f"{state} ({duration_text(age)})" if state in ("quiet", "stale") else state,
        cells=[
            draw(drawable) if shown is None or column.kind not in BLANKS else BLANKS[column.kind]
            for draw, column in DRAWN
        ],
        spark="",
        weight=_weight(figures),
        last_ts=now - age if is_closed and not math.isnan(age) else None,
        session=shown,
        state_title=_HALTED.get(state, ""),
    )


def _weight(figures: Mapping[str, Any]) -> float:
    sigma, low, high = sigma_15m(figures), figures["range_low"], figures["range_high"]
    if not (low > 0 and sigma > 0):
        return 0.0
    # The range of a random walk is expected to be √(8/π) times its typical move.
    usual = math.sqrt(8 / math.pi) * sigma * math.sqrt(HOUR_QUARTERS)
    return min(MOST_WEIGHT, round(math.log(high / low) / usual, 1))


def _session_text(session: LastSession, symbol: str, asset: str) -> SessionText | None:
    figures = session.figures.get(symbol)
    if figures is None:
        return None
    return SessionText(
        begin=session.begin,
        end=session.end,
        change=percent_text(figures.change, PERCENT_DECIMALS[asset]),
        since=PREVIOUS_CLOSE if figures.since_close else "its first price",
        first=price_text(figures.first, asset),
        low=price_text(figures.low, asset),
        high=price_text(figures.high, asset),
    )
