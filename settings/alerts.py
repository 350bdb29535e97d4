"""Reading of ``[[destination]]``: who is told what, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from settings.destinations import (
    ALERT_WORDS,
    CHANNELS,
    AlertSettings,
    AlertWord,
    ChannelName,
    Destination,
)
from settings.forms import name_of, switch, symbols, word, words
from settings.given import Entry, Given, SettingsError, Table, advice
from settings.quoting import bare
from settings.reach import VARIABLE, reach
from ticks import ASSETS, SEVERITIES, Asset, EventKind

__all__ = ["alert_settings", "reject_unreachable", "secret_names"]

_KEYS: Final = (
    *("name", "type", "url", "secret", "to", "from", "severity", "assets", "symbols", "kinds"),
    *("rules", "on", "wait", "at_most", "insecure", "private", "simulated"),
)
_MOST_DESTINATIONS: Final = 50
_MOST_WAIT_SEC: Final = 3600
_DIGEST_SEC: Final = 60.0
"""E-mails go together for so long unless the settings say otherwise."""

_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)

_AT_MOST: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})([smh])")
_UNIT_SEC: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


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


def reject_unreachable(
    destinations: Sequence[Destination], watched: Mapping[Asset, Sequence[str]]
) -> None:
    """Raise if a destination waits for what is not ``watched``, or cannot be.

    Raises:
        SettingsError: what was found, and what to do.
    """
    known = {symbol for names in watched.values() for symbol in names}
    for each in destinations:
        for symbol in each.symbols:
            if symbol not in known:
                raise SettingsError(
                    f"the destination {each.name} is for {symbol}, which is not watched, so that"
                    f" nothing of it could be told: {advice(symbol, sorted(known))}"
                )
        for asset in each.assets:
            if not watched.get(asset):
                raise SettingsError(
                    f"the destination {each.name} is for {asset}, of which nothing is watched:"
                    " remove the class from it, or watch some"
                )
        _reject_contradictory(each, watched)


def _reject_contradictory(destination: Destination, watched: Mapping[Asset, Sequence[str]]) -> None:
    """Raise if nothing can be all that a destination is for."""
    of_classes = {symbol for asset in destination.assets for symbol in watched[asset]}
    why = ""
    if of_classes and destination.symbols and of_classes.isdisjoint(destination.symbols):
        why = f"the symbols {', '.join(destination.symbols[:3])} and other classes: remove either"
    if destination.rules and destination.kinds and "rule" not in destination.kinds:
        why = 'rules and other kinds alone: remove either, or add "rule" to the kinds'
    if why:
        raise SettingsError(
            f"the destination {destination.name} is for {why}, as nothing could be told to it"
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One ``[[destination]]`` that is being read."""

    table: Table
    environ: Mapping[str, str]
    files: Sequence[Path]

    def destination(self, rules: Sequence[str]) -> Destination:
        """The destination, checked."""
        kind = word(self._entry("type"), CHANNELS)
        if kind is None:
            raise self._entry("type").wrong(f"one of {', '.join(CHANNELS)}")
        is_insecure = switch(self._entry("insecure"))
        reached = reach(self.table, kind, self.environ, self.files, is_insecure=is_insecure)
        return Destination(
            name=name_of(self._entry("name")),
            type=kind,
            url=reached.url,
            secret=reached.secret,
            to=reached.to,
            sender=reached.sender,
            severity=word(self._entry("severity"), SEVERITIES) or "watch",
            assets=words(self._entry("assets"), ASSETS),
            symbols=symbols(self._entry("symbols")),
            kinds=words(self._entry("kinds"), _KINDS),
            rules=words(self._entry("rules"), rules, "names of [[rule]]"),
            on=words(self._entry("on"), ALERT_WORDS) or _usual_words(kind),
            wait_sec=self._wait(kind),
            at_most=self._at_most(),
            is_insecure=is_insecure,
            is_private=switch(self._entry("private")),
            is_simulated=switch(self._entry("simulated")),
        )

    def _entry(self, key: str) -> Entry:
        return self.table.entry(key)

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
