"""Pulse: the card of what moves most, as text and plain numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.ranking import Order, displaced, rank_of
from engine.reader import Reader
from engine.status import HeldBack
from page.columns import COLUMNS, Column
from page.rows import Row, rows
from page.view import LIST, TILES
from ticks import ASSETS, Asset
from wording import duration_text

__all__ = ["PulseCard", "PulseList", "pulse_card"]

UNRECORDED_SEC: Final = 300
"""If an open market brought no price for this long, nothing of it was recorded."""

_WARM_UP_SEC: Final = {
    "1 min return": 60,
    "5 min return": 300,
    "15 min return": 900,
    "volatility": 140,
    "surprise": 200,
    "regime": 440,
}
"""After how many seconds of ticks each figure can first be known, by its formula."""

_WARM_UP_COLUMNS: Final = {
    "1 min return": "ret_1m",
    "5 min return": "ret_5m",
    "15 min return": "ret_15m",
    "volatility": "vol_15m",
    "surprise": "surprise",
}


FOLDED: Final = ("heat", "surprise")
"""Ranked by these, rows within their usual range are marked: whoever asks for another order wants
to see all of it."""


class PulseList(msgspec.Struct, frozen=True):
    """One table of the card: an asset class, or everything under an empty name."""

    name: str
    rows: list[Row]
    usual: int
    """How many symbols of the list are within their usual range, shown or not; 0 unless it is
    ranked by heat or surprise."""
    hidden: int
    """How many symbols of the list have no row, because it takes the top movers only..."""
    hidden_movers: int
    """... and how many of them are not among the usual ones: those are the last to go."""


class PulseCard(msgspec.Struct, frozen=True):
    """The whole card, and how many symbols it speaks of."""

    columns: tuple[Column, ...]
    lists: list[PulseList]
    most: int
    """How many rows a list has at most, by the viewer's choice: why some are hidden."""
    watched: int
    priced: int
    """Of those watched."""
    trading: int
    trading_priced: int
    """Of those trading."""
    warming: list[tuple[str, str]]
    """Figures that no symbol has yet, and how long until they can be there."""
    early: bool
    """Whether every surprise known is early: then the card says so once, instead of every row."""
    has_day: bool
    """Whether the change of the day is known of any symbol: if not, it takes no room."""
    recorded: bool
    """False if open markets brought no price at this moment: the dashboard was off."""


def pulse_card(
    reader: Reader,
    now: float,
    frame: pd.DataFrame,
    *,
    rank: str,
    lists: str,
    most: int,
    fed: Sequence[Asset],
    held: Sequence[HeldBack] = (),
    strict: bool = False,
    among: Collection[str] | None = None,
    unheard: Collection[str] = (),
) -> PulseCard:
    """The card at ``now``, whose frame is ``frame``: at most ``most`` rows a list.

    ``rank`` is one of ``ORDERS``, ``lists`` the form of a view: the tiles are by class as well, all
    of them and in the order of the watchlist, so that each keeps its place. ``fed`` are the classes
    of which prices are coming in; ``held`` are the prices that are held back. A page that stands
    still wants the rows in the ``strict`` order. With ``among`` the card speaks of these symbols
    only. ``unheard`` are those of which no price ever came.
    """
    order = reader.order(rank, now, strict=strict, frame=frame)
    is_among = np.ones(len(frame), bool) if among is None else frame.index.isin(list(among))
    places = [row for row in order.rows if is_among[row]]
    folds = rank_of(rank) in FOLDED
    usual = reader.usual(frame, now) if folds else [False] * len(frame)
    of_list: dict[str, list[int]] = {"": places}
    if lists == TILES:
        places.sort()
        most = len(places)
    if lists != LIST:
        assets = frame["asset"].to_numpy()
        of_list = {asset: [row for row in places if assets[row] == asset] for asset in ASSETS}
    shown = {name: _cut(rows_, usual, most) for name, rows_ in of_list.items() if rows_}
    # As an array: an empty list would choose columns, not rows.
    is_trading = np.array([state != "closed" for state in reader.states(frame, now)], bool)
    trades = is_trading & is_among
    is_priced = frame["last"].notna().to_numpy()
    is_early = _is_early(frame, trades)
    wanted = [row for cut in shown.values() for row in cut]
    drawn = rows(reader, now, frame, wanted, held, notes_early=not is_early, unheard=unheard)
    return PulseCard(
        columns=COLUMNS,
        lists=[
            PulseList(
                name,
                [
                    msgspec.structs.replace(
                        drawn[row],
                        place=place,
                        is_in_front=row in order.in_front,
                        is_usual=usual[row],
                    )
                    for row, place in zip(cut, _settled(cut, order, lists), strict=True)
                ],
                usual=sum(usual[row] for row in of_list[name]),
                hidden=len(of_list[name]) - len(cut),
                hidden_movers=sum(not usual[row] for row in of_list[name])
                - sum(not usual[row] for row in cut),
            )
            for name, cut in shown.items()
        ],
        most=most,
        watched=int(is_among.sum()),
        priced=int((is_priced & is_among).sum()),
        trading=int(trades.sum()),
        trading_priced=int((is_priced & trades).sum()),
        warming=_warming(frame, trades & frame["asset"].isin(fed).to_numpy(bool)),
        early=is_early,
        has_day=bool((frame["ret_day"].notna().to_numpy() & is_among).any()),
        recorded=not trades.any()
        or bool((frame["age"].to_numpy()[trades] <= UNRECORDED_SEC).any()),
    )


def _cut(order: Sequence[int], usual: Sequence[bool], most: int) -> list[int]:
    """At most ``most`` rows in their order, those within their usual range the first to go."""
    room = max(0, most - sum(not usual[row] for row in order))
    fill = set([row for row in order if usual[row]][:room])
    return [row for row in order if row in fill or not usual[row]][:most]


def _settled(cut: Sequence[int], order: Order, lists: str) -> list[int | None]:
    """Where the rows of a list that settle elsewhere stand then; tiles never move."""
    found = {} if lists == TILES else displaced(cut, order.settled)
    return [found.get(row) for row in cut]


def _is_early(frame: pd.DataFrame, rows: npt.NDArray[np.bool_]) -> bool:
    """Whether some surprise of the ``rows`` is known, and every one of them is early."""
    is_known = rows & frame["surprise"].notna().to_numpy()
    return bool(is_known.any() and frame["early"].to_numpy()[is_known].all())


def _warming(frame: pd.DataFrame, rows: npt.NDArray[np.bool_]) -> list[tuple[str, str]]:
    """Figures that none of the ``rows`` has yet, and after how long they can be there."""
    watched = float(np.fmax.reduce(frame["watched_sec"].to_numpy()[rows], initial=math.nan))
    if math.isnan(watched):
        return []
    missing = [
        name
        for name, column in _WARM_UP_COLUMNS.items()
        if np.isnan(frame[column].to_numpy()[rows]).all()
    ]
    if (frame["regime"].to_numpy()[rows] == "unknown").all():
        missing.append("regime")
    waits = {name: _WARM_UP_SEC[name] - watched for name in missing}
    return [
        (name, duration_text(wait))
        for name, wait in sorted(waits.items(), key=lambda item: item[1])
        if wait > 0
    ]
