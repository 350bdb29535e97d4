"""Events as a detector tells them, for tests that need some and no detector."""

from __future__ import annotations

from typing import Any

from events import Event, Part
from rules import HORIZON_SEC, severity_of
from ticks import EventKind

__all__ = ["event_of", "part_of"]


def part_of(ts: float, kind: EventKind = "move_1m", **known: Any) -> Part:
    """A move of 0.4 % that ended at ``ts``, or what is ``known`` of it instead."""
    has_origin, horizon = kind != "vol_spike", HORIZON_SEC.get(kind, 10)
    values: dict[str, Any] = {
        "kind": kind,
        "horizon_sec": horizon,
        "value": 0.004,
        "threshold": 0.0012,
        "surprise": 3.1 if has_origin else None,
        "times_usual": 8.0,
        "from_price": 100.0 if has_origin else None,
        "from_ts": ts - horizon if has_origin else None,
        "to_price": 100.4,
        "to_ts": ts,
    }
    return Part(**(values | known))


def event_of(ts: float, **known: Any) -> Event:
    """A move of AAPL that began at ``ts``, or what is ``known`` of the event or of its one part."""
    names = set(Part.__slots__) & known.keys()
    part = part_of(ts, **{name: known[name] for name in names})
    values: dict[str, Any] = {
        "id": f"burst:AAPL:{round(ts * 1000)}",
        "symbol": "AAPL",
        "asset": "stocks",
        "ts": ts,
        "updated_ts": ts,
        "parts": (part,),
        "severity": severity_of(part.ratio),
        "vs_peers": None,
        "regime": "normal",
    }
    return Event(**(values | {k: v for k, v in known.items() if k not in names}))
