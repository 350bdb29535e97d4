"""ntfy: notifications on phones, by a topic of ntfy.sh or of a server of one's own."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from alerts.answers import outcome, status_words
from alerts.channel import Broken, Delivered, Outcome, Request, RetryAt, Scope
from alerts.messages import Market, Message, compose, is_edit, plain, size_utf8
from history.deliveries import Delivery
from ticks import Severity

__all__ = ["Ntfy"]

_MOST_MESSAGE: Final = 4096
"""Bytes; what is longer becomes an attachment."""
_MOST_TOGETHER: Final = 1000

_PRIORITIES: Final[Mapping[Severity, int]] = {"watch": 3, "alert": 4, "extreme": 5}
_QUIET: Final = 2
"""Of what changes a notification: no sound."""

_TOO_MANY_TODAY: Final = 42908
_NEXT_SEC: Final = 5.0
"""After its first sixty, ntfy.sh takes one message in so many seconds, and does not say so."""
_TODAY_SEC: Final = 3600.0
"""How soon it is asked again when a day's messages are used up."""

_BAD_TOPICS: Final = (40009, 40010)

_SEQUENCE: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")


class _Post(msgspec.Struct, frozen=True, omit_defaults=True):
    topic: str
    title: str
    message: str
    priority: int
    tags: tuple[str, ...]
    sequence_id: str = ""
    click: str = ""


class _Taken(msgspec.Struct, frozen=True):
    sequence_id: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    code: int = 0


@dataclass(frozen=True, slots=True)
class Ntfy:
    """A ``topic`` on the server of ``url``; ``secret`` is a token, or a name and a password.

    Since its version 2.16 a server changes what was sent under a name, and repeats the name in its
    answer; of one that does not, nothing is edited, for it would show each change anew.
    """

    url: str
    secret: str = field(repr=False)
    topic: str
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """By the name that the message was given, if the server repeats it."""
        return True

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """So that the sixty that may come at once last for minutes."""
        return 2.0

    @property
    def is_chat(self) -> bool:
        """People read it."""
        return True

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """One notification, or the change of one."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        is_change = is_edit(deliveries)
        name = deliveries[-1].reference if is_change else deliveries[-1].id if deliveries else ""
        post = _Post(
            topic=self.topic,
            title=message.headline,
            message=plain(message, _MOST_MESSAGE, size_utf8, is_titled=True),
            priority=_QUIET if is_change else _PRIORITIES[message.severity],
            tags=(_tag(message),),
            sequence_id=name,
            click=message.link,
        )
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["Authorization"] = _authorization(self.secret)
        return Request(
            method="POST", url=f"{self.url}/", headers=headers, body=msgspec.json.encode(post)
        )

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the status, and by the code in the body."""
        if 200 <= status < 300:
            return Delivered(_name(body))
        code = _code(body)
        if status == 429 and "retry-after" not in headers:
            is_day = code == _TOO_MANY_TODAY
            words = "the messages of a day are used up" if is_day else ""
            rest = _TODAY_SEC if is_day else _NEXT_SEC
            return RetryAt(rest, status_words(status, words), counts_as_failure=False)
        if code in _BAD_TOPICS:
            return Broken(Scope.DESTINATION, status_words(status, "its topic is not allowed"))
        return outcome(status, headers, now)


def _authorization(secret: str) -> str:
    if ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    return f"Bearer {secret}"


def _tag(message: Message) -> str:
    if message.rises is None:
        return "bar_chart"
    return "chart_with_upwards_trend" if message.rises else "chart_with_downwards_trend"


def _name(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=_Taken).sequence_id
    except msgspec.DecodeError:
        return ""
    return found if _SEQUENCE.fullmatch(found) else ""


def _code(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=_Refusal).code
    except msgspec.DecodeError:
        return 0
