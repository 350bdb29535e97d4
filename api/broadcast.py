"""Broadcast: the channels of one process, kept up to date with every second, for all clients.

It belongs to the thread of the loop that serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from api.channels import BarChannel, EventChannel, FrameChannel, StatusChannel
from api.facts import Engine, Facts
from api.protocol import VERSION, Channel
from api.spool import Spool
from engine.heartbeat import SecondOver

__all__ = ["USUAL", "Broadcast", "Patience"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client is waited for, and how much it may ask; times in seconds."""

    auth_sec: float = 10.0
    """For a first token."""
    heartbeat_sec: float = 10.0
    """Until something is said if there is nothing to say."""
    send_sec: float = 15.0
    """For one message to be taken."""
    wait_sec: float = 120.0
    """For bars and events to be read."""
    close_sec: float = 1.0
    """For the last word."""
    per_sec: float = 10.0
    burst: float = 50.0
    """Messages from a client, in the long run and at once."""
    subscriptions: int = 32
    """Of one client, files among them."""
    clients: int = 1000


USUAL: Final = Patience()


class Broadcast:
    """What the clients of one process follow; ``pool`` does what has to wait for a disk.

    Files that they ask for lie in ``spool``.
    """

    def __init__(
        self,
        facts: Facts,
        engine: Engine,
        spool: Spool,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.facts = facts
        self.patience = patience
        self.spool = spool
        self.clock = clock
        self.pool: Executor = ThreadPoolExecutor(2, "market-pulse-stream")
        self.engine = engine
        self.frames = FrameChannel(engine.reader.pulse())
        self.bars = BarChannel()
        self.events = EventChannel()
        self.status = StatusChannel(engine.status())
        self._wakes: set[Callable[[], None]] = set()
        self._follows_bars = False

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._wakes)

    def add(self, wake: Callable[[], None]) -> None:
        """Have a client be called whenever there is something new."""
        self._wakes.add(wake)

    def remove(self, wake: Callable[[], None]) -> None:
        """Forget a client."""
        self._wakes.discard(wake)

    def second_over(self, over: SecondOver) -> None:
        """Have every channel hold what is true now: frame, bars and events of a second at once."""
        self._follow()
        self.events.show(over, self.clock())
        for wake in self._wakes:
            wake()

    def prepare(self, channel: Channel) -> Engine:
        """Have a channel hold what is true now, for somebody who subscribes to it."""
        self._follows_bars |= channel == "bars"
        self._follow()
        self.events.begin(self.frames.second + 1, self.clock())
        return self.engine

    def now(self) -> float:
        """The time by the clock of the source."""
        return self.engine.reader.now()

    def stream(self) -> str:
        """The name of the stream: its source, what determines that, and the format."""
        source = self.engine.status().source
        which = source.seed if source.file is None else source.file
        return ":".join(filter(None, (source.name, str(which or ""), str(VERSION))))

    def _follow(self) -> None:
        engine = self.facts.engine()
        if engine is not None and engine is not self.engine:
            self.engine = engine
            self.bars.begin_anew()
        reader = self.engine.reader
        if reader.is_ready:
            self.frames.show(reader.pulse())
        self.status.show(self.engine.status())
        if self._follows_bars:
            self.bars.show(reader.store, self.frames.second, self.clock())
