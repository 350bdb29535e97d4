"""Encoded: each message once for all who want it in the same form."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from api.protocol import Sendable

__all__ = ["Encoded"]

_MOST: Final = 256
"""Messages that are held: those of the newest seconds are asked for again, older ones hardly."""


class Encoded:
    """The newest messages by what they hold; what was not asked for the longest goes first."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._messages: OrderedDict[Hashable, Sendable] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Sendable]) -> Sendable:
        """The message of a key, which determines what ``make`` returns."""
        found = self._messages.get(key)
        if found is None:
            found = self._messages[key] = make()
            if len(self._messages) > self._most:
                self._messages.popitem(last=False)
        else:
            self._messages.move_to_end(key)
        return found
