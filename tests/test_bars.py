"""Bars and minutes: picking symbols and seconds out of a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bars import CELL, MINUTE, Bars, Minutes

SYMBOLS: Final = ("AAPL", "EURUSD", "BTC-USD", "TSLA")
ASSETS: Final = ("stocks", "forex", "crypto", "stocks")

deterministic = settings(derandomize=True, deadline=None, max_examples=60)

keys = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), unique=True, max_size=60)


def bars_at(found: Sequence[tuple[int, int]]) -> Bars:
    """A bar for each second and row, told apart by its price."""
    cells = np.zeros(len(found), CELL)
    for at, (second, row) in enumerate(sorted(found)):
        cells[at] = (second, row, 10 * row, 1 + row, 100.0 + second + row / 10, 7.0)
    return Bars(SYMBOLS, ASSETS, cells)


def listed(bars: Bars) -> list[tuple[Any, ...]]:
    """Every bar with its symbol's name and class in the place of its row."""
    return [
        (second, bars.symbols[row], bars.assets[row], *rest)
        for second, row, *rest in bars.cells.tolist()
    ]


@given(keys, st.sets(st.sampled_from([*SYMBOLS, "NONE"])))
@deterministic
def test_the_bars_of_some_symbols_are_theirs_alone(
    found: list[tuple[int, int]], wanted: set[str]
) -> None:
    """Every bar of the symbols asked for, in order, and none of the others."""
    bars = bars_at(found)
    picked = bars.of(sorted(wanted))
    assert picked.symbols == tuple(symbol for symbol in SYMBOLS if symbol in wanted)
    assert listed(picked) == [row for row in listed(bars) if row[1] in wanted]


@given(keys, st.sets(st.sampled_from([*SYMBOLS, "NONE"])))
@deterministic
def test_the_minutes_of_some_symbols_are_theirs_alone(
    found: list[tuple[int, int]], wanted: set[str]
) -> None:
    """Likewise, and the block that is picked from stays as it was."""
    cells = np.zeros(len(found), MINUTE)
    for at, (minute, row) in enumerate(sorted(found)):
        cells[at] = (minute, row, 1 + minute, row, 7)
    minutes = Minutes(SYMBOLS, ASSETS, cells)
    picked = minutes.of(sorted(wanted))
    assert picked.symbols == tuple(symbol for symbol in SYMBOLS if symbol in wanted)
    assert [(m, picked.symbols[row], *figures) for m, row, *figures in picked.cells.tolist()] == [
        (m, SYMBOLS[row], 1 + m, row, 7) for m, row in sorted(found) if SYMBOLS[row] in wanted
    ]
    assert [ASSETS[SYMBOLS.index(symbol)] for symbol in picked.symbols] == list(picked.assets)
    picked.cells["z"] = 0
    assert (minutes.cells["z"] > 0).all()


@given(keys, st.integers(-5, 35), st.integers(-5, 35))
@deterministic
def test_the_bars_between_two_seconds(found: list[tuple[int, int]], begin: int, end: int) -> None:
    """The first second is in, the last is not; begin after end is no bar."""
    bars = bars_at(found)
    assert listed(bars.between(begin, end)) == [
        row for row in listed(bars) if begin <= row[0] < end
    ]


@given(keys)
@deterministic
def test_the_newest_of_each_symbol(found: list[tuple[int, int]]) -> None:
    """One bar of each symbol that has any, and no symbol that has none."""
    newest = {row: max(s for s, r in found if r == row) for row in {row for _, row in found}}
    cells = bars_at(found).newest()
    assert cells[["row", "second"]].tolist() == sorted(newest.items())


def test_picking_changes_nothing_that_was_there() -> None:
    """The block that is picked from stays as it was."""
    bars = bars_at([(1, 0), (1, 2), (2, 1)])
    before = listed(bars)
    bars.of(["BTC-USD"]).cells["price"] = -1.0
    assert listed(bars) == before


@pytest.mark.parametrize("symbols", [(), SYMBOLS])
@pytest.mark.parametrize(("kind", "cell"), [(Bars, CELL), (Minutes, MINUTE)])
def test_nothing_is_still_a_block(
    symbols: tuple[str, ...], kind: type[Bars | Minutes], cell: np.dtype[Any]
) -> None:
    """Of nothing there is nothing, with or without symbols."""
    block = kind.empty(symbols, ASSETS[: len(symbols)])
    assert len(block) == len(block.of(["TSLA"])) == 0
    assert block.cells.dtype == cell
    assert block.of(["TSLA"]).symbols == tuple(s for s in symbols if s == "TSLA")
