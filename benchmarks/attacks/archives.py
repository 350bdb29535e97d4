"""Damaged archives: files with changed, lost and foreign bytes, read and then written on."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from bars import CELL, Bars
from benchmarks.attacks.tally import Tally
from events import Event
from history.archive import Archive, ArchiveError
from history.deliveries import Delivery, Mute, MuteOf, Told
from history.losses import Losses
from history.outgoing import write_mutes, write_new_deliveries
from history.recorder import Recorder
from history.writer import connect, write_bars, write_events
from tests.told import event_of
from tests.waiting import HANG_SEC

BEGIN: Final = 1_795_000_020
SECONDS: Final = 600
SYMBOLS: Final = {"AAPL": "stocks", "EURUSD": "forex", "BTC-USD": "crypto"}

PAGE: Final = 4096

Damage = Callable[[random.Random, bytearray], None]


def archives(seed: int, cases: int, folder: Path) -> Tally:
    """Damage copies of an archive; read each, have a recorder write on, and read it again."""
    rng = random.Random(seed)
    tally = Tally("damaged archives")
    sound = folder / "sound.sqlite"
    kept = _bars(BEGIN, SECONDS)
    with closing(connect(sound)) as connection:
        write_bars(connection, kept)
        events = [event_of(BEGIN + 20.0 * n + 1.0) for n in range(30)]
        write_events(connection, events)
        deliveries = [_delivery(event) for event in events]
        write_new_deliveries(connection, deliveries)
        write_mutes(connection, [Mute(MuteOf.SYMBOL, "AAPL", BEGIN + 60.0)])
    true = _seconds(kept) | _seconds(_bars(BEGIN + SECONDS, 1)) | _told(deliveries)
    content = sound.read_bytes()
    for number in range(cases):
        damage = rng.choice(DAMAGES)
        damaged = bytearray(content)
        damage(rng, damaged)
        home = folder / str(number)
        home.mkdir()
        path = home / "damaged.sqlite"
        path.write_bytes(damaged)
        try:
            outcome = _attack(path, true)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            tally.fail(f"{number}, {damage.__name__}: {type(error).__name__}: {error}")
        else:
            tally.count(outcome)
        shutil.rmtree(home)
    return tally


class _WrongError(Exception):
    """What was read was never written, or what was written cannot be read."""


Seconds = frozenset[tuple[Any, ...]]
"""Bars, each with the name of its symbol, and deliveries."""


def _attack(path: Path, true: Seconds) -> str:
    """Read a damaged archive, have it written on, and read it again; says how it could be read."""
    losses = Losses()
    before, refused = _read(Archive(path), losses, true)
    is_whole = not (refused or losses.left_out)
    _write_on(path, is_whole=is_whole)
    after, refused = _read(Archive(path), Losses(), true)
    wrong = (before | after) - true
    if wrong:
        raise _WrongError(f"{len(wrong)} records were never written: {next(iter(wrong))}")
    lost = (before | _seconds(_bars(BEGIN + SECONDS, 1))) - after
    if lost or refused:
        raise _WrongError(f"{len(lost)} records cannot be read any more, {refused} errors")
    return "read" if is_whole else "read in part" if before else "refused"


def _read(archive: Archive, losses: Losses, true: Seconds) -> tuple[Seconds, int]:
    """Ask an archive all there is to ask; its bars and deliveries, and how often it refused."""
    found: list[Seconds] = [frozenset()]
    told: list[Delivery] = []

    def bars() -> None:
        found.append(_seconds(archive.bars(0, 2**40, losses=losses)))
        in_pieces = [_seconds(bars) for bars in archive.blocks(0, 2**40, losses=losses)]
        if frozenset().union(*in_pieces) != found[-1]:
            raise _WrongError("in pieces there are other bars")

    def deliveries() -> None:
        # By an index, which may find fewer or more of what is damaged, but nothing untrue.
        if not _told(archive.deliveries(losses=losses)) <= true:
            raise _WrongError("a delivery was never written")
        for piece in archive.delivery_blocks(losses):
            told.extend(piece)

    questions: tuple[Callable[[], object], ...] = (
        bars,
        lambda: archive.span(losses),
        lambda: archive.symbols(losses),
        archive.event_span,
        lambda: archive.tracks(losses),
        lambda: archive.meta("seed", losses),
        lambda: [*archive.minute_blocks(2**40, losses)],
        lambda: archive.last_prices(2**40, losses=losses),
        lambda: [*archive.events(0, math.inf, losses=losses)],
        lambda: archive.event_states(100, math.inf, 0.0, losses),
        lambda: [*archive.event_updates(0, math.inf, losses)],
        lambda: archive.bar_page("AAPL", 0, 2**40, limit=100, losses=losses),
        lambda: archive.mutes(losses),
        deliveries,
    )
    refused = 0
    for ask in questions:
        try:
            ask()
        except ArchiveError:
            refused += 1
    return found[-1] | _told(told), refused


def _write_on(path: Path, *, is_whole: bool) -> None:
    """Record a second as if the dashboard began anew."""
    recorder = Recorder(path, bars_days=7, events_days=90, retry_sec=0.01)
    recorder.start()
    if not is_whole:
        # As whoever restores the last hour would.
        recorder.request_check()
    recorder.record(_bars(BEGIN + SECONDS, 1))
    is_written = recorder.flush(HANG_SEC)
    recorder.stop()
    status = recorder.status()
    if not is_written or status.trouble:
        raise _WrongError(f"cannot be written on: {status.trouble} {status.detail}")


def _bars(begin: int, count: int) -> Bars:
    cells = np.zeros(count * len(SYMBOLS), CELL)
    cells["second"] = np.repeat(np.arange(begin, begin + count), len(SYMBOLS))
    cells["row"] = np.tile(np.arange(len(SYMBOLS)), count)
    cells["ms"], cells["n"] = 500, 2
    cells["price"] = 100 + np.random.default_rng(begin).random(len(cells))
    cells["sum"] = 2 * cells["price"]
    return Bars(tuple(SYMBOLS), tuple(SYMBOLS.values()), cells)


def _seconds(bars: Bars) -> Seconds:
    fields = ("second", "row", "ms", "n", "price", "sum")
    return frozenset(
        (second, bars.symbols[row], *rest) for second, row, *rest in bars.cells[[*fields]].tolist()
    )


def _delivery(event: Event) -> Delivery:
    return Delivery(
        destination="desk",
        key=event.id,
        told=Told.BEGAN,
        event=event,
        made=event.ts,
        due=event.ts,
    )


def _told(deliveries: Iterable[Delivery]) -> Seconds:
    return frozenset(("delivery", delivery) for delivery in deliveries)


# How a file is damaged.


def _places(rng: random.Random, content: bytearray, most: int) -> Iterator[int]:
    return (rng.randrange(len(content)) for _ in range(rng.randrange(1, most)))


def _flip_bits(rng: random.Random, content: bytearray) -> None:
    for place in _places(rng, content, 10):
        content[place] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, content: bytearray) -> None:
    for place in _places(rng, content, 4):
        piece = rng.randbytes(rng.randrange(1, 500))[: len(content) - place]
        content[place : place + len(piece)] = piece


def _empty_page(rng: random.Random, content: bytearray) -> None:
    at = rng.randrange(len(content) // PAGE) * PAGE
    content[at : at + PAGE] = bytes(PAGE)


def _swap_pages(rng: random.Random, content: bytearray) -> None:
    one, other = (rng.randrange(len(content) // PAGE) * PAGE for _ in "12")
    first, second = content[one : one + PAGE], content[other : other + PAGE]
    content[one : one + PAGE], content[other : other + PAGE] = second, first


def _damage_head(rng: random.Random, content: bytearray) -> None:
    # Without the numbers of its format and of the program that wrote it: another's is left alone.
    places = *range(60), *range(64, 68), *range(72, 100)
    content[rng.choice(places)] = rng.randrange(256)


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content)) :]


def _lengthen(rng: random.Random, content: bytearray) -> None:
    content += rng.randbytes(rng.randrange(1, 3 * PAGE))


def _replace(rng: random.Random, content: bytearray) -> None:
    content[:] = rng.randbytes(rng.randrange(2 * PAGE))


DAMAGES: Final[tuple[Damage, ...]] = (
    *(_flip_bits, _overwrite, _empty_page, _swap_pages, _damage_head, _cut, _lengthen, _replace),
)
