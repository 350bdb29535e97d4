"""Relay: the lease, and the stream of who has it, at a real redis-server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sources.relay import MOST_BLOCK_MS, Relay
from sources.relay_records import FORMAT, START, BrokerError, Fenced, Packed, own_name
from sources.relay_status import RelayTrouble
from tests.broker import Broker
from tests.waiting import until

Join = Callable[..., Relay]

KEEP_SEC = 7500
ROOT = Path(__file__).parent.parent
FAR_TERM = 9_999_999_999_999
"""Of a broker whose clock was far ahead."""


@pytest.fixture
def join(broker: Broker) -> Iterator[Join]:
    """Lines of several processes to the broker, closed at the end."""
    lines: list[Relay] = []

    def joined(host: str = "host-a", *, name: str = "pulse", ttl_ms: int = 60_000) -> Relay:
        lines.append(Relay(broker.settings(name=name), host, ttl_ms=ttl_ms, timeout_sec=30.0))
        return lines[-1]

    yield joined
    for line in lines:
        line.close()


def taken(relay: Relay) -> int:
    """The term of the lease that nobody had."""
    term = relay.take()
    assert term is not None
    return term


def seconds(first: int, last: int) -> list[Packed]:
    """An entry of each of these seconds."""
    return [Packed(1_700_000_000 + seq, seq, b"body %d" % seq) for seq in range(first, last + 1)]


def seqs(relay: Relay, after: str = START) -> list[int]:
    """What is in the stream."""
    return [entry.seq for entry in relay.read(after)]


def test_one_holds_the_lease(join: Join) -> None:
    """Everybody sees who, since when and for how long."""
    first, second = join("host-a"), join("host-b")
    assert (second.look().holder, second.look().term, second.look().left_ms) == ("", 0, 0)
    term = taken(first)
    assert (first.take(), second.take()) == (None, None)
    standing = second.look()
    assert (standing.holder, standing.term) == ("host-a", term)
    assert 0 < standing.left_ms <= 60_000
    assert abs(standing.now - term / 1000) < 60


def test_a_beat_publishes_says_how_things_are_and_renews_the_lease(join: Join) -> None:
    """All in one step."""
    leader, follower = join("host-a", ttl_ms=60_000), join("host-b")
    term = taken(leader)
    longer = join("host-a", ttl_ms=600_000)
    longer.beat(term, seconds(0, 1), b"fine", KEEP_SEC)
    standing = follower.look()
    assert standing.left_ms > 60_000
    assert standing.status == b"fine"
    first, last = follower.read()
    assert (standing.first, standing.last) == (first, last)
    assert (last.format, last.term, last.seq, last.second) == (FORMAT, term, 1, 1_700_000_001)
    assert last.body == b"body 1"


def test_what_was_published_is_not_published_again(join: Join) -> None:
    """If no answer came, all may be sent once more."""
    leader = join()
    term = taken(leader)
    leader.beat(term, seconds(0, 2), b"", KEEP_SEC)
    leader.beat(term, seconds(1, 4), b"", KEEP_SEC)
    assert seqs(leader) == [0, 1, 2, 3, 4]


def test_a_next_holder_begins_with_any_number(join: Join) -> None:
    """Its term is another."""
    first, second = join("host-a"), join("host-b")
    term = taken(first)
    first.beat(term, seconds(0, 2), b"", KEEP_SEC)
    first.release(term)
    second.beat(taken(second), seconds(0, 1), b"", KEEP_SEC)
    assert seqs(second) == [0, 1, 2, 0, 1]


def test_a_lease_that_ran_out_was_not_released(join: Join) -> None:
    """The next one is warned by that; who had it publishes nothing."""
    first, second = join("host-a", ttl_ms=100), join("host-b")
    old = taken(first)
    until(lambda: not second.look().holder)
    assert not second.look().is_released
    with pytest.raises(Fenced) as raised:
        first.beat(old, seconds(0, 0), b"old", KEEP_SEC)
    assert raised.value.holder == ""
    new = taken(second)
    assert new > old
    with pytest.raises(Fenced, match="host-b holds the lease") as raised:
        first.beat(old, seconds(0, 0), b"old", KEEP_SEC)
    assert raised.value.holder == "host-b"
    assert second.look().status is None
    assert seqs(second) == []


def test_a_wish_is_handed_out_once_to_who_has_the_lease(join: Join) -> None:
    """Not to who lost it, nor to who only publishes; the newest if there are many."""
    first, second = join("host-a", ttl_ms=1), join("host-b")
    old = taken(first)
    until(lambda: second.look().holder == "", what="the lease to run out")
    term = taken(second)
    for number in range(102):
        first.wish(b"wish %d" % number)
    with pytest.raises(Fenced):
        first.beat(old, [], b"", KEEP_SEC, takes_wishes=True)
    assert second.beat(term, [], b"", KEEP_SEC) == []
    wishes = [b"wish %d" % number for number in range(2, 102)]
    assert second.beat(term, [], b"", KEEP_SEC, takes_wishes=True) == wishes
    assert second.beat(term, [], b"", KEEP_SEC, takes_wishes=True) == []


def test_a_wish_that_nobody_takes_is_forgotten(broker: Broker, join: Join) -> None:
    """Within a minute."""
    join().wish(b"wish")
    assert 0 < int(broker.admin.pttl("mp:{pulse}:wishes")) <= 60_000


def test_who_is_fenced_changes_nothing(join: Join) -> None:
    """Neither what others keep, nor for how long."""
    leader, other = join("host-a"), join("host-b")
    term = taken(leader)
    leader.beat(term, seconds(0, 0), b"fine", KEEP_SEC)
    leader.set_memory(term, b"memory")
    leader.set_table(term, "abc", b"table")
    writes: tuple[Callable[[], object], ...] = (
        lambda: other.beat(term, seconds(1, 1), b"other", KEEP_SEC),
        lambda: other.set_memory(term, b"other"),
        lambda: other.set_table(term, "abc", b"other"),
        lambda: other.clear(term),
        lambda: leader.clear(term - 1),
    )
    for write in writes:
        with pytest.raises(Fenced) as raised:
            write()
        assert raised.value.holder == "host-a"
    other.release(term)
    standing = leader.look()
    assert (standing.holder, standing.status) == ("host-a", b"fine")
    assert (leader.memory(), leader.table("abc"), seqs(leader)) == (b"memory", b"table", [0])


def test_a_lease_that_is_given_back_is_anybodys_at_once(join: Join) -> None:
    """And said to be; the next one's is not."""
    first, second = join("host-a"), join("host-b")
    first.release(taken(first))
    assert (second.look().holder, second.look().is_released) == ("", True)
    term = taken(second)
    assert not first.look().is_released
    second.release(term)
    second.release(term)
    assert first.look().is_released


def test_terms_grow_although_the_broker_forgets_everything(broker: Broker, join: Join) -> None:
    """By its clock."""
    relay = join()
    before = taken(relay)
    broker.flush()
    with pytest.raises(Fenced):
        relay.beat(before, seconds(0, 0), b"", KEEP_SEC)
    assert not relay.look().is_released
    assert taken(relay) > before


def test_terms_grow_although_the_brokers_clock_goes_back(broker: Broker, join: Join) -> None:
    """Beyond those that were seen, and those in the stream."""
    watcher = join("host-a")
    broker.admin.set("mp:{pulse}:lease", f"host-x:{FAR_TERM}")
    assert watcher.look().term == FAR_TERM
    broker.flush()
    term = taken(watcher)
    assert term > FAR_TERM
    watcher.beat(term, seconds(0, 0), b"", KEEP_SEC)
    watcher.release(term)
    assert taken(join("host-b")) > term


def test_restarted_with_its_file_it_knows_all(broker: Broker, join: Join) -> None:
    """The lease, too."""
    relay = join()
    term = taken(relay)
    relay.beat(term, seconds(0, 3), b"fine", KEEP_SEC)
    relay.set_memory(term, b"memory")
    relay.set_table(term, "abc", b"table")
    before = relay.look()
    broker.kill()
    with pytest.raises(BrokerError) as raised:
        relay.look()
    assert raised.value.trouble is RelayTrouble.AWAY
    broker.start()
    after = relay.look()
    assert (after.holder, after.term, after.last) == ("host-a", term, before.last)
    assert (relay.memory(), relay.table("abc")) == (b"memory", b"table")
    relay.beat(term, seconds(4, 4), b"", KEEP_SEC)
    assert seqs(relay) == [0, 1, 2, 3, 4]


def test_the_stream_is_read_in_pages(join: Join) -> None:
    """Each begins behind the last entry of the one before."""
    relay = join()
    relay.beat(taken(relay), seconds(0, 6), b"", KEEP_SEC)
    found, after = [], START
    while page := relay.read(after, count=3):
        assert len(page) <= 3
        found += [entry.seq for entry in page]
        after = page[-1].id
    assert found == [0, 1, 2, 3, 4, 5, 6]


def test_news_end_a_wait(join: Join) -> None:
    """What is there already at once; without any it ends by itself."""
    relay = join()
    term = taken(relay)
    assert relay.wait(START, block_ms=1) == []
    relay.beat(term, seconds(0, 1), b"", KEEP_SEC)
    there = relay.wait(START)
    assert [entry.seq for entry in there] == [0, 1]
    assert relay.wait(there[-1].id, block_ms=1) == []
    relay.beat(term, seconds(2, 2), b"", KEEP_SEC)
    assert [entry.seq for entry in relay.wait(there[-1].id)] == [2]


@pytest.mark.parametrize("after", ["$", "+", "", "0", "0-0 "])
def test_nobody_waits_for_what_is_no_entry(join: Join, after: str) -> None:
    """Above all not for whatever comes next, which loses what came before."""
    with pytest.raises(ValueError, match="not the id of an entry"):
        join().wait(after)
    with pytest.raises(ValueError, match="not the id of an entry"):
        join().read(after)


@pytest.mark.parametrize("block_ms", [0, MOST_BLOCK_MS + 1])
def test_nobody_waits_for_ever(join: Join, block_ms: int) -> None:
    """Nor longer than the connection does."""
    with pytest.raises(ValueError, match="expected 1 to 1000"):
        join().wait(START, block_ms)


def test_old_entries_are_dropped_as_new_ones_come(broker: Broker, join: Join) -> None:
    """Roughly: whole blocks of the broker's memory."""
    relay = join()
    term = taken(relay)
    for second in range(300):
        broker.admin.xadd("mp:{pulse}:seconds", {"sec": second, "body": b"x" * 100}, id=second + 1)
    relay.beat(term, seconds(0, 0), b"", KEEP_SEC)
    left = seqs(relay)
    assert left[-1] == 0
    assert len(left) < 200


def test_a_stream_is_emptied_by_who_has_the_lease(join: Join) -> None:
    """And filled again, in the same term."""
    relay = join()
    term = taken(relay)
    relay.beat(term, seconds(0, 4), b"", KEEP_SEC)
    relay.clear(term)
    assert (relay.look().first, relay.look().last) == (None, None)
    relay.beat(term, seconds(5, 5), b"", KEEP_SEC)
    assert seqs(relay) == [5]


def test_a_newer_format_and_unknown_fields_pass(broker: Broker, join: Join) -> None:
    """Whoever reads decides what to make of them; a number that is none is 0."""
    broker.admin.xadd(
        "mp:{pulse}:seconds",
        {"v": FORMAT + 1, "term": 7, "seq": "many", "body": b"\x00\xff", "new": b"unknown"},
    )
    broker.admin.xadd("mp:{pulse}:seconds", {"v": -1})
    newer, other = join().read()
    assert (newer.format, newer.term, newer.seq, newer.second) == (FORMAT + 1, 7, 0, 0)
    assert newer.body == b"\x00\xff"
    assert (other.format, other.body) == (0, None)
    assert join().look().last == other


def test_sets_of_other_names_share_a_broker(join: Join) -> None:
    """And know nothing of each other."""
    first, second = join("host-a", name="desk"), join("host-b", name="floor")
    desk, floor = taken(first), taken(second)
    first.beat(desk, seconds(0, 1), b"desk", KEEP_SEC)
    second.set_memory(floor, b"floor")
    assert (first.look().holder, second.look().holder) == ("host-a", "host-b")
    assert (second.look().last, second.look().status) == (None, None)
    assert first.memory() is None


def test_the_broker_forgets_tables_and_what_was_said_in_time(broker: Broker, join: Join) -> None:
    """And never the memory."""
    relay = join()
    term = taken(relay)
    relay.beat(term, [], b"fine", KEEP_SEC)
    relay.set_table(term, "abc", b"table")
    relay.set_memory(term, b"memory")
    keys = [f"mp:{{pulse}}:{name}" for name in ("status", "table:abc", "memory")]
    status_ms, table_ms, memory_ms = (broker.admin.pttl(key) for key in keys)
    assert 0 < status_ms <= 15_000
    assert 0 < table_ms <= 24 * 3600 * 1000
    assert memory_ms == -1


def test_names_are_of_this_computer_and_of_one_process() -> None:
    """And hold no colon, which separates them from the term."""
    names = {own_name() for _ in range(20)}
    assert len(names) > 1
    assert not [name for name in names if ":" in name or " " in name or len(name) > 45]


def test_a_process_on_its_own_never_loads_what_speaks_with_a_broker(tmp_path: Path) -> None:
    """The default costs nothing."""
    program = """
import sys
import server, worker
from settings import load
settings = load({"MARKET_PULSE_DATA": "off", "MARKET_PULSE_SOURCE": "simulated"})
running = worker.Worker(settings)
running.start()
running.stop()
print(settings.relay.role, "redis" in sys.modules, "sources.relay" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "alone False False"
