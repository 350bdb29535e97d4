"""``[[destination]]``: what is read of it, and one clear sentence for what is wrong."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

import settings
from settings import (
    AlertSettings,
    Places,
    Settings,
    SettingsError,
    SourceSettings,
    load,
    reject_unreachable,
)
from settings.destinations import ALERT_WORDS, CHANNELS, Destination
from tests.stage import staged
from ticks import Asset

SIGNING: Final = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
OTHER: Final = f"whsec_{base64.b64encode(bytes(range(1, 33))).decode()}"
SLACK: Final = "https://hooks.slack.com/services/T0000/B0000/XXXXXXXXabcdefgh1234"
DISCORD: Final = "https://discord.com/api/webhooks/1234567890/abcdefghijklmnop-QRSTUV"
BOT: Final = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"
XOXB: Final = "xoxb-1234567890-abcdefghijkl"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file of this computer has a say."""
    places = Places(
        config=tmp_path / "none.toml", data=tmp_path, secrets=(tmp_path / "secrets.toml",)
    )
    monkeypatch.setattr(settings, "USUAL", places)


def read(tmp_path: Path, toml: str, **environ: str) -> AlertSettings:
    path = tmp_path / "given.toml"
    path.write_text(toml, "utf-8")
    return load({"MARKET_PULSE_CONFIG": str(path), **environ}).alerts


def table(lines: Mapping[str, str]) -> str:
    return "[[destination]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


NAMED: Final = {"secret": '"DESK"'}
USUAL: Final[Mapping[str, Mapping[str, str]]] = {
    "webhook": {"url": '"https://example.org/hook"'},
    "slack": {**NAMED},
    "discord": {**NAMED},
    "telegram": {**NAMED, "to": "-1001234567890"},
    "ntfy": {"to": '"pulse-x7"'},
    "email": {
        "url": '"smtp://mail.example.org:587"',
        "to": '"desk@example.org"',
        "from": '"pulse@example.org"',
    },
}
VALUES: Final = {"slack": SLACK, "discord": DISCORD, "telegram": BOT}


def one(tmp_path: Path, kind: str, value: str = "", /, **changed: str | None) -> Destination:
    """The destination of one table: the usual lines of its type, and those that are changed."""
    lines = {"name": '"desk"', "type": f'"{kind}"', **USUAL[kind], **changed}
    given = {key.rstrip("_"): text for key, text in lines.items() if text is not None}
    (found,) = read(
        tmp_path, table(given), DESK=value or VALUES.get(kind, "some-password")
    ).destinations
    return found


def complaint(tmp_path: Path, kind: str, value: str = "", /, **changed: str | None) -> str:
    """What is said against it, without the secret or any line break."""
    with pytest.raises(SettingsError) as caught:
        one(tmp_path, kind, value, **changed)
    text = str(caught.value)
    assert "\n" not in text
    assert not value or value not in text
    return text


@pytest.mark.parametrize("kind", CHANNELS)
def test_the_least_of_each_type_is_enough(tmp_path: Path, kind: str) -> None:
    """With defaults that tell of everything, and not of simulated prices."""
    found = one(tmp_path, kind)
    assert (found.name, found.type, found.severity) == ("desk", kind, "watch")
    assert found.on == (ALERT_WORDS if kind == "webhook" else ("began", "worse"))
    assert found.wait_sec == (60.0 if kind == "email" else 2.0)
    assert not any((found.is_insecure, found.is_private, found.is_simulated))


def test_all_that_may_be_chosen(tmp_path: Path) -> None:
    """Each word of it."""
    found = one(
        tmp_path,
        "webhook",
        severity='"alert"',
        assets='["crypto"]',
        symbols='["btc-usd"]',
        kinds='["move_1m"]',
        on='["began", "over"]',
        wait="0.5",
        at_most='"20/1m"',
        insecure="true",
        private="true",
        simulated="true",
    )
    assert found == Destination(
        name="desk",
        type="webhook",
        url="https://example.org/hook",
        severity="alert",
        assets=("crypto",),
        symbols=("BTC-USD",),
        kinds=("move_1m",),
        on=("began", "over"),
        wait_sec=0.5,
        at_most=(20, 60.0),
        is_insecure=True,
        is_private=True,
        is_simulated=True,
    )


@pytest.mark.parametrize(
    ("kind", "value", "url", "secret"),
    [
        ("slack", SLACK, SLACK, ""),
        ("discord", DISCORD, DISCORD, ""),
        ("telegram", BOT, "https://api.telegram.org", BOT),
        ("webhook", SIGNING, "https://example.org/hook", SIGNING),
        (
            "webhook",
            f"{OTHER} {SIGNING}",
            "https://example.org/hook",
            f"{OTHER} {SIGNING}",
        ),
    ],
)
def test_the_secret_is_what_the_variable_holds(
    tmp_path: Path, kind: str, value: str, url: str, secret: str
) -> None:
    """An address, a token, or one or two keys."""
    found = one(tmp_path, kind, value, **NAMED)
    assert (found.url, found.secret) == (url, secret)


def test_an_address_and_a_key_may_be_of_one_variable(tmp_path: Path) -> None:
    """If the address of a webhook is secret, too."""
    value = f"https://example.org/hook/s3cr3t?x=1 {SIGNING}"
    found = one(tmp_path, "webhook", value, url=None, **NAMED)
    assert f"{found.url} {found.secret}" == value


def test_a_bot_of_slack_has_a_channel(tmp_path: Path) -> None:
    """A hook has none."""
    found = one(tmp_path, "slack", XOXB, to='"C0123456789"')
    assert (found.url, found.secret, found.to) == ("https://slack.com/api", XOXB, "C0123456789")
    assert "expected a channel's ID" in complaint(tmp_path, "slack", XOXB)
    assert "remove it" in complaint(tmp_path, "slack", SLACK, to='"C0123456789"')


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org:587", "smtp://pulse%40example.org@mail.example.org:587"),
        ("smtps://post@mail.example.org", "smtps://post@mail.example.org"),
    ],
)
def test_a_password_is_that_of_the_sender(tmp_path: Path, url: str, expected: str) -> None:
    """Unless the address names another account."""
    found = one(tmp_path, "email", "p:a/s s", url=f'"{url}"', **NAMED)
    assert (found.url, found.secret) == (expected, "p:a/s s")
    # Not its words, which could stand anywhere.
    assert AlertSettings(destinations=(found,)).secrets == ("p:a/s s", "p%3Aa%2Fs%20s")


def test_a_secret_may_stand_in_secrets_toml(tmp_path: Path) -> None:
    """Under the name that the table names."""
    (tmp_path / "secrets.toml").write_text(f'DESK = "{SLACK}"\n')
    toml = table({"name": '"desk"', "type": '"slack"', "secret": '"DESK"'})
    assert read(tmp_path, toml).destinations[0].url == SLACK


def test_secrets_are_known_as_such(tmp_path: Path) -> None:
    """Words, addresses and their paths, and not the address of a public service."""
    lines = {"name": '"a"', "type": '"slack"', "secret": '"SLACK_HOOK"'}
    others = {"name": '"b"', "type": '"telegram"', "secret": '"TELEGRAM_BOT"', "to": '"@desk_x"'}
    found = read(tmp_path, table(lines) + table(others), SLACK_HOOK=SLACK, TELEGRAM_BOT=BOT)
    assert {SLACK, SLACK.removeprefix("https://hooks.slack.com"), BOT} <= set(found.secrets)
    assert "https://api.telegram.org" not in found.secrets
    assert not [text for text in (SLACK, BOT) if text in repr(found)]


@pytest.mark.parametrize(
    ("kind", "changed", "said"),
    [
        ("webhook", {"type": '"pager"'}, "expected one of webhook, slack"),
        ("webhook", {"type": None}, "is missing, expected one of webhook, slack"),
        ("webhook", {"name": None}, "is missing, expected a name of 1 to 40 characters"),
        ("webhook", {"name": '" "'}, "expected a name of 1 to 40 characters"),
        ("webhook", {"name": '"a\\u202Eb"'}, "expected a name of characters that can be seen"),
        ("webhook", {"nmae": '"desk"'}, "did you mean name?"),
        ("webhook", {"url": None}, "is missing, expected an address"),
        ("webhook", {"url": "1"}, "is 1, expected an address"),
        ("webhook", {"url": '"https://[::1/"'}, "an address such as"),
        ("webhook", {"url": '"https://example.org/?k=T0AB12CD34EF56GH78"'}, "may hold a secret"),
        ("webhook", {"url": '"http://example.org/"'}, "or add insecure = true"),
        ("webhook", {"url": '"https://u:p@example.org/"'}, "without a name or password"),
        ("webhook", {"url": '"ftp://example.org/"'}, "an address such as"),
        ("webhook", {"url": '"https://example.org/T0AB12CD34EF56GH78"'}, "may hold a secret"),
        ("webhook", {"secret": '"https://example.org/"'}, "is not the name of a variable"),
        ("webhook", {"secret": '"UNSET"'}, "'UNSET', which is not set"),
        ("webhook", {"secret": '"abcdefghijklmnop"'}, "names a variable, which is not set"),
        ("webhook", {"severity": '"loud"'}, "expected one of watch, alert, extreme"),
        ("webhook", {"assets": '["bonds"]'}, "has 'bonds', expected some of stocks"),
        ("webhook", {"assets": "[]"}, "is an empty list, expected a list of some of stocks"),
        ("webhook", {"kinds": '"move_1m"'}, "expected a list of some of move_1m"),
        ("webhook", {"rules": '["flash"]'}, "has 'flash', expected names of [[rule]]"),
        ("webhook", {"symbols": "[1]"}, "has 1, expected a list such as"),
        ("webhook", {"on": '["ended"]'}, "expected some of began, worse, updated, over"),
        ("webhook", {"wait": "-1"}, "expected a number of seconds from 0"),
        ("webhook", {"wait": "true"}, "expected a number of seconds from 0"),
        ("webhook", {"wait": "nan"}, "expected a number of seconds from 0"),
        ("webhook", {"at_most": '"20 a minute"'}, 'such as "20/1m"'),
        ("webhook", {"at_most": '"0/1m"'}, 'such as "20/1m"'),
        ("webhook", {"private": "1"}, "expected true or false"),
        ("webhook", {"to": '"x"'}, "its address says where it goes: remove it"),
        ("webhook", {"from": '"x@example.org"'}, "only e-mail has a sender: remove it"),
        ("slack", {"secret": None}, "is missing, expected the name of a variable that holds the"),
        ("telegram", {"to": '"desk"'}, "expected a chat's number"),
        ("ntfy", {"to": '"a b"'}, "expected a topic of letters"),
        ("ntfy", {"url": '"https://ntfy.sh/topic"'}, "name the topic by to"),
        ("email", {"to": '"desk"'}, "expected an e-mail address"),
        ("email", {"from": '"a@b.example\\r\\nBcc: x@y.example"'}, "expected an e-mail address"),
        ("email", {"url": '"mail.example.org"'}, "a mail server's"),
        ("email", {"url": '"smtp://u:p@mail.example.org"'}, "one without a password"),
        ("email", {"url": '"smtps://mail.example.org"', "insecure": "true"}, "remove insecure"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, kind: str, changed: Mapping[str, str | None], said: str
) -> None:
    """What was found, what was expected, and where."""
    text = complaint(tmp_path, kind, **changed)
    assert said in text
    assert "[destination 1] in given.toml" in text


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("slack", "xyz", "the address of an incoming webhook"),
        ("slack", "http://hooks.slack.com/services/T/B/x", "or add insecure = true"),
        ("discord", "https://discord.com/channels/1/2", "the address of a webhook"),
        ("telegram", "AAabcdefghijklmnopqrstuvwxyz", "a bot's token"),
        ("webhook", "whsec_c2hvcnQ=", "a key that signs"),
        ("webhook", f"{SIGNING} {OTHER} {SIGNING}", "a key that signs"),
        ("webhook", "geheimnis-ohne-präfix", "a character that no secret has"),
    ],
)
def test_what_is_wrong_with_a_secret_is_said_without_it(
    tmp_path: Path, kind: str, value: str, said: str
) -> None:
    """Only what it should have been."""
    assert said in complaint(tmp_path, kind, value, **NAMED)


def test_a_destination_may_have_the_name_of_its_service(tmp_path: Path) -> None:
    """It stands in the secret address, and so does what may stand in no name."""
    for name in ("discord", "webhooks", "discord.com"):
        assert one(tmp_path, "discord", name=f'"{name}"').name == name
    for part in ("34567890", "klmnop"):
        assert part not in complaint(tmp_path, "discord", name=f'"my {part}"')


def test_two_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    """What was sent is remembered by the name."""
    lines = table({"name": '"desk"', "type": '"webhook"', "url": '"https://example.org/"'})
    with pytest.raises(SettingsError, match="a name that no other destination has"):
        read(tmp_path, lines * 2)


def test_a_table_instead_of_a_list_is_said(tmp_path: Path) -> None:
    """One pair of brackets is too few."""
    with pytest.raises(SettingsError, match=r"expected tables, each headed \[\[destination\]\]"):
        read(tmp_path, '[destination]\nname = "desk"\n')


def test_a_variable_of_ours_that_is_named_is_a_setting(tmp_path: Path) -> None:
    """Whatever it is called."""
    lines = {"name": '"desk"', "type": '"slack"', "secret": '"MARKET_PULSE_DESK"'}
    assert read(tmp_path, table(lines), MARKET_PULSE_DESK=SLACK).destinations[0].url == SLACK


def test_a_variable_that_nothing_names_is_a_mistake(tmp_path: Path) -> None:
    """As any other that is no setting."""
    with pytest.raises(SettingsError, match="MARKET_PULSE_DESK is not a setting"):
        read(tmp_path, "", MARKET_PULSE_DESK=SLACK)


WATCHED: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL", "MSFT"),
    "crypto": ("BTC-USD",),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"symbols": ("AAPL", "MSTF")}, "for MSTF, which is not watched, .* did you mean MSFT?"),
        ({"assets": ("forex",)}, "for forex, of which nothing is watched"),
        ({"assets": ("crypto",), "symbols": ("AAPL", "MSFT")}, "AAPL, MSFT and other classes"),
        ({"kinds": ("move_1m",), "rules": ("flash",)}, "rules and other kinds alone"),
    ],
)
def test_a_destination_for_what_is_not_watched_is_said(
    changed: Mapping[str, tuple[str, ...]], said: str
) -> None:
    """It would wait for ever."""
    usual = Destination(
        name="desk", type="webhook", assets=("stocks", "crypto"), symbols=("BTC-USD",)
    )
    reject_unreachable([usual], WATCHED)
    with pytest.raises(SettingsError, match=said):
        reject_unreachable([usual, replace(usual, **changed)], WATCHED)  # type: ignore[arg-type]


def test_no_worker_begins_with_a_destination_for_what_is_not_watched() -> None:
    """Whoever starts it is told."""
    alerts = AlertSettings(destinations=(Destination(name="x", type="ntfy", symbols=("NOPE",)),))
    with pytest.raises(SettingsError, match="for NOPE, which is not watched"):
        staged(Settings(SourceSettings("simulated", seed=7), alerts=alerts))
