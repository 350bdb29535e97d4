"""Finnhub's format and talk: messages seen on the wire or documented, and any rubbish."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.finnhub import Finnhub
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick

KEY = "SECRET/KEY 0123456789"
VENDOR = Finnhub("wss://ws.example", KEY)
SYMBOLS = ("AAPL", "TSLA", "BRK-B")

# As received in 2022 and since, or inferred.
TRADES = '{"data":[{"c":["1","8","24","12"],"p":122.1,"s":"TSLA","t":1672348887195,"v":1},{"c":["1","24","12"],"p":129.58,"s":"AAPL","t":1672348887666,"v":1}],"type":"trade"}'  # noqa: E501
PAIR = (
    '{"data":[{"c":null,"p":1.13896,"s":"OANDA:EUR_USD","t":1790330110001,"v":0}],"type":"trade"}'
)
PING = b'{"type":"ping"}'
TOO_MANY = b'{"msg":"Subscribing to too many symbols","type":"error"}'
INVALID = b'{"msg":"Invalid symbol BRK.B","type":"error"}'

AT = 1672348887.0


def talk(symbols: Sequence[str] = SYMBOLS) -> Dialogue:
    """A dialogue that has asked for its symbols by the second 1."""
    one = VENDOR.dialogue("stocks", symbols)
    assert one.begin() == ()
    for step in range(len(symbols)):
        one.due(step * 0.06)
    return one


def trade(symbol: str = "AAPL", price: object = 100.0, ts: float = AT, **fields: Any) -> bytes:
    one = {"s": symbol, "p": price, "t": round(ts * 1000), "v": 1, **fields}
    return json.dumps({"data": [one], "type": "trade"}).encode()


def error(text: object) -> bytes:
    return json.dumps({"msg": text, "type": "error"}).encode()


def received(one: Dialogue, frame: bytes, now: float = AT) -> list[RawTick]:
    """The prices of a frame without their identities, which are of this process alone."""
    found = one.receive(frame, now)
    prices = [raw for raw in found if isinstance(raw, RawTick)]
    assert len(prices) == len(found)
    return [price._replace(trade_id=None) for price in prices]


# The talk.


def test_a_subscription_every_fifty_milliseconds() -> None:
    """Nothing is confirmed: whoever was let in is accepted."""
    one = VENDOR.dialogue("stocks", SYMBOLS)
    assert not one.is_accepted
    one.begin()
    assert one.is_accepted
    said = []
    now = 10.0
    for _ in SYMBOLS:
        frames, again_at = one.due(now)
        assert one.due(now) == ((), again_at)
        said += [json.loads(each) for each in frames]
        if len(said) < len(SYMBOLS):
            assert again_at == pytest.approx(now + 0.05)
        now = again_at
    assert said == [{"type": "subscribe", "symbol": name} for name in ("AAPL", "TSLA", "BRK.B")]
    assert one.due(now) == ((), math.inf)


def test_refusals_without_a_name_are_of_the_last_symbols() -> None:
    """As many as there were, but for those that are heard."""
    one = talk()
    assert one.refused == {}
    one.receive(TOO_MANY, AT)
    assert one.refused == {"BRK-B": NoticeKind.SYMBOL_LIMIT}
    one.receive(trade("BRK.B"), AT)
    assert one.refused == {"TSLA": NoticeKind.SYMBOL_LIMIT}
    for _ in range(5):
        one.receive(TOO_MANY, AT)
    assert one.refused == dict.fromkeys(("AAPL", "TSLA"), NoticeKind.SYMBOL_LIMIT)


def test_name_that_is_refused_is_asked_for_again() -> None:
    """Good names were refused for a while."""
    one = talk()
    assert tuple(one.receive(INVALID, AT)) == (Notice(NoticeKind.SYMBOL_UNKNOWN),)
    assert one.refused == {"BRK-B": NoticeKind.SYMBOL_UNKNOWN}
    frames, again_at = one.due(1.0)
    assert frames == ()
    assert 300.0 <= again_at <= 301.0
    frames, later = one.due(again_at)
    assert [json.loads(each)["symbol"] for each in frames] == ["BRK.B"]
    assert later == again_at + 300.0
    one.receive(INVALID, AT)
    assert one.due(again_at + 1.0) == ((), later), "and no sooner"
    one.receive(trade("BRK.B"), AT)
    assert one.refused == {}
    assert one.due(later) == ((), math.inf), "nor when it came after all"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Subscribing to too many symbols", NoticeKind.SYMBOL_LIMIT),
        ("Invalid symbol TSLA", NoticeKind.SYMBOL_UNKNOWN),
        ("Invalid symbol OANDA:EUR_USD", NoticeKind.IGNORED),
        ("Invalid API key.", NoticeKind.KEY_REFUSED),
        ("API limit reached. Please try again later.", NoticeKind.THROTTLED),
        ("You don't have access to this resource.", NoticeKind.PLAN_REFUSED),
        ("something new", NoticeKind.IGNORED),
        (None, NoticeKind.IGNORED),
        (["Invalid API key"], NoticeKind.IGNORED),
    ],
)
def test_errors(text: object, kind: NoticeKind) -> None:
    """What is new ends no connection that brings prices."""
    assert tuple(talk().receive(error(text), AT)) == (Notice(kind),)


# What comes.


def test_several_trades_of_one_frame() -> None:
    """What their conditions mean is not known, so they bar nothing."""
    assert received(talk(), TRADES.encode()) == [
        RawTick("TSLA", 1672348887.195, 122.1, ""),
        RawTick("AAPL", 1672348887.666, 129.58, ""),
    ]


def test_price_without_a_trade() -> None:
    """Its conditions are null or absent; of what was not asked for the gate says so."""
    assert received(talk(), PAIR.encode(), 1790330110.0) == [
        RawTick("OANDA:EUR_USD", 1790330110.001, 1.13896, "")
    ]
    assert received(talk(), trade(v=0)) == [RawTick("AAPL", AT, 100.0, "")]


def test_trades_that_are_alike_are_the_same() -> None:
    """On one connection as on two; it has no number, and what else it holds tells them apart."""
    same = [raw for one in (talk(), talk()) for raw in one.receive(trade("BRK.B"), AT)]
    assert len(set(same)) == 1
    others = [trade("BRK.B", price=101.0), trade("BRK.B", ts=AT + 0.001), trade("BRK.B", v=2)]
    found = [raw for other in others for raw in talk().receive(other, AT)]
    ids = {raw.trade_id for raw in [*same, *found] if isinstance(raw, RawTick)}
    assert len(ids) == 4
    assert received(talk(), trade("BRK.B", v=[7])) == [RawTick("BRK-B", AT, 100.0, "")]


def test_trades_from_before_the_connection_are_not_fresh() -> None:
    """Those that come again after a reconnect are no news; late ones of this connection are."""
    one = talk()
    one.receive(PING, AT)
    ages = {0.0: False, 4.0: False, 6.0: True, 59.0: True, 61.0: False}
    for age, is_snapshot in ages.items():
        (found,) = one.receive(trade(ts=AT - age), AT + 0.1)
        assert isinstance(found, RawTick)
        assert found.is_snapshot is is_snapshot, age
    # Twenty seconds late, long after.
    (found,) = one.receive(trade(ts=AT + 100.0), AT + 120.0)
    assert isinstance(found, RawTick)
    assert not found.is_snapshot


def test_ping_is_a_sign_of_life() -> None:
    assert tuple(talk().receive(PING, AT)) == (Notice(NoticeKind.ALIVE),)


@pytest.mark.parametrize("data", ['[{"id":1}]', "[7]", "7", '{"s":1}', "null"])
def test_new_kind_of_message_tells_nothing(data: str) -> None:
    """Whatever it holds."""
    found = talk().receive(f'{{"type":"news","data":{data}}}'.encode(), AT)
    assert tuple(found) == (Notice(NoticeKind.IGNORED),)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[", "null", "12", '"t"', "{}", "[]", "\x00", '{"type":7}',
        '{"data":[{"s":"AAPL","p":1,"t":1}]}', '{"type":"trade","data":7}',
        '{"type":"trade","data":[7]}', '{"type":"trade","data":[{}]}',
        '{"type":"trade","data":[{"s":"AAPL","p":1}]}',
        '{"type":"trade","data":[{"s":"AAPL","p":1,"t":"now"}]}',
        '{"type":"trade","data":[{"s":7,"p":1,"t":1}]}',
        '{"type":"trade","data":[{"s":"","p":1,"t":1}]}',
        '{"type":"trade","data":' + "[" * 50_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    assert tuple(talk().receive(text.encode(), AT)) == (Notice(NoticeKind.UNREADABLE),)


def test_what_can_be_read_of_a_frame_is() -> None:
    """One bad trade does not cost the others; a price that is none is for the gate."""
    good = '{"s":"AAPL","p":"100.5","t":1672348887000}'
    bad = '{"s":"AAPL","p":true,"t":1672348887000}'
    found = talk().receive(f'{{"type":"trade","data":[{good},7,{bad}]}}'.encode(), AT)
    assert isinstance(found[0], RawTick)
    assert found[0][:3] == ("AAPL", AT, 100.5)
    assert found[1] == Notice(NoticeKind.UNREADABLE)
    assert isinstance(found[2], RawTick)
    assert math.isnan(found[2].price)
    assert talk().receive(b'{"type":"trade","data":[]}', AT) == []
    assert talk().receive(b'{"type":"trade","data":null}', AT) == []


# The vendor.


def test_symbols() -> None:
    """Stocks alone, and only what a stock's name can look like."""
    pairs = {"AAPL": "AAPL", "F": "F", "BRK-B": "BRK.B"}
    assert {symbol: VENDOR.symbol("stocks", symbol) for symbol in pairs} == pairs
    for other in ("BRK.B", "aapl", "BTC-USD", "TOOLONG", "", "OANDA:EUR_USD"):
        assert VENDOR.symbol("stocks", other) is None
    assert VENDOR.symbol("crypto", "AAPL") is None
    assert VENDOR.symbol("forex", "EURUSD") is None


def test_what_it_says_of_itself() -> None:
    """The key is in the address, as it must stand there, and in nothing that is shown."""
    assert VENDOR.address("stocks", SYMBOLS) == "wss://ws.example?token=SECRET%2FKEY%200123456789"
    assert VENDOR.headers("stocks") == {}
    assert set(VENDOR.secrets) == {KEY, "SECRET%2FKEY%200123456789"}
    assert Finnhub().secrets == ()
    assert "SECRET" not in repr(VENDOR)
    assert (VENDOR.connections, VENDOR.symbol_limit, VENDOR.heartbeat_sec) == (1, 50, 150.0)
    assert VENDOR.closing(1006) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, NoticeKind.KEY_REFUSED),
        (403, NoticeKind.KEY_REFUSED),
        (429, NoticeKind.THROTTLED),
        (451, NoticeKind.UNAVAILABLE),
        (400, NoticeKind.BAD_REQUEST),
        (404, NoticeKind.BAD_REQUEST),
        (200, NoticeKind.SERVER_ERROR),
        (503, NoticeKind.SERVER_ERROR),
    ],
)
def test_refused_handshakes(status: int, kind: NoticeKind) -> None:
    """A page instead of a connection was seen once; it is an outage."""
    assert VENDOR.rejection(status) is kind


_ODD: Sequence[object] = (None, True, 0, -1, 1672348887666, 10**30, 1.5, math.nan, math.inf)
_ODDER: Sequence[object] = ("", "AAPL", "\ud800", [], [[]], {}, {"s": 1}, "Invalid symbol AAPL")
_JSON = st.sampled_from([*_ODD, *_ODDER])


@given(
    st.sampled_from(["trade", "ping", "error", "news", "", 7]),
    st.lists(st.dictionaries(st.sampled_from("sptvc"), _JSON) | _JSON, max_size=3) | _JSON,
    _JSON,
)
def test_never_raises(kind: object, data: object, text: object) -> None:
    """Whatever stands in the fields."""
    one = talk()
    found = one.receive(json.dumps({"type": kind, "data": data, "msg": text}).encode(), AT)
    assert all(isinstance(each, RawTick | Notice | Halt) for each in found)
    one.due(1.0)


@given(st.binary(max_size=50))
def test_no_bytes_raise(rubbish: bytes) -> None:
    """Neither does what is not even text."""
    talk().receive(rubbish, AT)
    talk().receive(b'{"type":"trade","data":[' + rubbish + b"]}", AT)
