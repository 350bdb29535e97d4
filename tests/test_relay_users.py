"""The users of the broker that docs/many.md gives may do what is needed, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis, exceptions

from sources.relay import Relay
from sources.relay_records import START, BrokerError, Packed
from sources.relay_status import RelayTrouble
from tests.broker import Broker

PASSWORD: Final = "sesame-opens-nothing-here"  # noqa: S105 - of nothing
PAGE: Final = (Path(__file__).parent.parent / "docs" / "many.md").read_text("utf-8")
USERS: Final = [
    line.replace("PASSWORD", PASSWORD) for line in re.findall("^user .*$", PAGE, re.MULTILINE)
]


@pytest.fixture
def guarded(redis_server: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker with these users, and one for the test."""
    admin = f"user admin on >{PASSWORD} ~* &* +@all"
    with Broker(
        tmp_path / "redis",
        redis_server,
        lines=[*USERS, admin],
        password=PASSWORD,
        admin="admin",
    ) as broker:
        yield broker


def test_a_candidate_may_do_all_that_a_process_does(guarded: Broker) -> None:
    """Whatever it becomes."""
    relay = Relay(guarded.settings(user="pulse"), "host-a")
    term = relay.take()
    assert term is not None
    relay.clear(term)
    relay.beat(term, [Packed(1_700_000_000, 0, b"body")], b"fine", 7500)
    relay.wish(b"wish")
    more = [Packed(1_700_000_001, 1, b"body")]
    assert relay.beat(term, more, b"fine", 7500, takes_wishes=True) == [b"wish"]
    relay.set_memory(term, b"memory")
    relay.set_table(term, "abc", b"table")
    assert relay.look().status == b"fine"
    assert len(relay.read()) == len(relay.wait(START)) == 2
    assert (relay.memory(), relay.table("abc")) == (b"memory", b"table")
    relay.release(term)
    assert relay.look().is_released
    relay.close()


def test_a_replica_may_read_and_nothing_else(guarded: Broker) -> None:
    """All that there is of these processes."""
    relay = Relay(guarded.settings(user="pulse"), "host-a")
    term = relay.take()
    assert term is not None
    relay.beat(term, [Packed(1_700_000_000, 0, b"body")], b"fine", 7500)
    relay.set_memory(term, b"memory")
    viewer = Relay(guarded.settings("replica", user="viewer"), "host-b")
    assert (viewer.look().holder, viewer.look().status) == ("host-a", b"fine")
    assert len(viewer.read()) == len(viewer.wait(START)) == 1
    assert (viewer.memory(), viewer.table("abc")) == (b"memory", None)
    for write in (
        viewer.take,
        lambda: viewer.beat(term, [], b"", 7500),
        lambda: viewer.clear(term),
        lambda: viewer.wish(b"wish"),
        lambda: viewer.set_memory(term, b"other"),
        lambda: viewer.release(term),
    ):
        with pytest.raises(BrokerError) as raised:
            write()
        assert raised.value.trouble is RelayTrouble.DENIED
    assert relay.look().term == term
    relay.close()
    viewer.close()


REFUSED = [
    "KEYS *",
    "SCAN 0",
    "CONFIG GET requirepass",
    "FLUSHALL",
    "FLUSHDB",
    "SHUTDOWN",
    "ACL LIST",
    "MODULE LIST",
    "MONITOR",
    "CLIENT LIST",
    "GET other",
    "SET other 1",
    "SELECT 1",
    "SUBSCRIBE mp:news",
    "EVAL return(1) 0",
]
OF_A_REPLICA = [
    "SET mp:{pulse}:lease me:1",
    "DEL mp:{pulse}:seconds",
    "XADD mp:{pulse}:seconds * sec 1",
    "PEXPIRE mp:{pulse}:lease 1",
    "SCRIPT LOAD return(1)",
]


@pytest.mark.parametrize(
    ("user", "command"),
    [
        *(("pulse", command) for command in REFUSED),
        *(("viewer", command) for command in [*REFUSED, *OF_A_REPLICA]),
    ],
)
def test_everything_else_is_refused(guarded: Broker, user: str, command: str) -> None:
    """What could read or harm what is not theirs."""
    client: Any = Redis(
        port=guarded.port, username=user, password=PASSWORD, protocol=2, driver_info=None
    )
    with client, pytest.raises(exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_without_a_name_nothing_is_answered(guarded: Broker) -> None:
    """The default user is off."""
    relay = Relay(guarded.settings(password=""), "host-a")
    with pytest.raises(BrokerError) as raised:
        relay.look()
    assert raised.value.trouble is RelayTrouble.REFUSED
    relay.close()
