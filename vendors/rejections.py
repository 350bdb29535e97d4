"""HTTP statuses with which vendors refuse a handshake, and what they mean at more than one."""

from __future__ import annotations

from vendors.wire import NoticeKind

__all__ = ["rejection"]

_PASSING = frozenset({408, 425})
"""Those below 500 that say nothing against the request."""


def rejection(status: int, *, wants_key: bool = False) -> NoticeKind:
    """What a status means, of a vendor that ``wants_key`` or not."""
    if status == 451:
        return NoticeKind.UNAVAILABLE
    if status == 429:
        return NoticeKind.THROTTLED
    if wants_key and status in (401, 403):
        return NoticeKind.KEY_REFUSED
    is_refusal = 400 <= status < 500 and status not in _PASSING
    return NoticeKind.BAD_REQUEST if is_refusal else NoticeKind.SERVER_ERROR
