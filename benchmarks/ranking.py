"""What happened stands in front: ``python -m benchmarks.ranking``.

The recorded hour, of the tape that ``MARKET_PULSE_TAPE`` names, and hours of the simulated market
are replayed second by second through store, detector and ranking, and the rows by heat are looked
at as a page that is open throughout shows them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from benchmarks.report import Row, table
from benchmarks.store import START, ticks
from engine.calm import FIRST
from engine.heartbeat import SECOND_END, Heartbeat
from engine.ranking import (
    MOVER_SEC,
    Ranking,
    displaced,
    is_usual,
    movers,
    order_of,
    row_states,
)
from events import Event, EventStore, StressDetector
from pulse_store import PulseStore
from settings import DEFAULT_WATCHLIST
from sources.market import Market
from sources.quotes import EXCLUDED_CONDITIONS, Quote
from sources.tape import Tape
from tests.conftest import TAPE
from ticks import ASSETS, Asset, Tick

RANK: Final = "heat"
AFTER_SEC: Final = (30, 90, 180)
SEEDS: Final = (3, 7, 11)
SIMULATED_SEC: Final = 5400
OPENING: Final = 1_795_789_800
"""Half past nine in New York, of a day in autumn."""


class Seen(NamedTuple):
    """A second as a page shows it: live, and if it stands still there."""

    second: int
    live: tuple[int, ...]
    marked: int
    """How many of these rows are marked: they settle elsewhere, or are in front for an event."""
    still: tuple[int, ...]
    sizes: tuple[float, ...]
    """Of the rows that stand still and lead, in their order."""


class Replay(NamedTuple):
    """All seconds that were shown, and every event that was found, with the row of its symbol."""

    seen: list[Seen]
    events: list[tuple[Event, int]]

    def places(self, row: int, begin: float, seconds: Iterable[int]) -> list[int]:
        """The place of a row, from 1 on, so many seconds after ``begin``, as far as it is shown."""
        first = self.seen[0].second
        at = (int(begin) - first + sec for sec in seconds)
        return [self.seen[i].live.index(row) + 1 for i in at if i < len(self.seen)]

    def missed(self) -> tuple[int, int]:
        """Of how many events the symbol was not among the first three for three minutes.

        Of those of more than three within three minutes, who cannot all be, and of the others. A
        symbol that goes stale meanwhile leads nothing, and is not looked at while it is.
        """
        crowded = others = 0
        for event, row in self.events:
            after = range(1, MOVER_SEC + 1)
            places = self.places(row, event.ts, after)
            out = [
                int(event.ts) + sec
                for sec, place in zip(after, places, strict=False)
                if place > FIRST and self._leads(row, int(event.ts) + sec)
            ]
            at_once = [self._movers(second) for second in out]
            others += any(count <= FIRST for count in at_once)
            crowded += bool(out) and all(count > FIRST for count in at_once)
        return crowded, others

    def _leads(self, row: int, second: int) -> bool:
        seen = self.seen[second - self.seen[0].second]
        return row in seen.still[: len(seen.sizes)]

    def _movers(self, second: int) -> int:
        """Of how many symbols events had begun within three minutes before a second."""
        return len({row for event, row in self.events if 0 < second - int(event.ts) <= MOVER_SEC})


def replay(
    symbols: Mapping[Asset, Sequence[str]],
    read: Callable[[float], Iterable[Quote]],
    begin: int,
    end: int,
    earlier: Iterable[Tick] = (),
) -> Replay:
    """Seconds from ``begin`` until ``end``, of quotes ``read`` until each of their ends."""
    store, events = PulseStore(2 * 3600), EventStore(5000)
    for asset, names in symbols.items():
        store.watch(asset, names)
    _fill(store, earlier, begin)
    heartbeat = Heartbeat(store, events, StressDetector(), lambda asset, now: True, float(begin))
    streams = dict.fromkeys(ASSETS, True)
    seen = []
    for second in range(begin, end):
        store.update_many(
            Tick(q.symbol, q.asset, q.ts, q.price)
            for q in read(second + 1.0)
            if EXCLUDED_CONDITIONS.isdisjoint(q.conditions)
        )
        heartbeat.ranking.order(second, RANK)  # as a page asked for it a moment ago
        heartbeat.show(second)
        _, frame = heartbeat.newest
        of_rows = row_states(frame, streams)
        calm = heartbeat.ranking.order(second, RANK)
        live = order_of(RANK, frame, of_rows, calm, movers(events, second + SECOND_END))
        still = order_of(RANK, frame, of_rows).rows
        sizes = frame["heat"].abs().to_numpy()
        leads = [row for row in still if of_rows[row] in ("live", "quiet")]
        seen.append(
            Seen(
                second,
                live.rows,
                len(live.in_front | displaced(live.rows, live.settled).keys()),
                still,
                tuple(float(sizes[row]) for row in leads if sizes[row] == sizes[row]),
            )
        )
        heartbeat.search(second)
    rows = {str(symbol): row for row, symbol in enumerate(store.symbols)}
    found = [(event, rows[event.symbol]) for event in events.latest(5000)[::-1]]
    return Replay(seen, found)


def figures(replayed: Replay) -> list[Row]:
    """What the rows of a replay did."""
    seen, events = replayed.seen, replayed.events
    minutes = len(seen) / 60
    rows = []
    for sec in AFTER_SEC:
        places = [p for event, row in events for p in replayed.places(row, event.ts, [sec])]
        worst = max(places, default=0)
        figure = f"{statistics.median(places):g}, {worst} at worst" if places else "no event"
        rows.append(Row(f"row of the mover after {sec} s", figure))
    crowded, missed = replayed.missed()
    live, still = ([getattr(one, name) for one in seen] for name in ("live", "still"))
    errors = sum(before < after for one in seen for before, after in pairwise(one.sizes))
    return [
        Row("events", f"{len(events)}"),
        *rows,
        Row(f"not in the first {FIRST} for three minutes", f"{missed}", "0", missed == 0),
        Row(f"  beside more than {FIRST} movers at once", f"{crowded}"),
        Row("rows that change a minute", f"{_changes(live) / minutes:.1f}"),
        Row("  if it were strict", f"{_changes(still) / minutes:.1f}"),
        Row("rows with a mark", f"{statistics.mean(one.marked for one in seen):.1f}"),
        Row("order errors while still", f"{errors}", "0", errors == 0),
    ]


def taped(tape: Tape) -> Replay:
    """The recorded hour."""
    return replay(tape.symbols, tape.read_until, int(tape.start), int(tape.end) + 1)


def simulated(seed: int, seconds: int = SIMULATED_SEC) -> Replay:
    """Some time of the simulated market, with an hour behind it."""
    market = Market(DEFAULT_WATCHLIST, seed, OPENING)
    earlier = market.earlier_ticks()
    return replay(market.symbols, market.read_until, OPENING, OPENING + seconds, earlier)


def cost(symbols: int = 5000) -> list[Row]:
    """What a second of many symbols costs: its frame, and its rows in order and marked."""
    store = PulseStore()
    for batch in ticks(symbols, 0.2, 1200):
        store.update_many(batch)
    streams = dict.fromkeys(ASSETS, True)
    ranking = Ranking()
    framed: list[float] = []
    spent: list[float] = []
    for second in range(START + 1200, START + 1241):
        ranking.order(second, RANK)
        store.advance(second + 1)
        began = time.perf_counter()
        frame = store.frame(second + SECOND_END)
        framed.append(time.perf_counter() - began)
        of_rows = row_states(frame, streams)
        ranking.update(second, frame, of_rows)
        order = order_of(RANK, frame, of_rows, ranking.order(second, RANK))
        displaced(order.rows, order.settled)
        is_usual(frame, of_rows, second + SECOND_END, ())
        spent.append(time.perf_counter() - began)
    typical, frames = (statistics.median(each) * 1e3 for each in (spent, framed))
    return [
        Row(f"a second of {symbols:,} symbols", f"{typical:.0f} ms", "≤ 60 ms", typical <= 60),
        Row("  beside its frame alone", f"{typical / frames:.2f}"),
    ]


def main() -> None:
    """Print the recorded hour's figures, then the simulated ones."""
    if TAPE.exists():
        print(table("The recorded hour", figures(taped(Tape.load(TAPE)))))
    else:
        print(f"no tape at {TAPE}")
    for seed in SEEDS:
        print(table(f"The simulated market, seed {seed}", figures(simulated(seed))))
    print(table("What it costs", cost()))


def _fill(store: PulseStore, earlier: Iterable[Tick], begin: int) -> None:
    second = 0
    for tick in earlier:
        if int(tick.ts) != second:
            store.advance(int(tick.ts))
            second = int(tick.ts)
        store.update(tick)
    store.advance(begin)


def _changes(orders: Sequence[Sequence[int]]) -> int:
    """How many rows of all orders are not those of the order before at their place."""
    return sum(
        row != other
        for before, after in pairwise(orders)
        for row, other in zip(before, after, strict=True)
    )


if __name__ == "__main__":
    main()
