"""Every known fault of a vendor, through the real worker, against a real server that has it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from engine.status import FeedStatus
from feeds import Timing
from gate import Reason
from page.chips import whole_reason
from page.status import status_card
from page.troubles import feed_reason
from sessions import ALWAYS
from sessions import Session as Hours
from settings import Settings, SourceSettings
from tests.faulty_vendor import (
    AUTHORIZED,
    BAD_REQUEST,
    DEMO_ONLY,
    FORBIDDEN,
    OVER_LIMIT,
    TOO_EARLY,
    Behaviour,
    FaultyVendor,
    Raw,
    Rejection,
    Session,
    good,
    tick,
)
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset
from vendors.eodhd import SILENCE_SEC, Eodhd, Pace
from worker import Worker

KEY = "SECRETKEY0123456789"

WATCHLIST: Mapping[Asset, tuple[str, ...]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD", "ETH-USD"),
}

# The pauses are some hundred times shorter than by default. The deadlines stay as they are: a busy
# computer must not miss them.
TIMING = Timing(
    backoff_floor_sec=0.05,
    backoff_cap_sec=0.2,
    healthy_sec=0.5,
    refused_sec=0.25,
    throttled_sec=0.25,
)
PACE = Pace(symbol_limit_sec=0.15, refused_sec=0.25)
PATIENT: Mapping[Asset, float] = dict.fromkeys(ASSETS, HANG_SEC)

# Deadlines that a fault is about, for a feed that is alone.
HASTY = replace(TIMING, open_sec=0.5, accept_sec=0.4)
HASTY_SILENCE: Mapping[Asset, float] = {**PATIENT, "crypto": 0.5}


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return once ``condition`` holds."""
    until(condition, what=what)


def always(asset: Asset, now: float) -> Hours:
    return ALWAYS


@contextmanager
def running(
    url: str,
    *,
    timing: Timing = TIMING,
    pace: Pace = PACE,
    silence: Mapping[Asset, float] = PATIENT,
    watchlist: Mapping[Asset, tuple[str, ...]] = WATCHLIST,
    clock: Callable[[], float] = time.time,
    session: Callable[[Asset, float], Hours] = always,
) -> Iterator[Worker]:
    """A started worker on a vendor's address, stopped in the end.

    Its markets are open on whatever day and at whatever hour this runs.
    """
    settings = Settings(SourceSettings("eodhd", keys={"eodhd": (KEY,)}, watchlist=watchlist))
    vendor = Eodhd(url, KEY, silence_sec=silence, pace=pace)
    worker = Worker(
        settings,
        timing=timing,
        clock=clock,
        session=session,
        vendors=dict.fromkeys(ASSETS, (vendor,)),
        status_sec=0.01,
    )
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        assert not worker.alive()


def patient(url: str) -> AbstractContextManager[Worker]:
    """The same with the waiting times of production."""
    return running(url, timing=Timing(), silence=PATIENT)


def crypto(worker: Worker) -> FeedStatus:
    return feed_of(worker, "crypto")


def reason_of(worker: Worker, asset: str = "crypto") -> str:
    """Why the feed is in its state, with its countdown."""
    status = worker.status()
    return next(whole_reason(feed, status.now) for feed in status.feeds if feed.asset == asset)


def state_of(worker: Worker, asset: str = "crypto") -> str:
    return str(feed_of(worker, asset).state)


@pytest.fixture(autouse=True)
def _key_is_nowhere(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever happens, no log holds the key, whichever levels are chosen."""
    with caplog.at_level(logging.DEBUG):
        names = ("websockets", "websockets.client", "asyncio", "feeds", "worker")
        before = {name: logging.getLogger(name).level for name in names}
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    logged = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    assert any(record.name == "feeds" for record in logged), "the logs were heard"
    assert KEY not in "".join(f"{vars(record)!r}{record.getMessage()}" for record in logged)


def assert_keyless(worker: Worker) -> None:
    assert KEY not in f"{worker!r}{worker.status()!r}"


# The matrix: what the crypto channel does, and what its status must say about it.


@dataclass(frozen=True)
class Fault:
    """A behaviour of the crypto channel and the status it must lead to."""

    name: str
    behaviour: Behaviour | Rejection | Raw
    state: str
    reason: str
    """A regular expression."""
    refused: Mapping[Reason, int] = field(default_factory=dict)
    """How many prices the gate must have refused at least, by reason."""
    hastily: bool = False
    """Whether it is about a deadline: then that is short, and no other feed runs that could miss
    it."""


async def open_forever(session: Session) -> None:
    await session.ws.wait_closed()


def says(*frames: str | bytes) -> Behaviour:
    """Say this instead of ``Authorized`` and close."""

    async def behave(session: Session) -> None:
        await session.send(*frames)

    return behave


def says_after_subscribing(*frames: str | bytes, then: Behaviour = good) -> Behaviour:
    """Say this after a healthy start, and close."""

    async def behave(session: Session) -> None:
        await session.subscribed()
        await session.ticks(2)
        await session.send(*frames)

    return behave


def closes(code: int, *, early: bool) -> Behaviour:
    async def behave(session: Session) -> None:
        if not early:
            await session.subscribed()
            await session.ticks(2)
        if code == 1006:
            session.cut()
        else:
            await session.ws.close(code, f"about {KEY}")

    return behave


def answers(refusal: str, only: str = "") -> Behaviour:
    """Refuse every subscription, or those with ``only`` in them, until the vendor has recovered."""

    async def behave(session: Session) -> None:
        await session.send(AUTHORIZED)
        ticking = asyncio.create_task(session.ticks())
        try:
            while True:
                symbols = await session.asked()
                if not session.vendor.has_recovered and (not only or only in symbols):
                    await session.send(refusal)
                else:
                    session.symbols += symbols
        finally:
            ticking.cancel()

    return behave


async def silent_from_the_start(session: Session) -> None:
    await session.subscribed()
    await open_forever(session)


async def silent_later(session: Session) -> None:
    await session.subscribed()
    await session.ticks(3)
    await open_forever(session)


async def never_authorized(session: Session) -> None:
    await open_forever(session)


async def greets_in_another_language(session: Session) -> None:
    await session.send('{"hello":"world"}', b"\x00\x01")
    await open_forever(session)


async def speaks_of_all_but_prices(session: Session) -> None:
    """Frames without prices keep no connection alive."""
    await session.subscribed()
    while True:
        await session.send('{"s":"BTC-USD","h":"S","r":"0","t":1}')
        await asyncio.sleep(0.02)


async def sends_unusable_prices(session: Session) -> None:
    await session.subscribed()
    while not session.vendor.has_recovered:
        await session.send(tick("crypto", "BTC-USD", ts=time.time() + 3600))
        await asyncio.sleep(0.02)


async def sends_half_a_message(session: Session) -> None:
    await session.subscribed()
    await session.ticks(2)
    # A first fragment of fifty bytes of which ten follow, and then nothing ever.
    session.write(b"\x01\x32" + b'{"s":"BTC-')
    await asyncio.sleep(0.05)
    session.cut()


async def breaks_the_protocol(session: Session) -> None:
    await session.subscribed()
    session.write(b"\xff" * 64)
    await session.ws.wait_closed()


async def sends_a_huge_frame(session: Session) -> None:
    await session.subscribed()
    await session.ticks(2)
    await session.send('{"s":"BTC-USD","p":"' + "9" * 300_000 + '","t":1}')
    await session.ws.wait_closed()


async def asks_and_does_not_read(session: Session) -> None:
    await session.subscribed()
    session.ws.transport.pause_reading()
    ping = b"\x89\x7d" + b"?" * 125
    while not session.ws.transport.is_closing():
        session.write(ping * 500)
        await asyncio.sleep(0)
        # As fast as they are taken: what waits here would cost the same process its time.
        await session.ws.drain()


async def sends_thousands_of_fragments(session: Session) -> None:
    await session.subscribed()
    session.write(b"\x01\x01{" + b"\x00\x00" * 10_000)
    await session.ws.wait_closed()


async def floods(session: Session) -> None:
    """Send empty frames as fast as they are taken."""
    await session.subscribed()
    while True:
        session.write(b"\x81\x00" * 50_000)
        await session.ws.drain()


async def never_answers_the_close(session: Session) -> None:
    await session.subscribed()
    await session.ticks(2)
    await session.send(FORBIDDEN)
    session.ws.transport.pause_reading()
    await asyncio.sleep(1)


KEY_REFUSED = r"the vendor refused the API key \({}\): check EODHD_API_KEY.*; try \d+, (next|now)"
CLOSED = r"^the connection ended \(code {}\); try \d+, (next in \d+ s|now)$"
OURS = "^this dashboard ended the connection: {}; try "
HTTP_ERROR = r"^the vendor's server answered with an error \(HTTP {}\); try"
DEMO = r"the vendor refused BTC-USD, ETH-USD: not covered by this key"
LIMIT = r"the vendor refused BTC-USD, ETH-USD: the account's symbol limit is reached"
THROTTLED = r"^too many connections for the vendor; try \d+, next in"

ENDING = [
    Fault("key refused", says(FORBIDDEN), "refused", KEY_REFUSED.format("status 403")),
    Fault(
        "key refused late",
        says_after_subscribing(FORBIDDEN),
        "refused",
        KEY_REFUSED.format("status 403"),
    ),
    Fault(
        "key refused in text",
        says('{"status":"403","message":"Server error"}'),
        "refused",
        KEY_REFUSED.format("status 403"),
    ),
    Fault(
        "status of endless digits",
        says('{"status":' + "4" * 4300 + "}"),
        "reconnecting",
        r"^the vendor reported an error \(status 444444…\); try \d+",
    ),
    Fault("HTTP 401", Rejection(401), "refused", KEY_REFUSED.format("status 401")),
    Fault("HTTP 403", Rejection(403), "refused", KEY_REFUSED.format("status 403")),
    Fault("HTTP 429", Rejection(429), "reconnecting", THROTTLED),
    Fault(
        "HTTP 404",
        Rejection(404),
        "reconnecting",
        HTTP_ERROR.format(404),
    ),
    Fault(
        "HTTP 500",
        Rejection(500),
        "reconnecting",
        HTTP_ERROR.format(500),
    ),
    Fault(
        "HTTP 200",
        Rejection(200),
        "reconnecting",
        HTTP_ERROR.format(200),
    ),
    Fault(
        "redirect",
        Rejection(302, [("Location", "ws://127.0.0.1:9/ws")]),
        "reconnecting",
        HTTP_ERROR.format(302),
    ),
    Fault(
        "two redirects in one",
        Rejection(302, [("Location", "ws://127.0.0.1:9/"), ("Location", "ws://127.0.0.1:8/")]),
        "reconnecting",
        HTTP_ERROR.format(302),
    ),
    Fault("429 as a frame", says('{"status":429,"message":"x"}'), "reconnecting", THROTTLED),
    Fault(
        "bad request",
        answers(BAD_REQUEST),
        "refused",
        r"^the vendor did not accept the subscription \(status 422\); try \d+",
    ),
    Fault(
        "status 500, as for speaking early",
        says(TOO_EARLY),
        "reconnecting",
        r"^the vendor reported an error \(status 500\); try \d+",
    ),
    Fault(
        "unknown status code",
        says_after_subscribing('{"status":599,"message":"?"}'),
        "reconnecting",
        r"^the vendor reported an error \(status 599\); try \d+",
    ),
    Fault(
        "Authorized never",
        never_authorized,
        "reconnecting",
        "^the vendor did not accept the API key within 0.4 s; try",
        hastily=True,
    ),
    Fault(
        "greets in another language",
        greets_in_another_language,
        "reconnecting",
        "^what came could not be read; 2 frames; try",
        {"shape": 2},
    ),
    Fault(
        "silent from the start",
        silent_from_the_start,
        "reconnecting",
        r"^silent for 0.5 s; try",
        hastily=True,
    ),
    Fault("silent later", silent_later, "reconnecting", "^silent for 0.5 s; try", hastily=True),
    Fault(
        "speaks of all but prices",
        speaks_of_all_but_prices,
        "reconnecting",
        r"^what came could not be read; \d+ frames; try",
        {"shape": 5},
        hastily=True,
    ),
    *(
        Fault(f"{code} {when}", closes(code, early=early), "reconnecting", CLOSED.format(code))
        for code in (1000, 1001, 1006, 1008, 1011, 1012, 1013)
        for early, when in ((True, "at once"), (False, "after ticks"))
    ),
    Fault("half a message", sends_half_a_message, "reconnecting", CLOSED.format(1006)),
    Fault(
        "broken protocol",
        breaks_the_protocol,
        "reconnecting",
        OURS.format(r"what came breaks the protocol \(code 1002\)"),
    ),
    Fault(
        "huge frame",
        sends_a_huge_frame,
        "reconnecting",
        OURS.format(r"a message came that is far too long \(code 1009\)"),
    ),
    Fault(
        "asks and does not read",
        asks_and_does_not_read,
        "reconnecting",
        OURS.format("the vendor kept asking for signs of life and did not read them"),
    ),
    Fault(
        "thousands of fragments",
        sends_thousands_of_fragments,
        "reconnecting",
        OURS.format(r"a message came that is far too long \(code 1009\)"),
    ),
    Fault(
        "a close without an answer",
        never_answers_the_close,
        "refused",
        KEY_REFUSED.format("status 403"),
    ),
    Fault(
        "rubbish instead of a handshake",
        Raw(b"\x00\xff not HTTP at all\r\n\r\n", ends=True),
        "reconnecting",
        "^what answered is not the vendor's price service; try",
    ),
    Fault(
        "end instead of a handshake",
        Raw(b"", ends=True),
        "reconnecting",
        "^what answered is not the vendor's price service; try",
    ),
    Fault(
        "silence instead of a handshake",
        Raw(b"", ends=False),
        "reconnecting",
        "^no answer within 0.5 s; try",
        hastily=True,
    ),
    Fault(
        "half a handshake",
        Raw(b"HTTP/1.1 101 Switching", ends=False),
        "reconnecting",
        "^no answer within 0.5 s; try",
        hastily=True,
    ),
]

LASTING = [
    Fault("demo key only", answers(DEMO_ONLY), "refused", DEMO),
    Fault("symbol limit", answers(OVER_LIMIT), "refused", LIMIT),
    Fault(
        "an unknown 422",
        answers('{"status_code":422,"message":"' + KEY + '"}'),
        "refused",
        DEMO,
    ),
    Fault(
        "one symbol refused",
        answers(DEMO_ONLY, only="ETH-USD"),
        "live",
        "^the vendor refused ETH-USD: not covered by this key$",
    ),
    Fault(
        "unusable prices",
        sends_unusable_prices,
        "silent",
        r"^no tick for \d+ s, all that came was refused: the vendor's timestamps are 3600 s ahead"
        r" of this computer's clock: check its time$",
        {"future": 5},
        hastily=True,
    ),
]


def beside(fault: Fault, url: str) -> AbstractContextManager[Worker]:
    """A worker before a fault, with other feeds beside it unless they could miss its deadline."""
    if fault.hastily:
        alone = {**dict.fromkeys(ASSETS, ()), "crypto": WATCHLIST["crypto"]}
        return running(url, timing=HASTY, silence=HASTY_SILENCE, watchlist=alone)
    return running(url)


@pytest.mark.parametrize("fault", [*ENDING, *LASTING], ids=lambda fault: fault.name)
def test_fault_is_shown_and_survived(fault: Fault) -> None:
    """Shown with its reason, bounded in its attempts, without the others, and over when it ends."""
    began = time.monotonic()
    with FaultyVendor(crypto=fault.behaviour) as vendor, beside(fault, vendor.url) as worker:
        others = [asset for asset in ("stocks", "forex") if feed_of(worker, asset).asked]
        seen: set[tuple[str, str]] = set()

        def is_shown() -> bool:
            whole = worker.status()
            status = next(feed for feed in whole.feeds if feed.asset == "crypto")
            reason = whole_reason(status, whole.now)
            seen.add((status.state, reason))
            return (
                status.state == fault.state
                and re.search(fault.reason, reason) is not None
                and all(status.refused.get(why, 0) >= n for why, n in fault.refused.items())
            )

        try:
            eventually(is_shown, fault.name)
        except AssertionError as error:
            raise AssertionError(f"{fault.name}: only saw {seen}") from error
        for asset in others:
            eventually(lambda asset=asset: state_of(worker, asset) == "live", asset)  # type: ignore[misc]
        assert_keyless(worker)
        if fault in LASTING and not fault.hastily:
            assert len(vendor.attempts("crypto")) == 1

        vendor.recover()
        before = crypto(worker).ticks
        eventually(
            lambda: (
                state_of(worker) == "live"
                and crypto(worker).ticks >= before + 4
                and crypto(worker).heard == ("BTC-USD", "ETH-USD")
                and reason_of(worker) == ""
            ),
            "recovered",
        )
        pauses = len(vendor.attempts("crypto")) - 1
        assert pauses * TIMING.backoff_floor_sec <= time.monotonic() - began

        vendor.paused = True
        for asset in others:
            feed = feed_of(worker, asset)
            eventually(
                lambda asset=asset: (  # type: ignore[misc]
                    feed_of(worker, asset).ticks == vendor.sent[asset]
                ),
                f"every tick of {asset}",
            )
            assert feed.reconnects == feed.dropped == 0
            assert feed.refused == {}
            assert len(vendor.attempts(asset)) == 1
        assert worker.status().faults == ()
        assert_keyless(worker)
    assert all(KEY in path for path in vendor.paths), "the key was really in use"


# What arrives on a healthy connection and must not enter.


def one(**fields: Any) -> str:
    """A good message of the crypto channel, but for these fields; ... leaves a field out."""
    message = json.loads(tick("crypto", "BTC-USD")) | fields
    return json.dumps({key: value for key, value in message.items() if value is not ...})


def quotes(bid: Any, ask: Any) -> Callable[[], str]:
    return lambda: one(p=..., b=bid, a=ask)


NOISE: dict[str, tuple[str, Callable[[], str | bytes]]] = {
    "rubbish": ("shape", lambda: "}{ what is this"),
    "empty": ("shape", lambda: ""),
    "binary": ("shape", lambda: bytes(range(256))),
    "invalid UTF-8": ("shape", lambda: b'{"s":"\xff\xfe","p":1,"t":1}'),
    "half a JSON": ("shape", lambda: one()[:30]),
    "an array": ("shape", lambda: f"[{one()}]"),
    "a number": ("shape", lambda: "42"),
    "deep nesting": ("shape", lambda: '{"c":' + "[" * 20_000 + "]" * 20_000 + "}"),
    "price is a list": ("shape", lambda: one(p=[1])),
    "price is true": ("shape", lambda: one(p=True)),
    "no price": ("shape", lambda: one(p=...)),
    "symbol is a number": ("shape", lambda: one(s=7)),
    "no symbol": ("shape", lambda: one(s=...)),
    "time is text": ("shape", lambda: one(t="now")),
    "no time": ("shape", lambda: one(t=...)),
    "price is text": ("price", lambda: one(p="abc")),
    "price is NaN": ("price", lambda: one(p="NaN")),
    "a bare NaN": ("shape", lambda: one(p=float("nan"))),
    "price is infinite": ("price", lambda: one(p="Infinity")),
    "a bare Infinity": ("shape", lambda: one(p=float("-inf"))),
    "price is 1e999": ("price", lambda: one(p="1e999")),
    "price is zero": ("price", lambda: one(p="0")),
    "price is negative": ("price", lambda: one(p=-84588)),
    "bid is zero": ("price", quotes(0, 84588.0)),
    "future": ("future", lambda: one(t=round((time.time() + 10) * 1000))),
    "far future": ("future", lambda: one(t=1e300)),
    "seconds, but future": ("future", lambda: one(t=9e10)),
    "old": ("old", lambda: one(t=round((time.time() - 90) * 1000))),
    "before 1970": ("time", lambda: one(t=-5)),
    "from 1970": ("old", lambda: one(t=5)),
    "crossed": ("crossed", quotes(84600.0, 84500.0)),
    "barred condition": ("condition", lambda: one(c=[14, 52])),
    "barred condition as a number": ("condition", lambda: one(c=22)),
    "printed in a dark pool": ("condition", lambda: one(dp=True)),
    "unsubscribed": ("unsubscribed", lambda: one(s="DOGE-USD")),
    "markup": ("unsubscribed", lambda: one(s="<img src=x onerror=alert(1)>")),
    "markup in a known name": ("unsubscribed", lambda: one(s="BTC-USD<b>")),
    "far off": ("far off", lambda: one(p="8458.8", t=1_000 + round(time.time()) * 1000)),
}


def test_noise_is_refused_by_reason_and_changes_nothing() -> None:
    """Between good ticks: each kind counted, the connection kept, no price of theirs anywhere."""

    async def noisy(session: Session) -> None:
        await session.subscribed()
        await session.ticks(3)
        for _, message in NOISE.values():
            await session.send(message())
            await session.ticks(1)
        await session.ticks()

    with FaultyVendor(crypto=noisy) as vendor, running(vendor.url) as worker:
        expected = {
            reason: sum(why == reason for why, _ in NOISE.values()) for reason, _ in NOISE.values()
        }
        eventually(lambda: crypto(worker).refused == expected, f"refused {expected}")
        eventually(lambda: crypto(worker).ticks > 2 * len(NOISE), "ticks between the noise")
        vendor.paused = True
        eventually(lambda: crypto(worker).ticks == vendor.sent["crypto"], "every good tick")
        status = crypto(worker)
        assert status.reconnects == 0
        assert status.heard == ("BTC-USD", "ETH-USD")
        assert len(vendor.attempts("crypto")) == 1
        assert set(worker.store.symbols) <= {s for symbols in WATCHLIST.values() for s in symbols}
        history = worker.store.history("BTC-USD", time.time())["price"].dropna()
        assert history.between(84_500, 84_700).all()
        assert worker.status().faults == ()


def test_numbers_codes_and_flags_may_come_as_text() -> None:
    """Greeting, time, price, conditions and flags: what they say counts, not their type."""

    async def in_text(session: Session) -> None:
        await session.send('{"status_code":"200","message":"Authorized"}')
        await session.asked()
        for turn in range(20):
            good = json.loads(tick("crypto", "BTC-USD", wiggle=turn))
            for flaws in ({"c": ["12", "37"]}, {"dp": "true"}, {"c": ["37"], "dp": "false"}):
                await session.send(json.dumps(good | flaws | {"t": str(good["t"])}))
        await open_forever(session)

    with FaultyVendor(crypto=in_text) as vendor, running(vendor.url) as worker:
        eventually(lambda: crypto(worker).ticks == 20, "every good price")
        assert crypto(worker).refused == {"condition": 40}
        assert state_of(worker) == "live"
        assert worker.status().faults == ()


def test_real_jump_passes_with_its_third_tick() -> None:
    """A crash of a tenth is believed once three different ticks agree, and shown as the price."""

    async def crashes(session: Session) -> None:
        await session.subscribed()
        await session.ticks(30)
        now = time.time()
        for turn in range(40):
            await session.send(tick("crypto", "BTC-USD", price=76_000 + turn, ts=now + turn / 1e3))
        await open_forever(session)

    with (
        FaultyVendor(crypto=crashes) as vendor,
        patient(vendor.url) as worker,
    ):
        eventually(lambda: crypto(worker).ticks == 60 + 38, "all but the first two")
        assert crypto(worker).refused == {"far off": 2}
        eventually(
            lambda: (worker.store.snapshot("BTC-USD", time.time()) or {}).get("last") == 76_039,
            "the new price",
        )


def test_ticks_out_of_order_never_set_the_last_price() -> None:
    """A trade that lands eight seconds late is taken, and is not the last price."""

    async def unordered(session: Session) -> None:
        await session.subscribed()
        now = time.time()
        for late, price in ((0, 84_588.0), (8, 84_600.0), (3, 84_601.0), (59, 84_602.0)):
            await session.send(tick("crypto", "BTC-USD", price=price, ts=now - late))
        await open_forever(session)

    with (
        FaultyVendor(crypto=unordered) as vendor,
        patient(vendor.url) as worker,
    ):
        eventually(lambda: crypto(worker).ticks == 4, "all ticks")
        eventually(lambda: worker.status().queued == 0, "all taken")
        snapshot = worker.store.snapshot("BTC-USD", time.time())
        assert snapshot is not None
        assert snapshot["last"] == 84_588.0


def test_flood_is_taken_without_loss_or_harm() -> None:
    """Thirty thousand ticks at once: all taken, and the other feeds undisturbed."""
    flood = 30_000

    async def floods(session: Session) -> None:
        await session.subscribed()
        for number in range(flood // 500):
            now = time.time()
            frames = [
                tick("crypto", "BTC-USD", wiggle=number + turn, ts=now) for turn in range(500)
            ]
            await session.send(*frames)
        await open_forever(session)

    with (
        FaultyVendor(crypto=floods) as vendor,
        patient(vendor.url) as worker,
    ):
        eventually(lambda: crypto(worker).ticks == flood, "all ticks")
        eventually(lambda: worker.status().queued == 0, "an empty queue")
        assert crypto(worker).state == "live"
        assert crypto(worker).reconnects == 0
        vendor.paused = True
        for asset in ("stocks", "forex"):
            eventually(
                lambda asset=asset: (  # type: ignore[misc]
                    feed_of(worker, asset).ticks == vendor.sent[asset]
                ),
                f"every tick of {asset}",
            )
        assert worker.status().faults == ()


# Closed markets.


def closed_forex(asset: Asset, now: float) -> Hours:
    """A weekend for forex alone, which began a day ago."""
    if asset != "forex":
        return ALWAYS
    return Hours("closed", STARTED - 86_400, STARTED + 86_400, STARTED + 86_400)


STARTED = time.time()


def test_weekend_quotes_are_a_last_price_and_nothing_else() -> None:
    """Feed, rows and events agree that the market is closed; the others are undisturbed."""
    silence: Mapping[Asset, float] = {**PATIENT, "forex": 0.5}
    with (
        FaultyVendor() as vendor,
        running(vendor.url, timing=Timing(), silence=silence, session=closed_forex) as worker,
    ):
        eventually(lambda: state_of(worker, "forex") == "closed market", "closed")
        eventually(
            lambda: feed_of(worker, "forex").refused.get("closed market", 0) > 50,
            "longer than it may be silent",
        )
        status = feed_of(worker, "forex")
        assert (status.ticks, status.reconnects) == (0, 0)
        assert (status.state, feed_reason(status)) == ("closed market", "")
        assert status.hours.phase == "closed"
        assert status.heard == ("EURUSD",)
        eventually(lambda: worker.store.snapshot("EURUSD", time.time()) is not None, "a row")
        snapshot = worker.store.snapshot("EURUSD", time.time())
        assert snapshot is not None
        assert snapshot["last"] == pytest.approx(1.13896, rel=1e-3)
        assert snapshot["vol_15m"] is None
        assert worker.store.history("EURUSD", time.time())["price"].isna().all()
        eventually(lambda: state_of(worker) == state_of(worker, "stocks") == "live", "live")
        assert len(vendor.attempts("forex")) == 1


def test_vendor_that_hangs_up_at_the_weekend_is_not_stormed() -> None:
    """It is asked ever more seldom, though by day it would be asked ten times a second."""
    timing = replace(TIMING, backoff_cap_sec=0.1, closed_cap_sec=60.0)
    with (
        FaultyVendor(forex=closes(1000, early=False)) as vendor,
        running(vendor.url, timing=timing, session=closed_forex) as worker,
    ):
        eventually(lambda: state_of(worker) == "live", "live")
        eventually(lambda: len(vendor.attempts("forex")) >= 2, "asked again")
        before = vendor.sent["crypto"]
        eventually(lambda: vendor.sent["crypto"] > before + 200, "two seconds of the others")
        assert len(vendor.attempts("forex")) < 15
        # In between, a connection may just be open again.
        eventually(lambda: state_of(worker, "forex") == "reconnecting", "waiting again")


# Subscribing.


def test_nothing_is_asked_before_the_word_that_the_key_is_good() -> None:
    """``Authorized`` may be late; a client that speaks earlier would be dropped."""

    async def greets_late(session: Session) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await session.ws.recv()
        await good(session)

    with FaultyVendor(crypto=greets_late) as vendor, running(vendor.url) as worker:
        eventually(lambda: state_of(worker) == "live", "live")
        assert len(vendor.attempts("crypto")) == 1


def test_ghost_slots_are_waited_out_on_one_connection() -> None:
    """A dead connection's symbols fill the account: asked again later, one by one, until free."""
    refusals = 5

    async def haunted(session: Session) -> None:
        nonlocal refusals
        await session.send(AUTHORIZED)
        ticking = asyncio.create_task(session.ticks())
        try:
            while True:
                symbols = await session.asked()
                if refusals:
                    refusals -= 1
                    await session.send(OVER_LIMIT)
                else:
                    session.symbols += symbols
        finally:
            ticking.cancel()

    with FaultyVendor(crypto=haunted) as vendor, running(vendor.url) as worker:
        eventually(lambda: re.search(LIMIT, reason_of(worker)) is not None, "limit shown")
        assert state_of(worker) == "refused"
        eventually(lambda: crypto(worker).heard == ("BTC-USD", "ETH-USD"), "free slots")
        eventually(lambda: reason_of(worker) == "", "nothing refused")
        assert state_of(worker) == "live"
        assert len(vendor.attempts("crypto")) == 1
        asked = [symbols for asset, _, symbols in vendor.subscriptions if asset == "crypto"]
        assert asked[0] == ["BTC-USD", "ETH-USD"]
        assert all(len(symbols) == 1 for symbols in asked[1:])
        assert len(asked) <= 12, "one question per wait while the account is full"


def test_late_refusal_blames_no_symbol_that_ticks() -> None:
    """A refusal names no symbol; if it comes late, a symbol that ticks is not called refused."""

    late = 0

    async def refuses_late(session: Session) -> None:
        nonlocal late
        await session.subscribed()
        ticking = asyncio.create_task(session.ticks())
        try:
            await session.send(DEMO_ONLY)
            while True:
                await session.asked()
                await asyncio.sleep(1.5 * PACE.single_sec)
                await session.send(DEMO_ONLY)
                late += 1
        finally:
            ticking.cancel()

    with FaultyVendor(crypto=refuses_late) as vendor, running(vendor.url) as worker:
        eventually(lambda: len(vendor.subscriptions) == 5, "asked one by one")
        states: set[tuple[str, str]] = set()

        def both_came() -> bool:
            states.add((state_of(worker), reason_of(worker)))
            return late == 2

        eventually(both_came, "two late refusals")
        before = crypto(worker).ticks
        eventually(lambda: both_came() and crypto(worker).ticks > before + 20, "ticks since")
        assert states == {("live", "")}
        assert worker.status().faults == ()


def test_symbols_are_asked_again_after_every_reconnection() -> None:
    """Subscriptions do not outlive a connection."""
    with FaultyVendor(crypto=closes(1012, early=False)) as vendor, running(vendor.url) as worker:
        eventually(lambda: len(vendor.attempts("crypto")) >= 4, "reconnections")
        vendor.recover()
        eventually(lambda: state_of(worker) == "live", "live")
        asked = [symbols for asset, _, symbols in vendor.subscriptions if asset == "crypto"]
        assert len(asked) >= 4
        assert all(symbols == ["BTC-USD", "ETH-USD"] for symbols in asked)


def test_account_wide_limit_is_shared_and_named() -> None:
    """Fifty symbols over all connections together; who found no room is said."""
    many: Mapping[Asset, tuple[str, ...]] = {
        "stocks": tuple(f"S{number}" for number in range(60)),
        "forex": ("EURUSD", "GBPUSD"),
        "crypto": ("BTC-USD",),
    }
    with FaultyVendor() as vendor, running(vendor.url, watchlist=many) as worker:
        eventually(lambda: len(vendor.subscriptions) == 3, "all asked")
        asked = {asset: symbols for asset, _, symbols in vendor.subscriptions}
        assert sum(map(len, asked.values())) == 50
        assert asked["forex"] == ["EURUSD", "GBPUSD"]
        assert asked["crypto"] == ["BTC-USD"]
        eventually(lambda: state_of(worker, "stocks") == "live", "live")
        reason = feed_reason(feed_of(worker, "stocks"))
        assert reason.startswith("over the account's 50 symbols: S47, S48")


# The worker itself.


def test_worker_survives_the_clock_set_back_by_an_hour() -> None:
    """Every tick is from the future then: refused, and said to be silent instead of live."""
    offset = 0.0

    def clock() -> float:
        return time.time() + offset

    with (
        FaultyVendor() as vendor,
        running(vendor.url, clock=clock, silence=HASTY_SILENCE) as worker,
    ):
        eventually(lambda: state_of(worker) == "live", "live")
        offset = -3600.0
        eventually(lambda: state_of(worker) == "silent", "silent")
        said = (
            r"all that came was refused: the vendor's timestamps are 3\d{3} s ahead of this"
            r" computer's clock: check its time$"
        )
        eventually(lambda: re.search(said, reason_of(worker)) is not None, "what is wrong")
        status = crypto(worker)
        assert status.last_tick_age is not None
        assert 0 < status.last_tick_age < 15
        assert status.refused["future"] > 0
        offset = 0.0
        eventually(lambda: state_of(worker) == "live", "live again")
        assert worker.status().faults == ()


def test_vendor_that_is_not_there_is_waited_for() -> None:
    """A refused TCP connection is named in words, without the address."""
    with socket.socket() as reserved:
        # Bound and not listening: nobody else listens there meanwhile.
        reserved.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{reserved.getsockname()[1]}/ws"
        with running(url) as worker:
            eventually(lambda: state_of(worker) == "reconnecting", "reconnecting")
            assert reason_of(worker).startswith("no connection: connection refused; try ")
            assert_keyless(worker)
            assert worker.status().faults == ()


def test_vendor_that_goes_and_comes_back_is_found_again() -> None:
    """The whole server vanishes in mid-stream."""
    with FaultyVendor() as vendor, running(vendor.url) as worker:
        eventually(lambda: state_of(worker) == "live", "live")
        vendor.stop()
        eventually(
            lambda: "connection refused" in reason_of(worker),
            "gone",
        )
        for asset in ("stocks", "forex"):
            eventually(lambda asset=asset: state_of(worker, asset) == "reconnecting", asset)  # type: ignore[misc]
        assert worker.status().faults == ()


STATES: dict[str, tuple[Behaviour | Rejection | Raw, str]] = {
    "connecting": (Raw(b"", ends=False), "connecting"),
    "waiting for the word": (never_authorized, "connecting"),
    "backing off": (Rejection(500), "reconnecting"),
    "refused": (says(FORBIDDEN), "refused"),
    "waiting for a tick": (silent_from_the_start, "connecting"),
    "live": (good, "live"),
}


@pytest.mark.parametrize("state", STATES)
def test_stop_closes_at_once_and_as_the_protocol_wants(state: str) -> None:
    """From any state: within two seconds, with code 1000, and as often as it is called."""
    behaviour, shown = STATES[state]
    with (
        FaultyVendor(crypto=behaviour) as vendor,
        running(vendor.url, timing=Timing(), pace=Pace(), silence=SILENCE_SEC) as worker,
    ):
        eventually(lambda: len(vendor.attempts("crypto")) > 0, "connected")
        eventually(lambda: state_of(worker) == shown, shown)
        eventually(lambda: state_of(worker, "stocks") == "live", "stocks live")
        if state in ("live", "waiting for a tick"):
            eventually(lambda: len(vendor.subscriptions) == 3, "subscribed")
        began = time.monotonic()
        worker.stop()
        assert time.monotonic() - began < 2
        assert not worker.alive()
        worker.stop()
        eventually(lambda: ("stocks", 1000) in vendor.closed, "stocks closed properly")
        if state in ("live", "waiting for the word", "waiting for a tick"):
            eventually(lambda: ("crypto", 1000) in vendor.closed, "crypto closed properly")
        assert {feed.state for feed in worker.status().feeds} == {"off"}
        assert worker.status().faults == ()


@pytest.mark.parametrize("behaviour", [floods, asks_and_does_not_read])
def test_flood_holds_up_neither_the_others_nor_the_end(behaviour: Behaviour) -> None:
    """Whatever one vendor does, the other feeds are read, the seconds shown, and all is closed."""
    with FaultyVendor(crypto=behaviour) as vendor, running(vendor.url) as worker:
        eventually(lambda: len(vendor.attempts("crypto")) > 0, "connected")
        assert worker.ready.wait(HANG_SEC)
        shown = worker.heartbeat.newest.now
        eventually(lambda: worker.heartbeat.newest.now >= shown + 2, "another two seconds")
        eventually(lambda: state_of(worker, "stocks") == "live", "stocks live")
        began = time.monotonic()
        worker.stop()
        assert time.monotonic() - began < 2
        assert not worker.alive()
        assert worker.status().faults == ()


async def only_bitcoin(session: Session) -> None:
    """What a vendor does with a name that it does not know: it says nothing of it."""
    await session.subscribed()
    while True:
        await session.send(tick("crypto", "BTC-USD"))
        await asyncio.sleep(0.02)


def test_a_symbol_that_the_vendor_never_sends_is_named_on_the_page() -> None:
    """By the message below the strip, once its class has traded for long enough."""
    watchlist = {**WATCHLIST, "crypto": ("BTC-USD", "ETH-USB")}
    timing = replace(TIMING, unheard_sec=2.0)
    with (
        FaultyVendor(crypto=only_bitcoin) as vendor,
        running(vendor.url, watchlist=watchlist, timing=timing) as worker,
    ):
        eventually(lambda: crypto(worker).never_heard == ("ETH-USB",), "the symbol is named")
        status = worker.status()
        messages = ["".join(map(str, one.text)) for one in status_card(status, 0.0, 0.0).messages]
        (told,) = [text for text in messages if text.startswith("Crypto: No price of some")]
        assert told.endswith("(no price yet of ETH-USB)")
        for asset in ("stocks", "forex"):
            assert feed_of(worker, asset).never_heard == ()


def test_stop_waits_for_no_name_that_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer holds up the feed, and not the end."""
    asked, is_over = threading.Event(), threading.Event()

    def look_up(*args: Any, **options: Any) -> Any:
        asked.set()
        is_over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        with running("ws://vendor.example/ws") as worker:
            assert asked.wait(20)
            worker.stop()
            assert not worker.alive()
            assert not is_over.is_set()
    finally:
        is_over.set()
