"""Alerts elsewhere: what a viewer asks of the alerts reaches the process that sends them."""

from __future__ import annotations

from typing import Final, Protocol

from alerts.status import AlertsStatus
from history.deliveries import Mute
from sources.wishes import Elsewhere, Wish, WishKind

__all__ = ["MOST_MUTES", "AlertsElsewhere", "Desk", "grant"]

MOST_MUTES: Final = 200
"""How many things may be muted at once: names come from a browser, and must not fill the memory."""


class Desk(Protocol):
    """Who carries events out of the page, as far as a viewer may ask something of it."""

    def status(self) -> AlertsStatus:
        """What is true of all destinations now."""
        ...

    def mute(self, mute: Mute) -> object:
        """Tell nothing of something until an instant; one that has passed lifts the mute."""
        ...

    def test(self, destination: str) -> bool:
        """Send a marked message; whether it will be."""
        ...

    def send_again(self, destination: str, key: str) -> bool:
        """Try a dead delivery again; whether there is one."""
        ...

    def try_now(self, destination: str) -> bool:
        """Try a destination that is not tried by itself now; whether it will be."""
        ...


class AlertsElsewhere:
    """The alerts of another process, as far as they can be asked for something from here.

    What becomes of it comes back as what is true of the alerts. Any thread may call it.
    """

    def __init__(self, elsewhere: Elsewhere) -> None:
        self._elsewhere = elsewhere

    def mute(self, mute: Mute) -> None:
        """Have nothing told of something until an instant; one that has passed lifts the mute."""
        self._elsewhere.ask(Wish(kind=WishKind.MUTE, mute=mute))

    def test(self, destination: str) -> None:
        """Have a marked message sent."""
        self._elsewhere.ask(Wish(kind=WishKind.TEST, destination=destination))

    def send_again(self, destination: str, key: str) -> None:
        """Have a dead delivery tried again."""
        self._elsewhere.ask(Wish(kind=WishKind.SEND_AGAIN, destination=destination, key=key))

    def try_now(self, destination: str) -> None:
        """Have a destination tried that is not tried by itself now."""
        self._elsewhere.ask(Wish(kind=WishKind.TRY_NOW, destination=destination))


def grant(desk: Desk, wish: Wish) -> bool:
    """Do what is asked of the alerts in another process; whether it was done."""
    match wish:
        case Wish(kind=WishKind.MUTE, mute=Mute() as mute):
            known = {(one.of, one.name) for one in desk.status().mutes}
            if len(known) >= MOST_MUTES and (mute.of, mute.name) not in known:
                return False
            desk.mute(mute)
            return True
        case Wish(kind=WishKind.TEST, destination=destination):
            return desk.test(destination)
        case Wish(kind=WishKind.SEND_AGAIN, destination=destination, key=key):
            return desk.send_again(destination, key)
        case Wish(kind=WishKind.TRY_NOW, destination=destination):
            return desk.try_now(destination)
        case _:
            return False
