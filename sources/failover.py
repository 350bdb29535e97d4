"""Failover: which vendor serves which symbol, whom it stands in for, and when that one comes back.

A state machine without I/O and without a clock: it is told what is seen of each vendor that is
asked for something, and says what to ask of whom, and whose prices those of a symbol are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final, NamedTuple

from feeds import FeedState, FeedStatus, Trouble
from sources.shares import Place, Share, allotted, carrying
from ticks import Asset
from vendors.wire import Vendor

__all__ = ["HEALTHY_SEC", "PASS_OVER_SEC", "Change", "Failover", "Patience", "Seen", "Sign", "sign"]

PASS_OVER_SEC: Final = 15.0
"""A vendor that has accepted no connection for this long is passed over."""

HEALTHY_SEC: Final = 600.0
"""A vendor that was passed over is taken back once it has been healthy for this long."""

_LONGEST_STEP_SEC: Final = 3.0
"""Time between two looks counts as no more than this: nothing is known of what the computer slept
through."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is wrong with a vendor may last, in seconds."""

    pass_over_sec: float = PASS_OVER_SEC
    healthy_sec: float = HEALTHY_SEC
    look_sec: float = 1.0
    """How often the vendors are looked at."""


class Sign(Enum):
    """What is seen of a vendor."""

    GOOD = "good"
    """Its prices come, or its market is closed and it accepts us."""
    ACCEPTED = "accepted"
    """It accepts us, and its prices may come."""
    AWAY = "away"
    """It does not accept us while its market is closed, so that no price is missed."""
    DOWN = "down"
    """It does not accept us, or is in maintenance."""
    SILENT = "silent"
    """It is silent beyond its limit."""
    FAILED = "failed"
    """It refuses us for longer than a moment."""


class Seen(NamedTuple):
    """What is seen of one vendor's feed."""

    sign: Sign
    refused: frozenset[str] = frozenset()
    """The symbols that it says it does not send."""


class Change(NamedTuple):
    """Symbols whose prices are another vendor's from now on."""

    before: Place | None
    """None: nobody served them, for want of room."""
    after: Place
    symbols: tuple[str, ...]


def sign(status: FeedStatus, *, is_overdue: bool, has_heartbeat: bool) -> Sign:
    """What a feed's ``status`` says of its vendor.

    ``is_overdue``: no price entered for longer than the vendor may be silent. A connection that was
    given up for its silence says the same, unless the vendor ``has_heartbeat``: then that was
    missed, and it is an end like any other.
    """
    state, trouble = status.state, status.trouble
    if state in (FeedState.LIVE, FeedState.CLOSED, FeedState.HELD_BACK):
        return Sign.SILENT if is_overdue else Sign.GOOD
    if trouble is Trouble.SYMBOLS_REFUSED:
        return Sign.ACCEPTED
    if state in (FeedState.SILENT, FeedState.UNREADABLE) or trouble in _WAITING:
        return Sign.SILENT if is_overdue else Sign.ACCEPTED
    if state is FeedState.REFUSED:
        return Sign.FAILED
    if status.hours.phase == "closed":
        return Sign.AWAY
    is_given_up = state is FeedState.RECONNECTING and trouble in _SILENT
    return Sign.SILENT if is_given_up and not has_heartbeat else Sign.DOWN


_WAITING: Final = (Trouble.FIRST_TICK, Trouble.JUST_OPENED)
_SILENT: Final = (Trouble.SILENCE, Trouble.UNREADABLE)


@dataclass(slots=True)
class _Health:
    """What was seen of one vendor in one asset class."""

    sign: Sign | None = None
    """None: it is asked for nothing."""
    seen_at: float | None = None
    down_sec: float = 0.0
    """For how long it was down since it was good."""
    good_since: float | None = None
    passed_at: float | None = None
    """When it was passed over; None: it is not."""
    refused: dict[str, float] = field(default_factory=dict)
    """Symbols that it refuses, and since when."""
    lacks: set[str] = field(default_factory=set)
    """Symbols that it has refused for long enough."""

    def note(self, seen: Seen, now: float, patience: Patience, serves: AbstractSet[str]) -> None:
        """Take in what is seen at ``now`` of a vendor that ``serves`` some symbols.

        Of these it may refuse one for a while; what is served elsewhere is not waited for.
        """
        passed = 0.0 if self.seen_at is None else min(now - self.seen_at, _LONGEST_STEP_SEC)
        self.seen_at, self.sign = now, seen.sign
        if seen.sign is Sign.GOOD:
            self.down_sec = 0.0
            self.good_since = now if self.good_since is None else self.good_since
        elif seen.sign is not Sign.ACCEPTED:
            self.good_since = None
            self.down_sec += passed if seen.sign is Sign.DOWN else 0.0
        is_out = seen.sign in (Sign.SILENT, Sign.FAILED) or self.down_sec >= patience.pass_over_sec
        if is_out and self.passed_at is None:
            self.passed_at = now
        self.refused = {symbol: self.refused.get(symbol, now) for symbol in seen.refused}
        if self.passed_at is None:  # else it may have trouble with the account for a while
            self.lacks.update(
                symbol
                for symbol, at in self.refused.items()
                if symbol not in serves or now - at >= patience.pass_over_sec
            )

    def forget(self) -> None:
        """Begin anew: it is asked for nothing. What it lacks, it lacks."""
        self.sign = self.seen_at = self.good_since = None
        self.down_sec = 0.0
        self.refused = {}

    def take_back(self) -> None:
        """Pass it over no longer."""
        self.passed_at, self.down_sec = None, 0.0


class Failover:
    """Which vendor serves which symbol.

    ``vendors`` are those of each asset class, the first choice first, none if the class is off. A
    symbol is served by one of them at a time: by the first that carries it, has room for it and is
    not passed over. A vendor is passed over if it accepts no connection for ``pass_over_sec`` while
    its market is open, and at once if it refuses for longer than a moment or is silent beyond its
    limit. The next one takes its place as soon as it accepts us, that of one that is only silent
    once it has a price; until then nothing changes, as in an outage of our own network, or if
    nobody trades. What was passed over goes on being asked, and is taken back when it has been good
    for ``healthy_sec``, or, if all others are passed over as well, as soon as it is good and no
    price can come from the one that serves: a silent one serves on, so that coins which are seldom
    traded do not go from one to the other with each trade. What a vendor has refused for
    ``pass_over_sec`` is asked of the next one, at once if it was to take it over.
    """

    def __init__(
        self,
        wanted: Mapping[Asset, Sequence[str]],
        vendors: Mapping[Asset, Sequence[Vendor]],
        patience: Patience | None = None,
    ) -> None:
        self._wanted = wanted
        self._vendors = vendors
        self._patience = patience or Patience()
        self._carrying = self._carriers()
        self._health = {
            Place(asset, rank): _Health()
            for asset, offered in vendors.items()
            for rank in range(len(offered))
        }
        self._planned_for: object = [(None, 0) for _ in self._health]
        self._is_waiting = False
        """Whether a symbol is to be served by a vendor that is not ready to."""
        self.serving: dict[tuple[Asset, str], Place] = {}
        """Whose prices those of each symbol are; without those that nobody has room for."""
        self.shares: Mapping[Place, Share] = self._planned()
        """What to ask of each vendor: of those that serve, that are about to, and that were passed
        over."""
        for place, share in self.shares.items():
            self.serving |= {(place.asset, symbol): place for symbol in share.asked}

    def want(self, wanted: Mapping[Asset, Sequence[str]]) -> None:
        """Have these symbols served from now on.

        Those that are new are served at once by whom they are asked of; the others as they were.
        """
        self._wanted = wanted
        self._carrying = self._carriers()
        self.serving = {key: at for key, at in self.serving.items() if key in self._carrying}
        for place, share in self._allotted(self._passed()).items():
            for symbol in share.asked:
                self.serving.setdefault((place.asset, symbol), place)
        self.shares = self._planned()
        self._planned_for = None

    def _carriers(self) -> dict[tuple[Asset, str], Sequence[int]]:
        """The ranks of the vendors that carry each symbol that is wanted."""
        return {
            (asset, symbol): carrying(asset, symbol, offered) or (0,)
            for asset, offered in self._vendors.items()
            if offered
            for symbol in self._wanted[asset]
        }

    def passed_at(self, place: Place) -> float | None:
        """When a vendor was passed over, by the time of ``look``; None: it is not."""
        return self._health[place].passed_at

    def instead_of(self, place: Place) -> tuple[Place, ...]:
        """The vendors passed over for which this one serves, the first choice first."""
        if not self._passed():
            return ()
        earlier = {
            rank
            for key, server in self.serving.items()
            if server == place
            for rank in self._carrying[key]
            if rank < place.rank
        }
        found = (Place(place.asset, rank) for rank in sorted(earlier))
        return tuple(one for one in found if self._health[one].passed_at is not None)

    def look(self, now: float, seen: Mapping[Place, Seen]) -> list[Change]:
        """Take in what is ``seen`` of each vendor that is asked for something.

        Returns who takes whose place; ``serving`` and ``shares`` are as after that. ``now`` is of a
        clock that nobody sets, in seconds.
        """
        for place, health in self._health.items():
            if place in seen:
                refused = seen[place].refused
                serves = {s for s in refused if self.serving.get((place.asset, s)) == place}
                health.note(seen[place], now, self._patience, serves)
            else:
                health.forget()
        for place in self._passed():
            if self._is_to_take_back(place, now):
                self._health[place].take_back()
        # While all is well it does not matter how each vendor is.
        is_well = not self._is_waiting and not self._passed()
        situation = [
            (one.passed_at, len(one.lacks), *(() if is_well else (one.sign, len(one.refused))))
            for one in self._health.values()
        ]
        if situation == self._planned_for:
            return []
        changes = self._changed()
        before, self.shares = self.shares, self._planned()
        # What is asked for anew may be served from the next look on.
        self._planned_for = situation if self.shares == before else None
        return changes

    def _passed(self) -> frozenset[Place]:
        return frozenset(p for p, health in self._health.items() if health.passed_at is not None)

    def _is_to_take_back(self, place: Place, now: float) -> bool:
        """Whether a vendor is to be passed over no longer."""
        health, share = self._health[place], self.shares.get(place)
        if share is None or not share.asked:
            return True  # one before it serves all that it could
        if health.sign is not Sign.GOOD or health.good_since is None:
            return False
        is_alone = all(self.serving.get((place.asset, symbol)) == place for symbol in share.asked)
        return is_alone or now - health.good_since >= self._patience.healthy_sec

    def _changed(self) -> list[Change]:
        """Have each symbol served by whom it should be, as far as they accept us."""
        moved: dict[tuple[Place | None, Place], list[str]] = {}
        self._is_waiting = False
        for place, share in self._allotted(self._passed()).items():
            health, running = self._health[place], self.shares.get(place)
            is_accepted = health.sign in (Sign.GOOD, Sign.ACCEPTED)
            ready = set(running.asked if running and is_accepted else ()) - health.refused.keys()
            for symbol in share.asked:
                before = self.serving.get((place.asset, symbol))
                if before == place:
                    continue
                is_better = (
                    health.sign is Sign.GOOD or before is None or self._is_lost(before, symbol)
                )
                if symbol in ready and is_better:
                    moved.setdefault((before, place), []).append(symbol)
                    self.serving[place.asset, symbol] = place
                else:
                    self._is_waiting = True
        return [Change(before, after, tuple(names)) for (before, after), names in moved.items()]

    def _is_lost(self, place: Place, symbol: str) -> bool:
        """Whether no price of a symbol can come from a vendor: else it may just not be traded."""
        health = self._health[place]
        is_accepted = health.sign in (Sign.GOOD, Sign.ACCEPTED, Sign.SILENT)
        return not is_accepted or symbol in health.lacks

    def _planned(self) -> dict[Place, Share]:
        """What to ask of whom: what they are to serve, do serve, and could serve again."""
        passed = self._passed()
        found = self._allotted(passed)
        for place in passed:
            again = self._allotted(passed - {place}).get(place)
            if again is not None:
                found[place] = again
        for (asset, symbol), place in self.serving.items():
            share = found.get(place) or Share(place, self._vendors[asset][place.rank], (), ())
            if symbol not in share.asked:
                found[place] = share._replace(asked=(*share.asked, symbol))
        return found

    def _allotted(self, passed: AbstractSet[Place]) -> dict[Place, Share]:
        """What is asked of whom if the vendors in ``passed`` are passed over."""

        def options(asset: Asset, symbol: str) -> Sequence[int]:
            return self._options(asset, symbol, passed)

        def is_left(asset: Asset, symbol: str) -> bool:
            return self.serving.get((asset, symbol)) in passed

        # What a vendor serves already keeps its room.
        wanted = {
            asset: sorted(symbols, key=partial(is_left, asset)) if passed else symbols
            for asset, symbols in self._wanted.items()
        }
        return {share.place: share for share in allotted(wanted, self._vendors, options)}

    def _options(self, asset: Asset, symbol: str, passed: AbstractSet[Place]) -> Sequence[int]:
        ranks = self._carrying[asset, symbol]
        if len(ranks) == 1:
            return ranks
        health = {rank: self._health[Place(asset, rank)] for rank in ranks}
        willing = [rank for rank in ranks if symbol not in health[rank].lacks] or list(ranks)
        fit = [rank for rank in willing if Place(asset, rank) not in passed]
        if fit:
            return fit
        # Whoever serves goes on, unless only another one has prices and none can come from it.
        serving = self.serving.get((asset, symbol))
        good = [rank for rank in willing if health[rank].sign is Sign.GOOD] or willing
        if serving and (serving.rank in good or not self._is_lost(serving, symbol)):
            return [serving.rank]
        return good[:1]
