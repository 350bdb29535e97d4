"""Correlation: what moves most like, or most against, a symbol."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from api.asked import Asked, Time
from api.endpoint import json_response
from correlation import CorrelationCard
from ticks import ASSETS

__all__ = ["PARAMETERS", "CorrelationAnswer", "correlation"]

PARAMETERS: Final = ("base", "bars", "assets", "times")

_BARS: Final = ("auto", "10", "20", "30", "60")


class CorrelationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The card of a base at one second."""

    seq: int
    """That second."""
    now: Time
    card: CorrelationCard


def correlation(asked: Asked) -> Response:
    """The card of ``base`` among the symbols of ``assets``, of its own class if none is given."""
    reader, written = asked.engine.reader, asked.written()
    base, known = asked.text("base"), reader.store.symbols
    if base not in known:
        raise asked.unknown_symbol("base", base, known)
    own = [asset for asset in ASSETS if asset == reader.store.asset(base)]
    assets = asked.words("assets", ASSETS, own)
    bars = asked.word("bars", _BARS, "auto")
    card = reader.correlation(base, None if bars == "auto" else int(bars), assets)
    now = reader.pulse().now
    return json_response(CorrelationAnswer(seq=int(now), now=written(now), card=card))
