"""The real worker while its computer sleeps, or somebody sets its clock, before a real vendor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from engine.status import FeedStatus
from page.troubles import clock_text, feed_reason
from sessions import ALWAYS, Session
from settings import HistorySettings, Settings, SourceSettings, StressSettings
from sources.clocks import VendorClock
from tests.faulty_vendor import FaultyVendor, tick
from tests.faulty_vendor import Session as Connection
from tests.statuses import feed_of
from tests.test_remembering import archived, walk
from tests.waiting import until
from ticks import ASSETS, Asset
from vendors.eodhd import Eodhd
from worker import Worker

SYMBOLS: Final = ("BTC-USD", "ETH-USD")
HOUR: Final = 3600.0


class World:
    """A vendor, a computer's clock and a worker, whose times can be set apart."""

    def __init__(self) -> None:
        self.true = 0.0
        """What time it truly is, against this machine's."""
        self.wrong = 0.0
        """How far the computer's clock is off."""
        self.price = 100.0
        self.vendor = FaultyVendor(crypto=self._quote)
        self.engine: Worker

    def begin(self, data: Path) -> None:
        """Let a worker begin; whoever begins one ends it."""
        settings = Settings(
            SourceSettings(
                "eodhd",
                keys={"eodhd": ("k",)},
                watchlist={"stocks": (), "forex": (), "crypto": SYMBOLS},
            ),
            history=HistorySettings(folder=data),
            # Any move at all would be told.
            stress=StressSettings(
                thresholds={"crypto": {"move_1m": 0.003, "move_5m": 0.003, "vol_spike": 0.9}},
                min_surprise=0,
            ),
        )
        # Silence counts for more than it took to mend itself, and is told after half of that.
        vendor = Eodhd(self.vendor.url, "k", silence_sec=dict.fromkeys(ASSETS, 20.0))
        vendors = dict.fromkeys(ASSETS, (vendor,))
        self.engine = Worker(
            settings, clock=VendorClock(self.wall), vendors=vendors, session=always
        )
        self.engine.start()

    def feed(self) -> FeedStatus:
        """The status of the only feed."""
        return feed_of(self.engine, "crypto")

    def wall(self) -> float:
        """What the computer's clock says."""
        return time.time() + self.true + self.wrong

    async def _quote(self, connection: Connection) -> None:
        await connection.subscribed()
        turn = 0
        while True:
            for symbol in connection.symbols:
                turn += 1
                price = self.price * (1 + 1e-5 * (turn % 7))
                ts = time.time() + self.true
                await connection.send(tick("crypto", symbol, price=price, ts=ts))
            await asyncio.sleep(0.05)

    def lives(self) -> bool:
        """Whether prices come in and are shown by the true time."""
        now, frame = self.engine.reader.pulse()
        return (
            self.feed().state == "live"
            and abs(now - time.time() - self.true) < 3
            and bool((frame["age"] < 3).all())
        )

    def lives_on(self, seconds: int = 4) -> None:
        """Return when it has lived for some seconds on end."""
        until(self.lives)
        begun = self.engine.reader.pulse()[0]
        until(lambda: self.lives() and self.engine.reader.pulse()[0] > begun + seconds)


@pytest.fixture
def void() -> Iterator[World]:
    """One in which there is only the vendor yet."""
    world = World()
    with world.vendor:
        yield world


@pytest.fixture
def world(void: World, tmp_path: Path) -> Iterator[World]:
    """One in which all is well, with two hours of quiet prices behind it."""
    now = int(time.time())
    path = tmp_path / "eodhd.sqlite"
    quiet = walk(SYMBOLS, ("crypto",) * 2, now - 7200, now)
    # Where the vendor will go on, so that beginning is no move.
    quiet.cells["price"] = void.price * (1 + 1e-5 * (quiet.cells["second"] % 7))
    quiet.cells["sum"] = quiet.cells["price"]
    archived(path, quiet)
    void.begin(tmp_path)
    try:
        void.lives_on(2)
        yield void
    finally:
        void.engine.stop()


def always(asset: Asset, now: float) -> Session:
    """Every market is always open."""
    return ALWAYS


def new_events(world: World) -> Callable[[], list[str]]:
    """A look at the events that began since."""
    known = {event.id for event in world.engine.events.latest(1000)}
    return lambda: [e.id for e in world.engine.events.latest(1000) if e.id not in known]


def test_an_hour_asleep_is_a_hole_and_no_move(world: World) -> None:
    """Awake again: connections made anew, an hour without a line, and no event of the jump."""
    since = new_events(world)
    connections = len(world.vendor.attempts("crypto"))
    asleep = int(world.wall())
    world.price *= 1.02
    world.true += HOUR
    world.lives_on()
    assert len(world.vendor.attempts("crypto")) == connections + 1
    now, frame = world.engine.reader.pulse()
    history = world.engine.store.history("BTC-USD", now, 3650)["price"]
    assert history.loc[asleep + 3 : asleep + 3590].isna().all()
    assert history.loc[asleep + 3600 :].notna().any()
    assert frame[["ret_1m", "ret_5m", "ret_15m"]].isna().all(axis=None)
    assert since() == []
    # What was written knows the same hole.
    assert world.engine.flush()
    archive = world.engine.archive
    assert archive is not None
    seconds = archive.bars(asleep + 3, asleep + 3590).cells["second"]
    assert len(seconds) == 0


def test_a_clock_set_back_by_an_hour_changes_nothing(world: World) -> None:
    """Prices go on by the true time, on the same connection, and the page can say why."""
    since = new_events(world)
    connections = len(world.vendor.attempts("crypto"))
    world.wrong = -HOUR
    world.lives_on(4)
    assert "set back by 3600 s" in clock_text(world.engine.status().source.clock)
    assert len(world.vendor.attempts("crypto")) == connections
    assert since() == []
    world.wrong = 0.0
    world.lives_on()
    until(lambda: not world.engine.status().source.clock.trouble)
    assert since() == []


def test_a_clock_set_ahead_by_an_hour_is_found_out(world: World) -> None:
    """For some seconds nothing fits; then it is the true time again, recorded as before."""
    since = new_events(world)
    world.wrong = HOUR
    until(lambda: world.engine.status().source.clock.trouble)
    world.lives_on(4)
    assert "the time before it is kept" in clock_text(world.engine.status().source.clock)
    assert since() == []
    archive = world.engine.archive
    assert archive is not None
    assert world.engine.flush()

    def is_recorded_on() -> bool:
        span = archive.span()
        return span is not None and abs(span[1] - time.time()) < 3

    until(is_recorded_on)


def test_a_clock_that_had_been_wrong_may_be_set_right(world: World) -> None:
    """Wrong and told by its vendor, then set right: nothing moves, and nothing is told twice."""
    since = new_events(world)
    world.wrong = HOUR
    until(lambda: "is kept" in clock_text(world.engine.status().source.clock))
    world.lives_on()
    world.wrong = 0.0
    world.lives_on(4)
    until(lambda: not world.engine.status().source.clock.trouble)
    assert since() == []


def test_a_vendors_clock_behind_by_seconds_is_measured(void: World, tmp_path: Path) -> None:
    """The skew is in the status."""
    void.wrong = 5.0
    void.begin(tmp_path)
    try:
        until(lambda: void.feed().state == "live")
        until(lambda: void.feed().skew == pytest.approx(5.0, abs=1.0))
    finally:
        void.engine.stop()


def test_a_clock_that_is_slow_by_seconds_refuses_no_tick_once_that_is_measured(
    void: World, tmp_path: Path
) -> None:
    """At first all are of the future; then it is the true time, and none is."""
    void.wrong = -5.0
    void.begin(tmp_path)
    try:
        until(lambda: void.feed().refused.get("future", 0) > 0)
        until(lambda: "slow" in clock_text(void.engine.status().source.clock))
        void.lives_on(1)
        refused, ticks = void.feed().refused["future"], void.feed().ticks
        until(lambda: void.feed().ticks > ticks + 100)
        assert void.feed().refused["future"] == refused
    finally:
        void.engine.stop()


def test_a_clock_that_is_an_hour_slow_is_named(void: World, tmp_path: Path) -> None:
    """It may be the vendor's zone: nothing is followed, and the reason says by how much."""
    void.wrong = -HOUR
    void.begin(tmp_path)
    try:
        until(lambda: void.feed().state == "silent")
        assert "3600 s ahead of this computer's clock" in feed_reason(void.feed())
        assert void.feed().refused["future"] > 0
    finally:
        void.engine.stop()
