"""Standstill: what is shown while no second comes, although the source's clock goes on."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from engine.status import Status

__all__ = ["STANDSTILL_SEC", "aged", "standstill_sec"]

STANDSTILL_SEC: Final = 5
"""A pulse further behind the source's clock than this is said to stand still."""


def standstill_sec(status: Status, live_now: float, now: float) -> int:
    """For how many whole seconds none has come to a process among several; 0: they come.

    ``live_now`` is the newest second, ``now`` the source's time.
    """
    if status.relay is None:
        return 0
    behind = now - live_now
    return math.floor(behind) if behind > STANDSTILL_SEC + status.source.later_sec else 0


def aged(frame: pd.DataFrame, seconds: int) -> pd.DataFrame:
    """A frame whose prices are ``seconds`` older than when it was new; itself if that is 0."""
    return frame.assign(age=frame["age"] + seconds) if seconds else frame
