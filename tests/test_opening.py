"""Starting: whom the worker asks for what, from the environment alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

import settings
from feeds import FeedState, Timing, Trouble
from history.writer import connect, write_bars, write_meta
from pulse_store import PulseStore
from sessions import ALWAYS, Session
from settings import Places, SourceSettings, load
from sources.opening import open_source
from sources.source import SourceKind
from tests.fake_alpaca import FakeAlpaca
from tests.fake_binance import FakeBinance
from tests.fake_coinbase import FakeCoinbase
from tests.fake_kraken import FakeKraken
from tests.faulty_vendor import FaultyVendor
from tests.statuses import feed_of
from tests.waiting import until
from ticks import Asset, Tick
from worker import Worker

KEYLESS: Final = {"MARKET_PULSE_SOURCE": "live"}
EODHD: Final = {"EODHD_API_KEY": "SECRETKEY0123456789"}
ALPACA: Final = {"ALPACA_API_KEY": "PKALPACA0123", "ALPACA_API_SECRET": "alpacasecret0123"}

SUNDAY: Final = datetime(2026, 11, 22, 15, tzinfo=UTC).timestamp()

STOCKS: Final = ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL")
FOREX: Final = ("EURUSD", "USDJPY", "GBPUSD", "AUDUSD")
CRYPTO: Final = ("BTC-USD", "ETH-USD", "BTC-USDT", "ETH-USDT", "SOL-USDT")

TIMING: Final = Timing(backoff_floor_sec=0.02, backoff_cap_sec=0.1)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file of this computer has a say."""
    monkeypatch.setattr(settings, "USUAL", Places(tmp_path / "no.toml", tmp_path / "data", ()))


def always(asset: Asset, now: float) -> Session:
    return ALWAYS


def watched(environ: Mapping[str, str]) -> dict[Asset, set[str]]:
    """What a source watches that was opened with this environment."""
    source = open_source(load(environ).source, None)
    return {asset: set(symbols) for asset, symbols in source.watched.items()}


@pytest.mark.parametrize(
    ("environ", "stocks", "forex", "crypto"),
    [
        ({}, STOCKS, (*FOREX, "USDINR"), CRYPTO),
        (KEYLESS, (), FOREX, CRYPTO),
        (ALPACA, STOCKS, FOREX, CRYPTO),
        (EODHD, STOCKS, (*FOREX, "USDINR"), CRYPTO),
        ({**EODHD, "MARKET_PULSE_SOURCE": "eodhd"}, STOCKS, (*FOREX, "USDINR"), CRYPTO),
        ({**EODHD, "MARKET_PULSE_FOREX": "kraken"}, STOCKS, (*FOREX, "USDINR"), CRYPTO),
        (
            {**KEYLESS, "MARKET_PULSE_CRYPTO": "off"},
            (),
            FOREX,
            (),
        ),
        (
            {"EODHD_API_KEY": "demo"},
            ("AAPL", "MSFT", "TSLA"),
            ("EURUSD",),
            ("BTC-USD", "ETH-USD"),
        ),
        (
            {"EODHD_API_KEY": "demo", "MARKET_PULSE_CRYPTO": "coinbase"},
            ("AAPL", "MSFT", "TSLA"),
            ("EURUSD",),
            CRYPTO,
        ),
    ],
)
def test_what_is_watched_by_default_is_what_somebody_sends(
    environ: Mapping[str, str],
    stocks: tuple[str, ...],
    forex: tuple[str, ...],
    crypto: tuple[str, ...],
) -> None:
    """Nobody has USDINR without a key; the simulated market has everything."""
    assert watched(environ) == {"stocks": set(stocks), "forex": set(forex), "crypto": set(crypto)}


@contextmanager
def running(environ: Mapping[str, str]) -> Iterator[Worker]:
    """A worker that was started by the environment alone, in markets that never close."""
    worker = Worker(
        load({"MARKET_PULSE_DATA": "off", **environ}),
        session=always,
        timing=TIMING,
        status_sec=0.01,
    )
    worker.start()
    try:
        yield worker
        assert worker.status().faults == ()
    finally:
        worker.stop()


def prices(worker: Worker) -> dict[str, float]:
    """The last price of every symbol that has one."""
    last = worker.reader.pulse()[1]["last"].dropna()
    return dict(zip(last.index, last, strict=True))


def test_without_any_key_there_are_coins_and_currencies() -> None:
    """Real ones, of vendors that want none; stocks are off, and none is made up."""
    with FakeCoinbase() as coinbase, FakeKraken() as kraken, FakeBinance() as binance:
        environ = {
            **KEYLESS,
            "MARKET_PULSE_COINBASE_URL": coinbase.url,
            "MARKET_PULSE_COINBASE_REST_URL": coinbase.rest_url,
            "MARKET_PULSE_KRAKEN_URL": kraken.url,
            "MARKET_PULSE_KRAKEN_REST_URL": kraken.rest_url,
            "MARKET_PULSE_BINANCE_URL": binance.url,
            "MARKET_PULSE_BINANCE_REST_URL": binance.rest_url,
        }
        kraken.unknown = ("GBP/USD", "AUD/USD")
        with running(environ) as worker:
            until(lambda: {*CRYPTO, "EURUSD", "USDJPY"} <= prices(worker).keys())
            status = worker.status()
            assert (status.source.kind, status.source.name) == (SourceKind.LIVE, "live")
            assert status.source.lacking == ("stocks",)
            stocks = feed_of(worker, "stocks")
            assert (stocks.state, stocks.trouble) == (FeedState.OFF, Trouble.NO_VENDOR)
            assert {f.asset: f.vendor for f in status.feeds if f.vendor} == {
                "forex": "Kraken",
                "crypto": "Coinbase",
            }
            assert not {*STOCKS} & set(worker.reader.pulse()[1].index)
            # Each symbol is asked of one vendor, for the time before, too.
            until(lambda: all(one.answers > 2 for one in worker.status().source.backfill))
            assert [one.vendor for one in worker.status().source.backfill] == ["Kraken", "Coinbase"]
            until(lambda: worker.store.candles_until("BTC-USD", time.time()) is not None)
            assert not binance.attempts
            assert not binance.asked


def test_a_free_key_adds_stocks() -> None:
    """Those of a vendor whose key is set, at another address, beside what wants no key."""
    with (
        FakeCoinbase() as coinbase,
        FakeKraken() as kraken,
        FakeAlpaca(ALPACA["ALPACA_API_KEY"], ALPACA["ALPACA_API_SECRET"]) as alpaca,
    ):
        environ = {
            **ALPACA,
            "MARKET_PULSE_ALPACA_URL": alpaca.url,
            "MARKET_PULSE_ALPACA_REST_URL": alpaca.rest_url,
            "MARKET_PULSE_COINBASE_URL": coinbase.url,
            "MARKET_PULSE_COINBASE_REST_URL": coinbase.rest_url,
            "MARKET_PULSE_KRAKEN_URL": kraken.url,
            "MARKET_PULSE_KRAKEN_REST_URL": kraken.rest_url,
        }
        with running(environ) as worker:
            until(lambda: {"AAPL", "BTC-USD", "EURUSD"} <= prices(worker).keys())
            assert worker.status().source.lacking == ()
            assert feed_of(worker, "stocks").vendor == "Alpaca"
            text = f"{worker.status()!r}"
            assert not [key for key in ALPACA.values() if key in text]


def test_a_chosen_vendor_is_asked_first_and_the_next_for_what_it_has_not() -> None:
    """Binance has pairs against USDT alone; the vendor of each price is known."""
    with FakeCoinbase() as coinbase, FakeBinance() as binance:
        environ = {
            "MARKET_PULSE_CRYPTO": "binance",
            "MARKET_PULSE_FOREX": "off",
            "MARKET_PULSE_STOCKS": "off",
            "MARKET_PULSE_COINBASE_URL": coinbase.url,
            "MARKET_PULSE_COINBASE_REST_URL": coinbase.rest_url,
            "MARKET_PULSE_BINANCE_URL": binance.url,
            "MARKET_PULSE_BINANCE_REST_URL": binance.rest_url,
        }
        with running(environ) as worker:
            until(lambda: set(CRYPTO) <= prices(worker).keys())
            served = {
                feed.vendor: set(feed.serves)
                for feed in worker.status().feeds
                if feed.asset == "crypto" and feed.serves
            }
            assert served == {
                "Binance": {"BTC-USDT", "ETH-USDT", "SOL-USDT"},
                "Coinbase": {"BTC-USD", "ETH-USD"},
            }
            assert worker.status().source.lacking == ()


def test_eodhd_is_still_eodhd_alone() -> None:
    """Whatever else there might be: nobody is asked for what it does not send."""
    with FaultyVendor() as eodhd, FakeCoinbase() as coinbase:
        environ = {
            **EODHD,
            "MARKET_PULSE_SOURCE": "eodhd",
            "MARKET_PULSE_EODHD_URL": eodhd.url,
            "MARKET_PULSE_EODHD_REST_URL": "http://127.0.0.1:9/api",  # nobody listens there
            "MARKET_PULSE_COINBASE_URL": coinbase.url,
        }
        with running(environ) as worker:
            until(lambda: {"AAPL", "EURUSD", "BTC-USD"} <= prices(worker).keys())
            assert [feed.vendor for feed in worker.status().feeds] == ["EODHD"] * 3
            assert not coinbase.attempts


@pytest.mark.parametrize(
    ("written_by", "phase"), [("live", "closed"), ("eodhd", "closed"), ("simulated", "open")]
)
def test_what_was_real_keeps_the_markets_hours_when_it_is_replayed(
    tmp_path: Path, written_by: str, phase: str
) -> None:
    """Whoever wrote the archive, with all vendors or with EODHD alone; the simulation has none."""
    path = tmp_path / "data.sqlite"
    store = PulseStore(records=True)
    store.update_many([Tick("AAPL", "stocks", SUNDAY + at, 100.0 + at) for at in (0.5, 30.5)])
    with closing(connect(path)) as connection:
        write_bars(connection, store.collect_changed())
        write_meta(connection, "source", written_by)
    source = open_source(SourceSettings("replay", replay_file=path), None)
    assert source.hours("stocks", SUNDAY + 10).phase == phase


def test_the_live_source_says_what_it_is_in_its_archive(tmp_path: Path) -> None:
    """Of no single vendor, since several write it."""
    environ = {**KEYLESS, "MARKET_PULSE_DATA": str(tmp_path)}
    found = load(environ)
    source = open_source(found.source, found.archive_file)
    assert source.archive is not None
    assert source.archive.path == tmp_path / "live.sqlite"
    assert source.archive_meta()["source"] == "live"
