"""What a broker that cannot be used is said to be, and that the next call helps itself."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from settings.relay import RelaySettings
from sources.relay import Relay
from sources.relay_records import START, BrokerError, Fenced, Packed
from sources.relay_status import RelayTrouble
from tests.broker import Broker, free_port
from tests.waiting import HANG_SEC, until

Join = Callable[..., Relay]

PASSWORD = "sesame-opens-nothing-here"  # noqa: S105 - of nothing
ENTRY = [Packed(1_700_000_000, 0, b"body")]
KEEP_SEC = 7500


@pytest.fixture
def join() -> Iterator[Join]:
    """Lines of processes with these settings, closed at the end."""
    lines: list[Relay] = []

    def joined(settings: RelaySettings, *, timeout_sec: float = 30.0) -> Relay:
        lines.append(Relay(settings, "host-a", ttl_ms=60_000, timeout_sec=timeout_sec))
        return lines[-1]

    yield joined
    for line in lines:
        line.close()


def trouble(call: Callable[[], object]) -> RelayTrouble:
    """What is wrong with the broker, in words that give nothing away."""
    with pytest.raises(BrokerError) as raised:
        call()
    assert "127.0.0.1" not in str(raised.value)
    assert PASSWORD not in str(raised.value)
    return raised.value.trouble


def taken(relay: Relay) -> int:
    """The term of the lease that nobody had."""
    term = relay.take()
    assert term is not None
    return term


def at(port: int, scheme: str = "redis") -> RelaySettings:
    """The settings of a process whose broker is said to be there."""
    return RelaySettings(role="auto", url=f"{scheme}://127.0.0.1:{port}", password="")


def test_nobody_is_there(join: Join) -> None:
    """Nothing listens, or the name is nobody's."""
    assert trouble(join(at(free_port())).look) is RelayTrouble.AWAY
    nowhere = RelaySettings(role="auto", url="redis://nobody.invalid")
    assert trouble(join(nowhere).look) is RelayTrouble.AWAY


def test_a_broker_that_hangs_is_away(broker: Broker, join: Join) -> None:
    """Until it goes on."""
    hasty, patient = join(broker.settings(), timeout_sec=0.1), join(broker.settings())
    broker.stop_answering()
    assert trouble(hasty.look) is RelayTrouble.AWAY
    assert trouble(lambda: hasty.wait(START)) is RelayTrouble.AWAY
    broker.go_on()
    assert patient.look().holder == ""


def test_an_answer_that_came_too_late_is_nobody_elses(broker: Broker, join: Join) -> None:
    """The connection that it comes over is given up."""
    patient, hasty = join(broker.settings()), join(broker.settings(), timeout_sec=0.5)
    term = taken(patient)
    patient.beat(term, ENTRY, b"fine", KEEP_SEC)

    def heard() -> list[bytes | None]:
        try:
            return [entry.body for entry in hasty.read()]
        except BrokerError:  # so busy may the computer be
            return []

    until(heard)
    broker.stop_answering()
    assert trouble(hasty.memory) is RelayTrouble.AWAY
    broker.go_on()
    found: list[bytes | None] = []

    def has_read() -> bool:
        found.extend(heard())
        return bool(found)

    until(has_read)
    assert found == [b"body"]


def test_a_connection_that_is_cut_fails_once_at_most(broker: Broker, join: Join) -> None:
    """Whoever waits hears of it; the next call connects again."""
    relay = join(broker.settings())
    failed: list[RelayTrouble] = []

    def wait() -> None:
        try:
            while not relay.wait(START):
                pass
        except BrokerError as error:
            failed.append(error.trouble)

    waiting = threading.Thread(target=wait)
    waiting.start()

    def has_heard() -> bool:
        # Between two waits nobody does.
        broker.kill_clients("host-a")
        return not waiting.is_alive()

    until(has_heard)
    assert failed == [RelayTrouble.AWAY]
    assert relay.wait(START, block_ms=1) == []
    relay.look()
    assert broker.kill_clients("host-a")
    assert relay.look().holder == ""


def test_a_script_that_was_forgotten_is_sent_again(broker: Broker, join: Join) -> None:
    """As after a restart."""
    relay = join(broker.settings())
    term = taken(relay)
    broker.admin.script_flush()
    relay.beat(term, ENTRY, b"", KEEP_SEC)
    assert len(relay.read()) == 1


def test_a_broker_that_loads_says_so(broker: Broker, join: Join) -> None:
    """And answers when it has loaded."""
    for seq in range(2500):
        broker.admin.xadd("mp:{pulse}:seconds", {"seq": seq})
    broker.kill()
    broker.start("key-load-delay 1000", is_awaited=False)  # microseconds, for each of these
    relay = join(broker.settings())
    seen: set[RelayTrouble] = set()

    def has_loaded() -> bool:
        try:
            relay.look()
        except BrokerError as error:
            seen.add(error.trouble)
            return False
        return True

    until(has_loaded)
    assert RelayTrouble.STARTING in seen
    assert seen <= {RelayTrouble.STARTING, RelayTrouble.AWAY}


def test_a_broker_that_is_full_takes_nothing_and_renews_nothing(broker: Broker, join: Join) -> None:
    """Who cannot publish loses the lease. It can still be given back, and the stream emptied."""
    relay = join(broker.settings())
    term = taken(relay)
    broker.admin.pexpire("mp:{pulse}:lease", 50_000)
    broker.fill()
    for entries in (ENTRY, []):
        beat = partial(relay.beat, term, entries, b"fine", KEEP_SEC)
        assert trouble(beat) is RelayTrouble.FULL
    assert relay.look().left_ms <= 50_000
    assert (relay.look().status, relay.look().last) == (None, None)
    assert trouble(lambda: relay.set_memory(term, b"memory")) is RelayTrouble.FULL
    relay.clear(term)
    relay.release(term)
    assert relay.look().is_released
    assert trouble(relay.take) is RelayTrouble.FULL
    broker.set_maxmemory(0)
    assert taken(relay) > term


def test_a_broker_that_cannot_write_to_its_disk_is_full(broker: Broker, join: Join) -> None:
    """It refuses what it could not keep."""
    relay = join(broker.settings())
    broker.admin.config_set("save", "3600 1000000")
    shutil.rmtree(broker.folder)
    broker.admin.bgsave()
    until(lambda: broker.admin.info("persistence")["rdb_last_bgsave_status"] != "ok")
    assert trouble(relay.take) is RelayTrouble.FULL


def test_a_wrong_password_or_none_is_refused(redis_server: str, tmp_path: Path, join: Join) -> None:
    """Unlike the right one."""
    with Broker(tmp_path / "redis", redis_server, password=PASSWORD) as broker:
        assert join(broker.settings()).look().holder == ""
        for password in ("another", ""):
            refused = trouble(join(broker.settings(password=password)).look)
            assert refused is RelayTrouble.REFUSED
        nobody = join(broker.settings(user="nobody")).look
        assert trouble(nobody) is RelayTrouble.REFUSED


def test_a_user_who_may_not_is_denied(broker: Broker, join: Join) -> None:
    """A command, also within a script, and keys of others."""
    allowed = "+client|setname +time +get +pttl +xrange +xrevrange +evalsha +script|load +set +del"
    broker.admin.acl_setuser(
        "half",
        enabled=True,
        passwords=[f"+{PASSWORD}"],
        keys=["mp:*"],
        commands=["-@all", *allowed.split()],
    )
    relay = join(broker.settings(user="half", password=PASSWORD))
    term = taken(relay)
    assert trouble(lambda: relay.beat(term, ENTRY, b"", KEEP_SEC)) is RelayTrouble.DENIED
    assert trouble(lambda: relay.wait(START)) is RelayTrouble.DENIED
    assert relay.look().last is None
    broker.admin.acl_setuser("half", enabled=True, reset_keys=True, keys=["others:*"])
    assert trouble(relay.look) is RelayTrouble.DENIED
    assert trouble(relay.take) is RelayTrouble.DENIED


def test_what_follows_another_server_is_not_written_to(
    broker: Broker, redis_server: str, tmp_path: Path, join: Join
) -> None:
    """It can be looked at."""
    lines = [f"replicaof 127.0.0.1 {broker.port}"]
    with Broker(tmp_path / "copy", redis_server, lines=lines) as copy:
        relay = join(copy.settings())
        assert relay.look().holder == ""
        assert trouble(relay.take) is RelayTrouble.UNUSABLE


def test_a_database_that_there_is_not_is_unusable(broker: Broker, join: Join) -> None:
    """Others are other brokers."""
    first = RelaySettings(role="auto", url=f"{broker.url}/1")
    taken(join(first))
    assert join(broker.settings()).look().holder == ""
    assert join(first).look().holder == "host-a"
    beyond = RelaySettings(role="auto", url=f"{broker.url}/99")
    assert trouble(join(beyond).look) is RelayTrouble.UNUSABLE


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request",  # as Caddy does
        b"220 mail.example.com ESMTP\r\n",
        b":many\r\n",
        b"*7x\r\n",
    ],
)
def test_what_speaks_another_protocol_is_unusable(join: Join, answer: bytes) -> None:
    """Also if it begins as a broker's answer would."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer)
                # Until the other side has had enough.
                while connection.recv(4096):
                    pass

        serving = threading.Thread(target=serve)
        serving.start()
        relay = join(at(listening.getsockname()[1]))
        assert trouble(relay.look) is RelayTrouble.UNUSABLE
        relay.close()
        serving.join(HANG_SEC)
        assert not serving.is_alive()


def test_a_broker_proves_who_it_is(redis_server: str, tmp_path: Path, join: Join) -> None:
    """By a certificate of an authority that the settings name."""
    ours, others = trustme.CA(), trustme.CA()
    issued = ours.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    authority, stranger = tmp_path / "ours.pem", tmp_path / "others.pem"
    ours.cert_pem.write_to_path(authority)
    others.cert_pem.write_to_path(stranger)
    with Broker(
        tmp_path / "redis", redis_server, certificate=(certificate, key), authority=authority
    ) as broker:
        relay = join(broker.settings())
        term = taken(relay)
        relay.beat(term, ENTRY, b"fine", KEEP_SEC)
        assert relay.wait(START)[0].body == b"body"
        strange = RelaySettings(role="auto", url=broker.url, ca_file=stranger)
        assert trouble(join(strange).look) is RelayTrouble.CERTIFICATE
        assert trouble(join(at(broker.port, "rediss")).look) is RelayTrouble.CERTIFICATE
        # Which hangs up on who does not encrypt; that is no word of its certificate.
        assert trouble(join(at(broker.port)).look) is RelayTrouble.AWAY
        broker.kill()
        assert trouble(relay.look) is RelayTrouble.AWAY
        broker.start()
        assert relay.look().term == term


def test_a_socket_of_this_computer_is_an_address_too(redis_server: str, tmp_path: Path) -> None:
    """Of a broker beside the process."""
    path = f"/tmp/market-pulse-{free_port()}.sock"  # noqa: S108 - the path of a socket must be short
    with Broker(tmp_path / "redis", redis_server, lines=[f"unixsocket {path}"]):
        relay = Relay(RelaySettings(role="auto", url=f"unix://{path}"), "host-a")
        assert relay.take() is not None
        relay.close()


def test_a_line_that_is_closed_lets_nobody_wait(broker: Broker) -> None:
    """The thread that waits ends."""
    relay = Relay(broker.settings(), "host-a", timeout_sec=30.0)
    ended = threading.Event()

    def wait() -> None:
        try:
            while True:
                relay.wait(START)
        except BrokerError:
            ended.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    until(lambda: any("host-a" in each["name"] for each in broker.admin.client_list()))
    relay.close()
    assert ended.wait(HANG_SEC)
    relay.close()


def test_who_is_fenced_has_no_trouble(broker: Broker, join: Join) -> None:
    """It is how things stand, and the broker is well."""
    relay = join(broker.settings())
    with pytest.raises(Fenced, match="nobody holds the lease"):
        relay.beat(1, ENTRY, b"", KEEP_SEC)
