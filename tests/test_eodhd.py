"""EODHD's format: messages seen on the wire, what is sent, and any rubbish."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticks import ASSETS, Asset
from vendors import eodhd
from vendors.eodhd import Eodhd, Pace
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick, Vendor

# As received between 2021 and 2026, or documented.
PRICES: dict[str, RawTick] = {
    '{"s":"AAPL","p":330.78,"c":[],"v":5,"dp":false,"ms":"extended-hours","t":1790899194028}': RawTick(  # noqa: E501
        "AAPL", 1790899194.028, 330.78, "", "extended"
    ),
    '{"s":"AAPL","p":335.95,"c":[],"v":1,"dp":false,"ms":"extended-hours","t":1790329995797}': RawTick(  # noqa: E501
        "AAPL", 1790329995.797, 335.95, "", "extended"
    ),
    '{"s":"TSLA","p":405.3462,"c":[14,37,41],"v":7,"dp":false,"ms":"extended-hours","t":1781596800421}': RawTick(  # noqa: E501
        "TSLA", 1781596800.421, 405.3462, "", "extended"
    ),
    '{"s":"AAPL","p":161.14,"c":[12,37],"v":1,"dp":false,"t":1637573639704}': RawTick(
        "AAPL", 1637573639.704, 161.14, "condition"
    ),
    '{"s":"AAPL","p":227.31,"v":100,"c":12,"dp":false,"ms":"open","t":1725198451165}': RawTick(
        "AAPL", 1725198451.165, 227.31, "condition", "open"
    ),
    '{"s":"AAPL","ap":330.8,"as":15,"bp":330,"bs":67,"t":1790899198000}': RawTick(
        "AAPL", 1790899198.0, 330.4, ""
    ),
    '{"s":"EURUSD","a":1.13896,"b":1.13895,"dc":"0.0619","dd":"0.0007","ppms":true,"t":1790330110001}': RawTick(  # noqa: E501
        "EURUSD", 1790330110.001, 1.138955, ""
    ),
    '{"s":"AUDUSD","a":0.70743161,"b":0.70722341,"dc":"0.552","dd":"0.0039","ppms":false,"t":1770759992063}': RawTick(  # noqa: E501
        "AUDUSD", 1770759992.063, 0.70732751, ""
    ),
    '{"s":"BTC-USD","p":"84588","q":"0.002","dc":"0.2196","dd":"185.7","t":1790330111002}': RawTick(
        "BTC-USD", 1790330111.002, 84588.0, ""
    ),
    '{"s":"BTC-USD","p":"23738.66000000","q":"0.00211000","dc":"0.4008","dd":"95.1500","t":1659275138111}': RawTick(  # noqa: E501
        "BTC-USD", 1659275138.111, 23738.66, ""
    ),
    # Numbers, codes and flags as text.
    '{"s":"BTC-USD","p":"84588","q":"0.002","t":"1790330111002"}': RawTick(
        "BTC-USD", 1790330111.002, 84588.0, ""
    ),
    '{"s":"EURUSD","a":"1.13896","b":"1.13895","t":"1790330110.001"}': RawTick(
        "EURUSD", 1790330110.001, 1.138955, ""
    ),
    '{"s":"AAPL","p":"161.14","c":["12","37"],"dp":"false","t":"1637573639704"}': RawTick(
        "AAPL", 1637573639.704, 161.14, "condition"
    ),
    '{"s":"AAPL","p":"161.14","c":["37"],"dp":"false","t":"1637573639704"}': RawTick(
        "AAPL", 1637573639.704, 161.14, ""
    ),
    '{"s":"AAPL","p":161.14,"c":[],"dp":"true","t":1637573639704}': RawTick(
        "AAPL", 1637573639.704, 161.14, "condition"
    ),
    '{"s":"IXIC","p":14106.083,"dc":"1.8972","dd":"267.6230","ppms":true,"t":1647973245}': RawTick(
        "IXIC", 1647973245.0, 14106.083, ""
    ),
}

NOTICES: dict[str, tuple[NoticeKind, int]] = {
    '{"status_code":200,"message":"Authorized"}': (NoticeKind.AUTHORIZED, 200),
    '{"status":403,"message":"Server error"}': (NoticeKind.KEY_REFUSED, 403),
    '{"status":401,"message":"Unauthorized"}': (NoticeKind.KEY_REFUSED, 401),
    '{"status":500,"message":"Server error"}': (NoticeKind.SERVER_ERROR, 500),
    '{"status_code":422,"message":"Only limited symbols allowed for demo"}': (
        NoticeKind.SYMBOLS_REFUSED,
        422,
    ),
    '{"status_code":422,"message":"Symbols limit reached"}': (NoticeKind.SYMBOL_LIMIT, 422),
    '{"status_code":422,"message":"Action and symbols should be string"}': (
        NoticeKind.BAD_REQUEST,
        422,
    ),
    '{"status_code":422,"message":"something new"}': (NoticeKind.SYMBOLS_REFUSED, 422),
    '{"status_code":422}': (NoticeKind.SYMBOLS_REFUSED, 422),
    '{"status_code":422,"message":{"not":"text"}}': (NoticeKind.SYMBOLS_REFUSED, 422),
    '{"status":429,"message":"Too many requests"}': (NoticeKind.THROTTLED, 429),
    '{"status":400}': (NoticeKind.BAD_REQUEST, 400),
    '{"status":503}': (NoticeKind.SERVER_ERROR, 503),
    '{"status":1000}': (NoticeKind.SERVER_ERROR, 1000),
    '{"status_code":"200","message":"Authorized"}': (NoticeKind.AUTHORIZED, 200),
    '{"status":"403","message":"Server error"}': (NoticeKind.KEY_REFUSED, 403),
    '{"status":403.0}': (NoticeKind.KEY_REFUSED, 403),
    '{"status_code":"422","message":"Symbols limit reached"}': (NoticeKind.SYMBOL_LIMIT, 422),
}

NEITHER = [
    '{"s":"AAPL","h":"S","r":"0","t":1}',
    '{"status_code":100}',
    '{"status_code":-1}',
    '{"status_code":201,"message":"Subscribed"}',
    '{"status_code":"ok"}',
    '{"status_code":""}',
    '{"status_code":true}',
    '{"status":403.5}',
    '{"status":"NaN"}',
    f'{{"status":"{"9" * 4301}"}}',
    '{"status":null,"status_code":null}',
    '{"message":"Authorized"}',
    "{}",
    "[]",
    "null",
    "true",
    "12",
    '"text"',
    "",
    " ",
    "\x00",
    "{",
    '{"s":"AAPL","p":1}',
    '{"s":"","p":1,"t":1}',
    '{"s":null,"p":1,"t":1}',
    '{"s":["AAPL"],"p":1,"t":1}',
    '{"s":"AAPL","p":null,"t":1}',
    '{"s":"AAPL","p":true,"t":1}',
    '{"s":"AAPL","p":{},"t":1}',
    '{"s":"AAPL","p":NaN,"t":1}',
    '{"s":"AAPL","p":Infinity,"t":1}',
    '{"s":"AAPL","p":1e999,"t":1}',
    '{"s":"AAPL","p":1,"t":"now"}',
    '{"s":"AAPL","p":1,"t":"1_790_899_194_028"}',
    '{"s":"AAPL","p":1,"t":""}',
    '{"s":"AAPL","p":1,"t":true}',
    '{"s":"AAPL","p":1,"t":1e999}',
    '{"s":"AAPL","p":1,"t":1}{"s":"AAPL","p":1,"t":1}',
    '{"s":"EURUSD","a":1.1,"t":1}',
    '{"s":"EURUSD","b":1.1,"t":1}',
    '{"c":' + "[" * 50_000,
]


@pytest.mark.parametrize("text", PRICES)
def test_message_seen_on_the_wire_is_a_price(text: str) -> None:
    """As text or as bytes."""
    expected = PRICES[text]
    for frame in (text, text.encode()):
        found = eodhd.parse(frame)
        assert isinstance(found, RawTick)
        assert found._replace(price=0.0) == expected._replace(price=0.0)
        assert found.price == pytest.approx(expected.price, rel=1e-12)
        assert type(found.price) is type(found.ts) is float


@pytest.mark.parametrize("text", NOTICES)
def test_control_message_is_a_notice(text: str) -> None:
    """Under either name of its code; what an unknown one means follows from the code."""
    notice = eodhd.parse(text)
    assert isinstance(notice, Notice)
    assert (notice.kind, notice.code) == NOTICES[text]


@pytest.mark.parametrize("said", ["4" * 4300, f'"{"4" * 99}"'])
def test_status_of_endless_digits_is_cut(said: str) -> None:
    """Nobody shows, logs or stores more of it."""
    notice = eodhd.parse(f'{{"status":{said}}}')
    assert isinstance(notice, Notice)
    assert notice == (NoticeKind.SERVER_ERROR, 4_444_444_444)


@pytest.mark.parametrize("text", NEITHER)
def test_anything_else_is_neither(text: str) -> None:
    """Not even an exception."""
    for frame in (text, text.encode()):
        notice = eodhd.parse(frame)
        assert isinstance(notice, Notice)
        assert notice.kind is NoticeKind.UNREADABLE


@pytest.mark.parametrize(
    "price",
    ['"abc"', '""', '"1_000"', '"nan"', '"inf"', '"1e999"', '"-1"', '"0"', "0", "-5", "0.0"],
)
def test_number_that_is_no_price_makes_an_unusable_price(price: str) -> None:
    """The gate counts it as a price, not as a broken message."""
    found = eodhd.parse(f'{{"s":"BTC-USD","p":{price},"t":1790330111002}}')
    assert isinstance(found, RawTick)
    assert not 0 < found.price < math.inf


@pytest.mark.parametrize(
    ("bid", "ask", "flaw"),
    [(1.1, 1.2, ""), (1.1, 1.1, ""), (1.2, 1.1, "crossed"), ('"1.1"', '"1.2"', "")],
)
@pytest.mark.parametrize("names", [("b", "a"), ("bp", "ap")])
def test_quote_is_its_mid_unless_crossed(
    bid: object, ask: object, flaw: str, names: tuple[str, str]
) -> None:
    """On the forex and the us-quote channel alike."""
    found = eodhd.parse(f'{{"s":"X","{names[0]}":{bid},"{names[1]}":{ask},"t":1790330111002}}')
    assert isinstance(found, RawTick)
    assert found.flaw == flaw


@pytest.mark.parametrize(("bid", "ask"), [(0, 1.1), (1.1, 0), (-1, 1), ('"x"', 1), ('"nan"', 1)])
def test_quote_with_an_empty_side_has_no_price(bid: object, ask: object) -> None:
    """Half of a bid and nothing is not a mid."""
    found = eodhd.parse(f'{{"s":"X","b":{bid},"a":{ask},"t":1790330111002}}')
    assert isinstance(found, RawTick)
    assert math.isnan(found.price)


@pytest.mark.parametrize("hours", ["open", "extended-hours", "extended hours", None])
@pytest.mark.parametrize("code", range(60))
def test_condition_bars_the_last_price_by_session(code: int, hours: str | None) -> None:
    """The vendor's list without odd lots (37); 12 and 13 bar only in regular hours."""
    barred = {2, 5, 7, 10, 12, 13, 15, 16, 20, 21, 22, 29, 33, 52, 53}
    if hours is not None and hours.startswith("extended"):
        barred -= {12, 13}
    for codes in (
        code,
        [code],
        [0, code, 41],
        [None, str(code)],
        str(code),
        f"41,{code}",
        f"[41, {code}]",
    ):
        message = {"s": "AAPL", "p": 1.0, "c": codes, "dp": False, "ms": hours, "t": 1790899194028}
        found = eodhd.parse(json.dumps(message))
        assert isinstance(found, RawTick)
        assert found.flaw == ("condition" if code in barred else "")


@pytest.mark.parametrize(
    "codes", ["null", "[]", '"@"', "{}", "[[12]]", "[true]", "0", "1e3", "99", '["", " ", "1_2"]']
)
def test_condition_of_another_type_is_neutral(codes: str) -> None:
    """Unknown codes bar nothing."""
    found = eodhd.parse(f'{{"s":"AAPL","p":1.5,"c":{codes},"t":1790899194028}}')
    assert found == RawTick("AAPL", 1790899194.028, 1.5, "")


MARKETS = {
    '"open"': "open",
    '"extended-hours"': "extended",
    '"extended hours"': "extended",
    '"Extended Hours"': "extended",
    '"OPEN"': "open",
    '"closed"': "closed",
    '" Closed "': "closed",
    '""': "",
    '"not open"': "",
    '"reopened"': "",
    "null": "",
    "true": "",
    "0": "",
    "1.5": "",
    "[]": "",
    '["open"]': "",
    '{"open":true}': "",
}


@pytest.mark.parametrize("said", MARKETS)
def test_market_is_told_in_any_spelling(said: str) -> None:
    """And rubbish of any type tells nothing."""
    found = eodhd.parse(f'{{"s":"AAPL","p":1.5,"ms":{said},"t":1790899194028}}')
    assert found == RawTick("AAPL", 1790899194.028, 1.5, "", MARKETS[said])  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["halted", "Halted", "trading-halt", "trading halt", "paused"])
def test_halt_is_told_in_any_spelling(said: str) -> None:
    """Of the stock that the message is about; what price it holds does not matter."""
    frame = f'{{"s":"AAPL","p":1.5,"ms":"{said}","t":1790899194028}}'
    assert eodhd.parse(frame) == Halt("AAPL", 1790899194.028, is_halted=True)
    assert greeted("AAPL").receive(frame.encode(), 0.0) == (eodhd.parse(frame),)


def test_market_is_told_of_trades_alone() -> None:
    """Where the vendor does not speak of it, the price says nothing."""
    for fields in ('"p":1.5', '"b":1.5,"a":1.5', '"bp":1.5,"ap":1.5'):
        found = eodhd.parse(f'{{"s":"X",{fields},"t":1790899194028}}')
        assert found == RawTick("X", 1790899194.028, 1.5, "", "")


def test_dark_pool_print_is_barred() -> None:
    """If the field says yes, in whatever type."""
    yes = ("true", '"true"', '"True"', "1", '"1"')
    no = ("false", '"false"', '"no"', "0", '"0"', '""', "null", "[]", "{}")
    for said, flaw in [*dict.fromkeys(yes, "condition").items(), *dict.fromkeys(no, "").items()]:
        found = eodhd.parse(f'{{"s":"AAPL","p":1.5,"dp":{said},"t":1790899194028}}')
        assert isinstance(found, RawTick)
        assert found.flaw == flaw


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_no_frame_raises(frame: bytes | str) -> None:
    """Neither text nor bytes, UTF-8 or not."""
    assert isinstance(eodhd.parse(frame), RawTick | Notice)


KEYS = ["s", "p", "a", "b", "ap", "bp", "t", "c", "ms", "dp", "status_code", "status", "message"]
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(10**300, 10**310),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["AAPL", "1.5", "nan", "1e400", "٣", "Symbols limit reached"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.one_of(values, st.dictionaries(st.sampled_from(KEYS), values)))
def test_no_json_raises(value: object) -> None:
    """Every type in every field, with NaN and Infinity as Python's own writer spells them."""
    text = json.dumps(value)
    found = eodhd.parse(text)
    if isinstance(found, RawTick):
        assert type(found.symbol) is str
        assert type(found.ts) is float
        assert type(found.price) is float
        assert found.market in ("", "open", "extended", "closed")
    assert repr(eodhd.parse(text.encode())) == repr(found)


# What is sent.


def test_subscription_names_its_symbols_in_one_string() -> None:
    """A JSON array is answered with 422."""
    assert json.loads(eodhd.subscribe(["AAPL", "MSFT"])) == {
        "action": "subscribe",
        "symbols": "AAPL,MSFT",
    }
    assert json.loads(eodhd.unsubscribe(("BTC-USD",))) == {
        "action": "unsubscribe",
        "symbols": "BTC-USD",
    }


@pytest.mark.parametrize(
    ("base", "asset", "key", "expected"),
    [
        ("wss://h/ws", "stocks", "demo", "wss://h/ws/us?api_token=demo"),
        ("wss://h/ws/", "forex", "demo", "wss://h/ws/forex?api_token=demo"),
        ("ws://h:1/ws", "crypto", "a.b_c-d~", "ws://h:1/ws/crypto?api_token=a.b_c-d~"),
        ("wss://h/ws", "crypto", "a/b?c&d=#é+%", None),
    ],
)
def test_url_quotes_the_key(base: str, asset: Asset, key: str, expected: str | None) -> None:
    """Whatever it is made of, it stays one parameter."""
    found = eodhd.url(base, asset, key)
    quoted = "wss://h/ws/crypto?api_token=a%2Fb%3Fc%26d%3D%23%C3%A9%2B%25"
    assert found == (expected or quoted)


def test_every_class_has_a_channel_and_a_patience() -> None:
    """And the public key's symbols are the vendor's own."""
    assert set(eodhd.CHANNELS) == set(eodhd.SILENCE_SEC) == set(ASSETS)
    assert eodhd.SYMBOL_LIMIT == 50
    assert eodhd.DEMO_SYMBOLS["crypto"] == ("BTC-USD", "ETH-USD")


# The vendor.


def test_vendor_shows_no_key() -> None:
    """Its address holds it; what it prints of itself does not."""
    vendor: Vendor = Eodhd("wss://h/ws", "SECRETKEY")
    assert vendor.address("stocks", ["AAPL"]) == "wss://h/ws/us?api_token=SECRETKEY"
    assert vendor.headers("stocks") == {}
    assert "SECRETKEY" not in repr(vendor)
    assert vendor.key_setting == "EODHD_API_KEY"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, NoticeKind.KEY_REFUSED),
        (403, NoticeKind.KEY_REFUSED),
        (429, NoticeKind.THROTTLED),
        (200, NoticeKind.SERVER_ERROR),
        (404, NoticeKind.SERVER_ERROR),
        (503, NoticeKind.SERVER_ERROR),
    ],
)
def test_rejected_handshake_means(status: int, kind: NoticeKind) -> None:
    """As the same codes do in a frame."""
    assert Eodhd("wss://h/ws", "k").rejection(status) is kind


# The talk on one connection, whose time is an argument.

GREETING = b'{"status_code":200,"message":"Authorized"}'
LIMIT_REACHED = b'{"status_code":422,"message":"Symbols limit reached"}'
NOT_COVERED = b'{"status_code":422,"message":"Only limited symbols allowed for demo"}'
TRADE = b'{"s":"B","p":1.5,"t":1790899194028}'
NOW = 1_790_899_194.5


def greeted(*symbols: str, pace: Pace = Pace()) -> Dialogue:  # noqa: B008 - frozen
    """A talk whose vendor has accepted the key."""
    talk = Eodhd("wss://h/ws", "k", pace=pace).dialogue("crypto", symbols)
    assert talk.receive(GREETING, NOW) == (Notice(NoticeKind.AUTHORIZED, 200),)
    return talk


def asked(talk: Dialogue, now: float) -> tuple[list[str], float]:
    """The symbols asked for at ``now``, a text for each message, and when the talk goes on."""
    frames, again = talk.due(now)
    return [json.loads(frame)["symbols"] for frame in frames], again


def kinds(found: Sequence[RawTick | Notice | Halt]) -> list[NoticeKind]:
    return [one.kind for one in found if isinstance(one, Notice)]


def test_nothing_is_said_before_the_greeting() -> None:
    """A client that asks earlier is dropped, and nobody who was not greeted is sent a price."""
    talk = Eodhd("wss://h/ws", "k").dialogue("crypto", ["A", "B"])
    assert list(talk.begin()) == []
    assert asked(talk, 0.0) == ([], math.inf)
    assert not talk.is_accepted
    assert kinds(talk.receive(TRADE, NOW)) == [NoticeKind.UNREADABLE]
    assert kinds(talk.receive(b"rubbish", NOW)) == [NoticeKind.UNREADABLE]
    assert kinds(talk.receive(LIMIT_REACHED, NOW)) == [NoticeKind.SERVER_ERROR]
    assert kinds(talk.receive(GREETING, NOW)) == [NoticeKind.AUTHORIZED]
    assert talk.is_accepted
    assert asked(talk, 5.0) == (["A,B"], math.inf)


def test_all_symbols_are_asked_for_at_once_and_only_once() -> None:
    """However often it is asked what is due."""
    talk = greeted("A", "B")
    assert asked(talk, 5.0) == (["A,B"], math.inf)
    assert talk.receive(TRADE, NOW) == (RawTick("B", 1790899194.028, 1.5, ""),)
    for now in (5.0, 6.0, 1e9):
        assert asked(talk, now) == ([], math.inf)
    assert talk.refused == {}


def test_refusal_of_all_is_followed_by_single_questions() -> None:
    """Whoever is not refused within a second is accepted; the others are asked for again later."""
    talk = greeted("A", "B", "C")
    asked(talk, 0.0)
    assert kinds(talk.receive(NOT_COVERED, NOW)) == [NoticeKind.SYMBOLS_REFUSED]
    assert asked(talk, 0.3) == (["A"], 1.3)
    assert asked(talk, 1.2) == ([], 1.3)
    assert asked(talk, 1.3) == (["B"], 2.3)
    talk.receive(NOT_COVERED, NOW)
    assert asked(talk, 1.5) == (["C"], 2.5)
    assert talk.refused == {"B": NoticeKind.SYMBOLS_REFUSED}
    assert asked(talk, 2.5) == ([], 302.5)
    talk.receive(NOT_COVERED, NOW)  # out of turn: of nobody knows what
    assert asked(talk, 302.0) == ([], 302.5)
    assert asked(talk, 302.5) == (["B"], 303.5)
    assert asked(talk, 303.5) == ([], 603.5)
    assert talk.refused == {}
    assert asked(talk, 603.5) == ([], math.inf)


def test_full_account_is_asked_again_a_few_times_soon_and_then_rarely() -> None:
    """One question per turn is enough: the limit holds for the others as well."""
    talk = greeted("A", "B")
    asked(talk, 0.0)
    talk.receive(LIMIT_REACHED, NOW)
    now, waits = 0.0, []
    for _ in range(6):
        assert asked(talk, now) == (["A"], now + 1)
        talk.receive(LIMIT_REACHED, NOW)
        frames, again = asked(talk, now)
        assert frames == []
        assert talk.refused == dict.fromkeys("AB", NoticeKind.SYMBOL_LIMIT)
        waits.append(again - now)
        now = again
    assert waits == [60.0] * 4 + [300.0] * 2


def test_endless_symbols_take_no_memory() -> None:
    """A vendor may send names that nobody asked for, for as long as it likes."""
    talk = greeted("A", "B")
    tracemalloc.start()
    try:
        for number in range(20_000):
            talk.receive(b'{"s":"%d","p":1.5,"t":1790899194028}' % number, NOW)
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()


def test_symbol_that_is_heard_is_not_refused() -> None:
    """A refusal names no symbol; one that comes late is of another."""
    talk = greeted("A", "B")
    asked(talk, 0.0)
    talk.receive(NOT_COVERED, NOW)
    for now in (0.0, 0.1):
        asked(talk, now)
        talk.receive(NOT_COVERED, NOW)
    assert asked(talk, 0.2) == ([], 300.2)
    assert set(talk.refused) == {"A", "B"}
    handed_out = talk.refused
    talk.receive(TRADE, NOW)
    assert set(talk.refused) == {"A"}
    assert set(handed_out) == {"A", "B"}
    assert asked(talk, 300.2) == (["A"], 301.2)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([GREETING, LIMIT_REACHED]))))
def test_no_talk_raises(frames: list[bytes]) -> None:
    """Whatever the other side says, and whenever."""
    talk = Eodhd("wss://h/ws", "k").dialogue("crypto", ["A", "B"])
    for number, frame in enumerate(frames):
        assert talk.receive(frame, NOW)
        _, again = talk.due(float(number))
        assert again > number
        assert set(talk.refused) <= {"A", "B"}
