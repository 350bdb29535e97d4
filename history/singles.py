"""Singles: events as they were archived before all that a burst has was told as one.

Each was one kind of stress alone. Its surprise was the move beside its usual one.
"""

from __future__ import annotations

import msgspec

from events import Event, Part
from ticks import EventKind, Regime, Severity

__all__ = ["decode_single", "is_single"]


class _Single(msgspec.Struct):
    """What was archived of an event, by the names that it had."""

    id: str
    kind: EventKind
    symbol: str
    asset: str
    ts: float
    updated_ts: float
    horizon_sec: int
    peak: float
    threshold: float
    severity: Severity
    count: int
    from_price: float | None
    from_ts: float | None
    to_price: float
    to_ts: float
    surprise: float | None
    regime: Regime
    history: bool = False


class _Either(msgspec.Struct):
    """What tells the two forms apart."""

    parts: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_either = msgspec.json.Decoder(_Either).decode
_decode = msgspec.json.Decoder(_Single).decode


def is_single(text: str) -> bool:
    """Whether an archived event is of that form.

    Raises:
        msgspec.MsgspecError: if it is of no form at all.
    """
    return _decode_either(text).parts is msgspec.UNSET


def decode_single(text: str) -> Event:
    """An event of that form as a burst of one part.

    Its own words are kept: what it claimed of its peers was in other units, and is left out.

    Raises:
        msgspec.MsgspecError: if the text is not one.
    """
    old = _decode(text)
    part = Part(
        kind=old.kind,
        horizon_sec=old.horizon_sec,
        value=old.peak,
        threshold=old.threshold,
        surprise=None,
        times_usual=None if old.surprise is None else abs(old.surprise),
        from_price=old.from_price,
        from_ts=old.from_ts,
        to_price=old.to_price,
        to_ts=old.to_ts,
    )
    return Event(
        id=old.id,
        symbol=old.symbol,
        asset=old.asset,
        ts=old.ts,
        updated_ts=old.updated_ts,
        parts=(part,),
        severity=old.severity,
        count=old.count,
        vs_peers=None,
        regime=old.regime,
        history=old.history,
    )
