"""Status: what is true of everything behind the page, as it was published."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from api.asked import Asked
from api.endpoint import json_response
from engine.status import Status
from history.schema import MIGRATIONS
from ticks import ProcessRole

__all__ = ["API_VERSION", "StatusAnswer", "status", "status_answer"]

API_VERSION: Final = "1.0"
"""Of what is described in ``openapi``."""


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is true now, and of which version is what says so."""

    version: str
    """Of the API."""
    format: int
    """Of the archive."""
    role: ProcessRole
    """What this process is among several; ``relay`` of the status says how it is doing."""
    status: Status


def status_answer(status: Status) -> StatusAnswer:
    """A status, whole; times are seconds since the epoch."""
    role = "alone" if status.relay is None else status.relay.role
    return StatusAnswer(version=API_VERSION, format=len(MIGRATIONS), role=role, status=status)


def status(asked: Asked) -> Response:
    """What is true now."""
    return json_response(status_answer(asked.engine.status()))
