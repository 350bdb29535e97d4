"""The probe of vendors: what it finds, what it says of it, and what it does not show."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sessions import ALWAYS
from sources.listening import Heard, listened, shape
from sources.probe import main, probe
from sources.probed import Probed, report
from tests.fake_alpaca import FakeAlpaca
from tests.fake_binance import FakeBinance
from tests.fake_coinbase import FakeCoinbase
from tests.fake_finnhub import FakeFinnhub
from tests.fake_kraken import FakeKraken
from tests.harbor import SOON_SILENT, Harbor, HarborServer
from tests.rest_server import HarborRest, RestServer, status
from tests.waiting import HANG_SEC, until
from ticks import Asset
from vendors.alpaca import Alpaca
from vendors.alpaca_rest import AlpacaRest
from vendors.binance import Binance
from vendors.binance_rest import BinanceRest
from vendors.coinbase import Coinbase
from vendors.coinbase_rest import CoinbaseRest
from vendors.finnhub import Finnhub
from vendors.finnhub_rest import FinnhubRest
from vendors.kraken import Kraken
from vendors.kraken_rest import KrakenRest
from vendors.rest import Rest
from vendors.wire import NoticeKind, Vendor

ROOT = Path(__file__).parent.parent
KEY = "s3cret/key"
SECRET = "other/s3cret"  # noqa: S105 - of a server of the tests
WANTED: dict[Asset, list[str]] = {"crypto": ["BTC-USD", "ETH-USD", "BTC-EUR"], "stocks": ["AAPL"]}


def probed(
    server: HarborServer, rest: RestServer | None, is_enough: Callable[[], bool], **options: Any
) -> tuple[str, bool]:
    """Probe Harbor until it is enough; what is said of it, and whether it passes."""

    async def run() -> tuple[str, bool]:
        stop = asyncio.Event()
        requests = None if rest is None else HarborRest(rest.url, KEY)
        vendor = Harbor(server.url, KEY, **options)
        task = asyncio.create_task(probe(vendor, requests, WANTED, HANG_SEC, stop))
        while not task.done() and not is_enough():  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.01)
        stop.set()
        lines, has_passed = report(await task)
        return "\n".join(lines), has_passed

    return asyncio.run(run())


def test_vendor_that_is_as_expected_passes() -> None:
    """Its state, its prices, how late they come, and its past are told; what it has not is left."""
    with HarborServer(KEY) as server, RestServer() as rest:
        text, has_passed = probed(server, rest, lambda: server.sent > 30)
    assert has_passed, text
    assert "Harbor, crypto (open): BTC-USD, ETH-USD at 127.0.0.1" in text
    assert "state    live" in text
    assert "latency  median" in text
    assert "BTC-USD" in text.partition("prices")[2]
    assert "2 candles, 0 trades, 2 quotes, 2 references" in text
    assert "differs" not in text
    assert text.endswith("Harbor: pass")
    assert KEY not in text


def test_vendor_that_refuses_fails_at_once() -> None:
    """No minute is waited for what will not come."""
    with HarborServer(KEY) as server, RestServer(status(401)) as rest:
        server.denies = True
        text, has_passed = probed(server, rest, lambda: False)
    assert not has_passed
    assert "wrong    not accepted: refused (key refused)" in text
    assert "wrong    no answer for the past: key refused, 401" in text
    assert text.endswith("Harbor: fail")
    assert KEY not in text


def test_vendor_without_a_price_fails() -> None:
    """In a market that never closes."""
    with HarborServer(KEY, unknown=["eth/usd"]) as server:
        server.trades = False
        text, has_passed = probed(
            server,
            None,
            lambda: len(server.joins) == 2 and server.pings > 2,
            silence_sec=SOON_SILENT,
        )
    assert not has_passed
    assert "wrong    no price that may be believed, in an open market" in text
    assert "differs  ETH-USD: not covered" in text
    assert "differs  no price of BTC-USD" in text
    assert "prices   0 and 1 snapshots" in text


def test_past_that_is_not_to_be_had_fails() -> None:
    """Though prices stream."""
    with HarborServer(KEY) as server, RestServer(status(404)) as rest:
        text, has_passed = probed(server, rest, lambda: server.sent > 30 and len(rest.asked) > 2)
    assert not has_passed
    assert "wrong    no answer for the past: http error, 404" in text


def test_vendor_that_carries_nothing_of_the_watchlist_fails() -> None:
    """There is nothing to ask it for."""
    found = asyncio.run(
        probe(Harbor("ws://127.0.0.1:1", KEY), None, {"stocks": ["AAPL"]}, 0.0, asyncio.Event())
    )
    lines, has_passed = report(found)
    assert lines == ["Harbor", "  wrong    it carries none of the watchlist", "Harbor: fail"]
    assert not has_passed


def test_messages_that_say_nothing_are_told_by_their_form() -> None:
    """As often as they came, and none of what is in them."""
    heard = Heard()
    dialogue = listened(Harbor("ws://127.0.0.1:1", KEY), heard).dialogue("crypto", ["BTC-USD"])
    news = json.dumps({"type": "news", "text": KEY, "id": 1}).encode()
    for frame in (news, news, b"\xff\xfe", b'["trades", 5]'):
        dialogue.receive(frame, 0.0)
    kind = NoticeKind.UNREADABLE
    assert heard.notices == {kind: 4}
    assert heard.shapes == {
        (kind, '{type: "news", text: text, id: number}'): 2,
        (kind, "2 bytes that are no JSON"): 1,
        (kind, "[text | number]"): 1,
    }


def test_not_every_form_is_kept() -> None:
    """A vendor may make up a new one for each message."""
    heard = Heard()
    dialogue = listened(Harbor("ws://127.0.0.1:1", KEY), heard).dialogue("crypto", ["BTC-USD"])
    for number in range(1000):
        dialogue.receive(json.dumps({f"field{number}": 1}).encode(), 0.0)
    assert heard.frames == 1000
    assert len(heard.shapes) <= 20


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "match", "price": "77.5"}, '{type: "match", price: text}'),
        ({"type": KEY}, "{type: text}"),
        ({"e": "Aa0123456789"}, "{e: text}"),
        ({KEY: 1, "BTC-USD": 2}, "{…: number, …: number}"),
        ([1, 2.5, None, True, "a"], "[number | null | bool | text]"),
        ([], "[]"),
        ({"a": {"b": {"c": {"d": {"e": {}}}}}}, "{a: {b: {c: {d: {e: …}}}}}"),
        ({f"n{n}": n for n in range(30)}, "…}"),
        ("text", "text"),
    ],
)
def test_form_of_a_message_holds_no_value(message: object, expected: str) -> None:
    """But for the word that tells what it is."""
    found = shape(json.dumps(message).encode())
    assert found == expected if expected != "…}" else found.endswith(", …}")


@pytest.mark.parametrize("frame", [b"", b"[" * 100_000, b"\x00", b'{"a":'])
def test_form_of_rubbish_is_its_length(frame: bytes) -> None:
    """Whatever it is."""
    assert shape(frame) == f"{len(frame)} bytes that are no JSON"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nasdaq"], "nasdaq is no vendor, expected eodhd, coinbase,"),
        (["coinbase", "--seconds", "nan"], "nan is no time, expected up to 86400 seconds"),
        (["--seconds", "0"], "0 is no time"),
        (["--seconds", "soon"], "soon is no time"),
        (["coinbase", "alpaca"], "alpaca wants a key that is not set: set ALPACA_API_KEY and"),
    ],
)
def test_what_cannot_be_probed_is_said_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is connected to."""
    with pytest.raises(SystemExit) as ended:
        main(arguments, {})
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_command_fails_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    """If nobody answers."""
    nobody = {"MARKET_PULSE_COINBASE_URL": "ws://127.0.0.1:1", "ALPACA_API_KEY": KEY}
    nobody |= {"MARKET_PULSE_COINBASE_REST_URL": "http://127.0.0.1:1", "ALPACA_API_SECRET": KEY}
    with pytest.raises(SystemExit) as ended:
        main(["coinbase", "--seconds", "0.5"], nobody)
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "Coinbase, crypto (open): BTC-USD," in said
    assert "not accepted: reconnecting (no connection" in said
    assert said.endswith("Coinbase: fail\n\nfail: coinbase\n")
    assert KEY not in said


def test_command_passes_when_it_is_ended() -> None:
    """What was found until then is told; messages of unknown types are named by their form."""
    with FakeCoinbase() as server:
        server.is_chatty = True
        environ = {
            **os.environ,
            "MARKET_PULSE_COINBASE_URL": server.url,
            "MARKET_PULSE_COINBASE_REST_URL": server.rest_url,
        }
        command = [sys.executable, "-m", "sources.probe", "coinbase", "--seconds", "600"]
        with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE) as process:
            until(lambda: process.poll() or (len(server.sent) > 50 and len(server.asked) >= 15))
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=HANG_SEC)[0].decode()
    assert process.returncode == 0, told
    assert "ignored" in told
    assert told.endswith("Coinbase: pass\n\npass\n")


# Against the servers of the tests, which are as the real ones were seen to be.


class Faced(NamedTuple):
    """A vendor at its server."""

    server: Any
    vendor: Vendor
    rest: Rest
    asked: Sequence[str]
    """The requests for the past that came so far."""


@contextmanager
def faced(name: str) -> Iterator[Faced]:
    """One of the vendors, in no hurry to be polite."""
    match name:
        case "coinbase":
            with FakeCoinbase() as one:
                yield Faced(one, Coinbase(one.url), CoinbaseRest(one.rest_url, 0.0), one.asked)
        case "binance":
            with FakeBinance() as two:
                yield Faced(two, Binance(two.url), BinanceRest(two.rest_url, 0.0), two.asked)
        case "kraken":
            with FakeKraken() as three:
                vendor = Kraken(three.url, spacing_sec=0.0)
                yield Faced(three, vendor, KrakenRest(three.rest_url, 0.0), three.calls)
        case "alpaca":
            with FakeAlpaca(KEY, SECRET) as four:
                rest = AlpacaRest(four.rest_url, KEY, SECRET, 0.0)
                yield Faced(four, Alpaca(four.url, KEY, SECRET), rest, four.asked)
        case _:
            with FakeFinnhub(KEY) as five:
                rest_5 = FinnhubRest(five.rest_url, KEY, 0.0)
                yield Faced(five, Finnhub(five.url, KEY), rest_5, five.asked)


WATCHLIST: dict[Asset, list[str]] = {
    "stocks": ["AAPL", "MSFT"],
    "forex": ["EURUSD", "USDJPY"],
    "crypto": ["BTC-USD", "ETH-USD", "ETH-USDT"],
}
ODD = {"coinbase": "is_chatty", "kraken": "is_odd", "alpaca": "is_chatty"}


@pytest.mark.parametrize(
    ("name", "shown", "past"),
    [
        ("coinbase", "Coinbase, crypto (open): BTC-USD, ETH-USD, ETH-USDT at", 9),
        ("binance", "Binance, crypto (open): ETH-USDT at", 3),
        ("kraken", "Kraken, forex (open): EURUSD, USDJPY at", 10),
        ("alpaca", "Alpaca, stocks (open): AAPL, MSFT at", 2),
        ("finnhub", "Finnhub, stocks (open): AAPL, MSFT at", 2),
    ],
)
def test_every_vendor_passes_as_it_was_seen(name: str, shown: str, past: int) -> None:
    """What it sends beside prices is known, and no key is shown."""

    wanted = WATCHLIST
    if name == "kraken":  # whose server has no other
        wanted = {**WATCHLIST, "crypto": ["BTC-USD", "ETH-USD"]}

    async def run(at: Faced) -> Probed:
        stop = asyncio.Event()
        probing = probe(
            at.vendor, at.rest, wanted, HANG_SEC, stop, calendar=lambda asset, now: ALWAYS
        )
        task = asyncio.create_task(probing)
        while len(at.asked) < past or not at.server.sent:  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # for some more of everything
        stop.set()
        return await task

    with faced(name) as at:
        if name in ODD:
            setattr(at.server, ODD[name], True)
        lines, has_passed = report(asyncio.run(run(at)))
    text = "\n".join(lines)
    assert has_passed, text
    assert shown in text
    assert "past     " in text
    assert ("ignored" in text) is (name in ODD)
    assert KEY not in text
    assert SECRET not in text
