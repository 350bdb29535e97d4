"""Relay records: what processes say to each other over the broker, and why they could not.

They need no Redis, so that a process on its own never loads what speaks with one.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sources.relay_status import RelayTrouble

__all__ = [
    "FORMAT",
    "START",
    "BrokerError",
    "Fenced",
    "Packed",
    "Read",
    "Standing",
    "own_name",
]

FORMAT: Final = 1
"""The format of the entries that are written here."""

START: Final = "-"
"""Before the first entry of the stream."""

_TEXTS: Final[Mapping[RelayTrouble, str]] = {
    RelayTrouble.AWAY: "the broker does not answer",
    RelayTrouble.STARTING: "the broker still loads what it holds",
    RelayTrouble.REFUSED: "the broker refused the user or the password",
    RelayTrouble.DENIED: "the broker does not let this user do that",
    RelayTrouble.FULL: "the broker's memory or disk is full",
    RelayTrouble.CERTIFICATE: "the broker's certificate cannot be verified",
    RelayTrouble.UNUSABLE: "what answers is no broker of Redis 6.2 or later that can be written to",
}


class BrokerError(Exception):
    """The broker cannot be used; its text is ours alone, without any address."""

    def __init__(self, trouble: RelayTrouble) -> None:
        super().__init__(_TEXTS[trouble])
        self.trouble = trouble


class Fenced(Exception):  # noqa: N818 - no error, but how things stand
    """The lease is not, or no longer, that of who wanted to write."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} holds the lease" if holder else "nobody holds the lease")
        self.holder = holder
        """Who holds it; empty: nobody does."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A second that is ready to be published."""

    second: int
    seq: int
    """One more than that of the entry before it in the same term."""
    body: bytes
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Read:
    """An entry of the stream as it was read; a number that it lacks is 0."""

    id: str
    """Its place in the stream."""
    format: int
    """If it is higher than ``FORMAT``, the rest may mean something else."""
    term: int
    seq: int
    second: int
    body: bytes | None
    """None: it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand at the broker."""

    holder: str
    """Who holds the lease; empty: nobody does."""
    term: int
    """Since when, by the broker's clock in milliseconds; 0 if nobody does."""
    left_ms: int
    """For how long it is still held, unless it is renewed."""
    is_released: bool
    """Whether nobody holds it because its last holder gave it back."""
    status: bytes | None
    """What the holder last said of itself; None: nothing, or too long ago."""
    now: float
    """The broker's clock, in seconds since the epoch."""
    first: Read | None
    """The oldest entry of the stream; None: it is empty, or was not asked for."""
    last: Read | None
    """The newest one."""


def own_name() -> str:
    """A name for this process that no other has: the computer's, and something random."""
    host = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname().split(".")[0]).strip("-")
    return f"{host[:40] or 'pulse'}-{secrets.token_hex(2)}"
