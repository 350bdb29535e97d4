"""Watches on made-up measurements: what holds of hits whatever comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Part, Rule, When
from watches import Measured, Watch, Watches

START: Final = 1_760_000_400.0

RULES: Final = (
    Rule(name="flash", when=When.MOVE, by=0.02, within_sec=10, cooldown_sec=20.0),
    Rule(name="above", when=When.ABOVE, price=100.0, cooldown_sec=5.0),
    Rule(name="below", when=When.BELOW, price=99.0, cooldown_sec=0.0, until=START + 200.0),
    Rule(name="cross", when=When.CROSSES, price=100.0, cooldown_sec=30.0),
    Rule(name="quiet", when=When.SILENT, within_sec=20, severity="alert"),
    Rule(
        name="pair", when=When.CORRELATION, symbols=("A", "B"), low=0.2, high=0.8, cooldown_sec=9.0
    ),
)


def part_of(rule: Rule, value: float, threshold: float) -> Part:
    """What a rule amounts to."""
    none: dict[str, Any] = dict.fromkeys(("from_price", "from_ts", "to_price", "to_ts"))
    return Part(
        kind="rule",
        when=rule.when,
        horizon_sec=rule.within_sec or 0,
        value=value,
        threshold=threshold,
        surprise=None,
        times_usual=None,
        **none,
    )


def measured(rng: random.Random, rule: Rule, now: float) -> Measured | None:
    """A measurement of two targets, as far as they are known."""
    parts: dict[str, Part] = {}
    unknown = set()
    prices = {}
    targets = ("crypto",) if rule.when is When.SILENT else ("A",) if "B" in rule.symbols else "AB"
    for target in targets:
        if rng.random() < 0.1:
            unknown.add(target)
        elif rule.when is When.CROSSES:
            prices[target] = rng.choice([99.0, 99.95, 100.0, 100.02, 101.0]), now
        elif rng.random() < 0.5:
            value, threshold = {
                When.MOVE: (rng.choice([0.016, -0.019, 0.02, -0.05, 0.09]), 0.02),
                When.ABOVE: (rng.choice([99.95, 100.0, 100.5, 102.0]), 100.0),
                When.BELOW: (rng.choice([99.05, 99.0, 98.5]), 99.0),
                When.SILENT: (rng.choice([17.0, 20.0, 90.0]), 20.0),
                When.CORRELATION: rng.choice([(0.22, 0.2), (0.1, 0.2), (0.9, 0.8), (0.77, 0.8)]),
            }[rule.when]
            parts[target] = part_of(rule, value, threshold)
    return None if rng.random() < 0.05 else Measured(rule, parts, frozenset(unknown), prices)


def seconds(seed: int) -> list[tuple[float, list[Measured]]]:
    """Seconds in order, with gaps, and what was measured in them."""
    rng = random.Random(seed)
    now, found = START, []
    calm = rng.random()
    for _ in range(250):
        now += rng.choice([1.0] * 30 + [40.0])
        row = [one for rule in RULES if (one := measured(rng, rule, now)) is not None]
        if rng.random() < calm:
            row = [Measured(one.rule, prices=one.prices) for one in row]
        found.append((now, row))
    return found


ROWS: Final = {
    name: {"asset": "crypto", "early": False, "vs_peers": None, "regime": "normal"} for name in "AB"
}


def hits_of(told: Sequence[Watch]) -> list[tuple[str, Any]]:
    """Every hit with the key of what it is of."""
    return [(watch.key, watch.hit) for watch in told]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_what_holds_of_every_hit(seed: int) -> None:
    """One at a time of a rule and its target; it begins as a hit, grows, and ends once."""
    watches = Watches(RULES)
    of_name = {rule.name: rule for rule in RULES}
    newest: dict[str, Any] = {}
    for now, row in seconds(seed):
        for key, hit in hits_of(watches.check(row, ROWS, now)):
            rule, before = of_name[key.split(":")[1]], newest.get(key)
            assert hit.updated_ts == now
            if before is None or hit.ts != before.ts:
                assert (hit.ts, hit.count, hit.over_ts) == (now, 1, None)
                assert before is None or before.over_ts is not None
                assert before is None or now - before.over_ts >= rule.cooldown_sec
                assert rule.until is None or now < rule.until
                if rule.by is not None:
                    assert hit.part.ratio >= 1.0
                if rule.when is When.ABOVE:
                    assert hit.part.value > 100.0
                if rule.when is When.BELOW:
                    assert hit.part.value < 99.0
                if rule.when is When.CORRELATION:
                    assert not 0.2 <= hit.part.value <= 0.8
            else:
                assert before.over_ts is None
                assert hit.count >= before.count
                assert rule.by is None or hit.part.ratio >= before.part.ratio
                assert hit.over_ts is None or hit.over_ts <= now - rule.cooldown_sec
            newest[key] = hit
    # Once all are known to have fallen, every one of them comes to its end, once.
    end = watches.check([Measured(rule) for rule in RULES], ROWS, START + 1e6)
    end += watches.check([], ROWS, START + 1e6 + 60.0)
    for key, hit in hits_of(end):
        assert hit.over_ts is not None
        newest[key] = hit
    assert all(hit.over_ts is not None for hit in newest.values())
    assert watches.check([], ROWS, START + 2e6) == []


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 249), every=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_watches_restored_go_on_as_if_never_stopped(seed: int, cut: int, every: int) -> None:
    """From what was handed out as changed, at any moment."""
    whole, first, second = Watches(RULES), Watches(RULES), Watches(RULES)
    kept: dict[str, Watch] = {}
    rows = seconds(seed)
    for number, (now, row) in enumerate(rows[:cut]):
        assert first.check(row, ROWS, now) == whole.check(row, ROWS, now)
        if number % every == 0 or number == cut - 1:
            kept |= {watch.key: watch for watch in first.collect_changed()}
    second.restore(kept.values())
    assert second.collect_changed() == []
    for now, row in rows[cut:]:
        restored, wanted = second.check(row, ROWS, now), whole.check(row, ROWS, now)
        assert [without_steady(watch) for watch in restored] == [
            without_steady(watch) for watch in wanted
        ]


def without_steady(watch: Watch) -> tuple[Any, ...]:
    """What is told, but for values of steady hits that grew unsaid before the end."""
    hit = watch.hit
    assert hit is not None
    is_steady = hit.part.when in (When.ABOVE, When.BELOW, When.SILENT, When.CORRELATION)
    value = None if is_steady else hit.part.value
    return watch.key, hit.ts, hit.updated_ts, hit.severity, hit.count, value, hit.over_ts


def held(rule: Rule, part: Part | None, price: float = 0.0) -> Measured:
    """What a rule amounts to for A alone, or its price if it watches crossings."""
    prices = {"A": (price, START)} if rule.when is When.CROSSES else {}
    return Measured(rule, {} if part is None else {"A": part}, prices=prices)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (Rule(name="above", when=When.BELOW, price=100.0),),
        (Rule(name="above", when=When.ABOVE, price=100.5),),
    ],
)
def test_the_hit_of_a_rule_that_is_gone_or_another_is_over(others: tuple[Rule, ...]) -> None:
    """Told once, in the first second after the start, whatever the settings hold now."""
    rule = RULES[1]
    first, second = Watches([rule]), Watches(others)
    (began,) = first.check([held(rule, part_of(rule, 101.0, 100.0))], ROWS, START)
    second.restore(first.collect_changed())
    (over,) = second.check([], ROWS, START + 100.0)
    assert over.hit is not None
    assert began.hit is not None
    assert (over.key, over.hit.ts, over.hit.updated_ts) == (began.key, START, START + 100.0)
    assert over.hit.over_ts == START
    assert second.check([], ROWS, START + 101.0) == []
    third = Watches(others)
    third.restore(second.collect_changed())
    assert third.check([], ROWS, START + 200.0) == []


def test_another_level_is_not_crossed_by_being_set() -> None:
    """A price between the old level and the new one waits for the next crossing."""
    old, new = RULES[3], Rule(name="cross", when=When.CROSSES, price=110.0)
    first, second = Watches([old]), Watches([new])
    first.check([held(old, None, 99.0)], ROWS, START)
    (crossed,) = first.check([held(old, None, 105.0)], ROWS, START + 1.0)
    second.restore(first.collect_changed())
    (over,) = second.check([held(new, None, 105.0)], ROWS, START + 2.0)
    assert over.hit is not None
    assert (over.key, over.hit.over_ts) == (crossed.key, START + 1.0)
    assert second.check([held(new, None, 105.0)], ROWS, START + 3.0) == []
    (again,) = second.check([held(new, None, 111.0)], ROWS, START + 4.0)
    assert again.hit is not None
    assert (again.hit.ts, again.hit.part.threshold) == (START + 4.0, 110.0)


@pytest.mark.parametrize(("kept_sec", "told"), [(59, 1), (61, 2)])
def test_a_hit_that_lasts_is_handed_out_once_a_minute(kept_sec: int, told: int) -> None:
    """A level may hold for days: a disk that rests is not woken for it every second."""
    rule = RULES[1]
    watches = Watches([rule])
    changed = 0
    for second in range(kept_sec):
        row = Measured(rule, {"A": part_of(rule, 101.0, 100.0)})
        watches.check([row], ROWS, START + second)
        changed += len(watches.collect_changed())
    assert changed == told
