"""What a tab is sent: whole at first, then only what changed, which the browser makes whole."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from page.deltas import Sent, change, next_message, parts_of
from page.payload import payload
from page.tabs import REFRESH_SEC, OpenTabs
from page.view import read
from page.visit import Visit
from sessions import ALWAYS
from settings import Settings, SourceSettings
from tests.browsing import ROOT
from tests.conftest import missing
from tests.deltas import changed
from tests.stage import play, staged
from ticks import ASSETS, Asset, Tick
from worker import Worker

NOW: Final = 1_795_000_000
BEFORE_SEC: Final = 1000

_CHECK: Final = """
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { changed } from "MERGE";

for (const { old, change, expected } of JSON.parse(readFileSync(0, "utf-8"))) {
  const before = structuredClone(old);
  assert.deepEqual(changed(old, change), expected);
  assert.deepEqual(old, before);
}
"""


class _Row(msgspec.Struct):
    symbol: str
    cells: list[Any]


class _Payload(msgspec.Struct):
    now: float
    pulse: msgspec.Raw
    notes: msgspec.Raw


def once(function: Callable[..., bytes], *args: bytes) -> bytes:
    """Nobody else asks."""
    return function(*args)


def parts(now: float, *rows: _Row, notes: msgspec.Raw | None = None) -> Any:
    """A payload of three parts."""
    pulse = msgspec.Raw(msgspec.json.encode(rows))
    return parts_of(_Payload(now, pulse, msgspec.Raw(b"[]") if notes is None else notes))


def test_the_first_message_is_whole_and_the_next_says_what_changed() -> None:
    """What stays is not sent, neither a part of the payload nor a cell of a row."""
    first, sent = next_message(parts(1.0, _Row("A", [1, "x"]), _Row("B", [2, "y"])), None, 7, once)
    assert json.loads(first) == {
        "number": 7,
        "payload": {
            "now": 1.0,
            "pulse": [{"symbol": "A", "cells": [1, "x"]}, {"symbol": "B", "cells": [2, "y"]}],
            "notes": [],
        },
    }
    later = [_Row("B", [2, "a longer text than there was before"]), _Row("A", [1, "x"])]
    second, sent = next_message(parts(2.0, *later), sent, 8, once)
    assert sent.number == 8
    assert json.loads(second) == {
        "number": 8,
        "base": 7,
        "change": {
            "in": {
                "now": {"is": 2.0},
                "pulse": {
                    "of": [1, 0],
                    "in": [0, {"in": {"cells": {"to": [1, later[0].cells[1]]}}}],
                },
            }
        },
    }


def test_what_is_kept_of_a_tab_is_shared() -> None:
    """The parts themselves, so that a tab costs no memory of its own."""
    shown = parts(1.0, _Row("A", [1]))
    _, sent = next_message(shown, None, 1, once)
    assert all(sent.parts[name] is part for name, part in shown.items())


def test_what_changed_is_found_once_for_all_tabs() -> None:
    """Tabs that were sent the same ask the same."""
    asked = []

    def counting(function: Callable[..., bytes], *args: bytes) -> bytes:
        asked.append(args)
        return function(*args)

    notes = [msgspec.Raw(b'["a note"]') for _ in range(2)]
    for own in notes:
        _, sent = next_message(parts(1.0, _Row("A", [1]), notes=own), None, 1, once)
        next_message(parts(1.0, _Row("A", [2]), notes=own), sent, 2, counting)
    assert asked[0] == asked[1]
    assert len(asked) == 2


def test_a_payload_of_another_form_is_sent_whole() -> None:
    """As after its code was loaded anew."""
    sent = Sent(1, {"now": msgspec.Raw(b"1.0")})
    message, _ = next_message(parts(1.0), sent, 2, once)
    assert "payload" in json.loads(message)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2, None, 4], [2, None, 4, 5], {"drop": 1, "add": [5]}),
        ([1, 2], [1, 2, 3], {"drop": 0, "add": [3]}),
        ([*range(99)], [*range(30, 129)], {"drop": 30, "add": [*range(99, 129)]}),
        ([], [1], {"of": [-1], "to": [0, 1]}),
        ([1], [], {"of": []}),
        ({"a": 1, "b": 2}, {"b": 2, "c": 3}, {"to": {"c": 3}, "no": ["a"]}),
        ({"a": True}, {"a": 1}, {"to": {"a": 1}}),
        ([[True, 5]], [[1, 5]], {"in": [0, {"to": [0, 1]}]}),
        ([1, 2, 3], {"is": 4}, {"is": {"is": 4}}),
        ({"a": 1}, {"a": 1}, None),
    ],
)
def test_a_change_says_as_little_as_it_can(old: Any, new: Any, expected: Any) -> None:
    """A line that moved on, a list that is empty, a field that is gone."""
    assert change(old, new) == expected


def some_json(rng: random.Random, depth: int = 4) -> Any:
    """Any value of JSON, with lists of the kinds that a payload has."""
    kinds = 9 if depth else 5
    match rng.randrange(kinds):
        case 0:
            return rng.choice([None, True, False, 0, 1, "", "is", "in"])
        case 1 | 2:
            return rng.randrange(3)
        case 3 | 4:
            return rng.choice(["a", "b", "symbol"])
        case 5:
            return [rng.randrange(100) for _ in range(rng.randrange(6))]
        case 6:
            names = rng.sample("ABCDEF", rng.randrange(5))
            return [{"symbol": name, "v": some_json(rng, depth - 1)} for name in names]
        case 7:
            return [some_json(rng, depth - 1) for _ in range(rng.randrange(4))]
        case _:
            names = rng.sample(["a", "is", "to", "in", "no", "of", "drop", "__proto__"], 3)
            return {name: some_json(rng, depth - 1) for name in names}


def altered(rng: random.Random, value: Any) -> Any:
    """Another value that is much like it."""
    if rng.random() < 0.15:
        return some_json(rng, 2)
    if isinstance(value, list):
        items = [altered(rng, item) if rng.random() < 0.4 else item for item in value]
        if rng.random() < 0.3:
            rng.shuffle(items)
        return [*items[rng.randrange(2) :], *items[: rng.randrange(2)]]
    if isinstance(value, dict):
        return {name: altered(rng, part) for name, part in value.items() if rng.random() < 0.9}
    return value


def test_the_browser_makes_of_a_change_what_it_was_made_from() -> None:
    """Whatever values they are, and without changing what it held."""
    node = shutil.which("node")
    if node is None:
        missing("node, which runs the page's JavaScript")
        return
    rng = random.Random(3)
    cases: list[dict[str, Any]] = []
    while len(cases) < 2000:
        old = some_json(rng)
        new = altered(rng, old)
        if found := change(old, new):
            assert changed(old, found) == new
            cases.append({"old": old, "change": found, "expected": new})
        else:
            assert old == new
    done = subprocess.run(
        [
            *(node, "--input-type=module", "--eval"),
            _CHECK.replace("MERGE", (Path(ROOT) / "page" / "merge.js").as_uri()),
        ],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def walking(symbols: int, seconds: int) -> Iterator[Worker]:
    """A worker of so many symbols, all of which trade in each second; yielded in each of them."""
    stocks, forex = symbols * 2 // 5, symbols // 4
    watchlist: dict[Asset, tuple[str, ...]] = {
        "stocks": tuple(f"STOCK{i}" for i in range(stocks)),
        "forex": tuple(f"FX{i}USD" for i in range(forex)),
        "crypto": tuple(f"COIN{i}-USD" for i in range(symbols - stocks - forex)),
    }
    engine = staged(
        Settings(SourceSettings("simulated", seed=7, watchlist=watchlist)),
        clock=lambda: float(NOW),
        session=lambda asset, now: ALWAYS,
    )
    rng = random.Random(2)
    last = {(name, asset): 100.0 for asset, names in watchlist.items() for name in names}
    for second in range(NOW - BEFORE_SEC, NOW + seconds):
        for one in last:
            last[one] *= math.exp(rng.gauss(0, 1e-4))
        ticks = [Tick(name, asset, second + 0.5, price) for (name, asset), price in last.items()]
        play(engine, second, ticks)
        if second >= NOW:
            engine.heartbeat.show(second)
            yield engine


@pytest.mark.parametrize(("symbols", "most"), [(17, 12_000), (50, 30_000)])
def test_a_refresh_is_small(symbols: int, most: int) -> None:
    """Every refresh after the first, though every price changes, with its line of ten seconds."""
    sent = None
    sizes = []
    for second, engine in enumerate(walking(symbols, seconds=40)):
        if second % REFRESH_SEC:
            continue
        reader = engine.reader
        visit = Visit(replace(read({}, reader.symbols(ASSETS))[0], rows=symbols))
        shown = payload(reader, engine.status(), visit, None, OpenTabs())
        message, sent = next_message(shown, sent, second, reader.once)
        sizes.append(len(message))
    assert sizes[0] > max(sizes[1:])
    assert max(sizes[1:]) <= most
