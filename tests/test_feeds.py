"""Feed, Backoff and TickQueue: the pace of reconnecting, the queue's bound, and cancellation."""

from __future__ import annotations

import asyncio
import json
import random
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, NoReturn

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.http11 import Response

import sessions
from feeds import Backoff, Feed, FeedState, FeedStatus, Refusal, TickQueue, Timing, Trouble, allot
from sessions import HoursFrom, MarketHours, Phase
from sessions import Session as Hours
from tests.faulty_vendor import (
    AUTHORIZED,
    BAD_REQUEST,
    FORBIDDEN,
    OVER_LIMIT,
    TOO_EARLY,
    Behaviour,
    FaultyVendor,
    Raw,
    Rejection,
    Session,
    tick,
)
from tests.virtual_time import in_virtual_time
from tests.waiting import HANG_SEC, until
from ticks import Asset, Tick
from vendors.eodhd import Eodhd

NOON = 1_790_330_110.0  # a Friday
KEY = "SECRETKEY0123456789"
SYMBOLS = ("BTC-USD", "ETH-USD")
VENDOR = Eodhd("ws://localhost/ws", KEY)


def feed(vendor: Eodhd = VENDOR, **options: Any) -> Feed:
    given: dict[str, Any] = {"queue": TickQueue(), "clock": time.time} | options
    return Feed(vendor, "crypto", SYMBOLS, **given)


# The queue.


def ticks(count: int) -> list[Tick]:
    return [Tick("BTC-USD", "crypto", NOON + number, 1.0) for number in range(count)]


def test_full_queue_drops_the_oldest_and_counts_it() -> None:
    """The newest stay, in their order."""
    queue = TickQueue(3)
    for one in ticks(5):
        queue.add(one)
    queue.add(Tick("EURUSD", "forex", NOON, 1.0))
    assert queue.dropped == {"crypto": 3}
    assert len(queue) == 3
    taken, snapshots = queue.drain()
    assert [one.ts - NOON for one in taken] == [3, 4, 0]
    assert snapshots == []
    assert len(queue) == 0


def test_queue_of_last_prices_is_bounded_too() -> None:
    """What may only set a last price is counted like any other when it finds no room."""
    queue = TickQueue(3)
    for one in ticks(5):
        queue.add_last_price(one)
    taken, snapshots = queue.drain()
    assert taken == []
    assert [one.ts - NOON for one in snapshots] == [2, 3, 4]
    assert queue.dropped == {"crypto": 2}


def test_wait_returns_when_there_is_something_and_only_then() -> None:
    """Taking empties the queue, and waiting waits again."""

    async def run() -> None:
        queue = TickQueue()
        for add in (queue.add, queue.add_last_price):
            waiting = asyncio.create_task(queue.wait())
            await asyncio.sleep(0)
            assert not waiting.done()
            add(ticks(1)[0])
            await waiting
            await queue.wait()
            queue.drain()

    asyncio.run(run())


def test_flood_beyond_the_queue_keeps_the_newest_and_the_connection() -> None:
    """The reader never waits for whoever takes: here nobody does."""
    flood, room = 5_000, 100

    async def floods(session: Session) -> None:
        await session.subscribed()
        now = time.time()
        for number in range(flood):
            await session.send(tick("crypto", "BTC-USD", ts=now - 1 + number / flood))
        await session.ws.wait_closed()

    async def run(url: str) -> None:
        queue = TickQueue(room)
        subject = feed(Eodhd(url, KEY), queue=queue)
        running = asyncio.create_task(subject.run())
        deadline = time.monotonic() + HANG_SEC
        while subject.status(time.time()).ticks < flood:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        status = subject.status(time.time())
        assert status.state is FeedState.LIVE
        assert status.dropped == flood - room
        assert len(queue) == room
        kept, _ = queue.drain()
        assert [one.ts for one in kept] == sorted(one.ts for one in kept)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with FaultyVendor(crypto=floods) as vendor:
        asyncio.run(run(vendor.url))
        assert len(vendor.attempts("crypto")) == 1


# The symbols' budget.


@pytest.mark.parametrize(
    ("limit", "counts"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (7, (3, 3, 1)), (20, (9, 4, 1))]
)
def test_budget_is_dealt_out_in_turns(limit: int, counts: tuple[int, int, int]) -> None:
    """Each class keeps its first symbols; a long list leaves room for the others."""
    wanted: Mapping[Asset, list[str]] = {
        "stocks": [f"S{number}" for number in range(9)],
        "forex": [f"F{number}" for number in range(4)],
        "crypto": ["C0"],
    }
    chosen = allot(wanted, limit)
    assert tuple(map(len, chosen.values())) == counts
    assert all(chosen[asset] == wanted[asset][: len(chosen[asset])] for asset in wanted)


# Backoff.


def test_backoff_doubles_between_floor_and_cap_and_is_forgotten() -> None:
    """The longest wait of each attempt; the shortest is the floor, whatever the attempt."""
    backoff = Backoff(floor_sec=0.5, cap_sec=60.0)
    longest = []
    for attempt in range(1, 9):
        backoff = backoff.failed()
        assert backoff.attempt == attempt
        assert backoff.wait_sec(0.0) == 0.5
        longest.append(backoff.wait_sec(1.0))
    assert longest == [2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff.wait_sec(0.5) == pytest.approx(30.25)
    assert backoff.reset() == Backoff(floor_sec=0.5, cap_sec=60.0)


def test_backoff_of_countless_attempts_is_the_cap() -> None:
    """No power overflows; and a floor above the cap is the wait."""
    assert Backoff(attempt=1_000_000).wait_sec(1.0) == 60.0
    assert Backoff(floor_sec=5.0, cap_sec=1.0, attempt=3).wait_sec(0.7) == 5.0


# How often a vendor is asked that refuses: in reality ...


def after_subscribing(frame: str, code: int) -> Behaviour:
    async def behave(session: Session) -> None:
        await session.subscribed()
        await session.send(frame)
        await session.ws.close(code)

    return behave


def at_once(frame: str, code: int) -> Behaviour:
    async def behave(session: Session) -> None:
        await session.send(frame)
        await session.ws.close(code)

    return behave


async def one_tick_and_the_end(session: Session) -> None:
    await session.subscribed()
    await session.ticks(1)


async def cut_at_once(session: Session) -> None:
    session.cut()


REFUSALS: dict[str, Behaviour | Rejection | Raw] = {
    "forbidden": at_once(FORBIDDEN, 1000),
    "500 after subscribing": after_subscribing(TOO_EARLY, 1000),
    "1001 after subscribing": after_subscribing(AUTHORIZED, 1001),
    "1011 after subscribing": after_subscribing(AUTHORIZED, 1011),
    "1012 at once": at_once(AUTHORIZED, 1012),
    "bad request": after_subscribing(BAD_REQUEST, 1000),
    "429": at_once('{"status":429,"message":"x"}', 1000),
    "a tick and the end": one_tick_and_the_end,
    "cut": cut_at_once,
    "HTTP 401": Rejection(401),
    "HTTP 429": Rejection(429),
    "HTTP 503": Rejection(503),
    "no handshake": Raw(b"", ends=True),
}


def test_at_most_five_connections_in_three_seconds_however_they_end() -> None:
    """With the waiting times of production, each way of refusing on a server of its own."""

    async def run(urls: list[str]) -> None:
        running = [asyncio.create_task(feed(Eodhd(url, KEY)).run()) for url in urls]
        await asyncio.sleep(3)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    vendors = {name: FaultyVendor(crypto=refusal) for name, refusal in REFUSALS.items()}
    for vendor in vendors.values():
        vendor.__enter__()
    try:
        asyncio.run(run([vendor.url for vendor in vendors.values()]))
    finally:
        for vendor in vendors.values():
            vendor.stop()
    attempts = {name: len(vendor.attempts("crypto")) for name, vendor in vendors.items()}
    assert min(attempts.values()) >= 1
    assert max(attempts.values()) <= 5, attempts
    once = ("forbidden", "bad request", "429", "HTTP 401", "HTTP 429")
    assert {name: attempts[name] for name in once} == dict.fromkeys(once, 1)


# ... and over minutes of virtual time.


Frame = tuple[float, str | Callable[[], str]]
"""Seconds after the one before, and the text or what makes it."""


class ScriptedSocket:
    """The client's end of a connection, of which each frame arrives after a while."""

    def __init__(self, *frames: Frame) -> None:
        self._frames = list(frames)

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        if not self._frames:
            raise ConnectionClosedOK(None, None)
        wait_sec, frame = self._frames.pop(0)
        await asyncio.sleep(wait_sec)
        return (frame if isinstance(frame, str) else frame()).encode()

    async def send(self, message: str) -> None:
        pass

    async def close(self) -> None:
        pass


Opening = Callable[[], Awaitable[Any]]


def attempts_of(opening: Opening, seed: int, seconds: float) -> list[float]:
    """When a feed with the waiting times of production opens a connection, in virtual time."""
    opened: list[float] = []

    async def connect(url: str, **options: Any) -> Any:
        opened.append(asyncio.get_running_loop().time())
        return await opening()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        subject = feed(
            clock=lambda: NOON + loop.time(),
            rng=random.Random(seed),
            connect=connect,
            monotonic=loop.time,
        )
        running = asyncio.create_task(subject.run())
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    return opened


def rejects(status: int, *headers: tuple[str, str]) -> Opening:
    async def opening() -> NoReturn:
        raise InvalidStatus(Response(status, "no", Headers(headers)))

    return opening


def says(*frames: Frame) -> Opening:
    async def opening() -> ScriptedSocket:
        return ScriptedSocket(*frames)

    return opening


def good_tick(after_sec: float) -> Frame:
    def make() -> str:
        return tick("crypto", "BTC-USD", ts=NOON + asyncio.get_running_loop().time())

    return after_sec, make


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def test_a_feed_in_the_place_of_another_waits_as_long_as_that_would_have() -> None:
    """Whatever it asks for: a vendor that is asked for other symbols has said when to come back."""
    opened: list[float] = []
    refuses = rejects(429, ("Retry-After", "400"))

    async def connect(url: str, **options: Any) -> NoReturn:
        opened.append(asyncio.get_running_loop().time())
        await refuses()
        raise AssertionError

    async def run() -> None:
        loop = asyncio.get_running_loop()
        subject = None
        for seconds in (100, 100, 1000):
            subject = feed(
                clock=lambda: NOON + loop.time(),
                rng=random.Random(1),
                connect=connect,
                monotonic=loop.time,
                before=subject,
            )
            running = asyncio.create_task(subject.run())
            await asyncio.sleep(seconds)
            status = subject.status(NOON + loop.time())
            assert (status.state, status.trouble) == (FeedState.RECONNECTING, Trouble.THROTTLED)
            assert status.retry_at is not None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())
    assert len(opened) > 2
    assert min(gaps(opened)) >= 400


@pytest.mark.parametrize(
    "opening",
    [
        rejects(503),
        rejects(301, ("Location", "ws://elsewhere/")),
        says(),
        says((0.0, AUTHORIZED)),
        says((0.0, AUTHORIZED), good_tick(0.0)),
        says((0.0, TOO_EARLY)),
        says((0.0, '{"status":599}')),
    ],
    ids=["503", "redirect", "closed", "closed after Authorized", "closed after a tick", "500", "?"],
)
def test_at_most_thirty_connections_in_five_minutes(opening: Opening) -> None:
    """Whatever the jitter draws, and never two within half a second."""
    for seed in range(100):
        times = attempts_of(opening, seed, 300)
        assert 5 <= len(times) <= 30
        assert min(gaps(times)) >= 0.5
        assert max(gaps(times)) <= 60


def test_backoff_is_full_jitter_between_floor_and_cap() -> None:
    """After many attempts the waits fill the whole range, so that no two clients keep in step."""
    waits = [gap for seed in range(20) for gap in gaps(attempts_of(rejects(503), seed, 3600))[6:]]
    assert 0.5 <= min(waits) < 2
    assert 58 < max(waits) <= 60
    assert 28 < sum(waits) / len(waits) < 33


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ((), 60, 120),
        ((("Retry-After", "90"),), 90, 150),
        ((("Retry-After", "5"),), 60, 120),
        ((("Retry-After", "-5"),), 60, 120),
        ((("Retry-After", "soon"),), 60, 120),
        ((("Retry-After", "1e3"),), 60, 120),
        ((("Retry-After", ""),), 60, 120),
        ((("Retry-After", "9" * 400),), 3600, 3660),
        ((("Retry-After", "90"), ("Retry-After", "70")), 90, 150),
    ],
)
def test_throttled_waits_as_long_as_asked(
    headers: tuple[tuple[str, str], ...],
    least: float,
    most: float,
) -> None:
    """A minute at least, an hour at most, and rubbish is no wish."""
    for seed in range(10):
        waits = gaps(attempts_of(rejects(429, *headers), seed, 12_000))
        assert waits
        assert least <= min(waits)
        assert max(waits) <= most


@pytest.mark.parametrize(
    "opening",
    [
        rejects(401),
        rejects(403),
        says((0.0, FORBIDDEN)),
        says((0.0, '{"status_code":401}')),
        says((0.0, AUTHORIZED), (0.0, BAD_REQUEST)),
    ],
    ids=["401", "403", "403 as a frame", "401 as a frame", "bad request"],
)
def test_refusal_is_asked_again_every_five_minutes(opening: Opening) -> None:
    """Never sooner: nothing gets better by asking."""
    for seed in range(10):
        waits = gaps(attempts_of(opening, seed, 3600))
        assert waits
        assert min(waits) >= 300
        assert max(waits) <= 360


def waits_after(opening: Opening, lived_sec: float) -> float:
    """The longest wait of many, from the end of a connection that lived so long."""
    return max(
        gap - lived_sec for seed in range(20) for gap in gaps(attempts_of(opening, seed, 3000))
    )


def test_backoff_is_forgotten_after_a_tick_and_thirty_seconds() -> None:
    """Not by living alone, and not by a tick alone."""
    healthy = says((0.0, AUTHORIZED), good_tick(1.0), (30.0, "x"))
    without_tick = says((0.0, AUTHORIZED), (31.0, "x"))
    short = says((0.0, AUTHORIZED), good_tick(1.0), (28.0, "x"))
    assert waits_after(healthy, 31.0) <= 2
    assert waits_after(without_tick, 31.0) > 30
    assert waits_after(short, 29.0) > 30


# The watchdog and sessions, in virtual time.


def closed_until(opens_sec: float) -> Callable[[Asset, float], Hours]:
    """A market that opens ``opens_sec`` after ``NOON``, and stays open."""
    opening = NOON + opens_sec

    def session(asset: Asset, now: float) -> Hours:
        if now < opening:
            return Hours("closed", NOON - 9000, opening, opening)
        return Hours("open", opening, opening + 1e6, None)

    return session


LIVE = (FeedState.LIVE, Trouble.NONE)
CONNECTING = (FeedState.CONNECTING, Trouble.NONE)
CLOSED = (FeedState.CLOSED, Trouble.NONE)


class Live:
    """A running feed in virtual time, whose connections are what ``opening`` makes."""

    def __init__(self, subject: Feed, queue: TickQueue, opened: list[float]) -> None:
        self.feed = subject
        self.queue = queue
        self.opened = opened

    @property
    def now(self) -> float:
        return NOON + asyncio.get_running_loop().time()

    def status(self) -> FeedStatus:
        return self.feed.status(self.now)

    async def state_at(self, sec: float) -> tuple[FeedState, Trouble]:
        """State and trouble ``sec`` after the start, with each second ended on the way."""
        loop = asyncio.get_running_loop()
        while loop.time() < sec:
            await asyncio.sleep(min(1.0, sec - loop.time()))
            self.feed.end_second(self.now)
        status = self.status()
        return status.state, status.trouble


@asynccontextmanager
async def live(
    opening: Callable[[], Awaitable[Any]],
    asset: Asset = "crypto",
    symbols: tuple[str, ...] = SYMBOLS,
    **options: Any,
) -> AsyncIterator[Live]:
    loop = asyncio.get_running_loop()
    opened: list[float] = []

    async def connect(url: str, **_: Any) -> Any:
        opened.append(loop.time())
        return await opening()

    queue = TickQueue()
    given: dict[str, Any] = {"clock": lambda: NOON + loop.time()} | options
    subject = Feed(VENDOR, asset, symbols, queue, connect=connect, monotonic=loop.time, **given)
    running = asyncio.create_task(subject.run())
    try:
        yield Live(subject, queue, opened)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert subject.status(NOON).state is FeedState.OFF


def stamped(after_sec: float, lag_sec: float = 0.0, asset: str = "crypto", **fields: Any) -> Frame:
    """A price whose stamp lags the true time of its arrival."""

    def make() -> str:
        ts = NOON + asyncio.get_running_loop().time() - lag_sec
        symbol = {"stocks": "AAPL", "forex": "EURUSD"}.get(asset, "BTC-USD")
        return tick(asset, symbol, ts=ts, **fields)

    return after_sec, make


def unheard_after(sec: float, opening: Opening, **options: Any) -> tuple[str, ...]:
    """What a feed of two coins has never heard after so long, in virtual time."""

    async def run() -> tuple[str, ...]:
        async with live(opening, symbols=("BTC-USD", "BTCUSD"), **options) as one:
            await one.state_at(sec)
            return one.status().never_heard

    return in_virtual_time(run())


def test_symbol_never_heard_is_named_after_ten_minutes_of_trade() -> None:
    """The other one trades all the time; before that nothing is said."""
    trading = says((0.3, AUTHORIZED), *[stamped(1.0)] * 700)
    assert unheard_after(590.0, trading) == ()
    assert unheard_after(610.0, trading) == ("BTCUSD",)


def test_only_time_in_which_the_class_trades_counts_against_a_symbol() -> None:
    """Not that before the opening, nor that of a vendor who sends nothing at all."""
    trading = says((0.3, AUTHORIZED), *[stamped(1.0)] * 1000)
    assert unheard_after(890.0, trading, session=closed_until(300.0)) == ()
    assert unheard_after(910.0, trading, session=closed_until(300.0)) == ("BTCUSD",)
    assert unheard_after(900.0, says((0.3, AUTHORIZED), (1e9, ""))) == ()
    # Ten minutes in parts: a connection that ends every minute is trade all the same.
    in_parts = says((0.3, AUTHORIZED), *[stamped(1.0)] * 60)
    assert unheard_after(700.0, in_parts) == ("BTCUSD",)


def test_symbol_that_is_heard_or_refused_is_not_named_as_never_heard() -> None:
    """However late its first price is."""

    async def run() -> None:
        late = tick("crypto", "BTCUSD", ts=NOON + 650.0)
        opening = says((0.3, AUTHORIZED), *[stamped(1.0)] * 650, (0.0, late), *[stamped(1.0)] * 100)
        async with live(opening, symbols=("BTC-USD", "BTCUSD")) as one:
            await one.state_at(640.0)
            assert one.status().never_heard == ("BTCUSD",)
            await one.state_at(660.0)
            assert one.status().never_heard == ()

    in_virtual_time(run())


def test_silence_counts_only_while_the_market_streams() -> None:
    """Silent through the night without a reconnection, and not blamed for it at the opening."""
    opens_sec = 30_000.0

    async def run() -> None:
        opening = says((0.3, AUTHORIZED), (1e9, ""))
        async with live(opening, session=closed_until(opens_sec)) as one:
            assert await one.state_at(0.1) == CONNECTING
            assert await one.state_at(1.0) == CLOSED
            assert await one.state_at(40.0) == CLOSED
            assert await one.state_at(opens_sec - 1) == CLOSED
            assert await one.state_at(opens_sec + 5) == (FeedState.CONNECTING, Trouble.JUST_OPENED)
            assert (await one.state_at(opens_sec + 45))[0] == "silent"
            assert (await one.state_at(opens_sec + 59))[0] == "silent"
            assert len(one.opened) == 1
            await one.state_at(opens_sec + 80)
            assert len(one.opened) == 2, "silence of a whole minute while it was open"

    in_virtual_time(run())


def days(*begins_sec: float) -> Callable[[Asset, float], Hours]:
    """Days of stocks, whose phases begin in turn ``begins_sec`` after ``NOON``."""
    begins = [-1e5, *begins_sec, 1e7]
    phases: tuple[Phase, ...] = ("closed", "pre", "open", "after")

    def session(asset: Asset, now: float) -> Hours:
        place = bisect_right(begins, now - NOON) - 1
        since, until = NOON + begins[place], NOON + begins[place + 1]
        phase = phases[place % 4]
        return Hours(phase, since, until, None if phase == "open" else until)

    return session


def test_thin_trading_before_and_after_regular_hours_is_no_fault() -> None:
    """Five minutes between trades are usual then; in regular hours two are too many."""

    async def run() -> None:
        frame = stamped(300.0, asset="stocks", market="extended-hours")
        opening = says((0.0, AUTHORIZED), *[frame] * 100)
        # The first trade comes a minute after the first second, and one just before the bell.
        hours = days(240.0, 3001.0)
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",), "session": hours}
        async with live(opening, **options) as one:
            assert (await one.state_at(301.0))[0] == "live"
            for sec in range(320, 3000, 20):
                assert (await one.state_at(sec))[0] == "live"
            assert (await one.state_at(3100.0))[0] == "live"
            assert len(one.opened) == 1
            assert (await one.state_at(3124.0)) == (FeedState.SILENT, Trouble.NO_TICK)
            assert one.status().seconds == pytest.approx(124.0)
            await one.state_at(3260.0)
            assert len(one.opened) == 2

    in_virtual_time(run())


def test_a_night_is_no_silence() -> None:
    """What is said of an open market without prices counts from when it opened."""

    async def run() -> None:
        opening = says((0.0, AUTHORIZED), stamped(1.0, asset="stocks"), (1e9, ""))
        hours = days(-100.0, -50.0, 10.0, 20.0, 4e3, 6e3)
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",), "session": hours}
        async with live(opening, **options) as one:
            assert (await one.state_at(5.0))[0] == "live"
            assert (await one.state_at(4e3 - 1))[0] == "closed market"
            assert (await one.state_at(4e3 + 200))[0] == "connecting"
            assert await one.state_at(4e3 + 310) == (FeedState.SILENT, Trouble.NO_TICK)
            assert one.status().seconds == pytest.approx(310.0)
            assert len(one.opened) == 1

    in_virtual_time(run())


def test_a_day_without_trading_that_no_calendar_knows_is_no_storm() -> None:
    """A holiday of few countries: asked anew ever more seldom, as before once there is a price."""

    async def run() -> None:
        ticks: list[Frame] = []

        async def opening() -> ScriptedSocket:
            return ScriptedSocket((0.0, AUTHORIZED), *ticks, (1e9, ""))

        options: dict[str, Any] = {"asset": "forex", "symbols": ("EURUSD",)}
        hours = Hours("open", NOON - 1e5, NOON + 1e6, None)
        async with live(opening, session=lambda asset, now: hours, **options) as one:
            await asyncio.sleep(86_400.0)
            assert 100 < len(one.opened) < 160
            assert min(gaps(one.opened)) > 60
            assert max(gaps(one.opened)) < 661
            ticks += [stamped(1.0, asset="forex")] * 3
            before = len(one.opened)
            # The next of the rare ones comes within eleven minutes.
            await asyncio.sleep(1500.0)
            # Of those that had prices and fell silent none is waited for longer than a minute.
            assert len(one.opened) - before > 4

    in_virtual_time(run())


def test_quotes_of_a_closed_market_are_no_life() -> None:
    """Refused, but for a first last price; the state is closed, and live with the opening."""
    opens_sec = 300.0

    async def run() -> None:
        opening = says((0.3, AUTHORIZED), *[stamped(1.0)] * 10_000)
        async with live(opening, session=closed_until(opens_sec)) as one:
            for sec in range(2, 300, 10):
                assert await one.state_at(sec) == CLOSED
            status = one.status()
            assert status.ticks == 0
            assert status.last_tick_age is None
            assert set(status.refused) == {"closed market"}
            assert status.hours == MarketHours(
                "crypto",
                "closed",
                NOON - 9000,
                NOON + opens_sec,
                NOON + opens_sec,
                HoursFrom.CALENDAR,
            )
            ticks, last = one.queue.drain()
            assert not ticks
            assert last
            assert await one.state_at(opens_sec + 2) == LIVE
            assert one.status().hours.phase == "open"
            assert one.status().ticks > 0
            assert len(one.opened) == 1

    in_virtual_time(run())


@pytest.mark.parametrize("opens_sec", [100_000.0, 97.3, 2.0])
def test_closed_market_that_hangs_up_is_asked_seldom_and_in_time(opens_sec: float) -> None:
    """Full jitter up to five minutes, and connected when the market opens."""

    async def opening() -> ScriptedSocket:
        is_open = asyncio.get_running_loop().time() >= opens_sec
        rest = [stamped(0.5)] * 100 if is_open else []
        return ScriptedSocket((0.0, AUTHORIZED), *rest)

    async def run(seed: int) -> list[float]:
        hours = closed_until(opens_sec)
        rng = random.Random(seed)
        async with live(opening, session=hours, rng=rng) as one:
            await asyncio.sleep(opens_sec + 3)
            assert one.status().state == "live"
            return gaps(one.opened)

    waits: list[float] = []
    for seed in range(10):
        found = in_virtual_time(run(seed))
        assert len(found) <= 15 + 1.3 * opens_sec / 150
        waits += found
    assert min(waits) >= 0.49
    assert max(waits) <= 300
    if opens_sec > 1000:
        assert max(waits) > 290


def test_wait_that_the_vendor_asked_for_outlasts_an_opening() -> None:
    """A refused key is not asked again sooner because a market opens."""

    async def run() -> None:
        async with live(rejects(403), session=closed_until(20.0)) as one:
            assert (await one.state_at(290.0))[0] == "refused"
            assert len(one.opened) == 1

    in_virtual_time(run())


# The vendor's own word on its market.


def test_vendor_that_says_open_streams_on_a_day_the_calendar_does_not_know() -> None:
    """Its prices enter, and the calendar has its say again when it falls silent."""

    async def run() -> None:
        frames = [stamped(1.0, asset="stocks", market="open")] * 20
        frames += [stamped(1.0, asset="stocks", market="extended-hours")] * 20
        opening = says((0.0, AUTHORIZED), *frames, (1e9, ""))
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",)}
        options["session"] = closed_until(1e5)
        async with live(opening, **options) as one:
            assert await one.state_at(0.5) == CLOSED
            assert await one.state_at(19.5) == LIVE
            hours = one.status().hours
            assert hours.phase == "open"
            assert hours.by == "vendor"
            assert hours.opens is None
            assert hours.until == NOON + 1e5
            assert one.feed.session(one.now).phase == "open"
            assert await one.state_at(39.5) == LIVE
            hours = one.status().hours
            assert hours.phase == "after"
            assert hours.opens == NOON + 1e5
            assert one.status().ticks == 39
            assert await one.state_at(40.0 + 110) == LIVE
            assert await one.state_at(40.0 + 130) == CLOSED
            assert one.status().hours.by == "calendar"
            assert await one.state_at(2000.0) == CLOSED
            assert len(one.opened) == 1

    in_virtual_time(run())


def test_vendor_that_says_closed_closes_the_market() -> None:
    """On a day of mourning that the calendar learns of with its next release."""

    async def run() -> None:
        frames = [stamped(1.0, asset="stocks", market="closed")] * 200
        opening = says((0.0, AUTHORIZED), *frames, (1e9, ""))
        hours = Hours("open", NOON - 10, NOON + 1e5, None)
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",)}
        async with live(opening, session=lambda asset, now: hours, **options) as one:
            assert await one.state_at(0.5) == (FeedState.CONNECTING, Trouble.FIRST_TICK)
            for sec in range(2, 300, 20):
                assert await one.state_at(sec) == CLOSED
            said = one.status().hours
            assert (said.phase, said.by) == ("closed", HoursFrom.VENDOR)
            assert one.status().ticks == 0
            assert one.status().refused == {"closed market": 200}
            assert len(one.opened) == 1

    in_virtual_time(run())


def test_one_odd_word_closes_no_market() -> None:
    """A symbol whose own trading is over says so with each trade, while the others go on."""

    async def run() -> None:
        words = ["open", "closed", "closed", "closed"] * 50
        frames = [stamped(1.0, asset="stocks", market=word) for word in words]
        opening = says((0.0, AUTHORIZED), *frames, (1e9, ""))
        hours = Hours("open", NOON - 10, NOON + 1e5, None)
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",)}
        async with live(opening, session=lambda asset, now: hours, **options) as one:
            for sec in range(2, 190):
                assert await one.state_at(sec) == LIVE
                assert one.status().hours.by == "calendar"

    in_virtual_time(run())


@pytest.mark.parametrize(
    ("market", "lag_sec", "phase", "by"),
    [
        ("extended-hours", 15.0, "closed", "calendar"),  # from before the close
        ("extended-hours", 5.0, "after", "vendor"),
        ("open", 5.0, "open", "vendor"),
        ("closed", 5.0, "closed", "calendar"),
        ("halted", 5.0, "closed", "calendar"),
    ],
)
def test_word_from_before_the_calendar_s_change_says_nothing(
    market: str, lag_sec: float, phase: str, by: str
) -> None:
    """The last trades before the close do not keep the market open."""

    def session(asset: Asset, now: float) -> Hours:
        if now < NOON + 10:
            return Hours("after", NOON - 9000, NOON + 10, NOON + 9e4)
        return Hours("closed", NOON + 10, NOON + 8e4, NOON + 9e4)

    async def run() -> None:
        frame = stamped(20.0, lag_sec, asset="stocks", market=market)
        opening = says((0.0, AUTHORIZED), frame, (1e9, ""))
        options: dict[str, Any] = {"asset": "stocks", "symbols": ("AAPL",), "session": session}
        async with live(opening, **options) as one:
            await one.state_at(21.0)
            found = one.status().hours
            assert (found.phase, found.by) == (phase, by)

    in_virtual_time(run())


def test_session_is_the_calendar_s_where_nothing_else_is_asked_for() -> None:
    """And infinity is no number that JSON knows."""
    thanksgiving = 1_795_705_200.0  # 2026-11-26, 15:00 UTC
    subject = Feed(VENDOR, "stocks", ("AAPL",), TickQueue(), time.time)
    assert subject.session(thanksgiving) == sessions.session("stocks", thanksgiving)
    assert subject.status(thanksgiving).hours == MarketHours(
        "stocks",
        "closed",
        1_795_654_800.0,
        1_795_770_000.0,
        1_795_789_800.0,
        HoursFrom.CALENDAR,
        "Thanksgiving Day",
    )
    assert feed().status(thanksgiving).hours == MarketHours(
        "crypto", "open", None, None, None, HoursFrom.CALENDAR
    )


# How far the vendor's stamps lag.


def test_skew_is_the_least_lag_of_a_minute() -> None:
    """Prices take their time on the way; the quickest one tells most."""

    async def run() -> None:
        lags = [0.9, 0.25, 3.0, *[0.7] * 60, *[1.5] * 100]
        frames = [stamped(1.0, lag) for lag in lags]
        async with live(says((0.5, AUTHORIZED), *frames, (1e9, ""))) as one:
            assert one.status().skew is None
            assert one.feed.recent_lag() is None
            for sec, skew, recent in (
                (7.0, 0.25, 0.7),
                (30.0, 0.25, 0.7),
                (70.0, 0.7, 1.5),
                (150.0, 1.5, 1.5),
            ):
                await one.state_at(sec)
                assert one.status().skew == pytest.approx(skew, abs=1e-3)
                assert one.feed.recent_lag() == pytest.approx(recent, abs=1e-3)
            await one.state_at(164.0 + 5)
            assert one.feed.recent_lag() is None
            assert one.status().skew == pytest.approx(1.5, abs=1e-3)
            one.feed.reset_meter()
            assert one.status().skew is None

    in_virtual_time(run())


def test_lateness_is_that_of_nearly_all_prices_of_a_minute() -> None:
    """A single one that is later, or one that is too late to wait for, makes no second wait."""

    async def run() -> None:
        lags = [*[0.2, 1.4] * 30, 2.9, 20.0, *[0.1] * 120]
        frames = [stamped(0.5, lag) for lag in lags]
        async with live(says((0.5, AUTHORIZED), *frames, (1e9, ""))) as one:
            assert one.feed.latest_lag() is None
            for sec, lag in ((3.0, 1.4), (30.0, 1.4), (33.0, 1.4), (91.0, 0.1)):
                await one.state_at(sec)
                assert one.feed.latest_lag() == pytest.approx(lag, abs=1e-3)

    in_virtual_time(run())


def test_prices_that_are_all_too_late_are_as_late_as_can_be_waited_for() -> None:
    """By three seconds; of a market whose prices enter nothing none is late."""

    async def run() -> None:
        async with live(says((0.0, AUTHORIZED), *[stamped(1.0, 8.0)] * 99)) as one:
            await one.state_at(20.0)
            assert one.feed.latest_lag() == 3.0

    async def run_closed() -> None:
        opening = says((0.0, AUTHORIZED), *[stamped(1.0, 8.0)] * 99)
        async with live(opening, session=closed_until(1e6)) as one:
            await one.state_at(20.0)
            assert one.feed.latest_lag() is None

    in_virtual_time(run())
    in_virtual_time(run_closed())


# What is held back, or cannot be read.


def test_feed_whose_prices_are_mostly_held_back_is_not_live() -> None:
    """A few bad prints do nothing; a flood of them is told, with what is held back, to its end."""

    async def run() -> None:
        wild = [stamped(0.5, price=84_588.0 * (2.0 + n % 3)) for n in range(40)]
        good = stamped(0.5)
        frames = [*[good] * 20, *wild[:2], *[good] * 20, *wild, *[good] * 60]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            for sec in range(1, 21):
                assert (await one.state_at(sec))[0] == "live"
            assert await one.state_at(27.0) == (FeedState.HELD_BACK, Trouble.HELD_BACK)
            status = one.status()
            (held,) = status.held
            assert held.symbol == "BTC-USD"
            assert held.believed == pytest.approx(84_588.0)
            assert held.number == status.refused["far off"] - 2
            assert status.lately.held > status.lately.ticks
            assert await one.state_at(40.0) == (FeedState.HELD_BACK, Trouble.HELD_BACK)
            assert await one.state_at(48.0) == LIVE
            assert one.status().refused == {"far off": 42}
            await one.state_at(60.0)
            assert one.status().held == ()

    in_virtual_time(run())


def test_feed_that_nobody_understands_is_not_live() -> None:
    """Between a few prices, and even before the first; single odd frames do nothing."""

    async def run() -> None:
        odd, good = (0.2, '{"s":"BTC-USD","h":"S"}'), stamped(0.5)
        frames = [odd, odd, *[good] * 20, odd, odd, *[good] * 20, *[odd, odd, odd, good] * 30]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            for sec in range(1, 21):
                assert (await one.state_at(sec))[0] == "live"
            assert await one.state_at(32.0) == (FeedState.UNREADABLE, Trouble.UNREADABLE)
            assert one.status().lately.unreadable > 20

    async def run_without_a_price() -> None:
        async with live(says((0.0, AUTHORIZED), *[(0.2, "?")] * 99, (1e9, ""))) as one:
            assert await one.state_at(3.0) == (FeedState.UNREADABLE, Trouble.UNREADABLE)

    in_virtual_time(run())
    in_virtual_time(run_without_a_price())


def test_few_unreadable_frames_are_no_silence() -> None:
    """Too few to be most of a minute: with their number, on the connection and after its end."""

    async def run() -> None:
        frames = [stamped(1.0), *[(25.0, "?")] * 9]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            assert (await one.state_at(26.5))[0] == "live"
            assert await one.state_at(32.0) == (FeedState.UNREADABLE, Trouble.UNREADABLE)
            assert one.status().frames == 1
            await one.state_at(60.0)
            assert one.status().frames == 2
            assert await one.state_at(61.2) == (FeedState.RECONNECTING, Trouble.UNREADABLE)
            assert (one.status().frames, one.status().attempt) == (2, 1)

    in_virtual_time(run())


def test_thin_feed_is_judged_by_more_of_its_past() -> None:
    """If a price comes in ten seconds, three of them are half a minute."""

    async def run() -> None:
        wild = [stamped(10.0, price=84_588.0 * (2.0 + n)) for n in range(4)]
        frames = [stamped(1.0), *wild, (1e9, "")]
        async with live(says((0.0, AUTHORIZED), *frames)) as one:
            assert (await one.state_at(22.0))[0] == "live"
            assert await one.state_at(42.0) == (FeedState.HELD_BACK, Trouble.HELD_BACK)

    in_virtual_time(run())


def test_first_prices_are_judged_by_restored_ones() -> None:
    """So that a bad one is held back even then."""

    async def run() -> None:
        frames = [stamped(1.0, price=64_400.0), stamped(1.0, price=92_010.0)]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            one.feed.restore([Tick("BTC-USD", "crypto", NOON - 30, 92_000.0)])
            await one.state_at(3.0)
            assert one.status().refused == {"far off": 1}
            ticks, _ = one.queue.drain()
            assert [tick.price for tick in ticks] == [92_010.0]

    in_virtual_time(run())


def test_a_few_late_trades_say_nothing_of_the_clocks() -> None:
    """Where trading is thin one that was reported late may be the only one of its minute."""

    async def run() -> None:
        frames = [stamped(50.0, 8.0), stamped(50.0, 9.0), *[stamped(0.2, 8.0)] * 2]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            for sec in range(51, 200, 3):
                await one.state_at(sec)
                assert one.status().skew is None

    in_virtual_time(run())


def test_one_bad_stamp_says_nothing_of_the_clocks() -> None:
    """Neither a snapshot of Saturday, nor a stamp from a future that no other shares."""

    async def run() -> None:
        frames = [
            stamped(1.0, 150_000.0),
            stamped(1.0, -3600.0),
            (0.0, '{"s":"BTC-USD","p":1,"t":1e300}'),
            stamped(1.0, 0.4),
            stamped(1.0, -7200.0),
            stamped(1.0, 0.5),
        ]
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            await one.state_at(1.5)
            assert one.status().skew is None
            await one.state_at(6.5)
            assert one.status().refused == {"old": 1, "future": 3}
            assert one.status().skew == pytest.approx(0.4, abs=1e-3)

    in_virtual_time(run())


@pytest.mark.parametrize(
    "fields",
    [
        {"s": "DOGE-USD", "p": "1.5"},
        {"s": "BTC-USD", "p": "-1.5"},
        {"s": "BTC-USD", "a": 1.5, "b": 1.6},
        {"s": "BTC-USD", "p": "1.5", "c": [2]},
    ],
)
def test_stamp_of_what_is_refused_anyway_says_nothing(fields: dict[str, Any]) -> None:
    """Its time is not its only fault."""

    def make() -> str:
        return json.dumps(fields | {"t": (NOON + asyncio.get_running_loop().time() + 60) * 1000})

    async def run() -> None:
        frames: list[Frame] = [(1.0, make)] * 5
        async with live(says((0.0, AUTHORIZED), *frames, (1e9, ""))) as one:
            await one.state_at(4.5)
            assert sum(one.status().refused.values()) == 4
            assert one.feed.recent_lag() is None

    in_virtual_time(run())


@pytest.mark.parametrize("lag_sec", [-3600.4, 3600.4, -2.9, 0.3])
def test_wrong_time_is_named_if_nothing_comes_in_time(lag_sec: float) -> None:
    """If other things are wrong with all that comes, the time is not blamed."""
    is_wrong = lag_sec != 0.3

    async def run() -> None:
        frame = stamped(1.0, lag_sec, price=84588.0 if is_wrong else -1.0)
        async with live(says((0.0, AUTHORIZED), *[frame] * 99, (1e9, ""))) as one:
            state, trouble = await one.state_at(45.0)
            assert state is FeedState.SILENT
            assert trouble is (Trouble.WRONG_TIME if is_wrong else Trouble.ALL_REFUSED)
            status = one.status()
            assert status.seconds == pytest.approx(45.0)
            expected = pytest.approx(lag_sec, abs=1e-3) if is_wrong else None
            assert status.lag == expected
            assert status.skew == expected
            assert len(one.opened) == 1

    in_virtual_time(run())


# Waking up.


async def hangs() -> NoReturn:
    await asyncio.sleep(1e9)
    raise AssertionError


MOMENTS: dict[str, tuple[Opening, float, str]] = {
    "connecting": (hangs, 5.0, "connecting"),
    "waiting for the word": (says((1e9, "")), 5.0, "connecting"),
    "waiting for a tick": (says((0.0, AUTHORIZED), (1e9, "")), 5.0, "connecting"),
    "live": (says((0.0, AUTHORIZED), *[good_tick(0.5)] * 99), 5.0, "live"),
    "backing off": (rejects(503), 200.0, "reconnecting"),
    "refused": (rejects(403), 30.0, "refused"),
    "throttled": (rejects(429), 30.0, "reconnecting"),
    "just ended": (says((1.0, AUTHORIZED), (0.0, TOO_EARLY)), 1.01, "reconnecting"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_renewal_connects_at_once_whatever_the_feed_is_doing(moment: str) -> None:
    """With its reason shown until there is a connection, and with patience as at the start."""
    opening, at_sec, state = MOMENTS[moment]
    is_well = False

    async def turns_well() -> Any:
        if not is_well:
            return await opening()
        await asyncio.sleep(2.0)
        return ScriptedSocket((0.1, AUTHORIZED), *[good_tick(0.1)] * 999)

    async def run() -> None:
        nonlocal is_well
        async with live(turns_well) as one:
            assert (await one.state_at(at_sec))[0] == state
            before = len(one.opened)
            is_well = True
            one.feed.reconnect(3600.0)
            one.feed.reconnect(7200.0)
            shown = await one.state_at(at_sec + 0.1)
            assert shown[1] is Trouble.RENEWED
            assert (one.status().seconds, one.status().attempt) == (7200.0, 0)
            assert len(one.opened) == max(before, 0) + 1
            assert await one.state_at(at_sec + 2.5) == LIVE
            await one.state_at(at_sec + 60)
            assert len(one.opened) == before + 1

    in_virtual_time(run())


def test_renewal_is_no_failure() -> None:
    """The waits after it begin small again, and none of them was waited out before."""

    async def run() -> None:
        async with live(rejects(503), rng=random.Random(1)) as one:
            await one.state_at(600.0)
            before = len(one.opened)
            one.feed.reconnect(60.0)
            await one.state_at(600.0 + 3)
            assert len(one.opened) >= before + 2
            assert one.opened[before] == 600.0
            assert one.opened[before + 1] - 600.0 <= 2.0
            status = one.status()
            assert (status.trouble, status.code) == (Trouble.HTTP_ERROR, 503)
            assert 1 <= status.attempt <= 3
            assert status.retry_at is not None
            assert one.now < status.retry_at <= one.now + 60

    in_virtual_time(run())


def test_renewal_closes_the_old_connection_properly() -> None:
    """With code 1000 on a real socket, and the next one is another."""

    async def one_price(session: Session) -> None:
        # Only one, so that each is the first of a connection.
        session.symbols = (await session.subscribed())[:1]
        await session.ticks(1)
        await session.ws.wait_closed()

    async def run(url: str) -> None:
        queue = TickQueue()
        subject = feed(Eodhd(url, KEY), queue=queue)
        running = asyncio.create_task(subject.run())
        for turn in range(3):
            async with asyncio.timeout(HANG_SEC):
                await queue.wait()
            queue.drain()
            if turn < 2:
                subject.reconnect(float(turn))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with FaultyVendor(crypto=one_price) as vendor:
        asyncio.run(run(vendor.url))
        until(lambda: len(vendor.closed) == 3)
        assert len(vendor.attempts("crypto")) == 3
        assert [code for _, code in vendor.closed[:2]] == [1000, 1000]


def test_feed_that_is_off_is_not_renewed() -> None:
    """Neither before it runs, nor after it was stopped, nor without symbols."""
    without = Feed(VENDOR, "forex", (), TickQueue(), time.time)
    without.reconnect(1.0)
    asyncio.run(without.run())
    assert without.status(NOON).trouble is Trouble.NO_SYMBOLS

    async def run() -> None:
        async with live(hangs) as one:
            await one.state_at(1.0)
        one.feed.reconnect(1.0)
        await asyncio.sleep(10)
        assert one.status().state is FeedState.OFF
        assert len(one.opened) == 1

    in_virtual_time(run())


def test_silence_counts_from_the_end_of_a_symbol_limit() -> None:
    """Minutes of refusal are no silence, and a symbol accepted at last gets its minute."""

    class Full(ScriptedSocket):
        """Refuses every subscription for 150 s, and accepts from then on."""

        async def send(self, message: str) -> None:
            if asyncio.get_running_loop().time() < 150:
                self._frames.insert(0, (0.1, OVER_LIMIT))
                self.spoke.set()

        async def recv(self, *, decode: bool) -> bytes:
            while not self._frames:
                self.spoke.clear()
                await self.spoke.wait()
            return await super().recv(decode=decode)

        spoke = asyncio.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        opened: list[float] = []

        async def connect(url: str, **options: Any) -> ScriptedSocket:
            opened.append(loop.time())
            return Full((0.0, AUTHORIZED))

        subject = feed(clock=lambda: NOON + loop.time(), connect=connect, monotonic=loop.time)
        running = asyncio.create_task(subject.run())
        for sec, states, connections in (
            (140, {"refused"}, 1),
            (230, {"connecting", "silent"}, 1),
            (270, {"connecting", "reconnecting"}, 2),
        ):
            await asyncio.sleep(sec - loop.time())
            assert subject.status(NOON + loop.time()).state in states
            assert len(opened) == connections
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())


# Cancellation.


def test_cancellation_is_not_lost_in_a_failing_connection() -> None:
    """Stopped in the very moment in which the connection ends by itself."""
    failing = asyncio.Event()

    class Clinging(ScriptedSocket):
        """Takes a second to let go of a message that it was to send."""

        async def send(self, message: str) -> None:
            try:
                await asyncio.sleep(1e9)
            finally:
                failing.set()
                await asyncio.sleep(1.0)

    async def run() -> None:
        async def connect(url: str, **options: Any) -> ScriptedSocket:
            if failing.is_set():
                return ScriptedSocket((1e9, ""))
            return Clinging((0.0, AUTHORIZED), (0.1, '{"status":599}'))

        running = asyncio.create_task(feed(connect=connect).run())
        await failing.wait()
        running.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([running])
        assert running.cancelled()

    in_virtual_time(run())


def test_refusal_before_the_end_is_read_even_when_sending_fails_first() -> None:
    """What the vendor said last decides, not that the connection was gone when we spoke."""

    class Gone(ScriptedSocket):
        async def send(self, message: str) -> None:
            raise ConnectionClosedOK(None, None)

    async def run() -> None:
        opened = 0

        async def connect(url: str, **options: Any) -> ScriptedSocket:
            nonlocal opened
            opened += 1
            return Gone((0.0, AUTHORIZED), (0.01, FORBIDDEN))

        loop = asyncio.get_running_loop()
        subject = feed(connect=connect, monotonic=loop.time)
        running = asyncio.create_task(subject.run())
        await asyncio.sleep(60)
        assert subject.status(NOON).state is FeedState.REFUSED
        assert opened == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())


def test_status_never_holds_the_url() -> None:
    """Nor does what a feed prints of itself."""

    async def run() -> None:
        subject = feed(Eodhd("ws://[bad", KEY), timing=Timing(open_sec=0.2))
        running = asyncio.create_task(subject.run())
        await asyncio.sleep(0.05)
        status = subject.status(time.time())
        assert status.state is FeedState.RECONNECTING
        assert status.trouble is Trouble.NO_WEBSOCKET
        assert status.attempt == 1
        assert status.retry_at is not None
        assert KEY not in f"{status!r}{subject!r}"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_feed_without_symbols_is_off_and_ends() -> None:
    """An asset class nobody watches opens no connection."""
    subject = Feed(VENDOR, "forex", (), TickQueue(), time.time)
    asyncio.run(subject.run())
    status = subject.status(time.time())
    assert (status.state, status.trouble) == (FeedState.OFF, Trouble.NO_SYMBOLS)


class Partial(Eodhd):
    """A vendor that knows that it has no currency of India."""

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        return None if symbol == "USDINR" else symbol


def test_symbols_that_the_vendor_does_not_have_are_not_asked_for() -> None:
    """They are named as such; without any other there is nothing to connect for."""
    vendor = Partial("ws://localhost:1/ws", KEY)
    subject = Feed(vendor, "forex", ("USDINR",), TickQueue(), time.time)
    asyncio.run(subject.run())
    status = subject.status(time.time())
    assert (status.state, status.trouble) == (FeedState.REFUSED, Trouble.SYMBOLS_REFUSED)
    assert status.asked == ("USDINR",)
    assert status.refused_symbols == {"USDINR": Refusal.UNKNOWN}

    async def run(url: str) -> None:
        queue = TickQueue()
        both = Feed(Partial(url, KEY), "forex", ("USDINR", "EURUSD"), queue, time.time)
        running = asyncio.create_task(both.run())
        async with asyncio.timeout(HANG_SEC):
            await queue.wait()
        status = both.status(time.time())
        assert status.heard == ("EURUSD",)
        assert status.refused_symbols == {"USDINR": Refusal.UNKNOWN}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with FaultyVendor() as server:
        asyncio.run(run(server.url))
        assert [symbols for _, _, symbols in server.subscriptions] == [["EURUSD"]]
