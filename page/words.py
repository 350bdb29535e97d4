"""Words of the page in parts: what a sentence says, with its instants left to the browser."""

from __future__ import annotations

import msgspec

__all__ = ["Instant", "Words"]


class Instant(msgspec.Struct, frozen=True):
    """An instant, for the browser to put into the viewer's words."""

    at: float


Words = tuple[str | Instant, ...]
"""A sentence in parts."""
