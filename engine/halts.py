"""Halts: in which symbols trading is halted, or seems to be, second by second.

It belongs to one thread, the worker's; any other may ask what was halted at an instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pulse_store import PulseStore
from sessions import HoursFrom, MarketHours
from ticks import Asset

__all__ = ["SILENT_SEC", "TRADING_SEC", "HaltState", "Halts", "rows_of", "unknown_hours"]

HaltState = Literal["halted", "halted?"]

SILENT_SEC: Final = 300
"""A stock may be halted if for this long it was silent while most of its class traded, ..."""

TRADING_SEC: Final = 60
"""... which it does if it had a price within this long."""

_STAMP_SEC: Final = 1
"""A halt may be stamped with the second in which it began, as Alpaca does."""

_NOTHING: Final[Mapping[str, HaltState]] = MappingProxyType({})


def unknown_hours(asset: Asset, now: float) -> MarketHours:
    """The hours of a market of which nobody knows any."""
    return MarketHours(asset, "open", None, None, None, HoursFrom.SOURCE)


def rows_of(symbols: Iterable[str], frame: pd.DataFrame) -> list[tuple[str, int]]:
    """The symbols that a frame has, each with the number of its row."""
    wanted = pd.Index(list(symbols), dtype=object)
    rows = frame.index.get_indexer(wanted).tolist()
    return [(symbol, row) for symbol, row in zip(wanted, rows, strict=True) if row >= 0]


class _Span(NamedTuple):
    """From when until when a symbol was in one state, in seconds that were shown."""

    symbol: str
    state: HaltState
    since: int
    until: float
    """Infinite as long as it goes on."""
    halted_since: float
    """As the vendor says, or the time of the last price."""


class Halts:
    """Which symbols are halted as their vendor says, and which may be because they are silent.

    ``hours`` tells the phase of a market. ``said`` is what the vendors say: the symbols that are
    halted, and since when; a price since then is the surer word. A stock may be halted if it was
    silent for ``SILENT_SEC`` of regular hours, while at each second more than half of the stocks
    that have a price had one within ``TRADING_SEC``.

    The first price after a halt of either kind begins a new window of ``store``, so that nothing
    is measured across it. What was halted is known for ``window_sec``.
    """

    def __init__(
        self,
        store: PulseStore,
        hours: Callable[[Asset, float], MarketHours],
        said: Callable[[], Mapping[str, float]],
        window_sec: int,
    ) -> None:
        self._store = store
        self._hours = hours
        self._said = said
        self._window_sec = window_sec
        self._second = -1
        self._trading_since: int | None = None
        """Since when most stocks have traded at each second; None: they do not."""
        self._quiet_since: dict[str, float] = {}
        """The symbols that were halted and have had no price since, by the time of their last."""
        # One object, so that other threads never see a part of a second.
        self._spans: tuple[_Span, ...] = ()

    def at(self, now: float) -> Mapping[str, HaltState]:
        """What was halted at an instant; nothing if that is not known any more."""
        spans = self._spans
        if not spans:
            return _NOTHING
        return {one.symbol: one.state for one in spans if one.since <= now < one.until}

    def since(self, now: float) -> Mapping[str, float]:
        """Since when that was halted: as the vendor says, or the time of the last price."""
        return {one.symbol: one.halted_since for one in self._spans if one.since <= now < one.until}

    def end(self, second: int) -> None:
        """Begin a new window for each symbol that trades again; before anything is measured."""
        for symbol, last in tuple(self._quiet_since.items()):
            # A price may come late, but no later than this.
            prices = self._store.history(symbol, float(second), TRADING_SEC)["price"]
            newer = prices.index[prices.notna() & (prices.index > last)]
            if len(newer):
                self._store.begin_anew([symbol], int(newer[0]))
                del self._quiet_since[symbol]

    def update(self, second: int, now: float, frame: pd.DataFrame) -> None:
        """Note what is halted in a second, from the frame of its last instant ``now``."""
        if second <= self._second or second > self._second + TRADING_SEC:
            # The clock was set back, or the computer slept: nobody knows who was silent.
            self._trading_since = None
            self._quiet_since.clear()
            self._spans = tuple(_ended(one, second) for one in self._spans if one.since < second)
        self._second = second
        last: npt.NDArray[np.float64] = frame["last_ts"].to_numpy()
        found: dict[str, tuple[HaltState, float]] = {}
        for row in np.flatnonzero(self._are_silent(second, now, frame, last)).tolist():
            found[str(frame.index[row])] = "halted?", float(last[row])
        said = self._said()
        for symbol, row in rows_of(said, frame):
            if not last[row] >= said[symbol] + _STAMP_SEC:  # a price since then is the surer word
                found[symbol] = "halted", said[symbol]
        for symbol, row in rows_of(found, frame):
            self._quiet_since[symbol] = -math.inf if math.isnan(last[row]) else float(last[row])
        self._note(second, found)

    def _are_silent(
        self, second: int, now: float, frame: pd.DataFrame, last: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Which rows are of stocks that are silent while most of them trade."""
        asset = frame["asset"].to_numpy()
        is_priced: npt.NDArray[np.bool_] = (asset == "stocks") & ~np.isnan(last)
        trading = np.count_nonzero(is_priced & (now - last <= TRADING_SEC))
        if 2 * trading <= np.count_nonzero(is_priced) or not self._is_open(now):
            self._trading_since = None
        elif self._trading_since is None:
            self._trading_since = second
        if self._trading_since is None or now - self._trading_since < SILENT_SEC:
            return np.zeros(len(last), np.bool_)
        return is_priced & (now - last >= SILENT_SEC)

    def _is_open(self, now: float) -> bool:
        """Whether stocks are in regular hours, as far as anybody knows their hours."""
        hours = self._hours("stocks", now)
        return hours.phase == "open" and hours.by is not HoursFrom.SOURCE

    def _note(self, second: int, found: Mapping[str, tuple[HaltState, float]]) -> None:
        # Since when is what was said first, however often a vendor says it.
        states = {symbol: state for symbol, (state, _) in found.items()}
        open_ = {one.symbol: one.state for one in self._spans if one.until == math.inf}
        if states == open_:
            return
        kept = [
            _ended(one, second) if states.get(one.symbol) != one.state else one
            for one in self._spans
            if one.until >= second - self._window_sec
        ]
        begun = [
            _Span(symbol, state, second, math.inf, since)
            for symbol, (state, since) in found.items()
            if open_.get(symbol) != state
        ]
        self._spans = (*kept, *begun)


def _ended(span: _Span, second: int) -> _Span:
    return span._replace(until=min(span.until, second))
