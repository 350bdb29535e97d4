"""Killed again and again under an open tab: no history is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import sqlite3
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from playwright.sync_api import Page

from bars import CELL, Bars
from events import Event
from history.archive import Archive
from history.writer import connect, write_bars
from tests.browser_page import Serve, Tabs, assert_sound
from tests.browsing import Stage
from tests.faulty_vendor import FaultyVendor, Session, tick
from tests.test_browser import OUTAGE
from tests.waiting import until

pytest_plugins = ("tests.browser_fixtures",)

KILLS: Final = 20
SYMBOLS: Final = tuple(f"WAVE{number}-USD" for number in range(8))
PERIOD_SEC: Final = 90

# Every wave goes beyond the threshold once a period in each direction, whatever is usual for it.
SETTINGS: Final = (
    f"[watchlist]\ncrypto = {json.dumps(SYMBOLS)}\n[stress]\nmin_surprise = 0\n"
    "[stress.crypto]\nmove_5m = 0.9\nvol_spike = 0.9\n"
)

# What the tab was shown of the events.
SHOWN: Final = """
() => [...marketPulse.payload.events.running, ...marketPulse.payload.events.earlier]
"""

# The instant that the tab was shown last.
SHOWN_AT: Final = """
() => marketPulse.payload.now
"""


class Sent(NamedTuple):
    """A tick that the vendor sent, and when."""

    life: int
    """On which connection, one for each life of the dashboard."""
    at: float
    symbol: str
    ts: float
    price: float


def wave(symbol: str, ts: float) -> float:
    """The price of a symbol at an instant: a slow wave, each symbol's in a phase of its own."""
    phase = SYMBOLS.index(symbol) / len(SYMBOLS)
    return 100.0 * (1.0 + 0.005 * math.sin(2 * math.pi * (ts / PERIOD_SEC + phase)))


def with_history(path: Path) -> None:
    """An archive that has been written for two hours, up to now."""
    end = int(time.time())
    seconds = np.repeat(np.arange(end - 7200, end), len(SYMBOLS))
    cells = np.zeros(len(seconds), CELL)
    cells["second"], cells["n"] = seconds, 1
    cells["row"] = np.tile(np.arange(len(SYMBOLS)), 7200)
    cells["price"] = [
        wave(SYMBOLS[row], second)
        for second, row in zip(seconds.tolist(), cells["row"].tolist(), strict=True)
    ]
    cells["sum"] = cells["price"]
    path.parent.mkdir(parents=True)
    connection = connect(path)
    connection.execute("BEGIN")
    write_bars(connection, Bars(SYMBOLS, ("crypto",) * len(SYMBOLS), cells))
    connection.execute("COMMIT")
    connection.close()


def shown(page: Page) -> list[dict[str, Any]]:
    """The events that the tab was last sent."""
    events: list[dict[str, Any]] = page.evaluate(SHOWN)
    return events


def states(path: Path) -> list[Event]:
    """Every state of every event of an archive, after a look at the whole file."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return Archive(path).event_states(10_000, math.inf, 0.0)


def test_twenty_kills_lose_nothing_and_repeat_nothing(serve: Serve, tabs: Tabs) -> None:
    """Killed at random moments: every file opens, no event twice, none lost but of a last second.

    And of the bars what the vendor sent up to a second before each kill, once.
    """
    rng = random.Random(4)
    sent: list[Sent] = []
    kills: list[float] = []
    seen: dict[str, float] = {}
    pause = threading.Event()

    async def waves(session: Session) -> None:
        await session.subscribed()
        while True:
            for symbol in () if session.vendor.paused else session.symbols:
                ts = round(time.time(), 3)
                price = wave(symbol, ts)
                await session.send(tick("crypto", symbol, price=price, ts=ts))
                sent.append(Sent(session.number, time.time(), symbol, ts, price))
            await asyncio.sleep(0.1)

    with FaultyVendor(crypto=waves) as vendor:
        environ = {"EODHD_API_KEY": "SECRETKEY0123456789", "MARKET_PULSE_EODHD_URL": vendor.url}
        server = serve(environ, settings=SETTINGS, stage=Stage(refresh_sec=0.5))
        path = server.log.parent / "data" / "eodhd.sqlite"
        with_history(path)
        page = tabs(server.url)
        # A tab that stays open is one that has loaded all of the page's code.
        until(lambda: page.locator(".feeds li[data-state=live]").count() == 1)
        page.wait_for_load_state("networkidle")
        for number in range(1, KILLS + 1):
            until(lambda count=number: len(vendor.subscriptions) >= count)  # type: ignore[misc]
            pause.wait(rng.uniform(0.1, 3.0))
            server.process.kill()
            kills.append(time.time())
            server.process.wait()
            # What the tab had been sent a second before.
            if page.evaluate("Boolean(globalThis.marketPulse?.payload)"):
                for event in shown(page):
                    if event["peak"] < kills[-1] - 1:
                        seen[event["id"]] = max(seen.get(event["id"], 0.0), event["peak"])
            archived = {event.id: event.updated_ts for event in states(path)}
            for name, peak in seen.items():
                assert archived.get(name, 0.0) >= peak, name
            server.restart(environ)
        until(lambda: len(vendor.subscriptions) > KILLS)
        until(lambda: page.locator(".feeds li[data-state=live]").count() == 1)
        until(lambda: bool(shown(page)))
        assert_sound(page)
        assert len(seen) > 3
        vendor.paused = True
        # A second that began after the last tick: what was sent has arrived.
        until(lambda: page.evaluate(SHOWN_AT) > sent[-1].ts + 1)
        page.close()
        server.stop()
    assert_nothing_twice(states(path))
    assert_every_tick_once(path, sent, kills)
    others = [text for text in tabs.complaints if not re.search(OUTAGE, text)]
    tabs.complaints.clear()
    assert others == []


def assert_nothing_twice(found: list[Event]) -> None:
    """A wave rises once a period and falls once: more often would be the same move again."""
    begun: dict[tuple[str, str, bool | None], list[float]] = defaultdict(list)
    counts: dict[str, int] = {}
    first = {event.id: event for event in reversed(found)}
    for event in first.values():
        begun[event.symbol, event.kind, event.lead.rises].append(event.ts)
    for event in found:
        assert event.count >= counts.get(event.id, 0), event.id
        counts[event.id] = event.count
    assert len(first) > 3
    for key, times in begun.items():
        apart = np.diff(sorted(times))
        assert (apart > PERIOD_SEC / 2).all(), (key, sorted(times))


def assert_every_tick_once(path: Path, sent: list[Sent], kills: list[float]) -> None:
    """Bars hold what was sent, nothing twice, and all but what the second before a kill took."""
    bars = Archive(path).bars(0, 2**40)
    archived = {
        (bars.symbols[row], second): (n, price)
        for second, row, n, price in zip(
            *(bars.cells[name].tolist() for name in ("second", "row", "n", "price")), strict=True
        )
    }
    all_of: dict[tuple[str, int], list[Sent]] = defaultdict(list)
    for one in sent:
        all_of[one.symbol, int(one.ts)].append(one)
    checked = 0
    for key, ticks in all_of.items():
        # After its last kill it ended properly. What was sent to a corpse was lost as well.
        safe = [one for one in ticks if one.life == KILLS or one.at < kills[one.life] - 1.0]
        n, price = archived.get(key, (0, math.nan))
        # The two hours before the first start hold one tick a second themselves.
        before = 1 if key[1] < sent[0].ts - 1 else 0
        assert len(safe) <= n <= len(ticks) + before, (key, n, len(safe), len(ticks))
        if len(safe) == len(ticks):
            assert price == ticks[-1].price, key
            checked += 1
    assert checked > KILLS * len(SYMBOLS) / 2
