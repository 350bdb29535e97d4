"""Columns: what the table of the pulse shows of a symbol, and what each cell holds.

Figures are a row of a pandas frame by the names of its columns, and the row's symbol, the instant
that is shown, and whether the row notes that it is early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.ranking import NAME, ORDERS
from formulas import trend_noise
from page.surprise import BLANK, COLD, Gauge, Heat, gauge, heat, peers
from page.tones import Signed, signed
from wording import NOT_KNOWN, percent_text, price_text, size_text

__all__ = [
    "BLANKS",
    "COLUMNS",
    "DRAWN",
    "PERCENT_DECIMALS",
    "Cell",
    "Column",
    "Kind",
    "day_change",
    "last_text",
    "sigma_15m",
]

PERCENT_DECIMALS: Final = {"stocks": 2, "forex": 3, "crypto": 2}
"""Decimals of a percentage: a forex pair moves a tenth of what the others do."""

_DAY_QUARTERS: Final = {"stocks": 26, "forex": 96, "crypto": 96}
"""Quarters of an hour in which a market trades in a day: of stocks those of its regular hours."""


class Kind(StrEnum):
    """How a cell is drawn, and so what it holds."""

    NAME = "name"
    """The symbol; the row's state is drawn below it."""
    PRICE = "price"
    """A text, which a row of a closed market shows too."""
    TEXT = "text"
    """A text."""
    SIGNED = "signed"
    """A text and its tone: the whole standard deviations of the move, from −3 to 3; 0 is usual."""
    CHANGE = "change"
    """The same, which a row of a closed market shows too."""
    HEAT = "heat"
    """A ``Heat``."""
    GAUGE = "gauge"
    """A ``Gauge``."""
    WORD = "word"
    """A text, and whether it is marked."""
    SPARK = "spark"
    """None: the line is the row's ``spark``; a closed market's last session instead."""
    RANGE = "range"
    """A text, and how far up the range its mark lies, from 0 to 1; None if it is not known."""


Cell = str | Signed | Heat | Gauge | tuple[str, float] | None

BLANKS: Final[Mapping[Kind, Cell]] = {
    Kind.TEXT: "",
    Kind.SIGNED: ("", 0),
    Kind.HEAT: COLD,
    Kind.GAUGE: BLANK,
    Kind.WORD: ("", False),
    Kind.SPARK: None,
    Kind.RANGE: None,
}
"""What a row that shows its last session holds instead of figures, by the kinds of these."""


class Column(msgspec.Struct, frozen=True):
    """A column of the table."""

    name: str
    heading: str
    help: str
    kind: Kind
    priority: int
    """1 is always shown; the higher, the more room it takes for the column to be shown."""
    orders: tuple[str, ...]
    """What a click on the heading ranks by, then what the next ones do, in turn; none if rows
    cannot be ranked by it. A rank that ends with " down" ascends."""


_Draw = Callable[[Mapping[str, Any]], Cell]


def last_text(figures: Mapping[str, Any]) -> str:
    """The last price, or that it is not known."""
    return price_text(figures["last"], figures["asset"]) or NOT_KNOWN


def _figure(name: str) -> _Draw:
    """A figure as it is."""
    return lambda figures: figures[name]


def _move(name: str, sigma: str) -> _Draw:
    """A return, with the tone that it has beside what is usual over that time."""

    def draw(figures: Mapping[str, Any]) -> Cell:
        text = percent_text(figures[name], PERCENT_DECIMALS[figures["asset"]])
        return signed(text, figures[name], figures[sigma])

    return draw


def sigma_15m(figures: Mapping[str, Any]) -> float:
    """The typical move over fifteen minutes: the last hour's, so that a storm stands out of it."""
    sigma: float = figures["vol_median"]
    return figures["vol_15m"] if math.isnan(sigma) else sigma


def _move_15m(figures: Mapping[str, Any]) -> Cell:
    text = percent_text(figures["ret_15m"], PERCENT_DECIMALS[figures["asset"]])
    return signed(text, figures["ret_15m"], sigma_15m(figures))


def day_change(figures: Mapping[str, Any]) -> Signed:
    """The change of the day beside the hour's usual volatility, as if it were that of a day."""
    asset = figures["asset"]
    text = percent_text(figures["ret_day"], PERCENT_DECIMALS[asset])
    sigma = figures["vol_median"] * math.sqrt(_DAY_QUARTERS[asset])
    return signed(text, figures["ret_day"], sigma)


def _heat(figures: Mapping[str, Any]) -> Cell:
    return heat(figures, figures["now"])


def _surprise(figures: Mapping[str, Any]) -> Cell:
    return gauge(figures, notes_early=figures["notes_early"])


def _trend(figures: Mapping[str, Any]) -> Cell:
    """The trend, beside what chance makes of it; grey up to twice that."""
    trend = figures["trend_15m"]
    text = percent_text(trend, PERCENT_DECIMALS[figures["asset"]] + 1)
    noise = float(trend_noise(figures["vol_15m"]))
    return (text, 0) if abs(trend) <= noise else signed(text, trend, noise / 2)


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
    return f"{text}, last price {place:.0%} of the way up".replace("%", " %"), round(place, 2)


def _nothing(figures: Mapping[str, Any]) -> Cell:
    return None


def _orders(rank: str) -> tuple[str, ...]:
    return tuple(order for order in ORDERS if order.split()[0] == rank)


def _column(
    name: str, heading: str, help_: str, kind: Kind, priority: int, *, is_rank: bool = True
) -> Column:
    orders = _orders(NAME if kind is Kind.NAME else name) if is_rank else ()
    return Column(name, heading, help_, kind, priority, orders)


DRAWN: Final[tuple[tuple[_Draw, Column], ...]] = (
    (
        _figure("symbol"),
        _column("symbol", "Symbol", "Symbol, and how fresh its price is", Kind.NAME, 1),
    ),
    (
        last_text,
        _column("last", "Last", "Price of the newest tick", Kind.PRICE, 1, is_rank=False),
    ),
    (
        _heat,
        _column(
            "heat",
            "Heat",
            "The most unusual move of the last fifteen minutes, in standard deviations σ, and when"
            " it was. Rows rank by what is left of it: half after three minutes. Grey: usual",
            Kind.HEAT,
            1,
        ),
    ),
    (
        _nothing,
        _column(
            "spark",
            "Last 15 min",
            "Last fifteen minutes beside the typical move over them, on one scale for all symbols;"
            " the thin line is where it began, a hole is where no price came",
            Kind.SPARK,
            1,
            is_rank=False,
        ),
    ),
    (
        day_change,
        _column(
            "day",
            "Day",
            "Change of the day: of stocks since the previous close, of forex since 17:00 in New"
            " York, of crypto over 24 hours. Grey: within its usual day, by the last hour",
            Kind.CHANGE,
            3,
        ),
    ),
    (
        _move("ret_1m", "sigma_1m"),
        _column(
            "1m", "1 min", "Return over one minute. Grey: within its usual minute", Kind.SIGNED, 2
        ),
    ),
    (
        _move("ret_5m", "sigma_5m"),
        _column(
            "5m", "5 min", "Return over five minutes. Grey: within its usual five", Kind.SIGNED, 3
        ),
    ),
    (
        _move_15m,
        _column(
            "15m",
            "15 min",
            "Return over fifteen minutes. Grey: within its usual fifteen",
            Kind.SIGNED,
            4,
        ),
    ),
    (
        _surprise,
        _column(
            "surprise",
            "Surprise",
            "The last minute's move beside the symbol's usual minute. Bar: how rare it is among the"
            " minutes of its own last day; early, among those of its class, or by its volatility"
            " alone",
            Kind.GAUGE,
            2,
        ),
    ),
    (
        _volatility,
        _column("volatility", "Vol 15 min", "The typical move over fifteen minutes", Kind.TEXT, 4),
    ),
    (
        _trend,
        _column(
            "trend",
            "Trend/min",
            "Slope of the last fifteen minutes, per minute; grey if chance alone makes as much",
            Kind.SIGNED,
            6,
        ),
    ),
    (
        peers,
        _column(
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
        _column(
            "regime",
            "Regime",
            "Whether the symbol is volatile for its last hour",
            Kind.WORD,
            5,
            is_rank=False,
        ),
    ),
    (
        _range,
        _column(
            "range",
            "Range 1 h",
            "Lowest and highest price of the last hour, and where the last price lies between them",
            Kind.RANGE,
            6,
            is_rank=False,
        ),
    ),
)
"""What draws each column, in their order."""

COLUMNS: Final = tuple(column for _, column in DRAWN)
