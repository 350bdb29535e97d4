"""Alpaca's format and talk: messages seen on the wire or documented, and any rubbish."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from tests.fake_alpaca import FakeAlpaca
from vendors.alpaca import Alpaca
from vendors.wire import Dialogue, Halt, Notice, NoticeKind, RawTick, Vendor

KEY, SECRET = "PKSECRETKEY0123", "SECRETSECRET4567"
VENDOR = Alpaca("wss://stream.example/v2/iex", KEY, SECRET)
TEST_STREAM = Alpaca("wss://stream.example/v2/test", KEY, SECRET)

CONNECTED = b'[{"T":"success","msg":"connected"}]'
AUTHENTICATED = b'[{"T":"success","msg":"authenticated"}]'
SYMBOLS = ("AAPL", "MSFT", "BRK-B")

# As received in 2026, or documented.
FAKEPACA = '{"T":"t","S":"FAKEPACA","i":1,"x":"N","p":134.56,"s":3,"c":[" "],"z":"A","t":"2026-09-15T11:01:53.291535755Z"}'  # noqa: E501
QUOTE = '{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"c":["R"],"z":"C","t":"2021-02-22T15:51:45.335689322Z"}'  # noqa: E501
BAR = '{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062639,"t":"2021-02-22T19:15:00Z"}'  # noqa: E501
CORRECTION = '{"T":"c","S":"EEM","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],"ci":52983525034326,"cp":39.1809,"cs":440000,"cc":[" ","7"],"z":"B","t":"2023-04-06T14:25:06.542305024Z"}'  # noqa: E501
CANCEL = '{"T":"x","S":"GOOGL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"2023-04-06T13:15:42.83540958Z"}'  # noqa: E501
HALT = '{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"","t":"2021-02-22T19:15:00Z","z":"C"}'  # noqa: E501
COIN = '{"T":"t","S":"AVAX/USD","p":47.299,"s":29.205707815,"t":"2024-03-12T10:27:48.858228144Z","i":3447222699101865076,"tks":"S"}'  # noqa: E501


def frame(*messages: dict[str, Any] | str) -> bytes:
    """A frame of messages, as such or as their text."""
    return f"[{','.join(m if isinstance(m, str) else json.dumps(m) for m in messages)}]".encode()


def error(code: object, text: str = "") -> bytes:
    return frame({"T": "error", "code": code, "msg": text})


def trade(symbol: str = "AAPL", price: float = 100.0, number: int = 1, **fields: Any) -> bytes:
    given = {"i": number, "x": "V", "c": ["@"], "z": "C", "t": "2026-09-15T11:01:53Z", **fields}
    return frame({"T": "t", "S": symbol, "p": price, "s": 1, **given})


def talk(symbols: Sequence[str] = SYMBOLS, vendor: Vendor = VENDOR) -> Dialogue:
    """A dialogue that is authenticated and has asked for its symbols."""
    one = vendor.dialogue("stocks", symbols)
    assert one.begin() == ()
    one.receive(CONNECTED, 0.0)
    one.due(0.0)
    one.receive(AUTHENTICATED, 0.0)
    one.due(0.0)
    return one


def confirmed(symbols: Sequence[str] = SYMBOLS) -> Dialogue:
    """One that is subscribed."""
    one = talk(symbols)
    ack(one, [name for s in symbols if (name := VENDOR.symbol("stocks", s))])
    return one


def ack(one: Dialogue, names: Sequence[str]) -> None:
    one.receive(frame({"T": "subscription", "trades": names}), 0.0)


def asked(one: Dialogue, now: float = 0.0) -> list[dict[str, Any]]:
    return [json.loads(message) for message in one.due(now)[0]]


# The talk.


def test_talk_goes_in_the_vendors_order() -> None:
    """Greeting, authentication, subscription; each is sent once the one before is answered."""
    one = VENDOR.dialogue("stocks", SYMBOLS)
    assert one.begin() == ()
    assert one.due(0.0) == ((), math.inf)
    assert one.receive(CONNECTED, 0.0) == [Notice(NoticeKind.ALIVE)]
    assert asked(one) == [{"action": "auth", "key": KEY, "secret": SECRET}]
    assert one.due(0.0) == ((), math.inf)
    assert one.receive(AUTHENTICATED, 0.0) == [Notice(NoticeKind.AUTHORIZED)]
    assert not one.is_accepted
    assert asked(one) == [{"action": "subscribe", "trades": ["AAPL", "MSFT", "BRK.B"]}]
    assert one.due(1.0)[0] == ()
    answer = frame({"T": "subscription", "trades": ["BRK.B", "AAPL", "MSFT"], "quotes": []})
    assert one.receive(answer, 0.0) == [Notice(NoticeKind.SUBSCRIBED)]
    assert one.is_accepted
    assert one.refused == {}
    assert asked(one) == [{"action": "subscribe", "statuses": ["AAPL", "MSFT", "BRK.B"]}]
    assert one.due(0.0) == ((), math.inf)
    # What the confirmation of the halts alone does not repeat is still subscribed to.
    one.receive(frame({"T": "subscription", "statuses": ["AAPL", "MSFT", "BRK.B"]}), 0.0)
    assert one.refused == {}


@pytest.mark.parametrize("names", [["AAPL"], []])
def test_what_is_not_confirmed_is_named(names: list[str]) -> None:
    """An empty list is left out of a confirmation; a later one may add what was missing."""
    one = talk()
    one.receive(frame({"T": "subscription", **({"trades": names} if names else {})}), 0.0)
    assert one.is_accepted
    missing = [symbol for symbol in SYMBOLS if symbol not in names]
    assert one.refused == dict.fromkeys(missing, NoticeKind.UNCONFIRMED)
    before = one.refused
    ack(one, ["AAPL", "MSFT", "BRK.B", "TSLA"])
    assert one.refused == {}
    assert len(before) == len(missing), "it does not change"


def test_confirmation_that_does_not_come_is_not_waited_for() -> None:
    """The vendor answers within a second; the connection is accepted by an answer alone."""
    one = talk()
    until = one.due(0.0)[1]
    assert until == 5.0
    assert one.due(until)[0] == ()
    assert one.refused == dict.fromkeys(SYMBOLS, NoticeKind.UNCONFIRMED)
    assert not one.is_accepted


def test_what_is_not_confirmed_is_asked_for_again() -> None:
    """Now and then, until it is; its halts as well, then."""
    one = talk()
    ack(one, ["AAPL"])
    assert asked(one, 1.0) == [{"action": "subscribe", "statuses": ["AAPL"]}]
    one.receive(frame({"T": "subscription", "trades": ["AAPL"], "statuses": ["AAPL"]}), 0.0)
    assert one.due(2.0) == ((), 301.0)
    assert asked(one, 301.0) == [{"action": "subscribe", "trades": ["MSFT", "BRK.B"]}]
    ack(one, ["AAPL", "MSFT"])
    assert one.refused == {"BRK-B": NoticeKind.UNCONFIRMED}
    assert asked(one, 302.0) == [{"action": "subscribe", "statuses": ["AAPL", "MSFT"]}]
    one.receive(error(410), 0.0)
    assert one.due(303.0) == ((), 602.0)
    assert asked(one, 602.0) == [{"action": "subscribe", "trades": ["BRK.B"]}]
    ack(one, ["AAPL", "MSFT", "BRK.B"])
    assert one.refused == {}
    assert one.due(603.0) == ((), math.inf)


def test_beyond_the_limit_as_many_are_asked_for_as_there_is_room() -> None:
    """A subscription that is too long is refused as a whole, and leaves the others as they are."""
    one = talk()
    assert one.receive(error(405), 0.0) == [Notice(NoticeKind.SYMBOL_LIMIT, 405)]
    assert asked(one) == [{"action": "subscribe", "trades": ["AAPL"]}]
    ack(one, ["AAPL"])
    assert one.is_accepted
    assert asked(one) == [{"action": "subscribe", "trades": ["MSFT"]}]
    assert one.receive(error(405), 0.0) == [Notice(NoticeKind.SYMBOL_LIMIT, 405)]
    limited = dict.fromkeys(["MSFT", "BRK-B"], NoticeKind.SYMBOL_LIMIT)
    assert one.refused == limited
    assert asked(one) == [{"action": "subscribe", "statuses": ["AAPL"]}]
    one.receive(frame({"T": "subscription", "trades": ["AAPL"], "statuses": ["AAPL"]}), 0.0)
    assert one.refused == limited


def test_name_that_is_not_understood_is_left_out() -> None:
    """The refusal names none, so all are asked for one by one."""
    one = talk()
    assert one.receive(error(400, "invalid syntax"), 0.0) == [
        Notice(NoticeKind.SYMBOLS_REFUSED, 400)
    ]
    asked(one)
    ack(one, ["AAPL"])
    asked(one)
    assert one.receive(error(400), 0.0) == [Notice(NoticeKind.SYMBOL_UNKNOWN, 400)]
    asked(one)
    ack(one, ["AAPL", "BRK.B"])
    assert one.refused == {"MSFT": NoticeKind.SYMBOL_UNKNOWN}


def test_if_no_name_is_understood_it_is_not_the_names() -> None:
    """Then the request itself is wrong, which asking again does not change."""
    one = talk(("AAPL", "MSFT"))
    one.receive(error(400), 0.0)
    asked(one)
    one.receive(error(400), 0.0)
    asked(one)
    assert one.receive(error(400), 0.0) == [Notice(NoticeKind.BAD_REQUEST, 400)]


@pytest.mark.parametrize("code", [400, 405, 409, 410])
def test_plan_without_halts_is_as_good(code: int) -> None:
    """Prices come as before; the next such answer is about something else."""
    one = confirmed()
    assert asked(one) == [{"action": "subscribe", "statuses": ["AAPL", "MSFT", "BRK.B"]}]
    assert one.receive(error(code), 0.0) == [Notice(NoticeKind.IGNORED, code)]
    assert one.refused == {}
    assert one.due(0.0) == ((), math.inf)
    if code != 405:
        assert one.receive(error(code), 0.0)[0] != Notice(NoticeKind.IGNORED, code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, NoticeKind.BAD_REQUEST),
        (401, NoticeKind.SERVER_ERROR),
        (402, NoticeKind.KEY_REFUSED),
        (403, NoticeKind.AUTHORIZED),
        (404, NoticeKind.SERVER_ERROR),
        (406, NoticeKind.CONNECTION_LIMIT),
        (407, NoticeKind.SERVER_ERROR),
        (409, NoticeKind.PLAN_REFUSED),
        (410, NoticeKind.BAD_REQUEST),
        (500, NoticeKind.SERVER_ERROR),
        (599, NoticeKind.SERVER_ERROR),
    ],
)
def test_every_code_in_answer_to_the_authentication(code: int, kind: NoticeKind) -> None:
    """Two of them, and any new one, may go well the next time."""
    one = VENDOR.dialogue("stocks", SYMBOLS)
    one.receive(CONNECTED, 0.0)
    one.due(0.0)
    assert one.receive(error(code), 0.0) == [Notice(kind, code)]
    assert not one.is_accepted


@pytest.mark.parametrize("code", ["402", None, True, 402.5, [402]])
def test_code_that_is_none(code: object) -> None:
    """An error all the same."""
    assert talk().receive(error(code), 0.0) == [Notice(NoticeKind.SERVER_ERROR)]


# Prices.


def test_trade_of_the_test_stream() -> None:
    """Its market never closes; its time is cut to microseconds."""
    one = talk(["FAKEPACA"], TEST_STREAM)
    (found,) = one.receive(frame(FAKEPACA), 0.0)
    assert isinstance(found, RawTick)
    assert found[:6] == ("FAKEPACA", 1789470113.291535, 134.56, "", "open", False)
    assert found.trade_id is not None


@pytest.mark.parametrize(
    ("stamp", "ts"),
    [
        ("2021-02-22T19:15:00Z", 1614021300.0),
        ("2023-04-06T13:15:42.83540958Z", 1680786942.835409),
        ("2026-09-15T11:01:53.291535755Z", 1789470113.291535),
        ("2021-02-22T15:51:44.208Z", 1614009104.208),
    ],
)
def test_times_have_any_number_of_digits(stamp: str, ts: float) -> None:
    """Zeros at the end are cut."""
    (found,) = confirmed().receive(trade(t=stamp), 0.0)
    assert isinstance(found, RawTick)
    assert found.ts == ts


def test_several_trades_of_one_frame() -> None:
    """In our spelling, each with an identity of its own."""
    found = confirmed().receive(
        frame(*(trade(s, 1.5, n)[1:-1].decode() for n, s in enumerate(["AAPL", "BRK.B"]))), 0.0
    )
    assert [(raw.symbol, raw.price) for raw in found if isinstance(raw, RawTick)] == [
        ("AAPL", 1.5),
        ("BRK-B", 1.5),
    ]


def test_identity_is_of_the_number_the_exchange_and_the_time() -> None:
    """A number may come again on another exchange or another day; and the same trade twice."""
    one = confirmed()
    stamps = ("2026-09-15T11:01:53Z", "2026-09-16T11:01:53Z")
    seen = [
        raw.trade_id
        for again in range(2)
        for number in (1, 2)
        for exchange in "VN"
        for stamp in stamps
        for raw in one.receive(trade(number=number, x=exchange, t=stamp), 0.0)
        if isinstance(raw, RawTick)
    ]
    assert len(seen) == 16
    assert len(set(seen)) == 8
    (unnumbered,) = one.receive(trade(i=None), 0.0)
    assert isinstance(unnumbered, RawTick)
    assert unnumbered.trade_id is None


NO_LAST_PRICE = [*"CGHMNPQRUVWZ479"]
LAST_PRICE = [" ", *"@ADEFKLOTXY56", "I", "1", "?"]


@pytest.mark.parametrize("tape", ["A", "B", "C", None])
@pytest.mark.parametrize("code", [*NO_LAST_PRICE, *LAST_PRICE, "B"])
def test_conditions(code: str, tape: str | None) -> None:
    """One that bars is enough; ``B`` means something else on the third tape."""
    is_barred = code in NO_LAST_PRICE or (code == "B" and tape in ("A", "B"))
    for conditions in ([code], ["@", code], code):
        (found,) = confirmed().receive(trade(c=conditions, z=tape), 0.0)
        assert isinstance(found, RawTick)
        assert found.flaw == ("condition" if is_barred else "")


@pytest.mark.parametrize("conditions", [None, [], "", [None], [7], {"a": 1}, 7])
def test_conditions_that_are_none_bar_nothing(conditions: object) -> None:
    (found,) = confirmed().receive(trade(c=conditions), 0.0)
    assert isinstance(found, RawTick)
    assert found.flaw == ""


def test_price_is_a_number_in_any_form() -> None:
    """Else it is none, which the gate says."""
    one = confirmed()
    for price, expected in ((100, 100.0), ("100.5", 100.5), (1e2, 100.0)):
        (found,) = one.receive(trade(p=price), 0.0)
        assert isinstance(found, RawTick)
        assert found.price == expected
    bads: Sequence[object] = (None, True, "x", [], {})
    for bad in bads:
        (found,) = one.receive(trade(p=bad), 0.0)
        assert isinstance(found, RawTick)
        assert math.isnan(found.price)


def test_trade_of_something_else_is_handed_on() -> None:
    """The gate counts it; numbers of coins are as long as they can be."""
    (found,) = confirmed().receive(frame(COIN), 0.0)
    assert isinstance(found, RawTick)
    assert (found.symbol, found.price) == ("AVAX/USD", 47.299)


@pytest.mark.parametrize(
    "message",
    [
        QUOTE,
        BAR,
        BAR.replace('"b"', '"u"'),
        BAR.replace('"b"', '"d"'),
        '{"T":"n","id":1,"headline":"x","symbols":["AAPL"]}',
        '{"T":"l","S":"AAPL","u":1,"d":2,"i":"B","t":"2021-02-22T19:15:00Z","z":"C"}',
        '{"T":"something new","S":{"p":[]},"code":[]}',
        '{"T":"success","msg":"well done"}',
        CANCEL,
        CORRECTION,
        HALT.replace("AAPL", "TSLA"),
        HALT.replace('"H"', '"Q"'),
        HALT.replace('"H"', '"F"'),
        HALT.replace('"H"', "7"),
    ],
)
def test_what_tells_nothing_is_counted_as_that(message: str) -> None:
    """Quotes and bars were not asked for; kinds of messages are added without notice."""
    assert confirmed().receive(frame(message), 0.0) == [Notice(NoticeKind.IGNORED)]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[", "null", "12", '"t"', "{}", FAKEPACA, "[null]", "[1]", "[[]]", "[{}]",
        '[{"T":7}]', '[{"T":"t"}]', '[{"T":"t","S":"AAPL","p":1}]', "\x00", "[" * 50_000,
        '[{"T":"t","S":"AAPL","p":1,"t":1}]', '[{"T":"t","S":"AAPL","p":1,"t":"now"}]',
        '[{"T":"t","S":"AAPL","p":1,"t":"2026-09-15T11:01:53"}]',
        '[{"T":"t","S":7,"p":1,"t":"2026-09-15T11:01:53Z"}]',
        '[{"T":"t","S":"","p":1,"t":"2026-09-15T11:01:53Z"}]',
    ],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    """Every frame is an array of messages."""
    assert confirmed().receive(text.encode(), 0.0) == [Notice(NoticeKind.UNREADABLE)]


def test_what_can_be_read_of_a_frame_is() -> None:
    """One bad message does not cost the others."""
    good = trade()[1:-1].decode()
    found = confirmed().receive(frame(good, "17", '{"T":7}', good), 0.0)
    assert [type(one) for one in found] == [RawTick, Notice, Notice, RawTick]
    assert confirmed().receive(b"[]", 0.0) == []


# Corrections.


def after(*frames: bytes) -> RawTick | Notice | Halt:
    """What the last of some frames means."""
    one = confirmed()
    found: Sequence[RawTick | Notice | Halt] = ()
    for each in frames:
        found = one.receive(each, 0.0)
    return found[-1]


def cancel(number: object, exchange: str = "V", symbol: str = "AAPL") -> bytes:
    return frame({"T": "x", "S": symbol, "i": number, "x": exchange, "a": "C", "p": 1.0})


def correct(number: int, price: object, conditions: Sequence[str] = ("@",)) -> bytes:
    return frame(
        {"T": "c", "S": "AAPL", "x": "V", "oi": number, "ci": 99, "cp": price, "cc": conditions}
        | {"z": "C", "t": "2026-09-15T12:00:00Z"}
    )


AT = 1789470113.0
FIRST = trade(price=100.0, number=1, t="2026-09-15T11:01:51Z")
SECOND = trade(price=101.0, number=2, t="2026-09-15T11:01:52Z")
THIRD = trade(price=102.0, number=3)


def test_cancelled_trade_leaves_the_price_of_the_one_before() -> None:
    """With its own time, so that it takes its place; and again if that one is cancelled too."""
    expected = RawTick("AAPL", AT, 101.0, "")
    assert after(FIRST, SECOND, THIRD, cancel(3)) == expected
    assert after(FIRST, SECOND, THIRD, cancel(3), cancel(2)) == expected._replace(price=100.0)
    # The order of times counts, not that of coming.
    assert after(THIRD, SECOND, FIRST, cancel(3)) == expected


def test_corrected_trade_has_its_corrected_price() -> None:
    """Unless its conditions bar that: then it is as good as cancelled."""
    expected = RawTick("AAPL", AT, 101.5, "")
    assert after(FIRST, SECOND, THIRD, correct(3, 101.5)) == expected
    assert after(FIRST, SECOND, THIRD, correct(3, 50.0, ["W"])) == expected._replace(price=101.0)
    assert after(FIRST, SECOND, THIRD, correct(3, None)) == expected._replace(price=101.0)
    # A correction may itself be cancelled, by its own number.
    assert after(SECOND, THIRD, correct(3, 101.5), cancel(99)) == expected._replace(price=101.0)


def test_other_corrections_change_no_last_price() -> None:
    """Of an older trade, of one that is not known, or if no other one is known."""
    ignored = Notice(NoticeKind.IGNORED)
    assert after(FIRST, SECOND, THIRD, cancel(2)) == ignored
    assert after(FIRST, SECOND, THIRD, correct(2, 7.0)) == ignored
    assert after(FIRST, SECOND, cancel(2, exchange="N")) == ignored
    assert after(FIRST, SECOND, cancel(7)) == ignored
    assert after(FIRST, SECOND, cancel(None)) == ignored
    assert after(THIRD, cancel(3)) == ignored
    assert after(THIRD, cancel(3, symbol="TSLA")) == ignored
    # What was taken back, or never set the price, is not fallen back to.
    barred = trade(price=55.0, number=4, c=["W"], t="2026-09-15T11:01:52Z")
    assert after(FIRST, SECOND, barred, THIRD, cancel(2), cancel(3)) == RawTick(
        "AAPL", AT, 100.0, ""
    )


# Halts.


@pytest.mark.parametrize(
    ("status", "is_halted"), [("H", True), ("P", True), ("2", True), ("T", False), ("3", False)]
)
def test_statuses_that_stop_trading_or_let_it_go_on(status: str, is_halted: bool) -> None:
    """Of all tapes."""
    said = frame(HALT.replace('"H"', f'"{status}"'))
    assert confirmed().receive(said, 7.0) == [Halt("AAPL", 1614021300.0, is_halted)]


def test_halt_without_a_time_is_of_now() -> None:
    said = frame({"T": "s", "S": "BRK.B", "sc": "H"})
    assert confirmed().receive(said, 7.0) == [Halt("BRK-B", 7.0, True)]


# The vendor.


def test_symbols() -> None:
    """Only what a stock's name can look like; and on the test stream the one that it has."""
    pairs = {"AAPL": "AAPL", "F": "F", "GOOGL": "GOOGL", "BRK-B": "BRK.B", "BF-A": "BF.A"}
    assert {symbol: VENDOR.symbol("stocks", symbol) for symbol in pairs} == pairs
    for other in ("BRK.B", "brk-b", "BTC-USD", "TOOLONG", "", "A-", "-B", "É", "A B", "FAKEPACA"):
        assert VENDOR.symbol("stocks", other) is None
    assert VENDOR.symbol("crypto", "AAPL") is None
    assert VENDOR.symbol("forex", "EURUSD") is None
    assert TEST_STREAM.symbol("stocks", "FAKEPACA") == "FAKEPACA"
    assert TEST_STREAM.symbol("stocks", "SPY") is None


def test_what_it_says_of_itself() -> None:
    """Its keys are in no address, no header and no ``repr``."""
    assert VENDOR.address("stocks", SYMBOLS) == "wss://stream.example/v2/iex"
    assert VENDOR.headers("stocks") == {}
    assert set(VENDOR.secrets) == {KEY, SECRET}
    assert KEY not in repr(VENDOR)
    assert SECRET not in repr(VENDOR)
    assert (VENDOR.connections, VENDOR.symbol_limit, VENDOR.spacing_sec) == (1, 30, 5.0)
    assert VENDOR.closing(1006) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, NoticeKind.BAD_REQUEST),
        (401, NoticeKind.KEY_REFUSED),
        (403, NoticeKind.KEY_REFUSED),
        (404, NoticeKind.BAD_REQUEST),
        (429, NoticeKind.THROTTLED),
        (451, NoticeKind.UNAVAILABLE),
        (500, NoticeKind.SERVER_ERROR),
        (502, NoticeKind.SERVER_ERROR),
    ],
)
def test_refused_handshakes(status: int, kind: NoticeKind) -> None:
    assert VENDOR.rejection(status) is kind


_ODD: Sequence[object] = (None, True, 0, -1, 465, 10**30, 1.5, math.nan, math.inf, "", "V", "AAPL")
_ODDER: Sequence[object] = ("\ud800", [], ["AAPL"], [[]], {}, {"p": 1}, "2026-09-15T11:01:53Z")
_JSON = st.sampled_from([*_ODD, *_ODDER])
_KINDS = st.sampled_from(["t", "c", "x", "s", "error", "success", "subscription", "b", "?"])
_FIELDS = ["S", "i", "x", "p", "c", "z", "t", "oi", "ci", "cp", "cc", "sc", "code", "msg", "trades"]


@given(
    st.lists(
        st.tuples(_KINDS, st.dictionaries(st.sampled_from(_FIELDS), _JSON)),
        max_size=4,
    )
)
def test_never_raises(messages: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever stands in the fields; each message means one thing."""
    one = confirmed()
    text = json.dumps([{"T": kind, **fields} for kind, fields in messages])
    found = one.receive(text.encode("utf-8", "surrogatepass"), 0.0)
    assert len(found) in (len(messages), 1)
    assert all(isinstance(each, RawTick | Notice | Halt) for each in found)
    one.due(0.0)


@given(st.binary(max_size=50))
def test_no_bytes_raise(rubbish: bytes) -> None:
    """Neither does what is not even text."""
    confirmed().receive(rubbish, 0.0)
    confirmed().receive(b"[" + rubbish + b"]", 0.0)


def test_frames_are_text_unless_they_are_asked_for_packed() -> None:
    """A header would ask for it, which is not among those of the vendor."""
    with FakeAlpaca(KEY, SECRET) as server:
        packed = {"Content-Type": "application/msgpack"}
        for headers, kind in ((VENDOR.headers("stocks"), str), (packed, bytes)):
            with connect(server.url, additional_headers=headers, proxy=None) as ws:
                assert isinstance(ws.recv(), kind)
