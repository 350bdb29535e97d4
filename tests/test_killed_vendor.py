"""A vendor whose server is gone: the next ones serve, across a restart, until it is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from feeds import FeedState, FeedStatus, Role, Timing, Trouble
from sessions import ALWAYS, Session
from settings import HistorySettings, Settings, SourceSettings
from sources.failover import Patience
from tests.fake_alpaca import FakeAlpaca
from tests.fake_binance import FakeBinance
from tests.fake_coinbase import FakeCoinbase
from tests.fake_kraken import FakeKraken
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset
from vendors.alpaca import Alpaca
from vendors.binance import Binance
from vendors.coinbase import Coinbase
from vendors.kraken import Kraken
from vendors.wire import Vendor
from worker import Worker

KEY: Final = "SECRETKEY0123456789"
PACE: Final = 20.0
"""How many times as fast as time the clock goes: so there are returns over a minute soon, and a
busy computer still has time for each second."""

WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD", "ETH-USD", "BTC-USDT", "SOL-USDT"),
}
BEFORE: Final = dict.fromkeys(WATCHLIST["crypto"], "Coinbase")
AFTER: Final = {
    "BTC-USD": "Kraken",
    "ETH-USD": "Kraken",
    "BTC-USDT": "Binance",
    "SOL-USDT": "Binance",
}
"""Who serves which coin instead: the one asked next has no pair against USDT."""

TIMING: Final = Timing(backoff_floor_sec=0.05, backoff_cap_sec=0.1)
PATIENCE: Final = Patience(pass_over_sec=0.6, healthy_sec=1.0, look_sec=0.05)

# The prices of two vendors are some percent apart.
LEVELS: Final = {"Coinbase": 77572.86, "Kraken": 83744.3}


@dataclass(frozen=True)
class Vendors:
    """The servers of all vendors but Coinbase, and how each of them is asked."""

    clock: Clock
    alpaca: FakeAlpaca
    kraken: FakeKraken
    binance: FakeBinance
    chains: Mapping[Asset, Sequence[Vendor]]


class Clock:
    """A clock that goes ``PACE`` times as fast as time."""

    def __init__(self) -> None:
        self.begun = 1_795_359_600.0
        self._origin = time.monotonic()

    def __call__(self) -> float:
        return self.begun + (time.monotonic() - self._origin) * PACE


@contextmanager
def vendors(clock: Clock, coinbase: str) -> Iterator[Vendors]:
    """All but Coinbase, which is at an address."""
    # A busy computer is no silent vendor.
    silence_sec = dict.fromkeys(ASSETS, HANG_SEC * PACE)
    with (
        FakeAlpaca(KEY, KEY, clock=clock) as alpaca,
        FakeKraken(clock=clock) as kraken,
        FakeBinance(clock=clock) as binance,
    ):
        both = Kraken(kraken.url, spacing_sec=0.05, silence_sec=silence_sec)
        chains: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (Alpaca(alpaca.url, KEY, KEY, spacing_sec=0.05, silence_sec=silence_sec),),
            "forex": (both,),
            "crypto": (
                Coinbase(coinbase, spacing_sec=0.05, silence_sec=silence_sec),
                both,
                Binance(binance.url, spacing_sec=0.05, silence_sec=silence_sec),
            ),
        }
        yield Vendors(clock, alpaca, kraken, binance, chains)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(stage: Vendors, folder: Path) -> Iterator[Worker]:
    """A started worker with an archive, in which nothing went wrong but what had to."""
    worker = Worker(
        Settings(
            SourceSettings("live", watchlist=WATCHLIST), history=HistorySettings(folder=folder)
        ),
        clock=stage.clock,
        timing=TIMING,
        session=always,
        vendors=stage.chains,
        patience=PATIENCE,
        status_sec=0.01,
    )
    worker.start()
    try:
        yield worker
        for asset in ("stocks", "forex"):
            assert feed_of(worker, asset).state is FeedState.LIVE
            assert feed_of(worker, asset).reconnects == 0
        assert worker.status().faults == ()
        assert len(worker.events) == 0
        assert KEY not in repr(worker.status())
    finally:
        worker.stop()


def coins(worker: Worker) -> dict[str, FeedStatus]:
    """The feeds of crypto by their vendors."""
    return {feed.vendor: feed for feed in worker.status().feeds if feed.asset == "crypto"}


def served_by(worker: Worker) -> dict[str, str]:
    """The vendor of each coin, of those whose prices come."""
    return {
        symbol: vendor
        for vendor, feed in coins(worker).items()
        if feed.state is FeedState.LIVE
        for symbol in feed.serves
    }


def until_there_are_figures(worker: Worker, vendor: str) -> None:
    """Until a minute's return and a volatility are known of a vendor's prices."""

    def are_there() -> bool:
        row = worker.store.snapshot("BTC-USD", worker.heartbeat.newest.now) or {}
        is_theirs = row["last"] == pytest.approx(LEVELS[vendor], rel=1e-3)
        return is_theirs and None not in (row["ret_1m"], row["vol_15m"])

    until(are_there, what=f"figures of {vendor}")


def assert_never_mixed(worker: Worker, since: float) -> set[str]:
    """At no second since then is any figure of the prices of two vendors; returns whose it saw."""
    store, seen = worker.store, set()
    for second in range(int(since) + 1, int(worker.heartbeat.newest.now), 11):
        now = second + 0.999
        row = store.snapshot("BTC-USD", now)
        assert row is not None
        for name in ("ret_1m", "ret_5m", "ret_15m", "vol_15m", "move_1m", "move_5m"):
            assert row[name] is None or abs(row[name]) < 0.001, (name, row)
        if row["range_low"] is not None:
            assert row["range_high"] / row["range_low"] < 1.001
        prices = store.history("BTC-USD", now, 600)["price"].dropna()
        assert prices.empty or prices.max() / prices.min() < 1.001
        if row["ret_1m"] is not None:
            vendor = store.vendors(now)["BTC-USD"]
            assert row["last"] == pytest.approx(LEVELS[vendor], rel=1e-3)
            seen.add(vendor)
    return seen


def test_a_vendor_that_is_gone_is_stood_in_for_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the stated time, with each symbol from the next that has it, and nobody mixed."""
    clock = Clock()
    with caplog.at_level(logging.DEBUG), ExitStack() as stack:
        gone = stack.enter_context(FakeCoinbase(clock=clock))
        stage = stack.enter_context(vendors(clock, gone.url))
        with running(stage, tmp_path) as worker:
            until(lambda: served_by(worker) == BEFORE)
            until_there_are_figures(worker, "Coinbase")
            assert coins(worker)["Coinbase"].behind == ("Kraken", "Binance")

            killed_at = time.monotonic()
            gone.stop()
            until(lambda: served_by(worker).get("BTC-USD") == "Kraken")
            assert time.monotonic() - killed_at >= PATIENCE.pass_over_sec
            # What the next one refuses is asked of the one after it, likewise.
            until(lambda: served_by(worker) == AFTER)
            feeds = coins(worker)
            assert feeds["Kraken"].instead_of == ("Coinbase",)
            assert (feeds["Coinbase"].role, feeds["Coinbase"].serves) == (Role.ON_TRIAL, ())
            assert feeds["Coinbase"].trouble in (Trouble.NO_CONNECTION, Trouble.CONNECTION_CLOSED)
            until_there_are_figures(worker, "Kraken")
            assert assert_never_mixed(worker, clock.begun) == {"Coinbase", "Kraken"}
        with running(stage, tmp_path) as worker:
            # It is asked first again, and still gone.
            until(lambda: served_by(worker) == AFTER)
            until_there_are_figures(worker, "Kraken")
            stack.enter_context(FakeCoinbase(clock=clock, port=gone.port))
            back_at = time.monotonic()
            until(lambda: served_by(worker) == BEFORE)
            assert time.monotonic() - back_at >= PATIENCE.healthy_sec
            until_there_are_figures(worker, "Coinbase")
            until(lambda: list(coins(worker)) == ["Coinbase"])
            assert assert_never_mixed(worker, clock.begun) == {"Coinbase", "Kraken"}
    assert KEY not in caplog.text
