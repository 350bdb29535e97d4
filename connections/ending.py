"""EndedError: why a connection ended, which makes the condition of its feed."""

from __future__ import annotations

from typing import NamedTuple

from websockets.exceptions import ConnectionClosed

from connections.pace import Timing
from connections.status import FeedState, Trouble

__all__ = ["Condition", "EndedError", "closed", "refused"]


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


def refused(trouble: Trouble, code: int | None, timing: Timing) -> EndedError:
    """A refusal: it is asked again after the time for that."""
    return EndedError(trouble, code=code, is_refusal=True, wait_sec=timing.refused_sec)


def closed(error: ConnectionClosed) -> EndedError:
    """By its code alone: the text is the other side's."""
    if isinstance(error.__cause__, EndedError):
        return error.__cause__
    if error.sent is not None and not error.rcvd_then_sent:
        return EndedError(Trouble.PROTOCOL_BROKEN, code=error.sent.code)
    code = 1006 if error.rcvd is None else error.rcvd.code
    return EndedError(Trouble.CONNECTION_CLOSED, code=code)
