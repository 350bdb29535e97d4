"""Failover through the real worker: one vendor fails, the next one serves, and back again."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from feeds import FeedState, FeedStatus, Role, Timing, Trouble
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from sources.clocks import VendorClock
from sources.failover import Patience
from tests.fake_coinbase import FakeCoinbase
from tests.faulty_vendor import FaultyVendor
from tests.harbor import SOON_SILENT, Harbor, HarborServer
from tests.statuses import feed_of
from tests.waiting import until
from ticks import Asset
from vendors.coinbase import Coinbase
from vendors.eodhd import Eodhd
from vendors.wire import Vendor
from worker import Worker

KEY = "SECRETKEY0123456789"

WATCHLIST: Mapping[Asset, tuple[str, ...]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD", "ETH-USD"),
}

NOTHING: Mapping[Asset, tuple[()]] = {"stocks": (), "forex": (), "crypto": ()}

TIMING = Timing(backoff_floor_sec=0.05, backoff_cap_sec=0.1, refused_sec=600.0)

PATIENCE = Patience(pass_over_sec=0.5, healthy_sec=1.0, look_sec=0.05)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(eodhd: str, *coins: Vendor) -> Iterator[Worker]:
    """A started worker with stocks and forex from EODHD, and coins from the first that can."""
    other = Eodhd(eodhd, KEY)
    vendors: Mapping[Asset, Sequence[Vendor]] = {
        "stocks": (other,),
        "forex": (other,),
        "crypto": coins,
    }
    worker = Worker(
        Settings(SourceSettings("eodhd", watchlist=WATCHLIST)),
        timing=TIMING,
        session=always,
        vendors=vendors,
        patience=PATIENCE,
        status_sec=0.01,
    )
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def harbors(one: HarborServer, two: HarborServer, **options: Any) -> tuple[Harbor, Harbor]:
    """The vendors of two servers, whose prices are far from one another."""
    two.level = 90.0
    return Harbor(one.url, KEY, name="One", **options), Harbor(two.url, KEY, name="Two", **options)


def coins(worker: Worker) -> dict[str, FeedStatus]:
    """The feeds of crypto by their vendors."""
    return {feed.vendor: feed for feed in worker.status().feeds if feed.asset == "crypto"}


def served_by(worker: Worker) -> dict[str, str]:
    """The vendor of each coin."""
    return {symbol: name for name, feed in coins(worker).items() for symbol in feed.serves}


def all_served_by(worker: Worker, name: str) -> bool:
    """Whether all coins are served by one vendor, whose prices come."""
    feed = coins(worker).get(name)
    is_alone = feed is not None and served_by(worker) == dict.fromkeys(WATCHLIST["crypto"], name)
    return is_alone and feed is not None and feed.state is FeedState.LIVE


def row(worker: Worker) -> dict[str, Any]:
    """The figures of BTC-USD."""
    return worker.store.snapshot("BTC-USD", time.time()) or {}


def levels(worker: Worker, symbol: str = "BTC-USD") -> set[float]:
    """Around which prices the seconds are that a symbol's chart shows."""
    prices = worker.store.history(symbol, time.time(), seconds=60)["price"].dropna()
    return set(prices.round(-1))


def test_a_vendor_is_killed_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """The next one serves meanwhile: never both, nobody else notices, and it is said."""
    with (
        caplog.at_level(logging.DEBUG),
        FaultyVendor() as eodhd,
        HarborServer(KEY) as one,
        HarborServer(KEY) as two,
        running(eodhd.url, *harbors(one, two)) as worker,
    ):
        until(lambda: all_served_by(worker, "One"))
        until(lambda: levels(worker, "ETH-USD") == {80.0})
        (feed,) = coins(worker).values()
        assert (feed.role, feed.behind, feed.instead_of) == (Role.SERVING, ("Two",), ())
        assert two.connections == 0

        began = time.monotonic()
        one.is_down = True
        until(lambda: all_served_by(worker, "Two"))
        assert time.monotonic() - began >= PATIENCE.pass_over_sec
        feeds = coins(worker)
        assert feeds["Two"].instead_of == ("One",)
        assert (feeds["One"].role, feeds["One"].serves) == (Role.ON_TRIAL, ())
        assert feeds["One"].state in (FeedState.RECONNECTING, FeedState.CONNECTING)
        assert feeds["One"].trouble in (Trouble.HTTP_ERROR, Trouble.CONNECTION_CLOSED)
        for status in feeds.values():
            assert status.since is not None
            assert 0 <= time.time() - status.since < time.monotonic() - began + 1
        # A window of its own: no figure knows both.
        until(lambda: levels(worker) == levels(worker, "ETH-USD") == {90.0})
        assert row(worker)["range_low"] == pytest.approx(90.0, abs=0.1)
        assert set(worker.store.vendors(time.time()).values()) == {"EODHD", "Two"}

        # On trial its prices enter nothing.
        one.is_down = False
        until(lambda: coins(worker)["One"].state is FeedState.LIVE)
        back, seen = time.monotonic(), set()

        def is_back() -> bool:
            seen.update(levels(worker) | levels(worker, "ETH-USD"))
            return all_served_by(worker, "One")

        until(is_back)
        assert seen == {90.0}
        assert time.monotonic() - back >= PATIENCE.healthy_sec / 2
        until(lambda: levels(worker) == levels(worker, "ETH-USD") == {80.0})
        until(lambda: two.open == 0)
        assert list(coins(worker)) == ["One"]
        assert coins(worker)["One"].instead_of == ()
        assert row(worker)["range_high"] == pytest.approx(78.0, abs=0.1)
        assert set(worker.store.vendors(time.time()).values()) == {"EODHD", "One"}
        assert len(worker.events) == 0

        assert one.most_open == two.most_open == 1
        assert two.close_codes == [1000]
        for asset in ("stocks", "forex"):
            assert feed_of(worker, asset).state is FeedState.LIVE
            assert feed_of(worker, asset).reconnects == 0
        assert worker.status().faults == ()
        assert KEY not in repr(worker.status())
    # In one line or in two: a coin may be passed on a look before the other.
    for after, before in (("Two", "One"), ("One", "Two")):
        lines = re.findall(
            f"crypto: {after} serves (.*) instead of {before}$", caplog.text, re.MULTILINE
        )
        assert sorted(", ".join(lines).split(", ")) == ["BTC-USD", "ETH-USD"]
    assert KEY not in caplog.text


def test_a_silent_vendor_is_passed_over() -> None:
    """Its heartbeats come, its prices do not, beyond what is usual; it is not reconnected."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as one,
        HarborServer(KEY) as two,
        running(eodhd.url, *harbors(one, two, silence_sec=SOON_SILENT)) as worker,
    ):
        until(lambda: all_served_by(worker, "One"))
        one.trades = False
        until(lambda: all_served_by(worker, "Two"))
        assert coins(worker)["One"].state is FeedState.SILENT
        assert one.connections == 1


def test_a_vendor_that_refuses_is_passed_over_and_left_alone() -> None:
    """It is asked once; whoever is next serves from the start, and a third is not bothered."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as one,
        HarborServer(KEY) as two,
        HarborServer(KEY) as three,
    ):
        one.is_abroad = True
        third = Harbor(three.url, KEY, name="Three")
        with running(eodhd.url, *harbors(one, two), third) as worker:
            until(lambda: all_served_by(worker, "Two"))
            status = coins(worker)["One"]
            assert (status.state, status.trouble) == (FeedState.REFUSED, Trouble.UNAVAILABLE)
            assert coins(worker)["Two"].behind == ("Three",)
            assert (one.connections, three.connections) == (1, 0)


def test_a_vendor_in_maintenance_is_passed_over() -> None:
    """It says so itself, and is connected all the time."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as one,
        HarborServer(KEY) as two,
        running(eodhd.url, *harbors(one, two)) as worker,
    ):
        until(lambda: all_served_by(worker, "One"))
        one.trades, one.word = False, ("paused", "")
        until(lambda: all_served_by(worker, "Two"))
        assert coins(worker)["One"].state is FeedState.MAINTENANCE
        one.trades, one.word = True, ("back", "")
        until(lambda: all_served_by(worker, "One"))
        assert one.connections == 1


def test_what_a_vendor_refuses_is_asked_of_the_next() -> None:
    """Each serves its own, and the first is not connected anew for it."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY, ["eth/usd"]) as one,
        HarborServer(KEY) as two,
        running(eodhd.url, *harbors(one, two)) as worker,
    ):
        until(lambda: served_by(worker) == {"BTC-USD": "One", "ETH-USD": "Two"})
        until(lambda: levels(worker, "ETH-USD") == {90.0})
        assert levels(worker) == {80.0}
        assert {name: feed.asked for name, feed in coins(worker).items()} == {
            "One": ("BTC-USD",),
            "Two": ("ETH-USD",),
        }
        assert not any(feed.refused_symbols for feed in coins(worker).values())
        assert all(feed.instead_of == () for feed in coins(worker).values())
        assert (one.connections, two.connections) == (1, 1)
        # Nor is a new connection ended before the vendor could refuse the same again.
        one.cut()
        until(lambda: one.joins == ["btc/usd", "eth/usd"] * 2)
        until(lambda: all(feed.state is FeedState.LIVE for feed in coins(worker).values()))
        assert (one.connections, two.connections) == (2, 1)


def test_a_computer_that_slept_blames_nobody() -> None:
    """Awake again, the vendor is asked anew, and not the next one: it was not silent."""
    asleep = [0.0]

    def true() -> float:
        return time.time() + asleep[0]

    with FakeCoinbase(clock=true) as one, FakeCoinbase(clock=true) as two:
        settings = SourceSettings("live", watchlist={**NOTHING, "crypto": WATCHLIST["crypto"]})
        worker = Worker(
            Settings(settings),
            clock=VendorClock(true),
            timing=TIMING,
            session=always,
            vendors={
                **NOTHING,
                "crypto": [
                    Coinbase(server.url, name, spacing_sec=0.0)
                    for server, name in ((one, "One"), (two, "Two"))
                ],
            },
            patience=replace(PATIENCE, look_sec=0.01),
            status_sec=0.01,
        )
        worker.start()
        try:
            until(lambda: all_served_by(worker, "One"))
            asleep[0] += 3600.0
            until(lambda: len(one.attempts) == 2)
            until(lambda: all_served_by(worker, "One"))
            assert not two.attempts
        finally:
            worker.stop()


def test_a_class_without_a_vendor_is_off() -> None:
    """It has no rows and no feed that tries anything, and its market has its hours."""
    with FaultyVendor() as eodhd, running(eodhd.url) as worker:
        until(lambda: feed_of(worker, "stocks").state is FeedState.LIVE)
        status = feed_of(worker, "crypto")
        assert (status.state, status.trouble) == (FeedState.OFF, Trouble.NO_VENDOR)
        assert status.hours.phase == "open"
        assert worker.reader.symbols(("crypto",)) == []
        assert status.asked == status.serves == ()
