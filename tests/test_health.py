"""Health: three questions, each of which can be answered with no, for its own reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from api.health import Verdict, checks, worst
from api.hub import Hub
from api.routes import routes
from engine.status import (
    AlertsStatus,
    ArchiveState,
    ArchiveStatus,
    DestinationState,
    DestinationStatus,
    FeedState,
    RelayState,
    RelayStatus,
    RelayTrouble,
    Trouble,
)
from settings import ApiSettings
from tests.api_server import ApiServer, Got
from tests.fake_facts import NOW, Behind
from ticks import Tick

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing


FOLLOWING = RelayStatus(
    role="auto",
    host="host-b",
    state=RelayState.FOLLOWING,
    collector="host-a",
    silent_sec=0.5,
    took_over_at=NOW - 900,
)
LEADING = replace(FOLLOWING, host="host-a", state=RelayState.LEADING, silent_sec=None)


@pytest.fixture
def behind() -> Behind:
    """A worker at NOW that has shown nothing yet."""
    return Behind()


@pytest.fixture
def server(behind: Behind) -> Iterator[ApiServer]:
    """Its API."""
    with ApiServer(routes(behind.facts, Hub())) as served:
        yield served


def said(got: Got) -> tuple[int, str, str]:
    """The status, the verdict and the reason of an answer."""
    assert got.headers["content-type"] == "application/json"
    assert got.headers["cache-control"] == "no-store"
    return got.status, got.json["status"], got.json["detail"]


def test_ready_is_who_has_shown_a_second(behind: Behind, server: ApiServer) -> None:
    """Before that the proxy asks again soon, and nobody begins this process anew."""
    early = server.get("/readyz")
    assert said(early) == (503, "fail", "no second is shown yet")
    assert int(early.headers["retry-after"]) > 0
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.engine.show(NOW)
    assert said(server.get("/readyz")) == (200, "pass", "")


def test_a_long_past_is_waited_for(behind: Behind, server: ApiServer) -> None:
    """What restores hours for minutes is not hung."""
    behind.now += 600
    assert said(server.get("/livez")) == (200, "pass", "")


def test_alive_is_whose_seconds_keep_up(behind: Behind, server: ApiServer) -> None:
    """With their own clock."""
    behind.engine.show(NOW)
    behind.now = NOW + 30
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.now = NOW + 32
    hung = (503, "fail", "the newest second is 31 s behind its clock")
    assert said(server.get("/livez")) == hung
    assert said(server.get("/readyz")) == hung


def test_dead_is_whose_thread_has_ended(behind: Behind, server: ApiServer) -> None:
    """Whatever it showed."""
    behind.engine.show(NOW)
    behind.engine.is_alive = False
    dead = (503, "fail", "the worker's thread has ended")
    assert said(server.get("/livez")) == dead
    assert said(server.get("/readyz")) == dead


def test_without_an_engine_nothing_is_ready_and_nothing_to_begin_anew(
    behind: Behind, server: ApiServer
) -> None:
    """The page says which setting is wrong, which another start would not change."""
    behind.has_engine = False
    assert said(server.get("/livez")) == (200, "pass", "")
    assert said(server.get("/readyz"))[:2] == (503, "fail")


def test_no_process_is_begun_anew_for_another_that_is_silent(
    behind: Behind, server: ApiServer
) -> None:
    """A restart brings no second of the collector's; what was shown can be shown on."""
    behind.engine.said["relay"] = FOLLOWING
    early = (503, "fail", "no second is shown yet")
    assert said(server.get("/readyz")) == early
    assert said(server.get("/livez")) == (200, "pass", "")
    behind.engine.show(NOW)
    behind.now = NOW + 900
    away = replace(FOLLOWING, trouble=RelayTrouble.AWAY, trouble_sec=900.0, silent_sec=900.0)
    waiting = replace(FOLLOWING, state=RelayState.WAITING, silent_sec=900.0)
    for relay in (FOLLOWING, away, waiting):
        behind.engine.said["relay"] = relay
        assert said(server.get("/livez")) == (200, "pass", "")
        assert said(server.get("/readyz")) == (200, "pass", "")
    behind.engine.is_alive = False
    assert said(server.get("/livez"))[2] == "the worker's thread has ended"


def test_a_collector_that_hangs_is_dead(behind: Behind, server: ApiServer) -> None:
    """As it would be alone; one that has just taken over has a moment to show its first second."""
    behind.engine.show(NOW)
    behind.now = NOW + 60
    behind.engine.said["relay"] = replace(LEADING, took_over_at=NOW + 58)
    assert said(server.get("/livez")) == (200, "pass", "")
    for began in (NOW - 900, None):
        behind.engine.said["relay"] = replace(LEADING, took_over_at=began)
        assert said(server.get("/livez"))[0] == 503


# Whether the data is good.


def verdicts(behind: Behind) -> dict[str, str]:
    """What each check says, for who may read."""
    return {name: check.status.value for name, check in checks(behind.facts.engine()).items()}


def feeds(behind: Behind, **changes: Any) -> None:
    """Let every feed be said to be so."""
    status = behind.engine.worker.status()
    behind.engine.said["feeds"] = tuple(replace(feed, **changes) for feed in status.feeds)


@pytest.fixture
def good(behind: Behind) -> Behind:
    """A worker of which everything is well."""
    behind.engine.worker.store.update(Tick("AAPL", "stocks", NOW, 100.0))
    behind.engine.show(NOW)
    feeds(behind, state=FeedState.LIVE, trouble=Trouble.NONE, last_tick_age=0.5)
    return behind


def test_all_is_well(good: Behind) -> None:
    """With a live feed of each class, or with closed markets."""
    assert set(verdicts(good).values()) == {"pass"}
    assert {"worker", "prices", "archive", "alerts", "class:crypto"} <= set(verdicts(good))
    feeds(good, state=FeedState.CLOSED, trouble=Trouble.NONE, last_tick_age=50_000.0)
    assert set(verdicts(good).values()) == {"pass"}


def test_markets_that_are_closed_have_no_price_yet(behind: Behind) -> None:
    """Whoever begins on a Saturday is called by nobody before Monday; an open market has one."""
    behind.engine.show(NOW)
    feeds(behind, state=FeedState.CLOSED, trouble=Trouble.NONE, last_tick_age=None)
    assert set(verdicts(behind).values()) == {"pass"}
    (first, *others) = behind.engine.said["feeds"]
    behind.engine.said["feeds"] = (replace(first, state=FeedState.LIVE), *others)
    assert verdicts(behind)["prices"] == "fail"


def test_nothing_at_all_does_not_pass(behind: Behind) -> None:
    """Neither no price, nor no feed, nor no worker."""
    behind.engine.show(NOW)
    assert verdicts(behind)["prices"] == "fail"
    feeds(behind, state=FeedState.OFF, trouble=Trouble.NO_VENDOR)
    assert verdicts(behind)["feeds"] == "fail"
    behind.has_engine = False
    assert verdicts(behind) == {"worker": "fail"}


@pytest.mark.parametrize("state", [FeedState.SILENT, FeedState.RECONNECTING, FeedState.UNREADABLE])
def test_a_market_without_a_tick_is_a_warning_first_and_then_a_failure(
    good: Behind, state: FeedState
) -> None:
    """A minute is not yet an hour."""
    feeds(good, state=state, last_tick_age=59.0)
    assert verdicts(good)["class:crypto"] == "warn"
    feeds(good, state=state, last_tick_age=60.0)
    assert verdicts(good)["class:crypto"] == "fail"


def test_a_replay_at_its_end_is_a_warning(good: Behind) -> None:
    """No market closed: there is no more to show."""
    feeds(good, state=FeedState.CLOSED, trouble=Trouble.TAPE_ENDED)
    assert verdicts(good)["class:stocks"] == "warn"


def test_a_refused_key_is_a_failure(good: Behind) -> None:
    """At once, whenever the last tick came; a warning if another vendor serves the class."""
    refused = {"state": FeedState.REFUSED, "trouble": Trouble.KEY_REFUSED, "last_tick_age": 1.0}
    feeds(good, **refused)
    assert verdicts(good)["class:stocks"] == "fail"
    (feed, *_) = good.engine.said["feeds"]
    other = replace(feed, vendor="Another", state=FeedState.LIVE, trouble=Trouble.NONE)
    good.engine.said["feeds"] = (feed, other)
    assert verdicts(good)[f"class:{feed.asset}"] == "pass"
    assert verdicts(good)[f"feed:{feed.asset}:{feed.vendor}"] == "warn"
    assert worst(checks(good.facts.engine())) is Verdict.WARN


def test_a_worker_that_hangs_or_died_is_a_failure(good: Behind) -> None:
    """Whatever its feeds said last."""
    good.now = NOW + 100
    assert verdicts(good)["worker"] == "fail"
    good.now, good.engine.is_alive = NOW, False
    assert verdicts(good)["worker"] == "fail"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ArchiveState.OFF, "pass"),
        (ArchiveState.WRITING, "pass"),
        (ArchiveState.READING_ONLY, "warn"),
        (ArchiveState.TROUBLE, "warn"),
    ],
)
def test_an_archive_that_is_not_written_is_a_warning(
    good: Behind, state: ArchiveState, expected: str
) -> None:
    """The prices are good all the same."""
    good.engine.said["archive"] = ArchiveStatus(state=state)
    assert verdicts(good)["archive"] == expected


@pytest.mark.parametrize(
    ("state", "waiting", "expected"),
    [
        (DestinationState.READY, 3, "pass"),
        (DestinationState.RESTING, 0, "pass"),
        (DestinationState.RESTING, 1, "warn"),
        (DestinationState.REFUSED, 0, "warn"),
        (DestinationState.OFF, 0, "warn"),
    ],
)
def test_alerts_that_do_not_arrive_are_a_warning(
    good: Behind, state: DestinationState, waiting: int, expected: str
) -> None:
    """With the name of the destination."""
    destination = DestinationStatus(name="desk", type="slack", state=state, waiting=waiting)
    good.engine.said["alerts"] = AlertsStatus(destinations=(destination,))
    assert verdicts(good)["alerts"] == expected


def test_health_tells_everybody_whether_and_who_may_read_why(good: Behind) -> None:
    """By its status alone for a monitor; 503 only if something failed."""
    api = ApiSettings(tokens={"monitor": hashlib.sha256(TOKEN.encode()).hexdigest()})
    facts = replace(good.facts, settings=api)
    with ApiServer(routes(facts, Hub())) as server:
        assert (server.get("/healthz").status, server.get("/healthz").json) == (
            200,
            {"status": "pass"},
        )
        known = server.get("/healthz", token=TOKEN).json
        assert known["checks"]["worker"] == {"status": "pass", "detail": "running"}
        feeds(good, state=FeedState.SILENT, last_tick_age=70.0)
        failed = server.get("/healthz", token=TOKEN[::-1])
        assert (failed.status, failed.json) == (503, {"status": "fail"})
        assert server.get("/readyz").status == 200


# One of several processes.


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        (FOLLOWING, "pass"),
        (replace(FOLLOWING, silent_sec=4.9), "pass"),
        (replace(FOLLOWING, silent_sec=5.0), "warn"),
        (replace(FOLLOWING, silent_sec=59.0, trouble=RelayTrouble.AWAY), "warn"),
        (replace(FOLLOWING, silent_sec=60.0, trouble=RelayTrouble.AWAY), "fail"),
        (replace(FOLLOWING, silent_sec=60.0), "fail"),
        (replace(FOLLOWING, silent_sec=None, state=RelayState.CONNECTING), "warn"),
        (replace(FOLLOWING, silent_sec=1.0, state=RelayState.LOADING), "warn"),
        (replace(FOLLOWING, silent_sec=20.0, state=RelayState.WAITING), "warn"),
        (replace(FOLLOWING, silent_sec=1.0, trouble=RelayTrouble.STARTING), "warn"),
        (replace(FOLLOWING, trouble=RelayTrouble.REFUSED), "fail"),
        (replace(FOLLOWING, trouble=RelayTrouble.DENIED), "fail"),
        (replace(FOLLOWING, trouble=RelayTrouble.CERTIFICATE), "fail"),
        (replace(FOLLOWING, trouble=RelayTrouble.UNUSABLE), "fail"),
        (replace(FOLLOWING, trouble=RelayTrouble.NEWER_FORMAT), "fail"),
        (LEADING, "pass"),
        (replace(LEADING, waiting=3), "warn"),
        (replace(LEADING, role="collector", trouble=RelayTrouble.AWAY, trouble_sec=900.0), "warn"),
        (replace(LEADING, trouble=RelayTrouble.FULL), "fail"),
        (replace(LEADING, trouble=RelayTrouble.REFUSED), "fail"),
    ],
)
def test_the_broker_is_one_check(good: Behind, relay: RelayStatus, expected: str) -> None:
    """It fails if nothing came for a minute, or if nothing but a person can help."""
    good.engine.said.update(relay=relay, uptime=30.0)
    assert verdicts(good)["broker"] == expected


def test_who_never_had_a_word_of_the_broker_fails_a_minute_after_its_start(good: Behind) -> None:
    """There is no last word to count from."""
    relay = replace(FOLLOWING, silent_sec=None, trouble=RelayTrouble.AWAY)
    for uptime, expected in ((None, "warn"), (59.0, "warn"), (60.0, "fail")):
        good.engine.said.update(relay=relay, uptime=uptime)
        assert verdicts(good)["broker"] == expected


def test_a_process_alone_has_no_broker_to_check(good: Behind) -> None:
    """Nor any other check than before."""
    assert "broker" not in verdicts(good)


def test_a_follower_does_not_fail_for_feeds_that_it_has_not(good: Behind) -> None:
    """They are the collector's, and fail there."""
    feeds(good, state=FeedState.REFUSED, trouble=Trouble.KEY_REFUSED, last_tick_age=1.0)
    assert verdicts(good)["class:stocks"] == "fail"
    good.engine.said["relay"] = LEADING
    assert verdicts(good)["class:stocks"] == "fail"
    good.engine.said["relay"] = FOLLOWING
    assert verdicts(good)["class:stocks"] == "warn"
    good.engine.said["feeds"] = ()
    assert verdicts(good)["feeds"] == "warn"
    assert worst(checks(good.facts.engine())) is Verdict.WARN
