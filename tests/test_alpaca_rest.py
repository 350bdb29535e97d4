"""Alpaca's requests for the past, and their answers: as documented, and any rubbish."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_alpaca import PRICES, FakeAlpaca
from tests.waiting import HANG_SEC
from vendors.alpaca_rest import AlpacaRest
from vendors.rest import Candle, Past, PastError, Quote, Request, Rest, Want

KEY, SECRET = "PKSECRETKEY0123", "SECRETSECRET4567"
REST: Rest = AlpacaRest("https://data.example/", KEY, SECRET)
NOW = 1614021630.0  # a Monday, 19:20:30 in UTC, 14:20:30 in New York
MINUTE = 1614021300  # 19:15

BARS = '{"bars":{"SPY":[{"t":"2021-02-22T19:15:00Z","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062639}]},"next_page_token":null}'  # noqa: E501


def requests(*symbols: str, now: float = NOW) -> dict[Want, Request]:
    return {one.want: one for one in REST.requests("stocks", symbols, now, now)}


def hour(*symbols: str) -> Request:
    return requests(*symbols)[Want.LAST_HOUR]


def day(*symbols: str) -> Request:
    return requests(*symbols)[Want.DAY]


def test_one_request_for_the_last_hour_of_all_stocks_and_one_for_their_sessions() -> None:
    """From the begin of a minute; the keys are in the headers alone, and are not shown."""
    found = REST.requests("stocks", ["AAPL", "BRK-B", "FAKEPACA", "BRK.B"], NOW, NOW)
    assert [one.want for one in found] == [Want.LAST_HOUR, Want.DAY]
    for one in found:
        assert one.symbols == ("AAPL", "BRK-B")
        assert parse_qs(urlsplit(one.url).query)["symbols"] == ["AAPL,BRK.B"]
        assert one.headers == {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
        assert "SECRET" not in one.url
        assert "SECRET" not in repr(one)
    bars, snapshots = (urlsplit(one.url) for one in found)
    assert (bars.path, snapshots.path) == ("/v2/stocks/bars", "/v2/stocks/snapshots")
    assert parse_qs(bars.query) | {"symbols": []} == {
        "symbols": [],
        "timeframe": ["1Min"],
        "feed": ["iex"],
        "start": ["2021-02-22T18:20:00Z"],
        "limit": ["10000"],
    }
    assert "SECRET" not in repr(REST)
    assert REST.spacing_sec >= 60 / 200


def test_nothing_is_asked_of_what_it_does_not_carry() -> None:
    """Other classes, and the stock of its test stream."""
    assert [*REST.requests("stocks", ["FAKEPACA"], NOW, NOW)] == []
    assert [*REST.requests("stocks", [], NOW, NOW)] == []
    assert [*REST.requests("crypto", ["BTC-USD"], NOW, NOW)] == []
    assert [*REST.requests("forex", ["EURUSD"], NOW, NOW)] == []


def test_more_stocks_are_asked_for_in_several_requests() -> None:
    """An hour of a hundred fits into an answer."""
    names = [f"{first}{second}" for first in "ABCDEFGHIJKLM" for second in "ABCDEFGHIJ"]
    found = REST.requests("stocks", names, NOW, NOW)
    assert [(one.want, len(one.symbols)) for one in found] == [
        (Want.LAST_HOUR, 100),
        (Want.LAST_HOUR, 30),
        (Want.DAY, 100),
        (Want.DAY, 30),
    ]


def bar(minute: str, close: object = 10.0, **fields: Any) -> dict[str, Any]:
    return {"t": f"2021-02-22T19:{minute}:00Z", "o": 10, "h": 11, "l": 9, "c": close} | fields


def answer(bars: object) -> bytes:
    return json.dumps({"bars": bars, "next_page_token": None}).encode()


def test_bars_are_candles() -> None:
    """Of a minute that is over."""
    assert REST.read(hour("SPY"), BARS.encode(), NOW) == Past(
        candles=[Candle("SPY", MINUTE, 388.985, 389.13, 388.975, 389.12)]
    )
    assert REST.read(hour("SPY"), BARS.encode(), MINUTE + 59.9) == Past(candles=[])


def test_candles_of_several_stocks_with_holes() -> None:
    """In our spelling, oldest first; a minute without trades, or one that runs, is none."""
    bars = {
        "BRK.B": [bar("17"), bar("15", v=0), bar("16", "10.5")],
        "AAPL": [bar("20")],
        "MSFT": None,
        "TSLA": [bar("15")],
    }
    found = REST.read(hour("AAPL", "BRK-B", "MSFT"), answer(bars), NOW).candles
    assert [(one.symbol, one.minute, one.close) for one in found] == [
        ("BRK-B", MINUTE + 60, 10.5),
        ("BRK-B", MINUTE + 120, 10.0),
    ]


@pytest.mark.parametrize("bars", [{}, None, {"AAPL": []}, {"TSLA": [{"t": "x"} | bar("15")]}])
def test_nothing_traded(bars: object) -> None:
    """In that hour, of these stocks."""
    assert REST.read(hour("AAPL"), answer(bars), NOW) == Past(candles=[])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"null", b"<html>", b'{"message":"forbidden"}', b"[" * 50_000,
        answer({"AAPL": [7]}), answer({"AAPL": 7}), answer([]),
        answer({"AAPL": [{"c": 1}]}), answer({"AAPL": [bar("15", None)]}),
        answer({"AAPL": [bar("15", -1)]}), answer({"AAPL": [bar("15", 100.0)]}),
        answer({"AAPL": [bar("15", t="now")]}), answer({"AAPL": [bar("15", t=7)]}),
        answer({"AAPL": [bar("15", t="2021-02-22T19:15:30Z")]}),
    ],
)  # fmt: skip
def test_bars_that_are_none(body: bytes) -> None:
    """Nothing of such an answer is used."""
    with pytest.raises(PastError):
        REST.read(hour("AAPL"), body, NOW)


TRADE = {"t": "2021-02-22T19:20:29.5Z", "x": "V", "p": 105.0, "s": 1, "c": ["@"], "i": 1, "z": "C"}
TODAY = {"t": "2021-02-22T05:00:00Z", "o": 100.0, "h": 107.0, "l": 99.0, "c": 104.9, "v": 1}
BEFORE = {"t": "2021-02-19T05:00:00Z", "o": 90.0, "h": 103.0, "l": 89.0, "c": 101.0, "v": 1}


def quote(snapshot: Mapping[str, object] | None) -> Quote | None:
    """The quote of one stock's snapshot."""
    body = json.dumps({"BRK.B": snapshot, "TSLA": {}}).encode()
    quotes = REST.read(day("BRK-B"), body, NOW).quotes
    return quotes[0] if quotes else None


def test_snapshot_is_a_last_price_and_its_session() -> None:
    snapshot = {"latestTrade": TRADE, "latestQuote": {}, "dailyBar": TODAY, "prevDailyBar": BEFORE}
    expected = Quote("BRK-B", 105.0, 1614021629.5, 101.0, 107.0, 99.0)
    assert quote(snapshot) == expected
    # A price before the day's first bar: the newest bar is that of the day before.
    early = {**snapshot, "dailyBar": BEFORE, "prevDailyBar": {**BEFORE, "c": 1.0}}
    assert quote(early) == expected._replace(high=None, low=None)
    # One of the last session, after it.
    last = {**snapshot, "latestTrade": {**TRADE, "t": "2021-02-23T00:59:59Z"}}
    assert quote(last) == expected._replace(ts=1614041999.0)


def test_snapshot_with_holes() -> None:
    """What is unknown stays so; a trade that may set no price gives way to the newest minute."""
    assert quote({"latestTrade": TRADE}) == Quote("BRK-B", 105.0, 1614021629.5)
    assert quote({"latestTrade": TRADE, "dailyBar": None, "prevDailyBar": BEFORE}) == Quote(
        "BRK-B", 105.0, 1614021629.5, 101.0
    )
    barred = {"latestTrade": {**TRADE, "c": ["W"]}}
    minute = {"minuteBar": bar("19", 104.0)}
    assert quote(barred | minute) == Quote("BRK-B", 104.0, 1614021599.0)
    assert quote(minute) == Quote("BRK-B", 104.0, 1614021599.0)
    for nothing in (None, {}, barred, {"dailyBar": TODAY}, {"latestTrade": {**TRADE, "p": 0}}):
        assert quote(nothing) is None
    assert quote({"latestTrade": {**TRADE, "t": "now"}}) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b'{"message":"forbidden"}', b'{"BRK.B":{"latestTrade":7}}'],
)
def test_snapshots_that_are_none(body: bytes) -> None:
    with pytest.raises(PastError):
        REST.read(day("BRK-B"), body, NOW)


@given(
    st.binary(max_size=40)
    | st.sampled_from(["bars", "AAPL", "latestTrade"]).map(lambda key: f'{{"{key}":{{}}}}'.encode())
)
def test_rubbish_is_told_as_one_error(body: bytes) -> None:
    """Whatever it is."""
    for request in requests("AAPL").values():
        with contextlib.suppress(PastError):
            assert REST.read(request, body, NOW) in (Past(candles=[]), Past(quotes=[]))


# Through a real server.


def fetch(request: Request) -> bytes:
    """What a plain HTTP client gets."""
    asked = urllib.request.Request(request.url, headers=dict(request.headers))  # noqa: S310
    with urllib.request.urlopen(asked, timeout=HANG_SEC) as response:  # noqa: S310
        body: bytes = response.read()
    return body


def test_a_server_is_asked_and_read() -> None:
    """An hour of all stocks in one request, and their sessions in another."""
    symbols = ("AAPL", "BRK-B", "VOID")
    with FakeAlpaca(KEY, SECRET, trade_sec=0.0) as server:
        rest = AlpacaRest(server.rest_url, KEY, SECRET)
        now = time.time()
        past = {
            request.want: rest.read(request, fetch(request), now)
            for request in rest.requests("stocks", symbols, now, now)
        }
        candles = past[Want.LAST_HOUR].candles
        assert {one.symbol for one in candles} == {"AAPL", "BRK-B"}
        minutes = [one.minute for one in candles if one.symbol == "BRK-B"]
        assert 50 <= len(minutes) <= 53
        assert now - 3660 <= minutes[0]
        assert minutes[-1] + 60 <= now
        quotes = {one.symbol: one.last for one in past[Want.DAY].quotes}
        assert quotes == {"AAPL": PRICES["AAPL"], "BRK-B": PRICES["BRK.B"]}
        assert "SECRET" not in "".join(server.asked)

        wrong = AlpacaRest(server.rest_url, KEY, KEY)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetch(wrong.requests("stocks", symbols, now, now)[0])
