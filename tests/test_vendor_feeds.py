"""The feeds of several vendors: which prices reach the queue, when, and whose hours count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from feeds import TickQueue, Timing
from sessions import ALWAYS, Session
from sources.failover import Patience
from sources.hours import FeedHours
from sources.lanes import Outlet
from sources.vendor_feeds import VendorFeeds
from tests.harbor import Harbor, HarborServer
from tests.waiting import HANG_SEC
from ticks import Asset, Tick
from vendors.coinbase import Coinbase
from vendors.kraken import Kraken
from vendors.wire import Vendor

KEY: Final = "SECRETKEY0123456789"

WANTED: Final[Mapping[Asset, Sequence[str]]] = {
    "stocks": (),
    "forex": (),
    "crypto": ("BTC-USD", "BTC-EUR"),
}

FAST: Final = Timing(backoff_floor_sec=0.02, backoff_cap_sec=0.05)


def at(ts: float, symbol: str = "BTC-USD") -> Tick:
    return Tick(symbol, "crypto", ts, 1.0)


def let_through(outlet: Outlet, queue: TickQueue, *times: float) -> list[float]:
    """The times of those prices that come through, as ticks and as last prices alike."""
    for ts in times:
        outlet.add(at(ts))
        outlet.add_last_price(at(ts))
    ticks, last_prices = queue.drain()
    assert ticks == last_prices
    return [tick.ts for tick in ticks]


def test_an_outlet_lets_the_prices_of_a_span_through() -> None:
    """From a second on, and before one, as the store rounds; none of other symbols."""
    queue = TickQueue()
    outlet = Outlet(queue)
    times = (99.0, 99.999, 99.9996, 100.0, 104.9994, 104.9996, 105.0)
    assert let_through(outlet, queue, *times) == []
    outlet.open(["BTC-USD"], 100)
    assert let_through(outlet, queue, *times) == list(times[2:])
    outlet.close(["BTC-USD", "ETH-USD"], 105)
    assert let_through(outlet, queue, *times) == list(times[2:5])
    # Closed once, it stays so.
    outlet.close(["BTC-USD"], 200)
    assert let_through(outlet, queue, *times) == list(times[2:5])
    outlet.open(["BTC-USD"], 300)
    assert let_through(outlet, queue, *times, 300.0) == [300.0]
    outlet.add(at(300.0, "ETH-USD"))
    assert len(queue) == 0


async def keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    await run()


def test_a_clock_that_was_wrong_keeps_nobody_waiting() -> None:
    """A vendor that was to serve from a second of a wrong time on serves from now on."""
    ahead = [40.0]
    served: list[tuple[str, int, tuple[str, ...]]] = []

    async def run(one: HarborServer, two: HarborServer) -> None:
        queue, two_serves = TickQueue(), asyncio.Event()

        def serve(asset: Asset, symbols: Sequence[str], vendor: str, second: int) -> None:
            served.append((vendor, second, tuple(symbols)))
            if vendor == "Two":
                two_serves.set()

        feeds = VendorFeeds(
            WANTED,
            queue,
            lambda: time.time() + ahead[0],
            {
                "stocks": (),
                "forex": (),
                "crypto": (Harbor(one.url, KEY, name="One"), Harbor(two.url, KEY, name="Two")),
            },
            timing=FAST,
            patience=Patience(pass_over_sec=0.1, healthy_sec=60.0, look_sec=0.02),
        )
        running = asyncio.create_task(feeds.run(keep, serve=serve))
        async with asyncio.timeout(HANG_SEC):
            await queue.wait()
            one.is_down = True
            await two_serves.wait()
            assert feeds.vendors() == {"BTC-USD": "Two"}
            queue.drain()
            ahead[0] = 0.0
            feeds.reset()
            await queue.wait()
            ticks, _ = queue.drain()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert {round(tick.price) for tick in ticks} == {90}
        assert ticks[0].ts >= served[-1][1] - 0.001

    with HarborServer(KEY) as one, HarborServer(KEY) as two:
        two.level = 90.0
        asyncio.run(run(one, two))
    assert [(vendor, symbols) for vendor, _, symbols in served] == [
        ("One", ("BTC-USD",)),
        ("Two", ("BTC-USD",)),
        ("Two", ("BTC-USD",)),
    ]
    assert 35 < served[1][1] - served[2][1] < 45


def test_prices_of_before_a_restart_and_new_ones_share_no_second() -> None:
    """They may be another vendor's, of the second in which this one begins."""
    served: list[tuple[int, tuple[str, ...]]] = []

    async def run(one: HarborServer, two: HarborServer) -> list[Tick]:
        queue = TickQueue()
        vendors = (Harbor(one.url, KEY, name="One"), Harbor(two.url, KEY, name="Two"))
        wanted = {**WANTED, "crypto": ("BTC-USD", "ETH-USD")}
        chains: dict[Asset, Sequence[Vendor]] = {"stocks": (), "forex": (), "crypto": vendors}
        feeds = VendorFeeds(wanted, queue, time.time, chains, timing=FAST)
        feeds.restore([at(newest)])
        running = asyncio.create_task(
            feeds.run(keep, serve=lambda _, names, __, at: served.append((at, tuple(names))))
        )
        found: list[Tick] = []
        async with asyncio.timeout(HANG_SEC):
            while not any(tick.symbol == "BTC-USD" for tick in found):
                await queue.wait()
                found += queue.drain()[0]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return found

    newest = time.time() + 1.5
    with HarborServer(KEY) as one, HarborServer(KEY) as two:
        found = asyncio.run(run(one, two))
    begins = {symbol: second for second, names in served for symbol in names}
    assert begins["BTC-USD"] > newest
    assert begins["ETH-USD"] < newest
    for tick in found:
        assert tick.ts >= begins[tick.symbol] - 0.001


def test_the_hours_of_a_class_without_a_vendor_are_the_calendars() -> None:
    """Whoever asks, of the present as of the past."""
    closed = Session("closed", 0.0, 100.0, 100.0)

    def calendar(asset: Asset, now: float) -> Session:
        return closed if now < 100.0 else ALWAYS

    hours = FeedHours(lambda: 150.0, calendar)
    assert not hours.streams_at("stocks", 50.0)
    assert hours.streams_at("stocks", 149.0)
    assert hours.hours("stocks", 50.0).phase == "closed"
    assert hours.hours("stocks", 150.0).phase == "open"


def test_other_symbols_are_asked_for_while_the_rest_goes_on() -> None:
    """Of the vendor of that class, once more; a class of others keeps its feed."""
    both: dict[Asset, Sequence[Vendor]] = {
        "stocks": (),
        "forex": (Kraken(),),
        "crypto": (Harbor("ws://one", KEY, name="One", symbol_limit=2), Coinbase()),
    }
    wanted: Mapping[Asset, Sequence[str]] = {
        "stocks": (),
        "forex": ("EURUSD",),
        "crypto": ("BTC-USD", "ETH-USD", "SOL-USD"),
    }
    feeds = VendorFeeds(wanted, TickQueue(), time.time, both)
    assert feeds.vendors() == {
        "EURUSD": "Kraken",
        "BTC-USD": "One",
        "ETH-USD": "One",
        "SOL-USD": "Coinbase",
    }
    feeds.want({"forex": ("EURUSD",), "crypto": ("BTC-USD", "SOL-USD", "ADA-USD", "DOGE-USD")})
    # Who serves a symbol goes on to; what is new has what room there is.
    assert feeds.vendors() == {
        "EURUSD": "Kraken",
        "BTC-USD": "One",
        "SOL-USD": "Coinbase",
        "ADA-USD": "Coinbase",
        "DOGE-USD": "Coinbase",
    }
    assert feeds.asked["crypto"] == ("BTC-USD", "SOL-USD", "ADA-USD", "DOGE-USD")
    asked = {(feed.asset, feed.vendor): feed.asked for feed in feeds.status()}
    assert asked["forex", "Kraken"] == ("EURUSD",)
