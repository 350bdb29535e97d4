"""What a tab is sent, as a test or a benchmark reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from page.deltas import Parts


def decoded(parts: Parts) -> dict[str, Any]:
    """The whole payload."""
    return {name: msgspec.json.decode(part) for name, part in parts.items()}


def changed(value: Any, change: Mapping[str, Any]) -> Any:
    """The value after a change, as ``merge.js`` makes it."""
    if "is" in change:
        return change["is"]
    if "drop" in change:
        return [*value[change["drop"] :], *change["add"]]
    to, within = change.get("to", ()), change.get("in", ())
    if isinstance(value, list):
        before = change.get("of", range(len(value)))
        items = [value[place] if place >= 0 else None for place in before]
        for place, item in zip(to[::2], to[1::2], strict=True):
            items[place] = item
        for place, part in zip(within[::2], within[1::2], strict=True):
            items[place] = changed(items[place], part)
        return items
    fields = {**value, **dict(to)}
    fields.update((name, changed(value[name], part)) for name, part in dict(within).items())
    return {name: part for name, part in fields.items() if name not in change.get("no", ())}
