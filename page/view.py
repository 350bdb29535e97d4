"""View: everything a viewer can choose, read from the page's address or from what the board sends.

The browser writes the address (``address.js``). Pure functions. Anybody may write an address: a
value in it that is not possible falls back to its default, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from correlation import BIN_SECS
from engine.ranking import ORDERS, RANKS
from ticks import ASSETS, SEVERITIES, Asset, Severity, legible
from wording import time_text

__all__ = [
    "AREAS",
    "ASSETS",
    "AUTO",
    "BARS",
    "COLOURS",
    "DEFAULT_ROWS",
    "FIRST",
    "LIST",
    "LISTS",
    "MOST_COMPARED",
    "RANKS",
    "SEVERITIES",
    "SPANS",
    "TILES",
    "UNITS",
    "WIDGETS",
    "View",
    "bin_sec",
    "chosen",
    "read",
    "shown_name",
]

AUTO: Final = "auto"
LIST: Final = "list"
TILES: Final = "tiles"
LISTS: Final = (AUTO, LIST, TILES, "by class")
"""Automatic: tiles in a kiosk, and on a screen that the browser finds wide enough; else a list."""
_FORMER_LISTS: Final = MappingProxyType({"one list": "list"})
"""How links that are older than the tiles name them."""
_NO_FORMER: Final[Mapping[str, str]] = MappingProxyType({})
COLOURS: Final = ("green up", "blue up", "red up")
"""Green and red; blue and orange, for those who cannot tell these apart; red and green."""

BARS: Final = (AUTO, *(f"{seconds} s" for seconds in BIN_SECS))

SPANS: Final = ("15m", "1h", "day")
"""How far back the chart of the opened symbol reaches."""

UNITS: Final = ("sigma", "percent")
"""What symbols are compared in: their own usual moves, or percent."""

AREAS: Final = ("equal", "range")
"""How large a tile is: like every other, or by the range of its hour in usual moves."""

MOST_COMPARED: Final = 2
"""How many symbols can be drawn beside the one that is opened."""

DEFAULT_ROWS: Final = 20
KIOSK_ROWS: Final = 12

_ON: Final = ("true", "1")

_QUOTED: Final = 40
"""How many characters of a refused value are repeated."""

_LISTED: Final = 160
"""How many characters of what is possible instead are listed."""

WIDGETS: Final = ("rank", "lists", "rows", "base", "bars", "correlate", "colours", "freeze")
"""What has a widget of Streamlit's, if perhaps also another place on the board."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything a viewer can choose; the field names are those of the address."""

    rank: str = "heat"
    """One of ``ORDERS``."""
    lists: str = LISTS[0]
    area: str = AREAS[0]
    rows: int = DEFAULT_ROWS
    group: str = ""
    """The named list of symbols that alone are shown; empty: all."""
    base: str = ""
    """Symbol of the correlation card; empty if nothing is watched."""
    bars: str = AUTO
    correlate: tuple[Asset, ...] = ("stocks",)
    """Asset classes it is compared with."""
    colours: str = COLOURS[0]
    freeze: bool = False
    kiosk: bool = False
    awake: bool = False
    """Whether a kiosk keeps the screen on."""
    tz: str = ""
    """Time zone instead of the browser's."""
    symbol: str = ""
    """The symbol that is opened."""
    span: str = SPANS[1]
    compare: tuple[str, ...] = ()
    """Symbols that are drawn beside the one that is opened."""
    unit: str = UNITS[0]
    at: int | None = None
    """The second to look back at, since the epoch; None is live."""
    severity: Severity = SEVERITIES[0]
    """Events below it are not listed."""
    events: tuple[Asset, ...] = ASSETS
    """Asset classes whose events are listed."""
    heat: bool = False
    sound: bool = False
    notify: bool = False

    @property
    def form(self) -> str:
        """What the pulse is shown as: one of ``LISTS`` but the automatic one."""
        return self.lists if self.lists != AUTO else TILES if self.kiosk else LIST


FIRST: Final = View()
"""What is chosen if nothing is."""
_NAMES: Final = frozenset(field.name for field in fields(View))
_OF_KIOSK: Final = ("lists", "freeze", "at", "rows")
"""What a kiosk decides by itself."""


def read(
    params: Mapping[str, Sequence[str]],
    symbols: Sequence[str],
    correlate: tuple[Asset, ...] = FIRST.correlate,
    groups: Sequence[str] = (),
) -> tuple[View, list[str]]:
    """The view of an address, and a note for each value in it that is not possible.

    ``params`` has the values of each parameter; ``symbols`` are those that are watched and
    ``groups`` the names of their groups; ``correlate`` are the classes to compare with if the
    address names none.
    """
    rows = max(1, len(symbols))
    parsers: dict[str, Callable[[Sequence[str]], object]] = {
        "rank": _one_of(ORDERS),
        "lists": _one_of(LISTS, _FORMER_LISTS),
        "area": _one_of(AREAS),
        "group": _one_of(groups),
        "rows": _number(1, rows),
        "base": _symbol(symbols),
        "bars": _one_of(BARS),
        "correlate": _some_of(ASSETS),
        "colours": _one_of(COLOURS),
        "freeze": _toggle,
        "kiosk": _switch,
        "awake": _switch,
        "tz": _zone,
        "symbol": _symbol(symbols),
        "span": _one_of(SPANS),
        "compare": _symbols(symbols),
        "unit": _one_of(UNITS),
        "at": _instant,
        "severity": _one_of(SEVERITIES),
        "events": _some_of(ASSETS),
        "heat": _switch,
        "sound": _switch,
        "notify": _switch,
    }
    is_kiosk = (params.get("kiosk") or ("",))[-1] in _ON
    # The values of a View's fields, each of its own type: what its parser returns.
    found: dict[str, Any] = {
        "rows": min(KIOSK_ROWS if is_kiosk else DEFAULT_ROWS, rows),
        "base": symbols[0] if symbols else "",
        "correlate": correlate,
    }
    notes = []
    for name, parse in parsers.items():
        given = params.get(name)
        if not given:
            continue
        try:
            found[name] = parse(given)
        except ValueError as error:
            shown = legible(", ".join(given), _QUOTED)
            default = _fallback(found.get(name, getattr(FIRST, name)))
            notes.append(f"The link's {name}={shown} is not possible: {error}. {default}")
    if found.get("kiosk"):
        # More lists do not fit in big type, and nobody is there to return from the past.
        several = found.get("lists") not in (LIST, TILES)
        found |= {"freeze": False, "at": None, **({"lists": AUTO} if several else {})}
    return View(**found), notes


def chosen(
    view: View,
    changed: Mapping[str, Any],
    symbols: Sequence[str],
    correlate: tuple[Asset, ...] = FIRST.correlate,
    groups: Sequence[str] = (),
) -> tuple[View, list[str]]:
    """The view after a choice made on the board, and a note for each value that is not possible.

    That gets its default. ``changed`` has the new values by their names in a view. They come from a
    browser, which deserves no more trust than an address: any JSON.
    """
    names = [name for name in changed if name in _NAMES]
    params = {
        name: _texts(name, changed[name]) for name in names if changed[name] not in (None, "", [])
    }
    found, notes = read(params, symbols, correlate, groups)
    if "kiosk" in params and found.kiosk:
        names += _OF_KIOSK
    elif "kiosk" in names and view.kiosk and view.rows == min(KIOSK_ROWS, max(1, len(symbols))):
        # It had decided that.
        names.append("rows")
    return replace(view, **{name: getattr(found, name) for name in names}), notes


def _texts(name: str, value: object) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    if isinstance(value, bool):
        return [str(value).lower()]
    if name == "at" and isinstance(value, (int, float)):
        return [time_text(value)]
    return [str(value)]


def shown_name(symbol: str) -> str:
    """A symbol as page and address name it, whatever marks it is made of; ``read`` takes both."""
    return legible(symbol, len(symbol))


def bin_sec(bars: str) -> int | None:
    """The seconds of a choice of ``BARS``; None for the automatic one."""
    return None if bars == AUTO else int(bars.split()[0])


def _fallback(default: object) -> str:
    if default in (None, "", ()):
        return "It is left out."
    words = ", ".join(default) if isinstance(default, tuple) else str(default)
    return f"Shown instead: {words}."


def _one_of(
    allowed: Sequence[str], former: Mapping[str, str] = _NO_FORMER
) -> Callable[[Sequence[str]], str]:
    def parse(given: Sequence[str]) -> str:
        name = former.get(given[-1], given[-1])
        if name not in allowed:
            raise ValueError(f"expected one of {legible(', '.join(allowed), _LISTED) or 'none'}")
        return name

    return parse


def _symbol(symbols: Sequence[str]) -> Callable[[Sequence[str]], str]:
    def parse(given: Sequence[str]) -> str:
        name = given[-1]
        if name in symbols:
            return name
        # A plus that was not escaped arrives as a blank.
        names = name, name.replace(" ", "+")
        for symbol in symbols:
            if shown_name(symbol) in names:
                return symbol
        raise ValueError(f"expected one of {legible(', '.join(symbols), _LISTED)}")

    return parse


def _symbols(symbols: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    one = _symbol(symbols)

    def parse(given: Sequence[str]) -> tuple[str, ...]:
        if len(set(given)) > MOST_COMPARED:
            raise ValueError(f"expected {MOST_COMPARED} symbols at most")
        return tuple(dict.fromkeys(one([name]) for name in given))

    return parse


def _some_of(allowed: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    def parse(given: Sequence[str]) -> tuple[str, ...]:
        if not set(given) <= set(allowed):
            raise ValueError(f"expected some of {', '.join(allowed)}")
        return tuple(name for name in allowed if name in given)

    return parse


def _number(least: int, most: int) -> Callable[[Sequence[str]], int]:
    def parse(given: Sequence[str]) -> int:
        text = given[-1]
        is_short = text.isascii() and text.isdigit() and len(text) < 10
        if not (is_short and least <= int(text) <= most):
            raise ValueError(f"expected a number from {least} to {most}")
        return int(text)

    return parse


def _switch(given: Sequence[str]) -> bool:
    if given[-1] not in (*_ON, "false", "0"):
        raise ValueError("expected true or false")
    return given[-1] in _ON


def _toggle(given: Sequence[str]) -> bool:
    # As Streamlit's own widget reads it: no 1 and no 0.
    if given[-1] not in ("true", "false"):
        raise ValueError("expected true or false")
    return given[-1] == "true"


def _zone(given: Sequence[str]) -> str:
    # A plus that was not escaped arrives as a blank, of which a zone's name has none.
    name = given[-1].replace(" ", "+")
    try:
        # Some systems know more names than those of the zones; browsers do not.
        if name == "UTC" or ("/" in name and not name.startswith(("posix", "right"))):
            return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValueError("expected a time zone like Europe/Berlin")


def _instant(given: Sequence[str]) -> int:
    text = given[-1]
    # The same plus, before an offset from UTC; a blank between date and time is meant as one.
    time, _, offset = text.rpartition(" ")
    for one in (text, f"{time}+{offset}"):
        try:
            at = datetime.fromisoformat(one)
            # In UTC it is still within the years that there are.
            return int((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).timestamp())
        except (ValueError, OverflowError):
            continue
    raise ValueError("expected a time like 2026-01-31T14:32:05Z")
