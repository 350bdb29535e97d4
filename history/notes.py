"""Notes: what viewers changed of the watchlist and the groups, as an archive keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec

from ticks import ASSETS, Asset

__all__ = ["WATCHLIST", "WatchNotes", "decoded", "encoded"]

WATCHLIST: Final = "watchlist"
"""The name in an archive's ``meta`` that the notes are kept under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchNotes:
    """What viewers changed: the settings are the base, these are the differences."""

    added: Mapping[Asset, tuple[str, ...]] = field(default_factory=dict)
    """The symbols that are watched beside those of the settings, in the order they were added."""
    removed: tuple[str, ...] = ()
    """Those of the settings that are not watched."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The groups that viewers made, in the order they were made."""

    def applied(self, base: Mapping[Asset, Sequence[str]]) -> Mapping[Asset, tuple[str, ...]]:
        """The watchlist ``base`` with these changes: those of the base first, each symbol once."""
        gone = set(self.removed)
        taken = {symbol for symbols in base.values() for symbol in symbols}
        return MappingProxyType(
            {
                asset: (
                    *(symbol for symbol in base.get(asset, ()) if symbol not in gone),
                    *(symbol for symbol in self.added.get(asset, ()) if symbol not in taken),
                )
                for asset in ASSETS
            }
        )


def encoded(notes: WatchNotes) -> str:
    """The notes as text."""
    return msgspec.json.encode(notes).decode()


def decoded(text: str | None) -> WatchNotes:
    """The notes of a text; none if there is no text, or if it is of another program."""
    if not text:
        return WatchNotes()
    try:
        return msgspec.json.decode(text, type=WatchNotes)
    except msgspec.DecodeError:
        return WatchNotes()
