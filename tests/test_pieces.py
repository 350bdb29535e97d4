"""Archives read piece by piece: all pieces together are what is there, and each is of a size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from events import Event
from history.archive import Archive, EventPlace
from history.losses import Losses
from history.rows import Rows
from history.schema import MIGRATIONS
from history.writer import connect, write_events
from tests.test_archive import START, lives, series, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an archive may be made."""
    return tmp_path / "a.sqlite"


def paged(
    read: Callable[[EventPlace | None], Iterator[Event]],
    place: Callable[[Event], EventPlace],
    limit: int,
) -> list[Event]:
    """All events of the pages together, each read after the last of the one before."""
    found = list(islice(read(None), limit))
    while page := list(islice(read(place(found[-1])), limit)):
        found += page
    return found


def begin_of(event: Event) -> EventPlace:
    """The place of an event."""
    return event.ts, event.id


def update_of(event: Event) -> EventPlace:
    """The place of a state of an event."""
    return event.updated_ts, event.id


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_pages_of_events_are_all_events(path: Path, limit: int) -> None:
    """As they ended, or in every state; also if several came in the same instant."""
    states = [*{update_of(each): each for each in (*lives(3, 20), *lives(4, 20))}.values()]
    write(path, events=states)
    archive = Archive(path)
    ended = paged(lambda after: archive.events(0, 2**40, after=after), begin_of, limit)
    assert ended == [*archive.events(0, 2**40)]
    assert sorted(ended, key=begin_of) == ended
    every = paged(lambda after: archive.event_updates(0, 2**40, after=after), update_of, limit)
    assert every == sorted(states, key=update_of)


def test_updates_are_those_that_came_in_the_span(path: Path) -> None:
    """Whenever their event began; the end of the span is excluded."""
    states = lives(5, 30)
    write(path, events=states)
    ends = sorted({each.updated_ts for each in states})
    begin, end = ends[len(ends) // 4], ends[len(ends) // 2]
    expected = [each for each in states if begin <= each.updated_ts < end]
    assert any(each.ts < begin for each in expected)
    assert [*Archive(path).event_updates(begin, end)] == sorted(expected, key=update_of)


def test_a_page_is_the_same_whatever_comes_meanwhile(path: Path) -> None:
    """The second page has neither twice nor never what the first had."""
    write(path, events=lives(6, 30))
    archive = Archive(path)
    events = [*archive.events(0, 2**40)]
    place = begin_of(events[9])
    earlier = lives(7, 40)[0]
    assert begin_of(earlier) < place
    write(path, events=[earlier])
    assert [*archive.events(0, 2**40, after=place)] == events[10:]


def test_pages_are_found_by_an_index(path: Path) -> None:
    """Not by a look at every state that there is, and in its order."""
    write(path, events=lives(8, 30))
    asked: list[str] = []
    with closing(connect(path)) as connection:
        rows = Rows(connection, len(MIGRATIONS), Losses())
        connection.set_trace_callback(asked.append)
        for read in (rows.events.updated, rows.events.begun):
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
    assert found == [each for each in sorted(states, key=update_of) if each in found]


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
