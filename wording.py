"""Figures, durations and instants in words: the same on the page, in an export and in an alert.

Pure functions of numbers. A figure that is not known is NaN here and a dash in words, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

__all__ = [
    "EARLY_TEXT",
    "MINUS",
    "NOT_KNOWN",
    "brief_percent_text",
    "brief_times_text",
    "duration_text",
    "joined_base",
    "joined_names",
    "percent_text",
    "price_text",
    "rarity",
    "rarity_share_text",
    "rarity_text",
    "signed_text",
    "signed_times_text",
    "size_text",
    "time_text",
    "times_text",
    "times_usual_text",
]

NOT_KNOWN: Final = "–"
MINUS: Final = "−"

EARLY_TEXT: Final = "early: under six hours of its own minutes are known"
"""Why nothing is said of the symbol's own last day: its surprise is then judged by the minutes of
its class, or by its volatility alone."""

MOST_RARE: Final = 0.999
"""The rarest that is told: a day has 1,440 minutes, and so says little of one in thousands."""

USUAL_SHARE: Final = 0.5
"""Below this a move is no rarer than usual."""


def percent_text(fraction: float, decimals: int = 2) -> str:
    """A signed fraction in percent; what rounds to zero has no sign.

    >>> percent_text(-0.0121)
    '−1.21 %'
    """
    return signed_text(fraction * 100, decimals, " %")


def brief_percent_text(fraction: float) -> str:
    """A signed fraction in percent to two digits: the same for a coin and for a pair of currencies.

    >>> brief_percent_text(-0.0093), brief_percent_text(0.01121), brief_percent_text(0.00042)
    ('−0.93 %', '+1.1 %', '+0.042 %')
    """
    if not math.isfinite(fraction):
        return NOT_KNOWN
    # Of the rounded figure: 0.996 % is 1.0 %.
    exponent = int(f"{fraction * 100:.1e}".partition("e")[2])
    return percent_text(fraction, min(max(0, 1 - exponent), 3))


def signed_text(value: float, decimals: int, unit: str = "") -> str:
    """A number with its sign and its unit; what rounds to zero has no sign."""
    if math.isnan(value):
        return NOT_KNOWN
    text = f"{abs(value):.{decimals}f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else MINUS
    return f"{sign}{text}{unit}"


def size_text(fraction: float, decimals: int = 2) -> str:
    """A fraction without a direction, in percent.

    >>> size_text(0.0121)
    '1.21 %'
    """
    return NOT_KNOWN if math.isnan(fraction) else f"{fraction * 100:.{decimals}f} %"


def times_text(times: float) -> str:
    """How many times as large as usual, without a direction, to two digits or more.

    >>> times_text(-8.24)
    '8.2 ×'
    """
    return NOT_KNOWN if math.isnan(times) else f"{abs(times):,.{_times_decimals(times)}f} ×"


def brief_times_text(times: float) -> str:
    """The same as short as can be: whole from three on.

    >>> brief_times_text(-8.24), brief_times_text(2.46)
    ('8×', '2.5×')
    """
    if math.isnan(times):
        return NOT_KNOWN
    return f"{abs(times):,.{1 if abs(times) < 2.95 else 0}f}×"


def signed_times_text(times: float) -> str:
    """The same with its direction; what rounds to zero has none.

    >>> signed_times_text(-12.4)
    '−12 ×'
    """
    return signed_text(times, _times_decimals(times), " ×")


def _times_decimals(times: float) -> int:
    # 9.97 is 10, not 10.0: one digit more would be one more in width.
    return 1 if abs(times) < 9.95 else 0


def times_usual_text(times: float, minutes: int = 1) -> str:
    """A move over some minutes beside those that are usual for the symbol.

    >>> times_usual_text(-8.24)
    '8.2 × its usual minute'
    >>> times_usual_text(3.4, 5)
    '3.4 × its usual 5 minutes'
    """
    usual = "minute" if minutes == 1 else f"{minutes} minutes"
    return f"{times_text(times)} its usual {usual}"


def rarity(surprise: float) -> float:
    """The share of minutes than which one of this surprise is rarer; at most 0.999.

    A surprise is in the standard deviations of a normal variable, and this is the probability that
    such a variable is nearer to its mean. NaN if the surprise is.
    """
    share = math.erf(abs(surprise) / math.sqrt(2.0))
    return share if math.isnan(share) else min(share, MOST_RARE)


def rarity_share_text(surprise: float) -> str:
    """That share, rounded down: whole percents below 99, tenths from there on.

    >>> rarity_share_text(3.1)
    '99.8 %'
    """
    share = rarity(surprise)
    if math.isnan(share):
        return NOT_KNOWN
    # A rounding error must not make 99.8 % of 0.999.
    tenths = math.floor(share * 1000 + 1e-9)
    return f"{tenths / 10:.1f} %" if tenths >= 990 else f"{tenths // 10} %"


def rarity_text(surprise: float) -> str:
    """How rare a move of this surprise is among the symbol's own.

    >>> rarity_text(3.1)
    'rarer than 99.8 % of its own last day'
    """
    if math.isnan(surprise):
        return NOT_KNOWN
    if rarity(surprise) < USUAL_SHARE:
        return "no rarer than usual"
    return f"rarer than {rarity_share_text(surprise)} of its own last day"


def joined_base(symbols: Sequence[str]) -> str:
    """The same shorter: of several that have one base, that alone.

    >>> joined_base(["BTC-USD", "BTC-USDT"]), joined_base(["BTC-USD"])
    ('BTC', 'BTC-USD')
    """
    bases = {base if dash and quote else "" for base, dash, quote in map(_in_two, symbols)}
    base = bases.pop() if len(bases) == 1 and len(symbols) > 1 else ""
    return base or joined_names(symbols)


def joined_names(symbols: Sequence[str]) -> str:
    """Symbols as one subject; those of one base, before the dash, by that and what follows it.

    >>> joined_names(["BTC-USD", "BTC-USDT"]), joined_names(["GOOG", "GOOGL"])
    ('BTC (USD, USDT)', 'GOOG and GOOGL')
    """
    of_base: dict[str, list[str]] = {}
    for symbol in symbols:
        base, dash, quote = _in_two(symbol)
        of_base.setdefault(base + dash if base and quote else symbol, []).append(symbol)
    names = [
        alike[0]
        if len(alike) == 1
        else f"{start[:-1]} ({', '.join(symbol.removeprefix(start) for symbol in alike)})"
        for start, alike in of_base.items()
    ]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _in_two(symbol: str) -> tuple[str, str, str]:
    """A symbol's base, the dash, and what it is quoted in."""
    return symbol.partition("-")


def duration_text(seconds: float | None) -> str:
    """A duration in its two largest units; a negative one counts as 0.

    >>> duration_text(3725)
    '1 h 02 min'
    """
    if seconds is None or math.isnan(seconds):
        return NOT_KNOWN
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def time_text(ts: float) -> str:
    """An instant in ISO 8601, in UTC and to the second; one beyond the calendar stays a number.

    >>> time_text(1_769_869_925.9)
    '2026-01-31T14:32:05Z'
    """
    try:
        return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(ts)


def price_text(price: float, asset: str) -> str:
    """A price with its instrument's decimals: 92,010.50, 153.21, 1.08675, 0.00001234.

    At least four significant digits, steady in width for one instrument and never in scientific
    notation: stocks have two decimals, crypto too from 10 on and four below, forex pairs five (four
    from 20 and three from 100 on, as rupees and yen are quoted), and all have as many more as four
    digits take. Empty if the price is not known.

    >>> price_text(0.006412, "forex")
    '0.006412'
    """
    if not math.isfinite(price):
        return ""
    size = abs(price)
    if asset == "forex":
        usual = 5 if size < 20 else 4 if size < 100 else 3
    else:
        usual = 4 if asset == "crypto" and size < 10 else 2
    # Of the rounded price: 0.0099999 is as wide as 0.0100.
    exponent = int(f"{price:.3e}".partition("e")[2]) if size else 0
    return f"{price:,.{max(usual, 3 - exponent)}f}"
