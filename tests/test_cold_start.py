"""What a worker knows at its first start: the time before, from a real HTTP server."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import pytest

from feeds import FeedState, Timing, Trouble
from history.hours import SessionFigures
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from sources.failover import Patience
from sources.fetching import Manners
from tests.fake_finnhub import FakeFinnhub
from tests.harbor import Harbor, HarborServer
from tests.rest_server import Answer, Asked, HarborRest, RestServer, status
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import Asset
from vendors.finnhub import Finnhub
from vendors.rest import Want
from worker import Worker

KEY = "s3cret/key"
WATCHLIST: Mapping[Asset, tuple[str, ...]] = {
    "stocks": (),
    "forex": (),
    "crypto": ("BTC-USD", "ETH-USD", "DOGE-USD"),
}
TIMING = Timing(backoff_floor_sec=0.05, backoff_cap_sec=0.2)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


def hour(asked: Asked, level: float = 77.0) -> None:
    """The sixty minutes that are over, each a cent above the one before, and a day ago 70."""
    now = int(time.time())
    minutes = [now // 60 * 60 - 60 * ago for ago in range(60, 0, -1)]
    prices = [level + 0.01 * place for place in range(60)]
    is_hour = asked.want is Want.LAST_HOUR
    said = {
        "candles": [
            [s, minute, price, price + 0.02, price - 0.02, price]
            for s in asked.symbols
            for minute, price in zip(minutes, prices, strict=True)
            if is_hour
        ],
        "quotes": [],
        "references": [
            [s, 70.0, now // 300 * 300 - 86_400 + 300 * step]
            for s in asked.symbols
            for step in range(2)
            if not is_hour
        ],
    }
    asked.answer(200, json.dumps(said).encode())


def running(
    server: HarborServer, url: str, manners: Manners | None = None
) -> AbstractContextManager[Worker]:
    """A started worker with coins from Harbor, whose past is asked for at ``url``."""
    return started([Harbor(server.url, KEY)], {"Harbor": HarborRest(url, KEY)}, manners)


@contextmanager
def started(
    coins: Sequence[Harbor], rests: Mapping[str, HarborRest], manners: Manners | None = None
) -> Iterator[Worker]:
    """A worker with coins from the first of these vendors that can."""
    settings = Settings(SourceSettings("live", watchlist=WATCHLIST))
    worker = Worker(
        settings,
        timing=TIMING,
        session=always,
        vendors={"stocks": (), "forex": (), "crypto": coins},
        rests=rests,
        manners=manners,
        patience=Patience(pass_over_sec=0.2, healthy_sec=600.0, look_sec=0.05),
        status_sec=0.01,
    )
    worker.start()
    try:
        yield worker
    finally:
        begun = time.monotonic()
        worker.stop()
        assert time.monotonic() - begun < 2.0
        assert worker.status().faults == ()


def figures(worker: Worker, symbol: str) -> Mapping[str, float]:
    """The figures that the page would show of a symbol now."""
    return worker.store.snapshot(symbol, time.time()) or {}


def waiting(worker: Worker) -> dict[str, int]:
    """Of how many symbols something is still to be asked for, by vendor."""
    return {told.vendor: told.waiting for told in worker.status().source.backfill}


def refused_until(worker: Worker) -> float | None:
    """When the vendor is asked for the past again whose host refused the connection."""
    told = worker.status().source.backfill[0]
    return told.retry_at if told.trouble is Trouble.NO_CONNECTION else None


def test_last_hour_is_known_at_once() -> None:
    """Returns, chart and the day's change; what needs finer prices waits, and nothing is told."""
    with HarborServer(KEY, unknown=["eth/usd"]) as server, RestServer(hour) as rest:
        server.trades = False
        with running(server, rest.url) as worker:
            until(lambda: figures(worker, "BTC-USD").get("ret_day") is not None)
            now = time.time()
            row = figures(worker, "BTC-USD")
            # The stream's trade from before the subscription is newer than any candle.
            assert row["last"] == 77.5
            # It enters no window: from candle to candle; to one, as a minute may end meanwhile.
            assert row["ret_5m"] == pytest.approx(77.59 / 77.54 - 1, abs=1.5e-4)
            assert row["ret_15m"] == pytest.approx(77.59 / 77.44 - 1, abs=1.5e-4)
            assert row["ret_day"] == pytest.approx(77.5 / 70 - 1)
            assert row["vol_15m"] is row["surprise"] is row["trend_15m"] is None
            assert worker.store.history("BTC-USD", now, 3000)["price"].count() in (49, 50)
            assert worker.store.candles_until("BTC-USD", now) is not None
            until(lambda: not worker.status().source.backfill[0].waiting)
            (told,) = worker.status().source.backfill
            assert (told.vendor, told.asked, told.failed) == ("Harbor", 3, 0)
            assert (told.answers, told.trouble) == (4, Trouble.NONE)
            assert worker.events.latest(10) == []
            # Then the stream goes on from there, and knows better.
            server.trades = True
            until(lambda: (figures(worker, "BTC-USD").get("last") or 0.0) >= 78.0)
            assert worker.events.latest(10) == []


def test_next_vendor_is_asked_for_its_own_past() -> None:
    """When it serves, and not before; of the one before nothing is left in any figure."""
    with (
        HarborServer(KEY) as one,
        HarborServer(KEY) as two,
        RestServer(hour) as first,
        RestServer(lambda asked: hour(asked, 90.0)) as second,
        started(
            [Harbor(one.url, KEY, name="One"), Harbor(two.url, KEY, name="Two")],
            {"One": HarborRest(first.url, KEY), "Two": HarborRest(second.url, KEY)},
        ) as worker,
    ):
        two.level = 90.0
        until(lambda: 0 < (figures(worker, "BTC-USD").get("range_low") or 0.0) < 77.0)
        assert figures(worker, "BTC-USD")["ret_15m"] is not None
        assert second.asked == []
        # The status may be told a little later than the prices of the past.
        until(lambda: waiting(worker).keys() == {"One"})
        one.is_down = True
        until(lambda: (figures(worker, "BTC-USD").get("range_low") or 0.0) > 89.0)
        until(lambda: figures(worker, "BTC-USD").get("ret_15m") is not None)
        row = figures(worker, "BTC-USD")
        assert row["last"] == pytest.approx(90.0, abs=0.6)
        assert abs(row["ret_15m"]) < 0.01
        assert row["range_high"] < 91.0
        assert row["ret_day"] == pytest.approx(row["last"] / 70 - 1)
        until(lambda: waiting(worker) == {"Two": 0})
        assert worker.events.latest(10) == []


FAULTS: dict[str, tuple[Answer, Trouble]] = {
    "slow": (Asked.hang, Trouble.NO_ANSWER),
    "wrong": (lambda asked: asked.answer(200, b"<html>" + KEY.encode()), Trouble.UNREADABLE),
    "limited": (status(429, {"Retry-After": "3600"}), Trouble.THROTTLED),
    "refused": (status(403), Trouble.HTTP_ERROR),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_server_of_the_past_delays_nothing(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """Prices stream, seconds are shown, and what is wrong is told, without the key."""
    answer, trouble = FAULTS[fault]
    caplog.set_level(logging.DEBUG)
    manners = Manners(answer_sec=0.2 if trouble is Trouble.NO_ANSWER else HANG_SEC)
    with (
        HarborServer(KEY) as server,
        RestServer(answer) as rest,
        running(server, rest.url, manners) as worker,
    ):
        until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
        until(lambda: worker.reader.has_prices())
        until(lambda: worker.status().source.backfill[0].trouble is trouble)
        assert feed_of(worker, "crypto").reconnects == 0
        assert KEY not in repr(worker.status())
    assert KEY not in caplog.text


def test_server_of_the_past_that_is_gone_delays_nothing() -> None:
    """It is asked again, ever less often."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with HarborServer(KEY) as server, running(server, f"http://127.0.0.1:{port}") as worker:
        until(lambda: worker.reader.has_prices())
        until(lambda: refused_until(worker) is not None)
        until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)


def test_worker_stops_while_it_waits_for_an_answer() -> None:
    """Within two seconds, as ``running`` checks."""
    with HarborServer(KEY) as server, RestServer(Asked.hang) as rest, running(server, rest.url):
        until(lambda: rest.asked)


def test_worker_stops_while_it_waits_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody can end that look-up."""
    looked_up, gate, look_up = threading.Event(), threading.Event(), socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):
            looked_up.set()
            assert gate.wait(HANG_SEC)
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        with HarborServer(KEY) as server, running(server, "http://past.harbor.invalid"):
            assert looked_up.wait(HANG_SEC)
    finally:
        gate.set()


# A market that is closed.

CLOSED: list[tuple[str, str]] = [  # an instant, and when the session before it closed
    ("2026-11-22T15:00", "2026-11-20T21:00"),  # a Sunday
    ("2026-11-26T17:00", "2026-11-25T21:00"),  # Thanksgiving
]


@pytest.mark.parametrize(("instant", "close"), CLOSED)
def test_closed_market_shows_its_last_session_at_first_sight(instant: str, close: str) -> None:
    """Price, change and time, without a tick and without an archive."""
    closed_at = datetime.fromisoformat(f"{close}+00:00").timestamp()
    ahead = datetime.fromisoformat(f"{instant}+00:00").timestamp() - time.monotonic()

    def quoted(asked: Asked) -> None:
        quotes = [[s, 231.0, closed_at, 220.0, 232.5, 219.5] for s in asked.symbols]
        said = {"candles": [], "quotes": quotes, "references": []}
        asked.answer(200, json.dumps(said).encode())

    with FakeFinnhub(KEY) as server, RestServer(quoted) as rest:
        server.is_silent = True
        worker = Worker(
            Settings(SourceSettings("live", watchlist={**WATCHLIST, "stocks": ("AAPL", "MSFT")})),
            timing=TIMING,
            clock=lambda: ahead + time.monotonic(),
            vendors={"stocks": (Finnhub(server.url, KEY),), "forex": (), "crypto": ()},
            rests={"Finnhub": HarborRest(rest.url, KEY)},
            status_sec=0.01,
        )
        worker.start()
        try:
            until(worker.reader.has_prices)
            now, frame = worker.reader.pulse()
            session = worker.reader.last_session("stocks", now)
            assert session is not None
            assert session.end > closed_at
            assert session.figures["AAPL"] == SessionFigures(
                220.0, 231.0, 219.5, 232.5, 231.0 / 220.0 - 1.0, since_close=True
            )
            row = frame.loc["AAPL"]
            assert (row["last"], row["last_ts"]) == (231.0, closed_at)
            assert row["prev_close"] == 220.0
            assert row["ret_day"] == pytest.approx(0.05)
            assert worker.reader.states(frame, now)[:2] == ["closed", "closed"]
            # The last hour of a closed market is not asked for.
            assert rest.symbols(Want.LAST_HOUR) == []
        finally:
            worker.stop()
