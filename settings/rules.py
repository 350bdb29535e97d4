"""Reading of ``[[rule]]``: the user's own rules of what is an event, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from rules import BUILT_IN_WHENS, Rule, When
from settings.forms import name_of, symbols, word, words
from settings.given import Entry, SettingsError, Table, advice
from ticks import ASSETS, COOLDOWN_SEC, SEVERITIES, Asset
from wording import duration_text, time_text

__all__ = ["own_names", "reject_idle", "user_rules"]

_MOST_RULES: Final = 200
_MOST_COOLDOWN_SEC: Final = 86_400
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5}) ?(s|m|min|h)")
_UNIT_SEC: Final = {"s": 1, "m": 60, "min": 60, "h": 3600}
_COMMON: Final = ("name", "when", "symbols", "assets", "severity", "cooldown", "until")
_KEYS: Final = (*_COMMON, "by", "price", "low", "high", "within")


class _Form(NamedTuple):
    """What a rule of some ``when`` has beside its name, and what that may be."""

    keys: tuple[str, ...]
    """Those it has to have."""
    more: tuple[str, ...] = ()
    """Those it may have."""
    most: float = 10.0
    """What ``by`` is at most."""
    unit: str = "a fraction above 0 (0.02 is 2 %)"
    """What ``by`` is."""
    within: tuple[int, int] = (10, 3600)
    """The least and the most of ``within``, in seconds."""


_LOOKING_BACK: Final = frozenset({When.MOVE, When.CORRELATION})
"""What looks at the prices of all that is ``within``."""

_ALL: Final = ("symbols", "assets", "severity", "cooldown", "until")
_THRESHOLD: Final = _Form(("by",), ("symbols", "assets", "until"), most=1.0)
_FORMS: Final[Mapping[When, _Form]] = MappingProxyType(
    {
        When.MOVE: _Form(("by", "within"), _ALL),
        When.ABOVE: _Form(("price",), _ALL),
        When.BELOW: _Form(("price",), _ALL),
        When.CROSSES: _Form(("price",), _ALL),
        When.VOLATILITY: _Form(("by",), _ALL),
        When.SURPRISE: _Form(
            ("by",), _ALL, most=100.0, unit="a number of standard deviations above 0, such as 4"
        ),
        When.DAY: _Form(("by",), _ALL),
        When.CORRELATION: _Form(
            ("symbols",),
            ("low", "high", "within", "severity", "cooldown", "until"),
            within=(900, 3600),
        ),
        When.SILENT: _Form(
            ("within",), ("assets", "severity", "cooldown", "until"), within=(10, 86_400)
        ),
        When.UNHEARD: _Form(("within",), _ALL, within=(10, 86_400)),
        When.MOVE_1M: _THRESHOLD,
        When.MOVE_5M: _THRESHOLD,
        When.VOL_SPIKE: _THRESHOLD,
    }
)


def user_rules(file: Table, window_sec: int) -> tuple[Rule, ...]:
    """The rules of the settings file, in its order; prices are held for ``window_sec``.

    Raises:
        SettingsError: if one is malformed or incomplete, could never fire, has a limit that it does
            not look at, or has the name of another.
    """
    tables = file.tables("rule", _KEYS)
    if len(tables) > _MOST_RULES:
        raise SettingsError(
            f"{file.file} has {len(tables)} [[rule]], expected {_MOST_RULES} at most: remove some"
        )
    found: dict[str, Rule] = {}
    for table in tables:
        rule = _Reading(table).rule()
        if rule.name in found:
            raise table.entry("name").wrong("a name that no other rule has")
        if rule.when in _LOOKING_BACK and (rule.within_sec or 0) > window_sec:
            raise table.entry("within").wrong(
                f"{duration_text(window_sec)} at most, as window_sec holds no more"
            )
        found[rule.name] = rule
    return tuple(found.values())


def own_names(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The names of those whose hits are events of their own, and not a built-in kind's."""
    return tuple(rule.name for rule in rules if rule.when not in BUILT_IN_WHENS)


def reject_idle(rules: Sequence[Rule], watched: Mapping[Asset, Sequence[str]], now: float) -> None:
    """Raise if a rule can never fire, because of what is ``watched`` or because it is too late.

    ``now`` is by the clock that the rules follow.

    Raises:
        SettingsError: what was found, and what to do.
    """
    symbols = {symbol for names in watched.values() for symbol in names}
    for rule in rules:
        place = f"the rule {rule.name}"
        for symbol in rule.symbols:
            if symbol not in symbols:
                raise SettingsError(
                    f"{place} is of {symbol}, which is not watched, so that it could never fire:"
                    f" {advice(symbol, sorted(symbols))}"
                )
        off = [asset for asset in rule.assets if not watched.get(asset)]
        if off:
            raise SettingsError(
                f"{place} is of {off[0]}, of which nothing is watched, so that it could never"
                " fire there: remove the class from it, or watch some"
            )
        if rule.until is not None and rule.until <= now:
            raise SettingsError(
                f"{place} ended at {time_text(rule.until)}, so that it could never fire:"
                " remove it, or give it a later until"
            )


class _Reading(NamedTuple):
    """One ``[[rule]]`` that is being read."""

    table: Table

    def rule(self) -> Rule:
        """The rule, checked."""
        name, when = name_of(self._entry("name")), self._when()
        form = _FORMS[when]
        self._reject_other_keys(when, form)
        of_symbols, assets = self._symbols(when), words(self._entry("assets"), ASSETS)
        if of_symbols and assets:
            raise self._entry("assets").wrong("none beside symbols: give one of the two")
        low, high = self._bound("low"), self._bound("high")
        if when is When.CORRELATION:
            if low is None and high is None:
                raise SettingsError(
                    f"{self.table.place} has neither low nor high: add a bound that the correlation"
                    " leaves, such as low = 0.3"
                )
            if low is not None and high is not None and not low < high:
                raise self._entry("high").wrong(f"a number above low, which is {low:g}")
        return Rule(
            name=name,
            when=when,
            symbols=of_symbols,
            assets=assets,
            by=self._limit("by", form, form.most, form.unit),
            price=self._limit("price", form, 1e12, "a price above 0"),
            low=low,
            high=high,
            within_sec=self._within(form),
            severity=word(self._entry("severity"), SEVERITIES),
            cooldown_sec=self._cooldown(),
            until=self._until(),
        )

    def _entry(self, key: str) -> Entry:
        return self.table.entry(key)

    def _when(self) -> When:
        found = word(self._entry("when"), tuple(When))
        if found is None:
            raise SettingsError(f"{self.table.place} has no when: add one of {', '.join(When)}")
        return found

    def _reject_other_keys(self, when: When, form: _Form) -> None:
        """Raise if a key is missing, or is one that such a rule does not look at."""
        known = ("name", "when", *form.keys, *form.more)
        for key in self.table.entries:
            if key not in known:
                raise SettingsError(
                    f"{self.table.place} has {key}, but {when.value} looks only at"
                    f" {', '.join(known[2:])}: remove it, or choose another when"
                )
        for key in form.keys:
            if self._entry(key).value is None:
                raise SettingsError(
                    f"{self.table.place} has no {key}, without which {when.value} could never"
                    f" fire: add it"
                )

    def _symbols(self, when: When) -> tuple[str, ...]:
        found = symbols(self._entry("symbols"))
        if when is When.CORRELATION and len(found) != 2:
            raise self._entry("symbols").wrong('the two of a pair, such as ["AAPL", "MSFT"]')
        return found

    def _limit(self, key: str, form: _Form, most: float, expected: str) -> float | None:
        if key not in form.keys:
            return None
        value = self._entry(key).value
        if type(value) not in (int, float) or not 0 < value <= most:
            raise self._entry(key).wrong(f"{expected}, at most {most:g}")
        return float(value)

    def _bound(self, key: str) -> float | None:
        value = self._entry(key).value
        if value is None:
            return None
        if type(value) not in (int, float) or not -1 < value < 1:
            raise self._entry(key).wrong("a correlation between -1 and 1, which it can leave")
        return float(value)

    def _within(self, form: _Form) -> int | None:
        entry = self._entry("within")
        value = entry.value
        if value is None:
            return None
        found = _SPAN.fullmatch(value) if isinstance(value, str) else None
        least, most = form.within
        if found is not None:
            value = int(found[1]) * _UNIT_SEC[found[2]]
        if type(value) is not int or not least <= value <= most:
            raise entry.wrong(f'a time such as "{least}s", from {least} s to {most // 3600} h')
        return value

    def _cooldown(self) -> float:
        value = self._entry("cooldown").value
        if value is None:
            return COOLDOWN_SEC
        if type(value) not in (int, float) or not 0 <= value <= _MOST_COOLDOWN_SEC:
            raise self._entry("cooldown").wrong(
                f"a number of seconds from 0 to {_MOST_COOLDOWN_SEC}"
            )
        return float(value)

    def _until(self) -> float | None:
        entry = self._entry("until")
        value = entry.value
        if value is None:
            return None
        try:
            # A date alone is its midnight, in TOML as in text; in both, without a zone it is UTC.
            text = value.isoformat() if isinstance(value, date) else value
            instant = datetime.fromisoformat(text if isinstance(text, str) else "")
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise entry.wrong(
                "a time such as 2026-12-31T18:00:00Z (without a zone it is UTC)"
            ) from None
