"""The stream as programs meet it: on a real socket, of a worker whose seconds the test brings."""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
from collections.abc import Iterator
from typing import Any

import jwt
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api.broadcast import Patience
from api.columns import FLOAT64
from api.protocol import SAID_BYTES, Form
from formulas import COLUMNS
from history.recorder import ArchiveState
from settings import ApiSettings
from tests.station import BEGIN, HANDSHAKE, NAMES, Client, Station, frame_of
from tests.waiting import HANG_SEC, until
from ticks import Tick

TOKEN = "a token that is long enough"  # noqa: S105 - of nothing else
KEY = "a key that is long enough for a signature of this kind"
WITH_TOKEN = ApiSettings(tokens={"desk": hashlib.sha256(TOKEN.encode()).hexdigest()}, jwt_key=KEY)
PRICES = {"BTC-USD": 90_000.0, "ETH-USD": 3_000.0}


def web_token(expires: float) -> str:
    """A JSON web token that is good until then."""
    return jwt.encode({"exp": expires, "aud": "market-pulse", "sub": "robot"}, KEY)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Station]:
    """A station in which no second passes."""
    with Station() as station:
        yield station


def closed(client: Client) -> tuple[int, str]:
    """The code and the reason with which a client is closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            client.socket.recv(HANG_SEC)
    assert client.socket.close_code is not None
    return client.socket.close_code, client.socket.close_reason or ""


# Who is let in.


def test_hello_says_what_the_stream_is_of(quiet: Station) -> None:
    with quiet.client() as client:
        assert client.hear() == {
            "type": "hello",
            "v": 1,
            "auth": "ok",
            "stream": "live:1",
            "now": float(BEGIN),
            "symbols": list(NAMES),
            "assets": ["crypto"] * 3,
            "replica": False,
        }


@pytest.mark.parametrize(
    ("form", "chosen"), [(Form.MSGPACK, Form.MSGPACK), (Form.JSON, Form.JSON), (None, None)]
)
def test_the_form_is_that_of_the_subprotocol_and_json_without_one(
    quiet: Station, form: Form | None, chosen: Form | None
) -> None:
    with quiet.client(form) as client:
        assert client.socket.subprotocol == (chosen and str(chosen))
        assert client.hear("hello")["v"] == 1


def test_a_token_of_the_header_lets_in_and_a_wrong_one_is_401() -> None:
    with Station(api=WITH_TOKEN) as station:
        with station.client(token=TOKEN) as client:
            assert client.hear()["auth"] == "ok"
        for token in ("unknown-one", web_token(BEGIN - 1.0)):
            with pytest.raises(InvalidStatus) as refused, station.client(token=token):
                pass
            assert refused.value.response.status_code == 401
            assert b"token" in refused.value.response.body
            assert token.encode() not in refused.value.response.body


def test_a_token_of_the_first_message_lets_in_and_a_wrong_one_is_3500() -> None:
    with Station(api=WITH_TOKEN) as station:
        with station.client() as client:
            assert client.hear() == {"type": "hello", "v": 1, "auth": "wanted"}
            client.say("subscribe", channel="frame")
            assert client.hear()["code"] == "unauthorized"
            client.say("auth", token=TOKEN)
            assert client.hear()["auth"] == "ok"
            client.say("subscribe", channel="frame")
            assert client.hear()["type"] == "frame"
        for token in ("unknown-one", web_token(BEGIN - 1.0)):
            with station.client() as client:
                client.say("auth", token=token)
                code, reason = closed(client)
                assert code == 3500
                assert token not in reason


def test_without_a_token_in_time_it_is_1008() -> None:
    with Station(Patience(auth_sec=0.05), WITH_TOKEN) as station, station.client() as client:
        assert closed(client)[0] == 1008


def test_a_socket_does_not_outlive_its_token_unless_a_newer_one_comes() -> None:
    with Station(Patience(heartbeat_sec=0.05), WITH_TOKEN) as station, station.client() as client:
        client.say("auth", token=web_token(BEGIN + 10.0))
        client.hear("heartbeat")
        client.say("auth", token=web_token(BEGIN + 20.0))
        client.hear("hello")
        station.now = BEGIN + 15.0
        client.hear("heartbeat")
        client.hear("heartbeat")
        station.now = BEGIN + 20.0
        assert closed(client)[0] == 3005


def test_nobody_is_let_in_while_nothing_runs_or_there_is_no_room() -> None:
    with Station(Patience(clients=1)) as station:
        with station.client() as client:
            client.hear("hello")
            with pytest.raises(InvalidStatus) as full, connect(station.address):
                pass
            assert full.value.response.status_code == 503
            assert full.value.response.headers["Retry-After"] == "5"
        until(lambda: station.stream.clients == 0)
        with station.client() as client:
            client.hear("hello")


# What is said.


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", 1007),
        ('{"type": "ping", "n": 1', 1007),
        (b"{}", 1007),
        ('{"type": "ping", "n": "' + "x" * SAID_BYTES + '"}', 1009),
    ],
)
def test_what_cannot_be_decoded_ends_it(quiet: Station, content: str | bytes, code: int) -> None:
    with quiet.client() as client:
        client.socket.send(content)
        assert closed(client)[0] == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"type": "nonsense", "id": "a"}, "unreadable"),
        ({"type": "subscribe", "id": "a"}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "frame", "evry": 2}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "frame", "every": 0}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "frame", "since": 1}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "frame", "numbers": "f32"}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "bars", "acks": 2}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "bars", "fields": ["last"]}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "bars", "since": [1, "x"]}, "unreadable"),
        ({"type": "subscribe", "id": "a", "channel": "frame", "fields": ["x"]}, "unknown_name"),
        ({"type": "subscribe", "id": "a", "channel": "bars", "symbols": ["x"]}, "unknown_name"),
        ({"type": "ack", "id": "a"}, "unknown_id"),
        ({"type": "stop", "id": "a"}, "unknown_id"),
    ],
)
def test_what_is_wrong_is_said_and_the_socket_stays_open(
    quiet: Station, said: dict[str, Any], code: str
) -> None:
    with quiet.client() as client:
        client.say(said.pop("type"), **said)
        error = client.hear("error")
        assert (error["id"], error["code"]) == ("a", code)
        assert error["message"]
        client.say("ping", n=3)
        assert client.hear()["n"] == 3


@pytest.mark.parametrize("end", [math.inf, 1e300, math.nan])
def test_a_file_until_what_is_no_time_is_an_error(quiet: Station, end: float) -> None:
    """In msgpack every number can be said."""
    with quiet.client(Form.MSGPACK) as client:
        client.say("file", id=1, what="bars", **{"from": 0.0, "to": end})
        assert client.hear("error", "file")["code"] == "unreadable"


def test_more_than_ten_messages_a_second_end_it_but_acknowledgements_owed_do_not() -> None:
    with Station(Patience(per_sec=0.001, burst=3)) as station, station.client() as client:
        client.say("subscribe", channel="frame", acks=1)
        for _ in range(10):
            client.hear("frame")
            station.second(PRICES)
            client.say("ack")
        for _ in range(3):
            client.say("ping")
        assert closed(client)[0] == 1008


def test_subscriptions_have_a_number_that_is_not_exceeded() -> None:
    with Station(Patience(subscriptions=1)) as station, station.client() as client:
        client.say("subscribe", channel="frame", id=1)
        client.say("subscribe", channel="frame", id=1, every=5)
        client.say("subscribe", channel="frame", id=2)
        assert client.hear("error")["code"] == "too_many"
        client.say("stop", id=1)
        client.say("subscribe", channel="frame", id=2)
        until(lambda: client.hear("frame")["id"] == 2)


def test_a_heartbeat_comes_when_there_is_nothing_else() -> None:
    with Station(Patience(heartbeat_sec=0.02)) as station, station.client() as client:
        assert client.hear("heartbeat") == {"type": "heartbeat", "now": float(BEGIN)}
        assert client.hear("heartbeat")


# Frames.


def test_a_frame_comes_at_once_and_then_every_so_many_seconds_always_whole() -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        client.say("subscribe", channel="frame", every=2)
        frame = client.hear("frame")
        assert frame["seq"] == BEGIN
        assert frame["symbols"] == list(NAMES)
        assert frame["last"] == [90_000.0, 3_000.0, None]
        assert frame.keys() == {"type", "id", "seq", "now", "symbols", *COLUMNS}
        for price in (1.0, 2.0, 3.0, 4.0):
            station.second({"BTC-USD": price})
        heard = [client.hear("frame") for _ in range(2)]
        assert [frame["seq"] for frame in heard] == [BEGIN + 2, BEGIN + 4]
        assert [frame["last"][0] for frame in heard] == [2.0, 4.0]


def test_fields_and_symbols_are_those_asked_for_in_their_order() -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        symbols = ["ETH-USD", "BTC-USD"]
        client.say("subscribe", channel="frame", id=7, fields=["asset", "last"], symbols=symbols)
        assert client.hear("frame") == {
            "type": "frame",
            "id": 7,
            "seq": BEGIN,
            "now": BEGIN + 0.999,
            "symbols": symbols,
            "asset": ["crypto", "crypto"],
            "last": [3_000.0, 90_000.0],
        }


@pytest.mark.parametrize("numbers", ["f32", "f64"])
def test_raw_columns_are_read_by_numpy_and_nothing_else(numbers: str) -> None:
    with Station() as station, station.client(Form.MSGPACK) as client:
        station.second(PRICES)
        client.say("subscribe", channel="frame", numbers=numbers)
        raw = client.hear("frame")
        client.say("subscribe", channel="frame")
        plain = client.hear("frame")
        for name in COLUMNS:
            if isinstance(raw[name], bytes):
                kind = "<f8" if numbers == "f64" or name in FLOAT64 else "<f4"
                np.testing.assert_allclose(
                    np.frombuffer(raw[name], kind), np.array(plain[name], float), rtol=1e-6
                )
            else:
                assert raw[name] == plain[name]
        assert isinstance(raw["last"], bytes)


def test_a_slow_reader_reads_what_is_new_and_not_what_piled_up() -> None:
    """No more than its credits are on the way: what it reads next is no older than those."""
    with Station() as station, station.client() as client:
        client.say("subscribe", channel="frame", acks=2)
        for price in range(1, 31):
            station.second({"BTC-USD": float(price)})
        newest = BEGIN + 29
        waiting = [message for message in client.hear_all() if message["type"] == "frame"]
        assert len(waiting) <= 2
        client.say("ack")
        assert client.hear("frame")["seq"] == newest
        station.second({"BTC-USD": 1.0})
        station.second({"BTC-USD": 1.0})
        client.say("ack")
        assert client.hear("frame")["seq"] == newest + 2


def test_twenty_clients_that_do_not_read_are_gone_and_hold_up_nobody() -> None:
    """Each is given up when a message is not taken in time; whoever reads goes on reading."""
    names = tuple(f"C{number}-USD" for number in range(200))
    patience = Patience(send_sec=0.1, close_sec=0.1)
    with Station(patience, names=names, send_bytes=4096) as station:
        stalled = [socket.socket() for _ in range(20)]
        for each in stalled:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.connect(("127.0.0.1", station.server.port))
            each.sendall(HANDSHAKE)
            assert each.recv(12) == b"HTTP/1.1 101"
            each.sendall(frame_of({"type": "subscribe", "channel": "frame"}))
        with station.client() as client:
            client.say("subscribe", channel="frame", acks=1, fields=["last"])
            assert station.stream.clients == 21

            def are_gone() -> bool:
                client.say("ack")
                second = station.second({names[0]: 1.0})
                while client.hear("frame")["seq"] < second:
                    client.say("ack")
                return station.stream.clients == 1

            until(are_gone)
        for each in stalled:
            each.close()


# Status.


def test_a_status_comes_if_it_changed_in_more_than_numbers() -> None:
    with Station() as station, station.client() as client:
        client.say("subscribe", channel="status")
        status = client.hear("status")["status"]
        assert status["source"]["name"] == "live"
        station.second(PRICES)
        assert client.hear_all() == []
        station.say_of_archive(ArchiveState.TROUBLE)
        station.second({})
        assert client.hear("status")["status"]["archive"]["state"] == "trouble"
        station.second({})
        assert client.hear_all() == []


def test_a_status_comes_every_ten_seconds_even_if_nothing_changed() -> None:
    steady = [0.0]
    with Station(clock=lambda: steady[0]) as station, station.client() as client:
        client.say("subscribe", channel="status")
        assert client.hear("status")
        steady[0] = 9.9
        station.second({})
        assert client.hear_all() == []
        steady[0] = 10.0
        station.second({})
        assert client.hear("status")


# Bars.


def rows(message: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a message of bars."""
    return [tuple(row) for row in message["rows"]]


def test_bars_come_a_second_at_a_time_with_corrections_of_earlier_ones() -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        client.say("subscribe", channel="bars")
        client.hear_all()
        station.second({"BTC-USD": 1.0})
        first = client.hear("bars")
        late = Tick("BTC-USD", "crypto", BEGIN + 0.75, 2.0)
        station.second({"ETH-USD": 3.0}, [late])
        second = client.hear("bars")
        station.second({})
        third = client.hear("bars")
        assert [message["seq"] for message in (first, second, third)] == [
            BEGIN + 1,
            BEGIN + 2,
            BEGIN + 3,
        ]
        assert rows(first) == [("BTC-USD", BEGIN + 1, 1.0, 1, 1.0)]
        assert rows(second) == [
            ("BTC-USD", BEGIN, 2.0, 2, 90_002.0),
            ("ETH-USD", BEGIN + 2, 3.0, 1, 3.0),
        ]
        assert rows(third) == []


def test_bars_of_a_slow_reader_are_not_thinned() -> None:
    with Station() as station, station.client() as client:
        client.say("subscribe", channel="bars", symbols=["ETH-USD"])
        client.hear_all()
        for price in range(1, 51):
            station.second({"BTC-USD": 1.0, "ETH-USD": float(price)})
        heard = [client.hear("bars") for _ in range(50)]
        assert [message["seq"] for message in heard] == [BEGIN + n for n in range(50)]
        assert [rows(message)[0][2] for message in heard] == [float(n) for n in range(1, 51)]


def test_since_answers_from_memory_all_that_was_missed() -> None:
    with Station() as station:
        with station.client() as client:
            client.say("subscribe", channel="bars")
            client.hear_all()
            for price in (1.0, 2.0, 3.0, 4.0):
                station.second({"BTC-USD": price})
        with station.client() as client:
            client.say("subscribe", channel="bars", since=BEGIN + 1)
            assert [client.hear("bars")["seq"] for _ in range(2)] == [BEGIN + 2, BEGIN + 3]


def test_since_of_what_nobody_knows_any_more_begins_anew_and_says_so() -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        client.say("subscribe", channel="bars", since=BEGIN - 1000)
        reset, bars = client.hear("reset", "bars"), client.hear("bars")
        assert reset["from"] <= BEGIN
        assert len(rows(bars)) == 2


@pytest.mark.parametrize("since", [0, BEGIN - 1000, [0, "an event"]])
def test_events_of_what_nobody_knows_any_more_begin_anew_too(since: Any) -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        client.say("subscribe", channel="events", since=since)
        assert client.hear("reset", "event") == {"type": "reset", "id": "events", "from": BEGIN}


@pytest.mark.parametrize("wrong", [{"since": BEGIN + 99}, {"since": BEGIN, "stream": "other:1"}])
@pytest.mark.parametrize("channel", ["bars", "events"])
def test_since_of_another_stream_or_of_the_future_begins_anew(
    wrong: dict[str, Any], channel: str
) -> None:
    with Station() as station, station.client() as client:
        station.second(PRICES)
        client.say("subscribe", channel=channel, **wrong)
        assert client.hear("reset") == {"type": "reset", "id": channel, "from": BEGIN + 1}


def test_a_clock_that_was_set_back_begins_anew() -> None:
    with Station() as station, station.client() as client:
        for _ in range(3):
            station.second(PRICES)
        client.say("subscribe", channel="bars")
        client.hear_all()
        station.now = float(BEGIN)
        station.second({"BTC-USD": 5.0})
        assert client.hear("reset", "bars")["type"] == "reset"
        assert client.hear("bars")["seq"] == BEGIN


def test_a_worker_that_takes_the_place_of_another_begins_anew_for_those_who_follow() -> None:
    with Station() as station, station.client() as client:
        station.second({"BTC-USD": 1.0})
        client.say("subscribe", channel="frame", fields=["last"])
        client.say("subscribe", channel="bars")
        client.hear_all()
        station.begin_anew()
        second = station.second({"ETH-USD": 2.0})
        assert client.hear("frame")["last"] == [None, 2.0, None]
        reset, told = client.hear("reset", "bars"), client.hear("bars")
        assert reset["from"] <= BEGIN
        assert (told["seq"], rows(told)) == (second, [("ETH-USD", second, 2.0, 1, 2.0)])
        station.second({"ETH-USD": 3.0})
        assert client.hear("reset", "bars")["seq"] == second + 1
