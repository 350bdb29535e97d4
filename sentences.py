"""Sentences: what an event tells, made of the numbers of its parts.

The same on the page, in an export and in an alert.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules import Part, When
from wording import (
    brief_percent_text,
    brief_times_text,
    duration_text,
    joined_names,
    price_text,
    rarity_text,
    signed_text,
    size_text,
    times_text,
    times_usual_text,
)

__all__ = ["brief_text", "burst_text", "hit_text", "more_text", "title_text"]


def burst_text(symbol: str, asset: str, lead: Part, company: str, *, is_early: bool) -> str:
    """What a burst is, by the part that is told first, in one sentence.

    ``company`` is whether the symbol moved alone, in words; ``is_early``: whether its surprise is
    not that of its own last day yet, and so is not told.
    """
    details = []
    minutes = lead.horizon_sec // 60
    if lead.rises is None:
        what = f"{symbol} volatility {size_text(lead.value)} per {minutes} min"
        if lead.times_usual is not None:
            details.append(f"{times_text(lead.times_usual)} its hourly median")
        details.append(f"unusual from {size_text(lead.threshold)} on")
    else:
        verb = "rose" if lead.rises else "fell"
        what = f"{symbol} {verb} {size_text(abs(lead.value))} in {minutes} min"
        if lead.times_usual is not None:
            details.append(times_usual_text(lead.times_usual, minutes))
        if lead.surprise is not None and not is_early:
            details.append(rarity_text(lead.surprise))
        if lead.from_price is not None and lead.to_price is not None:
            details.append(_prices_text(lead, asset))
    if company:
        details.append(company)
    return ": ".join(filter(None, (what, ", ".join(details))))


def hit_text(
    rule: str, symbol: str, asset: str, part: Part, others: Sequence[str], *, is_over: bool
) -> str:
    """What the hit of the user's ``rule`` is, or was if it is over, in one sentence.

    ``others`` are the rest of the symbols whose correlation it watches.
    """
    value, threshold = part.value, part.threshold
    verb = "rose" if part.rises else "fell"
    span = _span_text(part.horizon_sec)
    level = price_text(threshold, asset)
    match part.when:
        case When.MOVE:
            what = f"{symbol} {verb} {size_text(abs(value))} within {span}"
        case When.DAY:
            what = f"{symbol} {verb} {size_text(abs(value))} on the day"
        case When.ABOVE | When.BELOW:
            what = f"{symbol} {'was' if is_over else 'is'} {part.when.value} {level}"
        case When.CROSSES:
            what = f"{symbol} crossed {level} {'upwards' if part.rises else 'downwards'}"
        case When.VOLATILITY:
            what = f"{symbol} volatility {size_text(value)} per {span}"
        case When.SURPRISE:
            what = f"{symbol} {verb} with a surprise of {abs(value):.1f} within {span}"
        case When.CORRELATION:
            side = "below" if value < threshold else "above"
            found, bound = signed_text(value, 2), signed_text(threshold, 2)
            what = f"{symbol} correlates with {' and '.join(others)} at {found}, {side} {bound}"
        case When.UNHEARD:
            what = f"No price of {symbol} for {duration_text(value)}"
        case _:
            what = f"No price of {asset} for {duration_text(value)}"
    prices = _prices_text(part, asset)
    if part.from_price is None and prices:
        prices = f"at {prices}"
    return ", ".join(filter(None, (f"{what}: rule {rule}", prices)))


def title_text(symbols: Sequence[str], asset: str, part: Part) -> str:
    """What happened as a title: who, and by how much; ``symbols`` are told as one.

    "META −0.93 %", "BTC (USD, USDT) +1.1 %", "AAPL volatility 0.42 %", "BTC-USD above 90,000.00".
    """
    names, value = joined_names(symbols), part.value
    level = price_text(part.threshold, asset)
    match part.when:
        case When.ABOVE | When.BELOW:
            return f"{names} {part.when.value} {level}"
        case When.CROSSES:
            return f"{names} {'above' if part.rises else 'below'} {level}"
        case When.SURPRISE:
            return f"{names} {signed_text(value, 1, 'σ')}"
        case When.CORRELATION:
            return f"{names} at r {signed_text(value, 2)}"
        case When.SILENT | When.UNHEARD:
            return f"No price of {names or asset}"
        case _:
            pass
    if part.rises is None:
        return f"{names} volatility {size_text(value)}"
    return f"{names} {brief_percent_text(value)}"


def brief_text(part: Part, rule: str, company: str) -> str:
    """What follows a title in one short sentence: how long it took, and beside what is usual.

    "in 1 min, 8× its usual minute, alone", "per 15 min, 2.4× its hourly median"; of a hit of the
    user's its ``rule``.
    """
    if part.when is not None:
        return f"rule {rule}"
    minutes = part.horizon_sec // 60
    times = "" if part.times_usual is None else brief_times_text(part.times_usual)
    if part.rises is None:
        return ", ".join((f"per {minutes} min", *([f"{times} its hourly median"] if times else [])))
    usual = "minute" if minutes == 1 else f"{minutes} minutes"
    told = (f"in {minutes} min", f"{times} its usual {usual}" if times else "", company)
    return ", ".join(filter(None, told))


def more_text(lead: Part, parts: Sequence[Part], twins: Sequence[str]) -> str:
    """What else belongs to a burst, its other parts and its twins, in one line; may be empty."""
    told = [
        f"{size_text(abs(part.value))} in {part.horizon_sec // 60} min"
        if part.rises is not None
        else f"volatility {size_text(part.value)} per {part.horizon_sec // 60} min"
        for part in parts
        if part is not lead
    ]
    also = f"also {', '.join(told)}" if told else ""
    along = f"{' and '.join(twins)} moved along" if twins else ""
    return "; ".join(filter(None, (also, along)))


def _prices_text(part: Part, asset: str) -> str:
    """From which price to which, as far as they are known."""
    prices = (price for price in (part.from_price, part.to_price) if price is not None)
    return " → ".join(price_text(price, asset) for price in prices)


def _span_text(seconds: int) -> str:
    """A horizon in its own unit: 10 s, 15 min, 1 h."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
