"""Leader: has the lease, publishes every second with it, and knows when it has it no more.

It belongs to the worker's thread; what it asks of the broker runs on another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from sources.entries import CollectorStatus, Memory, encoded
from sources.publishing import Publisher
from sources.relay_records import BrokerError, Fenced, Standing
from sources.relay_status import RelayTrouble

if TYPE_CHECKING:
    from sources.relay import Relay

__all__ = ["Leader", "RelayTiming", "Told"]

_T = TypeVar("_T")

_AGAIN_SEC: Final = 0.05
"""How soon a lease that is nobody's is tried again."""

_SHORTER_SEC: Final = 120
"""A stream that lacks more of what is in memory is filled again."""

_TABLE_SEC: Final = 6 * 3600.0
"""A table is published again after so long: the broker keeps it for a day."""

_AT_ONCE: Final = 3
"""So many entries of the past are sent at once: of many symbols each is a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTiming:
    """How long what takes, in seconds."""

    ttl_sec: float = 10.0
    """A lease holds so long without a word, ..."""
    margin_sec: float = 2.0
    """... and its holder counts on so much less."""
    beat_sec: float = 1.0
    """The longest between two words of who holds it."""
    retry_sec: float = 0.5
    """How soon a broker that did not answer is asked again."""
    block_sec: float = 1.0
    """How long a follower waits for an entry at once."""
    memory_sec: float = 300.0
    """How often what late joiners lack is published."""
    hold_back_sec: float = 30.0
    """A collector whose clock is behind the last one's by less waits until its time has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a leader tells of its source, and of what is in memory."""

    status: Callable[[], CollectorStatus]
    memory: Callable[[int], Memory]
    """What is known beside the prices, in a term; asked on the worker's thread."""
    span: Callable[[], tuple[int, int] | None]
    """The first second that a price is known of, and the last that is shown."""
    wishes: Callable[[Sequence[bytes]], None]
    """Told what viewers of other processes ask, on the worker's thread."""


class Leader:
    """Publishes what ``publisher`` makes over ``relay`` while the lease is this process's.

    ``keep_sec`` is for how long it is kept there. Who ``is_only`` collects whatever becomes of the
    broker; all others stop before another one can begin. ``know`` is told of each word of the
    broker, or why there was none. ``steady`` is a clock that nobody sets.
    """

    def __init__(
        self,
        relay: Relay,
        publisher: Publisher,
        told: Told,
        know: Callable[[RelayTrouble], None],
        *,
        keep_sec: int,
        is_only: bool = False,
        timing: RelayTiming | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay = relay
        self._publisher = publisher
        self._told = told
        self._know = know
        self._keep_sec = keep_sec
        self._is_only = is_only
        self._timing = timing or RelayTiming()
        self._steady = steady
        self.term: int | None = None
        """Of the lease that this process has; None: it has none."""
        self.last_term = 0
        """Of the newest lease that it had."""
        self.has_word = asyncio.Event()
        """Set once the broker took a word in the newest term."""
        self.standing: Standing | None = None
        """How things stood when it took the lease."""
        self.standing_at = -math.inf
        self._good_at = -math.inf
        """When the last word was sent that the broker took."""
        self._is_begun = False
        """Whether all that comes with a term has been said."""
        self._tables: dict[str, float] = {}
        """When each table was published in this term, by its digest."""
        self._remembered_at = -math.inf
        self._is_doubtful = False
        """Whether the broker may have lost what it took."""

    # The lease.

    async def take(self) -> bool:
        """Take the lease, if nobody has it; whether it is this process's now.

        Raises:
            BrokerError: if the broker has no answer.
        """
        asked_at = self._steady()
        standing = await asyncio.to_thread(self._relay.look)
        term = None if standing.holder else await asyncio.to_thread(self._relay.take)
        if term is None:
            self.standing, self.standing_at = standing, asked_at
            return False
        if standing.last is not None and standing.last.term == self.last_term:
            # All that was published before, whether the broker could say so or not.
            self._publisher.know_taken(standing.last.seq)
        self.standing, self.standing_at = standing, asked_at
        self.term = self.last_term = term
        self._good_at, self._is_begun = asked_at, False
        self.has_word.clear()
        return True

    async def release(self) -> None:
        """Give the lease back, with a last word; a broker that does not answer is left alone."""
        term, self.term = self.term, None
        if term is None:
            return
        self._publisher.last()
        with contextlib.suppress(BrokerError, Fenced):
            await self._set_tables(term)
            while batch := self._publisher.batch():
                status = encoded(self._told.status())
                await asyncio.to_thread(self._relay.beat, term, batch, status, self._keep_sec)
                self._publisher.sent(batch)
            await asyncio.to_thread(self._relay.release, term)

    @property
    def cursor(self) -> str:
        """The id of an entry that was there before the last that this process published."""
        if self.standing is None:
            return "-"
        since = self.standing.now + (self._good_at - self.standing_at) - self._timing.ttl_sec
        return f"{max(0, int(since * 1000))}-0"

    # Publishing.

    async def run(self) -> str:
        """Publish until this process may collect no longer; returns who does, empty if unknown."""
        while not self.is_past_deadline:
            try:
                await self._within_deadline(self._beat())
                self._know(RelayTrouble.NONE)
                await self._until_next()
            except Fenced as fenced:
                self.term = None
                # If that is this process, the answer by which it took the lease was lost, and it
                # tries again until that lease has run out.
                if fenced.holder not in ("", self._relay.holder):
                    return fenced.holder
                await asyncio.sleep(_AGAIN_SEC)
            except BrokerError as error:
                self._is_doubtful = True
                self._know(error.trouble)
                await asyncio.sleep(self._timing.retry_sec)
            except TimeoutError:
                self._know(RelayTrouble.AWAY)
        self.term = None
        return ""

    @property
    def is_past_deadline(self) -> bool:
        """Whether another may have the lease, so that nothing may be collected any more."""
        return self._deadline() <= self._steady()

    @property
    def has_expired(self) -> bool:
        """Whether another may have taken the lease since, whoever ``is_only``."""
        return self.term is not None and self._expiry() <= self._steady()

    def _deadline(self) -> float:
        """When this process stops, if the broker takes nothing until then."""
        return math.inf if self._is_only else self._expiry()

    def _expiry(self) -> float:
        """Until when this process may count on its lease."""
        return self._good_at + self._timing.ttl_sec - self._timing.margin_sec

    async def _within_deadline(self, what: Awaitable[_T]) -> _T:
        left = self._deadline() - self._steady()
        async with asyncio.timeout(None if left == math.inf else left):
            return await what

    async def _until_next(self) -> None:
        """Wait until there is something to publish, or for as long as nothing may be said."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.beat_sec):
                await self._publisher.wake.wait()

    async def _beat(self) -> None:
        if self.term is None and not await self.take():
            raise Fenced(self.standing.holder if self.standing else "")
        if not self._is_begun:
            await self._begin()
        await self._send()

    async def _begin(self) -> None:
        """Say what comes with a term: the table, and the past if that is not there."""
        standing, span = self.standing, self._told.span()
        self._publisher.begin()
        self._tables, self._remembered_at = {}, -math.inf
        first = None if standing is None or standing.first is None else standing.first.second
        if span is not None:
            oldest = max(span[0], span[1] - self._keep_sec)
            if first is None or first > oldest + _SHORTER_SEC:
                # What waits is told as it was shown, second by second.
                since = self._publisher.waits_since
                await self._fill(oldest, span[1] + 1 if since is None else since)
        self._is_begun = True

    async def _fill(self, first: int, end: int) -> None:
        """Publish the past from memory, in place of what was there."""
        term = self.term or 0
        await asyncio.to_thread(self._relay.clear, term)
        await self._set_tables(term)
        past = self._publisher.past(first, end)
        # First: who reads any of the past finds what was known beside it.
        await self._remember(term)
        while batch := await asyncio.to_thread(lambda: list(islice(past, _AT_ONCE))):
            sent_at, status = self._steady(), encoded(self._told.status())
            await asyncio.to_thread(self._relay.beat, term, batch, status, self._keep_sec)
            self._good_at = sent_at
            self._publisher.past_sent(batch)

    async def _send(self) -> None:
        """Publish what waits, and say that this process goes on."""
        publisher, term = self._publisher, self.term or 0
        await self._set_tables(term)
        batch, sent_at = publisher.batch(), self._steady()
        again = publisher.send_again() if self._is_doubtful else []
        status = encoded(self._told.status())
        beat = partial(self._relay.beat, takes_wishes=True)
        asked = await asyncio.to_thread(beat, term, [*again, *batch], status, self._keep_sec)
        self._good_at, self._is_doubtful = sent_at, False
        publisher.sent(batch)
        self.has_word.set()
        if asked:
            self._told.wishes(asked)
        if sent_at - self._remembered_at >= self._timing.memory_sec and publisher.tables:
            await self._remember(term)

    async def _remember(self, term: int) -> None:
        """Publish what is known beside the prices."""
        asked_at, memory = self._steady(), self._told.memory(term)
        body = await asyncio.to_thread(encoded, memory)
        await asyncio.to_thread(self._relay.set_memory, term, body)
        self._remembered_at = asked_at

    async def _set_tables(self, term: int) -> None:
        """Publish the tables that the entries name, unless they are there."""
        for digest, table in self._publisher.tables.items():
            now = self._steady()
            if now - self._tables.get(digest, -math.inf) >= _TABLE_SEC:
                await asyncio.to_thread(self._relay.set_table, term, digest, encoded(table))
                self._tables[digest] = now
