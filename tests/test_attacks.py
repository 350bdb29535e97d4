"""A few cases of every attack: none ends as it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attacks.__main__ import ATTACKS, SEED
from benchmarks.attacks.tally import MOST_TOLD, Tally

CASES = {"wire": 300, "archives": 25, "messages": 150, "settings": 200, "signals": 3}


@pytest.mark.parametrize("name", CASES)
def test_attack_is_survived(name: str, tmp_path: Path) -> None:
    """Each case ends in one of the ways it may, and there are several of them."""
    attack, _ = ATTACKS[name]
    tally = attack(SEED, CASES[name], tmp_path)
    assert tally.failures == []
    assert tally.cases == CASES[name]
    assert len(tally.outcomes) > 1


def test_what_failed_is_counted_and_told() -> None:
    """Every failure counts, and the first ones are told in words."""
    tally = Tally("doors")
    tally.count("held", 3)
    for number in range(MOST_TOLD + 1):
        tally.fail(f"door {number} opened")
    assert tally.cases == 3 + MOST_TOLD + 1
    first, *told = str(tally).splitlines()
    assert first == f"doors: {tally.cases} cases, {MOST_TOLD + 1} failed (3 held)"
    assert [line.strip() for line in told] == [f"door {n} opened" for n in range(MOST_TOLD)]
