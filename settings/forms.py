"""Forms that the values of several tables have: names, words, lists of them, and switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from settings.given import Entry, SettingsError
from settings.quoting import bare
from ticks import is_legible

__all__ = ["name_of", "switch", "symbols", "texts", "word", "words"]

_MOST_NAME: Final = 40

_Word = TypeVar("_Word", bound=str)


def name_of(entry: Entry) -> str:
    """A name that people give to something, and have to give."""
    value = entry.value
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_NAME:
        raise entry.wrong(f"a name of 1 to {_MOST_NAME} characters")
    if not is_legible(value) or entry.quoting.holds_secret(value):
        raise entry.wrong("a name of characters that can be seen, and of no secret")
    return value


def word(entry: Entry, known: Sequence[_Word]) -> _Word | None:
    """One of the words that are known; None if none was given."""
    if entry.value is None:
        return None
    for each in known:
        if each == entry.value:
            return each
    raise entry.wrong(f"one of {', '.join(known)}")


def words(entry: Entry, known: Sequence[_Word], expected: str = "") -> tuple[_Word, ...]:
    """A list of some of the words that are known, in the order of these; none if none was given.

    ``expected`` may say what they are without listing them.
    """
    expected = expected or f"some of {', '.join(known)}"
    found = texts(entry, f"a list of {expected}")
    for text in found:
        if text not in known:
            raise SettingsError(
                f"{entry.place} has {entry.quoting.value(text)}, expected {expected}"
            )
    return tuple(each for each in known if each in found)


def symbols(entry: Entry) -> tuple[str, ...]:
    """A list of symbols, in capitals and each once; none if none was given."""
    found = texts(entry, 'a list such as ["AAPL", "MSFT"]')
    for text in found:
        # Who finds that it is not watched may quote it.
        if len(text) > _MOST_NAME or not is_legible(text) or entry.quoting.hides(text):
            raise SettingsError(
                f"{entry.place} has {entry.quoting.value(text)}, expected a symbol such as AAPL,"
                " EURUSD or BTC-USD"
            )
    return tuple(dict.fromkeys(text.upper() for text in found))


def texts(entry: Entry, expected: str) -> list[str]:
    """The texts of a list, none if it is not given; an empty list would mean nothing."""
    value: Any = entry.value
    if value is None:
        return []
    if not isinstance(value, list) or not value:
        raise entry.wrong(expected)
    for item in value:
        if not isinstance(item, str) or not bare(item):
            raise SettingsError(
                f"{entry.place} has {entry.quoting.value(item)}, expected {expected}"
            )
    return [bare(text) for text in value]


def switch(entry: Entry) -> bool:
    """True or false, which it is if none was given."""
    if entry.value is not None and not isinstance(entry.value, bool):
        raise entry.wrong("true or false")
    return bool(entry.value)
