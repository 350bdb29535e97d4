"""Listening: what vendors send, counted beside the feeds, which do with it what they always do."""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ticks import Asset
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick, Vendor

__all__ = ["Heard", "listened", "shape"]

_DEPTH: Final = 5
_WIDTH: Final = 24
"""Deeper and wider a message is not described."""

_SHAPES: Final = 20
"""So many forms of messages are kept apart."""

_LAGS: Final = 100_000

_NAMING: Final = frozenset(
    {"type", "channel", "method", "T", "e", "event", "status", "status_code", "code", "result"}
)
"""Fields that tell what a message is: their values are shown, if they are plain words."""

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_ -]{0,23}")


@dataclass(slots=True)
class Heard:
    """What came through the connections of one feed."""

    begun_at: float = field(default_factory=time.monotonic)
    connections: int = 0
    frames: int = 0
    longest_gap_sec: float = 0.0
    """The longest time between two frames of a connection that was accepted."""
    accepted_sec: float | None = None
    """When the vendor accepted the first connection; None: it did not."""
    priced_sec: float | None = None
    """When the first price came that was no snapshot."""
    prices: Counter[str] = field(default_factory=Counter)
    """How many came of each symbol, snapshots left out."""
    snapshots: int = 0
    halts: int = 0
    lags: list[float] = field(default_factory=list)
    """How far the stamp of each price lagged the clock when it came, in seconds."""
    notices: Counter[NoticeKind] = field(default_factory=Counter)
    shapes: Counter[tuple[NoticeKind, str]] = field(default_factory=Counter)
    """The forms of the messages that were ignored or could not be read."""


def listened(vendor: Vendor, heard: Heard) -> Vendor:
    """The same vendor, each of whose connections is noted in ``heard``."""
    return cast("Vendor", _Listened(vendor, heard))


class _Listened:
    """A vendor as it is, but for its dialogues."""

    def __init__(self, vendor: Vendor, heard: Heard) -> None:
        self._vendor = vendor
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vendor, name)

    def dialogue(self, asset: Asset, symbols: Sequence[str]) -> Dialogue:
        self._heard.connections += 1
        return _Noted(self._vendor.dialogue(asset, symbols), self._heard)


class _Noted:
    """A dialogue as it is, whose frames are noted."""

    def __init__(self, dialogue: Dialogue, heard: Heard) -> None:
        self._dialogue = dialogue
        self._heard = heard
        self._framed_at = math.inf

    @property
    def is_accepted(self) -> bool:
        return self._dialogue.is_accepted

    @property
    def refused(self) -> Mapping[str, NoticeKind]:
        return self._dialogue.refused

    def begin(self) -> Sequence[str]:
        return self._dialogue.begin()

    def due(self, now: float) -> tuple[Sequence[str], float]:
        return self._dialogue.due(now)

    def receive(self, frame: bytes, now: float) -> Sequence[RawTick | Notice | Halt]:
        found = self._dialogue.receive(frame, now)
        heard, at = self._heard, time.monotonic()
        heard.frames += 1
        if self._dialogue.is_accepted:
            heard.longest_gap_sec = max(heard.longest_gap_sec, at - self._framed_at)
            self._framed_at = at
            if heard.accepted_sec is None:
                heard.accepted_sec = at - heard.begun_at
        for one in found:
            if isinstance(one, Notice):
                self._note(one, frame)
            elif isinstance(one, Halt):
                heard.halts += 1
            elif one.is_snapshot:
                heard.snapshots += 1
            else:
                heard.prices[one.symbol] += 1
                if heard.priced_sec is None:
                    heard.priced_sec = at - heard.begun_at
                if len(heard.lags) < _LAGS and math.isfinite(one.ts):
                    heard.lags.append(now - one.ts)
        return found

    def _note(self, notice: Notice, frame: bytes) -> None:
        heard = self._heard
        heard.notices[notice.kind] += 1
        if notice.kind in (NoticeKind.IGNORED, NoticeKind.UNREADABLE):
            key = notice.kind, shape(frame)
            if key in heard.shapes or len(heard.shapes) < _SHAPES:
                heard.shapes[key] += 1


def shape(frame: bytes) -> str:
    """The form of a message: the names of its fields and the kinds of their values, no value.

    But for those that tell what it is, if they are words. What is no JSON is a number of bytes.
    """
    try:
        return _shape(json.loads(frame), _DEPTH)
    except (ValueError, RecursionError):
        return f"{len(frame)} bytes that are no JSON"


def _shape(value: object, depth: int) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _ if not depth:
            return "…"
        case list():
            kinds = list(dict.fromkeys(_shape(one, depth - 1) for one in value[:_WIDTH]))
            return f"[{' | '.join(kinds)}]"
        case dict():
            shown = [f"{_name(k)}: {_field(k, v, depth)}" for k, v in list(value.items())[:_WIDTH]]
            return f"{{{', '.join(shown)}{', …' if len(value) > _WIDTH else ''}}}"
    return "…"


def _field(name: str, value: object, depth: int) -> str:
    if name in _NAMING and isinstance(value, str) and _WORD.fullmatch(value):
        return f'"{value}"'
    return _shape(value, depth - 1)


def _name(name: str) -> str:
    """A field's name, if it is one: it could be anything that was sent."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,23}", name) else "…"
