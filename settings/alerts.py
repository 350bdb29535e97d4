"""Reading of ``[[destination]]``: who is told what, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from settings.destinations import (
    ALERT_WORDS,
    CHANNELS,
    AlertSettings,
    AlertWord,
    ChannelName,
    Destination,
)
from settings.given import Entry, Given, SettingsError, Table
from settings.quoting import bare
from settings.reach import VARIABLE, reach
from ticks import ASSETS, EventKind, Severity, is_legible

__all__ = ["alert_settings", "secret_names"]

_KEYS: Final = (
    *("name", "type", "url", "secret", "to", "from", "severity", "assets", "symbols", "kinds"),
    *("rules", "on", "wait", "at_most", "insecure", "private", "simulated"),
)
_MOST_DESTINATIONS: Final = 50
_MOST_NAME: Final = 40
_MOST_WAIT_SEC: Final = 3600
_DIGEST_SEC: Final = 60.0
"""E-mails go together for so long unless the settings say otherwise."""

_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)

_AT_MOST: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})([smh])")
_UNIT_SEC: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}

_Word = TypeVar("_Word", bound=str)


def secret_names(file: Table) -> tuple[str, ...]:
    """The variables that destinations name as the place of their secrets."""
    found = file.entries.get("destination")
    tables = found if isinstance(found, list) else []
    names = [bare(str(each.get("secret", ""))) for each in tables if isinstance(each, dict)]
    return tuple(name for name in names if VARIABLE.fullmatch(name))


def alert_settings(
    given: Given, public_url: str, files: Sequence[Path], rules: Sequence[str] = ()
) -> AlertSettings:
    """The destinations of the settings file, with their secrets from the environment or ``files``.

    ``rules`` are the names of the user's own.

    Raises:
        SettingsError: if one is malformed or incomplete, or if two have one name.
    """
    tables = given.file.tables("destination", _KEYS)
    if len(tables) > _MOST_DESTINATIONS:
        raise SettingsError(
            f"{given.file.file} has {len(tables)} [[destination]], expected {_MOST_DESTINATIONS}"
            " at most: remove some"
        )
    found: dict[str, Destination] = {}
    for table in tables:
        each = _Reading(table, given.environ, files).destination(rules)
        if each.name in found:
            raise table.entry("name").wrong("a name that no other destination has")
        found[each.name] = each
    return AlertSettings(destinations=tuple(found.values()), public_url=public_url)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One ``[[destination]]`` that is being read."""

    table: Table
    environ: Mapping[str, str]
    files: Sequence[Path]

    def destination(self, rules: Sequence[str]) -> Destination:
        """The destination, checked."""
        kind = self._word("type", CHANNELS)
        if kind is None:
            raise self._entry("type").wrong(f"one of {', '.join(CHANNELS)}")
        is_insecure = self._switch("insecure")
        reached = reach(self.table, kind, self.environ, self.files, is_insecure=is_insecure)
        return Destination(
            name=self._name(),
            type=kind,
            url=reached.url,
            secret=reached.secret,
            to=reached.to,
            sender=reached.sender,
            severity=self._word("severity", _SEVERITIES) or "watch",
            assets=self._words("assets", ASSETS),
            symbols=self._symbols(),
            kinds=self._words("kinds", _KINDS),
            rules=self._words("rules", tuple(rules), "names of [[rule]]"),
            on=self._words("on", ALERT_WORDS) or _usual_words(kind),
            wait_sec=self._wait(kind),
            at_most=self._at_most(),
            is_insecure=is_insecure,
            is_private=self._switch("private"),
            is_simulated=self._switch("simulated"),
        )

    def _entry(self, key: str) -> Entry:
        return self.table.entry(key)

    def _name(self) -> str:
        entry = self._entry("name")
        value = entry.value
        if not isinstance(value, str) or not value or len(value) > _MOST_NAME:
            raise entry.wrong(f"a name of {_MOST_NAME} characters at most")
        if not is_legible(value):
            raise entry.wrong("a name of characters that can be seen")
        return value

    def _word(self, key: str, known: tuple[_Word, ...]) -> _Word | None:
        entry = self._entry(key)
        if entry.value is None:
            return None
        for word in known:
            if word == entry.value:
                return word
        raise entry.wrong(f"one of {', '.join(known)}")

    def _words(self, key: str, known: tuple[_Word, ...], each: str = "") -> tuple[_Word, ...]:
        entry = self._entry(key)
        expected = each or f"some of {', '.join(known)}"
        texts = self._texts(entry, f"a list of {expected}")
        unknown = [text for text in texts if text not in known]
        if unknown:
            raise SettingsError(
                f"{entry.place} has {entry.quoting.value(unknown[0])}, expected {expected}"
            )
        return tuple(word for word in known if word in texts)

    def _symbols(self) -> tuple[str, ...]:
        texts = self._texts(self._entry("symbols"), 'a list such as ["AAPL", "MSFT"]')
        return tuple(dict.fromkeys(text.upper() for text in texts))

    @staticmethod
    def _texts(entry: Entry, expected: str) -> list[str]:
        """The texts of a list, none if it is not given; an empty list would mean nothing."""
        value: Any = entry.value
        if value is None:
            return []
        if not isinstance(value, list) or not value:
            raise entry.wrong(expected)
        texts = [bare(text) for text in value if isinstance(text, str)]
        if len(texts) != len(value) or not all(texts):
            raise entry.wrong(expected)
        return texts

    def _switch(self, key: str) -> bool:
        entry = self._entry(key)
        if entry.value is not None and not isinstance(entry.value, bool):
            raise entry.wrong("true or false")
        return bool(entry.value)

    def _wait(self, kind: ChannelName) -> float:
        entry = self._entry("wait")
        value = entry.value
        if value is None:
            return _DIGEST_SEC if kind == "email" else 2.0
        if type(value) not in (int, float) or not 0 <= value <= _MOST_WAIT_SEC:
            raise entry.wrong(f"a number of seconds from 0 to {_MOST_WAIT_SEC}")
        return float(value)

    def _at_most(self) -> tuple[int, float] | None:
        entry = self._entry("at_most")
        if entry.value is None:
            return None
        found = _AT_MOST.fullmatch(entry.value) if isinstance(entry.value, str) else None
        if found is None:
            raise entry.wrong('messages per time, such as "20/1m", "5/30s" or "100/1h"')
        return int(found[1]), int(found[2]) * _UNIT_SEC[found[3]]


def _usual_words(kind: ChannelName) -> tuple[AlertWord, ...]:
    """A program has no message that would be edited: it is told every state."""
    return ALERT_WORDS if kind == "webhook" else ("began", "worse")
