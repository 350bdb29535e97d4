"""Deliveries and mutes in the archive: written with their events, read, mended and let go."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bars import Bars
from events import Event, EventStore, StressDetector
from history.archive import Archive
from history.backlog import Batch
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf, Told
from history.keeper import HistoryKeeper
from history.losses import LeftOut, Losses
from history.outgoing import (
    delete_deliveries,
    delete_mutes,
    write_deliveries,
    write_mutes,
    write_new_deliveries,
)
from history.recorder import ArchiveState, Recorder
from history.salvage import copy_sound
from history.schema import MIGRATIONS
from history.writer import Writer, connect
from pulse_store import PulseStore
from tests.test_archive import series
from tests.told import event_of
from tests.waiting import HANG_SEC, until
from ticks import Asset

START = 1_790_000_000.0

DAY_SEC = 86_400


def delivery_of(number: int, destination: str = "desk", **known: Any) -> Delivery:
    """What is to be told of the event with that number, or what is ``known`` of it instead."""
    event = event_of(START + number, id=f"burst:AAPL:{number}")
    values: dict[str, Any] = {
        "destination": destination,
        "key": f"{event.id}:began:watch",
        "told": Told.BEGAN,
        "event": event,
        "made": START + number,
        "due": START + number + 2.0,
    }
    return Delivery(**(values | known))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an archive may be made."""
    return tmp_path / "a.sqlite"


def write(path: Path, deliveries: Sequence[Delivery], mutes: Sequence[Mute] = ()) -> None:
    """Write new deliveries, and mutes."""
    with closing(connect(path)) as connection:
        write_new_deliveries(connection, deliveries)
        write_mutes(connection, mutes)


def test_deliveries_are_read_as_they_were_written(path: Path) -> None:
    """With their event in the state that is told, in the order in which they were made."""
    over = event_of(START + 1.0, rule="flash", over_ts=START + 40.0, updated_ts=START + 40.0)
    deliveries = [
        delivery_of(3),
        delivery_of(1, "phone"),
        delivery_of(2, event=over, told=Told.OVER, key="over"),
        delivery_of(1),
        delivery_of(9, "phone", event=None, told=Told.TEST, key="test"),
    ]
    write(path, deliveries)
    assert Archive(path).deliveries() == deliveries
    assert Archive(path).deliveries(limit=2) == deliveries[-2:]
    assert Archive(path).deliveries(since=START + 2.0) == [
        each for each in deliveries if each.made >= START + 2.0
    ]


def test_what_became_of_a_delivery_replaces_it_and_keeps_its_place(path: Path) -> None:
    """A try that failed, a success, a death, and one that is sent again by hand."""
    write(path, [delivery_of(1), delivery_of(2), delivery_of(3)])
    sent = replace(delivery_of(2), state=DeliveryState.SENT, tries=1, reference="m-7")
    tried = replace(delivery_of(1), tries=1, error="503 Service Unavailable", due=START + 9.0)
    with closing(connect(path)) as connection:
        write_deliveries(connection, [sent, tried])
    archive = Archive(path)
    assert archive.deliveries() == [tried, sent, delivery_of(3)]
    assert archive.deliveries([DeliveryState.DUE]) == [tried, delivery_of(3)]
    assert archive.deliveries([DeliveryState.SENT, DeliveryState.DEAD]) == [sent]


def test_what_is_known_already_is_not_told_anew(path: Path) -> None:
    """A restart may find the same event once more: what was sent stays sent."""
    sent = replace(delivery_of(1), state=DeliveryState.SENT)
    with closing(connect(path)) as connection:
        write_deliveries(connection, [sent])
        write_new_deliveries(connection, [delivery_of(1), delivery_of(1, "phone")])
    assert Archive(path).deliveries() == [sent, delivery_of(1, "phone")]


def test_mutes_are_read_as_they_were_written_last(path: Path) -> None:
    """Muted longer, or not any longer."""
    mutes = [Mute(MuteOf.KIND, "move_1m", START + 9.0), Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)]
    write(path, [], mutes)
    assert Archive(path).mutes() == mutes
    lifted = Mute(MuteOf.SYMBOL, "AAPL", 0.0)
    write(path, [], [lifted])
    assert Archive(path).mutes() == [mutes[0], lifted]


def test_what_is_too_old_is_let_go_by_its_state(path: Path) -> None:
    """Sent and dropped after 7 days, dead after 30, and so what no destination waits for."""
    for state in DeliveryState:
        one = delivery_of(1, state, state=state)
        write(path, [one])
    write(path, [], [Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)])
    left = []
    for days in (0.0, 6.9, 7.1, 29.9, 30.1):
        with closing(connect(path)) as connection:
            delete_deliveries(connection, START + 1.0 + days * DAY_SEC)
            delete_mutes(connection, START + days * DAY_SEC)
        archive = Archive(path)
        left.append(({each.state for each in archive.deliveries()}, len(archive.mutes())))
    every, late = {*DeliveryState}, {DeliveryState.DUE, DeliveryState.DEAD}
    assert left == [(every, 1), (every, 0), (late, 0), (late, 0), (set(), 0)]


def test_a_file_of_the_format_before_has_none(path: Path) -> None:
    """It is read as it is, and can hold some once it is brought up to date."""
    connect(path, MIGRATIONS[:6]).close()
    archive = Archive(path)
    assert (archive.deliveries(), archive.mutes(), [*archive.delivery_blocks()]) == ([], [], [])
    write(path, [delivery_of(1)], [Mute(MuteOf.RULE, "flash", START + 1.0)])
    assert (len(archive.deliveries()), len(archive.mutes())) == (1, 1)


@pytest.mark.parametrize(
    ("script", "left_out"),
    [
        ("UPDATE delivery SET content = replace(content, 'AAPL', 'TSLA')", LeftOut(deliveries=2)),
        ("UPDATE delivery SET content = '{}' WHERE number = 1", LeftOut(deliveries=1)),
        ("UPDATE delivery SET content = x'ff' WHERE number = 2", LeftOut(deliveries=1)),
        ("UPDATE delivery SET state = 'due' WHERE state = 'sent'", LeftOut(deliveries=1)),
        ("UPDATE delivery SET destination = 'other', key = NULLIF(key, '')", LeftOut(deliveries=2)),
        ("UPDATE delivery SET checksum = NULL WHERE number = 1", LeftOut(deliveries=1)),
        ("UPDATE mute SET until = until + 1", LeftOut(others=1)),
        ("UPDATE mute SET of = 'everything'", LeftOut(others=1)),
    ],
)
def test_what_is_damaged_is_left_out_and_counted(
    path: Path, tmp_path: Path, script: str, left_out: LeftOut
) -> None:
    """When it is read, when the file is checked, and in the copy that is made of what is sound."""
    sent = replace(delivery_of(1), state=DeliveryState.SENT)
    deliveries, mutes = [sent, delivery_of(2)], [Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)]
    write(path, deliveries, mutes)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(script)
    losses = Losses()
    found = [*Archive(path).deliveries(losses=losses), *Archive(path).mutes(losses)]
    assert losses.left_out == left_out
    assert len(found) == 3 - left_out.deliveries - left_out.others
    assert {*map(repr, found)} < {*map(repr, [*deliveries, *mutes])}
    checked = Losses()
    Archive(path).check(checked)
    assert checked.left_out == left_out
    copy = tmp_path / "copy.sqlite"
    assert copy_sound(path, copy) == left_out
    assert [*Archive(copy).deliveries(), *Archive(copy).mutes()] == found
    assert copy_sound(copy, path) == LeftOut()


def test_damaged_pages_cost_the_deliveries_on_them(path: Path, tmp_path: Path) -> None:
    """Those before, behind and between them are read and copied, and keep their order."""
    deliveries = [delivery_of(number) for number in range(400)]
    write(path, deliveries)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    whole = bytearray(path.read_bytes())
    for number in (100, 300):
        # A page of the table's own.
        at = whole.index(f'"burst:AAPL:{number}"'.encode()) // size * size
        whole[at : at + size] = b"\xff" * size
    path.write_bytes(whole)
    losses = Losses()
    found = [each for block in Archive(path).delivery_blocks(losses) for each in block]
    assert losses.left_out == LeftOut(deliveries=400 - len(found))
    assert 380 < len(found) < 400
    assert found == [each for each in deliveries if each in found]
    assert Archive(path).deliveries(limit=10_000) == found
    assert copy_sound(path, tmp_path / "copy.sqlite")
    assert Archive(tmp_path / "copy.sqlite").deliveries() == found


# By the recorder and the keeper.


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    """One that writes the archive."""
    one = Recorder(path, bars_days=7.0, events_days=90.0)
    one.start()
    yield one
    one.stop()


def test_deliveries_are_handed_over_with_their_events(recorder: Recorder) -> None:
    """And what became of them later; what is new changes nothing that is known."""
    delivery, mute = delivery_of(1), Mute(MuteOf.DESTINATION, "desk", START + 60.0)
    assert delivery.event is not None
    recorder.record(Bars.empty(), [delivery.event], new_deliveries=[delivery], mutes=[mute])
    assert recorder.flush()
    archive = Archive(recorder.path)
    assert [*archive.events(0, 2**40)] == [delivery.event]
    assert (archive.deliveries(), archive.mutes()) == ([delivery], [mute])
    sent = replace(delivery, state=DeliveryState.SENT)
    # Whichever of the two comes first, and if they come together.
    recorder.record(Bars.empty(), deliveries=[sent])
    recorder.record(Bars.empty(), new_deliveries=[delivery])
    assert recorder.flush()
    assert archive.deliveries() == [sent]


class Second(NamedTuple):
    """A second that was searched."""

    second: int
    events: Sequence[Event]


def keeper_of(
    recorder: Recorder, deliveries_for: Callable[[Sequence[Event]], Sequence[Delivery]]
) -> HistoryKeeper:
    """The history of a store without prices."""
    store, events, detector = PulseStore(), EventStore(), StressDetector()
    watched: dict[Asset, Sequence[str]] = {"stocks": ["AAPL"]}
    return HistoryKeeper(
        Archive(recorder.path),
        recorder,
        store,
        events,
        detector,
        watched,
        9,
        deliveries_for=deliveries_for,
    )


def test_the_keeper_asks_what_is_to_be_told_of_a_second_s_events(recorder: Recorder) -> None:
    """Not in a second without any."""
    asked = []

    def deliveries_for(events: Sequence[Event]) -> Sequence[Delivery]:
        asked.append(events)
        return [delivery_of(1)]

    keeper = keeper_of(recorder, deliveries_for)
    event = delivery_of(1).event
    assert event is not None
    keeper.second_over(Second(int(START), ()))
    keeper.second_over(Second(int(START) + 1, (event,)))
    assert asked == [(event,)]
    assert recorder.flush()
    assert Archive(recorder.path).deliveries() == [delivery_of(1)]


def test_events_are_kept_even_if_nobody_knows_what_to_tell_of_them(recorder: Recorder) -> None:
    """Whoever decides that crashes: it is told to the heartbeat, and the event is archived."""

    def deliveries_for(events: Sequence[Event]) -> Sequence[Delivery]:
        raise RuntimeError("no words")

    event = delivery_of(1).event
    assert event is not None
    with pytest.raises(RuntimeError, match="no words"):
        keeper_of(recorder, deliveries_for).second_over(Second(int(START), (event,)))
    assert recorder.flush()
    assert [*Archive(recorder.path).events(0, 2**40)] == [event]


def test_a_file_that_is_begun_anew_knows_what_still_has_to_be_told(recorder: Recorder) -> None:
    """And what is muted, but not what was sent: that is over."""
    mute = Mute(MuteOf.KIND, "vol_spike", START + 60.0)
    recorder.record(Bars.empty(), new_deliveries=[delivery_of(1), delivery_of(2)], mutes=[mute])
    tried = replace(delivery_of(1), tries=3)
    recorder.record(
        Bars.empty(), deliveries=[tried, replace(delivery_of(2), state=DeliveryState.SENT)]
    )
    # Decided before the other was sent, and handed over after that.
    recorder.record(Bars.empty(), new_deliveries=[delivery_of(2)])
    assert recorder.flush()
    recorder.path.unlink()
    recorder.record(Bars.empty(), new_deliveries=[delivery_of(3)])
    until(lambda: recorder.path.exists() and recorder.flush())
    archive = Archive(recorder.path)
    assert sorted(archive.deliveries(), key=lambda each: each.key) == [tried, delivery_of(3)]
    assert archive.mutes() == [mute]


def test_one_that_takes_over_writes_what_the_other_did_not_get_to(
    path: Path, recorder: Recorder
) -> None:
    """The last seconds of what is to be told, unless the other one has told it; and the mutes."""
    other = Recorder(path, bars_days=7.0, events_days=90.0, retry_sec=0.02)
    assert recorder.ready.wait(HANG_SEC)
    other.start()
    until(lambda: other.status().state is ArchiveState.READING_ONLY)
    for second in range(60):
        # Both find the same, but the first has not got to the last of it.
        delivery, bars = delivery_of(second), series(int(START) + second, int(START) + second + 1)
        other.record(bars, new_deliveries=[delivery])
        if second < 58:
            sent = replace(delivery, state=DeliveryState.SENT)
            recorder.record(bars, new_deliveries=[delivery])
            recorder.record(Bars.empty(), deliveries=[sent] if second < 55 else [])
    mute = Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)
    other.record(Bars.empty(), mutes=[mute], deliveries=[replace(delivery_of(56), tries=9)])
    recorder.stop()
    until(lambda: other.status().state is ArchiveState.WRITING and other.flush())
    other.stop()
    assert [each.state for each in Archive(path).deliveries()] == ["sent"] * 55 + ["due"] * 5
    assert all(each.tries == 0 for each in Archive(path).deliveries())
    assert Archive(path).mutes() == [mute]


def test_deliveries_that_find_no_room_to_wait_are_counted(tmp_path: Path) -> None:
    """The oldest go; what is kept is written when the file can be."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    one = Recorder(blocked / "a.sqlite", bars_days=7.0, events_days=90.0, retry_sec=0.02)
    one.start()
    until(lambda: one.status().state is ArchiveState.TROUBLE)
    event = event_of(START)
    for first in range(0, 10_200, 100):
        numbers = range(first, first + 100)
        one.record(
            Bars.empty(),
            new_deliveries=[delivery_of(1, key=f"{n:05}", event=event) for n in numbers],
        )
    one.record(Bars.empty(), deliveries=[delivery_of(1, key="10150", event=event, tries=1)])
    assert one.status().lost_deliveries == 200
    blocked.unlink()
    until(lambda: one.status().state is ArchiveState.WRITING and one.flush())
    one.stop()
    found = Archive(one.path).deliveries(limit=20_000)
    assert [each.key for each in found] == [f"{n:05}" for n in range(200, 10_200)]
    assert [each.key for each in found if each.tries] == ["10150"]


@pytest.mark.parametrize(
    ("batch", "level"),
    [
        (Batch(meta={"seed": "7"}), "NORMAL"),
        (Batch(new_deliveries={("desk", "key"): delivery_of(1)}), "FULL"),
        (Batch(deliveries={("desk", "key"): delivery_of(1)}), "FULL"),
    ],
)
def test_no_power_failure_undoes_what_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, batch: Batch, level: str
) -> None:
    """Its commit waits for the disk; that of the rest, every quarter of a second, does not."""
    connection = connect(path)
    levels = {1: "NORMAL", 2: "FULL"}
    at_commit: list[str] = []

    def commits(action: int, *names: str | None) -> int:
        if action == sqlite3.SQLITE_TRANSACTION and names[0] == "COMMIT":
            at_commit.append(asked[-1])
        return sqlite3.SQLITE_OK

    asked: list[str] = ["NORMAL"]

    def asks(statement: str) -> None:
        name, _, value = statement.partition(" = ")
        if name == "PRAGMA synchronous" and value:
            asked.append(levels.get(int(value), value) if value.isdecimal() else value)

    connection.set_trace_callback(asks)
    connection.set_authorizer(commits)
    monkeypatch.setattr("history.writer.connect", lambda path: connection)
    writer = Writer(path)
    writer.open()
    at_commit.clear()
    writer.write(batch)
    assert at_commit == [level]
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    writer.close()
