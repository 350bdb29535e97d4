"""Wishes: what viewers ask of the watchlist and the alerts while another process collects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from history.deliveries import Mute
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
    MUTE = "mute"
    """To tell nothing of something for a while, or of it again."""
    TEST = "test"
    """To send a marked message to a destination of alerts."""
    SEND_AGAIN = "send again"
    """To send a destination once more what it refused for good."""
    TRY_NOW = "try now"
    """To try a destination that refused or rests."""

    @property
    def is_of_alerts(self) -> bool:
        """Whether it is asked of the alerts, and not of the watchlist."""
        return self in _OF_ALERTS


_OF_ALERTS: Final = {WishKind.MUTE, WishKind.TEST, WishKind.SEND_AGAIN, WishKind.TRY_NOW}


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
    mute: Mute | None = None
    destination: str = ""
    key: str = ""
    """Of what is to be sent again."""


class Elsewhere(Protocol):
    """The process that decides what is watched, if that is another one."""

    @property
    def can_ask(self) -> bool:
        """Whether a wish reaches it."""
        ...

    def ask(self, wish: Wish) -> None:
        """Send it a wish; any thread may."""
        ...
