"""A tape of what was sent: everybody reads it at their own pace, and it is kept for a while.

Pure: what time it is, by a steady clock, is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Entry", "Tape"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[_T]):
    """One entry of a tape."""

    serial: int
    """Its number, one more than that of the entry before."""
    came: float
    """When it came, by a steady clock."""
    content: _T


class Tape(Generic[_T]):
    """The newest entries, whose ``size_of`` together is at most ``most``.

    What came within ``kept_sec`` is kept whatever its size.
    """

    def __init__(self, kept_sec: float, most: int, size_of: Callable[[_T], int]) -> None:
        self._kept_sec = kept_sec
        self._most = most
        self._size_of = size_of
        self._entries: deque[Entry[_T]] = deque()
        self._size = 0
        self._next = 0

    def add(self, content: _T, now: float) -> None:
        """Put an entry at the end, and let go of the oldest if they are too many."""
        entries = self._entries
        entries.append(Entry(self._next, now, content))
        self._next += 1
        self._size += self._size_of(content)
        while self._size > self._most and entries[0].came < now - self._kept_sec:
            self._size -= self._size_of(entries.popleft().content)

    @property
    def end(self) -> int:
        """The serial of the entry that comes next."""
        return self._next

    @property
    def first(self) -> Entry[_T] | None:
        """The oldest entry that is kept."""
        return self._entries[0] if self._entries else None

    def at(self, serial: int) -> Entry[_T] | None:
        """The entry with a serial; None if it is yet to come.

        Raises:
            LookupError: if it is no longer kept.
        """
        if serial >= self._next:
            return None
        first = self._next - len(self._entries)
        if serial < first:
            raise LookupError(f"the entry {serial} is no longer kept, the oldest is {first}")
        return self._entries[serial - first]

    def __reversed__(self) -> Iterator[Entry[_T]]:
        return reversed(self._entries)
