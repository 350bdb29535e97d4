"""The courier: events carried to a receiver that misbehaves, and what becomes of each."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from alerts import channels
from alerts.channel import Channel
from alerts.desk import Desk
from alerts.ledger import ArchiveLedger
from alerts.outbox import Ledger
from alerts.pace import Manners
from alerts.routing import Route
from alerts.status import DestinationState, DestinationStatus
from bars import Bars
from events import Event
from history.archive import Archive, ArchiveError
from history.deliveries import DeliveryState, Mute, MuteOf, Told
from history.recorder import ArchiveState, Recorder
from history.writer import Writer
from settings import Destination
from tests.mail_server import MailServer
from tests.receiver import (
    Answer,
    Asked,
    Hook,
    Receiver,
    half,
    megabyte,
    never,
    reset,
    status,
    taken,
)
from tests.told import event_of
from tests.waiting import HANG_SEC, until

NOW = 1_795_000_000.0

PASSWORD = "any"  # noqa: S105 - the server takes any

QUICK = Manners(
    answer_sec=HANG_SEC, end_sec=HANG_SEC, backoff_sec=0.01, rest_sec=0.01, rest_cap_sec=0.01
)
"""No test waits for a failure to be over, and none fails because an answer comes slowly."""

HASTY = replace(QUICK, answer_sec=0.2)
BRIEF = replace(QUICK, end_sec=0.05)
"""For those of answers that never come, and of ends."""


def destination(name: str = "desk", **known: Any) -> Destination:
    """A destination on this computer, to which all is told at once."""
    values: dict[str, Any] = {
        "type": "webhook",
        "wait_sec": 0.0,
        "is_private": True,
        "is_insecure": True,
    }
    return Destination(name=name, **(values | known))


def event(number: int, **known: Any) -> Event:
    """The event with that number."""
    return event_of(NOW + number, id=f"e{number}", **known)


def keys(*numbers: int) -> list[str]:
    """The keys of the beginnings of events."""
    return [f"e{number}:began:alert" for number in numbers]


Start = Callable[..., Desk]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts desks that are stopped after the test."""
    with ExitStack() as stack:

        def start(
            each: Sequence[tuple[Destination, Channel]],
            ledger: Ledger | None = None,
            manners: Manners = QUICK,
            clock: Callable[[], float] = time.time,
        ) -> Desk:
            desk = Desk(each, ledger, manners=manners, clock=clock, jitter=lambda: 1.0)
            desk.restore()
            desk.start()
            stack.callback(desk.stop)
            return desk

        yield start


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with Receiver() as receiver:
        yield receiver


def state(desk: Desk, name: str = "desk") -> DestinationStatus:
    """What is true of a destination."""
    return next(each for each in desk.status().destinations if each.name == name)


def first(answers: Sequence[Answer], then: Answer = taken) -> Answer:
    """Answers one request after the other as the script says, and then all alike."""
    left = iter(answers)
    return lambda asked: next(left, then)(asked)


@pytest.mark.parametrize(
    ("answer", "manners"),
    [
        (status(500), QUICK),
        (status(503, {"Retry-After": "0"}), QUICK),
        (status(429, {"Retry-After": "0"}), QUICK),
        (status(429, {"Retry-After": formatdate(0, usegmt=True)}), QUICK),
        (status(408), QUICK),
        (never, HASTY),
        (half, QUICK),
        (reset, QUICK),
    ],
    ids=["500", "503", "429", "429 date", "408", "never", "half", "reset"],
)
def test_what_fails_for_the_time_being_is_sent_again_under_the_same_id(
    start: Start, receiver: Receiver, answer: Answer, manners: Manners
) -> None:
    """Whatever was wrong, the order holds, and each has one id."""
    receiver.answer = first([answer, answer])
    desk = start([(destination(), Hook(url=receiver.url))], manners=manners)
    desk.deliveries_for([event(1), event(2)])
    until(lambda: state(desk).sent == 2)
    assert receiver.keys == keys(1, 1, 1, 2)
    assert len({got.id for got in receiver.got}) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_destination_that_asks_for_rest_is_left_alone_so_long(
    start: Start, receiver: Receiver, form: str
) -> None:
    """In seconds or until a date; a hundred are enough to see that nothing comes."""
    before = time.time()
    after = "100" if form == "seconds" else formatdate(before + 100, usegmt=True)
    receiver.answer = status(429, {"Retry-After": after})
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).state is DestinationState.RESTING)
    rests_until = state(desk).until
    assert rests_until is not None
    assert before + 98 <= rests_until <= time.time() + 100
    assert state(desk).why == "429 Too Many Requests"
    receiver.answer = taken
    assert desk.try_now("desk")
    until(lambda: state(desk).sent == 1)
    assert not desk.try_now("desk"), "asked just now"


@pytest.mark.parametrize(
    ("answer", "why"),
    [(status(400), "400 Bad Request"), (status(302, {"Location": "/other"}), "302 Found")],
)
def test_what_is_refused_or_sent_elsewhere_is_dead_and_the_next_goes_on(
    start: Start, receiver: Receiver, answer: Answer, why: str
) -> None:
    """No redirect is followed; what is dead is listed, and can be sent again."""
    receiver.answer = first([answer])
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1), event(2)])
    until(lambda: state(desk).sent == 1)
    assert receiver.keys == keys(1, 2)
    assert {got.path for got in receiver.got} == {"/hook"}
    (dead,) = desk.status().dead
    assert (dead.key, dead.error, state(desk).dead) == (*keys(1), why, 1)
    assert desk.send_again("desk", dead.key)
    until(lambda: state(desk).sent == 2)
    assert receiver.keys == keys(1, 2, 1)
    assert not desk.status().dead


def test_a_destination_that_refuses_us_waits_for_somebody(start: Start, receiver: Receiver) -> None:
    """What waits goes in its order when a test is asked for, after which the test comes."""
    receiver.answer = status(403)
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).state is DestinationState.REFUSED)
    desk.deliveries_for([event(2)])
    receiver.answer = taken
    assert desk.test("desk")
    until(lambda: state(desk).sent == 3)
    assert receiver.keys[:3] == keys(1, 1, 2)
    assert receiver.keys[3].startswith("test:")


def test_of_a_megabyte_no_more_is_read_than_is_of_use(start: Start, receiver: Receiver) -> None:
    """It was taken, whatever it says."""
    receiver.answer = megabyte
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1), event(2)])
    until(lambda: state(desk).sent == 2)
    assert receiver.keys == keys(1, 2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_no_message_goes_to_an_address_that_is_not_public(
    start: Start, receiver: Receiver, host: str
) -> None:
    """However it is written, it is refused where it is connected to."""
    url = receiver.url.replace("127.0.0.1", host)
    desk = start([(destination(is_private=False), Hook(url=url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).state is DestinationState.REFUSED)
    assert state(desk).why == "its address is not public: private = true would allow that"
    assert not receiver.got


def test_no_message_goes_by_a_proxy_of_the_environment(
    start: Start, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would see the address, and what it connects to is not looked at."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).sent or state(desk).why)
    assert not state(desk).why
    assert receiver.keys == keys(1)


def test_no_message_goes_over_an_open_line_unasked(start: Start, receiver: Receiver) -> None:
    """Only https, unless the settings say otherwise."""
    desk = start([(destination(is_insecure=False), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).state is DestinationState.REFUSED)
    assert "https" in state(desk).why
    assert not receiver.got


def test_one_stuck_destination_holds_up_no_other(start: Start, receiver: Receiver) -> None:
    """One never answers, one cannot be reached, one refuses us; the fourth gets all at once."""
    with Receiver(never) as stuck, Receiver(status(403)) as barred:
        with Receiver() as gone:
            nowhere = gone.url
        urls = {"stuck": stuck.url, "gone": nowhere, "barred": barred.url, "well": receiver.url}
        each = [(destination(name), Hook(url=url)) for name, url in urls.items()]
        desk = start(each, manners=BRIEF)
        desk.deliveries_for([event(number) for number in range(20)])
        until(lambda: state(desk, "well").sent == 20)
        assert receiver.keys == keys(*range(20))
        assert [state(desk, name).waiting for name in urls] == [20, 20, 20, 0]


def test_names_that_nobody_answers_for_hold_up_no_other_and_no_end(
    start: Start, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and however often each is tried."""
    real, ending = socket.getaddrinfo, threading.Event()
    asked: list[str] = []

    def look_up(host: Any, *rest: Any, **known: Any) -> Any:
        if str(host).startswith("slow"):
            asked.append(host)
            ending.wait(HANG_SEC)
        return real(host, *rest, **known)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    slow = [f"slow{number}.invalid" for number in range(20)]
    hooks = [(destination(name), Hook(url=f"http://{name}/hook")) for name in slow]
    well = receiver.url.replace("127.0.0.1", "localhost")
    desk = start([*hooks, (destination("well"), Hook(url=well))], manners=HASTY)
    desk.deliveries_for([event(1)])
    until(lambda: all(state(desk, name).why == "no answer within 0.2 s" for name in slow))
    desk.deliveries_for([event(2)])
    until(lambda: state(desk, "well").sent == 2)
    assert sorted(asked) == sorted(slow)
    desk.stop()
    assert not [t for t in threading.enumerate() if t.name == "market-pulse-alerts"]
    ending.set()


def test_an_end_does_not_wait_for_who_never_answers(start: Start) -> None:
    """It takes the moment that what is on the way is given, and no longer."""
    with Receiver(never) as receiver:
        desk = start([(destination(), Hook(url=receiver.url))], manners=BRIEF)
        desk.deliveries_for([event(1)])
        until(lambda: receiver.got)
        before = time.monotonic()
        desk.stop()
        assert time.monotonic() - before < QUICK.answer_sec / 10
        assert not [t for t in threading.enumerate() if t.name == "market-pulse-alerts"]
        assert state(desk).waiting == 1


def test_an_end_waits_a_moment_for_what_is_on_the_way(start: Start) -> None:
    """So what was taken is not sent again."""
    asked, may_answer = threading.Event(), threading.Event()

    def late(one: Asked) -> None:
        asked.set()
        may_answer.wait(HANG_SEC)
        taken(one)

    with Receiver(late) as receiver:
        desk = start([(destination(), Hook(url=receiver.url))])
        desk.deliveries_for([event(1)])
        assert asked.wait(HANG_SEC)
        ending = threading.Thread(target=desk.stop)
        ending.start()
        may_answer.set()
        ending.join(HANG_SEC)
        assert state(desk).sent == 1


def test_a_mute_keeps_quiet_what_waits_and_what_comes(start: Start, receiver: Receiver) -> None:
    """Nothing more is told of the symbol; the others go on."""
    receiver.answer = status(403)
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).state is DestinationState.REFUSED)
    desk.mute(Mute(MuteOf.SYMBOL, "AAPL", time.time() + 600))
    assert state(desk).waiting == 0
    receiver.answer = taken
    assert desk.try_now("desk")
    desk.deliveries_for([event(2), event(3, symbol="MSFT")])
    until(lambda: state(desk).sent == 1)
    assert receiver.keys == keys(1, 3)


# With an archive.


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts recorders of one file, as processes of one folder have them."""
    with ExitStack() as stack:

        def begin(**known: Any) -> Recorder:
            recorder = Recorder(
                tmp_path / "a.sqlite", bars_days=7, events_days=90, retry_sec=0.02, **known
            )
            stack.callback(recorder.stop)
            recorder.start()
            assert recorder.ready.wait(HANG_SEC)
            return recorder

        yield begin


def ledger_of(recorder: Recorder) -> ArchiveLedger:
    """What the recorder's file remembers of the alerts."""
    return ArchiveLedger(Archive(recorder.path), recorder)


def tell(desk: Desk, recorder: Recorder, *events: Event) -> None:
    """Let events come, as the worker does: with what is to be told of them, in one transaction."""
    recorder.record(Bars.empty(), events, new_deliveries=desk.deliveries_for(events))


def test_what_waits_is_sent_after_a_restart_and_nothing_twice(
    start: Start, recorder: Callable[..., Recorder], receiver: Receiver
) -> None:
    """Nor is what was told forgotten: what becomes worse is told as that, and mutes hold."""
    hook = [(destination(on=("began", "worse", "over")), Hook(url=receiver.url))]
    writing = recorder()
    desk = start(hook, ledger_of(writing))
    tell(desk, writing, event(1), event(2))
    until(lambda: state(desk).sent == 2)
    receiver.answer = status(500)
    tell(desk, writing, event(3))
    until(lambda: state(desk).why)
    mute = Mute(MuteOf.SYMBOL, "MSFT", time.time() + 600)
    desk.mute(mute)
    desk.stop()
    writing.stop()
    receiver.answer = taken
    receiver.got.clear()
    writing = recorder()
    again = start(hook, ledger_of(writing))
    tell(again, writing, event(1), event(2, severity="extreme"), event(4, symbol="MSFT"))
    until(lambda: state(again).sent == 4)
    assert receiver.keys == [*keys(3), "e2:worse:extreme"]
    assert again.status().mutes == (mute,)
    assert writing.flush()
    states = {each.key: each.state for each in Archive(writing.path).deliveries()}
    assert states == dict.fromkeys([*keys(1, 2, 3), "e2:worse:extreme"], DeliveryState.SENT)


def test_a_destination_that_is_gone_stays_off(
    start: Start, recorder: Callable[..., Recorder], receiver: Receiver
) -> None:
    """After a restart, too, until it has another address or somebody tries it."""
    receiver.answer = status(410)
    here = destination(url=receiver.url)
    writing = recorder()
    desk = start([(here, Hook(url=receiver.url))], ledger_of(writing))
    tell(desk, writing, event(1))
    until(lambda: state(desk).state is DestinationState.OFF)
    desk.stop()
    assert writing.flush()
    receiver.answer = taken
    again = start([(here, Hook(url=receiver.url))], ledger_of(writing))
    assert state(again).state is DestinationState.OFF
    tell(again, writing, event(2))
    assert state(again).waiting == 0
    again.stop()
    elsewhere = replace(here, url=receiver.url + "/new")
    moved = start([(elsewhere, Hook(url=elsewhere.url))], ledger_of(writing))
    assert state(moved).state is DestinationState.READY
    moved.stop()
    third = start([(here, Hook(url=receiver.url))], ledger_of(writing))
    until(lambda: third.status().is_sending)
    assert third.test("desk")
    until(lambda: state(third).sent == 1)
    assert writing.flush()
    assert not ledger_of(writing).read(["desk"]).off


def test_of_two_processes_of_one_folder_one_sends_and_the_other_goes_on(
    start: Start, recorder: Callable[..., Recorder], receiver: Receiver
) -> None:
    """Both find the same events; when the first ends, the second sends what is left, once."""
    hook = [(destination(), Hook(url=receiver.url))]
    writing, waiting = recorder(), recorder()
    until(lambda: waiting.status().state is ArchiveState.READING_ONLY)
    desk, other = start(hook, ledger_of(writing)), start(hook, ledger_of(waiting))
    until(lambda: desk.status().is_sending)
    assert not other.status().is_sending
    assert not other.test("desk"), "the first one can be asked"
    for each, its in ((desk, writing), (other, waiting)):
        tell(each, its, event(1), event(2))
    until(lambda: state(desk).sent == 2)
    receiver.answer = status(500)
    for each, its in ((desk, writing), (other, waiting)):
        tell(each, its, event(3))
    until(lambda: state(desk).why)
    desk.stop()
    writing.stop()
    receiver.answer = taken
    receiver.got.clear()
    until(lambda: state(other).sent == 3)
    assert receiver.keys == keys(3)
    assert other.status().is_sending


def test_the_next_process_ends_only_what_was_begun(
    start: Start, recorder: Callable[..., Recorder], receiver: Receiver
) -> None:
    """It may have found an event a second later, and then under another id."""
    hook = [(destination(on=("began", "over")), Hook(url=receiver.url))]
    writing, waiting = recorder(), recorder()
    until(lambda: waiting.status().state is ArchiveState.READING_ONLY)
    ahead = [0.0]
    desk = start(hook, ledger_of(writing))
    other = start(hook, ledger_of(waiting), clock=lambda: time.time() + ahead[0])
    until(lambda: desk.status().is_sending)
    tell(desk, writing, event(1), event(2))
    until(lambda: state(desk).sent == 2)
    other.deliveries_for([event(1), event(3)])
    ahead[0] = 60.0
    until(lambda: state(other).waiting == 0)
    tell(other, waiting, *(event(number, over_ts=NOW + 50) for number in (1, 3)))
    assert state(other).waiting == 2
    receiver.got.clear()
    desk.stop()
    writing.stop()
    until(lambda: state(other).sent == 3)
    tell(other, waiting, event(4))
    until(lambda: state(other).sent == 4)
    assert receiver.keys == ["e1:over:alert", *keys(4)]
    assert waiting.flush()
    due = Archive(waiting.path).deliveries([DeliveryState.DUE])
    assert due == []


def test_what_another_process_muted_and_lifted_counts(
    start: Start, recorder: Callable[..., Recorder], receiver: Receiver
) -> None:
    """When that ends, as it was last; what was asked of this process is asked."""
    hook = [(destination(), Hook(url=receiver.url))]
    writing, waiting = recorder(), recorder()
    until(lambda: waiting.status().state is ArchiveState.READING_ONLY)
    desk = start(hook, ledger_of(writing))
    here = time.time() + 600
    lifted, kept = Mute(MuteOf.SYMBOL, "AAPL", here), Mute(MuteOf.SYMBOL, "MSFT", here)
    desk.mute(lifted)
    assert writing.flush()
    other = start(hook, ledger_of(waiting))
    assert other.status().mutes == (lifted,)
    own = Mute(MuteOf.SYMBOL, "TSLA", here)
    other.mute(own)
    desk.mute(replace(lifted, until=0.0))
    desk.mute(kept)
    desk.stop()
    writing.stop()
    until(lambda: other.status().is_sending)
    assert set(other.status().mutes) == {kept, own}


def test_all_that_waits_is_read_at_a_start(recorder: Callable[..., Recorder]) -> None:
    """However much: a destination may have been down for a day."""
    writing, one = recorder(), Route(destination(), can_edit=False, is_simulated=False)
    for first in range(0, 10_500, 3_500):
        events = [event(first + number) for number in range(3_500)]
        writing.record(Bars.empty(), new_deliveries=one.deliveries(events, (), NOW))
        assert writing.flush()
    assert len(ledger_of(writing).read(["desk"]).deliveries) == 10_500


def test_without_an_archive_it_goes_on_from_memory_and_says_so(
    start: Start, receiver: Receiver
) -> None:
    """As if the history is off."""
    desk = start([(destination(), Hook(url=receiver.url))])
    desk.deliveries_for([event(1)])
    until(lambda: state(desk).sent == 1)
    assert desk.status().is_sending
    assert not desk.status().is_remembered


def test_with_a_full_disk_it_goes_on_from_memory_and_says_so(
    start: Start,
    recorder: Callable[..., Recorder],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be written is, once there is room: nothing is sent twice after that."""
    writing = recorder()
    hook = [(destination(), Hook(url=receiver.url))]
    desk = start(hook, ledger_of(writing))
    until(lambda: desk.status().is_remembered)
    is_full = threading.Event()
    is_full.set()
    fill(monkeypatch, is_full)
    tell(desk, writing, event(1), event(2))
    until(lambda: state(desk).sent == 2)
    until(lambda: not desk.status().is_remembered)
    assert desk.status().is_sending
    is_full.clear()
    assert writing.flush(HANG_SEC)
    until(lambda: desk.status().is_remembered)
    deliveries = Archive(writing.path).deliveries()
    assert [(each.key, each.state) for each in deliveries] == [
        (key, DeliveryState.SENT) for key in keys(1, 2)
    ]


def fill(monkeypatch: pytest.MonkeyPatch, is_full: threading.Event) -> None:
    """Let the disk be full as long as that is set."""
    real = Writer.write

    def write(self: Any, batch: Any) -> None:
        if is_full.is_set():
            raise ArchiveError("database or disk is full")
        real(self, batch)

    monkeypatch.setattr(Writer, "write", write)


def test_a_channel_that_cannot_say_it_stops_nobody(start: Start, receiver: Receiver) -> None:
    """What it was to say is dead, without a word of the error that could hold an address."""

    class Broken(Hook):
        def request(self, deliveries: Any, now: float, *, late: int = 0) -> Any:
            if deliveries[-1].key == keys(1)[0]:
                raise ValueError(self.url)
            return super().request(deliveries, now, late=late)

    desk = start([(destination(), Broken(url=receiver.url))])
    desk.deliveries_for([event(1), event(2)])
    until(lambda: state(desk).sent == 1)
    (dead,) = desk.status().dead
    assert dead.error == "it cannot be sent: ValueError"
    assert dead.told is Told.BEGAN


def test_a_letter_is_handed_over(start: Start) -> None:
    """By whoever speaks to mail servers."""
    with MailServer() as server:
        desk = start([post(server)])
        desk.deliveries_for([event(1)])
        until(lambda: state(desk, "post").sent == 1)
        assert len(server.letters) == 1


def test_a_silent_mail_server_holds_up_no_end(start: Start) -> None:
    """It is waited for in a thread of its own."""
    with MailServer() as server:
        server.replies["MAIL"] = ""
        desk = start([post(server)], manners=BRIEF)
        desk.deliveries_for([event(1)])
        until(lambda: server.logins)
        desk.stop()
        assert state(desk, "post").waiting == 1
        assert not [t for t in threading.enumerate() if t.name == "market-pulse-alerts"]


def post(server: MailServer) -> tuple[Destination, Channel]:
    """A destination whose mail server is one of this computer."""
    known = destination(
        "post", type="email", url=server.url, secret=PASSWORD, to="you@b.org", sender="me@a.org"
    )
    return known, channels.make(known, "")


def test_no_secret_is_told_whatever_fails(
    start: Start,
    recorder: Callable[..., Recorder],
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In no log, status or row: an address that holds one, refused, unknown, unreadable or dead."""
    secret = "T0KENin4path"  # noqa: S105 - looked for

    class Broken(Hook):
        def outcome(self, status: int, headers: Any, body: bytes, now: float) -> Any:
            raise ValueError(self.url)

    with Receiver() as gone:
        nowhere = gone.url
    receiver.answer = status(400, {"Location": f"/{secret}"})
    channels_by_name = {
        "refused": Hook(url=f"{receiver.url}/{secret}"),
        "gone": Hook(url=f"{nowhere}/{secret}"),
        "unknown": Hook(url=f"http://nobody.invalid/{secret}"),
        "unreadable": Hook(url=f"http://[{secret}"),
        "broken": Broken(url=f"{receiver.url}/{secret}"),
    }
    with caplog.at_level("DEBUG"):
        writing = recorder()
        each = [(destination(name, url=one.url), one) for name, one in channels_by_name.items()]
        desk = start(each, ledger_of(writing))
        tell(desk, writing, event(1))
        until(lambda: all(state(desk, name).why for name in channels_by_name))
        assert writing.flush()
    known = [known for known, _ in each]
    told = [desk.status(), *Archive(writing.path).deliveries(), *known]
    assert secret not in repr(told)
    assert secret not in caplog.text
    assert "alerts to refused: 400 Bad Request" in caplog.text
