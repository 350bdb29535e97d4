"""The metrics, as a monitor's own parser reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from api.hub import Hub
from api.routes import routes
from engine.status import (
    AlertsStatus,
    DestinationStatus,
    Fault,
    RelayState,
    RelayStatus,
    RelayTrouble,
)
from settings import ApiSettings
from tests.api_server import ApiServer, Got
from tests.fake_facts import NOW, Behind
from ticks import Tick

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def behind() -> Behind:
    found = Behind()
    found.engine.worker.store.update(Tick("AAPL", "stocks", NOW, 100.25))
    found.engine.show(NOW)
    found.engine.said["faults"] = (Fault(name='a "b"\n\\c', count=2, error="E", at=NOW),)
    destination = DestinationStatus(name="desk", type="slack", waiting=2, sent=7)
    found.engine.said["alerts"] = AlertsStatus(destinations=(destination,))
    return found


@pytest.fixture(scope="module")
def server(behind: Behind) -> Iterator[ApiServer]:
    with ApiServer(routes(behind.facts, Hub())) as served:
        yield served


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample of this name and these labels."""
    (found,) = (
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == f"market_pulse_{name}" and labels.items() <= sample.labels.items()
    )
    return float(found)


def parsed(got: Got) -> dict[str, Metric]:
    """The families of an answer, by the parser of its own kind."""
    assert got.status == 200
    text = got.body.decode()
    parse = parse_openmetrics if "openmetrics" in got.headers["content-type"] else parse_text
    return {family.name: family for family in parse(text)}


STRANGE = "text/plain; version=7, application/openmetrics-text; version=abc"


@pytest.mark.parametrize("accept", [OPENMETRICS, STRANGE, "text/plain; version=abc", "*/*"])
def test_both_forms_are_read_by_their_parser(server: ApiServer, accept: str) -> None:
    """As the header Accept says."""
    got = server.get("/metrics", Accept=accept)
    assert ("openmetrics" in got.headers["content-type"]) == (accept in (OPENMETRICS, STRANGE))
    found = parsed(got)
    assert value(found, "symbol_last_price", symbol="AAPL", asset="stocks") == 100.25
    assert value(found, "check_ok", check="prices") == 1.0
    assert value(found, "health", market_pulse_health="pass") in (0.0, 1.0)
    assert value(found, "crashes_total", part='a "b"\n\\c') == 2.0
    assert value(found, "alerts_waiting", destination="desk") == 2.0
    assert value(found, "alerts_sent_total", destination="desk") == 7.0
    states = [
        sample.value
        for family in found.values()
        for sample in family.samples
        if sample.name == "market_pulse_archive_state"
    ]
    assert sum(states) == 1.0


def test_what_is_not_known_is_not_told(server: ApiServer) -> None:
    """A zero would be a figure."""
    found = parsed(server.get("/metrics", Accept=OPENMETRICS))
    symbols = {
        sample.labels["symbol"]
        for family in found.values()
        for sample in family.samples
        if sample.name == "market_pulse_symbol_last_price"
    }
    assert symbols == {"AAPL"}


def test_without_an_engine_health_is_told_alone(behind: Behind) -> None:
    """As a failure."""
    facts = replace(behind.facts, engine=lambda: None)
    with ApiServer(routes(facts, Hub())) as server:
        found = parsed(server.get("/metrics"))
    assert value(found, "health", market_pulse_health="fail") == 1.0


def test_metrics_need_a_token_unless_they_are_open(behind: Behind) -> None:
    """As nobody's business, or everybody's."""
    tokens = {"monitor": hashlib.sha256(TOKEN.encode()).hexdigest()}
    with ApiServer(routes(replace(behind.facts, settings=ApiSettings(tokens=tokens)), Hub())) as s:
        assert s.get("/metrics").status == 401
        assert s.get("/metrics", token=TOKEN).status == 200
    opened = ApiSettings(tokens=tokens, is_metrics_open=True)
    with ApiServer(routes(replace(behind.facts, settings=opened), Hub())) as s:
        assert s.get("/metrics").status == 200


def names(families: dict[str, Metric]) -> set[str]:
    """The names of all samples."""
    return {sample.name for family in families.values() for sample in family.samples}


@pytest.mark.parametrize("accept", [OPENMETRICS, "*/*"])
def test_what_a_process_is_among_several_is_told_in_numbers(accept: str) -> None:
    """In both forms; a process alone has none of them, and what is not known is left out."""
    behind = Behind()
    behind.engine.show(NOW)
    relay = RelayStatus(
        role="auto",
        host="host-b",
        state=RelayState.FOLLOWING,
        trouble=RelayTrouble.AWAY,
        collector="host-a",
        silent_sec=14.0,
        took_over_at=NOW - 900,
        hole_sec=11,
        waiting=2,
        lost=3,
        ahead_sec=-4.2,
        uncollected=("NFLX",),
    )
    with ApiServer(routes(behind.facts, Hub())) as server:
        alone = parsed(server.get("/metrics", Accept=accept))
        assert not [name for name in names(alone) if "relay" in name]
        behind.engine.said["relay"] = relay
        found = parsed(server.get("/metrics", Accept=accept))
        assert value(found, "relay_info", role="auto", host="host-b", collector="host-a") == 1.0
        state = {"market_pulse_relay_state": "following"}
        assert value(found, "relay_state", **state) == 1.0
        assert value(found, "relay_trouble", market_pulse_relay_trouble="away") == 1.0
        assert value(found, "relay_trouble", market_pulse_relay_trouble="full") == 0.0
        assert value(found, "relay_is_leading") == 0.0
        assert value(found, "relay_silent_seconds") == 14.0
        assert value(found, "relay_waiting") == 2.0
        assert value(found, "relay_lost_total") == 3.0
        assert value(found, "relay_took_over_timestamp_seconds") == NOW - 900
        assert value(found, "relay_hole_seconds") == 11.0
        assert value(found, "relay_clock_ahead_seconds") == -4.2
        assert value(found, "relay_uncollected_symbols") == 1.0
        behind.engine.said["relay"] = replace(
            relay, state=RelayState.LEADING, silent_sec=None, ahead_sec=None, took_over_at=None
        )
        led = parsed(server.get("/metrics", Accept=accept))
        assert value(led, "relay_is_leading") == 1.0
        gone = {"silent_seconds", "clock_ahead_seconds", "took_over_timestamp_seconds"}
        assert not {f"market_pulse_relay_{name}" for name in gone} & names(led)
