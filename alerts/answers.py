"""Answers: what the status of an HTTP answer means, unless a channel knows more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from alerts.channel import Broken, Delivered, Outcome, RetryAt, Scope

__all__ = ["MOST_REST_SEC", "outcome", "rest_sec", "status_words"]

MOST_REST_SEC: Final = 86400.0
"""No destination rests longer for its own asking."""

_TRANSIENT: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY)
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


def outcome(status: int, headers: Mapping[str, str], now: float, words: str = "") -> Outcome:
    """What a status means; ``words`` say why, if the answer does, and hold no address."""
    told = status_words(status, words)
    if 200 <= status < 300:
        return Delivered()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = _retry_after(headers, now)
        # Without a time it would be asked for ever at the pace of the first try.
        return RetryAt(after, told, counts_as_failure=after is None)
    if status in _TRANSIENT or status >= 500 or status < 200:
        return RetryAt(_retry_after(headers, now), told)
    if status in _REFUSED:
        return Broken(Scope.DESTINATION, told)
    if status == HTTPStatus.GONE:
        return Broken(Scope.GONE, told)
    return Broken(Scope.MESSAGE, told)


def status_words(status: int, words: str = "") -> str:
    """A status, and what was said with it.

    >>> status_words(404, "no_service")
    '404: no_service'
    """
    if words:
        return f"{status}: {words}"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def rest_sec(value: object) -> float | None:
    """How long to rest, as a number in a body says it; None if it says nothing of use."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), MOST_REST_SEC)


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Of the header Retry-After, which is in seconds or the date of an instant."""
    text = headers.get("retry-after", "").strip()
    try:
        return rest_sec(float(text))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
        # One of the zone -0000 has none, and is of UTC.
        return rest_sec((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
