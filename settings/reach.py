"""How a destination is reached: its address and secret, to whom and from whom, by its type."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from settings.destinations import ChannelName
from settings.given import Entry, SettingsError, Table, secret_text

__all__ = ["VARIABLE", "Reach", "is_address", "reach"]

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
"""The name of one, as shells have it."""

_MOST_ADDRESS: Final = 500

_HTTP: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{4,64}")
_BOT: Final = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")
_MAILBOX: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
_SLACK_TOKEN: Final = re.compile(r"xox[a-z]-[A-Za-z0-9-]{8,300}")
_SLACK_CHANNEL: Final = re.compile(r"[CDGU][A-Z0-9]{6,30}")
_SIGNS: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Reach:
    """The fields of ``Destination`` of the same names."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    to: str
    sender: str


def reach(
    table: Table,
    kind: ChannelName,
    environ: Mapping[str, str],
    files: Sequence[Path],
    *,
    is_insecure: bool,
) -> Reach:
    """How a destination of some type is reached, checked.

    Raises:
        SettingsError: if something is missing, malformed or not of that type.
    """
    reading = _Reading(table, environ, files)
    url, secret = reading.address(kind, reading.secret(), is_insecure)
    return Reach(url, secret, reading.to(kind, secret), reading.sender(kind))


def is_address(text: str, schemes: Sequence[str]) -> bool:
    """Whether a text is an address of one of these schemes, with a host."""
    try:
        parts = urlsplit(text)
        is_right = parts.port != 0 and parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        return False
    return is_right and len(text) <= _MOST_ADDRESS and bool(re.fullmatch(r"[!-~]+", text))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One ``[[destination]]`` that is being read."""

    table: Table
    environ: Mapping[str, str]
    files: Sequence[Path]

    def _entry(self, key: str) -> Entry:
        return self.table.entry(key)

    # Where it is, and by which secret.

    def secret(self) -> str:
        """What the named variable holds; empty if none is named."""
        entry = self._entry("secret")
        name = entry.value
        if name is None:
            return ""
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            # Not the value: the secret itself may stand here.
            raise SettingsError(
                f"{entry.place} is not the name of a variable, expected one such as"
                " MARKET_PULSE_DESK: set that variable, or a key of that name in secrets.toml,"
                " to the secret, and name it here"
            )
        text = secret_text(name, self.environ, self.files)
        if not text:
            # A password may have the form of a name, but hardly of one in capitals.
            shown = entry.shown if name.isupper() else "a variable"
            raise SettingsError(
                f"{entry.place} names {shown}, which is not set: set that variable, or a key"
                " of that name in secrets.toml, or remove the destination"
            )
        if not re.fullmatch(r"[ -~]{1,1000}", text):
            raise SettingsError(
                f"what {entry.place} names holds a character that no secret has, or is longer than"
                " any, expected letters, digits and punctuation: copy it again"
            )
        return text

    def _wrong_secret(self, expected: str) -> SettingsError:
        """What to raise if the secret is missing or of another form, without it."""
        entry = self._entry("secret")
        if entry.value is None:
            return SettingsError(
                f"{entry.place} is missing, expected the name of a variable that holds {expected}"
            )
        return SettingsError(f"what {entry.place} names is not {expected}")

    def address(self, kind: ChannelName, secret: str, is_insecure: bool) -> tuple[str, str]:
        """The address, and what is left of the secret, which may hold it."""
        match kind:
            case "webhook":
                return self._webhook(secret, is_insecure)
            case "slack" if _HTTP.fullmatch(secret):
                self._reject("url", "a hook, whose address is the secret, has no other")
                return self._checked(secret, is_insecure, "https://hooks.slack.com/services/…"), ""
            case "slack":
                if not _SLACK_TOKEN.fullmatch(secret):
                    raise self._wrong_secret(
                        "the address of an incoming webhook (https://hooks.slack.com/services/…)"
                        " or a bot's token (xoxb-…): copy it from the Slack app"
                    )
                return self._url("https://slack.com/api", is_insecure), secret
            case "discord":
                self._reject("url", "the secret is the address")
                if not _HTTP.fullmatch(secret) or "/webhooks/" not in secret:
                    raise self._wrong_secret(
                        "the address of a webhook (https://discord.com/api/webhooks/…): copy it"
                        " from the channel's integrations"
                    )
                return self._checked(secret, is_insecure, "https://discord.com/…"), ""
            case "telegram":
                if not _BOT.fullmatch(secret):
                    raise self._wrong_secret(
                        "a bot's token such as 123456:ABC…: copy it from BotFather"
                    )
                return self._url("https://api.telegram.org", is_insecure), secret
            case "ntfy":
                return self._ntfy_server(is_insecure), secret
            case "email":
                return self._mail_server(secret, is_insecure), secret

    def _webhook(self, secret: str, is_insecure: bool) -> tuple[str, str]:
        addresses = [word for word in secret.split() if _HTTP.fullmatch(word)]
        keys = [word for word in secret.split() if not _HTTP.fullmatch(word)]
        if len(addresses) > 1 or len(keys) > 2 or not all(map(_signs, keys)):
            raise self._wrong_secret(
                "an address, a key that signs (whsec_ and the base64 of 24 to 64 bytes), or both"
                " with a blank between; while a key changes, two keys: correct the variable"
            )
        if addresses:
            self._reject("url", "the secret holds the address")
            url = self._checked(addresses[0], is_insecure, "https://example.org/hook")
        else:
            url = self._url("", is_insecure)
        return url, " ".join(keys)

    def _url(self, usual: str, is_insecure: bool) -> str:
        entry = self._entry("url")
        value = usual if entry.value is None else entry.value
        if not isinstance(value, str) or not value:
            raise entry.wrong(
                "an address such as https://example.org/hook; if it holds a secret, name by secret"
                " the variable that holds it"
            )
        url = self._checked(value, is_insecure, "https://example.org/hook")
        parts = urlsplit(url)
        if value != usual and any(map(entry.quoting.hides, (parts.path, parts.query))):
            raise SettingsError(
                f"{entry.place} may hold a secret: put the address into a variable, and name that"
                " by secret"
            )
        return url.rstrip("/")

    def _ntfy_server(self, is_insecure: bool) -> str:
        url = self._url("https://ntfy.sh", is_insecure)
        if urlsplit(url).path or urlsplit(url).query:
            # It would take what it is sent there as the text of a message.
            raise self._wrong_address("that of a server alone: name the topic by to")
        return url

    def _checked(self, url: str, is_insecure: bool, example: str) -> str:
        if not is_address(url, ("http", "https")) or urlsplit(url).username is not None:
            raise self._wrong_address(f"an address such as {example}, without a name or password")
        if urlsplit(url).scheme == "http" and not is_insecure:
            raise self._wrong_address("an https address: use one, or add insecure = true")
        return url

    def _wrong_address(self, expected: str) -> SettingsError:
        """What to raise if the address is wrong, without it: it may hold the secret."""
        return SettingsError(f"the address of {self.table.place} is not {expected}")

    def _mail_server(self, secret: str, is_insecure: bool) -> str:
        """The address of the server, with the account before an @ if there is a password."""
        value = self._entry("url").value
        if not isinstance(value, str) or not is_address(value, ("smtp", "smtps")):
            raise self._wrong_address(
                "a mail server's, expected one like smtp://mail.example.org:587 (with STARTTLS) or"
                " smtps://mail.example.org, the account before an @ if it is not the sender"
            )
        if urlsplit(value).password is not None:
            raise self._wrong_address("one without a password: name its variable by secret")
        if is_insecure and urlsplit(value).scheme == "smtps":
            raise self._wrong_address("one that is insecure: remove insecure, or use smtp://")
        parts = urlsplit(value)
        if not secret or parts.username:
            return value
        account = quote(self.sender("email"), safe="")
        return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))

    def _reject(self, key: str, why: str) -> None:
        if self._entry(key).value is not None:
            raise SettingsError(f"{self._entry(key).place} is given, but {why}: remove it")

    # To whom, and from whom.

    def to(self, kind: ChannelName, secret: str) -> str:
        match kind:
            case "slack" if secret:
                return self._text("to", _SLACK_CHANNEL, "a channel's ID such as C0123456789")
            case "telegram":
                return self._text(
                    "to", _CHAT, 'a chat\'s number such as "-1001234567890", or "@channel"'
                )
            case "ntfy":
                return self._text("to", _TOPIC, "a topic of letters, digits, - and _")
            case "email":
                return self._text("to", _MAILBOX, "an e-mail address such as desk@example.org")
        self._reject("to", "its address says where it goes")
        return ""

    def sender(self, kind: ChannelName) -> str:
        if kind == "email":
            return self._text("from", _MAILBOX, "an e-mail address such as pulse@example.org")
        self._reject("from", "only e-mail has a sender")
        return ""

    def _text(self, key: str, form: re.Pattern[str], expected: str) -> str:
        entry = self._entry(key)
        # A chat's number may stand there as a number.
        value = str(entry.value) if type(entry.value) is int else entry.value
        if not isinstance(value, str) or not form.fullmatch(value):
            raise entry.wrong(expected)
        return value


def _signs(word: str) -> bool:
    """Whether a word is a key of Standard Webhooks."""
    try:
        key = base64.b64decode(word.removeprefix(_SIGNS), validate=True)
    except (binascii.Error, ValueError):
        return False
    return word.startswith(_SIGNS) and 24 <= len(key) <= 64
