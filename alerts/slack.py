"""Slack: messages by an incoming webhook or, if they are to be edited, by a bot's token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from alerts.answers import outcome
from alerts.channel import Broken, Delivered, Outcome, Request, RetryAt, Scope
from alerts.messages import Market, Message, compose, is_edit, lines_within
from history.deliveries import Delivery

__all__ = ["SlackBot", "SlackHook"]

_MOST_SECTION: Final = 2900
"""Of the 3,000 characters that a section may have."""
_MOST_TOGETHER: Final = 1000

_MESSAGE_ERRORS: Final = frozenset(
    {
        *("msg_too_long", "msg_blocks_too_long", "no_text", "invalid_blocks"),
        *("invalid_blocks_format", "invalid_attachments", "invalid_arguments", "invalid_payload"),
        *("message_not_found", "cant_update_message", "edit_window_closed", "update_failed"),
        *("invalid_json", "json_not_object", "markdown_text_conflict"),
    }
)
"""What is wrong with one message; all else that is no rest is wrong with the destination."""

_TRANSIENT_ERRORS: Final = frozenset(
    {
        *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        *("rollup_error", "team_added_to_org"),
    }
)
_RATE_ERRORS: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})

_HOOK_REFUSES: Final = frozenset(
    {"invalid_token", "no_active_hooks", "no_service", "no_team", "team_disabled"}
)
"""Of a hook, whatever the status that they come with."""

_ERROR: Final = re.compile(rb"[a-z_]{3,60}")


class _Plain(msgspec.Struct, frozen=True, tag="plain_text"):
    """Nothing of it is formatted."""

    text: str
    emoji: bool = False


class _Markdown(msgspec.Struct, frozen=True, tag="mrkdwn"):
    text: str
    verbatim: bool = True
    """No name of a channel or person becomes a link."""


class _Section(msgspec.Struct, frozen=True, tag="section"):
    text: _Plain | _Markdown


class _Context(msgspec.Struct, frozen=True, tag="context"):
    elements: tuple[_Plain | _Markdown, ...]


class _Post(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str
    blocks: tuple[_Section | _Context, ...]
    channel: str = ""
    ts: str = ""
    unfurl_links: bool | None = None


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""


@dataclass(frozen=True, slots=True)
class SlackHook:
    """The address of an incoming webhook: what it posted cannot be edited."""

    url: str = field(repr=False)
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """Never: the answer does not name the message."""
        return False

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """One a second."""
        return 1.0

    @property
    def is_chat(self) -> bool:
        """People read it."""
        return True

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """One message."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        return _posted(self.url, _Post(_text(message), _blocks(message)))

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the status, with the word that Slack gives in the body."""
        word = body.strip().decode("ascii") if _ERROR.fullmatch(body.strip()) else ""
        found = outcome(status, headers, now, word)
        if isinstance(found, Broken) and word in _HOOK_REFUSES:
            return Broken(Scope.DESTINATION, found.words)
        return found


@dataclass(frozen=True, slots=True)
class SlackBot:
    """A bot's ``token`` at the Web API of ``url``, which posts into one ``channel``."""

    url: str
    token: str = field(repr=False)
    channel: str
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """By the channel and the time that the answer names."""
        return True

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """One a second into a channel, and of edits at least fifty a minute."""
        return 1.2

    @property
    def is_chat(self) -> bool:
        """People read it."""
        return True

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """One message, or the edit of one."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        headers = {"Authorization": f"Bearer {self.token}"}
        text, blocks = _text(message), _blocks(message)
        if is_edit(deliveries):
            channel, _, ts = deliveries[-1].reference.partition(" ")
            post = _Post(text, blocks, channel, ts)
            return _posted(f"{self.url}/chat.update", post, headers)
        post = _Post(text, blocks, self.channel, unfurl_links=False)
        return _posted(f"{self.url}/chat.postMessage", post, headers)

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By what the body says: an error comes with the status 200, too."""
        if status != 200:
            return outcome(status, headers, now)
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError:
            return RetryAt(None, "200: not an answer of Slack's")
        if answer.ok:
            return Delivered(f"{answer.channel} {answer.ts}" if answer.ts else "")
        is_word = _ERROR.fullmatch(answer.error.encode("utf-8", "replace"))
        word = answer.error if is_word else "an error without a name"
        if word in _RATE_ERRORS:
            asked = outcome(429, headers, now, word)
            return asked if isinstance(asked, RetryAt) else RetryAt(None, word)
        if word in _TRANSIENT_ERRORS:
            return RetryAt(None, f"200: {word}")
        scope = Scope.MESSAGE if word in _MESSAGE_ERRORS else Scope.DESTINATION
        return Broken(scope, f"200: {word}")


def _posted(url: str, post: _Post, headers: Mapping[str, str] | None = None) -> Request:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Request(
        method="POST", url=url, headers={**kind, **(headers or {})}, body=msgspec.json.encode(post)
    )


def _text(message: Message) -> str:
    """What a notification shows, where no blocks are; one line, far below its 4,000 bytes."""
    said = message.headline if message.is_group else " ".join([message.market, *message.lines[:1]])
    return _escaped(said.strip())


def _blocks(message: Message) -> tuple[_Section | _Context, ...]:
    """The head in bold, the lines, and below them the notes and the link."""
    found: list[_Section | _Context] = []
    head = message.headline if message.is_group else message.market.value
    if head:
        found.append(_Section(_Markdown(f"*{_escaped(head)}*")))
    lines = lines_within(message, _MOST_SECTION, form=_escaped)
    found.append(_Section(_Plain("\n".join(lines))))
    beside: list[_Plain | _Markdown] = [_Plain(_escaped(note)) for note in message.notes]
    if message.link:
        beside.append(_Markdown(f"<{_address(message.link)}|Open the page at that moment>"))
    return (*found, _Context(tuple(beside))) if beside else tuple(found)


def _escaped(text: str) -> str:
    """A text that mentions nobody and links nowhere: Slack has no other signs for that."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address(url: str) -> str:
    """An address as it may stand in a link."""
    return _escaped(url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E"))
