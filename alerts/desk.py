"""Desk: the alerts as the worker and the page see them, whatever carries them out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from alerts.status import AlertsStatus, DestinationStatus
from events import Event
from history.deliveries import Delivery, Mute, MuteOf
from settings import AlertSettings

__all__ = ["Desk"]


class Desk:
    """The alerts of one process; without any destination it tells nothing.

    ``is_simulated`` says whether the market is simulated or replayed. Any thread may call it;
    ``clock`` is the computer's.
    """

    def __init__(
        self,
        settings: AlertSettings,
        *,
        is_simulated: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._destinations = {each.name: each for each in settings.destinations}
        self._is_simulated = is_simulated
        self._clock = clock
        # Guards everything below.
        self._lock = threading.Lock()
        self._mutes: dict[tuple[MuteOf, str], Mute] = {}

    # For the worker.

    def start(self) -> None:
        """Begin to send; returns at once."""

    def stop(self) -> None:
        """Send no more; may be called again."""

    def deliveries_for(self, events: Sequence[Event], now: float) -> tuple[Delivery, ...]:
        """What is to be told of states of events that came ``now``, by the computer's clock."""
        return ()

    def status(self) -> AlertsStatus:
        """What is true of all destinations now."""
        now = self._clock()
        with self._lock:
            mutes = tuple(mute for mute in self._mutes.values() if mute.until > now)
        each = self._destinations.values()
        return AlertsStatus(
            destinations=tuple(
                DestinationStatus(name=one.name, type=one.type, takes_simulated=one.is_simulated)
                for one in each
            ),
            is_simulated=self._is_simulated,
            mutes=mutes,
        )

    # For the page.

    def mute(self, mute: Mute) -> None:
        """Tell nothing of something until an instant; one that has passed lifts the mute."""
        with self._lock:
            self._mutes[mute.of, mute.name] = mute

    def test(self, destination: str) -> bool:
        """Send a marked message; whether it will be, for one is sent in ten seconds at most."""
        return False

    def send_again(self, destination: str, key: str) -> bool:
        """Try a dead delivery again; whether there is one."""
        return False

    def try_now(self, destination: str) -> bool:
        """Try a destination that rests, refuses us or is off; whether there is one."""
        return False
