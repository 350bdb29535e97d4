"""Subscription: what Alpaca is asked for on one connection, and what it confirms of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vendors.wire import Notice, NoticeKind

__all__ = ["Pace", "Subscription"]

_SYNTAX: Final = 400
_LIMIT: Final = 405
_OF_A_SUBSCRIPTION: Final = frozenset({_SYNTAX, _LIMIT, 409, 410})
"""The codes with which one is refused; the connection lives on, with those that it had."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for answers, in seconds."""

    answer_sec: float = 5.0
    """What is not answered by then is taken for unconfirmed, ..."""
    again_sec: float = 300.0
    """... and is asked for again after so long."""


class Subscription:
    """The trades of all stocks at once, or one by one if that is refused; then their halts.

    Not every plan has halts. A confirmation holds all that is subscribed to by then; what it does
    not hold is asked for again now and then.
    """

    def __init__(self, names: Mapping[str, str], pace: Pace) -> None:
        self.is_accepted = False
        """Whether the vendor has confirmed anything, or said that there is no room."""
        self.refused: Mapping[str, NoticeKind] = {}
        """The symbols that it does not send, and why; a mapping that is replaced, not changed."""
        self._names = names
        """Our symbols by the vendor's names."""
        self._pace = pace
        self._batches: list[tuple[str, ...]] = []
        """What is still to be asked for, in the vendor's names."""
        self._asking: tuple[str, ...] = ()
        self._asked: set[str] = set()
        self._until = -math.inf
        """When the answer is due."""
        self._asks_for_halts = False
        self._wants_halts = self._has_halts = True
        self._again_at: float | None = None
        """When to ask again for what is unconfirmed; None until that is known."""

    def begin(self) -> None:
        """Let everything be asked for, unless that has begun."""
        if not self._asked:
            self._batches = [tuple(self._names)]

    def due(self, now: float) -> tuple[Sequence[str], float]:
        """What to send at ``now``, and when to ask again, as of a ``Dialogue``."""
        if self._asking:
            if now < self._until:
                return (), self._until
            self._refuse(self._asking, NoticeKind.UNCONFIRMED)
            self._asking = ()
        if self._again_at is not None and now >= self._again_at:
            self._ask_again()
        if self._batches:
            self._asking = self._batches.pop(0)
            self._asked.update(self._asking)
            self._until = now + self._pace.answer_sec
            return (_request("trades", self._asking),), self._until
        if self._wants_halts and self.is_accepted:
            self._wants_halts = False
            streamed = [name for name, ours in self._names.items() if ours not in self.refused]
            if streamed:  # an empty list is refused
                self._asks_for_halts = True
                return (_request("statuses", streamed),), self._rest(now)
        return (), self._rest(now)

    def _rest(self, now: float) -> float:
        """Until when nothing is to be asked for: infinity if all is confirmed or refused."""
        if NoticeKind.UNCONFIRMED not in self.refused.values():
            self._again_at = None
            return math.inf
        if self._again_at is None:
            self._again_at = now + self._pace.again_sec
        return self._again_at

    def _ask_again(self) -> None:
        unconfirmed = NoticeKind.UNCONFIRMED
        again = [
            name for name, ours in self._names.items() if self.refused.get(ours) is unconfirmed
        ]
        self._batches = [tuple(again)] if again else []
        self._again_at = None
        # An answer that never came will not come any more; without a refusal there are halts.
        self._asks_for_halts, self._wants_halts = False, self._has_halts

    def confirm(self, trades: object) -> None:
        """Compare the stocks whose trades are subscribed to with those that were asked for."""
        confirmed = trades if isinstance(trades, list) else []
        is_of_halts, self._asks_for_halts = self._asks_for_halts, False
        if is_of_halts and not confirmed:  # of these alone
            return
        self._asking = ()
        self.is_accepted = True
        self.refused = {
            ours: self.refused.get(ours, NoticeKind.UNCONFIRMED)
            for name, ours in self._names.items()
            if name in self._asked and name not in confirmed
        }

    def fail(self, code: int) -> Notice | None:
        """What an error means if it is the answer to what was asked for; None if it is not."""
        if code not in _OF_A_SUBSCRIPTION:
            return None
        if self._asks_for_halts:
            self._asks_for_halts = self._has_halts = False
            return Notice(NoticeKind.IGNORED, code)
        if code not in (_SYNTAX, _LIMIT) or not self._asking:
            return None
        asking, self._asking = self._asking, ()
        if len(asking) > 1:
            self._batches = [(name,) for name in asking]
            is_limit = code == _LIMIT
            return Notice(NoticeKind.SYMBOL_LIMIT if is_limit else NoticeKind.SYMBOLS_REFUSED, code)
        if code == _LIMIT:
            # There is no room for the others either.
            beyond = [*asking, *(name for batch in self._batches for name in batch)]
            self._batches = []
            self._asked.update(beyond)
            self._refuse(beyond, NoticeKind.SYMBOL_LIMIT)
            self.is_accepted = True
            return Notice(NoticeKind.SYMBOL_LIMIT, code)
        self._refuse(asking, NoticeKind.SYMBOL_UNKNOWN)
        if len(self.refused) == len(self._names) and not self.is_accepted:
            return None  # it is not the names
        return Notice(NoticeKind.SYMBOL_UNKNOWN, code)

    def _refuse(self, names: Sequence[str], kind: NoticeKind) -> None:
        # A new dictionary each time: other threads read the one there was.
        self.refused = {**self.refused, **{self._names[name]: kind for name in names}}


def _request(channel: str, names: Sequence[str]) -> str:
    return json.dumps({"action": "subscribe", channel: names})
