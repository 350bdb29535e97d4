"""What a request costs: stats, history and frame of 17 and of 500 symbols, over a real socket.

``python -m benchmarks.api`` prints the median of a request, with the time of the socket, and the
longest that a probe waited while four others asked for stats and history without a pause.
"""

from __future__ import annotations

import http.client
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from api.hub import Hub
from api.routes import routes
from bars import CELL, Bars
from benchmarks.report import Row, table
from history.writer import connect, write_bars
from settings import HistorySettings, Settings, SourceSettings
from tests.api_server import ApiServer
from tests.fake_facts import NOW, Behind

SYMBOLS = (17, 500)
SECONDS = 3 * 3600
"""Of the archive; memory has the last two hours."""
ROUNDS = 15
ASKING = 4
BUSY_SEC = 5.0

_OLD = f"from={int(NOW) - SECONDS}&to={int(NOW) - 7200}"
QUESTIONS = {
    "livez": "/livez",
    "frame": "/api/v1/frame",
    "stats, 4 windows": "/api/v1/stats",
    "history, 1,000 bars of 1 s": "/api/v1/history?symbol=S0&limit=1000",
    "history, an hour of 10 s": "/api/v1/history?symbol=S0&step=10s",
    "history, an archived hour of 1 s": f"/api/v1/history?symbol=S0&limit=10000&{_OLD}",
    "history, an archived hour of 1 m": f"/api/v1/history?symbol=S0&step=1m&{_OLD}",
}


def measure() -> list[Row]:
    """The requests in turns, each in a second of its own, so that nothing is remembered."""
    rows: list[Row] = []
    for symbols in SYMBOLS:
        with served(symbols) as (behind, server):
            alone, busy = _took(behind, server), _probe_ms(behind, server)
        rows += [Row(f"{symbols} symbols: {what}", f"{ms:.1f} ms") for what, ms in alone.items()]
        rows.append(Row(f"{symbols} symbols: livez beside {ASKING} who ask", f"{busy:.1f} ms"))
    return rows


@contextmanager
def served(symbols: int) -> Iterator[tuple[Behind, ApiServer]]:
    """An API of so many symbols, each of which ticks every second."""
    names = tuple(f"S{row}" for row in range(symbols))
    with tempfile.TemporaryDirectory() as folder:
        connection = connect(Path(folder) / "simulated-1.sqlite")
        source = SourceSettings(
            "simulated", seed=1, watchlist={"stocks": names, "forex": (), "crypto": ()}
        )
        behind = Behind(Settings(source, history=HistorySettings(folder=Path(folder))))
        store = behind.engine.worker.store
        for second in range(int(NOW) - SECONDS, int(NOW), 600):
            bars = _bars(names, second, 600)
            with connection:
                write_bars(connection, bars)
            if second >= NOW - 7200:
                store.load_bars(bars)
        connection.close()
        behind.engine.show(NOW - 1)
        with ApiServer(routes(behind.facts, Hub())) as server:
            yield behind, server


def _bars(names: tuple[str, ...], begin: int, seconds: int) -> Bars:
    """A bar of each symbol in each second."""
    count = len(names)
    cells = np.empty(seconds * count, CELL)
    cells["second"] = np.repeat(begin + np.arange(seconds), count)
    cells["row"] = np.tile(np.arange(count), seconds)
    cells["ms"], cells["n"] = 500, 2
    moves = np.random.default_rng(begin).normal(0, 1e-4, len(cells))
    cells["price"] = 100 * np.exp(moves)
    cells["sum"] = 2 * cells["price"]
    return Bars(names, ("stocks",) * count, cells)


def _took(behind: Behind, server: ApiServer) -> dict[str, float]:
    """The median time of each request in milliseconds."""
    times: dict[str, list[float]] = {what: [] for what in QUESTIONS}
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for at in range(ROUNDS):
        behind.engine.show(NOW + at)
        for what, path in QUESTIONS.items():
            times[what].append(_ask_ms(connection, path))
    connection.close()
    return {what: statistics.median(found) for what, found in times.items()}


def _ask_ms(connection: http.client.HTTPConnection, path: str) -> float:
    begun = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    if response.status not in (200, 429):
        raise RuntimeError(f"{path} was answered with {response.status}")
    return (time.perf_counter() - begun) * 1e3


def _probe_ms(behind: Behind, server: ApiServer) -> float:
    """The longest that a probe waited while others asked."""
    over = threading.Event()
    heavy = [QUESTIONS["stats, 4 windows"], QUESTIONS["history, an archived hour of 1 s"]]

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while not over.is_set():
            _ask_ms(connection, heavy[number % 2])
        connection.close()

    with ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask, number) for number in range(ASKING)]
        probe = http.client.HTTPConnection("127.0.0.1", server.port)
        longest, until = 0.0, time.monotonic() + BUSY_SEC
        while time.monotonic() < until:
            longest = max(longest, _ask_ms(probe, "/livez"))
            over.wait(0.02)
        over.set()
        probe.close()
        for each in asking:
            each.result()
    return longest


if __name__ == "__main__":
    print(table("What a request costs", measure()))
