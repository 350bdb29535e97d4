"""The command for people: archives are checked, backed up and restored, nothing overwritten."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from history import command
from history.archive import Archive, open_read_only
from history.command import main
from history.writer import Writer, connect
from tests.test_archive import everything, filled, map_of, wipe

ROOT: Final = Path(__file__).parent.parent

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An archive with something in every table."""
    path = tmp_path / "a.sqlite"
    filled(path)
    return path


@pytest.fixture
def run(path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; returns its exit code and what it said."""

    def run(*arguments: object) -> tuple[int, str]:
        code = 0
        try:
            main([*map(str, arguments), "--archive", str(path)], {})
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def damage(path: Path) -> set[int]:
    """Damage one page of bars; returns the seconds that are lost."""
    whole = set(map_of(Archive(path).bars(0, 2**40)))
    content = path.read_bytes()
    for page in range(path.stat().st_size // 4096, 1, -1):
        wipe(path, page)
        lost = {second for second, _ in whole - set(map_of(Archive(path).bars(0, 2**40)))}
        if 0 < len(lost) < 40:
            return lost
        path.write_bytes(content)
    raise AssertionError("no page holds bars alone")


def test_a_sound_archive_is_said_to_be_sound(run: Run, path: Path) -> None:
    """With the time that it has, while somebody writes it too."""
    with closing(connect(path)):
        code, told = run("check")
    assert code == 0
    assert told == f"{path} is sound: it has 2025-10-09T09:00:00Z to 2025-10-09T10:06:59Z\n"


def test_what_is_damaged_is_told_with_its_times(run: Run, path: Path) -> None:
    """And with what to do."""
    lost = damage(path)
    code, told = run("check")
    assert code == 1
    assert "is damaged: up to " in told
    assert f"restore {path}" in told
    assert len(lost) > 0
    assert "Traceback" not in told


def test_damaged_alerts_are_told_and_the_rest_is_restored(run: Run, path: Path) -> None:
    """What was to be told outside the page, and what is muted."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE delivery SET made = made + 1 WHERE number <= 2")
        connection.execute("UPDATE mute SET name = 'MSFT'")
    before = Archive(path).deliveries()
    code, told = run("check")
    assert (code, "2 alerts, 1 note cannot be read" in told) == (1, True)
    assert run("restore", path)[0] == 0
    assert (Archive(path).deliveries(), Archive(path).mutes()) == (before, [])
    assert before
    assert run("check")[0] == 0


def test_a_file_that_was_cut_off_is_told_with_what_to_do(run: Run, path: Path) -> None:
    """What is left of it can be restored, which takes it for the copy and the place."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 4096])
    code, told = run("check")
    assert code == 1
    assert told.startswith(f"{path} is damaged: ")
    assert f"restore {path}" in told
    code, told = run("restore", path)
    assert code == 0
    assert f"{path} is restored, and what was there is now a.replaced-" in told
    assert run("check")[0] == 0


def test_places_that_are_not_there_are_named(run: Run, path: Path, tmp_path: Path) -> None:
    """The archive, and the folder of its copy."""
    code, told = run("backup", tmp_path / "none" / "b.sqlite")
    assert code == 2
    assert f"{tmp_path / 'none'} is not a folder" in told
    path.unlink()
    code, told = run("check")
    assert code == 2
    assert f"there is no archive at {path}" in told


class Interrupted:
    """A connection that ends the process by a signal once it has copied everything."""

    def __init__(self, source: sqlite3.Connection, parts: Callable[[], list[Path]]) -> None:
        self._source = source
        self._parts = parts

    def backup(self, target: sqlite3.Connection, *, pages: int) -> None:
        self._source.backup(target, pages=pages)
        assert self._parts()
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        self._source.close()


def test_a_backup_that_a_signal_ends_leaves_nothing_behind(
    run: Run, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither under its name nor under another."""
    folder = tmp_path / "backups"
    folder.mkdir()
    monkeypatch.setattr(
        command,
        "open_read_only",
        lambda path: Interrupted(open_read_only(path), lambda: list(folder.iterdir())),
    )
    assert run("backup", folder / "b.sqlite")[0] == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []


def test_a_backup_is_the_same_archive(run: Run, path: Path) -> None:
    """Of what was committed when it was made, in one file; none is overwritten."""
    copy = path.with_name("copy.sqlite")
    with closing(connect(path)):
        code, told = run("backup", copy)
    assert (code, told.startswith(f"{copy} is a sound copy")) == (0, True)
    assert everything(Archive(copy)) == everything(Archive(path))
    before = copy.read_bytes()
    code, told = run("backup", copy)
    assert code == 2
    assert "exists already: give a new name" in told
    assert copy.read_bytes() == before
    assert [*path.parent.glob(".*")] == []


def test_a_backup_is_restored_and_what_was_there_is_kept(run: Run, path: Path) -> None:
    """As it was; the archive that it replaces has another name."""
    truth = everything(Archive(path))
    copy = path.with_name("copy.sqlite")
    run("backup", copy)
    damaged = b"rubbish" * 1000
    path.write_bytes(damaged)
    code, told = run("restore", copy)
    assert code == 0
    assert everything(Archive(path)) == truth
    (kept,) = path.parent.glob("a.replaced-*.sqlite")
    assert kept.name in told
    assert kept.read_bytes() == damaged
    path.unlink()
    code, told = run("restore", copy)
    assert (code, "what was there" in told) == (0, False)
    assert everything(Archive(path)) == truth


def test_what_is_sound_of_a_damaged_archive_is_restored(run: Run, path: Path) -> None:
    """In its own place, with what is lost told."""
    whole = map_of(Archive(path).bars(0, 2**40))
    lost = damage(path)
    code, told = run("restore", path)
    assert code == 0
    assert "seconds from" in told
    found = map_of(Archive(path).bars(0, 2**40))
    assert found == {key: bar for key, bar in whole.items() if key[0] not in lost}
    assert run("check")[0] == 0


def test_an_archive_that_a_dashboard_writes_is_not_replaced(run: Run, path: Path) -> None:
    """It says what to do, and changes nothing."""
    copy = path.with_name("copy.sqlite")
    run("backup", copy)
    writer = Writer(path)
    assert writer.acquire()
    code, told = run("restore", copy)
    writer.release()
    assert (code, "end it first" in told) == (2, True)
    assert not [*path.parent.glob("a.replaced-*")]


@pytest.mark.parametrize("content", [None, b"", b"a tape", b"SQLite format 3\0" + bytes(4096)])
def test_what_is_no_archive_is_refused(run: Run, path: Path, content: bytes | None) -> None:
    """By each of them, in one sentence."""
    other = path.with_name("other.sqlite")
    if content is not None:
        other.write_bytes(content)
    truth = everything(Archive(path))
    code, told = run("restore", other)
    assert code == 2
    assert told.count("\n") == 1
    assert everything(Archive(path)) == truth


def test_the_command_is_the_module_s(path: Path) -> None:
    """As the README gives it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "history.archive", "check", "--archive", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{path} is sound")
