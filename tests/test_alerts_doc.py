"""What docs/alerts.md and the README say of alerts is true: their examples work as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

import settings
from alerts.channel import Delivered, Mail
from alerts.channels import make
from settings import Places, SettingsError, load
from settings.destinations import CHANNELS, Destination
from tests.alerting import NOW, delivery, move, sent
from tests.chat_servers import BOT, SLACK_TOKEN, TOKEN, ChatServer

ROOT: Final = Path(__file__).parent.parent
DOC: Final = (ROOT / "docs" / "alerts.md").read_text("utf-8")
README: Final = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str, text: str = DOC) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


(KEY_LINE,) = blocks("sh")
VALUES: Final = {
    "MARKET_PULSE_SLACK_HOOK": "https://hooks.slack.com/services/T/B/x",
    "MARKET_PULSE_SLACK_TOKEN": SLACK_TOKEN,
    "MARKET_PULSE_DISCORD_HOOK": "https://discord.com/api/webhooks/1234567890/to-ken",
    "MARKET_PULSE_TELEGRAM_TOKEN": BOT,
    "MARKET_PULSE_NTFY_TOKEN": TOKEN,
    "MARKET_PULSE_MAIL_PASSWORD": "some-password",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file of this computer has a say."""
    places = Places(config=tmp_path / "none.toml", data=tmp_path, secrets=())
    monkeypatch.setattr(settings, "USUAL", places)


def key() -> str:
    """A key as the line of the text makes it."""
    words = KEY_LINE.strip().split(" ", 2)
    assert words[:2] == ["python3", "-c"]
    code = words[2].strip('"')
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def read(tmp_path: Path, toml: str) -> list[Destination]:
    """The destinations of an example, whose variables are set, and none besides."""
    file = tmp_path / "market_pulse.toml"
    file.write_text(toml, "utf-8")
    named = {each.get("secret", "") for each in tomllib.loads(toml).get("destination", [])}
    values = {name: value for name, value in VALUES.items() if name in named}
    if "MARKET_PULSE_SIGNING_KEY" in named:
        values["MARKET_PULSE_SIGNING_KEY"] = key()
    return list(load({"MARKET_PULSE_CONFIG": str(file), **values}).alerts.destinations)


def test_there_is_an_example_of_every_channel(tmp_path: Path) -> None:
    """Two of Slack, whose hooks and bots differ."""
    found = [read(tmp_path, block)[0] for block in blocks("toml")]
    assert [each.type for each in found if each.name != "slack bot"] == list(CHANNELS)
    assert any(each.type == "slack" and each.secret for each in found)


@pytest.mark.parametrize("toml", blocks("toml"), ids=lambda toml: toml.split('"')[1])
def test_an_example_sends_what_its_service_takes(tmp_path: Path, toml: str) -> None:
    """As a server answers that knows the service's limits, at another address."""
    (destination,) = read(tmp_path, toml)
    with ChatServer() as server:
        path = "/slack" if destination.secret == SLACK_TOKEN else urlsplit(destination.url).path
        channel = make(replace(destination, url=server.url + path), "")
        if destination.type in ("webhook", "email"):
            found = channel.request([delivery(move())], NOW)
            assert isinstance(found, Mail) or "webhook-signature" in found.headers
        else:
            assert isinstance(server.tell(channel, delivery(move())), Delivered)


def test_the_body_is_what_a_webhook_posts() -> None:
    """Every field of it."""
    channel = make(
        Destination(name="x", type="webhook", url="https://example.org"),
        "https://pulse.example.org",
    )
    (body,) = blocks("json")
    assert json.loads(body) == json.loads(sent(channel, delivery(move())).body)


def test_the_receiver_verifies_it(tmp_path: Path) -> None:
    """With the key that the line made."""
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - what readers are told to run
    received: Callable[..., dict[str, Any]] = names["received"]
    (destination,) = read(tmp_path, blocks("toml")[0])
    request = sent(make(destination, ""), delivery(move()), now=time.time())
    said = received(request.body, dict(request.headers), destination.secret)
    assert said["type"] == "market_pulse.event.began"


def test_every_key_of_a_destination_is_told(tmp_path: Path) -> None:
    """As the settings list them to whoever misspells one."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, '[[destination]]\nnmae = "x"\n')
    listed = str(caught.value).partition("expected only ")[2].partition(":")[0].split(", ")
    assert len(listed) == 17
    told = set(re.findall(r"`(\w+)`|^(\w+) = ", DOC, re.MULTILINE))
    assert set(listed) <= {word for pair in told for word in pair}


def test_the_example_of_the_readme_works(tmp_path: Path) -> None:
    """And leads on to the others."""
    section = README.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    (toml,) = blocks("toml", section)
    (destination,) = read(tmp_path, toml)
    with ChatServer() as server:
        channel = make(replace(destination, url=server.url), "")
        assert isinstance(server.tell(channel, delivery(move())), Delivered)
    assert "(docs/alerts.md)" in section
    assert all(name in section for name in CHANNELS)
