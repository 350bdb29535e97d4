"""The real worker before a real vendor: its first prices after a restart, and prices that lag."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest

from engine.heartbeat import SECOND_END, SecondOver, Subscriber
from page.payload import payload
from page.tabs import OpenTabs
from page.view import read
from page.visit import Visit
from sessions import ALWAYS, Session
from settings import HistorySettings, Settings, SourceSettings
from tests.deltas import decoded
from tests.faulty_vendor import FaultyVendor, tick
from tests.faulty_vendor import Session as Connection
from tests.statuses import feed_of
from tests.test_remembering import archived, walk
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset
from worker import Worker

BTC: Final = "BTC-USD"
LEVEL: Final = 92_000.0


def always(asset: Asset, now: float) -> Session:
    """Every market is always open."""
    return ALWAYS


@contextmanager
def running(vendor: FaultyVendor, folder: Path | None = None, **options: Any) -> Iterator[Worker]:
    """A worker that watches a coin of a vendor, with an archive in ``folder``."""
    settings = Settings(
        SourceSettings(
            "eodhd",
            keys={"eodhd": ("k",)},
            urls={"eodhd": vendor.url},
            watchlist={"stocks": (), "forex": (), "crypto": (BTC,)},
        ),
        history=HistorySettings(folder=folder),
    )
    engine = Worker(settings, session=always, status_sec=0.05, **options)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def remembered(folder: Path, ago_sec: int) -> None:
    """An archive with an hour of the coin that ended some time ago."""
    end = int(time.time()) - ago_sec
    hour = walk([BTC], ["crypto"], end - 3600, end)
    hour.cells["price"] *= LEVEL / hour.cells["price"][-1]
    hour.cells["sum"] = hour.cells["price"]
    archived(folder / "eodhd.sqlite", hour)


def sends(
    *prices: float, then: float, go_on: threading.Event | None = None
) -> Callable[[Connection], Any]:
    """Sends these prices one after the other, and then, if it may ``go_on``, others around one."""

    async def behave(connection: Connection) -> None:
        await connection.subscribed()
        for price in prices:
            await connection.send(tick("crypto", BTC, price=price))
            await asyncio.sleep(0.01)
        while go_on is not None and not go_on.is_set():  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.02)
        turn = 0
        while True:
            await asyncio.sleep(0.02)
            await connection.send(tick("crypto", BTC, price=then, wiggle=turn))
            turn += 1

    return behave


def drawn(engine: Worker) -> tuple[dict[str, Any], dict[str, Any]]:
    """The coin's row and its card as a tab is sent them."""
    reader = engine.reader
    view = replace(read({}, reader.symbols(ASSETS))[0], symbol=BTC)
    sent = decoded(payload(reader, engine.status(), Visit(view), None, OpenTabs()))
    return sent["pulse"]["lists"][0]["rows"][0], sent["opened"]


def test_bad_first_price_after_a_restart_is_held_back(tmp_path: Path) -> None:
    """It is told on its row, is never shown and makes no event; the good ones after it enter."""
    remembered(tmp_path, 600)
    go_on = threading.Event()
    with (
        FaultyVendor(crypto=sends(64_400.0, then=LEVEL, go_on=go_on)) as vendor,
        running(vendor, tmp_path) as engine,
    ):
        until(lambda: feed_of(engine, "crypto").held)
        (held,) = feed_of(engine, "crypto").held
        assert (held.symbol, held.price, held.number) == (BTC, 64_400.0, 1)
        assert held.believed == pytest.approx(LEVEL)
        row, card = drawn(engine)
        assert row["state_text"] == card["state_text"] == "64,400.00 held back"
        assert "30.0 % below 92,000.00" in row["state_title"]
        go_on.set()
        until(lambda: feed_of(engine, "crypto").ticks > 100)
        assert feed_of(engine, "crypto").refused == {"far off": 1}
        begun = engine.reader.pulse()[0]
        until(lambda: engine.reader.pulse()[0] > begun + 2)
        prices = engine.store.history(BTC, time.time(), 60)["price"].dropna()
        assert prices.between(LEVEL * 0.99, LEVEL * 1.01).all()
        assert not [event for event in engine.events.latest(500) if not event.history]


def test_market_that_moved_meanwhile_is_shown_with_its_third_price(tmp_path: Path) -> None:
    """Three that agree are the market."""
    remembered(tmp_path, 30)
    with (
        FaultyVendor(crypto=sends(64_400.0, 64_410.0, then=64_420.0)) as vendor,
        running(vendor, tmp_path) as engine,
    ):
        until(lambda: feed_of(engine, "crypto").ticks > 20)
        assert feed_of(engine, "crypto").refused == {"far off": 2}
        assert feed_of(engine, "crypto").held == ()
        last = engine.store.snapshot(BTC, time.time() + 1)
        assert last is not None
        assert last["last"] == pytest.approx(64_420.0, rel=1e-3)


def test_first_second_is_shown_when_it_is_over(tmp_path: Path) -> None:
    """Live, of an archive, and of a simulated market with its hour."""
    shown: list[tuple[float, float]] = []

    def note(over: SecondOver) -> None:
        if not over.is_history:
            shown.append((over.second + 1.0, time.time()))

    remembered(tmp_path, 30)
    with (
        FaultyVendor() as vendor,
        running(vendor, tmp_path, subscribers=[Subscriber("test", note)]),
    ):
        until(lambda: len(shown) > 2)
    engine = Worker(Settings(SourceSettings("simulated", seed=3)), clock=lambda: 1_795_000_000.75)
    engine.start()
    try:
        assert engine.ready.wait(HANG_SEC)
        assert engine.reader.pulse()[0] == 1_794_999_999.999
    finally:
        engine.stop()
    assert all(ended + 0.25 <= at for ended, at in shown)


def lagging(least: float, most: float, sent_at: dict[int, float]) -> Callable[[Connection], Any]:
    """Sends a price at 40 a second, each so many seconds after its time.

    ``sent_at`` learns when the last price of each second was sent.
    """
    rng = random.Random(5)

    async def behave(connection: Connection) -> None:
        await connection.subscribed()
        price = LEVEL
        late: list[tuple[float, float, float]] = []
        while True:
            now = time.time()
            price *= 1 + rng.gauss(0, 1e-5)
            late.append((now + rng.uniform(least, most), now, price))
            for due, ts, sent in sorted(late):
                if due <= now:
                    await connection.send(tick("crypto", BTC, price=sent, ts=ts))
                    sent_at[int(ts)] = time.time()
            late = [one for one in late if one[0] > now]
            await asyncio.sleep(0.025)

    return behave


def test_what_was_shown_is_what_is_looked_back_at() -> None:
    """With a vendor whose prices come late, in any order: each second is shown that much later."""
    sent_at: dict[int, float] = {}
    shown: dict[int, tuple[float, pd.DataFrame]] = {}

    def note(over: SecondOver) -> None:
        if over.frame is not None:
            shown[over.second] = time.time(), over.frame

    def compared() -> list[int]:
        """The seconds all of whose prices are there, and that no busy computer sent too late."""
        all_sent = [second for second in sorted(shown) if begun < second < max(shown) - 4]
        return [
            second
            for second in all_sent
            if max(at for of, at in [*sent_at.items()] if of <= second) < shown[second][0] - 0.2
        ]

    with (
        FaultyVendor(crypto=lagging(0.5, 2.5, sent_at)) as vendor,
        running(vendor, subscribers=[Subscriber("test", note)]) as engine,
    ):
        until(lambda: feed_of(engine, "crypto").ticks > 100)
        until(lambda: engine.status().source.later_sec >= 2.5)
        begun = int(engine.reader.pulse()[0]) + 1
        until(lambda: len(compared()) >= 4)
        for second in compared():
            frame = engine.store.frame(second + SECOND_END)
            pd.testing.assert_frame_equal(shown[second][1], frame)
        since = [second for second in sorted(shown) if second > begun]
        assert since == list(range(since[0], since[0] + len(since))), "none was skipped"
        assert engine.status().source.later_sec <= 3.0
