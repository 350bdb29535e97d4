"""Wishes: what viewers ask of the watchlist where another process decides what is watched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ticks import Asset

__all__ = ["Elsewhere", "Wish", "WishKind"]


class WishKind(StrEnum):
    """What is asked."""

    ADD = "add"
    """To watch a symbol."""
    REMOVE = "remove"
    """To watch a symbol no longer."""
    MAKE_GROUP = "make group"
    RENAME_GROUP = "rename group"
    DELETE_GROUP = "delete group"
    PUT = "put"
    """To put a symbol into a group."""
    TAKE = "take"
    """To take a symbol out of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing that a viewer asks; what does not belong to its kind is empty."""

    kind: WishKind
    symbol: str = ""
    asset: Asset | None = None
    """The class of a symbol that is to be watched."""
    group: str = ""
    name: str = ""
    """What a group is to be called from now on."""
    symbols: tuple[str, ...] = ()
    """Of a group that is made."""


class Elsewhere(Protocol):
    """The process that decides what is watched, if that is another one."""

    @property
    def can_ask(self) -> bool:
        """Whether a wish reaches it."""
        ...

    def ask(self, wish: Wish) -> None:
        """Send it a wish; any thread may."""
        ...
