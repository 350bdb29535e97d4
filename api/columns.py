"""A frame's columns as they are sent: lists, or raw numbers for whoever computes with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from engine.heartbeat import Pulse

__all__ = ["FLOAT64", "columns"]

FLOAT64: Final = frozenset(
    {"last", "range_low", "range_high", "prev_close", "ref_1m", "ref_5m", "price_step"}
    | {"move_from_1m", "move_from_5m", "move_to"}
    | {"last_ts", "heat_ts", "ref_1m_ts", "ref_5m_ts"}
    | {"move_from_1m_ts", "move_from_5m_ts", "move_to_ts"}
)
"""Prices and times: a float32 has too few digits for them."""


def columns(
    pulse: Pulse,
    symbols: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    numbers: Literal["f32", "f64"] | None = None,
) -> dict[str, list[Any] | bytes]:
    """The symbols of a second, and its columns by name: of some symbols and fields, or all.

    With ``numbers`` a column of floats is raw and little-endian: float64 with ``f64``; with ``f32``
    float32, but for those of ``FLOAT64``. What is not known is NaN; a symbol without a row is left
    out.
    """
    frame = pulse.frame
    if symbols is not None:
        rows = {symbol: row for row, symbol in enumerate(frame.index)}
        frame = frame.iloc[[rows[symbol] for symbol in symbols if symbol in rows]]
    found: dict[str, list[Any] | bytes] = {"symbols": frame.index.tolist()}
    for name in frame.columns if fields is None else fields:
        values = frame[name].to_numpy()
        if numbers is None or values.dtype.kind != "f":
            found[name] = values.tolist()
        else:
            is_wide = numbers == "f64" or name in FLOAT64
            found[name] = values.astype("<f8" if is_wide else "<f4").tobytes()
    return found
