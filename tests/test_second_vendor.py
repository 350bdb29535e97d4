"""A second vendor beside EODHD, through the real worker: nothing outside vendors knows either."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from feeds import Attempts, Feed, FeedState, FeedStatus, Refusal, Role, TickQueue, Timing, Trouble
from page.status import status_card
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from sources.shares import allotted
from tests.faulty_vendor import FaultyVendor
from tests.harbor import PING_SEC, SOON_SILENT, SPACING_SEC, Harbor, HarborServer
from tests.statuses import feed_of
from tests.virtual_time import in_virtual_time
from tests.waiting import HANG_SEC, until
from ticks import Asset
from vendors.eodhd import Eodhd
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick, Vendor
from worker import Worker

KEY = "SECRETKEY0123456789"

WATCHLIST: Mapping[Asset, tuple[str, ...]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD", "DOGE-USD", "BTC-EUR", "ETH-USD"),
}

TIMING = Timing(
    backoff_floor_sec=0.05,
    backoff_cap_sec=0.2,
    refused_sec=0.3,
    quiet_sec=0.01,
)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(eodhd: str, harbor: Harbor, *, has_both: bool = False) -> Iterator[Worker]:
    """A started worker with coins from Harbor, and all else from EODHD.

    If it ``has_both``, EODHD is also asked for the coins that Harbor does not carry.
    """
    other = Eodhd(eodhd, KEY)
    vendors: Mapping[Asset, Sequence[Vendor]] = {
        "stocks": (other,),
        "forex": (other,),
        "crypto": (harbor, other) if has_both else (harbor,),
    }
    settings = Settings(SourceSettings("eodhd", keys={"eodhd": (KEY,)}, watchlist=WATCHLIST))
    worker = Worker(settings, timing=TIMING, session=always, vendors=vendors, status_sec=0.01)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_two_vendors_stream_side_by_side(caplog: pytest.LogCaptureFixture) -> None:
    """Each in its own way, into one store; and what the second has not, or refuses, is named."""
    with (
        caplog.at_level(logging.DEBUG),
        FaultyVendor() as eodhd,
        HarborServer(KEY, unknown=["doge/usd"]) as server,
        running(eodhd.url, Harbor(server.url, KEY)) as worker,
    ):
        for asset in WATCHLIST:
            until(lambda asset=asset: feed_of(worker, asset).state is FeedState.LIVE)  # type: ignore[misc]
        assert [feed_of(worker, asset).vendor for asset in WATCHLIST] == [
            "EODHD",
            "EODHD",
            "Harbor",
        ]
        until(lambda: feed_of(worker, "crypto").heard == ("BTC-USD", "ETH-USD"))
        status = feed_of(worker, "crypto")
        assert status.asked == WATCHLIST["crypto"]
        assert status.refused_symbols == {
            "BTC-EUR": Refusal.UNKNOWN,
            "DOGE-USD": Refusal.NOT_COVERED,
        }
        assert status.symbol_limit is None
        assert feed_of(worker, "stocks").symbol_limit == 50

        # Subscribed one by one, pinged, and never sent away.
        assert server.joins == ["btc/usd", "doge/usd", "eth/usd"]
        until(lambda: server.pings >= 3)

        # Every trade of every frame entered, and no snapshot did.
        server.trades = False
        until(lambda: feed_of(worker, "crypto").ticks == server.sent)
        assert feed_of(worker, "crypto").refused == {"snapshot": 2}
        until(lambda: (worker.store.snapshot("ETH-USD", time.time()) or {}).get("last", 0) >= 78)
        prices = worker.store.history("BTC-USD", time.time())["price"].dropna()
        assert prices.between(78.0, 78.01).all()
        assert server.connections == 1
        assert feed_of(worker, "crypto").reconnects == 0
        assert worker.status().faults == ()
        assert KEY not in f"{worker.status()!r}{worker!r}"
    assert KEY not in caplog.text
    assert server.close_codes == [1000]


def test_price_that_is_not_fresh_is_a_last_price_only() -> None:
    """Before anybody trades there is a price to show, which is in no window."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.trades = False
        with running(eodhd.url, Harbor(server.url, KEY)) as worker:
            until(lambda: (worker.store.snapshot("BTC-USD", time.time()) or {}).get("last") == 77.5)
            status = feed_of(worker, "crypto")
            assert status.ticks == 0
            assert status.last_tick_age is None
            assert status.skew is None
            assert worker.store.history("BTC-USD", time.time())["price"].isna().all()


def test_heartbeats_keep_a_connection_that_has_no_prices() -> None:
    """Said to be silent, and not reconnected however long nobody trades; by then pings matter."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as server,
        running(eodhd.url, Harbor(server.url, KEY, silence_sec=SOON_SILENT)) as worker,
    ):
        until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
        server.trades = False
        until(lambda: feed_of(worker, "crypto").trouble is Trouble.NO_TICK)
        pings = server.pings
        # Many times the silence that would end a connection without heartbeats.
        until(lambda: server.pings >= pings + 8)
        assert feed_of(worker, "crypto").state is FeedState.SILENT
        assert server.connections == 1
        server.trades = True
        until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
        assert server.connections == 1


def test_connection_without_heartbeats_is_given_up() -> None:
    """No frame at all: the vendor promised one; the other vendor's feeds do not notice."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        quiet = Harbor(server.url, KEY, heartbeat_sec=PING_SEC / 2)
        server.trades = server.beats = False
        seen: list[FeedStatus] = []
        with running(eodhd.url, quiet) as worker:

            def is_given_up() -> bool:
                seen.append(feed_of(worker, "crypto"))
                return seen[-1].trouble is Trouble.SILENCE

            until(is_given_up)
            assert seen[-1].seconds == PING_SEC / 2
            until(lambda: server.connections >= 3)
            until(lambda: feed_of(worker, "stocks").state is FeedState.LIVE)
            assert feed_of(worker, "stocks").reconnects == 0
            server.trades = server.beats = True
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)


def test_login_that_is_denied_is_a_refused_key(caplog: pytest.LogCaptureFixture) -> None:
    """After the handshake, by message; the key that the vendor quotes is nowhere."""
    with caplog.at_level(logging.DEBUG), FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.denies = True
        with running(eodhd.url, Harbor(server.url, KEY)) as worker:
            until(lambda: feed_of(worker, "crypto").state is FeedState.REFUSED)
            status = feed_of(worker, "crypto")
            assert (status.trouble, status.code) == (Trouble.KEY_REFUSED, None)
            assert status.key_setting == "HARBOR_SECRET"
            assert feed_of(worker, "stocks").key_setting == "EODHD_API_KEY"
            assert KEY not in f"{status!r}"
            server.denies = False
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
    assert KEY not in caplog.text


def test_vendor_that_does_not_serve_this_place_is_not_asked_again() -> None:
    """Nothing gets better by asking: only a computer that woke, perhaps elsewhere, asks anew."""

    async def play(server: HarborServer) -> None:
        harbor, loop = Harbor(server.url, KEY), asyncio.get_running_loop()
        feed = Feed(harbor, "crypto", ["BTC-USD"], TickQueue(), time.time, timing=TIMING)
        running = loop.create_task(feed.run())

        def is_(state: FeedState) -> bool:
            return feed.status(time.time()).state is state

        await asyncio.to_thread(until, lambda: is_(FeedState.REFUSED))
        status = feed.status(time.time())
        assert (status.trouble, status.code) == (Trouble.UNAVAILABLE, 451)
        assert (status.attempt, status.retry_at) == (0, None)
        assert KEY not in f"{status!r}"
        assert server.connections == 1
        server.is_abroad = False
        feed.reconnect(3600.0)
        await asyncio.to_thread(until, lambda: is_(FeedState.LIVE))
        assert server.connections == 2
        running.cancel()
        await asyncio.wait([running])

    with HarborServer(KEY) as server:
        server.is_abroad = True
        asyncio.run(play(server))


@pytest.mark.parametrize("is_date", [False, True])
def test_vendor_out_of_service_is_left_alone_as_long_as_it_asks(is_date: bool) -> None:
    """Whether it says for how long or until when."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.retry_after = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        if not is_date:
            server.retry_after = "3000"
        with running(eodhd.url, Harbor(server.url, KEY)) as worker:
            until(lambda: feed_of(worker, "crypto").state is FeedState.RECONNECTING)
            status = feed_of(worker, "crypto")
            assert (status.trouble, status.code) == (Trouble.HTTP_ERROR, 503)
            assert status.retry_at is not None
            assert 2900 < status.retry_at - time.time() < 3700
            assert server.connections == 1


@pytest.mark.parametrize(
    ("word", "trouble"),
    [("busy", Trouble.CONNECTION_LIMIT), ("other plan", Trouble.PLAN_REFUSED)],
)
def test_refusal_by_message_is_told_as_what_it_is(word: str, trouble: Trouble) -> None:
    """And no other feed notices."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.word = word, ""
        with running(eodhd.url, Harbor(server.url, KEY)) as worker:
            until(lambda: feed_of(worker, "crypto").trouble is trouble)
            assert feed_of(worker, "crypto").state is FeedState.REFUSED
            until(lambda: feed_of(worker, "stocks").state is FeedState.LIVE)


def test_maintenance_is_no_silence() -> None:
    """It is said, and the connection stays, however long it takes; then prices are expected."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        patient = Harbor(server.url, KEY, heartbeat_sec=None)
        with running(eodhd.url, patient) as worker:
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
            server.word, server.trades = ("paused", ""), False
            until(lambda: feed_of(worker, "crypto").state is FeedState.MAINTENANCE)
            pings = server.pings
            # Many times the silence that would end the connection.
            until(lambda: server.pings >= pings + 8)
            assert server.connections == 1
            server.word, server.trades = ("back", ""), True
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
            assert server.connections == 1


def test_connection_is_renewed_when_the_vendor_announces_its_end() -> None:
    """At a quiet moment, without a fault, and no more often than the vendor's spacing allows."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        spaced = Harbor(server.url, KEY, spacing_sec=60.0)
        with running(eodhd.url, spaced) as worker:
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
            server.word = "leaving", ""
            until(lambda: feed_of(worker, "crypto").trouble is Trouble.RENEWAL)
            status = feed_of(worker, "crypto")
            assert status.state is FeedState.RECONNECTING
            assert status.retry_at is not None
            assert status.retry_at - time.time() > 30
            until(lambda: server.close_codes)
            assert server.close_codes == [1000]


def test_old_connection_is_renewed_before_the_vendor_ends_it() -> None:
    """The vendor ends each at a known age."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        aging = Harbor(server.url, KEY, renew_sec=0.2)
        with running(eodhd.url, aging):
            until(lambda: server.connections >= 3 and len(server.close_codes) >= 2)
            assert set(server.close_codes) == {1000}


def test_close_code_that_is_final_is_a_refusal() -> None:
    """Other codes are followed by the next attempt."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.closes_with = 1008
        with running(eodhd.url, Harbor(server.url, KEY, terminal_code=1008)) as worker:
            until(lambda: feed_of(worker, "crypto").state is FeedState.REFUSED)
            assert feed_of(worker, "crypto").trouble is Trouble.BAD_REQUEST


def test_account_that_somebody_else_uses_is_left_to_them() -> None:
    """Of one connection per account, the second that ends at once tells that it is in use."""
    with FaultyVendor() as eodhd, HarborServer(KEY) as server:
        server.closes_with = 1001
        with running(eodhd.url, Harbor(server.url, KEY, connections=1)) as worker:
            until(lambda: feed_of(worker, "crypto").trouble is Trouble.CONNECTION_LIMIT)
            status = feed_of(worker, "crypto")
            assert status.state is FeedState.REFUSED
            assert status.retry_at is not None
            assert status.retry_at - time.time() > 200
            assert server.connections == 2


def test_halt_is_told_until_trading_goes_on() -> None:
    """Of symbols that were asked for alone: whatever comes, the status does not grow."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as server,
        running(eodhd.url, Harbor(server.url, KEY)) as worker,
    ):
        server.word = "halt", "rubbish"
        until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
        server.trades = False
        server.word = "halt", "eth/usd"
        until(lambda: feed_of(worker, "crypto").halted)
        assert set(feed_of(worker, "crypto").halted) == {"ETH-USD"}
        server.word = "go on", "eth/usd"
        until(lambda: not feed_of(worker, "crypto").halted)
        server.word = "halt", "eth/usd"
        until(lambda: feed_of(worker, "crypto").halted)
        # A price is as good, if nobody says more.
        server.word = None
        server.trades = True
        until(lambda: not feed_of(worker, "crypto").halted)


def test_one_class_has_feeds_of_two_vendors() -> None:
    """Each knows its own, and both fill one queue."""

    async def run(eodhd: str, harbor: str) -> None:
        queue = TickQueue()
        both = [
            Feed(Eodhd(eodhd, KEY), "crypto", ("BTC-USD",), queue, time.time),
            Feed(Harbor(harbor, KEY), "crypto", ("ETH-USD",), queue, time.time),
        ]
        tasks = [asyncio.create_task(one.run()) for one in both]
        heard: set[str] = set()
        async with asyncio.timeout(HANG_SEC):
            while heard != {"BTC-USD", "ETH-USD"}:
                await queue.wait()
                heard |= {tick.symbol for tick in queue.drain()[0]}
        statuses = [one.status(time.time()) for one in both]
        assert [(s.vendor, s.asset, s.heard) for s in statuses] == [
            ("EODHD", "crypto", ("BTC-USD",)),
            ("Harbor", "crypto", ("ETH-USD",)),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with FaultyVendor() as eodhd, HarborServer(KEY) as harbor:
        asyncio.run(run(eodhd.url, harbor.url))


def test_two_vendors_serve_one_class_of_the_worker() -> None:
    """Each coin comes from the first vendor that carries it, and each feed has its own status."""
    with (
        FaultyVendor() as eodhd,
        HarborServer(KEY) as server,
        running(eodhd.url, Harbor(server.url, KEY), has_both=True) as worker,
    ):

        def coins() -> list[FeedStatus]:
            return [feed for feed in worker.status().feeds if feed.asset == "crypto"]

        until(lambda: [feed.state for feed in coins()] == [FeedState.LIVE] * 2)
        assert {feed.vendor: feed.asked for feed in coins()} == {
            "Harbor": ("BTC-USD", "DOGE-USD", "ETH-USD"),
            "EODHD": ("BTC-EUR",),
        }
        assert len(worker.status().feeds) == 4
        assert all(feed.role is Role.SERVING for feed in worker.status().feeds)
        assert {s: feed.vendor for feed in coins() for s in feed.serves} == {
            "BTC-USD": "Harbor",
            "DOGE-USD": "Harbor",
            "ETH-USD": "Harbor",
            "BTC-EUR": "EODHD",
        }
        assert worker.reader.symbols(("crypto",)) == list(WATCHLIST["crypto"])
        card = status_card(worker.status(), time.time(), time.time())
        assert len({line.key for line in card.feeds}) == 4
        assert {(line.asset, line.vendor) for line in card.feeds} == {
            ("stocks", "EODHD"),
            ("forex", "EODHD"),
            ("crypto", "Harbor"),
            ("crypto", "EODHD"),
        }


def test_an_account_has_one_limit_over_its_classes() -> None:
    """What one vendor carries is not asked of another, and what finds no room is named."""
    small, harbor = Eodhd("ws://e", KEY, symbol_limit=3), Harbor("ws://h", KEY, symbol_limit=1)
    vendors: Mapping[Asset, Sequence[Vendor]] = {
        "stocks": (small,),
        "forex": (small,),
        "crypto": (harbor, small),
    }
    found = [
        (share.vendor.name, share.place.asset, share.asked, share.unasked)
        for share in allotted(WATCHLIST, vendors)
    ]
    assert sorted(found) == [
        ("EODHD", "crypto", ("BTC-EUR",), ()),
        ("EODHD", "forex", ("EURUSD",), ()),
        ("EODHD", "stocks", ("AAPL",), ("MSFT",)),
        ("Harbor", "crypto", ("BTC-USD",), ("DOGE-USD", "ETH-USD")),
    ]


def test_feed_speaks_when_its_dialogue_wants_to() -> None:
    """A subscription at a time and no faster than the vendor allows, and pings for ever."""
    said: list[tuple[float, str]] = []

    class Socket:
        """Welcomes, and then only listens."""

        def __init__(self) -> None:
            self._frames = [b'["welcome",null]']

        async def recv(self, *, decode: bool) -> bytes:
            if not self._frames:
                await asyncio.sleep(3600)
            return self._frames.pop()

        async def send(self, message: str) -> None:
            request = json.loads(message)
            said.append((round(asyncio.get_running_loop().time(), 6), request.get("pair", "")))

        async def close(self) -> None:
            pass

    async def connect(url: str, **options: Any) -> Any:
        return Socket()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        names = ("BTC-USD", "DOGE-USD", "ETH-USD")
        vendor = Harbor("ws://h", KEY, heartbeat_sec=None)
        subject = Feed(
            vendor, "crypto", names, TickQueue(), time.time, connect=connect, monotonic=loop.time
        )
        running = asyncio.create_task(subject.run())
        await asyncio.sleep(0.39)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    assert said[0] == (0.0, "")
    assert [at for at, pair in said if pair] == pytest.approx([0.0, SPACING_SEC, 2 * SPACING_SEC])
    assert [at for at, pair in said[1:] if not pair] == pytest.approx([0.0, PING_SEC])


def attempts_of_three(seconds: float, *answers: Exception) -> list[float]:
    """When three feeds of a vendor ask it, which answers so, and then not at all."""
    tried: list[float] = []
    left = list(answers)

    async def refuse(url: str, **options: Any) -> Any:
        tried.append(asyncio.get_running_loop().time())
        raise left.pop(0) if left else ConnectionRefusedError

    async def run() -> None:
        loop = asyncio.get_running_loop()
        vendor, attempts = Harbor("ws://h", KEY, spacing_sec=5.0), Attempts(5.0)
        feeds = [
            Feed(
                vendor,
                "crypto",
                (name,),
                TickQueue(),
                time.time,
                attempts=attempts,
                timing=TIMING,
                connect=refuse,
                monotonic=loop.time,
            )
            for name in ("BTC-USD", "ETH-USD", "SOL-USD")
        ]
        running = [asyncio.create_task(one.run()) for one in feeds]
        await asyncio.sleep(seconds)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    in_virtual_time(run())
    return tried


def test_feeds_of_a_vendor_share_its_attempts() -> None:
    """However many they are, the vendor is asked no more often than it wants."""
    tried = attempts_of_three(60)
    assert tried[0] == 0.0
    assert len(tried) >= 12
    assert all(after - before >= 5.0 - 1e-6 for before, after in pairwise(tried))


@pytest.mark.parametrize("status", [429, 503])
def test_vendor_that_wants_to_be_left_alone_is_by_all_its_feeds(status: int) -> None:
    """Those that were about to ask it included."""
    headers = Headers([("Retry-After", "90")])
    tried = attempts_of_three(150, InvalidStatus(Response(status, "no", headers)))
    assert tried[0] == 0.0
    assert tried[1] >= 90.0
    assert len(tried) >= 8
    assert all(after - before >= 5.0 - 1e-6 for before, after in pairwise(tried))


# Its dialogue, without any socket.


def talk() -> Dialogue:
    return Harbor("ws://h", KEY).dialogue("crypto", ["BTC-USD", "ETH-USD"])


def test_dialogue_spaces_what_it_sends() -> None:
    """Nothing before the welcome; then a subscription at a time, and pings for ever."""
    one = talk()
    assert KEY in one.begin()[0]
    assert one.due(0.0) == ([], math.inf)
    assert one.receive(b'["welcome",null]', 0.0) == [Notice(NoticeKind.AUTHORIZED)]
    frames, again = one.due(1.0)
    assert len(frames) == 2
    assert again == 1.0 + SPACING_SEC
    assert len(one.due(again)[0]) == 1
    assert one.due(again)[1] == 1.0 + PING_SEC


def test_dialogue_reads_any_number_of_prices() -> None:
    """In our spelling, and marked if they are not fresh."""
    one = talk()
    trade = '["btc/usd","78.5","2026-09-25T17:48:26.844359Z"]'
    expected = RawTick("BTC-USD", 1790358506.844359, 78.5, "")
    assert one.receive(f'["trades",[{trade},{trade}]]'.encode(), 0.0) == [expected] * 2
    assert one.receive(b'["trades",[]]', 0.0) == []
    assert one.receive(f'["past",[{trade}]]'.encode(), 0.0) == [expected._replace(is_snapshot=True)]
    assert one.receive(b"rubbish", 0.0) == [Notice(NoticeKind.UNREADABLE)]
