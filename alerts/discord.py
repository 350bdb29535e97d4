"""Discord: messages by a channel's webhook, which may be edited."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from alerts.answers import outcome, rest_sec
from alerts.channel import Broken, Delivered, Outcome, Request, RetryAt, Scope
from alerts.messages import Market, Message, compose, is_edit, lines_within, size_utf16
from history.deliveries import Delivery
from ticks import Severity

__all__ = ["Discord"]

_MOST_DESCRIPTION: Final = 4000
"""Of 4,096; with the title it stays far below the 6,000 of all embeds."""
_MOST_TOGETHER: Final = 1000

_COLOURS: Final[Mapping[Severity, int]] = {
    "watch": 0x5B8DEF,
    "alert": 0xE67E22,
    "extreme": 0xE74C3C,
}

_MOST_SECONDS: Final = 1000.0
"""A longer rest is one in milliseconds: both units are met with."""

_SPECIAL: Final = re.compile(r"([\\*_~`|<>\[\]#@]|:(?=\S))")
"""What Markdown, mentions, emojis and links are made of."""

_CODES: Final[Mapping[int, tuple[Scope, str]]] = {
    10003: (Scope.DESTINATION, "its channel is gone"),
    10008: (Scope.MESSAGE, "the message is gone"),
    10015: (Scope.DESTINATION, "the webhook is gone"),
    30046: (Scope.MESSAGE, "the message was edited too often"),
    50027: (Scope.DESTINATION, "the webhook's token is invalid"),
    50035: (Scope.MESSAGE, "the message is malformed"),
}
"""What some errors mean, whatever the status that they come with."""

_ID: Final = re.compile(r"[0-9]{1,25}")


class _Embed(msgspec.Struct, frozen=True, omit_defaults=True):
    title: str
    description: str
    color: int
    timestamp: str
    url: str = ""


class _Mentions(msgspec.Struct, frozen=True):
    parse: tuple[str, ...] = ()
    """Nobody is ever mentioned."""


class _Post(msgspec.Struct, frozen=True):
    embeds: tuple[_Embed, ...]
    allowed_mentions: _Mentions = _Mentions()


class _Message(msgspec.Struct, frozen=True):
    id: str


class _Refusal(msgspec.Struct, frozen=True):
    code: int = 0
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Discord:
    """The address of a webhook."""

    url: str = field(repr=False)
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """By the id in the answer."""
        return True

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """Five in two seconds, and what its answers say."""
        return 0.4

    @property
    def is_chat(self) -> bool:
        """People read it."""
        return True

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """One message, or the edit of one."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        parts = urlsplit(self.url)
        path, query = parts.path.rstrip("/"), parts.query
        if is_edit(deliveries):
            method, path = "PATCH", f"{path}/messages/{deliveries[-1].reference}"
        else:
            # Else there is no id in the answer.
            method, query = "POST", f"{query}&wait=true" if query else "wait=true"
        return Request(
            method=method,
            url=urlunsplit((parts.scheme, parts.netloc, path, query, "")),
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(_Post((_embed(message),))),
        )

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the status, and by the code and the rest in the body."""
        if 200 <= status < 300:
            return Delivered(_id(body), _rest(headers))
        refusal = _refusal(body)
        if status == 429:
            asked = rest_sec(refusal.retry_after)
            if asked is not None:
                asked = asked / 1000.0 if asked > _MOST_SECONDS else asked
                return RetryAt(asked, "429 Too Many Requests", counts_as_failure=False)
        known = _CODES.get(refusal.code)
        found = outcome(status, headers, now, "" if known is None else known[1])
        if known is not None and isinstance(found, Broken):
            return Broken(known[0], found.words)
        return found


def _embed(message: Message) -> _Embed:
    notes = [_escaped(note) for note in message.notes]
    is_link = "." in (urlsplit(message.link).hostname or "")
    if message.link and not is_link:
        # It would refuse the whole message, as it knows no host without a dot.
        notes.append(message.link)
    room = _MOST_DESCRIPTION - sum(size_utf16(note) + 1 for note in notes)
    return _Embed(
        # Twice as long when it is escaped: below 256.
        title=_escaped(message.headline),
        description="\n".join([*lines_within(message, room, size_utf16, _escaped), *notes]),
        color=_COLOURS[message.severity],
        timestamp=datetime.fromtimestamp(int(message.ts), UTC).isoformat(),
        url=message.link if is_link else "",
    )


def _escaped(text: str) -> str:
    """A text in which nothing is formatted, linked or mentioned."""
    return _SPECIAL.sub(r"\\\1", text)


def _id(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=_Message).id
    except msgspec.DecodeError:
        return ""
    return found if _ID.fullmatch(found) else ""


def _refusal(body: bytes) -> _Refusal:
    try:
        return msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        return _Refusal()


def _rest(headers: Mapping[str, str]) -> float:
    """How long to rest if that was the last one for now."""
    if headers.get("x-ratelimit-remaining") != "0":
        return 0.0
    try:
        return rest_sec(float(headers.get("x-ratelimit-reset-after", ""))) or 0.0
    except ValueError:
        return 0.0
