"""Halts: what a vendor says, what silence tells, and that nothing is measured across one."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from engine.halts import SILENT_SEC, TRADING_SEC, HaltState
from engine.heartbeat import SECOND_END, Heartbeat, SecondOver, Subscriber
from engine.ranking import row_states
from events import EventStore, StressDetector
from pulse_store import PulseStore
from sessions import ALWAYS, HoursFrom, MarketHours, Phase
from settings import Settings, SourceSettings
from tests.faulty_vendor import TICK_EVERY_SEC, FaultyVendor, tick
from tests.faulty_vendor import Session as VendorSession
from tests.statuses import feed_of
from tests.waiting import until
from ticks import ASSETS, Asset, Tick
from vendors.eodhd import Eodhd
from worker import Worker

NOW = 1_795_000_000
STOCKS = ("AAPL", "MSFT", "NVDA", "TSLA")


class Market:
    """Four stocks and a coin that trade at every second, unless they are told not to."""

    def __init__(self) -> None:
        self.quiet: set[str] = set()
        self.jumped: dict[str, float] = {}
        """By which factor the price of a symbol is another one."""
        self.said: dict[str, float] = {}
        self.last_ts: dict[str, float] = {}
        self.phase: Phase = "open"
        self.by = HoursFrom.CALENDAR
        self.second = NOW
        self.store = PulseStore(7200)
        self.told: list[SecondOver] = []
        self.heartbeat = Heartbeat(
            self.store,
            EventStore(500),
            StressDetector(min_surprise=0),
            lambda asset, now: self.phase != "closed",
            float(NOW),
            (Subscriber("test", self.told.append),),
            hours=self._hours,
            said_halted=lambda: self.said,
        )

    def run(self, seconds: int) -> None:
        """Let seconds pass of which nobody looks at more than who is halted."""
        for _ in range(seconds):
            self._trade()
            self.heartbeat.halts.end(self.second)
            self.store.advance(self.second + 1)
            self.second += 1
            self.heartbeat.halts.update(self.second - 1, self.now, self._frame())

    def show(self, seconds: int) -> None:
        """Let seconds pass that are shown and searched for events."""
        for _ in range(seconds):
            self._trade()
            self.heartbeat.show(self.second)
            self.heartbeat.search(self.second)
            self.second += 1

    def _trade(self) -> None:
        for symbol in (*STOCKS, "BTC-USD"):
            if symbol not in self.quiet:
                self.tick(symbol)

    def _frame(self) -> pd.DataFrame:
        """As much of a frame as it takes."""
        symbols = self.store.symbols
        last = np.array([self.last_ts.get(symbol, math.nan) for symbol in symbols])
        assets = [self.store.asset(symbol) for symbol in symbols]
        return pd.DataFrame({"asset": assets, "last_ts": last, "age": self.now - last}, symbols)

    def tick(self, symbol: str, second: int | None = None) -> None:
        second = self.second if second is None else second
        asset = "crypto" if symbol == "BTC-USD" else "stocks"
        wiggle = 0.01 * (second * 7 % 5)
        price = (100.0 + wiggle) * self.jumped.get(symbol, 1.0)
        self.store.update(Tick(symbol, asset, second + 0.5, price))
        self.last_ts[symbol] = max(second + 0.5, self.last_ts.get(symbol, 0.0))

    @property
    def now(self) -> float:
        """The last instant of the newest second."""
        return self.second - 1 + SECOND_END

    def halted(self, now: float | None = None) -> Mapping[str, HaltState]:
        return self.heartbeat.halts.at(self.now if now is None else now)

    def states(self) -> dict[str, str]:
        frame = self._frame()
        streams = dict.fromkeys(ASSETS, self.phase != "closed")
        states = row_states(frame, streams, self.halted())
        return dict(zip(map(str, frame.index), states, strict=True))

    def events_of(self, symbol: str) -> list[str]:
        return [event.text for over in self.told for event in over.events if event.symbol == symbol]

    def figure(self, symbol: str, name: str) -> object:
        return (self.store.snapshot(symbol, self.now) or {})[name]

    def _hours(self, asset: Asset, now: float) -> MarketHours:
        return MarketHours(asset, self.phase, None, None, None, self.by)


@pytest.fixture
def market() -> Market:
    """After six minutes in which all traded."""
    found = Market()
    found.run(SILENT_SEC + 60)
    return found


def test_stock_that_is_silent_while_most_trade_may_be_halted(market: Market) -> None:
    """After five minutes; until then it is stale, and no other row is concerned."""
    market.quiet = {"TSLA", "BTC-USD"}
    silent_since = market.last_ts["TSLA"]
    market.run(SILENT_SEC - 1)
    assert market.halted() == {}
    assert market.states()["TSLA"] == "stale"
    market.run(2)
    assert market.states() == {
        "AAPL": "live",
        "MSFT": "live",
        "NVDA": "live",
        "TSLA": "halted?",
        # Coins are never halted: nobody trades a thin one for minutes.
        "BTC-USD": "stale",
    }
    began_at = market.now
    assert market.halted(began_at - 2) == {}
    market.quiet = set()
    market.run(3)
    assert market.states()["TSLA"] == "live"
    # Whoever looks back is shown what was shown.
    assert market.halted(began_at) == {"TSLA": "halted?"}
    assert market.heartbeat.halts.since(began_at) == {"TSLA": silent_since}
    assert market.heartbeat.halts.since(market.now) == {}


@pytest.mark.parametrize("kind", ["halted?", "halted"])
def test_first_print_after_a_halt_makes_no_event(market: Market, kind: HaltState) -> None:
    """Whatever it is, as far as it is from the last one; and what follows is measured anew."""
    market.quiet = {"TSLA"}
    if kind == "halted":
        market.said = {"TSLA": float(market.second)}
        market.run(100)
    else:
        market.run(SILENT_SEC + 10)
    assert market.halted() == {"TSLA": kind}
    market.quiet, market.jumped = set(), {"TSLA": 0.8}
    market.show(1)
    assert market.halted() == {}
    assert market.figure("TSLA", "last") == pytest.approx(80.0, rel=1e-3)
    for name in ("ret_1m", "ret_5m", "ret_15m", "vol_15m"):
        assert market.figure("TSLA", name) is None
    market.show(70)
    assert market.figure("TSLA", "ret_1m") == pytest.approx(0.0, abs=1e-3)
    assert market.figure("TSLA", "ret_15m") is None
    assert market.events_of("TSLA") == []
    # Once its figures are known again, a jump without a halt is one.
    market.run(200)
    market.jumped = {"TSLA": 1.2}
    market.show(10)
    assert market.events_of("TSLA")


def test_jump_after_a_short_silence_is_news(market: Market) -> None:
    """It is the halt that excuses a jump, not that nobody traded for a minute."""
    market.quiet = {"TSLA"}
    market.run(25)
    market.quiet, market.jumped = set(), {"TSLA": 0.8}
    market.show(10)
    assert market.events_of("TSLA")


def test_vendor_says_what_is_halted(market: Market) -> None:
    """At once, of any class; a symbol without any price too, and none that nobody watches."""
    market.store.watch("stocks", ["META"])
    market.said = {"BTC-USD": float(market.second), "META": 9.0, "OTHER": 9.0}
    market.quiet = {"BTC-USD"}
    market.run(1)
    assert market.halted() == {"BTC-USD": "halted", "META": "halted"}
    assert market.states()["META"] == "halted"
    assert market.heartbeat.halts.since(market.now) == {
        "BTC-USD": market.said["BTC-USD"],
        "META": 9.0,
    }
    # Said once more, it is no other halt.
    market.said = {"META": 10.0}
    market.run(1)
    assert market.halted() == {"META": "halted"}
    assert market.heartbeat.halts.since(market.now) == {"META": 9.0}
    # Said to go on, and no price yet: the next one is the first after the halt all the same.
    market.run(50)
    assert market.states()["BTC-USD"] == "stale"
    market.quiet, market.jumped = set(), {"BTC-USD": 1.3}
    market.show(70)
    assert market.events_of("BTC-USD") == []


def test_price_since_then_is_a_surer_word(market: Market) -> None:
    """Than that of a vendor that forgets to say that trading goes on."""
    market.said = {"TSLA": market.second - 10.0}
    market.run(1)
    assert market.halted() == {}


def test_halt_is_stamped_with_its_second(market: Market) -> None:
    """A price of that second, before it, does not speak against it."""
    market.said = {"TSLA": math.floor(market.last_ts["TSLA"])}
    market.quiet = {"TSLA"}
    market.run(1)
    assert market.halted() == {"TSLA": "halted"}


def test_halted_symbol_raises_no_event(market: Market) -> None:
    """Even of its last prices."""
    market.jumped = {"TSLA": 0.8}
    market.run(2)
    market.quiet, market.said = {"TSLA"}, {"TSLA": float(market.second)}
    market.show(20)
    assert market.events_of("TSLA") == []


def test_print_that_comes_late_begins_the_window_when_it_was_made(market: Market) -> None:
    """Its second was shown already, without it."""
    market.quiet, market.said = {"TSLA"}, {"TSLA": float(market.second)}
    market.run(100)
    market.said = {}
    market.run(10)
    market.jumped = {"TSLA": 0.8}
    market.tick("TSLA", market.second - 5)
    market.quiet = set()
    market.show(70)
    assert market.events_of("TSLA") == []


def test_nobody_is_halted_while_most_are_silent(market: Market) -> None:
    """As before noon of a thin day, and in an outage; nor soon after: silence counts anew."""
    market.quiet = {"TSLA", "NVDA"}
    market.run(SILENT_SEC + TRADING_SEC + 10)
    assert market.halted() == {}
    market.quiet = {"TSLA"}
    market.run(SILENT_SEC - 10)
    assert market.halted() == {}
    market.run(20)
    assert market.halted() == {"TSLA": "halted?"}


@pytest.mark.parametrize("phase", ["pre", "after", "closed"])
def test_silence_is_usual_out_of_hours(market: Market, phase: Phase) -> None:
    """Before and after regular hours minutes pass between trades; a closed market is closed."""
    market.phase = phase
    market.quiet = {"TSLA"}
    market.run(SILENT_SEC + 10)
    assert market.halted() == {}
    market.said = {"TSLA": float(market.second)}
    market.run(1)
    assert market.states()["TSLA"] == ("closed" if phase == "closed" else "halted")
    # At the opening, silence counts anew.
    market.phase, market.said = "open", {}
    market.run(SILENT_SEC - 10)
    assert market.halted() == {}


def test_market_without_known_hours_has_no_silent_stocks(market: Market) -> None:
    """A tape may be of any time of the day."""
    market.by = HoursFrom.SOURCE
    market.quiet = {"TSLA"}
    market.run(SILENT_SEC + 10)
    assert market.halted() == {}


@pytest.mark.parametrize("step", [-100, 400])
def test_clock_that_jumps_tells_nothing_of_silence(market: Market, step: int) -> None:
    """Set back, or after sleep: who was silent meanwhile is not known."""
    market.quiet = {"TSLA"}
    market.run(SILENT_SEC + 10)
    assert market.halted() == {"TSLA": "halted?"}
    market.second += step
    if step < 0:
        market.store.set_clock_back(market.second)
    market.run(1)
    assert market.halted() == {}
    market.run(SILENT_SEC - 10)
    assert market.halted() == {}
    assert all(math.isfinite(over.now) for over in market.told)


def test_halt_that_a_vendor_tells_is_on_the_row() -> None:
    """Through the real worker: from the vendor's own field until the next trade."""
    is_halted = threading.Event()

    async def halting(session: VendorSession) -> None:
        await session.subscribed()
        while True:
            for symbol in session.symbols:
                if symbol != "TSLA" or not is_halted.is_set():
                    await session.send(tick("stocks", symbol))
            if is_halted.is_set():
                await session.send(tick("stocks", "TSLA", ts=is_halted_since, market="halted"))
            await asyncio.sleep(TICK_EVERY_SEC)

    settings = Settings(
        SourceSettings(
            "eodhd",
            keys={"eodhd": ("k",)},
            watchlist={"stocks": ("AAPL", "TSLA"), "forex": (), "crypto": ()},
        )
    )
    with FaultyVendor(stocks=halting) as vendor:
        vendors = dict.fromkeys(ASSETS, (Eodhd(vendor.url, "k"),))
        worker = Worker(settings, session=lambda asset, now: ALWAYS, vendors=vendors)
        worker.start()
        try:

            def states() -> list[str]:
                now, frame = worker.reader.pulse()
                return [str(state) for state in worker.reader.states(frame, now)]

            until(lambda: states() == ["live", "live"])
            is_halted_since = time.time()
            is_halted.set()
            until(lambda: states() == ["live", "halted"])
            is_halted.clear()
            until(lambda: states() == ["live", "live"])
            until(lambda: not feed_of(worker, "stocks").halted)
            assert worker.events.latest(9) == []
        finally:
            worker.stop()
