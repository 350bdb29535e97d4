"""Transfer: a file over a client's socket in chunks, for whoever cannot fetch it over HTTP.

It belongs to the thread of the loop that serves; what waits for a disk is an errand.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import BinaryIO, Final

from api.errands import Errands
from api.export import Extract, spooled
from api.facts import Engine
from api.past import archive_of, known_symbols
from api.problems import Problem
from api.protocol import (
    ErrorCode,
    File,
    FileEnd,
    FileHead,
    Form,
    Mistake,
    Sendable,
    write,
)
from api.spool import Spool, SpooledFile
from ticks import legible

__all__ = ["CHUNK_BYTES", "CREDITS", "HEAD", "MARK", "FileFollower"]

CHUNK_BYTES: Final = 65_536
CREDITS: Final = 8
"""So many chunks are on the way until the client asks for more."""

MARK: Final = b"MPFC"
HEAD: Final = struct.Struct(">4sIQ")
"""What a chunk begins with: the four letters, the id, and its offset in the file."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A file that is whole, open for reading."""

    name: str
    spooled: SpooledFile
    content: BinaryIO


class FileFollower:
    """Sends a file, once it is made, from the offset on that was asked for."""

    def __init__(
        self, form: Form, said: File, engine: Engine, spool: Spool, errands: Errands
    ) -> None:
        self._form = form
        self._said = said
        self._errands = errands
        self._making: asyncio.Future[_Made] | None = errands.run(
            partial(_make, said, engine, spool)
        )
        self._made: _Made | None = None
        self._reading: asyncio.Future[list[bytes]] | None = None
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        self._out = 0
        self.is_over = False
        """Whether nothing follows."""

    def take(self, now: float) -> list[Sendable]:
        """What is to be sent next."""
        if self._making is not None:
            return self._begin(self._making)
        made = self._made
        if made is None or self._out == CREDITS:
            return []
        if not self._chunks and self._offset == made.spooled.size:
            self.is_over = True
            return [write(self._form, FileEnd(self._said.id))]
        if not self._chunks and not self._has_read(made):
            return []
        chunk = self._chunks.popleft()
        head = HEAD.pack(MARK, self._said.id, self._offset)
        self._offset += len(chunk)
        self._out += 1
        return [{"type": "websocket.send", "bytes": head + chunk}]

    def ack(self, n: int = 1) -> bool:
        """Take credits back; whether any were out."""
        was_out, self._out = self._out, max(0, self._out - n)
        return was_out > 0

    def close(self) -> None:
        """Let go of the file."""
        if self._making is not None:
            self._making.add_done_callback(_close_made)
        if self._made is not None:
            self._made.content.close()

    def _begin(self, making: asyncio.Future[_Made]) -> list[Sendable]:
        if not making.done():
            return []
        self._making, said = None, self._said
        try:
            made = self._made = making.result()
        except Problem as problem:
            self.is_over = True
            found = Mistake(id=said.id, code=ErrorCode.UNAVAILABLE, message=problem.detail)
            return [write(self._form, found)]
        size, sha256 = made.spooled.size, made.spooled.sha256
        # What is of another file begins anew.
        is_same = said.sha256 in ("", sha256) and said.offset <= size
        self._offset = said.offset if is_same else 0
        head = FileHead(id=said.id, name=made.name, size=size, sha256=sha256, offset=self._offset)
        return [write(self._form, head)]

    def _has_read(self, made: _Made) -> bool:
        """Whether there is a chunk to be sent; if not, the next are being read."""
        if self._reading is not None and self._reading.done():
            self._chunks.extend(self._reading.result())
            self._reading = None
            return True
        if self._reading is None:
            self._reading = self._errands.run(partial(_read, made, self._offset))
        return False


def _make(said: File, engine: Engine, spool: Spool) -> _Made:
    archive = archive_of(engine)
    if archive is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "there is no archive, expected one that keeps a history"
        )
    if not said.begin < said.end:
        raise Problem(HTTPStatus.BAD_REQUEST, "expected from to be earlier than to")
    if said.symbols is not None:
        known = set(known_symbols(engine))
        unknown = next((symbol for symbol in said.symbols if symbol not in known), None)
        if unknown is not None:
            raise Problem(HTTPStatus.BAD_REQUEST, f"{legible(unknown)} is not known")
    wanted = Extract(archive, said.what, said.form, said.begin, said.end, said.symbols)
    file = spooled(spool, wanted)
    return _Made(wanted.name, file, file.path.open("rb"))


def _read(made: _Made, offset: int) -> list[bytes]:
    """As many chunks as may be on the way."""
    made.content.seek(offset)
    content = made.content.read(CREDITS * CHUNK_BYTES)
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


def _close_made(making: asyncio.Future[_Made]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().content.close()
