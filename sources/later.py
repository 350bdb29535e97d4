"""Later: how much later a second is shown because the vendor's prices come late."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Later"]

_IN_TIME_SEC: Final = 0.25
"""A price no later than this is there when its second is shown."""

_STEP_SEC: Final = 0.25
"""It changes by multiples of this, ..."""

_LESS_SEC: Final = 0.5
"""... and becomes less only if it can become less by this much: it is to be steady."""

_MOST_SEC: Final = 3.0


@dataclass(frozen=True, slots=True)
class Later:
    """How much later a second is shown, in seconds: 0, or enough for prices as late as the last."""

    sec: float = 0.0

    def after(self, lag: float | None) -> Self:
        """The next one, if prices come ``lag`` seconds late; None: that is not known.

        More at once, for every second that is shown too early is shown wrong; less reluctantly.
        """
        if lag is None:
            return self
        needed = 0.0 if lag <= _IN_TIME_SEC else math.ceil(lag / _STEP_SEC) * _STEP_SEC
        needed = min(needed, _MOST_SEC)
        return type(self)(needed) if not self.sec - _LESS_SEC < needed <= self.sec else self
