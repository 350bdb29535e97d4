"""Coinbase's messages as they were seen on the wire, what it is asked, and any rubbish."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.coinbase import Coinbase, Pace, product
from vendors.coinbase_rest import CoinbaseRest
from vendors.rest import Candle, PastError, Reference, Request, Rest, Want
from vendors.wire import Dialogue, Notice, NoticeKind, RawTick, Vendor

SYMBOLS = ("BTC-USD", "ETH-USD", "BTC-USDT")

LAST_MATCH = '{"type":"last_match","trade_id":1087540757,"maker_order_id":"a043a07c-eced-4623-8ac6-b2803f82ee63","taker_order_id":"883ef465-8d3c-4d7d-87a9-7d7e895874b2","side":"buy","size":"0.00000035","price":"77572.86","product_id":"BTC-USD","sequence":135437581270,"time":"2026-09-02T07:44:09.449472Z"}'  # noqa: E501
MATCH = '{"type":"match","trade_id":1087540758,"maker_order_id":"5b268d37-59d7-4b16-935c-3854d4cf956d","taker_order_id":"b281704b-3d2e-4631-bc49-75ca291b445b","side":"buy","size":"0.00000009","price":"77572.87","product_id":"BTC-USD","sequence":135437581854,"time":"2026-09-02T07:44:10.104422Z"}'  # noqa: E501
TICKER = '{"type":"ticker","sequence":135437581854,"product_id":"BTC-USD","price":"77572.87","open_24h":"78609.92","volume_24h":"7336.73471395","low_24h":"76366.12","high_24h":"78635.01","volume_30d":"209162.21626191","best_bid":"77572.87","best_bid_size":"0.00009686","best_ask":"77575.85","best_ask_size":"0.04350000","side":"sell","time":"2026-09-02T07:44:10.104422Z","trade_id":1087540758,"last_size":"0.00000009"}'  # noqa: E501
HEARTBEAT = '{"type":"heartbeat","last_trade_id":1092969669,"product_id":"BTC-USD","sequence":136118091026,"time":"2026-09-15T11:01:54.000000Z"}'  # noqa: E501
CONFIRMATION = '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"],"account_ids":null},{"name":"ticker","product_ids":["BTC-USD"],"account_ids":null}]}'  # noqa: E501
NOT_A_PRODUCT = '{"type":"error","message":"Failed to subscribe","reason":"GIBBERISH-USD is not a valid product"}'  # noqa: E501
DELISTED = '{"type":"error","message":"Failed to subscribe","reason":"LOOM-USDC is delisted"}'
NO_CHANNELS = '{"type":"error","message":"Failed to subscribe","reason":"No channels provided"}'
NO_CHANNEL = (
    '{"type":"error","message":"Failed to subscribe","reason":"ticket is not a valid channel"}'
)
NEEDS_KEY = '{"type":"error","message":"Failed to subscribe","reason":"level2, level3, and full channels now require authentication. https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"}'  # noqa: E501

TRADE = RawTick("BTC-USD", 1788335050.104422, 77572.87, "", trade_id=1087540758)

IGNORED = [Notice(NoticeKind.IGNORED)]
UNREADABLE = [Notice(NoticeKind.UNREADABLE)]


def talk(symbols: Sequence[str] = SYMBOLS) -> Dialogue:
    return Coinbase(pace=Pace()).dialogue("crypto", symbols)


def hear(dialogue: Dialogue, *frames: str) -> list[RawTick | Notice]:
    """What frames mean, in their order."""
    found = [what for frame in frames for what in dialogue.receive(frame.encode(), 0.0)]
    assert all(isinstance(what, RawTick | Notice) for what in found)
    return found  # type: ignore[return-value]


def confirmation(*products: str) -> str:
    channels = [{"name": name, "product_ids": products} for name in ("heartbeat", "matches")]
    return json.dumps({"type": "subscriptions", "channels": channels})


def refusal(name: str) -> str:
    return NOT_A_PRODUCT.replace("GIBBERISH-USD", name)


def asked(frames: Sequence[str]) -> list[tuple[str, list[str], list[str]]]:
    """The kind, products and channels of what is sent."""
    requests = map(json.loads, frames)
    return [(one["type"], one["product_ids"], one["channels"]) for one in requests]


def subscription(*products: str) -> tuple[str, list[str], list[str]]:
    return "subscribe", list(products), ["matches", "heartbeat"]


# Messages.


def test_trade_is_a_price() -> None:
    """With the time of the trade and its number among the product's."""
    assert hear(talk(), MATCH) == [TRADE]


def test_last_trade_before_the_subscription_is_not_fresh() -> None:
    """It comes after every subscription, and may be minutes old."""
    expected = RawTick(
        "BTC-USD", 1788335049.449472, 77572.86, "", is_snapshot=True, trade_id=1087540757
    )
    assert hear(talk(), LAST_MATCH) == [expected]


def test_heartbeat_is_a_sign_of_life() -> None:
    """And no price."""
    assert hear(talk(), HEARTBEAT) == [Notice(NoticeKind.ALIVE)]


@pytest.mark.parametrize("text", [TICKER, '{"type":"status"}', '{"type":"new_thing","price":"1"}'])
def test_what_was_not_asked_for_is_ignored(text: str) -> None:
    """A ticker skips trades, so it is no price beside them; and there may be new kinds."""
    assert hear(talk(), text) == IGNORED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"match"',
        "{}",
        '{"type":null}',
        '{"type":7}',
        '{"type":"match"}',
        MATCH.replace('"2026-09-02T07:44:10.104422Z"', "null"),
        MATCH.replace("2026-09-02T07:44:10.104422Z", "yesterday"),
        MATCH.replace("10.104422Z", "10.104422"),
        MATCH.replace('"BTC-USD"', "[]"),
        MATCH.replace('"BTC-USD"', '""'),
        '{"type":"subscriptions","channels":"all"}',
        '{"type":"subscriptions","channels":' + "[" * 50_000,
    ],
)
def test_rubbish_is_unreadable(text: str) -> None:
    """And never an exception."""
    assert hear(talk(), text) == UNREADABLE


@pytest.mark.parametrize("price", ["0", '"abc"', "null", "true", "[]", '"NaN"', '"1_0"'])
def test_price_that_is_none_is_left_to_the_gate(price: str) -> None:
    """Which counts it."""
    (found,) = hear(talk(), MATCH.replace('"77572.87"', price))
    assert isinstance(found, RawTick)
    assert not found.price > 0


@pytest.mark.parametrize("trade_id", ["null", '"1087540758"', "1.5", "true"])
def test_number_that_is_none_tells_no_trades_apart(trade_id: str) -> None:
    """The price is good all the same."""
    assert hear(talk(), MATCH.replace("1087540758", trade_id)) == [TRADE._replace(trade_id=None)]


def test_time_may_have_any_number_of_digits() -> None:
    """Its own has six, that of its other interface nine."""
    (found,) = hear(talk(), MATCH.replace("10.104422Z", "10.104422999Z"))
    assert found == TRADE


@given(st.binary())
def test_any_bytes_are_read(frame: bytes) -> None:
    """Whatever comes."""
    assert all(isinstance(what, RawTick | Notice) for what in talk().receive(frame, 0.0))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(["match", "last_match", "heartbeat", "subscriptions", "error"]),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("price", "time", "product_id", "trade_id", "last_trade_id", "channels", "reason"),
            _JSON,
        ),
    ),
)
def test_any_fields_are_read(kind: str, fields: dict[str, Any]) -> None:
    """Of a message of any known kind."""
    one = talk()
    frame = json.dumps({"type": kind, **fields}).encode()
    assert all(isinstance(what, RawTick | Notice) for what in one.receive(frame, 0.0))
    assert set(one.refused) <= set(SYMBOLS)


# What it is asked.


def test_all_products_are_asked_for_at_once() -> None:
    """In the first message: who asks for nothing for five seconds is sent away."""
    one = talk()
    assert asked(one.begin()) == [subscription(*SYMBOLS)]
    assert one.due(10.0) == ([], 12.0)
    assert not one.is_accepted


def test_confirmation_of_all_products_leaves_nothing_to_ask() -> None:
    """In whatever order it names them."""
    one = talk()
    one.begin()
    one.due(0.0)
    assert hear(one, confirmation(*reversed(SYMBOLS))) == [Notice(NoticeKind.SUBSCRIBED)]
    assert one.is_accepted
    assert one.due(2.0) == ([], math.inf)
    assert one.refused == {}


def test_confirmation_seen_on_the_wire_is_read() -> None:
    """Of one product: the others are not confirmed."""
    one = talk(["BTC-USD"])
    assert hear(one, CONFIRMATION) == [Notice(NoticeKind.SUBSCRIBED)]
    assert one.is_accepted
    one.due(0.0)
    assert one.due(2.0) == ([], math.inf)


def test_prices_before_the_confirmation_count() -> None:
    """They are believed, and confirm their product."""
    one = talk(["BTC-USD"])
    assert len(hear(one, LAST_MATCH, MATCH)) == 2
    assert one.is_accepted
    one.due(0.0)
    assert one.due(2.0) == ([], math.inf)


@pytest.mark.parametrize("why", ["is not a valid product", "is delisted"])
def test_refusal_names_its_product(why: str) -> None:
    """The others are subscribed to in spite of it, as the confirmation says."""
    one = talk()
    one.due(0.0)
    error = json.dumps(
        {"type": "error", "message": "Failed to subscribe", "reason": f"ETH-USD {why}"}
    )
    found = hear(one, error, confirmation("BTC-USDT", "BTC-USD"))
    assert found == [Notice(NoticeKind.SYMBOL_UNKNOWN), Notice(NoticeKind.SUBSCRIBED)]
    assert one.refused == {"ETH-USD": NoticeKind.SYMBOL_UNKNOWN}
    # Not at once: it would be refused again.
    assert one.due(2.0) == ([], 302.0)
    assert asked(one.due(302.0)[0]) == [subscription("ETH-USD")]
    hear(one, confirmation(*SYMBOLS))
    assert one.refused == {}
    assert one.due(304.0) == ([], math.inf)


@pytest.mark.parametrize("text", [NOT_A_PRODUCT, DELISTED])
def test_refusal_seen_on_the_wire_is_read(text: str) -> None:
    """Of a product that was asked for."""
    name = json.loads(text)["reason"].split()[0]
    one = talk([name, "BTC-USD"])
    assert hear(one, text) == [Notice(NoticeKind.SYMBOL_UNKNOWN)]
    assert one.refused == {name: NoticeKind.SYMBOL_UNKNOWN}


def test_good_products_are_asked_for_again_without_the_bad() -> None:
    """If the whole request was dropped for one of them, as it was in earlier years."""
    one = talk()
    one.due(0.0)
    hear(one, refusal("BTC-USD"))
    frames, again = one.due(2.0)
    assert asked(frames) == [subscription("ETH-USD", "BTC-USDT")]
    assert again == 4.0
    hear(one, refusal("BTC-USDT"))
    frames, again = one.due(4.0)
    assert asked(frames) == [subscription("ETH-USD")]
    hear(one, confirmation("ETH-USD"))
    assert one.due(6.0) == ([], 306.0)
    assert set(one.refused) == {"BTC-USD", "BTC-USDT"}


def test_product_that_is_never_confirmed_is_said_to_be_so() -> None:
    """After some tries; it is asked for again now and then."""
    one = talk()
    one.due(0.0)
    hear(one, confirmation("BTC-USD", "ETH-USD"))
    at, tries = 2.0, 0
    while not one.refused:
        frames, again = one.due(at)
        tries += len(frames)
        assert asked(frames) == [subscription("BTC-USDT")][: len(frames)]
        assert again > at
        at = again
    assert tries == Pace().tries
    assert one.refused == {"BTC-USDT": NoticeKind.UNCONFIRMED}
    assert asked(one.due(at)[0]) == [subscription("BTC-USDT")]
    assert one.refused == {"BTC-USDT": NoticeKind.UNCONFIRMED}
    hear(one, MATCH.replace("BTC-USD", "BTC-USDT"))
    assert one.refused == {}


def test_vendor_that_refuses_every_product_has_answered() -> None:
    """Then there is nothing to wait for."""
    one = talk(["BTC-USD", "ETH-USD"])
    hear(one, refusal("BTC-USD"))
    assert not one.is_accepted
    hear(one, refusal("ETH-USD"))
    assert one.is_accepted
    assert len(one.refused) == 2


def test_product_that_the_vendor_drops_is_asked_for_again() -> None:
    """A confirmation always lists all that is subscribed to."""
    one = talk()
    one.due(0.0)
    hear(one, confirmation(*SYMBOLS))
    one.due(2.0)
    hear(one, confirmation("BTC-USD", "ETH-USD"))
    assert one.due(100.0) == ([], 102.0)
    assert asked(one.due(102.0)[0]) == [subscription("BTC-USDT")]


@pytest.mark.parametrize("text", [NO_CHANNELS, NO_CHANNEL, NEEDS_KEY])
def test_request_that_is_wrong_is_a_refusal(text: str) -> None:
    """To repeat it is of no use; but if prices come already, nothing is gained by an end."""
    one = talk()
    assert hear(one, text) == [Notice(NoticeKind.BAD_REQUEST)]
    hear(one, MATCH)
    assert hear(one, text) == IGNORED


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"message": "rate limit exceeded"}, NoticeKind.THROTTLED),
        ({"message": "Failed to subscribe", "reason": "Too Many Requests"}, NoticeKind.THROTTLED),
        ({"message": "Internal error"}, NoticeKind.SERVER_ERROR),
        ({"message": ["?"], "reason": 5}, NoticeKind.SERVER_ERROR),
        ({}, NoticeKind.SERVER_ERROR),
        ({"reason": " is not a valid product"}, NoticeKind.SERVER_ERROR),
    ],
)
def test_other_errors_end_what_has_not_begun(fields: dict[str, Any], kind: NoticeKind) -> None:
    """And nothing else."""
    one, text = talk(), json.dumps({"type": "error", **fields})
    assert hear(one, text) == [Notice(kind)]
    hear(one, confirmation("BTC-USD"))
    assert hear(one, text) == IGNORED


# Trades that happen and do not come.


def beat(trade_id: int, name: str = "BTC-USD") -> str:
    return HEARTBEAT.replace("1092969669", str(trade_id)).replace("BTC-USD", name)


def streaming() -> Dialogue:
    """A connection on which everything is confirmed, and trade 1087540758 was the last."""
    one = talk()
    one.due(0.0)
    hear(one, confirmation(*SYMBOLS), MATCH)
    one.due(2.0)
    return one


def test_product_whose_trades_do_not_come_is_asked_for_anew() -> None:
    """As its heartbeats tell; only its trades, so that the connection keeps a subscription."""
    one = streaming()
    newer = beat(1087540759)
    hear(one, *[newer] * 4)
    assert one.due(6.0) == ([], math.inf)
    hear(one, newer)
    assert asked(one.due(7.0)[0]) == [
        ("unsubscribe", ["BTC-USD"], ["matches"]),
        ("subscribe", ["BTC-USD"], ["matches"]),
    ]
    # If that brought the newest trade and no other, much later again.
    hear(one, LAST_MATCH.replace("1087540757", "1087540759"), newer)
    hear(one, *[beat(1087540760)] * 29)
    assert one.due(36.0) == ([], math.inf)
    hear(one, beat(1087540760))
    assert len(one.due(37.0)[0]) == 2


def test_product_whose_trades_never_came_is_asked_for_anew() -> None:
    """The first heartbeat tells from where on."""
    one = streaming()
    hear(one, *[beat(100 + turn, "ETH-USD") for turn in range(6)])
    assert asked(one.due(8.0)[0])[1] == ("subscribe", ["ETH-USD"], ["matches"])


@pytest.mark.parametrize("last", [1087540758, 1087540000, 0])
def test_heartbeat_that_knows_no_newer_trade_asks_for_nothing(last: int) -> None:
    """For a time it said 0 always."""
    one = streaming()
    hear(one, *[beat(last)] * 50)
    assert one.due(52.0) == ([], math.inf)


def test_heartbeat_that_is_a_little_ahead_asks_for_nothing() -> None:
    """It may overtake a trade; and those that come prove that they do."""
    one = streaming()
    for turn in range(50):
        came = 1087540759 + turn
        hear(one, beat(came + 1), MATCH.replace("1087540758", str(came)))
    assert one.due(52.0) == ([], math.inf)


# The vendor.


@pytest.mark.parametrize(
    "symbol", ["BTC-USD", "BTC-USDT", "ETH-EUR", "1INCH-USD", "ETH-BTC", "USDT-USD", "BTC-USDC"]
)
def test_our_symbol_is_its_product(symbol: str) -> None:
    """Letter by letter; whether it exists the vendor says."""
    assert product(symbol) == symbol
    assert Coinbase().symbol("crypto", symbol) == symbol
    assert Coinbase().symbol("stocks", symbol) is None


@pytest.mark.parametrize(
    "symbol",
    [
        *("", "BTC", "BTCUSD", "btc-usd", "BTC-", "-USD", "BTC-USD-X", "EUR-USD", "EURUSD"),
        *("AAPL", "BTC-INR", "USDT-USDT", "BTC/USD", "BTC-USD\n"),
    ],
)
def test_what_could_be_no_product_is_not_asked_for(symbol: str) -> None:
    """Neither money against money, nor a pair of another spelling."""
    assert product(symbol) is None


def test_vendor_wants_no_key() -> None:
    """So that nothing has to be hidden."""
    vendor: Vendor = Coinbase()
    assert vendor.address("crypto", SYMBOLS) == "wss://ws-feed.exchange.coinbase.com"
    assert vendor.headers("crypto") == {}
    assert (vendor.key_setting, vendor.secrets, vendor.assets) == ("", (), ("crypto",))
    assert (vendor.connections, vendor.symbol_limit, vendor.renew_sec) == (None, None, None)
    assert vendor.has_contiguous_ids
    assert vendor.heartbeat_sec == 10.0
    assert vendor.spacing_sec == 5.0
    assert vendor.closing(1006) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (451, NoticeKind.UNAVAILABLE),
        (429, NoticeKind.THROTTLED),
        (400, NoticeKind.BAD_REQUEST),
        (403, NoticeKind.BAD_REQUEST),
        (404, NoticeKind.BAD_REQUEST),
        (500, NoticeKind.SERVER_ERROR),
        (503, NoticeKind.SERVER_ERROR),
        (200, NoticeKind.SERVER_ERROR),
    ],
)
def test_vendor_says_what_a_refused_handshake_means(status: int, kind: NoticeKind) -> None:
    """There is no key that could be wrong."""
    assert Coinbase().rejection(status) is kind


# The time before.

NOW = 1788335090.0  # 07:44:50
DAY_AT = NOW - 86400
MINUTE = 1788335040 - 60  # 07:43, the last one that was over


def requests(symbols: Sequence[str] = ("BTC-USD", "EUR-USD", "ETH-USD")) -> Sequence[Request]:
    rest: Rest = CoinbaseRest("https://h/")
    return rest.requests("crypto", symbols, NOW, DAY_AT)


def read(request: Request, body: Any) -> Any:
    return CoinbaseRest("https://h/").read(request, json.dumps(body).encode(), NOW)


def test_hour_is_asked_for_first() -> None:
    """Of each product; then what the day is measured against, then its newest trades."""
    base = "https://h/products/BTC-USD"
    assert [(one.want, one.symbols, one.url) for one in requests()[::2]] == [
        (
            Want.LAST_HOUR,
            ("BTC-USD",),
            f"{base}/candles?granularity=60&start=2026-09-02T06:44:00Z&end=2026-09-02T07:43:00Z",
        ),
        (
            Want.DAY,
            ("BTC-USD",),
            f"{base}/candles?granularity=300&start=2026-09-01T06:40:00Z&end=2026-09-02T07:35:00Z",
        ),
        (Want.LAST_HOUR, ("BTC-USD",), f"{base}/trades?limit=100"),
    ]
    assert [one.symbols for one in requests()[1::2]] == [("ETH-USD",)] * 3
    assert all(one.headers["User-Agent"] for one in requests())
    assert CoinbaseRest().requests("stocks", ["AAPL"], NOW, DAY_AT) == ()
    assert CoinbaseRest().spacing_sec >= 0.1


def test_candles_come_newest_first_and_lowest_price_first() -> None:
    """A minute without a trade is absent, and one that is not over is left out."""
    rows = [
        [MINUTE + 60, 9.0, 11.0, 10.0, 10.5, 1.25],
        [MINUTE, 77570, 77580.5, 77572.87, 77575, 0.5],
        [MINUTE - 120, 77560, 77590, 77565, 77572, 2],
    ]
    assert list(read(requests()[0], rows).candles) == [
        Candle("BTC-USD", MINUTE - 120, 77565.0, 77590.0, 77560.0, 77572.0),
        Candle("BTC-USD", MINUTE, 77572.87, 77580.5, 77570.0, 77575.0),
    ]
    assert read(requests()[0], []).candles == ()


def test_prices_of_the_day_are_those_at_the_end_of_each_five_minutes() -> None:
    """Oldest first, as far as they are over."""
    begin = 1788334800  # 07:40
    rows = [
        [begin, 9, 12, 10, 11.75, 1],
        [begin - 300, 9, 11, 10, 10.5, 1],
        [begin - 900, 9, 11, 10, 10.25, 1],
    ]
    found = read(requests()[2], rows)
    assert found.references == [
        Reference("BTC-USD", 10.25, begin - 600),
        Reference("BTC-USD", 10.5, begin),
    ]
    assert found.candles == ()
    assert read(requests()[2], []).references == []


def test_trades_come_newest_first() -> None:
    """As on the stream, numbers included."""
    rows = [
        {
            "time": "2026-09-02T07:44:10.104422Z",
            "trade_id": 1087540758,
            "price": "77572.87",
            "size": "0.00000009",
            "side": "buy",
        },
        {"time": "2026-09-02T07:44:09.4494Z", "trade_id": 1087540757, "price": "77572.86"},
    ]
    found = read(requests()[4], rows).trades
    assert found[1] == TRADE
    assert (found[0].trade_id, found[0].price) == (1087540757, 77572.86)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"message":"NotFound"}',
        b"[1]",
        b"[[1,2,3,4]]",
        b'[[1788334980,9,11,10,"x",1]]',
        b"[[1788334980,11,9,10,10,1]]",
        b"[[1788334981,9,11,10,10,1]]",
        b"[[1788334980.5,9,11,10,10,1]]",
        b"[[1e400,9,11,10,10,1]]",
        b'[[null,9,11,10,10,1],{"a":1}]',
        b"[" * 50_000,
    ],
)
@pytest.mark.parametrize("number", [0, 2])
def test_answer_that_is_no_candles_is_an_error(body: bytes, number: int) -> None:
    """Without any text of it."""
    with pytest.raises(PastError) as caught:
        CoinbaseRest("https://h/").read(requests()[number], body, NOW)
    assert caught.value.args == (NoticeKind.UNREADABLE,)


@pytest.mark.parametrize(
    "change",
    [{"price": "0"}, {"price": "x"}, {"price": None}, {"time": "x"}, {"trade_id": "x"}],
)
def test_answer_that_is_no_trades_is_an_error(change: dict[str, Any]) -> None:
    """One is enough."""
    row = {"time": "2026-09-02T07:44:10.104422Z", "trade_id": 1, "price": "77572.87", **change}
    with pytest.raises(PastError):
        read(requests()[4], [row])
