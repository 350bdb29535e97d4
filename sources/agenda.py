"""Agenda: what a vendor is still to be asked about the time before its stream, and when again.

Time is an argument, in seconds since the epoch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import sessions
from sessions import Session
from ticks import Asset
from vendors.rest import Past, Request, Rest, Want

__all__ = ["Agenda", "AgendaCount"]

_ROUND: Final = 100
"""Symbols that requests are made for at a time, so that none is made long before it is sent."""

_HOUR_SEC: Final = 3600.0
_DAY_SEC: Final = 86_400.0

_REFUSED_SEC: Final = 3600.0
"""What was refused is asked for again after this long."""

_TRIES: Final = 3
"""What cannot be read so often is left alone until the next day."""

_AGO_SEC: Final = 240.0
"""A price of a day ago, to five minutes, is looked for no sooner than this after the last one."""

_SETTLED_SEC: Final = 1800.0
"""So long after regular hours began every vendor has the close before them, those that are a
quarter of an hour late too."""


class AgendaCount(NamedTuple):
    """How much of an agenda is done, in symbols."""

    asked: int
    waiting: int
    """Of which something is still to be asked now."""
    failed: int
    """Of which something could not be had."""


@dataclass(slots=True)
class _Item:
    """One want of one symbol."""

    asset: Asset
    asked_at: float
    due: float | None
    """When it is to be asked; None: when the market's day is another."""
    day: object = None
    """The market's day when it was answered."""
    turn: int = 0
    """Which request of all was its last one; 0: there was none."""
    open: int = 0
    """How many requests of the round are not answered."""
    unread: int = 0
    """How many answers in a row could not be read."""
    has_failed: bool = False


class Agenda:
    """What one vendor is to be asked, for the symbols that it serves now.

    ``session`` says which session an instant falls into. What a closed market did in the last hour
    is not asked for. A day is asked for again when the next one begins, and once more when regular
    hours have run for a while; that of crypto when its prices of a day ago run out.
    """

    def __init__(self, rest: Rest, session: Callable[[Asset, float], Session]) -> None:
        self._rest = rest
        self._session = session
        self._items: dict[tuple[Want, str], _Item] = {}
        self._turn = 0

    def add(
        self, asset: Asset, symbols: Iterable[str], now: float, wants: Sequence[Want] = tuple(Want)
    ) -> None:
        """Ask for these symbols from now on."""
        for symbol in symbols:
            for want in wants:
                self._items[want, symbol] = _Item(asset, now, due=now)

    def renew(self, now: float) -> None:
        """Ask for everything once more."""
        for (want, symbol), item in list(self._items.items()):
            self.add(item.asset, [symbol], now, [want])

    def discard(self, symbols: Iterable[str]) -> None:
        """Ask for these symbols no more."""
        for symbol in symbols:
            for want in Want:
                self._items.pop((want, symbol), None)

    def round(self, now: float) -> list[Request]:
        """The next requests that are due, of some symbols of one class; none if nothing is due.

        What was asked for in vain comes after all that was not asked for yet.
        """
        self._expire(now)
        days = self._days(now)
        due = [key for key, item in self._items.items() if _is_due(item, days, now)]
        due.sort(key=lambda key: self._items[key].turn)
        while due:
            asset = self._items[due[0]].asset
            mine = [key for key in due if self._items[key].asset == asset]
            symbols = list(dict.fromkeys(symbol for _, symbol in mine))[:_ROUND]
            keys = {key for key in mine if key[1] in symbols}
            requests = self._requests(asset, symbols, keys, now)
            if requests:
                return requests
            due = [key for key in due if key not in keys]  # the vendor has no such thing
        return []

    def is_due(self, request: Request, now: float) -> bool:
        """Whether a request of this round is still to be sent."""
        days = self._days(now)
        return any(_is_due(item, days, now) for item in self._of(request))

    def wanted(self, request: Request) -> frozenset[str]:
        """Those of its symbols that still are on the agenda."""
        return frozenset(s for s in request.symbols if (request.want, s) in self._items)

    def sent(self, request: Request) -> None:
        """Note that a request is under way: whatever becomes of it, others come first then."""
        self._turn += 1
        for item in self._of(request):
            item.turn = self._turn

    def answered(self, request: Request, past: Past, now: float) -> None:
        """Note what was answered."""
        newest = {reference.symbol: reference.ts for reference in past.references}
        for symbol in request.symbols:
            item = self._items.get((request.want, symbol))
            if item is None:
                continue
            item.unread = 0
            if request.want is Want.DAY and item.asset == "crypto" and symbol in newest:
                item.due = max(newest[symbol] + _DAY_SEC, now + _AGO_SEC)
            item.open -= 1
            if item.open <= 0:
                self._done(request.want, item, now)

    def unreadable(self, request: Request, now: float) -> None:
        """Note that an answer could not be read; after some tries it is not asked for again."""
        for item in self._of(request):
            item.unread += 1
            if item.unread >= _TRIES:
                item.has_failed = True
                self._done(request.want, item, now)

    def failed(self, request: Request, now: float) -> None:
        """Note that the vendor will not answer this request, though it may answer others."""
        for item in self._of(request):
            item.has_failed = True
            self._done(request.want, item, now)

    def refused(self, request: Request, now: float, *, is_final: bool) -> None:
        """Note that the vendor refuses all requests of this kind to this account or place."""
        assets = {item.asset for item in self._of(request)}
        for (want, _), item in self._items.items():
            if item.asset in assets and want is request.want:
                item.due = math.inf if is_final else now + _REFUSED_SEC
                item.has_failed = True

    def count(self, now: float) -> AgendaCount:
        """How much is done."""
        days = self._days(now)
        waiting = {symbol for (_, symbol), item in self._items.items() if _is_due(item, days, now)}
        failed = {symbol for (_, symbol), item in self._items.items() if item.has_failed}
        return AgendaCount(len({symbol for _, symbol in self._items}), len(waiting), len(failed))

    def _of(self, request: Request) -> list[_Item]:
        keys = ((request.want, symbol) for symbol in request.symbols)
        return [self._items[key] for key in keys if key in self._items]

    def _requests(
        self, asset: Asset, symbols: Sequence[str], due: Iterable[tuple[Want, str]], now: float
    ) -> list[Request]:
        """The requests for what is due of these symbols; what has none is done."""
        day_at = sessions.day_at(asset, now)
        if day_at is None:
            day_at = now - _DAY_SEC
        keys = set(due)
        found = [
            request
            for request in self._rest.requests(asset, symbols, now, day_at)
            if any((request.want, symbol) in keys for symbol in request.symbols)
        ]
        parts = Counter((request.want, symbol) for request in found for symbol in request.symbols)
        for want, symbol in keys:
            item = self._items[want, symbol]
            item.open, item.has_failed = parts[want, symbol], False
            if not item.open:
                self._done(want, item, now)
        found.sort(key=lambda request: min(item.turn for item in self._of(request)))
        return found

    def _expire(self, now: float) -> None:
        """Let go of last hours that nobody needs: of a closed market, and those of long ago."""
        assets = {item.asset for item in self._items.values()}
        is_closed = {asset: self._session(asset, now).phase == "closed" for asset in assets}
        for (want, _), item in self._items.items():
            if want is Want.LAST_HOUR and item.due != math.inf:
                is_late = now - item.asked_at > _HOUR_SEC
                if is_late or is_closed[item.asset]:
                    item.due, item.has_failed = math.inf, item.has_failed or is_late

    def _done(self, want: Want, item: _Item, now: float) -> None:
        item.unread = 0
        if want is Want.LAST_HOUR:
            item.due = math.inf
        elif item.asset != "crypto":
            item.due, item.day = None, self._day(item.asset, now)
        elif item.due is None or item.due <= now:
            item.due = now + _DAY_SEC

    def _days(self, now: float) -> Mapping[Asset, object]:
        """The day of each class that is asked for; of others no calendar is built."""
        assets = {item.asset for item in self._items.values()}
        return {asset: self._day(asset, now) for asset in assets}

    def _day(self, asset: Asset, now: float) -> object:
        """What stays the same as long as the answer about a market's day does."""
        phase, since, *_ = self._session(asset, now)
        is_settled = phase in ("after", "closed") or (
            phase == "open" and now - since >= _SETTLED_SEC
        )
        return sessions.day_at(asset, now), asset == "stocks" and is_settled


def _is_due(item: _Item, days: Mapping[Asset, object], now: float) -> bool:
    return item.day != days[item.asset] if item.due is None else item.due <= now
