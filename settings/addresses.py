"""Other addresses for vendors than their own, for tests and proxies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from settings.given import Entry, SettingsError

__all__ = ["http_address", "websocket_address"]

_LEAST_KEY: Final = 8
"""What is shorter may stand in an address by chance."""

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def websocket_address(entry: Entry, keys: Sequence[str]) -> str | None:
    """The address of a stream, which holds none of the ``keys``; None: none was given."""
    return _address(entry, keys, ("ws", "wss"), "a WebSocket address, expected one like wss")


def http_address(entry: Entry, keys: Sequence[str]) -> str | None:
    """The address of what answers requests, likewise."""
    return _address(entry, keys, ("http", "https"), "an HTTP address, expected one like https")


def _address(
    entry: Entry, keys: Sequence[str], schemes: tuple[str, ...], expected: str
) -> str | None:
    value = entry.value
    if value is None:
        return None
    holds_key = isinstance(value, str) and any(len(k) >= _LEAST_KEY and k in value for k in keys)
    if not isinstance(value, str) or not _is_base_address(value, schemes) or holds_key:
        # Not the value: a pasted address may hold the key.
        raise SettingsError(f"{entry.place} is not {expected}://example.org/path without the key")
    return value


def _is_base_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether a path and a key can be appended to ``text``."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.netloc if port is None else parts.netloc.removesuffix(f":{port}")
    return (
        parts.scheme in schemes
        and bool(_HOST.fullmatch(host))
        and bool(re.fullmatch(r"[!-~]*", text))
        and "?" not in text
        and "#" not in text
    )
