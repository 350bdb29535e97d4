"""Tabs of two replicas beside as many of one: what more than one process is for.

A collector without tabs publishes the simulated market; its search of the past is waited for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.report import Row
from benchmarks.tabs import PROMISE_BEHIND_SEC, SETTLE_SEC, SIMULATED, warm_up, watched
from benchmarks.viewers import Seen, Viewers
from tests.broker import Broker
from tests.browsing import Server, copy_app

TABS: Final = 100
WATCH_SEC: Final = 20.0
SHARE_PROMISE: Final = 0.65
"""Of what one replica spends on all tabs: what each of two spends on half of them."""


class _Crowded(NamedTuple):
    """A replica, and its tabs."""

    server: Server
    viewers: Viewers


def measure(tabs: int = TABS, seconds: float = WATCH_SEC) -> list[Row]:
    """What each replica spends, and what its tabs wait."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = stack.enter_context(Broker(folder / "broker"))
        among = {"MARKET_PULSE_REDIS": broker.url}
        collecting = {**SIMULATED, **among, "MARKET_PULSE_ROLE": "collector"}
        collector = stack.enter_context(_server(folder / "collector", collecting))
        with Viewers(collector) as viewers:
            warm_up(viewers)
        replicas = []
        for place in ("one", "other"):
            following = {**among, "MARKET_PULSE_ROLE": "replica"}
            server = stack.enter_context(_server(folder / place, following))
            replicas.append(_Crowded(server, stack.enter_context(Viewers(server))))
        one, _ = alone = _watched(replicas[:1], tabs, seconds)[0]
        each = _watched(replicas, tabs // 2, seconds)
    share = max(percent for percent, _ in each) / one
    return [
        *_rows(f"one replica, {tabs} tabs", [alone]),
        *_rows(f"each of two, {tabs // 2} tabs", each),
        Row(
            "what each of two spends of what one does",
            f"{share:.2f}",
            f"≤ {SHARE_PROMISE:g}",
            share <= SHARE_PROMISE,
        ),
    ]


def _server(folder: Path, environ: Mapping[str, str]) -> Server:
    folder.mkdir()
    copy_app(folder)
    return Server(folder, environ)


def _watched(replicas: Sequence[_Crowded], tabs: int, seconds: float) -> list[tuple[float, Seen]]:
    """The load of each in percent of one core while each has so many tabs, all at once."""

    def of(one: _Crowded) -> tuple[float, Seen]:
        one.viewers.watch(SETTLE_SEC)
        return watched(one.server, one.viewers, seconds)

    for one in replicas:
        one.viewers.open(tabs)
    with ThreadPoolExecutor(len(replicas)) as pool:
        return list(pool.map(of, replicas))


def _rows(what: str, found: Sequence[tuple[float, Seen]]) -> list[Row]:
    percents = " and ".join(f"{percent:.0f}" for percent, _ in found)
    slowest = max(seen.p95_ms for _, seen in found)
    behind = max(seen.behind_sec for _, seen in found)
    failed = sum(seen.failed + seen.errors for _, seen in found)
    return [
        Row(what, f"{percents} % of a core"),
        Row("  a refresh, p95", f"{slowest:.0f} ms"),
        Row(
            "  the pulse behind the clock, at most",
            f"{behind:.2f} s",
            f"≤ {PROMISE_BEHIND_SEC:g} s, no tab failed",
            behind <= PROMISE_BEHIND_SEC and not failed,
        ),
    ]
