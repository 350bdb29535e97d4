"""EODHD's requests for the past, and their answers: as documented, and any rubbish."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticks import ASSETS
from vendors.eodhd_rest import EodhdRest
from vendors.rest import Past, PastError, Quote, Reference, Request, Rest, Want

KEY = "SECRET/KEY"
REST: Rest = EodhdRest("https://eodhd.example/api/", KEY)
NOW = 1729090000.0
DAY_AT = NOW - 86_400

PRICE = '{"code":"AAPL.US","timestamp":1729089540,"gmtoffset":0,"open":231.6,"high":232.12,"low":229.84,"close":230.41,"volume":11260071,"previousClose":233.85,"change":-3.44,"change_p":-1.471}'  # noqa: E501
AAPL = Quote("AAPL", 230.41, 1729089540.0, 233.85, 232.12, 229.84)


def price(code: str = "AAPL.US", **fields: Any) -> dict[str, Any]:
    return {**json.loads(PRICE), "code": code, **fields}


def last(*symbols: str) -> Request:
    """The request for the last prices of stocks."""
    (request,) = REST.requests("stocks", symbols, NOW, DAY_AT)
    return request


def test_one_request_for_some_symbols() -> None:
    """No more than are answered; nothing shows the key."""
    found = REST.requests("stocks", [*(f"A{n}" for n in range(16)), "BRK-B"], NOW, DAY_AT)
    assert [len(one.symbols) for one in found] == [15, 2]
    assert {one.want for one in found} == {Want.DAY}
    first, second = (urlsplit(one.url) for one in found)
    assert first.path == "/api/real-time/A0.US"
    assert second.path == "/api/real-time/A15.US"
    assert parse_qs(second.query) == {"s": ["BRK-B.US"], "api_token": [KEY], "fmt": ["json"]}
    assert "SECRET" not in f"{found!r}{REST!r}"
    assert "s" not in parse_qs(urlsplit(last("AAPL").url).query)
    assert [*REST.requests("stocks", [], NOW, DAY_AT)] == []


def test_pairs_are_asked_for_what_their_day_is_measured_against() -> None:
    """Of forex around one instant; of crypto for the whole day, as that goes on with the time."""
    forex = REST.requests("forex", ["EURUSD", "USDJPY"], NOW, DAY_AT)
    assert [urlsplit(one.url).path for one in forex] == [
        "/api/real-time/EURUSD.FOREX",
        "/api/intraday/EURUSD.FOREX",
        "/api/intraday/USDJPY.FOREX",
    ]
    crypto = REST.requests("crypto", ["BTC-USD"], NOW, DAY_AT)
    assert [urlsplit(one.url).path for one in crypto] == [
        "/api/real-time/BTC-USD.CC",
        "/api/intraday/BTC-USD.CC",
    ]
    for one, until in ((forex[1], DAY_AT), (crypto[1], NOW)):
        query = parse_qs(urlsplit(one.url).query)
        assert query["interval"] == ["5m"]
        assert (float(query["from"][0]), float(query["to"][0])) == (DAY_AT - 1800, until)


def test_public_key_is_used_for_its_own_symbols_alone() -> None:
    """One by one: any other one spoils a request."""
    rest = EodhdRest("https://eodhd.example/api", "demo")
    wanted = {"stocks": ("AAPL", "NVDA", "TSLA"), "forex": ("EURUSD", "USDINR"), "crypto": ("X",)}
    found = [r for asset in ASSETS for r in rest.requests(asset, wanted[asset], NOW, DAY_AT)]
    assert [urlsplit(one.url).path for one in found] == [
        "/api/real-time/AAPL.US",
        "/api/real-time/TSLA.US",
        "/api/real-time/EURUSD.FOREX",
        "/api/intraday/EURUSD.FOREX",
    ]


def test_last_session_of_one_symbol_or_several() -> None:
    """An object or a list, in any order, each found by its name."""
    assert REST.read(last("AAPL"), PRICE.encode(), NOW) == Past(quotes=[AAPL])
    several = json.dumps([price("MSFT.US", close="410.5"), price(), price("TSLA.US")]).encode()
    assert REST.read(last("AAPL", "MSFT", "NVDA"), several, NOW) == Past(
        quotes=[AAPL, AAPL._replace(symbol="MSFT", last=410.5)]
    )


def test_pair_has_no_previous_close() -> None:
    """The vendor's day begins at another hour than ours."""
    (request, _) = REST.requests("forex", ["EURUSD"], NOW, DAY_AT)
    body = json.dumps(price("EURUSD.FOREX", close=1.09)).encode()
    assert REST.read(request, body, NOW) == Past(
        quotes=[AAPL._replace(symbol="EURUSD", last=1.09, previous_close=None)]
    )


def test_what_is_not_known_is_so_called() -> None:
    """By a text, in every field."""
    fields = ("timestamp", "open", "high", "low", "close", "volume", "previousClose")
    unknown = json.dumps(price(**dict.fromkeys(fields, "NA"))).encode()
    assert REST.read(last("AAPL"), unknown, NOW) == Past(quotes=[])
    partly = json.dumps(price(previousClose="NA", high=None, low=0)).encode()
    assert REST.read(last("AAPL"), partly, NOW) == Past(
        quotes=[AAPL._replace(previous_close=None, high=None, low=None)]
    )


def test_rows_of_a_day_are_references() -> None:
    """A row's price is that of its end; oldest first, with holes."""
    (_, request) = REST.requests("crypto", ["BTC-USD"], NOW, DAY_AT)
    rows = [
        {"timestamp": 1729004100, "gmtoffset": 0, "open": 1, "close": "67000.5", "volume": 1},
        {"timestamp": 1729003800, "close": 66000},
        {"timestamp": 1729004400, "close": None},
        {"timestamp": int(NOW) - 100, "close": 68000},
    ]
    assert REST.read(request, json.dumps(rows).encode(), NOW) == Past(
        references=[
            Reference("BTC-USD", 66000.0, 1729004100.0),
            Reference("BTC-USD", 67000.5, 1729004400.0),
        ]
    )
    assert REST.read(request, b"[]", NOW) == Past(references=[])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"7", b"null", b"<html>", b"Forbidden", b"[7]", b"{}", b"[{}]", b"[" * 50_000,
        b'{"code":7}', b'{"error":"no"}',
    ],
)  # fmt: skip
def test_answers_that_are_none(body: bytes) -> None:
    requests = [last("AAPL"), *REST.requests("crypto", ["BTC-USD"], NOW, DAY_AT)]
    assert len(requests) == 3
    for request in requests:
        with pytest.raises(PastError):
            REST.read(request, body, NOW)


@given(st.binary(max_size=40))
def test_rubbish_is_told_as_one_error(body: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(PastError):
        REST.read(last("AAPL"), body, NOW)
