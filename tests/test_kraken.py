"""Kraken's format: messages seen on the wire, what is asked and answered, and any rubbish."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticks import ASSETS, Asset
from vendors.kraken import FOREX_PAIRS, Kraken, pair_of
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick, Vendor

NOW = 1790358510.0

# As received in 2026, or documented: of channels and answers that hold no price.
NOTICES: dict[str, NoticeKind] = {
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":18125794168470749634,"upcoming_maintenance":[],"emergency":[]}]}': NoticeKind.ALIVE,  # noqa: E501
    '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":18125794168470749634}]}': NoticeKind.ALIVE,  # noqa: E501
    '{"channel":"status","type":"update","data":[{"system":"maintenance"}]}': NoticeKind.MAINTENANCE,  # noqa: E501
    '{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}': NoticeKind.MAINTENANCE,  # noqa: E501
    '{"channel":"status","type":"update","data":[{"system":"post_only"}]}': NoticeKind.MAINTENANCE,
    '{"channel":"status","type":"update","data":[]}': NoticeKind.IGNORED,
    '{"method":"subscribe","result":{"channel":"trade","snapshot":false,"symbol":"BTC/USD"},"success":true,"time_in":"2026-09-25T17:48:24.745996Z","time_out":"2026-09-25T17:48:24.746032Z"}': NoticeKind.SUBSCRIBED,  # noqa: E501
    '{"method":"subscribe","result":{"channel":"ticker","event_trigger":"trades","snapshot":true,"symbol":"USDT/USD"},"success":true,"time_in":"2026-09-24T03:54:28.829165Z","time_out":"2026-09-24T03:54:28.829217Z"}': NoticeKind.SUBSCRIBED,  # noqa: E501
    '{"channel":"heartbeat"}': NoticeKind.ALIVE,
    '{"method":"pong","req_id":101,"time_in":"2026-09-25T17:48:30.000001Z","time_out":"2026-09-25T17:48:30.000012Z"}': NoticeKind.ALIVE,  # noqa: E501
    '{"channel":"ohlc","type":"update","timestamp":"2026-09-25T17:48:26.844359566Z","data":[{"symbol":"BTC/USD","open":83729.5,"high":83745.2,"low":83729.4,"close":83744.3,"trades":33,"volume":0.21155628,"vwap":83736.4,"interval_begin":"2026-09-25T17:48:00.000000000Z","interval":1,"timestamp":"2026-09-25T17:49:00.000000Z"}]}': NoticeKind.IGNORED,  # noqa: E501
    '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"price_precision":1,"cost_precision":5,"ws_display_price_precision":1,"cost_min":0.5,"tick_size":0.1,"price_increment":0.1,"qty_min":5e-05}]}}': NoticeKind.IGNORED,  # noqa: E501
    '{"method":"unsubscribe","result":{"channel":"book","depth":25,"symbol":"MINA/GBP"},"success":true,"time_in":"2026-08-18T20:44:29.766514Z","time_out":"2026-08-18T20:44:29.766559Z"}': NoticeKind.IGNORED,  # noqa: E501
    '{"method":"levitate","success":true}': NoticeKind.IGNORED,
    '{"channel":"news","data":7}': NoticeKind.IGNORED,
    "{}": NoticeKind.IGNORED,
    '{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD","time_in":"2026-10-06T17:39:49.588049Z","time_out":"2026-10-06T17:39:49.588083Z"}': NoticeKind.SYMBOL_UNKNOWN,  # noqa: E501
    '{"error":"Currency pair not supported NOPE/USD","method":"subscribe","success":false,"symbol":"NOPE/USD","time_in":"2026-09-24T03:54:32.996743Z","time_out":"2026-09-24T03:54:32.996775Z"}': NoticeKind.SYMBOL_UNKNOWN,  # noqa: E501
    '{"error":"Currency pair not in ISO 4217-A3 format BTCUSD","method":"subscribe","success":false,"symbol":"BTCUSD"}': NoticeKind.SYMBOL_UNKNOWN,  # noqa: E501
    '{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"BTC/USD"}': NoticeKind.SUBSCRIBED,  # noqa: E501
    '{"error":"Market is resting","method":"subscribe","success":false,"symbol":"BTC/USD"}': NoticeKind.UNCONFIRMED,  # noqa: E501
    '{"error":"Subscription depth not supported","method":"subscribe","success":false,"time_in":"2026-08-16T23:54:19.629313Z","time_out":"2026-08-16T23:54:19.629343Z"}': NoticeKind.BAD_REQUEST,  # noqa: E501
    '{"error":"Method(s) not found","success":false}': NoticeKind.BAD_REQUEST,
    '{"Error":"Exceeded msg rate"}': NoticeKind.THROTTLED,
    '{"error":"EService:Unavailable","success":false}': NoticeKind.SERVER_ERROR,
}

TRADE = '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":83744.3,"qty":0.00044780,"ord_type":"limit","trade_id":109116693,"timestamp":"2026-09-25T17:48:26.844359Z"}]}'  # noqa: E501
TRADED = RawTick("BTC-USD", 1790358506.844359, 83744.3, "", trade_id=109116693)

UPDATE = '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":83744.2,"bid_qty":0.56251979,"ask":83744.3,"ask_qty":0.00044780,"last":83744.3,"volume":3156.84782110,"vwap":84174.6,"low":83163.6,"high":85247.4,"change":-429.3,"change_pct":-0.51,"trades":135262,"timestamp":"2026-09-25T17:48:26.844359Z"}]}'  # noqa: E501
SNAPSHOT = '{"channel":"ticker","type":"snapshot","data":[{"symbol":"USDT/USD","bid":0.99980,"bid_qty":44620.68691883,"ask":0.99981,"ask_qty":1087605.70466858,"last":0.99981,"volume":270638277.50461281,"vwap":0.99983,"low":0.99959,"high":1.00000,"change":0.00005,"change_pct":0.01,"trades":38144,"timestamp":"2026-09-24T03:54:18.054886Z"}]}'  # noqa: E501


def talk(asset: Asset = "crypto", *symbols: str) -> Dialogue:
    """A new connection's, for these symbols or for some."""
    usual = ("EURUSD", "USDJPY") if asset == "forex" else ("BTC-USD", "USDT-USD")
    return Kraken().dialogue(asset, symbols or usual)


def heard(one: Dialogue, frame: str, now: float = NOW) -> Sequence[RawTick | Notice | Halt]:
    return one.receive(frame.encode(), now)


def ack(pair: str, **more: object) -> str:
    result = {"channel": "trade", "snapshot": False, "symbol": pair}
    return json.dumps({"method": "subscribe", "result": result, "success": True} | more)


def refusal(pair: str, why: str = "Currency pair not supported") -> str:
    said = {"error": f"{why} {pair}", "method": "subscribe", "success": False, "symbol": pair}
    return json.dumps(said)


def quote(stamp: str | None, bid: object = 1.1, ask: object = 1.2, kind: str = "update") -> str:
    data = {"symbol": "EUR/USD", "bid": bid, "ask": ask, "last": 9.9}
    data |= {} if stamp is None else {"timestamp": stamp}
    return json.dumps({"channel": "ticker", "type": kind, "data": [data]})


def asked(frame: str) -> tuple[str, list[str]]:
    """The channel and the pairs of a subscription."""
    request = json.loads(frame)
    assert request["method"] == "subscribe"
    return request["params"]["channel"], request["params"]["symbol"]


# Its names.


@pytest.mark.parametrize(
    ("asset", "symbol", "pair"),
    [
        ("crypto", "BTC-USD", "BTC/USD"),
        ("crypto", "BTC-USDT", "BTC/USDT"),
        ("crypto", "DOGE-EUR", "DOGE/EUR"),
        ("crypto", "USDT-USD", "USDT/USD"),
        ("crypto", "1INCH-USD", "1INCH/USD"),
        ("forex", "EURUSD", "EUR/USD"),
        ("forex", "USDJPY", "USD/JPY"),
        ("forex", "AUDJPY", "AUD/JPY"),
        ("forex", "USDINR", None),
        ("forex", "NZDUSD", None),
        ("forex", "USDEUR", None),
        ("forex", "EUR-USD", None),
        ("crypto", "EUR-USD", None),
        ("crypto", "EURUSD", None),
        ("crypto", "btc-usd", None),
        ("crypto", "BTC", None),
        ("crypto", "BTC-", None),
        ("crypto", "A-B-C", None),
        ("stocks", "AAPL", None),
        ("stocks", "BRK-B", None),
        ("forex", "", None),
    ],
)
def test_symbols_have_the_names_of_version_two(asset: Asset, symbol: str, pair: str | None) -> None:
    """Of the same quote currency, and only what it can have: forex is what it lists."""
    assert pair_of(asset, symbol) == pair
    assert Kraken().symbol(asset, symbol) == pair


@given(st.sampled_from(ASSETS), st.lists(st.text(alphabet="ABEURSDJPYT-/1", max_size=9)))
def test_names_are_never_shared(asset: Asset, symbols: list[str]) -> None:
    """Whatever the symbols, two of them never have one name, and the name tells the symbol."""
    for symbol in symbols:
        pair = pair_of(asset, symbol)
        if pair is not None:
            assert pair.replace("/", "-" if asset == "crypto" else "") == symbol
    assert {pair_of("forex", pair.replace("/", "")) for pair in FOREX_PAIRS} == FOREX_PAIRS


# What is asked.


def test_trades_of_coins_are_asked_for() -> None:
    """At once, all in one message, and without trades of before."""
    (frame,) = talk("crypto").begin()
    assert json.loads(frame) == {
        "method": "subscribe",
        "params": {"channel": "trade", "symbol": ["BTC/USD", "USDT/USD"], "snapshot": False},
    }


def test_quotes_of_currencies_are_asked_for() -> None:
    """Whenever bid or ask change: trades are rare there, and the last may be minutes old."""
    (frame,) = talk("forex").begin()
    assert json.loads(frame)["params"] == {
        "channel": "ticker",
        "symbol": ["EUR/USD", "USD/JPY"],
        "event_trigger": "bbo",
        "snapshot": True,
    }


def test_many_symbols_are_asked_for_in_portions() -> None:
    """A hundred a message, a tenth of a second apart."""
    one = talk("crypto", *(f"C{number}-USD" for number in range(250)))
    assert [len(asked(frame)[1]) for frame in one.begin()] == [100]
    frames, again_at = one.due(7.0)
    assert frames == []
    assert again_at == pytest.approx(7.1)
    frames, again_at = one.due(again_at)
    assert [len(asked(frame)[1]) for frame in frames] == [100]
    (frame,), _ = one.due(again_at)
    assert len(asked(frame)[1]) == 50


def test_every_symbol_is_answered_by_itself() -> None:
    """In any order; an error of one leaves the others alone."""
    one = talk("crypto", "BTC-USD", "NOPE-USD", "ETH-USD")
    one.begin()
    assert not one.is_accepted
    assert heard(one, refusal("NOPE/USD")) == (Notice(NoticeKind.SYMBOL_UNKNOWN),)
    assert one.is_accepted
    assert heard(one, ack("ETH/USD", req_id=1)) == (Notice(NoticeKind.SUBSCRIBED),)
    heard(one, ack("BTC/USD", result={"symbol": "BTC/USD", "warnings": ["deprecated"]}))
    assert one.refused == {"NOPE-USD": NoticeKind.SYMBOL_UNKNOWN}
    one.due(0.0)
    assert one.due(6.0) == ([], math.inf)


def test_symbol_without_an_answer_is_unconfirmed() -> None:
    """After five seconds, and asked for again a minute later."""
    one = talk("crypto", "BTC-USD", "ETH-USD")
    one.begin()
    one.due(0.0)
    heard(one, ack("BTC/USD"))
    assert one.due(4.9) == ([], 5.0)
    assert one.refused == {}
    assert one.due(5.0) == ([], 65.0)
    handed_out = one.refused
    assert handed_out == {"ETH-USD": NoticeKind.UNCONFIRMED}
    (frame,), again_at = one.due(65.0)
    assert asked(frame) == ("trade", ["ETH/USD"])
    assert again_at == 70.0
    heard(one, ack("ETH/USD"))
    assert one.refused == {}
    assert handed_out == {"ETH-USD": NoticeKind.UNCONFIRMED}
    assert one.due(70.0) == ([], math.inf)


def test_price_is_an_answer_too() -> None:
    """Data may come before the answer, or in its place."""
    one = talk("crypto", "BTC-USD")
    one.begin()
    one.due(0.0)
    assert heard(one, TRADE) == [TRADED]
    assert one.is_accepted
    assert one.due(5.0) == ([], math.inf)
    assert one.refused == {}


def test_error_of_a_symbol_that_may_pass_is_asked_about_again() -> None:
    """Only of one that there is not it makes no sense."""
    one = talk("crypto", "BTC-USD", "ETH-USD")
    one.begin()
    one.due(0.0)
    heard(one, refusal("BTC/USD", "Market is resting"))
    heard(one, refusal("ETH/USD"))
    assert one.refused["BTC-USD"] is NoticeKind.UNCONFIRMED
    one.due(5.0)
    assert [asked(frame)[1] for frame in one.due(65.0)[0] if "subscribe" in frame] == [["BTC/USD"]]


def test_vendor_without_heartbeats_is_pinged() -> None:
    """It sends none before a symbol is confirmed; from then on it does, and is left alone."""
    one = talk("crypto", "NOPE-USD")
    one.begin()
    assert one.due(0.0) == ([], 5.0)
    heard(one, refusal("NOPE/USD"))
    assert one.due(5.0) == (['{"method":"ping"}'], 10.0)
    assert one.due(7.0) == ([], 10.0)
    assert one.due(10.0) == (['{"method":"ping"}'], 15.0)
    heard(one, ack("NOPE/USD"))
    assert one.refused == {}
    assert one.due(15.0) == ([], math.inf)


def test_maintenance_excuses_missing_answers() -> None:
    """The vendor is there; once it goes on, what has no answer is asked for at once."""
    one = talk("crypto", "BTC-USD", "ETH-USD")
    one.begin()
    one.due(0.0)
    heard(one, ack("BTC/USD"))
    down = '{"channel":"status","type":"update","data":[{"system":"maintenance"}]}'
    assert heard(one, down) == (Notice(NoticeKind.MAINTENANCE),)
    assert one.due(100.0) == ([], math.inf)
    assert one.refused == {}
    up = down.replace("maintenance", "online")
    assert heard(one, up) == (Notice(NoticeKind.RESUMED),)
    assert heard(one, up) == (Notice(NoticeKind.ALIVE),)
    (frame,), _ = one.due(200.0)
    assert asked(frame)[1] == ["ETH/USD"]


def test_maintenance_at_the_begin_is_an_acceptance() -> None:
    """So that the feed says maintenance and not that it was not accepted."""
    one = talk()
    one.begin()
    heard(one, '{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}')
    assert one.is_accepted
    assert one.due(0.0) == ([], 5.0)
    assert one.due(5.0) == (['{"method":"ping"}'], 10.0)


# What comes.


@pytest.mark.parametrize("frame", NOTICES)
def test_what_holds_no_price_is_understood(frame: str) -> None:
    """By its shape; a kind that is not known is ignored, and no fault."""
    assert heard(talk(), frame) == (Notice(NOTICES[frame]),)


def test_trade_is_a_price_with_its_number() -> None:
    """In our spelling, with the vendor's own time to the microsecond."""
    assert heard(talk(), TRADE) == [TRADED]


def test_frame_holds_any_number_of_trades() -> None:
    """Of several takers, and several symbols; numbers may be text, and have exponents."""
    trades = [
        {"symbol": "BTC/USD", "price": 1e-08, "trade_id": 1, "timestamp": "2026-09-25T17:48:26Z"},
        {"symbol": "BTC/USD", "price": "5.1e-05", "trade_id": 2, "timestamp": "2026-09-25T17:48:26.844359566Z"},  # noqa: E501
        {"symbol": "USDT/USD", "price": 1, "timestamp": "2026-09-25T17:48:26.8Z"},
        {"symbol": "ETH/USD", "price": 2500.5, "trade_id": 2**63, "timestamp": "2026-09-25T17:48:26Z"},  # noqa: E501
    ]  # fmt: skip
    frame = json.dumps({"channel": "trade", "type": "update", "data": trades})
    assert heard(talk(), frame) == [
        RawTick("BTC-USD", 1790358506.0, 1e-08, "", trade_id=1),
        RawTick("BTC-USD", 1790358506.84436, 5.1e-05, "", trade_id=2),
        RawTick("USDT-USD", 1790358506.8, 1.0, ""),
        # Nobody asked for it: the gate knows.
        RawTick("ETH/USD", 1790358506.0, 2500.5, "", trade_id=2**63),
    ]
    assert heard(talk(), '{"channel":"trade","type":"update","data":[]}') == []


def test_trades_of_before_are_marked() -> None:
    """Nobody asked for them, and they may come all the same."""
    frame = TRADE.replace('"update"', '"snapshot"')
    assert heard(talk(), frame) == [TRADED._replace(is_snapshot=True)]


def test_quote_is_the_middle_between_bid_and_ask() -> None:
    """And not the last trade; the first is of any age, and marked."""
    one = talk("crypto", "BTC-USD", "USDT-USD")
    # From before there is an answer, so perhaps of an earlier connection.
    (early,) = heard(one, UPDATE)
    assert isinstance(early, RawTick)
    assert early.is_snapshot
    assert heard(one, UPDATE) == [RawTick("BTC-USD", 1790358506.844359, 83744.25, "")]
    (found,) = heard(one, SNAPSHOT)
    assert isinstance(found, RawTick)
    assert found.price == pytest.approx(0.999805)
    assert (found.symbol, found.ts, found.is_snapshot) == ("USDT-USD", 1790222058.054886, True)


@pytest.mark.parametrize(
    ("bid", "ask", "price", "flaw"),
    [
        (1.1, 1.2, 1.15, ""),
        ("1.1", "1.2", 1.15, ""),
        (1.2, 1.2, 1.2, ""),
        (1.3, 1.2, 1.25, "crossed"),
        (0, 1.2, math.nan, ""),
        (-1.1, 1.2, math.nan, ""),
        (None, 1.2, math.nan, ""),
        (1.1, None, math.nan, ""),
        ("", 1.2, math.nan, ""),
        ("inf", 1.2, math.nan, ""),
        ("1_1", "1_2", math.nan, ""),
    ],
)
def test_half_a_quote_is_no_price(bid: object, ask: object, price: float, flaw: str) -> None:
    """Nor is one of which bid and ask have changed places a good one."""
    (found,) = heard(talk("forex"), quote("2026-09-25T17:48:26Z", bid, ask))
    assert isinstance(found, RawTick)
    assert found.price == pytest.approx(price, nan_ok=True)
    assert found.flaw == flaw
    assert found.trade_id is None


def test_quote_without_a_stamp_is_of_now() -> None:
    """Earlier versions had none."""
    (found,) = heard(talk("forex"), quote(None), NOW)
    assert isinstance(found, RawTick)
    assert found.ts == NOW


def test_stamp_that_stands_still_is_not_the_quotes() -> None:
    """If quote after quote has the same one, it is the last trade's, and the quotes are of now."""
    one, stamp, then = talk("forex"), "2026-09-25T17:48:26Z", 1790358506.0

    def times(*bids: float) -> list[float]:
        found = [heard(one, quote(stamp, bid, 1.2)) for bid in bids]
        return [tick.ts for (tick,) in found if isinstance(tick, RawTick)]

    # A few of one instant may be, and the same quote twice is no news.
    assert times(1.1, 1.1, 1.1, 1.1, 1.1, 1.11, 1.12) == [then] * 7
    assert times(1.13, 1.14) == [NOW, NOW]
    stamp, then = "2026-09-25T17:48:28Z", 1790358508.0
    assert times(1.13, 1.14) == [then, then]


@pytest.mark.parametrize(
    "frame",
    [
        TRADE.replace("83744.3", "null"),
        TRADE.replace("83744.3", "true"),
        TRADE.replace("83744.3", "[1]"),
        TRADE.replace("2026-09-25T17:48:26.844359Z", "yesterday"),
        TRADE.replace("26.844359Z", "26.844359"),
        TRADE.replace('"symbol"', '"name"'),
        '{"channel":"trade","type":"update"}',
        '{"channel":"ticker","type":"update","data":{"symbol":"BTC/USD"}}',
        '{"channel":5}',
        "[]",
        "7",
        "rubbish",
        "",
        "[" * 5000,
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(frame: str) -> None:
    """A price of a shape it never had, a time without a zone, and anything but an object."""
    assert heard(talk(), frame) == (Notice(NoticeKind.UNREADABLE),)


@pytest.mark.parametrize("price", ["NaN", "1_000", "", "one", "9" * 101])
def test_text_that_is_no_number_is_no_price(price: str) -> None:
    """The gate refuses it and counts it."""
    (found,) = heard(talk(), TRADE.replace("83744.3", json.dumps(price)))
    assert isinstance(found, RawTick)
    assert math.isnan(found.price)


KEYS = ["channel", "type", "data", "symbol", "price", "bid", "ask", "timestamp", "method"]
KEYS += ["success", "error", "Error", "result", "system"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner
            | st.sampled_from(["trade", "ticker", "status", "subscribe", "BTC/USD", "snapshot"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=60))
def test_nothing_that_comes_raises(frame: bytes) -> None:
    """Whatever it is, it is prices or a notice, and what follows is understood."""
    one = talk()
    one.begin()
    for found in one.receive(frame, NOW):
        assert isinstance(found, RawTick | Notice)
    frames, again_at = one.due(0.0)
    assert len(frames) <= 1
    assert again_at > 0.0
    assert heard(one, TRADE) == [TRADED]


# What is known of it.


def test_nothing_wants_a_key() -> None:
    """It has no secret, and what it is says so."""
    vendor: Vendor = Kraken("wss://example.org/v2")
    assert (vendor.name, vendor.key_setting, tuple(vendor.secrets)) == ("Kraken", "", ())
    assert set(vendor.assets) == {"forex", "crypto"} == set(vendor.silence_sec)
    for asset in vendor.assets:
        assert vendor.address(asset, ()) == "wss://example.org/v2"
        assert vendor.headers(asset) == {}
    assert Kraken().address("crypto", ()) == "wss://ws.kraken.com/v2"


def test_connections_stay_within_what_it_wants() -> None:
    """One attempt in five seconds, and 150 in ten minutes; both classes share the attempts."""
    vendor = Kraken()
    assert vendor.spacing_sec >= 5.0
    assert 600.0 / vendor.spacing_sec <= 150


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, NoticeKind.THROTTLED),
        (503, NoticeKind.SERVER_ERROR),
        (500, NoticeKind.SERVER_ERROR),
        (200, NoticeKind.SERVER_ERROR),
        (400, NoticeKind.BAD_REQUEST),
        (401, NoticeKind.BAD_REQUEST),
        (403, NoticeKind.BAD_REQUEST),
        (404, NoticeKind.BAD_REQUEST),
        (451, NoticeKind.UNAVAILABLE),
    ],
)
def test_refused_handshake_has_a_meaning(status: int, kind: NoticeKind) -> None:
    """What may pass is asked again soon; what does not, seldom."""
    assert Kraken().rejection(status) is kind


@pytest.mark.parametrize(
    ("code", "kind"), [(1008, NoticeKind.BAD_REQUEST), (1000, None), (1001, None), (1006, None)]
)
def test_one_close_code_is_a_refusal(code: int, kind: NoticeKind | None) -> None:
    """After any other one it may be asked again."""
    assert Kraken().closing(code) is kind
