"""Alpaca through the real worker, from a server that misbehaves in every known way."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import settings
from feeds import FeedState, FeedStatus, Refusal, Timing, Trouble
from page.troubles import feed_reason
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.fake_alpaca import FakeAlpaca
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import ASSETS, Asset
from vendors.alpaca import Alpaca, Pace
from vendors.eodhd import Eodhd
from vendors.wire import Vendor
from worker import Worker

KEY, SECRET = "PKSECRETKEY0123456789", "SECRETSECRET0123456789"
WRONG = "SECRETWRONG"
STOCKS = ("AAPL", "BRK-B", "MSFT", "VOID")

TIMING = Timing(
    backoff_floor_sec=0.05,
    backoff_cap_sec=0.2,
    healthy_sec=0.5,
    refused_sec=0.08,
    throttled_sec=0.05,
    connection_limit_sec=0.08,
    brief_sec=0.01,
)
SPACING_SEC = 0.08
PATIENT: Mapping[Asset, float] = dict.fromkeys(ASSETS, HANG_SEC)


def assert_keyless(text: str) -> None:
    assert KEY not in text
    assert SECRET not in text
    assert WRONG not in text


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


def never(asset: Asset, now: float) -> Session:
    """Stocks are closed, whenever it is."""
    return ALWAYS._replace(phase="closed") if asset == "stocks" else ALWAYS


@contextmanager
def running(
    server: FakeAlpaca,
    *,
    symbols: Sequence[str] = STOCKS,
    secret: str = SECRET,
    **changes: Any,
) -> Iterator[Worker]:
    """A started worker with stocks from Alpaca and a coin from EODHD, which never notices."""
    given = {"silence_sec": PATIENT, "spacing_sec": SPACING_SEC, **changes}
    alpaca = Alpaca(server.url, KEY, secret, **given)
    with FaultyVendor() as eodhd:
        other = Eodhd(eodhd.url, "OTHERKEY")
        vendors: Mapping[Asset, Sequence[Vendor]] = {
            "stocks": (alpaca,),
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
            assert_keyless(f"{worker.status()!r}{worker!r}")
        finally:
            worker.stop()


@pytest.fixture(autouse=True)
def _keys_are_nowhere(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    logged = "".join(record.getMessage() for record in caplog.get_records("call"))
    assert "Alpaca" in logged, "the logs were heard"
    assert_keyless(logged)


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


def test_prices_stream_in_the_order_of_the_protocol() -> None:
    """Every trade of every frame enters once, and what nobody asked for harms nobody."""
    with FakeAlpaca(KEY, SECRET) as server:
        server.is_chatty = True
        server.unconfirmed = {"MSFT"}
        with running(server) as worker:
            until_live(worker)
            until(lambda: stocks(worker).heard == ("AAPL", "BRK-B"))
            until(lambda: stocks(worker).ticks > 30)
            status = stocks(worker)
            assert status.vendor == "Alpaca"
            assert status.refused_symbols == {"MSFT": Refusal.UNCONFIRMED}
            assert status.refused == {}
            assert status.ignored > 10
            assert status.symbol_limit == 30
            assert len(server.attempts) == 1
            names = ["AAPL", "BRK.B", "MSFT", "VOID"]
            assert server.requests == [
                {"action": "auth", "key": KEY, "secret": SECRET},
                {"action": "subscribe", "trades": names},
                {"action": "subscribe", "statuses": ["AAPL", "BRK.B", "VOID"]},
            ]
            server.stop()
            until(lambda: stocks(worker).state is FeedState.RECONNECTING)
            assert stocks(worker).ticks == len(server.sent)
            until(lambda: last(worker, "AAPL") == server.sent[-2].price)


@pytest.mark.parametrize(
    ("fault", "trouble", "code"),
    [
        ({"plan_has_stream": False}, Trouble.PLAN_REFUSED, 409),
        ({"is_taken": True}, Trouble.CONNECTION_LIMIT, 406),
        ({"greets": False}, Trouble.VENDOR_ERROR, 404),
        ({"status": 403}, Trouble.KEY_REFUSED, 403),
        ({"status": 429}, Trouble.THROTTLED, None),
        ({"status": 404}, Trouble.HTTP_ERROR, 404),
        ({"status": 503}, Trouble.HTTP_ERROR, 503),
    ],
)
def test_refusals(fault: Mapping[str, Any], trouble: Trouble, code: int | None) -> None:
    """Each is told with its code, asked again in good time, and over when the vendor says so."""
    with FakeAlpaca(KEY, SECRET, auth_sec=0.1, linger_sec=HANG_SEC) as server:
        good = {name: getattr(server, name) for name in fault}
        for name, value in fault.items():
            setattr(server, name, value)
        with running(server) as worker:
            assert until_trouble(worker, trouble).code == code
            until(lambda: len(server.attempts) >= 2)
            for name, value in good.items():
                setattr(server, name, value)
            until_live(worker)


def test_wrong_secret_is_a_refused_key() -> None:
    """The vendor leaves the connection open, and says nothing more: the client ends it."""
    with FakeAlpaca(KEY, SECRET) as server, running(server, secret=WRONG) as worker:
        status = until_trouble(worker, Trouble.KEY_REFUSED)
        assert (status.state, status.code) == (FeedState.REFUSED, 402)
        assert "(status 402): check ALPACA_API_KEY and ALPACA_API_SECRET and" in feed_reason(status)
        until(lambda: len(server.attempts) >= 2)


def test_place_that_is_not_served_is_left_alone() -> None:
    """It is no use to ask again."""
    with FakeAlpaca(KEY, SECRET) as server:
        server.status = 451
        with running(server) as worker:
            status = until_trouble(worker, Trouble.UNAVAILABLE)
            assert (status.state, status.retry_at) == (FeedState.REFUSED, None)
            assert len(server.attempts) == 1


def test_beyond_the_limit_some_stocks_come() -> None:
    """As many as there is room for."""
    with FakeAlpaca(KEY, SECRET) as server:
        server.limit = 2
        with running(server) as worker:
            until_live(worker)
            until(lambda: stocks(worker).heard == ("AAPL", "BRK-B"))
            assert stocks(worker).refused_symbols == dict.fromkeys(
                ("MSFT", "VOID"), Refusal.SYMBOL_LIMIT
            )
            assert len(server.attempts) == 1


def test_name_that_the_vendor_does_not_understand_costs_no_other() -> None:
    """The vendor refuses all of a request; and the plan has no halts."""
    with FakeAlpaca(KEY, SECRET) as server:
        server.malformed = {"BRK.B"}
        server.plan_has_halts = False
        with running(server) as worker:
            until_live(worker)
            until(lambda: stocks(worker).heard == ("AAPL", "MSFT"))
            assert stocks(worker).refused_symbols == {"BRK-B": Refusal.UNKNOWN}
            assert len(server.attempts) == 1
            assert stocks(worker).halted == {}


def test_stock_that_is_not_confirmed_comes_by_itself() -> None:
    """It is asked for again on the same connection."""
    with FakeAlpaca(KEY, SECRET) as server:
        server.unconfirmed = {"BRK.B"}
        with running(server, pace=Pace(again_sec=0.1)) as worker:
            until_live(worker)
            until(lambda: stocks(worker).refused_symbols == {"BRK-B": Refusal.UNCONFIRMED})
            server.unconfirmed.clear()
            until(lambda: "BRK-B" in stocks(worker).heard)
            assert stocks(worker).refused_symbols == {}
            assert len(server.attempts) == 1


def test_mute_connection_is_given_up() -> None:
    """Open sockets were seen to be silent for hours; its prices come back by themselves."""
    silence: Mapping[Asset, float] = {**PATIENT, "stocks": 0.5}
    with FakeAlpaca(KEY, SECRET) as server, running(server, silence_sec=silence) as worker:
        until_live(worker)
        server.is_mute = True
        assert until_trouble(worker, Trouble.SILENCE).seconds == 0.5
        server.is_mute = False
        until_live(worker)


def test_trades_that_come_again_after_a_cut_are_no_news() -> None:
    """The vendor ends connections without a word; what it repeats is told by its identity."""
    with FakeAlpaca(KEY, SECRET, trade_sec=0.0) as server, running(server) as worker:
        until_trouble(worker, Trouble.FIRST_TICK)
        for step in range(5):
            server.trade("AAPL", 200.0 + 0.01 * step)
        until(lambda: stocks(worker).ticks == 5)
        server.repeats = 3
        server.cut()
        assert until_trouble(worker, Trouble.CONNECTION_CLOSED).code == 1006
        until(lambda: stocks(worker).refused == {"duplicate": 3})
        # A number that comes again, of another instant, is another trade.
        server.trade("AAPL", 200.5, i=1)
        until(lambda: stocks(worker).ticks == 6)
        assert stocks(worker).refused == {"duplicate": 3}


def test_busy_second_may_be_one_frame() -> None:
    """As of all stocks when their market opens."""
    with FakeAlpaca(KEY, SECRET, trade_sec=0.0) as server, running(server) as worker:
        until_trouble(worker, Trouble.FIRST_TICK)
        stamp = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")
        trade = {"T": "t", "S": "AAPL", "x": "V", "p": 200.0, "s": 3, "c": ["@"], "z": "C"}
        server.say(*({**trade, "i": number, "t": stamp} for number in range(2000)))
        until(lambda: stocks(worker).ticks == 2000)
        assert stocks(worker).reconnects == 0


def test_error_in_between_begins_a_new_connection() -> None:
    """A slow client is told so, and sent away."""
    with FakeAlpaca(KEY, SECRET) as server, running(server) as worker:
        until_live(worker)
        server.fail(407)
        assert until_trouble(worker, Trouble.VENDOR_ERROR).code == 407
        until_live(worker)
        assert len(server.attempts) == 2


def test_corrections_and_conditions() -> None:
    """What sets no price is counted; what is taken back gives way to the trade before."""
    with FakeAlpaca(KEY, SECRET, trade_sec=0.0) as server, running(server) as worker:
        until_trouble(worker, Trouble.FIRST_TICK)
        now = time.time()
        server.trade("AAPL", 200.0, now - 2)
        server.trade("AAPL", 201.0, now - 1)
        until(lambda: last(worker, "AAPL") == 201.0)
        server.cancel("AAPL")
        until(lambda: last(worker, "AAPL") == 200.0)
        server.trade("AAPL", 202.0, now)
        until(lambda: last(worker, "AAPL") == 202.0)
        server.correct("AAPL", 201.5)
        until(lambda: last(worker, "AAPL") == 201.5)
        server.trade("AAPL", 203.0, c=["@", "W"])
        until(lambda: stocks(worker).refused == {"condition": 1})
        server.trade("AAPL", 201.25, c=["@", "I"])
        until(lambda: last(worker, "AAPL") == 201.25)


def test_halts_are_told() -> None:
    """As long as they last."""
    with FakeAlpaca(KEY, SECRET) as server, running(server) as worker:
        until_live(worker)
        until(lambda: len(server.requests) == 3)
        before = int(time.time())
        server.halt("BRK.B", "H")
        until(lambda: "BRK-B" in stocks(worker).halted)
        assert before <= stocks(worker).halted["BRK-B"] <= time.time()
        server.halt("BRK.B", "Q")
        server.halt("BRK.B", "T")
        until(lambda: stocks(worker).halted == {})


def test_test_stream_runs_around_the_clock(tmp_path: Path) -> None:
    """By a setting; its one stock trades while the market is closed, and enters the windows."""
    config = tmp_path / "market_pulse.toml"
    config.write_text('[watchlist]\nstocks = ["FAKEPACA", "AAPL"]\nforex = []\ncrypto = []\n')
    with FakeAlpaca(KEY, SECRET) as server:
        given = {
            "MARKET_PULSE_ALPACA_URL": server.test_url,
            "MARKET_PULSE_ALPACA_REST_URL": server.rest_url,
            "MARKET_PULSE_CONFIG": str(config),
            "MARKET_PULSE_DATA": "off",
            "ALPACA_API_KEY": KEY,
            "ALPACA_API_SECRET": SECRET,
        }
        worker = Worker(settings.load(given), timing=TIMING, session=never, status_sec=0.01)
        worker.start()
        try:
            until_live(worker)
            until(lambda: stocks(worker).ticks > 3)
            assert stocks(worker).refused_symbols == {"AAPL": Refusal.UNKNOWN}
            prices = worker.store.history("FAKEPACA", time.time())["price"].dropna()
            assert prices.between(134.5, 134.6).all()
        finally:
            worker.stop()
