"""SharedLedger: what one process sent, another one that sends after it knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.ledger import ArchiveLedger
from alerts.shared_ledger import SharedLedger
from history.archive import Archive
from history.deliveries import Delivery, DeliveryState, Marks, Mute, MuteOf, Told
from history.recorder import Recorder
from tests.told import event_of

START = 1_795_600_800.0


def due(number: int, destination: str = "desk") -> Delivery:
    """A delivery that waits."""
    return Delivery(
        destination=destination,
        key=f"burst:AAPL:{number}:began",
        told=Told.BEGAN,
        event=event_of(START + number),
        made=START + number,
        due=START + number,
    )


def sent(delivery: Delivery) -> Delivery:
    """The same, sent."""
    return replace(delivery, state=DeliveryState.SENT, tries=1)


class Process:
    """Collects, or not; without an archive."""

    def __init__(self, *, collects: bool) -> None:
        self.collects = collects
        self.ledger = SharedLedger(None, lambda: self.collects)

    def states(self) -> list[tuple[str, DeliveryState]]:
        """What it would send from, if it began now: key and state of each delivery."""
        return [(one.key, one.state) for one in self.ledger.read(["desk"]).deliveries]


def test_only_who_collects_sends() -> None:
    """And the others say that another does."""
    process = Process(collects=True)
    assert (process.ledger.may_send, process.ledger.is_elsewhere) == (True, False)
    process.collects = False
    assert (process.ledger.may_send, process.ledger.is_elsewhere) == (False, True)


def test_who_may_have_been_replaced_sends_nothing() -> None:
    """It woke from a long sleep, and does not know yet; what it knows is published all the same."""
    is_sure = [True]
    ledger = SharedLedger(None, lambda: True, lambda: is_sure[0])
    assert ledger.may_send
    is_sure[0] = False
    assert not ledger.may_send
    ledger.keep([sent(due(1))])
    assert ledger.collect().deliveries == (sent(due(1)),)


def test_what_was_sent_is_known_to_who_sends_next() -> None:
    """And what still waits, waits there."""
    one, other = Process(collects=True), Process(collects=False)
    one.ledger.note(Marks(deliveries=(due(1), due(2))))
    one.ledger.keep([sent(due(1))])
    other.ledger.learn(one.ledger.collect())
    other.collects = True
    assert other.states() == [(due(1).key, DeliveryState.SENT), (due(2).key, DeliveryState.DUE)]


def test_each_mark_is_published_once_in_its_newest_state() -> None:
    """What came since the last time; one that only learns publishes nothing."""
    one, other = Process(collects=True), Process(collects=False)
    one.ledger.note(Marks(deliveries=(due(1),)))
    one.ledger.keep([sent(due(1))])
    marks = one.ledger.collect()
    assert marks.deliveries == (sent(due(1)),)
    assert not one.ledger.collect()
    other.ledger.learn(marks)
    assert not other.ledger.collect()


def test_a_note_of_who_does_not_collect_is_not_published() -> None:
    """It is of what another one knows."""
    process = Process(collects=False)
    process.ledger.note(Marks(deliveries=(due(1),)))
    process.collects = True
    assert not process.ledger.collect()
    assert process.states() == [(due(1).key, DeliveryState.DUE)]


def test_who_joins_late_is_told_all() -> None:
    """The newest of each delivery, mute, and destination that is off."""
    one, late = Process(collects=True), Process(collects=False)
    mute = Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)
    lifted = replace(mute, until=0.0)
    one.ledger.keep([due(1)], [mute], {"desk": "mark", "other": "mark"})
    one.ledger.keep([sent(due(1))], [lifted], {"desk": ""})
    one.ledger.collect()
    late.ledger.learn(one.ledger.all())
    found = late.ledger.read(["desk", "other"])
    assert found.deliveries == (sent(due(1)),)
    assert found.mutes == (lifted,)
    assert found.off == {"other": "mark"}
    assert late.ledger.read(["desk"]).off == {}


def test_only_the_newest_are_held_without_an_archive() -> None:
    """Days of alerts cost no more than an hour of them."""
    process = Process(collects=True)
    for number in range(2500):
        process.ledger.keep([due(number)])
    process.ledger.keep([sent(due(2000))])
    found = process.ledger.all().deliveries
    assert len(found) == 2000
    assert found[0] == due(500)
    assert found[-1] == sent(due(2000))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """What writes an archive, and runs."""
    recorder = Recorder(tmp_path / "live.sqlite", bars_days=30, events_days=30)
    recorder.start()
    recorder.ready.wait(60.0)
    yield recorder
    recorder.stop()


def test_what_is_learned_is_kept(recorder: Recorder) -> None:
    """In the archive of a process that sends nothing: it may be all that is left one day."""
    own = ArchiveLedger(Archive(recorder.path), recorder)
    ledger = SharedLedger(own, lambda: False)
    mute = Mute(MuteOf.SYMBOL, "AAPL", START + 60.0)
    ledger.learn(Marks(deliveries=(due(1), sent(due(2))), mutes=(mute,), off={"desk": "mark"}))
    assert recorder.flush(60.0)
    found = SharedLedger(own, lambda: True).read(["desk"])
    assert {(one.key, one.state) for one in found.deliveries} == {
        (due(1).key, DeliveryState.DUE),
        (due(2).key, DeliveryState.SENT),
    }
    assert found.mutes == (mute,)
    assert found.off == {"desk": "mark"}


def test_what_was_learned_beats_the_archive(recorder: Recorder) -> None:
    """Another process sent it since this one wrote that it waits."""
    own = ArchiveLedger(Archive(recorder.path), recorder)
    own.keep([due(1)])
    assert recorder.flush(60.0)
    ledger = SharedLedger(own, lambda: True)
    assert [one.state for one in ledger.read(["desk"]).deliveries] == [DeliveryState.DUE]
    ledger.learn(Marks(deliveries=(sent(due(1)),)))
    assert [one.state for one in ledger.read(["desk"]).deliveries] == [DeliveryState.SENT]
