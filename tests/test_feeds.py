"""Feed and TickQueue: the pace of reconnecting, the queue's bound, and cancellation."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.http11 import Response

import feeds
from feeds import Feed, TickQueue, Timing, allot
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
from ticks import Asset, Tick

NOON = 1_790_330_110.0  # a Friday
KEY = "SECRETKEY0123456789"
SYMBOLS = ("BTC-USD", "ETH-USD")


def feed(**options: Any) -> Feed:
    given: dict[str, Any] = {"queue": TickQueue(), "clock": time.time} | options
    return Feed("crypto", SYMBOLS, **given)


# The queue.


def ticks(count: int) -> list[Tick]:
    return [Tick("BTC-USD", "crypto", NOON + number, 1.0) for number in range(count)]


def test_full_queue_drops_the_oldest_and_counts_it() -> None:
    """The newest stay, in their order."""
    queue = TickQueue(3)
    for one in ticks(5):
        queue.put(one)
    queue.put(Tick("EURUSD", "forex", NOON, 1.0))
    assert queue.dropped == {"crypto": 3}
    assert len(queue) == 3
    taken, snapshots = queue.take()
    assert [one.ts - NOON for one in taken] == [3, 4, 0]
    assert snapshots == []
    assert len(queue) == 0


def test_queue_of_last_prices_is_bounded_too() -> None:
    """What may only set a last price is counted like any other when it finds no room."""
    queue = TickQueue(3)
    for one in ticks(5):
        queue.put_last(one)
    taken, snapshots = queue.take()
    assert taken == []
    assert [one.ts - NOON for one in snapshots] == [2, 3, 4]
    assert queue.dropped == {"crypto": 2}


def test_wait_returns_when_there_is_something_and_only_then() -> None:
    """Taking empties the queue, and waiting waits again."""

    async def run() -> None:
        queue = TickQueue()
        for put in (queue.put, queue.put_last):
            waiting = asyncio.create_task(queue.wait())
            await asyncio.sleep(0)
            assert not waiting.done()
            put(ticks(1)[0])
            await waiting
            await queue.wait()
            queue.take()

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
        subject = feed(queue=queue)
        running = asyncio.create_task(subject.run(url))
        deadline = time.monotonic() + 20
        while subject.status(time.time())["ticks"] < flood:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        status = subject.status(time.time())
        assert status["state"] == "live"
        assert status["dropped"] == flood - room
        assert len(queue) == room
        kept, _ = queue.take()
        assert [one.ts for one in kept] == sorted(one.ts for one in kept)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with FaultyVendor(crypto=floods) as vendor:
        asyncio.run(run(f"{vendor.url}/crypto"))
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
        running = [asyncio.create_task(feed().run(f"{url}/crypto")) for url in urls]
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


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None = None) -> Any:
            if timeout:
                self.now += timeout
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def in_virtual_time(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)


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


def attempts_of(
    monkeypatch: pytest.MonkeyPatch, opening: Opening, seed: int, seconds: float
) -> list[float]:
    """When a feed with the waiting times of production opens a connection, in virtual time."""
    opened: list[float] = []

    async def connect(url: str, **options: Any) -> Any:
        opened.append(asyncio.get_running_loop().time())
        return await opening()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        subject = feed(clock=lambda: NOON + loop.time(), rng=random.Random(seed))
        running = asyncio.create_task(subject.run("ws://localhost/ws"))
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(feeds, "_Connect", connect)
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
def test_at_most_thirty_connections_in_five_minutes(
    monkeypatch: pytest.MonkeyPatch, opening: Opening
) -> None:
    """Whatever the jitter draws, and never two within half a second."""
    for seed in range(100):
        times = attempts_of(monkeypatch, opening, seed, 300)
        assert 5 <= len(times) <= 30
        assert min(gaps(times)) >= 0.5
        assert max(gaps(times)) <= 60


def test_backoff_is_full_jitter_between_floor_and_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """After many attempts the waits fill the whole range, so that no two clients keep in step."""
    waits = [
        gap
        for seed in range(20)
        for gap in gaps(attempts_of(monkeypatch, rejects(503), seed, 3600))[6:]
    ]
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
    monkeypatch: pytest.MonkeyPatch,
    headers: tuple[tuple[str, str], ...],
    least: float,
    most: float,
) -> None:
    """A minute at least, an hour at most, and rubbish is no wish."""
    for seed in range(10):
        waits = gaps(attempts_of(monkeypatch, rejects(429, *headers), seed, 12_000))
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
def test_refusal_is_asked_again_every_five_minutes(
    monkeypatch: pytest.MonkeyPatch, opening: Opening
) -> None:
    """Never sooner: nothing gets better by asking."""
    for seed in range(10):
        waits = gaps(attempts_of(monkeypatch, opening, seed, 3600))
        assert waits
        assert min(waits) >= 300
        assert max(waits) <= 360


def waits_after(monkeypatch: pytest.MonkeyPatch, opening: Opening, lived_sec: float) -> float:
    """The longest wait of many, from the end of a connection that lived so long."""
    return max(
        gap - lived_sec
        for seed in range(20)
        for gap in gaps(attempts_of(monkeypatch, opening, seed, 3000))
    )


def test_backoff_is_forgotten_after_a_tick_and_thirty_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by living alone, and not by a tick alone."""
    healthy = says((0.0, AUTHORIZED), good_tick(1.0), (30.0, "x"))
    without_tick = says((0.0, AUTHORIZED), (31.0, "x"))
    short = says((0.0, AUTHORIZED), good_tick(1.0), (28.0, "x"))
    assert waits_after(monkeypatch, healthy, 31.0) <= 2
    assert waits_after(monkeypatch, without_tick, 31.0) > 30
    assert waits_after(monkeypatch, short, 29.0) > 30


# The watchdog and sessions, in virtual time.


def test_silence_counts_only_while_the_market_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent through the night without a reconnection, and not blamed for it at the opening."""
    opens_sec = 30_000.0

    async def run() -> None:
        loop = asyncio.get_running_loop()
        opened: list[float] = []

        async def connect(url: str, **options: Any) -> ScriptedSocket:
            opened.append(loop.time())
            return ScriptedSocket((0.3, AUTHORIZED), (1e9, ""))

        monkeypatch.setattr(feeds, "_Connect", connect)
        subject = feed(
            clock=lambda: NOON + loop.time(),
            is_open=lambda asset, now: now >= NOON + opens_sec,
        )
        # What status() asks of the time is the real one's business.
        monkeypatch.setattr(feeds, "time", SimpleNamespace(monotonic=loop.time))
        running = asyncio.create_task(subject.run("ws://localhost/ws"))

        async def state_at(sec: float) -> tuple[str, str]:
            await asyncio.sleep(sec - loop.time())
            status = subject.status(NOON + loop.time())
            return status["state"], status["reason"]

        assert await state_at(0.1) == ("connecting", "")
        assert await state_at(1.0) == ("connecting", "waiting for the first tick")
        assert await state_at(40.0) == ("closed market", "")
        assert await state_at(opens_sec - 1) == ("closed market", "")
        state, reason = await state_at(opens_sec + 5)
        assert (state, reason) == (
            "connecting",
            "the market has just opened, waiting for the first tick",
        )
        assert (await state_at(opens_sec + 45))[0] == "silent"
        assert (await state_at(opens_sec + 59))[0] == "silent"
        assert len(opened) == 1
        await state_at(opens_sec + 80)
        assert len(opened) == 2, "silence of a whole minute while it was open"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert subject.status(NOON)["state"] == "off"

    in_virtual_time(run())


def test_silence_counts_from_the_end_of_a_symbol_limit(monkeypatch: pytest.MonkeyPatch) -> None:
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

        monkeypatch.setattr(feeds, "_Connect", connect)
        monkeypatch.setattr(feeds, "time", SimpleNamespace(monotonic=loop.time))
        subject = feed(clock=lambda: NOON + loop.time())
        running = asyncio.create_task(subject.run("ws://localhost/ws"))
        for until, states, connections in (
            (140, {"refused"}, 1),
            (230, {"connecting", "silent"}, 1),
            (270, {"connecting", "reconnecting"}, 2),
        ):
            await asyncio.sleep(until - loop.time())
            assert subject.status(NOON + loop.time())["state"] in states
            assert len(opened) == connections
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())


# Cancellation.


def test_cancellation_is_not_lost_in_a_failing_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the very moment in which the connection ends by itself."""
    failing = asyncio.Event()

    async def clings(self: Feed, ws: ClientConnection) -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            failing.set()
            await asyncio.sleep(1.0)

    async def run() -> None:
        async def connect(url: str, **options: Any) -> ScriptedSocket:
            if failing.is_set():
                return ScriptedSocket((1e9, ""))
            return ScriptedSocket((0.0, AUTHORIZED), (0.0, '{"status":599}'))

        monkeypatch.setattr(feeds, "_Connect", connect)
        monkeypatch.setattr(Feed, "_subscribe", clings)
        running = asyncio.create_task(feed().run("ws://localhost/ws"))
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
        subject = feed()
        opened = 0

        async def connect(url: str, **options: Any) -> ScriptedSocket:
            nonlocal opened
            opened += 1
            return Gone((0.0, AUTHORIZED), (0.01, FORBIDDEN))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feeds, "_Connect", connect)
            running = asyncio.create_task(subject.run("ws://localhost/ws"))
            await asyncio.sleep(60)
            assert subject.status(NOON)["state"] == "refused"
            assert opened == 1
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    in_virtual_time(run())


def test_status_never_holds_the_url() -> None:
    """Nor does what a feed prints of itself."""

    async def run() -> None:
        subject = feed(timing=Timing(open_sec=0.2))
        running = asyncio.create_task(subject.run(f"ws://[bad/{KEY}"))
        await asyncio.sleep(0.05)
        status = subject.status(time.time())
        assert status["state"] == "reconnecting"
        assert status["reason"].startswith("no WebSocket connection: ValueError; try 1, next in ")
        assert KEY not in f"{status!r}{subject!r}"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_feed_without_symbols_is_off_and_ends() -> None:
    """An asset class nobody watches opens no connection."""
    subject = Feed("forex", (), TickQueue(), time.time)
    asyncio.run(subject.run("ws://localhost:1/ws"))
    status = subject.status(time.time())
    assert (status["state"], status["reason"]) == ("off", "no symbols")
