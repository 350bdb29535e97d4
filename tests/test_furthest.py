"""The furthest move within some seconds, beside brute force over every pair of ticks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from moves import Excursion
from pulse_store import PulseStore
from ticks import Tick

START: Final = 1_760_000_400
"""A whole hour, in seconds since the epoch."""

SYMBOLS: Final = ("A", "B", "C")
FRESH_SEC: Final = 30
"""So far back, to the begin of a bar of ten seconds, the newest tick is looked for."""


def slow(
    ticks: Sequence[Tick], symbol: str, since: int, within_sec: int, second: int
) -> Excursion | None:
    """The furthest move of a symbol by the definition, over ticks in order of arrival."""
    newest: dict[int, Tick] = {}
    for tick in ticks:
        at = math.floor(tick.ts)
        held = newest.get(at)
        if tick.symbol == symbol and at >= since and (held is None or tick.ts >= held.ts):
            newest[at] = tick
    lately = [at for at in newest if second // 10 * 10 - FRESH_SEC <= at <= second]
    if not lately:
        return None
    to = newest[max(lately)]
    best: Excursion | None = None
    for at in range(second - within_sec, second):
        if at in newest:
            begin = newest[at]
            value = to.price / begin.price - 1.0
            if best is None or (abs(value), value) >= (abs(best.value), best.value):
                best = Excursion(value, begin.price, begin.ts, to.price, to.ts)
    return best


@given(
    seed=st.integers(0, 2**32 - 1),
    every=st.sampled_from([1, 3, 17, 90]),
    within_sec=st.sampled_from([10, 11, 60, 61, 299, 3600]),
    begins=st.dictionaries(st.sampled_from(SYMBOLS), st.integers(0, 4000), max_size=3),
    digits=st.sampled_from([0, 4]),
)
@settings(max_examples=40, deadline=None)
def test_it_is_as_by_brute_force(
    seed: int, every: int, within_sec: int, begins: Mapping[str, int], digits: int
) -> None:
    """Ticks late and early, several in a second, coarse prices, and windows that begin anew."""
    rng = np.random.default_rng(seed)
    count = 4200 // every
    seconds = np.sort(rng.integers(0, 4200, count)) - rng.choice([0, 0, 0, 5], count)
    ticks = [
        Tick(
            SYMBOLS[int(rng.integers(len(SYMBOLS)))],
            "crypto",
            START + max(0, int(at)) + int(rng.integers(1000)) / 1000.0,
            round(float(100.0 * math.exp(rng.normal() * 0.02)), digits),
        )
        for at in seconds
    ]
    store = PulseStore(7200)
    store.watch("crypto", SYMBOLS)
    store.update_many(ticks)
    for symbol, at in sorted(begins.items(), key=lambda begin: begin[1]):
        store.begin_anew([symbol], START + at)
    for second in (START + 4199, START + int(rng.integers(30, 4200))):
        now = second + 0.999
        values = store.furthest(within_sec, now).tolist()
        moves = store.excursions(SYMBOLS, within_sec, now)
        for symbol, value in zip(SYMBOLS, values, strict=True):
            since = START + begins[symbol] if symbol in begins else 0
            # A window that begins later is none yet.
            wanted = slow(ticks, symbol, since if since <= second else 0, within_sec, second)
            assert moves.get(symbol) == wanted
            assert math.isnan(value) if wanted is None else value == wanted.value


def test_a_candle_and_a_known_price_are_no_move() -> None:
    """Only ticks of the stream are, and a symbol that has no row has none."""
    store = PulseStore(7200)
    store.watch("crypto", ["A"])
    store.set_initial_price(Tick("A", "crypto", START - 5.0, 50.0))
    store.update(Tick("A", "crypto", START + 3.5, 100.0))
    assert np.isnan(store.furthest(10, START + 3.999)).all()
    assert store.excursions(["A", "NOSUCH"], 10, START + 3.999) == {}
    store.update(Tick("A", "crypto", START + 5.25, 101.0))
    assert store.excursions(["A", "NOSUCH"], 10, START + 5.999) == {
        "A": Excursion(101.0 / 100.0 - 1.0, 100.0, START + 3.5, 101.0, START + 5.25)
    }
