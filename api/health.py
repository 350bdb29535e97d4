"""Health: whether this process answers, whether it can serve, and whether its prices are good.

Three questions, because different programs ask them: what restarts a process, what sends it
requests, and what calls somebody. Only the last one asks for vendors: a page that is taken off the
air because a vendor is silent would be away just when people look.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from api.asked import Asked
from api.endpoint import json_response
from api.facts import Engine

__all__ = ["Probe", "Verdict", "live", "ready"]

HUNG_SEC: Final = 30.0
"""How far the newest second may be behind its clock."""

_RETRY_SEC: Final = 2


class Verdict(StrEnum):
    """What is true of a process or a part of it."""

    PASS = "pass"  # noqa: S105 - the word for it
    WARN = "warn"
    FAIL = "fail"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is so, and why not."""

    status: Verdict
    detail: str


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
    behind = reader.now() - reader.pulse().now
    # Before a first second there is nothing to be behind: a long past takes its time.
    if reader.is_ready and behind > HUNG_SEC:
        return f"the newest second is {behind:.0f} s behind its clock"
    return ""


def _probe(why_not: str, retry_after: str) -> Response:
    if not why_not:
        return json_response(Probe(status=Verdict.PASS, detail=""))
    headers = {"Retry-After": retry_after} if retry_after else {}
    body = Probe(status=Verdict.FAIL, detail=why_not)
    return json_response(body, HTTPStatus.SERVICE_UNAVAILABLE, headers)
