"""Kraken that misbehaves in every way it is known to, through the real worker beside EODHD."""

from __future__ import annotations

import logging
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import pytest

from feeds import FeedState, FeedStatus, Refusal, Timing, Trouble
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_kraken import FakeKraken
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import until
from ticks import ASSETS, Asset
from vendors.eodhd import Eodhd
from vendors.kraken import Kraken, Pace
from vendors.kraken_rest import KrakenRest
from vendors.rest import Want
from vendors.wire import Vendor
from worker import Worker

KEY: Final = "SECRETKEY0123456789"
SPACING_SEC: Final = 0.15

WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD", "USDINR", "USDJPY"),
    "crypto": ("BTC-USD", "ETH-USD", "NOPE-USD"),
}

TIMING: Final = Timing(
    backoff_floor_sec=0.02, backoff_cap_sec=0.1, refused_sec=0.5, throttled_sec=0.5
)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(server: FakeKraken, *, heartbeat_sec: float = 120.0) -> Iterator[Worker]:
    """A started worker with currencies and coins from Kraken, and stocks from EODHD."""
    kraken = Kraken(
        server.url,
        spacing_sec=SPACING_SEC,
        heartbeat_sec=heartbeat_sec,
        silence_sec=dict.fromkeys(ASSETS, 0.6),
        pace=Pace(batch_sec=0.01, answer_sec=0.2, again_sec=0.2, ping_sec=0.1),
    )
    with FaultyVendor() as eodhd:
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (Eodhd(eodhd.url, KEY),),
            "forex": (kraken,),
            "crypto": (kraken,),
        }
        settings = Settings(SourceSettings("eodhd", keys={"eodhd": (KEY,)}, watchlist=WATCHLIST))
        worker = Worker(settings, timing=TIMING, session=always, vendors=vendors, status_sec=0.01)
        worker.start()
        try:
            yield worker
            # Whatever one vendor does, the other's feed does not notice.
            until(lambda: feed_of(worker, "stocks").state is FeedState.LIVE)
            assert feed_of(worker, "stocks").reconnects == 0
            assert worker.status().faults == ()
            assert KEY not in f"{worker.status()!r}"
        finally:
            worker.stop()


def crypto(worker: Worker) -> FeedStatus:
    return feed_of(worker, "crypto")


def is_live(worker: Worker) -> bool:
    return all(feed_of(worker, asset).state is FeedState.LIVE for asset in ASSETS)


def assert_spaced(server: FakeKraken) -> None:
    """No more attempts than two connections may make in that time, and one that was seen late."""
    attempts = tuple(server.attempts)
    span = attempts[-1] - attempts[0]
    assert len(attempts) <= 2 * (span // SPACING_SEC + 1) + 1


def test_coins_and_currencies_stream_side_by_side(caplog: pytest.LogCaptureFixture) -> None:
    """Every trade and quote of every frame enters, once; what it has not is named."""
    with (
        caplog.at_level(logging.DEBUG),
        FakeKraken() as server,
        running(server) as worker,
    ):
        server.is_odd = True
        until(lambda: is_live(worker))
        until(lambda: crypto(worker).heard == ("BTC-USD", "ETH-USD"))
        until(lambda: feed_of(worker, "forex").heard == ("EURUSD", "USDJPY"))
        assert {feed.asset: feed.refused_symbols for feed in worker.status().feeds} == {
            "stocks": {},
            "forex": {"USDINR": Refusal.UNKNOWN},
            "crypto": {"NOPE-USD": Refusal.UNKNOWN},
        }
        channels = {channel: (pairs, params) for channel, pairs, params in server.asked}
        assert set(channels["ticker"][0]) == {"EUR/USD", "USD/JPY"}
        assert channels["ticker"][1]["event_trigger"] == "bbo"
        assert channels["trade"][1]["snapshot"] is False

        server.trades = False
        server.sweep("BTC/USD", 1000)
        coins = ("BTC/USD", "ETH/USD")
        until(lambda: crypto(worker).ticks == sum(server.sent[pair] for pair in coins))
        forex = feed_of(worker, "forex")
        # The snapshots entered no window; of messages that nobody knows none was a fault.
        until(lambda: feed_of(worker, "forex").refused == {"snapshot": 2})
        assert forex.missed == crypto(worker).missed == 0
        assert crypto(worker).refused == {}
        prices = worker.store.history("EURUSD", time.time())["price"].dropna()
        assert prices.between(1.1389, 1.1391).all()
        assert len(server.attempts) == 2
    assert KEY not in caplog.text
    assert set(server.close_codes) == {1000}


def test_quote_of_before_is_a_last_price_only() -> None:
    """With its own time, before anything happens; it is in no window."""
    with FakeKraken() as server:
        server.trades = False
        with running(server) as worker:
            until(lambda: worker.store.snapshot("EURUSD", time.time()))
            until(lambda: (worker.store.snapshot("EURUSD", time.time()) or {})["last"])
            now = time.time()
            row = worker.store.snapshot("EURUSD", now) or {}
            assert row["last"] == pytest.approx(1.13896 * 0.9)
            assert row["age"] > 9.0
            assert worker.store.history("EURUSD", now)["price"].isna().all()
            assert feed_of(worker, "forex").ticks == 0


def test_heartbeats_keep_connections_without_data() -> None:
    """Many times the silence that is said, without another connection; and then it goes on."""
    with FakeKraken() as server, running(server) as worker:
        until(lambda: is_live(worker))
        server.trades = False
        until(lambda: crypto(worker).state is FeedState.SILENT)
        status = crypto(worker)
        assert status.trouble is Trouble.NO_TICK
        until(lambda: (crypto(worker).seconds or 0.0) > 1.5)
        server.trades = True
        until(lambda: is_live(worker))
        assert len(server.attempts) == 2


def test_connection_without_any_frame_is_given_up() -> None:
    """It promised heartbeats; nobody hammers at it meanwhile."""
    with FakeKraken() as server, running(server, heartbeat_sec=0.3) as worker:
        until(lambda: is_live(worker))
        server.trades = server.beats = False
        until(lambda: crypto(worker).trouble is Trouble.SILENCE)
        until(lambda: len(server.attempts) >= 5)
        server.trades = server.beats = True
        until(lambda: is_live(worker))
        assert_spaced(server)


def test_maintenance_is_told_and_waited_for() -> None:
    """It closes with 1001 in the midst of it, and says so again to the next connection."""
    with FakeKraken() as server, running(server) as worker:
        until(lambda: is_live(worker))
        server.trades = False
        server.set_system("maintenance")
        until(lambda: crypto(worker).state is FeedState.MAINTENANCE)
        until(lambda: feed_of(worker, "forex").state is FeedState.MAINTENANCE)
        assert crypto(worker).trouble is Trouble.MAINTENANCE
        attempts = len(server.attempts)
        server.close(1001)
        until(lambda: len(server.attempts) >= attempts + 2)
        until(lambda: crypto(worker).state is FeedState.MAINTENANCE)
        assert crypto(worker).reconnects == 1
        server.set_system("post_only")
        server.trades = True
        server.set_system("online")
        until(lambda: is_live(worker))
        assert_spaced(server)


def test_maintenance_without_answers_is_no_refusal() -> None:
    """What was not answered is asked for once it goes on."""
    with FakeKraken() as server:
        server.set_system("cancel_only")
        server.unanswered = ("BTC/USD", "ETH/USD", "EUR/USD", "USD/JPY")
        with running(server, heartbeat_sec=0.5) as worker:
            until(lambda: crypto(worker).state is FeedState.MAINTENANCE)
            until(lambda: server.pings >= 10)
            assert crypto(worker).state is FeedState.MAINTENANCE
            assert crypto(worker).reconnects == 0
            server.unanswered = ()
            server.set_system("online")
            until(lambda: is_live(worker))


def test_symbol_without_an_answer_is_said_to_be_unconfirmed() -> None:
    """The others stream meanwhile; it is asked for again until it is answered."""
    with FakeKraken() as server:
        server.unanswered = ("ETH/USD",)
        with running(server) as worker:
            until(lambda: crypto(worker).refused_symbols.get("ETH-USD") is Refusal.UNCONFIRMED)
            until(lambda: crypto(worker).heard == ("BTC-USD",))
            assert crypto(worker).state is FeedState.LIVE
            server.unanswered = ()
            until(lambda: crypto(worker).heard == ("BTC-USD", "ETH-USD"))
            assert crypto(worker).refused_symbols == {"NOPE-USD": Refusal.UNKNOWN}


def test_after_a_reconnect_nothing_is_heard_twice() -> None:
    """Old trades that come again are duplicates; those that happened meanwhile are missed."""
    with FakeKraken() as server, running(server) as worker:
        until(lambda: is_live(worker))
        server.trades = False
        until(lambda: crypto(worker).ticks == server.sent["BTC/USD"] + server.sent["ETH/USD"])
        ticks = crypto(worker).ticks
        server.repeats = True
        server.skip("BTC/USD", 5)
        server.close(1001)
        until(lambda: crypto(worker).refused.get("duplicate") == 2)
        assert crypto(worker).ticks == ticks
        server.trades = True
        until(lambda: is_live(worker))
        until(lambda: crypto(worker).missed == 5)


def test_prices_that_come_late_are_of_their_time() -> None:
    """What waited in its queue is no news: it is too old for any window."""
    with FakeKraken() as server, running(server) as worker:
        until(lambda: is_live(worker))
        server.late_sec = 90.0
        before = sum(server.sent.values())
        until(lambda: sum(server.sent.values()) > before + 20)
        ticks = crypto(worker).ticks
        server.late_sec = None
        until(lambda: crypto(worker).refused.get("old", 0) >= 3)
        until(lambda: is_live(worker) and crypto(worker).ticks > ticks)
        # Nothing entered the past.
        now = time.time()
        assert worker.store.history("BTC-USD", now)["price"].iloc[-100:-60].isna().all()


REFUSALS: Final = [
    ("wants_parameters", True, FeedState.REFUSED, Trouble.BAD_REQUEST, None),
    ("exceeded", True, FeedState.RECONNECTING, Trouble.THROTTLED, None),
    ("reject", 403, FeedState.REFUSED, Trouble.HTTP_ERROR, 403),
    ("reject", 503, FeedState.RECONNECTING, Trouble.HTTP_ERROR, 503),
    ("most_attempts", 0, FeedState.RECONNECTING, Trouble.THROTTLED, None),
]


@pytest.mark.parametrize(("what", "value", "state", "trouble", "code"), REFUSALS)
def test_refusal_is_told_and_not_hammered_at(
    what: str, value: object, state: FeedState, trouble: Trouble, code: int | None
) -> None:
    """By a message or before the handshake; it ends by itself once the vendor relents."""
    with FakeKraken() as server:
        good = getattr(server, what)
        setattr(server, what, value)
        with running(server) as worker:
            until(lambda: crypto(worker).trouble is trouble)
            assert (crypto(worker).state, crypto(worker).code) == (state, code)
            assert_spaced(server)
            setattr(server, what, good)
            until(lambda: is_live(worker))


def test_policy_violation_is_a_refusal() -> None:
    """Any other code is not, however often it comes."""
    with FakeKraken() as server, running(server) as worker:
        until(lambda: is_live(worker))
        server.close(1008)
        until(lambda: crypto(worker).state is FeedState.REFUSED)
        assert (crypto(worker).trouble, crypto(worker).code) == (Trouble.BAD_REQUEST, 1008)
        until(lambda: is_live(worker))


def test_vendor_without_any_of_the_symbols_is_left_alone() -> None:
    """It closes a connection without a subscription after a while; that is no reason to hurry."""
    with FakeKraken() as server:
        server.unknown = ("BTC/USD", "ETH/USD")
        server.idle_sec = 0.3
        with running(server, heartbeat_sec=0.5) as worker:
            until(lambda: crypto(worker).trouble is Trouble.SYMBOLS_REFUSED)
            assert crypto(worker).state is FeedState.REFUSED
            until(lambda: crypto(worker).reconnects >= 2)
            assert server.pings >= 2
            assert_spaced(server)
            assert feed_of(worker, "forex").reconnects == 0
            server.unknown = ()
            until(lambda: is_live(worker))


def test_past_is_read_as_its_server_tells_it() -> None:
    """Over real HTTP: candles with any name of the pair, trades, a day; and errors as such."""
    with FakeKraken() as server:
        rest, now = KrakenRest(server.rest_url), time.time()
        found = {}
        for request in rest.requests("crypto", ["BTC-USD"], now, now - 86400):
            with urllib.request.urlopen(request.url) as answer:  # noqa: S310 - a local server
                past = rest.read(request, answer.read(), now)
            found[request.want, bool(past.trades)] = past
        hour = found[Want.LAST_HOUR, False].candles
        assert 59 <= len(hour) <= 61
        assert hour[-1].close == pytest.approx(83744.3 * 1.0005)
        assert len(found[Want.LAST_HOUR, True].trades) == 3
        day = found[Want.DAY, False].references
        assert day[0].ts < now - 86400 < day[-1].ts - 80000
