"""The words of the page as it sends them: in parts, with their instants left to the browser."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Instant", "Message", "Words", "warning"]


class Instant(msgspec.Struct, frozen=True):
    """An instant, for the browser to put into the viewer's words."""

    at: float


Words = tuple[str | Instant, ...]
"""A sentence in parts."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A line below the strip."""

    kind: Literal["note", "warning", "error"]
    text: Words
    counts: str = ""
    """Counts that never rest: for the eye alone, they would be read out without end."""
    passing: tuple[str, ...] = ()
    """The names of troubles that may pass by themselves: told only if one of them lasts."""
    is_over: bool = False
    """Whether what it tells is over, so that a viewer who has read it may close it."""


def warning(*words: str | Instant) -> Message:
    """A message that says what is wrong."""
    return Message(kind="warning", text=words)
