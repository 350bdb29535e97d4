"""The spool: a file is made once for all who ask, and goes when nobody does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.export import Extract, spooled
from api.problems import Problem
from api.spool import BusyError, Spool
from history.archive import Archive
from history.export import MOST_ROWS
from tests.waiting import HANG_SEC


def writing(text: str) -> Callable[[Path], None]:
    """What writes a file of this text."""

    def make(path: Path) -> None:
        path.write_text(text)

    return make


def refusing(path: Path) -> None:
    raise OSError("no room")


def test_a_file_is_made_once_for_all_who_ask_the_same() -> None:
    """Those who ask meanwhile wait for it."""
    begun, go_on, made = threading.Event(), threading.Event(), []

    def make(path: Path) -> None:
        made.append(path)
        begun.set()
        assert go_on.wait(HANG_SEC)
        path.write_text("a file")

    spool = Spool(at_once=1)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(spool.file, "question", make)
        assert begun.wait(HANG_SEC)
        others = [pool.submit(spool.file, "question", refusing) for _ in range(2)]
        go_on.set()
        found = first.result(HANG_SEC)
        assert [other.result(HANG_SEC) for other in others] == [found, found]
    assert len(made) == 1
    assert (found.path.read_text(), found.size) == ("a file", 6)
    assert found.sha256 == hashlib.sha256(b"a file").hexdigest()


def test_no_more_are_made_at_once_than_may_be() -> None:
    """Then there is room again."""
    begun, go_on = threading.Event(), threading.Event()

    def make(path: Path) -> None:
        begun.set()
        assert go_on.wait(HANG_SEC)
        path.write_text("first")

    spool = Spool(at_once=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(spool.file, 1, make)
        assert begun.wait(HANG_SEC)
        with pytest.raises(BusyError):
            spool.file(2, writing("second"))
        go_on.set()
        first.result(HANG_SEC)
    assert spool.file(2, writing("second")).size == 6


def test_a_file_goes_when_nobody_asked_for_it_for_long() -> None:
    """Each time that somebody does, it stays for as long again."""
    now = [0.0]
    spool = Spool(kept_sec=10.0, clock=lambda: now[0])
    kept, old = spool.file(1, writing("kept")), spool.file(2, writing("old"))
    for now[0] in (8.0, 16.0):
        assert spool.file(1, refusing) == kept
    assert kept.path.exists()
    assert not old.path.exists()
    assert spool.file(2, writing("newer")).size == 5


def test_files_never_take_more_room_than_they_may() -> None:
    """The next one that is asked for finds it: what was asked for last stays."""
    now = [0.0]
    spool = Spool(most_bytes=10, clock=lambda: now[0])
    files = []
    for now[0] in range(5):
        files.append(spool.file(now[0], writing("four")))
    assert [file.path.exists() for file in files] == [False, False, True, True, True]
    assert spool.file(3.0, refusing) == files[3]


def test_a_file_that_cannot_be_made_is_tried_again() -> None:
    """Its error is raised to who asked."""
    spool = Spool(at_once=1)
    for _ in range(3):
        with pytest.raises(OSError, match="no room"):
            spool.file(1, refusing)
    assert spool.file(1, writing("text")).size == 4


def test_files_go_with_their_spool() -> None:
    """Nothing stays in the folder of the system."""
    spool = Spool()
    folder = spool.file(1, writing("text")).path.parent
    del spool
    assert not folder.exists()


def test_too_much_for_a_file_is_told_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    monkeypatch.setattr("api.export.count", lambda *_: MOST_ROWS["csv"] + 1)
    wanted = Extract(Archive(tmp_path / "a.sqlite"), "bars", "csv", 0.0, 60.0, ("AAPL",))
    with pytest.raises(Problem, match=r"history\.export bars --from") as raised:
        spooled(Spool(), wanted)
    assert raised.value.status == 413
    assert "more than 750,000 bars" in raised.value.detail


def test_an_archive_that_cannot_be_read_is_told_without_its_folder(tmp_path: Path) -> None:
    """It may be readable again in a moment."""
    (tmp_path / "a.sqlite").write_bytes(b"nonsense" * 1000)
    wanted = Extract(Archive(tmp_path / "a.sqlite"), "bars", "csv", 0.0, 60.0, None)
    with pytest.raises(Problem, match="the archive cannot be read now") as raised:
        spooled(Spool(), wanted)
    assert raised.value.status == 503
    assert str(tmp_path) not in raised.value.detail
