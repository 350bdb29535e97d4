"""Settings of a process among several: role, broker, password, certificates and name."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

import settings
from settings import RelaySettings, Settings, SettingsError, load
from settings.relay import BrokerAddress
from settings.start import start_lines

PASSWORD = "sesame-opens-nothing-here"  # noqa: S105 - of nothing
REDIS = "redis://redis:6379"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of this computer's is found."""
    places = settings.Places(
        tmp_path / "market_pulse.toml", tmp_path / "data", (tmp_path / "secrets.toml",)
    )
    monkeypatch.setattr(settings, "USUAL", places)
    return tmp_path


def load_with(folder: Path, text: str, **environ: str) -> Settings:
    """The settings of a file with this text."""
    path = folder / "given.toml"
    path.write_text(text, encoding="utf-8")
    return load({"MARKET_PULSE_CONFIG": str(path), **environ})


def relay(**environ: str) -> RelaySettings:
    """The settings of a process, given these."""
    return load({f"MARKET_PULSE_{name}": value for name, value in environ.items()}).relay


def error(**environ: str) -> str:
    """What is said of these, in one sentence."""
    with pytest.raises(SettingsError) as raised:
        relay(**environ)
    message = str(raised.value)
    assert len(message) < 300
    assert PASSWORD not in message
    return message


def test_a_process_is_on_its_own_unless_it_was_chosen() -> None:
    """Without any broker."""
    found = load({})
    assert found.relay == RelaySettings()
    assert (found.relay.role, found.relay.url, found.relay.name) == ("alone", "", "pulse")
    assert not [line for line in start_lines(found) if line.startswith("Role:")]


@pytest.mark.parametrize("role", ["auto", "collector", "replica"])
def test_the_environment_says_what_a_process_is(role: str) -> None:
    """And where it meets the others."""
    found = relay(ROLE=role, REDIS=REDIS, REDIS_PASSWORD=PASSWORD, NAME="desk_2-b")
    assert (found.role, found.url, found.name) == (role, REDIS, "desk_2-b")
    assert found.password == PASSWORD


def test_the_file_has_a_table_for_it(nowhere: Path) -> None:
    """The environment wins."""
    text = '[relay]\nrole = "auto"\nredis = "redis://10.0.0.7/2"\nname = "desk"'
    found = load_with(nowhere, text).relay
    assert (found.role, found.name) == ("auto", "desk")
    assert found.address == BrokerAddress(host="10.0.0.7", database=2)
    assert load_with(nowhere, text, MARKET_PULSE_ROLE="replica").relay.role == "replica"


def test_the_password_may_stand_in_secrets_toml(nowhere: Path) -> None:
    """It is shown nowhere."""
    (nowhere / "secrets.toml").write_text(f'MARKET_PULSE_REDIS_PASSWORD = "{PASSWORD}"')
    found = load({"MARKET_PULSE_ROLE": "auto", "MARKET_PULSE_REDIS": REDIS})
    assert found.relay.password == PASSWORD
    assert PASSWORD in found.secrets
    assert PASSWORD not in repr(found)
    other = {"MARKET_PULSE_REDIS_PASSWORD": "another"}
    assert load({"MARKET_PULSE_ROLE": "auto", "MARKET_PULSE_REDIS": REDIS, **other}).secrets == (
        "another",
    )


def test_no_error_quotes_the_password() -> None:
    """Wherever it was put by mistake, and however short it is."""
    for place in ("ROLE", "NAME", "SOURCE"):
        given = {"ROLE": "auto", "REDIS": REDIS, "REDIS_PASSWORD": PASSWORD, place: PASSWORD}
        assert "what may be a secret" in error(**given)
    short = {"ROLE": "pw1", "REDIS": REDIS, "REDIS_PASSWORD": "pw1"}
    assert "what may be a secret" in error(**short)


ADDRESSES = [
    ("redis://redis", BrokerAddress(host="redis"), "redis:6379"),
    ("redis://localhost:7000/3", BrokerAddress(host="localhost", port=7000, database=3), None),
    ("redis://pulse@redis:6379/", BrokerAddress(host="redis", user="pulse"), "redis:6379"),
    ("redis://p%40b@redis", BrokerAddress(host="redis", user="p@b"), "redis:6379"),
    ("redis://[fd00::7]:7000", BrokerAddress(host="fd00::7", port=7000), "[fd00::7]:7000"),
    (
        "rediss://pulse@broker.example.com",
        BrokerAddress(host="broker.example.com", user="pulse", is_encrypted=True),
        "broker.example.com:6379",
    ),
    ("unix:///run/redis.sock", BrokerAddress(socket="/run/redis.sock"), "/run/redis.sock"),
    ("unix://me@/run/redis.sock", BrokerAddress(socket="/run/redis.sock", user="me"), None),
]


@pytest.mark.parametrize(("url", "address", "shown"), ADDRESSES)
def test_an_address_has_parts(url: str, address: BrokerAddress, shown: str | None) -> None:
    """The terminal is told the place, without the user."""
    found = load({"MARKET_PULSE_ROLE": "auto", "MARKET_PULSE_REDIS": url})
    assert found.relay.address == address
    (line,) = [line for line in start_lines(found) if line.startswith("Role:")]
    assert (shown or address.shown) in line
    assert "@" not in line


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.1", "10.1.2.3", "172.31.0.1", "192.168.7.7", "169.254.1.1"),
        *("100.64.0.1", "[::1]", "[fd12::1]", "[fe80::1]", "[::ffff:10.0.0.1]"),
        *("localhost", "redis", "my_redis-1", "Broker.LOCAL", "redis.default.svc.cluster.local"),
        *("host.docker.internal", "nas.home.arpa", "redis.localhost"),
    ],
)
def test_what_is_near_may_be_spoken_to_in_the_clear(host: str) -> None:
    """Nobody else can be meant."""
    assert relay(ROLE="auto", REDIS=f"redis://{host}").url == f"redis://{host}"


@pytest.mark.parametrize(
    "host",
    [
        *("8.8.8.8", "172.32.0.1", "100.128.0.1", "0.0.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]"),
        *("broker.example.com", "redis.", "10.0.0", "134744072", "0x08080808", "local.example.com"),
        *("10.0.0.1.example.com", "127.0.0.1.nip.io"),
    ],
)
def test_what_may_be_public_is_not_spoken_to_in_the_clear(host: str) -> None:
    """But encrypted."""
    message = error(ROLE="auto", REDIS=f"redis://{host}")
    assert "would send prices and the password in the clear: use rediss://" in message
    assert relay(ROLE="auto", REDIS=f"rediss://{host}").address.is_encrypted


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}@redis:6379",
        f"rediss://pulse:{PASSWORD}@broker.example.com",
        f"redis://redis?password={PASSWORD}",
        f"redis://redis/0?db=1&password={PASSWORD}",
        f"redis://pulse:{PASSWORD}/with@slash@redis",
        f"unix://me:{PASSWORD}@/run/redis.sock",
        f"unix:///run/redis.sock?db=1&password={PASSWORD}",
    ],
)
def test_an_address_holds_no_password(url: str) -> None:
    """It is told where it belongs, and not quoted."""
    message = error(ROLE="auto", REDIS=url)
    assert message.startswith("MARKET_PULSE_REDIS holds a password, expected one like redis://")
    assert message.endswith("put the password into MARKET_PULSE_REDIS_PASSWORD")


@pytest.mark.parametrize(
    "url",
    [
        *("redis", "redis:6379", "http://redis:6379", "redis://", "redis:///0", "redis://a b"),
        *("redis://redis:0", "redis://redis:65536", "redis://redis:port", "redis://redis/zero"),
        *("redis://redis/0/1", "redis://redis?db=1", "redis://redis#0", "redis://[fd00::zz]"),
        *("redis://fd00::7", "unix://run/redis.sock", "redis://me@you@redis", "redis://[::1"),
        *("rediss://redis?ssl_cert_reqs=none", PASSWORD),
    ],
)
def test_what_is_no_address_is_not_quoted(url: str) -> None:
    """It may hold anything."""
    message = error(ROLE="auto", REDIS=url)
    assert message.startswith("MARKET_PULSE_REDIS is not the address of a broker, expected one")


def test_one_among_several_needs_to_know_where_they_meet(nowhere: Path) -> None:
    """And whoever names the broker says what the process is."""
    for role in ("auto", "collector", "replica"):
        message = error(ROLE=role)
        assert message.startswith(f"MARKET_PULSE_ROLE is {role}, and MARKET_PULSE_REDIS is missing")
    with pytest.raises(SettingsError, match=r"^role of \[relay\] in given\.toml is auto, and"):
        load_with(nowhere, '[relay]\nrole = "auto"')
    message = error(REDIS=REDIS)
    assert message.startswith("MARKET_PULSE_REDIS is set, and MARKET_PULSE_ROLE is missing")


def test_one_that_was_chosen_to_be_alone_leaves_the_broker_alone() -> None:
    """So that a file of the environment can stay as it is; the terminal says so."""
    found = load({"MARKET_PULSE_ROLE": "alone", "MARKET_PULSE_REDIS": REDIS})
    assert found.relay.role == "alone"
    assert "Role:     alone, the broker at redis:6379 is not asked" in start_lines(found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ROLE": "leader"}, "is 'leader', expected one of alone, auto, collector, replica"),
        ({"NAME": "a b"}, "is 'a b', expected 1 to 40 letters, digits, - and _"),
        ({"NAME": "{x}"}, "is '{x}', expected 1 to 40 letters"),
        ({"NAME": "x" * 41}, "expected 1 to 40 letters"),
        ({"REDIS_PASSWORD": f"{PASSWORD}\n2"}, "holds one that cannot be seen"),
        ({"REDIS_PASSWORD": "x" * 513}, "is longer than 512 characters"),
        ({"REDIS_CA": "/nowhere/ca.pem"}, "is set, and no rediss:// address is"),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, str], expected: str) -> None:
    """It says what was found, and what was expected."""
    assert expected in error(**{"ROLE": "auto", "REDIS": REDIS, **given})


def test_a_file_of_certificates_is_looked_into_at_the_start(nowhere: Path) -> None:
    """Rather than at every connection."""
    file = nowhere / "ca.pem"
    secure = {"ROLE": "auto", "REDIS": "rediss://broker.example.com", "REDIS_CA": str(file)}
    assert "cannot be read (No such file or directory), expected a file" in error(**secure)
    file.write_text("no certificate")
    assert "which holds no certificate" in error(**secure)
    trustme.CA().cert_pem.write_to_path(file)
    assert relay(**secure).ca_file == file


def test_a_table_has_no_other_keys(nowhere: Path) -> None:
    """And its values are texts."""
    with pytest.raises(SettingsError, match="has 'rol', expected only role, redis, redis_ca, name"):
        load_with(nowhere, '[relay]\nrol = "auto"')
    for text in ("role = 1", "redis = 1", "name = 1", "redis_ca = 1"):
        with pytest.raises(SettingsError, match=f"^{text.split()[0]} of .relay. in given.toml is "):
            load_with(nowhere, f"[relay]\n{text}")


def test_a_replica_has_a_history_of_its_own(nowhere: Path) -> None:
    """Whatever it is told of, and from wherever; the others have that of their source."""
    both = {"MARKET_PULSE_REDIS": REDIS, "MARKET_PULSE_SOURCE": "simulated"}
    for role, name in (("auto", "simulated"), ("collector", "simulated"), ("replica", "replica")):
        found = load({"MARKET_PULSE_ROLE": role, **both})
        assert found.archive_file == nowhere / "data" / f"{name}.sqlite"
    off = load({"MARKET_PULSE_ROLE": "replica", "MARKET_PULSE_DATA": "off", **both})
    assert off.archive_file is None


def test_the_terminal_is_told_what_a_process_is(nowhere: Path) -> None:
    """A replica has no source of its own."""
    lines = {
        role: start_lines(load({"MARKET_PULSE_ROLE": role, "MARKET_PULSE_REDIS": REDIS}))
        for role in ("auto", "collector", "replica")
    }
    assert "Role:     auto, one of several that share the broker at redis:6379" in lines["auto"]
    assert lines["auto"][0] == "Source:   simulated market"
    assert "Role:     collector, publishes by the broker at redis:6379" in lines["collector"]
    assert lines["replica"] == (
        "Role:     replica, shows what the broker at redis:6379 is sent",
        f"Archive:  {nowhere / 'data' / 'replica.sqlite'}",
    )


def test_no_equals_replay_a_tape(tmp_path: Path) -> None:
    """Whoever took over would begin it anew; one that collects alone, or none, may."""
    tape = tmp_path / "tape.csv"
    tape.write_text("ms,feed,symbol,price,bid,ask,size\n", encoding="utf-8")
    given = {"REDIS": REDIS, "SOURCE": f"replay:{tape}"}
    assert error(ROLE="auto", **given) == (
        "MARKET_PULSE_ROLE is auto, and a tape is replayed, which another would begin anew: set"
        " it to collector for the one that replays, and to replica for all others"
    )
    for role in ("collector", "replica"):
        assert relay(ROLE=role, **given).role == role
