"""Finnhub through the real worker, from a server that misbehaves in every known way."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from feeds import FeedState, FeedStatus, Refusal, Timing, Trouble
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_finnhub import FakeFinnhub
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset
from vendors.eodhd import Eodhd
from vendors.finnhub import Finnhub, Pace
from vendors.wire import Vendor
from worker import Worker

KEY = "SECRET/KEY 0123456789"
STOCKS = ("AAPL", "BRK-B", "VOID", "MSFT")

TIMING = Timing(
    backoff_floor_sec=0.05,
    backoff_cap_sec=0.2,
    healthy_sec=0.5,
    refused_sec=0.08,
    throttled_sec=0.05,
    connection_limit_sec=0.3,
)
SPACING_SEC = 0.08
PACE = Pace(spacing_sec=0.02, refused_sec=0.2)
PATIENT: Mapping[Asset, float] = dict.fromkeys(ASSETS, HANG_SEC)


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


@contextmanager
def running(
    server: FakeFinnhub, *, symbols: Sequence[str] = STOCKS, key: str = KEY, **changes: Any
) -> Iterator[Worker]:
    """A started worker with stocks from Finnhub and a coin from EODHD, which never notices."""
    given = {"silence_sec": PATIENT, "spacing_sec": SPACING_SEC, "pace": PACE, **changes}
    finnhub = Finnhub(server.url, key, **given)
    with FaultyVendor() as eodhd:
        other = Eodhd(eodhd.url, "OTHERKEY")
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (finnhub,),
            "forex": (other,),
            "crypto": (other,),
        }
        watchlist: Mapping[Asset, tuple[str, ...]] = {
            "stocks": tuple(symbols),
            "forex": (),
            "crypto": ("BTC-USD",),
        }
        source = SourceSettings("eodhd", keys={"eodhd": ("OTHERKEY",)}, watchlist=watchlist)
        worker = Worker(
            Settings(source), timing=TIMING, session=always, vendors=vendors, status_sec=0.01
        )
        started = time.monotonic()
        worker.start()
        try:
            until(lambda: feed_of(worker, "crypto").state is FeedState.LIVE)
            yield worker
            assert feed_of(worker, "crypto").reconnects == 0
            assert worker.status().faults == ()
            # However badly it went, the vendor was not hammered.
            assert all(at - started >= n * SPACING_SEC for n, at in enumerate(server.attempts))
            assert "SECRET" not in f"{worker.status()!r}{worker!r}"
        finally:
            worker.stop()


@pytest.fixture(autouse=True)
def _key_is_nowhere(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    logged = "".join(record.getMessage() for record in caplog.get_records("call"))
    assert "Finnhub" in logged, "the logs were heard"
    assert "SECRET" not in logged


def stocks(worker: Worker) -> FeedStatus:
    return feed_of(worker, "stocks")


def until_live(worker: Worker) -> None:
    until(lambda: stocks(worker).state is FeedState.LIVE)


def until_trouble(worker: Worker, trouble: Trouble) -> FeedStatus:
    """Wait for it, and return a status that has it."""
    seen: list[FeedStatus] = []

    def is_seen() -> bool:
        seen.append(stocks(worker))
        return seen[-1].trouble is trouble

    until(is_seen, what=trouble)
    return seen[-1]


def last(worker: Worker, symbol: str) -> float | None:
    """The last price that the page would show."""
    row = worker.store.snapshot(symbol, time.time()) or {}
    return row.get("last")


def test_prices_stream_without_any_confirmation() -> None:
    """Each stock is asked for once, at the vendor's pace; one that is never sent is not heard."""
    with FakeFinnhub(KEY) as server, running(server) as worker:
        until_live(worker)
        until(lambda: stocks(worker).heard == ("AAPL", "BRK-B", "MSFT"))
        until(lambda: stocks(worker).ticks > 30)
        status = stocks(worker)
        assert (status.vendor, status.key_setting) == ("Finnhub", "FINNHUB_API_KEY")
        assert (status.refused, status.refused_symbols) == ({}, {})
        assert status.symbol_limit == 50
        assert [name for _, name in server.said] == ["AAPL", "BRK.B", "VOID", "MSFT"]
        gaps = [after - before for (before, _), (after, _) in pairwise(server.said)]
        assert min(gaps) >= PACE.spacing_sec / 2
        server.say(type="news", data=[{"id": 1}])
        until(lambda: stocks(worker).ignored == 1)
        server.stop()
        until(lambda: stocks(worker).state is FeedState.RECONNECTING)
        assert stocks(worker).ticks == len(server.sent)


@pytest.mark.parametrize(
    ("fault", "trouble", "code"),
    [
        ({"status": 200}, Trouble.HTTP_ERROR, 200),
        ({"status": 403}, Trouble.KEY_REFUSED, 403),
        ({"status": 503}, Trouble.HTTP_ERROR, 503),
    ],
)
def test_refusals(fault: Mapping[str, Any], trouble: Trouble, code: int | None) -> None:
    """Each is told with its code, asked again in good time, and over when the vendor says so."""
    with FakeFinnhub(KEY) as server:
        good = {name: getattr(server, name) for name in fault}
        for name, value in fault.items():
            setattr(server, name, value)
        with running(server) as worker:
            assert until_trouble(worker, trouble).code == code
            until(lambda: len(server.attempts) >= 2)
            for name, value in good.items():
                setattr(server, name, value)
            until_live(worker)


def test_whoever_comes_back_too_fast_waits_as_long_as_is_wanted() -> None:
    """A whole second here."""
    with FakeFinnhub(KEY) as server:
        server.status, server.retry_after = 429, 1.0
        with running(server) as worker:
            until_trouble(worker, Trouble.THROTTLED)
            server.status = 0
            until_live(worker)
            assert server.attempts[1] - server.attempts[0] >= 0.9
            assert len(server.attempts) == 2


def test_wrong_key_is_refused_with_the_handshake() -> None:
    """Though the vendor quotes it, it is nowhere."""
    with FakeFinnhub(KEY) as server, running(server, key="SECRETWRONG") as worker:
        status = until_trouble(worker, Trouble.KEY_REFUSED)
        assert (status.state, status.code) == (FeedState.REFUSED, 401)
        until(lambda: len(server.attempts) >= 2)


def test_key_in_use_elsewhere_is_left_to_the_other() -> None:
    """Each new connection ends both, so that two that insist would fight for ever."""
    with FakeFinnhub(KEY) as server:
        server.is_taken = True
        with running(server) as worker:
            assert until_trouble(worker, Trouble.CONNECTION_LIMIT).state is FeedState.REFUSED
            assert len(server.attempts) == 2
            server.is_taken = False
            until_live(worker)
            assert server.attempts[2] - server.attempts[1] >= TIMING.connection_limit_sec


def test_stocks_beyond_the_limit_are_named_by_subtraction() -> None:
    """The vendor refuses without a name; there is room for those that were asked for first."""
    with FakeFinnhub(KEY) as server:
        server.limit = 2
        with running(server) as worker:
            until_live(worker)
            limited = dict.fromkeys(("VOID", "MSFT"), Refusal.SYMBOL_LIMIT)
            until(lambda: stocks(worker).refused_symbols == limited)
            until(lambda: stocks(worker).heard == ("AAPL", "BRK-B"))
            assert len(server.attempts) == 1


def test_no_more_than_fifty_are_asked_for() -> None:
    """The account's limit, over which nothing is sent."""
    names = [f"A{first}{second}" for first in "ABCDEFGH" for second in "ABCDEFG"]
    with FakeFinnhub(KEY, {"AAA": 10.0}) as server:
        options: Mapping[str, Any] = {"pace": Pace(spacing_sec=0.001)}
        with running(server, symbols=names, **options) as worker:
            until_live(worker)
            until(lambda: len(server.said) == 50)
            assert len(stocks(worker).over_limit) == 6
            assert stocks(worker).refused_symbols == {}


def test_good_name_that_is_refused_for_a_while_comes_by_itself() -> None:
    """It is asked for again, and no other is."""
    with FakeFinnhub(KEY) as server:
        server.invalid = {"BRK.B"}
        with running(server) as worker:
            until(lambda: stocks(worker).refused_symbols == {"BRK-B": Refusal.UNKNOWN})
            until(lambda: len(server.said) >= 6)
            server.invalid = set()
            until(lambda: stocks(worker).heard == ("AAPL", "BRK-B", "MSFT"))
            assert stocks(worker).refused_symbols == {}
            assert {name for _, name in server.said[4:]} == {"BRK.B"}
            assert len(server.attempts) == 1


def test_trades_that_come_again_are_no_news() -> None:
    """In triplicate they are the same one; those from before a connection enter nothing."""
    with FakeFinnhub(KEY, trade_sec=0.0) as server, running(server) as worker:
        until(lambda: len(server.said) == 4)
        server.copies = 3
        now = time.time()
        server.trade("AAPL", 200.0, now - 30)
        server.trade("AAPL", 201.0, now - 29)
        server.trade("AAPL", 202.0, now - 6)
        server.copies = 1
        until(lambda: sum(stocks(worker).refused.values()) == 9)
        assert stocks(worker).refused == {"snapshot": 3, "duplicate": 6}
        for price in (202.0, 202.5, 203.0):
            server.trade("AAPL", price)
        until(lambda: last(worker, "AAPL") == 203.0)
        until(lambda: stocks(worker).ticks == 3)
        server.repeats = 6
        server.cut()
        until(lambda: stocks(worker).reconnects == 1)
        until(lambda: len(server.said) == 8)
        server.trade("AAPL", 203.5)
        until(lambda: last(worker, "AAPL") == 203.5)
        until(lambda: stocks(worker).ticks >= 4)
        assert stocks(worker).ticks == 4
        assert stocks(worker).refused == {"snapshot": 3, "duplicate": 12}
        prices = worker.store.history("AAPL", time.time())["price"].dropna()
        assert not prices.between(200.0, 201.9).any()


def test_silence_with_pings_keeps_the_connection() -> None:
    """As in a market where nobody trades; without any frame it is given up."""
    silence: Mapping[Asset, float] = {**PATIENT, "stocks": 0.4}
    with (
        FakeFinnhub(KEY) as server,
        running(server, silence_sec=silence, heartbeat_sec=0.6) as worker,
    ):
        until_live(worker)
        server.is_silent = True
        assert until_trouble(worker, Trouble.NO_TICK).state is FeedState.SILENT
        assert len(server.attempts) == 1
        server.is_mute = True
        assert until_trouble(worker, Trouble.SILENCE).seconds == 0.6
        server.is_mute = server.is_silent = False
        until_live(worker)


def test_limit_that_is_told_by_message_is_obeyed() -> None:
    """Whatever it says otherwise ends no connection that brings prices."""
    with FakeFinnhub(KEY) as server, running(server) as worker:
        until_live(worker)
        server.say(msg="something new", type="error")
        server.say(msg="API limit reached. Please try again later.", type="error")
        until_trouble(worker, Trouble.THROTTLED)
        until_live(worker)
        assert len(server.attempts) == 2
