"""What compose.yaml and deploy/ say fits together, and the broker starts as they have it start."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml
from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from settings import RelaySettings
from sources.relay import Relay
from sources.relay_records import BrokerError, Packed
from sources.relay_status import RelayTrouble
from tests.broker import free_port
from tests.waiting import HANG_SEC, until

ROOT: Final = Path(__file__).parent.parent
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
PROCESSES: Final = [name for name in SERVICES if name.startswith("pulse")]
PASSWORD: Final = "of/no & use$here"  # noqa: S105 - of nothing
VIEWERS: Final = "another"


class Started(NamedTuple):
    """A broker as compose.yaml has it start, in a folder of its own."""

    port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def start(folder: Path, *arguments: str) -> Iterator[Started]:
    """With the password of replicas, too, and with ``arguments`` added to its configuration."""
    port = free_port()
    process = subprocess.Popen(
        ["sh", str(DEPLOY / "redis.sh"), "--port", str(port), "--bind", "127.0.0.1", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "TMPDIR": str(folder),
            "MARKET_PULSE_REDIS_PASSWORD": PASSWORD,
            "REDIS_VIEWER_PASSWORD": VIEWERS,
        },
        stdout=subprocess.DEVNULL,
    )

    def answers() -> bool:
        assert process.poll() is None, "it ended"
        try:
            return bool(client(port, "health", "none").ping())
        except (exceptions.ConnectionError, exceptions.BusyLoadingError):
            return False

    try:
        until(answers, what="the broker to answer")
        yield Started(port, process)
    finally:
        process.terminate()
        process.wait(HANG_SEC)


def client(port: int, user: str, password: str) -> Redis:
    return Redis(
        port=port,
        username=user,
        password=password,
        protocol=2,
        driver_info=None,
        retry=Retry(NoBackoff(), 0),
    )


def test_the_processes_are_equal() -> None:
    """But for their names and their volumes; each knows the broker by its name in the network."""
    assert len(PROCESSES) == 3
    shared = []
    for name in PROCESSES:
        assert SERVICES[name]["hostname"] == name
        assert SERVICES[name]["volumes"] == [f"{name}:/data"]
        own = ("hostname", "volumes")
        shared.append({key: value for key, value in SERVICES[name].items() if key not in own})
    assert shared == [shared[0]] * 3
    address = RelaySettings(url=shared[0]["environment"]["MARKET_PULSE_REDIS"]).address
    assert (address.host, address.user) == ("redis", "pulse")


def test_nothing_may_do_more_than_it_has_to() -> None:
    """Only the proxy can be reached, and from this computer alone."""
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        ports = service.get("ports", [])
        assert all(port.startswith("127.0.0.1:") for port in ports), name
        assert bool(ports) == (name == "proxy"), name


def test_every_volume_and_every_file_that_is_mounted_is_there() -> None:
    """Volumes by their names, files in the repository."""
    for service in SERVICES.values():
        for volume in service["volumes"]:
            place = volume.split(":")[0]
            assert (ROOT / place).exists() if place.startswith(".") else place in COMPOSE["volumes"]


def test_the_proxy_knows_the_processes() -> None:
    """All of them, by the port that the image exposes."""
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    (port,) = re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    (upstreams,) = re.findall(r"reverse_proxy (.*) \{", text)
    assert upstreams.split() == [f"{name}:{port}" for name in PROCESSES]


def test_no_secret_can_get_into_the_repository_or_an_image() -> None:
    """The file that holds them is ignored, and the one to copy holds none."""
    assert ".env" in (ROOT / ".gitignore").read_text("utf-8").split()
    assert ".*" in (ROOT / ".dockerignore").read_text("utf-8").split()
    example = (DEPLOY / "env.example").read_text("utf-8")
    assert re.findall(r"^#?(\w*(?:KEY|SECRET|PASSWORD))=(.*)$", example, re.MULTILINE) == [
        ("MARKET_PULSE_REDIS_PASSWORD", ""),
        ("ALPACA_API_KEY", ""),
        ("ALPACA_API_SECRET", ""),
    ]


def test_the_users_are_those_of_the_page_about_it() -> None:
    """And one more, which is only to ask whether the broker is up."""
    page = (ROOT / "docs" / "many.md").read_text("utf-8")
    lines = (DEPLOY / "users.acl").read_text("utf-8").splitlines()
    assert lines[:-1] == re.findall("^user .*$", page, re.MULTILINE)
    assert lines[-1] == "user health on nopass -@all +ping"


def relay(started: Started, user: str = "pulse", password: str = PASSWORD) -> Relay:
    """The line of a process to it."""
    url = f"redis://{user}@127.0.0.1:{started.port}"
    return Relay(RelaySettings(role="auto", url=url, password=password), "host-a")


def test_the_broker_starts_with_its_users(redis_server: str, tmp_path: Path) -> None:
    """By whatever is in a password, of which nothing is written or left in its environment."""
    with start(tmp_path) as started:
        for user, password in (("pulse", PASSWORD), ("viewer", VIEWERS)):
            line = relay(started, user, password)
            assert line.look().holder == ""
            line.close()
        for user, password in (("pulse", "PASSWORD"), ("viewer", PASSWORD), ("default", "")):
            with pytest.raises(exceptions.AuthenticationError):
                client(started.port, user, password).ping()
        with pytest.raises(exceptions.NoPermissionError):
            client(started.port, "health", "none").get("mp:{pulse}:lease")
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        environment = Path(f"/proc/{started.process.pid}/environ").read_bytes()
    assert any(b"user viewer on #" in file for file in files)
    for password in (PASSWORD, VIEWERS):
        assert not [file for file in (*files, environment) if password.encode() in file]


def test_what_the_broker_holds_survives_its_end(redis_server: str, tmp_path: Path) -> None:
    """What late joiners read, too, which is written as transactions.

    Redis 7 and Valkey 8 have these read back by the default user, and leave out without a word
    what it may not do: so it may do everything, and is off.
    """
    with start(tmp_path) as started:
        line = relay(started)
        term = line.take()
        assert term is not None
        line.beat(term, [Packed(1_700_000_000, 0, b"body")], b"fine", 7500)
        line.close()
    with start(tmp_path) as started:
        line = relay(started)
        assert [entry.body for entry in line.read()] == [b"body"]
        line.close()


def fill(line: Relay, term: int) -> None:
    """Publish a hundred megabytes."""
    for seq in range(100):
        line.beat(term, [Packed(1_700_000_000 + seq, seq, bytes(10**6))], b"fine", 7500)


def test_a_broker_that_is_full_says_so(redis_server: str, tmp_path: Path) -> None:
    """Instead of making room: who collects is known as before."""
    with start(tmp_path, "--maxmemory", "4mb") as started:
        line = relay(started)
        term = line.take()
        assert term is not None
        with pytest.raises(BrokerError) as raised:
            fill(line, term)
        assert raised.value.trouble is RelayTrouble.FULL
        assert line.look().term == term
        line.close()


def test_without_a_password_there_is_no_broker(redis_server: str, tmp_path: Path) -> None:
    """Rather than one that anybody may use; and without that of replicas there is no such user."""
    run = ["sh", str(DEPLOY / "redis.sh"), "--port", "0"]
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    found = subprocess.run(run, check=False, cwd=tmp_path, env=environ, capture_output=True)
    assert found.returncode != 0
    assert b"MARKET_PULSE_REDIS_PASSWORD" in found.stderr
    assert not list(tmp_path.iterdir())
