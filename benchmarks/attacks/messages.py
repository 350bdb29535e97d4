"""Forged messages: links and choices that no page of ours made, answered by a whole payload."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Final

from benchmarks.attacks.rubbish import text, value
from benchmarks.attacks.tally import Tally
from page.payload import payload
from page.tabs import OpenTabs
from page.view import View
from page.visit import Visit
from settings import Settings, SourceSettings
from tests.deltas import decoded
from tests.stage import play, staged
from ticks import ASSETS, Tick
from worker import Worker

NOW: Final = 1_795_000_000

NAMES: Final = (*(field.name for field in fields(View)), "details", "embed", "__proto__", "")

_LONGEST_NOTE: Final = 500


def messages(seed: int, cases: int) -> Tally:
    """Open a page by a forged link, make forged choices on it, and let it be drawn after each."""
    rng = random.Random(seed)
    tally = Tally("forged messages")
    with _worker() as engine:
        reader, status, tabs = engine.reader, engine.status(), OpenTabs()
        symbols = reader.symbols(ASSETS)
        oldest, newest = reader.span()
        visit = Visit.from_address({}, symbols, newest)
        for _ in range(cases):
            is_link = rng.random() < 0.5
            forged: Any = _link(rng, symbols) if is_link else _choices(rng, symbols)
            try:
                if is_link:
                    visit = Visit.from_address(forged, symbols, newest)
                else:
                    visit = visit.with_board(forged, symbols)
                visit, at = visit.shown(oldest, newest, has_prices=True)
                drawn = decoded(payload(reader, status, visit, at, tabs))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                tally.fail(f"{forged!r:.200}: {type(error).__name__}: {error}")
                continue
            if not all(map(_is_fit, drawn["notes"])):
                tally.fail(f"{forged!r:.200}: is told as {drawn['notes']!a:.200}")
            else:
                tally.count("noted" if drawn["notes"] else "taken or left out")
    return tally


def _is_fit(note: str) -> bool:
    """Whether a note is short and shows all that it holds."""
    return len(note) <= _LONGEST_NOTE and not any(
        unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in note
    )


def _link(rng: random.Random, symbols: list[str]) -> dict[str, list[str]]:
    names = rng.sample(NAMES, rng.randrange(1, 5))
    return {name: [_likely(rng, symbols) for _ in range(rng.randrange(4))] for name in names}


def _choices(rng: random.Random, symbols: list[str]) -> object:
    if rng.random() < 0.1:
        return value(rng)
    changed = {
        name: _likely(rng, symbols) if rng.random() < 0.3 else value(rng, 2)
        for name in rng.sample(NAMES, rng.randrange(1, 5))
    }
    panels = {"details": True} if rng.random() < 0.5 else value(rng, 2)
    return {"number": rng.random(), "changed": changed, "panels": panels}


def _likely(rng: random.Random, symbols: list[str]) -> str:
    """A word that is possible somewhere, or none at all."""
    possible = ("true", "alert", "crypto", "volatility", "20 s", "3", "Asia/Tokyo", "by class")
    second = "2026-11-18T11:06:30Z"
    return text(rng) if rng.random() < 0.5 else rng.choice((*possible, second, *symbols))


@contextmanager
def _worker() -> Iterator[Worker]:
    """A worker that knows a minute of prices and does not run."""
    engine = staged(Settings(SourceSettings("simulated", seed=7)), clock=lambda: float(NOW))
    for second in range(NOW - 60, NOW):
        ticks = (
            Tick(symbol, asset, second + 0.5, 100.0 + second % 7)
            for asset in ASSETS
            for symbol in engine.reader.symbols((asset,))
        )
        play(engine, second, ticks)
        engine.heartbeat.show(second)
    yield engine
