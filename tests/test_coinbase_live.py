"""Coinbase through the real worker, from a server that misbehaves in every known way."""

from __future__ import annotations

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from feeds import FeedState, FeedStatus, Refusal, Timing, Trouble
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_coinbase import PRICES, FakeCoinbase
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import Asset
from vendors.coinbase import Coinbase, Pace
from vendors.coinbase_rest import CoinbaseRest
from vendors.eodhd import Eodhd
from vendors.rest import Past, Request, Want
from vendors.wire import Vendor
from worker import Worker

KEY = "SECRETKEY0123456789"
COINS = ("BTC-USD", "ETH-USD", "GONE-USD", "SOL-USDT")
WATCHLIST: Mapping[Asset, tuple[str, ...]] = {"stocks": ("AAPL",), "forex": (), "crypto": COINS}

TIMING = Timing(
    backoff_floor_sec=0.05, backoff_cap_sec=0.2, refused_sec=0.3, throttled_sec=0.1, healthy_sec=0.5
)
SPACING_SEC = 0.15
PACE = Pace(answer_sec=0.1, refused_sec=0.5, behind_beats=4)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(server: FakeCoinbase, **changes: Any) -> Iterator[Worker]:
    """A started worker with coins from Coinbase and a stock from EODHD, which never notices."""
    coinbase = Coinbase(
        server.url, spacing_sec=SPACING_SEC, pace=PACE, **{"heartbeat_sec": HANG_SEC, **changes}
    )
    with FaultyVendor() as eodhd:
        other = Eodhd(eodhd.url, KEY)
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (other,),
            "forex": (other,),
            "crypto": (coinbase,),
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
    """Until the vendor has confirmed what it sends, though nobody trades."""
    until(lambda: coins(worker).trouble is Trouble.FIRST_TICK)


def last(worker: Worker, symbol: str) -> float | None:
    """The last price that the page would show."""
    row = worker.store.snapshot(symbol, time.time()) or {}
    return row.get("last")


def assert_spaced(server: FakeCoinbase, since: float) -> None:
    """However badly it went since then, the vendor was not hammered."""
    later = [at for at in server.attempts if at >= since]
    assert later
    assert all(at - since >= turn * SPACING_SEC * 0.99 for turn, at in enumerate(later))


def test_prices_stream_and_what_does_not_exist_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Every trade enters once, no snapshot does, and messages of unknown types harm nobody."""
    with caplog.at_level(logging.DEBUG), FakeCoinbase(deadline_sec=0.5) as server:
        server.is_chatty = True
        with running(server) as worker:
            until_live(worker)
            until(lambda: coins(worker).refused_symbols == {"GONE-USD": Refusal.UNKNOWN})
            until(lambda: len(coins(worker).heard) == 3)
            # Longer than who asks for nothing is suffered.
            until(lambda: len(server.sent) > 60)
            until(lambda: coins(worker).ticks > 60)
            status = coins(worker)
            assert status.vendor == "Coinbase"
            assert status.key_setting == ""
            assert status.refused == {"snapshot": 3}
            assert status.ignored > 0
            assert (status.missed, status.reconnects) == (0, 0)
            # What is refused is asked for again, and nothing else is.
            until(lambda: len(server.requests) >= 2)
            assert [one["product_ids"] for one in server.requests[:2]] == [
                list(COINS),
                ["GONE-USD"],
            ]
            assert len(server.attempts) == 1
            assert KEY not in f"{worker.status()!r}"
    assert KEY not in caplog.text
    assert server.close_codes == [1000]


def test_old_trade_fills_an_empty_row_and_no_window() -> None:
    """It comes before the confirmation, and is five minutes old."""
    with FakeCoinbase(trade_sec=0) as server, running(server) as worker:
        until(lambda: last(worker, "BTC-USD") == PRICES["BTC-USD"])
        assert coins(worker).ticks == 0
        assert coins(worker).last_tick_age is None
        assert worker.store.history("BTC-USD", time.time())["price"].isna().all()
        row = worker.store.snapshot("BTC-USD", time.time()) or {}
        assert row["age"] > 299


def test_good_products_stream_though_a_bad_one_drops_the_request() -> None:
    """They are asked for again without it."""
    with FakeCoinbase() as server:
        server.drops_requests = True
        with running(server) as worker:
            until_live(worker)
            assert coins(worker).refused_symbols == {"GONE-USD": Refusal.UNKNOWN}
            assert server.requests[1]["product_ids"] == ["BTC-USD", "ETH-USD", "SOL-USDT"]
            assert len(server.attempts) == 1


def test_vendor_without_any_of_the_products_is_left_alone() -> None:
    """It ends a connection without a subscription, whatever it was asked for."""
    sent_away_sec = 1.0
    with FakeCoinbase({"OTHER-USD": 1.0}, deadline_sec=sent_away_sec) as server:
        with running(server) as worker:
            unknown = dict.fromkeys(COINS, Refusal.UNKNOWN)
            until(lambda: coins(worker).refused_symbols == unknown)
            until(lambda: coins(worker).reconnects == 1)
            assert coins(worker).trouble is Trouble.SYMBOLS_REFUSED
            until(lambda: len(server.attempts) == 2)
        first, second = server.attempts
        assert second - first >= sent_away_sec + TIMING.refused_sec


def test_missed_trades_are_counted() -> None:
    """As their numbers tell, of each product."""
    with FakeCoinbase(trade_sec=0) as server, running(server) as worker:
        until_accepted(worker)
        server.trade("BTC-USD", 77573.0)
        server.skip("BTC-USD", 3)
        server.trade("ETH-USD", 3105.6)
        server.trade("BTC-USD", 77574.0)
        until(lambda: coins(worker).ticks == 3)
        assert coins(worker).missed == 3


def test_stall_without_an_end_is_noticed() -> None:
    """No heartbeat for its time: the connection is begun anew, and by itself all is well."""
    with FakeCoinbase() as server, running(server, heartbeat_sec=0.4) as worker:
        until_live(worker)
        stalled_at = time.monotonic()
        server.is_stalled = True
        seen: list[FeedStatus] = []

        def is_given_up() -> bool:
            seen.append(coins(worker))
            return seen[-1].trouble is Trouble.SILENCE

        until(is_given_up)
        assert (seen[-1].state, seen[-1].seconds) == (FeedState.RECONNECTING, 0.4)
        until(lambda: len(server.attempts) >= 3)
        server.is_stalled = False
        until_live(worker)
        assert_spaced(server, stalled_at)


def test_trades_that_stop_while_heartbeats_go_on_are_asked_for_anew() -> None:
    """On the same connection; what was missed meanwhile is counted."""
    with FakeCoinbase() as server, running(server) as worker:
        until_live(worker)
        server.loses_trades = True
        until(lambda: not server.loses_trades)
        ticks = coins(worker).ticks
        until(lambda: coins(worker).ticks > ticks + 10)
        assert coins(worker).missed > 0
        kinds = [one["type"] for one in server.requests if one["channels"] == ["matches"]]
        assert kinds[:2] == ["unsubscribe", "subscribe"]
        assert len(server.attempts) == 1


def test_end_without_a_word_is_survived_without_a_price_twice() -> None:
    """The newest trades are repeated on the new connection, and none enters again."""
    with FakeCoinbase(trade_sec=0) as server, running(server) as worker:
        until_accepted(worker)
        for turn in range(3):
            server.trade("BTC-USD", 77573.0 + turn)
        until(lambda: coins(worker).ticks == 3)
        server.repeats = 3
        cut_at = time.monotonic()
        server.cut()
        until(lambda: coins(worker).trouble is Trouble.CONNECTION_CLOSED)
        until_accepted(worker)
        until(lambda: coins(worker).refused.get("duplicate", 0) >= 4)
        server.trade("BTC-USD", 77580.0)
        until(lambda: coins(worker).ticks == 4)
        until(lambda: last(worker, "BTC-USD") == 77580.0)
        assert (coins(worker).missed, coins(worker).reconnects) == (0, 1)
        prices = worker.store.history("BTC-USD", time.time())["price"].dropna()
        assert prices.between(77573.0, 77580.0).all()
        assert_spaced(server, cut_at)


def test_trades_of_an_outage_are_missed_and_not_late() -> None:
    """The last one of them is a snapshot on the new connection: no news."""
    with FakeCoinbase(trade_sec=0) as server, running(server) as worker:
        until_accepted(worker)
        server.trade("BTC-USD", 77573.0)
        until(lambda: coins(worker).ticks == 1)
        server.status = 503
        cut_at = time.monotonic()
        server.cut()
        until(lambda: coins(worker).trouble is Trouble.HTTP_ERROR)
        assert (coins(worker).state, coins(worker).code) == (FeedState.RECONNECTING, 503)
        for turn in range(5):
            server.trade("BTC-USD", 77600.0 + turn)
        until(lambda: len(server.attempts) >= 6)
        server.status = 0
        until_accepted(worker)
        server.trade("BTC-USD", 77610.0)
        until(lambda: coins(worker).ticks == 2)
        until(lambda: last(worker, "BTC-USD") == 77610.0)
        assert coins(worker).missed == 4  # and the fifth came as a snapshot
        assert_spaced(server, cut_at)


def test_vendor_that_wants_to_be_left_alone_is() -> None:
    """For as long as it says."""
    with FakeCoinbase() as server:
        server.status, server.retry_after = 429, 1.0
        with running(server) as worker:
            until(lambda: coins(worker).trouble is Trouble.THROTTLED)
            server.status = 0
            until_live(worker)
            assert server.attempts[1] - server.attempts[0] >= 1.0
            assert len(server.attempts) == 2


def test_place_that_is_not_served_is_a_final_word() -> None:
    """It is said, and not asked again."""
    with FakeCoinbase() as server:
        server.status = 451
        with running(server) as worker:
            until(lambda: coins(worker).state is FeedState.REFUSED)
            status = coins(worker)
            assert (status.trouble, status.code) == (Trouble.UNAVAILABLE, 451)
            # Many times as long as anything else would make it wait.
            ticks = feed_of(worker, "stocks").ticks
            until(lambda: feed_of(worker, "stocks").ticks > ticks + 50)
            assert len(server.attempts) == 1


# The time before, from the same server.


def fetched(rest: CoinbaseRest, request: Request, now: float) -> Past:
    with urllib.request.urlopen(request.url, timeout=HANG_SEC) as response:  # noqa: S310 - local
        return rest.read(request, response.read(), now)


def test_past_is_fetched_as_it_is_asked_for() -> None:
    """Sixty minutes but those without a trade, the prices of a day, and the newest trades."""
    now = time.time()
    with FakeCoinbase(trade_sec=0) as server:
        for turn in range(3):
            server.trade("BTC-USD", 77573.0 + turn, now - 3 + turn)
        rest = CoinbaseRest(server.rest_url)
        hour, day, trades = rest.requests("crypto", ["BTC-USD"], now, now - 86400)
        candles = fetched(rest, hour, now).candles
        newest = int(now // 60) * 60 - 60
        expected = [at for at in range(newest - 3540, newest + 1, 60) if at // 60 % 7]
        assert [one.minute for one in candles] == expected
        assert all(one.low < one.close < one.high for one in candles)
        ends = [reference.ts for reference in fetched(rest, day, now).references]
        assert len(ends) > 250
        assert all(later - earlier in (300, 600) for earlier, later in pairwise(ends))
        assert ends[0] < now - 86400
        assert now - 600 < ends[-1] <= now
        assert [one.price for one in fetched(rest, trades, now).trades][-3:] == [
            77573.0,
            77574.0,
            77575.0,
        ]
        assert day.want is Want.DAY
        assert len(server.asked) == 3


def test_server_of_the_past_refuses_what_is_too_much() -> None:
    """More than 300 rows at once, and products that it has not."""
    with FakeCoinbase(trade_sec=0) as server:
        for query in (
            "BTC-USD/candles?granularity=60&start=2026-09-02T00:00:00Z&end=2026-09-02T05:00:00Z",
            "GONE-USD/trades?limit=100",
        ):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{server.rest_url}/products/{query}")  # noqa: S310 - local
            assert caught.value.code in (400, 404)
            assert "message" in json.loads(caught.value.read())
            caught.value.close()
