"""Telegram: a bot's messages into one chat, as text alone, which may be edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from alerts.answers import outcome, rest_sec, status_words
from alerts.channel import Broken, Delivered, Outcome, Request, RetryAt, Scope
from alerts.messages import Market, compose, is_edit, plain, size_utf16
from history.deliveries import Delivery

__all__ = ["Telegram"]

_MOST_TEXT: Final = 4096
_MOST_TOGETHER: Final = 1000

_CHAT_SEC: Final = 1.0
_GROUP_SEC: Final = 3.0
"""One a second into a chat, and twenty a minute into a group or channel."""

_REFUSALS: Final[Mapping[str, str]] = {
    "chat not found": "there is no such chat, or the bot is no member of it",
    "upgraded to a supergroup": "the group is a supergroup now, whose number is another one",
    "not enough rights": "the bot may not write there",
    "have no rights to send": "the bot may not write there",
    "need administrator rights": "the bot may not write there",
    "bot was blocked": "the bot was blocked",
    "bot was kicked": "the bot was removed from the group",
    "bot is not a member": "the bot is no member of the channel",
    "user is deactivated": "that user is gone",
    "topic_closed": "the topic is closed",
}
"""What parts of a description mean, which are about the chat and not about the message."""

_NOT_MODIFIED: Final = "message is not modified"


class _Preview(msgspec.Struct, frozen=True):
    is_disabled: bool = True


class _Post(msgspec.Struct, frozen=True, omit_defaults=True):
    chat_id: int | str
    text: str
    link_preview_options: _Preview
    message_id: int = 0
    disable_notification: bool = False


class _Sent(msgspec.Struct, frozen=True):
    message_id: int = 0


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    ok: bool = False
    description: str = ""
    parameters: _Parameters = _Parameters()


class _Taken(msgspec.Struct, frozen=True):
    result: _Sent = _Sent()


@dataclass(frozen=True, slots=True)
class Telegram:
    """A bot's ``token`` at the API of ``url``, and the ``chat`` it writes to.

    The text has no mode in which anything of it could be formatting: nothing needs to be escaped.
    """

    url: str
    token: str = field(repr=False)
    chat: str
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """By the number in the answer."""
        return True

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """Longer in groups and channels, whose numbers are negative."""
        return _GROUP_SEC if self.chat.startswith(("-", "@")) else _CHAT_SEC

    @property
    def is_chat(self) -> bool:
        """People read it."""
        return True

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """One message, or the edit of one; what is only to be watched makes no sound."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        chat = self.chat if self.chat.startswith("@") else int(self.chat)
        text = plain(message, _MOST_TEXT, size_utf16)
        if is_edit(deliveries):
            method = "editMessageText"
            post = _Post(chat, text, _Preview(), message_id=int(deliveries[-1].reference))
        else:
            method = "sendMessage"
            is_quiet = message.severity == "watch"
            post = _Post(chat, text, _Preview(), disable_notification=is_quiet)
        return Request(
            method="POST",
            url=f"{self.url}/bot{self.token}/{method}",
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(post),
        )

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the status, and by the description and the rest in the body."""
        answer = _answer(body)
        if 200 <= status < 300 and answer.ok:
            return Delivered(_number(body))
        if 200 <= status < 300:
            return RetryAt(None, status_words(status, "not an answer of Telegram's"))
        if status == 400 and _NOT_MODIFIED in answer.description:
            return Delivered()
        asked = rest_sec(answer.parameters.retry_after)
        if status == 429 and asked is not None:
            return RetryAt(asked, status_words(status), counts_as_failure=False)
        description = answer.description.casefold()
        for part, words in _REFUSALS.items():
            if part in description and 400 <= status < 500:
                return Broken(Scope.DESTINATION, status_words(status, words))
        return outcome(status, headers, now)


def _answer(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return _Answer()


def _number(body: bytes) -> str:
    """That of the message, for editing it; of an edit it is the same."""
    try:
        found = msgspec.json.decode(body, type=_Taken).result.message_id
    except msgspec.DecodeError:
        return ""
    return str(found) if found > 0 else ""
