"""The messages of Alpaca's stream: how a frame is read, and what the codes in it mean.

Every frame is an array of them. A field holds whatever the vendor put there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from vendors.values import read_singly

__all__ = ["Message", "halts", "is_barred", "read"]

# Trades under these conditions are no last price, by the rules of the consolidated tapes. They
# would also bar "I", odd lots; IEX is full of them, at good prices, so they pass.
_BARRED: Final = frozenset("CGHMNPQRUVWZ479")
# On the tapes of NYSE and of the regional exchanges "B" is an average price, on Nasdaq's it is not.
_BARRED_OF_TAPE: Final[Mapping[object, frozenset[str]]] = MappingProxyType(
    {"A": _BARRED | {"B"}, "B": _BARRED | {"B"}}
)

_HALTED: Final = frozenset({"2", "H", "P"})
"""The statuses that stop trading, of all tapes: a halt, and a pause for volatility."""
_RESUMED: Final = frozenset({"3", "T"})
"""Those that let it go on; quotes may go on before."""


class Message(msgspec.Struct, gc=False):
    """The fields of all messages that matter here; they are short, and the first tells which."""

    kind: str = msgspec.field(name="T")
    symbol: Any = msgspec.field(name="S", default="")
    trade_id: Any = msgspec.field(name="i", default=None)
    exchange: Any = msgspec.field(name="x", default=None)
    price: Any = msgspec.field(name="p", default=None)
    conditions: Any = msgspec.field(name="c", default=None)
    tape: Any = msgspec.field(name="z", default=None)
    time: Any = msgspec.field(name="t", default=None)
    # Of a correction, which has them of the original trade as well.
    original_id: Any = msgspec.field(name="oi", default=None)
    corrected_id: Any = msgspec.field(name="ci", default=None)
    corrected_price: Any = msgspec.field(name="cp", default=None)
    corrected_conditions: Any = msgspec.field(name="cc", default=None)
    status: Any = msgspec.field(name="sc", default=None)
    code: Any = None
    msg: Any = None
    trades: Any = None


_decode = msgspec.json.Decoder(list[Message]).decode
_decode_one = msgspec.json.Decoder(Message).decode


def read(frame: bytes) -> Sequence[Message | None]:
    """The messages of a frame; None stands for what is none."""
    try:
        return _decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return read_singly(frame, _decode_one)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return (None,)


def halts(status: object) -> bool | None:
    """Whether a status stops trading, or lets it go on; None if it does neither."""
    if not isinstance(status, str) or status not in _HALTED | _RESUMED:
        return None
    return status in _HALTED


def is_barred(conditions: object, tape: object) -> bool:
    """Whether a trade under these conditions must not set the last price; unknown ones may."""
    barred = _BARRED_OF_TAPE.get(tape, _BARRED) if type(tape) is str else _BARRED
    codes = conditions if isinstance(conditions, list) else [conditions]
    try:
        return not barred.isdisjoint(codes)
    except TypeError:  # some are no codes
        return any(isinstance(code, str) and code in barred for code in codes)
