"""Salvage: a new archive out of what is sound in a damaged one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from bars import Bars
from history.archive import Archive, ArchiveError
from history.losses import LeftOut, Losses
from history.outgoing import write_mutes, write_new_deliveries
from history.schema import TIMES_END, UNCHECKED, archive_errors
from history.writer import (
    connect,
    write_bars,
    write_begins,
    write_events,
    write_meta,
    write_minutes,
    write_symbols,
    write_tracks,
)

__all__ = ["copy_sound", "delete_archive"]


def copy_sound(
    source: Path, target: Path, is_cancelled: Callable[[], bool] = lambda: False
) -> LeftOut | None:
    """Copy what is sound of an archive into a new one; returns what was left out.

    An archive that is there already is deleted first. Every row of the new one has a checksum.
    Returns None, and leaves no new archive, if nothing can be read or ``is_cancelled`` says so,
    which is asked between pieces.

    Raises:
        ArchiveError: if the new archive cannot be written.
    """
    delete_archive(target)
    losses = Losses()
    try:
        with closing(connect(target)) as connection, archive_errors(target):
            # It is not an archive before it is complete: no commit of it need reach the disk.
            connection.execute("PRAGMA synchronous = OFF")
            is_whole = _copy(
                Archive(source, oldest_version=0, is_cut_off=True), connection, losses, is_cancelled
            )
            if is_whole:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except _UnreadableError:
        is_whole = False
    except BaseException:
        delete_archive(target)
        raise
    if is_whole:
        return losses.left_out
    delete_archive(target)
    return None


class _UnreadableError(Exception):
    """Nothing can be read of the archive to copy."""


def _copy(
    archive: Archive,
    connection: sqlite3.Connection,
    losses: Losses,
    is_cancelled: Callable[[], bool],
) -> bool:
    """Copy all that is sound; returns whether it was not cancelled."""
    try:
        contents = archive.contents(losses)
    except ArchiveError as error:
        raise _UnreadableError from error
    connection.execute("BEGIN")
    write_symbols(connection, contents.symbols)
    for name, value in contents.meta.items():
        if name != UNCHECKED:
            write_meta(connection, name, value)
    write_begins(connection, contents.begins)
    write_tracks(connection, contents.tracks)
    write_mutes(connection, contents.mutes)
    of_bars = Losses()
    for bars in archive.blocks(0, TIMES_END, None, of_bars):
        write_bars(connection, bars)
        if is_cancelled():
            return False
    first, last, lost = of_bars.left_out.first, of_bars.left_out.last, of_bars.left_out.seconds
    if first is not None and last is not None:
        # They may be sound, and only what leads to them is not.
        for bars in archive.stray_blocks(first, last + 1):
            lost -= _write_missing(connection, bars)
            if is_cancelled():
                return False
        if lost > 0:
            losses.add_seconds(first, last, lost)
    for minutes in archive.minute_blocks(TIMES_END, losses):
        write_minutes(connection, minutes)
        if is_cancelled():
            return False
    for events in archive.event_blocks(losses):
        write_events(connection, events)
        if is_cancelled():
            return False
    for deliveries in archive.delivery_blocks(losses):
        write_new_deliveries(connection, deliveries)
        if is_cancelled():
            return False
    connection.execute("COMMIT")
    return True


def _write_missing(connection: sqlite3.Connection, bars: Bars) -> int:
    """Write the bars of those seconds that have none yet; returns how many these are."""
    seconds = bars.cells["second"]
    span = int(seconds[0]), int(seconds[-1])
    rows = connection.execute("SELECT second FROM bar WHERE second BETWEEN ? AND ?", span)
    cells = bars.cells[~np.isin(seconds, [second for (second,) in rows])]
    write_bars(connection, replace(bars, cells=cells))
    return len(np.unique(cells["second"]))


def delete_archive(path: Path) -> None:
    """Delete an archive with the files beside it, as far as there are any."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).unlink()
