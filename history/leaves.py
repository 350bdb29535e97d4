"""Leaves: the rows of bars as they lie on an archive's pages, whatever leads to these pages.

SQLite finds a row from the root of its table down. If a page on that way is damaged, all below it
is out of its reach, though sound. Here every page is looked at instead, and the checksum of a row
says whether it is one.

The format is SQLite's own: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from history.schema import PACKED, checksum

__all__ = ["leaf_rows"]

_LEAF: Final = 0x0D
"""The first byte of a page that holds rows of a table."""

_PIECE: Final = 900
"""A piece is complete with this many rows; the page that completes it may add more."""

_MOST_BYTES: Final = 2**16 * PACKED.itemsize + 64
"""Of a row: it has one bar of each symbol at most."""

_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
"""The bytes of an integer by its type; the last two have their value in it."""


def leaf_rows(path: Path, begin: int, end: int) -> Iterator[list[tuple[int, bytes]]]:
    """The sound rows of bars from ``begin`` to ``end`` (excluded) that have a checksum.

    In pieces as they lie in the file, each piece in order and with no second twice; two pieces may
    have the same. No piece is empty.

    Raises:
        OSError: if the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(100)
        size = int.from_bytes(head[16:18]) if len(head) == 100 else 0
        size = 65_536 if size == 1 else size
        if size < 512:
            return
        usable = size - head[20]
        found: dict[int, bytes] = {}
        for number in range(1, path.stat().st_size // size + 1):
            page = _page(file, number, size)
            if page[:1] == bytes([_LEAF]):
                for second, cells in _rows(file, page, usable):
                    if begin <= second < end:
                        found.setdefault(second, cells)
            if len(found) >= _PIECE:
                yield sorted(found.items())
                found = {}
        if found:
            yield sorted(found.items())


def _page(file: BinaryIO, number: int, size: int) -> bytes:
    """A page of the file, empty if it cannot be read."""
    try:
        file.seek((number - 1) * size)
        return file.read(size)
    except OSError:  # the disk cannot read it
        return b""


def _rows(file: BinaryIO, page: bytes, usable: int) -> Iterator[tuple[int, bytes]]:
    """The sound rows of a leaf."""
    for at in range(8, 8 + 2 * int.from_bytes(page[3:5]), 2):
        try:
            row = _row(file, page, int.from_bytes(page[at : at + 2]), usable)
        except IndexError:  # it points beyond the page
            continue
        if row is not None:
            yield row


def _row(file: BinaryIO, page: bytes, at: int, usable: int) -> tuple[int, bytes] | None:
    """The row that begins at a place of a page; None if it is not a sound one of bars."""
    length, at = _varint(page, at)
    second, at = _varint(page, at)
    if length > _MOST_BYTES:
        return None
    payload = _payload(file, page, at, length, usable)
    kinds = []
    upto, at = _varint(payload, 0)
    while at < upto:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    # The second is the row's own number; cells are a blob, their checksum an integer.
    if len(kinds) != 3 or kinds[0] != 0 or kinds[1] < 12 or kinds[1] % 2:
        return None
    cells = payload[at : at + (kinds[1] - 12) // 2]
    if kinds[2] not in _INTEGER_BYTES or not cells or len(cells) % PACKED.itemsize:
        return None
    at += len(cells)
    width = _INTEGER_BYTES[kinds[2]]
    written = int.from_bytes(payload[at : at + width]) if width else kinds[2] - 8
    return (second, cells) if written == checksum(second, cells) else None


def _payload(file: BinaryIO, page: bytes, at: int, length: int, usable: int) -> bytes:
    """What a row holds: on its page, and on others if that has no room for it."""
    most = usable - 35
    if length <= most:
        return page[at : at + length]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    parts = [page[at : at + local]]
    following = int.from_bytes(page[at + local : at + local + 4])
    missing = length - local
    while missing > 0 and following:
        other = _page(file, following, len(page))
        part = other[4 : min(usable, 4 + missing)]
        if not part:
            break
        parts.append(part)
        missing -= len(part)
        following = int.from_bytes(other[:4])
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of one to nine bytes, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9
