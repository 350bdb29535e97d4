"""Real processes among several, a real broker, and a vendor that counts: whatever happens to one.

Each process is a third as patient as usual, so that a fault takes seconds.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from sources.entries import decoded_entry
from sources.relay import Relay
from sources.relay_records import START, Packed
from tests.broker import Broker
from tests.fake_coinbase import FakeCoinbase
from tests.members import QUICK, Member
from tests.receiver import Asked, Receiver, status, taken
from tests.waiting import until

TTL_SEC: Final = QUICK["ttl_sec"]

BEGINS_ANEW: Final = "all begins anew"
"""In the log of a process that does."""

RIGHT: Final = "the-right-one"
WRONG: Final = "wrong-secret-one"


class Set:
    """Three processes of equal rank, of which one collects."""

    def __init__(self, folder: Path, broker: Broker, stack: ExitStack) -> None:
        self.broker = broker
        self.folder = folder
        self._stack = stack
        self.vendor = stack.enter_context(FakeCoinbase(trade_sec=0.1))
        self.members = [self.member(f"member-{number}") for number in range(3)]

    def member(self, name: str, *, role: str = "auto", behind_sec: float = 0.0) -> Member:
        """Another process, which is not started yet."""
        made = Member(
            self.folder / name,
            {
                "MARKET_PULSE_SOURCE": "live",
                "MARKET_PULSE_STOCKS": "off",
                "MARKET_PULSE_FOREX": "off",
                "MARKET_PULSE_CRYPTO": "coinbase",
                "MARKET_PULSE_COINBASE_URL": self.vendor.url,
                "MARKET_PULSE_COINBASE_REST_URL": self.vendor.rest_url,
                "MARKET_PULSE_ROLE": role,
                "MARKET_PULSE_REDIS": self.broker.url,
            },
            behind_sec=behind_sec,
        )
        self._stack.callback(made.kill)
        return made

    def start(self) -> None:
        """Have all of them run, and show some seconds."""
        for member in self.members:
            member.start()
        until(self._is_settled, what="one to lead, and all others to follow it")
        until(lambda: self.vendor.connections == 1, what="one connection")
        self.vendor.most_connections = 1
        for member in self.members:
            # Who lost its lease while it started may have shown a second that nobody was told.
            member.said.clear()
        self.go_on()

    def _is_settled(self) -> bool:
        # Together: on a busy computer the first to collect may lose its lease while others start.
        relays = [member.relay for member in self.members]
        leaders = [one["host"] for one in relays if one["state"] == "leading"]
        following = [one["collector"] for one in relays if one["state"] == "following"]
        return len(leaders) == 1 and leaders * len(relays) == leaders + following

    @property
    def running(self) -> list[Member]:
        """Those that can answer."""
        return [member for member in self.members if member.is_running]

    @property
    def leader(self) -> Member:
        """The one that collects."""
        return self.wait_for_leader(self.running)

    def go_on(self, seconds: int = 3) -> None:
        """Return when all that run have shown some more seconds."""
        self.go_on_of(self.running, seconds)

    def go_on_of(self, running: Sequence[Member], seconds: int = 3) -> None:
        """Likewise, of some."""
        counts = [len(member.seconds()) for member in running]
        for member, count in zip(running, counts, strict=True):
            until(partial(has_shown, member, count + seconds), what=f"more of {member.folder.name}")

    def wait_for_leader(self, among: Sequence[Member]) -> Member:
        """The one of these that collects, once one does."""
        found: list[Member] = []

        def is_found() -> bool:
            found[:] = [member for member in among if leads(member)][:1]
            return bool(found)

        until(is_found, what="another to lead")
        return found[0]

    def entries(self) -> list[Any]:
        """All that the stream holds."""
        relay = Relay(self.broker.settings(), "witness")
        try:
            return relay.read(START, 100_000)
        finally:
            relay.close()


def has_shown(member: Member, count: int) -> bool:
    """Whether a process has shown so many seconds."""
    return len(member.seconds()) >= count


def leads(member: Member) -> bool:
    """Whether a process collects, and the broker takes what it says."""
    relay = member.relay
    return relay["state"] == "leading" and not relay["trouble"]


@pytest.fixture
def several(tmp_path: Path, broker: Broker) -> Iterator[Set]:
    """Three processes that run."""
    with ExitStack() as stack:
        made = Set(tmp_path, broker, stack)
        made.start()
        yield made
        for member in made.running:
            assert member.ask("status")["faults"] == [], member.log


def assert_in_order(several: Set, cut_off: Member | None = None) -> None:
    """No entry is of a term that had ended, none is twice, and no process shows a second twice.

    But for one that was ``cut_off`` while it collected: what it showed and could not publish gives
    way to what all others show.
    """
    terms = [entry.term for entry in several.entries()]
    assert terms == sorted(terms)
    numbers = [(entry.term, entry.seq) for entry in several.entries()]
    assert len(set(numbers)) == len(numbers)
    for member in several.members:
        shown = member.shown()
        back = [before - after for before, after in pairwise(shown) if before >= after]
        assert not back or (member is cut_off and max(back) <= TTL_SEC), member.folder.name


def assert_equal(members: Sequence[Member], since: int = 0) -> None:
    """What several show of a second is the same to the last bit, wherever it came from.

    And so are the events of these seconds, but for the last, which a busy process may yet search.
    """
    by_second = [{one["second"]: one["figures"] for one in member.seconds()} for member in members]
    both = {second for second in set.intersection(*map(set, by_second)) if second >= since}
    assert len(both) > 2
    differing = [s for s in sorted(both) if len({one[s] for one in by_second}) > 1]
    assert [(second, *differences(members, second)) for second in differing] == []
    searched = both - set(sorted(both)[-2:])
    events = [
        {(event, at) for event, at in member.events() if int(at) in searched} for member in members
    ]
    assert all(found == events[0] for found in events)


def differences(members: Sequence[Member], second: int) -> list[str]:
    """Which figures of a second several that run have shown differently, and which each has."""
    frames = [member.ask(f"frame {second}")["frame"] for member in members if member.is_running]
    return [
        f"{symbol} {column}: {', '.join(found)}"
        for symbol, row in frames[0].items()
        for column in row
        if len(set(found := [frame.get(symbol, {}).get(column, "none") for frame in frames])) > 1
    ]


def assert_told_once(members: Sequence[Member]) -> None:
    """No state of an event is told twice by a process."""
    for member in members:
        told = member.events()
        assert len(set(told)) == len(told)


def test_one_that_ends_hands_over_at_once(several: Set) -> None:
    """The next collects within a moment, no second is missing, and the vendor never sees two."""
    leader = several.leader
    others = [member for member in several.members if member is not leader]
    several.vendor.most_connections = 0
    asked_at = time.monotonic()
    leader.send(signal.SIGTERM)
    new = several.wait_for_leader(others)
    # Sooner than the lease would have run out.
    assert time.monotonic() - asked_at < TTL_SEC
    leader.wait()
    several.go_on()
    assert several.vendor.most_connections == 1
    for member in others:
        shown = member.shown()
        assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert {member.relay["collector"] for member in others} == {new.relay["host"]}
    assert_in_order(several)
    assert_equal(others)


def test_one_that_is_killed_is_replaced(several: Set) -> None:
    """Another collects when the lease has run out; the hole is told, and the vendor sees one."""
    leader = several.leader
    others = [member for member in several.members if member is not leader]
    leader.kill()
    killed_at = time.time()
    several.vendor.most_connections = 0
    new = several.wait_for_leader(others)
    until(lambda: new.relay["took_over_at"], what="it to begin")
    # What a busy computer takes beside; not how long the vendor and this test took after that.
    assert new.relay["took_over_at"] - killed_at < 3 * TTL_SEC
    several.go_on()
    assert several.vendor.most_connections == 1
    hole_sec = new.relay["hole_sec"]
    assert 2 <= hole_sec <= 3 * TTL_SEC
    other = next(member for member in others if member is not new)
    other.wait_for(hole_sec=hole_sec)
    leader.start()
    leader.wait_for(state="following", collector=new.relay["host"])
    several.go_on()
    assert_in_order(several)
    assert_equal(others)


def test_one_that_froze_says_nothing_of_it_when_it_wakes(several: Set) -> None:
    """It follows from then on; until it woke its sockets were open, which nobody can help."""
    leader = several.leader
    others = [member for member in several.members if member is not leader]
    begun = leader.log.count(BEGINS_ANEW)
    leader.send(signal.SIGSTOP)
    new = several.wait_for_leader(others)
    several.go_on_of(others)
    leader.send(signal.SIGCONT)
    relay = leader.wait_for(state="following", collector=new.relay["host"])
    # It begins anew if it froze with something of the past that it alone knows.
    begins_anew = leader.log.count(BEGINS_ANEW) > begun
    assert relay["fenced_by"] == ("" if begins_anew else new.relay["host"])
    until(lambda: several.vendor.connections == 1, what="the sleeper's sockets to close")
    assert several.vendor.most_connections == 2
    several.go_on()
    assert_in_order(several)
    assert_equal(several.members)


def test_a_broker_that_crashes_for_a_moment_costs_nothing(several: Set) -> None:
    """What could not be published waits, and comes in order when it is back with what it kept."""
    leader = several.leader
    several.broker.kill()
    leader.wait_for(trouble="away")
    several.broker.start()
    leader.wait_for(trouble="", waiting=0)
    several.go_on()
    assert several.leader is leader
    for member in several.members:
        shown = member.shown()
        assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert_in_order(several)
    assert_equal(several.members)


def test_without_a_broker_nobody_collects(several: Set) -> None:
    """Who cannot publish stops before another may begin; when it is back, one begins for all."""
    leader = several.leader
    several.broker.stop_answering()
    leader.wait_for(state="connecting", trouble="away")
    assert leader.relay["stopped_at"] is not None
    until(lambda: several.vendor.connections == 0, what="the sockets to close")
    several.broker.go_on()
    several.wait_for_leader(several.members)
    several.go_on()
    assert several.vendor.most_connections == 1
    assert_in_order(several, cut_off=leader)
    assert_equal(several.members)


ALERTS: Final = """
[[rule]]
name = "high"
when = "above"
price = 77700
symbols = ["BTC-USD"]

[[rule]]
name = "low"
when = "below"
price = 77500
symbols = ["BTC-USD"]

[[destination]]
name = "desk"
type = "webhook"
url = "{url}"
secret = "MARKET_PULSE_DESK"
on = ["began"]
insecure = true
private = true
"""

SIGNING_KEY: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def give_alerts(several: Set, url: str) -> None:
    """Have each process, once it collects, tell this address of what it finds."""
    for member in several.members:
        file = member.folder / "pulse.toml"
        file.write_text(ALERTS.format(url=url), "utf-8")
        member.set("MARKET_PULSE_CONFIG", str(file))
        member.set("MARKET_PULSE_DESK", SIGNING_KEY)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
def test_an_alert_goes_on_where_the_next_collects(
    tmp_path: Path, broker: Broker, number: signal.Signals
) -> None:
    """What was told is not told again, what waits is told, and under the id that it had."""
    told: list[str] = []

    def take(asked: Asked) -> None:
        told.append(asked.got.id)
        taken(asked)

    with ExitStack() as stack:
        desk = stack.enter_context(Receiver(take))
        several = Set(tmp_path, broker, stack)
        give_alerts(several, desk.url)
        several.start()
        leader = several.leader
        others = [member for member in several.members if member is not leader]
        several.vendor.move("BTC-USD", 77_800.0)
        until(lambda: told, what="the first alert")
        # Of the second the one that collects cannot tell.
        desk.answer = status(503)
        several.vendor.move("BTC-USD", 77_400.0)
        until(lambda: len(desk.got) > 1, what="a try to tell of the second")
        several.go_on()
        leader.send(number)
        several.wait_for_leader(others)
        desk.answer = take
        until(lambda: len(told) > 1, what="the second alert")
        if number is signal.SIGSTOP:
            leader.send(signal.SIGCONT)
            leader.wait_for(state="following")
        several.go_on_of(others, 4)
        first, *second = [got.id for got in desk.got]
        assert told == [first, second[0]]
        assert set(second) == {second[0]}
        assert second[0] != first
        assert len(events_of(others[0])) == 2
        assert_in_order(several)
        assert_told_once(others)


def test_a_mute_of_any_viewer_counts_where_alerts_are_sent(tmp_path: Path, broker: Broker) -> None:
    """It is asked of the collector, known everywhere, and the next collector keeps it."""
    with ExitStack() as stack:
        desk = stack.enter_context(Receiver(taken))
        several = Set(tmp_path, broker, stack)
        del several.members[2:]
        give_alerts(several, desk.url)
        several.start()
        leader = several.leader
        other = next(member for member in several.members if member is not leader)
        other.ask("mute BTC-USD")
        for member in several.members:
            until(partial(knows_mute, member, "BTC-USD"), what="the mute")
        several.vendor.move("BTC-USD", 77_800.0)
        for member in several.members:
            until(partial(events_of, member), what="the event")
        several.go_on()
        leader.end()
        several.wait_for_leader([other])
        several.vendor.move("BTC-USD", 77_400.0)
        until(lambda: len(events_of(other)) > 1, what="another event")
        several.go_on()
        assert desk.got == []


def knows_mute(member: Member, symbol: str) -> bool:
    """Whether nothing is told of a symbol, as far as a process knows."""
    return symbol in member.ask("mutes")["names"]


def events_of(member: Member) -> set[str]:
    """The ids of all events that a process told of."""
    return {event for event, _ in member.events()}


def test_a_fixed_collector_goes_on_without_its_broker(tmp_path: Path, broker: Broker) -> None:
    """Nobody else may: what could not be published comes in order, and nothing is missing."""
    with ExitStack() as stack:
        several = Set(tmp_path, broker, stack)
        collector = several.member("collector", role="collector")
        replica = several.member("replica", role="replica")
        several.members = [collector, replica]
        several.start()
        several.broker.stop_answering()
        collector.wait_for(state="leading", trouble="away")
        count = len(collector.seconds())
        until(lambda: len(collector.seconds()) > count + 2 * TTL_SEC, what="it to go on")
        assert collector.relay["waiting"] > 0
        assert several.vendor.connections == 1
        replica.wait_for(trouble="away")
        several.broker.go_on()
        collector.wait_for(trouble="", waiting=0)
        replica.wait_for_second(collector.shown()[-1])
        several.go_on()
        for member in several.members:
            shown = member.shown()
            assert shown == list(range(shown[0], shown[0] + len(shown)))
        assert several.vendor.most_connections == 1
        assert_in_order(several)
        assert_equal(several.members)


def test_a_second_collector_waits(tmp_path: Path, broker: Broker) -> None:
    """Of two that are told to collect one does; the other shows what it collects, and says so."""
    with ExitStack() as stack:
        several = Set(tmp_path, broker, stack)
        one, other = (several.member(name, role="collector") for name in ("one", "other"))
        several.members = [one, other]
        several.start()
        leader = several.leader
        assert several.vendor.most_connections == 1
        leader.kill()
        several.wait_for_leader([other if leader is one else one])
        several.go_on()
        assert_in_order(several)


def test_an_emptied_broker_is_filled_again(several: Set) -> None:
    """Another process, or the same, has the lease at once, and who joins late knows what was."""
    first = min(member.shown()[0] for member in several.members)
    several.broker.flush()
    until(several.entries, what="entries")
    several.wait_for_leader(several.members)
    several.go_on()
    assert several.vendor.most_connections == 1
    past = [one for one in several.entries() if decoded_entry(one.body).is_past]
    assert past
    late = several.member("late", role="replica")
    late.start()
    late.wait_for(state="following")
    several.members.append(late)
    several.go_on()
    reference, now = several.leader, several.leader.shown()[-1]
    several.go_on(4)
    asked = f"price {first + 2}"
    assert late.ask(asked)["price"] == reference.ask(asked)["price"] is not None
    assert_in_order(several)
    assert_equal(several.members, now)


def test_viewers_of_every_process_change_what_is_watched(several: Set) -> None:
    """It is asked of the collector, and so by all; the vendor is asked for no more than that."""
    one, other = (member for member in several.members if not leads(member))
    sol = "SOL-USDT"

    def are_all_watching(*, is_watched: bool) -> bool:
        found = [sol in member.ask("watched")["symbols"] for member in several.members]
        return set(found) == {is_watched}

    assert one.ask(f"remove {sol}")["outcome"] == "asked"
    until(partial(are_all_watching, is_watched=False), what="it to be gone")
    several.go_on()
    assert other.ask(f"add {sol}")["outcome"] == "asked"
    until(partial(are_all_watching, is_watched=True), what="it to be back")
    several.go_on()
    assert several.vendor.most_connections == 1
    assert_in_order(several)
    assert_equal(several.members)


def test_a_full_broker_ends_the_lease_loudly(several: Set) -> None:
    """It refuses to be told anything, so the collector stops; with room again all goes on."""
    leader = several.leader
    several.broker.set_maxmemory(1)
    leader.wait_for(trouble="full")
    until(lambda: leader.relay["state"] != "leading", what="the collector to stop")
    several.broker.set_maxmemory(0)
    several.wait_for_leader(several.members)
    several.go_on()
    assert_in_order(several, cut_off=leader)
    assert_equal(several.members)


def test_a_wrong_password_is_said(tmp_path: Path, redis_server: str) -> None:
    """Nothing is collected, nothing is shown, and the password is nowhere."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "redis", redis_server, password=RIGHT))
        several = Set(tmp_path, broker, stack)
        member = several.member("wrong")
        member.set("MARKET_PULSE_REDIS_PASSWORD", WRONG)
        member.start()
        member.wait_for(trouble="refused")
        assert member.seconds() == []
        assert several.vendor.attempts == []
        assert WRONG not in member.log + repr(member.said)


def test_clients_that_are_cut_come_back(several: Set) -> None:
    """Every line to the broker is cut, of the collector and its followers; no second is missing."""
    leader = several.leader
    several.broker.kill_clients()
    several.go_on(5)
    assert several.leader is leader
    for member in several.members:
        shown = member.shown()
        assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert_in_order(several)
    assert_equal(several.members)


def test_clocks_five_seconds_apart(tmp_path: Path, broker: Broker) -> None:
    """Who takes over with a clock that is behind waits for its time, and shows no second twice."""
    with ExitStack() as stack:
        several = Set(tmp_path, broker, stack)
        ahead, behind = several.members[0], several.member("behind", behind_sec=5.0)
        several.members = [ahead]
        several.start()
        behind.start()
        behind.wait_for(state="following")
        several.members = [ahead, behind]
        several.go_on()
        told = behind.relay["ahead_sec"]
        assert 3.5 < told < 5.5
        ahead.send(signal.SIGTERM)
        several.wait_for_leader([behind])
        last = behind.shown()[-1]
        behind.wait_for_second(last + 2)
        assert_in_order(several)


def test_one_that_was_away_for_longer_than_the_stream(several: Set) -> None:
    """It shows what there is, with a hole where nothing is known any more, and goes on."""
    away = next(member for member in several.members if not leads(member))
    away.end()
    before = away.shown()[-1]
    several.go_on(4)
    # What the broker forgets of itself after two hours.
    several.broker.admin.xtrim("mp:{pulse}:seconds", maxlen=1, approximate=False)
    away.start()
    away.wait_for(state="following")
    several.go_on()
    after = next(second for second in away.shown() if second > before)
    assert after > before + 3
    assert away.ask(f"price {before + 2}")["price"] is None
    assert_in_order(several)


def test_an_archive_is_asked_if_nobody_else_knows(tmp_path: Path, broker: Broker) -> None:
    """One that began before a broker that has lost everything goes on from what it recorded."""
    with ExitStack() as stack:
        several = Set(tmp_path, broker, stack)
        member = several.members[0]
        several.members = [member]
        several.start()
        known = member.shown()[-1]
        member.end()
        broker.flush()
        broker.kill()
        member.start()
        member.wait_for(trouble="away")
        broker.start()
        # By then another worker has taken the first one's place in it.
        member.wait_for(state="leading", trouble="")
        assert member.ask(f"price {known}")["price"] is not None
        several.go_on()
        assert_in_order(several)


def test_a_newer_format_is_waited_out(several: Set) -> None:
    """A collector of tomorrow is followed no further than what is understood, and that is said."""
    leader = several.leader
    for member in several.members:
        if member is not leader:
            member.end()
    replica = several.member("replica", role="replica")
    several.members = [replica]
    replica.start()
    replica.wait_for(state="following")
    relay = Relay(several.broker.settings(), "tomorrow")
    try:
        leader.end()
        term = relay.take()
        assert term is not None
        newest = replica.shown()[-1]
        relay.beat(term, [Packed(newest + 1, 1, b"\\xc1", format=2)], b"", 600)
        replica.wait_for(trouble="newer format", format=2)
        relay.release(term)
    finally:
        relay.close()
    leader.start()
    replica.wait_for(state="following", trouble="")
    replica.wait_for_second(newest + 2)
    assert replica.ask("status")["faults"] == []
