"""The API over a real socket: what each endpoint answers, by its schema, and to whom."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from pyarrow import parquet  # type: ignore[import-untyped]
from starlette.routing import Route

from api.cursors import write_cursor
from api.hub import Hub
from api.openapi import description
from api.routes import routes
from bars import CELL, Bars
from engine.status import RelayState, RelayStatus
from formulas import COLUMNS
from history.writer import connect, write_bars, write_events
from settings import HistorySettings, Settings, SourceSettings
from tests.api_server import ApiServer, Got
from tests.fake_facts import NOW, Behind
from tests.told import event_of
from ticks import Asset, Tick

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
WATCHED: dict[Asset, tuple[str, ...]] = {
    "stocks": ("AAPL", "MSFT", "TSLA"),
    "forex": (),
    "crypto": ("BTC-USD",),
}
OLD = int(NOW) - 7200
"""The first second of the archive, two hours ago."""


def price_at(second: int) -> float:
    return 100.0 + (second % 97) / 8


def has_tick(second: int) -> bool:
    """AAPL ticks twice in each second but every seventh."""
    return second % 7 != 0


def archived(folder: Path) -> None:
    """Two hours of AAPL, of which memory has but the last one, and three events."""
    seconds = [second for second in range(OLD, int(NOW) - 5) if has_tick(second)]
    cells = np.empty(len(seconds), CELL)
    cells["second"], cells["row"], cells["ms"], cells["n"] = seconds, 0, 500, 2
    cells["price"] = [price_at(second) for second in seconds]
    cells["sum"] = cells["price"] * 2 + 1
    (folder / "data").mkdir()
    connection = connect(folder / "data" / "simulated-1.sqlite")
    with connection:
        write_bars(connection, Bars(("AAPL",), ("stocks",), cells))
        for at in (4000, 2000, 1000):
            event = event_of(NOW - at)
            later = event_of(NOW - at, updated_ts=NOW - at + 10, count=2)
            write_events(connection, [event, later])
    connection.close()


def ticked(behind: Behind) -> None:
    """The last hour of AAPL in memory, its second tick in each second being the newer one."""
    ticks = [
        Tick("AAPL", "stocks", second + 0.5 * part, price_at(second) + (1 - part))
        for second in range(int(NOW) - 3700, int(NOW) + 1)
        if has_tick(second)
        for part in (0, 1)
    ]
    behind.engine.worker.store.update_many(ticks)
    behind.engine.worker.heartbeat.know_past(int(NOW) - 3700, 0)
    behind.engine.show(NOW)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Behind:
    """A worker at NOW with an hour of prices in memory, and two in the archive."""
    folder = tmp_path_factory.mktemp("api")
    settings = Settings(
        SourceSettings("simulated", seed=1, watchlist=WATCHED),
        history=HistorySettings(folder=folder / "data"),
    )
    archived(folder)
    found = Behind(settings)
    ticked(found)
    return found


@pytest.fixture(scope="module")
def served(behind: Behind) -> Iterator[ApiServer]:
    with ApiServer(routes(behind.facts, Hub())) as server:
        yield server


def ask(server: ApiServer, name: str, **query: object) -> Got:
    """Ask an endpoint of version 1; ``from_`` is the parameter from."""
    asked = urlencode({key.rstrip("_"): str(value) for key, value in query.items()})
    return server.get(f"/api/v1/{name}?{asked}" if asked else f"/api/v1/{name}")


def answer(server: ApiServer, name: str, **query: object) -> Any:
    """What an endpoint answers, which its schema allows."""
    got = ask(server, name, **query)
    assert got.status == 200, got.body
    assert got.headers["cache-control"] == "no-store"
    check(got, f"/api/v1/{name}")
    return got.json


def check(got: Got, path: str) -> None:
    """That an answer is one that the description knows."""
    described = description()
    response = described["paths"][path]["get"]["responses"][str(got.status)]
    kind = got.headers["content-type"].partition(";")[0]
    schema = response["content"][kind]["schema"]
    whole = {**schema, "components": described["components"]}
    Draft202012Validator(whole).validate(got.json)


def problem(got: Got, status: int, part: str) -> None:
    """That an answer is this problem, in words that hold ``part``."""
    assert (got.status, got.headers["content-type"]) == (status, "application/problem+json")
    Draft202012Validator(description()["components"]["schemas"]["ProblemDetails"]).validate(
        got.json
    )
    assert got.json["status"] == status
    assert part in got.json["detail"]


# The description.


def test_the_description_is_valid_and_holds_every_route(served: ApiServer, behind: Behind) -> None:
    """By the standard's own validator; the stream is a WebSocket, of which it has no words."""
    described = served.get("/api/v1/openapi.json").json
    OpenAPIV31SpecValidator(described).validate()
    paths = {route.path for route in routes(behind.facts, Hub()) if isinstance(route, Route)}
    assert set(described["paths"]) == paths


def test_every_parameter_is_described_and_no_other(served: ApiServer) -> None:
    """An endpoint that does not know a parameter says which it knows."""
    for path, operations in description()["paths"].items():
        known = [parameter["name"] for parameter in operations["get"].get("parameters", ())]
        expected = f"one of {', '.join(known)}" if known else "none"
        problem(served.get(f"{path}?nonsense=1"), 400, f"is unknown, expected {expected}")


# Status, frame.


def test_the_status_is_that_of_the_worker(served: ApiServer) -> None:
    """Whole, and of which version is what says so."""
    found = answer(served, "status")
    assert (found["role"], found["version"]) == ("alone", "1.0")
    assert found["status"]["source"]["kind"] == "simulated"
    assert found["status"]["source"]["seed"] == 1


def test_the_status_of_one_of_several_says_which_it_is() -> None:
    """With all that is true of it among the others."""
    behind = Behind()
    behind.engine.said["relay"] = RelayStatus(
        role="replica", host="host-b", state=RelayState.FOLLOWING, collector="host-a", waiting=2
    )
    with ApiServer(routes(behind.facts, Hub())) as server:
        found = server.get("/api/v1/status").json
    assert found["role"] == "replica"
    relay = found["status"]["relay"]
    assert (relay["host"], relay["state"], relay["collector"]) == ("host-b", "following", "host-a")
    assert (relay["waiting"], relay["silent_sec"]) == (2, None)


def test_a_frame_has_every_figure_in_columns(served: ApiServer, behind: Behind) -> None:
    """What is not known is null."""
    found = answer(served, "frame")
    assert found["seq"] == int(NOW)
    assert found["symbols"] == ["AAPL", "MSFT", "TSLA", "BTC-USD"]
    assert set(found) == {"seq", "now", "symbols", *COLUMNS}
    assert found["last"] == [price_at(int(NOW)), None, None, None]
    assert found["asset"] == ["stocks", "stocks", "stocks", "crypto"]


def test_a_frame_may_be_of_some_symbols_and_columns_and_of_another_second(
    served: ApiServer,
) -> None:
    """With times as they were asked for."""
    at = int(NOW) - 100
    found = answer(served, "frame", symbols="TSLA,AAPL", fields="last,last_ts", at=at, times="iso")
    assert list(found) == ["seq", "now", "symbols", "last", "last_ts"]
    assert (found["seq"], found["symbols"]) == (at, ["AAPL", "TSLA"])
    assert found["now"] == "2026-09-21T14:11:40.999Z"
    assert found["last_ts"] == ["2026-09-21T14:11:40.500Z", None]
    assert answer(served, "frame", assets="crypto")["symbols"] == ["BTC-USD"]


def test_a_frame_that_one_has_is_not_sent_again(served: ApiServer) -> None:
    """By its ETag, which is its second."""
    etag = served.get("/api/v1/frame").headers["etag"]
    assert etag == f'"{int(NOW)}"'
    for known in (etag, f'"1", W/{etag}', "*"):
        again = served.get("/api/v1/frame", If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert served.get("/api/v1/frame", If_None_Match='"1"').status == 200


def test_a_second_that_is_not_known_is_a_problem(served: ApiServer) -> None:
    """Neither the nearest one nor an empty one is the answer."""
    for at in (1, NOW + 5, "2020-01-01"):
        problem(ask(served, "frame", at=at), 400, "expected a time from")


# Stats.


def test_stats_are_those_of_the_prices_of_each_window(served: ApiServer) -> None:
    """Computed here by hand; the mean is of all ticks, of the window's whole tens of seconds."""
    found = answer(served, "stats", window="60,900", symbols="AAPL,MSFT")
    assert (found["seq"], found["symbols"]) == (int(NOW), ["AAPL", "MSFT"])
    assert [each["window"] for each in found["windows"]] == [60, 900]
    for each in found["windows"]:
        seconds = range(int(NOW) - each["window"] + 1, int(NOW) + 1)
        prices = [price_at(second) for second in seconds if has_tick(second)]
        assert each["n"] == [len(prices), 0]
        assert each["first"] == [prices[0], None]
        assert each["last"] == [prices[-1], None]
        assert (each["min"][0], each["max"][0]) == (min(prices), max(prices))
        assert each["std"][0] == pytest.approx(np.std(prices, ddof=1), rel=1e-12)
        first = -(-seconds[0] // 10) * 10
        ticks = [
            price_at(second) + part
            for second in range(first, (int(NOW) + 1) // 10 * 10)
            if has_tick(second)
            for part in (0, 1)
        ]
        assert each["ticks"] == [len(ticks), 0]
        assert each["mean"][0] == pytest.approx(np.mean(ticks), rel=1e-12)
        assert each["mean"][1] is None


def test_stats_of_one_price_have_no_deviation(tmp_path: Path) -> None:
    """Nor have stats of none anything but their numbers."""
    behind = Behind()
    behind.engine.worker.store.update(Tick("AAPL", "stocks", NOW - 30, 250.0))
    behind.engine.show(NOW)
    with ApiServer(routes(behind.facts, Hub())) as server:
        found = answer(server, "stats", window=60, symbols="AAPL,MSFT")["windows"][0]
    assert (found["n"], found["std"], found["mean"]) == ([1, 0], [None, None], [250.0, None])
    assert (found["min"], found["first"]) == ([250.0, None], [250.0, None])


@pytest.mark.parametrize("window", ["9", "3601", "x", "60,", "1e3", "10,11,12,13,14,15,16,17,18"])
def test_windows_have_bounds(served: ApiServer, window: str) -> None:
    """A trailing comma is none of them."""
    got = ask(served, "stats", window=window)
    if window == "60,":
        assert got.status == 200
    else:
        problem(got, 400, "window has ")


# Bars.


def pages(server: ApiServer, **query: object) -> list[dict[str, Any]]:
    """All pages, of which each is the same if it is asked for again."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = answer(server, "history", **query, **cursor)
        assert answer(server, "history", **query, **cursor) == page
        found.append(page)
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def joined(found: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [value for page in found for value in page[name]]


def test_history_is_every_second_with_a_tick_from_archive_and_memory(served: ApiServer) -> None:
    """The oldest first, each once, page after page; a second without a tick is absent."""
    found = pages(served, symbol="AAPL", from_=OLD, to=NOW + 100, limit=1500)
    assert len(found) > 3
    assert all(len(page["begin"]) <= 1500 for page in found)
    seconds = [second for second in range(OLD, int(NOW) + 1) if has_tick(second)]
    assert joined(found, "begin") == seconds
    for name in ("open", "high", "low", "close"):
        assert joined(found, name) == [price_at(second) for second in seconds]
    assert joined(found, "n") == [2] * len(seconds)
    assert joined(found, "mean") == [price_at(second) + 0.5 for second in seconds]


@pytest.mark.parametrize(("step", "sec"), [("10s", 10), ("1m", 60)])
def test_longer_bars_are_made_of_the_same_seconds(served: ApiServer, step: str, sec: int) -> None:
    """Wherever they are read; one that is not over is not there yet."""
    first = -(-OLD // 60) * 60
    found = pages(served, symbol="AAPL", from_=first, to=NOW + 100, step=step, limit=77)
    begins = list(range(first, int(NOW) // sec * sec, sec))
    assert joined(found, "begin") == begins
    of_bars = [[s for s in range(begin, begin + sec) if has_tick(s)] for begin in begins]
    assert joined(found, "open") == [price_at(seconds[0]) for seconds in of_bars]
    assert joined(found, "close") == [price_at(seconds[-1]) for seconds in of_bars]
    assert joined(found, "high") == [max(map(price_at, seconds)) for seconds in of_bars]
    assert joined(found, "low") == [min(map(price_at, seconds)) for seconds in of_bars]
    assert joined(found, "n") == [2 * len(seconds) for seconds in of_bars]
    means = [np.mean([price_at(s) + 0.5 for s in seconds]) for seconds in of_bars]
    assert joined(found, "mean") == pytest.approx(means, rel=1e-12)


def test_without_an_archive_history_is_what_memory_knows() -> None:
    """Of longer bars the ticks, too."""
    behind = Behind()
    ticked(behind)
    with ApiServer(routes(behind.facts, Hub())) as server:
        minutes = answer(server, "history", symbol="AAPL", step="1m", from_=1, to=NOW, limit=10000)
        seconds = answer(server, "history", symbol="AAPL", from_=NOW - 50, to=NOW)
        problem(ask(server, "export/bars.csv"), 404, "there is no archive to export from")
    assert len(minutes["begin"]) == 62
    assert all(minutes["n"])
    assert seconds["n"] == seconds["mean"] == [None] * len(seconds["begin"])
    assert seconds["close"] == [price_at(s) for s in range(int(NOW) - 50, int(NOW)) if has_tick(s)]


def test_pages_stay_as_they_are_whatever_comes_meanwhile() -> None:
    """A question without an end ends where it did when its first page was asked for."""
    behind = Behind()
    ticked(behind)
    with ApiServer(routes(behind.facts, Hub())) as server:
        first = answer(server, "history", symbol="AAPL", limit=1500)
        cursor = first["next"]
        before = answer(server, "history", symbol="AAPL", limit=2000, cursor=cursor)
        behind.engine.worker.store.update(Tick("AAPL", "stocks", NOW + 60, 1.0))
        behind.engine.show(NOW + 60)
        assert answer(server, "history", symbol="AAPL", limit=2000, cursor=cursor) == before
        assert answer(server, "history", symbol="AAPL", from_=NOW)["close"] == [
            price_at(int(NOW)),
            1.0,
        ]
    assert (before["next"], before["begin"][-1]) == (None, int(NOW))


def test_a_page_that_is_asked_for_late_leaves_nothing_out(
    served: ApiServer, behind: Behind
) -> None:
    """The last hour is that of the first page, as long as its cursor is followed."""
    page = answer(served, "history", symbol="AAPL", limit=10)
    behind.engine.show(NOW + 100)
    later = answer(served, "history", symbol="AAPL", limit=10, cursor=page["next"])
    missed = range(page["begin"][-1] + 1, later["begin"][0])
    assert not any(map(has_tick, missed))


@pytest.mark.parametrize("place", [(2**40, 0), (int(NOW) + 1, -(2**40)), (3, 1)])
def test_a_history_cursor_that_was_made_up_asks_for_no_more(
    served: ApiServer, place: tuple[int, int]
) -> None:
    """Anybody can write one; what is not over is not looked for, as it would take all memory."""
    for step, sec in (("1s", 1), ("1m", 60)):
        cursor = write_cursor(place, ["AAPL", "", "", step])
        begins = answer(served, "history", symbol="AAPL", step=step, cursor=cursor)["begin"]
        assert all(OLD - 60 < begin <= NOW and begin % sec == 0 for begin in begins)
    for beyond in (2**62, -(2**62)):
        cursor = write_cursor((beyond, beyond), ["AAPL", "", "", "1s"])
        problem(ask(served, "history", symbol="AAPL", cursor=cursor), 400, "cursor has '")


@pytest.mark.parametrize("over", [1e300, float("inf"), float("nan")])
def test_an_events_cursor_that_was_made_up_asks_for_no_more(served: ApiServer, over: float) -> None:
    """Likewise."""
    cursor = write_cursor((over, 0.0, ""), [""] * 6)
    assert answer(served, "events", cursor=cursor) == answer(served, "events")


def test_an_archive_that_cannot_be_read_takes_nothing_else_with_it(tmp_path: Path) -> None:
    """What memory knows is answered; of what it does not nobody says that there is nothing."""
    (tmp_path / "simulated-1.sqlite").write_bytes(b"nonsense" * 1000)
    source = SourceSettings("simulated", seed=1, watchlist=WATCHED)
    behind = Behind(Settings(source, history=HistorySettings(folder=tmp_path)))
    ticked(behind)
    with ApiServer(routes(behind.facts, Hub())) as server:
        known = answer(server, "history", symbol="AAPL", from_=NOW - 1000, to=NOW)
        assert len(known["begin"]) == sum(map(has_tick, range(int(NOW) - 1000, int(NOW))))
        assert answer(server, "frame")["symbols"] == ["AAPL", "MSFT", "TSLA", "BTC-USD"]
        for name, query in (
            ("history", {"symbol": "AAPL", "from": OLD}),
            ("events", {}),
            ("export/bars.csv", {}),
        ):
            got = ask(server, name, **query)
            problem(got, 503, "the archive cannot be read now")
            assert int(got.headers["retry-after"]) > 0
            assert str(tmp_path) not in got.body.decode()


def test_a_cursor_belongs_to_its_question(served: ApiServer) -> None:
    """Another one, and what is none, is a problem."""
    page = answer(served, "history", symbol="AAPL", from_=OLD, to=NOW, limit=10)
    own: dict[str, object] = {"symbol": "AAPL", "from": OLD, "to": NOW, "cursor": page["next"]}
    assert ask(served, "history", **own).status == 200
    for other in (
        {"from": OLD + 1},
        {"step": "1m"},
        {"cursor": "nonsense"},
        {"cursor": "é"},
        {"cursor": "A" * 5000},
    ):
        problem(ask(served, "history", **(own | other)), 400, "cursor has '")


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ({}, "symbol has ''"),
        ({"symbol": "NFLX"}, "symbol has 'NFLX', expected a symbol that is watched, such as AAPL"),
        ({"symbol": "AAPL", "step": "5s"}, "step has '5s', expected one of 1s, 10s, 1m"),
        ({"symbol": "AAPL", "limit": 0}, "limit has '0', expected a whole number from 1 to 10,000"),
        ({"symbol": "AAPL", "limit": 10001}, "limit has '10001'"),
        ({"symbol": "AAPL", "from": "yesterday"}, "from has 'yesterday', expected seconds since"),
        ({"symbol": "AAPL", "from": "nan"}, "from has 'nan'"),
        ({"symbol": "AAPL", "from": "9" * 12}, "expected seconds since"),
        ({"symbol": "AAPL", "from": NOW, "to": NOW}, "expected from to be earlier"),
        ({"symbol": "AAPL", "times": "local"}, "times has 'local', expected one of unix, iso"),
    ],
)
def test_a_question_that_cannot_be_read_is_a_problem(
    served: ApiServer, query: dict[str, object], part: str
) -> None:
    """In words that say what was found and what was expected."""
    problem(ask(served, "history", **query), 400, part)


def test_a_parameter_is_given_once(served: ApiServer) -> None:
    """Else nobody knew which one counts."""
    problem(served.get("/api/v1/history?symbol=AAPL&symbol=MSFT"), 400, "symbol is given 2 times")


# Events.


def test_events_are_told_once_as_they_ended(served: ApiServer, behind: Behind) -> None:
    """From the archive and from memory, whichever knows more."""
    begins = [NOW - 4000, NOW - 2000, NOW - 1000]
    found = answer(served, "events")["events"]
    assert [event["ts"] for event in found] == begins
    assert [event["count"] for event in found] == [2, 2, 2]
    assert found[0]["peak"] == found[0]["parts"][0]["value"]
    assert found[0]["text"].startswith("AAPL rose")
    behind.engine.worker.events.add_many(
        [event_of(NOW - 1000, updated_ts=NOW - 980, count=3), event_of(NOW - 500)]
    )
    found = answer(served, "events", times="iso")["events"]
    assert [event["count"] for event in found] == [2, 2, 3, 1]
    assert found[-1]["ts"] == "2026-09-21T14:05:00Z"


def test_events_come_in_every_state_if_that_is_asked_for(served: ApiServer, behind: Behind) -> None:
    """In the order in which those came."""
    found = answer(served, "events", updates=1, from_=NOW - 5000, to=NOW - 1500)["events"]
    assert [event["updated_ts"] for event in found] == [
        NOW - 4000,
        NOW - 3990,
        NOW - 2000,
        NOW - 1990,
    ]


@pytest.mark.parametrize("updates", [0, 1])
def test_events_come_page_by_page(served: ApiServer, updates: int) -> None:
    """As many as there are, each once."""
    query: dict[str, object] = {"updates": updates, "from": NOW - 5000, "to": NOW - 900}
    whole = answer(served, "events", **query)["events"]
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = answer(served, "events", limit=1, **query, **cursor)
        found += page["events"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole


def test_events_may_be_of_some_kinds_only(served: ApiServer) -> None:
    """Of some symbols, kinds, and from a severity on."""
    assert answer(served, "events", symbols="MSFT")["events"] == []
    assert answer(served, "events", kinds="vol_spike")["events"] == []
    assert answer(served, "events", severity="extreme")["events"] == []
    assert len(answer(served, "events", kinds="move_1m,move_5m", symbols="AAPL")["events"]) >= 3
    problem(
        ask(served, "events", kinds="crash"), 400, "kinds has 'crash', expected some of move_1m"
    )


# Correlation.


def test_a_correlation_is_the_card_of_its_base(served: ApiServer) -> None:
    """Among the symbols of its own class, unless others are asked for."""
    card = answer(served, "correlation", base="AAPL", bars="10")["card"]
    assert (card["base"], card["bin_sec"], card["top"]) == ("AAPL", 10, [])
    answer(served, "correlation", base="AAPL", assets="stocks,crypto")
    problem(ask(served, "correlation"), 400, "base has ''")
    problem(ask(served, "correlation", base="AAPL", bars="5"), 400, "bars has '5'")


# Files.


def test_a_file_is_whole_and_comes_in_parts(served: ApiServer) -> None:
    """Each of the same content by its ETag."""
    path = f"/api/v1/export/bars.csv?from={OLD}&to={OLD + 600}"
    whole = served.get(path)
    assert (whole.status, whole.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert whole.headers["content-encoding"] == "identity"
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(whole.body)
    etag = whole.headers["etag"]
    assert etag == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    lines = whole.body.decode().splitlines()
    assert len(lines) == 1 + sum(map(has_tick, range(OLD, OLD + 600)))
    parts = [
        served.get(path, Range=f"bytes={begin}-{begin + 999}", If_Range=etag)
        for begin in range(0, len(whole.body), 1000)
    ]
    assert {part.status for part in parts} == {206}
    assert b"".join(part.body for part in parts) == whole.body
    assert served.get(path, Range="bytes=-5").body == whole.body[-5:]
    assert served.get(path, Range="bytes=0-9", If_Range='"other"').body == whole.body
    assert served.get(path, If_None_Match=etag).status == 304
    beyond = served.get(path, Range="bytes=999999999-")
    problem(beyond, 416, "has no part of this file")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"
    head = served.get(path, method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)


def test_files_have_three_forms(served: ApiServer) -> None:
    """Of bars and of events."""
    span = f"from={OLD}&to={int(NOW)}"
    table = parquet.read_table(io.BytesIO(served.get(f"/api/v1/export/events.parquet?{span}").body))
    assert table.num_rows == 3
    found = served.get(f"/api/v1/export/events.json?{span}&symbols=AAPL")
    assert [event["symbol"] for event in json.loads(found.body)] == ["AAPL"] * 3
    name = found.headers["content-disposition"]
    assert name.startswith('attachment; filename="events_20260921T')
    problem(served.get("/api/v1/export/bars.csv?from=1&to=2"), 404, "there are no bars")
    problem(served.get("/api/v1/export/bars.xlsx"), 404, "there is no /api/v1/export/bars.xlsx")
    problem(served.get("/api/v1/export/bars.csv?symbols=NFLX"), 400, "symbols has 'NFLX'")
