"""Finnhub's requests for the past, and their answers: as documented, and any rubbish."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_finnhub import PRICES, FakeFinnhub
from tests.waiting import HANG_SEC
from vendors.finnhub_rest import FinnhubRest
from vendors.rest import Past, PastError, Quote, Request, Rest, Want

KEY = "SECRETKEY0123456789"
REST: Rest = FinnhubRest("https://finnhub.example/api/v1/", KEY)
NOW = 1614021630.0


def body(**fields: Any) -> bytes:
    """As documented."""
    quote = {"c": 261.74, "d": 2.2, "dp": 0.8, "h": 263.31, "l": 260.68, "o": 261.07}
    return json.dumps({**quote, "pc": 259.45, "t": 1582641000, **fields}).encode()


def test_one_request_for_each_stock() -> None:
    """60 a minute at most; the key is in the header alone, and is not shown."""
    found = REST.requests("stocks", ["AAPL", "BRK-B", "BRK.B"], NOW, NOW)
    assert [(one.want, one.symbols, one.url) for one in found] == [
        (Want.DAY, ("AAPL",), "https://finnhub.example/api/v1/quote?symbol=AAPL"),
        (Want.DAY, ("BRK-B",), "https://finnhub.example/api/v1/quote?symbol=BRK.B"),
    ]
    assert all(one.headers == {"X-Finnhub-Token": KEY} for one in found)
    assert KEY not in f"{found!r}{REST!r}"
    assert REST.spacing_sec >= 1.0
    assert [*REST.requests("crypto", ["BTC-USD"], NOW, NOW)] == []
    assert [*REST.requests("forex", ["EURUSD"], NOW, NOW)] == []


def test_quote_is_the_last_session() -> None:
    (request,) = REST.requests("stocks", ["BRK-B"], NOW, NOW)
    expected = Quote("BRK-B", 261.74, 1582641000.0, 259.45, 263.31, 260.68)
    assert REST.read(request, body(), NOW) == Past(quotes=[expected])
    partly = body(pc=None, h=0, l="NA")
    assert REST.read(request, partly, NOW) == Past(quotes=[Quote("BRK-B", 261.74, 1582641000.0)])


def test_stock_that_it_does_not_know() -> None:
    """All is zero then."""
    (request,) = REST.requests("stocks", ["AAPL"], NOW, NOW)
    nothing = body(c=0, d=None, dp=None, h=0, l=0, o=0, pc=0, t=0)
    assert REST.read(request, nothing, NOW) == Past()


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"{}", b"[]", b"null", b"<html>", b'{"error":"Invalid API key."}', b"[" * 50_000,
        body(c=None), body(c="x"), body(c=-1), body(t=None), body(t="now"), body(t=-1),
    ],
)  # fmt: skip
def test_answers_that_are_no_quote(answer: bytes) -> None:
    (request,) = REST.requests("stocks", ["AAPL"], NOW, NOW)
    with pytest.raises(PastError):
        REST.read(request, answer, NOW)


@given(st.binary(max_size=40))
def test_rubbish_is_told_as_one_error(answer: bytes) -> None:
    """Whatever it is."""
    (request,) = REST.requests("stocks", ["AAPL"], NOW, NOW)
    with pytest.raises(PastError):
        REST.read(request, answer, NOW)


# Through a real server.


def fetch(request: Request) -> bytes:
    """What a plain HTTP client gets."""
    asked = urllib.request.Request(request.url, headers=dict(request.headers))  # noqa: S310
    with urllib.request.urlopen(asked, timeout=HANG_SEC) as response:  # noqa: S310
        body: bytes = response.read()
    return body


def test_a_server_is_asked_and_read() -> None:
    """What it does not know is no quote; candles, which are never asked for, it would refuse."""
    with FakeFinnhub(KEY, trade_sec=0.0) as server:
        rest = FinnhubRest(server.rest_url, KEY)
        now = time.time()
        requests = rest.requests("stocks", ["BRK-B", "VOID"], now, now)
        known, unknown = (rest.read(request, fetch(request), now) for request in requests)
        (quote,) = known.quotes
        assert (quote.symbol, quote.last) == ("BRK-B", PRICES["BRK.B"])
        assert abs(quote.ts - now) < HANG_SEC
        assert unknown == Past()
        assert "SECRET" not in "".join(server.asked)

        candles = replace(requests[0], url=requests[0].url.replace("quote", "stock/candle"))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetch(candles)
        wrong = FinnhubRest(server.rest_url, "SECRETWRONG")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(wrong.requests("stocks", ["AAPL"], now, now)[0])
