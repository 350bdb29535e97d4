"""Which addresses a message may be sent to."""

from __future__ import annotations

import pytest

from alerts.guard import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # where clouds keep their keys
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - refused
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:7f00:1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "",
        "localhost",
        "0x7f.1",
        "/run/a.sock",
    ],
)
def test_what_only_this_computer_or_network_reaches_is_not_public(address: str) -> None:
    """In every form in which it can be written, and what is no address at all."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.63.255.255", "2606:4700:4700::1111", "2a00:1450::1"]
)
def test_what_everybody_reaches_is_public(address: str) -> None:
    """As a name on the network resolves."""
    assert is_public(address)
