"""Rubbish on the wire: frames that no vendor should send, between good prices, and bad endings."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.attacks.rubbish import text, value
from benchmarks.attacks.tally import Tally
from feeds import Timing
from sessions import ALWAYS
from sessions import Session as Hours
from settings import Settings, SourceSettings
from tests.faulty_vendor import FORBIDDEN, FaultyVendor, Session, tick
from tests.statuses import feed_of
from tests.waiting import until
from ticks import ASSETS, Asset
from vendors.eodhd import Eodhd
from worker import Worker

KEY: Final = "SECRETKEY0123456789"
SYMBOL: Final = "BTC-USD"
LEVEL: Final = 84_588.0
WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": (),
    "forex": (),
    "crypto": (SYMBOL,),
}

ENDINGS: Final = (
    FORBIDDEN.encode(),
    b'{"status":' + b"9" * 4_300 + b"}",
    b'{"status_code":"500","message":' + json.dumps(KEY).encode() + b"}",
    b'{"s":"BTC-USD","p":"' + b"9" * 300_000 + b'","t":1}',
)

_TIMING: Final = Timing(backoff_floor_sec=0.01, backoff_cap_sec=0.02, refused_sec=0.02)


def wire(seed: int, cases: int) -> Tally:
    """Send rubbish to a running worker, a good price after each; end some connections badly."""
    rng = random.Random(seed)
    tally = Tally("rubbish on the wire")
    endings = len(ENDINGS)
    frames = [_frame(rng) for _ in range(cases - endings)]

    async def behave(session: Session) -> None:
        await session.subscribed()
        if session.number < endings:
            await session.send(tick("crypto", SYMBOL), ENDINGS[session.number])
            return
        for turn, frame in enumerate(frames):
            await session.send(frame, tick("crypto", SYMBOL, wiggle=turn))
        await session.ws.wait_closed()

    with FaultyVendor(crypto=behave) as vendor:
        engine = Worker(
            Settings(SourceSettings("eodhd", keys={"eodhd": (KEY,)}, watchlist=WATCHLIST)),
            timing=_TIMING,
            session=_always_open,
            vendors=dict.fromkeys(ASSETS, (Eodhd(vendor.url, KEY),)),
            status_sec=0.05,
        )
        engine.start()
        try:
            until(lambda: feed_of(engine, "crypto").ticks >= endings + len(frames))
            _judge(engine, vendor, tally)
        except AssertionError:
            feed = feed_of(engine, "crypto")
            tally.fail(f"{feed.ticks} of {endings + len(frames)} good prices came: {feed.state}")
        finally:
            engine.stop()
        if engine.alive():
            tally.fail("the worker did not stop")
    return tally


def _judge(engine: Worker, vendor: FaultyVendor, tally: Tally) -> None:
    status, feed = engine.status(), feed_of(engine, "crypto")
    tally.count("ended a connection", len(vendor.attempts("crypto")) - 1)
    for reason, times in feed.refused.items():
        tally.count(f"refused for {reason}", times)
    if feed.state != "live" or status.faults:
        tally.fail(f"the feed is {feed.state}, and these crashed: {status.faults}")
    if KEY in repr(status):
        tally.fail("the status holds the key")
    shown = engine.store.history(SYMBOL, time.time())["price"].dropna()
    if engine.store.symbols != [SYMBOL] or not shown.between(84_500, 84_700).all():
        tally.fail(f"symbols {engine.store.symbols}, prices {shown.min()} to {shown.max()}")


def _frame(rng: random.Random) -> str | bytes:
    """A frame that is no price, or none that may be shown; it asks for no end."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return text(rng)
    if kind == 2:
        return json.dumps(value(rng))
    good: dict[str, Any] = json.loads(tick("crypto", SYMBOL))
    if kind == 3:
        return json.dumps(good)[: rng.randrange(2, 40)]
    # A price of somebody else, or at another time, or none.
    spoilt: dict[str, tuple[Any, ...]] = {
        "s": (f"{SYMBOL}<b>", text(rng), 7, None, [SYMBOL]),
        "t": (0, -5, 1e300, "now", None, [1], good["t"] + 3_600_000),
        "p": (0, -1, "0", "NaN", "1e999", "", None, [1], True, "1_000.0"),
    }
    name = rng.choice(list(spoilt))
    others = {text(rng): value(rng) for _ in range(rng.randrange(3))}
    return json.dumps({**others, **good, name: rng.choice(spoilt[name])})


def _always_open(asset: Asset, now: float) -> Hours:
    return ALWAYS
