"""Deltas: what changed between two values of JSON, and what of a payload a tab has not been sent.

A change is itself JSON, which the browser applies to what it holds (``merge.js``). It is one of

- ``{"is": value}``: another value;
- ``{"to": {name: value}, "in": {name: change}, "no": [name]}`` of an object: fields that are new or
  have another value, that changed within, and that are gone;
- ``{"of": [place], "to": [place, value, …], "in": [place, change, …]}`` of a list: the former place
  of each of its items (−1 if it had none; left out if none moved), those with another value, and
  those that changed within;
- ``{"drop": n, "add": [value]}`` of a list that moved on by n items, as a line of prices does.

All but the first leave out what they have nothing of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

__all__ = ["Parts", "Sent", "change", "next_message", "parts_of"]

_KEYS: Final = ("symbol", "id", "key", "asset")
"""The fields that tell the objects of a list apart, the first that all of them have."""

_MOST_DROPPED: Final = 60
"""By how many items at most a list is looked at for having moved on: a line of seconds, in a tab
that refreshes as seldom as any."""

Parts = Mapping[str, msgspec.Raw]
"""The fields of a struct by name, each as JSON."""

Once = Callable[..., bytes]
"""Computes a function of its arguments once for all who ask."""


class Sent(msgspec.Struct, frozen=True):
    """What a tab holds if it received all that it was sent; other tabs share the parts."""

    number: int
    parts: Parts


class _Whole(msgspec.Struct, frozen=True):
    """A message that needs no other."""

    number: int
    payload: Parts


class _Delta(msgspec.Struct, frozen=True):
    """A message that builds on that of the number ``base``."""

    number: int
    base: int
    change: Mapping[str, Parts]


def parts_of(struct: msgspec.Struct) -> Parts:
    """The fields of ``struct``; what is encoded already is not copied."""
    return {name: _encoded(getattr(struct, name)) for name in struct.__struct_fields__}


def next_message(parts: Parts, sent: Sent | None, number: int, once: Once) -> tuple[bytes, Sent]:
    """The message that shows ``parts`` to a tab that holds ``sent``, and what it holds after it.

    Whole if ``sent`` is None. No two messages of a tab have the same ``number``, not even if the
    first may never have left. Parts are compared as they are encoded, and what changed within them
    is found ``once`` for all tabs that were sent the same.
    """
    if sent is None or sent.parts.keys() != parts.keys():
        return msgspec.json.encode(_Whole(number, parts)), Sent(number, parts)
    changes = {
        name: msgspec.Raw(once(_part_change, bytes(sent.parts[name]), bytes(part)))
        for name, part in parts.items()
        if part is not sent.parts[name] and part != sent.parts[name]
    }
    delta = _Delta(number, sent.number, {"in": changes})
    return msgspec.json.encode(delta), Sent(number, parts)


def _encoded(part: object) -> msgspec.Raw:
    return part if isinstance(part, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(part))


def _part_change(old: bytes, new: bytes) -> bytes:
    """What changed between two parts, unless saying so takes more than the new one."""
    found = change(msgspec.json.decode(old), msgspec.json.decode(new)) or {}
    encoded = msgspec.json.encode(found)
    return encoded if len(encoded) < len(new) else b'{"is":%b}' % new


def change(old: Any, new: Any) -> dict[str, Any] | None:
    """What changed between two values of JSON; None if nothing did."""
    if _is_same(old, new):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        return _object_change(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _slide(old, new) or _list_change(old, new)
    return {"is": new}


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values are surely the same."""
    if old != new:
        return False
    # To Python, but not in JSON, true equals 1: within values, too.
    if isinstance(old, (dict, list)):
        return msgspec.json.encode(old) == msgspec.json.encode(new)
    return isinstance(old, bool) == isinstance(new, bool)


def _object_change(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any] | None:
    to: dict[str, Any] = {}
    within: dict[str, Any] = {}
    for name, value in new.items():
        if name not in old:
            to[name] = value
        elif found := change(old[name], value):
            _put(found, name, to, within)
    gone = [name for name in old if name not in new]
    return _filled({"to": to, "in": within, "no": gone})


def _put(found: dict[str, Any], name: str, to: dict[str, Any], within: dict[str, Any]) -> None:
    if "is" in found:
        to[name] = found["is"]
    else:
        within[name] = found


def _list_change(old: list[Any], new: list[Any]) -> dict[str, Any] | None:
    former = _former_places(old, new)
    to: list[Any] = []
    within: list[Any] = []
    for place, (value, before) in enumerate(zip(new, former, strict=True)):
        if before < 0:
            to += place, value
        elif found := change(old[before], value):
            if "is" in found:
                to += place, value
            else:
                within += place, found
    stayed = former == list(range(len(old)))
    return _filled({"of": None if stayed else former, "to": to, "in": within})


def _former_places(old: list[Any], new: list[Any]) -> list[int]:
    """Where each item of ``new`` was: by what tells it apart, else at its own place."""
    # Most lists are of texts and numbers.
    for key in _KEYS if old and isinstance(old[0], dict) else ():
        before = _places(old, key)
        if before and _places(new, key):
            return [before.get(item[key], -1) for item in new]
    return [place if place < len(old) else -1 for place in range(len(new))]


def _places(items: list[Any], key: str) -> dict[str, int]:
    """The places of items by the text under ``key``; empty if it does not tell them apart."""
    if not all(isinstance(item, dict) and isinstance(item.get(key), str) for item in items):
        return {}
    places = {item[key]: place for place, item in enumerate(items)}
    return places if len(places) == len(items) else {}


def _slide(old: list[Any], new: list[Any]) -> dict[str, Any] | None:
    """The change of a list that moved on; None if it did not."""
    for dropped in range(min(_MOST_DROPPED, len(old) - 1) + 1):
        if new and old[dropped] != new[0]:
            continue
        kept = old[dropped:]
        if len(kept) <= len(new) and _is_same(kept, new[: len(kept)]):
            return {"drop": dropped, "add": new[len(kept) :]}
    return None


def _filled(parts: dict[str, Any]) -> dict[str, Any] | None:
    """The parts that say anything; None if none does."""
    return {
        name: part for name, part in parts.items() if part or (name == "of" and part is not None)
    } or None
