"""EndedError: why a connection ended, which makes the condition of its feed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from websockets.exceptions import ConnectionClosed

from connections.pace import Timing
from connections.status import FeedState, Trouble
from vendors.wire import NoticeKind

__all__ = ["Condition", "EndedError", "closed", "meant"]

_REFUSALS: Final[Mapping[NoticeKind, Trouble]] = {
    NoticeKind.KEY_REFUSED: Trouble.KEY_REFUSED,
    NoticeKind.PLAN_REFUSED: Trouble.PLAN_REFUSED,
    NoticeKind.BAD_REQUEST: Trouble.BAD_REQUEST,
    NoticeKind.CONNECTION_LIMIT: Trouble.CONNECTION_LIMIT,
    NoticeKind.UNAVAILABLE: Trouble.UNAVAILABLE,
}
"""What a vendor goes on saying until something changes."""


class Condition(NamedTuple):
    """The state of a feed and why: as in ``FeedStatus``."""

    state: FeedState
    """``LIVE`` while a connection is open: what comes through it is judged when it is asked for."""
    trouble: Trouble = Trouble.NONE
    code: int | None = None
    seconds: float | None = None
    lag: float | None = None
    frames: int | None = None

    def __str__(self) -> str:
        size = "" if self.seconds is None else f"{self.seconds:.0f} s"
        code = "" if self.code is None else str(self.code)
        why = ", ".join(filter(None, (self.trouble, code, size)))
        return f"{self.state} ({why})" if why else str(self.state)


class EndedError(Exception):
    """A connection's end: why, whether it was a refusal, and how long to leave the vendor alone."""

    def __init__(
        self,
        trouble: Trouble,
        *,
        code: int | None = None,
        seconds: float | None = None,
        frames: int | None = None,
        is_refusal: bool = False,
        wait_sec: float | None = None,
    ) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.code = code
        self.seconds = seconds
        self.frames = frames
        self.is_refusal = is_refusal
        self.wait_sec = wait_sec

    def condition(self, state: FeedState) -> Condition:
        """The feed's condition after this, in ``state``."""
        return Condition(state, self.trouble, self.code, self.seconds, frames=self.frames)


def meant(
    kind: NoticeKind, code: int | None, timing: Timing, asked_sec: float = 0.0
) -> EndedError | None:
    """The end of the connection that a vendor's word means; None if it means none.

    ``asked_sec``: how long the vendor wants to be left alone, if it says so. A refusal is asked
    again after the time for that; one of the place never.
    """
    if kind in _REFUSALS:
        wait_sec = timing.refused_sec
        if kind is NoticeKind.CONNECTION_LIMIT:
            wait_sec = timing.connection_limit_sec
        elif kind is NoticeKind.UNAVAILABLE:
            wait_sec = math.inf
        return EndedError(
            _REFUSALS[kind], code=code, is_refusal=True, wait_sec=max(wait_sec, asked_sec)
        )
    if kind is NoticeKind.THROTTLED:
        return EndedError(Trouble.THROTTLED, wait_sec=max(timing.throttled_sec, asked_sec))
    if kind is NoticeKind.SERVER_ERROR:
        return EndedError(Trouble.VENDOR_ERROR, code=code, wait_sec=asked_sec or None)
    return None


def closed(error: ConnectionClosed) -> EndedError:
    """By its code alone: the text is the other side's."""
    if isinstance(error.__cause__, EndedError):
        return error.__cause__
    if error.sent is not None and not error.rcvd_then_sent:
        return EndedError(Trouble.PROTOCOL_BROKEN, code=error.sent.code)
    code = 1006 if error.rcvd is None else error.rcvd.code
    return EndedError(Trouble.CONNECTION_CLOSED, code=code)
