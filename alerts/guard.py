"""Guard: which addresses are public, so that no message reaches what only this computer can."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["is_public"]

_TRANSLATED: Final = tuple(
    map(
        IPv6Network,
        (
            "::/96",  # an IPv4 address as it was once written
            "::ffff:0:0/96",  # mapped
            "::ffff:0:0:0/96",  # translated without state
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",  # likewise, of a network's own
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
        ),
    )
)
"""What stands for an IPv4 address, which may be any."""


def is_public(address: str) -> bool:
    """Whether an IP address, as the system resolved it, is one of the public network.

    False for loopback, private, shared (RFC 6598), link-local, site-local, multicast, reserved and
    unspecified addresses, for IPv6 addresses that stand for an IPv4 one, and for what is none.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if isinstance(ip, IPv6Address):
        return not ip.is_site_local and not any(ip in network for network in _TRANSLATED)
    return True
