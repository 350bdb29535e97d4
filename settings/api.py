"""Settings of the API: who may read, from where, and how."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from settings.forms import switch
from settings.given import Entry, Given, SettingsError, secret_text
from settings.quoting import bare

__all__ = [
    "API_KEYS",
    "API_SECRETS",
    "JWT_ALGORITHMS",
    "ApiSettings",
    "api_settings",
    "public_url",
]

_TOKENS: Final = "MARKET_PULSE_API_TOKENS"
_JWT_KEY: Final = "MARKET_PULSE_API_JWT_KEY"

API_SECRETS: Final = (_TOKENS, _JWT_KEY)
"""The variables that hold secrets; each may also stand in ``secrets.toml``."""

API_KEYS: Final = (
    "origins",
    "metrics_open",
    "public_url",
    "trusted_proxies",
    "jwt_algorithm",
    "jwt_audience",
)
"""Those of the table ``[api]``."""

JWT_ALGORITHMS: Final = ("HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA")
"""Those beginning with HS have one secret for both sides, the others a public key on this side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Who may read the API; without a token or key only programs of this computer may."""

    tokens: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """By the name of each token, the SHA-256 of it in hexadecimal digits."""
    jwt_key: str = field(default="", repr=False)
    """The key that verifies JSON web tokens; empty: none is taken."""
    jwt_algorithm: str = "HS256"
    jwt_audience: str = "market-pulse"
    origins: tuple[str, ...] = ()
    """The origins of other pages that may read, such as https://example.com."""
    is_metrics_open: bool = False
    """Whether the metrics are for everybody."""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """The addresses whose forwarded headers are believed."""

    @property
    def wants_token(self) -> bool:
        """Whether a token is wanted of everybody, programs of this computer included."""
        return bool(self.tokens or self.jwt_key)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown; of the tokens nothing is kept that could be."""
        return (self.jwt_key,) if self.jwt_key else ()


def api_settings(given: Given, files: Sequence[Path]) -> ApiSettings:
    """The settings of the API; its secrets may also stand in Streamlit's ``files``.

    Raises:
        SettingsError: if one is malformed.
    """
    table, usual = given.file.table("api", API_KEYS), ApiSettings()
    algorithm = _algorithm(table.entry("jwt_algorithm"), usual.jwt_algorithm)
    proxies = _texts(table.entry("trusted_proxies"), usual.proxies, _is_network, _NETWORKS)
    return ApiSettings(
        tokens=_tokens(secret_text(_TOKENS, given.environ, files)),
        jwt_key=_jwt_key(secret_text(_JWT_KEY, given.environ, files), algorithm),
        jwt_algorithm=algorithm,
        jwt_audience=_audience(table.entry("jwt_audience"), usual.jwt_audience),
        origins=_texts(table.entry("origins"), usual.origins, _is_origin, _ORIGINS),
        is_metrics_open=switch(table.entry("metrics_open")),
        proxies=proxies,
    )


def public_url(given: Given) -> str:
    """The address of the page as the reader of an alert reaches it; empty: none was given.

    Raises:
        SettingsError: if it is no such address.
    """
    entry = given.entry("public_url", given.file.table("api", API_KEYS))
    value = "" if entry.value is None else entry.value
    if value and not (isinstance(value, str) and _is_page(value)):
        raise entry.wrong("the address of the page such as https://pulse.example.com")
    return value.rstrip("/") if isinstance(value, str) else ""


# Tokens and keys: what they are is never shown.

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LEAST_TOKEN: Final = 20
_MOST_TOKENS: Final = 1000
_MAKE_ONE: Final = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


def _tokens(text: str) -> Mapping[str, str]:
    """By name, the SHA-256 of each token of ``name:token, …`` or ``name:sha256:hex, …``."""
    found: dict[str, str] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > _MOST_TOKENS:
        raise SettingsError(f"{_TOKENS} has {len(parts):,} tokens, expected {_MOST_TOKENS:,}")
    for number, part in enumerate(parts, start=1):
        name, colon, token = part.partition(":")
        place = f"{_TOKENS}, token {number} of {len(parts)}"
        if not colon or not _NAME.fullmatch(name):
            raise SettingsError(
                f"{place} has no name of letters, digits, . _ and - in front of a colon,"
                " expected name:token, name:token"
            )
        if name in found:
            raise SettingsError(f"{place} has the name of another, expected one of its own")
        digest = _digest(token, place)
        if digest in found.values():
            raise SettingsError(f"{place} is the same as another, expected one of its own")
        found[name] = digest
    return MappingProxyType(found)


def _digest(token: str, place: str) -> str:
    kind, colon, hexadecimal = token.partition(":")
    if colon and kind == "sha256":
        if not _DIGEST.fullmatch(hexadecimal.lower()):
            raise SettingsError(
                f"{place} is not a SHA-256, expected 64 hexadecimal digits after sha256:"
            )
        return hexadecimal.lower()
    if not re.fullmatch(r"[!-~]*", token) or len(token) < _LEAST_TOKEN:
        raise SettingsError(
            f"{place} is shorter than {_LEAST_TOKEN} characters or holds one that no token has:"
            f" make one by {_MAKE_ONE}"
        )
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _jwt_key(text: str, algorithm: str) -> str:
    if not text:
        return ""
    # Read here alone, because few want it and it takes its time.
    import jwt

    # As the files of an environment write the ends of lines.
    key = text.replace("\\n", "\n")
    needed = int(algorithm[2:]) // 8 if algorithm.startswith("HS") else 0
    if len(key.encode()) < needed:
        raise SettingsError(
            f"{_JWT_KEY} is too short for {algorithm}, expected {needed} characters at least:"
            f" make one by {_MAKE_ONE}"
        )
    try:
        jwt.get_algorithm_by_name(algorithm).prepare_key(key)
    except (jwt.PyJWTError, ValueError, TypeError):
        kind = "a secret" if needed else "a public key, from BEGIN PUBLIC KEY to END PUBLIC KEY"
        raise SettingsError(
            f"{_JWT_KEY} is no key for {algorithm}, expected {kind}:"
            " copy it again, or choose another jwt_algorithm"
        ) from None
    return key


# The table.

_ORIGINS: Final = 'a list of origins such as ["https://example.com"]'
_NETWORKS: Final = 'a list of addresses or networks such as ["127.0.0.1", "10.0.0.0/8"]'


def _algorithm(entry: Entry, usual: str) -> str:
    value = usual if entry.value is None else entry.value
    if value not in JWT_ALGORITHMS:
        raise entry.wrong(f"one of {', '.join(JWT_ALGORITHMS)}")
    return str(value)


def _audience(entry: Entry, usual: str) -> str:
    value = usual if entry.value is None else entry.value
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise entry.wrong("the text that tokens have in aud")
    return value


def _texts(entry: Entry, usual: tuple[str, ...], is_right: Any, expected: str) -> tuple[str, ...]:
    """The texts of a list, each of which is right."""
    found = entry.value
    if found is None:
        return usual
    if not isinstance(found, list):
        raise entry.wrong(expected)
    texts = [bare(each) if isinstance(each, str) else "" for each in found]
    for each, text in zip(found, texts, strict=True):
        if not is_right(text):
            raise SettingsError(
                f"{entry.place} has {entry.quoting.value(each)}, expected {expected}"
            )
    return tuple(dict.fromkeys(texts))


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_port = parts.port != 0
    except ValueError:
        return False
    is_bare = text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return is_bare and is_port and parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_page(text: str) -> bool:
    """Whether a query may be appended to an address."""
    try:
        parts = urlsplit(text)
        is_port = parts.port != 0
    except ValueError:
        return False
    is_plain = bool(re.fullmatch(r"[!-~]{1,300}", text)) and not re.search(r"[?#@]", text)
    return is_plain and is_port and parts.scheme in ("http", "https") and bool(parts.hostname)
