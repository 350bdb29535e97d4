"""Reader: what pages are shown of a moment, put together once for all who look.

The worker is one: its thread shows second after second, any other thread reads. A moment that is no
longer in memory comes from the archive. Time is an argument; only how long something is kept for
the next reader goes by the system's steady clock.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from correlation import (
    CorrelationCard,
    PairChange,
    auto_bin,
    corr_card,
    corr_matrix,
    moving_together,
)
from engine.ranking import RANKS, CalmOrder, RankHistory, State, states
from events import EventStore
from formulas import Floats, Ints
from history.hours import ArchivedHours, LastSession, Moment
from pulse_store import PulseStore
from ticks import ASSETS, Asset

__all__ = ["GRACE_SEC", "REWIND_SEC", "SECOND_END", "LastSession", "Reader"]

REWIND_SEC: Final = 3600
"""How far back ``pulse`` can go; the store keeps an hour more, for what was looked at then."""

GRACE_SEC: Final = 300
"""How much longer a moment may be looked at that was chosen within ``REWIND_SEC``."""

SECOND_END: Final = 0.999
"""A second is looked at when it is over, at the last instant that belongs to it."""

_KEPT_SEC: Final = 5.0
"""What was computed for one reader is kept this long for the others."""

_FRESH_SEC: Final = 30.0
"""And no longer than this for those who look all the time: an archive that could not be read for a
moment must not be a blank page for good."""

_TIERS: Final[Mapping[State, int]] = {
    "live": 0,
    "quiet": 0,
    "stale": 1,
    "closed": 2,
    "no data": 3,
}
"""Which rows come before which, whatever their size."""

_T = TypeVar("_T")


class _Kept(NamedTuple):
    """What was computed for readers, and when, by the steady clock."""

    value: Any
    made_at: float
    used_at: float


class Reader(ABC):
    """A store and its events, second by second: the newest, and those that were."""

    def __init__(self, store: PulseStore, events: EventStore, now: float) -> None:
        self._store = store
        self._events = events
        self._pulse: tuple[float, pd.DataFrame] = (now, store.frame(0.0))
        self._oldest: int | None = None
        """The first second there is anything of."""
        self._orders = {rank: CalmOrder() for rank in RANKS}
        self._ranked = RankHistory(REWIND_SEC + GRACE_SEC)
        # Guards what was computed for readers, the last used last.
        self._shared_lock = threading.Lock()
        self._shared: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()
        self.ready = threading.Event()
        """Set when the first second is shown."""

    @abstractmethod
    def _streams_at(self, asset: Asset, now: float) -> bool:
        """Whether a market streams at ``now``."""

    @abstractmethod
    def _open_past(self) -> ArchivedHours | None:
        """The archived hours; None where there are none, or none yet."""

    # For readers.

    @property
    def store(self) -> PulseStore:
        """The rolling prices."""
        return self._store

    @property
    def events(self) -> EventStore:
        """The stress events."""
        return self._events

    def store_at(self, now: float) -> PulseStore:
        """The prices that the moment ``now`` is to be asked of: in memory, or from the archive."""
        moment = self._archived(now)
        return self._store if moment is None else moment.store

    def events_at(self, now: float) -> EventStore:
        """The events that the moment ``now`` is to be asked of, likewise."""
        moment = self._archived(now)
        return self._events if moment is None else moment.events

    def _archived(self, now: float) -> Moment | None:
        """The moment of ``now`` where that is no longer in memory."""
        newest = int(self._pulse[0])
        if now >= newest - REWIND_SEC - GRACE_SEC:
            return None
        past = self._open_past()
        return None if past is None else past.moment(int(now), newest)

    def pulse(self, at: float | None = None) -> tuple[float, pd.DataFrame]:
        """A complete second: its instant, and the frame computed once for all readers.

        The newest, or the one of ``at``, which may be as long ago as the archive knows; without one
        up to ``REWIND_SEC`` and a grace.
        """
        newest = self._pulse
        if at is None or at >= newest[0]:
            return newest
        second = math.floor(at)
        if self._open_past() is None:
            second = max(second, math.floor(newest[0]) - REWIND_SEC - GRACE_SEC)
        now = second + SECOND_END
        return now, self.once(("frame", now), lambda: self.store_at(now).frame(now))

    def has_prices(self) -> bool:
        """Whether the newest second has any."""
        return bool(self._pulse[1]["last"].notna().any())

    def reach(self) -> tuple[int, int]:
        """The first and the last second that ``pulse`` may be asked to go back to."""
        newest = int(self._pulse[0])
        oldest = newest if self._oldest is None else max(self._oldest, newest - REWIND_SEC)
        past = self._open_past()
        archived = None if past is None else past.oldest(newest)
        return min(oldest, newest if archived is None else archived), newest

    def states(self, frame: pd.DataFrame, now: float) -> list[State]:
        """The state of each row of ``frame``, the frame of ``now``."""
        is_open = {asset: self._streams_at(asset, now) for asset in ASSETS}
        return states(frame["age"].to_numpy(), frame["asset"].map(is_open).to_numpy(dtype=bool))

    def order(self, rank: str, now: float) -> list[int]:
        """The rows of the frame of ``now``, those that lead by ``rank`` (of ``RANKS``) first.

        In the order that was shown then, or by size alone where nobody was there to see it.
        """
        shown = self._ranked.at(int(now), rank)
        if shown is None:
            now, frame = self.pulse(now)
            shown = CalmOrder().update(int(now), *self._sizes(frame, now)[rank])
        order: list[int] = shown.tolist()
        return order

    def correlation(
        self, base: str, bin_sec: int | None, assets: tuple[str, ...], at: float | None = None
    ) -> CorrelationCard:
        """The correlation card of ``base`` among the symbols of ``assets`` at the pulse of ``at``.

        Without a ``bin_sec`` in the smallest bars of which most are live.
        """
        now, _ = self.pulse(at)

        def card() -> CorrelationCard:
            symbols = self.symbols(assets)
            store = self.store_at(now)
            bins = bin_sec or auto_bin(
                store, list(dict.fromkeys([base, *symbols])), REWIND_SEC, now
            )
            return corr_card(store, symbols, base, bins, now)

        return self.once(("correlation", now, base, bin_sec, assets), card)

    def matrix(
        self, assets: tuple[str, ...], bin_sec: int, window_sec: int, at: float | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Correlations and shared returns of every pair of ``assets`` at the pulse of ``at``."""
        now, _ = self.pulse(at)
        return self.once(
            ("matrix", now, assets, bin_sec, window_sec),
            lambda: corr_matrix(self.store_at(now), self.symbols(assets), bin_sec, window_sec, now),
        )

    def together(
        self, assets: tuple[str, ...], bin_sec: int, at: float | None = None
    ) -> list[PairChange]:
        """The pairs of ``assets`` that started or stopped moving together."""
        now, _ = self.pulse(at)
        return self.once(
            ("together", now, assets, bin_sec),
            lambda: moving_together(self.store_at(now), self.symbols(assets), bin_sec, now),
        )

    def symbols(self, assets: tuple[str, ...]) -> list[str]:
        """The watched symbols of these asset classes, in their order."""
        _, frame = self._pulse

        def of_assets() -> list[str]:
            return [str(symbol) for symbol in frame.index[frame["asset"].isin(assets)]]

        return self.once(("symbols", len(frame), assets), of_assets)

    def once(self, key: tuple[Any, ...], make: Callable[[], _T]) -> _T:
        """What ``make`` returns, kept for all who ask with the same ``key`` in a while.

        Two who ask at the same moment may both compute it.
        """
        used_at = time.monotonic()
        with self._shared_lock:
            kept = self._shared.get(key)
        if kept is None or kept.made_at < used_at - _FRESH_SEC:
            kept = _Kept(make(), used_at, used_at)
        with self._shared_lock:
            self._shared[key] = kept._replace(used_at=used_at)
            self._shared.move_to_end(key)
            while next(iter(self._shared.values())).used_at < used_at - _KEPT_SEC:
                self._shared.popitem(last=False)
        value: _T = kept.value
        return value

    # For the thread that shows.

    def _show(self, second: int) -> None:
        """Close what ended with ``second``, and compute its frame."""
        self._store.advance(second + 1)
        now = second + SECOND_END
        if self._oldest is None:
            self._oldest = second
        frame = self._store.frame(now)
        for rank, (sizes, tiers) in self._sizes(frame, now).items():
            self._ranked.add(second, rank, self._orders[rank].update(second, sizes, tiers))
        self._pulse = (now, frame)
        self.ready.set()

    def _sizes(self, frame: pd.DataFrame, now: float) -> dict[str, tuple[Floats, Ints]]:
        """How large each row is by each ranking, and its tier: what is stale may not lead."""
        tiers = np.array([_TIERS[state] for state in self.states(frame, now)], np.int32)
        return {rank: (frame[column].abs().to_numpy(), tiers) for rank, column in RANKS.items()}
