"""Notes: what viewers changed of the watchlist and the groups, and the archive that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from bars import Bars
from history.archive import Archive, ArchiveError
from history.recorder import ArchiveState, Recorder
from ticks import ASSETS, Asset

__all__ = ["Notebook", "WatchNotes", "decoded", "encoded", "noted_in"]

_WATCHLIST: Final = "watchlist"
"""The name in an archive's ``meta`` that the notes are kept under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchNotes:
    """What viewers changed: the settings are the base, these are the differences."""

    added: Mapping[Asset, tuple[str, ...]] = field(default_factory=dict)
    """The symbols that are watched beside those of the settings, in the order they were added."""
    removed: tuple[str, ...] = ()
    """Those that the settings watch or name, or the last of a class, that a viewer removed."""
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


_UNKEPT: Final = (ArchiveState.OFF, ArchiveState.READING_ONLY, ArchiveState.TROUBLE)


class Notebook:
    """Keeps notes in ``archive``, which ``recorder`` writes; None: they are forgotten.

    Any thread may call it.
    """

    def __init__(self, archive: Archive | None, recorder: Recorder | None) -> None:
        self._archive = archive
        self._recorder = recorder

    @property
    def is_kept(self) -> bool:
        """Whether what is kept survives a restart."""
        return self._recorder is not None and self._recorder.status().state not in _UNKEPT

    def keep(self, notes: WatchNotes) -> None:
        """Have the notes written soon."""
        if self._recorder is not None:
            self._recorder.record(Bars.empty(), meta={_WATCHLIST: encoded(notes)})

    def symbols(self) -> Mapping[str, str]:
        """The symbols that ever had a price, and their classes; none if that cannot be read."""
        try:
            return {} if self._archive is None else self._archive.symbols()
        except ArchiveError:
            return {}


def noted_in(file: Path | None) -> WatchNotes:
    """The notes of an archive; none if there is no such file, or if it cannot be read."""
    if file is None:
        return WatchNotes()
    try:
        return decoded(Archive(file).meta(_WATCHLIST))
    except ArchiveError:
        return WatchNotes()  # the recorder says what is wrong with the file


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
