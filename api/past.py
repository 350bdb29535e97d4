"""Past: which archive an engine has, which symbols it knows, and from where memory knows all."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from api.facts import Engine
from api.problems import Problem
from engine.reader import REWIND_SEC
from history.archive import Archive, ArchiveError

__all__ = ["archive_of", "archive_problem", "in_memory_from", "known_symbols", "over_at"]

_RETRY_SEC: Final = 5


def archive_of(engine: Engine) -> Archive | None:
    """The archive of an engine, if there is one with anything in it."""
    archive = engine.archive
    return archive if archive is not None and archive.path.exists() else None


def archive_problem() -> Problem:
    """What to raise if an archive cannot be read; its own words may name its folder."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the archive cannot be read now, expected one that can: /api/v1/status says why",
        {"Retry-After": str(_RETRY_SEC)},
    )


def known_symbols(engine: Engine) -> list[str]:
    """The symbols that are watched, and those that the archive knows, in this order."""
    watched = engine.reader.store.symbols
    archive = archive_of(engine)
    if archive is None:
        return watched
    try:
        return list(dict.fromkeys([*watched, *archive.symbols()]))
    except ArchiveError:
        return watched


def over_at(engine: Engine) -> int:
    """The second after the newest that is over."""
    return int(engine.reader.pulse().now) + 1


def in_memory_from(engine: Engine) -> int:
    """The second from which on memory knows what the archive does, of symbols that are watched."""
    return over_at(engine) - REWIND_SEC
