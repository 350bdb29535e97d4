"""The worker: one thread that wires everything, survives crashes, and is one per process."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest

import worker
from engine.heartbeat import Subscriber
from events import Event
from feeds import TickQueue
from pulse_store import PulseStore
from settings import Settings, SettingsError, SourceSettings
from sources.exchange import Exchange
from sources.tape import TapeError
from sources.vendor_feeds import VendorFeeds
from tests.stage import staged
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset, Tick
from vendors.eodhd import Eodhd
from worker import Worker

SIMULATED = Settings(SourceSettings("simulated", seed=7))

FEW: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL",),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD",),
}
"""For a test to which the market itself does not matter."""


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Starts workers that are stopped after the test."""
    started: list[Worker] = []

    def start(settings: Settings = SIMULATED, **options: Any) -> Worker:
        engine = Worker(settings, **options)
        started.append(engine)
        engine.start()
        return engine

    yield start
    for engine in started:
        engine.stop()


@pytest.fixture
def registry() -> Iterator[None]:
    """The process-wide worker, empty before and after."""
    worker.stop_shared()
    yield
    worker.stop_shared()


def states(engine: Worker) -> list[str]:
    """The state of each feed."""
    return [feed.state for feed in engine.status().feeds]


def test_the_simulated_market_is_alive_within_five_seconds(start: Callable[..., Worker]) -> None:
    """Every symbol has a price and an hour behind it, and every feed goes live."""
    began = time.process_time()
    engine = start()
    assert engine.ready.wait(HANG_SEC)
    # Of a processor: what others do with it meanwhile is not the worker's.
    assert time.process_time() - began < 5
    _, frame = engine.reader.pulse()
    assert len(frame) == 17
    assert frame["last"].notna().all()
    assert frame["vol_15m"].notna().all()
    assert (frame["regime"] != "unknown").all()
    until(lambda: states(engine) == ["live"] * 3)


def test_every_symbol_has_its_row_before_anything_begins() -> None:
    """A tab that opens in the first moment finds all it can choose from."""
    engine = staged(SIMULATED)
    assert len(engine.reader.symbols(ASSETS)) == 17
    assert len(engine.reader.pulse()[1]) == 17
    assert not engine.reader.has_prices()


def test_the_pulse_moves_on_every_second(start: Callable[..., Worker]) -> None:
    """New frames come by themselves, each of a later second, and prices change."""
    engine = start()
    assert engine.ready.wait(HANG_SEC)
    assert engine.reader.has_prices()
    seen: dict[float, pd.DataFrame] = {}

    def three_seconds() -> bool:
        now, frame = engine.reader.pulse()
        seen[now] = frame
        return len(seen) >= 4

    until(three_seconds)
    instants = sorted(seen)
    # A stalled machine may sleep through some, but a pulse is always that of a whole second.
    assert instants[3] - instants[2] == pytest.approx(round(instants[3] - instants[2]))
    assert (seen[instants[3]]["last"] != seen[instants[0]]["last"]).any()


def test_a_simulated_market_can_have_a_shorter_past(start: Callable[..., Worker]) -> None:
    """So many seconds before the whole minute in which it starts."""
    fixed = 1_795_000_000.25
    engine = start(clock=lambda: fixed, past_sec=60)
    assert engine.ready.wait(HANG_SEC)
    oldest, _ = engine.reader.span()
    start_of_minute = fixed // 60 * 60
    assert start_of_minute - 60 <= oldest < start_of_minute


def test_the_past_hour_has_events_that_are_history(start: Callable[..., Worker]) -> None:
    """What the detector finds in the backfilled hour has its own time and is marked."""
    engine = start()
    assert engine.ready.wait(HANG_SEC)
    until(lambda: len(engine.events) > 3)
    past = [event for event in engine.events.latest(500) if event.history]
    assert past
    assert all(event.ts < engine.reader.pulse()[0] for event in past)


def test_the_same_seed_is_the_same_page(start: Callable[..., Worker]) -> None:
    """Two workers of one seed and one clock find the same events in their past."""
    fixed = 1_795_000_000.25

    def past() -> list[Event]:
        engine = start(clock=lambda: fixed, past_sec=1200)
        until(lambda: not engine.status().is_searching_past and engine.ready.is_set())
        found = engine.events.latest(500)
        engine.stop()
        return found

    until_then = past()
    assert until_then
    assert until_then == past()


def test_there_is_a_status_before_anything_begins() -> None:
    """Of every class, from the first moment on."""
    status = staged(SIMULATED).status()
    assert (status.source.name, status.source.kind) == ("simulated", "simulated")
    assert status.started_at is status.uptime is None
    assert tuple(feed.asset for feed in status.feeds) == ASSETS
    assert {feed.state for feed in status.feeds} == {"connecting"}
    assert all(feed.asked and not feed.heard for feed in status.feeds)


def test_the_loop_publishes_one_status_a_second_for_all(start: Callable[..., Worker]) -> None:
    """Readers get the same object until the next one is there; its facts are of one instant."""
    engine = start(Settings(SourceSettings("simulated", seed=7, watchlist=FEW)))
    seen = {}

    def has_six() -> bool:
        status = engine.status()
        seen[id(status)] = status
        return len(seen) == 6

    until(has_six)
    before, after = [*seen.values()][-2:]
    assert after.now - before.now > 0.5
    assert after.uptime is not None
    assert after.uptime > 0


def test_a_frame_is_computed_once_a_second_for_all_readers(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand glances cost no frame more than none."""
    engine = start(past_sec=300)
    assert engine.ready.wait(HANG_SEC)
    until(lambda: not engine.status().is_searching_past)
    computed: list[float] = []
    computing: set[threading.Thread] = set()
    frame = engine.store.frame

    def counted(now: float) -> pd.DataFrame:
        computed.append(now)
        computing.add(threading.current_thread())
        return frame(now)

    monkeypatch.setattr(engine.store, "frame", counted)
    cards, instants = [], set()
    for _ in range(500):
        instants.add(engine.reader.pulse()[0])
        cards.append(engine.reader.correlation("AAPL", 20, ASSETS))
    assert len(computed) == len(set(computed))
    # Those of the seconds that passed, and none for whoever asks.
    assert threading.current_thread() not in computing
    # One more, for a second that begins between the two questions.
    assert len({id(card) for card in cards}) <= len(instants) + 1


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
@pytest.mark.parametrize(
    ("owner", "method", "task"),
    [
        (VendorFeeds, "measure", "heartbeat"),
        (PulseStore, "set_initial_price", "store"),
        (Exchange, "publish", "exchange"),
        (Eodhd, "dialogue", "crypto feed"),
    ],
)
def test_a_crash_is_shown_and_the_task_restarted(
    start: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    method: str,
    task: str,
    error: type[BaseException],
) -> None:
    """A task that raises, or cancels itself, is logged without the key, shown, and goes on."""
    secret = "SECRETKEY0123456789"  # noqa: S105 - looked for, not used
    failures = iter([True])
    real = getattr(owner, method)

    def fails_once(self: Any, *arguments: Any) -> Any:
        is_it = owner is not Eodhd or arguments[0] == "crypto"
        if is_it and next(failures, False):
            raise error(f"no luck with {secret}")
        return real(self, *arguments)

    monkeypatch.setattr(owner, method, fails_once)
    with caplog.at_level(logging.ERROR):
        queue = TickQueue()
        source = SourceSettings("simulated", seed=7, keys={"eodhd": (secret,)}, watchlist=FEW)
        engine = start(Settings(source), queue=queue, past_sec=60)
        assert engine.ready.wait(HANG_SEC)
        if task == "store":
            queue.add_last_price(Tick("AAPL", "stocks", time.time(), 1.0))
        until(lambda: engine.status().faults)
    (fault,) = engine.status().faults
    assert (fault.name, fault.count, fault.error) == (task, 1, error.__name__)
    assert f"{task} crashed" in caplog.text
    assert secret not in caplog.text
    before = engine.reader.pulse()[0]
    until(lambda: engine.reader.pulse()[0] > before + 1 and states(engine) == ["live"] * 3)


def test_the_clock_stepping_back_fires_nothing_and_freezes_nothing(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back on the system's clock: the pulse goes on, and no event comes of it."""
    stepped = threading.Event()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * stepped.is_set())
    engine = start(Settings(SourceSettings("simulated", seed=7, watchlist=FEW)))
    assert engine.ready.wait(HANG_SEC)
    until(lambda: not engine.status().is_searching_past and states(engine) == ["live"] * 3)
    before, events = engine.reader.pulse()[0], len(engine.events)
    stepped.set()
    until(lambda: engine.reader.pulse()[0] > before + 2)
    assert states(engine) == ["live"] * 3
    assert len(engine.events) <= events + 1  # the market itself may do something meanwhile


def test_stopping_ends_the_thread_and_may_be_repeated(start: Callable[..., Worker]) -> None:
    """After stop no thread is left, from any state."""
    engine = start(Settings(SourceSettings("simulated", seed=7, watchlist=FEW)))
    engine.stop()
    engine.stop()
    assert not engine.alive()
    assert not [thread for thread in threading.enumerate() if thread.name == "market-pulse"]


def test_a_tape_that_cannot_be_read_is_said_before_anything_starts(tmp_path: Path) -> None:
    """The error comes to whoever starts the worker, not to its thread."""
    tape = tmp_path / "tape.csv"
    tape.write_text("time,price\n1,2\n")
    with pytest.raises(TapeError, match="columns"):
        Worker(Settings(SourceSettings("replay", replay_file=tape))).start()


@pytest.mark.usefixtures("registry")
def test_racing_tabs_share_one_worker() -> None:
    """Twenty tabs opening at once get the same worker."""
    found: list[Worker] = []
    gate = threading.Barrier(20)

    def open_tab() -> None:
        gate.wait()
        found.append(worker.shared(lambda: SIMULATED))

    tabs = [threading.Thread(target=open_tab) for _ in range(20)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(found) == 20
    assert len({id(engine) for engine in found}) == 1


@pytest.mark.usefixtures("registry")
def test_the_shared_worker_outlives_its_module() -> None:
    """A module evicted and imported again, as Streamlit does, finds the worker running."""
    engine = worker.shared(lambda: SIMULATED)
    assert importlib.reload(worker).shared(lambda: SIMULATED) is engine


@pytest.mark.usefixtures("registry")
def test_the_shared_worker_can_be_built_by_its_caller() -> None:
    """A launcher that wants another clock or other hours builds the process's worker itself."""
    built: list[Worker] = []

    def make(settings: Settings) -> Worker:
        built.append(Worker(settings, clock=lambda: 1_795_000_000.25))
        return built[-1]

    engine = worker.shared(lambda: SIMULATED, make)
    assert built == [engine]
    assert worker.shared(lambda: SIMULATED) is engine


@pytest.mark.usefixtures("registry")
def test_a_dead_worker_is_replaced() -> None:
    """Whoever asks next gets one that runs."""
    engine = worker.shared(lambda: SIMULATED)
    engine.stop()
    successor = worker.shared(lambda: SIMULATED)
    assert successor is not engine
    assert successor.alive()


@pytest.mark.usefixtures("registry")
def test_whoever_begins_a_worker_anew_makes_it_as_it_was_made() -> None:
    """A tab that finds the launcher's worker dead begins another with all that follows it."""
    told: list[int] = []
    follower = Subscriber("follower", lambda over: told.append(over.second))

    def make(settings: Settings) -> Worker:
        return Worker(settings, subscribers=(follower,))

    worker.shared(lambda: SIMULATED, make).stop()
    before = len(told)
    assert worker.shared(lambda: SIMULATED).alive()
    until(lambda: len(told) > before)


@pytest.mark.usefixtures("registry")
def test_a_worker_that_was_stopped_for_good_leaves_nothing_behind() -> None:
    """The next one is made by whoever begins it."""
    built: list[Worker] = []

    def make(settings: Settings) -> Worker:
        built.append(Worker(settings))
        return built[-1]

    worker.shared(lambda: SIMULATED, make)
    worker.stop_shared()
    assert worker.shared(lambda: SIMULATED) not in built


@pytest.mark.usefixtures("registry")
def test_bad_settings_are_told_to_everyone_who_asks() -> None:
    """A failed start leaves nothing behind: the next one tries again."""

    def load() -> Settings:
        raise SettingsError("MARKET_PULSE_SEED is 'x', expected a whole number")

    for _ in range(2):
        with pytest.raises(SettingsError, match="MARKET_PULSE_SEED"):
            worker.shared(load)
    assert worker.shared(lambda: SIMULATED).alive()
