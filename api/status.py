"""Status: what is true of everything behind the page, as it was published."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from starlette.responses import Response

from api.asked import Asked
from api.endpoint import json_response
from engine.status import Status
from history.schema import MIGRATIONS

__all__ = ["API_VERSION", "StatusAnswer", "status"]

API_VERSION: Final = "1.0"
"""Of what is described in ``openapi``."""


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is true now, and of which version is what says so."""

    version: str
    """Of the API."""
    format: int
    """Of the archive."""
    role: Literal["alone"]
    """This process collects for itself, and for no other."""
    status: Status


def status(asked: Asked) -> Response:
    """The status, whole; times are seconds since the epoch."""
    return json_response(
        StatusAnswer(
            version=API_VERSION, format=len(MIGRATIONS), role="alone", status=asked.engine.status()
        )
    )
