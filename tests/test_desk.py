"""The alerts as worker and page see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from alerts.desk import Desk
from events import Event, StressDetector
from history.deliveries import DeliveryState, Mute, MuteOf
from settings import (
    AlertSettings,
    Destination,
    HistorySettings,
    Settings,
    SourceSettings,
)
from tests.receiver import Receiver
from tests.stage import play, staged
from tests.told import event_of
from tests.waiting import until
from ticks import Asset, Tick
from worker import Worker

NOW = 1_795_000_000.0

FEW: Final[Mapping[Asset, tuple[str, ...]]] = {
    "stocks": ("AAPL",),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD",),
}


def test_a_mute_holds_until_its_instant_and_can_be_lifted() -> None:
    """The page lists what is muted, and no more than that."""
    clock = [NOW]
    desk = Desk(clock=lambda: clock[0])
    apple, coin = Mute(MuteOf.SYMBOL, "AAPL", NOW + 60), Mute(MuteOf.SYMBOL, "BTC-USD", NOW + 600)
    desk.mute(apple)
    desk.mute(coin)
    assert desk.status().mutes == (apple, coin)
    clock[0] = NOW + 60
    assert desk.status().mutes == (coin,)
    desk.mute(Mute(MuteOf.SYMBOL, "BTC-USD", NOW))
    assert desk.status().mutes == ()


def test_without_a_destination_nothing_can_be_asked_for() -> None:
    """And nothing is wrong with that."""
    desk = Desk()
    desk.start()
    assert desk.deliveries_for(()) == ()
    assert not desk.test("desk")
    assert not desk.send_again("desk", "key")
    assert not desk.try_now("desk")
    desk.stop()
    desk.stop()
    assert desk.status().destinations == ()


def test_the_status_of_a_worker_says_what_is_true_of_its_alerts() -> None:
    """Of a simulated market, too, of which most destinations are told nothing."""
    engine = staged(Settings(SourceSettings("simulated", seed=7)))
    assert engine.status().alerts == engine.desk.status()
    assert engine.status().alerts.is_simulated


class Nervous(StressDetector):
    """Finds an event in every second, and in the past now and then."""

    def check_all(
        self, snapshots: Sequence[Mapping[str, Any]], *, history: bool = False, **others: Any
    ) -> list[Event]:
        at = snapshots[0]["now"] if snapshots else 0.0
        is_one = bool(snapshots) and (not history or int(at) % 600 == 0)
        return [event_of(at, history=history)] if is_one else []


def program(name: str, url: str, *, is_simulated: bool = True) -> Destination:
    """A program of this computer."""
    return Destination(
        name=name,
        type="webhook",
        url=url,
        wait_sec=0.0,
        is_private=True,
        is_insecure=True,
        is_simulated=is_simulated,
    )


def settings_of(*destinations: Destination, folder: Path | None = None) -> Settings:
    """A simulated market that is told to some destinations."""
    return Settings(
        SourceSettings("simulated", seed=7, watchlist=FEW),
        history=HistorySettings(folder=folder),
        alerts=AlertSettings(destinations=destinations),
    )


def test_what_the_worker_finds_arrives(tmp_path: Path) -> None:
    """Nothing of the past, nothing where simulated prices are not wanted, and all with its mark."""
    with Receiver() as wanted, Receiver() as unwanted:
        each = program("wanted", wanted.url), program("unwanted", unwanted.url, is_simulated=False)
        settings = settings_of(*each, folder=tmp_path)
        engine = Worker(settings, make_detector=Nervous, past_sec=900)
        engine.start()
        try:
            until(lambda: engine.status().alerts.destinations[0].sent)
            until(lambda: engine.status().alerts.is_remembered)
            began = engine.status().started_at
        finally:
            engine.stop()
        assert not unwanted.got
        assert began is not None
        for got in wanted.got:
            data = got.said["data"]
            assert data["simulated"]
            assert datetime.fromisoformat(data["began"]).timestamp() > began - 5
    assert engine.archive is not None
    rows = {each.id: each for each in engine.archive.deliveries()}
    assert {got.id for got in wanted.got} <= set(rows)
    events = {event.id for event in engine.archive.events(0.0, 2 * NOW)}
    assert {each.event.id for each in rows.values() if each.event} <= events
    assert DeliveryState.SENT in {each.state for each in rows.values()}


def test_without_an_archive_the_worker_tells_its_desk_all_the_same() -> None:
    """Second after second, as it finds them."""
    engine = staged(settings_of(program("wanted", "http://127.0.0.1:1")), make_detector=Nervous)
    second = int(engine.status().now)
    for number in range(3):
        play(engine, second + number, [Tick("BTC-USD", "crypto", second + number, 100.0)])
        engine.heartbeat.search(second + number)
    assert engine.desk.status().destinations[0].waiting == 3
    assert not engine.desk.status().is_remembered
