"""What lives once per process, whatever Streamlit does to modules and caches.

Streamlit evicts the modules of an edited script from ``sys.modules``, and anybody may clear its
caches; neither reaches the module without a file in which this is kept. Any thread may ask.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable
from typing import Any, Final, TypeVar

__all__ = ["forget", "kept", "once_per_process"]

_REGISTRY: Final = "_market_pulse_registry"

_T = TypeVar("_T")


def once_per_process(
    name: str, make: Callable[[], _T], may_stay: Callable[[_T], bool] = lambda kept: True
) -> _T:
    """What is kept under ``name``; made if there is nothing yet, or what there is ``may_stay`` not.

    Of several threads that ask at once, one makes it. What ``make`` raises is raised, and the next
    call tries again.
    """
    registry = _registry()
    with registry.lock:
        kept: dict[str, Any] = registry.kept
        if name not in kept or not may_stay(kept[name]):
            kept[name] = make()
        found: _T = kept[name]
        return found


def kept(name: str) -> Any:
    """What is kept under ``name``; None if there is nothing, or if it is only being made."""
    return _registry().kept.get(name)


def forget(name: str) -> Any:
    """Remove what is kept under ``name`` and return it; None if there is nothing."""
    registry = _registry()
    with registry.lock:
        return registry.kept.pop(name, None)


def _registry() -> Any:
    found = sys.modules.get(_REGISTRY)
    if found is None:
        new: Any = types.ModuleType(_REGISTRY)
        new.lock = threading.RLock()
        new.kept = {}
        found = sys.modules.setdefault(_REGISTRY, new)
    return found
