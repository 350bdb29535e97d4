"""Pulse: the card of what moves most, as text and plain numbers.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from engine.reader import LastSession, Reader
from engine.status import HeldBack
from formulas import trend_noise
from page.surprise import BLANK, RARE, Gauge, gauge, peers
from page.troubles import held_text
from ticks import ASSETS, Asset
from wording import (
    MINUS,
    NOT_KNOWN,
    duration_text,
    percent_text,
    price_text,
    signed_text,
    size_text,
)

__all__ = [
    "COLUMNS",
    "PERCENT_DECIMALS",
    "Cell",
    "Column",
    "Kind",
    "PulseCard",
    "PulseList",
    "Row",
    "SessionText",
    "last_text",
    "pulse_card",
    "rows",
]

PERCENT_DECIMALS: Final = {"stocks": 2, "forex": 3, "crypto": 2}
"""Decimals of a percentage: a forex pair moves a tenth of what the others do."""

UNRECORDED_SEC: Final = 300
"""If an open market brought no price for this long, nothing of it was recorded."""

SPARK_SEC: Final = 900

PREVIOUS_CLOSE: Final = "the previous close"
"""What a change is measured from that is both that of a session and that of its day."""

_HALTED: Final[Mapping[str, str]] = {
    "halted": "Trading in it is halted, as the vendor says",
    "halted?": "Nothing of it was traded for five minutes, in which most of its class was: its"
    " trading may be halted",
}

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


class Kind(StrEnum):
    """How a cell is drawn, and so what it holds."""

    NAME = "name"
    """The symbol; the row's state is drawn below it."""
    PRICE = "price"
    """A text, which a row of a closed market shows too."""
    TEXT = "text"
    """A text."""
    SIGNED = "signed"
    """A text and its tone: up 1 or 2, down −1 or −2, none 0; 2 is a move worth a look."""
    CHANGE = "change"
    """The same, which a row of a closed market shows too."""
    GAUGE = "gauge"
    """A ``Gauge``."""
    WORD = "word"
    """A text, and whether it is marked."""
    SPARK = "spark"
    """A line of numbers from 0 to 100, None for a hole; a closed market's last session instead."""
    RANGE = "range"
    """A text, and how far up the range its mark lies, from 0 to 1; None if it is not known."""


Signed = tuple[str, int]
Cell = str | Signed | Gauge | tuple[str, float] | list[int | None] | None

_BLANK: Final[Mapping[Kind, Cell]] = {
    Kind.TEXT: "",
    Kind.SIGNED: ("", 0),
    Kind.GAUGE: BLANK,
    Kind.WORD: ("", False),
    Kind.SPARK: [],
    Kind.RANGE: None,
}
"""What a row that shows its last session holds instead of figures, by the kinds of these."""


class Column(msgspec.Struct, frozen=True):
    """A column of the table."""

    name: str
    """The ranking's, if rows can be ranked by it."""
    heading: str
    help: str
    kind: Kind
    priority: int
    """1 is always shown; the higher, the more room it takes for the column to be shown."""


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
    """One symbol in words."""

    symbol: str
    asset: str
    state: str
    state_text: str
    cells: list[Cell]
    """One for each column."""
    last_ts: float | None = None
    """Time of the last price, if its market is closed."""
    since: float | None = None
    """Since when trading in it is halted, or since when it may be."""
    vendor: str = ""
    """Whose prices these are, if those of its class are not all of one vendor."""
    session: SessionText | None = None
    state_title: str = ""
    """More about its state."""


class PulseList(msgspec.Struct, frozen=True):
    """One table of the card: an asset class, or everything under an empty name."""

    name: str
    rows: list[Row]


class PulseCard(msgspec.Struct, frozen=True):
    """The whole card, and how many symbols it speaks of."""

    columns: tuple[Column, ...]
    lists: list[PulseList]
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
) -> PulseCard:
    """The card at ``now``, whose frame is ``frame``: at most ``most`` rows a list.

    ``fed`` are the classes of which prices are coming in; ``held`` are the prices that are held
    back. A page that stands still wants the rows in the ``strict`` order.
    """
    order = reader.order(rank, now, strict=strict).rows
    if lists == "by class":
        assets = frame["asset"].to_numpy()
        wanted: list[tuple[str, list[int]]] = [
            (asset, [row for row in order if assets[row] == asset][:most]) for asset in ASSETS
        ]
    else:
        wanted = [("", list(order[:most]))]
    # As an array: an empty list would choose columns, not rows.
    is_trading = np.array([state != "closed" for state in reader.states(frame, now)], bool)
    trading = frame[is_trading]
    is_early = _is_early(trading)
    places = [place for _, places in wanted for place in places]
    drawn = rows(reader, now, frame, places, held, notes_early=not is_early)
    return PulseCard(
        columns=COLUMNS,
        lists=[
            PulseList(name, [drawn[place] for place in places]) for name, places in wanted if places
        ],
        watched=len(frame),
        priced=int(frame["last"].notna().sum()),
        trading=len(trading),
        trading_priced=int(trading["last"].notna().sum()),
        warming=_warming(trading[trading["asset"].isin(fed)]),
        early=is_early,
        has_day=bool(frame["ret_day"].notna().any()),
        recorded=trading.empty or bool((trading["age"] <= UNRECORDED_SEC).any()),
    )


def rows(
    reader: Reader,
    now: float,
    frame: pd.DataFrame,
    wanted: Sequence[int],
    held: Sequence[HeldBack] = (),
    *,
    notes_early: bool = True,
) -> dict[int, Row]:
    """The ``wanted`` rows of a frame in words, by their place in it.

    Each notes that its surprise is early only with ``notes_early``.
    """
    held_of = {one.symbol: one for one in held}
    part = frame.iloc[list(wanted)]
    sparks = _sparks(reader, [str(symbol) for symbol in part.index], now)
    states = reader.states(part, now)
    closed = {
        asset for asset, state in zip(part["asset"], states, strict=True) if state == "closed"
    }
    sessions = {asset: reader.last_session(asset, now) for asset in closed}
    columns = [part[name].tolist() for name in part.columns]
    halted_since = reader.halted_since(now)
    marks = marked_vendors(reader.store_at(now).vendors(now), frame)
    found = {}
    for place, symbol, state, spark, values in zip(
        wanted, part.index, states, sparks, zip(*columns, strict=True), strict=True
    ):
        row = dict(zip(part.columns, values, strict=True), notes_early=notes_early)
        session = sessions.get(row["asset"])
        name = str(symbol)
        drawn = _row(
            name, row, state, spark, now, session, marks.get(name, ""), halted_since.get(name)
        )
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
    symbol: str,
    figures: Mapping[str, Any],
    state: str,
    spark: list[int | None],
    now: float,
    session: LastSession | None,
    vendor: str,
    halted_since: float | None,
) -> Row:
    asset, age = figures["asset"], figures["age"]
    is_closed = state == "closed"
    shown = _session_text(session, symbol, asset) if is_closed and session else None
    drawable = {**figures, "symbol": symbol, "spark": spark, "now": now}
    return Row(
        symbol=symbol,
        asset=asset,
        state=state,
        state_text=f"{state} ({duration_text(age)})" if state in ("quiet", "stale") else state,
        cells=[
            draw(drawable) if shown is None or column.kind not in _BLANK else _BLANK[column.kind]
            for draw, column in _DRAWN
        ],
        last_ts=now - age if is_closed and not math.isnan(age) else None,
        since=halted_since if state in _HALTED else None,
        vendor=vendor,
        session=shown,
        state_title=_HALTED.get(state, ""),
    )


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


def _sparks(reader: Reader, symbols: Sequence[str], now: float) -> list[list[int | None]]:
    """Ten-second means of the last fifteen minutes, each symbol's own range as 0 to 100."""
    logs = reader.store_at(now).trace(symbols, SPARK_SEC, now)
    sparks: list[list[int | None]] = []
    for row in logs:
        known = row[~np.isnan(row)]
        if not len(known):
            sparks.append([])
            continue
        low, high = float(known.min()), float(known.max())
        scaled = (row - low) / (high - low) * 100 if high > low else row * 0 + 50
        sparks.append([None if x != x else round(x) for x in scaled.tolist()])
    return sparks


def _is_early(frame: pd.DataFrame) -> bool:
    """Whether some surprise is known, and every one of them is early."""
    is_known = frame["surprise"].notna()
    return bool(is_known.any() and frame["early"][is_known].all())


def _warming(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Figures that no symbol has yet, and after how long they can be there."""
    watched = frame["watched_sec"].max()
    if math.isnan(watched):
        return []
    missing = [name for name, column in _WARM_UP_COLUMNS.items() if frame[column].isna().all()] + (
        ["regime"] if (frame["regime"] == "unknown").all() else []
    )
    waits = {name: _WARM_UP_SEC[name] - watched for name in missing}
    return [
        (name, duration_text(wait))
        for name, wait in sorted(waits.items(), key=lambda item: item[1])
        if wait > 0
    ]


# The columns. Figures are a row of a pandas frame by the names of its columns, and the row's symbol
# and spark, the instant that is shown, and whether the row notes that it is early.

_Draw = Callable[[Mapping[str, Any]], Cell]


def last_text(figures: Mapping[str, Any]) -> str:
    """The last price, or that it is not known."""
    return price_text(figures["last"], figures["asset"]) or NOT_KNOWN


def _signed(text: str, *, is_strong: bool = False) -> Signed:
    sign = text[:1]
    strength = 2 if is_strong else 1
    return text, strength if sign == "+" else -strength if sign == MINUS else 0


def _figure(name: str) -> _Draw:
    """A figure as it is."""
    return lambda figures: figures[name]


def _move(name: str, sigma: str) -> _Draw:
    """A return, strong beyond what is usual over that time, if that is known."""

    def draw(figures: Mapping[str, Any]) -> Cell:
        text = percent_text(figures[name], PERCENT_DECIMALS[figures["asset"]])
        return _signed(text, is_strong=abs(figures[name]) >= figures[sigma])

    return draw


def _day(figures: Mapping[str, Any]) -> Cell:
    return _signed(percent_text(figures["ret_day"], PERCENT_DECIMALS[figures["asset"]]))


def _surprise(figures: Mapping[str, Any]) -> Cell:
    return gauge(figures, figures["now"], notes_early=figures["notes_early"])


def _heat(figures: Mapping[str, Any]) -> Cell:
    text = signed_text(figures["heat"], 1, "σ")
    return _signed(text, is_strong=abs(figures["heat"]) >= RARE)


def _trend(figures: Mapping[str, Any]) -> Cell:
    """The trend, without a tone if it is no more than its own noise."""
    trend = figures["trend_15m"]
    text = percent_text(trend, PERCENT_DECIMALS[figures["asset"]] + 1)
    is_noise = abs(trend) <= trend_noise(figures["vol_15m"])
    return (text, 0) if is_noise else _signed(text)


def _volatility(figures: Mapping[str, Any]) -> Cell:
    return size_text(figures["vol_15m"], PERCENT_DECIMALS[figures["asset"]])


def _regime(figures: Mapping[str, Any]) -> Cell:
    word = {"high_vol": "volatile", "normal": "calm", "unknown": NOT_KNOWN}[figures["regime"]]
    return word, figures["regime"] == "high_vol"


def _range(figures: Mapping[str, Any]) -> Cell:
    low, high = figures["range_low"], figures["range_high"]
    if math.isnan(low):
        return None
    text = " – ".join(price_text(price, figures["asset"]) for price in (low, high))
    if low == high:
        return text, 0.5
    place = (figures["last"] - low) / (high - low)
    return f"{text}, last price {place:.0%} of the way up".replace("%", " %"), round(place, 3)


_DRAWN: Final[tuple[tuple[_Draw, Column], ...]] = (
    (
        _figure("symbol"),
        Column("symbol", "Symbol", "Symbol, and how fresh its price is", Kind.NAME, 1),
    ),
    (last_text, Column("last", "Last", "Price of the newest tick", Kind.PRICE, 1)),
    (
        _day,
        Column(
            "day",
            "Day",
            "Change of the day: of stocks since the previous close, of forex since 17:00 in New"
            " York, of crypto over 24 hours",
            Kind.CHANGE,
            3,
        ),
    ),
    (_move("ret_1m", "sigma_1m"), Column("1m", "1 min", "Return over one minute", Kind.SIGNED, 1)),
    (
        _move("ret_5m", "sigma_5m"),
        Column("5m", "5 min", "Return over five minutes", Kind.SIGNED, 3),
    ),
    (
        _move("ret_15m", "vol_15m"),
        Column("15m", "15 min", "Return over fifteen minutes", Kind.SIGNED, 4),
    ),
    (
        _heat,
        Column(
            "heat",
            "Heat",
            "The largest surprise of the last fifteen minutes, which fades by half in three",
            Kind.SIGNED,
            6,
        ),
    ),
    (
        _surprise,
        Column(
            "surprise",
            "Surprise",
            "The last minute's move beside the symbol's usual minute. Bar: how rare it is among the"
            " minutes of its own last day; early, among those of its class, or by its volatility"
            " alone. Mark: the rarest of the last fifteen minutes as it fades; rows rank by it",
            Kind.GAUGE,
            2,
        ),
    ),
    (
        _volatility,
        Column("volatility", "Vol 15 min", "The typical move over fifteen minutes", Kind.TEXT, 4),
    ),
    (
        _trend,
        Column(
            "trend",
            "Trend/min",
            "Slope of the last fifteen minutes, per minute; grey if chance alone makes as much",
            Kind.SIGNED,
            6,
        ),
    ),
    (
        peers,
        Column(
            "peers",
            "vs peers",
            "Surprise beyond the median of the others of its class: 0 like them, grey within 1,"
            " bold from 2, which is apart from them",
            Kind.SIGNED,
            5,
        ),
    ),
    (
        _regime,
        Column(
            "regime", "Regime", "Whether the symbol is volatile for its last hour", Kind.WORD, 5
        ),
    ),
    (
        _range,
        Column(
            "range",
            "Range 1 h",
            "Lowest and highest price of the last hour, and where the last price lies between them",
            Kind.RANGE,
            6,
        ),
    ),
    (
        _figure("spark"),
        Column(
            "spark",
            "Last 15 min",
            "Last fifteen minutes; a hole is where no price came",
            Kind.SPARK,
            1,
        ),
    ),
)
"""What draws each column, in their order."""

COLUMNS: Final = tuple(column for _, column in _DRAWN)
