"""Reader: what may be asked of any second, from any thread.

A second that is no longer in memory comes from the archive. Time is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, TypeVarTuple

import numpy as np
import pandas as pd

import sessions
from correlation import (
    HELD_SEC,
    CorrelationCard,
    PairChange,
    auto_bin,
    changes,
    corr_card,
    corr_matrix,
    moving_together,
)
from days import day
from engine.heartbeat import GRACE_SEC, REWIND_SEC, SECOND_END, Heartbeat, Pulse
from engine.ranking import Order, State, is_usual, movers, order_of, row_states
from engine.shared import Shared
from events import EventStore
from formulas import BAR_SEC, Floats
from history.coarse import HOUR_SEC, STEP_SEC, sum_up
from history.hours import ArchivedHours, LastSession, Moment
from pulse_store import PulseStore
from rules import Rule
from sessions import HoursFrom, MarketHours
from sources.source import Source
from ticks import ASSETS, Asset

__all__ = [
    "BEHIND_SEC",
    "GRACE_SEC",
    "REWIND_SEC",
    "SECOND_END",
    "STEP_SEC",
    "DayRange",
    "LastSession",
    "Pulse",
    "Reader",
]

_Args = TypeVarTuple("_Args")
_T = TypeVar("_T")

BEHIND_SEC: Final = REWIND_SEC + GRACE_SEC + HELD_SEC + 60
"""What a store keeps beyond the hour that a second is judged by, so that a second that is looked
back at has the answer it had: which pairs move together is known from looks at earlier minutes."""

_LOOKS_KEPT_SEC: Final = 60.0
"""What was found at a minute is asked for by every tab for ten, however seldom it refreshes."""


class DayRange(NamedTuple):
    """The lowest and the highest price of a symbol's day."""

    low: float
    high: float
    since: float
    """When the day began."""
    known_since: float
    """From when on prices of it are known, to two minutes."""


class Reader:
    """The newest second, and those before it.

    ``heartbeat`` shows what ``store`` and ``events`` hold; ``source`` knows the markets' hours.
    ``archived_hours`` answers with the hours on disk, or None while there are none to be read.
    ``rules`` are the user's.
    """

    def __init__(
        self,
        store: PulseStore,
        events: EventStore,
        heartbeat: Heartbeat,
        source: Source,
        archived_hours: Callable[[], ArchivedHours | None] = lambda: None,
        rules: Sequence[Rule] = (),
    ) -> None:
        self._store = store
        self._events = events
        self._heartbeat = heartbeat
        self._source = source
        self._archived_hours = archived_hours
        self._rules = tuple(rules)
        self._shared = Shared()
        self._looks = Shared(kept_sec=_LOOKS_KEPT_SEC, fresh_sec=2.0 * HELD_SEC)

    @property
    def store(self) -> PulseStore:
        """The rolling prices."""
        return self._store

    @property
    def events(self) -> EventStore:
        """The stress events."""
        return self._events

    def now(self) -> float:
        """The time by the source's clock, which the newest second follows."""
        return self._source.clock()

    def pulse(self, at: float | None = None) -> Pulse:
        """A complete second, computed once for all who ask: the newest, or that of ``at``.

        As long ago as the archive knows; without one, up to ``REWIND_SEC`` and a grace.
        """
        newest = self._heartbeat.newest
        if at is None or at >= newest.now:
            return newest
        second = math.floor(at)
        if self._archived_hours() is None:
            second = max(second, math.floor(newest.now) - REWIND_SEC - GRACE_SEC)
        now = second + SECOND_END
        return self._heartbeat.recent(now) or Pulse(now, self.once(self._frame, now))

    @property
    def is_ready(self) -> bool:
        """Whether a first second is shown, with what is known of the past behind it."""
        return self._heartbeat.ready.is_set()

    def has_prices(self) -> bool:
        """Whether the newest second has any."""
        return self._heartbeat.has_prices

    def span(self) -> tuple[int, int]:
        """The first and the last second that can be shown."""
        newest, first = int(self._heartbeat.newest.now), self._heartbeat.oldest
        oldest = newest if first is None else max(first, newest - REWIND_SEC)
        hours = self._archived_hours()
        archived = None if hours is None else hours.oldest(newest)
        return min(oldest, newest if archived is None else archived), newest

    def store_at(self, now: float) -> PulseStore:
        """The prices that know the instant ``now``: those in memory, or an archived hour's."""
        moment = self._archived(now)
        return self._store if moment is None else moment.store

    def events_at(self, now: float) -> EventStore:
        """The events that know the instant ``now``, likewise."""
        moment = self._archived(now)
        return self._events if moment is None else moment.events

    def states(self, frame: pd.DataFrame, now: float) -> list[State]:
        """The state of each row of ``frame``, the frame of ``now``."""
        of, found = self.once(self._states, now)
        return [*found] if of is frame else self._states_of(frame, now)

    def halted_since(self, now: float) -> Mapping[str, float]:
        """Since when what was halted at ``now`` was, as far as ``states`` says so."""
        return self._heartbeat.halts.since(now)

    def order(
        self,
        order: str,
        now: float,
        *,
        strict: bool = False,
        frame: pd.DataFrame | None = None,
    ) -> Order:
        """The rows of the frame of ``now`` in an order (of ``ORDERS``).

        Who has read the frame already gives it: other symbols may be watched since.

        Live it is a calm one, which may hold a row back for some seconds, or keep it in front for
        its event; it says how it settles. A page that stands still, frozen or in the past, asks for
        the ``strict`` one. The calm one is known of the newest seconds only, if somebody asked for
        it before; else it is strict as well.
        """
        index, found = self.once(self._order, order, now, strict)
        if frame is None or index.equals(frame.index):
            return found
        return order_of(order, frame, self.states(frame, now))

    def usual(self, frame: pd.DataFrame, now: float) -> list[bool]:
        """Whether each row of ``frame``, the frame of ``now``, is within its usual range."""
        # What a new event tells is known at once.
        of, found = self.once(self._usual, now, self.events_at(now).version)
        return [*found] if of is frame else self._usual_of(frame, now)

    def hours(self, asset: Asset, now: float) -> MarketHours:
        """The phase a market is in at ``now``: when that ends, and who says so."""
        return self._source.hours(asset, now)

    def last_session(self, asset: Asset, now: float) -> LastSession | None:
        """What the symbols of a closed market did in its last session.

        As its vendor says, or else from the archive; None if the market is not closed, and if
        neither knows anything.
        """
        if self._source.streams_at(asset, now):
            return None
        if self._source.hours(asset, now).by is HoursFrom.SOURCE:
            return None
        span = sessions.last_session(asset, now)
        if span is not None and span[1] > now:
            # By the calendar it still runs, and the vendor knows better: it is not the last yet.
            span = sessions.last_session(asset, span[0] - 1)
        if span is None:
            return None
        archived = self._archived_hours()
        recorded = {} if archived is None else archived.session_figures(asset, *span, now)
        figures = {**recorded, **self._heartbeat.quotes.figures(*span)}
        return LastSession(*span, figures) if figures or archived is not None else None

    @property
    def keeps_days(self) -> bool:
        """Whether there is an archive to be read, which knows more than the last hours."""
        return self._archived_hours() is not None

    def coarse_prices(self, symbol: str, begin: int, end: int) -> Floats:
        """Last, lowest and highest price of every ``STEP_SEC`` seconds, [3, step].

        From ``begin`` on, a multiple of that, and before ``end``; NaN if nothing is known. With an
        archive the last hour and the begun one before it come from memory alone.
        """
        since = (int(self._heartbeat.newest.now) - REWIND_SEC) // HOUR_SEC * HOUR_SEC
        if not self.keeps_days:
            since = begin
        return np.concatenate(
            [
                self._coarse_archived(symbol, begin, min(end, since)),
                self._coarse_kept(symbol, max(begin, since), end),
            ],
            axis=1,
        )

    def day_range(self, symbol: str, asset: Asset, now: float) -> DayRange | None:
        """The range of the day that holds ``now``, as far as its prices are known.

        Of stocks that of the newest session, of forex since 17:00 in New York, of crypto that of 24
        hours; None if nothing is known.
        """
        found = day(asset, now)
        if found is None:
            return None
        begin = math.ceil(found.counts_from / STEP_SEC) * STEP_SEC
        if int(now) < begin:
            return None
        _, low, high = self.once(self.coarse_prices, symbol, begin, int(now) + 1)
        (known,) = np.nonzero(~np.isnan(low))
        if not len(known):
            return None
        known_since = begin + int(known[0]) * STEP_SEC
        return DayRange(
            float(np.nanmin(low)), float(np.nanmax(high)), found.counts_from, known_since
        )

    def rules_of(self, symbol: str, asset: Asset, now: float) -> list[Rule]:
        """The user's rules that apply to a symbol at ``now``, in their order."""
        return [
            rule
            for rule in self._rules
            if rule.covers(symbol, asset) and (rule.until is None or now < rule.until)
        ]

    def symbols(self, assets: tuple[Asset, ...]) -> list[str]:
        """The watched symbols of these asset classes, in their order."""
        return list(self._watched(assets))

    def correlation(
        self, base: str, bin_sec: int | None, assets: tuple[Asset, ...], at: float | None = None
    ) -> CorrelationCard:
        """The correlation card of ``base`` among the symbols of ``assets`` at the pulse of ``at``.

        Without a ``bin_sec`` in the bars that suit these symbols best.
        """
        return self.once(self._correlation, base, bin_sec, self._watched(assets), self._closed(at))

    def matrix(
        self, assets: tuple[Asset, ...], bin_sec: int, window_sec: int, at: float | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Correlations and shared returns of every pair of ``assets`` at the pulse of ``at``."""
        among = self._watched(assets)
        return self.once(self._matrix, among, bin_sec, window_sec, self._closed(at))

    def pair_changes(
        self, assets: tuple[Asset, ...], bin_sec: int, at: float | None = None
    ) -> list[PairChange]:
        """The pairs of ``assets`` that started or stopped moving together."""
        now = self.pulse(at).now
        moment = self._archived(now)
        # An archive that cannot be read for a moment is asked again soon.
        shared = self._looks if moment is None else self._shared
        store = self._store if moment is None else moment.store
        among = self._watched(assets)
        return moving_together(
            lambda look: shared.once(self._changes, store, among, bin_sec, look), now
        )

    def once(self, function: Callable[[*_Args], _T], *args: *_Args) -> _T:
        """What ``function`` returns for these arguments, computed once for all readers."""
        return self._shared.once(function, *args)

    def forget(self) -> None:
        """Compute anew what was computed: other symbols are watched now."""
        self._shared = Shared()

    def _archived(self, now: float) -> Moment | None:
        """The archived hour that holds ``now``; None if memory holds it, or nothing does."""
        newest = int(self._heartbeat.newest.now)
        if now >= newest - REWIND_SEC - GRACE_SEC:
            return None
        hours = self._archived_hours()
        return None if hours is None else hours.moment(int(now), newest)

    def _closed(self, at: float | None) -> int:
        """When the newest bar of the pulse of ``at`` closed.

        Until the next one does, nothing that is computed from bars changes.
        """
        return int(self.pulse(at).now) // BAR_SEC * BAR_SEC

    def _coarse_archived(self, symbol: str, begin: int, end: int) -> Floats:
        """As ``coarse_prices``, of the archive."""
        steps = max(0, -(-(end - begin) // STEP_SEC))
        hours = self._archived_hours()
        first, last = begin // HOUR_SEC * HOUR_SEC, -(-end // HOUR_SEC) * HOUR_SEC
        found = None
        if hours is not None and steps:
            found = self.once(hours.coarse_prices, symbol, first, last)
        if found is None:
            return np.full((3, steps), np.nan)
        skipped = (begin - first) // STEP_SEC
        return found[:, skipped : skipped + steps]

    def _coarse_kept(self, symbol: str, begin: int, end: int) -> Floats:
        """As ``coarse_prices``, of memory."""
        steps = max(0, -(-(end - begin) // STEP_SEC))
        prices = np.full(steps * STEP_SEC, np.nan)
        if steps:
            found = self._store.history(symbol, end - 1, end - begin)["price"].to_numpy()
            prices[: len(found)] = found
        return sum_up(prices, STEP_SEC)

    # Computed once for all.

    def _frame(self, now: float) -> pd.DataFrame:
        return self.store_at(now).frame(now)

    def _states(self, now: float) -> tuple[pd.DataFrame, list[State]]:
        _, frame = self.pulse(now)
        return frame, self._states_of(frame, now)

    def _states_of(self, frame: pd.DataFrame, now: float) -> list[State]:
        is_streaming = {asset: self._source.streams_at(asset, now) for asset in ASSETS}
        return row_states(frame, is_streaming, self._heartbeat.halts.at(now))

    def _usual(self, now: float, version: int) -> tuple[pd.DataFrame, list[bool]]:
        _, frame = self.pulse(now)
        return frame, self._usual_of(frame, now)

    def _usual_of(self, frame: pd.DataFrame, now: float) -> list[bool]:
        moved = movers(self.events_at(now), now)
        return is_usual(frame, self.states(frame, now), now, moved)

    def _order(self, order: str, now: float, strict: bool) -> tuple[pd.Index[Any], Order]:
        now, frame = self.pulse(now)
        ranking = self._heartbeat.ranking
        calm = None if strict else ranking.order(int(now), order, frame.index)
        moved = movers(self.events_at(now), now)
        return frame.index, order_of(order, frame, self.states(frame, now), calm, moved)

    def _watched(self, assets: tuple[Asset, ...]) -> tuple[str, ...]:
        """The symbols of classes: part of what is known of them, which may be other ones soon."""
        return self.once(self._symbols, assets, self._heartbeat.newest.now)

    def _symbols(self, assets: tuple[Asset, ...], now: float) -> tuple[str, ...]:
        frame = self._heartbeat.newest.frame
        return tuple(map(str, frame.index[frame["asset"].isin(assets)]))

    def _correlation(
        self, base: str, bin_sec: int | None, among: tuple[str, ...], closed: int
    ) -> CorrelationCard:
        if not bin_sec:
            # Once a minute: figures that change their meaning every few seconds tell nothing.
            bin_sec = self.once(self._auto_bin, base, among, closed // 60 * 60)
        return corr_card(self.store_at(closed), list(among), base, bin_sec, closed)

    def _auto_bin(self, base: str, among: tuple[str, ...], minute: int) -> int:
        names = dict.fromkeys([base, *among])
        return auto_bin(self.store_at(minute), list(names), minute)

    def _matrix(
        self, among: tuple[str, ...], bin_sec: int, window_sec: int, closed: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        return corr_matrix(self.store_at(closed), list(among), bin_sec, window_sec, closed)

    def _changes(
        self, store: PulseStore, among: tuple[str, ...], bin_sec: int, look: int
    ) -> tuple[PairChange, ...]:
        return changes(store, list(among), bin_sec, look)
