"""Command: check, back up and restore an archive, as ``python -m history.archive`` does.

An archive may be checked and backed up while a dashboard writes it; restored it is only while none
does. Nothing is ever overwritten: what was there before a restoration is kept under another name.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from history.archive import Archive, ArchiveError, is_archive, open_read_only
from history.ending import orderly_end
from history.losses import LeftOut, Losses
from history.salvage import copy_sound, delete_archive
from history.schema import archive_errors
from history.writer import Writer
from settings import load
from ticks import MarketPulseError
from wording import time_text

__all__ = ["main"]

_PAGES: Final = 1000
"""How many pages a backup copies in one go, between which the dashboard may write."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Do what the command line asks for.

    Exits with 1 if the archive is damaged, and with 2 if what was asked for cannot be done; either
    is said in one sentence. A signal to end does, and leaves nothing half written.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        path = given.archive or _own_archive(environ)
        with orderly_end():
            told, is_sound = given.run(path, given)
    except (MarketPulseError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    sys.stdout.write(f"{told}\n")
    if not is_sound:
        parser.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m history.archive",
        description="Check, back up or restore an archive of Market Pulse.",
    )
    tasks = parser.add_subparsers(required=True, metavar="check|backup|restore")
    check = tasks.add_parser("check", help="read all of it and say what is damaged")
    check.set_defaults(run=_check)
    backup = tasks.add_parser("backup", help="copy it, while a dashboard writes it or not")
    backup.add_argument("to", type=Path, metavar="TO", help="the new file")
    backup.set_defaults(run=_back_up)
    restore = tasks.add_parser(
        "restore", help="put what is sound of a copy in its place; what was there is kept"
    )
    restore.add_argument("copy", type=Path, metavar="COPY", help="a backup, or a damaged archive")
    restore.set_defaults(run=_restore)
    for task in (check, backup, restore):
        task.add_argument(
            "--archive", type=Path, metavar="FILE", help="instead of the one that the settings name"
        )
    return parser


def _own_archive(environ: Mapping[str, str]) -> Path:
    path = load(environ).archive_file
    if path is None:
        raise ArchiveError("the settings keep no archive: name one with --archive")
    return path


def _check(path: Path, _: argparse.Namespace) -> tuple[str, bool]:
    losses = Losses()
    archive = Archive(path, is_cut_off=True)
    archive.check(losses)
    structure = _structure(path)
    if not structure and not losses.left_out:
        return f"{path} is sound: {_extent(archive)}", True
    return (
        f"{path} is damaged: {_lost(losses.left_out) or structure}; {_extent(archive)}. Restore a"
        f" backup, or what is sound of it: restore {path}",
        False,
    )


def _structure(path: Path) -> str:
    """What SQLite itself finds wrong with a file; empty if nothing."""
    with archive_errors(path), closing(open_read_only(path, is_cut_off=True)) as connection:
        try:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            found = str(error)
    return "" if found == "ok" else "its structure is broken, though every record can be read"


def _back_up(path: Path, given: argparse.Namespace) -> tuple[str, bool]:
    target: Path = given.to
    if target.exists():
        raise ArchiveError(f"{target} exists already: give a new name")
    if not target.parent.is_dir():
        raise ArchiveError(f"{target.parent} is not a folder: make it first, or give another name")
    made = target.with_name(f".{target.name}.part")
    Archive(path).symbols()  # an archive, and one that can be read
    delete_archive(made)
    try:
        with (
            archive_errors(path),
            closing(open_read_only(path)) as source,
            closing(sqlite3.connect(made)) as copy,
        ):
            source.backup(copy, pages=_PAGES)
            # One file, which needs no other beside it.
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        made.rename(target)
    finally:
        delete_archive(made)
    losses = Losses()
    Archive(target).check(losses)
    if losses.left_out:
        return f"{target} is a copy of a damaged archive: {_lost(losses.left_out)}.", False
    return f"{target} is a sound copy: {_extent(Archive(target))}", True


def _restore(path: Path, given: argparse.Namespace) -> tuple[str, bool]:
    copy: Path = given.copy
    if not copy.is_file() or not is_archive(copy):
        raise ArchiveError(f"{copy} is no archive: name a backup, or a damaged archive")
    writer = Writer(path)
    if not writer.acquire():
        raise ArchiveError(f"a dashboard writes {path}: end it first")
    made = path.with_name(f".{path.name}.restored")
    try:
        left_out = copy_sound(copy, made)
        if left_out is None:
            raise ArchiveError(f"nothing of {copy} can be read: name another")
        kept = ""
        if path.exists():
            kept = f", and what was there is now {writer.set_aside(time.time(), 'replaced')}"
        made.rename(path)
    finally:
        delete_archive(made)
        writer.release()
    lost = f"; of {copy} {_lost(left_out)}" if left_out else ""
    return f"{path} is restored{kept}: {_extent(Archive(path))}{lost}", True


def _extent(archive: Archive) -> str:
    """From when to when an archive has bars."""
    span = archive.span()
    return "it has no bars yet" if span is None else f"it has {' to '.join(map(time_text, span))}"


def _lost(left_out: LeftOut) -> str:
    """What cannot be read, in words."""
    parts = []
    if left_out.first is not None and left_out.last is not None:
        span = f"{time_text(left_out.first)} to {time_text(left_out.last)}"
        parts.append(f"up to {left_out.seconds:,} seconds from {span}")
    for count, noun in (
        (left_out.events, "event update"),
        (left_out.minutes, "usual minute"),
        (left_out.deliveries, "alert"),
        (left_out.others, "note"),
    ):
        if count:
            parts.append(f"{count:,} {noun}{'' if count == 1 else 's'}")

    return f"{', '.join(parts)} cannot be read" if parts else ""
