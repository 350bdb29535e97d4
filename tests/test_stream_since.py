"""What a client of the stream missed: from memory or the archive, or it is told to begin anew."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosedError

from api.broadcast import Patience
from api.channels import AFTER_ALL
from api.protocol import Form, Wanted
from api.since import events_piece
from bars import CELL, Bars
from events import Event
from tests.station import BEGIN, NAMES, Client, Station
from tests.told import event_of

LATER = BEGIN + 5000
"""When the dashboard was started again."""


def bars(seconds: range) -> Bars:
    """A tick of each symbol in each of some seconds, at a price that tells which it is."""
    cells = np.zeros(len(seconds) * len(NAMES), CELL)
    cells["second"] = np.repeat(seconds, len(NAMES))
    cells["row"] = np.tile(np.arange(len(NAMES)), len(seconds))
    cells["n"], cells["price"] = 2, cells["second"] - BEGIN + 1.0
    cells["sum"] = 2 * cells["price"]
    return Bars(NAMES, ("crypto",) * len(NAMES), cells)


def state(second: int, name: str, began: int | None = None) -> Event:
    """A state of an event, which came into it with a second."""
    began = second if began is None else began
    made = event_of(began + 0.999, id=name, symbol="BTC-USD", asset="crypto")
    return replace(made, updated_ts=second + 0.999)


def seqs(client: Client, count: int) -> list[Any]:
    """The seqs of the next states of events."""
    return [client.hear("event", "reset")["seq"] for _ in range(count)]


def test_bars_of_hours_ago_come_from_the_archive_without_a_hole(tmp_path: Path) -> None:
    """After a restart, too: in blocks, with a minute of before, as late ticks may have changed
    it, and then what memory has.
    """
    with Station(data=tmp_path) as station:
        station.record(bars(range(BEGIN, LATER)))
        station.now = float(LATER)
        station.second({"BTC-USD": 1.0})
        with station.client() as client:
            client.say("subscribe", channel="bars", since=BEGIN + 1000, symbols=["BTC-USD"])
            told: dict[int, float] = {}
            blocks = 0
            while max(told, default=0) < LATER:
                message = client.hear()
                assert message["type"] in ("hello", "bars")
                told |= {second: price for _, second, price, _, _ in message.get("rows", ())}
                blocks += 1
            assert blocks >= 5
            # What memory lacks was not in this process's store: it was archived before it began.
            wanted = range(BEGIN + 1000, LATER - 70)
            assert [told.get(second) for second in wanted] == [
                second - BEGIN + 1.0 for second in wanted
            ]
            assert min(told) == BEGIN + 1001 - 75
            assert told[LATER] == 1.0
            station.second({"BTC-USD": 2.0})
            assert client.hear("bars")["seq"] == LATER + 1


def test_a_message_of_bars_has_no_more_rows_than_a_client_takes(tmp_path: Path) -> None:
    names = tuple(f"C{number}-USD" for number in range(100))
    cells = np.zeros(300 * 100, CELL)
    cells["second"] = np.repeat(range(BEGIN, BEGIN + 300), 100)
    cells["row"] = np.tile(np.arange(100), 300)
    cells["n"], cells["price"], cells["sum"] = 1, 1.0, 1.0
    with Station(data=tmp_path, names=names) as station:
        station.record(Bars(names, ("crypto",) * 100, cells))
        station.now = float(LATER)
        station.second({})
        with station.client() as client:
            client.say("subscribe", channel="bars", since=BEGIN)
            heard = [client.hear("bars") for _ in range(4)]
            assert [len(message["rows"]) for message in heard] == [10_000, 10_000, 10_000, 0]
            ends = [max(row[1] for row in message["rows"]) for message in heard[:3]]
            assert ends == [BEGIN + 99, BEGIN + 199, BEGIN + 299]
            assert [message["seq"] for message in heard[:2]] == ends[:2]


@pytest.mark.parametrize("channel", ["bars", "events"])
def test_since_before_the_archive_begins_anew_where_it_begins(tmp_path: Path, channel: str) -> None:
    with Station(data=tmp_path) as station:
        station.record(bars(range(BEGIN, BEGIN + 10)), [state(BEGIN + 5, "a")])
        station.now = float(LATER)
        station.second({})
        with station.client() as client:
            client.say("subscribe", channel=channel, since=BEGIN - 100)
            assert client.hear("reset", "bars", "event")["from"] == BEGIN
            first = client.hear("reset", "bars", "event")
            assert first["seq"] in (BEGIN + 899, [BEGIN + 5, "a"])


def test_an_archive_that_cannot_be_read_is_said_and_all_begins_anew(tmp_path: Path) -> None:
    with Station(data=tmp_path) as station:
        assert station.engine.archive is not None
        station.engine.archive.path.write_bytes(b"no archive" * 1000)
        station.second({"BTC-USD": 1.0})
        for channel, content in (("bars", "bars"), ("events", "event")):
            with station.client() as client:
                client.say("subscribe", channel=channel, since=BEGIN - 5000)
                assert client.hear("error", content)["code"] == "unavailable"
                assert client.hear("reset", content)["type"] == "reset"


def test_every_state_of_an_event_comes_once_and_goes_up(tmp_path: Path) -> None:
    """From the archive first, and then as they come; also with the seq of one as since."""
    archived = [state(BEGIN, "a"), state(BEGIN + 1, "a", BEGIN), state(BEGIN + 1, "b")]
    with Station(data=tmp_path) as station:
        station.record(bars(range(BEGIN, BEGIN + 10)), archived)
        station.now = float(LATER)
        station.engine.heartbeat.show(LATER)
        station.tell(state(LATER, "c"), LATER)
        with station.client() as client:
            client.say("subscribe", channel="events", since=BEGIN - 1)
            assert seqs(client, 4) == [
                [BEGIN, "a"],
                [BEGIN + 1, "a"],
                [BEGIN + 1, "b"],
                [LATER, "c"],
            ]
            client.say("subscribe", channel="events", since=[BEGIN + 1, "a"])
            assert seqs(client, 2) == [[BEGIN + 1, "b"], [LATER, "c"]]
            client.say("subscribe", channel="events", since=LATER)
            client.hear_all()
            station.tell(replace(state(LATER + 1, "c", LATER), over_ts=LATER + 1.999), LATER + 1)
            over = client.hear("event")
            assert over["seq"] == [LATER + 1, "c"]
            assert over["event"]["over_ts"] == LATER + 1.999
            assert over["event"]["text"]


def test_events_are_read_a_piece_at_a_time_and_none_is_left_out(tmp_path: Path) -> None:
    """A piece ends with a second; whoever wants few of many is told those alone."""
    states = [state(BEGIN + number // 400, f"{number:04}") for number in range(2500)]
    states[-1] = replace(states[-1], symbol="ETH-USD")
    with Station(data=tmp_path) as station:
        station.record(bars(range(BEGIN, BEGIN + 10)), states)
        station.now = float(LATER)
        station.second({})
        engine = station.facts.engine()
        assert engine is not None
        wanted = Wanted(Form.JSON, "events")
        piece = events_piece(engine, wanted, (BEGIN - 1, AFTER_ALL), LATER)
        assert (len(piece.messages), piece.got_to[0], piece.is_last) == (1200, BEGIN + 2, False)
        with station.client() as client:
            client.say("subscribe", channel="events", since=BEGIN - 1)
            assert seqs(client, 2500) == [[BEGIN + n // 400, f"{n:04}"] for n in range(2500)]
            client.say("subscribe", channel="events", since=BEGIN - 1, symbols=["ETH-USD"])
            assert seqs(client, 1) == [[BEGIN + 6, "2499"]]


def test_events_without_since_are_those_from_now_on() -> None:
    with Station() as station:
        station.second({})
        station.tell(state(BEGIN - 50, "past"), BEGIN - 50, is_history=True)
        with station.client() as client:
            client.say("subscribe", channel="events", symbols=["BTC-USD"])
            client.hear_all()
            station.tell(state(BEGIN - 40, "history"), BEGIN - 40, is_history=True)
            other = replace(state(BEGIN + 1, "other"), symbol="ETH-USD")
            station.tell(other, BEGIN + 1)
            station.tell(state(BEGIN + 2, "new"), BEGIN + 2)
            assert seqs(client, 1) == [[BEGIN + 2, "new"]]


def test_whoever_reads_too_slowly_what_is_not_thinned_is_closed_with_where_it_got_to() -> None:
    """With no patience at all everything that waits waits for too long."""
    with Station(Patience(wait_sec=-1.0)) as station, station.client() as client:
        station.second({"BTC-USD": 1.0})
        client.say("subscribe", channel="bars")
        client.hear_all()
        station.second({"BTC-USD": 1.0})
        with pytest.raises(ConnectionClosedError) as ended:
            client.hear("bars")
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 3008


# Files.


def chunks(client: Client, id_: int, count: int | None = None) -> tuple[int, bytes]:
    """The offset of the first chunk, and the content of all of them."""
    first, content = -1, b""
    while count is None or count > 0:
        heard = client.socket.recv()
        if isinstance(heard, bytes) and heard.startswith(b"MPFC"):
            _, number, offset = struct.unpack(">4sIQ", heard[:16])
            assert number == id_
            first = offset if first < 0 else first
            assert offset == first + len(content)
            content += heard[16:]
            count = None if count is None else count - 1
            client.say("more", id=id_)
        elif count is None:
            return first, content
    return first, content


@pytest.mark.parametrize("form", [Form.JSON, Form.MSGPACK])
def test_a_file_comes_in_chunks_beside_everything_else_and_goes_on_at_an_offset(
    tmp_path: Path, form: Form
) -> None:
    wanted = {"id": 4, "what": "bars", "from": BEGIN, "to": LATER, "form": "csv"}
    with Station(data=tmp_path) as station, station.client(form) as client:
        station.record(bars(range(BEGIN, LATER)))
        client.say("file", **wanted)
        head = client.hear("file")
        assert head["name"].endswith(".csv")
        assert head["offset"] == 0
        first, content = chunks(client, 4, 3)
        client.say("stop", id=4)
        client.hear_all()
        client.say("file", **wanted, offset=len(content), sha256=head["sha256"])
        assert client.hear("file") == head | {"offset": len(content)}
        begin, rest = chunks(client, 4)
        assert (first, begin) == (0, len(content))
        whole = content + rest
        assert len(whole) == head["size"]
        assert hashlib.sha256(whole).hexdigest() == head["sha256"]
        client.say("file", **wanted, offset=9, sha256="of another")
        assert client.hear("file")["offset"] == 0
        client.say("stop", id=4)


def test_no_more_chunks_come_than_there_are_credits(tmp_path: Path) -> None:
    with Station(data=tmp_path) as station, station.client() as client:
        station.record(bars(range(BEGIN, LATER)))
        client.say("file", id=1, what="bars", form="csv", **{"from": BEGIN, "to": LATER})
        client.hear("file")
        client.say("subscribe", channel="frame")
        while isinstance(client.socket.recv(), bytes):
            pass
        client.say("more", id=1, n=2)
        assert isinstance(client.socket.recv(), bytes)


@pytest.mark.parametrize(
    "wrong", [{"to": BEGIN}, {"symbols": ["NO-SUCH"]}, {"from": BEGIN + 9, "to": BEGIN + 10}]
)
def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path, wrong: dict[str, Any]) -> None:
    wanted = {"id": 1, "what": "bars", "from": BEGIN, "to": LATER} | wrong
    with Station(data=tmp_path) as station, station.client() as client:
        station.record(bars(range(BEGIN, BEGIN + 5)))
        client.say("file", **wanted)
        assert client.hear("error", "file")["code"] == "unavailable"
    with Station() as station, station.client() as client:
        client.say("file", **wanted)
        assert client.hear("error", "file")["code"] == "unavailable"
