"""A store whose symbols change: frames have the rows of now, and what is known stays known."""

from __future__ import annotations

import numpy as np
from pandas.testing import assert_frame_equal

from pulse_store import PulseStore
from ticks import Tick

START = 1_800_000_000
SECONDS = 1500
NAMES = ("A", "B", "C", "D", "E")


def ticks(names: tuple[str, ...], begin: int = 0, end: int = SECONDS) -> list[Tick]:
    """A price a second of each, a walk of its own."""
    found = []
    for number, name in enumerate(NAMES):
        steps = np.random.default_rng(number).standard_normal(SECONDS) * 2e-4
        prices = 100.0 * np.exp(np.cumsum(steps))
        if name in names:
            found += [
                Tick(name, "stocks", START + at + 0.5, float(prices[at]))
                for at in range(begin, end)
            ]
    return sorted(found, key=lambda tick: tick.ts)


def filled(names: tuple[str, ...]) -> PulseStore:
    """A store that saw these symbols tick, second after second."""
    store = PulseStore()
    store.watch("stocks", names)
    for tick in ticks(names):
        store.update(tick)
        store.advance(tick.ts)
    return store


NOW = START + SECONDS - 0.001


def test_a_frame_has_the_symbols_of_now_at_any_second() -> None:
    """As a frame of a store that has seen no other, whichever second it is of."""
    store, without = filled(NAMES), filled(("A", "C", "D", "E"))
    store.unwatch(["B", "not one"])
    for now in (NOW, NOW - 600):
        assert_frame_equal(store.frame(now), without.frame(now))
    assert store.symbols == ["A", "C", "D", "E"]
    assert store.asset("B") is None
    assert [row["symbol"] for row in store.snapshots(NOW)] == store.symbols
    for found, of in ((store.furthest(60, NOW), without.furthest(60, NOW)),):
        assert found.tolist() == of.tolist()
    newest = [values.tolist() for values in store.newest_ticks(NOW)]
    assert newest == [values.tolist() for values in without.newest_ticks(NOW)]
    prices, _, counts = store.ticked(START + 100, START + 199, ["E", "A"])
    assert prices[0].tolist() == without.seconds("E", START + 100, START + 200).tolist()
    assert counts.sum() == 200


def test_what_is_no_longer_watched_is_nobodys_peer() -> None:
    """With four of a class each has three others; with three none has."""
    store = filled(("A", "B", "C", "D"))
    assert store.frame(NOW)["vs_peers"].notna().all()
    store.unwatch(["D"])
    assert store.frame(NOW)["vs_peers"].isna().all()


def test_late_ticks_of_it_bring_no_row_back() -> None:
    """They may be on their way when it is removed."""
    store = filled(("A", "B"))
    store.unwatch(["B"])
    store.update_many([Tick("B", "stocks", NOW, 100.0), Tick("F", "stocks", NOW, 100.0)])
    assert store.symbols == ["A", "F"]
    assert store.frame(NOW).index.tolist() == ["A", "F"]


def test_one_that_is_watched_again_has_its_past() -> None:
    """With a hole for the time between."""
    store = filled(NAMES)
    before = store.frame(NOW)
    store.unwatch(["B"])
    store.watch("stocks", ["B", "G"])
    after = store.frame(NOW)
    assert after.index.tolist() == [*NAMES, "G"]
    assert_frame_equal(after.iloc[:5], before)
    assert np.isnan(after["last"]["G"])


def test_the_past_of_a_new_one_is_judged_as_if_it_had_always_been_there() -> None:
    """But for its own minutes, of which there were none: they are its class's before and after."""
    always, late = filled(NAMES), filled(NAMES[:4])
    late.watch("stocks", ["E"])
    late.update_many(ticks(("E",)))
    assert np.isnan(late.frame(NOW)["vol_median"]["E"])
    before = late.frame(NOW).iloc[:4]
    late.judge_past(["E"])
    found, of = late.frame(NOW), always.frame(NOW)
    assert_frame_equal(found, of)
    others = before.columns.drop("vs_peers")
    assert_frame_equal(found.iloc[:4][others], before[others])
    assert late.regime("E", NOW) == always.regime("E", NOW) != "unknown"
    late.judge_past([])
