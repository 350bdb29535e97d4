"""Outgoing: deliveries and mutes as they lie in an archive, over an open connection.

Whoever calls these begins and commits the transactions. A row is sound if it has the checksum that
it was written with; what is not is left out, and counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from history.damage import both_ways, raise_if_not_damage
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf
from history.losses import Losses
from history.schema import (
    DELIVERIES_FROM,
    ArchiveError,
    checksum,
    decode_delivery,
    encode_delivery,
)

__all__ = [
    "DAYS_KEPT",
    "delete_deliveries",
    "delete_mutes",
    "delivery_blocks",
    "newest_deliveries",
    "read_mutes",
    "write_deliveries",
    "write_mutes",
    "write_new_deliveries",
]

DAYS_KEPT: Final = {
    DeliveryState.SENT: 7.0,
    DeliveryState.DROPPED: 7.0,
    DeliveryState.DEAD: 30.0,
    # Of a destination that is no longer in the settings.
    DeliveryState.DUE: 30.0,
}
"""For how many days deliveries are kept, by their state."""

_DAY_SEC: Final = 86_400

_BLOCK: Final = 1000
"""The most deliveries that are read in one go."""

_COLUMNS: Final = "number, destination, key, state, made, content, checksum"


def write_new_deliveries(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Write what is to be told; what is known already stays as it is, so nothing is sent anew."""
    _write(connection, deliveries, "NOTHING")


def write_deliveries(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Write what became of deliveries; each keeps its place in their order."""
    _write(
        connection,
        deliveries,
        "UPDATE SET state = excluded.state, made = excluded.made, content = excluded.content,"
        " checksum = excluded.checksum",
    )


def _write(connection: sqlite3.Connection, deliveries: Iterable[Delivery], known: str) -> None:
    connection.executemany(
        "INSERT INTO delivery(destination, key, state, made, content, checksum)"
        f" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(destination, key) DO {known}",
        [
            (*key, content, checksum(key, content.encode()))
            for delivery in deliveries
            for key, content in ((_key(delivery), encode_delivery(delivery)),)
        ],
    )


def _key(delivery: Delivery) -> tuple[str, str, str, float]:
    """What is looked for, and what the checksum is of beside the content."""
    return delivery.destination, delivery.key, delivery.state.value, float(delivery.made)


def write_mutes(connection: sqlite3.Connection, mutes: Iterable[Mute]) -> None:
    """Write until when something is muted, instead of what was written of it before."""
    connection.executemany(
        "INSERT OR REPLACE INTO mute(of, name, until, checksum) VALUES (?, ?, ?, ?)",
        [
            (mute.of.value, mute.name, float(mute.until), checksum(*_mute_content(mute)))
            for mute in mutes
        ],
    )


def _mute_content(mute: Mute) -> tuple[tuple[str, str], bytes]:
    """The key and the content of which a mute's checksum is."""
    return (mute.of.value, mute.name), repr(float(mute.until)).encode()


def newest_deliveries(
    connection: sqlite3.Connection,
    version: int,
    losses: Losses,
    states: Collection[DeliveryState],
    since: float,
    limit: int,
) -> list[Delivery]:
    """The ``limit`` newest deliveries in some states, made at ``since`` or later, in their order.

    ``version`` is the file's format.
    """
    if version < DELIVERIES_FROM:
        return []
    wanted = sorted(states)
    marks = ", ".join("?" * len(wanted))
    try:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM delivery WHERE state IN ({marks}) AND made >= ?"
            " ORDER BY number DESC LIMIT ?",
            (*wanted, since, limit),
        ).fetchall()[::-1]
    except sqlite3.Error as error:
        raise_if_not_damage(error)
        blocks = delivery_blocks(connection, version, losses)
        every = [delivery for block in blocks for delivery in block]
        found = [each for each in every if each.state in states and each.made >= since]
        return found[-limit:] if limit else []
    return _sound(rows, losses)


def delivery_blocks(
    connection: sqlite3.Connection, version: int, losses: Losses
) -> Iterator[list[Delivery]]:
    """All deliveries in the order in which they were made, in pieces; no piece is empty."""
    if version < DELIVERIES_FROM:
        return
    last = -1
    while True:
        try:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM delivery NOT INDEXED WHERE number > ?"
                " ORDER BY number LIMIT ?",
                (last, _BLOCK),
            ).fetchall()
            is_end = len(rows) < _BLOCK
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            rows, is_end = _scattered(connection, last, losses), True
        found = _sound(rows, losses)
        if found:
            yield found
        if is_end:
            return
        last = rows[-1][0]


def _scattered(connection: sqlite3.Connection, last: int, losses: Losses) -> list[Sequence[Any]]:
    """The rows after a number, from wherever in the file one can still be found, in their order.

    Each lies in the table, and its number in an index besides.
    """
    where = "WHERE number > :last ORDER BY"
    rows, _ = both_ways(
        connection,
        f"SELECT {_COLUMNS} FROM delivery NOT INDEXED {where} number",
        {"last": last},
    )
    numbers, is_whole = both_ways(
        connection,
        f"SELECT number FROM delivery INDEXED BY delivery_state {where} state",
        {"last": last},
    )
    found = {row[0]: row for row in rows}
    lost = 0
    for (number,) in numbers:
        if number in found:
            continue
        try:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM delivery WHERE number = ?", (number,)
            ).fetchone()
        except sqlite3.Error as error:
            raise_if_not_damage(error)
            row = None
        if row is None:
            lost += 1
        else:
            found[number] = row
    losses.add(deliveries=lost if is_whole else max(1, lost))
    return [found[number] for number in sorted(found)]


def _sound(rows: Sequence[Sequence[Any]], losses: Losses) -> list[Delivery]:
    """The deliveries of those rows that are sound."""
    found = [delivery for row in rows if (delivery := _delivery(row)) is not None]
    if len(found) < len(rows):
        losses.add(deliveries=len(rows) - len(found))
    return found


def _delivery(row: Sequence[Any]) -> Delivery | None:
    """The delivery of a row; None if that is not as it was written."""
    _, *key, content, written = row
    if not isinstance(content, str) or written != checksum(key, content.encode()):
        return None
    try:
        return decode_delivery(content)
    except ArchiveError:
        return None


def read_mutes(connection: sqlite3.Connection, version: int, losses: Losses) -> list[Mute]:
    """All that is muted, or was not long ago; ``version`` is the file's format."""
    if version < DELIVERIES_FROM:
        return []
    rows, is_whole = both_ways(
        connection, "SELECT of, name, until, checksum FROM mute ORDER BY of, name"
    )
    found, lost = [], 0 if is_whole else 1
    for of, name, until, written in rows:
        is_mute = of in {*MuteOf} and isinstance(name, str) and isinstance(until, float)
        mute = Mute(MuteOf(of), name, until) if is_mute else None
        if mute is not None and written == checksum(*_mute_content(mute)):
            found.append(mute)
        else:
            lost += 1
    if lost:
        losses.add(others=lost)
    return found


def delete_deliveries(connection: sqlite3.Connection, now: float) -> int:
    """Delete the deliveries that are too old at ``now``; returns how many."""
    return sum(
        connection.execute(
            "DELETE FROM delivery WHERE state = ? AND made < ?",
            (state.value, now - days * _DAY_SEC),
        ).rowcount
        for state, days in DAYS_KEPT.items()
    )


def delete_mutes(connection: sqlite3.Connection, now: float) -> int:
    """Delete the mutes that are over at ``now``; returns how many."""
    return connection.execute("DELETE FROM mute WHERE until < ?", (now,)).rowcount
