"""Alerts elsewhere: what is asked in one process is done in the one that sends."""

from __future__ import annotations

import pytest

from alerts.status import AlertsStatus
from engine.alerts_elsewhere import MOST_MUTES, AlertsElsewhere, grant
from history.deliveries import Mute, MuteOf
from sources.entries import decoded_wish, encoded
from sources.wishes import Wish, WishKind

NOW = 1_790_000_000.0


class Desk:
    """The alerts of a process that sends."""

    def __init__(self, mutes: int = 0) -> None:
        self.told: list[tuple[str, ...]] = []
        self.mutes = [Mute(MuteOf.SYMBOL, str(number), NOW) for number in range(mutes)]

    def status(self) -> AlertsStatus:
        """What is muted."""
        return AlertsStatus(mutes=tuple(self.mutes))

    def mute(self, mute: Mute) -> None:
        """Note a mute."""
        self.mutes.append(mute)

    def test(self, destination: str) -> bool:
        """Note a test."""
        return self._note("test", destination)

    def send_again(self, destination: str, key: str) -> bool:
        """Note what is to be sent again."""
        return self._note("again", destination, key)

    def try_now(self, destination: str) -> bool:
        """Note a try."""
        return self._note("try", destination)

    def _note(self, *what: str) -> bool:
        self.told.append(what)
        return True


class Line:
    """Carries wishes to a desk of another process."""

    can_ask = True

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.granted: list[bool] = []

    def ask(self, wish: Wish) -> None:
        """Carry one as the broker does."""
        read = decoded_wish(encoded(wish))
        assert read.kind.is_of_alerts
        self.granted.append(grant(self._desk, read))


def test_what_is_asked_here_is_done_there() -> None:
    """Everything that a viewer may ask of the alerts."""
    desk = Desk()
    line = Line(desk)
    elsewhere = AlertsElsewhere(line)
    mute = Mute(MuteOf.RULE, "flash", NOW)
    elsewhere.mute(mute)
    elsewhere.test("desk")
    elsewhere.try_now("desk")
    elsewhere.send_again("desk", "key")
    assert desk.mutes == [mute]
    assert desk.told == [("test", "desk"), ("try", "desk"), ("again", "desk", "key")]
    assert line.granted == [True] * 4


def test_names_from_browsers_do_not_fill_the_memory() -> None:
    """Whatever process they come from; what is muted already can be lifted."""
    desk = Desk(MOST_MUTES)
    line = Line(desk)
    elsewhere = AlertsElsewhere(line)
    elsewhere.mute(Mute(MuteOf.SYMBOL, "ONE-MORE", NOW))
    elsewhere.mute(Mute(MuteOf.SYMBOL, "7", 0.0))
    assert line.granted == [False, True]


@pytest.mark.parametrize("kind", [WishKind.ADD, WishKind.MUTE])
def test_what_is_nothing_to_alerts_does_nothing(kind: WishKind) -> None:
    """A wish of the watchlist, and one that lacks what it is about."""
    desk = Desk()
    assert not grant(desk, Wish(kind=kind, symbol="AAPL"))
    assert not desk.told
    assert not desk.mutes
