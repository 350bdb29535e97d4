"""Cursors: where a page ended and which question it answered, as a text that means nothing else.

Nobody signs them, so that they outlive the process: whoever reads one asks no more for it than for
what may be asked without.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Annotated, TypeVar

import msgspec

from api.asked import Asked

__all__ = ["Second", "read_cursor", "write_cursor"]

Second = Annotated[int, msgspec.Meta(ge=-(2**40), le=2**40)]
"""A whole second since the epoch, within the bounds of what can be computed with."""

_Place = TypeVar("_Place")


def write_cursor(place: object, question: object) -> str:
    """The cursor of a place in the answer to a question, both of plain values."""
    content = msgspec.msgpack.encode([_digest(question), place])
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def read_cursor(asked: Asked, question: object, type_: type[_Place]) -> _Place | None:
    """The place of the parameter ``cursor``; None if it is not given.

    Raises:
        Problem: if it is none, or one of another question.
    """
    text = asked.text("cursor")
    if not text:
        return None
    expected = "what the page before has in next, with its other parameters as they were"
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        digest, place = msgspec.msgpack.decode(content, type=tuple[int, type_])  # type: ignore[valid-type]
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise asked.wrong("cursor", expected) from None
    if digest != _digest(question):
        raise asked.wrong("cursor", expected)
    found: _Place = place
    return found


def _digest(question: object) -> int:
    return zlib.crc32(msgspec.msgpack.encode(question))
