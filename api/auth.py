"""Auth: who may read, by the token they show; the same over HTTP and over a WebSocket.

Pure: what the time is, and whether somebody is on this computer, are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

import jwt

from settings import ApiSettings
from ticks import legible

__all__ = ["LOCAL", "Caller", "Refusal", "bearer", "is_local", "who_may"]

LOCAL: Final = "local"
"""The name of those who need no token."""

_MOST_TOKEN: Final = 8192
"""Characters of a token; a JSON web token with many claims has two thousand."""

_MOST_NAME: Final = 60


class Caller(NamedTuple):
    """Somebody who may read."""

    name: str
    """Of the token, as logs and metrics may show it."""
    expires: float | None = None
    """When the token is no longer good; None: it always is."""


class Refusal(StrEnum):
    """Why somebody may not read."""

    WANTED = "wanted"
    """There is no token, and one is wanted."""
    WRONG = "wrong"
    """The token is none of those that are known, or not signed with the known key."""
    EXPIRED = "expired"
    """The token was good once, or will be."""


def who_may(
    settings: ApiSettings, token: str | None, now: float, *, is_local: bool
) -> Caller | Refusal:
    """Who reads with this token (None: with none) at ``now`` by the computer's clock, or why not.

    ``is_local``: by a connection from this computer to one of its own names. Those need no token
    if none was set, and one as everybody else if any was. A token is compared with every known one
    in a time that tells nothing of them.
    """
    if not settings.wants_token:
        return Caller(LOCAL) if is_local else Refusal.WANTED
    if not token:
        return Refusal.WANTED
    if len(token) > _MOST_TOKEN:
        return Refusal.WRONG
    digest, found = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest(), None
    for name, known in settings.tokens.items():
        # All of them, whichever it is.
        if hmac.compare_digest(digest, known):
            found = Caller(name)
    if found is not None:
        return found
    return _of_web_token(settings, token, now) if settings.jwt_key else Refusal.WRONG


def bearer(authorization: str | None) -> str | None:
    """The token of an ``Authorization`` header; None if there is none of type Bearer."""
    kind, _, token = (authorization or "").strip().partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether the connection of an ASGI scope comes from this computer, to one of its own names.

    The name counts, too: a page of another site may resolve its own name to this computer, and a
    proxy on it passes on what comes from anywhere.
    """
    client, hosts = scope.get("client"), [v for k, v in scope["headers"] if k == b"host"]
    if not client or len(hosts) != 1:
        return False
    return _is_loopback(client[0]) and _is_own_name(hosts[0].decode("latin-1"))


def _of_web_token(settings: ApiSettings, token: str, now: float) -> Caller | Refusal:
    """The same by a JSON web token: its signature, audience and time."""
    try:
        claims = jwt.decode(
            token,
            settings.jwt_key,
            algorithms=[settings.jwt_algorithm],
            audience=settings.jwt_audience,
            # Times are compared below, with the time that is given.
            options={
                "require": ["exp"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        expires, begins = float(claims["exp"]), float(claims.get("nbf", -math.inf))
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return Refusal.WRONG
    # A time that is no number is never one that is still to come.
    if not begins <= now < expires:
        return Refusal.EXPIRED
    subject = claims.get("sub", "")
    return Caller(f"jwt:{legible(str(subject), _MOST_NAME)}", expires)


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_own_name(host: str) -> bool:
    """Whether a ``Host`` header names this computer as only this computer itself does."""
    name, _, port = host.rpartition(":")
    name = (name if port.isdecimal() and not name.endswith(":") else host).strip("[]").lower()
    return name == "localhost" or _is_loopback(name)
