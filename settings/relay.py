"""Settings of a process among several: its role, and the broker over which they share the pulse."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final, get_args
from urllib.parse import unquote

from settings.forms import word
from settings.given import Entry, Given, SettingsError, resolved, secret_text
from ticks import ProcessRole

__all__ = ["RELAY_KEYS", "RELAY_SECRETS", "BrokerAddress", "RelaySettings", "relay_settings"]

_PASSWORD: Final = "MARKET_PULSE_REDIS_PASSWORD"  # noqa: S105 - the variable's name

RELAY_SECRETS: Final = (_PASSWORD,)
"""The variables that hold secrets; each may also stand in ``secrets.toml``."""

RELAY_KEYS: Final = ("role", "redis", "redis_ca", "name")
"""Those of the table ``[relay]``; in the environment they are MARKET_PULSE_ROLE and so on."""

_ROLES: Final[tuple[ProcessRole, ...]] = get_args(ProcessRole)
_PORT: Final = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is, and as which user it is spoken to."""

    host: str = ""
    """Empty if it is a socket of this computer."""
    port: int = _PORT
    user: str = ""
    """Empty: the broker's default user."""
    database: int = 0
    is_encrypted: bool = False
    socket: str = ""
    """The path of a socket of this computer; empty if it is a host."""

    @property
    def shown(self) -> str:
        """The place as people read it, without the user."""
        if self.socket:
            return self.socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """What a process is among several that show the same pulse, and how they reach each other."""

    role: ProcessRole = "alone"
    url: str = ""
    """The broker's address, without a password; empty: none was given, and the role is alone."""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """The certificates that vouch for the broker's; None: those that the system trusts."""
    name: str = "pulse"
    """What the set of processes is called; sets of other names may share a broker."""

    @property
    def address(self) -> BrokerAddress:
        """The parts of the address.

        Raises:
            ValueError: if it is none.
        """
        return _address(self.url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown."""
        return (self.password,) if self.password else ()


def relay_settings(given: Given, files: Sequence[Path]) -> RelaySettings:
    """The settings of a process among several; the password may also stand in ``files``.

    An address without a role is an error, as whoever sets one hardly means a process of its own; if
    the role alone was chosen, the address waits for another.

    Raises:
        SettingsError: if one is malformed, or one that is needed is missing.
    """
    table = given.file.table("relay", RELAY_KEYS)
    chosen, redis = given.entry("role", table), given.entry("redis", table)
    role, url = word(chosen, _ROLES), _url(redis)
    if role is None and url:
        raise SettingsError(
            f"{redis.place} is set, and MARKET_PULSE_ROLE is missing, expected"
            f" one of {', '.join(_ROLES)}: set it to auto for equals of which one collects"
        )
    if role not in (None, "alone") and not url:
        raise SettingsError(
            f"{chosen.place} is {role}, and MARKET_PULSE_REDIS is missing, expected the address"
            " of the broker that all share: set it to one like redis://redis:6379"
        )
    return RelaySettings(
        role=role or "alone",
        url=url,
        password=_password(secret_text(_PASSWORD, given.environ, files)),
        ca_file=_ca_file(given.entry("redis_ca", table), url),
        name=_name(given.entry("name", table)),
    )


# The address.

_URL: Final = re.compile(
    r"(?P<scheme>rediss?)://(?:(?P<user>[^\s:/?#@\[\]]+)@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<database>[0-9]{0,4}))?"
)
_SOCKET_URL: Final = re.compile(r"unix://(?:(?P<user>[^\s:/?#@\[\]]+)@)?(?P<path>/[^\s?#]+)")
_HOLDS_PASSWORD: Final = re.compile(r"[^/]*://[^@]*:.*@|.*[?&]password=", re.DOTALL)
_EXPECTED: Final = "expected one like redis://redis:6379 or rediss://user@broker.example.com:6379/0"

_PRIVATE_NETWORKS: Final = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "::1/128"),
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
            "100.64.0.0/10",  # shared within a provider or a VPN, and routed no further
            *("169.254.0.0/16", "fe80::/10"),
        ),
    )
)
_PRIVATE_DOMAINS: Final = (".localhost", ".local", ".internal", ".home.arpa")
"""Reserved: the public has no such names."""


def _address(url: str) -> BrokerAddress:
    if found := _SOCKET_URL.fullmatch(url):
        return BrokerAddress(user=unquote(found["user"] or ""), socket=unquote(found["path"]))
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found["port"] or _PORT) < 65536:
        raise ValueError("not the address of a broker")
    host = found["host"].strip("[]")
    if found["host"].startswith("["):
        ip_address(host)
    return BrokerAddress(
        host=host,
        port=int(found["port"] or _PORT),
        user=unquote(found["user"] or ""),
        database=int(found["database"] or 0),
        is_encrypted=found["scheme"] == "rediss",
    )


def _url(entry: Entry) -> str:
    """The address that was given, empty if none was; no error quotes one that may hold a secret."""
    if entry.value is None:
        return ""
    value = entry.value if isinstance(entry.value, str) else ""
    if _HOLDS_PASSWORD.match(value):
        raise SettingsError(
            f"{entry.place} holds a password, {_EXPECTED}: put the password into {_PASSWORD}"
        )
    try:
        address = _address(value)
    except ValueError:
        raise SettingsError(f"{entry.place} is not the address of a broker, {_EXPECTED}") from None
    if not address.is_encrypted and not address.socket and not _is_private(address.host):
        raise SettingsError(
            f"{entry.place} is a redis:// address of {entry.quoting.value(address.host)}, which may"
            " be public, and would send prices and the password in the clear: use rediss://, or the"
            " name or address that the broker has in the network that you share with it"
        )
    return value


def _is_private(host: str) -> bool:
    """Whether nobody outside a computer or its own network can be meant.

    A name with a dot may be anybody's, unless its domain is reserved; one without is looked up in
    the own network, as is that of a container.
    """
    try:
        ip = ip_address(host)
    except ValueError:
        # A number alone is an IPv4 address to what looks names up.
        is_name = "." not in host and not re.fullmatch(r"0[xX][0-9A-Fa-f]+|[0-9]+", host)
        return is_name or host.casefold().endswith(_PRIVATE_DOMAINS)
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    return any(ip in network for network in _PRIVATE_NETWORKS)


# The others.

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


def _password(text: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f\x7f]{0,512}", text):
        raise SettingsError(
            f"{_PASSWORD} is longer than 512 characters or holds one that cannot be seen, expected"
            " the broker's password: copy it again"
        )
    return text


def _ca_file(entry: Entry, url: str) -> Path | None:
    value = entry.value
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise entry.wrong("a file of certificates")
    if not url.startswith("rediss://"):
        raise SettingsError(
            f"{entry.place} is set, and no rediss:// address is, expected both or neither:"
            " begin MARKET_PULSE_REDIS with rediss://, or remove the file"
        )
    file, shown = resolved(value).absolute(), entry.quoting.path(value)
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise SettingsError(
            f"{entry.place} names {shown}, which holds no certificate, expected a file of lines"
            " from BEGIN CERTIFICATE to END CERTIFICATE: give that of the broker's authority"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{entry.place} names {shown}, which cannot be read ({error.strerror}), expected a file"
            " of certificates: check the path"
        ) from None
    return file


def _name(entry: Entry) -> str:
    value = RelaySettings().name if entry.value is None else entry.value
    # It stands in the broker's keys, which more people may read than the password.
    if (
        not isinstance(value, str)
        or not _NAME.fullmatch(value)
        or entry.quoting.holds_secret(value)
    ):
        raise entry.wrong("1 to 40 letters, digits, - and _")
    return value
