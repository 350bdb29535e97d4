"""Rule words: a rule of the user's as one sentence."""

from __future__ import annotations

from page.columns import PERCENT_DECIMALS
from rules import HORIZON_SEC, Rule, When
from ticks import Asset, legible
from wording import duration_text, price_text, signed_text, size_text

__all__ = ["rule_text"]


def rule_text(rule: Rule, symbol: str, asset: Asset) -> str:
    """What ``rule`` waits for of a symbol of its, and how severe it is."""
    severity = "" if rule.severity is None else f": {rule.severity}"
    return f"{_what(rule, symbol, asset)}{severity}"


def _what(rule: Rule, symbol: str, asset: Asset) -> str:
    size = size_text(rule.by or 0.0, PERCENT_DECIMALS[asset])
    price = price_text(rule.price or 0.0, asset)
    within = duration_text(rule.within_sec)
    match rule.when:
        case When.MOVE:
            return f"it moves {size} or more within {within}"
        case When.ABOVE | When.BELOW:
            return f"its price is {rule.when} {price}"
        case When.CROSSES:
            return f"its price crosses {price}"
        case When.VOLATILITY:
            return f"a typical 15 minutes moves it {size} or more"
        case When.SURPRISE:
            return f"its minute is {rule.by or 0.0:g}σ or more from what is usual"
        case When.DAY:
            return f"its day changes by {size} or more"
        case When.CORRELATION:
            return f"its correlation with {_other(rule, symbol)} leaves {_band(rule)}"
        case When.SILENT:
            return f"its feed brings nothing for {within} while its market is open"
        case When.UNHEARD:
            return f"it is not heard for {within} while its market is open"
        case When.VOL_SPIKE:
            return f"its volatility is an event from {size} on"
        case When.MOVE_1M | When.MOVE_5M:
            minutes = HORIZON_SEC["move_1m" if rule.when is When.MOVE_1M else "move_5m"] // 60
            return f"a move in {minutes} min is an event from {size} on"


def _other(rule: Rule, symbol: str) -> str:
    return legible(next((name for name in rule.symbols if name != symbol), ""))


def _band(rule: Rule) -> str:
    low, high = (None if r is None else signed_text(r, 2) for r in (rule.low, rule.high))
    if low is None:
        return f"what is below {high}"
    return f"what is above {low}" if high is None else f"{low} to {high}"
