"""Binance's messages as documented or seen on the wire, its addresses, and any rubbish."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.binance import SYMBOL_LIMIT, Binance, pair
from vendors.binance_rest import BinanceRest
from vendors.rest import Candle, PastError, Reference, Request, Rest, Want
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick, Vendor

TRADE = '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}'  # noqa: E501
BOOK = '{"stream":"nknusdt@bookTicker","data":{"u":499869768,"s":"NKNUSDT","b":"0.35210000","B":"672.00000000","a":"0.35260000","A":"3199.00000000"}}'  # noqa: E501
SINGLE = '{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}'  # noqa: E501
SHUTDOWN = '{"e":"serverShutdown","E":1770123456789}'
INVALID = '{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 73"}'
NO_JSON = '{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}'
RESTRICTED = '{"code":0,"msg":"Service unavailable from a restricted location according to \'b. Eligibility\' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error."}'  # noqa: E501

PRICE = RawTick("BTC-USDT", 1672515782.136, 0.001, "", trade_id=12345)

IGNORED = [Notice(NoticeKind.IGNORED)]
UNREADABLE = [Notice(NoticeKind.UNREADABLE)]


def talk() -> Dialogue:
    return Binance().dialogue("crypto", ["BTC-USDT", "ETH-USDT"])


def hear(text: str) -> list[RawTick | Notice]:
    """What a frame means."""
    found = list(talk().receive(text.encode(), 0.0))
    assert all(isinstance(what, RawTick | Notice) for what in found)
    return found  # type: ignore[return-value]


# Messages.


def test_aggregated_trade_is_a_price() -> None:
    """In our spelling, with the time of the trade and not of its sending, and its number."""
    assert hear(TRADE) == [PRICE]
    assert hear(TRADE.replace('"E":1672515782136', '"E":1')) == [PRICE]


def test_bare_event_is_the_same() -> None:
    """As an address with one stream would send it."""
    assert hear(json.dumps(json.loads(TRADE)["data"])) == [PRICE]


def test_time_may_be_in_microseconds() -> None:
    """As it can be had, and may come one day."""
    found = hear(TRADE.replace('"T":1672515782136', '"T":1672515782136250'))
    assert found == [PRICE._replace(ts=1672515782.13625)]


def test_pair_that_was_not_asked_for_keeps_its_name() -> None:
    """So that the gate refuses it."""
    (found,) = hear(TRADE.replace('"BTCUSDT"', '"BNBBTC"'))
    assert isinstance(found, RawTick)
    assert found.symbol == "BNBBTC"


@pytest.mark.parametrize(
    "text",
    [
        BOOK,
        SINGLE,
        SINGLE.replace('"trade"', '"blockTrade"'),
        '{"stream":"x","data":{"e":"kline","T":1}}',
        '{"stream":"x","data":{"new":1}}',
        '{"result":null,"id":1}',
        '{"result":["btcusdt@aggTrade"],"id":3}',
    ],
)
def test_what_is_no_aggregated_trade_is_ignored(text: str) -> None:
    """A bid and ask have no time, and a single trade has a number of another series."""
    assert hear(text) == IGNORED


@pytest.mark.parametrize(
    "text", [SHUTDOWN, f'{{"stream":"!serverShutdown","data":{SHUTDOWN}}}'], ids=["bare", "wrapped"]
)
def test_planned_end_is_told_ahead(text: str) -> None:
    """Some ten minutes before."""
    assert hear(text) == [Notice(NoticeKind.RENEW)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INVALID, NoticeKind.BAD_REQUEST),
        (NO_JSON, NoticeKind.BAD_REQUEST),
        (f'{{"error":{INVALID},"id":1}}', NoticeKind.BAD_REQUEST),
        (RESTRICTED, NoticeKind.UNAVAILABLE),
        ('{"code":-1000,"msg":"An unknown error"}', NoticeKind.SERVER_ERROR),
        ('{"code":"?","msg":5}', NoticeKind.SERVER_ERROR),
        ('{"error":"?"}', NoticeKind.SERVER_ERROR),
    ],
)
def test_error_has_a_meaning(text: str, kind: NoticeKind) -> None:
    """Its words are handed to nobody."""
    assert hear(text) == [Notice(kind)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"e":7}',
        '{"stream":"btcusdt@aggTrade","data":[]}',
        TRADE.replace('"T":1672515782136', '"T":null'),
        TRADE.replace('"T":1672515782136', '"T":"now"'),
        TRADE.replace('"s":"BTCUSDT",', ""),
        '{"data":' + "[" * 50_000,
    ],
)
def test_rubbish_is_unreadable(text: str) -> None:
    """And never an exception."""
    assert hear(text) == UNREADABLE


@pytest.mark.parametrize("price", ["0", '"abc"', "null", "true", "[]", '"NaN"'])
def test_price_that_is_none_is_left_to_the_gate(price: str) -> None:
    """Which counts it."""
    (found,) = hear(TRADE.replace('"0.001"', price))
    assert isinstance(found, RawTick)
    assert not found.price > 0


@pytest.mark.parametrize("trade_id", ["null", '"12345"', "1.5", "true"])
def test_number_that_is_none_tells_no_trades_apart(trade_id: str) -> None:
    """The price is good all the same."""
    assert hear(TRADE.replace("12345,", f"{trade_id},")) == [PRICE._replace(trade_id=None)]


@given(st.binary())
def test_any_bytes_are_read(frame: bytes) -> None:
    """Whatever comes."""
    assert all(isinstance(what, RawTick | Notice) for what in talk().receive(frame, 0.0))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
_NAMES = ("e", "s", "a", "p", "T", "data", "code", "msg", "error", "result")


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _JSON)), st.booleans(), st.booleans()
)
def test_any_fields_are_read(fields: dict[str, Any], is_trade: bool, is_wrapped: bool) -> None:
    """Of a message of any form."""
    said = {**fields, "e": "aggTrade"} if is_trade else fields
    frame = json.dumps({"data": said} if is_wrapped else said).encode()
    assert all(isinstance(what, RawTick | Notice) for what in talk().receive(frame, 0.0))


# The talk, and the vendor.


def test_nothing_is_ever_sent() -> None:
    """The address says it all, and an open connection is an accepted one."""
    one = talk()
    assert one.begin() == ()
    assert one.is_accepted
    assert one.due(0.0) == ((), math.inf)
    assert one.refused == {}


def test_address_holds_the_streams() -> None:
    """Of the pairs that it has: in lower case."""
    vendor: Vendor = Binance()
    assert (
        vendor.address("crypto", ["BTC-USDT", "BTC-USD", "SOL-USDT"])
        == "wss://data-stream.binance.vision/stream?streams=btcusdt@aggTrade/solusdt@aggTrade"
    )
    usual = [f"C{number:04}-USDT" for number in range(SYMBOL_LIMIT)]
    assert len(vendor.address("crypto", usual)) < 8192
    assert vendor.headers("crypto") == {}
    assert (vendor.key_setting, vendor.secrets, vendor.assets) == ("", (), ("crypto",))
    assert vendor.renew_sec == 23 * 3600
    assert vendor.heartbeat_sec is None
    assert vendor.has_contiguous_ids


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("BTC-USDT", "btcusdt"),
        ("1INCH-USDT", "1inchusdt"),
        ("BTC-USD", None),
        ("BTC-USDC", None),
        ("USDT-USD", None),
        ("USDT-USDT", None),
        ("BTCUSDT", None),
        ("btc-usdt", None),
        ("BTC-USDT\n", None),
        ("EURUSD", None),
        ("", None),
    ],
)
def test_only_pairs_against_usdt_have_a_name(symbol: str, name: str | None) -> None:
    """A dollar is another money: its name is never guessed."""
    assert pair(symbol) == name
    assert Binance().symbol("crypto", symbol) == name
    assert Binance().symbol("stocks", symbol) is None


@given(st.from_regex(r"[A-Z0-9]{1,10}-USDT", fullmatch=True))
def test_name_leads_back(symbol: str) -> None:
    """Each trade's to the symbol that was asked for."""
    name = pair(symbol)
    if name is None:
        return
    frame = TRADE.replace("BTCUSDT", name.upper()).encode()
    (found,) = Binance().dialogue("crypto", [symbol]).receive(frame, 0.0)
    assert isinstance(found, RawTick)
    assert found.symbol == symbol


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (451, NoticeKind.UNAVAILABLE),
        (429, NoticeKind.THROTTLED),
        (418, NoticeKind.THROTTLED),
        (403, NoticeKind.BAD_REQUEST),
        (404, NoticeKind.BAD_REQUEST),
        (500, NoticeKind.SERVER_ERROR),
    ],
)
def test_vendor_says_what_a_refused_handshake_means(status: int, kind: NoticeKind) -> None:
    """Of a place that it does not serve nothing better is to be expected."""
    assert Binance().rejection(status) is kind


def test_close_for_too_many_requests_asks_for_patience() -> None:
    """Their repetition leads to a ban."""
    assert Binance().closing(1008) is NoticeKind.THROTTLED
    assert Binance().closing(1006) is None


# The time before.

NOW = 1788335090.0  # 07:44:50
DAY_AT = NOW - 86400
MINUTE = 1788335040 - 60  # 07:43, the last one that was over


def requests(symbols: Sequence[str] = ("BTC-USDT", "BTC-USD")) -> Sequence[Request]:
    rest: Rest = BinanceRest("https://h/")
    return rest.requests("crypto", symbols, NOW, DAY_AT)


def read(request: Request, body: Any) -> Any:
    return BinanceRest("https://h/").read(request, json.dumps(body).encode(), NOW)


def row(minute: int, *prices: str) -> list[Any]:
    end = minute * 1000 + 59999
    return [minute * 1000, *prices, "1.5", end, "9.0", 7, "0.5", "3.0", "0"]


def test_hour_is_asked_for_first() -> None:
    """Then what the day is measured against, then the newest trades; nothing of other money."""
    base, end, step = "https://h/api/v3", 1788335040000, 1788334800000
    assert [(one.want, one.symbols, one.url) for one in requests()] == [
        (
            Want.LAST_HOUR,
            ("BTC-USDT",),
            f"{base}/klines?symbol=BTCUSDT&interval=1m"
            f"&startTime={end - 3600_000}&endTime={end - 1}&limit=60",
        ),
        (
            Want.DAY,
            ("BTC-USDT",),
            f"{base}/klines?symbol=BTCUSDT&interval=5m"
            f"&startTime={step - 86400_000 - 300_000}&endTime={step - 1}&limit=289",
        ),
        (Want.LAST_HOUR, ("BTC-USDT",), f"{base}/aggTrades?symbol=BTCUSDT&limit=500"),
    ]
    assert BinanceRest().requests("forex", ["EURUSD"], NOW, DAY_AT) == ()
    assert BinanceRest().spacing_sec > 0


def test_candles_come_oldest_first() -> None:
    """And the one that is still forming is left out."""
    rows = [
        row(MINUTE - 60, "10.1", "11.00000000", "9", "10.5"),
        row(MINUTE, "10.5", "10.5", "10.5", "10.5"),
        row(MINUTE + 60, "1", "2", "1", "2"),
    ]
    assert list(read(requests()[0], rows).candles) == [
        Candle("BTC-USDT", MINUTE - 60, 10.1, 11.0, 9.0, 10.5),
        Candle("BTC-USDT", MINUTE, 10.5, 10.5, 10.5, 10.5),
    ]


def test_minute_without_a_trade_has_no_candle() -> None:
    """The vendor sends one, with the price of the minute before."""
    rows = [row(MINUTE - 60, "2", "2", "2", "2"), row(MINUTE, "2", "2", "2", "2")]
    rows[1][8] = 0
    assert [one.minute for one in read(requests()[0], rows).candles] == [MINUTE - 60]


def test_prices_of_the_day_are_those_at_the_end_of_each_five_minutes() -> None:
    """As far as they are over."""
    begin = 1788334800  # 07:40
    rows = [row(begin - 300, "1", "2", "1", "2"), row(begin, "2", "2.5", "2", "2.25")]
    found = read(requests()[1], rows)
    assert found.references == [Reference("BTC-USDT", 2.0, begin)]
    assert found.candles == ()
    assert read(requests()[1], []).references == []


def test_trades_come_oldest_first() -> None:
    """As on the stream, numbers included."""
    trade = json.loads(TRADE)["data"]
    newer = {**trade, "a": 12346, "p": "0.002"}
    assert read(requests()[2], [trade, newer]).trades == [
        PRICE,
        PRICE._replace(price=0.002, trade_id=12346),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b"[1]",
        b"[[]]",
        b'[[1788334980000,"1","2"]]',
        b'[[1788334980500,"1","2","1","2"]]',
        b'[["x","1","2","1","2"]]',
        b'[[1788334980000,"1","2","1","x"]]',
        b'[[1788334980000,"1","0.5","1","2"]]',
        b"[" * 50_000,
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_answer_that_is_no_candles_is_an_error(body: bytes, number: int) -> None:
    """Without any text of it."""
    with pytest.raises(PastError) as caught:
        BinanceRest("https://h/").read(requests()[number], body, NOW)
    assert caught.value.args == (NoticeKind.UNREADABLE,)


@pytest.mark.parametrize("change", [{"p": "0"}, {"p": "x"}, {"p": None}, {"T": "x"}, {"a": "x"}])
def test_answer_that_is_no_trades_is_an_error(change: dict[str, Any]) -> None:
    """One is enough."""
    with pytest.raises(PastError):
        read(requests()[2], [{"a": 1, "p": "1.5", "T": 1672515782136, **change}])
