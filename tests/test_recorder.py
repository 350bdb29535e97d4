"""The recorder: everything is written once, and whatever befalls the file nothing else stops."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from bars import CELL, KEPT_MINUTES, MINUTE, Bars, Minutes
from bursts import Burst
from events import Track
from history.archive import Archive, ArchiveError
from history.backlog import Batch
from history.losses import LeftOut, Losses
from history.recorder import DAY_SEC, Recorder
from history.writer import Writer, connect, write_bars, write_minutes
from page.troubles import archive_reason
from tests.mounts import mounted, resized
from tests.told import event_of
from tests.waiting import HANG_SEC, until

START = 1_790_000_000

KEPT: Final[dict[str, Any]] = {"bars_days": 7.0, "events_days": 90.0}

EVENT = event_of(START + 1.0)


def bars(second: int, count: int = 1, symbols: int = 3) -> Bars:
    """``count`` seconds of bars from ``second`` on, no two alike."""
    names = tuple(f"S{number}" for number in range(symbols))
    cells = np.empty(count * symbols, CELL)
    cells["second"] = np.repeat(np.arange(second, second + count), symbols)
    cells["row"] = np.tile(np.arange(symbols), count)
    cells["ms"], cells["n"] = 250, 2
    # Without a pattern that a disk could store in less.
    cells["price"] = 100 + np.random.default_rng(second).random(len(cells))
    cells["sum"] = 2 * cells["price"]
    return Bars(names, ("stocks",) * symbols, cells)


def minutes(label: int, count: int = 1, symbols: int = 3) -> Minutes:
    """``count`` minutes from ``label`` on."""
    cells = np.ones(count * symbols, MINUTE)
    cells["minute"] = np.repeat(np.arange(label, label + count), symbols)
    cells["row"] = np.tile(np.arange(symbols), count)
    names = tuple(f"S{number}" for number in range(symbols))
    return Minutes(names, ("stocks",) * symbols, cells)


def minutes_in(path: Path) -> set[int]:
    """The newest minutes that an archive has."""
    return set(Archive(path).minutes(2**40).cells["minute"].tolist())


def seconds_in(path: Path) -> set[int]:
    """The seconds that an archive has bars of."""
    return set(Archive(path).bars(0, 2**40).cells["second"].tolist())


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts recorders that are stopped after the test."""
    started: list[Recorder] = []

    def record(path: Path = tmp_path / "data" / "a.sqlite", **options: Any) -> Recorder:
        one = Recorder(path, **{**KEPT, "retry_sec": 0.05, **options})
        started.append(one)
        one.start()
        assert one.ready.wait(HANG_SEC)
        return one

    yield record
    for one in started:
        one.stop()


def test_what_is_recorded_is_soon_in_the_file(record: Callable[..., Recorder]) -> None:
    """Bars, minutes, events, tracks and meta values; the status counts bars and events."""
    one = record()
    burst = Burst(parts=EVENT.parts, active={"move_1m": START + 2.0}, seen_ts=START + 2.0)
    track = Track(symbol="AAPL", burst=burst, leader="AAPL", event=EVENT)
    label = START // 60
    one.record(bars(START, 2), [EVENT], [track], {"seed": "7"}, minutes(label, 2))
    assert one.flush()
    archive = Archive(one.path)
    assert archive.span() == (START, START + 1)
    assert list(archive.events(0, 2**40)) == [EVENT]
    assert archive.tracks() == [track]
    assert archive.meta("seed") == "7"
    assert minutes_in(one.path) == {label, label + 1}
    status = one.status()
    assert (status.state, archive_reason(status)) == ("writing", "")
    assert (status.bars, status.events, status.waiting) == (6, 1, 0)
    assert (status.lost, status.lost_from) == (0, None)


def test_stopping_writes_what_still_waits(tmp_path: Path) -> None:
    """The last half second of a proper end is not lost, and the thread is gone."""
    one = Recorder(tmp_path / "a.sqlite", **KEPT)
    one.start()
    for second in range(START, START + 50):
        one.record(bars(second))
    one.stop()
    one.stop()
    # Closed properly, it is one file.
    assert not one.path.with_name("a.sqlite-wal").exists()
    assert seconds_in(one.path) == set(range(START, START + 50))


def test_a_file_has_one_writer_and_the_next_one_takes_over(
    record: Callable[..., Recorder],
) -> None:
    """The second says so and writes nothing; when the first ends it begins by itself."""
    first = record()
    second = record()
    status = second.status()
    assert status.state == "reading only"
    assert "another Market Pulse" in archive_reason(status)
    label = START // 60
    second.record(bars(START), minutes=minutes(label))
    second.record(bars(START + 301), minutes=minutes(label + 4))
    assert second.status().waiting == 0
    first.record(bars(START + 300))
    assert first.flush()
    first.stop()
    until(lambda: second.status().state == "writing")
    second.record(bars(START + 400))
    assert second.flush()
    # Of what it had meanwhile the last only: the first may not have got to it.
    assert seconds_in(second.path) == {START + 300, START + 301, START + 400}
    assert minutes_in(second.path) == {label + 4}


def test_one_that_does_not_take_over_gives_up(record: Callable[..., Recorder]) -> None:
    """After a while, in which its predecessor may end; then it writes nothing, and says why."""
    first = record()
    soon = record(takes_over=False, patience_sec=60.0)
    late = record(takes_over=False, patience_sec=0.0)
    until(lambda: "restart this one" in archive_reason(late.status()))
    first.stop()
    until(lambda: soon.status().state == "writing")
    soon.stop()
    late.record(bars(START))
    late.stop()
    assert late.status().state == "reading only"
    assert Archive(late.path).span() is None


def test_a_bar_that_grows_is_counted_once(record: Callable[..., Recorder]) -> None:
    """However often it was handed over: among those written, those that wait and those lost."""
    one = record()
    for symbols in (1, 2, 3, 3):
        one.record(bars(START, symbols=symbols))
        assert one.flush()
    assert one.status().bars == 3
    one.stop()
    two = Recorder(one.path, **KEPT, most_waiting=9)  # not started: everything waits
    for second in range(START, START + 3):
        for symbols in (1, 2, 3):
            two.record(bars(second, symbols=symbols))
    assert (two.status().waiting, two.status().lost) == (9, 0)
    two.record(bars(START + 3))
    assert (two.status().waiting, two.status().lost) == (9, 3)
    assert (two.status().lost_from, two.status().lost_to) == (START, START)


def test_another_process_is_another_writer(record: Callable[..., Recorder], tmp_path: Path) -> None:
    """A file that another process writes is only read here, until that process is killed."""
    path = tmp_path / "data" / "a.sqlite"
    program = (
        "import sys; from pathlib import Path; from history.recorder import Recorder\n"
        "one = Recorder(Path(sys.argv[1]), bars_days=7, events_days=90)\n"
        "one.start(); one.ready.wait()\n"
        "print(one.status().state, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        one = record()
        assert one.status().state == "reading only"
        other.kill()
        until(lambda: one.status().state == "writing")


def test_a_full_disk_is_told_and_nothing_is_lost(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """What finds no room waits, and is written when there is room again."""
    with mounted(tmp_path / "disk", "400k") as disk:
        one = record(disk / "a.sqlite")
        second = START
        while one.status().state == "writing":
            assert second < START + 100_000
            one.record(bars(second, 20, 50))
            one.flush(0.2)
            second += 20
        one.record(bars(second, 20, 50), [EVENT], minutes=minutes(START // 60))
        second += 20
        status = one.status()
        assert status.state == "trouble"
        assert "the disk is full" in archive_reason(status)
        assert status.waiting > 0
        assert (status.lost, status.lost_events) == (0, 0)
        resized(disk, "size=50m")
        until(lambda: one.status().state == "writing")
        assert one.flush()
        assert seconds_in(one.path) == set(range(START, second))
        assert list(Archive(one.path).events(0, 2**40)) == [EVENT]
        assert minutes_in(one.path) == {START // 60}
        one.stop()


@pytest.mark.parametrize("size", ["4k", "16k", "32k", "64k", "80k"])
def test_a_disk_that_is_full_from_the_start_is_told(
    record: Callable[..., Recorder], tmp_path: Path, size: str
) -> None:
    """Wherever in the making of the file it ends, what is made of it later is whole."""
    with mounted(tmp_path / "disk", size) as disk:
        one = record(disk / "a.sqlite")
        for second in range(START, START + 20):
            one.record(bars(second, 1, 50), meta={"source": "eodhd"})
        until(lambda: one.status().state == "trouble")
        assert "the disk is full" in archive_reason(one.status())
        resized(disk, "size=50m")
        until(lambda: one.status().state == "writing")
        assert one.flush()
        assert seconds_in(one.path) == set(range(START, START + 20))
        assert one.status().set_aside == ()
        one.stop()


@pytest.mark.parametrize("has_log", [False, True], ids=["new", "with a log left behind"])
def test_a_disk_without_shared_memory_gets_another_journal(
    record: Callable[..., Recorder], tmp_path: Path, has_log: bool
) -> None:
    """As network drives are: it is written and read all the same, and nothing only waits."""
    path = tmp_path / "a.sqlite"
    written = set()
    if has_log:
        local = tmp_path / "local.sqlite"
        with closing(connect(local)) as connection:
            write_bars(connection, bars(START - 100, 50))
            for ending in ("", "-wal"):
                shutil.copy(f"{local}{ending}", f"{path}{ending}")
        written = set(range(START - 100, START - 50))
    # SQLite opens no memory behind a link.
    path.with_name("a.sqlite-shm").symlink_to(tmp_path / "none")
    one = record(path)
    one.record(bars(START, 20), [EVENT])
    assert one.flush()
    assert one.status().state == "writing"
    assert seconds_in(path) == {*written, *range(START, START + 20)}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    one.stop()
    # On a local disk again, it has the log that lets readers and writer be.
    path.with_name("a.sqlite-shm").unlink()
    two = record(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    two.record(bars(START + 30))
    assert two.flush()


@pytest.mark.parametrize(("name", "synchronous"), [("a.sqlite", 1), (":memory:", 2)])
def test_without_a_log_every_commit_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, synchronous: int
) -> None:
    """If SQLite itself keeps another journal, as for a database in memory."""
    monkeypatch.chdir(tmp_path)
    with closing(connect(Path(name))) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)


def test_what_finds_no_room_to_wait_is_counted(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """The oldest goes, its number and its span are told, and events stay, and a day's minutes."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    one = record(blocked / "a.sqlite", most_waiting=30)
    assert one.status().state == "trouble"
    label = START // 60 - KEPT_MINUTES
    for late in range(-9, KEPT_MINUTES):
        one.record(Bars.empty(), minutes=minutes(label + late))
    for second in range(START, START + 20):
        one.record(bars(second), [replace(EVENT, id=str(second))])
    status = one.status()
    assert (status.waiting, status.lost) == (30, 30)
    assert (status.lost_from, status.lost_to) == (START, START + 9)
    blocked.unlink()
    until(lambda: one.status().state == "writing")
    assert one.flush()
    assert seconds_in(one.path) == set(range(START + 10, START + 20))
    assert len(list(Archive(one.path).events(0, 2**40))) == 20
    assert minutes_in(one.path) == set(range(label, label + KEPT_MINUTES))
    # What was lost stays told.
    assert one.status().lost == 30


def test_a_read_only_folder_is_told(record: Callable[..., Recorder], tmp_path: Path) -> None:
    """And when it may be written, writing begins."""
    with mounted(tmp_path / "disk", "10m") as disk:
        resized(disk, "ro")
        one = record(disk / "data" / "a.sqlite")
        status = one.status()
        assert status.state == "trouble"
        assert "Read-only file system" in archive_reason(status)
        assert "MARKET_PULSE_DATA" in archive_reason(status)
        one.record(bars(START))
        resized(disk, "rw")
        until(lambda: one.status().state == "writing")
        assert one.flush()
        assert seconds_in(one.path) == {START}
        one.stop()


def test_a_file_that_another_program_holds_locked_is_waited_for(
    record: Callable[..., Recorder],
) -> None:
    """It is told, and what came meanwhile is written afterwards."""
    one = record()
    one.record(bars(START))
    assert one.flush()
    other = sqlite3.connect(one.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    one.record(bars(START + 1), [EVENT])
    until(lambda: one.status().state == "trouble")
    assert "holds it locked" in archive_reason(one.status())
    one.record(bars(START + 2))
    other.execute("ROLLBACK")
    other.close()
    until(lambda: one.status().state == "writing")
    assert one.flush()
    assert seconds_in(one.path) == {START, START + 1, START + 2}
    assert one.status().lost == 0


@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_set_aside_when_it_is_opened(
    record: Callable[..., Recorder], tmp_path: Path, content: bytes
) -> None:
    """Under another name, as it was; a new one is begun, and the status names the old."""
    path = tmp_path / "a.sqlite"
    path.write_bytes(content)
    one = record(path)
    until(lambda: one.status().state == "writing")
    ((name, left_out),) = map(astuple, one.status().set_aside)
    assert name.startswith("a.damaged-")
    assert left_out is None
    assert (tmp_path / name).read_bytes() == content
    one.record(bars(START))
    assert one.flush()
    assert seconds_in(path) == {START}


def test_a_damaged_page_costs_its_own_seconds(record: Callable[..., Recorder]) -> None:
    """What is sound is in the new file, what is written meanwhile too, and the loss is told."""
    one = record()
    one.record(bars(START, 2000, 20), [EVENT], minutes=minutes(START // 60, 30), meta={"seed": "7"})
    assert one.flush()
    one.stop()
    with one.path.open("r+b") as file:
        file.seek(100 * 4096)
        file.write(b"\xff" * 4096)
    two = record(one.path)
    two.request_check()
    two.record(bars(START + 5000))
    until(lambda: two.status().set_aside)
    assert two.flush()
    (aside,) = two.status().set_aside
    lost = set(range(START, START + 2000)) - seconds_in(two.path)
    assert aside.left_out is not None
    assert 0 < len(lost) < 20
    assert aside.left_out.seconds == len(lost)
    assert (aside.left_out.first, aside.left_out.last) == (min(lost), max(lost))
    archive = Archive(two.path)
    assert START + 5000 in seconds_in(two.path)
    kept = bars(START, 2000, 20).cells
    found = archive.bars(START, START + 2000).cells
    assert found.tolist() == kept[~np.isin(kept["second"], list(lost))].tolist()
    assert list(archive.events(0, 2**40)) == [EVENT]
    assert archive.meta("seed") == "7"
    assert minutes_in(two.path) == set(range(START // 60, START // 60 + 30))
    assert two.status().state == "writing"
    left_out = Losses()
    archive.check(left_out)
    assert not left_out.left_out
    assert [*one.path.parent.glob(".*")] == []


def test_after_an_unclean_end_the_file_is_checked_before_it_is_written_on(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Nobody need stumble over what is damaged; after a proper end nothing is read through."""
    writer = Writer(tmp_path / "data" / "a.sqlite")
    assert writer.acquire()
    writer.open()
    assert not writer.is_unclean
    writer.write(Batch(bars={START + at: bars(START + at) for at in range(300)}))
    writer.close()  # as a process that ends now would leave it
    writer.release()
    with closing(sqlite3.connect(writer.path)) as connection, connection:
        connection.execute("UPDATE bar SET cells = zeroblob(24) WHERE second = ?", (START + 7,))
    one = record(writer.path)
    one.record(bars(START + 400))
    assert one.flush()
    (aside,) = one.status().set_aside
    assert aside.left_out == LeftOut(seconds=1, first=START + 7, last=START + 7)
    assert seconds_in(one.path) == {*range(START, START + 300), START + 400} - {START + 7}
    one.stop()
    assert writer.acquire()
    writer.open()
    assert not writer.is_unclean
    writer.close()
    writer.release()


def test_a_damaged_mark_of_an_unclean_end_is_taken_for_one(tmp_path: Path) -> None:
    """It says nothing any more of how the file was left."""
    writer = Writer(tmp_path / "a.sqlite")
    assert writer.acquire()
    writer.open()
    writer.close()
    with closing(sqlite3.connect(writer.path)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'yet' WHERE name = 'writing'")
    other = Writer(writer.path)
    other.open()
    assert other.is_unclean
    other.close()
    writer.release()


def test_a_file_is_read_while_it_is_mended(record: Callable[..., Recorder], tmp_path: Path) -> None:
    """The page does not wait: it has what is sound at once, out of the damaged file."""
    with mounted(tmp_path / "disk", "10m") as disk:
        path = disk / "a.sqlite"
        one = record(path)
        one.record(bars(START, 1000, 20))
        assert one.flush()
        one.stop()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE bar SET cells = x'00' WHERE second = ?", (START + 7,))
        resized(disk, "size=1m")  # no room for a second file
        two = record(path)
        two.request_check()
        until(lambda: two.status().state == "trouble")
        assert "the disk is full" in archive_reason(two.status())
        assert seconds_in(path) == set(range(START, START + 1000)) - {START + 7}
        two.record(bars(START + 2000))
        assert two.status().waiting == 3
        resized(disk, "size=50m")
        until(lambda: two.status().set_aside)
        assert two.flush()
        assert START + 2000 in seconds_in(path)
        two.stop()


@pytest.mark.parametrize(
    "script", ["UPDATE bar SET cells = x'0102'", "UPDATE minute SET cells = zeroblob(5)"]
)
def test_a_file_that_is_sound_and_holds_rubbish_is_set_aside(
    record: Callable[..., Recorder], script: str
) -> None:
    """What a reader stumbles over, the writer finds as well: it is not left for the next one."""
    one = record()
    one.record(bars(START, 10), minutes=minutes(START // 60, 9))
    assert one.flush()
    one.stop()
    connection = sqlite3.connect(one.path)
    connection.execute(script)
    connection.commit()
    connection.close()
    two = record(one.path)
    two.request_check()
    until(lambda: two.status().set_aside)
    # And one in which nothing is wrong is left as it is.
    two.request_check()
    two.record(bars(START))
    assert two.flush()
    assert len(two.status().set_aside) == 1


def test_two_damaged_files_in_one_second_do_not_overwrite_each_other(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Each has a name of its own."""
    path = tmp_path / "a.sqlite"
    for content in (b"one" * 2000, b"two" * 2000, b"six" * 2000):
        path.write_bytes(content)
        one = record(path)
        one.record(bars(START))
        assert one.flush()
        assert one.status().set_aside
        one.stop()
    contents = {aside.read_bytes()[:3] for aside in tmp_path.glob("a.damaged-*.sqlite")}
    assert contents == {b"one", b"two", b"six"}


@pytest.mark.parametrize("second", [-5, 2**39, 9 * 10**18])
def test_an_impossible_second_sets_the_file_aside(
    record: Callable[..., Recorder], second: int
) -> None:
    """The writer refuses what readers refuse, and deletes nothing by it."""
    one = record()
    one.record(bars(START, 10))
    assert one.flush()
    one.stop()
    connection = sqlite3.connect(one.path)
    was = START if second < 0 else START + 9
    connection.execute("UPDATE bar SET second = ? WHERE second = ?", (second, was))
    connection.commit()
    connection.close()
    two = record(one.path)
    two.request_check()
    until(lambda: two.status().set_aside)
    (found,) = two.status().set_aside
    aside = sqlite3.connect(one.path.with_name(found.name))
    assert aside.execute("SELECT count(*) FROM bar").fetchone() == (10,)
    aside.close()
    assert seconds_in(one.path) == set(range(START, START + 10)) - {was}


def test_a_new_file_has_the_meta_values_of_the_old(record: Callable[..., Recorder]) -> None:
    """Whose prices these are is told once, and true of every file that is begun."""
    one = record()
    one.record(bars(START), meta={"source": "eodhd"})
    assert one.flush()
    connection = sqlite3.connect(one.path)
    connection.execute("UPDATE bar SET cells = x'0102'")
    connection.commit()
    connection.close()
    one.request_check()
    until(lambda: one.status().set_aside)
    one.record(bars(START + 1))
    assert one.flush()
    assert Archive(one.path).meta("source") == "eodhd"


def _delete_file(path: Path) -> None:
    path.unlink()


def _delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _rename_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def _replace_file(path: Path) -> None:
    path.with_name("other").touch()
    path.with_name("other").replace(path)


@pytest.mark.parametrize("go", [_delete_file, _delete_folder, _rename_folder, _replace_file])
def test_a_file_that_is_gone_is_told_and_another_begun(
    record: Callable[..., Recorder], caplog: pytest.LogCaptureFixture, go: Callable[[Path], None]
) -> None:
    """What is recorded from then on can be found, and has one writer still."""
    one = record()
    one.record(bars(START))
    assert one.flush()
    go(one.path)
    one.record(bars(START + 1))
    one.record(bars(START + 2))
    assert one.flush()
    assert seconds_in(one.path) == {START + 1, START + 2}
    assert one.status().state == "writing"
    assert "moved or deleted" in caplog.text
    assert record(one.path).status().state == "reading only"


class _PathOfAnother(type(Path())):  # type: ignore[misc]  # whichever class paths have here
    """A path at which another file appears right after somebody looked which one is there."""

    go: Callable[[Path], None] | None = None

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        found: os.stat_result = super().stat(follow_symlinks=follow_symlinks)
        if self.go is not None:
            go, self.go = self.go, None
            go(Path(self))
        return found


@pytest.mark.parametrize("go", [_delete_file, _delete_folder, _rename_folder, _replace_file])
@pytest.mark.parametrize(
    "work",
    [
        lambda writer: writer.check_content(),
        lambda writer: writer.write(Batch(bars={START: bars(START)})),
        lambda writer: writer.tidy(DAY_SEC, DAY_SEC, START + DAY_SEC),
    ],
    ids=["check_content", "write", "tidy"],
)
def test_a_file_that_goes_during_work_is_why_the_work_failed(
    tmp_path: Path, work: Callable[[Writer], object], go: Callable[[Path], None]
) -> None:
    """Whatever is found at its path by then, and even if the work itself went well."""
    path = _PathOfAnother(tmp_path / "data" / "a.sqlite")
    writer = Writer(path)
    assert writer.acquire()
    writer.open()
    writer.write(Batch(bars={START: bars(START)}))
    path.go = go
    with pytest.raises(ArchiveError, match="moved or deleted") as caught:
        work(writer)
    assert not caught.value.is_damaged
    writer.close()
    writer.release()


def test_a_recorder_that_ends_after_trouble_releases_the_file(
    record: Callable[..., Recorder],
) -> None:
    """However often it was opened anew: the next one writes at once."""
    one = record()
    with closing(sqlite3.connect(one.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        one.record(bars(START))
        until(lambda: one.status().state == "trouble")
        other.execute("ROLLBACK")
    until(lambda: one.status().state == "writing")
    one.stop()
    assert record(one.path).status().state == "writing"


def test_a_file_of_a_newer_version_is_left_as_it_is(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """It is told what to do, and nothing is written, renamed or deleted."""
    path = tmp_path / "a.sqlite"
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    one = record(path)
    one.record(bars(START))
    status = one.status()
    assert status.state == "trouble"
    assert "newer Market Pulse" in archive_reason(status)
    assert status.waiting == 3
    one.stop()
    assert path.read_bytes() == before


def test_what_is_too_old_is_deleted_counted_from_the_newest_bar(
    record: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Bars by their age, minutes ten days later, events by theirs; the file gives its room back."""
    path = tmp_path / "a.sqlite"
    connection = connect(path)
    for day in range(10):
        write_bars(connection, bars(START + day * DAY_SEC, 300, 50))
        write_minutes(connection, minutes((START + (day - 5) * DAY_SEC) // 60))
    connection.close()
    big = path.stat().st_size
    newest = START + 9 * DAY_SEC + 299
    one = record(path, bars_days=2, events_days=5)
    old = replace(EVENT, id="old", ts=newest - 6.0 * DAY_SEC, updated_ts=newest - 6.0 * DAY_SEC)
    # Begun long ago, but not over yet.
    lasting = replace(old, id="lasting")
    one.record(Bars.empty(), [old, lasting, replace(lasting, updated_ts=float(newest))])
    assert one.flush()
    one.stop()
    two = record(path, bars_days=2, events_days=5)
    until(lambda: min(seconds_in(path)) >= newest - 2 * DAY_SEC)
    until(lambda: [e.id for e in Archive(path).events(0, 2**40)] == ["lasting"])
    until(lambda: path.stat().st_size < big / 2)
    oldest = (newest - 12 * DAY_SEC) // 60
    assert minutes_in(path) == {
        label
        for label in ((START + (day - 5) * DAY_SEC) // 60 for day in range(10))
        if label >= oldest
    }
    assert min(minutes_in(path)) == (START - 2 * DAY_SEC) // 60
    assert len(seconds_in(path)) == 300 * 2 + 1
    two.record(bars(newest + 1))
    assert two.flush()


def test_a_crash_of_the_writer_is_told_and_stops_nothing(record: Callable[..., Recorder]) -> None:
    """Whoever records goes on; the page says that nothing is written."""
    one = record()
    one.record(replace(bars(START), symbols=()))  # cells of symbols that have no name
    until(lambda: one.status().state == "trouble")
    assert "crashed" in archive_reason(one.status())
    one.record(bars(START + 1))
    one.stop()
