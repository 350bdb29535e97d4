"""Pasts: what a vendor's answer tells of the time before its stream, laid into the store."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from bars import CANDLE, Candles
from days import Day, day, day_of_reference
from pulse_store import PulseStore
from sources.source import LaidPast
from ticks import Asset, Tick
from vendors.rest import Candle, Past, Quote
from vendors.wire import RawTick

__all__ = ["add_laid", "add_past"]

_SETTLED_SEC: Final = 10
"""What the stream has sent of a time so long ago is in the store: nothing is written twice."""

_FAR_OFF: Final = 0.03
"""A trade is believed within this fraction of the median of all that came with it."""

_AHEAD_SEC: Final = 60.0
"""A vendor's clock may be ahead by so much; a later minute than of then is a mistake."""


def add_past(store: PulseStore, past: Past, vendor: str, now: float) -> LaidPast:
    """Lay each part into ``store`` as what it is, for as long as the ``vendor`` serves.

    Candles; what the changes of the days since ``now`` are measured against; trades, as ticks of
    ten seconds in which the stream sent none; and the newest price of a symbol that has no newer
    one. Of symbols that have no row nothing is known. Returns what was laid.
    """
    over = tuple(candle for candle in past.candles if candle.minute + 60 <= now + _AHEAD_SEC)
    store.load_candles(_candles(over), vendor)
    for symbol, price, ts in past.references:
        asset = _asset(store, symbol)
        if asset is not None:
            _set_reference(store, symbol, price, day_of_reference(asset, ts, now), vendor)
    for quote in past.quotes:
        _add_quote(store, quote, vendor, now)
    ticks = _ticks(store, past.trades)
    for tick in {tick.symbol: tick for tick in ticks}.values():
        store.set_known_price(tick)
    upto = int(now) - _SETTLED_SEC
    laid = store.load_ticks(ticks, upto, vendor)
    return LaidPast(vendor, upto, over, tuple(laid), tuple(past.quotes))


def add_laid(store: PulseStore, laid: LaidPast) -> None:
    """Lay into ``store`` what another process laid of a vendor's answer."""
    store.load_candles(_candles(laid.candles), laid.vendor)
    store.load_ticks(laid.ticks, laid.upto, laid.vendor)


def _add_quote(store: PulseStore, quote: Quote, vendor: str, now: float) -> None:
    """Know a quote's price, and what it tells of a stock's previous close.

    That is the one of its session; if another has begun since, its own price is that one's.
    """
    asset = _asset(store, quote.symbol)
    if asset is None:
        return
    _set_price(store, quote.symbol, quote.ts, quote.last)
    if asset != "stocks":
        return
    of_quote, of_now = day(asset, quote.ts), day(asset, now)
    if quote.previous_close is not None:
        _set_reference(store, quote.symbol, quote.previous_close, of_quote, vendor)
    if of_now is not None and of_now != of_quote and of_now.at - of_now.reach_sec <= quote.ts:
        _set_reference(store, quote.symbol, quote.last, of_now, vendor)


def _set_reference(
    store: PulseStore, symbol: str, price: float, measured: Day | None, vendor: str
) -> None:
    if measured is not None:
        store.set_reference(
            symbol,
            price,
            measured.since,
            measured.until,
            counts_from=measured.counts_from,
            vendor=vendor,
        )


def _set_price(store: PulseStore, symbol: str, ts: float, price: float) -> None:
    asset = _asset(store, symbol)
    if asset is not None and 0.0 < price < math.inf and ts > 0.0:
        store.set_known_price(Tick(symbol, asset, ts, price))


def _ticks(store: PulseStore, trades: Sequence[RawTick]) -> list[Tick]:
    """Trades as ticks, without those that their fields or the others speak against."""
    by_symbol: dict[str, list[RawTick]] = {}
    for trade in trades:
        if not trade.flaw and 0.0 < trade.price < math.inf and trade.ts > 0.0:
            by_symbol.setdefault(trade.symbol, []).append(trade)
    ticks = []
    for symbol, found in by_symbol.items():
        asset = _asset(store, symbol)
        usual = statistics.median(trade.price for trade in found)
        if asset is not None:
            ticks += [
                Tick(symbol, asset, trade.ts, trade.price)
                for trade in found
                if abs(trade.price / usual - 1.0) <= _FAR_OFF
            ]
    return ticks


def _asset(store: PulseStore, symbol: str) -> Asset | None:
    return cast("Asset | None", store.asset(symbol))


def _candles(candles: Sequence[Candle]) -> Candles:
    """Candles as one block."""
    rows = {symbol: row for row, symbol in enumerate(dict.fromkeys(c.symbol for c in candles))}
    cells = np.array(
        [(c.minute // 60, rows[c.symbol], c.open, c.high, c.low, c.close) for c in candles], CANDLE
    )
    return Candles(tuple(rows), cells)
