"""Changes: each of several readers has whatever changes once, as it is when it asks."""

from __future__ import annotations

from typing import Any, Final

from events import StressDetector
from history.changes import Change, Changes
from pulse_store import PulseStore
from ticks import Tick

START: Final = 1_795_600_800


class Market:
    """A store and a detector, and who is told what changes in them."""

    def __init__(self, *readers: str) -> None:
        self.store = PulseStore(7200, records=True)
        self.detector = StressDetector(min_surprise=0)
        self.changes = Changes(self.store, self.detector, readers)

    def tick(self, second: int, price: float = 100.0, symbol: str = "BTC-USD") -> None:
        """A tick in a second after the start."""
        self.store.update(Tick(symbol, "crypto", START + second + 0.5, price))

    def checked(self, first: int, end: int) -> None:
        """Search seconds in which a price jumps at once, and stays there."""
        for second in range(first, end):
            self.tick(second, 100.0 + 0.01 * (second % 5) + 5.0 * (second >= 400))
            self.store.advance(START + second + 1)
            self.detector.check_all(self.store.snapshots(START + second + 0.999))


def bars(change: Change) -> list[tuple[Any, ...]]:
    """Second since the start, symbol and price of each bar."""
    return [
        (int(cell["second"]) - START, change.bars.symbols[cell["row"]], float(cell["price"]))
        for cell in change.bars.cells
    ]


def test_each_reader_has_everything_once() -> None:
    """Whoever asks first takes nothing from the other."""
    market = Market("archive", "relay")
    market.tick(0)
    market.tick(1)
    first = market.changes.collect("archive")
    assert bars(first) == [(0, "BTC-USD", 100.0), (1, "BTC-USD", 100.0)]
    assert market.changes.collect("archive").is_empty
    assert bars(market.changes.collect("relay")) == bars(first)
    assert market.changes.collect("relay").is_empty


def test_a_bar_that_changed_again_is_handed_out_as_it_is_now() -> None:
    """In order of time, whatever came late, and by the rows of now."""
    market = Market("archive", "relay")
    market.tick(3)
    market.changes.collect("archive")
    market.tick(1)
    market.tick(3, 101.0)
    market.tick(2, 7.0, "ETH-USD")
    market.changes.collect("archive")
    found = market.changes.collect("relay")
    expected = [(1, "BTC-USD", 100.0), (2, "ETH-USD", 7.0), (3, "BTC-USD", 101.0)]
    assert bars(found) == expected
    assert found.bars.symbols == ("BTC-USD", "ETH-USD")
    assert found.bars.cells["n"].tolist() == [1, 1, 2]


def test_begins_minutes_and_tracks_reach_everybody() -> None:
    """In their order; of what the detector remembers of a symbol the newest."""
    market = Market("archive", "relay")
    market.store.watch("crypto", ["BTC-USD"])
    market.store.begin_anew(["BTC-USD"], START, "Coinbase")
    by_archive: list[Change] = []
    for first in range(0, 480, 20):
        market.checked(first, first + 20)
        by_archive.append(market.changes.collect("archive"))
    found = market.changes.collect("relay")
    assert [begin.vendor for begin in found.begins] == ["Coinbase"]
    minutes = [cell.item() for change in by_archive for cell in change.minutes.cells]
    assert [cell.item() for cell in found.minutes.cells] == minutes != []
    assert list(found.remembered) == market.detector.tracks != []
    of_archive = [one for change in by_archive for one in change.remembered]
    assert len(of_archive) > 1
    assert of_archive[-1] == found.remembered[-1]


def test_who_is_alone_holds_nothing_back() -> None:
    """What it was handed is not kept for anybody."""
    market = Market("archive")
    market.tick(0)
    assert len(bars(market.changes.collect("archive"))) == 1
    market.tick(1)
    assert bars(market.changes.collect("archive")) == [(1, "BTC-USD", 100.0)]


def test_nothing_is_nothing() -> None:
    """Of a store in which nothing happened, for whoever asks."""
    market = Market("archive", "relay")
    assert market.changes.collect("relay").is_empty
    assert market.changes.collect("archive").is_empty
