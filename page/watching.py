"""Watching: what a viewer asks of the watchlist, the groups and a simulated market, and the answer.

Pure but for the watchlist that is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Protocol

import msgspec

from engine.watchlist import Answer, Outcome
from page.words import Words
from ticks import Asset, legible

__all__ = [
    "CLASSES",
    "AddSymbol",
    "DeleteGroup",
    "MakeGroup",
    "PlayStress",
    "PutIntoGroup",
    "RemoveSymbol",
    "RenameGroup",
    "TakeFromGroup",
    "WatchAsk",
    "Watchlist",
    "asked_text",
    "decided_text",
    "example",
    "watch_answered",
]

Symbol = Annotated[str, msgspec.Meta(max_length=20)]
GroupName = Annotated[str, msgspec.Meta(max_length=40)]

CLASSES: Final[Mapping[Asset, str]] = {
    "stocks": "a stock",
    "forex": "a currency pair",
    "crypto": "a coin",
}
"""What a symbol of each class is, in words."""

_EXAMPLES: Final[Mapping[Asset, str]] = {
    "stocks": "AAPL or BRK-B",
    "forex": "EURUSD",
    "crypto": "BTC-USD",
}


class Watchlist(Protocol):
    """What is watched, as far as a viewer may change it; see ``engine.watchlist``."""

    def add(self, asset: Asset, symbol: str) -> Answer:
        """Watch a symbol from now on."""
        ...

    def remove(self, symbol: str) -> Answer:
        """Watch a symbol no longer."""
        ...

    def make_group(self, name: str, symbols: Sequence[str] = ()) -> Answer:
        """Make a group of symbols that are watched."""
        ...

    def rename_group(self, name: str, to: str) -> Answer:
        """Give a group another name."""
        ...

    def delete_group(self, name: str) -> Answer:
        """Forget a group."""
        ...

    def put_into_group(self, name: str, symbol: str) -> Answer:
        """Add a symbol to a group."""
        ...

    def take_from_group(self, name: str, symbol: str) -> Answer:
        """Take a symbol out of a group."""
        ...

    def play(self, symbol: str = "", *, is_alone: bool = True) -> Answer:
        """Make a symbol of a simulated market jump."""
        ...


class AddSymbol(msgspec.Struct, frozen=True, tag_field="ask", tag="add"):
    """Watch a symbol: ``{"ask": "add", "asset": "stocks", "symbol": "IBM"}``."""

    asset: Asset
    symbol: Symbol


class RemoveSymbol(msgspec.Struct, frozen=True, tag_field="ask", tag="remove"):
    """Watch a symbol no longer."""

    symbol: Symbol


class MakeGroup(msgspec.Struct, frozen=True, tag_field="ask", tag="make group"):
    """Make a group, of some symbols or none yet."""

    name: GroupName
    symbols: Annotated[tuple[Symbol, ...], msgspec.Meta(max_length=500)] = ()


class RenameGroup(msgspec.Struct, frozen=True, tag_field="ask", tag="rename group"):
    """Give a group another name."""

    name: GroupName
    to: GroupName


class DeleteGroup(msgspec.Struct, frozen=True, tag_field="ask", tag="delete group"):
    """Forget a group; its symbols stay watched."""

    name: GroupName


class PutIntoGroup(msgspec.Struct, frozen=True, tag_field="ask", tag="put"):
    """Add a symbol to a group."""

    name: GroupName
    symbol: Symbol


class TakeFromGroup(msgspec.Struct, frozen=True, tag_field="ask", tag="take"):
    """Take a symbol out of a group."""

    name: GroupName
    symbol: Symbol


class PlayStress(msgspec.Struct, frozen=True, tag_field="ask", tag="play"):
    """Make a symbol of a simulated market jump, any if none is named, with its peers or alone."""

    symbol: Symbol = ""
    peers: bool = False


WatchAsk = (
    AddSymbol
    | RemoveSymbol
    | MakeGroup
    | RenameGroup
    | DeleteGroup
    | PutIntoGroup
    | TakeFromGroup
    | PlayStress
)


def example(asset: Asset) -> str:
    """How a symbol of a class is spelled."""
    return _EXAMPLES[asset]


def decided_text(where: str) -> str:
    """That what is watched is decided elsewhere: ``where host-a collects``."""
    return f"What is watched is decided {where}"


def asked_text(where: str) -> str:
    """That something was asked elsewhere, before what that was: ``where host-a collects``."""
    return f"Asked {where or _COLLECTOR}: in a moment "


def watch_answered(watchlist: Watchlist, ask: WatchAsk, where: str = "") -> Words:
    """Have the watchlist do what is asked; what to tell the viewer.

    ``where`` it is decided what is watched, if not here.
    """
    match ask:
        case AddSymbol(asset, symbol):
            return (_added(watchlist.add(asset, symbol), asset, where),)
        case RemoveSymbol(symbol):
            return (_removed(watchlist.remove(symbol), where),)
        case PlayStress(symbol, peers):
            answer = watchlist.play(symbol, is_alone=not peers)
            return (_played(answer, where, peers=peers),)
        case MakeGroup(name, symbols):
            return (_grouped(watchlist.make_group(name, symbols), "made", where),)
        case RenameGroup(name, to):
            words = f"renamed, it was {legible(name)}"
            return (_grouped(watchlist.rename_group(name, to), words, where),)
        case DeleteGroup(name):
            words = "deleted; its symbols stay watched"
            return (_grouped(watchlist.delete_group(name), words, where),)
        case PutIntoGroup(name, symbol):
            words = f"now with {legible(symbol)}"
            return (_grouped(watchlist.put_into_group(name, symbol), words, where),)
        case TakeFromGroup(name, symbol):
            words = f"now without {legible(symbol)}"
            return (_grouped(watchlist.take_from_group(name, symbol), words, where),)


_TOO_OFTEN: Final = "That is too much at once: wait some seconds, and try again. "

_COLLECTOR: Final = "at the collector"

_REPLAYED: Final = (
    "A tape is replayed whole: what is watched can be changed in the real or the simulated market. "
)


def _elsewhere(where: str) -> str:
    return f"{decided_text(where or _COLLECTOR)}. "


def _asked(where: str, what: str) -> str:
    return f"{asked_text(where)}{what}. "


def _added(answer: Answer, asset: Asset, where: str) -> str:
    name, limit = legible(answer.symbol), answer.limit
    match answer.outcome:
        case Outcome.DONE:
            whose = f", {answer.vendor}'s" if answer.vendor else ""
            return f"{name} is watched now{whose}{_for_how_long(answer)}. "
        case Outcome.ASKED:
            return _asked(where, f"{name} is watched")
        case Outcome.SAME:
            return f"{name} is watched already. "
        case Outcome.MALFORMED:
            kind = CLASSES[asset]
            return f"{name} is not spelled as {kind}, expected one such as {example(asset)}. "
        case Outcome.NOT_CARRIED:
            return f"None of the vendors of {asset} has {name}: try another spelling. "
        case Outcome.NO_VENDOR:
            return f"Nobody serves {asset} here: a key is missing, or the class is off. "
        case Outcome.NO_ROOM:
            return f"{_full(answer)}: remove one before you add {name}. "
        case Outcome.TOO_MANY:
            return f"{limit:,} symbols were watched since the start, the most there may be. "
        case Outcome.FIXED:
            return _REPLAYED
        case Outcome.ELSEWHERE:
            return _elsewhere(where)
        case _:
            return _TOO_OFTEN


def _full(answer: Answer) -> str:
    if answer.limit is None:
        return f"{answer.vendor} has no room"
    return f"{answer.limit} of {answer.limit} symbols are in use at {answer.vendor}"


def _removed(answer: Answer, where: str) -> str:
    name = legible(answer.symbol)
    match answer.outcome:
        case Outcome.DONE:
            waits = "; what the settings say of it, in rules, destinations or groups, waits for it"
            named = waits if answer.is_named else ""
            return f"{name} is not watched any more{_for_how_long(answer)}{named}. "
        case Outcome.ASKED:
            return _asked(where, f"{name} is not watched any more")
        case Outcome.UNKNOWN:
            return f"{name} is not watched. "
        case Outcome.LAST:
            return f"{name} is the only symbol: add another one before you remove it. "
        case Outcome.FIXED:
            return _REPLAYED
        case Outcome.ELSEWHERE:
            return _elsewhere(where)
        case _:
            return _TOO_OFTEN


def _played(answer: Answer, where: str, *, peers: bool) -> str:
    name = legible(answer.symbol)
    match answer.outcome:
        case Outcome.DONE:
            return f"{name} jumps in a moment, {'with its peers' if peers else 'alone'}. "
        case Outcome.UNKNOWN:
            return f"{name or 'Nothing that is watched'} cannot be made to move. "
        case Outcome.ELSEWHERE:
            return f"A stress can be played {where or _COLLECTOR} alone. "
        case Outcome.NOT_SIMULATED if where:
            return f"A stress can be played {where} alone, if that market is simulated. "
        case Outcome.NOT_SIMULATED:
            return "Only a simulated market can be made to move: this one is not. "
        case _:
            return _TOO_OFTEN


def _grouped(answer: Answer, done: str, where: str) -> str:
    name, symbol = legible(answer.group), legible(answer.symbol)
    match answer.outcome:
        case Outcome.DONE:
            return f"Group {name}: {done}{_for_how_long(answer)}. "
        case Outcome.ASKED:
            return _asked(where, f"group {name} is {done}")
        case Outcome.SAME:
            return f"Group {name} is so already. "
        case Outcome.MALFORMED:
            found = name or "Nothing"
            return f"{found} is no name for a group, expected up to 32 letters and digits. "
        case Outcome.TAKEN:
            return f"There is a group {name} already: choose another name. "
        case Outcome.FIXED:
            return f"Group {name} is one of the settings: change it in their file, and restart. "
        case Outcome.ELSEWHERE:
            return _elsewhere(where)
        case Outcome.UNKNOWN:
            missing = f"{symbol} is not watched" if symbol else f"There is no group {name}"
            return f"{missing}: look again, somebody may have changed it. "
        case Outcome.TOO_MANY:
            what = "symbols in a group" if symbol else "groups"
            return f"{answer.limit} {what} are the most. "
        case _:
            return _TOO_OFTEN


def _for_how_long(answer: Answer) -> str:
    return "" if answer.is_kept else ", for as long as Market Pulse runs: no archive is written"
