"""Watchlist: what is watched now, and what viewers may change of it and of the groups.

Any thread may call it. What it says at once becomes true on the worker's loop, where ``run`` has
the source, the store and the archive follow.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from history.notes import WatchNotes
from sources.catalogue import Catalogue, Found, Room
from sources.wishes import Elsewhere, Wish, WishKind
from ticks import ASSETS, MOST_GROUPS, Asset, is_group_name

__all__ = [
    "CHANGE_SEC",
    "MOST_SYMBOLS",
    "Answer",
    "Group",
    "Outcome",
    "WatchStatus",
    "Watched",
    "Watchlist",
]

MOST_SYMBOLS: Final = 2000
"""So many symbols may have been watched since the start if viewers add them: names come from
browsers, and each takes memory until the process ends. Settings may name more."""

MOST_IN_GROUP: Final = 500

CHANGE_SEC: Final = 1.0
"""Changes of this time are followed at one stroke: a feed may have to connect again for them."""

_BURST: Final = 40
_A_SECOND: Final = 2.0
"""How many changes may come at once, of all viewers together, and how many a second after that."""

_NOTED_SEC: Final = 60.0
"""How long it is remembered which symbols an archive has."""


class Notebook(Protocol):
    """Where notes are kept; see ``history.notes``."""

    @property
    def is_kept(self) -> bool:
        """Whether what is kept survives a restart."""
        ...

    def keep(self, notes: WatchNotes) -> None:
        """Have the notes written soon."""
        ...

    def symbols(self) -> Mapping[str, str]:
        """The symbols that were ever watched, and their classes."""
        ...


Watched = Mapping[Asset, tuple[str, ...]]
"""The symbols of each class that are watched."""


class Outcome(StrEnum):
    """What became of something that a viewer asked for."""

    DONE = "done"
    ASKED = "asked"
    """The process that decides was asked for it, and was likely to do it."""
    SAME = "same"
    """It was so already."""
    MALFORMED = "malformed"
    """No symbol of the class is spelled so; or no group may have such a name."""
    NOT_CARRIED = "not carried"
    """None of the vendors of the class has such a symbol."""
    NO_VENDOR = "no vendor"
    """The class has no vendor: it is off, or lacks a key."""
    NO_ROOM = "no room"
    """The vendors' accounts have no room for another symbol."""
    TOO_MANY = "too many"
    """There are as many symbols or groups as there may be."""
    TOO_OFTEN = "too often"
    """Too much was asked for in too short a time."""
    LAST = "last"
    """It is the only symbol that is watched."""
    FIXED = "fixed"
    """It cannot be changed here: a tape is replayed whole, and the settings' groups are theirs."""
    ELSEWHERE = "elsewhere"
    """Another process decides, and cannot be asked."""
    UNKNOWN = "unknown"
    """There is no such group, or the symbol is not watched."""
    TAKEN = "taken"
    """Another group has this name."""
    NOT_SIMULATED = "not simulated"
    """The market is none that could be made to move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of something that a viewer asked for, and what there is to say about it."""

    outcome: Outcome
    symbol: str = ""
    asset: Asset | None = None
    vendor: str = ""
    """The name of the vendor that serves it, or has no room for it."""
    limit: int | None = None
    """How many there may be, where there are too many."""
    group: str = ""
    is_kept: bool = True
    """Whether it survives a restart."""
    is_named: bool = False
    """Of a removed symbol, whether a rule, a destination or a group of the settings names it."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named list of symbols."""

    name: str
    symbols: tuple[str, ...]
    """In its order; not all of them need be watched."""
    is_fixed: bool
    """Whether it is the settings', so that it cannot be changed on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """What is true of the watchlist and the groups now."""

    groups: tuple[Group, ...] = ()
    rooms: tuple[Room, ...] = ()
    """How much of its limit each vendor has in use that is asked first for a class."""
    is_fixed: bool = True
    """Whether what is watched cannot be changed: a tape is replayed whole."""
    is_kept: bool = False
    """Whether changes survive a restart."""
    can_play: bool = False
    """Whether the market is simulated, so that it can be made to move."""


@dataclass(frozen=True, slots=True)
class _State:
    """All of it at one moment: other threads never see a part of a change."""

    watched: Watched
    notes: WatchNotes
    rooms: tuple[Room, ...]


class Watchlist:
    """What is watched: the settings' ``base`` with the ``notes`` of what viewers changed.

    ``catalogue`` is what may be added; None: nothing may be changed. ``groups`` are the settings'.
    ``named`` are the symbols that they name elsewhere. The ``notebook`` keeps the notes; None: they
    are forgotten. ``play`` makes a market move, and says which symbol; see ``sources.source``.
    ``is_elsewhere`` says whether another process decides for now: then what is asked here is a wish
    that ``elsewhere`` sends there, and refused if it cannot. ``clock`` is a steady one.
    """

    def __init__(
        self,
        base: Watched,
        notes: WatchNotes,
        catalogue: Catalogue | None,
        groups: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        *,
        named: Collection[str] = (),
        notebook: Notebook | None = None,
        play: Callable[[str, bool], str | None] | None = None,
        is_elsewhere: Callable[[], bool] = lambda: False,
        elsewhere: Elsewhere | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = base
        self._catalogue = catalogue
        self._fixed = tuple(Group(name, names, is_fixed=True) for name, names in groups.items())
        self._named = frozenset(named)
        self._notebook = notebook
        self._play = play
        self._is_elsewhere = is_elsewhere
        self._elsewhere = elsewhere
        self._clock = clock
        self._lock = threading.Lock()  # Guards changes; the state is one object for who reads.
        watched = base if catalogue is None else notes.applied(base)
        self._state = _State(watched, notes, self._rooms(watched))
        self._ever = {symbol: asset for asset, names in watched.items() for symbol in names}
        """All that were watched since the start: each keeps its place in memory."""
        self._credit, self._credit_at = float(_BURST), clock()
        self._known: tuple[float, Mapping[Asset, tuple[str, ...]]] | None = None
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    # Reading.

    @property
    def watched(self) -> Watched:
        """What is watched, or will be in a second."""
        return self._state.watched

    def status(self) -> WatchStatus:
        """What is true of all of it now."""
        state = self._state
        return WatchStatus(
            groups=self.groups(),
            rooms=state.rooms,
            is_fixed=self._catalogue is None or self._is_out_of_reach(),
            is_kept=self._is_kept(),
            can_play=self._play is not None and not self._is_elsewhere(),
        )

    def find(self, text: str) -> list[Found]:
        """The symbols that a viewer may mean, the likeliest first; see ``Catalogue.find``."""
        watched = self.watched
        if self._catalogue is None:
            return Catalogue({}, {}).find(text, watched)
        return self._catalogue.find(text, watched, self._noted_symbols())

    def known(self, symbol: str) -> Found | None:
        """A symbol as it could be watched again; None if it was not watched since the start."""
        asset = self._ever.get(symbol)
        if asset is None or self._catalogue is None:
            return None
        return self._catalogue.found(asset, symbol, self.watched)

    def groups(self) -> tuple[Group, ...]:
        """The settings' groups, then those that viewers made."""
        own = self._state.notes.groups
        return (*self._fixed, *(Group(name, own[name], is_fixed=False) for name in own))

    def symbols_of(self, group: str) -> tuple[str, ...] | None:
        """The symbols of a group, whether they are watched or not; None: there is no such group."""
        return next((one.symbols for one in self.groups() if one.name == group), None)

    # Changing the watchlist.

    def add(self, asset: Asset, symbol: str) -> Answer:
        """Watch a symbol from now on."""
        answer = Answer(outcome=Outcome.DONE, symbol=symbol, asset=asset, is_kept=self._is_kept())
        with self._lock:
            catalogue, watched = self._catalogue, self._state.watched
            if self._is_out_of_reach():
                return replace(answer, outcome=Outcome.ELSEWHERE)
            if catalogue is None:
                return replace(answer, outcome=Outcome.FIXED)
            if any(symbol in names for names in watched.values()):
                return replace(answer, outcome=Outcome.SAME)
            if not catalogue.has_vendor(asset):
                return replace(answer, outcome=Outcome.NO_VENDOR)
            if not catalogue.is_well_formed(asset, symbol):
                return replace(answer, outcome=Outcome.MALFORMED)
            if not catalogue.carries(asset, symbol):
                return replace(answer, outcome=Outcome.NOT_CARRIED)
            if symbol not in self._ever and len(self._ever) >= MOST_SYMBOLS:
                return replace(answer, outcome=Outcome.TOO_MANY, limit=MOST_SYMBOLS)
            found = catalogue.found(asset, symbol, watched)
            answer = replace(answer, vendor=found.vendor)
            if not found.has_room:
                limit = catalogue.limit(asset, symbol)
                return replace(answer, outcome=Outcome.NO_ROOM, limit=limit)
            if not self._may_change():
                return replace(answer, outcome=Outcome.TOO_OFTEN)
            if self._is_elsewhere():
                return self._asked(answer, Wish(kind=WishKind.ADD, asset=asset, symbol=symbol))
            notes = self._state.notes
            if symbol in notes.removed:
                gone = tuple(one for one in notes.removed if one != symbol)
                notes = replace(notes, removed=gone)
            if symbol not in self._base.get(asset, ()):
                added = (*notes.added.get(asset, ()), symbol)
                notes = replace(notes, added={**notes.added, asset: added})
            self._ever[symbol] = asset
            self._change(notes)
        return answer

    def remove(self, symbol: str) -> Answer:
        """Watch a symbol no longer."""
        answer = Answer(outcome=Outcome.DONE, symbol=symbol, is_kept=self._is_kept())
        with self._lock:
            watched = self._state.watched
            if self._is_out_of_reach():
                return replace(answer, outcome=Outcome.ELSEWHERE)
            if self._catalogue is None:
                return replace(answer, outcome=Outcome.FIXED)
            asset = next((asset for asset in ASSETS if symbol in watched.get(asset, ())), None)
            answer = replace(answer, asset=asset, is_named=symbol in self._named)
            if asset is None:
                return replace(answer, outcome=Outcome.UNKNOWN)
            if sum(map(len, watched.values())) == 1:
                return replace(answer, outcome=Outcome.LAST)
            if not self._may_change():
                return replace(answer, outcome=Outcome.TOO_OFTEN)
            if self._is_elsewhere():
                return self._asked(answer, Wish(kind=WishKind.REMOVE, symbol=symbol))
            notes = self._state.notes
            # A rule may be of a class, and is no worse if nothing of it is watched for a while.
            is_last = watched[asset] == (symbol,)
            if symbol in self._base.get(asset, ()) or symbol in self._named or is_last:
                notes = replace(notes, removed=(*notes.removed, symbol))
            rest = tuple(one for one in notes.added.get(asset, ()) if one != symbol)
            self._change(replace(notes, added={**notes.added, asset: rest}))
        return answer

    # Changing groups.

    def make_group(self, name: str, symbols: Sequence[str] = ()) -> Answer:
        """Make a group of symbols that are watched."""
        with self._lock:
            answer = self._answer(name)
            if self._is_out_of_reach():
                return replace(answer, outcome=Outcome.ELSEWHERE)
            known = self._only_watched(symbols)
            if not is_group_name(name):
                return replace(answer, outcome=Outcome.MALFORMED)
            if self.symbols_of(name) is not None:
                return replace(answer, outcome=Outcome.TAKEN)
            if len(self.groups()) >= MOST_GROUPS:
                return replace(answer, outcome=Outcome.TOO_MANY, limit=MOST_GROUPS)
            wish = Wish(kind=WishKind.MAKE_GROUP, group=name, symbols=known)
            return self._regrouped(answer, {**self._state.notes.groups, name: known}, wish)

    def rename_group(self, name: str, to: str) -> Answer:
        """Give a group another name; it keeps its place."""
        with self._lock:
            answer, own = self._own_group(name)
            if answer.outcome is not Outcome.DONE:
                return answer
            answer = replace(answer, group=to)
            if not is_group_name(to):
                return replace(answer, outcome=Outcome.MALFORMED)
            if self.symbols_of(to) is not None:
                return replace(answer, outcome=Outcome.TAKEN)
            wish = Wish(kind=WishKind.RENAME_GROUP, group=name, name=to)
            groups = {to if one == name else one: names for one, names in own.items()}
            return self._regrouped(answer, groups, wish)

    def delete_group(self, name: str) -> Answer:
        """Forget a group; its symbols stay watched."""
        with self._lock:
            answer, own = self._own_group(name)
            if answer.outcome is not Outcome.DONE:
                return answer
            wish = Wish(kind=WishKind.DELETE_GROUP, group=name)
            groups = {one: names for one, names in own.items() if one != name}
            return self._regrouped(answer, groups, wish)

    def put_into_group(self, name: str, symbol: str) -> Answer:
        """Add a symbol that is watched to a group."""
        with self._lock:
            answer, own = self._own_group(name)
            if answer.outcome is not Outcome.DONE:
                return answer
            answer = replace(answer, symbol=symbol)
            if symbol in own[name]:
                return replace(answer, outcome=Outcome.SAME)
            if not self._only_watched([symbol]):
                return replace(answer, outcome=Outcome.UNKNOWN)
            if len(own[name]) >= MOST_IN_GROUP:
                return replace(answer, outcome=Outcome.TOO_MANY, limit=MOST_IN_GROUP)
            wish = Wish(kind=WishKind.PUT, group=name, symbol=symbol)
            return self._regrouped(answer, {**own, name: (*own[name], symbol)}, wish)

    def take_from_group(self, name: str, symbol: str) -> Answer:
        """Take a symbol out of a group; it stays watched."""
        with self._lock:
            answer, own = self._own_group(name)
            if answer.outcome is not Outcome.DONE:
                return answer
            answer = replace(answer, symbol=symbol)
            if symbol not in own[name]:
                return replace(answer, outcome=Outcome.SAME)
            rest = tuple(one for one in own[name] if one != symbol)
            wish = Wish(kind=WishKind.TAKE, group=name, symbol=symbol)
            return self._regrouped(answer, {**own, name: rest}, wish)

    # A stress on request.

    def play(self, symbol: str = "", *, is_alone: bool = True) -> Answer:
        """Make a symbol of a simulated market jump within seconds, with its peers or alone.

        Without one it is one that is watched, by chance.
        """
        with self._lock:
            if self._play is None:
                return Answer(outcome=Outcome.NOT_SIMULATED)
            if self._is_elsewhere():
                return Answer(outcome=Outcome.ELSEWHERE)
            if not self._may_change():
                return Answer(outcome=Outcome.TOO_OFTEN)
            found = self._play(symbol, is_alone)
        if found is None:
            return Answer(outcome=Outcome.UNKNOWN, symbol=symbol)
        return Answer(outcome=Outcome.DONE, symbol=found)

    # What viewers of other processes ask.

    def grant(self, wish: Wish) -> Answer:
        """Do what is asked in another process, if it may be done; what it cannot mean is refused.

        Where yet another process decides nothing is passed on.
        """
        if self._is_elsewhere():
            return Answer(outcome=Outcome.ELSEWHERE, symbol=wish.symbol, group=wish.group)
        match wish:
            case Wish(kind=WishKind.ADD, asset=asset) if asset in ASSETS:
                return self.add(asset, wish.symbol)
            case Wish(kind=WishKind.REMOVE):
                return self.remove(wish.symbol)
            case Wish(kind=WishKind.MAKE_GROUP):
                return self.make_group(wish.group, wish.symbols)
            case Wish(kind=WishKind.RENAME_GROUP):
                return self.rename_group(wish.group, wish.name)
            case Wish(kind=WishKind.DELETE_GROUP):
                return self.delete_group(wish.group)
            case Wish(kind=WishKind.PUT):
                return self.put_into_group(wish.group, wish.symbol)
            case Wish(kind=WishKind.TAKE):
                return self.take_from_group(wish.group, wish.symbol)
            case _:
                return Answer(outcome=Outcome.MALFORMED, symbol=wish.symbol)

    # For the worker's loop.

    @property
    def notes(self) -> WatchNotes:
        """What viewers changed."""
        return self._state.notes

    def adopt(self, watched: Watched, notes: WatchNotes) -> None:
        """Have the watchlist and the groups of the process that decides, and keep them."""
        with self._lock:
            known = {asset: tuple(watched.get(asset, ())) for asset in ASSETS}
            is_new = notes != self._state.notes
            self._state = _State(known, notes, self._rooms(known))
            self._ever |= {symbol: asset for asset, names in known.items() for symbol in names}
            if is_new:
                self._note(notes)

    def decide(self) -> None:
        """Decide here from now on: watch the settings' symbols, with what viewers changed."""
        with self._lock:
            if self._catalogue is None:
                return
            notes = self._state.notes
            watched = notes.applied(self._base)
            self._state = _State(watched, notes, self._rooms(watched))
            self._changed.set()

    async def run(self, follow: Callable[[Watched], Awaitable[None]]) -> None:
        """Have ``follow`` make true what was changed, several changes at one stroke; for ever."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not self._is_elsewhere():
                await follow(self.watched)
            await asyncio.sleep(CHANGE_SEC)

    # Private; under the lock.

    def _change(self, notes: WatchNotes) -> None:
        watched = notes.applied(self._base)
        self._state = _State(watched, notes, self._rooms(watched))
        self._note(notes)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._changed.set)

    def _is_out_of_reach(self) -> bool:
        """Whether another process decides that cannot be asked."""
        if not self._is_elsewhere():
            return False
        return self._elsewhere is None or not self._elsewhere.can_ask

    def _asked(self, answer: Answer, wish: Wish) -> Answer:
        if self._elsewhere is not None:
            self._elsewhere.ask(wish)
        return replace(answer, outcome=Outcome.ASKED)

    def _regrouped(
        self, answer: Answer, groups: Mapping[str, tuple[str, ...]], wish: Wish
    ) -> Answer:
        if not self._may_change():
            return replace(answer, outcome=Outcome.TOO_OFTEN)
        if self._is_elsewhere():
            return self._asked(answer, wish)
        notes = replace(self._state.notes, groups=dict(groups))
        self._state = replace(self._state, notes=notes)
        self._note(notes)
        return answer

    def _answer(self, group: str) -> Answer:
        return Answer(outcome=Outcome.DONE, group=group, is_kept=self._is_kept())

    def _own_group(self, name: str) -> tuple[Answer, Mapping[str, tuple[str, ...]]]:
        """Whether a group is there to be changed, and all that are."""
        answer, own = self._answer(name), self._state.notes.groups
        if any(one.name == name for one in self._fixed):
            answer = replace(answer, outcome=Outcome.FIXED)
        elif self._is_out_of_reach():
            answer = replace(answer, outcome=Outcome.ELSEWHERE)
        elif name not in own:
            answer = replace(answer, outcome=Outcome.UNKNOWN)
        return answer, own

    def _only_watched(self, symbols: Iterable[str]) -> tuple[str, ...]:
        watched = {symbol for names in self.watched.values() for symbol in names}
        return tuple(s for s in dict.fromkeys(symbols) if s in watched)[:MOST_IN_GROUP]

    def _may_change(self) -> bool:
        """Whether it is not too often; counts this change if so."""
        now = self._clock()
        self._credit = min(_BURST, self._credit + (now - self._credit_at) * _A_SECOND)
        self._credit_at = now
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def _is_kept(self) -> bool:
        return self._notebook is not None and self._notebook.is_kept

    def _note(self, notes: WatchNotes) -> None:
        if self._notebook is not None:
            self._notebook.keep(notes)

    def _rooms(self, watched: Watched) -> tuple[Room, ...]:
        return () if self._catalogue is None else tuple(self._catalogue.rooms(watched))

    def _noted_symbols(self) -> Mapping[Asset, tuple[str, ...]]:
        now = self._clock()
        if self._known is None or now - self._known[0] > _NOTED_SEC:
            known = {} if self._notebook is None else self._notebook.symbols()
            of_class = {a: tuple(s for s, of in known.items() if of == a) for a in ASSETS}
            self._known = now, of_class
        return self._known[1]
