"""Shared: what is computed once for all who ask, whichever thread they ask from."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar, TypeVarTuple

__all__ = ["FRESH_SEC", "KEPT_SEC", "Shared"]

KEPT_SEC: Final = 5.0
"""A result that nobody asked for in this time is dropped."""

FRESH_SEC: Final = 30.0
"""A result is computed again after this time however often it is asked for: an archive that could
not be read for a moment must not be a blank page for good."""

_Args = TypeVarTuple("_Args")
_T = TypeVar("_T")


@dataclass(slots=True)
class _Result:
    """What was computed or is being computed, when it was begun, and when it was last asked for."""

    future: Future[Any]
    begun_at: float
    used_at: float


class Shared:
    """The results of functions, known by the function and its arguments, which are hashable.

    Threads that ask for the same result at the same moment wait for the one that computes it. A
    function that raises raises to all who wait for it, and its error is not kept. A function may
    ask for other results, but not for its own. A result is dropped if nobody asked for it in
    ``kept_sec``, and computed again after ``fresh_sec``. ``clock`` is a steady one.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        kept_sec: float = KEPT_SEC,
        fresh_sec: float = FRESH_SEC,
    ) -> None:
        self._clock = clock
        self._kept_sec = kept_sec
        self._fresh_sec = fresh_sec
        # Guards the results, of which the last used is the last.
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, _Result] = OrderedDict()

    def once(self, function: Callable[[*_Args], _T], *args: *_Args) -> _T:
        """What ``function`` returns for these arguments; computed if nobody else has."""
        key = function, args
        now = self._clock()
        with self._lock:
            result = self._results.get(key)
            is_mine = result is None or result.begun_at < now - self._fresh_sec
            if result is None or is_mine:
                result = self._results[key] = _Result(Future(), now, now)
            result.used_at = now
            self._results.move_to_end(key)
            while next(iter(self._results.values())).used_at < now - self._kept_sec:
                self._results.popitem(last=False)
        if is_mine:
            self._compute(key, result, lambda: function(*args))
        value: _T = result.future.result()
        return value

    def _compute(self, key: Hashable, result: _Result, compute: Callable[[], Any]) -> None:
        try:
            result.future.set_result(compute())
        except BaseException as error:  # noqa: BLE001 - raised again to all who wait
            with self._lock:
                if self._results.get(key) is result:
                    del self._results[key]
            result.future.set_exception(error)
