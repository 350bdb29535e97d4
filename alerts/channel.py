"""Channel: how one kind of destination is spoken to, without any socket and without a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from history.deliveries import Delivery

__all__ = [
    "Answer",
    "Broken",
    "Channel",
    "Delivered",
    "Mail",
    "Outcome",
    "Request",
    "RetryAt",
    "Scope",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send over HTTP."""

    method: str
    url: str = field(repr=False)
    """It may hold a secret."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What to send by e-mail; who sends it knows the server."""

    subject: str
    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination answered; of a mail server the code of its reply alone."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in lower case."""
    body: bytes = b""
    """The beginning of it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """It was taken."""

    reference: str = ""
    """What the channel calls the message; empty: this one cannot be edited."""
    rest_sec: float = 0.0
    """How long the destination asks for rest before the next."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It was not taken, and may be later."""

    after_sec: float | None
    """As the destination asks; None: it does not say."""
    words: str
    """Why, with the status, without any address."""
    counts_as_failure: bool = True
    """False if the destination is well and only asks for rest."""


class Scope(StrEnum):
    """What is broken."""

    MESSAGE = "message"
    """This message alone: the next may be taken."""
    DESTINATION = "destination"
    """All that is sent there, until somebody mends it."""
    GONE = "gone"
    """The destination, for good."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It will not be taken, however often it is tried."""

    scope: Scope
    words: str
    """Why, with the status, without any address."""


Outcome = Delivered | RetryAt | Broken


class Channel(Protocol):
    """How one destination is spoken to.

    ``deliveries`` are what goes together, the oldest first; the last gives the group its id. If it
    edits a message (``UPDATED``, ``OVER``), all come with the ``reference`` of that message: the
    others stand in it, too. If people read the channel there may be none: then ``late`` is all
    that is told.
    """

    @property
    def can_edit(self) -> bool:
        """Whether what was sent can be changed."""
        ...

    @property
    def most_together(self) -> int:
        """How many deliveries may go in one message; 1: each alone."""
        ...

    @property
    def spacing_sec(self) -> float:
        """The least time between two messages."""
        ...

    @property
    def is_chat(self) -> bool:
        """Whether people read it, so that what is older than minutes is no news."""
        ...

    def request(
        self, deliveries: Sequence[Delivery], now: float, *, late: int = 0
    ) -> Request | Mail:
        """What to send; ``late`` is how many were dropped since the last that was taken."""
        ...

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """What an answer means; its headers' names are in lower case."""
        ...
