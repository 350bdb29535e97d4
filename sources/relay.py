"""Relay: what processes that show the same pulse say to each other, by way of a Redis server.

One has a lease, and publishes: an entry a second, appended to a stream that all others follow. Who
publishes renews the lease in the same step, so that who cannot publish loses it and who lost it
cannot publish. Every call asks once and waits for the answer: it is a thread's to make, and to
make again.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from settings.relay import RelaySettings
from sources.relay_records import START, BrokerError, Fenced, Packed, Read, Standing
from sources.relay_scripts import BEAT, CLEAR, RELEASE, SET, TAKE
from sources.relay_status import RelayTrouble

__all__ = ["MOST_BLOCK_MS", "Relay"]

MOST_BLOCK_MS: Final = 1000
"""For so long a call may wait for news."""

_TABLE_MS: Final = 24 * 3600 * 1000
"""So long is a table kept after it was last set."""

_WISH_MS: Final = 60_000
"""A wish that nobody took is forgotten so long after the last one was asked."""

_MOST_WISHES: Final = 100
"""So many wait at most, the newest."""


class Relay:
    """One process's line to the broker; it connects when it is first asked something.

    Several threads may call it. Whatever a call raises, the next one connects again if it has to.

    Every call raises ``BrokerError`` if the broker cannot be used. Those that write are given the
    term of the lease, and raise ``Fenced`` and change nothing if it is not held here, or no more.
    """

    def __init__(
        self,
        settings: RelaySettings,
        host: str,
        *,
        ttl_ms: int = 10_000,
        timeout_sec: float = 1.5,
        status_ms: int = 15_000,
    ) -> None:
        """A line for the process that is called ``host``.

        A lease lasts ``ttl_ms`` after it was taken or renewed, what its holder says of itself
        ``status_ms``; an answer is waited for ``timeout_sec`` (a name's address as long as the
        system looks for it).
        """
        self.holder = host
        """What the process is called."""
        self._ttl_ms = ttl_ms
        self._status_ms = status_ms
        # The braces keep all keys on one server of a cluster.
        prefix = f"mp:{{{settings.name}}}:"
        self._lease, self._seconds = f"{prefix}lease", f"{prefix}seconds"
        self._status, self._released = f"{prefix}status", f"{prefix}released"
        self._memory, self._table_prefix = f"{prefix}memory", f"{prefix}table:"
        self._wishes = f"{prefix}wishes"
        self._client = _client(settings, host, timeout_sec)
        # What waits for news may answer later, by as much as it may wait.
        self._waiting = _client(settings, host, timeout_sec + MOST_BLOCK_MS / 1000)
        self._take = self._client.register_script(TAKE)
        self._beat = self._client.register_script(BEAT)
        self._release = self._client.register_script(RELEASE)
        self._clear = self._client.register_script(CLEAR)
        self._set = self._client.register_script(SET)
        # Guards the newest term that was ever seen here.
        self._lock = threading.Lock()
        self._newest_term = 0

    # What anybody may do.

    def look(self, *, with_ends: bool = True) -> Standing:
        """How things stand; without its ends the first and last entry of the stream are left out.

        Of many symbols these are megabytes, so who follows does not ask for them each second.
        """
        with _told():
            line = self._client.pipeline(transaction=False)
            line.time()
            line.get(self._lease)
            line.pttl(self._lease)
            line.get(self._released)
            line.get(self._status)
            if with_ends:
                line.xrange(self._seconds, count=1)
                line.xrevrange(self._seconds, count=1)
            (sec, micros), lease, left_ms, released, status, *ends = line.execute()
        oldest, newest = ends or ((), ())
        holder, term = _lease(lease)
        last = _read(*newest[0]) if newest else None
        self._note(term, last.term if last else 0)
        return Standing(
            holder=holder,
            term=term,
            # It may have run out between the two questions.
            left_ms=max(0, left_ms) if holder else 0,
            is_released=not holder and released is not None,
            status=status,
            now=sec + micros / 1e6,
            first=_read(*oldest[0]) if oldest else None,
            last=last,
        )

    def read(self, after: str = START, count: int = 300) -> list[Read]:
        """The next entries, ``count`` at most, behind the one whose id is ``after``; oldest first.

        Raises:
            ValueError: if that is no id of an entry.
        """
        start = START if after == START else f"({_id(after)}"
        with _told():
            found = self._client.xrange(self._seconds, min=start, count=count)
        return self._noted(found)

    def wait(self, after: str, block_ms: int = MOST_BLOCK_MS) -> list[Read]:
        """The next entries, likewise, once there are any; none if none came in ``block_ms``.

        Raises:
            ValueError: if that is no id of an entry, or longer than ``MOST_BLOCK_MS``.
        """
        if not 0 < block_ms <= MOST_BLOCK_MS:
            raise ValueError(f"block_ms is {block_ms}, expected 1 to {MOST_BLOCK_MS}")
        start = "0-0" if after == START else _id(after)
        with _told():
            found: Any = self._waiting.xread({self._seconds: start}, count=300, block=block_ms)
        return self._noted(found[0][1] if found else [])

    def table(self, digest: str) -> bytes | None:
        """The table that has this digest; None: there is none, or none any more."""
        return self._get(f"{self._table_prefix}{digest}")

    def memory(self) -> bytes | None:
        """What a holder wanted remembered; None: nothing."""
        return self._get(self._memory)

    def wish(self, body: bytes) -> None:
        """Ask something of whoever holds the lease, or holds it within a minute."""
        with _told():
            line = self._client.pipeline(transaction=False)
            line.xadd(self._wishes, {"body": body}, maxlen=_MOST_WISHES, approximate=False)
            line.pexpire(self._wishes, _WISH_MS)
            line.execute()

    # What the lease is needed for.

    def take(self) -> int | None:
        """Take the lease if nobody holds it, and return its term; None if somebody does.

        A term is when the lease was taken, in milliseconds by the broker's clock, and above all
        that were ever seen here or are in the stream, whatever that clock does.
        """
        with self._lock:
            newest = self._newest_term
        with _told():
            term = self._take(
                [self._lease, self._seconds, self._released],
                [self.holder, self._ttl_ms, newest],
            )
        if term is None:
            return None
        self._note(int(term))
        return int(term)

    def beat(
        self,
        term: int,
        entries: Sequence[Packed],
        status: bytes,
        keep_sec: int,
        *,
        takes_wishes: bool = False,
    ) -> list[bytes]:
        """Publish, say how things are, and renew the lease: all or nothing.

        Returns the wishes that others have since, oldest first, if it ``takes_wishes``: each is
        handed out once.

        What is published already, in this term and with the same ``seq``, is not published again:
        it may be sent again if no answer came. The stream forgets what is older than ``keep_sec``
        by the broker's clock, roughly.
        """
        flat = [part for each in entries for part in _fields(each)]
        keys = [self._lease, self._seconds, self._status]
        if takes_wishes:
            keys.append(self._wishes)
        limits = [self._ttl_ms, self._status_ms, keep_sec * 1000]
        with _told():
            found = self._beat(keys, [self._own(term), term, *limits, status, *flat])
        if not isinstance(found, list):
            raise Fenced(_lease(found)[0])
        return [body for body in found if isinstance(body, bytes)]

    def set_table(self, term: int, digest: str, body: bytes) -> None:
        """Keep a table for a day from now on."""
        self._put(term, f"{self._table_prefix}{digest}", body, _TABLE_MS)

    def set_memory(self, term: int, body: bytes) -> None:
        """Keep what the next holder is to know, in place of what was kept."""
        self._put(term, self._memory, body, 0)

    def clear(self, term: int) -> None:
        """Empty the stream, and forget what is remembered beside it."""
        with _told():
            found = self._clear([self._lease, self._seconds, self._memory], [self._own(term)])
        _reject_fenced(found)

    def release(self, term: int) -> None:
        """Give the lease back, so that others may take it at once; nothing if it is not held."""
        with _told():
            self._release([self._lease, self._released], [self._own(term)])

    def close(self) -> None:
        """Disconnect; a call that waits in another thread ends with a ``BrokerError``."""
        self._client.close()
        self._waiting.close()

    # How.

    def _own(self, term: int) -> str:
        return f"{self.holder}:{term}"

    def _get(self, key: str) -> bytes | None:
        with _told():
            found: Any = self._client.get(key)
        return bytes(found) if found is not None else None

    def _put(self, term: int, key: str, body: bytes, keep_ms: int) -> None:
        with _told():
            found = self._set([self._lease, key], [self._own(term), body, keep_ms])
        _reject_fenced(found)

    def _noted(self, found: Any) -> list[Read]:
        entries = [_read(*each) for each in found]
        self._note(max((entry.term for entry in entries), default=0))
        return entries

    def _note(self, *terms: int) -> None:
        with self._lock:
            self._newest_term = max(self._newest_term, *terms)


# What is read and written.

_ID: Final = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


def _id(text: str) -> str:
    # Above all not "$", after which what came since the last call would be missing.
    if not _ID.fullmatch(text):
        raise ValueError("not the id of an entry")
    return text


def _fields(entry: Packed) -> tuple[int, int, int, bytes]:
    return entry.format, entry.seq, entry.second, entry.body


def _read(place: bytes, fields: Mapping[bytes, bytes]) -> Read:
    return Read(
        id=place.decode("ascii"),
        format=_number(fields.get(b"v")),
        term=_number(fields.get(b"term")),
        seq=_number(fields.get(b"seq")),
        second=_number(fields.get(b"sec")),
        body=fields.get(b"body"),
    )


def _number(found: bytes | None) -> int:
    return int(found) if found is not None and re.fullmatch(rb"[0-9]{1,18}", found) else 0


def _lease(found: bytes | None) -> tuple[str, int]:
    """Who holds it, and the term."""
    holder, _, term = (found or b"").rpartition(b":")
    return holder.decode("utf-8", "replace"), _number(term)


def _reject_fenced(found: Any) -> None:
    """Raise if a script answered with whose the lease is instead of 1."""
    if found != 1:
        raise Fenced(_lease(found)[0])


# The connection.


def _client(settings: RelaySettings, host: str, timeout_sec: float) -> Redis:
    address = settings.address
    place: dict[str, Any] = (
        {"unix_socket_path": address.socket}
        if address.socket
        else {"host": address.host, "port": address.port}
    )
    if address.is_encrypted:
        file = settings.ca_file
        place |= {"ssl": True, "ssl_ca_certs": None if file is None else str(file)}
    return Redis(
        **place,
        db=address.database,
        username=address.user or None,
        password=settings.password or None,
        client_name=f"market-pulse:{host}",
        # The older protocol: with the newer one more is asked at the start, and more may be sent.
        protocol=2,
        driver_info=None,
        # Hours of many symbols are read at the start, in fewer steps than is usual.
        socket_read_size=256 * 1024,
        socket_timeout=timeout_sec,
        socket_connect_timeout=timeout_sec,
        # Who calls sees every failure, and knows how long to wait.
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turn whatever goes wrong with the broker into a ``BrokerError``."""
    try:
        yield
    # ValueError: of an answer that begins like one of Redis, and is none.
    except (exceptions.RedisError, OSError, ValueError) as error:
        # From None: the broker's own words may quote what was sent.
        raise BrokerError(_trouble(error)) from None


_CODE: Final = re.compile(r"(?:^|-)(NOPERM|OOM|MISCONF)\b")
"""Of an error that a script ran into, which older servers put into the middle of its text."""
_CODES: Final = {
    "NOPERM": RelayTrouble.DENIED,
    "OOM": RelayTrouble.FULL,
    "MISCONF": RelayTrouble.FULL,  # it cannot write to its disk
}
_NOT_PERMITTED: Final = "The user executing the script can't"
"""Redis 7.0 gives no code if it refuses a command within a script."""


def _trouble(error: Exception) -> RelayTrouble:
    match error:
        case exceptions.AuthenticationError() | exceptions.ExternalAuthProviderError():
            return RelayTrouble.REFUSED
        case exceptions.BusyLoadingError():
            return RelayTrouble.STARTING
        case exceptions.NoPermissionError() | exceptions.AuthorizationError():
            return RelayTrouble.DENIED
        case exceptions.OutOfMemoryError():
            return RelayTrouble.FULL
        case exceptions.ConnectionError() | exceptions.TimeoutError() | OSError():
            # Not one of the kinds that tell only that a connection has ended.
            refusals = (ssl.SSLError, ssl.SSLCertVerificationError)
            is_tls = any(type(each) in refusals for each in _causes(error))
            return RelayTrouble.CERTIFICATE if is_tls else RelayTrouble.AWAY
        case exceptions.ResponseError():
            if found := _CODE.search(str(error)):
                return _CODES[found[1]]
            if _NOT_PERMITTED in str(error):
                return RelayTrouble.DENIED
    return RelayTrouble.UNUSABLE


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
