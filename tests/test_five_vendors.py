"""Five vendors at once through the real worker, for an hour at sixty times the pace."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import pytest

from engine.reader import BEHIND_SEC, Pulse
from feeds import FeedState, FeedStatus, Role, Timing, Trouble
from pulse_store import to_snapshots
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_alpaca import FakeAlpaca
from tests.fake_binance import FakeBinance
from tests.fake_coinbase import FakeCoinbase
from tests.fake_finnhub import FakeFinnhub
from tests.fake_kraken import FakeKraken
from tests.oracle import Oracle
from tests.test_pulse_store import assert_rows_like_oracle
from tests.waiting import until
from ticks import Asset, Tick
from vendors.alpaca import Alpaca
from vendors.binance import Binance
from vendors.coinbase import Coinbase
from vendors.finnhub import Finnhub
from vendors.kraken import Kraken
from vendors.wire import Vendor
from worker import Worker

KEY: Final = "SECRETKEY0123456789"

BEGIN: Final = 1_795_359_600
"""A whole hour."""

HOUR_SEC: Final = 3600
PACE: Final = 60.0
BAR_SEC: Final = 10
UPSET_SEC: Final = 300
"""How often something goes wrong."""

SHOWN_AGAIN: Final = range(BEGIN + HOUR_SEC - 1, BEGIN + 2 * UPSET_SEC, -347)
"""The seconds that are looked back at in the end."""


class Symbol(NamedTuple):
    """Who sends what of a symbol, under which name, and about every how many seconds."""

    vendor: str
    asset: Asset
    name: str
    price: float
    every_sec: float


SYMBOLS: Final[Mapping[str, Symbol]] = {
    "AAPL": Symbol("Alpaca", "stocks", "AAPL", 231.5, 3.0),
    "MSFT": Symbol("Alpaca", "stocks", "MSFT", 415.75, 5.0),
    "NVDA": Symbol("Alpaca", "stocks", "NVDA", 138.2, 2.0),
    "BRK-B": Symbol("Alpaca", "stocks", "BRK.B", 470.25, 25.0),
    "TSLA": Symbol("Finnhub", "stocks", "TSLA", 346.4, 3.0),
    "AMZN": Symbol("Finnhub", "stocks", "AMZN", 229.1, 6.0),
    "META": Symbol("Finnhub", "stocks", "META", 633.6, 8.0),
    "EURUSD": Symbol("Kraken", "forex", "EUR/USD", 1.13896, 3.0),
    "USDJPY": Symbol("Kraken", "forex", "USD/JPY", 151.2, 5.0),
    "GBPUSD": Symbol("Kraken", "forex", "GBP/USD", 1.3124, 8.0),
    "AUDUSD": Symbol("Kraken", "forex", "AUD/USD", 0.6531, 20.0),
    "BTC-USDT": Symbol("Binance", "crypto", "BTCUSDT", 77590.01, 1.0),
    "ETH-USDT": Symbol("Binance", "crypto", "ETHUSDT", 3106.2, 3.0),
    "SOL-USDT": Symbol("Binance", "crypto", "SOLUSDT", 171.35, 7.0),
    "BTC-USD": Symbol("Coinbase", "crypto", "BTC-USD", 77572.86, 1.5),
    "ETH-USD": Symbol("Coinbase", "crypto", "ETH-USD", 3105.5, 6.0),
    "SOL-USD": Symbol("Kraken", "crypto", "SOL/USD", 171.3, 9.0),
}

WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = {
    asset: tuple(symbol for symbol, one in SYMBOLS.items() if one.asset == asset)
    for asset in ("stocks", "forex", "crypto")
}

LATE_TO_TRADE: Final = ("BTC-USD", "AUDUSD")
"""Of which there is nothing but what the vendor says of the time before, for some minutes."""

COPIES: Final = 3
"""How many times Finnhub sends every trade."""

REPEATED: Final = {"Alpaca": 12, "Finnhub": 9, "Kraken": 1, "Binance": 0, "Coinbase": 8}
"""How many trades come again on a connection, at least; of Coinbase with the last of each."""

TIMING: Final = Timing(backoff_floor_sec=0.02, backoff_cap_sec=0.05)

Deal = tuple[str, float, float]
"""The vendor's name of what is traded, the price, and when."""


class HeldClock:
    """A clock that goes ``PACE`` times as fast as time, but never beyond its ``limit``."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._origin = time.monotonic()
        self._begin = limit

    def __call__(self) -> float:
        return min(self._begin + (time.monotonic() - self._origin) * PACE, self.limit)

    def start(self) -> None:
        """Go on from the limit."""
        self._begin, self._origin = self.limit, time.monotonic()


class Server(Protocol):
    """A fake vendor, as far as all are alike."""

    def deal(self, trades: Sequence[Deal]) -> None:
        """Have trades happen, and tell them."""

    def cut(self) -> None:
        """End every connection without a word."""


@dataclass
class Stage:
    """The five servers, the worker, and the oracle that hears of the servers alone."""

    clock: HeldClock
    alpaca: FakeAlpaca
    finnhub: FakeFinnhub
    kraken: FakeKraken
    binance: FakeBinance
    coinbase: FakeCoinbase
    worker: Worker
    oracle: Oracle
    told: dict[str, int] = field(default_factory=dict)
    """How much of what each server sent the oracle knows."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """By the name of the vendor."""
        return {
            "Alpaca": self.alpaca,
            "Finnhub": self.finnhub,
            "Kraken": self.kraken,
            "Binance": self.binance,
            "Coinbase": self.coinbase,
        }

    @property
    def sent(self) -> Mapping[str, Sequence[Tick]]:
        """All that each server ever sent as what just happened."""
        return {
            "Alpaca": self.alpaca.sent,
            "Finnhub": self.finnhub.sent,
            "Kraken": self.kraken.told,
            "Binance": self.binance.sent,
            "Coinbase": self.coinbase.sent,
        }

    def feeds(self, vendor: str) -> list[FeedStatus]:
        """The feeds of a vendor: one of each class."""
        return [feed for feed in self.worker.status().feeds if feed.vendor == vendor]

    def wait_for_all(self) -> None:
        """Wait until all that was sent is in the store, each once, and tell the oracle of it."""
        sent = {vendor: len(ticks) for vendor, ticks in self.sent.items()}

        def is_stored() -> bool:
            status = self.worker.status()
            entered = dict.fromkeys(sent, 0)
            for feed in status.feeds:
                entered[feed.vendor] += feed.ticks
            return entered == sent and not status.queued

        until(is_stored, what=f"{sent} ticks")
        for vendor, ticks in self.sent.items():
            self.oracle.update_many(ticks[self.told.get(vendor, 0) : sent[vendor]])
        self.told = sent

    def wait_until_shown(self, end: int) -> Pulse:
        """Wait until the second before ``end`` is shown, and return what is shown then."""
        heartbeat = self.worker.heartbeat
        until(lambda: heartbeat.newest.now >= end - 0.01)
        return heartbeat.newest

    def wait_for_feeds(self) -> None:
        """Wait until every vendor accepts us."""
        until(lambda: all(map(is_accepted, self.worker.status().feeds)))


@contextmanager
def staged() -> Iterator[Stage]:
    """All of it, before anything is traded."""
    clock = HeldClock(BEGIN - 5.0)

    def prices(vendor: str) -> dict[str, float]:
        return {one.name: one.price for one in SYMBOLS.values() if one.vendor == vendor}

    with (
        FakeAlpaca(KEY, KEY, prices("Alpaca"), trade_sec=0.0, clock=clock) as alpaca,
        FakeFinnhub(KEY, prices("Finnhub"), trade_sec=0.0, clock=clock) as finnhub,
        FakeKraken(prices("Kraken"), clock=clock) as kraken,
        FakeBinance(prices("Binance"), trade_sec=0.0, clock=clock) as binance,
        FakeCoinbase(prices("Coinbase"), trade_sec=0.0, clock=clock) as coinbase,
    ):
        # All that they do wrong all the time.
        kraken.trades, kraken.is_odd, kraken.repeats = False, True, True
        finnhub.copies = COPIES
        alpaca.is_chatty = binance.is_chatty = coinbase.is_chatty = True
        alpaca.repeats = finnhub.repeats = coinbase.repeats = 3
        many = Alpaca(alpaca.url, KEY, KEY, symbol_limit=4, spacing_sec=0.05)
        others = Finnhub(finnhub.url, KEY, spacing_sec=0.05)
        both = Kraken(kraken.url, spacing_sec=0.05)
        dollars = Coinbase(coinbase.url, symbol_limit=2, spacing_sec=0.05)
        tethers = Binance(binance.url, spacing_sec=0.05)
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (many, others),
            "forex": (both,),
            "crypto": (tethers, dollars, both),
        }
        settings = Settings(SourceSettings("live", watchlist=WATCHLIST))
        worker = Worker(
            settings,
            clock=clock,
            timing=TIMING,
            session=always,
            vendors=vendors,
            status_sec=0.01,
        )
        oracle = Oracle(settings.window_sec + BEHIND_SEC)
        worker.start()
        try:
            yield Stage(clock, alpaca, finnhub, kraken, binance, coinbase, worker, oracle)
        finally:
            worker.stop()


def is_accepted(feed: FeedStatus) -> bool:
    """Whether prices may come."""
    return feed.state is FeedState.LIVE or feed.trouble is Trouble.FIRST_TICK


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


class Planned(NamedTuple):
    """A trade that will happen."""

    ts: float
    vendor: str
    deal: Deal


def plan(rng: random.Random) -> list[Planned]:
    """An hour of each symbol's trades, each in its own time, some of them at once."""
    found = []
    for symbol, one in SYMBOLS.items():
        price, at = one.price, 0.5 if symbol not in LATE_TO_TRADE else UPSET_SEC + 40.5
        wild = 4.0 if symbol in ("NVDA", "SOL-USD") else 1.0
        while at < HOUR_SEC - 0.01:
            ts = round(BEGIN + at, 3)
            found.append(Planned(ts, one.vendor, (one.name, round(price, 6), ts)))
            # A storm in the middle of the hour, and a market that stands still now and then.
            step = 2e-4 * wild if 1500 < at < 2100 else 3e-5
            price *= 1 + rng.gauss(0, step) * (rng.random() > 0.2)
            # Never so long that the vendor seems to be silent.
            at += min(rng.expovariate(1 / one.every_sec), 45.0) if rng.random() > 0.1 else 0.002
    return sorted(found)


def play(stage: Stage, planned: Sequence[Planned], turns: Iterator[int]) -> None:
    """Have what is planned happen when it is due, or soon after, in any order."""
    at = 0
    while at < len(planned):
        now, first = stage.clock(), at
        while at < len(planned) and planned[at].ts <= now:
            at += 1
        due = planned[first:at]
        if next(turns) % 3 == 0:
            due = due[::-1]
        for vendor, server in stage.servers.items():
            if trades := [one.deal for one in due if one.vendor == vendor]:
                server.deal(trades)
        time.sleep(0.5 / PACE)


def trade_late(stage: Stage, now: int, rng: random.Random) -> None:
    """Have most symbols traded in bars that have closed."""
    for symbol, one in SYMBOLS.items():
        if now - BEGIN <= UPSET_SEC and symbol in LATE_TO_TRADE:
            continue
        ages = sorted((rng.uniform(1, 40) for _ in range(3)), reverse=True)
        trades = [(one.name, round(one.price, 6), round(now - age, 3)) for age in ages]
        stage.servers[one.vendor].deal(trades)


def cut(stage: Stage, vendor: str) -> None:
    """End a vendor's connections, and wait for others: on these come trades that came before."""
    before = {feed.asset: feed.reconnects for feed in stage.feeds(vendor)}
    refused = {feed.asset: sum(feed.refused.values()) for feed in stage.feeds(vendor)}
    stage.servers[vendor].cut()

    def is_back() -> bool:
        feeds = stage.feeds(vendor)
        return all(
            feed.reconnects > before[feed.asset]
            and is_accepted(feed)
            # The last of which come with the last subscription.
            and sum(feed.refused.values()) >= refused[feed.asset] + REPEATED[vendor]
            for feed in feeds
        )

    until(is_back, what=f"{vendor} again")


def upset(stage: Stage, turn: int, now: int) -> None:
    """Have something else go wrong."""
    vendors = [*stage.servers]
    if turn <= len(vendors):
        cut(stage, vendors[turn - 1])
    elif turn == len(vendors) + 1:
        stage.coinbase.skip("BTC-USD", 3)
        stage.binance.skip("BTCUSDT", 2)
        stage.kraken.skip("SOL/USD", 1)
    elif turn == len(vendors) + 2:
        nobody = {"T": "t", "S": "AAPL", "x": "V", "p": 230.0, "s": 1, "z": "C"}
        stamp = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        stage.alpaca.say({**nobody, "i": 1, "c": ["W"], "t": stamp})
        stage.alpaca.say({**nobody, "i": 2, "c": ["@"], "t": stamp, "p": 0.0})
        stage.alpaca.say({**nobody, "i": 3, "c": ["@"], "t": stamp, "S": "NONE"})
        stage.finnhub.say(type="trade", data=[{"s": "META", "p": 600.0, "t": (now + 30) * 1000}])
        stage.finnhub.say(type="trade", data=None)


def test_frames_of_an_hour_are_what_an_oracle_makes_of_what_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever comes twice, late, in another order, or is none, every figure is as it should be."""
    rng, turns = random.Random(12), itertools.count()
    planned = plan(rng)
    with caplog.at_level(logging.DEBUG), staged() as stage:
        worker, oracle, clock = stage.worker, stage.oracle, stage.clock
        stage.wait_for_feeds()
        serves = {feed.vendor: set[str]() for feed in worker.status().feeds}
        for feed in worker.status().feeds:
            assert feed.role is Role.SERVING
            serves[feed.vendor].update(feed.serves)
        assert serves == {
            vendor: {symbol for symbol, one in SYMBOLS.items() if one.vendor == vendor}
            for vendor in stage.servers
        }
        for tick in (*stage.coinbase.recalled, *stage.kraken.recalled):
            oracle.set_last(tick)
        oracle.advance(BEGIN)

        clock.start()
        for end in range(BEGIN + BAR_SEC, BEGIN + HOUR_SEC + BAR_SEC, BAR_SEC):
            # A bar closes a quarter of a second after its end: never before its trades are there.
            clock.limit = end + 0.2
            stage.binance.shuffles = stage.coinbase.shuffles = end // BAR_SEC % 2 == 0
            play(stage, [one for one in planned if end - BAR_SEC <= one.ts < end], turns)
            stage.wait_for_all()
            oracle.advance(end)
            if end % UPSET_SEC == 0:
                clock.limit = end + 4.5
                shown = stage.wait_until_shown(end)
                rows = to_snapshots(shown.frame, shown.now)
                assert_rows_like_oracle(rows, oracle, shown.now)
                trade_late(stage, end, rng)
                stage.wait_for_all()
                upset(stage, (end - BEGIN) // UPSET_SEC, end)
        for second in SHOWN_AGAIN:
            now = second + 0.999
            rows = to_snapshots(worker.store.frame(now), now)
            assert_rows_like_oracle(rows, oracle, now)

        status = worker.status()
        assert status.faults == ()
        refused = {feed.vendor: feed.refused for feed in status.feeds if feed.asset != "forex"}
        again = REPEATED["Finnhub"] + (COPIES - 1) * len(stage.finnhub.sent)
        assert refused["Finnhub"] == {"duplicate": again, "future": 1}
        assert all(refused[vendor]["duplicate"] for vendor in ("Alpaca", "Coinbase", "Kraken"))
        assert {refused["Alpaca"][why] for why in ("condition", "price", "unsubscribed")} == {1}
        missed = {feed.vendor: feed.missed for feed in status.feeds if feed.asset == "crypto"}
        assert missed == {"Coinbase": 3, "Binance": 2, "Kraken": 1}
        assert all(feed.state is FeedState.LIVE for feed in status.feeds)
        assert KEY not in repr(status)
    assert KEY not in caplog.text
