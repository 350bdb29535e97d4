"""Since: what happened since a viewer last looked at the page, in one line.

The browser knows when that was, and asks; the same answer serves all who ask from one second.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import msgspec
import numpy as np

from correlation import twins
from engine.reader import SECOND_END, Reader
from page.stress import EVENTS_READ, standing
from page.words import Instant, Words
from wording import brief_percent_text, duration_text, joined_base

__all__ = ["Mover", "Since", "since_line"]

MOVERS: Final = 3
"""So many symbols are named at most."""

LEAST_SIGMA: Final = 1.0
"""What moved by less, in typical moves over that time, is not named."""

_LOOKED_AT: Final = 12
"""So many that moved most are looked through for twins."""


class Mover(msgspec.Struct, frozen=True):
    """A symbol, or some that are one thing, and its change."""

    symbol: str
    """What a click opens."""
    text: str
    """ "META −0.93 %", "BTC +1.1 %"."""
    rises: bool


class Since(msgspec.Struct, frozen=True):
    """What happened since a second: begin, events, then the movers, separated by commas.

    "Since 21:34: " "4 events" "META −0.93 %" "BTC +1.1 %".
    """

    since: int
    """The second asked for: an answer to an older question is not to be shown."""
    begin: Words
    """"Since 21:34: ", or "In the last 60 min 00 s: " if no more is known than that."""
    events: str
    """"4 events", "no event"; to be clicked, it shows those of the hour's line from then on."""
    movers: list[Mover]
    """What moved most beside what is typical for it over that time, the most first: of what those
    events are of, then of all others."""


def since_line(reader: Reader, now: float, version: int, second: int) -> Since | None:
    """What happened after a second up to ``now``, the newest; None if nothing can have.

    As far back as the archive knows; without one, as far as memory does.
    """
    begin = max(second, reader.span()[0])
    if begin >= int(now):
        return None
    events = standing(reader.events.latest(EVENTS_READ, since=begin))
    count = len(events)
    is_whole = begin == second
    told: Words = (
        ("Since ", Instant(second), ": ")
        if is_whole
        else (f"In the last {duration_text(int(now) - begin)}: ",)
    )
    return Since(
        since=second,
        begin=told,
        events="no event" if not count else "1 event" if count == 1 else f"{count} events",
        movers=_movers(
            reader,
            begin + SECOND_END,
            now,
            first={name for event in events for name in event.symbols},
        ),
    )


def _movers(reader: Reader, then: float, now: float, *, first: Collection[str]) -> list[Mover]:
    """What moved most from one instant to another, in units of its own typical move.

    Those that come ``first`` do if they moved enough to be named at all.
    """
    _, before = reader.pulse(then)
    _, after = reader.pulse(now)
    before = before.reindex(after.index)
    change = (after["last"] / before["last"] - 1.0).to_numpy(dtype=np.float64)
    # Of then, so that a move does not excuse itself; of now if it was not known.
    vol = before["vol_15m"].fillna(after["vol_15m"]).to_numpy(dtype=np.float64)
    size = np.full(len(change), math.nan)
    np.divide(np.abs(change), vol * math.sqrt((now - then) / 900.0), out=size, where=vol > 0)
    # What has no newer price has not moved: its market is closed, or nothing is heard of it.
    size[~(after["last_ts"].to_numpy(dtype=np.float64) > then)] = math.nan
    order = [row for row in np.argsort(-np.nan_to_num(size)) if size[row] >= LEAST_SIGMA]
    order.sort(key=lambda row: after.index[row] not in first)
    names = [str(after.index[row]) for row in order[:_LOOKED_AT]]
    alike = twins(reader.store_at(now), names, int(now) // 60 * 60) if names else {}
    told: set[str] = set()
    movers: list[Mover] = []
    for name, row in zip(names, order, strict=False):
        if name in told or len(movers) == MOVERS:
            continue
        together = [name, *(one for one in names if one in alike[name] and one not in told)]
        told.update(together)
        text = f"{joined_base(together)} {brief_percent_text(float(change[row]))}"
        movers.append(Mover(name, text, bool(change[row] > 0)))
    return movers
