"""Health: whether this process answers, whether it can serve, and whether its prices are good.

Three questions, because different programs ask them: what restarts a process, what sends it
requests, and what calls somebody. Only the last one asks for vendors: a page that is taken off the
air because a vendor is silent would be away just when people look.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from api.asked import Asked
from api.auth import Caller
from api.endpoint import Door, json_response
from api.facts import Engine
from engine.status import (
    AlertsStatus,
    ArchiveState,
    ArchiveStatus,
    DestinationState,
    FeedState,
    FeedStatus,
    RelayState,
    RelayStatus,
    RelayTrouble,
    Status,
    Trouble,
)

__all__ = ["Check", "Health", "Probe", "Verdict", "checks", "health", "live", "ready", "worst"]

HUNG_SEC: Final = 30.0
"""How far the newest second may be behind its clock."""

_RETRY_SEC: Final = 2

PATIENCE_SEC: Final = 60.0
"""For so long a market that is open may be without a tick before somebody has to look, and so may a
process be without a word of the one that collects."""

_SILENT_SEC: Final = 5.0
"""A collector that is silent for longer may be gone."""

_ENDLESS: Final = frozenset(
    {
        RelayTrouble.REFUSED,
        RelayTrouble.DENIED,
        RelayTrouble.FULL,
        RelayTrouble.CERTIFICATE,
        RelayTrouble.UNUSABLE,
        RelayTrouble.NEWER_FORMAT,
    }
)
"""Troubles with the broker that nothing but a person ends."""


class Verdict(StrEnum):
    """What is true of a process or a part of it."""

    PASS = "pass"  # noqa: S105 - the word for it
    WARN = "warn"
    FAIL = "fail"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is so, and why not."""

    status: Verdict
    detail: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of one part, and in which state it is."""

    status: Verdict
    detail: str


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The worst of all checks, and, for who has a token, each of them."""

    status: Verdict
    checks: Mapping[str, Check] | None = None


def live(asked: Asked) -> Response:
    """Whether what runs behind the page lives; if not, only a new process helps."""
    return _probe(_dead(asked.facts.engine()), "")


def ready(asked: Asked) -> Response:
    """Whether this process can serve: a first second is shown, with the past behind it."""
    engine = asked.facts.engine()
    if engine is None:
        return _probe("nothing runs behind the page; the page says why", str(_RETRY_SEC))
    is_shown = engine.reader.is_ready
    return _probe(_dead(engine) or ("" if is_shown else "no second is shown yet"), str(_RETRY_SEC))


def _dead(engine: Engine | None) -> str:
    """Why an engine does not live; empty if it does, or if there is none that could have died."""
    if engine is None:
        return ""
    if not engine.alive():
        return "the worker's thread has ended"
    reader = engine.reader
    now = reader.now()
    behind = now - reader.pulse().now
    # Before a first second there is nothing to be behind: a long past takes its time.
    if reader.is_ready and behind > HUNG_SEC and _makes_seconds(engine.status().relay, now):
        return f"the newest second is {behind:.0f} s behind its clock"
    return ""


def _makes_seconds(relay: RelayStatus | None, now: float) -> bool:
    """Whether a process makes its seconds itself, and has for long enough to have made one.

    Who shows another's seconds would not show more of them if it were begun anew.
    """
    if relay is None:
        return True
    began = relay.took_over_at
    is_new = began is not None and abs(now - began) <= HUNG_SEC
    return relay.state is RelayState.LEADING and not is_new


def _probe(why_not: str, retry_after: str) -> Response:
    if not why_not:
        return json_response(Probe(status=Verdict.PASS, detail=""))
    headers = {"Retry-After": retry_after} if retry_after else {}
    body = Probe(status=Verdict.FAIL, detail=why_not)
    return json_response(body, HTTPStatus.SERVICE_UNAVAILABLE, headers)


# Whether the data is good.


def health(door: Door, asked: Asked) -> Response:
    """The worst of all checks; each of them for who may read."""
    found = checks(asked.facts.engine())
    caller = door.caller(asked.request.scope, asked.request.headers.get("authorization"))
    verdict = worst(found)
    failed = verdict is Verdict.FAIL
    return json_response(
        Health(status=verdict, checks=found if isinstance(caller, Caller) else None),
        HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK,
    )


def checks(engine: Engine | None) -> dict[str, Check]:
    """What is true of each part; nothing at all is a failure, and a closed market is none."""
    if engine is None:
        return {"worker": _failed("nothing runs behind the page")}
    status = engine.status()
    dead = _dead(engine)
    relay = status.relay
    own = {"prices": _prices(engine, status), **_feeds(status)}
    is_follower = relay is not None and relay.state is not RelayState.LEADING
    return {
        "worker": _failed(dead) if dead else _passed("running"),
        **({} if relay is None else {"broker": _broker(relay, status.uptime)}),
        # They are the collector's, of which nothing can be mended here.
        **({name: _lenient(check) for name, check in own.items()} if is_follower else own),
        "archive": _archive(status.archive),
        "alerts": _alerts(status.alerts),
    }


def worst(found: Mapping[str, Check]) -> Verdict:
    """The verdict of all checks together."""
    return max((check.status for check in found.values()), key=list(Verdict).index)


def _broker(relay: RelayStatus, uptime: float | None) -> Check:
    """Whether this process shows what the others show."""
    detail = ": ".join(filter(None, (relay.state.value, relay.trouble.value)))
    if relay.trouble in _ENDLESS:
        return _failed(detail)
    if relay.state is RelayState.LEADING:
        # What it collects itself is good, whoever else can show it.
        return _warned(detail) if relay.trouble or relay.waiting else _passed(detail)
    silent_sec = relay.silent_sec
    if silent_sec is None:
        silent_sec = uptime or 0.0
    if silent_sec >= PATIENCE_SEC:
        return _failed(detail)
    is_fresh = relay.state is RelayState.FOLLOWING and silent_sec < _SILENT_SEC
    return _passed(detail) if is_fresh and not relay.trouble else _warned(detail)


def _lenient(check: Check) -> Check:
    return _warned(check.detail) if check.status is Verdict.FAIL else check


def _prices(engine: Engine, status: Status) -> Check:
    """Whether any is known, or none can be: who begins on a Saturday has shares' on Monday."""
    if engine.reader.has_prices():
        return _passed("known")
    asked = [feed for feed in status.feeds if feed.state is not FeedState.OFF]
    is_closed = asked and all(
        feed.state is FeedState.CLOSED and feed.trouble is not Trouble.TAPE_ENDED for feed in asked
    )
    return _passed("none yet: every market is closed") if is_closed else _failed("none ever came")


def _feeds(status: Status) -> dict[str, Check]:
    """Each feed, and each class as its best feed is: what one vendor lacks another may send."""
    found: dict[str, Check] = {}
    classes: dict[str, list[Check]] = {}
    for feed in status.feeds:
        if feed.state is FeedState.OFF:
            continue
        check = found[f"feed:{feed.asset}:{feed.vendor}"] = _feed(feed, status)
        classes.setdefault(feed.asset, []).append(check)
    for asset, of_class in classes.items():
        found[f"class:{asset}"] = min(of_class, key=lambda check: list(Verdict).index(check.status))
    # A feed that fails while another serves its class is for somebody to see, and no failure.
    for name, check in found.items():
        kind, asset, *_ = name.split(":")
        if kind == "feed" and check.status is Verdict.FAIL:
            best = found[f"class:{asset}"].status
            found[name] = check if best is Verdict.FAIL else _warned(check.detail)
    return found or {"feeds": _failed("none is asked for any price")}


def _feed(feed: FeedStatus, status: Status) -> Check:
    detail = ": ".join(filter(None, (feed.state.value, feed.trouble.value)))
    if feed.trouble is Trouble.TAPE_ENDED:
        return _warned(detail)
    if feed.state in (FeedState.LIVE, FeedState.CLOSED):
        return _passed(detail)
    silent_sec = feed.last_tick_age
    if silent_sec is None:
        silent_sec = status.uptime or 0.0
    is_refused = feed.state is FeedState.REFUSED
    return _failed(detail) if is_refused or silent_sec >= PATIENCE_SEC else _warned(detail)


def _archive(archive: ArchiveStatus) -> Check:
    detail = ": ".join(filter(None, (archive.state.value, archive.trouble.value)))
    is_well = archive.state in (ArchiveState.OFF, ArchiveState.WRITING)
    return _passed(detail) if is_well else _warned(detail)


def _alerts(alerts: AlertsStatus) -> Check:
    """Whether what waits is on its way."""
    stuck = [
        destination
        for destination in alerts.destinations
        if destination.state in (DestinationState.REFUSED, DestinationState.OFF)
        or (destination.state is DestinationState.RESTING and destination.waiting)
    ]
    if stuck:
        return _warned(", ".join(f"{each.name}: {each.state.value}" for each in stuck))
    count = len(alerts.destinations)
    return _passed("1 destination" if count == 1 else f"{count} destinations")


def _passed(detail: str) -> Check:
    return Check(status=Verdict.PASS, detail=detail)


def _warned(detail: str) -> Check:
    return Check(status=Verdict.WARN, detail=detail)


def _failed(detail: str) -> Check:
    return Check(status=Verdict.FAIL, detail=detail)
