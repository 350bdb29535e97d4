"""The alerts as worker and page see them."""

from __future__ import annotations

from alerts.desk import Desk
from history.deliveries import Mute, MuteOf
from settings import Settings, SourceSettings
from tests.stage import staged

NOW = 1_795_000_000.0


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
