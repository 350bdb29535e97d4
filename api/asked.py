"""Asked: a request as an endpoint reads it, whose every parameter is checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Literal, TypeVar, get_args

from starlette.requests import Request

from api.facts import Engine, Facts
from api.problems import Problem
from ticks import legible

__all__ = ["Asked", "Time", "Times", "bad"]

Time = float | str
"""Seconds since the epoch, or the same in RFC 3339, as was asked."""

Times = Literal["unix", "iso"]

_MOST_SYMBOLS: Final = 5000
_RETRY_SEC: Final = 5

_Word = TypeVar("_Word", bound=str)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an endpoint, and by whom.

    What cannot be read raises a ``Problem``.
    """

    facts: Facts
    request: Request
    caller: str
    """The name of who asks."""

    @property
    def engine(self) -> Engine:
        """The process's engine."""
        engine = self.facts.engine()
        if engine is None:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "nothing runs behind the page, expected an engine: the page says why",
                {"Retry-After": str(_RETRY_SEC)},
            )
        return engine

    def check(self, known: Sequence[str]) -> None:
        """Refuse parameters that are none of these, or given twice."""
        names = [name for name, _ in self.request.query_params.multi_items()]
        for name in names:
            if name not in known:
                expected = f"one of {', '.join(known)}" if known else "none"
                raise bad(f"the parameter '{legible(name, 40)}' is unknown, expected {expected}")
            if names.count(name) > 1:
                raise bad(f"{name} is given {names.count(name)} times, expected once")

    def text(self, name: str) -> str:
        """A parameter without blanks around it; empty if it is not given."""
        return self.request.query_params.get(name, "").strip()

    def words(
        self, name: str, known: Sequence[_Word], usual: Sequence[_Word] = ()
    ) -> tuple[_Word, ...]:
        """A list of known words with commas between; the usual ones if it is not given."""
        found = _listed(self.text(name))
        by_name: Mapping[str, _Word] = {str(word): word for word in known}
        for word in found:
            if word not in by_name:
                raise self.wrong(name, f"some of {', '.join(known)} with commas between", word)
        return tuple(dict.fromkeys(by_name[word] for word in found)) or tuple(usual)

    def word(self, name: str, known: Sequence[_Word], usual: _Word) -> _Word:
        """One of known words."""
        found = self.text(name)
        for word in known:
            if found == word:
                return word
        if found:
            raise self.wrong(name, f"one of {', '.join(known)}")
        return usual

    def symbols(self, known: Sequence[str]) -> tuple[str, ...] | None:
        """The symbols of ``symbols``, all of them known; None if none is given."""
        found = tuple(dict.fromkeys(_listed(self.text("symbols"))))
        if len(found) > _MOST_SYMBOLS:
            raise bad(f"symbols has {len(found):,} of them, expected {_MOST_SYMBOLS:,} at most")
        names = set(known)
        for symbol in found:
            if symbol not in names:
                raise self.unknown_symbol("symbols", symbol, known)
        return found or None

    def unknown_symbol(self, name: str, symbol: str, known: Sequence[str]) -> Problem:
        """What to raise for a symbol that is not watched and was not before."""
        some = ", ".join(known[:5])
        return self.wrong(name, f"a symbol that is watched, such as {some or 'none yet'}", symbol)

    def whole(self, name: str, least: int, most: int, usual: int) -> int:
        """A whole number."""
        text = self.text(name)
        if not text:
            return usual
        value = int(text) if re.fullmatch(r"[0-9]{1,15}", text) else -1
        if not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least} to {most:,}")
        return value

    def flag(self, name: str) -> bool:
        """Whether a parameter is 1."""
        return self.word(name, ("0", "1"), "0") == "1"

    def instant(self, name: str) -> float | None:
        """A time, in seconds since the epoch; None if it is not given."""
        text = self.text(name)
        if not text:
            return None
        found = _instant(text)
        if found is None:
            raise self.wrong(
                name, "seconds since the epoch, or a time such as 2026-11-25T14:30:00Z"
            )
        return found

    def span(self, begin: float, end: float) -> tuple[float, float]:
        """The times of ``from`` and ``to``, or those that are usual."""
        first, last = self.instant("from"), self.instant("to")
        begin, end = begin if first is None else first, end if last is None else last
        if not begin < end:
            raise bad(
                f"from is {_shown(begin)} and to is {_shown(end)}, expected from to be earlier"
            )
        return begin, end

    def written(self) -> Callable[[float], Time]:
        """How times are written in the answer: by ``times``, unix or iso."""
        iso = self.word("times", get_args(Times), "unix") == "iso"
        return _iso if iso else _seconds

    def wrong(self, name: str, expected: str, found: str | None = None) -> Problem:
        """What to raise if a parameter is not what was expected."""
        value = self.text(name) if found is None else found
        return bad(f"{name} has '{legible(value, 60)}', expected {expected}")


def bad(detail: str) -> Problem:
    """What to raise for a request that cannot be read."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799


def _instant(text: str) -> float | None:
    if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text):
        seconds = float(text)
        return seconds if _YEAR_1 <= seconds <= _YEAR_9999 else None
    try:
        # A plus of a zone is a blank in a query, unless it is written as %2B.
        time = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _seconds(ts: float) -> Time:
    return ts


def _iso(ts: float) -> Time:
    ms = math.floor(ts * 1000 + 0.5)
    text = datetime.fromtimestamp(ms // 1000, UTC).isoformat()[:19]
    return f"{text}.{ms % 1000:03d}Z" if ms % 1000 else f"{text}Z"


def _shown(ts: float) -> str:
    return str(_iso(ts)) if _YEAR_1 <= ts <= _YEAR_9999 else f"{ts:g}"
