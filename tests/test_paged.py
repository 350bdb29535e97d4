"""Pages of an archive: together they are what a single read gives, and each is of bounded work."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from events import Event
from history.archive import Archive, EventPlace
from history.losses import Losses
from history.paged import event_page
from history.rows import Rows
from history.schema import MIGRATIONS
from history.writer import connect, write_events
from tests.test_archive import START, lives, series, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an archive may be made."""
    return tmp_path / "a.sqlite"


def paged(
    archive: Archive, limit: int, *, with_updates: bool, most_looked_at: int = 1000
) -> list[Event]:
    """All events of the pages together."""
    found: list[Event] = []
    after: EventPlace | None = None
    while True:
        page = event_page(
            archive,
            0.0,
            2.0**40,
            limit=limit,
            after=after,
            with_updates=with_updates,
            most_looked_at=most_looked_at,
        )
        assert len(page.events) <= limit
        found += page.events
        if page.next is None:
            return found
        after = page.next


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_pages_of_events_are_all_events(path: Path, limit: int) -> None:
    """As they ended, or in every state; also if several came in the same instant."""
    states = lives(3, 20)
    twins = [*states, *(each for each in lives(4, 20) if each not in states)]
    write(path, events=twins)
    archive = Archive(path)
    assert paged(archive, limit, with_updates=False) == [*archive.events(0, 2**40)]
    by_place = {(each.updated_ts, each.id): each for each in twins}
    every = [by_place[place] for place in sorted(by_place)]
    assert paged(archive, limit, with_updates=True) == every
    # A page that ends early because it has looked at many is continued likewise.
    assert paged(archive, limit, with_updates=True, most_looked_at=3) == every


def test_a_page_holds_what_is_wanted_of_a_span(path: Path) -> None:
    """States by when they came, events by when they began."""
    states = lives(5, 30)
    write(path, events=states)
    begin, end = START + 500.0, START + 2500.0
    page = event_page(
        Archive(path),
        begin,
        end,
        limit=1000,
        is_wanted=lambda event: event.severity != "watch",
        with_updates=True,
    )
    expected = [e for e in states if begin <= e.updated_ts < end and e.severity != "watch"]
    assert page.next is None
    assert page.events == tuple(sorted(expected, key=lambda e: (e.updated_ts, e.id)))


def test_a_page_is_the_same_whatever_comes_meanwhile(path: Path) -> None:
    """The second page has neither twice nor never what the first had."""
    states = lives(6, 30)
    write(path, events=states)
    archive = Archive(path)
    first = event_page(archive, 0.0, 2.0**40, limit=10)
    expected = event_page(archive, 0.0, 2.0**40, limit=1000, after=first.next).events
    assert first.next is not None
    earlier = lives(7, 40)[0]
    assert earlier.ts < first.next[0]
    write(path, events=[earlier])
    assert event_page(archive, 0.0, 2.0**40, limit=1000, after=first.next).events == expected


def test_pages_are_found_by_an_index(path: Path) -> None:
    """Not by a look at every state that there is, and in its order."""
    write(path, events=lives(8, 30))
    asked: list[str] = []
    with closing(connect(path)) as connection:
        rows = Rows(connection, len(MIGRATIONS), Losses())
        connection.set_trace_callback(asked.append)
        for read in (rows.update_rows, rows.event_rows):
            assert list(read(START + 100.0, START + 900.0, (START + 120.0, "b")))
        connection.set_trace_callback(None)
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")] for query in asked
        ]
    by_update, by_begin = plans
    assert by_update == ["SEARCH event USING INDEX event_updated (updated>? AND updated<?)"]
    assert by_begin[0] == "SEARCH event USING INDEX event_began (began>? AND began<?)"


def test_updates_are_told_past_a_damaged_page(path: Path) -> None:
    """In the same order, and what is left out is counted."""
    states = lives(9, 150)
    with closing(connect(path)) as connection:
        write_events(connection, states)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    whole = path.read_bytes()
    middle = whole.index(f'{{"id":"{states[len(states) // 2].id}"'.encode()) // size * size
    path.write_bytes(whole[:middle] + b"\xff" * size + whole[middle + size :])
    losses = Losses()
    found = [*Archive(path).event_updates(0.0, 2.0**40, losses)]
    assert losses.left_out.events
    assert len(states) * 0.9 < len(found) < len(states)
    assert found == [each for each in sorted(states, key=_when) if each in found]


def _when(event: Event) -> tuple[float, str]:
    return event.updated_ts, event.id


def bar_pages(archive: Archive, symbol: str, begin: int, end: int, limit: int) -> list[int]:
    """The seconds of all pages of a symbol together."""
    found: list[int] = []
    following: int | None = begin
    while following is not None:
        page = archive.bar_page(symbol, following, end, limit=limit)
        assert page.bars.symbols in ((symbol,), ())
        assert len(page.bars) <= limit
        found += page.bars.cells["second"].tolist()
        assert page.next is None or page.next > following
        following = page.next
    return found


@pytest.mark.parametrize("limit", [1, 10, 899, 900, 901, 5000])
def test_pages_of_bars_are_all_bars(path: Path, limit: int) -> None:
    """Of a symbol that trades every second, and of one that trades seldom, over a gap."""
    write(
        path,
        series(START, START + 2000, ["AAPL"]),
        series(START + 40, START + 2000, ["EURUSD"], step=97),
        series(START + 90_000, START + 90_010, ["AAPL"]),
    )
    archive = Archive(path)
    for symbol in ("AAPL", "EURUSD"):
        every = archive.bars(0, 2**40, [symbol]).cells["second"].tolist()
        if len(every) / limit < 100:
            assert bar_pages(archive, symbol, 0, 2**40, limit) == every
    inside = bar_pages(archive, "AAPL", START + 5, START + 1001, max(limit, 50))
    assert inside == [*range(START + 5, START + 1001)]
    assert archive.bar_page("none", 0, 2**40, limit=limit).next is None


def test_a_page_of_bars_ends_before_it_takes_long(path: Path) -> None:
    """A symbol without a bar among others with many: it is short, and says where to go on."""
    write(path, series(START, START + 5400, ["BTC-USD"]), series(START + 5399, START + 5400))
    archive = Archive(path)
    page = archive.bar_page("AAPL", START, START + 6000, limit=10, most_cells=3500)
    assert (len(page.bars), page.next) == (0, START + 3600)
    page = archive.bar_page("AAPL", START + 3600, START + 6000, limit=10, most_cells=3500)
    assert (page.bars.cells["second"].tolist(), page.next) == ([START + 5399], None)
