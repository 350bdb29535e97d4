"""Pasts: what a vendor tells of the time before its stream, in the store through the heartbeat."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.heartbeat import Heartbeat
from events import EventStore, StressDetector
from pulse_store import PulseStore
from ticks import Asset, Tick
from vendors.rest import Candle, Past, Quote, Reference
from vendors.wire import RawTick

NOW = int(datetime(2026, 11, 24, 12, 0, tzinfo=ZoneInfo("America/New_York")).timestamp())
DAY = 86_400


def always(asset: Asset, now: float) -> bool:
    """Every market streams."""
    return True


class Started:
    """A store that is told pasts through a heartbeat, as a source does."""

    def __init__(self) -> None:
        self.store = PulseStore()
        for asset, symbols in {
            "stocks": ("AAPL", "MSFT"),
            "forex": ("EURUSD",),
            "crypto": ("BTC-USD",),
        }.items():
            self.store.watch(asset, symbols)
        self.heartbeat = Heartbeat(self.store, EventStore(10), StressDetector(), always, float(NOW))
        self.heartbeat.begin_anew(self.store.symbols, NOW, "Some")

    def row(self, symbol: str, now: float = NOW + 2.0) -> dict[str, Any]:
        """What is known of a symbol."""
        found = self.store.snapshot(symbol, now)
        assert found is not None
        return found


def test_the_change_of_a_coin_is_against_the_price_of_24_hours_ago() -> None:
    """Each price of its day in its turn, for five minutes; without one it is not known."""
    started = Started()
    coins = [Reference("BTC-USD", 100.0 + i, NOW - DAY + 300.0 * i) for i in range(3)]
    started.heartbeat.add_past(Past(references=coins), "Some")
    started.store.update(Tick("BTC-USD", "crypto", NOW + 1.0, 110.0))
    at = [started.row("BTC-USD", now)["prev_close"] for now in (NOW + 2, NOW + 299, NOW + 300)]
    assert at == [100.0, 100.0, 101.0]
    assert started.row("BTC-USD")["ret_day"] == pytest.approx(0.1)
    assert started.row("BTC-USD", NOW + 900)["ret_day"] is None


def test_the_change_of_a_stock_is_against_its_previous_close() -> None:
    """A quote of today says which that is; one of yesterday is it."""
    started = Started()
    today = Quote("AAPL", 202.0, NOW - 600.0, previous_close=200.0)
    yesterday = Quote("MSFT", 400.0, NOW - 20 * 3600.0, previous_close=390.0)
    started.heartbeat.add_past(Past(quotes=[today, yesterday]), "Some")
    apple, microsoft = started.row("AAPL"), started.row("MSFT")
    assert (apple["last"], apple["prev_close"]) == (202.0, 200.0)
    assert apple["ret_day"] == pytest.approx(0.01)
    # Its newest price is of the session before: it has not changed yet.
    assert (microsoft["last"], microsoft["prev_close"]) == (400.0, 400.0)
    assert microsoft["ret_day"] is None
    assert apple["ret_15m"] is None
    started.store.update(Tick("MSFT", "stocks", NOW + 1.0, 404.0))
    assert started.row("MSFT")["ret_day"] == pytest.approx(0.01)


def test_the_change_of_a_currency_is_against_17_o_clock_in_new_york() -> None:
    """A vendor's own idea of a previous close is not that."""
    started = Started()
    quote = Quote("EURUSD", 1.10, NOW - 10.0, previous_close=1.0)
    started.heartbeat.add_past(Past(quotes=[quote]), "Some")
    assert started.row("EURUSD")["prev_close"] is None
    turn = Reference("EURUSD", 1.08, NOW - 19 * 3600.0)
    started.heartbeat.add_past(Past(references=[turn]), "Some")
    assert started.row("EURUSD")["ret_day"] == pytest.approx(1.10 / 1.08 - 1)


def test_what_another_vendor_tells_counts_once_it_serves() -> None:
    """And what the one before told does not, until that serves again."""
    started = Started()
    candle = Candle("BTC-USD", NOW // 60 * 60 - 60, 1.0, 4.0, 1.0, 2.0)
    past = Past([candle], references=[Reference("BTC-USD", 1.0, NOW - DAY)])
    started.heartbeat.add_past(past, "Other")
    assert started.row("BTC-USD")["last"] is None
    assert started.row("BTC-USD")["prev_close"] is None
    started.heartbeat.begin_anew(["BTC-USD"], NOW + 1, "Other")
    assert (started.row("BTC-USD")["last"], started.row("BTC-USD")["ret_day"]) == (2.0, 1.0)
    started.heartbeat.begin_anew(["BTC-USD"], NOW + 60, "Some")
    assert started.row("BTC-USD", NOW + 61.0)["prev_close"] is None


def test_the_stream_knows_better() -> None:
    """A quote replaces no price of the stream, and an old trade fills an empty row only."""
    started = Started()
    started.store.update(Tick("AAPL", "stocks", NOW - 5.0, 200.0))
    trades = [RawTick("MSFT", NOW - 40.0, 399.0, ""), RawTick("MSFT", NOW - 30.0, 400.0, "")]
    quotes = [Quote("AAPL", 150.0, NOW - 1.0), Quote("MSFT", 1.0, NOW - 90.0)]
    started.heartbeat.add_past(Past(trades=trades, quotes=quotes), "Some")
    assert started.row("AAPL")["last"] == 200.0
    assert started.row("MSFT")["last"] == 400.0
    assert started.row("AAPL", NOW - 4.0)["ret_1m"] is None


def test_trades_are_ticks_of_the_seconds_that_have_none() -> None:
    """Of before the stream, or of a hole in it; not of what it may be about to send."""
    started = Started()
    started.store.update(Tick("BTC-USD", "crypto", NOW - 95.0, 100.0))
    prices = {NOW - 200: 99.0, NOW - 92: 98.0, NOW - 60: 101.0, NOW - 59: 150.0, NOW - 4: 102.0}
    trades = [RawTick("BTC-USD", ts + 0.5, price, "") for ts, price in prices.items()]
    trades.insert(2, RawTick("BTC-USD", NOW - 70.5, 101.0, "condition"))
    for _ in range(2):
        started.heartbeat.add_past(Past(trades=trades), "Some")
    started.heartbeat.add_past(Past(trades=[RawTick("BTC-USD", NOW - 150, 1.0, "")]), "Other")
    known = started.store.history("BTC-USD", NOW, 300)["price"].dropna()
    assert known.to_dict() == {NOW - 200: 99.0, NOW - 95: 100.0, NOW - 60: 101.0}
    assert started.store.bars(["BTC-USD"], 10, 300, NOW)[1].sum() == 3
    started.heartbeat.begin_anew(["BTC-USD"], NOW - 30, "")
    started.heartbeat.add_past(Past(trades=[RawTick("BTC-USD", NOW - 45.0, 100.0, "")]), "Some")
    assert started.store.bars(["BTC-USD"], 10, 300, NOW)[1].sum() == 0
    assert started.store.history("BTC-USD", NOW, 300)["price"].count() == 3


def test_what_cannot_be_is_left_out() -> None:
    """Symbols that nobody watches, prices that are none, minutes that are yet to come."""
    started = Started()
    minute = NOW // 60 * 60
    started.heartbeat.add_past(
        Past(
            candles=[
                Candle("NONE", minute - 60, 1.0, 1.0, 1.0, 1.0),
                Candle("BTC-USD", minute - 60, 1.0, math.inf, 1.0, 1.0),
                Candle("BTC-USD", minute - 120, math.nan, 1.0, 1.0, 1.0),
                Candle("BTC-USD", minute + 3600, 1.0, 1.0, 1.0, 1.0),
            ],
            quotes=[Quote("AAPL", math.nan, NOW - 1.0), Quote("NONE", 1.0, NOW - 1.0)],
            references=[Reference("NONE", 1.0, NOW), Reference("BTC-USD", -1.0, NOW - DAY)],
        ),
        "Some",
    )
    for symbol in ("AAPL", "BTC-USD"):
        assert started.row(symbol)["last"] is None
        assert started.row(symbol)["prev_close"] is None
