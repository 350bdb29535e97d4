"""Binance through the real worker, from a server that misbehaves in every known way."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect

from feeds import FeedState, FeedStatus, Timing, Trouble
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_binance import PRICES, FakeBinance
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import Asset
from vendors.binance import Binance
from vendors.binance_rest import BinanceRest
from vendors.eodhd import Eodhd
from vendors.rest import Past, Request
from vendors.wire import Vendor
from worker import Worker

KEY = "SECRETKEY0123456789"
COINS = ("BTC-USDT", "GONE-USDT", "SOL-USDT")
WATCHLIST: Mapping[Asset, tuple[str, ...]] = {"stocks": ("AAPL",), "forex": (), "crypto": COINS}

TIMING = Timing(
    backoff_floor_sec=0.05,
    backoff_cap_sec=0.2,
    refused_sec=0.3,
    throttled_sec=0.5,
    healthy_sec=0.1,
    quiet_sec=0.01,
    renewal_sec=0.2,
    unheard_sec=1.0,
)
SPACING_SEC = 0.15


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(server: FakeBinance, **changes: Any) -> Iterator[Worker]:
    """A started worker with coins from Binance and a stock from EODHD, which never notices."""
    binance = Binance(server.url, spacing_sec=SPACING_SEC, **changes)
    with FaultyVendor() as eodhd:
        other = Eodhd(eodhd.url, KEY)
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (other,),
            "forex": (other,),
            "crypto": (binance,),
        }
        settings = Settings(SourceSettings("eodhd", keys={"eodhd": (KEY,)}, watchlist=WATCHLIST))
        worker = Worker(settings, timing=TIMING, session=always, vendors=vendors, status_sec=0.01)
        worker.start()
        try:
            until(lambda: feed_of(worker, "stocks").state is FeedState.LIVE)
            yield worker
            assert feed_of(worker, "stocks").reconnects == 0
            assert worker.status().faults == ()
        finally:
            worker.stop()


def coins(worker: Worker) -> FeedStatus:
    return feed_of(worker, "crypto")


def until_live(worker: Worker) -> None:
    until(lambda: coins(worker).state is FeedState.LIVE)


def until_accepted(worker: Worker) -> None:
    """Until a connection is open, though nobody trades."""
    until(lambda: coins(worker).trouble is Trouble.FIRST_TICK)


def last(worker: Worker, symbol: str) -> float | None:
    """The last price that the page would show."""
    row = worker.store.snapshot(symbol, time.time()) or {}
    return row.get("last")


def test_prices_stream_and_what_never_comes_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said but in the address; pings are answered; a bid without a time is no price."""
    with caplog.at_level(logging.DEBUG), FakeBinance() as server:
        server.is_chatty = True
        with running(server) as worker:
            until_live(worker)
            assert server.paths == [
                "/stream?streams=btcusdt@aggTrade/goneusdt@aggTrade/solusdt@aggTrade"
            ]
            until(lambda: coins(worker).heard == ("BTC-USDT", "SOL-USDT"))
            # The vendor accepts what it has not, and is silent: that is told once others trade.
            until(lambda: coins(worker).never_heard == ("GONE-USDT",))
            until(lambda: server.pongs >= 5)
            until(lambda: coins(worker).ticks > 20)
            status = coins(worker)
            assert (status.vendor, status.key_setting, status.refused) == ("Binance", "", {})
            assert (status.missed, status.reconnects) == (0, 0)
            assert status.ignored > 10  # the bids and asks
            assert {tick.price for tick in server.sent if tick.symbol == "SOL-USDT"} >= {
                last(worker, "SOL-USDT")
            }
            assert server.requests == []
            assert KEY not in f"{worker.status()!r}"
    assert KEY not in caplog.text
    assert server.close_codes == [1000]


def test_missed_and_repeated_trades_are_told_by_their_numbers() -> None:
    """Also across connections: none enters twice."""
    with FakeBinance(trade_sec=0) as server, running(server) as worker:
        until_accepted(worker)
        server.trade("BTCUSDT", 77600.0)
        server.skip("BTCUSDT", 3)
        server.trade("BTCUSDT", 77601.0)
        until(lambda: coins(worker).ticks == 2)
        assert coins(worker).missed == 3
        server.cut()
        until(lambda: coins(worker).trouble is Trouble.CONNECTION_CLOSED)
        assert coins(worker).code == 1006
        until_accepted(worker)
        server.skip("BTCUSDT", -1)
        server.trade("BTCUSDT", 77601.0)
        until(lambda: coins(worker).refused == {"duplicate": 1})
        server.trade("BTCUSDT", 77602.0)
        until(lambda: coins(worker).ticks == 3)
        assert (coins(worker).missed, coins(worker).reconnects) == (3, 1)


def test_place_that_is_not_served_is_a_final_word() -> None:
    """It is said, and not asked again; what the vendor writes is shown to nobody."""
    with FakeBinance() as server:
        server.status = 451
        with running(server) as worker:
            until(lambda: coins(worker).state is FeedState.REFUSED)
            status = coins(worker)
            assert (status.trouble, status.code) == (Trouble.UNAVAILABLE, 451)
            assert "Eligibility" not in repr(status)
            ticks = feed_of(worker, "stocks").ticks
            until(lambda: feed_of(worker, "stocks").ticks > ticks + 50)
            assert len(server.attempts) == 1


def test_banned_client_waits_as_long_as_it_is_told() -> None:
    """And then all is well by itself."""
    with FakeBinance() as server:
        server.status, server.retry_after = 418, 1.0
        with running(server) as worker:
            until(lambda: coins(worker).trouble is Trouble.THROTTLED)
            server.status = 0
            until_live(worker)
            assert server.attempts[1] - server.attempts[0] >= 1.0
            assert len(server.attempts) == 2


def test_close_for_too_many_requests_is_followed_by_a_rest() -> None:
    """Their repetition would lead to a ban."""
    with FakeBinance() as server, running(server) as worker:
        until_live(worker)
        closed_at = time.monotonic()
        server.close(1008)
        until(lambda: coins(worker).trouble is Trouble.THROTTLED)
        until_live(worker)
        assert len(server.attempts) == 2
        assert server.attempts[1] - closed_at >= TIMING.throttled_sec


def test_announced_end_is_met_with_a_new_connection() -> None:
    """Before it comes; and nothing is lost or doubled but what happens in between."""
    with FakeBinance() as server, running(server) as worker:
        until_live(worker)
        server.announce_end()
        until(lambda: len(server.attempts) == 2)
        until_live(worker)
        # The first connection was ended by us, properly.
        until(lambda: server.close_codes == [1000])
        assert coins(worker).refused.get("duplicate", 0) == 0


def test_connection_is_renewed_before_its_day_is_over() -> None:
    """At the time that the vendor is known to end it."""
    with FakeBinance() as server, running(server, renew_sec=0.5) as worker:
        until(lambda: len(server.attempts) >= 3)
        server_at = server.attempts
        assert server_at[2] - server_at[0] >= 2 * 0.5
        until_live(worker)
        assert set(server.close_codes) == {1000}


def test_stall_without_an_end_is_noticed() -> None:
    """Though pings are answered: without heartbeats only prices prove that prices come."""
    with FakeBinance() as server, running(server, silence_sec={"crypto": 0.6}) as worker:
        until_live(worker)
        server.is_stalled = True
        until(lambda: coins(worker).trouble is Trouble.NO_TICK)
        stalled_at = time.monotonic()
        until(lambda: coins(worker).trouble is Trouble.SILENCE)
        until(lambda: server.attempts[-1] > stalled_at)
        server.is_stalled = False
        until_live(worker)


# What the server itself watches over.


def test_server_ends_who_says_too_much() -> None:
    """At the sixth message within a second."""

    async def talk(url: str) -> int | None:
        async with connect(f"{url}/stream?streams=btcusdt@aggTrade", proxy=None) as ws:
            for number in range(6):
                request = {"method": "SUBSCRIBE", "params": ["ethusdt@aggTrade"], "id": number}
                await ws.send(json.dumps(request))
            async with asyncio.timeout(HANG_SEC):
                await ws.wait_closed()
            return ws.close_code

    with FakeBinance() as server:
        assert asyncio.run(talk(server.url)) == 1008


# The time before, from the same server.


def fetched(rest: BinanceRest, request: Request, now: float) -> Past:
    with urllib.request.urlopen(request.url, timeout=HANG_SEC) as response:  # noqa: S310 - local
        return rest.read(request, response.read(), now)


def test_past_is_fetched_as_it_is_asked_for() -> None:
    """Sixty minutes, the prices of a day, and the newest trades."""
    now = time.time()
    with FakeBinance(trade_sec=0) as server:
        for turn in range(3):
            server.trade("BTCUSDT", 77600.0 + turn, now - 3 + turn)
        rest = BinanceRest(server.rest_url)
        hour, day, trades = rest.requests("crypto", ["BTC-USDT"], now, now - 86400)
        candles = fetched(rest, hour, now).candles
        newest = int(now // 60) * 60 - 60
        assert [one.minute for one in candles] == list(range(newest - 3540, newest + 1, 60))
        assert all(one.low < one.close < one.high for one in candles)
        found = fetched(rest, day, now).references
        newest = int(now // 300) * 300
        assert [one.ts for one in found] == list(range(newest - 86400, newest + 1, 300))
        assert found[0].price == pytest.approx(PRICES["BTCUSDT"], rel=1e-4)
        newest_trades = fetched(rest, trades, now).trades
        assert [one.price for one in newest_trades] == [77600.0, 77601.0, 77602.0]
        unknown = rest.requests("crypto", ["GONE-USDT"], now, now - 86400)[0]
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetched(rest, unknown, now)
        assert caught.value.code == 400
        assert json.loads(caught.value.read())["code"] == -1121
        caught.value.close()
