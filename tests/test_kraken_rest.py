"""Kraken's answers over REST: what is asked for, what was seen on the wire, and any rubbish."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticks import Asset
from vendors.kraken_rest import KrakenRest
from vendors.rest import Candle, Past, PastError, Reference, Request, Rest, Want
from vendors.wire import NoticeKind, RawTick

NOW = 1790359845.0
DAY_AT = NOW - 86400.0

# As received in 2026.
CANDLE = '[1790348400,"84001.9","84075.9","83351.5","83777.5","83714.6","159.04484404",9205]'
TRADE = '["83930.30000","0.00005100",1790359840.9392912,"s","l","",109118758]'

REST: Rest = KrakenRest()


def requests(*symbols: str, day_at: float = DAY_AT) -> list[Request]:
    asset: Asset = "forex" if symbols[0] == "EURUSD" else "crypto"
    return list(REST.requests(asset, symbols, NOW, day_at))


def call(request: Request) -> tuple[str, dict[str, str]]:
    """The last part of a request's path, and its query."""
    parts = urlsplit(request.url)
    assert (parts.scheme, parts.netloc) == ("https", "api.kraken.com")
    assert parts.path.startswith("/0/public/")
    return parts.path.split("/")[-1], {k: v for k, (v,) in parse_qs(parts.query).items()}


def answer(rows: str, pair: str = "BTC/USD") -> bytes:
    return f'{{"error":[],"result":{{"{pair}":[{rows}],"last":1790355600}}}}'.encode()


def row(minute: int, close: float = 100.0, trades: int = 1) -> str:
    high, low = close + 1, close - 1
    return json.dumps([minute, f"{close}", f"{high}", f"{low}", f"{close}", "0", "0", trades])


def minutes(rows: str, pair: str = "BTC/USD", now: float = NOW) -> Past:
    return REST.read(requests("BTC-USD")[0], answer(rows, pair), now)


def test_the_hour_comes_first_and_the_day_last() -> None:
    """A request for each pair and purpose, the most useful ones of every pair before others."""
    asked = requests("BTC-USD", "DOGE-EUR", "nonsense")
    hour, newest = {"interval": "1", "since": "1790356185"}, {"count": "100"}
    day = {"interval": "5", "since": "1790269845"}
    btc, doge = {"pair": "BTC/USD"}, {"pair": "DOGE/EUR"}
    assert [(one.want, one.symbols, *call(one)) for one in asked] == [
        (Want.LAST_HOUR, ("BTC-USD",), "OHLC", btc | hour),
        (Want.LAST_HOUR, ("DOGE-EUR",), "OHLC", doge | hour),
        (Want.LAST_HOUR, ("BTC-USD",), "Trades", btc | newest),
        (Want.LAST_HOUR, ("DOGE-EUR",), "Trades", doge | newest),
        (Want.DAY, ("BTC-USD",), "OHLC", btc | day),
        (Want.DAY, ("DOGE-EUR",), "OHLC", doge | day),
    ]


def test_currencies_have_no_trades() -> None:
    """Their price is a middle of bid and ask; and the begin of their day may be days ago."""
    asked = requests("EURUSD", "USDINR")
    assert [call(one)[0] for one in asked] == ["OHLC", "OHLC"]
    three_days = requests("EURUSD", day_at=NOW - 3 * 86400)
    assert call(three_days[-1])[1]["interval"] == "15"
    assert call(requests("EURUSD", day_at=0.0)[-1])[1]["interval"] == "240"


def test_a_request_at_a_time() -> None:
    """About one a second is what it allows."""
    assert REST.spacing_sec == 1.0


def test_candles_are_read_as_seen() -> None:
    """Open, high, low, close, as text; the pair may have its older name."""
    expected = [Candle("BTC-USD", 1790348400, 84001.9, 84075.9, 83351.5, 83777.5)]
    for pair in ("BTC/USD", "XXBTZUSD", "XBTUSD"):
        assert list(minutes(CANDLE, pair, now=1790348500.0).candles) == expected


def test_only_minutes_that_are_over_count() -> None:
    """Nor do those without a trade, and those of more than an hour ago."""
    begin = 1790359800
    rows = [begin - 7200, begin - 120, begin - 60, begin]
    past = minutes(",".join(row(at) for at in rows))
    assert [one.minute for one in past.candles] == [begin - 120, begin - 60]
    past = minutes(",".join([row(begin - 120), row(begin - 60, trades=0)]))
    assert [one.minute for one in past.candles] == [begin - 120]
    assert minutes("") == Past(candles=[])


def test_trades_are_read_as_seen() -> None:
    """Oldest first, each with its number."""
    request = requests("BTC-USD")[1]
    assert call(request)[0] == "Trades"
    earlier = '["83931",1,1790359839,"b","m",""]'
    wrong = '["0",1,1790359839,"b","m",""]'
    past = REST.read(request, answer(f"{TRADE},{earlier},{wrong}"), NOW)
    assert past.trades == [
        RawTick("BTC-USD", 1790359839.0, 83931.0, ""),
        RawTick("BTC-USD", 1790359840.9392912, 83930.3, "", trade_id=109118758),
    ]
    assert past.candles == ()


def test_prices_of_a_day_are_those_at_the_ends_of_candles() -> None:
    """One every five minutes, but for the one that is not over; nobody may have traded in some."""
    request = requests("BTC-USD")[-1]
    assert request.want is Want.DAY
    begin = 1790359800
    rows = [row(begin - 900, 1.5), row(begin - 600, 9.0, trades=0), row(begin - 300, 2.5)]
    past = REST.read(request, answer(",".join([*rows, row(begin, 3.5)])), NOW)
    assert past.references == [
        Reference("BTC-USD", 1.5, begin - 600),
        Reference("BTC-USD", 2.5, begin),
    ]
    assert past.candles == ()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EQuery:Unknown asset pair", NoticeKind.SYMBOL_UNKNOWN),
        ("EGeneral:Too many requests", NoticeKind.THROTTLED),
        ("EService:Throttled", NoticeKind.THROTTLED),
        ("EService:Unavailable", NoticeKind.SERVER_ERROR),
        ("EGeneral:Invalid arguments", NoticeKind.UNREADABLE),
    ],
)
def test_error_with_the_status_of_success_is_one(error: str, kind: NoticeKind) -> None:
    """What it means is said, and no text of it repeated."""
    for result in ("null", "{}", '{"BTC/USD":[]}'):
        body = f'{{"error":["{error}"],"result":{result}}}'.encode()
        with pytest.raises(PastError) as caught:
            REST.read(requests("BTC-USD")[0], body, NOW)
        assert caught.value.kind is kind
        assert error not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":[],"result":{"last":5}}',
        b'{"error":[],"result":{"A/B":[],"C/D":[],"last":5}}',
        b'{"error":[]}',
        b'{"error":[],"result":{"BTC/USD":{}}}',
        answer('[1790348400,"1","2"]'),
        answer("7"),
        answer('[1790348400,"one","2","3","4","5","6",7]'),
        answer('[1790348400,"0","0","0","0","0","0",7]'),
        answer('[1790348401,"1","1","1","1","1","1",7]'),
        answer('[1790348400,"2","1","1","2","1","1",7]'),
        b"<html>nothing of the kind</html>",
        b"",
    ],
)
def test_what_the_vendor_is_not_known_to_say_is_no_past(body: bytes) -> None:
    """Neither half rows, nor prices that are none."""
    with pytest.raises(PastError) as caught:
        REST.read(requests("BTC-USD")[0], body, NOW)
    assert caught.value.kind is NoticeKind.UNREADABLE


ROWS = st.lists(
    st.lists(st.integers(-9, 2**40) | st.sampled_from(["1.5", "", "x"]) | st.floats(), max_size=9)
)


@given(ROWS.map(lambda rows: answer(json.dumps(rows)[1:-1])) | st.binary(max_size=40), st.data())
def test_nothing_but_the_error_is_raised(body: bytes, data: Any) -> None:
    """Whatever is in an answer."""
    request = data.draw(st.sampled_from(requests("BTC-USD")))
    try:
        past = REST.read(request, body, NOW)
    except PastError:
        return
    assert isinstance(past, Past)
