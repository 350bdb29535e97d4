"""E-mail: alerts of a minute or so as one letter in plain text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.answers import status_words
from alerts.channel import Broken, Delivered, Mail, Outcome, RetryAt, Scope
from alerts.messages import Market, compose, cut, plain
from history.deliveries import Delivery

__all__ = ["Email"]

_MOST_SUBJECT: Final = 150
_MOST_TEXT: Final = 20_000
_MOST_TOGETHER: Final = 10_000

_REFUSED: Final = frozenset({521, 530, 534, 535, 538, 550, 551, 553, 556})
"""Replies that are about the account, the sender or the mailbox, and not about one letter."""


@dataclass(frozen=True, slots=True)
class Email:
    """Letters from ``sender``; who carries them knows the server and to whom."""

    sender: str
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """Never."""
        return False

    @property
    def most_together(self) -> int:
        """As many as come."""
        return _MOST_TOGETHER

    @property
    def spacing_sec(self) -> float:
        """Six a minute."""
        return 10.0

    @property
    def is_chat(self) -> bool:
        """It is read when there is time, and may be hours on its way."""
        return False

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Mail:
        """One letter, whose name is that of the last delivery: the same for every try."""
        message = compose(
            deliveries, public_url=self.public_url, market=self.market, now=now, late=late
        )
        title = f"Market Pulse: {message.title}"
        if message.market:
            title = f"{message.market}: {title}"
        if message.is_group:
            title = f"{title}, {message.worst}"
        name = deliveries[-1].id if deliveries else hashlib.sha256(f"{now}".encode()).hexdigest()
        return Mail(
            subject=cut(title, _MOST_SUBJECT),
            text=plain(message, _MOST_TEXT) + "\n",
            message_id=f"<{name}@{self.sender.partition('@')[2]}>",
        )

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the reply of the mail server."""
        words = status_words(status, "the mail server refuses it")
        if 200 <= status < 300:
            return Delivered()
        if status in _REFUSED:
            return Broken(Scope.DESTINATION, words)
        return Broken(Scope.MESSAGE, words) if status >= 500 else RetryAt(None, words)
