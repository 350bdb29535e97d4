"""Destinations: where events are told outside the page, as the settings name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import quote, urlsplit

from ticks import Asset, EventKind, Severity

__all__ = [
    "ALERT_WORDS",
    "CHANNELS",
    "AlertSettings",
    "AlertWord",
    "ChannelName",
    "Destination",
]

ChannelName = Literal["webhook", "slack", "discord", "telegram", "ntfy", "email"]
AlertWord = Literal["began", "worse", "updated", "over"]

CHANNELS: Final[tuple[ChannelName, ...]] = get_args(ChannelName)
ALERT_WORDS: Final[tuple[AlertWord, ...]] = get_args(AlertWord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where events are told, and which of them."""

    name: str
    type: ChannelName
    url: str = field(default="", repr=False)
    """Where to send, if the type has an address: it may hold a secret."""
    secret: str = field(default="", repr=False)
    """The token, key or password that goes with it; of a webhook the keys that sign, one or two
    with a blank between."""
    to: str = ""
    """The chat, channel, topic or e-mail address, if the type has one."""
    sender: str = ""
    """Of e-mail: the address it comes from."""
    severity: Severity = "watch"
    """The least."""
    assets: tuple[Asset, ...] = ()
    symbols: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    rules: tuple[str, ...] = ()
    """Of each of these: empty means all."""
    on: tuple[AlertWord, ...] = ("began", "worse")
    wait_sec: float = 2.0
    """What comes within so many seconds goes together; what is extreme does not wait."""
    at_most: tuple[int, float] | None = None
    """No more than so many messages within so many seconds."""
    is_insecure: bool = False
    """Whether plain http will do."""
    is_private: bool = False
    """Whether it may be at an address that is not public."""
    is_simulated: bool = False
    """Whether simulated and replayed markets are told, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What is told where."""

    destinations: tuple[Destination, ...] = ()
    public_url: str = ""
    """The address of the page as the reader of an alert reaches it; empty: alerts have no link."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown, also as it stands in an address."""
        found = [text for each in self.destinations for text in _secrets_of(each)]
        return tuple(dict.fromkeys((*found, *(quote(text, safe="") for text in found))))


def _secrets_of(destination: Destination) -> tuple[str, ...]:
    """Its secret, each of two, and its address and the path of it if these may be secret."""
    secret = destination.secret
    words = tuple(secret.split()) if destination.type == "webhook" else (secret,) if secret else ()
    if destination.type not in _SECRET_ADDRESSES or not destination.url:
        return words
    parts = urlsplit(destination.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return (*words, destination.url, *((path,) if len(path) >= _LEAST_PATH else ()))


_SECRET_ADDRESSES: Final[tuple[ChannelName, ...]] = ("webhook", "slack", "discord")
_LEAST_PATH: Final = 8
"""What is shorter could stand anywhere by chance."""
