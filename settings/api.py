"""Settings of the API: who may read, from where, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["ApiSettings"]


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
    proxies: tuple[str, ...] = ("127.0.0.1",)
    """The addresses whose forwarded headers are believed."""
